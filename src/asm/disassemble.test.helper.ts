import assert from 'node:assert/strict';
import { Decoder, DecoderOptions, Formatter, FormatterSyntax, MemorySizeOptions } from 'iced-x86';
import type { Code } from './encode.ts';
import type { Mem, Reg, Xmm } from './operands.ts';

const formatter = new Formatter(FormatterSyntax.Intel);
formatter.numberBase = 10;
formatter.signedImmediateOperands = true;
formatter.alwaysShowScale = true;
formatter.branchLeadingZeros = false;
formatter.memorySizeOptions = MemorySizeOptions.Always;
formatter.ripRelativeAddresses = true;

/** Decodes all bytes and returns one line per instruction. */
export function disassemble(bytes: Uint8Array, ip = 0n): string[] {
  const decoder = new Decoder(64, bytes, DecoderOptions.None);
  decoder.ip = ip;
  const lines: string[] = [];
  while (decoder.canDecode) {
    const instruction = decoder.decode();
    lines.push(formatter.format(instruction));
    instruction.free();
  }
  decoder.free();
  return lines;
}

/** The instruction must decode to exactly this text, with no byte left over. */
export function expectText(code: Code, text: string): void {
  const bytes = Uint8Array.from(code.bytes);
  assert.deepEqual(disassemble(bytes), [text], Buffer.from(bytes).toString('hex'));
}

const POINTER: Record<number, string> = {
  1: 'byte ptr ',
  2: 'word ptr ',
  4: 'dword ptr ',
  8: 'qword ptr ',
  16: 'xmmword ptr ',
};

/** An operand as the formatter above writes it; `size` is that of the access, 0 where nothing is accessed. */
export function textOf(operand: Reg | Xmm | Mem, size = 0): string {
  if (operand.kind !== 'mem') return operand.name;
  const { base, index, scale, disp, segment } = operand;
  const terms: string[] = [];
  if (base !== null) terms.push(base.name);
  if (index !== null) terms.push(`${index.name}*${scale}`);
  let inner = terms.join('+');
  // A lone displacement is shown as the 64-bit address that it is.
  if (inner === '') inner = `${BigInt.asUintN(64, BigInt(disp))}`;
  else if (disp !== 0) inner += disp < 0 ? `${disp}` : `+${disp}`;
  return `${POINTER[size] ?? ''}${segment === null ? '' : `${segment}:`}[${inner}]`;
}
