// procfs: the root of /proc. Make one per kernel; several mounts may show it.

import { ENOENT } from '../../../abi/errno.ts';
import { PROC_SUPER_MAGIC } from '../../../abi/fs/magic.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import type { Task } from '../../kernel/task/task.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { DT_DIR, direntType } from '../../vfs/dirent.ts';
import type { Inode } from '../../vfs/inode.ts';
import { locksText } from '../../vfs/locks.ts';
import {
  StaticSymlinkInode,
  type SyntheticEntry,
  SyntheticFs,
  SyntheticSymlinkInode,
  type Text,
  TextFileInode,
} from '../../vfs/synthetic.ts';
import { cgroupsText } from './cgroup.ts';
import { cpuinfoText, prepareCpuinfo } from './cpuinfo.ts';
import { NetTables } from './net.ts';
import { ProcessDir, parsePid } from './pid_dir.ts';
import { ProcDirInode, ProcStaticDir } from './proc_dir.ts';
import { fillSysctls, randomUuid } from './sysctl.ts';
import * as S from './system.ts';
import { sysvipcDir } from './sysvipc.ts';

/** Directory cookies below this are the fixed entries'. */
const FIRST_PID_COOKIE = 256;

/** self and thread-self. */
class SelfLink extends SyntheticSymlinkInode {
  private readonly thread: boolean;

  constructor(fs: ProcFs, thread: boolean) {
    super(fs);
    this.thread = thread;
  }

  override readlink(ctx: VfsContext): string {
    return this.thread ? `${ctx.tgid}/task/${ctx.tid}` : String(ctx.tgid);
  }
}

class ProcRoot extends ProcDirInode {
  readonly fixed: Map<string, Inode> = new Map();
  private readonly proc: ProcFs;
  private readonly kernel: Kernel;
  private readonly dirs: WeakMap<Task, ProcessDir> = new WeakMap();

  constructor(proc: ProcFs, kernel: Kernel) {
    super(proc, 0o555, 1);
    this.proc = proc;
    this.kernel = kernel;
  }

  private dirOf(t: Task): ProcessDir {
    let d = this.dirs.get(t);
    if (d === undefined) {
      d = new ProcessDir(this.proc, t, this.proc.netTables);
      this.dirs.set(t, d);
    }
    return d;
  }

  override refresh(ctx: VfsContext): number {
    super.refresh(ctx);
    this.nlink = 2 + this.kernel.pids.groups().length;
    return 0;
  }

  /** Any thread's id leads to a directory, as on Linux; only processes are listed. */
  override lookup(_ctx: VfsContext, name: string): Inode | number {
    const pid = parsePid(name);
    if (pid < 0) return this.fixed.get(name) ?? -ENOENT;
    const t = this.kernel.pids.task(pid);
    return t === null ? -ENOENT : this.dirOf(t);
  }

  override *entries(): Iterable<SyntheticEntry> {
    let cookie = 2;
    for (const [name, inode] of this.fixed) {
      yield { name, ino: inode.ino, type: direntType(inode.mode), cookie: cookie++ };
    }
    for (const g of this.kernel.pids.groups()) {
      const t = this.kernel.pids.task(g.tgid);
      if (t === null) continue;
      yield { name: String(g.tgid), ino: this.dirOf(t).ino, type: DT_DIR, cookie: FIRST_PID_COOKIE + g.tgid };
    }
  }
}

export interface ProcOptions {
  /** /proc/cmdline, without a newline. */
  readonly cmdline?: string;
}

export class ProcFs extends SyntheticFs {
  /** Tables of /proc/net: socket layers register theirs. */
  readonly netTables: NetTables = new NetTables();
  /** kernel.random.boot_id. */
  readonly bootId: string = randomUuid();

  constructor(kernel: Kernel, options: ProcOptions = {}) {
    super('proc', PROC_SUPER_MAGIC);
    prepareCpuinfo();
    const root = new ProcRoot(this, kernel);
    this.netTables.register('unix', () => kernel.unix.procRows());
    const text = (name: string, read: () => Text, mode = 0o444): void => {
      root.fixed.set(name, new TextFileInode(this, mode, read));
    };
    text('cgroups', () => cgroupsText(kernel));
    text('cmdline', () => `${options.cmdline ?? ''}\n`);
    text('cpuinfo', () => cpuinfoText(kernel.numCpu));
    text('devices', () => S.DEVICES_TEXT);
    text('diskstats', () => '');
    text('execdomains', () => '0-0\tLinux           \t[kernel]\n');
    text('filesystems', () => S.filesystemsText());
    text('interrupts', () => S.interruptsText(kernel));
    text('loadavg', () => S.loadavgText(kernel));
    text('locks', locksText);
    text('meminfo', () => S.meminfoText(kernel));
    text('misc', () => '');
    text('modules', () => '');
    root.fixed.set('mounts', new StaticSymlinkInode(this, 'self/mounts'));
    root.fixed.set('net', new StaticSymlinkInode(this, 'self/net'));
    text('partitions', () => 'major minor  #blocks  name\n\n');
    root.fixed.set('self', new SelfLink(this, false));
    text('softirqs', () => S.softirqsText(kernel));
    text('stat', () => S.statText(kernel));
    text('swaps', () => S.SWAPS_TEXT);
    const sys: ProcStaticDir = new ProcStaticDir(this, 0o555, () =>
      fillSysctls(this, sys, kernel, this.bootId),
    );
    root.fixed.set('sys', sys);
    root.fixed.set('sysvipc', sysvipcDir(this));
    root.fixed.set('thread-self', new SelfLink(this, true));
    text('uptime', () => S.uptimeText(kernel));
    text('version', () => S.versionText(kernel));
    text('vmstat', () => S.vmstatText(kernel));
    this.setRoot(root);
  }
}
