// Inodes below /proc/PID: each belongs to a thread, shows its owner, and is gone (ESRCH) when the thread is.

import { EACCES, EPERM, ESRCH } from '../../../abi/errno.ts';
import type { Io } from '../../base/io.ts';
import { TASK_DEAD } from '../../kernel/states.ts';
import type { Task } from '../../kernel/task/task.ts';
import type { MemoryManager } from '../../mm/mm.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { File } from '../../vfs/file.ts';
import type { FileSystem } from '../../vfs/filesystem.ts';
import type { Inode } from '../../vfs/inode.ts';
import type { Path } from '../../vfs/path.ts';
import { genericPermission } from '../../vfs/permission.ts';
import { SyntheticFile, SyntheticFileInode, SyntheticSymlinkInode, type Text } from '../../vfs/synthetic.ts';
import { mayInspect, ownerGid, ownerUid } from './access.ts';
import { mmOf } from './mm_view.ts';
import { ProcDirInode } from './proc_dir.ts';

/** The thread that a directory shows. `whole`: /proc/PID, which speaks for the process, not /proc/PID/task/TID. */
export class Target {
  private readonly shown: Task;
  readonly whole: boolean;

  constructor(task: Task, whole: boolean) {
    this.shown = task;
    this.whole = whole;
  }

  /** The thread, dead but not reaped ones included; null when it is gone. */
  task(): Task | null {
    const t = this.shown;
    if (t.kernel.pids.task(t.tid) === t) return t;
    // exec by another thread put that one in the leader's place.
    if (this.whole) return t.group.reaped ? null : t.group.leader;
    return null;
  }
}

/** Owner and group of an inode become the thread's; -ESRCH when it is gone. */
function revalidate(inode: Inode, target: Target): number {
  const t = target.task();
  if (t === null) return -ESRCH;
  inode.uid = ownerUid(t);
  inode.gid = ownerGid(t);
  return 0;
}

function permitted(inode: Inode, target: Target, ctx: VfsContext, mask: number): number {
  const r = revalidate(inode, target);
  return r < 0 ? r : genericPermission(ctx.cred, inode, mask);
}

/** One file of /proc/PID. */
export interface PidFile {
  readonly name: string;
  /** Permission bits. */
  readonly mode: number;
  /** The text; `whole` tells /proc/PID from /proc/PID/task/TID. */
  readonly read: (t: Task, ctx: VfsContext, whole: boolean) => Text | number;
  readonly write?: (t: Task, ctx: VfsContext, data: string) => number;
  /** Only those who may trace the process may open (-EACCES) or read (-EPERM) it. */
  readonly guarded?: 'open' | 'read';
  /** Opens another kind of file than text. */
  readonly open?: (inode: Inode, t: Task, flags: number) => File | number;
}

export class PidFileInode extends SyntheticFileInode {
  private readonly target: Target;
  private readonly file: PidFile;

  constructor(fs: FileSystem, target: Target, file: PidFile) {
    super(fs, file.mode);
    this.target = target;
    this.file = file;
  }

  override refresh(ctx: VfsContext): number {
    super.refresh(ctx);
    return revalidate(this, this.target);
  }

  override permission(ctx: VfsContext, mask: number): number {
    return permitted(this, this.target, ctx, mask);
  }

  override open(ctx: VfsContext, flags: number): File | number {
    const t = this.target.task();
    if (t === null) return -ESRCH;
    if (this.file.guarded === 'open' && !mayInspect(ctx, t)) return -EACCES;
    if (this.file.open !== undefined) return this.file.open(this, t, flags);
    return this.file.guarded === 'open' ? new MemoryTextFile(this, flags, t) : super.open(ctx, flags);
  }

  override read(ctx: VfsContext): Text | number {
    const t = this.target.task();
    if (t === null) return -ESRCH;
    if (this.file.guarded === 'read' && !mayInspect(ctx, t)) return -EPERM;
    return this.file.read(t, ctx, this.target.whole);
  }

  override write(ctx: VfsContext, data: string): number {
    const t = this.target.task();
    if (t === null) return -ESRCH;
    return this.file.write === undefined ? super.write(ctx, data) : this.file.write(t, ctx, data);
  }
}

/**
 * What only those who may trace the process could open. It is about the address space of that moment: the program that
 * an exec puts in its place may have more rights than the reader.
 */
class MemoryTextFile extends SyntheticFile {
  private readonly target: Task;
  private readonly mm: MemoryManager | null;

  constructor(inode: SyntheticFileInode, flags: number, target: Task) {
    super(inode, flags);
    this.target = target;
    this.mm = mmOf(target);
  }

  override pread(ctx: VfsContext, io: Io, off: number): number {
    return mmOf(this.target) === this.mm ? super.pread(ctx, io, off) : 0;
  }
}

/** A directory that belongs to a thread. */
export abstract class PidDirInode extends ProcDirInode {
  readonly target: Target;

  constructor(fs: FileSystem, target: Target, mode = 0o555) {
    super(fs, mode);
    this.target = target;
  }

  override refresh(ctx: VfsContext): number {
    super.refresh(ctx);
    return revalidate(this, this.target);
  }

  override permission(ctx: VfsContext, mask: number): number {
    return permitted(this, this.target, ctx, mask);
  }
}

/** exe, cwd, root, fd/N, ns/X: text for readlink, a place for lookups; both only for those who may trace. */
export abstract class PidLinkInode extends SyntheticSymlinkInode {
  readonly target: Target;

  constructor(fs: FileSystem, target: Target) {
    super(fs);
    this.target = target;
  }

  protected abstract text(t: Task, ctx: VfsContext): string | number;
  protected abstract place(t: Task): Path | number;

  /** The live thread, if the caller may look into it. */
  private inspect(ctx: VfsContext): Task | number {
    const t = this.target.task();
    if (t === null) return -ESRCH;
    return mayInspect(ctx, t) ? t : -EACCES;
  }

  override refresh(ctx: VfsContext): number {
    super.refresh(ctx);
    return revalidate(this, this.target);
  }

  override readlink(ctx: VfsContext): string | number {
    const t = this.inspect(ctx);
    return typeof t === 'number' ? t : this.text(t, ctx);
  }

  override followLink(ctx: VfsContext): Path | number {
    const t = this.inspect(ctx);
    return typeof t === 'number' ? t : this.place(t);
  }
}

/** True when the thread has let its files and memory go. */
export function isGone(t: Task): boolean {
  return t.state === TASK_DEAD;
}
