// What may be asked of a container while it is there: lines of JSON on a Unix socket in its state folder, answered in the kernel's
// loop. A line is {"method": NAME, ...}; its answer {"ok": true, ...} or {"error": TEXT}. Descriptors come with the line (SCM_RIGHTS).
// Whatever is malformed, too long or from somebody else is refused and changes nothing.

import { EAGAIN } from '../../abi/errno.ts';
import { EPOLLIN } from '../../abi/events/epoll.ts';
import { MSG_DONTWAIT } from '../../abi/net/socket.ts';
import { SIGHUP, SIGKILL } from '../../abi/signal/signal.ts';
import type { HostPoller, HostPollTarget } from '../../host/poller.ts';
import { hostClose } from '../../host/socket.ts';
import { acceptUnix, listenUnix, peerOf, receiveMessage, sendMessage } from '../../host/unix_socket.ts';
import { log } from '../../sentry/base/log.ts';
import { Waiter, type Wakeable } from '../../sentry/base/wait.ts';
import type { HostTty } from '../../sentry/fs/tty/host_tty.ts';
import type { Kernel } from '../../sentry/kernel/kernel.ts';
import type { Task } from '../../sentry/kernel/task/task.ts';
import type { ThreadGroup } from '../../sentry/kernel/task/threadgroup.ts';
import { type ExecPlace, execIn, type Started } from './exec.ts';
import type { ContainerLimits } from './limits.ts';
import { readProcess } from './read_process.ts';
import { readResources } from './read_resources.ts';
import { type Reader, readJson, SpecError } from './reader.ts';

/** Bytes of one line: the largest are processes with all their environment. */
const LINE_MAX = 4 << 20;
/** Commands at a time; each program that was started by exec has one. */
const CONNECTIONS_MAX = 1024;
const FDS_MAX = 16;
const BACKLOG = 128;
const SIGNAL_MAX = 64;

type Answer = Record<string, unknown>;

/** One who asks. */
class Connection implements HostPollTarget, Wakeable {
  readonly fd: number;
  /** The process at the other end: of an exec, the one that ends with the guest's status. */
  readonly pid: number;
  private readonly server: ControlServer;
  private parts: Uint8Array[] = [];
  private size = 0;
  private open = true;
  /** Descriptors that came with the line that is being read. */
  fds: number[] = [];
  /** The process whose end it is told of: one that it started, or the first. */
  group: ThreadGroup | null = null;
  /** And its terminal. */
  tty: HostTty | null = null;
  private readonly waiter: Waiter = new Waiter(this, ~0);
  /** It is told of what happens. */
  hears = false;
  /** It has started `group`, which ends with it. */
  starter = false;

  constructor(server: ControlServer, fd: number, pid: number) {
    this.server = server;
    this.fd = fd;
    this.pid = pid;
  }

  onHostReady(): void {
    const bytes = receiveMessage(this.fd, this.fds, false);
    if (typeof bytes === 'number') {
      if (bytes !== -EAGAIN) this.close();
      return;
    }
    if (bytes.length === 0) {
      // Nobody is left to tell how the program ends: it does not outlive its command.
      const { group, starter } = this;
      this.close();
      if (starter && group !== null && !group.dead) this.server.send(group, SIGKILL);
      return;
    }
    if (this.fds.length > FDS_MAX) {
      this.refuse('too many descriptors');
      return;
    }
    this.take(bytes);
  }

  private take(bytes: Uint8Array): void {
    let rest = bytes;
    for (let end = rest.indexOf(10); end >= 0 && this.open; end = rest.indexOf(10)) {
      this.parts.push(rest.subarray(0, end));
      const line = Buffer.concat(this.parts).toString();
      this.parts = [];
      this.size = 0;
      rest = rest.subarray(end + 1);
      this.answer(this.server.handle(this, line));
      this.closeFds();
    }
    if (rest.length === 0 || !this.open) return;
    this.size += rest.length;
    this.parts.push(rest);
    if (this.size > LINE_MAX) this.refuse('too long a message');
  }

  private refuse(why: string): void {
    this.answer({ error: why });
    this.close();
  }

