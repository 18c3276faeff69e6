// NetlinkSocket: netlink(7). Requests are handled while they are sent; answers lie in the socket's queue until they are read.

import {
  EADDRINUSE,
  ECONNREFUSED,
  EFAULT,
  EINVAL,
  EMSGSIZE,
  ENOBUFS,
  ENOPROTOOPT,
  ENOTCONN,
  EOPNOTSUPP,
  EPERM,
} from '../../../abi/errno.ts';
import { POLLERR } from '../../../abi/events/poll.ts';
import {
  encodeSockaddrNl,
  NETLINK_ADD_MEMBERSHIP,
  NETLINK_BROADCAST_ERROR,
  NETLINK_CAP_ACK,
  NETLINK_DROP_MEMBERSHIP,
  NETLINK_EXT_ACK,
  NETLINK_GET_STRICT_CHK,
  NETLINK_LIST_MEMBERSHIPS,
  NETLINK_LISTEN_ALL_NSID,
  NETLINK_NO_ENOBUFS,
  NETLINK_PKTINFO,
  NLM_F_ACK,
  NLM_F_CAPPED,
  NLM_F_REQUEST,
  NLMSG_ERROR,
  NLMSG_MIN_TYPE,
  NLMSGERR_ERROR,
  NLMSGERR_MSG,
  NLMSGHDR_NLMSG_FLAGS,
  NLMSGHDR_NLMSG_SEQ,
  NLMSGHDR_NLMSG_TYPE,
  SIZEOF_NLMSGERR,
  SIZEOF_NLMSGHDR,
  SIZEOF_SOCKADDR_NL,
  SOCKADDR_NL_NL_GROUPS,
  SOCKADDR_NL_NL_PID,
} from '../../../abi/net/netlink.ts';
import {
  AF_NETLINK,
  AF_UNSPEC,
  MSG_OOB,
  SCM_CREDENTIALS,
  SO_PASSCRED,
  SOL_NETLINK,
  SOL_SOCKET,
} from '../../../abi/net/socket.ts';
import { CAP_NET_ADMIN } from '../../../abi/process/capability.ts';
import { kernelMemory } from '../../base/charge.ts';
import type { Io } from '../../base/io.ts';
import { countUnsupported } from '../../base/log.ts';
import { scratchView } from '../../base/scratch.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { Message, SockAddr } from '../message.ts';
import { putIntOption } from '../options.ts';
import { MESSAGE_OVERHEAD, QueuedMessage, QueueSocket } from '../queue_socket.ts';
import { READ_EVENTS } from '../socket.ts';
import type { NetlinkPeers, NetlinkProtocol } from './protocol.ts';
import { NetlinkWriter } from './writer.ts';

/** Ports that the kernel gives when the process's own is taken (netlink_autobind). */
const FIRST_AUTO = -4096;
/** What SO_SNDBUF must leave free beyond the longest message. */
const RESERVE = 32;
/** struct nl_pktinfo. */
const pktinfo = new Uint8Array(4);
const pktinfoView = new DataView(pktinfo.buffer);
/** The kernel's own credentials: pid 0, root. */
const kernelCred = new Uint8Array(12);

/** One message in the queue. */
class Queued extends QueuedMessage {
  readonly from: number;
  /** The group that it was sent to; 0 for none. */
  readonly group: number;

  constructor(bytes: Uint8Array, from: number, group: number) {
    super(bytes);
    this.from = from;
    this.group = group;
  }
}

export class NetlinkSocket extends QueueSocket<Queued> {
  protected readonly oobError = -EOPNOTSUPP;
  readonly ns: NetlinkPeers<NetlinkSocket>;
  private readonly handler: NetlinkProtocol;
  /** The address's pid; 0 until it is bound. */
  port = 0;
  private bound = false;
  private peerPort = 0;
  private peerGroups = 0;
  private connected = false;
  /** Groups that are heard, from 1 on. */
  private readonly groups: Set<number> = new Set();
  drops = 0;
  private passcred = false;
  /** NETLINK_* options that are on: bit n for option n. */
  private switches = 0;

