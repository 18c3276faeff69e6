import { type Code, expectSize, modRm } from './encode.ts';
import type { Mem, RegMem, Xmm } from './operands.ts';

/** Loads have the register on the left; stores use the next opcode or one given apart. */
function move(prefix: number | undefined, load: number, store: number, dst: Xmm | Mem, src: Xmm | Mem): Code {
  if (dst.kind === 'xmm') return modRm({ prefix, opcode: [0x0f, load], reg: dst, rm: src });
  if (src.kind === 'mem') throw new TypeError('at most one operand may be memory');
  return modRm({ prefix, opcode: [0x0f, store], reg: src, rm: dst });
}

/** 16 bytes, any alignment.  0F 0001 000d /r */
export function movups(dst: Xmm | Mem, src: Xmm | Mem): Code {
  return move(undefined, 0x10, 0x11, dst, src);
}

/** 16 bytes, faults unless aligned.  0F 0010 100d /r */
export function movaps(dst: Xmm | Mem, src: Xmm | Mem): Code {
  return move(undefined, 0x28, 0x29, dst, src);
}

/** 16 bytes, any alignment, integer domain.  F3 0F 011d 1111 /r */
export function movdqu(dst: Xmm | Mem, src: Xmm | Mem): Code {
  return move(0xf3, 0x6f, 0x7f, dst, src);
}

/** 64 bits between an xmm register and a general register or memory. */
export function movq(dst: Xmm | RegMem, src: Xmm | RegMem): Code {
  if (dst.kind === 'xmm') {
    // 66 REX.W 0F 6E /r from a general register; F3 0F 7E /r from xmm or memory
    if (src.kind !== 'reg') return modRm({ prefix: 0xf3, opcode: [0x0f, 0x7e], reg: dst, rm: src });
    expectSize(src, 8);
    return modRm({ prefix: 0x66, w: true, opcode: [0x0f, 0x6e], reg: dst, rm: src });
  }
  if (src.kind !== 'xmm') throw new TypeError('movq needs an xmm register');
  // 66 0F D6 /r to memory; 66 REX.W 0F 7E /r to a general register
  if (dst.kind === 'mem') return modRm({ prefix: 0x66, opcode: [0x0f, 0xd6], reg: src, rm: dst });
  expectSize(dst, 8);
  return modRm({ prefix: 0x66, w: true, opcode: [0x0f, 0x7e], reg: src, rm: dst });
}

/** 32 bits between an xmm register and a general register or memory.  66 0F 011d 1110 /r */
export function movd(dst: Xmm | RegMem, src: Xmm | RegMem): Code {
  const [xmm, other, opcode] = dst.kind === 'xmm' ? [dst, src, 0x6e] : [src, dst, 0x7e];
  if (xmm.kind !== 'xmm' || other.kind === 'xmm') throw new TypeError('movd needs one xmm register');
  if (other.kind === 'reg') expectSize(other, 4);
  return modRm({ prefix: 0x66, opcode: [0x0f, opcode], reg: xmm, rm: other });
}

/** 0F 0101 0111 /r; with itself, the usual way to clear a register. */
export function xorps(dst: Xmm, src: Xmm | Mem): Code {
  return modRm({ opcode: [0x0f, 0x57], reg: dst, rm: src });
}
