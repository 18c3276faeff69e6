// What the process gives up once it is started (prctl(2), setrlimit(2), seccomp(2)): it works on descriptors that it has and is sent,
// and on nothing else.

import { EPERM } from '../abi/errno.ts';
import { AUDIT_ARCH_X86_64 } from '../abi/process/audit.ts';
import { PR_SET_DUMPABLE } from '../abi/process/prctl.ts';
import { RLIMIT_CORE } from '../abi/process/resource.ts';
import { CLONE_THREAD } from '../abi/process/sched.ts';
import { SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO } from '../abi/process/seccomp.ts';
import * as nr from '../abi/syscall.ts';
import { HostBuffer } from '../host/buffer.ts';
import { BpfProgram, installFilter } from '../host/seccomp.ts';
import { hostCall } from '../host/syscall.ts';

/** Calls that fail from then on. A list of what is left out, not of what is let in: Node.js and libc differ in what they use. */
const REFUSED: readonly number[] = [
  // Programs and processes.
  nr.SYS_execve,
  nr.SYS_execveat,
  nr.SYS_fork,
  nr.SYS_vfork,
  // Files: none is opened, for reading neither; none is changed by name.
  nr.SYS_open,
  nr.SYS_openat,
  nr.SYS_creat,
  nr.SYS_open_by_handle_at,
  nr.SYS_truncate,
  nr.SYS_rename,
  nr.SYS_renameat,
  nr.SYS_renameat2,
  nr.SYS_unlink,
  nr.SYS_unlinkat,
  nr.SYS_mkdir,
  nr.SYS_mkdirat,
  nr.SYS_rmdir,
  nr.SYS_link,
  nr.SYS_linkat,
  nr.SYS_symlink,
  nr.SYS_symlinkat,
  nr.SYS_mknod,
  nr.SYS_mknodat,
  nr.SYS_chmod,
  nr.SYS_fchmodat,
  nr.SYS_chown,
  nr.SYS_lchown,
  nr.SYS_fchownat,
  nr.SYS_mount,
  nr.SYS_umount2,
  nr.SYS_pivot_root,
  nr.SYS_chroot,
  nr.SYS_setns,
  nr.SYS_unshare,
  // Connections are sent, never made: a fault here reaches no address of its own choice.
  nr.SYS_socket,
  nr.SYS_connect,
  nr.SYS_bind,
  nr.SYS_listen,
  nr.SYS_accept,
  nr.SYS_accept4,
  // Other processes, and ways round the calls above.
  nr.SYS_ptrace,
  nr.SYS_process_vm_readv,
  nr.SYS_process_vm_writev,
  nr.SYS_pidfd_open,
  nr.SYS_pidfd_getfd,
  nr.SYS_kcmp,
  nr.SYS_bpf,
  nr.SYS_perf_event_open,
  nr.SYS_userfaultfd,
  nr.SYS_io_uring_setup,
  nr.SYS_keyctl,
  nr.SYS_add_key,
  nr.SYS_request_key,
  nr.SYS_init_module,
  nr.SYS_finit_module,
  nr.SYS_kexec_load,
];

/** No core dumps, and nobody of the same user reads this process's memory (proc(5), ptrace(2)); first of all things. */
export function hideMemory(): void {
  must('PR_SET_DUMPABLE', hostCall(nr.SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0));
  const none = HostBuffer.alloc(16);
  must('RLIMIT_CORE', hostCall(nr.SYS_prlimit64, 0, RLIMIT_CORE, none.addr, 0));
}

/** Locks the process down for good, all of its threads. */
export function lockDown(): void {
  try {
    installFilter(filter());
  } catch (error) {
    throw new Error(`seccomp: ${(error as Error).message}; fix: a host kernel with seccomp filters`);
  }
}

function filter(): BpfProgram {
  const p = new BpfProgram()
    .loadArch()
    .jeq(AUDIT_ARCH_X86_64, 'ours')
    .ret(SECCOMP_RET_ERRNO | EPERM)
    .label('ours')
    .loadNr()
    // x32 has numbers of its own.
    .jge(0x4000_0000, 'refused')
    // With ENOSYS libc takes clone(2) and openat(2), which can be looked at.
    .jeq(nr.SYS_clone3, 'missing')
    .jeq(nr.SYS_openat2, 'missing')
    .jeq(nr.SYS_clone, 'clone');
  for (const call of REFUSED) p.jeq(call, 'refused');
  return p
    .ret(SECCOMP_RET_ALLOW)
    .label('clone')
    .loadArgLow(0)
    .jset(CLONE_THREAD, 'thread')
    .label('refused')
    .ret(SECCOMP_RET_ERRNO | EPERM)
    .label('missing')
    .ret(SECCOMP_RET_ERRNO | 38)
    .label('thread')
    .ret(SECCOMP_RET_ALLOW);
}

function must(what: string, result: number): void {
  if (result !== 0) throw new Error(`${what} failed (${result}); fix: a host kernel with seccomp filters`);
}
