// A VFS context for tests: a fake clock, no guest memory, credentials and limits that a test sets.

import { type Cred, credFor } from '../base/cred.ts';
import type { TimeSource } from '../base/time.ts';
import type { UserMemory } from '../base/usermem.ts';
import { MemoryFile } from '../memfile/memfile.ts';
import type { VfsContext } from './context.ts';
import { FdTable } from './fdtable.ts';
import type { FileSystem } from './filesystem.ts';
import { FsContext } from './fscontext.ts';
import { newMount } from './mount.ts';
import { MountNamespace, namespaceRoot } from './mount_namespace.ts';

class FakeTime implements TimeSource {
  now = 1_000_000;
  realtimeNsec = 0;
  monotonicNs(): number {
    return this.now * 1e9;
  }
  recentRealtimeSec(): number {
    return this.realtimeSec();
  }
  realtimeSec(): number {
    return this.now;
  }
  arm(): void {}
  cancel(): void {}
}

export class TestContext implements VfsContext {
  cred: Cred = credFor(0, 0);
  fs!: FsContext;
  fds: FdTable = new FdTable();
  readonly mem: UserMemory = null as unknown as UserMemory;
  readonly time: FakeTime = new FakeTime();
  readonly tid = 1;
  readonly tgid = 1;
  fileLimit = Number.POSITIVE_INFINITY;
  readonly raised: number[] = [];

  rlimit(): number {
    return this.fileLimit;
  }

  raise(sig: number): void {
    this.raised.push(sig);
  }

  /** Makes `fs` the root. */
  mountRoot(fs: FileSystem): MountNamespace {
    const ns = new MountNamespace(newMount(fs, fs.name, 0));
    const root = namespaceRoot(ns);
    this.fs = new FsContext(root, root, 0o022);
    return ns;
  }

  /** Another process of the same place as another user. */
  as(uid: number, gid: number): TestContext {
    const c = new TestContext();
    c.cred = credFor(uid, gid);
    c.fs = this.fs;
    return c;
  }
}

let shared: MemoryFile | null = null;

/** One memory file for all tests of a run. */
export function testMemory(): MemoryFile {
  if (shared === null) {
    const m = MemoryFile.create(256 * 2 ** 20);
    if (typeof m === 'number') throw new Error(`memfd: ${m}`);
    shared = m;
  }
  return shared;
}
