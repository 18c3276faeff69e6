// Options of a TCP socket that are an int: socket(7), ip(7), ipv6(7), tcp(7), with the errors that Linux gives.

import { EINVAL, ENOENT, ENOPROTOOPT, ENOTCONN, EOPNOTSUPP } from '../../abi/errno.ts';
import { POLLOUT, POLLWRNORM } from '../../abi/events/poll.ts';
import {
  IP_BIND_ADDRESS_NO_PORT,
  IP_FREEBIND,
  IP_MTU,
  IP_MTU_DISCOVER,
  IP_TOS,
  IP_TRANSPARENT,
  IP_TTL,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPPROTO_TCP,
  IPV6_MTU,
  IPV6_MTU_DISCOVER,
  IPV6_TCLASS,
  IPV6_UNICAST_HOPS,
  IPV6_V6ONLY,
} from '../../abi/net/in.ts';
import {
  SO_ACCEPTCONN,
  SO_BINDTOIFINDEX,
  SO_KEEPALIVE,
  SO_MARK,
  SO_MAX_PACING_RATE,
  SO_OOBINLINE,
  SO_PRIORITY,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_RCVLOWAT,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SO_SNDLOWAT,
  SOL_SOCKET,
} from '../../abi/net/socket.ts';
import {
  TCP_CLOSE,
  TCP_CLOSE_WAIT,
  TCP_CORK,
  TCP_DEFER_ACCEPT,
  TCP_ESTABLISHED,
  TCP_FASTOPEN,
  TCP_FASTOPEN_CONNECT,
  TCP_FASTOPEN_NO_COOKIE,
  TCP_FIN_WAIT2,
  TCP_INQ,
  TCP_KEEPCNT,
  TCP_KEEPIDLE,
  TCP_KEEPINTVL,
  TCP_LINGER2,
  TCP_LISTEN,
  TCP_MAXSEG,
  TCP_NODELAY,
  TCP_NOTSENT_LOWAT,
  TCP_QUICKACK,
  TCP_SYN_SENT,
  TCP_SYNCNT,
  TCP_THIN_DUPACK,
  TCP_THIN_LINEAR_TIMEOUTS,
  TCP_USER_TIMEOUT,
  TCP_WINDOW_CLAMP,
} from '../../abi/net/tcp.ts';
import { TFO_CLIENT_ENABLE } from './fastopen.ts';
import { windowOf } from './rcv.ts';
import { push } from './snd.ts';
import type { Tcb } from './tcb.ts';
import { CONGESTION_CONTROLS, SEND_SHUTDOWN } from './tcb.ts';
import { armKeepAlive, keepIdleNs } from './timers.ts';
import { sendAck, syncMss } from './transmit.ts';

/** The least that Linux makes of SO_SNDBUF and SO_RCVBUF (socket(7)). */
const MIN_SNDBUF = 4608;
const MIN_RCVBUF = 2304;
const MAX_KEEPIDLE = 32767;
const MAX_KEEPCNT = 127;

/** TCP_CONGESTION: 0 or -ENOENT. */
export function setCongestion(tcb: Tcb, name: string): number {
  const cc = CONGESTION_CONTROLS.find((one) => one.name === name);
  if (cc === undefined) return -ENOENT;
  tcb.cc = cc;
  // What another left there would hold for ever.
  if (!cc.models) tcb.cong.pacingRate = 0;
  else tcb.cong.ssthresh = 0x7fffffff;
  return 0;
}

/** Seconds in which so many timeouts, doubling from 1 s, pass, and back: TCP_DEFER_ACCEPT counts retransmissions. */
function deferSeconds(asked: number): number {
  if (asked <= 0) return 0;
  let total = 1;
  let timeout = 1;
  while (total < asked && timeout < 120) {
    timeout = Math.min(timeout * 2, 120);
    total += timeout;
  }
  return total;
}

/** setsockopt(2); 0 or -errno. */
export function setTcpOption(tcb: Tcb, level: number, name: number, value: number, nowNs: number): number {
  if (level === SOL_SOCKET) return setSocket(tcb, name, value, nowNs);
  if (level === IPPROTO_TCP) return setTcp(tcb, name, value, nowNs);
  if (level === IPPROTO_IP) return setIp(tcb, name, value);
  if (level === IPPROTO_IPV6) return tcb.v6 ? setIpv6(tcb, name, value) : -ENOPROTOOPT;
  return -ENOPROTOOPT;
}

