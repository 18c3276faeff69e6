// Classic BPF: what a filter of seccomp(2) or of a socket (SO_ATTACH_FILTER) may consist of, and its interpreter.
//
// A program is four columns of the same length (code, jt, jf, k), checked once: every jump stays inside and goes
// forwards, so that it ends; the last instruction returns; no scratch word is read before it was written.

import {
  BPF_A,
  BPF_ABS,
  BPF_ADD,
  BPF_ALU,
  BPF_AND,
  BPF_B,
  BPF_DIV,
  BPF_H,
  BPF_IMM,
  BPF_IND,
  BPF_JA,
  BPF_JEQ,
  BPF_JGE,
  BPF_JGT,
  BPF_JMP,
  BPF_JSET,
  BPF_K,
  BPF_LD,
  BPF_LDX,
  BPF_LEN,
  BPF_LSH,
  BPF_MEM,
  BPF_MEMWORDS,
  BPF_MISC,
  BPF_MOD,
  BPF_MSH,
  BPF_MUL,
  BPF_NEG,
  BPF_OR,
  BPF_RET,
  BPF_RSH,
  BPF_ST,
  BPF_STX,
  BPF_SUB,
  BPF_TAX,
  BPF_TXA,
  BPF_W,
  BPF_X,
  BPF_XOR,
  SIZEOF_SOCK_FILTER,
  SKF_AD_ALU_XOR_X,
  SKF_AD_CPU,
  SKF_AD_HATYPE,
  SKF_AD_IFINDEX,
  SKF_AD_MARK,
  SKF_AD_NLATTR,
  SKF_AD_NLATTR_NEST,
  SKF_AD_OFF,
  SKF_AD_PKTTYPE,
  SKF_AD_PROTOCOL,
  SKF_AD_QUEUE,
  SKF_AD_RANDOM,
  SKF_AD_RXHASH,
  SKF_AD_VLAN_TAG,
  SKF_AD_VLAN_TAG_PRESENT,
  SKF_AD_VLAN_TPID,
  SKF_LL_OFF,
  SKF_NET_OFF,
  SOCK_FILTER_CODE,
  SOCK_FILTER_JF,
  SOCK_FILTER_JT,
  SOCK_FILTER_K,
} from '../../abi/process/bpf_filter.ts';
import { SECCOMP_DATA_INSTRUCTION_POINTER, SIZEOF_SECCOMP_DATA } from '../../abi/process/seccomp.ts';

/** Words of struct seccomp_data before the first that changes from call to call: nr and arch. */
const FIXED_WORDS = SECCOMP_DATA_INSTRUCTION_POINTER >> 2;

const LD_ABS = BPF_LD | BPF_W | BPF_ABS;
const LDH_ABS = BPF_LD | BPF_H | BPF_ABS;
const LDB_ABS = BPF_LD | BPF_B | BPF_ABS;
const LD_IND = BPF_LD | BPF_W | BPF_IND;
const LDH_IND = BPF_LD | BPF_H | BPF_IND;
const LDB_IND = BPF_LD | BPF_B | BPF_IND;
const LDX_MSH = BPF_LDX | BPF_B | BPF_MSH;
/** None of a program's own: the word of struct seccomp_data at k, which LD_ABS of a seccomp filter becomes (as in Linux). */
const LD_SECCOMP = BPF_LDX | BPF_W | BPF_ABS;
const LD_LEN = BPF_LD | BPF_W | BPF_LEN;
const LD_IMM = BPF_LD | BPF_W | BPF_IMM;
const LD_MEM = BPF_LD | BPF_W | BPF_MEM;
const LDX_LEN = BPF_LDX | BPF_W | BPF_LEN;
const LDX_IMM = BPF_LDX | BPF_W | BPF_IMM;
const LDX_MEM = BPF_LDX | BPF_W | BPF_MEM;
const RET_K = BPF_RET | BPF_K;
const RET_A = BPF_RET | BPF_A;
const TAX = BPF_MISC | BPF_TAX;
const TXA = BPF_MISC | BPF_TXA;
const JUMP = BPF_JMP | BPF_JA;
const NEG = BPF_ALU | BPF_NEG;

