// Readers: which connections must be read on their way, since rules look into HTTP or a host has a secret.

import type { IpAddress } from '../../net/address.ts';
import { meansHost } from '../../proxy/host_pattern.ts';
import type { Passage, Taker } from '../../sentry/socket/host/gate.ts';
import type { Policy } from '../policy/policy.ts';
import { HOST_NAME } from '../policy/rule.ts';

/** When nothing is said about requests. */
const ALL = [{ action: 'allow', host: '*' }];

export class Readers {
  private readonly policy: Policy;
  private readonly taker: Taker;
  /** Patterns of hosts, with ports, that have secrets. */
  private readonly hosts: readonly string[];

  constructor(policy: Policy, taker: Taker, hosts: readonly string[]) {
    this.policy = policy;
    this.taker = taker;
    this.hosts = hosts;
  }

  /** How a connection goes that the policy allows; null: directly. `names` are those of the address, `own`: it is the host's own. */
  passage(address: IpAddress, port: number, names: readonly string[], own: boolean): Passage | null {
    const text = address.toString();
    let all: string[];
    if (own) all = [...new Set([...names, HOST_NAME, text])];
    else {
      // A name that may not be reached itself is none that may be meant.
      all = names.filter((name) => this.policy.judge('tcp', address, port, [name]).allowed);
      if (all.length === 0) all = [text];
    }
    const rules = own
      ? this.policy.judgeHostRequests(port, names.includes(HOST_NAME) ? null : address)
      : this.policy.judgeRequests(address, port, all);
    if (rules === null && !this.hasSecret(all, port)) return null;
    return { taker: this.taker, names: all, address, port, rules: rules ?? ALL };
  }

  private hasSecret(names: readonly string[], port: number): boolean {
    return names.some((name) => this.hosts.some((pattern) => meansHost(pattern, name, port)));
  }
}
