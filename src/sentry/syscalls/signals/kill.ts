// Sending signals: kill(2), tkill(2), tgkill(2), rt_sigqueueinfo(2), rt_tgsigqueueinfo(2), pidfd_send_signal(2).

import { EBADF, EFAULT, EINVAL, EPERM, ESRCH } from '../../../abi/errno.ts';
import {
  PIDFD_SIGNAL_PROCESS_GROUP,
  PIDFD_SIGNAL_THREAD,
  PIDFD_SIGNAL_THREAD_GROUP,
} from '../../../abi/process/pidfd.ts';
import { SIZEOF_SIGINFO } from '../../../abi/signal/siginfo.ts';
import { SI_TKILL, SI_USER } from '../../../abi/signal/signal.ts';
import {
  SYS_kill,
  SYS_pidfd_send_signal,
  SYS_rt_sigqueueinfo,
  SYS_rt_tgsigqueueinfo,
  SYS_tgkill,
  SYS_tkill,
} from '../../../abi/syscall.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { SIL_RAW, SigInfo, tkillInfo, userInfo } from '../../kernel/signal/siginfo.ts';
import { PidFile } from '../../kernel/task/pidfd.ts';
import type { ProcessGroup } from '../../kernel/task/session.ts';
import type { Task } from '../../kernel/task/task.ts';
import type { ThreadGroup } from '../../kernel/task/threadgroup.ts';
import { ADDR, FD, HEX, PID, SIGNO } from '../kinds.ts';
import { sys } from '../row.ts';

const INT_MIN = -0x8000_0000;
const INFO_BODY = 16;

function validSignal(sig: number): boolean {
  return sig >= 0 && sig <= 64;
}

/** Sends a plain kill to one process; signal 0 only asks whether it may be sent. */
function killGroup(t: Task, g: ThreadGroup, sig: number, oneOfMany = false): number {
  const { signals } = t.kernel;
  if (!signals.mayKill(t, g, sig)) return -EPERM;
  if (sig === 0) return 0;
  const info = userInfo(sig, t.tgid, t.cred.uid);
  return oneOfMany ? signals.sendToOneOfMany(g, info) : signals.sendToGroup(g, info);
}

/** Sends to every member of a group; success when one of them got it. */
function killPgrp(t: Task, pgrp: ProcessGroup | null, sig: number): number {
  if (pgrp === null) return -ESRCH;
  let result = -ESRCH;
  let sent = false;
  for (const g of [...pgrp.members]) {
    const r = killGroup(t, g, sig, true);
    if (r === 0) sent = true;
    else if (result === -ESRCH || r !== -EPERM) result = r;
  }
  return sent ? 0 : result;
}

/** kill(-1): every process but init and the caller. */
function killAll(t: Task, sig: number): number {
  let count = 0;
  let result = 0;
  for (const g of t.kernel.pids.groups()) {
    if (g === t.kernel.initGroup || g === t.group) continue;
    count++;
    const r = killGroup(t, g, sig, true);
    if (r !== -EPERM) result = r;
  }
  return count === 0 ? -ESRCH : result;
}

/** Implements kill(2). */
function kill(t: Task, pid: number, sig: number): number {
  const pids = t.kernel.pids;
  if (pid === INT_MIN) return -ESRCH;
  if (!validSignal(sig)) {
    // The target is looked up first, as Linux does.
    const exists = pid > 0 ? pids.task(pid) !== null : pid === 0 || pid === -1 || pids.pgrp(-pid) !== null;
    return exists ? -EINVAL : -ESRCH;
  }
  if (pid > 0) {
    const target = pids.task(pid);
    return target === null ? -ESRCH : killGroup(t, target.group, sig);
  }
  if (pid === 0) return killPgrp(t, t.group.pgrp, sig);
  if (pid === -1) return killAll(t, sig);
  return killPgrp(t, pids.pgrp(-pid), sig);
}

function sendToThread(t: Task, tgid: number, tid: number, sig: number, info: SigInfo): number {
  const target = t.kernel.pids.task(tid);
  if (target === null || (tgid > 0 && target.tgid !== tgid)) return -ESRCH;
  if (!validSignal(sig)) return -EINVAL;
  if (!t.kernel.signals.mayKill(t, target.group, sig)) return -EPERM;
  if (sig === 0 || target.dead) return 0;
  return t.kernel.signals.sendToTask(target, sig, info);
}

/** Implements tkill(2). */
function tkill(t: Task, tid: number, sig: number): number {
  if (tid <= 0) return -EINVAL;
  return sendToThread(t, 0, tid, sig, tkillInfo(sig, t.tgid, t.cred.uid));
}

