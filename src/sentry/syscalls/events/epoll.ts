// epoll_create(2), epoll_create1(2), epoll_ctl(2), epoll_wait(2), epoll_pwait(2), epoll_pwait2(2).

import { EBADF, EFAULT, EINTR, EINVAL, EPERM } from '../../../abi/errno.ts';
import {
  EPOLL_CLOEXEC,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLIN,
  SIZEOF_EPOLL_EVENT,
} from '../../../abi/events/epoll.ts';
import {
  SYS_epoll_create,
  SYS_epoll_create1,
  SYS_epoll_ctl,
  SYS_epoll_pwait,
  SYS_epoll_pwait2,
  SYS_epoll_wait,
} from '../../../abi/syscall.ts';
import { getI64 } from '../../../abi/u64.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { EpollFile } from '../../fs/epoll/epoll.ts';
import { BLOCKED, TIMED_OUT } from '../../kernel/block.ts';
import { anyHold, awaitHold, endHolds, hold, isHeld } from '../../kernel/task/holds.ts';
import type { Task } from '../../kernel/task/task.ts';
import { AnonInode, anonInodeFs } from '../../vfs/anon.ts';
import { fdget } from '../fdget.ts';
import { installNew } from '../install.ts';
import { ADDR, FD, FLAGS, INT, ONE_OF, SIZE, STRUCT } from '../kinds.ts';
import { sys } from '../row.ts';
import { waitWithMask } from '../sigset.ts';

const MAX_EVENTS = Math.floor(0x7fffffff / SIZEOF_EPOLL_EVENT);
const NS_PER_MS = 1e6;
const NS_PER_SEC = 1e9;
/** First address that no guest memory has. */
const TASK_SIZE = 0x7fff_ffff_f000;

/** Implements epoll_create1(2). -EINVAL, -EMFILE. */
function epoll_create1(t: Task, flags: number): number {
  if ((flags & ~EPOLL_CLOEXEC) !== 0) return -EINVAL;
  const file = new EpollFile(new AnonInode(anonInodeFs, 0o600, t));
  return installNew(t, file, (flags & EPOLL_CLOEXEC) !== 0);
}

/** Implements epoll_create(2): the size is only checked. */
function epoll_create(t: Task, size: number): number {
  return size <= 0 ? -EINVAL : epoll_create1(t, 0);
}

/** Implements epoll_ctl(2). -EBADF, -EEXIST, -EFAULT, -EINVAL, -ELOOP, -ENOENT, -EPERM. */
function epoll_ctl(t: Task, epfd: number, op: number, fd: number, eventAddr: number): number {
  let events = 0;
  let dataLo = 0;
  let dataHi = 0;
  if (op !== EPOLL_CTL_DEL) {
    if (t.mem.copyInExact(eventAddr, scratch, 0, SIZEOF_EPOLL_EVENT) !== 0) return -EFAULT;
    events = scratchView.getUint32(0, true);
    dataLo = scratchView.getUint32(4, true);
    dataHi = scratchView.getUint32(8, true);
  }
  const ep = fdget(t, epfd);
  const file = fdget(t, fd);
  if (ep === null || file === null) return -EBADF;
  if (!(ep instanceof EpollFile)) return file.queue() === null ? -EPERM : -EINVAL;
  return ep.ctl(op, fd, file, events, dataLo, dataHi);
}

/** The call will run again. */
function toWait(t: Task, epfd: number, ep: EpollFile, timeoutNs: number): void {
  t.pin(epfd, ep);
  if (timeoutNs > 0) t.deadline(t.time.monotonicNs() + timeoutNs);
}

/** Between slices: `call.done` counts the events that are written. Others do not collect meanwhile. */
const IN_SLICES = 1;

