// PacketSocket: packet(7) over the taps of a stack. SOCK_RAW shows frames with their headers, SOCK_DGRAM without.

import {
  EADDRNOTAVAIL,
  EFAULT,
  EINVAL,
  EMSGSIZE,
  ENETDOWN,
  ENOBUFS,
  ENODEV,
  ENOENT,
  ENOPROTOOPT,
  ENOTCONN,
  ENXIO,
  EOPNOTSUPP,
  EPERM,
  ESOCKTNOSUPPORT,
} from '../../../abi/errno.ts';
import { POLLERR } from '../../../abi/events/poll.ts';
import { SIOCGSTAMP, SIOCGSTAMPNS, SIOCINQ, SIOCOUTQ } from '../../../abi/ioctl.ts';
import { ETH_P_ALL } from '../../../abi/net/if.ts';
import {
  PACKET_ADD_MEMBERSHIP,
  PACKET_AUXDATA,
  PACKET_BROADCAST,
  PACKET_DROP_MEMBERSHIP,
  PACKET_HOST,
  PACKET_IGNORE_OUTGOING,
  PACKET_MULTICAST,
  PACKET_ORIGDEV,
  PACKET_OTHERHOST,
  PACKET_OUTGOING,
  PACKET_STATISTICS,
  PACKET_VERSION,
  SIZEOF_SOCKADDR_LL,
  SIZEOF_TPACKET_AUXDATA,
  SOCKADDR_LL_SLL_ADDR,
  SOCKADDR_LL_SLL_FAMILY,
  SOCKADDR_LL_SLL_HALEN,
  SOCKADDR_LL_SLL_HATYPE,
  SOCKADDR_LL_SLL_IFINDEX,
  SOCKADDR_LL_SLL_PKTTYPE,
  SOCKADDR_LL_SLL_PROTOCOL,
  TP_STATUS_USER,
  TPACKET_AUXDATA_TP_LEN,
  TPACKET_AUXDATA_TP_NET,
  TPACKET_AUXDATA_TP_SNAPLEN,
  TPACKET_AUXDATA_TP_STATUS,
} from '../../../abi/net/packet.ts';
import { AF_PACKET, SOCK_DGRAM, SOCK_RAW, SOL_PACKET } from '../../../abi/net/socket.ts';
import { CAP_NET_RAW } from '../../../abi/process/capability.ts';
import { putU64 } from '../../../abi/u64.ts';
import type { Link } from '../../../net/link/link.ts';
import type { Packet } from '../../../net/packet.ts';
import { frameBytes, type PacketTap, sendRawFrame } from '../../../net/raw/tap.ts';
import type { Stack } from '../../../net/stack.ts';
import { ETHERNET_SIZE } from '../../../net/wire/ethernet.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import type { Io } from '../../base/io.ts';
import { countUnsupported } from '../../base/log.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { SocketFamily } from '../family.ts';
import { interfaceIoctl } from '../inet/if_ioctl.ts';
import type { InetNamespace } from '../inet/namespace.ts';
import type { Message, SockAddr } from '../message.ts';
import { putIntOption } from '../options.ts';
import { MESSAGE_OVERHEAD, QueuedMessage, QueueSocket } from '../queue_socket.ts';

const MAC_SIZE = 6;
const NS_PER_SEC = 1e9;
/** Longest frame that may be sent on a link beyond its MTU: the header, a VLAN tag. */
const HEADERS = ETHERNET_SIZE + 4;
/** struct packet_mreq. */
const MREQ_SIZE = 16;

class Frame extends QueuedMessage {
  readonly address: Uint8Array;
  /** Bytes that it had before a filter cut it. */
  readonly wireLength: number;
  /** When it passed, monotonic. */
  readonly atNs: number;

  constructor(bytes: Uint8Array, wireLength: number, address: Uint8Array, atNs: number, payer: Account) {
    super(bytes, payer);
    this.atNs = atNs;
    this.wireLength = wireLength;
    this.address = address;
  }
}

const aux = new Uint8Array(SIZEOF_TPACKET_AUXDATA);
const auxView = new DataView(aux.buffer);

/** 0x0800 for bytes 08 00: protocols are in network order. */
function swap(protocol: number): number {
  return ((protocol & 0xff) << 8) | ((protocol >>> 8) & 0xff);
}

export class PacketSocket extends QueueSocket<Frame> implements PacketTap {
  protected readonly oobError = -EINVAL;
  private readonly links: InetNamespace;
  private readonly stack: Stack;
  private readonly beside: Set<PacketSocket>;
  ifindex = 0;
  /** ETH_P_*; 0 hears nothing. */
  private heardProtocol: number;
  private seen = 0;
  private dropped = 0;
  private ignoresOutgoing = false;
  private switches = 0;
  /** When the frame came that was received last, monotonic. */
  private receivedNs = 0;

