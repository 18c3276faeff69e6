// Policy: may a sandbox ask for a name, be told an address for it, connect to it? Rules in order, the first that matches
// decides; then the default. docs/network.md says why so, and what it cannot hold back.

import type { IpAddress } from '../../net/address.ts';
import { classOf, holds } from './ranges.ts';
import { type RequestRule, requestRules } from './requests.ts';
import { HOST_NAME, matchesAddress, matchesName, matchesPort, type Protocol, type Rule } from './rule.ts';

/** What no rule is about: public addresses are allowed, or nothing is. */
export type Default = 'public' | 'deny';

export interface Verdict {
  readonly allowed: boolean;
  /** The rule's text, or why there is none. */
  readonly why: string;
}

const yes = (why: string): Verdict => ({ allowed: true, why });
const no = (why: string): Verdict => ({ allowed: false, why });

/** A denial of some requests leaves open what becomes of a connection. */
function leavesOpen(rule: Rule): boolean {
  return rule.http !== null && rule.action === 'deny';
}

export class Policy {
  readonly rules: readonly Rule[];
  readonly otherwise: Default;
  /** Some name is denied: then an address must have come from our DNS to count as one of the public ones. */
  private readonly deniesNames: boolean;

  /** Without a default, rules that allow something mean that nothing else is allowed. */
  constructor(rules: readonly Rule[], otherwise?: Default) {
    this.rules = rules;
    this.otherwise = otherwise ?? (rules.some((rule) => rule.action === 'allow') ? 'deny' : 'public');
    this.deniesNames = rules.some((rule) => rule.action === 'deny' && rule.name !== null);
  }

  /** May the name (in lower case) be asked for? A denial of some ports alone is none of the name. */
  judgeName(name: string): Verdict {
    let about = false;
    for (const rule of this.rules) {
      if (rule.name === null) {
        // Whoever may reach addresses by themselves may ask what they are called.
        about ||= rule.action === 'allow' && (rule.is === 'public' || rule.is === 'all');
        continue;
      }
      if (!matchesName(rule.name, name) || leavesOpen(rule)) continue;
      if (rule.action === 'allow') return yes(rule.text);
      if (rule.ports.length === 0 && rule.protocol === null) return no(rule.text);
    }
    if (name === HOST_NAME) return no(`the host is not allowed by name`);
    if (about) return yes('a class of addresses');
    return this.otherwise === 'public' ? yes('default') : no('no rule allows the name');
  }

  /** May an answer give this address for the name? Then somebody could connect there, on some port. */
  judgeAnswer(name: string, address: IpAddress): Verdict {
    let last: Verdict | null = null;
    for (const rule of this.rules) {
      if (leavesOpen(rule)) continue;
      const all = rule.ports.length === 0 && rule.protocol === null;
      const verdict = this.apply(rule, address, [name]);
      if (verdict === null) continue;
      if (verdict.allowed) return verdict;
      last ??= verdict;
      if (all) return verdict;
    }
    const rest = this.byDefault(address, [name]);
    return rest.allowed || last === null ? rest : last;
  }

  /** May a connection or datagram go to the address, which our DNS gave for `names`? */
  judge(protocol: Protocol, address: IpAddress, port: number, names: readonly string[]): Verdict {
    for (const rule of this.rules) {
      if (!matchesPort(rule, protocol, port)) continue;
      if (leavesOpen(rule) && protocol !== 'udp') continue;
      const verdict = this.apply(rule, address, names);
      if (verdict !== null) return verdict;
    }
    return this.byDefault(address, names);
  }

  /**
   * The rules that requests over a connection must be asked by, which `judge` allowed; the first that fits decides, and what none fits is
   * denied. Null when nothing is said about requests: the connection carries what it likes.
   */
  judgeRequests(address: IpAddress, port: number, names: readonly string[]): RequestRule[] | null {
    const rules: RequestRule[] = [];
    const open = new Set(names);
    let asks = false;
    for (const rule of this.rules) {
      if (!matchesPort(rule, 'tcp', port)) continue;
      for (const name of open) {
        const verdict = this.apply(rule, address, [name]);
        if (verdict === null) continue;
        rules.push(...requestRules(rule.action, name, rule.http));
        if (rule.http === null) open.delete(name);
        else asks = true;
      }
    }
    if (!asks) return null;
    for (const name of open)
      if (this.byDefault(address, [name]).allowed) rules.push(...requestRules('allow', name, null));
    return rules;
  }

  /** The same of the host itself, at its name or at `own`, an address of its own. */
  judgeHostRequests(port: number, own: IpAddress | null): RequestRule[] | null {
    const rules: RequestRule[] = [];
    if (own !== null && this.ownRule('tcp', own, port) !== undefined) return null;
    for (const rule of this.rules) {
      if (rule.name === null || !matchesName(rule.name, HOST_NAME) || !matchesPort(rule, 'tcp', port))
        continue;
      rules.push(...requestRules(rule.action, '*', rule.http));
      if (rule.http === null) break;
    }
    return rules.some((rule) => rule.methods !== undefined || rule.path !== undefined) ? rules : null;
  }

  /** May the host itself be reached? Only by its name. */
  judgeHost(protocol: Protocol, port: number): Verdict {
    for (const rule of this.rules)
      if (
        rule.name !== null &&
        matchesName(rule.name, HOST_NAME) &&
        matchesPort(rule, protocol, port) &&
        (!leavesOpen(rule) || protocol === 'udp')
      )
        return rule.action === 'allow' ? yes(rule.text) : no(rule.text);
    return no(`the host is not allowed; fix: --allow ${HOST_NAME}:${port}`);
  }

  /** May an address of the host's own be reached? As the host, or by a rule about addresses that holds it. */
  judgeOwn(protocol: Protocol, address: IpAddress, port: number): Verdict {
    const rule = this.ownRule(protocol, address, port);
    if (rule !== undefined) return rule.action === 'allow' ? yes(rule.text) : no(rule.text);
    return this.judgeHost(protocol, port);
  }

  private ownRule(protocol: Protocol, address: IpAddress, port: number): Rule | undefined {
    return this.rules.find(
      (rule) =>
        rule.name === null &&
        (rule.is === null || rule.action === 'deny') &&
        matchesPort(rule, protocol, port) &&
        matchesAddress(rule, address),
    );
  }

  /** What a rule says of the address, ports aside; null when it is not about it. */
  private apply(rule: Rule, address: IpAddress, names: readonly string[]): Verdict | null {
    if (rule.name === null) {
      if (!matchesAddress(rule, address)) return null;
      if (rule.action === 'deny') return no(rule.text);
      return rule.is !== null && this.unnamed(names) ? null : yes(rule.text);
    }
    const { name } = rule;
    if (!names.some((given) => matchesName(name, given))) return null;
    if (rule.action === 'deny') return no(rule.text);
    // The owner of a name chooses its addresses, and must not lead us into networks that are ours.
    if (rule.within.some((cidr) => holds(cidr, address))) return yes(rule.text);
    const is = classOf(address);
    return is === 'public' ? yes(rule.text) : null;
  }

  private byDefault(address: IpAddress, names: readonly string[]): Verdict {
    const is = classOf(address);
    if (this.otherwise === 'deny') return no(is === 'public' ? 'no rule allows it' : `${is} address`);
    if (is !== 'public') return no(`${is} address`);
    if (this.unnamed(names)) return no('names are denied, and our DNS gave no name this address');
    return yes('default');
  }

  private unnamed(names: readonly string[]): boolean {
    return this.deniesNames && names.length === 0;
  }
}
