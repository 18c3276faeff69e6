// The network layer as its neighbours see it: what comes in, whole, broken, or by night; and what it says of that.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ECONNREFUSED, EHOSTUNREACH, EMSGSIZE, ENETUNREACH } from '../../abi/errno.ts';
import { IFA_F_TENTATIVE } from '../../abi/net/if_addr.ts';
import { IP_RECVERR, IP_TTL, IPPROTO_ICMP, IPPROTO_IP } from '../../abi/net/in.ts';
import { NUD_FAILED, NUD_REACHABLE, NUD_STALE } from '../../abi/net/neighbour.ts';
import { RTN_UNREACHABLE } from '../../abi/net/rtnetlink.ts';
import { ANY_V4, ANY_V6, LOOPBACK_V4, parseAddress } from '../address.ts';
import { channelPair } from '../link/channel.ts';
import { ImpairedDevice, Impairment } from '../link/impair.ts';
import { Packet } from '../packet.ts';
import type { Stack } from '../stack.ts';
import {
  addEthernet,
  CountedMemory,
  clearTables,
  HandClock,
  newPair,
  newStack,
  pattern,
  receiveBytes,
  SeededRandom,
  sendBytes,
} from '../testing.test.helper.ts';
import { putIpv4 } from '../wire/ipv4.ts';
import { Route, Rule } from './routes.ts';
import { eui64Address } from './slaac.ts';

const ADDR = (text: string): NonNullable<ReturnType<typeof parseAddress>> => parseAddress(text)!;

function flow(
  dst: string,
  src = dst.includes(':') ? ANY_V6 : ANY_V4,
  mark = 0,
): Parameters<Stack['route']>[0] {
  return { src, dst: ADDR(dst), ifindex: 0, tos: 0, mark, uid: 0 };
}

function frame(stack: Stack, bytes: Uint8Array): void {
  const link = stack.linkByName('eth0')!;
  const packet = new Packet(bytes, 0);
  packet.sum = 0;
  link.deliver(packet);
}

/** An Ethernet frame to eth0 of the second stack of a pair. */
function ethernet(type: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(14 + payload.length);
  bytes.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, type >>> 8, type & 255]);
  bytes.set(payload, 14);
  return bytes;
}

test('random frames, and valid ones with random bytes in them, never throw; memory is given back', () => {
  const clock = new HandClock();
  const memory = new CountedMemory();
  const stack = newStack(clock, 3, memory);
  const [left] = channelPair(clock, clock);
  addEthernet(stack, 'eth0', left, 2, ['10.0.0.2/24', 'fd00::2/64']);
  stack.sysctl.ipForward = true;
  const raw = stack.raw.open(false, IPPROTO_ICMP);
  const echo = ethernet(0x800, new Uint8Array(64));
  putIpv4(new DataView(echo.buffer), 14, ADDR('10.0.0.1'), ADDR('10.0.0.2'), 1, 64, 9, 0, 1, 0);
  const ndp = ethernet(0x86dd, new Uint8Array(100));
  ndp.set([0x60, 0, 0, 0, 0, 60, 58, 255], 14);
  ndp.set([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 22);
  ndp.set([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2], 38);
  fc.assert(
    fc.property(
      fc.constantFrom(null, echo, ndp),
      fc.constantFrom(0x800, 0x86dd, 0x806),
      fc.uint8Array({ maxLength: 200 }),
      fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { maxLength: 6 }),
      (base, type, payload, changes) => {
        const bytes = base === null ? ethernet(type, payload) : base.slice();
        for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
        // Checksums that are taken on trust, so that what is behind them is read.
        const packet = new Packet(bytes, 0);
        packet.sum = 1;
        stack.linkByName('eth0')!.deliver(packet);
        if (base === echo) {
          const fixed = bytes.slice();
          new DataView(fixed.buffer).setUint16(24, 0);
          frame(stack, fixed);
        }
        clock.advance(1e6);
      },
    ),
    { numRuns: 3000 },
  );
  raw.close();
  clock.advance(700e9);
  clearTables(stack);
  assert.equal(memory.used, 0);
});

