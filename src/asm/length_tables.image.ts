// Which opcodes exist in 64-bit mode, and what follows them: the manual's opcode maps as tables.
//
// A row is `n digits`: opcodes n0 to nf. In a row of VALID the digit says with which mandatory prefix the opcode means
// something: 1 none, 2 66, 4 f3, 8 f2. In a row of FORMS a letter says what follows the opcode:
//
//   .  nothing                    m  ModRM                       v  as z, but 8 bytes with REX.W
//   b  1 byte                     n  ModRM, 1 byte               a  an address: 8 bytes, 4 with prefix 67
//   w  2 bytes                    k  ModRM, 2 or 4 bytes         j  4 bytes, a branch
//   z  4 bytes, 2 with prefix 66  e  3 bytes                     t  ModRM; 1 byte with /0 and /1   T  the same, as z

/** Opcode maps: legacy ones by their escape (none, 0f, 0f38, 0f3a), then VEX + and EVEX + the map's own number. */
export const VEX = 4;
export const EVEX = 8;
const MAPS = EVEX + 7;

/** A form: what the immediate is, and whether ModRM comes before it. */
export const IMM_1 = 1;
export const IMM_2 = 2;
export const IMM_3 = 3;
export const IMM_Z = 4;
export const IMM_V = 5;
export const IMM_ADDRESS = 6;
export const IMM_BRANCH = 7;
export const IMM_TEST_1 = 8;
export const IMM_TEST_Z = 9;
export const IMM_MASK = 15;
export const FORM_MODRM = 16;

const FORM_OF: Record<string, number> = {
  '.': 0,
  b: IMM_1,
  w: IMM_2,
  e: IMM_3,
  z: IMM_Z,
  v: IMM_V,
  a: IMM_ADDRESS,
  j: IMM_BRANCH,
  m: FORM_MODRM,
  n: FORM_MODRM | IMM_1,
  k: FORM_MODRM | IMM_Z,
  t: FORM_MODRM | IMM_TEST_1,
  T: FORM_MODRM | IMM_TEST_Z,
};

/** By map << 8 | opcode. */
export const FORM: Uint8Array = new Uint8Array(MAPS << 8);
/** By map << 10 | prefix << 8 | opcode: bit n is set when ModRM.reg may be n with a memory operand, with a register. */
export const WITH_MEMORY: Uint8Array = new Uint8Array(MAPS << 10);
export const WITH_REGISTER: Uint8Array = new Uint8Array(MAPS << 10);
/** By map << 8 | opcode: values of ModRM.reg with which a memory operand may be locked. */
export const LOCKABLE: Uint8Array = new Uint8Array(2 << 8);

const ALL = 0xff;

const VALID: Record<number, string> = {
  0: `0 ffffff00ffffff00  1 ffffff00ffffff00  2 ffffff00ffffff00  3 ffffff00ffffff00
      5 ffffffffffffffff  6 000f0000ffffffff  7 ffffffffffffffff  8 ff0fffffffffffff  9 ffffffffff0fffff
      a ffffffffffffffff  b ffffffffffffffff  c ffff00ffffffff0f  d ffff000fffffffff  e ffffffffff0fffff
      f 0f00ffffffffffff`,
  // Left out on purpose: control registers (20 to 23), bounds (1a, 1b), vmread, vmwrite (78, 79) and ud0 (ff).
  1: `0 11ff0f1f110f0f00  1 fff33373f000ffff  2 0000000033f1ff33  3 ffff1f0000000000  4 ffffffffffffffff
      5 1f553333fff7ffff  6 3333333333332237  7 f33333310000aa77  8 ffffffffffffffff  9 ffffffffffffffff
      a ffffff00ffffff7f  b ffffffff4fffffff  c fff1333fffffffff  d a33333e333333333  e 333333e333333333
      f 8333333333333330`,
  2: `0 3333333333330000  1 2000220200003330  2 2222220022220000  3 2222220222222222  4 2200000000000000
      c 0000000011111102  d 0000000000022222  f bb00006021000000`,
  3: `0 0000000022222223  1 0000222200000000  2 2220000000000000  4 2220200000000000  6 2222000000000000
      c 0000000000001022  d 0000000000000002`,
  [VEX + 1]:
    `1 fff3337300000000  2 0000000033c3cc33  4 0330333300330000  5 3f553333fff7ffff  6 2222222222222226
      7 e22222210000aa66  9 33bb000033000000  a 0000000000000010  c 00f0223000000000  d a222222222222222
      e 222222e222222222  f 8222222222222220`,
  [VEX + 2]:
    `0 2222222222222222  1 0002002222202220  2 2222220022222222  3 2222222222222222  4 2200022200000000
      5 ff2200002220c0f0  7 0000000022000000  8 0000000000002020  9 2222002222222222  a 0000002222222222
      b f600222222222222  c 0000000000000002  d 0000000000022222  f 00110d8f00000000`,
  [VEX + 3]:
    `0 2220222022222222  1 0000222222000200  2 2220000000000000  3 2222000022000000  4 2220202022222000
      5 0000000000002222  6 2222000022222222  7 0000000022222222  c 0000000000000022  d 0000000000000002
      f 8000000000000000`,
  [EVEX + 1]:
    `1 fff3337300000000  2 0000000033c3cc33  5 0f003333fff7ffff  6 222222222222222e  7 e2222220ffee006e
      c 00f0223000000000  d 0222222222222222  e 222222e222222222  f 0222222222222220`,
  [EVEX + 2]:
    `0 2000200000022200  1 6666662022222222  2 6666666666622200  3 6666662266622222  4 2022222200002222
      5 22ea220022220000  6 0022222080000000  7 22e2022222222222  8 0002000022220202  9 2222002222aa2222
      a 2222002222aa2222  b 0000222222222222  c 0000202220222202  d 0000000000002222`,
  [EVEX + 3]:
    `0 2202220032320002  1 0000222222220222  2 2222023300000000  3 0000000022220022  4 0022200000000000
      5 2200223300000000  6 0000003300000000  7 2222000000000000  c 0050000000000022`,
  [EVEX + 5]:
    `1 4400000000000300  2 0000000000404411  5 0500000055f75555  6 0000000000000020  7 0000000077a63f20`,
  [EVEX + 6]:
    `1 0003000000000000  2 0000000000002200  4 0022000000002222  5 000000cc00000000  9 0000002222222222
      a 0000002222222222  b 0000002222222222  d 000000cc00000000`,
};

