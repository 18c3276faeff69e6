/** readv(2) and writev(2) limits: <linux/uio.h>. */

import { getU64, putU64 } from '../u64.ts';

export const UIO_FASTIOV = 8;
export const UIO_MAXIOV = 1024;

/** Layout of struct iovec. */
export const SIZEOF_IOVEC = 16;
export const IOVEC_IOV_BASE = 0;
export const IOVEC_IOV_LEN = 8;

/** readv(2). */
export type Iovec = {
  base: number;
  len: number;
};

export function encodeIovec(view: DataView, off: number, s: Iovec): void {
  putU64(view, off + IOVEC_IOV_BASE, s.base);
  putU64(view, off + IOVEC_IOV_LEN, s.len);
}

export function decodeIovec(view: DataView, off: number): Iovec {
  return {
    base: getU64(view, off + IOVEC_IOV_BASE),
    len: getU64(view, off + IOVEC_IOV_LEN),
  };
}
