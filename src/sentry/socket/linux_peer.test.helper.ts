// For tests of our stack against Linux's own: the real clock, programs, and a network namespace in which a test file runs itself again.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { NetClock, NetTimer } from '../../net/time.ts';

const INSIDE = 'VEDETTE_TEST_NETNS';

/** The host's clock; timers fire in pump(). */
export class RealClock implements NetClock {
  readonly timers = new Set<NetTimer>();

  realtimeMs(): number {
    return Date.now();
  }

  monotonicNs(): number {
    return Number(process.hrtime.bigint());
  }

  arm(timer: NetTimer, deadlineNs: number): void {
    timer.deadlineNs = deadlineNs;
    timer.index = 0;
    this.timers.add(timer);
  }

  cancel(timer: NetTimer): void {
    timer.index = -1;
    this.timers.delete(timer);
  }

  /** Fires what is due; how many. */
  run(): number {
    let fired = 0;
    const nowNs = this.monotonicNs();
    for (const timer of [...this.timers])
      if (timer.armed && timer.deadlineNs <= nowNs) {
        this.cancel(timer);
        timer.target.onTimer(timer, nowNs);
        fired++;
      }
    return fired;
  }
}

/** Waits until `get` gives something; fails when it does not in time. */
export async function until<T>(what: string, get: () => T | undefined, ms = 8000): Promise<T> {
  const end = Date.now() + ms;
  for (;;) {
    const got = get();
    if (got !== undefined) return got;
    assert.ok(Date.now() < end, `${what}: not in ${ms} ms`);
    await new Promise((done) => setTimeout(done, 2));
  }
}

/** Runs a program to its end while the stack goes on: status and output. */
export function run(command: string, args: string[]): Promise<{ status: number; text: string }> {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.on('data', (d) => (text += d));
    child.stderr.on('data', (d) => (text += d));
    child.on('error', fail);
    child.on('close', (status) => done({ status: status ?? -1, text }));
  });
}

export function has(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
}

/** Runs the file again in a network namespace of its own, where `inside` makes `count` tests; says why when that cannot be. */
export function againInNamespace(url: string, name: string, count: number, inside: () => void): void {
  if (process.env[INSIDE] === '1') {
    inside();
    return;
  }
  const why =
    process.getuid!() !== 0
      ? 'needs root'
      : !existsSync('/dev/net/tun')
        ? 'needs /dev/net/tun'
        : spawnSync('unshare', ['-n', 'true']).status !== 0
          ? 'needs network namespaces'
          : !has('ip') || !has('ping')
            ? 'needs ip and ping'
            : false;
  test(name, { skip: why }, () => {
    const env: NodeJS.ProcessEnv = { ...process.env, [INSIDE]: '1' };
    delete env.NODE_TEST_CONTEXT;
    const r = spawnSync('unshare', ['-n', process.execPath, fileURLToPath(url)], {
      env,
      encoding: 'utf8',
      timeout: 600_000,
    });
    assert.equal(r.status, 0, `${r.stdout}${r.stderr}`);
    assert.match(r.stdout, new RegExp(`^(# |\u2139 )pass ${count}$`, 'm'));
  });
}
