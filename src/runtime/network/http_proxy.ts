// HttpProxy: the sandbox's side of the process for HTTP and TLS (src/proxy): connections that must be read go there, its decisions come
// back for the log. Everything is asked of the kernel's own loop; nothing here waits but the start.

import { readSync } from 'node:fs';
import { EAGAIN, ECONNRESET } from '../../abi/errno.ts';
import { EPOLLIN, EPOLLOUT } from '../../abi/events/epoll.ts';
import { POLLERR, POLLHUP } from '../../abi/events/poll.ts';
import { F_SETFD, FD_CLOEXEC } from '../../abi/fs/fcntl.ts';
import { SYS_fcntl } from '../../abi/syscall.ts';
import { sendFd } from '../../host/fd_passing.ts';
import type { HostPoller, HostPollTarget } from '../../host/poller.ts';
import {
  hostClose,
  hostPoll,
  hostReceive,
  hostSend,
  hostStreamPair,
  TRANSFER_SIZE,
  transfer,
} from '../../host/socket.ts';
import { hostCall } from '../../host/syscall.ts';
import { complain } from '../../host/write_all.ts';
import { type Decision, frame, type Outgoing, Unframer } from '../../proxy/messages.ts';
import { log } from '../../sentry/base/log.ts';
import type { Passage, Taken, Taker } from '../../sentry/socket/host/gate.ts';
import { STATUS_USAGE, StartError } from '../options.ts';
import type { Handed } from './handed.ts';
import type { NetworkLog } from './network_log.ts';

/** Connections on their way to the process; more are refused until it has taken some. */
const MOST_WAITING = 64;
/** From its start to its being ready: Node.js is started, and a key made. */
const START_MS = 30_000;
/** Bytes that may wait to be written to it: it reads at once, or hangs. */
const MOST_UNSENT = 1 << 20;

/** A connection whose descriptors are still ours. */
interface Leaving {
  readonly guest: number;
  readonly server: number;
  readonly message: Buffer;
  sent: number;
}

const nap = new Int32Array(new SharedArrayBuffer(4));

export class HttpProxy implements Taker, HostPollTarget {
  /** The authority's certificate, for the inside. */
  readonly ca: string;
  private readonly poller: HostPoller;
  private readonly decisions: NetworkLog;
  /** -1: the process has ended. */
  private control: number;
  private descriptors: number;
  private readonly unframer = new Unframer();
  private readonly taken: Map<number, Taken> = new Map();
  private readonly leaving: Leaving[] = [];
  private unsent: Buffer = Buffer.alloc(0);
  private nextId = 1;

  /** Waits until the process is ready. Throws StartError when it does not become so. */
  constructor(poller: HostPoller, decisions: NetworkLog, handed: Handed) {
    this.poller = poller;
    this.decisions = decisions;
    this.control = handed.control;
    this.descriptors = handed.descriptors;
    for (const fd of [this.control, this.descriptors]) hostCall(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC);
    this.ca = this.ready();
    poller.add(this.control, EPOLLIN, this);
  }

  private ready(): string {
    const end = Date.now() + START_MS;
    const bytes = Buffer.alloc(65536);
    const failed = (what: string): never => {
      const fix = 'run it again; vedette doctor says whether this machine lacks something';
      throw new StartError(`the process for HTTP and TLS ${what}; fix: ${fix}`, STATUS_USAGE);
    };
    for (;;) {
      while (hostPoll(this.control) === 0 || (hostPoll(this.control) & (EPOLLIN | POLLHUP)) === 0) {
        if (Date.now() > end) failed('did not become ready');
        Atomics.wait(nap, 0, 0, 1);
      }
      const n = readSync(this.control, bytes);
      if (n === 0) failed('has ended before it was ready');
      for (const text of this.unframer.push(Buffer.from(bytes.subarray(0, n))) ?? []) {
        const message = JSON.parse(text) as Outgoing;
        if (message.type === 'ready') return message.ca;
        if (message.type === 'fault') failed(`could not be started: ${message.what}`);
      }
    }
  }

  get alive(): boolean {
    if (this.control >= 0 && (hostPoll(this.control) & (POLLHUP | POLLERR)) !== 0) this.ended();
    return this.control >= 0;
  }

