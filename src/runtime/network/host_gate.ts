// HostGate: the way out of --network=host: the host's network as it is, but for what rules about addresses deny.

import { ECONNREFUSED, EPERM } from '../../abi/errno.ts';
import { ANY_V4, type IpAddress } from '../../net/address.ts';
import { GATE_OUT, type Gate } from '../../sentry/socket/host/gate.ts';
import type { Policy } from '../policy/policy.ts';
import type { NetworkLog } from './network_log.ts';
import { protocolName } from './user_gate.ts';

export class HostGate implements Gate {
  readonly hides = false;
  target: IpAddress = ANY_V4;
  readonly passage = null;
  /** Null: nobody gave one. */
  private readonly policy: Policy | null;
  private readonly log: NetworkLog;

  constructor(policy: Policy | null, log: NetworkLog) {
    this.policy = policy;
    this.log = log;
  }

  decide(protocol: number, address: IpAddress, port: number): number {
    this.target = address;
    const word = protocolName(protocol);
    const verdict = this.policy?.judge(word, address, port, []) ?? { allowed: true, why: 'host network' };
    this.log.write({
      event: 'connect',
      allowed: verdict.allowed,
      rule: verdict.why,
      protocol: word,
      address: address.toString(),
      port,
    });
    return verdict.allowed ? GATE_OUT : -EPERM;
  }

  shown(address: IpAddress): IpAddress {
    return address;
  }

  ownAddress(): IpAddress {
    return ANY_V4;
  }

  freePort(): number {
    return 0;
  }

  dial(): number {
    return -ECONNREFUSED;
  }

  query(): void {}
}