/** Operations that take a constant or X. BPF_MOD and loads from packets are none of seccomp's. */
const ARITHMETIC = [BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_AND, BPF_OR, BPF_XOR, BPF_LSH, BPF_RSH];
const COMPARISONS = [BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JSET];
const ALLOWED: ReadonlySet<number> = new Set([
  ...[LD_ABS, LD_LEN, LD_IMM, LD_MEM, LDX_LEN, LDX_IMM, LDX_MEM, BPF_ST, BPF_STX],
  ...[RET_K, RET_A, TAX, TXA, JUMP, NEG],
  ...ARITHMETIC.flatMap((op) => [BPF_ALU | op | BPF_K, BPF_ALU | op | BPF_X]),
  ...COMPARISONS.flatMap((op) => [BPF_JMP | op | BPF_K, BPF_JMP | op | BPF_X]),
]);

const ALLOWED_IN_SOCKETS: ReadonlySet<number> = new Set([
  ...ALLOWED,
  ...[LDH_ABS, LDB_ABS, LD_IND, LDH_IND, LDB_IND, LDX_MSH],
  ...[BPF_ALU | BPF_MOD | BPF_K, BPF_ALU | BPF_MOD | BPF_X],
]);
/** What loads at SKF_AD_OFF + n give that we know; SKF_AD_PAY_OFFSET is refused. */
const ANCILLARY: ReadonlySet<number> = new Set([
  ...[SKF_AD_PROTOCOL, SKF_AD_PKTTYPE, SKF_AD_IFINDEX, SKF_AD_NLATTR, SKF_AD_NLATTR_NEST, SKF_AD_MARK],
  ...[SKF_AD_QUEUE, SKF_AD_HATYPE, SKF_AD_RXHASH, SKF_AD_CPU, SKF_AD_ALU_XOR_X, SKF_AD_VLAN_TAG],
  ...[SKF_AD_VLAN_TAG_PRESENT, SKF_AD_RANDOM, SKF_AD_VLAN_TPID],
]);

/** What a socket's filter looks at: one packet. Aimed anew for each. */
export class BpfPacket {
  bytes: Uint8Array = new Uint8Array(0);
  /** Where the filter's offset 0 is, and the headers that SKF_NET_OFF and SKF_LL_OFF count from; -1 for none. */
  at = 0;
  net = -1;
  link = -1;
  /** Ancillary data: ETH_P_*, PACKET_*, the interface and its ARPHRD_*, SO_MARK. */
  protocol = 0;
  packetType = 0;
  ifindex = 0;
  hardware = 0;
  mark = 0;

  get length(): number {
    return this.bytes.length - this.at;
  }
}

const NO_PACKET = new BpfPacket();
const NO_WORDS = new Int32Array(0);
/** A load failed: the program ends with 0. A number that no 32-bit load gives. */
const OUTSIDE = Number.NaN;
/** struct nlattr. */
const NLATTR_SIZE = 4;

/** The scratch words of the program that runs. */
const memory = new Int32Array(BPF_MEMWORDS);

export class BpfFilter {
  readonly length: number;
  private readonly code: Uint8Array;
  private readonly jt: Uint8Array;
  private readonly jf: Uint8Array;
  /** Constants as signed words: the arithmetic is modulo 2^32. */
  private readonly k: Int32Array;
  /** The last run looked at nothing but nr and arch: it will always end so for this nr. */
  fixed = false;

  private constructor(length: number) {
    this.length = length;
    this.code = new Uint8Array(length);
    this.jt = new Uint8Array(length);
    this.jf = new Uint8Array(length);
    this.k = new Int32Array(length);
  }

