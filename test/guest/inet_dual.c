// IPv6 sockets and what they have to do with IPv4: ipv6(7).
#include "net.h"

SUBTEST_FORK(ipv6_alone) {
  int l = bound6(SOCK_STREAM, "::1"), fd = OK(socket(AF_INET6, SOCK_STREAM, 0));
  struct sockaddr_in6 a = in6("::1", port_of(l)), peer;
  socklen_t len = sizeof peer;
  OK(connect(fd, (void *)&a, sizeof a));
  int c = OK(accept(l, (void *)&peer, &len));
  CHECK_EQ(len, sizeof peer);
  CHECK(memcmp(&peer.sin6_addr, &in6addr_loopback, 16) == 0);
  CHECK_EQ(peer.sin6_scope_id, 0);
  char buf[4];
  CHECK_EQ(OK(write(fd, "six", 3)), 3);
  CHECK_EQ(OK(recv(c, buf, 3, MSG_WAITALL)), 3);
  CHECK_ERR(connect4(OK(socket(AF_INET, SOCK_STREAM, 0)), port_of(l)), ECONNREFUSED);
}

SUBTEST_FORK(both_at_one_port) {
  int l = bound6(SOCK_STREAM, "::"), fd = OK(socket(AF_INET, SOCK_STREAM, 0));
  struct sockaddr_in6 peer;
  socklen_t len = sizeof peer;
  OK(connect4(fd, port_of(l)));
  int c = OK(accept(l, (void *)&peer, &len));
  CHECK_EQ(peer.sin6_family, AF_INET6);
  CHECK(IN6_IS_ADDR_V4MAPPED(&peer.sin6_addr));
  CHECK_EQ(peer.sin6_addr.s6_addr32[3], htonl(INADDR_LOOPBACK));
  OK(getsockname(c, (void *)&peer, &len));
  CHECK(IN6_IS_ADDR_V4MAPPED(&peer.sin6_addr));
  struct sockaddr_in a = in4("0.0.0.0", port_of(l));
  CHECK_ERR(bind(OK(socket(AF_INET, SOCK_STREAM, 0)), (void *)&a, sizeof a), EADDRINUSE);
}

SUBTEST_FORK(v6only) {
  struct sockaddr_in6 any = in6("::", 0), mapped = in6("::ffff:127.0.0.1", 9);
  int l = OK(socket(AF_INET6, SOCK_STREAM, 0));
  set_int(l, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  CHECK_ERR(bind(l, (void *)&mapped, sizeof mapped), EINVAL);
  CHECK_ERR(connect(l, (void *)&mapped, sizeof mapped), ENETUNREACH);
  OK(bind(l, (void *)&any, sizeof any));
  OK(listen(l, 4));
  CHECK_ERR(connect4(OK(socket(AF_INET, SOCK_STREAM, 0)), port_of(l)), ECONNREFUSED);
  // The port is free for IPv4.
  struct sockaddr_in a = in4("0.0.0.0", port_of(l));
  int four = OK(socket(AF_INET, SOCK_STREAM, 0));
  OK(bind(four, (void *)&a, sizeof a));
  OK(listen(four, 4));
}

SUBTEST_FORK(mapped_connect) {
  int l = bound4(SOCK_STREAM), fd = OK(socket(AF_INET6, SOCK_STREAM, 0));
  struct sockaddr_in6 to = in6("::ffff:127.0.0.1", port_of(l)), name;
  socklen_t len = sizeof name;
  OK(connect(fd, (void *)&to, sizeof to));
  OK(getpeername(fd, (void *)&name, &len));
  CHECK(IN6_IS_ADDR_V4MAPPED(&name.sin6_addr));
  struct sockaddr_in peer;
  len = sizeof peer;
  int c = OK(accept(l, (void *)&peer, &len));
  CHECK_EQ(peer.sin_family, AF_INET);
  CHECK_EQ(len, sizeof peer);
  CHECK_EQ(OK(write(c, "x", 1)), 1);
  char x;
  CHECK_EQ(OK(read(fd, &x, 1)), 1);
}

SUBTEST_FORK(datagrams) {
  int six = bound6(SOCK_DGRAM, "::"), four = bound4(SOCK_DGRAM);
  struct sockaddr_in to = in4("127.0.0.1", port_of(six));
  struct sockaddr_in6 from, back = in6("::ffff:127.0.0.1", port_of(four)), self = in6("::1", port_of(six));
  socklen_t len = sizeof from;
  char buf[8];
  CHECK_EQ(OK(sendto(four, "four", 4, 0, (void *)&to, sizeof to)), 4);
  CHECK_EQ(OK(recvfrom(six, buf, 8, 0, (void *)&from, &len)), 4);
  CHECK_EQ(len, sizeof from);
  CHECK(IN6_IS_ADDR_V4MAPPED(&from.sin6_addr));
  CHECK_EQ(OK(sendto(six, "six", 3, 0, (void *)&back, sizeof back)), 3);
  CHECK_EQ(OK(recv(four, buf, 8, 0)), 3);
  CHECK_EQ(OK(sendto(six, "self", 4, 0, (void *)&self, sizeof self)), 4);
  CHECK_EQ(OK(recvfrom(six, buf, 8, 0, (void *)&from, &len)), 4);
  CHECK(memcmp(&from.sin6_addr, &in6addr_loopback, 16) == 0);
  // An address of IPv4 does for a socket of IPv6 that has both.
  CHECK_EQ(OK(sendto(six, "x", 1, 0, (void *)&(struct sockaddr_in){AF_INET, htons(port_of(four)), {htonl(INADDR_LOOPBACK)}, {0}}, 16)), 1);
  CHECK_EQ(OK(recv(four, buf, 8, 0)), 1);
}

SUBTEST_FORK(pktinfo6) {
  int fd = bound6(SOCK_DGRAM, "::");
  struct sockaddr_in6 to = in6("::1", port_of(fd));
  char buf[8], control[128];
  set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
  set_int(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
  set_int(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
  set_int(fd, IPPROTO_IPV6, IPV6_TCLASS, 0x20);
  CHECK_EQ(OK(sendto(fd, "x", 1, 0, (void *)&to, sizeof to)), 1);
  struct iovec v = {buf, 8};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  CHECK_EQ(OK(recvmsg(fd, &m, 0)), 1);
  int seen = 0;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) {
    CHECK_EQ(c->cmsg_level, IPPROTO_IPV6);
    if (c->cmsg_type == IPV6_PKTINFO) {
      struct in6_pktinfo *p = (void *)CMSG_DATA(c);
      CHECK(memcmp(&p->ipi6_addr, &in6addr_loopback, 16) == 0);
      CHECK_EQ(p->ipi6_ifindex, if_nametoindex("lo"));
      seen |= 1;
    } else if (c->cmsg_type == IPV6_HOPLIMIT) {
      CHECK_EQ(*(int *)CMSG_DATA(c), 64);
      seen |= 2;
    } else if (c->cmsg_type == IPV6_TCLASS) {
      CHECK_EQ(*(int *)CMSG_DATA(c), 0x20);
      seen |= 4;
    }
  }
  CHECK_EQ(seen, 7);
}
