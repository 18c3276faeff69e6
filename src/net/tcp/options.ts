// TCP options: read into one reused object, written behind a header. What is malformed ends the list, never the program.

/** Kinds: RFC 9293 section 3.2, RFC 7323, RFC 2018, RFC 7413. */
const EOL = 0;
const NOP = 1;
const MSS = 2;
const WINDOW_SCALE = 3;
const SACK_PERMITTED = 4;
const SACK = 5;
const TIMESTAMPS = 8;
const FAST_OPEN = 34;

/** RFC 7323, section 2.3: larger shifts count as this one. */
export const MAX_WINDOW_SHIFT = 14;
/** Bytes of the timestamps option with its padding. */
export const TIMESTAMP_SPACE = 12;
/** Options take at most this (data offset 15). */
export const MAX_OPTION_SPACE = 40;

/** What the options of one segment said. */
export class TcpOptions {
  /** 0 when absent. */
  mss = 0;
  /** -1 when absent. */
  windowShift = -1;
  sackPermitted = false;
  hasTimestamps = false;
  tsValue = 0;
  tsEcho = 0;
  /** SACK blocks: begin and end in turn. */
  readonly sack = new Int32Array(8);
  sackBlocks = 0;
  /** Bytes of a fast open cookie: 0 asks for one, -1 is none. */
  cookieLength = -1;
  cookieAt = 0;

  clear(): void {
    this.mss = 0;
    this.windowShift = -1;
    this.sackPermitted = false;
    this.hasTimestamps = false;
    this.tsValue = 0;
    this.tsEcho = 0;
    this.sackBlocks = 0;
    this.cookieLength = -1;
    this.cookieAt = 0;
  }

  /** Reads view[at..end); `syn` since some options mean something there only. */
  parse(view: DataView, from: number, end: number, syn: boolean): void {
    this.clear();
    let at = from;
    // Nearly all segments: NOP NOP TIMESTAMPS (RFC 7323, appendix A).
    if (end - at === 12 && view.getUint32(at) === 0x0101080a) {
      this.hasTimestamps = true;
      this.tsValue = view.getInt32(at + 4);
      this.tsEcho = view.getInt32(at + 8);
      return;
    }
    while (at < end) {
      const kind = view.getUint8(at);
      if (kind === EOL) return;
      if (kind === NOP) {
        at++;
        continue;
      }
      if (at + 1 >= end) return;
      const length = view.getUint8(at + 1);
      if (length < 2 || at + length > end) return;
      this.one(view, at, kind, length, syn);
      at += length;
    }
  }

  private one(view: DataView, at: number, kind: number, length: number, syn: boolean): void {
    if (kind === TIMESTAMPS && length === 10) {
      this.hasTimestamps = true;
      this.tsValue = view.getInt32(at + 2);
      this.tsEcho = view.getInt32(at + 6);
    } else if (kind === SACK && length >= 10 && (length - 2) % 8 === 0 && !syn) {
      this.sackBlocks = Math.min(4, (length - 2) >> 3);
      for (let i = 0; i < this.sackBlocks * 2; i++) this.sack[i] = view.getInt32(at + 2 + i * 4);
    } else if (kind === MSS && length === 4 && syn) this.mss = view.getUint16(at + 2);
    else if (kind === WINDOW_SCALE && length === 3 && syn)
      this.windowShift = Math.min(view.getUint8(at + 2), MAX_WINDOW_SHIFT);
    else if (kind === SACK_PERMITTED && length === 2 && syn) this.sackPermitted = true;
    else if (
      kind === FAST_OPEN &&
      syn &&
      (length === 2 || (length >= 6 && length <= 18 && length % 2 === 0))
    ) {
      this.cookieLength = length - 2;
      this.cookieAt = at + 2;
    }
  }
}

/** NOP NOP TIMESTAMPS. */
export function putTimestamps(view: DataView, at: number, value: number, echo: number): number {
  view.setUint32(at, (NOP << 24) | (NOP << 16) | (TIMESTAMPS << 8) | 10);
  view.setInt32(at + 4, value);
  view.setInt32(at + 8, echo);
  return at + TIMESTAMP_SPACE;
}

/** Bytes that `n` SACK blocks take. */
export function sackSpace(n: number): number {
  return n === 0 ? 0 : 4 + n * 8;
}

/** NOP NOP SACK with `n` blocks of `blocks` (RFC 2018, section 3). */
export function putSack(view: DataView, at: number, blocks: Int32Array, n: number): number {
  view.setUint32(at, (NOP << 24) | (NOP << 16) | (SACK << 8) | (2 + n * 8));
  for (let i = 0; i < n * 2; i++) view.setInt32(at + 4 + i * 4, blocks[i]!);
  return at + sackSpace(n);
}

/** Bytes of a SYN's options. */
export function synSpace(
  sack: boolean,
  timestamps: boolean,
  scale: boolean,
  cookie: Uint8Array | null,
): number {
  const fast = cookie === null ? 0 : (cookie.length + 5) & ~3;
  return 4 + (timestamps ? 12 : sack ? 4 : 0) + (scale ? 4 : 0) + fast;
}

/** RFC 7413, section 4.1.1, filled up to a multiple of four. */
function putCookie(view: DataView, from: number, cookie: Uint8Array): number {
  let at = from;
  view.setUint8(at++, FAST_OPEN);
  view.setUint8(at++, cookie.length + 2);
  for (const byte of cookie) view.setUint8(at++, byte);
  while (((at - from) & 3) !== 0) view.setUint8(at++, NOP);
  return at;
}

/** A SYN's options, in Linux's order, so that we look like it: MSS, SACK permitted, timestamps, NOP, window scale, cookie. */
export function putSynOptions(
  view: DataView,
  from: number,
  mss: number,
  sack: boolean,
  timestamps: boolean,
  tsValue: number,
  tsEcho: number,
  shift: number,
  cookie: Uint8Array | null,
): number {
  let at = from;
  view.setUint32(at, (MSS << 24) | (4 << 16) | mss);
  at += 4;
  if (timestamps) {
    if (sack) view.setUint32(at, (SACK_PERMITTED << 24) | (2 << 16) | (TIMESTAMPS << 8) | 10);
    else view.setUint32(at, (NOP << 24) | (NOP << 16) | (TIMESTAMPS << 8) | 10);
    view.setInt32(at + 4, tsValue);
    view.setInt32(at + 8, tsEcho);
    at += 12;
  } else if (sack) {
    view.setUint32(at, (NOP << 24) | (NOP << 16) | (SACK_PERMITTED << 8) | 2);
    at += 4;
  }
  if (shift >= 0) {
    view.setUint32(at, (NOP << 24) | (WINDOW_SCALE << 16) | (3 << 8) | shift);
    at += 4;
  }
  return cookie === null ? at : putCookie(view, at, cookie);
}