  /** `protocol` is in network order, as socket(2) has it. */
  constructor(
    ctx: VfsContext,
    links: InetNamespace,
    stack: Stack,
    beside: Set<PacketSocket>,
    type: number,
    protocol: number,
    flags: number,
  ) {
    super(ctx, AF_PACKET, type, protocol, flags);
    this.links = links;
    this.stack = stack;
    this.beside = beside;
    beside.add(this);
    this.heardProtocol = swap(protocol);
    if (this.heardProtocol !== 0) stack.addTap(this);
  }

  procRow(): string {
    const protocol = this.heardProtocol.toString(16).padStart(4, '0');
    const hears = this.heardProtocol !== 0 ? 1 : 0;
    return `${'0'.repeat(16)} ${String(this.refs + 1).padEnd(6)} ${String(this.type).padEnd(4)} ${protocol}   ${String(this.ifindex).padEnd(5)} ${hears} ${String(this.queued).padEnd(6)} ${String(this.inode.uid).padEnd(6)} ${String(this.inode.ino).padEnd(6)}\n`;
  }

  private get raw(): boolean {
    return this.type === SOCK_RAW;
  }

  onPacket(link: Link, packet: Packet, outgoing: boolean): void {
    // What goes out is for those who hear everything.
    if (outgoing && (this.ignoresOutgoing || this.heardProtocol !== ETH_P_ALL)) return;
    const frame = frameBytes(link, packet);
    if (frame.length < ETHERNET_SIZE && link.isEthernet) return;
    const headed = frame.length >= ETHERNET_SIZE;
    const protocol = headed ? (frame[12]! << 8) | frame[13]! : 0;
    if (this.heardProtocol !== ETH_P_ALL && this.heardProtocol !== protocol) return;
    const packetType = outgoing ? PACKET_OUTGOING : kindOf(link, frame);
    const at = this.raw ? 0 : Math.min(ETHERNET_SIZE, frame.length);
    let { length } = frame;
    if (this.filter !== null) {
      const facts = { protocol, packetType, hardware: link.hardware };
      const n = this.filter.admitsFrame(frame, at, ETHERNET_SIZE, link.ifindex, facts);
      if (n === 0) return;
      length = Math.min(length, at + n);
    }
    // Whoever opened it pays: frames come by what others do.
    if (!this.hasRoom(length - at, this.payer)) {
      this.dropped++;
      return;
    }
    this.seen++;
    const address = new Uint8Array(SIZEOF_SOCKADDR_LL);
    const view = new DataView(address.buffer);
    view.setUint16(SOCKADDR_LL_SLL_FAMILY, AF_PACKET, true);
    view.setUint16(SOCKADDR_LL_SLL_PROTOCOL, protocol);
    view.setInt32(SOCKADDR_LL_SLL_IFINDEX, link.ifindex, true);
    view.setUint16(SOCKADDR_LL_SLL_HATYPE, link.hardware, true);
    view.setUint8(SOCKADDR_LL_SLL_PKTTYPE, packetType);
    view.setUint8(SOCKADDR_LL_SLL_HALEN, MAC_SIZE);
    address.set(frame.subarray(MAC_SIZE, 2 * MAC_SIZE), SOCKADDR_LL_SLL_ADDR);
    // A copy when it was cut: the rest would be kept without being paid for.
    const bytes = length < frame.length ? frame.slice(at, length) : frame.subarray(at, length);
    this.push(new Frame(bytes, frame.length - at, address, this.stack.clock.monotonicNs(), this.payer));
  }

  override bind(_ctx: VfsContext, addr: SockAddr): number {
    if (addr.len < SIZEOF_SOCKADDR_LL || addr.family !== AF_PACKET) return -EINVAL;
    const ifindex = addr.view.getInt32(SOCKADDR_LL_SLL_IFINDEX, true);
    const link = ifindex === 0 ? null : this.stack.link(ifindex);
    if (ifindex !== 0 && link === null) return -ENODEV;
    const protocol = addr.view.getUint16(SOCKADDR_LL_SLL_PROTOCOL);
    if (this.heardProtocol !== 0) this.stack.removeTap(this);
    this.ifindex = ifindex;
    if (protocol !== 0) this.heardProtocol = protocol;
    if (this.heardProtocol !== 0) this.stack.addTap(this);
    if (link !== null && !link.isUp) {
      this.error = ENETDOWN;
      this.waiters.wake(POLLERR);
    }
    return 0;
  }

