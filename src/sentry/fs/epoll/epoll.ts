// EpollFile: an epoll(7) instance (struct eventpoll).
//
// Watching costs nothing while nothing happens: a wake of a watched file links its item into the ready list, and
// epoll_wait looks at that list alone. A level-triggered item goes back to the list's end each time it is reported, and
// leaves it when its file's poll() no longer shows an event.

import { EEXIST, EFAULT, EINVAL, ELOOP, ENOENT, ENOSPC, EPERM } from '../../../abi/errno.ts';
import {
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLERR,
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLHUP,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
  EPOLLRDNORM,
  EPOLLWAKEUP,
  SIZEOF_EPOLL_EVENT,
} from '../../../abi/events/epoll.ts';
import { O_RDWR } from '../../../abi/fs/fcntl.ts';
import { kernelMemory } from '../../base/charge.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import type { UserMemory } from '../../base/usermem.ts';
import { WaitQueue } from '../../base/wait.ts';
import { File } from '../../vfs/file.ts';
import type { Inode } from '../../vfs/inode.ts';
import { EpollItem, ITEM_BYTES } from './item.ts';
import { NestingMark, tooManyPaths, wouldLoop } from './nesting.ts';

const READY = EPOLLIN | EPOLLRDNORM;
/** Items that one slice of a call looks at, some tenths of a millisecond. */
const SLICE_ITEMS = 1024;
/** What may stand beside EPOLLEXCLUSIVE. */
const EXCLUSIVE_OK =
  (EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE) >>> 0;

export class EpollFile extends File {
  /** Items by descriptor number; several descriptions may have had the same number. */
  private readonly items: Map<number, EpollItem> = new Map();
  private readonly waiters: WaitQueue = new WaitQueue();
  private readyHead: EpollItem | null = null;
  private readyTail: EpollItem | null = null;
  /** Number of the call that collects: an item that it has looked at carries it. */
  private pass = 0;
  /** The last slice ended before its call: there are items to look at. */
  unfinished = false;
  /** Items whose file is an epoll instance. */
  readonly nested: Set<EpollItem> = new Set();
  readonly nesting: NestingMark = new NestingMark();
  /** A wake is on its way up from here: further ones would tell the waiters nothing new. */
  private waking = false;

  constructor(inode: Inode) {
    super(inode, O_RDWR);
  }

  override queue(): WaitQueue {
    return this.waiters;
  }

  override describe(): string {
    return 'anon_inode:[eventpoll]';
  }

  /** epoll_ctl(2): `fd` and `file` are the target; the event was copied in already. */
  ctl(op: number, fd: number, file: File, events: number, dataLo: number, dataHi: number): number {
    if (file.queue() === null) return -EPERM;
    if (file === this) return -EINVAL;
    const exclusive = (events & EPOLLEXCLUSIVE) !== 0;
    if (exclusive && op !== EPOLL_CTL_DEL) {
      if (op === EPOLL_CTL_MOD) return -EINVAL;
      if (op === EPOLL_CTL_ADD && (file instanceof EpollFile || (events & ~EXCLUSIVE_OK) !== 0))
        return -EINVAL;
    }
    const item = this.find(fd, file);
    switch (op) {
      case EPOLL_CTL_ADD:
        return item !== null ? -EEXIST : this.insert(fd, file, events, dataLo, dataHi);
      case EPOLL_CTL_DEL:
        if (item === null) return -ENOENT;
        this.remove(item);
        return 0;
      case EPOLL_CTL_MOD:
        if (item === null) return -ENOENT;
        if ((item.options & EPOLLEXCLUSIVE) !== 0) return -EINVAL;
        item.configure(events, dataLo, dataHi);
        if ((file.poll() & item.mask) !== 0) this.itemReady(item);
        return 0;
    }
    return -EINVAL;
  }

  private insert(fd: number, file: File, events: number, dataLo: number, dataHi: number): number {
    const target = file instanceof EpollFile ? file : null;
    if (target !== null && wouldLoop(this, target)) return -ELOOP;
    if (!kernelMemory.fits(ITEM_BYTES)) return -ENOSPC;
    const item = new EpollItem(this, file, fd);
    // Where nothing is above or below this instance, any number of them may watch a file.
    if ((target !== null || this.watchers !== null) && tooManyPaths(file, target)) {
      item.detach();
      return -EINVAL;
    }
    item.configure(events, dataLo, dataHi);
    if ((events & EPOLLEXCLUSIVE) !== 0) item.waiter.wakesOne = this.waiters;
    item.nextSameFd = this.items.get(fd) ?? null;
    this.items.set(fd, item);
    if (target !== null) this.nested.add(item);
    file.queue()!.add(item.waiter);
    if ((file.poll() & item.mask) !== 0) this.itemReady(item);
    return 0;
  }

