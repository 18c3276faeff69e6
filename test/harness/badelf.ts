// Files that are no programs, or hardly: each must be refused (or killed) inside just as on Linux.
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface Segment {
  type: number;
  flags: number;
  offset: number;
  vaddr: number;
  filesz: number;
  memsz: number;
}

const PT_LOAD = 1;
const PT_INTERP = 3;
const R = 4;
const X = 1;
const HEADER = 64;
const PHENT = 56;
const CODE = 0x200;
// mov edi, 7; mov eax, 231 (exit_group); syscall
const exitSeven = Uint8Array.of(0xbf, 7, 0, 0, 0, 0xb8, 231, 0, 0, 0, 0x0f, 0x05);

/** A static x86-64 program that exits with 7, with other header bytes or segments on request. */
function elf(
  change: { segments?: Segment[]; patch?: (view: DataView) => void; size?: number } = {},
): Uint8Array {
  const segments = change.segments ?? [load()];
  const image = new Uint8Array(0x1000);
  const view = new DataView(image.buffer);
  image.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 2, true); // ET_EXEC
  view.setUint16(18, 62, true); // EM_X86_64
  view.setUint32(20, 1, true);
  view.setBigUint64(24, BigInt(0x400000 + CODE), true);
  view.setBigUint64(32, BigInt(HEADER), true);
  view.setUint16(52, HEADER, true);
  view.setUint16(54, PHENT, true);
  view.setUint16(56, segments.length, true);
  for (const [i, s] of segments.entries()) {
    const at = HEADER + i * PHENT;
    view.setUint32(at, s.type, true);
    view.setUint32(at + 4, s.flags, true);
    view.setBigUint64(at + 8, BigInt(s.offset), true);
    view.setBigUint64(at + 16, BigInt(s.vaddr), true);
    view.setBigUint64(at + 24, BigInt(s.vaddr), true);
    view.setBigUint64(at + 32, BigInt(s.filesz), true);
    view.setBigUint64(at + 40, BigInt(s.memsz), true);
    view.setBigUint64(at + 48, 0x1000n, true);
  }
  image.set(exitSeven, CODE);
  change.patch?.(view);
  return image.subarray(0, change.size ?? image.length);
}

function load(change: Partial<Segment> = {}): Segment {
  return {
    type: PT_LOAD,
    flags: R | X,
    offset: 0,
    vaddr: 0x400000,
    filesz: 0x1000,
    memsz: 0x1000,
    ...change,
  };
}

const files: Record<string, () => Uint8Array | string> = {
  good: () => elf(),
  empty: () => '',
  'one-byte': () => '\x7f',
  'magic-only': () => '\x7fELF',
  'half-header': () => elf({ size: 32 }),
  'header-only': () => elf({ size: 64 }),
  'cut-segment': () => elf({ size: 0x180 }),
  'wrong-class': () => elf({ patch: (v) => v.setUint8(4, 1) }),
  'wrong-order': () => elf({ patch: (v) => v.setUint8(5, 2) }),
  'wrong-machine': () => elf({ patch: (v) => v.setUint16(18, 183, true) }),
  'relocatable-type': () => elf({ patch: (v) => v.setUint16(16, 1, true) }),
  'core-type': () => elf({ patch: (v) => v.setUint16(16, 4, true) }),
  'no-headers': () => elf({ patch: (v) => v.setUint16(56, 0, true) }),
  'too-many-headers': () => elf({ patch: (v) => v.setUint16(56, 65535, true) }),
  'wrong-header-size': () => elf({ patch: (v) => v.setUint16(54, 32, true) }),
  'headers-beyond-end': () => elf({ patch: (v) => v.setBigUint64(32, 0x10000000n, true) }),
  'headers-at-top': () => elf({ patch: (v) => v.setBigUint64(32, 0xffffffffffffff00n, true) }),
  'entry-nowhere': () => elf({ patch: (v) => v.setBigUint64(24, 0x12345678n, true) }),
  'entry-not-canonical': () => elf({ patch: (v) => v.setBigUint64(24, 0x8000000000000000n, true) }),
  'file-size-over-memory': () => elf({ segments: [load({ memsz: 0x800 })] }),
  'huge-memory': () => elf({ segments: [load({ memsz: 2 ** 50 })] }),
  'huge-file-size': () => elf({ segments: [load({ filesz: 2 ** 46, memsz: 2 ** 46 })] }),
  'kernel-address': () => elf({ patch: (v) => v.setBigUint64(HEADER + 16, 0xffff800000000000n, true) }),
  'odd-alignment': () => elf({ segments: [load({ vaddr: 0x400123 })] }),
  'overlapping-segments': () => elf({ segments: [load(), load({ flags: R })] }),
  'zero-bss': () =>
    elf({ segments: [load(), load({ flags: R | 2, vaddr: 0x500000, filesz: 0, memsz: 0x5000 })] }),
  'missing-interpreter': () =>
    elf({
      segments: [
        load(),
        { type: PT_INTERP, flags: R, offset: 0x300, vaddr: 0x400300, filesz: 14, memsz: 14 },
      ],
      patch: (v) => new Uint8Array(v.buffer).set(Buffer.from('/no/such/file\0'), 0x300),
    }),
  'interpreter-without-zero': () =>
    elf({
      segments: [load(), { type: PT_INTERP, flags: R, offset: 0x300, vaddr: 0x400300, filesz: 8, memsz: 8 }],
      patch: (v) => new Uint8Array(v.buffer).set(Buffer.from('/bin/sh!'), 0x300),
    }),
  'interpreter-too-long': () =>
    elf({
      segments: [load(), { type: PT_INTERP, flags: R, offset: 0, vaddr: 0, filesz: 0x10000, memsz: 0x10000 }],
    }),
  'interpreter-is-folder': () =>
    elf({
      segments: [load(), { type: PT_INTERP, flags: R, offset: 0x300, vaddr: 0x400300, filesz: 5, memsz: 5 }],
      patch: (v) => new Uint8Array(v.buffer).set(Buffer.from('/tmp\0'), 0x300),
    }),
  'text-file': () => 'just words\n',
  'script-without-interpreter': () => '#!/no/such/interpreter\n',
  'script-of-itself': () => '#!./script-of-itself\n',
  'script-with-nothing': () => '#!\n',
  'script-with-long-line': () => `#!/${'x'.repeat(5000)}\n`,
  'script-with-zeros': () => '#!\0\0\0\0\n',
};

/** Writes every such file into the folder and returns their names. */
export function writeBadPrograms(dir: string): string[] {
  for (const [name, make] of Object.entries(files)) {
    writeFileSync(join(dir, name), make());
    chmodSync(join(dir, name), 0o755);
  }
  return Object.keys(files);
}
