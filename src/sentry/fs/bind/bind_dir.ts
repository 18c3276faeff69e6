// BindDir: a directory of the host. Every look-up asks the host, and every change is made there first.

import { EBUSY, EIO, ENFILE, ENOENT, ENOMEM, ENOSPC, ENOTDIR, EPERM, ESTALE } from '../../../abi/errno.ts';
import {
  DIRENT64_D_INO,
  DIRENT64_D_NAME,
  DIRENT64_D_RECLEN,
  DIRENT64_D_TYPE,
} from '../../../abi/fs/dirent.ts';
import { AT_REMOVEDIR, O_DIRECTORY, O_PATH, O_RDONLY } from '../../../abi/fs/fcntl.ts';
import { RENAME_EXCHANGE, RENAME_NOREPLACE } from '../../../abi/fs/fs.ts';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, S_ISGID } from '../../../abi/fs/stat.ts';
import { CAP_DAC_OVERRIDE } from '../../../abi/process/capability.ts';
import { getU64Exact, type U64 } from '../../../abi/u64.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { trees } from '../../../host/trees.ts';
import { bytesToString } from '../../base/bytes.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import { failed } from '../../base/errno.ts';
import { defaultAcl } from '../../vfs/acl.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { DirFile } from '../../vfs/dirfile.ts';
import type { File } from '../../vfs/file.ts';
import type { DirSink, Inode } from '../../vfs/inode.ts';
import { BindFileInode } from './bind_file.ts';
import { BindInode, type BindWorld, grantsPrivs, hostUser } from './bind_inode.ts';
import { BindSpecial, SPECIAL_BYTES } from './bind_special.ts';
import { hostFiles } from './host_files.ts';
import {
  directories,
  goodName,
  isHidden,
  mayMake,
  openPlace,
  type Place,
  statAt,
  statFd,
} from './host_place.ts';

/** Names read from one directory. */
const MAX_NAMES = 1_000_000;
/** A name of a listing, beside its text. */
const LISTED_BYTES = 160;
const list = HostBuffer.alloc(65536);

/** What directories need of their file system beside what all inodes do. */
interface DirWorld extends BindWorld {
  inodeAt(dir: Place | null, name: string): BindInode | number;
}

interface HostName {
  readonly name: string;
  readonly ino: U64;
  readonly type: number;
}

/** The names of a directory as they were when its listing began; who reads it goes on in that. */
class BindDirFile extends DirFile {
  names: HostName[] | null = null;
  private paid = 0;
  private listPayer: Account | null = null;

  /** Keeps a listing that takes `bytes`. */
  keep(names: HostName[], bytes: number): void {
    this.forgetNames();
    this.names = names;
    this.paid = bytes;
    this.listPayer = kernelMemory.take(bytes);
  }

  private forgetNames(): void {
    this.names = null;
    if (this.listPayer !== null) kernelMemory.give(this.listPayer, this.paid);
    this.listPayer = null;
  }

  override fsync(_ctx: VfsContext): number {
    const fd = directories.of((this.inode as BindDir).place);
    return fd < 0 ? fd : trees.fsync(fd);
  }

  protected override release(): void {
    this.forgetNames();
  }
}

export class BindDir extends BindInode {
  declare readonly fs: DirWorld;

  constructor(fs: DirWorld, place: Place) {
    super(fs, place);
    this.volatile = true;
  }

  protected override ownFd(): number {
    return this.place.fd;
  }

  /** Where a walk begins nobody has looked just now. Where the caller is the user that the host takes us for, the host decides anew anyway. */
  override permission(ctx: VfsContext, mask: number): number {
    const { cred } = ctx;
    if (cred.fsuid !== hostUser || (hostUser === 0 && !cred.capable(CAP_DAC_OVERRIDE))) this.refresh(ctx);
    return super.permission(ctx, mask);
  }

  override open(_ctx: VfsContext, flags: number): File | number {
    // Open directories stay at hand; what the host denies us it denies here.
    const fd = directories.of(this.place);
    return fd < 0 ? fd : new BindDirFile(this, flags);
  }

