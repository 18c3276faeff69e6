// Symbolic links, and what is neither file nor directory. In the upper layer these are empty files with a mark, except for links
// whose owner is the host's: an unprivileged user cannot give links attributes or owners, nor make devices.

import { EINVAL, EIO, ENXIO, EPERM } from '../../../abi/errno.ts';
import { O_RDONLY, O_RDWR } from '../../../abi/fs/fcntl.ts';
import { S_IFLNK, S_IFMT, S_IFREG } from '../../../abi/fs/stat.ts';
import { PATH_MAX } from '../../../abi/limits.ts';
import { bytesToString, stringToBytes } from '../../base/bytes.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import { failed } from '../../base/errno.ts';
import { KernelIo } from '../../base/io.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { File } from '../../vfs/file.ts';
import type { Inode, SetAttr } from '../../vfs/inode.ts';
import { type Made, OverlayInode } from './overlay_inode.ts';

/** The kernel's part of a FIFO, socket or device that was made inside, for as long as it exists. */
export const SPECIAL_BYTES = 1280;

/** Makes the upper file that stands for a link: 0 or -errno. */
function putText(ctx: VfsContext, file: Inode, text: string): number {
  const out = file.open(ctx, O_RDWR);
  if (failed(out)) return out;
  const n = out.pwrite(ctx, new KernelIo(stringToBytes(text)), 0);
  out.unref();
  return n < 0 ? n : n < text.length ? -EIO : 0;
}

/** Makes a link's upper object in the work directory: a link where its owner allows, else a file. */
export function makeLink(
  ctx: VfsContext,
  work: Inode,
  name: string,
  text: string,
  real: boolean,
): Inode | number {
  if (real) return work.symlink(ctx, name, text);
  const made = work.create(ctx, name, S_IFREG | 0o600, 0);
  if (failed(made)) return made;
  made.aliases++;
  const r = putText(ctx, made, text);
  made.aliases--;
  if (r === 0) return made;
  work.unlink(ctx, name, made);
  made.forget();
  return r;
}

export class OverlaySymlink extends OverlayInode {
  override open(): File | number {
    return -EINVAL;
  }

  override readlink(): string | number {
    const { mounter } = this.fs;
    const { real } = this;
    if ((real.mode & S_IFMT) === S_IFLNK) return real.readlink(mounter);
    const file = real.open(mounter, O_RDONLY);
    if (failed(file)) return file;
    const bytes = new Uint8Array(PATH_MAX);
    const n = file.pread(mounter, new KernelIo(bytes), 0);
    file.unref();
    return n < 0 ? n : bytesToString(bytes, 0, n);
  }

  protected override copy(): Made | number {
    const { mounter, work } = this.fs;
    const text = this.lower!.readlink(mounter);
    if (typeof text === 'number') return text;
    const name = this.fs.workName();
    const made = makeLink(mounter, work, name, text, this.uid === work.uid && this.gid === work.gid);
    return failed(made) ? made : { name, made };
  }

  override setattr(ctx: VfsContext, attr: SetAttr): number {
    const { uid, gid } = this;
    const given = (attr.uid ?? uid) !== uid || (attr.gid ?? gid) !== gid;
    if (given) {
      let r = this.copyUp(ctx);
      if (r === 0) r = this.becomeFile();
      if (r < 0) return r;
    }
    return super.setattr(ctx, attr);
  }

  /**
   * An upper link becomes a file that stands for it, which can have another owner, and more names than one: a link of the host with
   * several could not become one everywhere at once. 0 or -errno.
   */
  becomeFile(): number {
    const old = this.upper!;
    if ((old.mode & S_IFMT) !== S_IFLNK) return 0;
    const place = this.places[0];
    const { mounter, work } = this.fs;
    // Only earlier versions left such a one.
    if (old.nlink > 1) return -EPERM;
    const text = this.readlink();
    if (typeof text === 'number') return text;
    if (place === undefined) return -EIO;
    const name = this.fs.workName();
    const made = makeLink(mounter, work, name, text, false);
    if (failed(made)) return made;
    const { mode, uid, gid, rdev } = this;
    const { atimeSec, atimeNsec, mtimeSec, mtimeNsec } = old;
    let r = this.dress(made, { mode, uid, gid, rdev, opaque: false, acl: false });
    if (r === 0) r = made.setattr(mounter, { atimeSec, atimeNsec, mtimeSec, mtimeNsec });
    if (r === 0) r = work.rename(mounter, name, made, place.dir.upper!, place.name, old, 0);
    if (r < 0) {
      this.mark = null;
      work.unlink(mounter, name, made);
      return r;
    }
    this.upper = made;
    this.fs.copiedUp(this, old, made);
    this.absorb();
    return 0;
  }
}

/** Devices, FIFOs and sockets: those of the upper layer are the guest's, and join what is inside. */
export class OverlaySpecial extends OverlayInode {
  private payer: Account | null = null;

  /** It was made inside, and is kept for as long as it has a name: a socket that is bound to it is found by it. */
  keep(): void {
    this.payer = kernelMemory.take(SPECIAL_BYTES);
  }

  override get inert(): boolean {
    return this.upper === null && this.lower!.inert;
  }

  override open(): File | number {
    return -ENXIO;
  }

  protected override get idle(): boolean {
    return this.payer === null && super.idle;
  }

  protected override copy(): Made | number {
    const name = this.fs.workName();
    const made = this.fs.work.create(this.fs.mounter, name, S_IFREG | 0o600, 0);
    return failed(made) ? made : { name, made };
  }

  override evict(): void {
    if (this.payer !== null) kernelMemory.give(this.payer, SPECIAL_BYTES);
    this.payer = null;
    super.evict();
  }
}
