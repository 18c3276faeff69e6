// The RFCs as packet scripts, continued (rfc.test.ts): retransmission, recovery, windows, acknowledgments, ECN, path MTU.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as abi from '../../abi/index.ts';
import type { TcpEndpoint } from './endpoint.ts';
import { ADDRESS, Bytes, hear, pattern, say } from './pair.test.helper.ts';
import { PEER_PORT, Script } from './script.test.helper.ts';

/** 1000 bytes n times. */
function send(e: TcpEndpoint, n: number): void {
  assert.equal(e.send(new Bytes(pattern(n)), 0), n);
}

test('retransmission timeouts double, the first ACK ends them', () => {
  const s = new Script();
  const e = s.accepted();
  send(e, 1000);
  s.expect({ flags: 'AP', seq: 1, length: 1000 });
  // RFC 6298 2.2 to 2.4: after one sample of nearly nothing, the least: 200 ms here; 5.5: doubled.
  for (const ms of [200, 400, 800]) {
    s.pass(ms * 1e6 - 1e6);
    s.silence();
    s.pass(1.01e6);
    s.expect({ flags: 'AP', seq: 1, length: 1000 });
  }
  s.inject({ seq: 1, ack: 1001 });
  s.pass(300e9);
  s.silence();
  assert.equal(s.clock.timers.length, 0);
});

test('a connection that hears nothing gives up after tcp_retries2', () => {
  const s = new Script();
  const e = s.accepted();
  send(e, 10);
  s.pass(1100e9);
  assert.equal(e.takeError(), abi.ETIMEDOUT);
  assert.equal(e.state, abi.TCP_CLOSE);
  assert.ok(s.out.length >= 14 && s.out.length <= 17, `${s.out.length} copies`);
});

test('TCP_USER_TIMEOUT ends it earlier', () => {
  const s = new Script();
  const e = s.accepted();
  assert.equal(e.setOption(abi.IPPROTO_TCP, abi.TCP_USER_TIMEOUT, 3000), 0);
  send(e, 10);
  s.pass(2.5e9);
  assert.equal(e.state, abi.TCP_ESTABLISHED);
  s.pass(2e9);
  assert.equal(e.takeError(), abi.ETIMEDOUT);
});

test('SACK recovery: the hole goes again, and nothing else', () => {
  const s = new Script();
  const e = s.accepted({ sackOk: true });
  send(e, 10 * 1460);
  for (let i = 0; i < 10; i++) s.expect({ seq: 1 + i * 1460, length: 1460 });
  s.pass(1e6);
  const at = (n: number): number => 1 + n * 1460;
  // RFC 6675 5, RFC 8985 6.2: the first is missing; three above it are there.
  s.inject({ seq: 1, ack: 1, sack: [[at(1), at(2)]] });
  s.inject({ seq: 1, ack: 1, sack: [[at(1), at(3)]] });
  s.silence();
  s.inject({ seq: 1, ack: 1, sack: [[at(1), at(4)]] });
  s.expect({ seq: 1, length: 1460 });
  s.silence();
  s.inject({ seq: 1, ack: at(10) });
  s.pass(1e9);
  s.silence();
  assert.equal(e.unacknowledged, 0);
});

test('RACK: reordering within the window sends nothing again', () => {
  const s = new Script();
  const e = s.accepted({ sackOk: true }, () => {}, 40e6);
  // A round trip of 40 ms.
  send(e, 1460);
  s.expect({});
  s.pass(40e6);
  s.inject({ seq: 1, ack: 1461 });
  send(e, 3 * 1460);
  for (let i = 1; i < 4; i++) s.expect({ seq: 1 + i * 1460 });
  s.pass(40e6);
  // RFC 8985 6.2, step 4: less than three segments above the hole, and a quarter of the round trip to wait.
  s.inject({ seq: 1, ack: 1461, sack: [[1 + 2 * 1460, 1 + 3 * 1460]] });
  s.silence();
  s.pass(1e6);
  s.inject({ seq: 1, ack: 1 + 4 * 1460 });
  s.pass(1e9);
  s.silence();
});

test('RACK: the reordering timer repairs what stays away', () => {
  const s = new Script();
  const e = s.accepted({ sackOk: true }, () => {}, 40e6);
  send(e, 1460);
  s.expect({});
  s.pass(40e6);
  s.inject({ seq: 1, ack: 1461 });
  send(e, 2 * 1460);
  s.expect({ seq: 1461 });
  s.expect({ seq: 2921 });
  s.pass(40e6);
  s.inject({ seq: 1, ack: 1461, sack: [[2921, 4381]] });
  s.silence();
  // RFC 8985 6.3.
  s.pass(30e6);
  s.expect({ seq: 1461, length: 1460 });
});

