// As syscalls.test.ts, with a new seed and for five minutes.
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { fuzz } from './run.ts';

test('random system calls do no harm, for five minutes', async (t) => {
  const seed = process.env.VEDETTE_FUZZ_SEED ?? String(randomInt(1 << 30));
  t.diagnostic(`seed ${seed}`);
  const r = await fuzz('syscalls', [seed, '100000', '400'], { FUZZ_MS: '300000' }, 600_000);
  assert.equal(r.status, 0, `seed ${seed}: status ${r.status}\n${r.stdout}\n${r.stderr.slice(-4000)}`);
});
