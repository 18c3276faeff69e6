// Inode: one object of a file system (struct inode with its inode_operations). Each file system subclasses it.
// Operations return >= 0 or -errno and never wait. Names are byte strings of one path component, already checked for
// length, "." and "..". Permission checks on the directory were made by the caller (vfs/namei.ts).

import { EACCES, EINVAL, ENOTDIR, ENOTTY, EOPNOTSUPP, EPERM } from '../../abi/errno.ts';
import { S_IFMT, S_IFREG } from '../../abi/fs/stat.ts';
import type { U64 } from '../../abi/u64.ts';
import type { PageCache } from '../memfile/pagecache.ts';
import type { Acls } from './acl.ts';
import type { VfsContext } from './context.ts';
import type { DirRecords } from './dir_records.ts';
import type { File } from './file.ts';
import type { FileSystem } from './filesystem.ts';
import type { InodeLocks } from './locks.ts';
import type { Path } from './path.ts';
import { genericPermission } from './permission.ts';
import type { InodeWatches } from './watches.ts';

/** What setattr may change: fields that are undefined stay. Sizes in bytes, times in seconds and nanoseconds. */
export interface SetAttr {
  mode?: number;
  uid?: number;
  gid?: number;
  atimeSec?: number;
  atimeNsec?: number;
  mtimeSec?: number;
  mtimeNsec?: number;
  /** Both times are the current one, which whoever may write may ask for. */
  now?: boolean;
}

/** Receives directory entries; returns false when full, and the entry was not taken. `next` is the cookie after it. */
export interface DirSink {
  emit(name: string, ino: U64, type: number, next: number): boolean;
  /** Takes records from number `index` on, as many as there is room for: how many; -1 to get entries one by one. */
  emitRecords(records: DirRecords, index: number): number;
}

export abstract class Inode {
  readonly fs: FileSystem;
  /** Within its file system, exact: stat(2) shows the host's own. */
  readonly ino: U64;
  /** S_IFMT type and permission bits. */
  mode: number;
  nlink = 1;
  uid = 0;
  gid = 0;
  /** Device number of a character or block device, as st_rdev has it. */
  rdev = 0;
  /** Bytes. */
  size = 0;
  /** 512-byte blocks in use, when the file system keeps count. */
  blocks = 0;
  blksize = 4096;
  atimeSec = 0;
  atimeNsec = 0;
  mtimeSec = 0;
  mtimeNsec = 0;
  ctimeSec = 0;
  ctimeNsec = 0;
  btimeSec = 0;
  btimeNsec = 0;
  /** Content pages of a regular file that is kept in the memory file; what mmap maps and read copies from. */
  pages: PageCache | null = null;
  /** POSIX, OFD and flock locks; made on first use. */
  locks: InodeLocks | null = null;
  /** inotify watches; made on first use. */
  watches: InodeWatches | null = null;
  xattrs: Map<string, Uint8Array> | null = null;
  /** POSIX access control lists, if there are any; UNREAD_ACLS until the host was asked. */
  acls: Acls | null = null;
  /** It may have file capabilities, which the next change takes away (Linux keeps the opposite, S_NOSEC). */
  mayHaveCaps = false;
  /** Open files that may write, minus those that deny it (running programs): ETXTBSY. */
  writers = 0;
  /** Open descriptions of it; with nlink 0 and none of them, the content goes (evict). */
  users = 0;
  /** Names of it in the dentry cache; with none of them and no users, it may be forgotten (forget). */
  aliases = 0;
  /** memfd_create(2) seals, F_SEAL_*. */
  seals = 0;
  /** Seals exist on it at all: tmpfs and memfds. */
  sealable = false;
  /** Made by O_TMPFILE without O_EXCL and still without a name: linkat(2) may give it one. */
  linkable = false;
  /** A directory whose names come and go by themselves (proc): every lookup asks it again. */
  volatile = false;

  constructor(fs: FileSystem, ino: U64, mode: number) {
    this.fs = fs;
    this.ino = ino;
    this.mode = mode;
  }

  /** st_dev of stat(2): a file system that shows several devices of the host tells them apart. */
  get dev(): number {
    return this.fs.dev;
  }

  /** True when a special file must not be opened by the driver of its device number (host devices that show through). */
  get inert(): boolean {
    return false;
  }

  /** Opens the inode: returns a File with refs 1, or -errno. `flags` are open(2)'s. */
  abstract open(ctx: VfsContext, flags: number): File | number;

  /** Brings size, times and other cached fields up to date before stat; most file systems have nothing to do. */
  refresh(_ctx: VfsContext): number {
    return 0;
  }

  /** Finds an entry; -ENOENT when there is none. */
  lookup(_ctx: VfsContext, _name: string): Inode | number {
    return -ENOTDIR;
  }

  /**
   * Makes a non-directory, non-symlink entry: S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK in `mode`. Where nothing can be
   * made, a file is EACCES (open(2)) and all else EPERM (mknod(2)).
   */
  create(_ctx: VfsContext, _name: string, mode: number, _rdev: number): Inode | number {
    return (mode & S_IFMT) === S_IFREG ? -EACCES : -EPERM;
  }

