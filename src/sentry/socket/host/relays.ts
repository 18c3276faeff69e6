// Relays: what all endpoints over sockets of the host share, and how many there may be.

import { ENOBUFS } from '../../../abi/errno.ts';
import {
  EPOLLERR,
  EPOLLET,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  EPOLLPRI,
  EPOLLRDHUP,
} from '../../../abi/events/epoll.ts';
import { POLLRDNORM, POLLWRNORM } from '../../../abi/events/poll.ts';
import { maxHostFiles } from '../../../host/limits.ts';
import type { HostPoller } from '../../../host/poller.ts';
import { hostClose, hostSocket } from '../../../host/socket.ts';
import { type Account, kernelMemory } from '../../base/charge.ts';
import type { TimeSource } from '../../base/time.ts';
import type { Gate } from './gate.ts';

export const MOST_RELAYS = 4096;
/** Of the host's descriptors: the rest is for processes, files and others. */
const FILE_SHARE = 1 / 3;
/** Kernel memory of an endpoint, its descriptor's place in the poller included. */
const RELAY_BYTES = 2048;

/**
 * What endpoints watch: each change is told once, as the guest's own edges are. Nothing has to be turned off or on again per
 * wait, and what nobody reacts to wakes nobody twice.
 */
export const WATCHED = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;

export class Relays {
  readonly poller: HostPoller;
  readonly time: TimeSource;
  readonly gate: Gate;
  readonly most: number;
  /** Sockets of the host that there are. */
  open = 0;

  constructor(poller: HostPoller, time: TimeSource, gate: Gate, most = MOST_RELAYS) {
    this.poller = poller;
    this.time = time;
    this.gate = gate;
    this.most = Math.max(1, Math.min(most, Math.floor(maxHostFiles * FILE_SHARE)));
  }

  /** May there be one more? */
  get full(): boolean {
    return this.open >= this.most || !kernelMemory.fits(RELAY_BYTES);
  }

  /** A socket of the host, which counts until it is closed; -ENOBUFS at the limit. */
  socket(family: number, type: number, protocol: number): number {
    if (this.full) return -ENOBUFS;
    const fd = hostSocket(family, type, protocol);
    return fd < 0 ? fd : this.adopt(fd);
  }

  /** Counts a descriptor that came otherwise. */
  adopt(fd: number): number {
    this.open++;
    return fd;
  }

  charge(): Account {
    return kernelMemory.take(RELAY_BYTES);
  }

  close(fd: number, account: Account): void {
    hostClose(fd);
    this.forget(account);
  }

  /** A descriptor that somebody else has and closes counts no more. */
  forget(account: Account): void {
    this.open--;
    kernelMemory.give(account, RELAY_BYTES);
  }
}

/** POLL* events behind EPOLL* ones that a socket of the host has. */
export function readyEvents(events: number): number {
  let all = events;
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) !== 0) all |= EPOLLIN | POLLRDNORM;
  if ((events & (EPOLLOUT | EPOLLERR)) !== 0) all |= EPOLLOUT | POLLWRNORM;
  return all;
}
