// Fast Open (RFC 7413): cookies, data in SYNs, and what becomes of it when the server, the path or an attacker is against it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EINPROGRESS, EOPNOTSUPP } from '../../abi/errno.ts';
import { IPPROTO_TCP } from '../../abi/net/in.ts';
import {
  TCP_CLOSE,
  TCP_ESTABLISHED,
  TCP_FASTOPEN,
  TCP_FASTOPEN_CONNECT,
  TCP_FASTOPEN_NO_COOKIE,
  TCP_SYN_RECV,
} from '../../abi/net/tcp.ts';
import { parseAddress } from '../address.ts';
import type { Packet } from '../packet.ts';
import type { TcpEndpoint } from './endpoint.ts';
import { makeCookie } from './fastopen.ts';
import { ADDRESS, Bytes, hear, Pair, say } from './pair.test.helper.ts';

const PORT = 80;

function world(queue = 8): [Pair, TcpEndpoint] {
  const pair = new Pair({ delayNs: 10e6 });
  for (const tcp of pair.tcp) tcp.sysctl.tcp_fastopen = 3;
  const listener = pair.tcp[1].open(false);
  assert.equal(listener.bind(ADDRESS[1], PORT), 0);
  assert.equal(listener.setOption(IPPROTO_TCP, TCP_FASTOPEN, queue), 0);
  assert.equal(listener.listen(16), 0);
  return [pair, listener];
}

function open(pair: Pair, text: string): [TcpEndpoint, number] {
  const client = pair.tcp[0].open(false);
  return [client, client.fastConnect(ADDRESS[1], PORT, new Bytes(Buffer.from(text)))];
}

function accepted(listener: TcpEndpoint): TcpEndpoint {
  const server = listener.accept();
  assert.ok(typeof server !== 'number', `accept: ${server}`);
  return server as TcpEndpoint;
}

/** The client gets a cookie in a connection of its own. */
function learn(pair: Pair, listener: TcpEndpoint): void {
  const [client, taken] = open(pair, 'x');
  // Section 4.2.1: without a cookie no data goes, and one is asked for.
  assert.equal(taken, 0);
  pair.pass(1e9);
  assert.equal(client.state, TCP_ESTABLISHED);
  client.close(-1);
  accepted(listener).close(-1);
  pair.pass(1e9);
}

function end(pair: Pair, ...all: TcpEndpoint[]): void {
  for (const one of all) one.close(-1);
  pair.pass(200e9);
  assert.equal(pair.timers, 0, 'timers are left');
  // What is kept of servers stays.
  assert.equal(pair.memory[0].used, 256);
  assert.equal(pair.memory[1].used, 0);
  assert.equal(pair.tcp[0].connections + pair.tcp[1].connections, 0);
}

test('a cookie first, then data with the SYN and an answer before the handshake is over', () => {
  const [pair, listener] = world();
  learn(pair, listener);
  assert.equal(pair.tcp[1].counters.TCPFastOpenCookieReqd, 1);
  const [client, taken] = open(pair, 'question');
  assert.equal(taken, 8);
  pair.pass(11e6);
  const server = accepted(listener);
  assert.equal(server.state, TCP_SYN_RECV);
  assert.equal(hear(server), 'question');
  assert.equal(say(server, 'answer'), 6);
  // One round trip after the SYN: the answer is there.
  pair.pass(10e6);
  assert.equal(client.state, TCP_ESTABLISHED);
  assert.equal(hear(client), 'answer');
  pair.pass(1e9);
  assert.equal(server.state, TCP_ESTABLISHED);
  assert.equal(pair.tcp[1].counters.TCPFastOpenPassive, 1);
  assert.equal(pair.tcp[0].counters.TCPFastOpenActive, 1);
  assert.equal(pair.tcp[0].counters.RetransSegs + pair.tcp[1].counters.RetransSegs, 0);
  assert.equal(say(client, 'more'), 4);
  pair.pass(1e9);
  assert.equal(hear(server), 'more');
  end(pair, client, server, listener);
});

