// unshare(2), setns(2).

import { EBADF, EINVAL, EPERM } from '../../../abi/errno.ts';
import { CAP_SYS_ADMIN, CAP_SYS_CHROOT } from '../../../abi/process/capability.ts';
import {
  CLONE_FILES,
  CLONE_FS,
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
  CLONE_SIGHAND,
  CLONE_SYSVSEM,
  CLONE_THREAD,
  CLONE_VM,
} from '../../../abi/process/sched.ts';
import { SYS_setns, SYS_unshare } from '../../../abi/syscall.ts';
import { countUnsupported } from '../../base/log.ts';
import { MntNsFile } from '../../fs/proc/ns.ts';
import type { Parked } from '../../kernel/block.ts';
import { checkNamespaces, newNamespaces } from '../../kernel/namespace/namespaces.ts';
import { anyHold, begun, endHolds, hold, mayBegin } from '../../kernel/task/holds.ts';
import type { Task } from '../../kernel/task/task.ts';
import { NetNsFile } from '../../socket/inet/ns_file.ts';
import type { TreeCopy } from '../../vfs/mount.ts';
import { enterMounts, type MountNamespace, SLICE_MOUNTS } from '../../vfs/mount_namespace.ts';
import { FD, FLAGS, HEX } from '../kinds.ts';
import { sys } from '../row.ts';

const NAMESPACES =
  CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
const KNOWN = NAMESPACES | CLONE_THREAD | CLONE_FS | CLONE_SIGHAND | CLONE_VM | CLONE_FILES | CLONE_SYSVSEM;

/** Implements unshare(2). */
function unshare(t: Task, flagsArg: number): number {
  if (begun(t)) return copyMounts(t, t.call.state as MountsCopy);
  if ((flagsArg & ~KNOWN) !== 0) return -EINVAL;
  let flags = flagsArg;
  if ((flags & CLONE_VM) !== 0) flags |= CLONE_SIGHAND;
  if ((flags & CLONE_SIGHAND) !== 0) flags |= CLONE_THREAD;
  if ((flags & CLONE_NEWNS) !== 0) flags |= CLONE_FS;
  // What threads share by being threads cannot be taken apart while there are several.
  if ((flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)) !== 0) {
    if (t.group.live > 1) return -EINVAL;
    if ((flags & CLONE_SIGHAND) !== 0 && t.group.handlers.refs > 1) return -EINVAL;
    if ((flags & CLONE_VM) !== 0 && t.mm.refs > 1) return -EINVAL;
  }
  const err = checkNamespaces(t, flags);
  if (err !== 0) return err;
  if ((flags & CLONE_NEWNS) === 0) return leave(t, flags);
  // Whoever changes the mounts in slices comes first.
  const wait = anyHold() || t.call.active ? mayBegin(t, t.fs.ns) : 0;
  return wait !== 0 ? wait : copyMounts(t, new MountsCopy(t.fs.ns, flags));
}

/** Mounts that are copied in slices; the namespace is held meanwhile. */
class MountsCopy implements Parked {
  readonly ns: MountNamespace;
  readonly copy: TreeCopy;
  readonly flags: number;

  constructor(ns: MountNamespace, flags: number) {
    this.ns = ns;
    this.copy = ns.beginCopy();
    this.flags = flags;
  }

  abandon(t: Task): void {
    endHolds(t);
    this.copy.discard();
  }
}

function copyMounts(t: Task, work: MountsCopy): number {
  if (work.copy.step(SLICE_MOUNTS)) {
    endHolds(t);
    return leave(t, work.flags, work.copy);
  }
  hold(t, work.ns, work);
  return t.giveWayUntilDone();
}

/** The rest of unshare(2): nothing can fail any more. */
function leave(t: Task, flags: number, mounts?: TreeCopy): number {
  if ((flags & CLONE_FS) !== 0 && t.fs.refs > 1) {
    const own = t.fs.clone();
    t.fs.unref();
    t.fs = own;
  }
  if ((flags & CLONE_FILES) !== 0 && t.fds.refs > 1) {
    const own = t.fds.clone();
    t.fds.refs--;
    t.fds = own;
  }
  // A new IPC namespace leaves the old one's semaphores behind, and what is to be undone there.
  if ((flags & (CLONE_SYSVSEM | CLONE_NEWIPC)) !== 0) t.leaveSemUndo();
  newNamespaces(t, flags, mounts);
  return 0;
}

/** Implements setns(2), for namespaces of networks and mounts. */
function setns(t: Task, fd: number, nstype: number): number {
  const file = t.file(fd);
  if (file === null) return -EBADF;
  if (file instanceof NetNsFile) {
    if (nstype !== 0 && nstype !== CLONE_NEWNET) return -EINVAL;
    if (!t.cred.capable(CAP_SYS_ADMIN)) return -EPERM;
    t.enterNet(file.net);
    return 0;
  }
  if (file instanceof MntNsFile) {
    if (nstype !== 0 && nstype !== CLONE_NEWNS) return -EINVAL;
    if (!t.cred.capable(CAP_SYS_ADMIN) || !t.cred.capable(CAP_SYS_CHROOT)) return -EPERM;
    // Others would be moved along.
    if (t.fs.refs > 1) return -EINVAL;
    enterMounts(t.fs, file.mounts);
    return 0;
  }
  if ((nstype & ~NAMESPACES) !== 0) return -EINVAL;
  countUnsupported('setns');
  return t.cred.capable(CAP_SYS_ADMIN) ? -EINVAL : -EPERM;
}

const CLONE_FLAGS = FLAGS('flags', [
  ['CLONE_FS', CLONE_FS],
  ['CLONE_FILES', CLONE_FILES],
  ['CLONE_NEWNS', CLONE_NEWNS],
  ['CLONE_NEWUTS', CLONE_NEWUTS],
  ['CLONE_NEWIPC', CLONE_NEWIPC],
  ['CLONE_NEWUSER', CLONE_NEWUSER],
  ['CLONE_NEWPID', CLONE_NEWPID],
  ['CLONE_NEWNET', CLONE_NEWNET],
  ['CLONE_NEWCGROUP', CLONE_NEWCGROUP],
  ['CLONE_SYSVSEM', CLONE_SYSVSEM],
]);

export const rows = [
  sys(SYS_unshare, [CLONE_FLAGS], unshare, 'of the namespaces, mounts, UTS, IPC and network'),
  sys(SYS_setns, [FD, HEX], setns, 'namespaces of networks and mounts, by their files'),
];
