// A thread's system-call filters: seccomp(2). Filters form a chain from the newest to the oldest, shared by the threads
// and children that inherited it; every one of them is asked, and the strictest verdict counts.

import { ENOSYS } from '../../../abi/errno.ts';
import { AUDIT_ARCH_X86_64 } from '../../../abi/process/audit.ts';
import {
  SECCOMP_DATA_ARCH,
  SECCOMP_DATA_ARGS,
  SECCOMP_DATA_INSTRUCTION_POINTER,
  SECCOMP_DATA_NR,
  SECCOMP_MODE_DISABLED,
  SECCOMP_MODE_STRICT,
  SECCOMP_RET_ACTION_FULL,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_DATA,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_LOG,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_USER_NOTIF,
  SIZEOF_SECCOMP_DATA,
} from '../../../abi/process/seccomp.ts';
import { SIG_DFL, SIGKILL, SIGSYS, SYS_SECCOMP } from '../../../abi/signal/signal.ts';
import { SYS_exit, SYS_read, SYS_rt_sigreturn, SYS_write } from '../../../abi/syscall.ts';
import type { BpfFilter } from '../../base/bpf.ts';
import { log } from '../../base/log.ts';
import { ORIG_RAX, R8, R9, R10, RAX, RDI, RDX, RIP, RSI } from '../../platform/regs.ts';
import { EXITED, NO_RESULT } from '../block.ts';
import { SIL_SYS, SigInfo } from '../signal/siginfo.ts';
import { exitTask } from './exit.ts';
import type { Task } from './task.ts';

/** MAX_INSNS_PER_PATH of Linux: what a chain may cost, four instructions per filter added. */
const MAX_CHAIN_INSNS = 32768;
const PER_FILTER_INSNS = 4;
/** What the kernel keeps per instruction: decoded, and what is made of it. */
const INSN_BYTES = 64;
/** The largest errno that a filter can make a call fail with. */
const MAX_ERRNO = 4095;
/** Numbers whose verdict is remembered. */
const REMEMBERED = 512;
/** Let the call run. */
export const ADMIT = 1;

const data = new Int32Array(SIZEOF_SECCOMP_DATA / 4);
const ARG_REGS = [RDI, RSI, RDX, R10, R8, R9];

/** One filter and those before it. Immutable but for the memory of verdicts. */
export class SeccompChain {
  readonly filter: BpfFilter;
  readonly older: SeccompChain | null;
  /** Filters in the chain, and their length as the limit counts it. */
  readonly count: number;
  readonly cost: number;
  /** By number, 1: the whole chain allows the call whatever its arguments. */
  private readonly allowed: Uint8Array = new Uint8Array(REMEMBERED);

  constructor(filter: BpfFilter, older: SeccompChain | null) {
    this.filter = filter;
    this.older = older;
    this.count = older === null ? 1 : older.count + 1;
    this.cost = filter.length + (older === null ? 0 : older.cost + PER_FILTER_INSNS);
  }

  get bytes(): number {
    return this.cost * INSN_BYTES;
  }

  get tooLong(): boolean {
    return this.cost > MAX_CHAIN_INSNS;
  }

  /** True when `other` is this chain or an older part of it. */
  extends(other: SeccompChain | null): boolean {
    for (let c: SeccompChain | null = this; c !== null; c = c.older) if (c === other) return true;
    return other === null;
  }

  /** SECCOMP_RET_*, a signed word, for the call in the thread's registers. */
  verdict(t: Task): number {
    const r = t.ctx.regs;
    const nr = r.int(ORIG_RAX);
    const remembers = nr >= 0 && nr < REMEMBERED;
    if (remembers && this.allowed[nr] === 1) return SECCOMP_RET_ALLOW;
    data[SECCOMP_DATA_NR >> 2] = nr;
    data[SECCOMP_DATA_ARCH >> 2] = AUDIT_ARCH_X86_64 | 0;
    data[SECCOMP_DATA_INSTRUCTION_POINTER >> 2] = r.int(RIP);
    data[(SECCOMP_DATA_INSTRUCTION_POINTER >> 2) + 1] = r.high(RIP);
    for (let i = 0; i < ARG_REGS.length; i++) {
      const word = (SECCOMP_DATA_ARGS >> 2) + 2 * i;
      data[word] = r.int(ARG_REGS[i]!);
      data[word + 1] = r.high(ARG_REGS[i]!);
    }
    let fixed = true;
    let strictest = SECCOMP_RET_ALLOW;
    for (let c: SeccompChain | null = this; c !== null; c = c.older) {
      const verdict = c.filter.run(data);
      fixed = fixed && c.filter.fixed;
      if ((verdict & SECCOMP_RET_ACTION_FULL) < (strictest & SECCOMP_RET_ACTION_FULL)) strictest = verdict;
    }
    if (fixed && remembers && strictest === SECCOMP_RET_ALLOW) this.allowed[nr] = 1;
    return strictest;
  }
}

