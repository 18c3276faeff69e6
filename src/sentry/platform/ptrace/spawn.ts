// Starts the template stub and the waker, and attaches to them.

import { readFileSync } from 'node:fs';
import { EPERM } from '../../../abi/errno.ts';
import { PTRACE_EVENT_STOP, PTRACE_O_EXITKILL, PTRACE_O_TRACESYSGOOD } from '../../../abi/process/ptrace.ts';
import { SIGKILL } from '../../../abi/signal/signal.ts';
import { SYS_kill } from '../../../abi/syscall.ts';
import { ptraceInterrupt, ptraceSeize, waitFor, waitStatus } from '../../../host/ptrace.ts';
import { hostCall } from '../../../host/syscall.ts';
import { refused } from '../refused.ts';
import { R13, R14, R15 } from '../regs.ts';
import { startProgram } from '../stub/program.ts';
import { HostThread } from './host_thread.ts';
import {
  STUB_IMAGE_FD,
  STUB_MEMFILE_FD,
  STUB_SOCKET_FD,
  type StubImage,
  WAKER_EPOLL_FD,
} from './stub.image.ts';

/** Starts the stub program with `fds` as [descriptor, number in the child]; it sleeps in pause(). Pid, attached and stopped. */
function spawnProgram(
  image: StubImage,
  name: string,
  fds: readonly (readonly [number, number])[],
  imageFd: number,
): number {
  const pid = startProgram(image.elf, name, fds, imageFd);
  if (pid < 0) throw refused('ptrace', 'the stub could not be started', pid);
  const seized = ptraceSeize(pid, PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD);
  if (seized < 0) {
    hostCall(SYS_kill, pid, SIGKILL);
    waitFor(pid);
    throw refused('ptrace', 'ptrace is not allowed', seized, seized === -EPERM ? fixForPtrace() : undefined);
  }
  ptraceInterrupt(pid);
  if (waitFor(pid) < 0 || waitStatus() >> 16 !== PTRACE_EVENT_STOP)
    throw new Error(`ptrace platform: the stub did not stop (status ${waitStatus().toString(16)})`);
  return pid;
}

/** What forbids ptrace: Yama's setting, or else what a container is. */
function fixForPtrace(): string {
  let scope = '';
  try {
    scope = readFileSync('/proc/sys/kernel/yama/ptrace_scope', 'utf8').trim();
  } catch {}
  if (scope === '3')
    return 'Yama forbids it until the next boot: kernel.yama.ptrace_scope=1 in /etc/sysctl.d';
  if (scope === '2') return 'sysctl kernel.yama.ptrace_scope=1';
  return 'in a container, docker run --cap-add=SYS_PTRACE, or a seccomp profile that allows ptrace';
}

export interface StartedStub {
  readonly thread: HostThread;
  /** It kept the host's vDSO. */
  readonly hasVdso: boolean;
  /** 0, or why the host did not let it have its filter, as -errno. */
  readonly filter: number;
}

/** The template stub: moved to its place, everything else unmapped, stopped. */
export function spawnStub(image: StubImage, memfileFd: number, socketFd: number): StartedStub {
  const fds = [[memfileFd, STUB_MEMFILE_FD] as const, [socketFd, STUB_SOCKET_FD] as const];
  const pid = spawnProgram(image, 'vedette-stub', fds, STUB_IMAGE_FD);
  const thread = new HostThread(pid, pid);
  const r = thread.runTo(image.bootAddr, thread.stackPointer(), 0, [image.bootEnd, image.movedBootEnd]);
  if (r !== 0) throw refused('ptrace', 'the stub could not set itself up', r);
  return { thread, hasVdso: thread.reg(R14) > thread.reg(R13), filter: thread.reg(R15) };
}

/** The waker, stopped just before its loop. Returns its pid. */
export function spawnWaker(image: StubImage, pollerFd: number): number {
  const pid = spawnProgram(image, 'vedette-waker', [[pollerFd, WAKER_EPOLL_FD]], -1);
  // The first round of the loop starts the wait: readiness at this moment stops it again at once.
  const thread = new HostThread(pid, pid);
  thread.startAt(image.wakerAddr);
  return pid;
}
