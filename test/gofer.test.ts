// --gofer: the kernel process has no directory open and cannot open any, the two end together, and nothing is left.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { runInside, vedette } from './harness/guest.ts';
import { needs } from './harness/needs.ts';

/** A process's children, and theirs. */
function below(pid: number): { pid: number; command: string }[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
        const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
        return [{ pid: Number(name), parent, command: readFileSync(`/proc/${name}/cmdline`, 'latin1') }];
      } catch {
        return [];
      }
    });
  const found = all.filter((p) => p.pid === pid);
  for (let i = 0; i < found.length; i++) found.push(...all.filter((p) => p.parent === found[i]!.pid));
  return found.slice(1);
}

function isThere(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}

async function until(what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (holds()) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  assert.fail(what);
}

/** A sandbox that sleeps; its kernel's process and its gofer's. */
async function sleeper(
  dir: string,
): Promise<{ child: ChildProcess; gofer: number; others: number[]; errors: () => string }> {
  const child = spawn(
    vedette[0]!,
    [
      ...vedette.slice(1),
      '--gofer',
      '--bind',
      `${dir}:/b`,
      '--',
      'sh',
      '-c',
      'echo ready > /b/ready; sleep 600',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let text = '';
  child.stderr!.setEncoding('latin1').on('data', (part: string) => {
    text += part;
  });
  await until('the program runs', () => existsSync(join(dir, 'ready')) || child.exitCode !== null);
  const all = below(child.pid!);
  const gofer = all.find((p) => p.command.includes('gofer.cjs'));
  assert.ok(gofer !== undefined, text);
  return { child, gofer: gofer.pid, others: all.map((p) => p.pid), errors: () => text };
}

describe('--gofer', needs('inside'), () => {
  const top = mkdtempSync(join(tmpdir(), 'vedette-gofer-'));
  after(() => rmSync(top, { recursive: true, force: true }));
  const fresh = (name: string): string => {
    mkdirSync(join(top, name));
    return join(top, name);
  };

  test('files are read, written, and found where they were left', async () => {
    const dir = fresh('files');
    const r = await runInside(
      [
        'sh',
        '-c',
        'cd /b && echo one > a && ln a b && mv b c && mkdir d && cp c d/e && chmod 640 a && ls -R . && cat d/e && head -c 4 /proc/self/exe | tail -c 3',
      ],
      { flags: ['--gofer', '--bind', `${dir}:/b`] },
    );
    assert.equal(r.stderr, '');
    assert.equal(r.stdout, '.:\na\nc\nd\n\n./d:\ne\none\nELF');
    assert.equal(readFileSync(join(dir, 'd/e'), 'utf8'), 'one\n');
    assert.equal(statSync(join(dir, 'a')).mode & 0o777, 0o640);
  });

  test('the kernel process has no directory open', async () => {
    const dir = fresh('fds');
    const s = await sleeper(dir);
    try {
      const fds = readdirSync(`/proc/${s.child.pid}/fd`);
      assert.ok(fds.length > 5);
      for (const fd of fds) {
        const path = `/proc/${s.child.pid}/fd/${fd}`;
        assert.ok(!statSync(path).isDirectory(), `${fd}: ${readlinkSync(path)}`);
      }
    } finally {
      s.child.kill('SIGKILL');
      await once(s.child, 'close');
    }
  });

  test('a gofer that dies ends the sandbox, which says so', async () => {
    const s = await sleeper(fresh('dies'));
    process.kill(s.gofer, 'SIGKILL');
    const [status] = (await once(s.child, 'close')) as [number | null];
    assert.equal(status, 70);
    assert.match(
      s.errors(),
      /^vedette: the process that has this machine's files open \(gofer, pid \d+\) ended of signal 9; the sandbox is stopped\n$/,
    );
    await until('nothing is left', () => !s.others.some(isThere));
  });

  test('nothing is left of a kernel that is killed', async () => {
    const s = await sleeper(fresh('killed'));
    s.child.kill('SIGKILL');
    await once(s.child, 'close');
    await until('nothing is left', () => !s.others.some(isThere));
  });
});
