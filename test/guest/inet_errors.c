// What the socket calls refuse: families, lengths, ports, addresses.
#include "net.h"

SUBTEST_FORK(bind_errors) {
  int fd = OK(socket(AF_INET, SOCK_STREAM, 0)), six = OK(socket(AF_INET6, SOCK_STREAM, 0));
  struct sockaddr_in a = in4("127.0.0.1", 0), far = in4("192.0.2.1", 0);
  struct sockaddr_in6 b = in6("::1", 0), far6 = in6("2001:db8::1", 0), group = in6("ff02::1", 0),
                      link = in6("fe80::1", 0);
  CHECK_ERR(bind(fd, (void *)&a, 15), EINVAL);
  CHECK_ERR(bind(fd, (void *)&a, 2), EINVAL);
  CHECK_ERR(bind(fd, (void *)&far, sizeof far), EADDRNOTAVAIL);
  CHECK_ERR(bind(fd, (void *)&b, sizeof b), EAFNOSUPPORT);
  a.sin_family = AF_UNSPEC;
  CHECK_ERR(bind(fd, (void *)&a, sizeof a), EAFNOSUPPORT);
  a.sin_addr.s_addr = 0;
  OK(bind(fd, (void *)&a, sizeof a));
  CHECK(port_of(fd) > 0);
  a.sin_family = AF_INET;
  CHECK_ERR(bind(fd, (void *)&a, sizeof a), EINVAL);
  CHECK_ERR(bind(six, (void *)&b, 23), EINVAL);
  CHECK_ERR(bind(six, (void *)&far6, sizeof far6), EADDRNOTAVAIL);
  CHECK_ERR(bind(six, (void *)&group, sizeof group), EINVAL);
  CHECK_ERR(bind(six, (void *)&link, sizeof link), EINVAL);
  CHECK_ERR(bind(six, (void *)&a, sizeof a), EINVAL);
  OK(bind(six, (void *)&b, 24));
}

SUBTEST_FORK(in_use) {
  int l = bound4(SOCK_STREAM), fd = OK(socket(AF_INET, SOCK_STREAM, 0));
  struct sockaddr_in a = in4("127.0.0.1", port_of(l)), any = in4("0.0.0.0", port_of(l)), other = in4("127.0.0.2", port_of(l));
  CHECK_ERR(bind(fd, (void *)&a, sizeof a), EADDRINUSE);
  CHECK_ERR(bind(fd, (void *)&any, sizeof any), EADDRINUSE);
  set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  CHECK_ERR(bind(fd, (void *)&a, sizeof a), EADDRINUSE);
  OK(bind(fd, (void *)&other, sizeof other));
  OK(listen(fd, 1));
}

SUBTEST_FORK(again_after_close) {
  struct sockaddr_in a = in4("127.0.0.1", 0);
  int l = OK(socket(AF_INET, SOCK_STREAM, 0)), c = OK(socket(AF_INET, SOCK_STREAM, 0));
  set_int(l, SOL_SOCKET, SO_REUSEADDR, 1);
  OK(bind(l, (void *)&a, sizeof a));
  OK(listen(l, 1));
  int port = port_of(l);
  OK(connect4(c, port));
  int s = OK(accept(l, NULL, NULL));
  char x;
  OK(close(s));
  CHECK_EQ(OK(read(c, &x, 1)), 0);
  OK(close(c));
  OK(close(l));
  sleep_ms(20);
  a.sin_port = htons(port);
  l = OK(socket(AF_INET, SOCK_STREAM, 0));
  CHECK_ERR(bind(l, (void *)&a, sizeof a), EADDRINUSE);
  set_int(l, SOL_SOCKET, SO_REUSEADDR, 1);
  OK(bind(l, (void *)&a, sizeof a));
  OK(listen(l, 1));
}

SUBTEST_FORK(low_ports) {
  NEED_ROOT();
  struct sockaddr_in a = in4("127.0.0.1", 80);
  int fd = OK(socket(AF_INET, SOCK_STREAM, 0));
  CHILD {
    OK(setuid(65534));
    CHECK_ERR(bind(fd, (void *)&a, sizeof a), EACCES);
  }
  OK(bind(fd, (void *)&a, sizeof a));
}

SUBTEST_FORK(connect_errors) {
  int fd = OK(socket(AF_INET, SOCK_STREAM, 0)), six = OK(socket(AF_INET6, SOCK_STREAM, 0)),
      udp = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct sockaddr_in a = in4("127.0.0.1", 9);
  struct sockaddr_in6 b = in6("::1", 9), link = in6("fe80::1", 9);
  CHECK_ERR(connect(fd, (void *)&a, 1), EINVAL);
  CHECK_ERR(connect(fd, (void *)&a, 15), EINVAL);
  CHECK_ERR(connect(fd, (void *)&b, sizeof b), EAFNOSUPPORT);
  CHECK_ERR(connect(six, (void *)&b, 23), EINVAL);
  CHECK_ERR(connect(six, (void *)&link, sizeof link), EINVAL);
  CHECK_ERR(connect(udp, (void *)&a, 15), EINVAL);
  CHECK_ERR(connect(udp, (void *)&b, sizeof b), EAFNOSUPPORT);
  a.sin_family = 99;
  CHECK_ERR(connect(fd, (void *)&a, sizeof a), EAFNOSUPPORT);
  CHECK_ERR(connect(fd, (void *)1, sizeof a), EFAULT);
}

