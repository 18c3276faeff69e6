// How one system call instruction can be rewritten, within its page. Two shapes, the better one first:
//
//   mov       b8 nr 0f 05            ff 24 25 disp32               jmp *table(n), see sites.ts
//             48 c7 c0 nr 0f 05      ff 24 25 disp32 0f 05         the call itself stays, for who jumps there
//   padding   0f 05 ... ret; nops    eb rel8 ... ret; ff 24 25 disp32; 90 ...
//
// With padding every address at which an instruction began still begins one that does the same: a thread that was about
// to make the call, one that restarts it by setting its address back by two, and a jump from elsewhere find a short jump
// of the same two bytes; a return from the trapped call finds what was always there. The number is what rax holds then.
//
// That nobody runs the padding must be certain, since a wrong guess breaks the program. The code is followed forward from
// the instruction after the call, which is one because the call returns there; only forward, because x86 code cannot be
// read backward. What fills the space after a jump or return up to an aligned address is dead: assemblers put labels
// after it. It is alive where some jump of the page leads into it, and from an aligned address on at which a nop begins:
// functions are aligned, and one may begin with room for a tracer's call.
//
// What follows a patched call is as alive as what follows a system call: our own jumps end nothing.
//
// A thread stopped in the padding, between the two jumps, has an address that no unwinder expects: the platform has to
// show the call's instead, which means the same.

import { SYS_rt_sigreturn } from '../../../abi/syscall.ts';
import { instructionLength } from '../../../asm/length.ts';
import { PATCH_TABLE_ADDR, PATCH_TABLE_SIZE } from '../platform.ts';

const PAGE = 4096;
const ALIGNED = 16;
/** Bytes of `jmp *[disp32]`, and of `syscall` and the short jump. */
const JUMP = 7;
const CALL = 2;
/** Bytes of `mov $nr,%eax`. */
const MOV = 5;
/** How far a short jump reaches from its end. */
const REACH = 127;
const NOP = 0x90;
const INT3 = 0xcc;
const PREFIXES: readonly number[] = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3];
/** imul, arithmetic, mov and test with memory and an immediate of 32 bits. */
const IMMEDIATE: readonly number[] = [0x69, 0x81, 0xc7, 0xf7];
/** Far returns and jumps, and what only a kernel runs: rather data than code. */
const STOPS: readonly number[] = [
  0xca, 0xcb, 0xcf, 0xe4, 0xe5, 0xe6, 0xe7, 0xec, 0xed, 0xee, 0xef, 0xfa, 0xfb,
];

export interface Plan {
  readonly shape: 'mov' | 'padding';
  /** Where `jmp *[disp32]` goes. */
  readonly jumpAt: number;
  /** The bytes that change are among [start, end) of the page. */
  readonly start: number;
  readonly end: number;
}

const KNOWN = 1;
const VISITED = 2;

/** By page offset: an instruction is known to begin there. */
const begins = new Uint8Array(PAGE + 1);

/** How to patch the call at `at` of `page`, which trapped with number `nr`; null when it has to go on trapping. */
export function planPatch(page: Uint8Array, at: number, nr: number): Plan | null {
  if (at < 0 || at + CALL > PAGE || page[at] !== 0x0f || page[at + 1] !== 0x05) return null;
  if (isMov(page, at, nr)) return { shape: 'mov', jumpAt: at - MOV, start: at - MOV, end: at + CALL };
  if (isMov64(page, at, nr)) return { shape: 'mov', jumpAt: at - JUMP, start: at - JUMP, end: at };
  // It never comes back here: what follows need not be code.
  if (nr === SYS_rt_sigreturn) return null;
  for (const end of follow(page, at + CALL)) {
    const jumpAt = paddingAt(page, end, at + CALL + REACH + JUMP);
    if (jumpAt >= 0) return { shape: 'padding', jumpAt, start: at, end: paddingEnd(page, end) };
  }
  return null;
}

/** What [plan.start, plan.end) becomes: `operand` is the address of the word that the jump reads. */
export function patchedBytes(page: Uint8Array, at: number, plan: Plan, operand: number): Uint8Array {
  const out = page.slice(plan.start, plan.end);
  const jump = plan.jumpAt - plan.start;
  if (plan.shape === 'padding') {
    out[0] = 0xeb;
    out[1] = plan.jumpAt - (at + CALL);
    out.fill(NOP, jump + JUMP);
  }
  out.set([0xff, 0x24, 0x25, operand, operand >> 8, operand >> 16, operand >> 24], jump);
  return out;
}

/** The bytes before the call are `mov $nr,%eax` and nothing else. */
function isMov(page: Uint8Array, at: number, nr: number): boolean {
  const mov = at - MOV;
  if (mov < 0 || page[mov] !== 0xb8 || i32(page, mov + 1) !== nr) return false;
  if (mov > 0 && (page[mov - 1]! & 0xf1) === 0x41) return false; // REX.B: another register
  // b8 may be the displacement of an instruction with an immediate.
  for (let start = Math.max(0, mov - 3); start < mov - 1; start++)
    if (IMMEDIATE.includes(page[start]!) && instructionLength(page, start, at) === at - start) return false;
  return true;
}

/** The bytes before the call are `mov $nr,%rax`, as written by hand: as long as our jump. */
function isMov64(page: Uint8Array, at: number, nr: number): boolean {
  const mov = at - JUMP;
  if (mov < 0 || nr < 0 || i32(page, mov + 3) !== nr) return false;
  return page[mov] === 0x48 && page[mov + 1] === 0xc7 && page[mov + 2] === 0xc0;
}

