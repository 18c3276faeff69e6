// NetlinkWriter: builds netlink messages, netlink(7), into buffers as a receiver takes them: each holds whole messages.
//
//   buffer:  [ nlmsghdr family-header attr attr ... pad ] [ nlmsghdr ... ]

import {
  NLA_F_NESTED,
  NLM_F_MULTI,
  NLMSG_DONE,
  NLMSGHDR_NLMSG_FLAGS,
  NLMSGHDR_NLMSG_PID,
  NLMSGHDR_NLMSG_SEQ,
  NLMSGHDR_NLMSG_TYPE,
  SIZEOF_NLATTR,
  SIZEOF_NLMSGHDR,
} from '../../../abi/net/netlink.ts';
import { putU64 } from '../../../abi/u64.ts';

/** A buffer is closed when it has this much: what one read of common tools takes (NLMSG_GOODSIZE is 8 KiB at the most). */
const GOOD_SIZE = 8192;

const align4 = (n: number): number => (n + 3) & ~3;

export class NetlinkWriter {
  /** Finished buffers. */
  readonly done: Uint8Array[] = [];
  private bytes: Uint8Array = new Uint8Array(1024);
  private view: DataView = new DataView(this.bytes.buffer);
  private at = 0;
  private message = 0;
  private readonly seq: number;
  private readonly pid: number;
  private readonly flags: number;

  /** `flags` go with every message: NLM_F_MULTI in a dump. */
  constructor(seq: number, pid: number, flags: number) {
    this.seq = seq;
    this.pid = pid;
    this.flags = flags;
  }

  /** Begins a message with a header of `size` zero bytes behind nlmsghdr; where that header is in `header`. */
  begin(type: number, size: number, flags = 0): number {
    this.message = this.at;
    const at = this.reserve(SIZEOF_NLMSGHDR + align4(size));
    this.view.setUint16(at + NLMSGHDR_NLMSG_TYPE, type, true);
    this.view.setUint16(at + NLMSGHDR_NLMSG_FLAGS, this.flags | flags, true);
    this.view.setUint32(at + NLMSGHDR_NLMSG_SEQ, this.seq, true);
    this.view.setUint32(at + NLMSGHDR_NLMSG_PID, this.pid, true);
    return at + SIZEOF_NLMSGHDR;
  }

  /** The buffer under construction, valid until something is added. */
  get header(): DataView {
    return this.view;
  }

  /** Ends the message. */
  end(): void {
    this.view.setUint32(this.message, this.at - this.message, true);
    if (this.at >= GOOD_SIZE) this.close();
  }

  /** Forgets the message that was begun. */
  cancel(): void {
    this.at = this.message;
  }

  /** All buffers; behind a dump NLMSG_DONE. */
  finish(): Uint8Array[] {
    if ((this.flags & NLM_F_MULTI) !== 0) {
      this.begin(NLMSG_DONE, 4);
      this.end();
    }
    this.close();
    return this.done;
  }

  u8(type: number, value: number): void {
    const at = this.attribute(type, 1);
    this.view.setUint8(at, value);
  }

  u16(type: number, value: number): void {
    const at = this.attribute(type, 2);
    this.view.setUint16(at, value, true);
  }

  u32(type: number, value: number): void {
    const at = this.attribute(type, 4);
    this.view.setUint32(at, value, true);
  }

  u64(type: number, value: number): void {
    const at = this.attribute(type, 8);
    putU64(this.view, at, value);
  }

  /** Text with its NUL. */
  text(type: number, value: string): void {
    const at = this.attribute(type, value.length + 1);
    for (let i = 0; i < value.length; i++) this.bytes[at + i] = value.charCodeAt(i) & 255;
  }

  raw(type: number, value: Uint8Array): void {
    const at = this.attribute(type, value.length);
    this.bytes.set(value, at);
  }

  /** Room for `size` bytes of an attribute, all zero; where in `header`. */
  space(type: number, size: number): number {
    return this.attribute(type, size);
  }

  /** Begins an attribute that holds others; to be given to endNest. */
  nest(type: number): number {
    return this.attribute(type | NLA_F_NESTED, 0) - SIZEOF_NLATTR;
  }

  /** As nest, without the flag: attributes that are older than it (IFLA_LINKINFO, RTA_METRICS). */
  nestPlain(type: number): number {
    return this.attribute(type, 0) - SIZEOF_NLATTR;
  }

  endNest(start: number): void {
    this.view.setUint16(start, this.at - start, true);
  }

  private attribute(type: number, size: number): number {
    const at = this.reserve(align4(SIZEOF_NLATTR + size));
    this.view.setUint16(at, SIZEOF_NLATTR + size, true);
    this.view.setUint16(at + 2, type, true);
    return at + SIZEOF_NLATTR;
  }

  private reserve(size: number): number {
    const at = this.at;
    if (at + size > this.bytes.length) {
      const next = new Uint8Array(Math.max(2 * this.bytes.length, at + size));
      next.set(this.bytes.subarray(0, at));
      this.bytes = next;
      this.view = new DataView(next.buffer);
    }
    this.bytes.fill(0, at, at + size);
    this.at = at + size;
    return at;
  }

  private close(): void {
    if (this.at > 0) this.done.push(this.bytes.slice(0, this.at));
    this.at = 0;
  }
}