  constructor(
    ctx: VfsContext,
    ns: NetlinkPeers<NetlinkSocket>,
    handler: NetlinkProtocol,
    type: number,
    protocol: number,
    flags: number,
  ) {
    super(ctx, AF_NETLINK, type, protocol, flags);
    this.ns = ns;
    this.handler = handler;
  }

  hears(group: number): boolean {
    return this.groups.has(group);
  }

  /** The first 32 groups, as addresses tell them. */
  get groupMask(): number {
    let mask = 0;
    for (const g of this.groups) if (g <= 32) mask |= 1 << (g - 1);
    return mask >>> 0;
  }

  override bind(ctx: VfsContext, addr: SockAddr): number {
    if (addr.len < SIZEOF_SOCKADDR_NL || addr.family !== AF_NETLINK) return -EINVAL;
    const mask = addr.view.getUint32(SOCKADDR_NL_NL_GROUPS, true);
    if (mask !== 0 && !this.mayHear(ctx)) return -EPERM;
    const port = addr.view.getInt32(SOCKADDR_NL_NL_PID, true);
    if (this.bound) {
      if (port !== this.port) return -EINVAL;
    } else {
      const r = port === 0 ? this.autobind(ctx) : this.take(port);
      if (r < 0) return r;
    }
    for (let g = 1; g <= 32; g++) {
      if (((mask >>> (g - 1)) & 1) === 0) this.groups.delete(g);
      else if (g <= this.handler.groups) this.groups.add(g);
    }
    return 0;
  }

  private mayHear(ctx: VfsContext): boolean {
    return this.handler.anyoneHears || ctx.cred.capable(CAP_NET_ADMIN);
  }

  private take(port: number): number {
    if (!this.ns.claim(this, port)) return -EADDRINUSE;
    this.port = port;
    this.bound = true;
    return 0;
  }

  private autobind(ctx: VfsContext): number {
    if (this.take(ctx.tgid) === 0) return 0;
    // As many tries as there can be sockets.
    for (let i = 0; i <= this.ns.sockets.size; i++) if (this.take(FIRST_AUTO - i) === 0) return 0;
    return -EADDRINUSE;
  }

  override connect(ctx: VfsContext, addr: SockAddr): number {
    if (addr.len < 2) return -EINVAL;
    if (addr.family === AF_UNSPEC) {
      this.connected = false;
      this.peerPort = 0;
      this.peerGroups = 0;
      return 0;
    }
    if (addr.family !== AF_NETLINK || addr.len < SIZEOF_SOCKADDR_NL) return -EINVAL;
    const port = addr.view.getInt32(SOCKADDR_NL_NL_PID, true);
    const groups = addr.view.getUint32(SOCKADDR_NL_NL_GROUPS, true);
    if ((port !== 0 || groups !== 0) && !this.maySend(ctx)) return -EPERM;
    if (!this.bound) {
      const r = this.autobind(ctx);
      if (r < 0) return r;
    }
    this.connected = true;
    this.peerPort = port;
    this.peerGroups = groups;
    return 0;
  }

  private maySend(ctx: VfsContext): boolean {
    return this.handler.anyoneSends || ctx.cred.capable(CAP_NET_ADMIN);
  }

  override getsockname(addr: SockAddr): number {
    return putName(addr, this.port, this.groupMask);
  }

  override getpeername(addr: SockAddr): number {
    if (!this.connected) return -ENOTCONN;
    return putName(addr, this.peerPort, this.peerGroups);
  }

