// Docker's daemon with the built command as a runtime of its configuration file, which `vedette install` writes. It has folders of the
// test's own, no bridge and no rules of the machine's firewall, and ends with the test.
// suite: 60 s
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { needs } from '../harness/needs.ts';
import { alive, makeRoot, noBusybox, runtime, until } from './bundle.ts';

const TIMEOUT_MS = 120_000;
const pidIn = (file: string): number => Number(readFileSync(file, 'utf8'));
const IMAGE = 'vedette-test:1';

suite('docker', { skip: noBusybox() || needs('root', 'dockerd', 'docker', 'containerd').skip }, () => {
  let dir = '';
  let daemon: ChildProcess;
  const docker = (...args: string[]) =>
    spawnSync('docker', ['-H', `unix://${join(dir, 'd.sock')}`, ...args], {
      encoding: 'utf8',
      timeout: TIMEOUT_MS,
    });
  const run = (...args: string[]) => docker('run', '--runtime', 'vedette', '--network', 'none', ...args);
  const state = (id: string, field: string) =>
    docker('inspect', '--format', `{{.State.${field}}}`, id).stdout.trim();

  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'vedette-docker-'));
    mkdirSync(join(dir, 'rootfs'));
    makeRoot(join(dir, 'rootfs'));
    spawnSync('tar', ['-C', join(dir, 'rootfs'), '-cf', join(dir, 'image.tar'), '.']);
    const file = join(dir, 'daemon.json');
    writeFileSync(file, '{ "storage-driver": "vfs" }\n');
    assert.equal(spawnSync(runtime, ['install', 'docker', '--config', file]).status, 0);
    daemon = spawn(
      'dockerd',
      [
        ...['--config-file', file, '--data-root', join(dir, 'data'), '--exec-root', join(dir, 'run')],
        ...[
          '-H',
          `unix://${join(dir, 'd.sock')}`,
          '-p',
          join(dir, 'd.pid'),
          '--bridge=none',
          '--ip-forward=false',
        ],
        ...['--iptables=false', '--ip6tables=false', '--exec-opt', 'native.cgroupdriver=cgroupfs'],
      ],
      { stdio: 'ignore' },
    );
    assert.ok(
      until(() => existsSync(join(dir, 'd.sock')) && docker('version').status === 0),
      'dockerd does not start',
    );
    assert.equal(docker('import', join(dir, 'image.tar'), IMAGE).status, 0);
  });
  after(() => {
    const ids = docker('ps', '-aq').stdout.split('\n').filter(Boolean);
    if (ids.length > 0) docker('rm', '--force', ...ids);
    const pids = [join(dir, 'run/containerd/containerd.pid')].filter(existsSync).map(pidIn);
    daemon.kill();
    if (!until(() => !alive(daemon.pid!))) daemon.kill('SIGKILL');
    // Its own containerd ends with it, unless it was killed.
    for (const pid of pids) if (alive(pid)) process.kill(pid, 'SIGKILL');
    daemon.unref();
    rmSync(dir, { recursive: true, force: true });
  });

  test('run: output and status; a program that is not there', () => {
    const r = run('--rm', IMAGE, 'sh', '-c', 'echo out; exit 3');
    assert.deepEqual([r.status, r.stdout], [3, 'out\n'], r.stderr);
    const none = run('--rm', IMAGE, 'nosuch');
    assert.equal(none.status, 127);
    assert.match(none.stderr, /exec: "nosuch": executable file not found in \$PATH/);
  });

  test('exec, update, top, pause, logs, stop', () => {
    const script = 'trap "exit 4" TERM; echo up; while :; do sleep 0.1; done';
    assert.equal(run('-d', '--name', 'one', '--memory', '64m', IMAGE, 'sh', '-c', script).status, 0);
    const total = () => docker('exec', 'one', 'grep', 'MemTotal', '/proc/meminfo').stdout;
    assert.match(total(), /\s65536 kB/);
    assert.equal(docker('update', '--memory', '128m', '--memory-swap', '256m', 'one').status, 0);
    assert.match(total(), /\s131072 kB/);
    assert.match(docker('top', 'one').stdout, /PID/);
    assert.equal(docker('pause', 'one').status, 0);
    assert.equal(state('one', 'Status'), 'paused');
    assert.equal(docker('unpause', 'one').status, 0);
    assert.equal(docker('stop', 'one').status, 0);
    assert.equal(state('one', 'ExitCode'), '4');
    assert.equal(docker('logs', 'one').stdout, 'up\n');
  });

  test('a first program that dies for want of memory is told as such', () => {
    run(
      '--name',
      'two',
      '--memory',
      '64m',
      IMAGE,
      'sh',
      '-c',
      'head -c 200m /dev/zero | exec tail > /dev/null',
    );
    assert.equal(state('two', 'OOMKilled'), 'false');
    run('--name', 'three', '--memory', '64m', IMAGE, 'sh', '-c', 'exec tail /dev/zero');
    assert.equal(state('three', 'ExitCode'), '137');
    assert.ok(until(() => state('three', 'OOMKilled') === 'true'));
  });
});

