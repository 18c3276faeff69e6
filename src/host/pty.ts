// A pseudo-terminal of the host: pts(4), ioctl_tty(2).

import { AT_FDCWD, O_CLOEXEC, O_NOCTTY, O_RDWR } from '../abi/fs/fcntl.ts';
import { TIOCGPTPEER, TIOCSPTLCK, TIOCSWINSZ } from '../abi/ioctl.ts';
import { SYS_close, SYS_ioctl, SYS_openat } from '../abi/syscall.ts';
import { HostBuffer } from './buffer.ts';
import { hostCall } from './syscall.ts';

export interface HostPty {
  readonly master: number;
  readonly slave: number;
}

/** A new pair, both ends closed by execve; -errno. */
export function openPty(): HostPty | number {
  const memory = HostBuffer.alloc(16);
  const flags = O_RDWR | O_NOCTTY | O_CLOEXEC;
  const master = hostCall(SYS_openat, AT_FDCWD, memory.putString('/dev/ptmx'), flags, 0);
  if (master < 0) return master;
  memory.view.setInt32(0, 0, true);
  let r = hostCall(SYS_ioctl, master, TIOCSPTLCK, memory.addr);
  if (r === 0) r = hostCall(SYS_ioctl, master, TIOCGPTPEER, flags);
  if (r >= 0) return { master, slave: r };
  hostCall(SYS_close, master);
  return r;
}

/** Sets the size of a terminal's window; 0 or -errno. */
export function setWindowSize(fd: number, rows: number, columns: number): number {
  const memory = HostBuffer.alloc(16);
  memory.view.setUint16(0, rows, true);
  memory.view.setUint16(2, columns, true);
  memory.view.setUint32(4, 0, true);
  return hostCall(SYS_ioctl, fd, TIOCSWINSZ, memory.addr);
}
