// The message queues of an IPC namespace as a directory: mq_overview(7), "Mounting the message queue filesystem". Queues are made by
// mq_open(2) alone.

import { ENOENT, EPERM } from '../../../abi/errno.ts';
import { MQUEUE_MAGIC } from '../../../abi/fs/magic.ts';
import { S_ISVTX } from '../../../abi/fs/stat.ts';
import { CAP_FOWNER } from '../../../abi/process/capability.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { direntType } from '../../vfs/dirent.ts';
import type { FileSystem } from '../../vfs/filesystem.ts';
import type { Inode } from '../../vfs/inode.ts';
import { SyntheticDirInode, type SyntheticEntry, SyntheticFs } from '../../vfs/synthetic.ts';
import type { PosixQueue } from './mqueue.ts';

type Queues = Map<string, PosixQueue>;

class MqueueDir extends SyntheticDirInode {
  private readonly queues: Queues;

  constructor(fs: FileSystem, queues: Queues) {
    super(fs, S_ISVTX | 0o777);
    this.queues = queues;
  }

  override lookup(_ctx: VfsContext, name: string): Inode | number {
    return this.queues.get(name) ?? -ENOENT;
  }

  override *entries(): Iterable<SyntheticEntry> {
    for (const [name, q] of this.queues) yield { name, ino: q.ino, type: direntType(q.mode) };
  }

  override unlink(ctx: VfsContext, name: string): number {
    return unlinkQueue(ctx, this.queues, name);
  }
}

/** mq_unlink(2): the name stands in a sticky directory of root's. */
export function unlinkQueue(ctx: VfsContext, queues: Queues, name: string): number {
  const q = queues.get(name);
  if (q === undefined) return -ENOENT;
  if (q.uid !== ctx.cred.fsuid && ctx.cred.fsuid !== 0 && !ctx.cred.capable(CAP_FOWNER)) return -EPERM;
  queues.delete(name);
  q.removeName();
  return 0;
}

export class MqueueFs extends SyntheticFs {
  constructor(queues: Queues) {
    super('mqueue', MQUEUE_MAGIC);
    this.setRoot(new MqueueDir(this, queues));
  }
}
