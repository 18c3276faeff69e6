// udp(7), raw(7), icmp(7): datagrams over the loopback interface.
#include "net.h"
#include <linux/errqueue.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <sys/uio.h>

SUBTEST_FORK(to_and_from) {
  int a = bound4(SOCK_DGRAM), b = bound4(SOCK_DGRAM), left;
  char buf[32];
  struct sockaddr_in to = in4("127.0.0.1", port_of(b)), from;
  socklen_t len = sizeof from;
  CHECK_EQ(OK(sendto(a, "hello", 5, 0, (void *)&to, sizeof to)), 5);
  CHECK_EQ(events_of(b, POLLIN, 2000), POLLIN);
  OK(ioctl(b, FIONREAD, &left));
  CHECK_EQ(left, 5);
  CHECK_EQ(OK(recvfrom(b, buf, 32, 0, (void *)&from, &len)), 5);
  CHECK_EQ(len, sizeof from);
  CHECK_EQ(ntohs(from.sin_port), port_of(a));
  CHECK_EQ(from.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  CHECK_ERR(recv(b, buf, 32, MSG_DONTWAIT), EAGAIN);
  // One without bytes is one, too.
  CHECK_EQ(OK(sendto(a, NULL, 0, 0, (void *)&to, sizeof to)), 0);
  CHECK_EQ(events_of(b, POLLIN, 2000), POLLIN);
  OK(ioctl(b, FIONREAD, &left));
  CHECK_EQ(left, 0);
  CHECK_EQ(OK(recv(b, buf, 32, 0)), 0);
  // Who was not bound gets a port with the first send.
  int c = OK(socket(AF_INET, SOCK_DGRAM, 0));
  CHECK_EQ(port_of(c), 0);
  CHECK_EQ(OK(sendto(c, "x", 1, 0, (void *)&to, sizeof to)), 1);
  CHECK(port_of(c) > 1023);
}

SUBTEST_FORK(connected) {
  int s[2], other = bound4(SOCK_DGRAM);
  char buf[32];
  udp_pair(s);
  CHECK_EQ(OK(write(s[0], "abc", 3)), 3);
  CHECK_EQ(OK(read(s[1], buf, 32)), 3);
  struct sockaddr_in to = in4("127.0.0.1", port_of(s[1])), a;
  CHECK_EQ(OK(sendto(other, "stranger", 8, 0, (void *)&to, sizeof to)), 8);
  CHECK_EQ(events_of(s[1], POLLIN, 60), 0);
  to.sin_port = htons(port_of(other));
  CHECK_EQ(OK(sendto(s[0], "aside", 5, 0, (void *)&to, sizeof to)), 5);
  CHECK_EQ(OK(recv(other, buf, 32, 0)), 5);
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  OK(connect(s[0], &none, sizeof none));
  socklen_t len = sizeof a;
  CHECK_ERR(getpeername(s[0], (void *)&a, &len), ENOTCONN);
  CHECK_ERR(write(s[0], "x", 1), EDESTADDRREQ);
}

SUBTEST_FORK(refused) {
  int gone = bound4(SOCK_DGRAM), port = port_of(gone), fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  char c;
  OK(close(gone));
  OK(connect4(fd, port));
  CHECK_EQ(OK(write(fd, "x", 1)), 1);
  CHECK_EQ(events_of(fd, POLLIN, 2000) & POLLERR, POLLERR);
  CHECK_ERR(read(fd, &c, 1), ECONNREFUSED);
  CHECK_EQ(OK(write(fd, "x", 1)), 1);
  sleep_ms(20);
  CHECK_ERR(write(fd, "x", 1), ECONNREFUSED);
  CHECK_EQ(OK(write(fd, "x", 1)), 1);
  sleep_ms(20);
  CHECK_EQ(int_option(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
}

SUBTEST_FORK(peek_and_truncate) {
  int s[2];
  char buf[4];
  udp_pair(s);
  CHECK_EQ(OK(write(s[0], "longer", 6)), 6);
  CHECK_EQ(OK(recv(s[1], buf, 4, MSG_PEEK)), 4);
  CHECK_EQ(OK(recv(s[1], buf, 4, MSG_PEEK | MSG_TRUNC)), 6);
  struct iovec v = {buf, 4};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
  CHECK_EQ(OK(recvmsg(s[1], &m, 0)), 4);
  CHECK_EQ(m.msg_flags, MSG_TRUNC);
  CHECK_ERR(recv(s[1], buf, 4, MSG_DONTWAIT), EAGAIN);
  CHECK_EQ(OK(write(s[0], "abc", 3)), 3);
  CHECK_EQ(OK(write(s[0], "de", 2)), 2);
  CHECK_EQ(OK(recv(s[1], buf, 4, MSG_WAITALL)), 3);
}

SUBTEST_FORK(sizes) {
  int s[2];
  static char buf[70000];
  udp_pair(s);
  CHECK_ERR(send(s[0], buf, 65536, 0), EMSGSIZE);
  CHECK_ERR(send(s[0], buf, 65508, 0), EMSGSIZE);
  CHECK_EQ(OK(send(s[0], buf, 65507, 0)), 65507);
  CHECK_EQ(OK(recv(s[1], buf, sizeof buf, 0)), 65507);
}

SUBTEST_FORK(full_receiver_drops) {
  int s[2], got = 0;
  static char buf[8192];
  udp_pair(s);
  set_int(s[1], SOL_SOCKET, SO_RCVBUF, 40000);
  for (int i = 0; i < 200; i++) CHECK_EQ(OK(write(s[0], buf, sizeof buf)), sizeof buf);
  sleep_ms(20);
  while (recv(s[1], buf, sizeof buf, MSG_DONTWAIT) > 0) got++;
  CHECK(got > 2 && got < 20);
}

static int control_int(struct msghdr *m, int level, int type) {
  for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
    if (c->cmsg_level != level || c->cmsg_type != type) continue;
    if (c->cmsg_len == CMSG_LEN(1)) return *CMSG_DATA(c);
    int value;
    memcpy(&value, CMSG_DATA(c), sizeof value);
    return value;
  }
  return -1;
}

SUBTEST_FORK(control_messages) {
  int s[2];
  char buf[16], control[256];
  udp_pair(s);
  set_int(s[1], IPPROTO_IP, IP_PKTINFO, 1);
  set_int(s[1], IPPROTO_IP, IP_RECVTTL, 1);
  set_int(s[1], IPPROTO_IP, IP_RECVTOS, 1);
  set_int(s[1], SOL_SOCKET, SO_TIMESTAMP, 1);
  set_int(s[0], IPPROTO_IP, IP_TOS, 0x10);
  CHECK_EQ(OK(write(s[0], "x", 1)), 1);
  struct iovec v = {buf, 16};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  CHECK_EQ(OK(recvmsg(s[1], &m, 0)), 1);
  CHECK_EQ(m.msg_flags, 0);
  CHECK_EQ(control_int(&m, IPPROTO_IP, IP_TTL), 64);
  CHECK_EQ(control_int(&m, IPPROTO_IP, IP_TOS), 0x10);
  bool info = false, stamp = false;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) {
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      struct in_pktinfo *p = (void *)CMSG_DATA(c);
      CHECK_EQ(p->ipi_ifindex, if_nametoindex("lo"));
      CHECK_EQ(p->ipi_addr.s_addr, htonl(INADDR_LOOPBACK));
      CHECK_EQ(p->ipi_spec_dst.s_addr, htonl(INADDR_LOOPBACK));
      info = true;
    }
    if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMP) {
      struct timeval *t = (void *)CMSG_DATA(c), now;
      gettimeofday(&now, NULL);
      CHECK(now.tv_sec - t->tv_sec < 5 && t->tv_usec < 1000000);
      stamp = true;
    }
  }
  CHECK(info && stamp);
  // A TTL for one datagram; room for none of what comes.
  struct msghdr out = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(4)};
  struct cmsghdr *c = CMSG_FIRSTHDR(&out);
  *c = (struct cmsghdr){CMSG_LEN(4), IPPROTO_IP, IP_TTL};
  *(int *)CMSG_DATA(c) = 7;
  CHECK_EQ(OK(sendmsg(s[0], &out, 0)), 16);
  m.msg_controllen = sizeof control;
  CHECK_EQ(OK(recvmsg(s[1], &m, 0)), 16);
  CHECK_EQ(control_int(&m, IPPROTO_IP, IP_TTL), 7);
  CHECK_EQ(OK(write(s[0], "x", 1)), 1);
  m.msg_controllen = 8;
  CHECK_EQ(OK(recvmsg(s[1], &m, 0)), 1);
  CHECK_EQ(m.msg_flags, MSG_CTRUNC);
  *(int *)CMSG_DATA(c) = 0;
  out.msg_control = control;
  c->cmsg_len = CMSG_LEN(4), c->cmsg_level = IPPROTO_IP, c->cmsg_type = IP_TTL;
  CHECK_ERR(sendmsg(s[0], &out, 0), EINVAL);
  c->cmsg_len = 3;
  CHECK_ERR(sendmsg(s[0], &out, 0), EINVAL);
}

