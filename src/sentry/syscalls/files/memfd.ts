// memfd_create(2).

import { EFAULT, EINVAL, ENOENT } from '../../../abi/errno.ts';
import { O_RDWR } from '../../../abi/fs/fcntl.ts';
import {
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  MFD_EXEC,
  MFD_HUGETLB,
  MFD_NOEXEC_SEAL,
} from '../../../abi/memory/memfd.ts';
import { SYS_memfd_create } from '../../../abi/syscall.ts';
import { countUnsupported } from '../../base/log.ts';
import { MemfdFs, newMemfd } from '../../fs/memfd/memfd.ts';
import type { Task } from '../../kernel/task/task.ts';
import { installNew } from '../install.ts';
import { FLAGS, PATH } from '../kinds.ts';
import { sys } from '../row.ts';

/** NAME_MAX without the "memfd:" that Linux puts before it, and with the NUL. */
const NAME_ROOM = 250;
const KNOWN = MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | MFD_NOEXEC_SEAL | MFD_EXEC;

/** Implements memfd_create(2). -EINVAL for flags or a name that is too long, -EFAULT, -EMFILE; no huge pages. */
function memfd_create(t: Task, namePtr: number, flags: number): number {
  if ((flags & MFD_HUGETLB) !== 0) {
    countUnsupported('memfd_create MFD_HUGETLB');
    return -ENOENT;
  }
  if ((flags & ~KNOWN) !== 0) return -EINVAL;
  if ((flags & MFD_EXEC) !== 0 && (flags & MFD_NOEXEC_SEAL) !== 0) return -EINVAL;
  const name = t.mm.copyInString(namePtr, NAME_ROOM);
  if (typeof name === 'number') return name === -EFAULT ? -EFAULT : -EINVAL;
  const noexec = (flags & MFD_NOEXEC_SEAL) !== 0;
  const file = newMemfd(
    (t.kernel.memfds ??= new MemfdFs(t.kernel.memfile)),
    t,
    name,
    O_RDWR,
    (flags & MFD_ALLOW_SEALING) !== 0,
    !noexec,
  );
  return installNew(t, file, (flags & MFD_CLOEXEC) !== 0);
}

const MFD_FLAGS = FLAGS('flags', [
  ['MFD_CLOEXEC', MFD_CLOEXEC],
  ['MFD_ALLOW_SEALING', MFD_ALLOW_SEALING],
  ['MFD_HUGETLB', MFD_HUGETLB],
  ['MFD_NOEXEC_SEAL', MFD_NOEXEC_SEAL],
  ['MFD_EXEC', MFD_EXEC],
]);

export const rows = [sys(SYS_memfd_create, [PATH, MFD_FLAGS], memfd_create, 'no huge pages')];
