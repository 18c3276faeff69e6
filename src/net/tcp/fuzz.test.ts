// Whatever comes: nothing throws, no collection grows without bound, and everything is given back in the end.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as abi from '../../abi/index.ts';
import { Packet } from '../packet.ts';
import type { TcpEndpoint } from './endpoint.ts';
import { TcpOptions } from './options.ts';
import { ADDRESS, Bytes, CountedMemory, hear, pattern, SeededRandom } from './pair.test.helper.ts';
import { ByteQueue, OutOfOrder } from './rcvqueue.ts';
import { Script } from './script.test.helper.ts';
import { SendBuffer } from './sndbuf.ts';
import type { Tcb } from './tcb.ts';

test('options of random bytes', () => {
  const o = new TcpOptions();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), fc.boolean(), (bytes, syn) => {
      o.parse(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length, syn);
      assert.ok(o.sackBlocks <= 4 && o.windowShift <= 14);
    }),
    { numRuns: 5000 },
  );
});

test('packets of random bytes', () => {
  const s = new Script();
  const l = s.tcp.open(false);
  l.bind(ADDRESS[0], 80);
  l.listen(2);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), fc.integer({ min: 0, max: 2 }), (bytes, sum) => {
      const packet = new Packet(bytes, 0, bytes.length);
      if (bytes.length > 4) new DataView(bytes.buffer, bytes.byteOffset).setUint16(2, 80);
      packet.src = ADDRESS[1];
      packet.dst = ADDRESS[0];
      packet.sum = sum;
      s.tcp.input(packet);
      s.out.length = 0;
    }),
    { numRuns: 5000 },
  );
  assert.ok(s.tcp.connections < 20);
});

const FLAGS = ['', 'A', 'AP', 'F', 'FA', 'S', 'SA', 'R', 'RA', 'AU', 'SFRPAU', 'AE', 'AC', 'SEC'];

/** One life of a connection with a peer that knows the numbers and does as it likes. */
function hostile(seed: number, steps: number, sackOk: boolean, ts: boolean): Tcb {
  const s = new Script();
  const r = new SeededRandom(seed);
  const pick = (n: number): number => r.u32() % n;
  const near = (): number => [0, 1, 2, 100, 1461, 5000, 65536, -1, -70000, 2 ** 31 - 5][pick(10)]! + pick(3);
  const e: TcpEndpoint = s.accepted({
    sackOk,
    scale: pick(15),
    ...(ts ? { ts: [1000, 0] as [number, number] } : {}),
  });
  e.setOption(abi.SOL_SOCKET, abi.SO_RCVBUF, 20_000);
  let seq = 1;
  for (let i = 0; i < steps; i++) {
    const what = pick(12);
    if (what === 0) e.send(new Bytes(pattern(pick(5000))), [0, abi.MSG_OOB, abi.MSG_MORE][pick(3)]!);
    else if (what === 1) hear(e, pick(4000) + 1, [0, abi.MSG_OOB, abi.MSG_PEEK][pick(3)]!);
    else if (what === 2) s.pass([1e6, 50e6, 300e6, 5e9][pick(4)]!);
    else if (what === 3 && pick(10) === 0) e.shutdown(pick(3));
    else if (what === 4 && pick(40) === 0) {
      s.mtu = 300 + pick(1200);
      s.generation++;
    } else if (what === 5)
      e.setOption(abi.IPPROTO_TCP, [abi.TCP_CORK, abi.TCP_NODELAY, abi.TCP_QUICKACK][pick(3)]!, pick(2));
    else {
      const length = [0, 0, 1, 10, 1460, 4000][pick(6)]!;
      const base = pick(3) === 0 ? near() : 0;
      const ack = pick(3) === 0 ? near() : (e.tcb.nxt - (s.iss ?? 0)) | 0;
      const to = (e.tcb.nxt - (s.iss ?? 0)) | 0;
      s.inject({
        flags: pick(10) === 0 ? FLAGS[pick(FLAGS.length)]! : 'A',
        seq: (seq + base) | 0,
        ack,
        length,
        window: [0, 1, 100, 65535][pick(4)]!,
        urgent: pick(3000),
        tos: pick(4),
        ...(ts ? { ts: [1000 + pick(5), 0] as [number, number] } : {}),
        ...(pick(3) === 0
          ? {
              sack: [
                [to - pick(5000), to - pick(3000)],
                [to - 1460, to],
              ] as [number, number][],
            }
          : {}),
      });
      if (base === 0) seq += length;
    }
    s.out.length = 0;
    const { tcb } = e;
    assert.ok(tcb.queue.length + tcb.early.length <= 140_000, 'received more than the window');
    assert.ok(tcb.board.sackedBytes >= 0 && tcb.board.lostBytes >= 0 && tcb.board.retransmittedBytes >= 0);
    assert.ok(tcb.board.count <= 1000, `${tcb.board.count} records`);
    assert.equal(tcb.charged, tcb.queue.length + tcb.early.length + tcb.buffer.length, 'books');
  }
  e.close(-1);
  s.pass(3000e9);
  assert.equal(s.memory.used, 0);
  assert.equal(s.clock.timers.length, 0, `timers are left in state ${e.state}`);
  assert.equal(s.tcp.connections, 0);
  return e.tcb;
}

