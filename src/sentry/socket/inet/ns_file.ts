// NetNsFile: a network namespace as an open file: /proc/PID/ns/net, and where that is mounted.

import { File } from '../../vfs/file.ts';
import type { Inode } from '../../vfs/inode.ts';
import type { InetNamespace } from './namespace.ts';

/** Holds a network namespace. */
export class NetNsFile extends File {
  readonly net: InetNamespace;

  constructor(inode: Inode, flags: number, net: InetNamespace) {
    super(inode, flags);
    this.net = net.hold();
  }

  protected override release(): void {
    this.net.drop();
  }
}