test('overlapping fragments are dropped with all of their datagram, and bytes stay within bounds', () => {
  const clock = new HandClock();
  const memory = new CountedMemory();
  const stack = newStack(clock, 3, memory);
  const [left] = channelPair(clock, clock);
  addEthernet(stack, 'eth0', left, 2, ['10.0.0.2/24']);
  const piece = (id: number, from: number, length: number, more: boolean): void => {
    const bytes = ethernet(0x800, new Uint8Array(20 + length));
    const word = (more ? 0x2000 : 0) | (from / 8);
    putIpv4(
      new DataView(bytes.buffer),
      14,
      ADDR('10.0.0.1'),
      ADDR('10.0.0.2'),
      17,
      20 + length,
      9,
      0,
      id,
      word,
    );
    frame(stack, bytes);
  };
  piece(1, 0, 16, true);
  piece(1, 8, 16, true);
  piece(1, 16, 8, false);
  assert.equal(stack.counters.ip.ReasmOKs, 0);
  piece(2, 16, 8, false);
  piece(2, 0, 16, true);
  piece(2, 0, 16, true);
  assert.equal(stack.counters.ip.ReasmOKs, 1);
  for (let id = 10; id < 30000; id++) piece(id, 0, 1400, true);
  assert.ok(stack.reassembly4.bytes <= stack.sysctl.ipfragHighBytes);
  assert.ok(memory.used > stack.sysctl.ipfragHighBytes / 2, 'nothing was charged');
  clock.advance(40e9);
  clearTables(stack);
  assert.deepEqual([stack.reassembly4.waiting, stack.reassembly4.bytes, memory.used], [0, 0, 0]);
});

test('echoes, over IPv4 and IPv6', () => {
  const clock = new HandClock();
  const [a] = newPair(clock);
  for (const to of ['10.0.0.2', 'fd00::2', '127.0.0.1', '::1']) {
    const v6 = to.includes(':');
    const ping = a.ping.open(v6);
    const echo = pattern(1000);
    echo.set([v6 ? 128 : 8, 0, 0, 0, 0, 0, 0, 9]);
    assert.equal(sendBytes(ping, echo, to), 1000);
    clock.advance(1e6);
    const reply = receiveBytes(ping);
    assert.ok(typeof reply !== 'number', to);
    assert.equal(reply.bytes[0], v6 ? 129 : 0);
    assert.deepEqual(reply.bytes.subarray(8), echo.subarray(8));
    assert.equal(`${reply.info.address}`, to);
    ping.close();
  }
});

