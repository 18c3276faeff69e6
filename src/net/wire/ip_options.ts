// Options of IPv4 (RFC 791, section 3.1) as a socket sends them and as they come: checked by the rules of ip_options_compile().
//
//   record route   7, length, pointer, address ...                 time stamp   68, length, pointer, overflow and kind, stamp ...
//
// A pointer counts from 1 and names the next free place; who sends or receives a packet writes there.

import { EINVAL } from '../../abi/errno.ts';

const END = 0;
const NOOP = 1;
const RECORD_ROUTE = 7;
const TIMESTAMP = 68;
const LOOSE_ROUTE = 131;
const STRICT_ROUTE = 137;
const ROUTER_ALERT = 148;

/** Kinds of time stamps: stamps alone, each with an address, or for addresses that the sender has named. */
const STAMPS_ONLY = 0;
const WITH_ADDRESS = 1;
const PRESPECIFIED = 3;
const KIND_MASK = 0xf;

export const OPTIONS_MOST = 40;
const MS_PER_DAY = 86_400_000;

/** What to write where: offsets in the options, 0 for nowhere. */
class Places {
  route = 0;
  stamp = 0;
  stampAddress = 0;
}

const places = new Places();

/** Options to send. */
export class IpOptions {
  /** As getsockopt(2) shows them: as they were given, with ends up to a multiple of four. */
  readonly given: Uint8Array;
  /** As packets have them: pointers are behind what is written in sending. */
  readonly bytes: Uint8Array;
  readonly hasSourceRoute: boolean;
  private readonly routeAt: number;
  private readonly stampAt: number;
  private readonly stampAddressAt: number;

  private constructor(given: Uint8Array, bytes: Uint8Array, hasSourceRoute: boolean) {
    this.given = given;
    this.bytes = bytes;
    this.hasSourceRoute = hasSourceRoute;
    this.routeAt = places.route;
    this.stampAt = places.stamp;
    this.stampAddressAt = places.stampAddress;
  }

  /** ip_options_get(): of at most 40 bytes; -EINVAL. */
  static compile(from: Uint8Array, privileged: boolean): IpOptions | number {
    if (from.length > OPTIONS_MOST) return -EINVAL;
    const given = new Uint8Array((from.length + 3) & ~3);
    given.set(from);
    const bytes = given.slice();
    const kinds = compile(bytes, 0, bytes.length, privileged);
    if (kinds < 0) return -EINVAL;
    // What stands behind an end is ends.
    const end = endOf(bytes);
    given.fill(END, end);
    bytes.fill(END, end);
    return new IpOptions(given, bytes, kinds === 1);
  }

  /** Writes them at head[at..]: `own` is the address that the packet leaves from, ms since midnight are UTC's. */
  put(view: DataView, at: number, own: number, ms: number): void {
    const { bytes } = this;
    for (let i = 0; i < bytes.length; i++) view.setUint8(at + i, bytes[i]!);
    if (this.routeAt > 0) view.setUint32(at + this.routeAt, own);
    if (this.stampAddressAt > 0) view.setUint32(at + this.stampAddressAt, own);
    if (this.stampAt > 0) view.setUint32(at + this.stampAt, ms % MS_PER_DAY);
  }
}

function endOf(bytes: Uint8Array): number {
  for (let i = 0; i < bytes.length; ) {
    if (bytes[i] === END) return i;
    i += bytes[i] === NOOP ? 1 : bytes[i + 1]!;
  }
  return bytes.length;
}

/**
 * Checks bytes[from..to), moves pointers, and tells in `places` what belongs where they were: 1 with a source route, 0 without, -EINVAL. A
 * sender without privilege may not send what it does not know.
 */