function setSocket(tcb: Tcb, name: number, value: number, nowNs: number): number {
  const { options, host } = tcb;
  const { sysctl } = host;
  switch (name) {
    case SO_REUSEADDR:
      options.reuseAddr = value !== 0;
      return 0;
    case SO_REUSEPORT:
      options.reusePort = value !== 0;
      return 0;
    case SO_KEEPALIVE:
      options.keepAlive = value !== 0;
      if (tcb.state !== TCP_CLOSE && tcb.state !== TCP_LISTEN && tcb.state !== TCP_SYN_SENT) {
        if (value !== 0) armKeepAlive(tcb, nowNs);
        else if (tcb.state !== TCP_FIN_WAIT2) host.clock.cancel(tcb.keepTimer);
      }
      return 0;
    case SO_OOBINLINE:
      options.oobInline = value !== 0;
      return 0;
    case SO_SNDBUF:
    case SO_SNDBUFFORCE: {
      const v = name === SO_SNDBUF ? Math.min(value >>> 0, sysctl.wmem_max) : Math.max(value, 0);
      options.sndBuf = Math.max(Math.min(v, 0x3fffffff) * 2, MIN_SNDBUF);
      options.sndBufLocked = true;
      return 0;
    }
    case SO_RCVBUF:
    case SO_RCVBUFFORCE: {
      const v = name === SO_RCVBUF ? Math.min(value >>> 0, sysctl.rmem_max) : Math.max(value, 0);
      options.rcvBuf = Math.max(Math.min(v, 0x3fffffff) * 2, MIN_RCVBUF);
      options.rcvBufLocked = true;
      return 0;
    }
    case SO_RCVLOWAT: {
      const v = value < 0 ? 0x7fffffff : value;
      options.rcvLowat = Math.max(1, v);
      const need = Math.min(options.rcvLowat * 2, sysctl.tcp_rmem[2]);
      if (!options.rcvBufLocked && need > options.rcvBuf) options.rcvBuf = need;
      options.rcvLowat = Math.min(options.rcvLowat, Math.max(1, windowOf(options.rcvBuf)));
      return 0;
    }
    case SO_PRIORITY:
      options.priority = value;
      return 0;
    case SO_MARK:
      options.mark = value;
      tcb.path = null;
      return 0;
    case SO_MAX_PACING_RATE:
      options.maxPacing = value;
      return 0;
    case SO_BINDTOIFINDEX:
      if (value < 0) return -EINVAL;
      options.ifindex = value;
      tcb.path = null;
      return 0;
    default:
      return -ENOPROTOOPT;
  }
}

