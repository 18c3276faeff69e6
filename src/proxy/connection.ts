// One connection: what the guest speaks is seen from its first bytes; TLS is ended here and begun anew towards the server, with
// the protocol that both sides want.

import { isIP, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect, type SecureContext, TLSSocket } from 'node:tls';
import type { Authority } from './certificate.ts';
import { MOST_HELLO_BYTES, readClientHello } from './client_hello.ts';
import { plainHost } from './host_pattern.ts';
import { Http1 } from './http1.ts';
import { Http2 } from './http2.ts';
import type { Link } from './link.ts';

/** RFC 9113 3.4. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
/** RFC 8446 6: alert record, version, length 2, fatal, description. */
const alert = (description: number): Buffer => Buffer.of(21, 3, 3, 0, 2, 2, description);
const ALERT_UNRECOGNIZED_NAME = 112;
const ALERT_DECODE_ERROR = 50;
const HANDSHAKE = 22;

/** The protocols that can be read here, of those that a guest offers. */
const PROTOCOLS = ['h2', 'http/1.1'];

export interface Shared {
  readonly authority: Authority;
  /** By which servers are judged. */
  readonly trust: SecureContext;
}

export class Connection {
  readonly link: (secure: boolean, host?: string) => Link;
  /** The names that the connection may be for. */
  private readonly hosts: readonly string[];
  private readonly shared: Shared;
  private readonly guest: Socket;
  private readonly server: Socket;
  private readonly ended: (reason: string) => void;
  private current: Link;
  private http1: Http1 | null = null;
  private bytes = 0;
  private activeAtMs: number;
  /** Since when a head, hello or handshake has been under way; 0 when none is. */
  private begunAtMs: number;
  private guestBytes = 0;
  private over = false;

  /** `guest`, `server`: descriptors, which this connection closes. */
  constructor(
    shared: Shared,
    link: (secure: boolean, host?: string) => Link,
    hosts: readonly string[],
    guest: number,
    server: number,
    nowMs: number,
    ended: (reason: string) => void,
  ) {
    this.shared = shared;
    this.link = link;
    this.hosts = hosts;
    this.current = link(false);
    this.ended = ended;
    this.activeAtMs = this.begunAtMs = nowMs;
    this.guest = new Socket({ fd: guest, readable: true, writable: true, allowHalfOpen: true });
    this.server = new Socket({ fd: server, readable: true, writable: true, allowHalfOpen: false });
    this.guest.on('error', () => this.end('the guest reset the connection'));
    this.server.on('error', () => {});
    this.guest.on('close', () => this.end('the guest closed the connection'));
    this.sniff(Buffer.alloc(0));
  }

  /** Ends both sides. */
  end(reason: string): void {
    if (this.over) return;
    this.over = true;
    this.guest.destroy();
    this.server.destroy();
    this.current.counters.bytesToServer += this.server.bytesWritten;
    this.current.counters.bytesToGuest += this.guest.bytesWritten;
    this.ended(reason);
  }

  /** Looks at the clock: heads that do not end, and connections on which nothing moves, are given up. */
  tick(nowMs: number): void {
    const { headMs, idleMs } = this.current.limits;
    const bytes =
      this.guest.bytesRead + this.guest.bytesWritten + this.server.bytesRead + this.server.bytesWritten;
    if (bytes !== this.bytes) {
      this.bytes = bytes;
      this.activeAtMs = nowMs;
    }
    if (this.http1 !== null) {
      // Bytes came since the last request was answered, and no request came of them.
      if (this.http1.open > 0) {
        this.begunAtMs = 0;
        this.guestBytes = this.guest.bytesRead;
      } else if (this.guest.bytesRead === this.guestBytes) this.begunAtMs = 0;
      else if (this.begunAtMs === 0) this.begunAtMs = nowMs;
    }
    if (this.begunAtMs > 0 && nowMs - this.begunAtMs > headMs)
      this.giveUp('a head, hello or handshake did not end in time');
    else if (nowMs - this.activeAtMs > idleMs) this.end('nothing moved for too long');
  }

  private giveUp(reason: string): void {
    this.current.log('deny', 'tcp', reason);
    this.end(reason);
  }

  private sniff(before: Buffer): void {
    const done = (): void => {
      this.guest.off('data', more);
      this.guest.off('end', cut);
    };
    const cut = (): void => this.end('the guest closed the connection');
    const more = (chunk: Buffer): void => {
      done();
      this.guest.pause();
      const bytes = before.length === 0 ? chunk : Buffer.concat([before, chunk]);
      if (bytes[0] === HANDSHAKE) {
        this.hello(bytes);
        return;
      }
      const n = Math.min(bytes.length, PREFACE.length);
      if (bytes.subarray(0, n).equals(PREFACE.subarray(0, n))) {
        if (n < PREFACE.length) {
          this.again(bytes);
          return;
        }
        this.start(bytes, (link, guest, server) => void new Http2(link, guest, server));
        return;
      }
      // A method and a space (RFC 9110 9.1): anything else is no request.
      if (!/^[A-Z]{1,20}( |$)/.test(bytes.toString('latin1', 0, 21))) {
        this.giveUp('what the guest speaks is not HTTP');
        return;
      }
      this.start(bytes, (link, guest, server) => {
        this.http1 = new Http1(link, guest, server);
      });
    };
    this.guest.on('data', more);
    this.guest.once('end', cut);
    this.guest.resume();
  }

