// /proc/PID and /proc/PID/task/TID: the table of their files. proc(5).

import { EINVAL, ENOENT, EPERM } from '../../../abi/errno.ts';
import type { Task } from '../../kernel/task/task.ts';
import type { VfsContext } from '../../vfs/context.ts';
import { DT_DIR, direntType } from '../../vfs/dirent.ts';
import { pathString } from '../../vfs/dpath.ts';
import type { FileSystem } from '../../vfs/filesystem.ts';
import type { Inode } from '../../vfs/inode.ts';
import type { Path } from '../../vfs/path.ts';
import { MAY_WRITE } from '../../vfs/permission.ts';
import type { SyntheticEntry } from '../../vfs/synthetic.ts';
import { pidCgroupText } from './cgroup.ts';
import { FdDir, FdInfoDir } from './fd_dir.ts';
import { MemFile } from './mem_file.ts';
import { mountinfoText, mountsText, mountstatsText } from './mounts.ts';
import { NetDir, type NetTables } from './net.ts';
import { NsDir } from './ns.ts';
import { isGone, PidDirInode, type PidFile, PidFileInode, PidLinkInode, Target } from './pid_inode.ts';
import { mapsText, smapsRollupText, smapsText } from './pid_maps.ts';
import { statmText, statText, statusText } from './pid_status.ts';
import * as P from './pid_text.ts';

const ID_MAP = '         0          0 4294967295\n';
const NO_AUDIT_ID = '4294967295';

/** Files of both /proc/PID and /proc/PID/task/TID. */
const COMMON: readonly PidFile[] = [
  { name: 'auxv', mode: 0o400, read: P.auxvText, guarded: 'open' },
  { name: 'cgroup', mode: 0o444, read: (t) => pidCgroupText(t.kernel) },
  { name: 'cmdline', mode: 0o444, read: P.cmdlineText },
  { name: 'comm', mode: 0o644, read: P.commText, write: P.writeComm },
  { name: 'cpuset', mode: 0o444, read: () => '/\n' },
  { name: 'environ', mode: 0o400, read: P.environText, guarded: 'open' },
  { name: 'gid_map', mode: 0o644, read: () => ID_MAP },
  { name: 'io', mode: 0o400, read: P.ioText, guarded: 'read' },
  { name: 'limits', mode: 0o444, read: P.limitsText },
  { name: 'loginuid', mode: 0o644, read: () => NO_AUDIT_ID },
  { name: 'maps', mode: 0o444, read: mapsText, guarded: 'open' },
  {
    name: 'mem',
    mode: 0o600,
    read: () => -EINVAL,
    guarded: 'open',
    open: (inode, t, flags) => new MemFile(inode, flags, t),
  },
  { name: 'mountinfo', mode: 0o444, read: (t) => (isGone(t) ? -EINVAL : mountinfoText(t)) },
  { name: 'mounts', mode: 0o444, read: (t) => (isGone(t) ? -EINVAL : mountsText(t)) },
  { name: 'oom_adj', mode: 0o644, read: P.oomAdjText, write: P.writeOomAdj },
  { name: 'oom_score', mode: 0o444, read: P.oomScoreText },
  { name: 'oom_score_adj', mode: 0o644, read: P.oomScoreAdjText, write: P.writeOomScoreAdj },
  { name: 'personality', mode: 0o400, read: P.personalityText, guarded: 'read' },
  { name: 'projid_map', mode: 0o644, read: () => ID_MAP },
  { name: 'sched', mode: 0o644, read: P.schedText },
  { name: 'schedstat', mode: 0o444, read: P.schedstatText },
  { name: 'sessionid', mode: 0o444, read: () => NO_AUDIT_ID },
  { name: 'setgroups', mode: 0o644, read: () => 'allow\n' },
  { name: 'smaps', mode: 0o444, read: smapsText, guarded: 'open' },
  { name: 'smaps_rollup', mode: 0o444, read: smapsRollupText, guarded: 'open' },
  { name: 'stack', mode: 0o400, read: () => '', guarded: 'read' },
  { name: 'stat', mode: 0o444, read: statText },
  { name: 'statm', mode: 0o444, read: statmText },
  { name: 'status', mode: 0o444, read: statusText },
  { name: 'syscall', mode: 0o400, read: P.syscallText, guarded: 'read' },
  { name: 'uid_map', mode: 0o644, read: () => ID_MAP },
  { name: 'wchan', mode: 0o444, read: () => '0' },
];

/** Files of /proc/PID alone. */
const PROCESS_ONLY: readonly PidFile[] = [
  { name: 'coredump_filter', mode: 0o644, read: () => '00000033\n' },
  { name: 'mountstats', mode: 0o400, read: (t) => (isGone(t) ? -EINVAL : mountstatsText(t)) },
  { name: 'timers', mode: 0o444, read: P.timersText },
  { name: 'timerslack_ns', mode: 0o666, read: P.timerslackText, write: P.writeTimerslack },
  {
    name: 'timens_offsets',
    mode: 0o644,
    read: () => 'monotonic           0         0\nboottime            0         0\n',
  },
];

/** exe, cwd and root. */
class PlaceLink extends PidLinkInode {
  private readonly get: (t: Task) => Path | null;

  constructor(fs: FileSystem, target: Target, get: (t: Task) => Path | null) {
    super(fs, target);
    this.get = get;
  }

  protected override text(t: Task, ctx: VfsContext): string | number {
    const p = this.place(t);
    return typeof p === 'number' ? p : pathString(p, ctx.fs.root);
  }

