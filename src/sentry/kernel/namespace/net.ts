// Network namespaces: network_namespaces(7). Each has a stack of its own, at first with nothing but a loopback interface.

import { NETLINK_ROUTE, NETLINK_SOCK_DIAG } from '../../../abi/net/netlink.ts';
import { AF_NETLINK, AF_PACKET } from '../../../abi/net/socket.ts';
import type { Stack } from '../../../net/stack.ts';
import { Account, kernelMemory, USER_SHARE } from '../../base/charge.ts';
import type { MemoryFile } from '../../memfile/memfile.ts';
import { InetNamespace } from '../../socket/inet/namespace.ts';
import { makeStack } from '../../socket/inet/stack_port.ts';
import { SockDiagProtocol } from '../../socket/netlink/diag.ts';
import { NetlinkNamespace } from '../../socket/netlink/namespace.ts';
import { RouteProtocol } from '../../socket/netlink/route/protocol.ts';
import type { NetworkFinder } from '../../socket/netlink/route/world.ts';
import { PacketFamily } from '../../socket/packet/family.ts';
import type { UnixNamespace } from '../../socket/unix/namespace.ts';
import type { Timekeeper } from '../time/timekeeper.ts';

/** A stack with its tables, as long as a thread, a socket or a descriptor has it. */
const NETWORK_BYTES = 65536;

/** Processes, as far as requests that move interfaces name them. */
export interface Processes {
  task(pid: number): { readonly net: InetNamespace } | null;
}

/** get_net_ns_by_pid(). */
class ByProcess implements NetworkFinder {
  private readonly processes: Processes;

  constructor(processes: Processes) {
    this.processes = processes;
  }

  ofPid(pid: number): Stack | null {
    return this.processes.task(pid)?.net.home ?? null;
  }
}

/** A namespace with the families of sockets that look at its stack. */
function network(
  time: Timekeeper,
  unix: UnixNamespace,
  payer: Account,
  first: Stack | null,
  processes: Processes,
  memfile: MemoryFile,
): InetNamespace {
  const port = makeStack(time, payer, first);
  const ns = new InetNamespace(port);
  ns.home = port.stack;
  const netlink = new NetlinkNamespace();
  netlink.register(NETLINK_ROUTE, new RouteProtocol(port.stack, netlink, new ByProcess(processes)));
  netlink.register(NETLINK_SOCK_DIAG, new SockDiagProtocol(ns, unix));
  ns.families.set(AF_NETLINK, netlink);
  ns.families.set(AF_PACKET, new PacketFamily(ns, port.stack, memfile));
  return ns;
}

/**
 * The kernel's own, whose loopback is up: programs that nobody has set up a network for talk to each other. Fragments,
 * neighbours and routes have no user: all of them together may have as much as one user.
 */
export function firstNetwork(
  time: Timekeeper,
  unix: UnixNamespace,
  processes: Processes,
  memfile: MemoryFile,
): InetNamespace {
  const ns = network(time, unix, new Account(USER_SHARE), null, processes, memfile);
  ns.stack.setUp(ns.stack.linkByName('lo')!.ifindex, true);
  return ns;
}

/** Is there room for one more? */
export function networksFit(): boolean {
  return kernelMemory.fits(NETWORK_BYTES);
}

/** A new one, whose loopback is down and without addresses, as on Linux. */
export function newNetwork(
  time: Timekeeper,
  unix: UnixNamespace,
  first: InetNamespace,
  processes: Processes,
  memfile: MemoryFile,
): InetNamespace {
  const payer: Account = kernelMemory.take(NETWORK_BYTES);
  const ns = network(time, unix, payer, first.home, processes, memfile);
  ns.onEnd(payer, NETWORK_BYTES);
  return ns;
}
