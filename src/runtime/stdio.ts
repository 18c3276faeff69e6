// Descriptors 0, 1 and 2 of the first program: files of the host, or a pseudo-terminal inside that is joined with the
// host's terminal.

import { EINVAL } from '../abi/errno.ts';
import { AT_FDCWD, O_CLOEXEC, O_RDWR } from '../abi/fs/fcntl.ts';
import { SYS_close, SYS_dup2, SYS_openat } from '../abi/syscall.ts';
import { HostBuffer } from '../host/buffer.ts';
import type { HostPoller } from '../host/poller.ts';
import { hostCall } from '../host/syscall.ts';
import { failed } from '../sentry/base/errno.ts';
import { log } from '../sentry/base/log.ts';
import { ConsoleBridge } from '../sentry/fs/hostfile/console.ts';
import type { HostWorld } from '../sentry/fs/hostfile/host_inode.ts';
import { HostFiles, isHostTty, mayBePassed } from '../sentry/fs/hostfile/stdio.ts';
import type { Devpts } from '../sentry/fs/tty/devpts.ts';
import type { Pty } from '../sentry/fs/tty/pty.ts';
import type { Task } from '../sentry/kernel/task/task.ts';
import type { MemoryFile } from '../sentry/memfile/memfile.ts';
import type { FdTable } from '../sentry/vfs/fdtable.ts';
import type { Inode } from '../sentry/vfs/inode.ts';
import { openAt } from '../sentry/vfs/open.ts';
import { wasClosed } from './inherited.ts';
import { type SandboxOptions, STATUS_USAGE, StartError } from './options.ts';

const STDIO = [0, 1, 2];
const STDERR = 2;

/** The terminal of the sandbox, when standard input is one. */
export class Console {
  readonly pty: Pty;
  readonly bridge: ConsoleBridge;

  private constructor(pty: Pty, bridge: ConsoleBridge) {
    this.pty = pty;
    this.bridge = bridge;
  }

  /** A console over standard input; null when that is no terminal. */
  static create(poller: HostPoller, devpts: Devpts, uid: number): Console | null {
    if (!isHostTty(0)) return null;
    const pty = devpts.newPty(uid);
    if (failed(pty)) return null;
    const bridge = ConsoleBridge.create(poller, pty, 0);
    if (failed(bridge)) {
      log(`console: the terminal cannot be reopened (${bridge}); it is used as a plain file`);
      return null;
    }
    pty.locked = false;
    devpts.console = pty;
    return new Console(pty, bridge);
  }
}

/** Has one of our own descriptors refer to nothing any more. It stays in use: nobody else may get its number. */
function letGo(fd: number): void {
  const none = hostCall(SYS_openat, AT_FDCWD, devNull.addr, O_RDWR | O_CLOEXEC, 0);
  if (none < 0) {
    log(`stdio: descriptor ${fd} stays open: no /dev/null (${none})`);
    return;
  }
  hostCall(SYS_dup2, none, fd);
  hostCall(SYS_close, none);
}

const devNull = HostBuffer.alloc(16);
devNull.putString('/dev/null');

/**
 * The files of the host that the sandbox is started with. Programs inside have descriptors of their own; ours are let go,
 * so that whoever is at the other end sees it when the last program closes its own: standard input and output at the start,
 * standard error, where we may have something to say, together with the guests'.
 */
export class Stdio implements HostWorld {
  readonly poller: HostPoller;
  readonly memfile: MemoryFile;
  readonly readsBack: boolean;
  readonly showsPaths: boolean;
  /** Descriptors of the host's terminals, for which the console stands in. */
  readonly terminals: number[] = [];
  /** Standard error is ours as well to the end: somebody asked for reports there. */
  private readonly keepsError: boolean;
  private error: Inode | null = null;
  /** Standard input, output and what else was passed, as far as they are files inside and ours still. */
  private readonly given: number[] = [];

  private readonly options: SandboxOptions;

  constructor(poller: HostPoller, memfile: MemoryFile, options: SandboxOptions) {
    const { rootfs, tmpfs, mounts } = options;
    this.options = options;
    this.poller = poller;
    this.memfile = memfile;
    // What is hidden from the guest's tree must not come back as the content of its own output.
    this.readsBack = rootfs === '/' && tmpfs.length === 0 && mounts.length === 0;
    this.showsPaths = rootfs === '/';
    this.keepsError = [options.strace, options.profile, options.diff].includes('-');
  }

  /** Fills descriptors 0-2 and those that are passed with files of the host; with a console, not those that are terminals. */
  open(fds: FdTable, console: Console | null): void {
    const { inherited, passedFds } = this.options;
    const files = new HostFiles(this);
    for (const fd of STDIO) if (!wasClosed(inherited, fd)) this.openOne(files, fds, fd, console);
    for (const { fd, asked } of passedFds) {
      const r = mayBePassed(fd) ? this.openOne(files, fds, fd, console) : -EINVAL;
      if (r < 0 && asked)
        throw new StartError(
          `--pass-fd ${fd}: only files, pipes, sockets and devices can be passed`,
          STATUS_USAGE,
        );
    }
  }

  private openOne(files: HostFiles, fds: FdTable, fd: number, console: Console | null): number {
    if (console !== null && isHostTty(fd)) return this.terminals.push(fd);
    const file = files.open(fd);
    if (failed(file)) {
      log(`stdio: descriptor ${fd} cannot be used (${file})`);
      return file;
    }
    fds.put(fd, file, false);
    if (fd === STDERR) this.error = file.inode;
    else this.given.push(fd);
    return 0;
  }

  /** The programs run: what they have of standard input and output is theirs alone. */
  start(): void {
    for (const fd of this.given) letGo(fd);
    this.given.length = 0;
  }

  fileClosed(file: Inode): void {
    if (file !== this.error) return;
    this.error = null;
    if (!this.keepsError) letGo(STDERR);
  }
}

/** Gives the first program the console as controlling terminal and in place of descriptors `fds`. -errno. */
export function attachConsole(init: Task, console: Console, fds: readonly number[]): number {
  const file = openAt(init, AT_FDCWD, `/dev/pts/${console.pty.index}`, O_RDWR, 0);
  if (failed(file)) return file;
  for (const fd of fds) init.fds.put(fd, file.ref(), false);
  file.unref();
  return console.bridge.start();
}
