// Linux names and strings are bytes. Inside the kernel they are "byte strings": JS strings with one char (0-255) per
// byte, which compare and hash as the bytes do. They become UTF-8 only at the edges (logs, host paths).

/** Buffer's own reader of latin1, which takes any view: no Buffer has to be made for every name that a guest passes. */
const { latin1Slice } = Buffer.prototype as unknown as {
  latin1Slice(this: Uint8Array, start: number, end: number): string;
};

/** The byte string of bytes[off..off+len]. */
export function bytesToString(bytes: Uint8Array, off = 0, len = bytes.length - off): string {
  return len === 0 ? '' : latin1Slice.call(bytes, off, off + len);
}

/** The bytes of a byte string. */
export function stringToBytes(s: string): Uint8Array {
  return Buffer.from(s, 'latin1');
}

/** A byte string from text: its UTF-8 bytes. */
export function fromText(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