SUBTEST_FORK(error_queue) {
  int gone = bound4(SOCK_DGRAM), port = port_of(gone), fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  char buf[16], control[256];
  OK(close(gone));
  set_int(fd, IPPROTO_IP, IP_RECVERR, 1);
  struct sockaddr_in to = in4("127.0.0.1", port), from;
  struct iovec v = {buf, 16};
  struct msghdr m = {&from, sizeof from, &v, 1, control, sizeof control, 0};
  CHECK_ERR(recvmsg(fd, &m, MSG_ERRQUEUE), EAGAIN);
  CHECK_EQ(OK(sendto(fd, "lost", 4, 0, (void *)&to, sizeof to)), 4);
  CHECK_EQ(events_of(fd, POLLIN, 2000) & POLLERR, POLLERR);
  m.msg_controllen = sizeof control, m.msg_namelen = sizeof from;
  CHECK_EQ(OK(recvmsg(fd, &m, MSG_ERRQUEUE)), 4);
  CHECK_EQ(m.msg_flags, MSG_ERRQUEUE);
  CHECK(memcmp(buf, "lost", 4) == 0);
  CHECK_EQ(from.sin_port, to.sin_port);
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  CHECK(c != NULL && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR);
  struct sock_extended_err *e = (void *)CMSG_DATA(c);
  CHECK_EQ(e->ee_errno, ECONNREFUSED);
  CHECK_EQ(e->ee_origin, SO_EE_ORIGIN_ICMP);
  CHECK_EQ(e->ee_type, ICMP_DEST_UNREACH);
  CHECK_EQ(e->ee_code, ICMP_PORT_UNREACH);
  struct sockaddr_in *offender = (void *)SO_EE_OFFENDER(e);
  CHECK_EQ(offender->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
}

SUBTEST_FORK(segments) {
  int s[2], size = 100;
  static char buf[1000];
  udp_pair(s);
  OK(setsockopt(s[0], IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size));
  CHECK_EQ(int_option(s[0], IPPROTO_UDP, UDP_SEGMENT), 100);
  CHECK_EQ(OK(write(s[0], buf, 250)), 250);
  CHECK_EQ(OK(read(s[1], buf, 1000)), 100);
  CHECK_EQ(OK(read(s[1], buf, 1000)), 100);
  CHECK_EQ(OK(read(s[1], buf, 1000)), 50);
  size = 70000;
  CHECK_ERR(setsockopt(s[0], IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size), EINVAL);
}

SUBTEST_FORK(many_messages) {
  int s[2];
  char buf[4][8];
  udp_pair(s);
  struct iovec v[4] = {{"one", 3}, {"two", 3}, {"three", 5}, {"four", 4}};
  struct mmsghdr m[4] = {0};
  for (int i = 0; i < 4; i++) m[i].msg_hdr = (struct msghdr){.msg_iov = &v[i], .msg_iovlen = 1};
  CHECK_EQ(OK(sendmmsg(s[0], m, 4, 0)), 4);
  CHECK_EQ(m[2].msg_len, 5);
  struct iovec in[4];
  for (int i = 0; i < 4; i++) {
    in[i] = (struct iovec){buf[i], 8};
    m[i].msg_hdr = (struct msghdr){.msg_iov = &in[i], .msg_iovlen = 1};
  }
  CHECK_EQ(OK(recvmmsg(s[1], m, 4, MSG_WAITFORONE, NULL)), 4);
  CHECK_EQ(m[3].msg_len, 4);
  CHECK(memcmp(buf[2], "three", 5) == 0);
}

SUBTEST_FORK(shut_down) {
  int s[2];
  char c;
  udp_pair(s);
  OK(shutdown(s[1], SHUT_RD));
  CHECK_EQ(OK(read(s[1], &c, 1)), 0);
  CHECK_EQ(events_of(s[1], POLLIN | POLLRDHUP, 0), POLLIN | POLLRDHUP);
  OK(shutdown(s[0], SHUT_WR));
  CHECK_ERR(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  CHECK_ERR(shutdown(fd, SHUT_RD), ENOTCONN);
  CHECK_ERR(listen(fd, 1), EOPNOTSUPP);
  CHECK_ERR(accept(fd, NULL, NULL), EOPNOTSUPP);
}

SUBTEST_FORK(same_port) {
  int a = bound4(SOCK_DGRAM), b = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct sockaddr_in name = in4("127.0.0.1", port_of(a));
  CHECK_ERR(bind(b, (void *)&name, sizeof name), EADDRINUSE);
  set_int(b, SOL_SOCKET, SO_REUSEPORT, 1);
  CHECK_ERR(bind(b, (void *)&name, sizeof name), EADDRINUSE);
  OK(close(a));
  OK(bind(b, (void *)&name, sizeof name));
  int c = OK(socket(AF_INET, SOCK_DGRAM, 0));
  set_int(c, SOL_SOCKET, SO_REUSEPORT, 1);
  OK(bind(c, (void *)&name, sizeof name));
  // Of many senders, some reach one and some the other.
  int got[2] = {0};
  for (int i = 0; i < 60; i++) {
    int s = OK(socket(AF_INET, SOCK_DGRAM, 0));
    CHECK_EQ(OK(sendto(s, "x", 1, 0, (void *)&name, sizeof name)), 1);
    OK(close(s));
  }
  sleep_ms(20);
  char x;
  while (recv(b, &x, 1, MSG_DONTWAIT) == 1) got[0]++;
  while (recv(c, &x, 1, MSG_DONTWAIT) == 1) got[1]++;
  CHECK_EQ(got[0] + got[1], 60);
  CHECK(got[0] > 5 && got[1] > 5);
}

SUBTEST_FORK(groups) {
  struct sockaddr_in any = in4("0.0.0.0", 0), to = in4("239.1.2.3", 0);
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0)), out = OK(socket(AF_INET, SOCK_DGRAM, 0));
  OK(bind(fd, (void *)&any, sizeof any));
  struct ip_mreqn join = {to.sin_addr, {0}, if_nametoindex("lo")};
  OK(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof join));
  CHECK_ERR(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof join), EADDRINUSE);
  OK(setsockopt(out, IPPROTO_IP, IP_MULTICAST_IF, &join, sizeof join));
  to.sin_port = htons(port_of(fd));
  CHECK_EQ(OK(sendto(out, "group", 5, 0, (void *)&to, sizeof to)), 5);
  char buf[8];
  CHECK_EQ(OK(recv(fd, buf, 8, 0)), 5);
  OK(setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &join, sizeof join));
  CHECK_ERR(setsockopt(fd, IPPROTO_IP, IP_DROP_MEMBERSHIP, &join, sizeof join), EADDRNOTAVAIL);
  join.imr_multiaddr.s_addr = htonl(INADDR_LOOPBACK);
  CHECK_ERR(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof join), EINVAL);
}

