import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { EINVAL, ENOEXEC } from '../abi/errno.ts';
import { ET_DYN, PF_R, PF_X, PT_LOAD, SIZEOF_EHDR, SIZEOF_PHDR } from './constants.ts';
import {
  type ElfHeader,
  type ElfImage,
  readElf,
  readElfHeader,
  readElfImage,
  readInterp,
  readNotes,
} from './reader.ts';
import { writeExecutable } from './writer.ts';

const NT_GNU_BUILD_ID = 3;

function ok<T>(result: T | number): T {
  assert.notEqual(typeof result, 'number', `errno ${result}`);
  return result as T;
}

/** A valid program to damage: one segment, then PT_GNU_STACK. */
function program(): Uint8Array {
  const text = { vaddr: 0x40_0100, bytes: Uint8Array.of(0xf4), flags: PF_R | PF_X, memsz: 0x2000 };
  return writeExecutable({ entry: 0x40_0100, segments: [text] });
}

/** The program with 64-bit fields replaced, by their offset in the file. */
function damaged(fields: Record<number, number | bigint>): ElfImage | number {
  const bytes = program();
  const view = new DataView(bytes.buffer);
  for (const [at, value] of Object.entries(fields)) view.setBigUint64(Number(at), BigInt(value), true);
  return readElf(bytes);
}

const P_OFFSET = SIZEOF_EHDR + 8;
const P_VADDR = SIZEOF_EHDR + 16;
const P_FILESZ = SIZEOF_EHDR + 32;
const P_MEMSZ = SIZEOF_EHDR + 40;
const P_ALIGN = SIZEOF_EHDR + 48;

test('a program of this system', () => {
  const file = readFileSync('/bin/true');
  const image = ok<ElfImage>(readElf(file.subarray(0, 4096)));
  assert.equal(image.header.type, ET_DYN);
  assert.ok(image.loads.length >= 2);
  assert.equal(image.start, 0);
  assert.ok(image.end > image.start && image.end % 4096 === 0);
  assert.equal(image.phdrVaddr, image.phdr!.vaddr);
  assert.equal(image.execStack, false);
  const { offset, filesz } = image.interp!;
  const path = ok<Uint8Array>(readInterp(file.subarray(offset, offset + filesz)));
  assert.equal(Buffer.from(path).toString(), '/lib64/ld-linux-x86-64.so.2');
  const notes = image.notes.flatMap((note) =>
    readNotes(file.subarray(note.offset, note.offset + note.filesz), note.align),
  );
  const buildId = notes.find((note) => note.name === 'GNU' && note.type === NT_GNU_BUILD_ID);
  assert.ok(buildId !== undefined && buildId.desc.length >= 16);
});

test('what the writer wrote', () => {
  const image = ok<ElfImage>(readElf(program()));
  assert.equal(image.header.entry, 0x40_0100);
  assert.equal(image.segments.length, 2);
  assert.deepEqual(image.loads, [
    {
      type: PT_LOAD,
      flags: PF_R | PF_X,
      offset: 0x100,
      vaddr: 0x40_0100,
      filesz: 1,
      memsz: 0x2000,
      align: 4096,
    },
  ]);
  assert.deepEqual([image.start, image.end], [0x40_0000, 0x40_3000]);
  assert.equal(image.align, 4096);
  assert.equal(image.phdrVaddr, 0);
  assert.equal(image.interp, null);
});

test('a header table beyond the prefix', () => {
  const bytes = program();
  const moved = new Uint8Array(0x3000);
  moved.set(bytes);
  moved.copyWithin(0x2000, SIZEOF_EHDR, SIZEOF_EHDR + 2 * SIZEOF_PHDR);
  new DataView(moved.buffer).setBigUint64(32, 0x2000n, true);
  assert.equal(readElf(moved.subarray(0, 4096)), -ENOEXEC);
  const header = ok<ElfHeader>(readElfHeader(moved.subarray(0, 4096)));
  assert.deepEqual([header.phoff, header.phnum], [0x2000, 2]);
  assert.equal(ok<ElfImage>(readElfImage(header, moved.subarray(0x2000))).loads.length, 1);
});

