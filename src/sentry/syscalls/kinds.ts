// Argument kinds: how dispatch narrows an argument and how strace shows it.

import { toText } from '../base/bytes.ts';
import type { ArgKind } from '../kernel/syscall_table.ts';
import type { Task } from '../kernel/task.ts';

type Format = (t: Task, value: number, args: ArrayLike<number>, result: number) => string;

function kind(name: string, int: boolean, format: Format, out = false): ArgKind {
  return { name, int, format, out };
}

const decimal: Format = (_t, v) => String(v);
const hex: Format = (_t, v) => (v === 0 ? 'NULL' : v < 0 ? String(v) : `0x${v.toString(16)}`);
const octal: Format = (_t, v) => `0${(v >>> 0).toString(8)}`;

export const INT: ArgKind = kind('int', true, decimal);
export const UINT: ArgKind = kind('uint', true, (_t, v) => String(v >>> 0));
export const LONG: ArgKind = kind('long', false, decimal);
export const SIZE: ArgKind = kind('size', false, decimal);
export const OFF: ArgKind = kind('off', false, decimal);
export const FD: ArgKind = kind('fd', true, (_t, v) => (v === -100 ? 'AT_FDCWD' : String(v)));
export const PID: ArgKind = kind('pid', true, decimal);
export const MODE: ArgKind = kind('mode', true, octal);
export const SIGNO: ArgKind = kind('signal', true, decimal);
export const ADDR: ArgKind = kind('addr', false, hex);
export const HEX: ArgKind = kind('hex', true, (_t, v) => `0x${(v >>> 0).toString(16)}`);

/** A path or other NUL-terminated string that the call reads. */
export const PATH: ArgKind = kind('path', false, (t, v) => {
  if (v === 0) return 'NULL';
  const s = t.mem.copyInString(v, 4096);
  return typeof s === 'number' ? hex(t, v, [], 0) : JSON.stringify(toText(s));
});

/** Bytes that the call reads; the next argument is their count. */
export const IN_BUF: ArgKind = kind('buf', false, hex);
/** Bytes that the call fills; its result is their count. */
export const OUT_BUF: ArgKind = kind('buf', false, hex, true);

/** A pointer to a struct: `name` is its C name. */
export function STRUCT(name: string, out = false): ArgKind {
  return kind(name, false, hex, out);
}

/** Flags of an int argument: shown symbolically from a table of [name, bits]. */
export function FLAGS(name: string, table: readonly (readonly [string, number])[], zero = '0'): ArgKind {
  return kind(name, true, (_t, v) => {
    let rest = v >>> 0;
    const parts: string[] = [];
    for (const [n, bits] of table) {
      if (bits !== 0 && ((rest & bits) >>> 0) === bits >>> 0) {
        parts.push(n);
        rest = (rest & ~bits) >>> 0;
      }
    }
    if (rest !== 0) parts.push(`0x${rest.toString(16)}`);
    return parts.length === 0 ? zero : parts.join('|');
  });
}

/** One value of an int argument out of a list of [name, value]. */
export function ONE_OF(name: string, table: readonly (readonly [string, number])[]): ArgKind {
  return kind(name, true, (_t, v) => table.find((e) => e[1] === v)?.[0] ?? String(v));
}
