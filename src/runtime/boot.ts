// Loader: from options to a running sandbox, step by step in the order of the seed's `boot`: memory file, platform,
// kernel, root, kernel file systems, descriptors, first program. run() is the rest of its life.

import { errnoName } from '../abi/errno.ts';
import { SIGKILL } from '../abi/signal/signal.ts';
import type { CallPart } from '../host/call_parts.ts';
import { monotonicNs } from '../host/clock.ts';
import { exitProcess } from '../host/exit.ts';
import { HostPoller } from '../host/poller.ts';
import { complain } from '../host/write_all.ts';
import { type Cred, credFor } from '../sentry/base/cred.ts';
import { failed } from '../sentry/base/errno.ts';
import { log } from '../sentry/base/log.ts';
import { PAGE_SIZE } from '../sentry/base/page.ts';
import { mark } from '../sentry/base/startup.ts';
import type { BindFs } from '../sentry/fs/bind/bindfs.ts';
import { prepareCpuinfo } from '../sentry/fs/proc/cpuinfo.ts';
import { HiddenFiles, NOTHING_HIDDEN } from '../sentry/fs/rootfs/hidden.ts';
import type { Devpts } from '../sentry/fs/tty/devpts.ts';
import { Kernel, type SyscallTracer } from '../sentry/kernel/kernel.ts';
import { setLimits } from '../sentry/kernel/memory_guard.ts';
import { createInit } from '../sentry/kernel/task/init.ts';
import type { Task } from '../sentry/kernel/task/task.ts';
import type { ThreadGroup } from '../sentry/kernel/task/threadgroup.ts';
import { chooseClock } from '../sentry/kernel/time/clock_way.ts';
import { VdsoPages } from '../sentry/kernel/time/vdso_pages.ts';
import { ExecLoader } from '../sentry/loader/exec.ts';
import { emulateVsyscall } from '../sentry/loader/vsyscall.ts';
import { MemoryFile } from '../sentry/memfile/memfile.ts';
import type { Platform } from '../sentry/platform/platform.ts';
import { makeSyscallTable } from '../sentry/syscalls/table.ts';
import { FdTable } from '../sentry/vfs/fdtable.ts';
import { FsContext } from '../sentry/vfs/fscontext.ts';
import type { MountNamespace } from '../sentry/vfs/mount_namespace.ts';
import { BootContext } from './boot_context.ts';
import { loadCommand } from './command.ts';
import { DebugLog } from './debug_log.ts';
import { Gofer } from './gofer.ts';
import { defaultTasks, limitTooSmall } from './host_limits.ts';
import { nameHost } from './host_name.ts';
import { HostSignals, type SignalTarget } from './host_signals.ts';
import { HostStop } from './host_stop.ts';
import { handOn } from './inherited.ts';
import { isForced } from './lockdown/capabilities.ts';
import { giveUpCapabilities, giveUpFiles, lockDown } from './lockdown/lockdown.ts';

import type { Reach } from './lockdown/reach.ts';
import { mountExtra, mountKernelFs, mountRoot } from './mounts.ts';
import type * as Authority from './network/authority.ts';
import { type Network, setUpNetwork } from './network/network.ts';
import { type SandboxOptions, STATUS_KERNEL_BUG, STATUS_USAGE, StartError } from './options.ts';
import type { KeptLayer, openLayer as OpenLayer } from './overlay.ts';
import { createPlatform } from './platforms.ts';
import { bugReport, describeKernel } from './report.ts';
import { accessOf, Stdio, wantedFds } from './stdio.ts';
import { Terminals } from './terminals.ts';
import { HostTimer } from './timers.ts';
import { envOf, identityOf } from './users.ts';
import { workingDirectory } from './working_dir.ts';

/** What a container tells of the lock-down: `lack` of seccomp, and what else the host refused. */
function less(lack: string | null, others: readonly string[]): string | null {
  const all = others.length === 0 ? [] : [`less secure: the host refuses ${others.join('; ')}`];
  if (lack !== null) all.unshift(lack);
  return all.length === 0 ? null : all.join('; ');
}

