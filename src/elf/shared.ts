import { PAGE_SIZE } from '../abi/limits.ts';
import { alignUp, ByteWriter } from './bytes.ts';
import {
  DT_GNU_HASH,
  DT_HASH,
  DT_NULL,
  DT_SONAME,
  DT_STRSZ,
  DT_STRTAB,
  DT_SYMENT,
  DT_SYMTAB,
  DT_VERDEF,
  DT_VERDEFNUM,
  DT_VERSYM,
  ET_DYN,
  PF_R,
  PF_W,
  PF_X,
  PT_DYNAMIC,
  PT_GNU_STACK,
  PT_LOAD,
  SHF_ALLOC,
  SHF_EXECINSTR,
  SHT_DYNAMIC,
  SHT_DYNSYM,
  SHT_GNU_HASH,
  SHT_GNU_verdef,
  SHT_GNU_versym,
  SHT_HASH,
  SHT_NULL,
  SHT_PROGBITS,
  SHT_STRTAB,
  SIZEOF_DYN,
  SIZEOF_EHDR,
  SIZEOF_PHDR,
  SIZEOF_SYM,
  SIZEOF_VERDAUX,
  SIZEOF_VERDEF,
  STB_GLOBAL,
  STB_WEAK,
  STT_FUNC,
  STT_OBJECT,
  VER_DEF_CURRENT,
  VER_FLG_BASE,
  VER_NDX_GLOBAL,
  VER_NDX_LOCAL,
} from './constants.ts';
import { gnuHash, sysvHash } from './hash.ts';
import { type ShdrFields, writeEhdr, writePhdr, writeShdr } from './headers.ts';

export interface SharedSymbol {
  readonly name: string;
  /** Offset into the text. */
  readonly offset: number;
  readonly size: number;
  readonly type?: 'func' | 'object';
  readonly binding?: 'global' | 'weak';
}

export interface SharedObjectOptions {
  readonly soname: string;
  /** The version that every symbol carries: LINUX_2.6 for the VDSO of x86-64. */
  readonly version: string;
  /** Where `text` was assembled to run, relative to the image; the ELF tables must fit below it. */
  readonly textVaddr: number;
  readonly text: Uint8Array;
  readonly symbols: readonly SharedSymbol[];
}

/** Index of the one version that symbols carry; index 1 names the object itself. */
const VERSION_INDEX = VER_NDX_GLOBAL + 1;

const PHNUM = 3;

/** Section index of .text, behind the null section, six tables and .dynamic. */
const TEXT_INDEX = 8;

/** Strings by offset; offset 0 is the empty string. */
class StringTable {
  private readonly out = new ByteWriter().u8(0);

  add(text: string): number {
    const offset = this.out.length;
    this.out.raw(Buffer.from(text)).u8(0);
    return offset;
  }

  finish(): Uint8Array {
    return this.out.finish();
  }
}

interface Section {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly align: number;
  readonly entsize: number;
  /** Name of the section that sh_link points to. */
  readonly link: string | null;
  readonly info: number;
  readonly bytes: Uint8Array;
}

/**
 * Builds a shared object of one read-only executable PT_LOAD at address 0:
 *
 *   ELF header | program headers | .hash | .gnu.hash | .dynsym | .dynstr | .gnu.version | .gnu.version_d | .dynamic
 *   | text at textVaddr | .shstrtab | section headers
 *
 * Nothing in it needs relocation. Only section headers and their names, for debuggers, lie outside the segment.
 */
export function writeSharedObject(options: SharedObjectOptions): Uint8Array {
  const symbols = sortByGnuBucket(options.symbols);
  const strings = new StringTable();
  const soname = strings.add(options.soname);
  const version = strings.add(options.version);
  const names = symbols.map((symbol) => strings.add(symbol.name));
  const alloc = { flags: SHF_ALLOC, info: 0, link: '.dynsym', entsize: 0 };
  const tables: Section[] = [
    { ...alloc, name: '.hash', type: SHT_HASH, align: 8, entsize: 4, bytes: sysvTable(symbols) },
    { ...alloc, name: '.gnu.hash', type: SHT_GNU_HASH, align: 8, bytes: gnuTable(symbols) },
    {
      ...alloc,
      name: '.dynsym',
      type: SHT_DYNSYM,
      align: 8,
      entsize: SIZEOF_SYM,
      link: '.dynstr',
      // Index of the first symbol that is not local.
      info: 1,
      bytes: symbolTable(symbols, names, options.textVaddr),
    },
    { ...alloc, name: '.dynstr', type: SHT_STRTAB, align: 1, link: null, bytes: strings.finish() },
    {
      ...alloc,
      name: '.gnu.version',
      type: SHT_GNU_versym,
      align: 2,
      entsize: 2,
      bytes: new ByteWriter().u16(VER_NDX_LOCAL, ...symbols.map(() => VERSION_INDEX)).finish(),
    },
    {
      ...alloc,
      name: '.gnu.version_d',
      type: SHT_GNU_verdef,
      align: 8,
      link: '.dynstr',
      info: 2,
      bytes: versionDefinitions(options, soname, version),
    },
  ];
  return layOut(options, tables, soname);
}

