// Receiving a descriptor over a Unix socket: unix(7), SCM_RIGHTS.

import { EPROTO } from '../abi/errno.ts';
import { MSG_CMSG_CLOEXEC, SCM_RIGHTS, SOL_SOCKET } from '../abi/socket.ts';
import { SYS_recvmsg } from '../abi/syscall.ts';
import { putU64 } from '../abi/u64.ts';
import { HostBuffer } from './buffer.ts';
import { hostCall } from './syscall.ts';

// struct msghdr at 0 (56 bytes), its iovec at 64, one byte of data at 80, the control message at 96.
const MSG_IOV = 16;
const MSG_IOVLEN = 24;
const MSG_CONTROL = 32;
const MSG_CONTROLLEN = 40;
const IOV = 64;
const DATA = 80;
const CONTROL = 96;
const CONTROL_SIZE = 24;
const CMSG_LEVEL = 8;
const CMSG_TYPE = 12;
const CMSG_DATA = 16;
const CMSG_LEN_ONE_FD = 20;

/** Waits for a message with one descriptor; the descriptor, -EPROTO when the message has none or the peer is gone. */
export function receiveFd(socket: number): number {
  const b = HostBuffer.alloc(128);
  putU64(b.view, MSG_IOV, b.addr + IOV);
  putU64(b.view, MSG_IOVLEN, 1);
  putU64(b.view, MSG_CONTROL, b.addr + CONTROL);
  putU64(b.view, MSG_CONTROLLEN, CONTROL_SIZE);
  putU64(b.view, IOV, b.addr + DATA);
  putU64(b.view, IOV + 8, 1);
  const r = hostCall(SYS_recvmsg, socket, b.addr, MSG_CMSG_CLOEXEC);
  if (r < 0) return r;
  const v = b.view;
  const ok =
    v.getUint32(MSG_CONTROLLEN, true) >= CMSG_LEN_ONE_FD &&
    v.getUint32(CONTROL, true) === CMSG_LEN_ONE_FD &&
    v.getInt32(CONTROL + CMSG_LEVEL, true) === SOL_SOCKET &&
    v.getInt32(CONTROL + CMSG_TYPE, true) === SCM_RIGHTS;
  return ok ? v.getInt32(CONTROL + CMSG_DATA, true) : -EPROTO;
}
