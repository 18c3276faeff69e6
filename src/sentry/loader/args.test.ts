import assert from 'node:assert/strict';
import { test } from 'node:test';
import { E2BIG } from '../../abi/errno.ts';
import { ArgStrings } from '../kernel/task/arg_strings.ts';
import { argumentLimit, checkArguments } from './args.ts';

const { of } = ArgStrings;
const none = of([]);

const MIB = 1 << 20;

test('the limit is a quarter of the stack, within 128 KiB and 6 MiB', () => {
  assert.equal(argumentLimit(8 * MIB), 2 * MIB);
  assert.equal(argumentLimit(0), 128 * 1024);
  assert.equal(argumentLimit(Number.POSITIVE_INFINITY), 6 * MIB);
});

test('one string of MAX_ARG_STRLEN is too long whatever the limit', () => {
  assert.equal(checkArguments('/x', of(['a'.repeat(131071)]), none, Number.POSITIVE_INFINITY), 0);
  assert.equal(checkArguments('/x', of(['a'.repeat(131072)]), none, Number.POSITIVE_INFINITY), -E2BIG);
  assert.equal(checkArguments('/x', none, of(['a'.repeat(131072)]), Number.POSITIVE_INFINITY), -E2BIG);
});

test('strings and their pointers count together', () => {
  const empty = new Array(128 * 1024).fill('');
  assert.equal(checkArguments('/x', of(empty), none, 0), -E2BIG);
  assert.equal(checkArguments('/x', of(empty.slice(0, 14000)), none, 0), 0);
});

test('a script puts others in place of the first string', () => {
  const a = of(['script', 'one', 'two']).headedBy(['/bin/sh', '-x', '/script']);
  assert.equal(Buffer.from(a.bytes.subarray(0, a.size)).toString(), '/bin/sh\0-x\0/script\0one\0two\0');
  assert.deepEqual([...a.lengths.subarray(0, a.count)], [8, 3, 8, 4, 4]);
  assert.equal(a.longest, 8);
});