static unsigned short sum16(const void *data, int len) {
  const unsigned char *p = data;
  unsigned long sum = 0;
  for (int i = 0; i + 1 < len; i += 2) sum += p[i] << 8 | p[i + 1];
  if (len & 1) sum += p[len - 1] << 8;
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return htons(~sum);
}

SUBTEST_FORK(groups_of_loopback) {
  int r = OK(socket(AF_INET, SOCK_DGRAM, 0)), s = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct sockaddr_in any = in4("0.0.0.0", 0), lo = in4("127.0.0.1", 0);
  OK(bind(r, (void *)&any, sizeof any));
  OK(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &lo.sin_addr, sizeof lo.sin_addr));
  struct sockaddr_in ours = in4("239.1.1.1", port_of(r)), others = in4("239.1.1.2", port_of(r));
  struct ip_mreq m = {ours.sin_addr, lo.sin_addr};
  OK(setsockopt(r, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m));
  // One copy, whatever IP_MULTICAST_LOOP says: what leaves by lo comes in there. A group that nobody has joined is not heard.
  for (int loop = 0; loop < 2; loop++) {
    OK(setsockopt(s, IPPROTO_IP, IP_MULTICAST_LOOP, &loop, sizeof loop));
    OK(sendto(s, "others", 6, 0, (void *)&others, sizeof others));
    OK(sendto(s, "ours", 4, 0, (void *)&ours, sizeof ours));
    char b[10];
    CHECK_EQ(OK(recv(r, b, sizeof b, 0)), 4);
    CHECK_ERR(recv(r, b, sizeof b, MSG_DONTWAIT), EAGAIN);
  }
}

