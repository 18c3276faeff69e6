// HTTP/2 (RFC 9113) through one connection: a session with the guest and one with the server; each stream of the one is a stream of the other.

import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  createServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Duplex } from 'node:stream';
import { answerPlan, collect, endWith, pump, requestPlan, withoutCoding } from './body.ts';
import { headerValue, type Judged, type Link } from './link.ts';

const MOST_STREAMS = 100;
const SESSION_MEGABYTES = 4;
const OPTIONS = {
  maxSessionMemory: SESSION_MEGABYTES,
  maxHeaderListPairs: 200,
  maxSendHeaderBlockLength: 65_536,
  peerMaxConcurrentStreams: MOST_STREAMS,
  settings: {
    enablePush: false,
    maxConcurrentStreams: MOST_STREAMS,
    maxHeaderListSize: 65_536,
    initialWindowSize: 262_144,
  },
} as const;

const NO_ERROR = constants.NGHTTP2_NO_ERROR;
const CANCEL = constants.NGHTTP2_CANCEL;
const INTERNAL_ERROR = constants.NGHTTP2_INTERNAL_ERROR;
const END_STREAM = constants.NGHTTP2_FLAG_END_STREAM;

const LENGTH_CHANGES: ReadonlySet<string> = new Set(['content-length']);
const DECODED: ReadonlySet<string> = new Set(['content-length', 'content-encoding']);
const NONE: ReadonlySet<string> = new Set();

const server = createServer(OPTIONS);
server.on('sessionError', () => {});

export class Http2 {
  private readonly link: Link;
  private readonly guest: ServerHttp2Session;
  private readonly server: ClientHttp2Session | null;

  constructor(link: Link, guest: Duplex, to: Duplex | null) {
    this.link = link;
    this.server =
      to === null
        ? null
        : connect(`${link.secure ? 'https' : 'http'}://server`, { ...OPTIONS, createConnection: () => to });
    let session: ServerHttp2Session | null = null;
    server.once('session', (s) => {
      session = s;
    });
    server.emit('connection', guest);
    // The server makes a session in the course of that call.
    this.guest = session!;
    this.guest.on('error', () => guest.destroy());
    this.guest.on('stream', (stream, headers, flags) => this.stream(stream, headers, flags));
    this.guest.on('close', () => this.server?.close());
    if (this.server === null) return;
    this.server.on('error', () => this.guest.close());
    this.server.on('goaway', () => this.guest.close());
    this.server.on('close', () => this.guest.close());
  }

