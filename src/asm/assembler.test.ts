import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Assembler } from './assembler.ts';
import { CONDITIONS } from './conditions.ts';
import { disassemble } from './disassemble.test.helper.ts';
import * as instructions from './instructions.ts';
import { AL, dword, imm, mem, RAX, RCX, RDI, RSI, rip } from './operands.ts';

test('labels forwards and backwards, in code and in RIP-relative operands', () => {
  const a = new Assembler({ base: 0x40_0000 });
  a.mov(RAX, imm(60));
  a.label('loop');
  a.mov(RDI, mem(RSI, 8)).jne('loop').jneShort('end').call('end');
  a.mov(dword(rip('data', 4)), imm(7)).lea(RCX, rip('loop'));
  a.label('end').ret().label('data').u64(0);
  assert.deepEqual(disassemble(a.finish().subarray(0, a.offsetOf('data')), 0x40_0000n), [
    'mov eax,60',
    'mov rdi,qword ptr [rsi+8]',
    'jne 4194309',
    'jne short 4194343',
    'call 4194343',
    'mov dword ptr [rip+12],7',
    'lea rcx,[rip-34]',
    'ret',
  ]);
  assert.equal(a.addressOf('loop'), 0x40_0005);
  assert.equal(a.offsetOf('loop'), 5);
  assert.equal(a.addressOf('end'), 4194343);
  assert.equal(a.addressOf('data'), a.addressOf('end') + 1);
});

test('RIP-relative targets are what the processor computes', () => {
  const a = new Assembler({ base: 0x1000 });
  a.label('start').mov(dword(rip('start', 2)), imm(1));
  const field = new DataView(a.finish().buffer).getInt32(2, true);
  // The displacement counts from the end of the instruction, which an immediate follows here.
  assert.equal(0x1000 + a.size + field, 0x1002);
});

test('absolute addresses, the upper half and external labels', () => {
  const a = new Assembler({ base: 0xffff_ffff_8000_0000n });
  a.external('kernel', 0xffff_ffff_8000_1000n).external('low', 0x1234);
  a.label('start').jmp('kernel').movabs(RAX, 'start').u64Label('low', -4);
  const out = a.finish();
  assert.deepEqual(disassemble(out.subarray(0, 15), a.base), [
    `jmp ${0xffff_ffff_8000_1000n}`,
    `mov rax,${BigInt.asIntN(64, a.base)}`,
  ]);
  assert.equal(new DataView(out.buffer).getBigUint64(15, true), 0x1230n);
  assert.equal(a.addressOf64('start'), a.base);
  assert.throws(() => a.addressOf('start'), RangeError);
});

test('data and alignment', () => {
  const a = new Assembler({ base: 0x1001 });
  a.u8(-1).u16(0x102).u32(0x3040506).u64(7n).text('hé').bytes([1, 2]).zeros(2).align(16, 0xcc);
  assert.equal(
    Buffer.from(a.finish()).toString('hex'),
    `ff020106050403070000000000000068c3a901020000${'cc'.repeat(9)}`,
  );
  a.ret().align(8);
  assert.equal((0x1001 + a.size) % 8, 0);
  assert.deepEqual(disassemble(a.finish().subarray(31)), ['ret', 'nop dword ptr [rax]']);
  assert.throws(() => a.u8(256), RangeError);
  assert.throws(() => a.u8(-129), RangeError);
});

test('mistakes with labels', () => {
  const far = new Assembler().label('top').zeros(200).jmpShort('top');
  assert.throws(() => far.finish(), /out of reach/);
  assert.throws(() => new Assembler().jmp('nowhere').finish(), /undefined label nowhere/);
  assert.throws(() => new Assembler().label('x').label('x'), /defined twice/);
  assert.throws(
    () =>
      new Assembler()
        .external('x', 2 ** 40)
        .jmp('x')
        .finish(),
    /out of reach/,
  );
  const a = new Assembler();
  assert.notEqual(a.unique('spin'), a.unique('spin'));
});

test('finish may be called again after more code', () => {
  const a = new Assembler().jmp('end').label('end');
  const first = a.finish();
  a.ret();
  assert.equal(first.length, 5);
  assert.equal(a.finish().length, 6);
});

test('every encoder and condition is a method', () => {
  const methods = fresh() as unknown as Record<string, unknown>;
  for (const name of Object.keys(instructions)) assert.equal(typeof methods[name], 'function', name);
  for (const c of Object.keys(CONDITIONS)) {
    for (const name of [`j${c}`, `j${c}Short`, `set${c}`, `cmov${c}`]) {
      assert.equal(typeof methods[name], 'function', name);
    }
  }
  assert.deepEqual(disassemble(fresh().sete(AL).cmovb(RAX, RCX).finish()), ['sete al', 'cmovb rax,rcx']);
});

function fresh(): Assembler {
  return new Assembler();
}
