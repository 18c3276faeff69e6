// --strace: where the lines go. Loaded only when a trace is asked for.

import { openSync, writeSync } from 'node:fs';
import type { SyscallTracer } from '../sentry/kernel/kernel.ts';
import { Strace } from '../sentry/strace/strace.ts';
import { STATUS_USAGE, StartError } from './options.ts';

const STDERR = 2;

/** A tracer that writes to stderr ('-') or to a file of the host. Throws StartError when it cannot be made. */
export function makeStrace(target: string): SyscallTracer {
  let fd = STDERR;
  if (target !== '-') {
    try {
      fd = openSync(target, 'w', 0o644);
    } catch (error) {
      throw new StartError(
        `--strace ${target}: ${(error as Error).message}; fix: a file that can be written`,
        STATUS_USAGE,
      );
    }
  }
  return new Strace((line) => writeAll(fd, `${line}\n`));
}

/** Writes although the descriptor may be a non-blocking pipe that is full for a moment. */
function writeAll(fd: number, text: string): void {
  let rest = Buffer.from(text, 'latin1');
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
    }
  }
}
