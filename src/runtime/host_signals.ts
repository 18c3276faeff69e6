// HostSignals: signals that the host sends to the Sentry, handed on to the guest. What a terminal key caused goes to the
// foreground group of the terminal inside, or without one to the process group of the first program, as it would outside; what
// kill(2) sent goes to the first program.

import { POLLIN } from '../abi/events/poll.ts';
import {
  SIGALRM,
  SIGCONT,
  SIGHUP,
  SIGINT,
  SIGQUIT,
  SIGTERM,
  SIGTSTP,
  SIGTTIN,
  SIGTTOU,
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
/** Of a key, or of the window: they are for the foreground group inside. SIGHUP, SIGTTIN and SIGTTOU are for the whole job. */
const TO_FOREGROUND = [SIGINT, SIGQUIT, SIGTSTP, SIGWINCH];
/** The host's job control refuses a call, which fails with EINTR (fs/tty/host_tty.ts), or somebody else's in our group. */
const REFUSALS = [SIGTTIN, SIGTTOU];
/** So many requests to end within this time mean that the guest does not listen. */
const INSIST_COUNT = 3;
const INSIST_NS = 2e9;

/** What the sandbox does about signals that are not only the guest's business. */
export interface SignalTarget {
  /** The guest does not end although it was asked INSIST_COUNT times: end it. */
  stop(sig: number): void;
  dump(): void;
  /** The process group in the foreground of the terminal inside; 0 when there is none. */
  foreground(): number;
  /** A signal of the terminal's, for who is in its foreground inside; false when nobody is. */
  terminalSignal(sig: number): boolean;
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
    for (const sig of REFUSALS) catchHostSignal(sig, false);
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
    // Keys tell the guest what they tell any program, which may ignore them as often as they are pressed.
    const key = from === FROM_KERNEL;
    const insisting = !key && (sig === SIGINT || sig === SIGTERM) && !ignores(this.inherited, sig);
    if (insisting && this.insists()) {
      this.target.stop(sig);
      return;
    }
    const init = this.kernel.initGroup;
    if (init === null || init.dead) return;
    if (key && TO_FOREGROUND.includes(sig) && this.target.terminalSignal(sig)) return;
    // A hang-up is for the job: the shell inside and who it has put into the foreground.
    if (sig === SIGHUP && key && init.pgrp.id !== this.target.foreground()) this.target.terminalSignal(sig);
    if (key) this.kernel.signals.sendToPgrp(init.pgrp, sig);
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
