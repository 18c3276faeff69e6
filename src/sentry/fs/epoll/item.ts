// EpollItem: one description that an epoll instance watches (struct epitem).
//
//   File.watchers -> item -> item.nextOfFile -> ...        all items of one description, in all instances
//   EpollFile.readyHead -> item.readyNext -> ...           items of one instance that may have events

import {
  EPOLLERR,
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLHUP,
  EPOLLONESHOT,
  EPOLLWAKEUP,
} from '../../../abi/events/epoll.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import { Waiter, type Wakeable } from '../../base/wait.ts';
import type { File, ReleaseHook } from '../../vfs/file.ts';
import type { Instance } from './nesting.ts';

/** Bits of epoll_event.events that are options, not events. */
export const OPTION_BITS: number = (EPOLLET | EPOLLONESHOT | EPOLLEXCLUSIVE | EPOLLWAKEUP) >>> 0;

/** An item with its waiter and its place in the instance's table. */
export const ITEM_BYTES = 384;

/** What items need of their instance (epoll.ts). */
export interface ItemOwner extends Instance {
  /** The item may have events. */
  itemReady(item: EpollItem): void;
  /** Its description is closed. */
  remove(item: EpollItem): void;
}

export class EpollItem implements Wakeable, ReleaseHook {
  readonly epoll: ItemOwner;
  readonly file: File;
  readonly fd: number;
  /** Events of interest, EPOLLERR and EPOLLHUP included; 0 when a one-shot has fired. */
  mask = 0;
  /** EPOLLET and the other option bits. */
  options = 0;
  dataLo = 0;
  dataHi = 0;
  readonly waiter: Waiter;
  private readonly payer: Account = kernelMemory.take(ITEM_BYTES);
  onReadyList = false;
  /** The last call of epoll_wait(2) that looked at it: EpollFile.pass. */
  pass = 0;
  readyNext: EpollItem | null = null;
  readyPrev: EpollItem | null = null;
  nextOfFile: EpollItem | null = null;
  private prevOfFile: EpollItem | null = null;
  /** Next item of the same epoll instance and descriptor number (of another description). */
  nextSameFd: EpollItem | null = null;

  constructor(epoll: ItemOwner, file: File, fd: number) {
    this.epoll = epoll;
    this.file = file;
    this.fd = fd;
    this.waiter = new Waiter(this, 0);
    const first = file.watchers as EpollItem | null;
    this.nextOfFile = first;
    if (first !== null) first.prevOfFile = this;
    file.watchers = this;
  }

  /** Sets events and data, as EPOLL_CTL_ADD and EPOLL_CTL_MOD do. */
  configure(events: number, dataLo: number, dataHi: number): void {
    this.options = (events & OPTION_BITS) >>> 0;
    this.mask = (events & ~OPTION_BITS) | EPOLLERR | EPOLLHUP;
    this.dataLo = dataLo;
    this.dataHi = dataHi;
    this.waiter.events = this.mask;
  }

  /** A one-shot fired: silent until EPOLL_CTL_MOD. */
  disarm(): void {
    this.mask = 0;
    this.waiter.events = 0;
  }

  onReady(_waiter: Waiter, _events: number): void {
    this.epoll.itemReady(this);
  }

  /** Takes the item off its file: the wait queue and the list of the description's items. */
  detach(): void {
    kernelMemory.give(this.payer, ITEM_BYTES);
    this.waiter.remove();
    const { nextOfFile: next, prevOfFile: prev } = this;
    if (prev === null) this.file.watchers = next;
    else prev.nextOfFile = next;
    if (next !== null) next.prevOfFile = prev;
    this.nextOfFile = null;
    this.prevOfFile = null;
  }

  /** The description ends: its items go with it. */
  onFileRelease(file: File): void {
    while (file.watchers !== null) {
      const item = file.watchers as EpollItem;
      item.epoll.remove(item);
    }
  }
}
