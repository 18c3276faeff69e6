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
  ENOTCONN,
  ENXIO,
  EOPNOTSUPP,
} from '../../../abi/errno.ts';
import { POLLERR } from '../../../abi/events/poll.ts';
import { SIOCGSTAMP, SIOCGSTAMPNS, SIOCINQ, SIOCOUTQ } from '../../../abi/ioctl.ts';
import { ETH_P_ALL } from '../../../abi/net/if.ts';
import {
  PACKET_ADD_MEMBERSHIP,
  PACKET_AUXDATA,
  PACKET_BROADCAST,
  PACKET_DROP_MEMBERSHIP,
  PACKET_HDRLEN,
  PACKET_HOST,
  PACKET_IGNORE_OUTGOING,
  PACKET_MULTICAST,
  PACKET_ORIGDEV,
  PACKET_OTHERHOST,
  PACKET_OUTGOING,
  PACKET_RX_RING,
  PACKET_STATISTICS,
  PACKET_TX_RING,
  SIZEOF_SOCKADDR_LL,
  SIZEOF_TPACKET_AUXDATA,
  SOCKADDR_LL_SLL_ADDR,
  SOCKADDR_LL_SLL_FAMILY,
  SOCKADDR_LL_SLL_HALEN,
  SOCKADDR_LL_SLL_HATYPE,
  SOCKADDR_LL_SLL_IFINDEX,
  SOCKADDR_LL_SLL_PKTTYPE,
  SOCKADDR_LL_SLL_PROTOCOL,
  TP_STATUS_CSUM_VALID,
  TP_STATUS_CSUMNOTREADY,
  TP_STATUS_USER,
  TPACKET_AUXDATA_TP_LEN,
  TPACKET_AUXDATA_TP_NET,
  TPACKET_AUXDATA_TP_SNAPLEN,
  TPACKET_AUXDATA_TP_STATUS,
  TPACKET_V3,
} from '../../../abi/net/packet.ts';
import {
  AF_PACKET,
  SO_TIMESTAMP_NEW,
  SO_TIMESTAMP_OLD,
  SO_TIMESTAMPNS_NEW,
  SO_TIMESTAMPNS_OLD,
  SOCK_RAW,
  SOL_PACKET,
  SOL_SOCKET,
} from '../../../abi/net/socket.ts';
import { putU64 } from '../../../abi/u64.ts';
import type { Link } from '../../../net/link/link.ts';
import { type Packet, SUM_GOOD, SUM_MISSING } from '../../../net/packet.ts';
import { frameBytes, type PacketTap, sendRawFrame } from '../../../net/raw/tap.ts';
import type { Stack } from '../../../net/stack.ts';
import { ETHERNET_SIZE } from '../../../net/wire/ethernet.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import type { Io } from '../../base/io.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import type { TimeSource } from '../../base/time.ts';
import type { Mappable } from '../../memfile/mappable.ts';
import type { MemoryFile } from '../../memfile/memfile.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { interfaceIoctl } from '../inet/if_ioctl.ts';
import type { InetNamespace } from '../inet/namespace.ts';
import type { Message, SockAddr } from '../message.ts';
import { putIntOption } from '../options.ts';
import { MESSAGE_OVERHEAD, QueuedMessage, QueueSocket } from '../queue_socket.ts';
import { NOT_LARGE, READ_EVENTS, WRITE_EVENTS } from '../socket.ts';
import type { BlockUser } from './block_ring.ts';
import { headerSize, isVersion, SeenFrame } from './frame.ts';
import { PacketRings } from './rings.ts';
import type { FrameSender } from './tx_ring.ts';

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
  /** TP_STATUS_* of its checksum. */
  readonly status: number;

  constructor(
    bytes: Uint8Array,
    wireLength: number,
    address: Uint8Array,
    atNs: number,
    status: number,
    payer: Account,
  ) {
    super(bytes, payer);
    this.atNs = atNs;
    this.status = status;
    this.wireLength = wireLength;
    this.address = address;
  }
}

const seen = new SeenFrame();
const seenView = new DataView(seen.address.buffer);
const aux = new Uint8Array(SIZEOF_TPACKET_AUXDATA);
const auxView = new DataView(aux.buffer);
const stampBytes = new Uint8Array(16);
const stampView = new DataView(stampBytes.buffer);

function isStamp(name: number): boolean {
  switch (name) {
    case SO_TIMESTAMP_OLD:
    case SO_TIMESTAMP_NEW:
    case SO_TIMESTAMPNS_OLD:
    case SO_TIMESTAMPNS_NEW:
      return true;
  }
  return false;
}

/** 0x0800 for bytes 08 00: protocols are in network order. */
function swap(protocol: number): number {
  return ((protocol & 0xff) << 8) | ((protocol >>> 8) & 0xff);
}

