// What is changed on every thread is seen in /proc for each of them: workers of V8, of libuv, and a Worker of ours.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { EINVAL, EPERM } from '../abi/errno.ts';
import {
  _LINUX_CAPABILITY_VERSION_3,
  encodeUserCapHeader,
  SIZEOF_USER_CAP_HEADER,
} from '../abi/process/capability.ts';
import { PR_SET_NO_NEW_PRIVS, PR_SET_TIMERSLACK } from '../abi/process/prctl.ts';
import { SYS_capget, SYS_capset, SYS_gettid, SYS_prctl } from '../abi/syscall.ts';
import { onAllThreads } from './all_threads.ts';
import { HostBuffer } from './buffer.ts';
import { optional } from './spawn.ts';
import { hostCall } from './syscall.ts';

function statuses(pattern: RegExp): (string | undefined)[] {
  return readdirSync('/proc/self/task').map(
    (tid) => pattern.exec(readFileSync(`/proc/self/task/${tid}/status`, 'latin1'))?.[1],
  );
}

/** A thread that computes without an end, which only a signal interrupts, and how far it has come. */
async function startBusy(): Promise<{ worker: Worker; count: Int32Array }> {
  const count = new Int32Array(new SharedArrayBuffer(4));
  const code =
    "const { workerData, parentPort } = require('node:worker_threads'); parentPort.postMessage(1); for (;;) Atomics.add(workerData, 0, 1);";
  const worker = new Worker(code, { eval: true, workerData: count });
  await new Promise((done) => worker.once('message', done));
  return { worker, count };
}

test('every thread makes the calls, and goes on', async (t) => {
  const { worker, count } = await startBusy();
  try {
    const before = statuses(/NoNewPrivs:\t(\d)/);
    assert.ok(before.length >= 6 && before.includes('0'), before.join());
    // The second fails everywhere and may; the third comes after it.
    const calls = [
      [SYS_prctl, PR_SET_TIMERSLACK, 60_000],
      optional(SYS_prctl, -1),
      [SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0],
    ];
    const start = process.hrtime.bigint();
    const threads = onAllThreads(calls);
    const us = Number(process.hrtime.bigint() - start) / 1e3;
    t.diagnostic(`${threads} threads in ${us.toFixed(0)} us`);
    const after = statuses(/NoNewPrivs:\t(\d)/);
    assert.equal(threads, after.length);
    assert.deepEqual(new Set(after), new Set(['1']));
    const seen = Atomics.load(count, 0);
    for (let i = 0; i < 20_000 && Atomics.load(count, 0) === seen; i++)
      await new Promise((done) => setTimeout(done, 1));
    assert.notEqual(Atomics.load(count, 0), seen);
    assert.equal(onAllThreads(calls), after.length, 'a second time');
  } finally {
    await worker.terminate();
  }
});

test('a call that this thread may not make is made by nobody', () => {
  assert.equal(onAllThreads([[SYS_prctl, -1]]), -EINVAL);
});

test('a call that another thread alone may not make is told', async () => {
  const { worker } = await startBusy();
  try {
    // capset(2) of a thread by its id: allowed to that thread alone.
    const caps = HostBuffer.alloc(32);
    encodeUserCapHeader(caps.view, 0, { version: _LINUX_CAPABILITY_VERSION_3, pid: hostCall(SYS_gettid) });
    assert.equal(hostCall(SYS_capget, caps.addr, caps.addr + SIZEOF_USER_CAP_HEADER), 0);
    assert.equal(onAllThreads([[SYS_capset, caps.addr, caps.addr + SIZEOF_USER_CAP_HEADER]]), -EPERM);
  } finally {
    await worker.terminate();
  }
});
