// System V shared memory: a segment is a page cache that mm maps. Its file object counts the attachments.

import { O_RDWR } from '../../../abi/fs/fcntl.ts';
import { TMPFS_MAGIC } from '../../../abi/fs/magic.ts';
import { type Account, fileMemory } from '../../base/charge.ts';
import type { Cred } from '../../base/cred.ts';
import { PageCache } from '../../memfile/pagecache.ts';
import { AnonFs, AnonInode } from '../../vfs/anon.ts';
import { File } from '../../vfs/file.ts';
import type { Task } from '../task/task.ts';
import { SHM_DEST } from './namespace.ts';
import { IpcObject, type IpcTable } from './object.ts';

const shmFs = new AnonFs('tmpfs', TMPFS_MAGIC);

export class ShmSegment extends IpcObject {
  readonly size: number;
  readonly cache: PageCache;
  readonly file: ShmFile;
  readonly table: IpcTable<ShmSegment>;
  readonly cpid: number;
  /** All of it counts from the start: nobody needs to have it mapped later on. */
  readonly pagesPayer: Account;
  lpid = 0;
  atimeSec = 0;
  dtimeSec = 0;
  ctimeSec: number;

  constructor(t: Task, table: IpcTable<ShmSegment>, key: number, mode: number, cred: Cred, size: number) {
    super(key, mode, cred);
    this.size = size;
    this.pagesPayer = fileMemory.take(size);
    this.table = table;
    this.cache = new PageCache(t.kernel.memfile, size);
    this.cpid = t.tgid;
    this.ctimeSec = t.kernel.time.realtimeSec();
    const name = `/SYSV${(key >>> 0).toString(16).padStart(8, '0')} (deleted)`;
    this.file = new ShmFile(t, this, name);
  }

  /** Attachments: mappings of it in all address spaces. */
  get attached(): number {
    return this.file.refs - 1;
  }

  /** IPC_RMID: it goes with the last attachment. */
  destroyLater(): void {
    this.mode |= SHM_DEST;
    this.table.forgetKey(this);
    if (this.attached === 0) this.destroy();
  }

  destroy(): void {
    if (this.removed) return;
    this.table.remove(this);
    this.file.unref();
  }
}

/** What mappings of a segment hold, and /proc/PID/maps names. */
export class ShmFile extends File {
  readonly segment: ShmSegment;
  private readonly text: string;

  constructor(t: Task, segment: ShmSegment, text: string) {
    super(new AnonInode(shmFs, 0o100000 | segment.mode, t), O_RDWR);
    this.segment = segment;
    this.text = text;
    this.inode.size = segment.size;
  }

  override unref(): void {
    super.unref();
    if (this.refs === 1 && (this.segment.mode & SHM_DEST) !== 0) this.segment.destroy();
  }

  protected override release(): void {
    this.segment.cache.drop();
    fileMemory.give(this.segment.pagesPayer, this.segment.size);
  }

  override describe(): string {
    return this.text;
  }
}
