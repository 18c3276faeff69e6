// What stands behind PTRACE_SYSEMU: should a thread of a stub ever run without it, its calls meet these filters. Emulated
// calls never get here, so they cost nothing.

import { AUDIT_ARCH_X86_64 } from '../../../abi/process/audit.ts';
import { SECCOMP_RET_ALLOW, SECCOMP_RET_KILL_PROCESS } from '../../../abi/process/seccomp.ts';
import {
  SYS_clone,
  SYS_close,
  SYS_mmap,
  SYS_mprotect,
  SYS_munmap,
  SYS_poll,
  SYS_recvmsg,
  SYS_restart_syscall,
} from '../../../abi/syscall.ts';
import { BpfProgram } from '../../../host/seccomp.ts';

const TWO32 = 2 ** 32;

/**
 * Kills the process for everything but `calls` from the code at `code`, of `size` bytes. A guest may well jump there, with
 * any registers, but no stop of the Sentry's lets it make the call: orders run only when the Sentry has set the registers.
 */
function onlyFrom(
  code: number,
  size: number,
  calls: readonly number[],
  clones: readonly number[],
): Uint8Array {
  const p = new BpfProgram();
  p.loadArch().jeq(AUDIT_ARCH_X86_64, null, 'kill');
  p.loadIpHigh().jeq(Math.floor(code / TWO32), null, 'kill');
  p.loadIpLow()
    .jge(code % TWO32, null, 'kill')
    .jge((code % TWO32) + size, 'kill');
  p.loadNr();
  for (const nr of calls) p.jeq(nr, 'allow');
  if (clones.length > 0) {
    p.jeq(SYS_clone, null, 'kill').loadArgHigh(0).jeq(0, null, 'kill').loadArgLow(0);
    for (const flags of clones) p.jeq(flags, 'allow');
  }
  p.label('kill').ret(SECCOMP_RET_KILL_PROCESS);
  p.label('allow').ret(SECCOMP_RET_ALLOW);
  return p.finish();
}

/** For stubs: the orders that the Sentry gives, clone with the flags `clones` only. */
export function stubFilter(code: number, size: number, clones: readonly number[]): Uint8Array {
  return onlyFrom(code, size, [SYS_mmap, SYS_munmap, SYS_mprotect, SYS_close, SYS_recvmsg], clones);
}

/** For the waker: its wait, and that again after a stop. */
export function wakerFilter(code: number, size: number): Uint8Array {
  return onlyFrom(code, size, [SYS_poll, SYS_restart_syscall], []);
}
