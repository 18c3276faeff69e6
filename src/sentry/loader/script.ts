// Interpreter scripts: execve(2), "Interpreter scripts".

import { EACCES, ENOEXEC } from '../../abi/errno.ts';

const NEWLINE = 10;
const TAB = 9;
const SPACE = 32;

export interface ScriptLine {
  readonly interpreter: string;
  /** Everything after the interpreter's name, as one argument; null when there is nothing. */
  readonly argument: string | null;
}

function isBlank(c: number): boolean {
  return c === SPACE || c === TAB;
}

/**
 * Reads the `#!` line from the first 256 bytes of a file, zero-filled when it is shorter. Null when it is no script;
 * -ENOEXEC when no interpreter is named, or its name may have been cut off; -EACCES for an empty name.
 */
export function parseScript(buf: Uint8Array): ScriptLine | null | number {
  if (buf[0] !== 0x23 || buf[1] !== 0x21) return null;
  let end = buf.indexOf(NEWLINE);
  if (end < 0) {
    // The line is longer than the buffer: fine for the argument, which is cut, but not for the name.
    end = buf.length - 1;
    let at = 2;
    while (at < end && isBlank(buf[at]!)) at++;
    if (isBlank(buf[at]!)) return -ENOEXEC;
    while (at <= end && buf[at] !== 0 && !isBlank(buf[at]!)) at++;
    if (at > end) return -ENOEXEC;
  }
  while (end > 2 && isBlank(buf[end - 1]!)) end--;
  let name = 2;
  while (name < end && isBlank(buf[name]!)) name++;
  if (name >= end) return -ENOEXEC;
  let sep = name;
  while (sep < end && buf[sep] !== 0 && !isBlank(buf[sep]!)) sep++;
  const interpreter = textOf(buf, name, sep);
  // Linux opens the empty name, finds the working directory, and may not execute it.
  if (interpreter === '') return -EACCES;
  if (sep >= end || buf[sep] === 0) return { interpreter, argument: null };
  let arg = sep;
  while (arg < end && isBlank(buf[arg]!)) arg++;
  // Arguments are C strings: a NUL ends them.
  const nul = buf.subarray(arg, end).indexOf(0);
  return { interpreter, argument: arg >= end ? null : textOf(buf, arg, nul < 0 ? end : arg + nul) };
}

function textOf(buf: Uint8Array, from: number, to: number): string {
  return Buffer.from(buf.buffer, buf.byteOffset + from, to - from).toString('latin1');
}
