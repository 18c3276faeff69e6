// What is said when the host refuses something that a platform needs: the error by name, and what to do about it.

import { release } from 'node:os';
import {
  EACCES,
  EAGAIN,
  EFBIG,
  EMFILE,
  ENFILE,
  ENOMEM,
  ENOSYS,
  EPERM,
  EPROTO,
  errnoName,
} from '../../abi/errno.ts';

const FIXES: Readonly<Record<number, string>> = {
  [EMFILE]: 'too few open files: raise "ulimit -n" to 64 or more',
  [ENFILE]: 'the host has too many open files: raise fs.file-max',
  [EAGAIN]: 'too few processes: raise "ulimit -u" by 64 or more, or the pids limit of the container',
  [ENOMEM]:
    'too little memory or address space: raise "ulimit -v" to 2000000 or more, or the memory limit of the container',
  [EFBIG]: 'files may not be large enough: raise "ulimit -f" to unlimited',
  [ENOSYS]: 'a newer kernel, or a container whose seccomp profile allows the call',
  [EACCES]: 'sysctl vm.memfd_noexec=1, or a security module that lets files in memory be executed',
  [EPERM]: 'a container or security module that allows the call',
  // What the stub's end of the socket says when it could not install its filter.
  [EPROTO]:
    'Linux 5.9 or newer, a seccomp profile that allows seccomp(2), and no other filter with a listener around it',
};

/** The host is Vedette itself. */
const NESTED = release().endsWith('-vedette');

/** What to do about an error of the host's; empty when there is nothing to say. */
export function fixFor(errno: number): string {
  if (NESTED && (errno === EPROTO || errno === ENOSYS))
    return 'run it outside of Vedette, whose kernel has neither ptrace nor seccomp notifications yet';
  return FIXES[errno] ?? '';
}

/** The error that ends the start of a platform: one line, with the fix. `r` is -errno. */
export function refused(platform: string, step: string, r: number, fix: string = fixFor(-r)): Error {
  return new Error(`${platform} platform: ${step} (${errnoName(-r)})${fix === '' ? '' : `; fix: ${fix}`}`);
}
