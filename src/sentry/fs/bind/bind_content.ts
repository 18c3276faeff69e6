// BindContent: the pages of a file of the host that programs inside map. Mappings without the right to write show the host's
// file itself (mm/direct.ts). Frames here are for the others, for the kernel's own reads, and for hosts that refuse.
//
// A page that may be written through a mapping has a second frame, its base: what the host's file had there when the two were
// last the same. What differs from the base was written inside and goes to the host (writeBack); what differs from it on the
// host was written outside and comes in (reread). So neither takes back what the other wrote, unless both wrote the same
// bytes, and a page that was mapped and not written changes nothing on the host.
//
// Nobody is told when a mapped page is written. It goes to the host when the mapping ends, at msync, fsync, when a descriptor
// of the file is closed, before programs inside read or write there in other ways, and at the end of the sandbox.

import { EINTR, EIO, ENOENT, ENOMEM, ENOSPC } from '../../../abi/errno.ts';
import { O_RDONLY } from '../../../abi/fs/fcntl.ts';
import { SYS_pread64, SYS_pwrite64 } from '../../../abi/syscall.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { mapsExecutable } from '../../../host/noexec.ts';
import { hostCall } from '../../../host/syscall.ts';
import { type Account, fileMemory } from '../../base/charge.ts';
import { log } from '../../base/log.ts';
import { PAGE_SIZE } from '../../base/page.ts';
import type { DonatedFile, Mappable, MappingOwner } from '../../memfile/mappable.ts';
import { MappedContent } from '../../memfile/mapped_content.ts';
import type { MemoryFile, Shrinkable } from '../../memfile/memfile.ts';

/** Pages from a miss on that a fault may bring in along. */
const AROUND = 16;

const page0 = HostBuffer.alloc(PAGE_SIZE);

interface Page {
  readonly frame: number;
  /** The state of the file that the frame was read from; see BindContent.state. */
  state: number;
  /** What the host's file had, or has, there while the page may be written through mappings; -1 when it may not. */
  base: number;
  /** Who pays for the two frames then. */
  payer: Account | null;
}

/** A descriptor of the host's. */
interface End {
  readonly fd: number;
  readonly writes: boolean;
  ref(): unknown;
  unref(): void;
}

/** What pages need of their file system. */
export interface ContentWorld {
  readonly unwritten: Set<BindContent>;
}

/** What pages need of their file (bind_file.ts). */
interface PagedFile {
  readonly world: ContentWorld;
  readonly size: number;
  readonly mtimeSec: number;
  readonly mtimeNsec: number;
  /** Reads the host's attributes. */
  refresh(): number;
  /** A descriptor with exactly that access, to be given back; -errno. */
  exactEnd(access: number): End | number;
}

export class BindContent extends MappedContent implements Mappable, Shrinkable, DonatedFile {
  private readonly memfile: MemoryFile;
  private readonly file: PagedFile;
  private readonly pages: Map<number, Page> = new Map();
  /** Pages that have a base. */
  private readonly written: Map<number, Page> = new Map();
  /** Goes up when the file has changed. */
  private state = 0;
  private size = -1;
  /** The largest size since pages beyond the end were last given up. */
  private shown = 0;
  private mtimeSec = 0;
  private mtimeNsec = 0;
  /** What pages are read from, and written to, while there are mappings. */
  private reader: End | null = null;
  private writer: End | null = null;
  /** What stubs map; asked for once. */
  private donor: End | null = null;
  private donates: boolean | null = null;
  /** The first error of handing pages to the host that nobody was told of yet. */
  private error = 0;

  constructor(memfile: MemoryFile, file: PagedFile) {
    super();
    this.memfile = memfile;
    this.file = file;
  }

  /** Before a mapping of a description with this descriptor; `writes`: a shared one that may be written. 0 or -errno. */
  prepare(end: End, writes: boolean): number {
    if (this.reader === null) {
      end.ref();
      this.reader = end;
      this.memfile.addShrinker(this);
    }
    if (writes && this.writer === null) {
      end.ref();
      this.writer = end;
    }
    this.look();
    return 0;
  }

  /** Looks whether the file is what it was. */
  private look(): void {
    const f = this.file;
    f.refresh();
    if (f.size === this.size && f.mtimeSec === this.mtimeSec && f.mtimeNsec === this.mtimeNsec) return;
    this.size = f.size;
    this.shown = Math.max(this.shown, f.size);
    this.mtimeSec = f.mtimeSec;
    this.mtimeNsec = f.mtimeNsec;
    this.state++;
  }

