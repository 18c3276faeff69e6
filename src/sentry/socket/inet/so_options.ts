// SOL_SOCKET options as Internet sockets have them beyond what all have: socket(7). Those that an endpoint must know are told on.

import { EINVAL, ENODEV, ENOPROTOOPT, EOPNOTSUPP, EPERM } from '../../../abi/errno.ts';
import {
  SOF_TIMESTAMPING_BIND_PHC,
  SOF_TIMESTAMPING_MASK,
  SOF_TIMESTAMPING_OPT_ID,
  SOF_TIMESTAMPING_OPT_STATS,
  SOF_TIMESTAMPING_OPT_TSONLY,
  SOF_TIMESTAMPING_TX_ACK,
  SOF_TIMESTAMPING_TX_RECORD_MASK,
} from '../../../abi/net/errqueue.ts';
import { IFNAMSIZ } from '../../../abi/net/if.ts';
import { IPPROTO_UDP } from '../../../abi/net/in.ts';
import {
  SO_BINDTODEVICE,
  SO_BINDTOIFINDEX,
  SO_BROADCAST,
  SO_BUSY_POLL,
  SO_COOKIE,
  SO_DONTROUTE,
  SO_INCOMING_CPU,
  SO_INCOMING_NAPI_ID,
  SO_KEEPALIVE,
  SO_MARK,
  SO_MAX_PACING_RATE,
  SO_NETNS_COOKIE,
  SO_NO_CHECK,
  SO_OOBINLINE,
  SO_PEEK_OFF,
  SO_PEERCRED,
  SO_PRIORITY,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_RCVLOWAT,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_RXQ_OVFL,
  SO_SELECT_ERR_QUEUE,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SO_TIMESTAMP_NEW,
  SO_TIMESTAMP_OLD,
  SO_TIMESTAMPING_NEW,
  SO_TIMESTAMPING_OLD,
  SO_TIMESTAMPNS_NEW,
  SO_TIMESTAMPNS_OLD,
  SO_ZEROCOPY,
  SOCK_RAW,
  SOCK_STREAM,
  SOL_SOCKET,
} from '../../../abi/net/socket.ts';
import { CAP_NET_ADMIN, CAP_NET_RAW } from '../../../abi/process/capability.ts';
import { getU64, putU64 } from '../../../abi/u64.ts';
import { bytesToString } from '../../base/bytes.ts';
import { countUnsupported } from '../../base/log.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import type { VfsContext } from '../../vfs/context.ts';
import {
  getSocketOption,
  type OptionsOf,
  putIntOption,
  type SocketOptions,
  setSocketOption,
} from '../options.ts';
import { type IpOptionsOf, tellOption } from './ip_options.ts';
import type { Notices } from './notices.ts';
import { wantsStamps } from './stamps.ts';

/** What these options need of a socket. */
export interface SoOptionsOf extends OptionsOf, IpOptionsOf {
  readonly options: SocketOptions;
  readonly type: number;
  readonly protocol: number;
  boundDevice: number;
  peekOff: number;
  stamp: number;
  stampFlags: number;
  stampType: number;
  zerocopy: boolean;
  readonly notices: Notices | null;
  bindToDevice(index: number): number;
}

/** What of an option that was set an endpoint hears; -1 for those that are the socket's alone. */
function toldValue(o: SocketOptions, name: number): number {
  switch (name) {
    case SO_REUSEADDR:
    case SO_REUSEPORT:
    case SO_BROADCAST:
    case SO_KEEPALIVE:
    case SO_OOBINLINE:
    case SO_DONTROUTE:
      return (o.bits >>> name) & 1;
    case SO_SNDBUF:
    case SO_SNDBUFFORCE:
      return o.sndbuf;
    case SO_RCVBUF:
    case SO_RCVBUFFORCE:
      return o.rcvbuf;
    case SO_RCVLOWAT:
      return o.rcvlowat;
    case SO_PRIORITY:
      return o.priority;
    case SO_MARK:
      return o.mark;
  }
  return -1;
}

function isBuffer(name: number): boolean {
  return name === SO_SNDBUF || name === SO_RCVBUF || name === SO_SNDBUFFORCE || name === SO_RCVBUFFORCE;
}