test('files of other kinds', () => {
  const change = (at: number, value: number) => {
    const bytes = program();
    bytes[at] = value;
    return readElf(bytes);
  };
  assert.equal(readElf(new Uint8Array(0)), -ENOEXEC);
  assert.equal(readElf(Buffer.from('#!/bin/sh\n'.repeat(20))), -ENOEXEC);
  assert.equal(readElf(program().subarray(0, SIZEOF_EHDR + SIZEOF_PHDR)), -ENOEXEC);
  const wrong = {
    magic: [1, 0x46],
    relocatable: [16, 1],
    arm: [18, 183],
  };
  for (const [name, [at, value]] of Object.entries(wrong)) assert.equal(change(at!, value!), -ENOEXEC, name);
  for (const at of [4, 5]) assert.equal(typeof change(at, 9), 'object', 'Linux ignores class and byte order');
  assert.equal(change(54, 32), -ENOEXEC, 'e_phentsize');
  assert.equal(change(56, 0), -ENOEXEC, 'no program headers');
  assert.equal(change(57, 0xff), -ENOEXEC, 'more than 64 KiB of them');
});

test('segments that cannot be mapped', () => {
  assert.equal(damaged({ [P_FILESZ]: 0x2001 }), -EINVAL, 'filesz above memsz');
  assert.equal(damaged({ [P_MEMSZ]: 0x7fff_ffff_f000 }), -EINVAL, 'end above TASK_SIZE');
  assert.equal(damaged({ [P_MEMSZ]: 2n ** 64n - 1n }), -EINVAL, 'end wraps');
  assert.equal(damaged({ [P_VADDR]: 0xffff_8000_0000_0100n }), -EINVAL, 'kernel half');
  assert.equal(damaged({ [P_OFFSET]: 0x101 }), -EINVAL, 'different place in the page');
  assert.equal(damaged({ [P_OFFSET]: 2n ** 63n + 0x100n }), -EINVAL, 'huge offset');
  assert.equal(damaged({ [SIZEOF_EHDR]: 0 }), -EINVAL, 'no PT_LOAD');
  assert.equal(damaged({ 24: 2n ** 63n }), -EINVAL, 'entry outside user space');
  assert.equal(damaged({ 32: 2n ** 64n - 1n }), -ENOEXEC, 'phoff');
});

test('alignments that are not powers of two are ignored', () => {
  const align = (value: number | bigint) => ok<ElfImage>(damaged({ [P_ALIGN]: value })).align;
  assert.equal(align(0x20_0000), 0x20_0000);
  assert.equal(align(0), 4096);
  assert.equal(align(0x20_0001), 4096);
  assert.equal(align(2 ** 46 + 1), 4096);
  assert.equal(align(2n ** 64n - 1n), 4096);
});

test('interpreter paths', () => {
  assert.deepEqual(readInterp(Buffer.from('/ld\0')), new Uint8Array(Buffer.from('/ld')));
  assert.deepEqual(readInterp(Buffer.from('/a\0b\0')), new Uint8Array(Buffer.from('/a')));
  for (const bad of ['', '\0', '/ld', 'x'.repeat(4096)]) assert.equal(readInterp(Buffer.from(bad)), -ENOEXEC);
});

test('notes', () => {
  const bytes = new Uint8Array(36);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 4, true);
  view.setUint32(4, 5, true);
  view.setUint32(8, 7, true);
  bytes.set(Buffer.from('GNU\0hello'), 12);
  assert.deepEqual(readNotes(bytes.subarray(0, 24)), [
    { name: 'GNU', type: 7, desc: new Uint8Array(Buffer.from('hello')) },
  ]);
  view.setUint32(24, 0xffff_ffff, true);
  assert.equal(readNotes(bytes).length, 1, 'the second note does not fit');
});

function neverThrows(bytes: Uint8Array): void {
  const result = readElf(bytes);
  if (typeof result === 'number') {
    assert.ok(result === -ENOEXEC || result === -EINVAL);
    return;
  }
  assert.ok(result.start <= result.end && result.end <= 0x7fff_ffff_f000);
  for (const load of result.loads) {
    assert.ok(
      load.vaddr >= result.start && load.vaddr + load.memsz <= result.end && load.filesz <= load.memsz,
    );
  }
}

test('hostile headers never throw, and accepted ones keep their promises', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 512 }), neverThrows));
  const patch = fc.tuple(fc.nat(SIZEOF_EHDR + 2 * SIZEOF_PHDR - 1), fc.nat(255));
  const field = fc.tuple(
    fc.nat(21).map((n) => n * 8),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  );
  fc.assert(
    fc.property(fc.array(patch, { maxLength: 6 }), fc.array(field, { maxLength: 2 }), (patches, fields) => {
      const bytes = program();
      const view = new DataView(bytes.buffer);
      for (const [at, value] of fields) view.setBigUint64(at, value, true);
      // Keep the identification, so that most runs reach the program headers.
      bytes.set(program().subarray(0, 20));
      for (const [at, value] of patches) bytes[at] = value;
      neverThrows(bytes);
    }),
    { numRuns: 3000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(0, 4, 8, Infinity), (bytes, align) => {
      readNotes(bytes, align);
      readInterp(bytes);
    }),
  );
});
