// What a sandbox's network is made from.

import type { Name } from '../../net/endpoint.ts';
import type { Default } from '../policy/policy.ts';
import type { Rule } from '../policy/rule.ts';
import type { Handed } from './handed.ts';
import type { Publish } from './publish.ts';

export const NETWORK_MODES: readonly string[] = ['none', 'user', 'sandbox', 'host'];

export interface NetworkOptions {
  readonly mode: 'none' | 'user' | 'sandbox' | 'host';
  /** In the order in which they are asked. */
  readonly rules: readonly Rule[];
  /** What no rule is about; undefined: as the rules suggest. */
  readonly otherwise: Default | undefined;
  readonly publish: readonly Publish[];
  /** Resolvers to ask; empty for the host's. */
  readonly dns: readonly Name[];
  /** A file of the host for every decision; null for none. */
  readonly log: string | null;
  /** --secret, as given. */
  readonly secrets: readonly string[];
  /** There are secrets, or rules that look into requests: somebody must read them. */
  readonly reads: boolean;
  /** The process that does; null before it is started. */
  readonly proxy: Handed | null;
  /** Variables that flags set. */
  readonly setEnv: readonly string[];
  /** Of the interfaces to the outside; 0 for what they have. */
  readonly mtu: number;
  /** A file of the host for all packets of the sandbox's stack; null for none. */
  readonly pcap: string | null;
}

export const NO_NETWORK: NetworkOptions = {
  mode: 'none',
  rules: [],
  otherwise: undefined,
  publish: [],
  dns: [],
  log: null,
  secrets: [],
  reads: false,
  proxy: null,
  setEnv: [],
  mtu: 0,
  pcap: null,
};
