// SeenFrame: a frame that passes, as rings are told of it, and how the header in front of it looks: packet(7), struct tpacket_hdr
// and its younger relatives.

import {
  SIZEOF_SOCKADDR_LL,
  SIZEOF_TPACKET_HDR,
  SIZEOF_TPACKET2_HDR,
  SIZEOF_TPACKET3_HDR,
  TPACKET_ALIGNMENT,
  TPACKET_V1,
  TPACKET_V2,
  TPACKET_V3,
} from '../../../abi/net/packet.ts';
import type { RingMemory } from './ring_memory.ts';

/** One at a time, aimed anew at every frame. */
export class SeenFrame {
  bytes: Uint8Array = new Uint8Array(0);
  /** Its part that the socket shows: behind the link's header for SOCK_DGRAM. */
  from = 0;
  /** Of that part, what the filter leaves. */
  snapLength = 0;
  /** Bytes of the link's header that are shown. */
  headerSize = 0;
  /** struct sockaddr_ll. */
  readonly address: Uint8Array = new Uint8Array(SIZEOF_SOCKADDR_LL);
  /** TP_STATUS_* that tell of its checksum. */
  status = 0;
  sec = 0;
  nsec = 0;

  get length(): number {
    return this.bytes.length - this.from;
  }
}

/** Sizes of what stands before a packet. */
const HEADERS: readonly number[] = [SIZEOF_TPACKET_HDR, SIZEOF_TPACKET2_HDR, SIZEOF_TPACKET3_HDR];
/** What Linux leaves free for a link's header at least. */
const LEAST_HEADER = 16;
const VERSIONS = [TPACKET_V1, TPACKET_V2, TPACKET_V3];

export function isVersion(version: number): boolean {
  return VERSIONS.includes(version);
}

export function align(n: number, to: number): number {
  return Math.ceil(n / to) * to;
}

/** PACKET_HDRLEN: the header of a version. */
export function headerSize(version: number): number {
  return HEADERS[version]!;
}

/** TPACKET_HDRLEN and its relatives: header and address. */
export function headSize(version: number): number {
  return align(headerSize(version), TPACKET_ALIGNMENT) + SIZEOF_SOCKADDR_LL;
}

/** tp_net: where the network's header goes in a frame. */
export function netOffset(version: number, reserve: number, seen: SeenFrame): number {
  const head = headSize(version);
  if (seen.from > 0 || seen.headerSize === 0) return align(head, TPACKET_ALIGNMENT) + LEAST_HEADER + reserve;
  return align(head + Math.max(LEAST_HEADER, seen.headerSize), TPACKET_ALIGNMENT) + reserve;
}

/** Puts the packet's bytes and the sender's address where a frame that begins at `at` has them. */
export function putBytes(
  memory: RingMemory,
  at: number,
  version: number,
  seen: SeenFrame,
  mac: number,
  snap: number,
): void {
  memory.bytes.set(seen.bytes.subarray(seen.from, seen.from + snap), at + mac);
  memory.bytes.set(seen.address, at + align(headerSize(version), TPACKET_ALIGNMENT));
}
