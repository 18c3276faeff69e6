// Argument kinds: how dispatch narrows an argument and how strace shows it. What takes tables of names or layouts of
// structs to show is looked up in `decoders`, which strace/structs.ts fills when a trace is asked for: without one, none
// of that is loaded.

import { O_CREAT, O_DIRECTORY, O_TMPFILE } from '../../abi/fs/fcntl.ts';
import type { ArgFormat, ArgKind } from '../kernel/syscall_table.ts';
import type { Task } from '../kernel/task/task.ts';
import { bufferText, flagsText, hexText, stringText } from './arg_text.ts';

/** The flag of O_TMPFILE that is its own. */
const TMPFILE_BIT = O_TMPFILE & ~O_DIRECTORY;

function kind(name: string, int: boolean, format: ArgFormat, out = false): ArgKind {
  return { name, int, format, out };
}

/** Shows what is at `addr`, or '' for an argument that does not count in this call; `args`, `index` and `result` for lengths in other arguments. */
export type Decoder = (
  t: Task,
  addr: number,
  args: ArrayLike<number>,
  index: number,
  result: number,
) => string;

const decoders: Map<string, Decoder> = new Map();

/** Adds decoders by name: C names of structs without "struct ", or names of value sets. */
export function registerDecoders(more: Readonly<Record<string, Decoder>>): void {
  for (const [name, decoder] of Object.entries(more)) decoders.set(name, decoder);
}

/** A kind that a decoder shows; `plain` without one. */
function decoded(name: string, int: boolean, plain: ArgFormat, out = false): ArgKind {
  return kind(
    name,
    int,
    (t, v, args, result, index) => {
      const d = decoders.get(name);
      return d === undefined ? plain(t, v, args, result, index) : d(t, v, args, index, result);
    },
    out,
  );
}

const decimal: ArgFormat = (_t, v) => String(v);
const hex: ArgFormat = (_t, v) => hexText(v);
const hex32: ArgFormat = (_t, v) => `0x${(v >>> 0).toString(16)}`;
const octal: ArgFormat = (_t, v) => (v === 0 ? '000' : `0${(v >>> 0).toString(8)}`);

export const INT: ArgKind = kind('int', true, decimal);
export const UINT: ArgKind = kind('uint', true, (_t, v) => String(v >>> 0));
export const LONG: ArgKind = kind('long', false, decimal);
export const SIZE: ArgKind = kind('size', false, decimal);
export const OFF: ArgKind = kind('off', false, decimal);
export const FD: ArgKind = decoded('fd', true, (_t, v) => (v === -100 ? 'AT_FDCWD' : String(v)));
export const PID: ArgKind = kind('pid', true, decimal);
export const MODE: ArgKind = kind('mode', true, octal);
export const SIGNO: ArgKind = decoded('signal', true, decimal);
export const ADDR: ArgKind = kind('addr', false, hex);
export const HEX: ArgKind = kind('hex', true, hex32);

/** A path or other NUL-terminated string that the call reads. */
export const PATH: ArgKind = kind('path', false, (t, v) => stringText(t, v));
/** A NUL-terminated string that is shown in part: names and values of attributes. */
export const STRING: ArgKind = kind('string', false, (t, v) => stringText(t, v, 64));
/** A NULL-terminated array of strings: argv; envp, which only shows its size. */
export const ARGV: ArgKind = decoded('argv', false, hex);
export const ENVP: ArgKind = decoded('envp', false, hex);

/** Bytes that the call reads; the next argument is their count. */
export const IN_BUF: ArgKind = kind('buf', false, (t, v, args, _r, index) =>
  bufferText(t, v, args[index + 1] ?? 0),
);
/** Bytes that the call fills; its result is their count. */
export const OUT_BUF: ArgKind = kind('buf', false, (t, v, _a, result) => bufferOut(t, v, result), true);

function bufferOut(t: Task, addr: number, result: number): string {
  return result < 0 ? hexText(addr) : bufferText(t, addr, result);
}

/** The status of wait4(2). */
export const WAIT_STATUS: ArgKind = decoded('wstatus', false, hex, true);
/** PROT_*, MAP_*, CLONE_* and other sets whose names come from the headers: see strace/structs.ts. */
export const PROT: ArgKind = decoded('prot', true, hex32);
export const MMAP_FLAGS: ArgKind = decoded('mmap_flags', true, hex32);
export const CLONE_FLAGS: ArgKind = decoded('clone_flags', true, hex32);
export const MADVICE: ArgKind = decoded('madvice', true, decimal);
export const IOCTL_CMD: ArgKind = decoded('ioctl', true, hex32);
/** The third argument of ioctl(2): decoded by the command before it. */
export const IOCTL_ARG: ArgKind = decoded('ioctl_arg', false, hex, true);
export const RESOURCE: ArgKind = decoded('resource', true, decimal);
export const PRCTL_OP: ArgKind = decoded('prctl', true, decimal);
export const CLOCK_ID: ArgKind = decoded('clockid', true, decimal);
export const ARCH_PRCTL_OP: ArgKind = decoded('arch_prctl', true, hex32);
export const OPEN_FLAGS: ArgKind = decoded('open_flags', true, hex32);
/** The mode of open(2), which counts when the flags before it make a file. */
export const OPEN_MODE: ArgKind = kind('open_mode', true, (t, v, args, result, index) =>
  ((args[index - 1] ?? 0) & (O_CREAT | TMPFILE_BIT)) === 0 ? '' : octal(t, v, args, result, index),
);
export const SOCKET_LEVEL: ArgKind = decoded('sol', true, decimal);
export const SOCKET_OPTION: ArgKind = decoded('sockopt', true, decimal);
/** A uid or gid: (uid_t)-1 leaves the id alone. */
export const ID: ArgKind = kind('id', true, decimal);

/** A pointer to a struct: `name` is its C name. With `out`, the call fills it. */
export function STRUCT(name: string, out = false): ArgKind {
  return decoded(name.replace(/^struct /, ''), false, hex, out);
}

/** Flags of an int argument: shown symbolically from a table of [name, bits]. */
export function FLAGS(name: string, table: readonly (readonly [string, number])[], zero = '0'): ArgKind {
  return kind(name, true, (_t, v) => flagsText(v, table, zero));
}

/** One value of an int argument out of a list of [name, value]. */
export function ONE_OF(name: string, table: readonly (readonly [string, number])[]): ArgKind {
  return kind(name, true, (_t, v) => table.find((e) => e[1] === v)?.[0] ?? String(v));
}