test('a server that has other keys by now: the data comes again, once, and so does a cookie', () => {
  const [pair, listener] = world();
  learn(pair, listener);
  listener.setFastOpenKeys(new Uint8Array(16).fill(7));
  const [client, taken] = open(pair, 'question');
  assert.equal(taken, 8);
  pair.pass(1e9);
  const server = accepted(listener);
  assert.equal(hear(server), 'question');
  assert.equal(pair.tcp[1].counters.TCPFastOpenPassiveFail, 1);
  assert.equal(pair.tcp[0].counters.TCPFastOpenActiveFail, 1);
  const [again, more] = open(pair, 'once more');
  assert.equal(more, 9);
  pair.pass(15e6);
  const second = accepted(listener);
  assert.equal(hear(second), 'once more');
  assert.equal(pair.tcp[1].counters.TCPFastOpenPassive, 1);
  end(pair, client, server, again, second, listener);
});

test('a second key: cookies of the first are taken, and answered with one of the new', () => {
  const [pair, listener] = world();
  const old = new Uint8Array(16).fill(1);
  listener.setFastOpenKeys(old);
  learn(pair, listener);
  const both = new Uint8Array(32);
  both.fill(2, 0, 16);
  both.set(old, 16);
  listener.setFastOpenKeys(both);
  for (const alt of [1, 1]) {
    const [client, taken] = open(pair, 'data');
    assert.equal(taken, 4);
    pair.pass(1e9);
    const server = accepted(listener);
    assert.equal(hear(server), 'data');
    assert.equal(pair.tcp[1].counters.TCPFastOpenPassiveAltKey, alt);
    client.close(-1);
    server.close(-1);
    pair.pass(1e9);
  }
  assert.equal(pair.tcp[1].counters.TCPFastOpenPassive, 2);
  end(pair, listener);
});

test('no more than the queue has room for; one that is reset keeps its place for a minute (section 5.1)', () => {
  const [pair, listener] = world(2);
  learn(pair, listener);
  // The clients' third segments are lost, so their connections stay half open.
  const third = (p: Packet, from: number): boolean => from === 0 && (p.view.getUint8(p.l4 + 13) & 2) === 0;
  pair.link.lose = third;
  const clients = [0, 1, 2].map((i) => open(pair, `data ${i}`)[0]);
  pair.pass(50e6);
  assert.equal(pair.tcp[1].counters.TCPFastOpenPassive, 2);
  assert.equal(pair.tcp[1].counters.TCPFastOpenListenOverflow, 1);
  const servers = [accepted(listener), accepted(listener)];
  assert.deepEqual(servers.map((s) => hear(s)).sort(), ['data 0', 'data 1']);
  delete pair.link.lose;
  for (const client of clients) client.close(0);
  pair.pass(50e6);
  assert.deepEqual(
    servers.map((s) => s.state),
    [TCP_CLOSE, TCP_CLOSE],
  );
  const [late] = open(pair, 'late');
  pair.pass(50e6);
  assert.equal(pair.tcp[1].counters.TCPFastOpenListenOverflow, 2);
  pair.pass(61e9);
  const [later] = open(pair, 'later');
  pair.pass(50e6);
  assert.equal(pair.tcp[1].counters.TCPFastOpenPassive, 3);
  end(pair, late, later, ...servers, accepted(listener), accepted(listener), listener);
});

test('a path that drops SYNs with data: a plain one goes next, and the data after it', () => {
  const [pair, listener] = world();
  learn(pair, listener);
  pair.link.lose = (p, from) => from === 0 && p.length > 0 && (p.view.getUint8(p.l4 + 13) & 2) !== 0;
  const [client, taken] = open(pair, 'question');
  assert.equal(taken, 8);
  pair.pass(2e9);
  const server = accepted(listener);
  assert.equal(hear(server), 'question');
  assert.equal(pair.tcp[0].counters.TCPFastOpenActiveFail, 1);
  end(pair, client, server, listener);
});

