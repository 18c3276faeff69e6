// Path: a dentry seen through a mount (struct path). Two paths are the same place when both fields are.

import type { Dentry } from './dentry.ts';
import type { Mount } from './mount.ts';

export class Path {
  readonly mount: Mount;
  readonly dentry: Dentry;
  constructor(mount: Mount, dentry: Dentry) {
    this.mount = mount;
    this.dentry = dentry;
  }
  equals(o: Path): boolean {
    return this.dentry === o.dentry && this.mount === o.mount;
  }
}
