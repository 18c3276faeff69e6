// Engines as they are installed, with the built command in runc's place: containerd by ctr, podman by its own command. Each has folders
// of the test's own and ends with it.
// suite: 25 s
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { needs } from '../harness/needs.ts';
import { makeRoot, noBusybox, runtime, until } from './bundle.ts';

const TIMEOUT_MS = 60_000;

interface Output {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function call(program: string, args: readonly string[], input = ''): Output {
  const r = spawnSync(program, args, { encoding: 'utf8', input, timeout: TIMEOUT_MS });
  return { status: r.status, stdout: r.stdout, stderr: r.stderr };
}

const skipped = noBusybox() || needs('root', 'containerd', 'ctr').skip;
suite('containerd', { skip: skipped }, () => {
  let dir = '';
  let daemon: ChildProcess;
  let count = 0;
  const ctr = (...args: string[]) => call('ctr', ['-a', join(dir, 'c.sock'), ...args]);
  const flags = () => ['--runc-binary', runtime, '--runc-root', join(dir, 'runc'), '--rootfs'];
  /** A name of a container and the words that run it. */
  const words = (how: string[], ...program: string[]): [string, string[]] => {
    const id = `c${++count}`;
    return [id, ['run', ...how, ...flags(), join(dir, 'rootfs'), id, ...program]];
  };

  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'vedette-ctd-'));
    makeRoot(join(dir, 'rootfs'));
    writeFileSync(
      join(dir, 'config.toml'),
      `version = 2
root = "${dir}/root"
state = "${dir}/run"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "${dir}/c.sock"
`,
    );
    daemon = spawn('containerd', ['-c', join(dir, 'config.toml'), '--log-level', 'error'], {
      stdio: 'ignore',
    });
    assert.ok(
      until(() => existsSync(join(dir, 'c.sock')) && ctr('version').status === 0),
      'containerd does not start',
    );
  });
  after(async () => {
    for (const id of ctr('task', 'ls', '-q')
      .stdout.split('\n')
      .filter((line) => line !== '')) {
      ctr('task', 'kill', '-s', 'KILL', id);
      until(() => /STOPPED/.test(ctr('task', 'ls').stdout));
      ctr('task', 'rm', id);
    }
    const ended = new Promise((done) => daemon.on('exit', done));
    daemon.kill();
    await ended;
    rmSync(dir, { recursive: true, force: true });
  });

  test('run: output and status', () => {
    const [, run] = words(['--rm'], 'sh', '-c', 'echo out; exit 5');
    const r = ctr(...run);
    assert.deepEqual([r.status, r.stdout], [5, 'out\n'], r.stderr);
  });

  test('a program that is not there', () => {
    const [, run] = words(['--rm'], 'nosuch');
    assert.match(ctr(...run).stderr, /exec: "nosuch": executable file not found in \$PATH/);
  });

  test('exec, ps, pause, resume, metrics, kill, delete', () => {
    const [id, run] = words(['-d'], 'sh', '-c', 'trap "exit 4" TERM; while :; do sleep 0.1; done');
    assert.equal(ctr(...run).status, 0);
    const state = () => new RegExp(`^${id}\\s+(\\d+)\\s+(\\w+)`, 'm').exec(ctr('task', 'ls').stdout);
    assert.equal(state()?.[2], 'RUNNING');
    const pid = state()![1]!;
    const r = ctr('task', 'exec', '--exec-id', 'e', id, 'sh', '-c', 'echo in; exit 6');
    assert.deepEqual([r.status, r.stdout], [6, 'in\n'], r.stderr);
    assert.match(ctr('task', 'ps', id).stdout, new RegExp(`^${pid}\\b`, 'm'));
    // The boot process and its stubs are in the container's own group of the host.
    assert.match(readFileSync(`/proc/${pid}/cgroup`, 'latin1'), new RegExp(`/default/${id}$`, 'm'));
    assert.equal(ctr('task', 'pause', id).status, 0);
    assert.equal(state()?.[2], 'PAUSED');
    assert.equal(ctr('task', 'resume', id).status, 0);
    assert.equal(state()?.[2], 'RUNNING');
    assert.match(ctr('task', 'metrics', id).stdout, /pids\.current\s+[1-9]/);
    assert.equal(ctr('task', 'kill', '-s', 'TERM', id).status, 0);
    assert.ok(until(() => state()?.[2] === 'STOPPED'));
    assert.match(ctr('task', 'rm', id).stderr, /exit code 4/);
    assert.equal(ctr('container', 'rm', id).status, 0);
  });

  test('a terminal', needs('script'), () => {
    const [, run] = words(['--rm', '-t'], 'sh', '-c', 'tty; exit 8');
    const line = ['ctr', '-a', join(dir, 'c.sock'), ...run].map((word) => `'${word}'`).join(' ');
    const r = call('script', ['-qec', line, '/dev/null']);
    assert.equal(r.status, 8, r.stdout);
    assert.match(r.stdout, /\/dev\/pts\/0/);
  });

  test('several at once', async () => {
    const run = (i: number) =>
      new Promise<string>((done) => {
        const [, line] = words(['--rm'], 'sh', '-c', `echo ${i}; exit ${i}`);
        const child = spawn('ctr', ['-a', join(dir, 'c.sock'), ...line], {
          stdio: ['ignore', 'pipe', 'pipe'],
        });
        let out = '';
        for (const stream of [child.stdout, child.stderr])
          stream.on('data', (bytes: Buffer) => {
            out += bytes.toString();
          });
        child.on('close', (status) => done(`${status} ${out}`));
      });
    const all = await Promise.all([1, 2, 3, 4].map(run));
    assert.deepEqual(all, ['1 1\n', '2 2\n', '3 3\n', '4 4\n']);
  });
});

