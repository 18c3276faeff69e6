// A host whose device and inode numbers are any 64 bits: every file must stay itself, with a number of its own.
import assert from 'node:assert/strict';
import { closeSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { EACCES, ENODATA, ENOENT, EOVERFLOW } from '../../../abi/errno.ts';
import { AT_FDCWD, O_CREAT, O_RDONLY, O_RDWR } from '../../../abi/fs/fcntl.ts';
import { S_IFDIR, S_IFREG, STAT_ST_INO } from '../../../abi/fs/stat.ts';
import { SYS_pread64 } from '../../../abi/syscall.ts';
import type { U64 } from '../../../abi/u64.ts';
import { hostCall } from '../../../host/syscall.ts';
import { failed } from '../../base/errno.ts';
import { KernelIo } from '../../base/io.ts';
import { TestContext, testMemory } from '../../vfs/context.test.helper.ts';
import type { Inode } from '../../vfs/inode.ts';
import { lookupPath } from '../../vfs/namei.ts';
import { openAt } from '../../vfs/open.ts';
import { putStat } from '../../vfs/stat.ts';
import { type HostEntry, HostNode, type HostTree } from './hosttree.ts';
import { HostRootFs } from './rootfs.ts';

const RECORD = 16;
const FILES = 400;
const backing = join(tmpdir(), `vedette-inodes-${process.pid}`);
writeFileSync(backing, Array.from({ length: FILES }, (_, i) => `file ${i}`.padEnd(RECORD)).join(''));
const fd = openSync(backing, 'r');
after(() => {
  closeSync(fd);
  rmSync(backing);
});

/** A U64 as the kernel makes it from 64 bits. */
function u64(n: bigint): U64 {
  return n < 2n ** 53n ? Number(n) : n;
}

/** One directory of files, whose identities the test gives; a file's content and owner tell which it is. */
class FakeTree implements HostTree {
  readonly root: HostNode = new HostNode(null, '/');
  private readonly ids: ReadonlyArray<readonly [dev: bigint, ino: bigint]>;

  constructor(rootDev: bigint, ids: ReadonlyArray<readonly [bigint, bigint]>) {
    this.root.mode = S_IFDIR | 0o755;
    this.root.dev = u64(rootDev);
    this.root.ino = 2;
    this.ids = ids;
  }

  lookup(dir: HostNode, name: string): HostNode | number {
    const index = Number(name);
    const id = this.ids[index];
    if (id === undefined) return -ENOENT;
    const node = new HostNode(dir, name);
    [node.dev, node.ino] = [u64(id[0]), u64(id[1])];
    node.mode = S_IFREG | 0o644;
    node.uid = index;
    node.size = RECORD;
    return node;
  }

  readdir(): HostEntry[] {
    return this.ids.map(([, ino], i) => ({ name: String(i), ino: u64(ino), type: 8 }));
  }

  pread(file: HostNode, addr: number, len: number, off: number): number {
    return hostCall(SYS_pread64, fd, addr, Math.min(len, RECORD - off), Number(file.name) * RECORD + off);
  }

  readlink(): number {
    return -ENOENT;
  }
  getxattr(): number {
    return -ENODATA;
  }
  checkRead(): number {
    return 0;
  }
  descriptor(): number {
    return -EACCES;
  }
  canMap(): boolean {
    return false;
  }
  release(): void {}
}

function show(tree: HostTree): TestContext {
  const ctx = new TestContext();
  ctx.mountRoot(new HostRootFs(testMemory(), tree));
  return ctx;
}

function inode(ctx: TestContext, path: string): Inode {
  const p = lookupPath(ctx, AT_FDCWD, path);
  if (failed(p)) assert.fail(`${path}: errno ${-p}`);
  return p.dentry.inode!;
}

/** st_ino as a guest gets it. */
function statIno(i: Inode): bigint {
  const view = new DataView(new ArrayBuffer(144));
  putStat(view, 0, i);
  return view.getBigUint64(STAT_ST_INO, true);
}

function text(ctx: TestContext, path: string): string {
  const f = openAt(ctx, AT_FDCWD, path, O_RDONLY, 0);
  if (failed(f)) assert.fail(`${path}: errno ${-f}`);
  const out = Buffer.alloc(100);
  const n = f.read(ctx, new KernelIo(out));
  f.unref();
  return out.toString('latin1', 0, n).trim();
}

/** The numbers of all files by name, having checked that each name is its own file. */
function check(ctx: TestContext, count: number): bigint[] {
  const numbers: bigint[] = [];
  const held: Inode[] = [];
  for (let i = 0; i < count; i++) {
    const at = inode(ctx, `/${i}`);
    assert.equal(at.uid, i);
    assert.equal(text(ctx, `/${i}`), `file ${i}`);
    held.push(at);
    numbers.push(statIno(at));
  }
  assert.equal(new Set(held).size, count);
  assert.equal(new Set(numbers).size, count);
  return numbers;
}

/** 64 random bits, the same in every run (xorshift64). */
function randomBits(): () => bigint {
  let x = 0x9e3779b97f4a7c15n;
  return () => {
    x ^= BigInt.asUintN(64, x << 13n);
    x ^= x >> 7n;
    x ^= BigInt.asUintN(64, x << 17n);
    return x;
  };
}

describe('inode numbers of the host', () => {
  it('are exact, also where doubles are not', () => {
    const next = randomBits();
    const ids: [bigint, bigint][] = [];
    while (ids.length < FILES) {
      // Neighbours that a double cannot tell apart, half of them; and the largest number of all.
      const base = next() >> BigInt(ids.length % 12);
      for (const ino of [base, base ^ 1n, 0xffff_ffff_ffff_ffffn - BigInt(ids.length)]) ids.push([7n, ino]);
    }
    ids.length = FILES;
    const ctx = show(new FakeTree(7n, ids));
    const numbers = check(ctx, FILES);
    for (const [i, [, ino]] of ids.entries())
      if (ino >= 201n * 2n ** 44n || ino < 2n ** 40n) assert.equal(numbers[i], ino, String(i));
    const dir = openAt(ctx, AT_FDCWD, '/', O_RDONLY, 0);
    if (failed(dir)) assert.fail();
    const listed = new Map<string, bigint>();
    dir.readdir(ctx, {
      emit: (name, ino) => listed.set(name, BigInt(ino)) !== null,
      emitRecords: () => -1,
    });
    dir.unref();
    for (const [i, ino] of numbers.entries()) assert.equal(listed.get(String(i)), ino);
  });

  it('are told apart on any devices, and from those of new files', () => {
    const next = randomBits();
    const inos = [
      1n,
      2n ** 40n + 1n,
      2n ** 40n + 2n,
      2n ** 44n + 1n,
      2n ** 45n + 1n,
      2n ** 63n,
      2n ** 63n + 1n,
    ];
    const ids: [bigint, bigint][] = [];
    // More devices than there are ranges for, many of which a double rounds to one.
    for (let i = 0; ids.length < FILES; i++)
      ids.push([i % 3 === 0 ? 7n : 2n ** 60n + BigInt(i), i < 100 ? inos[i % 7]! : next()]);
    const seen = new Map(ids.map((id) => [id.join(), id]));
    const distinct = [...seen.values()];
    const ctx = show(new FakeTree(7n, distinct));
    for (let i = 0; i < 10; i++) openAt(ctx, AT_FDCWD, `/new${i}`, O_CREAT | O_RDWR, 0o644);
    const numbers = check(ctx, distinct.length);
    for (let i = 0; i < 10; i++) numbers.push(statIno(inode(ctx, `/new${i}`)));
    assert.equal(new Set(numbers).size, numbers.length);
    assert.deepEqual(check(ctx, distinct.length), numbers.slice(0, -10));
  });

  it('make hard links one file', () => {
    const ctx = show(
      new FakeTree(
        7n,
        [0, 1, 2].map((i) => [7n, 2n ** 63n + BigInt(i >> 1)]),
      ),
    );
    assert.equal(inode(ctx, '/0'), inode(ctx, '/1'));
    assert.notEqual(inode(ctx, '/0'), inode(ctx, '/2'));
  });
});

it('a file too large for exact offsets is not opened', () => {
  const tree = new FakeTree(7n, [[7n, 5n]]);
  const lookup = tree.lookup.bind(tree);
  tree.lookup = (dir, name) => {
    const node = lookup(dir, name);
    if (!failed(node)) node.size = 2 ** 63 - 1024;
    return node;
  };
  const ctx = show(tree);
  assert.equal(openAt(ctx, AT_FDCWD, '/0', O_RDONLY, 0), -EOVERFLOW);
});
