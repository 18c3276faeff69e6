// Signals that the host sends to this process: sigaction(2), signal(7). Any thread of Node may take one, at any moment, so
// the handler is machine code that touches nothing of JavaScript: it stores a flag byte per signal and writes an eventfd
// that the HostPoller watches.
//
//   flags:  byte n = how signal n arrived since take(): FROM_PROCESS or FROM_KERNEL; 0 when it did not

import { EFD_CLOEXEC, EFD_NONBLOCK } from '../abi/events/eventfd.ts';
import { PR_SET_DUMPABLE } from '../abi/process/prctl.ts';
import { RLIMIT_CORE } from '../abi/process/resource.ts';
import {
  SA_RESTART,
  SA_RESTORER,
  SA_SIGINFO,
  SIG_BLOCK,
  SIG_DFL,
  SIG_UNBLOCK,
  SIGACTION_SA_FLAGS,
  SIGACTION_SA_HANDLER,
  SIGACTION_SA_MASK,
  SIGACTION_SA_RESTORER,
  SIGKILL,
  SIGSTOP,
  SIZEOF_SIGACTION,
} from '../abi/signal/signal.ts';
import {
  SYS_eventfd2,
  SYS_getpid,
  SYS_gettid,
  SYS_kill,
  SYS_prctl,
  SYS_read,
  SYS_rt_sigaction,
  SYS_rt_sigprocmask,
  SYS_setrlimit,
  SYS_tgkill,
} from '../abi/syscall.ts';
import { putU64 } from '../abi/u64.ts';
import { HostBuffer } from './buffer.ts';
import { installCode } from './ffi.ts';
import { FD_AT, FLAGS_SIZE, FROM_KERNEL, FROM_PROCESS, ONE_AT, SIGNALS_CODE } from './signals.image.ts';
import { hostCall } from './syscall.ts';

export { FROM_KERNEL, FROM_PROCESS };

const SIGSET_SIZE = 8;

let shared: HostBuffer | null = null;
let action: HostBuffer | null = null;
let handlerAddr = 0;
let restorerAddr = 0;
/** Descriptor that becomes readable when a caught signal arrives; -1 before hostSignalFd(). */
let eventFd = -1;

/** Sets the machinery up once; the eventfd to watch, or -errno. */
export function hostSignalFd(): number {
  if (eventFd >= 0) return eventFd;
  const fd = hostCall(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) return fd;
  shared = HostBuffer.alloc(80);
  action = HostBuffer.alloc(SIZEOF_SIGACTION);
  putU64(shared.view, FD_AT, fd);
  putU64(shared.view, ONE_AT, 1);
  // The handler finds the shared memory through a word beside its code.
  const bytes = SIGNALS_CODE.bytes.slice();
  putU64(new DataView(bytes.buffer), SIGNALS_CODE.labels.shared!, shared.addr);
  const at = installCode({ bytes, labels: SIGNALS_CODE.labels });
  handlerAddr = at('handler');
  restorerAddr = at('restorer');
  eventFd = fd;
  return fd;
}

function setAction(sig: number, handler: number, flags: number): number {
  const a = action!;
  putU64(a.view, SIGACTION_SA_HANDLER, handler);
  putU64(a.view, SIGACTION_SA_FLAGS, flags);
  putU64(a.view, SIGACTION_SA_RESTORER, restorerAddr);
  putU64(a.view, SIGACTION_SA_MASK, 0);
  return hostCall(SYS_rt_sigaction, sig, a.addr, 0, SIGSET_SIZE);
}

/**
 * From now on `sig` sets its flag instead of what it did. Calls that it interrupts are restarted, or fail with EINTR when
 * `restart` is false. 0 or -errno.
 */
export function catchHostSignal(sig: number, restart = true): number {
  return setAction(sig, handlerAddr, SA_RESTORER | SA_SIGINFO | (restart ? SA_RESTART : 0));
}

/** True when `sig` has arrived since somebody took it; takes it. */
export function takeHostSignal(sig: number): boolean {
  const s = shared;
  if (s === null || s.u8[sig] === 0) return false;
  s.u8[sig] = 0;
  return true;
}

function changeMask(how: number, sig: number): void {
  setBytes.view.setUint32(0, sig <= 32 ? (1 << (sig - 1)) >>> 0 : 0, true);
  setBytes.view.setUint32(4, sig > 32 ? (1 << (sig - 33)) >>> 0 : 0, true);
  hostCall(SYS_rt_sigprocmask, how, setBytes.addr, 0, SIGSET_SIZE);
}

const setBytes = HostBuffer.alloc(SIGSET_SIZE);

/** What `body` returns, during which this thread has `sig` blocked. */
export function whileBlocked(sig: number, body: () => number): number {
  changeMask(SIG_BLOCK, sig);
  const r = body();
  changeMask(SIG_UNBLOCK, sig);
  return r;
}

/** Tells of every signal that arrived since the last call, in ascending order: its number and FROM_*. */
export function takeHostSignals(each: (sig: number, from: number) => void): void {
  const s = shared!;
  // The eventfd first: a signal that comes between the two steps is seen again, never lost.
  hostCall(SYS_read, eventFd, action!.addr, 8);
  for (let sig = 1; sig < FLAGS_SIZE; sig++) {
    const from = s.u8[sig]!;
    if (from === 0) continue;
    s.u8[sig] = 0;
    each(sig, from);
  }
}

/**
 * Stops this process, or its whole group, by the default action of `sig`; returns when SIGCONT lets it go on, or at once
 * where the host stops nobody (signal(7): orphaned process groups). `restart` is how the signal is caught afterwards.
 */
export function stopSelf(sig: number, group: boolean, restart = true): void {
  if (sig !== SIGSTOP) setAction(sig, SIG_DFL, SA_RESTORER);
  hostCall(SYS_kill, group ? 0 : hostCall(SYS_getpid), sig);
  if (sig !== SIGSTOP) catchHostSignal(sig, restart);
}

/**
 * Ends this process by the default action of `sig`, without leaving a core file of ours. Returns when the host does not let
 * it: the first process of a PID namespace does not die of its own signals.
 */
export function dieOf(sig: number): void {
  action ??= HostBuffer.alloc(SIZEOF_SIGACTION);
  action.u8.fill(0);
  hostCall(SYS_setrlimit, RLIMIT_CORE, action.addr);
  hostCall(SYS_prctl, PR_SET_DUMPABLE, 0);
  if (sig !== SIGKILL) setAction(sig, SIG_DFL, SA_RESTORER);
  changeMask(SIG_UNBLOCK, sig);
  hostCall(SYS_tgkill, hostCall(SYS_getpid), hostCall(SYS_gettid), sig);
}
