import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Timer } from '../../base/time.ts';
import { TimerHeap } from './timer_heap.ts';

const target = { onTimer() {} };

describe('TimerHeap', () => {
  test('behaves as a sorted list under any sequence of arming, re-arming and cancelling', () => {
    const step = fc.record({
      op: fc.constantFrom('set', 'remove', 'pop'),
      which: fc.nat(15),
      at: fc.nat(50),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const heap = new TimerHeap();
        const timers = Array.from({ length: 16 }, (_, i) => new Timer(target, i));
        const model = new Map<Timer, number>();
        for (const { op, which, at } of steps) {
          const timer = timers[which]!;
          if (op === 'set') {
            heap.set(timer, at);
            model.set(timer, at);
          } else if (op === 'remove') {
            heap.remove(timer);
            model.delete(timer);
          } else {
            const earliest = Math.min(Number.POSITIVE_INFINITY, ...model.values());
            const got = heap.popDue(at);
            if (earliest <= at) {
              assert.ok(got !== null);
              assert.equal(model.get(got), earliest);
              assert.equal(got.armed, false);
              model.delete(got);
            } else assert.equal(got, null);
          }
          assert.equal(heap.size, model.size);
          assert.equal(heap.nextNs, Math.min(Number.POSITIVE_INFINITY, ...model.values()));
          for (const t of timers) assert.equal(t.armed, model.has(t));
        }
      }),
    );
  });
});
