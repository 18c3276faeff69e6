// Signals that the host sends to this process: sigaction(2), signal(7). Any thread of Node may take one, at any moment, so
// the handler is machine code that touches nothing of JavaScript: it stores a flag byte per signal and writes an eventfd
// that the HostPoller watches.
//
//   flags:  byte n = signal n arrived since take()

import { EFD_CLOEXEC, EFD_NONBLOCK } from '../abi/eventfd.ts';
import {
  NSIG,
  SA_RESTART,
  SA_RESTORER,
  SIG_DFL,
  SIG_IGN,
  SIGACTION_SA_FLAGS,
  SIGACTION_SA_HANDLER,
  SIGACTION_SA_MASK,
  SIGACTION_SA_RESTORER,
  SIGKILL,
  SIZEOF_SIGACTION,
} from '../abi/signal.ts';
import {
  SYS_eventfd2,
  SYS_getpid,
  SYS_kill,
  SYS_read,
  SYS_rt_sigaction,
  SYS_rt_sigreturn,
  SYS_write,
} from '../abi/syscall.ts';
import { putU64 } from '../abi/u64.ts';
import { Assembler, byte, EDI, imm, mem, R8, RAX, RDI, RDX, RSI } from '../asm/index.ts';
import { HostBuffer } from './buffer.ts';
import { installCode } from './ffi.ts';
import { hostCall } from './syscall.ts';

const FLAGS_SIZE = 64;
const FD_AT = 64;
const ONE_AT = 72;
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
  action = HostBuffer.alloc(SIZEOF_SIGACTION * 2);
  putU64(shared.view, FD_AT, fd);
  putU64(shared.view, ONE_AT, 1);
  // void handler(int sig): flags[sig] = 1; write(fd, &one, 8). errno of the interrupted code is not touched, since the
  // raw call sets none; all registers come back from the signal frame.
  const code = new Assembler();
  code
    .label('handler')
    .mov(EDI, EDI)
    .mov(R8, imm(shared.addr))
    .mov(byte(mem(R8, 0, RDI)), imm(1));
  code.mov(RDI, mem(R8, FD_AT)).mov(RSI, R8).add(RSI, imm(ONE_AT)).mov(RDX, imm(8)).mov(RAX, imm(SYS_write));
  code.syscall().ret();
  code.align(16);
  code.label('restorer').mov(RAX, imm(SYS_rt_sigreturn)).syscall();
  const at = installCode(code);
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

/** From now on `sig` sets its flag instead of what it did. 0 or -errno. */
export function catchHostSignal(sig: number): number {
  return setAction(sig, handlerAddr, SA_RESTORER | SA_RESTART);
}

/** Takes away what this process does about `sig`: the host's default action. */
export function defaultHostSignal(sig: number): number {
  return setAction(sig, SIG_DFL, SA_RESTORER);
}

/** True when the process was started with `sig` ignored (nohup, a background job of a shell without job control). */
export function isHostSignalIgnored(sig: number): boolean {
  const a = action!;
  if (hostCall(SYS_rt_sigaction, sig, 0, a.addr + SIZEOF_SIGACTION, SIGSET_SIZE) < 0) return false;
  return a.view.getUint32(SIZEOF_SIGACTION + SIGACTION_SA_HANDLER, true) === SIG_IGN;
}

/** Signals that arrived since the last call, in ascending order. Resets the eventfd. */
export function takeHostSignals(): number[] {
  const s = shared!;
  // The eventfd first: a signal that comes between the two steps is seen again, never lost.
  hostCall(SYS_read, eventFd, action!.addr, 8);
  const out: number[] = [];
  for (let sig = 1; sig < FLAGS_SIZE; sig++) {
    if (s.u8[sig] === 0) continue;
    s.u8[sig] = 0;
    out.push(sig);
  }
  return out;
}

/** Lets this process end by `sig` itself, as its parent expects of a program that a signal stopped or killed. */
export function dieBySignal(sig: number): void {
  if (sig <= 0 || sig > NSIG || sig === SIGKILL) return;
  if (action !== null) defaultHostSignal(sig);
  hostCall(SYS_kill, hostCall(SYS_getpid), sig);
}
