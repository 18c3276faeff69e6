// HostWait: what a sleeping Sentry is woken by, all in one epoll_wait(2): the kernel's descriptors, the counter that guest
// threads write to when they report, and the deaths of their processes.

import { EINTR } from '../../../abi/errno.ts';
import { EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLLET, EPOLLIN } from '../../../abi/events/epoll.ts';
import { EFD_CLOEXEC, EFD_NONBLOCK } from '../../../abi/events/eventfd.ts';
import { POLLFD_EVENTS, POLLFD_FD, POLLIN, SIZEOF_POLLFD } from '../../../abi/events/poll.ts';
import {
  SYS_close,
  SYS_epoll_create1,
  SYS_epoll_ctl,
  SYS_epoll_wait,
  SYS_eventfd2,
  SYS_poll,
  SYS_read,
} from '../../../abi/syscall.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { hostCall, hostCall3 } from '../../../host/syscall.ts';

// What an epoll event is about: its second word; the first is the pid of a process.
const ABOUT_POLLER = 0;
const ABOUT_PROCESS = 1;
/** Only wakes: the scan finds who reported. */
const ABOUT_EVENTS = 2;
const EVENT_SIZE = 12;
const MAX_EVENTS = 16;

export class HostWait {
  private readonly epollFd: number;
  /** The event counter: a write to it wakes the Sentry. */
  readonly eventFd: number;
  /** The kernel's descriptors have something: whoever reads it sets it back. */
  ready = false;
  private readonly died: (pid: number) => void;
  private readonly events = HostBuffer.alloc(EVENT_SIZE * MAX_EVENTS);
  private readonly event = HostBuffer.alloc(16);
  private readonly scratch = HostBuffer.alloc(8);
  /** The event counter, for poll(2). */
  private readonly poll = HostBuffer.alloc(SIZEOF_POLLFD);

  /**
   * `pollerFd` is the epoll descriptor of the kernel; `died` hears of the death of a process that is watched; `fail` throws
   * an error with the step that the host does not allow, and its -errno.
   */
  constructor(pollerFd: number, died: (pid: number) => void, fail: (step: string, errno: number) => never) {
    this.died = died;
    this.eventFd = hostCall(SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (this.eventFd < 0) fail('eventfd', this.eventFd);
    this.poll.view.setInt32(POLLFD_FD, this.eventFd, true);
    this.poll.view.setInt16(POLLFD_EVENTS, POLLIN, true);
    this.epollFd = hostCall(SYS_epoll_create1, EPOLL_CLOEXEC);
    if (this.epollFd < 0) fail('epoll_create1', this.epollFd);
    let r = this.watch(pollerFd, ABOUT_POLLER, 0, EPOLLIN);
    // Every write is an edge, so that nobody has to read the counter, which 2 ** 64 writes of a one would fill.
    if (r === 0) r = this.watch(this.eventFd, ABOUT_EVENTS, 0, EPOLLIN | EPOLLET);
    if (r < 0) fail('epoll_ctl', r);
  }

  /** From now on `died` hears when the process with this pidfd ends; 0 or -errno. */
  watchProcess(pidfd: number, pid: number): number {
    return this.watch(pidfd, ABOUT_PROCESS, pid, EPOLLIN);
  }

  private watch(fd: number, about: number, pid: number, events: number): number {
    const v = this.event.view;
    v.setUint32(0, events, true);
    v.setUint32(4, pid, true);
    v.setUint32(8, about, true);
    return hostCall(SYS_epoll_ctl, this.epollFd, EPOLL_CTL_ADD, fd, this.event.addr);
  }

  /** Waits for something to happen, for `timeoutMs` at the most, or -1: for how many things to take(). */
  sleep(timeoutMs: number): number {
    const n = hostCall(SYS_epoll_wait, this.epollFd, this.events.addr, MAX_EVENTS, timeoutMs);
    if (n < 0 && n !== -EINTR) throw new Error(`hand-over: epoll_wait failed (${n})`);
    return n;
  }

  /** Tells what the last sleep() found: `n` things. */
  take(n: number): void {
    const v = this.events.view;
    for (let i = 0; i < n; i++) {
      const at = i * EVENT_SIZE;
      const about = v.getUint32(at + 8, true);
      if (about === ABOUT_POLLER) this.ready = true;
      else if (about === ABOUT_PROCESS) this.died(v.getUint32(at + 4, true));
    }
  }

  /** Forgets earlier writes to the event counter, before a sleepForReport(). */
  drain(): void {
    hostCall3(SYS_read, this.eventFd, this.scratch.addr, 8);
  }

  /** Sleeps until a thread writes to the event counter, for `timeoutMs` at the most. */
  sleepForReport(timeoutMs: number): void {
    hostCall3(SYS_poll, this.poll.addr, 1, timeoutMs);
  }

  close(): void {
    hostCall(SYS_close, this.epollFd);
    hostCall(SYS_close, this.eventFd);
  }
}
