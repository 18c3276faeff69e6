import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EMFILE } from '../../abi/errno.ts';
import {
  MADV_DONTNEED,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  MREMAP_MAYMOVE,
  PROT_EXEC,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
} from '../../abi/memory/mman.ts';
import { SIGBUS } from '../../abi/signal/signal.ts';
import { KernelIo } from '../base/io.ts';
import type { DonatedFile } from '../memfile/mappable.ts';
import { MemoryFile } from '../memfile/memfile.ts';
import { PageCache, type PageSource } from '../memfile/pagecache.ts';
import { ACCESS_EXEC, ACCESS_READ, ACCESS_WRITE } from '../platform/platform.ts';
import { advise } from './advise.ts';
import { type FakeAddressSpace, type FakePage, FakePlatform } from './fake_platform.test.helper.ts';
import { MemoryManager } from './mm.ts';
import { mremap } from './mremap.ts';

const PAGE = 4096;
const PAGES = 3000;
const RX = PROT_READ | PROT_EXEC;
const RW = PROT_READ | PROT_WRITE;
const BASE = 0x10_0000_0000;
const memfile = MemoryFile.create(128 << 20) as MemoryFile;

/** A file of the host: every byte of page n is n. */
class HostFile implements PageSource, DonatedFile {
  reads = 0;
  fill(index: number, frame: number): number {
    this.reads++;
    const at = memfile.byteOffset(frame);
    memfile.u8(frame).fill(index, at, at + PAGE);
    return 0;
  }
  donate(): DonatedFile {
    return this;
  }
  refuses = false;
  hostFd(): number {
    return this.refuses ? -EMFILE : 5;
  }
}

interface Setup {
  mm: MemoryManager;
  file: HostFile;
  cache: PageCache;
  at: number;
  /** What the stub has at page n of the mapping. */
  stub(n: number, mm?: MemoryManager): FakePage | undefined;
}

function setUp(prot = RX, flags = MAP_PRIVATE, platform = new FakePlatform()): Setup {
  const mm = new MemoryManager(memfile, platform, { soft: () => Number.POSITIVE_INFINITY });
  const file = new HostFile();
  const cache = new PageCache(memfile, PAGES * PAGE - 100, file);
  const at = mm.mmap(BASE, (PAGES + 2) * PAGE, prot, flags | MAP_FIXED, null, cache, 0);
  const stub = (n: number, of = mm): FakePage | undefined =>
    (of.as as FakeAddressSpace).pages.get(at / PAGE + n);
  return { mm, file, cache, at, stub };
}

function byteAt(mm: MemoryManager, addr: number): number {
  const b = new Uint8Array(1);
  return mm.copyIn(addr, b, 0, 1) === 1 ? b[0]! : -1;
}

function write(cache: PageCache, off: number, bytes: readonly number[]): void {
  cache.write(new KernelIo(Uint8Array.from(bytes)), off, bytes.length);
}

