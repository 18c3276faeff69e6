// docs/walks.md is what happens: every function that it names exists, and a program that does what a walk is about enters
// them in the walk's order, with none of them in between.
// suite: 10 s
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { compileGuest, distDir, repoDir, runNative } from './harness/guest.ts';
import { needs } from './harness/needs.ts';
import { lineOf, type Place } from './harness/walk_run.ts';

const text = readFileSync(join(repoDir, 'docs/walks.md'), 'utf8');
const walks = new Map<string, Place[]>();
for (const section of text.split(/^## /m).slice(1)) {
  const steps = section.split('\n').filter((line) => /^\d/.test(line));
  const places = steps.map((line, i) => {
    const [, number, file, name] = /^(\d+)\. (src\/\S+\.ts): (\S+): \S/.exec(line) ?? [];
    assert.equal(Number(number), i + 1, `docs/walks.md: not "N. FILE: FUNCTION: TEXT": ${line}`);
    return { file: file!, name: name! };
  });
  walks.set(section.slice(0, section.indexOf('\n')), places);
}
const lineFor = ({ file, name }: Place) => `${file}: ${name}`;

/** How often `part` lies in `whole` without a gap. */
function runsOf(part: readonly string[], whole: readonly string[]): number {
  return whole.filter((_, at) => part.every((line, i) => whole[at + i] === line)).length;
}

describe('walks', { concurrency: 1 }, () => {
  let dir: string;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'vedette-walks-'));
  });
  after(() => rmSync(dir, { recursive: true }));

  test('are the four', () => {
    assert.deepEqual([...walks.keys()], ['write', 'fault', 'signal', 'open']);
  });

  for (const [name, places] of walks) {
    test(`${name}: what it names exists`, () => {
      assert.ok(places.length >= 8 && places.length <= 16, `${places.length} steps`);
      for (const place of places) {
        const path = join(repoDir, place.file);
        assert.ok(existsSync(path), `no ${place.file}`);
        assert.ok(lineOf(readFileSync(path, 'utf8'), place.name) >= 0, `no ${lineFor(place)}`);
      }
    });

    test(`${name}: happens in this order`, needs('gcc', 'inside'), async () => {
      const guest = await compileGuest('walks');
      const native = await runNative([guest, name]);
      assert.equal(native.status, 0, `fails natively: ${native.stderr}`);
      const walk = join(dir, `${name}.json`);
      const log = join(dir, `${name}.log`);
      writeFileSync(walk, JSON.stringify(places));
      // The platform decides what a fault's access is and whether int 0x80 is looked for: the walks are systrap's.
      const others = (process.env.VEDETTE_FLAGS ?? '')
        .split(' ')
        .filter((flag) => /^--(?!platform)/.test(flag));
      const flags = ['--platform=systrap', ...others];
      const run = join(distDir, 'test/harness/walk_run.js');
      const inside = await runNative([process.execPath, run, walk, log, ...flags, '--', guest, name]);
      assert.equal(inside.status, 0, `fails inside: ${inside.stderr}`);
      const entered = readFileSync(log, 'latin1').trimEnd().split('\n');
      const wanted = places.map(lineFor);
      if (runsOf(wanted, entered) === 1) return;
      // Around the rarest function of the walk is where it should have been.
      const often = (line: string) => entered.filter((other) => other === line).length;
      const rarest = wanted.toSorted((a, b) => often(a) - often(b)).find((line) => often(line) > 0)!;
      const at = entered.lastIndexOf(rarest) - wanted.indexOf(rarest);
      assert.deepEqual(entered.slice(Math.max(0, at), at + wanted.length), wanted);
      assert.fail(`the walk happens ${runsOf(wanted, entered)} times`);
    });
  }
});
