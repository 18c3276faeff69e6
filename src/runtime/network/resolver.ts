// Resolver: the DNS server that programs inside have, at 10.0.2.3 and fd00::3. It asks the host's resolvers what the policy lets be asked, and
// tells what the policy lets be reached; what it told, the gate knows by name.

import { ENOBUFS } from '../../abi/errno.ts';
import type { HostPoller } from '../../host/poller.ts';
import { hostStreamPair } from '../../host/socket.ts';
import { type IpAddress, LOOPBACK_V4, LOOPBACK_V6 } from '../../net/address.ts';
import type { Name } from '../../net/endpoint.ts';
import type { TimeSource } from '../../sentry/base/time.ts';
import type { Deliver } from '../../sentry/socket/host/gate.ts';
import type { NameTable } from '../policy/names.ts';
import type { Policy } from '../policy/policy.ts';
import { HOST_NAME } from '../policy/rule.ts';
import { GATEWAY_V4, GATEWAY_V6 } from './addresses.ts';
import {
  type Answer,
  addressOf,
  CLASS_IN,
  type DnsRecord,
  nameText,
  ownFlags,
  type Question,
  RCODE_FAILED,
  RCODE_OK,
  RCODE_REFUSED,
  readQuestion,
  sameName,
  TYPE_A,
  TYPE_AAAA,
  TYPE_CNAME,
  TYPE_DNAME,
  type WireName,
  writeAnswer,
  writeRefusal,
} from './dns_message.ts';
import { DnsStream, type DnsStreamOwner } from './dns_stream.ts';
import { Lookup, type LookupOwner } from './lookup.ts';
import type { NetworkLog } from './network_log.ts';

/** Questions under way, and connections that ask: further ones fail, or are refused. */
export const MOST_LOOKUPS = 128;
export const MOST_STREAMS = 64;
const TCP_LIMIT = 65535;
/** Links of a chain of aliases that are followed. */
const MOST_LINKS = 16;
/** What is known here holds this long. */
const OWN_TTL = 60;

/** Where an answer goes: a socket of a program, or a connection. */
interface Asker {
  readonly socket: Deliver | null;
  readonly stream: DnsStream | null;
  readonly address: IpAddress;
  readonly port: number;
}

export class Resolver implements LookupOwner, DnsStreamOwner {
  private readonly poller: HostPoller;
  private readonly time: TimeSource;
  private readonly policy: Policy;
  private readonly names: NameTable;
  private readonly log: NetworkLog;
  private readonly servers: readonly Name[];
  private readonly pending: Map<Lookup, Asker> = new Map();
  private readonly streams: Set<DnsStream> = new Set();

  constructor(
    poller: HostPoller,
    time: TimeSource,
    policy: Policy,
    names: NameTable,
    log: NetworkLog,
    servers: readonly Name[],
  ) {
    this.poller = poller;
    this.time = time;
    this.policy = policy;
    this.names = names;
    this.log = log;
    this.servers = servers;
  }

  /** A datagram of a program to our address: the answer goes back from there. */
  query(from: Deliver, bytes: Uint8Array, address: IpAddress, port: number): void {
    this.ask({ socket: from, stream: null, address, port }, bytes);
  }

  /** A connection to our address: its other end, or -ENOBUFS. */
  dial(): number {
    if (this.streams.size >= MOST_STREAMS || !DnsStream.fits) return -ENOBUFS;
    const pair = hostStreamPair();
    if (typeof pair === 'number') return pair;
    this.streams.add(new DnsStream(this, this.poller, pair[1]));
    return pair[0];
  }

  streamQuestion(stream: DnsStream, bytes: Uint8Array): void {
    this.ask({ socket: null, stream, address: LOOPBACK_V4, port: 0 }, bytes);
  }

  streamClosed(stream: DnsStream): void {
    this.streams.delete(stream);
  }

  private reply(asker: Asker, bytes: Uint8Array): void {
    if (asker.stream !== null) asker.stream.answer(bytes);
    else asker.socket!.deliver(asker.address, asker.port, bytes);
  }