  override connect(): number {
    return -EOPNOTSUPP;
  }

  override getpeername(): number {
    return -EOPNOTSUPP;
  }

  override getsockname(addr: SockAddr): number {
    const { view } = addr;
    addr.bytes.fill(0, 0, SIZEOF_SOCKADDR_LL);
    view.setUint16(SOCKADDR_LL_SLL_FAMILY, AF_PACKET, true);
    view.setUint16(SOCKADDR_LL_SLL_PROTOCOL, this.heardProtocol);
    view.setInt32(SOCKADDR_LL_SLL_IFINDEX, this.ifindex, true);
    const link = this.ifindex === 0 ? null : this.stack.link(this.ifindex);
    addr.len = SOCKADDR_LL_SLL_ADDR;
    if (link !== null) {
      view.setUint16(SOCKADDR_LL_SLL_HATYPE, link.hardware, true);
      view.setUint8(SOCKADDR_LL_SLL_HALEN, link.address.length);
      addr.bytes.set(link.address.subarray(0, 8), SOCKADDR_LL_SLL_ADDR);
      addr.len += link.address.length;
    }
    return 0;
  }

  override sendmsg(_ctx: VfsContext, io: Io, msg: Message, _flags: number): number {
    let { ifindex } = this;
    let protocol = this.heardProtocol;
    let to: Uint8Array = new Uint8Array(MAC_SIZE);
    if (msg.addr.len > 0) {
      if (msg.addr.len < SOCKADDR_LL_SLL_ADDR || msg.addr.family !== AF_PACKET) return -EINVAL;
      ifindex = msg.addr.view.getInt32(SOCKADDR_LL_SLL_IFINDEX, true);
      protocol = msg.addr.view.getUint16(SOCKADDR_LL_SLL_PROTOCOL);
      to = msg.addr.bytes.slice(SOCKADDR_LL_SLL_ADDR, SOCKADDR_LL_SLL_ADDR + MAC_SIZE);
    } else if (ifindex === 0) return this.raw ? -ENXIO : -ENOTCONN;
    const link = this.stack.link(ifindex);
    if (link === null) return -ENXIO;
    if (!link.isUp) return -ENETDOWN;
    const size = io.remaining;
    if (size > link.mtu + (this.raw ? HEADERS : 0)) return -EMSGSIZE;
    if (this.raw && size < ETHERNET_SIZE) return -EINVAL;
    if (!kernelMemory.fits(size + MESSAGE_OVERHEAD)) return -ENOBUFS;
    const head = this.raw ? 0 : ETHERNET_SIZE;
    const frame = new Uint8Array(head + size);
    if (!this.raw) {
      frame.set(to, 0);
      frame.set(link.address.subarray(0, MAC_SIZE), MAC_SIZE);
      frame[12] = protocol >>> 8;
      frame[13] = protocol & 0xff;
    }
    if (size > 0 && io.take(frame, head, size) !== size) return -EFAULT;
    const r = sendRawFrame(link, frame);
    this.stack.flush();
    return r < 0 ? r : size;
  }

  protected override tell(_ctx: VfsContext, f: Frame, msg: Message): void {
    this.receivedNs = f.atNs;
    msg.addr.bytes.set(f.address, 0);
    msg.addr.len = SIZEOF_SOCKADDR_LL;
    if (((this.switches >>> PACKET_AUXDATA) & 1) === 0) return;
    // struct tpacket_auxdata: checksums are complete and nothing is tagged.
    aux.fill(0);
    auxView.setUint32(TPACKET_AUXDATA_TP_STATUS, TP_STATUS_USER, true);
    auxView.setUint32(TPACKET_AUXDATA_TP_LEN, f.wireLength, true);
    auxView.setUint32(TPACKET_AUXDATA_TP_SNAPLEN, f.bytes.length, true);
    auxView.setUint16(TPACKET_AUXDATA_TP_NET, this.raw ? ETHERNET_SIZE : 0, true);
    msg.putControl(SOL_PACKET, PACKET_AUXDATA, aux);
  }

  override ioctl(ctx: VfsContext, cmd: number, arg: number): number {
    if (cmd === SIOCINQ || cmd === SIOCOUTQ) {
      scratchView.setInt32(0, cmd === SIOCINQ ? this.nextLength : 0, true);
      return ctx.mem.copyOutExact(arg, scratch, 0, 4);
    }
    if (cmd === SIOCGSTAMP || cmd === SIOCGSTAMPNS) return this.lastStamp(ctx, cmd, arg);
    return interfaceIoctl(ctx, this.links.stack, AF_PACKET, cmd, arg);
  }

