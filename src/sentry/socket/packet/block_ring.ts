// PACKET_RX_RING of TPACKET_V3: packets of any length in blocks, which are handed over when they are full or when the oldest packet in
// them is as old as tp_retire_blk_tov says. When the next block is still the program's, the ring is frozen: packets are dropped until
// the program gives it back. The timer runs only while packets wait in a block that is not handed over.

import {
  TP_STATUS_BLK_TMO,
  TP_STATUS_LOSING,
  TP_STATUS_USER,
  TPACKET_BLOCK_DESC_HDR,
  TPACKET_BLOCK_DESC_OFFSET_TO_PRIV,
  TPACKET_BLOCK_DESC_VERSION,
  TPACKET_HDR_V1_BLK_LEN,
  TPACKET_HDR_V1_BLOCK_STATUS,
  TPACKET_HDR_V1_NUM_PKTS,
  TPACKET_HDR_V1_OFFSET_TO_FIRST_PKT,
  TPACKET_HDR_V1_SEQ_NUM,
  TPACKET_HDR_V1_TS_FIRST_PKT,
  TPACKET_HDR_V1_TS_LAST_PKT,
  TPACKET_V3,
  TPACKET3_HDR_HV1,
  TPACKET3_HDR_TP_LEN,
  TPACKET3_HDR_TP_MAC,
  TPACKET3_HDR_TP_NET,
  TPACKET3_HDR_TP_NEXT_OFFSET,
  TPACKET3_HDR_TP_NSEC,
  TPACKET3_HDR_TP_PADDING,
  TPACKET3_HDR_TP_SEC,
  TPACKET3_HDR_TP_SNAPLEN,
  TPACKET3_HDR_TP_STATUS,
} from '../../../abi/net/packet.ts';
import { putU64 } from '../../../abi/u64.ts';
import { type NetClock, NetTimer, type NetTimerTarget } from '../../../net/time.ts';
import { align, netOffset, putBytes, type SeenFrame } from './frame.ts';
import { BLOCK_HEADER, blockStart, type RingRequest, type RxRing } from './ring.ts';
import type { RingMemory } from './ring_memory.ts';

/** DEFAULT_PRB_RETIRE_TOV, when a program does not say. */
const RETIRE_MS = 8;
const NS_PER_MS = 1e6;
const PACKET_ALIGN = 8;
const MOST_OFFSET = 0xffff;

const STATUS = TPACKET_BLOCK_DESC_HDR + TPACKET_HDR_V1_BLOCK_STATUS;
const PACKETS = TPACKET_BLOCK_DESC_HDR + TPACKET_HDR_V1_NUM_PKTS;
const FIRST = TPACKET_BLOCK_DESC_HDR + TPACKET_HDR_V1_OFFSET_TO_FIRST_PKT;
const LENGTH = TPACKET_BLOCK_DESC_HDR + TPACKET_HDR_V1_BLK_LEN;
const SEQUENCE = TPACKET_BLOCK_DESC_HDR + TPACKET_HDR_V1_SEQ_NUM;
const FIRST_TIME = TPACKET_BLOCK_DESC_HDR + TPACKET_HDR_V1_TS_FIRST_PKT;
const LAST_TIME = TPACKET_BLOCK_DESC_HDR + TPACKET_HDR_V1_TS_LAST_PKT;

/** Who has the ring: is told that a block is ready, and asked for the time. */
export interface BlockUser {
  blockReady(): void;
  /** True while frames were dropped that nobody has heard of. */
  readonly losing: boolean;
  /** CLOCK_REALTIME in seconds; the rest in realtimeNsec. */
  realtimeSec(): number;
  readonly realtimeNsec: number;
}

export class BlockRing implements RxRing, NetTimerTarget {
  readonly memory: RingMemory;
  private readonly clock: NetClock;
  private readonly user: BlockUser;
  private readonly timer: NetTimer = new NetTimer(this);
  private readonly blockSize: number;
  private readonly blocks: number;
  private readonly retireNs: number;
  private readonly start: number;
  private readonly reserve: number;
  /** The block that is filled, what is in it, and where the next and the last packet of it are, from the ring's start. */
  private active = 0;
  private packets = 0;
  private next = 0;
  private last = 0;
  private sequence = 1;
  private frozen = false;
  private freezes = 0;

  constructor(memory: RingMemory, r: RingRequest, reserve: number, clock: NetClock, user: BlockUser) {
    this.memory = memory;
    this.clock = clock;
    this.user = user;
    this.blockSize = r.blockSize;
    this.blocks = r.blocks;
    this.retireNs = (r.retireMs === 0 ? RETIRE_MS : r.retireMs) * NS_PER_MS;
    this.start = blockStart(r.privateSize);
    this.reserve = reserve;
    this.open();
  }

  private get at(): number {
    return this.active * this.blockSize;
  }

