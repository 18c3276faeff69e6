// Copies of packets: for groups, taps and links that duplicate. Payload is shared, for nobody changes it.

import { Packet } from '../packet.ts';

/** A packet of its own with the same bytes; headers are copied, with the same room before them. */
export function clonePacket(packet: Packet): Packet {
  const copy = new Packet(packet.head.slice(), packet.start, packet.end);
  copyFields(copy, packet);
  for (let i = 0; i < packet.parts.length; i++) copy.append(packet.parts[i]!);
  return copy;
}

/** Takes over what a packet says beside its bytes. Offsets hold for a head that is laid out alike. */
export function copyFields(to: Packet, from: Packet): void {
  to.l3 = from.l3;
  to.l4 = from.l4;
  to.protocol = from.protocol;
  to.src = from.src;
  to.dst = from.dst;
  to.sum = from.sum;
  to.segment = from.segment;
  to.ifindex = from.ifindex;
  to.tos = from.tos;
  to.ttl = from.ttl;
  to.mark = from.mark;
  to.priority = from.priority;
  to.atNs = from.atNs;
  to.track = from.track;
}

/** Cuts what lies behind the first `size` bytes from `start` on: padding of links. */
export function trimPacket(packet: Packet, size: number): void {
  let left = size - (packet.end - packet.start);
  if (left <= 0) {
    packet.end += left;
    packet.parts.length = 0;
    packet.length = 0;
    return;
  }
  if (left >= packet.length) return;
  packet.length = left;
  for (let i = 0; i < packet.parts.length; i++) {
    const part = packet.parts[i]!;
    if (part.length >= left) {
      packet.parts[i] = part.subarray(0, left);
      packet.parts.length = i + 1;
      return;
    }
    left -= part.length;
  }
}

/** Sees to it that head holds the first `size` bytes from `at` on, when the packet has them. False when it has not. */
export function pullPacket(packet: Packet, at: number, size: number): boolean {
  const missing = at + size - packet.end;
  if (missing <= 0) return true;
  if (missing > packet.length) return false;
  const head = new Uint8Array(packet.end + missing);
  head.set(packet.head.subarray(0, packet.end));
  let left = missing;
  let end = packet.end;
  let gone = 0;
  for (const part of packet.parts) {
    const n = Math.min(left, part.length);
    head.set(part.subarray(0, n), end);
    end += n;
    left -= n;
    if (n < part.length) {
      packet.parts[gone] = part.subarray(n);
      break;
    }
    gone++;
    if (left === 0) break;
  }
  packet.parts.splice(0, gone);
  packet.length -= missing;
  packet.head = head;
  packet.view = new DataView(head.buffer);
  packet.end = end;
  return true;
}

/** Appends to `to` the payload of `from` that lies `skip` bytes behind head[at], `length` bytes of it. */
export function slicePayload(to: Packet, from: Packet, at: number, skip: number, length: number): void {
  let pass = skip;
  let left = length;
  const inHead = from.end - at;
  if (pass < inHead) {
    const n = Math.min(left, inHead - pass);
    to.append(from.head.subarray(at + pass, at + pass + n));
    left -= n;
    pass = 0;
  } else pass -= inHead;
  for (let i = 0; i < from.parts.length && left > 0; i++) {
    const part = from.parts[i]!;
    if (pass >= part.length) {
      pass -= part.length;
      continue;
    }
    const n = Math.min(left, part.length - pass);
    to.append(n === part.length ? part : part.subarray(pass, pass + n));
    left -= n;
    pass = 0;
  }
}