/** The events that there are, in slices. */
function collect(t: Task, epfd: number, ep: EpollFile, addr: number, max: number, timeoutNs: number): number {
  const { call } = t;
  const goesOn = call.a === IN_SLICES;
  if (!goesOn) {
    if (anyHold() && isHeld(t, ep)) {
      toWait(t, epfd, ep, timeoutNs);
      return awaitHold(t, ep);
    }
    ep.startCollecting();
  }
  const n = ep.collect(t.mem, addr, max, goesOn ? call.done : 0);
  if (ep.unfinished) {
    toWait(t, epfd, ep, timeoutNs);
    hold(t, ep);
    call.a = IN_SLICES;
    call.done = n;
    if (t.giveWay() === BLOCKED) return BLOCKED;
  }
  if (call.a === IN_SLICES) {
    call.a = 0;
    endHolds(t);
  }
  return n;
}

/** What the epoll_wait variants share; a timeout below 0 waits for ever. */
function wait(t: Task, epfd: number, addr: number, max: number, timeoutNs: number): number {
  if (max <= 0 || max > MAX_EVENTS) return -EINVAL;
  if (addr < 0 || addr + max * SIZEOF_EPOLL_EVENT > TASK_SIZE) return -EFAULT;
  const ep = fdget(t, epfd);
  if (ep === null) return -EBADF;
  if (!(ep instanceof EpollFile)) return -EINVAL;
  const n = collect(t, epfd, ep, addr, max, timeoutNs);
  if (n !== 0 || timeoutNs === 0) return n;
  toWait(t, epfd, ep, timeoutNs);
  const r = t.block(ep.queue(), EPOLLIN);
  if (r === BLOCKED) return BLOCKED;
  return r === TIMED_OUT ? 0 : -EINTR;
}

/** Implements epoll_wait(2); the timeout is in milliseconds. */
function epoll_wait(t: Task, epfd: number, events: number, max: number, timeoutMs: number): number {
  return wait(t, epfd, events, max, timeoutMs * NS_PER_MS);
}

/** Implements epoll_pwait(2). */
function epoll_pwait(
  t: Task,
  epfd: number,
  events: number,
  max: number,
  timeoutMs: number,
  mask: number,
  maskSize: number,
): number {
  const r = waitWithMask(t, mask, maskSize);
  return r < 0 ? r : wait(t, epfd, events, max, timeoutMs * NS_PER_MS);
}

/** Implements epoll_pwait2(2): the timeout is a struct timespec, or NULL to wait for ever. */
function epoll_pwait2(
  t: Task,
  epfd: number,
  events: number,
  max: number,
  timeout: number,
  mask: number,
  maskSize: number,
): number {
  let timeoutNs = -1;
  if (timeout !== 0) {
    if (t.mem.copyInExact(timeout, scratch, 0, 16) !== 0) return -EFAULT;
    const sec = getI64(scratchView, 0);
    const nsec = getI64(scratchView, 8);
    if (sec < 0 || nsec < 0 || nsec >= NS_PER_SEC) return -EINVAL;
    timeoutNs = sec * NS_PER_SEC + nsec;
  }
  const r = waitWithMask(t, mask, maskSize);
  return r < 0 ? r : wait(t, epfd, events, max, timeoutNs);
}

const CREATE_FLAGS = FLAGS('flags', [['EPOLL_CLOEXEC', EPOLL_CLOEXEC]]);
const OP = ONE_OF('op', [
  ['EPOLL_CTL_ADD', EPOLL_CTL_ADD],
  ['EPOLL_CTL_DEL', EPOLL_CTL_DEL],
  ['EPOLL_CTL_MOD', EPOLL_CTL_MOD],
]);
const EVENT = STRUCT('struct epoll_event');
const EVENTS_OUT = STRUCT('struct epoll_event[]', true);
const TIMESPEC = STRUCT('struct timespec');

export const rows = [
  sys(SYS_epoll_create, [INT], epoll_create),
  sys(SYS_epoll_create1, [CREATE_FLAGS], epoll_create1),
  sys(SYS_epoll_ctl, [FD, OP, FD, EVENT], epoll_ctl, 'EPOLLWAKEUP has no effect'),
  sys(SYS_epoll_wait, [FD, EVENTS_OUT, INT, INT], epoll_wait),
  sys(SYS_epoll_pwait, [FD, EVENTS_OUT, INT, INT, ADDR, SIZE], epoll_pwait),
  sys(SYS_epoll_pwait2, [FD, EVENTS_OUT, INT, TIMESPEC, ADDR, SIZE], epoll_pwait2),
];
