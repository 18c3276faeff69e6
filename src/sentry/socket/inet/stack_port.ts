// LoopStack: the stack of a namespace with nothing but a loopback interface. A packet for an address of ours goes straight back to
// its transport; no other address can be reached. Transports write no IP header, and nobody reads one here.

import { EAFNOSUPPORT, EINVAL, ENETUNREACH, EOPNOTSUPP } from '../../../abi/errno.ts';
import { ARPHRD_LOOPBACK, IFF_LOOPBACK, IFF_LOWER_UP, IFF_RUNNING, IFF_UP } from '../../../abi/net/if.ts';
import { AF_INET6 } from '../../../abi/net/socket.ts';
import { randomWord } from '../../../host/random.ts';
import { type IpAddress, LOOPBACK_V4, LOOPBACK_V6 } from '../../../net/address.ts';
import type { DatagramEndpoint, StreamEndpoint } from '../../../net/endpoint.ts';
import type { NetMemory } from '../../../net/memory.ts';
import { type Packet, SUM_GOOD } from '../../../net/packet.ts';
import type { Flow, NetworkLayer, Path } from '../../../net/path.ts';
import { TcpProtocol } from '../../../net/tcp/protocol.ts';
import type { TcpSysctl } from '../../../net/tcp/sysctl.ts';
import type { NetClock } from '../../../net/time.ts';
import type { NetRandom } from '../../../net/transport.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import { countUnsupported } from '../../base/log.ts';
import type { AddressView, LinkCounters, LinkView } from './links.ts';
import type { SocketStack } from './namespace.ts';
import { InetSysctl } from './sysctl.ts';

const LO = 1;
const LO_MTU = 65536;
const LO_QUEUE = 1000;
const NO_ADDRESSES: readonly AddressView[] = [];

/** The account of whoever pays, as net/ sees it: what a connection holds is its socket's. */
export class ChargedMemory implements NetMemory {
  private readonly payer: Account;

  constructor(payer: Account) {
    this.payer = payer;
  }

  fits(bytes: number): boolean {
    return kernelMemory.fits(bytes, this.payer);
  }

  take(bytes: number): void {
    kernelMemory.take(bytes, this.payer);
  }

  give(bytes: number): void {
    kernelMemory.give(this.payer, bytes);
  }
}

/** The host's getrandom(2). */
export const hostRandom: NetRandom = { u32: randomWord };

class LoopCounters implements LinkCounters {
  rxBytes = 0;
  rxPackets = 0;
  readonly rxErrors = 0;
  rxDropped = 0;
  readonly txErrors = 0;
  readonly txDropped = 0;

  get txBytes(): number {
    return this.rxBytes;
  }

  get txPackets(): number {
    return this.rxPackets;
  }
}

/** `lo`, down at first and without addresses then, as in a new namespace. */
class Loopback implements LinkView {
  readonly ifindex = LO;
  readonly name = 'lo';
  mtu: number = LO_MTU;
  flags: number = IFF_LOOPBACK;
  readonly hardwareType = ARPHRD_LOOPBACK;
  readonly hardwareAddress: Uint8Array = new Uint8Array(6);
  queueLength: number = LO_QUEUE;
  addresses: readonly AddressView[] = NO_ADDRESSES;
  readonly counters: LoopCounters = new LoopCounters();

  get up(): boolean {
    return (this.flags & IFF_UP) !== 0;
  }
}

class LoopLayer implements NetworkLayer {
  generation = 1;
  readonly lo: Loopback = new Loopback();
  tcp: TcpProtocol | null = null;
  /** Addresses beside those of the interface. */
  readonly more: IpAddress[] = [];

  isLocal(a: IpAddress): boolean {
    if (this.more.some((own) => own.equals(a))) return true;
    return (
      this.lo.up &&
      this.lo.addresses.some((own) => own.address.equals(a) || (a.isV4 && a.inPrefix(own.address, own.bits)))
    );
  }

