import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { needs } from '../../test/harness/needs.ts';
import { AL, Assembler, dword, EAX, EDI, imm, mem, qword, RAX, RDI, RSP, rip } from '../asm/index.ts';
import { PF_R, PF_W, PF_X } from './constants.ts';
import { gnuHash, sysvHash } from './hash.ts';
import { type ElfImage, readElf } from './reader.ts';
import { type SharedSymbol, writeSharedObject } from './shared.ts';
import { writeExecutable } from './writer.ts';

const SYS_exit = 60;

/** Runs `use` with the path of a file that holds `bytes`. */
function withFile(bytes: Uint8Array, use: (path: string) => void): void {
  const dir = mkdtempSync(join(tmpdir(), 'elf-'));
  try {
    const path = join(dir, 'image');
    writeFileSync(path, bytes, { mode: 0o755 });
    use(path);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function readelf(path: string): string {
  const { stdout, stderr } = spawnSync('readelf', ['-a', '-W', path], { encoding: 'utf8' });
  assert.doesNotMatch(stdout + stderr, /warning|error|corrupt/i);
  return stdout;
}

/** exit(data + bss + 2): reads an initialised and a zeroed word of a writable segment. */
function exitProgram(): Uint8Array {
  const data = 0x60_0ff8;
  const a = new Assembler({ base: 0x40_0000 }).external('data', data);
  a.label('start').mov(EDI, rip('data')).add(EDI, rip('data', 0x1000));
  a.inc(dword(rip('data', 0x1004)))
    .lea(RDI, mem(RDI, 1))
    .add(EDI, rip('data', 0x1004));
  a.mov(EAX, imm(SYS_exit)).syscall();
  return writeExecutable({
    entry: a.addressOf('start'),
    segments: [
      { vaddr: 0x40_0000, bytes: a.finish(), flags: PF_R | PF_X },
      { vaddr: data, bytes: Uint8Array.of(40, 0, 0, 0), flags: PF_R | PF_W, memsz: 0x3000 },
    ],
  });
}

test('an emitted program runs', () => {
  withFile(exitProgram(), (path) => {
    const { status, signal } = spawnSync(path);
    assert.deepEqual({ status, signal }, { status: 42, signal: null });
  });
});

test('readelf accepts an emitted program', needs('readelf'), () => {
  withFile(exitProgram(), (path) => {
    const text = readelf(path);
    assert.match(text, /EXEC \(Executable file\)/);
    assert.match(text, /LOAD .* R E /);
    assert.match(text, /GNU_STACK .* RW /);
  });
});

test('segments that overlap or do not fit are refused', () => {
  const segment = { vaddr: 0x1000, bytes: new Uint8Array(16), flags: PF_R };
  const write = (...segments: (typeof segment & { memsz?: number })[]) =>
    writeExecutable({ entry: 0, segments });
  assert.throws(() => write({ ...segment, memsz: 8 }), RangeError);
  assert.throws(() => write(segment, { ...segment, vaddr: 0x1010 }), RangeError);
  assert.throws(() => write({ ...segment, vaddr: -4096 }), RangeError);
});

const TEXT_VADDR = 0x800;

/** Functions that return their own index, and one that reads the image beside it. */
function sharedObject(count: number): Uint8Array {
  const a = new Assembler({ base: TEXT_VADDR });
  const symbols: SharedSymbol[] = [];
  for (let i = 0; i < count; i++) {
    const offset = a.size;
    a.mov(EAX, imm(1000 + i)).ret();
    symbols.push({ name: `__test_function_${i}`, offset, size: a.size - offset });
    symbols.push({ name: `alias_${i}`, offset, size: a.size - offset, binding: 'weak' });
  }
  const offset = a.size;
  a.external('image', 0)
    .movzx(EAX, { ...rip('image', 1), size: 1 })
    .ret();
  symbols.push({ name: 'second_byte_of_image', offset, size: a.size - offset });
  symbols.push({ name: 'table', offset: a.align(8).size, size: 8, type: 'object' });
  a.u64(0x1122334455667788n);
  return writeSharedObject({
    soname: 'linux-vdso.so.1',
    version: 'LINUX_2.6',
    textVaddr: TEXT_VADDR,
    text: a.finish(),
    symbols,
  });
}

test('readelf accepts a shared object', needs('readelf'), () => {
  for (const count of [0, 1, 7]) {
    withFile(sharedObject(count), (path) => {
      const text = readelf(path);
      assert.match(text, /SONAME.*linux-vdso\.so\.1/);
      assert.match(text, /FUNC +GLOBAL DEFAULT +8 second_byte_of_image@@LINUX_2\.6/);
      assert.match(text, /OBJECT +GLOBAL DEFAULT +8 table@@LINUX_2\.6/);
      if (count > 0) assert.match(text, /FUNC +WEAK +DEFAULT +8 alias_0@@LINUX_2\.6/);
      assert.match(text, /Name: LINUX_2\.6/);
    });
  }
});

test('the dynamic linker finds every symbol by name and version', needs('python3'), () => {
  const count = 9;
  const script = `
import ctypes, sys
lib = ctypes.CDLL(sys.argv[1])
libc = ctypes.CDLL(None)
libc.dlvsym.restype = ctypes.c_void_p
libc.dlvsym.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p]
for i in range(${count}):
    assert lib['__test_function_%d' % i]() == 1000 + i
    assert lib['alias_%d' % i]() == 1000 + i
    assert libc.dlvsym(lib._handle, b'alias_%d' % i, b'LINUX_2.6')
    assert not libc.dlvsym(lib._handle, b'alias_%d' % i, b'LINUX_2.5')
assert not hasattr(lib, 'alias_${count}')
assert lib.second_byte_of_image() == ord('E')
assert ctypes.c_uint64.in_dll(lib, 'table').value == 0x1122334455667788
`;
  withFile(sharedObject(count), (path) => {
    const { status, stderr } = spawnSync('python3', ['-c', script, path], { encoding: 'utf8' });
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  });
});

test('a shared object is one segment from address 0, with its tables below the text', () => {
  const image = readElf(sharedObject(3)) as ElfImage;
  assert.equal(image.loads.length, 1);
  assert.equal(image.loads[0]!.vaddr, 0);
  assert.equal(image.loads[0]!.flags, PF_R | PF_X);
  assert.equal(image.phdrVaddr, 64);
  assert.ok(image.dynamic!.vaddr + image.dynamic!.memsz <= TEXT_VADDR);
  assert.throws(() => sharedObject(40), /ELF tables end/);
});

test('hashes', () => {
  assert.equal(sysvHash(''), 0);
  assert.equal(sysvHash('ab'), 0x61 * 16 + 0x62);
  // The value that programs which parse the VDSO themselves have built in.
  assert.equal(sysvHash('LINUX_2.6'), 0x3ae75f6);
  assert.equal(gnuHash(''), 5381);
  assert.equal(gnuHash('a'), 5381 * 33 + 0x61);
});

test('an emitted loop over the stack runs', () => {
  const a = new Assembler({ base: 0x10_0000 });
  // Sums 1..9 on the stack with a loop: 45.
  a.sub(RSP, imm(16))
    .mov(qword(mem(RSP)), imm(0))
    .mov(RAX, imm(9));
  a.label('loop').add(mem(RSP), RAX).dec(RAX).jneShort('loop');
  a.cmp(dword(mem(RSP)), imm(45))
    .setne(AL)
    .movzx(EDI, AL)
    .mov(EAX, imm(SYS_exit))
    .syscall();
  const segments = [{ vaddr: 0x10_0000, bytes: a.finish(), flags: PF_R | PF_X }];
  withFile(writeExecutable({ entry: 0x10_0000, segments }), (path) =>
    assert.equal(spawnSync(path).status, 0),
  );
});
