// ioctls of /dev/net/tun: the kernel's documentation of tuntap, linux/if_tun.h.

import { EBADFD, EBUSY, EEXIST, EFAULT, EINVAL, EPERM } from '../../../abi/errno.ts';
import { SIOCGIFHWADDR, SIOCSIFHWADDR } from '../../../abi/ioctl.ts';
import { IFNAMSIZ, IFREQ_IFR_ADDR, IFREQ_IFR_FLAGS, SIZEOF_IFREQ } from '../../../abi/net/if.ts';
import {
  IFF_ATTACH_QUEUE,
  IFF_DETACH_QUEUE,
  IFF_MULTI_QUEUE,
  IFF_NO_CARRIER,
  IFF_NOFILTER,
  IFF_TAP,
  IFF_TUN,
  IFF_VNET_HDR,
  TUN_F_CSUM,
  TUN_F_TSO_ECN,
  TUN_F_TSO4,
  TUN_F_TSO6,
  TUN_F_UFO,
} from '../../../abi/net/packet.ts';
import {
  TUNGETFEATURES,
  TUNGETIFF,
  TUNGETSNDBUF,
  TUNGETVNETHDRSZ,
  TUNGETVNETLE,
  TUNSETCARRIER,
  TUNSETGROUP,
  TUNSETIFF,
  TUNSETIFINDEX,
  TUNSETLINK,
  TUNSETNOCSUM,
  TUNSETOFFLOAD,
  TUNSETOWNER,
  TUNSETPERSIST,
  TUNSETQUEUE,
  TUNSETSNDBUF,
  TUNSETVNETHDRSZ,
  TUNSETVNETLE,
} from '../../../abi/net/tun.ts';
import type { Link } from '../../../net/link/link.ts';
import type { TunDevice } from '../../../net/link/tun.ts';
import { VNET_HEADER } from '../../../net/link/vnet_header.ts';
import { bytesToString } from '../../base/bytes.ts';
import { countUnsupported } from '../../base/log.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { isUnicastMac } from '../inet/link_life.ts';
import { attach, FEATURES, shownFlags, told } from './attach.ts';
import type { TunHolder } from './holder.ts';

/** Longest header that TUNSETVNETHDRSZ may ask for: more of it says nothing. */
export const MOST_HEADER = 256;

/** struct ifreq, and integers. */
const request = new Uint8Array(SIZEOF_IFREQ);
const view = new DataView(request.buffer);

function readRequest(ctx: VfsContext, arg: number): boolean {
  return ctx.mem.copyInExact(arg, request, 0, SIZEOF_IFREQ) === 0;
}

function writeRequest(ctx: VfsContext, arg: number): number {
  return ctx.mem.copyOutExact(arg, request, 0, SIZEOF_IFREQ) === 0 ? 0 : -EFAULT;
}

function putName(name: string): void {
  request.fill(0, 0, IFNAMSIZ);
  for (let i = 0; i < name.length; i++) request[i] = name.charCodeAt(i);
}

function readInt(ctx: VfsContext, arg: number): number | null {
  return ctx.mem.copyInExact(arg, request, 0, 4) === 0 ? view.getInt32(0, true) : null;
}

function writeInt(ctx: VfsContext, arg: number, value: number): number {
  view.setInt32(0, value, true);
  return ctx.mem.copyOutExact(arg, request, 0, 4) === 0 ? 0 : -EFAULT;
}

/** Those that need no interface yet. */
export function tunIoctl(ctx: VfsContext, file: TunHolder, cmd: number, arg: number): number {
  switch (cmd) {
    case TUNGETFEATURES:
      return writeInt(ctx, arg, IFF_TUN | IFF_TAP | IFF_NO_CARRIER | FEATURES);
    case TUNSETQUEUE:
      return readRequest(ctx, arg) ? setQueue(file, view.getUint16(IFREQ_IFR_FLAGS, true)) : -EFAULT;
    case TUNSETIFF: {
      if (!readRequest(ctx, arg)) return -EFAULT;
      if (file.link !== null) return -EEXIST;
      let n = 0;
      while (n < IFNAMSIZ - 1 && request[n] !== 0) n++;
      const link = attach(ctx, file, bytesToString(request, 0, n), view.getUint16(IFREQ_IFR_FLAGS, true));
      if (typeof link === 'number') return link;
      putName(link.name);
      return writeRequest(ctx, arg);
    }
    case TUNSETIFINDEX: {
      if (file.link !== null) return -EPERM;
      const index = readInt(ctx, arg);
      if (index === null) return -EFAULT;
      if (index < 0) return -EINVAL;
      file.wantedIndex = index;
      return 0;
    }
  }
  const { link, device } = file;
  if (link === null || device === null) return -EBADFD;
  return linkIoctl(ctx, file, link, device, cmd, arg);
}

