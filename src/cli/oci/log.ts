// --log and --log-format: where engines look for what went wrong. The last line with level "error" is the message that they show.

import { appendFileSync, writeSync } from 'node:fs';

export class RuntimeLog {
  private readonly file: string | null;
  private readonly json: boolean;

  private readonly debugs: boolean;

  constructor(file: string | null, format: string | null, debugs: boolean) {
    this.file = file === '' ? null : file;
    this.json = format === 'json';
    this.debugs = debugs;
  }

  private write(level: string, msg: string): void {
    const time = new Date().toISOString();
    const line = this.json
      ? JSON.stringify({ level, msg, time })
      : `time=${JSON.stringify(time)} level=${level} msg=${JSON.stringify(msg)}`;
    if (this.file !== null) {
      try {
        appendFileSync(this.file, `${line}\n`);
      } catch {
        // Standard error has it too.
      }
    }
    if (level === 'error') errorLine(`vedette: ${msg}`);
    else if (this.file === null) errorLine(level === 'debug' ? line : `vedette: ${level}: ${msg}`);
  }

  /** For --debug. */
  debug(msg: string): void {
    if (this.debugs) this.write('debug', msg);
  }

  warn(msg: string): void {
    this.write('warning', msg);
  }

  error(msg: string): void {
    this.write('error', msg);
  }
}

/** Written as it is: Node.js would make a pipe that others have too non-blocking. */
function errorLine(line: string): void {
  try {
    writeSync(2, `${line}\n`);
  } catch {
    // Nobody reads it.
  }
}
