// The stub of the systrap platform: the static program that becomes every guest address space. Four parts:
//
//   start    where execve enters the template: signal handlers, the mapper's filter, move to STUB_BASE, unmap the rest
//   mapper   first thread of each process; makes the mapping calls that the Sentry orders, and never runs guest code
//   thread   start of a guest thread, until the strict filter holds
//   handler  of every signal: hands the thread to the Sentry and waits for its answer
//
// Only the mapper is trusted: its state is in registers, and what it reads the guest cannot write. Whatever runs on a
// guest thread is as untrusted as the guest, which may jump to any byte of this code.

import {
  MAP_FIXED,
  MAP_PRIVATE,
  MAP_SHARED,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from '../../../abi/memory/mman.ts';
import { SCM_RIGHTS, SOL_SOCKET } from '../../../abi/net/socket.ts';
import { AUDIT_ARCH_X86_64 } from '../../../abi/process/audit.ts';
import { PR_SET_NO_NEW_PRIVS, PR_SET_PDEATHSIG } from '../../../abi/process/prctl.ts';
import { CLONE_THREAD } from '../../../abi/process/sched.ts';
import { SECCOMP_FILTER_FLAG_NEW_LISTENER, SECCOMP_SET_MODE_FILTER } from '../../../abi/process/seccomp.ts';
import {
  SIGCONTEXT_EFLAGS,
  SIGCONTEXT_FPSTATE,
  SIGCONTEXT_R8,
  SIGCONTEXT_R9,
  SIGCONTEXT_R10,
  SIGCONTEXT_R12,
  SIGCONTEXT_R13,
  SIGCONTEXT_R14,
  SIGCONTEXT_R15,
  SIGCONTEXT_RAX,
  SIGCONTEXT_RBP,
  SIGCONTEXT_RBX,
  SIGCONTEXT_RDI,
  SIGCONTEXT_RDX,
  SIGCONTEXT_RIP,
  SIGCONTEXT_RSI,
  SIGCONTEXT_RSP,
} from '../../../abi/signal/sigcontext.ts';
import { SIGINFO_SI_ARCH, SIGINFO_SI_CODE } from '../../../abi/signal/siginfo.ts';
import {
  SA_NODEFER,
  SA_ONSTACK,
  SA_RESTORER,
  SA_SIGINFO,
  SIG_SETMASK,
  SIGBUS,
  SIGFPE,
  SIGILL,
  SIGKILL,
  SIGSEGV,
  SIGSYS,
  SIGTRAP,
  SIGUSR2,
  SYS_SECCOMP,
} from '../../../abi/signal/signal.ts';
import {
  SYS_clone,
  SYS_close,
  SYS_exit_group,
  SYS_futex,
  SYS_getppid,
  SYS_mmap,
  SYS_mprotect,
  SYS_munmap,
  SYS_prctl,
  SYS_rt_sigaction,
  SYS_rt_sigprocmask,
  SYS_rt_sigreturn,
  SYS_seccomp,
  SYS_sendmsg,
  SYS_sigaltstack,
  SYS_write,
} from '../../../abi/syscall.ts';
import {
  Assembler,
  dword,
  EAX,
  ECX,
  EDI,
  EDX,
  imm,
  type Mem,
  mem,
  qword,
  R8,
  R9,
  R10,
  R11,
  R11D,
  R12,
  R13,
  R13D,
  R14,
  R15,
  RAX,
  RBP,
  RBX,
  RCX,
  RDI,
  RDX,
  type Reg,
  RSI,
  RSP,
  rip,
} from '../../../asm/index.ts';
import { PF_R, PF_X, writeExecutable } from '../../../elf/index.ts';
import {
  C_SPINS,
  C_WANTS,
  H_ASLEEP,
  H_R8,
  H_R9,
  H_R10,
  H_RAX,
  H_RDI,
  H_RDX,
  H_RSI,
  H_STATE,
  STATE_DONE,
  STATE_EVENT,
  STATE_PARK,
  STATE_RUN,
  STATE_TRAP,
  STATE_TRAPPED,
  WANTS_WAKE,
} from '../handover/line.ts';
import { emitKeepVdso } from '../stub/host_vdso.ts';
import { ORDER_SIZE } from '../stub/orders.ts';
import { type Bases, emitReportBases, emitSetBases } from './bases.ts';
import { guestFilter, mapperFilter, SYS_NOTIFY } from './filter.ts';
import {
  CODE_SIZE,
  CONTROL_ADDR,
  EVENT_FD,
  FRAME_GREGS,
  H_ALTSTACK,
  H_FRAME,
  H_SIG,
  IMAGE_FD,
  MEMFILE_FD,
  ORDERS_ADDR,
  ORDERS_PAGES,
  REPORT_FD,
  RING_ADDR,
  SIG_ANSWERED,
  SLOT_SIZE,
  STUB_BASE,
  TASK_TOP,
} from './layout.ts';
import { emitPatchedEntry } from './patched_entry.ts';
import { emitRing } from './ring_entry.ts';

const LOAD_ADDR = 0x40_0000;
const FILE_OFFSET = 0x1000;
const FUTEX_WAIT = 0;

/** The signal that makes a running thread come back. */
export const SIG_KICK: number = SIGUSR2;
const HANDLED = [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIG_KICK];

/** Indices of struct sigcontext in u64. */
const G_RAX = SIGCONTEXT_RAX / 8;
const G_RIP = SIGCONTEXT_RIP / 8;
const G_RSP = SIGCONTEXT_RSP / 8;
const G_EFLAGS = SIGCONTEXT_EFLAGS / 8;
const G_FPSTATE = SIGCONTEXT_FPSTATE / 8;
/** The trap flag: a program that is stepped goes back by rt_sigreturn. */
const EFLAGS_TF = 0x100;

/** From the frame to the header: number and arguments of a call that trapped. */
const TRAPPED_REGS: readonly (readonly [number, number])[] = [
  [G_RAX, H_RAX],
  [SIGCONTEXT_RDI / 8, H_RDI],
  [SIGCONTEXT_RSI / 8, H_RSI],
  [SIGCONTEXT_RDX / 8, H_RDX],
  [SIGCONTEXT_R10 / 8, H_R10],
  [SIGCONTEXT_R8 / 8, H_R8],
  [SIGCONTEXT_R9 / 8, H_R9],
];

/** What the way back by a jump takes from the frame. */
const RESTORED_REGS: readonly (readonly [Reg, number])[] = [
  [RAX, G_RAX],
  [RDX, SIGCONTEXT_RDX / 8],
  [RBX, SIGCONTEXT_RBX / 8],
  [RBP, SIGCONTEXT_RBP / 8],
  [RSI, SIGCONTEXT_RSI / 8],
  [RDI, SIGCONTEXT_RDI / 8],
  [R8, SIGCONTEXT_R8 / 8],
  [R9, SIGCONTEXT_R9 / 8],
  [R10, SIGCONTEXT_R10 / 8],
  [R12, SIGCONTEXT_R12 / 8],
  [R13, SIGCONTEXT_R13 / 8],
  [R14, SIGCONTEXT_R14 / 8],
  [R15, SIGCONTEXT_R15 / 8],
];

/** Bit of `sig` in a sigset_t. */
const bit = (sig: number): bigint => 1n << BigInt(sig - 1);
const ALL_SIGNALS = 0xffff_ffff_ffff_ffffn;
/** Blocked while a thread starts: a signal handled before the filter holds would run guest code without it. */
const START_MASK = ALL_SIGNALS & ~bit(SIGSYS);
/** Blocked while guest code runs. */
const RUN_MASK = HANDLED.reduce((m, sig) => m & ~bit(sig), ALL_SIGNALS);
export const RUN_MASK_LOW: number = Number(RUN_MASK & 0xffff_ffffn) | 0;
export const RUN_MASK_HIGH: number = Number(RUN_MASK >> 32n) | 0;

export interface StubImage {
  /** The program, but for two u64 that are filled in before it starts. */
  readonly elf: Uint8Array;
  /** In `elf`: where the control and orders pages lie in the memory file. */
  readonly controlAt: number;
  /** In `elf`: where the ring lies in the memory file. */
  readonly ringAt: number;
  /** Where a parked thread's address is while it sleeps: after the call. */
  readonly sleepAddr: number;
  /** A system call that traps. */
  readonly trapAddr: number;
  /** How it deals with fs and gs. */
  readonly bases: Bases;
  /** Entry of patched calls: its load that faults where gs is the guest's own (bases `known`); from where on their registers are in the slot; and the end of that. */
  readonly patched: number;
  readonly patchedSaved: number;
  readonly patchedEnd: number;
}

/** Emits the stub program in one of its two shapes. */
export function buildStub(bases: Bases): StubImage {
  const a = new Assembler({ base: LOAD_ADDR });
  const moved = (label: string): number => STUB_BASE + a.offsetOf(label);
  emitHandler(a, bases);
  emitThread(a);
  emitMapper(a);
  emitPatchedEntry(a, bases);

  a.align(8).label('one').u64(1);
  a.label('guestInsns');
  const guest = guestFilter(moved('one'), bases);
  a.bytes(guest);
  // struct sock_fprog: the length in the first u16 of 8 bytes, then the address.
  a.label('guestProg')
    .u64(guest.length / 8)
    .u64(moved('guestInsns'));
  a.label('mapperInsns');
  const mapper = mapperFilter();
  a.bytes(mapper);
  a.label('mapperProg')
    .u64(mapper.length / 8)
    .u64Label('mapperInsns');
  a.label('allSignals').u64(ALL_SIGNALS).label('startMask').u64(START_MASK);
  // struct sigaction: the handler changes no mask that would have to be put back.
  a.label('action').u64(moved('handler'));
  a.u64(SA_SIGINFO | SA_ONSTACK | SA_RESTORER | SA_NODEFER)
    .u64(moved('sigreturn'))
    .u64(0);

  a.label('controlOffset').u64(0).label('ringOffset').u64(0);
  emitStart(a);
  const code = a.finish();
  if (code.length > CODE_SIZE) throw new Error('systrap stub: code too long');
  const elf = writeExecutable({
    entry: a.addressOf('start'),
    segments: [{ vaddr: LOAD_ADDR, bytes: code, flags: PF_R | PF_X }],
  });
  return {
    elf,
    controlAt: FILE_OFFSET + a.offsetOf('controlOffset'),
    ringAt: FILE_OFFSET + a.offsetOf('ringOffset'),
    sleepAddr: moved('slept'),
    trapAddr: moved('patchedTrap'),
    bases,
    patched: moved('patched'),
    patchedSaved: moved('patchedSaved'),
    patchedEnd: moved('patchedEnd'),
  };
}

/**
 * void handler(sig edi, siginfo * rsi, ucontext * rdx), on the thread's signal stack at the end of its slot.
 *
 * It blocks no signal, so that a thread whose call only has a result can go back to it by a jump: rt_sigreturn costs as
 * much as all the rest. A kick may therefore come in the middle of it. Before the report, or while that waits for its
 * answer, it is dropped: the thread has come back. After the answer it reports again from the frame of the event, into
 * which the registers that were sent go then (context.ts). STATE_TRAP asks a thread in a patched call for a real signal frame.
 */
function emitHandler(a: Assembler, bases: Bases): void {
  const greg = (n: number): Mem => mem(RSP, FRAME_GREGS + 8 * n);
  a.align(64).label('handler').cmp(EDI, imm(SIG_KICK)).je('kick');
  a.label('fresh').mov(RBX, RSP).and(RBX, imm(-SLOT_SIZE));
  a.mov(mem(RBX, H_SIG), EDI).mov(mem(RBX, H_FRAME), RSP);
  emitReportBases(a, bases, RBX);
  a.mov(R12, imm(CONTROL_ADDR)).mov(EAX, imm(STATE_EVENT));
  a.cmp(EDI, imm(SIGSYS))
    .jne('report')
    .cmp(dword(mem(RSI, SIGINFO_SI_CODE)), imm(SYS_SECCOMP))
    .jne('report');
  a.cmp(dword(mem(RSI, SIGINFO_SI_ARCH)), imm(AUDIT_ARCH_X86_64 | 0)).jne('report');
  for (const [from, to] of TRAPPED_REGS) a.mov(RCX, greg(from)).mov(mem(RBX, to), RCX);
  a.mov(EAX, imm(STATE_TRAPPED)).jmp('report');
  // A kick on the way back: once more from the frame of the event that was answered.
  a.label('kickAnswered')
    .mov(RSP, mem(RBX, H_FRAME))
    .mov(dword(mem(RBX, H_SIG)), imm(SIG_ANSWERED));
  a.mov(R12, imm(CONTROL_ADDR)).mov(EAX, imm(STATE_EVENT));
  // The exchange is a full barrier: either the Sentry sees the event before it sleeps, or we see that it sleeps.
  a.label('report').mov(R13D, EAX).xchg(mem(RBX, H_STATE), EAX);
  a.label('reported')
    .cmp(dword(mem(R12, C_WANTS)), imm(0))
    .je('spin');
  emitRing(a, RBX, R12, 'rung');
  a.test(EAX, imm(WANTS_WAKE)).je('spin');
  a.mov(EAX, imm(SYS_write)).mov(EDI, imm(EVENT_FD)).lea(RSI, rip('one')).mov(RDX, imm(8)).syscall();
  a.label('spin').mov(ECX, mem(R12, C_SPINS));
  a.label('spinAgain').mov(EAX, mem(RBX, H_STATE)).cmp(EAX, imm(STATE_DONE)).je('answered');
  a.cmp(EAX, imm(STATE_RUN))
    .je('resume')
    .cmp(EAX, imm(STATE_TRAP))
    .je('again')
    .cmp(EAX, imm(STATE_PARK))
    .je('sleep');
  a.test(ECX, ECX).je('sleep').pause().dec(ECX).jmp('spinAgain');
  a.label('sleep').mov(EAX, imm(1)).xchg(mem(RBX, H_ASLEEP), EAX);
  // From here on everything follows from rsp alone, which the Sentry can verify (proof.ts).
  a.label('sleepAgain').mov(RBX, RSP).and(RBX, imm(-SLOT_SIZE)).mov(EAX, mem(RBX, H_STATE));
  a.test(EAX, imm(1)).jne('doSleep').cmp(EAX, imm(STATE_PARK)).jne('awake').label('doSleep');
  a.lea(RDI, mem(RBX, H_STATE)).mov(RSI, imm(FUTEX_WAIT)).mov(RDX, RAX).mov(R10, imm(0));
  a.mov(EAX, imm(SYS_futex)).syscall().label('slept').jmp('sleepAgain');
  a.label('awake')
    .mov(dword(mem(RBX, H_ASLEEP)), imm(0))
    .cmp(EAX, imm(STATE_DONE))
    .je('answered');
  a.cmp(EAX, imm(STATE_RUN)).je('resume');
  // A patched call that a kick interrupted is asked for a frame, and there is one.
  a.label('again').mov(EAX, imm(STATE_EVENT)).jmp('report');
  a.label('resume');
  emitSetBases(a, bases);
  // rt_sigreturn finds the frame just below rsp: as if the handler had returned.
  a.label('return').add(RSP, imm(8));
  a.label('sigreturn').mov(EAX, imm(SYS_rt_sigreturn)).syscall().ud2();

  // A call that trapped: only rax is new. (Else a kick came upon a patched call, which takes the result itself.) The host cleared the extended state when it called us; rcx and r11 are as after any call.
  a.label('answered')
    .cmp(R13D, imm(STATE_TRAPPED))
    .jne('resume')
    .mov(RAX, mem(RBX, H_RAX))
    .mov(greg(G_RAX), RAX);
  a.mov(R11, greg(G_EFLAGS)).test(R11D, imm(EFLAGS_TF)).jne('return');
  a.mov(RCX, greg(G_FPSTATE)).mov(EAX, imm(-1)).mov(EDX, imm(-1)).xrstor64(mem(RCX));
  for (const [reg, from] of RESTORED_REGS) a.mov(reg, greg(from));
  a.push(R11).popfq().mov(RCX, greg(G_RIP)).mov(RSP, greg(G_RSP)).jmp(RCX);
  a.label('handlerEnd');

  // Was the handler itself interrupted, and how far had it come? A kick of a kick starts the first one anew.
  a.label('kick').mov(RAX, greg(G_RIP)).lea(RCX, rip('handler')).cmp(RAX, RCX).jb('fresh');
  a.lea(RCX, rip('reported'))
    .cmp(RAX, RCX)
    .jb('return')
    .lea(RCX, rip('handlerEnd'))
    .cmp(RAX, RCX)
    .jb('kickInWait');
  a.lea(RCX, rip('kickEnd'))
    .cmp(RAX, RCX)
    .jae('fresh')
    .lea(RCX, rip('kick'))
    .mov(greg(G_RIP), RCX)
    .jmp('return');
  a.label('kickInWait').mov(RBX, RSP).and(RBX, imm(-SLOT_SIZE)).mov(EAX, mem(RBX, H_STATE));
  a.cmp(EAX, imm(STATE_RUN)).je('kickAnswered').cmp(EAX, imm(STATE_DONE)).je('kickAnswered').jmp('return');
  a.label('kickEnd');
}

/** A guest thread begins with rsp just below the end of its slot. It ends in the first trap. */
function emitThread(a: Assembler): void {
  a.align(16).label('thread').mov(RBX, RSP).and(RBX, imm(-SLOT_SIZE));
  a.mov(EAX, imm(SYS_sigaltstack)).lea(RDI, mem(RBX, H_ALTSTACK)).mov(RSI, imm(0)).syscall();
  a.test(RAX, RAX).jne('threadBad');
  a.mov(EAX, imm(SYS_rt_sigprocmask)).mov(RDI, imm(SIG_SETMASK)).lea(RSI, rip('startMask'));
  a.mov(RDX, imm(0)).mov(R10, imm(8)).syscall().test(RAX, RAX).jne('threadBad');
  a.mov(EAX, imm(SYS_seccomp)).mov(RDI, imm(SECCOMP_SET_MODE_FILTER)).mov(RSI, imm(0));
  a.lea(RDX, rip('guestProg')).syscall().test(RAX, RAX).jne('threadBad');
  // Off the signal stack, so that the frame of this trap lies where all later ones will.
  a.mov(RSP, RBX).mov(EAX, imm(SYS_getppid)).syscall();
  a.label('threadBad').mov(EAX, imm(SYS_exit_group)).mov(RDI, imm(2)).syscall().ud2();
}

/** The mapper: rbx the next order, r12 how many are left. */
function emitMapper(a: Assembler): void {
  // A new process. Should the Sentry be dead already, the first report fails and ends it.
  a.align(16).label('newProcess');
  a.mov(EAX, imm(SYS_prctl)).mov(RDI, imm(PR_SET_PDEATHSIG)).mov(RSI, imm(SIGKILL)).syscall();
  a.mov(R12, imm(0));
  a.label('mapper').mov(RDI, RAX).mov(RSI, R12).mov(EAX, imm(SYS_NOTIFY)).syscall();
  a.cmp(RAX, imm(0)).jle('bad').mov(R12, RAX).mov(RBX, imm(ORDERS_ADDR));
  a.label('order').mov(RAX, mem(RBX, 0)).mov(RDI, mem(RBX, 8)).mov(RSI, mem(RBX, 16)).mov(RDX, mem(RBX, 24));
  a.mov(R10, mem(RBX, 32)).mov(R8, mem(RBX, 40)).mov(R9, mem(RBX, 48));
  a.cmp(RAX, imm(SYS_clone)).je('clone').syscall();
  a.label('done').mov(RCX, imm(-4095)).cmp(RAX, RCX).jae('failed');
  a.label('next').add(RBX, imm(ORDER_SIZE)).dec(R12).jne('order').jmp('mapper');
  // mprotect stops at the first hole. Unmapping the range instead is as good: what is touched comes back by a fault.
  a.label('failed')
    .cmp(qword(mem(RBX)), imm(SYS_mprotect))
    .jne('mapper');
  a.mov(EAX, imm(SYS_munmap)).syscall().test(RAX, RAX).je('next').jmp('mapper');
  a.label('clone').syscall().test(RAX, RAX).jne('done');
  a.test(RDI, imm(CLONE_THREAD)).jne('thread').jmp('newProcess');
  a.label('bad').mov(EAX, imm(SYS_exit_group)).mov(RDI, imm(1)).syscall().jmp('bad');
}

/**
 * Start of the template: one report of the filter's listener to the Sentry, and it is a mapper like any other. r13, r14:
 * where the host's vDSO is kept.
 */
function emitStart(a: Assembler): void {
  a.align(16).label('start');
  emitKeepVdso(a);
  for (const sig of HANDLED) {
    a.mov(EAX, imm(SYS_rt_sigaction)).mov(RDI, imm(sig)).lea(RSI, rip('action')).mov(RDX, imm(0));
    a.mov(R10, imm(8)).syscall().test(RAX, RAX).jne('bad');
  }
  a.mov(EAX, imm(SYS_rt_sigprocmask)).mov(RDI, imm(SIG_SETMASK)).lea(RSI, rip('allSignals'));
  a.mov(RDX, imm(0)).mov(R10, imm(8)).syscall();
  a.mov(EAX, imm(SYS_prctl)).mov(RDI, imm(PR_SET_NO_NEW_PRIVS)).mov(RSI, imm(1)).mov(RDX, imm(0));
  a.mov(R10, imm(0)).mov(R8, imm(0)).syscall().test(RAX, RAX).jne('bad');
  a.mov(EAX, imm(SYS_seccomp)).mov(RDI, imm(SECCOMP_SET_MODE_FILTER));
  a.mov(RSI, imm(SECCOMP_FILTER_FLAG_NEW_LISTENER)).lea(RDX, rip('mapperProg')).syscall();
  a.test(RAX, RAX).js('bad').mov(RBX, RAX);
  // struct msghdr at rsp, its iovec at 64, a byte at 80, the control message at 96: the listener's descriptor.
  a.sub(RSP, imm(256)).and(RSP, imm(-16));
  for (let i = 0; i < 128; i += 8) a.mov(qword(mem(RSP, i)), imm(0));
  a.lea(RAX, mem(RSP, 64))
    .mov(mem(RSP, 16), RAX)
    .mov(qword(mem(RSP, 24)), imm(1));
  a.lea(RAX, mem(RSP, 96))
    .mov(mem(RSP, 32), RAX)
    .mov(qword(mem(RSP, 40)), imm(24));
  a.lea(RAX, mem(RSP, 80))
    .mov(mem(RSP, 64), RAX)
    .mov(qword(mem(RSP, 72)), imm(1));
  a.mov(qword(mem(RSP, 96)), imm(20))
    .mov(dword(mem(RSP, 104)), imm(SOL_SOCKET))
    .mov(dword(mem(RSP, 108)), imm(SCM_RIGHTS));
  a.mov(mem(RSP, 112), RBX);
  a.mov(EAX, imm(SYS_sendmsg)).mov(RDI, imm(REPORT_FD)).mov(RSI, RSP).mov(RDX, imm(0)).syscall();
  a.cmp(RAX, imm(1)).jne('bad');
  const close = (fd: number): void => {
    a.mov(EAX, imm(SYS_close)).mov(RDI, imm(fd)).syscall();
  };
  a.mov(EAX, imm(SYS_close)).mov(RDI, RBX).syscall();
  close(REPORT_FD);
  /** The offset is in r9. */
  const mmap = (addr: number, len: number, prot: number, flags: number, fd: number): void => {
    a.mov(EAX, imm(SYS_mmap)).mov(RDI, imm(addr)).mov(RSI, imm(len)).mov(RDX, imm(prot));
    a.mov(R10, imm(flags)).mov(R8, imm(fd)).syscall();
    a.cmp(RAX, RDI).jne('bad');
  };
  a.mov(R9, imm(FILE_OFFSET));
  mmap(STUB_BASE, CODE_SIZE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, IMAGE_FD);
  const shared = (1 + ORDERS_PAGES) * 4096;
  a.mov(R9, rip('controlOffset'));
  mmap(CONTROL_ADDR, shared, PROT_READ, MAP_SHARED | MAP_FIXED, MEMFILE_FD);
  a.mov(R9, rip('ringOffset'));
  mmap(RING_ADDR, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, MEMFILE_FD);
  close(IMAGE_FD);
  a.lea(RAX, rip('moved'))
    .mov(RCX, imm(STUB_BASE - LOAD_ADDR))
    .add(RAX, RCX)
    .jmp(RAX);
  a.label('moved');
  const munmap = (from: number | Reg, to: number | Reg): void => {
    a.mov(RDI, typeof from === 'number' ? imm(from) : from).mov(RSI, typeof to === 'number' ? imm(to) : to);
    a.sub(RSI, RDI).mov(EAX, imm(SYS_munmap)).syscall().test(RAX, RAX).jne('bad');
  };
  munmap(0, STUB_BASE);
  munmap(STUB_BASE + CODE_SIZE, CONTROL_ADDR);
  munmap(CONTROL_ADDR + shared, R13);
  munmap(R14, RING_ADDR);
  munmap(RING_ADDR + 4096, TASK_TOP);
  // With the first report: where the host's vDSO is.
  a.mov(RDX, R13).mov(R10, R14).jmp('newProcess');
}
