// HostStop: when the first process stops, the sandbox stops as a process of the host, so that the shell which started it
// sees what it would see of the program, and can continue it.
//
// A stop for job control (SIGTSTP, SIGTTIN, SIGTTOU) waits for the rest of the first process's group, which got the same signal and
// may have a screen to put in order, but not for long: a shell takes over when its child has stopped, whatever grandchildren
// do. SIGSTOP hits one process, and another inside may continue it: then all of the group have to be stopped.

import { SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU } from '../abi/signal/signal.ts';
import { SYS_getpgid, SYS_getppid, SYS_getsid } from '../abi/syscall.ts';
import { stopSelf, takeHostSignal } from '../host/signals.ts';
import { hostCall } from '../host/syscall.ts';
import { log } from '../sentry/base/log.ts';
import { Timer, type TimerTarget } from '../sentry/base/time.ts';
import type { HostTty } from '../sentry/fs/tty/host_tty.ts';
import type { Kernel } from '../sentry/kernel/kernel.ts';
import type { ThreadGroup } from '../sentry/kernel/task/threadgroup.ts';
import { parentOf } from './host_parents.ts';

/** How long the first process's stop waits for its group. */
const PATIENCE_NS = 2e8;

/**
 * True when a process outside could continue us (credentials(7), setpgid(2)): our process group is not orphaned. Looks at our
 * own line of parents, which is where the shell is.
 */
export function hostCanContinue(): boolean {
  const group = hostCall(SYS_getpgid, 0);
  const session = hostCall(SYS_getsid, 0);
  let pid = hostCall(SYS_getppid);
  while (pid > 0 && hostCall(SYS_getpgid, pid) === group) pid = parentOf(pid);
  return pid > 0 && hostCall(SYS_getsid, pid) === session;
}

export class HostStop implements TimerTarget {
  private readonly kernel: Kernel;
  /** The controlling terminal. */
  private readonly tty: HostTty | null;
  private readonly timer: Timer = new Timer(this);

  constructor(kernel: Kernel, tty: HostTty | null) {
    this.kernel = kernel;
    this.tty = tty;
    kernel.outsideCanContinue = hostCanContinue;
    kernel.onStop = (g) => this.onStop(g);
  }

  /** A process has stopped. */
  private onStop(g: ThreadGroup): void {
    const init = this.kernel.initGroup;
    if (init === null || !init.stopped || g.pgrp !== init.pgrp) return;
    const { time } = this.kernel;
    if (this.allStopped()) time.arm(this.timer, time.monotonicNs());
    else if (init.stopSig !== SIGSTOP && !this.timer.armed)
      time.arm(this.timer, time.monotonicNs() + PATIENCE_NS);
  }

  private allStopped(): boolean {
    for (const g of this.kernel.initGroup!.pgrp.members) if (!g.dead && !g.stopped) return false;
    return true;
  }

  onTimer(): void {
    const init = this.kernel.initGroup;
    // Somebody inside has continued it meanwhile.
    if (init === null || init.dead || !init.stopped) return;
    if (init.stopSig === SIGSTOP && !this.allStopped()) return;
    this.stop(init.stopSig);
    const { tty } = this;
    // A shell gives the terminal to the job that it continues; in the background the host has its say before us.
    if (tty !== null && tty.session === init.session) tty.foreground = init.pgrp.id;
    this.kernel.signals.sendToPgrp(init.pgrp, SIGCONT);
  }

  private stop(sig: number): void {
    const { kernel, tty } = this;
    log(`the first process stopped for signal ${sig}, and so does the sandbox`);
    // Threads that run guest code come to a stop of their own and wait until we handle it.
    for (const t of kernel.pids.tasks()) if (t.ctx.running) t.ctx.interrupt();
    // Programs that read ^Z as a key stop their whole group: a script around us has to stop as well. For SIGTTIN and SIGTTOU the
    // host has seen to that.
    const group = sig === SIGTSTP && tty !== null && tty.inForeground();
    stopSelf(sig, group, sig === SIGTSTP);
    // SIGCONT takes pending stops away, and what it means inside is told above.
    for (const taken of [SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU]) takeHostSignal(taken);
  }
}
