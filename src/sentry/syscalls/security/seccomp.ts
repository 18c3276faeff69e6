// seccomp(2), and prctl(2)'s older way to the same.

import { EACCES, EFAULT, EINVAL, ENOMEM, EOPNOTSUPP, ESRCH } from '../../../abi/errno.ts';
import {
  BPF_MAXINSNS,
  decodeSockFprog,
  SIZEOF_SOCK_FILTER,
  SIZEOF_SOCK_FPROG,
} from '../../../abi/process/bpf_filter.ts';
import { CAP_SYS_ADMIN } from '../../../abi/process/capability.ts';
import {
  SECCOMP_FILTER_FLAG_LOG,
  SECCOMP_FILTER_FLAG_NEW_LISTENER,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_FILTER_FLAG_TSYNC_ESRCH,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
  SECCOMP_GET_ACTION_AVAIL,
  SECCOMP_GET_NOTIF_SIZES,
  SECCOMP_MODE_DISABLED,
  SECCOMP_MODE_FILTER,
  SECCOMP_MODE_STRICT,
  SECCOMP_NOTIF_SIZES_SECCOMP_DATA,
  SECCOMP_NOTIF_SIZES_SECCOMP_NOTIF,
  SECCOMP_NOTIF_SIZES_SECCOMP_NOTIF_RESP,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_LOG,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_TRAP,
  SECCOMP_SET_MODE_FILTER,
  SECCOMP_SET_MODE_STRICT,
  SIZEOF_SECCOMP_DATA,
  SIZEOF_SECCOMP_NOTIF,
  SIZEOF_SECCOMP_NOTIF_RESP,
  SIZEOF_SECCOMP_NOTIF_SIZES,
} from '../../../abi/process/seccomp.ts';
import { SYS_seccomp } from '../../../abi/syscall.ts';
import { BpfFilter } from '../../base/bpf.ts';
import { kernelMemory } from '../../base/charge.ts';
import { countUnsupported } from '../../base/log.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { anyHold, awaitHold } from '../../kernel/task/holds.ts';
import { SeccompChain, SeccompState } from '../../kernel/task/seccomp.ts';
import type { Task } from '../../kernel/task/task.ts';
import { ADDR, FLAGS, ONE_OF } from '../kinds.ts';
import { sys } from '../row.ts';

const FILTER_FLAGS =
  SECCOMP_FILTER_FLAG_TSYNC |
  SECCOMP_FILTER_FLAG_LOG |
  SECCOMP_FILTER_FLAG_SPEC_ALLOW |
  SECCOMP_FILTER_FLAG_NEW_LISTENER |
  SECCOMP_FILTER_FLAG_TSYNC_ESRCH |
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
/** What SECCOMP_GET_ACTION_AVAIL knows. */
const ACTIONS: ReadonlySet<number> = new Set([
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_LOG,
  SECCOMP_RET_ALLOW,
]);

/** A thread may not leave a mode for another. */
function mayEnter(t: Task, mode: number): boolean {
  return t.seccomp === null || t.seccomp.mode === mode;
}

function stateOf(t: Task): SeccompState {
  t.seccomp ??= new SeccompState();
  return t.seccomp;
}

function setStrict(t: Task): number {
  if (!mayEnter(t, SECCOMP_MODE_STRICT)) return -EINVAL;
  stateOf(t).mode = SECCOMP_MODE_STRICT;
  return 0;
}

/** Reads and checks the struct sock_fprog at `addr`: the filter, or -errno. */
function readFilter(t: Task, addr: number): BpfFilter | number {
  if (t.mm.copyInExact(addr, scratch, 0, SIZEOF_SOCK_FPROG) !== 0) return -EFAULT;
  const { len, filter: at } = decodeSockFprog(scratchView, 0);
  if (len === 0 || len > BPF_MAXINSNS) return -EINVAL;
  if (!t.cred.noNewPrivs && !t.cred.capable(CAP_SYS_ADMIN)) return -EACCES;
  if (at === 0) return -EINVAL;
  if (t.mm.copyInExact(at, scratch, 0, len * SIZEOF_SOCK_FILTER) !== 0) return -EFAULT;
  return BpfFilter.forSeccomp(scratchView, len) ?? -EINVAL;
}

/** A thread of the process whose filters the caller's do not extend, so that it cannot be given them; null for none. */
function strayThread(t: Task): Task | null {
  const own = t.seccomp === null ? null : t.seccomp.chain;
  for (const other of t.group.threads) {
    if (other === t || other.dead || other.seccomp === null) continue;
    if (other.seccomp.mode !== SECCOMP_MODE_FILTER) return other;
    if (own === null ? other.seccomp.chain !== null : !own.extends(other.seccomp.chain)) return other;
  }
  return null;
}

/** SECCOMP_FILTER_FLAG_TSYNC: every thread of the process takes the caller's filters, and its no_new_privs. */
function syncThreads(t: Task, chain: SeccompChain): void {
  for (const other of t.group.threads) {
    if (other === t || other.dead) continue;
    const s = stateOf(other);
    other.pay(chain.bytes - s.bytes);
    s.mode = SECCOMP_MODE_FILTER;
    s.chain = chain;
    if (!t.cred.noNewPrivs || other.cred.noNewPrivs) continue;
    const c = other.cred.clone();
    c.noNewPrivs = true;
    other.cred = c;
  }
}

