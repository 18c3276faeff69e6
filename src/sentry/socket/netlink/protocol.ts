// What a netlink protocol implements, and the table of them: netlink(7).

import type { VfsContext } from '../../vfs/context.ts';

/** One request: its header is at `at` of `view`, its family header behind it, all of it ends at `end`. */
export interface NetlinkRequest {
  readonly view: DataView;
  readonly at: number;
  readonly end: number;
  readonly type: number;
  readonly flags: number;
  readonly seq: number;
  /** Port of the sender. */
  readonly pid: number;
}

/** Who asked: where answers go. */
export interface NetlinkAsker {
  readonly port: number;
  /** Queues the answers to a request of its own; -ENOBUFS. */
  answer(buffers: readonly Uint8Array[]): number;
}

/** Another socket, as far as senders know it. */
export interface NetlinkReceiver {
  /** False when there is no room. */
  deliver(bytes: Uint8Array, from: number, group: number): boolean;
}

/** What a socket needs of those beside it (namespace.ts). */
export interface NetlinkPeers<Socket> {
  readonly sockets: ReadonlySet<Socket>;
  find(protocol: number, port: number): NetlinkReceiver | undefined;
  /** Gives a socket a port; false when another one has it. */
  claim(socket: Socket, port: number): boolean;
  closed(socket: Socket): void;
  multicast(
    protocol: number,
    group: number,
    messages: readonly Uint8Array[],
    fromPort: number,
    except: Socket | null,
  ): void;
}

export interface NetlinkProtocol {
  /** Highest multicast group. */
  readonly groups: number;
  /** Anybody may hear groups (NL_CFG_F_NONROOT_RECV) and send to others (NL_CFG_F_NONROOT_SEND). */
  readonly anyoneHears: boolean;
  readonly anyoneSends: boolean;
  /** Answers are queued on `socket`; 0 or -errno, which is told the sender. */
  request(ctx: VfsContext, socket: NetlinkAsker, request: NetlinkRequest): number;
}
