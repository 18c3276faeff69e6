/** The ELF64 format: <elf.h>, elf(5). */

export const EI_CLASS = 4;
export const EI_DATA = 5;
export const EI_VERSION = 6;
export const EI_OSABI = 7;
export const EI_NIDENT = 16;
/** The four magic bytes read as a little-endian word. */
export const ELF_MAGIC = 0x464c457f;
export const ELFCLASS64 = 2;
export const ELFDATA2LSB = 1;
export const EV_CURRENT = 1;

export const ET_EXEC = 2;
export const ET_DYN = 3;
export const EM_X86_64 = 62;

export const PT_LOAD = 1;
export const PT_GNU_EH_FRAME = 0x6474e550;
export const PT_DYNAMIC = 2;
export const PT_INTERP = 3;
export const PT_NOTE = 4;
export const PT_PHDR = 6;
export const PT_TLS = 7;
export const PT_GNU_STACK = 0x6474e551;
export const PT_GNU_PROPERTY = 0x6474e553;

export const PF_X = 1 << 0;
export const PF_W = 1 << 1;
export const PF_R = 1 << 2;

export const SHT_NULL = 0;
export const SHT_PROGBITS = 1;
export const SHT_STRTAB = 3;
export const SHT_HASH = 5;
export const SHT_DYNAMIC = 6;
export const SHT_DYNSYM = 11;
export const SHT_GNU_HASH = 0x6ffffff6;
export const SHT_GNU_verdef = 0x6ffffffd;
export const SHT_GNU_versym = 0x6fffffff;

export const SHF_WRITE = 1 << 0;
export const SHF_ALLOC = 1 << 1;
export const SHF_EXECINSTR = 1 << 2;

export const DT_NULL = 0;
export const DT_HASH = 4;
export const DT_STRTAB = 5;
export const DT_SYMTAB = 6;
export const DT_STRSZ = 10;
export const DT_SYMENT = 11;
export const DT_SONAME = 14;
export const DT_GNU_HASH = 0x6ffffef5;
export const DT_VERSYM = 0x6ffffff0;
export const DT_VERDEF = 0x6ffffffc;
export const DT_VERDEFNUM = 0x6ffffffd;

export const STB_GLOBAL = 1;
export const STB_WEAK = 2;
export const STT_OBJECT = 1;
export const STT_FUNC = 2;

export const VER_DEF_CURRENT = 1;
export const VER_FLG_BASE = 0x1;
export const VER_NDX_LOCAL = 0;
export const VER_NDX_GLOBAL = 1;

export const SIZEOF_EHDR = 64;
export const SIZEOF_PHDR = 56;
export const SIZEOF_SHDR = 64;
export const SIZEOF_SYM = 24;
export const SIZEOF_DYN = 16;
export const SIZEOF_NHDR = 12;
export const SIZEOF_VERDEF = 20;
export const SIZEOF_VERDAUX = 8;
