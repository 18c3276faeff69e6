import { PAGE_SIZE } from '../abi/limits.ts';
import { alignUp, ByteWriter } from './bytes.ts';
import { ET_EXEC, PF_R, PF_W, PF_X, PT_GNU_STACK, PT_LOAD, SIZEOF_EHDR, SIZEOF_PHDR } from './constants.ts';
import { type PhdrFields, writeEhdr, writePhdr } from './headers.ts';

export interface Segment {
  readonly vaddr: number;
  readonly bytes: Uint8Array;
  /** PF_R, PF_W and PF_X. */
  readonly flags: number;
  /** Size in memory; what lies beyond `bytes` is zero. Defaults to the size of `bytes`. */
  readonly memsz?: number;
}

export interface ExecutableOptions {
  readonly entry: number;
  /** In ascending order, in pages of their own. */
  readonly segments: readonly Segment[];
  readonly execStack?: boolean;
}

function checkSegments(segments: readonly Segment[]): void {
  let nextFree = 0;
  for (const { vaddr, bytes, memsz = bytes.length } of segments) {
    if (memsz < bytes.length) throw new RangeError('a segment holds more bytes than its memsz');
    if (vaddr < nextFree)
      throw new RangeError(`segment at 0x${vaddr.toString(16)} overlaps the one before it`);
    nextFree = alignUp(vaddr + memsz, PAGE_SIZE);
  }
}

/** Builds a static ET_EXEC program: ELF header, program headers, then the segments. */
export function writeExecutable(options: ExecutableOptions): Uint8Array {
  const { entry, segments } = options;
  checkSegments(segments);
  const phdrs: PhdrFields[] = [];
  let offset = SIZEOF_EHDR + (segments.length + 1) * SIZEOF_PHDR;
  for (const { vaddr, bytes, flags, memsz = bytes.length } of segments) {
    // A segment's position within a page is the same in file and memory, so that pages can be mapped.
    offset += (PAGE_SIZE + (vaddr % PAGE_SIZE) - (offset % PAGE_SIZE)) % PAGE_SIZE;
    phdrs.push({ type: PT_LOAD, flags, offset, vaddr, filesz: bytes.length, memsz, align: PAGE_SIZE });
    offset += bytes.length;
  }
  const stackFlags = PF_R | PF_W | (options.execStack ? PF_X : 0);
  phdrs.push({ type: PT_GNU_STACK, flags: stackFlags, offset: 0, vaddr: 0, filesz: 0, memsz: 0, align: 16 });

  const out = new ByteWriter();
  writeEhdr(out, { type: ET_EXEC, entry, phnum: phdrs.length });
  for (const phdr of phdrs) writePhdr(out, phdr);
  for (const [i, { bytes }] of segments.entries()) out.padTo(phdrs[i]!.offset).raw(bytes);
  return out.finish();
}
