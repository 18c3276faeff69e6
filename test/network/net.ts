// Two network namespaces: "host", where sandboxes and native programs run, and "world", with servers. Both end with the test.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { type RunOptions, type RunResult, repoDir, runNative, vedette } from '../harness/guest.ts';

export const folder = join(repoDir, 'test/network');

/** Addresses of the world: two names' worth, its DNS server, a private one, the metadata service of a cloud. */
export const WEB = '9.9.9.2';
export const OTHER = '9.9.9.3';
export const DNS = '9.9.9.53';
export const PRIVATE = '10.7.7.7';
export const METADATA = '169.254.169.254';
export const WEB6 = '2600:9::2';

const SETUP = `set -e
ip link set lo up
ip link add v0 type veth peer name v1 netns $1
ip addr add 9.9.9.1/24 dev v0
ip addr add 10.7.7.1/24 dev v0
ip addr add 169.254.169.1/24 dev v0
ip addr add 2600:9::1/64 dev v0 nodad
ip link set v0 up
echo 0 2147483647 > /proc/sys/net/ipv4/ping_group_range
`;
const SETUP_WORLD = `set -e
ip link set lo up
for a in ${WEB} ${OTHER} ${DNS} 9.9.9.9; do ip addr add $a/24 dev v1; done
ip addr add ${PRIVATE}/24 dev v1
ip addr add ${METADATA}/24 dev v1
ip addr add ${WEB6}/64 dev v1 nodad
ip link set v1 up
`;

function holder(): Promise<ChildProcess> {
  return new Promise((done, fail) => {
    const child = spawn('unshare', ['-n', '--', 'sh', '-c', 'echo there; exec sleep 1000'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.on('error', fail);
    child.stdout!.once('data', () => done(child));
  });
}

export class Net {
  private readonly host: ChildProcess;
  private readonly world: ChildProcess;
  private readonly servers: ChildProcess[] = [];
  private middle: ChildProcess | null = null;

  private constructor(host: ChildProcess, world: ChildProcess) {
    this.host = host;
    this.world = world;
  }

  static async make(): Promise<Net> {
    const net = new Net(await holder(), await holder());
    try {
      execFileSync('nsenter', [...net.enter(net.host), 'sh', '-c', SETUP, 'sh', String(net.world.pid)]);
      execFileSync('nsenter', [...net.enter(net.world), 'sh', '-c', SETUP_WORLD]);
      await net.serve('world', ['/usr/bin/python3', join(folder, 'peers.py')]);
    } catch (error) {
      net.end();
      throw error;
    }
    return net;
  }

  private enter(of: ChildProcess): string[] {
    return ['-t', String(of.pid), '-n', '--'];
  }

  /** Starts a server that says when it is ready; it ends with the network. */
  serve(where: 'host' | 'world', argv: readonly string[]): Promise<ChildProcess> {
    return new Promise((done, fail) => {
      const child = spawn('nsenter', [...this.enter(this[where]), ...argv], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      this.servers.push(child);
      child.on('error', fail);
      child.on('exit', (code) => fail(new Error(`${argv.join(' ')}: ended with ${code}`)));
      child.stdout!.once('data', () => done(child));
    });
  }

  native(argv: string[], options: RunOptions = {}): Promise<RunResult> {
    return runNative(['nsenter', ...this.enter(this.host), ...argv], options);
  }

  /** Makes the way to WEB and WEB6 that of a bad network, in a namespace between the two: impair.py. To be ended. */
  async impair(words: string[]): Promise<() => Promise<void>> {
    this.middle ??= await holder();
    const [middle, world] = [String(this.middle.pid), String(this.world.pid)];
    const on = (of: ChildProcess, script: string, ...args: string[]): void =>
      void execFileSync('nsenter', [...this.enter(of), 'sh', '-c', `set -e\n${script}`, 'sh', ...args]);
    // What is in between takes no large segments and computes no checksums.
    const plain = 'ethtool -K $1 tx off tso off gso off sg off > /dev/null 2>&1 || true';
    on(
      this.middle,
      `ip link add m0 type veth peer name w0 netns $1; ip link add m1 type veth peer name w1 netns $2
       ip link set m0 up; ip link set m1 up`,
      String(this.host.pid),
      world,
    );
    on(
      this.host,
      `${plain}; ip addr add 9.8.8.1/24 dev $1; ip addr add 2600:8::1/64 dev $1 nodad; ip link set $1 up
       ip route add ${WEB}/32 via 9.8.8.2; ip -6 route add ${WEB6}/128 via 2600:8::2`,
      'w0',
    );
    on(
      this.world,
      `${plain}; ip addr add 9.8.8.2/24 dev $1; ip addr add 2600:8::2/64 dev $1 nodad; ip link set $1 up`,
      'w1',
    );
    const child = spawn(
      'nsenter',
      ['-t', middle, '-n', '--', '/usr/bin/python3', join(folder, 'impair.py'), 'm0', 'm1', ...words],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    this.servers.push(child);
    await new Promise((done) => child.stdout!.once('data', done));
    return async () => {
      const ended = new Promise((done) => child.on('exit', done));
      child.kill('SIGKILL');
      await ended;
      on(this.middle!, 'ip link del m0; ip link del m1');
    };
  }

  /** Outside, natively. */
  nativeOutside(argv: string[], options: RunOptions = {}): Promise<RunResult> {
    return runNative(['nsenter', ...this.enter(this.world), ...argv], options);
  }

  /** Inside Vedette, which runs in the place of this machine. */
  inside(argv: string[], flags: string[], options: RunOptions = {}): Promise<RunResult> {
    return runNative(['nsenter', ...this.enter(this.host), ...vedette, ...flags, '--', ...argv], options);
  }

  end(): void {
    for (const child of [...this.servers, this.host, this.world, this.middle]) child?.kill('SIGKILL');
  }
}
