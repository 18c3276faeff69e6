/** futex(2) operations and flags: <linux/futex.h>. */

import { getI64, getU64, putU64 } from '../u64.ts';

export const FUTEX_WAIT = 0;
export const FUTEX_WAKE = 1;
export const FUTEX_FD = 2;
export const FUTEX_REQUEUE = 3;
export const FUTEX_CMP_REQUEUE = 4;
export const FUTEX_WAKE_OP = 5;
export const FUTEX_LOCK_PI = 6;
export const FUTEX_UNLOCK_PI = 7;
export const FUTEX_TRYLOCK_PI = 8;
export const FUTEX_WAIT_BITSET = 9;
export const FUTEX_WAKE_BITSET = 10;
export const FUTEX_WAIT_REQUEUE_PI = 11;
export const FUTEX_CMP_REQUEUE_PI = 12;
export const FUTEX_LOCK_PI2 = 13;
export const FUTEX_PRIVATE_FLAG = 128;
export const FUTEX_CLOCK_REALTIME = 256;
export const FUTEX_CMD_MASK = -385;
export const FUTEX_WAIT_PRIVATE = 128;
export const FUTEX_WAKE_PRIVATE = 129;
export const FUTEX_REQUEUE_PRIVATE = 131;
export const FUTEX_CMP_REQUEUE_PRIVATE = 132;
export const FUTEX_WAKE_OP_PRIVATE = 133;
export const FUTEX_LOCK_PI_PRIVATE = 134;
export const FUTEX_LOCK_PI2_PRIVATE = 141;
export const FUTEX_UNLOCK_PI_PRIVATE = 135;
export const FUTEX_TRYLOCK_PI_PRIVATE = 136;
export const FUTEX_WAIT_BITSET_PRIVATE = 137;
export const FUTEX_WAKE_BITSET_PRIVATE = 138;
export const FUTEX_WAIT_REQUEUE_PI_PRIVATE = 139;
export const FUTEX_CMP_REQUEUE_PI_PRIVATE = 140;
export const FUTEX_32 = 2;
export const FUTEX_WAITV_MAX = 128;
export const FUTEX_WAITERS = 0x80000000;
export const FUTEX_OWNER_DIED = 0x40000000;
export const FUTEX_TID_MASK = 0x3fffffff;

export const ROBUST_LIST_LIMIT = 2048;

export const FUTEX_BITSET_MATCH_ANY = 0xffffffff;
export const FUTEX_OP_SET = 0;
export const FUTEX_OP_ADD = 1;
export const FUTEX_OP_OR = 2;
export const FUTEX_OP_ANDN = 3;
export const FUTEX_OP_XOR = 4;
export const FUTEX_OP_OPARG_SHIFT = 8;
export const FUTEX_OP_CMP_EQ = 0;
export const FUTEX_OP_CMP_NE = 1;
export const FUTEX_OP_CMP_LT = 2;
export const FUTEX_OP_CMP_LE = 3;
export const FUTEX_OP_CMP_GT = 4;
export const FUTEX_OP_CMP_GE = 5;

export const FUTEX2_SIZE_U8 = 0x00;
export const FUTEX2_SIZE_U16 = 0x01;
export const FUTEX2_SIZE_U32 = 0x02;
export const FUTEX2_SIZE_U64 = 0x03;
export const FUTEX2_NUMA = 0x04;
export const FUTEX2_MPOL = 0x8;
export const FUTEX2_PRIVATE = 0x80;
export const FUTEX2_SIZE_MASK = 0x03;
export const FUTEX_NO_NODE = -1;

/** Layout of struct robust_list_head. */
export const SIZEOF_ROBUST_LIST_HEAD = 24;
export const ROBUST_LIST_HEAD_LIST_NEXT = 0; // list.next
export const ROBUST_LIST_HEAD_FUTEX_OFFSET = 8;
export const ROBUST_LIST_HEAD_LIST_OP_PENDING = 16;

/** set_robust_list(2). */
export type RobustListHead = {
  list: number;
  futexOffset: number;
  listOpPending: number;
};

export function encodeRobustListHead(view: DataView, off: number, s: RobustListHead): void {
  putU64(view, off + ROBUST_LIST_HEAD_LIST_NEXT, s.list);
  putU64(view, off + ROBUST_LIST_HEAD_FUTEX_OFFSET, s.futexOffset);
  putU64(view, off + ROBUST_LIST_HEAD_LIST_OP_PENDING, s.listOpPending);
}

export function decodeRobustListHead(view: DataView, off: number): RobustListHead {
  return {
    list: getU64(view, off + ROBUST_LIST_HEAD_LIST_NEXT),
    futexOffset: getI64(view, off + ROBUST_LIST_HEAD_FUTEX_OFFSET),
    listOpPending: getU64(view, off + ROBUST_LIST_HEAD_LIST_OP_PENDING),
  };
}

/** Layout of struct futex_waitv. */
export const SIZEOF_FUTEX_WAITV = 24;
export const FUTEX_WAITV_VAL = 0;
export const FUTEX_WAITV_UADDR = 8;
export const FUTEX_WAITV_FLAGS = 16;
export const FUTEX_WAITV_RESERVED = 20; // __reserved

/** futex_waitv(2). */
export type FutexWaitv = {
  val: number;
  uaddr: number;
  flags: number;
  reserved: number;
};

export function decodeFutexWaitv(view: DataView, off: number): FutexWaitv {
  return {
    val: getU64(view, off + FUTEX_WAITV_VAL),
    uaddr: getU64(view, off + FUTEX_WAITV_UADDR),
    flags: view.getUint32(off + FUTEX_WAITV_FLAGS, true),
    reserved: view.getUint32(off + FUTEX_WAITV_RESERVED, true),
  };
}