  /** A program of `length` struct sock_filter at the start of `view`; null when seccomp does not take it. */
  static forSeccomp(view: DataView, length: number): BpfFilter | null {
    const f = BpfFilter.load(view, length, ALLOWED);
    if (f === null) return null;
    // seccomp_check_filter(): loads are of its struct alone, and what LEN tells is known.
    for (let i = 0; i < length; i++) {
      const k = f.k[i]! >>> 0;
      switch (f.code[i]) {
        case LD_ABS:
          if (k >= SIZEOF_SECCOMP_DATA || k % 4 !== 0) return null;
          f.code[i] = LD_SECCOMP;
          break;
        case LD_LEN:
        case LDX_LEN:
          f.code[i] = f.code[i] === LD_LEN ? LD_IMM : LDX_IMM;
          f.k[i] = SIZEOF_SECCOMP_DATA;
          break;
      }
    }
    return f;
  }

  /** The same for SO_ATTACH_FILTER: bpf_check_classic(). */
  static forSocket(view: DataView, length: number): BpfFilter | null {
    const f = BpfFilter.load(view, length, ALLOWED_IN_SOCKETS);
    if (f === null) return null;
    for (let i = 0; i < length; i++) {
      const code = f.code[i];
      const k = f.k[i]!;
      if (code !== LD_ABS && code !== LDH_ABS && code !== LDB_ABS) continue;
      if (k >= SKF_AD_OFF && k < 0 && !ANCILLARY.has(k - SKF_AD_OFF)) return null;
    }
    return f;
  }

  private static load(view: DataView, length: number, allowed: ReadonlySet<number>): BpfFilter | null {
    const f = new BpfFilter(length);
    for (let i = 0; i < length; i++) {
      const off = i * SIZEOF_SOCK_FILTER;
      const code = view.getUint16(off + SOCK_FILTER_CODE, true);
      if (!allowed.has(code)) return null;
      f.code[i] = code;
      f.jt[i] = view.getUint8(off + SOCK_FILTER_JT);
      f.jf[i] = view.getUint8(off + SOCK_FILTER_JF);
      f.k[i] = view.getInt32(off + SOCK_FILTER_K, true);
      if (!f.operandsOk(i)) return null;
    }
    const last = f.code[length - 1];
    return (last === RET_K || last === RET_A) && f.loadsOk() ? f : null;
  }

  /** The checks of one instruction by itself: bpf_check_classic() in Linux. */
  private operandsOk(i: number): boolean {
    const k = this.k[i]! >>> 0;
    const room = this.length - i - 1;
    const code = this.code[i]!;
    switch (code) {
      case LD_MEM:
      case LDX_MEM:
      case BPF_ST:
      case BPF_STX:
        return k < BPF_MEMWORDS;
      case BPF_ALU | BPF_DIV | BPF_K:
      case BPF_ALU | BPF_MOD | BPF_K:
        return k !== 0;
      case BPF_ALU | BPF_LSH | BPF_K:
      case BPF_ALU | BPF_RSH | BPF_K:
        return k < 32;
      case JUMP:
        return k < room;
    }
    return (code & 7) !== BPF_JMP || (this.jt[i]! < room && this.jf[i]! < room);
  }

  /** Every load of a scratch word comes after a store to it, on every way that leads there. */
  private loadsOk(): boolean {
    const n = this.length;
    // Words known to be written when instruction i is reached: the intersection over all jumps to it.
    const known = new Uint16Array(n).fill(0xffff);
    let valid = 0;
    for (let i = 0; i < n; i++) {
      valid &= known[i]!;
      const code = this.code[i]!;
      const k = this.k[i]!;
      if (code === BPF_ST || code === BPF_STX) valid |= 1 << k;
      else if (code === LD_MEM || code === LDX_MEM) {
        if ((valid & (1 << k)) === 0) return false;
      } else if (code === JUMP) {
        known[i + 1 + k]! &= valid;
        valid = 0xffff;
      } else if ((code & 7) === BPF_JMP) {
        known[i + 1 + this.jt[i]!]! &= valid;
        known[i + 1 + this.jf[i]!]! &= valid;
        valid = 0xffff;
      }
    }
    return true;
  }

