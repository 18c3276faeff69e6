// What requests about interfaces know beside their own stack: other network namespaces, the numbers that those have here, who pays.

import { EBADF, EINVAL, ESRCH } from '../../../../abi/errno.ts';
import { IFLA_NET_NS_FD, IFLA_NET_NS_PID } from '../../../../abi/net/if_link.ts';
import { NETNSA_FD, NETNSA_NSID, NETNSA_PID } from '../../../../abi/net/link_kinds.ts';
import { RTM_NEWNSID } from '../../../../abi/net/rtnetlink.ts';
import type { Stack } from '../../../../net/stack.ts';
import type { VfsContext } from '../../../vfs/context.ts';
import { NetNsFile } from '../../inet/ns_file.ts';
import type { NetlinkAsker, NetlinkRequest } from '../protocol.ts';
import { Attributes } from '../reader.ts';
import { NetlinkWriter } from '../writer.ts';

/** Processes, as far as requests name them. */
export interface NetworkFinder {
  /** The stack of a process; null when there is none. */
  ofPid(pid: number): Stack | null;
}

/** NETNSA_NSID_NOT_ASSIGNED. */
const NOT_ASSIGNED = 0xffffffff;
/** struct rtgenmsg, padded. */
const HEADER_SIZE = 4;

/** The numbers that a namespace knows others by. */
export class NamespaceIds {
  private readonly ids = new Map<Stack, number>();

  /** The number of another namespace, given when it has none: peernet2id_alloc(). */
  of(other: Stack): number {
    const known = this.ids.get(other);
    if (known !== undefined) return known;
    for (const s of this.ids.keys()) if (s.ended) this.ids.delete(s);
    const used = new Set(this.ids.values());
    let id = 0;
    while (used.has(id)) id++;
    this.ids.set(other, id);
    return id;
  }

  find(other: Stack): number {
    return this.ids.get(other) ?? NOT_ASSIGNED;
  }

  /** False when the number or the namespace has one already. */
  give(other: Stack, id: number): boolean {
    if (this.ids.has(other)) return false;
    for (const [s, n] of this.ids) if (n === id && !s.ended) return false;
    this.ids.set(other, id);
    return true;
  }
}

/** The stack that a process or a descriptor names. -ESRCH, -EBADF, -EINVAL. */
function named(ctx: VfsContext, finder: NetworkFinder, pid?: number, fd?: number): Stack | number {
  if (pid !== undefined) return finder.ofPid(pid) ?? -ESRCH;
  const file = ctx.fds.get(fd!);
  if (file === null || file === undefined) return -EBADF;
  return file instanceof NetNsFile ? (file.net.home ?? -EINVAL) : -EINVAL;
}

/** IFLA_NET_NS_PID or IFLA_NET_NS_FD; `own` when there is neither. */
export function targetStack(
  ctx: VfsContext,
  finder: NetworkFinder,
  own: Stack,
  attrs: Attributes,
): Stack | number {
  const pid = attrs.u32(IFLA_NET_NS_PID);
  const fd = attrs.u32(IFLA_NET_NS_FD);
  return pid === undefined && fd === undefined ? own : named(ctx, finder, pid, fd);
}

/** RTM_GETNSID: what number a namespace has here. */
export function getNsid(
  ids: NamespaceIds,
  finder: NetworkFinder,
  ctx: VfsContext,
  from: NetlinkAsker,
  request: NetlinkRequest,
): number {
  const attrs = new Attributes(request.view, request.at + 16 + HEADER_SIZE, request.end);
  const pid = attrs.u32(NETNSA_PID);
  const fd = attrs.u32(NETNSA_FD);
  if (pid === undefined && fd === undefined) return -EINVAL;
  const other = named(ctx, finder, pid, fd);
  if (typeof other === 'number') return other;
  const w = new NetlinkWriter(request.seq, from.port, 0);
  w.begin(RTM_NEWNSID, HEADER_SIZE);
  w.u32(NETNSA_NSID, ids.find(other));
  w.end();
  return from.answer(w.finish());
}
