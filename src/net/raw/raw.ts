// Raw endpoints (raw(7)): packets of one protocol, IPv4's with their IP header, IPv6's without.

import { EDESTADDRREQ, EFAULT, EINVAL, EMSGSIZE, EPIPE } from '../../abi/errno.ts';
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_MH, IPPROTO_RAW } from '../../abi/net/in.ts';
import type { IpAddress } from '../address.ts';
import { getIpv4 } from '../address.ts';
import { DatagramBase, Received } from '../datagram/endpoint.ts';
import type { ByteSource, DatagramInfo } from '../endpoint.ts';
import { outputWritten } from '../ip/output.ts';
import type { NetPath } from '../ip/path.ts';
import type { NetMemory } from '../memory.ts';
import { Packet, SUM_GOOD, SUM_UNCHECKED } from '../packet.ts';
import type { Stack } from '../stack.ts';
import type { PathError } from '../transport.ts';
import { transportSum } from '../wire/checksum.ts';
import { clonePacket } from '../wire/clone.ts';
import {
  IPV4_DST,
  IPV4_ID,
  IPV4_LENGTH,
  IPV4_PROTOCOL,
  IPV4_SIZE,
  IPV4_SRC,
  sealIpv4,
} from '../wire/ipv4.ts';

export class RawProtocol {
  private readonly stack: Stack;
  private readonly endpoints: RawEndpoint[] = [];

  constructor(stack: Stack) {
    this.stack = stack;
  }

  get count(): number {
    return this.endpoints.length;
  }

  open(isV6: boolean, protocol: number, memory: NetMemory = this.stack.memory): RawEndpoint {
    const e = new RawEndpoint(this.stack, this, isV6, protocol, memory);
    // IPPROTO_RAW only sends.
    if (protocol !== IPPROTO_RAW) this.endpoints.push(e);
    return e;
  }

  forget(e: RawEndpoint): void {
    const at = this.endpoints.indexOf(e);
    if (at >= 0) this.endpoints.splice(at, 1);
  }

  /** A packet for us: copies to all that want it. True when somebody did. */
  deliver(packet: Packet): boolean {
    let heard = false;
    for (const e of this.endpoints) if (e.wants(packet)) heard = e.hear(packet) || heard;
    return heard;
  }

  owns(report: PathError, protocol: number): boolean {
    return this.endpoints.some((e) => e.protocol === protocol && e.isV6 !== report.dst.isV4);
  }

  error(report: PathError, protocol: number): void {
    for (const e of [...this.endpoints])
      if (e.protocol === protocol && e.isV6 !== report.dst.isV4) e.failed(report);
  }

  all(): readonly RawEndpoint[] {
    return this.endpoints;
  }
}

export class RawEndpoint extends DatagramBase {
  readonly protocol: number;
  override readonly icmp6Filter: Uint32Array = new Uint32Array(8);
  private readonly table: RawProtocol;

  constructor(stack: Stack, table: RawProtocol, isV6: boolean, protocol: number, memory: NetMemory) {
    super(stack, isV6, memory);
    this.table = table;
    this.protocol = protocol;
    if (protocol === IPPROTO_RAW) this.options.hdrIncl = 1;
    if (protocol === IPPROTO_ICMPV6) this.options.checksumAt = 2;
    else if (protocol === IPPROTO_MH) this.options.checksumAt = 4;
  }

  bind(address: IpAddress, _port: number): number {
    if (this.remote !== null || address.isV4 === this.isV6) return -EINVAL;
    const r = this.checkBind(address);
    if (r < 0) return r;
    this.boundAddress = address;
    this.local = { address, port: this.protocol };
    this.path = null;
    return 0;
  }

  connect(address: IpAddress | null, port: number): number {
    if (address === null) {
      this.remote = null;
      this.path = null;
      this.local = this.boundAddress.isAny ? null : { address: this.boundAddress, port: this.protocol };
      return 0;
    }
    if (address.isV4 === this.isV6) return -EINVAL;
    const path = this.connectNames(address, port);
    if (typeof path === 'number') return path;
    this.local = { address: path.src, port: this.protocol };
    return 0;
  }

  send(from: ByteSource, info: DatagramInfo, _flags: number): number {
    if (this.sendShut) return -EPIPE;
    const length = from.remaining;
    if (length > 65535) return -EMSGSIZE;
    const pending = this.takeError();
    if (pending !== 0) return -pending;
    const dst = info.address ?? this.remote?.address;
    if (dst === undefined) return -EDESTADDRREQ;
    const path = this.pathTo(dst, info);
    if (typeof path === 'number') return path;
    const bytes = this.gather(from);
    if (bytes === undefined) return -EFAULT;
    const r = this.options.hdrIncl !== 0 ? this.sendWritten(bytes, path) : this.sendPlain(bytes, path, info);
    this.stack.flush();
    return r < 0 ? r : length;
  }