function layOut(options: SharedObjectOptions, tables: readonly Section[], soname: number): Uint8Array {
  const { text, textVaddr } = options;
  const place = new Map<string, number>();
  let next = SIZEOF_EHDR + PHNUM * SIZEOF_PHDR;
  for (const { name, align, bytes } of tables) {
    next = alignUp(next, align);
    place.set(name, next);
    next += bytes.length;
  }
  const at = (name: string) => place.get(name)!;
  const dynamicAt = alignUp(next, 8);
  const dynamic = new ByteWriter().u64(
    ...[DT_SONAME, soname],
    ...[DT_HASH, at('.hash')],
    ...[DT_GNU_HASH, at('.gnu.hash')],
    ...[DT_STRTAB, at('.dynstr')],
    ...[DT_SYMTAB, at('.dynsym')],
    ...[DT_STRSZ, tables.find((table) => table.name === '.dynstr')!.bytes.length],
    ...[DT_SYMENT, SIZEOF_SYM],
    ...[DT_VERSYM, at('.gnu.version')],
    ...[DT_VERDEF, at('.gnu.version_d')],
    ...[DT_VERDEFNUM, 2],
    ...[DT_NULL, 0],
  );
  const tablesEnd = dynamicAt + dynamic.length;
  if (textVaddr < tablesEnd) {
    throw new RangeError(`ELF tables end at 0x${tablesEnd.toString(16)}, above the text's address`);
  }
  const textEnd = textVaddr + text.length;

  const sections: Section[] = [
    ...tables,
    {
      name: '.dynamic',
      type: SHT_DYNAMIC,
      flags: SHF_ALLOC,
      align: 8,
      entsize: SIZEOF_DYN,
      link: '.dynstr',
      info: 0,
      bytes: dynamic.finish(),
    },
    {
      name: '.text',
      type: SHT_PROGBITS,
      flags: SHF_ALLOC | SHF_EXECINSTR,
      align: 1,
      entsize: 0,
      link: null,
      info: 0,
      bytes: text,
    },
  ];
  place.set('.dynamic', dynamicAt).set('.text', textVaddr).set('.shstrtab', textEnd);
  const sectionNames = new StringTable();
  const nameOffsets = [...sections.map((section) => section.name), '.shstrtab'].map((n) =>
    sectionNames.add(n),
  );
  const shstrtab = sectionNames.finish();
  const shoff = alignUp(textEnd + shstrtab.length, 8);

  const out = new ByteWriter();
  writeEhdr(out, {
    type: ET_DYN,
    entry: 0,
    phnum: PHNUM,
    shoff,
    // The null section in front, .shstrtab behind.
    shnum: sections.length + 2,
    shstrndx: sections.length + 1,
  });
  const load = { offset: 0, vaddr: 0, filesz: textEnd, memsz: textEnd, align: PAGE_SIZE };
  writePhdr(out, { type: PT_LOAD, flags: PF_R | PF_X, ...load });
  const dyn = {
    offset: dynamicAt,
    vaddr: dynamicAt,
    filesz: dynamic.length,
    memsz: dynamic.length,
    align: 8,
  };
  writePhdr(out, { type: PT_DYNAMIC, flags: PF_R, ...dyn });
  const none = { offset: 0, vaddr: 0, filesz: 0, memsz: 0, align: 16 };
  writePhdr(out, { type: PT_GNU_STACK, flags: PF_R | PF_W, ...none });
  for (const { name, bytes } of sections) out.padTo(at(name)).raw(bytes);
  out.raw(shstrtab).padTo(shoff);

  const empty: ShdrFields = {
    type: SHT_NULL,
    flags: 0,
    addr: 0,
    offset: 0,
    size: 0,
    link: 0,
    info: 0,
    align: 0,
    entsize: 0,
  };
  writeShdr(out, 0, empty);
  for (const [i, section] of sections.entries()) {
    const { type, flags, info, align, entsize, bytes } = section;
    const link = section.link === null ? 0 : sections.findIndex((other) => other.name === section.link) + 1;
    const offset = at(section.name);
    writeShdr(out, nameOffsets[i]!, {
      type,
      flags,
      addr: offset,
      offset,
      size: bytes.length,
      link,
      info,
      align,
      entsize,
    });
  }
  writeShdr(out, nameOffsets.at(-1)!, {
    ...empty,
    type: SHT_STRTAB,
    offset: textEnd,
    size: shstrtab.length,
    align: 1,
  });
  return out.finish();
}

