// Control messages that tell when something came, or went: SO_TIMESTAMP and its like of socket(7).

import { SOF_TIMESTAMPING_RX_SOFTWARE, SOF_TIMESTAMPING_SOFTWARE } from '../../../abi/net/errqueue.ts';
import { SO_TIMESTAMP_NEW, SO_TIMESTAMP_OLD, SOL_SOCKET } from '../../../abi/net/socket.ts';
import { putU64 } from '../../../abi/u64.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { Message } from '../message.ts';

const NS_PER_SEC = 1e9;
const NS_PER_USEC = 1000;
/** What comes in is stamped, and the stamp is told. */
const RX_STAMPS = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;

const data = new Uint8Array(48);
const view = new DataView(data.buffer);

/** What is asked of a socket: the option that is on, 0 for none; SOF_TIMESTAMPING_*, and under which number messages tell. */
export interface StampsOf {
  readonly stamp: number;
  readonly stampFlags: number;
  readonly stampType: number;
}

/** Does the socket want to know when things came? */
export function wantsStamps(s: StampsOf): boolean {
  return s.stamp !== 0 || (s.stampFlags & RX_STAMPS) === RX_STAMPS;
}

/** Tells when it came; 0 is now. */
export function writeStamps(ctx: VfsContext, s: StampsOf, msg: Message, atNs: number): void {
  if (s.stamp !== 0) putStamp(ctx, s, msg, atNs, false);
  if ((s.stampFlags & RX_STAMPS) === RX_STAMPS) putStamp(ctx, s, msg, atNs, true);
}

/** As SO_TIMESTAMP or one of its like wants it. */
function putStamp(ctx: VfsContext, s: StampsOf, msg: Message, atNs: number, all: boolean): void {
  const sec = ctx.time.realtimeSec();
  const ago = atNs === 0 ? 0 : ctx.time.monotonicNs() - atNs;
  let nsec = ctx.time.realtimeNsec - ago;
  const back = nsec < 0 ? Math.ceil(-nsec / NS_PER_SEC) : 0;
  nsec += back * NS_PER_SEC;
  if (all) {
    putStamps(msg, s.stampType, sec - back, nsec);
    return;
  }
  putU64(view, 0, sec - back);
  const usec = s.stamp === SO_TIMESTAMP_OLD || s.stamp === SO_TIMESTAMP_NEW;
  putU64(view, 8, usec ? Math.floor(nsec / NS_PER_USEC) : Math.floor(nsec));
  msg.putControl(SOL_SOCKET, s.stamp, data, 16);
}

/** struct scm_timestamping: the software's time, none of hardware. */
export function putStamps(msg: Message, type: number, sec: number, nsec: number): void {
  data.fill(0, 0, 48);
  const over = Math.floor(nsec / NS_PER_SEC);
  putU64(view, 0, sec + over);
  putU64(view, 8, Math.floor(nsec - over * NS_PER_SEC));
  msg.putControl(SOL_SOCKET, type, data, 48);
}
