// Server: answers the requests of a kernel, which may be in the hands of somebody else. Nothing of what it says is believed: sizes are those
// of the message, handles are looked up, names are one component, flags those that are listed here. Only what lies below an
// attached directory is reached, and changed only if that may be; interfaces of the host's kernel are not served.

import {
  EACCES,
  EBADF,
  EINVAL,
  ENOENT,
  ENOTDIR,
  EOPNOTSUPP,
  EPERM,
  EROFS,
  ESTALE,
  EXDEV,
} from '../abi/errno.ts';
import {
  AT_REMOVEDIR,
  F_GETFL,
  O_ACCMODE,
  O_APPEND,
  O_DIRECTORY,
  O_PATH,
  O_RDONLY,
  O_RDWR,
} from '../abi/fs/fcntl.ts';
import { RENAME_EXCHANGE, RENAME_NOREPLACE } from '../abi/fs/fs.ts';
import {
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  S_ISGID,
  S_ISUID,
  STAT_ST_DEV,
  STAT_ST_MODE,
} from '../abi/fs/stat.ts';
import { SIZEOF_STATFS, STATFS_F_TYPE } from '../abi/fs/statfs.ts';
import { SYS_close, SYS_fcntl, SYS_geteuid } from '../abi/syscall.ts';
import { getU64, getU64Exact } from '../abi/u64.ts';
import { HostBuffer } from '../host/buffer.ts';
import { KERNEL_INTERFACES } from '../host/kernel_interfaces.ts';
import type { PacketSocket } from '../host/packet_socket.ts';
import { hostCall } from '../host/syscall.ts';
import { STAT_SIZE, THREAD_FILES, TIMES_SIZE } from '../host/tree_calls.ts';
import type { BeneathTrees } from './beneath.ts';
import { type Given, type Held, HeldTable, type Tree } from './held.ts';
import * as P from './protocol.ts';

const SET_IDS = S_ISUID | S_ISGID;
const ACLS = ['system.posix_acl_access', 'system.posix_acl_default'];

/** A name as directories have them. */
function goodName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name);
}

/** Attributes that are served: those of users, and access control lists. */
function goodAttribute(name: string): boolean {
  return !name.includes('\0') && (name.startsWith('user.') || ACLS.includes(name));
}

/** Gives up what attaching needs; what it says goes back (lockdown.ts). */
type Seal = (trees: readonly Tree[], given: readonly Given[], forced: boolean) => string;

/** Descriptors of the caller that may be opened anew. */
const MOST_GIVEN = 256;

export class Server {
  private readonly socket: PacketSocket;
  private readonly calls: BeneathTrees;
  private readonly seal: Seal;
  private readonly trees: Tree[] = [];
  private readonly table: HeldTable = new HeldTable();
  private readonly stat: HostBuffer = HostBuffer.alloc(STAT_SIZE);
  private readonly statfs: HostBuffer = HostBuffer.alloc(SIZEOF_STATFS);
  private readonly out: HostBuffer = HostBuffer.alloc(P.DATA_MAX);
  private readonly value: HostBuffer = HostBuffer.alloc(P.DATA_MAX);
  private readonly times: HostBuffer = HostBuffer.alloc(TIMES_SIZE);
  /** Whom root makes files for must not get root's rights by them. */
  private readonly isRoot: boolean = hostCall(SYS_geteuid) === 0;
  private readonly given: Given[] = [];
  private sealed = false;
  // Of the request in progress.
  private text = '';
  private dataFrom = 0;
  private dataSize = 0;
  private answered = 0;
  private hasStat = false;
  /** Goes with the answer, and is closed then. */
  private donated = -1;

  constructor(socket: PacketSocket, calls: BeneathTrees, seal: Seal) {
    this.socket = socket;
    this.calls = calls;
    this.seal = seal;
  }

  /** Serves until the kernel is gone; false when it said what nobody says. */
  serve(): boolean {
    for (;;) {
      const size = this.socket.receive();
      if (size === 0) return true;
      if (!this.read(size)) return false;
      const op = this.field(P.Q_OP);
      if (op === P.OP_CLOSE) {
        this.dropReceived();
        for (let at = this.dataFrom; at + 4 <= this.dataFrom + this.dataSize; at += 4)
          this.table.letGo(this.field(at));
        continue;
      }
      this.answered = 0;
      this.hasStat = false;
      this.donated = -1;
      const result = this.answer(op);
      this.dropReceived();
      if (!this.send(result)) return true;
    }
  }

