// Places for files without one: following /proc/PID/fd/N of a pipe or memfd leads to its inode through a mount that is
// nowhere (what Linux does with its internal mounts).

import { Dentry } from '../../vfs/dentry.ts';
import type { File } from '../../vfs/file.ts';
import type { Inode } from '../../vfs/inode.ts';
import { Mount, NOWHERE } from '../../vfs/mount.ts';
import { Path } from '../../vfs/path.ts';

const places: WeakMap<Inode, Path> = new WeakMap();
/** Internal mounts, with how their one file calls itself. */
const names: WeakMap<Mount, string> = new WeakMap();

/** A place that names just this inode, shown as `name`. */
export function placeOf(inode: Inode, name: string): Path {
  let p = places.get(inode);
  if (p === undefined) {
    const d = new Dentry(inode.fs, '', null, inode);
    const m = new Mount(NOWHERE, inode.fs, d, inode.fs.name, 0);
    names.set(m, name);
    p = new Path(m, d);
    places.set(inode, p);
  }
  return p;
}

/** How a file without a place in any namespace calls itself; null for one that has a place. */
export function placelessName(file: File): string | null {
  if (file.path === null) return file.describe();
  return names.get(file.path.mount) ?? null;
}
