// Our TCP and Linux's own, over a TAP interface in a network namespace of this file's.
// suite: 40 s

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { ECONNREFUSED, ECONNRESET, EINPROGRESS, ETIMEDOUT } from '../../abi/errno.ts';
import { IPPROTO_TCP } from '../../abi/net/in.ts';
import { SO_KEEPALIVE, SOL_SOCKET } from '../../abi/net/socket.ts';
import {
  SIZEOF_TCP_INFO,
  TCP_INFO_TCPI_SND_WND,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
} from '../../abi/net/tcp.ts';
import { parseAddress } from '../../net/address.ts';
import type { Impairment } from '../../net/link/impair.ts';
import { againInNamespace, until } from './linux_peer.test.helper.ts';
import type { WorldOptions } from './tcp_linux.test.helper.ts';
import { bytesOf, connected, exchange, LINUX, OURS, TcpWorld, Theirs } from './tcp_linux.test.helper.ts';

const MIB = 1 << 20;
function withWorld(name: string, options: WorldOptions, body: (w: TcpWorld) => Promise<void>): void {
  test(name, { timeout: 120_000 }, async () => {
    const world = new TcpWorld(options);
    try {
      await body(world);
    } finally {
      world.stop();
    }
  });
}

function inside(): void {
  for (const [mtu, large] of [
    [1500, true],
    [1500, false],
    [9000, false],
  ] as const)
    withWorld(`16 MiB both ways, MTU ${mtu}${large ? ', large packets' : ''}`, { mtu, large }, async (w) => {
      for (const v6 of mtu === 1500 && !large ? [false] : [true, false]) {
        const [ours, theirs] = await connected(w, v6, !v6);
        await exchange(w, ours, theirs, 16 * MIB);
      }
      const said = w.tshark(['tcp.len > 0 && !tcp.options.timestamp.tsval', `frame.len > ${mtu + 14}`], {
        filter: 'tcp.flags.syn == 1',
        fields: [
          'tcp.options.mss_val',
          'tcp.options.wscale.shift',
          'tcp.options.sack_perm',
          'tcp.options.timestamp.tsval',
        ],
      });
      if (said === undefined) return;
      assert.ok(said.lines.length > 0);
      for (const line of said.lines) {
        const [mss, shift, sack, ts] = line.split('\t');
        assert.ok(Number(mss) === mtu - 40 || Number(mss) === mtu - 60, `MSS ${mss}`);
        assert.ok(Number(shift) >= 1 && sack !== '' && ts !== '', line);
      }
      const [withoutTime, larger] = said.counts;
      assert.equal(withoutTime, 0);
      if (!large) assert.equal(larger, 0);
    });
  const paths: [string, Partial<Impairment>, number][] = [
    ['loses one in a hundred', { loss: 0.01 }, 2 * MIB],
    ['lets packets overtake', { delayNs: 4e6, reorder: 0.05 }, MIB],
    ['doubles packets', { duplicate: 0.05 }, 2 * MIB],
    ['takes 20 ms', { delayNs: 20e6 }, 4 * MIB],
    ['spoils packets', { corrupt: 0.01 }, 2 * MIB],
  ];
  for (const [what, path, size] of paths)
    withWorld(`a path that ${what}`, { out: path, into: path }, async (w) => {
      const v6 = path.reorder !== undefined || path.corrupt !== undefined;
      const [ours, theirs] = await connected(w, v6, true);
      await exchange(w, ours, theirs, size);
      const ends = [OURS[0], LINUX[0]];
      const said = w.tshark(ends.map((from) => `tcp.options.sack_le && ip.src == ${from}`));
      // Something was lost, and both ends told of it by blocks.
      if (said !== undefined && path.loss !== undefined)
        for (const [i, from] of ends.entries()) assert.notEqual(said.counts[i], 0, `no SACK of ${from}`);
    });
  withWorld('ECN', {}, async (w) => {
    writeFileSync('/proc/sys/net/ipv4/tcp_ecn', '1');
    w.tcp.sysctl.tcp_ecn = 1;
    for (const weOpen of [true, false]) {
      const [ours, theirs] = await connected(w, false, weOpen);
      await exchange(w, ours, theirs, 100_000);
    }
    const said = w.tshark(
      [OURS[0], LINUX[0]].flatMap((from) => [
        `ip.src == ${from} && tcp.flags.syn == 1 && tcp.flags.ack == 1 && tcp.flags.ece == 1`,
        `ip.src == ${from} && tcp.len > 0 && ip.dsfield.ecn == 2`,
      ]),
    );
    assert.ok(said?.counts.every((n) => n > 0) ?? true, `${said?.counts}`);
  });
  withWorld('refused and reset, both ways', {}, async (w) => {
    for (const v6 of [false, true]) {
      const family = v6 ? 1 : 0;
      const endpoint = w.tcp.open(v6, w.memory);
      assert.equal(endpoint.connect(parseAddress(LINUX[family])!, 9), -EINPROGRESS);
      const errno = await until('a refusal', () => endpoint.takeError() || undefined);
      assert.equal(errno, ECONNREFUSED);
      endpoint.close(-1);
      await assert.rejects(Theirs.connect(OURS[family], 9), { code: 'ECONNREFUSED' });
      const [a, b] = await connected(w, v6, true);
      b.socket.resetAndDestroy();
      await until('a reset from Linux', () => (a.error !== 0 ? true : undefined));
      assert.equal(a.error, -ECONNRESET);
      a.close();
      const [c, d] = await connected(w, v6, false);
      c.close(0);
      await until('a reset at Linux', () => (d.error !== '' ? true : undefined));
      assert.equal(d.error, 'ECONNRESET');
    }
    w.tshark();
  });
  withWorld('a reader that stops, at both ends', { large: true }, async (w) => {
    const [ours, theirs] = await connected(w, false, true);
    theirs.socket.pause();
    ours.send(bytesOf(16 * MIB, 3), true);
    const info = new DataView(new ArrayBuffer(SIZEOF_TCP_INFO));
    await until('a shut window at Linux', () => {
      ours.endpoint.info(info);
      return info.getUint32(TCP_INFO_TCPI_SND_WND, true) === 0 ? true : undefined;
    });
    await new Promise((done) => setTimeout(done, 600));
    assert.ok(ours.unsent > MIB, 'everything was taken');
    theirs.socket.resume();
    await until('the rest', () => (theirs.ended ? true : undefined), 30000);
    assert.equal(Buffer.compare(Buffer.concat(theirs.got), bytesOf(16 * MIB, 3)), 0);
    ours.deaf = true;
    theirs.socket.end(bytesOf(16 * MIB, 4));
    await until('something', () => (ours.endpoint.unread > 65536 ? true : undefined));
    await new Promise((done) => setTimeout(done, 600));
    assert.ok(w.memory.used < 8 * MIB, `${w.memory.used} bytes kept`);
    ours.deaf = false;
    await until('the rest here', () => (ours.eof ? true : undefined), 30000);
    assert.equal(Buffer.compare(Buffer.concat(ours.got), bytesOf(16 * MIB, 4)), 0);
    ours.close();
    const said = w.tshark(
      [OURS[0], LINUX[0]].map((from) => `ip.src == ${from} && tcp.window_size == 0 && tcp.flags.reset == 0`),
    );
    assert.ok(said?.counts.every((n) => n > 0) ?? true, `${said?.counts}`);
  });
  withWorld('keep-alive, and a peer that is gone', { out: {}, into: {} }, async (w) => {
    const [ours, theirs] = await connected(w, false, true);
    for (const [level, name, value] of [
      [SOL_SOCKET, SO_KEEPALIVE, 1],
      [IPPROTO_TCP, TCP_KEEPIDLE, 1],
      [IPPROTO_TCP, TCP_KEEPINTVL, 1],
      [IPPROTO_TCP, TCP_KEEPCNT, 1],
    ] as const)
      assert.equal(ours.endpoint.setOption(level, name, value), 0);
    // One after the other: a probe tells the one who gets it that it need not send one itself.
    const probed = () => new Promise((done) => setTimeout(done, 2500));
    await probed();
    assert.equal(ours.endpoint.setOption(SOL_SOCKET, SO_KEEPALIVE, 0), 0);
    theirs.socket.setKeepAlive(true, 1000);
    await probed();
    assert.equal(ours.endpoint.setOption(SOL_SOCKET, SO_KEEPALIVE, 1), 0);
    assert.equal(ours.error, 0);
    assert.equal(theirs.error, '');
    const said = w.tshark(
      [OURS[0], LINUX[0]].map((from) => `ip.src == ${from} && tcp.analysis.keep_alive_ack`),
    );
    w.cut();
    await until('ETIMEDOUT', () => (ours.error !== 0 ? true : undefined));
    assert.equal(ours.error, -ETIMEDOUT);
    ours.close();
    theirs.socket.destroy();
    assert.ok(said?.counts.every((n) => n > 0) ?? true, `${said?.counts}`);
  });
  withWorld('forty connections at once, opened and closed by either, and nothing is kept', {}, async (w) => {
    const pairs = [];
    for (let i = 0; i < 40; i++) pairs.push(await connected(w, i % 3 === 0, i % 2 === 0));
    await Promise.all(pairs.map(([ours, theirs], i) => exchange(w, ours, theirs, 10_000 + i)));
    w.tcp.sysctl.tcp_fin_timeout = 1;
    await until('the end of all', () =>
      w.tcp.connections === [...w.tcp.timeWaiting()].length ? true : undefined,
    );
    w.tshark();
  });
}

againInNamespace(import.meta.url, "against Linux's TCP over TAP", 13, inside);
