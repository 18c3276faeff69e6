// SOL_SOCKET options that every family has: socket(7). Values go through the scratch buffer.

import { EDOM, EINVAL, ENOPROTOOPT, EOPNOTSUPP, EPERM } from '../../abi/errno.ts';
import {
  SO_ACCEPTCONN,
  SO_ATTACH_BPF,
  SO_ATTACH_FILTER,
  SO_BROADCAST,
  SO_DEBUG,
  SO_DETACH_FILTER,
  SO_DOMAIN,
  SO_DONTROUTE,
  SO_ERROR,
  SO_KEEPALIVE,
  SO_LINGER,
  SO_LOCK_FILTER,
  SO_MARK,
  SO_MEMINFO,
  SO_OOBINLINE,
  SO_PEERSEC,
  SO_PRIORITY,
  SO_PROTOCOL,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_RCVLOWAT,
  SO_RCVTIMEO_NEW,
  SO_RCVTIMEO_OLD,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SO_SNDLOWAT,
  SO_SNDTIMEO_NEW,
  SO_SNDTIMEO_OLD,
  SO_TIMESTAMP_OLD,
  SO_TIMESTAMPNS_OLD,
  SO_TYPE,
  SO_ZEROCOPY,
} from '../../abi/net/socket.ts';
import { CAP_NET_ADMIN } from '../../abi/process/capability.ts';
import { getI64, putU64 } from '../../abi/u64.ts';
import { countUnsupported } from '../base/log.ts';
import { scratch, scratchView } from '../base/scratch.ts';
import type { VfsContext } from '../vfs/context.ts';
import { attachBpf, attachFilter, detachFilter, type Filtered, lockFilter } from './filter.ts';

/** /proc/sys/net/core: wmem_default and rmem_default; wmem_max and rmem_max. Options show twice what was set. */
export const DEFAULT_BUFFER = 212992;
export const MAX_BUFFER = 212992;
/** SOCK_MIN_SNDBUF and SOCK_MIN_RCVBUF. */
const MIN_SNDBUF = 4608;
const MIN_RCVBUF = 2304;
/** SO_SNDBUFFORCE and SO_RCVBUFFORCE: a bound of ours, so that one message cannot exhaust the kernel's memory. */
const MAX_FORCED = 64 * 1024 * 1024;

/** SK_MEMINFO_VARS words. */
const MEMINFO_BYTES = 36;
const NS_PER_SEC = 1e9;
const USEC_PER_SEC = 1e6;

export class SocketOptions {
  /** Bytes, as getsockopt(2) shows them. */
  sndbuf = DEFAULT_BUFFER;
  rcvbuf = DEFAULT_BUFFER;
  rcvlowat = 1;
  /** ns; Infinity waits for ever. */
  sndTimeoutNs = Number.POSITIVE_INFINITY;
  rcvTimeoutNs = Number.POSITIVE_INFINITY;
  lingerOn = 0;
  lingerSec = 0;
  priority = 0;
  mark = 0;
  /** Options that are only on or off: bit n for SO_* number n, n < 31. */
  bits = 0;
}

/** Options kept in SocketOptions.bits. */
function isSwitch(name: number): boolean {
  switch (name) {
    case SO_DEBUG:
    case SO_REUSEADDR:
    case SO_DONTROUTE:
    case SO_BROADCAST:
    case SO_KEEPALIVE:
    case SO_OOBINLINE:
    case SO_REUSEPORT:
      return true;
  }
  return false;
}

/** What options tell of a socket beyond what was set. */
export interface OptionsOf extends Filtered {
  readonly options: SocketOptions;
  readonly type: number;
  readonly family: number;
  readonly protocol: number;
  readonly listening: boolean;
  /** Bytes that wait to be received, and that were sent and nobody has: SO_MEMINFO. */
  readonly heldToReceive: number;
  readonly heldToSend: number;
  /** The pending error, which is gone then. */
  takeError(): number;
}

/** Puts an int into scratch; the length that the caller sees. */
export function putIntOption(value: number, len: number): number {
  scratchView.setInt32(0, value, true);
  return Math.min(4, len);
}

/** SOL_SOCKET part of getsockopt(2): length of the value in scratch, or -ENOPROTOOPT. */
export function getSocketOption(_ctx: VfsContext, s: OptionsOf, name: number, len: number): number {
  const o = s.options;
  if (isSwitch(name)) return putIntOption((o.bits >>> name) & 1, len);
  switch (name) {
    case SO_TYPE:
      return putIntOption(s.type, len);
    case SO_DOMAIN:
      return putIntOption(s.family, len);
    case SO_PROTOCOL:
      return putIntOption(s.protocol, len);
    case SO_ERROR:
      return putIntOption(s.takeError(), len);
    case SO_ACCEPTCONN:
      return putIntOption(s.listening ? 1 : 0, len);
    case SO_SNDBUF:
      return putIntOption(o.sndbuf, len);
    case SO_RCVBUF:
      return putIntOption(o.rcvbuf, len);
    case SO_RCVLOWAT:
      return putIntOption(o.rcvlowat, len);
    case SO_SNDLOWAT:
      return putIntOption(1, len);
    case SO_PRIORITY:
      return putIntOption(o.priority, len);
    case SO_MARK:
      return putIntOption(o.mark, len);
    case SO_LOCK_FILTER:
      return putIntOption(s.filterLocked ? 1 : 0, len);
    case SO_ZEROCOPY:
      return putIntOption(0, len);
    case SO_MEMINFO:
      return putMeminfo(s, len);
    case SO_PEERSEC:
      // No security module labels sockets.
      return -ENOPROTOOPT;
    case SO_TIMESTAMP_OLD:
    case SO_TIMESTAMPNS_OLD:
      return putIntOption(0, len);
    case SO_LINGER:
      scratchView.setInt32(0, o.lingerOn, true);
      scratchView.setInt32(4, o.lingerSec, true);
      return Math.min(8, len);
    case SO_RCVTIMEO_OLD:
    case SO_RCVTIMEO_NEW:
      return putTimeout(o.rcvTimeoutNs, len);
    case SO_SNDTIMEO_OLD:
    case SO_SNDTIMEO_NEW:
      return putTimeout(o.sndTimeoutNs, len);
  }
  countUnsupported(`getsockopt SOL_SOCKET ${name}`);
  return -ENOPROTOOPT;
}

