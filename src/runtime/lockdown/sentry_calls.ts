// The system calls of the host that the Sentry may make while programs run, by the part that needs them, each with its reason.
// docs/security.md shows this list. A call that is not here fails with EPERM.
//
// Descriptors and addresses of memory are not looked at: the Sentry has only what it opened, and its memory is its own.

import { EFD_CLOEXEC } from '../../abi/events/eventfd.ts';
import {
  F_DUPFD_CLOEXEC,
  F_GETFD,
  F_GETFL,
  F_SETFD,
  F_SETFL,
  O_ACCMODE,
  O_CREAT,
  O_DIRECTORY,
  O_NOCTTY,
  O_NONBLOCK,
  O_TMPFILE,
  O_TRUNC,
} from '../../abi/fs/fcntl.ts';
import * as I from '../../abi/ioctl.ts';
import { AF_INET, AF_INET6, AF_UNIX, SO_PEERCRED, SOL_SOCKET } from '../../abi/net/socket.ts';
import { MEMBARRIER_CMD_GLOBAL } from '../../abi/process/membarrier.ts';
import * as P from '../../abi/process/ptrace.ts';
import {
  SECCOMP_IOCTL_NOTIF_ADDFD,
  SECCOMP_IOCTL_NOTIF_RECV,
  SECCOMP_IOCTL_NOTIF_SEND,
  SECCOMP_IOCTL_NOTIF_SET_FLAGS,
} from '../../abi/process/seccomp.ts';
import { SIGKILL } from '../../abi/signal/signal.ts';
import * as nr from '../../abi/syscall.ts';
import { ANY, type CallPart, oneOf, rows } from '../../host/call_parts.ts';
import { bits, int } from '../../host/syscall_rules.ts';

/** The first argument of kill(2) is a process, no group, and not everybody. */
const ONE_PROCESS = bits(0x8000_0000);
/** O_TMPFILE holds O_DIRECTORY. */
const TMPFILE_BIT = O_TMPFILE & ~O_DIRECTORY;
const CHANGES = O_ACCMODE | O_CREAT | O_TRUNC | TMPFILE_BIT;

/** What the kernel's loop, its timers, the memory file and the files of the host need that every sandbox has. */
export function kernelPart(pid: number): CallPart {
  return {
    name: 'kernel',
    calls: [
      ...rows(
        'the loop waits',
        nr.SYS_epoll_wait,
        nr.SYS_epoll_ctl,
        nr.SYS_poll,
        nr.SYS_ppoll,
        nr.SYS_timerfd_settime,
        nr.SYS_read,
        nr.SYS_write,
      ),
      ...rows('the memory file grows and gives pages back', nr.SYS_ftruncate, nr.SYS_fallocate, nr.SYS_lseek),
      ...rows('open files of the host are read', nr.SYS_close, nr.SYS_pread64, nr.SYS_fstat, nr.SYS_fstatfs),
      ...rows(
        'standard input, output and error',
        nr.SYS_pwrite64,
        nr.SYS_pwritev2,
        nr.SYS_fsync,
        nr.SYS_fdatasync,
        nr.SYS_sendto,
        nr.SYS_recvfrom,
        nr.SYS_dup2,
        [nr.SYS_fcntl, ...oneOf(1, [F_GETFL, F_SETFL, F_GETFD, F_SETFD, F_DUPFD_CLOEXEC])],
        [nr.SYS_ioctl, ...oneOf(1, [I.FIONREAD, I.FIONBIO, I.FIOCLEX, I.TCGETS, I.TIOCGWINSZ])],
      ),
      ...rows(
        'the terminal, but not what types into it',
        nr.SYS_getpgid,
        [
          nr.SYS_ioctl,
          ...oneOf(1, [
            I.TCGETS2,
            I.TCSETS2,
            I.TCSETSW2,
            I.TCSETSF2,
            I.TCSETS,
            I.TCSETSW,
            I.TCSETSF,
            I.TCFLSH,
            I.TCXONC,
            I.TIOCSWINSZ,
            I.TIOCOUTQ,
            I.TIOCGPGRP,
            I.TIOCGPTN,
            I.TIOCGDEV,
          ]),
        ],
        // A shell's job control: the sandbox stops, alone or with the pipeline that it belongs to.
        [nr.SYS_kill, [int(0)], [int(pid)]],
        nr.SYS_getsid,
        nr.SYS_getppid,
      ),
      ...rows('membarrier(2) of guests', [nr.SYS_membarrier, [int(MEMBARRIER_CMD_GLOBAL)]]),
      ...rows(
        'stubs are placed, ended and reaped',
        nr.SYS_sched_setaffinity,
        nr.SYS_getcpu,
        nr.SYS_pidfd_open,
        nr.SYS_wait4,
        [nr.SYS_kill, [ONE_PROCESS, int(SIGKILL)]],
      ),
    ],
  };
}

