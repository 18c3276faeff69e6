// RTM_*NEIGH of AF_BRIDGE: the forwarding databases of bridges, bridge(8) fdb.

import { EINVAL, ENODEV, ENOENT, EOPNOTSUPP } from '../../../../abi/errno.ts';
import {
  decodeNdmsg,
  encodeNdmsg,
  NDA_CACHEINFO,
  NDA_LLADDR,
  NDA_MASTER,
  NTF_MASTER,
  NTF_SELF,
  NUD_NOARP,
  NUD_PERMANENT,
  NUD_REACHABLE,
  NUD_STALE,
  SIZEOF_NDMSG,
} from '../../../../abi/net/neighbour.ts';
import { NLM_F_BULK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_REPLACE } from '../../../../abi/net/netlink.ts';
import { RTM_NEWNEIGH } from '../../../../abi/net/rtnetlink.ts';
import { AF_BRIDGE } from '../../../../abi/net/socket.ts';
import { BridgeDevice } from '../../../../net/link/bridge.ts';
import { FDB_LEARNED, FDB_LOCAL, FDB_STATIC, type FdbEntry } from '../../../../net/link/fdb.ts';
import type { Link } from '../../../../net/link/link.ts';
import type { Stack } from '../../../../net/stack.ts';
import { countUnsupported } from '../../../base/log.ts';
import type { NetlinkAsker, NetlinkRequest } from '../protocol.ts';
import { Attributes } from '../reader.ts';
import { NetlinkWriter } from '../writer.ts';

/** struct nda_cacheinfo: confirmed, used, updated (in ticks ago), references. */
const CACHEINFO_SIZE = 16;
const TICK_NS = 1e7;

function stateOf(e: FdbEntry, device: BridgeDevice, nowNs: number): number {
  if (e.kind === FDB_LOCAL) return NUD_PERMANENT;
  if (e.kind === FDB_STATIC) return NUD_NOARP;
  return e.updatedNs + device.fdb.ageingNs <= nowNs ? NUD_STALE : NUD_REACHABLE;
}

function putEntry(w: NetlinkWriter, device: BridgeDevice, e: FdbEntry, nowNs: number): void {
  const body = w.begin(RTM_NEWNEIGH, SIZEOF_NDMSG);
  encodeNdmsg(w.header, body, {
    family: AF_BRIDGE,
    ifindex: e.port.ifindex,
    state: stateOf(e, device, nowNs),
    flags: 0,
    type: 0,
  });
  w.raw(NDA_LLADDR, e.mac);
  w.u32(NDA_MASTER, device.link.ifindex);
  const at = w.space(NDA_CACHEINFO, CACHEINFO_SIZE);
  const ago = (thenNs: number): number => Math.floor((nowNs - thenNs) / TICK_NS);
  w.header.setUint32(at + 4, ago(e.usedNs), true);
  w.header.setUint32(at + 8, ago(e.updatedNs), true);
  w.end();
}

/** RTM_GETNEIGH: a dump of all bridges, or of one bridge or port. */
export function getFdb(stack: Stack, from: NetlinkAsker, request: NetlinkRequest): number {
  const { view, at, end, seq, flags } = request;
  if ((flags & NLM_F_DUMP) === 0) {
    countUnsupported('RTM_GETNEIGH of one address of a bridge');
    return -EOPNOTSUPP;
  }
  const whole = end - at >= 16 + SIZEOF_NDMSG;
  const index = whole ? decodeNdmsg(view, at + 16).ifindex : 0;
  // bridge(8) sends struct ndmsg; older ones struct ifinfomsg, whose index is at the same place.
  const master = whole ? (new Attributes(view, at + 16 + SIZEOF_NDMSG, end).u32(NDA_MASTER) ?? 0) : 0;
  const w = new NetlinkWriter(seq, from.port, 2);
  const nowNs = stack.clock.monotonicNs();
  for (const link of stack.links.values()) {
    const { device } = link;
    if (!(device instanceof BridgeDevice) || (master !== 0 && master !== link.ifindex)) continue;
    for (const e of device.fdb.all(nowNs))
      if (index === 0 || index === e.port.ifindex || index === link.ifindex) putEntry(w, device, e, nowNs);
  }
  return Math.min(0, from.answer(w.finish())) || 1;
}

interface Asked {
  readonly port: Link;
  readonly device: BridgeDevice;
  readonly mac: Uint8Array;
  readonly state: number;
}

/** Which bridge a request means: of the port (NTF_MASTER), or the interface itself. */
function bridgeOf(port: Link, flags: number): BridgeDevice | null {
  if (port.master instanceof BridgeDevice && ((flags & NTF_MASTER) !== 0 || (flags & NTF_SELF) === 0))
    return port.master;
  return port.device instanceof BridgeDevice ? port.device : null;
}

function asked(stack: Stack, request: NetlinkRequest): Asked | number {
  const { view, at, end } = request;
  if (end - at < 16 + SIZEOF_NDMSG) return -EINVAL;
  const head = decodeNdmsg(view, at + 16);
  if (head.ifindex === 0) return -EINVAL;
  const port = stack.link(head.ifindex);
  if (port === null) return -ENODEV;
  const mac = new Attributes(view, at + 16 + SIZEOF_NDMSG, end).bytes(NDA_LLADDR);
  if (mac === undefined || mac.length !== 6) return -EINVAL;
  const device = bridgeOf(port, head.flags);
  if (device === null) return -EOPNOTSUPP;
  return { port, device, mac, state: head.state };
}

/** RTM_NEWNEIGH. */
export function newFdb(stack: Stack, request: NetlinkRequest): number {
  const a = asked(stack, request);
  if (typeof a === 'number') return a;
  if (a.mac.every((b) => b === 0)) return -EINVAL;
  const { flags } = request;
  const nowNs = stack.clock.monotonicNs();
  if ((flags & NLM_F_CREATE) === 0 && (flags & NLM_F_REPLACE) === 0) return -ENOENT;
  const own = a.port === a.device.link;
  const kind =
    own || (a.state & NUD_PERMANENT) !== 0
      ? FDB_LOCAL
      : (a.state & NUD_NOARP) !== 0
        ? FDB_STATIC
        : FDB_LEARNED;
  return a.device.fdb.add(a.mac, a.port, kind, (flags & NLM_F_REPLACE) !== 0, nowNs);
}

/** RTM_DELNEIGH; with NLM_F_BULK, of all that an interface has learned. */
export function delFdb(stack: Stack, request: NetlinkRequest): number {
  const { view, at, end } = request;
  if ((request.flags & NLM_F_BULK) !== 0) {
    if (end - at < 16 + SIZEOF_NDMSG) return -EINVAL;
    const head = decodeNdmsg(view, at + 16);
    const port = stack.link(head.ifindex);
    if (port === null) return -ENODEV;
    const device = bridgeOf(port, head.flags);
    if (device === null) return -EOPNOTSUPP;
    device.fdb.flush(port === device.link ? null : port, false);
    return 0;
  }
  const a = asked(stack, request);
  return typeof a === 'number' ? a : a.device.fdb.remove(a.mac, a.port);
}
