// The length decoder against iced-x86: what both know has the same length.

import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { Decoder, DecoderOptions, Instruction } from 'iced-x86';
import { needs } from '../../test/harness/needs.ts';
import { instructionLength } from './length.ts';
import { executableText } from './text.test.helper.ts';

const MIB = 1 << 20;
const RECORD = 24;
const LEGACY_PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3];
const ESCAPES = [0x0f, 0x62, 0xc4, 0xc5];
for (let rex = 0x40; rex < 0x50; rex++) ESCAPES.push(rex);
ESCAPES.push(...LEGACY_PREFIXES);

/** Deterministic 32-bit noise (xorshift). */
function noise(seed: number): () => number {
  let x = seed;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

const hex = (code: Uint8Array, at = 0): string =>
  Buffer.from(code.subarray(at, at + 15))
    .toString('hex')
    .replace(/(..)/g, '$1 ');

describe('instruction lengths', () => {
  const instr = new Instruction();
  after(() => instr.free());

  /** Compares the instructions at the start of every record; returns how many are valid, and how many we refuse. */
  function compare(records: Uint8Array, beyond: boolean): { known: number; refused: number } {
    const decoder = new Decoder(64, records, DecoderOptions.None);
    let known = 0;
    let refused = 0;
    for (let at = 0; at < records.length; at += RECORD) {
      decoder.position = at;
      decoder.decodeOut(instr);
      const want = instr.isInvalid ? 0 : instr.length;
      const ours = instructionLength(records, at, records.length);
      if (want !== 0) known++;
      if (want !== 0 && ours === 0) refused++;
      else if (ours !== want && !(beyond && want === 0))
        assert.fail(`${hex(records, at)}: ${ours} bytes, should be ${want}`);
    }
    decoder.free();
    return { known, refused };
  }

  for (const path of [
    '/bin/bash',
    '/usr/bin/python3.11',
    '/lib/x86_64-linux-gnu/libc.so.6',
    '/lib/x86_64-linux-gnu/libcrypto.so.3',
    process.execPath,
  ]) {
    const text = executableText(path, 2 * MIB).find(({ name }) => name === '.text');
    it(`the text of ${path}`, needs(path), (t) => {
      const { bytes } = text!;
      const real = new Decoder(64, bytes, DecoderOptions.None);
      let known = 0;
      let refused = 0;
      const examples: string[] = [];
      while (real.canDecode) {
        const at = real.position;
        real.decodeOut(instr);
        const ours = instructionLength(bytes, at, bytes.length);
        if (instr.isInvalid) continue;
        known++;
        if (ours === 0) {
          refused++;
          if (examples.length < 5) examples.push(hex(bytes, at));
        } else if (ours !== instr.length) {
          assert.fail(`${hex(bytes, at)}: ${ours} bytes, should be ${instr.length}`);
        }
      }
      real.free();
      t.diagnostic(`${known} instructions, ${refused} refused ${examples.join('| ')}`);
      assert.ok(refused < known / 100, `${refused} of ${known} refused`);
    });
  }

  it('every legacy opcode with every ModRM: right, and nothing that does not exist', () => {
    for (const prefix of [[], [0x66], [0xf3], [0xf2], [0xf0], [0x48], [0x66, 0x48], [0x67], [0xf3, 0x66]])
      for (const lead of [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]]) {
        const records = new Uint8Array(256 * 256 * RECORD).fill(0x11);
        for (let i = 0; i < 256 * 256; i++) records.set([...prefix, ...lead, i >> 8, i & 0xff], i * RECORD);
        // What is an escape or a prefix itself is another round's.
        for (let opcode = 0; opcode < 256; opcode++) {
          if (lead.length < 2 && (lead.length === 0 ? ESCAPES : [0x0f, 0x38, 0x3a]).includes(opcode))
            records.fill(0x90, opcode * 256 * RECORD, (opcode + 1) * 256 * RECORD);
        }
        compare(records, false);
      }
  });

  it('random bytes behind random prefixes', (t) => {
    const next = noise(0x5eed);
    const heads = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a], [0xc5], [0xc4], [0x62]];
    const records = new Uint8Array(400_000 * RECORD);
    for (let k = 0; k < records.length; k++) records[k] = next() >> 8;
    for (let i = 0; i < records.length; i += RECORD) {
      let at = i;
      for (let n = next() % 4; n > 0; n--) records[at++] = LEGACY_PREFIXES[next() % LEGACY_PREFIXES.length]!;
      if (next() % 3 === 0) records[at++] = 0x40 | (next() & 15);
      const head = heads[next() % heads.length]!;
      records.set(head, at);
      // Make the bits that EVEX and VEX must have likely.
      if (head[0] === 0x62) records[at + 2]! |= 4;
      if (head[0] === 0x62) records[at + 1]! &= 0xf7;
      if (head[0] === 0xc4) records[at + 1]! &= 0xe3;
    }
    // Fields of VEX and EVEX beyond the opcode may be wrong without that we see it.
    const { known, refused } = compare(records, true);
    t.diagnostic(`${known} valid, ${refused} refused`);
    assert.ok(known > 50_000);
    assert.ok(refused < known / 10, `${refused} of ${known} refused`);
  });

  it('nothing is longer than 15 bytes or goes past the end', () => {
    const long = Uint8Array.from([...Array(14).fill(0x66), 0x90, 0x90]);
    assert.equal(instructionLength(long, 0, 16), 15);
    assert.equal(instructionLength(Uint8Array.from([0x66, ...long]), 0, 17), 0);
    const samples: readonly (readonly number[])[] = [
      [0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8],
      [0xff, 0x24, 0x25, 0, 0, 0, 0],
      [0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0],
      [0xc8, 1, 2, 3],
      [0xc2, 8, 0],
      [0xa1, 1, 2, 3, 4, 5, 6, 7, 8],
      [0x67, 0xa1, 1, 2, 3, 4],
      [0x62, 0xf1, 0x7c, 0x48, 0x10, 0x44, 0x24, 1],
      [0xc4, 0xe3, 0x7d, 0x39, 0xc1, 1],
      [0x66, 0xf7, 0x04, 0x25, 0, 0, 0, 0, 1, 2],
      [0x66, 0x48, 0xe8, 0, 0, 0, 0],
    ];
    for (const sample of samples) {
      const code = Uint8Array.from([0, ...sample, 0x90, 0x90]);
      assert.equal(instructionLength(code, 1, code.length), sample.length, hex(code, 1));
      for (let end = 0; end <= sample.length; end++) assert.equal(instructionLength(code, 1, end), 0);
      const short = code.subarray(0, sample.length);
      assert.equal(instructionLength(short, 1, 100), 0, 'past the array');
    }
  });

  it('branches that a 66 prefix shortens on some processors have no length', () => {
    for (const code of [
      [0x66, 0xe8, 0, 0, 0, 0],
      [0x66, 0xe9, 0, 0, 0, 0],
      [0x66, 0x0f, 0x84, 0, 0, 0, 0],
    ])
      assert.equal(instructionLength(Uint8Array.from(code), 0, code.length), 0);
  });
});
