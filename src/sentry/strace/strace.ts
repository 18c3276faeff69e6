// Strace: every system call as a line, in the manner of strace(1):
//
//   [pid] name(args) = result ERRNO (text) <seconds>
//   [pid] name(args <unfinished ...>            another task's line came in between
//   [pid] <... name resumed>more args) = result
//   [pid] --- SIGCHLD {si_signo=SIGCHLD, ...} ---
//   [pid] +++ exited with 0 +++
//
// Arguments that the call reads are shown as they were at its entry; what it fills, as it is at its end.

import { EINTR } from '../../abi/errno.ts';
import { decodeSiginfo, SIZEOF_SIGINFO } from '../../abi/signal/siginfo.ts';
import { signalName } from '../../abi/signal/signal.ts';
import {
  SYS_brk,
  SYS_execve,
  SYS_execveat,
  SYS_mmap,
  SYS_mremap,
  SYS_rt_sigreturn,
  SYS_shmat,
  syscallName,
} from '../../abi/syscall.ts';
import { monotonicNs } from '../../host/clock.ts';
import { EXITED, NO_RESULT } from '../kernel/block.ts';
import type { SyscallTracer } from '../kernel/kernel.ts';
import { encodeSigInfo, type SigInfo } from '../kernel/signal/siginfo.ts';
import type { SyscallRow } from '../kernel/syscall_table.ts';
import type { Task } from '../kernel/task/task.ts';
import { R8, R9, R10, RAX, RDI, RDX, RSI } from '../platform/regs.ts';
import { resultText } from '../syscalls/arg_text.ts';
import { registerDecoders } from '../syscalls/kinds.ts';
import { siginfoText } from './parts.ts';
import { structDecoders } from './structs.ts';
import { valueDecoders } from './values.ts';

const ARGUMENT_REGS = [RDI, RSI, RDX, R10, R8, R9];
/** Calls whose result is an address. */
const ADDRESS_RESULTS: ReadonlySet<number> = new Set([SYS_mmap, SYS_brk, SYS_mremap, SYS_shmat]);

/** Where lines go, without their newline. */
export type StraceSink = (line: string) => void;

/** A call that has begun. */
interface Pending {
  readonly nr: number;
  readonly row: SyscallRow | null;
  readonly args: readonly number[];
  /** Texts of the arguments that are known at entry; null for those that the call fills. */
  readonly texts: (string | null)[];
  readonly startNs: number;
  /** How many arguments were printed in an "unfinished" line; -1 while nothing was printed. */
  printed: number;
}

const info = new Uint8Array(SIZEOF_SIGINFO);
const infoView = new DataView(info.buffer);

export class Strace implements SyscallTracer {
  private readonly sink: StraceSink;
  private readonly pending: Map<Task, Pending> = new Map();
  /** The call whose line is not written yet; null when none is open. */
  private open: Task | null = null;

  constructor(sink: StraceSink) {
    this.sink = sink;
    registerDecoders(structDecoders);
    registerDecoders(valueDecoders);
  }

  enter(t: Task): void {
    const row = t.kernel.table.row(t.sysno);
    const regs = t.ctx.regs;
    const args: number[] = [];
    const texts: (string | null)[] = [];
    const count = row === null ? 0 : row.kinds.length;
    for (let i = 0; i < count; i++) {
      const reg = ARGUMENT_REGS[i]!;
      args.push(row!.kinds[i]!.int ? regs.int(reg) : regs.get(reg));
    }
    for (let i = 0; i < count; i++) {
      const kind = row!.kinds[i]!;
      texts.push(kind.out ? null : kind.format(t, args[i]!, args, Number.POSITIVE_INFINITY, i));
    }
    this.close(t);
    this.pending.set(t, { nr: t.sysno, row, args, texts, startNs: monotonicNs(), printed: -1 });
    this.open = t;
  }

  exit(t: Task, result: number): void {
    const p = this.pending.get(t);
    if (p === undefined) return;
    this.pending.delete(t);
    const shown = this.resultOf(t, p, result);
    const args = this.argumentTexts(t, p, result === EXITED ? -EINTR : result === NO_RESULT ? 0 : result);
    const seconds = ((monotonicNs() - p.startNs) / 1e9).toFixed(6);
    const name = syscallName(p.nr);
    if (p.printed < 0) {
      if (this.open === t) this.open = null;
      this.close(t);
      this.write(t, `${name}(${joined(args)}) = ${shown} <${seconds}>`);
    } else {
      this.close(t);
      this.write(t, `<... ${name} resumed>${joined(args.slice(p.printed))}) = ${shown} <${seconds}>`);
    }
  }

  signal(t: Task, s: SigInfo): void {
    this.close(null);
    encodeSigInfo(info, infoView, 0, s);
    this.write(t, `--- ${signalName(s.signo)} ${siginfoText(decodeSiginfo(infoView, 0))} ---`);
  }

  exited(t: Task, status: number): void {
    // The call that it was in never returns.
    if (this.pending.has(t)) this.exit(t, EXITED);
    this.close(null);
    const sig = status & 0x7f;
    const core = (status & 0x80) !== 0 ? ' (core dumped)' : '';
    if (sig !== 0) this.write(t, `+++ killed by ${signalName(sig)}${core} +++`);
    else this.write(t, `+++ exited with ${(status >> 8) & 0xff} +++`);
  }

  /** Ends the open line, unless it is the line of `except`: its call waits, or its task is gone. */
  private close(except: Task | null): void {
    const t = this.open;
    if (t === null || t === except) return;
    this.open = null;
    const p = this.pending.get(t);
    if (p === undefined || p.printed >= 0) return;
    let known = p.texts.indexOf(null);
    if (known < 0) known = p.texts.length;
    p.printed = known;
    const head = p.texts.slice(0, known).join(', ');
    const comma = known > 0 && known < p.texts.length ? ', ' : '';
    this.write(t, `${syscallName(p.nr)}(${head}${comma} <unfinished ...>`);
  }

  private argumentTexts(t: Task, p: Pending, result: number): string[] {
    return p.texts.map((text, i) => text ?? p.row!.kinds[i]!.format(t, p.args[i]!, p.args, result, i));
  }

  private resultOf(t: Task, p: Pending, result: number): string {
    if (result === EXITED) return '?';
    if (result !== NO_RESULT) return resultText(result, ADDRESS_RESULTS.has(p.nr));
    if (p.nr === SYS_rt_sigreturn) return resultText(t.ctx.regs.get(RAX), false);
    return p.nr === SYS_execve || p.nr === SYS_execveat ? '0' : '?';
  }

  private write(t: Task, text: string): void {
    this.sink(`[${t.tid}] ${text}`);
  }
}

/** Arguments without those that do not count in this call. */
function joined(texts: readonly string[]): string {
  return texts.filter((text) => text !== '').join(', ');
}
