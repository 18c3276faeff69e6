// What the network namespace that we are in consists of, as rtnetlink(7) tells it: messages are kept as they came, since the stack
// of the sandbox and the host's kernel both understand them.

import { existsSync, readFileSync } from 'node:fs';
import { errnoName } from '../../../abi/errno.ts';
import { IFF_LOOPBACK, IFF_UP } from '../../../abi/net/if.ts';
import { IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_TXQLEN } from '../../../abi/net/if_link.ts';
import { NLMSG_HDRLEN } from '../../../abi/net/netlink.ts';
import {
  decodeIfinfomsg,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_GETNEIGH,
  RTM_GETROUTE,
  RTM_GETRULE,
  SIZEOF_IFINFOMSG,
} from '../../../abi/net/rtnetlink.ts';
import { AF_INET, AF_INET6 } from '../../../abi/net/socket.ts';
import type { HostNetlink } from '../../../host/netlink.ts';
import { Attributes } from '../../../sentry/socket/netlink/reader.ts';
import { STATUS_USAGE, StartError } from '../../options.ts';

export interface HostLink {
  readonly ifindex: number;
  readonly name: string;
  /** ARPHRD_*. */
  readonly hardware: number;
  readonly mtu: number;
  readonly queueLength: number;
  readonly address: Uint8Array;
}

/** Tables of the namespace, IPv4's before IPv6's. */
export interface HostConfig {
  /** Those that are up, without lo, by their index. */
  readonly links: readonly HostLink[];
  readonly addresses: readonly Uint8Array[];
  readonly routes: readonly Uint8Array[];
  readonly neighbours: readonly Uint8Array[];
  readonly rules: readonly Uint8Array[];
}

export function viewOf(message: Uint8Array): DataView {
  return new DataView(message.buffer, message.byteOffset, message.byteLength);
}

function linkOf(message: Uint8Array): HostLink | null {
  const view = viewOf(message);
  const head = decodeIfinfomsg(view, NLMSG_HDRLEN);
  if ((head.flags & IFF_UP) === 0 || (head.flags & IFF_LOOPBACK) !== 0) return null;
  const attrs = new Attributes(view, NLMSG_HDRLEN + SIZEOF_IFINFOMSG, message.length);
  return {
    ifindex: head.index,
    name: attrs.text(IFLA_IFNAME) ?? '',
    hardware: head.type,
    mtu: attrs.u32(IFLA_MTU) ?? 0,
    queueLength: attrs.u32(IFLA_TXQLEN) ?? 0,
    address: attrs.bytes(IFLA_ADDRESS) ?? new Uint8Array(0),
  };
}

/** Reads all of it. Throws StartError. */
export function readHostConfig(netlink: HostNetlink): HostConfig {
  const dump = (what: string, type: number, family: number): Uint8Array[] => {
    const all = netlink.dump(type, family);
    if (typeof all === 'number')
      throw new StartError(`--network=sandbox: ${what} cannot be read: ${errnoName(-all)}`, STATUS_USAGE);
    return all;
  };
  const both = (what: string, type: number): Uint8Array[] => {
    // A kernel without IPv6 answers with other families' tables, or not at all.
    const v6 = netlink.dump(type, AF_INET6);
    const own = typeof v6 === 'number' ? [] : v6.filter((m) => m[NLMSG_HDRLEN] === AF_INET6);
    return [...dump(what, type, AF_INET), ...own];
  };
  const links: HostLink[] = [];
  for (const message of dump('interfaces', RTM_GETLINK, 0)) {
    const link = linkOf(message);
    if (link !== null) links.push(link);
  }
  return {
    links: links.sort((a, b) => a.ifindex - b.ifindex),
    addresses: both('addresses', RTM_GETADDR),
    routes: both('routes', RTM_GETROUTE),
    neighbours: both('neighbours', RTM_GETNEIGH),
    rules: both('rules', RTM_GETRULE),
  };
}

const SYSCTL = '/proc/sys/net';

/** A setting of this namespace: its text, or null. */
export function readSetting(name: string): string | null {
  try {
    return readFileSync(`${SYSCTL}/${name}`, 'latin1').trim();
  } catch {
    return null;
  }
}

/**
 * Is this the network of the machine itself, whose connections would end if its addresses were taken? Only there a few settings exist that
 * are the same for all namespaces (net_core_table of the kernel). Null: nobody can tell.
 */
export function isMachineNetwork(): boolean | null {
  if (!existsSync(`${SYSCTL}/core/somaxconn`)) return null;
  return existsSync(`${SYSCTL}/core/netdev_max_backlog`);
}
