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

  /** Outside, natively. */
  nativeOutside(argv: string[], options: RunOptions = {}): Promise<RunResult> {
    return runNative(['nsenter', ...this.enter(this.world), ...argv], options);
  }

  /** Inside Vedette, which runs in the place of this machine. */
  inside(argv: string[], flags: string[], options: RunOptions = {}): Promise<RunResult> {
    return runNative(['nsenter', ...this.enter(this.host), ...vedette, ...flags, '--', ...argv], options);
  }

  end(): void {
    for (const child of [...this.servers, this.host, this.world]) child.kill('SIGKILL');
  }
}
