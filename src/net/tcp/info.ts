// struct tcp_info: <linux/tcp.h>, TCP_INFO of tcp(7).

import {
  SIZEOF_TCP_INFO,
  TCP_INFO_TCPI_ADVMSS,
  TCP_INFO_TCPI_ATO,
  TCP_INFO_TCPI_BACKOFF,
  TCP_INFO_TCPI_BYTES_ACKED,
  TCP_INFO_TCPI_BYTES_RECEIVED,
  TCP_INFO_TCPI_BYTES_RETRANS,
  TCP_INFO_TCPI_BYTES_SENT,
  TCP_INFO_TCPI_CA_STATE,
  TCP_INFO_TCPI_DATA_SEGS_IN,
  TCP_INFO_TCPI_DATA_SEGS_OUT,
  TCP_INFO_TCPI_DELIVERED,
  TCP_INFO_TCPI_DELIVERY_RATE,
  TCP_INFO_TCPI_DSACK_DUPS,
  TCP_INFO_TCPI_LAST_ACK_RECV,
  TCP_INFO_TCPI_LAST_DATA_RECV,
  TCP_INFO_TCPI_LAST_DATA_SENT,
  TCP_INFO_TCPI_LOST,
  TCP_INFO_TCPI_MAX_PACING_RATE,
  TCP_INFO_TCPI_MIN_RTT,
  TCP_INFO_TCPI_NOTSENT_BYTES,
  TCP_INFO_TCPI_OPTIONS,
  TCP_INFO_TCPI_PACING_RATE,
  TCP_INFO_TCPI_PMTU,
  TCP_INFO_TCPI_PROBES,
  TCP_INFO_TCPI_RCV_MSS,
  TCP_INFO_TCPI_RCV_OOOPACK,
  TCP_INFO_TCPI_RCV_RTT,
  TCP_INFO_TCPI_RCV_SPACE,
  TCP_INFO_TCPI_RCV_SSTHRESH,
  TCP_INFO_TCPI_REORD_SEEN,
  TCP_INFO_TCPI_REORDERING,
  TCP_INFO_TCPI_RETRANS,
  TCP_INFO_TCPI_RETRANSMITS,
  TCP_INFO_TCPI_RTO,
  TCP_INFO_TCPI_RTT,
  TCP_INFO_TCPI_RTTVAR,
  TCP_INFO_TCPI_SACKED,
  TCP_INFO_TCPI_SEGS_IN,
  TCP_INFO_TCPI_SEGS_OUT,
  TCP_INFO_TCPI_SND_CWND,
  TCP_INFO_TCPI_SND_MSS,
  TCP_INFO_TCPI_SND_SSTHRESH,
  TCP_INFO_TCPI_SND_WND,
  TCP_INFO_TCPI_STATE,
  TCP_INFO_TCPI_TOTAL_RETRANS,
  TCP_INFO_TCPI_UNACKED,
  TCPI_OPT_ECN,
  TCPI_OPT_ECN_SEEN,
  TCPI_OPT_SACK,
  TCPI_OPT_SYN_DATA,
  TCPI_OPT_TIMESTAMPS,
  TCPI_OPT_WSCALE,
} from '../../abi/net/tcp.ts';
import { paceRate } from './pacing.ts';
import type { Tcb } from './tcb.ts';

/** What a listener's struct says of its queue. */
export interface AcceptQueue {
  readonly ready: readonly unknown[];
  readonly backlog: number;
}

function put64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}

