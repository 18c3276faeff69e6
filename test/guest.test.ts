// Every program of test/guest natively and inside Vedette: both must pass and print the same. They run on the platform that `auto`
// takes, which is systrap where it works; those that lean on the platform most run on every platform by name, with and without
// rewritten system calls and FSGSBASE. `VEDETTE_FLAGS=--platform=ptrace npm test` runs everything on another one.
// suite: 180 s
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { compileGuest, difference, guestDir, runInside, runNative } from './harness/guest.ts';
import { nativeOnly, needs } from './harness/needs.ts';

interface Skip {
  program: string;
  /** Without it, the whole program is skipped. */
  subtest?: string;
  reason: string;
}

const skips = JSON.parse(readFileSync(join(guestDir, 'skips.json'), 'utf8')) as Skip[];
const programs = readdirSync(guestDir)
  .filter((name) => name.endsWith('.c'))
  .map((name) => name.slice(0, -2))
  .sort();

const leaning = [
  'hello',
  'patched_calls',
  'process',
  'threads',
  'futex',
  'signals_basic',
  'signals_fp',
  'mm_map',
  'mm_fault',
  'mm_files',
  'pipes',
];

/** The flags of each run of a program. */
function flagSets(program: string): string[][] {
  if (nativeOnly || !leaning.includes(program)) return [[]];
  const sets = [['--platform=systrap'], ['--platform=systrap', '--fsgsbase=off'], ['--platform=ptrace']];
  if (program === 'patched_calls') sets.push(['--platform=systrap', '--no-patch-calls']);
  return sets;
}

describe('guest programs', { concurrency: 2 }, () => {
  for (const program of programs) {
    const own = skips.filter((skip) => skip.program === program);
    const whole = own.find((skip) => skip.subtest === undefined);
    const { skip } = needs('gcc');
    test(program, { skip: whole?.reason ?? skip }, async (t) => {
      const binary = await compileGuest(program);
      let names: string[] = [];
      if (own.length > 0) {
        const list = (await runNative([binary, '-l'])).stdout.trim().split('\n');
        names = list.filter((name) => !own.some((skip) => skip.subtest === name));
        for (const skip of own) await t.test(skip.subtest!, { skip: skip.reason }, () => {});
      }
      const native = await runNative([binary, ...names], { timeoutMs: 120_000 });
      assert.equal(native.status, 0, `fails natively:\n${native.stdout}${native.stderr}`);
      const run = nativeOnly ? runNative : runInside;
      for (const flags of flagSets(program)) {
        const inside = await run([binary, ...names], { timeoutMs: 180_000, flags });
        const text = difference(native, inside);
        if (text !== '') assert.fail(`${flags.join(' ')}\n${text}`);
      }
    });
  }
});

test('every list names programs that exist', () => {
  for (const program of leaning) assert.ok(programs.includes(program), program);
  for (const skip of skips) assert.ok(programs.includes(skip.program), skip.program);
});
