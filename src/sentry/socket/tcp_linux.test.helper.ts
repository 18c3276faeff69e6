// A stack of ours at the other end of a TAP interface of this namespace's, so that node:net here is Linux's TCP, over an interface that
// may lose, reorder, double, delay and spoil packets; streams between the two; and what tshark says of them.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, connect as linuxConnect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EAGAIN, EINPROGRESS } from '../../abi/errno.ts';
import { IPPROTO_IPV6, IPPROTO_TCP, IPV6_V6ONLY } from '../../abi/net/in.ts';
import { SHUT_WR } from '../../abi/net/socket.ts';
import { ANY_V4, ANY_V6, parseAddress } from '../../net/address.ts';
import type { ByteSink, ByteSource, StreamEndpoint } from '../../net/endpoint.ts';
import { ImpairedDevice, Impairment } from '../../net/link/impair.ts';
import { PcapDevice, PcapWriter } from '../../net/link/pcap.ts';
import type { Stack } from '../../net/stack.ts';
import { TcpProtocol } from '../../net/tcp/protocol.ts';
import {
  addEthernet,
  CountedMemory,
  newStack,
  pattern,
  SeededRandom,
} from '../../net/testing.test.helper.ts';
import { type HostFrames, openTap } from './host_link.ts';
import { has, RealClock, until } from './linux_peer.test.helper.ts';
import { type Asked, type Said, tshark } from './tshark.test.helper.ts';

export const OURS = ['10.77.0.1', 'fd77::1'] as const;
export const LINUX = ['10.77.0.2', 'fd77::2'] as const;

/** tshark is slow: it sees the beginning. */
const MOST_CAPTURED = 5000;

export interface WorldOptions {
  mtu?: number;
  /** Large packets and no checksums; not over an impaired path. */
  large?: boolean;
  out?: Partial<Impairment>;
  into?: Partial<Impairment>;
  seed?: number;
}

export class TcpWorld {
  readonly clock = new RealClock();
  readonly memory = new CountedMemory();
  readonly stack: Stack;
  readonly tcp: TcpProtocol;
  /** Port 7000 of either family. */
  readonly listeners: (StreamEndpoint | null)[] = [null, null];
  /** Done in each step. */
  readonly pumps = new Set<() => void>();
  /** Both directions, adjustable while it runs. */
  readonly out = new Impairment();
  readonly into = new Impairment();
  private readonly frames: HostFrames;
  private readonly capture: Uint8Array[] = [];
  private readonly impaired: boolean;
  private stopped = false;
  private passed = 0;
  private readonly folders: string[] = [];

  constructor(options: WorldOptions = {}) {
    const frames = openTap('tap0', options.large === true);
    assert.ok(typeof frames !== 'number', `openTap: ${frames}`);
    this.frames = frames;
    const ip = (...args: string[]): Buffer => execFileSync('ip', args);
    ip('link', 'set', 'lo', 'up');
    ip('link', 'set', 'tap0', 'mtu', String(options.mtu ?? 1500));
    ip('address', 'add', `${LINUX[0]}/24`, 'dev', 'tap0');
    ip('address', 'add', `${LINUX[1]}/64`, 'dev', 'tap0', 'nodad');
    ip('link', 'set', 'tap0', 'up');
    this.stack = newStack(this.clock, options.seed ?? 7, this.memory);
    this.tcp = new TcpProtocol(this.stack, this.clock, new SeededRandom(process.pid), this.memory);
    this.stack.transports[IPPROTO_TCP] = this.tcp;
    Object.assign(this.out, options.out);
    Object.assign(this.into, options.into);
    this.impaired = options.out !== undefined || options.into !== undefined;
    const device = this.impaired
      ? new ImpairedDevice(
          frames.device,
          this.clock,
          new SeededRandom(options.seed ?? 7),
          this.out,
          this.into,
        )
      : frames.device;
    const epochNs = Date.now() * 1e6 - this.clock.monotonicNs();
    const writer = new PcapWriter(
      { write: (bytes) => void (++this.passed <= MOST_CAPTURED && this.capture.push(bytes)) },
      this.clock,
      epochNs,
      true,
    );
    const link = addEthernet(this.stack, 'eth0', new PcapDevice(device, writer), 0x77, [
      `${OURS[0]}/24`,
      `${OURS[1]}/64`,
    ]);
    link.mtu = options.mtu ?? 1500;
    this.step();
  }

