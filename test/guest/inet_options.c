// Options of socket(7), ip(7), ipv6(7), tcp(7), udp(7): first values, ranges, errors.
#include "net.h"
#include <linux/ipv6.h>
#include <netinet/udp.h>

struct number {
  int level, name, first, good, got, bad;  // what getsockopt tells, a value to set and what is told then, one that is refused
};
#define NONE (-99)

static void check_numbers(int fd, const struct number *n, int count) {
  for (int i = 0; i < count; i++) {
    int value = -12345;
    socklen_t len = sizeof value;
    if (getsockopt(fd, n[i].level, n[i].name, &value, &len) < 0)
      FAIL("%d %d: %s", n[i].level, n[i].name, strerrorname_np(errno));
    if (value != n[i].first) FAIL("%d %d is %d at first, not %d", n[i].level, n[i].name, value, n[i].first);
    if (setsockopt(fd, n[i].level, n[i].name, &n[i].good, sizeof(int)) < 0)
      FAIL("%d %d = %d: %s", n[i].level, n[i].name, n[i].good, strerrorname_np(errno));
    OK(getsockopt(fd, n[i].level, n[i].name, &value, &len));
    if (value != n[i].got) FAIL("%d %d is %d then, not %d", n[i].level, n[i].name, value, n[i].got);
    if (n[i].bad == NONE) continue;
    if (setsockopt(fd, n[i].level, n[i].name, &n[i].bad, sizeof(int)) == 0)
      FAIL("%d %d takes %d", n[i].level, n[i].name, n[i].bad);
    if (errno != EINVAL) FAIL("%d %d: %s", n[i].level, n[i].name, strerrorname_np(errno));
  }
}

SUBTEST_FORK(ip_numbers) {
  static const struct number n[] = {
    {IPPROTO_IP, IP_TOS, 0, 0x28, 0x28, NONE}, {IPPROTO_IP, IP_TTL, 64, 9, 9, 256},
    {IPPROTO_IP, IP_PKTINFO, 0, 5, 1, NONE}, {IPPROTO_IP, IP_RECVTTL, 0, 1, 1, NONE},
    {IPPROTO_IP, IP_RECVTOS, 0, 1, 1, NONE}, {IPPROTO_IP, IP_RECVERR, 0, 1, 1, NONE},
    {IPPROTO_IP, IP_MTU_DISCOVER, 1, 2, 2, 9}, {IPPROTO_IP, IP_FREEBIND, 0, 1, 1, NONE},
    {IPPROTO_IP, IP_MULTICAST_TTL, 1, 7, 7, 256}, {IPPROTO_IP, IP_MULTICAST_LOOP, 1, 0, 0, NONE},
    {IPPROTO_IP, IP_MULTICAST_ALL, 1, 0, 0, 2}, {IPPROTO_IP, IP_MINTTL, 0, 3, 3, 256},
    {IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 0, 1, 1, NONE}, {IPPROTO_IP, IP_RECVOPTS, 0, 1, 1, NONE},
  };
  check_numbers(OK(socket(AF_INET, SOCK_DGRAM, 0)), n, COUNT(n));
}

SUBTEST_FORK(ip_errors) {
  int udp = OK(socket(AF_INET, SOCK_DGRAM, 0)), tcp = OK(socket(AF_INET, SOCK_STREAM, 0)), one = 1, zero = 0;
  unsigned char byte = 33;
  CHECK_ERR(setsockopt(udp, IPPROTO_IP, IP_TTL, &zero, sizeof zero), EINVAL);
  CHECK_ERR(setsockopt(udp, IPPROTO_IP, IP_HDRINCL, &one, sizeof one), ENOPROTOOPT);
  CHECK_ERR(setsockopt(udp, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one), ENOPROTOOPT);
  CHECK_ERR(setsockopt(udp, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one), ENOPROTOOPT);
  CHECK_ERR(setsockopt(udp, 12345, 1, &one, sizeof one), ENOPROTOOPT);
  CHECK_ERR(setsockopt(tcp, IPPROTO_IP, IP_MULTICAST_TTL, &one, sizeof one), EINVAL);
  CHECK_ERR(getsockopt(udp, IPPROTO_IP, IP_MTU, &one, &(socklen_t){4}), ENOTCONN);
  OK(setsockopt(udp, IPPROTO_IP, IP_TTL, &byte, 1));
  CHECK_EQ(int_option(udp, IPPROTO_IP, IP_TTL), 33);
  socklen_t len = 1;
  byte = 0;
  OK(getsockopt(udp, IPPROTO_IP, IP_TTL, &byte, &len));
  CHECK_EQ(len, 1);
  CHECK_EQ(byte, 33);
  CHECK_ERR(setsockopt(udp, IPPROTO_IP, IP_TTL, &byte, 0), EINVAL);
  int minus = -1;
  OK(setsockopt(udp, IPPROTO_IP, IP_TTL, &minus, sizeof minus));
  CHECK_EQ(int_option(udp, IPPROTO_IP, IP_TTL), 64);
  // The two lowest bits of a stream's TOS are the protocol's.
  set_int(tcp, IPPROTO_IP, IP_TOS, 0x13);
  CHECK_EQ(int_option(tcp, IPPROTO_IP, IP_TOS), 0x10);
  int s[2];
  udp_pair(s);
  CHECK(int_option(s[0], IPPROTO_IP, IP_MTU) >= 65535);
}

