// What a netlink protocol implements, and the table of them: netlink(7).

import type { VfsContext } from '../../vfs/context.ts';
import type { NetlinkSocket } from './socket.ts';

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

export interface NetlinkProtocol {
  /** Highest multicast group. */
  readonly groups: number;
  /** Anybody may hear groups (NL_CFG_F_NONROOT_RECV) and send to others (NL_CFG_F_NONROOT_SEND). */
  readonly anyoneHears: boolean;
  readonly anyoneSends: boolean;
  /** Answers are queued on `socket`; 0 or -errno, which is told the sender. */
  request(ctx: VfsContext, socket: NetlinkSocket, request: NetlinkRequest): number;
}
