// ioctls about interfaces, on sockets of any family: netdevice(7).

import {
  EADDRNOTAVAIL,
  EFAULT,
  EINVAL,
  ENODEV,
  ENOENT,
  ENOTTY,
  EOPNOTSUPP,
  EPERM,
} from '../../../abi/errno.ts';
import {
  SIOCDEVPRIVATE,
  SIOCETHTOOL,
  SIOCGIFADDR,
  SIOCGIFBRDADDR,
  SIOCGIFCONF,
  SIOCGIFDSTADDR,
  SIOCGIFFLAGS,
  SIOCGIFHWADDR,
  SIOCGIFINDEX,
  SIOCGIFMAP,
  SIOCGIFMETRIC,
  SIOCGIFMTU,
  SIOCGIFNAME,
  SIOCGIFNETMASK,
  SIOCGIFTXQLEN,
  SIOCGSTAMP,
  SIOCGSTAMPNS,
  SIOCSIFADDR,
  SIOCSIFBRDADDR,
  SIOCSIFDSTADDR,
  SIOCSIFFLAGS,
  SIOCSIFHWADDR,
  SIOCSIFMETRIC,
  SIOCSIFMTU,
  SIOCSIFNAME,
  SIOCSIFNETMASK,
  SIOCSIFTXQLEN,
} from '../../../abi/ioctl.ts';
import {
  IFCONF_IFC_BUF,
  IFF_UP,
  IFNAMSIZ,
  IFREQ_IFR_ADDR,
  IFREQ_IFR_FLAGS,
  SIZEOF_IFCONF,
  SIZEOF_IFREQ,
} from '../../../abi/net/if.ts';
import { AF_INET } from '../../../abi/net/socket.ts';
import { CAP_NET_ADMIN } from '../../../abi/process/capability.ts';
import { getU64 } from '../../../abi/u64.ts';
import { type IpAddress, ipv4 } from '../../../net/address.ts';
import { bytesToString } from '../../base/bytes.ts';
import { countUnsupported } from '../../base/log.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { AddressView, Links, LinkView } from './links.ts';

const request = new Uint8Array(SIZEOF_IFREQ);
const view = new DataView(request.buffer);
const LAST_PRIVATE = SIOCDEVPRIVATE + 15;

function putName(name: string): void {
  request.fill(0, 0, IFNAMSIZ);
  for (let i = 0; i < name.length; i++) request[i] = name.charCodeAt(i);
}

/** Interface ioctls come to every socket; is `cmd` about IPv4 addresses, which AF_INET sockets alone answer? */
function isAddressCall(cmd: number): boolean {
  switch (cmd) {
    case SIOCGIFADDR:
    case SIOCGIFBRDADDR:
    case SIOCGIFNETMASK:
    case SIOCGIFDSTADDR:
    case SIOCSIFADDR:
    case SIOCSIFBRDADDR:
    case SIOCSIFNETMASK:
    case SIOCSIFDSTADDR:
      return true;
  }
  return false;
}