SUBTEST_FORK(ipv6_numbers) {
  static const struct number n[] = {
    {IPPROTO_IPV6, IPV6_V6ONLY, 0, 1, 1, NONE}, {IPPROTO_IPV6, IPV6_UNICAST_HOPS, 64, 9, 9, 256},
    {IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 1, 7, 7, 256}, {IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1, 0, 0, 2},
    {IPPROTO_IPV6, IPV6_RECVPKTINFO, 0, 1, 1, NONE}, {IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 0, 1, 1, NONE},
    {IPPROTO_IPV6, IPV6_RECVTCLASS, 0, 1, 1, NONE}, {IPPROTO_IPV6, IPV6_TCLASS, 0, 0x20, 0x20, 256},
    {IPPROTO_IPV6, IPV6_MTU_DISCOVER, 1, 2, 2, 9}, {IPPROTO_IPV6, IPV6_RECVERR, 0, 1, 1, NONE},
    {IPPROTO_IPV6, IPV6_DONTFRAG, 0, 1, 1, NONE}, {IPPROTO_IPV6, IPV6_MINHOPCOUNT, 0, 2, 2, 256},
  };
  check_numbers(OK(socket(AF_INET6, SOCK_DGRAM, 0)), n, COUNT(n));
  int tcp = OK(socket(AF_INET6, SOCK_STREAM, 0)), one = 1;
  char byte = 1;
  CHECK_ERR(setsockopt(tcp, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &one, sizeof one), ENOPROTOOPT);
  CHECK_ERR(setsockopt(tcp, IPPROTO_IPV6, IPV6_V6ONLY, &byte, 1), EINVAL);
  CHECK_ERR(setsockopt(tcp, IPPROTO_IPV6, 250, &one, sizeof one), ENOPROTOOPT);
  struct sockaddr_in6 a = in6("::1", 0);
  OK(bind(tcp, (void *)&a, sizeof a));
  CHECK_ERR(setsockopt(tcp, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one), EINVAL);
  // The options of IPv4 are there, too.
  set_int(tcp, IPPROTO_IP, IP_TOS, 8);
  CHECK_EQ(int_option(tcp, IPPROTO_IP, IP_TOS), 8);
}

SUBTEST_FORK(tcp_numbers) {
  static const struct number n[] = {
    {IPPROTO_TCP, TCP_NODELAY, 0, 1, 1, NONE},        {IPPROTO_TCP, TCP_CORK, 0, 1, 1, NONE},
    {IPPROTO_TCP, TCP_KEEPIDLE, 7200, 30, 30, 0},     {IPPROTO_TCP, TCP_KEEPINTVL, 75, 5, 5, 40000},
    {IPPROTO_TCP, TCP_KEEPCNT, 9, 4, 4, 200},         {IPPROTO_TCP, TCP_SYNCNT, 6, 3, 3, 0},
    {IPPROTO_TCP, TCP_LINGER2, 60, 20, 20, NONE},     {IPPROTO_TCP, TCP_DEFER_ACCEPT, 0, 0, 0, NONE},
    {IPPROTO_TCP, TCP_QUICKACK, 1, 1, 1, NONE},       {IPPROTO_TCP, TCP_USER_TIMEOUT, 0, 5000, 5000, -1},
    {IPPROTO_TCP, TCP_NOTSENT_LOWAT, 0, 9, 9, NONE},
  };
  int fd = OK(socket(AF_INET, SOCK_STREAM, 0));
  check_numbers(fd, n, COUNT(n));
  int one = 1;
  CHECK_ERR(setsockopt(fd, IPPROTO_TCP, 200, &one, sizeof one), ENOPROTOOPT);
  CHECK_ERR(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, 1), EINVAL);
  CHECK_ERR(getsockopt(fd, IPPROTO_TCP, 200, &one, &(socklen_t){4}), ENOPROTOOPT);
  CHECK_ERR(setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &one, sizeof one), EINVAL);
  CHECK_EQ(int_option(fd, IPPROTO_TCP, TCP_MAXSEG), 536);
  char name[16] = "reno";
  socklen_t len = sizeof name;
  OK(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, 4));
  memset(name, 'x', sizeof name);
  OK(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len));
  CHECK_EQ(len, 16);
  CHECK_STR(name, "reno");
  CHECK_ERR(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "nothing", 7), ENOENT);
}