  /** The active block is the program's. */
  private get taken(): boolean {
    return (this.memory.status(this.at + STATUS) & TP_STATUS_USER) !== 0;
  }

  /** prb_open_block(). */
  private open(): void {
    const { memory, at, start } = this;
    const { view } = memory;
    this.frozen = false;
    this.packets = 0;
    this.next = at + start;
    this.last = this.next;
    view.setUint32(at + TPACKET_BLOCK_DESC_VERSION, TPACKET_V3, true);
    view.setUint32(at + TPACKET_BLOCK_DESC_OFFSET_TO_PRIV, BLOCK_HEADER, true);
    view.setUint32(at + PACKETS, 0, true);
    view.setUint32(at + FIRST, start, true);
    view.setUint32(at + LENGTH, start, true);
    putU64(view, at + SEQUENCE, this.sequence++);
    this.putNow(at + FIRST_TIME);
  }

  private putNow(at: number): void {
    const { view } = this.memory;
    view.setUint32(at, this.user.realtimeSec(), true);
    view.setUint32(at + 4, this.user.realtimeNsec, true);
  }

  /** prb_retire_current_block(): hands the active block over; the one after it is active then. */
  private retire(status: number): void {
    const { memory, at } = this;
    const { view } = memory;
    if (this.packets > 0) {
      view.setUint32(this.last + TPACKET3_HDR_TP_NEXT_OFFSET, 0, true);
      view.setUint32(at + LAST_TIME, view.getUint32(this.last + TPACKET3_HDR_TP_SEC, true), true);
      view.setUint32(at + LAST_TIME + 4, view.getUint32(this.last + TPACKET3_HDR_TP_NSEC, true), true);
    } else this.putNow(at + LAST_TIME);
    memory.setStatus(at + STATUS, TP_STATUS_USER | status | (this.user.losing ? TP_STATUS_LOSING : 0));
    this.clock.cancel(this.timer);
    this.active = this.active + 1 === this.blocks ? 0 : this.active + 1;
    this.user.blockReady();
  }

  /** prb_dispatch_next_block(): false when the ring is frozen. */
  private dispatch(): boolean {
    if (this.taken) {
      this.frozen = true;
      this.freezes++;
      return false;
    }
    this.open();
    return true;
  }

  put(seen: SeenFrame): boolean {
    const net = netOffset(TPACKET_V3, this.reserve, seen);
    if (net > MOST_OFFSET) return false;
    const most = this.blockSize - this.start;
    let mac = net - seen.headerSize;
    let snap = Math.min(seen.snapLength, most - mac);
    if (snap < 0) {
      snap = 0;
      mac = most;
    }
    const length = align(mac + snap, PACKET_ALIGN);
    if (this.frozen) {
      if (this.taken) return false;
      this.open();
    }
    if (this.next + length >= this.at + this.blockSize) {
      this.retire(0);
      if (!this.dispatch()) return false;
      // Longer than any block has room for.
      if (this.next + length > this.at + this.blockSize) return false;
    }
    const { memory, at } = this;
    const { view } = memory;
    const p = this.next;
    putBytes(memory, p, TPACKET_V3, seen, mac, snap);
    view.setUint32(p + TPACKET3_HDR_TP_NEXT_OFFSET, length, true);
    view.setUint32(p + TPACKET3_HDR_TP_SEC, seen.sec, true);
    view.setUint32(p + TPACKET3_HDR_TP_NSEC, seen.nsec, true);
    view.setUint32(p + TPACKET3_HDR_TP_SNAPLEN, snap, true);
    view.setUint32(p + TPACKET3_HDR_TP_LEN, seen.length, true);
    view.setUint32(p + TPACKET3_HDR_TP_STATUS, TP_STATUS_USER | seen.status, true);
    view.setUint16(p + TPACKET3_HDR_TP_MAC, mac, true);
    view.setUint16(p + TPACKET3_HDR_TP_NET, net, true);
    memory.bytes.fill(0, p + TPACKET3_HDR_HV1, p + TPACKET3_HDR_TP_PADDING + 8);
    this.last = p;
    this.next = p + length;
    this.packets++;
    view.setUint32(at + PACKETS, this.packets, true);
    view.setUint32(at + LENGTH, this.next - at, true);
    if (this.packets === 1) this.clock.arm(this.timer, this.clock.monotonicNs() + this.retireNs);
    return true;
  }

  onTimer(): void {
    if (this.packets === 0 || this.frozen) return;
    this.retire(TP_STATUS_BLK_TMO);
    this.dispatch();
  }

  /** The block before the active one is the program's. */
  get readable(): boolean {
    const before = this.active === 0 ? this.blocks - 1 : this.active - 1;
    return this.memory.status(before * this.blockSize + STATUS) !== 0;
  }

  takeFreezes(): number {
    const n = this.freezes;
    this.freezes = 0;
    return n;
  }

  stop(): void {
    this.clock.cancel(this.timer);
  }
}
