// Runs inside the emulated machine: every guest program natively and inside Vedette, which must print the same. What came of
// it goes to standard output, a JSON object a line; the first line says what the machine is. The kernel's command line
// says what to run: vedette.programs=NAME,... and vedette.runs=FLAG+FLAG,FLAG+... (flags of `vedette do`).
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { difference, runInside, runNative } from './test/harness/guest.js';

const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);
const read = (path) => (existsSync(path) ? readFileSync(path, 'utf8').trim() : '');
const words = (name) =>
  new RegExp(`vedette\\.${name}=(\\S+)`).exec(read('/proc/cmdline'))?.[1]?.split(',') ?? [];
const cut = (text) => (text.length > 1500 ? `${text.slice(0, 1500)}...` : text);

/** The auxiliary vector tells what the kernel lets programs use, whatever the processor has. */
function hwcap2() {
  const auxv = readFileSync('/proc/self/auxv');
  for (let at = 0; at + 16 <= auxv.length; at += 16)
    if (auxv.readUInt32LE(at) === 26) return auxv.readUInt32LE(at + 8);
  return 0;
}

const vedette = '/opt/vedette/vedette.cjs';
const doctor = await runNative([process.execPath, vedette, 'doctor'], { timeoutMs: 90_000 });
say({
  kernel: /\d\S*/.exec(read('/proc/version'))[0],
  model: /^model name\s*: (.*)$/m.exec(read('/proc/cpuinfo'))?.[1],
  flags: /^flags\s*: (.*)$/m.exec(read('/proc/cpuinfo'))[1].split(' '),
  cpus: read('/proc/cpuinfo').match(/^processor/gm).length,
  memoryKiB: Number(/MemTotal:\s+(\d+)/.exec(read('/proc/meminfo'))[1]),
  fsgsbase: (hwcap2() & 2) !== 0,
  yama: read('/proc/sys/kernel/yama/ptrace_scope'),
  clock: read('/sys/devices/system/clocksource/clocksource0/current_clocksource'),
  doctor: doctor.stdout,
});

/** A try of one program in one way; { text } is empty when all is right, { native } says that Linux itself failed. */
async function attempt(argv, flags) {
  const native = await runNative(argv, { timeoutMs: 180_000 });
  if (native.status !== 0) return { native: `status ${native.status}: ${native.stdout}${native.stderr}` };
  const inside = await runInside(argv, { timeoutMs: 240_000, flags });
  return { text: difference(native, inside) };
}

for (const run of words('runs')) {
  const flags = run.split('+').filter((flag) => flag !== '');
  // A platform that cannot work here says so before anything else runs.
  const probe = await runInside(['/bin/true'], { timeoutMs: 90_000, flags });
  if (probe.status !== 0 || probe.stderr !== '') {
    const refused = probe.status === 125 && /^vedette: .*\n$/.test(probe.stderr);
    say({ run, [refused ? 'refused' : 'failed']: cut(`${probe.stderr}` || `status ${probe.status}`) });
    continue;
  }
  const programs = words('programs');
  // Which platform is chosen is all that this adds to the others' runs.
  for (const word of run === '--platform=auto' ? programs.slice(0, 1) : programs) {
    const [program, ...subtests] = word.split(':');
    const argv = [join('/guests', program), ...subtests];
    const start = Date.now();
    let r = await attempt(argv, flags);
    const first = r;
    // Time runs unevenly under emulation: what fails once and then passes is told, and is no failure.
    if (r.native !== undefined || r.text !== '') r = await attempt(argv, flags);
    say({
      run,
      program,
      ms: Date.now() - start,
      ...(r.native !== undefined ? { native: cut(r.native) } : { text: cut(r.text) }),
      ...(r !== first ? { first: cut(first.native ?? first.text) } : {}),
    });
  }
}
say({ end: true });
