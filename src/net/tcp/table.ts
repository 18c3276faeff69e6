// FlowTable: from a segment's four names to what they belong to. Chains in an array that grows, by a keyed hash, so that a peer cannot fill one.

import type { IpAddress } from '../address.ts';
import type { KeyedHash } from './hash.ts';

class Entry<T> {
  readonly hash: number;
  readonly local: IpAddress;
  readonly localPort: number;
  readonly remote: IpAddress;
  readonly remotePort: number;
  value: T;
  next: Entry<T> | null;

  constructor(
    hash: number,
    local: IpAddress,
    localPort: number,
    remote: IpAddress,
    remotePort: number,
    value: T,
    next: Entry<T> | null,
  ) {
    this.hash = hash;
    this.local = local;
    this.localPort = localPort;
    this.remote = remote;
    this.remotePort = remotePort;
    this.value = value;
    this.next = next;
  }
}

export class FlowTable<T> {
  private readonly hash: KeyedHash;
  private buckets: (Entry<T> | null)[] = new Array(256).fill(null);
  count = 0;

  constructor(hash: KeyedHash) {
    this.hash = hash;
  }

  private find(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): Entry<T> | null {
    const hash = this.hash.flow(local, localPort, remote, remotePort);
    let e: Entry<T> | null = this.buckets[hash & (this.buckets.length - 1)]!;
    for (; e !== null; e = e.next)
      if (
        e.hash === hash &&
        e.remotePort === remotePort &&
        e.localPort === localPort &&
        e.remote.equals(remote) &&
        e.local.equals(local)
      )
        return e;
    return null;
  }

  get(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): T | undefined {
    return this.find(local, localPort, remote, remotePort)?.value;
  }

  /** Adds, or takes the place of what was there. */
  set(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number, value: T): void {
    const known = this.find(local, localPort, remote, remotePort);
    if (known !== null) {
      known.value = value;
      return;
    }
    if (this.count >= this.buckets.length * 2) this.resize(this.buckets.length * 4);
    const hash = this.hash.flow(local, localPort, remote, remotePort);
    const i = hash & (this.buckets.length - 1);
    this.buckets[i] = new Entry(hash, local, localPort, remote, remotePort, value, this.buckets[i]!);
    this.count++;
  }

  /** Removes it, if it is still `value` that is there. */
  delete(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number, value: T): void {
    const hash = this.hash.flow(local, localPort, remote, remotePort);
    const i = hash & (this.buckets.length - 1);
    let before: Entry<T> | null = null;
    for (let e: Entry<T> | null = this.buckets[i]!; e !== null; before = e, e = e.next) {
      if (e.value !== value) continue;
      if (before === null) this.buckets[i] = e.next;
      else before.next = e.next;
      this.count--;
      if (this.buckets.length > 256 && this.count * 4 < this.buckets.length)
        this.resize(this.buckets.length / 4);
      return;
    }
  }

  private resize(size: number): void {
    const old = this.buckets;
    this.buckets = new Array(size).fill(null);
    for (const head of old) {
      let e: Entry<T> | null = head;
      while (e !== null) {
        const next: Entry<T> | null = e.next;
        const i = e.hash & (size - 1);
        e.next = this.buckets[i]!;
        this.buckets[i] = e;
        e = next;
      }
    }
  }

  *values(): Generator<T> {
    for (const head of this.buckets)
      for (let e: Entry<T> | null = head; e !== null; e = e.next) yield e.value;
  }
}
