// A device around another that writes what passes as a capture file: pcap with nanoseconds, little-endian, readable by tshark.

import { Packet, SUM_MISSING } from '../packet.ts';
import type { NetClock } from '../time.ts';
import { finishSum } from '../wire/checksum.ts';
import { ETHERNET_SIZE } from '../wire/ethernet.ts';
import { findTransport } from '../wire/transport.ts';
import type { LinkDevice, PacketSink } from './link.ts';

/** Where a capture goes. The bytes are the sink's to keep. */
export interface PcapSink {
  write(bytes: Uint8Array): void;
}

const MAGIC_NS = 0xa1b23c4d;
const MOST_BYTES = 262144;
/** LINKTYPE_ETHERNET and LINKTYPE_RAW. */
const ETHERNET = 1;
const RAW = 101;

/**
 * Fills in the transport's checksum of a frame whose network header is at `l3`, whoever left it out: what came in from a device was
 * not looked at yet.
 */
export function finishCaptured(bytes: Uint8Array, l3: number): void {
  const packet = new Packet(bytes, 0);
  if (!findTransport(packet, l3)) return;
  finishSum(packet);
}

export class PcapWriter {
  private readonly sink: PcapSink;
  private readonly clock: NetClock;
  /** What to add to the monotonic clock for the time of day. */
  private readonly epochNs: number;
  private readonly ethernet: boolean;

  constructor(sink: PcapSink, clock: NetClock, epochNs: number, ethernet: boolean) {
    this.sink = sink;
    this.clock = clock;
    this.epochNs = epochNs;
    this.ethernet = ethernet;
    const view = new DataView(new ArrayBuffer(24));
    view.setUint32(0, MAGIC_NS, true);
    view.setUint16(4, 2, true);
    view.setUint16(6, 4, true);
    view.setUint32(16, MOST_BYTES, true);
    view.setUint32(20, ethernet ? ETHERNET : RAW, true);
    sink.write(new Uint8Array(view.buffer));
  }

  /** Writes one packet as it would look on a wire: with its checksum. */
  write(packet: Packet): void {
    const bytes = packet.bytes();
    if (packet.sum === SUM_MISSING) finishCaptured(bytes, this.ethernet ? ETHERNET_SIZE : 0);
    const size = Math.min(bytes.length, MOST_BYTES);
    const record = new Uint8Array(16 + size);
    const view = new DataView(record.buffer);
    const atNs = this.clock.monotonicNs() + this.epochNs;
    const seconds = Math.floor(atNs / 1e9);
    view.setUint32(0, seconds, true);
    view.setUint32(4, Math.floor(atNs - seconds * 1e9), true);
    view.setUint32(8, size, true);
    view.setUint32(12, bytes.length, true);
    record.set(bytes.subarray(0, size), 16);
    this.sink.write(record);
  }
}

export class PcapDevice implements LinkDevice, PacketSink {
  sink: PacketSink | null = null;
  private readonly inner: LinkDevice;
  private readonly writer: PcapWriter;

  constructor(inner: LinkDevice, writer: PcapWriter) {
    this.inner = inner;
    this.writer = writer;
    inner.sink = this;
  }

  get gso(): number {
    return this.inner.gso;
  }

  get sums(): boolean {
    return this.inner.sums;
  }

  get uso(): boolean {
    return this.inner.uso === true;
  }

  transmit(packet: Packet): number {
    this.writer.write(packet);
    return this.inner.transmit(packet);
  }

  deliver(packet: Packet): void {
    this.writer.write(packet);
    this.sink?.deliver(packet);
  }
}
