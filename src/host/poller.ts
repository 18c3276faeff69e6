// HostPoller: one epoll for every host descriptor that the kernel watches. Level-triggered; targets are told which
// events hold and turn off what they do not want.

import { EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD } from '../abi/events/epoll.ts';
import { SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_wait } from '../abi/syscall.ts';
import { HostBuffer } from './buffer.ts';
import { hostCall } from './syscall.ts';

export interface HostPollTarget {
  /** `events` of `fd` hold (EPOLL* bits). */
  onHostReady(fd: number, events: number): void;
}

/** struct epoll_event is packed: u32 events, u64 data. */
const EVENT_SIZE = 12;
const MAX_EVENTS = 64;

export class HostPoller {
  /** The epoll descriptor: the platform's waker watches it too. */
  readonly fd: number;
  private readonly targets = new Map<number, HostPollTarget>();
  private readonly events = HostBuffer.alloc(EVENT_SIZE * MAX_EVENTS);

  constructor() {
    this.fd = hostCall(SYS_epoll_create1, EPOLL_CLOEXEC);
    if (this.fd < 0) throw new Error(`vedette: epoll_create1 failed (${this.fd})`);
  }

  add(fd: number, events: number, target: HostPollTarget): number {
    const r = this.ctl(EPOLL_CTL_ADD, fd, events);
    if (r === 0) this.targets.set(fd, target);
    return r;
  }

  modify(fd: number, events: number): number {
    return this.ctl(EPOLL_CTL_MOD, fd, events);
  }

  remove(fd: number): void {
    if (this.targets.delete(fd)) this.ctl(EPOLL_CTL_DEL, fd, 0);
  }

  /** Delivers what is ready now, waiting up to `timeoutMs` (0 only looks); returns how many, or -errno. */
  dispatch(timeoutMs: number): number {
    const n = hostCall(SYS_epoll_wait, this.fd, this.events.addr, MAX_EVENTS, timeoutMs);
    for (let i = 0; i < n; i++) {
      const at = i * EVENT_SIZE;
      const fd = this.events.view.getUint32(at + 4, true);
      const target = this.targets.get(fd);
      if (target !== undefined) target.onHostReady(fd, this.events.view.getUint32(at, true));
    }
    return n;
  }

  private ctl(op: number, fd: number, events: number): number {
    const v = ctlEvent.view;
    v.setUint32(0, events, true);
    v.setUint32(4, fd, true);
    v.setUint32(8, 0, true);
    return hostCall(SYS_epoll_ctl, this.fd, op, fd, ctlEvent.addr);
  }
}

const ctlEvent = HostBuffer.alloc(16);
