// How many descriptors of files of the host all bound directories together may have, shared by users as memory is
// (base/charge.ts): whoever opens all that he may have fails alone.

import { type Account, kernelMemory } from '../../base/charge.ts';
import { MAX_HOST_FILES } from './host_place.ts';

export class HostFileCount {
  readonly most: number;
  private used = 0;
  private readonly byUser: WeakMap<Account, number> = new WeakMap();

  constructor(most: number) {
    this.most = most;
  }

  /** One more for the user of the call in progress: who has it, or null when that is too many. */
  take(): Account | null {
    const user = kernelMemory.current;
    const own = this.byUser.get(user) ?? 0;
    if (own + 1 > user.share * (this.most - (this.used - own))) return null;
    this.byUser.set(user, own + 1);
    this.used++;
    return user;
  }

  give(user: Account): void {
    this.byUser.set(user, this.byUser.get(user)! - 1);
    this.used--;
  }
}

export const hostFiles: HostFileCount = new HostFileCount(MAX_HOST_FILES);
