// Descriptors 0, 1 and 2 of the first program, as far as they are files of the host other than terminals (terminals.ts).

import { EINVAL } from '../abi/errno.ts';
import { AT_FDCWD, F_GETFL, O_CLOEXEC, O_NOCTTY, O_NONBLOCK, O_RDWR } from '../abi/fs/fcntl.ts';
import { SYS_dup2, SYS_fcntl, SYS_openat } from '../abi/syscall.ts';
import { HostBuffer } from '../host/buffer.ts';
import type { HostPoller } from '../host/poller.ts';
import { hostCall } from '../host/syscall.ts';
import { failed } from '../sentry/base/errno.ts';
import { log } from '../sentry/base/log.ts';
import type { HostWorld } from '../sentry/fs/hostfile/host_inode.ts';
import { HostFiles, mayBePassed } from '../sentry/fs/hostfile/stdio.ts';
import type { MemoryFile } from '../sentry/memfile/memfile.ts';
import type { FdTable } from '../sentry/vfs/fdtable.ts';
import type { Inode } from '../sentry/vfs/inode.ts';
import { wasClosed } from './inherited.ts';
import { type SandboxOptions, STATUS_USAGE, StartError } from './options.ts';
import type { Terminals } from './terminals.ts';

const STDIO = [0, 1, 2];
const STDERR = 2;

/** Has one of our own descriptors refer to nothing any more. It stays in use: nobody else may get its number. */
function letGo(fd: number): void {
  if (nothing < 0) log(`stdio: descriptor ${fd} stays open: no /dev/null (${nothing})`);
  else hostCall(SYS_dup2, nothing, fd);
}

/** /dev/null, open for as long as there may be something to let go: a process that is locked down may open nothing. */
let nothing = -1;

function openNothing(): void {
  const path = HostBuffer.alloc(16);
  path.putString('/dev/null');
  nothing = hostCall(SYS_openat, AT_FDCWD, path.addr, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
}

/** Descriptors of the caller that the first program shall have. */
export function wantedFds({ inherited, passedFds }: SandboxOptions): number[] {
  return [...STDIO.filter((fd) => !wasClosed(inherited, fd)), ...passedFds.map(({ fd }) => fd)];
}

/**
 * The files of the host that the sandbox is started with. Programs inside have descriptors of their own; ours are let go,
 * so that whoever is at the other end sees it when the last program closes its own: standard input and output at the start,
 * standard error, where we may have something to say, together with the guests'.
 */
export class Stdio implements HostWorld {
  readonly poller: HostPoller;
  readonly memfile: MemoryFile;
  readonly readsBack: boolean;
  readonly showsPaths: boolean;
  /** Descriptors of the host's terminals, for which the console stands in. */
  readonly terminals: number[] = [];
  /** Standard error is ours as well to the end: somebody asked for reports there. */
  private readonly keepsError: boolean;
  private error: Inode | null = null;
  /** Standard input, output and what else was passed, as far as they are ours still. */
  private readonly given: number[] = [];

  private readonly options: SandboxOptions;

  constructor(poller: HostPoller, memfile: MemoryFile, options: SandboxOptions) {
    const { rootfs, tmpfs, mounts, network } = options;
    this.options = options;
    this.poller = poller;
    this.memfile = memfile;
    // What is hidden from the guest's tree must not come back as the content of its own output.
    this.readsBack = rootfs === '/' && tmpfs.length === 0 && mounts.length === 0;
    this.showsPaths = rootfs === '/';
    this.keepsError = [options.strace, options.profile, options.diff].includes('-') || network.pcap !== null;
  }

  get wanted(): number[] {
    return wantedFds(this.options);
  }

  /** Fills the descriptors with files of the host; those that are terminals stay free for them. */
  open(fds: FdTable, terminals: Terminals): void {
    const asked = new Set(this.options.passedFds.flatMap((p) => (p.asked ? [p.fd] : [])));
    const files = new HostFiles(this);
    for (const fd of this.wanted) {
      if (terminals.has(fd)) {
        if (fd !== STDERR) this.given.push(fd);
        continue;
      }
      const file = fd <= STDERR || mayBePassed(fd) ? files.open(fd) : -EINVAL;
      if (failed(file)) {
        log(`stdio: descriptor ${fd} cannot be used (${file})`);
        if (asked.has(fd))
          throw new StartError(
            `--pass-fd ${fd}: not of a kind that can be passed; fix: a file, pipe, socket or device`,
            STATUS_USAGE,
          );
        continue;
      }
      fds.put(fd, file, false);
      if (fd === STDERR) this.error = file.inode;
      else this.given.push(fd);
    }
  }

  /** The programs run: what they have of standard input and output is theirs alone. */
  start(): void {
    openNothing();
    for (const fd of this.given) letGo(fd);
    this.given.length = 0;
  }

  fileClosed(file: Inode): void {
    if (file !== this.error) return;
    this.error = null;
    this.terminalClosed([STDERR]);
  }

  /** No program inside has the terminal open that those descriptors are. */
  terminalClosed(fds: readonly number[]): void {
    if (fds.includes(STDERR) && !this.keepsError) letGo(STDERR);
  }
}

/** The access mode of one of our descriptors, O_*. */
export function accessOf(fd: number): number {
  return hostCall(SYS_fcntl, fd, F_GETFL, 0);
}
