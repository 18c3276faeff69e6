// No process reads or writes memory that is not its own, whatever races with changes of mappings: a third of a minute on
// each platform, all of them at once.
// suite: 25 s
import { before, describe, test } from 'node:test';
import { needs } from '../harness/needs.ts';
import { firstSeed } from './fuzzing.ts';
import { compileFuzz } from './harness.ts';
import { lookForStale, PLATFORMS } from './stale.ts';

describe('stale frames', { concurrency: true, ...needs('inside') }, () => {
  let bombs = '';
  let stale = '';
  before(async () => {
    bombs = await compileFuzz('bombs');
    stale = await compileFuzz('stale');
  });

  for (const { name, flags } of PLATFORMS)
    test(`are never seen on ${name}`, async (t) => {
      t.diagnostic(await lookForStale(bombs, stale, flags, firstSeed(), 20_000));
    });
});
