// AddressMap: a table by address. Addresses are no keys of a Map (two equal ones are two objects), and text of them is dear.

import type { IpAddress } from '../address.ts';

class Entry<T> {
  readonly key: IpAddress;
  value: T;
  next: Entry<T> | undefined;

  constructor(key: IpAddress, value: T, next: Entry<T> | undefined) {
    this.key = key;
    this.value = value;
    this.next = next;
  }
}

export class AddressMap<T> {
  size = 0;
  private readonly buckets = new Map<number, Entry<T>>();

  get(key: IpAddress): T | undefined {
    let e = this.buckets.get(key.hash);
    while (e !== undefined && !e.key.equals(key)) e = e.next;
    return e?.value;
  }

  set(key: IpAddress, value: T): void {
    const { hash } = key;
    const first = this.buckets.get(hash);
    for (let e = first; e !== undefined; e = e.next)
      if (e.key.equals(key)) {
        e.value = value;
        return;
      }
    this.buckets.set(hash, new Entry(key, value, first));
    this.size++;
  }

  delete(key: IpAddress): boolean {
    const { hash } = key;
    let before: Entry<T> | undefined;
    for (let e = this.buckets.get(hash); e !== undefined; before = e, e = e.next) {
      if (!e.key.equals(key)) continue;
      if (before !== undefined) before.next = e.next;
      else if (e.next !== undefined) this.buckets.set(hash, e.next);
      else this.buckets.delete(hash);
      this.size--;
      return true;
    }
    return false;
  }

  clear(): void {
    this.buckets.clear();
    this.size = 0;
  }

  *values(): Generator<T> {
    for (let e of this.buckets.values())
      for (; ; e = e.next) {
        yield e.value;
        if (e.next === undefined) break;
      }
  }
}
