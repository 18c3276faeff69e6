// Ping sockets (icmp(7), ping_group_range): datagrams of ICMP echoes, each endpoint with an id of its own.

import { EADDRINUSE, EAGAIN, EDESTADDRREQ, EFAULT, EINVAL, EMSGSIZE, EPIPE } from '../../abi/errno.ts';
import { ICMP_ECHO, ICMPV6_ECHO_REQUEST } from '../../abi/net/icmp.ts';
import { IPPROTO_ICMP, IPPROTO_ICMPV6 } from '../../abi/net/in.ts';
import type { IpAddress } from '../address.ts';
import { DatagramBase, Received } from '../datagram/endpoint.ts';
import type { ByteSource, DatagramInfo } from '../endpoint.ts';
import type { NetMemory } from '../memory.ts';
import { Packet } from '../packet.ts';
import type { Stack } from '../stack.ts';
import type { PathError } from '../transport.ts';
import { ICMP_ID, ICMP_SIZE } from '../wire/icmp.ts';

const IDS = 65536;

export class PingProtocol {
  private readonly stack: Stack;
  private readonly ids4 = new Map<number, PingEndpoint>();
  private readonly ids6 = new Map<number, PingEndpoint>();

  constructor(stack: Stack) {
    this.stack = stack;
  }

  open(isV6: boolean, memory: NetMemory = this.stack.memory): PingEndpoint {
    return new PingEndpoint(this.stack, this, isV6, memory);
  }

  private ids(isV6: boolean): Map<number, PingEndpoint> {
    return isV6 ? this.ids6 : this.ids4;
  }

  /** Gives `e` an id, the one it asks for or a free one; -EADDRINUSE, -EAGAIN. */
  take(e: PingEndpoint, id: number): number {
    const ids = this.ids(e.isV6);
    if (id !== 0) {
      if (ids.has(id)) return -EADDRINUSE;
      ids.set(id, e);
      return id;
    }
    const start = this.stack.random.u32() % IDS;
    for (let i = 0; i < IDS; i++) {
      const free = (start + i) % IDS;
      if (free === 0 || ids.has(free)) continue;
      ids.set(free, e);
      return free;
    }
    return -EAGAIN;
  }

  release(e: PingEndpoint, id: number): void {
    if (this.ids(e.isV6).get(id) === e) this.ids(e.isV6).delete(id);
  }

  /** An echo reply. */
  input(packet: Packet): void {
    const id = packet.view.getUint16(packet.l4 + ICMP_ID);
    this.ids(!packet.dst.isV4).get(id)?.hear(packet);
  }

  private sender(report: PathError): PingEndpoint | undefined {
    const { quoted, dst } = report;
    const type = quoted.getUint8(0);
    if (type !== (dst.isV4 ? ICMP_ECHO : ICMPV6_ECHO_REQUEST)) return undefined;
    return this.ids(!dst.isV4).get(quoted.getUint16(ICMP_ID));
  }

  owns(report: PathError): boolean {
    return this.sender(report) !== undefined;
  }

  error(report: PathError): void {
    this.sender(report)?.failed(report);
  }

  *all(): Generator<PingEndpoint> {
    yield* this.ids4.values();
    yield* this.ids6.values();
  }
}

export class PingEndpoint extends DatagramBase {
  private readonly protocol: PingProtocol;

  constructor(stack: Stack, protocol: PingProtocol, isV6: boolean, memory: NetMemory) {
    super(stack, isV6, memory);
    this.protocol = protocol;
  }

  bind(address: IpAddress, port: number): number {
    if (this.local !== null) return -EINVAL;
    if (address.isV4 === this.isV6) return -EINVAL;
    const r = this.checkBind(address);
    if (r < 0) return r;
    const id = this.protocol.take(this, port);
    if (id < 0) return id;
    this.boundAddress = address;
    this.local = { address, port: id };
    return 0;
  }

  connect(address: IpAddress | null, _port: number): number {
    if (address === null) {
      this.remote = null;
      if (this.local !== null) this.local = { address: this.boundAddress, port: this.local.port };
      this.path = null;
      return 0;
    }
    if (address.isV4 === this.isV6) return -EINVAL;
    if (this.local === null) {
      const r = this.bind(this.boundAddress, 0);
      if (r < 0) return r;
    }
    const path = this.connectNames(address, 0);
    return typeof path === 'number' ? path : 0;
  }

  send(from: ByteSource, info: DatagramInfo, _flags: number): number {
    if (this.sendShut) return -EPIPE;
    const length = from.remaining;
    if (length > 65535) return -EMSGSIZE;
    // ping_common_sendmsg(): the header comes from the caller.
    if (length < ICMP_SIZE) return -EINVAL;
    const pending = this.takeError();
    if (pending !== 0) return -pending;
    const dst = info.address ?? this.remote?.address;
    if (dst === undefined) return -EDESTADDRREQ;
    if (dst.isV4 === this.isV6) return -EINVAL;
    if (this.local === null) {
      const r = this.bind(this.boundAddress, 0);
      if (r < 0) return r;
    }
    const path = this.pathTo(dst, info);
    if (typeof path === 'number') return path;
    const bytes = this.gather(from);
    if (bytes === undefined) return -EFAULT;
    const type = bytes[0]!;
    if (type !== (this.isV6 ? ICMPV6_ECHO_REQUEST : ICMP_ECHO) || bytes[1] !== 0) return -EINVAL;
    const headers = this.isV6 ? 40 : 20;
    const fits = length + headers <= path.mtu;
    const dontFragment = this.options.dontFragment(!this.isV6, fits);
    if ((dontFragment && !fits) || length + headers > 65535) return this.tooLarge(path, 0);
    const packet = new Packet();
    const at = packet.push(ICMP_SIZE);
    packet.head.set(bytes.subarray(0, ICMP_SIZE), at);
    packet.view.setUint16(at + 2, 0);
    packet.view.setUint16(at + ICMP_ID, this.local!.port);
    packet.append(bytes.subarray(ICMP_SIZE));
    this.dress(packet, path, info);
    const { stack } = this;
    const counters = this.isV6 ? stack.counters.icmp6 : stack.counters.icmp;
    counters.OutMsgs++;
    counters.outType[type]!++;
    const protocol = this.isV6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
    const r = stack.outputTo(packet, path, protocol, dontFragment, this.loops(path));
    stack.flush();
    return r === -EMSGSIZE ? r : length;
  }

  /** A reply with our id. */
  hear(packet: Packet): void {
    if (this.remote !== null && !this.remote.address.equals(packet.src)) return;
    if (!this.boundAddress.isAny && !this.boundAddress.equals(packet.dst)) return;
    if (this.filter !== null && !this.admit(packet, packet.l4, 1)) return;
    this.enqueue(new Received(packet, packet.l4, 0, 0));
  }

  failed(report: PathError): void {
    this.reported(report, 0, 0);
  }

  override close(): void {
    if (this.closed) return;
    if (this.local !== null) this.protocol.release(this, this.local.port);
    super.close();
    this.local = null;
    this.remote = null;
  }
}