  /** The verdict of a seccomp filter (a u32 as a signed word) on a struct seccomp_data of sixteen words. */
  run(data: Int32Array): number {
    return this.evaluate(data, NO_PACKET);
  }

  /** Bytes of a packet that a socket's filter lets through: 0 for none of it, a u32. */
  runPacket(packet: BpfPacket): number {
    return this.evaluate(NO_WORDS, packet) >>> 0;
  }

  private evaluate(data: Int32Array, packet: BpfPacket): number {
    const code = this.code;
    const constants = this.k;
    let a = 0;
    let x = 0;
    this.fixed = true;
    for (let pc = 0; ; pc++) {
      const k = constants[pc]!;
      switch (code[pc]) {
        case LD_SECCOMP: {
          const word = k >> 2;
          if (word >= FIXED_WORDS) this.fixed = false;
          a = data[word]!;
          break;
        }
        case BPF_JMP | BPF_JEQ | BPF_K:
          pc += a === k ? this.jt[pc]! : this.jf[pc]!;
          break;
        case BPF_JMP | BPF_JGE | BPF_K:
          pc += a >>> 0 >= k >>> 0 ? this.jt[pc]! : this.jf[pc]!;
          break;
        case BPF_JMP | BPF_JGT | BPF_K:
          pc += a >>> 0 > k >>> 0 ? this.jt[pc]! : this.jf[pc]!;
          break;
        case BPF_JMP | BPF_JSET | BPF_K:
          pc += (a & k) !== 0 ? this.jt[pc]! : this.jf[pc]!;
          break;
        case RET_K:
          return k;
        case RET_A:
          return a;
        case JUMP:
          pc += k;
          break;
        case LD_IMM:
          a = k;
          break;
        case LDX_IMM:
          x = k;
          break;
        case LD_LEN:
          a = packet.length;
          break;
        case LDX_LEN:
          x = packet.length;
          break;
        case LD_ABS:
        case LDH_ABS:
        case LDB_ABS: {
          const v =
            k >= SKF_AD_OFF && k < 0 ? ancillary(packet, k, a, x) : load(packet, k, sizeOf(code[pc]!));
          if (Number.isNaN(v)) return 0;
          a = v | 0;
          break;
        }
        case LD_IND:
        case LDH_IND:
        case LDB_IND: {
          const v = load(packet, (x + k) | 0, sizeOf(code[pc]!));
          if (Number.isNaN(v)) return 0;
          a = v | 0;
          break;
        }
        case LDX_MSH: {
          const v = load(packet, k, 1);
          if (Number.isNaN(v)) return 0;
          x = (v & 0xf) << 2;
          break;
        }
        case BPF_ALU | BPF_MOD | BPF_X:
          if (x === 0) return 0;
          a = ((a >>> 0) % (x >>> 0)) | 0;
          break;
        case LD_MEM:
          a = memory[k]!;
          break;
        case LDX_MEM:
          x = memory[k]!;
          break;
        case BPF_ST:
          memory[k] = a;
          break;
        case BPF_STX:
          memory[k] = x;
          break;
        case TAX:
          x = a;
          break;
        case TXA:
          a = x;
          break;
        case NEG:
          a = -a | 0;
          break;
        case BPF_JMP | BPF_JEQ | BPF_X:
          pc += a === x ? this.jt[pc]! : this.jf[pc]!;
          break;
        case BPF_JMP | BPF_JGE | BPF_X:
          pc += a >>> 0 >= x >>> 0 ? this.jt[pc]! : this.jf[pc]!;
          break;
        case BPF_JMP | BPF_JGT | BPF_X:
          pc += a >>> 0 > x >>> 0 ? this.jt[pc]! : this.jf[pc]!;
          break;
        case BPF_JMP | BPF_JSET | BPF_X:
          pc += (a & x) !== 0 ? this.jt[pc]! : this.jf[pc]!;
          break;
        case BPF_ALU | BPF_DIV | BPF_X:
          // Division by zero ends the program with 0.
          if (x === 0) return 0;
          a = ((a >>> 0) / (x >>> 0)) | 0;
          break;
        default:
          a = arithmetic(code[pc]! & 0xf0, a, (code[pc]! & BPF_X) !== 0 ? x : k);
          break;
      }
    }
  }
}

