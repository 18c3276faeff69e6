// Packetization layer path MTU discovery (RFC 4821) as net.ipv4.tcp_mtu_probing has it: 1 begins it for a connection whose large packets
// vanish without a word of any router, 2 for all. A connection sends what is known to arrive, and now and then one larger segment.

import { TCP_CA_Open } from '../../abi/net/tcp.ts';
import type { Path } from '../path.ts';
import { MtuSearch } from './mtu_search_state.ts';
import { HEADER_SIZE } from './segment.ts';
import { advance, before, distance } from './seq.ts';
import type { Tcb } from './tcb.ts';

/** tcp_mtu_probe_floor; tcp_probe_threshold: nearer than that, the search is over; tcp_probe_interval: and begins anew. */
const FLOOR_MSS = 48;
const THRESHOLD = 8;
const INTERVAL_NS = 600e9;
/** A probe takes a window of so many segments: its loss must be seen by acknowledgments. */
const LEAST_WINDOW = 11;

/** Bytes of a packet around the payload of segments without options. */
function headersOf(path: Path): number {
  return (path.dst.isV4 ? 20 : 40) + HEADER_SIZE;
}

/** The payload, without options, that a search lets go. */
export function searchedMss(search: MtuSearch, path: Path): number {
  if (search.high > path.mtu) search.high = Math.max(path.mtu, search.low);
  return search.low - headersOf(path);
}

/** A connection stands. */
export function beginSearch(tcb: Tcb): void {
  const { path, host } = tcb;
  if (host.sysctl.tcp_mtu_probing < 2 || path === null || path.local) return;
  tcb.search = newSearch(tcb, path);
}

function newSearch(tcb: Tcb, path: Path): MtuSearch {
  return new MtuSearch(Math.min(tcb.host.sysctl.tcp_base_mss + headersOf(path), path.mtu), path.mtu);
}

/** Nothing was acknowledged for tcp_retries1 timeouts: large packets may be lost for their size. True when the MSS may be smaller now. */
export function suspectBlackHole(tcb: Tcb): boolean {
  const { path, host, search } = tcb;
  const { sysctl } = host;
  if (sysctl.tcp_mtu_probing === 0 || path === null || path.local) return false;
  if (search === null) {
    tcb.search = newSearch(tcb, path);
    return true;
  }
  const headers = headersOf(path);
  const half = Math.min((search.low - headers) >> 1, sysctl.tcp_base_mss);
  search.low = Math.max(half, FLOOR_MSS, sysctl.tcp_min_snd_mss) + headers;
  search.size = 0;
  return true;
}

/**
 * Where a probe that may go now ends (tcp_mtu_probe()), or 0: there must be bytes for it and for segments behind it, by which its loss
 * shows, and room for all of them.
 */
export function probeEnd(tcb: Tcb, search: MtuSearch, mss: number, nowNs: number): number {
  const path = tcb.path;
  if (path === null || search.size > 0 || tcb.caState !== TCP_CA_Open || tcb.early.count > 0) return 0;
  if (tcb.cong.cwnd < LEAST_WINDOW * mss) return 0;
  if (search.high - search.low < THRESHOLD) {
    if (search.doneNs === 0) search.doneNs = nowNs;
    else if (nowNs - search.doneNs >= INTERVAL_NS) {
      search.doneNs = 0;
      search.high = path.mtu;
    }
    return 0;
  }
  const packet = (search.low + search.high + 1) >> 1;
  const bytes = packet - search.low + mss;
  const needed = bytes + (tcb.host.sysctl.tcp_reordering + 1) * mss;
  if (distance(tcb.bufEnd, tcb.nxt) < needed) return 0;
  if (distance(advance(tcb.una, tcb.wnd), tcb.nxt) < needed || tcb.pipe + bytes > tcb.cong.cwnd) return 0;
  search.size = packet;
  search.start = tcb.nxt;
  search.end = advance(tcb.nxt, bytes);
  return search.end;
}

/** Bytes up to `ack` have arrived: true when the probe was among them, and segments may be as large. */
export function probeArrived(search: MtuSearch, ack: number): boolean {
  if (search.size === 0 || before(ack, search.end)) return false;
  search.low = search.size;
  search.size = 0;
  return true;
}

/** The oldest segment is lost: true when it is the probe. That is no sign of congestion (RFC 4821, section 7.6.2). */
export function probeLost(search: MtuSearch, una: number): boolean {
  if (search.size === 0 || una !== search.start) return false;
  search.high = search.size - 1;
  search.size = 0;
  return true;
}
