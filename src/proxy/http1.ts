// HTTP/1.1 (RFC 9112) through one connection: requests are read by Node.js's strict parser, judged, and written anew to the one
// server that the connection leads to; nothing of the guest's framing goes through.

import {
  Agent,
  type ClientRequest,
  request as clientRequest,
  createServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { Duplex } from 'node:stream';
import { answerPlan, collect, endWith, pump, requestPlan, withoutCoding } from './body.ts';
import { headerValue, headerValues, type Judged, type Link } from './link.ts';
import { Replacer } from './replacer.ts';

const MOST_HEADER_BYTES = 65_536;
/** Requests that a guest may send ahead of answers. */
const MOST_PIPELINED = 64;

const LENGTH_CHANGES: ReadonlySet<string> = new Set(['content-length']);
const DECODED: ReadonlySet<string> = new Set(['content-length', 'content-encoding']);
const NONE: ReadonlySet<string> = new Set();

/** Gives out the one connection there is, once. */
class OneConnection extends Agent {
  private socket: Duplex | null;

  constructor(socket: Duplex | null) {
    super({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1, keepAliveMsecs: 60_000 });
    this.socket = socket;
  }

  // The types of Node.js 20 leave this method out.
  override createConnection(
    _: unknown,
    done: (error: Error | null, socket?: Duplex) => void,
  ): Duplex | undefined {
    const socket = this.socket;
    this.socket = null;
    if (socket !== null) return socket;
    done(new Error('the connection to the server has ended'));
    return undefined;
  }
}

const links = new WeakMap<object, Http1>();

const server = createServer({
  maxHeaderSize: MOST_HEADER_BYTES,
  insecureHTTPParser: false,
  keepAliveTimeout: 0,
  headersTimeout: 0,
  requestTimeout: 0,
});
// Node.js would leave out headers beyond a number, Host and framing perhaps among them; their size is bounded.
server.maxHeadersCount = 0;
// A guest that has sent all that it wants to may close that direction and read on.
(server as unknown as { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
server.on('request', (req, res) => links.get(req.socket)!.request(req, res, false));
server.on('checkContinue', (req, res) => links.get(req.socket)!.request(req, res, true));
server.on('upgrade', (req, socket, head) => links.get(socket)!.upgrade(req, socket, head));
server.on('connect', (req, socket) => links.get(socket)!.connect(req, socket));
server.on('clientError', (error, socket) => links.get(socket)?.unreadable(error, socket));

export class Http1 {
  private readonly link: Link;
  private readonly guest: Duplex;
  private readonly server: Duplex | null;
  private readonly agent: OneConnection;
  /** Requests that have no whole answer yet. */
  open = 0;
  private upgraded = false;

  constructor(link: Link, guest: Duplex, to: Duplex | null) {
    this.link = link;
    this.guest = guest;
    this.server = to;
    this.agent = new OneConnection(to);
    to?.on('close', () => {
      if (this.open === 0) guest.end();
    });
    links.set(guest, this);
    server.emit('connection', guest);
  }

  request(req: IncomingMessage, res: ServerResponse, wantsContinue: boolean): void {
    if (++this.open > MOST_PIPELINED) {
      this.link.log('deny', 'http/1.1', `more than ${MOST_PIPELINED} requests ahead of their answers`);
      this.guest.destroy();
      return;
    }
    res.on('close', () => this.closed());
    const judged = this.judge(req);
    if (judged.refused !== null) {
      this.tell(req, res, 403, judged.refused);
      return;
    }
    if (this.link.failure !== null) {
      this.tell(req, res, 502, this.link.failure);
      return;
    }
    const framing = framingOf(req);
    if (framing === 'bad') {
      this.tell(req, res, 400, 'the length of the request is ambiguous');
      return;
    }
    const plan = requestPlan(
      this.link.secrets,
      {
        type: req.headers['content-type'] ?? '',
        encoding: req.headers['content-encoding'] ?? '',
        length: framing,
      },
      this.link.limits.bodyBytes,
    );
    if (!plan.whole) {
      const kept = plan.keepsLength && framing !== null;
      const up = this.send(req, res, judged, framing === 0 || kept ? framing : null, wantsContinue);
      if (up === null) return;
      pump(req, up, plan.filter, (failure) => {
        if (failure === 'refused') {
          this.foreign(req);
          up.destroy();
          this.tell(req, res, 403, 'a secret in the body is not for this host');
        } else if (failure === 'broken') up.destroy();
        else this.finish(req, up);
      });
      return;
    }
    // The body is wanted before the server is asked.
    if (wantsContinue) res.writeContinue();
    collect(req, plan.filter!, this.mostWhole(), (body) => {
      if (body === null) {
        if (!plan.filter!.refused)
          return this.tell(req, res, 400, 'the body broke off, or there is no room for it');
        this.foreign(req);
        return this.tell(req, res, 403, 'a secret in the body is not for this host');
      }
      endWith(this.send(req, res, judged, body.length, false), body);
    });
  }

  /** RFC 9110 7.8: only WebSockets (RFC 6455) change the protocol; other wishes are passed over, as servers may. */
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (!/^websocket$/i.test(req.headers.upgrade ?? '') || req.method !== 'GET') {
      const lines = [`${req.method} ${req.url} HTTP/1.1`];
      for (let i = 0; i + 1 < req.rawHeaders.length; i += 2)
        if (!/^(upgrade|http2-settings|connection)$/i.test(req.rawHeaders[i]!))
          lines.push(`${req.rawHeaders[i]}: ${req.rawHeaders[i + 1]}`);
      socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
      server.emit('connection', socket);
      process.nextTick(() => socket.resume());
      return;
    }
    const judged = this.judge(req);
    const reason = judged.refused ?? this.link.failure;
    if (judged.refused !== null || reason !== null || this.open > 0) {
      plainAnswer(socket, judged.refused !== null ? 403 : 502, reason ?? 'requests before it are open');
      return;
    }
    this.upgraded = true;
    // It is open for as long as the connection is.
    this.open++;
    const up = this.ask(req.method!, judged.path, [
      ...judged.headers,
      'Connection',
      'Upgrade',
      'Upgrade',
      'websocket',
    ]);
    if (up === null) {
      plainAnswer(socket, 400, 'the request cannot be written');
      return;
    }
    up.on('upgrade', (answer, peer, first) => {
      const headers = this.link.answerHeaders(answer.rawHeaders, NONE);
      const lines = [`HTTP/1.1 101 ${this.link.secrets.answer(answer.statusMessage ?? '')}`];
      for (let i = 0; i + 1 < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`);
      lines.push('Connection: Upgrade', 'Upgrade: websocket');
      socket.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
      // What a server sends is not masked (RFC 6455 5.1) and has its length before it.
      const masks = new Replacer(this.link.secrets.masks());
      if (first.length > 0) peer.unshift(first);
      if (head.length > 0) socket.unshift(head);
      const end = (): void => {
        socket.destroy();
        peer.destroy();
      };
      pump(socket, peer, null, (failure) => (failure === null ? peer.end() : end()));
      pump(peer, socket, { push: (b) => masks.push(b), end: () => masks.end(), refused: false }, (failure) =>
        failure === null ? socket.end() : end(),
      );
      socket.on('error', end);
      peer.on('error', end);
      socket.resume();
      peer.resume();
    });
    up.on('response', (answer) => {
      // No upgrade: its answer, and the end.
      const status = `HTTP/1.1 ${answer.statusCode} ${this.link.secrets.answer(answer.statusMessage ?? '')}`;
      const coded = this.link.secrets.any && headerValue(answer.rawHeaders, 'content-encoding') !== '';
      if (coded) return plainAnswer(socket, 502, 'the answer is in a coding that was not asked for');
      const headers = this.link.answerHeaders(answer.rawHeaders, LENGTH_CHANGES);
      const lines = [status];
      for (let i = 0; i + 1 < headers.length; i += 2) lines.push(`${headers[i]}: ${headers[i + 1]}`);
      socket.write(`${lines.join('\r\n')}\r\nConnection: close\r\n\r\n`, 'latin1');
      const plan = answerPlan(this.link.secrets, null, false, 0);
      pump(answer, socket, plan.filter, (failure) => (failure === null ? socket.end() : socket.destroy()));
    });
    up.on('error', () => plainAnswer(socket, 502, 'the server closed the connection'));
    up.end();
  }

  connect(req: IncomingMessage, socket: Duplex): void {
    this.link.counters.requests++;
    this.link.log('deny', 'http/1.1', 'no tunnels through this connection', {
      method: 'CONNECT',
      path: (req.url ?? '').slice(0, 256),
    });
    plainAnswer(socket, 403, 'no tunnels through this connection');
  }

  /** What the parser does not take. */
  unreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
    if (error.code === 'ECONNRESET' || this.upgraded || socket.destroyed) {
      socket.destroy();
      return;
    }
    const large = error.code === 'HPE_HEADER_OVERFLOW';
    this.link.log('deny', 'http/1.1', `the request cannot be read (${error.code ?? 'error'})`);
    // With an answer under way nothing may be written in its middle.
    if (this.open > 0) socket.destroy();
    else
      plainAnswer(
        socket,
        large ? 431 : 400,
        large ? 'the headers are too large' : 'the request cannot be read',
      );
  }

  private mostWhole(): number {
    return this.link.limits.bodyBytes * 4;
  }

  private judge(req: IncomingMessage): Judged {
    let target = req.url ?? '';
    let authority: string | null = null;
    // RFC 9112 3.2.2: absolute-form, which servers must take.
    const absolute = /^https?:\/\/([^/?#]*)(.*)$/i.exec(target);
    if (absolute !== null) {
      authority = absolute[1]!;
      target = absolute[2]!.startsWith('/') ? absolute[2]! : `/${absolute[2]!}`;
    }
    return this.link.judge({
      protocol: 'http/1.1',
      method: req.method!,
      target,
      authority,
      headers: req.rawHeaders,
    });
  }

  private foreign(req: IncomingMessage): void {
    this.link.log('deny', 'http/1.1', 'a secret in the body is not for this host', { method: req.method! });
  }

  /** Writes the request's head to the server: body of `length`, chunked for null. Its answer goes to `res`. */
  private send(
    req: IncomingMessage,
    res: ServerResponse,
    judged: Judged & { refused: null },
    length: number | null,
    wantsContinue: boolean,
  ): ClientRequest | null {
    const headers: string[] = [];
    for (let i = 0; i + 1 < judged.headers.length; i += 2) {
      const name = judged.headers[i]!.toLowerCase();
      if (name === 'content-length' || (name === 'expect' && !wantsContinue)) continue;
      headers.push(judged.headers[i]!, judged.headers[i + 1]!);
    }
    const bodiless =
      length === 0 && req.headers['content-length'] === undefined && !/^(POST|PUT|PATCH)$/.test(req.method!);
    if (length === null) headers.push('Transfer-Encoding', 'chunked');
    else if (!bodiless) headers.push('Content-Length', String(length));
    const up = this.ask(req.method!, judged.path, headers);
    if (up === null) {
      this.tell(req, res, 400, 'the request cannot be written');
      return null;
    }
    up.on('continue', () => {
      if (wantsContinue && !res.headersSent) res.writeContinue();
    });
    up.on('response', (answer) => this.answer(req, res, answer));
    // Nobody asked for another protocol; without a listener Node.js would end the connection without a word.
    up.on('upgrade', (_, peer) => {
      peer.destroy();
      this.tell(req, res, 502, 'the server changed the protocol unasked');
    });
    up.on('error', () =>
      this.tell(req, res, 502, 'the server closed the connection or sent what cannot be read'),
    );
    // The guest is gone: so is its request.
    res.on('close', () => {
      if (!res.writableFinished) up.destroy();
    });
    return up;
  }

  private ask(method: string, path: string, headers: string[]): ClientRequest | null {
    try {
      // Host is among the headers; this host serves for the agent's book-keeping alone.
      const up = clientRequest({
        method,
        path,
        headers: headers as never,
        agent: this.agent as Agent,
        host: 'server',
        maxHeaderSize: MOST_HEADER_BYTES,
        insecureHTTPParser: false,
      });
      up.maxHeadersCount = 0;
      return up;
    } catch {
      return null;
    }
  }

  private finish(req: IncomingMessage, up: ClientRequest): void {
    if (req.rawTrailers.length > 0) {
      const trailers = this.link.trailers(req.rawTrailers);
      if (trailers === null) {
        this.foreign(req);
        up.destroy();
        return;
      }
      addTrailers(up, trailers);
    }
    up.end();
  }

  private answer(req: IncomingMessage, res: ServerResponse, answer: IncomingMessage): void {
    if (res.headersSent) {
      answer.destroy();
      return;
    }
    const raw = answer.rawHeaders;
    const status = answer.statusCode!;
    const noBody = req.method === 'HEAD' || status === 204 || status === 304;
    const told = headerValue(raw, 'content-length');
    const encoding = headerValue(raw, 'content-encoding');
    const coded = this.link.secrets.any && !noBody && encoding !== '' && encoding !== 'identity';
    const source = coded ? withoutCoding(answer, encoding) : answer;
    if (source === null) {
      answer.destroy();
      this.tell(req, res, 502, 'the answer is in a coding that cannot be searched for secrets');
      return;
    }
    const length = coded || told === '' ? null : Number(told);
    const plan = answerPlan(
      this.link.secrets,
      noBody ? 0 : length,
      status === 206,
      this.link.limits.bodyBytes,
    );
    const drop = coded ? DECODED : plan.keepsLength ? NONE : LENGTH_CHANGES;
    const headers = this.link.answerHeaders(raw, drop);
    const last = /\bclose\b/i.test(answer.headers.connection ?? '') || answer.httpVersionMinor === 0;
    if (last) headers.push('Connection', 'close');
    const begin = (more: readonly string[]): boolean => {
      try {
        res.sendDate = false;
        res.writeHead(status, this.link.secrets.answer(answer.statusMessage ?? ''), [
          ...headers,
          ...more,
        ] as never);
        return true;
      } catch {
        answer.destroy();
        this.tell(req, res, 502, 'the answer cannot be written');
        return false;
      }
    };
    if (plan.whole) {
      collect(source, plan.filter!, this.mostWhole(), (body) => {
        if (body === null) {
          answer.destroy();
          this.tell(req, res, 502, 'the answer broke off, or there is no room for it');
        } else endWith(begin(['Content-Length', String(body.length)]) ? res : null, body);
      });
      return;
    }
    if (!begin([])) return;
    res.flushHeaders();
    pump(source, res, plan.filter, (failure) => {
      if (failure !== null) {
        // The guest must not take what it has for all.
        answer.destroy();
        res.destroy();
        return;
      }
      if (answer.rawTrailers.length > 0) addTrailers(res, this.link.answerHeaders(answer.rawTrailers, NONE));
      res.end();
    });
  }

  /** An answer of ours: one line. */
  private tell(req: IncomingMessage, res: ServerResponse, status: number, reason: string): void {
    if (res.headersSent || res.destroyed) {
      res.destroy();
      return;
    }
    if (status >= 500) this.link.counters.failed++;
    const body = `vedette: ${reason}\n`;
    // A body that still comes is read and forgotten, or the answer would get lost with the connection.
    req.removeAllListeners('data');
    req.resume();
    res.writeHead(status, {
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': Buffer.byteLength(body),
      ...(req.complete || framingOf(req) === 0 ? {} : { Connection: 'close' }),
    });
    res.end(req.method === 'HEAD' ? undefined : body);
  }

  private closed(): void {
    this.open--;
    if (this.open === 0 && this.server?.destroyed) this.guest.end();
  }
}

/** The length of a request's body; null when it is chunked, 'bad' when two readings are possible (RFC 9112 6.3). */
function framingOf(req: IncomingMessage): number | null | 'bad' {
  const lengths = headerValues(req.rawHeaders, 'content-length');
  const codings = headerValues(req.rawHeaders, 'transfer-encoding');
  if (lengths.length > 1 || codings.length > 1 || (lengths.length > 0 && codings.length > 0)) return 'bad';
  if (codings.length === 1)
    return /^chunked$/i.test(codings[0]!.trim()) && req.httpVersionMinor > 0 ? null : 'bad';
  if (lengths.length === 0) return 0;
  return /^[0-9]{1,15}$/.test(lengths[0]!.trim()) ? Number(lengths[0]) : 'bad';
}

function addTrailers(to: ClientRequest | ServerResponse, flat: readonly string[]): void {
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) pairs.push([flat[i]!, flat[i + 1]!]);
  try {
    to.addTrailers(pairs);
  } catch {}
}

const PHRASES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  403: 'Forbidden',
  431: 'Request Header Fields Too Large',
  502: 'Bad Gateway',
};

/** An answer where Node.js has no object for one, and the end of the connection. */
function plainAnswer(socket: Duplex, status: number, reason: string): void {
  if (socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const body = `vedette: ${reason}\n`;
  socket.end(
    `HTTP/1.1 ${status} ${PHRASES[status]}\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
  socket.once('finish', () => socket.destroy());
}
