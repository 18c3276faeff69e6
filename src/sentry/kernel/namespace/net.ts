// Network namespaces: network_namespaces(7). Each has a stack of its own, at first with nothing but a loopback interface.

import { Account, kernelMemory, USER_SHARE } from '../../base/charge.ts';
import { InetNamespace } from '../../socket/inet/namespace.ts';
import { makeStack } from '../../socket/inet/stack_port.ts';
import type { Timekeeper } from '../time/timekeeper.ts';

/** A stack with its tables, as long as a thread, a socket or a descriptor has it. */
const NETWORK_BYTES = 65536;

/**
 * The kernel's own, whose loopback is up: programs that nobody has set up a network for talk to each other. Datagrams that wait,
 * fragments and neighbours have no user: all of them together may have as much as one user.
 */
export function firstNetwork(time: Timekeeper): InetNamespace {
  const ns = new InetNamespace(makeStack(time, new Account(USER_SHARE)));
  ns.stack.setUp(ns.stack.linkByName('lo')!.ifindex, true);
  return ns;
}

/** Is there room for one more? */
export function networksFit(): boolean {
  return kernelMemory.fits(NETWORK_BYTES);
}

/** A new one, whose loopback is down and without addresses, as on Linux. */
export function newNetwork(time: Timekeeper): InetNamespace {
  const payer: Account = kernelMemory.take(NETWORK_BYTES);
  const ns = new InetNamespace(makeStack(time, payer));
  ns.onEnd(payer, NETWORK_BYTES);
  return ns;
}
