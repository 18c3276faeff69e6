// DNS messages (RFC 1035), read defensively: every length is checked, a compressed name may only point backwards, counts are
// bounded. What goes on to a program inside is written anew, so that nothing passes that was not understood.

import { getIpv4, getIpv6, type IpAddress } from '../../net/address.ts';

export const TYPE_A = 1;
export const TYPE_NS = 2;
export const TYPE_CNAME = 5;
export const TYPE_SOA = 6;
export const TYPE_PTR = 12;
export const TYPE_MX = 15;
export const TYPE_AAAA = 28;
export const TYPE_SRV = 33;
export const TYPE_DNAME = 39;
export const TYPE_OPT = 41;
export const TYPE_IXFR = 251;
export const TYPE_ANY = 255;
export const CLASS_IN = 1;

export const RCODE_OK = 0;
export const RCODE_FORMAT = 1;
export const RCODE_FAILED = 2;
export const RCODE_NOT_IMPLEMENTED = 4;
export const RCODE_REFUSED = 5;

const FLAG_QR = 0x8000;
const FLAG_AA = 0x0400;
const FLAG_TC = 0x0200;
const FLAG_RD = 0x0100;
const FLAG_RA = 0x0080;
const OPCODE = 0x7800;
const RCODE = 0x000f;

const HEADER = 12;
const NAME_MAX = 255;
const MOST_RECORDS = 1024;
/** Without EDNS (RFC 1035, 2.3.4), and the most that is taken or given over UDP (RFC 6891). */
const UDP_PLAIN = 512;
export const UDP_MOST = 1232;
/** Of the first name in a message. */
const POINTER_TO_QUESTION = 0xc00c;

/** A name as on the wire, uncompressed, one char per byte; case is kept. */
export type WireName = string;

export interface Question {
  readonly id: number;
  readonly name: WireName;
  readonly type: number;
  readonly class: number;
  readonly recursion: boolean;
  /** Bytes that the asker takes over UDP. */
  readonly size: number;
}

export interface DnsRecord {
  readonly owner: WireName;
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  /** With names in it uncompressed. */
  readonly data: Uint8Array;
}

export interface Answer {
  readonly rcode: number;
  readonly truncated: boolean;
  readonly answers: readonly DnsRecord[];
  readonly authority: readonly DnsRecord[];
}

/** Reads on and stops for good at the first thing that is wrong. */
class Reader {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  at = 0;
  bad = false;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  private has(n: number): boolean {
    if (this.at + n > this.bytes.length) this.bad = true;
    return !this.bad;
  }

  u16(): number {
    if (!this.has(2)) return 0;
    this.at += 2;
    return this.view.getUint16(this.at - 2);
  }

  u32(): number {
    if (!this.has(4)) return 0;
    this.at += 4;
    return this.view.getUint32(this.at - 4);
  }

  take(n: number): Uint8Array {
    if (!this.has(n)) return new Uint8Array(0);
    this.at += n;
    return this.bytes.subarray(this.at - n, this.at);
  }

  /** A name, RFC 1035, 4.1.4. Each pointer leads before the last: there are no circles. */
  name(): WireName {
    let out = '';
    let at = this.at;
    let lowest = at;
    let end = -1;
    for (;;) {
      const len = this.bytes[at];
      if (len === undefined || out.length + len + 1 > NAME_MAX) break;
      if (len === 0) {
        this.at = end < 0 ? at + 1 : end;
        return `${out}\0`;
      }
      if ((len & 0xc0) === 0xc0) {
        const low = this.bytes[at + 1];
        if (low === undefined) break;
        if (end < 0) end = at + 2;
        const to = ((len & 0x3f) << 8) | low;
        if (to >= lowest || to < HEADER) break;
        lowest = to;
        at = to;
        continue;
      }
      if ((len & 0xc0) !== 0 || at + 1 + len > this.bytes.length) break;
      out += Buffer.from(this.bytes.subarray(at, at + 1 + len)).toString('latin1');
      at += 1 + len;
    }
    this.bad = true;
    return '\0';
  }
}

/** Bytes of names and numbers, one after the other. */
function join(...parts: readonly (WireName | Uint8Array)[]): Uint8Array {
  return Buffer.concat(parts.map((p) => (typeof p === 'string' ? Buffer.from(p, 'latin1') : p)));
}

/** The record at the reader's place; names in its data are written out (those types of RFC 1035, 2782 and 6672 that have some). */
function readRecord(r: Reader): DnsRecord {
  const owner = r.name();
  const type = r.u16();
  const cls = r.u16();
  const ttl = r.u32();
  const len = r.u16();
  const start = r.at;
  const end = start + len;
  let data: Uint8Array;
  switch (type) {
    case TYPE_NS:
    case TYPE_CNAME:
    case TYPE_PTR:
    case TYPE_DNAME:
      data = join(r.name());
      break;
    case TYPE_MX:
      data = join(r.take(2), r.name());
      break;
    case TYPE_SRV:
      data = join(r.take(6), r.name());
      break;
    case TYPE_SOA:
      data = join(r.name(), r.name(), r.take(20));
      break;
    default:
      data = r.take(len);
  }
  if (r.at !== end) r.bad = true;
  if ((type === TYPE_A && len !== 4) || (type === TYPE_AAAA && len !== 16)) r.bad = true;
  // RFC 2181, 8: more than 31 bits are none.
  return { owner, type, class: cls, ttl: ttl > 0x7fffffff ? 0 : ttl, data };
}

