// NameTable: which names our DNS gave an address for, and how long that holds. Bounded: the oldest goes first.

import type { IpAddress } from '../../net/address.ts';

const NS = 1e9;
/** Programs use an address a little longer than its time. */
export const GRACE_SEC = 30;
/** However long an answer says that it holds. */
export const MOST_SEC = 86400;
export const MOST_ADDRESSES = 16384;
/** Names of one address: those of a large host share few. */
export const MOST_NAMES = 16;

interface Given {
  readonly name: string;
  untilNs: number;
}

export class NameTable {
  /** By an address's text, in the order of the last answer. */
  private readonly table: Map<string, Given[]> = new Map();

  get size(): number {
    return this.table.size;
  }

  /** An answer gave `name` this address for `ttlSec`. */
  learn(name: string, address: IpAddress, ttlSec: number, nowNs: number): void {
    const key = address.toString();
    const untilNs = nowNs + (Math.min(Math.max(ttlSec, 0), MOST_SEC) + GRACE_SEC) * NS;
    const given = (this.table.get(key) ?? []).filter((g) => g.untilNs > nowNs && g.name !== name);
    given.push({ name, untilNs });
    if (given.length > MOST_NAMES) given.shift();
    this.table.delete(key);
    this.table.set(key, given);
    if (this.table.size > MOST_ADDRESSES) this.table.delete(this.table.keys().next().value!);
  }

  /** The names that the address has now. */
  namesOf(address: IpAddress, nowNs: number): string[] {
    const given = this.table.get(address.toString());
    if (given === undefined) return [];
    return given.filter((g) => g.untilNs > nowNs).map((g) => g.name);
  }
}
