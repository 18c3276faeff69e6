// SocketFamily: a family of sockets of a network namespace beside AF_INET and AF_INET6: what socket(2) asks.

import type { VfsContext } from '../vfs/context.ts';
import type { SocketFile } from './socket.ts';

export interface SocketFamily {
  /** A socket; -ESOCKTNOSUPPORT, -EPROTONOSUPPORT, -EPERM. `flags` may hold O_NONBLOCK. */
  create(ctx: VfsContext, type: number, protocol: number, flags: number): SocketFile | number;
  /** Its rows in /proc/net. */
  procRows(): string;
}
