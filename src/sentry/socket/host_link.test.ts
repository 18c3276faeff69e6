// Our stack and Linux's own on the two ends of a TAP interface, in a network namespace that this file makes for itself: it runs
// itself again in there.
// suite: 20 s

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { EHOSTUNREACH } from '../../abi/errno.ts';
import { IP_RECVERR, IP_TTL, IPPROTO_IP } from '../../abi/net/in.ts';
import { ANY_V4, ANY_V6, parseAddress } from '../../net/address.ts';
import { PcapDevice, PcapWriter } from '../../net/link/pcap.ts';
import type { Stack } from '../../net/stack.ts';
import { addEthernet, newStack, pattern, receiveBytes, sendBytes } from '../../net/testing.test.helper.ts';
import { type HostFrames, openPacketSocket, openTap } from './host_link.ts';
import { againInNamespace, has, RealClock, run, until } from './linux_peer.test.helper.ts';
import { tshark } from './tshark.test.helper.ts';

const OURS4 = '10.77.0.1';
const LINUX4 = '10.77.0.2';
const OURS6 = 'fd77::1';
const LINUX6 = 'fd77::2';

class World {
  readonly clock = new RealClock();
  readonly stack: Stack;
  readonly frames: HostFrames;
  readonly capture: Uint8Array[] = [];
  private stopped = false;

  constructor(frames: HostFrames) {
    this.frames = frames;
    this.stack = newStack(this.clock, process.pid);
    const epochNs = Date.now() * 1e6 - this.clock.monotonicNs();
    const writer = new PcapWriter(
      { write: (bytes) => void this.capture.push(bytes) },
      this.clock,
      epochNs,
      true,
    );
    addEthernet(this.stack, 'eth0', new PcapDevice(frames.device, writer), 0x77, [
      `${OURS4}/24`,
      `${OURS6}/64`,
    ]);
  }

  /** Moves packets and timers beside everything else that this process does. */
  start(): void {
    const step = (): void => {
      if (this.stopped) return;
      this.frames.device.drain();
      this.clock.run();
      setTimeout(step, 1);
    };
    step();
  }

  stop(): void {
    this.stopped = true;
    this.frames.close();
  }
}

function got(
  e: Parameters<typeof receiveBytes>[0],
): Exclude<ReturnType<typeof receiveBytes>, number> | undefined {
  const r = receiveBytes(e);
  return typeof r === 'number' ? undefined : r;
}

function inside(): void {
  for (const large of [false, true]) {
    const kind = large ? 'large packets' : 'plain frames';
    const withWorld = (name: string, body: (w: World) => Promise<void>): void => {
      test(`${name}, ${kind}`, { timeout: 60_000 }, async () => {
        const frames = openTap('tap0', large);
        assert.ok(typeof frames !== 'number', `openTap: ${frames}`);
        execFileSync('ip', ['link', 'set', 'lo', 'up']);
        execFileSync('ip', ['address', 'add', `${LINUX4}/24`, 'dev', 'tap0']);
        execFileSync('ip', ['address', 'add', `${LINUX6}/64`, 'dev', 'tap0', 'nodad']);
        execFileSync('ip', ['link', 'set', 'tap0', 'up']);
        const world = new World(frames);
        world.start();
        try {
          await body(world);
        } finally {
          world.stop();
        }
        noneIsBad(world);
      });
    };
    withWorld('ping both ways', pingBothWays);
    withWorld('UDP echoes both ways, up to 60 KB in fragments', udpBothWays);
    withWorld('TTL exceeded, both ways', ttlExceeded);
    withWorld('nobody answers ARP and NDP', nobody);
  }
  test('a packet socket carries frames too', { timeout: 60_000 }, async () => {
    execFileSync('ip', ['link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1']);
    for (const name of ['v0', 'v1']) execFileSync('ip', ['link', 'set', name, 'up']);
    execFileSync('ip', ['address', 'add', `${LINUX4}/24`, 'dev', 'v1']);
    // /sys is still that of the other namespace.
    const index = Number.parseInt(`${execFileSync('ip', ['-o', 'link', 'show', 'v0'])}`, 10);
    const frames = openPacketSocket(index, true);
    assert.ok(typeof frames !== 'number', `openPacketSocket: ${frames}`);
    const world = new World(frames);
    world.start();
    try {
      const { status, text } = await run('ping', [
        '-n',
        '-c',
        '2',
        '-i',
        '0.2',
        '-W',
        '5',
        '-s',
        '1000',
        OURS4,
      ]);
      assert.equal(status, 0, text);
    } finally {
      world.stop();
    }
    noneIsBad(world);
  });
}

