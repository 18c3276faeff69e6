// HostSignals: signals that the host sends to the Sentry, handed on to the guest. What a terminal key caused goes to the
// process group of the first program, as it would outside; what kill(2) sent goes to the first program.

import { POLLIN } from '../abi/events/poll.ts';
import {
  SIGALRM,
  SIGCONT,
  SIGHUP,
  SIGINT,
  SIGQUIT,
  SIGTERM,
  SIGTSTP,
  SIGUSR1,
  SIGUSR2,
  SIGWINCH,
} from '../abi/signal/signal.ts';
import { monotonicNs } from '../host/clock.ts';
import type { HostPoller, HostPollTarget } from '../host/poller.ts';
import { catchHostSignal, FROM_KERNEL, hostSignalFd, takeHostSignals } from '../host/signals.ts';
import { log } from '../sentry/base/log.ts';
import type { Kernel } from '../sentry/kernel/kernel.ts';
import { kernelInfo, userInfo } from '../sentry/kernel/signal/siginfo.ts';
import { type Inherited, ignores } from './inherited.ts';

const FORWARDED = [SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM, SIGCONT, SIGTSTP, SIGWINCH];
/** So many requests to end within this time mean that the guest does not listen. */
const INSIST_COUNT = 3;
const INSIST_NS = 2e9;

/** What the sandbox does about signals that are not only the guest's business. */
export interface SignalTarget {
  /** The guest does not end although it was asked INSIST_COUNT times: end it. */
  stop(sig: number): void;
  dump(): void;
  /** The window of the host's terminal changed. */
  windowChanged(): void;
  /** The host's job control wants us to stop: returns when it lets us go on. */
  suspend(): void;
}

export class HostSignals implements HostPollTarget {
  private readonly kernel: Kernel;
  private readonly target: SignalTarget;
  private readonly dumpSignal: number;
  private readonly inherited: Inherited;
  private requests = 0;
  private firstRequestNs = 0;

  constructor(
    kernel: Kernel,
    poller: HostPoller,
    target: SignalTarget,
    dumpSignal: number,
    inherited: Inherited,
  ) {
    this.kernel = kernel;
    this.target = target;
    this.dumpSignal = dumpSignal;
    this.inherited = inherited;
    const fd = hostSignalFd();
    if (fd < 0) throw new Error(`eventfd failed (${fd})`);
    poller.add(fd, POLLIN, this);
    // Those that the caller ignores or blocks are handed on too (Node.js takes them): it is the first program that
    // ignores and blocks them, or does not any more.
    for (const sig of FORWARDED) catchHostSignal(sig);
    if (dumpSignal !== 0) catchHostSignal(dumpSignal);
  }

  onHostReady(): void {
    takeHostSignals((sig, from) => this.deliver(sig, from));
  }

  private deliver(sig: number, from: number): void {
    log(`host signal ${sig} from ${from === FROM_KERNEL ? 'kernel' : 'process'}`);
    if (sig === this.dumpSignal) {
      this.target.dump();
      return;
    }
    if (sig === SIGWINCH) {
      this.target.windowChanged();
      return;
    }
    const ignored = ignores(this.inherited, sig);
    if (sig === SIGTSTP && !ignored) {
      this.target.suspend();
      return;
    }
    if ((sig === SIGINT || sig === SIGTERM) && !ignored && this.insists()) {
      this.target.stop(sig);
      return;
    }
    const init = this.kernel.initGroup;
    if (init === null || init.dead) return;
    if (from === FROM_KERNEL) this.kernel.signals.sendToPgrp(init.pgrp, sig);
    else this.kernel.signals.sendToGroup(init, sig === SIGCONT ? kernelInfo(sig) : userInfo(sig, 0, 0));
  }

  private insists(): boolean {
    const now = monotonicNs();
    if (now - this.firstRequestNs > INSIST_NS) {
      this.firstRequestNs = now;
      this.requests = 0;
    }
    return ++this.requests >= INSIST_COUNT;
  }
}
