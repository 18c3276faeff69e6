import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EAGAIN, EDEADLK } from '../../abi/errno.ts';
import { POLLIN } from '../../abi/events/poll.ts';
import { F_RDLCK, F_UNLCK, F_WRLCK, LOCK_EX, LOCK_SH, LOCK_UN } from '../../abi/fs/fcntl.ts';
import { S_IFREG } from '../../abi/fs/stat.ts';
import { Waiter, type Wakeable } from '../base/wait.ts';
import { AnonInode, anonInodeFs } from './anon.ts';
import { File } from './file.ts';
import { beginWait, endWait, type InodeLocks, LOCK_EOF, locksOf, locksText } from './locks.ts';

class TestFile extends File {}
const A = { name: 'A' };
const B = { name: 'B' };
const C = { name: 'C' };

function fresh(): { locks: InodeLocks; inode: AnonInode } {
  const inode = new AnonInode(anonInodeFs, S_IFREG | 0o600);
  return { locks: locksOf(inode), inode };
}

/** The locks of `owner`, byte by byte, as r, w and dots. */
function picture(locks: InodeLocks, owner: object, size = 20): string {
  let s = '';
  for (let i = 0; i < size; i++) {
    const other = {};
    const w = locks.conflict(other, F_RDLCK, i, i);
    const any = locks.conflict(other, F_WRLCK, i, i);
    s += w !== null && w.owner === owner ? 'w' : any !== null && any.owner === owner ? 'r' : '.';
  }
  return s;
}

describe('record locks', () => {
  it('split, merge and convert like an array of bytes', () => {
    const { locks } = fresh();
    const model = new Array<string>(20).fill('.');
    let seed = 12345;
    const random = (n: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return (seed >>> 8) % n;
    };
    for (let step = 0; step < 2000; step++) {
      const from = random(20);
      const to = from + random(20 - from);
      const type = [F_RDLCK, F_WRLCK, F_UNLCK][random(3)]!;
      assert.equal(locks.setRecord(A, 1, type, from, to), 0);
      model.fill(type === F_RDLCK ? 'r' : type === F_WRLCK ? 'w' : '.', from, to + 1);
      assert.equal(picture(locks, A), model.join(''), `step ${step}`);
    }
  });

  it('conflict between owners only, and to the end of file', () => {
    const { locks } = fresh();
    assert.equal(locks.setRecord(A, 1, F_RDLCK, 0, LOCK_EOF), 0);
    assert.equal(locks.setRecord(B, 2, F_RDLCK, 5, 9), 0);
    assert.equal(locks.setRecord(B, 2, F_WRLCK, 5, 9), -EAGAIN);
    assert.equal(locks.setRecord(A, 1, F_WRLCK, 10, LOCK_EOF), 0);
    assert.equal(locks.setRecord(B, 2, F_RDLCK, 2 ** 50, 2 ** 50), -EAGAIN);
    assert.equal(locks.conflict(B, F_WRLCK, 0, 3)!.owner, A);
    locks.releaseOwner(A);
    assert.equal(locks.setRecord(B, 2, F_WRLCK, 0, LOCK_EOF), 0);
    locks.releaseOwner(B);
    assert.equal(locks.empty, true);
  });

  it('wake those who wait when something is released', () => {
    const { locks } = fresh();
    let woken = 0;
    const target: Wakeable = { onReady: () => void woken++ };
    locks.queue.add(new Waiter(target, POLLIN));
    locks.setRecord(A, 1, F_WRLCK, 0, 9);
    assert.equal(woken, 0);
    locks.setRecord(A, 1, F_RDLCK, 0, 4);
    assert.equal(woken, 1);
    locks.setRecord(A, 1, F_UNLCK, 0, LOCK_EOF);
    assert.equal(woken, 2);
  });

  it('find a circle of waiting owners', () => {
    const t1 = {};
    const t2 = {};
    const t3 = {};
    assert.equal(beginWait(t1, A, B), 0);
    assert.equal(beginWait(t2, B, C), 0);
    assert.equal(beginWait(t3, C, A), -EDEADLK);
    endWait(t1);
    assert.equal(beginWait(t3, C, A), 0);
    endWait(t2);
    endWait(t3);
  });
});

describe('flock', () => {
  it('is shared or exclusive per open file and ends with it', () => {
    const { locks, inode } = fresh();
    const f = new TestFile(inode, 0);
    const g = new TestFile(inode, 0);
    assert.equal(locks.setFlock(f, LOCK_SH, 1), 0);
    assert.equal(locks.setFlock(g, LOCK_SH, 2), 0);
    assert.equal(locks.setFlock(g, LOCK_EX, 2), -EAGAIN);
    assert.equal(locks.setFlock(f, LOCK_UN, 1), 0);
    assert.equal(locks.setFlock(g, LOCK_EX, 2), 0);
    assert.match([...locksText()].join(''), /^\d+: FLOCK {2}ADVISORY {2}WRITE 2 .* 0 EOF$/m);
    g.unref();
    assert.equal(locks.setFlock(f, LOCK_EX, 1), 0);
    f.unref();
    assert.doesNotMatch([...locksText()].join(''), /FLOCK/);
  });
});
