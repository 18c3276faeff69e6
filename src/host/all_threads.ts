// Makes a list of system calls on every thread of this process: for what Linux keeps per thread, such as capabilities and
// Landlock's domains, in a process whose threads are V8's and libuv's. Each gets a signal whose handler, machine code, makes
// the calls wherever the thread is, and it goes on as if nothing had been.

import { EAGAIN, EINTR, ENOENT, ESRCH, ETIMEDOUT } from '../abi/errno.ts';
import { DIRENT64_D_NAME, DIRENT64_D_RECLEN } from '../abi/fs/dirent.ts';
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from '../abi/fs/fcntl.ts';
import { FUTEX_PRIVATE_FLAG, FUTEX_WAIT } from '../abi/ipc/futex.ts';
import {
  SA_RESTART,
  SA_RESTORER,
  SIGACTION_SA_FLAGS,
  SIGACTION_SA_HANDLER,
  SIGACTION_SA_MASK,
  SIGACTION_SA_RESTORER,
  SIZEOF_SIGACTION,
} from '../abi/signal/signal.ts';
import {
  SYS_close,
  SYS_futex,
  SYS_getdents64,
  SYS_getpid,
  SYS_gettid,
  SYS_lseek,
  SYS_openat,
  SYS_rt_sigaction,
  SYS_tgkill,
} from '../abi/syscall.ts';
import { putU64 } from '../abi/u64.ts';
import {
  ALL_THREADS_CODE,
  CALL_SIZE,
  CALLS_AT,
  COUNT_AT,
  DONE_AT,
  MAX_CALLS,
  MAX_THREADS,
  SHARED_SIZE,
  SLOT_DONE,
  SLOT_FAILURE,
  SLOT_SIZE,
  SLOTS_AT,
} from './all_threads.image.ts';
import { HostBuffer } from './buffer.ts';
import { monotonicNs } from './clock.ts';
import { installCode } from './ffi.ts';
import type { ChildCall } from './spawn.ts';
import { hostCall } from './syscall.ts';

/**
 * SIGSETXID of glibc, a signal of musl's own: both leave it out of every mask that a program asks them to set, so that it
 * reaches threads which block all others (Node.js has one). glibc does the same with it, for setuid(2).
 */
const SIG_EVERYWHERE = 33;
const SIGSET_SIZE = 8;
const LIST_SIZE = 16384;
/** Threads may come and go meanwhile: they are listed anew when not all have answered by then. */
const SLICE_NS = 20e6;
/** Place of the word of a ChildCall that says that it may fail. */
const MAY_FAIL = 7;

let shared: HostBuffer | null = null;
let handlerAddr = 0;
let restorerAddr = 0;

function setUp(): HostBuffer {
  if (shared !== null) return shared;
  shared = HostBuffer.alloc(SHARED_SIZE);
  const bytes = ALL_THREADS_CODE.bytes.slice();
  putU64(new DataView(bytes.buffer), ALL_THREADS_CODE.labels.shared!, shared.addr);
  const at = installCode({ bytes, labels: ALL_THREADS_CODE.labels });
  handlerAddr = at('handler');
  restorerAddr = at('restorer');
  return shared;
}

function writeCalls(s: HostBuffer, calls: readonly ChildCall[]): void {
  putU64(s.view, COUNT_AT, calls.length);
  for (let i = 0; i < calls.length; i++)
    for (let j = 0; j <= MAY_FAIL; j++)
      s.view.setBigInt64(CALLS_AT + i * CALL_SIZE + j * 8, BigInt(calls[i]![j] ?? 0), true);
}

/** Makes the calls on the calling thread: 0, or -errno of the one that failed and may not. */
function here(calls: readonly ChildCall[]): number {
  for (const c of calls) {
    const r = hostCall(c[0]!, c[1], c[2], c[3], c[4], c[5], c[6]);
    if (r < 0 && c[MAY_FAIL] !== 1) return r;
  }
  return 0;
}

/** The threads of this process by proc_pid_task(5), into `into`; 0 or -errno. */
function listThreads(fd: number, list: HostBuffer, into: Set<number>): number {
  into.clear();
  let r = hostCall(SYS_lseek, fd, 0, 0);
  for (;;) {
    if (r >= 0) r = hostCall(SYS_getdents64, fd, list.addr, list.size);
    if (r <= 0) return r;
    for (let at = 0; at < r; at += list.view.getUint16(at + DIRENT64_D_RECLEN, true)) {
      let tid = 0;
      for (let p = at + DIRENT64_D_NAME; list.u8[p] !== 0; p++) tid = tid * 10 + list.u8[p]! - 0x30;
      // "." and ".." are no numbers.
      if (tid > 0) into.add(tid);
    }
  }
}

/** The run of one list of calls. */
class Run {
  private readonly s: HostBuffer;
  private readonly pid: number;
  private readonly untilNs: number;
  private readonly timeout: HostBuffer = HostBuffer.alloc(16);
  /** Threads that have a slot, in the slots' order. */
  private readonly asked: number[] = [];

