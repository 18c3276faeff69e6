// What becomes of a system call that a signal cut short: signal(7), "Interruption of system calls and library functions by
// signal handlers". The call has ended with an error of the kernel's own that says so; no program ever sees one.
//
//                          a handler runs                 none does
//   ERESTARTSYS            SA_RESTART: again, or EINTR    again
//   ERESTARTNOINTR         again                          again
//   ERESTARTNOHAND         EINTR                          again
//   ERESTART_RESTARTBLOCK  EINTR                          restart_syscall(2)

import {
  EINTR,
  ERESTART_RESTARTBLOCK,
  ERESTARTNOHAND,
  ERESTARTNOINTR,
  ERESTARTSYS,
} from '../../../abi/errno.ts';
import { SA_RESTART } from '../../../abi/signal/signal.ts';
import { SYS_restart_syscall } from '../../../abi/syscall.ts';
import { RAX, type Regs, RIP } from '../../platform/regs.ts';

/** Bytes of the syscall instruction. */
const SYSCALL_LENGTH = 2;

/** The call in progress, `sysno`, was cut short by a signal: its temporary mask holds until that is delivered. */
export function wasCutShort(regs: Regs, sysno: number): boolean {
  if (sysno < 0 || regs.high(RAX) !== -1) return false;
  const rax = regs.int(RAX);
  return rax === -EINTR || (rax <= -ERESTARTSYS && rax >= -ERESTART_RESTARTBLOCK);
}

/** A handler with `flags` (SA_*) is about to run: the call is to be made again after it, or has failed with EINTR. */
export function beforeHandler(regs: Regs, sysno: number, flags: number): void {
  if (sysno < 0 || regs.high(RAX) !== -1) return;
  switch (-regs.int(RAX)) {
    case ERESTARTSYS:
      if ((flags & SA_RESTART) !== 0) rewind(regs, sysno);
      else regs.set(RAX, -EINTR);
      break;
    case ERESTARTNOINTR:
      rewind(regs, sysno);
      break;
    case ERESTARTNOHAND:
    case ERESTART_RESTARTBLOCK:
      regs.set(RAX, -EINTR);
      break;
  }
}

/** No handler runs: the call goes on. */
export function withoutHandler(regs: Regs, sysno: number): void {
  if (regs.high(RAX) !== -1) return;
  switch (-regs.int(RAX)) {
    case ERESTARTSYS:
    case ERESTARTNOINTR:
    case ERESTARTNOHAND:
      rewind(regs, sysno);
      break;
    case ERESTART_RESTARTBLOCK:
      rewind(regs, SYS_restart_syscall);
      break;
  }
}

/** Makes the thread run its syscall instruction again, as `sysno`. */
function rewind(regs: Regs, sysno: number): void {
  regs.set(RAX, sysno);
  regs.set(RIP, regs.get(RIP) - SYSCALL_LENGTH);
}
