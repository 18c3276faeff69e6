// A device over a descriptor that reads and writes frames: TAP or AF_PACKET. The descriptor is somebody else's.

import { EAGAIN, EMSGSIZE } from '../../abi/errno.ts';
import { Packet, SUM_UNCHECKED } from '../packet.ts';
import type { LinkDevice, PacketSink } from './link.ts';
import { putVnetHeader, readVnetHeader } from './vnet_header.ts';

/** A descriptor with the memory that it reads to and writes from. */
export interface FrameChannel {
  readonly buffer: Uint8Array;
  readonly view: DataView;
  /** One frame to the buffer: its bytes, -EAGAIN, -EIO, ... */
  read(): number;
  /** Sends the first bytes of the buffer as a frame. */
  write(bytes: number): number;
}

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
    if (this.headerSize > 0) putVnetHeader(packet, view, 0, this.headerSize);
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
      if (this.headerSize === 0) packet.sum = SUM_UNCHECKED;
      else if (readVnetHeader(packet, view, 0) < 0) continue;
      this.sink?.deliver(packet);
    }
    return 0;
  }

  /** Reads until nothing is left: for tests and small programs. */
  drain(): number {
    let r = 0;
    while (r === 0) r = this.ready();
    return r === -EAGAIN ? 0 : r;
  }
}