/** What makes a sandbox a container (oci/): its own files and identity in place of the caller's, and somebody who starts it. */
export interface ContainerParts {
  /** System calls of the host that it needs while it runs, and files. */
  readonly calls: readonly CallPart[];
  readonly reach: readonly Reach[];
  /** The directory of the terminals that programs are given later. */
  readonly terminals: string;
  /** personality(2) of the first program. */
  readonly personality: number;
  /** Nothing inside goes on. */
  readonly paused: boolean;
  mount(
    kernel: Kernel,
    ctx: BootContext,
    binds: BindFs[],
  ): { readonly ns: MountNamespace; readonly devpts: Devpts };
  cred(): Cred;
  /** A process inside was killed because memory was short. */
  outOfMemory(victim: ThreadGroup): void;
  /** All is there; the first program waits until it is made ready. */
  built(kernel: Kernel, poller: HostPoller, init: Task): void;
  /** The loop is about to begin; `lack` is what was not locked down, as a line for people. */
  ready(lack: string | null): void;
}

export class Loader implements SignalTarget {
  readonly options: SandboxOptions;
  private readonly debugLog: DebugLog | null;
  private readonly tracer: SyscallTracer | null;
  /** What --overlay needs, when it is asked for. */
  private readonly openLayer: typeof OpenLayer | null;
  /** The same of --secret and of rules about requests. */
  private readonly authority: typeof Authority | null;
  private readonly container: ContainerParts | null;
  private memfile!: MemoryFile;
  private poller!: HostPoller;
  private platform!: Platform;
  kernel!: Kernel;
  private ctx!: BootContext;
  ns!: MountNamespace;
  private devpts!: Devpts;
  private terminals: Terminals | null = null;
  private binds: BindFs[] = [];
  private network: Network | null = null;
  private gofer: Gofer | null = null;
  private stdio!: Stdio;
  private init!: Task;
  /** What of the lock-down the host refused. */
  private readonly lacks: string[] = [];
  private stepNumber = 0;
  private stopStatus = -1;

  /** Builds everything up to the first program, `tracer` watching. Throws StartError for what the caller can put right. */
  constructor(
    options: SandboxOptions,
    tracer: SyscallTracer | null = null,
    openLayer: typeof OpenLayer | null = null,
    authority: typeof Authority | null = null,
    container: ContainerParts | null = null,
  ) {
    this.options = options;
    this.tracer = tracer;
    this.openLayer = openLayer;
    this.authority = authority;
    this.container = container;
    this.debugLog =
      options.debugLog === null ? null : new DebugLog(options.debugLog, container === null ? 'do' : 'boot');
    try {
      this.build();
    } catch (error) {
      log(`boot failed: ${(error as Error).stack}`);
      this.close();
      throw error;
    }
  }

  private build(): void {
    const o = this.options;
    this.memfile = this.step('memory file', () => this.makeMemoryFile());
    this.poller = this.step('host poller', () => new HostPoller());
    // Before the first stub: see lockdown/reach.ts.
    const given = o.hidden.length === 0 ? NOTHING_HIDDEN : new HiddenFiles(o.hidden);
    const layer = o.overlay === null ? null : this.openLayer!(o.overlay, o.rootfs, given);
    const hidden = layer === null ? given : new HiddenFiles(o.hidden, [layer.path]);
    // Later this process may list no directory.
    if (o.gofer) hidden.prepare();
    if (o.gofer) this.gofer = this.step('gofer', () => new Gofer((report) => this.goferEnded(report)));
    this.step('files given up', () => this.note(giveUpFiles(o, wantedFds(o), this.container?.reach)));
    this.platform = this.step(`platform ${o.platform}`, () =>
      createPlatform(this.memfile, this.poller.fd, o),
    );
    this.kernel = this.step('kernel', () => this.makeKernel());
    this.step('timers', () => new HostTimer(this.poller, this.kernel.time));
    this.ctx = new BootContext(credFor(0, 0), this.kernel.time);
    this.step('vdso', () => this.makeVdso());
    if (this.container === null) this.mountTree(hidden, layer);
    else {
      const tree = this.step('container', () => this.container!.mount(this.kernel, this.ctx, this.binds));
      this.ns = tree.ns;
      this.devpts = tree.devpts;
    }
    const { hostname } = o;
    if (hostname !== null) this.step('host name', () => nameHost(this.kernel, this.ctx, hostname));
    if (o.network.mode !== 'none' || o.network.pcap !== null)
      this.network = this.step(`network ${o.network.mode}`, () =>
        setUpNetwork(this.kernel, this.poller, this.ctx, o.network, o.env, this.authority),
      );
    this.init = this.step('first program', () => this.makeInit());
    this.step(
      'host signals',
      () => new HostSignals(this.kernel, this.poller, this, o.dumpSignal, o.inherited),
    );
    this.container?.built(this.kernel, this.poller, this.init);
  }