  private dropReceived(): void {
    if (this.socket.received >= 0) hostCall(SYS_close, this.socket.received);
  }

  private field(at: number): number {
    return this.socket.buffer.view.getUint32(at, true);
  }

  /** Finds the parts of a message of `size` bytes; false when it cannot have them. */
  private read(size: number): boolean {
    if (size < P.Q_TEXT) {
      if (size > 0) this.dropReceived();
      return false;
    }
    const textSize = this.field(P.Q_TEXT_SIZE);
    this.dataSize = this.field(P.Q_DATA_SIZE);
    if (textSize > P.TEXT_MAX || this.dataSize > P.DATA_MAX || P.Q_TEXT + textSize + this.dataSize !== size) {
      this.dropReceived();
      return false;
    }
    this.dataFrom = P.Q_TEXT + textSize;
    this.text = this.latin1(P.Q_TEXT, this.dataFrom);
    this.table.letGo(this.field(P.Q_LET_GO));
    return true;
  }

  private latin1(from: number, to: number): string {
    const { buffer } = this.socket.buffer;
    return Buffer.from(buffer, from, to - from).toString('latin1');
  }

  private get data(): string {
    return this.latin1(this.dataFrom, this.dataFrom + this.dataSize);
  }

  /** False when the kernel is gone. */
  private send(result: number): boolean {
    const { u8, view } = this.socket.buffer;
    view.setInt32(P.A_RESULT, result, true);
    view.setUint32(P.A_DATA_SIZE, this.answered, true);
    if (this.hasStat) u8.set(this.stat.u8.subarray(0, STAT_SIZE), P.A_STAT);
    else u8.fill(0, P.A_STAT, P.A_DATA);
    if (this.answered > 0) u8.set(this.out.u8.subarray(0, this.answered), P.A_DATA);
    const r = this.socket.send(P.A_DATA + this.answered, this.donated);
    if (this.donated >= 0) hostCall(SYS_close, this.donated);
    return r === 0;
  }

  private answer(op: number): number {
    switch (op) {
      case P.OP_ATTACH:
        return this.attach(this.text, this.field(P.Q_A) === 1, this.data);
      case P.OP_THREAD_FILE:
        return this.threadFile(this.field(P.Q_A), this.field(P.Q_B), this.field(P.Q_C));
      case P.OP_LINK_TEXT:
        return this.socket.received < 0
          ? -EBADF
          : this.gave(this.calls.linkText(this.socket.received, this.out));
      case P.OP_REOPEN_GIVEN:
        return this.reopenGiven(this.field(P.Q_A));
      case P.OP_ALLOW_GIVEN:
        return this.allowGiven();
      case P.OP_SEAL:
        return this.sealUp(this.field(P.Q_A) === 1);
    }
    const held = this.table.get(this.field(P.Q_HANDLE));
    return typeof held === 'number' ? held : this.about(held, op);
  }

  /** What asks about an object, or about a name in it. */
  private about(held: Held, op: number): number {
    const { calls, stat, out, text } = this;
    switch (op) {
      case P.OP_STAT:
        return this.sawStat(calls.stat(held.fd, stat));
      case P.OP_STATFS:
        return this.gaveAll(calls.statfs(held.fd, out), SIZEOF_STATFS);
      case P.OP_OPEN:
        return this.open(held, this.field(P.Q_A));
      case P.OP_STAT_AT: {
        const r = this.nameIn(held, text);
        return r < 0 ? r : this.sawStat(calls.statAt(held.fd, text, stat));
      }
      case P.OP_READLINK: {
        const r = text === '' ? 0 : this.nameIn(held, text);
        return r < 0 ? r : this.gave(calls.readlink(held.fd, text, out));
      }
      case P.OP_LIST:
        return this.list(held);
      case P.OP_GETXATTR:
        return this.getxattr(held);
      case P.OP_LISTXATTR:
        if (held.closed || (held.mode & S_IFMT) === S_IFLNK) return -EOPNOTSUPP;
        return this.gave(calls.listxattr(held.fd, out));
      case P.OP_FSYNC:
        return held.closed || (held.mode & S_IFMT) !== S_IFDIR ? -EINVAL : calls.fsync(held.fd);
      case P.OP_SYNCFS:
        return held.closed ? -EINVAL : calls.syncfs(held.fd);
      case P.OP_REOPEN:
        return this.reopen(held, this.field(P.Q_A));
      case P.OP_PROTECT:
        held.tree.writes = false;
        return 0;
      default:
        return held.tree.writes && !held.closed ? this.change(held, op) : -EROFS;
    }
  }

