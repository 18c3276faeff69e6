// Trees for tests of --overlay: a lower one, and a box that keeps what is written over it.
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { extraBeside, type RunResult, runNative, vedette } from './guest.ts';

export const LIMIT_MS: number = 120_000;
/** Somebody with no rights on the host. */
export const NOBODY: number = 61234;
export const asNobody: string[] = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
const isRoot = process.getuid!() === 0;

let top = '';
before(() => {
  top = realpathSync(mkdtempSync(join(tmpdir(), 'vedette-overlay-')));
  chmodSync(top, 0o755);
});
after(() => rmSync(top, { recursive: true, force: true }));

let trees = 0;
/** A directory of its own with `lower`, which all may read and `box`, which somebody without rights may write. */
export function newTree(): string {
  const dir = join(top, `t${trees++}`);
  mkdirSync(join(dir, 'lower/dir/sub'), { recursive: true });
  mkdirSync(join(dir, 'lower/gone'));
  mkdirSync(join(dir, 'lower/empty'));
  const put = (name: string, text: string) => writeFileSync(join(dir, 'lower', name), text);
  put('file', 'lower\n');
  put('other', 'other\n');
  put('dir/a', 'a\n');
  put('dir/b', 'b\n');
  put('dir/sub/deep', 'deep\n');
  put('gone/x', 'x\n');
  put('prog', '#!/bin/sh\necho ran\n');
  chmodSync(join(dir, 'lower/prog'), 0o755);
  linkSync(join(dir, 'lower/other'), join(dir, 'lower/other2'));
  symlinkSync('file', join(dir, 'lower/link'));
  // mtimes of long ago, which only a change moves.
  for (const name of ['file', 'other', 'dir/a', 'dir', 'gone', 'empty', '.'])
    utimesSync(join(dir, 'lower', name), 1e9, 1e9);
  for (const side of ['box', 'native']) {
    mkdirSync(join(dir, side));
    if (isRoot) chownSync(join(dir, side), NOBODY, NOBODY);
  }
  return dir;
}

export interface Side {
  readonly runs: RunResult[];
}

/** Flags and words that start a command inside over the tree's box. */
export function insideWords(
  dir: string,
  flags: readonly string[] = [],
  user: readonly string[] = [],
): string[] {
  return [
    ...user,
    ...vedette,
    ...extraBeside(flags),
    '--overlay',
    join(dir, 'box'),
    ...flags,
    '--cwd',
    join(dir, 'lower'),
    '--',
  ];
}

export async function runOver(
  dir: string,
  scripts: readonly string[],
  flags: string[],
  user: string[],
): Promise<Side> {
  const runs: RunResult[] = [];
  for (const script of scripts)
    runs.push(
      await runNative([...insideWords(dir, flags, user), 'sh', '-c', script], {
        timeoutMs: LIMIT_MS,
        cwd: '/',
      }),
    );
  return { runs };
}
