// What CLONE_FS shares: root, working directory, umask (struct fs_struct).

import type { MountNamespace } from './mount_namespace.ts';
import type { Path } from './path.ts';

export class FsContext {
  /** Tasks that share it. */
  refs = 1;
  root: Path;
  cwd: Path;
  umask: number;
  /** Who shares folders shares it: CLONE_FS and CLONE_NEWNS exclude one another. */
  ns: MountNamespace;

  constructor(root: Path, cwd: Path, umask: number, ns: MountNamespace = root.mount.ns!) {
    this.ns = ns.hold();
    this.root = root;
    this.cwd = cwd;
    this.umask = umask;
    hold(root);
    hold(cwd);
  }

  /** A private copy (fork without CLONE_FS, unshare). */
  clone(): FsContext {
    return new FsContext(this.root, this.cwd, this.umask, this.ns);
  }

  setMounts(ns: MountNamespace): void {
    ns.hold();
    this.ns.drop();
    this.ns = ns;
  }

  setRoot(root: Path): void {
    hold(root);
    drop(this.root);
    this.root = root;
  }

  setCwd(cwd: Path): void {
    hold(cwd);
    drop(this.cwd);
    this.cwd = cwd;
  }

  /** One task no longer shares it; the last one lets root and cwd go. */
  unref(): void {
    if (--this.refs !== 0) return;
    drop(this.root);
    drop(this.cwd);
    this.ns.drop();
  }
}

function hold(p: Path): void {
  p.dentry.pin();
  p.mount.hold();
}

function drop(p: Path): void {
  p.dentry.unpin();
  p.mount.drop();
}
