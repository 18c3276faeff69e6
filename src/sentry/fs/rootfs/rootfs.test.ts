import assert from 'node:assert/strict';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { EACCES, EEXIST, ENOENT, ENOTEMPTY, ENXIO } from '../../../abi/errno.ts';
import {
  DIRENT64_D_INO,
  DIRENT64_D_NAME,
  DIRENT64_D_RECLEN,
  DIRENT64_D_TYPE,
  dirent64Size,
} from '../../../abi/fs/dirent.ts';
import { AT_FDCWD, O_APPEND, O_CREAT, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } from '../../../abi/fs/fcntl.ts';
import { getU64Exact, type U64 } from '../../../abi/u64.ts';
import { failed } from '../../base/errno.ts';
import { KernelIo } from '../../base/io.ts';
import { TestContext, testMemory } from '../../vfs/context.test.helper.ts';
import { dentryCache } from '../../vfs/dentry.ts';
import type { DirRecords } from '../../vfs/dir_records.ts';
import { makeDir, removeDir, removeFile, rename } from '../../vfs/dirops.ts';
import type { File } from '../../vfs/file.ts';
import type { DirSink, Inode } from '../../vfs/inode.ts';
import { lookupPath } from '../../vfs/namei.ts';
import { openAt } from '../../vfs/open.ts';
import { HostRootFs } from './rootfs.ts';

const host = mkdtempSync(join(tmpdir(), 'vedette-rootfs-'));
after(() => rmSync(host, { recursive: true }));
const BIG = Buffer.alloc(1_000_003, 0);
for (let i = 0; i < BIG.length; i++) BIG[i] = (i * 31 + (i >> 8)) & 255;

function build(name: string): { ctx: TestContext; dir: string } {
  const dir = join(host, name);
  mkdirSync(join(dir, 'sub/deep'), { recursive: true });
  writeFileSync(join(dir, 'hello'), 'hello host\n');
  linkSync(join(dir, 'hello'), join(dir, 'sub/twin'));
  writeFileSync(join(dir, 'big'), BIG);
  writeFileSync(join(dir, 'sub/deep/x'), 'x');
  symlinkSync('/hello', join(dir, 'abs'));
  symlinkSync('/../../../../etc/passwd', join(dir, 'escape'));
  const fs = HostRootFs.create(testMemory(), Buffer.from(dir).toString('latin1'));
  if (failed(fs)) assert.fail(`errno ${-fs}`);
  const ctx = new TestContext();
  ctx.mountRoot(fs);
  return { ctx, dir };
}

function open(ctx: TestContext, path: string, flags: number): File {
  const f = openAt(ctx, AT_FDCWD, path, flags, 0o644);
  if (failed(f)) assert.fail(`${path}: errno ${-f}`);
  return f;
}

function read(ctx: TestContext, path: string): Buffer {
  const f = open(ctx, path, O_RDONLY);
  const out = Buffer.alloc(2 ** 21);
  let done = 0;
  for (;;) {
    const n = f.read(ctx, new KernelIo(out, done, Math.min(100_000, out.length - done)));
    assert.ok(n >= 0);
    if (n === 0) break;
    done += n;
  }
  f.unref();
  return out.subarray(0, done);
}

function write(ctx: TestContext, path: string, text: string, flags: number): void {
  const f = open(ctx, path, flags);
  assert.equal(f.write(ctx, new KernelIo(Buffer.from(text))), text.length);
  f.unref();
}

function inode(ctx: TestContext, path: string): Inode {
  const p = lookupPath(ctx, AT_FDCWD, path);
  if (failed(p)) assert.fail(`${path}: errno ${-p}`);
  return p.dentry.inode!;
}

function list(ctx: TestContext, path: string): string[] {
  const f = open(ctx, path, O_RDONLY);
  const names: string[] = [];
  let room = 0;
  // Two names per call: every listing is resumed many times.
  do {
    room = 2;
    f.readdir(ctx, {
      emit: (name) => {
        if (room === 0) return false;
        room--;
        names.push(name);
        return true;
      },
      emitRecords: () => -1,
    });
  } while (room === 0);
  f.unref();
  return names.sort();
}

