import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { PidTable } from './pids.ts';
import type { Task } from './task.ts';
import type { ThreadGroup } from './threadgroup.ts';

/** As much of a process as the table looks at. */
function fakeGroup(tgid: number): ThreadGroup {
  const kernel = { initGroup: null };
  const g = { tgid, kernel, pgrpOrNull: null, parent: null, dead: false };
  Object.defineProperty(g, 'pgrp', { get: () => g.pgrpOrNull });
  return g as unknown as ThreadGroup;
}

function fakeTask(tid: number, group: ThreadGroup): Task {
  return { tid, group } as unknown as Task;
}

describe('PidTable', () => {
  test('numbers go up and a freed number is not given out at once', () => {
    const pids = new PidTable();
    const first = pids.allocate();
    assert.equal(first, 1);
    const g = fakeGroup(first);
    const t = fakeTask(first, g);
    pids.addTask(t);
    pids.addGroup(g);
    assert.equal(pids.allocate(), 2);
    pids.removeTask(t);
    pids.removeGroup(g);
    assert.ok(pids.isFree(1));
    assert.equal(pids.allocate(), 3);
  });

  test('a number stays taken while a process group or session uses it', () => {
    const pids = new PidTable();
    const leader = fakeGroup(5);
    const member = fakeGroup(6);
    pids.addGroup(leader);
    pids.addGroup(member);
    const session = pids.newSession(leader);
    pids.join(member, leader.pgrpOrNull!);
    pids.leave(leader);
    pids.removeGroup(leader);
    assert.equal(pids.group(5), null);
    assert.equal(pids.session(5), session);
    assert.ok(!pids.isFree(5));
    pids.leave(member);
    assert.equal(pids.session(5), null);
    assert.ok(pids.isFree(5));
  });

  test('exec by another thread gives it the number of the process', () => {
    const pids = new PidTable();
    const g = fakeGroup(10);
    const leader = fakeTask(10, g);
    const other = fakeTask(11, g);
    pids.addGroup(g);
    pids.addTask(leader);
    pids.addTask(other);
    pids.removeTask(leader);
    pids.renumber(other, 10);
    assert.equal(pids.task(10), other);
    assert.ok(pids.isFree(11));
    assert.equal(pids.threadCount, 1);
  });

  test('a process group is orphaned when no parent outside it is in the session', () => {
    const pids = new PidTable();
    const shell = fakeGroup(20);
    const job = fakeGroup(21);
    pids.addGroup(shell);
    pids.addGroup(job);
    const session = pids.newSession(shell);
    (job as { parent: ThreadGroup | null }).parent = shell;
    pids.join(job, pids.newPgrp(21, session));
    Object.defineProperty(shell, 'session', { get: () => session });
    assert.equal(job.pgrpOrNull!.orphaned(), false);
    assert.equal(shell.pgrpOrNull!.orphaned(), true);
    assert.equal(job.pgrpOrNull!.orphaned(job), true);
  });
});
