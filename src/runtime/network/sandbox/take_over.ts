// TakenNetwork: the interfaces of our network namespace as those of a stack. While the sandbox runs, the host's kernel has no address there,
// or it would answer too: resets for connections that it does not know.

import { closeSync, openSync, writeSync } from 'node:fs';
import { EADDRNOTAVAIL, EPERM, errnoName } from '../../../abi/errno.ts';
import { ARPHRD_ETHER, IFF_BROADCAST, IFF_MULTICAST } from '../../../abi/net/if.ts';
import {
  decodeIfaddrmsg,
  IFA_CACHEINFO,
  IFA_F_NODAD,
  IFA_F_PERMANENT,
  IFA_F_TENTATIVE,
  IFA_FLAGS,
  IFADDRMSG_IFA_FLAGS,
  SIZEOF_IFADDRMSG,
} from '../../../abi/net/if_addr.ts';
import {
  decodeNdmsg,
  NDA_LLADDR,
  NDMSG_NDM_STATE,
  NUD_NOARP,
  NUD_PERMANENT,
  NUD_STALE,
  SIZEOF_NDMSG,
} from '../../../abi/net/neighbour.ts';
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLMSG_HDRLEN } from '../../../abi/net/netlink.ts';
import {
  decodeRtmsg,
  RT_TABLE_LOCAL,
  RTA_CACHEINFO,
  RTA_MULTIPATH,
  RTA_OIF,
  RTA_TABLE,
  RTM_DELADDR,
  RTM_NEWADDR,
  RTM_NEWNEIGH,
  RTM_NEWROUTE,
  RTMSG_RTM_FLAGS,
  RTPROT_KERNEL,
  RTPROT_RA,
  SIZEOF_RTMSG,
} from '../../../abi/net/rtnetlink.ts';
import { AF_INET6 } from '../../../abi/net/socket.ts';
import { HostNetlink } from '../../../host/netlink.ts';
import type { HostPoller } from '../../../host/poller.ts';
import { complain } from '../../../host/write_all.ts';
import { Link } from '../../../net/link/link.ts';
import type { Stack } from '../../../net/stack.ts';
import { type HostFrames, openPacketSocket } from '../../../sentry/socket/host_link.ts';
import type { NetlinkRequest } from '../../../sentry/socket/netlink/protocol.ts';
import { Attributes } from '../../../sentry/socket/netlink/reader.ts';
import { newAddr } from '../../../sentry/socket/netlink/route/addr.ts';
import { newNeigh } from '../../../sentry/socket/netlink/route/neigh.ts';
import { newRoute } from '../../../sentry/socket/netlink/route/route.ts';
import { newRule } from '../../../sentry/socket/netlink/route/rule.ts';
import { STATUS_USAGE, StartError } from '../../options.ts';
import {
  type HostConfig,
  type HostLink,
  isMachineNetwork,
  readHostConfig,
  readSetting,
  viewOf,
} from './host_config.ts';

const FLAG = '--network=sandbox';
/** struct ifa_cacheinfo counts seconds: preferred, valid. struct rta_cacheinfo counts hundredths, at 8. */
const FOREVER = 0xffffffff;
const TICK_NS = 1e7;
const RTA_EXPIRES = 8;
const OWN_NETWORK =
  'fix: a network namespace of its own, as in: ip netns exec NAME vedette do --network=sandbox ...; or --network=user';

function refuse(why: string): never {
  throw new StartError(`${FLAG}: ${why}`, STATUS_USAGE);
}

function warn(text: string): void {
  complain(`vedette: ${FLAG}: ${text}\n`);
}

function failure(what: string, error: number): never {
  if (error === -EPERM)
    refuse(
      `${what} needs CAP_NET_RAW and CAP_NET_ADMIN over this network namespace; fix: start it as root there, or --network=user, which needs nothing`,
    );
  refuse(`${what}: ${errnoName(-error)}`);
}

function requestOf(message: Uint8Array, flags: number): NetlinkRequest {
  return { view: viewOf(message), at: 0, end: message.length, type: 0, flags, seq: 0, pid: 0 };
}

/** A dumped address without duplicate address detection: nobody had it meanwhile. */
function certain(message: Uint8Array): Uint8Array {
  const copy = message.slice();
  const view = viewOf(copy);
  const head = decodeIfaddrmsg(view, NLMSG_HDRLEN);
  if (head.family !== AF_INET6) return copy;
  const at = new Attributes(view, NLMSG_HDRLEN + SIZEOF_IFADDRMSG, copy.length).get(IFA_FLAGS)?.at;
  const flags = (head.flags & ~IFA_F_TENTATIVE) | IFA_F_NODAD;
  view.setUint8(NLMSG_HDRLEN + IFADDRMSG_IFA_FLAGS, flags);
  if (at !== undefined) view.setUint32(at, (view.getUint32(at, true) & ~IFA_F_TENTATIVE) | IFA_F_NODAD, true);
  return copy;
}

