import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { MemoryManager } from '../../mm/mm.ts';
import { GroupShare, MAX_GROUPS } from './group_share.ts';
import { TaskLimit } from './task_limit.ts';
import { UserTable } from './users.ts';

function limitOf(max: number): { limit: TaskLimit; users: UserTable; share: (uid: number) => GroupShare } {
  const limit = new TaskLimit();
  limit.max = max;
  const users = new UserTable(limit);
  return { limit, users, share: (uid) => users.shareFor(uid, null) };
}

/** As much of an address space as the limit looks at. */
function memory(refs: number): MemoryManager {
  return { refs, spare: 0, spareOwner: null } as unknown as MemoryManager;
}

describe('TaskLimit', () => {
  test('a user has three quarters, root all but a sixteenth', () => {
    const { limit, users, share } = limitOf(160);
    const user = share(1000);
    const root = share(0);
    while (limit.admits(user, false)) users.enter(user);
    assert.equal(user.places, 120);
    while (limit.admits(root, true)) users.enter(root);
    assert.equal(root.places, 37);
    assert.ok(limit.admits(share(1001), false));
  });

  test('everybody gets a first place while there is one, and none beyond the last', () => {
    const { limit, users, share } = limitOf(2);
    users.enter(share(0));
    assert.ok(!limit.admits(share(0), true));
    assert.ok(limit.admits(share(1), false));
    users.enter(share(1));
    assert.ok(!limit.admits(share(2), false));
    users.leave(share(1));
    assert.ok(limit.admits(share(2), false));
  });

  test('the last quarter of a user is for groups that have little, and enough for all of them', () => {
    const { limit, users } = limitOf(1024);
    const u = users.get(1000);
    const groups = Array.from({ length: MAX_GROUPS }, () => new GroupShare(u, null));
    for (const g of groups) users.enter(g);
    // All but one take what they can get, one after the other.
    const last = groups.pop()!;
    for (const g of groups) while (limit.admits(g, false)) users.enter(g);
    assert.deepEqual(
      groups.map((g) => g.places),
      [576 - 3, 48, 48],
    );
    while (limit.admits(last, false)) users.enter(last);
    assert.equal(last.places, 48);
    // Alone again, the first has all of it.
    for (const g of [...groups.slice(1), last]) while (g.places > 0) users.leave(g);
    while (limit.admits(groups[0]!, false)) users.enter(groups[0]!);
    assert.equal(groups[0]!.places, 768);
  });

  test('threads of the host that stay in a process hold places until it ends or they are used again', () => {
    const { limit, users, share } = limitOf(100);
    const user = share(1000);
    const mm = memory(2);
    users.enter(user);
    // A thread comes, leaves its host thread behind, and is reaped.
    users.enter(user);
    limit.leave(mm, user);
    users.leave(user);
    assert.deepEqual([user.places, mm.spare], [2, 1]);
    // The next one finds it, also from another group of the user's.
    assert.ok(limit.finds(mm, user) && limit.finds(mm, new GroupShare(user.user, null)));
    assert.ok(!limit.finds(mm, share(7)));
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
    assert.deepEqual([user.places, user.user.places], [0, 0]);
  });

  test('users and groups that had tasks are told apart from those that have', () => {
    const { users, share } = limitOf(10);
    users.enter(share(1));
    users.enter(share(2));
    users.enter(new GroupShare(users.get(2), null));
    assert.deepEqual([users.active, users.groups], [2, 3]);
    users.leave(share(2));
    users.leave(share(2));
    assert.deepEqual([users.active, users.groups], [1, 1]);
  });
});