function setTcp(tcb: Tcb, name: number, value: number, nowNs: number): number {
  const { options } = tcb;
  switch (name) {
    case TCP_NODELAY:
      options.noDelay = value !== 0;
      if (options.noDelay && !options.cork) pushNow(tcb, nowNs);
      return 0;
    case TCP_CORK:
      options.cork = value !== 0;
      if (!options.cork) pushNow(tcb, nowNs);
      return 0;
    case TCP_MAXSEG:
      if (value !== 0 && (value < 88 || value > 32767)) return -EINVAL;
      options.maxSeg = value;
      if (tcb.path !== null) syncMss(tcb);
      return 0;
    case TCP_KEEPIDLE:
      if (value < 1 || value > MAX_KEEPIDLE) return -EINVAL;
      options.keepIdleS = value;
      if (options.keepAlive && tcb.keepTimer.armed && tcb.state !== TCP_FIN_WAIT2) {
        const quiet = nowNs - Math.max(tcb.lastDataRecvNs, tcb.lastAckRecvNs);
        tcb.host.clock.arm(tcb.keepTimer, nowNs + Math.max(0, keepIdleNs(tcb) - quiet));
      }
      return 0;
    case TCP_KEEPINTVL:
      if (value < 1 || value > MAX_KEEPIDLE) return -EINVAL;
      options.keepIntvlS = value;
      return 0;
    case TCP_KEEPCNT:
      if (value < 1 || value > MAX_KEEPCNT) return -EINVAL;
      options.keepCnt = value;
      return 0;
    case TCP_SYNCNT:
      if (value < 1 || value > MAX_KEEPCNT) return -EINVAL;
      options.synCnt = value;
      return 0;
    case TCP_LINGER2:
      options.linger2S = value < 0 ? -1 : value > 120 ? 120 : value;
      return 0;
    case TCP_DEFER_ACCEPT:
      options.deferAcceptS = deferSeconds(value);
      return 0;
    case TCP_WINDOW_CLAMP:
      if (value === 0 && tcb.state !== TCP_CLOSE) return -EINVAL;
      options.windowClamp = value === 0 ? 0 : Math.max(value, MIN_RCVBUF / 2);
      return 0;
    case TCP_QUICKACK:
      tcb.pingPong = value === 0;
      if (value !== 0 && tcb.ackPending) {
        sendAck(tcb, nowNs);
        if ((value & 1) === 0) tcb.pingPong = true;
      }
      return 0;
    case TCP_USER_TIMEOUT:
      if (value < 0) return -EINVAL;
      options.userTimeoutMs = value;
      return 0;
    case TCP_NOTSENT_LOWAT:
      options.notSentLowat = value >>> 0;
      if (tcb.owner !== null) tcb.tell(POLLOUT | POLLWRNORM);
      return 0;
    case TCP_INQ:
      if (value < 0 || value > 1) return -EINVAL;
      options.recvInq = value === 1;
      return 0;
    case TCP_FASTOPEN:
      if (value < 0 || (tcb.state !== TCP_CLOSE && tcb.state !== TCP_LISTEN)) return -EINVAL;
      options.fastOpen = Math.min(value, tcb.host.sysctl.somaxconn);
      return 0;
    case TCP_FASTOPEN_CONNECT:
      if (value < 0 || value > 1) return -EINVAL;
      if ((tcb.host.sysctl.tcp_fastopen & TFO_CLIENT_ENABLE) === 0) return -EOPNOTSUPP;
      if (tcb.state !== TCP_CLOSE) return -EINVAL;
      options.fastOpenConnect = value === 1;
      return 0;
    case TCP_FASTOPEN_NO_COOKIE:
      if (value < 0 || value > 1 || (tcb.state !== TCP_CLOSE && tcb.state !== TCP_LISTEN)) return -EINVAL;
      options.fastOpenNoCookie = value === 1;
      return 0;
    case TCP_THIN_LINEAR_TIMEOUTS:
    case TCP_THIN_DUPACK:
      // Without effect when 0, as in a kernel that has them.
      return value === 0 ? 0 : -EINVAL;
    default:
      return -ENOPROTOOPT;
  }
}

function pushNow(tcb: Tcb, nowNs: number): void {
  tcb.more = false;
  if (tcb.state === TCP_ESTABLISHED || tcb.state === TCP_CLOSE_WAIT || tcb.shutdown & SEND_SHUTDOWN)
    if (tcb.state !== TCP_CLOSE && tcb.state !== TCP_LISTEN) push(tcb, nowNs);
}

function setIp(tcb: Tcb, name: number, value: number): number {
  const { options } = tcb;
  switch (name) {
    case IP_TOS:
      // The ECN bits are TCP's (ip(7)).
      options.tos = value & 0xfc;
      return 0;
    case IP_TTL:
      if (value !== -1 && (value < 1 || value > 255)) return -EINVAL;
      options.ttl = value === -1 ? 0 : value;
      return 0;
    case IP_MTU_DISCOVER:
      if (value < 0 || value > 5) return -EINVAL;
      options.mtuDiscover = value;
      return 0;
    case IP_FREEBIND:
      options.freebind = value !== 0;
      return 0;
    case IP_TRANSPARENT:
      options.transparent = value !== 0;
      return 0;
    case IP_BIND_ADDRESS_NO_PORT:
      options.noPort = value !== 0;
      return 0;
    default:
      return -ENOPROTOOPT;
  }
}

function setIpv6(tcb: Tcb, name: number, value: number): number {
  const { options } = tcb;
  switch (name) {
    case IPV6_V6ONLY:
      if (tcb.localPort !== 0) return -EINVAL;
      options.v6only = value !== 0;
      return 0;
    case IPV6_TCLASS:
      if (value < -1 || value > 255) return -EINVAL;
      options.tos = value === -1 ? 0 : value & 0xfc;
      return 0;
    case IPV6_UNICAST_HOPS:
      if (value < -1 || value > 255) return -EINVAL;
      options.ttl = value === -1 ? 0 : value;
      return 0;
    case IPV6_MTU_DISCOVER:
      if (value < 0 || value > 5) return -EINVAL;
      options.mtuDiscover = value;
      return 0;
    default:
      return -ENOPROTOOPT;
  }
}

/** Why there is no value. */
class NoValue {
  readonly errno: number;
  constructor(errno: number) {
    this.errno = errno;
  }
}
const NO_OPTION = new NoValue(ENOPROTOOPT);
const NOT_CONNECTED = new NoValue(ENOTCONN);

