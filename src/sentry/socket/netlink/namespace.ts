// NetlinkNamespace: the netlink sockets of one network namespace, by protocol and port, and who hears which groups.

import { ECONNREFUSED, EPROTONOSUPPORT, ESOCKTNOSUPPORT } from '../../../abi/errno.ts';
import { NETLINK_KOBJECT_UEVENT, NETLINK_USERSOCK } from '../../../abi/net/netlink.ts';
import { SOCK_DGRAM, SOCK_RAW } from '../../../abi/net/socket.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { SocketFamily } from '../family.ts';
import type { NetlinkPeers, NetlinkProtocol } from './protocol.ts';
import { NetlinkSocket } from './socket.ts';

/** MAX_LINKS. */
const MAX_LINKS = 32;

/** A protocol in which the kernel never answers: kobject events that do not come, sockets among themselves. */
function silent(anyoneSends: boolean): NetlinkProtocol {
  return { groups: 32, anyoneHears: true, anyoneSends, request: () => -ECONNREFUSED };
}

export class NetlinkNamespace implements NetlinkPeers<NetlinkSocket>, SocketFamily {
  private readonly protocols: Map<number, NetlinkProtocol> = new Map();
  /** Every open socket: /proc/net/netlink, groups. */
  readonly sockets: Set<NetlinkSocket> = new Set();
  private readonly ports: Map<string, NetlinkSocket> = new Map();

  constructor() {
    this.register(NETLINK_KOBJECT_UEVENT, silent(false));
    this.register(NETLINK_USERSOCK, silent(true));
  }

  register(number: number, protocol: NetlinkProtocol): void {
    this.protocols.set(number, protocol);
  }

  /** socket(2) with AF_NETLINK: -ESOCKTNOSUPPORT, -EPROTONOSUPPORT. */
  create(ctx: VfsContext, type: number, protocol: number, flags: number): NetlinkSocket | number {
    if (type !== SOCK_RAW && type !== SOCK_DGRAM) return -ESOCKTNOSUPPORT;
    if (protocol < 0 || protocol >= MAX_LINKS) return -EPROTONOSUPPORT;
    const handler = this.protocols.get(protocol);
    if (handler === undefined) return -EPROTONOSUPPORT;
    const socket = new NetlinkSocket(ctx, this, handler, type, protocol, flags);
    this.sockets.add(socket);
    return socket;
  }

  find(protocol: number, port: number): NetlinkSocket | undefined {
    return this.ports.get(`${protocol}:${port}`);
  }

  /** Gives a socket a port; false when another one has it. */
  claim(socket: NetlinkSocket, port: number): boolean {
    const key = `${socket.protocol}:${port}`;
    if (this.ports.has(key)) return false;
    this.ports.set(key, socket);
    return true;
  }

  closed(socket: NetlinkSocket): void {
    this.sockets.delete(socket);
    const key = `${socket.protocol}:${socket.port}`;
    if (this.ports.get(key) === socket) this.ports.delete(key);
  }

  /** True when somebody hears a group. */
  heard(protocol: number, group: number): boolean {
    for (const s of this.sockets) if (s.protocol === protocol && s.hears(group)) return true;
    return false;
  }

  /** Sends messages to all that hear a group, but for `except`. */
  multicast(
    protocol: number,
    group: number,
    messages: readonly Uint8Array[],
    fromPort: number,
    except: NetlinkSocket | null,
  ): void {
    for (const s of this.sockets)
      if (s !== except && s.protocol === protocol && s.hears(group))
        for (const bytes of messages) s.deliver(bytes, fromPort, group);
  }

  /** Rows of /proc/net/netlink. */
  procRows(): string {
    let text = '';
    for (const s of this.sockets)
      text += `${'0'.repeat(16)} ${String(s.protocol).padEnd(3)} ${String(s.port >>> 0).padEnd(10)} ${s.groupMask.toString(16).padStart(8, '0')} ${String(s.queued).padEnd(8)} 0        0     2        ${String(s.drops).padEnd(8)} ${s.inode.ino}\n`;
    return text;
  }
}
