// Servers of this machine that sandboxes with secrets speak with, and what they saw. Their authority is the test's own: the caller of
// the command trusts it by SSL_CERT_FILE.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Authority } from '../../src/proxy/certificate.ts';
import { type RunOptions, type RunResult, runNative, systemPath, vedette } from '../harness/guest.ts';

export const HOST = 'host.vedette.internal';
export const VALUE = 'the-very-secret-value-4711';

/** A request as a server saw it. */
export interface Seen {
  readonly version: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly bytes: number;
  /** The body's beginning. */
  readonly body: string;
}

export class SecretWorld {
  readonly dir: string = mkdtempSync(join(tmpdir(), 'vedette-secrets-'));
  readonly authority: Authority = Authority.make();
  readonly caFile: string;
  readonly seen: Seen[] = [];
  /** Ports of HTTPS: one with the secret, one without; and of plain HTTP. */
  port = 0;
  otherPort = 0;
  plainPort = 0;
  connections = 0;
  private readonly servers: { close(): unknown }[] = [];
  private readonly sockets: Set<Socket> = new Set();

  private constructor() {
    this.caFile = join(this.dir, 'ca.pem');
    writeFileSync(this.caFile, this.authority.pem);
  }

  static async make(): Promise<SecretWorld> {
    const w = new SecretWorld();
    const tls = {
      key: w.authority.leafKeyPem,
      cert: w.authority.certificateFor(HOST) + w.authority.pem,
      allowHTTP1: true,
    };
    const answer = (
      req: Http2ServerRequest | IncomingMessage,
      res: Http2ServerResponse | ServerResponse,
    ): void => w.answer(req as IncomingMessage, res as ServerResponse);
    const listen = async (server: Server): Promise<number> => {
      w.servers.push(server);
      server.on('connection', (socket: Socket) => {
        w.connections++;
        w.sockets.add(socket);
        socket.on('close', () => w.sockets.delete(socket));
        socket.on('error', () => {});
      });
      server.on('upgrade', (req: IncomingMessage, socket: Socket) => {
        w.note(req, 0, '');
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
        socket.on('data', (b: Buffer) => socket.write(b));
        socket.on('error', () => {});
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      return (server.address() as AddressInfo).port;
    };
    w.port = await listen(createSecureServer(tls, answer) as unknown as Server);
    w.otherPort = await listen(createSecureServer(tls, answer) as unknown as Server);
    w.plainPort = await listen(createServer(answer));
    return w;
  }

  private note(req: IncomingMessage, bytes: number, body: string): void {
    this.seen.push({
      version: req.httpVersion,
      method: req.method!,
      url: req.url!,
      headers: { ...req.headers },
      bytes,
      body,
    });
  }

  private answer(req: IncomingMessage, res: ServerResponse): void {
    let bytes = 0;
    const first: Buffer[] = [];
    req.on('data', (b: Buffer) => {
      if (bytes < 4096) first.push(b.subarray(0, 4096));
      bytes += b.length;
    });
    req.on('error', () => {});
    res.on('error', () => {});
    req.on('end', () => {
      const body = Buffer.concat(first).toString('latin1').slice(0, 4096);
      this.note(req, bytes, body);
      const url = new URL(req.url!, 'https://x');
      const size = Number(url.searchParams.get('send') ?? 0);
      const to = url.searchParams.get('to');
      if (to !== null) res.writeHead(302, { location: to }).end();
      else if (url.pathname === '/hang') res.write('begun\n');
      else if (size > 0) this.send(res, size);
      else res.end(`saw ${req.headers.authorization ?? ''} ${bytes} ${body}\n`);
    });
  }

  private send(res: ServerResponse, size: number): void {
    const piece = Buffer.alloc(65536, 'x');
    let left = size;
    const more = (): void => {
      while (left > 0) {
        const n = Math.min(left, piece.length);
        left -= n;
        if (!res.write(piece.subarray(0, n))) {
          res.once('drain', more);
          return;
        }
      }
      res.end();
    };
    more();
  }

  /** What the servers saw since the last time. */
  take(): Seen[] {
    return this.seen.splice(0);
  }

  get url(): string {
    return `https://${HOST}:${this.port}`;
  }

  /** Flags of a sandbox that has the secret for the first server and may reach all of them. */
  get flags(): string[] {
    return ['--network=user', '--allow', HOST, '--secret', `TOKEN@${HOST}:${this.port}`];
  }

  /** The caller's variables. */
  get env(): Record<string, string> {
    return { PATH: systemPath, HOME: this.dir, SSL_CERT_FILE: this.caFile, TOKEN: VALUE };
  }

  run(
    argv: readonly string[],
    flags: readonly string[] = this.flags,
    options: RunOptions = {},
  ): Promise<RunResult> {
    return runNative([...vedette, ...flags, '--', ...argv], {
      timeoutMs: 120_000,
      ...options,
      env: { ...this.env, ...options.env },
    });
  }

  /** One line of shell. */
  sh(line: string, flags: readonly string[] = this.flags, options: RunOptions = {}): Promise<RunResult> {
    return this.run(['sh', '-c', line], flags, options);
  }

  /** A sandbox that goes on; its output comes to the child's stdout. */
  start(argv: readonly string[], flags: readonly string[] = this.flags): ChildProcess {
    const [node, ...words] = vedette;
    return spawn(node!, [...words, ...flags, '--', ...argv], {
      env: this.env,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
  }

  end(): void {
    for (const server of this.servers) server.close();
    for (const socket of this.sockets) socket.destroy();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Processes below `pid`, itself among them, by their command lines. */
export function tree(pid: number): Map<number, string> {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // It has just ended.
    }
  }
  const found = new Map<number, string>();
  for (const start of parents.keys()) {
    let at: number | undefined = start;
    while (at !== undefined && at !== pid) at = parents.get(at);
    if (at !== pid) continue;
    try {
      found.set(start, readFileSync(`/proc/${start}/cmdline`, 'latin1').replaceAll('\0', ' '));
    } catch {
      // The same.
    }
  }
  return found;
}

/** The process for HTTP and TLS of the sandbox `pid`. */
export function proxyOf(pid: number): number {
  for (const [child, words] of tree(pid)) if (words.includes('proxy.cjs')) return child;
  throw new Error('no process for HTTP and TLS');
}

/** The child's next output that fits. */
export function says(child: ChildProcess, fits: RegExp): Promise<string> {
  return new Promise((done, fail) => {
    let text = '';
    const hear = (b: Buffer): void => {
      text += b.toString();
      if (!fits.test(text)) return;
      child.stdout!.off('data', hear);
      done(text);
    };
    child.stdout!.on('data', hear);
    child.once('exit', () => fail(new Error(`ended after: ${text}`)));
  });
}
