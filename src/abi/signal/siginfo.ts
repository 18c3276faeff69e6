/** What a signal carries (siginfo_t): <stddef.h>, <asm/siginfo.h>. */

import { zeroFill } from '../bytes.ts';
import { getI64, getU64, putU64 } from '../u64.ts';
import {
  BUS_MCEERR_AO,
  BUS_MCEERR_AR,
  NSIGBUS,
  NSIGCHLD,
  NSIGFPE,
  NSIGILL,
  NSIGPOLL,
  NSIGSEGV,
  NSIGSYS,
  NSIGTRAP,
  SEGV_BNDERR,
  SEGV_PKUERR,
  SI_KERNEL,
  SI_SIGIO,
  SI_TIMER,
  SI_USER,
  SIGBUS,
  SIGCHLD,
  SIGFPE,
  SIGILL,
  SIGPOLL,
  SIGSEGV,
  SIGSYS,
  SIGTRAP,
  TRAP_PERF,
} from './signal.ts';

/** Layout of siginfo_t. */
export const SIZEOF_SIGINFO = 128;
export const SIGINFO_SI_SIGNO = 0;
export const SIGINFO_SI_ERRNO = 4;
export const SIGINFO_SI_CODE = 8;
export const SIGINFO_SI_PID = 16;
export const SIGINFO_SI_UID = 20;
export const SIGINFO_SI_TID = 16;
export const SIGINFO_SI_OVERRUN = 20;
export const SIGINFO_SI_VALUE = 24;
export const SIGINFO_SI_STATUS = 24;
export const SIGINFO_SI_UTIME = 32;
export const SIGINFO_SI_STIME = 40;
export const SIGINFO_SI_ADDR = 16;
export const SIGINFO_SI_TRAPNO = 24;
export const SIGINFO_SI_ADDR_LSB = 24;
export const SIGINFO_SI_LOWER = 32;
export const SIGINFO_SI_UPPER = 40;
export const SIGINFO_SI_PKEY = 32;
export const SIGINFO_SI_PERF_DATA = 24;
export const SIGINFO_SI_PERF_TYPE = 32;
export const SIGINFO_SI_PERF_FLAGS = 36;
export const SIGINFO_SI_BAND = 16;
export const SIGINFO_SI_FD = 24;
export const SIGINFO_SI_CALL_ADDR = 16;
export const SIGINFO_SI_SYSCALL = 24;
export const SIGINFO_SI_ARCH = 28;

/** Which member of siginfo_t's union is in use. */
export const SIL_KILL = 0;
export const SIL_TIMER = 1;
export const SIL_POLL = 2;
export const SIL_FAULT = 3;
export const SIL_FAULT_MCEERR = 4;
export const SIL_FAULT_BNDERR = 5;
export const SIL_FAULT_PKUERR = 6;
export const SIL_FAULT_PERF_EVENT = 7;
export const SIL_CHLD = 8;
export const SIL_RT = 9;
export const SIL_SYS = 10;

/** The union member that a signal with this code uses: sigaction(2), "The siginfo_t argument". */
export function siginfoLayout(signo: number, code: number): number {
  if (code > SI_USER && code < SI_KERNEL) {
    switch (signo) {
      case SIGILL:
        if (code <= NSIGILL) return SIL_FAULT;
        break;
      case SIGFPE:
        if (code <= NSIGFPE) return SIL_FAULT;
        break;
      case SIGSEGV:
        if (code === SEGV_BNDERR) return SIL_FAULT_BNDERR;
        if (code === SEGV_PKUERR) return SIL_FAULT_PKUERR;
        if (code <= NSIGSEGV) return SIL_FAULT;
        break;
      case SIGBUS:
        if (code === BUS_MCEERR_AR || code === BUS_MCEERR_AO) return SIL_FAULT_MCEERR;
        if (code <= NSIGBUS) return SIL_FAULT;
        break;
      case SIGTRAP:
        if (code === TRAP_PERF) return SIL_FAULT_PERF_EVENT;
        if (code <= NSIGTRAP) return SIL_FAULT;
        break;
      case SIGCHLD:
        if (code <= NSIGCHLD) return SIL_CHLD;
        break;
      case SIGSYS:
        if (code <= NSIGSYS) return SIL_SYS;
        break;
      case SIGPOLL:
        if (code <= NSIGPOLL) return SIL_POLL;
        break;
    }
    // F_SETSIG sends POLL_* codes with a signal of the program's choice.
    return code <= NSIGPOLL ? SIL_POLL : SIL_KILL;
  }
  if (code === SI_TIMER) return SIL_TIMER;
  if (code === SI_SIGIO) return SIL_POLL;
  return code < 0 ? SIL_RT : SIL_KILL;
}

/** Every field that some siginfo_t has. Those outside the layout in use are ignored by encode and 0 from decode. */
export type Siginfo = {
  signo: number;
  errno: number;
  code: number;
  /** Sender; the child for SIGCHLD. */
  pid: number;
  uid: number;
  /** Exit code or signal of the child. */
  status: number;
  /** Child's processor time in clock ticks. */
  utime: number;
  stime: number;
  /** sigqueue(3)'s and timers' value: the program's own 64 bits. */
  valueLo: number;
  valueHi: number;
  timerid: number;
  overrun: number;
  /** Faulting address; of the call for SIGSYS. */
  addr: number;
  addrLsb: number;
  lower: number;
  upper: number;
  pkey: number;
  band: number;
  fd: number;
  syscall: number;
  arch: number;
};

