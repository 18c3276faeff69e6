// /proc/PID/fd and fdinfo: one entry per descriptor. proc_pid_fd(5), proc_pid_fdinfo(5).

import { EACCES, ENOENT } from '../../../abi/errno.ts';
import { O_CLOEXEC } from '../../../abi/fs/fcntl.ts';
import { S_IFLNK } from '../../../abi/fs/stat.ts';
import type { Task } from '../../kernel/task/task.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { DT_LNK, DT_REG } from '../../vfs/dirent.ts';
import { pathString } from '../../vfs/dpath.ts';
import type { File } from '../../vfs/file.ts';
import type { FileSystem } from '../../vfs/filesystem.ts';
import type { Inode } from '../../vfs/inode.ts';
import type { Path } from '../../vfs/path.ts';
import { type SyntheticEntry, SyntheticFileInode } from '../../vfs/synthetic.ts';
import { mayInspect } from './access.ts';
import { placelessName, placeOf } from './anon_path.ts';
import { isGone, PidDirInode, PidLinkInode, type Target } from './pid_inode.ts';

const READ_BITS = 0o500;
const WRITE_BITS = 0o300;
const LINK_SIZE = 64;

/** A descriptor number as a name, or -1. */
function parseFd(name: string): number {
  return /^(0|[1-9][0-9]{0,9})$/.test(name) ? Number(name) : -1;
}

function fileOf(target: Target, fd: number): File | null {
  const t = target.task();
  return t === null || isGone(t) ? null : t.fds.get(fd);
}

class FdLink extends PidLinkInode {
  private readonly fd: number;

  constructor(fs: FileSystem, target: Target, fd: number, file: File) {
    super(fs, target);
    this.fd = fd;
    const access = (file.readable ? READ_BITS : 0) | (file.writable ? WRITE_BITS : 0);
    this.mode = S_IFLNK | access;
    this.size = LINK_SIZE;
  }

  protected override text(t: Task, ctx: VfsContext): string | number {
    const file = fileOf(this.target, this.fd);
    if (file === null || isGone(t)) return -ENOENT;
    return placelessName(file) ?? pathString(file.path!, ctx.fs.root);
  }

  protected override place(): Path | number {
    const file = fileOf(this.target, this.fd);
    if (file === null) return -ENOENT;
    return file.path ?? placeOf(file.inode, file.describe());
  }
}

/** Names are the numbers of open descriptors. */
abstract class DescriptorDir extends PidDirInode {
  private readonly type: number;

  constructor(fs: FileSystem, target: Target, mode: number, type: number) {
    super(fs, target, mode);
    this.type = type;
  }

  protected abstract make(fd: number, file: File): Inode;

  /** A process may look at its own descriptors even after it changed its credentials. */
  override permission(ctx: VfsContext, mask: number): number {
    const r = super.permission(ctx, mask);
    if (r !== -EACCES) return r;
    const t = this.target.task();
    return t !== null && t.tgid === ctx.tgid ? 0 : r;
  }

  override refresh(ctx: VfsContext): number {
    const r = super.refresh(ctx);
    const t = this.target.task();
    // Since Linux 6.2 the size of the directory is the number of open descriptors.
    this.size = 0;
    if (t !== null && !isGone(t))
      for (let i = 0; i < t.fds.length; i++) if (t.fds.get(i) !== null) this.size++;
    return r;
  }

  override lookup(ctx: VfsContext, name: string): Inode | number {
    const fd = parseFd(name);
    const t = this.target.task();
    if (fd < 0 || t === null || !mayInspect(ctx, t)) return -ENOENT;
    const file = fileOf(this.target, fd);
    return file === null ? -ENOENT : this.make(fd, file);
  }

  override *entries(ctx: VfsContext): Iterable<SyntheticEntry> {
    const t = this.target.task();
    if (t === null || isGone(t) || !mayInspect(ctx, t)) return;
    for (let fd = 0; fd < t.fds.length; fd++) {
      if (t.fds.get(fd) !== null)
        yield { name: String(fd), ino: Number(this.ino) + fd + 1, type: this.type, cookie: fd + 2 };
    }
  }
}

export class FdDir extends DescriptorDir {
  constructor(fs: FileSystem, target: Target) {
    super(fs, target, 0o500, DT_LNK);
  }

  protected override make(fd: number, file: File): Inode {
    return new FdLink(this.fs, this.target, fd, file);
  }
}

class FdInfo extends SyntheticFileInode {
  private readonly target: Target;
  private readonly fd: number;

  constructor(fs: FileSystem, target: Target, fd: number) {
    super(fs, 0o444);
    this.target = target;
    this.fd = fd;
  }

  override read(): string | number {
    const t = this.target.task();
    const file = fileOf(this.target, this.fd);
    if (t === null || file === null) return -ENOENT;
    return fdinfoText(file, t.fds.isCloexec(this.fd));
  }
}

/** The lines that every file has, and those of its kind. */
export function fdinfoText(file: File, cloexec: boolean): string {
  const flags = cloexec ? file.flags | O_CLOEXEC : file.flags;
  const mount = file.path === null ? 0 : file.path.mount.id;
  const common = `pos:\t${file.where()}\nflags:\t0${(flags >>> 0).toString(8)}\nmnt_id:\t${mount}\nino:\t${file.inode.ino}\n`;
  return common + file.fdinfo();
}

export class FdInfoDir extends DescriptorDir {
  constructor(fs: FileSystem, target: Target) {
    super(fs, target, 0o555, DT_REG);
  }

  protected override make(fd: number): Inode {
    return new FdInfo(this.fs, this.target, fd);
  }
}