  private readonly step = (): void => {
    if (this.stopped) return;
    const before = this.passed;
    this.frames.device.drain();
    let busy = this.clock.run() > 0;
    for (const pump of this.pumps) pump();
    this.stack.flush();
    busy ||= this.passed !== before;
    if (busy) setImmediate(this.step);
    else setTimeout(this.step, 1);
  };

  stop(): void {
    this.stopped = true;
    this.frames.close();
    for (const dir of this.folders) rmSync(dir, { recursive: true, force: true });
  }

  /** Linux hears nothing from us any more, nor we from it. */
  cut(): void {
    this.out.loss = 1;
    this.into.loss = 1;
  }

  /**
   * How many packets of the capture each filter finds, and what tshark prints of some; fails when it finds something malformed
   * or spoilt. Undefined where there is no tshark.
   */
  tshark(filters: readonly string[] = [], print?: Asked['print']): Said | undefined {
    if (!has('tshark')) return undefined;
    const dir = mkdtempSync(join(tmpdir(), 'vedette-pcap-'));
    this.folders.push(dir);
    const file = join(dir, 'capture.pcap');
    writeFileSync(file, Buffer.concat(this.capture));
    // What came in may be spoilt by us; what we send may not.
    const ours = this.impaired ? ' && eth.src == 02:00:00:00:00:77' : '';
    const bad = ['_ws.malformed', 'ip.checksum.status == "Bad"', 'tcp.checksum.status == "Bad"'];
    const said = tshark(file, {
      filters: [`(${bad.join(' || ')})${ours}`, 'tcp.flags.syn == 1 && tcp.flags.ack == 1', ...filters],
      ...(print === undefined ? {} : { print }),
      // No guesses at what the bytes are that are sent.
      flags: ['-d', 'tcp.port==1-65535,data'],
    });
    const [spoilt, handshakes, ...counts] = said.counts;
    assert.equal(spoilt, 0, 'malformed or with a bad checksum');
    assert.notEqual(handshakes, 0, 'tshark saw no handshake');
    return { counts, lines: said.lines };
  }
}

/** Bytes that say where they belong: a block of prime length again and again. */
export function bytesOf(size: number, seed: number): Buffer {
  return Buffer.alloc(size, pattern(65521, seed));
}

/** Our end of a connection. */
export class Ours implements ByteSource, ByteSink {
  readonly endpoint: StreamEndpoint;
  readonly got: Buffer[] = [];
  length = 0;
  eof = false;
  error = 0;
  /** Nothing is read while it is set. */
  deaf = false;
  private readonly world: TcpWorld;
  private out: Buffer = Buffer.alloc(0);
  private at = 0;
  private shut = false;
  private receiving = false;

  constructor(world: TcpWorld, endpoint: StreamEndpoint) {
    this.world = world;
    this.endpoint = endpoint;
    world.pumps.add(this.pump);
  }

  static async connect(world: TcpWorld, to: string, port: number, cc = 'cubic'): Promise<Ours> {
    const endpoint = world.tcp.open(to.includes(':'), world.memory);
    endpoint.congestion = cc;
    assert.equal(endpoint.connect(parseAddress(to)!, port), -EINPROGRESS);
    await until(`connection to ${to}`, () => (endpoint.poll() & 4 ? true : undefined), 20000);
    assert.equal(endpoint.takeError(), 0);
    return new Ours(world, endpoint);
  }

  static listen(world: TcpWorld, v6: boolean, port: number): StreamEndpoint {
    const listener = world.tcp.open(v6, world.memory);
    // The other family has a listener of its own.
    if (v6) assert.equal(listener.setOption(IPPROTO_IPV6, IPV6_V6ONLY, 1), 0);
    assert.equal(listener.bind(v6 ? ANY_V6 : ANY_V4, port), 0);
    assert.equal(listener.listen(16), 0);
    return listener;
  }

  static accept(world: TcpWorld, listener: StreamEndpoint): Promise<Ours> {
    return until('a connection from Linux', () => {
      const r = listener.accept();
      return typeof r === 'number' ? undefined : new Ours(world, r);
    });
  }

  /** ByteSource. */
  get remaining(): number {
    return this.receiving ? 1 << 20 : this.out.length - this.at;
  }

