// Wires: packets on their way between the stacks of one kernel. All virtual wires share one queue, so that a packet that causes
// others, in whichever stack, is delivered to its end first: never one inside the other, and in the order of sending.

import { ENOBUFS } from '../../abi/errno.ts';
import type { Packet } from '../packet.ts';
import type { NetClock, NetTimerTarget } from '../time.ts';
import { NetTimer } from '../time.ts';
import type { PacketSink } from './link.ts';

/** Of one end, as net.core.netdev_max_backlog and in bytes; of all ends together. */
const MOST_PACKETS = 1000;
const MOST_BYTES = 32 << 20;
const ALL_PACKETS = 16384;
const ALL_BYTES = 64 << 20;
/** Deliveries in one go: then others have their turn, and the timer goes on. */
const SLICE = 4096;

/** Where a wire ends. */
export class WireEnd {
  sink: PacketSink | null = null;
  packets = 0;
  bytes = 0;
}

export class Wires implements NetTimerTarget {
  private readonly clock: NetClock;
  private readonly timer: NetTimer;
  private packets: Packet[] = [];
  private ends: WireEnd[] = [];
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

  /** Takes a packet for an end; -ENOBUFS when too many wait. */
  push(end: WireEnd, packet: Packet): number {
    const size = packet.size;
    if (end.packets >= MOST_PACKETS || end.bytes + size > MOST_BYTES) return -ENOBUFS;
    if (this.packets.length - this.first >= ALL_PACKETS || this.bytes + size > ALL_BYTES) return -ENOBUFS;
    this.packets.push(packet);
    this.ends.push(end);
    end.packets++;
    end.bytes += size;
    this.bytes += size;
    if (!this.running && !this.timer.armed) this.clock.arm(this.timer, this.clock.monotonicNs());
    return 0;
  }

  /** Delivers what waits, and what comes of it. Harmless inside a delivery. */
  run(): void {
    if (this.running || !this.pending) return;
    this.running = true;
    for (let n = 0; n < SLICE && this.pending; n++) {
      const packet = this.packets[this.first]!;
      const end = this.ends[this.first++]!;
      const size = packet.size;
      end.packets--;
      end.bytes -= size;
      this.bytes -= size;
      if (this.first === this.packets.length) {
        this.packets.length = 0;
        this.ends.length = 0;
        this.first = 0;
      } else if (this.first >= 256) {
        this.packets = this.packets.slice(this.first);
        this.ends = this.ends.slice(this.first);
        this.first = 0;
      }
      end.sink?.deliver(packet);
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
