// Mappable: what a VMA can be backed by. Pages are frames of the memory file, shared by every mapping and by
// read and write of the same file.

/** An address space that has mapped a Mappable and must be told when pages go away. mm implements it. */
export interface MappingOwner {
  /**
   * Drops translations of pages [first, first + count) of `source`, in every VMA of the owner that maps it. With
   * `copies` (truncation), private copies of these pages go too.
   */
  invalidatePages(source: Mappable, first: number, count: number, copies: boolean): void;
}

export interface Mappable {
  /**
   * The frame with page `index` of the file, filled, still owned by the cache (the caller takes its own reference).
   * -ENOENT beyond the end of file (the fault becomes SIGBUS), -ENOMEM, -EIO.
   */
  getPage(index: number, forWrite: boolean): number;
  /** How many pages from `index` on, `max` at most, are present already or cheap to bring in (fault-around). */
  residentRun(index: number, max: number): number;
  /** One more mapping of `owner`; calls nest, one per VMA. `writable`: shared, and may become writable (seals). */
  /** How many pages from `index` on, `max` at most, are present now. */
  presentRun(index: number, max: number): number;
  addOwner(owner: MappingOwner, writable: boolean): void;
  removeOwner(owner: MappingOwner, writable: boolean): void;
  /** Content pages are truth already; called by msync for file systems that must know. */
  sync(first: number, count: number): number;
}
