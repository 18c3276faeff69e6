// Which way programs read clocks on this host, and why. What the host's vDSO can read without a system call is tried
// where it will have to: in guest code, whose system calls are caught.

import { PROT_EXEC, PROT_READ, PROT_WRITE } from '../abi/memory/mman.ts';
import { SYS_clock_gettime, SYS_getpid } from '../abi/syscall.ts';
import { CLOCK_MONOTONIC } from '../abi/time/time.ts';
import { Assembler, EAX, EDI, imm, RAX, RSI, RSP } from '../asm/index.ts';
import { HostPoller } from '../host/poller.ts';
import { failed } from '../sentry/base/errno.ts';
import { chooseClock, WAY_CALL, WAY_TSC } from '../sentry/kernel/time/clock_way.ts';
import { MemoryFile } from '../sentry/memfile/memfile.ts';
import { EV_SYSCALL, type Platform } from '../sentry/platform/platform.ts';
import * as regs from '../sentry/platform/regs.ts';
import { createPlatform } from './platforms.ts';

const CODE = 0x10000;
const STACK = 0x20000;

/** One line that begins with the way's name; throws an Error when it is `call`. */
export function testClock(): string {
  const memfile = MemoryFile.create(64 << 20);
  if (failed(memfile)) throw new Error(`no memory file (${memfile})`);
  const platform = createPlatform(memfile, new HostPoller().fd, {
    platform: 'auto',
    patchCalls: false,
    fsgsbase: 'auto',
  });
  try {
    const choice = chooseClock('auto', platform);
    if (typeof choice === 'string') throw new Error(choice);
    const { way, reason } = choice;
    if (way === WAY_TSC) return `tsc: ${reason}; programs compute the time from the time-stamp counter`;
    if (way === WAY_CALL) throw new Error(`call: ${reason}; each reading is a system call`);
    if (!readsInUserSpace(platform, memfile, platform.hostGettime()))
      throw new Error(`call: ${reason}, which the host's vDSO cannot read; each reading is a system call`);
    return `vdso: ${reason}; programs read it by the code of the host's own vDSO`;
  } finally {
    platform.shutdown();
  }
}

/** Guest code that asks the host's code makes no system call before its own. */
function readsInUserSpace(platform: Platform, memfile: MemoryFile, gettime: number): boolean {
  const a = new Assembler().mov(EDI, imm(CLOCK_MONOTONIC)).mov(RSI, RSP).mov(RAX, imm(gettime)).call(RAX);
  a.mov(EAX, imm(SYS_getpid)).syscall();
  const frame = memfile.alloc(2);
  if (frame < 0) throw new Error('no memory');
  memfile.u8(frame).set(a.finish(), memfile.byteOffset(frame));
  const as = platform.newAddressSpace();
  if (failed(as)) throw new Error(`no stub process (${as})`);
  as.map(CODE, frame, 1, PROT_READ | PROT_EXEC);
  as.map(STACK, frame + 1, 1, PROT_READ | PROT_WRITE);
  const ctx = platform.newContext();
  ctx.regs.set(regs.RIP, CODE);
  ctx.regs.set(regs.RSP, STACK + 2048);
  ctx.resume(as);
  while (platform.wait(true) !== ctx) {}
  const nr = ctx.regs.int(regs.ORIG_RAX);
  if (ctx.event !== EV_SYSCALL || (nr !== SYS_getpid && nr !== SYS_clock_gettime))
    throw new Error(`the host's vDSO does not run in guests: event ${ctx.event}`);
  return nr === SYS_getpid;
}
