// PACKET_TX_RING: frames that a program has put into memory and that one send(2) sends: tpacket_snd().

import { EINVAL, EMSGSIZE } from '../../../abi/errno.ts';
import {
  SIZEOF_SOCKADDR_LL,
  TP_STATUS_AVAILABLE,
  TP_STATUS_SEND_REQUEST,
  TP_STATUS_WRONG_FORMAT,
  TPACKET_HDR_TP_LEN,
  TPACKET_HDR_TP_MAC,
  TPACKET_HDR_TP_NET,
  TPACKET_HDR_TP_STATUS,
  TPACKET_V3,
  TPACKET2_HDR_TP_LEN,
  TPACKET2_HDR_TP_MAC,
  TPACKET2_HDR_TP_NET,
  TPACKET2_HDR_TP_STATUS,
  TPACKET3_HDR_TP_LEN,
  TPACKET3_HDR_TP_MAC,
  TPACKET3_HDR_TP_NET,
  TPACKET3_HDR_TP_NEXT_OFFSET,
  TPACKET3_HDR_TP_STATUS,
} from '../../../abi/net/packet.ts';
import { headSize } from './frame.ts';
import { FrameRing, type RingRequest } from './ring.ts';
import type { RingMemory } from './ring_memory.ts';

/** Frames that one call sends at most, since a program may go on making new ones. */
const CALL_FRAMES = 1024;
/** struct tpacket_hdr of each version: status, length, mac, net. */
const STATUS = [TPACKET_HDR_TP_STATUS, TPACKET2_HDR_TP_STATUS, TPACKET3_HDR_TP_STATUS];
const LENGTH = [TPACKET_HDR_TP_LEN, TPACKET2_HDR_TP_LEN, TPACKET3_HDR_TP_LEN];
const MAC = [TPACKET_HDR_TP_MAC, TPACKET2_HDR_TP_MAC, TPACKET3_HDR_TP_MAC];
const NET = [TPACKET_HDR_TP_NET, TPACKET2_HDR_TP_NET, TPACKET3_HDR_TP_NET];

/** Whoever sends what the ring holds. */
export interface FrameSender {
  /** 0 or -errno; the bytes are the sender's own. */
  sendFrame(bytes: Uint8Array): number;
}

export class TxRing {
  readonly memory: RingMemory;
  private readonly ring: FrameRing;

  constructor(memory: RingMemory, version: number, r: RingRequest) {
    this.memory = memory;
    this.ring = new FrameRing(memory, version, r);
  }

  /** poll(2): the next frame may be written. */
  get writable(): boolean {
    const { ring } = this;
    return this.memory.status(ring.at(ring.head) + STATUS[ring.version]!) === TP_STATUS_AVAILABLE;
  }

  /**
   * Sends frames until one is not to be sent: their bytes, or -errno of the first that is wrong. `most` is the longest that the link takes.
   * `raw`: frames have the link's header. `loss` (PACKET_LOSS) skips wrong ones; `hasOffset` (PACKET_TX_HAS_OFF): they say where they begin.
   */
  send(to: FrameSender, most: number, raw: boolean, loss: boolean, hasOffset: boolean): number {
    const { ring, memory } = this;
    let sent = 0;
    for (let n = 0; n < CALL_FRAMES; n++) {
      const at = ring.at(ring.head);
      const status = at + STATUS[ring.version]!;
      if (memory.status(status) !== TP_STATUS_SEND_REQUEST) break;
      const bytes = this.frameAt(at, most, raw, hasOffset);
      const r = typeof bytes === 'number' ? bytes : to.sendFrame(bytes);
      if (typeof bytes === 'number' && !loss) {
        memory.setStatus(status, TP_STATUS_WRONG_FORMAT);
        return bytes;
      }
      memory.setStatus(status, TP_STATUS_AVAILABLE);
      ring.advance();
      if (r < 0 && typeof bytes !== 'number') return sent > 0 ? sent : r;
      if (typeof bytes !== 'number') sent += bytes.length;
    }
    return sent;
  }

  /** tpacket_parse_header(): a copy of what is to be sent. */
  private frameAt(at: number, most: number, raw: boolean, hasOffset: boolean): Uint8Array | number {
    const { ring, memory } = this;
    const { version, frameSize } = ring;
    const { view, bytes } = memory;
    if (version === TPACKET_V3 && view.getUint32(at + TPACKET3_HDR_TP_NEXT_OFFSET, true) !== 0)
      return -EINVAL;
    const first = headSize(version) - SIZEOF_SOCKADDR_LL;
    const length = view.getUint32(at + LENGTH[version]!, true);
    if (length > Math.min(most, frameSize - first)) return -EMSGSIZE;
    let from = first;
    if (hasOffset) {
      from = view.getUint16(at + (raw ? MAC : NET)[version]!, true);
      if (from < first || from > frameSize - length) return -EINVAL;
    }
    return bytes.slice(at + from, at + from + length);
  }
}
