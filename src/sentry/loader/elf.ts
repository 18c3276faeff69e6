// Mapping an ELF image: load_elf_binary and load_elf_interp of Linux, as far as addresses are concerned.

import { EINVAL, EIO, ELIBBAD, ENOEXEC, ENOMEM } from '../../abi/errno.ts';
import {
  MAP_ANONYMOUS,
  MAP_DENYWRITE,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_PRIVATE,
  PROT_EXEC,
  PROT_NONE,
  PROT_READ,
  PROT_WRITE,
} from '../../abi/memory/mman.ts';
import {
  type ElfImage,
  ET_DYN,
  PF_R,
  PF_W,
  PF_X,
  type ProgramHeader,
  readElfHeader,
  readElfImage,
  readInterp,
  SIZEOF_EHDR,
  SIZEOF_PHDR,
} from '../../elf/index.ts';
import { bytesToString } from '../base/bytes.ts';
import { failed } from '../base/errno.ts';
import { pageDown, pageOffset, pageUp } from '../base/page.ts';
import type { MemoryManager } from '../mm/mm.ts';
import type { VfsContext } from '../vfs/context.ts';
import type { File } from '../vfs/file.ts';
import { readExact } from './binprm.ts';

/** Where Linux puts a position-independent program: two thirds of the address space (ELF_ET_DYN_BASE). */
export const ELF_ET_DYN_BASE = 0x5555_5555_4000;

/** An ELF file that has been read, not mapped. */
export interface Program {
  readonly file: File;
  readonly image: ElfImage;
}

/** Where an image was mapped. */
export interface Placed {
  /** What was added to the addresses in the file. */
  readonly bias: number;
  readonly entry: number;
  /** End of the highest segment in memory: where brk begins. */
  readonly end: number;
}

/** Reads the headers of a program. -ENOEXEC when it is no ELF program for this machine; -EINVAL for bad segments. */
export function readProgram(ctx: VfsContext, file: File, prefix: Uint8Array): ElfImage | number {
  const header = readElfHeader(prefix);
  if (failed(header)) return header;
  const table = readExact(ctx, file, header.phoff, header.phnum * SIZEOF_PHDR);
  if (failed(table)) return -ENOEXEC;
  return readElfImage(header, table);
}

/** The path in PT_INTERP, or null when the program has none. -ENOEXEC, -EIO. */
export function interpreterPath(ctx: VfsContext, file: File, image: ElfImage): string | null | number {
  const segment = image.interp;
  if (segment === null) return null;
  const bytes = readExact(ctx, file, segment.offset, segment.filesz);
  if (failed(bytes)) return bytes;
  const path = readInterp(bytes);
  return failed(path) ? path : bytesToString(path);
}

/** Reads the headers of an interpreter. -ELIBBAD when it is none; -EIO when it is too short. */
export function readInterpreter(ctx: VfsContext, file: File): ElfImage | number {
  const prefix = readExact(ctx, file, 0, SIZEOF_EHDR);
  if (failed(prefix)) return prefix;
  const image = readProgram(ctx, file, prefix);
  if (image === -EIO || image === -ENOEXEC) return -ELIBBAD;
  return image;
}

/**
 * Maps all segments. `base` is the address for a position-independent image (its lowest page goes there); 0 lets the
 * memory manager choose. Fixed images go where they say. -ENOMEM, -EINVAL, -EEXIST when something is in the way.
 */
export function mapImage(
  mm: MemoryManager,
  ctx: VfsContext,
  program: Program,
  base: number,
  interpreter: boolean,
): Placed | number {
  const { image } = program;
  let bias = 0;
  if (image.header.type === ET_DYN) {
    const at = reserve(mm, image, base);
    if (at < 0) return at;
    bias = at - image.start;
  }
  let end = 0;
  // Only the first segment of a program must find its place free: later ones, and interpreters with fixed addresses,
  // may cover what was mapped before them, as on Linux.
  let fixed = interpreter ? MAP_FIXED : MAP_FIXED_NOREPLACE;
  for (const segment of image.loads) {
    const r = mapSegment(mm, ctx, program.file, segment, bias, fixed);
    if (r < 0) return r;
    fixed = MAP_FIXED;
    end = Math.max(end, segment.vaddr + segment.memsz + bias);
  }
  return { bias, entry: image.header.entry + bias, end };
}

