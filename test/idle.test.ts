// A sandbox in which nothing happens costs the host no time: once settled, no process and no thread of it is woken.
// suite: 35 s
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { distDir } from './harness/guest.ts';
import { needs } from './harness/needs.ts';

/** The load average's last sample comes five seconds after the last thread ran. */
const SETTLE_MS = 7000;
const WATCH_MS = process.env.VEDETTE_LONG === '1' ? 60_000 : 5000;
const START_MS = 60_000;

// Works for a moment, with threads, timeouts and timers, then waits in every way there is.
const WAITERS = `
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
static int pipe_fds[2], event, epoll;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static void *waiter(void *arg) {
  long how = (long)arg;
  char byte;
  for (int i = 0; i < 20000; i++) syscall(SYS_getppid);
  for (int i = 0; i < 3; i++) usleep(1000);
  struct pollfd p = {pipe_fds[0], POLLIN, 0};
  poll(&p, 1, 5);
  if (how == 0) read(pipe_fds[0], &byte, 1);
  if (how == 1) { pthread_mutex_lock(&lock); pthread_cond_wait(&never, &lock); }
  if (how == 2) { sigset_t set; int sig; sigemptyset(&set); sigaddset(&set, SIGUSR1); sigwait(&set, &sig); }
  if (how == 3) poll(&p, 1, -1);
  if (how == 4) for (;;) sleep(1000);
  return NULL;
}
int main(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, NULL);
  if (pipe(pipe_fds) != 0) return 1;
  event = eventfd(0, 0);
  epoll = epoll_create1(0);
  struct epoll_event want = {EPOLLIN, {0}}, got;
  epoll_ctl(epoll, EPOLL_CTL_ADD, event, &want);
  pthread_t t;
  for (long i = 0; i < 5; i++) pthread_create(&t, NULL, waiter, (void *)i);
  // Touches memory, and leaves garbage behind in the kernel.
  for (int i = 0; i < 50; i++) free(malloc(1 << 20));
  for (int i = 0; i < 2000; i++) { FILE *f = fopen("/proc/self/stat", "r"); if (f) { fgetc(f); fclose(f); } }
  alarm(2);
  alarm(0);
  sleep(1);
  puts("ready");
  fflush(stdout);
  return epoll_wait(epoll, &got, 1, -1);
}`;

const BURST = 'i=0; while [ $i -lt 60 ]; do ls / | cat >/dev/null; i=$((i+1)); done; echo ready;';

interface Sleeper {
  readonly name: string;
  readonly child: ChildProcess;
  readonly ready: Promise<void>;
}

describe('an idle sandbox', { concurrency: true, ...needs('inside') }, () => {
  let dir = '';
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'vedette-idle-'));
    writeFileSync(join(dir, 'waiters.c'), WAITERS);
    const cc = spawnSync('cc', ['-O1', '-w', '-pthread', '-o', join(dir, 'waiters'), join(dir, 'waiters.c')]);
    assert.equal(cc.status, 0, String(cc.stderr));
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  for (const platform of ['systrap', 'ptrace']) {
    test(`on ${platform} is never woken`, async () => {
      const programs: [name: string, argv: string[]][] = [
        ['sleep', ['sh', '-c', 'echo ready; exec sleep 1000']],
        ['a shell that reads its input', ['sh', '-c', 'echo ready; read line']],
        ['a pipeline', ['sh', '-c', 'sleep 1000 | { echo ready; cat; }']],
        ['a shell that was busy', ['sh', '-c', `${BURST} sleep 1000; true`]],
        ['threads', [join(dir, 'waiters')]],
        ['CONTROL', ['sh', '-c', 'echo ready; while sleep 1; do :; done']],
      ];
      const sleepers: Sleeper[] = [];
      try {
        for (const [name, argv] of programs) sleepers.push(start(name, platform, argv));
        await Promise.all(sleepers.map(({ ready }) => ready));
        await delay(SETTLE_MS);
        const first = sleepers.map(({ child }) => switches(child.pid!));
        await delay(WATCH_MS);
        const woken = sleepers.map(({ child }, i) => differences(first[i]!, switches(child.pid!)));
        const control = woken.pop()!;
        assert.ok(control.length >= 3, `what wakes once a second is not seen: ${control}`);
        const found = woken.flatMap((lines, i) => lines.map((line) => `${sleepers[i]!.name}: ${line}`));
        assert.deepEqual(found, []);
      } finally {
        for (const { child } of sleepers) child.kill('SIGKILL');
      }
    });
  }
});

/** Starts a sandbox with the launcher's flags, as users do. */
function start(name: string, platform: string, argv: string[]): Sleeper {
  const child = spawn(join(distDir, 'vedette.cjs'), ['do', `--platform=${platform}`, '--', ...argv], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` },
  });
  const ready = new Promise<void>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${name}: not ready`)), START_MS);
    child.on('close', (status) => reject(new Error(`${name}: ended with ${status}`)));
    child.stdout!.setEncoding('latin1').on('data', (text: string) => {
      if (!text.includes('ready')) return;
      clearTimeout(late);
      resolve();
    });
  });
  return { name, child, ready };
}

/** Of every thread of the sandbox, how often it gave up a cpu or lost it: a thread that never does so never runs. */
function switches(sentry: number): Map<string, string> {
  const found = new Map<string, string>();
  for (const pid of [sentry, ...childrenOf(sentry)]) {
    for (const tid of readdirSync(`/proc/${pid}/task`)) {
      const status = readFileSync(`/proc/${pid}/task/${tid}/status`, 'latin1');
      const name = /^Name:\t(.*)$/m.exec(status)![1];
      found.set(
        `${name} ${pid}/${tid}`,
        [...status.matchAll(/ctxt_switches:\t(\d+)/g)].map((m) => m[1]).join('+'),
      );
    }
  }
  return found;
}

function childrenOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((tid) =>
    readFileSync(`/proc/${pid}/task/${tid}/children`, 'latin1').split(' ').filter(Boolean).map(Number),
  );
}

function differences(before: Map<string, string>, after: Map<string, string>): string[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names]
    .filter((name) => before.get(name) !== after.get(name))
    .map((name) => `${name} ${before.get(name)} -> ${after.get(name)}`);
}
