// Tlb: the kernel's own translations of guest pages, so that copying a few bytes costs no table walk. Direct-mapped;
// an entry says that its page is present and may be read (or written), and names the frame. Flushed on every change.

const ENTRIES = 256;
const MASK = ENTRIES - 1;
/** The tag of an empty entry. Equal to no page number: a guest may well ask for page -1. */
const NONE = Number.NaN;

export class Tlb {
  private readonly readTags: Float64Array = new Float64Array(ENTRIES).fill(NONE);
  private readonly writeTags: Float64Array = new Float64Array(ENTRIES).fill(NONE);
  private readonly readFrames: Int32Array = new Int32Array(ENTRIES);
  private readonly writeFrames: Int32Array = new Int32Array(ENTRIES);
  private empty = true;

  /** Frame of page `pn` for reading, or -1. */
  read(pn: number): number {
    const i = pn & MASK;
    return this.readTags[i] === pn ? this.readFrames[i]! : -1;
  }

  /** Frame of page `pn` for writing, or -1. */
  write(pn: number): number {
    const i = pn & MASK;
    return this.writeTags[i] === pn ? this.writeFrames[i]! : -1;
  }

  fill(pn: number, frame: number, writable: boolean): void {
    const i = pn & MASK;
    this.empty = false;
    this.readTags[i] = pn;
    this.readFrames[i] = frame;
    if (!writable) return;
    this.writeTags[i] = pn;
    this.writeFrames[i] = frame;
  }

  /** Forgets one page. */
  drop(pn: number): void {
    const i = pn & MASK;
    if (this.readTags[i] === pn) this.readTags[i] = NONE;
    if (this.writeTags[i] === pn) this.writeTags[i] = NONE;
  }

  flush(): void {
    if (this.empty) return;
    this.empty = true;
    this.readTags.fill(NONE);
    this.writeTags.fill(NONE);
  }
}
