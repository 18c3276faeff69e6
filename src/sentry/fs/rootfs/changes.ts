// What a run has changed of a host tree: the names that are new, changed or gone, as `docker diff` tells them.

import { PATH_MAX } from '../../../abi/limits.ts';
import type { Inode } from '../../vfs/inode.ts';
import { MemDir } from '../../vfs/mem/mem_dir.ts';
import { HostDir } from './host_dir.ts';
import type { HostNode } from './hosttree.ts';
import type { HostRootFs } from './rootfs.ts';

export interface Change {
  /** A: it was not there; C: it is another than it was, or has another content or attributes; D: it is gone. */
  readonly kind: 'A' | 'C' | 'D';
  /** A byte string that begins with "/", from the root of the file system on. */
  readonly path: string;
}

/** Where a host object is, by the host's names; null when it is not there any more. */
function placeOf(fs: HostRootFs, node: HostNode): string | null {
  let path = '';
  for (let at = node; at.parent !== null; at = at.parent) {
    const dir = fs.known(at.parent);
    if (dir instanceof HostDir && dir.lost(at.name)) return null;
    path = `/${at.name}${path}`;
  }
  return path;
}

/** What is new at `path`, and below it as far as paths reach: guests nest directories as deeply as they like. */
function* added(path: string, inode: Inode, kind: 'A' | 'C'): Generator<Change> {
  yield { kind, path };
  const todo: [string, Inode][] = [[path, inode]];
  for (let at = todo.pop(); at !== undefined; at = todo.pop()) {
    const [dirPath, dir] = at;
    if (!(dir instanceof MemDir) || dirPath.length > PATH_MAX) continue;
    for (const [name, child] of dir.ownNames()) {
      yield { kind: 'A', path: `${dirPath}/${name}` };
      todo.push([`${dirPath}/${name}`, child]);
    }
  }
}

/** All changes, by path. Of a directory of the host that was renamed, what lies in it is not listed again. */
export function changesOf(fs: HostRootFs): Change[] {
  const out: Change[] = [];
  for (const [inode, node] of fs.changed) {
    const path = placeOf(fs, node);
    if (path === null) continue;
    out.push({ kind: 'C', path: path === '' ? '/' : path });
    if (!(inode instanceof HostDir)) continue;
    for (const name of inode.removed()) out.push({ kind: 'D', path: `${path}/${name}` });
    for (const [name, child] of inode.ownNames())
      for (const change of added(`${path}/${name}`, child, inode.lost(name) ? 'C' : 'A')) out.push(change);
  }
  return out.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}
