import {
  type Code,
  commonSize,
  expectSize,
  fitsSigned,
  fixed,
  immAs,
  immField,
  le,
  modRm,
  sized,
  sizeOf,
  unsized,
} from './encode.ts';
import type { Imm, Reg, RegMem, Size } from './operands.ts';

/**
 * The eight classic two-operand instructions share one scheme; `op` is bits 3 to 5 of the opcode.
 *   00oo o00w /r   op r/m, r        00oo o01w /r       op r, r/m
 *   1000 000w /op  op r/m, imm      1000 0011 /op ib   op r/m, sign-extended byte
 */
function alu(op: number, dst: RegMem, src: RegMem | Imm): Code {
  if (src.kind === 'imm') {
    const size = sizeOf(dst);
    const value = immAs(src, size);
    if (size > 1 && fitsSigned(value, 1)) return unsized(size, [0x83], op, dst, le(value, 1));
    return sized(size, [0x80], op, dst, immField(src, size));
  }
  if (src.kind === 'reg') return sized(commonSize(dst, src), [op << 3], src, dst);
  if (dst.kind === 'mem') throw new TypeError('at most one operand may be memory');
  return sized(commonSize(dst, src), [(op << 3) | 2], dst, src);
}

export function add(dst: RegMem, src: RegMem | Imm): Code {
  return alu(0, dst, src);
}

export function or(dst: RegMem, src: RegMem | Imm): Code {
  return alu(1, dst, src);
}

export function adc(dst: RegMem, src: RegMem | Imm): Code {
  return alu(2, dst, src);
}

export function sbb(dst: RegMem, src: RegMem | Imm): Code {
  return alu(3, dst, src);
}

export function and(dst: RegMem, src: RegMem | Imm): Code {
  return alu(4, dst, src);
}

export function sub(dst: RegMem, src: RegMem | Imm): Code {
  return alu(5, dst, src);
}

export function xor(dst: RegMem, src: RegMem | Imm): Code {
  return alu(6, dst, src);
}

export function cmp(dst: RegMem, src: RegMem | Imm): Code {
  return alu(7, dst, src);
}

export function test(dst: RegMem, src: Reg | Imm): Code {
  if (src.kind === 'imm') {
    const size = sizeOf(dst);
    // 1111 011w /0 imm
    return sized(size, [0xf6], 0, dst, immField(src, size));
  }
  // 1000 010w /r
  return sized(commonSize(dst, src), [0x84], src, dst);
}

/** 1111 111w /0 */
export function inc(dst: RegMem): Code {
  return sized(sizeOf(dst), [0xfe], 0, dst);
}

/** 1111 111w /1 */
export function dec(dst: RegMem): Code {
  return sized(sizeOf(dst), [0xfe], 1, dst);
}

/** 1111 011w /2 */
export function not(dst: RegMem): Code {
  return sized(sizeOf(dst), [0xf6], 2, dst);
}

/** 1111 011w /3 */
export function neg(dst: RegMem): Code {
  return sized(sizeOf(dst), [0xf6], 3, dst);
}

/** rdx:rax = rax * src, unsigned.  1111 011w /4 */
export function mul(src: RegMem): Code {
  return sized(sizeOf(src), [0xf6], 4, src);
}

/** rax, rdx = quotient and remainder of rdx:rax / src, unsigned.  1111 011w /6 */
export function div(src: RegMem): Code {
  return sized(sizeOf(src), [0xf6], 6, src);
}

/** The signed division.  1111 011w /7 */
export function idiv(src: RegMem): Code {
  return sized(sizeOf(src), [0xf6], 7, src);
}

/** `imul(a, b)` is a *= b; `imul(a, b, imm(n))` is a = b * n. */
export function imul(dst: Reg, src: RegMem, factor: Imm | null = null): Code {
  expectSize(dst, 2, 4, 8);
  const size = commonSize(dst, src);
  // 0F 1010 1111 /r
  if (factor === null) return unsized(size, [0x0f, 0xaf], dst, src);
  const value = immAs(factor, size);
  // 0110 10s1 /r imm  s: sign-extended byte
  if (fitsSigned(value, 1)) return unsized(size, [0x6b], dst, src, le(value, 1));
  return unsized(size, [0x69], dst, src, immField(factor, size));
}