test('a hostile peer', () => {
  let received = 0;
  let again = 0;
  let early = 0;
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 31 }), fc.boolean(), fc.boolean(), (seed, sackOk, ts) => {
      const tcb = hostile(seed, 200, sackOk, ts);
      received += tcb.bytesReceived;
      again += tcb.totalRetrans;
      early += tcb.earlyPackets;
    }),
    { numRuns: 300 },
  );
  // They lived long enough to be worth it.
  assert.ok(received > 300_000 && again > 300 && early > 300, `${received} ${again} ${early}`);
});

test('out-of-order pieces come out as the stream', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 0, max: 3000 }), fc.integer({ min: 1, max: 1500 })), {
        maxLength: 40,
      }),
      fc.integer({ min: -5000, max: 5000 }),
      (pieces, base) => {
        const all = pattern(5000);
        const early = new OutOfOrder();
        const have = new Uint8Array(5000);
        let kept = 0;
        for (const [at, n] of pieces) {
          const piece = new ByteQueue();
          piece.append(all.slice(at + 1, at + 1 + n));
          kept += early.insert((base + at + 1) | 0, piece);
          have.fill(1, at + 1, at + 1 + n);
          assert.equal(early.length, kept);
          assert.equal(
            kept,
            have.reduce((a, b) => a + b, 0),
          );
        }
        const got = new ByteQueue();
        got.append(all.slice(0, 1));
        let seq = (base + 1) | 0;
        for (let count = early.count; count > 0; count = early.count) {
          seq = (seq + early.pull(seq, got)) | 0;
          if (early.count === count) break;
        }
        let end = 1;
        while (have[end] === 1) end++;
        assert.equal(got.length, end);
        const to = new Bytes(end);
        assert.equal(got.take(to, end), end);
        assert.deepEqual(Buffer.from(to.data), Buffer.from(all.subarray(0, end)));
      },
    ),
    { numRuns: 2000 },
  );
});

test('a send buffer shows what was put in', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 100_000 }), fc.integer({ min: 0, max: 120_000 })), {
        maxLength: 12,
      }),
      fc.integer({ min: 0, max: 1000 }),
      (steps, salt) => {
        const buffer = new SendBuffer();
        const all = pattern(1_300_000, salt);
        let begin = 0;
        let end = 0;
        for (const [put, drop] of steps) {
          assert.equal(buffer.append(new Bytes(all.slice(end, end + put)), put), put);
          end += put;
          for (const from of [0, (end - begin) >> 1, end - begin - 1]) {
            const n = Math.min(70_000, end - begin - from);
            const packet = new Packet();
            buffer.show(packet, from, n);
            assert.equal(packet.length, n);
            const want = all.subarray(begin + from, begin + from + n);
            assert.equal(Buffer.compare(Buffer.concat(packet.parts), want), 0);
          }
          const gone = Math.min(drop, end - begin);
          buffer.drop(gone);
          begin += gone;
          assert.equal(buffer.length, end - begin);
        }
      },
    ),
    { numRuns: 200 },
  );
});

test('an account that is full stops a stream and loses nothing', () => {
  const s = new Script();
  const e = s.accepted();
  const books = e.tcb.memory as CountedMemory;
  assert.ok(books instanceof CountedMemory);
  books.limit = books.used + 1000;
  s.inject({ seq: 1, ack: 1, length: 900 });
  s.inject({ seq: 901, ack: 1, length: 900 });
  assert.equal(e.unread, 900);
  assert.equal((hear(e) as string).length, 900);
  s.inject({ seq: 901, ack: 1, length: 900 });
  assert.equal(e.unread, 900);
});
