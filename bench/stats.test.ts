import assert from 'node:assert/strict';
import { test } from 'node:test';
import { geometricMean, median, parseFigures } from './stats.ts';

test('the median is the middle, or the mean of the two middles', () => {
  assert.equal(median([5, 1, 9]), 5);
  assert.equal(median([4, 1, 2, 100]), 3);
  assert.equal(median([7]), 7);
});

test('a geometric mean treats twice and half alike', () => {
  assert.equal(geometricMean([2, 0.5]), 1);
});

test('figures are whole lines of a name and a number', () => {
  const output = 'stat 12.5\nhello stat 3\nstat 13\r\nwarning: 7 things\npread_4k 400\nStat 9\nstat -4\n';
  assert.deepEqual(
    [...parseFigures(output)],
    [
      ['stat', [12.5, 13]],
      ['pread_4k', [400]],
    ],
  );
  assert.equal(parseFigures('').size, 0);
});
