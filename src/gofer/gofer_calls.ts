// The system calls of the host that the gofer may make while it serves, each with its reason; docs/host-calls.md shows them. What it
// may change is held by Landlock and by what it is told of each tree.

import { F_GETFL } from '../abi/fs/fcntl.ts';
import * as nr from '../abi/syscall.ts';
import { ANY, type CallPart, rows } from '../host/call_parts.ts';
import { int } from '../host/syscall_rules.ts';

/** Every gofer's. */
export const SERVING_PART: CallPart = {
  name: 'serving',
  calls: [
    ...rows("V8's threads wake the main one", nr.SYS_read, nr.SYS_write),
    ...rows('requests are answered', nr.SYS_recvmsg, nr.SYS_sendmsg, nr.SYS_sendto, nr.SYS_close, [
      nr.SYS_fcntl,
      [ANY, int(F_GETFL)],
    ]),
    ...rows(
      'what lies below the directories that are served is looked up, opened and listed',
      nr.SYS_openat2,
      nr.SYS_openat,
      nr.SYS_fstat,
      nr.SYS_newfstatat,
      nr.SYS_fstatfs,
      nr.SYS_lseek,
      nr.SYS_getdents64,
      nr.SYS_readlinkat,
      nr.SYS_readlink,
      nr.SYS_getxattr,
      nr.SYS_lgetxattr,
      nr.SYS_listxattr,
      nr.SYS_fsync,
      nr.SYS_syncfs,
    ),
  ],
};

/** With a directory that may be changed. */
export const CHANGING_PART: CallPart = {
  name: 'changing',
  calls: rows(
    'directories of the host that are written',
    nr.SYS_mkdirat,
    nr.SYS_mknodat,
    nr.SYS_symlinkat,
    nr.SYS_linkat,
    nr.SYS_unlinkat,
    nr.SYS_renameat2,
    nr.SYS_fchownat,
    nr.SYS_fchmodat2,
    nr.SYS_chmod,
    nr.SYS_utimensat,
    nr.SYS_setxattr,
    nr.SYS_removexattr,
  ),
};
