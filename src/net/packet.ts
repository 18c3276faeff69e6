// Packet: one packet on its way through the stack. Its headers lie in one buffer, with room before them for those of lower
// layers; its payload is a list of views that nobody copies and nobody changes.
//
//   head:   [ room ... start ... l3 ... l4 ... end ]      parts: [ bytes ] [ bytes ] ...     length: of all parts
//
// A packet may carry more than a link's MTU (segment > 0): whoever sends it through a link that cannot take it splits it
// then, so that a stack's costs are per call, not per MTU (GSO and GRO).

import type { IpAddress } from './address.ts';
import { ANY_V4 } from './address.ts';
import type { IpOptions } from './wire/ip_options.ts';

/** Room for Ethernet, VLAN, IPv6 with options, TCP with options. */
export const HEAD_SIZE = 192;

/** The checksum of the transport is in its header, and has not been looked at. */
export const SUM_UNCHECKED = 0;
/** It is right, or does not matter: the packet never left this machine's memory, or was checked. */
export const SUM_GOOD = 1;
/** It is not in the header yet: whoever sends the packet out of this stack fills it in. */
export const SUM_MISSING = 2;

export class Packet {
  head: Uint8Array;
  view: DataView;
  /** Headers are head[start..end). */
  start: number;
  end: number;
  /** Offsets in head of the network and the transport header. */
  l3 = 0;
  l4 = 0;
  /** Payload behind the headers. */
  readonly parts: Uint8Array[] = [];
  /** Bytes in parts. */
  length = 0;
  /** IPPROTO_* of the transport, after the network layer has read or written its header. */
  protocol = 0;
  src: IpAddress = ANY_V4;
  dst: IpAddress = ANY_V4;
  /** SUM_*. */
  sum = SUM_MISSING;
  /** Payload bytes of each part that goes on the wire alone; 0 for a packet that is one. */
  segment = 0;
  /** Interface that it came in on, or is to go out of; 0 for none. */
  ifindex = 0;
  /** TOS or traffic class; TTL or hop limit. */
  tos = 0;
  ttl = 0;
  /** SO_MARK and SO_PRIORITY. */
  mark = 0;
  priority = 0;
  /** When it came in, monotonic ns; 0 when nobody asked. */
  atNs = 0;
  /** Options that its IPv4 header is to have. */
  options: IpOptions | null = null;
  /** What a filter knows of it: its own (filter/track.ts). */
  track: object | null = null;

  /** A packet to send has its headers written backwards from the end of a new buffer; one received starts at 0. */
  constructor(head: Uint8Array = new Uint8Array(HEAD_SIZE), start = head.length, end = head.length) {
    this.head = head;
    this.view = new DataView(head.buffer, head.byteOffset, head.byteLength);
    this.start = start;
    this.end = end;
  }

  /** Bytes of headers and payload. */
  get size(): number {
    return this.end - this.start + this.length;
  }

  /** Makes room for a header of `n` bytes before the others; where it begins in head. */
  push(n: number): number {
    if (this.start < n) this.grow(n);
    this.start -= n;
    return this.start;
  }

  /** Adds payload; the bytes must not change any more. */
  append(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.parts.push(bytes);
    this.length += bytes.length;
  }

  /** All bytes from head[at] on in one piece: to look at, not to keep. */
  bytesFrom(at: number): Uint8Array {
    if (this.parts.length === 0) return this.head.subarray(at, this.end);
    const all = new Uint8Array(this.end - at + this.length);
    all.set(this.head.subarray(at, this.end), 0);
    let to = this.end - at;
    for (const part of this.parts) {
      all.set(part, to);
      to += part.length;
    }
    return all;
  }

  /** All bytes from `start` on in one piece: a copy. */
  bytes(): Uint8Array {
    const all = new Uint8Array(this.size);
    all.set(this.head.subarray(this.start, this.end), 0);
    let at = this.end - this.start;
    for (const part of this.parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  private grow(n: number): void {
    const used = this.end - this.start;
    const room = Math.max(HEAD_SIZE, n) + 64;
    const next = new Uint8Array(room + used);
    next.set(this.head.subarray(this.start, this.end), room);
    const moved = room - this.start;
    this.l3 += moved;
    this.l4 += moved;
    this.start = room;
    this.end = room + used;
    this.head = next;
    this.view = new DataView(next.buffer);
  }
}
