import { closeSync, openSync, readSync } from 'node:fs';

/** An executable section of a program. */
export interface Text {
  readonly name: string;
  readonly addr: number;
  readonly bytes: Uint8Array;
}

const SHF_EXECINSTR = 4;
const SHT_NOBITS = 8;
const SHDR_SIZE = 64;

/** The executable sections of an ELF file, up to `most` bytes of each; none when there is no such file. */
export function executableText(path: string, most = Number.MAX_SAFE_INTEGER): Text[] {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return [];
  }
  const read = (at: number, size: number): Buffer => {
    const bytes = Buffer.alloc(size);
    return bytes.subarray(0, readSync(fd, bytes, 0, size, at));
  };
  try {
    const header = read(0, 64);
    if (header.length < 64 || header.readUInt32BE(0) !== 0x7f454c46) return [];
    const count = header.readUInt16LE(60);
    const sections = read(Number(header.readBigUInt64LE(40)), count * SHDR_SIZE);
    const field = (i: number, at: number): number => Number(sections.readBigUInt64LE(i * SHDR_SIZE + at));
    const names = header.readUInt16LE(62);
    const strings = count === 0 ? Buffer.alloc(0) : read(field(names, 24), field(names, 32));
    const texts: Text[] = [];
    for (let i = 0; i < count; i++) {
      const type = sections.readUInt32LE(i * SHDR_SIZE + 4);
      if (type === SHT_NOBITS || (field(i, 8) & SHF_EXECINSTR) === 0) continue;
      const at = sections.readUInt32LE(i * SHDR_SIZE);
      const name = strings.toString('latin1', at, strings.indexOf(0, at));
      texts.push({ name, addr: field(i, 16), bytes: read(field(i, 24), Math.min(most, field(i, 32))) });
    }
    return texts;
  } finally {
    closeSync(fd);
  }
}
