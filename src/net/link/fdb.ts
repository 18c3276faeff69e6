// The forwarding database of a bridge: which hardware address is behind which port. What was learned is forgotten when nobody has
// heard of it for the ageing time; that is found out by whoever looks, so that there is no timer.

import { EEXIST, ENOENT, ENOSPC } from '../../abi/errno.ts';
import type { NetMemory } from '../memory.ts';
import type { Link } from './link.ts';

/** Learned and static addresses of one bridge (as IFLA_BR_FDB_MAX_LEARNED, which is never off here). */
const MOST_ENTRIES = 4096;
const ENTRY_BYTES = 192;

/** Learned; `bridge fdb add ... static`; the address of a port or of the bridge. */
export const FDB_LEARNED = 0;
export const FDB_STATIC = 1;
export const FDB_LOCAL = 2;

export class FdbEntry {
  readonly mac: Uint8Array;
  /** The port; the bridge's own interface for an address of the bridge. */
  port: Link;
  kind: number;
  updatedNs: number;
  usedNs: number;

  constructor(mac: Uint8Array, port: Link, kind: number, nowNs: number) {
    this.mac = mac;
    this.port = port;
    this.kind = kind;
    this.updatedNs = nowNs;
    this.usedNs = nowNs;
  }
}

/** A hardware address as a key: 48 bits are exact. */
export function macKey(bytes: Uint8Array, at = 0): number {
  const high = (bytes[at]! << 8) | bytes[at + 1]!;
  const low =
    ((bytes[at + 2]! << 24) | (bytes[at + 3]! << 16) | (bytes[at + 4]! << 8) | bytes[at + 5]!) >>> 0;
  return high * 0x100000000 + low;
}

export class Fdb {
  ageingNs = 300e9;
  private readonly entries = new Map<number, FdbEntry>();
  private readonly memory: NetMemory;

  constructor(memory: NetMemory) {
    this.memory = memory;
  }

  /** The entry of an address that is still believed. */
  find(key: number, nowNs: number): FdbEntry | undefined {
    const e = this.entries.get(key);
    if (e === undefined || !this.aged(e, nowNs)) return e;
    this.drop(key);
    return undefined;
  }

  private aged(e: FdbEntry, nowNs: number): boolean {
    return e.kind === FDB_LEARNED && e.updatedNs + this.ageingNs <= nowNs;
  }

  /** A frame came from `mac` on a port. Without room, frames to it go to all ports. */
  learn(bytes: Uint8Array, at: number, port: Link, nowNs: number): void {
    const key = macKey(bytes, at);
    const e = this.entries.get(key);
    if (e === undefined) {
      if (this.hasRoom(nowNs)) this.put(key, new FdbEntry(bytes.slice(at, at + 6), port, FDB_LEARNED, nowNs));
      return;
    }
    if (e.kind === FDB_LOCAL) return;
    if (e.kind === FDB_LEARNED) e.port = port;
    e.updatedNs = nowNs;
  }

  /** bridge fdb add. -EEXIST, -ENOSPC. */
  add(mac: Uint8Array, port: Link, kind: number, replace: boolean, nowNs: number): number {
    const key = macKey(mac);
    const e = this.find(key, nowNs);
    if (e !== undefined) {
      if (!replace) return -EEXIST;
      e.port = port;
      e.kind = kind;
      e.updatedNs = nowNs;
      return 0;
    }
    if (!this.hasRoom(nowNs)) return -ENOSPC;
    this.put(key, new FdbEntry(mac.slice(), port, kind, nowNs));
    return 0;
  }

  /** bridge fdb del. -ENOENT. */
  remove(mac: Uint8Array, port: Link): number {
    const key = macKey(mac);
    if (this.entries.get(key)?.port !== port) return -ENOENT;
    this.drop(key);
    return 0;
  }

  private hasRoom(nowNs: number): boolean {
    if (this.entries.size >= MOST_ENTRIES)
      for (const [key, e] of this.entries) if (this.aged(e, nowNs)) this.drop(key);
    return this.entries.size < MOST_ENTRIES && this.memory.fits(ENTRY_BYTES);
  }

  private put(key: number, e: FdbEntry): void {
    this.memory.take(ENTRY_BYTES);
    this.entries.set(key, e);
  }

  private drop(key: number): void {
    if (this.entries.delete(key)) this.memory.give(ENTRY_BYTES);
  }

  /** Forgets what was learned (IFLA_BR_FDB_FLUSH), or all of one port. */
  flush(port: Link | null, withStatic: boolean): void {
    for (const [key, e] of this.entries)
      if ((port === null || e.port === port) && (e.kind === FDB_LEARNED || withStatic)) this.drop(key);
  }

  clear(): void {
    for (const key of [...this.entries.keys()]) this.drop(key);
  }

  /** Those that are believed. */
  *all(nowNs: number): Iterable<FdbEntry> {
    for (const e of this.entries.values()) if (!this.aged(e, nowNs)) yield e;
  }
}
