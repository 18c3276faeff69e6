// Streams between two stacks over links that lose, double, delay and reorder: all bytes arrive once and in order, both ends close,
// and nothing is left behind.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SHUT_WR } from '../../abi/net/socket.ts';
import type { TcpEndpoint } from './endpoint.ts';
import type { LinkOptions } from './pair.test.helper.ts';
import { Bytes, hear, Pair, pattern, say } from './pair.test.helper.ts';

/** Sends `there` and `back`, closes both, and looks at what is left. */
function exchange(link: LinkOptions, there: number, back: number, limitS = 3600): Pair {
  const pair = new Pair(link);
  const [a, b, listener] = pair.connected();
  const ends = [
    { end: a, out: new Bytes(pattern(there, 1)), got: new Bytes(back + 1), eof: false, shut: false },
    { end: b, out: new Bytes(pattern(back, 2)), got: new Bytes(there + 1), eof: false, shut: false },
  ];
  const step = (): void => {
    for (const one of ends) {
      while (one.out.remaining > 0 && one.end.send(one.out, 0) > 0);
      if (one.out.remaining === 0 && !one.shut) {
        one.shut = true;
        assert.equal(one.end.shutdown(SHUT_WR), 0);
      }
      if (!one.eof) {
        let n = 1;
        while (n > 0) n = one.end.receive(one.got, 0, 0);
        if (n === 0 && one.got.remaining > 0) one.eof = true;
        else assert.ok(n === -11, `receive: ${n}`);
      }
    }
  };
  const end = pair.clock.nowNs + limitS * 1e9;
  assert.ok(
    pair.until(() => ends.every((one) => one.eof), end, step),
    `not all arrived: ${ends.map((one) => `${one.got.at} of ${one.got.data.length - 1}, ${dump(one.end)}`).join('; ')}`,
  );
  assert.deepEqual(Buffer.from(ends[1]!.got.data.subarray(0, there)), Buffer.from(pattern(there, 1)));
  assert.deepEqual(Buffer.from(ends[0]!.got.data.subarray(0, back)), Buffer.from(pattern(back, 2)));
  a.close(-1);
  b.close(-1);
  listener.close(-1);
  pair.pass(2000e9);
  assert.equal(pair.timers, 0, 'timers are left');
  assert.equal(pair.memory[0].used, 0);
  assert.equal(pair.memory[1].used, 0);
  assert.equal(pair.tcp[0].connections + pair.tcp[1].connections, 0);
  return pair;
}

function dump(e: TcpEndpoint): string {
  const t = e.tcb;
  return `state ${t.state} una ${t.una - t.iss} nxt ${t.nxt - t.iss} end ${t.sendEnd - t.iss} wnd ${t.wnd} cwnd ${t.cong.cwnd} mode ${t.mode} ca ${t.caState} pipe ${t.pipe}`;
}

test('text goes both ways, and a closed connection leaves nothing', () => {
  const pair = new Pair();
  const [a, b, listener] = pair.connected();
  assert.equal(say(a, 'hello'), 5);
  pair.pass(1e9);
  assert.equal(hear(b), 'hello');
  assert.equal(say(b, 'world'), 5);
  pair.pass(1e9);
  assert.equal(hear(a), 'world');
  assert.equal(hear(a), -11);
  assert.equal(pair.timers, 0, 'an idle connection has no timer');
  a.close(-1);
  pair.pass(1e9);
  assert.equal(hear(b), '');
  b.close(-1);
  listener.close(-1);
  pair.pass(100e9);
  assert.equal(pair.timers, 0);
  assert.equal(pair.tcp[0].connections, 0);
});

test('a megabyte over a clean link, with large segments and without', () => {
  exchange({ delayNs: 1e6 }, 1e6, 0);
  const pair = exchange({ delayNs: 1e6, gso: 65536 }, 1e6, 1000);
  assert.ok(pair.sent[0] < 300, `${pair.sent[0]} packets`);
});

test('a path of 64 KiB packets', () => {
  exchange({ mtu: 65536, gso: 65536, local: true }, 3e6, 3e6);
});

test('the receive buffer grows with what is read in a round trip', () => {
  // 60 ms, windows of 64 KiB would make 10 MB take a minute.
  const pair = new Pair({ delayNs: 30e6, gso: 65536, rate: 125e6, seed: 77 });
  const [a, b] = pair.connected();
  const out = new Bytes(10e6);
  const got = new Bytes(10e6);
  const begin = pair.clock.nowNs;
  const all = pair.until(
    () => got.remaining === 0,
    begin + 5e9,
    () => {
      while (a.send(out, 0) > 0);
      while (b.receive(got, 0, 0) > 0);
    },
  );
  assert.ok(all, `${got.at} bytes in 5 s, receive buffer ${b.tcb.options.rcvBuf}`);
});

test('over links that lose, double and reorder', () => {
  exchange({ delayNs: 10e6, loss: 0.05, seed: 3 }, 300_000, 1000);
  exchange({ delayNs: 10e6, loss: 0.05, seed: 4, gso: 65536 }, 300_000, 300_000);
  exchange({ delayNs: 10e6, reorder: 0.2, duplicate: 0.1, seed: 5 }, 300_000, 300_000);
  exchange({ delayNs: 10e6, loss: 0.3, reorder: 0.2, duplicate: 0.1, seed: 6 }, 50_000, 50_000, 36000);
});

test('over any link', () => {
  fc.assert(
    fc.property(
      fc.record({
        loss: fc.constantFrom(0, 0.01, 0.1, 0.25),
        duplicate: fc.constantFrom(0, 0.1),
        reorder: fc.constantFrom(0, 0.1, 0.5),
        delayNs: fc.integer({ min: 0, max: 200e6 }),
        rate: fc.constantFrom(0, 1e5, 1e7),
        mtu: fc.constantFrom(296, 576, 1500, 9000, 65536),
        gso: fc.constantFrom(0, 20000, 65536),
        congestion: fc.constantFrom('cubic', 'reno', 'bbr'),
        seed: fc.integer({ min: 1, max: 1e6 }),
        there: fc.integer({ min: 0, max: 100_000 }),
        back: fc.integer({ min: 0, max: 100_000 }),
      }),
      ({ there, back, ...link }) => {
        exchange({ ...link, gso: Math.max(link.gso, 0) }, there, back, 36000);
      },
    ),
    { numRuns: 60 },
  );
});
