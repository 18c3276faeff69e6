// Packet scripts: one TcpProtocol of ours, and a peer that is the test: it injects segments and expects segments, field by field.
// Sequence numbers are relative: ours to our initial number, the peer's to 1000.

import assert from 'node:assert/strict';
import type { IpAddress } from '../address.ts';
import type { Packet } from '../packet.ts';
import { Packet as NewPacket } from '../packet.ts';
import type { Flow, NetworkLayer, Path } from '../path.ts';
import type { TcpEndpoint } from './endpoint.ts';
import { TcpOptions } from './options.ts';
import { ADDRESS, CountedMemory, HandClock, SeededRandom } from './pair.test.helper.ts';
import { TcpProtocol } from './protocol.ts';
import { Segment } from './segment.ts';

export const PEER_ISS = 1000;
export const OUR_PORT = 80;
export const PEER_PORT = 5000;

const FLAGS: Record<string, number> = { F: 1, S: 2, R: 4, P: 8, A: 16, U: 32, E: 64, C: 128 };

export interface Told {
  /** Letters: F S R P A U E C. */
  flags?: string;
  /** Relative. */
  seq?: number;
  ack?: number;
  window?: number;
  length?: number;
  data?: string;
  urgent?: number;
  mss?: number;
  scale?: number;
  sackOk?: boolean;
  ts?: [number, number];
  /** Relative to our numbers. */
  sack?: [number, number][];
  tos?: number;
}

/** A segment that was sent, read. */
export interface Seen {
  flags: string;
  seq: number;
  ack: number;
  window: number;
  length: number;
  data: string;
  urgent: number;
  segment: number;
  options: TcpOptions;
  sack: [number, number][];
  tos: number;
}

export class Script implements NetworkLayer {
  generation = 1;
  mtu = 1500;
  gso = 0;
  readonly clock = new HandClock();
  readonly memory = new CountedMemory();
  readonly tcp: TcpProtocol;
  readonly out: Packet[] = [];
  /** Our initial sequence number, from the first SYN of ours. */
  iss: number | null = null;
  ourPort = OUR_PORT;
  peerPort = PEER_PORT;

  constructor() {
    this.tcp = new TcpProtocol(this, this.clock, new SeededRandom(99), this.memory);
  }

  route(flow: Flow): Path {
    return {
      src: flow.src.isAny ? ADDRESS[0] : flow.src,
      dst: flow.dst,
      ifindex: 1,
      mtu: this.mtu,
      local: flow.dst.equals(ADDRESS[0]),
      broadcast: false,
      gso: this.gso,
      generation: this.generation,
    };
  }

  bindable(address: IpAddress): boolean {
    return address.equals(ADDRESS[0]);
  }

  output(packet: Packet, path: Path): number {
    packet.src = path.src;
    packet.dst = path.dst;
    this.out.push(packet);
    return 0;
  }

  /** The peer's segment arrives. */
  inject(t: Told): void {
    const bytes = new Uint8Array(60);
    const view = new DataView(bytes.buffer);
    let n = 20;
    if (t.mss !== undefined) {
      view.setUint32(n, 0x02040000 | t.mss);
      n += 4;
    }
    if (t.sackOk) {
      view.setUint32(n, 0x01010402);
      n += 4;
    }
    if (t.scale !== undefined) {
      view.setUint32(n, 0x01030300 | t.scale);
      n += 4;
    }
    if (t.ts !== undefined) {
      view.setUint32(n, 0x0101080a);
      view.setInt32(n + 4, t.ts[0]);
      view.setInt32(n + 8, t.ts[1]);
      n += 12;
    }
    if (t.sack !== undefined) {
      view.setUint32(n, 0x01010500 | (2 + 8 * t.sack.length));
      n += 4;
      for (const [from, to] of t.sack) {
        view.setInt32(n, (this.iss ?? 0) + from);
        view.setInt32(n + 4, (this.iss ?? 0) + to);
        n += 8;
      }
    }
    let flags = 0;
    for (const f of t.flags ?? 'A') flags |= FLAGS[f]!;
    view.setUint16(0, this.peerPort);
    view.setUint16(2, this.ourPort);
    view.setInt32(4, PEER_ISS + (t.seq ?? 0));
    view.setInt32(8, flags & 16 ? (this.iss ?? 0) + (t.ack ?? 0) : 0);
    view.setUint16(12, ((n / 4) << 12) | flags);
    view.setUint16(14, t.window ?? 65535);
    view.setUint16(18, t.urgent ?? 0);
    const packet = new NewPacket(bytes.slice(0, n), 0, n);
    packet.src = ADDRESS[1];
    packet.dst = ADDRESS[0];
    packet.sum = 1;
    packet.tos = t.tos ?? 0;
    const data = t.data !== undefined ? Buffer.from(t.data, 'latin1') : new Uint8Array(t.length ?? 0);
    packet.append(new Uint8Array(data));
    this.tcp.input(packet);
  }

