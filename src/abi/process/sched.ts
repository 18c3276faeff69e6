/** clone(2) flags and scheduling policies: <linux/sched.h>, <linux/sched/types.h>. */

import { getU64, putU64 } from '../u64.ts';

export const CSIGNAL = 0xff;

export const CLONE_VM = 0x100;
export const CLONE_FS = 0x200;
export const CLONE_FILES = 0x400;
export const CLONE_SIGHAND = 0x800;
export const CLONE_PIDFD = 0x1000;
export const CLONE_PTRACE = 0x2000;
export const CLONE_VFORK = 0x4000;
export const CLONE_PARENT = 0x8000;
export const CLONE_THREAD = 0x10000;
export const CLONE_NEWNS = 0x20000;
export const CLONE_SYSVSEM = 0x40000;
export const CLONE_SETTLS = 0x80000;
export const CLONE_PARENT_SETTID = 0x100000;
export const CLONE_CHILD_CLEARTID = 0x200000;
export const CLONE_DETACHED = 0x400000;
export const CLONE_UNTRACED = 0x800000;
export const CLONE_CHILD_SETTID = 0x1000000;
export const CLONE_NEWCGROUP = 0x2000000;
export const CLONE_NEWUTS = 0x4000000;
export const CLONE_NEWIPC = 0x8000000;
export const CLONE_NEWUSER = 0x10000000;
export const CLONE_NEWPID = 0x20000000;
export const CLONE_NEWNET = 0x40000000;
export const CLONE_IO = 0x80000000;
export const CLONE_CLEAR_SIGHAND = 0x100000000;
export const CLONE_INTO_CGROUP = 0x200000000;
export const CLONE_NEWTIME = 0x80;
export const CLONE_ARGS_SIZE_VER0 = 64;
export const CLONE_ARGS_SIZE_VER1 = 80;
export const CLONE_ARGS_SIZE_VER2 = 88;

export const SCHED_NORMAL = 0;
export const SCHED_FIFO = 1;
export const SCHED_RR = 2;
export const SCHED_BATCH = 3;
export const SCHED_IDLE = 5;
export const SCHED_DEADLINE = 6;
export const SCHED_RESET_ON_FORK = 0x40000000;
export const SCHED_FLAG_RESET_ON_FORK = 0x1;
export const SCHED_FLAG_RECLAIM = 0x2;
export const SCHED_FLAG_DL_OVERRUN = 0x4;
export const SCHED_FLAG_KEEP_POLICY = 0x8;
export const SCHED_FLAG_KEEP_PARAMS = 0x10;
export const SCHED_FLAG_UTIL_CLAMP_MIN = 0x20;
export const SCHED_FLAG_UTIL_CLAMP_MAX = 0x40;
export const SCHED_FLAG_KEEP_ALL = 0x18;
export const SCHED_FLAG_UTIL_CLAMP = 0x60;
export const SCHED_FLAG_ALL = 0x7f;
export const SCHED_ATTR_SIZE_VER0 = 48;
export const SCHED_ATTR_SIZE_VER1 = 56;

export const SCHED_EXT = 7;

/** Layout of struct clone_args. */
export const SIZEOF_CLONE_ARGS = 88;
export const CLONE_ARGS_FLAGS = 0;
export const CLONE_ARGS_PIDFD = 8;
export const CLONE_ARGS_CHILD_TID = 16;
export const CLONE_ARGS_PARENT_TID = 24;
export const CLONE_ARGS_EXIT_SIGNAL = 32;
export const CLONE_ARGS_STACK = 40;
export const CLONE_ARGS_STACK_SIZE = 48;
export const CLONE_ARGS_TLS = 56;
export const CLONE_ARGS_SET_TID = 64;
export const CLONE_ARGS_SET_TID_SIZE = 72;
export const CLONE_ARGS_CGROUP = 80;

/** clone3(2). */
export type CloneArgs = {
  flags: number;
  pidfd: number;
  childTid: number;
  parentTid: number;
  exitSignal: number;
  stack: number;
  stackSize: number;
  tls: number;
  setTid: number;
  setTidSize: number;
  cgroup: number;
};

