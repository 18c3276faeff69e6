// linux.devices: nodes in the container's own /dev. What opens them is this kernel's driver; no device of the host is behind them.

import { ENXIO, EPERM, errnoName } from '../../abi/errno.ts';
import { MEM_MAJOR, MISC_MAJOR, TTYAUX_MAJOR, UNIX98_PTY_SLAVE_MAJOR } from '../../abi/fs/major.ts';
import { S_IFBLK, S_IFCHR, S_IFIFO } from '../../abi/fs/stat.ts';
import { fromText } from '../../sentry/base/bytes.ts';
import { failed } from '../../sentry/base/errno.ts';
import { TmpfsFs } from '../../sentry/fs/tmpfs/tmpfs.ts';
import { instantiate, lookupChild } from '../../sentry/vfs/dentry.ts';
import { makedev } from '../../sentry/vfs/filesystem.ts';
import type { BootContext } from '../boot_context.ts';
import { makeDirs } from '../files.ts';
import type { SpecDevice } from './spec.ts';

const TYPES: Readonly<Record<string, number>> = { c: S_IFCHR, u: S_IFCHR, b: S_IFBLK, p: S_IFIFO };
/** Devices that this kernel has: major -> minors, null for all. */
const DRIVERS: ReadonlyMap<number, readonly number[] | null> = new Map([
  [MEM_MAJOR, [3, 5, 7, 8, 9]],
  [TTYAUX_MAJOR, [0, 1, 2]],
  [MISC_MAJOR, [200]],
  [UNIX98_PTY_SLAVE_MAJOR, null],
]);

function hasDriver({ type, major, minor }: SpecDevice): boolean {
  if (type === 'p') return true;
  const minors = type === 'b' ? undefined : DRIVERS.get(major);
  return minors === null || minors?.includes(minor) === true;
}

/** Makes one node; 0 or -errno. One that is there already stays: the standard devices are every container's. */
function makeNode(ctx: BootContext, d: SpecDevice): number {
  const path = fromText(d.path);
  const slash = path.lastIndexOf('/');
  const dir = makeDirs(ctx, path.slice(0, slash), 0o755);
  if (failed(dir)) return dir;
  const name = path.slice(slash + 1);
  const place = lookupChild(ctx, dir.dentry, name);
  if (failed(place)) return place;
  if (place.inode !== null) return 0;
  const parent = dir.dentry.inode!;
  // A node on the host's disk would be one of the host.
  if (!(parent.fs instanceof TmpfsFs)) return -EPERM;
  const inode = parent.create(ctx, name, TYPES[d.type]! | d.mode, makedev(d.major, d.minor));
  if (failed(inode)) return inode;
  instantiate(place, inode);
  return inode.setattr(ctx, { mode: d.mode, uid: d.uid, gid: d.gid });
}

/** Makes the nodes; `warn` hears of those that nothing is behind. */
export function makeDevices(
  ctx: BootContext,
  devices: readonly SpecDevice[],
  warn: (text: string) => void,
): void {
  for (const d of devices) {
    const r = makeNode(ctx, d);
    if (r < 0) warn(`linux.devices: ${d.path}: not made: ${errnoName(-r)}`);
    else if (!hasDriver(d))
      warn(
        `linux.devices: ${d.path}: this kernel has no such device: opening it fails with ${errnoName(ENXIO)}`,
      );
  }
}
