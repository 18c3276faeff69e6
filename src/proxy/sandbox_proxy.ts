// All connections of one sandbox: their number is bounded, and what they share is here.

import { closeSync } from 'node:fs';
import type { SecureContext } from 'node:tls';
import { Authority } from './certificate.ts';
import { Connection } from './connection.ts';
import { plainHost } from './host_pattern.ts';
import { Link } from './link.ts';
import {
  type Configure,
  type ConnectionMessage,
  type Counters,
  LIMITS,
  type Limits,
  type Outgoing,
} from './messages.ts';
import { Rules } from './rules.ts';
import {
  HostSecrets,
  LEAST_VALUE_BYTES,
  MOST_SECRETS,
  MOST_VALUE_BYTES,
  PLACEHOLDER_PREFIX,
} from './secrets.ts';

/** Hosts whose secrets' search patterns are kept ready. */
const MOST_HOSTS = 256;

export class SandboxProxy {
  readonly counters: Counters = {
    connections: 0,
    open: 0,
    requests: 0,
    denied: 0,
    failed: 0,
    bytesToServer: 0,
    bytesToGuest: 0,
    logDropped: 0,
  };
  readonly limits: Limits;
  private readonly config: Configure;
  private readonly authority: Authority;
  private readonly trust: SecureContext;
  private readonly rules: Rules;
  private readonly send: (message: Outgoing) => void;
  private readonly connections = new Map<number, Connection>();
  private readonly secrets = new Map<string, HostSecrets>();

  /** Throws, without words that quote a value, for a configuration that cannot be used. */
  constructor(config: Configure, trust: SecureContext, send: (message: Outgoing) => void) {
    checkSecrets(config);
    this.config = config;
    this.limits = { ...LIMITS, ...config.limits };
    this.trust = trust;
    this.authority = config.caKey === null ? Authority.make() : Authority.ofKey(config.caKey);
    this.rules = new Rules(config.rules, config.otherwise);
    this.send = send;
  }

  get caPem(): string {
    return this.authority.pem;
  }

  /** Takes a connection over; both descriptors are closed when it ends. */
  open(m: ConnectionMessage, guest: number, server: number): void {
    this.counters.connections++;
    if (this.connections.size >= this.limits.connections || this.connections.has(m.id)) {
      closeSync(guest);
      closeSync(server);
      const reason = this.connections.has(m.id) ? 'its number is in use' : 'too many connections';
      this.send({ type: 'ended', id: m.id, reason });
      return;
    }
    const hosts = (m.names ?? [m.name ?? m.address]).map(plainHost);
    // Its own rules say all that there is to say about the connection.
    const rules = m.rules === undefined ? this.rules : new Rules(m.rules, 'deny');
    const linkOf = (secure: boolean, host?: string): Link =>
      new Link({
        id: m.id,
        hosts: host === undefined ? hosts : [host],
        port: m.port,
        secure,
        secretsOf: (of) => this.secretsOf(of, m.port),
        limits: this.limits,
        counters: this.counters,
        rules,
        send: this.send,
      });
    this.counters.open++;
    const connection = new Connection(
      { authority: this.authority, trust: this.trust },
      linkOf,
      hosts,
      guest,
      server,
      Date.now(),
      (reason) => {
        this.counters.open--;
        this.connections.delete(m.id);
        this.send({ type: 'ended', id: m.id, reason });
      },
    );
    this.connections.set(m.id, connection);
  }

  tick(nowMs: number): void {
    for (const connection of this.connections.values()) connection.tick(nowMs);
  }

  private secretsOf(host: string, port: number): HostSecrets {
    const key = `${host} ${port}`;
    let found = this.secrets.get(key);
    if (found !== undefined) return found;
    found = new HostSecrets(this.config.secrets, host, port);
    this.secrets.set(key, found);
    if (this.secrets.size > MOST_HOSTS) this.secrets.delete(this.secrets.keys().next().value!);
    return found;
  }
}

function checkSecrets({ secrets }: Configure): void {
  if (secrets.length > MOST_SECRETS) throw new RangeError('too many secrets');
  for (const s of secrets) {
    const size = Buffer.byteLength(s.value);
    if (size < LEAST_VALUE_BYTES || size > MOST_VALUE_BYTES)
      throw new RangeError('a secret is too short or too long');
    if (!s.placeholder.startsWith(PLACEHOLDER_PREFIX) || /[^A-Za-z0-9_]/.test(s.placeholder))
      throw new RangeError('a placeholder is none');
  }
}
