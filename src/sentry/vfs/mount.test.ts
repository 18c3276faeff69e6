import assert from 'node:assert/strict';
import { it } from 'node:test';
import { EBUSY, ENOSPC, ENOTDIR } from '../../abi/errno.ts';
import { AT_FDCWD, O_CREAT, O_RDWR } from '../../abi/fs/fcntl.ts';
import { KernelIo } from '../base/io.ts';
import { TmpfsFs } from '../fs/tmpfs/tmpfs.ts';
import { TestContext, testMemory } from './context.test.helper.ts';
import { makeDir } from './dirops.ts';
import type { File } from './file.ts';
import { copyTree, countTree, newMount } from './mount.ts';
import type { MountNamespace } from './mount_namespace.ts';
import { lookup } from './namei.ts';
import { openAt } from './open.ts';
import { Path } from './path.ts';

const PAGES = 64;

function fresh(): { ctx: TestContext; ns: MountNamespace } {
  const ctx = new TestContext();
  const ns = ctx.mountRoot(new TmpfsFs(testMemory(), ctx, 0o755));
  for (const name of ['/m', '/n']) assert.equal(makeDir(ctx, AT_FDCWD, name, 0o755), 0);
  return { ctx, ns };
}

function at(ctx: TestContext, path: string): Path {
  const p = lookup(ctx, path);
  if (typeof p === 'number') assert.fail(`${path}: ${p}`);
  return p;
}

function fill(ctx: TestContext, path: string): File {
  const f = openAt(ctx, AT_FDCWD, path, O_CREAT | O_RDWR, 0o644);
  if (typeof f === 'number') assert.fail(`${path}: ${f}`);
  assert.equal(f.write(ctx, new KernelIo(new Uint8Array(PAGES * 4096))), PAGES * 4096);
  return f;
}

it('frees the pages of a tmpfs with its last mount', () => {
  const { ctx, ns } = fresh();
  const before = testMemory().usedPages;
  const m = newMount(new TmpfsFs(testMemory(), ctx), 'none', 0);
  assert.equal(ns.attach(m, at(ctx, '/m')), 0);
  assert.equal(makeDir(ctx, AT_FDCWD, '/m/d', 0o755), 0);
  fill(ctx, '/m/d/f').unref();
  const bound = copyTree(m, m.root, false);
  assert.equal(ns.attach(bound, at(ctx, '/n')), 0);
  assert.equal(ns.detach(m, false), 0);
  assert.equal(testMemory().usedPages, before + PAGES);
  assert.equal(ns.detach(bound, false), 0);
  assert.equal(testMemory().usedPages, before);
});

it('keeps an unmounted file system as long as a file in it is open', () => {
  const { ctx, ns } = fresh();
  const before = testMemory().usedPages;
  const m = newMount(new TmpfsFs(testMemory(), ctx), 'none', 0);
  assert.equal(ns.attach(m, at(ctx, '/m')), 0);
  fill(ctx, '/m/other').unref();
  const f = fill(ctx, '/m/f');
  assert.equal(ns.detach(m, false), -EBUSY);
  assert.equal(ns.detach(m, true), 0);
  const byte = new Uint8Array(1);
  assert.equal(f.pread(ctx, new KernelIo(byte), PAGES * 4096 - 1), 1);
  f.unref();
  assert.equal(testMemory().usedPages, before);
});

it('handles chains of mounts of any length, up to the limit', () => {
  const { ctx, ns } = fresh();
  const top = at(ctx, '/m');
  const root = ns.root;
  let r = 0;
  for (let place = top; r === 0; ) {
    const m = copyTree(root, root.root, false);
    r = ns.attach(m, place);
    // The next one goes on this one: from the bottom, each would look for the top anew.
    place = new Path(m, m.root);
  }
  assert.equal(r, -ENOSPC);
  assert.equal(ns.hasRoom(1), false);
  const count = ns.mounts.length;
  assert.equal(countTree(root, true), count);
  assert.equal(ns.attach(copyTree(root, root.root, true), at(ctx, '/n')), -ENOSPC);
  assert.equal(at(ctx, '/n').dentry.mounted, 0);
  assert.equal(ns.detach(ns.mounts[1]!, true), 0);
  assert.equal(ns.mounts.length, 1);
  assert.equal(top.dentry.mounted, 0);
});

it('leaves nothing of a mount that finds no place', () => {
  const { ctx, ns } = fresh();
  fill(ctx, '/file').unref();
  const fs = new TmpfsFs(testMemory(), ctx);
  assert.equal(ns.attach(newMount(fs, 'none', 0), at(ctx, '/file')), -ENOTDIR);
  assert.equal(fs.mounts, 0);
});