test('tail loss probe', () => {
  const s = new Script();
  const e = s.accepted({ sackOk: true });
  send(e, 1460);
  s.expect({});
  s.pass(10e6);
  s.inject({ seq: 1, ack: 1461 });
  send(e, 2 * 1460);
  s.expect({ seq: 1461 });
  s.expect({ seq: 2921 });
  // RFC 8985 7.2 and 7.3: after two round trips the last segment, before the timeout of 200 ms.
  s.pass(60e6);
  s.expect({ seq: 2921, length: 1460 });
  s.silence();
  // Its SACK shows the hole.
  s.inject({ seq: 1, ack: 1461, sack: [[2921, 4381]] });
  s.pass(20e6);
  s.expect({ seq: 1461 });
});

test('NewReno: three duplicates, then partial acknowledgments', () => {
  const s = new Script();
  const e = s.accepted();
  send(e, 10 * 1000);
  while (s.out.length > 0) s.expect({});
  // RFC 5681 3.2: fast retransmit on the third duplicate.
  s.inject({ seq: 1, ack: 1 });
  s.inject({ seq: 1, ack: 1 });
  s.silence();
  s.inject({ seq: 1, ack: 1 });
  s.expect({ seq: 1, length: 1460 });
  // RFC 6582 3.2, step 3: a partial acknowledgment sends the next.
  s.inject({ seq: 1, ack: 1461 });
  s.expect({ seq: 1461, length: 1460 });
  s.inject({ seq: 1, ack: 10001 });
  s.pass(1e9);
  s.silence();
});

test('out of order: duplicate ACKs with blocks, newest first', () => {
  const s = new Script();
  const e = s.accepted({ sackOk: true });
  // RFC 5681 4.2: at once; RFC 2018 4.
  s.inject({ seq: 11, ack: 1, data: 'bbbbbbbbbb' });
  s.expect({ flags: 'A', ack: 1, sack: [[11, 21]] });
  s.inject({ seq: 31, ack: 1, data: 'dddddddddd' });
  s.expect({
    ack: 1,
    sack: [
      [31, 41],
      [11, 21],
    ],
  });
  s.inject({ seq: 21, ack: 1, data: 'cccccccccc' });
  s.expect({ ack: 1, sack: [[11, 41]] });
  // RFC 2883 4: what came twice goes first.
  s.inject({ seq: 11, ack: 1, data: 'bbbbbbbbbb' });
  s.expect({
    ack: 1,
    sack: [
      [11, 21],
      [11, 41],
    ],
  });
  s.inject({ seq: 1, ack: 1, data: 'aaaaaaaaaa' });
  s.expect({ ack: 41, sack: [] });
  assert.equal(hear(e), 'a'.repeat(10) + 'b'.repeat(10) + 'c'.repeat(10) + 'd'.repeat(10));
});

test('zero window: probes, doubling, and what opens it', () => {
  const s = new Script();
  const e = s.accepted();
  s.inject({ seq: 1, ack: 1, window: 0 });
  send(e, 100);
  s.silence();
  // RFC 9293 3.8.6.1: probes, at growing intervals, for ever as long as they are answered.
  for (const ms of [200, 400, 800, 1600]) {
    s.pass(ms * 1e6 + 1e6);
    s.expect({ seq: 0, length: 0 });
    s.inject({ seq: 1, ack: 1, window: 0 });
  }
  s.silence();
  s.inject({ seq: 1, ack: 1, window: 1000 });
  s.expect({ flags: 'AP', seq: 1, length: 100 });
});

test('our window shuts and opens in one large step', () => {
  const s = new Script();
  const e = s.accepted({}, (l) => l.setOption(abi.SOL_SOCKET, abi.SO_RCVBUF, 4096));
  let seq = 1;
  let window = 4096;
  for (let i = 0; i < 10 && window > 0; i++) {
    const n = Math.min(1000, window);
    s.inject({ seq, ack: 1, length: n });
    seq += n;
    s.pass(50e6);
    const seen = s.expect({ flags: 'A', ack: seq });
    // RFC 9293 3.8.6: the right edge never goes back.
    assert.ok(seen.window >= window - n, `${seen.window} after ${window}`);
    window = seen.window;
    s.out.length = 0;
  }
  assert.equal(window, 0);
  s.inject({ seq, ack: 1, length: 10 });
  s.expect({ ack: seq, window: 0 });
  // RFC 9293 3.8.6.2.2: no silly steps.
  assert.equal((hear(e, 10) as string).length, 10);
  s.silence();
  assert.equal((hear(e, 4000) as string).length, 4000);
  const seen = s.expect({ ack: seq });
  assert.ok(seen.window >= 536);
});

test('Nagle waits for the ACK, TCP_NODELAY and TCP_CORK do what they say', () => {
  const s = new Script();
  const e = s.accepted();
  say(e, 'a');
  s.expect({ data: 'a' });
  // RFC 9293 3.7.4.
  say(e, 'b');
  say(e, 'c');
  s.silence();
  s.inject({ seq: 1, ack: 2 });
  s.expect({ data: 'bc', seq: 2 });
  e.setOption(abi.IPPROTO_TCP, abi.TCP_NODELAY, 1);
  say(e, 'd');
  s.expect({ data: 'd' });
  s.inject({ seq: 1, ack: 5 });
  e.setOption(abi.IPPROTO_TCP, abi.TCP_CORK, 1);
  say(e, 'e');
  say(e, 'f');
  s.silence();
  e.setOption(abi.IPPROTO_TCP, abi.TCP_CORK, 0);
  s.expect({ data: 'ef' });
  s.inject({ seq: 1, ack: 7 });
  say(e, 'g', abi.MSG_MORE);
  s.silence();
  say(e, 'h');
  s.expect({ data: 'gh' });
});

