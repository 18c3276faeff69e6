// Text of strace lines: escaped bytes, flag words, results.

import {
  ERESTART_RESTARTBLOCK,
  ERESTARTNOHAND,
  ERESTARTNOINTR,
  ERESTARTSYS,
  errnoName,
} from '../../abi/errno.ts';
import type { Task } from '../kernel/task/task.ts';
import { errnoText } from './errno_text.ts';

/** Bytes of a buffer or string that are shown. */
export const SHOWN_BYTES = 32;
/** Bytes of a path that are shown. */
const SHOWN_PATH = 4096;

const buffer = new Uint8Array(SHOWN_PATH);
const ESCAPES: Readonly<Record<number, string>> = {
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
  34: '\\"',
  92: '\\\\',
};

/** Bytes as a C string literal without its quotes; UTF-8 stays readable only as octal escapes, as in strace. */
export function escapeBytes(bytes: Uint8Array, from: number, to: number): string {
  let s = '';
  for (let i = from; i < to; i++) {
    const c = bytes[i]!;
    const known = ESCAPES[c];
    if (known !== undefined) s += known;
    else if (c >= 32 && c < 127) s += String.fromCharCode(c);
    else {
      const next = bytes[i + 1];
      const digit = i + 1 < to && next !== undefined && next >= 48 && next <= 57;
      s += `\\${digit ? c.toString(8).padStart(3, '0') : c.toString(8)}`;
    }
  }
  return s;
}

/** An address as strace shows it. Values beyond 2^63 come as negative numbers. */
export function hexText(v: number): string {
  if (v === 0) return 'NULL';
  return v > 0 ? `0x${v.toString(16)}` : `0x${BigInt.asUintN(64, BigInt(v)).toString(16)}`;
}

/** `len` bytes of guest memory as a quoted string, cut after SHOWN_BYTES; the address when they cannot be read. */
export function bufferText(t: Task, addr: number, len: number): string {
  if (addr === 0) return 'NULL';
  const n = Math.min(len, SHOWN_BYTES);
  if (n < 0) return hexText(addr);
  if (n > 0 && t.mem.copyIn(addr, buffer, 0, n) !== n) return hexText(addr);
  return `"${escapeBytes(buffer, 0, n)}"${len > n ? '...' : ''}`;
}

/** A NUL-terminated string of guest memory. */
export function stringText(t: Task, addr: number, max: number = SHOWN_PATH): string {
  if (addr === 0) return 'NULL';
  const s = t.mem.copyInString(addr, SHOWN_PATH);
  if (typeof s === 'number') return hexText(addr);
  const bytes = Buffer.from(s, 'latin1');
  const n = Math.min(bytes.length, max);
  return `"${escapeBytes(bytes, 0, n)}"${bytes.length > n ? '...' : ''}`;
}

/** Symbolic text of a flag word. Composite values come first when they stand before their parts in `table`. */
export function flagsText(v: number, table: readonly (readonly [string, number])[], zero = '0'): string {
  let rest = v >>> 0;
  const parts: string[] = [];
  for (const [name, bits] of table) {
    const b = bits >>> 0;
    if (b !== 0 && (rest & b) >>> 0 === b) {
      parts.push(name);
      rest = (rest & ~b) >>> 0;
    }
  }
  if (rest !== 0) parts.push(`0x${rest.toString(16)}`);
  return parts.length === 0 ? zero : parts.join('|');
}

/** Names of a header module that begin with `prefix`, as [name, value]: composite values before their parts. */
export function namesOf(
  module: Readonly<Record<string, unknown>>,
  prefix: string,
  except: readonly string[] = [],
): [string, number][] {
  const out: [string, number][] = [];
  for (const [name, value] of Object.entries(module)) {
    if (typeof value === 'number' && name.startsWith(prefix) && !except.includes(name))
      out.push([name, value]);
  }
  return out.sort((a, b) => bitCount(b[1]) - bitCount(a[1]));
}

function bitCount(v: number): number {
  let n = 0;
  for (let x = v >>> 0; x !== 0; x &= x - 1) n++;
  return n;
}

const RESTARTS: ReadonlyMap<number, string> = new Map([
  [ERESTARTSYS, 'ERESTARTSYS (To be restarted if SA_RESTART is set)'],
  [ERESTARTNOINTR, 'ERESTARTNOINTR (To be restarted)'],
  [ERESTARTNOHAND, 'ERESTARTNOHAND (To be restarted if no handler)'],
  [ERESTART_RESTARTBLOCK, 'ERESTART_RESTARTBLOCK (Interrupted by signal)'],
]);

/** The result of a call: a number, an address, or an errno with its text. */
export function resultText(result: number, hex: boolean): string {
  if (result >= 0 || result < -4095) return hex && result !== 0 ? hexText(result) : String(result);
  const restart = RESTARTS.get(-result);
  if (restart !== undefined) return `? ${restart}`;
  return `-1 ${errnoName(-result)} (${errnoText(-result)})`;
}
