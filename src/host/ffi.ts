// The one place that loads the FFI. Everything below the FFI is machine code that our assembler emits: raw system calls
// that return -errno, so neither libc's errno nor its wrappers are needed, and musl and glibc hosts behave alike.

import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { MachineCode } from '../asm/index.ts';

/** What this host does not let us do, in one line with the fix. */
export class HostRefusal extends Error {
  override readonly name = 'HostRefusal';
}

type Koffi = typeof import('koffi');

const BINARY = '@koromix/koffi-linux-x64/linux_x64/koffi.node';
const GLIBC_LOADER = 'ld-linux-x86-64.so.2';
const PROT_RW = 3;
const PROT_RX = 5;
const MAP_PRIVATE_ANON = 0x22;
const CODE_SIZE = 16384;

/** True when this Node.js runs on glibc: the name of the loader is near the start of its file. */
function onGlibc(): boolean {
  const fd = openSync(process.execPath, 'r');
  const head = Buffer.alloc(4096);
  readSync(fd, head, 0, head.length, 0);
  closeSync(fd);
  return head.includes(GLIBC_LOADER);
}

/** File of koffi's binary for glibc, found as require() would, without looking at packages; or null. */
function findBinary(): string | null {
  for (let dir = import.meta.dirname; ; dir = dir.slice(0, dir.lastIndexOf('/'))) {
    const file = `${dir}/node_modules/${BINARY}`;
    if (existsSync(file)) return file;
    if (dir === '') return null;
  }
}

/** koffi takes 6 ms to find out which of its binaries fits this host: on glibc we know, else koffi itself looks. */
function loadKoffi(): Koffi {
  try {
    const file = onGlibc() ? findBinary() : null;
    if (file !== null) {
      const module = { exports: {} };
      process.dlopen(module, file);
      return module.exports as Koffi;
    }
  } catch {}
  try {
    return createRequire(import.meta.filename)('koffi') as Koffi;
  } catch (error) {
    const [why] = (error as Error).message.split('\n');
    throw new HostRefusal(
      `native code cannot be loaded (${why}); fix: npm ci, and no noexec mount below node_modules`,
    );
  }
}

const koffi = loadKoffi();
const libc = koffi.load(null);
// SAFETY: prototypes as in mmap(2) and mprotect(2).
const mmap = libc.func('int64_t mmap(int64_t addr, int64_t len, int prot, int flags, int fd, int64_t off)');
const mprotect = libc.func('int mprotect(int64_t addr, int64_t len, int prot)');

/** An ArrayBuffer over `len` bytes of this process's memory at `addr`. The caller keeps the mapping alive. */
export function viewMemory(addr: number, len: number): ArrayBuffer {
  // SAFETY: addr is a mapping that this layer made and never unmaps while views of it exist.
  return koffi.view(BigInt(addr), len);
}

/** Page-aligned private memory straight from libc, for use before hostCall exists. */
export function bootMemory(len: number): number {
  const addr = Number(mmap(0, len, PROT_RW, MAP_PRIVATE_ANON, -1, 0));
  if (addr <= 0) throw new HostRefusal('the host refuses memory; fix: raise "ulimit -v"');
  return addr;
}

/** Makes position-independent code executable; label -> address. */
export function installCode({ bytes, labels }: MachineCode): (label: string) => number {
  const size = Math.ceil(bytes.length / CODE_SIZE) * CODE_SIZE;
  const at = bootMemory(size);
  new Uint8Array(viewMemory(at, size)).set(bytes);
  if (mprotect(at, size, PROT_RX) !== 0)
    throw new HostRefusal(
      'the host refuses executable memory; fix: a security module (SELinux: execmem) that allows it',
    );
  return (label) => at + labels[label]!;
}

/** A JS function that calls machine code at `addr` with the C prototype `signature` (result and arguments). */
export function routine(addr: number, signature: string): (...args: number[]) => number {
  // SAFETY: the code at addr follows the System V calling convention with exactly this signature.
  return koffi.decode(BigInt(addr), koffi.proto(signature)) as unknown as (...args: number[]) => number;
}

/** Address of a libc symbol, or 0 when this libc lacks it. */
export function libcFunction(definition: string): (...args: number[]) => number {
  // SAFETY: callers give the prototype of libc's own header.
  return libc.func(definition) as unknown as (...args: number[]) => number;
}