/** Fills struct tcp_info; bytes. */
export function fillInfo(tcb: Tcb, nowNs: number, view: DataView, listener: AcceptQueue | null): number {
  const u8 = (at: number, v: number): void => view.setUint8(at, v);
  const u32 = (at: number, v: number): void => view.setUint32(at, Math.max(0, Math.min(v, 0xffffffff)), true);
  for (let i = 0; i < SIZEOF_TCP_INFO; i += 4) view.setUint32(i, 0, true);
  const { board, cong, rtt } = tcb;
  const mss = Math.max(1, tcb.mss);
  const segments = (bytes: number): number => Math.ceil(bytes / mss);
  const us = (ns: number): number => Math.floor(ns / 1000);
  const ms = (sinceNs: number): number => Math.floor((nowNs - sinceNs) / 1e6);
  u8(TCP_INFO_TCPI_STATE, tcb.state);
  if (listener !== null) {
    u32(TCP_INFO_TCPI_UNACKED, listener.ready.length);
    u32(TCP_INFO_TCPI_SACKED, listener.backlog);
    return SIZEOF_TCP_INFO;
  }
  u8(TCP_INFO_TCPI_CA_STATE, tcb.caState);
  u8(TCP_INFO_TCPI_RETRANSMITS, Math.min(255, tcb.retransmits));
  u8(TCP_INFO_TCPI_PROBES, Math.min(255, tcb.probesOut));
  u8(TCP_INFO_TCPI_BACKOFF, Math.min(255, tcb.backoff));
  u8(
    TCP_INFO_TCPI_OPTIONS,
    (tcb.timestamps ? TCPI_OPT_TIMESTAMPS : 0) |
      (tcb.sackOk ? TCPI_OPT_SACK : 0) |
      (tcb.scaling ? TCPI_OPT_WSCALE : 0) |
      (tcb.ecn ? TCPI_OPT_ECN : 0) |
      (tcb.ecnSeen ? TCPI_OPT_ECN_SEEN : 0) |
      (tcb.synDataAcked ? TCPI_OPT_SYN_DATA : 0),
  );
  // tcpi_snd_wscale and tcpi_rcv_wscale are four bits each.
  u8(TCP_INFO_TCPI_OPTIONS + 1, tcb.sndShift | (tcb.rcvShift << 4));
  // tcpi_delivery_rate_app_limited, one bit, and tcpi_fastopen_client_fail, two.
  u8(TCP_INFO_TCPI_OPTIONS + 2, (tcb.limitedUntil !== 0 ? 1 : 0) | (tcb.fastOpenFail << 1));
  u32(TCP_INFO_TCPI_RTO, us(rtt.rtoNs * 2 ** Math.min(tcb.backoff, 16)));
  u32(TCP_INFO_TCPI_ATO, us(tcb.ato));
  u32(TCP_INFO_TCPI_SND_MSS, tcb.mss);
  u32(TCP_INFO_TCPI_RCV_MSS, tcb.rcvMss);
  u32(TCP_INFO_TCPI_UNACKED, segments(tcb.flight));
  u32(TCP_INFO_TCPI_SACKED, segments(board.sackedBytes));
  u32(TCP_INFO_TCPI_LOST, segments(board.lostBytes));
  u32(TCP_INFO_TCPI_RETRANS, segments(board.retransmittedBytes));
  u32(TCP_INFO_TCPI_LAST_DATA_SENT, ms(tcb.lastDataSentNs));
  u32(TCP_INFO_TCPI_LAST_DATA_RECV, ms(tcb.lastDataRecvNs));
  u32(TCP_INFO_TCPI_LAST_ACK_RECV, ms(tcb.lastAckRecvNs));
  u32(TCP_INFO_TCPI_PMTU, tcb.pathMtu);
  u32(TCP_INFO_TCPI_RCV_SSTHRESH, tcb.rcvWnd);
  u32(TCP_INFO_TCPI_RTT, us(rtt.smoothedNs));
  u32(TCP_INFO_TCPI_RTTVAR, us(rtt.variationNs));
  u32(TCP_INFO_TCPI_SND_SSTHRESH, cong.ssthresh >= 0x7fffffff ? 0x7fffffff : segments(cong.ssthresh));
  u32(TCP_INFO_TCPI_SND_CWND, Math.floor(cong.cwnd / mss));
  u32(TCP_INFO_TCPI_ADVMSS, tcb.advMss);
  u32(TCP_INFO_TCPI_REORDERING, tcb.host.sysctl.tcp_reordering);
  u32(TCP_INFO_TCPI_RCV_RTT, us(tcb.rcvRttNs));
  u32(TCP_INFO_TCPI_RCV_SPACE, tcb.tuneSpace);
  u32(TCP_INFO_TCPI_TOTAL_RETRANS, tcb.totalRetrans);
  put64(view, TCP_INFO_TCPI_PACING_RATE, Math.floor(paceRate(tcb)));
  if (tcb.options.maxPacing > 0) put64(view, TCP_INFO_TCPI_MAX_PACING_RATE, tcb.options.maxPacing);
  else {
    // All ones are Linux's "none".
    view.setUint32(TCP_INFO_TCPI_MAX_PACING_RATE, 0xffffffff, true);
    view.setUint32(TCP_INFO_TCPI_MAX_PACING_RATE + 4, 0xffffffff, true);
  }
  put64(view, TCP_INFO_TCPI_BYTES_ACKED, tcb.bytesAcked);
  put64(view, TCP_INFO_TCPI_BYTES_RECEIVED, tcb.bytesReceived);
  u32(TCP_INFO_TCPI_SEGS_OUT, tcb.segsOut);
  u32(TCP_INFO_TCPI_SEGS_IN, tcb.segsIn);
  u32(TCP_INFO_TCPI_NOTSENT_BYTES, (tcb.bufEnd - tcb.nxt) | 0);
  u32(TCP_INFO_TCPI_MIN_RTT, rtt.smoothedNs === 0 ? 0xffffffff : us(rtt.minNs));
  u32(TCP_INFO_TCPI_DATA_SEGS_IN, tcb.dataSegsIn);
  u32(TCP_INFO_TCPI_DATA_SEGS_OUT, tcb.dataSegsOut);
  put64(view, TCP_INFO_TCPI_DELIVERY_RATE, Math.floor(tcb.deliveryRate));
  u32(TCP_INFO_TCPI_DELIVERED, segments(tcb.delivered));
  put64(view, TCP_INFO_TCPI_BYTES_SENT, tcb.bytesSent);
  put64(view, TCP_INFO_TCPI_BYTES_RETRANS, tcb.bytesRetrans);
  u32(TCP_INFO_TCPI_DSACK_DUPS, tcb.dsackDups);
  u32(TCP_INFO_TCPI_REORD_SEEN, tcb.reorderSeen);
  u32(TCP_INFO_TCPI_RCV_OOOPACK, tcb.earlyPackets);
  u32(TCP_INFO_TCPI_SND_WND, tcb.wnd);
  return SIZEOF_TCP_INFO;
}