  constructor(s: HostBuffer, pid: number, limitMs: number) {
    this.s = s;
    this.pid = pid;
    this.untilNs = monotonicNs() + limitMs * 1e6;
  }

  get isOver(): boolean {
    return monotonicNs() >= this.untilNs;
  }

  /** Gives a thread a slot and the signal: 1 when it is somebody new, 0 when not; or -errno. */
  ask(tid: number): number {
    if (this.asked.includes(tid)) return 0;
    if (this.asked.length === MAX_THREADS) return -EAGAIN;
    const slot = SLOTS_AT + this.asked.length * SLOT_SIZE;
    this.asked.push(tid);
    this.s.view.setUint32(slot, tid, true);
    const r = hostCall(SYS_tgkill, this.pid, tid, SIG_EVERYWHERE);
    return r === 0 || r === -ESRCH ? 1 : r;
  }

  /** Waits for a while until all threads of `alive` are done: 0, 1 when they are not yet, or -errno of one's call. */
  finish(alive: ReadonlySet<number>): number {
    const { view, addr } = this.s;
    const until = Math.min(this.untilNs, monotonicNs() + SLICE_NS);
    for (;;) {
      const seen = view.getUint32(DONE_AT, true);
      let missing = false;
      for (let i = 0; i < this.asked.length; i++) {
        const slot = SLOTS_AT + i * SLOT_SIZE;
        if (view.getUint32(slot + SLOT_DONE, true) === 0) missing ||= alive.has(this.asked[i]!);
        else if (view.getBigInt64(slot + SLOT_FAILURE, true) !== 0n)
          return Number(view.getBigInt64(slot + SLOT_FAILURE, true));
      }
      if (!missing) return 0;
      const leftNs = until - monotonicNs();
      if (leftNs <= 0) return 1;
      putU64(this.timeout.view, 8, Math.floor(leftNs));
      const r = hostCall(SYS_futex, addr + DONE_AT, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, seen, this.timeout.addr);
      if (r < 0 && r !== -EAGAIN && r !== -EINTR && r !== -ETIMEDOUT) return r;
    }
  }
}

/**
 * Makes `calls` in order on every thread of this process, first on the calling one: when a call fails there, nobody else makes
 * any. The number of threads, or -errno of the first call that failed and may not (spawn.ts: optional()); -ETIMEDOUT
 * when a thread did not answer within `limitMs`, -ENOENT where /proc does not list them. After a failure some threads may have made them.
 */
export function onAllThreads(calls: readonly ChildCall[], limitMs = 1000): number {
  if (calls.length > MAX_CALLS) throw new Error('onAllThreads: too many calls');
  const list = HostBuffer.alloc(LIST_SIZE);
  const fd = hostCall(
    SYS_openat,
    AT_FDCWD,
    list.putString('/proc/self/task'),
    O_RDONLY | O_DIRECTORY | O_CLOEXEC,
  );
  if (fd < 0) return fd;
  const s = setUp();
  s.u8.fill(0);
  writeCalls(s, calls);
  const own = hostCall(SYS_gettid);
  let r = here(calls);
  if (r === 0) r = signalAll(s, fd, list, own, limitMs);
  hostCall(SYS_close, fd);
  return r;
}

function signalAll(s: HostBuffer, fd: number, list: HostBuffer, own: number, limitMs: number): number {
  const action = HostBuffer.alloc(2 * SIZEOF_SIGACTION);
  const before = action.addr + SIZEOF_SIGACTION;
  putU64(action.view, SIGACTION_SA_HANDLER, handlerAddr);
  putU64(action.view, SIGACTION_SA_FLAGS, SA_RESTORER | SA_RESTART);
  putU64(action.view, SIGACTION_SA_RESTORER, restorerAddr);
  // Nothing else comes between the calls.
  action.u8.fill(0xff, SIGACTION_SA_MASK, SIGACTION_SA_MASK + SIGSET_SIZE);
  let r = hostCall(SYS_rt_sigaction, SIG_EVERYWHERE, action.addr, before, SIGSET_SIZE);
  if (r < 0) return r;
  const run = new Run(s, hostCall(SYS_getpid), limitMs);
  const alive = new Set<number>();
  while (!run.isOver) {
    r = listThreads(fd, list, alive);
    // A /proc of another PID namespace has other numbers.
    if (r >= 0 && !alive.has(own)) r = -ENOENT;
    let added = 0;
    for (const tid of alive) {
      if (r < 0 || tid === own) continue;
      r = run.ask(tid);
      added += Math.max(r, 0);
    }
    if (r >= 0) r = run.finish(alive);
    if (r < 0) return r;
    // Who was new may have made others before it had its turn.
    if (r > 0 || added > 0) continue;
    // Nobody has the signal any more. After a failure somebody may, and the handler stays.
    hostCall(SYS_rt_sigaction, SIG_EVERYWHERE, before, 0, SIGSET_SIZE);
    return alive.size;
  }
  return -ETIMEDOUT;
}