test('a SYN|ACK that is lost comes again, with what the server has sent, and nothing is read twice', () => {
  const [pair, listener] = world();
  learn(pair, listener);
  let lost = 0;
  pair.link.lose = (_p, from) => from === 1 && lost++ < 2;
  const [client] = open(pair, 'question');
  pair.pass(15e6);
  const server = accepted(listener);
  assert.equal(hear(server), 'question');
  assert.equal(say(server, 'answer'), 6);
  pair.pass(10e9);
  assert.equal(hear(client), 'answer');
  assert.equal(hear(server), -11);
  assert.equal(server.state, TCP_ESTABLISHED);
  end(pair, client, server, listener);
});

test('a server that closes before the handshake is over', () => {
  const [pair, listener] = world();
  learn(pair, listener);
  const [client] = open(pair, 'question');
  pair.pass(11e6);
  const server = accepted(listener);
  assert.equal(hear(server), 'question');
  say(server, 'bye');
  server.close(-1);
  pair.pass(1e9);
  assert.equal(hear(client), 'bye');
  assert.equal(hear(client), '');
  end(pair, client, listener);
});

test('more data than a SYN has room for: the rest is the next send', () => {
  const [pair, listener] = world();
  learn(pair, listener);
  const [client, taken] = open(pair, 'x'.repeat(5000));
  // The MSS without room for options.
  assert.equal(taken, 1460 - 40);
  pair.pass(1e9);
  const server = accepted(listener);
  assert.equal(String(hear(server)).length, 1420);
  end(pair, client, server, listener);
});

test('switched off, without cookies, and put off until the first send', () => {
  const [pair, listener] = world();
  pair.tcp[0].sysctl.tcp_fastopen = 2;
  assert.equal(open(pair, 'x')[1], -EOPNOTSUPP);
  const off = pair.tcp[0].open(false);
  assert.equal(off.setOption(IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), -EOPNOTSUPP);
  pair.tcp[0].sysctl.tcp_fastopen = 3;
  assert.equal(off.setOption(IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1), 0);
  // Nothing is known of the server: the handshake begins at once, and asks.
  assert.equal(off.defers(ADDRESS[1]), false);
  assert.equal(off.connect(ADDRESS[1], PORT), -EINPROGRESS);
  pair.pass(1e9);
  off.close(-1);
  accepted(listener).close(-1);
  pair.pass(1e9);
  const on = pair.tcp[0].open(false);
  on.setOption(IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
  assert.equal(on.defers(ADDRESS[1]), true);
  assert.equal(on.fastConnect(ADDRESS[1], PORT, new Bytes(Buffer.from('first'))), 5);
  pair.pass(15e6);
  const server = accepted(listener);
  assert.equal(hear(server), 'first');
  // A client that trusts the path, and a server that does not ask for cookies.
  listener.setOption(IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1);
  const bold = pair.tcp[0].open(false);
  bold.setOption(IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1);
  assert.equal(bold.fastConnect(ADDRESS[1], PORT, new Bytes(Buffer.from('bold'))), 4);
  pair.pass(15e6);
  const third = accepted(listener);
  assert.equal(hear(third), 'bold');
  end(pair, on, server, bold, third, listener);
});

test('cookies are the addresses under the key, and differ in each of them', () => {
  const key = Uint8Array.from({ length: 16 }, (_, i) => i);
  const all = ['10.0.0.1', '10.0.0.2', 'fd00::1', 'fd00::2'].map((text) => parseAddress(text)!);
  const seen = new Set<string>();
  for (const [a, b] of [
    [0, 1],
    [1, 0],
    [2, 3],
    [3, 2],
  ] as const)
    seen.add(Buffer.from(makeCookie(all[a]!, all[b]!, key, 0)).toString('hex'));
  assert.equal(seen.size, 4);
  assert.ok([...seen].every((hex) => hex.length === 16));
});
