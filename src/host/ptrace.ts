// ptrace(2) and wait4(2) on the stub's threads, in as few crossings as possible.

import {
  PTRACE_CONT,
  PTRACE_GETREGSET,
  PTRACE_GETSIGINFO,
  PTRACE_INTERRUPT,
  PTRACE_PEEKSIGINFO,
  PTRACE_PEEKSIGINFO_ARGS_NR,
  PTRACE_SEIZE,
  PTRACE_SETREGS,
  PTRACE_SETREGSET,
  SIZEOF_PTRACE_PEEKSIGINFO_ARGS,
} from '../abi/process/ptrace.ts';
import { __WALL, WNOHANG } from '../abi/process/wait.ts';
import { SYS_ptrace, SYS_wait4 } from '../abi/syscall.ts';
import { HostBuffer } from './buffer.ts';
import { installCode, routine } from './ffi.ts';
import { PTRACE_CODE } from './ptrace.image.ts';
import { hostCall } from './syscall.ts';

const NT_X86_XSTATE = 0x202;

const at = installCode(PTRACE_CODE);
const resumeRoutine = routine(at('resume'), 'int vedette_resume(int tid, int64_t regs, int request)');
const getregsRoutine = routine(at('getregs'), 'int vedette_getregs(int tid, int64_t regs)');
const waitRoutine = routine(at('waitany'), 'int vedette_waitany(int64_t status, int options)');

const status = HostBuffer.alloc(16);
const statusWord = new Int32Array(status.buffer, 0, 1);
const iov = HostBuffer.alloc(16);

/** siginfo of the last ptraceSiginfo(). */
export const siginfo: HostBuffer = HostBuffer.alloc(128);

/** Attaches without stopping. */
export function ptraceSeize(tid: number, options: number): number {
  return hostCall(SYS_ptrace, PTRACE_SEIZE, tid, 0, options);
}

/** Asks a running tracee to stop with PTRACE_EVENT_STOP. */
export function ptraceInterrupt(tid: number): number {
  return hostCall(SYS_ptrace, PTRACE_INTERRUPT, tid, 0, 0);
}

/** Resumes with `request` (PTRACE_CONT, PTRACE_SYSEMU) and no signal, registers as they are. */
export function ptraceResume(tid: number, request: number = PTRACE_CONT): number {
  return hostCall(SYS_ptrace, request, tid, 0, 0);
}

/** Sets all registers from the user_regs_struct at host address `regs` and resumes with `request`. */
export function ptraceSetregsResume(tid: number, regs: number, request: number): number {
  return resumeRoutine(tid, regs, request);
}

/** Sets all registers from the user_regs_struct at host address `regs`. */
export function ptraceSetregs(tid: number, regs: number): number {
  return hostCall(SYS_ptrace, PTRACE_SETREGS, tid, 0, regs);
}

/** Reads all registers into the user_regs_struct at host address `regs`. */
export function ptraceGetregs(tid: number, regs: number): number {
  return getregsRoutine(tid, regs);
}

/** Reads the siginfo of a signal-delivery-stop into `siginfo`. */
export function ptraceSiginfo(tid: number): number {
  return hostCall(SYS_ptrace, PTRACE_GETSIGINFO, tid, 0, siginfo.addr);
}

const peekOne = HostBuffer.alloc(SIZEOF_PTRACE_PEEKSIGINFO_ARGS);
peekOne.view.setInt32(PTRACE_PEEKSIGINFO_ARGS_NR, 1, true);
const peeked = HostBuffer.alloc(128);

/** Is a signal of the stopped tracee's own, such as a fault's, still to be delivered to it? */
export function ptraceHasPendingSignal(tid: number): boolean {
  return hostCall(SYS_ptrace, PTRACE_PEEKSIGINFO, tid, peekOne.addr, peeked.addr) > 0;
}

/** Reads the XSAVE area of a stopped tracee into `to`; bytes or -errno. */
export function ptraceGetXstate(tid: number, to: HostBuffer): number {
  iov.view.setBigUint64(0, BigInt(to.addr), true);
  iov.view.setBigUint64(8, BigInt(to.size), true);
  const r = hostCall(SYS_ptrace, PTRACE_GETREGSET, tid, NT_X86_XSTATE, iov.addr);
  return r < 0 ? r : Number(iov.view.getBigUint64(8, true));
}

/** Sets the XSAVE area of a stopped tracee from the first `len` bytes of `from`. */
export function ptraceSetXstate(tid: number, from: HostBuffer, len: number): number {
  iov.view.setBigUint64(0, BigInt(from.addr), true);
  iov.view.setBigUint64(8, BigInt(len), true);
  return hostCall(SYS_ptrace, PTRACE_SETREGSET, tid, NT_X86_XSTATE, iov.addr);
}

/** The status of the last successful wait. */
export function waitStatus(): number {
  return statusWord[0]!;
}

/** Waits for any child or tracee; its tid, 0 when `block` is false and there is none, or -errno. */
export function waitAny(block: boolean): number {
  return waitRoutine(status.addr, block ? __WALL : __WALL | WNOHANG);
}

/** Waits for one child or tracee. */
export function waitFor(tid: number, block = true): number {
  return hostCall(SYS_wait4, tid, status.addr, block ? __WALL : __WALL | WNOHANG, 0);
}
