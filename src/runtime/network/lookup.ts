// Lookup: one question on its way to the host's resolvers, over a socket of its own: a random port and id, so that nobody can guess
// what an answer must look like (RFC 5452).

import { EAGAIN, EINPROGRESS } from '../../abi/errno.ts';
import { EPOLLIN, EPOLLOUT } from '../../abi/events/epoll.ts';
import { IPPROTO_TCP, IPPROTO_UDP } from '../../abi/net/in.ts';
import { AF_INET, AF_INET6, SOCK_DGRAM, SOCK_STREAM } from '../../abi/net/socket.ts';
import type { HostPoller, HostPollTarget } from '../../host/poller.ts';
import { randomBits } from '../../host/random.ts';
import {
  HostAddress,
  hostClose,
  hostConnect,
  hostReceive,
  hostSend,
  hostSocket,
  transfer,
} from '../../host/socket.ts';
import type { Name } from '../../net/endpoint.ts';
import { Timer, type TimerTarget, type TimeSource } from '../../sentry/base/time.ts';
import { type Answer, type Question, readAnswer, writeQuestion } from './dns_message.ts';

/** For one resolver's answer; each is asked twice. */
const WAIT_NS = 2.5e9;
const ROUNDS = 2;
const TCP_WAIT_NS = 10e9;
const TCP_MOST = 65535;
const LENGTH = 2;

/** Who wants the answer: the resolver, which keeps what it needs for it. */
export interface LookupOwner {
  /** Null: nobody answered. */
  lookupDone(lookup: Lookup, answer: Answer | null): void;
}

const at = new HostAddress();

export class Lookup implements HostPollTarget, TimerTarget {
  readonly question: Question;
  readonly overTcp: boolean;
  private readonly owner: LookupOwner;
  private readonly poller: HostPoller;
  private readonly time: TimeSource;
  private readonly servers: readonly Name[];
  private readonly timer: Timer = new Timer(this);
  private readonly id: number = randomBits(16);
  private fd = -1;
  private tries = 0;
  /** Of TCP: what came so far; no more than a message and its length. */
  private input: Uint8Array = new Uint8Array(0);
  private sent = false;

  constructor(
    owner: LookupOwner,
    poller: HostPoller,
    time: TimeSource,
    servers: readonly Name[],
    question: Question,
    overTcp: boolean,
  ) {
    this.owner = owner;
    this.poller = poller;
    this.time = time;
    this.servers = servers;
    this.question = question;
    this.overTcp = overTcp;
  }

  /** Asks the first resolver, or the next one. */
  start(): void {
    for (; this.tries < this.servers.length * ROUNDS; this.tries++) {
      this.close();
      if (this.ask(this.servers[this.tries % this.servers.length]!)) {
        this.tries++;
        this.time.arm(this.timer, this.time.monotonicNs() + (this.overTcp ? TCP_WAIT_NS : WAIT_NS));
        return;
      }
    }
    this.finish(null);
  }

  private ask(server: Name): boolean {
    const family = server.address.isV4 ? AF_INET : AF_INET6;
    const type = this.overTcp ? SOCK_STREAM : SOCK_DGRAM;
    this.fd = hostSocket(family, type, this.overTcp ? IPPROTO_TCP : IPPROTO_UDP);
    if (this.fd < 0) return false;
    const r = hostConnect(this.fd, family, at.set(server.address, server.port));
    if (r < 0 && r !== -EINPROGRESS) return false;
    if (!this.overTcp && !this.send()) return false;
    this.sent = !this.overTcp;
    this.input = new Uint8Array(0);
    return this.poller.add(this.fd, this.overTcp ? EPOLLOUT : EPOLLIN, this) === 0;
  }

  private send(): boolean {
    const bytes = writeQuestion(this.question, this.id);
    const head = this.overTcp ? LENGTH : 0;
    if (this.overTcp) transfer.view.setUint16(0, bytes.length);
    transfer.u8.set(bytes, head);
    return hostSend(this.fd, 0, head + bytes.length, 0) === head + bytes.length;
  }

  onHostReady(): void {
    if (!this.sent) {
      if (!this.send()) {
        this.start();
        return;
      }
      this.sent = true;
      this.poller.modify(this.fd, EPOLLIN);
      return;
    }
    if (this.overTcp) this.readStream();
    else this.readDatagrams();
  }

  private readDatagrams(): void {
    for (;;) {
      const n = hostReceive(this.fd, TCP_MOST, 0);
      if (n === -EAGAIN) return;
      if (n < 0) {
        this.start();
        return;
      }
      // What is no answer to this question is somebody's guess: the true one may still come.
      const answer = readAnswer(transfer.u8.slice(0, n), this.question, this.id);
      if (answer !== null) {
        this.finish(answer);
        return;
      }
    }
  }

  private readStream(): void {
    const n = hostReceive(this.fd, LENGTH + TCP_MOST - this.input.length, 0);
    if (n === -EAGAIN) return;
    if (n <= 0) {
      this.start();
      return;
    }
    this.input = Buffer.concat([this.input, transfer.u8.subarray(0, n)]);
    if (this.input.length < LENGTH) return;
    const len = (this.input[0]! << 8) | this.input[1]!;
    if (this.input.length < LENGTH + len) return;
    this.finish(readAnswer(this.input.slice(LENGTH, LENGTH + len), this.question, this.id));
  }

  onTimer(): void {
    this.start();
  }

  private close(): void {
    if (this.fd < 0) return;
    this.poller.remove(this.fd);
    hostClose(this.fd);
    this.fd = -1;
  }

  private finish(answer: Answer | null): void {
    this.close();
    this.time.cancel(this.timer);
    this.owner.lookupDone(this, answer);
  }
}
