// mount(2), umount2(2), name_to_handle_at(2), open_by_handle_at(2).

import { EBADF, EINVAL, ENODEV, ENOMEM, ENOSPC, EOPNOTSUPP, EPERM } from '../../../abi/errno.ts';
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_FOLLOW } from '../../../abi/fs/fcntl.ts';
import {
  MNT_DETACH,
  MNT_EXPIRE,
  MNT_FORCE,
  MS_BIND,
  MS_MGC_MSK,
  MS_MGC_VAL,
  MS_MOVE,
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_PRIVATE,
  MS_RDONLY,
  MS_REC,
  MS_RELATIME,
  MS_REMOUNT,
  MS_SHARED,
  MS_SILENT,
  MS_SLAVE,
  MS_STRICTATIME,
  MS_UNBINDABLE,
  UMOUNT_NOFOLLOW,
} from '../../../abi/fs/mount.ts';
import { PAGE_SIZE } from '../../../abi/limits.ts';
import { CAP_DAC_READ_SEARCH, CAP_SYS_ADMIN } from '../../../abi/process/capability.ts';
import {
  SYS_mount,
  SYS_name_to_handle_at,
  SYS_open_by_handle_at,
  SYS_umount2,
} from '../../../abi/syscall.ts';
import { kernelMemory } from '../../base/charge.ts';
import { failed } from '../../base/errno.ts';
import { countUnsupported } from '../../base/log.ts';
import { ProcFs } from '../../fs/proc/proc.ts';
import { SYS_BYTES, SysFs } from '../../fs/sys/sys.ts';
import { TmpfsFs } from '../../fs/tmpfs/tmpfs.ts';
import type { Parked } from '../../kernel/block.ts';
import { MqueueFs } from '../../kernel/ipc/mqueue_fs.ts';
import { anyHold, begun, endHolds, hold, mayBegin } from '../../kernel/task/holds.ts';
import type { Task } from '../../kernel/task/task.ts';
import { NamespaceLinks } from '../../socket/inet/namespace_links.ts';
import type { FileSystem } from '../../vfs/filesystem.ts';
import {
  countTree,
  crossDown,
  type DeadMounts,
  MOUNT_FLAGS,
  type Mount,
  newMount,
  TreeCopy,
  treeOf,
} from '../../vfs/mount.ts';
import { type MountNamespace, SLICE_MOUNTS } from '../../vfs/mount_namespace.ts';
import { LOOKUP_FOLLOW, lookupPath } from '../../vfs/namei.ts';
import type { Path } from '../../vfs/path.ts';
import { makePrivate, makeShared, makeSlave } from '../../vfs/peers.ts';
import { AT_FLAGS, pathArg, targetArg } from '../file_args.ts';
import { ADDR, FD, FLAGS, PATH } from '../kinds.ts';
import { sys } from '../row.ts';

/** Propagation types. */
const PROPAGATION = MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;

/** Options of a file system: up to a page of text, '' for none. */
function optionsArg(t: Task, addr: number): string | number {
  return addr === 0 ? '' : t.mem.copyInString(addr, PAGE_SIZE);
}

/** Implements mount(2). */
function mount(
  t: Task,
  source: number,
  target: number,
  type: number,
  flagsArg: number,
  data: number,
): number {
  if (begun(t)) return workOn(t, t.call.state as MountWork);
  const wait = awaitMounts(t);
  if (wait !== 0) return wait;
  let flags = flagsArg | 0;
  if ((flags & MS_MGC_MSK) >>> 0 === MS_MGC_VAL) flags &= ~MS_MGC_MSK;
  const options = optionsArg(t, data);
  if (typeof options === 'number') return options;
  const path = pathArg(t, target);
  if (typeof path === 'number') return path;
  const at = lookupPath(t, AT_FDCWD, path, LOOKUP_FOLLOW);
  if (failed(at)) return at;
  if (!t.cred.capable(CAP_SYS_ADMIN)) return -EPERM;
  if ((flags & MS_REMOUNT) !== 0) return at.mount.ns !== t.fs.ns ? -EINVAL : remount(at, flags, options);
  if ((flags & MS_BIND) !== 0) return bind(t, at, source, (flags & MS_REC) !== 0);
  if ((flags & PROPAGATION) !== 0) return propagation(t, at, flags);
  if ((flags & MS_MOVE) !== 0) return move(t, at, source);
  const name = pathArg(t, type);
  if (typeof name === 'number') return name;
  const { ns } = t.fs;
  if (at.mount.ns !== ns) return -EINVAL;
  const fs = makeFs(t, name, options);
  if (failed(fs)) return fs;
  const from = source === 0 ? 'none' : pathArg(t, source);
  if (typeof from === 'number') return from;
  const m = newMount(fs, from, withAtime(flags));
  return ns.attach(m, at);
}

/** Without a choice of access times, relatime. */
function withAtime(flags: number): number {
  return (flags & (MS_NOATIME | MS_STRICTATIME)) === 0 ? flags | MS_RELATIME : flags;
}

