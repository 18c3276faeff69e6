// What HTTP/1.1 and HTTP/2 have in common: one connection's policy, secrets and log; whether a request may go out and what it becomes.

import { plainHost, splitAuthority } from './host_pattern.ts';
import type { Counters, Decision, Limits } from './messages.ts';
import type { Rules } from './rules.ts';
import type { HostSecrets } from './secrets.ts';

/** Text of the guest in the log, bounded. */
const LOG_CHARS = 1024;

const HTTPS_PORT = 443;

/** Headers that a request may have; their bytes are bounded by the parsers. */
const MOST_HEADERS = 200;

/** RFC 9110 7.6.1 and what goes with it: these are for one hop only. Framing is written anew by the other side's writer. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);

/** A request's head as it came; headers are flat: name, value, name, value. */
export interface Head {
  readonly protocol: 'http/1.1' | 'h2';
  readonly method: string;
  readonly target: string;
  /** The authority of the request line or of :authority; null when there was none. */
  readonly authority: string | null;
  readonly headers: readonly string[];
}

/** A head as it goes out, or why it does not. */
export type Judged =
  | { readonly refused: null; readonly path: string; readonly headers: string[] }
  | { readonly refused: string };

export class Link {
  readonly id: number;
  /** The one host that this connection leads to, plain; of several it is the first until a request has said which. */
  host: string;
  readonly port: number;
  readonly secure: boolean;
  secrets: HostSecrets;
  readonly limits: Limits;
  readonly counters: Counters;
  /** Why there is no server to speak with, though the guest is spoken with so that it hears. */
  failure: string | null = null;
  /** The others that it may be; none once a request has named its host. */
  private others: readonly string[];
  private readonly secretsOf: (host: string) => HostSecrets;
  private readonly rules: Rules;
  private readonly send: (decision: Decision) => void;

  constructor(of: {
    id: number;
    hosts: readonly string[];
    port: number;
    secure: boolean;
    secretsOf: (host: string) => HostSecrets;
    limits: Limits;
    counters: Counters;
    rules: Rules;
    send: (decision: Decision) => void;
  }) {
    this.id = of.id;
    this.host = of.hosts[0]!;
    this.others = of.hosts.slice(1);
    this.port = of.port;
    this.secure = of.secure;
    this.secretsOf = of.secretsOf;
    this.secrets = of.secretsOf(this.host);
    this.limits = of.limits;
    this.counters = of.counters;
    this.rules = of.rules;
    this.send = of.send;
  }

  /** Decides on a request, and logs that. */
  judge(head: Head): Judged {
    this.counters.requests++;
    const judged = this.decide(head);
    const secrets = judged.refused === null ? this.used(head) : [];
    this.log(judged.refused === null ? 'allow' : 'deny', head.protocol, judged.refused, {
      method: head.method.slice(0, LOG_CHARS),
      path: head.target.slice(0, LOG_CHARS),
      ...(secrets.length > 0 ? { secrets } : {}),
    });
    return judged;
  }

  log(
    verdict: Decision['verdict'],
    protocol: Decision['protocol'],
    reason: string | null,
    more: Pick<Decision, 'method' | 'path' | 'secrets'> = {},
  ): void {
    if (verdict === 'deny') this.counters.denied++;
    this.send({
      type: 'decision',
      id: this.id,
      verdict,
      host: this.host,
      port: this.port,
      protocol,
      ...more,
      ...(reason === null ? {} : { reason: reason.slice(0, LOG_CHARS) }),
    });
  }

  /** Headers of an answer, flat, as the guest gets them; `drop` has lower-case names. */
  answerHeaders(headers: readonly string[], drop: ReadonlySet<string>): string[] {
    const listed = connectionOptions(headers);
    const out: string[] = [];
    for (let i = 0; i + 1 < headers.length; i += 2) {
      const name = headers[i]!.toLowerCase();
      if (HOP_BY_HOP.has(name) || listed.has(name) || drop.has(name)) continue;
      out.push(this.secrets.answer(headers[i]!), this.secrets.answer(headers[i + 1]!));
    }
    return out;
  }

  /** Trailers of a request, flat; null when a placeholder in them is not for this host. */
  trailers(flat: readonly string[]): string[] | null {
    const out: string[] = [];
    for (let i = 0; i + 1 < flat.length; i += 2) {
      const value = this.secrets.header(flat[i]!, flat[i + 1]!);
      if (typeof value !== 'string') return null;
      out.push(flat[i]!, value);
    }
    return out;
  }