  override lookup(_ctx: VfsContext, name: string): Inode | number {
    return this.find(name);
  }

  private find(name: string): BindInode | number {
    if (!goodName(name)) return -ENOENT;
    const fd = directories.of(this.place);
    if (fd < 0) return fd;
    const r = statAt(fd, name);
    if (r < 0) return r;
    return isHidden(this.fs.hidden, this.place, name) ? -ENOENT : this.fs.inodeAt(this.place, name);
  }

  override create(ctx: VfsContext, name: string, mode: number, _rdev: number): Inode | number {
    const type = mode & S_IFMT;
    // The host's devices are not the guest's to name.
    if (type === S_IFCHR || type === S_IFBLK || grantsPrivs(ctx, mode)) return -EPERM;
    if (!goodName(name)) return -ENOENT;
    if (type !== S_IFREG) return this.createSpecial(ctx, name, mode);
    const dirfd = directories.of(this.place);
    if (dirfd < 0) return dirfd;
    return this.makeFile(ctx, dirfd, name, mode);
  }

  override tmpfile(ctx: VfsContext, mode: number): Inode | number {
    if (grantsPrivs(ctx, mode)) return -EPERM;
    const dirfd = directories.of(this.place);
    if (dirfd < 0) return dirfd;
    return this.makeFile(ctx, dirfd, '', mode);
  }

  /** Makes a file, without a name for '': an inode whose first open gets the descriptor that it was made with. */
  private makeFile(ctx: VfsContext, dirfd: number, name: string, mode: number): Inode | number {
    const may = name === '' ? 0 : mayMake(this.fs.hidden, dirfd, this.place, name);
    if (may < 0) return may;
    const user = hostFiles.take();
    if (user === null) return -ENFILE;
    const fd = trees.create(dirfd, name, this.firstMode(ctx, mode));
    let r = fd < 0 ? fd : this.own(ctx, fd, mode);
    if (r >= 0) r = statFd(fd);
    const inode = r < 0 ? r : this.fs.inodeAt(name === '' ? null : this.place, name);
    if (inode instanceof BindFileInode) {
      inode.made(fd, user);
      return inode;
    }
    hostFiles.give(user);
    if (fd >= 0) trees.close(fd);
    return failed(inode) ? inode : -ESTALE;
  }

  /** A FIFO or a socket: its name is on the host, and what it joins is in here. */
  private createSpecial(ctx: VfsContext, name: string, mode: number): Inode | number {
    if (!kernelMemory.fits(SPECIAL_BYTES)) return -ENOSPC;
    const inode = this.make(ctx, name, mode, (dirfd, first) =>
      trees.mknod(dirfd, name, (mode & S_IFMT) | first),
    );
    if (inode instanceof BindSpecial) inode.keep();
    return inode;
  }

  override mkdir(ctx: VfsContext, name: string, mode: number): Inode | number {
    return this.make(ctx, name, S_IFDIR | mode, (dirfd, first) => trees.mkdir(dirfd, name, first));
  }

  override symlink(ctx: VfsContext, name: string, target: string): Inode | number {
    return this.make(ctx, name, S_IFLNK | 0o777, (dirfd) => trees.symlink(target, dirfd, name));
  }

  /** Makes an entry with `make`, gives it to the caller, and returns its inode. */
  private make(
    ctx: VfsContext,
    name: string,
    mode: number,
    make: (dirfd: number, mode: number) => number,
  ): Inode | number {
    if (!goodName(name)) return -ENOENT;
    const dirfd = directories.of(this.place);
    if (dirfd < 0) return dirfd;
    let r = mayMake(this.fs.hidden, dirfd, this.place, name);
    if (r === 0) r = make(dirfd, this.firstMode(ctx, mode));
    if (r < 0) return r;
    const inode = this.find(name);
    if (failed(inode) || !this.givesAway(ctx)) return inode;
    if ((inode.mode & S_IFMT) !== (mode & S_IFMT) || inode.uid !== hostUser) return -ESTALE;
    const isDir = (mode & S_IFMT) === S_IFDIR;
    const fd = openPlace(inode.place, isDir ? O_RDONLY | O_DIRECTORY : O_PATH);
    if (fd < 0) return fd;
    const owned = this.own(ctx, fd, mode);
    trees.close(fd);
    inode.refresh();
    return owned < 0 ? owned : inode;
  }

