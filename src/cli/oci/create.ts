// `vedette create`: a container up to the point where its program could run. `run` is this and `start`.

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { userInfo } from 'node:os';
import { join, resolve } from 'node:path';
import { errnoName } from '../../abi/errno.ts';
import { CLONE_NEWNET } from '../../abi/process/sched.ts';
import { SYS_pidfd_open, SYS_setns, SYS_unshare } from '../../abi/syscall.ts';
import { type HostPty, openPty, setWindowSize } from '../../host/pty.ts';
import { hostCall } from '../../host/syscall.ts';
import { connectUnix, sendMessage } from '../../host/unix_socket.ts';
import type { BootOrder } from '../../runtime/oci/boot.ts';
import { cgroupPath, makeCgroups, removeCgroups } from '../../runtime/oci/cgroup.ts';
import { writeLimits } from '../../runtime/oci/cgroup_limits.ts';
import { RuntimeError } from '../../runtime/oci/failure.ts';
import { runHooks } from '../../runtime/oci/hooks.ts';
import { ContainerLock } from '../../runtime/oci/lock.ts';
import { readSpec } from '../../runtime/oci/read_spec.ts';
import type { Spec, SpecNamespace } from '../../runtime/oci/spec.ts';
import { type ContainerRecord, StateFolder, startTimeOf } from '../../runtime/oci/state.ts';
import { type Context, stateOf, theId } from './context.ts';
import { type Flags, readFlags } from './flags.ts';

export const CREATE_FLAGS = {
  bundle: 'text',
  'console-socket': 'text',
  'pidfd-socket': 'text',
  'pid-file': 'text',
  'no-pivot': 'bool',
  'no-new-keyring': 'bool',
  'preserve-fds': 'text',
} as const;

