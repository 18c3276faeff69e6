// Each way of reading clocks on each platform: right, never back, and without a wake-up while the sandbox sleeps.
// suite: 35 s
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { HOST_VDSO_ADDR } from '../src/sentry/platform/stub/host_vdso.ts';
import { clockWayLack, clockWays, platformNames } from './harness/clocks.ts';
import { compileGuest, difference, type RunResult, runInside, runNative, vedette } from './harness/guest.ts';
import { needs } from './harness/needs.ts';

// Calls clock_gettime(2) by the instruction that a vDSO has for clocks that it cannot read in user space, and takes the
// thread back by its trap flag. argv: the address of the vDSO in hex; how often. Prints the result, what was read, and
// the clock as the program has it, in ns.
const CALLS_OF_A_VDSO = `
#define _GNU_SOURCE
#include <elf.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>

static sigjmp_buf after;
static volatile unsigned long call_at;
static volatile long result;
static struct timespec got;

static void on_step(int sig, siginfo_t *info, void *context) {
  greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
  // The step after the call may include the next instruction.
  if (r[REG_RIP] > (greg_t)call_at && r[REG_RIP] < (greg_t)call_at + 16) {
    result = r[REG_RAX];
    siglongjmp(after, 1);
  }
}

static long ns_of(struct timespec t) { return t.tv_sec * 1000000000L + t.tv_nsec; }

int main(int argc, char **argv) {
  unsigned char *image = (void *)strtoul(argv[1], 0, 16);
  int times = atoi(argv[2]);
  if (memcmp(image, ELFMAG, SELFMAG) != 0) return 2;
  // mov $SYS_clock_gettime, %eax; and soon: syscall
  static const unsigned char number[] = {0xb8, SYS_clock_gettime, 0, 0, 0};
  for (unsigned i = 0; i < 0x1000 && !call_at; i++)
    for (unsigned k = 5; k < 16 && memcmp(image + i, number, sizeof number) == 0; k++)
      if (image[i + k] == 0x0f && image[i + k + 1] == 0x05) call_at = (unsigned long)image + i + k;
  if (!call_at) return 3;
  static char stack[65536];
  sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, 0);
  struct sigaction sa = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
  sigaction(SIGTRAP, &sa, 0);
  struct timespec before, now;
  clock_gettime(CLOCK_MONOTONIC, &before);
  for (int i = 0; i < times; i++) {
    if (sigsetjmp(after, 1) == 0)
      __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq; jmp *%%rcx"
                       :
                       : "a"(SYS_clock_gettime), "D"(CLOCK_MONOTONIC), "S"(&got), "c"(call_at)
                       : "memory");
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (ns_of(now) < ns_of(before)) return 4;
    before = now;
    printf("%ld %ld %ld\\n", result, ns_of(got), ns_of(now));
  }
  return 0;
}`;

// Computes for argv[1] ms by its own clock, without a system call. Then the date, of which the host has the last word:
// how far a system call between two readings is from the first, and how far they are apart, in ns.
const COMPUTES = `
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
static struct timespec t;
static long ns(void) { return t.tv_sec * 1000000000L + t.tv_nsec; }
static long ns_of(clockid_t clock) {
  clock_gettime(clock, &t);
  return ns();
}
int main(int argc, char **argv) {
  puts("begin");
  fflush(stdout);
  long start = ns_of(CLOCK_MONOTONIC), span = atol(argv[1]) * 1000000;
  while (ns_of(CLOCK_MONOTONIC) - start < span);
  long first, called, second;
  do {
    first = ns_of(CLOCK_REALTIME);
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &t);
    called = ns();
    second = ns_of(CLOCK_REALTIME);
  } while (second - first > 1000000);
  printf("%ld %ld\\n", called - first, second - first);
  return 0;
}`;

function timeNamespaces(): boolean {
  return spawnSync('unshare', ['-T', '--monotonic', '100000', 'true']).status === 0;
}

/** Of clocks.c, what depends on how clocks are read. */
const READINGS = [
  'clocks_advance',
  'system_call_and_vdso_agree',
  'resolutions_and_errors',
  'sleeping',
  'absolute_timer',
];

