// MemoryFile: all memory of the guests, one memfd of the host (pgalloc in gVisor's terms).
//
//   frame (int32)  = page of the memfd        chunk = frame >>> 18 (1 GiB)     byte in chunk = (frame & 0x3ffff) << 12
//
// The file is sparse: a frame costs host memory once somebody touches it, and nothing again after it was punched out.

import { totalmem } from 'node:os';
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE } from '../../abi/fs/falloc.ts';
import { SEEK_DATA } from '../../abi/fs/fs.ts';
import { MFD_CLOEXEC } from '../../abi/memory/memfd.ts';
import { SYS_fallocate, SYS_fstat, SYS_ftruncate, SYS_lseek, SYS_memfd_create } from '../../abi/syscall.ts';
import { HostBuffer } from '../../host/buffer.ts';
import { mapShared, widenShared } from '../../host/memory.ts';
import { hostCall } from '../../host/syscall.ts';
import { PAGE_SIZE } from '../base/page.ts';
import { CHUNK_FRAMES, FrameAllocator, type FrameBacking, MAX_ORDER } from './frames.ts';

export const CHUNK_SHIFT: number = MAX_ORDER;
const CHUNK_MASK = CHUNK_FRAMES - 1;
const CHUNK_BYTES = CHUNK_FRAMES * PAGE_SIZE;
/** Frames of the first chunk that are visible from the start: enough for a small program, and too few for a collection. */
const FIRST_FRAMES = (16 * 2 ** 20) / PAGE_SIZE;
/** The least that is worth growing by: a small program needs no more. */
const LEAST_BYTES = 32 * 2 ** 20;
/** st_blocks of struct stat, x86-64. */
const ST_BLOCKS = 64;

/** Holds pages that it can do without: caches of files of the host. */
export interface Shrinkable {
  /** Frees up to `pages` pages; returns how many. */
  shrink(pages: number): number;
}

/** Frames of something large that is gone: they are freed in steps. */
export interface Remains {
  /** Frees some thousand of them at most; how many, 0 when none is left. */
  free(): number;
}

export class MemoryFile implements FrameBacking {
  readonly fd: number;
  private readonly frames: FrameAllocator;
  /** One view per chunk; index with frame >>> CHUNK_SHIFT. That of the first chunk is replaced when it is widened. */
  readonly chunks8: Uint8Array[] = [];
  readonly chunks32: Int32Array[] = [];
  /** Host address of each chunk, for host calls that fill pages. */
  private readonly chunkAddrs: number[] = [];
  /** Only FIRST_FRAMES are visible yet, of so many bytes. */
  private narrow = true;
  private firstBytes = 0;
  private readonly shrinkers: Set<Shrinkable> = new Set();
  private readonly remains: Remains[] = [];
  private readonly statBuffer: HostBuffer;

  private constructor(fd: number, maxBytes: number) {
    this.fd = fd;
    this.frames = new FrameAllocator(this, Math.max(1, Math.floor(maxBytes / PAGE_SIZE)));
    this.statBuffer = HostBuffer.alloc(144);
  }

  /** A memory file that hands out at most `maxBytes` (the memory of the host when not given); -errno of the host. */
  static create(maxBytes: number = totalmem()): MemoryFile | number {
    const name = HostBuffer.alloc(16);
    const fd = hostCall(SYS_memfd_create, name.putString('vedette-memory'), MFD_CLOEXEC);
    if (fd < 0) return fd;
    return new MemoryFile(fd, maxBytes);
  }

  get usedPages(): number {
    return this.frames.usedPages;
  }

  /** Memory was so short that somebody has to give some up; whoever sees to that sets it to false. */
  get short(): boolean {
    return this.frames.short;
  }

  /** It is so short now, and not only was. */
  get tight(): boolean {
    return this.frames.tight;
  }

  set short(on: boolean) {
    this.frames.short = on;
  }

  get limitPages(): number {
    return this.frames.limitPages;
  }

  /** Hands out at most `bytes` from now on, and frees what can be freed when more is in use. */
  limit(bytes: number): void {
    this.frames.limit(Math.max(1, Math.floor(bytes / PAGE_SIZE)));
    const over = this.usedPages - this.limitPages;
    if (over > 0) this.reclaim(over);
  }

  /**
   * First frame of `pages` consecutive zeroed ones with one reference each, aligned to `alignPages` (a power of two).
   * -ENOMEM at the limit; -EINVAL for a run of more than one chunk (2^18 pages).
   */
  alloc(pages: number, alignPages = 1): number {
    return this.visible(this.frames.alloc(pages, alignPages), pages);
  }

  /** The same for frames that the caller overwrites, all bytes of each, before it does anything else with them. */
  allocToOverwrite(pages: number): number {
    return this.visible(this.frames.alloc(pages, 1, false), pages);
  }

  /** Sees to it that frames just handed out lie in the view of their chunk; returns the first, or -errno as it came. */
  private visible(frame: number, pages: number): number {
    if (this.narrow && frame >= 0 && frame + pages > FIRST_FRAMES) {
      this.narrow = false;
      const buffer = widenShared(this.chunkAddrs[0]!, FIRST_FRAMES * PAGE_SIZE, this.firstBytes);
      this.chunks8[0] = new Uint8Array(buffer);
      this.chunks32[0] = new Int32Array(buffer);
    }
    return frame;
  }

  ref(frame: number): void {
    this.frames.ref(frame);
  }

  unref(frame: number): void {
    this.frames.unref(frame);
  }

