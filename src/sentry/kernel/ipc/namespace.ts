// An IPC namespace: the System V objects and POSIX message queues that its members see (ipc_namespaces(7)).

import { MSGMNI, SEMMNI, SHMMNI } from '../../../abi/ipc/ipc.ts';
import type { PosixQueue } from './mqueue.ts';
import type { MessageQueue } from './msg.ts';
import { IpcTable } from './object.ts';
import type { SemSet } from './sem.ts';
import type { ShmSegment } from './shm.ts';

/** In shm_perm.mode: the segment goes with its last attachment; it is locked. */
export const SHM_DEST = 0o1000;
export const SHM_LOCKED = 0o2000;

/** /proc/sys/fs/mqueue, and what even privileged users may not exceed: mq_overview(7). */
export const MQ_LIMITS = {
  queuesMax: 256,
  msgMax: 10,
  msgSizeMax: 8192,
  msgDefault: 10,
  msgSizeDefault: 8192,
  hardMsgMax: 65536,
  hardMsgSizeMax: 16777216,
} as const;

export class IpcNamespace {
  readonly shm: IpcTable<ShmSegment> = new IpcTable(SHMMNI);
  readonly sem: IpcTable<SemSet> = new IpcTable(SEMMNI);
  readonly msg: IpcTable<MessageQueue> = new IpcTable(MSGMNI);
  /** By name, without the slash. */
  readonly mqueues: Map<string, PosixQueue> = new Map();
}
