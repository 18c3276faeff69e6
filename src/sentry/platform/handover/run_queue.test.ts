import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RunQueue } from './run_queue.ts';

/** Of the woken ones, so many go before a spent one that waits. */
const WOKEN_FIRST = 3;

test('woken threads first, then one that is spent', () => {
  const queue = new RunQueue<string>(2);
  assert.deepEqual([queue.limit, queue.length, queue.next()], [2, 0, null]);
  queue.add('s1', true);
  queue.add('s2', true);
  for (const name of ['w1', 'w2', 'w3', 'w4', 'w5']) queue.add(name, false);
  assert.equal(queue.length, 7);
  const order = Array.from({ length: 7 }, () => queue.next());
  assert.deepEqual(order, ['w1', 'w2', 'w3', 's1', 'w4', 'w5', 's2']);
  assert.deepEqual([queue.length, queue.next()], [0, null]);
});

test('spent threads alone go one after the other', () => {
  const queue = new RunQueue<number>(1);
  for (let i = 0; i < 5; i++) queue.add(i, true);
  assert.deepEqual(
    Array.from({ length: 6 }, () => queue.next()),
    [0, 1, 2, 3, 4, null],
  );
});

test('a thread that is taken out does not come again', () => {
  const queue = new RunQueue<string>(1);
  queue.add('w1', false);
  queue.add('s1', true);
  queue.add('w2', false);
  assert.deepEqual(
    queue.filter((name) => name.endsWith('1')),
    ['w1', 's1'],
  );
  assert.deepEqual([queue.remove('w1'), queue.remove('w1'), queue.remove('nobody')], [true, false, false]);
  assert.deepEqual([queue.remove('s1'), queue.length], [true, 1]);
  assert.deepEqual([queue.next(), queue.next()], ['w2', null]);
});

test('each comes out once, in its class in order, and neither class starves', () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.boolean().map((spent) => ({ do: 'add', spent }) as const) },
    { weight: 3, arbitrary: fc.constant({ do: 'next' } as const) },
    { weight: 1, arbitrary: fc.nat(20).map((which) => ({ do: 'remove', which }) as const) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const queue = new RunQueue<number>(1);
      const woken: number[] = [];
      const spent: number[] = [];
      let made = 0;
      // Since when one of the other class has waited: how many went before it.
      let passedSpent = 0;
      let passedWoken = 0;
      const take = (): void => {
        const thread = queue.next();
        if (woken.length + spent.length === 0) {
          assert.equal(thread, null);
          return;
        }
        const from = thread === woken[0] ? woken : spent;
        const both = woken.length > 0 && spent.length > 0;
        assert.equal(thread, from.shift());
        passedSpent = both && from === woken ? passedSpent + 1 : 0;
        passedWoken = both && from === spent ? passedWoken + 1 : 0;
        assert.ok(passedSpent <= WOKEN_FIRST, 'a spent one starves');
        assert.ok(passedWoken <= 1, 'a woken one waits for two that are spent');
      };
      for (const s of steps) {
        if (s.do === 'add') {
          queue.add(made, s.spent);
          (s.spent ? spent : woken).push(made++);
        } else if (s.do === 'next') take();
        else {
          const waiting = [...woken, ...spent];
          const thread = waiting[s.which] ?? made;
          assert.equal(queue.remove(thread), s.which < waiting.length);
          for (const list of [woken, spent]) if (list.includes(thread)) list.splice(list.indexOf(thread), 1);
        }
        assert.equal(queue.length, woken.length + spent.length);
        assert.deepEqual(
          queue.filter(() => true),
          [...woken, ...spent],
        );
      }
      while (queue.length > 0) take();
      take();
    }),
  );
});
