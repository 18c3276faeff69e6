// Fast Open (RFC 7413) between our TCP and Linux's, over a TAP interface in a network namespace of this file's: either is the server.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { ECONNREFUSED } from '../../abi/errno.ts';
import { IPPROTO_TCP } from '../../abi/net/in.ts';
import {
  SIZEOF_TCP_INFO,
  TCP_FASTOPEN,
  TCP_INFO_TCPI_OPTIONS,
  TCPI_OPT_SYN_DATA,
} from '../../abi/net/tcp.ts';
import { parseAddress } from '../../net/address.ts';
import type { StreamEndpoint } from '../../net/endpoint.ts';
import type { TcpEndpoint } from '../../net/tcp/endpoint.ts';
import { makeCookie } from '../../net/tcp/fastopen.ts';
import { Bytes } from '../../net/tcp/pair.test.helper.ts';
import { againInNamespace, run, until } from './linux_peer.test.helper.ts';
import { LINUX, OURS, Ours, TcpWorld } from './tcp_linux.test.helper.ts';

const KEY = Uint8Array.from({ length: 16 }, (_, i) => 0xa0 + i);

/** Says "ready", then of each connection what came with the SYN, and sends it back. */
const SERVER = `
import socket, sys
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
s = socket.socket(family)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[1], 7001))
s.setsockopt(socket.IPPROTO_TCP, 33, bytes.fromhex(sys.argv[2]))
s.setsockopt(socket.IPPROTO_TCP, 23, 8)
s.listen(8)
print('ready', flush=True)
for i in range(int(sys.argv[3])):
    c, _ = s.accept()
    data = c.recv(10000)
    c.sendall(data)
    c.close()
    print('got', data.decode(), flush=True)
`;
const CLIENT = `
import socket, sys
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
for text in sys.argv[2:]:
    c = socket.socket(family)
    c.sendto(text.encode(), socket.MSG_FASTOPEN, (sys.argv[1], 7000))
    back = b''
    while len(back) < len(text):
        got = c.recv(10000)
        if not got: break
        back += got
    info = c.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 232)
    print(back.decode(), (info[5] >> 5) & 1, flush=True)
    c.close()
`;

function synData(endpoint: StreamEndpoint): boolean {
  const info = new DataView(new ArrayBuffer(SIZEOF_TCP_INFO));
  endpoint.info(info);
  return (info.getUint8(TCP_INFO_TCPI_OPTIONS) & TCPI_OPT_SYN_DATA) !== 0;
}

async function inWorld(body: (w: TcpWorld) => Promise<void>): Promise<void> {
  const world = new TcpWorld();
  writeFileSync('/proc/sys/net/ipv4/tcp_fastopen', '3');
  world.tcp.sysctl.tcp_fastopen = 3;
  try {
    await body(world);
  } finally {
    world.stop();
  }
}

/** Data in a SYN, and what acknowledges all of it in the SYN|ACK. */
function seen(w: TcpWorld, from: string, to: string): void {
  const ip = from.includes(':') ? 'ipv6' : 'ip';
  const said = w.tshark([
    `${ip}.src == ${from} && tcp.flags.syn == 1 && tcp.flags.ack == 0 && tcp.len > 0`,
    `${ip}.src == ${to} && tcp.flags.syn == 1 && tcp.flags.ack == 1 && tcp.ack > 1`,
  ]);
  if (said === undefined) return;
  assert.notEqual(said.counts[0], 0, 'no SYN had data');
  assert.notEqual(said.counts[1], 0, 'no SYN|ACK acknowledged it');
}

function inside(): void {
  for (const v6 of [false, true]) {
    const family = v6 ? 1 : 0;
    test(`Linux serves, IPv${v6 ? 6 : 4}`, { timeout: 60_000 }, () =>
      inWorld(async (w) => {
        const server = spawn(
          'python3',
          ['-c', SERVER, LINUX[family], Buffer.from(KEY).toString('hex'), '2'],
          {
            stdio: ['ignore', 'pipe', 'inherit'],
          },
        );
        let said = '';
        server.stdout.on('data', (d) => (said += d));
        const gone = new Promise((done) => server.on('close', done));
        try {
          await until('the server', () => (said.includes('ready') ? true : undefined), 20_000);
          const to = parseAddress(LINUX[family])!;
          for (const [text, early] of [
            ['first', 0],
            ['second', 6],
          ] as const) {
            const endpoint = w.tcp.open(v6, w.memory);
            const bytes = new Bytes(Buffer.from(text));
            assert.equal(endpoint.fastConnect(to, 7001, bytes), early);
            await until('the connection', () => (endpoint.poll() & 4 ? true : undefined));
            assert.equal(endpoint.takeError(), 0);
            const ours = new Ours(w, endpoint);
            if (bytes.remaining > 0) ours.send(Buffer.from(text), false);
            await until('the echo', () => (ours.eof ? true : undefined));
            assert.equal(Buffer.concat(ours.got).toString(), text);
            assert.equal(synData(endpoint), early > 0);
            ours.close();
          }
          // What Linux gave is what we would have given with that key.
          const from = parseAddress(OURS[family])!;
          const known = w.tcp.cookies.find(to, from);
          assert.deepEqual(known?.cookie, makeCookie(from, to, KEY, 0));
          await gone;
          assert.match(said, /got first\ngot second/);
          seen(w, OURS[family], LINUX[family]);
        } finally {
          server.kill();
        }
      }),
    );
    test(`Linux asks, IPv${v6 ? 6 : 4}`, { timeout: 60_000 }, () =>
      inWorld(async (w) => {
        const listener = Ours.listen(w, v6, 7000) as TcpEndpoint;
        assert.equal(listener.setOption(IPPROTO_TCP, TCP_FASTOPEN, 8), 0);
        const open = new Set<StreamEndpoint>();
        const early: boolean[] = [];
        const pump = (): void => {
          const r = listener.accept();
          if (typeof r !== 'number') open.add(r);
          for (const endpoint of open) {
            const got = new Bytes(10_000);
            const n = endpoint.receive(got, 0, 0);
            if (n <= 0) continue;
            early.push(synData(endpoint));
            assert.equal(endpoint.send(new Bytes(got.data.slice(0, n)), 0), n);
            endpoint.close(-1);
            open.delete(endpoint);
          }
        };
        w.pumps.add(pump);
        const { status, text } = await run('python3', [
          '-c',
          CLIENT,
          OURS[family],
          'first',
          'second',
          'third',
        ]);
        w.pumps.delete(pump);
        assert.equal(status, 0, text);
        assert.equal(text, 'first 0\nsecond 1\nthird 1\n');
        assert.deepEqual(early, [false, true, true]);
        listener.close(-1);
        seen(w, LINUX[family], OURS[family]);
      }),
    );
  }
  test('a server of Linux that is not there', () =>
    inWorld(async (w) => {
      const endpoint = w.tcp.open(false, w.memory);
      assert.equal(endpoint.fastConnect(parseAddress(LINUX[0])!, 9, new Bytes(Buffer.from('x'))), 0);
      await until('a refusal', () => (endpoint.poll() & 8 ? true : undefined));
      assert.equal(endpoint.takeError(), ECONNREFUSED);
      endpoint.close(-1);
    }));
}

againInNamespace(import.meta.url, "Fast Open with Linux's TCP", 5, inside);