/** The question of a program's message; the RCODE_* to answer with when it is none that is served; null when it is no question at all. */
export function readQuestion(bytes: Uint8Array): Question | { id: number; rcode: number } | null {
  const r = new Reader(bytes);
  const id = r.u16();
  const flags = r.u16();
  const counts = [r.u16(), r.u16(), r.u16(), r.u16()];
  if (r.bad || (flags & FLAG_QR) !== 0) return null;
  if ((flags & OPCODE) !== 0) return { id, rcode: RCODE_NOT_IMPLEMENTED };
  if (counts[0] !== 1 || counts[1] !== 0 || counts[2] !== 0 || counts[3]! > 4)
    return { id, rcode: RCODE_FORMAT };
  const name = r.name();
  const type = r.u16();
  const cls = r.u16();
  let size = UDP_PLAIN;
  for (let i = 0; i < counts[3]! && !r.bad; i++) {
    const extra = readRecord(r);
    if (extra.type === TYPE_OPT) size = Math.max(UDP_PLAIN, Math.min(extra.class, UDP_MOST));
  }
  if (r.bad) return { id, rcode: RCODE_FORMAT };
  if (cls !== CLASS_IN || (type >= TYPE_IXFR && type <= TYPE_ANY) || type === TYPE_OPT || type === 0)
    return { id, rcode: RCODE_NOT_IMPLEMENTED };
  return { id, name, type, class: cls, recursion: (flags & FLAG_RD) !== 0, size };
}

/** The answer to `q`, which was asked with `id`; null when it is none, or not well-formed. */
export function readAnswer(bytes: Uint8Array, q: Question, id: number): Answer | null {
  const r = new Reader(bytes);
  const gotId = r.u16();
  const flags = r.u16();
  const counts = [r.u16(), r.u16(), r.u16(), r.u16()];
  if (r.bad || gotId !== id || (flags & FLAG_QR) === 0 || (flags & OPCODE) !== 0 || counts[0] !== 1)
    return null;
  const name = r.name();
  if (r.u16() !== q.type || r.u16() !== q.class || r.bad || !sameName(name, q.name)) return null;
  if (counts[1]! + counts[2]! > MOST_RECORDS) return null;
  const truncated = (flags & FLAG_TC) !== 0;
  const answers: DnsRecord[] = [];
  const authority: DnsRecord[] = [];
  if (!truncated) {
    for (let i = 0; i < counts[1]! && !r.bad; i++) answers.push(readRecord(r));
    for (let i = 0; i < counts[2]! && !r.bad; i++) authority.push(readRecord(r));
    if (r.bad) return null;
  }
  return { rcode: flags & RCODE, truncated, answers, authority };
}

/** What is asked of the host's resolver: the question alone, with EDNS (RFC 6891). */
export function writeQuestion(q: Question, id: number): Uint8Array {
  const head = Buffer.alloc(HEADER);
  head.writeUInt16BE(id, 0);
  head.writeUInt16BE(FLAG_RD, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(1, 10);
  const opt = Buffer.alloc(11);
  opt.writeUInt16BE(TYPE_OPT, 1);
  opt.writeUInt16BE(UDP_MOST, 3);
  return join(head, q.name, words(q.type, q.class), opt);
}

function words(...values: readonly number[]): Uint8Array {
  const out = Buffer.alloc(values.length * 2);
  for (const [i, value] of values.entries()) out.writeUInt16BE(value, i * 2);
  return out;
}

function writeRecord(record: DnsRecord, question: WireName): Uint8Array {
  const ttl = Buffer.alloc(4);
  ttl.writeUInt32BE(record.ttl);
  const owner = record.owner === question ? words(POINTER_TO_QUESTION) : record.owner;
  return join(owner, words(record.type, record.class), ttl, words(record.data.length), record.data);
}

/** The answer for the program: TC and no records when they are more than `limit` bytes. */
export function writeAnswer(q: Question, answer: Answer, limit: number): Uint8Array {
  const build = (tc: boolean, answers: readonly DnsRecord[], authority: readonly DnsRecord[]): Uint8Array =>
    join(
      words(q.id, FLAG_QR | (q.recursion ? FLAG_RD : 0) | FLAG_RA | (tc ? FLAG_TC : 0) | answer.rcode),
      words(1, answers.length, authority.length, 0),
      q.name,
      words(q.type, q.class),
      ...answers.map((record) => writeRecord(record, q.name)),
      ...authority.map((record) => writeRecord(record, q.name)),
    );
  const whole = build(answer.truncated, answer.answers, answer.authority);
  return whole.length <= limit ? whole : build(true, [], []);
}

/** An answer that says only that there is none. */
export function writeRefusal(id: number, rcode: number): Uint8Array {
  return join(words(id, FLAG_QR | FLAG_RA | rcode, 0, 0, 0, 0));
}

/** An answer of our own, with authority. */
export function ownFlags(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint16(2, view.getUint16(2) | FLAG_AA);
  return bytes;
}

export function sameName(a: WireName, b: WireName): boolean {
  return a.length === b.length && a.toLowerCase() === b.toLowerCase();
}

/** As people write it, in lower case, without the last dot; bytes that no host name has as \DDD. */
export function nameText(name: WireName): string {
  const labels: string[] = [];
  for (let at = 0; at < name.length; ) {
    const len = name.charCodeAt(at);
    if (len === 0) break;
    labels.push(
      name
        .slice(at + 1, at + 1 + len)
        .toLowerCase()
        .replace(/[^a-z0-9_-]/g, (c) => `\\${c.charCodeAt(0).toString().padStart(3, '0')}`),
    );
    at += 1 + len;
  }
  return labels.join('.');
}

/** The address of an A or AAAA record; null of another. */
export function addressOf(record: DnsRecord): IpAddress | null {
  const view = new DataView(record.data.buffer, record.data.byteOffset, record.data.byteLength);
  if (record.type === TYPE_A) return getIpv4(view, 0);
  return record.type === TYPE_AAAA ? getIpv6(view, 0) : null;
}
