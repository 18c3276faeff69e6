// fork(2), vfork(2), clone(2), clone3(2).

import { E2BIG, EFAULT, EINVAL } from '../../../abi/errno.ts';
import {
  CLONE_ARGS_SIZE_VER0,
  CLONE_DETACHED,
  CLONE_PARENT,
  CLONE_PARENT_SETTID,
  CLONE_PIDFD,
  CLONE_SIGHAND,
  CLONE_THREAD,
  CLONE_VFORK,
  CLONE_VM,
  CSIGNAL,
  decodeCloneArgs,
  SIZEOF_CLONE_ARGS,
} from '../../../abi/process/sched.ts';
import { SIGCHLD } from '../../../abi/signal/signal.ts';
import { SYS_clone, SYS_clone3, SYS_fork, SYS_vfork } from '../../../abi/syscall.ts';
import { PAGE_SIZE } from '../../base/page.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { CLONE_CLEAR_SIGHAND_HI, CloneRequest, cloneTask } from '../../kernel/task/clone.ts';
import { begun } from '../../kernel/task/holds.ts';
import { PID_MAX } from '../../kernel/task/pids.ts';
import type { Task } from '../../kernel/task/task.ts';
import { ADDR, CLONE_FLAGS, SIZE, STRUCT } from '../kinds.ts';
import { sys } from '../row.ts';

/** CLONE_INTO_CGROUP, in the high word. */
const CLONE_INTO_CGROUP_HI = 2;
const CLONE_NEWTIME = 0x80;
/** Levels of nested pid namespaces in Linux, the bound of set_tid_size. */
const MAX_PID_NS_LEVEL = 32;
const request = new CloneRequest();

function reset(flags: number, exitSignal: number): CloneRequest {
  request.flags = flags;
  request.flagsHi = 0;
  request.exitSignal = exitSignal;
  request.sp = 0;
  request.parentTid = 0;
  request.childTid = 0;
  request.tls = 0;
  request.pidfd = 0;
  request.wantedTid = 0;
  return request;
}

/** Implements fork(2). */
function fork(t: Task): number {
  return cloneTask(t, reset(0, SIGCHLD));
}

/** Implements vfork(2). */
function vfork(t: Task): number {
  return cloneTask(t, reset(CLONE_VFORK | CLONE_VM, SIGCHLD));
}

/** Implements clone(2). The exit signal is not checked there: an impossible one is never sent. */
function clone(t: Task, flags: number, sp: number, ptid: number, ctid: number, tls: number): number {
  const exitSignal = flags & CSIGNAL;
  const r = reset(flags & ~CSIGNAL, exitSignal > 64 ? 0 : exitSignal);
  r.sp = sp;
  r.parentTid = ptid;
  r.pidfd = ptid;
  r.childTid = ctid;
  r.tls = tls;
  // The two would write to the same place.
  if ((flags & CLONE_PIDFD) !== 0 && (flags & CLONE_PARENT_SETTID) !== 0) return -EINVAL;
  return cloneTask(t, r);
}

/** Implements clone3(2). */
function clone3(t: Task, addr: number, size: number): number {
  if (begun(t)) return cloneTask(t, request);
  if (size < 0 || size > PAGE_SIZE) return -E2BIG;
  if (size < CLONE_ARGS_SIZE_VER0) return -EINVAL;
  scratch.fill(0, 0, SIZEOF_CLONE_ARGS);
  if (t.mm.copyInExact(addr, scratch, 0, size) !== 0) return -EFAULT;
  // A newer program may pass a longer struct as long as it asks for nothing that is unknown here.
  for (let i = SIZEOF_CLONE_ARGS; i < size; i++) if (scratch[i] !== 0) return -E2BIG;
  const lo = scratchView.getUint32(0, true);
  const hi = scratchView.getUint32(4, true);
  const args = decodeCloneArgs(scratchView, 0);
  if (args.setTidSize > MAX_PID_NS_LEVEL) return -EINVAL;
  if ((args.setTid === 0) !== (args.setTidSize === 0)) return -EINVAL;
  if (args.exitSignal > 64) return -EINVAL;
  if ((hi & ~(CLONE_CLEAR_SIGHAND_HI | CLONE_INTO_CGROUP_HI)) !== 0) return -EINVAL;
  // There are no control groups, so no descriptor can name one.
  if ((hi & CLONE_INTO_CGROUP_HI) !== 0) return -EINVAL;
  if ((lo & (CLONE_DETACHED | (CSIGNAL & ~CLONE_NEWTIME))) !== 0) return -EINVAL;
  if ((lo & CLONE_SIGHAND) !== 0 && (hi & CLONE_CLEAR_SIGHAND_HI) !== 0) return -EINVAL;
  if ((lo & (CLONE_THREAD | CLONE_PARENT)) !== 0 && args.exitSignal !== 0) return -EINVAL;
  if ((args.stack === 0) !== (args.stackSize === 0)) return -EINVAL;
  if ((lo & CLONE_NEWTIME) !== 0) return -EINVAL;
  const r = reset(lo | 0, args.exitSignal);
  r.flagsHi = hi;
  r.sp = args.stack + args.stackSize;
  r.parentTid = args.parentTid;
  r.childTid = args.childTid;
  r.pidfd = args.pidfd;
  r.tls = args.tls;
  if (args.setTidSize > 0) {
    // One pid namespace: one number at most.
    if (args.setTidSize > 1) return -EINVAL;
    if (t.mm.copyInExact(args.setTid, scratch, 0, 4) !== 0) return -EFAULT;
    r.wantedTid = scratchView.getInt32(0, true);
    if (r.wantedTid < 1 || r.wantedTid >= PID_MAX) return -EINVAL;
  }
  return cloneTask(t, r);
}

export const rows = [
  sys(SYS_fork, [], fork),
  sys(SYS_vfork, [], vfork),
  sys(
    SYS_clone,
    [CLONE_FLAGS, ADDR, ADDR, ADDR, ADDR],
    clone,
    'new namespaces: mounts, UTS, IPC and network',
  ),
  sys(
    SYS_clone3,
    [STRUCT('clone_args'), SIZE],
    clone3,
    'new namespaces: mounts, UTS, IPC and network; no control groups',
  ),
];
