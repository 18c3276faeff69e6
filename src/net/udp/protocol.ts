// UdpProtocol: datagrams of UDP, or of UDP-Lite, and errors that come in, and who gets them.

import {
  ICMP_DEST_UNREACH,
  ICMP_PORT_UNREACH,
  ICMPV6_DEST_UNREACH,
  ICMPV6_PORT_UNREACH,
} from '../../abi/net/icmp.ts';
import { IPPROTO_UDP, IPPROTO_UDPLITE } from '../../abi/net/in.ts';
import { RTN_BROADCAST } from '../../abi/net/rtnetlink.ts';
import type { UdpCounters } from '../counters.ts';
import { sendIcmpError } from '../ip/icmp_error.ts';
import type { NetMemory } from '../memory.ts';
import type { Packet } from '../packet.ts';
import { SUM_UNCHECKED } from '../packet.ts';
import type { Stack } from '../stack.ts';
import type { PathError, Transport } from '../transport.ts';
import { transportSum } from '../wire/checksum.ts';
import { trimPacket } from '../wire/clone.ts';
import { checkUdp, UDP_DESTINATION, UDP_SOURCE, UDP_SUM } from '../wire/udp.ts';
import { UdpEndpoint } from './endpoint.ts';
import { checkLite } from './lite.ts';
import { openScore, PortTable } from './ports.ts';

export class UdpProtocol implements Transport {
  readonly ports: PortTable;
  /** IPPROTO_UDP or IPPROTO_UDPLITE, whose ports have nothing to do with each other. */
  readonly protocol: number;
  private readonly stack: Stack;
  private readonly v4: UdpCounters;
  private readonly v6: UdpCounters;

  constructor(stack: Stack, protocol: number) {
    this.stack = stack;
    this.protocol = protocol;
    const { udp, udp6, udpLite, udpLite6 } = stack.counters;
    this.v4 = protocol === IPPROTO_UDP ? udp : udpLite;
    this.v6 = protocol === IPPROTO_UDP ? udp6 : udpLite6;
    this.ports = new PortTable(stack.random, stack.sysctl);
  }

  /** A new endpoint, for whose datagrams `memory` pays. */
  open(isV6: boolean, memory: NetMemory = this.stack.memory): UdpEndpoint {
    return new UdpEndpoint(this.stack, this, isV6, memory);
  }

  counters(isV4: boolean): UdpCounters {
    return isV4 ? this.v4 : this.v6;
  }

  input(packet: Packet): void {
    const { stack } = this;
    const { view, l4, dst, src } = packet;
    const isV4 = dst.isV4;
    const counters = this.counters(isV4);
    const total = packet.end - l4 + packet.length;
    const covered = this.protocol === IPPROTO_UDPLITE ? checkLite(packet, total) : total;
    if (covered < 0 || (this.protocol === IPPROTO_UDP && !this.good(packet, total, counters))) {
      counters.InErrors++;
      return;
    }
    const sourcePort = view.getUint16(l4 + UDP_SOURCE);
    const port = view.getUint16(l4 + UDP_DESTINATION);
    if (dst.isMulticast || (isV4 && stack.addresses.kind(dst) === RTN_BROADCAST)) {
      this.inputToMany(packet, port, sourcePort, covered < total ? covered : 0);
      return;
    }
    const e = this.ports.find(dst, port, src, sourcePort, packet.ifindex);
    if (e !== undefined) {
      if (covered < total && !e.takesPart(covered)) counters.InErrors++;
      else if (e.hear(packet, sourcePort, false)) counters.InDatagrams++;
      else {
        counters.RcvbufErrors++;
        counters.InErrors++;
      }
      return;
    }
    counters.NoPorts++;
    if (isV4) sendIcmpError(stack, packet, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0);
    else sendIcmpError(stack, packet, ICMPV6_DEST_UNREACH, ICMPV6_PORT_UNREACH, 0);
  }

  /** Length and checksum of a datagram of UDP; what lies behind it goes. */
  private good(packet: Packet, total: number, counters: UdpCounters): boolean {
    const { view, l4 } = packet;
    const length = checkUdp(view, l4, packet.end - l4, total);
    if (length < 0 && packet.segment === 0) return false;
    if (length >= 0 && length < total && packet.segment === 0) trimPacket(packet, l4 - packet.start + length);
    if (packet.sum !== SUM_UNCHECKED) return true;
    // None at all is allowed to IPv4 alone: RFC 8200, section 8.1.
    const none = view.getUint16(l4 + UDP_SUM) === 0;
    if (none ? packet.dst.isV4 : transportSum(packet, l4, IPPROTO_UDP) === 0) return true;
    counters.InCsumErrors++;
    return false;
  }

  /** To a group or a broadcast address: everybody who listens gets it. `partly`: what a checksum covers that does not cover all. */
  private inputToMany(packet: Packet, port: number, sourcePort: number, partly: number): void {
    const { src, dst } = packet;
    const isV4 = dst.isV4;
    const counters = this.counters(isV4);
    let heard = false;
    for (const e of [...this.ports.listeners(port)]) {
      const { options, remote } = e;
      if (openScore(e, dst, packet.ifindex) < 0) continue;
      if (remote !== null && (remote.port !== sourcePort || !remote.address.equals(src))) continue;
      const otherwise = (isV4 ? options.mcastAll : options.mcastAll6) !== 0;
      if (dst.isMulticast && !e.memberships.hears(dst, src, packet.ifindex, otherwise)) continue;
      heard = true;
      if (partly > 0 && !e.takesPart(partly)) {
        counters.InErrors++;
        continue;
      }
      if (e.hear(packet, sourcePort, true)) counters.InDatagrams++;
      else counters.RcvbufErrors++;
    }
    if (!heard) counters.IgnoredMulti++;
  }

  /** An ICMP error: about what the endpoint at the quoted source port sent. */
  private sender(report: PathError): UdpEndpoint | undefined {
    if (report.quoted.byteLength < 8) return undefined;
    const { src, dst, quoted } = report;
    return this.ports.find(src, quoted.getUint16(UDP_SOURCE), dst, quoted.getUint16(UDP_DESTINATION), 0);
  }

  owns(report: PathError): boolean {
    return this.sender(report) !== undefined;
  }

  error(report: PathError): void {
    this.sender(report)?.failed(report);
  }
}
