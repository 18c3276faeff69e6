// The two seccomp filters of a stub. The mapper's comes first and is inherited by every process and thread; guest
// threads put the strict one on top before they run guest code. The host takes the most restrictive answer of both
// (kill > trap > errno > notify > allow), so whatever the mapper may do, a guest thread may do only what both allow.

import { ENOSYS } from '../../../abi/errno.ts';
import { FUTEX_WAIT } from '../../../abi/ipc/futex.ts';
import { AUDIT_ARCH_X86_64 } from '../../../abi/process/audit.ts';
import { ARCH_SET_FS, ARCH_SET_GS } from '../../../abi/process/prctl.ts';
import {
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_USER_NOTIF,
} from '../../../abi/process/seccomp.ts';
import {
  SYS_arch_prctl,
  SYS_clone,
  SYS_close,
  SYS_exit_group,
  SYS_futex,
  SYS_mmap,
  SYS_mprotect,
  SYS_munmap,
  SYS_pause,
  SYS_prctl,
  SYS_rt_sigprocmask,
  SYS_rt_sigreturn,
  SYS_seccomp,
  SYS_sendmsg,
  SYS_sigaltstack,
  SYS_write,
} from '../../../abi/syscall.ts';
import { BpfProgram } from '../../../host/seccomp.ts';
import type { Bases } from './bases.ts';
import { CODE_SIZE, EVENT_FD, STUB_BASE } from './layout.ts';

/** The mapper's "done, what next?": it stops there until the Sentry answers. */
export const SYS_NOTIFY: number = SYS_pause;

const TWO32 = 2 ** 32;

const MAPPER_CALLS = [
  SYS_mmap,
  SYS_munmap,
  SYS_mprotect,
  SYS_clone,
  SYS_prctl,
  SYS_rt_sigprocmask,
  SYS_sigaltstack,
  SYS_seccomp,
  SYS_sendmsg,
  SYS_close,
  SYS_exit_group,
  // What guest threads' filter lets through has to pass here too.
  SYS_rt_sigreturn,
  SYS_futex,
  SYS_write,
  SYS_arch_prctl,
];

/**
 * For the mapper, whose registers and code the guest cannot touch. Everything else fails with ENOSYS rather than
 * killing: killing would outrank the guest filter's trap.
 */
export function mapperFilter(): Uint8Array {
  const p = new BpfProgram();
  p.loadArch().jeq(AUDIT_ARCH_X86_64, null, 'refuse').loadNr().jeq(SYS_NOTIFY, 'notify');
  for (const nr of MAPPER_CALLS) p.jeq(nr, 'allow');
  p.label('refuse').ret(SECCOMP_RET_ERRNO | ENOSYS);
  p.label('notify').ret(SECCOMP_RET_USER_NOTIF);
  p.label('allow').ret(SECCOMP_RET_ALLOW);
  return p.finish();
}

/**
 * For guest threads: everything traps, except three calls from the stub's own code, which the guest may well reach by a
 * jump, with any registers. So they must be harmless whatever the arguments are:
 *   rt_sigreturn  sets the thread's own registers, signal mask and signal stack
 *   futex WAIT    sleeps; a kick ends it
 *   write         to the event counter only, and only the number at `one`, in memory that guests cannot write: a needless
 *                 wake-up of the Sentry. Others would fill the counter, and later writes of it wake nobody.
 *   arch_prctl    only in the shape without FSGSBASE, and only ARCH_SET_FS and ARCH_SET_GS: sets the thread's own base,
 *                 which the host refuses for addresses of its own, and which guests may set freely wherever there is
 *                 FSGSBASE. Nothing in the Sentry relies on what a thread's bases are: slots are found by the kernel's
 *                 own records, and a wrong base is the guest's loss.
 */
export function guestFilter(one: number, bases: Bases): Uint8Array {
  const p = new BpfProgram();
  p.loadArch().jeq(AUDIT_ARCH_X86_64, null, 'trap');
  p.loadIpHigh().jeq(Math.floor(STUB_BASE / TWO32), null, 'trap');
  p.loadIpLow()
    .jge(STUB_BASE % TWO32, null, 'trap')
    .jge((STUB_BASE % TWO32) + CODE_SIZE, 'trap');
  p.loadNr()
    .jeq(SYS_rt_sigreturn, 'allow')
    .jeq(SYS_futex, 'futex')
    .jeq(SYS_write, 'write', bases === 'known' ? null : 'trap');
  if (bases === 'known') {
    p.jeq(SYS_arch_prctl, null, 'trap').loadArgHigh(0).jeq(0, null, 'trap');
    p.loadArgLow(0).jeq(ARCH_SET_FS, 'allow').jeq(ARCH_SET_GS, 'allow', 'trap');
  }
  p.label('futex').loadArgLow(1).jeq(FUTEX_WAIT, 'allow', 'trap');
  p.label('write').loadArgLow(0).jeq(EVENT_FD, null, 'trap');
  p.loadArgHigh(1).jeq(Math.floor(one / TWO32), null, 'trap');
  p.loadArgLow(1).jeq(one % TWO32, 'allow', 'trap');
  p.label('trap').ret(SECCOMP_RET_TRAP);
  p.label('allow').ret(SECCOMP_RET_ALLOW);
  return p.finish();
}
