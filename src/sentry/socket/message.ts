// What travels beside the bytes of sendmsg(2) and recvmsg(2): addresses and control messages.

import {
  CMSGHDR_CMSG_LEVEL,
  CMSGHDR_CMSG_TYPE,
  cmsgLen,
  cmsgSpace,
  MSG_CTRUNC,
  SIZEOF_CMSGHDR,
} from '../../abi/net/socket.ts';
import { putU64 } from '../../abi/u64.ts';

/** sizeof(struct sockaddr_storage): no address is longer. */
export const MAX_ADDR = 128;

/** A socket address as the guest sees it. */
export class SockAddr {
  readonly bytes: Uint8Array = new Uint8Array(MAX_ADDR);
  readonly view: DataView = new DataView(this.bytes.buffer);
  /** Bytes that count; 0 for no address. */
  len = 0;

  /** sa_family; 0 (AF_UNSPEC) when the address is too short to have one. */
  get family(): number {
    return this.len >= 2 ? this.view.getUint16(0, true) : 0;
  }
}

const NO_BYTES = new Uint8Array(0);
const NO_VIEW = new DataView(NO_BYTES.buffer);

export class Message {
  /** To: the destination, len 0 for none. From: where the message came from. */
  readonly addr: SockAddr = new SockAddr();
  /** To send: the caller's control bytes. Received: room for them. */
  control: Uint8Array = NO_BYTES;
  view: DataView = NO_VIEW;
  /** Bytes of `control` that count: its size to send; what was written, when received. */
  controlLen = 0;
  /** MSG_* of the received message: MSG_TRUNC, MSG_CTRUNC, MSG_EOR. */
  flags = 0;

  /** Makes room for received control messages, or holds those to send. */
  setControl(bytes: Uint8Array, len: number): void {
    this.control = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.controlLen = len;
  }

  /** No address, no control messages, no flags. */
  clear(): void {
    this.addr.len = 0;
    this.clearControl();
    this.flags = 0;
  }

  /** No control messages: what went with the first bytes of a stream does not go with the rest. */
  clearControl(): void {
    this.control = NO_BYTES;
    this.view = NO_VIEW;
    this.controlLen = 0;
  }

  /** Bytes of control data that still fit behind a header; negative when not even a header does. */
  get controlRoom(): number {
    return this.control.length - this.controlLen - SIZEOF_CMSGHDR;
  }

  /** Appends a received control message (put_cmsg in Linux): cut short, with MSG_CTRUNC, when it does not fit. */
  putControl(level: number, type: number, data: Uint8Array, len = data.length): void {
    const room = this.controlRoom;
    if (room < 0) {
      this.flags |= MSG_CTRUNC;
      return;
    }
    let n = len;
    if (n > room) {
      n = room;
      this.flags |= MSG_CTRUNC;
    }
    const at = this.controlLen;
    putU64(this.view, at, cmsgLen(n));
    this.view.setInt32(at + CMSGHDR_CMSG_LEVEL, level, true);
    this.view.setInt32(at + CMSGHDR_CMSG_TYPE, type, true);
    this.control.set(data.subarray(0, n), at + SIZEOF_CMSGHDR);
    this.controlLen = Math.min(this.control.length, at + cmsgSpace(n));
  }
}
