// The self-tests of what the kernel process gives up besides system calls: files and capabilities, on all of its threads.

import { readdirSync, readFileSync } from 'node:fs';
import { EACCES, ENOENT, errnoName } from '../abi/errno.ts';
import { AT_FDCWD, O_CLOEXEC, O_WRONLY } from '../abi/fs/fcntl.ts';
import {
  LANDLOCK_ACCESS_FS_TRUNCATE,
  LANDLOCK_ACCESS_FS_WRITE_FILE,
  LANDLOCK_ACCESS_NET_CONNECT_TCP,
} from '../abi/process/landlock.ts';
import { SYS_openat } from '../abi/syscall.ts';
import { HostBuffer } from '../host/buffer.ts';
import { landlockAbi, landlockRefusal, Ruleset, signalsOfThreads } from '../host/landlock.ts';
import { hostCall } from '../host/syscall.ts';
import { failed } from '../sentry/base/errno.ts';
import { dropCapabilities } from './lockdown/capabilities.ts';

const OWN_NAME = '/proc/self/comm';
const ABI_OF_TRUNCATE = 3;
const ABI_OF_NET = 4;

/** Denies this process to write, and tries. */
export function testLandlock(): string {
  const abi = landlockAbi();
  if (abi < 0) throw new Error(landlockRefusal(abi));
  const writing = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE;
  const rules = Ruleset.create(abi, writing, LANDLOCK_ACCESS_NET_CONNECT_TCP, 0);
  if (failed(rules)) throw new Error(landlockRefusal(rules));
  const threads = rules.restrict();
  if (threads < 0) throw new Error(landlockRefusal(threads));
  const path = HostBuffer.alloc(64).putString(OWN_NAME);
  const r = hostCall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
  if (r !== -EACCES) throw new Error(`a file that is out of reach can be opened (${r})`);
  const lacks = [];
  if (abi < ABI_OF_TRUNCATE) lacks.push('emptying files by name');
  if (abi < ABI_OF_NET) lacks.push('TCP');
  if (!signalsOfThreads()) lacks.push('signals');
  const without = lacks.length === 0 ? '' : `; this kernel's does not cover ${lacks.join(', ')}`;
  return `files out of reach cannot be opened, on ${threads} threads (version ${abi}${without})`;
}

/** Gives up all that a sandbox which only reads has no use for, and looks at every thread. */
export function testCapabilities(): string {
  const { capabilities, error } = dropCapabilities(
    { gofer: false, overlay: null, mounts: [], network: { mode: 'none' } },
    [],
  );
  if (error < 0) throw new Error(error === -ENOENT ? landlockRefusal(error) : errnoName(-error));
  if (capabilities === null) return 'this user has none to give up';
  const sets = readdirSync('/proc/self/task').map(
    (tid) => /^CapEff:\s*(\S+)/m.exec(readFileSync(`/proc/self/task/${tid}/status`, 'latin1'))?.[1],
  );
  const wanted = capabilities.reduce((set, cap) => set | (1n << BigInt(cap)), 0n);
  if (sets.some((set) => set === undefined || BigInt(`0x${set}`) !== wanted))
    throw new Error(`threads have kept some: ${sets.join(' ')}`);
  return 'given up on every thread, but for reading files of others';
}
