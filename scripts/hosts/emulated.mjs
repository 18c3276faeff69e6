// Cells of the matrix that need another kernel or another processor: booted by QEMU's emulation of instructions.
//   npm run hosts:emulated -- [--list] [NAME...]      a NAME keeps the cells whose name contains it
// Each cell is one boot of some minutes. VEDETTE_QEMU names another qemu-system-x86_64, VEDETTE_PROGRAMS other guest programs
// (NAME or NAME:SUBTEST:..., with commas), VEDETTE_RUNS other flags of `vedette do` (with + and commas).
import { kernel } from './emulated/kernels.mjs';
import { boot, commandLine, missing, qemuVersion } from './emulated/machine.mjs';

const env = (name) => process.env[name]?.split(',');
/** Longest time of one cell, for a machine whose processors are shared. */
const LIMIT_S = Number(process.env.VEDETTE_LIMIT_S ?? 900);
const RUNS = env('VEDETTE_RUNS') ?? ['--platform=auto', '--platform=systrap', '--platform=ptrace'];

/** What depends on the processor or on the kernel's entry and exit. */
const CORE = ['hello', 'segments', 'process', 'signals_fp', 'patched_calls', 'clocks', 'futex', 'mm_fault'];
/** What depends on the kernel as well. */
const MORE = [
  ...[
    'exec_auxv',
    'files_basic_static',
    'signals_basic',
    'signals_burst',
    'threads',
    'hostile_cpu',
    'hostile_stub',
  ],
  ...[
    'mm_map',
    'mm_files',
    'timerfd',
    'eventfd',
    'epoll',
    'pipes',
    'unix_sockets',
    'seccomp',
    'sched',
    'perms',
    'misc',
  ],
];

// QEMU before 9.1 makes the accesses of far returns as if the kernel made them: programs that try odd ones end that kernel,
// and SMAP refuses even good ones, so that it is left out everywhere.
const NEED_QEMU_9_1 = ['hostile_cpu', 'hostile_stub'];
const PLAIN = 'max,-smap,-la57,-pku';
const OLD = '6.1.';
const NEW = '';
const called = (series) => (series === OLD ? 'Linux 6.1' : 'newest Linux');

const flag = (name, there = true) => ({
  what: `${there ? '' : 'no '}${name}`,
  holds: (facts) => facts.flags.includes(name) === there,
});
const noFsgsbase = { what: 'no FSGSBASE for programs', holds: (facts) => !facts.fsgsbase };
const yama = (scope) => ({ what: `ptrace_scope ${scope}`, holds: (facts) => facts.yama === String(scope) });
const clock = (name) => ({ what: `clock source ${name}`, holds: (facts) => facts.clock === name });

