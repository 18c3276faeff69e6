// Starts the template stub and the waker: vfork, a handful of calls in the child, execve of the stub's memfd.

import { F_SETFD, O_CLOEXEC } from '../../../abi/fcntl.ts';
import { MFD_CLOEXEC } from '../../../abi/memfd.ts';
import { PR_SET_PDEATHSIG } from '../../../abi/prctl.ts';
import { PTRACE_EVENT_STOP, PTRACE_O_EXITKILL, PTRACE_O_TRACESYSGOOD } from '../../../abi/ptrace.ts';
import { SIG_SETMASK, SIGKILL } from '../../../abi/signal.ts';
import {
  SYS_close,
  SYS_close_range,
  SYS_dup3,
  SYS_execveat,
  SYS_fcntl,
  SYS_kill,
  SYS_memfd_create,
  SYS_prctl,
  SYS_rt_sigprocmask,
  SYS_setsid,
  SYS_write,
} from '../../../abi/syscall.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { ptraceInterrupt, ptraceSeize, waitFor, waitStatus } from '../../../host/ptrace.ts';
import { type ChildCall, spawnWithCalls } from '../../../host/spawn.ts';
import { hostCall } from '../../../host/syscall.ts';
import { R13, R14 } from '../regs.ts';
import { HostThread } from './host_thread.ts';
import { STUB_IMAGE_FD, STUB_MEMFILE_FD, type StubImage, WAKER_EPOLL_FD } from './stub.image.ts';

const AT_EMPTY_PATH = 0x1000;
const strings = HostBuffer.alloc(256);
const NAME_AT = 0;
const EMPTY_AT = 64;
const ARGV_AT = 128;
const ENVP_AT = 160;
const MASK_AT = 192;

/** Starts the stub program with `fds` as [descriptor, number in the child]; it sleeps in pause(). Pid, attached and stopped. */
function spawnProgram(image: StubImage, name: string, fds: readonly (readonly [number, number])[]): number {
  strings.putString(name, NAME_AT);
  strings.putString('', EMPTY_AT);
  const memfd = hostCall(SYS_memfd_create, strings.addr + NAME_AT, MFD_CLOEXEC);
  if (memfd < 0) throw new Error(`ptrace platform: memfd_create failed (${memfd})`);
  const elf = HostBuffer.alloc(image.elf.length);
  elf.u8.set(image.elf);
  if (hostCall(SYS_write, memfd, elf.addr, image.elf.length) !== image.elf.length)
    throw new Error('ptrace platform: the stub image could not be written');
  strings.view.setBigUint64(ARGV_AT, BigInt(strings.addr + NAME_AT), true);
  strings.view.setBigUint64(ARGV_AT + 8, 0n, true);
  strings.view.setBigUint64(ENVP_AT, 0n, true);
  strings.view.setBigUint64(MASK_AT, 0n, true);
  // Descriptors go to high numbers first so that none overwrites another; 63 is the image for execveat.
  const calls: ChildCall[] = [[SYS_prctl, PR_SET_PDEATHSIG, SIGKILL], [SYS_setsid]];
  let high = 64;
  for (const [fd] of fds) calls.push([SYS_dup3, fd, high++, O_CLOEXEC]);
  calls.push([SYS_dup3, memfd, 63, O_CLOEXEC]);
  high = 64;
  for (const [, to] of fds) calls.push([SYS_dup3, high++, to, 0]);
  if (fds.some(([, to]) => to === STUB_MEMFILE_FD) && name === 'vedette-stub')
    calls.push([SYS_dup3, 63, STUB_IMAGE_FD, 0]);
  calls.push([SYS_close, 0], [SYS_fcntl, 63, F_SETFD, 1]);
  calls.push([SYS_close_range, 1, 2, 0], [SYS_close_range, 5, 62, 0], [SYS_close_range, 64, 0xffffffff, 0]);
  calls.push([SYS_rt_sigprocmask, SIG_SETMASK, strings.addr + MASK_AT, 0, 8]);
  calls.push([
    SYS_execveat,
    63,
    strings.addr + EMPTY_AT,
    strings.addr + ARGV_AT,
    strings.addr + ENVP_AT,
    AT_EMPTY_PATH,
  ]);
  const pid = spawnWithCalls(calls);
  hostCall(SYS_close, memfd);
  if (pid < 0) throw new Error(`ptrace platform: the stub could not be started (${pid})`);
  const seized = ptraceSeize(pid, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD);
  if (seized < 0) {
    hostCall(SYS_kill, pid, SIGKILL);
    throw new Error(`ptrace platform: ptrace is not allowed (${seized})`);
  }
  ptraceInterrupt(pid);
  if (waitFor(pid) < 0 || waitStatus() >> 16 !== PTRACE_EVENT_STOP)
    throw new Error(`ptrace platform: the stub did not stop (status ${waitStatus().toString(16)})`);
  return pid;
}

/** The template stub: moved to its place, everything else unmapped, stopped. `hasVdso` tells whether it kept the host's vDSO. */
export function spawnStub(image: StubImage, memfileFd: number): { thread: HostThread; hasVdso: boolean } {
  const pid = spawnProgram(image, 'vedette-stub', [[memfileFd, STUB_MEMFILE_FD]]);
  const thread = new HostThread(pid, pid);
  const r = thread.runTo(image.bootAddr, thread.stackPointer(), 0);
  if (r !== 0) throw new Error(`ptrace platform: the stub could not set itself up (${r})`);
  return { thread, hasVdso: thread.reg(R14) > thread.reg(R13) };
}

/** The waker, stopped just before its loop. Returns its pid. */
export function spawnWaker(image: StubImage, pollerFd: number): number {
  const pid = spawnProgram(image, 'vedette-waker', [[pollerFd, WAKER_EPOLL_FD]]);
  // The first round of the loop starts the wait: readiness at this moment stops it again at once.
  const thread = new HostThread(pid, pid);
  thread.startAt(image.wakerAddr);
  return pid;
}
