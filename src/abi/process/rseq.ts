/** rseq(2): <linux/rseq.h>. */

import { getU64 } from '../u64.ts';

export const RSEQ_CPU_ID_UNINITIALIZED = -1;
export const RSEQ_CPU_ID_REGISTRATION_FAILED = -2;
export const RSEQ_FLAG_UNREGISTER = 0x1;
export const RSEQ_CS_FLAG_NO_RESTART_ON_PREEMPT_BIT = 0;
export const RSEQ_CS_FLAG_NO_RESTART_ON_SIGNAL_BIT = 1;
export const RSEQ_CS_FLAG_NO_RESTART_ON_MIGRATE_BIT = 2;
export const RSEQ_CS_FLAG_NO_RESTART_ON_PREEMPT = 0x1;
export const RSEQ_CS_FLAG_NO_RESTART_ON_SIGNAL = 0x2;
export const RSEQ_CS_FLAG_NO_RESTART_ON_MIGRATE = 0x4;

/** Layout of struct rseq. */
export const SIZEOF_RSEQ = 32;
export const RSEQ_CPU_ID_START = 0;
export const RSEQ_CPU_ID = 4;
export const RSEQ_RSEQ_CS = 8;
export const RSEQ_FLAGS = 16;
export const RSEQ_NODE_ID = 20;
export const RSEQ_MM_CID = 24;

/** Layout of struct rseq_cs. */
export const SIZEOF_RSEQ_CS = 32;
export const RSEQ_CS_VERSION = 0;
export const RSEQ_CS_FLAGS = 4;
export const RSEQ_CS_START_IP = 8;
export const RSEQ_CS_POST_COMMIT_OFFSET = 16;
export const RSEQ_CS_ABORT_IP = 24;

/** A restartable sequence's code range. */
export type RseqCs = {
  version: number;
  flags: number;
  startIp: number;
  postCommitOffset: number;
  abortIp: number;
};

export function decodeRseqCs(view: DataView, off: number): RseqCs {
  return {
    version: view.getUint32(off + RSEQ_CS_VERSION, true),
    flags: view.getUint32(off + RSEQ_CS_FLAGS, true),
    startIp: getU64(view, off + RSEQ_CS_START_IP),
    postCommitOffset: getU64(view, off + RSEQ_CS_POST_COMMIT_OFFSET),
    abortIp: getU64(view, off + RSEQ_CS_ABORT_IP),
  };
}