const machines = [
  { name: 'Linux 6.1 (Debian 12)', series: OLD, programs: [...CORE, ...MORE] },
  { name: 'Linux 6.12 (Debian 13)', series: '6.12.', programs: [...CORE, ...MORE] },
  { name: 'the newest Linux in Debian', series: NEW, programs: [...CORE, ...MORE] },
  ...[OLD, NEW].flatMap((series) => [
    {
      name: `${called(series)} without FSGSBASE`,
      series,
      cpu: `${PLAIN},-fsgsbase`,
      wants: [flag('fsgsbase', false), noFsgsbase],
      programs: [...CORE, 'threads', 'signals_basic', 'hostile_stub'],
    },
    {
      name: `${called(series)} with FSGSBASE turned off by the kernel`,
      series,
      append: 'nofsgsbase',
      wants: [noFsgsbase],
    },
  ]),
  {
    name: 'an Intel processor of 2008: no FSGSBASE, no XSAVE, no AVX',
    series: OLD,
    cpu: 'Nehalem',
    wants: [flag('xsave', false), flag('avx', false), noFsgsbase],
  },
  {
    name: 'XSAVE turned off by the kernel',
    series: NEW,
    append: 'noxsave',
    wants: [flag('xsave', false)],
  },
  {
    name: 'XSAVE and FSGSBASE without AVX',
    series: NEW,
    cpu: `${PLAIN},-avx,-avx2`,
    wants: [flag('avx', false), flag('xsave'), flag('fsgsbase')],
  },
  {
    name: 'an Intel processor of 2015',
    series: OLD,
    cpu: 'Skylake-Client,-smap',
    wants: [flag('avx2'), flag('fsgsbase')],
  },
  {
    name: 'AVX-512',
    series: NEW,
    cpu: `${PLAIN},+avx512f,+avx512bw,+avx512dq,+avx512vl`,
    wants: [flag('avx512f')],
  },
  ...[OLD, NEW].map((series) => ({
    name: `${called(series)} with protection keys`,
    series,
    cpu: 'max,-smap,-la57,+pku',
    wants: [flag('ospke')],
  })),
  ...[OLD, NEW].map((series) => ({
    name: `${called(series)} with five levels of page tables`,
    series,
    cpu: 'max,-smap,-pku,+la57',
    wants: [flag('la57')],
    programs: [...CORE, 'mm_map', 'mm_map_static_pie'],
  })),
  ...['hpet', 'acpi_pm', 'tsc', 'jiffies', 'kvm-clock'].map((name) => ({
    name: `clock source ${name}`,
    series: name === 'hpet' ? OLD : NEW,
    cpu: `${PLAIN},+invtsc`,
    append: name === 'tsc' ? 'tsc=reliable clocksource=tsc' : `tsc=unstable clocksource=${name}`,
    wants: [clock(name)],
    programs: ['hello', 'clocks', 'clock_threads', 'timerfd', 'futex', 'poll_select'],
  })),
  ...[1, 2, 3].map((scope) => ({
    name: `kernel.yama.ptrace_scope ${scope}`,
    series: OLD,
    append: `sysctl.kernel.yama.ptrace_scope=${scope}`,
    wants: [yama(scope)],
    programs: ['hello', 'threads', 'patched_calls'],
  })),
  { name: 'one processor', series: NEW, cpus: 1, programs: [...CORE, 'threads', 'epoll', 'pipes'] },
  { name: 'four processors', series: OLD, cpus: 4, programs: [...CORE, 'threads', 'many_threads'] },
  { name: '384 MiB of memory', series: NEW, memory: 384 },
  { name: 'mitigations off', series: NEW, append: 'mitigations=off' },
  { name: 'page-table isolation on, no 32-bit programs', series: NEW, append: 'pti=on ia32_emulation=0' },
  { name: 'no vsyscall page, no vDSO', series: OLD, append: 'vsyscall=none vdso=0' },
];

/** Programs of any cell. */
const guests = new Set();

export const cells = machines.map((m) => {
  const machine = { cpu: PLAIN, wants: [], programs: CORE, ...m };
  machine.programs = env('VEDETTE_PROGRAMS') ?? machine.programs;
  for (const word of machine.programs) guests.add(word.split(':')[0]);
  return { name: machine.name, command: commandLine(machine), run: (report) => run(machine, report) };
});

const oneLine = (text) => text.trim().split('\n').slice(0, 2).join(' / ').slice(0, 300);

/** What the machine that came up has not, of what it is there for. */
const lacking = (machine, facts) =>
  machine.wants.filter((want) => !want.holds(facts)).map((want) => want.what);

/** Boots the machine and judges what its battery said; `report` hears of each step. */
async function run(machine, report = () => {}) {
  const lack = missing();
  if (lack !== null) return { result: 'not tried', detail: lack };
  let image;
  try {
    image = kernel(machine.series);
  } catch (error) {
    return { result: 'not tried', detail: error.message };
  }
  const events = [];
  const [major, minor] = qemuVersion();
  const old = major < 9 || (major === 9 && minor < 1);
  const left = machine.programs.filter((name) => old && NEED_QEMU_9_1.includes(name.split(':')[0]));
  const programs = machine.programs.filter((name) => !left.includes(name));
  const onEvent = (event) => {
    events.push(event);
    report(event);
    return event.kernel === undefined || lacking(machine, event).length === 0;
  };
  const end = await boot(
    { ...machine, programs, guests, kernel: image, runs: RUNS, limitS: LIMIT_S },
    onEvent,
  );
  return judge(machine, events, end, left);
}

/** Why the battery did not come to its end. */
function cause(end) {
  const trouble = /^.*(?:Kernel panic|BUG:|Oops|Out of memory).*$/m.exec(end.console)?.[0];
  if (end.timedOut) return `not over after ${LIMIT_S} s${trouble === undefined ? '' : `; ${trouble.trim()}`}`;
  return trouble?.trim() ?? (oneLine(end.stderr) || oneLine(end.console.slice(-300)));
}