/** SOL_SOCKET of setsockopt(2) for Internet sockets. */
export function setInetSocketOption(ctx: VfsContext, s: SoOptionsOf, name: number, len: number): number {
  if (name === SO_BINDTODEVICE) return setDevice(ctx, s, len);
  const value = len >= 4 ? scratchView.getInt32(0, true) : 0;
  switch (name) {
    case SO_BINDTOIFINDEX:
      if (len < 4) return -EINVAL;
      if (value < 0) return -EINVAL;
      return mayRebind(ctx, s) ? rebind(s, value) : -EPERM;
    case SO_TIMESTAMP_OLD:
    case SO_TIMESTAMP_NEW:
    case SO_TIMESTAMPNS_OLD:
    case SO_TIMESTAMPNS_NEW:
      if (len < 4) return -EINVAL;
      s.stamp = value !== 0 ? name : 0;
      s.endpoint.stamping = wantsStamps(s);
      return 0;
    case SO_TIMESTAMPING_OLD:
    case SO_TIMESTAMPING_NEW:
      return setStamping(s, name, value, len);
    case SO_ZEROCOPY:
      if (len < 4) return -EINVAL;
      if (s.type !== SOCK_STREAM && s.protocol !== IPPROTO_UDP) return -EOPNOTSUPP;
      if (value !== 0 && value !== 1) return -EINVAL;
      s.zerocopy = value === 1;
      return 0;
    case SO_PEEK_OFF:
      if (len < 4) return -EINVAL;
      if (s.type === SOCK_RAW) return -EOPNOTSUPP;
      s.peekOff = value < 0 ? -1 : value;
      return 0;
    case SO_NO_CHECK:
    case SO_RXQ_OVFL:
    case SO_SELECT_ERR_QUEUE:
    case SO_INCOMING_CPU:
      if (len < 4) return -EINVAL;
      s.set.set(SOL_SOCKET * 256 + name, value);
      return 0;
    case SO_BUSY_POLL:
      if (len < 4 || value < 0) return -EINVAL;
      if (value > (s.set.get(SOL_SOCKET * 256 + name) ?? 0) && !ctx.cred.capable(CAP_NET_ADMIN))
        return -EPERM;
      s.set.set(SOL_SOCKET * 256 + name, value);
      return 0;
    case SO_MAX_PACING_RATE:
      if (len < 4) return -EINVAL;
      return setPacing(s, len);
  }
  const r = setSocketOption(ctx, s, name, len);
  if (r < 0) return r;
  const told = toldValue(s.options, name);
  if (told < 0) return 0;
  if (s.type === SOCK_STREAM && isBuffer(name)) return tellOption(s, SOL_SOCKET, name, value, false);
  const as = name === SO_SNDBUFFORCE ? SO_SNDBUF : name === SO_RCVBUFFORCE ? SO_RCVBUF : name;
  return tellOption(s, SOL_SOCKET, as, told, true);
}

/** SO_MAX_PACING_RATE: bytes per second, of 32 bits or 64, all ones for none; only streams are paced, as without the fq qdisc on Linux. */
function setPacing(s: SoOptionsOf, len: number): number {
  const low = scratchView.getUint32(0, true);
  const rate = len >= 8 ? getU64(scratchView, 0) : low;
  const none = low === 0xffffffff && (len < 8 || scratchView.getUint32(4, true) === 0xffffffff);
  return tellOption(s, SOL_SOCKET, SO_MAX_PACING_RATE, none ? 0 : rate, s.type !== SOCK_STREAM);
}

/** Those that do not fit in 32 bits show as the most; 0 is none here. */
function putPacing(rate: number, len: number): number {
  if (len < 8) return putIntOption(rate === 0 ? -1 : Math.min(rate, 0xffffffff) | 0, len);
  if (rate === 0) scratch.fill(0xff, 0, 8);
  else putU64(scratchView, 0, rate);
  return 8;
}

/** What needs a NIC that keeps time, or tells more of a packet than that it went. */
const NO_STAMPS =
  SOF_TIMESTAMPING_OPT_STATS | SOF_TIMESTAMPING_BIND_PHC | SOF_TIMESTAMPING_TX_ACK | ~SOF_TIMESTAMPING_MASK;

/** SO_TIMESTAMPING: sock_set_timestamping(). Of a stream's sends, and with the packet itself, it is not there. */
function setStamping(s: SoOptionsOf, name: number, flags: number, len: number): number {
  if (len < 4 || (flags & NO_STAMPS) !== 0) return -EINVAL;
  const sends = (flags & SOF_TIMESTAMPING_TX_RECORD_MASK) !== 0;
  if (sends && (s.type === SOCK_STREAM || (flags & SOF_TIMESTAMPING_OPT_TSONLY) === 0)) {
    countUnsupported(`SO_TIMESTAMPING ${flags}`);
    return -ENOPROTOOPT;
  }
  if ((flags & SOF_TIMESTAMPING_OPT_ID) !== 0 && (s.stampFlags & SOF_TIMESTAMPING_OPT_ID) === 0)
    s.notices?.restartIds();
  s.stampFlags = flags;
  s.stampType = name;
  s.endpoint.stamping = wantsStamps(s);
  return 0;
}