function compile(bytes: Uint8Array, from: number, to: number, privileged: boolean): number {
  places.route = 0;
  places.stamp = 0;
  places.stampAddress = 0;
  let seen = 0;
  let hasSourceRoute = 0;
  for (let i = from; i < to; ) {
    const kind = bytes[i]!;
    if (kind === END) break;
    if (kind === NOOP) {
      i++;
      continue;
    }
    const size = i + 1 < to ? bytes[i + 1]! : 0;
    if (size < 2 || size > to - i) return -EINVAL;
    // One of each at most.
    const bit =
      kind === LOOSE_ROUTE || kind === STRICT_ROUTE
        ? 1
        : kind === RECORD_ROUTE
          ? 2
          : kind === TIMESTAMP
            ? 4
            : 0;
    if ((seen & bit) !== 0) return -EINVAL;
    seen |= bit;
    switch (kind) {
      case LOOSE_ROUTE:
      case STRICT_ROUTE:
        if (size < 7 || bytes[i + 2] !== 4 || ((size - 3) & 3) !== 0) return -EINVAL;
        hasSourceRoute = 1;
        break;
      case RECORD_ROUTE: {
        if (size < 3) return -EINVAL;
        const pointer = bytes[i + 2]!;
        if (pointer < 4) return -EINVAL;
        if (pointer > size) break;
        if (pointer + 3 > size) return -EINVAL;
        places.route = i + pointer - 1;
        bytes[i + 2] = pointer + 4;
        break;
      }
      case TIMESTAMP:
        if (!compileStamp(bytes, i, size, privileged)) return -EINVAL;
        break;
      case ROUTER_ALERT:
        if (size < 4) return -EINVAL;
        break;
      default:
        if (!privileged) return -EINVAL;
    }
    i += size;
  }
  return hasSourceRoute;
}

function compileStamp(bytes: Uint8Array, i: number, size: number, privileged: boolean): boolean {
  if (size < 4) return false;
  const pointer = bytes[i + 2]!;
  const kind = bytes[i + 3]! & KIND_MASK;
  if (pointer < 5) return false;
  if (pointer > size) return kind === PRESPECIFIED || bytes[i + 3]! >>> 4 !== 15;
  if (pointer + 3 > size) return false;
  const at = i + pointer - 1;
  switch (kind) {
    case STAMPS_ONLY:
      places.stamp = at;
      bytes[i + 2] = pointer + 4;
      return true;
    case WITH_ADDRESS:
      if (pointer + 7 > size) return false;
      places.stampAddress = at;
      places.stamp = at + 4;
      bytes[i + 2] = pointer + 8;
      return true;
    case PRESPECIFIED:
      // Whose address it is, is found out by those who get it.
      return pointer + 7 <= size;
    default:
      return privileged;
  }
}

/** A packet for us has options at head[from..to): what they ask of a receiver is written. False when they are wrong. */
export function receiveIpOptions(
  head: Uint8Array,
  view: DataView,
  from: number,
  to: number,
  own: number,
  ms: number,
): boolean {
  if (compile(head, from, to, true) < 0) return false;
  if (places.route > 0) view.setUint32(places.route, own);
  if (places.stampAddress > 0) view.setUint32(places.stampAddress, own);
  if (places.stamp > 0) view.setUint32(places.stamp, ms % MS_PER_DAY);
  return true;
}

/** IP_RETOPTS: ip_options_echo(): the routes and stamps of what came, to be gone on with. */
export function echoIpOptions(options: Uint8Array): Uint8Array {
  const back = new Uint8Array(OPTIONS_MOST);
  let length = 0;
  for (const wanted of [RECORD_ROUTE, TIMESTAMP])
    for (let i = 0; i < options.length && options[i] !== END; ) {
      const size = options[i] === NOOP ? 1 : (options[i + 1] ?? 0);
      if (size === 0 || i + size > options.length) break;
      if (options[i] === wanted) {
        back.set(options.subarray(i, i + size), length);
        length += size;
      }
      i += size;
    }
  return back.subarray(0, (length + 3) & ~3);
}
