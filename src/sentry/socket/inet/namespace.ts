// InetNamespace: what the Internet sockets of one network namespace share: its stack, the way out, settings, the list of sockets.

import type { IpAddress } from '../../../net/address.ts';
import type { DatagramEndpoint, StreamEndpoint } from '../../../net/endpoint.ts';
import type { Filter } from '../../../net/filter/filter.ts';
import type { Stack } from '../../../net/stack.ts';
import type { NetSysctl } from '../../../net/sysctl.ts';
import type { TcpCounters, TcpSysctl } from '../../../net/tcp/sysctl.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import type { SocketFamily } from '../family.ts';
import type { InodeLike, Links, LinkView } from './links.ts';
import type { Outside } from './outside.ts';

/** Who has a stack. */
export interface EndListener {
  /** Somebody has it again. */
  readonly inUse: boolean;
  ended(): void;
}

/** A stack of ours, as tables look at it. */
export interface OwnStack {
  readonly stack: Stack;
  readonly tcpCounters: TcpCounters;
}

/** What sockets ask of a stack. */
export interface SocketStack extends Links {
  /** `payer` pays for what it holds. */
  stream(family: number, payer: Account, uid: number): StreamEndpoint | number;
  datagram(family: number, type: number, protocol: number, payer: Account): DatagramEndpoint | number;
  /** Connections that are over but rest: TIME-WAIT. */
  timeWaits(): Iterable<Waiting>;
  /** Delivers what a call has sent to this machine itself: whoever calls an endpoint calls this afterwards. */
  flush(): void;
  readonly net: NetSysctl;
  readonly tcp: TcpSysctl;
  /** What tables show; null when the packets are somebody else's. */
  readonly own: OwnStack | null;
  /** Does a route lead there? */
  reaches(address: IpAddress): boolean;
  /** An address of an interface. */
  isLocal(address: IpAddress): boolean;
  /** The first IPv4 address of an interface; 0 for none. */
  addressOf(index: number): number;
  /** Answers for an address beside those of its interfaces. */
  addLocal(address: IpAddress): void;
  /** Its packet filter; null where packets are not its own. */
  filter(): Filter | null;
  /** Nobody has the namespace any more: no timer stays. Tells `listener` when it is over, at once or later. */
  end(listener: EndListener): void;
}

/** A connection in TIME-WAIT, which has no socket any more. */
export interface Waiting {
  readonly v6: boolean;
  readonly local: IpAddress;
  readonly localPort: number;
  readonly remote: IpAddress;
  readonly remotePort: number;
}

/** A socket as tables show it. */
export interface InetMember {
  readonly family: number;
  readonly type: number;
  readonly protocol: number;
  readonly inode: InodeLike;
  readonly refs: number;
  /** SO_COOKIE. */
  readonly cookie: number;
  readonly options: { readonly rcvbuf: number; readonly sndbuf: number };
  readonly tos: number;
  readonly tclass: number;
  readonly v6only: boolean;
  /** TCP_ESTABLISHED, ...: of datagrams, TCP_CLOSE until they are connected. */
  readonly shownState: number;
  readonly endpoint: {
    readonly local: { readonly address: IpAddress; readonly port: number } | null;
    readonly remote: { readonly address: IpAddress; readonly port: number } | null;
    getOption(level: number, name: number): number;
    readonly optionValue: number;
  };
  readonly sendQueue: number;
  readonly receiveQueue: number;
}

/** Namespaces that were made: SO_NETNS_COOKIE, and the number that /proc/PID/ns/net shows. */
let made = 0;

export class InetNamespace implements EndListener {
  /** The runtime may put the host's in place of it before anything runs. */
  stack: SocketStack;
  outside: Outside | null = null;
  /** The stack that its interfaces are in, whatever serves its sockets. */
  home: Stack | null = null;
  /** AF_NETLINK, AF_PACKET: by AF_*. */
  readonly families: Map<number, SocketFamily> = new Map();
  /** Every socket that is not closed: /proc/net. */
  readonly sockets: Set<InetMember> = new Set();
  /** SO_NETNS_COOKIE. */
  readonly cookie: number = ++made;
  private lastCookie = 0;

  /** Threads, sockets and descriptors that have it. */
  private users = 0;
  private payer: Account | null = null;
  private bytes = 0;

  constructor(stack: SocketStack) {
    this.stack = stack;
  }

  /** Who pays for it until the last user has let it go. */
  onEnd(payer: Account, bytes: number): void {
    this.payer = payer;
    this.bytes = bytes;
  }

  hold(): this {
    this.users++;
    return this;
  }

  drop(): void {
    if (--this.users === 0 && this.payer !== null) this.stack.end(this);
  }

  get inUse(): boolean {
    return this.users > 0;
  }

  ended(): void {
    if (this.payer === null) return;
    kernelMemory.give(this.payer, this.bytes);
    this.payer = null;
  }

  /** SO_COOKIE of a new socket. */
  nextCookie(): number {
    return ++this.lastCookie;
  }

  /** /proc/sys/net. */
  get net(): NetSysctl {
    return this.stack.net;
  }

  get tcp(): TcpSysctl {
    return this.stack.tcp;
  }

  flush(): void {
    this.stack.flush();
  }

  reaches(address: IpAddress): boolean {
    return this.stack.reaches(address);
  }

  isLocal(address: IpAddress): boolean {
    return this.stack.isLocal(address);
  }

  addressOf(index: number): number {
    return this.stack.addressOf(index);
  }

  linkByIndex(index: number): LinkView | null {
    return this.stack.linkByIndex(index);
  }

  linkByName(name: string): LinkView | null {
    return this.stack.linkByName(name);
  }

  linkOfAddress(address: IpAddress): number {
    return this.stack.linkOfAddress(address);
  }
}
