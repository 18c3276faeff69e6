// Options that are numbers, one after the other: what they are at first, whether another value is taken, what they are then.
#include "net.h"
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <netinet/udp.h>
#ifndef IPV6_2292PKTINFO
#define IPV6_2292PKTINFO 2
#define IPV6_2292HOPLIMIT 8
#endif
#ifndef UDP_NO_CHECK6_TX
#define UDP_NO_CHECK6_TX 101
#define UDP_NO_CHECK6_RX 102
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef IP_RECVFRAGSIZE
#define IP_RECVFRAGSIZE 25
#endif

static void one(int fd, int level, int name, const char *text, int value) {
  int first = -77, then = -77;
  socklen_t len = sizeof first;
  const char *got = getsockopt(fd, level, name, &first, &len) < 0 ? strerrorname_np(errno) : "ok";
  const char *set = setsockopt(fd, level, name, &value, sizeof value) < 0 ? strerrorname_np(errno) : "ok";
  len = sizeof then;
  const char *again = getsockopt(fd, level, name, &then, &len) < 0 ? strerrorname_np(errno) : "ok";
  say("%s: %s %d, set %d %s, %s %d\n", text, got, first, value, set, again, then);
}
#define ONE(fd, level, name, value) one(fd, level, name, #name, value)

SUBTEST_FORK(of_sockets) {
  int u = OK(socket(AF_INET, SOCK_DGRAM, 0)), t = OK(socket(AF_INET, SOCK_STREAM, 0)), l = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
  ONE(u, SOL_SOCKET, SO_PROTOCOL, 1);
  ONE(u, SOL_SOCKET, SO_BINDTOIFINDEX, 1);
  ONE(u, SOL_SOCKET, SO_SELECT_ERR_QUEUE, 1);
  ONE(u, SOL_SOCKET, SO_RXQ_OVFL, 1);
  ONE(t, SOL_SOCKET, SO_PRIORITY, 5);
  ONE(t, SOL_SOCKET, SO_MARK, 7);
  ONE(t, SOL_SOCKET, SO_MAX_PACING_RATE, 100000);
  ONE(u, SOL_SOCKET, SO_PEEK_OFF, 3);
  ONE(u, SOL_SOCKET, SO_RCVBUFFORCE, 1 << 20);
  ONE(u, SOL_SOCKET, SO_RCVBUF, 50000);
  ONE(u, SOL_SOCKET, SO_RCVLOWAT, 9);
  ONE(u, SOL_SOCKET, SO_SNDLOWAT, 9);
  ONE(u, SOL_SOCKET, SO_TIMESTAMPNS, 1);
  ONE(l, SOL_SOCKET, SO_DEBUG, 0);
  ONE(t, SOL_SOCKET, SO_PEERSEC, 0);
  struct timeval v = {3, 500000}, w = {0, 2000000}, r;
  socklen_t len = sizeof r;
  OK(setsockopt(u, SOL_SOCKET, SO_RCVTIMEO, &v, sizeof v));
  OK(getsockopt(u, SOL_SOCKET, SO_RCVTIMEO, &r, &len));
  say("SO_RCVTIMEO %d.%06d\n", (int)r.tv_sec, (int)r.tv_usec);
  CHECK_ERR(setsockopt(u, SOL_SOCKET, SO_SNDTIMEO, &w, sizeof w), EDOM);
  unsigned mem[9];
  len = sizeof mem;
  OK(getsockopt(u, SOL_SOCKET, SO_MEMINFO, mem, &len));
  say("SO_MEMINFO of %d: %u received, room for %u, %u sent\n", (int)len, mem[0], mem[1], mem[2]);
}

