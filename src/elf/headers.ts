import type { ByteWriter } from './bytes.ts';
import {
  ELF_MAGIC,
  ELFCLASS64,
  ELFDATA2LSB,
  EM_X86_64,
  EV_CURRENT,
  SIZEOF_EHDR,
  SIZEOF_PHDR,
  SIZEOF_SHDR,
} from './constants.ts';

export interface EhdrFields {
  readonly type: number;
  readonly entry: number;
  readonly phnum: number;
  readonly shoff?: number;
  readonly shnum?: number;
  readonly shstrndx?: number;
}

/** Elf64_Ehdr with the program headers right behind it. */
export function writeEhdr(out: ByteWriter, fields: EhdrFields): void {
  const { shoff = 0, shnum = 0, shstrndx = 0 } = fields;
  out.u32(ELF_MAGIC).u8(ELFCLASS64, ELFDATA2LSB, EV_CURRENT).padTo(16);
  out.u16(fields.type, EM_X86_64).u32(EV_CURRENT);
  out.u64(fields.entry, SIZEOF_EHDR, shoff).u32(0);
  out.u16(SIZEOF_EHDR, SIZEOF_PHDR, fields.phnum, SIZEOF_SHDR, shnum, shstrndx);
}

export interface PhdrFields {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly vaddr: number;
  readonly filesz: number;
  readonly memsz: number;
  readonly align: number;
}

/** Elf64_Phdr; p_paddr repeats p_vaddr, as linkers do. */
export function writePhdr(out: ByteWriter, p: PhdrFields): void {
  out.u32(p.type, p.flags).u64(p.offset, p.vaddr, p.vaddr, p.filesz, p.memsz, p.align);
}

export interface ShdrFields {
  readonly type: number;
  readonly flags: number;
  readonly addr: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly align: number;
  readonly entsize: number;
}

/** Elf64_Shdr; `name` is an offset into .shstrtab. */
export function writeShdr(out: ByteWriter, name: number, s: ShdrFields): void {
  out.u32(name, s.type).u64(s.flags, s.addr, s.offset, s.size);
  out.u32(s.link, s.info).u64(s.align, s.entsize);
}
