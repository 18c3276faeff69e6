// Runs programs on every kind of host that this machine can imitate, and records what came of it in docs/hosts.md:
//   npm run hosts -- [--list] [--no-write] [NAME...]      a NAME keeps the cell of that name, or else all whose name or group
//                                                         contains it, or the group of that file
// Emulated machines run only when named (`emulated`). The page's sections are written by runs of whole groups.
// Exits 1 when a cell failed. Cells live in scripts/hosts/; each is { name, command, run() -> { result, detail } } with
// result 'works', 'refused' (one line said why, with the fix), 'FAILED' or 'not tried'. dist/ must have been built.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';

const here = import.meta.dirname;
/** Groups in the order of the page: title -> file. The last has kernels and processors of its own, in an emulator. */
const GROUPS = [
  ['Who runs it', 'users.mjs'],
  ['File systems', 'files.mjs'],
  ['Limits', 'limits.mjs'],
  ['Processors and clocks', 'processors.mjs'],
  ['Containers and seccomp profiles', 'containers.mjs'],
  ['Versions of Node.js, and the package', 'nodes.mjs'],
  ['Other kernels and processors, emulated', 'emulated.mjs'],
];

/** Takes minutes per cell: runs only when it is named. */
const SLOW = 'emulated.mjs';

const args = process.argv.slice(2);
const OPTIONS = ['--list', '--no-write', '--help'];
const options = args.filter((arg) => OPTIONS.includes(arg));
// Some cells are named after flags.
const names = args.filter((arg) => !OPTIONS.includes(arg));
if (options.includes('--help')) {
  console.log('usage: npm run hosts -- [--list] [--no-write] [NAME...]\n');
  console.log(
    'A NAME is that of a cell, a part of such names or of a group, or a file of scripts/hosts without .mjs.',
  );
  console.log('Emulated machines (minutes each) run only when named: npm run hosts -- emulated');
  process.exit(0);
}

const all = [];
for (const [title, file] of GROUPS)
  if (existsSync(join(here, 'hosts', file)))
    all.push({ title, file, cells: (await import(`./hosts/${file}`)).cells });
const exact = new Set(all.flatMap(({ cells }) => cells.map((cell) => cell.name)));
const listed = options.includes('--list');

const groups = all.map(({ title, file, cells }) => {
  const chosen = (cell) =>
    names.length === 0
      ? file !== SLOW || listed
      : names.some((n) =>
          exact.has(n) ? cell.name === n : cell.name.includes(n) || title.includes(n) || file === `${n}.mjs`,
        );
  const kept = cells.filter(chosen);
  return { title, cells: kept, whole: kept.length === cells.length };
});
if (groups.every((group) => group.cells.length === 0)) {
  console.error(`no cell is called ${names.join(' or ')}; --list shows all`);
  process.exit(2);
}

const read = (path) => {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return null;
  }
};

/** What kind of machine this is: the lines above the tables. */
function machine() {
  const info = read('/proc/cpuinfo') ?? '';
  const model = /^model name\s*: (.*)$/m.exec(info)?.[1] ?? 'unknown processor';
  const flags = (/^flags\s*: (.*)$/m.exec(info)?.[1] ?? '').split(' ');
  const has = (flag) => `${flags.includes(flag) ? '' : 'no '}${flag}`;
  const setting = (name) => read(`/proc/sys/${name.replaceAll('.', '/')}`) ?? 'not there';
  return [
    `${model}, ${cpus().length} cpus, ${Math.round(totalmem() / 2 ** 30)} GiB; ${['fsgsbase', 'avx512f', 'pku', 'la57', 'hypervisor'].map(has).join(', ')}`,
    `Linux ${release()}; clock source ${read('/sys/devices/system/clocksource/clocksource0/current_clocksource') ?? 'unknown'}; Node.js ${process.version}`,
    ['kernel.yama.ptrace_scope', 'user.max_user_namespaces', 'vm.overcommit_memory']
      .map((name) => `${name} ${setting(name)}`)
      .join(', '),
    `/dev/kvm ${existsSync('/dev/kvm') ? 'is there' : 'is not there'}; run as ${process.getuid() === 0 ? 'root' : 'an ordinary user'}`,
  ];
}

if (listed) {
  for (const { title, cells } of groups) {
    if (cells.length === 0) continue;
    console.log(`${title}:`);
    for (const cell of cells) console.log(`  ${cell.name}`);
  }
  process.exit(0);
}

const started = Date.now();
const counts = { works: 0, refused: 0, FAILED: 0, 'not tried': 0 };
for (const line of machine()) console.log(line);
for (const { title, cells } of groups) {
  if (cells.length > 0) console.log(`\n${title}`);
  for (const cell of cells) {
    const start = Date.now();
    try {
      cell.outcome = await cell.run();
    } catch (error) {
      cell.outcome = { result: 'FAILED', detail: `the cell itself: ${error.message}` };
    }
    counts[cell.outcome.result]++;
    const seconds = ((Date.now() - start) / 1000).toFixed(1);
    console.log(`  ${cell.outcome.result.padEnd(9)} ${cell.name} (${seconds} s): ${cell.outcome.detail}`);
  }
}
const total = Object.entries(counts)
  .map(([result, n]) => `${n} ${result}`)
  .join(', ');
console.log(`\n${total}; ${Math.round((Date.now() - started) / 1000)} s`);

const text = (s) => s.replaceAll('|', '\\|').replaceAll('\n', ' ').replaceAll('<', '&lt;');
const page = join(here, '../docs/hosts.md');
/** Sections of the page as it was: groups that did not run whole keep theirs. */
const before = new Map(
  (read(page) ?? '')
    .split(/^## /m)
    .slice(1)
    .map((s) => [s.slice(0, s.indexOf('\n')), s.trim()]),
);

function section({ title, cells, whole }) {
  if (!whole) return before.has(title) ? `## ${before.get(title)}\n` : null;
  const rows = cells.map(
    (c) => `| ${text(c.name)} | \`${text(c.command)}\` | ${c.outcome.result} | ${text(c.outcome.detail)} |`,
  );
  return `## ${title}

${new Date().toISOString().slice(0, 10)}:

| cell | command | result | what it printed |
| --- | --- | --- | --- |
${rows.join('\n')}
`;
}

if (!options.includes('--no-write') && groups.some((group) => group.whole))
  writeFileSync(
    page,
    `# Hosts

Written by \`npm run hosts\`; do not edit. Each cell runs a program with threads, fork, exec, signals, memory, files and clocks
inside \`vedette do\`, on each platform that is named, in the place of \`uname -a\`, and its output must be right. "refused" means
that one line said why it cannot work and what to do; all else is FAILED. \`npm run hosts -- NAME\` repeats one cell. \`seccomp\` is
scripts/hosts/seccomp.c.

The machine:

${machine()
  .map((line) => `- ${line}`)
  .join('\n')}

${groups
  .map(section)
  .filter((s) => s !== null)
  .join('\n')}`,
  );
process.exit(counts.FAILED > 0 ? 1 : 0);
