// The tables of the C library that this test itself runs with, and tables of random words.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { needs } from '../../test/harness/needs.ts';
import { ELF_MAGIC, PT_GNU_EH_FRAME, PT_LOAD, SIZEOF_PHDR } from './constants.ts';
import { isSignalFrame, type ReadWord } from './eh_frame.ts';

const LIBC = '/lib/x86_64-linux-gnu/libc.so.6';
/** mov $15,%rax; syscall: __restore_rt. */
const RESTORER = Buffer.from('48c7c00f0000000f05', 'hex');
const BASE = 0x7f12_3456_7000;

/** The segments of a file as they lie in memory from BASE on. */
function load(path: string): { memory: Buffer; read: ReadWord } {
  const file = readFileSync(path);
  const memory = Buffer.alloc(file.length + 0x10_0000);
  const phoff = Number(file.readBigUInt64LE(32));
  for (let ph = phoff; ph < phoff + file.readUInt16LE(56) * SIZEOF_PHDR; ph += SIZEOF_PHDR) {
    if (file.readUInt32LE(ph) !== PT_LOAD) continue;
    const [offset, vaddr, , size] = [8, 16, 24, 32].map((at) => Number(file.readBigUInt64LE(ph + at)));
    file.copy(memory, vaddr!, offset!, offset! + size!);
  }
  const read = (addr: number) => {
    const at = addr - BASE;
    return at >= 0 && at + 4 <= memory.length ? memory.readUInt32LE(at) : -1;
  };
  return { memory, read };
}

test('the restorer of the C library is known by its tables, and no other code is', needs(LIBC), () => {
  const { memory, read } = load(LIBC);
  const at = memory.indexOf(RESTORER);
  assert.ok(at > 0);
  const restorer = BASE + at;
  const end = restorer + RESTORER.length;
  assert.equal(isSignalFrame(read, BASE, restorer - 1, end), true);
  assert.equal(isSignalFrame(read, BASE, restorer - 1, end + 1), false, 'beyond its end');
  assert.equal(isSignalFrame(read, BASE, restorer - 2, end), false, 'before its begin');
  assert.equal(isSignalFrame(read, BASE + 4096, restorer - 1, end), false, 'no image begins there');
  let others = 0;
  for (let code = restorer - 0x1_0000; code < restorer + 0x1_0000; code += 61)
    if (Math.abs(code - restorer) > 64) others += isSignalFrame(read, BASE, code, code + 1) ? 1 : 0;
  assert.equal(others, 0);
});

test('random words are no table, and end', () => {
  const word = fc.oneof(
    fc.constantFrom(ELF_MAGIC, PT_LOAD, PT_GNU_EH_FRAME, 0x3b03_1b01, 0x5352_7a01, 64, 56 << 16, 9, -1),
    fc.nat(0xffff_ffff),
  );
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 64 }), fc.nat(2 ** 40), (words, addr) => {
      let reads = 0;
      const read = (at: number) => {
        reads++;
        return words[Math.abs(Math.floor(at / 4)) % words.length]!;
      };
      isSignalFrame(read, 0, addr, addr + 9);
      return reads < 1000;
    }),
  );
});
