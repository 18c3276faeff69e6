// HostTree: the read-only view of a host directory that rootfs shows. LocalHostTree reads it through host/tree_calls.ts, by this
// process's own descriptors or a gofer's. Symbolic links of the host are never followed and ".." is never
// asked for: every step is one name below a directory that was reached the same way.

import {
  EACCES,
  EIO,
  ELOOP,
  ENODATA,
  ENOENT,
  ENOTDIR,
  EOPNOTSUPP,
  EPERM,
  ESTALE,
} from '../../../abi/errno.ts';
import {
  DIRENT64_D_INO,
  DIRENT64_D_NAME,
  DIRENT64_D_RECLEN,
  DIRENT64_D_TYPE,
  DT_DIR,
} from '../../../abi/fs/dirent.ts';
import { O_DIRECTORY, O_PATH, O_RDONLY } from '../../../abi/fs/fcntl.ts';
import {
  S_IFDIR,
  S_IFMT,
  S_IFREG,
  STAT_ST_ATIME,
  STAT_ST_ATIME_NSEC,
  STAT_ST_BLOCKS,
  STAT_ST_CTIME,
  STAT_ST_CTIME_NSEC,
  STAT_ST_DEV,
  STAT_ST_GID,
  STAT_ST_INO,
  STAT_ST_MODE,
  STAT_ST_MTIME,
  STAT_ST_MTIME_NSEC,
  STAT_ST_NLINK,
  STAT_ST_RDEV,
  STAT_ST_SIZE,
  STAT_ST_UID,
} from '../../../abi/fs/stat.ts';
import { PATH_MAX } from '../../../abi/limits.ts';
import { SYS_pread64 } from '../../../abi/syscall.ts';
import { getI64, getU64, getU64Exact, type U64 } from '../../../abi/u64.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { KERNEL_INTERFACES } from '../../../host/kernel_interfaces.ts';
import { maxHostFiles } from '../../../host/limits.ts';
import { mapsExecutable } from '../../../host/noexec.ts';
import { hostCall } from '../../../host/syscall.ts';
import { STAT_SIZE } from '../../../host/tree_calls.ts';
import { trees } from '../../../host/trees.ts';
import { bytesToString } from '../../base/bytes.ts';
import { type HiddenFiles, NOTHING_HIDDEN } from './hidden.ts';

/** One object of the host tree, by the names that led to it. Plain data: descriptors live in the tree's cache. */
export class HostNode {
  readonly parent: HostNode | null;
  readonly name: string;
  /** Device and inode number name the object: exact. */
  dev: U64 = 0;
  ino: U64 = 0;
  mode = 0;
  nlink = 1;
  uid = 0;
  gid = 0;
  rdev = 0;
  /** Bytes; rounded where a double cannot hold it, which is beyond what can be opened. */
  size = 0;
  blocks = 0;
  atimeSec = 0;
  atimeNsec = 0;
  mtimeSec = 0;
  mtimeNsec = 0;
  ctimeSec = 0;
  ctimeNsec = 0;
  /** A directory that is a kernel interface of the host (proc, sys): shown empty. */
  hidden = false;
  /** The descriptor the tree keeps for it now; -1 for none. */
  fd = -1;
  /** A file that the host let us open for reading: asked once, for the host's tree is taken to stand still. */
  readable = false;
  /** When the descriptor was last used, in steps of the tree's clock. */
  used = 0;

  constructor(parent: HostNode | null, name: string) {
    this.parent = parent;
    this.name = name;
  }
}

/** How many names it has; the links of a directory are none. */
function namesOf(node: HostNode): number {
  return (node.mode & S_IFMT) === S_IFDIR ? 1 : node.nlink;
}

/** A name in a host directory. */
export interface HostEntry {
  readonly name: string;
  readonly ino: U64;
  /** DT_* */
  readonly type: number;
}

export interface HostTree {
  /** The root directory. */
  readonly root: HostNode;
  /** The entry of a directory with its attributes; -ENOENT, -EACCES. */
  lookup(dir: HostNode, name: string): HostNode | number;
  /** All names of a directory, without "." and "..". */
  readdir(dir: HostNode): HostEntry[] | number;
  readlink(link: HostNode): string | number;
  /** May the Sentry read the file? 0 or -EACCES. */
  checkRead(file: HostNode): number;
  /** Reads at most `len` bytes at `off` to host memory at `addr`; bytes, 0 at the end. */
  pread(file: HostNode, addr: number, len: number, off: number): number;
  /** A read-only descriptor of the file, ours until the tree is asked for something else; -errno. */
  descriptor(file: HostNode): number;
  /** May the file be mapped, for execution too? Not on mounts with noexec, for one. */
  canMap(file: HostNode): boolean;
  /** An extended attribute of any object, also of one that the Sentry may not open; -ENODATA. */
  getxattr(node: HostNode, name: string): Uint8Array | number;
  /** The node is used no more. */
  release(node: HostNode): void;
}