SUBTEST_FORK(tcp_info) {
  int s[2];
  struct tcp_info info;
  socklen_t len = sizeof info;
  tcp_pair(s);
  CHECK_EQ(OK(write(s[0], "x", 1)), 1);
  OK(getsockopt(s[0], IPPROTO_TCP, TCP_INFO, &info, &len));
  CHECK_EQ(len, sizeof info);
  CHECK_EQ(info.tcpi_state, TCP_ESTABLISHED);
  CHECK(info.tcpi_snd_mss > 1000);
  CHECK(info.tcpi_pmtu > 1000);
  CHECK(info.tcpi_snd_cwnd >= 10);
  len = 1;
  OK(getsockopt(s[0], IPPROTO_TCP, TCP_INFO, &info, &len));
  CHECK_EQ(len, 1);
  int l = bound4(SOCK_STREAM);
  len = sizeof info;
  OK(getsockopt(l, IPPROTO_TCP, TCP_INFO, &info, &len));
  CHECK_EQ(info.tcpi_state, TCP_LISTEN);
}

SUBTEST_FORK(socket_numbers) {
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0)), one = 1;
  static const int switches[] = {SO_REUSEADDR, SO_REUSEPORT, SO_BROADCAST, SO_KEEPALIVE, SO_OOBINLINE, SO_DONTROUTE,
                                 SO_TIMESTAMP, SO_NO_CHECK};
  for (unsigned i = 0; i < COUNT(switches); i++) {
    CHECK_EQ(int_option(fd, SOL_SOCKET, switches[i]), 0);
    set_int(fd, SOL_SOCKET, switches[i], 1);
    CHECK_EQ(int_option(fd, SOL_SOCKET, switches[i]), 1);
  }
  set_int(fd, SOL_SOCKET, SO_RCVBUF, 10000);
  CHECK_EQ(int_option(fd, SOL_SOCKET, SO_RCVBUF), 20000);
  set_int(fd, SOL_SOCKET, SO_SNDBUF, 1);
  CHECK_EQ(int_option(fd, SOL_SOCKET, SO_SNDBUF), 4608);
  CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_TYPE, &one, sizeof one), ENOPROTOOPT);
  CHECK_EQ(int_option(fd, SOL_SOCKET, SO_PEEK_OFF), -1);
  unsigned long long cookie[2];
  socklen_t len = 8;
  OK(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie[0], &len));
  OK(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie[1], &len));
  CHECK(cookie[0] == cookie[1] && cookie[0] != 0);
}

SUBTEST_FORK(device) {
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  char name[IFNAMSIZ];
  socklen_t len = sizeof name;
  OK(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
  CHECK_EQ(len, 0);
  OK(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
  len = sizeof name;
  OK(getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &len));
  CHECK_EQ(len, 3);
  CHECK_STR(name, "lo");
  CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "none9", 6), ENODEV);
  OK(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "", 0));
}

SUBTEST_FORK(udp_numbers) {
  static const struct number n[] = {
    {IPPROTO_UDP, UDP_SEGMENT, 0, 500, 500, 70000},
    {IPPROTO_UDP, UDP_GRO, 0, 1, 1, NONE},
  };
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0)), one = 1;
  check_numbers(fd, n, COUNT(n));
  CHECK_ERR(setsockopt(fd, IPPROTO_UDP, 55, &one, sizeof one), ENOPROTOOPT);
}
