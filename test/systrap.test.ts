// The guest programs that lean on the platform most, on systrap: the same output as natively, with and without
// rewritten system calls. `VEDETTE_FLAGS=--platform=systrap npm test` runs everything there.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { compileGuest, difference, nativeOnly, runInside, runNative } from './harness/guest.ts';

const programs = [
  'hello',
  'patched_calls',
  'process',
  'threads',
  'futex',
  'signals_basic',
  'signals_fp',
  'mm_map',
  'mm_fault',
  'pipes',
];

describe('guest programs on systrap', { concurrency: 2, skip: nativeOnly }, () => {
  for (const program of programs) {
    test(program, async () => {
      const binary = await compileGuest(program);
      const native = await runNative([binary], { timeoutMs: 120_000 });
      assert.equal(native.status, 0, `fails natively:\n${native.stdout}${native.stderr}`);
      const flagSets = [['--platform=systrap']];
      if (program === 'patched_calls') flagSets.push(['--platform=systrap', '--no-patch-calls']);
      for (const flags of flagSets) {
        const inside = await runInside([binary], { timeoutMs: 180_000, flags });
        const text = difference(native, inside);
        if (text !== '') assert.fail(`${flags.join(' ')}\n${text}`);
      }
    });
  }
});
