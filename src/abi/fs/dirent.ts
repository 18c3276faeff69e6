/** getdents64(2) and getdents(2) records: <dirent.h>. */

import { putString } from '../bytes.ts';
import { putU64, putU64Exact, type U64 } from '../u64.ts';

export const DT_UNKNOWN = 0;
export const DT_FIFO = 1;
export const DT_CHR = 2;
export const DT_DIR = 4;
export const DT_BLK = 6;
export const DT_REG = 8;
export const DT_LNK = 10;
export const DT_SOCK = 12;
export const DT_WHT = 14;

/** Layout of struct dirent64. */
export const DIRENT64_D_INO = 0;
export const DIRENT64_D_OFF = 8;
export const DIRENT64_D_RECLEN = 16;
export const DIRENT64_D_TYPE = 18;
export const DIRENT64_D_NAME = 19;

/** Layout of struct linux_dirent; the type is the last byte of the record. */
export const LINUX_DIRENT_D_INO = 0;
export const LINUX_DIRENT_D_OFF = 8;
export const LINUX_DIRENT_D_RECLEN = 16;
export const LINUX_DIRENT_D_NAME = 18;

const ALIGN = 8;

/** Bytes of a getdents64 record whose name has `nameLen` bytes. */
export function dirent64Size(nameLen: number): number {
  return Math.ceil((DIRENT64_D_NAME + nameLen + 1) / ALIGN) * ALIGN;
}

/** Writes one getdents64 record (`next` is the offset of the entry after it, `type` DT_*); returns its size. */
export function encodeDirent64(
  view: DataView,
  off: number,
  ino: U64,
  next: number,
  type: number,
  name: string,
): number {
  const size = dirent64Size(name.length);
  putU64Exact(view, off + DIRENT64_D_INO, ino);
  putU64(view, off + DIRENT64_D_OFF, next);
  view.setUint16(off + DIRENT64_D_RECLEN, size, true);
  view.setUint8(off + DIRENT64_D_TYPE, type);
  putString(view, off + DIRENT64_D_NAME, size - DIRENT64_D_NAME, name);
  return size;
}

/** Bytes of a getdents record whose name has `nameLen` bytes. */
export function direntSize(nameLen: number): number {
  return Math.ceil((LINUX_DIRENT_D_NAME + nameLen + 2) / ALIGN) * ALIGN;
}

/** Writes one getdents record; arguments and result as encodeDirent64. */
export function encodeDirent(
  view: DataView,
  off: number,
  ino: U64,
  next: number,
  type: number,
  name: string,
): number {
  const size = direntSize(name.length);
  putU64Exact(view, off + LINUX_DIRENT_D_INO, ino);
  putU64(view, off + LINUX_DIRENT_D_OFF, next);
  view.setUint16(off + LINUX_DIRENT_D_RECLEN, size, true);
  putString(view, off + LINUX_DIRENT_D_NAME, size - LINUX_DIRENT_D_NAME, name);
  view.setUint8(off + size - 1, type);
  return size;
}
