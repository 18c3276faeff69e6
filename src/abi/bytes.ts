/** Fixed-size text and gaps in structs. A byte string is a JS string with one char (0-255) per byte. */

/** Writes byte string `s` and zero bytes up to `size`; cuts it so that at least one NUL remains. */
export function putString(view: DataView, off: number, size: number, s: string): void {
  const n = Math.min(s.length, size - 1);
  for (let i = 0; i < n; i++) view.setUint8(off + i, s.charCodeAt(i));
  zeroFill(view, off + n, size - n);
}

/** Reads a byte string of at most `size` bytes, up to the first NUL. */
export function getString(view: DataView, off: number, size: number): string {
  let s = '';
  for (let i = 0; i < size; i++) {
    const c = view.getUint8(off + i);
    if (c === 0) break;
    s += String.fromCharCode(c);
  }
  return s;
}

/** Writes `len` zero bytes: what a struct does not use must not carry old bytes to a guest. */
export function zeroFill(view: DataView, off: number, len: number): void {
  let i = 0;
  for (; i + 4 <= len; i += 4) view.setUint32(off + i, 0, true);
  for (; i < len; i++) view.setUint8(off + i, 0);
}

/** Writes the first `size` bytes of `bytes`, zeros where it is shorter. */
export function putBytes(view: DataView, off: number, size: number, bytes: Uint8Array): void {
  for (let i = 0; i < size; i++) view.setUint8(off + i, bytes[i] ?? 0);
}

/** Copies `size` bytes out. */
export function getBytes(view: DataView, off: number, size: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + off, size).slice();
}
