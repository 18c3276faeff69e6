// Listening, ports and what is left of connections: queues and their bounds, cookies, who may bind what, TIME-WAIT.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as abi from '../../abi/index.ts';
import { ANY_V4, ANY_V6, ipv4 } from '../address.ts';
import type { TcpEndpoint } from './endpoint.ts';
import { ADDRESS, hear, Pair, say } from './pair.test.helper.ts';
import { OUR_PORT, PEER_PORT, Script } from './script.test.helper.ts';

function listening(s: Script, backlog: number): TcpEndpoint {
  const l = s.tcp.open(false);
  assert.equal(l.bind(ADDRESS[0], OUR_PORT), 0);
  assert.equal(l.listen(backlog), 0);
  return l;
}

test('the accept queue is bounded, and what waits in it is reset at the end', () => {
  const s = new Script();
  const l = listening(s, 1);
  for (let i = 0; i < 3; i++) {
    s.peerPort = PEER_PORT + i;
    s.iss = null;
    s.inject({ flags: 'S', mss: 1460 });
    if (i < 2) {
      s.expect({ flags: 'SA' });
      s.inject({ seq: 1, ack: 1 });
    }
  }
  // As Linux: backlog + 1, then SYNs are dropped.
  s.silence();
  assert.equal(s.tcp.counters.ListenOverflows, 1);
  assert.equal(l.tcb.state, abi.TCP_LISTEN);
  l.close(-1);
  s.expect({ flags: 'RA' });
  s.expect({ flags: 'RA' });
  assert.equal(s.tcp.connections, 0);
  assert.equal(s.memory.used, 0);
  assert.equal(s.clock.timers.length, 0);
});

test('100 000 SYNs do not grow memory; a cookie still connects', () => {
  const s = new Script();
  const l = listening(s, 128);
  for (let i = 0; i < 100_000; i++) {
    s.peerPort = 1024 + (i % 60_000);
    s.inject({ flags: 'S', seq: i, mss: 1460, sackOk: true, scale: 7, ts: [i, 0] });
    s.out.length = 0;
  }
  assert.ok(s.tcp.connections <= 129, `${s.tcp.connections} requests`);
  assert.ok(s.memory.most <= 129 * 512);
  assert.ok(s.tcp.counters.SyncookiesSent > 90_000);
  // RFC 4987 3.6: the whole state comes back with the ACK.
  s.peerPort = 64_000;
  s.iss = null;
  s.inject({ flags: 'S', mss: 1460, sackOk: true, scale: 7, ts: [5, 0] });
  const synAck = s.expect({ flags: 'SA', ack: 1, sackOk: true });
  s.inject({ seq: 1, ack: 1, ts: [6, synAck.options.tsValue], data: 'hi' });
  const e = l.accept() as TcpEndpoint;
  assert.notEqual(typeof e, 'number');
  assert.equal(hear(e), 'hi');
  assert.equal(e.tcb.sndShift, 7);
  assert.equal(e.tcb.sackOk, true);
  // One that was made up gets a reset.
  s.out.length = 0;
  s.peerPort = 64_001;
  s.inject({ seq: 1, ack: 12345 });
  s.expect({ flags: 'R' });
  e.close(0);
  l.close(-1);
  assert.equal(s.tcp.connections, 0);
  assert.equal(s.memory.used, 0);
  assert.equal(s.clock.timers.length, 0);
});

test('a request answers what cannot be right now and then, and data each time', () => {
  const s = new Script();
  listening(s, 4);
  s.inject({ flags: 'S', mss: 1460 });
  s.expect({ flags: 'SA' });
  for (let i = 0; i < 5; i++) s.inject({ seq: 100_000_000, ack: 1 });
  s.expect({ flags: 'A' });
  s.silence();
  for (let i = 0; i < 2; i++) {
    s.inject({ seq: 100_000_000, ack: 1, length: 10 });
    s.expect({ flags: 'A' });
  }
});

