// What CLONE_FS shares: root, working directory, umask (struct fs_struct).

import type { Path } from './path.ts';

export class FsContext {
  /** Tasks that share it. */
  refs = 1;
  root: Path;
  cwd: Path;
  umask: number;
  constructor(root: Path, cwd: Path, umask: number) {
    this.root = root;
    this.cwd = cwd;
    this.umask = umask;
  }
  /** A private copy (fork without CLONE_FS, unshare). */
  clone(): FsContext {
    return new FsContext(this.root, this.cwd, this.umask);
  }
}
