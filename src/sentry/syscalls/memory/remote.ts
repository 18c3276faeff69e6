// process_vm_readv(2), process_vm_writev(2), process_madvise(2).

import { EBADF, EFAULT, EINVAL, EPERM, ESRCH } from '../../../abi/errno.ts';
import { UIO_MAXIOV } from '../../../abi/fs/uio.ts';
import { MADV_COLD, MADV_COLLAPSE, MADV_PAGEOUT, MADV_WILLNEED } from '../../../abi/memory/mman.ts';
import { CAP_SYS_NICE } from '../../../abi/process/capability.ts';
import { SYS_process_madvise, SYS_process_vm_readv, SYS_process_vm_writev } from '../../../abi/syscall.ts';
import { BLOCKED, SLICE_BYTES } from '../../kernel/block.ts';
import { TASK_DEAD } from '../../kernel/states.ts';
import { PidFile } from '../../kernel/task/pidfd.ts';
import { mayPtrace } from '../../kernel/task/ptrace_access.ts';
import type { Task } from '../../kernel/task/task.ts';
import type { MemoryManager } from '../../mm/mm.ts';
import { FD, HEX, INT, PID, SIZE, STRUCT } from '../kinds.ts';
import { sys } from '../row.ts';
import { madviseOn } from './advice.ts';

const IOVEC_SIZE = 16;
const TWO32 = 0x1_0000_0000;
const CHUNK = 65536;

const raw = new Uint8Array(UIO_MAXIOV * IOVEC_SIZE);
const words = new Uint32Array(raw.buffer);
const remoteBases = new Float64Array(UIO_MAXIOV);
const remoteLens = new Float64Array(UIO_MAXIOV);
const buffer = new Uint8Array(CHUNK);

/** Copies in the remote array; total bytes, -EFAULT, or -EINVAL for a negative length. Its addresses are tried later. */
function readRemoteVector(t: Task, addr: number, count: number): number {
  if (t.mm.copyInExact(addr, raw, 0, count * IOVEC_SIZE) !== 0) return -EFAULT;
  let total = 0;
  for (let i = 0; i < count; i++) {
    if (words[i * 4 + 3]! >= 0x8000_0000) return -EINVAL;
    remoteBases[i] = words[i * 4 + 1]! * TWO32 + words[i * 4]!;
    remoteLens[i] = words[i * 4 + 3]! * TWO32 + words[i * 4 + 2]!;
    total += remoteLens[i]!;
  }
  return total;
}

function transfer(
  t: Task,
  pid: number,
  lvec: number,
  lcount: number,
  rvec: number,
  rcount: number,
  flags: number,
  write: boolean,
): number {
  if (flags !== 0) return -EINVAL;
  // The local array first, as Linux does; its Io stays aimed while only the other address space is touched by copies.
  const io = t.mm.iovec(lvec, lcount);
  if (typeof io === 'number') return io;
  if (io.remaining === 0) return 0;
  if (rcount < 0 || rcount > UIO_MAXIOV) return -EINVAL;
  const total = readRemoteVector(t, rvec, rcount);
  if (total < 0) return total;
  const target = t.kernel.pids.task(pid);
  if (target === null || target.state === TASK_DEAD) return -ESRCH;
  if (!mayPtrace(t, target)) return -EPERM;
  const mm: MemoryManager = target.mm;
  // What earlier slices of this call have moved.
  let passed = t.call.active ? t.call.done : 0;
  io.skip(passed);
  let done = passed;
  const end = done + SLICE_BYTES;
  for (let i = 0; i < rcount; i++) {
    let at = Math.min(passed, remoteLens[i]!);
    passed -= at;
    while (at < remoteLens[i]! && io.remaining > 0) {
      if (done >= end) {
        t.call.done = done;
        const w = t.giveWay();
        return w === BLOCKED ? w : done;
      }
      const n = Math.min(CHUNK, remoteLens[i]! - at, io.remaining);
      const addr = remoteBases[i]! + at;
      let moved: number;
      if (write) {
        const got = io.take(buffer, 0, n);
        if (got < 0) return done > 0 ? done : -EFAULT;
        moved = mm.writeRemote(addr, buffer, 0, got);
      } else {
        const got = mm.readRemote(addr, buffer, 0, n);
        moved = got < 0 ? got : io.put(buffer, 0, got);
      }
      if (moved > 0) done += moved;
      if (moved < n) return done > 0 ? done : -EFAULT;
      at += n;
    }
  }
  return done;
}

/** Implements process_vm_readv(2). */
function process_vm_readv(
  t: Task,
  pid: number,
  lvec: number,
  lcount: number,
  rvec: number,
  rcount: number,
  flags: number,
): number {
  return transfer(t, pid, lvec, lcount, rvec, rcount, flags, false);
}

/** Implements process_vm_writev(2). */
function process_vm_writev(
  t: Task,
  pid: number,
  lvec: number,
  lcount: number,
  rvec: number,
  rcount: number,
  flags: number,
): number {
  return transfer(t, pid, lvec, lcount, rvec, rcount, flags, true);
}

/** Advice that one process may give about another's memory. */
const REMOTE_ADVICE = [MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED, MADV_COLLAPSE];

/** Implements process_madvise(2): bytes advised. */
function process_madvise(
  t: Task,
  pidfd: number,
  vec: number,
  count: number,
  advice: number,
  flags: number,
): number {
  if (flags !== 0) return -EINVAL;
  if (count < 0 || count > UIO_MAXIOV) return -EINVAL;
  const total = readRemoteVector(t, vec, count);
  if (total < 0) return total;
  const file = t.file(pidfd);
  if (!(file instanceof PidFile)) return -EBADF;
  const target = file.group.anyThread();
  if (target === null) return -ESRCH;
  if (!mayPtrace(t, target)) return -EPERM;
  if (target.mm !== t.mm) {
    if (!REMOTE_ADVICE.includes(advice)) return -EINVAL;
    if (!t.cred.capable(CAP_SYS_NICE)) return -EPERM;
  }
  let done = 0;
  for (let i = 0; i < count; i++) {
    const r = madviseOn(t, target.mm, remoteBases[i]!, remoteLens[i]!, advice);
    if (r < 0) return done > 0 ? done : r;
    done += remoteLens[i]!;
  }
  return done;
}

const IOVEC = STRUCT('struct iovec[]');
const KINDS = [PID, IOVEC, SIZE, IOVEC, SIZE, INT];

export const rows = [
  sys(SYS_process_vm_readv, KINDS, process_vm_readv),
  sys(SYS_process_vm_writev, KINDS, process_vm_writev),
  sys(SYS_process_madvise, [FD, IOVEC, SIZE, INT, HEX], process_madvise),
];
