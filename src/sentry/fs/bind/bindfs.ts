// BindFs: a directory of the host inside, whose changes reach the host at once. Inodes stand for objects of the host by
// device and inode number, so that hard links share one; they are there while they are in use or in the cache of names.

import { EACCES } from '../../../abi/errno.ts';
import { O_DIRECTORY, O_PATH } from '../../../abi/fs/fcntl.ts';
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, STAT_ST_MODE } from '../../../abi/fs/stat.ts';
import {
  SIZEOF_STATFS,
  STATFS_F_BAVAIL,
  STATFS_F_BFREE,
  STATFS_F_BLOCKS,
  STATFS_F_BSIZE,
  STATFS_F_FFREE,
  STATFS_F_FILES,
  STATFS_F_NAMELEN,
  STATFS_F_TYPE,
} from '../../../abi/fs/statfs.ts';
import { getU64, type U64 } from '../../../abi/u64.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { KERNEL_INTERFACES } from '../../../host/kernel_interfaces.ts';
import { trees } from '../../../host/trees.ts';
import type { MemoryFile } from '../../memfile/memfile.ts';
import { anonymousDev, FileSystem, type StatFs } from '../../vfs/filesystem.ts';
import type { BindContent } from './bind_content.ts';
import { BindDir } from './bind_dir.ts';
import { BindFileInode } from './bind_file.ts';
import type { BindInode } from './bind_inode.ts';
import { BindSpecial, BindSymlink } from './bind_special.ts';
import { directories, type Hidden, identify, openPlace, Place, statBuffer, statFd } from './host_place.ts';

const statfsBuffer = HostBuffer.alloc(SIZEOF_STATFS);

export class BindFs extends FileSystem {
  readonly memfile: MemoryFile;
  readonly hidden: Hidden | null;
  private readonly top: BindDir;
  private readonly rootPlace: Place;
  /** By number, of objects on the device of the bound directory; by "device:number" of others. */
  private readonly inodes: Map<U64 | string, BindInode> = new Map();
  /** What stat(2) inside shows for each device of the host that was met; null for one whose files are not shown. */
  private readonly devices: Map<U64, number | null> = new Map();
  /** Files with mapped pages that the host may not have yet. */
  readonly unwritten: Set<BindContent> = new Set();

  private constructor(memfile: MemoryFile, rootPlace: Place, magic: number, hidden: Hidden | null) {
    super('bind', magic);
    this.hidden = hidden;
    this.memfile = memfile;
    this.rootPlace = rootPlace;
    this.devices.set(rootPlace.dev, this.dev);
    this.top = new BindDir(this, rootPlace);
    this.inodes.set(rootPlace.ino, this.top);
  }

  /**
   * Binds the host directory `hostPath` (byte string, absolute), without what is hidden; -errno when it cannot be opened. Nothing
   * `readonly` is changed, and of the directory nothing but `only` is used, if that is not ''.
   */
  static create(
    memfile: MemoryFile,
    hostPath: string,
    hidden: Hidden | null = null,
    readonly = false,
    only = '',
  ): BindFs | number {
    const fd = trees.attach(hostPath, !readonly, only);
    if (fd < 0) return fd;
    const place = new Place(null, hostPath);
    place.fd = fd;
    let r = statFd(fd);
    if (r === 0) r = trees.statfs(fd, statfsBuffer);
    const magic = getU64(statfsBuffer.view, STATFS_F_TYPE);
    if (r === 0 && KERNEL_INTERFACES.has(magic)) r = -EACCES;
    if (r < 0) {
      trees.close(fd);
      return r;
    }
    identify(place);
    return new BindFs(memfile, place, magic, hidden);
  }

  override get root(): BindDir {
    return this.top;
  }

  private keyOf(dev: U64, ino: U64): U64 | string {
    return dev === this.rootPlace.dev ? ino : `${dev}:${ino}`;
  }