  take(dst: Uint8Array, off: number, len: number): number {
    const n = Math.min(len, this.out.length - this.at);
    dst.set(this.out.subarray(this.at, this.at + n), off);
    this.at += n;
    return n;
  }

  put(src: Uint8Array, off: number, len: number): number {
    this.got.push(Buffer.from(src.subarray(off, off + len)));
    this.length += len;
    return len;
  }

  private readonly pump = (): void => {
    if (this.error !== 0) return;
    while (this.out.length > this.at) {
      const n = this.endpoint.send(this, 0);
      if (n <= 0) {
        if (n !== -EAGAIN) this.error = n;
        break;
      }
    }
    if (this.out.length === this.at && this.shut) {
      this.shut = false;
      assert.equal(this.endpoint.shutdown(SHUT_WR), 0);
    }
    if (this.eof || this.deaf) return;
    this.receiving = true;
    for (;;) {
      const n = this.endpoint.receive(this, 0, 0);
      if (n > 0) continue;
      if (n === 0) this.eof = true;
      else if (n !== -EAGAIN) this.error = n;
      break;
    }
    this.receiving = false;
  };

  /** Sends, with a FIN behind it when it is the end. */
  send(bytes: Buffer, end: boolean): void {
    this.out = this.at === this.out.length ? bytes : Buffer.concat([this.out.subarray(this.at), bytes]);
    this.at = 0;
    this.shut = end;
  }

  get unsent(): number {
    return this.out.length - this.at;
  }

  close(lingerNs = -1): void {
    this.world.pumps.delete(this.pump);
    this.endpoint.close(lingerNs);
  }
}

/** Linux's end: all that it got. */
export class Theirs {
  readonly socket: Socket;
  readonly got: Buffer[] = [];
  length = 0;
  ended = false;
  error = '';

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (d: Buffer) => {
      this.got.push(d);
      this.length += d.length;
    });
    socket.on('end', () => (this.ended = true));
    socket.on('error', (e: NodeJS.ErrnoException) => (this.error = e.code ?? `${e}`));
  }

  static async connect(to: string, port: number): Promise<Theirs> {
    const socket = linuxConnect({ host: to, port, allowHalfOpen: true });
    const theirs = new Theirs(socket);
    await once(socket, 'connect');
    return theirs;
  }
}

/** A connection between the two, opened by us or by Linux. */
export async function connected(
  world: TcpWorld,
  v6: boolean,
  weOpen: boolean,
  cc = 'cubic',
): Promise<[Ours, Theirs]> {
  const family = v6 ? 1 : 0;
  if (weOpen) {
    const server = createServer({ allowHalfOpen: true });
    server.listen(0, LINUX[family]);
    await once(server, 'listening');
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    const ours = await Ours.connect(world, LINUX[family], address.port, cc);
    const [socket] = await accepted;
    server.close();
    return [ours, new Theirs(socket)];
  }
  world.listeners[family] ??= Ours.listen(world, v6, 7000);
  const listener = world.listeners[family]!;
  listener.congestion = cc;
  const theirs = Theirs.connect(OURS[family], 7000);
  const ours = await Ours.accept(world, listener);
  return [ours, await theirs];
}

/** `size` bytes from us to Linux and as many back, each end closing its half; both get what was sent. Mbit/s to Linux. */
export async function exchange(
  _world: TcpWorld,
  ours: Ours,
  theirs: Theirs,
  size: number,
  ms = 60000,
): Promise<number> {
  const there = bytesOf(size, 1);
  const back = bytesOf(size + 1, 2);
  const begin = process.hrtime.bigint();
  ours.send(there, true);
  await until(`${size} bytes at Linux`, () => (theirs.ended || theirs.error ? true : undefined), ms);
  const mbps = (size * 8000) / Number(process.hrtime.bigint() - begin);
  assert.equal(theirs.error, '');
  assert.equal(theirs.length, size);
  assert.equal(Buffer.compare(Buffer.concat(theirs.got), there), 0);
  // Half closed: Linux goes on.
  theirs.socket.end(back);
  await until(`${size} bytes back`, () => (ours.eof || ours.error ? true : undefined), ms);
  assert.equal(ours.error, 0);
  assert.equal(Buffer.compare(Buffer.concat(ours.got), back), 0);
  ours.close();
  return mbps;
}
