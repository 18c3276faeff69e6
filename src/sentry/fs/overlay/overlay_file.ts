// Regular files of the union. An open file goes on with the upper object as soon as there is one: who had it open for reading
// sees what others write, which Linux's overlayfs does for reads as well. It is copied up at the first write, not at open(2), so that
// truncation at open copies nothing.

import { O_ACCMODE, O_RDONLY, O_RDWR } from '../../../abi/fs/fcntl.ts';
import { SEEK_DATA, SEEK_END, SEEK_HOLE } from '../../../abi/fs/fs.ts';
import { S_IFREG } from '../../../abi/fs/stat.ts';
import { MAP_SHARED, PROT_READ } from '../../../abi/memory/mman.ts';
import { failed } from '../../base/errno.ts';
import type { Io } from '../../base/io.ts';
import type { Mappable } from '../../memfile/mappable.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { File } from '../../vfs/file.ts';
import type { Inode } from '../../vfs/inode.ts';
import { worksOn } from '../../vfs/shared_work.ts';
import { COPIED, type CopyTaker, CopyUp, MORE } from './copy.ts';
import { OverlayContent } from './overlay_content.ts';
import { type Made, OverlayInode } from './overlay_inode.ts';

export class OverlayFileInode extends OverlayInode implements CopyTaker {
  private content: OverlayContent | null = null;
  /** Keeps the upper file there without a name: it was copied up when its last one was gone, or lost it when open. */
  private keeper: File | null = null;
  /** The copy that somebody makes of it. */
  private copying: CopyUp | null = null;

  protected override copy(ctx: VfsContext, size: number): Made | number {
    const copying = this.copying ?? this.beginCopy(ctx, Math.min(size, this.lower!.size));
    if (typeof copying === 'number') return copying;
    this.copying = copying;
    if (copying.owner !== ctx) return worksOn(copying);
    const r = copying.step(this.fs.mounter);
    if (r === MORE) return worksOn(copying);
    this.copying = null;
    if (r === COPIED) return copying;
    this.discard(copying);
    return r;
  }

  /** Makes the upper file, into which the first `size` bytes go; -errno. */
  private beginCopy(ctx: VfsContext, size: number): CopyUp | number {
    const { mounter, work } = this.fs;
    const name = this.fs.workName();
    const made = work.create(mounter, name, S_IFREG | 0o600, 0);
    if (failed(made)) return made;
    const out = made.open(mounter, O_RDWR);
    const from = failed(out) || size === 0 ? null : this.lower!.open(mounter, O_RDONLY);
    if (!failed(out) && typeof from !== 'number')
      return new CopyUp(mounter, ctx, this, name, made, from, out, size);
    if (!failed(out)) out.unref();
    work.unlink(mounter, name, made);
    made.forget();
    return Math.min(Number(out) || 0, Number(from) || 0);
  }

  private discard(copy: CopyUp): void {
    this.fs.work.unlink(this.fs.mounter, copy.name, copy.made);
    copy.made.forget();
  }

  /** Whoever made the copy does not go on; who needs it begins anew. */
  copyGivenUp(copy: CopyUp): void {
    this.copying = null;
    this.discard(copy);
    // It was kept for the copy alone.
    if (this.users === 0 && this.aliases === 0) this.forget();
  }

  protected override get idle(): boolean {
    return this.copying === null && super.idle;
  }

  override open(ctx: VfsContext, flags: number): File | number {
    const real = this.openReal(ctx, flags);
    return failed(real) ? real : new OverlayFile(this, flags, real);
  }

  /** Opens the layer's file; the lower one for reading alone. */
  openReal(ctx: VfsContext, flags: number): File | number {
    if (this.upper === null) return this.lower!.open(ctx, (flags & ~O_ACCMODE) | O_RDONLY);
    return this.upper.open(this.fs.mounter, flags);
  }

  /** The content for mappings, from the layer's `source`. */
  mapped(source: Mappable): Mappable {
    if (this.content === null) this.content = new OverlayContent(source);
    else this.content.become(source);
    return this.content;
  }

  protected override copyNameless(name: string, made: Inode): number {
    const file = made.open(this.fs.mounter, O_RDWR);
    if (failed(file)) return file;
    const r = super.copyNameless(name, made);
    if (r < 0) file.unref();
    else this.keeper = file;
    return r;
  }

  /** Whoever opened the lower file has no descriptor of the upper one, which nobody finds without a name. */
  override hold(): number {
    const { upper } = this;
    const { mounter } = this.fs;
    if (upper === null || this.users === 0 || this.keeper !== null) return 0;
    upper.refresh(mounter);
    if (upper.nlink > 1) return 0;
    const file = upper.open(mounter, O_RDONLY);
    if (failed(file)) return file;
    this.keeper = file;
    return 0;
  }