SUBTEST_FORK(of_ip) {
  int u = OK(socket(AF_INET, SOCK_DGRAM, 0)), t = OK(socket(AF_INET, SOCK_STREAM, 0));
  ONE(u, IPPROTO_IP, IP_RETOPTS, 1);
  ONE(u, IPPROTO_IP, IP_CHECKSUM, 1);
  ONE(u, IPPROTO_IP, IP_RECVFRAGSIZE, 1);
  ONE(t, IPPROTO_IP, IP_RECVFRAGSIZE, 1);
  ONE(u, IPPROTO_IP, IP_NODEFRAG, 1);
  ONE(u, IPPROTO_IP, IP_HDRINCL, 1);
  ONE(u, IPPROTO_IP, IP_TRANSPARENT, 1);
  ONE(u, IPPROTO_IP, IP_UNICAST_IF, htonl(1));
  ONE(u, IPPROTO_IP, IP_UNICAST_IF, htonl(99));
  ONE(u, IPPROTO_IP, IP_RECVORIGDSTADDR, 1);
  ONE(u, IPPROTO_IP, IP_RECVERR, 1);
}

SUBTEST_FORK(of_ipv6) {
  int u = OK(socket(AF_INET6, SOCK_DGRAM, 0));
  ONE(u, IPPROTO_IPV6, IPV6_MTU, 100);
  ONE(u, IPPROTO_IPV6, IPV6_2292PKTINFO, 1);
  ONE(u, IPPROTO_IPV6, IPV6_2292HOPLIMIT, 1);
  ONE(u, IPPROTO_IPV6, IPV6_RECVERR, 1);
  ONE(u, IPPROTO_IPV6, IPV6_RECVRTHDR, 1);
  ONE(u, IPPROTO_IPV6, IPV6_RECVPATHMTU, 1);
  ONE(u, IPPROTO_IPV6, IPV6_FREEBIND, 1);
  ONE(u, IPPROTO_IPV6, IPV6_TRANSPARENT, 1);
  ONE(u, IPPROTO_IPV6, IPV6_UNICAST_IF, htonl(1));
  ONE(u, IPPROTO_IPV6, IPV6_MULTICAST_IF, 1);
  ONE(u, IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 0);
}

SUBTEST_FORK(of_transports) {
  int u = OK(socket(AF_INET, SOCK_DGRAM, 0)), t = OK(socket(AF_INET, SOCK_STREAM, 0));
  ONE(t, IPPROTO_TCP, TCP_WINDOW_CLAMP, 50000);
  ONE(t, IPPROTO_TCP, TCP_INQ, 2);
  ONE(t, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 1000);
  ONE(t, IPPROTO_TCP, TCP_USER_TIMEOUT, -1);
  ONE(t, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5);
  ONE(u, IPPROTO_UDP, UDP_NO_CHECK6_TX, 1);
  ONE(u, IPPROTO_UDP, UDP_NO_CHECK6_RX, 1);
  ONE(u, IPPROTO_UDP, UDP_GRO, 1);
  ONE(u, IPPROTO_UDP, UDP_SEGMENT, 70000);
  CHECK_ERR(setsockopt(t, IPPROTO_TCP, TCP_ULP, "nothing", 7), ENOENT);
  CHECK_ERR(setsockopt(t, IPPROTO_TCP, TCP_CONGESTION, "nothing", 7), ENOENT);
}

SUBTEST_FORK(of_others) {
  int p = socket(AF_PACKET, SOCK_RAW, 0), n = OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
  ONE(n, SOL_NETLINK, NETLINK_PKTINFO, 1);
  ONE(n, SOL_NETLINK, NETLINK_NO_ENOBUFS, 1);
  ONE(n, SOL_NETLINK, NETLINK_EXT_ACK, 1);
  ONE(n, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
  ONE(n, SOL_NETLINK, NETLINK_BROADCAST_ERROR, 1);
  ONE(n, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, 1);
  unsigned groups[8] = {0};
  int group = 3;
  OK(setsockopt(n, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group));
  socklen_t len = sizeof groups;
  OK(getsockopt(n, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, groups, &len));
  say("groups %#x\n", groups[0]);
  if (p < 0) SKIP("no packet sockets");
  ONE(p, SOL_PACKET, PACKET_AUXDATA, 1);
  ONE(p, SOL_PACKET, PACKET_ORIGDEV, 1);
  ONE(p, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
}
