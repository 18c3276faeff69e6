// Does this host let the systrap platform work? One system call, one fault and one mapping order of guest code, with a
// time limit. `vedette doctor` and the choice of a platform ask.

import { EPOLLIN } from '../../../abi/events/epoll.ts';
import { PROT_EXEC, PROT_READ, PROT_WRITE } from '../../../abi/memory/mman.ts';
import { SYS_close, SYS_getpid, SYS_timerfd_create, SYS_timerfd_settime } from '../../../abi/syscall.ts';
import { CLOCK_MONOTONIC } from '../../../abi/time/time.ts';
import { Assembler, imm, mem, RAX, RBX } from '../../../asm/index.ts';
import { HostBuffer } from '../../../host/buffer.ts';
import { HostPoller } from '../../../host/poller.ts';
import { hostCall } from '../../../host/syscall.ts';
import { MemoryFile } from '../../memfile/memfile.ts';
import { EV_FAULT, EV_SYSCALL } from '../platform.ts';
import { ORIG_RAX, RIP } from '../regs.ts';
import { SystrapPlatform } from './systrap.ts';

const CODE = 0x10000;
const DATA = 0x20000;
const LIMIT_SEC = 3;
/** What works, in a line; throws an Error that says what does not. */
export function selfTest(): string {
  const memfile = MemoryFile.create(64 << 20);
  if (typeof memfile === 'number') throw new Error(`no memory file (${memfile})`);
  const poller = new HostPoller();
  const timer = hostCall(SYS_timerfd_create, CLOCK_MONOTONIC, 0);
  const spec = HostBuffer.alloc(32);
  spec.view.setUint32(16, LIMIT_SEC, true);
  hostCall(SYS_timerfd_settime, timer, 0, spec.addr, 0);
  let late = false;
  poller.add(timer, EPOLLIN, {
    onHostReady: () => {
      late = true;
    },
  });
  const platform = new SystrapPlatform(memfile, poller.fd);
  try {
    const code = new Assembler().mov(RAX, imm(SYS_getpid)).syscall().mov(RBX, imm(DATA)).mov(mem(RBX), RAX);
    code.mov(RAX, imm(SYS_getpid)).syscall();
    const frame = memfile.alloc(2);
    memfile.u8(frame).set(code.finish(), memfile.byteOffset(frame));
    const as = platform.newAddressSpace();
    if (typeof as === 'number') throw new Error(`no stub process (${as})`);
    as.map(CODE, frame, 1, PROT_READ | PROT_EXEC);
    const ctx = platform.newContext();
    ctx.regs.set(RIP, CODE);
    const step = (event: number): void => {
      ctx.resume(as);
      while (platform.wait(true) !== ctx) {
        poller.dispatch(0);
        if (late) throw new Error(`guest code did not come back within ${LIMIT_SEC} s`);
      }
      if (ctx.event !== event) throw new Error(`guest code came back with event ${ctx.event}, not ${event}`);
    };
    step(EV_SYSCALL);
    if (ctx.regs.int(ORIG_RAX) !== SYS_getpid) throw new Error('a system call came back with a wrong number');
    step(EV_FAULT);
    if (ctx.faultAddr !== DATA) throw new Error('a fault came back with a wrong address');
    as.map(DATA, frame + 1, 1, PROT_READ | PROT_WRITE);
    step(EV_SYSCALL);
    const how = platform.fsgsbase ? '' : '; without FSGSBASE, the bases of fs and gs are kept track of';
    return `guest code runs natively, and its system calls are caught by a filter${how}`;
  } finally {
    platform.shutdown();
    hostCall(SYS_close, timer);
  }
}