/** Descriptors kept open at once: a third of what is left when the Sentry has its own. */
const MAX_FDS = Math.min(256, Math.max(6, Math.floor((maxHostFiles - 40) / 3)));
/** Names read from one directory. */
const MAX_NAMES = 1_000_000;
const DIR_BUFFER = 65536;
/** The largest double that is an off_t: 2^63 - 1 itself would be rounded up to a negative one. */
const MAX_SIZE = 2 ** 63 - 1024;

export class LocalHostTree implements HostTree {
  readonly root: HostNode;
  private readonly open: Set<HostNode> = new Set();
  private clock = 0;
  private readonly stat: HostBuffer = HostBuffer.alloc(STAT_SIZE);
  private readonly list: HostBuffer = HostBuffer.alloc(DIR_BUFFER);

  private readonly hidden: HiddenFiles;

  private constructor(root: HostNode, hidden: HiddenFiles) {
    this.root = root;
    this.hidden = hidden;
  }

  /**
   * The tree below a host directory (a byte string, absolute), of which nothing but `only` is used, if that is not ''; -errno when it
   * cannot be opened, -ENOENT when it is hidden.
   */
  static create(hostPath: string, hidden: HiddenFiles = NOTHING_HIDDEN, only = ''): LocalHostTree | number {
    const root = new HostNode(null, hostPath);
    const tree = new LocalHostTree(root, hidden);
    if (hostPath.length >= PATH_MAX) return -ENOENT;
    const fd = trees.attach(hostPath, false, only);
    if (fd < 0) return fd;
    root.fd = fd;
    const r = trees.stat(fd, tree.stat);
    if (r === 0) tree.absorb(root);
    if (r < 0 || hidden.has(root)) {
      trees.close(fd);
      return r < 0 ? r : -ENOENT;
    }
    return tree;
  }

  /** Fills the node's attributes from what the host said last. */
  private absorb(node: HostNode): void {
    const v = this.stat.view;
    node.dev = getU64Exact(v, STAT_ST_DEV);
    node.ino = getU64Exact(v, STAT_ST_INO);
    node.nlink = getU64(v, STAT_ST_NLINK);
    node.mode = v.getUint32(STAT_ST_MODE, true);
    node.uid = v.getUint32(STAT_ST_UID, true);
    node.gid = v.getUint32(STAT_ST_GID, true);
    node.rdev = getU64(v, STAT_ST_RDEV);
    node.size = Math.min(getI64(v, STAT_ST_SIZE), MAX_SIZE);
    node.blocks = getU64(v, STAT_ST_BLOCKS);
    node.atimeSec = getI64(v, STAT_ST_ATIME);
    node.atimeNsec = getU64(v, STAT_ST_ATIME_NSEC);
    node.mtimeSec = getI64(v, STAT_ST_MTIME);
    node.mtimeNsec = getU64(v, STAT_ST_MTIME_NSEC);
    node.ctimeSec = getI64(v, STAT_ST_CTIME);
    node.ctimeNsec = getU64(v, STAT_ST_CTIME_NSEC);
  }

  lookup(dir: HostNode, name: string): HostNode | number {
    // Path walking never asks for these; the host must not see them whoever asks.
    if (dir.hidden || name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) return -ENOENT;
    const fd = this.fdOf(dir);
    if (fd < 0) return fd;
    const node = new HostNode(dir, name);
    const r = trees.statAt(fd, name, this.stat);
    if (r < 0) return r === -EPERM ? -EACCES : r;
    this.absorb(node);
    if (this.hidden.any && this.hidden.hides(dir, name, node, namesOf(node))) return -ENOENT;
    if (node.dev !== dir.dev && (node.mode & S_IFMT) === S_IFDIR) this.hideKernelFs(node);
    return node;
  }

  /** At a mount point of the host: is it one of its kernel's interfaces? Then it is shown as an empty directory. */
  private hideKernelFs(node: HostNode): void {
    const fd = this.fdOf(node);
    if (fd < 0) return;
    const r = trees.statfs(fd, this.list);
    if (r < 0 || KERNEL_INTERFACES.has(getU64(this.list.view, 0))) {
      node.hidden = true;
      node.size = 0;
      node.nlink = 2;
      this.release(node);
    }
  }

