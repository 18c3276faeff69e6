/** Operand sizes in bytes. */
export type Size = 1 | 2 | 4 | 8;

/** A general-purpose register seen at one width. */
export interface Reg {
  readonly kind: 'reg';
  readonly num: number;
  readonly size: Size;
  readonly name: string;
}

/** An SSE register. */
export interface Xmm {
  readonly kind: 'xmm';
  readonly num: number;
  readonly name: string;
}

/** An immediate; the encoder picks the shortest field that holds it unless a form says otherwise. */
export interface Imm {
  readonly kind: 'imm';
  readonly value: bigint;
}

export type Scale = 1 | 2 | 4 | 8;
export type SegmentOverride = 'fs' | 'gs';

/**
 * A memory operand: `segment:[base + index*scale + disp]`, or `[rip -> label + disp]` when `label` is set.
 * `size` is 0 when the other operand decides the width.
 */
export interface Mem {
  readonly kind: 'mem';
  readonly base: Reg | null;
  readonly index: Reg | null;
  readonly scale: Scale;
  readonly disp: number;
  readonly label: string | null;
  readonly segment: SegmentOverride | null;
  readonly size: Size | 0;
}

export type RegMem = Reg | Mem;

const LEGACY = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'] as const;
const BYTE = ['al', 'cl', 'dl', 'bl', 'spl', 'bpl', 'sil', 'dil'] as const;

function nameOf(num: number, size: Size): string {
  if (num >= 8) return `r${num}${{ 1: 'b', 2: 'w', 4: 'd', 8: '' }[size]}`;
  if (size === 1) return BYTE[num]!;
  return { 2: '', 4: 'e', 8: 'r' }[size] + LEGACY[num]!;
}

function bank(size: Size): readonly Reg[] {
  return Array.from({ length: 16 }, (_, num) => ({
    kind: 'reg' as const,
    num,
    size,
    name: nameOf(num, size),
  }));
}

/** All sixteen registers of one width, indexed by their number in the encoding. */
export const GPR64: readonly Reg[] = bank(8);
export const GPR32: readonly Reg[] = bank(4);
export const GPR16: readonly Reg[] = bank(2);
export const GPR8: readonly Reg[] = bank(1);
export const XMM: readonly Xmm[] = Array.from({ length: 16 }, (_, num) => ({
  kind: 'xmm' as const,
  num,
  name: `xmm${num}`,
}));

type Sixteen<T> = [T, T, T, T, T, T, T, T, T, T, T, T, T, T, T, T];

export const [RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15] =
  GPR64 as Sixteen<Reg>;
export const [EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI, R8D, R9D, R10D, R11D, R12D, R13D, R14D, R15D] =
  GPR32 as Sixteen<Reg>;
export const [AX, CX, DX, BX, SP, BP, SI, DI, R8W, R9W, R10W, R11W, R12W, R13W, R14W, R15W] =
  GPR16 as Sixteen<Reg>;
export const [AL, CL, DL, BL, SPL, BPL, SIL, DIL, R8B, R9B, R10B, R11B, R12B, R13B, R14B, R15B] =
  GPR8 as Sixteen<Reg>;
export const [
  XMM0,
  XMM1,
  XMM2,
  XMM3,
  XMM4,
  XMM5,
  XMM6,
  XMM7,
  XMM8,
  XMM9,
  XMM10,
  XMM11,
  XMM12,
  XMM13,
  XMM14,
  XMM15,
] = XMM as Sixteen<Xmm>;

/** The same register seen at another width: `resize(RAX, 4)` is `EAX`. */
export function resize(reg: Reg, size: Size): Reg {
  return { 1: GPR8, 2: GPR16, 4: GPR32, 8: GPR64 }[size][reg.num]!;
}

export function imm(value: number | bigint): Imm {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new RangeError(`immediate ${value} is not an exact integer: pass a bigint`);
  }
  return { kind: 'imm', value: BigInt(value) };
}

/** `[base + index*scale + disp]`; without base and index, the absolute address `disp`. */
export function mem(base: Reg | null, disp = 0, index: Reg | null = null, scale: Scale = 1): Mem {
  if (base !== null && base.size !== 8) throw new TypeError(`${base.name} cannot be a base: 64-bit only`);
  if (index !== null && index.size !== 8)
    throw new TypeError(`${index.name} cannot be an index: 64-bit only`);
  // SIB.index = 100 without REX.X means "no index", so rsp has no encoding there.
  if (index !== null && index.num === 4) throw new TypeError('rsp cannot be an index');
  if (!Number.isInteger(disp) || disp < -0x8000_0000 || disp > 0x7fff_ffff) {
    throw new RangeError(`displacement ${disp} does not fit in 32 signed bits`);
  }
  return { kind: 'mem', base, index, scale, disp, label: null, segment: null, size: 0 };
}

/** The absolute address `disp` (sign-extended 32 bits), mostly for `fs(abs(n))` and `gs(abs(n))`. */
export function abs(disp: number): Mem {
  return mem(null, disp);
}

/** `[rip -> label + addend]`. */
export function rip(label: string, addend = 0): Mem {
  return { ...mem(null, addend), label };
}

export function fs(operand: Mem): Mem {
  return { ...operand, segment: 'fs' };
}

export function gs(operand: Mem): Mem {
  return { ...operand, segment: 'gs' };
}

/** Width of a memory operand, needed where no register operand implies it (`inc(dword(mem(RAX)))`). */
export function byte(operand: Mem): Mem {
  return { ...operand, size: 1 };
}

export function word(operand: Mem): Mem {
  return { ...operand, size: 2 };
}

export function dword(operand: Mem): Mem {
  return { ...operand, size: 4 };
}

export function qword(operand: Mem): Mem {
  return { ...operand, size: 8 };
}
