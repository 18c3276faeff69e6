// CookieCache: cookies of Fast Open that servers gave us (RFC 7413, section 4.1.3).

import type { IpAddress } from '../address.ts';
import { AddressMap } from '../ip/address_map.ts';
import type { NetMemory } from '../memory.ts';

/** Servers whose cookies are kept; the oldest is forgotten for a new one. */
const MOST_SERVERS = 1024;
const SERVER_BYTES = 256;
class Known {
  readonly server: IpAddress;
  /** Cookies are for one address of ours. */
  client: IpAddress;
  cookie: Uint8Array;
  /** MSS of the server: what a SYN may carry before it has said so again (section 4.1.3). */
  mss: number;

  constructor(server: IpAddress, client: IpAddress, cookie: Uint8Array, mss: number) {
    this.server = server;
    this.client = client;
    this.cookie = cookie;
    this.mss = mss;
  }
}

export class CookieCache {
  private readonly byServer = new AddressMap<Known>();
  private readonly memory: NetMemory;
  /** In the order in which they came, from `first` on. */
  private order: Known[] = [];
  private first = 0;

  constructor(memory: NetMemory) {
    this.memory = memory;
  }

  /** What `server` gave to `client`. */
  find(server: IpAddress, client: IpAddress): Known | undefined {
    const known = this.byServer.get(server);
    return known?.client.equals(client) === true ? known : undefined;
  }

  set(server: IpAddress, client: IpAddress, cookie: Uint8Array, mss: number): void {
    const known = this.byServer.get(server);
    if (known !== undefined) {
      known.client = client;
      known.cookie = cookie;
      known.mss = mss;
      return;
    }
    if (this.byServer.size >= MOST_SERVERS) this.forgetOldest();
    if (!this.memory.fits(SERVER_BYTES)) return;
    this.memory.take(SERVER_BYTES);
    const fresh = new Known(server, client, cookie, mss);
    this.byServer.set(server, fresh);
    this.order.push(fresh);
  }

  private forgetOldest(): void {
    this.byServer.delete(this.order[this.first++]!.server);
    this.memory.give(SERVER_BYTES);
    if (this.first < MOST_SERVERS) return;
    this.order = this.order.slice(this.first);
    this.first = 0;
  }
}
