// The listener of a seccomp filter (seccomp_unotify(2)): threads under the filter stop at the calls that it names until
// they are answered here. One answer and the wait for the next notification are one crossing of the FFI.

import { EINTR, ENOENT, ESRCH, ETIMEDOUT } from '../abi/errno.ts';
import { POLLIN } from '../abi/poll.ts';
import {
  SECCOMP_DATA_ARGS,
  SECCOMP_IOCTL_NOTIF_SET_FLAGS,
  SECCOMP_NOTIF_DATA,
  SECCOMP_NOTIF_ID,
  SECCOMP_NOTIF_PID,
  SECCOMP_NOTIF_RESP_ERROR,
  SECCOMP_NOTIF_RESP_ID,
  SECCOMP_NOTIF_RESP_VAL,
  SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP,
  SIZEOF_SECCOMP_NOTIF,
} from '../abi/seccomp.ts';
import { SYS_ioctl, SYS_ppoll } from '../abi/syscall.ts';
import { getI64, putU64 } from '../abi/u64.ts';
import {
  Assembler,
  dword,
  imm,
  mem,
  qword,
  R8,
  R10,
  R12,
  R13,
  RAX,
  RBX,
  RDI,
  RDX,
  RSI,
} from '../asm/index.ts';
import { HostBuffer } from './buffer.ts';
import { installCode, routine } from './ffi.ts';
import { hostCall } from './syscall.ts';

/** _IOWR('!', 0, struct seccomp_notif) and _IOWR('!', 1, struct seccomp_notif_resp): <linux/seccomp.h>. */
const SECCOMP_IOCTL_NOTIF_RECV = 0xc0502100;
const SECCOMP_IOCTL_NOTIF_SEND = 0xc0182101;

// The block that the routine works on.
const REQ = 0;
const RESP = 128;
const POLL = 192; // two struct pollfd: the listener, a pidfd
const TIMEOUT = 224;
const BLOCK_SIZE = 256;
const POLLFD_FD = 0;
const POLLFD_EVENTS = 4;
const SIZEOF_POLLFD = 8;

/** Nobody waits longer than this for a helper that has a handful of calls to make. */
const TIMEOUT_SEC = 20;

// long exchange(block, fd, send): when `send`, answers; then waits until the listener or the pidfd is readable and
// receives. 0 received, 1 the pidfd is readable and the listener is not, or -errno of the step that failed.
const code = new Assembler();
code.label('exchange').push(RBX).push(R12).push(R13).mov(RBX, RDI).mov(R12, RSI);
code.test(RDX, RDX).je('wait');
code.mov(RAX, imm(SYS_ioctl)).mov(RDI, R12).mov(RSI, imm(SECCOMP_IOCTL_NOTIF_SEND)).mov(RDX, RBX);
code.add(RDX, imm(RESP)).syscall().test(RAX, RAX).js('out');
code.label('wait');
code.mov(RAX, imm(SYS_ppoll)).mov(RDI, RBX).add(RDI, imm(POLL)).mov(RSI, imm(2)).mov(RDX, RBX);
code.add(RDX, imm(TIMEOUT)).mov(R10, imm(0)).mov(R8, imm(8)).syscall();
code.test(RAX, RAX).js('out').je('late');
code.test(dword(mem(RBX, POLL + POLLFD_EVENTS)), imm(POLLIN << 16)).je('died');
for (let i = 0; i < SIZEOF_SECCOMP_NOTIF; i += 8) code.mov(qword(mem(RBX, REQ + i)), imm(0));
code.mov(RAX, imm(SYS_ioctl)).mov(RDI, R12).mov(RSI, imm(SECCOMP_IOCTL_NOTIF_RECV)).mov(RDX, RBX).syscall();
code.jmp('out');
code.label('died').mov(RAX, imm(1)).jmp('out');
code.label('late').mov(RAX, imm(-ETIMEDOUT));
code.label('out').pop(R13).pop(R12).pop(RBX).ret();
const at = installCode(code);
const exchangeRoutine = routine(at('exchange'), 'int vedette_exchange(int64_t block, int fd, int send)');

export class NotifyListener {
  readonly fd: number;
  private readonly block = HostBuffer.alloc(BLOCK_SIZE);

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
