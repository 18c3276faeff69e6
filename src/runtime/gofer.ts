// The process that has the host's files open for this one (src/gofer): started before this process gives up opening files, told which
// directories it serves while the tree is built, and then sealed. When it ends, the sandbox does.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { EPOLLHUP, EPOLLRDHUP } from '../abi/events/epoll.ts';
import { AT_FDCWD, F_SETFD, O_CLOEXEC, O_PATH, O_RDWR } from '../abi/fs/fcntl.ts';
import { MS_REC, MS_SLAVE } from '../abi/fs/mount.ts';
import { PATH_MAX } from '../abi/limits.ts';
import { PR_SET_PDEATHSIG } from '../abi/process/prctl.ts';
import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWUTS,
} from '../abi/process/sched.ts';
import { SIGKILL } from '../abi/signal/signal.ts';
import {
  SYS_close,
  SYS_close_range,
  SYS_dup2,
  SYS_execve,
  SYS_fcntl,
  SYS_kill,
  SYS_mount,
  SYS_openat,
  SYS_prctl,
  SYS_setsid,
  SYS_unshare,
  SYS_wait4,
} from '../abi/syscall.ts';
import { GoferClient } from '../gofer/client.ts';
import { ownNamespaces } from '../gofer/namespaces.ts';
import { REFUSED, SOCKET_FD } from '../gofer/protocol.ts';
import { HostBuffer } from '../host/buffer.ts';
import { layStrings } from '../host/exec.ts';
import { exitProcess } from '../host/exit.ts';
import { packetSocketPair } from '../host/packet_socket.ts';
import type { HostPoller, HostPollTarget } from '../host/poller.ts';
import { type ChildCall, optional, spawnWithCalls } from '../host/spawn.ts';
import { hostCall } from '../host/syscall.ts';
import { useTrees } from '../host/trees.ts';
import { fromText } from '../sentry/base/bytes.ts';
import { log } from '../sentry/base/log.ts';
import { STATUS_KERNEL_BUG, STATUS_USAGE, StartError } from './options.ts';

const PROGRAM = join(import.meta.dirname, '../../gofer.cjs');
/** As launcher.sh has it: it serves one request at a time. */
const NODE_FLAGS = ['--v8-pool-size=1', '--'];
const NAMESPACES = [CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWNET, CLONE_NEWCGROUP];
/** Where a buffer for paths has another one. */
const ROOT_AT = 4096;
/** Descriptors above that of the socket: the caller's, which are not for it. */
const LAST_FD = 0x7fff_ffff;

/** Starts the process with `theirs` as its end of the socket pair; its pid, or -errno. */
function start(theirs: number): number {
  const file = HostBuffer.alloc(ROOT_AT + 8);
  const none = hostCall(SYS_openat, AT_FDCWD, file.putString('/dev/null'), O_RDWR | O_CLOEXEC);
  if (none < 0) return none;
  const node = fromText(process.execPath);
  const calls: ChildCall[] = [
    // What a terminal sends to the sandbox is not for it.
    [SYS_setsid],
    optional(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0),
    // It may be that descriptor already, and then keeps the flag that closes it.
    theirs === SOCKET_FD ? [SYS_fcntl, theirs, F_SETFD, 0] : [SYS_dup2, theirs, SOCKET_FD],
    [SYS_dup2, none, 0],
    [SYS_dup2, none, 1],
    [SYS_dup2, none, 2],
    optional(SYS_close_range, SOCKET_FD + 1, LAST_FD, 0),
    // What root may have. Users are not renamed: files would seem to be others'.
    ...NAMESPACES.map((flag) => optional(SYS_unshare, flag)),
    // Mounts of the host go on to be seen, and none of its own reach the host.
    optional(SYS_mount, 0, file.putString('/', ROOT_AT), 0, MS_REC | MS_SLAVE, 0),
    [
      SYS_execve,
      file.putString(node),
      layStrings([node, ...NODE_FLAGS, fromText(PROGRAM), ...ownNamespaces()]).addr,
      layStrings([]).addr,
    ],
  ];
  const pid = spawnWithCalls(calls);
  hostCall(SYS_close, none);
  return pid;
}

export class Gofer implements HostPollTarget {
  readonly client: GoferClient;
  private readonly pid: number;
  private readonly ended: (report: string) => never;
  private closing = false;

  /** Starts the process: from now on it makes the calls on the host's trees. `ended` is told when it is gone before it should be. */
  constructor(ended: (report: string) => never) {
    this.ended = ended;
    const fix = 'fix: leave --gofer out';
    if (!existsSync(PROGRAM))
      throw new StartError(`--gofer: ${PROGRAM} is missing; ${fix}, or build it`, STATUS_USAGE);
    const pair = packetSocketPair();
    if (typeof pair === 'number') throw new StartError(`--gofer: no more descriptors; ${fix}`, STATUS_USAGE);
    const [ours, theirs] = pair;
    this.pid = start(theirs);
    hostCall(SYS_close, theirs);
    if (this.pid < 0)
      throw new StartError(`--gofer: no process can be started (${this.pid}); ${fix}`, STATUS_USAGE);
    this.client = new GoferClient(ours, () => this.gone());
    useTrees(this.client);
  }

  /**
   * Everything is attached: the process gives up what it does not need for that. `descriptors` are the caller's, which may be opened
   * anew, as may what is in `directory`, if that is not ''; with `forced` that takes a right over others' files. What of the
   * lock-down the host refused.
   */
  seal(poller: HostPoller, descriptors: readonly number[], directory: string, forced: boolean): string[] {
    for (const fd of descriptors) this.client.allowGiven(fd);
    if (directory !== '') {
      const path = HostBuffer.alloc(PATH_MAX);
      const fd = hostCall(SYS_openat, AT_FDCWD, path.putString(directory), O_PATH | O_CLOEXEC);
      if (fd >= 0) this.client.allowGiven(fd);
      if (fd >= 0) hostCall(SYS_close, fd);
    }
    const said = this.client.seal(forced);
    for (const line of said) log(`gofer: ${line}`);
    poller.add(this.client.socket.fd, EPOLLRDHUP | EPOLLHUP, this);
    return said
      .filter((line) => line.startsWith(REFUSED))
      .map((line) => `gofer: ${line.slice(REFUSED.length)}`);
  }

  onHostReady(): void {
    this.gone();
  }

  private gone(): never {
    // Nobody reports twice.
    if (this.closing) exitProcess(STATUS_KERNEL_BUG);
    this.closing = true;
    const status = HostBuffer.alloc(8);
    // For the case that it hangs up and goes on.
    hostCall(SYS_kill, this.pid, SIGKILL);
    const r = hostCall(SYS_wait4, this.pid, status.addr, 0, 0);
    const word = status.view.getInt32(0, true);
    const how =
      r !== this.pid ? '' : (word & 0x7f) !== 0 ? ` of signal ${word & 0x7f}` : ` with status ${word >> 8}`;
    return this.ended(
      `the process that has this machine's files open (gofer, pid ${this.pid}) ended${how}; the sandbox is stopped`,
    );
  }

  /** The sandbox is over. */
  close(): void {
    if (this.closing) return;
    this.closing = true;
    hostCall(SYS_close, this.client.socket.fd);
    // It has nothing to finish: each request was waited for.
    hostCall(SYS_kill, this.pid, SIGKILL);
    hostCall(SYS_wait4, this.pid, 0, 0, 0);
  }
}
