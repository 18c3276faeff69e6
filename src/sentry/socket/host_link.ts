// Frames to and from the host: a TAP interface or a packet socket as the FrameChannel of a stack's FdDevice. Who opens one holds
// CAP_NET_ADMIN or CAP_NET_RAW over the network namespace; a descriptor may also come from somebody who does.

import { EAGAIN, EINVAL } from '../../abi/errno.ts';
import { EPOLLIN } from '../../abi/events/epoll.ts';
import { O_CLOEXEC, O_NONBLOCK, O_RDWR } from '../../abi/fs/fcntl.ts';
import { ETH_P_ALL, IFNAMSIZ } from '../../abi/net/if.ts';
import {
  IFF_NO_PI,
  IFF_TAP,
  IFF_VNET_HDR,
  PACKET_ADD_MEMBERSHIP,
  PACKET_IGNORE_OUTGOING,
  PACKET_MR_ALLMULTI,
  PACKET_VNET_HDR,
  SIZEOF_SOCKADDR_LL,
  SOCKADDR_LL_SLL_FAMILY,
  SOCKADDR_LL_SLL_IFINDEX,
  SOCKADDR_LL_SLL_PROTOCOL,
  TUN_F_CSUM,
  TUN_F_TSO4,
  TUN_F_TSO6,
} from '../../abi/net/packet.ts';
import {
  AF_PACKET,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOL_PACKET,
  SOL_SOCKET,
} from '../../abi/net/socket.ts';
import {
  SYS_bind,
  SYS_close,
  SYS_ioctl,
  SYS_openat,
  SYS_read,
  SYS_setsockopt,
  SYS_socket,
  SYS_write,
} from '../../abi/syscall.ts';
import { HostBuffer } from '../../host/buffer.ts';
import type { HostPoller, HostPollTarget } from '../../host/poller.ts';
import { hostCall } from '../../host/syscall.ts';
import { FdDevice, type FrameChannel } from '../../net/link/fd.ts';

const AT_FDCWD = -100;
/** <linux/if_tun.h>: _IOW('T', n, int or unsigned). */
const TUNSETIFF = 0x400454ca;
const TUNSETOFFLOAD = 0x400454d0;
const TUNSETVNETHDRSZ = 0x400454d8;
/** struct virtio_net_hdr without the count of buffers. */
const VNET_HEADER = 10;
/** A frame of 64 KiB, its link header and a struct virtio_net_hdr. */
const BUFFER_SIZE = 65536 + 64;
const PACKET_MREQ_SIZE = 16;
/** Of a packet socket, both ways: frames that come while guests compute wait there. */
const QUEUE_BYTES = 4 << 20;

/** One descriptor that carries frames, and the memory that they pass through. */
export class HostFrames implements FrameChannel, HostPollTarget {
  readonly fd: number;
  readonly device: FdDevice;
  readonly buffer: Uint8Array;
  readonly view: DataView;
  private readonly memory: HostBuffer;
  private poller: HostPoller | null = null;

  /** Takes the descriptor over. `headerSize` is that of the struct virtio_net_hdr before each frame, or 0. */
  constructor(fd: number, headerSize: number) {
    this.fd = fd;
    this.memory = HostBuffer.alloc(BUFFER_SIZE);
    this.buffer = this.memory.u8;
    this.view = this.memory.view;
    this.device = new FdDevice(this, headerSize);
  }

  read(): number {
    const n = hostCall(SYS_read, this.fd, this.memory.addr, BUFFER_SIZE);
    return n === 0 ? -EAGAIN : n;
  }

  write(bytes: number): number {
    return hostCall(SYS_write, this.fd, this.memory.addr, bytes);
  }

  /** Has frames taken in when they come. */
  watch(poller: HostPoller): number {
    this.poller = poller;
    return poller.add(this.fd, EPOLLIN, this);
  }

  onHostReady(): void {
    this.device.ready();
  }