  private mountTree(hidden: HiddenFiles, layer: KeptLayer | null): void {
    const o = this.options;
    this.ns = this.step(`root ${o.rootfs}`, () =>
      mountRoot(
        this.kernel,
        this.ctx,
        o.rootfs,
        hidden,
        layer === null ? undefined : (lower) => layer.over(this.kernel, this.ctx, lower, this.binds),
      ),
    );
    this.devpts = this.step('kernel file systems', () => mountKernelFs(this.kernel, this.ctx, this.ns));
    this.step('mounts', () =>
      mountExtra(this.kernel, this.ctx, this.ns, o.tmpfs, o.mounts, hidden, this.binds),
    );
  }

  /** Runs one step of the boot and logs how long it took. */
  private step<T>(name: string, body: () => T): T {
    const start = monotonicNs();
    const result = body();
    mark(name);
    log(`boot ${++this.stepNumber}: ${name} (${((monotonicNs() - start) / 1e6).toFixed(2)} ms)`);
    return result;
  }

  private makeMemoryFile(): MemoryFile {
    const lack = limitTooSmall();
    if (lack !== null) throw new StartError(lack, STATUS_USAGE);
    const m = MemoryFile.create(this.options.totalMemBytes);
    if (failed(m))
      throw new StartError(
        `no memory file: memfd_create: ${errnoName(-m)}; fix: Linux 3.17 or newer, and a seccomp profile that allows it`,
        STATUS_USAGE,
      );
    return m;
  }

  private makeVdso(): void {
    const { clock, numCpu } = this.options;
    const choice = chooseClock(clock, this.platform);
    if (typeof choice === 'string') throw new StartError(`--clock ${clock}: ${choice}`, STATUS_USAGE);
    const vdso = VdsoPages.create(this.memfile, this.kernel.time, numCpu, choice);
    if (failed(vdso)) throw new Error(`vdso: ${errnoName(-vdso)}`);
    this.kernel.vdso = vdso;
  }

  private makeKernel(): Kernel {
    const o = this.options;
    const k = new Kernel(this.platform, this.memfile, makeSyscallTable());
    k.loader = new ExecLoader();
    k.emulateVsyscall = emulateVsyscall;
    k.numCpu = o.numCpu;
    k.taskLimit.max = o.maxTasks > 0 ? o.maxTasks : defaultTasks(o.totalMemBytes);
    k.totalMemBytes = Math.min(o.totalMemBytes, this.memfile.limitPages * PAGE_SIZE);
    setLimits(k.totalMemBytes);
    k.tracer = this.tracer;
    k.onOutOfMemory = (text, victim) => {
      // A container's standard error is its programs' alone.
      if (this.container === null) complain(`vedette: ${text}\n`);
      else this.container.outOfMemory(victim);
    };
    k.onHostEvents = () => {
      this.poller.dispatch(0);
      // Threads that run come to a stop of their own and wait until they are handled.
      while (this.container?.paused === true) this.poller.dispatch(-1);
    };
    return k;
  }

