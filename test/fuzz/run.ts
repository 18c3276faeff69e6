// Builds a program of test/fuzz and runs it inside: these programs attack whatever kernel they run on, so there is no
// native run.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunResult, repoDir, runInside } from '../harness/guest.ts';

export async function fuzz(
  program: string,
  args: string[],
  env: Record<string, string>,
  timeoutMs: number,
): Promise<RunResult> {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-fuzz-'));
  try {
    const binary = join(dir, program);
    const source = join(repoDir, 'test/fuzz', `${program}.c`);
    const cc = spawnSync('cc', ['-O1', '-pthread', '-o', binary, source], { encoding: 'utf8' });
    if (cc.status !== 0) throw new Error(cc.stderr);
    return await runInside([binary, ...args], { env, timeoutMs });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
