import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeRanges, ownCodeRanges } from './code_range.ts';

const MIB = 2 ** 20;

test('the range goes on over the builtins of Node.js and ends at a gap', () => {
  const maps = [
    '7f5919fc0000-7f5919fc2000 rw-p 00000000 00:00 0 ',
    '7f5919fc2000-7f5919fc3000 ---p 00000000 00:00 0 ',
    '7f5919fc3000-7f5919fff000 rwxp 00000000 00:00 0 ',
    '7f5919fff000-7f5939e00000 ---p 00000000 00:00 0 ',
    '7f5939e00000-7f5939f92000 r-xp 014c4000 fe:00 260689                     /usr/bin/node',
    '7f5939f92000-7f5939fc0000 ---p 00000000 00:00 0 ',
    '7f5939fd0000-7f5939fe0000 rw-p 00000000 00:00 0 ',
  ].join('\n');
  assert.deepEqual(codeRanges(maps, '/usr/bin/node'), [
    { from: 0x7f5919fc3000, size: 0x7f5939fc0000 - 0x7f5919fc3000 },
  ]);
});

test('a few pages of code, as our own routines are, are no such range', () => {
  assert.deepEqual(codeRanges('7f0000000000-7f0000004000 r-xp 00000000 00:00 0 \n', '/usr/bin/node'), []);
});

test('a range over a border of 4 GiB is two', () => {
  const maps = '7f00fc000000-7f0104000000 rwxp 00000000 00:00 0 \n';
  assert.deepEqual(codeRanges(maps, '/n'), [
    { from: 0x7f00fc000000, size: 64 * MIB - 1 },
    { from: 0x7f0100000000, size: 64 * MIB },
  ]);
});

test('this process has one', () => {
  const ranges = ownCodeRanges();
  assert.ok(ranges !== null && ranges.length >= 1 && ranges.length <= 2, JSON.stringify(ranges));
});
