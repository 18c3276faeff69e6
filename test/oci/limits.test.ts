// What a container may use: kept inside, shown inside, written to the host's control groups, changed while it runs, told by events.
// suite: 60 s
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { Bundle, type Config, noBusybox, until } from './bundle.ts';

const MIB = 2 ** 20;
const GROUP = `/vedette-test-${process.pid}`;
/** The tail of a line without an end is all of it. */
const HOLD_200M = 'head -c 200m /dev/zero | tail >/dev/null';

/** Folders of GROUP in the host's hierarchies. */
function hostGroups(): string[] {
  const mounts = readFileSync('/proc/self/mounts', 'latin1').split('\n');
  const all = mounts.filter((line) => / cgroup2? /.test(line)).map((line) => line.split(' ')[1]!);
  return all.map((at) => join(at, GROUP)).filter(existsSync);
}

/** What a file of the container's group on the host says, whichever hierarchy has it; null for none. */
function hostFile(id: string, ...names: string[]): string | null {
  for (const dir of hostGroups())
    for (const name of names) {
      const path = join(dir, id, name);
      if (existsSync(path)) return readFileSync(path, 'latin1').trim();
    }
  return null;
}

suite('oci limits', { skip: noBusybox() }, () => {
  const bundles: Bundle[] = [];
  const bundle = (type: string, edit: (c: Config) => void = () => {}): Bundle => {
    const b = new Bundle();
    bundles.push(b);
    b.program('sleep', '1000');
    b.change((c) => {
      c.linux.resources = {
        memory: { limit: 64 * MIB, reservation: 32 * MIB },
        cpu: { quota: 50_000, period: 100_000, shares: 512 },
        pids: { limit: 30 },
      };
      c.linux.cgroupsPath = `${GROUP}/${bundles.length}`;
      const options = ['nosuid', 'noexec', 'nodev', 'relatime', 'ro'];
      c.mounts.push({ destination: '/sys/fs/cgroup', type, source: 'cgroup', options });
      edit(c);
    });
    return b;
  };
  const inside = (b: Bundle, script: string) => b.run(['exec', 'x', 'sh', '-c', script]).stdout;
  after(() => {
    for (const b of bundles) b.close();
    for (const dir of hostGroups()) rmdirSync(dir);
  });

  test('version 2: files, /proc, and what can be changed while it runs', () => {
    const b = bundle('cgroup2');
    b.launch('x');
    const files =
      'cd /sys/fs/cgroup; cat memory.max memory.low cpu.max cpu.weight pids.max cgroup.controllers';
    assert.equal(
      inside(b, files),
      `${64 * MIB}\n${32 * MIB}\n50000 100000\n20\n30\ncpuset cpu memory pids\n`,
    );
    assert.equal(inside(b, 'cat /proc/self/cgroup; grep -c cgroup2 /proc/mounts; nproc'), '0::/\n1\n1\n');
    assert.match(inside(b, 'grep MemTotal /proc/meminfo'), /\s65536 kB/);
    const current = Number(inside(b, 'cat /sys/fs/cgroup/memory.current'));
    assert.ok(current > 0 && current < 64 * MIB, String(current));
    assert.match(inside(b, 'cat /sys/fs/cgroup/cgroup.procs'), /^1\n\d+\n/);
    const usage = () => Number(/usage_usec (\d+)/.exec(inside(b, 'cat /sys/fs/cgroup/cpu.stat'))![1]);
    const before = usage();
    assert.ok(usage() > before);
    for (const file of ['memory.max', 'cgroup.procs'])
      assert.match(
        inside(b, `(echo 1 > /sys/fs/cgroup/${file}) 2>&1`),
        /Read-only file system|Permission denied/,
      );

    assert.equal(b.run(['update', '--resources=-', 'x'], '{"memory":{"limit":134217728}}').status, 0);
    assert.equal(b.run(['update', '--pids-limit', '40', '--cpu-quota', '70000', 'x']).status, 0);
    assert.equal(
      inside(b, files).split('\n').slice(0, 5).join(' '),
      `${128 * MIB} ${32 * MIB} 70000 100000 20 40`,
    );
    assert.match(inside(b, 'grep MemTotal /proc/meminfo'), /\s131072 kB/);
    assert.equal(inside(b, 'head -c 80m /dev/zero | tail | wc -c'), `${80 * MIB}\n`);
    // Threads: of 40, some are the shell's own.
    const forks = 'n=0; while [ $n -lt 60 ]; do sleep 100 & n=$((n+1)); done; kill $(jobs -p)';
    assert.match(b.run(['exec', 'x', 'sh', '-c', forks]).stderr, /can't fork/);
    for (const [words, message] of [
      [['--memory', 'much'], /invalid value for memory/],
      [['--resources', '/nosuch'], /\/nosuch: ENOENT/],
    ] as const) {
      assert.equal(b.run(['update', ...words, 'x']).status, 1);
      assert.match(b.lastError(), message);
    }
    assert.equal(b.run(['update', '-r', '-', 'x'], '{"memory":{"limit":"a"}}').status, 1);
    assert.match(b.lastError(), /--resources\.memory\.limit: is a string/);
  });

  test('more than the limit is killed, the others go on, and events tells of it', async () => {
    const b = bundle('cgroup2');
    b.launch('x');
    const child = b.spawn(['events', '--interval', '100ms', 'x']);
    let out = '';
    child.stdout.on('data', (bytes: Buffer) => {
      out += bytes.toString();
    });
    const stats = (e: Config) => e.type === 'stats' && e.id === 'x';
    const lines = (): Config[] =>
      out
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line));
    const wait = async (holds: () => boolean) => {
      for (let i = 0; i < 400 && !holds(); i++) await new Promise((done) => setTimeout(done, 50));
      assert.ok(holds(), out);
    };
    await wait(() => lines().some(stats));
    assert.equal(inside(b, `${HOLD_200M}; echo $?`), '137\n');
    await wait(() => lines().some((e) => e.type === 'oom' && e.id === 'x'));
    const last = JSON.parse(b.run(['events', '--stats', 'x']).stdout) as Config;
    assert.equal(last.data.memory.usage.limit, 64 * MIB);
    assert.ok(last.data.memory.usage.usage > 0 && last.data.memory.usage.failcnt === 1);
    assert.ok(last.data.cpu.usage.total === last.data.cpu.usage.user + last.data.cpu.usage.kernel);
    assert.deepEqual(last.data.pids, { current: 1, limit: 30 });
    assert.match(inside(b, 'cat /sys/fs/cgroup/memory.events'), /oom_kill 1/);
    const ended = new Promise((done) => child.on('exit', done));
    b.run(['kill', 'x', 'KILL']);
    assert.equal(await ended, 0);
    assert.equal(b.run(['events', '--stats', 'x']).status, 1);
    assert.match(b.lastError(), /container with id x is not running/);
  });

  test('the first program dies of a call that fills its memory, as of a fault of its own', () => {
    const b = bundle('cgroup2');
    b.program('sh', '-c', 'exec tail /dev/zero > /dev/null');
    const r = b.run(['run', 'x']);
    assert.equal(r.status, 137, r.stderr.slice(0, 200));
  });

  test('less memory than is in use: who holds most goes', () => {
    const b = bundle('cgroup2');
    b.program('sh', '-c', '{ head -c 40m /dev/zero; sleep 1000; } | tail & while :; do sleep 1; done');
    b.launch('x');
    const used = () => Number(inside(b, 'cat /sys/fs/cgroup/memory.current'));
    assert.ok(until(() => used() > 40 * MIB));
    assert.equal(b.run(['update', '--memory', '20m', 'x']).status, 0);
    assert.ok(until(() => used() < 20 * MIB));
    assert.equal(b.status('x'), 'running');
  });

  test('version 1, where the host has it: one folder per controller', () => {
    if (hostGroups().every((dir) => existsSync(join(dir, 'cgroup.controllers')))) return;
    const b = bundle('cgroup');
    b.launch('x');
    const read =
      'cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us cpu/cpu.shares pids/pids.max';
    assert.equal(inside(b, read), `${64 * MIB}\n50000\n512\n30\n`);
    assert.equal(inside(b, 'cat /proc/self/cgroup'), '4:pids:/\n3:memory:/\n2:cpu,cpuacct:/\n1:cpuset:/\n');
    assert.match(inside(b, 'mount'), /cgroup on \/sys\/fs\/cgroup\/memory type cgroup \(ro,.*memory\)/);
  });

  test("the host's groups: wider by what the kernel needs, changed with update, gone with the container", () => {
    const b = bundle('cgroup2');
    b.launch('x');
    const id = String(bundles.length);
    const memory = () => hostFile(id, 'memory.max', 'memory.limit_in_bytes');
    if (memory() === null) {
      assert.match(
        readFileSync(b.log, 'utf8'),
        /linux\.resources\.memory\.limit: not in the host's control groups/,
      );
      return;
    }
    assert.equal(memory(), String(320 * MIB));
    assert.equal(hostFile(id, 'cpu.max', 'cpu.cfs_quota_us')!.split(' ')[0], '50000');
    assert.equal(hostFile(id, 'pids.max'), '124');
    b.run(['update', '--memory', '96m', '--pids-limit', '50', 'x']);
    assert.equal(memory(), String(352 * MIB));
    assert.equal(hostFile(id, 'pids.max'), '164');
    b.run(['delete', '--force', 'x']);
    for (const dir of hostGroups()) assert.ok(!readdirSync(dir).includes(id), dir);
  });
});
