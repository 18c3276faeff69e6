// One command at a time on a container: flock(2) on a file beside the containers' folders. It ends with the process, however that ends.

import { closeSync, fstatSync, openSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EINTR } from '../../abi/errno.ts';
import { LOCK_EX } from '../../abi/fs/fcntl.ts';
import { SYS_flock } from '../../abi/syscall.ts';
import { makeFolders } from '../../host/folders.ts';
import { hostCall } from '../../host/syscall.ts';

/** No container's id has this character. */
export const LOCKS = '@locks';

export class ContainerLock {
  private readonly file: string;
  private fd: number;

  /** Waits for its turn. */
  constructor(root: string, id: string) {
    const dir = join(root, LOCKS);
    makeFolders(dir, 0o700);
    this.file = join(dir, id);
    for (;;) {
      this.fd = openSync(this.file, 'w', 0o600);
      let r: number;
      do r = hostCall(SYS_flock, this.fd, LOCK_EX);
      while (r === -EINTR);
      if (this.isCurrent()) return;
      closeSync(this.fd);
    }
  }

  /** Whoever had it before may have removed the file. */
  private isCurrent(): boolean {
    try {
      return statSync(this.file).ino === fstatSync(this.fd).ino;
    } catch {
      return false;
    }
  }

  /** Lets the next one in; `gone`: the container is no more, and the file goes too. */
  release(gone = false): void {
    if (this.fd < 0) return;
    if (gone) rmSync(this.file, { force: true });
    closeSync(this.fd);
    this.fd = -1;
  }
}
