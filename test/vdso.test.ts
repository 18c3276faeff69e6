// Programs of every kind find our VDSO: their clock readings make no system call. Natively that needs no test.
// suite: 25 s
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { clockWayLack, platformNames } from './harness/clocks.ts';
import { compileGuest, repoDir, runInside } from './harness/guest.ts';
import { needs } from './harness/needs.ts';

const READINGS = `
#include <sched.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>
int main(void) {
  struct timespec t;
  struct timeval v;
  unsigned long sum = 0;
  static const clockid_t clocks[] = {CLOCK_REALTIME,        CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE,
                                     CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME};
  for (int i = 0; i < 1000; i++) {
    for (unsigned k = 0; k < sizeof clocks / sizeof *clocks; k++) {
      if (clock_gettime(clocks[k], &t) != 0) return 1;
      sum += t.tv_nsec;
    }
    gettimeofday(&v, 0);
    sum += v.tv_usec + time(0);
    clock_getres(CLOCK_MONOTONIC, &t);
    sum += sched_getcpu() + t.tv_nsec;
  }
  printf("%d\\n", sum != 0);
  return 0;
}`;

/** What the program reads by clock_gettime(2). */
const EACH_ITS_CALL = 6000;

/** Calls that a program with a VDSO has no need to make. */
const CALLS =
  /^(?:\[[^\]]*\] *|\d+ +)?(?:[\d:.]+ +)?(clock_gettime|gettimeofday|time|getcpu|clock_getres)\(/gm;

describe('programs read clocks in user space', needs('inside'), () => {
  let dir = '';
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'vedette-vdso-'));
    writeFileSync(join(dir, 'readings.c'), READINGS);
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  /** Runs a command under --strace; the clock calls in the trace, by name. */
  async function clockCalls(argv: string[], flags: readonly string[]): Promise<Record<string, number>> {
    const trace = join(dir, 'trace');
    const r = await runInside(argv, { timeoutMs: 60_000, flags: [`--strace=${trace}`, ...flags] });
    assert.equal(r.status, 0, r.stderr);
    const text = readFileSync(trace, 'latin1');
    assert.match(text, /execve|exit_group/);
    const counts: Record<string, number> = {};
    for (const [, name] of text.matchAll(CALLS)) counts[name!] = (counts[name!] ?? 0) + 1;
    return counts;
  }

  const compilers: readonly (readonly [string, readonly [string, ...string[]]])[] = [
    ['glibc', ['cc', '-O1']],
    ['glibc, static', ['cc', '-O1', '-static']],
    ['musl', ['musl-gcc', '-O1']],
    ['musl, static', ['musl-gcc', '-O1', '-static']],
  ];
  /** The program, compiled once. */
  function readings(name: string, [compiler, ...flags]: readonly string[]): string {
    const program = join(dir, name.replace(/\W+/g, '-'));
    if (existsSync(program)) return program;
    const cc = spawnSync(compiler!, [...flags, '-o', program, join(dir, 'readings.c')], { encoding: 'utf8' });
    assert.equal(cc.status, 0, cc.stderr);
    return program;
  }

  for (const platform of platformNames) {
    for (const way of ['tsc', 'vdso'] as const) {
      const flags = [`--platform=${platform}`, `--clock=${way}`];
      const lack = clockWayLack(way);
      const title = (name: string) => `${name} (${way}, ${platform})`;
      for (const [name, compile] of compilers) {
        test(title(name), { skip: lack || needs(compile[0]!).skip }, async () => {
          const calls = await clockCalls([readings(name, compile)], flags);
          // musl asks the VDSO for clock_gettime alone; everything else but getcpu and getres goes through that.
          if (name.startsWith('musl')) {
            delete calls.getcpu;
            delete calls.clock_getres;
          }
          // glibc asks the kernel for resolutions in static programs.
          if (name === 'glibc, static') delete calls.clock_getres;
          assert.deepEqual(calls, {});
        });
      }

      const go = join(repoDir, 'node_modules/@esbuild/linux-x64/bin/esbuild');
      test(title('Go'), { skip: lack || needs(go).skip }, async () => {
        writeFileSync(join(dir, 'in.js'), 'export const a = 1;\n');
        const argv = [go, '--bundle', '--format=esm', join(dir, 'in.js')];
        assert.deepEqual(await clockCalls(argv, flags), {});
      });

      test(title('Node.js'), { skip: lack }, async () => {
        const script =
          'let n = 0; for (let i = 0; i < 5000; i++) n += Date.now() + performance.now(); console.log(n > 0)';
        const calls = await clockCalls([process.execPath, '-e', script], flags);
        // libuv reads CPU clocks, which every kernel serves itself.
        assert.ok((calls.clock_gettime ?? 0) < 50, JSON.stringify(calls));
        delete calls.clock_gettime;
        assert.deepEqual(calls, {});
      });
    }

    test(`with a call for each reading (${platform})`, async () => {
      const [name, compile] = compilers[0]!;
      const calls = await clockCalls([readings(name, compile)], [`--platform=${platform}`, '--clock=call']);
      assert.equal(calls.clock_gettime, EACH_ITS_CALL);
      assert.equal(calls.gettimeofday, 1000);
      assert.equal(calls.time, 1000);
      assert.equal(calls.getcpu, 1000);
    });
  }

  test('clocks never go back across threads, for a minute', needs('gcc', 'long'), async () => {
    const r = await runInside([await compileGuest('clock_threads')], {
      timeoutMs: 180_000,
      env: { VEDETTE_SECONDS: '60' },
    });
    assert.equal(r.status, 0, r.stdout + r.stderr);
  });
});