/** Where no row is: `m`, and `n` in the maps with number 3. */
const FORMS: Record<number, string> = {
  0: `0 mmmmbz..mmmmbz..  1 mmmmbz..mmmmbz..  2 mmmmbz..mmmmbz..  3 mmmmbz..mmmmbz..
      5 ................  6 ...m....zkbn....  7 bbbbbbbbbbbbbbbb  8 nknnmmmmmmmmmmmm  9 ................
      a aaaa....bz......  b bbbbbbbbvvvvvvvv  c nnw...nke.w..b..  d mmmm....mmmmmmmm  e bbbbbbbbjj.b....
      f ......tT......mm`,
  1: `0 mmmm......m..m..  3 ................  7 nnnnmmm.mmmmmmmm  8 jjjjjjjjjjjjjjjj  a ...mnm.....mnmmm
      b mmmmmmmmmmnmmmmm  c mmnmnnnm........`,
  [VEX + 1]: '7 nnnnmmm.mmmmmmmm  c mmnmnnnmmmmmmmmm',
  [EVEX + 1]: '7 nnnnmmmmmmmmmmmm  c mmnmnnnmmmmmmmmm',
};

/** Prefixes (digit as in VALID), map, opcodes, values of ModRM.reg with memory and with a register. */
const GROUPS: readonly (readonly [
  prefixes: number,
  map: number,
  opcodes: readonly number[],
  number,
  number,
])[] = [
  [15, 0, [0x8c], 0x3f, 0x3f],
  [15, 0, [0x8d], ALL, 0],
  [15, 0, [0x8e], 0x3d, 0x3d],
  [15, 0, [0x8f], 1, 1],
  [15, 0, [0xc6, 0xc7], 1, 0x81],
  [15, 0, [0xd9], 0xfd, ALL],
  [15, 0, [0xdb], 0xaf, ALL],
  [15, 0, [0xdd], 0xdf, ALL],
  [15, 0, [0xfe], 3, 3],
  [15, 0, [0xff], 0x7f, 0x57],
  [1, 1, [0x00], 0x3f, 0x3f],
  [1, 1, [0x01], 0x5f, ALL],
  [2, 1, [0x12, 0x16], ALL, 0],
  [3, 1, [0x13, 0x17, 0x2b, 0xe7], ALL, 0],
  [1, 1, [0xc3], ALL, 0],
  [15, 1, [0xb2, 0xb4, 0xb5], ALL, 0],
  [3, 1, [0x50, 0xc5, 0xd7, 0xf7], 0, ALL],
  [12, 1, [0xd6], 0, ALL],
  [3, 1, [0x71, 0x72], 0, 0x54],
  [1, 1, [0x73], 0, 0x44],
  [2, 1, [0x73], 0, 0xcc],
  [1, 1, [0xae], 0xff, 0xe0],
  [2, 1, [0xae], 0xc0, 0x40],
  [4, 1, [0xae], 0, 0x2f],
  [15, 1, [0xba], 0xf0, 0xf0],
  [15, 1, [0xc7], 0x02, 0],
  [1, 1, [0xc7], 0x7a, 0xc0],
  [2, 1, [0xc7], 0x42, 0xc0],
  [4, 1, [0xc7], 0x02, 0x80],
  [8, 1, [0xf0], ALL, 0],
  [2, 2, [0x2a], ALL, 0],
  [3, 2, [0xf0, 0xf1], ALL, 0],
  [2, 2, [0xf8], ALL, 0],
  [1, 2, [0xf9], ALL, 0],
];