function arithmetic(op: number, a: number, b: number): number {
  switch (op) {
    case BPF_ADD:
      return (a + b) | 0;
    case BPF_SUB:
      return (a - b) | 0;
    case BPF_MUL:
      return Math.imul(a, b);
    case BPF_DIV:
      return ((a >>> 0) / (b >>> 0)) | 0;
    case BPF_MOD:
      return ((a >>> 0) % (b >>> 0)) | 0;
    case BPF_AND:
      return a & b;
    case BPF_OR:
      return a | b;
    case BPF_XOR:
      return a ^ b;
    case BPF_LSH:
      return a << (b & 31);
    default:
      return (a >>> (b & 31)) | 0;
  }
}

function sizeOf(code: number): number {
  return (code & 0x18) === BPF_W ? 4 : (code & 0x18) === BPF_H ? 2 : 1;
}

/** `size` bytes of the packet in network order: bpf_internal_load_pointer_neg_helper() for offsets below 0. */
function load(p: BpfPacket, offset: number, size: number): number {
  let at = p.at + offset;
  if (offset < 0) {
    const from = offset >= SKF_NET_OFF ? p.net : p.link;
    if (from < 0 || offset < SKF_LL_OFF) return OUTSIDE;
    at = from + offset - (offset >= SKF_NET_OFF ? SKF_NET_OFF : SKF_LL_OFF);
  }
  const { bytes } = p;
  if (at < 0 || at + size > bytes.length) return OUTSIDE;
  let v = 0;
  for (let i = 0; i < size; i++) v = (v << 8) | bytes[at + i]!;
  return v;
}

/** Loads at SKF_AD_OFF: what is known of the packet beside its bytes. */
function ancillary(p: BpfPacket, k: number, a: number, x: number): number {
  switch (k - SKF_AD_OFF) {
    case SKF_AD_PROTOCOL:
      return p.protocol;
    case SKF_AD_PKTTYPE:
      return p.packetType;
    case SKF_AD_IFINDEX:
      // Without an interface, the program ends.
      return p.ifindex === 0 ? OUTSIDE : p.ifindex;
    case SKF_AD_HATYPE:
      return p.ifindex === 0 ? OUTSIDE : p.hardware;
    case SKF_AD_MARK:
      return p.mark;
    case SKF_AD_ALU_XOR_X:
      return a ^ x;
    case SKF_AD_RANDOM:
      return Math.random() * 2 ** 32;
    case SKF_AD_NLATTR:
      return findAttribute(p, a, p.bytes.length, x);
    case SKF_AD_NLATTR_NEST:
      return findNested(p, a, x);
  }
  // One queue, one CPU, no hash of flows, no tags.
  return 0;
}

/** Where between two offsets an attribute of type `x` begins; 0 when there is none: nla_find(). */
function findAttribute(p: BpfPacket, from: number, end: number, x: number): number {
  if (end < NLATTR_SIZE || from >>> 0 > end - NLATTR_SIZE) return 0;
  for (let at = from >>> 0; at + NLATTR_SIZE <= end; ) {
    const length = p.bytes[at]! | (p.bytes[at + 1]! << 8);
    const type = (p.bytes[at + 2]! | (p.bytes[at + 3]! << 8)) & 0x3fff;
    if (length < NLATTR_SIZE || at + length > end) return 0;
    if (type === x) return at;
    at += (length + 3) & ~3;
  }
  return 0;
}

function findNested(p: BpfPacket, a: number, x: number): number {
  const at = a >>> 0;
  if (at + NLATTR_SIZE > p.bytes.length) return 0;
  const length = p.bytes[at]! | (p.bytes[at + 1]! << 8);
  if (length < NLATTR_SIZE || at + length > p.bytes.length) return 0;
  return findAttribute(p, at + NLATTR_SIZE, at + length, x);
}
