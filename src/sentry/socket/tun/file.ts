// TunFile: /dev/net/tun as an open file. A read takes one packet, a write gives one:
//
//   [ struct tun_pi, without IFF_NO_PI ] [ struct virtio_net_hdr, with IFF_VNET_HDR ] [ packet, or frame with IFF_TAP ]

import { EAGAIN, EBADFD, EFAULT, EINVAL, EIO, ENOMEM } from '../../../abi/errno.ts';
import { POLLERR, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '../../../abi/events/poll.ts';
import { MISC_MAJOR } from '../../../abi/fs/major.ts';
import { ETH_HLEN, ETH_P_IP, ETH_P_IPV6 } from '../../../abi/net/if.ts';
import { IFF_NO_PI, IFF_VNET_HDR, TUN_PKT_STRIP } from '../../../abi/net/packet.ts';
import type { Link } from '../../../net/link/link.ts';
import { type TunDevice, TunQueue, type TunReader } from '../../../net/link/tun.ts';
import { putVnetHeader, readVnetHeader, VNET_HEADER } from '../../../net/link/vnet_header.ts';
import { Packet, SUM_UNCHECKED } from '../../../net/packet.ts';
import type { Stack } from '../../../net/stack.ts';
import { kernelMemory } from '../../base/charge.ts';
import type { Io } from '../../base/io.ts';
import { WaitQueue } from '../../base/wait.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { registerCharDevice } from '../../vfs/devices.ts';
import { File } from '../../vfs/file.ts';
import type { Inode } from '../../vfs/inode.ts';
import type { InetNamespace } from '../inet/namespace.ts';
import { detach } from './attach.ts';
import type { TunHolder } from './holder.ts';
import { MOST_HEADER, tunIoctl } from './ioctl.ts';

const TUN_MINOR = 200;
/** struct tun_pi: flags in the host's order, protocol in the network's. */
const PI_SIZE = 4;
/** IP's longest packet with a link header. */
const MOST_PACKET = 65535 + 64;
/** Room before what is written, for the headers of an interface that it may be forwarded to. */
const ROOM = 64;
/** What a packet that waits is charged beyond its bytes: struct sk_buff. */
const OVERHEAD = 768;

const headers = new Uint8Array(PI_SIZE + MOST_HEADER);
const headersView = new DataView(headers.buffer);

export class TunFile extends File implements TunReader, TunHolder {
  readonly ns: InetNamespace;
  private readonly waiters = new WaitQueue();
  /** The interface that it is the wire of, and its queue there; also while the queue is detached. */
  device: TunDevice | null = null;
  queue_: TunQueue | null = null;
  /** TUNSETIFINDEX, TUNSETSNDBUF, TUNSETVNETLE. */
  wantedIndex = 0;
  sndbuf = 0x7fffffff;
  littleEndian = 0;

  constructor(inode: Inode, flags: number, ns: InetNamespace) {
    super(inode, flags);
    this.ns = ns.hold();
  }

  /** The interface. */
  get link(): Link | null {
    return this.device?.link ?? null;
  }

  /** A queue of an interface is this file's from now on. */
  join(device: TunDevice): void {
    const queue = new TunQueue(this);
    this.device = device;
    this.queue_ = queue;
    device.queues.push(queue);
    this.waiters.wake(POLLOUT | POLLWRNORM);
  }

  arrived(): void {
    this.waiters.wake(POLLIN | POLLRDNORM);
  }

  admit(bytes: number): boolean {
    if (!kernelMemory.fits(bytes + OVERHEAD, this.payer)) return false;
    kernelMemory.take(bytes + OVERHEAD, this.payer);
    return true;
  }

  gone(): void {
    this.drain();
    this.device = null;
    this.queue_ = null;
    this.waiters.wake(POLLERR | POLLIN | POLLOUT);
  }

  /** Forgets what waits. */
  drain(): void {
    const queue = this.queue_;
    if (queue === null) return;
    for (const packet of queue.packets.splice(0)) kernelMemory.give(this.payer, packet.size + OVERHEAD);
    queue.bytes = 0;
  }

  override queue(): WaitQueue {
    return this.waiters;
  }

  /** tun_chr_poll(). */
  override poll(): number {
    const { link, queue_ } = this;
    if (link === null || queue_ === null) return POLLERR;
    return (queue_.packets.length > 0 ? POLLIN | POLLRDNORM : 0) | (link.isUp ? POLLOUT | POLLWRNORM : 0);
  }

  /** tun_chr_read_iter(): one packet; what does not fit of it is lost. */
  override read(_ctx: VfsContext, io: Io): number {
    const { link, device, queue_: queue } = this;
    if (link === null || device === null || queue === null) return -EBADFD;
    const packet = queue.packets[0];
    if (packet === undefined) return -EAGAIN;
    queue.packets.shift();
    const size = packet.size;
    queue.bytes -= size;
    kernelMemory.give(this.payer, size + OVERHEAD);
    const { mode } = device;
    const piSize = (mode & IFF_NO_PI) === 0 ? PI_SIZE : 0;
    const vnetSize = (mode & IFF_VNET_HDR) === 0 ? 0 : device.headerSize;
    if (io.remaining < piSize + vnetSize) return -EINVAL;
    const total = piSize + vnetSize + size;
    if (piSize > 0) {
      headersView.setUint16(0, io.remaining < total ? TUN_PKT_STRIP : 0, true);
      headersView.setUint16(2, protocolOf(link, packet));
    }
    if (vnetSize > 0) putVnetHeader(packet, headersView, piSize, vnetSize);
    let moved = 0;
    if (piSize + vnetSize > 0) {
      moved = io.put(headers, 0, piSize + vnetSize);
      if (moved !== piSize + vnetSize) return -EFAULT;
    }
    const n = putPacket(io, packet);
    return n < 0 ? n : moved + n;
  }

  /** tun_get_user(): the bytes taken; -EIO while the interface is down. */
  override write(_ctx: VfsContext, io: Io): number {
    const { link, device } = this;
    if (link === null || device === null) return -EBADFD;
    if (!link.isUp) return -EIO;
    const total = io.remaining;
    const { mode } = device;
    const piSize = (mode & IFF_NO_PI) === 0 ? PI_SIZE : 0;
    const vnetSize = (mode & IFF_VNET_HDR) === 0 ? 0 : device.headerSize;
    const headed = piSize + vnetSize;
    if (total < headed) return -EINVAL;
    if (headed > 0 && io.take(headers, 0, headed) !== headed) return -EFAULT;
    // The frame's header length says nothing that its bytes do not, but it must not be a lie.
    if (vnetSize >= VNET_HEADER && headersView.getUint16(piSize + 2, true) > total - headed) return -EINVAL;
    const piProtocol = piSize > 0 ? headersView.getUint16(2) : 0;
    const r = this.take(link, io, total - headed, piProtocol, vnetSize > 0 ? piSize : -1);
    return r < 0 ? r : total;
  }

  private take(link: Link, io: Io, size: number, piProtocol: number, vnetAt: number): number {
    if (link.isEthernet && size < ETH_HLEN) return -EINVAL;
    if (size === 0) return -EINVAL;
    if (size > MOST_PACKET) {
      // No network layer has such packets: as one whose length field does not agree.
      link.counters.rxErrors++;
      return 0;
    }
    if (!kernelMemory.fits(size + OVERHEAD)) return -ENOMEM;
    const head = new Uint8Array(ROOM + size);
    if (io.take(head, ROOM, size) !== size) return -EFAULT;
    const packet = new Packet(head, ROOM);
    packet.sum = SUM_UNCHECKED;
    if (vnetAt >= 0 && readVnetHeader(packet, headersView, vnetAt) < 0) {
      link.counters.rxErrors++;
      return -EINVAL;
    }
    if (!link.isEthernet) {
      const version = head[ROOM]! >>> 4;
      const protocol = version === 4 ? ETH_P_IP : version === 6 ? ETH_P_IPV6 : 0;
      // Without struct tun_pi the packet itself says what it is.
      if (piProtocol === 0 && protocol === 0) {
        link.counters.rxDropped++;
        return -EINVAL;
      }
      if (piProtocol !== 0 && piProtocol !== protocol) {
        // Of a protocol that nobody here speaks.
        link.counters.rxDropped++;
        return 0;
      }
    }
    const stack = link.owner as Stack | null;
    link.deliver(packet);
    stack?.flush();
    return 0;
  }

  override ioctl(ctx: VfsContext, cmd: number, arg: number): number {
    return tunIoctl(ctx, this, cmd, arg);
  }

  protected override release(): void {
    detach(this);
    this.ns.drop();
  }
}

/** What struct tun_pi says of a packet that is read. */
function protocolOf(link: Link, packet: Packet): number {
  if (link.isEthernet) return packet.view.getUint16(packet.start + 12);
  return packet.view.getUint8(packet.start) >>> 4 === 6 ? ETH_P_IPV6 : ETH_P_IP;
}

/** Copies what fits of a packet: bytes, or -EFAULT. */
function putPacket(io: Io, packet: Packet): number {
  let total = 0;
  const one = (bytes: Uint8Array, from: number, length: number): boolean => {
    const want = Math.min(length, io.remaining);
    if (want === 0) return true;
    const n = io.put(bytes, from, want);
    if (n > 0) total += n;
    return n === want;
  };
  if (!one(packet.head, packet.start, packet.end - packet.start)) return -EFAULT;
  for (const part of packet.parts) if (!one(part, 0, part.length)) return -EFAULT;
  return total;
}

/** Serves /dev/net/tun wherever such a node is; `netOf` tells the namespace of whoever opens it. */
export function registerTun(netOf: (ctx: VfsContext) => InetNamespace): void {
  registerCharDevice(MISC_MAJOR, TUN_MINOR, (inode, ctx, flags) => new TunFile(inode, flags, netOf(ctx)));
}