test('TCP_DEFER_ACCEPT wakes nobody until data comes', () => {
  const s = new Script();
  const l = listening(s, 4);
  l.setOption(abi.IPPROTO_TCP, abi.TCP_DEFER_ACCEPT, 5);
  assert.equal(l.getOption(abi.IPPROTO_TCP, abi.TCP_DEFER_ACCEPT), 0);
  assert.equal(l.optionValue, 7, 'rounded to retransmissions, as Linux');
  s.inject({ flags: 'S', mss: 1460 });
  s.expect({ flags: 'SA' });
  s.inject({ seq: 1, ack: 1 });
  assert.equal(l.accept(), -abi.EAGAIN);
  s.inject({ seq: 1, ack: 1, data: 'GET' });
  assert.equal(hear(l.accept() as TcpEndpoint), 'GET');
});

test('a request that is reset, and one that nobody finishes, leave nothing', () => {
  const s = new Script();
  const l = listening(s, 4);
  s.inject({ flags: 'S' });
  s.inject({ flags: 'R', seq: 2 });
  assert.equal(s.tcp.connections, 1, 'RFC 5961 3.2: only the exact number');
  s.inject({ flags: 'R', seq: 1 });
  assert.equal(s.tcp.connections, 0);
  s.inject({ flags: 'S' });
  s.pass(200e9);
  assert.equal(s.tcp.connections, 0);
  assert.equal(s.clock.timers.length, 0);
  l.close(-1);
  assert.equal(s.memory.used, 0);
});

test('who may bind what', () => {
  const { tcp } = new Script();
  const open = (reuse = 0, v6 = false, uid = 0): TcpEndpoint => {
    const e = tcp.open(v6, undefined, uid);
    if (reuse & 1) e.setOption(abi.SOL_SOCKET, abi.SO_REUSEADDR, 1);
    if (reuse & 2) e.setOption(abi.SOL_SOCKET, abi.SO_REUSEPORT, 1);
    return e;
  };
  const a = open();
  assert.equal(a.bind(ADDRESS[0], 1000), 0);
  assert.equal(a.bind(ADDRESS[0], 1001), -abi.EINVAL);
  assert.equal(open().bind(ADDRESS[0], 1000), -abi.EADDRINUSE);
  assert.equal(open().bind(ANY_V4, 1000), -abi.EADDRINUSE);
  assert.equal(open(0, true).bind(ANY_V6, 1000), -abi.EADDRINUSE);
  assert.equal(open(1).bind(ADDRESS[0], 1000), -abi.EADDRINUSE, 'both have to allow it');
  assert.equal(open().bind(ipv4(0x7f000001), 1000), -abi.EADDRNOTAVAIL);
  const only6 = open(0, true);
  only6.setOption(abi.IPPROTO_IPV6, abi.IPV6_V6ONLY, 1);
  assert.equal(only6.bind(ANY_V6, 1000), 0);
  const b = open(1);
  const c = open(1);
  assert.equal(b.bind(ADDRESS[0], 2000), 0);
  assert.equal(c.bind(ADDRESS[0], 2000), 0);
  assert.equal(b.listen(1), 0);
  assert.equal(c.listen(1), -abi.EADDRINUSE, 'one listens already');
  assert.equal(open(1).bind(ADDRESS[0], 2000), -abi.EADDRINUSE);
  const d = open(2);
  assert.equal(d.bind(ADDRESS[0], 3000), 0);
  assert.equal(d.listen(1), 0);
  const e = open(2);
  assert.equal(e.bind(ADDRESS[0], 3000), 0);
  assert.equal(e.listen(1), 0);
  assert.equal(open(2, false, 7).bind(ADDRESS[0], 3000), -abi.EADDRINUSE, 'of another user');
  a.close(-1);
  assert.equal(open().bind(ADDRESS[0], 1000), 0);
  const f = open();
  assert.equal(f.bind(ADDRESS[0], 0), 0);
  assert.ok(f.local!.port >= 32768 && f.local!.port <= 60999);
});

