// One rule of a policy, and how it is written: WHAT[@CIDR][:PORTS][/PROTOCOL].
//
//   example.com   *.example.com   *   a name, the names below it, any name     10.0.0.0/8   [fd00::1]   addresses
//   public  private  loopback  link-local  multicast  all                      classes of addresses
//   @CIDR after a name: it may have addresses there, also when they are not public
//   :443  :80,443  :8000-8100   /tcp  /udp  /icmp
//
// With methods before it, it is about requests of HTTP: GET,HEAD NAME[@CIDR][:PORTS][/PATH], * for all methods, * in a path for any text.

import type { IpAddress } from '../../net/address.ts';
import { type AddressClass, type Cidr, classOf, holds, parseCidr } from './ranges.ts';
import { type HttpPart, METHOD, pathFault } from './requests.ts';

export type Action = 'allow' | 'deny';
export type Protocol = 'tcp' | 'udp' | 'icmp';

/** The host, to programs inside. Only a rule of exactly this name means it. */
export const HOST_NAME = 'host.vedette.internal';

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export interface Rule {
  readonly action: Action;
  /** A name in lower case, "*.NAME" or "*"; null for a rule about addresses. */
  readonly name: string | null;
  /** Of a name: where it may lead to besides public addresses. Of a rule without one: what it is about. */
  readonly within: readonly Cidr[];
  /** A class of addresses; 'all' for any. */
  readonly is: AddressClass | 'all' | null;
  /** Empty for all. */
  readonly ports: readonly PortRange[];
  /** Null for all. */
  readonly protocol: Protocol | null;
  /** It is about requests of HTTP, not about connections; null for others. */
  readonly http: HttpPart | null;
  /** As it was written, for the log. */
  readonly text: string;
}

const CLASSES: ReadonlySet<string> = new Set([
  'public',
  'private',
  'loopback',
  'link-local',
  'metadata',
  'multicast',
  'reserved',
  'all',
]);
const PROTOCOLS: ReadonlySet<string> = new Set(['tcp', 'udp', 'icmp']);
const LABEL = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;
const NAME_MAX = 253;

/** What is wrong, in words for whoever wrote the rule. */
export class RuleError extends Error {
  override readonly name = 'RuleError';
}

function wrong(text: string, what: string): never {
  throw new RuleError(`${text}: ${what}`);
}

/** Ports: "443", "80,443", "8000-8100". */
export function parsePorts(text: string, of: string): PortRange[] {
  return text.split(',').map((part) => {
    const m = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part);
    const first = Number(m?.[1]);
    const last = Number(m?.[2] ?? m?.[1]);
    if (m === null || first < 1 || last > 65535 || first > last)
      wrong(of, `${part === '' ? 'an empty port' : `${part} is no port`}; fix: 443, 80,443 or 8000-8100`);
    return { first, last };
  });
}

/** A name as rules have it: lower case, no dot at the end; null when it is none. */
export function plainName(text: string): string | null {
  const name = text.toLowerCase().replace(/\.$/, '');
  if (name.length > NAME_MAX || !name.split('.').every((label) => LABEL.test(label))) return null;
  return name;
}

function pattern(text: string, of: string): string {
  if (text === '*') return text;
  const below = text.startsWith('*.');
  const name = plainName(below ? text.slice(2) : text);
  // Something like 1.2.3 is an address gone wrong; no top-level domain is a number.
  if (name === null || /^\d+$/.test(name.slice(name.lastIndexOf('.') + 1)))
    wrong(
      of,
      text.includes('*')
        ? `${text} is no pattern; fix: * stands for a whole name, or before the first dot: *.example.com`
        : `${text} is no name and no address; fix: example.com, *.example.com, 192.0.2.0/24 or [2001:db8::]/32`,
    );
  return below ? `*.${name}` : name;
}

function prefix(text: string, of: string): Cidr {
  const cidr = parseCidr(text.replace(/^\[([^\]]*)\]/, '$1'));
  if (cidr === undefined)
    wrong(of, `${text} is no range of addresses; fix: 10.0.0.0/8, 192.0.2.7 or [fd00::]/8`);
  return cidr;
}