export class PacketSocket extends QueueSocket<Frame> implements PacketTap, BlockUser, FrameSender {
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
  private readonly time: TimeSource;
  private readonly rings: PacketRings;
  /** SO_TIMESTAMP or one of its like, 0 for none. */
  private stamp = 0;
  /** What PACKET_HDRLEN asks about is in the caller's memory: answered before the option is read. */
  private headerLength = -EINVAL;
  /** Where the ring sends to, while it does. */
  private target: Link | null = null;
  private targetProtocol = 0;
  private targetAddress: Uint8Array = new Uint8Array(MAC_SIZE);

  /** `protocol` is in network order, as socket(2) has it. */
  constructor(
    ctx: VfsContext,
    links: InetNamespace,
    stack: Stack,
    beside: Set<PacketSocket>,
    memfile: MemoryFile,
    type: number,
    protocol: number,
    flags: number,
  ) {
    super(ctx, AF_PACKET, type, protocol, flags);
    this.links = links;
    this.stack = stack;
    this.beside = beside;
    beside.add(this);
    this.time = ctx.time;
    this.rings = new PacketRings(memfile, stack.clock, this);
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
    if (packet.sum === SUM_MISSING) seen.status = TP_STATUS_CSUMNOTREADY;
    else seen.status = packet.sum === SUM_GOOD && !outgoing ? TP_STATUS_CSUM_VALID : 0;
    const { rx } = this.rings;
    // Whoever opened it pays: frames come by what others do.
    if (rx === null && !this.hasRoom(length - at, this.payer)) {
      this.dropped++;
      return;
    }
    const view = seenView;
    view.setUint16(SOCKADDR_LL_SLL_FAMILY, AF_PACKET, true);
    view.setUint16(SOCKADDR_LL_SLL_PROTOCOL, protocol);
    view.setInt32(SOCKADDR_LL_SLL_IFINDEX, link.ifindex, true);
    view.setUint16(SOCKADDR_LL_SLL_HATYPE, link.hardware, true);
    view.setUint8(SOCKADDR_LL_SLL_PKTTYPE, packetType);
    view.setUint8(SOCKADDR_LL_SLL_HALEN, MAC_SIZE);
    seen.address.set(frame.subarray(MAC_SIZE, 2 * MAC_SIZE), SOCKADDR_LL_SLL_ADDR);
    if (rx !== null) {
      seen.bytes = frame;
      seen.from = at;
      seen.snapLength = length - at;
      seen.headerSize = this.raw ? Math.min(ETHERNET_SIZE, frame.length) : 0;
      seen.sec = this.time.realtimeSec();
      seen.nsec = this.time.realtimeNsec;
      if (rx.put(seen, this.dropped > 0)) this.seen++;
      else this.dropped++;
      // A block that is not full wakes nobody: its timer does.
      if (this.rings.version !== TPACKET_V3) this.waiters.wake(READ_EVENTS);
      return;
    }
    this.seen++;
    // A copy when it was cut: the rest would be kept without being paid for.
    const bytes = length < frame.length ? frame.slice(at, length) : frame.subarray(at, length);
    const nowNs = this.stack.clock.monotonicNs();
    this.push(new Frame(bytes, frame.length - at, seen.address.slice(), nowNs, seen.status, this.payer));
  }

  /** BlockUser. */
  blockReady(): void {
    this.waiters.wake(READ_EVENTS);
  }

  get losing(): boolean {
    return this.dropped > 0;
  }

  realtimeSec(): number {
    return this.time.realtimeSec();
  }

  get realtimeNsec(): number {
    return this.time.realtimeNsec;
  }

  override mmap(): Mappable | number {
    return this.rings.any ? this.rings.pages : -EINVAL;
  }

  /** packet_mmap(): all rings at once, or nothing. */
  override mayMap(pgoff: number, pages: number): number {
    return pgoff === 0 && pages === this.rings.pages.pages ? 0 : -EINVAL;
  }

  override poll(): number {
    const { rx, tx } = this.rings;
    let events = super.poll();
    if (rx?.readable === true) events |= READ_EVENTS;
    if (tx?.writable === true) events |= WRITE_EVENTS;
    return events;
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
    if (this.rings.tx !== null) return this.sendRing(link, protocol, to);
    const size = io.remaining;
    if (size > link.mtu + (this.raw ? HEADERS : 0)) return -EMSGSIZE;
    if (this.raw && size < ETHERNET_SIZE) return -EINVAL;
    if (!kernelMemory.fits(size + MESSAGE_OVERHEAD)) return -ENOBUFS;
    const head = this.raw ? 0 : ETHERNET_SIZE;
    const frame = new Uint8Array(head + size);
    if (!this.raw) putHeader(frame, link, to, protocol);
    if (size > 0 && io.take(frame, head, size) !== size) return -EFAULT;
    const r = sendRawFrame(link, frame);
    this.stack.flush();
    return r < 0 ? r : size;
  }

  /** tpacket_snd(): what the ring holds, whatever the call's own bytes are. */
  private sendRing(link: Link, protocol: number, to: Uint8Array): number {
    const { rings } = this;
    this.target = link;
    this.targetProtocol = protocol;
    this.targetAddress = to;
    const most = link.mtu + (this.raw ? HEADERS : 4);
    const r = rings.tx!.send(this, most, this.raw, rings.skipsBad, rings.hasOffset);
    this.target = null;
    this.stack.flush();
    return r;
  }