  /** unref of each of `pages` consecutive frames. */
  unrefRun(frame: number, pages: number): void {
    if (pages === 1) this.frames.unref(frame);
    else this.frames.unrefRun(frame, pages);
  }

  /** The reference counts themselves, for loops over many frames. */
  get counts(): Int32Array {
    return this.frames.counts;
  }

  refs(frame: number): number {
    return this.frames.counts[frame]!;
  }

  /** Bytes of the frame's chunk; the frame begins at byteOffset(frame). */
  u8(frame: number): Uint8Array {
    return this.chunks8[frame >>> CHUNK_SHIFT]!;
  }

  /** Byte offset of the frame in u8(frame). */
  byteOffset(frame: number): number {
    return (frame & CHUNK_MASK) << 12;
  }

  /** Host address of the frame's bytes, for host calls of the Sentry. */
  hostAddr(frame: number): number {
    return this.chunkAddrs[frame >>> CHUNK_SHIFT]! + this.byteOffset(frame);
  }

  /** The frame's chunk for Atomics; index with byteOffset(frame) >> 2. */
  i32(frame: number): Int32Array {
    return this.chunks32[frame >>> CHUNK_SHIFT]!;
  }

  /** Copies `pages` consecutive pages, which lie in one chunk each. */
  copy(dst: number, src: number, pages = 1): void {
    const to = this.u8(dst);
    const from = this.u8(src);
    const at = this.byteOffset(src);
    // Within a chunk copyWithin needs no view object.
    if (to === from) to.copyWithin(this.byteOffset(dst), at, at + pages * PAGE_SIZE);
    else to.set(from.subarray(at, at + pages * PAGE_SIZE), this.byteOffset(dst));
  }

  /** FrameBacking: zeros `pages` whole pages. */
  zeroPages(frame: number, pages: number): void {
    const at = this.byteOffset(frame);
    this.u8(frame).fill(0, at, at + pages * PAGE_SIZE);
  }

  /** Zeros `len` bytes from `off` in one page. */
  zero(frame: number, off: number, len: number): void {
    const at = this.byteOffset(frame) + off;
    this.u8(frame).fill(0, at, at + len);
  }

  grow(index: number): number {
    let r = 0;
    // Limits on the size of files and address spaces: half a chunk, or less, is better than none.
    for (let bytes = CHUNK_BYTES; bytes >= LEAST_BYTES; bytes /= 2) {
      r = this.growBy(index, bytes);
      if (r === 0) return bytes / PAGE_SIZE;
    }
    return r;
  }

  private growBy(index: number, bytes: number): number {
    const start = index * CHUNK_BYTES;
    const r = hostCall(SYS_ftruncate, this.fd, start + bytes);
    if (r < 0) return r;
    const visible = index === 0 ? FIRST_FRAMES * PAGE_SIZE : bytes;
    const m = mapShared(this.fd, start, bytes, visible);
    if (typeof m === 'number') return m;
    if (index === 0) this.firstBytes = bytes;
    this.chunks8.push(new Uint8Array(m.buffer));
    this.chunkAddrs.push(m.addr);
    this.chunks32.push(new Int32Array(m.buffer));
    return 0;
  }

  punch(frame: number, pages: number): boolean {
    const mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    return hostCall(SYS_fallocate, this.fd, mode, frame * PAGE_SIZE, pages * PAGE_SIZE) === 0;
  }

  /** Registers a cache that can free pages under pressure. */
  addShrinker(s: Shrinkable): void {
    this.shrinkers.add(s);
  }

  removeShrinker(s: Shrinkable): void {
    this.shrinkers.delete(s);
  }

  reclaim(pages: number): number {
    // More than asked for, so that a full memory file does not walk its caches for every page.
    const want = Math.max(pages, 4096);
    let freed = 0;
    for (let n = 1; n > 0 && freed < want; freed += n) n = this.freeRemains();
    if (freed >= want) return freed;
    for (const s of this.shrinkers) {
      freed += s.shrink(want - freed);
      if (freed >= want) break;
    }
    return freed;
  }

  /** From now on tidy() frees what `remains` has. */
  bury(remains: Remains): void {
    this.remains.push(remains);
  }

  /** There is memory to be freed or to be given back to the host: tidy() does a step of it. */
  get untidy(): boolean {
    return this.frames.untidy || this.remains.length > 0;
  }

  tidy(): void {
    if (this.freeRemains() === 0 && this.frames.untidy) this.frames.tidy();
  }

  private freeRemains(): number {
    while (this.remains.length > 0) {
      const freed = this.remains[0]!.free();
      if (freed > 0) return freed;
      this.remains.shift();
    }
    return 0;
  }

  /** Gives every free page back to the host (before a checkpoint, after a large exit). */
  trim(): void {
    while (this.freeRemains() > 0);
    this.frames.giveBack(0);
  }

  /** True when the frame's page exists in the host: somebody has touched it. */
  touched(frame: number): boolean {
    return hostCall(SYS_lseek, this.fd, frame * PAGE_SIZE, SEEK_DATA) === frame * PAGE_SIZE;
  }

  /** Pages that the host really holds for the file: less than usedPages, for frames nobody touched yet. */
  hostPages(): number {
    if (hostCall(SYS_fstat, this.fd, this.statBuffer.addr) < 0) return this.frames.usedPages;
    return Math.ceil(this.statBuffer.view.getUint32(ST_BLOCKS, true) / 8);
  }
}
