/** Linux native AIO: <linux/aio_abi.h>. */

import { getI64, getU64, putU64 } from '../u64.ts';

export const IOCB_CMD_PREAD = 0;
export const IOCB_CMD_PWRITE = 1;
export const IOCB_CMD_FSYNC = 2;
export const IOCB_CMD_FDSYNC = 3;
export const IOCB_CMD_POLL = 5;
export const IOCB_CMD_NOOP = 6;
export const IOCB_CMD_PREADV = 7;
export const IOCB_CMD_PWRITEV = 8;
export const IOCB_FLAG_RESFD = 0x1;
export const IOCB_FLAG_IOPRIO = 0x2;

/** Layout of struct iocb. */
export const SIZEOF_IOCB = 64;
export const IOCB_AIO_DATA = 0;
export const IOCB_AIO_KEY = 8;
export const IOCB_AIO_RW_FLAGS = 12;
export const IOCB_AIO_LIO_OPCODE = 16;
export const IOCB_AIO_REQPRIO = 18;
export const IOCB_AIO_FILDES = 20;
export const IOCB_AIO_BUF = 24;
export const IOCB_AIO_NBYTES = 32;
export const IOCB_AIO_OFFSET = 40;
export const IOCB_AIO_RESERVED2 = 48;
export const IOCB_AIO_FLAGS = 56;
export const IOCB_AIO_RESFD = 60;

/** io_submit(2). */
export type Iocb = {
  dataLo: number;
  dataHi: number;
  key: number;
  rwFlags: number;
  opcode: number;
  reqprio: number;
  fildes: number;
  buf: number;
  nbytes: number;
  offset: number;
  reserved2: number;
  flags: number;
  resfd: number;
};

export function decodeIocb(view: DataView, off: number): Iocb {
  return {
    dataLo: view.getUint32(off + IOCB_AIO_DATA, true),
    dataHi: view.getUint32(off + IOCB_AIO_DATA + 4, true),
    key: view.getUint32(off + IOCB_AIO_KEY, true),
    rwFlags: view.getUint32(off + IOCB_AIO_RW_FLAGS, true),
    opcode: view.getUint16(off + IOCB_AIO_LIO_OPCODE, true),
    reqprio: view.getInt16(off + IOCB_AIO_REQPRIO, true),
    fildes: view.getUint32(off + IOCB_AIO_FILDES, true),
    buf: getU64(view, off + IOCB_AIO_BUF),
    nbytes: getU64(view, off + IOCB_AIO_NBYTES),
    offset: getI64(view, off + IOCB_AIO_OFFSET),
    reserved2: getU64(view, off + IOCB_AIO_RESERVED2),
    flags: view.getUint32(off + IOCB_AIO_FLAGS, true),
    resfd: view.getUint32(off + IOCB_AIO_RESFD, true),
  };
}

/** Layout of struct io_event. */
export const SIZEOF_IO_EVENT = 32;
export const IO_EVENT_DATA = 0;
export const IO_EVENT_OBJ = 8;
export const IO_EVENT_RES = 16;
export const IO_EVENT_RES2 = 24;

/** io_getevents(2). */
export type IoEvent = {
  dataLo: number;
  dataHi: number;
  obj: number;
  res: number;
  res2: number;
};

export function encodeIoEvent(view: DataView, off: number, s: IoEvent): void {
  view.setUint32(off + IO_EVENT_DATA, s.dataLo, true);
  view.setUint32(off + IO_EVENT_DATA + 4, s.dataHi, true);
  putU64(view, off + IO_EVENT_OBJ, s.obj);
  putU64(view, off + IO_EVENT_RES, s.res);
  putU64(view, off + IO_EVENT_RES2, s.res2);
}