/** The interface of a dumped route; 0 for none. */
function interfaceOf(message: Uint8Array): number {
  return new Attributes(viewOf(message), NLMSG_HDRLEN + SIZEOF_RTMSG, message.length).u32(RTA_OIF) ?? 0;
}

/** Does the route come by itself, with an address or an interface? */
function comesByItself(message: Uint8Array): boolean {
  const view = viewOf(message);
  const head = decodeRtmsg(view, NLMSG_HDRLEN);
  const table =
    new Attributes(view, NLMSG_HDRLEN + SIZEOF_RTMSG, message.length).u32(RTA_TABLE) ?? head.table;
  return table === RT_TABLE_LOCAL || head.protocol === RTPROT_KERNEL;
}

export class TakenNetwork {
  private readonly stack: Stack;
  private readonly netlink: HostNetlink;
  private readonly config: HostConfig;
  private readonly frames: HostFrames[] = [];
  /** Those that were taken over. */
  private readonly taken: HostLink[] = [];
  /** The settings with which IPv6 was turned off, open: at the end this process may open nothing to write (lockdown/). */
  private readonly silenced: number[] = [];
  private removed = false;

  /** Takes all interfaces that are up; `mtu` lowers theirs when it is not 0. Throws StartError, with everything put back. */
  constructor(stack: Stack, poller: HostPoller, mtu: number) {
    this.stack = stack;
    const own = isMachineNetwork();
    if (own === null)
      refuse('/proc/sys/net is not there, so nobody can tell whose network this is; fix: mount /proc');
    if (own)
      refuse(`this is the network of the machine itself, which would lose its addresses; ${OWN_NETWORK}`);
    const netlink = HostNetlink.open();
    if (typeof netlink === 'number') failure('rtnetlink', netlink);
    this.netlink = netlink;
    try {
      this.config = readHostConfig(netlink);
      for (const link of this.config.links) this.open(link, poller, mtu);
      if (this.taken.length === 0) warn('no interface is up here besides lo');
      this.removeFromHost();
      this.fill();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  private open(from: HostLink, poller: HostPoller, mtu: number): void {
    if (from.hardware !== ARPHRD_ETHER) {
      warn(`${from.name} is left out: it is no Ethernet`);
      return;
    }
    if (mtu > from.mtu)
      refuse(
        `--mtu ${mtu}: ${from.name} takes ${from.mtu}; fix: --mtu ${from.mtu}, or ip link set ${from.name} mtu ${mtu}`,
      );
    const frames = openPacketSocket(from.ifindex, true);
    if (typeof frames === 'number') failure(`a packet socket on ${from.name}`, frames);
    this.frames.push(frames);
    const link = new Link(
      from.name,
      frames.device,
      ARPHRD_ETHER,
      mtu > 0 ? mtu : from.mtu,
      IFF_BROADCAST | IFF_MULTICAST,
      from.address,
    );
    link.txQueueLength = from.queueLength;
    const r = this.stack.addLink(link, from.ifindex);
    if (r < 0) refuse(`${from.name}: ${errnoName(-r)}`);
    this.taken.push(from);
    frames.watch(poller);
  }

  private has(ifindex: number): boolean {
    return this.taken.some((link) => link.ifindex === ifindex);
  }

  private *ownAddresses(): Generator<Uint8Array> {
    for (const message of this.config.addresses)
      if (this.has(decodeIfaddrmsg(viewOf(message), NLMSG_HDRLEN).index)) yield message;
  }

  /** From now on the host's kernel is silent there. */
  private removeFromHost(): void {
    this.removed = true;
    for (const { name } of this.taken) {
      // Without it the kernel would go on to make itself addresses of what routers advertise.
      if (readSetting(`ipv6/conf/${name}/disable_ipv6`) !== '0') continue;
      try {
        const fd = openSync(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, 'r+');
        this.silenced.push(fd);
        writeSync(fd, '1', 0);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        warn(`IPv6 of the host's kernel stays on at ${name} (${code}): it may answer as well`);
      }
    }
    for (const message of this.ownAddresses()) {
      const r = this.netlink.request(message, RTM_DELADDR, 0);
      // It went with another one, or with IPv6.
      if (r < 0 && r !== -EADDRNOTAVAIL) failure('to take addresses over', r);
    }
  }

  /** Gives the stack what the host's kernel had. */
  private fill(): void {
    const { stack, config } = this;
    for (const message of this.ownAddresses()) this.fillAddress(message);
    for (const link of this.taken) stack.setUp(stack.link(link.ifindex)!, true);
    // Routers are asked for what they said to the host's kernel, and how long it holds.
    for (const a of stack.addresses.all) if (a.usable && this.has(a.ifindex)) stack.addressReady(a);
    for (const message of config.routes) if (!comesByItself(message)) this.fillRoute(message);
    for (const message of config.neighbours) this.fillNeighbour(message);
    for (const message of config.rules) newRule(stack, requestOf(message, NLM_F_CREATE | NLM_F_EXCL));
    const group = readSetting('ipv4/ping_group_range')?.split(/\s+/).map(Number) ?? [];
    if (group.length === 2)
      [stack.sysctl.pingGroupLow, stack.sysctl.pingGroupHigh] = group as [number, number];
    stack.sysctl.ipForward = readSetting('ipv4/ip_forward') === '1';
    stack.sysctl.ip6Forwarding = readSetting('ipv6/conf/all/forwarding') === '1';
  }

  private fillAddress(message: Uint8Array): void {
    const a = newAddr(this.stack, requestOf(certain(message), NLM_F_CREATE));
    if (typeof a === 'number') {
      warn(`an address cannot be taken over: ${errnoName(-a)}`);
      return;
    }
    const view = viewOf(message);
    const attrs = new Attributes(view, NLMSG_HDRLEN + SIZEOF_IFADDRMSG, message.length);
    const life = attrs.get(IFA_CACHEINFO);
    const flags = attrs.u32(IFA_FLAGS) ?? view.getUint8(NLMSG_HDRLEN + IFADDRMSG_IFA_FLAGS);
    a.flags |= flags & IFA_F_PERMANENT;
    a.fromRouter = !a.address.isV4 && (flags & IFA_F_PERMANENT) === 0;
    if (life === undefined || life.size < 8) return;
    const untilNs = (at: number): number => {
      const seconds = view.getUint32(at, true);
      return seconds === FOREVER ? Number.POSITIVE_INFINITY : this.stack.clock.monotonicNs() + seconds * 1e9;
    };
    a.preferredUntilNs = untilNs(life.at);
    a.validUntilNs = untilNs(life.at + 4);
    this.stack.lifetimes.schedule();
  }

  private fillRoute(message: Uint8Array): void {
    const oif = interfaceOf(message);
    if (oif !== 0 && this.stack.link(oif) === null) return;
    const route = newRoute(this.stack, requestOf(message, NLM_F_CREATE));
    const view = viewOf(message);
    const attrs = new Attributes(view, NLMSG_HDRLEN + SIZEOF_RTMSG, message.length);
    if (typeof route === 'number') {
      const why = attrs.has(RTA_MULTIPATH) ? 'it has several next hops' : errnoName(-route);
      warn(`a route cannot be taken over: ${why}`);
      return;
    }
    const cache = attrs.get(RTA_CACHEINFO);
    const ticks = cache === undefined || cache.size < 12 ? 0 : view.getInt32(cache.at + RTA_EXPIRES, true);
    if (ticks <= 0) return;
    route.expiresNs = this.stack.clock.monotonicNs() + ticks * TICK_NS;
    this.stack.lifetimes.schedule();
  }

  /** Those that somebody set stay, others are asked again before long. */
  private fillNeighbour(message: Uint8Array): void {
    const copy = message.slice();
    const view = viewOf(copy);
    const head = decodeNdmsg(view, NLMSG_HDRLEN);
    const attrs = new Attributes(view, NLMSG_HDRLEN + SIZEOF_NDMSG, copy.length);
    // Groups are NOARP ones: their addresses follow from theirs.
    if (!this.has(head.ifindex) || !attrs.has(NDA_LLADDR) || (head.state & NUD_NOARP) !== 0) return;
    if ((head.state & NUD_PERMANENT) === 0) view.setUint16(NLMSG_HDRLEN + NDMSG_NDM_STATE, NUD_STALE, true);
    newNeigh(this.stack, requestOf(copy, NLM_F_CREATE));
  }

  /** Gives the host's kernel back what it had. */
  close(): void {
    for (const frames of this.frames) frames.close();
    if (this.removed) this.restore();
    this.netlink.close();
  }

  private restore(): void {
    this.removed = false;
    for (const fd of this.silenced.splice(0)) {
      try {
        writeSync(fd, '0', 0);
        closeSync(fd);
      } catch {}
    }
    const put = NLM_F_CREATE | NLM_F_REPLACE;
    for (const message of this.ownAddresses()) this.netlink.request(certain(message), RTM_NEWADDR, put);
    for (const message of this.config.routes) {
      const oif = interfaceOf(message);
      if (!this.has(oif) || comesByItself(message)) continue;
      const copy = message.slice();
      const view = viewOf(copy);
      if (decodeRtmsg(view, NLMSG_HDRLEN).protocol === RTPROT_RA) continue;
      // What the kernel found out about the route itself: it takes none of it.
      view.setUint32(NLMSG_HDRLEN + RTMSG_RTM_FLAGS, 0, true);
      this.netlink.request(copy, RTM_NEWROUTE, put);
    }
    for (const message of this.config.neighbours) {
      const { ifindex, state } = decodeNdmsg(viewOf(message), NLMSG_HDRLEN);
      if (this.has(ifindex) && (state & NUD_PERMANENT) !== 0)
        this.netlink.request(message.slice(), RTM_NEWNEIGH, put);
    }
  }
}