suite('install', { skip: noBusybox() }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-install-'));
  const install = (...args: string[]) => spawnSync(runtime, ['install', ...args], { encoding: 'utf8' });
  after(() => rmSync(dir, { recursive: true, force: true }));

  for (const [engine, before] of [
    ['docker', '{\n  "debug": true,\n  "runtimes": {\n    "other": {\n      "path": "/x"\n    }\n  }\n}\n'],
    ['containerd', 'version = 2\n\n[grpc]\n  address = "/x"\n'],
    ['containerd', 'version = 3\n'],
    ['podman', '[engine]\n'],
    ['docker', null],
    ['containerd', null],
    ['podman', null],
  ] as const)
    test(`${engine}: written, once, and taken back, ${before === null ? 'from nothing' : JSON.stringify(before)}`, () => {
      const file = join(dir, 'sub', `${engine}-${before?.length}`);
      if (before !== null) {
        mkdirSync(join(dir, 'sub'), { recursive: true });
        writeFileSync(file, before);
      }
      const dry = install(engine, '--dry-run', '--config', file);
      assert.equal(dry.status, 0, dry.stderr);
      assert.ok(dry.stdout.includes(runtime), dry.stdout);
      assert.equal(existsSync(file) ? readFileSync(file, 'utf8') : null, before);
      assert.match(install(engine, '--config', file).stdout, /written/);
      const text = readFileSync(file, 'utf8');
      assert.ok(text.includes(runtime));
      assert.match(install(engine, '--config', file).stdout, /nothing to change/);
      assert.equal(install(engine, '--config', file, '--uninstall').status, 0);
      assert.equal(existsSync(file) ? readFileSync(file, 'utf8') : null, before);
      assert.equal(install(engine, '--config', file, '--uninstall').status, 0);
    });

  test('what is wrong is told', () => {
    const file = join(dir, 'bad');
    writeFileSync(file, '[]');
    for (const [args, message] of [
      [['nosuch'], /"install" requires an engine/],
      [['docker', '--config', file], /no JSON object/],
      [['docker', '--runtime', '/nosuch'], /\/nosuch: no such program/],
      [['docker', '--config', join(file, 'x')], /bad\/x: ENOTDIR/],
      [['docker', '--config', '/proc/nosuch/x'], /\/proc\/nosuch\/x: ENOENT/],
    ] as const) {
      const r = install(...args);
      assert.equal(r.status, 1);
      assert.match(r.stderr, message);
    }
    writeFileSync(file, '[plugins]\n');
    assert.match(install('containerd', '--config', file).stderr, /version 1 is not supported/);
  });

  test('containerd reads what was written', needs('containerd'), () => {
    const file = join(dir, 'config.toml');
    install('containerd', '--config', file);
    const r = spawnSync('containerd', ['-c', file, 'config', 'dump'], { encoding: 'utf8' });
    assert.match(r.stdout, /runtimes\.vedette\.options\][^[]*BinaryName = ".*\/vedette"/s, r.stderr);
  });

  test('podman reads what was written', needs('podman'), () => {
    const file = join(dir, 'vedette.conf');
    install('podman', '--config', file);
    const env = { ...process.env, CONTAINERS_CONF: file };
    const flags = ['--root', join(dir, 'r'), '--runroot', join(dir, 'rr'), '--storage-driver', 'vfs'];
    const format = ['info', '--format', '{{.Host.OCIRuntime.Path}}'];
    const r = spawnSync('podman', [...flags, '--runtime', 'vedette', ...format], { encoding: 'utf8', env });
    assert.equal(r.stdout.trim(), runtime, r.stderr);
  });
});
