// PageCache: the content of one file as frames of the memory file, shared by its mappings and by read and write.
//
// Sparse: leaves of 512 entries, keyed by index / 512. An entry is
//   0          nothing here: a hole, or a page that the source has not been asked for
//   -1         a hole, although the source has bytes here (punched out)
//   frame + 1  a page; with DIRTY (bit 30) set when it may differ from the source

import { ENOENT, ENOMEM, ENOSPC, ENXIO } from '../../abi/errno.ts';
import { SEEK_HOLE } from '../../abi/fs/fs.ts';
import type { Io } from '../base/io.ts';
import { PAGE_SIZE } from '../base/page.ts';
import type { DonatedFile, Mappable } from './mappable.ts';
import { MappedContent } from './mapped_content.ts';
import type { MemoryFile, Remains, Shrinkable } from './memfile.ts';

const LEAF = 512;
const HOLE = -1;
const DIRTY = 0x4000_0000;
const FRAME = 0x3fff_ffff;
/** Most pages read ahead from a source, and most allocated at once by a write. */
const RUN_MAX = 64;
const READAHEAD_MIN = 4;

/** Where the pages of a cache come from when it does not have them yet: a file of the host. */
export interface PageSource {
  /** Fills the zeroed frame with page `index`; short content stays zero. 0 or -errno. */
  fill(index: number, frame: number): number;
  /** As fill for `pages` consecutive pages and frames, when the source can do it in one go. */
  fillRun?(index: number, frame: number, pages: number): number;
  /** The file itself, for mappings without copies; null when it cannot be mapped. */
  donate?(): DonatedFile | null;
}

/** Pages that all files of a file system hold together, and may hold. */
export class PageQuota {
  max: number = Number.POSITIVE_INFINITY;
  used = 0;

  get room(): number {
    return this.max - this.used;
  }
}

export class PageCache extends MappedContent implements Mappable, Shrinkable {
  readonly memfile: MemoryFile;
  readonly source: PageSource | null;
  private readonly quota: PageQuota | null;
  /** Bytes in the file. */
  size: number;
  /** Pages held now; what st_blocks counts. */
  pages = 0;
  /** Bytes from the start that the source answers for: shrinks with truncation, never grows again. */
  private sourceSize: number;
  private readonly leaves: Map<number, Int32Array> = new Map();
  private lastKey = -1;
  private lastLeaf: Int32Array | null = null;
  /** Set for memory without a file (MAP_SHARED | MAP_ANONYMOUS): the last unmapping frees it. */
  dropWhenUnmapped = false;
  /** Transfers under way: their pages must not be evicted. */
  private busy = 0;
  private nextMiss = 0;
  private readahead = READAHEAD_MIN;

  constructor(
    memfile: MemoryFile,
    size = 0,
    source: PageSource | null = null,
    quota: PageQuota | null = null,
  ) {
    super();
    this.memfile = memfile;
    this.size = size;
    this.source = source;
    this.quota = quota;
    this.sourceSize = source === null ? 0 : size;
    if (source !== null) memfile.addShrinker(this);
  }

  private leaf(index: number): Int32Array | null {
    const key = Math.floor(index / LEAF);
    if (key === this.lastKey) return this.lastLeaf;
    const leaf = this.leaves.get(key) ?? null;
    if (leaf !== null) {
      this.lastKey = key;
      this.lastLeaf = leaf;
    }
    return leaf;
  }

  private makeLeaf(index: number): Int32Array {
    let leaf = this.leaf(index);
    if (leaf === null) {
      leaf = new Int32Array(LEAF);
      this.lastKey = Math.floor(index / LEAF);
      this.lastLeaf = leaf;
      this.leaves.set(this.lastKey, leaf);
    }
    return leaf;
  }

  private entry(index: number): number {
    const leaf = this.leaf(index);
    return leaf === null ? 0 : leaf[index % LEAF]!;
  }

  /** True when the page's content must come from the source. */
  private inSource(index: number, entry: number): boolean {
    return entry === 0 && index * PAGE_SIZE < this.sourceSize;
  }

  /** Frame of a page that is present, or -1. */
  peek(index: number): number {
    const e = this.entry(index);
    return e > 0 ? (e & FRAME) - 1 : -1;
  }