  private sendPlain(bytes: Uint8Array, path: NetPath, info: DatagramInfo): number {
    const headers = this.isV6 ? 40 : 20;
    const fits = bytes.length + headers <= path.mtu;
    const dontFragment = this.options.dontFragment(!this.isV6, fits);
    if ((dontFragment && !fits) || bytes.length + headers > 65535) return this.tooLarge(path, 0);
    // All of it is header to the checksum, which may lie anywhere.
    const packet = new Packet(new Uint8Array(128 + bytes.length), 128);
    packet.head.set(bytes, 128);
    // What is here, and with what checksum, is the caller's: it is checked as what others send.
    packet.sum = path.local ? SUM_UNCHECKED : SUM_GOOD;
    const at = this.options.checksumAt;
    if (this.isV6 && at >= 0) {
      if (at + 2 > bytes.length) return -EINVAL;
      packet.src = path.src;
      packet.dst = path.dst;
      packet.view.setUint16(128 + at, 0);
      const sum = transportSum(packet, 128, this.protocol);
      packet.view.setUint16(128 + at, sum === 0 ? 0xffff : sum);
    }
    this.dress(packet, path, info);
    return this.stack.outputTo(packet, path, this.protocol, dontFragment, this.loops(path));
  }

  /** IP_HDRINCL: the caller's header, in which raw_send_hdrinc() fills what is 0, and always length and checksum. */
  private sendWritten(bytes: Uint8Array, path: NetPath): number {
    if (bytes.length > path.mtu) return this.tooLarge(path, 0);
    const packet = new Packet(new Uint8Array(32 + bytes.length), 32);
    packet.head.set(bytes, 32);
    packet.sum = SUM_GOOD;
    packet.l3 = 32;
    packet.dst = path.dst;
    packet.ifindex = path.ifindex;
    const { view } = packet;
    if (this.isV6) {
      if (bytes.length < 40) return -EINVAL;
      packet.src = path.src;
    } else {
      const size = bytes.length < IPV4_SIZE ? 0 : (view.getUint8(32) & 0xf) * 4;
      if (size < IPV4_SIZE || size > bytes.length) return -EINVAL;
      if (view.getUint32(32 + IPV4_SRC) === 0) path.src.put(view, 32 + IPV4_SRC);
      if (view.getUint16(32 + IPV4_ID) === 0) view.setUint16(32 + IPV4_ID, this.stack.nextId(path.dst));
      view.setUint16(32 + IPV4_LENGTH, bytes.length);
      sealIpv4(view, 32, size);
      packet.src = getIpv4(view, 32 + IPV4_SRC);
      packet.protocol = view.getUint8(32 + IPV4_PROTOCOL);
      // Where the packet says it goes is not looked at: the route is that of the call's address.
      if (path.local) packet.dst = getIpv4(view, 32 + IPV4_DST);
    }
    packet.ttl = view.getUint8(32 + (this.isV6 ? 7 : 8));
    // l4 stays 0: what comes out of lo is checked like what others send.
    packet.l4 = 0;
    packet.sum = path.local ? SUM_UNCHECKED : SUM_GOOD;
    return outputWritten(this.stack, packet, path, true, this.loops(path));
  }

  /** Is a packet one of ours? */
  wants(packet: Packet): boolean {
    const isV4 = packet.dst.isV4;
    if (isV4 === this.isV6 || packet.protocol !== this.protocol) return false;
    if (this.remote !== null && !this.remote.address.equals(packet.src)) return false;
    if (!this.boundAddress.isAny && !this.boundAddress.equals(packet.dst)) return false;
    const { options } = this;
    if (options.device !== 0 && options.device !== packet.ifindex) return false;
    if (packet.dst.isMulticast) {
      const otherwise = (isV4 ? options.mcastAll : options.mcastAll6) !== 0;
      if (!this.memberships.hears(packet.dst, packet.src, packet.ifindex, otherwise)) return false;
    }
    if (packet.end <= packet.l4) return true;
    const type = packet.view.getUint8(packet.l4);
    if (this.protocol === IPPROTO_ICMP) return type >= 32 || ((options.icmpFilter >>> type) & 1) === 0;
    if (this.protocol === IPPROTO_ICMPV6) return ((this.icmp6Filter[type >>> 5]! >>> (type & 31)) & 1) === 0;
    return true;
  }

  /** Takes a copy. */
  hear(packet: Packet): boolean {
    if (!this.hasRoom) return true;
    if (this.isV6 && this.options.checksumAt >= 0 && packet.sum === SUM_UNCHECKED) {
      if (transportSum(packet, packet.l4, this.protocol) !== 0) return true;
    }
    const copy = clonePacket(packet);
    if (this.filter !== null && !this.admit(copy, this.isV6 ? copy.l4 : copy.l3, 1)) return true;
    this.enqueue(new Received(copy, this.isV6 ? copy.l4 : copy.l3, 0, 0));
    return true;
  }

  failed(report: PathError): void {
    if (this.remote !== null && !this.remote.address.equals(report.dst)) return;
    this.reported(report, 0, 0);
  }

  override close(): void {
    if (this.closed) return;
    this.table.forget(this);
    super.close();
  }
}