/** TUNSETQUEUE: -EINVAL for what is as it is asked for already. */
function setQueue(file: TunHolder, flags: number): number {
  const { device, queue_: queue } = file;
  if (device === null || queue === null) return -EINVAL;
  if ((flags & IFF_ATTACH_QUEUE) !== 0) {
    if (!queue.detached) return -EINVAL;
    queue.detached = false;
    return 0;
  }
  if ((flags & IFF_DETACH_QUEUE) === 0) return -EINVAL;
  if ((device.mode & IFF_MULTI_QUEUE) === 0 || queue.detached) return -EINVAL;
  queue.detached = true;
  file.drain();
  return 0;
}

/** TUNSETOFFLOAD: what the program takes. -EINVAL for what is unknown, or segments without checksums. */
function setOffload(device: TunDevice, asked: number): number {
  let left = asked;
  const sums = (left & TUN_F_CSUM) !== 0;
  const large = sums && (left & TUN_F_TSO4) !== 0 && (left & TUN_F_TSO6) !== 0;
  if (sums) {
    left &= ~TUN_F_CSUM;
    if ((left & (TUN_F_TSO4 | TUN_F_TSO6)) !== 0) left &= ~(TUN_F_TSO_ECN | TUN_F_TSO4 | TUN_F_TSO6);
    left &= ~TUN_F_UFO;
  }
  if (left !== 0) return -EINVAL;
  // Without a header to say so, packets must be finished.
  const says = (device.mode & IFF_VNET_HDR) !== 0;
  device.offload(says && sums, says && large);
  return 0;
}

function linkIoctl(
  ctx: VfsContext,
  file: TunHolder,
  link: Link,
  device: TunDevice,
  cmd: number,
  arg: number,
): number {
  switch (cmd) {
    case TUNGETIFF: {
      const detached = file.queue_?.detached === true ? IFF_DETACH_QUEUE : 0;
      request.fill(0);
      putName(link.name);
      view.setUint16(IFREQ_IFR_FLAGS, shownFlags(device) | IFF_NOFILTER | detached, true);
      return writeRequest(ctx, arg);
    }
    case TUNSETNOCSUM:
      // Kept by Linux for old programs, without an effect.
      return 0;
    case TUNSETPERSIST:
      device.persists = arg !== 0;
      told(link);
      return 0;
    case TUNSETOWNER:
      device.owner = arg | 0;
      told(link);
      return 0;
    case TUNSETGROUP:
      device.group = arg | 0;
      told(link);
      return 0;
    case TUNSETLINK:
      if (link.isUp) return -EBUSY;
      countUnsupported('TUNSETLINK');
      return -EINVAL;
    case TUNSETOFFLOAD:
      return setOffload(device, arg);
    case SIOCGIFHWADDR:
      request.fill(0);
      putName(link.name);
      view.setUint16(IFREQ_IFR_ADDR, link.hardware, true);
      request.set(link.address, IFREQ_IFR_ADDR + 2);
      return writeRequest(ctx, arg);
    case SIOCSIFHWADDR: {
      if (!readRequest(ctx, arg)) return -EFAULT;
      const mac = request.slice(IFREQ_IFR_ADDR + 2, IFREQ_IFR_ADDR + 8);
      if (!link.isEthernet || view.getUint16(IFREQ_IFR_ADDR, true) !== link.hardware) return -EINVAL;
      if (!isUnicastMac(mac)) return -EINVAL;
      link.address = mac;
      told(link);
      return 0;
    }
    case TUNGETSNDBUF:
      return writeInt(ctx, arg, file.sndbuf);
    case TUNSETSNDBUF:
    case TUNSETVNETHDRSZ:
    case TUNSETVNETLE:
    case TUNSETCARRIER: {
      const value = readInt(ctx, arg);
      return value === null ? -EFAULT : setNumber(file, link, device, cmd, value);
    }
    case TUNGETVNETHDRSZ:
      return writeInt(ctx, arg, device.headerSize);
    case TUNGETVNETLE:
      return writeInt(ctx, arg, file.littleEndian);
  }
  countUnsupported(`ioctl 0x${(cmd >>> 0).toString(16)} of /dev/net/tun`);
  return -EINVAL;
}

function setNumber(file: TunHolder, link: Link, device: TunDevice, cmd: number, value: number): number {
  switch (cmd) {
    case TUNSETSNDBUF:
      if (value <= 0) return -EINVAL;
      file.sndbuf = value;
      return 0;
    case TUNSETVNETHDRSZ:
      if (value < VNET_HEADER || value > MOST_HEADER) return -EINVAL;
      device.headerSize = value;
      return 0;
    case TUNSETVNETLE:
      file.littleEndian = value === 0 ? 0 : 1;
      return 0;
  }
  link.carrierTo(value !== 0);
  return 0;
}
