import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EAGAIN, EINVAL } from '../../../abi/errno.ts';
import { POLLERR, POLLIN, POLLOUT } from '../../../abi/events/poll.ts';
import { KernelIo } from '../../base/io.ts';
import { AnonInode, anonInodeFs } from '../../vfs/anon.ts';
import { TestContext } from '../../vfs/context.test.helper.ts';
import { EventFile } from './eventfd.ts';

const MAX = 2n ** 64n - 1n;

test('an eventfd counts as the model of 64-bit words does', () => {
  const ctx = new TestContext();
  const word = fc.oneof(fc.bigInt(0n, 3n), fc.bigInt(MAX - 3n, MAX), fc.bigInt(0n, MAX));
  fc.assert(
    fc.property(fc.boolean(), fc.array(fc.option(word), { maxLength: 20 }), (semaphore, ops) => {
      const f = new EventFile(new AnonInode(anonInodeFs, 0), 0, 1, semaphore);
      let count = 1n;
      for (const op of ops) {
        const bytes = new Uint8Array(8);
        const view = new DataView(bytes.buffer);
        if (op === null) {
          const n = f.read(ctx, new KernelIo(bytes));
          if (count === 0n) assert.equal(n, -EAGAIN);
          else {
            assert.equal(n, 8);
            assert.equal(view.getBigUint64(0, true), semaphore ? 1n : count);
            count = semaphore ? count - 1n : 0n;
          }
        } else {
          view.setBigUint64(0, op, true);
          const n = f.write(ctx, new KernelIo(bytes));
          if (op === MAX) assert.equal(n, -EINVAL);
          else if (count + op >= MAX) assert.equal(n, -EAGAIN);
          else {
            assert.equal(n, 8);
            count += op;
          }
        }
        const events = (count > 0n ? POLLIN : 0) | (count < MAX - 1n ? POLLOUT : 0);
        assert.equal(f.poll() & ~POLLERR, events);
      }
    }),
  );
});
