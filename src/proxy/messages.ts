// What goes over the control socket: JSON, each message after its length in four bytes, little-endian. docs/network-proxy.md tells the order
// and where descriptors travel.

import { plainHost } from './host_pattern.ts';
import type { Rule } from './rules.ts';
import type { SecretConfig } from './secrets.ts';

/** Descriptor numbers of the process: messages, and the socket over which descriptors come. */
export const CONTROL_FD = 3;
export const DESCRIPTORS_FD = 4;

export interface Configure {
  readonly type: 'configure';
  readonly rules: readonly Rule[];
  /** For requests that no rule fits. */
  readonly otherwise: 'allow' | 'deny';
  readonly secrets: readonly SecretConfig[];
  /** PKCS#8 PEM of the authority's key; null has one made. */
  readonly caKey: string | null;
  /** More authorities, as PEM, by which servers are judged. */
  readonly trust: readonly string[];
  readonly limits?: Partial<Limits>;
}

export interface Limits {
  readonly connections: number;
  /** For the head of a request, once begun, for a hello and for a TLS handshake. */
  readonly headMs: number;
  /** Without a byte in either direction. */
  readonly idleMs: number;
  /** Bodies up to this are kept whole while a secret in them changes their length. */
  readonly bodyBytes: number;
}

export const LIMITS: Limits = { connections: 1024, headMs: 30_000, idleMs: 600_000, bodyBytes: 262_144 };

/** A connection of the guest. Two descriptors come before it: the guest's side, then the server's, connected. */
export interface ConnectionMessage {
  readonly type: 'connection';
  readonly id: number;
  /** The name that the policy bound to the address; null when the guest gave an address only. */
  readonly name: string | null;
  /** All names that the policy bound to it, when there may be more than one: what the guest says decides which is meant. */
  readonly names?: readonly string[];
  readonly address: string;
  readonly port: number;
  /** In place of those of the configuration. */
  readonly rules?: readonly Rule[];
}

export type Incoming = Configure | ConnectionMessage | { readonly type: 'counters' };

/** One decision on a request, or on a connection where there is none. Text of the guest is cut to a bound. */
export interface Decision {
  readonly type: 'decision';
  readonly id: number;
  readonly verdict: 'allow' | 'deny';
  readonly host: string;
  readonly port: number;
  readonly protocol: 'http/1.1' | 'h2' | 'tls' | 'tcp';
  readonly method?: string;
  readonly path?: string;
  readonly reason?: string;
  /** Names of the secrets that went out. */
  readonly secrets?: readonly string[];
}

export interface Counters {
  connections: number;
  open: number;
  requests: number;
  denied: number;
  failed: number;
  bytesToServer: number;
  bytesToGuest: number;
  /** Messages that nobody took in time. */
  logDropped: number;
}

export type Outgoing =
  | { readonly type: 'ready'; readonly ca: string }
  | Decision
  | { readonly type: 'ended'; readonly id: number; readonly reason: string }
  | ({ readonly type: 'counters' } & Counters)
  | { readonly type: 'fault'; readonly what: string };

type Fields = Record<string, unknown>;
const isText = (v: unknown): v is string => typeof v === 'string';
const isTexts = (v: unknown): v is string[] => Array.isArray(v) && v.every(isText);

function isRule(v: unknown): boolean {
  const r = v as Fields;
  return (
    (r?.action === 'allow' || r?.action === 'deny') &&
    isText(r.host) &&
    (r.methods === undefined || isTexts(r.methods)) &&
    (r.path === undefined || isText(r.path))
  );
}

function isSecret(v: unknown): boolean {
  const s = v as Fields;
  return isText(s?.name) && isTexts(s.hosts) && isText(s.placeholder) && isText(s.value);
}

/** A message of the other side; null for what is none. */
export function readMessage(text: string): Incoming | null {
  let m: Fields;
  try {
    m = JSON.parse(text) as Fields;
  } catch {
    return null;
  }
  if (m === null || typeof m !== 'object') return null;
  if (m.type === 'counters') return { type: 'counters' };
  if (m.type === 'connection') {
    const ok =
      Number.isSafeInteger(m.id) &&
      (m.name === null || isText(m.name)) &&
      (m.names === undefined || (isTexts(m.names) && m.names.length > 0)) &&
      isText(m.address) &&
      Number.isInteger(m.port) &&
      (m.rules === undefined || (Array.isArray(m.rules) && m.rules.every(isRule)));
    return ok ? (m as unknown as ConnectionMessage) : null;
  }
  if (m.type !== 'configure') return null;
  const ok =
    Array.isArray(m.rules) &&
    m.rules.every(isRule) &&
    (m.otherwise === 'allow' || m.otherwise === 'deny') &&
    Array.isArray(m.secrets) &&
    m.secrets.every(isSecret) &&
    (m.caKey === null || isText(m.caKey)) &&
    isTexts(m.trust);
  if (!ok) return null;
  const c = m as unknown as Configure;
  return {
    ...c,
    rules: c.rules.map((r) => ({ ...r, host: plainHost(r.host) })),
    secrets: c.secrets.map((s) => ({ ...s, hosts: s.hosts.map(plainHost) })),
  };
}

/** Bytes that one message may have. */
export const MOST_MESSAGE_BYTES = 16 << 20;

/** A message as it travels. */
export function frame(message: object): Buffer {
  const text = Buffer.from(JSON.stringify(message));
  const out = Buffer.allocUnsafe(4 + text.length);
  out.writeUInt32LE(text.length);
  text.copy(out, 4);
  return out;
}

/** Takes bytes in, gives whole messages out. */
export class Unframer {
  private parts: Buffer[] = [];
  private have = 0;

  /** The messages that are whole now; null when one is larger than allowed. */
  push(chunk: Buffer): string[] | null {
    this.parts.push(chunk);
    this.have += chunk.length;
    const out: string[] = [];
    while (this.have >= 4) {
      if (this.parts[0]!.length < 4) this.parts = [Buffer.concat(this.parts)];
      const size = this.parts[0]!.readUInt32LE();
      if (size > MOST_MESSAGE_BYTES) return null;
      if (this.have < 4 + size) break;
      const all = Buffer.concat(this.parts);
      out.push(all.toString('utf8', 4, 4 + size));
      this.parts = [all.subarray(4 + size)];
      this.have -= 4 + size;
    }
    return out;
  }
}