  /** Mappable: the frame of page `index`; -ENOENT beyond the end of the file, -ENOMEM, -ENOSPC, the source's error. */
  getPage(index: number, forWrite: boolean): number {
    if (forWrite) this.diverge();
    const e = this.entry(index);
    if (e > 0) {
      if (index * PAGE_SIZE >= this.size) return -ENOENT;
      if (forWrite && (e & DIRTY) === 0) this.leaf(index)![index % LEAF] = e | DIRTY;
      return (e & FRAME) - 1;
    }
    if (index < 0 || index * PAGE_SIZE >= this.size) return -ENOENT;
    return this.load(index, e, forWrite);
  }

  /** Brings in a missing page, and with a source the pages behind it. */
  private load(index: number, e: number, forWrite: boolean): number {
    const mark = forWrite ? DIRTY : 0;
    const leaf = this.makeLeaf(index);
    const slot = index % LEAF;
    if (!this.inSource(index, e)) {
      if (this.room < 1) return -ENOSPC;
      const frame = this.memfile.alloc(1);
      if (frame < 0) return -ENOMEM;
      leaf[slot] = (frame + 1) | mark;
      this.count(1);
      return frame;
    }
    let run = this.missRun(index, leaf, slot);
    let frame = this.memfile.alloc(run);
    if (frame < 0 && run > 1) {
      run = 1;
      frame = this.memfile.alloc(1);
    }
    if (frame < 0) return -ENOMEM;
    const r = this.fill(index, frame, run);
    if (r < 0) {
      this.memfile.unrefRun(frame, run);
      return r;
    }
    const tail = this.sourceSize - (index + run - 1) * PAGE_SIZE;
    if (tail < PAGE_SIZE) this.memfile.zero(frame + run - 1, tail, PAGE_SIZE - tail);
    for (let i = 0; i < run; i++) leaf[slot + i] = frame + i + 1;
    leaf[slot]! |= mark;
    this.count(run);
    return frame;
  }

  /** Pages that the file system has room for. */
  private get room(): number {
    return this.quota === null ? Number.POSITIVE_INFINITY : this.quota.room;
  }

  /** There are `n` pages more, or fewer. */
  private count(n: number): void {
    this.pages += n;
    if (this.quota !== null) this.quota.used += n;
  }

  private fill(index: number, frame: number, run: number): number {
    const source = this.source!;
    if (source.fillRun !== undefined) return source.fillRun(index, frame, run);
    for (let i = 0; i < run; i++) {
      const r = source.fill(index + i, frame + i);
      if (r < 0) return r;
    }
    return 0;
  }

  /** How many pages to read from the source at a miss: more as long as misses follow one another. */
  private missRun(index: number, leaf: Int32Array, slot: number): number {
    const follows = index === this.nextMiss;
    this.readahead = follows ? Math.min(this.readahead * 2, RUN_MAX) : READAHEAD_MIN;
    const most = Math.min(this.readahead, LEAF - slot, Math.ceil(this.sourceSize / PAGE_SIZE) - index);
    let run = 1;
    while (run < most && leaf[slot + run] === 0) run++;
    this.nextMiss = index + run;
    return run;
  }

  /** Mappable: pages from `index` that a fault may map along: those present, and a few that the source has at hand. */
  residentRun(index: number, max: number): number {
    const end = Math.min(index + max, Math.ceil(this.size / PAGE_SIZE));
    let i = index;
    while (i < end) {
      const e = this.entry(i);
      if (e <= 0 && !this.inSource(i, e)) break;
      i++;
    }
    return Math.max(0, i - index);
  }

  /** Mappable: pages from `index` that are present now. */
  presentRun(index: number, max: number): number {
    const end = Math.min(index + max, Math.ceil(this.size / PAGE_SIZE));
    let i = index;
    while (i < end && this.entry(i) > 0) i++;
    return Math.max(0, i - index);
  }

  protected override hostFile(): DonatedFile | null {
    return this.source?.donate?.() ?? null;
  }

  get directEnd(): number {
    return Math.ceil(this.sourceSize / PAGE_SIZE);
  }

  protected override unmapped(): void {
    if (this.dropWhenUnmapped) this.drop();
  }

  sync(_first: number, _count: number): number {
    return 0;
  }

  /** Consecutive pages from `index` whose frames follow `frame` in one chunk; at most `max`. */
  private frameRun(index: number, frame: number, max: number): number {
    const bytes = this.memfile.u8(frame);
    let n = 1;
    while (n < max && this.peek(index + n) === frame + n && this.memfile.u8(frame + n) === bytes) n++;
    return n;
  }

