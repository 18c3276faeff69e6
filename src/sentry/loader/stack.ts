// The stack of a fresh program, as Linux lays it out (fs/exec.c, fs/binfmt_elf.c):
//
//   top - 8      NULL
//                file name (AT_EXECFN)
//                environment strings, in order
//   env_start    ...
//                argument strings, in order
//   arg_start    ... (then a random gap of up to 8 KiB)
//                "x86_64" (AT_PLATFORM), 16 random bytes (AT_RANDOM)
//   aligned 16   auxv ... AT_NULL
//                envp pointers, NULL
//                argv pointers, NULL
//   sp           argc

import { randomBits, randomFill } from '../../host/random.ts';
import { stringToBytes } from '../base/bytes.ts';
import { PAGE_SIZE, pageDown } from '../base/page.ts';
import type { ArgStrings } from '../kernel/task/arg_strings.ts';
import { AUX_SIZE_MAX, type AuxInfo, auxEntries, putAuxv } from './auxv.ts';

const PLATFORM = 'x86_64';
const RANDOM_BYTES = 16;
const POINTER = 8;
/** Pointers written at a time. */
const CHUNK = 512;

/** Where a stack is written: guest memory. */
export interface StackMemory {
  /** 0 or -EFAULT. */
  copyOutExact(addr: number, src: Uint8Array, off: number, len: number): number;
}

const chunk = new Uint8Array(CHUNK * POINTER);
const chunkView = new DataView(chunk.buffer);

/** The layout of a stack, and what has been written of it: megabytes of arguments take several steps. */
export class StackImage {
  readonly sp: number;
  readonly argStart: number;
  readonly argEnd: number;
  readonly envStart: number;
  readonly envEnd: number;
  /** The auxiliary vector as in memory, AT_NULL included: /proc/PID/auxv. */
  readonly auxv: Uint8Array;
  /** What lies above the strings, and below them down to the vectors. */
  private readonly tail: Uint8Array;
  private readonly middle: Uint8Array;
  private readonly middleAt: number;
  private readonly strings: readonly ArgStrings[];
  /** Which of the arrays is being written, bytes of its strings and pointers of it that are, and where the next goes. */
  private array = 0;
  private bytesDone = 0;
  private pointersDone = 0;
  private slotAt: number;
  private stringAt: number;

  /** Lays out the stack below `top` (page-aligned). `randomize`: a random gap below the strings. */
  constructor(
    top: number,
    execfn: string,
    argv: ArgStrings,
    envp: ArgStrings,
    aux: AuxInfo,
    randomize: boolean,
  ) {
    this.strings = [argv, envp];
    this.tail = new Uint8Array(execfn.length + 1 + POINTER);
    this.tail.set(stringToBytes(execfn));
    this.envEnd = top - this.tail.length;
    this.envStart = this.envEnd - envp.size;
    this.argEnd = this.envStart;
    this.argStart = this.argEnd - argv.size;
    let at = alignDown(this.argStart, 16);
    if (randomize) at -= randomBits(13) & ~15;
    const platform = at - (PLATFORM.length + 1);
    const random = platform - RANDOM_BYTES;
    this.middleAt = random;
    this.middle = new Uint8Array(RANDOM_BYTES + PLATFORM.length + 1);
    randomFill(this.middle.subarray(0, RANDOM_BYTES));
    this.middle.set(stringToBytes(PLATFORM), RANDOM_BYTES);
    const entries = auxEntries(aux, random, this.envEnd, platform);
    const vector = new Uint8Array(AUX_SIZE_MAX);
    putAuxv(new DataView(vector.buffer), 0, entries);
    this.auxv = vector.slice(0, (entries.length + 1) * 2 * POINTER);
    const pointers = (1 + argv.count + 1 + envp.count + 1) * POINTER;
    this.sp = alignDown(random - this.auxv.length - pointers, 16);
    this.slotAt = this.sp + POINTER;
    this.stringAt = this.argStart;
  }

  /** Writes about `bytes` of it: 1 when there is more, 0 at the end, or -EFAULT. */
  write(to: StackMemory, bytes: number): number {
    let left = bytes;
    for (; this.array < 2; this.array++, this.bytesDone = 0, this.pointersDone = 0) {
      const a = this.strings[this.array]!;
      while (this.bytesDone < a.size || this.pointersDone < a.count) {
        if (left <= 0) return 1;
        const n = this.bytesDone < a.size ? this.writeStrings(to, a, left) : this.writePointers(to, a);
        if (n < 0) return n;
        left -= n;
      }
      put(chunkView, 0, 0);
      const r = to.copyOutExact(this.slotAt, chunk, 0, POINTER);
      if (r < 0) return r;
      this.slotAt += POINTER;
    }
    put(chunkView, 0, this.strings[0]!.count);
    return (
      to.copyOutExact(this.sp, chunk, 0, POINTER) ||
      to.copyOutExact(this.slotAt, this.auxv, 0, this.auxv.length) ||
      to.copyOutExact(this.middleAt, this.middle, 0, this.middle.length) ||
      to.copyOutExact(this.envEnd, this.tail, 0, this.tail.length)
    );
  }

  /** Copies up to `most` bytes of strings, to the end of a page: from there on their place is fresh. */
  private writeStrings(to: StackMemory, a: ArgStrings, most: number): number {
    const at = (this.array === 0 ? this.argStart : this.envStart) + this.bytesDone;
    const rest = a.size - this.bytesDone;
    const n = rest <= most ? rest : Math.max(pageDown(at + most), pageDown(at) + PAGE_SIZE) - at;
    const done = Math.min(rest, n);
    const r = to.copyOutExact(at, a.bytes, this.bytesDone, done);
    if (r < 0) return r;
    this.bytesDone += done;
    return done;
  }

  /** Writes a chunk of pointers. */
  private writePointers(to: StackMemory, a: ArgStrings): number {
    const n = Math.min(CHUNK, a.count - this.pointersDone);
    let at = this.stringAt;
    for (let i = 0; i < n; i++) {
      put(chunkView, i * POINTER, at);
      at += a.lengths[this.pointersDone + i]!;
    }
    const r = to.copyOutExact(this.slotAt, chunk, 0, n * POINTER);
    if (r < 0) return r;
    this.stringAt = at;
    this.pointersDone += n;
    this.slotAt += n * POINTER;
    return n * POINTER;
  }
}

function alignDown(addr: number, unit: number): number {
  return addr - (addr % unit);
}

function put(view: DataView, at: number, v: number): void {
  view.setUint32(at, v, true);
  view.setUint32(at + 4, Math.floor(v / 0x1_0000_0000), true);
}