/** An ioctl of netdevice(7) by a socket of `family`: 0, -ENOTTY for others, -ENODEV, -EADDRNOTAVAIL, -EPERM, -EFAULT. */
export function interfaceIoctl(
  ctx: VfsContext,
  links: Links,
  family: number,
  cmd: number,
  arg: number,
): number {
  if (cmd === SIOCGIFCONF) return listInterfaces(ctx, links, arg);
  if (cmd === SIOCGSTAMP || cmd === SIOCGSTAMPNS) return -ENOENT;
  if (cmd === SIOCETHTOOL || (cmd >= SIOCDEVPRIVATE && cmd <= LAST_PRIVATE)) {
    // The latter are the driver's own, such as SIOCADDTUNNEL of gre0.
    if (ctx.mem.copyInExact(arg, request, 0, SIZEOF_IFREQ) !== 0) return -EFAULT;
    const end = request.subarray(0, IFNAMSIZ).indexOf(0);
    if (links.linkByName(bytesToString(request, 0, end < 0 ? IFNAMSIZ - 1 : end)) === null) return -ENODEV;
    // As of an interface whose driver has nothing to tell.
    countUnsupported(cmd === SIOCETHTOOL ? 'SIOCETHTOOL' : `ioctl 0x${cmd.toString(16)}`);
    return -EOPNOTSUPP;
  }
  if (cmd < SIOCGIFNAME || cmd > SIOCGIFMAP) return -ENOTTY;
  if (isAddressCall(cmd) && family !== AF_INET) return -ENOTTY;
  if (ctx.mem.copyInExact(arg, request, 0, SIZEOF_IFREQ) !== 0) return -EFAULT;
  if (cmd === SIOCGIFNAME) {
    const link = links.linkByIndex(view.getInt32(IFREQ_IFR_ADDR, true));
    if (link === null) return -ENODEV;
    putName(link.name);
    return ctx.mem.copyOutExact(arg, request, 0, SIZEOF_IFREQ);
  }
  let n = 0;
  // An alias (eth0:1) is part of its interface.
  while (n < IFNAMSIZ - 1 && request[n] !== 0 && request[n] !== 0x3a) n++;
  const link = links.linkByName(bytesToString(request, 0, n));
  const r = isSet(cmd) ? set(ctx, links, link, cmd) : get(link, cmd);
  if (r < 0 || isSet(cmd)) return r;
  return ctx.mem.copyOutExact(arg, request, 0, SIZEOF_IFREQ);
}

function isSet(cmd: number): boolean {
  switch (cmd) {
    case SIOCSIFFLAGS:
    case SIOCSIFADDR:
    case SIOCSIFDSTADDR:
    case SIOCSIFBRDADDR:
    case SIOCSIFNETMASK:
    case SIOCSIFMETRIC:
    case SIOCSIFMTU:
    case SIOCSIFNAME:
    case SIOCSIFHWADDR:
    case SIOCSIFTXQLEN:
      return true;
  }
  return false;
}

function firstV4(link: LinkView): AddressView | null {
  return link.addresses.find((a) => a.address.isV4) ?? null;
}

function putAddress(a: IpAddress | number): void {
  request.fill(0, IFREQ_IFR_ADDR, IFREQ_IFR_ADDR + 16);
  view.setUint16(IFREQ_IFR_ADDR, AF_INET, true);
  view.setUint32(IFREQ_IFR_ADDR + 4, typeof a === 'number' ? a : a.w3);
}

/** The netmask of a prefix. */
function mask(bits: number): number {
  return bits === 0 ? 0 : (-1 << (32 - bits)) >>> 0;
}

function get(link: LinkView | null, cmd: number): number {
  switch (cmd) {
    case SIOCGIFADDR:
    case SIOCGIFDSTADDR:
    case SIOCGIFBRDADDR:
    case SIOCGIFNETMASK: {
      if (link === null) return -ENODEV;
      const a = firstV4(link);
      if (a === null) return -EADDRNOTAVAIL;
      if (cmd === SIOCGIFNETMASK) putAddress(mask(a.bits));
      else if (cmd === SIOCGIFBRDADDR) putAddress(a.broadcast ?? 0);
      else putAddress(a.address);
      return 0;
    }
    case SIOCGIFFLAGS:
      if (link === null) return -ENODEV;
      view.setInt16(IFREQ_IFR_FLAGS, link.flags & 0xffff, true);
      return 0;
    case SIOCGIFINDEX:
      if (link === null) return -ENODEV;
      view.setInt32(IFREQ_IFR_ADDR, link.ifindex, true);
      return 0;
    case SIOCGIFMTU:
      if (link === null) return -ENODEV;
      view.setInt32(IFREQ_IFR_ADDR, link.mtu, true);
      return 0;
    case SIOCGIFMETRIC:
      if (link === null) return -ENODEV;
      view.setInt32(IFREQ_IFR_ADDR, 0, true);
      return 0;
    case SIOCGIFTXQLEN:
      if (link === null) return -ENODEV;
      view.setInt32(IFREQ_IFR_ADDR, link.queueLength, true);
      return 0;
    case SIOCGIFHWADDR:
      if (link === null) return -ENODEV;
      request.fill(0, IFREQ_IFR_ADDR, IFREQ_IFR_ADDR + 16);
      view.setUint16(IFREQ_IFR_ADDR, link.hardwareType, true);
      request.set(link.hardwareAddress.subarray(0, 14), IFREQ_IFR_ADDR + 2);
      return 0;
    case SIOCGIFMAP:
      if (link === null) return -ENODEV;
      request.fill(0, IFREQ_IFR_ADDR, SIZEOF_IFREQ);
      return 0;
  }
  return -ENOTTY;
}

