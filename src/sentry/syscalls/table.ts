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
import { rows as epoll } from './events/epoll.ts';
import { rows as eventfd } from './events/eventfd.ts';
import { rows as inotify } from './events/inotify.ts';
import { rows as poll } from './events/poll.ts';
import { rows as select } from './events/select.ts';
import { rows as filesAttr } from './files/attr.ts';
import { rows as filesCopy } from './files/copy.ts';
import { rows as filesDir } from './files/dir.ts';
import { rows as filesFcntl } from './files/fcntl.ts';
import { rows as filesLinks } from './files/links.ts';
import { rows as memfd } from './files/memfd.ts';
import { rows as filesMeta } from './files/meta.ts';
import { rows as filesMount } from './files/mount.ts';
import { rows as filesOpen } from './files/open.ts';
import { rows as pipe } from './files/pipe.ts';
import { rows as filesRw } from './files/rw.ts';
import { rows as filesSplice } from './files/splice.ts';
import { rows as filesXattr } from './files/xattr.ts';
import { rows as futex } from './ipc/futex.ts';
import { rows as mqueue } from './ipc/mqueue.ts';
import { rows as ipcMsg } from './ipc/msg.ts';
import { rows as ipcSem } from './ipc/sem.ts';
import { rows as ipcShm } from './ipc/shm.ts';
import { rows as memoryAdvice } from './memory/advice.ts';
import { rows as memory } from './memory/map.ts';
import { rows as memoryPolicy } from './memory/policy.ts';
import { rows as memoryRemote } from './memory/remote.ts';
import { rows as arch } from './process/arch.ts';
import { rows as clone } from './process/clone.ts';
import { rows as exec } from './process/exec.ts';
import { rows as process } from './process/identity.ts';
import { rows as kcmp } from './process/kcmp.ts';
import { rows as limits } from './process/limits.ts';
import { rows as namespaces } from './process/namespaces.ts';
import { rows as pidfd } from './process/pidfd.ts';
import { rows as prctl } from './process/prctl.ts';
import { rows as session } from './process/session.ts';
import { rows as usage } from './process/usage.ts';
import { rows as wait } from './process/wait.ts';
import { inTurn } from './row.ts';
import { rows as membarrier } from './sched/membarrier.ts';
import { rows as sched } from './sched/sched.ts';
import { rows as caps } from './security/caps.ts';
import { rows as cred } from './security/cred.ts';
import { rows as seccomp } from './security/seccomp.ts';
import { rows as kill } from './signals/kill.ts';
import { rows as rtSignals } from './signals/rt_signals.ts';
import { rows as signalfd } from './signals/signalfd.ts';
import { rows as sendrecv } from './sockets/sendrecv.ts';
import { rows as socket } from './sockets/socket.ts';
import { rows as system } from './system/system.ts';
import { rows as clock } from './time/clock.ts';
import { rows as sleep } from './time/sleep.ts';
import { rows as timerfd } from './time/timerfd.ts';
import { rows as timers } from './time/timers.ts';

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
