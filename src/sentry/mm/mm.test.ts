import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { EFAULT, EINVAL, ENAMETOOLONG, ENOMEM } from '../../abi/errno.ts';
import {
  MADV_DONTNEED,
  MADV_WIPEONFORK,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_GROWSDOWN,
  MAP_PRIVATE,
  MAP_SHARED,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
} from '../../abi/memory/mman.ts';
import { RLIMIT_AS, RLIMIT_STACK } from '../../abi/process/resource.ts';
import { SEGV_ACCERR, SEGV_MAPERR, SIGBUS, SIGSEGV } from '../../abi/signal/signal.ts';
import { KernelIo } from '../base/io.ts';
import { MemoryFile } from '../memfile/memfile.ts';
import { PageCache } from '../memfile/pagecache.ts';
import { ACCESS_READ, ACCESS_WRITE } from '../platform/platform.ts';
import { advise } from './advise.ts';
import { ATOMIC_FAULT } from './atomics.ts';
import { isDirect } from './direct.ts';
import { type FakeAddressSpace, FakePlatform } from './fake_platform.test.helper.ts';
import { MemoryManager } from './mm.ts';
import { mremap } from './mremap.ts';
import { PTE_ANON, PTE_MAPPED, PTE_PRESENT, PTE_WRITE } from './pagetable.ts';
import { VM_SHARED } from './vma.ts';

const PAGE = 4096;
const RW = PROT_READ | PROT_WRITE;
const ANON = MAP_PRIVATE | MAP_ANONYMOUS;
const memfile = MemoryFile.create(512 << 20) as MemoryFile;
const platform = new FakePlatform();

function newMm(limits: Record<number, number> = {}): MemoryManager {
  const soft = (r: number): number => limits[r] ?? (r === RLIMIT_STACK ? 8 << 20 : Number.POSITIVE_INFINITY);
  return new MemoryManager(memfile, platform, { soft });
}

/** What must hold of every address space at any time. */
function checkInvariants(mm: MemoryManager): void {
  let total = 0;
  let direct = 0;
  for (let i = 0; i < mm.vmas.length; i++) {
    const v = mm.vmas.at(i);
    assert.ok(v.start < v.end);
    total += v.pages;
    direct += v.directTo - v.directFrom;
    if (v.directFrom !== v.directTo)
      assert.ok(v.directFrom >= v.start / PAGE && v.directTo <= v.end / PAGE && v.directFrom < v.directTo);
    if (i === 0) continue;
    const before = mm.vmas.at(i - 1);
    assert.ok(before.end <= v.start, 'overlap');
    assert.ok(!before.continuedBy(v), 'not merged');
  }
  assert.equal(mm.totalPages, total);
  assert.equal(mm.directPages, direct);
  let present = 0;
  for (const [key, leaf] of mm.pt.leaves) {
    let count = 0;
    for (let i = 0; i < 512; i++) {
      const f = leaf.flags[i]!;
      if (f === 0) continue;
      count++;
      assert.ok((f & PTE_PRESENT) !== 0);
      const v = mm.vmas.find((key * 512 + i) * PAGE);
      assert.ok(v !== null, 'page without a mapping');
      assert.ok(memfile.refs(leaf.frames[i]!) >= 1);
      if ((f & PTE_WRITE) !== 0 && (v.flags & VM_SHARED) === 0) {
        assert.ok(
          (f & PTE_ANON) !== 0 && memfile.refs(leaf.frames[i]!) === 1,
          'writable page with other holders',
        );
      }
    }
    assert.equal(leaf.count, count);
    present += count;
  }
  assert.equal(mm.rssPages, Math.min(present + direct, total));
  for (const [pn, page] of (mm.as as FakeAddressSpace).pages) {
    const leaf = mm.pt.find(pn);
    const f = mm.pt.flagsAt(pn);
    if (page.file !== undefined) {
      const v = mm.vmas.find(pn * PAGE)!;
      assert.equal(f & (PTE_MAPPED | PTE_ANON), 0, 'of the host, although mm has another');
      assert.ok(isDirect(v, pn), 'of the host behind the back of mm');
      assert.equal(page.file, v.source!.directFile(), 'of a file whose content has changed');
      assert.equal(-1 - page.frame, v.indexAt(pn * PAGE));
      assert.equal(page.prot, v.prot | PROT_READ);
      assert.equal(page.prot & PROT_WRITE, 0);
      continue;
    }
    assert.ok((f & PTE_MAPPED) !== 0, 'the stub has a page that mm does not know of');
    assert.equal(page.frame, leaf!.frames[pn & 511]);
    const v = mm.vmas.find(pn * PAGE)!;
    assert.equal(page.prot & ~(v.prot === 0 ? 0 : v.prot | PROT_READ), 0, 'more rights than the mapping');
    if ((page.prot & PROT_WRITE) !== 0) assert.ok((f & PTE_WRITE) !== 0, 'writable behind the back of mm');
  }
}