const LOCKS: readonly (readonly [map: number, opcodes: readonly number[], regs: number])[] = [
  [0, [0x00, 0x01, 0x08, 0x09, 0x10, 0x11, 0x18, 0x19, 0x20, 0x21, 0x28, 0x29, 0x30, 0x31], ALL],
  [0, [0x80, 0x81, 0x83], 0x7f],
  [0, [0x86, 0x87], ALL],
  [0, [0xf6, 0xf7], 0x0c],
  [0, [0xfe, 0xff], 0x03],
  [1, [0xab, 0xb0, 0xb1, 0xb3, 0xbb, 0xc0, 0xc1], ALL],
  [1, [0xba], 0xe0],
  [1, [0xc7], 0x02],
];

/** By ModRM.reg, with a register operand: values of ModRM.rm that exist. */
const X87: readonly (readonly number[])[] = [
  [ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL], // d8
  [ALL, ALL, 0x01, 0, 0x33, 0x7f, ALL, ALL],
  [ALL, ALL, ALL, ALL, 0, 0x02, 0, 0],
  [ALL, ALL, ALL, ALL, 0x0c, ALL, ALL, 0],
  [ALL, ALL, 0, 0, ALL, ALL, ALL, ALL],
  [ALL, 0, ALL, ALL, ALL, ALL, 0, 0],
  [ALL, ALL, 0, 0x02, ALL, ALL, ALL, ALL],
  [ALL, 0, 0, 0, 0x01, ALL, ALL, 0], // df
];
/** c6 and c7: mov, xabort and xbegin. */
const MOV_IMMEDIATE: readonly number[] = [ALL, 0, 0, 0, 0, 0, 0, 0x01];
/** 0f01: xgetbv, xend, xtest, smsw, rdpkru, wrpkru, lmsw, rdtscp; the rest is not for programs. */
const SYSTEM: readonly number[] = [0, 0, 0x61, 0, ALL, 0xc0, ALL, 0x02];
export const EXACT: Uint8Array = Uint8Array.from([...X87, MOV_IMMEDIATE, SYSTEM].flat());

function eachCell(rows: string, visit: (opcode: number, cell: string) => void): void {
  for (const [, row, cells] of rows.matchAll(/(\w)\s+(\S{16})/g))
    for (let i = 0; i < 16; i++) visit((Number.parseInt(row!, 16) << 4) | i, cells![i]!);
}

for (const [key, rows] of Object.entries(VALID)) {
  const map = Number(key);
  const usual = map === 3 || map === VEX + 3 || map === EVEX + 3 ? FORM_MODRM | IMM_1 : FORM_MODRM;
  FORM.fill(usual, map << 8, (map + 1) << 8);
  eachCell(FORMS[map] ?? '', (opcode, cell) => {
    FORM[(map << 8) | opcode] = FORM_OF[cell]!;
  });
  eachCell(rows, (opcode, cell) => {
    for (let pp = 0; pp < 4; pp++) {
      if (((Number.parseInt(cell, 16) >> pp) & 1) === 0) continue;
      WITH_MEMORY[(map << 10) | (pp << 8) | opcode] = ALL;
      WITH_REGISTER[(map << 10) | (pp << 8) | opcode] = ALL;
    }
  });
}
for (const [prefixes, map, opcodes, memory, register] of GROUPS)
  for (const opcode of opcodes)
    for (let pp = 0; pp < 4; pp++) {
      if (((prefixes >> pp) & 1) === 0) continue;
      WITH_MEMORY[(map << 10) | (pp << 8) | opcode] = memory;
      WITH_REGISTER[(map << 10) | (pp << 8) | opcode] = register;
    }
for (const [map, opcodes, regs] of LOCKS) for (const opcode of opcodes) LOCKABLE[(map << 8) | opcode] = regs;
