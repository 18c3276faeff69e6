// Floods of a whole stack: packets of one kind after the other, from whoever, into an interface on which a neighbour's stream goes on. The
// stream must live and what is kept must stay within a bound, whatever comes.

import assert from 'node:assert/strict';
import { EAGAIN, EINPROGRESS } from '../abi/errno.ts';
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP } from '../abi/net/in.ts';
import { ANY_V4, parseAddress } from './address.ts';
import type { StreamEndpoint } from './endpoint.ts';
import { Filter } from './filter/filter.ts';
import { LAYOUT_V4 } from './filter/layout.ts';
import { readTable } from './filter/table.ts';
import { tableOf } from './filter/tables.test.helper.ts';
import { type BridgeDevice, bridgeLink } from './link/bridge.ts';
import { type ChannelDevice, channelPair } from './link/channel.ts';
import { Packet, SUM_GOOD } from './packet.ts';
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
  SeededRandom,
} from './testing.test.helper.ts';
import { fold } from './wire/checksum.ts';

export const FLOODS = ['syn', 'udp', 'echo', 'error', 'fragment', 'fragment6', 'arp', 'ndp', 'fdb'] as const;
export type Flood = (typeof FLOODS)[number];

/** Simulated time between two packets: some ten thousand a second. */
const STEP_NS = 1e5;
const PIECE = 20_000;
const OURS = '10.0.0.1';
const PEER = '10.0.0.2';

export interface FloodResult {
  /** Bytes kept at most beside what the stream's buffers may have, and bytes of the stream that arrived. */
  mostKept: number;
  streamed: number;
}

class Flooded {
  readonly clock = new HandClock();
  readonly memory = new CountedMemory();
  readonly random: SeededRandom;
  readonly stack: Stack;
  readonly peer: Stack;
  readonly tcp: readonly [TcpProtocol, TcpProtocol];
  readonly filter: Filter;
  readonly bridge: BridgeDevice;
  private readonly wire: ChannelDevice;
  private readonly port: ChannelDevice;

