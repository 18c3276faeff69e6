import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { EAGAIN, EBUSY, ENXIO, EPERM, EPIPE } from '../../../abi/errno.ts';
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from '../../../abi/events/poll.ts';
import { O_DIRECT, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } from '../../../abi/fs/fcntl.ts';
import { S_IFIFO } from '../../../abi/fs/stat.ts';
import { SIGPIPE } from '../../../abi/signal/signal.ts';
import { KernelIo } from '../../base/io.ts';
import { Waiter, type Wakeable } from '../../base/wait.ts';
import { AnonInode, anonInodeFs } from '../../vfs/anon.ts';
import { TestContext } from '../../vfs/context.test.helper.ts';
import { makePipe, openFifo } from './fifo.ts';
import { PIPE_BUF, Pipe } from './pipe.ts';
import type { PipeFile } from './pipe_file.ts';

function context(): TestContext {
  return new TestContext();
}

function put(p: PipeFile, ctx: TestContext, text: string): number {
  return p.write(ctx, new KernelIo(Buffer.from(text)));
}

function get(p: PipeFile, ctx: TestContext, max: number): string | number {
  const buffer = Buffer.alloc(max);
  const n = p.read(ctx, new KernelIo(buffer));
  return n < 0 ? n : buffer.toString('latin1', 0, n);
}

/** Counts wakes with any of `events`. */
class Counter implements Wakeable {
  wakes = 0;
  readonly waiter: Waiter;
  constructor(events: number) {
    this.waiter = new Waiter(this, events);
  }
  onReady(): void {
    this.wakes++;
  }
}

