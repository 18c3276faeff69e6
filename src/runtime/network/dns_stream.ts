// DnsStream: a program's connection to our DNS server over TCP (RFC 7766). One question at a time: what follows waits in the
// socket, and a program that does not read its answers gets no more.

import { EAGAIN } from '../../abi/errno.ts';
import { EPOLLIN, EPOLLOUT } from '../../abi/events/epoll.ts';
import type { HostPoller, HostPollTarget } from '../../host/poller.ts';
import { hostClose, hostReceive, hostSend, transfer } from '../../host/socket.ts';
import { type Account, kernelMemory } from '../../sentry/base/charge.ts';

const LENGTH = 2;
/** A question is a name and little more. */
const QUESTION_MOST = 4096;
/** Kernel memory of a connection: its question and the longest answer, whether they are there or not. */
const STREAM_BYTES = 72 * 1024;

export interface DnsStreamOwner {
  streamQuestion(stream: DnsStream, bytes: Uint8Array): void;
  streamClosed(stream: DnsStream): void;
}

export class DnsStream implements HostPollTarget {
  private readonly owner: DnsStreamOwner;
  private readonly poller: HostPoller;
  private fd: number;
  private input: Uint8Array = new Uint8Array(0);
  /** The answer, as far as it was not taken. */
  private output: Uint8Array | null = null;
  private readonly account: Account;

  constructor(owner: DnsStreamOwner, poller: HostPoller, fd: number) {
    this.owner = owner;
    this.poller = poller;
    this.fd = fd;
    this.account = kernelMemory.take(STREAM_BYTES);
    poller.add(fd, EPOLLIN, this);
  }

  /** May the caller have one more? */
  static get fits(): boolean {
    return kernelMemory.fits(STREAM_BYTES);
  }

  onHostReady(): void {
    if (this.output !== null) this.flush();
    else this.read();
  }

  private read(): void {
    const n = hostReceive(this.fd, LENGTH + QUESTION_MOST - this.input.length, 0);
    if (n === -EAGAIN) return;
    if (n <= 0) {
      this.close();
      return;
    }
    this.input = Buffer.concat([this.input, transfer.u8.subarray(0, n)]);
    this.next();
  }

  /** Hands on the first question that is whole; nothing is read until it is answered. */
  private next(): void {
    if (this.input.length < LENGTH) return;
    const len = (this.input[0]! << 8) | this.input[1]!;
    if (len > QUESTION_MOST) {
      this.close();
      return;
    }
    if (this.input.length < LENGTH + len) return;
    const question = this.input.slice(LENGTH, LENGTH + len);
    this.input = this.input.slice(LENGTH + len);
    this.poller.remove(this.fd);
    this.owner.streamQuestion(this, question);
  }

  answer(bytes: Uint8Array): void {
    if (this.fd < 0) return;
    const whole = new Uint8Array(LENGTH + bytes.length);
    new DataView(whole.buffer).setUint16(0, bytes.length);
    whole.set(bytes, LENGTH);
    this.output = whole;
    this.poller.add(this.fd, EPOLLOUT, this);
  }

  private flush(): void {
    const out = this.output!;
    transfer.u8.set(out);
    const n = hostSend(this.fd, 0, out.length, 0);
    if (n === -EAGAIN) return;
    if (n < 0) {
      this.close();
      return;
    }
    this.output = n === out.length ? null : out.slice(n);
    if (this.output !== null) return;
    this.poller.modify(this.fd, EPOLLIN);
    this.next();
  }

  close(): void {
    if (this.fd < 0) return;
    this.poller.remove(this.fd);
    hostClose(this.fd);
    this.fd = -1;
    kernelMemory.give(this.account, STREAM_BYTES);
    this.owner.streamClosed(this);
  }
}
