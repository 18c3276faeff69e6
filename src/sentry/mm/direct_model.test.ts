// Mappings of a host file against a naive model: whatever the stub has mapped, at any time, shows what the model says.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EFAULT } from '../../abi/errno.ts';
import {
  MADV_DONTNEED,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  MREMAP_FIXED,
  MREMAP_MAYMOVE,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
} from '../../abi/memory/mman.ts';
import { SIGBUS } from '../../abi/signal/signal.ts';
import { KernelIo } from '../base/io.ts';
import type { DonatedFile } from '../memfile/mappable.ts';
import { MemoryFile } from '../memfile/memfile.ts';
import { PageCache, type PageSource } from '../memfile/pagecache.ts';
import { ACCESS_READ, ACCESS_WRITE } from '../platform/platform.ts';
import { advise } from './advise.ts';
import { type FakeAddressSpace, FakePlatform } from './fake_platform.test.helper.ts';
import { MemoryManager } from './mm.ts';
import { mremap } from './mremap.ts';

const PAGE = 4096;
const RW = PROT_READ | PROT_WRITE;
const FILE_PAGES = 60;
const SPAN = 80;
/** Just below the edge of a leaf of the page table. */
const BASE = 0x10_0020_0000 - 40 * PAGE;
const memfile = MemoryFile.create(64 << 20) as MemoryFile;
const platform = new FakePlatform();

const original = (index: number): number => index + 1;

class HostFile implements PageSource, DonatedFile {
  fill(index: number, frame: number): number {
    memfile.u8(frame)[memfile.byteOffset(frame)] = original(index);
    return 0;
  }
  donate(): DonatedFile {
    return this;
  }
  hostFd(): number {
    return 5;
  }
}

interface Mapped {
  index: number;
  prot: number;
  shared: boolean;
  /** The first byte of a private copy. */
  copy: number | null;
}
interface Space {
  mm: MemoryManager;
  model: Map<number, Mapped>;
}

const at = fc.nat(SPAN - 1);
const n = fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: SPAN }));
const prot = fc.constantFrom(PROT_NONE, PROT_READ, PROT_READ, PROT_READ, RW);
const kind = fc.constantFrom(
  ...([
    'map',
    'map',
    'map',
    'unmap',
    'protect',
    'protect',
    'store',
    'store',
    'dontneed',
    'fork',
    'move',
  ] as const),
  ...(['read', 'read', 'read', 'read', 'peek', 'peek', 'touch', 'touch', 'fwrite', 'truncate'] as const),
);
const step = fc.record({ kind, at, n, prot, x: fc.nat(FILE_PAGES - 1), flag: fc.boolean() });

