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
import { AUX_SIZE_MAX, type AuxInfo, auxEntries, putAuxv } from './auxv.ts';

const PLATFORM = 'x86_64';
const RANDOM_BYTES = 16;
const POINTER = 8;

export interface StackImage {
  /** Bytes from `sp` up to the stack's top. */
  readonly bytes: Uint8Array;
  readonly sp: number;
  readonly argStart: number;
  readonly argEnd: number;
  readonly envStart: number;
  readonly envEnd: number;
  /** The auxiliary vector as in memory, AT_NULL included: /proc/PID/auxv. */
  readonly auxv: Uint8Array;
}

/** Lays out the stack below `top` (page-aligned). `randomize`: a random gap below the strings. */
export function buildStack(
  top: number,
  execfn: string,
  argv: readonly string[],
  envp: readonly string[],
  aux: AuxInfo,
  randomize: boolean,
): StackImage {
  let strings = POINTER + execfn.length + 1;
  for (const s of argv) strings += s.length + 1;
  for (const s of envp) strings += s.length + 1;
  const pointers = (1 + argv.length + 1 + envp.length + 1) * POINTER;
  const bytes = new Uint8Array(strings + 8192 + 64 + AUX_SIZE_MAX + pointers + 64);
  const view = new DataView(bytes.buffer);
  // Address of bytes[0].
  const low = top - bytes.length;

  let at = bytes.length - POINTER - execfn.length - 1;
  const execfnAt = low + at;
  bytes.set(stringToBytes(execfn), at);
  const envEnd = execfnAt;
  for (const s of envp) at -= s.length + 1;
  const envAt = at;
  for (const s of argv) at -= s.length + 1;
  const argAt = at;
  at = alignDown(at + low, 16) - low;
  if (randomize) at -= randomBits(13) & ~15;
  at -= PLATFORM.length + 1;
  const platform = low + at;
  bytes.set(stringToBytes(PLATFORM), at);
  at -= RANDOM_BYTES;
  const random = low + at;
  randomFill(bytes.subarray(at, at + RANDOM_BYTES));

  const entries = auxEntries(aux, random, execfnAt, platform);
  const auxSize = (entries.length + 1) * 2 * POINTER;
  const sp = alignDown(low + at - auxSize - pointers, 16);
  const start = sp - low;
  let slot = start;
  put(view, slot, argv.length);
  slot += POINTER;
  slot = putStrings(bytes, view, slot, argv, argAt, low);
  slot = putStrings(bytes, view, slot, envp, envAt, low);
  putAuxv(view, slot, entries);
  return {
    bytes: bytes.subarray(start),
    sp,
    argStart: low + argAt,
    argEnd: low + envAt,
    envStart: low + envAt,
    envEnd,
    auxv: bytes.slice(slot, slot + auxSize),
  };
}

/** Writes strings from offset `at` on and their pointers plus NULL from `slot` on; the slot after NULL. */
function putStrings(
  bytes: Uint8Array,
  view: DataView,
  slot: number,
  strings: readonly string[],
  at: number,
  low: number,
): number {
  const buffer = Buffer.from(bytes.buffer);
  let next = at;
  let cell = slot;
  for (const s of strings) {
    put(view, cell, low + next);
    cell += POINTER;
    // Encodes in place: no intermediate copy of large environments.
    buffer.write(s, next, s.length, 'latin1');
    next += s.length + 1;
  }
  put(view, cell, 0);
  return cell + POINTER;
}

function alignDown(addr: number, unit: number): number {
  return addr - (addr % unit);
}

function put(view: DataView, at: number, v: number): void {
  view.setUint32(at, v, true);
  view.setUint32(at + 4, Math.floor(v / 0x1_0000_0000), true);
}
