// The network of a sandbox, made from its options: gate, resolver, way out, ports.

import { networkInterfaces } from 'node:os';
import { errnoName } from '../../abi/errno.ts';
import { NETLINK_ROUTE } from '../../abi/net/netlink.ts';
import { AF_NETLINK } from '../../abi/net/socket.ts';
import { HostNetlink } from '../../host/netlink.ts';
import type { HostPoller } from '../../host/poller.ts';
import { randomWord } from '../../host/random.ts';
import type { Kernel } from '../../sentry/kernel/kernel.ts';
import { HostStack } from '../../sentry/socket/host/host_stack.ts';
import { RelayOutside } from '../../sentry/socket/host/outside.ts';
import { Relays } from '../../sentry/socket/host/relays.ts';
import { UserStack } from '../../sentry/socket/host/user_stack.ts';
import type { StackPort } from '../../sentry/socket/inet/stack_port.ts';
import { HostRoute } from '../../sentry/socket/netlink/host_route.ts';
import type { NetlinkNamespace } from '../../sentry/socket/netlink/namespace.ts';
import type { BootContext } from '../boot_context.ts';
import { STATUS_USAGE, StartError } from '../options.ts';
import { NameTable } from '../policy/names.ts';
import { Policy } from '../policy/policy.ts';
import { DNS_V4, GATEWAY_V4, NET_V4_BITS, NET_V6_BITS, OWN_V4, OWN_V6 } from './addresses.ts';
import type * as Authority from './authority.ts';
import { Capture } from './capture.ts';
import { HostGate } from './host_gate.ts';
import { HostLinks } from './host_links.ts';
import { PublishedDatagram, PublishedStream } from './inbound.ts';
import { NetworkLog } from './network_log.ts';
import type { NetworkOptions } from './options.ts';
import { Readers } from './readers.ts';
import { hostResolvers, writeResolvConf } from './resolv_conf.ts';
import { Resolver } from './resolver.ts';
import { TakenNetwork } from './sandbox/take_over.ts';
import { UserGate } from './user_gate.ts';

/** Of eth0 with --network=user. */
const MTU = 1500;

/** Addresses of the host's interfaces that others may call public. */
function ownAddresses(): Set<string> {
  const all = Object.values(networkInterfaces()).flatMap((some) => some ?? []);
  return new Set(all.map((a) => a.address));
}

function openLog(file: string | null): NetworkLog {
  try {
    return new NetworkLog(file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new StartError(`--network-log ${file}: ${code}; fix: a file that can be written`, STATUS_USAGE);
  }
}

/** The network of a sandbox: what has to be ended with it, and the environment that programs need for it. */
export class Network {
  readonly taken: TakenNetwork | null;
  readonly capture: Capture | null;
  readonly env: readonly string[];

  constructor(taken: TakenNetwork | null, capture: Capture | null, env: readonly string[]) {
    this.taken = taken;
    this.capture = capture;
    this.env = env;
  }

  close(): void {
    this.taken?.close();
    this.capture?.close();
  }
}

/**
 * Gives the first namespace its way out. `env` is the environment so far; `authority` is there when somebody reads requests. Throws
 * StartError for what the caller can put right.
 */
export function setUpNetwork(
  kernel: Kernel,
  poller: HostPoller,
  ctx: BootContext,
  o: NetworkOptions,
  env: readonly string[],
  authority: typeof Authority | null,
): Network {
  const { stack } = kernel.net.stack as StackPort;
  const capture = o.pcap === null ? null : new Capture(o.pcap, kernel.time, stack);
  if (o.mode === 'none') return new Network(null, capture, env);
  if (o.mode === 'sandbox') return new Network(new TakenNetwork(stack, poller, o.mtu), capture, env);
  return new Network(null, capture, setUpRelays(kernel, poller, ctx, o, env, authority));
}

/** The environment as it is then. */
function setUpRelays(
  kernel: Kernel,
  poller: HostPoller,
  ctx: BootContext,
  o: NetworkOptions,
  env: readonly string[],
  authority: typeof Authority | null,
): readonly string[] {
  // Who may ping is the host's to say: a socket inside is one of its own.
  kernel.net.stack.net.pingGroupLow = 0;
  kernel.net.stack.net.pingGroupHigh = 0x7fffffff;
  const log = openLog(o.log);
  const policy = new Policy(o.rules, o.otherwise);
  if (o.mode === 'host') {
    const asked = o.rules.length > 0 || o.otherwise !== undefined;
    const relays = new Relays(poller, kernel.time, new HostGate(asked ? policy : null, log));
    const netlink = HostNetlink.open();
    if (typeof netlink === 'number')
      throw new StartError(
        `--network=host: a netlink socket: ${errnoName(-netlink)}; fix: --network=user`,
        STATUS_USAGE,
      );
    kernel.net.stack = new HostStack(relays, new HostLinks(netlink), kernel.net.stack);
    (kernel.net.families.get(AF_NETLINK) as NetlinkNamespace).register(NETLINK_ROUTE, new HostRoute(netlink));
    return env;
  }
  const { servers, search } = hostResolvers();
  const names = new NameTable();
  const asks = o.dns.length > 0 ? o.dns : servers;
  const resolver = new Resolver(poller, kernel.time, policy, names, log, asks);
  const proxy = o.proxy === null ? null : new authority!.HttpProxy(poller, log, o.proxy);
  const hosts = o.proxy?.secrets.flatMap((s) => s.hosts) ?? [];
  const readers = proxy === null ? null : new Readers(policy, proxy, hosts);
  const gate = new UserGate(policy, names, kernel.time, log, resolver, ownAddresses(), randomWord(), readers);
  const relays = new Relays(poller, kernel.time, gate);
  kernel.net.outside = new RelayOutside(relays);
  const addresses = [
    { address: OWN_V4, bits: NET_V4_BITS, broadcast: OWN_V4.masked(NET_V4_BITS, true) },
    { address: OWN_V6, bits: NET_V6_BITS, broadcast: null },
  ];
  const stack = new UserStack(kernel.net.stack as StackPort, addresses, GATEWAY_V4, o.mtu || MTU);
  kernel.net.stack = stack;
  for (const p of o.publish) {
    if (p.protocol === 'tcp') new PublishedStream(relays, kernel.time, log, stack, p);
    else new PublishedDatagram(poller, kernel.time, stack, p);
  }
  writeResolvConf(kernel, ctx, DNS_V4.toString(), search);
  return proxy === null ? env : authority!.installAuthority(kernel, ctx, proxy.ca, env, o.setEnv);
}