/** SOL_SOCKET of getsockopt(2) for Internet sockets. */
export function getInetSocketOption(ctx: VfsContext, s: SoOptionsOf, name: number, len: number): number {
  switch (name) {
    case SO_BINDTODEVICE: {
      const link = s.boundDevice === 0 ? null : s.ns.linkByIndex(s.boundDevice);
      if (link === null) return 0;
      if (len < IFNAMSIZ) return -EINVAL;
      for (let i = 0; i < link.name.length; i++) scratch[i] = link.name.charCodeAt(i);
      scratch[link.name.length] = 0;
      return link.name.length + 1;
    }
    case SO_BINDTOIFINDEX:
      return putIntOption(s.boundDevice, len);
    case SO_TIMESTAMP_OLD:
    case SO_TIMESTAMP_NEW:
    case SO_TIMESTAMPNS_OLD:
    case SO_TIMESTAMPNS_NEW:
      return putIntOption(s.stamp === name ? 1 : 0, len);
    case SO_TIMESTAMPING_OLD:
    case SO_TIMESTAMPING_NEW:
      // struct so_timestamping: no clock of hardware is bound.
      scratchView.setInt32(0, s.stampType === name ? s.stampFlags : 0, true);
      scratchView.setInt32(4, 0, true);
      return Math.min(8, len);
    case SO_ZEROCOPY:
      return putIntOption(s.zerocopy ? 1 : 0, len);
    case SO_INCOMING_NAPI_ID:
      return putIntOption(0, len);
    case SO_PEEK_OFF:
      return s.type === SOCK_RAW ? -EOPNOTSUPP : putIntOption(s.peekOff, len);
    case SO_INCOMING_CPU:
      return putIntOption(s.set.get(SOL_SOCKET * 256 + name) ?? -1, len);
    case SO_NO_CHECK:
    case SO_RXQ_OVFL:
    case SO_SELECT_ERR_QUEUE:
    case SO_BUSY_POLL:
      return putIntOption(s.set.get(SOL_SOCKET * 256 + name) ?? 0, len);
    case SO_MAX_PACING_RATE:
      return putPacing(s.set.get(SOL_SOCKET * 256 + name) ?? 0, len);
    case SO_COOKIE:
      if (len < 8) return -EINVAL;
      putU64(scratchView, 0, s.cookie);
      return 8;
    case SO_NETNS_COOKIE:
      if (len !== 8) return -EINVAL;
      putU64(scratchView, 0, s.ns.cookie);
      return 8;
    case SO_PEERCRED:
      scratchView.setInt32(0, 0, true);
      scratchView.setInt32(4, -1, true);
      scratchView.setInt32(8, -1, true);
      return Math.min(12, len);
    case SO_SNDBUF:
    case SO_RCVBUF:
      // The protocol tunes the buffers of a stream as long as nobody has set them.
      if (s.type === SOCK_STREAM && s.endpoint.getOption(SOL_SOCKET, name) === 0)
        return putIntOption(s.endpoint.optionValue, len);
      break;
  }
  return getSocketOption(ctx, s, name, len);
}

/** sock_bindtoindex(): another device than the one that it is bound to takes a privilege. */
function mayRebind(ctx: VfsContext, s: SoOptionsOf): boolean {
  return s.boundDevice === 0 || ctx.cred.capable(CAP_NET_RAW);
}

function rebind(s: SoOptionsOf, index: number): number {
  s.boundDevice = 0;
  return s.bindToDevice(index);
}

/** SO_BINDTODEVICE: a name, none for any device. */
function setDevice(ctx: VfsContext, s: SoOptionsOf, len: number): number {
  let n = 0;
  while (n < Math.min(len, IFNAMSIZ - 1) && scratch[n] !== 0) n++;
  const name = bytesToString(scratch, 0, n);
  const link = name === '' ? null : s.ns.linkByName(name);
  if (name !== '' && link === null) return -ENODEV;
  if (!mayRebind(ctx, s)) return -EPERM;
  return rebind(s, link === null ? 0 : link.ifindex);
}