/** Marks in `begins` what can run after `from`, and returns the ends of jumps and returns in it, in order. */
function follow(page: Uint8Array, from: number): number[] {
  const ends: number[] = [];
  const limit = Math.min(PAGE, from + REACH + 1);
  begins.fill(0);
  begins[from] = KNOWN;
  for (let p = from; p < limit; p++) {
    if (begins[p] !== KNOWN) continue;
    begins[p] = VISITED;
    const next = p + instructionLength(page, p, PAGE);
    if (next === p) continue;
    let goesOn = true;
    let target = -1;
    const o = opcodeAt(page, p);
    const b = page[o]!;
    if (isOurs(page, p)) {
      // The call that was here comes back.
    } else if (b === 0xc2 || b === 0xc3 || b === 0xf4 || (b === 0x0f && page[o + 1] === 0x0b)) {
      goesOn = false; // ret, hlt, ud2
    } else if (b === 0xff && ((page[o + 1]! >> 3) & 7) === 4) {
      goesOn = false;
    } else if (b === 0xeb || b === 0xe9) {
      goesOn = false;
      target = next + (b === 0xeb ? i8(page, next - 1) : i32(page, next - 4));
    } else if (b >> 4 === 7 || (b & 0xfc) === 0xe0) {
      target = next + i8(page, next - 1);
    } else if (b === 0x0f && page[o + 1]! >> 4 === 8) {
      target = next + i32(page, next - 4);
    } else if (STOPS.includes(b)) {
      continue;
    }
    if (goesOn) begins[next] ||= KNOWN;
    else {
      ends.push(next);
      begins[nopsEnd(page, next)] ||= KNOWN;
    }
    if (target >= from && target < limit && begins[target] === 0) {
      begins[target] = KNOWN;
      if (target < p) p = target - 1;
    }
  }
  return ends.sort((a, b) => a - b);
}

/** Where a jump of ours can go after `end`, the end of a jump or return; -1 when nowhere. */
function paddingAt(page: Uint8Array, end: number, limit: number): number {
  const to = paddingEnd(page, end);
  let at = end;
  while (isTableJump(page, at)) at += JUMP;
  if (to - at < JUMP || at + JUMP > limit) return -1;
  for (let p = at; p < to; p += nopLength(page, p)) if (begins[p] !== 0 || reached(page, p)) return -1;
  return at;
}

/** End of the dead bytes after `end`: jumps of ours and nops, up to the first aligned address; -1 when there are none. */
function paddingEnd(page: Uint8Array, end: number): number {
  let p = end;
  while (p % ALIGNED !== 0) {
    const n = isTableJump(page, p) ? JUMP : nopLength(page, p);
    if (n === 0) return -1;
    p += n;
  }
  return p > end ? p : -1;
}

function nopsEnd(page: Uint8Array, from: number): number {
  let p = from;
  for (let n = JUMP; n > 0; p += n) n = isTableJump(page, p) ? JUMP : nopLength(page, p);
  return p;
}

/** Bytes of the nop or int3 at `p`; 0 when it is none. */
function nopLength(page: Uint8Array, p: number): number {
  if (page[p] === INT3) return 1;
  let o = p;
  while (page[o] === 0x66 || page[o] === 0x2e) o++;
  const long = page[o] === 0x0f && page[o + 1] === 0x1f && (page[o + 2]! & 0x38) === 0;
  return long || page[o] === NOP ? instructionLength(page, p, PAGE) : 0;
}

/** Some bytes of the page, taken as a jump, a call or a lea, lead to `to`. */
function reached(page: Uint8Array, to: number): boolean {
  for (let next = Math.max(2, to - REACH); next <= Math.min(PAGE, to + REACH + 1); next++) {
    const op = page[next - 2]!;
    const short = op >> 4 === 7 || op === 0xeb || (op & 0xfc) === 0xe0;
    if (short && next + i8(page, next - 1) === to) return true;
  }
  for (let next = 5; next <= PAGE; next++) {
    if (next + i32(page, next - 4) !== to) continue;
    const last = page[next - 5]!;
    if ((last & 0xfe) === 0xe8) return true;
    if (next === 5) continue;
    const first = page[next - 6]!;
    if ((first === 0x0f && last >> 4 === 8) || (first === 0x8d && (last & 0xc7) === 5)) return true;
  }
  return false;
}

/** A patched call, or the jump in padding that belongs to one. */
function isOurs(page: Uint8Array, p: number): boolean {
  if (page[p] === 0xeb && p + CALL <= PAGE) return isTableJump(page, p + CALL + i8(page, p + 1));
  return isTableJump(page, p);
}

function isTableJump(page: Uint8Array, p: number): boolean {
  if (p < 0 || p + JUMP > PAGE || page[p] !== 0xff || page[p + 1] !== 0x24 || page[p + 2] !== 0x25)
    return false;
  const word = i32(page, p + 3) - PATCH_TABLE_ADDR;
  return word >= 0 && word < PATCH_TABLE_SIZE;
}

/** Where the opcode is, behind legacy prefixes and REX. */
function opcodeAt(page: Uint8Array, p: number): number {
  let o = p;
  while (PREFIXES.includes(page[o]!)) o++;
  while (page[o]! >> 4 === 4) o++;
  return o;
}

function i8(page: Uint8Array, p: number): number {
  return (page[p]! << 24) >> 24;
}

function i32(page: Uint8Array, p: number): number {
  return page[p]! | (page[p + 1]! << 8) | (page[p + 2]! << 16) | (page[p + 3]! << 24);
}
