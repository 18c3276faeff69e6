// The path of a place as the caller sees it: getcwd(2), /proc/PID/fd, /proc/PID/maps.

import { ENOENT } from '../../abi/errno.ts';
import type { Path } from './path.ts';

/** Set by pathBelow(): the place is below the root it was asked for. */
let reached = true;

/** The names from `root` to `p`; reached is false when `root` is not above `p`. */
function pathBelow(p: Path, root: Path): string {
  let { mount, dentry } = p;
  let s = '';
  for (;;) {
    if (dentry === root.dentry && mount === root.mount) {
      reached = true;
      break;
    }
    if (dentry !== mount.root && dentry.parent !== null) {
      s = `/${dentry.name}${s}`;
      dentry = dentry.parent;
    } else if (mount.parent !== null) {
      dentry = mount.mountpoint!;
      mount = mount.parent;
    } else {
      reached = false;
      break;
    }
  }
  return s === '' ? '/' : s;
}

/** The path of `p` seen from `root` (d_path): "(deleted)" after a removed name; from the top when out of reach. */
export function pathString(p: Path, root: Path): string {
  const s = pathBelow(p, root);
  return p.dentry.deleted ? `${s} (deleted)` : s;
}

/** Implements getcwd(2)'s text; "(unreachable)/..." outside the caller's root, -ENOENT for a removed directory. */
export function cwdString(cwd: Path, root: Path): string | number {
  if (cwd.dentry.deleted) return -ENOENT;
  const s = pathBelow(cwd, root);
  return reached ? s : `(unreachable)${s}`;
}

/** True when `p` is at or below `root`. */
export function pathReachable(p: Path, root: Path): boolean {
  pathBelow(p, root);
  return reached;
}
