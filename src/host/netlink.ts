// HostNetlink: rtnetlink(7) of the namespace that this process is in: dumps, and changes that say whether they were made. Calls
// wait for the kernel's answer, which it gives at once.

import { EIO } from '../abi/errno.ts';
import {
  NETLINK_ROUTE,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSGHDR_NLMSG_FLAGS,
  NLMSGHDR_NLMSG_SEQ,
  NLMSGHDR_NLMSG_TYPE,
  SIZEOF_NLMSGHDR,
} from '../abi/net/netlink.ts';
import { AF_NETLINK, SOCK_CLOEXEC, SOCK_RAW } from '../abi/net/socket.ts';
import { SYS_close, SYS_read, SYS_socket, SYS_write } from '../abi/syscall.ts';
import { HostBuffer } from './buffer.ts';
import { hostCall } from './syscall.ts';

/** More than the kernel puts into one read of a dump. */
const BUFFER_SIZE = 65536;
/** What asks for a dump: nlmsghdr and the largest family header that is needed, struct ifinfomsg. */
const DUMP_SIZE = SIZEOF_NLMSGHDR + 16;
/** Dumps that something changed in the middle of are asked for again, so often. */
const TRIES = 8;

export class HostNetlink {
  private readonly fd: number;
  private readonly memory = HostBuffer.alloc(BUFFER_SIZE);
  private seq = 0;

  private constructor(fd: number) {
    this.fd = fd;
  }

  /** -EPERM, -EMFILE, ... */
  static open(): HostNetlink | number {
    const fd = hostCall(SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    return fd < 0 ? fd : new HostNetlink(fd);
  }

  /** All messages of a table, each with its nlmsghdr; -errno. */
  dump(type: number, family: number): Uint8Array[] | number {
    for (let n = 0; n < TRIES; n++) {
      const all = this.dumpOnce(type, family);
      if (all !== null) return all;
    }
    return -EIO;
  }

  /** Null when it was changed meanwhile. */
  private dumpOnce(type: number, family: number): Uint8Array[] | number | null {
    const { u8, view } = this.memory;
    u8.fill(0, 0, DUMP_SIZE);
    u8[SIZEOF_NLMSGHDR] = family;
    let r = this.send(type, NLM_F_REQUEST | NLM_F_DUMP, DUMP_SIZE);
    if (r < 0) return r;
    const all: Uint8Array[] = [];
    let changed = false;
    for (;;) {
      r = hostCall(SYS_read, this.fd, this.memory.addr, BUFFER_SIZE);
      if (r <= 0) return r < 0 ? r : -EIO;
      for (let at = 0; at + SIZEOF_NLMSGHDR <= r; ) {
        const size = view.getUint32(at, true);
        if (size < SIZEOF_NLMSGHDR || at + size > r) return -EIO;
        if (view.getUint32(at + NLMSGHDR_NLMSG_SEQ, true) === this.seq) {
          const is = view.getUint16(at + NLMSGHDR_NLMSG_TYPE, true);
          if ((view.getUint16(at + NLMSGHDR_NLMSG_FLAGS, true) & NLM_F_DUMP_INTR) !== 0) changed = true;
          if (is === NLMSG_DONE) return changed ? null : all;
          if (is === NLMSG_ERROR) return view.getInt32(at + SIZEOF_NLMSGHDR, true) || -EIO;
          all.push(u8.slice(at, at + size));
        }
        at += (size + 3) & ~3;
      }
    }
  }

  /** Asks for one thing by a message of our own making: the answer with its nlmsghdr, or -errno. */
  get(message: Uint8Array, type: number): Uint8Array | number {
    const { u8, view } = this.memory;
    u8.set(message);
    let r = this.send(type, NLM_F_REQUEST, message.length);
    while (r >= 0) {
      r = hostCall(SYS_read, this.fd, this.memory.addr, BUFFER_SIZE);
      if (r < SIZEOF_NLMSGHDR + 4) return r < 0 ? r : -EIO;
      if (view.getUint32(NLMSGHDR_NLMSG_SEQ, true) !== this.seq) continue;
      if (view.getUint16(NLMSGHDR_NLMSG_TYPE, true) === NLMSG_ERROR)
        return view.getInt32(SIZEOF_NLMSGHDR, true) || -EIO;
      return u8.slice(0, Math.min(r, view.getUint32(0, true)));
    }
    return r;
  }

  /** Has a message carried out: its body is told, its type and `flags` besides NLM_F_REQUEST and ACK are set here. 0 or -errno. */
  request(message: Uint8Array, type: number, flags: number): number {
    const { u8, view } = this.memory;
    u8.set(message);
    let r = this.send(type, NLM_F_REQUEST | NLM_F_ACK | flags, message.length);
    while (r >= 0) {
      r = hostCall(SYS_read, this.fd, this.memory.addr, BUFFER_SIZE);
      if (r < SIZEOF_NLMSGHDR + 4) return r < 0 ? r : -EIO;
      if (view.getUint32(NLMSGHDR_NLMSG_SEQ, true) !== this.seq) continue;
      return view.getUint16(NLMSGHDR_NLMSG_TYPE, true) === NLMSG_ERROR
        ? view.getInt32(SIZEOF_NLMSGHDR, true)
        : -EIO;
    }
    return r;
  }

  private send(type: number, flags: number, size: number): number {
    const { view } = this.memory;
    view.setUint32(0, size, true);
    view.setUint16(NLMSGHDR_NLMSG_TYPE, type, true);
    view.setUint16(NLMSGHDR_NLMSG_FLAGS, flags, true);
    view.setUint32(NLMSGHDR_NLMSG_SEQ, ++this.seq, true);
    view.setUint32(12, 0, true);
    return hostCall(SYS_write, this.fd, this.memory.addr, size);
  }

  close(): void {
    hostCall(SYS_close, this.fd);
  }
}