/** A Siginfo whose other fields are 0. */
export function newSiginfo(signo: number, code: number): Siginfo {
  return {
    signo,
    errno: 0,
    code,
    pid: 0,
    uid: 0,
    status: 0,
    utime: 0,
    stime: 0,
    valueLo: 0,
    valueHi: 0,
    timerid: 0,
    overrun: 0,
    addr: 0,
    addrLsb: 0,
    lower: 0,
    upper: 0,
    pkey: 0,
    band: 0,
    fd: 0,
    syscall: 0,
    arch: 0,
  };
}

export function encodeSiginfo(view: DataView, off: number, s: Siginfo): void {
  zeroFill(view, off, SIZEOF_SIGINFO);
  view.setInt32(off + SIGINFO_SI_SIGNO, s.signo, true);
  view.setInt32(off + SIGINFO_SI_ERRNO, s.errno, true);
  view.setInt32(off + SIGINFO_SI_CODE, s.code, true);
  const layout = siginfoLayout(s.signo, s.code);
  switch (layout) {
    case SIL_TIMER:
      view.setInt32(off + SIGINFO_SI_TID, s.timerid, true);
      view.setInt32(off + SIGINFO_SI_OVERRUN, s.overrun, true);
      putValue(view, off, s);
      break;
    case SIL_POLL:
      putU64(view, off + SIGINFO_SI_BAND, s.band);
      view.setInt32(off + SIGINFO_SI_FD, s.fd, true);
      break;
    case SIL_CHLD:
      putSender(view, off, s);
      view.setInt32(off + SIGINFO_SI_STATUS, s.status, true);
      putU64(view, off + SIGINFO_SI_UTIME, s.utime);
      putU64(view, off + SIGINFO_SI_STIME, s.stime);
      break;
    case SIL_RT:
      putSender(view, off, s);
      putValue(view, off, s);
      break;
    case SIL_SYS:
      putU64(view, off + SIGINFO_SI_CALL_ADDR, s.addr);
      view.setInt32(off + SIGINFO_SI_SYSCALL, s.syscall, true);
      view.setUint32(off + SIGINFO_SI_ARCH, s.arch, true);
      break;
    case SIL_KILL:
      putSender(view, off, s);
      break;
    default:
      putU64(view, off + SIGINFO_SI_ADDR, s.addr);
      if (layout === SIL_FAULT_MCEERR) view.setInt16(off + SIGINFO_SI_ADDR_LSB, s.addrLsb, true);
      if (layout === SIL_FAULT_BNDERR) {
        putU64(view, off + SIGINFO_SI_LOWER, s.lower);
        putU64(view, off + SIGINFO_SI_UPPER, s.upper);
      }
      if (layout === SIL_FAULT_PKUERR) view.setUint32(off + SIGINFO_SI_PKEY, s.pkey, true);
  }
}

export function decodeSiginfo(view: DataView, off: number): Siginfo {
  const s = newSiginfo(
    view.getInt32(off + SIGINFO_SI_SIGNO, true),
    view.getInt32(off + SIGINFO_SI_CODE, true),
  );
  s.errno = view.getInt32(off + SIGINFO_SI_ERRNO, true);
  const layout = siginfoLayout(s.signo, s.code);
  switch (layout) {
    case SIL_TIMER:
      s.timerid = view.getInt32(off + SIGINFO_SI_TID, true);
      s.overrun = view.getInt32(off + SIGINFO_SI_OVERRUN, true);
      getValue(view, off, s);
      break;
    case SIL_POLL:
      s.band = getI64(view, off + SIGINFO_SI_BAND);
      s.fd = view.getInt32(off + SIGINFO_SI_FD, true);
      break;
    case SIL_CHLD:
      getSender(view, off, s);
      s.status = view.getInt32(off + SIGINFO_SI_STATUS, true);
      s.utime = getI64(view, off + SIGINFO_SI_UTIME);
      s.stime = getI64(view, off + SIGINFO_SI_STIME);
      break;
    case SIL_RT:
      getSender(view, off, s);
      getValue(view, off, s);
      break;
    case SIL_SYS:
      s.addr = getU64(view, off + SIGINFO_SI_CALL_ADDR);
      s.syscall = view.getInt32(off + SIGINFO_SI_SYSCALL, true);
      s.arch = view.getUint32(off + SIGINFO_SI_ARCH, true);
      break;
    case SIL_KILL:
      getSender(view, off, s);
      break;
    default:
      s.addr = getU64(view, off + SIGINFO_SI_ADDR);
      if (layout === SIL_FAULT_MCEERR) s.addrLsb = view.getInt16(off + SIGINFO_SI_ADDR_LSB, true);
      if (layout === SIL_FAULT_BNDERR) {
        s.lower = getU64(view, off + SIGINFO_SI_LOWER);
        s.upper = getU64(view, off + SIGINFO_SI_UPPER);
      }
      if (layout === SIL_FAULT_PKUERR) s.pkey = view.getUint32(off + SIGINFO_SI_PKEY, true);
  }
  return s;
}

function putSender(view: DataView, off: number, s: Siginfo): void {
  view.setInt32(off + SIGINFO_SI_PID, s.pid, true);
  view.setUint32(off + SIGINFO_SI_UID, s.uid, true);
}

function getSender(view: DataView, off: number, s: Siginfo): void {
  s.pid = view.getInt32(off + SIGINFO_SI_PID, true);
  s.uid = view.getUint32(off + SIGINFO_SI_UID, true);
}

function putValue(view: DataView, off: number, s: Siginfo): void {
  view.setUint32(off + SIGINFO_SI_VALUE, s.valueLo, true);
  view.setUint32(off + SIGINFO_SI_VALUE + 4, s.valueHi, true);
}

function getValue(view: DataView, off: number, s: Siginfo): void {
  s.valueLo = view.getUint32(off + SIGINFO_SI_VALUE, true);
  s.valueHi = view.getUint32(off + SIGINFO_SI_VALUE + 4, true);
}