function judge(machine, events, end, left) {
  const facts = events.find((event) => event.kernel !== undefined);
  // QEMU names on standard error what it does not emulate, and goes on without it.
  if (facts === undefined) {
    const unable = !end.timedOut && end.console === '' && end.stderr !== '';
    return { result: unable ? 'not tried' : 'FAILED', detail: `no battery: ${cause(end)}` };
  }
  const wrong = lacking(machine, facts);
  if (wrong.length > 0) {
    const said = oneLine(end.stderr);
    return {
      result: 'not tried',
      detail: `the machine came up without: ${wrong.join(', ')}${said === '' ? '' : ` (${said})`}`,
    };
  }
  const parts = [];
  const bad = [];
  let worked = 0;
  for (const run of RUNS) {
    const own = events.filter((event) => event.run === run);
    const refused = own.find((event) => event.refused !== undefined)?.refused;
    const failed = own.find((event) => event.failed !== undefined)?.failed;
    if (refused !== undefined) parts.push(`${run} refused: ${oneLine(refused)}`);
    if (failed !== undefined) bad.push(`${run}: ${oneLine(failed)}`);
    const done = own.filter((event) => event.program !== undefined);
    const right = done.filter((event) => event.text === '');
    worked += right.length;
    if (right.length > 0) parts.push(`${run}: ${right.length} programs right`);
    const again = right.filter((event) => event.first !== undefined).map((event) => event.program);
    if (again.length > 0) parts.push(`at the second try: ${again.join(', ')}`);
    const natively = done.filter((event) => event.native !== undefined).map((event) => event.program);
    if (natively.length > 0) parts.push(`fail on this machine without Vedette too: ${natively.join(', ')}`);
    for (const event of done)
      if (event.text !== undefined && event.text !== '')
        bad.push(`${run} ${event.program}: ${oneLine(event.text)}`);
  }
  if (!events.some((event) => event.end === true)) bad.push(cause(end));
  if (left.length > 0) parts.push(`left out, as QEMU is older than 9.1: ${left.join(', ')}`);
  const where = `Linux ${facts.kernel}, ${facts.clock}`;
  if (bad.length > 0) return { result: 'FAILED', detail: `${where}; ${[...bad, ...parts].join('; ')}` };
  return { result: worked > 0 ? 'works' : 'refused', detail: `${where}; ${parts.join('; ')}` };
}

/** For a person at a terminal: what happens, as it happens. */
function show(event) {
  if (event.kernel !== undefined) {
    const has = ['fsgsbase', 'xsave', 'avx', 'avx512f', 'ospke', 'la57'].filter((f) =>
      event.flags.includes(f),
    );
    console.log(
      `  Linux ${event.kernel}, ${event.model}, ${event.cpus} cpus, ${event.memoryKiB >> 10} MiB, ${event.clock}`,
    );
    console.log(`  has ${has.join(' ')}; programs may ${event.fsgsbase ? '' : 'not '}use FSGSBASE`);
    for (const line of event.doctor.split('\n'))
      if (/^(systrap|ptrace|clock)/.test(line)) console.log(`  ${line}`);
  } else if (event.program !== undefined) {
    const said = event.native !== undefined ? 'native' : event.text === '' ? 'PASS' : 'FAIL';
    const twice = event.first === undefined ? '' : ' (second try)';
    console.log(
      `  ${said.padEnd(6)} ${event.run} ${event.program} ${(event.ms / 1000).toFixed(1)} s${twice}`,
    );
    for (const text of [event.first, event.native ?? event.text])
      if (text) console.log(text.replaceAll(/^/gm, '    '));
  } else if (event.end !== true) {
    console.log(`  ${event.run ?? ''} ${event.refused ?? event.failed ?? event.noise}`);
  }
}

if (process.argv[1] === import.meta.filename) {
  const args = process.argv.slice(2);
  const names = args.filter((arg) => !arg.startsWith('--'));
  const unknown = args.find((arg) => arg.startsWith('--') && arg !== '--list');
  const chosen = cells.filter((cell) => names.length === 0 || names.some((name) => cell.name.includes(name)));
  if (unknown !== undefined || chosen.length === 0) {
    console.error(
      unknown !== undefined ? `unknown option ${unknown}` : `no cell is called ${names.join(' or ')}`,
    );
    process.exit(2);
  }
  let failed = 0;
  for (const cell of chosen) {
    console.log(args.includes('--list') ? cell.name : `${cell.name}\n  ${cell.command}`);
    if (args.includes('--list')) continue;
    const start = Date.now();
    const outcome = await cell.run(show);
    if (outcome.result === 'FAILED') failed++;
    const seconds = Math.round((Date.now() - start) / 1000);
    console.log(`  ${outcome.result} (${seconds} s): ${outcome.detail}\n`);
  }
  process.exit(failed > 0 ? 1 : 0);
}