function bucketCount(symbolCount: number): number {
  return Math.max(1, symbolCount);
}

/** DT_GNU_HASH wants the symbols of a bucket side by side. */
function sortByGnuBucket(symbols: readonly SharedSymbol[]): SharedSymbol[] {
  const buckets = bucketCount(symbols.length);
  return symbols.toSorted((a, b) => (gnuHash(a.name) % buckets) - (gnuHash(b.name) % buckets));
}

/** Elf64_Sym: st_name, st_info, st_other, st_shndx, st_value, st_size. */
function symbolTable(
  symbols: readonly SharedSymbol[],
  names: readonly number[],
  textVaddr: number,
): Uint8Array {
  const out = new ByteWriter().padTo(SIZEOF_SYM);
  for (const [i, symbol] of symbols.entries()) {
    const binding = symbol.binding === 'weak' ? STB_WEAK : STB_GLOBAL;
    const type = symbol.type === 'object' ? STT_OBJECT : STT_FUNC;
    out
      .u32(names[i]!)
      .u8((binding << 4) | type, 0)
      .u16(TEXT_INDEX);
    out.u64(textVaddr + symbol.offset, symbol.size);
  }
  return out.finish();
}

/** DT_HASH: nbucket, nchain, bucket[nbucket], chain[nchain]; chains are linked by symbol index and end at 0. */
function sysvTable(symbols: readonly SharedSymbol[]): Uint8Array {
  const buckets = new Array<number>(bucketCount(symbols.length)).fill(0);
  const chains = new Array<number>(symbols.length + 1).fill(0);
  for (const [i, { name }] of symbols.entries()) {
    const bucket = sysvHash(name) % buckets.length;
    chains[i + 1] = buckets[bucket]!;
    buckets[bucket] = i + 1;
  }
  return new ByteWriter().u32(buckets.length, chains.length, ...buckets, ...chains).finish();
}

/**
 * DT_GNU_HASH: nbuckets, symoffset, bloom_size, bloom_shift, bloom[], bucket[], hash[]
 *
 * The Bloom filter is one 64-bit word here. A hash's lowest bit is replaced by a flag that ends its bucket.
 */
function gnuTable(symbols: readonly SharedSymbol[]): Uint8Array {
  const bloomShift = 6;
  const buckets = new Array<number>(bucketCount(symbols.length)).fill(0);
  const hashes = symbols.map((symbol) => gnuHash(symbol.name));
  const bloom = [0, 0];
  for (const [i, hash] of hashes.entries()) {
    for (const bit of [hash % 64, (hash >>> bloomShift) % 64]) bloom[bit >> 5]! |= 1 << (bit & 31);
    buckets[hash % buckets.length] ||= i + 1;
  }
  const chain = hashes.map((hash, i) => {
    const isLast = i + 1 === hashes.length || hashes[i + 1]! % buckets.length !== hash % buckets.length;
    return isLast ? hash | 1 : hash & ~1;
  });
  return new ByteWriter().u32(buckets.length, 1, 1, bloomShift, ...bloom, ...buckets, ...chain).finish();
}

/** Two Elf64_Verdef, each with one Elf64_Verdaux: the object itself under its soname, then the version. */
function versionDefinitions(options: SharedObjectOptions, soname: number, version: number): Uint8Array {
  const size = SIZEOF_VERDEF + SIZEOF_VERDAUX;
  const out = new ByteWriter();
  // vd_version, vd_flags, vd_ndx, vd_cnt | vd_hash, vd_aux, vd_next | vda_name, vda_next
  out.u16(VER_DEF_CURRENT, VER_FLG_BASE, VER_NDX_GLOBAL, 1);
  out.u32(sysvHash(options.soname), SIZEOF_VERDEF, size, soname, 0);
  out.u16(VER_DEF_CURRENT, 0, VERSION_INDEX, 1);
  out.u32(sysvHash(options.version), SIZEOF_VERDEF, 0, version, 0);
  return out.finish();
}
