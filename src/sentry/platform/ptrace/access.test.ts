// The access decoder against iced-x86's own knowledge of which instructions write memory.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { Decoder, DecoderOptions, InstructionInfoFactory, OpAccess, OpKind } from 'iced-x86';
import { ACCESS_WRITE } from '../platform.ts';
import { accessOf } from './access.ts';

/** What iced says of the instruction: writes an explicit memory operand, or null when it has none. */
function writes(bytes: Uint8Array): boolean | null {
  const decoder = new Decoder(64, bytes, DecoderOptions.None);
  const instr = decoder.decode();
  const factory = new InstructionInfoFactory();
  const info = factory.info(instr);
  try {
    if (instr.isInvalid) return null;
    for (let i = 0; i < instr.opCount; i++) {
      if (instr.opKind(i) !== OpKind.Memory) continue;
      const access = info.opAccess(i);
      return access === OpAccess.Write || access === OpAccess.ReadWrite || access === OpAccess.CondWrite;
    }
    return null;
  } finally {
    info.free();
    factory.free();
    instr.free();
    decoder.free();
  }
}

it('agrees with a disassembler on the stores that compilers emit', () => {
  const samples: [string, boolean][] = [
    ['c70001000000', true], // mov dword [rax], 1
    ['8b00', false], // mov eax, [rax]
    ['488908', true], // mov [rax], rcx
    ['f00fb111', true], // lock cmpxchg [rcx], edx
    ['833800', false], // cmp dword [rax], 0
    ['830001', true], // add dword [rax], 1
    ['0f1100', true], // movups [rax], xmm0
    ['0f1000', false],
    ['c5fe7f00', true], // vmovdqu [rax], ymm0
    ['c5fe6f00', false],
    ['62f17f487f00', true], // vmovdqu8 [rax], zmm0
    ['440f1100', true],
    ['ff00', true], // inc dword [rax]
    ['c4e2f998442410', false], // vfmadd132pd: a load in map 2
    ['f7d8', false],
  ];
  for (const [text, expected] of samples) {
    const code = Uint8Array.from(Buffer.from(text, 'hex'));
    assert.equal(accessOf(code, code.length, false) === ACCESS_WRITE, expected, text);
  }
});

it('calls no plain load or store by the wrong name', () => {
  // mov, arithmetic and SSE moves with every register and addressing mode.
  const opcode = fc.constantFrom(
    [0x88],
    [0x89],
    [0x8a],
    [0x8b],
    [0x00],
    [0x01],
    [0x02],
    [0x03],
    [0x29],
    [0x2b],
    [0x39],
    [0x3b],
    [0x0f, 0x10],
    [0x0f, 0x11],
    [0x0f, 0x28],
    [0x0f, 0x29],
    [0x0f, 0xb6],
    [0x0f, 0x7f],
    [0x0f, 0x6f],
  );
  fc.assert(
    fc.property(
      fc.constantFrom([], [0x66], [0xf3]),
      fc.constantFrom([], [0x48], [0x44]),
      opcode,
      fc.uint8Array({ minLength: 10, maxLength: 10 }),
      (prefix, rex, op, rest) => {
        const code = Uint8Array.from([...prefix, ...rex, ...op, ...rest]);
        const expected = writes(code);
        if (expected !== null) assert.equal(accessOf(code, code.length, false) === ACCESS_WRITE, expected);
      },
    ),
    { numRuns: 500 },
  );
});
