import { EINVAL, ENOEXEC } from '../abi/errno.ts';
import { PAGE_SIZE, PATH_MAX } from '../abi/limits.ts';
import {
  ELF_MAGIC,
  EM_X86_64,
  ET_DYN,
  ET_EXEC,
  PF_X,
  PT_DYNAMIC,
  PT_GNU_PROPERTY,
  PT_GNU_STACK,
  PT_INTERP,
  PT_LOAD,
  PT_NOTE,
  PT_PHDR,
  PT_TLS,
  SIZEOF_EHDR,
  SIZEOF_NHDR,
  SIZEOF_PHDR,
} from './constants.ts';

/** The end of user space with four-level page tables: TASK_SIZE of x86-64. */
const TASK_SIZE = 0x7fff_ffff_f000;

/** Linux refuses program header tables above 64 KiB. */
const MAX_PHDR_TABLE_SIZE = 65536;

export interface ElfHeader {
  readonly type: typeof ET_EXEC | typeof ET_DYN;
  readonly entry: number;
  readonly phoff: number;
  readonly phnum: number;
  readonly flags: number;
}

/**
 * One program header. Fields of PT_LOAD are validated. The other types are only read: their values are exact up to
 * 2^53 and rounded above, and whoever uses them checks them like any guest number.
 */
export interface ProgramHeader {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly vaddr: number;
  readonly filesz: number;
  readonly memsz: number;
  readonly align: number;
}

export interface ElfImage {
  readonly header: ElfHeader;
  readonly segments: readonly ProgramHeader[];
  /** PT_LOAD in file order, at least one. */
  readonly loads: readonly ProgramHeader[];
  /** Size and place of the interpreter's path; pass the bytes to `readInterp`. */
  readonly interp: ProgramHeader | null;
  readonly dynamic: ProgramHeader | null;
  readonly tls: ProgramHeader | null;
  readonly phdr: ProgramHeader | null;
  readonly property: ProgramHeader | null;
  readonly notes: readonly ProgramHeader[];
  /** PT_GNU_STACK asks for an executable stack. */
  readonly execStack: boolean;
  /** Page-aligned range that the PT_LOAD segments span, before relocation. */
  readonly start: number;
  readonly end: number;
  /** What the load address of an ET_DYN image must be a multiple of: a power of two, at least a page. */
  readonly align: number;
  /** Where the program headers are mapped (AT_PHDR, before relocation), or 0 if no segment holds them. */
  readonly phdrVaddr: number;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A real copy: `slice` of a Buffer would share its memory. */
function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.subarray(start, end));
}

/** Exact up to 2^53; larger values are rounded and fail `Number.isSafeInteger` or a range check. */
function u64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}

/**
 * Reads the ELF64 header of a program for this machine. `prefix` is the start of the file, however much was read.
 * Returns -ENOEXEC for everything that Linux would not run, -EINVAL for an entry that is no user address.
 */
export function readElfHeader(prefix: Uint8Array): ElfHeader | number {
  if (prefix.length < SIZEOF_EHDR) return -ENOEXEC;
  const view = viewOf(prefix);
  // e_ident 0 | e_type 16 | e_machine 18 | e_version 20 | e_entry 24 | e_phoff 32 | e_shoff 40 | e_flags 48
  // e_ehsize 52 | e_phentsize 54 | e_phnum 56 | e_shentsize 58 | e_shnum 60 | e_shstrndx 62
  if (view.getUint32(0, true) !== ELF_MAGIC) return -ENOEXEC;
  // Linux does not look at the class and byte order in e_ident: the machine decides.
  const type = view.getUint16(16, true);
  if (type !== ET_EXEC && type !== ET_DYN) return -ENOEXEC;
  if (view.getUint16(18, true) !== EM_X86_64) return -ENOEXEC;
  const entry = u64(view, 24);
  const phoff = u64(view, 32);
  const phnum = view.getUint16(56, true);
  if (view.getUint16(54, true) !== SIZEOF_PHDR) return -ENOEXEC;
  if (phnum === 0 || phnum * SIZEOF_PHDR > MAX_PHDR_TABLE_SIZE) return -ENOEXEC;
  if (!Number.isSafeInteger(phoff + MAX_PHDR_TABLE_SIZE)) return -ENOEXEC;
  if (entry >= TASK_SIZE) return -EINVAL;
  return { type, entry, phoff, phnum, flags: view.getUint32(48, true) };
}

function readProgramHeader(view: DataView, at: number): ProgramHeader {
  // p_type 0 | p_flags 4 | p_offset 8 | p_vaddr 16 | p_paddr 24 | p_filesz 32 | p_memsz 40 | p_align 48
  return {
    type: view.getUint32(at, true),
    flags: view.getUint32(at + 4, true),
    offset: u64(view, at + 8),
    vaddr: u64(view, at + 16),
    filesz: u64(view, at + 32),
    memsz: u64(view, at + 40),
    align: u64(view, at + 48),
  };
}

