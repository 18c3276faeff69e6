// A device over a descriptor that reads and writes frames: TAP or AF_PACKET. The descriptor is somebody else's; here is what stands
// before a frame when it has a struct virtio_net_hdr (linux/virtio_net.h), with which the other side takes large packets.
//
//   0: flags   1: type   2: header length   4: segment size   6: where to sum from   8: where to put the sum   (10: buffers)

import { EAGAIN, EMSGSIZE } from '../../abi/errno.ts';
import { IPPROTO_TCP } from '../../abi/net/in.ts';
import { Packet, SUM_GOOD, SUM_MISSING, SUM_UNCHECKED } from '../packet.ts';
import { fold, pseudoSum, sumOffset } from '../wire/checksum.ts';
import { transportHeaderSize } from './gso.ts';
import type { LinkDevice, PacketSink } from './link.ts';

/** A descriptor with the memory that it reads to and writes from. */
export interface FrameChannel {
  readonly buffer: Uint8Array;
  readonly view: DataView;
  /** One frame to the buffer: its bytes, -EAGAIN, -EIO, ... */
  read(): number;
  /** Sends the first bytes of the buffer as a frame. */
  write(bytes: number): number;
}

const NEEDS_SUM = 1;
const DATA_VALID = 2;
const GSO_NONE = 0;
const GSO_TCPV4 = 1;
const GSO_TCPV6 = 4;
const GSO_ECN = 0x80;
/** Most of a frame that TAP takes: 64 KiB with the headers. */
const MOST = 65535;
/** Frames that are read before others have their turn. */
const FRAMES_AT_ONCE = 64;
/** Room before what came in, for the headers of a link that it may be forwarded to. */
const ROOM = 64;

export class FdDevice implements LinkDevice {
  sink: PacketSink | null = null;
  readonly gso: number;
  readonly sums: boolean;
  private readonly channel: FrameChannel;
  /** Bytes of struct virtio_net_hdr before each frame: 0, 10 or 12. */
  private readonly headerSize: number;

  constructor(channel: FrameChannel, headerSize: number) {
    this.channel = channel;
    this.headerSize = headerSize;
    this.gso = headerSize > 0 ? MOST : 0;
    this.sums = headerSize > 0;
  }

  transmit(packet: Packet): number {
    const { buffer, view } = this.channel;
    const size = packet.size + this.headerSize;
    if (size > buffer.length) return -EMSGSIZE;
    if (this.headerSize > 0) this.putHeader(packet, view);
    let at = this.headerSize;
    buffer.set(packet.head.subarray(packet.start, packet.end), at);
    at += packet.end - packet.start;
    for (let i = 0; i < packet.parts.length; i++) {
      buffer.set(packet.parts[i]!, at);
      at += packet.parts[i]!.length;
    }
    const r = this.channel.write(size);
    return r < 0 ? r : 0;
  }

  private putHeader(packet: Packet, view: DataView): void {
    for (let i = 0; i < this.headerSize; i++) view.setUint8(i, 0);
    const offset = packet.sum === SUM_MISSING ? sumOffset(packet.protocol) : -1;
    if (offset < 0) return;
    const length = packet.end - packet.l4 + packet.length;
    const partial =
      packet.protocol === 1 ? 0 : fold(pseudoSum(packet.src, packet.dst, packet.protocol, length));
    packet.view.setUint16(packet.l4 + offset, partial);
    view.setUint8(0, NEEDS_SUM);
    view.setUint16(6, packet.l4 - packet.start, true);
    view.setUint16(8, offset, true);
    if (packet.segment === 0 || packet.protocol !== IPPROTO_TCP) return;
    view.setUint8(1, packet.src.isV4 ? GSO_TCPV4 : GSO_TCPV6);
    view.setUint16(2, packet.l4 - packet.start + transportHeaderSize(packet), true);
    view.setUint16(4, packet.segment, true);
  }

  /** The descriptor can be read: takes what there is, a number at a time. -EAGAIN when nothing is left, 0 when more may be. */
  ready(): number {
    for (let n = 0; n < FRAMES_AT_ONCE; n++) {
      const size = this.channel.read();
      if (size < 0) return size;
      if (size <= this.headerSize) continue;
      const { buffer, view } = this.channel;
      const head = new Uint8Array(ROOM + size - this.headerSize);
      head.set(buffer.subarray(this.headerSize, size), ROOM);
      const packet = new Packet(head, ROOM);
      if (this.headerSize > 0) this.readHeader(packet, view);
      else packet.sum = SUM_UNCHECKED;
      this.sink?.deliver(packet);
    }
    return 0;
  }

  private readHeader(packet: Packet, view: DataView): void {
    const flags = view.getUint8(0);
    packet.sum =
      (flags & NEEDS_SUM) !== 0 ? SUM_MISSING : (flags & DATA_VALID) !== 0 ? SUM_GOOD : SUM_UNCHECKED;
    if ((view.getUint8(1) & ~GSO_ECN) !== GSO_NONE) packet.segment = view.getUint16(4, true);
  }

  /** Reads until nothing is left: for tests and small programs. */
  drain(): number {
    let r = 0;
    while (r === 0) r = this.ready();
    return r === -EAGAIN ? 0 : r;
  }
}
