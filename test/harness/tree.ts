// A tree of the host as a test compares it: one line for each object with what programs can see of it.
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** Lines "path kind mode links owner size content" of all below `root`, sorted; of paths that match `vague` only the first three. */
export function treeLines(root: string, vague: RegExp | null = null): string[] {
  const lines: string[] = [];
  const visit = (path: string): void => {
    for (const name of readdirSync(join(root, path), 'latin1')) {
      const at = path === '' ? name : `${path}/${name}`;
      const whole = Buffer.from(join(root, at), 'latin1');
      const s = lstatSync(whole);
      let line = `${at} ${kindOf(s)} ${(s.mode & 0o7777).toString(8)}`;
      if (vague === null || !vague.test(at)) {
        line += ` links=${s.isDirectory() ? '-' : s.nlink} owner=${s.uid}:${s.gid}`;
        if (s.isSymbolicLink()) line += ` -> ${readlinkSync(whole, 'latin1')}`;
        if (s.isFile())
          line += ` size=${s.size} ${createHash('sha256').update(readFileSync(whole)).digest('hex').slice(0, 16)}`;
      }
      lines.push(line);
      if (s.isDirectory()) visit(at);
    }
  };
  visit('');
  return lines.sort();
}

function kindOf(s: ReturnType<typeof lstatSync> & object): string {
  if (s.isDirectory()) return 'dir';
  if (s.isFile()) return 'file';
  if (s.isSymbolicLink()) return 'link';
  if (s.isFIFO()) return 'fifo';
  return s.isSocket() ? 'socket' : 'device';
}