function set(ctx: VfsContext, links: Links, link: LinkView | null, cmd: number): number {
  if (!ctx.cred.capable(CAP_NET_ADMIN)) return -EPERM;
  if (link === null) return -ENODEV;
  const value = view.getInt32(IFREQ_IFR_ADDR, true);
  switch (cmd) {
    case SIOCSIFFLAGS:
      return links.setUp(link.ifindex, (view.getInt16(IFREQ_IFR_FLAGS, true) & IFF_UP) !== 0);
    case SIOCSIFMTU:
      return links.setMtu(link.ifindex, value);
    case SIOCSIFTXQLEN:
      return value < 0 ? -EINVAL : links.setQueueLength(link.ifindex, value);
    case SIOCSIFADDR:
    case SIOCSIFNETMASK: {
      if (view.getUint16(IFREQ_IFR_ADDR, true) !== AF_INET) return -EINVAL;
      const word = view.getUint32(IFREQ_IFR_ADDR + 4);
      const first = firstV4(link);
      if (cmd === SIOCSIFADDR)
        return links.setAddress(link.ifindex, word === 0 ? null : ipv4(word), classBits(word));
      if (first === null) return -EADDRNOTAVAIL;
      const bits = Math.clz32(~word >>> 0);
      if (mask(bits) !== word) return -EINVAL;
      return links.setAddress(link.ifindex, first.address, bits);
    }
  }
  countUnsupported(`ioctl 0x${cmd.toString(16)}`);
  return -EINVAL;
}

/** inet_abc_len(): the prefix of an address that comes without one. */
function classBits(word: number): number {
  if (word >>> 31 === 0) return 8;
  if (word >>> 30 === 2) return 16;
  return word >>> 29 === 6 ? 24 : 32;
}

/** SIOCGIFCONF: as many interfaces with an IPv4 address as there is room for; without a buffer, the bytes that all take. */
function listInterfaces(ctx: VfsContext, links: Links, arg: number): number {
  const conf = new Uint8Array(SIZEOF_IFCONF);
  const confView = new DataView(conf.buffer);
  if (ctx.mem.copyInExact(arg, conf, 0, SIZEOF_IFCONF) !== 0) return -EFAULT;
  const buffer = getU64(confView, IFCONF_IFC_BUF);
  const room = confView.getInt32(0, true);
  let total = 0;
  for (const link of links.links)
    for (const a of link.addresses) {
      if (!a.address.isV4) continue;
      if (buffer !== 0) {
        if (total + SIZEOF_IFREQ > room) break;
        request.fill(0);
        putName(link.name);
        putAddress(a.address);
        if (ctx.mem.copyOutExact(buffer + total, request, 0, SIZEOF_IFREQ) !== 0) return -EFAULT;
      }
      total += SIZEOF_IFREQ;
    }
  confView.setInt32(0, total, true);
  return ctx.mem.copyOutExact(arg, conf, 0, 4);
}
