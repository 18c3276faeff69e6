import { CONDITIONS, type Condition } from './conditions.ts';
import {
  type Code,
  commonSize,
  expectSize,
  fitsSigned,
  fitsUnsigned,
  immAs,
  immField,
  le,
  modRm,
  plusReg,
  sized,
  sizeOf,
  unsized,
} from './encode.ts';
import { type Imm, type Mem, type Reg, type RegMem, resize } from './operands.ts';

export function mov(dst: RegMem, src: RegMem | Imm): Code {
  if (src.kind === 'imm') return movImm(dst, src);
  // 1000 100w /r  mov r/m, r
  if (src.kind === 'reg') return sized(commonSize(dst, src), [0x88], src, dst);
  if (dst.kind === 'mem') throw new TypeError('mov takes at most one memory operand');
  // 1000 101w /r  mov r, r/m
  return sized(commonSize(dst, src), [0x8a], dst, src);
}

function movImm(dst: RegMem, src: Imm): Code {
  const size = sizeOf(dst);
  if (dst.kind === 'reg' && size === 8) {
    const value = immAs(src, 8);
    // Writing a 32-bit register clears the upper half, so small positive values need no REX.W.
    if (fitsUnsigned(value, 4)) return plusReg(false, [0xb8], resize(dst, 4), le(value, 4));
    if (!fitsSigned(value, 4)) return movabs(dst, src);
  }
  // 1100 011w /0 imm  mov r/m, imm
  return sized(size, [0xc6], 0, dst, immField(src, size));
}

/** mov r64, imm64 at its full ten bytes: for values patched later, or for the address of a label. */
export function movabs(dst: Reg, src: Imm | string): Code {
  expectSize(dst, 8);
  // REX.W 1011 1rrr imm64
  if (typeof src !== 'string') return plusReg(true, [0xb8], dst, le(immAs(src, 8), 8));
  const { bytes } = plusReg(true, [0xb8], dst, le(0, 8));
  return { bytes, fixup: { at: 2, kind: 'abs64', label: src, addend: 0 } };
}

/** Zero-extends a byte or word. */
export function movzx(dst: Reg, src: RegMem): Code {
  return extend(0xb6, dst, src);
}

/** Sign-extends a byte or word. */
export function movsx(dst: Reg, src: RegMem): Code {
  return extend(0xbe, dst, src);
}

function extend(opcode: number, dst: Reg, src: RegMem): Code {
  const from = sizeOf(src);
  if (from > 2 || dst.size <= from) throw new TypeError(`cannot extend ${from} bytes to ${dst.size}`);
  // 0F 1011 s11w /r  w: word source
  return unsized(dst.size, [0x0f, opcode | (from - 1)], dst, src);
}

/** Sign-extends a doubleword to 64 bits. */
export function movsxd(dst: Reg, src: RegMem): Code {
  expectSize(dst, 8);
  if (src.kind === 'reg') expectSize(src, 4);
  // REX.W 0110 0011 /r
  return unsized(8, [0x63], dst, src);
}

export function lea(dst: Reg, src: Mem): Code {
  expectSize(dst, 2, 4, 8);
  // 1000 1101 /r
  return unsized(dst.size, [0x8d], dst, src);
}

export function push(src: RegMem | Imm): Code {
  if (src.kind === 'imm') {
    const value = immAs(src, 8);
    // 0110 10s0 imm  s: sign-extended byte
    return fitsSigned(value, 1)
      ? { bytes: [0x6a, ...le(value, 1)], fixup: null }
      : { bytes: [0x68, ...immField(src, 8)], fixup: null };
  }
  if (src.kind === 'reg') {
    expectSize(src, 8);
    // 0101 0rrr
    return plusReg(false, [0x50], src);
  }
  // 1111 1111 /6; 64-bit operands without REX.W
  return modRm({ opcode: [0xff], reg: 6, rm: src });
}

export function pop(dst: RegMem): Code {
  if (dst.kind === 'reg') {
    expectSize(dst, 8);
    // 0101 1rrr
    return plusReg(false, [0x58], dst);
  }
  // 1000 1111 /0
  return modRm({ opcode: [0x8f], reg: 0, rm: dst });
}

/** Exchanges; with a memory operand the processor locks the bus by itself. */
export function xchg(dst: RegMem, src: Reg): Code {
  // 1000 011w /r
  return sized(commonSize(dst, src), [0x86], src, dst);
}

export function bswap(reg: Reg): Code {
  expectSize(reg, 4, 8);
  // 0F 1100 1rrr
  return plusReg(reg.size === 8, [0x0f, 0xc8], reg);
}

export function setcc(condition: Condition, dst: RegMem): Code {
  if (dst.kind === 'reg') expectSize(dst, 1);
  // 0F 1001 cccc /0
  return modRm({ opcode: [0x0f, 0x90 | CONDITIONS[condition]], reg: 0, rm: dst });
}

export function cmovcc(condition: Condition, dst: Reg, src: RegMem): Code {
  expectSize(dst, 2, 4, 8);
  // 0F 0100 cccc /r
  return unsized(commonSize(dst, src), [0x0f, 0x40 | CONDITIONS[condition]], dst, src);
}
