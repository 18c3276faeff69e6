// Mappable: what a VMA can be backed by. Pages are frames of the memory file, shared by every mapping and by
// read and write of the same file.

/** An address space that has mapped a Mappable and must be told when pages go away. mm implements it. */
export interface MappingOwner {
  /**
   * Drops translations of pages [first, first + count) of `source`, in every VMA of the owner that maps it. With
   * `copies` (truncation), private copies of these pages go too.
   */
  invalidatePages(source: Mappable, first: number, count: number, copies: boolean): void;
  /** The content of `source` is about to differ from its host file: nothing may be mapped from that any more. */
  leaveHostFile(source: Mappable): void;
}

/** A file of the host that stubs map as it is. Known by identity: platforms keep a descriptor of it. */
export interface DonatedFile {
  /** A read-only descriptor of the Sentry's, good until the next one is asked for; -errno. */
  hostFd(): number;
}

export interface Mappable {
  /**
   * The frame with page `index` of the file, filled, still owned by the cache (the caller takes its own reference).
   * -ENOENT beyond the end of file (the fault becomes SIGBUS), -ENOMEM, -ENOSPC, -EIO.
   */
  getPage(index: number, forWrite: boolean): number;
  /** How many pages from `index` on, `max` at most, are present already or cheap to bring in (fault-around). */
  residentRun(index: number, max: number): number;
  /** How many pages from `index` on, `max` at most, are present now. */
  presentRun(index: number, max: number): number;
  /**
   * The host's file whose pages [0, directEnd) are this one's, so that read-only mappings may show either; null when
   * there is none. It ends with leaveHostFile().
   */
  directFile(): DonatedFile | null;
  readonly directEnd: number;
  /** One more mapping of `owner`; calls nest, one per VMA. `writable`: shared, and may become writable (seals). */
  addOwner(owner: MappingOwner, writable: boolean): void;
  removeOwner(owner: MappingOwner, writable: boolean): void;
  /** Content pages are truth already; called by msync for file systems that must know. */
  sync(first: number, count: number): number;
}
