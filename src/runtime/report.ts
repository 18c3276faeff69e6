// What is said about a bug of the kernel: its stack, and the state of every task.

import { unsupported } from '../sentry/base/log.ts';
import { dumpTasks } from '../sentry/kernel/dump.ts';
import type { Kernel } from '../sentry/kernel/kernel.ts';

/** All tasks and what was asked for and is not supported. */
export function describeKernel(kernel: Kernel): string {
  const lines = [`tasks (${kernel.liveTasks} live):`];
  lines.push(dumpTasks(kernel));
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
