// A picture of every task, for reports of kernel bugs and for a dump on demand. It reads only, and never throws: it runs
// when things are broken.

import { syscallName } from '../../abi/syscall.ts';
import * as regs from '../platform/regs.ts';
import type { Kernel } from './kernel.ts';
import type { Task } from './task/task.ts';
import type { ThreadGroup } from './task/threadgroup.ts';

const STATES = ['running', 'ready', 'blocked', 'stopped', 'dead'];
const REGISTERS: readonly (readonly [string, number])[] = [
  ['rip', regs.RIP],
  ['rsp', regs.RSP],
  ['rax', regs.RAX],
  ['rdi', regs.RDI],
  ['rsi', regs.RSI],
  ['rdx', regs.RDX],
  ['r10', regs.R10],
  ['r8', regs.R8],
  ['r9', regs.R9],
  ['rbx', regs.RBX],
  ['rcx', regs.RCX],
  ['r11', regs.R11],
  ['rbp', regs.RBP],
  ['r12', regs.R12],
  ['r13', regs.R13],
  ['r14', regs.R14],
  ['r15', regs.R15],
  ['eflags', regs.EFLAGS],
  ['fs_base', regs.FS_BASE],
  ['gs_base', regs.GS_BASE],
];

function words(lo: number, hi: number): string {
  const low = (lo >>> 0).toString(16);
  return hi === 0 ? `0x${low}` : `0x${(hi >>> 0).toString(16)}${low.padStart(8, '0')}`;
}

/** Every process and thread: state, system call, signals, registers. */
export function dumpTasks(kernel: Kernel): string {
  const lines: string[] = [];
  for (const g of kernel.pids.groups()) {
    lines.push(attempt(() => describeGroup(g)));
    for (const t of g.threads) lines.push(attempt(() => describeThread(t)));
  }
  return lines.join('\n');
}

function attempt(text: () => string): string {
  try {
    return text();
  } catch (error) {
    return `  (cannot be described: ${error})`;
  }
}

function describeGroup(g: ThreadGroup): string {
  const parts = [`process ${g.tgid}`];
  if (g.parent !== null) parts.push(`parent ${g.parent.tgid}`);
  parts.push(`pgrp ${g.pgrp.id}`, `session ${g.session.sid}`, `threads ${g.live}`);
  if (g.dead) parts.push(`zombie status 0x${g.exitStatus.toString(16)}`);
  else if (g.exiting) parts.push(`exiting 0x${g.exitStatus.toString(16)}`);
  if (g.stopSig !== 0) parts.push(`stop signal ${g.stopSig}`);
  if ((g.pending.lo | g.pending.hi) !== 0) parts.push(`pending ${words(g.pending.lo, g.pending.hi)}`);
  parts.push(g.exePath);
  return parts.join(' ');
}

function describeThread(t: Task): string {
  const s = t.signals;
  const head = [`  thread ${t.tid} ${JSON.stringify(t.name)} ${STATES[t.state] ?? t.state}`];
  head.push(t.sysno < 0 ? 'in user code' : `in ${syscallName(t.sysno)}`);
  if (t.queued) head.push('queued');
  if (t.call.active) {
    head.push(`parked (waits on ${t.call.used} queues, done ${t.call.done}`);
    head.push(
      `deadline ${t.call.deadlineNs}, timed out ${t.call.timedOut}, interrupted ${t.call.interrupted})`,
    );
  }
  head.push(`mask ${words(s.maskLo, s.maskHi)}`);
  if ((s.pending.lo | s.pending.hi) !== 0) head.push(`pending ${words(s.pending.lo, s.pending.hi)}`);
  if (s.killed) head.push('killed');
  if (t.dead) return head.join(' ');
  const u32 = t.ctx.regs.u32;
  const values = REGISTERS.map(([name, r]) => `${name}=${words(u32[2 * r]!, u32[2 * r + 1]!)}`);
  const rows: string[] = [head.join(' ')];
  for (let i = 0; i < values.length; i += 6) rows.push(`    ${values.slice(i, i + 6).join(' ')}`);
  return rows.join('\n');
}