  getPage(index: number, forWrite: boolean): number {
    this.look();
    if (index < 0 || index * PAGE_SIZE >= this.size) return -ENOENT;
    let page = this.pages.get(index);
    if (page === undefined) {
      const frame = this.memfile.alloc(1);
      if (frame < 0) return -ENOMEM;
      page = { frame, state: -1, base: -1, payer: null };
      const r = this.reread(index, page);
      if (r < 0) {
        this.memfile.unref(frame);
        return r;
      }
      this.pages.set(index, page);
    } else if (page.state !== this.state) {
      const r = this.reread(index, page);
      if (r < 0) return r;
    }
    if (forWrite && page.base < 0) {
      const r = this.allowWrite(index, page);
      if (r < 0) return r;
    }
    return page.frame;
  }

  /** From now on the page may differ from the host's. */
  private allowWrite(index: number, page: Page): number {
    if (!fileMemory.fits(2 * PAGE_SIZE)) return -ENOSPC;
    const base = this.memfile.allocToOverwrite(1);
    if (base < 0) return -ENOMEM;
    this.diverge();
    this.memfile.copy(base, page.frame);
    page.base = base;
    page.payer = fileMemory.take(2 * PAGE_SIZE);
    this.written.set(index, page);
    this.file.world.unwritten.add(this);
    return 0;
  }

  private noMoreWrites(index: number, page: Page): void {
    this.memfile.unref(page.base);
    page.base = -1;
    fileMemory.give(page.payer!, 2 * PAGE_SIZE);
    page.payer = null;
    this.written.delete(index);
    if (this.written.size > 0) return;
    this.file.world.unwritten.delete(this);
    this.reunite();
  }

  /** The page's bytes from the host, into its frame, whoever has it mapped; what was written inside stays. -EIO. */
  private reread(index: number, page: Page): number {
    const to = page.base < 0 ? this.memfile.hostAddr(page.frame) : page0.addr;
    const done = this.readHost(to, PAGE_SIZE, index * PAGE_SIZE);
    if (done < 0) return done;
    if (page.base < 0) {
      if (done < PAGE_SIZE) this.memfile.zero(page.frame, done, PAGE_SIZE - done);
    } else {
      page0.u8.fill(0, done);
      this.merge(page);
    }
    page.state = this.state;
    return 0;
  }

  private merge(page: Page): void {
    const { memfile } = this;
    const own = memfile.u8(page.frame);
    const at = memfile.byteOffset(page.frame);
    const base = memfile.u8(page.base);
    const baseAt = memfile.byteOffset(page.base);
    for (let i = 0; i < PAGE_SIZE; i++) {
      const theirs = page0.u8[i]!;
      const before = base[baseAt + i]!;
      if (theirs === before) continue;
      if (own[at + i] === before) own[at + i] = theirs;
      base[baseAt + i] = theirs;
    }
  }

  private readHost(addr: number, len: number, off: number): number {
    const end = this.reader;
    if (end === null) return -EIO;
    let done = 0;
    while (done < len) {
      const n = hostCall(SYS_pread64, end.fd, addr + done, len - done, off + done);
      if (n === -EINTR) continue;
      if (n < 0) return -EIO;
      if (n === 0) break;
      done += n;
    }
    return done;
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
    // Stubs get a descriptor that can do nothing but read.
    this.donates ??= this.canMap();
    return this.donates ? this : null;
  }

  private canMap(): boolean {
    const fd = this.hostFd();
    return fd >= 0 && mapsExecutable(fd);
  }

  hostFd(): number {
    if (this.donor === null) {
      const end = this.file.exactEnd(O_RDONLY);
      if (typeof end === 'number') return end;
      this.donor = end;
    }
    return this.donor.fd;
  }

  get directEnd(): number {
    this.look();
    return Math.ceil(this.size / PAGE_SIZE);
  }

  /** Hands to the host what was written through mappings in bytes [from, to); 0 or -errno. */
  writeBack(from = 0, to: number = Number.POSITIVE_INFINITY): number {
    if (this.written.size === 0) return 0;
    const first = Math.floor(from / PAGE_SIZE);
    const end = Math.ceil(to / PAGE_SIZE);
    this.file.refresh();
    let r = 0;
    if (end - first < this.written.size) {
      for (let i = first; i < end; i++) {
        const page = this.written.get(i);
        if (page !== undefined) r = Math.min(r, this.writePage(i, page));
      }
    } else
      for (const [i, page] of this.written)
        if (i >= first && i < end) r = Math.min(r, this.writePage(i, page));
    if (r < 0 && this.error === 0) this.error = r;
    return r;
  }