/** Without a gofer: files of the host are found by their names. */
export const FILES_PART: CallPart = {
  name: 'files',
  calls: [
    ...rows(
      'files of the host are opened to read, and what stands in /proc of stubs',
      [nr.SYS_openat, [ANY, ANY, bits(CHANGES)]],
      nr.SYS_getdents64,
      nr.SYS_newfstatat,
      nr.SYS_statx,
      nr.SYS_readlinkat,
      nr.SYS_readlink,
      nr.SYS_getxattr,
      nr.SYS_lgetxattr,
    ),
    ...rows('/dev/stdout and its like inside: a descriptor is opened anew by /proc/self/fd', [
      nr.SYS_openat,
      [ANY, ANY, bits(O_CREAT | TMPFILE_BIT | O_NONBLOCK | O_NOCTTY, O_NONBLOCK | O_NOCTTY)],
    ]),
  ],
};

/** With a gofer, which finds them. */
export const GOFER_PART: CallPart = {
  name: 'gofer',
  calls: rows(
    'requests to the gofer, and the descriptors of regular files that come back',
    nr.SYS_sendmsg,
    nr.SYS_recvmsg,
  ),
};

/** systrap hands threads over in shared memory; `kick` is its signal. */
export function systrapPart(kick: number): CallPart {
  return {
    name: 'systrap',
    calls: rows(
      'mappers get orders and files, threads are kicked',
      [
        nr.SYS_ioctl,
        ...oneOf(1, [
          SECCOMP_IOCTL_NOTIF_RECV,
          SECCOMP_IOCTL_NOTIF_SEND,
          SECCOMP_IOCTL_NOTIF_ADDFD,
          SECCOMP_IOCTL_NOTIF_SET_FLAGS,
        ]),
      ],
      [nr.SYS_tgkill, [ANY, ANY, int(kick)]],
    ),
  };
}

/** ptrace: nobody new is traced but stubs' own children, and no memory is written. */
export const PTRACE_PART: CallPart = {
  name: 'ptrace',
  calls: rows(
    'threads of stubs are run and stopped',
    [
      nr.SYS_ptrace,
      ...oneOf(0, [
        P.PTRACE_CONT,
        P.PTRACE_SYSEMU,
        P.PTRACE_SYSEMU_SINGLESTEP,
        P.PTRACE_GETREGS,
        P.PTRACE_SETREGS,
        P.PTRACE_GETREGSET,
        P.PTRACE_SETREGSET,
        P.PTRACE_GETSIGINFO,
        P.PTRACE_PEEKSIGINFO,
        P.PTRACE_INTERRUPT,
        P.PTRACE_LISTEN,
        P.PTRACE_GETEVENTMSG,
        P.PTRACE_SINGLESTEP,
      ]),
    ],
    nr.SYS_tgkill,
    // Files to be mapped.
    nr.SYS_sendmsg,
  ),
};

/** --bind and --overlay: directories of the host that are written. */
export const WRITING_PART: CallPart = {
  name: 'writing',
  calls: rows(
    'directories of the host that are written',
    nr.SYS_openat,
    nr.SYS_mkdirat,
    nr.SYS_mknodat,
    nr.SYS_unlinkat,
    nr.SYS_renameat2,
    nr.SYS_linkat,
    nr.SYS_symlinkat,
    nr.SYS_fchownat,
    nr.SYS_fchmodat2,
    nr.SYS_chmod,
    nr.SYS_utimensat,
    nr.SYS_setxattr,
    nr.SYS_listxattr,
    nr.SYS_removexattr,
    nr.SYS_syncfs,
    nr.SYS_umask,
    nr.SYS_copy_file_range,
  ),
};

/** The same with a gofer. */
export const COPYING_PART: CallPart = {
  name: 'copying',
  calls: rows('what --overlay copies up', nr.SYS_copy_file_range),
};

/** --network=user and host: sockets of the host, of the Internet's families alone. */
export const SOCKETS_PART: CallPart = {
  name: 'sockets',
  calls: rows(
    'connections and datagrams to the outside',
    [nr.SYS_socket, ...oneOf(0, [AF_INET, AF_INET6])],
    // Both ends are ours: our own server of names, what the process for HTTP reads.
    [nr.SYS_socketpair, [int(AF_UNIX)]],
    nr.SYS_connect,
    nr.SYS_bind,
    nr.SYS_listen,
    nr.SYS_accept4,
    nr.SYS_shutdown,
    nr.SYS_getsockname,
    nr.SYS_getpeername,
    nr.SYS_getsockopt,
    nr.SYS_setsockopt,
    nr.SYS_sendmsg,
    nr.SYS_recvmsg,
    [nr.SYS_eventfd2, [ANY, bits(EFD_CLOEXEC, EFD_CLOEXEC)]],
    [nr.SYS_ioctl, ...oneOf(1, [I.SIOCOUTQ, I.SIOCATMARK, I.SIOCOUTQNSD])],
  ),
};

/** A container's control socket: it listens before the lock-down, so that no socket is made or named after it. */
export const CONTROL_PART: CallPart = {
  name: 'control',
  calls: rows(
    'commands to a container, and the descriptors that come with them',
    nr.SYS_accept4,
    nr.SYS_recvmsg,
    nr.SYS_sendmsg,
    [nr.SYS_getsockopt, [ANY, int(SOL_SOCKET), int(SO_PEERCRED)]],
  ),
};
