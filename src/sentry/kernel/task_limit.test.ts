import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { MemoryManager } from '../mm/mm.ts';
import { TaskLimit } from './task_limit.ts';
import { UserTable } from './users.ts';

function limitOf(max: number): { limit: TaskLimit; users: UserTable } {
  const limit = new TaskLimit();
  limit.max = max;
  return { limit, users: new UserTable(limit) };
}

/** As much of an address space as the limit looks at. */
function memory(refs: number): MemoryManager {
  return { refs, spare: 0, spareOwner: null } as unknown as MemoryManager;
}

describe('TaskLimit', () => {
  test('a user has three quarters, root all but a sixteenth', () => {
    const { limit, users } = limitOf(160);
    const user = users.get(1000);
    const root = users.get(0);
    while (limit.admits(user, false)) users.enter(user);
    assert.equal(user.places, 120);
    while (limit.admits(root, true)) users.enter(root);
    assert.equal(root.places, 37);
    assert.ok(limit.admits(users.get(1001), false));
  });

  test('everybody gets a first place while there is one, and none beyond the last', () => {
    const { limit, users } = limitOf(2);
    users.enter(users.get(0));
    assert.ok(!limit.admits(users.get(0), true));
    assert.ok(limit.admits(users.get(1), false));
    users.enter(users.get(1));
    assert.ok(!limit.admits(users.get(2), false));
    users.leave(users.get(1));
    assert.ok(limit.admits(users.get(2), false));
  });

  test('threads of the host that stay in a process hold places until it ends or they are used again', () => {
    const { limit, users } = limitOf(100);
    const user = users.get(1000);
    const mm = memory(2);
    users.enter(user);
    // A thread comes, leaves its host thread behind, and is reaped.
    users.enter(user);
    limit.leave(mm, user);
    users.leave(user);
    assert.deepEqual([user.places, mm.spare], [2, 1]);
    // The next one finds it.
    assert.ok(limit.finds(mm, user) && !limit.finds(mm, users.get(7)));
    limit.reuse(mm, user);
    users.enter(user);
    assert.deepEqual([user.places, mm.spare], [2, 0]);
    limit.leave(mm, user);
    users.leave(user);
    // The memory goes with its last thread.
    mm.refs = 0;
    limit.leave(mm, user);
    assert.deepEqual([user.places, mm.spare], [1, 0]);
    users.leave(user);
    assert.equal(user.places, 0);
  });

  test('users that had tasks are told apart from those that have', () => {
    const { users } = limitOf(10);
    users.enter(users.get(1));
    users.enter(users.get(2));
    assert.equal(users.active, 2);
    users.leave(users.get(2));
    assert.equal(users.active, 1);
  });
});