  private writePage(index: number, page: Page): number {
    const { memfile } = this;
    const len = Math.min(PAGE_SIZE, this.file.size - index * PAGE_SIZE);
    if (len <= 0) return 0;
    const own = memfile.u8(page.frame).subarray(memfile.byteOffset(page.frame));
    const base = memfile.u8(page.base).subarray(memfile.byteOffset(page.base));
    if (Buffer.compare(own.subarray(0, len), base.subarray(0, len)) === 0) return 0;
    let a = 0;
    while (a < len && own[a] === base[a]) a++;
    let b = len;
    while (b > a && own[b - 1] === base[b - 1]) b--;
    if (a === b) return 0;
    // In between may be bytes that somebody outside has changed.
    const off = index * PAGE_SIZE + a;
    const n = this.readHost(page0.addr, b - a, off);
    if (n < 0) return n;
    const size = Math.min(b - a, n);
    for (let i = 0; i < size; i++) {
      const byte = own[a + i]!;
      if (byte !== base[a + i]) page0.u8[i] = byte;
    }
    let done = 0;
    while (done < size) {
      const w = hostCall(SYS_pwrite64, this.writer!.fd, page0.addr + done, size - done, off + done);
      if (w === -EINTR) continue;
      if (w < 0) return w;
      done += w;
    }
    // What programs wrote meanwhile still differs from it.
    for (let i = 0; i < size; i++) {
      const was = base[a + i]!;
      const sent = page0.u8[i]!;
      if (own[a + i] === was && sent !== was) own[a + i] = sent;
      base[a + i] = sent;
    }
    return 0;
  }

  /** Everything to the host, and what changed there comes in. */
  revalidate(): number {
    if (!this.mapped) return 0;
    const r = this.writeBack();
    this.resized();
    for (const [index, page] of this.pages) if (page.state !== this.state) this.reread(index, page);
    return r;
  }

  /** A program inside wrote `len` bytes from `off` on, which are in `bytes`: the host's file has them. */
  wrote(off: number, len: number, bytes: Uint8Array): void {
    if (this.pages.size === 0) return;
    const { memfile } = this;
    const end = off + len;
    for (let index = Math.floor(off / PAGE_SIZE); index * PAGE_SIZE < end; index++) {
      const page = this.pages.get(index);
      if (page === undefined) continue;
      const from = Math.max(off, index * PAGE_SIZE);
      const part = bytes.subarray(from - off, Math.min(end, (index + 1) * PAGE_SIZE) - off);
      const at = from - index * PAGE_SIZE;
      memfile.u8(page.frame).set(part, memfile.byteOffset(page.frame) + at);
      if (page.base >= 0) memfile.u8(page.base).set(part, memfile.byteOffset(page.base) + at);
    }
  }

  /** The file may be shorter: what lies beyond its end goes, in private copies too. */
  resized(): void {
    if (!this.mapped) return;
    this.look();
    if (this.size >= this.shown) return;
    this.shown = this.size;
    const first = Math.ceil(this.size / PAGE_SIZE);
    this.invalidate(first, Number.MAX_SAFE_INTEGER - first, true);
    for (const [index, page] of this.pages) if (index >= first) this.drop(index, page);
    const partial = this.pages.get(first - 1);
    if (partial === undefined || this.size % PAGE_SIZE === 0) return;
    const tail = this.size % PAGE_SIZE;
    this.memfile.zero(partial.frame, tail, PAGE_SIZE - tail);
    if (partial.base >= 0) this.memfile.zero(partial.base, tail, PAGE_SIZE - tail);
  }

  private drop(index: number, page: Page): void {
    if (page.base >= 0) this.noMoreWrites(index, page);
    this.pages.delete(index);
    this.memfile.unref(page.frame);
  }

  override removeOwner(owner: MappingOwner, writable: boolean): void {
    // The mapping is gone from the stub: nothing more comes by it.
    if (writable) {
      const r = this.writeBack();
      if (r < 0) log(`a mapped page could not be written to the host: ${r}`);
    }
    super.removeOwner(owner, writable);
    if (this.writableMappings > 0) return;
    for (const [index, page] of this.written) this.noMoreWrites(index, page);
    this.writer?.unref();
    this.writer = null;
  }

  protected override unmapped(): void {
    for (const [index, page] of this.pages) this.drop(index, page);
    this.memfile.removeShrinker(this);
    this.reader?.unref();
    this.reader = null;
    this.donor?.unref();
    this.donor = null;
  }

  /** Mappable: msync(2). */
  sync(_first: number, _count: number): number {
    const r = this.revalidate();
    return r < 0 ? r : this.takeError();
  }

  /** The error that fsync(2) has to tell of. */
  takeError(): number {
    const r = this.error;
    this.error = 0;
    return r;
  }

  shrink(pages: number): number {
    let freed = 0;
    for (const [index, page] of this.pages) {
      if (freed >= pages) break;
      if (page.base >= 0 || this.memfile.refs(page.frame) !== 1) continue;
      this.drop(index, page);
      freed++;
    }
    return freed;
  }
}
