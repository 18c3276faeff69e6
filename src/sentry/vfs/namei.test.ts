import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  EACCES,
  EEXIST,
  EISDIR,
  ELOOP,
  ENAMETOOLONG,
  ENOENT,
  ENOTDIR,
  EROFS,
  ETXTBSY,
  EXDEV,
} from '../../abi/errno.ts';
import {
  AT_FDCWD,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_TMPFILE,
  O_TRUNC,
  O_WRONLY,
  RESOLVE_BENEATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from '../../abi/fs/fcntl.ts';
import { MS_RDONLY } from '../../abi/fs/mount.ts';
import { KernelIo } from '../base/io.ts';
import { TmpfsFs } from '../fs/tmpfs/tmpfs.ts';
import { TestContext, testMemory } from './context.test.helper.ts';
import { makeDir, makeLink, makeSymlink, removeDir, removeFile } from './dirops.ts';
import { cwdString, pathString } from './dpath.ts';
import type { File } from './file.ts';
import { newMount } from './mount.ts';
import { LOOKUP_DIRECTORY, LOOKUP_FOLLOW, lookupPath } from './namei.ts';
import { allowWrite, denyWrite, openAt } from './open.ts';
import type { Path } from './path.ts';

function fresh(): TestContext {
  const ctx = new TestContext();
  ctx.mountRoot(new TmpfsFs(testMemory(), ctx, 0o755));
  return ctx;
}

function file(r: File | number): File {
  if (typeof r === 'number') assert.fail(`errno ${-r}`);
  return r;
}

function place(r: Path | number): Path {
  if (typeof r === 'number') assert.fail(`errno ${-r}`);
  return r;
}

function touch(ctx: TestContext, path: string, text = ''): void {
  const f = file(openAt(ctx, AT_FDCWD, path, O_CREAT | O_WRONLY, 0o644));
  if (text !== '') assert.equal(f.write(ctx, new KernelIo(Buffer.from(text))), text.length);
  f.unref();
}

const mk = (ctx: TestContext, path: string): void => assert.equal(makeDir(ctx, AT_FDCWD, path, 0o777), 0);
const ln = (ctx: TestContext, to: string, path: string): void =>
  assert.equal(makeSymlink(ctx, to, AT_FDCWD, path), 0);
const look = (ctx: TestContext, path: string, flags = LOOKUP_FOLLOW, resolve = 0): Path | number =>
  lookupPath(ctx, AT_FDCWD, path, flags, resolve);

describe('path walking', () => {
  it('resolves names, dots, slashes and symbolic links', () => {
    const ctx = fresh();
    mk(ctx, '/a');
    mk(ctx, '/a/b');
    touch(ctx, '/a/b/f');
    ln(ctx, '/a', '/abs');
    ln(ctx, 'b/../b', '/a/rel');
    const f = place(look(ctx, '/a/b/f')).dentry;
    for (const p of ['a/b/f', '//a///b//f', '/a/./b/../b/f', '/../../a/b/f', '/abs/rel/f', '/a/rel/./f'])
      assert.equal(place(look(ctx, p)).dentry, f, p);
    assert.equal(look(ctx, ''), -ENOENT);
    assert.equal(look(ctx, '/a/none/f'), -ENOENT);
    assert.equal(look(ctx, '/a/b/f/x'), -ENOTDIR);
    assert.equal(look(ctx, '/a/b/f/'), -ENOTDIR);
    assert.equal(look(ctx, '/a/b/f/.'), -ENOTDIR);
    assert.equal(look(ctx, `/${'x'.repeat(256)}`), -ENAMETOOLONG);
    assert.equal(look(ctx, `/${'x'.repeat(255)}`), -ENOENT);
    assert.equal(place(look(ctx, '/', LOOKUP_FOLLOW | LOOKUP_DIRECTORY)).dentry, ctx.fs.root.dentry);
  });

  it('follows the last link only when asked, or before a slash', () => {
    const ctx = fresh();
    mk(ctx, '/d');
    ln(ctx, 'd', '/l');
    ln(ctx, 'gone', '/dangling');
    const d = place(look(ctx, '/d')).dentry;
    assert.notEqual(place(look(ctx, '/l', 0)).dentry, d);
    assert.equal(place(look(ctx, '/l/', 0)).dentry, d);
    assert.equal(look(ctx, '/dangling'), -ENOENT);
    assert.equal(place(look(ctx, '/dangling', 0)).dentry.name, 'dangling');
  });

  it('stops after 40 links', () => {
    const ctx = fresh();
    touch(ctx, '/f');
    ln(ctx, 'f', '/l1');
    for (let i = 2; i <= 41; i++) ln(ctx, `l${i - 1}`, `/l${i}`);
    assert.equal(typeof look(ctx, '/l40'), 'object');
    assert.equal(look(ctx, '/l41'), -ELOOP);
    ln(ctx, 'loop', '/loop');
    assert.equal(look(ctx, '/loop'), -ELOOP);
    assert.equal(look(ctx, '/loop/x'), -ELOOP);
  });

  it('checks search permission on every directory', () => {
    const ctx = fresh();
    mk(ctx, '/p');
    touch(ctx, '/p/f');
    place(look(ctx, '/p')).dentry.inode!.mode &= ~0o077;
    assert.equal(look(ctx.as(1000, 1000), '/p/f'), -EACCES);
    assert.equal(look(ctx.as(1000, 1000), '/p/none'), -EACCES);
    assert.equal(typeof look(ctx, '/p/f'), 'object');
  });

  it('keeps to the root of chroot', () => {
    const ctx = fresh();
    mk(ctx, '/jail');
    touch(ctx, '/secret');
    touch(ctx, '/jail/f');
    ln(ctx, '/f', '/jail/l');
    const jail = place(look(ctx, '/jail'));
    ctx.fs.setRoot(jail);
    ctx.fs.setCwd(jail);
    assert.equal(look(ctx, '../secret'), -ENOENT);
    assert.equal(place(look(ctx, '/l')).dentry, place(look(ctx, '../../f')).dentry);
  });

  it('confines as openat2 asks', () => {
    const ctx = fresh();
    mk(ctx, '/d');
    mk(ctx, '/d/sub');
    touch(ctx, '/d/f');
    ln(ctx, '/f', '/d/abs');
    ln(ctx, '../d/f', '/d/up');
    const dir = file(openAt(ctx, AT_FDCWD, '/d', O_RDONLY | O_DIRECTORY, 0));
    const fd = ctx.fds.install(dir, false, 10);
    const at = (p: string, resolve: number): Path | number => lookupPath(ctx, fd, p, LOOKUP_FOLLOW, resolve);
    assert.equal(typeof at('sub/../f', RESOLVE_BENEATH), 'object');
    assert.equal(at('../d/f', RESOLVE_BENEATH), -EXDEV);
    assert.equal(at('/f', RESOLVE_BENEATH), -EXDEV);
    assert.equal(at('abs', RESOLVE_BENEATH), -EXDEV);
    assert.equal(at('up', RESOLVE_BENEATH), -EXDEV);
    assert.equal(typeof at('abs', RESOLVE_IN_ROOT), 'object');
    assert.equal(at('up', RESOLVE_IN_ROOT), -ENOENT);
    assert.equal(at('abs', RESOLVE_NO_SYMLINKS), -ELOOP);
    ctx.fds.close(ctx, fd);
  });

  it('crosses mounts both ways', () => {
    const ctx = fresh();
    mk(ctx, '/m');
    touch(ctx, '/m/below');
    const m = newMount(new TmpfsFs(testMemory(), ctx), 'second', 0);
    const ns = ctx.fs.root.mount.ns!;
    assert.equal(ns.attach(m, place(look(ctx, '/m'))), 0);
    assert.equal(look(ctx, '/m/below'), -ENOENT);
    mk(ctx, '/m/in');
    assert.equal(pathString(place(look(ctx, '/m/in')), ctx.fs.root), '/m/in');
    assert.equal(place(look(ctx, '/m/in/../..')).dentry, ctx.fs.root.dentry);
    assert.equal(look(ctx, '/m/in', LOOKUP_FOLLOW, RESOLVE_NO_XDEV), -EXDEV);
    m.flags |= MS_RDONLY;
    assert.equal(makeDir(ctx, AT_FDCWD, '/m/x', 0o755), -EROFS);
    assert.equal(openAt(ctx, AT_FDCWD, '/m/x', O_CREAT | O_RDWR, 0o644), -EROFS);
    assert.equal(ns.detach(m, false), 0);
    assert.equal(typeof look(ctx, '/m/below'), 'object');
  });

  it('tells the path of a place, deleted ones too', () => {
    const ctx = fresh();
    mk(ctx, '/a');
    mk(ctx, '/a/b');
    const b = place(look(ctx, '/a/b'));
    ctx.fs.setCwd(b);
    assert.equal(cwdString(ctx.fs.cwd, ctx.fs.root), '/a/b');
    assert.equal(removeDir(ctx, AT_FDCWD, '/a/b'), 0);
    assert.equal(cwdString(ctx.fs.cwd, ctx.fs.root), -ENOENT);
    assert.equal(pathString(b, ctx.fs.root), '/a/b (deleted)');
    assert.equal(openAt(ctx, AT_FDCWD, 'x', O_CREAT | O_RDWR, 0o644), -ENOENT);
    assert.equal(cwdString(ctx.fs.root, place(look(ctx, '/a'))), '(unreachable)/');
  });
});

describe('open', () => {
  it('creates, and refuses what open(2) refuses', () => {
    const ctx = fresh();
    mk(ctx, '/d');
    touch(ctx, '/f', 'text');
    ln(ctx, 'f', '/l');
    ln(ctx, 'made', '/dangling');
    const open = (p: string, flags: number): File | number => openAt(ctx, AT_FDCWD, p, flags, 0o666);
    assert.equal(open('/f', O_CREAT | O_EXCL | O_RDWR), -EEXIST);
    assert.equal(open('/l', O_CREAT | O_EXCL | O_RDWR), -EEXIST);
    assert.equal(open('/dangling', O_CREAT | O_EXCL | O_RDWR), -EEXIST);
    assert.equal(open('/l', O_NOFOLLOW), -ELOOP);
    assert.equal(open('/l', O_NOFOLLOW | O_CREAT), -ELOOP);
    assert.equal(open('/d', O_WRONLY), -EISDIR);
    assert.equal(open('/d', O_CREAT), -EISDIR);
    assert.equal(open('/new/', O_CREAT | O_WRONLY), -EISDIR);
    assert.equal(open('/d/..', O_CREAT), -EISDIR);
    assert.equal(open('/f', O_DIRECTORY), -ENOTDIR);
    assert.equal(open('/none', O_RDONLY), -ENOENT);
    file(open('/dangling', O_CREAT | O_WRONLY)).unref();
    assert.equal(place(look(ctx, '/made')).dentry.inode!.mode, 0o100644);
    const f = file(open('/f', O_RDWR | O_TRUNC));
    assert.equal(f.inode.size, 0);
    f.unref();
    const l = file(open('/l', O_PATH | O_NOFOLLOW));
    assert.equal(l.inode.readlink(ctx), 'f');
    l.unref();
  });

  it('keeps programs that run from being written', () => {
    const ctx = fresh();
    touch(ctx, '/prog');
    const inode = place(look(ctx, '/prog')).dentry.inode!;
    const f = file(openAt(ctx, AT_FDCWD, '/prog', O_RDWR, 0));
    assert.equal(denyWrite(inode), -ETXTBSY);
    f.unref();
    assert.equal(denyWrite(inode), 0);
    assert.equal(openAt(ctx, AT_FDCWD, '/prog', O_RDWR, 0), -ETXTBSY);
    allowWrite(inode);
    file(openAt(ctx, AT_FDCWD, '/prog', O_RDWR, 0)).unref();
    assert.equal(inode.writers, 0);
  });

  it('keeps unlinked content until the last close', () => {
    const ctx = fresh();
    const used = testMemory().usedPages;
    touch(ctx, '/f', 'x'.repeat(10000));
    assert.equal(testMemory().usedPages, used + 3);
    const f = file(openAt(ctx, AT_FDCWD, '/f', O_RDONLY, 0));
    assert.equal(removeFile(ctx, AT_FDCWD, '/f'), 0);
    assert.equal(f.inode.nlink, 0);
    const b = new Uint8Array(4);
    assert.equal(f.pread(ctx, new KernelIo(b), 9996), 4);
    f.unref();
    assert.equal(testMemory().usedPages, used);
  });

  it('names an O_TMPFILE file once', () => {
    const ctx = fresh();
    const f = file(openAt(ctx, AT_FDCWD, '/', O_TMPFILE | O_RDWR, 0o600));
    const fd = ctx.fds.install(f, false, 10);
    assert.equal(makeLink(ctx, fd, '', AT_FDCWD, '/named', 0x1000), 0);
    assert.equal(place(look(ctx, '/named')).dentry.inode, f.inode);
    assert.equal(f.inode.nlink, 1);
    ctx.fds.close(ctx, fd);
  });
});
