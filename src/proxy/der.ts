// DER (ITU-T X.690), the writing half and only what a certificate needs: tag, length, content.

const CLASS_CONTEXT = 0x80;
const CONSTRUCTED = 0x20;

/** One value: tag, length in the shortest form (X.690 10.1), content. */
function value(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  if (body.length < 0x80) return Buffer.concat([Buffer.of(tag, body.length), body]);
  const length: number[] = [];
  for (let n = body.length; n > 0; n >>>= 8) length.unshift(n & 0xff);
  return Buffer.concat([Buffer.of(tag, 0x80 | length.length, ...length), body]);
}

export const sequence = (...items: readonly Uint8Array[]): Buffer => value(0x30, ...items);
export const setOf = (...items: readonly Uint8Array[]): Buffer => value(0x31, ...items);
export const truth = (on: boolean): Buffer => value(0x01, Buffer.of(on ? 0xff : 0));
export const octets = (bytes: Uint8Array): Buffer => value(0x04, bytes);
export const utf8 = (text: string): Buffer => value(0x0c, Buffer.from(text));

/** A non-negative INTEGER of big-endian bytes: no needless zeros before it, one where its first bit is set. */
export function integer(bytes: Uint8Array): Buffer {
  let from = 0;
  while (from < bytes.length - 1 && bytes[from] === 0) from++;
  const number = bytes.subarray(from);
  return value(0x02, number[0]! & 0x80 ? Buffer.of(0) : Buffer.alloc(0), number);
}

/** BIT STRING; `unused` bits at the end do not count. */
export const bits = (bytes: Uint8Array, unused = 0): Buffer => value(0x03, Buffer.of(unused), bytes);

/** OBJECT IDENTIFIER from its dotted text. */
export function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number);
  const out: number[] = [];
  for (const arc of [first * 40 + second, ...rest]) {
    const group = [arc & 0x7f];
    for (let n = Math.floor(arc / 128); n > 0; n = Math.floor(n / 128)) group.unshift((n & 0x7f) | 0x80);
    out.push(...group);
  }
  return value(0x06, Buffer.from(out));
}

/** A time of RFC 5280 4.1.2.5: UTCTime up to 2049, GeneralizedTime from then on, both to the second. */
export function time(at: Date): Buffer {
  const text = at.toISOString().replace(/[-:T]|\.\d+/g, '');
  return at.getUTCFullYear() < 2050
    ? value(0x17, Buffer.from(text.slice(2)))
    : value(0x18, Buffer.from(text));
}

/** [n] EXPLICIT. */
export const explicit = (n: number, item: Uint8Array): Buffer => value(CLASS_CONTEXT | CONSTRUCTED | n, item);

/** [n] IMPLICIT over primitive content. */
export const implicit = (n: number, content: Uint8Array): Buffer => value(CLASS_CONTEXT | n, content);