type Entry = [name: string, ino: U64, type: number, next: number];

/** Takes entries up to `room` bytes a call, records in their encoded form. */
class RecordsSink implements DirSink {
  private readonly room: number;
  private readonly out: Entry[];
  private used = 0;

  constructor(room: number, out: Entry[]) {
    this.room = room;
    this.out = out;
  }

  emit(name: string, ino: U64, type: number, next: number): boolean {
    const size = dirent64Size(name.length);
    if (this.used + size > this.room) return false;
    this.used += size;
    this.out.push([name, ino, type, next]);
    return true;
  }

  emitRecords(records: DirRecords, index: number): number {
    const n = records.fitting(index, this.room - this.used);
    const bytes = Buffer.from(records.bytes);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let i = index; i < index + n; i++) {
      const at = records.start(i);
      const size = bytes.readUInt16LE(at + DIRENT64_D_RECLEN);
      assert.equal(at + size, records.start(i + 1));
      const name = bytes.toString('latin1', at + DIRENT64_D_NAME, bytes.indexOf(0, at + DIRENT64_D_NAME));
      const ino = getU64Exact(view, at + DIRENT64_D_INO);
      assert.ok(this.emit(name, ino, bytes[at + DIRENT64_D_TYPE]!, records.next(i)));
    }
    return n;
  }
}

/** The entries of a directory as a list of calls with `room` bytes gives them, or one by one. */
function entries(ctx: TestContext, path: string, room: number | null): Entry[] {
  const f = open(ctx, path, O_RDONLY);
  const out: Entry[] = [];
  for (let before = -1; f.pos !== before; ) {
    before = f.pos;
    const sink = new RecordsSink(room ?? 4096, out);
    if (room === null) sink.emitRecords = () => -1;
    assert.equal(f.readdir(ctx, sink), 0);
  }
  f.unref();
  return out;
}

