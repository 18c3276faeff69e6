// The container's seccomp profile as a filter that this kernel runs on the programs inside: seccomp(2).

import { ENOSYS } from '../../abi/errno.ts';
import { SIZEOF_SOCK_FILTER } from '../../abi/process/bpf_filter.ts';
import {
  SECCOMP_MODE_FILTER,
  SECCOMP_RET_ACTION_FULL,
  SECCOMP_RET_ERRNO,
} from '../../abi/process/seccomp.ts';
import { BpfProgram } from '../../host/seccomp.ts';
import { BpfFilter } from '../../sentry/base/bpf.ts';
import { type SeccompChain, SeccompState } from '../../sentry/kernel/task/seccomp.ts';
import type { Task } from '../../sentry/kernel/task/task.ts';
import type { SeccompCondition, SpecSeccomp } from './read_seccomp.ts';

/** Goes on when the condition holds, else to `fail`. `name` makes its own labels. */
function check(p: BpfProgram, c: SeccompCondition, name: string, fail: string): void {
  const [low, high] = c.value;
  const holds = `${name} holds`;
  switch (c.op) {
    case 'SCMP_CMP_EQ':
      p.loadArgHigh(c.index).jeq(high, null, fail).loadArgLow(c.index).jeq(low, null, fail);
      return;
    case 'SCMP_CMP_NE':
      p.loadArgHigh(c.index).jeq(high, null, holds).loadArgLow(c.index).jeq(low, fail);
      break;
    case 'SCMP_CMP_GT':
    case 'SCMP_CMP_GE':
      p.loadArgHigh(c.index).jgt(high, holds).jeq(high, null, fail).loadArgLow(c.index);
      if (c.op === 'SCMP_CMP_GT') p.jgt(low, null, fail);
      else p.jge(low, null, fail);
      break;
    case 'SCMP_CMP_LT':
    case 'SCMP_CMP_LE':
      p.loadArgHigh(c.index).jgt(high, fail).jeq(high, null, holds).loadArgLow(c.index);
      if (c.op === 'SCMP_CMP_LT') p.jge(low, fail);
      else p.jgt(low, fail);
      break;
    default: {
      // SCMP_CMP_MASKED_EQ: `value` is the mask.
      const [wantedLow, wantedHigh] = c.valueTwo;
      p.loadArgHigh(c.index).and(high).jeq(wantedHigh, null, fail);
      p.loadArgLow(c.index).and(low).jeq(wantedLow, null, fail);
      return;
    }
  }
  p.label(holds);
}

/** The filter of a profile; null when it is longer than seccomp(2) takes. */
export function compileSeccomp(s: SpecSeccomp): BpfFilter | null {
  const p = new BpfProgram();
  for (const [nr, rules] of s.calls) {
    // The number anew for each: a condition leaves another word behind.
    p.loadNr().jeq(nr, `call ${nr}`).jmp(`not ${nr}`).label(`call ${nr}`);
    rules.forEach((rule, i) => {
      const next = `call ${nr} not ${i}`;
      for (const [k, c] of rule.conditions.entries())
        check(p, c, `call ${nr} rule ${i} condition ${k}`, next);
      p.ret(rule.action).label(next);
    });
    p.ret(s.defaultAction).label(`not ${nr}`);
  }
  // A call that is newer than the profile: programs know what to do without it, and not what a refusal of it means (runc's patchbpf).
  const newest = Math.max(...s.calls.map(([nr]) => nr));
  if ((s.defaultAction & SECCOMP_RET_ACTION_FULL) >>> 0 === SECCOMP_RET_ERRNO && s.calls.length > 0)
    p.loadNr()
      .jgt(newest, null, 'known')
      .ret(SECCOMP_RET_ERRNO | ENOSYS)
      .label('known');
  p.ret(s.defaultAction);
  let bytes: Uint8Array;
  try {
    bytes = p.finish();
  } catch {
    return null;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return BpfFilter.forSeccomp(view, bytes.length / SIZEOF_SOCK_FILTER);
}

/** Puts a thread that has not run yet under the filter. */
export function confine(t: Task, chain: SeccompChain): void {
  t.seccomp = new SeccompState();
  t.seccomp.mode = SECCOMP_MODE_FILTER;
  t.seccomp.chain = chain;
  t.pay(t.seccomp.bytes);
}
