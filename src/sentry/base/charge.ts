// What the guest makes the kernel keep in its own memory: objects and buffers of the JS heap, which V8 lets grow to a limit
// and then ends the process. Every collection that a guest can grow counts its bytes here, as estimates that are rather
// too high, against the sandbox and against the user who made them grow: docs/limits.md is the list.
//
//   fits(n)    asked before anything changes; the call fails with the errno that Linux has for it when it does not fit
//   take(n)    counts; the object keeps the Account that comes back, for it may outlive its maker's uid
//   give(a, n) when it goes
//
// A user has a share of what the others leave over, as with places for threads (kernel/task/task_limit.ts): whoever fills all
// that he may have fails alone. take() itself does not fail: what comes in small steps is looked at once in a while.

/** Root's part of what others leave over, and everybody else's. */
export const ROOT_SHARE: number = 15 / 16;
export const USER_SHARE: number = 3 / 4;

const SLACK_SHARE = 1 / 32;
/** With a quarter in use, three quarters of what is left are still more than that. */
const EASY_SHARE = 1 / 4;
const EASY_MOST = 2 ** 30 - 1;

/** What one user has. */
export class Account {
  bytes = 0;
  readonly share: number;

  constructor(share: number) {
    this.share = share;
  }
}

export class KernelMemory {
  private most = Number.POSITIVE_INFINITY;
  /** As long as this little is used, everybody may have more: one comparison of integers on hot paths. */
  private easy = EASY_MOST;
  used = 0;
  /** Who pays for what is made now: the user of the task whose event is handled; at first the kernel itself. */
  current: Account = new Account(1);

  /** What a user may have above his share, of things whose lack would kill. */
  get slack(): number {
    return this.most * SLACK_SHARE;
  }

  /** Bytes for all. */
  get limit(): number {
    return this.most;
  }

  set limit(bytes: number) {
    this.most = bytes;
    this.easy = Math.floor(Math.min(EASY_MOST, bytes * EASY_SHARE));
  }

  /** May `payer` have `bytes` more? */
  fits(bytes: number, payer: Account = this.current): boolean {
    if (this.used + bytes <= this.easy) return true;
    const own = payer.bytes;
    return own + bytes <= payer.share * (this.most - (this.used - own));
  }

  /** Counts `bytes`; who pays for them. */
  take(bytes: number, payer: Account = this.current): Account {
    this.used += bytes;
    payer.bytes += bytes;
    return payer;
  }

  give(payer: Account, bytes: number): void {
    this.used -= bytes;
    payer.bytes -= bytes;
  }
}

/** The kernel's account book: one sandbox per process. */
export const kernelMemory: KernelMemory = new KernelMemory();

/**
 * The same for pages of guest memory that no process has to have mapped: files in memory, segments. Nothing else would say
 * who filled the memory with them.
 */
export const fileMemory: KernelMemory = new KernelMemory();
