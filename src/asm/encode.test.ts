import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expectText, textOf } from './disassemble.test.helper.ts';
import { fixed, le, prefixed } from './encode.ts';
import * as i from './instructions.ts';
import {
  abs,
  byte,
  EAX,
  fs,
  GPR8,
  GPR16,
  GPR32,
  GPR64,
  gs,
  imm,
  type Mem,
  mem,
  R9,
  R12,
  R13,
  RAX,
  RBP,
  RSP,
  rip,
  type Scale,
  type Size,
  XMM,
} from './operands.ts';

const BANKS = [GPR8, GPR16, GPR32, GPR64];
const DISPLACEMENTS = [0, 1, -1, 127, -128, 128, -129, 0x7fff_ffff, -0x8000_0000];
const SCALES: readonly Scale[] = [1, 2, 4, 8];
const BASES = [null, ...GPR64];
const INDEXES = GPR64.filter((reg) => reg !== RSP);

test('every base with every displacement width', () => {
  for (const base of BASES) {
    for (const disp of DISPLACEMENTS) {
      const at = mem(base, disp);
      expectText(i.lea(R9, at), `lea r9,${textOf(at)}`);
    }
  }
});

test('every base with every index, scale and displacement width', () => {
  for (const base of BASES) {
    for (const index of INDEXES) {
      for (const scale of SCALES) {
        for (const disp of [0, -128, 128]) {
          const at = mem(base, disp, index, scale);
          expectText(i.lea(RAX, at), `lea rax,${textOf(at)}`);
        }
      }
    }
  }
});

test('every pair of registers at every width', () => {
  for (const bank of BANKS) {
    for (const a of bank) {
      for (const b of bank) {
        expectText(i.mov(a, b), `mov ${a.name},${b.name}`);
        expectText(i.add(a, b), `add ${a.name},${b.name}`);
      }
    }
  }
});

test('loads and stores of every register through the bases that need a SIB byte or a displacement', () => {
  for (const bank of BANKS) {
    for (const reg of bank) {
      for (const base of [RAX, RSP, RBP, R12, R13]) {
        const at = mem(base);
        expectText(i.mov(reg, at), `mov ${reg.name},${textOf(at, reg.size)}`);
        expectText(i.mov(at, reg), `mov ${textOf(at, reg.size)},${reg.name}`);
        expectText(i.lockXadd(at, reg), `lock xadd ${textOf(at, reg.size)},${reg.name}`);
      }
    }
  }
});

test('registers in the opcode byte', () => {
  for (const reg of GPR64) {
    expectText(i.push(reg), `push ${reg.name}`);
    expectText(i.pop(reg), `pop ${reg.name}`);
    expectText(i.bswap(reg), `bswap ${reg.name}`);
    expectText(i.call(reg), `call ${reg.name}`);
    expectText(i.jmp(reg), `jmp ${reg.name}`);
    expectText(i.movabs(reg, imm(0x1122334455667788n)), `mov ${reg.name},1234605616436508552`);
  }
});

test('byte registers 4 to 7 are spl to dil, never ah to bh', () => {
  for (const reg of GPR8) {
    expectText(i.setcc('e', reg), `sete ${reg.name}`);
    expectText(i.movzx(EAX, reg), `movzx eax,${reg.name}`);
    expectText(i.inc(reg), `inc ${reg.name}`);
    expectText(i.test(reg, imm(1)), `test ${reg.name},1`);
  }
});

test('every xmm register with every addressing extension', () => {
  for (const xmm of XMM) {
    for (const at of [mem(RAX), mem(R13, 0, R12, 4), mem(RSP, 64)]) {
      expectText(i.movups(xmm, at), `movups ${xmm.name},${textOf(at, 16)}`);
      expectText(i.movups(at, xmm), `movups ${textOf(at, 16)},${xmm.name}`);
    }
    for (const reg of GPR64) expectText(i.movq(xmm, reg), `movq ${xmm.name},${reg.name}`);
  }
});

test('segment overrides', () => {
  const cases: Mem[] = [fs(abs(0)), fs(abs(0x28)), gs(abs(-8)), gs(mem(R12, 8)), fs(mem(RBP, 0, R9, 8))];
  for (const at of cases) expectText(i.mov(RAX, at), `mov rax,${textOf(at, 8)}`);
  expectText(i.inc(byte(gs(abs(16)))), 'inc byte ptr gs:[16]');
});

test('the smallest immediate field is chosen, and values that need more are refused', () => {
  const lengths: readonly (readonly [Size, number | bigint, number])[] = [
    [8, 0, 5],
    [8, 0xffff_ffff, 5],
    [8, -1, 7],
    [8, -0x8000_0000, 7],
    [8, 0x1_0000_0000, 10],
    [8, 0xffff_ffff_ffff_ffffn, 7],
    [4, -1, 6],
  ];
  for (const [size, value, length] of lengths) {
    const reg = size === 8 ? RAX : EAX;
    assert.equal(i.mov(reg, imm(value)).bytes.length, length, `${reg.name}, ${value}`);
  }
  assert.throws(() => i.mov(RAX, imm(1n << 64n)), RangeError);
  assert.throws(() => i.mov(EAX, imm(0x1_0000_0000)), RangeError);
  assert.throws(() => i.add(RAX, imm(0x8000_0000)), RangeError);
  assert.throws(() => i.mov(GPR8[0]!, imm(256)), RangeError);
  assert.throws(() => i.shl(EAX, imm(32)), RangeError);
  assert.throws(() => imm(0.5), RangeError);
  assert.throws(() => imm(2 ** 60), RangeError);
});

test('operands without an encoding are refused', () => {
  assert.throws(() => mem(EAX), TypeError);
  assert.throws(() => mem(RAX, 0, RSP, 2), TypeError);
  assert.throws(() => mem(RAX, 0x8000_0000), RangeError);
  assert.throws(() => i.mov(RAX, EAX), TypeError);
  assert.throws(() => i.mov(mem(RAX), mem(RAX)), TypeError);
  assert.throws(() => i.mov(mem(RAX), imm(1)), TypeError);
  assert.throws(() => i.inc(mem(RAX)), TypeError);
  assert.throws(() => i.push(EAX), TypeError);
  assert.throws(() => i.shl(RAX, GPR8[2]!), TypeError);
  assert.throws(() => i.movzx(EAX, EAX), TypeError);
  assert.throws(() => i.int(256), RangeError);
  assert.throws(() => i.movToCr(1, RAX), RangeError);
});

test('a RIP-relative field knows its place behind prefixes and before immediates', () => {
  const at = rip('x', 4);
  assert.deepEqual(i.mov(RAX, at).fixup, { at: 3, kind: 'rel32', label: 'x', addend: 4 });
  assert.deepEqual(i.lockInc({ ...at, size: 4 }).fixup, { at: 3, kind: 'rel32', label: 'x', addend: 4 });
  assert.deepEqual(i.mov({ ...at, size: 4 }, imm(7)).bytes, [0xc7, 0x05, 0, 0, 0, 0, 7, 0, 0, 0]);
  assert.deepEqual(prefixed(0xf0, fixed(1, 2)), fixed(0xf0, 1, 2));
});

test('le', () => {
  assert.deepEqual(le(-2, 4), [0xfe, 0xff, 0xff, 0xff]);
  assert.deepEqual(le(0x0102030405060708n, 8), [8, 7, 6, 5, 4, 3, 2, 1]);
});
