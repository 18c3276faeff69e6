// Capture: --pcap. What passes the links of the sandbox's stack, written to a file of the host in bounded memory. A reader that does not
// keep up loses packets, the stack never waits for it.

import { closeSync, constants, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { IFF_LOOPBACK } from '../../abi/net/if.ts';
import { complain } from '../../host/write_all.ts';
import type { Link } from '../../net/link/link.ts';
import { finishCaptured } from '../../net/link/pcap.ts';
import {
  interfaceBlock,
  packetBlockSize,
  putPacketBlock,
  STATISTICS_BLOCK,
  sectionBlock,
  statisticsBlock,
  wholeBlocks,
} from '../../net/link/pcapng.ts';
import { type Packet, SUM_MISSING } from '../../net/packet.ts';
import { frameBytes, type PacketTap } from '../../net/raw/tap.ts';
import type { Stack } from '../../net/stack.ts';
import { ETHERNET_SIZE } from '../../net/wire/ethernet.ts';
import { Timer, type TimerTarget, type TimeSource } from '../../sentry/base/time.ts';
import { STATUS_USAGE, StartError } from '../options.ts';

/** What waits to be written, and how much of it is written at once. */
const BUFFER_BYTES = 2 << 20;
const FLUSH_BYTES = 64 << 10;
/** A statistics block has its place at all times: how many are missing is told also by a buffer that is full. */
const ROOM_BYTES = BUFFER_BYTES - STATISTICS_BLOCK;
/** Packets are in the file this soon. */
const FLUSH_NS = 100e6;
/** A guest can send as much as it likes: the file ends somewhere. */
const MOST_BYTES = 2 ** 30;
const MOST_LINKS = 65536;
/** At the end a slow reader has five seconds. */
const LAST_TRIES = 250;
const LAST_WAIT_MS = 20;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

export class Capture implements PacketTap, TimerTarget {
  readonly ifindex = 0;
  private readonly file: string;
  private readonly time: TimeSource;
  private readonly stack: Stack;
  private readonly timer: Timer = new Timer(this);
  private readonly bytes: Uint8Array = new Uint8Array(BUFFER_BYTES);
  private readonly view: DataView = new DataView(this.bytes.buffer);
  /** Numbers of interfaces in the file. */
  private readonly ids = new Map<number, number>();
  private fd: number;
  private readonly regular: boolean;
  private used = 0;
  private written = 0;
  private dropped = 0;

  /** Throws StartError when the file cannot be had. */
  constructor(file: string, time: TimeSource, stack: Stack) {
    this.file = file;
    this.time = time;
    this.stack = stack;
    const { O_WRONLY, O_CREAT, O_TRUNC, O_NONBLOCK } = constants;
    try {
      this.fd = openSync(file, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK, 0o600);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      const fix = code === 'ENXIO' ? 'start the reader of the FIFO first' : 'a file that can be written';
      throw new StartError(`--pcap ${file}: ${code}; fix: ${fix}`, STATUS_USAGE);
    }
    this.regular = fstatSync(this.fd).isFile();
    this.add(sectionBlock());
    for (const link of stack.links.values()) this.idOf(link);
    this.flush();
    stack.addTap(this);
  }

  onPacket(link: Link, packet: Packet, outgoing: boolean): void {
    const loops = (link.flags & IFF_LOOPBACK) !== 0;
    // What lo carries passes twice: as others do, it is told once.
    if (this.fd < 0 || (loops && outgoing)) return;
    const id = this.idOf(link);
    if (id < 0) return;
    const frame = link.isEthernet || loops ? frameBytes(link, packet) : withHeader(packet);
    if (packet.sum === SUM_MISSING) finishCaptured(frame, ETHERNET_SIZE);
    if (!this.room(packetBlockSize(frame.length))) return;
    const sec = this.time.realtimeSec();
    const nsec = this.time.realtimeNsec;
    this.used = putPacketBlock(this.bytes, this.view, this.used, frame, id, sec, nsec, outgoing);
    if (this.used >= FLUSH_BYTES) this.flush();
    if (this.used > 0 && !this.timer.armed) this.time.arm(this.timer, this.time.monotonicNs() + FLUSH_NS);
  }

  onTimer(): void {
    this.flush();
    // Only a reader that does not take it: it is asked again.
    if (this.used > 0) this.time.arm(this.timer, this.time.monotonicNs() + FLUSH_NS);
  }

  /** The number of an interface in the file; -1 when there is no room to name it. */
  private idOf(link: Link): number {
    const known = this.ids.get(link.ifindex);
    if (known !== undefined) return known;
    const block = interfaceBlock(link.name);
    if (this.ids.size >= MOST_LINKS || !this.room(block.length)) return -1;
    this.add(block);
    const id = this.ids.size;
    this.ids.set(link.ifindex, id);
    return id;
  }

  /** Is there room for a block? Else a packet is lost, or the capture is over. */
  private room(size: number): boolean {
    if (this.written + this.used + size > MOST_BYTES) {
      this.end(`it has ${MOST_BYTES >> 20} MiB: the capture ends here`);
      return false;
    }
    if (this.used + size > ROOM_BYTES) this.flush();
    if (this.fd < 0) return false;
    if (this.used + size <= ROOM_BYTES) return true;
    this.dropped++;
    return false;
  }

  private add(block: Uint8Array): void {
    this.bytes.set(block, this.used);
    this.used += block.length;
  }

  private flush(): void {
    let at = 0;
    try {
      while (this.fd >= 0 && at < this.used) at += writeSync(this.fd, this.bytes, at, this.used - at);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EAGAIN') {
        this.cut(at);
        this.end(`${code}: the capture ends here; fix: a place with room for it`);
        return;
      }
    }
    this.written += at;
    this.bytes.copyWithin(0, at, this.used);
    this.used -= at;
  }

  /** The disk is full: what it has of a block that is not whole goes. In a file, the buffer begins with a block. */
  private cut(at: number): void {
    if (!this.regular) return;
    try {
      ftruncateSync(this.fd, this.written + wholeBlocks(this.view, at));
    } catch {}
  }

  private end(why: string): void {
    complain(`vedette: --pcap ${this.file}: ${why}\n`);
    this.release();
  }

  private release(): void {
    this.stack.removeTap(this);
    if (this.timer.armed) this.time.cancel(this.timer);
    closeSync(this.fd);
    this.fd = -1;
    this.used = 0;
  }

  close(): void {
    if (this.fd < 0) return;
    if (this.dropped > 0) {
      complain(`vedette: --pcap ${this.file}: ${this.dropped} packets are missing: its reader is slow\n`);
      this.add(statisticsBlock(0, this.time.realtimeSec(), this.time.realtimeNsec, this.dropped));
    }
    this.flush();
    // Nobody else waits any more: what a reader has not taken yet it gets, if it takes it.
    for (let n = 0; this.fd >= 0 && this.used > 0 && n < LAST_TRIES; n++) {
      Atomics.wait(sleeper, 0, 0, LAST_WAIT_MS);
      this.flush();
    }
    if (this.fd < 0) return;
    if (this.used > 0)
      complain(`vedette: --pcap ${this.file}: its end is missing: its reader does not take it\n`);
    this.release();
  }
}

/** A packet of an interface without headers of its own, as frameBytes has those of lo. */
function withHeader(packet: Packet): Uint8Array {
  const frame = new Uint8Array(ETHERNET_SIZE + packet.size);
  frame.set(packet.bytes(), ETHERNET_SIZE);
  const v6 = frame[ETHERNET_SIZE]! >>> 4 === 6;
  frame[12] = v6 ? 0x86 : 0x08;
  frame[13] = v6 ? 0xdd : 0x00;
  return frame;
}