/** Reads the bundle's config.json. */
function specOf(bundle: string): Spec {
  let text: string;
  try {
    text = readFileSync(join(bundle, 'config.json'), 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new RuntimeError(
      code === 'ENOENT'
        ? `JSON specification file ${join(bundle, 'config.json')} not found; fix: --bundle DIR, or vedette spec; a program runs by: vedette do -- CMD`
        : `config.json: ${(error as Error).message}`,
    );
  }
  return readSpec(text, bundle);
}

/** A terminal. Its master goes to whoever listens at the --console-socket; without one it is kept, for a program that is waited for. */
export function makeConsole(
  socket: string | null,
  size: Spec['process']['consoleSize'],
  waits: boolean,
): HostPty {
  if (socket === null && !waits)
    throw new RuntimeError('cannot allocate tty if runc will detach without setting console socket');
  if (socket !== null && waits)
    throw new RuntimeError('cannot use console socket if runc will not detach or allocate tty');
  const pty = openPty();
  if (typeof pty === 'number') throw new RuntimeError(`no terminal: ${errnoName(-pty)}`);
  if (size !== null) setWindowSize(pty.slave, size.height, size.width);
  if (socket === null) return pty;
  const r = sendFd(socket, '/dev/ptmx', pty.master);
  closeSync(pty.master);
  if (r < 0) throw new RuntimeError(`--console-socket ${socket}: ${errnoName(-r)}`);
  return pty;
}

/** Writes a pid as whole or not at all. */
export function writePidFile(file: string, pid: number): void {
  const path = resolve(file);
  const part = join(path, '..', `.${path.slice(path.lastIndexOf('/') + 1)}.${process.pid}`);
  try {
    writeFileSync(part, String(pid), { mode: 0o644 });
    renameSync(part, path);
  } catch (error) {
    throw new RuntimeError(`--pid-file ${file}: ${(error as NodeJS.ErrnoException).code}`);
  }
}

/** Sends a descriptor of the process, pidfd_open(2), to whoever listens at the --pidfd-socket; runc's name for it goes along. */
export function sendPidfd(flags: Flags, pid: number, name: string): void {
  const socket = flags.text('pidfd-socket');
  if (socket === null) return;
  const pidfd = hostCall(SYS_pidfd_open, pid, 0);
  if (pidfd < 0) throw new RuntimeError(`--pidfd-socket: pidfd_open: ${errnoName(-pidfd)}`);
  const r = sendFd(socket, name, pidfd);
  closeSync(pidfd);
  if (r < 0) throw new RuntimeError(`--pidfd-socket ${socket}: ${errnoName(-r)}`);
}

function sendFd(socket: string, name: string, fd: number): number {
  const at = connectUnix(socket);
  const r = at < 0 ? at : sendMessage(at, Buffer.from(name), [fd]);
  if (at >= 0) closeSync(at);
  return r;
}

/** The network namespace of this thread. */
const OWN_NETWORK = '/proc/thread-self/ns/net';

/** Moves this thread to the namespace of the host that a container is to be in. */
function enterNetwork(path: string | null): void {
  if (path === null) {
    // Nothing of the host's network is needed. Who may not make one keeps it, out of reach: no call for sockets is left (lockdown).
    hostCall(SYS_unshare, CLONE_NEWNET);
    return;
  }
  const what = `linux.namespaces: network ${path}`;
  let fd: number;
  try {
    // Its interfaces are taken over: never those of the machine.
    if (statSync(path).ino === statSync(OWN_NETWORK).ino)
      throw new RuntimeError(`${what}: is the caller's own; fix: leave network out of the list to share it`);
    fd = openSync(path, 'r');
  } catch (error) {
    if (error instanceof RuntimeError) throw error;
    throw new RuntimeError(`${what}: ${(error as NodeJS.ErrnoException).code}; fix: a namespace that exists`);
  }
  const r = hostCall(SYS_setns, fd, CLONE_NEWNET);
  closeSync(fd);
  if (r < 0) throw new RuntimeError(`${what}: ${errnoName(-r)}`);
}

/** Does something in the network namespace that the specification wants: setns(2) is this thread's, and its children's. */
function inNetwork<T>(ns: SpecNamespace | undefined, body: () => T): T {
  if (ns === undefined) return body();
  const own = openSync(OWN_NETWORK, 'r');
  try {
    enterNetwork(ns.path);
    return body();
  } finally {
    hostCall(SYS_setns, own, CLONE_NEWNET);
    closeSync(own);
  }
}

/** Starts this program once more, as another process of its own session. */
export function spawnSelf(
  word: string,
  stdio: (number | 'pipe')[],
  cwd: string,
): { child: ChildProcess; sync: Socket } {
  const at = stdio.length;
  const child = spawn(process.execPath, [...process.execArgv, '--', process.argv[1]!, word, String(at)], {
    cwd,
    detached: true,
    stdio: [...stdio, 'pipe'],
  });
  return { child, sync: child.stdio[at] as Socket };
}

/** Sends the order and waits for the answer: null when the process ended without one. */
export function command(
  child: ChildProcess,
  sync: Socket,
  order: object,
): Promise<Record<string, unknown> | null> {
  return new Promise((done) => {
    let text = '';
    sync.on('data', (bytes: Buffer) => {
      text += bytes.toString();
    });
    sync.on('error', () => {});
    sync.on('close', () => done(text === '' ? null : (JSON.parse(text) as Record<string, unknown>)));
    child.on('error', () => done(null));
    sync.write(`${JSON.stringify(order)}\n`);
  });
}

export interface Created {
  readonly folder: StateFolder;
  readonly record: ContainerRecord;
  readonly child: ChildProcess;
  /** The master of its terminal, when that is this process's to serve. */
  readonly master: number | null;
}

/** Makes the container. `waits`: this process stays until its end. */
export async function createContainer(
  ctx: Context,
  id: string,
  flags: Flags,
  waits = false,
): Promise<Created> {
  const bundle = resolve(flags.text('bundle') ?? '.');
  const folder = new StateFolder(ctx.root, id);
  const spec = specOf(bundle);
  for (const line of spec.warnings) ctx.log.warn(line);
  folder.make();
  const lock = new ContainerLock(ctx.root, id);
  let cgroups: string[] = [];
  let child: ChildProcess | null = null;
  try {
    const asked = spec.cgroupsPath;
    // What nobody has asked for may be missing without a word.
    const warn = (line: string) => (asked === null ? undefined : ctx.log.warn(line));
    cgroups = makeCgroups(asked === null ? `/${id}` : cgroupPath(asked, ctx.systemdCgroup), warn);
    const made = boot(spec, flags, bundle, waits);
    child = made.child;
    let record: ContainerRecord = {
      ociVersion: spec.ociVersion,
      id,
      pid: child.pid ?? 0,
      startTime: child.pid === undefined ? '' : (startTimeOf(child.pid) ?? ''),
      bundle,
      rootfs: spec.rootPath,
      created: new Date().toISOString(),
      owner: process.getuid!() === 0 ? 'root' : userInfo().username,
      annotations: spec.annotations,
      cgroups,
      complete: false,
      lack: null,
      resources: spec.resources,
      startContainer: spec.hooks.startContainer,
      poststart: spec.hooks.poststart,
      poststop: spec.hooks.poststop,
    };
    folder.write(record);
    const order: BootOrder = {
      spec,
      stateDir: folder.dir,
      cgroups,
      preserveFds: flags.number('preserve-fds'),
      debugLog: ctx.debugLog,
      gofer: ctx.gofer || spec.annotations['dev.vedette.gofer'] === 'true',
    };
    const answer = await command(child, made.sync, order);
    if (answer === null) throw new RuntimeError('the boot process ended before the container was ready');
    if (typeof answer.error === 'string') throw new RuntimeError(`runc create failed: ${answer.error}`);
    const lack = typeof answer.lack === 'string' ? answer.lack : null;
    if (lack !== null) ctx.log.warn(lack);
    for (const line of answer.warnings as string[]) ctx.log.warn(line);
    // Not before: the kernel would be built within the programs' share of time.
    writeLimits(cgroups, spec.resources, (line) => ctx.log.warn(line));
    record = { ...record, lack };
    const state = { ...stateOf(record, 'created'), status: 'creating' };
    for (const kind of ['prestart', 'createRuntime', 'createContainer'] as const) {
      const failure = runHooks(kind, spec.hooks[kind], state, bundle);
      if (failure !== null) throw new RuntimeError(failure);
    }
    record = { ...record, complete: true };
    folder.write(record);
    const pidFile = flags.text('pid-file');
    if (pidFile !== null) writePidFile(pidFile, record.pid);
    sendPidfd(flags, record.pid, 'standard');
    return { folder, record, child, master: made.master };
  } catch (error) {
    if (child?.pid !== undefined) child.kill('SIGKILL');
    if (child !== null) await ended(child);
    removeCgroups(cgroups);
    folder.remove();
    lock.release(true);
    throw error;
  } finally {
    lock.release();
  }
}

export function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined)
    return Promise.resolve();
  return new Promise((done) => void child.on('exit', () => done()));
}

/** Starts the boot process with the container's descriptors. */
function boot(
  spec: Spec,
  flags: Flags,
  bundle: string,
  waits: boolean,
): { child: ChildProcess; sync: Socket; master: number | null } {
  const { terminal, consoleSize } = spec.process;
  const socket = flags.text('console-socket');
  const pty = terminal ? makeConsole(socket, consoleSize, waits) : null;
  const stdio = pty === null ? [0, 1, 2] : [pty.slave, pty.slave, pty.slave];
  for (let i = 0; i < flags.number('preserve-fds'); i++) stdio.push(3 + i);
  const network = spec.namespaces.find((n) => n.type === 'network');
  try {
    const made = inNetwork(network, () => spawnSelf('boot', stdio, bundle));
    return { ...made, master: pty !== null && socket === null ? pty.master : null };
  } finally {
    if (pty !== null) closeSync(pty.slave);
  }
}

export async function create(ctx: Context, words: readonly string[]): Promise<number> {
  const flags = readFlags(words, CREATE_FLAGS);
  const { child } = await createContainer(ctx, theId(flags, 'create'), flags);
  child.unref();
  return 0;
}
