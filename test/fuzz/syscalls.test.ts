// Random system calls with hostile arguments, for some seconds: nothing that a guest does ends the kernel.
import { after, before, describe, test } from 'node:test';
import { firstSeed, fuzz } from './fuzzing.ts';
import { Fuzz } from './harness.ts';

describe('random system calls', () => {
  const programs = new Fuzz();
  let bombs = '';
  let syscalls = '';
  before(async () => {
    bombs = await programs.compile('bombs');
    syscalls = await programs.compile('syscalls');
  });
  after(() => programs.close());

  test('leave the kernel well', async (t) => {
    t.diagnostic(await fuzz(bombs, syscalls, firstSeed(), 20_000, 1000));
  });
});
