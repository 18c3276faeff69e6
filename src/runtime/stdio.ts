// Descriptors 0, 1 and 2 of the first program: files of the host, or a pseudo-terminal inside that is joined with the
// host's terminal.

import { EBADF } from '../abi/errno.ts';
import { AT_FDCWD, O_RDWR } from '../abi/fcntl.ts';
import type { HostPoller } from '../host/poller.ts';
import { failed } from '../sentry/base/errno.ts';
import { log } from '../sentry/base/log.ts';
import { ConsoleBridge } from '../sentry/fs/hostfile/console.ts';
import type { HostWorld } from '../sentry/fs/hostfile/host_inode.ts';
import { HostFiles, isHostTty } from '../sentry/fs/hostfile/stdio.ts';
import type { Devpts } from '../sentry/fs/tty/devpts.ts';
import type { Pty } from '../sentry/fs/tty/pty.ts';
import type { Task } from '../sentry/kernel/task.ts';
import type { FdTable } from '../sentry/vfs/fdtable.ts';
import { openAt } from '../sentry/vfs/open.ts';

const STDIO = [0, 1, 2];

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

/**
 * Fills descriptors 0-2 with files of the host; with a console, those that are terminals stay free for it. `readsBack`: see
 * HostWorld.
 */
export function openStdio(world: HostWorld, fds: FdTable, console: Console | null): void {
  const files = new HostFiles(world);
  for (const fd of STDIO) {
    if (console !== null && isHostTty(fd)) continue;
    const file = files.open(fd);
    // A descriptor that our parent closed is closed inside as well.
    if (file === -EBADF) continue;
    if (failed(file)) log(`stdio: descriptor ${fd} cannot be used (${file})`);
    else fds.put(fd, file, false);
  }
}

/** Gives the first program the console as controlling terminal and as every descriptor that is still free. -errno. */
export function attachConsole(init: Task, console: Console): number {
  const file = openAt(init, AT_FDCWD, `/dev/pts/${console.pty.index}`, O_RDWR, 0);
  if (failed(file)) return file;
  for (const fd of STDIO) if (init.fds.get(fd) === null) init.fds.put(fd, file.ref(), false);
  file.unref();
  return console.bridge.start();
}
