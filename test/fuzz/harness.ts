// Compiles the programs of this folder and runs them in a sandbox of a given size, measuring the Sentry's memory.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { compileC, type RunResult, repoDir, runNative, vedette } from '../harness/guest.ts';

/** Flags for programs that do what compilers warn of. */
export const HOSTILE: readonly string[] = ['-O1', '-w', '-pthread', '-lrt'];
const BUG = /bug in the kernel|FATAL ERROR|heap out of memory/;

/** A program of this folder. */
export function compileFuzz(name: string): Promise<string> {
  return compileC(join(repoDir, 'test/fuzz', `${name}.c`), HOSTILE);
}

export interface Measured extends RunResult {
  /** Peak resident memory of the Sentry, guest memory that it touched included. */
  peakMiB: number;
}

/** Runs a command inside; fails when the Sentry does not survive it. `bombs` is that program, which measures. */
export async function survive(
  bombs: string,
  flags: readonly string[],
  argv: readonly string[],
  timeoutMs: number,
  env: Record<string, string> = {},
): Promise<Measured> {
  const r = await runNative([bombs, '--measure', ...vedette, ...flags, '--', ...argv], { timeoutMs, env });
  const tail = `${r.stdout.slice(-500)}\n${r.stderr.slice(-3000)}`;
  assert.ok(!r.timedOut, `hangs: stopped after ${timeoutMs} ms\n${tail}`);
  assert.doesNotMatch(r.stderr, BUG, tail);
  const peak = /maxrss (\d+)/.exec(r.stderr);
  assert.ok(peak !== null, tail);
  return { ...r, peakMiB: Number(peak[1]) / 1024 };
}
