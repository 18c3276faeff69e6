import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { PatternSet, Replacer } from './replacer.ts';

const setOf = (pairs: readonly (readonly [string, string])[]): PatternSet =>
  new PatternSet(pairs.map(([find, put]) => ({ find: Buffer.from(find), put: Buffer.from(put) })));

/** The model: String.replace with the alternatives, the longest first. */
function model(text: string, pairs: readonly (readonly [string, string])[]): string {
  const sorted = [...pairs].filter(([f]) => f !== '').sort((a, b) => b[0].length - a[0].length);
  if (sorted.length === 0) return text;
  return text.replace(
    new RegExp(sorted.map(([f]) => f).join('|'), 'g'),
    (found) => sorted.find(([f]) => f === found)![1],
  );
}

describe('replacement in a stream', () => {
  test('is what a replacement in the whole text is, wherever chunks end', () => {
    // Two letters make texts full of matches, half matches and overlaps.
    const word = (max: number) => fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: max });
    fc.assert(
      fc.property(
        fc.array(word(12), { maxLength: 30 }),
        fc.uniqueArray(fc.tuple(word(6), word(8)), { maxLength: 4, selector: ([find]) => find }),
        (chunks, pairs) => {
          const r = new Replacer(setOf(pairs));
          const out = chunks.map((c) => r.push(Buffer.from(c)).toString());
          assert.equal(out.join('') + r.end().toString(), model(chunks.join(''), pairs));
        },
      ),
      { numRuns: 20_000 },
    );
  });

  test('holds nothing back that cannot begin a pattern', () => {
    const r = new Replacer(setOf([['SECRET', 'x']]));
    assert.equal(r.push(Buffer.from('data: 1\n\n')).toString(), 'data: 1\n\n');
    assert.equal(r.push(Buffer.from('a SEC')).toString(), 'a ');
    assert.equal(r.push(Buffer.from('RET b')).toString(), 'x b');
    assert.equal(r.hits, 1);
  });

  test('of 16 MiB takes no longer than a few passes over it', () => {
    const r = new Replacer(
      setOf([
        ['SECRET', 'x'],
        ['OTHER', 'y'],
      ]),
    );
    const chunk = Buffer.alloc(65_536, 'SECRE');
    const begin = performance.now();
    let n = 0;
    for (let i = 0; i < 256; i++) n += r.push(chunk).length;
    assert.ok(n + r.end().length === 256 * 65_536);
    assert.ok(performance.now() - begin < 5_000);
  });
});
