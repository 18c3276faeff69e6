// An IPC namespace: the System V objects that its members see (ipc_namespaces(7)).

import { MSGMNI, SEMMNI, SHMMNI } from '../../abi/ipc.ts';
import type { MessageQueue } from './ipc_msg.ts';
import { IpcTable } from './ipc_object.ts';
import type { SemSet } from './ipc_sem.ts';
import type { ShmSegment } from './ipc_shm.ts';

/** In shm_perm.mode: the segment goes with its last attachment; it is locked. */
export const SHM_DEST = 0o1000;
export const SHM_LOCKED = 0o2000;

export class IpcNamespace {
  readonly shm: IpcTable<ShmSegment> = new IpcTable(SHMMNI);
  readonly sem: IpcTable<SemSet> = new IpcTable(SEMMNI);
  readonly msg: IpcTable<MessageQueue> = new IpcTable(MSGMNI);
}
