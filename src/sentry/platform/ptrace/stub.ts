// The stub: a tiny static program of our own that becomes every guest address space. It maps itself at STUB_BASE,
// unmaps everything else, and from then on only runs what the Sentry tells it to: lists of system calls ("orders"), or
// guest code. Its pages are read-only to the guest.
//
//   STUB_BASE            code: boot, orders loop, waker loop        (r-x, from the stub's own memfd)
//   STUB_BASE + 0x1000   orders: records of 8 u64 (nr, 6 arguments, unused)   (r--, from the memory file)
//   STUB_BASE + 0x5000   message: in the template only, where it receives descriptors   (rw-, from the memory file)
//   HOST_VDSO_ADDR       the host's own vDSO and its data (../stub/host_vdso.ts)

import { POLLIN } from '../../../abi/events/poll.ts';
import {
  MADV_DONTFORK,
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from '../../../abi/memory/mman.ts';
import {
  CLONE_FILES,
  CLONE_FS,
  CLONE_PARENT,
  CLONE_PTRACE,
  CLONE_SIGHAND,
  CLONE_SYSVSEM,
  CLONE_THREAD,
  CLONE_VM,
} from '../../../abi/process/sched.ts';
import { SECCOMP_FILTER_FLAG_SPEC_ALLOW, SECCOMP_SET_MODE_FILTER } from '../../../abi/process/seccomp.ts';
import { SIGCHLD } from '../../../abi/signal/signal.ts';
import {
  SYS_close,
  SYS_madvise,
  SYS_mmap,
  SYS_munmap,
  SYS_pause,
  SYS_poll,
  SYS_seccomp,
} from '../../../abi/syscall.ts';
import {
  Assembler,
  imm,
  mem,
  R8,
  R9,
  R10,
  R12,
  R13,
  R14,
  R15,
  RAX,
  RBX,
  RCX,
  RDI,
  RDX,
  RSI,
  RSP,
  rip,
} from '../../../asm/index.ts';
import { PF_R, PF_X, writeExecutable } from '../../../elf/index.ts';
import { GUEST_TOP } from '../platform.ts';
import { emitKeepVdso } from '../stub/host_vdso.ts';
import { ORDER_SIZE } from '../stub/orders.ts';
import { stubFilter, wakerFilter } from './filter.ts';

export const STUB_BASE = GUEST_TOP;
export const ORDERS_ADDR: number = STUB_BASE + 0x1000;
export const ORDERS_PAGES = 4;
export const MAX_ORDERS: number = (ORDERS_PAGES * 4096) / ORDER_SIZE;
/** Descriptors in every stub: the memory file, and during boot the stub's own image. */
export const STUB_MEMFILE_FD = 3;
export const STUB_IMAGE_FD = 4;
/** Where the template receives descriptors, and the message that it does it with. */
export const STUB_SOCKET_FD = 5;
export const MESSAGE_ADDR: number = ORDERS_ADDR + ORDERS_PAGES * 0x1000;
/**
 * What clone(2) is asked for, in all; CLONE_FILES: all stubs have the descriptors of donated files; CLONE_PARENT: they are
 * the Sentry's children, and leave no zombies to others.
 */
export const PROCESS_FLAGS: number = CLONE_PTRACE | CLONE_PARENT | CLONE_FILES | SIGCHLD;
export const THREAD_FLAGS: number =
  CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_PTRACE;
/** The waker's epoll descriptor. */
export const WAKER_EPOLL_FD = 3;

const LOAD_ADDR = 0x40_0000;
const FILE_OFFSET = 0x1000;
const CODE_SIZE = 0x1000;
const STUB_END = MESSAGE_ADDR + 0x1000;
const TASK_TOP = 0x7fff_ffff_f000;

export interface StubImage {
  /** The program, but for two u64 that are filled in before it starts. */
  readonly elf: Uint8Array;
  /** In `elf`: where the orders pages and the message lie in the memory file. */
  readonly ordersAt: number;
  readonly messageAt: number;
  /** Addresses at LOAD_ADDR, before the stub has moved. */
  readonly bootAddr: number;
  readonly wakerAddr: number;
  /** Address at STUB_BASE of the orders loop: rbx = first record, r12 = count; ends in int3 with rax = last result. */
  readonly ordersAddr: number;
  /** Where a thread stands when it has stopped at the end of its orders, or of boot in either place. */
  readonly ordersEnd: number;
  readonly bootEnd: number;
  readonly movedBootEnd: number;
}

/** Emits the stub program. */
export function buildStub(): StubImage {
  const a = new Assembler({ base: LOAD_ADDR });
  // Where execve enters: sleep until the Sentry has attached and sets rip.
  a.label('start').mov(RAX, imm(SYS_pause)).syscall().jmp('start');

  // rbx: rsp as execve left it.
  a.label('boot').mov(RSP, RBX);
  emitKeepVdso(a);
  /** The offset is in r9. */
  const mmap = (addr: number, len: number, prot: number, flags: number, fd: number): void => {
    a.mov(RAX, imm(SYS_mmap)).mov(RDI, imm(addr)).mov(RSI, imm(len)).mov(RDX, imm(prot));
    a.mov(R10, imm(flags)).mov(R8, imm(fd)).syscall();
    a.cmp(RAX, RDI).jne('bad');
  };
  const filter = (program: string): void => {
    a.mov(RAX, imm(SYS_seccomp)).mov(RDI, imm(SECCOMP_SET_MODE_FILTER));
    a.mov(RSI, imm(SECCOMP_FILTER_FLAG_SPEC_ALLOW)).lea(RDX, rip(program)).syscall();
  };
  a.mov(R9, imm(FILE_OFFSET));
  mmap(STUB_BASE, 0x1000, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, STUB_IMAGE_FD);
  a.mov(R9, rip('ordersOffset'));
  mmap(ORDERS_ADDR, ORDERS_PAGES * 0x1000, PROT_READ, MAP_SHARED | MAP_FIXED, STUB_MEMFILE_FD);
  a.mov(R9, rip('messageOffset'));
  mmap(MESSAGE_ADDR, 0x1000, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, STUB_MEMFILE_FD);
  a.mov(RAX, imm(SYS_madvise)).mov(RDX, imm(MADV_DONTFORK)).syscall();
  a.test(RAX, RAX).jne('bad');
  a.mov(RAX, imm(SYS_close)).mov(RDI, imm(STUB_IMAGE_FD)).syscall();
  // Jump to the same code at its new place.
  a.lea(RAX, rip('moved'))
    .mov(RCX, imm(STUB_BASE - LOAD_ADDR))
    .add(RAX, RCX)
    .jmp(RAX);
  a.label('moved');
  a.mov(RAX, imm(SYS_munmap)).mov(RDI, imm(0)).mov(RSI, imm(STUB_BASE)).syscall();
  a.test(RAX, RAX).jne('bad');
  // All but the host's vDSO, whose bounds are in r13 and r14.
  a.mov(RDI, imm(STUB_END)).mov(RSI, R13).sub(RSI, RDI).mov(RAX, imm(SYS_munmap)).syscall();
  a.test(RAX, RAX).jne('bad');
  a.mov(RDI, R14).mov(RSI, imm(TASK_TOP)).sub(RSI, RDI).mov(RAX, imm(SYS_munmap)).syscall();
  a.test(RAX, RAX).jne('bad');
  // Whether the filter holds is told in r15.
  filter('stubProg');
  a.mov(R15, RAX).mov(RAX, imm(0));
  a.label('bad').int3().label('afterBoot');

  a.align(16).label('orders');
  a.test(R12, R12).je('ordersDone');
  a.mov(RAX, mem(RBX, 0)).mov(RDI, mem(RBX, 8)).mov(RSI, mem(RBX, 16)).mov(RDX, mem(RBX, 24));
  a.mov(R10, mem(RBX, 32)).mov(R8, mem(RBX, 40)).mov(R9, mem(RBX, 48)).syscall();
  a.mov(RCX, imm(-4095)).cmp(RAX, RCX).jae('ordersDone');
  a.add(RBX, imm(ORDER_SIZE)).dec(R12).jmp('orders');
  a.label('ordersDone').int3().label('afterOrders');

  // The waker: a process of its own that turns host readiness into a ptrace stop, so that one wait4 covers everything.
  a.align(16).label('waker');
  filter('wakerProg');
  a.label('wakerLoop');
  // poll(2) on the epoll descriptor, not epoll_wait: that would take edge-triggered events away from the Sentry.
  a.mov(RAX, imm(WAKER_EPOLL_FD + POLLIN * 0x1_0000_0000)).mov(mem(RSP, -256), RAX);
  a.mov(RAX, imm(SYS_poll)).mov(RDI, RSP).sub(RDI, imm(256)).mov(RSI, imm(1)).mov(RDX, imm(-1)).syscall();
  a.int3().jmp('wakerLoop');

  a.align(8).label('ordersOffset').u64(0).label('messageOffset').u64(0);
  // struct sock_fprog: the length in the first u16 of 8 bytes, then the address.
  a.label('stubInsns');
  const stub = stubFilter(STUB_BASE, CODE_SIZE, [PROCESS_FLAGS, THREAD_FLAGS]);
  a.bytes(stub)
    .label('stubProg')
    .u64(stub.length / 8)
    .u64(STUB_BASE + a.offsetOf('stubInsns'));
  a.label('wakerInsns');
  const waker = wakerFilter(LOAD_ADDR, CODE_SIZE);
  a.bytes(waker)
    .label('wakerProg')
    .u64(waker.length / 8)
    .u64Label('wakerInsns');
  const code = a.finish();
  if (code.length > CODE_SIZE) throw new Error('ptrace stub: code too long');
  const elf = writeExecutable({
    entry: a.addressOf('start'),
    segments: [{ vaddr: LOAD_ADDR, bytes: code, flags: PF_R | PF_X }],
  });
  return {
    elf,
    ordersAt: FILE_OFFSET + a.offsetOf('ordersOffset'),
    messageAt: FILE_OFFSET + a.offsetOf('messageOffset'),
    bootAddr: a.addressOf('boot'),
    wakerAddr: a.addressOf('waker'),
    ordersAddr: STUB_BASE + a.offsetOf('orders'),
    ordersEnd: STUB_BASE + a.offsetOf('afterOrders'),
    bootEnd: a.addressOf('afterBoot'),
    movedBootEnd: STUB_BASE + a.offsetOf('afterBoot'),
  };
}