/** Whether load_elf_binary of Linux would map this segment instead of failing with EINVAL. */
function isLoadable(segment: ProgramHeader): boolean {
  const { offset, vaddr, filesz, memsz } = segment;
  if (filesz > memsz || memsz > TASK_SIZE || vaddr > TASK_SIZE - memsz) return false;
  if (filesz === 0) return true;
  // mmap wants whole pages, so the position within a page must be the same in file and memory.
  return offset % PAGE_SIZE === vaddr % PAGE_SIZE && Number.isSafeInteger(offset + filesz);
}

/** Like Linux, ignores alignments that are not powers of two. */
function alignmentOf(loads: readonly ProgramHeader[]): number {
  let result = PAGE_SIZE;
  for (const { align } of loads) {
    const isPower = align === 2 ** Math.round(Math.log2(align));
    if (isPower && align > result && align < TASK_SIZE) result = align;
  }
  return result;
}

function pageDown(address: number): number {
  return address - (address % PAGE_SIZE);
}

/**
 * Reads the program header table: `table` holds at least the phnum * 56 bytes found at phoff in the file.
 * Returns -ENOEXEC if it does not, or -EINVAL for segments that cannot be mapped.
 */
export function readElfImage(header: ElfHeader, table: Uint8Array): ElfImage | number {
  if (table.length < header.phnum * SIZEOF_PHDR) return -ENOEXEC;
  const view = viewOf(table);
  const segments: ProgramHeader[] = [];
  for (let i = 0; i < header.phnum; i++) segments.push(readProgramHeader(view, i * SIZEOF_PHDR));

  const loads = segments.filter((segment) => segment.type === PT_LOAD);
  if (loads.length === 0 || !loads.every(isLoadable)) return -EINVAL;
  const start = pageDown(Math.min(...loads.map((load) => load.vaddr)));
  const end = pageDown(Math.max(...loads.map((load) => load.vaddr + load.memsz)) + PAGE_SIZE - 1);
  // Linux takes the first segment of a kind where one is expected, the last for the stack.
  const first = (type: number) => segments.find((segment) => segment.type === type) ?? null;
  const interp = first(PT_INTERP);
  if (interp !== null && (interp.filesz < 2 || interp.filesz > PATH_MAX)) return -ENOEXEC;
  if (interp !== null && !Number.isSafeInteger(interp.offset + interp.filesz)) return -ENOEXEC;
  const stack = segments.findLast((segment) => segment.type === PT_GNU_STACK);
  const holder = loads.find(
    (load) => load.offset <= header.phoff && header.phoff < load.offset + load.filesz,
  );
  return {
    header,
    segments,
    loads,
    interp,
    dynamic: first(PT_DYNAMIC),
    tls: first(PT_TLS),
    phdr: first(PT_PHDR),
    property: first(PT_GNU_PROPERTY),
    notes: segments.filter((segment) => segment.type === PT_NOTE),
    execStack: stack !== undefined && (stack.flags & PF_X) !== 0,
    start,
    end,
    align: alignmentOf(loads),
    phdrVaddr: holder === undefined ? 0 : header.phoff - holder.offset + holder.vaddr,
  };
}

/** Both steps for the usual file whose program headers lie within `prefix`; -ENOEXEC if they do not. */
export function readElf(prefix: Uint8Array): ElfImage | number {
  const header = readElfHeader(prefix);
  if (typeof header === 'number') return header;
  return readElfImage(header, prefix.subarray(header.phoff));
}

/** The interpreter's path, without its terminator, from the bytes of PT_INTERP. */
export function readInterp(bytes: Uint8Array): Uint8Array | number {
  if (bytes.length < 2 || bytes.length > PATH_MAX || bytes.at(-1) !== 0) return -ENOEXEC;
  return copyOf(bytes, 0, bytes.indexOf(0));
}

export interface ElfNote {
  readonly name: string;
  readonly type: number;
  readonly desc: Uint8Array;
}

/**
 * The notes in the bytes of PT_NOTE or PT_GNU_PROPERTY; `align` is the segment's p_align (8 for properties, else 4).
 * Stops silently at the first note that does not fit, as debuggers do.
 */
export function readNotes(bytes: Uint8Array, align = 4): ElfNote[] {
  const unit = align === 8 ? 8 : 4;
  const up = (value: number) => Math.ceil(value / unit) * unit;
  const view = viewOf(bytes);
  const notes: ElfNote[] = [];
  let at = 0;
  while (at + SIZEOF_NHDR <= bytes.length) {
    // n_namesz 0 | n_descsz 4 | n_type 8 | name | desc
    const nameEnd = at + SIZEOF_NHDR + view.getUint32(at, true);
    const descStart = up(nameEnd);
    const descEnd = descStart + view.getUint32(at + 4, true);
    if (nameEnd > bytes.length || descEnd > bytes.length) break;
    const name = bytes.subarray(at + SIZEOF_NHDR, nameEnd);
    notes.push({
      name: Buffer.from(name.at(-1) === 0 ? name.subarray(0, -1) : name).toString('latin1'),
      type: view.getUint32(at + 8, true),
      desc: copyOf(bytes, descStart, descEnd),
    });
    at = up(descEnd);
  }
  return notes;
}
