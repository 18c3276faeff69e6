// A thread's own signal state: rt_sigaction(2), rt_sigprocmask(2), rt_sigpending(2), rt_sigsuspend(2),
// rt_sigtimedwait(2), rt_sigreturn(2), sigaltstack(2), pause(2).

import { EAGAIN, EFAULT, EINTR, EINVAL, ENOMEM, EPERM, ERESTARTNOHAND } from '../../../abi/errno.ts';
import { SIZEOF_SIGINFO } from '../../../abi/signal/siginfo.ts';
import {
  decodeSigaction,
  encodeSigaction,
  SA_EXPOSE_TAGBITS,
  SA_UNSUPPORTED,
  SIG_BLOCK,
  SIG_SETMASK,
  SIG_UNBLOCK,
  SIGKILL,
  SIGSTOP,
  SIZEOF_SIGACTION,
  SIZEOF_STACK,
  SS_DISABLE,
  SS_ONSTACK,
  STACK_SS_FLAGS,
  STACK_SS_SIZE,
} from '../../../abi/signal/signal.ts';
import {
  SYS_pause,
  SYS_rt_sigaction,
  SYS_rt_sigpending,
  SYS_rt_sigprocmask,
  SYS_rt_sigreturn,
  SYS_rt_sigsuspend,
  SYS_rt_sigtimedwait,
  SYS_sigaltstack,
} from '../../../abi/syscall.ts';
import { getU64, putU64 } from '../../../abi/u64.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { BLOCKED, NO_RESULT, TIMED_OUT } from '../../kernel/block.ts';
import { onAltStack, popSignalFrame, setAltStack } from '../../kernel/signal/frame.ts';
import { encodeSigInfo } from '../../kernel/signal/siginfo.ts';
import { sigBit, UNBLOCKABLE_LO } from '../../kernel/signal/state.ts';
import type { Task } from '../../kernel/task/task.ts';
import { RSP } from '../../platform/regs.ts';
import { ONE_OF, SIGNO, SIZE, STRUCT } from '../kinds.ts';
import { sys } from '../row.ts';
import { BAD_TIME, readTimespecNs } from '../user_time.ts';

const SIGSET_SIZE = 8;
/** Flags of sa_flags that the kernel knows; SA_UNSUPPORTED is cleared from what is read back. */
const SA_KNOWN = 0xdc000807 | SA_EXPOSE_TAGBITS;
/** MINSIGSTKSZ as the kernel checks it for sigaltstack(2). */
const MIN_STACK = 2048;

/** Implements rt_sigaction(2). */
function rt_sigaction(t: Task, sig: number, act: number, oldact: number, size: number): number {
  if (size !== SIGSET_SIZE || sig < 1 || sig > 64) return -EINVAL;
  if (act !== 0 && (sig === SIGKILL || sig === SIGSTOP)) return -EINVAL;
  const h = t.group.handlers;
  const a = h.actions[sig]!;
  let neu: ReturnType<typeof decodeSigaction> | null = null;
  if (act !== 0) {
    if (t.mm.copyInExact(act, scratch, 0, SIZEOF_SIGACTION) !== 0) return -EFAULT;
    neu = decodeSigaction(scratchView, 0);
  }
  if (oldact !== 0) encodeSigaction(scratchView, 0, a);
  if (neu !== null) {
    // Unknown bits vanish, so that programs can find out what is supported (SA_UNSUPPORTED protocol).
    a.flags = ((neu.flags % 0x1_0000_0000) & SA_KNOWN & ~SA_UNSUPPORTED) >>> 0;
    a.restorer = neu.restorer;
    a.maskLo = (neu.maskLo & ~UNBLOCKABLE_LO) >>> 0;
    a.maskHi = neu.maskHi;
    h.setHandler(sig, neu.handler);
    if (h.ignores(sig)) {
      const lo = sig <= 32 ? sigBit(sig) : 0;
      const hi = sig > 32 ? sigBit(sig) : 0;
      t.group.pending.discard(lo, hi);
      for (const other of t.group.threads) other.signals.pending.discard(lo, hi);
    }
  }
  if (oldact !== 0 && t.mm.copyOutExact(oldact, scratch, 0, SIZEOF_SIGACTION) !== 0) return -EFAULT;
  return 0;
}

/** Implements rt_sigprocmask(2). */
function rt_sigprocmask(t: Task, how: number, set: number, oldset: number, size: number): number {
  if (size !== SIGSET_SIZE) return -EINVAL;
  const s = t.signals;
  const oldLo = s.maskLo;
  const oldHi = s.maskHi;
  if (set !== 0) {
    if (t.mm.copyInExact(set, scratch, 0, 8) !== 0) return -EFAULT;
    const lo = scratchView.getUint32(0, true);
    const hi = scratchView.getUint32(4, true);
    if (how === SIG_BLOCK) s.setMask(oldLo | lo, oldHi | hi);
    else if (how === SIG_UNBLOCK) s.setMask(oldLo & ~lo, oldHi & ~hi);
    else if (how === SIG_SETMASK) s.setMask(lo, hi);
    else return -EINVAL;
  }
  if (oldset !== 0) {
    scratchView.setUint32(0, oldLo, true);
    scratchView.setUint32(4, oldHi, true);
    if (t.mm.copyOutExact(oldset, scratch, 0, 8) !== 0) return -EFAULT;
  }
  return 0;
}

