import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { EFBIG, ENOMEM } from '../../abi/errno.ts';
import { CHUNK_FRAMES, FrameAllocator, type FrameBacking } from './frames.ts';

/** Memory of one byte per page, which remembers what was written and what the host holds. */
class FakeMemory implements FrameBacking {
  bytes: Uint8Array = new Uint8Array(0);
  punched = 0;
  /** Frames that the host still has. */
  left = Number.POSITIVE_INFINITY;
  grow(index: number): number {
    if (this.left === 0) return -EFBIG;
    const frames = Math.min(CHUNK_FRAMES, this.left);
    this.left -= frames;
    const more = new Uint8Array(index * CHUNK_FRAMES + frames);
    more.set(this.bytes);
    this.bytes = more;
    return frames;
  }
  zeroPages(frame: number, pages: number): void {
    this.bytes.fill(0, frame, frame + pages);
  }
  punch(frame: number, pages: number): boolean {
    this.punched += pages;
    this.bytes.fill(0, frame, frame + pages);
    return true;
  }
  reclaim(): number {
    return 0;
  }
}

interface Run {
  frame: number;
  pages: number;
}

const LIMIT = 3000;
const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constant('alloc' as const),
      pages: fc.integer({ min: 1, max: 300 }),
      align: fc.constantFrom(1, 1, 8, 64),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constant('one' as const), pages: fc.constant(1), align: fc.constant(1) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ op: fc.constant('free' as const), pages: fc.nat(1000), align: fc.constant(1) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      op: fc.constant('freeSingly' as const),
      pages: fc.nat(1000),
      align: fc.constant(1),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ op: fc.constant('trim' as const), pages: fc.nat(1000), align: fc.constant(1) }),
  },
);

describe('FrameAllocator', () => {
  test('hands out disjoint, aligned, zeroed runs and forgets none', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const memory = new FakeMemory();
        const a = new FrameAllocator(memory, LIMIT);
        const live: Run[] = [];
        const owner = new Set<number>();
        let used = 0;
        for (const s of steps) {
          if (s.op === 'alloc' || s.op === 'one') {
            const frame = a.alloc(s.pages, s.align);
            if (frame < 0) {
              assert.ok(used + s.pages > LIMIT, 'refused below the limit');
              continue;
            }
            assert.equal(frame % s.align, 0);
            for (let f = frame; f < frame + s.pages; f++) {
              assert.ok(!owner.has(f), 'handed out twice');
              owner.add(f);
              assert.equal(memory.bytes[f], 0, 'old bytes');
              assert.equal(a.counts[f], 1);
              memory.bytes[f] = 7;
            }
            used += s.pages;
            live.push({ frame, pages: s.pages });
          } else if (s.op === 'trim') a.giveBack(0);
          else if (live.length > 0) {
            const run = live.splice(s.pages % live.length, 1)[0]!;
            if (s.op === 'free') a.unrefRun(run.frame, run.pages);
            else for (let f = run.frame; f < run.frame + run.pages; f++) a.unref(f);
            for (let f = run.frame; f < run.frame + run.pages; f++) owner.delete(f);
            used -= run.pages;
          }
          assert.equal(a.usedPages, used);
        }
        for (const run of live) a.unrefRun(run.frame, run.pages);
        assert.equal(a.usedPages, 0);
        const all = a.alloc(LIMIT, 1);
        assert.ok(all >= 0, 'free memory does not come together again');
        for (let f = all; f < all + LIMIT; f++) assert.equal(memory.bytes[f], 0);
        assert.equal(a.chunks, 1);
      }),
      { numRuns: 60 },
    );
  });

  test('frees a frame with its last reference only', () => {
    const a = new FrameAllocator(new FakeMemory(), 10);
    const f = a.alloc(4, 1);
    a.ref(f + 1);
    a.unrefRun(f, 4);
    assert.equal(a.usedPages, 1);
    assert.equal(a.counts[f + 1], 1);
    a.unref(f + 1);
    assert.equal(a.usedPages, 0);
    assert.throws(() => a.unref(f + 1));
  });

  test('gives large amounts of freed memory back to the host', () => {
    const memory = new FakeMemory();
    const a = new FrameAllocator(memory, CHUNK_FRAMES);
    const f = a.alloc(100_000, 1);
    a.unrefRun(f, 100_000);
    assert.ok(a.untidy);
    let steps = 0;
    for (let before = 0; a.untidy; steps++) {
      a.tidy();
      assert.ok(memory.punched - before <= 4096, 'no more than a step at a time');
      before = memory.punched;
    }
    assert.ok(steps >= 20 && steps < 100, `${steps}`);
    assert.ok(memory.punched >= 80_000);
    assert.ok(a.dirtyFree <= 16384);
  });

  test('punches what is dirty of a large block in parts', () => {
    const memory = new FakeMemory();
    const a = new FrameAllocator(memory, CHUNK_FRAMES);
    // Dirty pages here and there in what becomes one free block again.
    const f = a.alloc(1 << 17, 1 << 17);
    a.unrefRun(f, 1 << 17);
    while (a.untidy) a.tidy();
    for (let i = 0; i < 40; i++) {
      const g = a.alloc(1000, 1);
      a.unrefRun(g, 1000);
      while (a.untidy) a.tidy();
      a.giveBack(0);
      assert.equal(a.dirtyFree, 0);
    }
  });

  test('refuses what no chunk can hold', () => {
    const a = new FrameAllocator(new FakeMemory(), CHUNK_FRAMES * 4);
    assert.ok(a.alloc(CHUNK_FRAMES + 1, 1) < 0);
    assert.ok(a.alloc(0, 1) < 0);
    assert.ok(a.alloc(CHUNK_FRAMES, 1) >= 0);
  });

  test('makes do with what the host has', () => {
    const memory = new FakeMemory();
    memory.left = 1024;
    const a = new FrameAllocator(memory, CHUNK_FRAMES);
    const f = a.alloc(1000, 1);
    assert.ok(f >= 0);
    assert.equal(a.limitPages, 1024);
    assert.equal(a.alloc(25, 1), -ENOMEM);
    a.unrefRun(f, 1000);
    const all = a.alloc(1024, 1);
    assert.ok(all >= 0 && all + 1024 <= memory.bytes.length, 'frames that the host does not have');
    assert.equal(a.alloc(1, 1), -ENOMEM);
  });

  test('says why the host gives none', () => {
    const memory = new FakeMemory();
    memory.left = 0;
    assert.equal(new FrameAllocator(memory, CHUNK_FRAMES).alloc(1, 1), -EFBIG);
  });
});
