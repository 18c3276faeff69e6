// The ring of ready threads, as honest threads fill it and as a hostile guest may leave it.

import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import fc from 'fast-check';
import { MemoryFile } from '../../memfile/memfile.ts';
import { RING_LAP_SHIFT, RING_SHIFT, RING_SIZE } from './line.ts';
import { ReadyRing } from './ready_ring.ts';

const MANY = 64;
const FEW = 32;

describe('ring of ready threads', () => {
  let memfile: MemoryFile;

  before(() => {
    const mf = MemoryFile.create();
    assert.ok(typeof mf !== 'number');
    memfile = mf;
  });

  /** The page of `ring`, as the guests see it. */
  function pageOf(ring: ReadyRing<string>): Int32Array {
    const at = memfile.byteOffset(ring.frame) / 4;
    return memfile.i32(ring.frame).subarray(at, at + 1024);
  }

  /** A ring in use that has been looked at, its counter at `count`; threads have the numbers below `threads`. */
  function made(threads: number, count = 0): [ReadyRing<string>, Int32Array] {
    const ring = new ReadyRing<string>(memfile);
    const page = pageOf(ring);
    page[0] = count;
    for (let i = 0; i < threads; i++) assert.equal(ring.enter(`t${i}`), i);
    assert.ok(ring.decide(MANY));
    assert.deepEqual([ring.on, ring.unsure], [true, true]);
    ring.unsure = false;
    return [ring, page];
  }

  /** What an honest thread does: see ring_entry.ts. */
  function put(page: Int32Array, id: number): void {
    const n = Atomics.add(page, 0, 1);
    write(page, n, id);
  }

  /** The second half of it, for the `n`th. */
  function write(page: Int32Array, n: number, id: number): void {
    const word = ((n >>> RING_SHIFT) << RING_LAP_SHIFT) | ((id + 1) & (2 ** RING_LAP_SHIFT - 1));
    Atomics.exchange(page, RING_SIZE + (n & (RING_SIZE - 1)), word);
  }

  function all(ring: ReadyRing<string>): string[] {
    const got: string[] = [];
    for (let who = ring.take(); who !== null; who = ring.take()) got.push(who);
    return got;
  }

  it('is used from many threads on, until they are few', () => {
    const ring = new ReadyRing<string>(memfile);
    assert.deepEqual([ring.decide(MANY - 1), ring.on], [false, false]);
    assert.deepEqual([ring.decide(MANY), ring.on, ring.unsure], [true, true, true]);
    ring.unsure = false;
    for (const n of [MANY, MANY - 1, FEW + 1]) assert.deepEqual([ring.decide(n), ring.on], [false, true]);
    assert.equal(ring.unsure, false);
    assert.deepEqual([ring.decide(FEW), ring.on], [true, false]);
    assert.deepEqual([ring.decide(FEW + 1), ring.on], [false, false]);
  });

  it('says nothing of what was put in before it was used', () => {
    const ring = new ReadyRing<string>(memfile);
    ring.enter('t0');
    const page = pageOf(ring);
    for (let i = 0; i < 10; i++) put(page, 0);
    ring.decide(MANY);
    assert.deepEqual([ring.take(), ring.unsure], [null, true]);
  });

  it('gives a number that is free to the next', () => {
    const [ring, page] = made(3);
    ring.leave(1);
    for (let i = 0; i < 3; i++) put(page, i);
    assert.deepEqual(all(ring), ['t0', 't2']);
    assert.equal(ring.enter('new'), 1);
    assert.equal(ring.enter('newer'), 3);
    for (const i of [3, 1]) put(page, i);
    assert.deepEqual([all(ring), ring.unsure], [['newer', 'new'], false]);
  });

  it('tells in order what honest threads put in, across the end of the counter too', () => {
    const counts = fc.oneof(fc.constantFrom(0, 2 ** 31 - 5, -5, -(2 ** 31), RING_SIZE - 3), fc.integer());
    const steps = fc.array(fc.oneof(fc.nat(99), fc.constant(-1)), { maxLength: 2000 });
    fc.assert(
      fc.property(counts, steps, (count, list) => {
        const [ring, page] = made(100, count | 0);
        const waiting: string[] = [];
        for (const id of list) {
          if (id < 0 || waiting.length === RING_SIZE) assert.equal(ring.take(), waiting.shift() ?? null);
          else {
            put(page, id);
            waiting.push(`t${id}`);
          }
        }
        assert.deepEqual([all(ring), ring.unsure], [waiting, false]);
      }),
      { numRuns: 50 },
    );
  });

  it('holds as many as it has places, and is unsure after one more', () => {
    const [ring, page] = made(10);
    for (let i = 0; i < RING_SIZE; i++) put(page, i % 10);
    assert.deepEqual([all(ring).length, ring.unsure], [RING_SIZE, false]);
    for (let i = 0; i < RING_SIZE + 1; i++) put(page, i % 10);
    assert.deepEqual([ring.take(), ring.unsure], [null, true]);
    // What follows is told again.
    ring.unsure = false;
    put(page, 7);
    put(page, 3);
    assert.deepEqual([all(ring), ring.unsure], [['t7', 't3'], false]);
  });

  it('is unsure where a thread has counted itself and not yet written its number', () => {
    const [ring, page] = made(10);
    put(page, 1);
    const n = Atomics.add(page, 0, 1);
    put(page, 2);
    assert.deepEqual([ring.take(), ring.take(), ring.unsure], ['t1', null, true]);
    ring.unsure = false;
    assert.deepEqual([all(ring), ring.unsure], [['t2'], false]);
    // The number that comes late is in nobody's way.
    write(page, n, 5);
    put(page, 4);
    assert.deepEqual([all(ring), ring.unsure], [['t4'], false]);
  });

  it('loses no report behind a number from the lap before', () => {
    const [ring, page] = made(10);
    for (let i = 0; i < RING_SIZE + 1; i++) put(page, 1);
    assert.deepEqual([ring.take(), ring.unsure], [null, true]);
    ring.unsure = false;
    const n = Atomics.add(page, 0, 1);
    const early = all(ring);
    write(page, n, 7);
    assert.ok(ring.unsure || all(ring).includes('t7'), `told of ${early}, and never of t7`);
  });

  it('is unsure when the counter goes backwards or far ahead, and looks at nothing', () => {
    for (const jump of [-1, -RING_SIZE, RING_SIZE + 1, 2 ** 31 - 1, 2 ** 31, -(2 ** 30)]) {
      const [ring, page] = made(10, 100);
      page.fill(5, RING_SIZE);
      page[0] = (100 + jump) | 0;
      assert.deepEqual([ring.take(), ring.unsure], [null, true], String(jump));
      assert.ok(
        page.subarray(RING_SIZE).every((word) => word === 5),
        String(jump),
      );
      // From there on it is believed again.
      ring.unsure = false;
      put(page, 8);
      assert.deepEqual([all(ring), ring.unsure], [['t8'], false], String(jump));
    }
  });

  it('passes over numbers that nobody has', () => {
    const [ring, page] = made(10);
    ring.leave(5);
    for (const id of [10, 5, -2, 2 ** 20 - 3, 3, 511, 1e6]) put(page, id);
    assert.deepEqual([all(ring), ring.unsure], [['t3'], false]);
    for (let i = 0; i < RING_SIZE; i++) put(page, 1000 + i);
    assert.deepEqual([ring.take(), ring.unsure], [null, false]);
  });

  it('takes nothing but known threads, and at most its size of them, from a page of anything', () => {
    const word = fc.oneof(fc.integer({ min: -2, max: 12 }), fc.integer());
    const tails = fc.oneof(fc.integer({ min: -20, max: RING_SIZE + 20 }), fc.integer());
    fc.assert(
      fc.property(
        fc.integer(),
        fc.array(word, { minLength: RING_SIZE, maxLength: RING_SIZE }),
        fc.array(tails, { minLength: 1, maxLength: 8 }),
        (start, words, ahead) => {
          const [ring, page] = made(10, start);
          let head = start;
          for (const n of ahead) {
            page.set(words, RING_SIZE);
            page.fill(0x5a5a, 1, RING_SIZE);
            ring.unsure = false;
            page[0] = (head + n) | 0;
            const believed = n >= 0 && n <= RING_SIZE;
            let steps = 0;
            for (;;) {
              const who = ring.take();
              if (who !== null) {
                assert.match(who, /^t\d$/);
                assert.ok(++steps <= RING_SIZE);
              } else if (believed && ring.unsure && steps++ < RING_SIZE) ring.unsure = false;
              else break;
            }
            head = page[0]!;
            assert.equal(ring.unsure, !believed);
            assert.deepEqual([...page.subarray(1, RING_SIZE)], Array(RING_SIZE - 1).fill(0x5a5a));
            assert.deepEqual([...page.subarray(RING_SIZE)], words);
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
