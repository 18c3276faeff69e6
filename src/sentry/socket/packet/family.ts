// PacketFamily: AF_PACKET sockets of one network namespace.

import { EPERM, ESOCKTNOSUPPORT } from '../../../abi/errno.ts';
import { SOCK_DGRAM, SOCK_RAW } from '../../../abi/net/socket.ts';
import { CAP_NET_RAW } from '../../../abi/process/capability.ts';
import type { Stack } from '../../../net/stack.ts';
import type { MemoryFile } from '../../memfile/memfile.ts';
import type { VfsContext } from '../../vfs/context.ts';
import type { SocketFamily } from '../family.ts';
import type { InetNamespace } from '../inet/namespace.ts';
import { PacketSocket } from './packet.ts';

/** AF_PACKET of a namespace: for those who may see everything. */
export class PacketFamily implements SocketFamily {
  private readonly ns: InetNamespace;
  private readonly stack: Stack;
  private readonly memfile: MemoryFile;
  /** Every open socket. */
  readonly sockets: Set<PacketSocket> = new Set();

  /** Rings lie in `memfile`. */
  constructor(ns: InetNamespace, stack: Stack, memfile: MemoryFile) {
    this.ns = ns;
    this.stack = stack;
    this.memfile = memfile;
  }

  create(ctx: VfsContext, type: number, protocol: number, flags: number): PacketSocket | number {
    if (!ctx.cred.capable(CAP_NET_RAW)) return -EPERM;
    if (type !== SOCK_RAW && type !== SOCK_DGRAM) return -ESOCKTNOSUPPORT;
    return new PacketSocket(ctx, this.ns, this.stack, this.sockets, this.memfile, type, protocol, flags);
  }

  /** Rows of /proc/net/packet: packet_seq_show(). */
  procRows(): string {
    let text = '';
    for (const s of this.sockets) text += s.procRow();
    return text;
  }
}