  /** On the host as root we make files for others: what is made is to belong to who makes it. */
  private givesAway(ctx: VfsContext): boolean {
    return hostUser === 0 && (ctx.cred.fsuid !== 0 || ctx.cred.fsgid !== 0);
  }

  /** The mode that an entry has until it belongs to the right user: nobody else may get at it meanwhile. */
  private firstMode(ctx: VfsContext, mode: number): number {
    const m = mode & 0o7777;
    return this.givesAway(ctx) && defaultAcl(this) === null ? m & 0o700 : m;
  }

  /** Gives what was just made to the caller (inode_init_owner), where we may. A set-group-ID directory has given its group already. */
  private own(ctx: VfsContext, fd: number, mode: number): number {
    if (!this.givesAway(ctx)) return 0;
    const gid = (this.mode & S_ISGID) !== 0 ? 0xffff_ffff : ctx.cred.fsgid;
    let r = trees.chown(fd, ctx.cred.fsuid, gid);
    if (r < 0 && r !== -EPERM) return r;
    if ((mode & S_IFMT) === S_IFLNK || defaultAcl(this) !== null) return 0;
    const inherited = (mode & S_IFMT) === S_IFDIR ? this.mode & S_ISGID : 0;
    r = trees.chmod(fd, (mode & 0o7777) | inherited);
    return r;
  }

  override link(_ctx: VfsContext, name: string, target: Inode): number {
    if (!goodName(name)) return -ENOENT;
    const from = target as BindInode;
    const open = from instanceof BindFileInode ? from.anyFd() : -1;
    let r = this.mayHave(name);
    if (r < 0) return r;
    if (open >= 0) {
      const dirfd = directories.of(this.place);
      if (dirfd < 0) return dirfd;
      r = trees.linkOpen(open, dirfd, name);
    } else {
      if (from.place.dir === null) return -ENOENT;
      r = directories.both(from.place.dir, this.place, (a, b) => trees.link(a, from.place.name, b, name));
    }
    if (r < 0) return r;
    const made = this.find(name);
    if (failed(made)) return made;
    from.linkable = false;
    // Somebody outside put something else there: that has two names now, and the caller's file has not.
    return made === from ? 0 : -ESTALE;
  }

  private mayHave(name: string): number {
    if (this.fs.hidden === null) return 0;
    const dirfd = directories.of(this.place);
    return dirfd < 0 ? dirfd : mayMake(this.fs.hidden, dirfd, this.place, name);
  }

  /** -EBUSY for a directory through which a hidden path leads: that stays where it is. */
  private movable(inode: BindInode | null): number {
    const { hidden } = this.fs;
    if (hidden === null || inode === null || !(inode instanceof BindDir)) return 0;
    return hidden.any && hidden.leadsThrough(inode.place) ? -EBUSY : 0;
  }

  override unlink(_ctx: VfsContext, name: string, victim: Inode): number {
    return this.remove(name, victim as BindInode, 0);
  }

  override rmdir(_ctx: VfsContext, name: string, victim: Inode): number {
    const r = this.movable(victim as BindInode);
    return r < 0 ? r : this.remove(name, victim as BindInode, AT_REMOVEDIR);
  }

  private remove(name: string, victim: BindInode, flags: number): number {
    if (!goodName(name)) return -ENOENT;
    const dirfd = directories.of(this.place);
    if (dirfd < 0) return dirfd;
    const r = trees.unlink(dirfd, name, flags);
    if (r < 0) return r;
    lostName(victim, this.place, name);
    this.refresh();
    return 0;
  }

