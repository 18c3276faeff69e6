import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ENOSPC, EPERM } from '../../../abi/errno.ts';
import { randomFill } from '../../../host/random.ts';
import { KernelIo } from '../../base/io.ts';
import { MemoryFile } from '../../memfile/memfile.ts';
import { AnonFs, AnonInode } from '../../vfs/anon.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { populateDev } from './dev.ts';
import { FullFile, NullFile, ZeroFile } from './memory_devices.ts';
import { RandomFile } from './random.ts';

const inode = new AnonInode(new AnonFs('test', 0), 0);
const ctx = {} as VfsContext;

test('memory devices', () => {
  const memfile = MemoryFile.create(1 << 24);
  assert.ok(memfile instanceof MemoryFile);
  const buffer = Buffer.alloc(10, 1);
  assert.equal(new NullFile(inode, 2).read(ctx, new KernelIo(buffer)), 0);
  assert.equal(new NullFile(inode, 2).write(ctx, new KernelIo(buffer)), 10);
  const zero = new ZeroFile(inode, 2, memfile);
  assert.equal(zero.read(ctx, new KernelIo(buffer)), 10);
  assert.deepEqual(buffer, Buffer.alloc(10));
  assert.equal(new FullFile(inode, 2).write(ctx, new KernelIo(buffer)), -ENOSPC);
  const pages = zero.mmap();
  assert.notEqual(pages, zero.mmap(), 'each mapping is memory of its own');
  assert.ok(pages.getPage(5, true) >= 0);
});

test('random bytes do not repeat, also beyond the pool', () => {
  const a = new Uint8Array(10000);
  const b = new Uint8Array(10000);
  randomFill(a, 0, a.length);
  assert.equal(new RandomFile(inode, 0).read(ctx, new KernelIo(b)), 10000);
  assert.notDeepEqual(a, b);
  const seen = new Set<string>();
  for (let i = 0; i + 16 <= a.length; i += 16) seen.add(Buffer.from(a.subarray(i, i + 16)).toString('hex'));
  assert.equal(seen.size, 625);
});

test('the content of /dev', () => {
  const made: string[] = [];
  const record = (name: string): number => {
    made.push(name);
    return 0;
  };
  assert.equal(populateDev({ mkdir: record, mknod: record, symlink: record }, true), 0);
  assert.equal(new Set(made).size, made.length);
  for (const name of ['null', 'zero', 'urandom', 'tty', 'console', 'ptmx', 'pts', 'shm', 'fd', 'stderr']) {
    assert.ok(made.includes(name), name);
  }
  assert.equal(populateDev({ mkdir: () => -EPERM, mknod: () => 0, symlink: () => 0 }, false), -EPERM);
});
