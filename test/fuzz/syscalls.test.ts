// Random system calls over the whole table, with random arguments, from one thread and from two that race: the kernel
// must neither stop nor report a bug, and must serve the parent afterwards. VEDETTE_FUZZ_SEED repeats a run.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz } from './run.ts';

/** The same every time, so that a red run is somebody's change; syscalls.long.test.ts takes a new one. */
const DEFAULT_SEED = '20261123';

test('random system calls do no harm', async () => {
  const seed = process.env.VEDETTE_FUZZ_SEED ?? DEFAULT_SEED;
  const r = await fuzz('syscalls', [seed, '60', '150'], { FUZZ_MS: '15000' }, 120_000);
  assert.equal(r.status, 0, `seed ${seed}: status ${r.status}\n${r.stdout}\n${r.stderr.slice(-4000)}`);
});
