// blockingIo: how read and write calls wait. A file that answers -EAGAIN is pinned to the call and watched; a write that
// moved part of its bytes remembers how many in call.done and goes on with the rest.

import { EAGAIN, EINTR, ERESTARTSYS } from '../../abi/errno.ts';
import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLPRI,
  POLLRDBAND,
  POLLRDHUP,
  POLLRDNORM,
  POLLWRBAND,
  POLLWRNORM,
} from '../../abi/events/poll.ts';
import { IN_ACCESS, IN_MODIFY } from '../../abi/fs/inotify.ts';
import { S_IFCHR, S_IFIFO, S_IFMT, S_IFSOCK } from '../../abi/fs/stat.ts';
import { TIMED_OUT } from '../kernel/block.ts';
import type { Task } from '../kernel/task/task.ts';
import type { File } from '../vfs/file.ts';
import { notifyDentry, notifyInode, watchCount } from '../vfs/watches.ts';

/** What a reader waits for. */
export const READ_EVENTS = POLLIN | POLLRDNORM | POLLRDBAND | POLLPRI | POLLRDHUP | POLLHUP | POLLERR;
/** What a writer waits for. */
export const WRITE_EVENTS = POLLOUT | POLLWRNORM | POLLWRBAND | POLLHUP | POLLERR;

/** read(2) and friends move at most this many bytes per call (MAX_RW_COUNT). */
export const MAX_RW_COUNT = 0x7ffff000;

/**
 * The file said -EAGAIN to a read: waits until it may say something else. BLOCKED, or the call's result: -EAGAIN for a
 * non-blocking file or when its time-out is over, -ERESTARTSYS.
 */
export function waitReadable(t: Task, fd: number, f: File): number {
  if (f.nonblocking) return -EAGAIN;
  return wait(t, fd, f, READ_EVENTS, f.readTimeoutNs);
}

/** As waitReadable, for a write. */
export function waitWritable(t: Task, fd: number, f: File): number {
  if (f.nonblocking) return -EAGAIN;
  return wait(t, fd, f, WRITE_EVENTS, f.writeTimeoutNs);
}

function wait(t: Task, fd: number, f: File, events: number, timeoutNs: number): number {
  t.pin(fd, f);
  if (timeoutNs !== Number.POSITIVE_INFINITY) t.deadline(t.time.monotonicNs() + timeoutNs);
  const r = t.block(f.queue(), events);
  if (r === TIMED_OUT) return -EAGAIN;
  // A wait with a timeout is not restarted after a signal: signal(7).
  return r === -ERESTARTSYS && timeoutNs !== Number.POSITIVE_INFINITY ? -EINTR : r;
}

/** True when a short write is to be continued: streams. Others have said all that they have to say. */
export function continues(f: File): boolean {
  const type = f.inode.mode & S_IFMT;
  return (type === S_IFIFO || type === S_IFSOCK || type === S_IFCHR) && !f.seekable;
}

/** Tells inotify that a file was read. */
export function noteRead(f: File): void {
  if (watchCount.n === 0) return;
  if (f.path !== null) notifyDentry(f.path.dentry, IN_ACCESS);
  else notifyInode(f.inode, IN_ACCESS);
}

/** Tells inotify that a file was written. */
export function noteWrite(f: File): void {
  if (watchCount.n === 0) return;
  if (f.path !== null) notifyDentry(f.path.dentry, IN_MODIFY);
  else notifyInode(f.inode, IN_MODIFY);
}
