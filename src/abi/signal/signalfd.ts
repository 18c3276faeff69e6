/** signalfd4(2) flags: <linux/signalfd.h>. */

import { zeroFill } from '../bytes.ts';
import { putU64 } from '../u64.ts';

export const SFD_CLOEXEC = 0o2000000;
export const SFD_NONBLOCK = 0o4000;

/** Layout of struct signalfd_siginfo. */
export const SIZEOF_SIGNALFD_SIGINFO = 128;
export const SIGNALFD_SIGINFO_SSI_SIGNO = 0;
export const SIGNALFD_SIGINFO_SSI_ERRNO = 4;
export const SIGNALFD_SIGINFO_SSI_CODE = 8;
export const SIGNALFD_SIGINFO_SSI_PID = 12;
export const SIGNALFD_SIGINFO_SSI_UID = 16;
export const SIGNALFD_SIGINFO_SSI_FD = 20;
export const SIGNALFD_SIGINFO_SSI_TID = 24;
export const SIGNALFD_SIGINFO_SSI_BAND = 28;
export const SIGNALFD_SIGINFO_SSI_OVERRUN = 32;
export const SIGNALFD_SIGINFO_SSI_TRAPNO = 36;
export const SIGNALFD_SIGINFO_SSI_STATUS = 40;
export const SIGNALFD_SIGINFO_SSI_INT = 44;
export const SIGNALFD_SIGINFO_SSI_PTR = 48;
export const SIGNALFD_SIGINFO_SSI_UTIME = 56;
export const SIGNALFD_SIGINFO_SSI_STIME = 64;
export const SIGNALFD_SIGINFO_SSI_ADDR = 72;
export const SIGNALFD_SIGINFO_SSI_ADDR_LSB = 80;
export const SIGNALFD_SIGINFO_SSI_SYSCALL = 84;
export const SIGNALFD_SIGINFO_SSI_CALL_ADDR = 88;
export const SIGNALFD_SIGINFO_SSI_ARCH = 96;

/** read(2) from a signalfd. */
export type SignalfdSiginfo = {
  signo: number;
  errno: number;
  code: number;
  pid: number;
  uid: number;
  fd: number;
  tid: number;
  band: number;
  overrun: number;
  trapno: number;
  status: number;
  int: number;
  ptrLo: number;
  ptrHi: number;
  utime: number;
  stime: number;
  addr: number;
  addrLsb: number;
  syscall: number;
  callAddr: number;
  arch: number;
};

export function encodeSignalfdSiginfo(view: DataView, off: number, s: SignalfdSiginfo): void {
  view.setUint32(off + SIGNALFD_SIGINFO_SSI_SIGNO, s.signo, true);
  view.setInt32(off + SIGNALFD_SIGINFO_SSI_ERRNO, s.errno, true);
  view.setInt32(off + SIGNALFD_SIGINFO_SSI_CODE, s.code, true);
  view.setUint32(off + SIGNALFD_SIGINFO_SSI_PID, s.pid, true);
  view.setUint32(off + SIGNALFD_SIGINFO_SSI_UID, s.uid, true);
  view.setInt32(off + SIGNALFD_SIGINFO_SSI_FD, s.fd, true);
  view.setUint32(off + SIGNALFD_SIGINFO_SSI_TID, s.tid, true);
  view.setUint32(off + SIGNALFD_SIGINFO_SSI_BAND, s.band, true);
  view.setUint32(off + SIGNALFD_SIGINFO_SSI_OVERRUN, s.overrun, true);
  view.setUint32(off + SIGNALFD_SIGINFO_SSI_TRAPNO, s.trapno, true);
  view.setInt32(off + SIGNALFD_SIGINFO_SSI_STATUS, s.status, true);
  view.setInt32(off + SIGNALFD_SIGINFO_SSI_INT, s.int, true);
  view.setUint32(off + SIGNALFD_SIGINFO_SSI_PTR, s.ptrLo, true);
  view.setUint32(off + SIGNALFD_SIGINFO_SSI_PTR + 4, s.ptrHi, true);
  putU64(view, off + SIGNALFD_SIGINFO_SSI_UTIME, s.utime);
  putU64(view, off + SIGNALFD_SIGINFO_SSI_STIME, s.stime);
  putU64(view, off + SIGNALFD_SIGINFO_SSI_ADDR, s.addr);
  view.setUint16(off + SIGNALFD_SIGINFO_SSI_ADDR_LSB, s.addrLsb, true);
  view.setUint16(off + 82, 0, true); // padding
  view.setInt32(off + SIGNALFD_SIGINFO_SSI_SYSCALL, s.syscall, true);
  putU64(view, off + SIGNALFD_SIGINFO_SSI_CALL_ADDR, s.callAddr);
  view.setUint32(off + SIGNALFD_SIGINFO_SSI_ARCH, s.arch, true);
  zeroFill(view, off + 100, 28); // padding
}
