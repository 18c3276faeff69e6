// Packets of every kind into a stack with open sockets: what two stacks said to each other, changed, and noise. Nothing throws, nothing grows
// beyond a bound, and in the end everything is given back.

import assert from 'node:assert/strict';
import { IPPROTO_TCP } from '../abi/net/in.ts';
import { ANY_V4, ANY_V6, parseAddress } from './address.ts';
import type { DatagramEndpoint, StreamEndpoint } from './endpoint.ts';
import { channelPair } from './link/channel.ts';
import type { LinkDevice, PacketSink } from './link/link.ts';
import { Packet, SUM_GOOD, SUM_UNCHECKED } from './packet.ts';
import type { Stack } from './stack.ts';
import { TcpProtocol } from './tcp/protocol.ts';
import {
  addEthernet,
  BytesSink,
  BytesSource,
  CountedMemory,
  HandClock,
  newStack,
  pattern,
  receiveBytes,
  SeededRandom,
  sendBytes,
} from './testing.test.helper.ts';
import { fold } from './wire/checksum.ts';
import { ETHERNET_SIZE } from './wire/ethernet.ts';

const MOST_SAMPLES = 512;
/** What sockets with their default buffers, reassembly and neighbours may keep, and more than they ever did. */
const MOST_KEPT = 64 << 20;

/** Keeps some of the frames that come in. */
class Recorder implements LinkDevice, PacketSink {
  sink: PacketSink | null = null;
  readonly gso = 0;
  readonly sums = false;
  readonly samples: Uint8Array[] = [];
  private readonly inner: LinkDevice;
  private readonly random: SeededRandom;

  constructor(inner: LinkDevice, random: SeededRandom) {
    this.inner = inner;
    this.random = random;
    inner.sink = this;
  }

  transmit(packet: Packet): number {
    return this.inner.transmit(packet);
  }

  deliver(packet: Packet): void {
    const bytes = packet.bytes();
    if (this.samples.length < MOST_SAMPLES) this.samples.push(bytes);
    else if (this.random.u32() % 8 === 0) this.samples[this.random.u32() % MOST_SAMPLES] = bytes;
    this.sink?.deliver(packet);
  }
}

export interface FuzzResult {
  packets: number;
  /** TCP segments and datagrams that the stack took for good. */
  taken: number;
  mostKept: number;
  slowestMs: number;
}