  private ask(asker: Asker, bytes: Uint8Array): void {
    const q = readQuestion(bytes);
    if (q === null) {
      asker.stream?.close();
      return;
    }
    if ('rcode' in q) {
      this.reply(asker, writeRefusal(q.id, q.rcode));
      return;
    }
    const name = nameText(q.name);
    const own = ownAddresses(name);
    const verdict =
      own !== null && name !== HOST_NAME ? { allowed: true, why: 'local' } : this.policy.judgeName(name);
    this.log.write({ event: 'dns', allowed: verdict.allowed, rule: verdict.why, name, type: q.type });
    if (!verdict.allowed) {
      this.fail(asker, q, RCODE_REFUSED);
      return;
    }
    if (own !== null) {
      this.reply(asker, ownFlags(this.write(asker, q, ownAnswer(q, own))));
      return;
    }
    if (this.servers.length === 0 || this.pending.size >= MOST_LOOKUPS) {
      this.fail(asker, q, RCODE_FAILED);
      return;
    }
    const lookup = new Lookup(this, this.poller, this.time, this.servers, q, asker.stream !== null);
    this.pending.set(lookup, asker);
    lookup.start();
  }

  private write(asker: Asker, q: Question, answer: Answer): Uint8Array {
    return writeAnswer(q, answer, asker.stream === null ? q.size : TCP_LIMIT);
  }

  private fail(asker: Asker, q: Question, rcode: number): void {
    this.reply(asker, this.write(asker, q, { rcode, truncated: false, answers: [], authority: [] }));
  }

  lookupDone(lookup: Lookup, answer: Answer | null): void {
    const asker = this.pending.get(lookup)!;
    this.pending.delete(lookup);
    const q = lookup.question;
    if (answer === null) {
      this.fail(asker, q, RCODE_FAILED);
      return;
    }
    const addresses = q.type === TYPE_A || q.type === TYPE_AAAA;
    this.reply(asker, this.write(asker, q, addresses ? this.filtered(q, answer) : answer));
  }

  /**
   * Of an answer with addresses: the chain of aliases from the name that was asked for, and those addresses at its end that the
   * policy lets the name have. They are the name's from now on.
   */
  private filtered(q: Question, answer: Answer): Answer {
    const name = nameText(q.name);
    const chain: WireName[] = [q.name];
    const kept: DnsRecord[] = [];
    for (let links = 0; links < MOST_LINKS; links++) {
      const last = chain[chain.length - 1]!;
      const alias = answer.answers.find((r) => r.type === TYPE_CNAME && sameName(r.owner, last));
      if (alias === undefined) break;
      kept.push(alias);
      chain.push(Buffer.from(alias.data).toString('latin1'));
    }
    const end = chain[chain.length - 1]!;
    const now = this.time.monotonicNs();
    for (const record of answer.answers) {
      if (record.type === TYPE_DNAME) kept.push(record);
      if (record.type !== q.type || record.class !== CLASS_IN || !sameName(record.owner, end)) continue;
      const address = addressOf(record)!;
      const verdict = this.policy.judgeAnswer(name, address);
      if (!verdict.allowed) {
        this.log.write({
          event: 'answer',
          allowed: false,
          rule: verdict.why,
          name,
          address: address.toString(),
        });
        continue;
      }
      kept.push(record);
      const ttl = Math.min(record.ttl, ...kept.filter((r) => r.type === TYPE_CNAME).map((r) => r.ttl));
      this.names.learn(name, address, ttl, now);
    }
    return { ...answer, answers: kept };
  }
}

/** The addresses of names that nobody outside is asked for; null for other names. */
function ownAddresses(name: string): readonly [IpAddress, IpAddress] | null {
  if (name === HOST_NAME) return [GATEWAY_V4, GATEWAY_V6];
  // RFC 6761, section 6.3.
  return name === 'localhost' || name.endsWith('.localhost') ? [LOOPBACK_V4, LOOPBACK_V6] : null;
}

function ownAnswer(q: Question, [v4, v6]: readonly [IpAddress, IpAddress]): Answer {
  const none = { rcode: RCODE_OK, truncated: false, answers: [], authority: [] };
  if (q.type !== TYPE_A && q.type !== TYPE_AAAA) return none;
  const data = new Uint8Array(q.type === TYPE_A ? 4 : 16);
  (q.type === TYPE_A ? v4 : v6).put(new DataView(data.buffer), 0);
  return {
    ...none,
    answers: [{ owner: q.name, type: q.type, class: CLASS_IN, ttl: OWN_TTL, data }],
  };
}
