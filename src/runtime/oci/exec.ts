// A program that is started from outside in a container that runs: what setns(2) and execve(2) do for runc.

import { ENOTTY, errnoName } from '../../abi/errno.ts';
import { O_NOCTTY, O_RDWR } from '../../abi/fs/fcntl.ts';
import { S_IFDIR, S_IFMT } from '../../abi/fs/stat.ts';
import type { HostPoller } from '../../host/poller.ts';
import { hostClose } from '../../host/socket.ts';
import { fromText } from '../../sentry/base/bytes.ts';
import { fileMemory, kernelMemory } from '../../sentry/base/charge.ts';
import { failed } from '../../sentry/base/errno.ts';
import type { HostWorld } from '../../sentry/fs/hostfile/host_inode.ts';
import { reopenNonblocking } from '../../sentry/fs/hostfile/host_inode.ts';
import { HostFiles, isHostTty } from '../../sentry/fs/hostfile/stdio.ts';
import type { Devpts } from '../../sentry/fs/tty/devpts.ts';
import type { HostTty } from '../../sentry/fs/tty/host_tty.ts';
import type { Kernel } from '../../sentry/kernel/kernel.ts';
import { createOutsider } from '../../sentry/kernel/task/init.ts';
import { defaultLimits } from '../../sentry/kernel/task/rlimits.ts';
import type { SeccompChain } from '../../sentry/kernel/task/seccomp.ts';
import type { Task } from '../../sentry/kernel/task/task.ts';
import type { MemoryFile } from '../../sentry/memfile/memfile.ts';
import { FdTable } from '../../sentry/vfs/fdtable.ts';
import { FsContext } from '../../sentry/vfs/fscontext.ts';
import { lookup } from '../../sentry/vfs/namei.ts';
import { BootContext } from '../boot_context.ts';
import { loadCommand } from '../command.ts';
import { STATUS_NOT_EXECUTABLE, STATUS_NOT_FOUND, StartError } from '../options.ts';
import { Door } from '../terminals.ts';
import { credOf, limitsOf } from './process.ts';
import { confine } from './seccomp.ts';
import type { SpecProcess } from './spec.ts';

/** Why a program cannot be started, in the words that runc's callers look for. */
export function startFailure(error: StartError, argv0: string): string {
  const name = `exec: ${JSON.stringify(argv0)}`;
  const begin = `unable to start container process: ${name}`;
  if (error.status === STATUS_NOT_FOUND)
    return argv0.includes('/')
      ? `${begin}: stat ${argv0}: no such file or directory`
      : `${begin}: executable file not found in $PATH`;
  if (error.status === STATUS_NOT_EXECUTABLE) {
    if (/denied/.test(error.message)) return `${begin}: permission denied`;
    if (/is a directory/i.test(error.message)) return `${begin}: is a directory`;
    return `${begin}: ${error.message}`;
  }
  return error.message;
}

/** The host as files that came with an exec see it. */
class ExecWorld implements HostWorld {
  readonly poller: HostPoller;
  readonly memfile: MemoryFile;
  readonly readsBack = false;
  readonly showsPaths = false;

  constructor(poller: HostPoller, memfile: MemoryFile) {
    this.poller = poller;
    this.memfile = memfile;
  }

  fileClosed(): void {}
}

/** Where a program is started. */
export interface ExecPlace {
  readonly kernel: Kernel;
  readonly poller: HostPoller;
  /** The first program. */
  readonly init: Task;
  readonly devpts: Devpts;
  /** The container's filter; null for none. */
  readonly seccomp: SeccompChain | null;
}

export interface Started {
  readonly task: Task;
  /** Its terminal, whose keys another process hands on; null when it has none. */
  readonly tty: HostTty | null;
}

function giveUp(ctx: BootContext, fds: FdTable, devpts: Devpts, tty: HostTty | null): void {
  fds.closeAll(ctx);
  if (tty !== null) devpts.removeHostTty(tty);
}

/** Makes the terminal `hostFd` the descriptors 0, 1 and 2. */
function openTerminal(
  poller: HostPoller,
  devpts: Devpts,
  ctx: BootContext,
  hostFd: number,
  fds: FdTable,
): HostTty | string {
  const own = isHostTty(hostFd) ? reopenNonblocking(hostFd, O_RDWR) : -ENOTTY;
  if (own < 0) return `the terminal cannot be used: ${errnoName(-own)}`;
  const tty = devpts.newHostTty(new Door(poller, own, () => {}, true), ctx.cred.uid);
  const file = devpts.openSlave(tty, devpts.nodeOf(tty), ctx, O_RDWR | O_NOCTTY);
  if (failed(file)) {
    devpts.removeHostTty(tty);
    hostClose(own);
    return `the terminal cannot be used: ${errnoName(-file)}`;
  }
  for (const fd of [0, 1, 2]) {
    if (fd > 0) file.ref();
    fds.put(fd, file, false);
  }
  return tty;
}

/**
 * Starts `p` beside the first program `init`, with files of `hostFds` as its descriptors 0, 1 and so on; they are closed here. The
 * thread, or why there is none.
 */
export function execIn(
  { kernel, poller, init, devpts, seccomp }: ExecPlace,
  p: SpecProcess,
  hostFds: readonly number[],
): Started | string {
  const fds = new FdTable();
  const cred = credOf(p);
  const ctx = new BootContext(cred, kernel.time);
  let tty: HostTty | null = null;
  try {
    // What it takes is the container's.
    kernelMemory.current = init.user;
    fileMemory.current = init.user.files;
    if (!kernel.taskLimit.admits(init.share, true)) return 'too many processes inside: EAGAIN';
    ctx.setRoot(init.fs.root);
    const files = new HostFiles(new ExecWorld(poller, kernel.memfile));
    if (p.terminal) {
      const opened = openTerminal(poller, devpts, ctx, hostFds[0]!, fds);
      if (typeof opened === 'string') return opened;
      tty = opened;
    } else
      for (const [n, hostFd] of hostFds.entries()) {
        const file = files.open(hostFd);
        if (failed(file)) {
          fds.closeAll(ctx);
          return `descriptor ${n} cannot be used: ${errnoName(-file)}`;
        }
        fds.put(n, file, false);
      }
    const cwd = lookup(ctx, fromText(p.cwd));
    if (failed(cwd) || (cwd.dentry.inode!.mode & S_IFMT) !== S_IFDIR) {
      giveUp(ctx, fds, devpts, tty);
      return `unable to start container process: chdir to cwd (${JSON.stringify(p.cwd)}) set in config.json failed: no such file or directory`;
    }
    ctx.fs.setCwd(cwd);
    const limits = limitsOf(defaultLimits(), p);
    const program = loadCommand({
      kernel,
      ctx,
      argv: p.args,
      env: p.env,
      limits,
      personality: init.personality,
    });
    const task = createOutsider(kernel, {
      ...program,
      fs: new FsContext(init.fs.root, cwd, p.umask),
      fds,
      cred: program.cred,
      limits,
    });
    task.personality = init.personality;
    if (p.oomScoreAdj !== null) task.group.oomScoreAdj = p.oomScoreAdj;
    if (seccomp !== null) confine(task, seccomp);
    tty?.adopt(task);
    return { task, tty };
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    giveUp(ctx, fds, devpts, tty);
    return startFailure(error, p.args[0]!);
  } finally {
    for (const fd of hostFds) hostClose(fd);
    ctx.fs.unref();
  }
}
