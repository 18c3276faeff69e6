import type { Imm, Mem, Reg, RegMem, Size, Xmm } from './operands.ts';

/** How a fix-up's field is filled: relative to the end of its instruction, or with the absolute address. */
export type FixupKind = 'rel8' | 'rel32' | 'abs64';

/** A field, `at` bytes into the instruction, that waits for the address of `label`. */
export interface Fixup {
  readonly at: number;
  readonly kind: FixupKind;
  readonly label: string;
  readonly addend: number;
}

/** One encoded instruction. */
export interface Code {
  readonly bytes: readonly number[];
  readonly fixup: Fixup | null;
}

export function fixed(...bytes: readonly number[]): Code {
  return { bytes, fixup: null };
}

/** `width` little-endian bytes of the two's complement of `value`. */
export function le(value: number | bigint, width: Size): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(width * 8, BigInt(value));
  for (let i = 0; i < width; i++) {
    bytes.push(Number(rest & 0xffn));
    rest >>= 8n;
  }
  return bytes;
}

export function fitsSigned(value: bigint, width: Size): boolean {
  return BigInt.asIntN(width * 8, value) === value;
}

export function fitsUnsigned(value: bigint, width: Size): boolean {
  return BigInt.asUintN(width * 8, value) === value;
}

/** The immediate as a signed value of the operand's width: 0xff and -1 are the same byte. */
export function immAs(operand: Imm, size: Size): bigint {
  if (!fitsSigned(operand.value, size) && !fitsUnsigned(operand.value, size)) {
    throw new RangeError(`immediate ${operand.value} does not fit in ${size * 8} bits`);
  }
  return BigInt.asIntN(size * 8, operand.value);
}

/** Bytes of a full-width immediate field; a 64-bit operand takes 32 bits that the processor sign-extends. */
export function immField(operand: Imm, size: Size): number[] {
  const value = immAs(operand, size);
  const width = size === 8 ? 4 : size;
  if (!fitsSigned(value, width)) {
    throw new RangeError(`immediate ${operand.value} does not fit in 32 sign-extended bits: use movabs`);
  }
  return le(value, width);
}

/** The width that two operands agree on. */
export function commonSize(a: RegMem, b: RegMem): Size {
  if (a.size !== 0 && b.size !== 0 && a.size !== b.size) {
    throw new TypeError(`operands of ${a.size} and ${b.size} bytes`);
  }
  return sizeOf(a.size === 0 ? b : a);
}

export function sizeOf(operand: RegMem): Size {
  if (operand.size === 0)
    throw new TypeError('memory operand needs a size: byte(), word(), dword() or qword()');
  return operand.size;
}

export function expectSize(reg: Reg, ...allowed: readonly Size[]): void {
  if (!allowed.includes(reg.size)) {
    throw new TypeError(`${reg.name}: expected a register of ${allowed.join(' or ')} bytes`);
  }
}

/** Fields of an instruction with a ModRM byte. */
export interface ModRmForm {
  /** Operand-size, repeat or mandatory prefix: 66, F2 or F3. */
  readonly prefix?: number | undefined;
  /** REX.W. */
  readonly w?: boolean;
  readonly opcode: readonly number[];
  /** ModRM.reg: a register, or the opcode extension that manuals write as `/n`. */
  readonly reg: Reg | Xmm | number;
  readonly rm: Reg | Xmm | Mem;
  readonly imm?: readonly number[];
}

const SEGMENT_PREFIX = { fs: 0x64, gs: 0x65 } as const;
const NO_BYTES: readonly number[] = [];

/** Without a REX prefix, byte registers 4 to 7 are ah, ch, dh and bh, not spl, bpl, sil and dil. */
function isRexByte(operand: Reg | Xmm | Mem | number): boolean {
  return typeof operand === 'object' && operand.kind === 'reg' && operand.size === 1 && operand.num >= 4;
}

/**
 * Encodes  [segment] [prefix] [REX] opcode ModRM [SIB] [disp] [imm].
 *
 *   REX    0100 W R X B     W: 64-bit operand; R, X, B: fourth bit of reg, index, and base or rm
 *   ModRM  mod:2 reg:3 rm:3
 *   SIB    scale:2 index:3 base:3
 */