  /** Copies file bytes [off, off + len) to `io`, up to the end of file; bytes moved, -EFAULT, -ENOMEM or -EIO. */
  read(io: Io, off: number, len: number): number {
    const end = Math.min(off + Math.min(len, io.remaining), this.size);
    // Within one page that is here, which most reads are.
    const page = Math.floor(off / PAGE_SIZE);
    const inPage = off - page * PAGE_SIZE;
    if (end > off && inPage + (end - off) <= PAGE_SIZE) {
      const e = this.entry(page);
      if (e > 0) {
        const frame = (e & FRAME) - 1;
        this.busy++;
        const n = io.put(this.memfile.u8(frame), this.memfile.byteOffset(frame) + inPage, end - off);
        this.busy--;
        return n;
      }
    }
    let pos = off;
    let r = 0;
    this.busy++;
    while (pos < end) {
      const index = Math.floor(pos / PAGE_SIZE);
      const at = pos - index * PAGE_SIZE;
      const e = this.entry(index);
      let n: number;
      if (e <= 0 && !this.inSource(index, e)) {
        n = Math.min(end - pos, this.holeEnd(index) * PAGE_SIZE - pos);
        r = io.putZeros(n);
      } else {
        const frame = e > 0 ? (e & FRAME) - 1 : this.load(index, e, false);
        if (frame < 0) {
          r = frame;
          break;
        }
        const run = this.frameRun(index, frame, Math.ceil((end - index * PAGE_SIZE) / PAGE_SIZE));
        n = Math.min(end - pos, run * PAGE_SIZE - at);
        r = io.put(this.memfile.u8(frame), this.memfile.byteOffset(frame) + at, n);
      }
      if (r < 0) break;
      pos += r;
      if (r < n) break;
    }
    this.busy--;
    return pos > off ? pos - off : Math.min(r, 0);
  }

  /** First page after the hole at `index`, looking no further than its leaf when that has pages. */
  private holeEnd(index: number): number {
    const leaf = this.leaf(index);
    const next = (Math.floor(index / LEAF) + 1) * LEAF;
    if (leaf === null) return this.inSource(next, 0) ? index + 1 : next;
    let i = index + 1;
    while (i < next) {
      const e = leaf[i % LEAF]!;
      if (e > 0 || this.inSource(i, e)) break;
      i++;
    }
    return i;
  }

  /**
   * Copies bytes from `io` to [off, off + len), growing the file when they go beyond its end; bytes moved, -EFAULT,
   * -ENOMEM, -ENOSPC or the source's error. RLIMIT_FSIZE is the caller's.
   */
  write(io: Io, off: number, len: number): number {
    this.diverge();
    const end = off + Math.min(len, io.remaining);
    let pos = off;
    let r = 0;
    if (off > this.size) this.zeroTail();
    this.busy++;
    while (pos < end) {
      const index = Math.floor(pos / PAGE_SIZE);
      const at = pos - index * PAGE_SIZE;
      const wanted = Math.ceil((end - index * PAGE_SIZE) / PAGE_SIZE);
      const frame = this.pageForWrite(index, wanted);
      if (frame < 0) {
        r = frame;
        break;
      }
      const run = this.frameRun(index, frame, wanted);
      for (let i = 1; i < run; i++) this.markDirty(index + i);
      const n = Math.min(end - pos, run * PAGE_SIZE - at);
      r = io.take(this.memfile.u8(frame), this.memfile.byteOffset(frame) + at, n);
      if (r < 0) break;
      pos += r;
      if (r < n) break;
    }
    this.busy--;
    if (pos === off) return Math.min(r, 0);
    if (pos > this.size) this.size = pos;
    return pos - off;
  }

  private markDirty(index: number): void {
    const leaf = this.leaf(index)!;
    leaf[index % LEAF]! |= DIRTY;
  }

