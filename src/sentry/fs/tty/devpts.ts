// devpts: the file system of /dev/pts, and the drivers of /dev/ptmx, /dev/tty, /dev/console and /dev/pts/N. One instance
// numbers all pseudo-terminals of the sandbox. pts(4), devpts in proc(5)'s mount options: gid=5,mode=620.

import { EINVAL, EIO, ENOENT, ENOSPC, ENXIO } from '../../../abi/errno.ts';
import { O_ACCMODE, O_NOCTTY, O_WRONLY } from '../../../abi/fs/fcntl.ts';
import { DEVPTS_SUPER_MAGIC } from '../../../abi/fs/magic.ts';
import { TTYAUX_MAJOR } from '../../../abi/fs/major.ts';
import { S_IFCHR } from '../../../abi/fs/stat.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import { failed } from '../../base/errno.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { ANY_MINOR, registerCharDevice } from '../../vfs/devices.ts';
import { DT_CHR } from '../../vfs/dirent.ts';
import type { File } from '../../vfs/file.ts';
import { devMinor, FileSystem, makedev } from '../../vfs/filesystem.ts';
import type { Inode, SetAttr } from '../../vfs/inode.ts';
import { SpecialInode, SyntheticDirInode, type SyntheticEntry } from '../../vfs/synthetic.ts';
import { stampBirth, stampChange } from '../../vfs/times.ts';
import { type HostDoor, HostTty } from './host_tty.ts';
import { HostTtyFile } from './host_tty_file.ts';
import type { TtyHost } from './job_control.ts';
import { Pty, type PtyOwner } from './pty.ts';
import { MasterFile, SlaveFile } from './pty_file.ts';
import { Terminal, UNIX98_PTY_SLAVE_MAJOR } from './terminal.ts';

/** pty.max of Linux: kernel.pty.max. */
const PTY_MAX = 4096;
/** A pair with its queues. */
const PTY_BYTES = 32768;
const TTY_GID = 5;
const SLAVE_MODE = 0o620;
const ROOT_INO = 1;
const PTMX_INO = 2;
/** Inode of slave N is N + this. */
const FIRST_SLAVE_INO = 3;
const MINOR_TTY = 0;
const MINOR_CONSOLE = 1;
const MINOR_PTMX = 2;

/** A slave's node. Owner and mode can be changed; opening goes through the character-device table. */
class PtsInode extends SpecialInode {
  override setattr(ctx: VfsContext, attr: SetAttr): number {
    if (attr.mode !== undefined) this.mode = S_IFCHR | (attr.mode & 0o7777);
    if (attr.uid !== undefined) this.uid = attr.uid;
    if (attr.gid !== undefined) this.gid = attr.gid;
    if (attr.atimeSec !== undefined) {
      this.atimeSec = attr.atimeSec;
      this.atimeNsec = attr.atimeNsec ?? 0;
    }
    if (attr.mtimeSec !== undefined) {
      this.mtimeSec = attr.mtimeSec;
      this.mtimeNsec = attr.mtimeNsec ?? 0;
    }
    stampChange(ctx, this);
    return 0;
  }
}

class DevptsRoot extends SyntheticDirInode {
  private readonly pts: Devpts;

  constructor(pts: Devpts) {
    super(pts, 0o755, ROOT_INO);
    this.pts = pts;
  }

  override lookup(_ctx: VfsContext, name: string): Inode | number {
    if (name === 'ptmx') return this.pts.ptmx;
    const index = /^(0|[1-9][0-9]{0,9})$/.test(name) ? Number(name) : -1;
    return this.pts.nodes.get(index) ?? -ENOENT;
  }

  override *entries(): Iterable<SyntheticEntry> {
    const indices = [...this.pts.nodes.keys()].sort((a, b) => a - b);
    for (const i of indices) {
      yield { name: String(i), ino: FIRST_SLAVE_INO + i, type: DT_CHR, cookie: 3 + i };
    }
    yield { name: 'ptmx', ino: PTMX_INO, type: DT_CHR, cookie: 3 + PTY_MAX };
  }
}

/** The file system, and the table of pseudo-terminals. Make one, then register(). */
export class Devpts extends FileSystem implements PtyOwner {
  readonly host: TtyHost;
  readonly root: Inode;
  readonly ptmx: Inode;
  /** Pairs by number, until both ends are closed. */
  private readonly ptys: Map<number, Terminal> = new Map();
  private readonly payers: Map<number, Account> = new Map();
  /** Slaves that can be opened: their master is open. */
  readonly nodes: Map<number, Inode> = new Map();
  /** What /dev/console opens; null when the sandbox has no terminal. */
  console: Terminal | null = null;

  constructor(host: TtyHost) {
    super('devpts', DEVPTS_SUPER_MAGIC);
    this.host = host;
    this.root = new DevptsRoot(this);
    this.ptmx = new PtsInode(this, S_IFCHR | 0o000, makedev(TTYAUX_MAJOR, MINOR_PTMX));
  }

