/** POSIX message queues: <linux/mqueue.h>. */

import { zeroFill } from '../bytes.ts';
import { getI64, putU64 } from '../u64.ts';

export const MQ_PRIO_MAX = 32768;
export const MQ_BYTES_MAX = 819200;

export const NOTIFY_NONE = 0;
export const NOTIFY_WOKENUP = 1;
export const NOTIFY_REMOVED = 2;
export const NOTIFY_COOKIE_LEN = 32;

/** Layout of struct mq_attr. */
export const SIZEOF_MQ_ATTR = 64;
export const MQ_ATTR_MQ_FLAGS = 0;
export const MQ_ATTR_MQ_MAXMSG = 8;
export const MQ_ATTR_MQ_MSGSIZE = 16;
export const MQ_ATTR_MQ_CURMSGS = 24;

/** mq_getsetattr(2). */
export type MqAttr = {
  flags: number;
  maxmsg: number;
  msgsize: number;
  curmsgs: number;
};

export function encodeMqAttr(view: DataView, off: number, s: MqAttr): void {
  putU64(view, off + MQ_ATTR_MQ_FLAGS, s.flags);
  putU64(view, off + MQ_ATTR_MQ_MAXMSG, s.maxmsg);
  putU64(view, off + MQ_ATTR_MQ_MSGSIZE, s.msgsize);
  putU64(view, off + MQ_ATTR_MQ_CURMSGS, s.curmsgs);
  zeroFill(view, off + 32, 32); // padding
}

export function decodeMqAttr(view: DataView, off: number): MqAttr {
  return {
    flags: getI64(view, off + MQ_ATTR_MQ_FLAGS),
    maxmsg: getI64(view, off + MQ_ATTR_MQ_MAXMSG),
    msgsize: getI64(view, off + MQ_ATTR_MQ_MSGSIZE),
    curmsgs: getI64(view, off + MQ_ATTR_MQ_CURMSGS),
  };
}
