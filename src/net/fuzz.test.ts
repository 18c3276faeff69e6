// Changed packets into a stack, for a moment; fuzz.long.test.ts does it for long.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzzStack } from './fuzz.test.helper.ts';

test('changed packets and noise', (t) => {
  const seed = Number(process.env.VEDETTE_FUZZ_SEED ?? Math.floor(Date.now() / 1000));
  const r = fuzzStack(seed, 30_000);
  t.diagnostic(`seed ${seed}: ${JSON.stringify(r)}`);
  // They came far enough to be worth it.
  assert.ok(r.taken > 5000, `${r.taken} segments`);
  assert.ok(r.slowestMs < 5000, `${r.slowestMs} ms for one packet`);
});