SUBTEST_FORK(raw_ping) {
  NEED_ROOT();
  int fd = OK(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
  struct icmphdr echo = {.type = ICMP_ECHO, .un.echo = {htons(77), htons(1)}};
  echo.checksum = sum16(&echo, sizeof echo);
  struct sockaddr_in to = in4("127.0.0.1", 0);
  CHECK_EQ(OK(sendto(fd, &echo, sizeof echo, 0, (void *)&to, sizeof to)), sizeof echo);
  unsigned char buf[128];
  // It hears its own question first.
  for (int i = 0; i < 2; i++) {
    CHECK_EQ(OK(recv(fd, buf, sizeof buf, 0)), 20 + sizeof echo);
    CHECK_EQ(buf[0], 0x45);
    CHECK_EQ(buf[9], IPPROTO_ICMP);
    CHECK_EQ(buf[20], i == 0 ? ICMP_ECHO : ICMP_ECHOREPLY);
  }
}

SUBTEST_FORK(ping_socket) {
  int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
  if (fd < 0) {
    CHECK_EQ(errno, EACCES);
    NEED_ROOT();
    put_file("/proc/sys/net/ipv4/ping_group_range", "0 100\n");
    fd = OK(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
  }
  struct sockaddr_in to = in4("127.0.0.1", 0), from;
  socklen_t len = sizeof from;
  struct icmphdr echo = {.type = ICMP_ECHO, .un.echo.sequence = htons(9)}, back[4];
  CHECK_EQ(OK(sendto(fd, &echo, sizeof echo, 0, (void *)&to, sizeof to)), sizeof echo);
  CHECK_EQ(OK(recvfrom(fd, back, sizeof back, 0, (void *)&from, &len)), sizeof echo);
  CHECK_EQ(back[0].type, ICMP_ECHOREPLY);
  CHECK_EQ(back[0].un.echo.sequence, htons(9));
  echo.type = ICMP_ECHOREPLY;
  CHECK_ERR(sendto(fd, &echo, sizeof echo, 0, (void *)&to, sizeof to), EINVAL);
}

SUBTEST_FORK(broadcast_must_be_allowed) {
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct sockaddr_in to = in4("127.255.255.255", 9);
  CHECK_ERR(sendto(fd, "x", 1, 0, (void *)&to, sizeof to), EACCES);
  set_int(fd, SOL_SOCKET, SO_BROADCAST, 1);
  CHECK_EQ(OK(sendto(fd, "x", 1, 0, (void *)&to, sizeof to)), 1);
}
