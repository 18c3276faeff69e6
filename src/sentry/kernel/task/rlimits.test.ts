import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RLIMIT_AS, RLIMIT_CORE, RLIMIT_NOFILE, RLIMIT_STACK } from '../../../abi/process/resource.ts';
import { defaultLimits } from './rlimits.ts';

test('default limits are those of a Linux login', () => {
  const l = defaultLimits();
  assert.deepEqual([l.soft(RLIMIT_NOFILE), l.hard(RLIMIT_NOFILE)], [1024, 1048576]);
  assert.deepEqual([l.soft(RLIMIT_STACK), l.hard(RLIMIT_STACK)], [8 << 20, Number.POSITIVE_INFINITY]);
  assert.equal(l.soft(RLIMIT_CORE), 0);
  assert.equal(l.soft(RLIMIT_AS), Number.POSITIVE_INFINITY);
});

test('a copy is independent', () => {
  const a = defaultLimits();
  const b = a.clone();
  b.set(RLIMIT_NOFILE, 10, 20);
  assert.equal(a.soft(RLIMIT_NOFILE), 1024);
  assert.deepEqual([b.soft(RLIMIT_NOFILE), b.hard(RLIMIT_NOFILE)], [10, 20]);
});