  /** The frame to write page `index` to; holes are filled with a run of frames for the `wanted` pages to come. */
  private pageForWrite(index: number, wanted: number): number {
    const e = this.entry(index);
    if (e > 0) {
      this.markDirty(index);
      return (e & FRAME) - 1;
    }
    // Even a page that is to be overwritten whole is loaded: what is written may be a mapping of this same page.
    if (this.inSource(index, e)) return this.load(index, e, true);
    const leaf = this.makeLeaf(index);
    const slot = index % LEAF;
    const most = Math.min(wanted, RUN_MAX, LEAF - slot, this.room);
    if (most < 1) return -ENOSPC;
    let run = 1;
    while (run < most && leaf[slot + run]! <= 0 && !this.inSource(index + run, leaf[slot + run]!)) run++;
    let frame = this.memfile.alloc(run);
    if (frame < 0 && run > 1) {
      run = 1;
      frame = this.memfile.alloc(1);
    }
    if (frame < 0) return -ENOMEM;
    for (let i = 0; i < run; i++) leaf[slot + i] = (frame + i + 1) | DIRTY;
    this.count(run);
    return frame;
  }

  /** How many of pages [first, end) are present. */
  presentIn(first: number, end: number): number {
    let pages = 0;
    for (const [key, leaf] of this.leaves) {
      const base = key * LEAF;
      if (base + LEAF <= first || base >= end) continue;
      const to = Math.min(LEAF, end - base);
      for (let i = Math.max(0, first - base); i < to; i++) if (leaf[i]! > 0) pages++;
    }
    return pages;
  }

  /** Makes pages [first, first + count) present (fallocate(2) without flags); 0, -ENOMEM, -ENOSPC or the source's error. */
  ensure(first: number, count: number): number {
    this.diverge();
    for (let i = first; i < first + count; ) {
      const frame = this.pageForWrite(i, first + count - i);
      if (frame < 0) return frame;
      i += this.frameRun(i, frame, first + count - i);
    }
    return 0;
  }

  /** Zeros the part of the last page that lies beyond the end of file: mappings may have written there. */
  private zeroTail(): void {
    const at = this.size % PAGE_SIZE;
    if (at === 0) return;
    const frame = this.peek(Math.floor(this.size / PAGE_SIZE));
    if (frame >= 0) this.memfile.zero(frame, at, PAGE_SIZE - at);
  }

  /** Sets the size; pages beyond it go, in every mapping too, and come back as zeros. */
  truncate(newSize: number): void {
    if (newSize !== this.size) this.diverge();
    if (newSize >= this.size) {
      this.zeroTail();
      this.size = newSize;
      return;
    }
    const first = Math.ceil(newSize / PAGE_SIZE);
    const count = Math.ceil(this.size / PAGE_SIZE) - first;
    // The page that stays in part must be here before the source is cut off behind it; -EIO leaves it zero.
    if (newSize % PAGE_SIZE !== 0) this.getPage(first - 1, true);
    this.size = newSize;
    this.sourceSize = Math.min(this.sourceSize, newSize);
    this.invalidate(first, count, true);
    this.dropRange(first, Number.POSITIVE_INFINITY);
    this.zeroTail();
  }

  /** Frees the bytes of a range, which read as zeros from then on; the size stays. */
  punchHole(off: number, len: number): number {
    const end = Math.min(off + len, Math.ceil(this.size / PAGE_SIZE) * PAGE_SIZE);
    if (end <= off) return 0;
    this.diverge();
    const first = Math.ceil(off / PAGE_SIZE);
    const last = Math.floor(end / PAGE_SIZE);
    if (first > last) return this.zeroWithin(first - 1, off, end);
    let r = off < first * PAGE_SIZE ? this.zeroWithin(first - 1, off, first * PAGE_SIZE) : 0;
    if (r === 0 && last * PAGE_SIZE < end) r = this.zeroWithin(last, last * PAGE_SIZE, end);
    if (r < 0 || first === last) return r;
    this.invalidate(first, last - first, false);
    this.dropRange(first, last);
    const sourceEnd = Math.min(last, Math.ceil(this.sourceSize / PAGE_SIZE));
    for (let i = first; i < sourceEnd; i++) this.makeLeaf(i)[i % LEAF] = HOLE;
    return 0;
  }

  /** Zeros bytes [from, to), which lie in page `index`. */
  private zeroWithin(index: number, from: number, to: number): number {
    const e = this.entry(index);
    if (e <= 0 && !this.inSource(index, e)) return 0;
    const frame = this.getPage(index, true);
    if (frame < 0) return frame;
    this.memfile.zero(frame, from - index * PAGE_SIZE, to - from);
    return 0;
  }