  override unhold(): void {
    this.keeper?.unref();
    this.keeper = null;
  }

  override evict(): void {
    this.copying?.abandon();
    super.evict();
    this.unhold();
  }

  override forget(): void {
    if (this.idle) this.unhold();
    super.forget();
  }

  override copyUp(ctx: VfsContext, size?: number): number {
    const before = this.upper;
    const r = super.copyUp(ctx, size);
    if (before === null && this.upper !== null && this.content?.mapped) return this.moveMappings();
    return r;
  }

  /** Who has the lower file mapped sees the upper one from now on. */
  private moveMappings(): number {
    const { mounter } = this.fs;
    const file = this.upper!.open(mounter, O_RDWR);
    if (failed(file)) return file;
    const source = file.mmap(mounter, PROT_READ, MAP_SHARED);
    if (typeof source !== 'number') this.content!.become(source);
    file.unref();
    return typeof source === 'number' ? source : 0;
  }

  override truncate(ctx: VfsContext, size: number): number {
    let r = this.copyUp(ctx, size);
    if (r < 0) return r;
    // The layer asks the caller's limits.
    r = this.upper!.truncate(ctx, size);
    if (r === 0) this.dropPrivs(ctx);
    this.absorb();
    return r;
  }

  override fallocate(ctx: VfsContext, mode: number, off: number, len: number, done: number): number {
    let r = this.copyUp(ctx);
    if (r < 0) return r;
    r = this.upper!.fallocate(ctx, mode, off, len, done);
    if (r > 0) this.dropPrivs(ctx);
    this.absorb();
    return r;
  }
}

export class OverlayFile extends File {
  private readonly file: OverlayFileInode;
  private real: File;

  constructor(inode: OverlayFileInode, flags: number, real: File) {
    super(inode, flags);
    this.file = inode;
    this.real = real;
  }

  protected override release(): void {
    this.real.unref();
  }

  override get seekable(): boolean {
    return true;
  }

  /** The layer's file, which is the upper one once there is one: 0 or -errno. */
  private follow(ctx: VfsContext): number {
    if (this.real.inode !== this.file.real) {
      const now = this.file.openReal(ctx, this.flags);
      if (failed(now)) return now;
      this.real.unref();
      this.real = now;
    }
    this.real.flags = this.flags;
    return 0;
  }

  /** The same before a change. */
  private change(ctx: VfsContext): number {
    const r = this.file.copyUp(ctx);
    return r < 0 ? r : this.follow(ctx);
  }

  override pread(ctx: VfsContext, io: Io, off: number): number {
    if (this.real.inode !== this.file.real) {
      const r = this.follow(ctx);
      if (r < 0) return r;
    }
    return this.real.pread(ctx, io, off);
  }

  override write(ctx: VfsContext, io: Io): number {
    const r = this.change(ctx);
    if (r < 0) return r;
    this.real.pos = this.pos;
    const n = this.real.write(ctx, io);
    this.pos = this.real.pos;
    return this.wrote(ctx, n);
  }

  override pwrite(ctx: VfsContext, io: Io, off: number): number {
    const r = this.change(ctx);
    return r < 0 ? r : this.wrote(ctx, this.real.pwrite(ctx, io, off));
  }

  private wrote(ctx: VfsContext, n: number): number {
    if (n > 0) {
      this.file.dropPrivs(ctx);
      this.file.size = this.real.inode.size;
    }
    return n;
  }

  override flush(ctx: VfsContext): number {
    const r = this.real.flush(ctx);
    const f = super.flush(ctx);
    return r < 0 ? r : f;
  }

  override lseek(ctx: VfsContext, off: number, whence: number): number {
    if (whence === SEEK_END) this.file.refresh(ctx);
    if (whence !== SEEK_DATA && whence !== SEEK_HOLE) return super.lseek(ctx, off, whence);
    const r = this.follow(ctx);
    if (r < 0) return r;
    const to = this.real.lseek(ctx, off, whence);
    if (to >= 0) this.pos = to;
    return to;
  }

  override mmap(ctx: VfsContext, prot: number, flags: number): Mappable | number {
    const shared = (flags & MAP_SHARED) !== 0 && this.writable;
    const r = shared ? this.change(ctx) : this.follow(ctx);
    if (r < 0) return r;
    if (shared) this.file.dropPrivs(ctx);
    const source = this.real.mmap(ctx, prot, flags);
    return typeof source === 'number' ? source : this.file.mapped(source);
  }

  override fsync(ctx: VfsContext): number {
    const r = this.follow(ctx);
    return r < 0 ? r : this.real.fsync(ctx);
  }
}
