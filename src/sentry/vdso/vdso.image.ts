// The VDSO: our own shared object with the functions of vdso(7) for x86-64. It reads the clocks in user space; whatever
// it cannot answer it passes on as a system call. Layout: ELF tables in page 0, text in page 1, parameters in page 2.

import {
  SYS_clock_getres,
  SYS_clock_gettime,
  SYS_getcpu,
  SYS_gettimeofday,
  SYS_time,
} from '../../abi/syscall.ts';
import {
  CLOCK_BOOTTIME,
  CLOCK_MONOTONIC,
  CLOCK_MONOTONIC_COARSE,
  CLOCK_MONOTONIC_RAW,
  CLOCK_REALTIME,
  CLOCK_REALTIME_COARSE,
} from '../../abi/time/time.ts';
import {
  Assembler,
  dword,
  EAX,
  EBX,
  ECX,
  EDI,
  EDX,
  imm,
  type Mem,
  mem,
  qword,
  R8D,
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
} from '../../asm/index.ts';
import { writeSharedObject } from '../../elf/index.ts';
import {
  COARSE_NS,
  PARAM_BOOT_NSEC,
  PARAM_BOOT_SEC,
  PARAM_CPU_USABLE,
  PARAM_FLAGS,
  PARAM_HOST_GETTIME,
  PARAM_HOST_USABLE,
  PARAM_MONOTONIC,
  PARAM_MULT,
  PARAM_REALTIME,
  PARAM_SEQ,
  PARAM_TSC_BASE,
  PARAM_TSC_USABLE,
} from './params.ts';

/** Bytes of the image; the parameter page follows. */
export const VDSO_IMAGE_SIZE = 0x2000;
const TEXT = 0x1000;

const MONOTONIC_CLOCKS =
  (1 << CLOCK_MONOTONIC) | (1 << CLOCK_MONOTONIC_RAW) | (1 << CLOCK_MONOTONIC_COARSE) | (1 << CLOCK_BOOTTIME);
const REALTIME_CLOCKS = (1 << CLOCK_REALTIME) | (1 << CLOCK_REALTIME_COARSE);
/** Clocks whose resolution is one nanosecond. */
const COARSE_CLOCKS = (1 << CLOCK_MONOTONIC_COARSE) | (1 << CLOCK_REALTIME_COARSE);
const FINE_CLOCKS =
  (1 << CLOCK_REALTIME) | (1 << CLOCK_MONOTONIC) | (1 << CLOCK_MONOTONIC_RAW) | (1 << CLOCK_BOOTTIME);

function param(offset: number): Mem {
  return rip('params', offset);
}

/** rax = ns of the clock whose base lies at `base` in the page; goes to `otherwise` when the counter does not tell time.
 *  Clobbers rcx, rdx, r8. */
function readClock(a: Assembler, base: number, otherwise: string): void {
  const again = a.unique('again');
  const forward = a.unique('forward');
  a.label(again).mov(R8D, param(PARAM_SEQ)).test(R8D, imm(1)).jne(again);
  a.test(dword(param(PARAM_FLAGS)), imm(PARAM_TSC_USABLE)).je(otherwise);
  a.lfence().rdtsc().shl(RDX, imm(32)).or(RAX, RDX);
  // Another processor's counter may lag behind the base by a little: that is no time at all, not 500 years.
  a.sub(RAX, param(PARAM_TSC_BASE)).jns(forward).xor(EAX, EAX).label(forward);
  a.mul(qword(param(PARAM_MULT)))
    .shr(RAX, imm(32))
    .shl(RDX, imm(32))
    .or(RAX, RDX)
    .add(RAX, param(base));
  a.cmp(R8D, param(PARAM_SEQ)).jne(again);
}

/** Divides the ns in rax: rax = seconds, rdx = nanoseconds. */
function splitSeconds(a: Assembler): void {
  a.xor(EDX, EDX).mov(ECX, imm(1_000_000_000)).div(RCX);
}

/** A frame with `saved` registers in it, room for a timespec at rsp, and rsp as functions in C want it. */
function openFrame(a: Assembler, ...saved: Reg[]): void {
  a.push(RBP).mov(RBP, RSP);
  for (const reg of saved) a.push(reg);
  a.sub(RSP, imm(16)).and(RSP, imm(-16));
}

