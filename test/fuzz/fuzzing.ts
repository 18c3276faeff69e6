// One run of the system-call fuzzer: shared by the short test and the long one.
import assert from 'node:assert/strict';
import { survive } from './harness.ts';

const FLAGS = ['--memory', '512m', '--user', '0'];
/** Rounds of one sandbox: a new one starts with what earlier rounds did to the file system undone. */
const ROUNDS = 40;
const MAX_PEAK_MIB = 1024;

/** The seed of this run: VEDETTE_FUZZ_SEED, or one made of the time. */
export function firstSeed(): number {
  const wanted = process.env.VEDETTE_FUZZ_SEED;
  return wanted === undefined ? Math.floor(Date.now() / 1000) * 1000 : Number(wanted);
}

/** Fuzzes for about `ms`; a failure names the seed with which `syscalls -v 0 SEED CALLS MODE` repeats the round. */
export async function fuzz(
  bombs: string,
  syscalls: string,
  seed: number,
  ms: number,
  calls: number,
): Promise<string> {
  const end = Date.now() + ms;
  const lines: string[] = [];
  for (let at = seed; Date.now() < end; at += ROUNDS) {
    const left = Math.max(1000, end - Date.now());
    const argv = [syscalls, String(at), String(ROUNDS), String(calls)];
    const r = await survive(bombs, FLAGS, argv, left + 60_000, { FUZZ_MS: String(left) });
    assert.equal(r.status, 0, `VEDETTE_FUZZ_SEED=${at}: status ${r.status}\n${r.stdout}${r.stderr}`);
    assert.ok(r.peakMiB < MAX_PEAK_MIB, `VEDETTE_FUZZ_SEED=${at}: the Sentry took ${r.peakMiB} MiB`);
    lines.push(`seed ${at}: ${r.stdout.trim().split('\n').at(-1)}, ${Math.round(r.peakMiB)} MiB`);
  }
  return lines.join('\n');
}
