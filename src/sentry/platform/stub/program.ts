// Starts a static program of our own from a memfd: vfork, a handful of calls in the child, execve. V8 is never forked.
// What the program does not need it does not have (docs/platforms.md, "What stands behind"): descriptors, capabilities, ways to get
// more of them, core dumps, and where the host lets us, our mounts, network, and names.

import { EINVAL, ENOSYS, EPERM } from '../../../abi/errno.ts';
import { F_SETFD, FD_CLOEXEC, O_CLOEXEC } from '../../../abi/fs/fcntl.ts';
import { MFD_CLOEXEC, MFD_EXEC } from '../../../abi/memory/memfd.ts';
import { _LINUX_CAPABILITY_VERSION_3, CAP_SYS_ADMIN } from '../../../abi/process/capability.ts';
import { PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG } from '../../../abi/process/prctl.ts';
import { RLIMIT_CORE } from '../../../abi/process/resource.ts';
import {
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
} from '../../../abi/process/sched.ts';
import { SIG_SETMASK, SIGKILL } from '../../../abi/signal/signal.ts';
import {
  SYS_capget,
  SYS_capset,
  SYS_close,
  SYS_close_range,
  SYS_dup3,
  SYS_execve,
  SYS_execveat,
  SYS_fcntl,
  SYS_memfd_create,
  SYS_prctl,
  SYS_prlimit64,
  SYS_rt_sigprocmask,
  SYS_setsid,
  SYS_unshare,
  SYS_write,
} from '../../../abi/syscall.ts';
import { putU64 } from '../../../abi/u64.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { maxHostFiles } from '../../../host/limits.ts';
import { type ChildCall, optional, spawnWithCalls } from '../../../host/spawn.ts';
import { hostCall } from '../../../host/syscall.ts';

const AT_EMPTY_PATH = 0x1000;
/** Scratch: the name at 0, "", argv, envp, an empty signal mask, a struct rlimit, a path, capabilities. */
const NAME_AT = 0;
const EMPTY_AT = 64;
const ARGV_AT = 128;
const ENVP_AT = 160;
const MASK_AT = 192;
const LIMIT_AT = 200;
const PATH_AT = 216;
const CAPS_AT = 256;
const NO_CAPS_AT = 264;
const SCRATCH_SIZE = 288;
/** A limit of 0 bytes still lets a program behind kernel.core_pattern run; 1 is the one that does not (core(5)). */
const NO_CORE = 1;
const NAMESPACES = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
/** Descriptors are looked for up to here where the host cannot close a range of them. */
const MOST_FILES = 65_536;

/**
 * Starts the program `elf` with descriptors `fds`, given as [descriptor, its number in the child], and no others;
 * `imageFd` is the number that its own image gets, or -1. It dies with this thread. Its pid, or -errno.
 */
export function startProgram(
  elf: Uint8Array,
  name: string,
  fds: readonly (readonly [number, number])[],
  imageFd: number,
): number {
  const scratch = HostBuffer.alloc(SCRATCH_SIZE);
  scratch.putString(name, NAME_AT);
  scratch.putString('', EMPTY_AT);
  for (let at = ARGV_AT; at < SCRATCH_SIZE; at += 8) putU64(scratch.view, at, 0);
  putU64(scratch.view, ARGV_AT, scratch.addr + NAME_AT);
  // vm.memfd_noexec may take the right to execute from those that do not ask for it; Linux before 6.3 knows no such request.
  let memfd = hostCall(SYS_memfd_create, scratch.addr + NAME_AT, MFD_CLOEXEC | MFD_EXEC);
  if (memfd === -EINVAL) memfd = hostCall(SYS_memfd_create, scratch.addr + NAME_AT, MFD_CLOEXEC);
  if (memfd < 0) return memfd;
  const image = HostBuffer.alloc(elf.length);
  image.u8.set(elf);
  const written = hostCall(SYS_write, memfd, image.addr, elf.length);
  if (written < 0) {
    hostCall(SYS_close, memfd);
    return written;
  }

  const all = imageFd < 0 ? fds : [...fds, [memfd, imageFd] as const];
  const calls: ChildCall[] = [[SYS_prctl, PR_SET_PDEATHSIG, SIGKILL], [SYS_setsid]];
  // First to numbers above all of them, and then to their places: none overwrites another.
  const high = 1 + Math.max(memfd, ...all.flat());
  const executed = high + all.length;
  all.forEach(([fd], i) => {
    calls.push([SYS_dup3, fd, high + i, O_CLOEXEC]);
  });
  const ranges = closesRanges();
  calls.push([SYS_dup3, memfd, executed, O_CLOEXEC]);
  if (ranges) calls.push([SYS_close_range, 0, high - 1, 0]);
  all.forEach(([, to], i) => {
    calls.push([SYS_dup3, high + i, to, 0]);
  });
  if (ranges)
    calls.push([SYS_close_range, high, executed - 1, 0], [SYS_close_range, executed + 1, 0xffff_ffff, 0]);
  putU64(scratch.view, LIMIT_AT, NO_CORE);
  putU64(scratch.view, LIMIT_AT + 8, NO_CORE);
  // Refused where the caller's own hard limit is 0, which is as good.
  calls.push(optional(SYS_prlimit64, 0, RLIMIT_CORE, scratch.addr + LIMIT_AT, 0));
  scratch.view.setUint32(CAPS_AT, _LINUX_CAPABILITY_VERSION_3, true);
  const privileged = canUnshare(scratch);
  calls.push(optional(SYS_unshare, privileged ? NAMESPACES : NAMESPACES | CLONE_NEWUSER));
  scratch.u8.fill(0, NO_CAPS_AT);
  calls.push([SYS_capset, scratch.addr + CAPS_AT, scratch.addr + NO_CAPS_AT]);
  calls.push([SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0]);
  calls.push([SYS_rt_sigprocmask, SIG_SETMASK, scratch.addr + MASK_AT, 0, 8]);
  const [argv, envp, empty] = [scratch.addr + ARGV_AT, scratch.addr + ENVP_AT, scratch.addr + EMPTY_AT];
  // Asked for no file at all, the call says whether it is there (Linux 3.19, and containers' filters).
  const probe = hostCall(SYS_execveat, -1, empty, argv, envp, 0);
  if (probe === -ENOSYS || probe === -EPERM)
    calls.push([SYS_execve, scratch.putString(`/proc/self/fd/${executed}`, PATH_AT), argv, envp]);
  else calls.push([SYS_execveat, executed, empty, argv, envp, AT_EMPTY_PATH]);
  const pid = spawnWithCalls(calls);
  hostCall(SYS_close, memfd);
  return pid;
}

/** True when namespaces can be left without a new user namespace. */
function canUnshare(scratch: HostBuffer): boolean {
  if (hostCall(SYS_capget, scratch.addr + CAPS_AT, scratch.addr + NO_CAPS_AT) < 0) return false;
  return (scratch.view.getUint32(NO_CAPS_AT, true) & (1 << CAP_SYS_ADMIN)) !== 0;
}

/** True when the child can close ranges of descriptors (Linux 5.9). If not, ours are closed by its execve. */
function closesRanges(): boolean {
  const last = 0xffff_ffff;
  if (hostCall(SYS_close_range, last, last, 0) === 0) return true;
  for (let fd = 0; fd < Math.min(maxHostFiles, MOST_FILES); fd++)
    hostCall(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC);
  return false;
}
