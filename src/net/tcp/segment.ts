// Segment: the header of one segment that came in, checked once and then read by name (RFC 9293, section 3.1).
//
//    0: source port   2: destination port   4: sequence   8: acknowledgment
//   12: data offset (4 bits), flags (12)   14: window   16: checksum   18: urgent pointer   20: options

import { IPPROTO_TCP } from '../../abi/net/in.ts';
import type { Packet } from '../packet.ts';
import { SUM_UNCHECKED } from '../packet.ts';
import { segmentSum } from './checksum.ts';
import { TcpOptions } from './options.ts';

export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;
export const URG = 0x20;
export const ECE = 0x40;
export const CWR = 0x80;

export const HEADER_SIZE = 20;

export const SEGMENT_OK = 0;
export const SEGMENT_MALFORMED = 1;
export const SEGMENT_BAD_SUM = 2;

/** One is reused for all that comes in: nothing keeps it. */
export class Segment {
  sourcePort = 0;
  destinationPort = 0;
  seq = 0;
  ack = 0;
  flags = 0;
  /** Not scaled. */
  window = 0;
  urgent = 0;
  /** Payload bytes, which lie in `packet` from head[dataAt] on and in its parts. */
  length = 0;
  dataAt = 0;
  readonly options = new TcpOptions();
  packet: Packet | null = null;

  /** Behind the segment in sequence space: SYN and FIN take one each. */
  get end(): number {
    return (this.seq + this.length + (this.flags & SYN ? 1 : 0) + (this.flags & FIN ? 1 : 0)) | 0;
  }

  /** SEGMENT_*. */
  parse(packet: Packet): number {
    const { view, l4, end } = packet;
    const room = end - l4;
    if (room < HEADER_SIZE) return SEGMENT_MALFORMED;
    const word = view.getUint16(l4 + 12);
    const headerSize = (word >>> 12) * 4;
    if (headerSize < HEADER_SIZE || headerSize > room) return SEGMENT_MALFORMED;
    if (packet.sum === SUM_UNCHECKED && segmentSum(packet, l4, IPPROTO_TCP) !== 0) return SEGMENT_BAD_SUM;
    this.packet = packet;
    this.sourcePort = view.getUint16(l4);
    this.destinationPort = view.getUint16(l4 + 2);
    this.seq = view.getInt32(l4 + 4);
    this.ack = view.getInt32(l4 + 8);
    this.flags = word & 0xff;
    this.window = view.getUint16(l4 + 14);
    this.urgent = this.flags & URG ? view.getUint16(l4 + 18) : 0;
    this.dataAt = l4 + headerSize;
    this.length = end - this.dataAt + packet.length;
    if (headerSize === HEADER_SIZE) this.options.clear();
    else this.options.parse(view, l4 + HEADER_SIZE, this.dataAt, (this.flags & SYN) !== 0);
    return SEGMENT_OK;
  }
}

/** Writes the fixed header at `at`. */
export function putHeader(
  view: DataView,
  at: number,
  sourcePort: number,
  destinationPort: number,
  seq: number,
  ack: number,
  size: number,
  flags: number,
  window: number,
  urgent: number,
): void {
  view.setUint32(at, (sourcePort << 16) | destinationPort);
  view.setInt32(at + 4, seq);
  view.setInt32(at + 8, ack);
  view.setUint32(at + 12, (size << 26) | (flags << 16) | window);
  view.setUint32(at + 16, urgent);
}
