// OverlayContent: what is mapped of a file: the pages of the layer that it is in. When the file is copied up, those who have it
// mapped see the upper file's pages from then on; with Linux's overlayfs they would keep the lower one's.

import type { DonatedFile, Mappable, MappingOwner } from '../../memfile/mappable.ts';
import { MappedContent } from '../../memfile/mapped_content.ts';

export class OverlayContent extends MappedContent implements Mappable, MappingOwner {
  private inner: Mappable;
  private mappings = 0;
  private writable = 0;

  constructor(inner: Mappable) {
    super();
    this.inner = inner;
  }

  get source(): Mappable {
    return this.inner;
  }

  /** The content is that of another layer's file from now on. */
  become(inner: Mappable): void {
    const old = this.inner;
    if (old === inner) return;
    this.leaveHostFile();
    this.inner = inner;
    for (let i = 0; i < this.mappings; i++) inner.addOwner(this, i < this.writable);
    this.invalidate(0, Number.MAX_SAFE_INTEGER, false);
    for (let i = 0; i < this.mappings; i++) old.removeOwner(this, i < this.writable);
  }

  override addOwner(owner: MappingOwner, writable: boolean): void {
    this.mappings++;
    if (writable) this.writable++;
    this.inner.addOwner(this, writable);
    super.addOwner(owner, writable);
  }

  override removeOwner(owner: MappingOwner, writable: boolean): void {
    this.mappings--;
    if (writable) this.writable--;
    super.removeOwner(owner, writable);
    this.inner.removeOwner(this, writable);
  }

  protected override hostFile(): DonatedFile | null {
    return this.inner.directFile();
  }

  protected override unmapped(): void {}

  get directEnd(): number {
    return this.inner.directEnd;
  }

  getPage(index: number, forWrite: boolean): number {
    return this.inner.getPage(index, forWrite);
  }

  residentRun(index: number, max: number): number {
    return this.inner.residentRun(index, max);
  }

  presentRun(index: number, max: number): number {
    return this.inner.presentRun(index, max);
  }

  sync(first: number, count: number): number {
    return this.inner.sync(first, count);
  }

  /** MappingOwner of the layer's pages: passed on to those who map ours. */
  invalidatePages(_source: Mappable, first: number, count: number, copies: boolean): void {
    this.invalidate(first, count, copies);
  }

  leaveHostFile(): void {
    this.diverge();
    // Whether there is a host file to show is for the layer to say, each time.
    this.reunite();
  }
}