  private stream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, flags: number): void {
    stream.on('error', () => {});
    const empty = (flags & END_STREAM) !== 0;
    const method = headers[':method'] ?? '';
    const flat = flatten(headers);
    const judged = this.link.judge({
      protocol: 'h2',
      method,
      target: headers[':path'] ?? '',
      authority: headers[':authority'] ?? null,
      headers: flat,
    });
    if (judged.refused !== null) {
      this.tell(stream, 403, judged.refused);
      return;
    }
    if (this.link.failure !== null || this.server === null) {
      this.tell(stream, 502, this.link.failure ?? 'there is no server');
      return;
    }
    if (this.server.destroyed || this.server.closed) {
      this.tell(stream, 502, 'the server closed the connection');
      return;
    }
    const told = headerValue(flat, 'content-length');
    const plan = requestPlan(
      this.link.secrets,
      {
        type: headerValue(flat, 'content-type'),
        encoding: headerValue(flat, 'content-encoding'),
        length: empty ? 0 : told === '' ? null : Number(told),
      },
      this.link.limits.bodyBytes,
    );
    if (!plan.whole) {
      const up = this.send(
        stream,
        headers,
        judged,
        empty,
        plan.keepsLength && told !== '' ? Number(told) : null,
      );
      if (up === null || empty) return;
      let trailers: string[] = [];
      stream.on('trailers', (h) => {
        trailers = flatten(h);
      });
      up.on('wantTrailers', () => {
        const out = this.link.trailers(trailers);
        if (out === null) up.close(CANCEL);
        else up.sendTrailers(unflatten(out));
      });
      pump(stream, up, plan.filter, (failure) => {
        if (failure === 'refused') {
          this.foreign(method);
          up.close(CANCEL);
          this.tell(stream, 403, 'a secret in the body is not for this host');
        } else if (failure === 'broken') up.close(CANCEL);
        else up.end();
      });
      return;
    }
    collect(stream, plan.filter!, this.link.limits.bodyBytes * 4, (body) => {
      if (body !== null) endWith(this.send(stream, headers, judged, false, body.length), body);
      else if (plan.filter!.refused) {
        this.foreign(method);
        this.tell(stream, 403, 'a secret in the body is not for this host');
      } else this.tell(stream, 400, 'the body broke off, or there is no room for it');
    });
  }

  private foreign(method: string): void {
    this.link.log('deny', 'h2', 'a secret in the body is not for this host', { method });
  }

  private send(
    stream: ServerHttp2Stream,
    asked: IncomingHttpHeaders,
    judged: Judged & { refused: null },
    empty: boolean,
    length: number | null,
  ): ClientHttp2Stream | null {
    if (stream.destroyed || this.server === null) return null;
    const headers = unflatten(judged.headers);
    delete headers['content-length'];
    if (length !== null && !empty) headers['content-length'] = length;
    // `te` has but one value in HTTP/2 (RFC 9113 8.2.2).
    if (headers.te !== undefined && headers.te !== 'trailers') delete headers.te;
    headers[':method'] = asked[':method'] ?? '';
    headers[':scheme'] = this.link.secure ? 'https' : 'http';
    headers[':authority'] = asked[':authority'] ?? asked.host ?? this.link.host;
    delete headers.host;
    headers[':path'] = judged.path;
    let up: ClientHttp2Stream;
    try {
      up = this.server.request(headers, { endStream: empty, waitForTrailers: !empty });
    } catch {
      this.tell(stream, 502, 'the request cannot be written');
      return null;
    }
    up.on('continue', () => {
      if (!stream.headersSent && !stream.destroyed) stream.additionalHeaders({ ':status': 100 });
    });
    let answered = false;
    up.on('response', (h, flags) => {
      answered = true;
      this.answer(stream, asked, up, h, flags);
    });
    up.on('error', () => {
      if (!stream.headersSent) this.tell(stream, 502, 'the server reset the stream or closed the connection');
      else stream.close(up.rstCode === NO_ERROR ? INTERNAL_ERROR : up.rstCode);
    });
    up.on('close', () => {
      if (answered || stream.headersSent || stream.destroyed) return;
      this.tell(stream, 502, 'the server closed the stream without an answer');
    });
    stream.on('close', () => {
      if (!up.destroyed && !stream.writableFinished)
        up.close(stream.rstCode === NO_ERROR ? CANCEL : stream.rstCode);
    });
    return up;
  }

  private answer(
    stream: ServerHttp2Stream,
    asked: IncomingHttpHeaders,
    up: ClientHttp2Stream,
    h: IncomingHttpHeaders,
    flags: number,
  ): void {
    if (stream.destroyed || stream.headersSent) {
      up.close(CANCEL);
      return;
    }
    const flat = flatten(h);
    const status = Number(h[':status']);
    const noBody = (flags & END_STREAM) !== 0 || asked[':method'] === 'HEAD';
    const encoding = headerValue(flat, 'content-encoding');
    const coded = this.link.secrets.any && !noBody && encoding !== '' && encoding !== 'identity';
    const source = coded ? withoutCoding(up, encoding) : up;
    if (source === null) {
      up.close(CANCEL);
      this.tell(stream, 502, 'the answer is in a coding that cannot be searched for secrets');
      return;
    }
    const told = headerValue(flat, 'content-length');
    const length = coded || told === '' ? null : Number(told);
    const plan = answerPlan(
      this.link.secrets,
      noBody ? 0 : length,
      status === 206,
      this.link.limits.bodyBytes,
    );
    const drop = coded ? DECODED : plan.keepsLength ? NONE : LENGTH_CHANGES;
    const headers: OutgoingHttpHeaders = unflatten(this.link.answerHeaders(flat, drop));
    headers[':status'] = status;
    const begin = (endStream: boolean): boolean => {
      try {
        stream.respond(headers, { endStream, waitForTrailers: !endStream });
        return true;
      } catch {
        up.close(CANCEL);
        stream.close(INTERNAL_ERROR);
        return false;
      }
    };
    let trailers: string[] = [];
    up.on('trailers', (t) => {
      trailers = flatten(t);
    });
    stream.on('wantTrailers', () => stream.sendTrailers(unflatten(this.link.answerHeaders(trailers, NONE))));
    if (noBody) {
      up.resume();
      begin(true);
    } else if (plan.whole)
      collect(source, plan.filter!, this.link.limits.bodyBytes * 4, (body) => {
        if (body === null) return this.tell(stream, 502, 'the answer broke off, or there is no room for it');
        headers['content-length'] = body.length;
        endWith(!stream.destroyed && begin(false) ? stream : null, body);
      });
    else if (begin(false))
      pump(source, stream, plan.filter, (failure) => {
        if (failure === null) stream.end();
        else stream.close(up.rstCode === NO_ERROR ? INTERNAL_ERROR : up.rstCode);
      });
  }

  private tell(stream: ServerHttp2Stream, status: number, reason: string): void {
    if (stream.destroyed || stream.headersSent) {
      if (!stream.destroyed) stream.close(CANCEL);
      return;
    }
    if (status >= 500) this.link.counters.failed++;
    const body = `vedette: ${reason}\n`;
    stream.removeAllListeners('data');
    stream.resume();
    stream.respond({
      ':status': status,
      'content-type': 'text/plain; charset=utf-8',
      'content-length': Buffer.byteLength(body),
    });
    stream.end(body);
  }
}

/** Headers as name, value, name, value, without those of the protocol. */
function flatten(headers: IncomingHttpHeaders): string[] {
  const out: string[] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(':') || value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) out.push(name, one);
  }
  return out;
}

function unflatten(flat: readonly string[]): OutgoingHttpHeaders {
  const out: OutgoingHttpHeaders = {};
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const name = flat[i]!.toLowerCase();
    const before = out[name];
    if (before === undefined) out[name] = flat[i + 1]!;
    else out[name] = [...(Array.isArray(before) ? before : [String(before)]), flat[i + 1]!];
  }
  return out;
}
