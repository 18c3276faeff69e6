// HostContent: the pages of a regular file of the host that programs inside map: redirected input, mostly. Mappings without
// the right to write show the host's file itself (mm/direct.ts). Frames here are copies for what cannot: private mappings that
// may be written, the kernel's own reads, hosts that refuse. Shared mappings that may be written there are none
// (HostFile.mmap), so nothing ever goes back to the file from here.
//
// The file belongs to others too. A frame is read again, in its place, when somebody asks for it and the file's times or
// size say that it has changed, and when a program inside has written to it.

import { EIO, ENOENT, ENOMEM } from '../../../abi/errno.ts';
import { SYS_pread64 } from '../../../abi/syscall.ts';
import { mapsExecutable } from '../../../host/noexec.ts';
import { hostCall } from '../../../host/syscall.ts';
import { PAGE_SIZE } from '../../base/page.ts';
import type { DonatedFile, Mappable } from '../../memfile/mappable.ts';
import { MappedContent } from '../../memfile/mapped_content.ts';
import type { MemoryFile, Shrinkable } from '../../memfile/memfile.ts';
import type { HostEnd } from './host_end.ts';

/** Pages from a miss on that a fault may bring in along. */
const AROUND = 16;

interface Page {
  readonly frame: number;
  /** The state of the file that the frame was read from; see HostContent.state. */
  state: number;
}

/** What pages need of their file (host_inode.ts). */
export interface PagedFile {
  readonly size: number;
  readonly mtimeSec: number;
  readonly mtimeNsec: number;
  /** Reads the host's attributes. */
  refresh(): number;
  /** A descriptor that may read the file; null for none. */
  readEnd(): HostEnd | null;
}

export class HostContent extends MappedContent implements Mappable, Shrinkable, DonatedFile {
  private readonly memfile: MemoryFile;
  private readonly inode: PagedFile;
  private readonly pages: Map<number, Page> = new Map();
  /** Goes up when the file has changed. */
  private state = 0;
  private size = -1;
  private mtimeSec = 0;
  private mtimeNsec = 0;
  /** What pages are read from while there are mappings. */
  private end: HostEnd | null = null;
  /** May the host's file be mapped, for execution too? Asked once. */
  private mappable: boolean | null = null;

  constructor(memfile: MemoryFile, inode: PagedFile) {
    super();
    this.memfile = memfile;
    this.inode = inode;
  }

  /** Looks whether the file is what it was. */
  private look(): void {
    const i = this.inode;
    i.refresh();
    if (i.size === this.size && i.mtimeSec === this.mtimeSec && i.mtimeNsec === this.mtimeNsec) return;
    this.size = i.size;
    this.mtimeSec = i.mtimeSec;
    this.mtimeNsec = i.mtimeNsec;
    this.state++;
  }

  private source(): HostEnd | null {
    if (this.end === null) {
      this.end = this.inode.readEnd();
      if (this.end !== null) this.end.refs++;
      this.memfile.addShrinker(this);
    }
    return this.end;
  }

  getPage(index: number, _forWrite: boolean): number {
    this.look();
    if (index < 0 || index * PAGE_SIZE >= this.size) return -ENOENT;
    const known = this.pages.get(index);
    if (known !== undefined) return known.state === this.state ? known.frame : this.reread(index, known);
    const frame = this.memfile.alloc(1);
    if (frame < 0) return -ENOMEM;
    const page: Page = { frame, state: -1 };
    const r = this.reread(index, page);
    if (r < 0) this.memfile.unref(frame);
    else this.pages.set(index, page);
    return r;
  }

  /** Fills the frame, whoever has it mapped; the frame, or -EIO. */
  private reread(index: number, page: Page): number {
    const end = this.source();
    if (end === null) return -EIO;
    const { frame } = page;
    let done = 0;
    while (done < PAGE_SIZE) {
      const at = this.memfile.hostAddr(frame) + done;
      const n = hostCall(SYS_pread64, end.fd, at, PAGE_SIZE - done, index * PAGE_SIZE + done);
      if (n < 0) return -EIO;
      if (n === 0) break;
      done += n;
    }
    if (done < PAGE_SIZE) this.memfile.zero(frame, done, PAGE_SIZE - done);
    page.state = this.state;
    return frame;
  }

  residentRun(index: number, max: number): number {
    return Math.max(0, Math.min(max, AROUND, Math.ceil(this.size / PAGE_SIZE) - index));
  }

  presentRun(index: number, max: number): number {
    let n = 0;
    while (n < max && this.pages.has(index + n)) n++;
    return n;
  }

  protected override hostFile(): DonatedFile | null {
    const end = this.source();
    // Stubs get a description of our own that can do nothing but read.
    if (end === null || end.shared) return null;
    this.mappable ??= mapsExecutable(end.fd);
    return this.mappable ? this : null;
  }

  hostFd(): number {
    return this.source()?.fd ?? -EIO;
  }

  get directEnd(): number {
    this.look();
    return Math.ceil(this.size / PAGE_SIZE);
  }

  /** A program inside wrote `len` bytes that end at `end`. */
  written(end: number, len: number): void {
    if (this.pages.size === 0) return;
    this.look();
    this.state++;
    const last = Math.floor((end - 1) / PAGE_SIZE);
    for (let index = Math.floor((end - len) / PAGE_SIZE); index <= last; index++) {
      const page = this.pages.get(index);
      if (page !== undefined) this.reread(index, page);
    }
  }

  /** A program inside set the size: what lies beyond goes, in private copies too. */
  truncated(size: number): void {
    if (!this.mapped) return;
    this.look();
    const first = Math.ceil(size / PAGE_SIZE);
    this.invalidate(first, Number.MAX_SAFE_INTEGER - first, true);
    for (const [index, page] of this.pages) if (index >= first) this.drop(index, page);
    const partial = this.pages.get(first - 1);
    if (partial !== undefined) this.reread(first - 1, partial);
  }

  private drop(index: number, page: Page): void {
    this.pages.delete(index);
    this.memfile.unref(page.frame);
  }

  protected override unmapped(): void {
    for (const [index, page] of this.pages) this.drop(index, page);
    if (this.end === null) return;
    this.memfile.removeShrinker(this);
    this.end.unref();
    this.end = null;
  }

  sync(_first: number, _count: number): number {
    return 0;
  }

  shrink(pages: number): number {
    let freed = 0;
    for (const [index, page] of this.pages) {
      if (freed >= pages) break;
      if (this.memfile.refs(page.frame) !== 1) continue;
      this.drop(index, page);
      freed++;
    }
    return freed;
  }
}