/** A file system of a type that can be mounted from inside. */
function makeFs(t: Task, name: string, options: string): FileSystem | number {
  switch (name) {
    case 'tmpfs':
      return TmpfsFs.mount(t.kernel.memfile, t, options);
    case 'ramfs':
      return TmpfsFs.mount(t.kernel.memfile, t, options);
    case 'proc':
      return mounted(t, name) ?? new ProcFs(t.kernel);
    case 'mqueue':
      return new MqueueFs(t.ipc.mqueues);
    case 'sysfs':
      return sysfs(t);
    case 'devpts':
      return mounted(t, name) ?? -ENODEV;
    default:
      countUnsupported(`mount of ${name}`);
      return -ENODEV;
  }
}

/** sysfs shows the interfaces of the network namespace of whoever mounts it: one for each. */
function sysfs(t: Task): FileSystem | number {
  for (const { fs } of t.fs.ns.mounts)
    if (fs instanceof SysFs && fs.net instanceof NamespaceLinks && fs.net.ns === t.net) return fs;
  if (!kernelMemory.fits(SYS_BYTES)) return -ENOMEM;
  return new SysFs({ numCpu: t.kernel.numCpu, net: new NamespaceLinks(t.net) });
}

/** The instance of a type that there is one of, when it is mounted somewhere in the namespace. */
function mounted(t: Task, name: string): FileSystem | null {
  return t.fs.ns.mounts.find((m) => m.fs.name === name)?.fs ?? null;
}

function remount(at: Path, flags: number, options: string): number {
  if (at.dentry !== at.mount.root) return -EINVAL;
  if ((flags & MS_BIND) === 0) {
    const r = at.mount.fs.remount(options);
    if (r < 0) return r;
  }
  at.mount.flags = withAtime(flags) & MOUNT_FLAGS;
  return 0;
}

function bind(t: Task, at: Path, source: number, recursive: boolean): number {
  const path = pathArg(t, source);
  if (typeof path === 'number') return path;
  const from = lookupPath(t, AT_FDCWD, path, LOOKUP_FOLLOW);
  if (failed(from)) return from;
  const { ns } = t.fs;
  if (at.mount.ns !== ns || from.mount.unbindable) return -EINVAL;
  const inode = from.dentry.inode!;
  if (from.mount.ns !== ns && !inode.isNamespace) return -EINVAL;
  // A namespace in which its own file is mounted would never end: mnt_ns_loop().
  if (inode.mountsId !== 0 && inode.mountsId <= ns.id) return -EINVAL;
  // Mounts on mounts double with every recursive bind: counted before they are made.
  if (!ns.hasRoom(countTree(from.mount, recursive))) return -ENOSPC;
  const bad = ns.mayAttach(from.dentry, crossDown(at));
  if (bad < 0) return bad;
  return workOn(t, new BindWork(new TreeCopy(from.mount, from.dentry, recursive), at));
}

/** What is done with many mounts in slices: the namespace is held meanwhile. */
interface MountWork extends Parked {
  readonly ns: MountNamespace | null;
  /** True when it is over, and `result` the call's. */
  step(): boolean;
  result: number;
}

class BindWork implements MountWork {
  readonly ns: MountNamespace | null;
  result = 0;
  private readonly copy: TreeCopy;
  private readonly at: Path;

  constructor(copy: TreeCopy, at: Path) {
    this.ns = at.mount.ns;
    this.copy = copy;
    this.at = at;
  }

  step(): boolean {
    if (!this.copy.step(SLICE_MOUNTS)) return false;
    this.result = this.ns!.attach(this.copy.top, this.at);
    return true;
  }

  abandon(t: Task): void {
    endHolds(t);
    this.copy.discard();
  }
}

class DetachWork implements MountWork {
  readonly ns: MountNamespace | null;
  readonly result = 0;
  private readonly dead: DeadMounts;

  constructor(ns: MountNamespace | null, dead: DeadMounts) {
    this.ns = ns;
    this.dead = dead;
  }

  step(): boolean {
    return this.dead.step(SLICE_MOUNTS);
  }

  abandon(t: Task): void {
    endHolds(t);
    this.dead.step(Number.POSITIVE_INFINITY);
  }
}

/** Does a slice; to its end even when the thread is to die. */
function workOn(t: Task, work: MountWork): number {
  if (work.step()) {
    endHolds(t);
    return work.result;
  }
  hold(t, work.ns!, work);
  return t.giveWayUntilDone();
}

/** Waits for whoever changes the caller's mounts in slices. */
function awaitMounts(t: Task): number {
  return !(anyHold() || t.call.active) ? 0 : mayBegin(t, t.fs.ns);
}

/** What a propagation type makes of a mount; null for what is none, or more than one. */
function propagationChange(type: number): ((m: Mount) => void) | null {
  switch (type) {
    case MS_SHARED:
      return makeShared;
    case MS_SLAVE:
      return makeSlave;
    case MS_PRIVATE:
      return (m) => makePrivate(m, false);
    case MS_UNBINDABLE:
      return (m) => makePrivate(m, true);
  }
  return null;
}

