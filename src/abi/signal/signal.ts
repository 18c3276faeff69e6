/** Signal numbers, codes and action flags: <stddef.h>, <asm/signal.h>, <asm/siginfo.h>. */

import { zeroFill } from '../bytes.ts';
import { getU64, putU64 } from '../u64.ts';
import * as names from './signal.ts';

export const NSIG = 32;
export const SIGHUP = 1;
export const SIGINT = 2;
export const SIGQUIT = 3;
export const SIGILL = 4;
export const SIGTRAP = 5;
export const SIGABRT = 6;
export const SIGIOT = 6;
export const SIGBUS = 7;
export const SIGFPE = 8;
export const SIGKILL = 9;
export const SIGUSR1 = 10;
export const SIGSEGV = 11;
export const SIGUSR2 = 12;
export const SIGPIPE = 13;
export const SIGALRM = 14;
export const SIGTERM = 15;
export const SIGSTKFLT = 16;
export const SIGCHLD = 17;
export const SIGCONT = 18;
export const SIGSTOP = 19;
export const SIGTSTP = 20;
export const SIGTTIN = 21;
export const SIGTTOU = 22;
export const SIGURG = 23;
export const SIGXCPU = 24;
export const SIGXFSZ = 25;
export const SIGVTALRM = 26;
export const SIGPROF = 27;
export const SIGWINCH = 28;
export const SIGIO = 29;
export const SIGPOLL = 29;
export const SIGPWR = 30;
export const SIGSYS = 31;
export const SIGUNUSED = 31;
export const SIGRTMIN = 32;

export const SA_RESTORER = 0x4000000;
export const MINSIGSTKSZ = 2048;
export const SIGSTKSZ = 8192;

export const SA_NOCLDSTOP = 0x1;
export const SA_NOCLDWAIT = 0x2;
export const SA_SIGINFO = 0x4;
export const SA_UNSUPPORTED = 0x400;
export const SA_EXPOSE_TAGBITS = 0x800;
export const SA_ONSTACK = 0x8000000;
export const SA_RESTART = 0x10000000;
export const SA_NODEFER = 0x40000000;
export const SA_RESETHAND = 0x80000000;
export const SA_NOMASK = 0x40000000;
export const SA_ONESHOT = 0x80000000;

/** stack_t flags. */
export const SS_ONSTACK = 1;
export const SS_DISABLE = 2;
export const SS_AUTODISARM = 0x80000000;

export const SIG_BLOCK = 0;
export const SIG_UNBLOCK = 1;
export const SIG_SETMASK = 2;

export const SI_USER = 0;
export const SI_KERNEL = 0x80;
export const SI_QUEUE = -1;
export const SI_TIMER = -2;
export const SI_MESGQ = -3;
export const SI_ASYNCIO = -4;
export const SI_SIGIO = -5;
export const SI_TKILL = -6;
export const SI_DETHREAD = -7;
export const SI_ASYNCNL = -60;

export const ILL_ILLOPC = 1;
export const ILL_ILLOPN = 2;
export const ILL_ILLADR = 3;
export const ILL_ILLTRP = 4;
export const ILL_PRVOPC = 5;
export const ILL_PRVREG = 6;
export const ILL_COPROC = 7;
export const ILL_BADSTK = 8;
export const ILL_BADIADDR = 9;

export const NSIGILL = 11;

export const FPE_INTDIV = 1;
export const FPE_INTOVF = 2;
export const FPE_FLTDIV = 3;
export const FPE_FLTOVF = 4;
export const FPE_FLTUND = 5;
export const FPE_FLTRES = 6;
export const FPE_FLTINV = 7;
export const FPE_FLTSUB = 8;
export const FPE_FLTUNK = 14;
export const FPE_CONDTRAP = 15;

export const NSIGFPE = 15;

export const SEGV_MAPERR = 1;
export const SEGV_ACCERR = 2;
export const SEGV_BNDERR = 3;
export const SEGV_PKUERR = 4;
export const SEGV_ACCADI = 5;
export const SEGV_ADIDERR = 6;
export const SEGV_ADIPERR = 7;
export const SEGV_MTEAERR = 8;
export const SEGV_MTESERR = 9;

export const NSIGSEGV = 9;

export const BUS_ADRALN = 1;
export const BUS_ADRERR = 2;
export const BUS_OBJERR = 3;
export const BUS_MCEERR_AR = 4;
export const BUS_MCEERR_AO = 5;

export const NSIGBUS = 5;

export const TRAP_BRKPT = 1;
export const TRAP_TRACE = 2;
export const TRAP_BRANCH = 3;
export const TRAP_HWBKPT = 4;
export const TRAP_UNK = 5;
export const TRAP_PERF = 6;

export const NSIGTRAP = 6;
export const TRAP_PERF_FLAG_ASYNC = 0x1;

export const CLD_EXITED = 1;
export const CLD_KILLED = 2;
export const CLD_DUMPED = 3;
export const CLD_TRAPPED = 4;
export const CLD_STOPPED = 5;
export const CLD_CONTINUED = 6;

export const NSIGCHLD = 6;

export const POLL_IN = 1;
export const POLL_OUT = 2;
export const POLL_MSG = 3;
export const POLL_ERR = 4;
export const POLL_PRI = 5;
export const POLL_HUP = 6;

export const NSIGPOLL = 6;
export const SYS_SECCOMP = 1;
export const SYS_USER_DISPATCH = 2;
export const NSIGSYS = 2;
export const EMT_TAGOVF = 1;
export const NSIGEMT = 1;