  /** Who does not read its answers gets no more. */
  answer(answer: Answer): void {
    const bytes = Buffer.from(`${JSON.stringify(answer)}\n`);
    if (sendMessage(this.fd, bytes, [], MSG_DONTWAIT) !== bytes.length) this.close();
  }

  private closeFds(): void {
    for (const fd of this.fds) hostClose(fd);
    this.fds = [];
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    this.waiter.remove();
    this.closeFds();
    this.group = null;
    this.dropTerminal();
    this.server.closed(this);
  }

  private dropTerminal(): void {
    if (this.tty !== null) this.server.place.devpts.removeHostTty(this.tty);
    this.tty = null;
  }

  /** It is told when the program ends. */
  started({ task: { group }, tty }: Started): void {
    this.starter = true;
    this.tty = tty;
    this.waitFor(group);
  }

  waitFor(group: ThreadGroup): void {
    this.group = group;
    group.exitWait.add(this.waiter);
  }

  onReady(): void {
    const { group } = this;
    if (group === null || !group.dead) return;
    this.waiter.remove();
    this.group = null;
    this.dropTerminal();
    this.answer({ exit: group.exitStatus });
  }
}

export class ControlServer implements HostPollTarget {
  private readonly kernel: Kernel;
  private readonly poller: HostPoller;
  private readonly init: Task;
  readonly place: ExecPlace;
  readonly limits: ContainerLimits;
  private readonly fd: number;
  private readonly connections = new Set<Connection>();
  private readonly uid: number = process.getuid!();
  started = false;
  paused = false;

  /** Listens at `path`. Throws when that cannot be. */
  constructor(place: ExecPlace, limits: ContainerLimits, path: string) {
    const { kernel, poller, init } = place;
    this.place = place;
    this.limits = limits;
    this.kernel = kernel;
    this.poller = poller;
    this.init = init;
    this.fd = listenUnix(path, BACKLOG);
    if (this.fd < 0) throw new Error(`the control socket cannot be made (${this.fd})`);
    poller.add(this.fd, EPOLLIN, this);
  }

  onHostReady(): void {
    const fd = acceptUnix(this.fd);
    if (fd < 0) return;
    const peer = peerOf(fd);
    const known = typeof peer !== 'number' && (peer.uid === 0 || peer.uid === this.uid);
    if (!known || this.connections.size >= CONNECTIONS_MAX) {
      log(`oci: a connection is refused: ${known ? 'too many' : 'another user'}`);
      hostClose(fd);
      return;
    }
    const c = new Connection(this, fd, peer.pid);
    this.connections.add(c);
    this.poller.add(fd, EPOLLIN, c);
  }

  closed(c: Connection): void {
    this.connections.delete(c);
    this.poller.remove(c.fd);
    hostClose(c.fd);
  }

  /** The answer to one line. */
  handle(c: Connection, line: string): Answer {
    try {
      const r = readJson(line, 'message');
      const method = r.at('method').string();
      const row = METHODS.get(method);
      if (row === undefined) return { error: `unknown method ${JSON.stringify(method)}` };
      log(`oci: ${method} from process ${c.pid}`);
      return row(this, c, r);
    } catch (error) {
      if (error instanceof SpecError) return { error: error.message };
      throw error;
    }
  }

  get status(): string {
    if (this.paused) return 'paused';
    return this.started ? 'running' : 'created';
  }

  start(): Answer {
    if (this.started) return { error: 'cannot start an already running container' };
    this.started = true;
    // As process 1 of a PID namespace; until now a signal ends it as it ends runc's.
    this.init.group.unkillable = true;
    this.kernel.makeReady(this.init);
    return { ok: true };
  }

  /** Sends a signal from outside. */
  send(group: ThreadGroup, sig: number): void {
    this.kernel.signals.sendFromOutside(group, sig);
    // A program that was not started yet dies of it all the same.
    if (!this.started && this.init.signals.killed) this.kernel.makeReady(this.init);
  }