  route(flow: Flow): Path | number {
    const { dst, src } = flow;
    if (!this.isLocal(dst)) return -ENETUNREACH;
    if (!src.isAny && !this.isLocal(src)) return -EINVAL;
    return {
      // The address that is asked for answers: connections to 127.0.0.2 come from there, too.
      src: src.isAny ? dst : src,
      dst,
      ifindex: LO,
      mtu: this.lo.mtu,
      local: true,
      broadcast: false,
      gso: LO_MTU,
      generation: this.generation,
    };
  }

  output(packet: Packet, path: Path, protocol: number, _dontFragment: boolean): number {
    const { counters } = this.lo;
    packet.src = path.src;
    packet.dst = path.dst;
    packet.protocol = protocol;
    packet.l4 = packet.start;
    packet.sum = SUM_GOOD;
    packet.ifindex = LO;
    counters.rxPackets++;
    counters.rxBytes += packet.size;
    if (!this.lo.up) counters.rxDropped++;
    else this.tcp!.input(packet);
    return 0;
  }
}

export class LoopStack implements SocketStack {
  private readonly layer: LoopLayer = new LoopLayer();
  private readonly protocol: TcpProtocol;
  readonly links: readonly LinkView[];
  readonly net: InetSysctl = new InetSysctl();

  constructor(clock: NetClock, payer: Account) {
    this.protocol = new TcpProtocol(this.layer, clock, hostRandom, new ChargedMemory(payer));
    this.layer.tcp = this.protocol;
    this.links = [this.layer.lo];
  }

  get tcp(): TcpSysctl {
    return this.protocol.sysctl;
  }

  stream(family: number, payer: Account, uid: number): StreamEndpoint | number {
    return this.protocol.open(family === AF_INET6, new ChargedMemory(payer), uid);
  }

  datagram(_family: number, _type: number, protocol: number): DatagramEndpoint | number {
    countUnsupported(`datagrams of protocol ${protocol}`);
    return -EAFNOSUPPORT;
  }

  flush(): void {}

  addLocal(address: IpAddress): void {
    this.layer.more.push(address);
  }

  end(): void {
    this.setUp(LO, false);
  }

  reaches(address: IpAddress): boolean {
    return this.isLocal(address);
  }

  isLocal(address: IpAddress): boolean {
    return this.layer.isLocal(address);
  }

  linkOfAddress(address: IpAddress): number {
    return this.isLocal(address) ? LO : 0;
  }

  addressOf(index: number): number {
    const first = this.linkByIndex(index)?.addresses.find((a) => a.address.isV4);
    return first === undefined ? 0 : first.address.w3;
  }

  linkByIndex(index: number): LinkView | null {
    return index === LO ? this.layer.lo : null;
  }

  linkByName(name: string): LinkView | null {
    return name === 'lo' ? this.layer.lo : null;
  }

  setUp(_index: number, up: boolean): number {
    const { lo } = this.layer;
    const bits = IFF_UP | IFF_RUNNING | IFF_LOWER_UP;
    lo.flags = up ? lo.flags | bits : lo.flags & ~bits;
    if (up && lo.addresses.length === 0)
      lo.addresses = [
        { address: LOOPBACK_V4, bits: 8, broadcast: null },
        { address: LOOPBACK_V6, bits: 128, broadcast: null },
      ];
    this.layer.generation++;
    return 0;
  }

  setMtu(_index: number, mtu: number): number {
    if (mtu < 0 || mtu > LO_MTU) return -EINVAL;
    this.layer.lo.mtu = mtu;
    this.layer.generation++;
    return 0;
  }

  setQueueLength(_index: number, length: number): number {
    this.layer.lo.queueLength = length;
    return 0;
  }

  setAddress(_index: number, _address: IpAddress | null, _bits: number): number {
    countUnsupported('SIOCSIFADDR');
    return -EOPNOTSUPP;
  }
}

export function makeStack(clock: NetClock, payer: Account): SocketStack {
  return new LoopStack(clock, payer);
}