  /** When the frame came that was received last: -ENOENT before the first. */
  private lastStamp(ctx: VfsContext, cmd: number, arg: number): number {
    if (this.receivedNs === 0) return -ENOENT;
    const nsec = ctx.time.realtimeNsec + this.receivedNs - ctx.time.monotonicNs();
    const back = nsec < 0 ? Math.ceil(-nsec / NS_PER_SEC) : 0;
    const left = Math.floor(nsec + back * NS_PER_SEC);
    putU64(scratchView, 0, ctx.time.realtimeSec() - back);
    putU64(scratchView, 8, cmd === SIOCGSTAMP ? Math.floor(left / 1000) : left);
    return ctx.mem.copyOutExact(arg, scratch, 0, 16);
  }

  override getsockopt(ctx: VfsContext, level: number, name: number, len: number): number {
    if (level !== SOL_PACKET) return super.getsockopt(ctx, level, name, len);
    switch (name) {
      case PACKET_STATISTICS:
        // struct tpacket_stats: all that came, and those of them that were dropped; from zero again then.
        scratchView.setUint32(0, this.seen + this.dropped, true);
        scratchView.setUint32(4, this.dropped, true);
        this.seen = 0;
        this.dropped = 0;
        return Math.min(8, len);
      case PACKET_IGNORE_OUTGOING:
        return putIntOption(this.ignoresOutgoing ? 1 : 0, len);
      case PACKET_AUXDATA:
      case PACKET_ORIGDEV:
        return putIntOption((this.switches >>> name) & 1, len);
      case PACKET_VERSION:
        return putIntOption(0, len);
    }
    return -ENOPROTOOPT;
  }

  override setsockopt(ctx: VfsContext, level: number, name: number, len: number): number {
    if (level !== SOL_PACKET) return super.setsockopt(ctx, level, name, len);
    switch (name) {
      case PACKET_ADD_MEMBERSHIP:
      case PACKET_DROP_MEMBERSHIP: {
        if (len < MREQ_SIZE) return -EINVAL;
        const link = this.stack.link(scratchView.getInt32(0, true));
        // Taps see everything as it is: links are not told to be promiscuous.
        if (link === null) return name === PACKET_ADD_MEMBERSHIP ? -ENODEV : -EADDRNOTAVAIL;
        return 0;
      }
      case PACKET_IGNORE_OUTGOING:
        if (len < 4) return -EINVAL;
        this.ignoresOutgoing = scratchView.getInt32(0, true) !== 0;
        return 0;
      case PACKET_AUXDATA:
      case PACKET_ORIGDEV: {
        if (len < 4) return -EINVAL;
        const on = scratchView.getInt32(0, true) !== 0;
        this.switches = on ? this.switches | (1 << name) : this.switches & ~(1 << name);
        return 0;
      }
    }
    countUnsupported(`setsockopt SOL_PACKET ${name}`);
    return -ENOPROTOOPT;
  }

  protected override release(): void {
    if (this.heardProtocol !== 0) this.stack.removeTap(this);
    this.beside.delete(this);
    super.release();
  }
}

/** Whom a frame is for: PACKET_*. */
function kindOf(link: Link, frame: Uint8Array): number {
  if ((frame[0]! & 1) !== 0) {
    for (let i = 0; i < MAC_SIZE; i++) if (frame[i] !== 0xff) return PACKET_MULTICAST;
    return PACKET_BROADCAST;
  }
  for (let i = 0; i < MAC_SIZE; i++) if (frame[i] !== link.address[i]) return PACKET_OTHERHOST;
  return PACKET_HOST;
}

/** AF_PACKET of a namespace: for those who may see everything. */
export class PacketFamily implements SocketFamily {
  private readonly ns: InetNamespace;
  private readonly stack: Stack;
  /** Every open socket. */
  readonly sockets: Set<PacketSocket> = new Set();

  constructor(ns: InetNamespace, stack: Stack) {
    this.ns = ns;
    this.stack = stack;
  }

  create(ctx: VfsContext, type: number, protocol: number, flags: number): PacketSocket | number {
    if (!ctx.cred.capable(CAP_NET_RAW)) return -EPERM;
    if (type !== SOCK_RAW && type !== SOCK_DGRAM) return -ESOCKTNOSUPPORT;
    return new PacketSocket(ctx, this.ns, this.stack, this.sockets, type, protocol, flags);
  }

  /** Rows of /proc/net/packet: packet_seq_show(). */
  procRows(): string {
    let text = '';
    for (const s of this.sockets) text += s.procRow();
    return text;
  }
}
