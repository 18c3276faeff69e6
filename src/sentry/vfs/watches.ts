// The hook that inotify(7) listens on: VFS operations report here, and the watches of an inode hear of it.

import { IN_ISDIR } from '../../abi/fs/inotify.ts';
import { S_IFDIR, S_IFMT } from '../../abi/fs/stat.ts';
import type { Dentry } from './dentry.ts';
import type { Inode } from './inode.ts';

/** One watch on one inode; fs/inotify implements it. */
export interface InodeWatch {
  /**
   * Hears every event of the inode (IN_* in `mask`, with IN_ISDIR when the subject is a directory). `name` is the entry of
   * a watched directory that it is about, '' when about the inode itself; `cookie` pairs the halves of a rename.
   */
  onEvent(mask: number, name: string, cookie: number): void;
}

/** How many watches exist at all: lets hot paths skip the walk when nobody listens. */
export const watchCount: { n: number } = { n: 0 };

/** The watches of one inode. */
export class InodeWatches {
  private list: readonly InodeWatch[] = [];

  get empty(): boolean {
    return this.list.length === 0;
  }

  add(w: InodeWatch): void {
    this.list = [...this.list, w];
    watchCount.n++;
  }

  remove(w: InodeWatch): void {
    const left = this.list.filter((x) => x !== w);
    watchCount.n -= this.list.length - left.length;
    this.list = left;
  }

  notify(mask: number, name: string, cookie: number): void {
    // A watch may remove itself while it hears: the list is replaced, never changed.
    for (const w of this.list) w.onEvent(mask, name, cookie);
  }
}

/** Adds a watch to an inode. */
export function addWatch(inode: Inode, w: InodeWatch): void {
  (inode.watches ??= new InodeWatches()).add(w);
}

/** Removes a watch from its inode. */
export function removeWatch(inode: Inode, w: InodeWatch): void {
  const all = inode.watches;
  if (all === null) return;
  all.remove(w);
  if (all.empty) inode.watches = null;
}

let lastCookie = 0;

/** A fresh cookie that pairs IN_MOVED_FROM with IN_MOVED_TO. */
export function moveCookie(): number {
  lastCookie = (lastCookie + 1) >>> 0;
  return lastCookie;
}

/** An event about entry `name` of directory `dir`; `subject` is what the entry names. */
export function notifyDir(dir: Inode, mask: number, name: string, subject: Inode | null, cookie = 0): void {
  if (watchCount.n === 0 || dir.watches === null) return;
  const isDir = subject !== null && (subject.mode & S_IFMT) === S_IFDIR ? IN_ISDIR : 0;
  dir.watches.notify((mask | isDir) >>> 0, name, cookie);
}

/** An event about the inode itself. */
export function notifyInode(inode: Inode, mask: number): void {
  if (watchCount.n === 0 || inode.watches === null) return;
  const isDir = (inode.mode & S_IFMT) === S_IFDIR ? IN_ISDIR : 0;
  inode.watches.notify((mask | isDir) >>> 0, '', 0);
}

/** An event about what a dentry names: told to its directory, by name, and to the inode (fsnotify_dentry). */
export function notifyDentry(dentry: Dentry, mask: number): void {
  if (watchCount.n === 0 || dentry.inode === null) return;
  const parent = dentry.parent;
  if (parent !== null && parent.inode !== null && !dentry.deleted)
    notifyDir(parent.inode, mask, dentry.name, dentry.inode);
  notifyInode(dentry.inode, mask);
}