class Fuzzed {
  readonly clock = new HandClock();
  readonly memory = new CountedMemory();
  readonly random: SeededRandom;
  readonly stack: Stack;
  readonly peer: Stack;
  readonly tcp: [TcpProtocol, TcpProtocol];
  readonly recorder: Recorder;
  private readonly listeners: StreamEndpoint[] = [];
  private readonly streams: StreamEndpoint[] = [];
  private readonly datagrams: DatagramEndpoint[] = [];

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.stack = newStack(this.clock, seed + 1, this.memory);
    this.peer = newStack(this.clock, seed + 2);
    const [left, right] = channelPair(this.clock, this.clock);
    this.recorder = new Recorder(left, this.random);
    addEthernet(this.stack, 'eth0', this.recorder, 1, ['10.0.0.1/24', 'fd00::1/64']);
    addEthernet(this.peer, 'eth0', right, 2, ['10.0.0.2/24', 'fd00::2/64']);
    const tcpOf = (stack: Stack, memory: CountedMemory, n: number): TcpProtocol => {
      const tcp = new TcpProtocol(stack, this.clock, new SeededRandom(n), memory);
      stack.transports[IPPROTO_TCP] = tcp;
      return tcp;
    };
    this.tcp = [tcpOf(this.stack, this.memory, seed + 3), tcpOf(this.peer, new CountedMemory(), seed + 4)];
    this.clock.advance(2e9);
  }

  pick(n: number): number {
    return this.random.u32() % n;
  }

  open(): void {
    for (const v6 of [false, true]) {
      const any = v6 ? ANY_V6 : ANY_V4;
      const listener = this.tcp[0].open(v6, this.memory);
      if (v6) assert.equal(listener.setOption(41, 26, 1), 0);
      assert.equal(listener.bind(any, 80), 0);
      assert.equal(listener.listen(64), 0);
      this.listeners.push(listener);
      const udp = this.stack.udp.open(v6);
      if (v6) assert.equal(udp.setOption(41, 26, 1), 0);
      assert.equal(udp.bind(any, 53), 0);
      this.datagrams.push(udp, this.stack.ping.open(v6));
      const raw = this.stack.raw.open(v6, 253);
      assert.ok(typeof raw !== 'number');
      this.datagrams.push(raw);
    }
  }

  /** A conversation of each kind, so that there are samples and sockets in all states. */
  talk(): void {
    const v6 = this.pick(2) === 1;
    const [ours, theirs] = v6 ? ['fd00::1', 'fd00::2'] : ['10.0.0.1', '10.0.0.2'];
    const client = this.tcp[1].open(v6, new CountedMemory());
    client.connect(parseAddress(ours)!, 80);
    this.clock.advance(10e6);
    client.send(new BytesSource(pattern(this.pick(20000))), 0);
    this.clock.advance(10e6);
    for (const listener of this.listeners) {
      const r = listener.accept();
      if (typeof r !== 'number') this.streams.push(r as StreamEndpoint);
    }
    const udp = this.peer.udp.open(v6);
    sendBytes(udp, pattern(this.pick(9000)), ours, 53);
    const ping = this.peer.ping.open(v6);
    const echo = new Uint8Array(8 + this.pick(3000));
    echo[0] = v6 ? 128 : 8;
    sendBytes(ping, echo, ours);
    sendBytes(this.datagrams[v6 ? 3 : 0]!, pattern(100), theirs, 9);
    for (const stream of this.streams) stream.send(new BytesSource(pattern(this.pick(5000))), 0);
    this.clock.advance(10e6);
    for (const stream of this.streams) stream.receive(new BytesSink(this.pick(30000)), 0, 0);
    for (const d of this.datagrams) while (typeof receiveBytes(d) !== 'number');
    if (this.pick(3) === 0) client.close(this.pick(2) - 1);
    else if (this.pick(2) === 0) client.shutdown(1);
    else client.close(-1);
    udp.close();
    ping.close();
    while (this.streams.length > 16) this.streams.shift()!.close(this.pick(4) === 0 ? 0 : -1);
    this.clock.advance([1e6, 50e6, 3e9][this.pick(3)]!);
  }

  /** A sample with something wrong, or noise. */
  spoilt(): Packet {
    const { samples } = this.recorder;
    let bytes: Uint8Array;
    if (samples.length === 0 || this.pick(20) === 0) {
      bytes = new Uint8Array(this.pick(200));
      for (let i = 0; i < bytes.length; i++) bytes[i] = this.pick(256);
      if (bytes.length > 14) bytes.set(this.pick(2) === 0 ? [8, 0, 0x45] : [0x86, 0xdd, 0x60], 12);
    } else bytes = samples[this.pick(samples.length)]!.slice();
    const kind = this.pick(8);
    if (kind === 0) bytes = bytes.slice(0, this.pick(bytes.length + 1));
    else if (kind === 1) {
      const longer = new Uint8Array(bytes.length + this.pick(100));
      longer.set(bytes);
      bytes = longer;
    } else if (kind === 2 && samples.length > 0) {
      const other = samples[this.pick(samples.length)]!;
      const at = this.pick(Math.min(bytes.length, other.length) || 1);
      bytes.set(other.subarray(at, bytes.length), at);
    }
    for (let n = this.pick(4); n > 0 && bytes.length > 0; n--) {
      // Most of what is read is in the headers.
      const at = this.pick(4) === 0 ? this.pick(bytes.length) : this.pick(Math.min(bytes.length, 80));
      bytes[at] = [0, 1, 0x7f, 0x80, 0xff, bytes[at]! ^ (1 << this.pick(8)), this.pick(256)][this.pick(7)]!;
    }
    if (this.pick(4) !== 0) mendHeader(bytes);
    const packet = new Packet(bytes, 0);
    packet.sum = this.pick(4) === 0 ? SUM_UNCHECKED : SUM_GOOD;
    return packet;
  }

  close(): void {
    for (const stream of this.streams) stream.close(-1);
    for (const listener of this.listeners) listener.close(-1);
    for (const d of this.datagrams) d.close();
    this.stack.setUp(this.stack.linkByName('eth0')!, false);
    this.clock.advance(4000e9);
  }
}

/** The checksum of an IPv4 header, so that the packet is looked at further. */
function mendHeader(bytes: Uint8Array): void {
  if (bytes.length < ETHERNET_SIZE + 20 || bytes[12] !== 8 || bytes[13] !== 0) return;
  const size = (bytes[ETHERNET_SIZE]! & 15) * 4;
  if (size < 20 || bytes.length < ETHERNET_SIZE + size) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setUint16(ETHERNET_SIZE + 10, 0);
  let sum = 0;
  for (let i = 0; i < size; i += 2) sum += view.getUint16(ETHERNET_SIZE + i);
  view.setUint16(ETHERNET_SIZE + 10, ~fold(sum) & 0xffff);
}

/** So many packets from a seed. */
export function fuzzStack(seed: number, packets: number): FuzzResult {
  const f = new Fuzzed(seed);
  // What a stack keeps that nobody sent anything to, with the same sockets closed and the same interface down: its routes.
  const quiet = new Fuzzed(seed);
  quiet.open();
  quiet.close();
  f.open();
  let mostKept = 0;
  let slowestNs = 0;
  for (let i = 0; i < packets; i++) {
    if (i % 256 === 0) f.talk();
    const packet = f.spoilt();
    const frame = packet.bytes();
    const begin = process.hrtime.bigint();
    try {
      f.recorder.sink!.deliver(packet);
      f.stack.flush();
      if (i % 16 === 0) f.clock.advance(f.pick(100) * 1e6);
    } catch (error) {
      throw new Error(`seed ${seed}, packet ${i}: ${Buffer.from(frame).toString('hex')}`, { cause: error });
    }
    slowestNs = Math.max(slowestNs, Number(process.hrtime.bigint() - begin));
    if (f.memory.used > mostKept) mostKept = f.memory.used;
    assert.ok(f.memory.used <= MOST_KEPT, `seed ${seed}, packet ${i}: ${f.memory.used} bytes kept`);
  }
  const taken = f.tcp[0].counters.InSegs;
  f.close();
  assert.equal(f.memory.used, quiet.memory.used, `seed ${seed}: bytes are left`);
  assert.equal(f.tcp[0].connections, 0, `seed ${seed}: connections are left`);
  return { packets, taken, mostKept, slowestMs: slowestNs / 1e6 };
}
