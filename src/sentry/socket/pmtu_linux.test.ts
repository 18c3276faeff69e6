// Path MTUs that shrink in the middle of a stream through a router that is Linux: our TCP behind a TAP interface, Linux's in a namespace
// behind a veth pair, and forged messages about it (RFC 1191, RFC 8201, RFC 5927).

import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { EINPROGRESS } from '../../abi/errno.ts';
import { parseAddress } from '../../net/address.ts';
import { Route } from '../../net/ip/routes.ts';
import type { TcpEndpoint } from '../../net/tcp/endpoint.ts';
import { againInNamespace, has, run, until } from './linux_peer.test.helper.ts';
import { bytesOf, LINUX, OURS, Ours, TcpWorld } from './tcp_linux.test.helper.ts';

const ROUTER = ['10.78.0.1', 'fd78::1'] as const;
const SERVER = ['10.78.0.2', 'fd78::2'] as const;
const PORT = 7002;
const SIZE = 6 << 20;

/** Counts what comes, then says how much and its digest, and sends as many bytes back. */
const PROGRAM = `
import hashlib, socket, sys
print('waits', flush=True)
sys.stdin.readline()
s = socket.create_server(('::', ${PORT}), family=socket.AF_INET6, dualstack_ipv6=True)
print('ready', flush=True)
while True:
    c, _ = s.accept()
    h = hashlib.sha256()
    n = 0
    while True:
        b = c.recv(65536)
        if not b: break
        n += len(b)
        h.update(b)
    print('got', n, h.hexdigest(), flush=True)
    c.close()
`;

class Peer {
  readonly child: ChildProcess;
  said = '';

