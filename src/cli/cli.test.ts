// The command as its users see it: statuses, messages, flags, signals, nothing left behind.
// suite: 12 s
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { distDir, systemPath } from '../../test/harness/guest.ts';
import { needs } from '../../test/harness/needs.ts';

// As it is installed: bundled, and from compiled code.
const main = join(distDir, 'vedette.cjs');
const dir = mkdtempSync(join(tmpdir(), 'vedette-cli-'));
after(() => rmSync(dir, { recursive: true, force: true }));

/** What a shell calls the end of a command: its exit code, or 128 + the signal that ended it. */
function statusOf(code: number | null, signal: NodeJS.Signals | null): number {
  return code ?? 128 + constants.signals[signal!];
}

function run(args: string[], input = ''): { status: number; stdout: string; stderr: string } {
  const r = spawnSync(process.execPath, [main, ...args], {
    input,
    encoding: 'utf8',
    timeout: 60_000,
    cwd: dir,
    // Whoever runs the tests may have folders in the PATH that are not theirs to read.
    env: { ...process.env, PATH: systemPath },
  });
  return { status: statusOf(r.status, r.signal), stdout: r.stdout, stderr: r.stderr };
}

const inside = (...args: string[]) => run(['do', ...args]);

/** Starts a command and waits until it has printed `ready`. */
async function start(args: string[], ready: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [main, 'do', ...args], {
    cwd: dir,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  await new Promise<void>((done) => {
    child.stdout!.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes(ready)) done();
    });
  });
  return child;
}

function ended(child: ChildProcess): Promise<number> {
  return new Promise((done) => child.on('exit', (code, signal) => done(statusOf(code, signal))));
}

/** Processes of the host whose parent is `pid`. */
function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((p) => {
      try {
        const stat = readFileSync(`/proc/${p}/stat`, 'utf8');
        return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] === String(pid);
      } catch {
        return false;
      }
    });
}

/** Gone, or dead and not reaped by whoever inherited it. */
function isDead(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return /^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return true;
  }
}

