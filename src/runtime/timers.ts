// HostTimer: one timerfd of the host in the HostPoller, armed with the kernel's next deadline.

import { POLLIN } from '../abi/events/poll.ts';
import { SYS_read, SYS_timerfd_create, SYS_timerfd_settime } from '../abi/syscall.ts';
import { CLOCK_MONOTONIC } from '../abi/time/time.ts';
import { TFD_CLOEXEC, TFD_NONBLOCK, TFD_TIMER_ABSTIME } from '../abi/time/timerfd.ts';
import { putU64 } from '../abi/u64.ts';
import { HostBuffer } from '../host/buffer.ts';
import type { HostPoller, HostPollTarget } from '../host/poller.ts';
import { hostCall } from '../host/syscall.ts';
import type { Timekeeper } from '../sentry/kernel/time/timekeeper.ts';

const NS = 1e9;
/** A time that never comes: 146 years after the host's boot. */
const LATEST_NS = 2 ** 62;
/** struct itimerspec: interval sec, nsec; value sec, nsec. Behind it, the count that read(2) returns. */
const VALUE_SEC = 16;
const VALUE_NSEC = 24;
const COUNT = 32;

export class HostTimer implements HostPollTarget {
  private readonly fd: number;
  private readonly time: Timekeeper;
  private readonly spec: HostBuffer = HostBuffer.alloc(40);

  constructor(poller: HostPoller, time: Timekeeper) {
    this.time = time;
    this.fd = hostCall(SYS_timerfd_create, CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (this.fd < 0) throw new Error(`timerfd_create failed (${this.fd})`);
    poller.add(this.fd, POLLIN, this);
    time.onNextDeadline = (hostNs) => this.arm(hostNs);
  }

  private arm(hostNs: number): void {
    // Zero would disarm; what is due already fires at once. A guest's deadline may be beyond what the host can say.
    const at = Math.min(Math.max(1, hostNs), LATEST_NS);
    const v = this.spec.view;
    putU64(v, VALUE_SEC, Math.floor(at / NS));
    putU64(v, VALUE_NSEC, Math.floor(at % NS));
    hostCall(SYS_timerfd_settime, this.fd, TFD_TIMER_ABSTIME, this.spec.addr, 0);
  }

  onHostReady(): void {
    hostCall(SYS_read, this.fd, this.spec.addr + COUNT, 8);
    this.time.expire();
  }
}
