import { CONDITIONS, type Condition } from './conditions.ts';
import { type Code, type Fixup, le } from './encode.ts';
import * as instructions from './instructions.ts';
import type { Reg, RegMem, Size } from './operands.ts';

export interface AssemblerOptions {
  /** Address at which the first byte will run. A bigint reaches the upper half of the address space. */
  readonly base?: number | bigint;
}

/** Machine code as plain data: what is left of an Assembler when it is done. Labels are offsets from the first byte. */
export interface MachineCode {
  readonly bytes: Uint8Array;
  readonly labels: Readonly<Record<string, number>>;
}

type Instructions = typeof instructions;
type Emitters = {
  readonly [K in keyof Instructions]: (...operands: Parameters<Instructions[K]>) => Assembler;
};
type Jumps = { readonly [C in Condition as `j${C}` | `j${C}Short`]: (label: string) => Assembler };
type Sets = { readonly [C in Condition as `set${C}`]: (dst: RegMem) => Assembler };
type CondMoves = { readonly [C in Condition as `cmov${C}`]: (dst: Reg, src: RegMem) => Assembler };

interface PendingFixup {
  readonly fixup: Fixup;
  /** Offset of the instruction, and of the byte after it, from which relative fields count. */
  readonly start: number;
  readonly end: number;
}

/**
 * Collects code and data, and resolves labels in `finish`. Every encoder of instructions.ts is a method of the same
 * name, and every condition has `jne(label)`, `jneShort(label)`, `setne(dst)` and `cmovne(dst, src)`.
 * All methods that emit return the assembler.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the loops below the class define every merged method
export class Assembler {
  readonly base: bigint;
  private buffer = new Uint8Array(1024);
  private length = 0;
  private readonly fixups: PendingFixup[] = [];
  private readonly labels = new Map<string, bigint>();
  private unnamed = 0;

  constructor(options: AssemblerOptions = {}) {
    this.base = BigInt(options.base ?? 0);
  }

  /** Bytes emitted so far. */
  get size(): number {
    return this.length;
  }

  emit(code: Code): this {
    const start = this.length;
    this.bytes(code.bytes);
    if (code.fixup !== null) this.fixups.push({ fixup: code.fixup, start, end: this.length });
    return this;
  }

  /** Names the current position. */
  label(name: string): this {
    return this.define(name, this.base + BigInt(this.length));
  }

  /** Names an address outside the code that is being assembled. */
  external(name: string, address: number | bigint): this {
    return this.define(name, BigInt(address));
  }

  /** A label name not used before, for code that is emitted more than once. */
  unique(hint: string): string {
    return `${hint}#${this.unnamed++}`;
  }

  bytes(data: ArrayLike<number>): this {
    const at = this.length;
    this.length += data.length;
    if (this.length > this.buffer.length) {
      const larger = new Uint8Array(Math.max(this.length, 2 * this.buffer.length));
      larger.set(this.buffer);
      this.buffer = larger;
    }
    this.buffer.set(data, at);
    return this;
  }

  u8(value: number): this {
    return this.integer(value, 1);
  }

  u16(value: number): this {
    return this.integer(value, 2);
  }

  u32(value: number): this {
    return this.integer(value, 4);
  }

  u64(value: number | bigint): this {
    return this.integer(value, 8);
  }

  /** The absolute address of a label as eight bytes of data. */
  u64Label(label: string, addend = 0): this {
    return this.emit({ bytes: le(0, 8), fixup: { at: 0, kind: 'abs64', label, addend } });
  }

  /** UTF-8 without a terminator. */
  text(value: string): this {
    return this.bytes(new TextEncoder().encode(value));
  }

  zeros(count: number): this {
    return this.bytes(new Uint8Array(count));
  }

  /** Advances to a multiple of `boundary` bytes from address 0, with nops or with `fill`. */
  align(boundary: number, fill: number | null = null): this {
    const misaligned = Number((this.base + BigInt(this.length)) % BigInt(boundary));
    const count = misaligned === 0 ? 0 : boundary - misaligned;
    return fill === null ? this.emit(instructions.nop(count)) : this.bytes(new Uint8Array(count).fill(fill));
  }

  hasLabel(name: string): boolean {
    return this.labels.has(name);
  }

  /** Offset of a label from the first byte. */
  offsetOf(label: string): number {
    return Number(this.addressOf64(label) - this.base);
  }

  addressOf(label: string): number {
    const address = Number(this.addressOf64(label));
    if (!Number.isSafeInteger(address))
      throw new RangeError(`address of ${label} is not exact: use addressOf64`);
    return address;
  }

  addressOf64(label: string): bigint {
    const address = this.labels.get(label);
    if (address === undefined) throw new Error(`undefined label ${label}`);
    return address;
  }

  /** The bytes with every label resolved. More code may follow, and `finish` be called again. */
  finish(): Uint8Array {
    const out = this.buffer.slice(0, this.length);
    for (const pending of this.fixups) {
      out.set(this.resolve(pending), pending.start + pending.fixup.at);
    }
    return out;
  }

  /** finish() and where its labels are. */
  image(): MachineCode {
    const labels: Record<string, number> = {};
    for (const name of this.labels.keys()) labels[name] = this.offsetOf(name);
    return { bytes: this.finish(), labels };
  }

  private define(name: string, address: bigint): this {
    if (this.labels.has(name)) throw new Error(`label ${name} is defined twice`);
    this.labels.set(name, address);
    return this;
  }

  private integer(value: number | bigint, width: Size): this {
    const bits = width * 8;
    const wide = BigInt(value);
    if (BigInt.asIntN(bits, wide) !== wide && BigInt.asUintN(bits, wide) !== wide) {
      throw new RangeError(`${value} does not fit in ${bits} bits`);
    }
    return this.bytes(le(wide, width));
  }

  private resolve({ fixup, end }: PendingFixup): number[] {
    const target = this.addressOf64(fixup.label) + BigInt(fixup.addend);
    if (fixup.kind === 'abs64') return le(target, 8);
    const distance = target - (this.base + BigInt(end));
    const width = fixup.kind === 'rel8' ? 1 : 4;
    if (BigInt.asIntN(width * 8, distance) !== distance) {
      throw new RangeError(`${fixup.label} is ${distance} bytes away: out of reach of ${fixup.kind}`);
    }
    return le(distance, width);
  }
}

export interface Assembler extends Emitters, Jumps, Sets, CondMoves {}

function defineEmitter(name: string, encode: (...operands: never[]) => Code): void {
  Object.defineProperty(Assembler.prototype, name, {
    value(this: Assembler, ...operands: never[]): Assembler {
      return this.emit(encode(...operands));
    },
  });
}

for (const [name, encode] of Object.entries(instructions)) defineEmitter(name, encode);

for (const condition of Object.keys(CONDITIONS) as Condition[]) {
  defineEmitter(`j${condition}`, (label: string) => instructions.jcc(condition, label));
  defineEmitter(`j${condition}Short`, (label: string) => instructions.jccShort(condition, label));
  defineEmitter(`set${condition}`, (dst: RegMem) => instructions.setcc(condition, dst));
  defineEmitter(`cmov${condition}`, (dst: Reg, src: RegMem) => instructions.cmovcc(condition, dst, src));
}
