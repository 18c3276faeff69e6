// Notices: what a socket's error queue tells of its own sends: when datagrams went (SO_TIMESTAMPING), and that the memory of sends
// with MSG_ZEROCOPY is free again (Documentation/networking/timestamping.rst and msg_zerocopy.rst of the kernel).

import { ENOMSG } from '../../../abi/errno.ts';
import {
  SCM_TSTAMP_SCHED,
  SCM_TSTAMP_SND,
  SIZEOF_SOCK_EXTENDED_ERR,
  SO_EE_CODE_ZEROCOPY_COPIED,
  SO_EE_ORIGIN_TIMESTAMPING,
  SO_EE_ORIGIN_ZEROCOPY,
  SOCK_EXTENDED_ERR_EE_CODE,
  SOCK_EXTENDED_ERR_EE_DATA,
  SOCK_EXTENDED_ERR_EE_ERRNO,
  SOCK_EXTENDED_ERR_EE_INFO,
  SOCK_EXTENDED_ERR_EE_ORIGIN,
  SOF_TIMESTAMPING_OPT_ID,
  SOF_TIMESTAMPING_TX_SCHED,
  SOF_TIMESTAMPING_TX_SOFTWARE,
} from '../../../abi/net/errqueue.ts';
import { IP_RECVERR, IPPROTO_IP, IPPROTO_IPV6, IPV6_RECVERR } from '../../../abi/net/in.ts';
import { MSG_ERRQUEUE } from '../../../abi/net/socket.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { Message } from '../message.ts';
import { putStamps } from './stamps.ts';

/** A notice, as Linux charges an empty struct sk_buff. */
const NOTICE_BYTES = 768;

const data = new Uint8Array(64);
const view = new DataView(data.buffer);

class Notice {
  readonly origin: number;
  readonly errno: number;
  readonly code: number;
  /** SCM_TSTAMP_*, or the first id of a range of sends. */
  readonly info: number;
  /** The id, or the last one of the range. */
  data: number;
  readonly sec: number;
  readonly nsec: number;

  constructor(
    origin: number,
    errno: number,
    code: number,
    info: number,
    id: number,
    sec: number,
    nsec: number,
  ) {
    this.origin = origin;
    this.errno = errno;
    this.code = code;
    this.info = info;
    this.data = id;
    this.sec = sec;
    this.nsec = nsec;
  }
}

export class Notices {
  private readonly payer: Account;
  private readonly waiting: Notice[] = [];
  /** Ids of the next send with MSG_ZEROCOPY, and of the next datagram since SOF_TIMESTAMPING_OPT_ID was set. */
  private nextCopy = 0;
  private nextStamp = 0;

  constructor(payer: Account) {
    this.payer = payer;
  }

  get any(): boolean {
    return this.waiting.length > 0;
  }

  /** SOF_TIMESTAMPING_OPT_ID counts from 0 on. */
  restartIds(): void {
    this.nextStamp = 0;
  }

  /** The bytes of a send with MSG_ZEROCOPY were copied: its memory is free at once. Ranges that touch are one notice. */
  copied(rcvbuf: number): void {
    const id = this.nextCopy++ >>> 0;
    const last = this.waiting.at(-1);
    if (last !== undefined && last.origin === SO_EE_ORIGIN_ZEROCOPY && last.data + 1 === id) last.data = id;
    else this.push(new Notice(SO_EE_ORIGIN_ZEROCOPY, 0, SO_EE_CODE_ZEROCOPY_COPIED, id, id, 0, 0), rcvbuf);
  }

  /** A datagram went: `flags` are SOF_TIMESTAMPING_*. */
  sent(ctx: VfsContext, flags: number, rcvbuf: number): void {
    const id = (flags & SOF_TIMESTAMPING_OPT_ID) !== 0 ? this.nextStamp++ >>> 0 : 0;
    const sec = ctx.time.realtimeSec();
    const nsec = ctx.time.realtimeNsec;
    const push = (what: number): void =>
      this.push(new Notice(SO_EE_ORIGIN_TIMESTAMPING, ENOMSG, 0, what, id, sec, nsec), rcvbuf);
    if ((flags & SOF_TIMESTAMPING_TX_SCHED) !== 0) push(SCM_TSTAMP_SCHED);
    if ((flags & SOF_TIMESTAMPING_TX_SOFTWARE) !== 0) push(SCM_TSTAMP_SND);
  }

  private push(n: Notice, rcvbuf: number): void {
    if (this.waiting.length * NOTICE_BYTES >= rcvbuf || !kernelMemory.fits(NOTICE_BYTES, this.payer)) return;
    kernelMemory.take(NOTICE_BYTES, this.payer);
    this.waiting.push(n);
  }

  /** MSG_ERRQUEUE: the oldest one's control messages; false when there is none. It has no bytes and no address. */
  receive(msg: Message, v6: boolean, stampType: number): boolean {
    const n = this.waiting.shift();
    if (n === undefined) return false;
    kernelMemory.give(this.payer, NOTICE_BYTES);
    msg.flags |= MSG_ERRQUEUE;
    msg.addr.len = 0;
    if (n.origin === SO_EE_ORIGIN_TIMESTAMPING && stampType !== 0) putStamps(msg, stampType, n.sec, n.nsec);
    data.fill(0);
    view.setUint32(SOCK_EXTENDED_ERR_EE_ERRNO, n.errno, true);
    data[SOCK_EXTENDED_ERR_EE_ORIGIN] = n.origin;
    data[SOCK_EXTENDED_ERR_EE_CODE] = n.code;
    view.setUint32(SOCK_EXTENDED_ERR_EE_INFO, n.info, true);
    view.setUint32(SOCK_EXTENDED_ERR_EE_DATA, n.data, true);
    const size = SIZEOF_SOCK_EXTENDED_ERR + (v6 ? 28 : 16);
    msg.putControl(v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVERR : IP_RECVERR, data, size);
    return true;
  }

  drop(): void {
    kernelMemory.give(this.payer, NOTICE_BYTES * this.waiting.length);
    this.waiting.length = 0;
  }
}
