// Epoll instances may watch epoll instances. Checks at EPOLL_CTL_ADD keep wakes finite, as in Linux (fs/eventpoll.c): no
// loops, at most EP_MAX_NESTS instances above one another, and few paths from any one file up to instances that nothing watches.
//
// Both searches visit each instance once: what was found out about one is kept with it, for the search that is under way.

import type { File, ReleaseHook } from '../../vfs/file.ts';

/** Steps from an instance to the lowest below it, and to the highest above it, in a chain. */
export const EP_MAX_NESTS = 4;

/** Most paths of two to five steps from one file to instances that nothing watches; those of one step are not counted. */
const PATH_LIMITS = [500, 100, 50, 10];
/** Items that one call looks at. Sets that take more are refused: all others would wait meanwhile. */
const MAX_STEPS = 100_000;

/** One description that an instance watches, as far as nesting goes (item.ts). */
interface Link extends ReleaseHook {
  readonly epoll: Instance;
  readonly file: File;
  /** The next of the links to the same description. */
  readonly nextOfFile: Link | null;
}

/** An epoll instance, as far as nesting goes (epoll.ts). */
export interface Instance extends File {
  /** What it watches, and of that the instances. */
  all(): Iterable<Link>;
  readonly nested: { has(link: Link): boolean } & Iterable<Link>;
  readonly nesting: NestingMark;
}

/** What a search found out about an instance. */
export class NestingMark {
  search = 0;
  depth = 0;
  /** Paths from here up, by their length: none is to an instance that nothing watches. */
  paths: number[] | null = null;
}

let search = 0;
let steps = 0;

/** True when `from` would lead back to `to`, or when a chain through both gets too deep. */
export function wouldLoop(to: Instance, from: Instance): boolean {
  search++;
  steps = 0;
  const below = depthBelow(from, to, 0);
  if (below > EP_MAX_NESTS) return true;
  search++;
  return below + 1 + depthAbove(to, 0) > EP_MAX_NESTS;
}

/** Steps down from `ep` in the longest chain; huge when it meets `target`. */
function depthBelow(ep: Instance, target: Instance, level: number): number {
  if (ep === target || level > EP_MAX_NESTS) return Number.POSITIVE_INFINITY;
  const mark = ep.nesting;
  if (mark.search === search) return mark.depth;
  let deepest = 0;
  for (const item of ep.nested) {
    if (++steps > MAX_STEPS) return Number.POSITIVE_INFINITY;
    deepest = Math.max(deepest, depthBelow(item.file as Instance, target, level + 1) + 1);
    if (deepest > EP_MAX_NESTS) break;
  }
  mark.search = search;
  mark.depth = deepest;
  return deepest;
}

/** Steps up from `ep` in the longest chain. */
function depthAbove(ep: Instance, level: number): number {
  const mark = ep.nesting;
  if (mark.search === search) return mark.depth;
  let deepest = 0;
  for (let i = ep.watchers as Link | null; i !== null; i = i.nextOfFile) {
    if (++steps > MAX_STEPS || level > EP_MAX_NESTS) return Number.POSITIVE_INFINITY;
    deepest = Math.max(deepest, depthAbove(i.epoll, level + 1) + 1);
  }
  mark.search = search;
  mark.depth = deepest;
  return deepest;
}

/** True when `file`, that has just got a watcher more, or a file below it has more paths up than Linux allows. */
export function tooManyPaths(file: File, asInstance: Instance | null): boolean {
  search++;
  steps = 0;
  return asInstance === null ? exceeds(pathsFrom(file, 0)) : tooManyBelow(asInstance);
}

/** The same for all files below an instance. */
function tooManyBelow(top: Instance): boolean {
  const seen = new Set<Instance>([top]);
  // Files with one watcher have its paths: looked at once for all of them.
  for (const ep of seen) {
    let alone = false;
    for (const item of ep.all()) {
      if (++steps > MAX_STEPS) return true;
      const { file } = item;
      if (ep.nested.has(item)) seen.add(file as Instance);
      else if (item.nextOfFile !== null || file.watchers !== item) {
        if (exceeds(pathsFrom(file, 0))) return true;
      } else if (!alone) {
        alone = true;
        if (exceeds(pathsFrom(file, 0))) return true;
      }
    }
  }
  return false;
}

function exceeds(paths: readonly number[] | null): boolean {
  return paths === null || PATH_LIMITS.some((limit, i) => paths[i + 1]! > limit);
}

/** How many paths of one step, two, ... lead up from `file`; null when it cannot be told. */
function pathsFrom(file: File, level: number): number[] | null {
  if (level > EP_MAX_NESTS) return null;
  const paths = [0, 0, 0, 0, 0];
  for (let i = file.watchers as Link | null; i !== null; i = i.nextOfFile) {
    if (++steps > MAX_STEPS) return null;
    const above = pathsOf(i.epoll, level + 1);
    if (above === null) return null;
    for (let k = 0; k < above.length; k++) paths[k]! += above[k]!;
  }
  return paths;
}

/** The same, with the step to `ep`, which ends there when nothing watches it. */
function pathsOf(ep: Instance, level: number): number[] | null {
  if (ep.watchers === null) return ENDS_HERE;
  const mark = ep.nesting;
  if (mark.search === search) return mark.paths;
  const paths = pathsFrom(ep, level);
  mark.search = search;
  // One step longer; chains of more than five are refused by depth.
  mark.paths = paths === null || paths[4]! > 0 ? null : [0, paths[0]!, paths[1]!, paths[2]!, paths[3]!];
  return mark.paths;
}

const ENDS_HERE: number[] = [1, 0, 0, 0, 0];
