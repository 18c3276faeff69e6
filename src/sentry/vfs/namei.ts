// Lookup by path: what other parts of the kernel call to turn a guest's path into a place.

import { ENOENT } from '../../abi/errno.ts';
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW } from '../../abi/fs/fcntl.ts';
import type { VfsContext } from './context.ts';
import type { Path } from './path.ts';
import { LOOKUP_EMPTY, LOOKUP_FOLLOW, walker } from './walk.ts';

export { LOOKUP_DIRECTORY, LOOKUP_EMPTY, LOOKUP_FOLLOW } from './walk.ts';

/** The place that `path` names, from `dirfd`; `flags` are LOOKUP_*, `resolve` RESOLVE_* of openat2(2). */
export function lookupPath(
  ctx: VfsContext,
  dirfd: number,
  path: string,
  flags = LOOKUP_FOLLOW,
  resolve = 0,
): Path | number {
  const r = walker.walk(ctx, dirfd, path, flags, resolve);
  return r < 0 ? r : walker.result();
}

/** LOOKUP_* of AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH. */
export function lookupFlags(at: number): number {
  return (
    ((at & AT_SYMLINK_NOFOLLOW) !== 0 ? 0 : LOOKUP_FOLLOW) | ((at & AT_EMPTY_PATH) !== 0 ? LOOKUP_EMPTY : 0)
  );
}

/** The place of an absolute or cwd-relative path; -ENOENT for an empty one. */
export function lookup(ctx: VfsContext, path: string): Path | number {
  return path.length === 0 ? -ENOENT : lookupPath(ctx, AT_FDCWD, path);
}
