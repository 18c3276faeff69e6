import assert from 'node:assert/strict';
import {
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { EACCES, EEXIST, ENOENT, ENOTEMPTY, EPERM, ESTALE } from '../../../abi/errno.ts';
import { AT_FDCWD, O_APPEND, O_CREAT, O_RDONLY, O_RDWR, O_TMPFILE, O_WRONLY } from '../../../abi/fs/fcntl.ts';
import { RENAME_EXCHANGE, RENAME_NOREPLACE } from '../../../abi/fs/fs.ts';
import { S_IFCHR, S_IFIFO, S_IFMT, S_IFREG } from '../../../abi/fs/stat.ts';
import { MAP_SHARED, PROT_READ, PROT_WRITE } from '../../../abi/memory/mman.ts';
import { Account, fileMemory, kernelMemory, USER_SHARE } from '../../base/charge.ts';
import { failed } from '../../base/errno.ts';
import { KernelIo } from '../../base/io.ts';
import type { MappingOwner } from '../../memfile/mappable.ts';
import { TestContext, testMemory } from '../../vfs/context.test.helper.ts';
import { makeDir, makeLink, makeNode, makeSymlink, removeDir, removeFile, rename } from '../../vfs/dirops.ts';
import type { File } from '../../vfs/file.ts';
import type { Inode } from '../../vfs/inode.ts';
import { lookupPath } from '../../vfs/namei.ts';
import { openAt } from '../../vfs/open.ts';
import type { BindContent } from './bind_content.ts';
import { BindFs } from './bindfs.ts';
import { HostFileCount } from './host_files.ts';
import { directories, openPlace, Place, statAt } from './host_place.ts';

const host = mkdtempSync(join(tmpdir(), 'vedette-bindfs-'));
after(() => rmSync(host, { recursive: true }));

function build(name: string): { ctx: TestContext; dir: string; fs: BindFs } {
  const dir = join(host, name);
  mkdirSync(join(dir, 'sub/deep'), { recursive: true });
  writeFileSync(join(dir, 'hello'), 'hello host\n');
  linkSync(join(dir, 'hello'), join(dir, 'sub/twin'));
  symlinkSync('/hello', join(dir, 'abs'));
  symlinkSync('../../../../../../etc/passwd', join(dir, 'escape'));
  const fs = BindFs.create(testMemory(), Buffer.from(dir).toString('latin1'));
  if (failed(fs)) assert.fail(`errno ${-fs}`);
  const ctx = new TestContext();
  ctx.mountRoot(fs);
  return { ctx, dir, fs };
}

function open(ctx: TestContext, path: string, flags: number, mode = 0o644): File {
  const f = openAt(ctx, AT_FDCWD, path, flags, mode);
  if (failed(f)) assert.fail(`${path}: errno ${-f}`);
  return f;
}

function readOf(ctx: TestContext, f: File, off = 0): string {
  const out = Buffer.alloc(1 << 16);
  const n = f.pread(ctx, new KernelIo(out), off);
  assert.ok(n >= 0, `errno ${-n}`);
  return out.toString('latin1', 0, n);
}

function read(ctx: TestContext, path: string): string {
  const f = open(ctx, path, O_RDONLY);
  const text = readOf(ctx, f);
  f.unref();
  return text;
}

function put(ctx: TestContext, f: File, text: string): void {
  assert.equal(f.write(ctx, new KernelIo(Buffer.from(text))), text.length);
}

function inode(ctx: TestContext, path: string): Inode {
  const p = lookupPath(ctx, AT_FDCWD, path, 0);
  if (failed(p)) assert.fail(`${path}: errno ${-p}`);
  return p.dentry.inode!;
}

describe('a bound directory', () => {
  it('has the numbers of the host, and one inode for all names of an object', () => {
    const { ctx, dir } = build('numbers');
    const i = inode(ctx, '/hello');
    assert.equal(BigInt(i.ino), lstatSync(join(dir, 'hello'), { bigint: true }).ino);
    assert.equal(inode(ctx, '/sub/twin'), i);
    assert.equal(i.nlink, 2);
    assert.equal(i.dev, i.fs.dev);
    assert.equal(inode(ctx, '/escape').mode & S_IFMT, 0o120000);
    assert.equal(lookupPath(ctx, AT_FDCWD, '/escape'), -ENOENT);
    assert.equal(read(ctx, '/abs'), 'hello host\n');
    assert.equal(read(ctx, '/../../sub/../hello'), 'hello host\n');
  });

  it('makes, moves and removes on the host', () => {
    const { ctx, dir } = build('changes');
    const f = open(ctx, '/new', O_WRONLY | O_CREAT, 0o640);
    put(ctx, f, 'text');
    assert.equal(readFileSync(join(dir, 'new'), 'utf8'), 'text');
    assert.equal(statSync(join(dir, 'new')).mode & 0o7777, 0o640);
    assert.equal(makeDir(ctx, AT_FDCWD, '/d', 0o777), 0);
    assert.equal(statSync(join(dir, 'd')).mode & 0o7777, 0o755);
    assert.equal(makeDir(ctx, AT_FDCWD, '/d', 0o777), -EEXIST);
    assert.equal(makeSymlink(ctx, 'anywhere', AT_FDCWD, '/d/s'), 0);
    assert.equal(readlinkSync(join(dir, 'd/s')), 'anywhere');
    assert.equal(makeLink(ctx, AT_FDCWD, '/new', AT_FDCWD, '/d/hard', 0), 0);
    assert.equal(statSync(join(dir, 'new')).nlink, 2);
    assert.equal(rename(ctx, AT_FDCWD, '/new', AT_FDCWD, '/hello', RENAME_NOREPLACE), -EEXIST);
    assert.equal(rename(ctx, AT_FDCWD, '/new', AT_FDCWD, '/hello', RENAME_EXCHANGE), 0);
    assert.equal(readFileSync(join(dir, 'hello'), 'utf8'), 'text');
    put(ctx, f, '!');
    assert.equal(read(ctx, '/hello'), 'text!');
    assert.equal(removeDir(ctx, AT_FDCWD, '/d'), -ENOTEMPTY);
    assert.equal(rename(ctx, AT_FDCWD, '/d', AT_FDCWD, '/sub/deep', 0), 0);
    assert.deepEqual(readdirSync(join(dir, 'sub/deep')).sort(), ['hard', 's']);
    for (const name of ['hard', 's']) assert.equal(removeFile(ctx, AT_FDCWD, `/sub/deep/${name}`), 0);
    assert.equal(removeDir(ctx, AT_FDCWD, '/sub/deep'), 0);
    assert.equal(existsSync(join(dir, 'sub/deep')), false);
    f.unref();
  });

  it('keeps a removed file that is open, and closes it with its last description', () => {
    const { ctx, dir, fs } = build('removed');
    const f = open(ctx, '/hello', O_RDWR);
    unlinkSync(join(dir, 'sub/twin'));
    assert.equal(removeFile(ctx, AT_FDCWD, '/hello'), 0);
    assert.equal(f.inode.nlink, 0);
    put(ctx, f, 'HELLO');
    assert.equal(readOf(ctx, f), 'HELLO host\n');
    const count = (): number => readdirSync('/proc/self/fd').length;
    const open1 = count();
    f.unref();
    assert.equal(count(), open1 - 1);
    // Its number may be used again at once, by something else.
    for (let i = 0; i < 20; i++) {
      if (i % 2 === 0) mkdirSync(join(dir, 'again'));
      else writeFileSync(join(dir, 'again'), `${i}`);
      assert.equal((inode(ctx, '/again').mode & S_IFMT) === S_IFREG, i % 2 === 1);
      if (i % 2 === 1) assert.equal(read(ctx, '/again'), `${i}`);
      rmSync(join(dir, 'again'), { recursive: true });
      assert.equal(lookupPath(ctx, AT_FDCWD, '/again'), -ENOENT);
    }
    assert.equal(fs.unwritten.size, 0);
  });

  it('a file without a name gets one', () => {
    const { ctx, dir } = build('tmpfile');
    const f = open(ctx, '/sub', O_TMPFILE | O_RDWR, 0o600);
    put(ctx, f, 'x');
    assert.equal(f.inode.nlink, 0);
    assert.equal(f.path!.dentry.parent!.inode!.link(ctx, 'named', f.inode), 0);
    assert.equal(readFileSync(join(dir, 'sub/named'), 'utf8'), 'x');
    f.unref();
  });

  it('appends where the host says the end is', () => {
    const { ctx, dir } = build('append');
    const f = open(ctx, '/log', O_WRONLY | O_CREAT | O_APPEND);
    const g = openSync(join(dir, 'log'), 'a');
    put(ctx, f, 'one ');
    writeSync(g, 'two ');
    put(ctx, f, 'three');
    assert.equal(f.where(), 13);
    assert.equal(readFileSync(join(dir, 'log'), 'utf8'), 'one two three');
    closeSync(g);
    f.unref();
  });

  it('RLIMIT_FSIZE binds', () => {
    const { ctx, dir } = build('rlimit');
    ctx.fileLimit = 6;
    const f = open(ctx, '/small', O_WRONLY | O_CREAT | O_APPEND);
    assert.equal(f.write(ctx, new KernelIo(Buffer.from('12345678'))), 6);
    assert.ok(f.write(ctx, new KernelIo(Buffer.from('9'))) < 0);
    assert.ok(f.inode.truncate(ctx, 7) < 0);
    assert.equal(statSync(join(dir, 'small')).size, 6);
    f.unref();
  });

  it('makes no devices, and FIFOs that work inside', () => {
    const { ctx, dir } = build('special');
    assert.equal(makeNode(ctx, AT_FDCWD, '/null', S_IFCHR | 0o666, 0x103), -EPERM);
    assert.equal(makeNode(ctx, AT_FDCWD, '/fifo', S_IFIFO | 0o600, 0), 0);
    assert.ok(lstatSync(join(dir, 'fifo')).isFIFO());
    assert.equal(inode(ctx, '/fifo').inert, false);
    assert.equal(makeNode(ctx, AT_FDCWD, '/file', S_IFREG | 0o600, 0), 0);
    assert.equal(read(ctx, '/file'), '');
  });

  it('refuses interfaces of the host kernel', () => {
    assert.equal(BindFs.create(testMemory(), '/proc'), -EACCES);
    assert.equal(BindFs.create(testMemory(), join(host, 'nothing')), -ENOENT);
  });
});

describe('places', () => {
  it('are compared with what stands there now', () => {
    const { dir, fs } = build('places');
    const top = fs.root.place;
    const fd = directories.of(top);
    assert.equal(statAt(fd, 'hello'), 0);
    const place = new Place(top, 'hello');
    const s = lstatSync(join(dir, 'hello'));
    place.dev = s.dev;
    place.ino = s.ino;
    const good = openPlace(place, O_RDONLY);
    assert.ok(good >= 0);
    closeSync(good);
    renameSync(join(dir, 'hello'), join(dir, 'kept'));
    symlinkSync('kept', join(dir, 'hello'));
    assert.equal(openPlace(place, O_RDONLY), -ESTALE);
    unlinkSync(join(dir, 'hello'));
    writeFileSync(join(dir, 'hello'), 'another');
    assert.equal(openPlace(place, O_RDONLY), -ESTALE);
    assert.equal(openPlace(new Place(null, '/etc/passwd'), O_RDONLY), -ESTALE);
  });

  it('in a circle are not found', () => {
    const a = new Place(null, 'a');
    const b = new Place(a, 'b');
    a.dir = b;
    assert.equal(directories.of(b), -ESTALE);
  });
});

describe('mapped pages', () => {
  const owner: MappingOwner = { invalidatePages() {}, leaveHostFile() {} };
  const bytes = (frame: number): Uint8Array => {
    const at = testMemory().byteOffset(frame);
    return testMemory()
      .u8(frame)
      .subarray(at, at + 4096);
  };

  function map(ctx: TestContext, f: File): BindContent {
    const content = f.mmap(ctx, PROT_READ | PROT_WRITE, MAP_SHARED);
    if (failed(content)) assert.fail(`errno ${-content}`);
    content.addOwner(owner, true);
    return content as BindContent;
  }

  it('bring to the host what was written there and nothing else', () => {
    const { ctx, dir, fs } = build('mapped');
    const path = join(dir, 'm');
    writeFileSync(path, 'a'.repeat(6000));
    const f = open(ctx, '/m', O_RDWR);
    const content = map(ctx, f);
    const page = bytes(content.getPage(0, true));
    utimesSync(path, 1, 1);
    assert.equal(content.sync(0, 1), 0);
    assert.equal(statSync(path).mtimeMs, 1000);
    page[10] = 0x58;
    page[20] = 0x59;
    // Somebody outside writes between the two, and elsewhere in the page.
    const g = openSync(path, 'r+');
    writeSync(g, 'outside', 12);
    writeSync(g, 'o', 4000);
    assert.equal(readOf(ctx, f, 8).slice(0, 14), 'aaXaoutsideaYa'.slice(0, 14));
    assert.equal(content.sync(0, 1), 0);
    assert.equal(readFileSync(path, 'latin1').slice(8, 22), 'aaXaoutsideaYa');
    assert.equal(Buffer.from(page).toString('latin1', 8, 22), 'aaXaoutsideaYa');
    assert.equal(page[4000], 0x6f);
    // write(2) goes to the host first; the pages have it too, and do not write it again over what comes later.
    assert.equal(f.pwrite(ctx, new KernelIo(Buffer.from('call')), 30), 4);
    assert.equal(Buffer.from(page).toString('latin1', 30, 34), 'call');
    writeSync(g, 'LAST', 30);
    page[100] = 0x5a;
    content.removeOwner(owner, true);
    assert.equal(readFileSync(path, 'latin1').slice(30, 34), 'LAST');
    assert.equal(readFileSync(path, 'latin1')[100], 'Z');
    assert.equal(statSync(path).size, 6000);
    assert.equal(fs.unwritten.size, 0);
    closeSync(g);
    f.unref();
  });

  it('beyond the end are not there, whoever cut the file', () => {
    const { ctx, dir } = build('cut');
    const path = join(dir, 'm');
    writeFileSync(path, 'a'.repeat(9000));
    const f = open(ctx, '/m', O_RDWR);
    const content = map(ctx, f);
    bytes(content.getPage(2, true))[0] = 0x58;
    truncateSync(path, 5000);
    assert.equal(content.getPage(2, true), -ENOENT);
    const last = bytes(content.getPage(1, true));
    assert.equal(last[903], 0x61);
    assert.equal(last[904], 0);
    assert.equal(content.sync(0, 3), 0);
    assert.equal(statSync(path).size, 5000);
    assert.equal(f.inode.truncate(ctx, 9000), 0);
    assert.equal(bytes(content.getPage(2, false))[0], 0);
    content.removeOwner(owner, true);
    f.unref();
  });

  it('give back all that they took', () => {
    const { ctx, dir } = build('frames');
    writeFileSync(join(dir, 'm'), 'a'.repeat(50_000));
    const used = testMemory().usedPages;
    const paid = fileMemory.used;
    const f = open(ctx, '/m', O_RDWR);
    const content = map(ctx, f);
    for (let i = 0; i < 12; i++) bytes(content.getPage(i, true))[1] = i;
    assert.ok(testMemory().usedPages >= used + 24);
    assert.ok(fileMemory.used > paid);
    f.unref();
    content.removeOwner(owner, true);
    assert.equal(testMemory().usedPages, used);
    assert.equal(fileMemory.used, paid);
    assert.equal(readFileSync(join(dir, 'm'))[11 * 4096 + 1], 11);
  });
});

describe('descriptors of the host', () => {
  it('are shared by users: who takes all that he may have leaves some', () => {
    const count = new HostFileCount(100);
    const before = kernelMemory.current;
    const takeAll = (user: Account): number => {
      kernelMemory.current = user;
      let n = 0;
      while (count.take() !== null) n++;
      return n;
    };
    try {
      const greedy = new Account(USER_SHARE);
      assert.equal(takeAll(greedy), 75);
      assert.equal(takeAll(new Account(USER_SHARE)), 18);
      count.give(greedy);
      assert.equal(takeAll(new Account(USER_SHARE)), 6);
    } finally {
      kernelMemory.current = before;
    }
  });
});