/**
 * Shifts and rotates; `op` is the opcode extension, the count is an immediate or cl.
 *   1101 000w /op     by one      1100 000w /op ib  by an immediate      1101 001w /op  by cl
 */
function shift(op: number, dst: RegMem, count: Reg | Imm): Code {
  const size = sizeOf(dst);
  if (count.kind === 'reg') {
    if (count.size !== 1 || count.num !== 1) throw new TypeError(`shift count in ${count.name}: only cl can`);
    return sized(size, [0xd2], op, dst);
  }
  if (count.value < 0n || count.value >= BigInt(size * 8)) {
    throw new RangeError(`shift of a ${size * 8}-bit operand by ${count.value}`);
  }
  if (count.value === 1n) return sized(size, [0xd0], op, dst);
  return sized(size, [0xc0], op, dst, le(count.value, 1));
}

export function rol(dst: RegMem, count: Reg | Imm): Code {
  return shift(0, dst, count);
}

export function ror(dst: RegMem, count: Reg | Imm): Code {
  return shift(1, dst, count);
}

export function shl(dst: RegMem, count: Reg | Imm): Code {
  return shift(4, dst, count);
}

export function shr(dst: RegMem, count: Reg | Imm): Code {
  return shift(5, dst, count);
}

export function sar(dst: RegMem, count: Reg | Imm): Code {
  return shift(7, dst, count);
}

/**
 * Bit tests; `op` is the extension of the immediate form.
 *   0F 10oo o011 /r   bit number in a register (may reach beyond a memory operand)
 *   0F 1011 1010 /op ib
 */
function bitTest(op: number, dst: RegMem, bit: Reg | Imm): Code {
  if (bit.kind === 'reg') {
    const size: Size = commonSize(dst, bit);
    expectSize(bit, 2, 4, 8);
    return unsized(size, [0x0f, 0x83 | (op << 3)], bit, dst);
  }
  const size = sizeOf(dst);
  if (size === 1) throw new TypeError('bit tests have no byte form');
  if (bit.value < 0n || bit.value >= BigInt(size * 8)) {
    throw new RangeError(`bit ${bit.value} of a ${size * 8}-bit operand`);
  }
  return unsized(size, [0x0f, 0xba], op, dst, le(bit.value, 1));
}

export function bt(dst: RegMem, bit: Reg | Imm): Code {
  return bitTest(4, dst, bit);
}

export function bts(dst: RegMem, bit: Reg | Imm): Code {
  return bitTest(5, dst, bit);
}

export function btr(dst: RegMem, bit: Reg | Imm): Code {
  return bitTest(6, dst, bit);
}

/** Index of the lowest set bit.  0F 1011 1100 /r */
export function bsf(dst: Reg, src: RegMem): Code {
  expectSize(dst, 2, 4, 8);
  return unsized(commonSize(dst, src), [0x0f, 0xbc], dst, src);
}

/** Index of the highest set bit.  0F 1011 1101 /r */
export function bsr(dst: Reg, src: RegMem): Code {
  expectSize(dst, 2, 4, 8);
  return unsized(commonSize(dst, src), [0x0f, 0xbd], dst, src);
}

/** Number of set bits.  F3 0F 1011 1000 /r */
export function popcnt(dst: Reg, src: RegMem): Code {
  expectSize(dst, 4, 8);
  const size = commonSize(dst, src);
  return modRm({ prefix: 0xf3, w: size === 8, opcode: [0x0f, 0xb8], reg: dst, rm: src });
}

/** Rotates right and leaves the flags alone. VEX.LZ.F2.0F3A.W1 F0 /r ib */
export function rorx(dst: Reg, src: Reg, count: number): Code {
  expectSize(dst, 8);
  expectSize(src, 8);
  // c4, ~R ~X ~B 00011, W 1111 0 11
  const extended = 0xe3 ^ ((dst.num >> 3) << 7) ^ ((src.num >> 3) << 5);
  return fixed(0xc4, extended, 0xfb, 0xf0, 0xc0 | ((dst.num & 7) << 3) | (src.num & 7), count & 63);
}
