// Writes docs/syscalls.md from the system-call table of a build: node scripts/compat.mjs [--check]
// --check only compares, and fails when the committed page is not what the table says. VEDETTE_OUT names the build.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const repo = dirname(import.meta.dirname);
const out = resolve(repo, process.env.VEDETTE_OUT ?? 'dist');
const load = (path) => import(pathToFileURL(join(out, 'src', path)).href);
const { makeSyscallTable } = await load('sentry/syscalls/table.js');
const numbers = await load('abi/syscall.js');

/** Numbers that x86-64 Linux itself reserves and answers with ENOSYS. */
const RESERVED = new Set(
  (
    'uselib _sysctl create_module get_kernel_syms query_module nfsservctl getpmsg putpmsg afs_syscall tuxcall ' +
    'security set_thread_area get_thread_area lookup_dcookie epoll_ctl_old epoll_wait_old vserver'
  ).split(' '),
);
/** A note that begins so marks a row that refuses every call; the errno follows. */
const NOT = 'not: ';

const table = makeSyscallTable();
const counts = { full: 0, partial: 0, not: 0, reserved: 0 };
const lines = [];
const calls = Object.entries(numbers).filter(([name]) => name.startsWith('SYS_'));
for (const [symbol, nr] of calls.sort((a, b) => a[1] - b[1])) {
  const name = symbol.slice('SYS_'.length);
  const row = table.row(nr);
  let support;
  if (RESERVED.has(name)) {
    counts.reserved++;
    support = 'not: ENOSYS, as on Linux';
  } else if (row === null || row.note.startsWith(NOT)) {
    counts.not++;
    support = row === null ? 'not: ENOSYS' : row.note;
  } else if (row.note === '') {
    counts.full++;
    support = 'full';
  } else {
    counts.partial++;
    support = `partial: ${row.note}`;
  }
  lines.push(`| ${nr} | ${name} | ${support.replaceAll('|', '\\|')} |`);
}

const page = `# System calls

Generated from the system-call table by \`scripts/compat.mjs\`; do not edit. Of ${calls.length} x86-64 system calls:

| support | calls |
| --- | --- |
| full | ${counts.full} |
| partial: what is missing stands beside the call | ${counts.partial} |
| not: the errno, as a Linux without that feature or privilege gives it | ${counts.not} |
| reserved numbers, which Linux answers with ENOSYS too | ${counts.reserved} |

| number | name | support |
| --- | --- | --- |
${lines.join('\n')}
`;

const path = join(repo, 'docs/syscalls.md');
if (!process.argv.includes('--check')) writeFileSync(path, page);
else if (readFileSync(path, 'utf8') !== page) {
  console.error(
    'docs/syscalls.md is not what the system-call table says: build, then run node scripts/compat.mjs',
  );
  process.exit(1);
}
