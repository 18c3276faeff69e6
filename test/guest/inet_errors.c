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