  /** The node's descriptor: O_RDONLY where the host lets us read, else (directories) O_PATH; opened when needed. */
  private fdOf(node: HostNode): number {
    node.used = ++this.clock;
    if (node.fd >= 0) return node.fd;
    const parent = node.parent!;
    const dirfd = this.fdOf(parent);
    if (dirfd < 0) return dirfd;
    const isDir = (node.mode & S_IFMT) === S_IFDIR;
    const flags = O_RDONLY | (isDir ? O_DIRECTORY : 0);
    let fd = trees.open(dirfd, node.name, flags, this.stat);
    if (fd === -EACCES && isDir) fd = trees.open(dirfd, node.name, flags | O_PATH, this.stat);
    if (fd < 0) return fd === -EPERM ? -EACCES : fd === -ELOOP || fd === -ENOTDIR ? -ESTALE : fd;
    // The tree may have changed under us: a descriptor of something else must not be taken for the node's.
    const v = this.stat.view;
    if (getU64Exact(v, STAT_ST_INO) !== node.ino || getU64Exact(v, STAT_ST_DEV) !== node.dev) {
      trees.close(fd);
      return -ESTALE;
    }
    node.fd = fd;
    // Later than its parents', which were opened for it: the first that go shall be those.
    node.used = ++this.clock;
    this.open.add(node);
    if (this.open.size > MAX_FDS) this.closeOldest();
    return fd;
  }

  /** Closes the half of the descriptors that was used least recently. */
  private closeOldest(): void {
    const nodes = [...this.open].sort((a, b) => a.used - b.used);
    for (let i = 0; i < nodes.length / 2; i++) this.release(nodes[i]!);
  }

  release(node: HostNode): void {
    if (node.fd < 0 || node === this.root) return;
    trees.close(node.fd);
    node.fd = -1;
    this.open.delete(node);
  }

  readdir(dir: HostNode): HostEntry[] | number {
    if (dir.hidden) return [];
    const fd = this.fdOf(dir);
    if (fd < 0) return fd;
    const out: HostEntry[] = [];
    for (let first = true; ; first = false) {
      const n = trees.list(fd, first, this.list);
      if (n < 0) return n;
      if (n === 0) return out;
      for (let at = 0; at < n; ) {
        const size = this.list.view.getUint16(at + DIRENT64_D_RECLEN, true);
        const start = at + DIRENT64_D_NAME;
        let end = this.list.u8.indexOf(0, start);
        if (end < 0 || end > at + size) end = at + size;
        const name = bytesToString(this.list.u8, start, end - start);
        const ino = getU64Exact(this.list.view, at + DIRENT64_D_INO);
        // How many names it has is not told; a file may have several.
        const nlink = this.list.view.getUint8(at + DIRENT64_D_TYPE) === DT_DIR ? 1 : 2;
        const shown = !this.hidden.any || !this.hidden.hides(dir, name, { dev: dir.dev, ino }, nlink);
        if (name !== '.' && name !== '..' && shown)
          out.push({ name, ino, type: this.list.view.getUint8(at + DIRENT64_D_TYPE) });
        at += size;
      }
      if (out.length > MAX_NAMES) return -EIO;
    }
  }

  readlink(link: HostNode): string | number {
    const fd = this.fdOf(link.parent!);
    if (fd < 0) return fd;
    const n = trees.readlink(fd, link.name, this.list);
    if (n < 0) return n;
    return bytesToString(this.list.u8, 0, n);
  }

  getxattr(node: HostNode, name: string): Uint8Array | number {
    if (node.hidden) return -ENODATA;
    const r = this.xattrAt(node, name);
    if (r < 0) return r === -EOPNOTSUPP ? -ENODATA : r;
    return this.list.u8.slice(0, r);
  }

  /** The value goes to this.list: its bytes, or -errno. */
  private xattrAt(node: HostNode, name: string): number {
    if (node.parent !== null) {
      const dirfd = this.fdOf(node.parent);
      if (dirfd < 0) return dirfd;
      const r = trees.getxattr(dirfd, node.name, name, this.list);
      if (r >= 0 || r === -ENODATA || r === -EOPNOTSUPP) return r;
    }
    const type = node.mode & S_IFMT;
    if (type !== S_IFREG && type !== S_IFDIR) return -ENODATA;
    const fd = this.fdOf(node);
    if (fd < 0) return fd;
    return trees.getxattr(fd, '', name, this.list);
  }

  checkRead(file: HostNode): number {
    if (file.readable) return 0;
    const fd = this.fdOf(file);
    if (fd < 0) return fd;
    file.readable = true;
    return 0;
  }

  descriptor(file: HostNode): number {
    return this.fdOf(file);
  }

  canMap(file: HostNode): boolean {
    const fd = this.fdOf(file);
    return fd >= 0 && mapsExecutable(fd);
  }

  pread(file: HostNode, addr: number, len: number, off: number): number {
    const fd = this.fdOf(file);
    return fd < 0 ? fd : hostCall(SYS_pread64, fd, addr, len, off);
  }
}
