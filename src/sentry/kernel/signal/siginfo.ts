// SigInfo: what one signal instance carries (siginfo_t), and its encoding for the guest: sigaction(2).

import {
  SIGINFO_SI_ADDR,
  SIGINFO_SI_ADDR_LSB,
  SIGINFO_SI_ARCH,
  SIGINFO_SI_BAND,
  SIGINFO_SI_CALL_ADDR,
  SIGINFO_SI_CODE,
  SIGINFO_SI_ERRNO,
  SIGINFO_SI_FD,
  SIGINFO_SI_OVERRUN,
  SIGINFO_SI_PID,
  SIGINFO_SI_SIGNO,
  SIGINFO_SI_STATUS,
  SIGINFO_SI_STIME,
  SIGINFO_SI_SYSCALL,
  SIGINFO_SI_TID,
  SIGINFO_SI_UID,
  SIGINFO_SI_UTIME,
  SIGINFO_SI_VALUE,
  SIZEOF_SIGINFO,
} from '../../../abi/signal/siginfo.ts';
import { SI_KERNEL, SI_TKILL, SI_USER } from '../../../abi/signal/signal.ts';
import { putU64 } from '../../../abi/u64.ts';
import type { UserCount } from '../task/users.ts';
import type { PosixTimer } from '../time/posix_timer.ts';

/** What a queued signal takes of its user's account, in bytes. */
export const SIGNAL_BYTES = 256;

/** Which arm of siginfo_t's union is meant. */
export const SIL_KILL = 0;
export const SIL_TIMER = 1;
export const SIL_RT = 2;
export const SIL_CHLD = 3;
export const SIL_FAULT = 4;
export const SIL_POLL = 5;
export const SIL_SYS = 6;
/** Bytes that a guest gave to rt_sigqueueinfo(2). */
export const SIL_RAW = 7;

export class SigInfo {
  signo: number;
  code: number;
  layout: number;
  errno = 0;
  pid = 0;
  uid = 0;
  /** SIGCHLD. Times in clock ticks. */
  status = 0;
  utime = 0;
  stime = 0;
  /** Faults: si_addr, signed as addresses above 2^63 are; SIGSYS: si_call_addr. */
  addr = 0;
  addrLsb = 0;
  valueLo = 0;
  valueHi = 0;
  /** SIL_TIMER: the timer, told when its signal is taken. */
  timer: PosixTimer | null = null;
  timerId = 0;
  overrun = 0;
  band = 0;
  fd = 0;
  syscall = 0;
  arch = 0;
  /** SIL_RAW: the 112 bytes from offset 16 on. */
  raw: Uint8Array | null = null;
  /** Whose RLIMIT_SIGPENDING this instance counts against while queued. */
  user: UserCount | null = null;
  /** Next instance of the same signal in a queue. */
  next: SigInfo | null = null;
  /** Sent by force: init and blocked signals make no exception. */
  forced = false;

  constructor(signo: number, code: number, layout: number) {
    this.signo = signo;
    this.code = code;
    this.layout = layout;
  }
}

/** A signal from the kernel itself: si_code SI_KERNEL. */
export function kernelInfo(sig: number): SigInfo {
  return new SigInfo(sig, SI_KERNEL, SIL_KILL);
}

/** A signal as kill(2) sends it. */
export function userInfo(sig: number, pid: number, uid: number, code = SI_USER): SigInfo {
  const info = new SigInfo(sig, code, SIL_KILL);
  info.pid = pid;
  info.uid = uid;
  return info;
}

/** A signal as tkill(2) sends it. */
export function tkillInfo(sig: number, pid: number, uid: number): SigInfo {
  return userInfo(sig, pid, uid, SI_TKILL);
}

/** A fault signal: SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP. */
export function faultInfo(sig: number, code: number, addr: number): SigInfo {
  const info = new SigInfo(sig, code, code === SI_KERNEL ? SIL_KILL : SIL_FAULT);
  info.addr = addr;
  return info;
}

/** Writes siginfo_t (128 bytes). */
export function encodeSigInfo(bytes: Uint8Array, view: DataView, off: number, s: SigInfo): void {
  bytes.fill(0, off, off + SIZEOF_SIGINFO);
  view.setInt32(off + SIGINFO_SI_SIGNO, s.signo, true);
  view.setInt32(off + SIGINFO_SI_ERRNO, s.errno, true);
  view.setInt32(off + SIGINFO_SI_CODE, s.code, true);
  switch (s.layout) {
    case SIL_TIMER:
      view.setInt32(off + SIGINFO_SI_TID, s.timerId, true);
      view.setInt32(off + SIGINFO_SI_OVERRUN, s.overrun, true);
      putValue(view, off, s);
      break;
    case SIL_RT:
      view.setInt32(off + SIGINFO_SI_PID, s.pid, true);
      view.setUint32(off + SIGINFO_SI_UID, s.uid, true);
      putValue(view, off, s);
      break;
    case SIL_CHLD:
      view.setInt32(off + SIGINFO_SI_PID, s.pid, true);
      view.setUint32(off + SIGINFO_SI_UID, s.uid, true);
      view.setInt32(off + SIGINFO_SI_STATUS, s.status, true);
      putU64(view, off + SIGINFO_SI_UTIME, s.utime);
      putU64(view, off + SIGINFO_SI_STIME, s.stime);
      break;
    case SIL_FAULT:
      putU64(view, off + SIGINFO_SI_ADDR, s.addr);
      view.setUint16(off + SIGINFO_SI_ADDR_LSB, s.addrLsb, true);
      break;
    case SIL_POLL:
      putU64(view, off + SIGINFO_SI_BAND, s.band);
      view.setInt32(off + SIGINFO_SI_FD, s.fd, true);
      break;
    case SIL_SYS:
      putU64(view, off + SIGINFO_SI_CALL_ADDR, s.addr);
      view.setInt32(off + SIGINFO_SI_SYSCALL, s.syscall, true);
      view.setUint32(off + SIGINFO_SI_ARCH, s.arch, true);
      break;
    case SIL_RAW:
      if (s.raw !== null) bytes.set(s.raw, off + 16);
      break;
    default:
      view.setInt32(off + SIGINFO_SI_PID, s.pid, true);
      view.setUint32(off + SIGINFO_SI_UID, s.uid, true);
      break;
  }
}

function putValue(view: DataView, off: number, s: SigInfo): void {
  view.setUint32(off + SIGINFO_SI_VALUE, s.valueLo, true);
  view.setUint32(off + SIGINFO_SI_VALUE + 4, s.valueHi, true);
}
