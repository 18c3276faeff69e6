// InotifyFile: an inotify(7) instance, its watches and its queue of events.

import { EAGAIN, EEXIST, EFAULT, EINVAL, ENOSPC } from '../../../abi/errno.ts';
import { POLLIN, POLLRDNORM } from '../../../abi/events/poll.ts';
import { O_RDONLY } from '../../../abi/fs/fcntl.ts';
import {
  IN_ALL_EVENTS,
  IN_DELETE_SELF,
  IN_EXCL_UNLINK,
  IN_IGNORED,
  IN_ISDIR,
  IN_MASK_ADD,
  IN_MASK_CREATE,
  IN_MOVE_SELF,
  IN_ONESHOT,
  IN_Q_OVERFLOW,
  IN_UNMOUNT,
  INOTIFY_EVENT_COOKIE,
  INOTIFY_EVENT_LEN,
  INOTIFY_EVENT_MASK,
  INOTIFY_EVENT_WD,
  SIZEOF_INOTIFY_EVENT,
} from '../../../abi/fs/inotify.ts';
import { FIONREAD } from '../../../abi/ioctl.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import type { Io } from '../../base/io.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { WaitQueue } from '../../base/wait.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { File } from '../../vfs/file.ts';
import type { Inode } from '../../vfs/inode.ts';
import { addWatch, type InodeWatch, removeWatch } from '../../vfs/watches.ts';

/** /proc/sys/fs/inotify/max_queued_events, max_user_watches (here per instance). */
export const MAX_QUEUED_EVENTS = 16384;
export const MAX_WATCHES = 65536;

/** Read events that may stay in front of the queue. */
const COMPACT_AT = 1024;
/** A watch, and the inode that it keeps; an event beside its name. */
const WATCH_BYTES = 1536;
const EVENT_BYTES = 192;

/** Sent whether or not a watch asked for them. */
const ALWAYS = IN_UNMOUNT | IN_DELETE_SELF;

/** One inode that an instance watches. */
export class InotifyWatch implements InodeWatch {
  readonly instance: InotifyFile;
  readonly inode: Inode;
  readonly wd: number;
  /** IN_ALL_EVENTS bits of interest, and IN_ONESHOT, IN_EXCL_UNLINK. */
  mask: number;
  readonly payer: Account = kernelMemory.take(WATCH_BYTES);
  constructor(instance: InotifyFile, inode: Inode, wd: number, mask: number) {
    this.instance = instance;
    this.inode = inode;
    this.wd = wd;
    this.mask = mask;
  }

  onEvent(mask: number, name: string, cookie: number): void {
    const events = mask & (IN_ALL_EVENTS | IN_UNMOUNT);
    const wanted = (events & (this.mask | IN_UNMOUNT)) !== 0;
    if (!wanted && (events & ALWAYS) === 0) return;
    let shown = mask;
    // Events about the watched inode's own end or move never say that it is a directory.
    if ((mask & (IN_MOVE_SELF | IN_DELETE_SELF)) !== 0) shown &= ~IN_ISDIR;
    if (wanted) this.instance.enqueue(this.wd, shown >>> 0, cookie, name);
    if ((events & ALWAYS) !== 0 || (this.mask & IN_ONESHOT) !== 0) this.instance.drop(this);
  }
}

/** A queued event. */
class Event {
  readonly wd: number;
  readonly mask: number;
  readonly cookie: number;
  readonly name: string;
  constructor(wd: number, mask: number, cookie: number, name: string) {
    this.wd = wd;
    this.mask = mask;
    this.cookie = cookie;
    this.name = name;
  }

  /** Bytes of the name field: NUL-terminated and padded to the header's size. */
  get nameSize(): number {
    if (this.name === '') return 0;
    return Math.ceil((this.name.length + 1) / SIZEOF_INOTIFY_EVENT) * SIZEOF_INOTIFY_EVENT;
  }

  get size(): number {
    return SIZEOF_INOTIFY_EVENT + this.nameSize;
  }
}

export class InotifyFile extends File {
  private readonly byWd: Map<number, InotifyWatch> = new Map();
  private readonly byInode: Map<Inode, InotifyWatch> = new Map();
  private lastWd = 0;
  private events: Event[] = [];
  /** Index of the first event of `events` that was not read. */
  private first = 0;
  private overflowed = false;
  private readonly waiters: WaitQueue = new WaitQueue();

  constructor(inode: Inode, flags: number) {
    super(inode, O_RDONLY | flags);
  }

  /**
   * inotify_add_watch(2) on an inode: its watch descriptor. -EEXIST with IN_MASK_CREATE when there is one, -ENOSPC.
   * The caller has checked the mask and the permission to read.
   */
  add(inode: Inode, mask: number): number {
    const kept = (mask & (IN_ALL_EVENTS | IN_ONESHOT | IN_EXCL_UNLINK)) >>> 0;
    const old = this.byInode.get(inode);
    if (old !== undefined) {
      if ((mask & IN_MASK_CREATE) !== 0) return -EEXIST;
      old.mask = (mask & IN_MASK_ADD) !== 0 ? (old.mask | kept) >>> 0 : kept;
      return old.wd;
    }
    if (this.byWd.size >= MAX_WATCHES || !kernelMemory.fits(WATCH_BYTES)) return -ENOSPC;
    const watch = new InotifyWatch(this, inode, ++this.lastWd, kept);
    this.byWd.set(watch.wd, watch);
    this.byInode.set(inode, watch);
    addWatch(inode, watch);
    return watch.wd;
  }