function setFilter(t: Task, flags: number, addr: number): number {
  if ((flags & ~FILTER_FLAGS) !== 0) return -EINVAL;
  const sync = (flags & SECCOMP_FILTER_FLAG_TSYNC) !== 0;
  if ((flags & (SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)) !== 0) {
    countUnsupported('seccomp user notification');
    return -EINVAL;
  }
  // A thread that takes a new program has its rights from what filters it had.
  const wait = sync && anyHold() ? awaitHold(t, t.group) : 0;
  if (wait !== 0) return wait;
  const filter = readFilter(t, addr);
  if (typeof filter === 'number') return filter;
  if (!mayEnter(t, SECCOMP_MODE_FILTER)) return -EINVAL;
  const chain = new SeccompChain(filter, t.seccomp === null ? null : t.seccomp.chain);
  const before = t.seccomp === null ? 0 : t.seccomp.bytes;
  if (chain.tooLong || !kernelMemory.fits(chain.bytes - before)) return -ENOMEM;
  if (sync) {
    const stray = strayThread(t);
    if (stray !== null) return (flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH) !== 0 ? -ESRCH : stray.tid;
  }
  const s = stateOf(t);
  s.mode = SECCOMP_MODE_FILTER;
  s.chain = chain;
  t.pay(chain.bytes - before);
  if (sync) syncThreads(t, chain);
  return 0;
}

function actionAvailable(t: Task, addr: number): number {
  if (t.mm.copyInExact(addr, scratch, 0, 4) !== 0) return -EFAULT;
  return ACTIONS.has(scratchView.getUint32(0, true)) ? 0 : -EOPNOTSUPP;
}

function notifSizes(t: Task, addr: number): number {
  scratchView.setUint16(SECCOMP_NOTIF_SIZES_SECCOMP_NOTIF, SIZEOF_SECCOMP_NOTIF, true);
  scratchView.setUint16(SECCOMP_NOTIF_SIZES_SECCOMP_NOTIF_RESP, SIZEOF_SECCOMP_NOTIF_RESP, true);
  scratchView.setUint16(SECCOMP_NOTIF_SIZES_SECCOMP_DATA, SIZEOF_SECCOMP_DATA, true);
  return t.mm.copyOutExact(addr, scratch, 0, SIZEOF_SECCOMP_NOTIF_SIZES) !== 0 ? -EFAULT : 0;
}

/** Implements seccomp(2). */
function seccomp(t: Task, op: number, flags: number, args: number): number {
  switch (op) {
    case SECCOMP_SET_MODE_STRICT:
      return flags !== 0 || args !== 0 ? -EINVAL : setStrict(t);
    case SECCOMP_SET_MODE_FILTER:
      return setFilter(t, flags, args);
    case SECCOMP_GET_ACTION_AVAIL:
      return flags !== 0 ? -EINVAL : actionAvailable(t, args);
    case SECCOMP_GET_NOTIF_SIZES:
      return flags !== 0 ? -EINVAL : notifSizes(t, args);
  }
  return -EINVAL;
}

/** PR_SET_SECCOMP. */
export function prctlSeccomp(t: Task, mode: number, filter: number): number {
  if (mode === SECCOMP_MODE_STRICT) return setStrict(t);
  return mode === SECCOMP_MODE_FILTER ? setFilter(t, 0, filter) : -EINVAL;
}

/** PR_GET_SECCOMP. */
export function seccompMode(t: Task): number {
  return t.seccomp === null ? SECCOMP_MODE_DISABLED : t.seccomp.mode;
}

const OP = ONE_OF('op', [
  ['SECCOMP_SET_MODE_STRICT', SECCOMP_SET_MODE_STRICT],
  ['SECCOMP_SET_MODE_FILTER', SECCOMP_SET_MODE_FILTER],
  ['SECCOMP_GET_ACTION_AVAIL', SECCOMP_GET_ACTION_AVAIL],
  ['SECCOMP_GET_NOTIF_SIZES', SECCOMP_GET_NOTIF_SIZES],
]);
const FLAG_NAMES = FLAGS('flags', [
  ['SECCOMP_FILTER_FLAG_TSYNC', SECCOMP_FILTER_FLAG_TSYNC],
  ['SECCOMP_FILTER_FLAG_LOG', SECCOMP_FILTER_FLAG_LOG],
  ['SECCOMP_FILTER_FLAG_SPEC_ALLOW', SECCOMP_FILTER_FLAG_SPEC_ALLOW],
  ['SECCOMP_FILTER_FLAG_NEW_LISTENER', SECCOMP_FILTER_FLAG_NEW_LISTENER],
  ['SECCOMP_FILTER_FLAG_TSYNC_ESRCH', SECCOMP_FILTER_FLAG_TSYNC_ESRCH],
]);

export const rows = [sys(SYS_seccomp, [OP, FLAG_NAMES, ADDR], seccomp, 'no user notification; no tracing')];
