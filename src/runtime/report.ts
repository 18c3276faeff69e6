// What is said about a bug of the kernel: its stack, and the state of every task.

import { unsupported } from '../sentry/base/log.ts';
import type { Kernel } from '../sentry/kernel/kernel.ts';
import type { Task } from '../sentry/kernel/task.ts';
import { RIP, RSP } from '../sentry/platform/regs.ts';

const STATES = ['running', 'ready', 'blocked', 'stopped', 'dead'];

function hex(n: number): string {
  return n < 0 ? String(n) : `0x${n.toString(16)}`;
}

/** One line on a task: ids, command, state, the call it is in. Never throws: it runs when things are broken. */
export function describeTask(t: Task): string {
  try {
    const row = t.sysno < 0 ? null : t.kernel.table.row(t.sysno);
    const call = t.sysno < 0 ? 'user code' : (row?.name ?? `system call ${t.sysno}`);
    const at = `rip=${hex(t.ctx.regs.get(RIP))} rsp=${hex(t.ctx.regs.get(RSP))}`;
    return `  tid ${t.tid} pid ${t.tgid} ${JSON.stringify(t.name)} ${STATES[t.state] ?? t.state} in ${call} ${at}`;
  } catch (error) {
    return `  a task that cannot be described: ${error}`;
  }
}

/** All tasks and what was asked for and is not supported. */
export function describeKernel(kernel: Kernel): string {
  const lines = [`tasks (${kernel.liveTasks} live):`];
  for (const t of kernel.pids.tasks()) lines.push(describeTask(t));
  const used = kernel.memfile.usedPages;
  lines.push(`memory: ${used} of ${kernel.memfile.limitPages} pages used`);
  if (unsupported.size > 0) {
    lines.push('not supported, with counts:');
    for (const [what, n] of unsupported) lines.push(`  ${what}: ${n}`);
  }
  return lines.join('\n');
}

/** The report of an exception that left the kernel's loop. */
export function bugReport(kernel: Kernel | null, error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const parts = [
    'vedette: bug in the kernel; the sandbox is stopped. Nothing outside it was touched.',
    stack,
    `node ${process.version}`,
  ];
  if (kernel !== null) {
    try {
      parts.push(describeKernel(kernel));
    } catch (second) {
      parts.push(`the state cannot be described: ${second}`);
    }
  }
  return `${parts.join('\n')}\n`;
}
