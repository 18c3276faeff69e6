import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  EACCES,
  EBUSY,
  EEXIST,
  EINVAL,
  EISDIR,
  ENOENT,
  ENOTDIR,
  ENOTEMPTY,
  EPERM,
  EXDEV,
} from '../../abi/errno.ts';
import { AT_FDCWD, O_CREAT, O_WRONLY } from '../../abi/fs/fcntl.ts';
import { RENAME_EXCHANGE, RENAME_NOREPLACE, RENAME_WHITEOUT } from '../../abi/fs/fs.ts';
import { failed } from '../base/errno.ts';
import { TmpfsFs } from '../fs/tmpfs/tmpfs.ts';
import { TestContext, testMemory } from './context.test.helper.ts';
import { makeDir, makeLink, makeSymlink, rename } from './dirops.ts';
import type { Inode } from './inode.ts';
import { newMount } from './mount.ts';
import { lookupPath } from './namei.ts';
import { openAt } from './open.ts';

/** /file /file2 /dir (empty) /dir2 (empty) /full/x /link -> file */
function fresh(): TestContext {
  const ctx = new TestContext();
  ctx.mountRoot(new TmpfsFs(testMemory(), ctx, 0o755));
  for (const d of ['/dir', '/dir2', '/full']) assert.equal(makeDir(ctx, AT_FDCWD, d, 0o755), 0);
  for (const p of ['/file', '/file2', '/full/x']) {
    const f = openAt(ctx, AT_FDCWD, p, O_CREAT | O_WRONLY, 0o644);
    if (failed(f)) assert.fail(String(f));
    f.unref();
  }
  assert.equal(makeSymlink(ctx, 'file', AT_FDCWD, '/link'), 0);
  return ctx;
}

function at(ctx: TestContext, path: string): Inode | number {
  const p = lookupPath(ctx, AT_FDCWD, path, 0);
  return failed(p) ? p : p.dentry.inode!;
}

const mv = (ctx: TestContext, from: string, to: string, flags = 0): number =>
  rename(ctx, AT_FDCWD, from, AT_FDCWD, to, flags);

describe('rename', () => {
  const matrix: [string, string, number, number][] = [
    ['/file', '/new', 0, 0],
    ['/file', '/new/', 0, -ENOTDIR],
    ['/dir', '/new/', 0, 0],
    ['/file', '/file2', 0, 0],
    ['/file', '/file', 0, 0],
    ['/file', '/link', 0, 0],
    ['/file', '/dir', 0, -EISDIR],
    ['/dir', '/file', 0, -ENOTDIR],
    ['/dir', '/dir2', 0, 0],
    ['/dir', '/full', 0, -ENOTEMPTY],
    ['/full', '/dir', 0, 0],
    ['/full', '/full/x/y', 0, -ENOTDIR],
    ['/full', '/full/y', 0, -EINVAL],
    ['/full/x', '/full', 0, -ENOTEMPTY],
    ['/none', '/new', 0, -ENOENT],
    ['/file', '/none/new', 0, -ENOENT],
    ['/dir/.', '/new', 0, -EBUSY],
    ['/dir', '/dir2/..', 0, -EBUSY],
    ['/', '/new', 0, -EBUSY],
    ['/file', '/file2', RENAME_NOREPLACE, -EEXIST],
    ['/file', '/new', RENAME_NOREPLACE, 0],
    ['/file', '/new', RENAME_EXCHANGE, -ENOENT],
    ['/file', '/dir', RENAME_EXCHANGE, 0],
    ['/full', '/file', RENAME_EXCHANGE, 0],
    ['/full', '/full/x', RENAME_EXCHANGE, -EINVAL],
    ['/file', '/file2', RENAME_EXCHANGE | RENAME_NOREPLACE, -EINVAL],
    ['/file', '/new', RENAME_WHITEOUT, -EINVAL],
    ['/file', '/new', 8, -EINVAL],
  ];
  for (const [from, to, flags, want] of matrix) {
    it(`${from} to ${to}, flags ${flags}: ${want}`, () => {
      const ctx = fresh();
      const moved = at(ctx, from);
      const there = at(ctx, to);
      assert.equal(mv(ctx, from, to, flags), want);
      if (want < 0) {
        assert.equal(at(ctx, from), moved);
        assert.equal(at(ctx, to), there);
        return;
      }
      assert.equal(at(ctx, to), moved);
      if (flags === RENAME_EXCHANGE) assert.equal(at(ctx, from), there);
      else if (from !== to) assert.equal(at(ctx, from), -ENOENT);
    });
  }

  it('keeps link counts right', () => {
    const ctx = fresh();
    const root = at(ctx, '/') as Inode;
    const full = at(ctx, '/full') as Inode;
    assert.equal(root.nlink, 5);
    assert.equal(mv(ctx, '/dir', '/full/sub'), 0);
    assert.deepEqual([root.nlink, full.nlink], [4, 3]);
    assert.equal(mv(ctx, '/file', '/full/sub', RENAME_EXCHANGE), 0);
    assert.deepEqual([root.nlink, full.nlink], [5, 2]);
    assert.equal(makeLink(ctx, AT_FDCWD, '/file2', AT_FDCWD, '/hard', 0), 0);
    const file2 = at(ctx, '/file2') as Inode;
    assert.equal(mv(ctx, '/file2', '/hard'), 0);
    assert.equal(file2.nlink, 2);
    assert.equal(mv(ctx, '/full/x', '/hard'), 0);
    assert.equal(file2.nlink, 1);
  });

  it('asks for the rights that Linux asks for', () => {
    const ctx = fresh();
    const user = ctx.as(1000, 1000);
    assert.equal(mv(user, '/file', '/new'), -EACCES);
    const root = at(ctx, '/') as Inode;
    root.mode |= 0o1777;
    assert.equal(mv(user, '/file', '/new'), -EPERM);
    (at(ctx, '/file') as Inode).uid = 1000;
    assert.equal(mv(user, '/file', '/new'), 0);
    assert.equal(mv(user, '/new', '/file2'), -EPERM);
    root.mode &= ~0o1000;
    const dir = at(ctx, '/dir') as Inode;
    (at(ctx, '/full') as Inode).mode = 0o40777;
    assert.equal(mv(user, '/dir', '/full/d'), -EACCES);
    dir.uid = 1000;
    assert.equal(mv(user, '/dir', '/full/d'), 0);
  });

  it('does not cross mounts or move mount points', () => {
    const ctx = fresh();
    const p = lookupPath(ctx, AT_FDCWD, '/dir');
    if (failed(p)) assert.fail();
    p.mount.ns!.attach(newMount(new TmpfsFs(testMemory(), ctx), 'none', 0), p);
    assert.equal(mv(ctx, '/file', '/dir/file'), -EXDEV);
    assert.equal(mv(ctx, '/dir', '/moved'), -EBUSY);
    assert.equal(mv(ctx, '/dir2', '/dir'), -EBUSY);
  });
});