test('a router between two nets: TTL, too large packets, no route, and path MTU', () => {
  const clock = new HandClock();
  const [a, router, b] = [newStack(clock, 1), newStack(clock, 2), newStack(clock, 3)];
  const [a0, r0] = channelPair(clock, clock);
  const [b0, r1] = channelPair(clock, clock);
  const la = addEthernet(a, 'eth0', a0, 1, ['10.1.0.2/24', 'fd01::2/64']);
  addEthernet(router, 'eth0', r0, 2, ['10.1.0.1/24', 'fd01::1/64']);
  const far = addEthernet(router, 'eth1', r1, 3, ['10.2.0.1/24', 'fd02::1/64']);
  const lb = addEthernet(b, 'eth0', b0, 4, ['10.2.0.2/24', 'fd02::2/64']);
  router.sysctl.ipForward = true;
  router.sysctl.ip6Forwarding = true;
  far.mtu = 1400;
  for (const [stack, link, net] of [
    [a, la, 1],
    [b, lb, 2],
  ] as const)
    for (const [dst, gateway] of [
      ['0.0.0.0', `10.${net}.0.1`],
      ['::', `fd0${net}::1`],
    ] as const) {
      const route = new Route(ADDR(dst), 0, link.ifindex);
      route.gateway = ADDR(gateway);
      assert.equal(stack.routes.add(route), 0);
    }
  clock.advance(3e9);
  for (const [v6, to] of [
    [false, '10.2.0.2'],
    [true, 'fd02::2'],
  ] as const) {
    const server = b.udp.open(v6);
    server.bind(v6 ? ANY_V6 : ANY_V4, 5000);
    const client = a.udp.open(v6);
    client.setOption(v6 ? 41 : IPPROTO_IP, v6 ? 25 : IP_RECVERR, 1);
    assert.equal(client.connect(ADDR(to), 5000), 0);
    sendBytes(client, pattern(100));
    clock.advance(1e6);
    assert.ok(typeof receiveBytes(server) !== 'number', to);
    // 1472 bytes fit the first link alone.
    const most = v6 ? 1452 : 1472;
    assert.equal(sendBytes(client, pattern(most)), most);
    clock.advance(1e6);
    assert.equal(client.takeError(), EMSGSIZE);
    const told = receiveBytes(client, 0x2000);
    assert.ok(typeof told !== 'number');
    assert.equal(told.info.info, 1400);
    assert.equal((a.route(flow(to)) as { mtu: number }).mtu, 1400);
    client.takeError();
    // Now it knows, and sends fragments.
    assert.equal(sendBytes(client, pattern(most)), most);
    clock.advance(1e6);
    const whole = receiveBytes(server);
    assert.ok(typeof whole !== 'number');
    assert.deepEqual(whole.bytes, pattern(most));
    client.setOption(v6 ? 41 : IPPROTO_IP, v6 ? 16 : IP_TTL, 1);
    sendBytes(client, pattern(1));
    clock.advance(1e6);
    assert.equal(client.takeError(), EHOSTUNREACH);
    client.close();
    const lost = a.udp.open(v6);
    lost.setOption(v6 ? 41 : IPPROTO_IP, v6 ? 25 : IP_RECVERR, 1);
    sendBytes(lost, pattern(1), v6 ? 'fd99::1' : '10.99.0.1', 1);
    clock.advance(1e6);
    assert.equal(lost.takeError(), ENETUNREACH);
    lost.close();
    server.close();
  }
  clock.advance(700e9);
  assert.equal((a.route(flow('10.2.0.2')) as { mtu: number }).mtu, 1500);
});

test('errors are never about errors, and are limited', () => {
  const clock = new HandClock();
  const [a, b] = newPair(clock);
  const e = a.udp.open(false);
  sendBytes(e, pattern(1), '10.0.0.2', 9);
  clock.advance(1e9);
  for (let i = 0; i < 1000; i++) {
    sendBytes(e, pattern(1), '10.0.0.2', 9);
    clock.settle();
  }
  const { icmp } = b.counters;
  assert.ok(icmp.outType[3]! >= 5 && icmp.outType[3]! <= 10, `${icmp.outType[3]} sent`);
  assert.equal(icmp.outType[3]! + icmp.OutRateLimited, 1001);
});

test('neighbours go through their states', () => {
  const clock = new HandClock();
  const [a, b] = newPair(clock);
  const e = a.udp.open(false);
  sendBytes(e, pattern(1), '10.0.0.2', 9);
  clock.advance(1e6);
  const n = a.neighbours.find(2, ADDR('10.0.0.2'))!;
  assert.equal(n.state, NUD_REACHABLE);
  clock.advance(60e9);
  assert.equal(n.state, NUD_STALE);
  sendBytes(e, pattern(1), '10.0.0.2', 9);
  clock.advance(7e9);
  assert.equal(n.state, NUD_REACHABLE);
  b.setUp(b.linkByName('eth0')!, false);
  clock.advance(60e9);
  sendBytes(e, pattern(1), '10.0.0.2', 9);
  clock.advance(20e9);
  assert.equal(n.state, NUD_FAILED);
  // As many as one likes can be asked for; they are not all kept.
  for (let i = 0; i < 5000; i++) sendBytes(e, pattern(1), `10.0.0.${i % 250}`, 9);
  for (let i = 0; i < 65_000; i += 13)
    a.neighbours.get(a.linkByName('eth0')!, ADDR(`10.1.${i >>> 8}.${i & 255}`));
  assert.ok(a.neighbours.count <= a.sysctl.neighMost);
});