/** Gives the registers back that openFrame() saved. */
function closeFrame(a: Assembler, ...saved: Reg[]): void {
  for (const [i, reg] of saved.entries()) a.mov(reg, mem(RBP, -8 * (i + 1)));
  a.leave();
}

/** Has the host's code put the time of its clock into the frame; goes to `failed` when it does not. */
function askHost(a: Assembler, clock: number, failed: string): void {
  a.mov(EDI, imm(clock))
    .mov(RSI, RSP)
    .call(qword(param(PARAM_HOST_GETTIME)))
    .test(EAX, EAX)
    .jne(failed);
}

/** Goes to `call` unless the host's code may be asked. */
function unlessHost(a: Assembler, call: string): void {
  a.test(dword(param(PARAM_FLAGS)), imm(PARAM_HOST_USABLE)).je(call);
}

/** clock_gettime() of a monotonic clock by the host's code: its own, counted from our boot. */
function hostMonotonic(a: Assembler): void {
  unlessHost(a, 'gettimeCall');
  openFrame(a, RBX, RSI, RDI);
  a.label('hostAgain').mov(EBX, param(PARAM_SEQ)).test(EBX, imm(1)).jne('hostAgain');
  // The kernel may have turned to another way since.
  a.test(dword(param(PARAM_FLAGS)), imm(PARAM_HOST_USABLE)).je('hostGone');
  askHost(a, CLOCK_MONOTONIC, 'hostGone');
  a.mov(RAX, mem(RSP, 0)).sub(RAX, param(PARAM_BOOT_SEC));
  a.mov(RDX, mem(RSP, 8)).sub(RDX, param(PARAM_BOOT_NSEC)).jns('hostSplit');
  a.add(RDX, imm(1_000_000_000)).dec(RAX).label('hostSplit');
  a.cmp(EBX, param(PARAM_SEQ)).jne('hostAgain');
  closeFrame(a, RBX, RSI, RDI);
  a.jmp('storePair');
  a.label('hostGone');
  closeFrame(a, RBX, RSI, RDI);
  a.jmp('gettimeCall');
}

