/** Unix-domain sockets: <linux/un.h>. */

import { getString } from '../bytes.ts';
import { AF_UNIX } from './socket.ts';

export const UNIX_PATH_MAX = 108;

/** Layout of struct sockaddr_un. */
export const SIZEOF_SOCKADDR_UN = 110;
export const SOCKADDR_UN_SUN_FAMILY = 0;
export const SOCKADDR_UN_SUN_PATH = 2;

/**
 * Writes an address and returns its length. `path` is a byte string: a file name (a NUL is added when it fits), an
 * abstract name with its leading NUL, or empty for an unnamed socket.
 */
export function encodeSockaddrUn(view: DataView, off: number, path: string): number {
  view.setUint16(off + SOCKADDR_UN_SUN_FAMILY, AF_UNIX, true);
  for (let i = 0; i < path.length; i++) view.setUint8(off + SOCKADDR_UN_SUN_PATH + i, path.charCodeAt(i));
  const end = SOCKADDR_UN_SUN_PATH + path.length;
  if (path.length === 0 || path.charCodeAt(0) === 0 || path.length >= UNIX_PATH_MAX) return end;
  view.setUint8(off + end, 0);
  return end + 1;
}

/** The path of an address of `len` bytes, in encodeSockaddrUn's form. */
export function decodeSockaddrUn(view: DataView, off: number, len: number): string {
  const size = Math.min(len - SOCKADDR_UN_SUN_PATH, UNIX_PATH_MAX);
  if (size <= 0) return '';
  if (view.getUint8(off + SOCKADDR_UN_SUN_PATH) !== 0)
    return getString(view, off + SOCKADDR_UN_SUN_PATH, size);
  let name = '';
  for (let i = 0; i < size; i++) name += String.fromCharCode(view.getUint8(off + SOCKADDR_UN_SUN_PATH + i));
  return name;
}