export const SIGEV_SIGNAL = 0;
export const SIGEV_NONE = 1;
export const SIGEV_THREAD = 2;
export const SIGEV_THREAD_ID = 4;

export const SA_IMMUTABLE = 0x800000;
export const SIGRTMAX = 64;
export const _NSIG = 64;
export const SIG_DFL = 0;
export const SIG_IGN = 1;

let byNumber: string[] | null = null;

/** The name of a signal, such as "SIGTERM"; real-time signals count from the kernel's SIGRTMIN: "SIGRT_2" is 34. */
export function signalName(signo: number): string {
  if (byNumber === null) {
    byNumber = [];
    for (const [name, value] of Object.entries(names)) {
      // SIG_BLOCK and SIGEV_SIGNAL are no signals, SIGSTKSZ is a size. Aliases (SIGIOT, SIGPOLL) come later.
      if (typeof value === 'number' && /^SIG[A-Z0-9]+$/.test(name) && value <= SIGRTMIN)
        byNumber[value] ??= name;
    }
  }
  return (
    byNumber[signo] ?? (signo > SIGRTMIN && signo <= SIGRTMAX ? `SIGRT_${signo - SIGRTMIN}` : `SIG_${signo}`)
  );
}

/** Layout of sigset_t. */
export const SIZEOF_SIGSET = 8;

/** Layout of struct sigaction. */
export const SIZEOF_SIGACTION = 32;
export const SIGACTION_SA_HANDLER = 0;
export const SIGACTION_SA_FLAGS = 8;
export const SIGACTION_SA_RESTORER = 16;
export const SIGACTION_SA_MASK = 24;

/** The kernel's rt_sigaction(2) layout, which is not libc's; bit n-1 of the mask is signal n. */
export type Sigaction = {
  handler: number;
  flags: number;
  restorer: number;
  maskLo: number;
  maskHi: number;
};

export function encodeSigaction(view: DataView, off: number, s: Sigaction): void {
  putU64(view, off + SIGACTION_SA_HANDLER, s.handler);
  putU64(view, off + SIGACTION_SA_FLAGS, s.flags);
  putU64(view, off + SIGACTION_SA_RESTORER, s.restorer);
  view.setUint32(off + SIGACTION_SA_MASK, s.maskLo, true);
  view.setUint32(off + SIGACTION_SA_MASK + 4, s.maskHi, true);
}

export function decodeSigaction(view: DataView, off: number): Sigaction {
  return {
    handler: getU64(view, off + SIGACTION_SA_HANDLER),
    flags: getU64(view, off + SIGACTION_SA_FLAGS),
    restorer: getU64(view, off + SIGACTION_SA_RESTORER),
    maskLo: view.getUint32(off + SIGACTION_SA_MASK, true),
    maskHi: view.getUint32(off + SIGACTION_SA_MASK + 4, true),
  };
}

/** Layout of stack_t. */
export const SIZEOF_STACK = 24;
export const STACK_SS_SP = 0;
export const STACK_SS_FLAGS = 8;
export const STACK_SS_SIZE = 16;

/** sigaltstack(2). */
export type Stack = {
  sp: number;
  flags: number;
  size: number;
};

export function encodeStack(view: DataView, off: number, s: Stack): void {
  putU64(view, off + STACK_SS_SP, s.sp);
  view.setInt32(off + STACK_SS_FLAGS, s.flags, true);
  view.setUint32(off + 12, 0, true); // padding
  putU64(view, off + STACK_SS_SIZE, s.size);
}

export function decodeStack(view: DataView, off: number): Stack {
  return {
    sp: getU64(view, off + STACK_SS_SP),
    flags: view.getInt32(off + STACK_SS_FLAGS, true),
    size: getU64(view, off + STACK_SS_SIZE),
  };
}

/** Layout of sigevent_t. */
export const SIZEOF_SIGEVENT = 64;
export const SIGEVENT_SIGEV_VALUE = 0;
export const SIGEVENT_SIGEV_SIGNO = 8;
export const SIGEVENT_SIGEV_NOTIFY = 12;
export const SIGEVENT_SIGEV_NOTIFY_THREAD_ID = 16;

/** timer_create(2), mq_notify(2); the value is the program's own. */
export type Sigevent = {
  valueLo: number;
  valueHi: number;
  signo: number;
  notify: number;
  notifyThreadId: number;
};

export function encodeSigevent(view: DataView, off: number, s: Sigevent): void {
  view.setUint32(off + SIGEVENT_SIGEV_VALUE, s.valueLo, true);
  view.setUint32(off + SIGEVENT_SIGEV_VALUE + 4, s.valueHi, true);
  view.setInt32(off + SIGEVENT_SIGEV_SIGNO, s.signo, true);
  view.setInt32(off + SIGEVENT_SIGEV_NOTIFY, s.notify, true);
  view.setInt32(off + SIGEVENT_SIGEV_NOTIFY_THREAD_ID, s.notifyThreadId, true);
  zeroFill(view, off + 20, 44); // padding
}

export function decodeSigevent(view: DataView, off: number): Sigevent {
  return {
    valueLo: view.getUint32(off + SIGEVENT_SIGEV_VALUE, true),
    valueHi: view.getUint32(off + SIGEVENT_SIGEV_VALUE + 4, true),
    signo: view.getInt32(off + SIGEVENT_SIGEV_SIGNO, true),
    notify: view.getInt32(off + SIGEVENT_SIGEV_NOTIFY, true),
    notifyThreadId: view.getInt32(off + SIGEVENT_SIGEV_NOTIFY_THREAD_ID, true),
  };
}
