// Profile: where the time of the kernel loop goes. A stopwatch that is always in one bucket: waiting for guests, or the
// system call, fault or host event that is being served. Kept only when somebody asked (`vedette do --profile`).

import { CLOCK_THREAD_CPUTIME_ID } from '../../abi/time/time.ts';
import { hostClockNs, monotonicNs } from '../../host/clock.ts';

export const PROFILE_BOOT = 0;
/** Guests run, or nothing happens: the time in platform.wait(). */
export const PROFILE_WAIT = 1;
export const PROFILE_HOST_EVENTS = 2;
export const PROFILE_FAULT = 3;
/** Traps, kicks and deaths of threads. */
export const PROFILE_OTHER = 4;
/** System call `nr` has bucket PROFILE_CALLS + nr. */
export const PROFILE_CALLS = 8;
const CALLS = 512;

export class Profile {
  readonly counts: Float64Array = new Float64Array(PROFILE_CALLS + CALLS);
  readonly ns: Float64Array = new Float64Array(PROFILE_CALLS + CALLS);
  /** The same in cpu time of the kernel's thread. */
  readonly cpuNs: Float64Array = new Float64Array(PROFILE_CALLS + CALLS);
  /** The longest stretch that one of them held the kernel, in ns of its thread's cpu time: others' load does not count. */
  readonly longest: Float64Array = new Float64Array(PROFILE_CALLS + CALLS);
  private bucket = PROFILE_BOOT;
  private sinceNs = monotonicNs();
  private sinceCpuNs = hostClockNs(CLOCK_THREAD_CPUTIME_ID);

  /** From now on time belongs to `bucket`. */
  enter(bucket: number): void {
    const now = monotonicNs();
    this.ns[this.bucket]! += now - this.sinceNs;
    const cpu = hostClockNs(CLOCK_THREAD_CPUTIME_ID);
    const took = cpu - this.sinceCpuNs;
    this.cpuNs[this.bucket]! += took;
    if (took > this.longest[this.bucket]!) this.longest[this.bucket] = took;
    this.sinceCpuNs = cpu;
    this.counts[bucket]!++;
    this.bucket = bucket;
    this.sinceNs = now;
  }

  /** From now on time belongs to system call `nr`, a number that the guest chose. */
  enterCall(nr: number): void {
    this.enter(nr >= 0 && nr < CALLS ? PROFILE_CALLS + nr : PROFILE_OTHER);
  }
}