  /** inotify_rm_watch(2): -EINVAL when there is no such descriptor. */
  removeWd(wd: number): number {
    const watch = this.byWd.get(wd);
    if (watch === undefined) return -EINVAL;
    this.drop(watch);
    return 0;
  }

  /** Ends a watch and says so. */
  drop(watch: InotifyWatch): void {
    if (!this.byWd.delete(watch.wd)) return;
    this.byInode.delete(watch.inode);
    removeWatch(watch.inode, watch);
    kernelMemory.give(watch.payer, WATCH_BYTES);
    this.enqueue(watch.wd, IN_IGNORED, 0, '');
  }

  /** Appends an event, unless it equals the last one; a full queue gets one IN_Q_OVERFLOW. */
  enqueue(wd: number, mask: number, cookie: number, name: string): void {
    const queue = this.events;
    const last = queue.length > this.first ? queue[queue.length - 1]! : null;
    if (last !== null && last.wd === wd && last.mask === mask && last.cookie === cookie && last.name === name)
      return;
    // Whoever makes the event does not pay for it: who listens does.
    const bytes = EVENT_BYTES + name.length;
    if (queue.length - this.first >= MAX_QUEUED_EVENTS || !kernelMemory.fits(bytes, this.payer)) {
      if (this.overflowed) return;
      this.overflowed = true;
      this.push(new Event(-1, IN_Q_OVERFLOW, 0, ''));
    } else this.push(new Event(wd, mask, cookie, name));
    this.waiters.wake(POLLIN | POLLRDNORM);
  }

  private push(event: Event): void {
    kernelMemory.take(EVENT_BYTES + event.name.length, this.payer);
    this.events.push(event);
  }

  private forget(event: Event): void {
    kernelMemory.give(this.payer, EVENT_BYTES + event.name.length);
  }

  /** Whole events only; -EINVAL when the first does not fit. */
  override read(_ctx: VfsContext, io: Io): number {
    if (this.first === this.events.length) return -EAGAIN;
    let done = 0;
    while (this.first < this.events.length) {
      const event = this.events[this.first]!;
      const size = event.size;
      if (size > io.remaining) {
        if (done === 0) return -EINVAL;
        break;
      }
      encode(event, size);
      if (io.put(scratch, 0, size) !== size) {
        if (done === 0) return -EFAULT;
        break;
      }
      done += size;
      if (event.mask === IN_Q_OVERFLOW) this.overflowed = false;
      this.first++;
      this.forget(event);
    }
    // Read events leave in bulk, so that a slow reader neither keeps them all nor shifts the array each time.
    if (this.first === this.events.length || this.first >= COMPACT_AT) {
      this.events.splice(0, this.first);
      this.first = 0;
    }
    return done;
  }

  override poll(): number {
    return this.events.length > this.first ? POLLIN | POLLRDNORM : 0;
  }

  override queue(): WaitQueue {
    return this.waiters;
  }

  override ioctl(ctx: VfsContext, cmd: number, arg: number): number {
    if (cmd !== FIONREAD) return super.ioctl(ctx, cmd, arg);
    let bytes = 0;
    for (let i = this.first; i < this.events.length; i++) bytes += this.events[i]!.size;
    scratchView.setInt32(0, bytes, true);
    return ctx.mem.copyOutExact(arg, scratch, 0, 4);
  }

  protected override release(): void {
    for (const watch of this.byWd.values()) {
      removeWatch(watch.inode, watch);
      kernelMemory.give(watch.payer, WATCH_BYTES);
    }
    for (let i = this.first; i < this.events.length; i++) this.forget(this.events[i]!);
    this.byWd.clear();
    this.byInode.clear();
    this.events = [];
    this.first = 0;
  }

  override fdinfo(): string {
    const hex = (n: number): string => (n >>> 0).toString(16);
    let text = '';
    for (const w of this.byWd.values())
      text += `inotify wd:${hex(w.wd)} ino:${w.inode.ino.toString(16)} sdev:${hex(w.inode.dev)} mask:${hex(w.mask)} ignored_mask:0\n`;
    return text;
  }

  override describe(): string {
    return 'anon_inode:inotify';
  }
}

/** Writes struct inotify_event and its name to scratch. */
function encode(event: Event, size: number): void {
  scratchView.setInt32(INOTIFY_EVENT_WD, event.wd, true);
  scratchView.setUint32(INOTIFY_EVENT_MASK, event.mask, true);
  scratchView.setUint32(INOTIFY_EVENT_COOKIE, event.cookie, true);
  scratchView.setUint32(INOTIFY_EVENT_LEN, size - SIZEOF_INOTIFY_EVENT, true);
  scratch.fill(0, SIZEOF_INOTIFY_EVENT, size);
  for (let i = 0; i < event.name.length; i++) scratch[SIZEOF_INOTIFY_EVENT + i] = event.name.charCodeAt(i);
}