test('mappings of a host file behave as a model of them', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
      const used = memfile.usedPages;
      const cache = new PageCache(memfile, FILE_PAGES * PAGE, new HostFile());
      const file: number[] = Array.from({ length: FILE_PAGES }, (_, i) => original(i));
      let size = FILE_PAGES;
      const first: Space = {
        mm: new MemoryManager(memfile, platform, { soft: () => Number.POSITIVE_INFINITY }),
        model: new Map(),
      };
      const spaces: Space[] = [first];
      let space = first;
      let value = 100;
      const wanted = (m: Mapped): number => m.copy ?? file[m.index] ?? 0;
      const check = (): void => {
        for (const s of spaces) {
          for (const [pn, page] of (s.mm.as as FakeAddressSpace).pages) {
            const i = pn - BASE / PAGE;
            const m = s.model.get(i);
            assert.ok(m !== undefined, `page ${i} is mapped`);
            assert.equal(page.prot & ~(m.prot === 0 ? 0 : m.prot | PROT_READ), 0, `rights of page ${i}`);
            const shown =
              page.file === undefined
                ? memfile.u8(page.frame)[memfile.byteOffset(page.frame)]
                : original(-1 - page.frame);
            assert.ok(m.index < size || m.copy !== null, `page ${i} is behind the end`);
            assert.equal(shown, wanted(m), `page ${i}`);
            if ((page.prot & PROT_WRITE) !== 0)
              assert.ok(m.shared || m.copy !== null, `page ${i} may be written`);
          }
        }
      };
      for (const s of steps) {
        const { mm, model } = space;
        const addr = BASE + s.at * PAGE;
        const pages = Math.min(s.n, SPAN - s.at);
        const m = model.get(s.at);
        const beyond = m !== undefined && m.copy === null && m.index >= size;
        switch (s.kind) {
          case 'map': {
            const flags = MAP_FIXED | (s.flag ? MAP_SHARED : MAP_PRIVATE);
            assert.equal(mm.mmap(addr, pages * PAGE, s.prot, flags, null, cache, s.x), addr);
            for (let i = 0; i < pages; i++)
              model.set(s.at + i, { index: s.x + i, prot: s.prot, shared: s.flag, copy: null });
            if (s.n % 2 === 0) mm.mapSoon(addr);
            break;
          }
          case 'unmap':
            assert.equal(mm.munmap(addr, pages * PAGE), 0);
            for (let i = 0; i < pages; i++) model.delete(s.at + i);
            break;
          case 'protect':
            mm.mprotect(addr, pages * PAGE, s.prot);
            for (let i = s.at; i < s.at + pages && model.has(i); i++) model.get(i)!.prot = s.prot;
            break;
          case 'store': {
            value = (value % 150) + 100;
            const r = mm.copyOut(addr, Uint8Array.of(value), 0, 1);
            if (m === undefined || (m.prot & PROT_WRITE) === 0 || beyond) assert.equal(r, -EFAULT);
            else {
              assert.equal(r, 1);
              if (m.shared) file[m.index] = value;
              else m.copy = value;
            }
            break;
          }
          case 'peek': {
            const byte = new Uint8Array(1);
            const r = mm.copyIn(addr, byte, 0, 1);
            if (m === undefined || m.prot === 0 || beyond) assert.equal(r, -EFAULT);
            else assert.deepEqual([r, byte[0]], [1, wanted(m)]);
            break;
          }
          case 'read':
          case 'touch': {
            const write = s.kind === 'touch';
            const r = mm.handleFault(addr + 1, write ? ACCESS_WRITE : ACCESS_READ);
            if (m === undefined || m.prot === 0 || (write && (m.prot & PROT_WRITE) === 0))
              assert.equal(r, -EFAULT);
            else if (beyond) assert.deepEqual([r, mm.faultSig], [-EFAULT, SIGBUS]);
            else {
              assert.equal(r, 0);
              if (write && !m.shared) m.copy = wanted(m);
              const page = (mm.as as FakeAddressSpace).pages.get(addr / PAGE);
              assert.ok(page !== undefined, 'mapped by the fault');
              if (write) assert.ok((page.prot & PROT_WRITE) !== 0);
            }
            break;
          }
          case 'dontneed':
            advise(mm, addr, addr + pages * PAGE, MADV_DONTNEED);
            for (let i = s.at; i < s.at + pages; i++) if (model.has(i)) model.get(i)!.copy = null;
            break;
          case 'fwrite':
            // Rarely: from the first one on nothing is direct any more.
            if (s.n > 2 || s.x >= size) break;
            value = (value % 150) + 100;
            cache.write(new KernelIo(Uint8Array.of(value)), s.x * PAGE, 1);
            file[s.x] = value;
            break;
          case 'truncate':
            if (s.n > 2) break;
            cache.truncate(s.x * PAGE);
            size = s.x;
            file.length = size;
            for (const o of spaces) for (const p of o.model.values()) if (p.index >= size) p.copy = null;
            break;
          case 'move': {
            const count = Math.min(s.n, 8, SPAN - s.at);
            const to = Math.min(s.x, SPAN - count);
            if (to < s.at + count && s.at < to + count) break;
            const r = mremap(
              mm,
              addr,
              count * PAGE,
              count * PAGE,
              MREMAP_MAYMOVE | MREMAP_FIXED,
              BASE + to * PAGE,
            );
            if (m === undefined) break;
            for (let i = to; i < to + count; i++) model.delete(i);
            if (r < 0) break;
            for (let i = 0; i < count; i++) {
              model.set(to + i, model.get(s.at + i)!);
              model.delete(s.at + i);
            }
            break;
          }
          case 'fork': {
            if (spaces.length > 2) break;
            const child = mm.fork();
            assert.ok(typeof child !== 'number');
            const copy: Space = { mm: child, model: new Map([...model].map(([i, p]) => [i, { ...p }])) };
            spaces.push(copy);
            if (s.flag) space = copy;
            break;
          }
        }
        check();
      }
      for (const s of spaces) s.mm.release();
      cache.drop();
      assert.equal(memfile.usedPages, used, 'frames leaked');
    }),
    { numRuns: 300 },
  );
});
