// Dynamic symbols of a shared object that is mapped as it lies in its file, as the host's vDSO is.

import { ELF_MAGIC, SHT_DYNSYM, SIZEOF_EHDR, SIZEOF_SHDR, SIZEOF_SYM } from './constants.ts';

/** Bytes of a file from its header on: its section headers come last, as linkers write them. 0 when it has none. */
export function sizeOfObject(header: DataView): number {
  if (header.byteLength < SIZEOF_EHDR || header.getUint32(0, true) !== ELF_MAGIC) return 0;
  // e_shoff 40 | e_shentsize 58 | e_shnum 60
  const count = header.getUint16(60, true);
  if (count === 0 || header.getUint16(58, true) !== SIZEOF_SHDR || header.getUint32(44, true) !== 0) return 0;
  return header.getUint32(40, true) + count * SIZEOF_SHDR;
}

/** st_value of the symbol `name`, or 0 when `object` does not define it. */
export function dynamicSymbol(object: DataView, name: string): number {
  const size = sizeOfObject(object);
  if (size === 0 || size > object.byteLength) return 0;
  const shoff = object.getUint32(40, true);
  const count = object.getUint16(60, true);
  // sh_type 4 | sh_offset 24 | sh_size 32 | sh_link 40: the section of the names
  for (let i = 0; i < count; i++) {
    const at = shoff + i * SIZEOF_SHDR;
    if (object.getUint32(at + 4, true) !== SHT_DYNSYM) continue;
    const link = object.getUint32(at + 40, true);
    if (link >= count) return 0;
    const names = object.getUint32(shoff + link * SIZEOF_SHDR + 24, true);
    const first = object.getUint32(at + 24, true);
    const end = Math.min(first + object.getUint32(at + 32, true), object.byteLength);
    // st_name 0 | st_shndx 6 | st_value 8
    for (let sym = first; sym + SIZEOF_SYM <= end; sym += SIZEOF_SYM) {
      if (object.getUint16(sym + 6, true) === 0) continue;
      if (hasName(object, names + object.getUint32(sym, true), name)) return object.getUint32(sym + 8, true);
    }
  }
  return 0;
}

function hasName(object: DataView, at: number, name: string): boolean {
  if (at + name.length >= object.byteLength) return false;
  for (let i = 0; i < name.length; i++) if (object.getUint8(at + i) !== name.charCodeAt(i)) return false;
  return object.getUint8(at + name.length) === 0;
}
