// REJECT: the error, or the reset, that the sender of a dropped packet gets: ipt_REJECT, ip6t_REJECT.

import { ICMP_DEST_UNREACH, ICMPV6_DEST_UNREACH } from '../../abi/net/icmp.ts';
import { IPPROTO_TCP } from '../../abi/net/in.ts';
import { sendIcmpError } from '../ip/icmp_error.ts';
import { findPath } from '../ip/path.ts';
import { Packet } from '../packet.ts';
import type { Stack } from '../stack.ts';
import type { View } from './view.ts';

/** Codes of ICMP by IPT_*, of ICMPv6 by IP6T_*; -1 is a reset. */
const CODES_V4 = [0, 1, 2, 3, -1, 9, 10, -1, 13];
const CODES_V6 = [0, 1, 2, 3, 4, -1, -1, 5, 6];
const RESET_V4 = 7;
const RESET_V6 = 6;
const FIN = 1;
const SYN = 2;
const RST = 4;
const ACK = 16;
const TCP_SIZE = 20;

/** Tells the sender of a packet. */
export function reject(stack: Stack, v: View, how: number): void {
  if (how === (v.v6 ? RESET_V6 : RESET_V4)) {
    reset(stack, v);
    return;
  }
  const { packet } = v;
  const code = (v.v6 ? CODES_V6 : CODES_V4)[how] ?? -1;
  if (code < 0 || v.l4 < 0) return;
  // Errors are quoted from the network header on, and packets on their way out have their transport's place.
  if (packet.l4 === 0) packet.l4 = v.l4;
  sendIcmpError(stack, packet, v.v6 ? ICMPV6_DEST_UNREACH : ICMP_DEST_UNREACH, code, 0);
}

function reset(stack: Stack, v: View): void {
  const { packet, l4 } = v;
  if (v.protocol !== IPPROTO_TCP || l4 < 0 || packet.end < l4 + TCP_SIZE || (v.flags & RST) !== 0) return;
  const path = findPath(stack, {
    src: packet.dst,
    dst: packet.src,
    ifindex: 0,
    tos: 0,
    mark: packet.mark,
    uid: 0,
  });
  if (typeof path === 'number') return;
  const header = (packet.view.getUint8(l4 + 12) >>> 4) * 4;
  const data = packet.end - l4 - header + packet.length;
  const answer = new Packet();
  const at = answer.push(TCP_SIZE);
  const { view } = answer;
  view.setUint16(at, v.dport);
  view.setUint16(at + 2, v.sport);
  const acked = (v.flags & ACK) !== 0;
  const sequence = packet.view.getUint32(l4 + 4);
  const more = ((v.flags & SYN) !== 0 ? 1 : 0) + ((v.flags & FIN) !== 0 ? 1 : 0);
  view.setUint32(at + 4, acked ? packet.view.getUint32(l4 + 8) : 0);
  view.setUint32(at + 8, acked ? 0 : (sequence + data + more) >>> 0);
  view.setUint8(at + 12, (TCP_SIZE / 4) << 4);
  view.setUint8(at + 13, acked ? RST : RST | ACK);
  stack.output(answer, path, IPPROTO_TCP, true);
}