SUBTEST_FORK(send_errors) {
  int udp = OK(socket(AF_INET, SOCK_DGRAM, 0)), six = OK(socket(AF_INET6, SOCK_DGRAM, 0));
  struct sockaddr_in a = in4("127.0.0.1", 0);
  struct sockaddr_in6 b = in6("::1", 9);
  CHECK_ERR(send(udp, "x", 1, 0), EDESTADDRREQ);
  CHECK_ERR(sendto(udp, "x", 1, 0, (void *)&a, sizeof a), EINVAL);
  a.sin_port = htons(9);
  CHECK_ERR(sendto(udp, "x", 1, 0, (void *)&a, 8), EINVAL);
  CHECK_ERR(sendto(udp, "x", 1, 0, (void *)&b, sizeof b), EAFNOSUPPORT);
  CHECK_ERR(sendto(udp, "x", 1, MSG_OOB, (void *)&a, sizeof a), EOPNOTSUPP);
  CHECK_ERR(sendto(six, "x", 1, 0, (void *)&b, 20), EINVAL);
  CHECK_ERR(sendto(udp, (void *)1, 1, 0, (void *)&a, sizeof a), EFAULT);
  a.sin_family = 77;
  CHECK_ERR(sendto(six, "x", 1, 0, (void *)&a, sizeof a), EINVAL);
}

SUBTEST_FORK(bad_memory) {
  int s[2];
  char buf[8];
  tcp_pair(s);
  CHECK_ERR(send(s[0], (void *)1, 8, 0), EFAULT);
  CHECK_EQ(OK(write(s[0], "abcd", 4)), 4);
  CHECK_EQ(events_of(s[1], POLLIN, 2000), POLLIN);
  CHECK_ERR(recv(s[1], (void *)1, 8, 0), EFAULT);
  CHECK_EQ(OK(recv(s[1], buf, 8, 0)), 4);
  int u[2];
  udp_pair(u);
  CHECK_EQ(OK(write(u[0], "abcd", 4)), 4);
  CHECK_ERR(recv(u[1], (void *)1, 8, 0), EFAULT);
}

SUBTEST_FORK(accept_errors) {
  int l = bound4(SOCK_STREAM), c = OK(socket(AF_INET, SOCK_STREAM, 0));
  CHECK_ERR(accept4(l, NULL, NULL, 1), EINVAL);
  OK(fcntl(l, F_SETFL, O_NONBLOCK));
  CHECK_ERR(accept(l, NULL, NULL), EAGAIN);
  OK(connect4(c, port_of(l)));
  CHECK_ERR(accept(c, NULL, NULL), EINVAL);
  CHECK_ERR(accept(99, NULL, NULL), EBADF);
  CHECK_ERR(accept(0, NULL, NULL), ENOTSOCK);
  char x;
  CHECK_ERR(read(l, &x, 1), ENOTCONN);
  CHECK_ERR(send(l, "x", 1, MSG_NOSIGNAL), EPIPE);
}

static void set_sysctl(const char *name, const char *value) {
  int fd = open(name, O_WRONLY);
  if (fd < 0 && (errno == EACCES || errno == ENOENT)) SKIP("no such file that we may write");
  CHECK_EQ(OK(write(fd, value, strlen(value))), (int)strlen(value));
  OK(close(fd));
}

SUBTEST_FORK(addresses_of_others) {
  struct sockaddr_in a = in4("192.0.2.1", 0);
  struct sockaddr_in6 b = in6("2001:db8::1", 0);
  static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
  for (int i = 0; i < 2; i++) {
    CHECK_ERR(bind(OK(socket(AF_INET, types[i], 0)), (void *)&a, sizeof a), EADDRNOTAVAIL);
    CHECK_ERR(bind(OK(socket(AF_INET6, types[i], 0)), (void *)&b, sizeof b), EADDRNOTAVAIL);
  }
  set_sysctl("/proc/sys/net/ipv4/ip_nonlocal_bind", "1");
  set_sysctl("/proc/sys/net/ipv6/ip_nonlocal_bind", "1");
  for (int i = 0; i < 2; i++) {
    OK(bind(OK(socket(AF_INET, types[i], 0)), (void *)&a, sizeof a));
    OK(bind(OK(socket(AF_INET6, types[i], 0)), (void *)&b, sizeof b));
  }
  set_sysctl("/proc/sys/net/ipv4/ip_nonlocal_bind", "0");
  set_sysctl("/proc/sys/net/ipv6/ip_nonlocal_bind", "0");
}