  signal(c: Connection, r: Reader): Answer {
    const sig = r.at('signal').integer(0, SIGNAL_MAX);
    if (r.at('own').boolean()) {
      if (!c.starter || c.group === null || c.group.dead) return { error: 'no such process' };
      // What keys cause is for whoever is in the foreground; a hang-up for the session's leader too (credentials(7)).
      if (c.tty !== null && r.at('key').boolean()) c.tty.ttySignal(sig);
      if (c.tty === null || !r.at('key').boolean() || sig === SIGHUP) this.send(c.group, sig);
      return { ok: true };
    }
    if (this.init.group.dead) return { error: 'container not running' };
    if (r.at('all').boolean()) {
      for (const group of this.groups()) if (group !== this.init.group) this.send(group, sig);
    }
    if (sig !== 0) this.send(this.init.group, sig);
    return { ok: true };
  }

  /** Processes inside that are alive. */
  private groups(): ThreadGroup[] {
    const all = new Set<ThreadGroup>();
    for (const t of this.kernel.pids.tasks()) if (!t.group.dead) all.add(t.group);
    return [...all];
  }

  exec(c: Connection, r: Reader): Answer {
    if (c.group !== null) return { error: 'this connection has a program already' };
    if (this.paused) return { error: 'cannot exec in a paused container' };
    const warnings: string[] = [];
    const p = readProcess(r.at('process'), (line) => void warnings.push(line));
    if (c.fds.length < 3) return { error: 'descriptors 0, 1 and 2 are missing' };
    const started = execIn(this.place, p, c.fds.splice(0));
    if (typeof started === 'string') return { error: started };
    c.started(started);
    return { ok: true, pid: started.task.tgid, warnings };
  }

  /** Programs inside, and the processes outside that stand for them. */
  processes(): Answer {
    const { time } = this.kernel;
    const list = this.groups().map((g) => ({
      pid: g.tgid,
      ppid: g.parent?.tgid ?? 0,
      uid: g.anyThread()?.cred.euid ?? 0,
      name: g.anyThread()?.name ?? '',
      started: Math.floor(time.realtimeSec() - (time.monotonicNs() - g.startNs) / 1e9),
      seconds: Math.floor(g.cpuNs() / 1e9),
    }));
    const outside = [...this.connections].filter((c) => c.starter && c.group !== null).map((c) => c.pid);
    return { ok: true, processes: list, outside };
  }

  update(r: Reader): Answer {
    const warnings: string[] = [];
    this.limits.update(readResources(r.at('resources'), (line) => void warnings.push(line)));
    return { ok: true, warnings };
  }

  tellOutOfMemory(): void {
    for (const c of [...this.connections]) if (c.hears) c.answer({ event: 'oom' });
  }

  /** Tells of the end of the container. */
  wait(c: Connection): Answer {
    if (c.group !== null) return { error: 'this connection has a program already' };
    c.waitFor(this.init.group);
    return { ok: true };
  }

  hear(c: Connection): Answer {
    c.hears = true;
    return { ok: true };
  }

  pause(): Answer {
    if (!this.started) return { error: 'container not running' };
    if (this.paused) return { error: 'container already paused' };
    this.paused = true;
    for (const t of this.kernel.pids.tasks()) if (t.ctx.running) t.ctx.interrupt();
    return { ok: true };
  }

  resume(): Answer {
    if (!this.paused) return { error: 'container not paused' };
    this.paused = false;
    return { ok: true };
  }
}

type Method = (server: ControlServer, c: Connection, r: Reader) => Answer;

const METHODS: ReadonlyMap<string, Method> = new Map<string, Method>([
  ['start', (s) => s.start()],
  ['state', (s) => ({ ok: true, status: s.status })],
  ['signal', (s, c, r) => s.signal(c, r)],
  ['exec', (s, c, r) => s.exec(c, r)],
  ['processes', (s) => s.processes()],
  ['pause', (s) => s.pause()],
  ['resume', (s) => s.resume()],
  ['stats', (s) => ({ ok: true, stats: s.limits.stats() })],
  ['events', (s, c) => s.hear(c)],
  ['wait', (s, c) => s.wait(c)],
  ['update', (s, _c, r) => s.update(r)],
]);