export function decodeCloneArgs(view: DataView, off: number): CloneArgs {
  return {
    flags: getU64(view, off + CLONE_ARGS_FLAGS),
    pidfd: getU64(view, off + CLONE_ARGS_PIDFD),
    childTid: getU64(view, off + CLONE_ARGS_CHILD_TID),
    parentTid: getU64(view, off + CLONE_ARGS_PARENT_TID),
    exitSignal: getU64(view, off + CLONE_ARGS_EXIT_SIGNAL),
    stack: getU64(view, off + CLONE_ARGS_STACK),
    stackSize: getU64(view, off + CLONE_ARGS_STACK_SIZE),
    tls: getU64(view, off + CLONE_ARGS_TLS),
    setTid: getU64(view, off + CLONE_ARGS_SET_TID),
    setTidSize: getU64(view, off + CLONE_ARGS_SET_TID_SIZE),
    cgroup: getU64(view, off + CLONE_ARGS_CGROUP),
  };
}

/** Layout of struct sched_attr. */
export const SIZEOF_SCHED_ATTR = 56;
export const SCHED_ATTR_SIZE = 0;
export const SCHED_ATTR_SCHED_POLICY = 4;
export const SCHED_ATTR_SCHED_FLAGS = 8;
export const SCHED_ATTR_SCHED_NICE = 16;
export const SCHED_ATTR_SCHED_PRIORITY = 20;
export const SCHED_ATTR_SCHED_RUNTIME = 24;
export const SCHED_ATTR_SCHED_DEADLINE = 32;
export const SCHED_ATTR_SCHED_PERIOD = 40;
export const SCHED_ATTR_SCHED_UTIL_MIN = 48;
export const SCHED_ATTR_SCHED_UTIL_MAX = 52;

/** sched_setattr(2). */
export type SchedAttr = {
  size: number;
  policy: number;
  flags: number;
  nice: number;
  priority: number;
  runtimeNs: number;
  deadlineNs: number;
  periodNs: number;
  utilMin: number;
  utilMax: number;
};

export function encodeSchedAttr(view: DataView, off: number, s: SchedAttr): void {
  view.setUint32(off + SCHED_ATTR_SIZE, s.size, true);
  view.setUint32(off + SCHED_ATTR_SCHED_POLICY, s.policy, true);
  putU64(view, off + SCHED_ATTR_SCHED_FLAGS, s.flags);
  view.setInt32(off + SCHED_ATTR_SCHED_NICE, s.nice, true);
  view.setUint32(off + SCHED_ATTR_SCHED_PRIORITY, s.priority, true);
  putU64(view, off + SCHED_ATTR_SCHED_RUNTIME, s.runtimeNs);
  putU64(view, off + SCHED_ATTR_SCHED_DEADLINE, s.deadlineNs);
  putU64(view, off + SCHED_ATTR_SCHED_PERIOD, s.periodNs);
  view.setUint32(off + SCHED_ATTR_SCHED_UTIL_MIN, s.utilMin, true);
  view.setUint32(off + SCHED_ATTR_SCHED_UTIL_MAX, s.utilMax, true);
}

export function decodeSchedAttr(view: DataView, off: number): SchedAttr {
  return {
    size: view.getUint32(off + SCHED_ATTR_SIZE, true),
    policy: view.getUint32(off + SCHED_ATTR_SCHED_POLICY, true),
    flags: getU64(view, off + SCHED_ATTR_SCHED_FLAGS),
    nice: view.getInt32(off + SCHED_ATTR_SCHED_NICE, true),
    priority: view.getUint32(off + SCHED_ATTR_SCHED_PRIORITY, true),
    runtimeNs: getU64(view, off + SCHED_ATTR_SCHED_RUNTIME),
    deadlineNs: getU64(view, off + SCHED_ATTR_SCHED_DEADLINE),
    periodNs: getU64(view, off + SCHED_ATTR_SCHED_PERIOD),
    utilMin: view.getUint32(off + SCHED_ATTR_SCHED_UTIL_MIN, true),
    utilMax: view.getUint32(off + SCHED_ATTR_SCHED_UTIL_MAX, true),
  };
}

/** Layout of struct sched_param. */
export const SIZEOF_SCHED_PARAM = 4;
export const SCHED_PARAM_SCHED_PRIORITY = 0;
