// --pids: how many threads there may be, whose they are, what a fork bomb does to others, and how a full sandbox ends.
// suite: 60 s, alone
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { compileC, repoDir, runNative, vedette } from '../harness/guest.ts';
import { needs } from '../harness/needs.ts';

const BOMB = ':(){ :|:& };:; sleep 1000';
/** What --pids is by default, on a host that bears it. */
const MOST = 2048;
const WORST_MS = 100;
const END_MS = 1000;
/** Measurements on a busy host: one that is good counts. */
const ATTEMPTS = 4;

const dir = mkdtempSync(join(tmpdir(), 'vedette-limits-'));
// Other users run the program inside.
chmodSync(dir, 0o755);
let tasks = '';
before(async () => {
  tasks = await compileC(join(repoDir, 'test/limits/tasks.c'), ['-O1', '-pthread']);
});
after(() => rmSync(dir, { recursive: true, force: true }));

async function inside(flags: readonly string[], ...argv: string[]): Promise<string> {
  const r = await runNative([...vedette, ...flags, '--', tasks, ...argv], { timeoutMs: 120_000 });
  assert.equal(r.status, 0, r.stdout + r.stderr);
  return r.stdout;
}

interface Stat {
  readonly state: string;
  readonly parent: number;
  readonly session: number;
}

function statOf(pid: number): Stat | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const f = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: f[0]!, parent: Number(f[1]), session: Number(f[3]) };
  } catch {
    return null;
  }
}

/** Processes of these sessions that are not dead: stubs are started in sessions of their own. */
function living(sessions: ReadonlySet<number>): number {
  let n = 0;
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? statOf(Number(name)) : null;
    if (stat !== null && sessions.has(stat.session) && !/[ZX]/.test(stat.state)) n++;
  }
  return n;
}

function sessionsOf(sentry: number): Set<number> {
  const own = statOf(sentry)!.session;
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const stats = all.map((name) => statOf(Number(name))).filter((s) => s?.parent === sentry);
  return new Set(stats.map((s) => s!.session).filter((s) => s !== own));
}

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

/** A sandbox, its folders on the host, and a way to wait for its first line. */
function start(
  flags: readonly string[],
  argv: readonly string[],
): { child: ChildProcess; home: string; line: Promise<string> } {
  const home = mkdtempSync(join(dir, 'home-'));
  const env: NodeJS.ProcessEnv = { PATH: process.env.PATH, HOME: home };
  for (const name of [
    'TMPDIR',
    'XDG_RUNTIME_DIR',
    'XDG_CACHE_HOME',
    'XDG_STATE_HOME',
    'XDG_DATA_HOME',
    'XDG_CONFIG_HOME',
  ]) {
    env[name] = join(home, name);
    mkdirSync(env[name]);
  }
  const child = spawn(vedette[0]!, [...vedette.slice(1), ...flags, '--', ...argv], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  const line = new Promise<string>((done) => {
    child.stdout!.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('\n')) done(text);
    });
    child.on('exit', () => done(text));
  });
  return { child, home, line };
}

type End = 'exit' | 'SIGTERM' | 'SIGINT' | 'SIGKILL';

/** Fills a sandbox and ends it; ms until no process of it is left. */
async function end(platform: string, pids: number, how: End): Promise<number> {
  const flags = ['--platform', platform, '--pids', String(pids), '--user', '0'];
  const { child, home, line } = start(flags, [tasks, 'processes', how === 'exit' ? '2' : '1000']);
  try {
    const made = Number(/forks (\d+)/.exec(await line)?.[1]);
    const lineAt = Date.now();
    assert.ok(made > pids * 0.9 - 2, `only ${made} of ${pids} processes`);
    const sessions = sessionsOf(child.pid!);
    assert.ok(living(sessions) >= made, 'the stubs are not where this test looks for them');
    const ended = new Promise<void>((done) => child.on('exit', () => done()));
    if (how !== 'exit') child.kill(how);
    const since = how === 'exit' ? lineAt + 2000 : Date.now();
    await ended;
    if (how !== 'SIGKILL') assert.equal(living(sessions), 0, 'the command ended before its stubs');
    while (living(sessions) > 0) await pause(5);
    const took = Date.now() - since;
    const left = readdirSync(home, { recursive: true }).filter(
      (name) => !/^(TMPDIR|XDG_\w+)$/.test(String(name)),
    );
    assert.deepEqual(left, []);
    return took;
  } finally {
    child.kill('SIGKILL');
  }
}

async function best(measure: () => Promise<number>, limit: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < ATTEMPTS && least >= limit; i++) least = Math.min(least, await measure());
  return least;
}