  /** What changes something. */
  private change(held: Held, op: number): number {
    const { calls, text } = this;
    const mode = this.field(P.Q_A);
    switch (op) {
      case P.OP_CREATE:
        return this.create(held, mode);
      case P.OP_CHOWN:
        return calls.chown(held.fd, this.field(P.Q_A), this.field(P.Q_B));
      case P.OP_CHMOD:
        return this.chmod(held, mode);
      case P.OP_UTIMENS:
        this.times.u8.set(this.socket.buffer.u8.subarray(P.Q_TIMES, P.Q_TIMES + TIMES_SIZE));
        return calls.utimens(held.fd, this.times);
      case P.OP_SETXATTR:
        return this.setxattr(held);
      case P.OP_REMOVEXATTR:
        return this.mayChangeAttribute(held) ? calls.removexattr(held.fd, text) : -EPERM;
      case P.OP_LINK_OPEN: {
        const to = this.second();
        if (typeof to === 'number') return to;
        if ((held.mode & S_IFMT) !== S_IFREG || to.tree !== held.tree) return -EXDEV;
        const r = this.nameIn(to, text);
        return r < 0 ? r : calls.linkOpen(held.fd, to.fd, text);
      }
    }
    const named = this.nameIn(held, text);
    if (named < 0) return named;
    switch (op) {
      case P.OP_MKDIR:
        return (mode & ~0o7777) !== 0 ? -EINVAL : calls.mkdir(held.fd, text, mode);
      case P.OP_MKNOD: {
        const type = mode & S_IFMT;
        if (type !== S_IFIFO && type !== S_IFSOCK) return -EPERM;
        return (mode & ~(S_IFMT | 0o1777)) !== 0 ? -EPERM : calls.mknod(held.fd, text, mode);
      }
      case P.OP_SYMLINK: {
        const target = this.data;
        return target.includes('\0') || target.length >= P.TEXT_MAX
          ? -EINVAL
          : calls.symlink(target, held.fd, text);
      }
      case P.OP_UNLINK:
        return mode === 0 || mode === AT_REMOVEDIR ? calls.unlink(held.fd, text, mode) : -EINVAL;
      case P.OP_LINK:
      case P.OP_RENAME:
        return this.twoNames(held, op, mode);
      default:
        return -EOPNOTSUPP;
    }
  }

  private twoNames(held: Held, op: number, flags: number): number {
    const to = this.second();
    if (typeof to === 'number') return to;
    if (to.tree !== held.tree) return -EXDEV;
    const name = this.data;
    const r = this.nameIn(to, name);
    if (r < 0) return r;
    if (op === P.OP_LINK) return this.calls.link(held.fd, this.text, to.fd, name);
    if (flags !== 0 && flags !== RENAME_EXCHANGE && flags !== RENAME_NOREPLACE) return -EINVAL;
    return this.calls.rename(held.fd, this.text, to.fd, name, flags);
  }

  /** The other directory, which may be changed too. */
  private second(): Held | number {
    const held = this.table.get(this.field(P.Q_SECOND));
    if (typeof held === 'number') return held;
    return held.tree.writes && !held.closed ? held : -EROFS;
  }

  private sawStat(r: number): number {
    this.hasStat = r === 0;
    return r;
  }

  /** `r` bytes of `out` go along, which is the result. */
  private gave(r: number): number {
    this.answered = Math.min(Math.max(r, 0), this.out.size);
    return r;
  }

  private gaveAll(r: number, size: number): number {
    if (r >= 0) this.answered = size;
    return r;
  }

  /** 0 when the name may be asked for in what is held. */
  private nameIn(held: Held, name: string): number {
    if ((held.mode & S_IFMT) !== S_IFDIR) return -ENOTDIR;
    if (held.closed || !goodName(name)) return -ENOENT;
    return held.isTop && held.tree.only !== '' && held.tree.only !== name ? -ENOENT : 0;
  }

