// The RFCs as packet scripts: a segment in, a segment out; each step names the section that asks for it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as abi from '../../abi/index.ts';
import type { TcpEndpoint } from './endpoint.ts';
import { ADDRESS, Bytes, hear, pattern, say } from './pair.test.helper.ts';
import { PEER_PORT, Script } from './script.test.helper.ts';

const { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDHUP, POLLRDNORM, POLLWRNORM } = abi;

/** 1000 bytes n times. */
function _send(e: TcpEndpoint, n: number): void {
  assert.equal(e.send(new Bytes(pattern(n)), 0), n);
}

test('active open', () => {
  const s = new Script();
  const e = s.tcp.open(false);
  assert.equal(e.poll(), POLLHUP | POLLOUT | POLLWRNORM, 'as Linux before connect');
  assert.equal(e.connect(ADDRESS[1], PEER_PORT), -abi.EINPROGRESS);
  assert.equal(e.poll(), 0);
  // RFC 9293 3.5: SYN; 3.7.1: with MSS; RFC 7323 2.2, RFC 2018 2: scale and SACK permitted.
  s.expect({ flags: 'S', seq: 0, mss: 1460, sackOk: true });
  assert.equal(e.connect(ADDRESS[1], PEER_PORT), -abi.EALREADY);
  s.inject({ flags: 'SA', ack: 1, mss: 1460, scale: 7, sackOk: true });
  // 3.10.7.3: the ACK of the SYN|ACK at once.
  s.expect({ flags: 'A', seq: 1, ack: 1, length: 0 });
  assert.equal(e.connect(ADDRESS[1], PEER_PORT), 0);
  assert.equal(e.connect(ADDRESS[1], PEER_PORT), -abi.EISCONN);
  assert.equal(e.poll(), POLLOUT | POLLWRNORM);
  assert.equal(s.clock.timers.length, 0);
});

test('a SYN that is lost goes again after 1, 2, 4 s and then fails', () => {
  const s = new Script();
  const e = s.tcp.open(false);
  e.connect(ADDRESS[1], PEER_PORT);
  s.expect({ flags: 'S', seq: 0 });
  // RFC 6298 2.1: 1 s; 5.5: doubled.
  for (const wait of [1, 2, 4, 8, 16, 32]) {
    s.pass(wait * 1e9 - 1e6);
    s.silence();
    s.pass(1e6);
    s.expect({ flags: 'S', seq: 0 });
  }
  s.pass(64e9);
  assert.equal(e.poll() & (POLLERR | POLLHUP), POLLERR | POLLHUP);
  assert.equal(e.connect(ADDRESS[1], PEER_PORT), -abi.ETIMEDOUT);
  assert.equal(s.clock.timers.length, 0);
});

test('a reset refuses a connection; one for something else does not', () => {
  const s = new Script();
  const e = s.tcp.open(false);
  e.connect(ADDRESS[1], PEER_PORT);
  s.expect({ flags: 'S' });
  // RFC 9293 3.10.7.3, first: an ACK of what was not sent gets a reset.
  s.inject({ flags: 'A', ack: 7 });
  s.expect({ flags: 'R', seq: 7 });
  // Second: a reset without an ACK is dropped.
  s.inject({ flags: 'R' });
  assert.equal(e.state, abi.TCP_SYN_SENT);
  s.inject({ flags: 'RA', ack: 1 });
  assert.equal(e.state, abi.TCP_CLOSE);
  assert.equal(e.takeError(), abi.ECONNREFUSED);
  assert.equal(e.takeError(), 0);
});

test('simultaneous open', () => {
  const s = new Script();
  const e = s.tcp.open(false);
  e.connect(ADDRESS[1], PEER_PORT);
  s.expect({ flags: 'S', seq: 0 });
  // RFC 9293 3.5, figure 8.
  s.inject({ flags: 'S', mss: 1460 });
  s.expect({ flags: 'SA', seq: 0, ack: 1 });
  assert.equal(e.state, abi.TCP_SYN_RECV);
  s.inject({ flags: 'SA', seq: 0, ack: 1, mss: 1460 });
  assert.equal(e.state, abi.TCP_ESTABLISHED);
  assert.equal(say(e, 'x'), 1);
  s.pass(1e6);
  assert.equal(
    s.out.map((p) => p.length).reduce((a, b) => a + b, 0),
    1,
  );
});

test('nobody listens: a reset', () => {
  const s = new Script();
  s.iss = 0;
  // RFC 9293 3.10.7.1: with the ACK's number, or 0 and an ACK of all.
  s.inject({ flags: 'S' });
  s.expect({ flags: 'RA', seq: 0, ack: 1 });
  s.inject({ flags: 'A', seq: 5, ack: 77 });
  s.expect({ flags: 'R', seq: 77 });
  s.inject({ flags: 'R', seq: 5 });
  s.silence();
});

