// Building blocks for file systems whose content is made up: proc, sys, dev. A directory's names and a file's text come
// from functions of the caller's context; nothing is stored.

import { EINVAL, EIO, ENOENT, ENOMEM } from '../../abi/errno.ts';
import { S_IFDIR, S_IFLNK, S_IFREG } from '../../abi/fs/stat.ts';
import type { U64 } from '../../abi/u64.ts';
import { bytesToString, stringToBytes } from '../base/bytes.ts';
import { kernelMemory } from '../base/charge.ts';
import type { Io } from '../base/io.ts';
import type { VfsContext } from './context.ts';
import { direntType } from './dirent.ts';
import { openDir } from './dirfile.ts';
import { File, WORKS_ON } from './file.ts';
import { FileSystem } from './filesystem.ts';
import { type DirSink, Inode } from './inode.ts';
import { stampBirth } from './times.ts';

/** A file system of synthetic inodes: make it, then setRoot(). */
export class SyntheticFs extends FileSystem {
  private top: Inode | null = null;

  override get root(): Inode {
    return this.top!;
  }

  setRoot(root: Inode): void {
    this.top = root;
  }
}

/** Times of made-up files: when somebody first looked. */
function stampOnce(ctx: VfsContext, inode: Inode): number {
  if (inode.mtimeSec === 0) stampBirth(ctx, inode);
  return 0;
}

/** Bytes that one write(2) to a synthetic file may carry. */
const WRITE_MAX = 65536;
/** Of a text in pieces, one read makes and gives a part: so many bytes or pieces, whatever comes first. */
const PART_BYTES = 16384;
const PART_PIECES = 128;
/** Parts kept for who reads them again. */
const KEPT = 16;

/** A text as a whole, or in pieces where a guest can make it long: they are made as somebody reads on. */
export type Text = string | Iterable<string>;

/** A file whose text a function makes. Text is a byte string (base/bytes.ts). */
export abstract class SyntheticFileInode extends Inode {
  /** `mode`: permission bits. `ino` 0 takes a fresh number. */
  constructor(fs: FileSystem, mode: number, ino = 0) {
    super(fs, ino === 0 ? fs.nextIno() : ino, S_IFREG | (mode & 0o7777));
  }

  /** The text, made anew whenever a reader reads at offset 0; -errno. */
  abstract read(ctx: VfsContext): Text | number;

  /** Takes the bytes of one write(2), as a byte string; bytes consumed or -errno. */
  write(_ctx: VfsContext, _data: string): number {
    return -EIO;
  }

  override refresh(ctx: VfsContext): number {
    return stampOnce(ctx, this);
  }

  override open(ctx: VfsContext, flags: number): File | number {
    stampOnce(ctx, this);
    return new SyntheticFile(this, flags);
  }

  override truncate(): number {
    return 0;
  }
}

/** An open synthetic file. What a reader saw at offset 0 stays for the reads that follow, the last KEPT parts of it. */
export class SyntheticFile extends File {
  /** The parts that are kept, and where the first of them begins. */
  private parts: Uint8Array[] = [];
  private keptFrom = 0;
  /** Bytes made so far, and where the pieces to come are from; null at their end. */
  private made = -1;
  private pieces: Iterator<string> | null = null;

  override get seekable(): boolean {
    return true;
  }

  override pread(ctx: VfsContext, io: Io, off: number): number {
    // A text whose first part is still being made does not begin anew.
    const begins = off === 0 && !(this.pieces !== null && this.made === 0);
    if (this.made < 0 || begins || off < this.keptFrom) {
      const text = (this.inode as SyntheticFileInode).read(ctx);
      if (typeof text === 'number') return text;
      if (!kernelMemory.fits(typeof text === 'string' ? text.length : KEPT * PART_BYTES)) return -ENOMEM;
      this.pieces = null;
      this.forget();
      this.keptFrom = this.made = 0;
      if (typeof text === 'string') this.append(text);
      else this.pieces = text[Symbol.iterator]();
    }
    if (this.pieces !== null && this.made <= off) this.makePart();
    if (this.pieces !== null && this.made <= off) return WORKS_ON;
    let at = this.keptFrom;
    for (const part of this.parts) {
      if (off < at + part.length)
        return io.put(part, off - at, Math.min(io.remaining, at + part.length - off));
      at += part.length;
    }
    return 0;
  }

  /** Makes the next part. Pieces without text are steps of a long computation. */
  private makePart(): void {
    const pieces = this.pieces!;
    let text = '';
    for (let i = 0; i < PART_PIECES && text.length < PART_BYTES; i++) {
      const next = pieces.next();
      if (next.done === true) {
        this.pieces = null;
        break;
      }
      text += next.value;
    }
    this.append(text);
  }

  private append(text: string): void {
    if (text === '') return;
    this.parts.push(stringToBytes(text));
    kernelMemory.take(text.length, this.payer);
    this.made += text.length;
    if (this.parts.length > KEPT) {
      const gone = this.parts.shift()!.length;
      this.keptFrom += gone;
      kernelMemory.give(this.payer, gone);
    }
  }

  private forget(): void {
    for (const part of this.parts) kernelMemory.give(this.payer, part.length);
    this.parts = [];
  }