  protected override place(t: Task): Path | number {
    return (isGone(t) ? null : this.get(t)) ?? -ENOENT;
  }
}

/** exe keeps its text even when the loader did not keep the file. */
class ExeLink extends PlaceLink {
  constructor(fs: FileSystem, target: Target) {
    super(fs, target, (t) => t.group.exeFile?.path ?? null);
  }

  protected override text(t: Task, ctx: VfsContext): string | number {
    if (isGone(t)) return -ENOENT;
    // No file, or one that no path leads to (a memfd).
    const unnamed = (t.group.exeFile?.path ?? null) === null;
    return unnamed && t.group.exePath !== '' ? t.group.exePath : super.text(t, ctx);
  }
}

type Maker = (fs: FileSystem, target: Target, net: NetTables) => Inode;

/** What is in /proc/PID/task/TID: most of it is never looked at, so each inode is made when somebody does. */
const OF_THREAD: ReadonlyMap<string, Maker> = new Map<string, Maker>([
  ['cwd', (fs, target) => new PlaceLink(fs, target, (t) => t.fs.cwd)],
  ['exe', (fs, target) => new ExeLink(fs, target)],
  ['root', (fs, target) => new PlaceLink(fs, target, (t) => t.fs.root)],
  ['fd', (fs, target) => new FdDir(fs, target)],
  ['fdinfo', (fs, target) => new FdInfoDir(fs, target)],
  ['ns', (fs, target) => new NsDir(fs, target)],
  ['net', (fs, target, net) => new NetDir(fs, target, net)],
  ...makersOf(COMMON),
]);

/** The same of /proc/PID. */
const OF_PROCESS: ReadonlyMap<string, Maker> = new Map<string, Maker>([
  ...OF_THREAD,
  ['task', (fs, target, net) => new TaskListDir(fs, target, net)],
  ...makersOf(PROCESS_ONLY),
]);

function makersOf(files: readonly PidFile[]): [string, Maker][] {
  return files.map((file) => [file.name, (fs, target) => new PidFileInode(fs, target, file)]);
}

/** fd, fdinfo, ns and net. */
const DIRS_OF_THREAD = 4;

/** The files, links and directories of one thread. Their inodes live as long as the directory's. */
class ThreadDir extends PidDirInode {
  private readonly net: NetTables;
  private readonly makers: ReadonlyMap<string, Maker>;
  private readonly made: Map<string, Inode> = new Map();

  constructor(fs: FileSystem, target: Target, net: NetTables, makers = OF_THREAD) {
    super(fs, target);
    this.net = net;
    this.makers = makers;
    this.nlink = 2 + DIRS_OF_THREAD;
  }

  private inode(name: string): Inode | undefined {
    let inode = this.made.get(name);
    if (inode !== undefined) return inode;
    inode = this.makers.get(name)?.(this.fs, this.target, this.net);
    if (inode !== undefined) this.made.set(name, inode);
    return inode;
  }

  /** Linux marks these directories, and none below them, immutable: not even root may write to them. */
  override permission(ctx: VfsContext, mask: number): number {
    return (mask & MAY_WRITE) !== 0 ? -EPERM : super.permission(ctx, mask);
  }

  override lookup(_ctx: VfsContext, name: string): Inode | number {
    return this.target.task() === null ? -ENOENT : (this.inode(name) ?? -ENOENT);
  }

  override *entries(): Iterable<SyntheticEntry> {
    if (this.target.task() === null) return;
    for (const name of this.makers.keys()) {
      const inode = this.inode(name)!;
      yield { name, ino: inode.ino, type: direntType(inode.mode) };
    }
  }
}

/** /proc/PID/task. */
class TaskListDir extends PidDirInode {
  private readonly net: NetTables;
  private readonly dirs: WeakMap<Task, ThreadDir> = new WeakMap();

  constructor(fs: FileSystem, target: Target, net: NetTables) {
    super(fs, target);
    this.net = net;
  }

  override refresh(ctx: VfsContext): number {
    const r = super.refresh(ctx);
    this.nlink = 2 + (this.target.task()?.group.live ?? 0);
    return r;
  }

  private dirOf(t: Task): ThreadDir {
    let d = this.dirs.get(t);
    if (d === undefined) {
      d = new ThreadDir(this.fs, new Target(t, false), this.net);
      this.dirs.set(t, d);
    }
    return d;
  }

  override lookup(_ctx: VfsContext, name: string): Inode | number {
    const t = this.target.task();
    const tid = parsePid(name);
    const thread = t === null || tid < 0 ? null : t.kernel.pids.task(tid);
    if (thread === null || thread.group !== t!.group) return -ENOENT;
    return this.dirOf(thread);
  }

  override *entries(): Iterable<SyntheticEntry> {
    const t = this.target.task();
    if (t === null) return;
    const threads = [...t.group.threads].sort((a, b) => a.tid - b.tid);
    for (const thread of threads) {
      yield { name: String(thread.tid), ino: this.dirOf(thread).ino, type: DT_DIR, cookie: thread.tid + 2 };
    }
  }
}

/** /proc/PID. */
export class ProcessDir extends ThreadDir {
  constructor(fs: FileSystem, task: Task, net: NetTables) {
    super(fs, new Target(task, true), net, OF_PROCESS);
    this.nlink++;
  }
}

/** A process id as a name of /proc, or -1. */
export function parsePid(name: string): number {
  return /^[1-9][0-9]{0,9}$/.test(name) ? Number(name) : -1;
}