test('routes: longest prefix, metric, rules, unreachable', () => {
  const stack = newStack(new HandClock());
  const [left] = channelPair(stack.clock, stack.clock);
  const link = addEthernet(stack, 'eth0', left, 1, ['10.0.0.1/24', '10.0.1.1/24']);
  const add = (dst: string, bits: number, gateway: string, metric = 0, table = 254): void => {
    const route = new Route(ADDR(dst), bits, link.ifindex, 1, table);
    route.gateway = ADDR(gateway);
    route.metric = metric;
    assert.equal(stack.routes.add(route), 0);
  };
  const hop = (dst: string, mark = 0): string | number => {
    const path = stack.route(flow(dst, ANY_V4, mark));
    return typeof path === 'number' ? path : `${path.nextHop} from ${path.src}`;
  };
  assert.equal(hop('8.8.8.8'), -ENETUNREACH);
  add('0.0.0.0', 0, '10.0.0.254', 100);
  add('0.0.0.0', 0, '10.0.1.254', 50);
  add('8.0.0.0', 8, '10.0.0.8');
  add('0.0.0.0', 0, '10.0.0.77', 0, 100);
  assert.equal(hop('9.9.9.9'), '10.0.1.254 from 10.0.1.1');
  assert.equal(hop('8.8.8.8'), '10.0.0.8 from 10.0.0.1');
  assert.equal(hop('10.0.1.9'), '10.0.1.9 from 10.0.1.1');
  const rule = new Rule(100, true, 100);
  rule.mark = 7;
  rule.markMask = 0xff;
  stack.routes.addRule(rule);
  assert.equal(hop('9.9.9.9', 7), '10.0.0.77 from 10.0.0.1');
  assert.equal(stack.routes.add(new Route(ADDR('9.0.0.0'), 8, 0, RTN_UNREACHABLE)), 0);
  assert.equal(hop('9.9.9.9'), -EHOSTUNREACH);
  stack.setUp(link, false);
  assert.equal(hop('8.8.8.8'), -ENETUNREACH);
});

test('addresses and routes that a router advertises come and go, and no timer is left', () => {
  const clock = new HandClock();
  const stack = newStack(clock, 9);
  const [left, right] = channelPair(clock, clock);
  const link = addEthernet(stack, 'eth0', left, 5, []);
  const own = stack.addresses.all.find((a) => a.address.isLinkLocal)!;
  assert.equal(own.flags & IFA_F_TENTATIVE, IFA_F_TENTATIVE);
  clock.advance(2e9);
  assert.equal(`${stack.addresses.linkLocal(link.ifindex)?.address}`, 'fe80::ff:fe00:5');
  // A router says (RFC 4861, section 4.2): hop limit 33, 1800 s; prefix fd12::/64 for 7200 and 3600 s, and an MTU of 1400.
  const router = newStack(clock, 10);
  const there = addEthernet(router, 'eth0', right, 6, []);
  clock.advance(2e9);
  const raw = router.raw.open(true, 58);
  raw.setOption(41, 18, 255);
  raw.setOption(41, 17, there.ifindex);
  const advertise = (lifeS: number, validS: number): void => {
    const bytes = new Uint8Array(16 + 32 + 8);
    const view = new DataView(bytes.buffer);
    bytes[0] = 134;
    bytes[4] = 33;
    view.setUint16(6, lifeS);
    bytes.set([3, 4, 64, 0xc0], 16);
    view.setUint32(20, validS);
    view.setUint32(24, validS / 2);
    ADDR('fd12::').put16(view, 32);
    bytes.set([5, 1], 48);
    view.setUint32(52, 1400);
    assert.equal(sendBytes(raw, bytes, 'ff02::1'), bytes.length);
    clock.advance(2e9);
  };
  advertise(1800, 7200);
  assert.ok(stack.addresses.isLocal(ADDR('fd12::ff:fe00:5')));
  assert.deepEqual([stack.sysctl.hopLimit, link.mtu], [33, 1400]);
  const path = stack.route(flow('2001:db8::1'));
  assert.ok(typeof path !== 'number');
  assert.equal(`${path.nextHop} ${path.src}`, 'fe80::ff:fe00:6 fd12::ff:fe00:5');
  clock.advance(1800e9);
  assert.equal(stack.route(flow('2001:db8::1')), -ENETUNREACH);
  clock.advance(6000e9);
  assert.ok(!stack.addresses.isLocal(ADDR('fd12::ff:fe00:5')));
  assert.equal(stack.route(flow('fd12::1')), -ENETUNREACH);
  assert.equal(clock.timers.length, 0);
});

