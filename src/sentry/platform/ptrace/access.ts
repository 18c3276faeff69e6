// What a faulting instruction tried. ptrace does not pass on the processor's error code, and a guest may look at it in
// its signal frame; so when a fault is about to become a signal, the instruction itself is asked. Only the kinds that
// store are listed; whatever is not recognised counts as a read.

import { ACCESS_READ, ACCESS_WRITE } from '../platform.ts';

/** Longest instruction that x86-64 has. */
export const MAX_INSTRUCTION = 15;

/** ModRM with a memory operand (mod != 3). */
function memoryOperand(modrm: number): boolean {
  return modrm >> 6 !== 3;
}

/** One-byte opcodes that write their r/m operand: arithmetic r/m,r; mov; shifts; inc/dec; not/neg; xchg. */
function oneByteStores(op: number, modrm: number): boolean {
  const reg = (modrm >> 3) & 7;
  if (op < 0x40 && (op & 7) < 2) return op < 0x38; // 00/01 add ... 30/31 xor; 38/39 cmp only reads
  switch (op) {
    case 0x80:
    case 0x81:
    case 0x83: // group 1; /7 is cmp
      return reg !== 7;
    case 0x86:
    case 0x87: // xchg
    case 0x88:
    case 0x89: // mov r/m, r
    case 0x8c: // mov r/m, segment
    case 0x8f: // pop r/m
    case 0xc0:
    case 0xc1:
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3: // shifts
    case 0xc6:
    case 0xc7: // mov r/m, imm
      return true;
    case 0xf6:
    case 0xf7: // group 3: not, neg
      return reg === 2 || reg === 3;
    case 0xfe: // inc, dec
      return reg < 2;
    case 0xff:
      return reg < 2;
    case 0xd9: // fst, fstp, fnstenv, fnstcw
      return reg === 2 || reg === 3 || reg >= 6;
    case 0xdb:
    case 0xdd:
    case 0xdf: // fist, fst, fstp
      return reg >= 1 && reg !== 5 ? reg <= 3 || reg >= 6 : false;
    default:
      return false;
  }
}

/** Opcodes behind 0f that write their r/m operand. */
function twoByteStores(op: number, modrm: number): boolean {
  const reg = (modrm >> 3) & 7;
  switch (op) {
    case 0x11: // movups, movss, ...
    case 0x13:
    case 0x17: // movlps, movhps
    case 0x29: // movaps
    case 0x2b: // movntps
    case 0x7e: // movd r/m
    case 0x7f: // movq, movdqa, movdqu
    case 0xa4:
    case 0xa5:
    case 0xac:
    case 0xad: // shld, shrd
    case 0xab:
    case 0xb3:
    case 0xbb: // bts, btr, btc
    case 0xb0:
    case 0xb1: // cmpxchg
    case 0xc0:
    case 0xc1: // xadd
    case 0xc3: // movnti
    case 0xd6: // movq
    case 0xe7: // movntdq
      return true;
    case 0xae: // fxsave, stmxcsr, xsave, xsaveopt
      return reg === 0 || reg === 3 || reg === 4 || reg === 6;
    case 0xba: // bts, btr, btc with an immediate
      return reg >= 5;
    case 0xc7: // cmpxchg8b/16b
      return reg === 1;
    default:
      return op >= 0x90 && op <= 0x9f; // setcc
  }
}

/**
 * ACCESS_WRITE when the instruction in `code` stores to memory, else ACCESS_READ. `atDestination` says that the fault
 * is at the address in rdi: string moves read at rsi and write there.
 */
export function accessOf(code: Uint8Array, length: number, atDestination: boolean): number {
  let i = 0;
  // Legacy prefixes, then REX.
  while (i < length && [0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65].includes(code[i]!))
    i++;
  if (i < length && (code[i]! & 0xf0) === 0x40) i++;
  if (i >= length) return ACCESS_READ;
  const op = code[i]!;
  let stores = false;
  if (op === 0xc4 || op === 0xc5 || op === 0x62) {
    // VEX and EVEX: the opcode map is in the prefix; in map 1 (0f) the stores keep their two-byte numbers.
    const map = op === 0xc5 ? 1 : code[i + 1]! & (op === 0xc4 ? 0x1f : 7);
    const at = i + (op === 0xc5 ? 2 : op === 0xc4 ? 3 : 4);
    const opcode = code[at]!;
    const moves = map === 1 && (opcode < 0x90 || opcode > 0x9f);
    stores = moves && at + 1 < length && memoryOperand(code[at + 1]!) && twoByteStores(opcode, code[at + 1]!);
  } else if (op === 0x0f) {
    stores = i + 2 < length && memoryOperand(code[i + 2]!) && twoByteStores(code[i + 1]!, code[i + 2]!);
  } else if ((op & 0xf8) === 0x50 || op === 0x68 || op === 0x6a || op === 0x9c || op === 0xe8) {
    stores = true; // push, pushf, call
  } else if (op === 0xa2 || op === 0xa3 || op === 0xaa || op === 0xab || op === 0x6c || op === 0x6d) {
    stores = true; // mov moffs, stos, ins
  } else if (op === 0xa4 || op === 0xa5) {
    stores = atDestination; // movs
  } else if (op === 0xff && i + 1 < length && [2, 3, 6].includes((code[i + 1]! >> 3) & 7)) {
    stores = !memoryOperand(code[i + 1]!); // call and push of a register; with memory the read comes first
  } else {
    stores = i + 1 < length && memoryOperand(code[i + 1]!) && oneByteStores(op, code[i + 1]!);
  }
  return stores ? ACCESS_WRITE : ACCESS_READ;
}
