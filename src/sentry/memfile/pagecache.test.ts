import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ENOENT, ENXIO } from '../../abi/errno.ts';
import { SEEK_DATA, SEEK_HOLE } from '../../abi/fs/fs.ts';
import { KernelIo } from '../base/io.ts';
import type { Mappable, MappingOwner } from './mappable.ts';
import { MemoryFile } from './memfile.ts';
import { PageCache, type PageSource } from './pagecache.ts';

const PAGE = 4096;
const memfile = MemoryFile.create(256 << 20) as MemoryFile;

class Bytes implements PageSource {
  readonly content: Uint8Array;
  reads = 0;
  constructor(content: Uint8Array) {
    this.content = content;
  }
  fill(index: number, frame: number): number {
    this.reads++;
    const part = this.content.subarray(index * PAGE, (index + 1) * PAGE);
    memfile.u8(frame).set(part, memfile.byteOffset(frame));
    return 0;
  }
}

function pattern(len: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: len }, (_, i) => ((i * 31 + seed * 17) % 255) + 1);
}

function readAll(c: PageCache): Uint8Array {
  const out = new Uint8Array(c.size);
  assert.equal(c.read(new KernelIo(out), 0, c.size), c.size);
  return out;
}

const MAX = 40 * PAGE;
const where = fc.integer({ min: 0, max: MAX });
const step = fc.oneof(
  fc.record({ op: fc.constant('write' as const), off: where, len: fc.integer({ min: 1, max: 5 * PAGE }) }),
  fc.record({ op: fc.constant('truncate' as const), off: where, len: fc.constant(0) }),
  fc.record({ op: fc.constant('punch' as const), off: where, len: fc.integer({ min: 1, max: 9 * PAGE }) }),
  fc.record({ op: fc.constant('touch' as const), off: where, len: fc.constant(0) }),
  fc.record({ op: fc.constant('shrink' as const), off: where, len: fc.constant(0) }),
);

describe('PageCache', () => {
  test('behaves as an array of bytes, with and without a source', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 40 }),
        fc.option(fc.integer({ min: 1, max: MAX })),
        (steps, initial) => {
          const before = memfile.usedPages;
          const source = initial === null ? null : new Bytes(pattern(initial, 99));
          const cache = new PageCache(memfile, initial ?? 0, source);
          let model = source === null ? new Uint8Array(0) : source.content.slice();
          let seed = 0;
          for (const s of steps) {
            if (s.op === 'write') {
              const data = pattern(s.len, ++seed);
              assert.equal(cache.write(new KernelIo(data), s.off, s.len), s.len);
              if (s.off + s.len > model.length) {
                const more = new Uint8Array(s.off + s.len);
                more.set(model);
                model = more;
              }
              model.set(data, s.off);
            } else if (s.op === 'truncate') {
              cache.truncate(s.off);
              const next = new Uint8Array(s.off);
              next.set(model.subarray(0, s.off));
              model = next;
            } else if (s.op === 'punch') {
              assert.equal(cache.punchHole(s.off, s.len), 0);
              model.fill(0, Math.min(s.off, model.length), Math.min(s.off + s.len, model.length));
            } else if (s.op === 'touch') {
              const r = cache.getPage(Math.floor(s.off / PAGE), true);
              if (Math.floor(s.off / PAGE) * PAGE >= model.length) assert.equal(r, -ENOENT);
              else assert.ok(r >= 0);
            } else cache.shrink(1000);
            assert.equal(cache.size, model.length);
          }
          assert.deepEqual(readAll(cache), model);
          // What SEEK_HOLE calls a hole is zero; SEEK_DATA finds every other byte.
          for (let at = 0; at < model.length; ) {
            const data = cache.dataHole(at, SEEK_DATA);
            const end = data === -ENXIO ? model.length : data;
            assert.ok(model.subarray(at, end).every((b) => b === 0));
            if (data === -ENXIO) break;
            const hole = cache.dataHole(data, SEEK_HOLE);
            assert.ok(hole > data);
            at = hole;
          }
          assert.equal(cache.dataHole(model.length, SEEK_DATA), -ENXIO);
          cache.drop();
          assert.equal(memfile.usedPages, before);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('keeps huge sparse files small', () => {
    const c = new PageCache(memfile);
    const far = 2 ** 45;
    assert.equal(c.write(new KernelIo(pattern(10, 1)), far, 10), 10);
    assert.equal(c.pages, 1);
    assert.equal(c.dataHole(0, SEEK_DATA), far);
    assert.equal(c.dataHole(far, SEEK_HOLE), far + 10);
    c.truncate(0);
    assert.equal(c.pages, 0);
  });

  test('tells mappings before pages go', () => {
    const c = new PageCache(memfile);
    c.write(new KernelIo(pattern(5 * PAGE, 1)), 0, 5 * PAGE);
    const calls: [number, number, boolean][] = [];
    const owner: MappingOwner = {
      leaveHostFile: () => {},
      invalidatePages(source: Mappable, first: number, count: number, copies: boolean) {
        assert.equal(source, c);
        assert.ok(c.peek(first) >= 0, 'still there');
        calls.push([first, count, copies]);
      },
    };
    c.addOwner(owner, true);
    c.addOwner(owner, false);
    assert.equal(c.writableMappings, 1);
    c.punchHole(PAGE, PAGE);
    c.truncate(2 * PAGE + 1);
    assert.deepEqual(calls, [
      [1, 1, false],
      [3, 2, true],
    ]);
    c.removeOwner(owner, true);
    c.removeOwner(owner, false);
    assert.equal(c.mapped, false);
    assert.equal(c.writableMappings, 0);
    c.drop();
  });

  test('evicts clean pages of a source and reads them again', () => {
    const source = new Bytes(pattern(8 * PAGE, 3));
    const c = new PageCache(memfile, 8 * PAGE, source);
    readAll(c);
    c.write(new KernelIo(Uint8Array.of(1)), 0, 1);
    assert.equal(c.shrink(100), 7);
    const reads = source.reads;
    const again = readAll(c);
    assert.equal(source.reads, reads + 7);
    assert.equal(again[0], 1);
    assert.deepEqual(again.subarray(1), source.content.subarray(1));
    c.drop();
  });
});
