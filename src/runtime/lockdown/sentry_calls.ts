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
import { PROT_EXEC } from '../../abi/memory/mman.ts';
import { AF_INET, AF_INET6, AF_UNIX, SO_PEERCRED, SOL_SOCKET } from '../../abi/net/socket.ts';
import { MEMBARRIER_CMD_GLOBAL } from '../../abi/process/membarrier.ts';
import { PR_SET_DUMPABLE } from '../../abi/process/prctl.ts';
import * as P from '../../abi/process/ptrace.ts';
import { RLIMIT_CORE } from '../../abi/process/resource.ts';
import {
  SECCOMP_IOCTL_NOTIF_ADDFD,
  SECCOMP_IOCTL_NOTIF_RECV,
  SECCOMP_IOCTL_NOTIF_SEND,
  SECCOMP_IOCTL_NOTIF_SET_FLAGS,
} from '../../abi/process/seccomp.ts';
import { SIGKILL } from '../../abi/signal/signal.ts';
import * as nr from '../../abi/syscall.ts';
import { type Allowed, bits, int, type Rule, within } from '../../host/syscall_rules.ts';
import type { CodeRange } from './code_range.ts';

/** One part's calls. */
export interface CallPart {
  readonly name: string;
  readonly calls: readonly Allowed[];
}

const ANY = undefined;
/** The first argument of kill(2) is a process, no group, and not everybody. */
const ONE_PROCESS = bits(0x8000_0000);
/** O_TMPFILE holds O_DIRECTORY. */
const TMPFILE_BIT = O_TMPFILE & ~O_DIRECTORY;
const CHANGES = O_ACCMODE | O_CREAT | O_TRUNC | TMPFILE_BIT;

function rows(why: string, ...calls: (number | [number, ...Rule[]])[]): Allowed[] {
  return calls.flatMap((call) => {
    if (typeof call === 'number') return [{ nr: call, rule: [], why }];
    const [number, ...rules] = call;
    return rules.map((rule) => ({ nr: number, rule, why }));
  });
}

/** One rule per value of argument `at`. */
function oneOf(at: number, values: readonly number[]): Rule[] {
  return values.map((value) => [...new Array<undefined>(at).fill(undefined), int(value)]);
}

/** What Node.js, V8 and libc need; `code` is where V8 makes code, null when nobody knows; `pid` is this process. */
export function enginePart(code: readonly CodeRange[] | null, pid: number): CallPart {
  return {
    name: 'engine',
    calls: [
      ...rows('memory of V8 and libc, none of it executable', nr.SYS_munmap, nr.SYS_brk, nr.SYS_madvise, [
        nr.SYS_mmap,
        [ANY, ANY, bits(PROT_EXEC)],
      ]),
      ...rows('libc moves large allocations', nr.SYS_mremap),
      ...rows('memory of V8 and libc', [nr.SYS_mprotect, [ANY, ANY, bits(PROT_EXEC)]]),
      ...rows('V8 makes code in its own range alone', [
        nr.SYS_mprotect,
        ...(code === null ? [[]] : code.map((r): Rule => [within(r.from, r.size, 1)])),
      ]),
      ...rows(
        "V8's threads wait for each other",
        nr.SYS_futex,
        nr.SYS_sched_yield,
        // Node.js from 24 on: who waits is queued by priority.
        nr.SYS_sched_getparam,
        nr.SYS_sched_getscheduler,
      ),
      ...rows(
        'clocks and identity',
        nr.SYS_clock_gettime,
        nr.SYS_clock_getres,
        nr.SYS_gettimeofday,
        nr.SYS_getpid,
        nr.SYS_gettid,
        nr.SYS_getrusage,
        nr.SYS_sched_getaffinity,
        nr.SYS_sysinfo,
      ),
      ...rows('sleeping', nr.SYS_nanosleep, nr.SYS_clock_nanosleep, nr.SYS_restart_syscall),
      ...rows('random numbers', nr.SYS_getrandom),
      ...rows('signals of our own', nr.SYS_rt_sigaction, nr.SYS_rt_sigprocmask, nr.SYS_rt_sigreturn, [
        nr.SYS_tgkill,
        [int(pid)],
      ]),
      ...rows(
        'the end',
        nr.SYS_exit,
        nr.SYS_exit_group,
        [nr.SYS_prctl, [int(PR_SET_DUMPABLE), int(0)]],
        [nr.SYS_setrlimit, [int(RLIMIT_CORE)]],
      ),
      ...rows('compiled code is kept: the time of an open file is set', [
        nr.SYS_utimensat,
        // No path, and no flags: within() says that both are 0.
        [ANY, within(0, 0, 3)],
      ]),
      ...rows('output of Node.js, its own event loop', nr.SYS_writev, nr.SYS_epoll_pwait),
    ],
  };
}

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
      ...rows(
        'files of the host are read, and what stands in /proc of stubs',
        [nr.SYS_openat, [ANY, ANY, bits(CHANGES)]],
        nr.SYS_close,
        nr.SYS_pread64,
        nr.SYS_getdents64,
        nr.SYS_newfstatat,
        nr.SYS_fstat,
        nr.SYS_fstatfs,
        nr.SYS_statx,
        nr.SYS_readlinkat,
        nr.SYS_readlink,
        nr.SYS_lgetxattr,
        nr.SYS_fgetxattr,
      ),
      ...rows(
        'standard input, output and error',
        // /dev/stdout and its like inside: a descriptor's file is opened anew by /proc/self/fd.
        [
          nr.SYS_openat,
          [ANY, ANY, bits(O_CREAT | TMPFILE_BIT | O_NONBLOCK | O_NOCTTY, O_NONBLOCK | O_NOCTTY)],
        ],
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
    nr.SYS_getxattr,
    nr.SYS_setxattr,
    nr.SYS_listxattr,
    nr.SYS_removexattr,
    nr.SYS_syncfs,
    nr.SYS_umask,
    nr.SYS_copy_file_range,
    nr.SYS_flock,
  ),
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