/** struct of SK_MEMINFO_*: what waits, what is unsent, their bounds. */
function putMeminfo(s: OptionsOf, len: number): number {
  scratch.fill(0, 0, MEMINFO_BYTES);
  scratchView.setUint32(0, s.heldToReceive, true);
  scratchView.setUint32(4, s.options.rcvbuf, true);
  scratchView.setUint32(8, s.heldToSend, true);
  scratchView.setUint32(12, s.options.sndbuf, true);
  scratchView.setUint32(20, s.heldToSend, true);
  return Math.min(MEMINFO_BYTES, len);
}

function putTimeout(ns: number, len: number): number {
  const finite = ns !== Number.POSITIVE_INFINITY;
  putU64(scratchView, 0, finite ? Math.floor(ns / NS_PER_SEC) : 0);
  putU64(scratchView, 8, finite ? Math.floor((ns % NS_PER_SEC) / 1000) : 0);
  return Math.min(16, len);
}

/** SOL_SOCKET part of setsockopt(2): 0, -EINVAL, -EPERM, -EDOM, -ENOPROTOOPT. */
export function setSocketOption(ctx: VfsContext, s: OptionsOf, name: number, len: number): number {
  const o = s.options;
  switch (name) {
    case SO_ATTACH_FILTER:
      return attachFilter(ctx, s, len);
    case SO_ATTACH_BPF:
      return attachBpf(s, len);
    case SO_RCVTIMEO_OLD:
    case SO_RCVTIMEO_NEW:
    case SO_SNDTIMEO_OLD:
    case SO_SNDTIMEO_NEW: {
      const ns = timeoutOption(len);
      if (ns < 0) return ns;
      if (name === SO_RCVTIMEO_OLD || name === SO_RCVTIMEO_NEW) o.rcvTimeoutNs = ns;
      else o.sndTimeoutNs = ns;
      return 0;
    }
  }
  if (len < 4) return -EINVAL;
  const value = scratchView.getInt32(0, true);
  if (isSwitch(name)) {
    if (name === SO_DEBUG && value !== 0 && !ctx.cred.capable(CAP_NET_ADMIN)) return -EPERM;
    o.bits = value !== 0 ? o.bits | (1 << name) : o.bits & ~(1 << name);
    return 0;
  }
  switch (name) {
    case SO_DETACH_FILTER:
      return detachFilter(s);
    case SO_LOCK_FILTER:
      return lockFilter(s, value !== 0);
    case SO_ZEROCOPY:
      // Families that have it look at it before this.
      return -EOPNOTSUPP;
    case SO_SNDBUF:
      o.sndbuf = bufferSize(value, MAX_BUFFER, MIN_SNDBUF);
      return 0;
    case SO_RCVBUF:
      o.rcvbuf = bufferSize(value, MAX_BUFFER, MIN_RCVBUF);
      return 0;
    case SO_SNDBUFFORCE:
    case SO_RCVBUFFORCE:
      if (!ctx.cred.capable(CAP_NET_ADMIN)) return -EPERM;
      if (name === SO_SNDBUFFORCE) o.sndbuf = bufferSize(value, MAX_FORCED, MIN_SNDBUF);
      else o.rcvbuf = bufferSize(value, MAX_FORCED, MIN_RCVBUF);
      return 0;
    case SO_RCVLOWAT:
      o.rcvlowat = value < 0 ? 0x7fffffff : Math.max(1, value);
      return 0;
    case SO_PRIORITY:
      if ((value < 0 || value > 6) && !ctx.cred.capable(CAP_NET_ADMIN)) return -EPERM;
      o.priority = value;
      return 0;
    case SO_MARK:
      if (!ctx.cred.capable(CAP_NET_ADMIN)) return -EPERM;
      o.mark = value;
      return 0;
    case SO_LINGER:
      if (len < 8) return -EINVAL;
      o.lingerOn = value !== 0 ? 1 : 0;
      if (o.lingerOn !== 0) o.lingerSec = scratchView.getInt32(4, true);
      return 0;
  }
  countUnsupported(`setsockopt SOL_SOCKET ${name}`);
  return -ENOPROTOOPT;
}

/** Linux keeps twice what is asked for, to pay for its own overhead, and getsockopt shows that. */
function bufferSize(asked: number, max: number, min: number): number {
  // A negative size is taken as a huge one, for it is compared as unsigned.
  const wanted = asked < 0 ? max : Math.min(asked, max);
  return Math.max(wanted * 2, min);
}

/** The struct timeval in scratch as ns: Infinity for zero; -EINVAL, -EDOM. A negative time does not wait at all. */
function timeoutOption(len: number): number {
  if (len < 16) return -EINVAL;
  const sec = getI64(scratchView, 0);
  const usec = getI64(scratchView, 8);
  if (usec < 0 || usec >= USEC_PER_SEC) return -EDOM;
  if (sec < 0) return 0;
  const ns = sec * NS_PER_SEC + usec * 1000;
  return ns === 0 ? Number.POSITIVE_INFINITY : ns;
}