  constructor(seed: number) {
    this.random = new SeededRandom(seed);
    this.stack = newStack(this.clock, seed + 1, this.memory);
    this.peer = newStack(this.clock, seed + 2);
    const [left, right] = channelPair(this.clock, this.clock);
    addEthernet(this.stack, 'eth0', left, 1, [`${OURS}/24`, 'fd00::1/64']);
    addEthernet(this.peer, 'eth0', right, 2, [`${PEER}/24`, 'fd00::2/64']);
    this.wire = left;
    const [port] = channelPair(this.clock, this.clock);
    const bridge = bridgeLink('br0', this.clock, this.memory, Uint8Array.of(2, 0, 0, 0, 0, 9));
    this.stack.addLink(bridge);
    this.bridge = bridge.device as BridgeDevice;
    assert.equal(this.bridge.enslave(addEthernet(this.stack, 'eth1', port, 3, [])), 0);
    this.stack.setUp(bridge, true);
    this.port = port;
    // A rule that has every connection tracked.
    this.filter = new Filter(this.stack);
    const range = { name: 'MASQUERADE', data: Uint8Array.of(1, 0, 0, 0, ...new Uint8Array(16)) };
    const text = tableOf('nat', LAYOUT_V4, [], -2, []);
    const nat = tableOf('nat', LAYOUT_V4, [], -2, [{ target: range }]);
    const table = readTable('nat', LAYOUT_V4, nat.bytes, nat.count, nat.hookEntry, text.underflow);
    assert.ok(typeof table !== 'number', `table: ${table}`);
    assert.equal(this.filter.set(false, table), 0);
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

  /** An Ethernet frame of this type from any of `hosts` addresses. */
  private frame(type: number, size: number, group: Uint8Array | null): [Uint8Array, DataView] {
    const bytes = new Uint8Array(14 + size);
    bytes.set(group ?? [2, 0, 0, 0, 0, 1]);
    bytes.set([2, 7, this.pick(256), this.pick(256), this.pick(256), this.pick(256)], 6);
    const view = new DataView(bytes.buffer);
    view.setUint16(12, type);
    return [bytes, view];
  }

  /** IPv4 from somebody of the neighbourhood or the world; `flags` are those of the fragment field. */
  private ipv4(protocol: number, payload: number, flags = 0): [Uint8Array, DataView] {
    const [bytes, view] = this.frame(0x0800, 20 + payload, null);
    view.setUint16(14, 0x4500);
    view.setUint16(16, 20 + payload);
    view.setUint16(18, this.pick(65536));
    view.setUint16(20, flags);
    view.setUint16(22, 0x4000 | protocol);
    const near = this.pick(2) === 0;
    view.setUint32(26, near ? 0x0a000003 + this.pick(250) : 0x0b000001 + this.pick(0x10000000));
    view.setUint32(30, parseAddress(OURS)!.w3);
    let sum = 0;
    for (let at = 14; at < 34; at += 2) sum += view.getUint16(at);
    view.setUint16(24, ~fold(sum) & 0xffff);
    return [bytes, view];
  }

  private ipv6(
    next: number,
    payload: number,
    to: Uint8Array | null,
    group: Uint8Array | null,
  ): [Uint8Array, DataView] {
    const [bytes, view] = this.frame(0x86dd, 40 + payload, group);
    view.setUint32(14, 0x60000000);
    view.setUint16(18, payload);
    view.setUint16(20, (next << 8) | 255);
    view.setUint16(22, 0xfd00);
    view.setUint32(34, this.random.u32() | 4);
    if (to !== null) bytes.set(to, 38);
    else {
      view.setUint16(38, 0xfd00);
      bytes[53] = 1;
    }
    return [bytes, view];
  }

  make(kind: Flood): Uint8Array {
    switch (kind) {
      case 'syn': {
        const [bytes, view] = this.ipv4(IPPROTO_TCP, 20);
        view.setUint16(34, 1024 + this.pick(60000));
        view.setUint16(36, this.pick(4) === 0 ? this.pick(65536) : 80);
        view.setUint32(38, this.random.u32());
        view.setUint16(46, 0x5002);
        view.setUint16(48, 65535);
        return bytes;
      }
      case 'udp': {
        const [bytes, view] = this.ipv4(IPPROTO_UDP, 8 + this.pick(1000));
        view.setUint16(34, this.pick(65536));
        view.setUint16(36, this.pick(2) === 0 ? 53 : this.pick(65536));
        view.setUint16(38, bytes.length - 34);
        return bytes;
      }
      case 'echo': {
        const [bytes, view] = this.ipv4(IPPROTO_ICMP, 8 + this.pick(1000));
        view.setUint16(34, 0x0800);
        view.setUint32(38, this.random.u32());
        return bytes;
      }
      case 'error': {
        // About what we never sent: unreachable, too large, in time exceeded.
        const [bytes, view] = this.ipv4(IPPROTO_ICMP, 36);
        view.setUint16(34, [0x0300 + this.pick(16), 0x0304, 0x0b00][this.pick(3)]!);
        view.setUint16(40, this.pick(1500));
        bytes.set(this.ipv4(IPPROTO_TCP, 8)[0].subarray(14), 42);
        view.setUint32(54, parseAddress(OURS)!.w3);
        view.setUint32(58, parseAddress(PEER)!.w3);
        return bytes;
      }
      case 'fragment': {
        const size = 8 * (1 + this.pick(180));
        return this.ipv4(IPPROTO_UDP, size, (this.pick(2) << 13) | this.pick(4000))[0];
      }
      case 'fragment6': {
        const [bytes, view] = this.ipv6(44, 8 + 8 * (1 + this.pick(170)), null, null);
        view.setUint16(54, IPPROTO_UDP << 8);
        view.setUint16(56, (this.pick(4000) << 3) | 1);
        view.setUint32(58, this.random.u32());
        return bytes;
      }
      case 'arp': {
        const [bytes, view] = this.frame(0x0806, 28, this.pick(2) === 0 ? new Uint8Array(6).fill(255) : null);
        view.setUint32(14, 0x00010800);
        view.setUint32(18, 0x06040001 + this.pick(2));
        bytes.set(bytes.subarray(6, 12), 22);
        view.setUint32(28, 0x0a000003 + this.pick(250));
        view.setUint32(38, parseAddress(OURS)!.w3);
        return bytes;
      }
      case 'ndp': {
        // Solicitations for us, and advertisements that nobody asked for.
        const asks = this.pick(2) === 0;
        const group = Uint8Array.of(0x33, 0x33, 0xff, 0, 0, 1);
        const to = Uint8Array.of(0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 1);
        const [bytes, view] = this.ipv6(IPPROTO_ICMPV6, 32, asks ? to : null, asks ? group : null);
        view.setUint16(54, asks ? 135 << 8 : 136 << 8);
        if (!asks) view.setUint32(58, 0x60000000);
        if (asks) bytes.set([0xfd, 0, ...new Uint8Array(13), 1], 62);
        else bytes.set(bytes.subarray(22, 38), 62);
        bytes.set([asks ? 1 : 2, 1, ...bytes.subarray(6, 12)], 78);
        return bytes;
      }
      case 'fdb': {
        const [bytes] = this.frame(0x88b5, 46, this.pick(2) === 0 ? new Uint8Array(6).fill(255) : null);
        return bytes;
      }
    }
  }

  /** A packet comes in: of floods of the bridge on its port. */
  inject(kind: Flood): void {
    const packet = new Packet(this.make(kind), 0);
    packet.sum = SUM_GOOD;
    (kind === 'fdb' ? this.port : this.wire).sink!.deliver(packet);
    this.stack.flush();
  }
}

/** `packets` of one kind, or of all in turn. */
export function flood(seed: number, kinds: readonly Flood[], packets: number, most: number): FloodResult {
  const f = new Flooded(seed);
  const listener = f.tcp[0].open(false, f.memory);
  assert.equal(listener.bind(ANY_V4, 80), 0);
  assert.equal(listener.listen(64), 0);
  const udp = f.stack.udp.open(false);
  assert.equal(udp.bind(ANY_V4, 53), 0);
  const client = f.tcp[1].open(false, new CountedMemory());
  assert.equal(client.connect(parseAddress(OURS)!, 80), -EINPROGRESS);
  f.clock.advance(50e6);
  const server = listener.accept() as StreamEndpoint;
  assert.ok(typeof server !== 'number', 'no stream before the flood');
  let mostKept = 0;
  let streamed = 0;
  let sent = 0;
  let quiet = 0;
  const piece = pattern(PIECE);
  for (let i = 0; i < packets; i++) {
    f.inject(kinds[i % kinds.length]!);
    f.clock.advance(STEP_NS);
    if (i % 64 !== 0) continue;
    if (sent - streamed < 4 * PIECE) {
      const n = client.send(new BytesSource(piece), 0);
      if (n > 0) sent += n;
      else assert.equal(n, -EAGAIN, 'the stream ended');
    }
    const got = server.receive(new BytesSink(65536), 0, 0);
    if (got > 0) {
      streamed += got;
      quiet = 0;
    } else {
      assert.equal(got, -EAGAIN, `packet ${i}: the stream ended`);
      assert.ok(++quiet < 2000, `packet ${i}: nothing of the stream for ${(quiet * 64 * STEP_NS) / 1e9} s`);
    }
    mostKept = Math.max(mostKept, f.memory.used);
    assert.ok(f.memory.used <= most, `packet ${i}: ${f.memory.used} bytes kept`);
  }
  // Whoever is new still gets in: by a cookie, if need be.
  const late = f.tcp[1].open(false, new CountedMemory());
  assert.equal(late.connect(parseAddress(OURS)!, 80), -EINPROGRESS);
  f.clock.advance(5e9);
  assert.equal(late.state, 1, 'nobody gets in any more');
  for (const e of [late, client, server, listener]) e.close(0);
  udp.close();
  f.filter.clear();
  f.stack.setUp(f.stack.linkByName('eth0')!, false);
  f.stack.setUp(f.stack.linkByName('br0')!, false);
  f.bridge.fdb.clear();
  f.clock.advance(4000e9);
  assert.equal(f.tcp[0].connections, 0);
  // Routes, and what the namespace keeps of quiet times.
  assert.ok(f.memory.used < 1 << 16, `${f.memory.used} bytes are left`);
  return { mostKept, streamed };
}
