// The listener of a seccomp filter (seccomp_unotify(2)): threads under the filter stop at the calls that it names until
// they are answered here. One answer and the wait for the next notification are one crossing of the FFI.

import { EINTR, ENOENT, ESRCH } from '../abi/errno.ts';
import { POLLIN } from '../abi/events/poll.ts';
import { O_CLOEXEC } from '../abi/fs/fcntl.ts';
import {
  SECCOMP_DATA_ARGS,
  SECCOMP_IOCTL_NOTIF_ADDFD,
  SECCOMP_IOCTL_NOTIF_SET_FLAGS,
  SECCOMP_NOTIF_ADDFD_FLAGS,
  SECCOMP_NOTIF_ADDFD_ID,
  SECCOMP_NOTIF_ADDFD_NEWFD,
  SECCOMP_NOTIF_ADDFD_NEWFD_FLAGS,
  SECCOMP_NOTIF_ADDFD_SRCFD,
  SECCOMP_NOTIF_DATA,
  SECCOMP_NOTIF_ID,
  SECCOMP_NOTIF_PID,
  SECCOMP_NOTIF_RESP_ERROR,
  SECCOMP_NOTIF_RESP_ID,
  SECCOMP_NOTIF_RESP_VAL,
  SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP,
  SIZEOF_SECCOMP_NOTIF_ADDFD,
} from '../abi/process/seccomp.ts';
import { SYS_ioctl } from '../abi/syscall.ts';
import { getI64, putU64 } from '../abi/u64.ts';
import { HostBuffer } from './buffer.ts';
import { installCode, routine } from './ffi.ts';
import {
  BLOCK_SIZE,
  NOTIFY_CODE,
  POLL,
  POLLFD_EVENTS,
  POLLFD_FD,
  REQ,
  RESP,
  SIZEOF_POLLFD,
  TIMEOUT,
} from './notify.image.ts';
import { hostCall } from './syscall.ts';

/** Nobody waits longer than this for a helper that has a handful of calls to make. */
const TIMEOUT_SEC = 20;

const at = installCode(NOTIFY_CODE);
const exchangeRoutine = routine(at('exchange'), 'int vedette_exchange(int64_t block, int fd, int send)');

export class NotifyListener {
  readonly fd: number;
  private readonly block = HostBuffer.alloc(BLOCK_SIZE);
  private readonly added = HostBuffer.alloc(SIZEOF_SECCOMP_NOTIF_ADDFD);

  constructor(fd: number) {
    this.fd = fd;
    const v = this.block.view;
    v.setInt32(POLL + POLLFD_FD, fd, true);
    v.setInt16(POLL + POLLFD_EVENTS, POLLIN, true);
    v.setInt16(POLL + SIZEOF_POLLFD + POLLFD_EVENTS, POLLIN, true);
    // Linux 6.6: the answered thread runs on this cpu as soon as we wait, instead of waking another cpu. Optional.
    hostCall(SYS_ioctl, fd, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
  }

  /** Id of the notification received last, as two halves. */
  get idLow(): number {
    return this.block.view.getUint32(REQ + SECCOMP_NOTIF_ID, true);
  }

  get idHigh(): number {
    return this.block.view.getUint32(REQ + SECCOMP_NOTIF_ID + 4, true);
  }

  /** Thread that the last notification is from. */
  get tid(): number {
    return this.block.view.getUint32(REQ + SECCOMP_NOTIF_PID, true);
  }

  /** Argument `n` of the call that the last notification is about. */
  arg(n: number): number {
    return getI64(this.block.view, REQ + SECCOMP_NOTIF_DATA + SECCOMP_DATA_ARGS + 8 * n);
  }

  /**
   * Waits for a notification; `pidfd` (or -1) ends the wait when its process dies. 0, -ESRCH when it died, -ETIMEDOUT.
   */
  receive(pidfd: number): number {
    return this.run(pidfd, 0);
  }

  /** Lets the call of notification `id` return `value`, and waits for the next notification as receive() does. */
  answer(idLow: number, idHigh: number, value: number, pidfd: number): number {
    const v = this.block.view;
    v.setUint32(RESP + SECCOMP_NOTIF_RESP_ID, idLow, true);
    v.setUint32(RESP + SECCOMP_NOTIF_RESP_ID + 4, idHigh, true);
    putU64(v, RESP + SECCOMP_NOTIF_RESP_VAL, value);
    putU64(v, RESP + SECCOMP_NOTIF_RESP_ERROR, 0);
    return this.run(pidfd, 1);
  }

  /**
   * Copies our descriptor `fd` into the descriptor table of the thread that notification `id` is from, which goes on
   * waiting for its answer: the number there, or -errno.
   */
  addFd(idLow: number, idHigh: number, fd: number): number {
    const v = this.added.view;
    v.setUint32(SECCOMP_NOTIF_ADDFD_ID, idLow, true);
    v.setUint32(SECCOMP_NOTIF_ADDFD_ID + 4, idHigh, true);
    v.setUint32(SECCOMP_NOTIF_ADDFD_FLAGS, 0, true);
    v.setUint32(SECCOMP_NOTIF_ADDFD_SRCFD, fd, true);
    v.setUint32(SECCOMP_NOTIF_ADDFD_NEWFD, 0, true);
    v.setUint32(SECCOMP_NOTIF_ADDFD_NEWFD_FLAGS, O_CLOEXEC, true);
    for (;;) {
      const r = hostCall(SYS_ioctl, this.fd, SECCOMP_IOCTL_NOTIF_ADDFD, this.added.addr);
      if (r !== -EINTR) return r;
    }
  }

  private run(pidfd: number, send: number): number {
    const v = this.block.view;
    v.setInt32(POLL + SIZEOF_POLLFD + POLLFD_FD, pidfd, true);
    putU64(v, TIMEOUT, TIMEOUT_SEC);
    putU64(v, TIMEOUT + 8, 0);
    let first = send;
    for (;;) {
      const r = exchangeRoutine(this.block.addr, this.fd, first);
      if (r === 1) return -ESRCH;
      // A notification whose thread died before it was received; or the answer came too late (first is 1).
      if (r === -ENOENT && first === 0) continue;
      if (r !== -EINTR) return r;
      first = 0;
    }
  }
}
