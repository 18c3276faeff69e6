// The flags about the network: --network, --allow, --deny, --policy, -p, --dns, --network-log, --mtu, --pcap.

import { readFileSync } from 'node:fs';
import { parseAddress } from '../net/address.ts';
import type { Name } from '../net/endpoint.ts';
import { HANDED_NAME, parseHanded } from '../runtime/network/handed.ts';
import { NETWORK_MODES, type NetworkOptions, NO_NETWORK } from '../runtime/network/options.ts';
import { parsePublish } from '../runtime/network/publish.ts';
import { STATUS_USAGE, StartError } from '../runtime/options.ts';
import { PolicyError, parsePolicy } from '../runtime/policy/file.ts';
import type { Default } from '../runtime/policy/policy.ts';
import { type Action, parseRule, type Rule, RuleError } from '../runtime/policy/rule.ts';
import { hostPath } from '../sentry/base/bytes.ts';

type Flags = Record<string, unknown>;

/** --allow or --deny: the first rule that matches counts, so `order` is theirs among both. */
export interface RuleFlag {
  readonly action: Action;
  readonly text: string;
  readonly order: number;
}

const DNS_PORT = 53;
/** Flags that mean nothing without a network. */
const NEED_NETWORK: Readonly<Record<string, string>> = {
  publish: '-p',
  allow: '--allow',
  deny: '--deny',
  policy: '--policy',
  dns: '--dns',
  networkLog: '--network-log',
  secret: '--secret',
  mtu: '--mtu',
};
/** Those of them that are about relays, which there are not when the packets are the programs' own. */
const NEED_RELAYS = ['publish', 'allow', 'deny', 'policy', 'dns', 'networkLog'];
/** The least that IPv6 works with, and the most that IPv4's length field holds. */
const LEAST_MTU = 1280;
const MOST_MTU = 65535;

function wrong(message: string): never {
  throw new StartError(message, STATUS_USAGE);
}

function rulesOf(flags: Flags): Rule[] {
  const all = [flags.allow, flags.deny].flatMap((list) => (list as RuleFlag[] | undefined) ?? []);
  all.sort((a, b) => a.order - b.order);
  return all.map(({ action, text }) => {
    try {
      return parseRule(action, text);
    } catch (error) {
      if (error instanceof RuleError) wrong(`--${action} ${error.message}`);
      throw error;
    }
  });
}

function fileOf(path: string): { rules: readonly Rule[]; otherwise: Default | undefined } {
  let text: string;
  try {
    text = readFileSync(hostPath(path), 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    wrong(`--policy ${path}: ${code}; fix: a file that can be read`);
  }
  try {
    return parsePolicy(text);
  } catch (error) {
    if (error instanceof PolicyError) wrong(`--policy ${path}: ${error.message}`);
    throw error;
  }
}

function dnsOf(text: string): Name {
  const m = /^(?:\[([^\]]+)\](?::(\d{1,5}))?|([^:]+)(?::(\d{1,5}))?)$/.exec(text);
  const address = parseAddress(m?.[1] ?? m?.[3] ?? text);
  const port = Number(m?.[2] ?? m?.[4] ?? DNS_PORT);
  if (address === undefined || port < 1 || port > 65535)
    wrong(`--dns ${text}: no address; fix: ADDR or ADDR:PORT, as in 192.0.2.53 or [2001:db8::53]:53`);
  return { address, port };
}

function mtuOf(text: string): number {
  const mtu = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (mtu < LEAST_MTU || mtu > MOST_MTU)
    wrong(`--mtu ${text}: fix: a number from ${LEAST_MTU} to ${MOST_MTU}`);
  return mtu;
}

/** What the flags say of the network. Throws StartError. */
export function networkOptions(
  flags: Flags,
  hostFile: (path: string) => string,
  setEnv: readonly string[] = [],
): NetworkOptions {
  const mode = typeof flags.network === 'string' ? flags.network : 'none';
  if (!NETWORK_MODES.includes(mode))
    wrong(`--network ${mode}: unknown; fix: one of: ${NETWORK_MODES.join(', ')}`);
  const many = (name: string): string[] => (flags[name] as string[] | undefined) ?? [];
  const given = (name: string): boolean =>
    Array.isArray(flags[name]) ? flags[name].length > 0 : flags[name] !== undefined;
  const pcap = typeof flags.pcap === 'string' ? hostFile(flags.pcap) : null;
  if (mode === 'none') {
    for (const [name, flag] of Object.entries(NEED_NETWORK))
      if (given(name)) wrong(`${flag}: there is no network; fix: --network=user`);
    return { ...NO_NETWORK, pcap };
  }
  const mtu = typeof flags.mtu === 'string' ? mtuOf(flags.mtu) : 0;
  if (mode === 'sandbox') {
    for (const name of NEED_RELAYS)
      if (given(name))
        wrong(
          `${NEED_NETWORK[name]}: with --network=sandbox programs send packets of their own; fix: --network=user`,
        );
    return { ...NO_NETWORK, mode, mtu, pcap };
  }
  const rules = rulesOf(flags);
  const file = typeof flags.policy === 'string' ? fileOf(hostFile(flags.policy)) : null;
  const all = [...rules, ...(file?.rules ?? [])];
  const publish = many('publish').map((text) => {
    const p = parsePublish(text);
    if (typeof p === 'string') wrong(`-p ${text}: ${p}`);
    return p;
  });
  if (mode === 'host') {
    if (pcap !== null)
      wrong(`--pcap: with --network=host the packets are this machine's; fix: tcpdump -w ${pcap}`);
    if (mtu > 0) wrong('--mtu: with --network=host interfaces are those of this machine; fix: ip link set');
    if (publish.length > 0)
      wrong('-p: with --network=host the ports inside are those of this machine; fix: leave -p out');
    if (given('dns')) wrong('--dns: with --network=host programs ask by themselves; fix: --network=user');
    if (given('secret'))
      wrong('--secret: with --network=host nobody reads what is sent; fix: --network=user');
    const named = all.find((rule) => rule.name !== null);
    if (named !== undefined)
      wrong(
        `--${named.action} ${named.text}: names are known with --network=user alone; fix: --network=user`,
      );
  }
  const secrets = many('secret');
  const reads = secrets.length > 0 || all.some((rule) => rule.http !== null);
  return {
    mode: mode as 'user' | 'host',
    rules: all,
    otherwise: file?.otherwise,
    publish,
    dns: many('dns').map(dnsOf),
    log: typeof flags.networkLog === 'string' ? hostFile(flags.networkLog) : null,
    secrets,
    reads,
    proxy: reads ? parseHanded(process.env[HANDED_NAME]) : null,
    setEnv,
    mtu,
    pcap,
  };
}
