import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mebibytes, ratio, table, time } from './table.ts';

test('columns line up, the first to the left', () => {
  assert.equal(
    table([
      ['case', 'native'],
      ['a', '1 ns'],
      ['longer', '12.00 us'],
    ]),
    'case      native\na           1 ns\nlonger  12.00 us',
  );
});

test('a short row leaves no blanks at its end', () => {
  assert.equal(table([['a', 'b', 'c'], ['x']]), 'a  b  c\nx');
});

test('times change their unit at each thousand', () => {
  assert.deepEqual([999, 1000, 999_994, 1e6, 2.5e9].map(time), [
    '999 ns',
    '1.00 us',
    '999.99 us',
    '1.00 ms',
    '2.50 s',
  ]);
});

test('ratios and sizes', () => {
  assert.deepEqual([0.123, 9.99, 48.13].map(ratio), ['0.12x', '9.99x', '48.1x']);
  assert.equal(mebibytes(1536), '1.5 MiB');
});
