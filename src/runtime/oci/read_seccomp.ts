// linux.seccomp of config.json: which system calls programs of a container may make.

import { EPERM } from '../../abi/errno.ts';
import {
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_LOG,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_TRAP,
} from '../../abi/process/seccomp.ts';
import * as numbers from '../../abi/syscall.ts';
import type { Reader } from './reader.ts';

/** Two words, the low one first. */
export type Words = readonly [number, number];

export interface SeccompCondition {
  readonly index: number;
  readonly op: string;
  readonly value: Words;
  readonly valueTwo: Words;
}

export interface SeccompRule {
  /** SECCOMP_RET_*. */
  readonly action: number;
  /** All must hold. */
  readonly conditions: readonly SeccompCondition[];
}

export interface SpecSeccomp {
  readonly defaultAction: number;
  /** Number of a call and its rules, the first that holds counts. */
  readonly calls: readonly (readonly [nr: number, rules: readonly SeccompRule[]])[];
}

const ACTIONS: ReadonlyMap<string, number> = new Map([
  ['SCMP_ACT_ALLOW', SECCOMP_RET_ALLOW],
  ['SCMP_ACT_ERRNO', SECCOMP_RET_ERRNO],
  ['SCMP_ACT_KILL', SECCOMP_RET_KILL_THREAD],
  ['SCMP_ACT_KILL_THREAD', SECCOMP_RET_KILL_THREAD],
  ['SCMP_ACT_KILL_PROCESS', SECCOMP_RET_KILL_PROCESS],
  ['SCMP_ACT_LOG', SECCOMP_RET_LOG],
  ['SCMP_ACT_TRACE', SECCOMP_RET_TRACE],
  ['SCMP_ACT_TRAP', SECCOMP_RET_TRAP],
]);
export const SECCOMP_ACTIONS: readonly string[] = [...ACTIONS.keys()];

export const SECCOMP_OPERATORS: readonly string[] = [
  'SCMP_CMP_EQ',
  'SCMP_CMP_GE',
  'SCMP_CMP_GT',
  'SCMP_CMP_LE',
  'SCMP_CMP_LT',
  'SCMP_CMP_MASKED_EQ',
  'SCMP_CMP_NE',
];
const ERRNO_MAX = 4095;
const TWO32 = 2 ** 32;

function readAction(r: Reader, errno: Reader): number {
  const action = ACTIONS.get(r.string());
  if (action === undefined)
    return r.wrong(`${r.string()} is not supported`, `one of: ${SECCOMP_ACTIONS.join(', ')}`);
  const value = errno.integerOr(0, ERRNO_MAX, EPERM);
  return action === SECCOMP_RET_ERRNO || action === SECCOMP_RET_TRACE ? action | value : action;
}

/** 64 bits. A document's number beyond 2^53 is not exact here, but for the one that has all bits set. */
function readWords(r: Reader): Words {
  const n = r.integerOr(0, 2 ** 64, 0);
  if (n === 2 ** 64) return [TWO32 - 1, TWO32 - 1];
  if (!Number.isSafeInteger(n)) return r.wrong(`${n} is too large`, 'at most 2^53, or 2^64 - 1');
  return [n % TWO32, Math.floor(n / TWO32)];
}

function readCondition(r: Reader): SeccompCondition {
  const op = r.at('op');
  if (!SECCOMP_OPERATORS.includes(op.string()))
    op.wrong(`${op.string()} is unknown`, `one of: ${SECCOMP_OPERATORS.join(', ')}`);
  return {
    index: r.at('index').integer(0, 5),
    op: op.string(),
    value: readWords(r.at('value')),
    valueTwo: readWords(r.at('valueTwo')),
  };
}

/** Several conditions on one argument are alternatives, as runc has it. */
function alternatives(action: number, conditions: readonly SeccompCondition[]): SeccompRule[] {
  const seen = new Set(conditions.map((c) => c.index));
  if (seen.size === conditions.length) return [{ action, conditions }];
  return conditions.map((c) => ({ action, conditions: [c] }));
}

/** Reads a profile; null when there is none. Names of calls that x86-64 does not have mean nothing on it. */
export function readSeccomp(r: Reader): SpecSeccomp | null {
  if (!r.present) return null;
  for (const name of ['listenerPath', 'listenerMetadata'])
    if (r.at(name).stringOr('') !== '') r.at(name).wrong('notification is not supported', 'leave it out');
  // This machine's is always among them, as libseccomp has it; calls of the others there are none.
  r.at('architectures').strings();
  const byNumber = new Map<number, SeccompRule[]>();
  const table = numbers as unknown as Record<string, unknown>;
  r.at('syscalls').list((call) => {
    const names = call.at('names');
    const action = readAction(call.at('action'), call.at('errnoRet'));
    const rules = alternatives(action, call.at('args').list(readCondition));
    for (const name of names.strings()) {
      const nr = table[`SYS_${name}`];
      if (typeof nr !== 'number') continue;
      byNumber.set(nr, [...(byNumber.get(nr) ?? []), ...rules]);
    }
  });
  const calls = [...byNumber].map(([nr, rules]): [number, SeccompRule[]] => {
    // What holds always comes last: the others would mean nothing behind it.
    const free = rules.filter((rule) => rule.conditions.length === 0);
    return [nr, [...rules.filter((rule) => rule.conditions.length > 0), ...free.slice(-1)]];
  });
  return { defaultAction: readAction(r.at('defaultAction'), r.at('defaultErrnoRet')), calls };
}