  /** The next segment of ours must be this. */
  expect(t: Told): Seen {
    const packet = this.out.shift();
    assert.ok(packet !== undefined, `nothing was sent where ${JSON.stringify(t)} was expected`);
    const seen = this.read(packet);
    for (const [key, value] of Object.entries(t)) {
      if (key === 'flags') assert.equal(seen.flags, sortFlags(String(value)), describe(seen));
      else if (key === 'mss') assert.equal(seen.options.mss, value);
      else if (key === 'scale') assert.equal(seen.options.windowShift, value);
      else if (key === 'sackOk') assert.equal(seen.options.sackPermitted, value);
      else if (key === 'ts') assert.equal(seen.options.tsEcho, (value as [number, number])[1]);
      else assert.deepEqual(seen[key as keyof Seen], value, `${key} of ${describe(seen)}`);
    }
    return seen;
  }

  silence(): void {
    assert.deepEqual(
      this.out.map((p) => describe(this.read(p))),
      [],
    );
  }

  private read(packet: Packet): Seen {
    const seg = new Segment();
    const copy = new NewPacket(packet.head, packet.start, packet.end);
    copy.l4 = packet.start;
    copy.sum = 1;
    for (const part of packet.parts) copy.append(part);
    assert.equal(seg.parse(copy), 0);
    if (seg.flags & 2 && this.iss === null) this.iss = seg.seq;
    const options = new TcpOptions();
    options.parse(copy.view, copy.l4 + 20, seg.dataAt, (seg.flags & 2) !== 0);
    const sack: [number, number][] = [];
    for (let i = 0; i < options.sackBlocks; i++)
      sack.push([options.sack[2 * i]! - PEER_ISS, options.sack[2 * i + 1]! - PEER_ISS]);
    this.ourPort = seg.sourcePort;
    return {
      flags: sortFlags(
        Object.keys(FLAGS)
          .filter((f) => seg.flags & FLAGS[f]!)
          .join(''),
      ),
      seq: (seg.seq - (this.iss ?? 0)) | 0,
      ack: seg.flags & 16 ? (seg.ack - PEER_ISS) | 0 : 0,
      window: seg.window,
      length: seg.length,
      data: Buffer.concat(packet.parts).toString('latin1'),
      urgent: seg.urgent,
      segment: packet.segment,
      options,
      sack,
      tos: packet.tos,
    };
  }

  pass(ns: number): void {
    const end = this.clock.nowNs + ns;
    while (this.clock.next <= end) this.clock.turnTo(this.clock.next);
    this.clock.nowNs = end;
  }

  /** A passive open, with these options in the peer's SYN; the endpoint that accept gave. */
  accepted(syn: Told = {}, listening: (l: TcpEndpoint) => void = () => {}, rttNs = 0): TcpEndpoint {
    const listener = this.tcp.open(false);
    listening(listener);
    assert.equal(listener.bind(ADDRESS[0], OUR_PORT), 0);
    assert.equal(listener.listen(4), 0);
    this.inject({ flags: 'S', mss: 1460, ...syn });
    this.expect({ flags: 'SA', ack: 1 });
    this.pass(rttNs);
    this.inject({ flags: 'A', seq: 1, ack: 1, ...(syn.ts ? { ts: syn.ts } : {}) });
    const endpoint = listener.accept();
    assert.ok(typeof endpoint !== 'number', `accept: ${endpoint}`);
    listener.close(-1);
    this.silence();
    return endpoint as TcpEndpoint;
  }
}

function sortFlags(flags: string): string {
  return [...flags].sort().join('');
}

function describe(s: Seen): string {
  return `${s.flags} seq ${s.seq} ack ${s.ack} win ${s.window} len ${s.length} sack ${JSON.stringify(s.sack)}`;
}
