// MappedContent: who has a file's content mapped, and whether that may be the host's own file.

import type { DonatedFile, Mappable, MappingOwner } from './mappable.ts';

export abstract class MappedContent {
  private readonly owners: Map<MappingOwner, number> = new Map();
  /** Mappings that are shared and may be written through. */
  writableMappings = 0;
  /** Nothing was written yet: the host's file, if there is one, has the same content. */
  private pristine = true;
  /** Mappings may show the host's file. */
  private donated = false;

  /** The host's file that this content came from, or null. */
  protected abstract hostFile(): DonatedFile | null;
  /** The last mapping is gone. */
  protected abstract unmapped(): void;

  /** Mappable: over with the first write, mostly for good: files of programs are replaced rather than written to. */
  directFile(): DonatedFile | null {
    if (!this.pristine) return null;
    const file = this.hostFile();
    if (file !== null) this.donated = true;
    return file;
  }

  /** Called before every change: mappings of the host's file show our pages from the first one on. */
  protected diverge(this: MappedContent & Mappable): void {
    if (!this.pristine) return;
    this.pristine = false;
    if (!this.donated) return;
    for (const owner of this.owners.keys()) owner.leaveHostFile(this);
  }

  /** The content is the host's file's again. */
  protected reunite(): void {
    this.pristine = true;
    this.donated = false;
  }

  addOwner(owner: MappingOwner, writable: boolean): void {
    this.owners.set(owner, (this.owners.get(owner) ?? 0) + 1);
    if (writable) this.writableMappings++;
  }

  removeOwner(owner: MappingOwner, writable: boolean): void {
    const n = this.owners.get(owner)! - 1;
    if (n > 0) this.owners.set(owner, n);
    else this.owners.delete(owner);
    if (writable) this.writableMappings--;
    if (this.owners.size === 0) this.unmapped();
  }

  get mapped(): boolean {
    return this.owners.size > 0;
  }

  protected invalidate(this: MappedContent & Mappable, first: number, count: number, copies: boolean): void {
    for (const owner of this.owners.keys()) owner.invalidatePages(this, first, count, copies);
  }
}
