// Ten million changed packets into a stack (VEDETTE_FUZZ_PACKETS for another number), with a new seed for each hundred thousand.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzzStack } from './fuzz.test.helper.ts';

const ROUND = 100_000;

test('changed packets and noise, for long', (t) => {
  const packets = Number(process.env.VEDETTE_FUZZ_PACKETS ?? '10000000');
  let seed = Number(process.env.VEDETTE_FUZZ_SEED ?? Math.floor(Date.now() / 1000));
  let taken = 0;
  let mostKept = 0;
  for (let left = packets; left > 0; left -= ROUND, seed++) {
    const r = fuzzStack(seed, Math.min(left, ROUND));
    taken += r.taken;
    mostKept = Math.max(mostKept, r.mostKept);
    assert.ok(r.slowestMs < 5000, `seed ${seed}: ${r.slowestMs} ms for one packet`);
  }
  t.diagnostic(`${packets} packets, ${taken} segments, ${mostKept} bytes kept at most`);
});
