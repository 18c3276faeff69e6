// Compiles the programs of this folder and runs them in a sandbox of a given size, measuring the Sentry's memory.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunResult, repoDir, runNative, vedette } from '../harness/guest.ts';

const BUG = /bug in the kernel|FATAL ERROR|heap out of memory/;

export class Fuzz {
  private readonly dir = mkdtempSync(join(tmpdir(), 'vedette-fuzz-'));

  async compile(name: string): Promise<string> {
    const binary = join(this.dir, name);
    const source = join(repoDir, 'test/fuzz', `${name}.c`);
    const made = await runNative(['gcc', '-O1', '-w', '-pthread', source, '-o', binary, '-lrt'], {
      timeoutMs: 120_000,
    });
    assert.equal(made.status, 0, made.stderr);
    return binary;
  }

  close(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
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