// The control messages of the oldest error, in their order, as "level/type:first int".
static void queued(int fd, char *text, size_t size) {
  char data[64], control[400];
  struct sockaddr_storage name;
  struct iovec v = {data, sizeof data};
  struct msghdr m = {.msg_name = &name, .msg_namelen = sizeof name, .msg_iov = &v, .msg_iovlen = 1,
                     .msg_control = control, .msg_controllen = sizeof control};
  OK(recvmsg(fd, &m, MSG_ERRQUEUE));
  *text = 0;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) {
    int first = 0;
    memcpy(&first, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0) < 4 ? c->cmsg_len - CMSG_LEN(0) : 4);
    size_t n = strlen(text);
    snprintf(text + n, size - n, "%d/%d:%d ", c->cmsg_level, c->cmsg_type, first);
  }
}
static void turn_on(int fd, int level, int name) {
  int one = 1;
  OK(setsockopt(fd, level, name, &one, sizeof one));
}

SUBTEST_FORK(what_told_of_an_error) {
  char text[200], want[200];
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0)), tos = 0x10;
  struct sockaddr_in nobody = in4("127.0.0.1", 9);
  turn_on(fd, IPPROTO_IP, IP_RECVERR);
  turn_on(fd, IPPROTO_IP, IP_RECVTTL);
  turn_on(fd, IPPROTO_IP, IP_RECVTOS);
  turn_on(fd, IPPROTO_IP, IP_PKTINFO);
  OK(setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof tos));
  OK(sendto(fd, "x", 1, 0, (void *)&nobody, sizeof nobody));
  queued(fd, text, sizeof text);
  // The TTL is the report's, and so is its TOS: that of what it reports, and internetwork control (RFC 1812, section 4.3.2.5).
  snprintf(want, sizeof want, "0/%d:1 0/%d:64 0/%d:%d 0/%d:%d ", IP_PKTINFO, IP_TTL, IP_TOS, 0xd0, IP_RECVERR, ECONNREFUSED);
  CHECK_STR(text, want);
  fd = OK(socket(AF_INET6, SOCK_DGRAM, 0));
  struct sockaddr_in6 nobody6 = in6("::1", 9);
  turn_on(fd, IPPROTO_IPV6, IPV6_RECVERR);
  turn_on(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT);
  OK(sendto(fd, "x", 1, 0, (void *)&nobody6, sizeof nobody6));
  queued(fd, text, sizeof text);
  snprintf(want, sizeof want, "41/%d:64 41/%d:%d ", IPV6_HOPLIMIT, IPV6_RECVERR, ECONNREFUSED);
  CHECK_STR(text, want);
}

SUBTEST_FORK(larger_than_any_datagram) {
  static char much[127952];
  char text[200], want[200];
  int fd = OK(socket(AF_INET6, SOCK_DGRAM, 0)), discover = IPV6_PMTUDISC_DO;
  struct sockaddr_in6 nobody6 = in6("::1", 9);
  turn_on(fd, IPPROTO_IPV6, IPV6_RECVERR);
  turn_on(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT);
  OK(setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &discover, sizeof discover));
  CHECK_ERR(sendto(fd, much, sizeof much, 0, (void *)&nobody6, sizeof nobody6), EMSGSIZE);
  queued(fd, text, sizeof text);
  snprintf(want, sizeof want, "41/%d:%d ", IPV6_RECVERR, EMSGSIZE);
  CHECK_STR(text, want);
  // IPv4 tells by the call alone.
  fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct sockaddr_in nobody = in4("127.0.0.1", 9);
  turn_on(fd, IPPROTO_IP, IP_RECVERR);
  CHECK_ERR(sendto(fd, much, sizeof much, 0, (void *)&nobody, sizeof nobody), EMSGSIZE);
  CHECK_ERR(recv(fd, text, sizeof text, MSG_ERRQUEUE), EAGAIN);
}

SUBTEST_FORK(the_last_address_of_a_network) {
  struct sockaddr_in all = in4("127.255.255.255", 9), own = in4("127.0.0.1", 9);
  int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
  CHECK_ERR(sendto(fd, "x", 1, 0, (void *)&all, sizeof all), EACCES);
  turn_on(fd, SOL_SOCKET, SO_BROADCAST);
  OK(sendto(fd, "x", 1, 0, (void *)&all, sizeof all));
  int raw = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
  if (raw < 0 && errno == EPERM) SKIP("no raw sockets");
  OK(raw);
  turn_on(raw, SOL_SOCKET, SO_BROADCAST);
  // An echo request, and its checksum: to all nobody answers (icmp_echo_ignore_broadcasts).
  static const unsigned char echo[8] = {8, 0, 0xf7, 0xfd, 0, 1, 0, 1};
  OK(sendto(raw, echo, 8, 0, (void *)&all, sizeof all));
  OK(sendto(raw, echo, 8, 0, (void *)&own, sizeof own));
  int requests = 0, answers = 0;
  struct pollfd p = {raw, POLLIN, 0};
  while (OK(poll(&p, 1, 200)) == 1) {
    unsigned char b[100];
    OK(recv(raw, b, sizeof b, 0));
    if (b[20] == 8) requests++;
    if (b[20] == 0) answers++;
  }
  CHECK_EQ(requests, 2);
  CHECK_EQ(answers, 1);
}