  private find(fd: number, file: File): EpollItem | null {
    let item = this.items.get(fd) ?? null;
    while (item !== null && item.file !== file) item = item.nextSameFd;
    return item;
  }

  /** Takes an item out for good. */
  remove(item: EpollItem): void {
    item.detach();
    this.unlinkReady(item);
    this.nested.delete(item);
    const first = this.items.get(item.fd);
    if (first === item) {
      if (item.nextSameFd === null) this.items.delete(item.fd);
      else this.items.set(item.fd, item.nextSameFd);
      return;
    }
    for (let i = first ?? null; i !== null; i = i.nextSameFd) {
      if (i.nextSameFd !== item) continue;
      i.nextSameFd = item.nextSameFd;
      return;
    }
  }

  protected override release(): void {
    for (const first of [...this.items.values()])
      for (let i: EpollItem | null = first; i !== null; i = i.nextSameFd) {
        i.detach();
        this.unlinkReady(i);
      }
    this.items.clear();
    this.nested.clear();
  }

  *all(): Generator<EpollItem> {
    for (const first of this.items.values())
      for (let i: EpollItem | null = first; i !== null; i = i.nextSameFd) yield i;
  }

  /** A watched file may have an event: its item joins the ready list and waiters hear of it. */
  itemReady(item: EpollItem): void {
    if (item.mask === 0) return;
    this.linkReady(item);
    if (this.waking || this.waiters.empty) return;
    this.waking = true;
    this.waiters.wake(READY);
    this.waking = false;
  }

  private linkReady(item: EpollItem): void {
    if (item.onReadyList) return;
    item.onReadyList = true;
    item.readyNext = null;
    item.readyPrev = this.readyTail;
    if (this.readyTail === null) this.readyHead = item;
    else this.readyTail.readyNext = item;
    this.readyTail = item;
  }

  private unlinkReady(item: EpollItem): void {
    if (!item.onReadyList) return;
    item.onReadyList = false;
    if (item.readyPrev === null) this.readyHead = item.readyNext;
    else item.readyPrev.readyNext = item.readyNext;
    if (item.readyNext === null) this.readyTail = item.readyPrev;
    else item.readyNext.readyPrev = item.readyPrev;
    item.readyPrev = null;
    item.readyNext = null;
  }

  /** Readable while an item on the ready list really has an event; items that have none leave the list. */
  override poll(): number {
    for (let item = this.readyHead; item !== null; item = this.readyHead) {
      if ((item.file.poll() & item.mask) !== 0) return READY;
      this.unlinkReady(item);
    }
    return 0;
  }

  /** A call of epoll_wait(2) begins, with slices to come: each item is looked at once. */
  startCollecting(): void {
    this.pass++;
  }

  /**
   * A slice of epoll_wait(2) without the wait: writes events at `addr`, up to `max` with the `before` of earlier slices;
   * how many there are now, or -EFAULT when the first could not be written. Sets `unfinished`.
   */
  collect(mem: UserMemory, addr: number, max: number, before: number): number {
    const { pass } = this;
    let done = before;
    this.unfinished = false;
    for (let looks = 0; done < max; looks++) {
      const item = this.readyHead;
      if (item === null || item.pass === pass) break;
      if (looks === SLICE_ITEMS) {
        this.unfinished = true;
        break;
      }
      item.pass = pass;
      this.unlinkReady(item);
      const events = item.file.poll() & item.mask;
      if (events === 0) continue;
      scratchView.setUint32(0, events >>> 0, true);
      scratchView.setUint32(4, item.dataLo, true);
      scratchView.setUint32(8, item.dataHi, true);
      if (mem.copyOutExact(addr + done * SIZEOF_EPOLL_EVENT, scratch, 0, SIZEOF_EPOLL_EVENT) !== 0) {
        this.linkReady(item);
        return done === 0 ? -EFAULT : done;
      }
      done++;
      if ((item.options & EPOLLONESHOT) !== 0) item.disarm();
      else if ((item.options & EPOLLET) === 0) this.linkReady(item);
    }
    return done;
  }

  /** Lines for /proc/PID/fdinfo. */
  override fdinfo(): string {
    let text = '';
    for (const first of this.items.values())
      for (let i: EpollItem | null = first; i !== null; i = i.nextSameFd) {
        const data = ((BigInt(i.dataHi) << 32n) | BigInt(i.dataLo)).toString(16);
        const events = ((i.mask | i.options) >>> 0).toString(16).padStart(8, ' ');
        text += `tfd: ${String(i.fd).padStart(8, ' ')} events: ${events} data: ${data.padStart(16, ' ')} `;
        text += ` pos:${i.file.where()} ino:${i.file.inode.ino.toString(16)} sdev:${i.file.inode.dev.toString(16)}\n`;
      }
    return text;
  }
}
