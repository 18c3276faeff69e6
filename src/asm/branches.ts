import { CONDITIONS, type Condition } from './conditions.ts';
import { type Code, expectSize, fixed, modRm } from './encode.ts';
import type { RegMem } from './operands.ts';

/** An opcode followed by the distance from the end of the instruction to a label. */
function relative(kind: 'rel8' | 'rel32', opcode: readonly number[], label: string): Code {
  const field = kind === 'rel8' ? [0] : [0, 0, 0, 0];
  return { bytes: [...opcode, ...field], fixup: { at: opcode.length, kind, label, addend: 0 } };
}

function indirect(extension: number, target: RegMem): Code {
  if (target.kind === 'reg') expectSize(target, 8);
  // 1111 1111 /n; 64-bit operands without REX.W
  return modRm({ opcode: [0xff], reg: extension, rm: target });
}

/** To a label (1110 1001 rel32), or to the address in a register or in memory. */
export function jmp(target: string | RegMem): Code {
  return typeof target === 'string' ? relative('rel32', [0xe9], target) : indirect(4, target);
}

/** 1110 1011 rel8 */
export function jmpShort(label: string): Code {
  return relative('rel8', [0xeb], label);
}

/** To a label (1110 1000 rel32), or to the address in a register or in memory. */
export function call(target: string | RegMem): Code {
  return typeof target === 'string' ? relative('rel32', [0xe8], target) : indirect(2, target);
}

/** 0F 1000 cccc rel32 */
export function jcc(condition: Condition, label: string): Code {
  return relative('rel32', [0x0f, 0x80 | CONDITIONS[condition]], label);
}

/** 0111 cccc rel8 */
export function jccShort(condition: Condition, label: string): Code {
  return relative('rel8', [0x70 | CONDITIONS[condition]], label);
}

/** Jumps when rcx is zero, and looks at no flag. 1110 0011 rel8 */
export function jrcxz(label: string): Code {
  return relative('rel8', [0xe3], label);
}

export function ret(): Code {
  return fixed(0xc3);
}

/** Far return: pops rip and cs. */
export function retfq(): Code {
  return fixed(0x48, 0xcb);
}

export function leave(): Code {
  return fixed(0xc9);
}

/** Marks a legal target of an indirect branch; a nop without CET. */
export function endbr64(): Code {
  return fixed(0xf3, 0x0f, 0x1e, 0xfa);
}

export function int3(): Code {
  return fixed(0xcc);
}

/** 1100 1101 ib */
export function int(vector: number): Code {
  if (!Number.isInteger(vector) || vector < 0 || vector > 255) throw new RangeError(`interrupt ${vector}`);
  return fixed(0xcd, vector);
}

export function ud2(): Code {
  return fixed(0x0f, 0x0b);
}

/** One instruction of each length: 0F 1F /0 with ever longer addressing and a 66 prefix. */
const NOPS: readonly (readonly number[])[] = [
  [0x90],
  [0x66, 0x90],
  [0x0f, 0x1f, 0x00],
  [0x0f, 0x1f, 0x40, 0x00],
  [0x0f, 0x1f, 0x44, 0x00, 0x00],
  [0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
  [0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
  [0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
  [0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
];

/** `length` bytes that do nothing, in as few instructions as possible. */
export function nop(length = 1): Code {
  const bytes: number[] = [];
  while (bytes.length < length) {
    bytes.push(...NOPS[Math.min(length - bytes.length, NOPS.length) - 1]!);
  }
  return fixed(...bytes);
}
