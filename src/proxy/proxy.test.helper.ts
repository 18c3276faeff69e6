// Stands in for the relay: listens on loopback and hands each connection to a proxy process, by socketpairs as the relay does.
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { AF_INET, SOCK_CLOEXEC, SOCK_STREAM } from '../abi/net/socket.ts';
import { SYS_connect, SYS_socket } from '../abi/syscall.ts';
import { HostBuffer } from '../host/buffer.ts';
import { sendFd, socketPair } from '../host/fd_passing.ts';
import { hostCall } from '../host/syscall.ts';
import { Authority } from './certificate.ts';
import { type Configure, type Counters, type Decision, frame, type Outgoing, Unframer } from './messages.ts';

export const dir = mkdtempSync(join(tmpdir(), 'vedette-proxy-'));
/** Authority of the servers outside. */
export const world = Authority.make();
const cleaners: (() => unknown)[] = [];
after(async () => {
  for (const clean of cleaners.reverse()) await clean();
  rmSync(dir, { recursive: true, force: true });
});
export const cleanup = (clean: () => unknown): void => void cleaners.push(clean);

const address = HostBuffer.alloc(16);

/** A descriptor connected to a port of loopback. */
export function connectTo(port: number): number {
  const fd = hostCall(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  address.view.setUint16(0, AF_INET, true);
  address.view.setUint16(2, port);
  address.u8.set([127, 0, 0, 1], 4);
  const r = hostCall(SYS_connect, fd, address.addr, 16);
  if (r < 0) throw new Error(`connect to ${port}: ${r}`);
  return fd;
}

export interface Target {
  readonly name: string | null;
  /** Where the server really listens. */
  readonly server: number;
  /** The port that the guest means; its own when left out. */
  readonly port?: number;
}

let made = 0;

export class TestProxy {
  readonly log: Outgoing[] = [];
  readonly process: ChildProcess;
  ca = '';
  /** File with the authority's certificate. */
  caFile = '';
  stderr = '';
  private readonly control: Socket;
  private readonly descriptors: number;
  private readonly listeners: Server[] = [];
  private readonly sockets = new Set<Socket>();
  private nextId = 1;
  private stopped = false;

  private constructor(options: SpawnOptions) {
    const c = socketPair() as [number, number];
    const d = socketPair() as [number, number];
    this.process = spawn(process.execPath, [join(import.meta.dirname, '../../proxy.cjs')], {
      stdio: ['ignore', 'ignore', 'pipe', c[1], d[1]],
      env: {},
      ...options,
    });
    this.process.stderr!.on('data', (b) => {
      this.stderr += b;
    });
    closeSync(c[1]);
    closeSync(d[1]);
    this.descriptors = d[0];
    this.control = new Socket({ fd: c[0], readable: true, writable: true });
    const unframer = new Unframer();
    this.control.on('data', (b) => {
      for (const text of unframer.push(b)!) this.log.push(JSON.parse(text) as Outgoing);
    });
    this.control.on('error', () => {});
  }

  static async start(config: Partial<Configure> = {}, options: SpawnOptions = {}): Promise<TestProxy> {
    const p = new TestProxy(options);
    cleanup(() => p.stop());
    p.control.write(
      frame({
        type: 'configure',
        rules: [],
        otherwise: 'allow',
        secrets: [],
        caKey: null,
        trust: [world.pem],
        ...config,
      }),
    );
    const ready = await p.until((m) => m.type === 'ready');
    p.ca = (ready as { ca: string }).ca;
    p.caFile = join(dir, `ca${made++}.pem`);
    writeFileSync(p.caFile, p.ca);
    return p;
  }

  /** Waits for a message, also one that came before. */
  async until(fits: (m: Outgoing) => boolean, ms = 20_000): Promise<Outgoing> {
    const end = Date.now() + ms;
    for (;;) {
      const found = this.log.find(fits);
      if (found !== undefined) return found;
      if (Date.now() > end || this.process.exitCode !== null)
        throw new Error(`no such message; log: ${JSON.stringify(this.log.slice(-5))} ${this.stderr}`);
      await new Promise((r) => setTimeout(r, 10));
    }
  }

  async counters(): Promise<Counters> {
    const before = this.log.length;
    this.control.write(frame({ type: 'counters' }));
    return (await this.until((m) => m.type === 'counters' && this.log.indexOf(m) >= before)) as never;
  }

  get decisions(): Decision[] {
    return this.log.filter((m) => m.type === 'decision');
  }

  get denials(): string[] {
    return this.decisions.filter((d) => d.verdict === 'deny').map((d) => d.reason!);
  }

  /** Hands over a connection whose guest's side is the returned socket. */
  open(target: Target): Socket {
    const [mine, its] = socketPair() as [number, number];
    this.handOver(its, target, target.port ?? 80);
    const socket = new Socket({ fd: mine, readable: true, writable: true, allowHalfOpen: true });
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => {});
    return socket;
  }

  private handOver(guest: number, target: Target, port: number): void {
    const server = connectTo(target.server);
    for (const fd of [guest, server]) {
      while (sendFd(this.descriptors, fd) < 0);
      closeSync(fd);
    }
    const message = { type: 'connection', id: this.nextId++, name: target.name, address: '127.0.0.1', port };
    this.control.write(frame(message));
  }

  /** A port of loopback whose connections the proxy gets. */
  async listen(target: Target): Promise<number> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (outside) => {
      const port = target.port ?? (server.address() as AddressInfo).port;
      const inside = this.open({ ...target, port });
      this.sockets.add(outside);
      outside.on('close', () => {
        this.sockets.delete(outside);
        inside.destroy();
      });
      outside.on('error', () => inside.destroy());
      inside.on('close', () => outside.destroySoon());
      outside.pipe(inside);
      inside.pipe(outside);
    });
    this.listeners.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  /** Resident memory, in bytes. */
  get rssBytes(): number {
    const status = readFileSync(`/proc/${this.process.pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]) * 1024;
  }

  async stop(): Promise<void> {
    if (this.stopped) return;
    this.stopped = true;
    for (const server of this.listeners) server.close();
    for (const socket of this.sockets) socket.destroy();
    this.control.destroy();
    closeSync(this.descriptors);
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const killer = setTimeout(() => this.process.kill('SIGKILL'), 3000);
      await once(this.process, 'exit');
      clearTimeout(killer);
    }
  }
}

/** Runs a program while this process's servers go on. */
export async function run(
  words: readonly string[],
  options: { env?: NodeJS.ProcessEnv; input?: string; cwd?: string } = {},
): Promise<{ status: number | null; stdout: string; stderr: string }> {
  const child = spawn(words[0]!, words.slice(1), {
    env: options.env ?? process.env,
    cwd: options.cwd ?? dir,
  });
  const kill = setTimeout(() => child.kill('SIGKILL'), 60_000);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (b) => (stdout += b));
  child.stderr.on('data', (b) => (stderr += b));
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  const [status] = (await once(child, 'close')) as [number | null];
  clearTimeout(kill);
  return { status, stdout, stderr };
}

/** Whether a Python has a module. */
export const pythonHas = (module: string): boolean =>
  spawnSync('/usr/bin/python3', ['-c', `import ${module}`]).status === 0;

/** Everything that comes from a socket until its end, as a byte string. */
export async function readAll(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (b) => (text += b.toString('latin1')));
  socket.on('error', () => {});
  if (!socket.readableEnded && !socket.destroyed)
    await new Promise((done) => {
      socket.once('end', done);
      socket.once('close', done);
    });
  return text;
}