for (const platform of ['systrap', 'ptrace']) {
  const on = ['--platform', platform];

  describe(`--pids on ${platform}`, needs('gcc', 'root'), () => {
    test('processes, zombies and threads count, a user has three quarters', async () => {
      for (const [user, most] of [
        ['0', 60],
        ['65534', 48],
      ] as const) {
        const flags = [...on, '--pids', '64', '--user', user];
        // One place is the first process's.
        assert.equal(await inside(flags, 'processes', '0'), `forks ${most - 1}\n`);
        assert.equal(await inside(flags, 'zombies'), `forks ${most - 1}\n`);
        assert.equal(await inside(flags, 'threads'), `threads ${most - 1}\n`);
      }
    });

    test('who comes after a bomb still finds places', async () => {
      const text = await inside([...on, '--pids', '256', '--user', '0'], 'users');
      const counts = [...text.matchAll(/forks (\d+)/g)].map((m) => Number(m[1]));
      assert.equal(counts.length, 4, text);
      // 256 places, of which the first process has one: three quarters, three quarters of the rest, and so on.
      assert.deepEqual(counts.slice(0, 3), [190, 47, 11], text);
      assert.ok(counts[3]! >= 2, text);
    });

    test('a process group that comes after a bomb of its user still finds places', async () => {
      const counts = async (name: string): Promise<number[]> => {
        const text = await inside([...on, '--pids', '256', '--user', '65534'], name);
        return [...text.matchAll(/forks (\d+)/g)].map((m) => Number(m[1]));
      };
      // The user may have 192 of 256. The first group may not have the last quarter of them, of which each other has a fourth.
      assert.deepEqual(await counts('groups'), [142, 11, 11]);
      // However many groups a bomb makes: it has not been asked for all of that quarter.
      assert.deepEqual(await counts('many_groups'), [11]);
    });

    test('who is put into another group while it waits for its turn gets one', async () => {
      assert.equal(await inside([...on, '--user', '0'], 'regroup', '8'), 'starved 0 of 8\n');
    });

    test('threads that the host keeps for a process count, and can be had again', async () => {
      const text = await inside([...on, '--pids', '100', '--user', '0'], 'spares');
      const [kept, later] = [...text.matchAll(/threads (\d+)/g)].map((m) => Number(m[1]));
      assert.ok(kept! >= 60 && kept! <= 94, text);
      assert.ok(later! >= 90, text);
      assert.equal(await inside([...on, '--pids', '24', '--user', '0'], 'come_and_go'), 'all 0\n');
    });

    const waits = async (
      pids: number,
      seconds: number,
      which: 'most' | 'worst',
      [who, shell, bomb] = ['innocent', 'bash', BOMB],
    ): Promise<number> =>
      best(async () => {
        const argv = [who, String(seconds), shell, bomb];
        const text = await inside([...on, '--pids', String(pids), '--user', '0'], ...argv);
        const m = new RegExp(`forks (\\d+) refused (\\d+) .*${which} ([\\d.]+)`).exec(text);
        assert.ok(m !== null && Number(m[2]) === 0, text);
        // Few say nothing: not a good one.
        return Number(m[1]) > 50 ? Number(m[3]) : Number.POSITIVE_INFINITY;
      }, WORST_MS);

    // 99 of a hundred: other tests run on the same cpus.
    test('others fork beside a bomb', needs('bash', 'inside'), async () => {
      assert.ok((await waits(1000, 4, 'most')) < WORST_MS);
    });
    test('other process groups of a user fork beside its bomb', needs('bash', 'inside'), async () => {
      const who = 'innocent_of_the_same';
      assert.ok((await waits(1000, 4, 'most', [who, 'bash', BOMB])) < WORST_MS);
      assert.ok((await waits(1000, 4, 'most', [who, tasks, 'split_bomb'])) < WORST_MS);
    });
    test('others fork beside the largest bomb', needs('bash', 'long'), async () => {
      assert.ok((await waits(MOST, 8, 'worst')) < WORST_MS);
    });

    for (const how of ['exit', 'SIGTERM', 'SIGINT', 'SIGKILL'] as const) {
      test(`a full sandbox ends by ${how} and leaves nothing`, async () => {
        assert.ok((await best(() => end(platform, 300, how), END_MS)) < END_MS);
      });
      test(`the largest sandbox ends by ${how} and leaves nothing`, needs('long'), async () => {
        assert.ok((await best(() => end(platform, MOST, how), END_MS)) < END_MS);
      });
    }

    test('what is kept for new processes goes when nothing happens', async () => {
      const script =
        'i=0; while [ $i -lt 30 ]; do sleep 0.1 & i=$((i+1)); done; wait; echo done; exec sleep 1000';
      const { child, line } = start(on, ['sh', '-c', script]);
      try {
        assert.equal(await line, 'done\n');
        const sessions = sessionsOf(child.pid!);
        // The template, one that is ready, the guest's; on ptrace the waker.
        for (let i = 0; i < 100 && living(sessions) > 4; i++) await pause(100);
        assert.ok(living(sessions) <= 4, `${living(sessions)} stubs`);
      } finally {
        child.kill('SIGKILL');
      }
    });
  });
}

test('what --pids takes', async () => {
  const help = await runNative([...vedette, '--help']);
  assert.match(help.stdout, /--pids <n>/);
  for (const bad of ['0', '-1', 'x', '4194305', '1.5']) {
    const r = await runNative([...vedette, `--pids=${bad}`, '--', 'true']);
    assert.equal(r.status, 125);
    assert.match(r.stderr, /--pids.*number from 1 to/);
  }
  const shown = await runNative([...vedette, '--pids', '77', '--', 'cat', '/proc/sys/kernel/threads-max']);
  assert.equal(shown.stdout, '77\n');
});
