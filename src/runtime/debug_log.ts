// --debug-log DIR: one file per command, as `DIR/<time>.<pid>.<command>.log`. Lines are written at once: a log that ends
// before the crash is of no use.

import { closeSync, existsSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setLogSink } from '../sentry/base/log.ts';
import { STATUS_USAGE, StartError } from './options.ts';

/** Makes a folder and those above it. Where the host says ENOENT, as in /proc, Node's own `recursive` tries for ever. */
function makeFolder(dir: string): void {
  if (existsSync(dir)) return;
  makeFolder(dirname(dir));
  mkdirSync(dir);
}

export class DebugLog {
  private fd: number;

  /** Opens the log of `command` and makes it the kernel's. Throws StartError when the directory cannot be written. */
  constructor(dir: string, command: string) {
    const time = new Date().toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
    try {
      makeFolder(dir);
      this.fd = openSync(join(dir, `${time}.${process.pid}.${command}.log`), 'a', 0o640);
    } catch (error) {
      throw new StartError(
        `--debug-log ${dir}: ${(error as Error).message}; fix: a directory that can be written, or made`,
        STATUS_USAGE,
      );
    }
    setLogSink((line) => this.write(line));
  }

  write(line: string): void {
    if (this.fd >= 0) writeSync(this.fd, `${line}\n`);
  }

  close(): void {
    setLogSink(null);
    if (this.fd >= 0) closeSync(this.fd);
    this.fd = -1;
  }
}
