// Random system calls with hostile arguments, for some seconds: nothing that a guest does ends the kernel.
// suite: 25 s
import { before, describe, test } from 'node:test';
import { firstSeed, fuzz } from './fuzzing.ts';
import { compileFuzz } from './harness.ts';

describe('random system calls', () => {
  let bombs = '';
  let syscalls = '';
  before(async () => {
    bombs = await compileFuzz('bombs');
    syscalls = await compileFuzz('syscalls');
  });

  test('leave the kernel well', async (t) => {
    t.diagnostic(await fuzz(bombs, syscalls, firstSeed(), 20_000, 1000));
  });
});
