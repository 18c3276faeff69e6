// Decoders of strace for plain values whose names come from the headers: flags, commands, signals.

import * as fcntl from '../../abi/fs/fcntl.ts';
import * as ioctl from '../../abi/ioctl.ts';
import * as mman from '../../abi/memory/mman.ts';
import * as socket from '../../abi/net/socket.ts';
import * as prctl from '../../abi/process/prctl.ts';
import * as resource from '../../abi/process/resource.ts';
import { signalName } from '../../abi/signal/signal.ts';
import { flagsText, hexText, namesOf } from '../syscalls/arg_text.ts';
import type { Decoder } from '../syscalls/kinds.ts';
import { CLOCK_NAMES, CLONE_NAMES, structDecoders } from './structs.ts';

type Names = readonly (readonly [string, number])[];

function oneOf(names: Names): Decoder {
  return (_t, v) =>
    names.find((e) => e[1] === v || e[1] === v >>> 0)?.[0] ?? (v > 4096 ? hexText(v) : String(v));
}

const MAP_SHARING: Names = [
  ['MAP_SHARED_VALIDATE', 3],
  ['MAP_SHARED', 1],
  ['MAP_PRIVATE', 2],
];
const MAP_REST = namesOf(mman, 'MAP_', [
  'MAP_TYPE',
  'MAP_FILE',
  'MAP_SHARED',
  'MAP_PRIVATE',
  'MAP_SHARED_VALIDATE',
]);

const mapFlags: Decoder = (_t, v) => {
  const sharing = MAP_SHARING.find((e) => e[1] === (v & 3))?.[0];
  const rest = flagsText(v & ~3, MAP_REST, '');
  return [sharing, rest].filter((s) => s !== undefined && s !== '').join('|') || '0';
};

const PROTECTIONS = namesOf(mman, 'PROT_', ['PROT_NONE']);

/** clone(2): the low byte is the signal at exit. */
const cloneFlags: Decoder = (_t, v) => {
  const sig = v & 0xff;
  const flags = flagsText(v & ~0xff, CLONE_NAMES, '');
  const parts = [flags, sig === 0 ? '' : signalName(sig)].filter((s) => s !== '');
  return parts.length === 0 ? '0' : parts.join('|');
};

const TIOC_STRUCTS: ReadonlyMap<number, string> = new Map([
  [ioctl.TIOCGWINSZ, 'winsize'],
  [ioctl.TIOCSWINSZ, 'winsize'],
  [ioctl.TIOCGPGRP, 'int'],
  [ioctl.TIOCSPGRP, 'int'],
  [ioctl.FIONREAD, 'int'],
  [ioctl.FIONBIO, 'int'],
]);

const ioctlArg: Decoder = (t, v, args, index, result) => {
  const name = TIOC_STRUCTS.get((args[index - 1] ?? 0) >>> 0);
  return name === undefined ? hexText(v) : structDecoders[name]!(t, v, args, index, result);
};

const ACCESS_MODES = ['O_RDONLY', 'O_WRONLY', 'O_RDWR', 'O_ACCMODE'];
const OPEN_NAMES = namesOf(fcntl, 'O_', ['O_ACCMODE', 'O_NDELAY', 'O_RDONLY', 'O_WRONLY', 'O_RDWR']);

const openFlags: Decoder = (_t, v) => {
  const rest = flagsText(v & ~3, OPEN_NAMES, '');
  return rest === '' ? ACCESS_MODES[v & 3]! : `${ACCESS_MODES[v & 3]}|${rest}`;
};

const SOCKET_OPTIONS = namesOf(socket, 'SO_');

const socketOption: Decoder = (_t, v, args, index) =>
  args[index - 1] === socket.SOL_SOCKET
    ? (SOCKET_OPTIONS.find((e) => e[1] === v)?.[0] ?? String(v))
    : String(v);

/** All decoders of values by the names that kinds.ts uses. */
export const valueDecoders: Readonly<Record<string, Decoder>> = {
  signal: (_t, v) => (v > 0 && v <= 64 ? signalName(v) : String(v)),
  prot: (_t, v) => flagsText(v, PROTECTIONS, 'PROT_NONE'),
  mmap_flags: mapFlags,
  clone_flags: cloneFlags,
  madvice: oneOf(namesOf(mman, 'MADV_')),
  ioctl: oneOf(namesOf(ioctl, '')),
  ioctl_arg: ioctlArg,
  resource: oneOf(namesOf(resource, 'RLIMIT_', ['RLIMIT_RLIM_CUR', 'RLIMIT_RLIM_MAX'])),
  prctl: oneOf(namesOf(prctl, 'PR_').filter((e) => /^PR_(SET|GET|CAP|TASK|MCE)/.test(e[0]))),
  arch_prctl: oneOf(namesOf(prctl, 'ARCH_')),
  clockid: oneOf(CLOCK_NAMES),
  open_flags: openFlags,
  sol: oneOf(namesOf(socket, 'SOL_')),
  sockopt: socketOption,
};