/** A thread's seccomp state: SECCOMP_MODE_*, and its filters in filter mode. */
export class SeccompState {
  mode = SECCOMP_MODE_DISABLED;
  chain: SeccompChain | null = null;

  /** What a thread that has it pays for: threads that share filters pay for them each. */
  get bytes(): number {
    return this.chain === null ? 0 : this.chain.bytes;
  }
}

/**
 * Asks the filters about the call that the thread makes: ADMIT, or the result it gets instead (NO_RESULT: its registers
 * stand; EXITED).
 */
export function checkSeccomp(t: Task): number {
  const s = t.seccomp;
  if (s === null) return ADMIT;
  if (s.mode === SECCOMP_MODE_STRICT) return checkStrict(t);
  const verdict = s.chain === null ? SECCOMP_RET_ALLOW : s.chain.verdict(t);
  if (verdict === SECCOMP_RET_ALLOW) return ADMIT;
  const value = verdict & SECCOMP_RET_DATA;
  const action = verdict & SECCOMP_RET_ACTION_FULL;
  switch (action) {
    case SECCOMP_RET_ALLOW:
      return ADMIT;
    case SECCOMP_RET_LOG:
      logVerdict(t, 'logged');
      return ADMIT;
    case SECCOMP_RET_ERRNO:
      return -Math.min(value, MAX_ERRNO);
    case SECCOMP_RET_TRAP:
      rollBack(t);
      t.kernel.signals.force(t, sigsysInfo(t, value));
      return NO_RESULT;
    // Nobody traces, nobody listens: seccomp(2) says ENOSYS.
    case SECCOMP_RET_TRACE:
    case SECCOMP_RET_USER_NOTIF:
      return -ENOSYS;
  }
  logVerdict(t, 'killed');
  if (action === SECCOMP_RET_KILL_THREAD && t.group.live > 1) return exitTask(t, SIGSYS);
  rollBack(t);
  t.group.handlers.setHandler(SIGSYS, SIG_DFL);
  t.kernel.signals.force(t, sigsysInfo(t, value));
  return NO_RESULT;
}

/** SECCOMP_MODE_STRICT: four calls, and death for all others. */
function checkStrict(t: Task): number {
  switch (t.sysno) {
    case SYS_read:
    case SYS_write:
    case SYS_exit:
    case SYS_rt_sigreturn:
      return ADMIT;
  }
  logVerdict(t, 'killed');
  exitTask(t, SIGKILL);
  return EXITED;
}

/** rax as before the call: what a SIGSYS handler finds. */
function rollBack(t: Task): void {
  const r = t.ctx.regs;
  r.setWords(RAX, r.int(ORIG_RAX), r.high(ORIG_RAX));
}

function sigsysInfo(t: Task, value: number): SigInfo {
  const info = new SigInfo(SIGSYS, SYS_SECCOMP, SIL_SYS);
  info.errno = value;
  info.addr = t.ctx.regs.get(RIP);
  info.syscall = t.sysno;
  info.arch = AUDIT_ARCH_X86_64;
  return info;
}

function logVerdict(t: Task, what: string): void {
  log(`seccomp: thread ${t.tid} (${t.name}) ${what} at system call ${t.sysno}`);
}

/** What a child or new thread starts with. */
export function inheritSeccomp(from: Task, to: Task): void {
  const s = from.seccomp;
  if (s === null) return;
  to.seccomp = new SeccompState();
  to.seccomp.mode = s.mode;
  to.seccomp.chain = s.chain;
  to.pay(s.bytes);
}
