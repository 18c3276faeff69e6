// What of docs/guidelines.md a script can see, each complaint with the guideline's name. Imports are layers.mjs's.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { files } from './imports.mjs';

let bad = 0;
const complain = (name, text) => {
  console.error(`${text} (${name})`);
  bad++;
};

/** one-idea-a-file: lines that a file may have, and those that had more when the rule came. The list only shrinks. */
const MOST_LINES = 530;
const LONGER = {
  'src/sentry/memfile/pagecache.ts': 564,
  'test/programs.test.ts': 566,
};
for (const file of ['src', 'test', 'bench'].flatMap(files)) {
  const lines = readFileSync(file, 'utf8').split('\n').length - 1;
  const most = LONGER[file] ?? MOST_LINES;
  if (lines > most) complain('one-idea-a-file', `${file}: ${lines} lines, ${most} at most`);
}
for (const file of Object.keys(LONGER)) {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;
  if (lines <= MOST_LINES) complain('one-idea-a-file', `${file}: has ${lines} lines and leaves the list`);
}

/** say-what-lives-here: every folder has a README. */
for (const entry of readdirSync('src', { recursive: true, withFileTypes: true })) {
  const folder = join(entry.parentPath, entry.name);
  if (entry.isDirectory() && !existsSync(join(folder, 'README.md')))
    complain('say-what-lives-here', `${folder}: has no README.md`);
}

/** cite-the-manual: the doc comment of a system call's handler names the page that it implements. */
for (const file of files('src/sentry/syscalls')) {
  const text = readFileSync(file, 'utf8');
  for (const row of text.split(/\bsys\((?=\s*SYS_)/).slice(1)) {
    const handler = /\],\s*(\w+)[,)]/.exec(row)?.[1];
    const at = text.search(new RegExp(`^(export )?function ${handler}\\(`, 'm'));
    if (at < 0) continue;
    const comment = /\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n$/.exec(text.slice(0, at))?.[0];
    if (!/implements|\w\(2\)/i.test(comment ?? ''))
      complain('cite-the-manual', `${file}: ${handler} does not say which page it implements`);
  }
}

/** unsafe-in-one-place: who calls through the FFI says why that is safe. */
const ffi = readFileSync('src/host/ffi.ts', 'utf8').split('\n');
for (const [i, line] of ffi.entries()) {
  if (!/koffi\.(view|call|decode|proto)\(|\.func\(/.test(line)) continue;
  if (!ffi.slice(Math.max(0, i - 4), i + 1).some((near) => near.includes('SAFETY')))
    complain('unsafe-in-one-place', `src/host/ffi.ts:${i + 1}: no SAFETY comment`);
}

if (bad > 0) {
  console.error(`${bad} against docs/guidelines.md`);
  process.exit(1);
}