  override sendmsg(ctx: VfsContext, io: Io, msg: Message, flags: number): number {
    if ((flags & MSG_OOB) !== 0) return -EOPNOTSUPP;
    let port = this.peerPort;
    let groups = this.peerGroups;
    if (msg.addr.len > 0) {
      if (msg.addr.family !== AF_NETLINK || msg.addr.len < SIZEOF_SOCKADDR_NL) return -EINVAL;
      port = msg.addr.view.getInt32(SOCKADDR_NL_NL_PID, true);
      groups = msg.addr.view.getUint32(SOCKADDR_NL_NL_GROUPS, true);
      if ((port !== 0 || groups !== 0) && !this.maySend(ctx)) return -EPERM;
    }
    if (!this.bound) {
      const r = this.autobind(ctx);
      if (r < 0) return r;
    }
    const size = io.remaining;
    if (size > this.options.sndbuf - RESERVE) return -EMSGSIZE;
    if (!kernelMemory.fits(size + MESSAGE_OVERHEAD)) return -ENOBUFS;
    // A copy of our own: what a guest writes meanwhile is not seen.
    const bytes = new Uint8Array(size);
    if (size > 0 && io.take(bytes, 0, size) !== size) return -EFAULT;
    if (groups !== 0) {
      const group = 32 - Math.clz32(groups & -groups);
      this.ns.multicast(this.protocol, group, [bytes], this.port, this);
    }
    if (port !== 0) {
      const other = this.ns.find(this.protocol, port);
      if (other === undefined) return -ECONNREFUSED;
      return other.deliver(bytes, this.port, 0) ? size : -ENOBUFS;
    }
    if (groups === 0) this.handle(ctx, bytes);
    return size;
  }

