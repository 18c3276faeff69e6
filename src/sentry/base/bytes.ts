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

// Text of the host may hold bytes that are no UTF-8. Each of them is a lone surrogate U+DC80 to U+DCFF (as in Python's
// surrogateescape), so that it comes back as it was.
const RAW_BASE = 0xdc00;
const RAW = /([\udc80-\udcff])/u;
const NOT_ASCII = /[^\0-\x7f]/;
/** A character in UTF-8, as a byte string, or a byte that belongs to none. */
const CHARACTERS =
  /[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}|[\x80-\xff]/g;

/** A byte string from text: its UTF-8 bytes. */
export function fromText(text: string): string {
  if (!NOT_ASCII.test(text)) return text;
  const utf8 = (part: string) => Buffer.from(part, 'utf8').toString('latin1');
  if (!RAW.test(text)) return utf8(text);
  return text
    .split(RAW)
    .map((part) => (RAW.test(part) ? String.fromCharCode(part.charCodeAt(0) - RAW_BASE) : utf8(part)))
    .join('');
}

/** The text of a byte string; fromText() gives the same bytes again, whatever they are. */
export function toText(bytes: string): string {
  if (!NOT_ASCII.test(bytes)) return bytes;
  const utf8 = (part: string) => Buffer.from(part, 'latin1').toString('utf8');
  const text = utf8(bytes);
  // Only then some of it may be no UTF-8.
  if (!text.includes('\ufffd')) return text;
  return bytes.replace(CHARACTERS, (part) =>
    part.length === 1 ? String.fromCharCode(part.charCodeAt(0) + RAW_BASE) : utf8(part),
  );
}

/** A path for Node.js's own file functions. */
export function hostPath(text: string): string | Buffer {
  return RAW.test(text) ? Buffer.from(fromText(text), 'latin1') : text;
}