export function modRm(form: ModRmForm): Code {
  const { rm } = form;
  const imm = form.imm ?? NO_BYTES;
  const reg = typeof form.reg === 'number' ? form.reg : form.reg.num;
  const isMem = rm.kind === 'mem';
  const base = isMem ? (rm.base?.num ?? 0) : rm.num;
  const index = isMem ? (rm.index?.num ?? 0) : 0;

  const bytes: number[] = [];
  if (isMem && rm.segment !== null) bytes.push(SEGMENT_PREFIX[rm.segment]);
  if (form.prefix !== undefined) bytes.push(form.prefix);
  const rex = (form.w ? 8 : 0) | ((reg >> 3) << 2) | ((index >> 3) << 1) | (base >> 3);
  if (rex !== 0 || isRexByte(form.reg) || isRexByte(rm)) bytes.push(0x40 | rex);
  bytes.push(...form.opcode);

  if (!isMem) {
    bytes.push(0xc0 | ((reg & 7) << 3) | (base & 7), ...imm);
    return { bytes, fixup: null };
  }
  if (rm.label !== null) {
    // mod=00 rm=101: [rip + disp32]
    bytes.push(((reg & 7) << 3) | 5);
    const at = bytes.length;
    bytes.push(0, 0, 0, 0, ...imm);
    return { bytes, fixup: { at, kind: 'rel32', label: rm.label, addend: rm.disp } };
  }
  bytes.push(...address(reg & 7, rm), ...imm);
  return { bytes, fixup: null };
}

/** ModRM, SIB and displacement of a memory operand that is not RIP-relative. */
function address(reg: number, rm: Mem): number[] {
  const scaleBits = Math.log2(rm.scale) << 6;
  const indexBits = (rm.index === null ? 4 : rm.index.num & 7) << 3;
  if (rm.base === null) {
    // mod=00 rm=100, SIB.base=101: [index*scale + disp32]. The shorter mod=00 rm=101 would be RIP-relative.
    return [(reg << 3) | 4, scaleBits | indexBits | 5, ...le(rm.disp, 4)];
  }
  const low = rm.base.num & 7;
  // mod=00 with rbp or r13 as base means "no base", so these carry a zero disp8.
  const width = rm.disp === 0 && low !== 5 ? 0 : rm.disp >= -128 && rm.disp <= 127 ? 1 : 4;
  const mod = width === 0 ? 0x00 : width === 1 ? 0x40 : 0x80;
  const disp = width === 0 ? [] : le(rm.disp, width);
  // rm=100 announces a SIB byte, so rsp and r12 as base need one even without an index.
  if (rm.index !== null || low === 4) {
    return [mod | (reg << 3) | 4, scaleBits | indexBits | low, ...disp];
  }
  return [mod | (reg << 3) | low, ...disp];
}

/** An integer instruction whose opcode's lowest bit is 0 for bytes and 1 for wider operands. */
export function sized(
  size: Size,
  opcode: readonly number[],
  reg: Reg | number,
  rm: RegMem,
  imm: readonly number[] = NO_BYTES,
): Code {
  const wide = size === 1 ? opcode : [...opcode.slice(0, -1), opcode.at(-1)! | 1];
  return unsized(size, wide, reg, rm, imm);
}

/** The same for opcodes without a width bit: only the 66 prefix and REX.W tell the size. */
export function unsized(
  size: Size,
  opcode: readonly number[],
  reg: Reg | number,
  rm: RegMem,
  imm: readonly number[] = NO_BYTES,
): Code {
  return modRm({ prefix: size === 2 ? 0x66 : undefined, w: size === 8, opcode, reg, rm, imm });
}

/** An instruction with the register in the low three bits of its opcode byte. */
export function plusReg(
  w: boolean,
  opcode: readonly number[],
  reg: Reg,
  imm: readonly number[] = NO_BYTES,
): Code {
  const rex = (w ? 8 : 0) | (reg.num >> 3);
  const head = rex !== 0 || isRexByte(reg) ? [0x40 | rex] : [];
  return fixed(...head, ...opcode.slice(0, -1), opcode.at(-1)! | (reg.num & 7), ...imm);
}

/** Puts a prefix byte in front of an instruction. */
export function prefixed(prefix: number, code: Code): Code {
  const fixup = code.fixup === null ? null : { ...code.fixup, at: code.fixup.at + 1 };
  return { bytes: [prefix, ...code.bytes], fixup };
}
