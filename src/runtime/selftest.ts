// Self-tests of what the host offers. Each runs in a process of its own, which `vedette doctor` can kill: a host feature
// that is there may still hang. Prints one line and exits 0 when the feature works:
//
//   vedette self-test systrap|ptrace|clock|seccomp|landlock|capabilities|userns|kvm

import { errnoName } from '../abi/errno.ts';
import { PROT_EXEC, PROT_READ } from '../abi/memory/mman.ts';
import {
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
} from '../abi/process/sched.ts';
import {
  SECCOMP_GET_ACTION_AVAIL,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_USER_NOTIF,
} from '../abi/process/seccomp.ts';
import { SYS_exit_group, SYS_getpid, SYS_seccomp, SYS_unshare } from '../abi/syscall.ts';
import { Assembler, imm, RAX } from '../asm/index.ts';
import { HostBuffer } from '../host/buffer.ts';
import { HostPoller } from '../host/poller.ts';
import { waitFor, waitStatus } from '../host/ptrace.ts';
import { spawnWithCalls } from '../host/spawn.ts';
import { hostCall } from '../host/syscall.ts';
import { failed } from '../sentry/base/errno.ts';
import { MemoryFile } from '../sentry/memfile/memfile.ts';
import { EV_SYSCALL } from '../sentry/platform/platform.ts';
import { PtracePlatform } from '../sentry/platform/ptrace/ptrace.ts';
import { ORIG_RAX, RIP } from '../sentry/platform/regs.ts';
import { selfTest as testSystrap } from '../sentry/platform/systrap/selftest.ts';
import { checkProcessor } from './platforms.ts';
import { testClock } from './selftest_clock.ts';
import { testKvm } from './selftest_kvm.ts';
import { testCapabilities, testLandlock } from './selftest_layers.ts';

const CODE_ADDR = 0x10000;

/** Runs one system call of guest code under the ptrace platform. */
function testPtrace(): string {
  const memfile = MemoryFile.create(64 << 20);
  if (failed(memfile)) throw new Error(`memfd_create: ${errnoName(-memfile)}`);
  const platform = new PtracePlatform(memfile, new HostPoller().fd);
  try {
    const frame = memfile.alloc(1);
    const code = new Assembler().mov(RAX, imm(SYS_getpid)).syscall().finish();
    memfile.u8(frame).set(code, memfile.byteOffset(frame));
    const as = platform.newAddressSpace();
    if (failed(as)) throw new Error(`a stub could not be cloned: ${errnoName(-as)}`);
    as.map(CODE_ADDR, frame, 1, PROT_READ | PROT_EXEC);
    const ctx = platform.newContext();
    ctx.regs.set(RIP, CODE_ADDR);
    ctx.resume(as);
    let came = platform.wait(true);
    while (came === null) came = platform.wait(true);
    if (came !== ctx || ctx.event !== EV_SYSCALL || ctx.regs.int(ORIG_RAX) !== SYS_getpid)
      throw new Error(`guest code came back with event ${ctx.event} instead of its system call`);
    return 'guest code runs and its system calls are caught';
  } finally {
    platform.shutdown();
  }
}

/** Asks the kernel for the seccomp actions that systrap and the lock-down need. */
function testSeccomp(): string {
  const action = HostBuffer.alloc(4);
  for (const [name, value] of [
    ['RET_TRAP', SECCOMP_RET_TRAP],
    ['RET_USER_NOTIF', SECCOMP_RET_USER_NOTIF],
  ] as const) {
    action.view.setUint32(0, value, true);
    const r = hostCall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, action.addr);
    if (r < 0) throw new Error(`SECCOMP_${name}: ${errnoName(-r)}`);
  }
  return 'filters with traps and notifications';
}

/** Unshares in a child: 0 or -errno. */
function unshareInChild(flags: number): number {
  const pid = spawnWithCalls([
    [SYS_unshare, flags],
    [SYS_exit_group, 0],
  ]);
  if (pid < 0) return pid;
  waitFor(pid);
  if (waitStatus() !== 0) throw new Error(`the child ended with status ${waitStatus()}`);
  return 0;
}

/** What stubs leave is made in a user namespace, or without one by those who may. */
function testUserns(): string {
  const r = unshareInChild(CLONE_NEWUSER);
  if (r === 0) return 'can be made without privilege';
  if (unshareInChild(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) === 0)
    return `not needed: this user leaves the other namespaces without one (unshare: ${errnoName(-r)})`;
  throw new Error(`unshare: ${errnoName(-r)}`);
}

const onProcessor = (test: () => string) => (): string => {
  checkProcessor();
  return test();
};

const TESTS: Readonly<Record<string, () => string>> = {
  systrap: onProcessor(testSystrap),
  ptrace: onProcessor(testPtrace),
  clock: testClock,
  seccomp: testSeccomp,
  landlock: testLandlock,
  capabilities: testCapabilities,
  userns: testUserns,
  kvm: testKvm,
};

/** Runs one self-test, prints one line and ends this process: 0 when the feature works. */
export function runSelfTest(name: string): never {
  try {
    const test = Object.hasOwn(TESTS, name) ? TESTS[name] : undefined;
    process.stdout.write(`${test === undefined ? `there is no self-test ${name}` : test()}\n`);
    process.exit(test === undefined ? 1 : 0);
  } catch (error) {
    process.stdout.write(`${(error as Error).message}\n`);
    process.exit(1);
  }
}