  /** Waits for more than `bytes`. */
  private again(bytes: Buffer): void {
    if (bytes.length > MOST_HELLO_BYTES) this.giveUp('the hello is too long');
    else this.sniff(bytes);
  }

  private start(bytes: Buffer, protocol: (link: Link, guest: Duplex, server: Duplex | null) => void): void {
    this.begunAtMs = 0;
    this.guest.unshift(bytes);
    protocol(this.current, this.guest, this.server);
    process.nextTick(() => this.guest.resume());
  }

  /** The guest begins TLS: its name must be right; then the server is asked, and then the guest is answered. */
  private hello(bytes: Buffer): void {
    const hello = readClientHello(bytes);
    if (hello === 'more') {
      this.again(bytes);
      return;
    }
    if (hello === 'bad') {
      this.refuseTls('the TLS hello cannot be read', ALERT_DECODE_ERROR);
      return;
    }
    const { hosts } = this;
    const host = hello.serverName === null ? hosts[0]! : plainHost(hello.serverName);
    if (hello.serverName === null && hosts.length > 1) {
      const names = hosts.join(', ').slice(0, 255);
      this.refuseTls(`TLS names no host, and the connection may be for ${names}`, ALERT_UNRECOGNIZED_NAME);
      return;
    }
    if (!hosts.includes(host)) {
      const name = JSON.stringify(hello.serverName!.slice(0, 255));
      const names = hosts.join(', ').slice(0, 255);
      this.refuseTls(`TLS is for ${name}, the connection for ${names}`, ALERT_UNRECOGNIZED_NAME);
      return;
    }
    this.current = this.link(true, host);
    const offered = PROTOCOLS.filter((p) => hello.protocols.includes(p));
    this.guest.unshift(bytes);
    const server = connect({
      socket: this.server,
      secureContext: this.shared.trust,
      ...(isIP(host) === 0 ? { servername: host } : { host }),
      ...(offered.length > 0 ? { ALPNProtocols: offered } : {}),
    });
    let answered = false;
    const fail = (what: string): void => {
      if (answered) return;
      answered = true;
      server.destroy();
      this.current.failure = what;
      this.current.log('deny', 'tls', what);
      this.answerTls(offered[0] ?? null, null);
    };
    server.once('secureConnect', () => {
      if (answered) return;
      answered = true;
      this.answerTls(server.alpnProtocol || null, server);
    });
    server.on('error', (error: NodeJS.ErrnoException) => fail(serverFault(error)));
    server.on('close', () => fail('the server closed the connection during the TLS handshake'));
  }

  private refuseTls(reason: string, description: number): void {
    this.current.log('deny', 'tls', reason);
    this.guest.end(alert(description), () => this.end(reason));
  }

  /** Goes through the handshake with the guest, in which `protocol` is chosen. */
  private answerTls(protocol: string | null, server: Duplex | null): void {
    if (this.over) return;
    const link = this.current;
    const guest = new TLSSocket(this.guest, {
      isServer: true,
      secureContext: this.shared.authority.contextFor(link.host),
      ...(protocol === null ? {} : { ALPNProtocols: [protocol] }),
    });
    let secure = false;
    const failed = (): void => {
      if (!secure)
        link.log('deny', 'tls', 'the TLS handshake with the guest failed: it may not know the authority');
      this.end('TLS with the guest failed');
    };
    // The first is told before the handshake has ended, the second after it.
    guest.on('_tlsError', failed);
    guest.on('error', failed);
    guest.on('close', () => this.end('the guest closed the connection'));
    guest.once('secure', () => {
      secure = true;
      // Node.js's HTTP/2 waits for this, which only its own TLS server sets.
      (guest as unknown as { secureConnecting: boolean }).secureConnecting = false;
      this.begunAtMs = 0;
      this.guestBytes = this.guest.bytesRead;
      if (protocol === 'h2') new Http2(link, guest, server);
      else this.http1 = new Http1(link, guest, server);
    });
  }
}

/** Why a server was not believed: OpenSSL's or Node.js's code and words, which know nothing of requests. */
function serverFault(error: NodeJS.ErrnoException): string {
  const words =
    error.code === 'ERR_TLS_CERT_ALTNAME_INVALID' ? 'its certificate is for another name' : error.message;
  const text = words
    .replace(/^[0-9A-F]+:error:/, '')
    .split('\n')[0]!
    .slice(0, 200);
  return `TLS with the server failed: ${text} (${error.code ?? 'error'})`;
}
