// The view of a guest address space that file systems, sockets and system calls use. mm's MemoryManager implements it.
// Addresses are JS numbers; anything outside the guest's range, negative numbers included, faults.

import type { Io } from './io.ts';

export interface UserMemory {
  /** Copies from guest memory into dst[off..]; bytes copied, short at the first bad page; -EFAULT when none. */
  copyIn(addr: number, dst: Uint8Array, off: number, len: number): number;
  /** Copies src[off..] into guest memory; bytes copied, short at the first bad page; -EFAULT when none. */
  copyOut(addr: number, src: Uint8Array, off: number, len: number): number;
  /** All of `len` bytes or -EFAULT; 0 on success. */
  copyInExact(addr: number, dst: Uint8Array, off: number, len: number): number;
  /** All of `len` bytes or -EFAULT; 0 on success. Bytes before the fault may have been written. */
  copyOutExact(addr: number, src: Uint8Array, off: number, len: number): number;
  /** Writes `len` zero bytes; as copyOut. */
  zeroOut(addr: number, len: number): number;
  /**
   * Reads a NUL-terminated string of at most `max` bytes including the NUL, as a byte string (one char per byte).
   * -EFAULT on a bad page, -ENAMETOOLONG when no NUL was found.
   */
  copyInString(addr: number, max: number): string | number;
  /** The shared Io object aimed at one guest range. Valid until the next call of io()/iovec(). */
  io(addr: number, len: number): Io;
  /** The shared Io aimed at a guest iovec array (struct iovec[count]); -EINVAL, -EFAULT as readv(2). */
  iovec(addr: number, count: number): Io | number;
}
