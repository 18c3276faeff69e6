// Epoll instances may watch epoll instances. Two checks at EPOLL_CTL_ADD keep wakes finite, as in Linux: no loops and at
// most EP_MAX_NESTS instances in a chain; and few wake-up paths from any one file (reverse_path_check).

import type { File } from '../../vfs/file.ts';
import type { EpollFile } from './epoll.ts';
import type { EpollItem } from './item.ts';

/** Deepest chain of instances. */
export const EP_MAX_NESTS = 4;

/** Most paths of length 1..5 from one file to instances that nothing watches. */
const PATH_LIMITS = [1000, 500, 100, 50, 10];
/** Bounds both searches: a graph that costs more is refused as a loop would be. */
const MAX_STEPS = 10000;

let steps = 0;

/** True when `from` would lead back to `to`, or chains below `from` get deeper than EP_MAX_NESTS. */
export function wouldLoop(to: EpollFile, from: EpollFile): boolean {
  steps = 0;
  return depthBelow(from, to) + depthAbove(to, 0) > EP_MAX_NESTS;
}

/** Longest chain of instances from `ep` down, itself included; huge when it meets `target`. */
function depthBelow(ep: EpollFile, target: EpollFile): number {
  if (ep === target || ++steps > MAX_STEPS) return EP_MAX_NESTS + 1;
  let deepest = 0;
  for (const item of ep.itemsWatchingEpoll()) {
    deepest = Math.max(deepest, depthBelow(item.file as EpollFile, target));
    if (deepest > EP_MAX_NESTS) break;
  }
  return deepest + 1;
}

/** Longest chain of instances that watch `ep`, without itself. */
function depthAbove(ep: File, depth: number): number {
  if (depth > EP_MAX_NESTS || ++steps > MAX_STEPS) return depth;
  let deepest = depth;
  for (let i = ep.watchers as EpollItem | null; i !== null; i = i.nextOfFile)
    deepest = Math.max(deepest, depthAbove(i.epoll, depth + 1));
  return deepest;
}

/** True when the wake-up paths from `file` exceed what Linux allows. */
export function tooManyPaths(file: File): boolean {
  const counts = [0, 0, 0, 0, 0];
  steps = 0;
  return countPaths(file, 0, counts);
}

function countPaths(file: File, length: number, counts: number[]): boolean {
  if (length >= PATH_LIMITS.length || ++steps > MAX_STEPS) return true;
  for (let i = file.watchers as EpollItem | null; i !== null; i = i.nextOfFile) {
    if (i.epoll.watchers === null) {
      if (++counts[length]! > PATH_LIMITS[length]!) return true;
    } else if (countPaths(i.epoll, length + 1, counts)) return true;
  }
  return false;
}