  constructor() {
    this.child = spawn('unshare', ['-n', 'python3', '-c', PROGRAM], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.child.stdout!.on('data', (d) => (this.said += d));
  }

  async start(): Promise<void> {
    await until('the peer', () => (this.said.includes('waits') ? true : undefined), 30_000);
    const pid = String(this.child.pid);
    const ip = (...args: string[]): Buffer => execFileSync('ip', args);
    ip('link', 'add', 'veth0', 'type', 'veth', 'peer', 'name', 'veth1', 'netns', pid);
    const there = (...args: string[]): Buffer => execFileSync('nsenter', ['-t', pid, '-n', 'ip', ...args]);
    for (const [i, bits] of [24, 64].entries()) {
      ip('address', 'add', `${ROUTER[i]}/${bits}`, 'dev', 'veth0', ...(i ? ['nodad'] : []));
      there('address', 'add', `${SERVER[i]}/${bits}`, 'dev', 'veth1', ...(i ? ['nodad'] : []));
    }
    ip('link', 'set', 'veth0', 'up');
    there('link', 'set', 'veth1', 'up');
    there('route', 'add', 'default', 'via', ROUTER[0]);
    there('-6', 'route', 'add', 'default', 'via', ROUTER[1]);
    writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
    writeFileSync('/proc/sys/net/ipv6/conf/all/forwarding', '1');
    this.child.stdin!.write('go\n');
    await until('the server', () => (this.said.includes('ready') ? true : undefined), 30_000);
  }
}

async function inWorld(body: (w: TcpWorld, peer: Peer) => Promise<void>): Promise<void> {
  const world = new TcpWorld();
  const peer = new Peer();
  const gone = new Promise((done) => peer.child.on('close', done));
  try {
    await peer.start();
    const link = world.stack.linkByName('eth0')!;
    for (const [i, net] of ['10.78.0.0', 'fd78::'].entries()) {
      const route = new Route(parseAddress(net)!, i ? 64 : 24, link.ifindex);
      route.gateway = parseAddress(LINUX[i]!)!;
      assert.equal(world.stack.routes.add(route), 0);
    }
    await body(world, peer);
  } finally {
    peer.child.kill();
    await gone;
    world.stop();
  }
}

async function open(w: TcpWorld, family: number): Promise<[Ours, TcpEndpoint]> {
  const endpoint = w.tcp.open(family === 1, w.memory);
  assert.equal(endpoint.connect(parseAddress(SERVER[family]!)!, PORT), -EINPROGRESS);
  await until('the connection', () => (endpoint.poll() & 4 ? true : undefined), 20_000);
  assert.equal(endpoint.takeError(), 0);
  return [new Ours(w, endpoint), endpoint];
}

/** An ICMP message about one of our segments, with this sequence number, from a raw socket of the router's. */
const FORGE = `
import socket, struct, sys
kind, src, dst, sport, dport, seq, mtu = sys.argv[1:8]
sport, dport, seq, mtu = int(sport), int(dport), int(seq) & 0xffffffff, int(mtu)
tcp = struct.pack('!HHIIBBHHH', sport, dport, seq, 0, 0x50, 0x10, 1000, 0, 0)
def total(data):
    if len(data) % 2: data += b'\\0'
    s = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    while s >> 16: s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff
if kind == '4':
    ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 1500, 1, 0x4000, 63, 6, 0, socket.inet_aton(src), socket.inet_aton(dst))
    ip = ip[:10] + struct.pack('!H', total(ip)) + ip[12:]
    body = struct.pack('!BBHHH', 3, 4, 0, 0, mtu) + ip + tcp
    body = body[:2] + struct.pack('!H', total(body)) + body[4:]
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
else:
    ip = struct.pack('!IHBB', 0x60000000, 1440, 6, 63) + socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6, dst)
    body = struct.pack('!BBHI', 2, 0, 0, mtu) + ip + tcp
    s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.sendto(body, (src, 0))
`;

function inside(): void {
  for (const [family, least] of [
    [0, 1100],
    [1, 1280],
  ] as const)
    test(`IPv${family ? 6 : 4}: the stream goes on in smaller packets`, { timeout: 120_000 }, () =>
      inWorld(async (w, peer) => {
        const [ours, endpoint] = await open(w, family);
        const { tcb } = endpoint;
        assert.equal(tcb.pathMtu, 1500);
        const bytes = bytesOf(SIZE, 5);
        ours.send(bytes, true);
        await until('the middle', () => (tcb.bytesAcked > SIZE / 4 ? true : undefined), 60_000);
        execFileSync('ip', ['link', 'set', 'veth0', 'mtu', String(least)]);
        await until('the end', () => (peer.said.includes('got') ? true : undefined), 60_000);
        const digest = (await import('node:crypto')).createHash('sha256').update(bytes).digest('hex');
        assert.match(peer.said, new RegExp(`got ${SIZE} ${digest}`));
        assert.equal(tcb.pathMtu, least);
        const { icmp, icmp6 } = w.stack.counters;
        assert.ok((family ? icmp6.inType[2]! : icmp.inType[3]!) > 0, 'no router said so');
        ours.close();
      }),
    );
  for (const family of [0, 1] as const)
    test(`IPv${family ? 6 : 4}: forged messages change nothing`, { timeout: 120_000 }, () =>
      inWorld(async (w) => {
        const [ours, { tcb }] = await open(w, family);
        const forge = async (seq: number, port: number): Promise<void> => {
          const names = [OURS[family], SERVER[family], String(port), String(PORT), String(seq), '600'];
          const { status, text } = await run('python3', ['-c', FORGE, family ? '6' : '4', ...names]);
          assert.equal(status, 0, text);
          await new Promise((done) => setTimeout(done, 50));
        };
        const seen = (): number => {
          const c = family ? w.stack.counters.icmp6 : w.stack.counters.icmp;
          return c.inType[family ? 2 : 3]!;
        };
        // Another connection's, of long ago, of what was never sent.
        await forge(tcb.nxt, tcb.localPort ^ 1);
        await forge(tcb.una - 100_000, tcb.localPort);
        await forge(tcb.nxt + 100_000, tcb.localPort);
        assert.equal(seen(), 3, 'the messages did not come');
        assert.equal(w.stack.pmtus.size, 0);
        assert.equal(tcb.path!.mtu, 1500);
        // One that could be true is believed, as far as a path may have it.
        await forge(tcb.nxt, tcb.localPort);
        assert.equal(w.stack.pmtus.size, 1);
        assert.equal(tcb.path!.mtu, family ? 1280 : 600);
        ours.close(0);
      }),
    );
}

if (!has('nsenter') || !has('python3')) test('path MTU', { skip: 'needs nsenter and python3' }, () => {});
else againInNamespace(import.meta.url, 'a path MTU that shrinks, with Linux as router and peer', 4, inside);