test('passive open, a duplicate SYN, a wrong ACK', () => {
  const s = new Script();
  const l = s.tcp.open(false);
  l.bind(ADDRESS[0], 80);
  l.listen(1);
  s.inject({ flags: 'SF', mss: 1460 });
  s.silence();
  s.inject({ flags: 'S', mss: 1460 });
  s.expect({ flags: 'SA', seq: 0, ack: 1, mss: 1460, scale: -1, sackOk: false });
  // RFC 9293 3.10.7.4, SYN-RECEIVED: the same SYN is answered again.
  s.inject({ flags: 'S', mss: 1460 });
  s.expect({ flags: 'SA', seq: 0, ack: 1 });
  // 3.10.7.4, fifth check: an unacceptable ACK gets a reset.
  s.inject({ flags: 'A', seq: 1, ack: 5 });
  s.expect({ flags: 'R', seq: 5 });
  assert.equal(l.accept(), -abi.EAGAIN);
  // RFC 6298: the SYN|ACK goes again.
  s.pass(1e9);
  s.expect({ flags: 'SA', seq: 0, ack: 1 });
  s.inject({ flags: 'A', seq: 1, ack: 1 });
  assert.equal(l.poll(), POLLIN | POLLRDNORM);
  assert.notEqual(typeof l.accept(), 'number');
});

test('close: the active side waits in TIME-WAIT', () => {
  const s = new Script();
  const e = s.accepted();
  e.close(-1);
  // RFC 9293 3.6, figure 12.
  s.expect({ flags: 'FA', seq: 1, ack: 1 });
  assert.equal(e.state, abi.TCP_FIN_WAIT1);
  s.inject({ seq: 1, ack: 2 });
  assert.equal(e.state, abi.TCP_FIN_WAIT2);
  s.inject({ flags: 'FA', seq: 1, ack: 2 });
  s.expect({ flags: 'A', seq: 2, ack: 2 });
  assert.equal(s.tcp.timeWaits, 1);
  // 3.10.7.4: the peer's FIN again is acknowledged again.
  s.inject({ flags: 'FA', seq: 1, ack: 2 });
  s.expect({ flags: 'A', seq: 2, ack: 2 });
  // Bare ACKs that cannot be right are answered now and then: a peer that is as sure of itself would answer each of ours.
  for (let i = 0; i < 5; i++) s.inject({ seq: 100_000_000, ack: 5 });
  s.expect({ flags: 'A', seq: 2, ack: 2 });
  s.silence();
  s.pass(501e6);
  s.inject({ seq: 100_000_000, ack: 5 });
  s.expect({ flags: 'A', seq: 2, ack: 2 });
  s.inject({ flags: 'FA', seq: 1, ack: 2 });
  s.expect({ flags: 'A', seq: 2, ack: 2 });
  // RFC 1122 4.2.2.13: a new SYN behind the old numbers may open it again; there is no listener any more.
  s.inject({ flags: 'S', seq: 100 });
  s.expect({ flags: 'RA', ack: 101 });
  s.pass(61e9);
  assert.equal(s.tcp.timeWaits, 0);
  assert.equal(s.clock.timers.length, 0);
  assert.equal(s.tcp.connections, 0);
});

test('close: the passive side', () => {
  const s = new Script();
  const e = s.accepted();
  s.inject({ flags: 'FA', seq: 1, ack: 1 });
  s.expect({ flags: 'A', ack: 2 });
  assert.equal(e.state, abi.TCP_CLOSE_WAIT);
  assert.equal(e.poll(), POLLIN | POLLRDNORM | POLLRDHUP | POLLOUT | POLLWRNORM);
  assert.equal(hear(e), '');
  say(e, 'bye');
  s.expect({ data: 'bye' });
  e.close(-1);
  s.expect({ flags: 'FA', seq: 4 });
  assert.equal(e.state, abi.TCP_LAST_ACK);
  s.inject({ seq: 2, ack: 5 });
  assert.equal(e.state, abi.TCP_CLOSE);
  assert.equal(s.tcp.timeWaits, 0);
  assert.equal(s.tcp.connections, 0);
  assert.equal(s.clock.timers.length, 0);
});

test('close: both at the same time', () => {
  const s = new Script();
  const e = s.accepted();
  e.close(-1);
  s.expect({ flags: 'FA', seq: 1 });
  // RFC 9293 3.6, figure 13.
  s.inject({ flags: 'FA', seq: 1, ack: 1 });
  s.expect({ flags: 'A', seq: 2, ack: 2 });
  assert.equal(e.state, abi.TCP_CLOSING);
  s.inject({ seq: 2, ack: 2 });
  assert.equal(e.state, abi.TCP_CLOSE);
  assert.equal(s.tcp.timeWaits, 1);
});

test('FIN with data, and a FIN that comes before what is before it', () => {
  const s = new Script();
  const e = s.accepted();
  s.inject({ flags: 'FA', seq: 4, ack: 1, data: 'def' });
  s.expect({ ack: 1 });
  assert.equal(e.state, abi.TCP_ESTABLISHED);
  s.inject({ seq: 1, ack: 1, data: 'abc' });
  s.expect({ ack: 8 });
  assert.equal(e.state, abi.TCP_CLOSE_WAIT);
  assert.equal(hear(e), 'abcdef');
  assert.equal(hear(e), '');
});

