// Namespaces: what clone(2) and unshare(2) make new. Mounts, UTS, IPC and network so far; each thread refers to its own,
// that of mounts by its folders (FsContext).

import { EINVAL, ENOSPC, EPERM } from '../../../abi/errno.ts';
import { CAP_SYS_ADMIN } from '../../../abi/process/capability.ts';
import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
} from '../../../abi/process/sched.ts';
import { countUnsupported } from '../../base/log.ts';
import type { TreeCopy } from '../../vfs/mount.ts';
import { unshareMounts } from '../../vfs/mount_namespace.ts';
import { IpcNamespace } from '../ipc/namespace.ts';
import type { Task } from '../task/task.ts';
import { networksFit, newNetwork } from './net.ts';

const SUPPORTED = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET;
const UNSUPPORTED = CLONE_NEWCGROUP | CLONE_NEWUSER | CLONE_NEWPID;

/** 0 when the thread may have the namespaces that `flags` ask for, else -errno. */
export function checkNamespaces(t: Task, flags: number): number {
  if ((flags & (SUPPORTED | UNSUPPORTED)) === 0) return 0;
  if ((flags & CLONE_NEWUSER) === 0 && !t.cred.capable(CAP_SYS_ADMIN)) return -EPERM;
  if ((flags & UNSUPPORTED) === 0) {
    if ((flags & CLONE_NEWNET) !== 0 && !networksFit()) return -ENOSPC;
    return (flags & CLONE_NEWNS) === 0 || t.fs.ns.mayCopy ? 0 : -ENOSPC;
  }
  countUnsupported(`namespaces 0x${((flags & UNSUPPORTED) >>> 0).toString(16)}`);
  // As a Linux kernel without them compiled in.
  return -EINVAL;
}

/** Gives the thread new namespaces; `flags` were checked. `mounts` is a copy of its mounts, when somebody has made one. */
export function newNamespaces(t: Task, flags: number, mounts?: TreeCopy): void {
  if ((flags & CLONE_NEWNS) !== 0) unshareMounts(t.fs, mounts);
  if ((flags & CLONE_NEWUTS) !== 0) t.uts = t.uts.clone();
  if ((flags & CLONE_NEWIPC) !== 0) t.ipc = new IpcNamespace();
  if ((flags & CLONE_NEWNET) !== 0)
    t.enterNet(newNetwork(t.kernel.time, t.kernel.unix, t.kernel.net, t.kernel.pids, t.kernel.memfile));
}
