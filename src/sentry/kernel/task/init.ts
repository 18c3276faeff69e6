// The first process: what kernel_init is in Linux. The runtime loads a program and hands it over here.

import { SIGCHLD } from '../../../abi/signal/signal.ts';
import type { Cred } from '../../base/cred.ts';
import type { MemoryManager } from '../../mm/mm.ts';
import type { FdTable } from '../../vfs/fdtable.ts';
import type { File } from '../../vfs/file.ts';
import type { FsContext } from '../../vfs/fscontext.ts';
import type { Kernel } from '../kernel.ts';
import { SignalHandlers } from '../signal/state.ts';
import { setEntryRegisters } from './entry.ts';
import { defaultLimits, type Limits } from './rlimits.ts';
import { Task } from './task.ts';
import { ThreadGroup } from './threadgroup.ts';

export interface InitArgs {
  mm: MemoryManager;
  entry: number;
  sp: number;
  exePath: string;
  exeFile: File | null;
  name: string;
  fs: FsContext;
  fds: FdTable;
  cred: Cred;
  limits?: Limits;
  /** It does not run until somebody makes it ready. */
  held?: boolean;
}

/** Makes process 1, session and process group leader, ready to run its first instruction. */
export function createInit(kernel: Kernel, args: InitArgs): Task {
  const tid = kernel.pids.allocate();
  if (tid !== 1) throw new Error('init exists');
  const t = createOrphan(kernel, tid, args);
  kernel.initGroup = t.group;
  return t;
}

/**
 * Makes a process that nobody inside is the parent of, in the first namespaces, leader of its session and process group, as setns(2) and
 * fork(2) from outside do: nobody inside waits for it, and it is gone with its end.
 */
export function createOutsider(kernel: Kernel, args: InitArgs): Task {
  return createOrphan(kernel, kernel.pids.allocate(), args);
}

function createOrphan(kernel: Kernel, tid: number, args: InitArgs): Task {
  const group = new ThreadGroup(kernel, tid, new SignalHandlers(), args.limits ?? defaultLimits());
  const ctx = kernel.platform.newContext();
  const t = new Task(
    kernel,
    tid,
    group,
    ctx,
    args.mm,
    args.fs,
    args.fds,
    args.cred,
    args.name.slice(0, 15),
    null,
  );
  addThread(t);
  group.leader = t;
  group.exitSignal = SIGCHLD;
  group.exePath = args.exePath;
  group.exeFile = args.exeFile;
  kernel.pids.addGroup(group);
  kernel.pids.newSession(group);
  kernel.users.regroup(group);
  setEntryRegisters(t, args.entry, args.sp);
  if (args.held !== true) kernel.makeReady(t);
  return t;
}

/** Enters a new thread into its process and the tables. */
export function addThread(t: Task): void {
  const g = t.group;
  g.threads.add(t);
  g.live++;
  t.kernel.liveTasks++;
  t.kernel.pids.addTask(t);
}
