import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EEXIST, EINVAL, ELOOP, ENOENT, EPERM } from '../../../abi/errno.ts';
import {
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
} from '../../../abi/events/epoll.ts';
import type { UserMemory } from '../../base/usermem.ts';
import { Waiter, WaitQueue, type Wakeable } from '../../base/wait.ts';
import { AnonInode, anonInodeFs } from '../../vfs/anon.ts';
import { File } from '../../vfs/file.ts';
import { EpollFile } from './epoll.ts';

class FakeFile extends File {
  ready = 0;
  readonly waiters = new WaitQueue();
  constructor() {
    super(new AnonInode(anonInodeFs, 0), 0);
  }
  override poll(): number {
    return this.ready;
  }
  override queue(): WaitQueue {
    return this.waiters;
  }
  /** New events come: the state holds them and watchers hear of them. */
  fire(events: number): void {
    this.ready |= events;
    this.waiters.wake(events);
  }
}

class PlainFile extends File {}

/** Guest memory that takes events; `room` bytes of it are good. */
class Sink {
  readonly bytes = new Uint8Array(4096);
  room = 4096;
  copyOutExact(addr: number, src: Uint8Array, off: number, len: number): number {
    if (addr + len > this.room) return -14;
    this.bytes.set(src.subarray(off, off + len), addr);
    return 0;
  }
}

const sink = new Sink();
const memory = sink as unknown as UserMemory;

function epoll(): EpollFile {
  return new EpollFile(new AnonInode(anonInodeFs, 0));
}

/** The data words of what epoll_wait reports now. */
function wait(ep: EpollFile, max = 100): number[] {
  ep.startCollecting();
  const n = ep.collect(memory, 0, max, 0);
  const view = new DataView(sink.bytes.buffer);
  const list: number[] = [];
  for (let i = 0; i < n; i++) list.push(view.getUint32(12 * i + 4, true));
  return n < 0 ? [n] : list;
}