  private attach(path: string, writes: boolean, only: string): number {
    if (this.sealed) return -EPERM;
    if (!path.startsWith('/') || path.includes('\0') || (only !== '' && !goodName(only))) return -EINVAL;
    const fd = this.calls.attach(path, writes, only);
    if (fd < 0) return fd;
    const tree: Tree = { writes, only, fd };
    const r = this.hold(fd, tree, true);
    if (r >= 0) this.trees.push(tree);
    return r;
  }

  /** Holds a descriptor that was just opened: its handle. */
  private hold(fd: number, tree: Tree, isTop: boolean, above: Held | null = null): number {
    const r = this.calls.stat(fd, this.stat);
    if (r < 0) {
      hostCall(SYS_close, fd);
      return r;
    }
    const { view } = this.stat;
    const mode = view.getUint32(STAT_ST_MODE, true);
    const dev = getU64Exact(view, STAT_ST_DEV);
    // On the way down it is looked at where another file system begins.
    let closed = above?.closed ?? false;
    if (above !== null && dev !== above.dev && this.isInterface(fd)) closed = true;
    return this.table.add({ fd, tree, isTop, mode, dev, closed });
  }

  private isInterface(fd: number): boolean {
    const r = this.calls.statfs(fd, this.statfs);
    return r < 0 || KERNEL_INTERFACES.has(getU64(this.statfs.view, STATFS_F_TYPE));
  }

  private open(dir: Held, flags: number): number {
    const named = this.nameIn(dir, this.text);
    if (named < 0) return named;
    const access = flags & O_ACCMODE;
    const kind = flags & ~O_ACCMODE;
    if (kind !== 0 && kind !== O_PATH && kind !== O_DIRECTORY && kind !== (O_PATH | O_DIRECTORY))
      return -EINVAL;
    if (access === O_ACCMODE || (kind !== 0 && access !== O_RDONLY)) return -EINVAL;
    if (access !== O_RDONLY && !dir.tree.writes) return -EROFS;
    // A reference first: opening anything but a file may do something.
    const fd = this.calls.open(dir.fd, this.text, kind === 0 ? O_PATH : kind, this.stat);
    if (fd < 0) return fd;
    const handle = this.hold(fd, dir.tree, false, dir);
    if (handle < 0) return handle;
    this.hasStat = true;
    const r = kind === 0 ? this.donate(handle, access) : 0;
    if (r === 0) return handle;
    this.table.letGo(handle);
    return r;
  }

  /** Has a descriptor of a regular file go along; 0 or -errno. */
  private donate(handle: number, access: number): number {
    const held = this.table.get(handle) as Held;
    if (held.closed) return -EACCES;
    // What it was when its name was looked up it may not be any more.
    if ((held.mode & S_IFMT) !== S_IFREG) return -ESTALE;
    const fd = this.calls.reopen(held.fd, access);
    if (fd < 0) return fd;
    this.donated = fd;
    return 0;
  }

  private reopen(held: Held, flags: number): number {
    if ((flags & ~O_ACCMODE) !== 0 || flags === O_ACCMODE) return -EINVAL;
    if (flags !== O_RDONLY && !held.tree.writes) return -EROFS;
    if ((held.mode & S_IFMT) !== S_IFREG) return -EINVAL;
    const fd = this.calls.reopen(held.fd, O_PATH);
    if (fd < 0) return fd;
    const handle = this.table.add({ ...held, fd, isTop: false });
    if (handle < 0) return handle;
    const r = this.donate(handle, flags);
    if (r === 0) return handle;
    this.table.letGo(handle);
    return r;
  }

  private create(dir: Held, mode: number): number {
    const named = this.text === '' ? 0 : this.nameIn(dir, this.text);
    if (named < 0) return named;
    if ((dir.mode & S_IFMT) !== S_IFDIR || (dir.isTop && dir.tree.only !== '')) return -EACCES;
    if ((mode & ~0o7777) !== 0) return -EINVAL;
    if (this.isRoot && (mode & SET_IDS) !== 0) return -EPERM;
    const file = this.calls.create(dir.fd, this.text, mode);
    if (file < 0) return file;
    // The reference does not count among those who may write, as which it would keep the file from being run.
    const fd = this.calls.reopen(file, O_PATH);
    const handle = fd < 0 ? fd : this.hold(fd, dir.tree, false, dir);
    if (handle < 0) hostCall(SYS_close, file);
    else this.donated = file;
    return handle;
  }