/** Finds room for the whole image, so that its segments keep their distances; its address or -errno. */
function reserve(mm: MemoryManager, image: ElfImage, base: number): number {
  const size = image.end - image.start;
  const slack = base === 0 && image.align > 4096 ? image.align : 0;
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | (base === 0 ? 0 : MAP_FIXED_NOREPLACE);
  const got = mm.mmap(base, size + slack, PROT_NONE, flags, null, null, 0);
  if (got < 0) return got;
  const rest = slack === 0 ? 0 : got % image.align;
  const at = rest === 0 ? got : got + image.align - rest;
  // The gaps between segments stay unmapped, as on Linux.
  mm.munmap(got, size + slack);
  return at;
}

function protOf(segment: ProgramHeader): number {
  return (
    ((segment.flags & PF_R) !== 0 ? PROT_READ : 0) |
    ((segment.flags & PF_W) !== 0 ? PROT_WRITE : 0) |
    ((segment.flags & PF_X) !== 0 ? PROT_EXEC : 0)
  );
}

/** Maps one PT_LOAD: file pages, then zeroed memory for what the file does not hold. 0 or -errno. */
function mapSegment(
  mm: MemoryManager,
  ctx: VfsContext,
  file: File,
  segment: ProgramHeader,
  bias: number,
  fixed: number,
): number {
  const prot = protOf(segment);
  const vaddr = segment.vaddr + bias;
  const fileEnd = vaddr + segment.filesz;
  const memEnd = vaddr + segment.memsz;
  let zeroFrom = pageDown(vaddr);
  if (segment.filesz > 0) {
    const source = file.mmap(ctx, prot, MAP_PRIVATE);
    if (typeof source === 'number') return source;
    const start = pageDown(vaddr);
    const skip = pageOffset(vaddr);
    const pgoff = (segment.offset - skip) / 4096;
    const flags = MAP_PRIVATE | MAP_DENYWRITE | fixed;
    const r = mm.mmap(start, pageUp(segment.filesz + skip), prot, flags, file, source, pgoff);
    if (r < 0) return r;
    zeroFrom = pageUp(fileEnd);
    // Only a page that the program may write is cleared behind the file's bytes: Linux does not write others either.
    if (memEnd > fileEnd && zeroFrom > fileEnd && (prot & PROT_WRITE) !== 0) {
      const len = zeroFrom - fileEnd;
      if (mm.zeroOut(fileEnd, len) !== len) return -ENOMEM;
    }
  }
  const zeroEnd = pageUp(memEnd);
  if (zeroEnd <= zeroFrom) return 0;
  const zeroProt = PROT_READ | PROT_WRITE | (prot & PROT_EXEC);
  const flags = MAP_PRIVATE | MAP_ANONYMOUS | fixed;
  const r = mm.mmap(zeroFrom, zeroEnd - zeroFrom, zeroProt, flags, null, null, 0);
  return r < 0 ? (r === -ENOMEM ? r : -EINVAL) : 0;
}

/** Records where code and data lie, as /proc/PID/stat shows them. */
export function noteLayout(mm: MemoryManager, image: ElfImage, bias: number): void {
  let startCode = Number.POSITIVE_INFINITY;
  let endCode = 0;
  let startData = 0;
  let endData = 0;
  for (const segment of image.loads) {
    const start = segment.vaddr + bias;
    const end = start + segment.filesz;
    if ((segment.flags & PF_X) !== 0) {
      startCode = Math.min(startCode, start);
      endCode = Math.max(endCode, end);
    }
    startData = Math.max(startData, start);
    endData = Math.max(endData, end);
  }
  mm.startCode = endCode === 0 ? 0 : startCode;
  mm.endCode = endCode;
  mm.startData = startData;
  mm.endData = endData;
}
