// Assembles the system-call table from the families.

import {
  SYS_brk,
  SYS_madvise,
  SYS_mlock,
  SYS_mlock2,
  SYS_mlockall,
  SYS_mmap,
  SYS_mprotect,
  SYS_mremap,
  SYS_munlock,
  SYS_munlockall,
  SYS_munmap,
  SYS_pkey_mprotect,
  SYS_process_madvise,
  SYS_remap_file_pages,
  SYS_shmat,
  SYS_shmdt,
} from '../../abi/syscall.ts';
import type { SyscallRow } from '../kernel/syscall_table.ts';
import { SyscallTable } from '../kernel/syscall_table.ts';
import { rows as arch } from './arch.ts';
import { rows as caps } from './caps.ts';
import { rows as clock } from './clock.ts';
import { rows as clone } from './clone.ts';
import { rows as cred } from './cred.ts';
import { rows as epoll } from './epoll.ts';
import { rows as eventfd } from './eventfd.ts';
import { rows as exec } from './exec.ts';
import { rows as filesAttr } from './files_attr.ts';
import { rows as filesCopy } from './files_copy.ts';
import { rows as filesDir } from './files_dir.ts';
import { rows as filesFcntl } from './files_fcntl.ts';
import { rows as filesLinks } from './files_links.ts';
import { rows as filesMeta } from './files_meta.ts';
import { rows as filesMount } from './files_mount.ts';
import { rows as filesOpen } from './files_open.ts';
import { rows as filesRw } from './files_rw.ts';
import { rows as filesSplice } from './files_splice.ts';
import { rows as filesXattr } from './files_xattr.ts';
import { rows as futex } from './futex.ts';
import { rows as inotify } from './inotify.ts';
import { rows as ipcMsg } from './ipc_msg.ts';
import { rows as ipcSem } from './ipc_sem.ts';
import { rows as ipcShm } from './ipc_shm.ts';
import { rows as kcmp } from './kcmp.ts';
import { rows as kill } from './kill.ts';
import { rows as limits } from './limits.ts';
import { rows as membarrier } from './membarrier.ts';
import { rows as memfd } from './memfd.ts';
import { rows as memory } from './memory.ts';
import { rows as memoryAdvice } from './memory_advice.ts';
import { rows as memoryPolicy } from './memory_policy.ts';
import { rows as memoryRemote } from './memory_remote.ts';
import { rows as mqueue } from './mqueue.ts';
import { rows as namespaces } from './namespaces.ts';
import { rows as pidfd } from './pidfd.ts';
import { rows as pipe } from './pipe.ts';
import { rows as poll } from './poll.ts';
import { rows as prctl } from './prctl.ts';
import { rows as process } from './process.ts';
import { inTurn } from './row.ts';
import { rows as rtSignals } from './rt_signals.ts';
import { rows as sched } from './sched.ts';
import { rows as seccomp } from './seccomp.ts';
import { rows as select } from './select.ts';
import { rows as sendrecv } from './sendrecv.ts';
import { rows as session } from './session.ts';
import { rows as signalfd } from './signalfd.ts';
import { rows as sleep } from './sleep.ts';
import { rows as socket } from './socket.ts';
import { rows as system } from './system.ts';
import { rows as timerfd } from './timerfd.ts';
import { rows as timers } from './timers.ts';
import { rows as usage } from './usage.ts';
import { rows as wait } from './wait.ts';

const families: readonly (readonly SyscallRow[])[] = [
  epoll,
  eventfd,
  inotify,
  pipe,
  poll,
  select,
  signalfd,
  timerfd,
  sendrecv,
  socket,
  arch,
  clone,
  exec,
  process,
  rtSignals,
  session,
  wait,
  kill,
  pidfd,
  futex,
  filesAttr,
  filesDir,
  filesFcntl,
  filesLinks,
  filesMeta,
  filesOpen,
  filesRw,
  memfd,
  memory,
  memoryAdvice,
  memoryPolicy,
  memoryRemote,
  clock,
  sleep,
  timers,
  usage,
  filesCopy,
  filesMount,
  filesSplice,
  filesXattr,
  caps,
  cred,
  limits,
  prctl,
  ipcMsg,
  ipcSem,
  ipcShm,
  kcmp,
  membarrier,
  mqueue,
  namespaces,
  sched,
  seccomp,
  system,
];

/**
 * Calls that change mappings of their caller's memory. So do clone(2) without CLONE_VM and prctl(PR_SET_VMA), which see for
 * themselves when they have to wait.
 */
const CHANGE_MAPPINGS = new Set([
  ...[SYS_mmap, SYS_munmap, SYS_mprotect, SYS_pkey_mprotect, SYS_mremap, SYS_brk, SYS_remap_file_pages],
  ...[SYS_madvise, SYS_process_madvise, SYS_mlock, SYS_mlock2, SYS_munlock, SYS_mlockall, SYS_munlockall],
  ...[SYS_shmat, SYS_shmdt],
]);

/** A fresh table with every system call that the kernel serves. */
export function makeSyscallTable(): SyscallTable {
  const table = new SyscallTable();
  for (const rows of families)
    for (const row of rows) table.add(CHANGE_MAPPINGS.has(row.nr) ? inTurn(row) : row);
  return table;
}