suite('podman', { skip: noBusybox() || needs('root', 'podman', 'conmon').skip }, () => {
  let dir = '';
  const podman = (...args: string[]) =>
    call('podman', [
      ...['--root', join(dir, 'root'), '--runroot', join(dir, 'run'), '--tmpdir', join(dir, 'tmp')],
      ...['--storage-driver', 'vfs', '--cgroup-manager', 'cgroupfs', '--events-backend', 'file'],
      ...['--runtime', runtime, '--runtime-flag', `root=${join(dir, 'state')}`],
      ...args,
    ]);
  const image = 'localhost/vedette-test:1';

  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'vedette-pod-'));
    mkdirSync(join(dir, 'rootfs'));
    makeRoot(join(dir, 'rootfs'));
    assert.equal(call('tar', ['-C', join(dir, 'rootfs'), '-cf', join(dir, 'image.tar'), '.']).status, 0);
    const r = podman('import', join(dir, 'image.tar'), image);
    assert.equal(r.status, 0, r.stderr);
  });
  after(() => {
    podman('rm', '--all', '--force', '--time', '0');
    podman('rmi', '--all', '--force');
    rmSync(dir, { recursive: true, force: true });
  });

  test('run: output and status', () => {
    const r = podman('run', '--rm', '--network', 'none', image, 'sh', '-c', 'echo out; id -u; exit 3');
    assert.deepEqual([r.status, r.stdout], [3, 'out\n0\n'], r.stderr);
  });

  test('a program that is not there', () => {
    const r = podman('run', '--rm', '--network', 'none', image, 'nosuch');
    assert.equal(r.status, 127);
    assert.match(r.stderr, /executable file not found in \$PATH/);
  });

  test('run, exec, logs, stop, rm', () => {
    const script = 'echo line; trap "echo bye; exit 0" TERM; while :; do sleep 0.1; done';
    assert.equal(
      podman('run', '-d', '--name', 'p', '--network', 'none', image, 'sh', '-c', script).status,
      0,
    );
    const r = podman('exec', 'p', 'sh', '-c', 'echo in; exit 4');
    assert.deepEqual([r.status, r.stdout], [4, 'in\n'], r.stderr);
    assert.ok(until(() => podman('logs', 'p').stdout === 'line\n'));
    assert.equal(podman('stop', 'p').status, 0);
    assert.equal(podman('logs', 'p').stdout, 'line\nbye\n');
    assert.equal(
      podman('inspect', '--format', '{{.State.Status}} {{.State.ExitCode}}', 'p').stdout,
      'exited 0\n',
    );
    assert.equal(podman('rm', 'p').status, 0);
  });
});