  /** Forgets entries [first, end); nobody may have them mapped any more. */
  private dropRange(first: number, end: number): void {
    const later = this.leaves.size > FEW_LEAVES ? new DeadPages(this.memfile) : null;
    for (const [key, leaf] of this.leaves) {
      const base = key * LEAF;
      if (base + LEAF <= first || base >= end) continue;
      const from = Math.max(0, first - base);
      const to = Math.min(LEAF, end - base);
      const whole = from === 0 && to === LEAF;
      if (whole && later !== null) this.count(-later.add(leaf));
      else this.count(-dropEntries(this.memfile, leaf, from, to));
      if (whole) {
        this.leaves.delete(key);
        this.lastKey = -1;
        this.lastLeaf = null;
      }
    }
    if (later !== null) this.memfile.bury(later);
  }

  /** SEEK_DATA and SEEK_HOLE of lseek(2): the offset, or -ENXIO. */
  dataHole(off: number, whence: number): number {
    if (off < 0 || off >= this.size) return -ENXIO;
    const wantHole = whence === SEEK_HOLE;
    const end = Math.ceil(this.size / PAGE_SIZE);
    let index = Math.floor(off / PAGE_SIZE);
    while (index < end) {
      const e = this.entry(index);
      const data = e > 0 || this.inSource(index, e);
      if (data !== wantHole) return Math.max(off, index * PAGE_SIZE);
      index = data ? index + 1 : this.nextInteresting(index);
    }
    return wantHole ? this.size : -ENXIO;
  }

  /** Next page after a hole at `index` that may be data: skips leaves that do not exist. */
  private nextInteresting(index: number): number {
    const key = Math.floor(index / LEAF);
    if (this.leaves.has(key) || index * PAGE_SIZE < this.sourceSize) return index + 1;
    let best = Number.POSITIVE_INFINITY;
    for (const k of this.leaves.keys()) if (k > key && k < best) best = k;
    return best * LEAF;
  }

  /** Shrinkable: frees clean pages of the source that nobody maps. */
  shrink(pages: number): number {
    if (this.busy > 0) return 0;
    let freed = 0;
    for (const leaf of this.leaves.values()) {
      for (let i = 0; i < LEAF && freed < pages; i++) {
        const e = leaf[i]!;
        if (e <= 0 || (e & DIRTY) !== 0 || this.memfile.refs(e - 1) !== 1) continue;
        leaf[i] = 0;
        this.memfile.unref(e - 1);
        this.count(-1);
        freed++;
      }
    }
    return freed;
  }

  /** Releases every page; the file is gone. Nobody maps it any more. */
  drop(): void {
    this.dropRange(0, Number.POSITIVE_INFINITY);
    this.size = 0;
    this.sourceSize = 0;
    if (this.source !== null) this.memfile.removeShrinker(this);
  }
}

/** What is in more leaves than these is freed later, in steps. */
const FEW_LEAVES = 16;
/** Pages freed by one step. */
const FREE_STEP = 4096;

/** Leaves of pages that belong to no file any more. */
class DeadPages implements Remains {
  private readonly memfile: MemoryFile;
  private readonly leaves: Int32Array[] = [];

  constructor(memfile: MemoryFile) {
    this.memfile = memfile;
  }

  /** Takes a leaf; how many pages it has. */
  add(leaf: Int32Array): number {
    let pages = 0;
    for (let i = 0; i < LEAF; i++) if (leaf[i]! > 0) pages++;
    if (pages > 0) this.leaves.push(leaf);
    return pages;
  }

  free(): number {
    let freed = 0;
    for (let leaf = this.leaves.pop(); leaf !== undefined; leaf = this.leaves.pop()) {
      freed += dropEntries(this.memfile, leaf, 0, LEAF);
      if (freed >= FREE_STEP) break;
    }
    return freed;
  }
}

/** Releases the frames of entries [from, to), in runs; how many there were. */
function dropEntries(memfile: MemoryFile, leaf: Int32Array, from: number, to: number): number {
  let start = -1;
  let run = 0;
  let dropped = 0;
  for (let i = from; i < to; i++) {
    const e = leaf[i]!;
    leaf[i] = 0;
    if (e <= 0) continue;
    dropped++;
    const frame = (e & FRAME) - 1;
    if (run > 0 && frame === start + run) {
      run++;
      continue;
    }
    if (run > 0) memfile.unrefRun(start, run);
    start = frame;
    run = 1;
  }
  if (run > 0) memfile.unrefRun(start, run);
  return dropped;
}