/** Implements rt_sigpending(2). */
function rt_sigpending(t: Task, set: number, size: number): number {
  if (size > SIGSET_SIZE) return -EINVAL;
  const s = t.signals;
  const shared = t.group.pending;
  scratchView.setUint32(0, (s.pending.lo | shared.lo) & s.maskLo, true);
  scratchView.setUint32(4, (s.pending.hi | shared.hi) & s.maskHi, true);
  return t.mm.copyOutExact(set, scratch, 0, Math.max(0, size)) !== 0 ? -EFAULT : 0;
}

/** Implements rt_sigsuspend(2). */
function rt_sigsuspend(t: Task, set: number, size: number): number {
  if (size !== SIGSET_SIZE) return -EINVAL;
  if (!t.call.active) {
    if (t.mm.copyInExact(set, scratch, 0, 8) !== 0) return -EFAULT;
    t.signals.setTemporaryMask(scratchView.getUint32(0, true), scratchView.getUint32(4, true));
  }
  return t.park() === BLOCKED ? BLOCKED : -ERESTARTNOHAND;
}

/** Implements pause(2). */
function pause(t: Task): number {
  return t.park() === BLOCKED ? BLOCKED : -ERESTARTNOHAND;
}

/** Implements rt_sigtimedwait(2). The waited-for set stays on the task while it waits, so that a send wakes it. */
function rt_sigtimedwait(t: Task, set: number, info: number, timeout: number, size: number): number {
  if (size !== SIGSET_SIZE) return -EINVAL;
  const s = t.signals;
  if (!t.call.active) {
    if (t.mm.copyInExact(set, scratch, 0, 8) !== 0) return -EFAULT;
    s.waitLo = (scratchView.getUint32(0, true) & ~UNBLOCKABLE_LO) >>> 0;
    s.waitHi = scratchView.getUint32(4, true);
    if (timeout !== 0) {
      const ns = readTimespecNs(t, timeout);
      if (ns < 0) {
        s.waitLo = 0;
        s.waitHi = 0;
        return ns === BAD_TIME ? -EINVAL : -EFAULT;
      }
      t.deadline(ns === 0 ? 0 : t.kernel.time.monotonicNs() + ns);
    }
  }
  const got = s.dequeue(t, ~s.waitLo, ~s.waitHi);
  if (got === null && t.call.deadlineNs === 0) {
    s.waitLo = 0;
    s.waitHi = 0;
    return -EAGAIN;
  }
  if (got === null) {
    const r = t.park();
    if (r === BLOCKED) return BLOCKED;
    s.waitLo = 0;
    s.waitHi = 0;
    return r !== TIMED_OUT ? -EINTR : -EAGAIN;
  }
  s.waitLo = 0;
  s.waitHi = 0;
  if (info !== 0) {
    encodeSigInfo(scratch, scratchView, 0, got);
    if (t.mm.copyOutExact(info, scratch, 0, SIZEOF_SIGINFO) !== 0) return -EFAULT;
  }
  return got.signo;
}

/** Implements rt_sigreturn(2). */
function rt_sigreturn(t: Task): number {
  if (!popSignalFrame(t)) t.kernel.signals.forceSegv(t);
  return NO_RESULT;
}

/** Implements sigaltstack(2). */
function sigaltstack(t: Task, ss: number, oss: number): number {
  const s = t.signals;
  const sp = t.ctx.regs.get(RSP);
  const oldSp = s.altSp;
  const oldSize = s.altSize;
  const oldFlags =
    (oldSize === 0 ? SS_DISABLE : onAltStack(s, sp) ? SS_ONSTACK : 0) | (s.altFlags & 0x80000000);
  if (ss !== 0) {
    if (t.mm.copyInExact(ss, scratch, 0, SIZEOF_STACK) !== 0) return -EFAULT;
    const r = setAltStack(
      s,
      sp,
      getU64(scratchView, 0),
      scratchView.getUint32(STACK_SS_FLAGS, true),
      getU64(scratchView, STACK_SS_SIZE),
      MIN_STACK,
    );
    if (r !== 0) return r === 1 ? -EPERM : r === 2 ? -EINVAL : -ENOMEM;
  }
  if (oss === 0) return 0;
  scratch.fill(0, 0, SIZEOF_STACK);
  putU64(scratchView, 0, oldSp);
  scratchView.setInt32(STACK_SS_FLAGS, oldFlags, true);
  putU64(scratchView, STACK_SS_SIZE, oldSize);
  return t.mm.copyOutExact(oss, scratch, 0, SIZEOF_STACK) !== 0 ? -EFAULT : 0;
}

const HOW = ONE_OF('how', [
  ['SIG_BLOCK', SIG_BLOCK],
  ['SIG_UNBLOCK', SIG_UNBLOCK],
  ['SIG_SETMASK', SIG_SETMASK],
]);
const SIGSET = STRUCT('sigset_t');
const SIGSET_OUT = STRUCT('sigset_t', true);

export const rows = [
  sys(SYS_rt_sigaction, [SIGNO, STRUCT('sigaction'), STRUCT('sigaction', true), SIZE], rt_sigaction),
  sys(SYS_rt_sigprocmask, [HOW, SIGSET, SIGSET_OUT, SIZE], rt_sigprocmask),
  sys(SYS_rt_sigpending, [SIGSET_OUT, SIZE], rt_sigpending),
  sys(SYS_rt_sigsuspend, [SIGSET, SIZE], rt_sigsuspend),
  sys(SYS_rt_sigtimedwait, [SIGSET, STRUCT('siginfo_t', true), STRUCT('timespec'), SIZE], rt_sigtimedwait),
  sys(SYS_rt_sigreturn, [], rt_sigreturn),
  sys(SYS_sigaltstack, [STRUCT('stack_t'), STRUCT('stack_t', true)], sigaltstack),
  sys(SYS_pause, [], pause),
];
