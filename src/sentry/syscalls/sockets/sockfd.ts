// What the socket system calls share: descriptor to socket, addresses to and from user memory, waiting.

import { EAGAIN, EBADF, EFAULT, EINTR, EINVAL, ENOTSOCK, ERESTARTSYS } from '../../../abi/errno.ts';
import { scratch, scratchView } from '../../base/scratch.ts';
import { BLOCKED, TIMED_OUT } from '../../kernel/block.ts';
import type { Task } from '../../kernel/task/task.ts';
import { MAX_ADDR, SockAddr } from '../../socket/message.ts';
import { SocketFile } from '../../socket/socket.ts';
import { fdget } from '../fdget.ts';

/** The socket of a descriptor: -EBADF, -ENOTSOCK. */
export function sockfd(t: Task, fd: number): SocketFile | number {
  const file = fdget(t, fd);
  if (file === null) return -EBADF;
  return file instanceof SocketFile ? file : -ENOTSOCK;
}

/** One address for calls that take or tell just one. Valid until the next system call. */
export const sockaddr: SockAddr = new SockAddr();

/** Copies an address in (move_addr_to_kernel): 0, -EINVAL, -EFAULT. */
export function copyInAddr(t: Task, to: SockAddr, addr: number, len: number): number {
  to.len = 0;
  if (len < 0 || len > MAX_ADDR) return -EINVAL;
  if (len > 0 && t.mem.copyInExact(addr, to.bytes, 0, len) !== 0) return -EFAULT;
  to.len = len;
  return 0;
}

/** Copies an address out, cut to the size that *lenAddr says, and writes its full length there (move_addr_to_user). */
export function copyOutAddr(t: Task, from: SockAddr, addr: number, lenAddr: number): number {
  if (t.mem.copyInExact(lenAddr, scratch, 0, 4) !== 0) return -EFAULT;
  const room = scratchView.getInt32(0, true);
  if (room < 0) return -EINVAL;
  const n = Math.min(room, from.len);
  if (n > 0 && t.mem.copyOutExact(addr, from.bytes, 0, n) !== 0) return -EFAULT;
  scratchView.setInt32(0, from.len, true);
  return t.mem.copyOutExact(lenAddr, scratch, 0, 4);
}

/**
 * Parks a call whose operation said -EAGAIN, for at most `timeoutNs` from its first wait: BLOCKED; -EAGAIN at the timeout;
 * when a signal came -ERESTARTSYS, or -EINTR if there is a timeout (sock_intr_errno).
 */
export function waitFor(t: Task, fd: number, sock: SocketFile, timeoutNs: number): number {
  t.pin(fd, sock);
  const limited = timeoutNs !== Number.POSITIVE_INFINITY;
  if (limited && !t.call.active) t.deadline(t.time.monotonicNs() + timeoutNs);
  const r = t.block(sock.waitQueue, sock.waitEvents);
  if (r === BLOCKED) return BLOCKED;
  if (r === TIMED_OUT) return -EAGAIN;
  return r === -ERESTARTSYS && limited ? -EINTR : r;
}