  /** An unnamed regular file for O_TMPFILE, nlink 0. */
  tmpfile(_ctx: VfsContext, _mode: number): Inode | number {
    return -EOPNOTSUPP;
  }

  mkdir(_ctx: VfsContext, _name: string, _mode: number): Inode | number {
    return -EPERM;
  }

  symlink(_ctx: VfsContext, _name: string, _target: string): Inode | number {
    return -EPERM;
  }

  /** Adds a hard link to `target`, an inode of the same file system. */
  link(_ctx: VfsContext, _name: string, _target: Inode): number {
    return -EPERM;
  }

  unlink(_ctx: VfsContext, _name: string, _victim: Inode): number {
    return -EPERM;
  }

  rmdir(_ctx: VfsContext, _name: string, _victim: Inode): number {
    return -EPERM;
  }

  /**
   * Moves `name` to newDir/newName. `replaced` is what stands there, or null. With RENAME_EXCHANGE the two change
   * places. The VFS has checked types, emptiness of nothing: an occupied directory is refused here with -ENOTEMPTY.
   */
  rename(
    _ctx: VfsContext,
    _name: string,
    _victim: Inode,
    _newDir: Inode,
    _newName: string,
    _replaced: Inode | null,
    _flags: number,
  ): number {
    return -EPERM;
  }

  /** Emits entries from cookie `from` on ("." and ".." come from the VFS as cookies 0 and 1; so from >= 2). */
  readdir(_ctx: VfsContext, _from: number, _sink: DirSink): number {
    return -ENOTDIR;
  }

  /** A symlink's text. */
  readlink(_ctx: VfsContext): string | number {
    return -EINVAL;
  }

  /**
   * Follows a symbolic link: its text, or the Path that a magic link leads to (/proc/PID/fd/N, exe, cwd, root), which
   * checks the caller's right to it here.
   */
  followLink(ctx: VfsContext): Path | string | number {
    return this.readlink(ctx);
  }

  /** What a new name in this directory ends with whoever asks: as on Linux when the look-up of a name itself fails. */
  newNameError(): number {
    return 0;
  }

  /** May the caller do `mask` (MAY_READ 4, MAY_WRITE 2, MAY_EXEC 1)? 0, -EACCES, -EPERM. */
  permission(ctx: VfsContext, mask: number): number {
    return genericPermission(ctx.cred, this, mask);
  }

  /** A namespace's file: it can be mounted though it is on no mount of the caller's (may_copy_tree() on Linux). */
  get isNamespace(): boolean {
    return false;
  }

  /** The id of the mount namespace that its file stands for; 0 for all others. */
  get mountsId(): number {
    return 0;
  }

  /** A mount begins to show it as its root, or no longer does: for namespaces, which live as long. */
  mounted(_on: boolean): void {}

  /** The last name and the last description are gone: free the content. */
  evict(): void {}

  /** No cached dentry and no description refers to it any more: what can be had again from elsewhere may go. */
  forget(): void {}

  /** Bytes of a write at `off` that the file system has room for, at most `len`; -ENOSPC, -EIO. */
  prepareWrite(_ctx: VfsContext, _off: number, len: number): number {
    return len;
  }

  /** Content was or may be written from now on. */
  wrote(): void {}

  /** Its access control lists, from where it comes from: asked once. */
  readAcls(): Acls | null {
    return null;
  }

  /** Content or owner changed: takes its file capabilities away (security_inode_killpriv). */
  killPriv(): void {}

  /** An extended attribute's value, or -ENODATA. Permission was checked by the caller, as for the others. */
  getxattr(_ctx: VfsContext, _name: string): Uint8Array | number {
    return -EOPNOTSUPP;
  }

  /** `flags`: XATTR_CREATE, XATTR_REPLACE. */
  setxattr(_ctx: VfsContext, _name: string, _value: Uint8Array, _flags: number): number {
    return -EOPNOTSUPP;
  }

  removexattr(_ctx: VfsContext, _name: string): number {
    return -EOPNOTSUPP;
  }

  /** Names of all attributes. */
  listxattr(_ctx: VfsContext): Iterable<string> | number {
    return -EOPNOTSUPP;
  }

  setattr(_ctx: VfsContext, _attr: SetAttr): number {
    return -EPERM;
  }

  /** Sets the size of a regular file, dropping or zero-filling content. */
  truncate(_ctx: VfsContext, _size: number): number {
    return -EINVAL;
  }

  /**
   * fallocate(2), or a slice of it: how many bytes of the range are done, of which earlier calls did the first `done`. With
   * all of them it is over.
   */
  fallocate(_ctx: VfsContext, _mode: number, _off: number, _len: number, _done: number): number {
    return -EOPNOTSUPP;
  }

  ioctl(_ctx: VfsContext, _cmd: number, _arg: number): number {
    return -ENOTTY;
  }
}
