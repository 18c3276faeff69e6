// One run of stale.c on one platform: shared by the short test and the long one.
import assert from 'node:assert/strict';
import { survive } from './harness.ts';

/** So little memory that caches have to shrink; the processes are of other users by themselves. */
const FLAGS = ['--memory', '96m', '--user', '0'];
const MAX_PEAK_MIB = 700;

/** The platforms that this host may have: how each is asked for. */
export const PLATFORMS: readonly { readonly name: string; readonly flags: readonly string[] }[] = [
  { name: 'ptrace', flags: ['--platform=ptrace'] },
  { name: 'systrap', flags: ['--platform=systrap'] },
  { name: 'systrap without FSGSBASE', flags: ['--platform=systrap', '--fsgsbase=off'] },
];

/** Looks for stale frames for `ms`; fails with the platform, the seed, and what a process saw. */
export async function lookForStale(
  bombs: string,
  stale: string,
  flags: readonly string[],
  seed: number,
  ms: number,
): Promise<string> {
  const r = await survive(bombs, [...flags, ...FLAGS], [stale, String(seed), String(ms)], ms + 90_000);
  const repeat = `VEDETTE_FUZZ_SEED=${seed}, ${flags.join(' ')}`;
  assert.equal(r.status, 0, `${repeat}: status ${r.status}\n${r.stdout}${r.stderr}`);
  assert.doesNotMatch(r.stdout, /STALE/, repeat);
  // A run in which nothing was tried shows nothing.
  const done = /^(\d+) rounds, .* (\d+) traps, (\d+) forks, (\d+) programs, (\d+) workers$/m.exec(r.stdout);
  assert.ok(
    done?.slice(1).every((n) => Number(n) > 0),
    `${repeat}: ${r.stdout}`,
  );
  assert.ok(r.peakMiB < MAX_PEAK_MIB, `${repeat}: the Sentry took ${Math.round(r.peakMiB)} MiB`);
  return `seed ${seed}: ${r.stdout.trim().split('\n').at(-1)}, ${Math.round(r.peakMiB)} MiB`;
}
