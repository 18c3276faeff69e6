// --strace: where the lines go. Loaded only when a trace is asked for.

import { openSync } from 'node:fs';
import { STDERR, writeAll } from '../host/write_all.ts';
import type { SyscallTracer } from '../sentry/kernel/kernel.ts';
import { Strace } from '../sentry/strace/strace.ts';
import { STATUS_USAGE, StartError } from './options.ts';

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
  return new Strace((line) => writeAll(fd, `${line}\n`, 'latin1'));
}
