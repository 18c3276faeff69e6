// HostEnd: a descriptor of the host that files in here use, with who waits for it. It never makes the kernel wait.

import { EPOLLET } from '../../../abi/epoll.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDNORM, POLLWRNORM } from '../../../abi/poll.ts';
import { SYS_close, SYS_poll } from '../../../abi/syscall.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import type { HostPoller, HostPollTarget } from '../../../host/poller.ts';
import { hostCall } from '../../../host/syscall.ts';
import { type Waiter, WaitQueue } from '../../base/wait.ts';

const WATCHED = POLLIN | POLLOUT | POLLPRI | POLLERR | POLLHUP;
/** struct pollfd. */
const pollBuffer = HostBuffer.alloc(8);

/** Readiness of a host descriptor. It is in the host's epoll only while somebody waits. */
class HostQueue extends WaitQueue implements HostPollTarget {
  private readonly poller: HostPoller;
  private readonly fd: number;
  private watched = false;

  constructor(poller: HostPoller, fd: number) {
    super();
    this.poller = poller;
    this.fd = fd;
  }

  override add(w: Waiter): void {
    super.add(w);
    // Edge-triggered: both calls report what is ready already, and a waiter that does not react costs no spinning.
    if (this.watched) this.poller.modify(this.fd, WATCHED | EPOLLET);
    else this.watched = this.poller.add(this.fd, WATCHED | EPOLLET, this) === 0;
  }

  override remove(w: Waiter): void {
    super.remove(w);
    if (this.empty && this.watched) {
      this.watched = false;
      this.poller.remove(this.fd);
    }
  }

  onHostReady(_fd: number, events: number): void {
    let all = events;
    if ((events & (POLLIN | POLLHUP | POLLERR)) !== 0) all |= POLLIN | POLLRDNORM;
    if ((events & (POLLOUT | POLLERR)) !== 0) all |= POLLOUT | POLLWRNORM;
    this.wake(all);
  }
}

/** How a host descriptor is used without ever waiting on it. */
export const HOW_NONBLOCK = 0;
/** A regular file or memory device: calls return at once. */
export const HOW_DIRECT = 1;
/** A socket: MSG_DONTWAIT per call. */
export const HOW_SOCKET = 2;
/** A shared blocking description that could not be reopened: poll(2) first, then a bounded transfer. */
export const HOW_POLL = 3;

/** One descriptor of the host, shared by the files that /proc/self/fd/N opens of it. */
export class HostEnd {
  readonly fd: number;
  /** HOW_*. */
  readonly how: number;
  /** Access mode of the host's description, O_*. */
  readonly access: number;
  readonly queue: WaitQueue;
  refs = 0;
  /** Bytes taken from the host that a bad guest buffer could not take. */
  pending: Uint8Array | null = null;

  constructor(fd: number, how: number, access: number, poller: HostPoller) {
    this.fd = fd;
    this.how = how;
    this.access = access;
    this.queue = new HostQueue(poller, fd);
  }

  unref(): void {
    if (--this.refs === 0) hostCall(SYS_close, this.fd);
  }

  /** Events that hold now. */
  poll(): number {
    pollBuffer.view.setInt32(0, this.fd, true);
    pollBuffer.view.setInt16(4, POLLIN | POLLOUT | POLLPRI | POLLRDNORM | POLLWRNORM, true);
    pollBuffer.view.setInt16(6, 0, true);
    hostCall(SYS_poll, pollBuffer.addr, 1, 0);
    return pollBuffer.view.getUint16(6, true);
  }
}