  protected override release(): void {
    this.forget();
  }

  override pwrite(ctx: VfsContext, io: Io, _off: number): number {
    if (io.remaining > WRITE_MAX) return -EINVAL;
    const data = new Uint8Array(io.remaining);
    const n = io.take(data, 0, data.length);
    if (n < 0) return n;
    return (this.inode as SyntheticFileInode).write(ctx, bytesToString(data, 0, n));
  }
}

/** A synthetic file from plain functions, for static tables. */
export class TextFileInode extends SyntheticFileInode {
  private readonly source: (ctx: VfsContext) => Text | number;
  private readonly sink: ((ctx: VfsContext, data: string) => number) | null;

  constructor(
    fs: FileSystem,
    mode: number,
    source: (ctx: VfsContext) => Text | number,
    sink: ((ctx: VfsContext, data: string) => number) | null = null,
  ) {
    super(fs, mode);
    this.source = source;
    this.sink = sink;
  }

  override read(ctx: VfsContext): Text | number {
    return this.source(ctx);
  }

  override write(ctx: VfsContext, data: string): number {
    return this.sink === null ? super.write(ctx, data) : this.sink(ctx, data);
  }
}

/** One entry of a synthetic directory. `cookie` (>= 2, growing) resumes a listing; without one the index does. */
export interface SyntheticEntry {
  readonly name: string;
  readonly ino: U64;
  /** DT_* */
  readonly type: number;
  readonly cookie?: number;
}

/** A directory whose names a function lists. Lookups are not cached, unless a subclass sets volatile = false. */
export abstract class SyntheticDirInode extends Inode {
  constructor(fs: FileSystem, mode = 0o555, ino = 0) {
    super(fs, ino === 0 ? fs.nextIno() : ino, S_IFDIR | (mode & 0o7777));
    this.nlink = 2;
    this.volatile = true;
  }

  abstract override lookup(ctx: VfsContext, name: string): Inode | number;

  /** The names, in the order of their cookies. */
  abstract entries(ctx: VfsContext): Iterable<SyntheticEntry>;

  override refresh(ctx: VfsContext): number {
    return stampOnce(ctx, this);
  }

  override open(ctx: VfsContext, flags: number): File | number {
    stampOnce(ctx, this);
    return openDir(this, flags);
  }

  override readdir(ctx: VfsContext, from: number, sink: DirSink): number {
    let index = 2;
    for (const e of this.entries(ctx)) {
      const cookie = e.cookie ?? index;
      index++;
      if (cookie < from) continue;
      if (!sink.emit(e.name, e.ino, e.type, cookie + 1)) return 0;
    }
    return 0;
  }
}

/** A directory with a fixed table of entries, filled at start or, by `fill`, when somebody looks. */
export class StaticDirInode extends SyntheticDirInode {
  private readonly names: Map<string, Inode> = new Map();
  private fill: (() => void) | null;

  constructor(fs: FileSystem, mode = 0o555, fill: (() => void) | null = null) {
    super(fs, mode);
    this.volatile = false;
    this.fill = fill;
  }

  get table(): Map<string, Inode> {
    const fill = this.fill;
    this.fill = null;
    fill?.();
    return this.names;
  }

  override refresh(ctx: VfsContext): number {
    // The number of links is that of the filled directory.
    if (this.fill !== null) this.table.size;
    return super.refresh(ctx);
  }

  add<T extends Inode>(name: string, inode: T): T {
    this.table.set(name, inode);
    if (inode instanceof SyntheticDirInode) this.nlink++;
    return inode;
  }

  override lookup(_ctx: VfsContext, name: string): Inode | number {
    return this.table.get(name) ?? -ENOENT;
  }

  override *entries(_ctx: VfsContext): Iterable<SyntheticEntry> {
    for (const [name, inode] of this.table) yield { name, ino: inode.ino, type: direntType(inode.mode) };
  }
}

/**
 * A symbolic link whose text a function makes. Override followLink() as well for a magic link, which leads to a Path
 * whatever the text says.
 */
export abstract class SyntheticSymlinkInode extends Inode {
  constructor(fs: FileSystem, ino = 0) {
    super(fs, ino === 0 ? fs.nextIno() : ino, S_IFLNK | 0o777);
  }

  abstract override readlink(ctx: VfsContext): string | number;

  override refresh(ctx: VfsContext): number {
    return stampOnce(ctx, this);
  }

  override open(): File | number {
    return -EINVAL;
  }
}

/** A symbolic link with a fixed text. */
export class StaticSymlinkInode extends SyntheticSymlinkInode {
  private readonly target: string;

  constructor(fs: FileSystem, target: string) {
    super(fs);
    this.target = target;
    this.size = target.length;
  }

  override readlink(): string | number {
    return this.target;
  }
}

/** A device node, FIFO or socket entry; opening goes through vfs/devices.ts. `mode` with its S_IFMT type. */
export class SpecialInode extends Inode {
  constructor(fs: FileSystem, mode: number, rdev: number) {
    super(fs, fs.nextIno(), mode);
    this.rdev = rdev;
  }

  override refresh(ctx: VfsContext): number {
    return stampOnce(ctx, this);
  }

  override open(): File | number {
    return -EINVAL;
  }
}
