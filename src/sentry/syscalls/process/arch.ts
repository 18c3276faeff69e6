// x86-64 only: arch_prctl(2).

import { EFAULT, EINVAL, ENODEV, EPERM } from '../../../abi/errno.ts';
import {
  ARCH_GET_CPUID,
  ARCH_GET_FS,
  ARCH_GET_GS,
  ARCH_GET_XCOMP_PERM,
  ARCH_GET_XCOMP_SUPP,
  ARCH_SET_CPUID,
  ARCH_SET_FS,
  ARCH_SET_GS,
} from '../../../abi/process/prctl.ts';
import { SYS_arch_prctl } from '../../../abi/syscall.ts';
import { putU64 } from '../../../abi/u64.ts';
import { countUnsupported } from '../../base/log.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import type { Task } from '../../kernel/task/task.ts';
import { FS, FS_BASE, GS, GS_BASE } from '../../platform/regs.ts';
import { ADDR, ARCH_PRCTL_OP } from '../kinds.ts';
import { sys } from '../row.ts';

/** End of user addresses in Linux (TASK_SIZE_MAX). */
const TASK_SIZE_MAX = 0x7fff_ffff_f000;

function putLong(t: Task, addr: number, value: number): number {
  putU64(scratchView, 0, value);
  return t.mm.copyOutExact(addr, scratch, 0, 8) !== 0 ? -EFAULT : 0;
}

/** Implements arch_prctl(2). */
function arch_prctl(t: Task, op: number, addr: number): number {
  const regs = t.ctx.regs;
  switch (op) {
    case ARCH_SET_FS:
    case ARCH_SET_GS:
      if (addr < 0 || addr >= TASK_SIZE_MAX) return -EPERM;
      regs.set(op === ARCH_SET_FS ? FS_BASE : GS_BASE, addr);
      // A host without FSGSBASE would take the base from the selector that is left in there, at its next switch.
      regs.set(op === ARCH_SET_FS ? FS : GS, 0);
      return 0;
    case ARCH_GET_FS:
      return putLong(t, addr, regs.get(FS_BASE));
    case ARCH_GET_GS:
      return putLong(t, addr, regs.get(GS_BASE));
    case ARCH_GET_CPUID:
      return 1;
    case ARCH_SET_CPUID:
      return -ENODEV;
    case ARCH_GET_XCOMP_SUPP:
    case ARCH_GET_XCOMP_PERM:
      return putLong(t, addr, t.kernel.platform.xcr0Lo);
    default:
      // glibc probes shadow stacks and address tagging at every start: those are answers, not gaps.
      if (op < 0x3000 || op > 0x5fff) countUnsupported(`arch_prctl ${op}`);
      return -EINVAL;
  }
}

export const rows = [sys(SYS_arch_prctl, [ARCH_PRCTL_OP, ADDR], arch_prctl)];
