import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { ENOENT } from '../../abi/errno.ts';
import { AT_FDCWD, O_CREAT, O_RDWR } from '../../abi/fs/fcntl.ts';
import { failed } from '../base/errno.ts';
import { TmpfsFs } from '../fs/tmpfs/tmpfs.ts';
import { TestContext, testMemory } from './context.test.helper.ts';
import { dentryCache } from './dentry.ts';
import { makeDir } from './dirops.ts';
import { lookupPath } from './namei.ts';
import { openAt } from './open.ts';
import type { Path } from './path.ts';

const usual = dentryCache.limit;
afterEach(() => {
  dentryCache.limit = usual;
});

function fresh(): TestContext {
  const ctx = new TestContext();
  ctx.mountRoot(new TmpfsFs(testMemory(), ctx, 0o755));
  return ctx;
}

function place(ctx: TestContext, path: string): Path {
  const p = lookupPath(ctx, AT_FDCWD, path);
  if (failed(p)) assert.fail(`${path}: errno ${-p}`);
  return p;
}

describe('dentry cache', () => {
  it('stays near its limit, negative entries included', () => {
    const ctx = fresh();
    assert.equal(makeDir(ctx, AT_FDCWD, '/d', 0o755), 0);
    dentryCache.limit = dentryCache.count + 100;
    for (let i = 0; i < 5000; i++) assert.equal(lookupPath(ctx, AT_FDCWD, `/d/none${i}`), -ENOENT);
    assert.ok(dentryCache.count <= dentryCache.limit + 32, `${dentryCache.count} of ${dentryCache.limit}`);
  });

  it('keeps what is pinned and the way to it', () => {
    const ctx = fresh();
    for (const d of ['/a', '/a/b', '/a/b/c', '/x']) assert.equal(makeDir(ctx, AT_FDCWD, d, 0o755), 0);
    const f = openAt(ctx, AT_FDCWD, '/a/b/c/f', O_CREAT | O_RDWR, 0o600);
    if (failed(f)) assert.fail(String(f));
    const x = place(ctx, '/x').dentry;
    const b = place(ctx, '/a/b').dentry;
    dentryCache.limit = 0;
    for (let i = 0; i < 100; i++) dentryCache.shrink(1000);
    assert.equal(place(ctx, '/a/b').dentry, b);
    assert.equal(place(ctx, '/a/b/c/f').dentry, f.path!.dentry);
    assert.notEqual(place(ctx, '/x').dentry, x);
    f.unref();
    for (let i = 0; i < 100; i++) dentryCache.shrink(1000);
    assert.notEqual(place(ctx, '/a/b').dentry, b);
  });
});