function buildVdso(): Uint8Array {
  const a = new Assembler({ base: TEXT });
  a.external('params', VDSO_IMAGE_SIZE);
  const starts: [string, number][] = [];
  const begin = (name: string): void => {
    a.align(16);
    starts.push([name, a.size]);
    a.label(name);
  };

  // int clock_gettime(clockid_t edi, struct timespec *rsi)
  begin('__vdso_clock_gettime');
  a.cmp(EDI, imm(31)).ja('gettimeCall').mov(EAX, imm(MONOTONIC_CLOCKS)).bt(EAX, EDI).jae('notMonotonic');
  readClock(a, PARAM_MONOTONIC, 'hostMonotonic');
  a.jmp('storeTimespec');
  a.label('notMonotonic').mov(EAX, imm(REALTIME_CLOCKS)).bt(EAX, EDI).jae('gettimeCall');
  readClock(a, PARAM_REALTIME, 'hostRealtime');
  a.label('storeTimespec');
  splitSeconds(a);
  a.label('storePair').mov(mem(RSI, 0), RAX).mov(mem(RSI, 8), RDX).xor(EAX, EAX).ret();
  a.label('hostMonotonic');
  hostMonotonic(a);
  // The date is the host's own: its code does it all.
  a.label('hostRealtime');
  unlessHost(a, 'gettimeCall');
  a.mov(EDI, imm(CLOCK_REALTIME)).jmp(qword(param(PARAM_HOST_GETTIME)));
  a.label('gettimeCall').mov(EAX, imm(SYS_clock_gettime)).syscall().ret();

  // int gettimeofday(struct timeval *rdi, struct timezone *rsi): each may be NULL; the time zone is always zero.
  begin('__vdso_gettimeofday');
  a.test(RDI, RDI).je('zone');
  readClock(a, PARAM_REALTIME, 'hostDay');
  splitSeconds(a);
  a.label('storeDay')
    .mov(mem(RDI, 0), RAX)
    .mov(RAX, RDX)
    .xor(EDX, EDX)
    .mov(ECX, imm(1000))
    .div(RCX)
    .mov(mem(RDI, 8), RAX);
  a.label('zone').test(RSI, RSI).je('zoneDone').xor(EAX, EAX).mov(mem(RSI, 0), RAX);
  a.label('zoneDone').xor(EAX, EAX).ret();
  a.label('hostDay');
  unlessHost(a, 'timeofdayCall');
  openFrame(a, RDI, RSI);
  askHost(a, CLOCK_REALTIME, 'hostDayFailed');
  a.mov(RAX, mem(RSP, 0)).mov(RDX, mem(RSP, 8));
  closeFrame(a, RDI, RSI);
  a.jmp('storeDay').label('hostDayFailed');
  closeFrame(a, RDI, RSI);
  a.label('timeofdayCall').mov(EAX, imm(SYS_gettimeofday)).syscall().ret();

  // time_t time(time_t *rdi)
  begin('__vdso_time');
  readClock(a, PARAM_REALTIME, 'hostTime');
  splitSeconds(a);
  a.label('storeTime').test(RDI, RDI).je('timeDone').mov(mem(RDI, 0), RAX).label('timeDone').ret();
  a.label('hostTime');
  unlessHost(a, 'timeCall');
  openFrame(a, RDI);
  askHost(a, CLOCK_REALTIME, 'hostTimeFailed');
  a.mov(RAX, mem(RSP, 0));
  closeFrame(a, RDI);
  a.jmp('storeTime').label('hostTimeFailed');
  closeFrame(a, RDI);
  a.label('timeCall').mov(EAX, imm(SYS_time)).syscall().ret();

  // int clock_getres(clockid_t edi, struct timespec *rsi)
  begin('__vdso_clock_getres');
  a.cmp(EDI, imm(31)).ja('getresCall').mov(EAX, imm(FINE_CLOCKS)).bt(EAX, EDI).jae('coarseRes');
  a.mov(ECX, imm(1)).label('storeRes');
  a.test(RSI, RSI).je('getresDone').xor(EAX, EAX).mov(mem(RSI, 0), RAX).mov(mem(RSI, 8), RCX);
  a.label('getresDone').xor(EAX, EAX).ret();
  a.label('coarseRes').mov(ECX, imm(COARSE_NS)).mov(EAX, imm(COARSE_CLOCKS)).bt(EAX, EDI).jb('storeRes');
  a.label('getresCall').mov(EAX, imm(SYS_clock_getres)).syscall().ret();

  // int getcpu(unsigned *rdi, unsigned *rsi, void *): TSC_AUX holds node << 12 | cpu.
  begin('__vdso_getcpu');
  a.test(dword(param(PARAM_FLAGS)), imm(PARAM_CPU_USABLE))
    .je('getcpuCall')
    .rdtscp();
  a.test(RDI, RDI)
    .je('noCpu')
    .mov(EAX, ECX)
    .and(EAX, imm(0xfff))
    .mov(dword(mem(RDI)), EAX)
    .label('noCpu');
  a.test(RSI, RSI)
    .je('noNode')
    .shr(ECX, imm(12))
    .mov(dword(mem(RSI)), ECX)
    .label('noNode');
  a.xor(EAX, EAX).ret();
  a.label('getcpuCall').mov(EAX, imm(SYS_getcpu)).syscall().ret();

  const text = a.finish();
  const symbols = starts.flatMap(([name, offset], i) => {
    const size = (starts[i + 1]?.[1] ?? text.length) - offset;
    // The plain names are weak aliases, as in Linux's VDSO.
    return [
      { name, offset, size },
      { name: name.slice('__vdso_'.length), offset, size, binding: 'weak' as const },
    ];
  });
  const image = writeSharedObject({
    soname: 'linux-vdso.so.1',
    version: 'LINUX_2.6',
    textVaddr: TEXT,
    text,
    symbols,
  });
  const out = new Uint8Array(VDSO_IMAGE_SIZE);
  if (image.length > VDSO_IMAGE_SIZE + 0x1000) throw new Error('VDSO image too large');
  out.set(image.subarray(0, VDSO_IMAGE_SIZE));
  return out;
}

/** The image without its parameter page. */
export const VDSO_IMAGE: Uint8Array = buildVdso();
