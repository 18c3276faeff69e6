// What an upper layer changes of the lower tree, all runs that wrote to it together: as rootfs tells it of one run.

import { S_IFDIR, S_IFMT } from '../../../abi/fs/stat.ts';
import { PATH_MAX } from '../../../abi/limits.ts';
import { failed } from '../../base/errno.ts';
import type { Inode } from '../../vfs/inode.ts';
import { hold, letGo, namesOf, unused } from './layers.ts';
import { readMark, WHITEOUT } from './marks.ts';
import type { OverlayFs } from './overlayfs.ts';

export interface LayerChange {
  /** A: it is not in the lower tree; C: it is another there; D: it is hidden. */
  readonly kind: 'A' | 'C' | 'D';
  /** A byte string that begins with "/", from the root of the file system on. */
  readonly path: string;
}

/** All changes, by path. */
export function layerChanges(fs: OverlayFs): LayerChange[] {
  const ctx = fs.mounter;
  const out: LayerChange[] = [];
  const visit = (path: string, upper: Inode, lower: Inode | null): void => {
    const names = path.length > PATH_MAX ? 0 : namesOf(ctx, upper);
    if (typeof names === 'number') return;
    const seen = new Set<string>();
    for (const { name } of names) {
      const inode = upper.lookup(ctx, name);
      if (failed(inode)) continue;
      seen.add(name);
      const mark = readMark(ctx, inode);
      const found = lower?.lookup(ctx, name) ?? 0;
      const below = failed(found) ? null : found;
      const at = `${path}/${name}`;
      if (mark === WHITEOUT) {
        if (below !== null) out.push({ kind: 'D', path: at });
      } else if (typeof mark !== 'number') {
        out.push({ kind: below === null ? 'A' : 'C', path: at });
        if ((inode.mode & S_IFMT) === S_IFDIR) {
          hold(inode);
          if (below !== null) hold(below);
          const opaque = mark?.opaque === true;
          const dirBelow = below !== null && (below.mode & S_IFMT) === S_IFDIR ? below : null;
          if (opaque && dirBelow !== null) hiddenBelow(at, inode, dirBelow);
          visit(at, inode, dirBelow);
          letGo(inode, true);
          if (below !== null) letGo(below, false);
          continue;
        }
      }
      unused(inode, true);
      if (below !== null) unused(below, false);
    }
  };
  /** An opaque directory has no whiteouts: what it does not have is gone. */
  const hiddenBelow = (path: string, upper: Inode, lower: Inode): void => {
    const above = namesOf(ctx, upper);
    const below = namesOf(ctx, lower);
    if (typeof above === 'number' || typeof below === 'number') return;
    const there = new Set(above.map((e) => e.name));
    for (const { name } of below) if (!there.has(name)) out.push({ kind: 'D', path: `${path}/${name}` });
  };
  const { upper, lower } = fs.root;
  visit('', upper!, lower);
  return out.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}