/** getsockopt(2): the value, or why there is none. */
export function getTcpOption(tcb: Tcb, level: number, name: number): number | NoValue {
  if (level === SOL_SOCKET) return getSocket(tcb, name);
  if (level === IPPROTO_TCP) return getTcp(tcb, name);
  if (level === IPPROTO_IP) return getIp(tcb, name);
  if (level === IPPROTO_IPV6 && tcb.v6) return getIpv6(tcb, name);
  return NO_OPTION;
}

function getSocket(tcb: Tcb, name: number): number | NoValue {
  const { options } = tcb;
  switch (name) {
    case SO_REUSEADDR:
      return Number(options.reuseAddr);
    case SO_REUSEPORT:
      return Number(options.reusePort);
    case SO_KEEPALIVE:
      return Number(options.keepAlive);
    case SO_OOBINLINE:
      return Number(options.oobInline);
    case SO_SNDBUF:
      return options.sndBuf;
    case SO_RCVBUF:
      return options.rcvBuf;
    case SO_RCVLOWAT:
      return options.rcvLowat;
    case SO_SNDLOWAT:
      return 1;
    case SO_PRIORITY:
      return options.priority;
    case SO_MARK:
      return options.mark;
    case SO_BINDTOIFINDEX:
      return options.ifindex;
    case SO_ACCEPTCONN:
      return Number(tcb.state === TCP_LISTEN);
    default:
      return NO_OPTION;
  }
}

function getTcp(tcb: Tcb, name: number): number | NoValue {
  const { options } = tcb;
  const { sysctl } = tcb.host;
  switch (name) {
    case TCP_NODELAY:
      return Number(options.noDelay);
    case TCP_CORK:
      return Number(options.cork);
    case TCP_MAXSEG:
      if (tcb.state === TCP_CLOSE || tcb.state === TCP_LISTEN) return options.maxSeg || 536;
      return tcb.mss;
    case TCP_KEEPIDLE:
      return options.keepIdleS || sysctl.tcp_keepalive_time;
    case TCP_KEEPINTVL:
      return options.keepIntvlS || sysctl.tcp_keepalive_intvl;
    case TCP_KEEPCNT:
      return options.keepCnt || sysctl.tcp_keepalive_probes;
    case TCP_SYNCNT:
      return options.synCnt || sysctl.tcp_syn_retries;
    case TCP_LINGER2:
      return options.linger2S < 0 ? -1 : options.linger2S || sysctl.tcp_fin_timeout;
    case TCP_DEFER_ACCEPT:
      return options.deferAcceptS;
    case TCP_WINDOW_CLAMP:
      return options.windowClamp;
    case TCP_QUICKACK:
      return Number(!tcb.pingPong);
    case TCP_USER_TIMEOUT:
      return options.userTimeoutMs;
    case TCP_NOTSENT_LOWAT:
      return options.notSentLowat | 0;
    case TCP_INQ:
      return Number(options.recvInq);
    case TCP_FASTOPEN:
      return options.fastOpen;
    case TCP_FASTOPEN_CONNECT:
      return Number(options.fastOpenConnect);
    case TCP_FASTOPEN_NO_COOKIE:
      return Number(options.fastOpenNoCookie);
    default:
      return NO_OPTION;
  }
}

function getIp(tcb: Tcb, name: number): number | NoValue {
  const { options } = tcb;
  switch (name) {
    case IP_TOS:
      return options.tos;
    case IP_TTL:
      return options.ttl || 64;
    case IP_MTU:
      return tcb.path === null ? NOT_CONNECTED : tcb.path.mtu;
    case IP_MTU_DISCOVER:
      return options.mtuDiscover;
    case IP_FREEBIND:
      return Number(options.freebind);
    case IP_TRANSPARENT:
      return Number(options.transparent);
    case IP_BIND_ADDRESS_NO_PORT:
      return Number(options.noPort);
    default:
      return NO_OPTION;
  }
}

function getIpv6(tcb: Tcb, name: number): number | NoValue {
  const { options } = tcb;
  switch (name) {
    case IPV6_V6ONLY:
      return Number(options.v6only);
    case IPV6_TCLASS:
      return options.tos;
    case IPV6_UNICAST_HOPS:
      return options.ttl || 64;
    case IPV6_MTU:
      return tcb.path === null ? NOT_CONNECTED : tcb.path.mtu;
    case IPV6_MTU_DISCOVER:
      return options.mtuDiscover;
    default:
      return NO_OPTION;
  }
}
