// --network=sandbox: our stack on the interface of a network namespace against Linux's at the other end of a veth, both ways; and what
// is left of the namespace afterwards. --pcap of it, which tshark reads.
// suite: 50 s
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { tshark } from '../../src/sentry/socket/tshark.test.helper.ts';
import { difference, type RunResult, runNative, vedette } from '../harness/guest.ts';
import { needs, which } from '../harness/needs.ts';
import { folder, Net, WEB, WEB6 } from './net.ts';

const PYTHON = '/usr/bin/python3';
const SANDBOX = ['--network=sandbox'];
const SERVER = [PYTHON, join(folder, 'peers.py'), 'anywhere'];
const PARTS = ['halfclose', 'reset', 'refused', 'slow', 'flags', 'edges', 'datagrams', 'bulk'];
/** From the world to the namespace of the sandbox. */
const INWARDS = { TO: '9.9.9.1 7000 2600:9::1' };
const client = (...parts: string[]): string[] => [PYTHON, join(folder, 'client.py'), ...parts];

/** Nothing that tshark calls malformed, and no checksum that is wrong; how many packets there are. */
function checkCapture(file: string): number {
  const bad = ['ip', 'tcp', 'udp', 'icmp', 'icmpv6', 'igmp'].map((p) => `${p}.checksum.status == "Bad"`);
  // Linux quotes packets of ours in ICMP as they were handed over: with the checksum that nobody filled in.
  const quoted = '!(icmp.type == 3) && !(icmpv6.type == 1)';
  const [all, spoilt] = tshark(file, {
    filters: ['frame', `(_ws.malformed || ${bad.join(' || ')}) && ${quoted}`],
  }).counts;
  assert.equal(spoilt, 0);
  return all!;
}

/** How many packets a capture says that it lacks: the statistics block of pcapng. */
function missingOf(file: Buffer): number {
  for (let at = 0; at + 12 <= file.length; at += file.readUInt32LE(at + 4))
    if (file.readUInt32LE(at) === 5) return file.readUInt32LE(at + 24);
  return -1;
}