  take(taken: Taken, server: number, passage: Passage): number {
    const pair = this.alive && this.leaving.length < MOST_WAITING ? hostStreamPair() : -ECONNRESET;
    if (typeof pair === 'number') {
      hostClose(server);
      return -ECONNRESET;
    }
    const { names, port, rules } = passage;
    taken.takenId = this.nextId++;
    const message = frame({
      type: 'connection',
      id: taken.takenId,
      name: names[0]!,
      names,
      address: passage.address.toString(),
      port,
      rules,
    });
    this.taken.set(taken.takenId, taken);
    this.leaving.push({ guest: pair[1], server, message, sent: 0 });
    this.sendLeaving();
    // It may have ended in between.
    if (this.control >= 0) return pair[0];
    hostClose(pair[0]);
    return -ECONNRESET;
  }

  left(taken: Taken): void {
    this.taken.delete(taken.takenId);
  }

  /** Descriptors first, then the message about them. */
  private sendLeaving(): void {
    for (;;) {
      const first = this.leaving[0];
      if (first === undefined) break;
      const fd = first.sent === 0 ? first.guest : first.server;
      const r = sendFd(this.descriptors, fd);
      if (r === -EAGAIN) {
        // Added once: a second time changes nothing.
        this.poller.add(this.descriptors, EPOLLOUT, this);
        return;
      }
      if (r < 0) {
        this.ended();
        return;
      }
      hostClose(fd);
      first.sent++;
      if (first.sent < 2) continue;
      this.leaving.shift();
      this.say(first.message);
      if (this.control < 0) return;
    }
    this.poller.remove(this.descriptors);
  }

  private say(message: Buffer): void {
    const before = this.unsent.length;
    if (before + message.length > MOST_UNSENT) {
      this.ended();
      return;
    }
    this.unsent = before === 0 ? message : Buffer.concat([this.unsent, message]);
    if (before === 0) this.sendUnsent();
  }

  private sendUnsent(): void {
    while (this.unsent.length > 0) {
      const n = Math.min(this.unsent.length, TRANSFER_SIZE);
      transfer.u8.set(this.unsent.subarray(0, n));
      const r = hostSend(this.control, 0, n, 0);
      if (r === -EAGAIN) {
        this.poller.modify(this.control, EPOLLIN | EPOLLOUT);
        return;
      }
      if (r < 0) {
        this.ended();
        return;
      }
      this.unsent = this.unsent.subarray(r);
    }
    this.poller.modify(this.control, EPOLLIN);
  }

  onHostReady(fd: number, events: number): void {
    if (fd === this.descriptors) {
      this.sendLeaving();
      return;
    }
    if ((events & EPOLLOUT) !== 0) this.sendUnsent();
    if (this.control >= 0 && (events & ~EPOLLOUT) !== 0) this.hear();
  }

  private hear(): void {
    const n = hostReceive(this.control, TRANSFER_SIZE, 0);
    if (n === -EAGAIN) return;
    const messages = n <= 0 ? null : this.unframer.push(Buffer.from(transfer.u8.slice(0, n)));
    if (messages === null) {
      this.ended();
      return;
    }
    for (const text of messages) {
      let message: Outgoing;
      try {
        message = JSON.parse(text) as Outgoing;
      } catch {
        this.ended();
        return;
      }
      if (message.type === 'decision') this.note(message);
      else if (message.type === 'fault') log(`http proxy: ${message.what}`);
      else if (message.type === 'ended') {
        log(`http proxy: connection ${message.id}: ${message.reason}`);
        this.taken.get(message.id)?.finish();
      }
    }
  }

  private note(d: Decision): void {
    const allowed = d.verdict === 'allow';
    this.decisions.write({
      event: 'request',
      allowed,
      rule: d.reason ?? 'allowed',
      protocol: d.protocol,
      name: d.host,
      port: d.port,
      ...(d.method === undefined ? {} : { method: d.method }),
      ...(d.path === undefined ? {} : { path: d.path }),
      ...(d.secrets === undefined ? {} : { secrets: d.secrets }),
    });
  }

  /** The process is gone, or cannot be spoken with: what it had is reset, and nothing goes out unread. */
  private ended(): void {
    if (this.control < 0) return;
    complain('vedette: the process for HTTP and TLS has ended; connections that need it fail\n');
    for (const fd of [this.control, this.descriptors]) {
      this.poller.remove(fd);
      hostClose(fd);
    }
    this.control = this.descriptors = -1;
    for (const l of this.leaving) for (const fd of [l.guest, l.server].slice(l.sent)) hostClose(fd);
    this.leaving.length = 0;
    const all = [...this.taken.values()];
    this.taken.clear();
    for (const taken of all) taken.breakOff();
  }
}
