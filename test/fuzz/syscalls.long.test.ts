// The same as syscalls.test.ts for minutes (VEDETTE_FUZZ_MINUTES, 10 unless told).
import { before, describe, test } from 'node:test';
import { firstSeed, fuzz } from './fuzzing.ts';
import { compileFuzz } from './harness.ts';

const minutes = Number(process.env.VEDETTE_FUZZ_MINUTES ?? '10');

describe('random system calls for long', () => {
  let bombs = '';
  let syscalls = '';
  before(async () => {
    bombs = await compileFuzz('bombs');
    syscalls = await compileFuzz('syscalls');
  });

  test('leave the kernel well', async (t) => {
    t.diagnostic(await fuzz(bombs, syscalls, firstSeed() + 500, minutes * 60_000, 2000));
  });
});