describe('--network=sandbox', needs('root', 'inside', 'unshare', 'nsenter', 'ip', PYTHON), () => {
  let net: Net;
  let dir: string;
  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'vedette-sandbox-'));
    net = await Net.make();
  });
  after(() => {
    net?.end();
    rmSync(dir, { recursive: true, force: true });
  });

  const ok = (r: RunResult): string => {
    assert.equal(r.status, 0, r.stdout + r.stderr);
    return r.stdout;
  };
  const sh = (text: string): Promise<RunResult> => net.native(['sh', '-c', text]);
  const outside = (text: string): Promise<RunResult> => net.nativeOutside(['sh', '-c', text]);

  test('interfaces, addresses and routes are those of the namespace, and are back afterwards', async () => {
    ok(
      await sh(
        'ip route add 10.44.0.0/16 via 9.9.9.2 metric 7 mtu 1400; ip -6 route add default via 2600:9::2',
      ),
    );
    ok(await sh('ip neigh add 9.9.9.77 lladdr 02:00:00:00:00:77 dev v0 nud permanent'));
    const look = `ip -o link show v0 | sed 's/@[^:]*//' | grep -o '^.*mtu [0-9]*'
      ip -o addr show v0 | grep -v fe80 | awk '{print $3, $4, $5, $6}' | sort
      ip route | grep -o '^[^ ]*.*dev v0' | sort
      ip -6 route show dev v0 | grep -v fe80 | grep -o '^[^ ]* \\(via [^ ]*\\)\\?' | sort
      ip neigh show nud permanent dev v0`;
    const native = ok(await sh(look));
    assert.match(native, /10\.44\.0\.0\/16 via 9\.9\.9\.2/);
    assert.equal(ok(await net.inside(['sh', '-c', look], SANDBOX)), native);
    assert.equal(ok(await sh(look)), native);
    // While it runs, the host's kernel has none.
    const child = await net.serve('host', [
      ...vedette,
      ...SANDBOX,
      '--',
      'sh',
      '-c',
      'echo there; exec sleep 100',
    ]);
    child.removeAllListeners('exit');
    assert.equal(ok(await sh('ip -o addr show v0')), '');
    const ended = new Promise((done) => child.on('exit', done));
    child.kill('SIGTERM');
    await ended;
    assert.equal(ok(await sh(look)), native);
  });

  for (const part of [...PARTS, 'ping'])
    test(`outwards: ${part}`, async () => {
      // Pings without a privilege are the namespace's to allow.
      const native = await net.native(client(part));
      assert.equal(native.status, 0, native.stderr);
      assert.equal(difference(native, await net.inside(client(part), SANDBOX)), '');
    });

  describe('inwards', () => {
    const natively = new Map<string, RunResult>();
    let child: ChildProcess;
    before(async () => {
      const native = await net.serve('host', SERVER);
      native.removeAllListeners('exit');
      for (const part of PARTS) natively.set(part, await net.nativeOutside(client(part), { env: INWARDS }));
      native.kill('SIGKILL');
      child = await net.serve('host', [...vedette, ...SANDBOX, '--', ...SERVER]);
      child.removeAllListeners('exit');
    });
    after(async () => {
      const ended = new Promise((done) => child.on('exit', done));
      child.kill('SIGTERM');
      await ended;
    });

    for (const part of PARTS)
      test(part, async () => {
        const native = natively.get(part)!;
        assert.equal(native.status, 0, native.stderr);
        assert.equal(difference(native, await net.nativeOutside(client(part), { env: INWARDS })), '');
      });

    test('ping from outside', needs('ping'), async () => {
      for (const to of ['9.9.9.1', '2600:9::1'])
        assert.match(ok(await net.nativeOutside(['ping', '-n', '-c3', '-i0.2', '-W5', to])), / 3 received/);
    });
  });

  const bad = [
    'loss=0.01',
    'delay=0.005 jitter=0.003 reorder=0.1 duplicate=0.02',
    'loss=0.005 delay=0.005 corrupt=0.001',
  ];
  for (const what of bad)
    test(`a network with ${what}`, needs('ethtool'), async () => {
      const end = await net.impair(what.split(' '));
      try {
        const r = await net.inside(client('bulk', 'halfclose'), SANDBOX, { timeoutMs: 240_000 });
        const lines = ok(r).split('\n');
        assert.match(lines[1]!, /^received 67108864 /);
        assert.match(lines[2]!, /^sent 67108864 /);
        assert.match(ok(await net.inside(['ip', 'route', 'get', WEB], SANDBOX)), /dev w0/);
      } finally {
        await end();
      }
    });

  test('packets of 65535 bytes, and without large segments', async () => {
    ok(await sh('ip link set v0 mtu 65535'));
    ok(await outside('ip link set v1 mtu 65535'));
    const pings = (size: number): string => `ping -n -c 2 -i 0.2 -W 5 -M do -s ${size} 9.9.9.2`;
    assert.match(ok(await net.inside(['sh', '-c', pings(65507)], SANDBOX)), / 2 received/);
    ok(await net.inside(client('bulk', 'datagrams'), SANDBOX));
    // --mtu lowers it for the sandbox alone.
    const low = await net.inside(
      ['sh', '-c', `ip -o link show v0 | grep -o 'mtu [0-9]*'; ${pings(2000)}`],
      [...SANDBOX, '--mtu=1400'],
    );
    assert.match(low.stdout, /^mtu 1400\n/);
    assert.match(low.stdout + low.stderr, /(mtu|message too long|Message too long)/);
    ok(await sh('ip link set v0 mtu 1500'));
    ok(await outside('ip link set v1 mtu 1500'));
    const high = await net.inside(['true'], [...SANDBOX, '--mtu=9000']);
    assert.equal(high.status, 125);
    assert.match(high.stderr, /--mtu 9000: v0 takes 1500; fix: /);
    assert.match(ok(await sh('ip -o addr show v0')), /9\.9\.9\.1/);
  });

  test('an address from a router', needs('radvd'), async () => {
    const conf = join(dir, 'radvd.conf');
    writeFileSync(
      conf,
      'interface v1 { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4; prefix 2600:a::/64 { }; };\n',
    );
    ok(
      await outside('echo 1 > /proc/sys/net/ipv6/conf/all/forwarding; ip addr add 2600:a::1/64 dev v1 nodad'),
    );
    const pidFile = join(dir, 'radvd.pid');
    ok(await net.nativeOutside(['radvd', '-C', conf, '-p', pidFile, '-m', 'none']));
    try {
      const wait = `for i in $(seq 100); do ip -6 addr show dev v0 | grep -v tentative | grep -q 2600:a:: && break; sleep 0.1; done
        ip -6 addr show dev v0 | grep -o 'inet6 2600:a::[^/]*/64'; ip -6 route | grep -o '^default via fe80.*proto ra'
        ping -n -c 2 -i 0.2 -W 5 2600:a::1`;
      const text = ok(await net.inside(['sh', '-c', wait], SANDBOX));
      assert.match(text, /inet6 2600:a::/);
      assert.match(text, /default via fe80/);
      assert.match(text, / 2 received/);
    } finally {
      process.kill(Number(readFileSync(pidFile, 'utf8')));
      ok(await outside('echo 0 > /proc/sys/net/ipv6/conf/all/forwarding'));
    }
  });

  test('curl outwards, captured', needs('curl', 'tshark'), async () => {
    const file = join(dir, 'curl.pcapng');
    const flags = [...SANDBOX, `--pcap=${file}`];
    const script = `curl -sS http://${WEB}/a && curl -sS 'http://[${WEB6}]/b' && ping -c1 ${WEB} > /dev/null && ping -c1 127.0.0.1 > /dev/null`;
    assert.equal(
      ok(await net.inside(['sh', '-c', script], flags)),
      `served /a at ${WEB}\nserved /b at ${WEB6}\n`,
    );
    assert.ok(checkCapture(file) > 20);
    const names = execFileSync('tshark', ['-n', '-r', file, '-T', 'fields', '-e', 'frame.interface_name'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    assert.deepEqual([...new Set(`${names}`.trim().split('\n'))].sort(), ['lo', 'v0']);
    const now = statSync(file).mtimeMs;
    const time = execFileSync('tshark', ['-n', '-r', file, '-c1', '-T', 'fields', '-e', 'frame.time_epoch'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    assert.ok(Math.abs(Number(`${time}`) * 1000 - now) < 60_000, `${time} is not now`);
  });

  test('nginx inside, curl from outside', needs('nginx', 'curl', 'tshark'), async () => {
    const file = join(dir, 'nginx.pcapng');
    const conf = join(dir, 'nginx.conf');
    writeFileSync(
      conf,
      `daemon off; error_log stderr; pid ${dir}/nginx.pid; events {} http { access_log off;
       server { listen 8080; listen [::]:8080; location / { return 200 "hello\\n"; } } }`,
    );
    const script = `mkdir -p ${dir}; nginx -c ${conf} & while ! curl -s -o /dev/null http://127.0.0.1:8080/; do sleep 0.1; done; echo there; wait`;
    const child = await net.serve('host', [
      ...vedette,
      ...SANDBOX,
      `--pcap=${file}`,
      '--',
      'sh',
      '-c',
      script,
    ]);
    child.removeAllListeners('exit');
    for (const to of ['9.9.9.1', '[2600:9::1]'])
      assert.equal(ok(await net.nativeOutside(['curl', '-sS', `http://${to}:8080/`])), 'hello\n');
    const ended = new Promise((done) => child.on('exit', done));
    child.kill('SIGTERM');
    await ended;
    assert.ok(checkCapture(file) > 10);
  });

  test('iperf3 both ways, captured', needs('iperf3', 'tshark'), async () => {
    const file = join(dir, 'iperf.pcapng');
    for (const way of [[], ['-R'], ['-u', '-b', '20M']]) {
      const server = await net.serve('world', ['iperf3', '-s', '-1', '--forceflush']);
      server.removeAllListeners('exit');
      ok(await net.inside(['iperf3', '-c', WEB, '-t', '2', ...way], [...SANDBOX, `--pcap=${file}`]));
      assert.ok(checkCapture(file) > 100);
    }
  });

  test('what it needs, and what it does not take', async () => {
    const says = async (flags: string[], what: RegExp): Promise<void> => {
      const r = await net.inside(['true'], flags);
      assert.equal(r.status, 125, r.stderr);
      assert.match(r.stderr, what);
    };
    await says(
      [...SANDBOX, '-p', '80:80'],
      /^vedette: -p: with --network=sandbox programs send packets of their own; fix: /,
    );
    await says([...SANDBOX, '--allow', 'all'], /--allow: with --network=sandbox/);
    await says([...SANDBOX, '--mtu', '10'], /--mtu 10: fix: a number from 1280/);
    await says([...SANDBOX, '--pcap', '/nonexistent/x'], /--pcap \/nonexistent\/x: ENOENT; fix: /);
    await says(['--network=host', '--pcap', 'x'], /--pcap: with --network=host/);
    if (which('setpriv') !== undefined) {
      const r = await net.native([
        'setpriv',
        '--bounding-set=-net_raw',
        ...vedette,
        ...SANDBOX,
        '--',
        'true',
      ]);
      assert.equal(r.status, 125, r.stderr);
      assert.match(r.stderr, /packet socket on v0 needs CAP_NET_RAW.*; fix: /);
      const s = await net.native([
        'setpriv',
        '--bounding-set=-net_admin',
        ...vedette,
        ...SANDBOX,
        '--',
        'true',
      ]);
      assert.equal(s.status, 125, s.stderr);
      assert.match(s.stderr, /needs CAP_NET_RAW and CAP_NET_ADMIN.*; fix: /);
    }
    assert.match(ok(await sh('ip -o addr show v0')), /9\.9\.9\.1/);
    // Only where that is the machine's own: elsewhere it would be taken.
    if (!existsSync('/proc/sys/net/core/netdev_max_backlog')) return;
    const own = await runNative([...vedette, ...SANDBOX, '--', 'true']);
    assert.equal(own.status, 125, own.stderr);
    assert.match(
      own.stderr,
      /this is the network of the machine itself.*; fix: a network namespace of its own/,
    );
  });
});

describe('--pcap', needs('inside', 'tshark', 'ping'), () => {
  let dir: string;
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'vedette-pcap-'));
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  test('loopback alone', async () => {
    const file = join(dir, 'lo.pcapng');
    const r = await runNative([
      ...vedette,
      `--pcap=${file}`,
      '--',
      'ping',
      '-n',
      '-c3',
      '-i0.2',
      '127.0.0.1',
    ]);
    assert.equal(r.status, 0, r.stderr);
    assert.equal(checkCapture(file), 6);
  });

  test('a reader that is slow loses packets, and what it has is whole', needs('mkfifo', PYTHON), async () => {
    const fifo = join(dir, 'fifo');
    const out = join(dir, 'out.pcapng');
    execFileSync('mkfifo', [fifo]);
    const traffic = `import socket
a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); a.bind(('127.0.0.1', 0))
for _ in range(600): a.sendto(b'x' * 60000, a.getsockname()); a.recv(65536)
print('done', flush=True)`;
    const words = [...vedette, `--pcap=${fifo}`, '--', PYTHON, '-c', traffic];
    const script = `(while ! grep -q done ${dir}/says; do sleep 0.05; done; exec cat) < ${fifo} > ${out} &
      sleep 0.3; "$@" > ${dir}/says; s=$?; wait; exit $s`;
    const r = await runNative(['sh', '-c', script, 'sh', ...words], { timeoutMs: 60_000 });
    assert.equal(r.status, 0, r.stderr);
    const missing = Number(/--pcap .*: (\d+) packets are missing/.exec(r.stderr)?.[1]);
    const count = checkCapture(out);
    assert.ok(count > 10 && count < 600, `${count}`);
    assert.equal(count + missing, 600, r.stderr);
    assert.equal(missingOf(readFileSync(out)), missing);
  });

  test('a reader that never reads does not keep the sandbox', needs('mkfifo', PYTHON), async () => {
    const fifo = join(dir, 'unread');
    execFileSync('mkfifo', [fifo]);
    const traffic = `import socket
a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); a.bind(('127.0.0.1', 0))
for _ in range(10): a.sendto(b'x' * 60000, a.getsockname()); a.recv(65536)`;
    const script = `sleep 100 < ${fifo} & sleep 0.3; "$@"; s=$?; kill $!; exit $s`;
    const words = [...vedette, `--pcap=${fifo}`, '--', PYTHON, '-c', traffic];
    const r = await runNative(['sh', '-c', script, 'sh', ...words], { timeoutMs: 60_000 });
    assert.equal(r.status, 0, r.stderr);
    assert.match(r.stderr, /--pcap .*: its end is missing/);
  });

  test('a full disk ends the capture alone', needs('root', 'mount'), async () => {
    const small = join(dir, 'small');
    const traffic = `import socket
a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); a.bind(('127.0.0.1', 0))
for _ in range(100): a.sendto(b'x' * 10000, a.getsockname()); a.recv(65536)
print('done')`;
    const words = [...vedette, `--pcap=${small}/x`, '--', PYTHON, '-c', traffic];
    const script = `mkdir ${small}; mount -t tmpfs -o size=256k none ${small}; "$@"; s=$?; cp ${small}/x ${dir}/full; umount ${small}; exit $s`;
    const r = await runNative(['unshare', '-m', 'sh', '-c', script, 'sh', ...words], { timeoutMs: 60_000 });
    assert.equal(r.status, 0, r.stderr);
    assert.equal(r.stdout, 'done\n');
    assert.match(r.stderr, /--pcap .*: ENOSPC: the capture ends here; fix: /);
    const count = checkCapture(join(dir, 'full'));
    assert.ok(count > 5 && count < 100, `${count}`);
  });
});