describe('pipe', () => {
  test('behaves as a queue of bytes', () => {
    const op = fc.oneof(
      fc.record({ write: fc.integer({ min: 1, max: 70000 }) }),
      fc.record({ read: fc.integer({ min: 1, max: 70000 }) }),
      fc.record({ resize: fc.constantFrom(4096, 8192, 65536, 131072) }),
    );
    fc.assert(
      fc.property(fc.array(op, { maxLength: 40 }), (ops) => {
        const pipe = new Pipe();
        pipe.readers = pipe.writers = 1;
        let model = Buffer.alloc(0);
        let next = 0;
        let capacity = 65536;
        for (const o of ops) {
          if ('write' in o) {
            const data = Buffer.alloc(o.write);
            for (let i = 0; i < o.write; i++) data[i] = (next + i) * 31;
            const n = pipe.write(new KernelIo(data), false);
            const free = Math.max(0, capacity - model.length);
            if (free === 0 || (o.write <= PIPE_BUF && o.write > free)) assert.equal(n, -EAGAIN);
            else {
              assert.equal(n, Math.min(free, o.write));
              model = Buffer.concat([model, data.subarray(0, n)]);
              next += n;
            }
          } else if ('read' in o) {
            const into = Buffer.alloc(o.read);
            const n = pipe.read(new KernelIo(into));
            if (model.length === 0) assert.equal(n, -EAGAIN);
            else {
              assert.equal(n, Math.min(o.read, model.length));
              assert.deepEqual(into.subarray(0, n), model.subarray(0, n));
              model = model.subarray(n);
            }
          } else {
            const n = pipe.resize(o.resize, false);
            if (model.length > o.resize) assert.equal(n, -EBUSY);
            else capacity = n;
          }
          assert.equal(pipe.size, model.length);
          assert.equal(pipe.writable, model.length <= capacity - 4096);
        }
      }),
      { numRuns: 200 },
    );
  });

  test('packets keep their boundaries and lose what is not read', () => {
    const ctx = context();
    const [r, w] = makePipe(ctx, O_DIRECT);
    put(w, ctx, 'hello');
    put(w, ctx, 'world!');
    assert.equal(get(r, ctx, 3), 'hel');
    assert.equal(get(r, ctx, 100), 'world!');
    assert.equal(get(r, ctx, 100), -EAGAIN);
    w.flags &= ~O_DIRECT;
    put(w, ctx, 'ab');
    w.flags |= O_DIRECT;
    put(w, ctx, 'packet');
    put(w, ctx, 'next');
    // Plain bytes before a packet are read together with it.
    assert.equal(get(r, ctx, 4), 'abpa');
    assert.equal(get(r, ctx, 4), 'next');
    assert.equal(r.pipe.size, 0);
  });

  test('ends tell each other when they go', () => {
    const ctx = context();
    const [r, w] = makePipe(ctx, 0);
    assert.equal(r.poll(), 0);
    assert.equal(w.poll() & POLLOUT, POLLOUT);
    put(w, ctx, 'x');
    w.unref();
    assert.equal(r.poll() & (POLLIN | POLLHUP), POLLIN | POLLHUP);
    assert.equal(get(r, ctx, 9), 'x');
    assert.equal(get(r, ctx, 9), '');
    const [r2, w2] = makePipe(ctx, 0);
    r2.unref();
    assert.equal(w2.poll() & POLLERR, POLLERR);
    assert.equal(put(w2, ctx, 'x'), -EPIPE);
    assert.deepEqual(ctx.raised, [SIGPIPE]);
  });

  test('a writer is woken when a page is free, a reader by every write', () => {
    const ctx = context();
    const [r, w] = makePipe(ctx, 0);
    const out = new Counter(POLLOUT);
    const into = new Counter(POLLIN);
    r.queue().add(out.waiter);
    r.queue().add(into.waiter);
    put(w, ctx, 'x'.repeat(65536));
    assert.equal(into.wakes, 1);
    assert.equal(put(w, ctx, 'y'), -EAGAIN);
    get(r, ctx, 4095);
    assert.equal(out.wakes, 0);
    get(r, ctx, 1);
    assert.equal(out.wakes, 1);
    get(r, ctx, 65536);
    assert.equal(out.wakes, 1);
  });

  test('a user with very many pipes gets small ones', () => {
    const ctx = new TestContext().as(1000, 1000);
    const ends: PipeFile[] = [];
    for (let i = 0; i < 1100; i++) ends.push(...makePipe(ctx, 0));
    assert.equal(ends[2]!.pipeSize(ctx, -1), 65536);
    assert.equal(ends[2199]!.pipeSize(ctx, -1), 8192);
    assert.equal(ends[2199]!.pipeSize(ctx, 65536), -EPERM);
    for (const f of ends) f.unref();
    assert.equal(makePipe(ctx, 0)[0].pipeSize(ctx, 1 << 20), 1 << 20);
    assert.equal(makePipe(ctx, 0)[0].pipeSize(ctx, 1 << 21), -EPERM);
  });

  test('a FIFO opens when both ends are there', () => {
    const ctx = context();
    const inode = new AnonInode(anonInodeFs, S_IFIFO | 0o600);
    assert.equal(openFifo(inode, ctx, O_WRONLY | O_NONBLOCK), -ENXIO);
    const r = openFifo(inode, ctx, O_RDONLY) as PipeFile;
    assert.equal(r.openWait(), -EAGAIN);
    const w = openFifo(inode, ctx, O_WRONLY) as PipeFile;
    assert.equal(w.openWait(), 0);
    // The writer goes at once: the reader's open is complete all the same.
    w.unref();
    assert.equal(r.openWait(), 0);
    assert.equal(get(r, ctx, 1), '');
    r.unref();
    const quiet = openFifo(inode, ctx, O_RDONLY | O_NONBLOCK) as PipeFile;
    assert.equal(quiet.openWait(), 0);
    assert.equal(quiet.poll() & POLLHUP, 0);
    const both = openFifo(inode, ctx, O_RDWR) as PipeFile;
    assert.equal(both.openWait(), 0);
    both.unref();
    assert.equal(quiet.poll() & POLLHUP, POLLHUP);
  });
});
