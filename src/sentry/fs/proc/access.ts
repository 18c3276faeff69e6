// Who may look into a process: ptrace(2), "Ptrace access mode checking". PTRACE_MODE_READ_FSCREDS is what /proc asks for.

import { CAP_SYS_PTRACE } from '../../../abi/process/capability.ts';
import type { CapSet } from '../../base/cred.ts';
import type { Task } from '../../kernel/task/task.ts';
import type { VfsContext } from '../../vfs/context.ts';

/** SUID_DUMP_USER: an ordinary process. */
const DUMPABLE = 1;

function contains(all: CapSet, some: CapSet): boolean {
  return (some.lo & ~all.lo) === 0 && (some.hi & ~all.hi) === 0;
}

/** ptrace_may_access() with PTRACE_MODE_READ_FSCREDS. */
export function mayInspect(ctx: VfsContext, target: Task): boolean {
  const caller = ctx.cred;
  if (ctx.tgid === target.tgid) return true;
  if (caller.capable(CAP_SYS_PTRACE)) return true;
  const c = target.cred;
  const { fsuid, fsgid } = caller;
  if (fsuid !== c.euid || fsuid !== c.suid || fsuid !== c.uid) return false;
  if (fsgid !== c.egid || fsgid !== c.sgid || fsgid !== c.gid) return false;
  return target.group.dumpable === DUMPABLE && contains(caller.permitted, c.permitted);
}

/** The owner of a process's files in /proc: its effective ids, or root when it may not be dumped. */
export function ownerUid(t: Task): number {
  return t.group.dumpable === DUMPABLE ? t.cred.euid : 0;
}

export function ownerGid(t: Task): number {
  return t.group.dumpable === DUMPABLE ? t.cred.egid : 0;
}