/** do_change_type(). */
function propagation(t: Task, at: Path, flags: number): number {
  if (at.dentry !== at.mount.root) return -EINVAL;
  const change = propagationChange(flags & ~(MS_REC | MS_SILENT));
  if (change === null || at.mount.ns !== t.fs.ns) return -EINVAL;
  for (const m of (flags & MS_REC) !== 0 ? treeOf(at.mount) : [at.mount]) change(m);
  return 0;
}

function move(t: Task, at: Path, source: number): number {
  const path = pathArg(t, source);
  if (typeof path === 'number') return path;
  const from = lookupPath(t, AT_FDCWD, path, LOOKUP_FOLLOW);
  if (failed(from)) return from;
  const m = from.mount;
  if (from.dentry !== m.root || m.parent === null || m.ns !== t.fs.ns || m.ns !== at.mount.ns) return -EINVAL;
  return m.ns.move(m, at);
}

/** Implements umount2(2). */
function umount2(t: Task, target: number, flags: number): number {
  if (begun(t)) return workOn(t, t.call.state as MountWork);
  const wait = awaitMounts(t);
  if (wait !== 0) return wait;
  if ((flags & ~(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW)) !== 0) return -EINVAL;
  const path = pathArg(t, target);
  if (typeof path === 'number') return path;
  const at = lookupPath(t, AT_FDCWD, path, (flags & UMOUNT_NOFOLLOW) !== 0 ? 0 : LOOKUP_FOLLOW);
  if (failed(at)) return at;
  if (!t.cred.capable(CAP_SYS_ADMIN)) return -EPERM;
  if (at.dentry !== at.mount.root || at.mount.ns !== t.fs.ns) return -EINVAL;
  if ((flags & MNT_EXPIRE) !== 0) {
    countUnsupported('umount2 MNT_EXPIRE');
    return -EINVAL;
  }
  const { ns } = at.mount;
  const dead = ns.beginDetach(at.mount, (flags & MNT_DETACH) !== 0);
  return typeof dead === 'number' ? dead : workOn(t, new DetachWork(ns, dead));
}

/** Implements name_to_handle_at(2) as a file system without handles does. */
function name_to_handle_at(
  t: Task,
  dirfd: number,
  path: number,
  _handle: number,
  _mountId: number,
  flags: number,
): number {
  if ((flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) !== 0) return -EINVAL;
  const inode = targetArg(t, dirfd, path, flags & AT_EMPTY_PATH);
  return failed(inode) ? inode : -EOPNOTSUPP;
}

/** Implements open_by_handle_at(2) where no handle exists. */
function open_by_handle_at(t: Task, mountFd: number): number {
  if (!t.cred.capable(CAP_DAC_READ_SEARCH)) return -EPERM;
  return mountFd !== AT_FDCWD && t.fds.get(mountFd) === null ? -EBADF : -EOPNOTSUPP;
}

const MOUNT = FLAGS('flags', [
  ['MS_RDONLY', MS_RDONLY],
  ['MS_NOSUID', MS_NOSUID],
  ['MS_NODEV', MS_NODEV],
  ['MS_NOEXEC', MS_NOEXEC],
  ['MS_REMOUNT', MS_REMOUNT],
  ['MS_NOATIME', MS_NOATIME],
  ['MS_NODIRATIME', MS_NODIRATIME],
  ['MS_BIND', MS_BIND],
  ['MS_MOVE', MS_MOVE],
  ['MS_REC', MS_REC],
  ['MS_PRIVATE', MS_PRIVATE],
  ['MS_SLAVE', MS_SLAVE],
  ['MS_SHARED', MS_SHARED],
  ['MS_RELATIME', MS_RELATIME],
  ['MS_STRICTATIME', MS_STRICTATIME],
]);
const UMOUNT = FLAGS('flags', [
  ['MNT_FORCE', MNT_FORCE],
  ['MNT_DETACH', MNT_DETACH],
  ['MNT_EXPIRE', MNT_EXPIRE],
  ['UMOUNT_NOFOLLOW', UMOUNT_NOFOLLOW],
]);

export const rows = [
  sys(
    SYS_mount,
    [PATH, PATH, PATH, MOUNT, ADDR],
    mount,
    'tmpfs, proc, sysfs, mqueue, bind mounts and propagation; no MS_REC with remounts',
  ),
  sys(SYS_umount2, [PATH, UMOUNT], umount2, 'no MNT_EXPIRE'),
  sys(
    SYS_name_to_handle_at,
    [FD, PATH, ADDR, ADDR, AT_FLAGS],
    name_to_handle_at,
    'not: EOPNOTSUPP, no file handles',
  ),
  sys(SYS_open_by_handle_at, [FD, ADDR], open_by_handle_at, 'not: EOPNOTSUPP, no file handles'),
];
