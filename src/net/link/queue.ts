// DeliveryQueue: packets on their way in memory. Whoever sends is in the middle of something; so packets wait here until its
// stack is flushed, or for a timer that is due at once, and are delivered one after the other, never one inside the other.

import { ENOBUFS } from '../../abi/errno.ts';
import type { Packet } from '../packet.ts';
import type { NetClock, NetTimerTarget } from '../time.ts';
import { NetTimer } from '../time.ts';
import type { PacketSink } from './link.ts';

/** As net.core.netdev_max_backlog, and in bytes. */
const MOST_PACKETS = 1000;
const MOST_BYTES = 32 << 20;
/** Deliveries in one go: then others have their turn, and the timer goes on. */
const SLICE = 4096;

export class DeliveryQueue implements NetTimerTarget {
  sink: PacketSink | null = null;
  private readonly clock: NetClock;
  private readonly timer: NetTimer;
  private packets: Packet[] = [];
  private first = 0;
  private bytes = 0;
  private running = false;

  constructor(clock: NetClock) {
    this.clock = clock;
    this.timer = new NetTimer(this);
  }

  get pending(): boolean {
    return this.first < this.packets.length;
  }

  /** Takes a packet; -ENOBUFS when it is full. */
  push(packet: Packet): number {
    const size = packet.size;
    if (this.packets.length - this.first >= MOST_PACKETS || this.bytes + size > MOST_BYTES) return -ENOBUFS;
    this.packets.push(packet);
    this.bytes += size;
    if (!this.running && !this.timer.armed) this.clock.arm(this.timer, this.clock.monotonicNs());
    return 0;
  }

  /** Delivers what waits, and what comes of it. Harmless inside a delivery. */
  run(): void {
    if (this.running || !this.pending) return;
    this.running = true;
    for (let n = 0; n < SLICE && this.pending; n++) {
      const packet = this.packets[this.first++]!;
      this.bytes -= packet.size;
      if (this.first === this.packets.length) {
        this.packets.length = 0;
        this.first = 0;
      } else if (this.first >= 256) {
        this.packets = this.packets.slice(this.first);
        this.first = 0;
      }
      this.sink?.deliver(packet);
    }
    this.running = false;
    if (!this.pending) {
      if (this.timer.armed) this.clock.cancel(this.timer);
    } else if (!this.timer.armed) this.clock.arm(this.timer, this.clock.monotonicNs());
  }

  onTimer(): void {
    this.run();
  }
}
