// IpAddress: an IPv4 or IPv6 address, immutable. IPv4 is kept as its mapped IPv6 address (RFC 4291, section 2.5.5.2), so that
// sockets of both families share their tables; on the wire mapped addresses are not accepted (ip/input).

/** ::ffff:0:0/96, the third word of a mapped address. */
const MAPPED = 0xffff;

export class IpAddress {
  /** The four 32-bit words in network order, unsigned. */
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;

  constructor(w0: number, w1: number, w2: number, w3: number) {
    this.w0 = w0;
    this.w1 = w1;
    this.w2 = w2;
    this.w3 = w3;
  }

  get isV4(): boolean {
    return this.w2 === MAPPED && this.w0 === 0 && this.w1 === 0;
  }

  equals(a: IpAddress): boolean {
    return this.w3 === a.w3 && this.w2 === a.w2 && this.w1 === a.w1 && this.w0 === a.w0;
  }

  /** 0.0.0.0 or ::. */
  get isAny(): boolean {
    return this.w3 === 0 && this.w0 === 0 && this.w1 === 0 && (this.w2 === 0 || this.w2 === MAPPED);
  }

  /** 127.0.0.0/8 (RFC 1122, section 3.2.1.3) or ::1. */
  get isLoopback(): boolean {
    if (this.isV4) return this.w3 >>> 24 === 127;
    return this.w3 === 1 && this.w0 === 0 && this.w1 === 0 && this.w2 === 0;
  }

  /** 224.0.0.0/4 or ff00::/8. */
  get isMulticast(): boolean {
    return this.isV4 ? this.w3 >>> 28 === 0xe : this.w0 >>> 24 === 0xff;
  }

  /** 169.254.0.0/16 (RFC 3927) or fe80::/10. */
  get isLinkLocal(): boolean {
    return this.isV4 ? this.w3 >>> 16 === 0xa9fe : this.w0 >>> 22 === 0x3fa;
  }

  /** 255.255.255.255. */
  get isBroadcast(): boolean {
    return this.isV4 && this.w3 === 0xffffffff;
  }

  /** Spread over 32 bits, for tables; not for a guest to predict when mixed with a secret by the caller. */
  get hash(): number {
    let h = Math.imul(this.w0 ^ 0x9e3779b9, 0x85ebca6b) ^ this.w1;
    h = Math.imul(h ^ (h >>> 15), 0xc2b2ae35) ^ this.w2;
    h = Math.imul(h ^ (h >>> 13), 0x27d4eb2f) ^ this.w3;
    return (h ^ (h >>> 16)) >>> 0;
  }

  /** True when the first `bits` bits of both agree; of an IPv4 address the bits are those of its 32. */
  inPrefix(prefix: IpAddress, bits: number): boolean {
    if (this.isV4 !== prefix.isV4) return false;
    if (this.isV4) return sameBits(this.w3, prefix.w3, bits);
    return (
      sameBits(this.w0, prefix.w0, bits) &&
      sameBits(this.w1, prefix.w1, bits - 32) &&
      sameBits(this.w2, prefix.w2, bits - 64) &&
      sameBits(this.w3, prefix.w3, bits - 96)
    );
  }

  /** The address with all bits behind the first `bits` cleared (or, with `fill`, set: a broadcast address). */
  masked(bits: number, fill = false): IpAddress {
    const part = (word: number, n: number): number => {
      const mask = n <= 0 ? 0 : n >= 32 ? 0xffffffff : -1 << (32 - n);
      return (fill ? word | ~mask : word & mask) >>> 0;
    };
    if (this.isV4) return new IpAddress(0, 0, MAPPED, part(this.w3, bits));
    return new IpAddress(
      part(this.w0, bits),
      part(this.w1, bits - 32),
      part(this.w2, bits - 64),
      part(this.w3, bits - 96),
    );
  }

  /** Writes it in network order: 4 bytes of an IPv4 address, 16 of another. */
  put(view: DataView, at: number): void {
    if (this.isV4) view.setUint32(at, this.w3);
    else this.put16(view, at);
  }

  /** Writes all 16 bytes, an IPv4 address as its mapped one. */
  put16(view: DataView, at: number): void {
    view.setUint32(at, this.w0);
    view.setUint32(at + 4, this.w1);
    view.setUint32(at + 8, this.w2);
    view.setUint32(at + 12, this.w3);
  }

  /** Dotted (RFC 791) or as in RFC 5952. */
  toString(): string {
    if (this.isV4) return [24, 16, 8, 0].map((n) => (this.w3 >>> n) & 255).join('.');
    const groups = [this.w0, this.w1, this.w2, this.w3].flatMap((w) => [w >>> 16, w & 0xffff]);
    let best = -1;
    let most = 1;
    for (let i = 0; i < 8; i++) {
      let n = 0;
      while (i + n < 8 && groups[i + n] === 0) n++;
      if (n > most) [best, most] = [i, n];
    }
    const hex = (some: number[]): string => some.map((g) => g.toString(16)).join(':');
    if (best < 0) return hex(groups);
    return `${hex(groups.slice(0, best))}::${hex(groups.slice(best + most))}`;
  }
}

function sameBits(a: number, b: number, bits: number): boolean {
  if (bits <= 0) return true;
  return bits >= 32 ? a === b : (a ^ b) >>> (32 - bits) === 0;
}

/** The IPv4 address of a 32-bit number in host order. */
export function ipv4(word: number): IpAddress {
  return new IpAddress(0, 0, MAPPED, word >>> 0);
}

/** The IPv4 address at `at`, in network order. */
export function getIpv4(view: DataView, at: number): IpAddress {
  return new IpAddress(0, 0, MAPPED, view.getUint32(at));
}

/** The 16-byte address at `at`. */
export function getIpv6(view: DataView, at: number): IpAddress {
  return new IpAddress(
    view.getUint32(at),
    view.getUint32(at + 4),
    view.getUint32(at + 8),
    view.getUint32(at + 12),
  );
}

export const ANY_V4: IpAddress = ipv4(0);
export const ANY_V6: IpAddress = new IpAddress(0, 0, 0, 0);
export const LOOPBACK_V4: IpAddress = ipv4(0x7f000001);
export const LOOPBACK_V6: IpAddress = new IpAddress(0, 0, 0, 1);

/** Parses what toString writes, and what inet_pton(3) takes; undefined when it is no address. */
export function parseAddress(text: string): IpAddress | undefined {
  if (!text.includes(':')) {
    const word = parseDotted(text);
    return word === undefined ? undefined : ipv4(word);
  }
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groupsOf = (half: string): number[] | undefined => {
    if (half === '') return [];
    const groups: number[] = [];
    const parts = half.split(':');
    for (const [i, part] of parts.entries()) {
      if (part.includes('.')) {
        const word = i === parts.length - 1 ? parseDotted(part) : undefined;
        if (word === undefined) return undefined;
        groups.push(word >>> 16, word & 0xffff);
      } else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(Number.parseInt(part, 16));
      else return undefined;
    }
    return groups;
  };
  const head = groupsOf(halves[0]!);
  const tail = halves.length === 2 ? groupsOf(halves[1]!) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const all = [...head, ...new Array<number>(missing).fill(0), ...tail];
  const word = (i: number): number => ((all[i]! << 16) | all[i + 1]!) >>> 0;
  return new IpAddress(word(0), word(2), word(4), word(6));
}

function parseDotted(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256))
    return undefined;
  return parts.reduce((word, part) => word * 256 + Number(part), 0);
}
