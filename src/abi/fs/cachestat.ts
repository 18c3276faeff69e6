/** cachestat(2): <linux/mman.h>. */

import { getU64, putU64 } from '../u64.ts';

/** Layout of struct cachestat_range. */
export const SIZEOF_CACHESTAT_RANGE = 16;
export const CACHESTAT_RANGE_OFF = 0;
export const CACHESTAT_RANGE_LEN = 8;

/** The file range asked about; len 0 is up to its end. */
export type CachestatRange = {
  off: number;
  len: number;
};

export function decodeCachestatRange(view: DataView, off: number): CachestatRange {
  return {
    off: getU64(view, off + CACHESTAT_RANGE_OFF),
    len: getU64(view, off + CACHESTAT_RANGE_LEN),
  };
}

/** Layout of struct cachestat. */
export const SIZEOF_CACHESTAT = 40;
export const CACHESTAT_NR_CACHE = 0;
export const CACHESTAT_NR_DIRTY = 8;
export const CACHESTAT_NR_WRITEBACK = 16;
export const CACHESTAT_NR_EVICTED = 24;
export const CACHESTAT_NR_RECENTLY_EVICTED = 32;

/** Counts of pages. */
export type Cachestat = {
  nrCache: number;
  nrDirty: number;
  nrWriteback: number;
  nrEvicted: number;
  nrRecentlyEvicted: number;
};

export function encodeCachestat(view: DataView, off: number, s: Cachestat): void {
  putU64(view, off + CACHESTAT_NR_CACHE, s.nrCache);
  putU64(view, off + CACHESTAT_NR_DIRTY, s.nrDirty);
  putU64(view, off + CACHESTAT_NR_WRITEBACK, s.nrWriteback);
  putU64(view, off + CACHESTAT_NR_EVICTED, s.nrEvicted);
  putU64(view, off + CACHESTAT_NR_RECENTLY_EVICTED, s.nrRecentlyEvicted);
}