describe('direct mappings', () => {
  test('map a whole segment with one order, no reads and no frames', () => {
    const { mm, file, at, stub } = setUp();
    const before = memfile.usedPages;
    assert.equal(mm.handleFault(at + 700 * PAGE, ACCESS_EXEC), 0);
    const as = mm.as as FakeAddressSpace;
    assert.deepEqual([as.orders, file.reads, memfile.usedPages, mm.pt.leaves.size], [1, 0, before, 0]);
    assert.equal(as.pages.size, PAGES);
    assert.deepEqual(stub(9), { frame: -10, prot: RX, file });
    assert.equal(mm.rssPages, PAGES);
    assert.equal(mm.handleFault(at + PAGES * PAGE, ACCESS_READ), -14);
    assert.equal(mm.faultSig, SIGBUS, 'behind the end of the file');
    mm.release();
  });

  test('are given ahead of the first fault', () => {
    const { mm, at, stub } = setUp();
    mm.mapSoon(at);
    mm.mmap(BASE + (1 << 30), PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED);
    assert.equal(mm.handleFault(BASE + (1 << 30), ACCESS_WRITE), 0);
    assert.equal(stub(0)?.frame, -1);
    assert.equal(stub(PAGES - 1)?.frame, -PAGES);
    mm.release();
  });

  test('stay when the kernel reads, and go where it is unmapped', () => {
    const { mm, at, stub } = setUp();
    assert.equal(mm.handleFault(at, ACCESS_READ), 0);
    assert.equal(byteAt(mm, at + 7 * PAGE), 7);
    assert.equal(stub(7)?.frame, -8);
    assert.equal(mm.munmap(at + 5 * PAGE, 10 * PAGE), 0);
    assert.equal(stub(7), undefined);
    assert.equal(stub(4)?.frame, -5);
    assert.equal(stub(15)?.frame, -16);
    assert.equal(advise(mm, at + 20 * PAGE, at + 22 * PAGE, MADV_DONTNEED), 0);
    assert.equal(stub(20), undefined);
    assert.equal(mm.handleFault(at + 20 * PAGE, ACCESS_READ), 0);
    assert.equal(stub(20)?.frame, -21);
    assert.equal(mm.munmap(at, (PAGES + 2) * PAGE), 0);
    assert.equal((mm.as as FakeAddressSpace).pages.size, 0);
    assert.deepEqual([mm.directPages, mm.rssPages], [0, 0]);
    mm.release();
  });

  test('end with the right to write, and leave copies alone', () => {
    const { mm, at, stub } = setUp(PROT_READ);
    assert.equal(mm.handleFault(at, ACCESS_READ), 0);
    assert.equal(mm.mprotect(at + PAGE, 3 * PAGE, RW), 0);
    assert.equal(stub(1), undefined);
    assert.equal(mm.handleFault(at + 2 * PAGE, ACCESS_WRITE), 0);
    mm.copyOut(at + 2 * PAGE, Uint8Array.of(99), 0, 1);
    assert.equal(mm.mprotect(at + PAGE, 3 * PAGE, PROT_READ), 0);
    assert.equal(mm.vmas.length, 1);
    assert.equal(mm.handleFault(at + PAGE, ACCESS_READ), 0);
    assert.equal(mm.handleFault(at + 3 * PAGE, ACCESS_READ), 0);
    assert.equal(stub(1)?.frame, -2);
    assert.equal(stub(3)?.frame, -4);
    assert.ok(stub(2)!.frame >= 0, 'the written page is a copy');
    assert.equal(byteAt(mm, at + 2 * PAGE), 99);
    mm.release();
  });

  test('never cover a copy that the stub lost', () => {
    const { mm, at, stub } = setUp(RW);
    mm.copyOut(at + 5 * PAGE, Uint8Array.of(99), 0, 1);
    assert.equal(mm.mprotect(at, (PAGES + 2) * PAGE, PROT_READ), 0);
    assert.equal(mm.handleFault(at, ACCESS_READ), 0);
    assert.equal(mm.handleFault(at + 9 * PAGE, ACCESS_READ), 0);
    assert.equal(mm.mprotect(at, (PAGES + 2) * PAGE, PROT_NONE), 0);
    assert.equal((mm.as as FakeAddressSpace).pages.size, 0);
    assert.equal(mm.mprotect(at, (PAGES + 2) * PAGE, PROT_READ), 0);
    assert.equal(mm.handleFault(at + PAGE, ACCESS_READ), 0);
    assert.equal(stub(5), undefined);
    assert.equal(mm.handleFault(at + 5 * PAGE, ACCESS_READ), 0);
    assert.ok(stub(5)!.frame >= 0);
    assert.equal(byteAt(mm, at + 5 * PAGE), 99);
    mm.release();
  });

  for (const [name, flags] of [
    ['private', MAP_PRIVATE],
    ['shared', MAP_SHARED],
  ] as const)
    test(`give way to the cache when the file is written: ${name}`, () => {
      const { mm, cache, at, stub } = setUp(PROT_READ, flags);
      assert.equal(mm.handleFault(at, ACCESS_READ), 0);
      const child = mm.fork() as MemoryManager;
      assert.equal(stub(6, child)?.frame, -7, 'a fork has them too');
      write(cache, 6 * PAGE, [77]);
      for (const m of [mm, child]) {
        assert.equal((m.as as FakeAddressSpace).pages.size, 0);
        assert.equal(m.handleFault(at + 6 * PAGE, ACCESS_READ), 0);
        assert.equal(stub(6, m)?.frame, cache.peek(6));
        assert.equal(byteAt(m, at + 6 * PAGE), 77);
      }
      mm.release();
      child.release();
    });

  test('give way on truncation, holes and writes through another mapping', () => {
    for (const change of [
      (s: Setup) => s.cache.truncate(10),
      (s: Setup) => s.cache.truncate(PAGES * PAGE * 2),
      (s: Setup) => s.cache.punchHole(0, PAGE),
      (s: Setup) => s.cache.ensure(3, 1),
      (s: Setup) => {
        const other = s.mm.mmap(BASE + (1 << 30), PAGE, RW, MAP_SHARED | MAP_FIXED, null, s.cache, 4);
        assert.equal(s.mm.handleFault(other, ACCESS_WRITE), 0);
      },
    ]) {
      const s = setUp(PROT_READ);
      assert.equal(s.mm.handleFault(s.at, ACCESS_READ), 0);
      change(s);
      for (const page of (s.mm.as as FakeAddressSpace).pages.values()) assert.equal(page.file, undefined);
      s.mm.release();
    }
  });

  test('move and grow with mremap', () => {
    const { mm, at } = setUp(PROT_READ);
    assert.equal(mm.munmap(at + 10 * PAGE, (PAGES - 8) * PAGE), 0);
    assert.equal(mm.handleFault(at, ACCESS_READ), 0);
    assert.equal(mremap(mm, at, 10 * PAGE, 20 * PAGE, 0, 0), at);
    assert.equal(mm.handleFault(at + 15 * PAGE, ACCESS_READ), 0);
    const pages = (mm.as as FakeAddressSpace).pages;
    assert.equal(pages.size, 20);
    mm.mmap(at + 20 * PAGE, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED);
    const to = mremap(mm, at, 20 * PAGE, 30 * PAGE, MREMAP_MAYMOVE, 0);
    assert.ok(to > 0 && to !== at);
    assert.equal(pages.size, 0);
    assert.equal(mm.handleFault(to + 25 * PAGE, ACCESS_READ), 0);
    assert.equal(pages.get(to / PAGE + 25)?.frame, -26);
    mm.release();
  });

  test('give way to patched text, which keeps the original elsewhere', () => {
    const { mm, cache, at, stub } = setUp();
    assert.equal(mm.handleFault(at, ACCESS_EXEC), 0);
    assert.equal(mm.patches.patchText(at + 8 * PAGE + 16, Uint8Array.of(200, 201)), true);
    const patched = stub(8)!;
    assert.equal(memfile.u8(patched.frame)[memfile.byteOffset(patched.frame) + 16], 200);
    assert.equal(byteAt(mm, at + 8 * PAGE + 16), 8);
    write(cache, 0, [1]);
    assert.equal(mm.patches.size, 0);
    assert.equal(stub(8), undefined);
    mm.release();
  });

  test('end page by page where the host has lost the file', () => {
    const { mm, at, stub } = setUp();
    assert.equal(mm.handleFault(at, ACCESS_READ), 0);
    assert.equal(mm.handleFault(at + 3 * PAGE, ACCESS_READ, true), 0);
    assert.ok(stub(3)!.frame >= 0);
    assert.equal(stub(2)?.frame, -3);
    // A host that goes on refusing is given up as well.
    for (let i = 0; i < 10; i++) assert.equal(mm.handleFault(at + 5 * PAGE, ACCESS_READ), 0);
    assert.ok(stub(5)!.frame >= 0);
    mm.release();
  });

  test('are copies from when the host refuses', () => {
    const { mm, file, at, stub } = setUp();
    assert.equal(mm.handleFault(at, ACCESS_READ), 0);
    assert.equal(advise(mm, at + 8 * PAGE, at + 9 * PAGE, MADV_DONTNEED), 0);
    assert.equal(mm.munmap(at + 600 * PAGE, PAGE), 0);
    file.refuses = true;
    assert.equal(mm.handleFault(at + 8 * PAGE, ACCESS_READ), 0);
    assert.ok(stub(8)!.frame >= 0);
    assert.equal(stub(9)?.frame, -10);
    const other = mm.mmap(
      BASE + (1 << 30),
      9 * PAGE,
      RX,
      MAP_PRIVATE | MAP_FIXED,
      null,
      mm.vmas.at(0).source,
      0,
    );
    assert.equal(mm.handleFault(other, ACCESS_READ), 0);
    assert.ok((mm.as as FakeAddressSpace).pages.get(other / PAGE)!.frame >= 0);
    mm.release();
  });

  test('are copies where the platform has none', () => {
    const platform = new FakePlatform();
    platform.mapsFiles = false;
    const { mm, at, stub } = setUp(RX, MAP_PRIVATE, platform);
    assert.equal(mm.handleFault(at, ACCESS_READ), 0);
    assert.ok(stub(0)!.frame >= 0);
    assert.equal(mm.directPages, 0);
    mm.release();
  });
});
