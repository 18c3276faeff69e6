import assert from 'node:assert/strict';
import { test } from 'node:test';
import { E2BIG } from '../../abi/errno.ts';
import { argumentLimit, checkArguments } from './args.ts';

const MIB = 1 << 20;

test('the limit is a quarter of the stack, within 128 KiB and 6 MiB', () => {
  assert.equal(argumentLimit(8 * MIB), 2 * MIB);
  assert.equal(argumentLimit(0), 128 * 1024);
  assert.equal(argumentLimit(Number.POSITIVE_INFINITY), 6 * MIB);
});

test('one string of MAX_ARG_STRLEN is too long whatever the limit', () => {
  assert.equal(checkArguments('/x', ['a'.repeat(131071)], [], Number.POSITIVE_INFINITY), 0);
  assert.equal(checkArguments('/x', ['a'.repeat(131072)], [], Number.POSITIVE_INFINITY), -E2BIG);
  assert.equal(checkArguments('/x', [], ['a'.repeat(131072)], Number.POSITIVE_INFINITY), -E2BIG);
});

test('strings and their pointers count together', () => {
  const empty = new Array(128 * 1024).fill('');
  assert.equal(checkArguments('/x', empty, [], 0), -E2BIG);
  assert.equal(checkArguments('/x', empty.slice(0, 14000), [], 0), 0);
});