  override options(): string {
    return ',gid=5,mode=620,ptmxmode=000';
  }

  /** Serves the character devices of terminals. */
  register(): void {
    registerCharDevice(TTYAUX_MAJOR, MINOR_PTMX, (inode, ctx, flags) => this.openMaster(inode, ctx, flags));
    registerCharDevice(TTYAUX_MAJOR, MINOR_TTY, (inode, ctx, flags) => this.openTty(inode, ctx, flags));
    registerCharDevice(TTYAUX_MAJOR, MINOR_CONSOLE, (inode, ctx, flags) =>
      this.console === null ? -ENXIO : this.openSlave(this.console, inode, ctx, flags | O_NOCTTY),
    );
    registerCharDevice(UNIX98_PTY_SLAVE_MAJOR, ANY_MINOR, (inode, ctx, flags) => {
      const pty = this.ptys.get(devMinor(inode.rdev));
      return pty === undefined ? -ENXIO : this.openSlave(pty, inode, ctx, flags);
    });
  }

  /** A new pair, its master in the hands of the caller (who calls closeMaster); -ENOSPC at the limit. */
  newPty(uid: number): Pty | number {
    const index = this.freeIndex();
    if (index >= PTY_MAX || !kernelMemory.fits(PTY_BYTES)) return -ENOSPC;
    this.payers.set(index, kernelMemory.take(PTY_BYTES));
    return this.enter(new Pty(index, this.host, this), uid);
  }

  /** Gives a terminal of the host a number, which it keeps. */
  newHostTty(door: HostDoor, uid: number): HostTty {
    return this.enter(new HostTty(this.freeIndex(), this.host, door), uid);
  }

  /** Nobody inside finds it any more; who has it open keeps it. */
  removeHostTty(tty: HostTty): void {
    this.nodes.delete(tty.index);
    this.ptys.delete(tty.index);
  }

  private freeIndex(): number {
    let index = 0;
    while (this.ptys.has(index)) index++;
    return index;
  }

  private enter<T extends Terminal>(tty: T, uid: number): T {
    this.ptys.set(tty.index, tty);
    const node = new PtsInode(this, S_IFCHR | SLAVE_MODE, tty.rdev);
    node.uid = uid;
    node.gid = TTY_GID;
    this.nodes.set(tty.index, node);
    return tty;
  }

  /** The node of a pair's slave. */
  nodeOf(pty: Terminal): Inode {
    return this.nodes.get(pty.index)!;
  }

  /** Opens a slave: a controlling terminal for a session leader without one, unless O_NOCTTY. */
  openSlave(pty: Terminal, inode: Inode, ctx: VfsContext, flags: number): File | number {
    const refused = pty.mayOpen(ctx);
    if (refused !== 0) return refused;
    if (inode.mtimeSec === 0) stampBirth(ctx, inode);
    const file =
      pty instanceof HostTty ? HostTtyFile.open(inode, flags, pty) : new SlaveFile(inode, flags, pty as Pty);
    if (failed(file)) return file;
    const adopts = pty.adoptable && (flags & O_NOCTTY) === 0 && (flags & O_ACCMODE) !== O_WRONLY;
    if (adopts && pty.session === null && this.host.isSessionLeader(ctx)) {
      if (this.host.processOf(ctx).tty === null) pty.adopt(ctx);
    }
    return file;
  }

  openPeer(pty: Pty, ctx: VfsContext, flags: number): File | number {
    const node = this.nodes.get(pty.index);
    return node === undefined ? -EIO : this.openSlave(pty, node, ctx, flags);
  }

  private openMaster(inode: Inode, ctx: VfsContext, flags: number): File | number {
    const pty = this.newPty(ctx.cred.fsuid);
    if (typeof pty === 'number') return pty;
    stampBirth(ctx, this.nodeOf(pty));
    return new MasterFile(inode, flags, pty);
  }

  /** /dev/tty: the caller's controlling terminal. */
  private openTty(inode: Inode, ctx: VfsContext, flags: number): File | number {
    const tty = this.host.processOf(ctx).tty;
    if (!(tty instanceof Terminal)) return -ENXIO;
    return this.openSlave(tty, inode, ctx, flags | O_NOCTTY);
  }

  override remount(options: string): number {
    // Ownership and modes of nodes are fixed; the options that every distribution passes say the same.
    for (const o of options.split(',')) {
      if (o !== '' && !/^(gid=5|mode=0?620|ptmxmode=0*[0-7]{1,3}|newinstance)$/.test(o)) return -EINVAL;
    }
    return 0;
  }

  ptyMasterClosed(pty: Pty): void {
    const node = this.nodes.get(pty.index);
    if (node !== undefined) node.nlink = 0;
    this.nodes.delete(pty.index);
  }

  ptyGone(pty: Pty): void {
    this.ptys.delete(pty.index);
    kernelMemory.give(this.payers.get(pty.index)!, PTY_BYTES);
    this.payers.delete(pty.index);
  }
}
