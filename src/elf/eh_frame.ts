// Unwind tables of an image that is mapped: does one say that code at an address is the return from a signal handler?
// .eh_frame_hdr (a sorted table of the functions) and .eh_frame (what it points to) as the Linux Standard Base lays them out;
// only the encodings that assemblers and linkers of x86-64 emit are taken. Every word is hostile.

import { ELF_MAGIC, PT_GNU_EH_FRAME, PT_LOAD, SIZEOF_PHDR } from './constants.ts';

/** The 32 bits at an address of the image's memory, without sign; -1 where nothing can be read. */
export type ReadWord = (addr: number) => number;

/** Offsets in Elf64_Ehdr and Elf64_Phdr. */
const E_PHOFF = 32;
const E_PHENTSIZE = 52;
const E_PHNUM = 56;
const P_OFFSET = 8;
const P_VADDR = 16;
/** Program headers that are looked at; ours have a dozen. */
const MAX_PHDRS = 64;
/** Version 1; the address of .eh_frame relative to itself, the number of entries plain, entries relative to the table. */
const HDR_ENCODINGS = 0x3b03_1b01;
const HDR_COUNT = 8;
const HDR_TABLE = 12;
const ENTRY_SIZE = 8;
/** A CIE of version 1 that is augmented by "zRS": the frames of its functions are those of signal handlers. */
const CIE_SIGNAL_FRAME = 0x5352_7a01;
/** Behind the NUL: factors of code and data, the return address's column, a length, how addresses are encoded. */
const CIE_ENCODING = 17;
const SIGNED_4_RELATIVE = 0x1b;
const TWO32 = 2 ** 32;
const TWO31 = 2 ** 31;

/** Where PT_GNU_EH_FRAME of the image whose page 0 is at `start` lies; -1 without one. */
function tableAt(read: ReadWord, start: number): number {
  if (read(start) !== ELF_MAGIC) return -1;
  const phoff = read(start + E_PHOFF);
  const phnum = read(start + E_PHNUM) & 0xffff;
  if (read(start + E_PHENTSIZE) >>> 16 !== SIZEOF_PHDR || phoff % 4 !== 0 || phnum > MAX_PHDRS) return -1;
  const vaddr = (ph: number) => read(ph + P_VADDR + 4) * TWO32 + read(ph + P_VADDR);
  let bias = -1;
  let table = -1;
  for (let i = 0; i < phnum; i++) {
    const ph = start + phoff + i * SIZEOF_PHDR;
    const type = read(ph);
    if (type === PT_LOAD && bias < 0 && read(ph + P_OFFSET) === 0) bias = start - vaddr(ph);
    if (type === PT_GNU_EH_FRAME) table = vaddr(ph);
  }
  return bias < 0 || table < 0 ? -1 : bias + table;
}

function signed(word: number): number {
  return word >= TWO31 ? word - TWO32 : word;
}

/** The FDE of the last function that begins at or below `addr`; -1 when there is none. */
function lastFde(read: ReadWord, table: number, addr: number): number {
  if (read(table) !== HDR_ENCODINGS) return -1;
  let lo = 0;
  let hi = read(table + HDR_COUNT);
  // Like any search it ends after 32 steps, whatever it reads.
  while (hi - lo > 1) {
    const mid = Math.floor((lo + hi) / 2);
    if (table + signed(read(table + HDR_TABLE + mid * ENTRY_SIZE)) <= addr) lo = mid;
    else hi = mid;
  }
  return hi <= lo ? -1 : table + signed(read(table + HDR_TABLE + lo * ENTRY_SIZE + 4));
}

/**
 * True when the unwind tables of the image whose page 0 is at `start` cover [first, end) by one function, and say that it is
 * what signal handlers return to.
 */
export function isSignalFrame(read: ReadWord, start: number, first: number, end: number): boolean {
  const table = tableAt(read, start);
  if (table < 0) return false;
  const fde = lastFde(read, table, first);
  if (fde < 0) return false;
  const begin = fde + 8 + signed(read(fde + 8));
  if (first < begin || end > begin + read(fde + 12)) return false;
  const cie = fde + 4 - read(fde + 4);
  if (read(cie + 8) !== CIE_SIGNAL_FRAME || (read(cie + 12) & 0xff) !== 0) return false;
  return ((read(cie + CIE_ENCODING - 1) >>> 8) & 0xff) === SIGNED_4_RELATIVE;
}