/** tshark finds nothing malformed, and no checksum that is wrong. */
function noneIsBad(world: World): void {
  if (!has('tshark')) return;
  const dir = mkdtempSync(join(tmpdir(), 'vedette-pcap-'));
  try {
    const file = join(dir, 'capture.pcap');
    writeFileSync(file, Buffer.concat(world.capture));
    const checks = ['ip', 'udp', 'icmp', 'icmpv6'].map((p) => `${p}.checksum.status == "Bad"`);
    const any = ['_ws.malformed', ...checks, 'igmp.checksum.status == "Bad"'].join(' || ');
    // Linux quotes packets that came without a checksum as they came.
    const filter = `(${any}) && !(icmp && ip.src == ${LINUX4}) && !(icmpv6 && ipv6.src == ${LINUX6})`;
    const [all, bad] = tshark(file, { filters: ['frame', filter] }).counts;
    assert.ok(all! > 3, `tshark saw nothing: ${all}`);
    assert.equal(bad, 0);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function pingBothWays(w: World): Promise<void> {
  for (const to of [OURS4, OURS6]) {
    const { status, text } = await run('ping', ['-n', '-c', '3', '-i', '0.2', '-W', '5', to]);
    assert.equal(status, 0, text);
    assert.match(text, / 3 received/);
  }
  const { status, text } = await run('ping', ['-n', '-c', '1', '-W', '5', '-s', '9000', OURS4]);
  assert.equal(status, 0, text);
  for (const to of [LINUX4, LINUX6]) {
    const ping = w.stack.ping.open(to === LINUX6);
    const echo = new Uint8Array(56);
    echo[0] = to === LINUX6 ? 128 : 8;
    echo[7] = 1;
    assert.equal(sendBytes(ping, echo, to), 56);
    const reply = await until(`echo from ${to}`, () => got(ping));
    assert.equal(`${reply.info.address}`, to);
    assert.equal(reply.bytes[0], to === LINUX6 ? 129 : 0);
    ping.close();
  }
}

async function udpBothWays(w: World): Promise<void> {
  for (const v6 of [false, true]) {
    const [ours, linux] = v6 ? [OURS6, LINUX6] : [OURS4, LINUX4];
    const peer = createSocket(v6 ? 'udp6' : 'udp4');
    await new Promise<void>((done) => peer.bind(0, linux, done));
    try {
      // Linux sends, we echo.
      const server = w.stack.udp.open(v6);
      assert.equal(server.bind(v6 ? ANY_V6 : ANY_V4, 7), 0);
      const replies: Buffer[] = [];
      peer.on('message', (m) => replies.push(m));
      for (const size of [0, 1, 1000, 60000]) {
        replies.length = 0;
        peer.send(pattern(size), 7, ours);
        const { bytes, info } = await until(`${size} bytes from Linux`, () => got(server));
        assert.deepEqual(bytes, pattern(size));
        assert.equal(sendBytes(server, bytes, `${info.address}`, info.port), size);
        const reply = await until(`${size} bytes back at Linux`, () => replies[0]);
        assert.deepEqual(new Uint8Array(reply), pattern(size));
      }
      server.close();
      // We send, Linux echoes.
      peer.removeAllListeners('message');
      peer.on('message', (m, from) => peer.send(m, from.port, from.address));
      const client = w.stack.udp.open(v6);
      assert.equal(client.connect(parseAddress(linux)!, peer.address().port), 0);
      for (const size of [0, 1, 1001, 60001]) {
        assert.equal(sendBytes(client, pattern(size, 5)), size);
        const { bytes } = await until(`echo of ${size} bytes`, () => got(client));
        assert.deepEqual(bytes, pattern(size, 5));
      }
      client.close();
    } finally {
      peer.close();
    }
  }
}

async function ttlExceeded(w: World): Promise<void> {
  // We are the router that Linux sends through, and the other way round.
  w.stack.sysctl.ipForward = true;
  execFileSync('ip', ['route', 'add', '10.88.0.0/24', 'via', OURS4]);
  execFileSync('ip', ['route', 'add', '10.99.0.0/24', 'via', OURS4]);
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
  const { Route } = await import('../../net/ip/routes.ts');
  const back = (net: string) => {
    const route = new Route(parseAddress(net)!, 24, w.stack.linkByName('eth0')!.ifindex);
    route.gateway = parseAddress(LINUX4)!;
    assert.equal(w.stack.routes.add(route), 0);
  };
  const ping = async () => (await run('ping', ['-n', '-c', '1', '-t', '1', '-W', '5', '10.88.0.9'])).text;
  const says = (what: string) => new RegExp(`From ${OURS4.replaceAll('.', '\\.')} icmp_seq=1 ${what}`);
  // As Linux: the way is looked for before the TTL is looked at.
  assert.match(await ping(), says('Destination Net Unreachable'));
  back('10.88.0.0');
  assert.match(await ping(), says('Time to live exceeded'));
  back('10.99.0.0');
  const e = w.stack.udp.open(false);
  e.setOption(IPPROTO_IP, IP_RECVERR, 1);
  e.setOption(IPPROTO_IP, IP_TTL, 1);
  assert.equal(sendBytes(e, pattern(10), '10.99.0.1', 33434), 10);
  await until('ICMP from Linux', () => (e.poll() & 8 ? true : undefined));
  const r = receiveBytes(e, 0x2000);
  assert.ok(typeof r !== 'number');
  assert.deepEqual([r.info.errno, r.info.type, r.info.code], [EHOSTUNREACH, 11, 0]);
  assert.equal(`${r.info.offender}`, LINUX4);
  if (!has('traceroute')) return;
  const traced = await run('traceroute', ['-n', '-q', '1', '-w', '2', OURS4]);
  assert.match(traced.text, new RegExp(`1 +${OURS4.replaceAll('.', '\\.')} `));
}

async function nobody(w: World): Promise<void> {
  for (const to of ['10.77.0.99', 'fd77::99']) {
    const e = w.stack.udp.open(to.includes(':'));
    e.setOption(IPPROTO_IP, IP_RECVERR, 1);
    e.setOption(41, 25, 1);
    assert.equal(sendBytes(e, pattern(10), to, 9), 10);
    await until(`error about ${to}`, () => (e.poll() & 8 ? true : undefined));
    assert.equal(e.takeError(), EHOSTUNREACH);
    e.close();
  }
  // And Linux hears of a port that nobody has.
  const { text } = await run('sh', ['-c', `echo x | timeout 3 socat - udp4:${OURS4}:9`]);
  if (has('socat')) assert.match(text, /refused/i);
}

againInNamespace(import.meta.url, 'against Linux over TAP and packet sockets', 9, inside);
