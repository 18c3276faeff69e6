// PACKET_RX_RING of TPACKET_V1 and V2: frames of one size, each with a status that says whose it is. And what both kinds of receiving
// rings have in common, with the request that makes a ring: packet_set_ring().

import { EINVAL } from '../../../abi/errno.ts';
import {
  TP_STATUS_KERNEL,
  TP_STATUS_LOSING,
  TP_STATUS_USER,
  TPACKET_ALIGNMENT,
  TPACKET_HDR_TP_LEN,
  TPACKET_HDR_TP_MAC,
  TPACKET_HDR_TP_NET,
  TPACKET_HDR_TP_SEC,
  TPACKET_HDR_TP_SNAPLEN,
  TPACKET_HDR_TP_USEC,
  TPACKET_REQ3_TP_BLOCK_NR,
  TPACKET_REQ3_TP_BLOCK_SIZE,
  TPACKET_REQ3_TP_FEATURE_REQ_WORD,
  TPACKET_REQ3_TP_FRAME_NR,
  TPACKET_REQ3_TP_FRAME_SIZE,
  TPACKET_REQ3_TP_RETIRE_BLK_TOV,
  TPACKET_REQ3_TP_SIZEOF_PRIV,
  TPACKET_V1,
  TPACKET_V3,
  TPACKET2_HDR_TP_LEN,
  TPACKET2_HDR_TP_MAC,
  TPACKET2_HDR_TP_NET,
  TPACKET2_HDR_TP_NSEC,
  TPACKET2_HDR_TP_PADDING,
  TPACKET2_HDR_TP_SEC,
  TPACKET2_HDR_TP_SNAPLEN,
  TPACKET2_HDR_TP_VLAN_TCI,
} from '../../../abi/net/packet.ts';
import { PAGE_SIZE } from '../../base/page.ts';
import { align, headSize, netOffset, putBytes, type SeenFrame } from './frame.ts';
import type { RingMemory } from './ring_memory.ts';

/** tp_mac and tp_net are 16 bits. */
const MOST_OFFSET = 0xffff;
/** sizeof(struct tpacket_block_desc), and what a program keeps behind it, in units of eight bytes. */
export const BLOCK_HEADER = 48;

/** struct tpacket_req3; of struct tpacket_req, the last three are 0. */
export interface RingRequest {
  readonly blockSize: number;
  readonly blocks: number;
  readonly frameSize: number;
  readonly frames: number;
  readonly retireMs: number;
  readonly privateSize: number;
  readonly features: number;
}

export function readRequest(view: DataView, version: number): RingRequest {
  const v3 = version === TPACKET_V3;
  return {
    blockSize: view.getUint32(TPACKET_REQ3_TP_BLOCK_SIZE, true),
    blocks: view.getUint32(TPACKET_REQ3_TP_BLOCK_NR, true),
    frameSize: view.getUint32(TPACKET_REQ3_TP_FRAME_SIZE, true),
    frames: view.getUint32(TPACKET_REQ3_TP_FRAME_NR, true),
    retireMs: v3 ? view.getUint32(TPACKET_REQ3_TP_RETIRE_BLK_TOV, true) : 0,
    privateSize: v3 ? view.getUint32(TPACKET_REQ3_TP_SIZEOF_PRIV, true) : 0,
    features: v3 ? view.getUint32(TPACKET_REQ3_TP_FEATURE_REQ_WORD, true) : 0,
  };
}

/** What packet_set_ring() says to a request for a ring: 0 or -EINVAL. */
export function checkRequest(r: RingRequest, version: number, reserve: number, isTx: boolean): number {
  const least = headSize(version) + reserve;
  if (r.blockSize === 0 || r.blockSize > 0x7fff_ffff || r.blockSize % PAGE_SIZE !== 0) return -EINVAL;
  if (version === TPACKET_V3 && r.blockSize < blockStart(r.privateSize) + least) return -EINVAL;
  if (r.frameSize < least || r.frameSize % TPACKET_ALIGNMENT !== 0) return -EINVAL;
  const each = Math.floor(r.blockSize / r.frameSize);
  if (each === 0 || each * r.blocks !== r.frames) return -EINVAL;
  if (isTx && (r.retireMs !== 0 || r.privateSize !== 0 || r.features !== 0)) return -EINVAL;
  return 0;
}

