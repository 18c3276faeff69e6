// PacketRings: the rings of one packet socket and the options that shape them: packet(7), packet_set_ring().

import { EBUSY, EINVAL, ENOPROTOOPT } from '../../../abi/errno.ts';
import {
  PACKET_LOSS,
  PACKET_RESERVE,
  PACKET_TIMESTAMP,
  PACKET_TX_HAS_OFF,
  PACKET_VERSION,
  SIZEOF_TPACKET_REQ,
  SIZEOF_TPACKET_REQ3,
  TPACKET_V1,
  TPACKET_V3,
} from '../../../abi/net/packet.ts';
import type { NetClock } from '../../../net/time.ts';
import { countUnsupported } from '../../base/log.ts';
import { scratchView } from '../../base/scratch.ts';
import type { MemoryFile } from '../../memfile/memfile.ts';
import { putIntOption } from '../options.ts';
import { BlockRing, type BlockUser } from './block_ring.ts';
import { isVersion } from './frame.ts';
import { checkRequest, FrameRxRing, type RingRequest, type RxRing, readRequest } from './ring.ts';
import { RingMemory, RingPages } from './ring_memory.ts';
import { TxRing } from './tx_ring.ts';

export class PacketRings {
  private readonly memfile: MemoryFile;
  private readonly clock: NetClock;
  private readonly user: BlockUser;
  readonly pages: RingPages = new RingPages();
  rx: RxRing | null = null;
  tx: TxRing | null = null;
  version: number = TPACKET_V1;
  reserve = 0;
  /** PACKET_LOSS, PACKET_TX_HAS_OFF. */
  skipsBad = false;
  hasOffset = false;
  /** PACKET_TIMESTAMP: kept; stamps are the kernel's. */
  private stamps = 0;

  constructor(memfile: MemoryFile, clock: NetClock, user: BlockUser) {
    this.memfile = memfile;
    this.clock = clock;
    this.user = user;
  }

  get any(): boolean {
    return this.rx !== null || this.tx !== null;
  }

  getOption(name: number, len: number): number {
    switch (name) {
      case PACKET_VERSION:
        return putIntOption(this.version, len);
      case PACKET_RESERVE:
        return putIntOption(this.reserve, len);
      case PACKET_LOSS:
        return putIntOption(this.skipsBad ? 1 : 0, len);
      case PACKET_TX_HAS_OFF:
        return putIntOption(this.hasOffset ? 1 : 0, len);
      case PACKET_TIMESTAMP:
        return putIntOption(this.stamps, len);
    }
    return -ENOPROTOOPT;
  }

  /** The value is in scratch: all are ints. */
  setOption(name: number, len: number): number {
    const value = scratchView.getInt32(0, true);
    switch (name) {
      case PACKET_VERSION:
        if (len !== 4 || !isVersion(value)) return -EINVAL;
        if (this.any) return -EBUSY;
        this.version = value;
        return 0;
      case PACKET_RESERVE:
        if (len !== 4 || value < 0) return -EINVAL;
        if (this.any) return -EBUSY;
        this.reserve = value;
        return 0;
      case PACKET_LOSS:
        if (len !== 4) return -EINVAL;
        if (this.any) return -EBUSY;
        this.skipsBad = value !== 0;
        return 0;
      case PACKET_TX_HAS_OFF:
        if (len !== 4) return -EINVAL;
        if (!this.any) this.hasOffset = value !== 0;
        return 0;
      case PACKET_TIMESTAMP:
        if (len !== 4) return -EINVAL;
        this.stamps = value;
        return 0;
    }
    countUnsupported(`setsockopt SOL_PACKET ${name}`);
    return -ENOPROTOOPT;
  }

  /** PACKET_RX_RING and PACKET_TX_RING: the request is in `view`, `len` bytes of it. */
  set(isTx: boolean, view: DataView, len: number): number {
    const { version } = this;
    if (len < (version === TPACKET_V3 ? SIZEOF_TPACKET_REQ3 : SIZEOF_TPACKET_REQ)) return -EINVAL;
    const r = readRequest(view, version);
    if (this.pages.mapped > 0) return -EBUSY;
    if (r.blocks === 0) {
      if (r.frames !== 0) return -EINVAL;
      if (isTx) this.dropTx();
      else this.dropRx();
      return 0;
    }
    if ((isTx ? this.tx : this.rx) !== null) return -EBUSY;
    const bad = checkRequest(r, version, this.reserve, isTx);
    if (bad < 0) return bad;
    const memory = RingMemory.create(this.memfile, r.blockSize * r.blocks);
    if (typeof memory === 'number') return memory;
    if (isTx) {
      this.pages.tx = memory;
      this.tx = new TxRing(memory, version, r);
    } else {
      this.pages.rx = memory;
      this.rx = this.makeRx(memory, r);
    }
    return 0;
  }

  private makeRx(memory: RingMemory, r: RingRequest): RxRing {
    if (this.version === TPACKET_V3) return new BlockRing(memory, r, this.reserve, this.clock, this.user);
    return new FrameRxRing(memory, this.version, r, this.reserve);
  }

  private dropRx(): void {
    this.rx?.stop();
    this.pages.rx?.free();
    this.rx = null;
    this.pages.rx = null;
  }

  private dropTx(): void {
    this.pages.tx?.free();
    this.tx = null;
    this.pages.tx = null;
  }

  /** The socket ends; its mappings, which hold it, did before. */
  drop(): void {
    this.dropRx();
    this.dropTx();
  }
}
