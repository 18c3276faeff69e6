// Work on mappings that may be more than one slice: what a slice may do, counted in pages, and what else counts as pages.
// Between slices guest threads and the kernel read, write and fault on, so after each the page table, the stub's orders and
// the Tlb are as they may stay; calls that change mappings wait (kernel/task/holds.ts).

/** From a step: there is more to do. Results of calls are addresses of pages, 0 or -errno. */
export const MORE = 1;

/** Pages whose rights, frames or counts change in one slice: some tenths of a millisecond up to one. */
export const SLICE_PAGES = 8192;

/** A leaf of the page table and a mapping count as so many pages more. */
export const LEAF_WORK = 8;
export const VMA_WORK = 16;
