// `vedette doctor`: what this host offers, with a fix beside each lack. Features that may hang are tried in a child that
// is killed after a time limit.

import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { availableParallelism, release, totalmem } from 'node:os';
import { errnoName } from '../abi/errno.ts';

/** A self-test that takes this long hangs. Where starting Node.js itself took long, as on an emulated processor, it may. */
let limitMs = 5000;

const NO_START =
  'Node.js cannot start a second time; fix: more processes or more memory for this user (`ulimit -u`, `ulimit -v`)';

/** ok: it works. optional: nobody needs it. degraded: programs are slower, or less shut off, without it. missing: they cannot run. */
type State = 'ok' | 'optional' | 'degraded' | 'missing';

interface Finding {
  readonly name: string;
  readonly state: State;
  readonly detail: string;
  /** What to do about it; empty when nothing needs to be done. */
  readonly fix: string;
}

interface Check {
  readonly name: string;
  run(): Promise<Omit<Finding, 'name'>> | Omit<Finding, 'name'>;
}

function ok(detail: string): Omit<Finding, 'name'> {
  return { state: 'ok', detail, fix: '' };
}

/** What is wrong; the text may bring its own fix, after "; fix: ". */
function lack(state: State, text: string, otherwise: string): Omit<Finding, 'name'> {
  const [detail, fix] = text.split('; fix: ');
  return { state, detail: detail!, fix: fix ?? otherwise };
}

/** Runs one self-test in a child: what it printed, and whether it succeeded; `hung` when it had to be killed. */
function selfTest(test: string): Promise<{ passed: boolean; hung: boolean; text: string }> {
  return new Promise((done) => {
    const child = spawn(process.execPath, [process.argv[1]!, 'self-test', test], {
      // No /dev/null, which a chroot may lack.
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    child.stdin.on('error', () => {});
    child.stdin.end();
    let text = '';
    let finished = false;
    const finish = (passed: boolean, hung: boolean): void => {
      if (finished) return;
      finished = true;
      clearTimeout(timer);
      // A child that not even SIGKILL ends (a hung ioctl) must not keep us.
      child.stdout.destroy();
      child.stderr.destroy();
      child.unref();
      done({ passed, hung, text: text.trim().split('\n')[0] ?? '' });
    };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      finish(false, true);
    }, limitMs);
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.on('error', (error) => {
      text = error.message;
      finish(false, false);
    });
    child.on('close', (code, signal) => {
      // Node.js ends itself so when it gets no memory or no threads; the test had not begun.
      if (signal === 'SIGABRT' || signal === 'SIGTRAP') text = NO_START;
      finish(code === 0, false);
    });
  });
}

function readSetting(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return null;
  }
}

/** The fast platform works: programs can run without ptrace. */
let systrapWorks = false;

async function checkSystrap(): Promise<Omit<Finding, 'name'>> {
  const r = await selfTest('systrap');
  systrapWorks = r.passed;
  if (r.passed) return ok(r.text);
  return lack(
    'degraded',
    r.hung ? 'the self-test hangs' : r.text,
    'programs run on ptrace, many times slower; a kernel of 5.9 or newer, and a container whose seccomp profile allows seccomp(2)',
  );
}

async function checkPtrace(): Promise<Omit<Finding, 'name'>> {
  const r = await selfTest('ptrace');
  if (r.passed) return ok(r.text);
  const state = systrapWorks ? 'optional' : 'missing';
  return lack(state, r.hung ? 'the self-test hangs' : r.text, 'a host whose ptrace works');
}

async function checkClock(): Promise<Omit<Finding, 'name'>> {
  const r = await selfTest('clock');
  if (r.passed) return ok(r.text);
  return lack(
    'degraded',
    r.hung ? 'the self-test hangs' : r.text,
    "programs run, and read clocks slowly; a host or VM whose clock source is tsc, kvm-clock or Hyper-V's TSC page",
  );
}

async function checkSeccomp(): Promise<Omit<Finding, 'name'>> {
  const r = await selfTest('seccomp');
  if (r.passed) return ok(r.text);
  return lack('degraded', r.text, 'a kernel of 5.0 or newer with CONFIG_SECCOMP_FILTER');
}

/** What the kernel process gives up before programs run. A sandbox does without what the host refuses, and says so in its debug log. */
async function checkLandlock(): Promise<Omit<Finding, 'name'>> {
  const r = await selfTest('landlock');
  if (r.passed) return ok(r.text);
  return lack(
    'degraded',
    r.hung ? 'the self-test hangs' : r.text,
    'a kernel of 5.13 or newer with landlock in lsm=; in a container, a seccomp profile that allows landlock_restrict_self',
  );
}

async function checkCapabilities(): Promise<Omit<Finding, 'name'>> {
  const r = await selfTest('capabilities');
  if (r.passed) return ok(r.text);
  return lack(
    'degraded',
    r.hung ? 'the self-test hangs' : r.text,
    'a user other than root, or a mounted /proc',
  );
}