  /** Requests to the kernel, one after the other (netlink_rcv_skb). */
  private handle(ctx: VfsContext, bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer);
    for (let at = 0; at + SIZEOF_NLMSGHDR <= bytes.length; ) {
      const length = view.getUint32(at, true);
      if (length < SIZEOF_NLMSGHDR || at + length > bytes.length) return;
      const type = view.getUint16(at + NLMSGHDR_NLMSG_TYPE, true);
      const flags = view.getUint16(at + NLMSGHDR_NLMSG_FLAGS, true);
      let r = 0;
      if ((flags & NLM_F_REQUEST) !== 0 && type >= NLMSG_MIN_TYPE) {
        const seq = view.getUint32(at + NLMSGHDR_NLMSG_SEQ, true);
        const request = { view, at, end: at + length, type, flags, seq, pid: this.port };
        r = this.handler.request(ctx, this, request);
      }
      // A dump is its own answer.
      if (r < 0 || ((flags & NLM_F_ACK) !== 0 && r === 0))
        this.acknowledge(bytes, view, at, length, Math.min(0, r));
      at += (length + 3) & ~3;
    }
  }

  /** NLMSG_ERROR: the request's header comes back, behind a failure all of it (netlink_ack). */
  private acknowledge(bytes: Uint8Array, view: DataView, at: number, length: number, error: number): void {
    const whole = error !== 0 && ((this.switches >>> NETLINK_CAP_ACK) & 1) === 0;
    const quoted = whole ? length : SIZEOF_NLMSGHDR;
    const seq = view.getUint32(at + NLMSGHDR_NLMSG_SEQ, true);
    const w = new NetlinkWriter(seq, this.port, 0);
    const extra = quoted - SIZEOF_NLMSGHDR;
    const body = w.begin(NLMSG_ERROR, SIZEOF_NLMSGERR + extra, whole ? 0 : NLM_F_CAPPED);
    w.header.setInt32(body + NLMSGERR_ERROR, error, true);
    for (let i = 0; i < quoted; i++) w.header.setUint8(body + NLMSGERR_MSG + i, bytes[at + i]!);
    w.end();
    for (const answer of w.finish()) this.deliver(answer, 0, 0);
  }

  /** Queues the answers to a request of this socket's: they come as it reads, and are charged to who asked. */
  answer(buffers: readonly Uint8Array[]): number {
    let size = 0;
    for (const b of buffers) size += b.length + MESSAGE_OVERHEAD;
    if (!kernelMemory.fits(size)) return -ENOBUFS;
    for (const b of buffers) this.enqueue(b, 0, 0);
    return 0;
  }

  /** A message from a port, to a group or to this socket alone; false when there is no room. */
  deliver(bytes: Uint8Array, from: number, group: number): boolean {
    if (!this.hasRoom(bytes.length)) {
      this.drops++;
      if (((this.switches >>> NETLINK_NO_ENOBUFS) & 1) === 0) {
        this.error = ENOBUFS;
        this.waiters.wake(READ_EVENTS | POLLERR);
      }
      return false;
    }
    this.enqueue(bytes, from, group);
    return true;
  }

  /** Queues what the filter lets through. */
  private enqueue(bytes: Uint8Array, from: number, group: number): void {
    const n = this.filter === null ? bytes.length : this.filter.admitsBytes(bytes);
    if (n === 0 && bytes.length > 0) return;
    this.push(new Queued(n < bytes.length ? bytes.subarray(0, n) : bytes, from, group));
  }

  protected override tell(_ctx: VfsContext, q: Queued, msg: Message): void {
    putName(msg.addr, q.from, q.group === 0 || q.group > 32 ? 0 : 1 << (q.group - 1));
    if (this.passcred) msg.putControl(SOL_SOCKET, SCM_CREDENTIALS, kernelCred);
    if (((this.switches >>> NETLINK_PKTINFO) & 1) === 0) return;
    pktinfoView.setUint32(0, q.group, true);
    msg.putControl(SOL_NETLINK, NETLINK_PKTINFO, pktinfo);
  }

  override getsockopt(ctx: VfsContext, level: number, name: number, len: number): number {
    if (level === SOL_SOCKET && name === SO_PASSCRED) return putIntOption(this.passcred ? 1 : 0, len);
    if (level !== SOL_NETLINK) return super.getsockopt(ctx, level, name, len);
    if (isSwitch(name)) return len < 4 ? -EINVAL : putIntOption((this.switches >>> name) & 1, len);
    if (name !== NETLINK_LIST_MEMBERSHIPS) return -ENOPROTOOPT;
    const words = (this.handler.groups + 31) >>> 5;
    const fit = Math.min(words, len >>> 2);
    for (let i = 0; i < fit; i++) scratchView.setUint32(4 * i, 0, true);
    for (const g of this.groups) {
      const at = 4 * ((g - 1) >>> 5);
      if (at < 4 * fit)
        scratchView.setUint32(at, scratchView.getUint32(at, true) | (1 << ((g - 1) & 31)), true);
    }
    return 4 * fit;
  }

  override setsockopt(ctx: VfsContext, level: number, name: number, len: number): number {
    const value = len >= 4 ? scratchView.getUint32(0, true) : 0;
    if (level === SOL_SOCKET && name === SO_PASSCRED) {
      if (len < 4) return -EINVAL;
      this.passcred = value !== 0;
      return 0;
    }
    if (level !== SOL_NETLINK) return super.setsockopt(ctx, level, name, len);
    if (len < 4) return -EINVAL;
    if (name === NETLINK_ADD_MEMBERSHIP || name === NETLINK_DROP_MEMBERSHIP) {
      if (!this.mayHear(ctx)) return -EPERM;
      if (value === 0 || value > this.handler.groups) return -EINVAL;
      if (name === NETLINK_ADD_MEMBERSHIP) this.groups.add(value);
      else this.groups.delete(value);
      return 0;
    }
    if (name === NETLINK_LISTEN_ALL_NSID && !ctx.cred.capable(CAP_NET_ADMIN)) return -EPERM;
    if (!isSwitch(name)) {
      countUnsupported(`setsockopt SOL_NETLINK ${name}`);
      return -ENOPROTOOPT;
    }
    if (value !== 0) this.switches |= 1 << name;
    else this.switches &= ~(1 << name);
    return 0;
  }

  protected override release(): void {
    this.ns.closed(this);
    super.release();
  }
}

function isSwitch(name: number): boolean {
  switch (name) {
    case NETLINK_PKTINFO:
    case NETLINK_BROADCAST_ERROR:
    case NETLINK_NO_ENOBUFS:
    case NETLINK_LISTEN_ALL_NSID:
    case NETLINK_CAP_ACK:
    case NETLINK_EXT_ACK:
    case NETLINK_GET_STRICT_CHK:
      return true;
  }
  return false;
}

function putName(addr: SockAddr, port: number, groups: number): number {
  encodeSockaddrNl(addr.view, 0, { family: AF_NETLINK, pid: port >>> 0, groups });
  addr.len = SIZEOF_SOCKADDR_NL;
  return 0;
}