  devOf(dev: U64): number {
    return this.devices.get(dev) ?? this.dev;
  }

  /** The inode of what statBuffer is about, which was found at dir/name; -EACCES for what is not shown. */
  inodeAt(dir: Place | null, name: string): BindInode | number {
    const place = new Place(dir, name);
    identify(place);
    const known = this.inodes.get(this.keyOf(place.dev, place.ino));
    const type = statBuffer.view.getUint32(STAT_ST_MODE, true) & S_IFMT;
    if (known !== undefined && (known.mode & S_IFMT) === type) {
      if (known !== this.top) {
        known.place.dir = dir;
        known.place.name = name;
      }
      known.absorb();
      return known;
    }
    // The number of something that is gone, used again.
    if (known !== undefined) this.drop(known);
    if (!this.devices.has(place.dev)) this.meet(place, type);
    if (this.devices.get(place.dev) === null) return -EACCES;
    const inode = this.makeInode(place, type);
    this.inodes.set(this.keyOf(place.dev, place.ino), inode);
    return inode;
  }

  /** The first object of a device: are its files shown, and under which number? Leaves statBuffer as it is. */
  private meet(place: Place, type: number): void {
    const attributes = statBuffer.u8.slice();
    const fd = openPlace(place, O_PATH | (type === S_IFDIR ? O_DIRECTORY : 0));
    statBuffer.u8.set(attributes);
    if (fd < 0) return;
    const r = trees.statfs(fd, statfsBuffer);
    trees.close(fd);
    const hidden = r < 0 || KERNEL_INTERFACES.has(getU64(statfsBuffer.view, STATFS_F_TYPE));
    this.devices.set(place.dev, hidden ? null : anonymousDev());
  }

  private makeInode(place: Place, type: number): BindInode {
    switch (type) {
      case S_IFDIR:
        return new BindDir(this, place);
      case S_IFREG:
        return new BindFileInode(this, place);
      case S_IFLNK:
        return new BindSymlink(this, place);
      default:
        return new BindSpecial(this, place);
    }
  }

  rekey(inode: BindInode, dev: U64, ino: U64): boolean {
    const key = this.keyOf(inode.place.dev, inode.place.ino);
    if (inode === this.top || this.inodes.has(key) || !this.devices.has(inode.place.dev)) return false;
    this.inodes.delete(this.keyOf(dev, ino));
    this.inodes.set(key, inode);
    return true;
  }

  drop(inode: BindInode): void {
    if (inode === this.top) return;
    const key = this.keyOf(inode.place.dev, inode.place.ino);
    if (this.inodes.get(key) === inode) this.inodes.delete(key);
    inode.close();
    directories.release(inode.place);
  }

  /** From now on nothing is changed on the host. */
  protect(): void {
    trees.protect(this.rootPlace.fd);
  }

  override statfs(out: StatFs): void {
    if (trees.statfs(this.rootPlace.fd, statfsBuffer) < 0) return;
    const v = statfsBuffer.view;
    out.bsize = getU64(v, STATFS_F_BSIZE);
    out.blocks = getU64(v, STATFS_F_BLOCKS);
    out.bfree = getU64(v, STATFS_F_BFREE);
    out.bavail = getU64(v, STATFS_F_BAVAIL);
    out.files = getU64(v, STATFS_F_FILES);
    out.ffree = getU64(v, STATFS_F_FFREE);
    out.namelen = getU64(v, STATFS_F_NAMELEN);
  }

  /** Hands to the host what programs inside wrote through mappings; 0 or the first error. */
  writeBack(): number {
    let r = 0;
    for (const content of [...this.unwritten]) {
      const one = content.writeBack();
      if (r === 0) r = one;
    }
    return r;
  }

  override sync(): number {
    const r = this.writeBack();
    const s = trees.syncfs(this.rootPlace.fd);
    return r < 0 ? r : s;
  }
}
