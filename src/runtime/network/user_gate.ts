// UserGate: the way out of --network=user. The policy decides, the host is 10.0.2.2, DNS is ours, and nothing of the host's own
// names is shown.

import { ECONNREFUSED, ECONNRESET, EHOSTUNREACH, ENETUNREACH, EPERM } from '../../abi/errno.ts';
import { IPPROTO_TCP, IPPROTO_UDP } from '../../abi/net/in.ts';
import { type IpAddress, LOOPBACK_V4, LOOPBACK_V6 } from '../../net/address.ts';
import type { TimeSource } from '../../sentry/base/time.ts';
import {
  type Deliver,
  GATE_OUT,
  GATE_SERVICE,
  type Gate,
  type Passage,
} from '../../sentry/socket/host/gate.ts';
import type { NameTable } from '../policy/names.ts';
import type { Policy, Verdict } from '../policy/policy.ts';
import { unwrapped } from '../policy/ranges.ts';
import { HOST_NAME, type Protocol } from '../policy/rule.ts';
import {
  DNS_V4,
  DNS_V6,
  GATEWAY_V4,
  GATEWAY_V6,
  NET_V4,
  NET_V4_BITS,
  NET_V6,
  NET_V6_BITS,
  OWN_V4,
  OWN_V6,
} from './addresses.ts';
import type { NetworkLog } from './network_log.ts';
import type { Readers } from './readers.ts';
import type { Resolver } from './resolver.ts';

export const DNS_PORT = 53;
/** As net.ipv4.ip_local_port_range has it. */
const FIRST_PORT = 32768;
const LAST_PORT = 60999;

export function protocolName(protocol: number): Protocol {
  return protocol === IPPROTO_TCP ? 'tcp' : protocol === IPPROTO_UDP ? 'udp' : 'icmp';
}

export class UserGate implements Gate {
  readonly hides = true;
  target: IpAddress = GATEWAY_V4;
  passage: Passage | null = null;
  private readonly policy: Policy;
  private readonly names: NameTable;
  private readonly time: TimeSource;
  private readonly log: NetworkLog;
  private readonly resolver: Resolver;
  /** Which connections are read on their way; null: none. */
  private readonly readers: Readers | null;
  /** Addresses of the host's interfaces: whoever goes there goes to the host. */
  private readonly hostAddresses: ReadonlySet<string>;
  private nextPort: number;

  constructor(
    policy: Policy,
    names: NameTable,
    time: TimeSource,
    log: NetworkLog,
    resolver: Resolver,
    hostAddresses: ReadonlySet<string>,
    firstPort: number,
    readers: Readers | null = null,
  ) {
    this.policy = policy;
    this.names = names;
    this.time = time;
    this.log = log;
    this.resolver = resolver;
    this.hostAddresses = hostAddresses;
    this.readers = readers;
    this.nextPort = FIRST_PORT + (firstPort % (LAST_PORT - FIRST_PORT));
  }

  decide(protocol: number, address: IpAddress, port: number): number {
    this.passage = null;
    if (address.inPrefix(NET_V4, NET_V4_BITS) || address.inPrefix(NET_V6, NET_V6_BITS))
      return this.decideOwn(protocol, address, port);
    const to = unwrapped(address);
    const names = this.names.namesOf(address, this.time.monotonicNs());
    const word = protocolName(protocol);
    const own = this.hostAddresses.has(to.toString());
    const verdict = own
      ? this.policy.judgeOwn(word, address, port)
      : this.policy.judge(word, address, port, names);
    this.tell(verdict, word, address, port, names);
    if (!verdict.allowed) return -EPERM;
    this.target = address;
    return this.readers === null || protocol !== IPPROTO_TCP
      ? GATE_OUT
      : this.read(this.readers.passage(address, port, names, own));
  }

  /** GATE_OUT, through whoever reads the connection. */
  private read(passage: Passage | null): number {
    if (passage === null) return GATE_OUT;
    // Unread it does not go out.
    if (!passage.taker.alive) return -ECONNRESET;
    this.passage = passage;
    return GATE_OUT;
  }

  private decideOwn(protocol: number, address: IpAddress, port: number): number {
    if (address.equals(DNS_V4) || address.equals(DNS_V6)) {
      if (port === DNS_PORT && (protocol === IPPROTO_TCP || protocol === IPPROTO_UDP)) return GATE_SERVICE;
      return -ECONNREFUSED;
    }
    const v4 = address.equals(GATEWAY_V4);
    if (!v4 && !address.equals(GATEWAY_V6)) return address.isV4 ? -EHOSTUNREACH : -ENETUNREACH;
    const word = protocolName(protocol);
    const verdict = this.policy.judgeHost(word, port);
    this.tell(verdict, word, address, port, []);
    if (!verdict.allowed) return -EPERM;
    this.target = v4 ? LOOPBACK_V4 : LOOPBACK_V6;
    if (this.readers === null || protocol !== IPPROTO_TCP) return GATE_OUT;
    return this.read(this.readers.passage(address, port, [HOST_NAME], true));
  }

  private tell(
    verdict: Verdict,
    protocol: Protocol,
    address: IpAddress,
    port: number,
    names: string[],
  ): void {
    this.log.write({
      event: 'connect',
      allowed: verdict.allowed,
      rule: verdict.why,
      protocol,
      address: address.toString(),
      port,
      ...(names.length === 0 ? {} : { names }),
    });
  }

  shown(address: IpAddress): IpAddress {
    if (!address.isLoopback) return address;
    return address.isV4 ? GATEWAY_V4 : GATEWAY_V6;
  }

  ownAddress(towards: IpAddress): IpAddress {
    return towards.isV4 ? OWN_V4 : OWN_V6;
  }

  freePort(): number {
    const port = this.nextPort;
    this.nextPort = port >= LAST_PORT ? FIRST_PORT : port + 1;
    return port;
  }

  dial(): number {
    return this.resolver.dial();
  }

  query(from: Deliver, bytes: Uint8Array, address: IpAddress, port: number): void {
    this.resolver.query(from, bytes, address, port);
  }
}