  close(): void {
    this.poller?.remove(this.fd);
    hostCall(SYS_close, this.fd);
  }
}

const scratch = HostBuffer.alloc(64);

/**
 * The other end of a TAP interface, which is made when there is none: the host's documentation of tuntap. With `large`, packets up
 * to 64 KiB and without checksums pass, as far as the host's kernel takes part. -EPERM, -EBUSY, -ENOENT, ...
 */
export function openTap(name: string, large: boolean): HostFrames | number {
  if (name.length >= IFNAMSIZ) return -EINVAL;
  const path = scratch.putString('/dev/net/tun', 0);
  const fd = hostCall(SYS_openat, AT_FDCWD, path, O_RDWR | O_NONBLOCK | O_CLOEXEC, 0);
  if (fd < 0) return fd;
  // struct ifreq: the name, then flags.
  scratch.u8.fill(0, 0, 40);
  scratch.putString(name, 0);
  scratch.view.setUint16(IFNAMSIZ, IFF_TAP | IFF_NO_PI | (large ? IFF_VNET_HDR : 0), true);
  let r = hostCall(SYS_ioctl, fd, TUNSETIFF, scratch.addr);
  if (r >= 0 && large) {
    scratch.view.setInt32(0, VNET_HEADER, true);
    r = hostCall(SYS_ioctl, fd, TUNSETVNETHDRSZ, scratch.addr);
    if (r >= 0) r = hostCall(SYS_ioctl, fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6);
  }
  if (r < 0) {
    hostCall(SYS_close, fd);
    return r;
  }
  return new HostFrames(fd, large ? VNET_HEADER : 0);
}

/** All frames of one interface of the host's, by packet(7). -EPERM, -ENODEV, ... */
export function openPacketSocket(ifindex: number, large: boolean): HostFrames | number {
  const protocol = ((ETH_P_ALL & 0xff) << 8) | (ETH_P_ALL >>> 8);
  // Bound first and with protocol 0 until then: nothing of other interfaces may come in.
  const fd = hostCall(SYS_socket, AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return fd;
  const set = (level: number, name: number, value: number): number => {
    scratch.view.setInt32(0, value, true);
    return hostCall(SYS_setsockopt, fd, level, name, scratch.addr, 4);
  };
  let r = set(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
  if (r >= 0 && large) r = set(SOL_PACKET, PACKET_VNET_HDR, 1);
  // Who may not go over the limit of the host gets what it allows.
  if (set(SOL_SOCKET, SO_RCVBUFFORCE, QUEUE_BYTES) < 0) set(SOL_SOCKET, SO_RCVBUF, QUEUE_BYTES);
  if (set(SOL_SOCKET, SO_SNDBUFFORCE, QUEUE_BYTES) < 0) set(SOL_SOCKET, SO_SNDBUF, QUEUE_BYTES);
  if (r >= 0) {
    scratch.u8.fill(0, 0, SIZEOF_SOCKADDR_LL);
    scratch.view.setUint16(SOCKADDR_LL_SLL_FAMILY, AF_PACKET, true);
    scratch.view.setUint16(SOCKADDR_LL_SLL_PROTOCOL, protocol, true);
    scratch.view.setInt32(SOCKADDR_LL_SLL_IFINDEX, ifindex, true);
    r = hostCall(SYS_bind, fd, scratch.addr, SIZEOF_SOCKADDR_LL);
  }
  if (r >= 0) {
    // struct packet_mreq: the groups that we are in are not the host's, and a card lets no others through.
    scratch.u8.fill(0, 0, PACKET_MREQ_SIZE);
    scratch.view.setInt32(0, ifindex, true);
    scratch.view.setUint16(4, PACKET_MR_ALLMULTI, true);
    r = hostCall(SYS_setsockopt, fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, scratch.addr, PACKET_MREQ_SIZE);
  }
  if (r < 0) {
    hostCall(SYS_close, fd);
    return r;
  }
  return new HostFrames(fd, large ? VNET_HEADER : 0);
}
