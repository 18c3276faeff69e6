// Guest registers in the layout of struct user_regs_struct (27 u64), read as two 32-bit halves: no BigInt anywhere.
//
//   0 r15  1 r14  2 r13  3 r12  4 rbp  5 rbx  6 r11  7 r10  8 r9  9 r8  10 rax  11 rcx  12 rdx  13 rsi  14 rdi
//   15 orig_rax  16 rip  17 cs  18 eflags  19 rsp  20 ss  21 fs_base  22 gs_base  23 ds  24 es  25 fs  26 gs

export const R15 = 0;
export const R14 = 1;
export const R13 = 2;
export const R12 = 3;
export const RBP = 4;
export const RBX = 5;
export const R11 = 6;
export const R10 = 7;
export const R9 = 8;
export const R8 = 9;
export const RAX = 10;
export const RCX = 11;
export const RDX = 12;
export const RSI = 13;
export const RDI = 14;
export const ORIG_RAX = 15;
export const RIP = 16;
export const CS = 17;
export const EFLAGS = 18;
export const RSP = 19;
export const SS = 20;
export const FS_BASE = 21;
export const GS_BASE = 22;
export const DS = 23;
export const ES = 24;
export const FS = 25;
export const GS = 26;
/** The code segments that Linux gives to user space: 64-bit, and 32-bit (which needs no kernel support to run). */
export const USER_CS = 0x33;
export const USER32_CS = 0x23;
export const REG_COUNT = 27;
export const REGS_SIZE = REG_COUNT * 8;

const TWO32 = 0x1_0000_0000;

/** Registers that are there from the start of a system call: its number, arguments and result. */
const OF_CALLS: number =
  (1 << RAX) | (1 << ORIG_RAX) | (1 << RDI) | (1 << RSI) | (1 << RDX) | (1 << R10) | (1 << R8) | (1 << R9);

/** Has the registers that a call did not bring along. */
export interface RegsSource {
  /** Sets every register but those of calls. */
  fillRegs(regs: Regs): void;
}

/**
 * A platform may bring only the registers of a system call, since most calls need no more; the others come when somebody
 * asks for one. `changed` then tells whether more than rax has to go back.
 */
export class Regs {
  /** Halves of the registers, as far as they are there: words[2 * r] is the low word of register r. For platforms. */
  readonly words: Int32Array;
  private readonly unsigned: Uint32Array;
  /** Who has the missing registers; null when none is missing. */
  source: RegsSource | null = null;
  /** A register other than rax was, or may have been, written since the platform set `source`. */
  changed = false;

  constructor(buffer: ArrayBuffer, byteOffset: number) {
    this.unsigned = new Uint32Array(buffer, byteOffset, REG_COUNT * 2);
    this.words = new Int32Array(buffer, byteOffset, REG_COUNT * 2);
  }

  /** All registers, to read or write: u32[2 * r] is the low word of register r. */
  get u32(): Uint32Array {
    this.fill();
    this.changed = true;
    return this.unsigned;
  }

  /** Fetches what is missing. */
  fill(): void {
    const { source } = this;
    if (source === null) return;
    this.source = null;
    source.fillRegs(this);
  }

  private need(r: number): void {
    if (this.source !== null && ((OF_CALLS >>> r) & 1) === 0) this.fill();
  }

  /** The register as a signed 64-bit value; exact within +-2^53, rounded beyond. */
  get(r: number): number {
    this.need(r);
    return this.words[2 * r + 1]! * TWO32 + this.unsigned[2 * r]!;
  }

  /** The low word, signed: how Linux reads an int argument. */
  int(r: number): number {
    this.need(r);
    return this.words[2 * r]!;
  }

  /** The high word, signed. */
  high(r: number): number {
    this.need(r);
    return this.words[2 * r + 1]!;
  }

  /** Sets the register to a signed or unsigned integer within +-2^53. */
  set(r: number, v: number): void {
    this.setWords(r, v | 0, Math.floor(v / TWO32) | 0);
  }

  /** Sets both halves: for values that a number cannot hold. */
  setWords(r: number, lo: number, hi: number): void {
    if (r !== RAX) {
      this.need(r);
      this.changed = true;
    }
    this.words[2 * r] = lo | 0;
    this.words[2 * r + 1] = hi | 0;
  }

  copyFrom(o: Regs): void {
    o.fill();
    this.u32.set(o.unsigned);
  }
}
