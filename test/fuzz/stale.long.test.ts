// The same as stale.test.ts for long: VEDETTE_FUZZ_MINUTES on each platform, all of them at once, 10 unless told.
import { before, describe, test } from 'node:test';
import { needs } from '../harness/needs.ts';
import { firstSeed } from './fuzzing.ts';
import { compileFuzz } from './harness.ts';
import { lookForStale, PLATFORMS } from './stale.ts';

const minutes = Number(process.env.VEDETTE_FUZZ_MINUTES ?? '10');
/** A failure is repeated with its seed in this time at the most. */
const RUN_MS = 120_000;

describe('stale frames, for long', { concurrency: true, ...needs('inside') }, () => {
  let bombs = '';
  let stale = '';
  before(async () => {
    bombs = await compileFuzz('bombs');
    stale = await compileFuzz('stale');
  });

  for (const { name, flags } of PLATFORMS)
    test(`are never seen on ${name}`, async (t) => {
      const end = Date.now() + minutes * 60_000;
      for (let seed = firstSeed(); Date.now() < end; seed++)
        t.diagnostic(
          await lookForStale(bombs, stale, flags, seed, Math.min(RUN_MS, Math.max(1000, end - Date.now()))),
        );
    });
});