test('ports run out with the errors of the calls', () => {
  const { tcp } = new Script();
  tcp.sysctl.ip_local_port_range = [40000, 40003];
  const all = [0, 1, 2, 3].map(() => tcp.open(false));
  for (const e of all) assert.equal(e.bind(ADDRESS[0], 0), 0);
  assert.equal(new Set(all.map((e) => e.local!.port)).size, 4);
  assert.equal(tcp.open(false).bind(ADDRESS[0], 0), -abi.EADDRINUSE);
  assert.equal(tcp.open(false).connect(ADDRESS[1], 1), -abi.EADDRNOTAVAIL);
  all[0]!.close(-1);
  const e = tcp.open(false);
  assert.equal(e.connect(ADDRESS[1], 1), -abi.EINPROGRESS);
  e.close(-1);
  assert.equal(tcp.connections, 0);
});

test('a port in TIME-WAIT: SO_REUSEADDR binds it, a newer SYN opens the connection again', () => {
  const pair = new Pair();
  const [a, b, listener] = pair.connected();
  b.close(-1);
  pair.pass(1e6);
  assert.equal(hear(a), '');
  const { port } = a.local!;
  a.close(-1);
  pair.pass(1e6);
  assert.equal(pair.tcp[1].timeWaits, 1);
  listener.close(-1);
  const again = pair.tcp[1].open(false);
  assert.equal(again.bind(ADDRESS[1], 80), -abi.EADDRINUSE);
  again.setOption(abi.SOL_SOCKET, abi.SO_REUSEADDR, 1);
  // Linux asks that both had the option.
  assert.equal(again.bind(ADDRESS[1], 80), -abi.EADDRINUSE);
  pair.pass(61e9);
  assert.equal(again.bind(ADDRESS[1], 80), 0);
  assert.equal(again.listen(3), 0);
  const c = pair.tcp[0].open(false);
  assert.equal(c.bind(ADDRESS[0], port), 0);
  assert.equal(c.connect(ADDRESS[1], 80), -abi.EINPROGRESS);
  pair.pass(1e6);
  const d = again.accept() as TcpEndpoint;
  d.close(-1);
  pair.pass(1e6);
  c.close(-1);
  pair.pass(2000e6);
  assert.equal(pair.tcp[1].timeWaits, 1);
  const e = pair.tcp[0].open(false);
  assert.equal(e.bind(ADDRESS[0], port), 0);
  assert.equal(e.connect(ADDRESS[1], 80), -abi.EINPROGRESS);
  pair.pass(1e6);
  assert.equal(e.state, abi.TCP_ESTABLISHED);
  assert.equal(pair.tcp[1].counters.TWRecycled, 1);
  assert.notEqual(typeof again.accept(), 'number');
});

test('a socket may connect again after it was refused', () => {
  const s = new Script();
  const e = s.tcp.open(false);
  for (let i = 0; i < 2; i++) {
    s.iss = null;
    assert.equal(e.connect(ADDRESS[1], PEER_PORT), -abi.EINPROGRESS);
    s.expect({ flags: 'S' });
    s.inject({ flags: 'RA', ack: 1 });
    assert.equal(e.connect(ADDRESS[1], PEER_PORT), -abi.ECONNREFUSED);
  }
  assert.equal(e.bind(ADDRESS[0], 4000), 0);
  s.iss = null;
  assert.equal(e.connect(ADDRESS[1], PEER_PORT), -abi.EINPROGRESS);
  s.expect({ flags: 'S' });
  assert.equal(s.ourPort, 4000);
  s.inject({ flags: 'SA', ack: 1 });
  assert.equal(e.connect(ADDRESS[1], PEER_PORT), 0);
});

