import { add, and, btr, bts, dec, inc, or, sub } from './arithmetic.ts';
import { type Code, commonSize, fixed, prefixed, sized } from './encode.ts';
import type { Imm, Mem, Reg } from './operands.ts';

/** 1111 0000 in front of a read-modify-write of memory. */
const LOCK = 0xf0;

/** if (dst == rax) dst = src, ZF = 1; else rax = dst, ZF = 0. */
export function lockCmpxchg(dst: Mem, src: Reg): Code {
  // 0F 1011 000w /r
  return prefixed(LOCK, sized(commonSize(dst, src), [0x0f, 0xb0], src, dst));
}

/** Adds src to dst and returns the old dst in src. */
export function lockXadd(dst: Mem, src: Reg): Code {
  // 0F 1100 000w /r
  return prefixed(LOCK, sized(commonSize(dst, src), [0x0f, 0xc0], src, dst));
}

export function lockAdd(dst: Mem, src: Reg | Imm): Code {
  return prefixed(LOCK, add(dst, src));
}

export function lockSub(dst: Mem, src: Reg | Imm): Code {
  return prefixed(LOCK, sub(dst, src));
}

export function lockOr(dst: Mem, src: Reg | Imm): Code {
  return prefixed(LOCK, or(dst, src));
}

export function lockAnd(dst: Mem, src: Reg | Imm): Code {
  return prefixed(LOCK, and(dst, src));
}

export function lockInc(dst: Mem): Code {
  return prefixed(LOCK, inc(dst));
}

export function lockDec(dst: Mem): Code {
  return prefixed(LOCK, dec(dst));
}

export function lockBts(dst: Mem, bit: Reg | Imm): Code {
  return prefixed(LOCK, bts(dst, bit));
}

export function lockBtr(dst: Mem, bit: Reg | Imm): Code {
  return prefixed(LOCK, btr(dst, bit));
}

export function lfence(): Code {
  return fixed(0x0f, 0xae, 0xe8);
}

export function mfence(): Code {
  return fixed(0x0f, 0xae, 0xf0);
}

export function sfence(): Code {
  return fixed(0x0f, 0xae, 0xf8);
}

/** Tells the processor that this is a spin loop. */
export function pause(): Code {
  return fixed(0xf3, 0x90);
}