  private list(held: Held): number {
    if ((held.mode & S_IFMT) !== S_IFDIR) return -ENOTDIR;
    if (held.closed || (held.isTop && held.tree.only !== '')) return -EACCES;
    return this.gave(this.calls.list(held.fd, this.field(P.Q_A) === 1, this.out));
  }

  private getxattr(held: Held): number {
    const attribute = this.data;
    const r = this.text === '' ? (held.closed ? -EOPNOTSUPP : 0) : this.nameIn(held, this.text);
    if (r < 0) return r;
    if (attribute.includes('\0') || (this.text === '' && (held.mode & S_IFMT) === S_IFLNK))
      return -EOPNOTSUPP;
    return this.gave(this.calls.getxattr(held.fd, this.text, attribute, this.out));
  }

  private mayChangeAttribute(held: Held): boolean {
    return (held.mode & S_IFMT) !== S_IFLNK && goodAttribute(this.text);
  }

  private setxattr(held: Held): number {
    const flags = this.field(P.Q_A);
    if (!this.mayChangeAttribute(held)) return -EPERM;
    this.value.u8.set(this.socket.buffer.u8.subarray(this.dataFrom, this.dataFrom + this.dataSize));
    return this.calls.setxattr(held.fd, this.text, this.value, this.dataSize, flags);
  }

  private chmod(held: Held, mode: number): number {
    const type = held.mode & S_IFMT;
    if ((mode & ~0o7777) !== 0 || type === S_IFLNK) return -EINVAL;
    if (this.isRoot && type !== S_IFDIR && (mode & SET_IDS) !== 0) {
      const r = this.calls.stat(held.fd, this.stat);
      if (r < 0) return r;
      // Bits that it has may stay.
      if ((mode & SET_IDS & ~this.stat.view.getUint32(STAT_ST_MODE, true)) !== 0) return -EPERM;
    }
    return this.calls.chmod(held.fd, mode);
  }

  /** A file that the kernel has: pipes anew in both ways, everything else with no more rights than its descriptor has. */
  private reopenGiven(flags: number): number {
    const given = this.socket.received;
    if (given < 0) return -EBADF;
    const access = flags & O_ACCMODE;
    if ((flags & ~(O_ACCMODE | O_APPEND)) !== 0 || access === O_ACCMODE) return -EINVAL;
    let r = this.calls.stat(given, this.stat);
    if (r < 0) return r;
    const type = this.stat.view.getUint32(STAT_ST_MODE, true) & S_IFMT;
    if (type === S_IFDIR) return -EACCES;
    const has = hostCall(SYS_fcntl, given, F_GETFL, 0);
    if (has < 0) return has;
    if ((has & O_PATH) !== 0) return -EACCES;
    if (type !== S_IFIFO && (has & O_ACCMODE) !== O_RDWR && (has & O_ACCMODE) !== access) return -EACCES;
    r = this.calls.reopen(given, flags);
    if (r < 0) return r;
    this.donated = r;
    return 0;
  }

  /** What /proc says of threads: who reads the descriptor has his own right to, or not. */
  private threadFile(pid: number, tid: number, which: number): number {
    const file = THREAD_FILES[which];
    if (file === undefined || pid < 1 || tid < 1 || pid > 2 ** 22 || tid > 2 ** 22) return -EINVAL;
    const fd = this.calls.threadFile(pid, tid, file);
    if (fd < 0) return fd;
    this.donated = fd;
    return 0;
  }

  private allowGiven(): number {
    if (this.sealed || this.given.length >= MOST_GIVEN || this.socket.received < 0) return -EPERM;
    if (this.calls.stat(this.socket.received, this.stat) < 0) return -EBADF;
    const isDirectory = (this.stat.view.getUint32(STAT_ST_MODE, true) & S_IFMT) === S_IFDIR;
    this.given.push({ fd: this.socket.received, isDirectory });
    this.socket.received = -1;
    return 0;
  }

  private sealUp(forced: boolean): number {
    if (this.sealed) return -EPERM;
    this.sealed = true;
    const said = this.seal(this.trees, this.given, forced);
    for (const { fd } of this.given.splice(0)) hostCall(SYS_close, fd);
    const bytes = Buffer.from(said, 'latin1').subarray(0, this.out.size);
    this.out.u8.set(bytes);
    return this.gave(bytes.length);
  }
}