/** The naive model: page number -> rights and the one number that fills the page. */
interface ModelPage {
  prot: number;
  value: number;
  shared: boolean;
  cell: { value: number };
}
type Model = Map<number, ModelPage>;

const BASE = 0x10_0000_0000;
const SPAN = 700;
const page = fc.nat(SPAN - 1);
const count = fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: SPAN }));
const prot = fc.constantFrom(PROT_NONE, PROT_READ, RW, RW);
const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constant('map' as const), at: page, n: count, prot, x: fc.nat(1) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant('unmap' as const), at: page, n: count, prot, x: fc.nat(1) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constant('protect' as const), at: page, n: count, prot, x: fc.nat(1) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      op: fc.constant('write' as const),
      at: page,
      n: fc.integer({ min: 1, max: 40 }),
      prot,
      x: fc.nat(1),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ op: fc.constant('fault' as const), at: page, n: count, prot, x: fc.nat(1) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant('dontneed' as const), at: page, n: count, prot, x: fc.nat(1) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('move' as const),
      at: page,
      n: fc.integer({ min: 1, max: 30 }),
      prot,
      x: page,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('fork' as const), at: page, n: count, prot, x: fc.nat(1) }),
  },
);

function checkContent(mm: MemoryManager, model: Model): void {
  const word = new Uint8Array(4);
  for (let i = 0; i < SPAN; i++) {
    const m = model.get(i);
    const addr = BASE + i * PAGE + 8 * (i % 500);
    const r = mm.copyInExact(addr, word, 0, 4);
    if (m === undefined || m.prot === 0) assert.equal(r, -EFAULT, `page ${i} readable`);
    else {
      assert.equal(r, 0, `page ${i} not readable`);
      assert.equal(
        new DataView(word.buffer).getUint32(0, true),
        m.shared ? m.cell.value : m.value,
        `page ${i}`,
      );
    }
  }
}

function fillPage(mm: MemoryManager, addr: number, value: number): number {
  const bytes = new Uint8Array(PAGE);
  new Uint32Array(bytes.buffer).fill(value);
  return mm.copyOutExact(addr, bytes, 0, PAGE);
}