/** BLK_PLUS_PRIV: where the first packet of a block of TPACKET_V3 is. */
export function blockStart(privateSize: number): number {
  return BLOCK_HEADER + align(privateSize, 8);
}

/** Where frames of one size are: both kinds of rings but those of received TPACKET_V3. */
export class FrameRing {
  readonly memory: RingMemory;
  readonly version: number;
  readonly frameSize: number;
  readonly frames: number;
  private readonly perBlock: number;
  private readonly blockSize: number;
  head = 0;

  constructor(memory: RingMemory, version: number, r: RingRequest) {
    this.memory = memory;
    this.version = version;
    this.frameSize = r.frameSize;
    this.frames = r.frames;
    this.perBlock = Math.floor(r.blockSize / r.frameSize);
    this.blockSize = r.blockSize;
  }

  at(index: number): number {
    const block = Math.floor(index / this.perBlock);
    return block * this.blockSize + (index - block * this.perBlock) * this.frameSize;
  }

  advance(): void {
    this.head = this.head + 1 === this.frames ? 0 : this.head + 1;
  }

  get previous(): number {
    return this.head === 0 ? this.frames - 1 : this.head - 1;
  }
}

/** A ring that frames come to. */
export interface RxRing {
  readonly memory: RingMemory;
  /** Puts a frame in; false when there is no room. `losing`: others were dropped. */
  put(seen: SeenFrame, losing: boolean): boolean;
  /** poll(2): something is there to be read. */
  readonly readable: boolean;
  /** tp_freeze_q_cnt, from zero again then. */
  takeFreezes(): number;
  /** The socket ends. */
  stop(): void;
}

export class FrameRxRing implements RxRing {
  readonly memory: RingMemory;
  private readonly ring: FrameRing;
  private readonly reserve: number;

  constructor(memory: RingMemory, version: number, r: RingRequest, reserve: number) {
    this.memory = memory;
    this.ring = new FrameRing(memory, version, r);
    this.reserve = reserve;
  }

  put(seen: SeenFrame, losing: boolean): boolean {
    const { ring, memory } = this;
    const { version } = ring;
    const net = netOffset(version, this.reserve, seen);
    if (net > MOST_OFFSET) return false;
    const mac = net - seen.headerSize;
    const snap = Math.max(0, Math.min(seen.snapLength, ring.frameSize - mac));
    const at = ring.at(ring.head);
    if (memory.status(at) !== TP_STATUS_KERNEL) return false;
    ring.advance();
    if (snap > 0) putBytes(memory, at, version, seen, mac, snap);
    else putBytes(memory, at, version, seen, 0, 0);
    const { view } = memory;
    if (version === TPACKET_V1) {
      view.setUint32(at + TPACKET_HDR_TP_LEN, seen.length, true);
      view.setUint32(at + TPACKET_HDR_TP_SNAPLEN, snap, true);
      view.setUint16(at + TPACKET_HDR_TP_MAC, mac, true);
      view.setUint16(at + TPACKET_HDR_TP_NET, net, true);
      view.setUint32(at + TPACKET_HDR_TP_SEC, seen.sec, true);
      view.setUint32(at + TPACKET_HDR_TP_USEC, Math.floor(seen.nsec / 1000), true);
    } else {
      view.setUint32(at + TPACKET2_HDR_TP_LEN, seen.length, true);
      view.setUint32(at + TPACKET2_HDR_TP_SNAPLEN, snap, true);
      view.setUint16(at + TPACKET2_HDR_TP_MAC, mac, true);
      view.setUint16(at + TPACKET2_HDR_TP_NET, net, true);
      view.setUint32(at + TPACKET2_HDR_TP_SEC, seen.sec, true);
      view.setUint32(at + TPACKET2_HDR_TP_NSEC, seen.nsec, true);
      view.setUint32(at + TPACKET2_HDR_TP_VLAN_TCI, 0, true);
      view.setUint32(at + TPACKET2_HDR_TP_PADDING, 0, true);
    }
    memory.setStatus(at, TP_STATUS_USER | seen.status | (losing ? TP_STATUS_LOSING : 0));
    return true;
  }

  get readable(): boolean {
    const { ring } = this;
    return this.memory.status(ring.at(ring.previous)) !== TP_STATUS_KERNEL;
  }

  takeFreezes(): number {
    return 0;
  }

  stop(): void {}
}
