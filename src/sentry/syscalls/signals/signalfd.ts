// signalfd(2), signalfd4(2), and the file's view of the kernel's signal queues.

import { EBADF, EFAULT, EINVAL } from '../../../abi/errno.ts';
import {
  encodeSignalfdSiginfo,
  SFD_CLOEXEC,
  SFD_NONBLOCK,
  type SignalfdSiginfo,
} from '../../../abi/signal/signalfd.ts';
import { SYS_signalfd, SYS_signalfd4 } from '../../../abi/syscall.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import type { WaitQueue } from '../../base/wait.ts';
import { SignalFile } from '../../fs/signalfd/signalfd.ts';
import {
  SIL_CHLD,
  SIL_FAULT,
  SIL_KILL,
  SIL_POLL,
  SIL_RAW,
  SIL_RT,
  SIL_SYS,
  SIL_TIMER,
  type SigInfo,
} from '../../kernel/signal/siginfo.ts';
import { UNBLOCKABLE_LO } from '../../kernel/signal/state.ts';
import type { Task } from '../../kernel/task/task.ts';
import { AnonInode, anonInodeFs } from '../../vfs/anon.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { Inode } from '../../vfs/inode.ts';
import { fdget } from '../fdget.ts';
import { installNew } from '../install.ts';
import { FD, FLAGS, SIZE, STRUCT } from '../kinds.ts';
import { sys } from '../row.ts';
import { SIGSET_SIZE } from '../sigset.ts';

/** Whose signals poll() and the wait queue speak of: the process that made the file. read() takes the reader's. */
class TaskSignalFile extends SignalFile {
  private readonly maker: Task;

  constructor(inode: Inode, flags: number, maskLo: number, maskHi: number, maker: Task) {
    super(inode, flags, maskLo, maskHi);
    this.maker = maker;
  }

  protected override hasPending(): boolean {
    const t = this.maker.dead ? this.maker.group.anyThread() : this.maker;
    if (t === null) return false;
    const own = t.signals.pending;
    const shared = t.group.pending;
    return (((own.lo | shared.lo) & this.maskLo) | ((own.hi | shared.hi) & this.maskHi)) !== 0;
  }

  protected override takePending(ctx: VfsContext): boolean {
    const t = ctx as Task;
    const info = t.signals.dequeue(t, ~this.maskLo >>> 0, ~this.maskHi >>> 0);
    if (info === null) return false;
    encodeSignalfdSiginfo(scratchView, 0, toSignalfd(info));
    return true;
  }

  override queue(): WaitQueue {
    return this.maker.group.signalWait;
  }
}

/** struct signalfd_siginfo of one instance (signalfd_copyinfo in Linux). */
function toSignalfd(info: SigInfo): SignalfdSiginfo {
  const s: SignalfdSiginfo = {
    signo: info.signo,
    errno: info.errno,
    code: info.code,
    pid: 0,
    uid: 0,
    fd: 0,
    tid: 0,
    band: 0,
    overrun: 0,
    trapno: 0,
    status: 0,
    int: 0,
    ptrLo: 0,
    ptrHi: 0,
    utime: 0,
    stime: 0,
    addr: 0,
    addrLsb: 0,
    syscall: 0,
    callAddr: 0,
    arch: 0,
  };
  switch (info.layout) {
    case SIL_KILL:
      s.pid = info.pid;
      s.uid = info.uid;
      break;
    case SIL_TIMER:
      s.tid = info.timerId;
      s.overrun = info.overrun;
      setValue(s, info.valueLo, info.valueHi);
      break;
    case SIL_RT:
      s.pid = info.pid;
      s.uid = info.uid;
      setValue(s, info.valueLo, info.valueHi);
      break;
    case SIL_CHLD:
      s.pid = info.pid;
      s.uid = info.uid;
      s.status = info.status;
      s.utime = info.utime;
      s.stime = info.stime;
      break;
    case SIL_FAULT:
      s.addr = info.addr;
      s.addrLsb = info.addrLsb;
      break;
    case SIL_POLL:
      s.band = info.band;
      s.fd = info.fd;
      break;
    case SIL_SYS:
      s.callAddr = info.addr;
      s.syscall = info.syscall;
      s.arch = info.arch;
      break;
    case SIL_RAW:
      if (info.raw !== null) rawFields(s, info.raw);
      break;
  }
  return s;
}

/** rt_sigqueueinfo(2)'s bytes, from offset 16 of siginfo_t: pid, uid, value. */
function rawFields(s: SignalfdSiginfo, raw: Uint8Array): void {
  const v = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  s.pid = v.getInt32(0, true);
  s.uid = v.getUint32(4, true);
  setValue(s, v.getUint32(8, true), v.getUint32(12, true));
}

function setValue(s: SignalfdSiginfo, lo: number, hi: number): void {
  s.ptrLo = lo;
  s.ptrHi = hi;
  s.int = lo | 0;
}

/** Implements signalfd4(2). -EBADF, -EFAULT, -EINVAL, -EMFILE. */
function signalfd4(t: Task, fd: number, maskAddr: number, maskSize: number, flags: number): number {
  if (maskSize !== SIGSET_SIZE) return -EINVAL;
  if (t.mem.copyInExact(maskAddr, scratch, 0, SIGSET_SIZE) !== 0) return -EFAULT;
  const lo = (scratchView.getUint32(0, true) & ~UNBLOCKABLE_LO) >>> 0;
  const hi = scratchView.getUint32(4, true);
  if ((flags & ~(SFD_CLOEXEC | SFD_NONBLOCK)) !== 0) return -EINVAL;
  if (fd !== -1) {
    const old = fdget(t, fd);
    if (old === null) return -EBADF;
    if (!(old instanceof TaskSignalFile)) return -EINVAL;
    old.maskLo = lo;
    old.maskHi = hi;
    // Whoever waits looks again with the new set.
    old.queue().wake(~0);
    return fd;
  }
  const file = new TaskSignalFile(new AnonInode(anonInodeFs, 0o600, t), flags & SFD_NONBLOCK, lo, hi, t);
  return installNew(t, file, (flags & SFD_CLOEXEC) !== 0);
}

/** Implements signalfd(2). */
function signalfd(t: Task, fd: number, maskAddr: number, maskSize: number): number {
  return signalfd4(t, fd, maskAddr, maskSize, 0);
}

const SET = STRUCT('sigset_t');
const SFD_FLAGS = FLAGS('flags', [
  ['SFD_CLOEXEC', SFD_CLOEXEC],
  ['SFD_NONBLOCK', SFD_NONBLOCK],
]);
const NOTE = 'poll speaks of the creating process, also where another process holds the descriptor';

export const rows = [
  sys(SYS_signalfd, [FD, SET, SIZE], signalfd, NOTE),
  sys(SYS_signalfd4, [FD, SET, SIZE, SFD_FLAGS], signalfd4, NOTE),
];
