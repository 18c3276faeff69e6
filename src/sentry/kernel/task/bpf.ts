// Classic BPF as seccomp(2) runs it: what a filter may consist of, and its interpreter.
//
// A program is four columns of the same length (code, jt, jf, k), checked once: every jump stays inside and goes
// forwards, so that it ends; the last instruction returns; no scratch word is read before it was written.

import {
  BPF_A,
  BPF_ABS,
  BPF_ADD,
  BPF_ALU,
  BPF_AND,
  BPF_DIV,
  BPF_IMM,
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
  SOCK_FILTER_CODE,
  SOCK_FILTER_JF,
  SOCK_FILTER_JT,
  SOCK_FILTER_K,
} from '../../../abi/process/bpf_filter.ts';
import { SECCOMP_DATA_INSTRUCTION_POINTER, SIZEOF_SECCOMP_DATA } from '../../../abi/process/seccomp.ts';

/** Words of struct seccomp_data before the first that changes from call to call: nr and arch. */
const FIXED_WORDS = SECCOMP_DATA_INSTRUCTION_POINTER >> 2;

const LD_ABS = BPF_LD | BPF_W | BPF_ABS;
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

/** Operations that take a constant or X. BPF_MOD is none of seccomp's. */
const ARITHMETIC = [BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_AND, BPF_OR, BPF_XOR, BPF_LSH, BPF_RSH];
const COMPARISONS = [BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JSET];
const ALLOWED: ReadonlySet<number> = new Set([
  ...[LD_ABS, LD_LEN, LD_IMM, LD_MEM, LDX_LEN, LDX_IMM, LDX_MEM, BPF_ST, BPF_STX],
  ...[RET_K, RET_A, TAX, TXA, JUMP, NEG],
  ...ARITHMETIC.flatMap((op) => [BPF_ALU | op | BPF_K, BPF_ALU | op | BPF_X]),
  ...COMPARISONS.flatMap((op) => [BPF_JMP | op | BPF_K, BPF_JMP | op | BPF_X]),
]);

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

  /** A program of `length` struct sock_filter at the start of `bytes`; null when seccomp does not take it. */
  static load(view: DataView, length: number): BpfFilter | null {
    const f = new BpfFilter(length);
    for (let i = 0; i < length; i++) {
      const off = i * SIZEOF_SOCK_FILTER;
      const code = view.getUint16(off + SOCK_FILTER_CODE, true);
      if (!ALLOWED.has(code)) return null;
      f.code[i] = code;
      f.jt[i] = view.getUint8(off + SOCK_FILTER_JT);
      f.jf[i] = view.getUint8(off + SOCK_FILTER_JF);
      f.k[i] = view.getInt32(off + SOCK_FILTER_K, true);
      if (!f.operandsOk(i)) return null;
    }
    const last = f.code[length - 1];
    return (last === RET_K || last === RET_A) && f.loadsOk() ? f : null;
  }

  /** The checks of one instruction by itself: bpf_check_classic and seccomp_check_filter in Linux. */
  private operandsOk(i: number): boolean {
    const k = this.k[i]! >>> 0;
    const room = this.length - i - 1;
    const code = this.code[i]!;
    switch (code) {
      case LD_ABS:
        return k < SIZEOF_SECCOMP_DATA && k % 4 === 0;
      case LD_MEM:
      case LDX_MEM:
      case BPF_ST:
      case BPF_STX:
        return k < BPF_MEMWORDS;
      case BPF_ALU | BPF_DIV | BPF_K:
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

  /** The filter's verdict (a u32 as a signed word) on a struct seccomp_data of sixteen words. */
  run(data: Int32Array): number {
    const code = this.code;
    const constants = this.k;
    let a = 0;
    let x = 0;
    this.fixed = true;
    for (let pc = 0; ; pc++) {
      const k = constants[pc]!;
      switch (code[pc]) {
        case LD_ABS: {
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
          a = SIZEOF_SECCOMP_DATA;
          break;
        case LDX_LEN:
          x = SIZEOF_SECCOMP_DATA;
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