test('connections that no socket has are bounded and charged', () => {
  const s = new Script();
  s.tcp.sysctl.tcp_max_orphans = 1;
  const reuse = (l: TcpEndpoint): void => void l.setOption(abi.SOL_SOCKET, abi.SO_REUSEADDR, 1);
  const a = s.accepted({}, reuse);
  a.close(-1);
  s.expect({ flags: 'FA' });
  assert.equal(s.tcp.orphans, 1);
  assert.equal(s.memory.used, 4096);
  s.peerPort++;
  s.iss = null;
  const b = s.accepted({}, reuse);
  b.close(-1);
  s.expect({ flags: 'FA' });
  s.expect({ flags: 'RA' });
  assert.equal(b.state, abi.TCP_CLOSE);
  assert.equal(s.tcp.connections, 1);
  s.pass(2000e9);
  assert.equal(s.tcp.orphans, 0);
  assert.equal(s.memory.used, 0);
});

test('SO_LINGER: the owner hears when all is sent, or when the time is over', () => {
  for (const lost of [false, true]) {
    const pair = new Pair({ delayNs: 1e6 });
    const [a] = pair.connected();
    let events = 0;
    a.owner = {
      endpointReady(e) {
        events |= e;
      },
    };
    say(a, 'last words');
    if (lost) pair.link.lose = () => true;
    events = 0;
    a.close(2e9);
    assert.equal(events & abi.POLLHUP, 0);
    pair.pass(1e9);
    assert.equal(events & abi.POLLHUP, lost ? 0 : abi.POLLHUP);
    pair.pass(2e9);
    assert.equal(events & abi.POLLHUP, abi.POLLHUP);
    assert.equal(a.owner, null);
  }
});

test('options: values and errors', () => {
  const { tcp } = new Script();
  const e = tcp.open(false);
  const set = (level: number, name: number, value: number): number => e.setOption(level, name, value);
  const get = (level: number, name: number): number => e.getOption(level, name) || e.optionValue;
  assert.equal(get(abi.SOL_SOCKET, abi.SO_RCVBUF), 131072);
  assert.equal(get(abi.SOL_SOCKET, abi.SO_SNDBUF), 16384);
  assert.equal(set(abi.SOL_SOCKET, abi.SO_RCVBUF, 1), 0);
  assert.equal(get(abi.SOL_SOCKET, abi.SO_RCVBUF), 2304);
  assert.equal(set(abi.SOL_SOCKET, abi.SO_SNDBUF, 10_000), 0);
  assert.equal(get(abi.SOL_SOCKET, abi.SO_SNDBUF), 20_000);
  assert.equal(set(abi.SOL_SOCKET, abi.SO_SNDBUF, 1 << 30), 0);
  assert.equal(get(abi.SOL_SOCKET, abi.SO_SNDBUF), 425984);
  assert.equal(set(abi.IPPROTO_TCP, abi.TCP_MAXSEG, 10), -abi.EINVAL);
  assert.equal(set(abi.IPPROTO_TCP, abi.TCP_KEEPIDLE, 0), -abi.EINVAL);
  assert.equal(set(abi.IPPROTO_TCP, abi.TCP_KEEPCNT, 128), -abi.EINVAL);
  assert.equal(set(abi.IPPROTO_TCP, abi.TCP_USER_TIMEOUT, -1), -abi.EINVAL);
  assert.equal(set(abi.IPPROTO_TCP, 9999, 1), -abi.ENOPROTOOPT);
  assert.equal(set(abi.IPPROTO_IPV6, abi.IPV6_V6ONLY, 1), -abi.ENOPROTOOPT);
  assert.equal(get(abi.IPPROTO_TCP, abi.TCP_KEEPIDLE), 7200);
  assert.equal(get(abi.IPPROTO_IP, abi.IP_MTU), -abi.ENOTCONN);
  e.congestion = 'reno';
  assert.equal(e.congestion, 'reno');
  const view = new DataView(new ArrayBuffer(abi.SIZEOF_TCP_INFO));
  assert.equal(e.info(view), abi.SIZEOF_TCP_INFO);
  assert.equal(view.getUint8(0), abi.TCP_CLOSE);
});