describe('vedette', { concurrency: 2 }, () => {
  test('help, version, mistakes', () => {
    assert.match(run(['--version']).stdout, /^\d+\.\d+\.\d+\n$/);
    assert.match(run(['--help']).stdout, /Examples:/);
    assert.match(run(['do', '--help']).stdout, /--strace/);
    assert.deepEqual(
      [run([]).status, run(['dox']).status, run(['do', '--strac', '--', 'x']).status],
      [125, 125, 125],
    );
    assert.match(run(['dox']).stderr, /^vedette: unknown command dox; fix: did you mean: vedette do\n$/);
    assert.match(run(['do']).stderr, /no program to run/);
  });

  test('exit statuses', () => {
    assert.equal(inside('--', 'true').status, 0);
    assert.equal(inside('--', 'sh', '-c', 'exit 7').status, 7);
    assert.equal(inside('--', 'sh', '-c', 'kill -TERM $$').status, 143);
    const missing = inside('--', 'no-such-command');
    assert.deepEqual(
      [missing.status, missing.stderr],
      [127, 'vedette: no-such-command: command not found\n'],
    );
    assert.equal(inside('--', '/no/such/file').status, 127);
    assert.equal(inside('--', '/etc/passwd').status, 126);
    assert.equal(inside('--', '/').status, 126);
  });

  test('programs that cannot run say why', () => {
    writeFileSync(join(dir, 'lost'), '#!/no/such/interpreter\n', { mode: 0o755 });
    const lost = inside('--', './lost');
    assert.deepEqual([lost.status, /interpreter/.test(lost.stderr)], [127, true]);
    writeFileSync(join(dir, 'binary'), 'a\0b', { mode: 0o755 });
    const binary = inside('--', './binary');
    assert.deepEqual([binary.status, /Exec format error/.test(binary.stderr)], [126, true]);
    writeFileSync(join(dir, 'plain'), 'echo plain $1\n', { mode: 0o755 });
    assert.equal(inside('--', './plain', 'x').stdout, 'plain x\n');
  });

  test('standard input, output and error are the caller’s', () => {
    assert.equal(run(['do', '--', 'cat'], 'through\n').stdout, 'through\n');
    const r = inside('--', 'sh', '-c', 'echo out; echo err >&2');
    assert.deepEqual([r.stdout, r.stderr], ['out\n', 'err\n']);
  });

  test('flags that shape the inside', () => {
    assert.equal(inside('--hostname', 'guest', '--', 'uname', '-n').stdout, 'guest\n');
    assert.equal(inside('--cwd', '/usr', '--', 'pwd').stdout, '/usr\n');
    assert.equal(inside('--clear-env', '-e', 'A=b', '--', '/usr/bin/env').stdout, 'A=b\n');
    assert.equal(inside('--user', '1234:99', '--', 'sh', '-c', 'id -u; id -g').stdout, '1234\n99\n');
    assert.equal(inside('--cpus', '3', '--', 'nproc').stdout, '3\n');
    assert.equal(
      inside('--tmpfs', '/mnt/t', '--', 'sh', '-c', 'echo x > /mnt/t/f; cat /mnt/t/f').stdout,
      'x\n',
    );
    for (const bad of [
      ['--user', 'nobody-here'],
      ['--cwd', '/no/such'],
      ['--rootfs', '/no/such'],
      ['--platform', 'none'],
    ]) {
      const r = inside(...bad, '--', 'true');
      assert.deepEqual([r.status, r.stderr.split('\n').length], [125, 2], r.stderr);
    }
  });

  test('mounts show the host and keep writes to themselves', () => {
    const source = join(dir, 'source');
    mkdirSync(source);
    writeFileSync(join(source, 'file'), 'data\n');
    const script = 'cat /srv/m/file; echo new > /srv/m/file; cat /srv/m/file';
    assert.equal(inside('--mount', `${source}:/srv/m`, '--', 'sh', '-c', script).stdout, 'data\nnew\n');
    assert.equal(readFileSync(join(source, 'file'), 'utf8'), 'data\n');
    assert.equal(inside('--mount', `${source}:/srv/m:ro`, '--', 'touch', '/srv/m/x').status, 1);
    assert.equal(inside('--mount', `${source}/file:/srv/f`, '--', 'cat', '/srv/f').stdout, 'data\n');
  });

  test('strace goes to stderr or to a file', () => {
    const r = inside('--strace', '--', 'sh', '-c', 'exit 3');
    assert.equal(r.status, 3);
    assert.match(
      r.stderr,
      /^\[1\] .*\n[\s\S]*\[1\] exit_group\(3\) = \? <.*>\n\[1\] \+\+\+ exited with 3 \+\+\+\n$/,
    );
    const file = join(dir, 'trace');
    assert.equal(inside(`--strace=${file}`, '--', 'echo', 'hi').stderr, '');
    assert.match(readFileSync(file, 'utf8'), /write\(1, "hi\\n", 3\) = 3/);
  });

  test('profiles say where the time went, on stderr or in files', () => {
    const r = inside('--profile', '--', 'sh', '-c', 'ls > /dev/null; exit 3');
    assert.equal(r.status, 3);
    assert.match(r.stderr, /^ +ms +cpu ms +% +count +us each +longest {2}in the kernel\n/);
    assert.match(
      r.stderr,
      /\d+ +[\d.]+ +\d+ {2}execve\n[\s\S]*\(page faults\)|\(page faults\)[\s\S]* {2}execve\n/,
    );
    assert.match(r.stderr, /\nplatform (systrap\n[\s\S]*exchanges with mappers|ptrace\n)/);
    const [text, samples] = [join(dir, 'profile'), join(dir, 'kernel.cpuprofile')];
    const files = inside(`--profile=${text}`, '--cpu-profile', samples, '--', 'true');
    assert.deepEqual([files.status, files.stderr], [0, '']);
    assert.match(readFileSync(text, 'utf8'), / {2}exit_group\n/);
    const profile = JSON.parse(readFileSync(samples, 'utf8')) as { samples: number[] };
    assert.ok(profile.samples.length > 0);
    for (const flag of ['--profile', '--cpu-profile']) {
      const refused = inside(`${flag}=/nonexistent/x`, '--', 'true');
      assert.equal(refused.status, 125);
      assert.match(refused.stderr, new RegExp(`^vedette: ${flag} /nonexistent/x: ENOENT`));
    }
  });

  test('the debug log lists the steps of the boot in order', () => {
    const logs = join(dir, 'logs');
    inside('--debug-log', logs, '--', 'true');
    // Where no folder can be made: it ends, and says so.
    const nowhere = inside('--debug-log', '/proc/none', '--', 'true');
    assert.equal(nowhere.status, 125);
    assert.match(nowhere.stderr, /^vedette: --debug-log \/proc\/none: ENOENT/);
    const [name] = readdirSync(logs);
    assert.match(name!, /^\d{8}-\d{6}\.\d+\.do\.log$/);
    const steps = readFileSync(join(logs, name!), 'utf8').match(/boot \d+: [^(]+/g)!;
    assert.deepEqual(
      steps.map((s) => Number(/\d+/.exec(s)![0])),
      steps.map((_, i) => i + 1),
    );
    assert.match(steps.join('\n'), /memory file[\s\S]*platform[\s\S]*kernel[\s\S]*root[\s\S]*first program/);
  });

  test('signals reach the guest', async () => {
    const trap = await start(
      ['--', 'sh', '-c', 'trap "exit 5" INT; echo ready; while :; do sleep 0.05; done'],
      'ready',
    );
    trap.kill('SIGINT');
    assert.equal(await ended(trap), 5);
    const plain = await start(['--', 'sh', '-c', 'echo ready; exec sleep 60'], 'ready');
    plain.kill('SIGTERM');
    assert.equal(await ended(plain), 143);
  });

  test('a guest that ignores requests to end is ended by the third', async () => {
    const deaf = await start(
      ['--', 'sh', '-c', 'trap "" INT TERM; echo ready; while :; do :; done'],
      'ready',
    );
    const end = ended(deaf);
    // Three at the least: on a busy host two may come as one, as signals do.
    for (let i = 0; i < 3 || (deaf.exitCode === null && i < 30); i++) {
      deaf.kill('SIGINT');
      await new Promise((done) => setTimeout(done, 100));
    }
    assert.equal(await end, 130);
  });

  test('kill -9 of the Sentry leaves no process', async () => {
    const victim = await start(['--', 'sh', '-c', 'sleep 61 & echo ready; sleep 60'], 'ready');
    const helpers = childrenOf(victim.pid!);
    assert.ok(helpers.length > 0);
    const all = helpers.flatMap((p) => [p, ...childrenOf(p)]);
    victim.kill('SIGKILL');
    await ended(victim);
    for (let i = 0; i < 1000 && !all.every(isDead); i++) await new Promise((done) => setTimeout(done, 20));
    assert.deepEqual(
      all.filter((p) => !isDead(p)),
      [],
    );
  });

  test('a terminal inside stands for the one outside', needs('script'), () => {
    const program = 'tty; stty -a | grep -o "rows [0-9]*"; read line; echo "got $line"; exit 6';
    writeFileSync(join(dir, 'on-terminal'), `#!/bin/sh\n${program}\n`, { mode: 0o755 });
    const command = `stty rows 33; ${process.execPath} ${main} do -- ./on-terminal`;
    const r = spawnSync('script', ['-qec', command, '/dev/null'], {
      input: 'typed\n',
      encoding: 'utf8',
      cwd: dir,
    });
    assert.equal(r.status, 6, r.stdout);
    assert.match(r.stdout, /\/dev\/pts\/0\r\nrows 33\r\n[\s\S]*got typed\r\n$/);
  });

  test('doctor finds that programs can run', () => {
    const r = run(['doctor', '--json']);
    const report = JSON.parse(r.stdout) as {
      works: boolean;
      degraded: boolean;
      findings: { name: string; state: string; detail: string }[];
    };
    const states = new Set(report.findings.map((f) => f.state));
    assert.deepEqual([report.works, report.degraded], [!states.has('missing'), states.has('degraded')]);
    assert.equal(r.status, report.works ? (report.degraded ? 1 : 0) : 2);
    assert.deepEqual(
      report.findings.map((f) => f.name),
      [
        'node',
        'machine',
        'limits',
        'memfd',
        'systrap',
        'ptrace',
        'clock',
        'seccomp',
        'landlock',
        'capabilities',
        'userns',
        'kvm',
      ],
    );
    const clock = report.findings.find((f) => f.name === 'clock')!;
    // Which of the ways, and the host's clock source.
    assert.match(clock.detail, /^(tsc|vdso|call): (clock source [-\w]+|the host names)/);
  });
});
