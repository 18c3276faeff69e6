// -p: connections of the host to programs inside, against the same server on the host itself.
// suite: 10 s
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { difference, vedette } from '../harness/guest.ts';
import { needs } from '../harness/needs.ts';
import { DNS, folder, Net } from './net.ts';

const PYTHON = '/usr/bin/python3';
const SERVER = [PYTHON, join(folder, 'peers.py'), 'anywhere'];
const client = (...parts: string[]): string[] => [PYTHON, join(folder, 'client.py'), ...parts];
const OURS = { TO: '127.0.0.1 17000 ::ffff:127.0.0.1' };
const NATIVE = { TO: '127.0.0.1 7000 ::ffff:127.0.0.1' };

describe('-p', needs('root', 'inside', 'unshare', 'nsenter', 'ip', PYTHON), () => {
  let net: Net;
  let sandbox: ChildProcess;
  before(async () => {
    net = await Net.make();
    await net.serve('host', SERVER);
    const flags = ['--network=user', `--dns=${DNS}`, '--publish=17000:7000', '--publish=17009:9'];
    sandbox = await net.serve('host', [...vedette, ...flags, '--', ...SERVER]);
  });
  after(() => {
    sandbox?.removeAllListeners('exit');
    net?.end();
  });

  for (const part of ['halfclose', 'reset', 'slow', 'bulk', 'edges'])
    test(part, async () => {
      const native = await net.native(client(part), { env: NATIVE });
      assert.equal(native.status, 0, native.stderr);
      assert.equal(difference(native, await net.native(client(part), { env: OURS })), '');
    });

  test('the program sees the gateway', async () => {
    const script = `import socket; s = socket.create_connection(('127.0.0.1', 17000)); s.send(b'peer\\n'); print(s.recv(100))`;
    const r = await net.native([PYTHON, '-c', script]);
    assert.equal(r.stdout, "b'10.0.2.2\\n'\n", r.stderr);
  });

  test('nobody listens inside: the connection is reset', async () => {
    const script = `import socket; s = socket.create_connection(('127.0.0.1', 17009)); s.recv(1)`;
    const r = await net.native([PYTHON, '-c', script]);
    assert.match(r.stderr, /ConnectionResetError/);
  });

  test('only on the address that was asked for', async () => {
    const script = `import socket; socket.create_connection(('9.9.9.1', 17000))`;
    assert.match((await net.native([PYTHON, '-c', script])).stderr, /ConnectionRefusedError/);
  });

  test('a port that is taken', async () => {
    const r = await net.inside(['true'], ['--network=user', '-p', '7000:80']);
    assert.equal(r.status, 125);
    assert.match(r.stderr, /^vedette: -p 7000:80: EADDRINUSE; fix: another port/);
  });

  test('many connections, one after the other and at once', async () => {
    const script = `
import socket
for _ in range(200):
    s = socket.create_connection(('127.0.0.1', 17000)); s.send(b'peer\\n'); assert s.recv(100); s.close()
all = [socket.create_connection(('127.0.0.1', 17000)) for _ in range(200)]
for s in all: s.send(b'echo\\nhello')
print(sum(s.recv(5) == b'hello' for s in all))`;
    const r = await net.native([PYTHON, '-c', script]);
    assert.equal(r.stdout, '200\n', r.stderr);
  });
});
