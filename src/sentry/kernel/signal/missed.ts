// Signals for several processes at once, one of which is about to have a child: it is to get them as well, as if the fork
// had been before or after (fork(2) in Linux: "delayed" in copy_process).

import { SIGCONT } from '../../../abi/signal/signal.ts';
import type { ThreadGroup } from '../task/threadgroup.ts';
import { kernelInfo } from './siginfo.ts';
import { lowestSignal, STOP_LO, sigBit } from './state.ts';

/** What a child that is still being made has missed. */
export class MissedSignals {
  private lo = 0;
  private hi = 0;

  add(sig: number): void {
    if (sig > 32) {
      this.hi = (this.hi | sigBit(sig)) >>> 0;
      return;
    }
    const bit = sigBit(sig);
    // Stops and SIGCONT take each other back.
    const off = sig === SIGCONT ? STOP_LO : (STOP_LO & bit) !== 0 ? sigBit(SIGCONT) : 0;
    this.lo = ((this.lo & ~off) | bit) >>> 0;
  }

  sendTo(g: ThreadGroup): void {
    for (let sig = lowestSignal(this.lo, this.hi); sig !== 0; sig = lowestSignal(this.lo, this.hi)) {
      if (sig <= 32) this.lo = (this.lo & ~sigBit(sig)) >>> 0;
      else this.hi = (this.hi & ~sigBit(sig)) >>> 0;
      g.kernel.signals.sendToGroup(g, kernelInfo(sig));
    }
  }
}
