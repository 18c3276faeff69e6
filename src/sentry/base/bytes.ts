// Linux names and strings are bytes. Inside the kernel they are "byte strings": JS strings with one char (0-255) per
// byte, which compare and hash as the bytes do. They become UTF-8 only at the edges (logs, host paths).

/** The byte string of bytes[off..off+len]. */
export function bytesToString(bytes: Uint8Array, off = 0, len = bytes.length - off): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + off, len).toString('latin1');
}

/** The bytes of a byte string. */
export function stringToBytes(s: string): Uint8Array {
  return Buffer.from(s, 'latin1');
}

/** A byte string from text: its UTF-8 bytes. */
export function fromText(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