describe('MemoryManager', () => {
  test('behaves as an array of pages, over fork too', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const before = memfile.usedPages;
        let mm = newMm();
        let model: Model = new Map();
        const others: { mm: MemoryManager; model: Model }[] = [];
        let value = 1;
        for (const s of steps) {
          const at = BASE + s.at * PAGE;
          const n = Math.min(s.n, SPAN - s.at);
          const len = n * PAGE;
          if (s.op === 'map') {
            const shared = s.x === 1;
            const flags = MAP_FIXED | MAP_ANONYMOUS | (shared ? MAP_SHARED : MAP_PRIVATE);
            assert.equal(mm.mmap(at, len, s.prot, flags), at);
            for (let i = s.at; i < s.at + n; i++)
              model.set(i, { prot: s.prot, value: 0, shared, cell: { value: 0 } });
          } else if (s.op === 'unmap') {
            assert.equal(mm.munmap(at, len), 0);
            for (let i = s.at; i < s.at + n; i++) model.delete(i);
          } else if (s.op === 'protect') {
            const r = mm.mprotect(at, len, s.prot);
            let i = s.at;
            while (i < s.at + n && model.has(i)) model.get(i++)!.prot = s.prot;
            assert.equal(r, i < s.at + n ? -ENOMEM : 0);
          } else if (s.op === 'write') {
            for (let i = s.at; i < s.at + n; i++) {
              const m = model.get(i);
              const r = fillPage(mm, BASE + i * PAGE, value);
              if (m === undefined || (m.prot & PROT_WRITE) === 0) assert.equal(r, -EFAULT);
              else {
                assert.equal(r, 0);
                m.value = value;
                m.cell.value = value;
                value++;
              }
            }
          } else if (s.op === 'fault') {
            const access = s.x === 1 ? ACCESS_WRITE : ACCESS_READ;
            const m = model.get(s.at);
            const r = mm.handleFault(at + 5, access);
            if (m === undefined)
              assert.deepEqual([r, mm.faultSig, mm.faultCode], [-EFAULT, SIGSEGV, SEGV_MAPERR]);
            else if (m.prot === 0 || (s.x === 1 && (m.prot & PROT_WRITE) === 0))
              assert.deepEqual([r, mm.faultSig, mm.faultCode], [-EFAULT, SIGSEGV, SEGV_ACCERR]);
            else {
              assert.equal(r, 0);
              const stub = (mm.as as FakeAddressSpace).pages.get(at / PAGE);
              assert.ok(stub !== undefined);
              if (s.x === 1) assert.ok((stub.prot & PROT_WRITE) !== 0);
            }
          } else if (s.op === 'dontneed') {
            advise(mm, at, at + len, MADV_DONTNEED);
            for (let i = s.at; i < s.at + n; i++) {
              const m = model.get(i);
              if (m !== undefined) m.value = 0;
            }
          } else if (s.op === 'move') {
            const to = Math.min(s.x, SPAN - n);
            const r = mremap(mm, at, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, BASE + to * PAGE);
            const overlap = to < s.at + n && s.at < to + n;
            const first = model.get(s.at);
            if (overlap) {
              assert.ok(r === -EINVAL || (r === -EFAULT && first === undefined));
              continue;
            }
            if (first === undefined) {
              assert.equal(r, -EFAULT);
              continue;
            }
            // Whatever stood at the target is gone, even when the source then turns out to be more than one mapping.
            for (let i = to; i < to + n; i++) model.delete(i);
            if (r < 0) continue;
            for (let i = 0; i < n; i++) {
              model.set(to + i, model.get(s.at + i)!);
              model.delete(s.at + i);
            }
          } else if (others.length < 3) {
            const child = mm.fork();
            assert.ok(typeof child !== 'number');
            const copy: Model = new Map();
            for (const [i, m] of model) copy.set(i, { ...m });
            others.push({ mm, model });
            // The child goes on half of the time, the parent otherwise.
            if (s.x === 1) {
              mm = child;
              model = copy;
            } else {
              others.pop();
              others.push({ mm: child, model: copy });
            }
          }
          checkInvariants(mm);
        }
        checkContent(mm, model);
        checkInvariants(mm);
        mm.release();
        for (const o of others) {
          checkInvariants(o.mm);
          checkContent(o.mm, o.model);
          checkInvariants(o.mm);
          o.mm.release();
        }
        assert.equal(memfile.usedPages, before, 'frames leaked');
      }),
      { numRuns: 100 },
    );
  });

  test('merges what continues and splits what differs', () => {
    const mm = newMm();
    mm.mmap(BASE, 4 * PAGE, RW, ANON | MAP_FIXED);
    mm.mmap(BASE + 4 * PAGE, 4 * PAGE, RW, ANON | MAP_FIXED);
    assert.equal(mm.vmas.length, 1);
    mm.mprotect(BASE + 2 * PAGE, PAGE, PROT_READ);
    assert.equal(mm.vmas.length, 3);
    mm.mprotect(BASE + 2 * PAGE, PAGE, RW);
    assert.equal(mm.vmas.length, 1);
    mm.munmap(BASE + PAGE, PAGE);
    assert.equal(mm.vmas.length, 2);
    assert.equal(mm.totalPages, 7);
    mm.release();
  });

  test('maps a large array with few orders', () => {
    const mm = newMm();
    const at = mm.mmap(0, 64 << 20, RW, ANON);
    let faults = 0;
    const stub = mm.as as FakeAddressSpace;
    for (let a = at; a < at + (64 << 20); a += PAGE) {
      if (stub.pages.has(a / PAGE)) continue;
      faults++;
      assert.equal(mm.handleFault(a, ACCESS_WRITE), 0);
    }
    assert.ok(faults < 50, `${faults} faults`);
    mm.release();
  });

  test('shares file pages, copies private ones, and drops truncated ones', () => {
    const cache = new PageCache(memfile);
    cache.write(new KernelIo(new Uint8Array(3 * PAGE).fill(5)), 0, 3 * PAGE);
    const a = newMm();
    const b = newMm();
    const shared = a.mmap(0, 4 * PAGE, RW, MAP_SHARED, null, cache, 0);
    const priv = b.mmap(0, 4 * PAGE, RW, MAP_PRIVATE, null, cache, 0);
    const one = new Uint8Array(1);
    b.copyOut(priv, Uint8Array.of(9), 0, 1);
    a.copyOut(shared + 1, Uint8Array.of(6), 0, 1);
    a.copyOut(shared + PAGE, Uint8Array.of(7), 0, 1);
    cache.read(new KernelIo(one), 0, 1);
    assert.equal(one[0], 5);
    cache.read(new KernelIo(one), 1, 1);
    assert.equal(one[0], 6);
    b.copyIn(priv + PAGE, one, 0, 1);
    assert.equal(one[0], 7);
    b.copyIn(priv + 1, one, 0, 1);
    assert.equal(one[0], 5);
    assert.equal(a.handleFault(shared + 3 * PAGE, ACCESS_READ), -EFAULT);
    assert.equal(a.faultSig, SIGBUS);
    cache.truncate(PAGE);
    for (const [mm, at] of [
      [a, shared],
      [b, priv],
    ] as const) {
      assert.equal(mm.copyIn(at + PAGE, one, 0, 1), -EFAULT);
      assert.equal(mm.copyIn(at, one, 0, 1), 1);
      checkInvariants(mm);
      mm.release();
    }
    assert.equal(cache.mapped, false);
    cache.drop();
  });

  test('gives futexes in shared memory one identity', () => {
    const mm = newMm();
    const at = mm.mmap(0, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS);
    const priv = mm.mmap(0, PAGE, RW, ANON);
    const child = mm.fork() as MemoryManager;
    assert.equal(mm.futexKey(at + 8, true), 0);
    assert.equal(child.futexKey(at + 8, true), 0);
    assert.equal(mm.futexObject, child.futexObject);
    assert.equal(mm.futexOffset, 8);
    assert.equal(child.futexOffset, 8);
    mm.futexKey(priv, true);
    child.futexKey(priv, true);
    assert.notEqual(mm.futexObject, child.futexObject);
    assert.equal(mm.futexKey(0x1234_5000, true), -EFAULT);
    assert.equal(mm.atomicCompareExchange32(at, 0, -5), 0);
    assert.equal(child.atomicLoad32(at), -5);
    assert.equal(mm.atomicLoad32(64), ATOMIC_FAULT);
    mm.release();
    child.release();
  });

  test('grows stacks down to their limit and leaves a gap', () => {
    const mm = newMm({ [RLIMIT_STACK]: 1 << 20 });
    const top = mm.setStack(64 << 10, RW);
    assert.equal(mm.handleFault(top - (512 << 10), ACCESS_WRITE), 0);
    assert.equal(mm.handleFault(top - (1 << 20) - 1, ACCESS_WRITE), -EFAULT);
    assert.equal(mm.faultCode, SEGV_MAPERR);
    const low = mm.mmap(0x5000_0000_0000, PAGE * 16, RW, ANON | MAP_GROWSDOWN | MAP_FIXED);
    mm.mmap(low - 300 * PAGE, PAGE, RW, ANON | MAP_FIXED);
    assert.equal(mm.handleFault(low - 60 * PAGE, ACCESS_WRITE), -EFAULT);
    assert.equal(mm.handleFault(low - 40 * PAGE, ACCESS_WRITE), 0, 'within the gap');
    checkInvariants(mm);
    mm.release();
  });

  test('wipes and withholds on fork as asked', () => {
    const mm = newMm();
    const at = mm.mmap(0, 2 * PAGE, RW, ANON);
    fillPage(mm, at, 7);
    fillPage(mm, at + PAGE, 8);
    assert.equal(advise(mm, at, at + PAGE, MADV_WIPEONFORK), 0);
    const child = mm.fork() as MemoryManager;
    const word = new Uint8Array(8);
    child.copyIn(at, word, 0, 4);
    child.copyIn(at + PAGE, word, 4, 4);
    assert.deepEqual([...word], [0, 0, 0, 0, 8, 0, 0, 0]);
    mm.release();
    child.release();
  });

  test('keeps to RLIMIT_AS', () => {
    const mm = newMm({ [RLIMIT_AS]: 10 * PAGE });
    assert.ok(mm.mmap(0, 10 * PAGE, RW, ANON) > 0);
    assert.equal(mm.mmap(0, PAGE, RW, ANON), -ENOMEM);
    mm.release();
  });

  test('keeps the mappings of the stub below the limit of the host', () => {
    const mm = newMm();
    const stub = mm.as as FakeAddressSpace;
    const pages = 40_000;
    const at = mm.mmap(0, pages * PAGE, RW, ANON);
    const one = Uint8Array.of(1);
    for (let i = 0; i < pages; i++) mm.copyOut(at + i * PAGE, one, 0, 1);
    const child = mm.fork() as MemoryManager;
    // Every other page is copied, so that no two neighbours have frames that follow each other.
    for (let i = 0; i < pages; i += 2) mm.copyOut(at + i * PAGE, one, 0, 1);
    child.release();
    for (let i = 1; i < pages; i += 4) assert.equal(mm.handleFault(at + i * PAGE, ACCESS_WRITE), 0);
    assert.equal(mm.mprotect(at, pages * PAGE, PROT_READ), 0);
    assert.equal(mm.mprotect(at, pages * PAGE, RW), 0);
    assert.ok(stub.hostMappings() < 60_000);
    checkInvariants(mm);
    mm.release();
  });

  test('moves strings and vectors over page edges', () => {
    const mm = newMm();
    const at = mm.mmap(0, 2 * PAGE, RW, ANON);
    const text = Buffer.from('over the edge\0');
    mm.copyOut(at + PAGE - 5, text, 0, text.length);
    assert.equal(mm.copyInString(at + PAGE - 5, 100), 'over the edge');
    assert.equal(mm.copyInString(at + PAGE - 5, 5), -ENAMETOOLONG);
    mm.copyOut(at + 2 * PAGE - 3, Buffer.from('abc'), 0, 3);
    assert.equal(mm.copyInString(at + 2 * PAGE - 3, 100), -EFAULT);
    const vec = new BigUint64Array([BigInt(at + 10), 3n, BigInt(at + 2 * PAGE - 2), 2n]);
    mm.copyOut(at + 100, new Uint8Array(vec.buffer), 0, 32);
    const io = mm.iovec(at + 100, 2);
    assert.ok(typeof io !== 'number');
    assert.equal(io.remaining, 5);
    assert.equal(io.put(Buffer.from('ABCDE'), 0, 5), 5);
    io.rewind(3);
    const back = new Uint8Array(3);
    assert.equal(io.take(back, 0, 9), 3);
    assert.equal(Buffer.from(back).toString(), 'CDE');
    assert.equal(mm.iovec(at, 1025), -EINVAL);
    const tail = mm.io(at + 2 * PAGE - 4, 100);
    assert.equal(tail.putZeros(50), 4, 'short at the first bad page');
    assert.equal(tail.put(back, 0, 3), -EFAULT);
    mm.release();
  });
});