describe('epoll', () => {
  test('level-triggered items stay until the state is gone', () => {
    const ep = epoll();
    const f = new FakeFile();
    assert.equal(ep.ctl(EPOLL_CTL_ADD, 5, f, EPOLLIN, 77, 0), 0);
    assert.deepEqual(wait(ep), []);
    f.fire(EPOLLIN);
    assert.deepEqual(wait(ep), [77]);
    assert.deepEqual(wait(ep), [77]);
    assert.equal(ep.poll(), EPOLLIN | 0x40);
    f.ready = 0;
    assert.deepEqual(wait(ep), []);
    assert.equal(ep.poll(), 0);
  });

  test('edge-triggered items report once per wake', () => {
    const ep = epoll();
    const f = new FakeFile();
    f.ready = EPOLLIN;
    ep.ctl(EPOLL_CTL_ADD, 5, f, (EPOLLIN | EPOLLET) >>> 0, 1, 0);
    assert.deepEqual(wait(ep), [1]);
    assert.deepEqual(wait(ep), []);
    f.fire(EPOLLIN);
    assert.deepEqual(wait(ep), [1]);
    f.fire(EPOLLOUT);
    assert.deepEqual(wait(ep), []);
  });

  test('one-shot items are silent until they are modified', () => {
    const ep = epoll();
    const f = new FakeFile();
    ep.ctl(EPOLL_CTL_ADD, 5, f, EPOLLIN | EPOLLONESHOT, 1, 0);
    f.fire(EPOLLIN);
    assert.deepEqual(wait(ep), [1]);
    f.fire(EPOLLIN);
    assert.deepEqual(wait(ep), []);
    ep.ctl(EPOLL_CTL_MOD, 5, f, EPOLLIN | EPOLLONESHOT, 2, 0);
    assert.deepEqual(wait(ep), [2]);
    assert.deepEqual(wait(ep), []);
  });

  test('ready items take turns when few fit', () => {
    const ep = epoll();
    for (let i = 0; i < 3; i++) {
      const f = new FakeFile();
      ep.ctl(EPOLL_CTL_ADD, i, f, EPOLLIN, i, 0);
      f.fire(EPOLLIN);
    }
    assert.deepEqual(wait(ep, 2), [0, 1]);
    assert.deepEqual(wait(ep, 2), [2, 0]);
    assert.deepEqual(wait(ep, 2), [1, 2]);
  });

  test('a fault reports what was written and loses nothing', () => {
    const ep = epoll();
    for (let i = 0; i < 2; i++) {
      const f = new FakeFile();
      ep.ctl(EPOLL_CTL_ADD, i, f, (EPOLLIN | EPOLLET) >>> 0, i, 0);
      f.fire(EPOLLIN);
    }
    sink.room = 12;
    assert.deepEqual(wait(ep), [0]);
    sink.room = 0;
    assert.deepEqual(wait(ep), [-14]);
    sink.room = 4096;
    assert.deepEqual(wait(ep), [1]);
  });

  test('a released description leaves every instance', () => {
    const a = epoll();
    const b = epoll();
    const f = new FakeFile();
    a.ctl(EPOLL_CTL_ADD, 5, f, EPOLLIN, 1, 0);
    a.ctl(EPOLL_CTL_ADD, 6, f, EPOLLIN, 2, 0);
    b.ctl(EPOLL_CTL_ADD, 5, f, EPOLLIN, 3, 0);
    f.fire(EPOLLIN);
    assert.deepEqual(wait(a), [1, 2]);
    f.ref();
    f.unref();
    assert.deepEqual(wait(b), [3]);
    f.unref();
    assert.deepEqual(wait(a), []);
    assert.deepEqual(wait(b), []);
    assert.ok(f.waiters.empty);
    assert.equal(f.watchers, null);
  });

  test('a released instance leaves its files', () => {
    const ep = epoll();
    const f = new FakeFile();
    const other = new FakeFile();
    ep.ctl(EPOLL_CTL_ADD, 5, f, EPOLLIN, 1, 0);
    ep.ctl(EPOLL_CTL_ADD, 5, other, EPOLLIN, 1, 0);
    f.fire(EPOLLIN);
    ep.unref();
    assert.ok(f.waiters.empty && other.waiters.empty);
    assert.equal(f.watchers, null);
  });

  test('errors of epoll_ctl', () => {
    const ep = epoll();
    const f = new FakeFile();
    assert.equal(ep.ctl(EPOLL_CTL_MOD, 5, f, EPOLLIN, 0, 0), -ENOENT);
    assert.equal(ep.ctl(EPOLL_CTL_DEL, 5, f, 0, 0, 0), -ENOENT);
    assert.equal(ep.ctl(EPOLL_CTL_ADD, 5, f, EPOLLIN | EPOLLEXCLUSIVE, 0, 0), 0);
    assert.equal(ep.ctl(EPOLL_CTL_ADD, 5, f, EPOLLIN, 0, 0), -EEXIST);
    assert.equal(ep.ctl(EPOLL_CTL_MOD, 5, f, EPOLLIN, 0, 0), -EINVAL);
    assert.equal(ep.ctl(EPOLL_CTL_ADD, 9, ep, EPOLLIN, 0, 0), -EINVAL);
    assert.equal(ep.ctl(99, 5, f, EPOLLIN, 0, 0), -EINVAL);
    assert.equal(ep.ctl(EPOLL_CTL_ADD, 9, new PlainFile(f.inode, 0), EPOLLIN, 0, 0), -EPERM);
  });

  test('nested instances pass wakes on, loops and deep chains are refused', () => {
    const chain = [epoll(), epoll(), epoll(), epoll(), epoll(), epoll()];
    for (let i = 0; i < 4; i++)
      assert.equal(chain[i]!.ctl(EPOLL_CTL_ADD, 3, chain[i + 1]!, EPOLLIN, i, 0), 0);
    assert.equal(chain[4]!.ctl(EPOLL_CTL_ADD, 3, chain[5]!, EPOLLIN, 9, 0), -ELOOP);
    assert.equal(chain[2]!.ctl(EPOLL_CTL_ADD, 3, chain[0]!, EPOLLIN, 9, 0), -ELOOP);
    const f = new FakeFile();
    chain[4]!.ctl(EPOLL_CTL_ADD, 8, f, EPOLLIN, 42, 0);
    let woken = 0;
    const watcher: Wakeable = { onReady: () => woken++ };
    chain[0]!.queue().add(new Waiter(watcher, EPOLLIN));
    f.fire(EPOLLIN);
    assert.equal(woken, 1);
    assert.deepEqual(wait(chain[0]!), [0]);
    f.ready = 0;
    assert.deepEqual(wait(chain[0]!), []);
  });
});