  private decide(head: Head): Judged {
    if (head.headers.length > 2 * MOST_HEADERS) return { refused: `more than ${MOST_HEADERS} headers` };
    const wrong = this.wrongHost(head);
    if (wrong !== null) return { refused: wrong };
    // Whoever speaks plainly to the port of TLS would have a secret go where all can read it.
    if (!this.secure && this.port === HTTPS_PORT && this.secrets.any)
      return { refused: 'a host with secrets, at port 443, without TLS' };
    if (head.method === 'CONNECT') return { refused: 'no tunnels through this connection' };
    // RFC 9112 3.2: origin-form, or asterisk-form.
    if (!head.target.startsWith('/') && !(head.target === '*' && head.method === 'OPTIONS'))
      return { refused: 'the request target is not a path' };
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
    if (/[\x00-\x20\x7f#]/.test(head.target))
      return { refused: 'the request target has characters that no path has' };
    const denial = this.rules.denial(this.host, head.method, head.target);
    if (denial !== null) return { refused: denial };
    const path = this.secrets.path(head.target);
    if (typeof path !== 'string') return path;
    const headers: string[] = [];
    const listed = connectionOptions(head.headers);
    for (let i = 0; i + 1 < head.headers.length; i += 2) {
      const name = head.headers[i]!.toLowerCase();
      if (HOP_BY_HOP.has(name) || (listed.has(name) && name !== 'host')) continue;
      if (name.startsWith('vedette_secret_')) return { refused: 'a placeholder as the name of a header' };
      // Answers of hosts that have secrets are searched for them, and compression hides them.
      if (name === 'accept-encoding' && this.secrets.any) continue;
      const value = this.secrets.header(name, head.headers[i + 1]!);
      if (typeof value !== 'string') return value;
      headers.push(head.headers[i]!, value);
    }
    if (this.secrets.any)
      headers.push(head.protocol === 'h2' ? 'accept-encoding' : 'Accept-Encoding', 'identity');
    return { refused: null, path, headers };
  }

  /** Host and :authority must be the name that the connection was made for: else a name is used to reach another behind it. */
  private wrongHost(head: Head): string | null {
    const named = head.authority === null ? [] : [head.authority];
    for (let i = 0; i + 1 < head.headers.length; i += 2)
      if (head.headers[i]!.toLowerCase() === 'host') named.push(head.headers[i + 1]!);
    if (named.length === 0) return 'the request names no host';
    if (head.protocol === 'http/1.1' && named.length > (head.authority === null ? 1 : 2))
      return 'the request names its host twice';
    this.settle(named[0]!);
    for (const text of named) {
      const a = splitAuthority(text.trim());
      if (a === null) return 'the request names its host in a way that is not understood';
      if (a.host !== plainHost(this.host))
        return `the request is for ${a.host.slice(0, 255)}, the connection for ${this.host}`;
      if (a.port !== null && a.port !== this.port)
        return `the request is for port ${a.port}, the connection for ${this.port}`;
    }
    return null;
  }

  /** The first request says which of the connection's names is meant, and no other is from then on. */
  private settle(authority: string): void {
    const { others } = this;
    if (others.length === 0) return;
    this.others = [];
    const host = splitAuthority(authority.trim())?.host;
    if (host === undefined || !others.includes(host)) return;
    this.host = host;
    this.secrets = this.secretsOf(host);
  }

  private used(head: Head): string[] {
    const names = new Set(this.secrets.namesIn(head.target));
    for (let i = 1; i < head.headers.length; i += 2) {
      const value = head.headers[i]!;
      const basic = /^basic +(.*)$/i.exec(value);
      const text = basic === null ? value : Buffer.from(basic[1]!, 'base64').toString('latin1');
      for (const name of this.secrets.namesIn(text)) names.add(name);
    }
    return [...names];
  }
}

/** The header names that Connection lists, lower case (RFC 9110 7.6.1). */
function connectionOptions(headers: readonly string[]): Set<string> {
  const out = new Set<string>();
  for (let i = 0; i + 1 < headers.length; i += 2)
    if (headers[i]!.toLowerCase() === 'connection')
      for (const name of headers[i + 1]!.split(',')) out.add(name.trim().toLowerCase());
  return out;
}

/** The values of header `name` (lower case) among flat headers. */
export function headerValues(headers: readonly string[], name: string): string[] {
  return headers.filter((_, i) => i % 2 === 1 && headers[i - 1]!.toLowerCase() === name);
}

/** The one value of a header, '' when there is none. */
export function headerValue(headers: readonly string[], name: string): string {
  return headerValues(headers, name).join(', ');
}
