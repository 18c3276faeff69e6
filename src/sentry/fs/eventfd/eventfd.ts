// eventfd(2): a 64-bit counter as a file. The counter is kept in two words, for values above 2^53 are legal.

import { EAGAIN, EFAULT, EINVAL } from '../../../abi/errno.ts';
import { POLLERR, POLLIN, POLLOUT } from '../../../abi/events/poll.ts';
import { O_RDWR } from '../../../abi/fs/fcntl.ts';
import type { Io } from '../../base/io.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { WaitQueue } from '../../base/wait.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { File } from '../../vfs/file.ts';
import type { Inode } from '../../vfs/inode.ts';

const MAX = 0xffffffff;

export class EventFile extends File {
  private lo: number;
  private hi = 0;
  private readonly semaphore: boolean;
  private readonly waiters: WaitQueue = new WaitQueue();

  constructor(inode: Inode, flags: number, initial: number, semaphore: boolean) {
    super(inode, O_RDWR | flags);
    this.lo = initial >>> 0;
    this.semaphore = semaphore;
  }

  override read(_ctx: VfsContext, io: Io): number {
    if (io.remaining < 8) return -EINVAL;
    if (this.lo === 0 && this.hi === 0) return -EAGAIN;
    if (this.semaphore) {
      if (this.lo === 0) this.hi--;
      this.lo = (this.lo - 1) >>> 0;
      scratchView.setUint32(0, 1, true);
      scratchView.setUint32(4, 0, true);
    } else {
      scratchView.setUint32(0, this.lo, true);
      scratchView.setUint32(4, this.hi, true);
      this.lo = 0;
      this.hi = 0;
    }
    this.waiters.wake(POLLOUT);
    return io.put(scratch, 0, 8) === 8 ? 8 : -EFAULT;
  }

  override write(_ctx: VfsContext, io: Io): number {
    if (io.remaining < 8) return -EINVAL;
    if (io.take(scratch, 0, 8) !== 8) return -EFAULT;
    const lo = scratchView.getUint32(0, true);
    const hi = scratchView.getUint32(4, true);
    if (lo === MAX && hi === MAX) return -EINVAL;
    if (!this.add(lo, hi)) {
      io.rewind(8);
      return -EAGAIN;
    }
    return 8;
  }

  /** Adds to the counter and wakes readers; false when the sum would pass 2^64 - 2. */
  add(lo: number, hi: number): boolean {
    let sumLo = this.lo + lo;
    let sumHi = this.hi + hi;
    if (sumLo > MAX) {
      sumLo -= MAX + 1;
      sumHi++;
    }
    if (sumHi > MAX || (sumHi === MAX && sumLo === MAX)) return false;
    this.lo = sumLo;
    this.hi = sumHi;
    this.waiters.wake(POLLIN);
    return true;
  }

  override poll(): number {
    let events = 0;
    if (this.lo !== 0 || this.hi !== 0) events |= POLLIN;
    if (this.hi !== MAX || this.lo < MAX - 1) events |= POLLOUT;
    else if (this.lo === MAX) events |= POLLERR;
    return events;
  }

  override queue(): WaitQueue {
    return this.waiters;
  }

  override fdinfo(): string {
    const count = ((BigInt(this.hi) << 32n) | BigInt(this.lo)).toString(16).padStart(16, ' ');
    return `eventfd-count: ${count}\neventfd-id: ${this.inode.ino}\neventfd-semaphore: ${this.semaphore ? 1 : 0}\n`;
  }

  override describe(): string {
    return 'anon_inode:[eventfd]';
  }
}