test('delayed ACK: at once at first, later for the second segment or after 40 ms', () => {
  const s = new Script();
  const e = s.accepted();
  let seq = 1;
  // The first ones are acknowledged at once: the peer is in slow start.
  for (let i = 0; i < 20; i++) {
    s.inject({ seq, ack: 1, length: 1460 });
    seq += 1460;
    hear(e);
  }
  s.out.length = 0;
  s.inject({ seq, ack: 1, length: 100 });
  seq += 100;
  s.silence();
  // RFC 9293 3.8.6.3: within 500 ms.
  s.pass(41e6);
  s.expect({ flags: 'A', ack: seq });
  assert.equal(s.clock.timers.length, 0);
});

test('ECN: agreed, echoed, heard', () => {
  const s = new Script();
  s.tcp.sysctl.tcp_ecn = 1;
  const l = s.tcp.open(false);
  l.bind(ADDRESS[0], 80);
  l.listen(1);
  // RFC 3168 6.1.1.
  s.inject({ flags: 'SEC', mss: 1460 });
  s.expect({ flags: 'SAE' });
  s.inject({ seq: 1, ack: 1 });
  const e = l.accept() as TcpEndpoint;
  // 6.1.3: CE is echoed until CWR.
  s.inject({ seq: 1, ack: 1, data: 'x', tos: 3 });
  s.expect({ flags: 'AE', ack: 2 });
  s.inject({ flags: 'AC', seq: 2, ack: 1, data: 'y', tos: 2 });
  s.expect({ flags: 'A', ack: 3 });
  // 6.1.2: data is marked capable; an echo halves the window and is answered by CWR.
  send(e, 5 * 1460);
  for (let i = 0; i < 5; i++) assert.equal(s.expect({ length: 1460 }).tos & 3, 2);
  const before = e.tcb.cong.cwnd;
  s.inject({ flags: 'AE', seq: 3, ack: 1 + 1460 });
  assert.ok(e.tcb.cong.ssthresh < before);
  send(e, 1460);
  s.inject({ seq: 3, ack: 1 + 5 * 1460 });
  assert.ok(s.expect({}).flags.includes('C'));
});

test('keep-alive', () => {
  const s = new Script();
  const e = s.accepted();
  for (const [name, value] of [
    [abi.TCP_KEEPIDLE, 10],
    [abi.TCP_KEEPINTVL, 5],
    [abi.TCP_KEEPCNT, 3],
  ])
    assert.equal(e.setOption(abi.IPPROTO_TCP, name!, value!), 0);
  assert.equal(e.setOption(abi.SOL_SOCKET, abi.SO_KEEPALIVE, 1), 0);
  s.pass(10.1e9);
  // RFC 9293 3.8.4: a number before the next.
  s.expect({ flags: 'A', seq: 0, length: 0 });
  s.inject({ seq: 1, ack: 1 });
  s.pass(9e9);
  s.silence();
  s.pass(1.1e9);
  s.expect({ seq: 0 });
  s.pass(5e9);
  s.expect({ seq: 0 });
  s.pass(5e9);
  s.expect({ seq: 0 });
  s.pass(5e9);
  s.expect({ flags: 'RA' });
  assert.equal(e.takeError(), abi.ETIMEDOUT);
});

test('the path MTU shrinks', () => {
  const s = new Script();
  const e = s.accepted();
  send(e, 2920);
  s.expect({ length: 1460 });
  s.expect({ length: 1460 });
  s.mtu = 600;
  s.generation++;
  const quoted = new DataView(new ArrayBuffer(8));
  quoted.setUint16(0, 80);
  quoted.setUint16(2, PEER_PORT);
  const report = {
    errno: abi.EMSGSIZE,
    fatal: false,
    origin: 2,
    type: 3,
    code: 4,
    mtu: 600,
    offender: ADDRESS[1],
    to: null,
    ifindex: 0,
    ttl: -1,
    tos: -1,
    src: ADDRESS[0],
    dst: ADDRESS[1],
    quoted,
  };
  // RFC 5927 4.1: not about anything under way.
  quoted.setInt32(4, s.iss! + 100_000);
  s.tcp.error(report);
  s.silence();
  // RFC 1191 6.4: sent again in smaller segments.
  quoted.setInt32(4, s.iss! + 1);
  s.tcp.error(report);
  for (let i = 0; i < 3; i++) s.expect({ seq: 1 + i * 560, length: i === 2 ? 340 : 560 });
});
