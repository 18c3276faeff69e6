// Options of udp(7), and a sink that leaves out what a peek has seen.

import { EINVAL, ENOPROTOOPT } from '../../../abi/errno.ts';
import { IPPROTO_UDP, IPPROTO_UDPLITE } from '../../../abi/net/in.ts';
import { SOL_UDPLITE } from '../../../abi/net/socket.ts';
import {
  UDP_CORK,
  UDP_GRO,
  UDP_NO_CHECK6_RX,
  UDP_NO_CHECK6_TX,
  UDP_SEGMENT,
  UDPLITE_RECV_CSCOV,
  UDPLITE_SEND_CSCOV,
} from '../../../abi/net/tcp.ts';
import type { ByteSink } from '../../../net/endpoint.ts';
import { UDP_SIZE } from '../../../net/wire/udp.ts';
import { countUnsupported } from '../../base/log.ts';
import { scratchView } from '../../base/scratch.ts';
import { putIntOption } from '../options.ts';
import { type IpOptionsOf, tellOption } from './ip_options.ts';
import { optionKey } from './ip_rows.ts';

/** Most of one segment: USHRT_MAX. */
const MOST_SEGMENT = 0xffff;

/** A level of options of UDP and UDP-Lite. */
export function isUdpLevel(level: number): boolean {
  return level === IPPROTO_UDP || level === SOL_UDPLITE;
}

/** setsockopt(2) with IPPROTO_UDP or SOL_UDPLITE, which mean the same to both protocols (udp_setsockopt()). */
export function setUdpOption(s: IpOptionsOf, name: number, len: number): number {
  if (len < 4) return -EINVAL;
  const value = scratchView.getInt32(0, true);
  switch (name) {
    case UDP_SEGMENT:
      if (value < 0 || value > MOST_SEGMENT) return -EINVAL;
      return tellOption(s, IPPROTO_UDP, name, value, value === 0);
    case UDP_CORK:
    case UDP_GRO:
    case UDP_NO_CHECK6_TX:
    case UDP_NO_CHECK6_RX:
      return tellOption(s, IPPROTO_UDP, name, value !== 0 ? 1 : 0, value === 0);
  }
  if (s.protocol === IPPROTO_UDPLITE && (name === UDPLITE_SEND_CSCOV || name === UDPLITE_RECV_CSCOV)) {
    // Whatever is covered, the header is (RFC 3828, section 3.1).
    const coverage = value === 0 ? 0 : Math.min(Math.max(value, UDP_SIZE), MOST_SEGMENT);
    return tellOption(s, SOL_UDPLITE, name, coverage, false);
  }
  countUnsupported(`setsockopt IPPROTO_UDP ${name}`);
  return -ENOPROTOOPT;
}

/** getsockopt(2) with IPPROTO_UDP. */
export function getUdpOption(s: IpOptionsOf, name: number, len: number): number {
  switch (name) {
    case UDPLITE_SEND_CSCOV:
    case UDPLITE_RECV_CSCOV:
      return putIntOption(s.set.get(optionKey(SOL_UDPLITE, name)) ?? 0, len);
    case UDP_SEGMENT:
    case UDP_CORK:
    case UDP_GRO:
    case UDP_NO_CHECK6_TX:
    case UDP_NO_CHECK6_RX:
      return putIntOption(s.set.get(optionKey(IPPROTO_UDP, name)) ?? 0, len);
  }
  countUnsupported(`getsockopt IPPROTO_UDP ${name}`);
  return -ENOPROTOOPT;
}

/** SO_PEEK_OFF: passes on what lies behind the first bytes of a datagram. */
export class SkippingSink implements ByteSink {
  private to: ByteSink | null = null;
  private skip = 0;

  aim(to: ByteSink, skip: number): this {
    this.to = to;
    this.skip = skip;
    return this;
  }

  get remaining(): number {
    return this.to!.remaining + this.skip;
  }

  put(src: Uint8Array, off: number, len: number): number {
    const left = Math.min(this.skip, len);
    this.skip -= left;
    if (left === len) return len;
    const n = this.to!.put(src, off + left, len - left);
    return n < 0 ? n : n + left;
  }
}
