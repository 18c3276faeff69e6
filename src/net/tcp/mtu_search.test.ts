// Path MTUs that nobody tells of: black holes, and the search upwards (RFC 4821).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SO_MAX_PACING_RATE, SOL_SOCKET } from '../../abi/net/socket.ts';
import type { Packet } from '../packet.ts';
import { Bytes, Pair, pattern } from './pair.test.helper.ts';

const SIZE = 400_000;

/** Sends bytes from side 0; ns that it took, or -1 when it did not within `limitS`. */
function send(
  pair: Pair,
  limitS: number,
  prepare: (pair: Pair) => void = () => {},
  size = SIZE,
): [number, number] {
  const [a, b, listener] = pair.connected();
  prepare(pair);
  const out = new Bytes(pattern(size));
  const got = new Bytes(size);
  const began = pair.clock.nowNs;
  const done = pair.until(
    () => got.remaining === 0,
    began + limitS * 1e9,
    () => {
      while (out.remaining > 0 && a.send(out, 0) > 0);
      while (got.remaining > 0 && b.receive(got, 0, 0) > 0);
    },
  );
  const took = pair.clock.nowNs - began;
  const { mss } = a.tcb;
  if (done) assert.deepEqual(Buffer.from(got.data), Buffer.from(pattern(size)));
  for (const e of [a, b, listener]) e.close(0);
  pair.pass(200e9);
  assert.equal(pair.timers, 0);
  return [done ? took : -1, mss];
}

/** Drops what is larger than `most` without a word. */
function hole(pair: Pair, most: number): void {
  pair.link.lose = (p: Packet) => (p.segment > 0 ? p.end - p.start + p.segment : p.size) + 20 > most;
}

test('a black hole: with tcp_mtu_probing the stream goes on, without it does not', () => {
  const off = new Pair({ delayNs: 5e6 });
  assert.equal(send(off, 300, (p) => hole(p, 1300))[0], -1);
  const on = new Pair({ delayNs: 5e6 });
  on.tcp[0].sysctl.tcp_mtu_probing = 1;
  const [took, mss] = send(on, 300, (p) => hole(p, 1300));
  assert.ok(took > 0, 'not all arrived');
  // Between the base and what the path has.
  assert.ok(mss >= 1024 - 12 && mss <= 1300 - 52, `MSS ${mss}`);
});

test('a path with even less: half and half again', () => {
  const pair = new Pair({ delayNs: 5e6 });
  pair.tcp[0].sysctl.tcp_mtu_probing = 1;
  const [took, mss] = send(pair, 900, (p) => hole(p, 400));
  assert.ok(took > 0, 'not all arrived');
  assert.ok(mss <= 400 - 52, `MSS ${mss}`);
});

test('from a small MSS up to the path, without a loss', () => {
  const pair = new Pair({ delayNs: 5e6, mtu: 9000, gso: 65536 });
  for (const tcp of pair.tcp) tcp.sysctl.tcp_mtu_probing = 2;
  const [took, mss] = send(pair, 60, () => {}, 4e6);
  assert.ok(took > 0);
  assert.ok(mss > 8000, `MSS ${mss}`);
  assert.equal(pair.tcp[0].counters.RetransSegs, 0);
});

test('a probe that is lost costs no window', () => {
  const pair = new Pair({ delayNs: 5e6, mtu: 9000 });
  pair.tcp[0].sysctl.tcp_mtu_probing = 2;
  const [took, mss] = send(pair, 60, (p) => hole(p, 4000), 4e6);
  assert.ok(took > 0);
  assert.ok(mss > 3500 && mss <= 4000 - 52, `MSS ${mss}`);
  assert.equal(pair.tcp[0].counters.TCPTimeouts, 0);
  assert.equal(pair.tcp[0].counters.TCPSackRecovery, 0);
});

test('SO_MAX_PACING_RATE: no faster, and not much slower', () => {
  for (const rate of [100_000, 1e6]) {
    const pair = new Pair({ delayNs: 1e6, gso: 65536 });
    const [a, b] = pair.connected();
    assert.equal(a.setOption(SOL_SOCKET, SO_MAX_PACING_RATE, rate), 0);
    const out = new Bytes(pattern(SIZE));
    const got = new Bytes(SIZE);
    const began = pair.clock.nowNs;
    const done = pair.until(
      () => got.remaining === 0,
      began + 60e9,
      () => {
        while (out.remaining > 0 && a.send(out, 0) > 0);
        while (got.remaining > 0 && b.receive(got, 0, 0) > 0);
      },
    );
    assert.ok(done);
    const measured = (SIZE * 1e9) / (pair.clock.nowNs - began);
    assert.ok(measured < rate * 1.1 && measured > rate * 0.85, `${measured} bytes a second of ${rate}`);
  }
});
