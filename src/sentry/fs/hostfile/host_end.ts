// HostEnd: a descriptor of the host that files in here use, with who waits for it. It never makes the kernel wait.

import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLPRI,
  POLLRDNORM,
  POLLWRNORM,
} from '../../../abi/events/poll.ts';
import { SYS_close, SYS_poll } from '../../../abi/syscall.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import type { HostPoller, HostPollTarget } from '../../../host/poller.ts';
import { hostCall } from '../../../host/syscall.ts';
import { type Waiter, WaitQueue } from '../../base/wait.ts';

/** struct pollfd. */
const pollBuffer = HostBuffer.alloc(8);

/**
 * Readiness of a host descriptor. It is in the host's epoll only while somebody waits, and only for events that do not
 * hold: the poller is level-triggered (another process may look at it in our place), and an event that nobody reacts to
 * must not keep it awake. What was reported is watched again after the next transfer or poll.
 */
class HostQueue extends WaitQueue implements HostPollTarget {
  private readonly poller: HostPoller;
  private readonly fd: number;
  /** Events that the poller watches; 0 when the descriptor is not in it. */
  private watched = 0;

  constructor(poller: HostPoller, fd: number) {
    super();
    this.poller = poller;
    this.fd = fd;
  }

  override add(w: Waiter): void {
    super.add(w);
    this.watch(this.watched | wanted(w.events));
  }

  override remove(w: Waiter): void {
    super.remove(w);
    if (this.empty) this.watch(0);
  }

  /** Watches all that somebody waits for, except what is known to hold: its waiters know it too. */
  rearm(ready: number): void {
    if (this.empty) return;
    let events = 0;
    for (let w = this.head; w !== null; w = w.next) events |= wanted(w.events);
    this.watch(events & ~ready);
  }

  private watch(events: number): void {
    if (events === this.watched) return;
    if (this.watched === 0) {
      if (this.poller.add(this.fd, events, this) < 0) return;
    } else if (events === 0) this.poller.remove(this.fd);
    else this.poller.modify(this.fd, events);
    this.watched = events;
  }

  /** The descriptor is about to be closed. */
  close(): void {
    this.watch(0);
  }

  onHostReady(_fd: number, events: number): void {
    // A hang-up is reported whatever is watched: after it there is nothing to wait for.
    this.watch((events & (POLLHUP | POLLERR)) !== 0 ? 0 : this.watched & ~events);
    let all = events;
    if ((events & (POLLIN | POLLHUP | POLLERR)) !== 0) all |= POLLIN | POLLRDNORM;
    if ((events & (POLLOUT | POLLERR)) !== 0) all |= POLLOUT | POLLWRNORM;
    this.wake(all);
  }
}

/** The host events behind a waiter's interest. */
function wanted(events: number): number {
  let out = events & POLLPRI;
  if ((events & (POLLIN | POLLRDNORM | POLLHUP | POLLERR)) !== 0) out |= POLLIN;
  if ((events & (POLLOUT | POLLWRNORM)) !== 0) out |= POLLOUT;
  return out;
}

/** How a host descriptor is used without ever waiting on it. */
export const HOW_NONBLOCK = 0;
/** A regular file or memory device: calls return at once. */
export const HOW_DIRECT = 1;
/** A socket: MSG_DONTWAIT per call. */
export const HOW_SOCKET = 2;
/** A shared blocking description that could not be reopened: poll(2) first, then a bounded transfer. */
export const HOW_POLL = 3;

/** Hears that a descriptor is closed. */
export interface EndOwner {
  endClosed(end: HostEnd): void;
}

/** One descriptor of the host, shared by the files inside that use it. It is closed with the last of them. */
export class HostEnd {
  readonly fd: number;
  /** HOW_*. */
  readonly how: number;
  /** Access mode of the host's description, O_*. */
  readonly access: number;
  /** Our own description of a regular file was opened with O_APPEND. */
  readonly append: boolean;
  /** The description is the caller's, and so is its position; that of others nobody looks at. */
  readonly shared: boolean;
  readonly queue: HostQueue;
  private readonly owner: EndOwner;
  refs = 0;
  /** Bytes taken from the host that a bad guest buffer could not take. */
  pending: Uint8Array | null = null;

  constructor(
    fd: number,
    how: number,
    access: number,
    append: boolean,
    shared: boolean,
    poller: HostPoller,
    owner: EndOwner,
  ) {
    this.fd = fd;
    this.how = how;
    this.access = access;
    this.append = append;
    this.shared = shared;
    this.queue = new HostQueue(poller, fd);
    this.owner = owner;
  }

  unref(): void {
    if (--this.refs !== 0) return;
    this.queue.close();
    hostCall(SYS_close, this.fd);
    this.owner.endClosed(this);
  }

  /** Events that hold now. */
  poll(): number {
    pollBuffer.view.setInt32(0, this.fd, true);
    pollBuffer.view.setInt16(4, POLLIN | POLLOUT | POLLPRI | POLLRDNORM | POLLWRNORM, true);
    pollBuffer.view.setInt16(6, 0, true);
    hostCall(SYS_poll, pollBuffer.addr, 1, 0);
    const events = pollBuffer.view.getUint16(6, true);
    this.queue.rearm(events);
    return events;
  }
}