  private makeInit(): Task {
    const o = this.options;
    const identity =
      this.container === null ? identityOf(this.ctx, o.user) : { cred: this.container.cred(), variables: {} };
    const { cred } = identity;
    const ctx = this.ctx.as(cred);
    const cwd = workingDirectory(ctx, this.ctx, this.memfile, o);
    ctx.fs.setCwd(cwd);
    const fs = new FsContext(ctx.fs.root, cwd, o.inherited.umask);
    const limits = o.inherited.limits.clone();
    const env = envOf(this.network?.env ?? o.env, o.followsUser, identity);
    const personality = this.container?.personality ?? 0;
    const program = loadCommand({ kernel: this.kernel, ctx, argv: o.argv, env, limits, personality });
    const fds = new FdTable();
    this.stdio = new Stdio(this.poller, this.memfile, o);
    const terminals = new Terminals(this.poller, this.devpts, cred.uid, this.stdio.wanted, (closed) =>
      this.stdio.terminalClosed(closed),
    );
    this.terminals = terminals;
    this.stdio.open(fds, terminals);
    const init = createInit(this.kernel, {
      mm: program.mm,
      entry: program.entry,
      sp: program.sp,
      exePath: program.exePath,
      exeFile: program.exeFile,
      name: program.name,
      fs,
      fds,
      cred: program.cred,
      limits,
      held: this.container !== null,
    });
    init.personality = personality;
    handOn(init, o.inherited);
    const r = terminals.attach(init, accessOf);
    if (r < 0) throw new Error(`terminal: ${errnoName(-r)}`);
    new HostStop(this.kernel, terminals.controlling);
    return init;
  }

  /** Runs the sandbox to its end; the wait status of the first program. */
  run(): number {
    const o = this.options;
    this.step('capabilities given up', () => this.note(giveUpCapabilities(o, wantedFds(o))));
    this.stdio.start();
    if (this.gofer !== null) this.step('gofer sealed', () => this.sealGofer(this.gofer!));
    const lack = this.step('lock-down', () => lockDown(o, this.platform.name, this.container?.calls ?? []));
    if (this.container !== null) this.container.ready(less(lack, this.lacks));
    else if (lack !== null) complain(`vedette: ${lack}\n`);
    try {
      this.kernel.run();
    } catch (error) {
      const report = bugReport(this.kernel, error);
      this.terminals?.restore();
      this.close();
      complain(report);
      this.debugLog?.write(report);
      process.exit(STATUS_KERNEL_BUG);
    }
    log(`sandbox ended with wait status ${this.kernel.exitStatus}`);
    mark('program run');
    const status = this.stopStatus >= 0 ? this.stopStatus : this.kernel.exitStatus;
    // Who ended by itself meant the mode that it leaves.
    if ((status & 0x7f) !== 0) this.terminals?.restore();
    this.close();
    mark('shutdown');
    return status;
  }

  private note(lack: string | null): void {
    if (lack !== null) this.lacks.push(lack);
  }

  /** What is read by name on occasion is read now. */
  private sealGofer(gofer: Gofer): void {
    prepareCpuinfo();
    const descriptors = wantedFds(this.options);
    const terminals = this.container?.terminals ?? '';
    this.lacks.push(...gofer.seal(this.poller, descriptors, terminals, descriptors.some(isForced)));
  }

  private goferEnded(report: string): never {
    log(report);
    this.terminals?.restore();
    this.close();
    complain(`vedette: ${report}\n`);
    return exitProcess(STATUS_KERNEL_BUG);
  }

  /** Ends every process of ours. */
  private close(): void {
    if (this.platform !== undefined) this.platform.shutdown();
    // No program runs any more that could write to a mapped file.
    for (const fs of this.binds) {
      const r = fs.writeBack();
      if (r < 0) complain(`vedette: a mapped file could not be written: ${errnoName(-r)}\n`);
    }
    this.binds = [];
    this.network?.close();
    this.network = null;
    this.gofer?.close();
    this.gofer = null;
    this.debugLog?.close();
  }

  stop(sig: number): void {
    log(`stopped: the guest does not react to signal ${sig}`);
    this.stopStatus = sig;
    this.kernel.signals.beginGroupExit(this.init.group, SIGKILL);
  }

  dump(): void {
    const text = describeKernel(this.kernel);
    if (this.debugLog !== null) this.debugLog.write(text);
    else complain(`${text}\n`);
  }

  foreground(): number {
    return this.terminals?.controlling?.foreground ?? 0;
  }

  terminalSignal(sig: number): boolean {
    if (this.foreground() === 0) return false;
    this.terminals!.controlling!.ttySignal(sig);
    return true;
  }
}