  /** FrameSender. */
  sendFrame(bytes: Uint8Array): number {
    const link = this.target!;
    if (this.raw) return bytes.length < ETHERNET_SIZE ? -EINVAL : sendRawFrame(link, bytes);
    const frame = new Uint8Array(ETHERNET_SIZE + bytes.length);
    putHeader(frame, link, this.targetAddress, this.targetProtocol);
    frame.set(bytes, ETHERNET_SIZE);
    return sendRawFrame(link, frame);
  }

  protected override tell(ctx: VfsContext, f: Frame, msg: Message): void {
    this.receivedNs = f.atNs;
    msg.addr.bytes.set(f.address, 0);
    msg.addr.len = SIZEOF_SOCKADDR_LL;
    if (this.stamp !== 0) {
      this.putReceived(ctx, stampView, this.stamp === SO_TIMESTAMP_OLD || this.stamp === SO_TIMESTAMP_NEW);
      msg.putControl(SOL_SOCKET, this.stamp, stampBytes);
    }
    if (((this.switches >>> PACKET_AUXDATA) & 1) === 0) return;
    // struct tpacket_auxdata: nothing is tagged.
    aux.fill(0);
    auxView.setUint32(TPACKET_AUXDATA_TP_STATUS, TP_STATUS_USER | f.status, true);
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
    this.putReceived(ctx, scratchView, cmd === SIOCGSTAMP);
    return ctx.mem.copyOutExact(arg, scratch, 0, 16);
  }

  /** The same as struct timeval or struct timespec. */
  private putReceived(ctx: VfsContext, view: DataView, isUsec: boolean): void {
    const sec = ctx.time.realtimeSec();
    const nsec = ctx.time.realtimeNsec + this.receivedNs - ctx.time.monotonicNs();
    const back = nsec < 0 ? Math.ceil(-nsec / NS_PER_SEC) : 0;
    const left = Math.floor(nsec + back * NS_PER_SEC);
    putU64(view, 0, sec - back);
    putU64(view, 8, isUsec ? Math.floor(left / 1000) : left);
  }

  override getsockopt(ctx: VfsContext, level: number, name: number, len: number): number {
    if (level === SOL_SOCKET && isStamp(name)) return putIntOption(this.stamp === name ? 1 : 0, len);
    if (level !== SOL_PACKET) return super.getsockopt(ctx, level, name, len);
    switch (name) {
      case PACKET_STATISTICS:
        // struct tpacket_stats: all that came, and those of them that were dropped; from zero again then.
        scratchView.setUint32(0, this.seen + this.dropped, true);
        scratchView.setUint32(4, this.dropped, true);
        this.seen = 0;
        this.dropped = 0;
        if (this.rings.version !== TPACKET_V3) return Math.min(8, len);
        scratchView.setUint32(8, this.rings.rx?.takeFreezes() ?? 0, true);
        return Math.min(12, len);
      case PACKET_IGNORE_OUTGOING:
        return putIntOption(this.ignoresOutgoing ? 1 : 0, len);
      case PACKET_AUXDATA:
      case PACKET_ORIGDEV:
        return putIntOption((this.switches >>> name) & 1, len);
      case PACKET_HDRLEN:
        return this.headerLength;
    }
    return this.rings.getOption(name, len);
  }

  override getLargeOption(ctx: VfsContext, level: number, name: number, addr: number, len: number): number {
    if (level === SOL_PACKET && name === PACKET_HDRLEN) {
      if (len < 4) return -EINVAL;
      if (ctx.mem.copyInExact(addr, scratch, 0, 4) !== 0) return -EFAULT;
      const version = scratchView.getInt32(0, true);
      this.headerLength = isVersion(version) ? putIntOption(headerSize(version), len) : -EINVAL;
    }
    return NOT_LARGE;
  }

  override setsockopt(ctx: VfsContext, level: number, name: number, len: number): number {
    if (level === SOL_SOCKET && isStamp(name)) {
      if (len < 4) return -EINVAL;
      this.stamp = scratchView.getInt32(0, true) !== 0 ? name : 0;
      return 0;
    }
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
      case PACKET_RX_RING:
      case PACKET_TX_RING:
        return this.setRing(name === PACKET_TX_RING, len);
    }
    return this.rings.setOption(name, len);
  }

  /** A ring takes the place of the queue, and the other way round. */
  private setRing(isTx: boolean, len: number): number {
    const r = this.rings.set(isTx, scratchView, len);
    if (r === 0 && !isTx) this.purge();
    return r;
  }

  protected override release(): void {
    this.rings.drop();
    if (this.heardProtocol !== 0) this.stack.removeTap(this);
    this.beside.delete(this);
    super.release();
  }
}

function putHeader(frame: Uint8Array, link: Link, to: Uint8Array, protocol: number): void {
  frame.set(to, 0);
  frame.set(link.address.subarray(0, MAC_SIZE), MAC_SIZE);
  frame[12] = protocol >>> 8;
  frame[13] = protocol & 0xff;
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