test('a duplicate address is found, and not used', () => {
  const clock = new HandClock();
  const [first, second] = [newStack(clock, 9), newStack(clock, 10)];
  const [left, right] = channelPair(clock, clock);
  addEthernet(first, 'eth0', left, 5, []);
  clock.advance(2e9);
  addEthernet(second, 'eth0', right, 5, []);
  clock.advance(3e9);
  assert.ok(first.addresses.linkLocal(2) !== undefined);
  assert.equal(second.addresses.linkLocal(2), undefined);
  assert.equal(eui64Address(ADDR('fd12::'), second.link(2)!.address).toString(), 'fd12::ff:fe00:5');
});

test('what a bad wire does: lost, doubled, spoilt and late packets leave right ones or none', () => {
  const clock = new HandClock();
  const [a, b] = [newStack(clock, 1), newStack(clock, 2)];
  const [left, right] = channelPair(clock, clock);
  const bad = new Impairment();
  Object.assign(bad, {
    loss: 0.1,
    duplicate: 0.1,
    corrupt: 0.1,
    reorder: 0.1,
    delayNs: 5e6,
    jitterNs: 5e6,
    rate: 1e8,
  });
  const device = new ImpairedDevice(left, clock, new SeededRandom(77), bad, new Impairment());
  addEthernet(a, 'eth0', device, 1, ['10.0.0.1/24']);
  addEthernet(b, 'eth0', right, 2, ['10.0.0.2/24']);
  const server = b.udp.open(false);
  server.bind(ANY_V4, 5000);
  const client = a.udp.open(false);
  let heard = 0;
  for (let i = 0; i < 500; i++) {
    sendBytes(client, pattern(100 + i * 3, i), '10.0.0.2', 5000);
    clock.advance(20e6);
    for (;;) {
      const r = receiveBytes(server);
      if (typeof r === 'number') break;
      heard++;
      assert.deepEqual(r.bytes, pattern(r.bytes.length, (r.bytes.length - 100) / 3));
    }
  }
  assert.ok(heard > 350 && heard < 520, `${heard} heard`);
  assert.ok(b.counters.udp.InCsumErrors + b.counters.ip.InHdrErrors > 10);
});

test('raw endpoints get copies, with the header of IPv4, and send with IP_HDRINCL', () => {
  const stack = newStack(new HandClock());
  const listener = stack.raw.open(false, 17);
  const server = stack.udp.open(false);
  server.bind(LOOPBACK_V4, 5000);
  const client = stack.udp.open(false);
  sendBytes(client, pattern(10), '127.0.0.1', 5000);
  const r = receiveBytes(listener);
  assert.ok(typeof r !== 'number');
  assert.deepEqual([r.bytes.length, r.bytes[0], r.bytes[9]], [38, 0x45, 17]);
  assert.ok(typeof receiveBytes(server) !== 'number');
  // The same packet once more, written by ourselves.
  const raw = stack.raw.open(false, 255);
  const again = r.bytes.slice();
  again.fill(0, 26, 28);
  assert.equal(sendBytes(raw, again, '127.0.0.1'), 38);
  const back = receiveBytes(server);
  assert.ok(typeof back !== 'number');
  assert.deepEqual(back.bytes, pattern(10));
  // Nobody has protocol 99: unless a raw endpoint does, ICMP says so.
  const other = stack.raw.open(false, 99);
  other.connect(LOOPBACK_V4, 0);
  sendBytes(other, pattern(5));
  assert.ok(typeof receiveBytes(other) !== 'number');
  assert.equal(stack.counters.ip.InUnknownProtos, 0);
  assert.notEqual(other.takeError(), ECONNREFUSED);
});
