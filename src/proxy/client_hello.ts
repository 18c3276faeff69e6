// The first message of a TLS client (RFC 8446 4.1.2), read before anything is answered: the server's side needs to know which
// protocols the guest offers, and the name must be right.

/** Bytes that a client hello may have with its record headers; post-quantum key shares take some 1,500. */
export const MOST_HELLO_BYTES = 16_384;

const CONTENT_HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const EXT_SERVER_NAME = 0;
const EXT_ALPN = 16;

export interface ClientHello {
  /** RFC 6066 3; null when none is given. */
  readonly serverName: string | null;
  /** RFC 7301; empty when none is given. */
  readonly protocols: readonly string[];
}

/** A reader that notes when it was asked for more than there is. */
class Reader {
  private readonly bytes: Buffer;
  private at = 0;
  bad = false;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  number(size: number): number {
    if (this.left < size) {
      this.bad = true;
      this.at = this.bytes.length;
      return 0;
    }
    const n = this.bytes.readUIntBE(this.at, size);
    this.at += size;
    return n;
  }

  take(n: number): Buffer {
    if (this.left < n) this.bad = true;
    const part = this.bytes.subarray(this.at, this.at + n);
    this.at += part.length;
    return part;
  }

  /** A vector with its length before it, in `size` bytes. */
  vector(size: number): Reader {
    return new Reader(this.take(this.number(size)));
  }
}

/** What the records at the start of `bytes` say: a hello, 'more' when it is not all there yet, 'bad' when it is none. */
export function readClientHello(bytes: Buffer): ClientHello | 'more' | 'bad' {
  const parts: Buffer[] = [];
  let have = 0;
  let need = 4;
  for (let at = 0; have < need; ) {
    if (bytes.length - at < 5) return at > MOST_HELLO_BYTES ? 'bad' : 'more';
    const length = bytes.readUInt16BE(at + 3);
    if (bytes[at] !== CONTENT_HANDSHAKE || bytes[at + 1] !== 3 || length === 0 || length > 16_384)
      return 'bad';
    const part = bytes.subarray(at + 5, at + 5 + length);
    parts.push(part);
    have += part.length;
    at += 5 + length;
    if (have >= 4 && need === 4) {
      const head = Buffer.concat(parts);
      if (head[0] !== CLIENT_HELLO) return 'bad';
      need = 4 + head.readUIntBE(1, 3);
      if (need > MOST_HELLO_BYTES) return 'bad';
    }
    if (have < need && bytes.length < at) return 'more';
  }
  return parse(Buffer.concat(parts).subarray(4, need));
}

function parse(body: Buffer): ClientHello | 'bad' {
  const r = new Reader(body);
  r.take(2 + 32); // legacy_version, random
  r.vector(1); // legacy_session_id
  r.vector(2); // cipher_suites
  r.vector(1); // legacy_compression_methods
  let serverName: string | null = null;
  const protocols: string[] = [];
  const extensions = r.left > 0 ? r.vector(2) : new Reader(Buffer.alloc(0));
  while (extensions.left > 0 && !extensions.bad) {
    const type = extensions.number(2);
    const data = extensions.vector(2);
    if (type === EXT_SERVER_NAME) {
      const names = data.vector(2);
      names.bad ||= names.number(1) !== 0;
      const name = names.vector(2);
      // Two names in one hello are two readings of it.
      if (data.bad || names.bad || names.left > 0 || serverName !== null) return 'bad';
      serverName = name.take(name.left).toString('latin1');
    } else if (type === EXT_ALPN) {
      const list = data.vector(2);
      while (list.left > 0 && !list.bad) {
        const name = list.vector(1);
        protocols.push(name.take(name.left).toString('latin1'));
      }
      if (data.bad || list.bad) return 'bad';
    }
  }
  return r.bad || extensions.bad ? 'bad' : { serverName, protocols };
}