describe('ways of reading clocks', { ...needs('inside'), concurrency: 2 }, () => {
  let dir = '';
  const children = new Set<ChildProcess>();
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'vedette-clocks-'));
    for (const [name, source] of [
      ['calls', CALLS_OF_A_VDSO],
      ['computes', COMPUTES],
    ] as const) {
      writeFileSync(join(dir, `${name}.c`), source);
      const cc = spawnSync('cc', ['-O1', '-o', join(dir, name), join(dir, `${name}.c`)], {
        encoding: 'utf8',
      });
      assert.equal(cc.status, 0, cc.stderr);
    }
  });
  after(() => {
    for (const child of children) child.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  });

  /** Starts a sandbox whose main thread can be watched; `first` is over when it has printed something. */
  function start(flags: string[], argv: string[]) {
    const child = spawn(vedette[0]!, [...vedette.slice(1), ...flags, '--', ...argv], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.add(child);
    let text = '';
    const first = new Promise<void>((begun) => {
      child.stdout!.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        begun();
      });
    });
    const end = new Promise<{ status: number | null; stdout: string }>((done) => {
      child.on('close', (status) => {
        children.delete(child);
        done({ status, stdout: text });
      });
    });
    return { pid: child.pid!, first, end };
  }

  /** How often the Sentry's main thread has gone to sleep. */
  function sleeps(pid: number): number {
    const status = readFileSync(`/proc/${pid}/task/${pid}/status`, 'latin1');
    return Number(/^voluntary_ctxt_switches:\s*(\d+)/m.exec(status)![1]);
  }

  /** What each program does natively, which is the same for all ways. */
  const natively: Record<string, Promise<RunResult>> = {};
  for (const way of clockWays) {
    for (const platform of platformNames) {
      const flags = [`--clock=${way}`, `--platform=${platform}`];
      const skip = clockWayLack(way);

      test(`${way}, ${platform}: clocks as natively, and never back`, { skip }, async () => {
        for (const [program, ...subtests] of [['clocks', ...READINGS], ['clock_threads']]) {
          const argv = [await compileGuest(program!), ...subtests];
          natively[program!] ??= runNative(argv);
          const native = await natively[program!]!;
          assert.equal(native.status, 0, native.stdout);
          const text = difference(native, await runInside(argv, { timeoutMs: 120_000, flags }));
          assert.equal(text, '');
        }
      });
    }
  }

  // These wait most of their time: all at once.
  describe('while a sandbox sleeps', { concurrency: true }, () => {
    for (const way of clockWays) {
      for (const platform of platformNames) {
        test(`${way}, ${platform}: it does not wake up`, { skip: clockWayLack(way) }, async () => {
          const flags = [`--clock=${way}`, `--platform=${platform}`];
          const { pid, first, end } = start(flags, ['sh', '-c', 'echo up; exec sleep 12']);
          await first;
          // Within a second the kernel sees that nobody runs.
          await pause(5000);
          const before = sleeps(pid);
          await pause(5000);
          assert.equal(sleeps(pid), before);
          assert.equal((await end).status, 0);
        });
      }
    }
  });

  for (const platform of platformNames) {
    test(`vdso, ${platform}: in a time namespace of the host's`, {
      skip: clockWayLack('vdso') || (timeNamespaces() ? false : 'no time namespace can be made'),
    }, async () => {
      const inside = [
        ...vedette,
        `--platform=${platform}`,
        '--clock=vdso',
        '--',
        await compileGuest('clock_threads'),
      ];
      const r = await runNative(['unshare', '-T', '--monotonic', '100000', ...inside], {
        timeoutMs: 120_000,
      });
      assert.equal(r.status, 0, r.stdout + r.stderr);
    });

    test(`tsc, ${platform}: who computes keeps a clock that follows the host's`, {
      skip: clockWayLack('tsc'),
    }, async () => {
      const { pid, first, end } = start(
        ['--clock=tsc', `--platform=${platform}`],
        [join(dir, 'computes'), '5000'],
      );
      await first;
      const before = sleeps(pid);
      await pause(4500);
      // The guest makes no call, so what wakes the kernel is its own need to look at the clock.
      assert.ok(sleeps(pid) - before >= 3, `${sleeps(pid) - before} wake-ups`);
      const { status, stdout } = await end;
      assert.equal(status, 0);
      const [, called, apart] = /begin\n(-?\d+) (-?\d+)\n/.exec(stdout)!.map(Number);
      assert.ok(called! > -200_000 && called! < apart! + 200_000, `${called} of ${apart} ns`);
    });

    test(`vdso, ${platform}: when the host's code makes calls, the time is right, and soon they are ours`, {
      skip: clockWayLack('vdso'),
    }, async (t) => {
      const log = join(dir, `log-${platform}`);
      const flags = ['--clock=vdso', `--platform=${platform}`, '--debug-log', log];
      const before = Number(process.hrtime.bigint());
      const r = await runInside([join(dir, 'calls'), HOST_VDSO_ADDR.toString(16), '40'], { flags });
      const end = Number(process.hrtime.bigint());
      if (r.status === 3) {
        t.skip("the host's vDSO has no such instruction");
        return;
      }
      assert.equal(r.status, 0, r.stderr);
      const lines = r.stdout.trim().split('\n');
      assert.equal(lines.length, 40);
      for (const line of lines) {
        const [result, got, ours] = line.split(' ').map(Number);
        assert.equal(result, 0);
        // There the host's own clock, everywhere else ours, which began a minute before the sandbox did.
        assert.ok(got! >= before && got! <= end, line);
        assert.ok(ours! >= 60e9 && ours! <= 60e9 + (end - before), line);
      }
      const logged = spawnSync('sh', ['-c', `cat ${log}/*`], { encoding: 'utf8' }).stdout;
      assert.match(logged, /clocks: vdso -> call/);
    });
  }
});