test('close with unread data resets; SO_LINGER 0 resets', () => {
  const s = new Script();
  const e = s.accepted();
  s.inject({ seq: 1, ack: 1, data: 'unread' });
  s.out.length = 0;
  e.close(-1);
  // RFC 9293 3.6.1, RFC 2525 2.17.
  s.expect({ flags: 'RA', seq: 1 });
  assert.equal(s.tcp.connections, 0);
  const t = new Script();
  const f = t.accepted();
  f.close(0);
  t.expect({ flags: 'RA', seq: 1 });
  assert.equal(t.tcp.connections, 0);
});

test('data for a socket that is closed gets a reset', () => {
  const s = new Script();
  const e = s.accepted();
  e.close(-1);
  s.expect({ flags: 'FA' });
  s.inject({ seq: 1, ack: 2, data: 'late' });
  s.expect({ flags: 'R', seq: 2 });
  assert.equal(s.tcp.connections, 0);
});

test('resets: exact, in the window, outside', () => {
  const s = new Script();
  const e = s.accepted();
  // RFC 5961 3.2: in the window but not next: a challenge.
  s.inject({ flags: 'R', seq: 2 });
  s.expect({ flags: 'A', seq: 1, ack: 1 });
  // RFC 5961 7: no second one at once.
  s.inject({ flags: 'R', seq: 2 });
  s.silence();
  s.inject({ flags: 'R', seq: 1_000_000 });
  s.silence();
  assert.equal(e.state, abi.TCP_ESTABLISHED);
  s.inject({ flags: 'R', seq: 1 });
  assert.equal(e.state, abi.TCP_CLOSE);
  assert.equal(e.poll() & POLLERR, POLLERR);
  assert.equal(hear(e), -abi.ECONNRESET);
  assert.equal(hear(e), '');
  assert.equal(say(e, 'x'), -abi.EPIPE);
});

test('challenges for SYNs and for ACKs that nobody could have sent', () => {
  const s = new Script();
  const e = s.accepted();
  // RFC 5961 4.2.
  s.inject({ flags: 'S', seq: 1 });
  s.expect({ flags: 'A', seq: 1, ack: 1 });
  s.pass(1e9);
  // RFC 5961 5.2: beyond what was sent, and far behind it.
  s.inject({ seq: 1, ack: 5000 });
  s.expect({ flags: 'A', seq: 1, ack: 1 });
  s.pass(1e9);
  s.inject({ seq: 1, ack: -1_000_000 });
  s.expect({ flags: 'A', seq: 1, ack: 1 });
  assert.equal(e.state, abi.TCP_ESTABLISHED);
  assert.equal(s.tcp.counters.TCPChallengeACK, 3);
});

test('PAWS: an old timestamp is answered and dropped', () => {
  const s = new Script();
  const e = s.accepted({ ts: [5000, 0] });
  // RFC 7323 4.3 and 5.3.
  s.inject({ seq: 1, ack: 1, ts: [6000, 0], data: 'new' });
  s.expect({ ack: 4, ts: [0, 6000] });
  s.inject({ seq: 4, ack: 1, ts: [4000, 0], data: 'old' });
  s.expect({ ack: 4 });
  assert.equal(hear(e), 'new');
  assert.equal(s.tcp.counters.PAWSEstab, 1);
});

test('urgent data', () => {
  const s = new Script();
  const e = s.accepted();
  // RFC 9293 3.8.5 and RFC 6093 3.1: the pointer is behind the byte.
  s.inject({ flags: 'AU', seq: 1, ack: 1, data: 'ab!cd', urgent: 3 });
  assert.equal(e.poll() & (POLLPRI | POLLIN), POLLPRI | POLLIN);
  assert.equal(e.atMark, false);
  assert.equal(hear(e), 'ab', 'reading stops at the mark');
  assert.equal(e.atMark, true);
  assert.equal(hear(e, 10, abi.MSG_OOB | abi.MSG_PEEK), '!');
  assert.equal(hear(e, 10, abi.MSG_OOB), '!');
  assert.equal(hear(e, 10, abi.MSG_OOB), -abi.EINVAL);
  assert.equal(hear(e), 'cd');
  assert.equal(e.atMark, false);
  e.setOption(abi.SOL_SOCKET, abi.SO_OOBINLINE, 1);
  s.inject({ flags: 'AU', seq: 6, ack: 1, data: 'x!y', urgent: 2 });
  assert.equal(hear(e), 'x');
  assert.equal(hear(e), '!y');
  s.out.length = 0;
  say(e, 'hi!', abi.MSG_OOB);
  s.expect({ flags: 'APU', data: 'hi!', urgent: 3 });
});

test('FIN-WAIT-2 of a closed socket ends after tcp_fin_timeout', () => {
  const s = new Script();
  const e = s.accepted();
  e.close(-1);
  s.expect({ flags: 'FA' });
  s.inject({ seq: 1, ack: 2 });
  s.pass(59e9);
  assert.equal(e.state, abi.TCP_FIN_WAIT2);
  s.pass(2e9);
  assert.equal(s.tcp.connections, 0);
  assert.equal(s.clock.timers.length, 0);
});
