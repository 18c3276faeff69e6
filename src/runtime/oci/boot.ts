// The process that is a container: it gets its order from `create` by a socket pair, builds the sandbox, listens on the control
// socket, says that it is ready, and has the first program's status in the end.
//
//   create                               boot
//     | -- {spec, ...} one line -------->  |   builds all, the program loaded
//     | <- {"ok"} or {"error"} ----------  |   locked down; the socket pair is closed
//   start: {"method":"start"} on the control socket

import { closeSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { O_DIRECTORY, O_PATH } from '../../abi/fs/fcntl.ts';
import { TIOCSCTTY } from '../../abi/ioctl.ts';
import { PR_SET_DUMPABLE } from '../../abi/process/prctl.ts';
import { SYS_ioctl, SYS_prctl } from '../../abi/syscall.ts';
import type { CallPart } from '../../host/call_parts.ts';
import { FILL } from '../../host/landlock.ts';
import type { HostPoller } from '../../host/poller.ts';
import { hostCall } from '../../host/syscall.ts';
import { fromText } from '../../sentry/base/bytes.ts';
import type { Cred } from '../../sentry/base/cred.ts';
import type { BindFs } from '../../sentry/fs/bind/bindfs.ts';
import type { Kernel } from '../../sentry/kernel/kernel.ts';
import { SeccompChain } from '../../sentry/kernel/task/seccomp.ts';
import type { Task } from '../../sentry/kernel/task/task.ts';
import type { ThreadGroup } from '../../sentry/kernel/task/threadgroup.ts';
import { type ContainerParts, Loader } from '../boot.ts';
import { type Reach, reach, SOCKETS } from '../lockdown/reach.ts';
import { CONTROL_PART } from '../lockdown/sentry_calls.ts';
import { STATUS_KERNEL_BUG, STATUS_USAGE, StartError } from '../options.ts';
import { bugReport } from '../report.ts';
import { hostUsesV1 } from './cgroup.ts';
import { sandboxOptions } from './container.ts';
import { ControlServer } from './control_server.ts';
import { startFailure } from './exec.ts';
import { HostOom } from './host_oom.ts';
import { ContainerLimits } from './limits.ts';
import { ContainerTree } from './mounts.ts';
import { credOf } from './process.ts';
import { compileSeccomp, confine } from './seccomp.ts';
import type { Spec } from './spec.ts';

/** What `create` tells a boot process. */
export interface BootOrder {
  readonly spec: Spec;
  /** The state folder, in which the control socket is made. */
  readonly stateDir: string;
  /** Folders of control groups to join. */
  readonly cgroups: readonly string[];
  readonly preserveFds: number;
  readonly debugLog: string | null;
  /** Another process opens the host's files (runtime/gofer.ts). */
  readonly gofer: boolean;
}

/** Where those of `exec` are opened anew. */
const TERMINALS = '/dev/pts';

const LINE_MAX = 64 << 20;

/** The line that `create` sends; null when it is gone. */
function readOrder(fd: number): BootOrder | null {
  const parts: Buffer[] = [];
  let size = 0;
  for (;;) {
    const part = Buffer.alloc(1 << 16);
    const n = readSync(fd, part);
    size += n;
    if (n === 0 || size > LINE_MAX) return null;
    parts.push(part.subarray(0, n));
    if (part[n - 1] === 10) return JSON.parse(Buffer.concat(parts).toString()) as BootOrder;
  }
}

class Container implements ContainerParts {
  readonly calls: readonly CallPart[] = [CONTROL_PART];
  readonly reach: readonly Reach[];
  readonly terminals = TERMINALS;
  private readonly order: BootOrder;
  private readonly sync: number;
  private readonly hostOom: HostOom | null;
  private readonly cgroupsV1: boolean;
  /** The first program was killed because memory was short. */
  private ranOut = false;
  private readonly warnings: string[] = [];
  private tree: ContainerTree | null = null;
  private control: ControlServer | null = null;
  private limits: ContainerLimits | null = null;

  constructor(order: BootOrder, sync: number) {
    this.order = order;
    this.sync = sync;
    this.reach = [reach(order.stateDir, SOCKETS), reach(TERMINALS, FILL)];
    // Before files are given up.
    this.hostOom = HostOom.open(order.cgroups);
    this.cgroupsV1 = hostUsesV1() && order.spec.mounts.some((m) => m.type === 'cgroup');
  }

  get personality(): number {
    return this.order.spec.personality;
  }

  get paused(): boolean {
    return this.control?.paused === true;
  }

  mount(kernel: Kernel, ctx: ConstructorParameters<typeof ContainerTree>[1], binds: BindFs[]): ContainerTree {
    const { spec } = this.order;
    if (spec.hostname !== null) kernel.uts.nodename = fromText(spec.hostname);
    if (spec.domainname !== null) kernel.uts.domainname = fromText(spec.domainname);
    kernel.cgroupsV1 = this.cgroupsV1;
    this.limits = new ContainerLimits(kernel, spec.resources);
    this.tree = new ContainerTree(kernel, ctx, spec, binds, this.limits, (line) => {
      this.warnings.push(line);
    });
    return this.tree;
  }

  cred(): Cred {
    return credOf(this.order.spec.process);
  }

  built(kernel: Kernel, poller: HostPoller, init: Task): void {
    const { oomScoreAdj } = this.order.spec.process;
    if (oomScoreAdj !== null) init.group.oomScoreAdj = oomScoreAdj;
    const { devpts } = this.tree!;
    const seccomp = this.filter();
    if (seccomp !== null) confine(init, seccomp);
    // By way of the folder's descriptor: names of sockets are short, and engines' ids alone have 64 letters.
    const at = openSync(this.order.stateDir, O_PATH | O_DIRECTORY);
    const path = `/proc/self/fd/${at}/control.sock`;
    this.control = new ControlServer({ kernel, poller, init, devpts, seccomp }, this.limits!, path);
    closeSync(at);
  }

  outOfMemory(victim: ThreadGroup): void {
    this.ranOut ||= victim === victim.kernel.initGroup;
    this.control?.tellOutOfMemory();
  }

  /** All of the sandbox has ended. */
  over(): void {
    if (this.ranOut) this.hostOom?.strike();
  }

  private filter(): SeccompChain | null {
    const { seccomp } = this.order.spec;
    if (seccomp === null) return null;
    const filter = compileSeccomp(seccomp);
    if (filter === null) throw new StartError('linux.seccomp: too long a filter', STATUS_USAGE);
    return new SeccompChain(filter, null);
  }

  ready(lack: string | null): void {
    // Nobody knows of a container whose `create` is gone.
    if (!tell(this.sync, { ok: true, lack, warnings: this.warnings })) process.exit(STATUS_KERNEL_BUG);
  }
}

/** The last word to `create`; false when it does not listen any more. */
function tell(sync: number, answer: Record<string, unknown>): boolean {
  try {
    writeSync(sync, `${JSON.stringify(answer)}\n`);
    closeSync(sync);
    return true;
  } catch {
    return false;
  }
}

/** Runs a container in this process; the wait status of its first program, or null when it could not be built. */
export function bootContainer(sync: number): number | null {
  const order = readOrder(sync);
  if (order === null) return null;
  const { spec } = order;
  try {
    // Its memory is nobody's to read, other than the guests' host's: see proc(5), ptrace(2).
    hostCall(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
    for (const dir of order.cgroups) writeFileSync(join(dir, 'cgroup.procs'), String(process.pid));
    const { terminal, oomScoreAdj } = spec.process;
    if (oomScoreAdj !== null) raiseOomScore(oomScoreAdj);
    // `create` made this process the leader of a session, and the terminal its standard input.
    if (terminal) hostCall(SYS_ioctl, 0, TIOCSCTTY, 0);
    const options = sandboxOptions(spec, order);
    const container = new Container(order, sync);
    const loader = new Loader(options, null, null, null, container);
    const status = loader.run();
    container.over();
    return status;
  } catch (error) {
    const text =
      error instanceof StartError
        ? startFailure(error, spec.process.args[0]!)
        : bugReport(null, error).slice(0, 8192);
    tell(sync, { error: text });
    return null;
  }
}

/** The host's own judgement of who dies first; less than it is now is root's to ask for. */
function raiseOomScore(score: number): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', String(score));
  } catch {
    // The guest sees what was asked for all the same.
  }
}