/** Reads what --allow and --deny take, and strings in files. Throws RuleError. */
export function parseRule(action: Action, text: string): Rule {
  const m = /^(\*|[A-Za-z]+(?:,[A-Za-z]+)*)\s+(\S+)$/.exec(text.trim());
  if (m !== null) return parseRequestRule(action, text, m[1]!, m[2]!);
  let rest = text.trim();
  let protocol: Protocol | null = null;
  const slash = rest.lastIndexOf('/');
  const word = rest.slice(slash + 1);
  if (slash >= 0 && !/^\d/.test(word)) {
    if (!PROTOCOLS.has(word)) wrong(text, `${word || 'nothing'} is no protocol; fix: tcp, udp or icmp`);
    protocol = word as Protocol;
    rest = rest.slice(0, slash);
  }
  let ports: PortRange[] = [];
  // An IPv6 address with a port is in brackets; without, all colons are its own.
  const bare = rest.replace(/^.*@/, '');
  const colon = rest.lastIndexOf(':');
  const inBrackets = bare.includes(']') ? colon > rest.lastIndexOf(']') : bare.split(':').length === 2;
  if (inBrackets) {
    ports = parsePorts(rest.slice(colon + 1), text);
    rest = rest.slice(0, colon);
  }
  if (ports.length > 0 && protocol === 'icmp') wrong(text, 'icmp has no ports; fix: leave one of them out');
  const base = { action, ports, protocol, http: null, text };
  if (CLASSES.has(rest)) return { ...base, name: null, within: [], is: rest as Rule['is'] };
  const at = rest.indexOf('@');
  if (at >= 0) {
    if (action === 'deny') wrong(text, 'a name is denied wherever it leads to; fix: leave @ out');
    const within = rest
      .slice(at + 1)
      .split(',')
      .map((part) => prefix(part, text));
    return { ...base, name: pattern(rest.slice(0, at), text), within, is: null };
  }
  // Dots and digits are an address, and so is all with a colon or brackets.
  if (/^[\d./]+$/.test(rest) || /[:[\]/]/.test(rest))
    return { ...base, name: null, within: [prefix(rest, text)], is: null };
  return { ...base, name: pattern(rest, text), within: [], is: null };
}

/** NAME, @CIDR,... and :PORTS, behind which a path begins. */
const WHERE = /^[^@/]*(@[\da-f.:[\]]+(\/\d+)?(,[\da-f.:[\]]+(\/\d+)?)*)?(:[\d,-]+)?/;

function parseRequestRule(action: Action, text: string, methods: string, what: string): Rule {
  const slash = what.indexOf('/', WHERE.exec(what)![0].length);
  const rule = parseRule(action, slash < 0 ? what : what.slice(0, slash));
  return aboutRequests(
    { ...rule, text },
    methods === '*' ? null : methods.split(','),
    slash < 0 ? null : [what.slice(slash)],
  );
}

/** The rule for requests alone. Throws RuleError. */
export function aboutRequests(
  rule: Rule,
  methods: readonly string[] | null,
  paths: readonly string[] | null,
): Rule {
  const { text } = rule;
  if (rule.name === null) wrong(text, 'requests are known by the name of their host; fix: a name');
  if (rule.protocol !== null && rule.protocol !== 'tcp')
    wrong(text, `no requests of HTTP are read from ${rule.protocol}; fix: leave /${rule.protocol} out`);
  const bad = methods?.find((method) => !METHOD.test(method));
  if (bad !== undefined) wrong(text, `${bad} is no method; fix: in capitals, as GET or GET,HEAD`);
  const fault = paths?.map(pathFault).find((f) => f !== null);
  if (fault) wrong(text, fault);
  // What is allowed of HTTP is nothing of UDP, which would carry it unread (QUIC); what is denied of it is denied there.
  return { ...rule, protocol: rule.action === 'allow' ? 'tcp' : null, http: { methods, paths } };
}

/** Does a rule's pattern mean the name (in lower case)? "*" never means the host. */
export function matchesName(pattern: string, name: string): boolean {
  if (name === HOST_NAME) return pattern === HOST_NAME;
  if (pattern === '*') return true;
  if (pattern.startsWith('*.')) return name.length > pattern.length - 1 && name.endsWith(pattern.slice(1));
  return pattern === name;
}

export function matchesPort(rule: Rule, protocol: Protocol, port: number): boolean {
  if (rule.protocol !== null && rule.protocol !== protocol) return false;
  if (rule.ports.length === 0) return true;
  return protocol !== 'icmp' && rule.ports.some((range) => port >= range.first && port <= range.last);
}

/** Of a rule without a name: is it about this address? */
export function matchesAddress(rule: Rule, address: IpAddress): boolean {
  if (rule.is !== null) return rule.is === 'all' || classOf(address) === rule.is;
  return rule.within.some((cidr) => holds(cidr, address));
}
