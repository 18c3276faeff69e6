// BBR and its pacing over paths whose rate, delay and loss are known.
// suite: 10 s

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PROBE_BW } from './bbr_state.ts';
import type { TcpEndpoint } from './endpoint.ts';
import type { LinkOptions } from './pair.test.helper.ts';
import { hear, Pair, say } from './pair.test.helper.ts';

/** Gives bytes without end; counts those that arrive. */
class Endless {
  readonly remaining = 2 ** 30;
  count = 0;

  take(_dst: Uint8Array, _off: number, len: number): number {
    return len;
  }

  put(_src: Uint8Array, _off: number, len: number): number {
    this.count += len;
    return len;
  }
}

class Run {
  readonly pair: Pair;
  readonly client: TcpEndpoint;
  readonly server: TcpEndpoint;
  private readonly bytes = new Endless();

  constructor(link: LinkOptions) {
    this.pair = new Pair(link);
    // Windows for two round trips: what is lost keeps all that comes after it waiting.
    for (const tcp of this.pair.tcp) {
      tcp.sysctl.tcp_rmem = [4096, 131072, 32 << 20];
      tcp.sysctl.tcp_wmem = [4096, 16384, 32 << 20];
    }
    [this.client, this.server] = this.pair.connected();
  }

  /** A stream for so long; Mbit/s. */
  mbps(seconds: number): number {
    const { pair, client, server, bytes } = this;
    const before = bytes.count;
    pair.until(
      () => false,
      pair.clock.nowNs + seconds * 1e9,
      () => {
        while (client.send(bytes, 0) > 0);
        while (server.receive(bytes, 0, 0) > 0);
      },
    );
    return ((bytes.count - before) * 8) / 1e6 / seconds;
  }
}

test('100 ms with a loss in a thousand: 250 Mbit/s, where CUBIC has a fiftieth', () => {
  const path = { delayNs: 50e6, loss: 0.001, rate: 40e6, queueBytes: 2e6, seed: 8 };
  const bbr = new Run({ ...path, congestion: 'bbr' });
  bbr.mbps(2.5);
  const rate = bbr.mbps(1.5);
  assert.ok(rate >= 250 && rate <= 340, `${rate} Mbit/s`);
  const cubic = new Run({ ...path, congestion: 'cubic' });
  cubic.mbps(1.5);
  const slow = cubic.mbps(6);
  assert.ok(slow > 1 && slow < 25, `CUBIC: ${slow} Mbit/s`);
});

test('the queue of a path with much room stays short', () => {
  const path = { delayNs: 20e6, rate: 1.25e6, queueBytes: 1e6, seed: 3 };
  const bbr = new Run({ ...path, congestion: 'bbr' });
  bbr.mbps(5);
  const rate = bbr.mbps(4);
  assert.ok(rate > 8.5, `${rate} Mbit/s of 10`);
  assert.ok(bbr.client.tcb.rtt.smoothedNs < 100e6, `round trip of ${bbr.client.tcb.rtt.smoothedNs / 1e6} ms`);
  assert.equal(bbr.client.tcb.cong.bbr?.mode, PROBE_BW);
  const cubic = new Run({ ...path, congestion: 'cubic' });
  cubic.mbps(9);
  assert.ok(cubic.client.tcb.rtt.smoothedNs > 200e6, `CUBIC: ${cubic.client.tcb.rtt.smoothedNs / 1e6} ms`);
});

test('a shallow buffer, and a probe of the round trip every ten seconds', () => {
  const run = new Run({ delayNs: 20e6, rate: 1.25e6, queueBytes: 10e3, congestion: 'bbr', seed: 5 });
  run.mbps(3);
  const rate = run.mbps(20);
  assert.ok(rate > 8, `${rate} Mbit/s of 10`);
  const b = run.client.tcb.cong.bbr!;
  assert.ok(run.pair.clock.nowNs - b.minRttAtNs < 11e9, 'the round trip was measured anew');
});

test('a program that sends little does not make the path look slow', () => {
  const run = new Run({ delayNs: 20e6, rate: 12.5e6, queueBytes: 1e6, congestion: 'bbr', seed: 6 });
  run.mbps(2);
  const before = run.client.tcb.cong.bbr!.rate0;
  assert.ok(before > 10e6, `${before}`);
  run.pair.until(
    () => run.client.tcb.flight === 0,
    run.pair.clock.nowNs + 30e9,
    () => hear(run.server, 1 << 20),
  );
  for (let i = 0; i < 30; i++) {
    assert.equal(say(run.client, 'a little'), 8);
    run.pair.pass(100e6, () => hear(run.server));
  }
  const { bbr, pacingRate } = run.client.tcb.cong;
  assert.ok(bbr!.rate0 > 0.8 * before, `${bbr!.rate0} of ${before}`);
  assert.ok(pacingRate > 0.5 * before, `${pacingRate}`);
});

test('segments go out one after the other, and an idle connection has no timer', () => {
  const sent: number[] = [];
  const run = new Run({ delayNs: 20e6, rate: 1.25e6, queueBytes: 1e6, congestion: 'bbr', seed: 8 });
  run.mbps(3);
  run.pair.tap = (packet, from) => {
    if (from === 0) sent.push(run.pair.clock.nowNs, packet.size);
  };
  run.mbps(1);
  // In any 20 ms no more than the rate, the gain of a probe and the credit allow.
  for (let i = 0; i < sent.length; i += 2) {
    let bytes = 0;
    for (let j = i; j < sent.length && sent[j]! < sent[i]! + 20e6; j += 2) bytes += sent[j + 1]!;
    assert.ok(bytes < 1.25e6 * 0.022 * 1.3 + 2 * 1500, `${bytes} bytes in 20 ms`);
  }
  assert.ok(sent.length > 1000);
  run.pair.until(
    () => run.client.tcb.flight === 0,
    run.pair.clock.nowNs + 30e9,
    () => hear(run.server, 1 << 20),
  );
  run.pair.pass(1e9);
  assert.equal(run.pair.timers, 0);
});

test('TCP_CONGESTION in the middle of a stream', () => {
  const run = new Run({ delayNs: 20e6, rate: 1.25e6, queueBytes: 100e3, congestion: 'bbr', seed: 9 });
  for (const name of ['cubic', 'bbr', 'reno', 'bbr']) {
    run.client.congestion = name;
    run.mbps(3);
    const rate = run.mbps(3);
    assert.ok(rate > 7, `${name}: ${rate} Mbit/s of 10`);
    assert.equal(run.client.tcb.cong.pacingRate > 0, name === 'bbr');
  }
});