  override rename(
    _ctx: VfsContext,
    name: string,
    victim: Inode,
    newDir: Inode,
    newName: string,
    replaced: Inode | null,
    flags: number,
  ): number {
    if (!goodName(name) || !goodName(newName)) return -ENOENT;
    const to = newDir as BindDir;
    let r = this.movable(victim as BindInode);
    if (r === 0) r = this.movable(replaced as BindInode | null);
    if (r === 0) r = to.mayHave(newName);
    if (r === 0 && (flags & RENAME_EXCHANGE) !== 0) r = this.mayHave(name);
    if (r < 0) return r;
    r = directories.both(this.place, to.place, (a, b) =>
      trees.rename(a, name, b, newName, flags & (RENAME_EXCHANGE | RENAME_NOREPLACE)),
    );
    if (r < 0) return r;
    const moved = (victim as BindInode).place;
    moved.dir = to.place;
    moved.name = newName;
    if (replaced !== null) {
      const other = replaced as BindInode;
      if ((flags & RENAME_EXCHANGE) !== 0) {
        other.place.dir = this.place;
        other.place.name = name;
      } else lostName(other, to.place, newName);
    }
    this.refresh();
    if (to !== this) to.refresh();
    (victim as BindInode).refresh();
    return 0;
  }

  override readdir(_ctx: VfsContext, from: number, sink: DirSink): number {
    if (!(sink instanceof BindDirFile)) return -ENOTDIR;
    if (from === 2 || sink.names === null) {
      const r = this.readNames(sink);
      if (r < 0) return r;
    }
    const names = sink.names!;
    for (let i = Math.max(0, from - 2); i < names.length; i++) {
      const e = names[i]!;
      if (!sink.emit(e.name, e.ino, e.type, i + 3)) return 0;
    }
    return 0;
  }

  /** A mount point of the host has another number in the listing than it has: each is asked. */
  private hidesName(fd: number, name: string): boolean {
    const { hidden } = this.fs;
    if (hidden === null || !hidden.any) return false;
    if (hidden.named(this.place, name)) return true;
    return statAt(fd, name) === 0 && isHidden(hidden, this.place, name);
  }

  private readNames(into: BindDirFile): number {
    const fd = directories.of(this.place);
    if (fd < 0) return fd;
    const out: HostName[] = [];
    let bytes = 0;
    for (let first = true; ; first = false) {
      const r = trees.list(fd, first, list);
      if (r < 0) return r;
      if (r === 0) break;
      for (let at = 0; at < r; ) {
        const size = list.view.getUint16(at + DIRENT64_D_RECLEN, true);
        const start = at + DIRENT64_D_NAME;
        let end = list.u8.indexOf(0, start);
        if (end < 0 || end > at + size) end = at + size;
        const name = bytesToString(list.u8, start, end - start);
        if (name !== '.' && name !== '..' && !this.hidesName(fd, name)) {
          bytes += LISTED_BYTES + name.length;
          out.push({
            name,
            ino: getU64Exact(list.view, at + DIRENT64_D_INO),
            type: list.view.getUint8(at + DIRENT64_D_TYPE),
          });
        }
        at += size;
      }
      if (out.length > MAX_NAMES) return -EIO;
      if (!kernelMemory.fits(bytes)) return -ENOMEM;
    }
    into.keep(out, bytes);
    return 0;
  }
}

/** A name of the object is gone. What has others and is not open is found by them again. */
function lostName(victim: BindInode, dir: Place, name: string): void {
  const { place } = victim;
  if (place.dir === dir && place.name === name) {
    place.dir = null;
    place.name = '';
  }
  if ((victim.mode & S_IFMT) === S_IFDIR) victim.nlink = 0;
  else if (victim instanceof BindFileInode && victim.anyFd() >= 0) victim.refresh();
  else victim.nlink = Math.max(0, victim.nlink - 1);
}