/** Implements tgkill(2). */
function tgkill(t: Task, tgid: number, tid: number, sig: number): number {
  if (tgid <= 0 || tid <= 0) return -EINVAL;
  return sendToThread(t, tgid, tid, sig, tkillInfo(sig, t.tgid, t.cred.uid));
}

/** Reads a siginfo_t from the guest, with si_signo set to `sig`; -EFAULT. */
function readInfo(t: Task, addr: number, sig: number): SigInfo | number {
  if (t.mm.copyInExact(addr, scratch, 0, SIZEOF_SIGINFO) !== 0) return -EFAULT;
  const info = new SigInfo(sig, scratchView.getInt32(8, true), SIL_RAW);
  info.errno = scratchView.getInt32(4, true);
  info.raw = scratch.slice(INFO_BODY, SIZEOF_SIGINFO);
  return info;
}

/** Only the kernel may claim to be kill(2) or itself towards another process. */
function mayForge(t: Task, info: SigInfo, pid: number): boolean {
  return !(info.code >= 0 || info.code === SI_TKILL) || pid === t.tgid;
}

/** Implements rt_sigqueueinfo(2). */
function rt_sigqueueinfo(t: Task, pid: number, sig: number, addr: number): number {
  const info = readInfo(t, addr, sig);
  if (typeof info === 'number') return info;
  if (!mayForge(t, info, pid)) return -EPERM;
  if (pid <= 0) return -ESRCH;
  const target = t.kernel.pids.task(pid);
  if (target === null) return -ESRCH;
  if (!validSignal(sig)) return -EINVAL;
  if (!t.kernel.signals.mayKill(t, target.group, sig)) return -EPERM;
  if (sig === 0) return 0;
  return t.kernel.signals.sendToGroup(target.group, info);
}

/** Implements rt_tgsigqueueinfo(2). */
function rt_tgsigqueueinfo(t: Task, tgid: number, tid: number, sig: number, addr: number): number {
  const info = readInfo(t, addr, sig);
  if (typeof info === 'number') return info;
  if (tgid <= 0 || tid <= 0) return -EINVAL;
  if (!mayForge(t, info, tid)) return -EPERM;
  return sendToThread(t, tgid, tid, sig, info);
}

/** Implements pidfd_send_signal(2). */
function pidfd_send_signal(t: Task, fd: number, sig: number, addr: number, flags: number): number {
  const scopes = PIDFD_SIGNAL_THREAD | PIDFD_SIGNAL_THREAD_GROUP | PIDFD_SIGNAL_PROCESS_GROUP;
  if ((flags & ~scopes) !== 0 || (flags & (flags - 1)) !== 0) return -EINVAL;
  const file = t.file(fd);
  if (!(file instanceof PidFile)) return -EBADF;
  const g = file.group;
  let info: SigInfo | null = null;
  if (addr !== 0) {
    const read = readInfo(t, addr, sig);
    if (typeof read === 'number') return read;
    if (scratchView.getInt32(0, true) !== sig) return -EINVAL;
    if (!mayForge(t, read, g.tgid)) return -EPERM;
    info = read;
  }
  if (!validSignal(sig)) return -EINVAL;
  if (g.reaped) return -ESRCH;
  if ((flags & PIDFD_SIGNAL_PROCESS_GROUP) !== 0) return killPgrp(t, g.pgrp, sig);
  const toThread = (flags & PIDFD_SIGNAL_THREAD) !== 0 || (flags === 0 && file.thread !== null);
  if (toThread) {
    const target = file.thread ?? g.leader;
    if (target === null || target.dead) return -ESRCH;
    return sendToThread(t, g.tgid, target.tid, sig, info ?? tkillInfo(sig, t.tgid, t.cred.uid));
  }
  if (!t.kernel.signals.mayKill(t, g, sig)) return -EPERM;
  if (sig === 0) return 0;
  const plain = userInfo(sig, t.tgid, t.cred.uid, SI_USER);
  return t.kernel.signals.sendToGroup(g, info ?? plain);
}

export const rows = [
  sys(SYS_kill, [PID, SIGNO], kill),
  sys(SYS_tkill, [PID, SIGNO], tkill),
  sys(SYS_tgkill, [PID, PID, SIGNO], tgkill),
  sys(SYS_rt_sigqueueinfo, [PID, SIGNO, ADDR], rt_sigqueueinfo),
  sys(SYS_rt_tgsigqueueinfo, [PID, PID, SIGNO, ADDR], rt_tgsigqueueinfo),
  sys(SYS_pidfd_send_signal, [FD, SIGNO, ADDR, HEX], pidfd_send_signal),
];
