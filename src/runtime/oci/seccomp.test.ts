import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SECCOMP_DATA_ARGS, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO } from '../../abi/process/seccomp.ts';
import { SYS_chmod, SYS_read } from '../../abi/syscall.ts';
import { readSeccomp, SECCOMP_OPERATORS } from './read_seccomp.ts';
import { Reader } from './reader.ts';
import { compileSeccomp } from './seccomp.ts';

/** What the operators say, in BigInt. */
const MEANING: Readonly<Record<string, (a: bigint, v: bigint, w: bigint) => boolean>> = {
  SCMP_CMP_EQ: (a, v) => a === v,
  SCMP_CMP_NE: (a, v) => a !== v,
  SCMP_CMP_GT: (a, v) => a > v,
  SCMP_CMP_GE: (a, v) => a >= v,
  SCMP_CMP_LT: (a, v) => a < v,
  SCMP_CMP_LE: (a, v) => a <= v,
  SCMP_CMP_MASKED_EQ: (a, v, w) => (a & v) === w,
};

const data = new Int32Array(16);
function call(nr: number, arg: bigint): Int32Array {
  data.fill(0);
  data[0] = nr;
  data[SECCOMP_DATA_ARGS / 4] = Number(BigInt.asIntN(32, arg));
  data[SECCOMP_DATA_ARGS / 4 + 1] = Number(BigInt.asIntN(32, arg >> 32n));
  return data;
}

test('every operator means what it says on both halves', () => {
  const values = [0, 1, 7, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 7, 2 ** 52 + 1];
  const args = values.flatMap((n) => [BigInt(n), BigInt(n) + 1n, (1n << 63n) + BigInt(n)]);
  let held = 0;
  for (const op of SECCOMP_OPERATORS)
    for (const value of values)
      for (const valueTwo of [0, 1, 2 ** 32]) {
        const profile = {
          defaultAction: 'SCMP_ACT_ALLOW',
          syscalls: [
            {
              names: ['chmod'],
              action: 'SCMP_ACT_ERRNO',
              errnoRet: 5,
              args: [{ index: 0, op, value, valueTwo }],
            },
          ],
        };
        const filter = compileSeccomp(readSeccomp(new Reader(profile, 'p'))!)!;
        for (const arg of args) {
          const holds = MEANING[op]!(arg, BigInt(value), BigInt(valueTwo));
          if (holds) held++;
          const wanted = holds ? SECCOMP_RET_ERRNO | 5 : SECCOMP_RET_ALLOW;
          assert.equal(filter.run(call(SYS_chmod, arg)), wanted, `${arg} ${op} ${value} ${valueTwo}`);
          assert.equal(filter.run(call(SYS_read, arg)), SECCOMP_RET_ALLOW);
        }
      }
  assert.ok(held > 100);
});

test('conditions on one argument are alternatives, those on several hold together', () => {
  const rule = (args: object[]) => ({
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [{ names: ['chmod'], action: 'SCMP_ACT_ALLOW', args }],
  });
  const eq = (index: number, value: number) => ({ index, value, op: 'SCMP_CMP_EQ' });
  const either = compileSeccomp(readSeccomp(new Reader(rule([eq(0, 1), eq(0, 2)]), 'p'))!)!;
  for (const [arg, wanted] of [
    [1n, SECCOMP_RET_ALLOW],
    [2n, SECCOMP_RET_ALLOW],
    [3n, SECCOMP_RET_ERRNO | 1],
  ] as const)
    assert.equal(either.run(call(SYS_chmod, arg)), wanted);
  const both = compileSeccomp(readSeccomp(new Reader(rule([eq(0, 1), eq(1, 2)]), 'p'))!)!;
  assert.equal(both.run(call(SYS_chmod, 1n)), SECCOMP_RET_ERRNO | 1);
});