async function checkUserns(): Promise<Omit<Finding, 'name'>> {
  const r = await selfTest('userns');
  if (r.passed) return ok(r.text);
  let fix =
    'a kernel with CONFIG_USER_NS; in a container, a seccomp profile that allows unshare; not in a chroot';
  if (readSetting('/proc/sys/user/max_user_namespaces') === '0')
    fix = 'sysctl user.max_user_namespaces=15000';
  else if (readSetting('/proc/sys/kernel/unprivileged_userns_clone') === '0')
    fix = 'sysctl kernel.unprivileged_userns_clone=1';
  else if (readSetting('/proc/sys/kernel/apparmor_restrict_unprivileged_userns') === '1')
    fix = 'sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for node';
  return lack('degraded', r.text, fix);
}

async function checkKvm(): Promise<Omit<Finding, 'name'>> {
  if (!existsSync('/dev/kvm')) {
    const fix =
      'not needed; to have it: turn on virtualisation in the firmware, or nested virtualisation in a VM';
    return { state: 'optional', detail: 'no /dev/kvm', fix };
  }
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch {
    return { state: 'optional', detail: '/dev/kvm cannot be opened', fix: 'add yourself to the group kvm' };
  }
  const r = await selfTest('kvm');
  if (r.passed) return ok(r.text);
  const detail = r.hung ? 'a virtual machine hangs' : r.text;
  return {
    state: 'optional',
    detail,
    fix: 'not needed; this hypervisor does not offer nested virtualisation that works',
  };
}

const CHECKS: readonly Check[] = [
  {
    name: 'node',
    run: () =>
      Number(process.versions.node.split('.')[0]) >= 20
        ? ok(process.version)
        : { state: 'missing', detail: process.version, fix: 'install Node.js 20 or newer' },
  },
  {
    name: 'machine',
    run: () =>
      process.platform === 'linux' && process.arch === 'x64'
        ? ok(`Linux ${release()}, ${availableParallelism()} cpus, ${Math.round(totalmem() / 2 ** 20)} MiB`)
        : {
            state: 'missing',
            detail: `${process.platform} on ${process.arch}`,
            fix: 'a Linux machine or VM with an x86-64 processor',
          },
  },
  {
    name: 'limits',
    run: async () => {
      const { limitTooSmall } = await import('../runtime/host_limits.ts');
      const small = limitTooSmall();
      return small === null ? ok('what a user may have is enough') : lack('missing', small, '');
    },
  },
  {
    name: 'memfd',
    run: async () => {
      try {
        const { MemoryFile } = await import('../sentry/memfile/memfile.ts');
        const m = MemoryFile.create(16 << 20);
        const r = typeof m === 'number' ? m : m.alloc(1);
        if (r < 0) throw new Error(`no memory: ${errnoName(-r)}`);
        return ok('guest memory can be made and mapped');
      } catch (error) {
        return {
          state: 'missing',
          detail: (error as Error).message,
          fix: 'install the package again, with its optional dependencies; a kernel of 3.17 or newer',
        };
      }
    },
  },
  { name: 'systrap', run: checkSystrap },
  { name: 'ptrace', run: checkPtrace },
  { name: 'clock', run: checkClock },
  { name: 'seccomp', run: checkSeccomp },
  { name: 'landlock', run: checkLandlock },
  { name: 'capabilities', run: checkCapabilities },
  { name: 'userns', run: checkUserns },
  { name: 'kvm', run: checkKvm },
];

const MARKS: Readonly<Record<State, readonly [string, string]>> = {
  ok: ['ok', '32'],
  missing: ['MISSING', '31'],
  degraded: ['NO', '33'],
  optional: ['no', '2'],
};

const NAME_WIDTH = 14;
const MARK_WIDTH = 8;

function render(f: Finding, color: boolean): string {
  const [mark, code] = MARKS[f.state];
  const padded = mark.padEnd(MARK_WIDTH);
  const shown = color ? `\x1b[${code}m${padded}\x1b[0m` : padded;
  const fix = f.fix === '' ? '' : `\n${' '.repeat(NAME_WIDTH + MARK_WIDTH)}fix: ${f.fix}`;
  return `${f.name.padEnd(NAME_WIDTH)}${shown}${f.detail}${fix}`;
}

/** Prints the findings; the exit status: 0 all that matters is there, 1 something is degraded, 2 programs cannot run. */
export async function runDoctor(json: boolean): Promise<number> {
  limitMs = Math.max(limitMs, 20 * performance.now());
  const terminal = process.stdout.isTTY === true;
  const color = terminal && (process.env.NO_COLOR ?? '') === '';
  const findings: Finding[] = [];
  for (const check of CHECKS) {
    if (!json && terminal) process.stdout.write(`${check.name.padEnd(NAME_WIDTH)}...`);
    const finding: Finding = { name: check.name, ...(await check.run()) };
    findings.push(finding);
    if (json) continue;
    if (terminal) process.stdout.write('\r\x1b[K');
    console.log(render(finding, color));
  }
  const has = (state: State) => findings.some((f) => f.state === state);
  const works = !has('missing');
  const degraded = has('degraded') ? ', slower or less shut off than they could be' : '';
  if (json) console.log(JSON.stringify({ works, degraded: degraded !== '', findings }, null, 2));
  else
    console.log(
      works ? `\nPrograms can run${degraded}: vedette do -- uname -a` : '\nPrograms cannot run here yet.',
    );
  return works ? (degraded === '' ? 0 : 1) : 2;
}
