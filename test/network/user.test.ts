// --network=user and host: programs against peers in another network namespace, natively and inside.
// suite: 20 s
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { difference } from '../harness/guest.ts';
import { needs } from '../harness/needs.ts';
import { DNS, folder, Net, PRIVATE, WEB, WEB6 } from './net.ts';

const PYTHON = '/usr/bin/python3';
const client = (...parts: string[]): string[] => [PYTHON, join(folder, 'client.py'), ...parts];
const USER = ['--network=user', `--dns=${DNS}`];

describe('network', needs('root', 'inside', 'unshare', 'nsenter', 'ip', PYTHON), () => {
  let net: Net;
  before(async () => {
    net = await Net.make();
  });
  after(() => net?.end());

  for (const mode of [USER, ['--network=host']])
    for (const part of [
      'halfclose',
      'reset',
      'refused',
      'slow',
      'bulk',
      'flags',
      'edges',
      'datagrams',
      'ping',
    ])
      test(`${mode[0]}: ${part}`, async () => {
        const native = await net.native(client(part));
        assert.equal(native.status, 0, native.stderr);
        assert.equal(difference(native, await net.inside(client(part), mode)), '');
      });

  test('names', async () => {
    const r = await net.inside(client('names'), USER);
    assert.equal(
      r.stdout,
      `# names\nweb.example ['${WEB6}', '${WEB}']\nalias.example ['${WEB}']\nother.example ['9.9.9.3']\nnothing.example -2\n`,
      r.stderr,
    );
  });

  test('curl and wget by name', needs('curl', 'wget'), async () => {
    for (const argv of [
      ['curl', '-sS', 'http://web.example/a'],
      ['wget', '-qO-', 'http://web.example/a'],
    ]) {
      const r = await net.inside(argv, USER);
      assert.match(r.stdout, /^served \/a at /, r.stderr);
    }
  });

  test('node by name', async () => {
    const script = `require('http').get('http://alias.example/n', (r) => r.pipe(process.stdout))`;
    const r = await net.inside([process.execPath, '-e', script], USER);
    assert.equal(r.stdout, `served /n at ${WEB}\n`, r.stderr);
  });

  test('dig: types, truncation, bad messages', needs('dig'), async () => {
    const dig = async (...words: string[]): Promise<string> => {
      const r = await net.inside(['dig', '+short', '+tries=1', '+time=8', ...words], USER);
      return r.stdout.trim() || `${/status: (\w+)/.exec(r.stdout)?.[1] ?? ''}`;
    };
    const status = async (...words: string[]): Promise<string | undefined> => {
      const r = await net.inside(['dig', '+tries=1', '+time=20', ...words], USER);
      return /status: (\w+)/.exec(r.stdout)?.[1];
    };
    assert.equal(await dig('text.example', 'TXT'), '"hello" "world"');
    assert.equal(await dig('text.example', 'MX'), '10 mail.text.example.');
    assert.equal(await dig('_svc._tcp.text.example', 'SRV'), '1 2 80 web.example.');
    assert.equal(await dig('-x', WEB), 'web.example.');
    assert.equal(await dig('+tcp', 'web.example'), WEB);
    assert.equal((await dig('big.example', 'TXT')).length > 5000, true);
    assert.equal(await status('circle.example'), 'SERVFAIL');
    assert.equal(await status('lies.example'), 'SERVFAIL');
    assert.equal(await status('nothing.example'), 'NXDOMAIN');
    assert.equal(await status('web.example', 'ANY', '+notcp'), 'NOTIMP');
  });

  test('names of its own: addresses, ports, files', async () => {
    const script = `
import socket
s = socket.create_connection(('${WEB}', 7000)); s.send(b'peer\\n'); print(s.recv(100).decode().strip())
print(s.getsockname()[0], s.getpeername())
s = socket.create_connection(('${WEB6}', 7000)); print(s.getsockname()[0])
s = socket.socket(); s.bind(('', 4321)); s.connect(('${WEB}', 7000)); print(s.getsockname())
print(open('/etc/resolv.conf').readline().strip())`;
    const r = await net.inside([PYTHON, '-c', script], USER);
    assert.equal(
      r.stdout,
      `9.9.9.1\n10.0.2.100 ('${WEB}', 7000)\nfd00::100\n('10.0.2.100', 4321)\nnameserver 10.0.2.3\n`,
      r.stderr,
    );
  });

  test('every decision is in the log', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'vedette-network-'));
    try {
      const log = join(dir, 'log');
      await net.inside(
        ['sh', '-c', `curl -s http://web.example/; curl -s http://${PRIVATE}/; true`],
        [...USER, `--network-log=${log}`],
      );
      const lines = readFileSync(log, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      const some = (match: Record<string, unknown>) =>
        lines.some((line) => Object.entries(match).every(([k, value]) => line[k] === value));
      assert.ok(some({ event: 'dns', allowed: true, name: 'web.example', type: 1 }));
      assert.ok(some({ event: 'connect', allowed: true, protocol: 'tcp', port: 80 }));
      assert.ok(some({ event: 'connect', allowed: false, address: PRIVATE, rule: 'private address' }));
      assert.ok(lines.every((line) => typeof line.time === 'string'));
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  test('the 4,097th relay is refused, and one that ends makes room', async () => {
    const script = `
import errno, resource, socket
resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
all = []
try:
    while len(all) < 5000:
        s = socket.socket(); s.connect(('${WEB}', 7000)); all.append(s)
except OSError as e:
    print(len(all), errno.errorcode[e.errno])
all.pop().close()
s = socket.socket(); s.connect(('${WEB}', 7000)); print('room again')`;
    const r = await net.inside([PYTHON, '-c', script], USER, { timeoutMs: 120_000 });
    assert.equal(r.stdout, '4096 ENOBUFS\nroom again\n', r.stderr);
  });
});
