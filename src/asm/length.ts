// How long an instruction is, in 64-bit mode. Conservative: what the tables do not list has no length, and neither has
// what processors of different makers read differently (a near branch with a 66 prefix).
//
//   legacy prefixes, REX | VEX | EVEX    opcode    ModRM  SIB  displacement    immediate

import {
  EVEX,
  EXACT,
  FORM,
  FORM_MODRM,
  IMM_1,
  IMM_2,
  IMM_3,
  IMM_ADDRESS,
  IMM_BRANCH,
  IMM_MASK,
  IMM_TEST_1,
  IMM_TEST_Z,
  IMM_V,
  IMM_Z,
  LOCKABLE,
  VEX,
  WITH_MEMORY,
  WITH_REGISTER,
} from './length_tables.image.ts';

/** Longest instruction that there is. */
const MAX_LENGTH = 15;

/** Where in EXACT the opcode's eight bytes are; -1 when ModRM.reg says all. */
function exactAt(map: number, opcode: number): number {
  if (map === 0 && opcode >= 0xd8 && opcode <= 0xdf) return (opcode & 7) << 3;
  if (map === 0 && (opcode & 0xfe) === 0xc6) return 8 << 3;
  return map === 1 && opcode === 0x01 ? 9 << 3 : -1;
}

/** Bytes of the instruction at `at`; 0 when it is invalid, not known here, or does not end before `end`. */
export function instructionLength(code: Uint8Array, at: number, end: number): number {
  const limit = Math.min(end, code.length, at + MAX_LENGTH);
  let i = at;
  let rex = 0;
  let repeat = 0; // index of the mandatory prefix: 2 f3, 3 f2
  let operand16 = false;
  let address32 = false;
  let lock = false;
  for (; i < limit; i++) {
    const b = code[i]!;
    if (b >> 4 === 4) {
      rex = b;
      continue;
    }
    if (b === 0x66) operand16 = true;
    else if (b === 0x67) address32 = true;
    else if (b === 0xf0) lock = true;
    else if (b === 0xf2) repeat = 3;
    else if (b === 0xf3) repeat = 2;
    else if ((b & 0xe7) !== 0x26 && b !== 0x64 && b !== 0x65) break;
    rex = 0; // counts only just before the opcode
  }
  if (i >= limit) return 0;
  let prefix = repeat !== 0 ? repeat : operand16 ? 1 : 0;
  let map = 0;
  let opcode = code[i++]!;
  if (opcode === 0x0f) {
    if (i >= limit) return 0;
    map = 1;
    opcode = code[i++]!;
    if (opcode === 0x38 || opcode === 0x3a) {
      if (i >= limit) return 0;
      map = opcode === 0x38 ? 2 : 3;
      opcode = code[i++]!;
    }
  } else if (opcode === 0xc4 || opcode === 0xc5 || opcode === 0x62) {
    const bytes = opcode === 0xc5 ? 1 : opcode === 0xc4 ? 2 : 3;
    if (rex !== 0 || prefix !== 0 || lock || i + bytes >= limit) return 0;
    const first = code[i]!;
    if (opcode === 0xc5) {
      map = VEX + 1;
      prefix = first & 3;
    } else if (opcode === 0xc4) {
      map = VEX + (first & 31);
      prefix = code[i + 1]! & 3;
      if (map > VEX + 3) return 0;
    } else {
      map = EVEX + (first & 7);
      prefix = code[i + 1]! & 3;
      if ((first & 8) !== 0 || (code[i + 1]! & 4) === 0 || map > EVEX + 6) return 0;
    }
    i += bytes;
    opcode = code[i++]!;
  }
  const form = FORM[(map << 8) | opcode]!;
  const key = (map << 10) | (prefix << 8) | opcode;
  let reg = 0;
  if ((form & FORM_MODRM) === 0) {
    if (WITH_MEMORY[key] === 0 || lock) return 0;
  } else {
    if (i >= limit) return 0;
    const modrm = code[i++]!;
    const mod = modrm >> 6;
    const rm = modrm & 7;
    reg = (modrm >> 3) & 7;
    if ((((mod === 3 ? WITH_REGISTER[key]! : WITH_MEMORY[key]!) >> reg) & 1) === 0) return 0;
    if (lock && (mod === 3 || map > 1 || ((LOCKABLE[(map << 8) | opcode]! >> reg) & 1) === 0)) return 0;
    if (mod === 3) {
      const exact = exactAt(map, opcode);
      if (exact >= 0 && ((EXACT[exact + reg]! >> rm) & 1) === 0) return 0;
    } else {
      let base = rm;
      if (rm === 4) {
        if (i >= limit) return 0;
        base = code[i++]! & 7;
      }
      i += mod === 1 ? 1 : mod === 2 || base === 5 ? 4 : 0;
    }
  }
  const wide = (rex & 8) !== 0;
  const z = operand16 && !wide ? 2 : 4;
  switch (form & IMM_MASK) {
    case IMM_1:
      i += 1;
      break;
    case IMM_2:
      i += 2;
      break;
    case IMM_3:
      i += 3;
      break;
    case IMM_Z:
      i += z;
      break;
    case IMM_V:
      i += wide ? 8 : z;
      break;
    case IMM_ADDRESS:
      i += address32 ? 4 : 8;
      break;
    case IMM_BRANCH:
      if (z === 2) return 0;
      i += 4;
      break;
    case IMM_TEST_1:
      if (reg < 2) i += 1;
      break;
    case IMM_TEST_Z:
      if (reg < 2) i += z;
      break;
  }
  return i <= limit ? i - at : 0;
}
