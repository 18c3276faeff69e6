// BeneathTrees: the gofer's own calls. A step of a path is taken by openat2(2), which resolves nothing but a name below the directory.

import { ENOSYS } from '../abi/errno.ts';
import {
  O_CLOEXEC,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
} from '../abi/fs/fcntl.ts';
import { PATH_MAX } from '../abi/limits.ts';
import { SYS_fchdir, SYS_openat, SYS_openat2, SYS_umask } from '../abi/syscall.ts';
import { putU64 } from '../abi/u64.ts';
import { HostBuffer } from '../host/buffer.ts';
import { LocalTrees } from '../host/local_trees.ts';
import { hostCall } from '../host/syscall.ts';

/** struct open_how. */
const HOW_SIZE = 24;
const HOW_RESOLVE = 16;
const how = HostBuffer.alloc(HOW_SIZE);
const path = HostBuffer.alloc(PATH_MAX + 64);
const PATH_FLAGS = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
/** Where descriptors have names, from which threads of /proc are seen too. */
const OWN_FDS = '/proc/self/fd';

export class BeneathTrees extends LocalTrees {
  constructor() {
    // What has a path of ours is found from the working directory, which is there when nothing else is.
    super('', '../../', false);
    const fd = hostCall(SYS_openat, 0, path.putString(OWN_FDS), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || hostCall(SYS_fchdir, fd) < 0) throw new Error(`${OWN_FDS} (${fd}); fix: mount /proc`);
    hostCall(SYS_umask, 0);
  }

  protected override openAt(dir: number, name: string, flags: number): number {
    // Flags that mean nothing with O_PATH are refused here.
    putU64(how.view, 0, (flags & O_PATH) === 0 ? flags : flags & PATH_FLAGS);
    putU64(how.view, HOW_RESOLVE, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
    const r = hostCall(SYS_openat2, dir, path.putString(name), how.addr, HOW_SIZE);
    // Before Linux 5.6: names have no slash, and O_NOFOLLOW is among the flags.
    return r === -ENOSYS ? super.openAt(dir, name, flags) : r;
  }
}
