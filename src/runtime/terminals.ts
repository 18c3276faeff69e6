// The terminals of the host that the sandbox has: its controlling terminal, when the caller has one, whatever standard input
// is; and others among the descriptors that are handed on. fs/tty's HostTty says what programs see of them.

import { EIO } from '../abi/errno.ts';
import { AT_FDCWD, O_ACCMODE, O_CLOEXEC, O_NOCTTY, O_NONBLOCK, O_RDWR } from '../abi/fs/fcntl.ts';
import { TIOCGDEV, TIOCGPTN } from '../abi/ioctl.ts';
import { SYS_close, SYS_ioctl, SYS_openat } from '../abi/syscall.ts';
import { HostBuffer } from '../host/buffer.ts';
import type { HostPoller } from '../host/poller.ts';
import { hostCall } from '../host/syscall.ts';
import { failed } from '../sentry/base/errno.ts';
import { log } from '../sentry/base/log.ts';
import { HOW_NONBLOCK, HostEnd } from '../sentry/fs/hostfile/host_end.ts';
import { reopenNonblocking } from '../sentry/fs/hostfile/host_inode.ts';
import { isHostTty } from '../sentry/fs/hostfile/stdio.ts';
import type { Devpts } from '../sentry/fs/tty/devpts.ts';
import type { HostDoor, HostTty } from '../sentry/fs/tty/host_tty.ts';
import type { Task } from '../sentry/kernel/task/task.ts';
import type { File } from '../sentry/vfs/file.ts';
import { openAt } from '../sentry/vfs/open.ts';

const OWN_FLAGS = O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
const buffer = HostBuffer.alloc(16);

/** The device number of a terminal; -errno. */
function deviceOf(fd: number): number {
  const r = hostCall(SYS_ioctl, fd, TIOCGDEV, buffer.addr);
  return r < 0 ? r : buffer.view.getUint32(0, true);
}

/** The way to one terminal. */
export class Door implements HostDoor {
  readonly controls: boolean;
  readonly relayed: boolean;
  private readonly poller: HostPoller;
  private readonly onClosed: () => void;
  /** Of a terminal that has no name for us: the one descriptor, until it is closed. */
  private only: HostEnd | null = null;

  constructor(poller: HostPoller, fd: number, onClosed: () => void, relayed = false) {
    this.relayed = relayed;
    this.poller = poller;
    this.onClosed = onClosed;
    this.controls = fd < 0;
    if (fd >= 0) this.only = this.endOf(fd);
  }

  open(): HostEnd | number {
    if (!this.controls) return this.only ?? -EIO;
    const fd = hostCall(SYS_openat, AT_FDCWD, buffer.putString('/dev/tty'), OWN_FLAGS, 0);
    return fd < 0 ? fd : this.endOf(fd);
  }

  private endOf(fd: number): HostEnd {
    return new HostEnd(fd, HOW_NONBLOCK, O_RDWR, false, false, this.poller, { endClosed: () => {} });
  }

  closed(): void {
    this.only = null;
    this.onClosed();
  }
}

export class Terminals {
  /** The one that keys send signals from; null when the caller has none. */
  readonly controlling: HostTty | null;
  /** Those of descriptors that are handed on. */
  private readonly given = new Map<number, HostTty>();
  private readonly ttys: HostTty[] = [];

  /**
   * Finds the caller's and those among `fds`, and enters them into `devpts` as the user's. `closed` hears of a terminal that no file
   * inside has any more.
   */
  constructor(
    poller: HostPoller,
    devpts: Devpts,
    uid: number,
    fds: readonly number[],
    closed: (fds: readonly number[]) => void,
  ) {
    const byDevice = new Map<number, HostTty>();
    const add = (device: number, fd: number): HostTty => {
      const door = new Door(poller, fd, () =>
        closed([...this.given].flatMap(([n, t]) => (t === tty ? [n] : []))),
      );
      const tty: HostTty = devpts.newHostTty(door, uid);
      byDevice.set(device, tty);
      this.ttys.push(tty);
      return tty;
    };
    const own = hostCall(SYS_openat, AT_FDCWD, buffer.putString('/dev/tty'), OWN_FLAGS, 0);
    let controlling: HostTty | null = null;
    if (own >= 0) {
      controlling = add(deviceOf(own), -1);
      hostCall(SYS_close, own);
    }
    this.controlling = controlling;
    for (const fd of fds) {
      let tty: HostTty | null = null;
      // The other side of a terminal is no terminal for us: opened anew it would be another pair's.
      if (isHostTty(fd) && hostCall(SYS_ioctl, fd, TIOCGPTN, buffer.addr) < 0) {
        const device = deviceOf(fd);
        tty = byDevice.get(device) ?? null;
        if (tty === null) {
          const again = reopenNonblocking(fd, O_RDWR);
          if (again >= 0) tty = add(device, again);
          else log(`stdio: terminal ${fd} cannot be opened anew (${again}); it is used as a plain file`);
        }
      }
      if (tty !== null) this.given.set(fd, tty);
    }
    devpts.console = controlling ?? this.given.get(0) ?? null;
  }

  /** True when descriptor `fd` is one of these terminals. */
  has(fd: number): boolean {
    return this.given.has(fd);
  }

  /** Gives the first program its controlling terminal, and those of its descriptors that are terminals. 0 or -errno. */
  attach(init: Task, accessOf: (fd: number) => number): number {
    this.controlling?.adopt(init);
    const opened = new Map<string, File>();
    for (const [fd, tty] of this.given) {
      const access = accessOf(fd) & O_ACCMODE;
      // Descriptors of a shell are one description, several times.
      const key = `${tty.index} ${access}`;
      let file = opened.get(key);
      if (file === undefined) {
        const made = openAt(init, AT_FDCWD, `/dev/pts/${tty.index}`, access | O_NOCTTY, 0);
        if (failed(made)) return made;
        opened.set(key, made);
        file = made;
      } else file.ref();
      init.fds.put(fd, file, false);
    }
    return 0;
  }

  /** Puts back the modes that programs which did not end by themselves have left. */
  restore(): void {
    for (const tty of this.ttys) tty.restore();
  }
}
