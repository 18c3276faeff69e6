// openHostFile: makes a file of a host descriptor that the sandbox inherited, in the way that never blocks the kernel.
// A description shared with other processes is never set to O_NONBLOCK: that would break them (the shell that started
// us). Pipes and terminals are reopened through /proc/self/fd instead, which gives a description of our own.

import { F_DUPFD_CLOEXEC, F_GETFL, O_ACCMODE, O_APPEND } from '../../../abi/fs/fcntl.ts';
import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFMT, S_IFREG, S_IFSOCK } from '../../../abi/fs/stat.ts';
import { TCGETS } from '../../../abi/ioctl.ts';
import { SYS_fcntl, SYS_ioctl } from '../../../abi/syscall.ts';
import type { U64 } from '../../../abi/u64.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { maxHostFiles } from '../../../host/limits.ts';
import { hostCall } from '../../../host/syscall.ts';
import { HOW_DIRECT, HOW_NONBLOCK, HOW_POLL, HOW_SOCKET } from './host_end.ts';
import { HostFile } from './host_file.ts';
import {
  HostFs,
  HostInode,
  type HostStat,
  type HostWorld,
  hostStat,
  isHollow,
  reopenNonblocking,
} from './host_inode.ts';

/** Host descriptors of the sandbox start here, away from those of Node, where there may be so many. */
const LOWEST_FD = Math.min(64, Math.floor(maxHostFiles / 2));
const buffer = HostBuffer.alloc(64);

/** True when the host descriptor is a terminal. */
export function isHostTty(fd: number): boolean {
  return hostCall(SYS_ioctl, fd, TCGETS, buffer.addr) === 0;
}

/** Makes files of inherited descriptors; two of the same host file share an inode, as they would outside. */
export class HostFiles {
  private readonly world: HostWorld;
  private readonly inodes: Map<string, HostInode> = new Map();
  /** By the host's device numbers. */
  private readonly systems: Map<U64, HostFs> = new Map();

  constructor(world: HostWorld) {
    this.world = world;
  }

  /** A file with refs 1 for host descriptor `fd`, which stays open and in the caller's hands; -errno. */
  open(fd: number): HostFile | number {
    const flags = hostCall(SYS_fcntl, fd, F_GETFL, 0);
    if (flags < 0) return flags;
    const stat = hostStat(fd);
    if (typeof stat === 'number') return stat;
    const access = flags & O_ACCMODE;
    // Devices, event counters and what else there may be can make a reader wait.
    let how = HOW_POLL;
    let own = -1;
    switch (stat.mode & S_IFMT) {
      case S_IFSOCK:
        how = HOW_SOCKET;
        break;
      case S_IFIFO:
        own = reopenNonblocking(fd, access);
        how = own < 0 ? HOW_POLL : HOW_NONBLOCK;
        break;
      case S_IFREG:
      case S_IFDIR:
      case S_IFBLK:
        how = HOW_DIRECT;
        break;
      case S_IFCHR:
        if (isHollow(stat.mode, stat.rdev)) how = HOW_DIRECT;
        if (!isHostTty(fd)) break;
        own = reopenNonblocking(fd, access);
        how = own < 0 ? HOW_POLL : HOW_NONBLOCK;
        break;
    }
    if (own < 0) own = hostCall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, LOWEST_FD);
    if (own < 0) return own;
    const inode = this.inodeOf(stat);
    return new HostFile(inode, access | (flags & O_APPEND), inode.grant(own, how, access));
  }

  private inodeOf(stat: HostStat): HostInode {
    const key = `${stat.dev}:${stat.ino}`;
    let inode = this.inodes.get(key);
    if (inode !== undefined) return inode;
    let fs = this.systems.get(stat.dev);
    if (fs === undefined) this.systems.set(stat.dev, (fs = new HostFs()));
    inode = new HostInode(fs, stat, this.world);
    this.inodes.set(key, inode);
    return inode;
  }
}

/** True for what may be handed on besides 0 to 2: files, pipes, sockets and character devices; not folders, whose contents it would give. */
export function mayBePassed(fd: number): boolean {
  const stat = hostStat(fd);
  if (typeof stat === 'number') return false;
  return [S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR].includes(stat.mode & S_IFMT);
}
