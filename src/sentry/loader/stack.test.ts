import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  AT_BASE,
  AT_ENTRY,
  AT_EXECFN,
  AT_NULL,
  AT_PHDR,
  AT_PLATFORM,
  AT_RANDOM,
  AT_SECURE,
  AT_UID,
} from '../../abi/process/auxvec.ts';
import { getU64 } from '../../abi/u64.ts';
import { credFor } from '../base/cred.ts';
import { ArgStrings } from '../kernel/task/arg_strings.ts';
import { StackImage } from './stack.ts';

const TOP = 0x7fff_1234_5000;
const AUX = {
  phdr: 0x5555_5555_4040,
  phnum: 13,
  base: 0x7f00_0000_0000,
  entry: 0x5555_5555_6000,
  cred: credFor(1000, 100),
  secure: true,
  vdso: 0,
  fsgsbase: true,
};

/** Reads a stack image as a program would. */
function read(argv: string[], envp: string[], randomize: boolean, step = Number.POSITIVE_INFINITY) {
  const image = new StackImage(TOP, '/bin/prog', ArgStrings.of(argv), ArgStrings.of(envp), AUX, randomize);
  const { sp } = image;
  const bytes = new Uint8Array(TOP - sp);
  const copyOutExact = (addr: number, src: Uint8Array, off: number, len: number) => {
    assert.ok(addr >= sp && addr + len <= TOP);
    bytes.set(src.subarray(off, off + len), addr - sp);
    return 0;
  };
  while (image.write({ copyOutExact }, step) > 0);
  const { argStart, argEnd, envStart, envEnd, auxv } = image;
  const s = { sp, bytes, argStart, argEnd, envStart, envEnd, auxv };
  const view = new DataView(s.bytes.buffer, s.bytes.byteOffset, s.bytes.byteLength);
  const word = (addr: number): number => getU64(view, addr - s.sp);
  const text = (addr: number): string => {
    const from = addr - s.sp;
    return Buffer.from(s.bytes.subarray(from, s.bytes.indexOf(0, from))).toString('latin1');
  };
  const strings = (addr: number): string[] => {
    const out: string[] = [];
    for (let at = addr; word(at) !== 0; at += 8) out.push(text(word(at)));
    return out;
  };
  const envAt = s.sp + 8 + (word(s.sp) + 1) * 8;
  const seen = strings(envAt);
  const aux = new Map<number, number>();
  let at = envAt + (seen.length + 1) * 8;
  for (; word(at) !== AT_NULL; at += 16) aux.set(word(at), word(at + 8));
  return { s, argc: word(s.sp), argv: strings(s.sp + 8), envp: seen, aux, text };
}

test('a program finds its arguments, environment and auxiliary vector', () => {
  const r = read(['prog', 'a b', ''], ['A=1', 'PATH=/bin'], false);
  assert.equal(r.argc, 3);
  assert.deepEqual(r.argv, ['prog', 'a b', '']);
  assert.deepEqual(r.envp, ['A=1', 'PATH=/bin']);
  assert.equal(r.aux.get(AT_PHDR), AUX.phdr);
  assert.equal(r.aux.get(AT_BASE), AUX.base);
  assert.equal(r.aux.get(AT_ENTRY), AUX.entry);
  assert.equal(r.aux.get(AT_UID), 1000);
  assert.equal(r.aux.get(AT_SECURE), 1);
  assert.equal(r.text(r.aux.get(AT_EXECFN)!), '/bin/prog');
  assert.equal(r.text(r.aux.get(AT_PLATFORM)!), 'x86_64');
});

test('/proc finds the strings between argStart and envEnd', () => {
  const { s } = read(['x', 'yy'], ['A=1'], false);
  const part = (from: number, to: number) => Buffer.from(s.bytes.subarray(from - s.sp, to - s.sp)).toString();
  assert.equal(part(s.argStart, s.argEnd), 'x\0yy\0');
  assert.equal(part(s.envStart, s.envEnd), 'A=1\0');
  assert.equal(s.auxv.length % 16, 0);
});

test('any strings: aligned, within the image, ended by eight zero bytes', () => {
  const list = fc.array(
    fc.uint8Array({ min: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(list, list, fc.boolean(), fc.nat(9000), (argv, envp, randomize, step) => {
      const r = read(argv, envp, randomize, 1 + step);
      assert.equal(r.s.sp % 16, 0);
      assert.equal(r.s.sp + r.s.bytes.length, TOP);
      assert.deepEqual(r.argv, argv);
      assert.deepEqual(r.envp, envp);
      const random = r.aux.get(AT_RANDOM)!;
      assert.ok(random >= r.s.sp && random + 16 <= r.s.argStart);
      assert.ok(r.s.bytes.subarray(-8).every((b) => b === 0));
    }),
  );
});