describe('rootfs', () => {
  it('shows the host and never follows its links out', () => {
    const { ctx } = build('shows');
    assert.equal(read(ctx, '/hello').toString(), 'hello host\n');
    assert.equal(read(ctx, '/abs').toString(), 'hello host\n');
    assert.deepEqual(read(ctx, '/big'), BIG);
    assert.equal(lookupPath(ctx, AT_FDCWD, '/escape'), -ENOENT);
    assert.deepEqual(list(ctx, '/'), ['.', '..', 'abs', 'big', 'escape', 'hello', 'sub']);
    assert.equal(inode(ctx, '/hello'), inode(ctx, '/sub/twin'));
    assert.equal(inode(ctx, '/hello').nlink, 2);
  });

  it('shows times before 1970', () => {
    const { ctx, dir } = build('times');
    // Node.js takes negative numbers for the time that it is.
    utimesSync(join(dir, 'hello'), new Date(-1_000_000_007_000), new Date(-3000));
    const { atimeSec, mtimeSec } = inode(ctx, '/hello');
    assert.deepEqual([atimeSec, mtimeSec], [-1_000_000_007, -3]);
  });

  it('gives a directory as a whole what it gives entry by entry', () => {
    const { ctx } = build('records');
    const one = entries(ctx, '/', null);
    for (const room of [40, 64, 100, 4096]) assert.deepEqual(entries(ctx, '/', room), one, `${room} bytes`);
    assert.equal(removeFile(ctx, AT_FDCWD, '/abs'), 0);
    assert.deepEqual(
      entries(ctx, '/', 4096).map((e) => e[0]),
      one.map((e) => e[0]).filter((name) => name !== 'abs'),
    );
    // A position behind the end, as lseek(2) may set it.
    const f = open(ctx, '/sub', O_RDONLY);
    for (let i = 0; i < 2; i++) {
      f.pos = 1000;
      assert.equal(f.readdir(ctx, new RecordsSink(4096, [])), 0);
      assert.equal(f.pos, 1000);
    }
    f.unref();
  });

  it('keeps writes in memory', () => {
    const { ctx, dir } = build('writes');
    write(ctx, '/hello', 'J', O_RDWR);
    write(ctx, '/hello', 'more\n', O_WRONLY | O_APPEND);
    assert.equal(read(ctx, '/sub/twin').toString(), 'Jello host\nmore\n');
    write(ctx, '/big', 'short', O_WRONLY | O_TRUNC);
    assert.equal(read(ctx, '/big').toString(), 'short');
    write(ctx, '/new', 'new', O_CREAT | O_WRONLY);
    assert.equal(makeDir(ctx, AT_FDCWD, '/sub/made', 0o755), 0);
    assert.equal(removeFile(ctx, AT_FDCWD, '/abs'), 0);
    assert.deepEqual(list(ctx, '/'), ['.', '..', 'big', 'escape', 'hello', 'new', 'sub']);
    assert.equal(readFileSync(join(dir, 'hello'), 'latin1'), 'hello host\n');
    assert.deepEqual(readFileSync(join(dir, 'big')), BIG);
    assert.deepEqual(readdirSync(dir).sort(), ['abs', 'big', 'escape', 'hello', 'sub']);
  });

  it('renames and removes over the host tree', () => {
    const { ctx } = build('renames');
    assert.equal(removeDir(ctx, AT_FDCWD, '/sub/deep'), -ENOTEMPTY);
    assert.equal(rename(ctx, AT_FDCWD, '/sub/deep', AT_FDCWD, '/moved', 0), 0);
    assert.equal(read(ctx, '/moved/x').toString(), 'x');
    assert.equal(lookupPath(ctx, AT_FDCWD, '/sub/deep'), -ENOENT);
    assert.equal(rename(ctx, AT_FDCWD, '/hello', AT_FDCWD, '/big', 0), 0);
    assert.equal(read(ctx, '/big').toString(), 'hello host\n');
    assert.equal(lookupPath(ctx, AT_FDCWD, '/hello'), -ENOENT);
    assert.equal(removeFile(ctx, AT_FDCWD, '/moved/x'), 0);
    assert.equal(removeDir(ctx, AT_FDCWD, '/moved'), 0);
    assert.equal(makeDir(ctx, AT_FDCWD, '/moved', 0o755), 0);
    assert.deepEqual(list(ctx, '/moved'), ['.', '..']);
    assert.equal(removeFile(ctx, AT_FDCWD, '/big'), 0);
    assert.equal(lookupPath(ctx, AT_FDCWD, '/big'), -ENOENT);
    assert.equal(makeDir(ctx, AT_FDCWD, '/sub', 0o755), -EEXIST);
  });

  it('forgets clean inodes with their dentries and keeps changed ones', () => {
    const { ctx } = build('forgets');
    const clean = inode(ctx, '/big');
    read(ctx, '/big');
    const kept = inode(ctx, '/sub/twin');
    write(ctx, '/hello', 'K', O_RDWR);
    const pages = testMemory().usedPages;
    const limit = dentryCache.limit;
    dentryCache.limit = 0;
    dentryCache.shrink(10_000);
    dentryCache.shrink(10_000);
    dentryCache.limit = limit;
    assert.ok(testMemory().usedPages <= pages - 245);
    assert.notEqual(inode(ctx, '/big'), clean);
    assert.equal(inode(ctx, '/sub/twin'), kept);
    assert.equal(read(ctx, '/sub/twin').toString(), 'Kello host\n');
    assert.deepEqual(read(ctx, '/big'), BIG);
  });

  it('does not open devices of the host or show its kernel interfaces', () => {
    const fs = HostRootFs.create(testMemory(), '/');
    if (failed(fs)) assert.fail(`errno ${-fs}`);
    const ctx = new TestContext();
    ctx.mountRoot(fs);
    assert.equal(openAt(ctx, AT_FDCWD, '/dev/null', O_RDONLY, 0), -ENXIO);
    assert.equal(lookupPath(ctx, AT_FDCWD, '/proc/self'), -ENOENT);
    assert.deepEqual(list(ctx, '/proc'), ['.', '..']);
    assert.equal(openAt(ctx.as(12345, 12345), AT_FDCWD, '/etc/shadow', O_RDONLY, 0), -EACCES);
  });
});
