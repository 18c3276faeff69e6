// tcp(7), ip(7): connections over the loopback interface.
#include "net.h"
#include <sys/sendfile.h>
#include <sys/uio.h>

SUBTEST_FORK(creation) {
  CHECK_ERR(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
  CHECK_ERR(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP), EPROTONOSUPPORT);
  CHECK_ERR(socket(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
  CHECK_ERR(socket(AF_INET, SOCK_RDM, 0), ESOCKTNOSUPPORT);
  CHECK_ERR(socket(AF_INET, SOCK_RAW, 0), EPROTONOSUPPORT);
  CHECK_ERR(socket(AF_INET, SOCK_STREAM, 999), EINVAL);
  CHECK_ERR(socket(AF_INET, SOCK_STREAM, -1), EINVAL);
  int fd = OK(socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP)), two[2];
  CHECK_EQ(int_option(fd, SOL_SOCKET, SO_DOMAIN), AF_INET6);
  CHECK_EQ(int_option(fd, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
  CHECK_EQ(int_option(fd, SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
  CHECK_EQ(OK(fcntl(fd, F_GETFL)), O_RDWR | O_NONBLOCK);
  CHECK_ERR(socketpair(AF_INET, SOCK_STREAM, 0, two), EOPNOTSUPP);
  CHECK_ERR(socketpair(AF_INET, SOCK_SEQPACKET, 0, two), ESOCKTNOSUPPORT);
}

SUBTEST_FORK(raw_needs_privilege) {
  NEED_ROOT();
  OK(setuid(65534));
  CHECK_ERR(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), EPERM);
  CHECK_ERR(socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6), EPERM);
}

SUBTEST_FORK(names) {
  int l = bound4(SOCK_STREAM), fd = OK(socket(AF_INET, SOCK_STREAM, 0));
  struct sockaddr_in a, peer;
  socklen_t len = sizeof a;
  OK(getsockname(fd, (void *)&a, &len));
  CHECK_EQ(len, sizeof a);
  CHECK_EQ(a.sin_family, AF_INET);
  CHECK_EQ(a.sin_port, 0);
  CHECK_EQ(a.sin_addr.s_addr, 0);
  CHECK_ERR(getpeername(fd, (void *)&a, &len), ENOTCONN);
  CHECK_ERR(getpeername(l, (void *)&a, &len), ENOTCONN);
  OK(connect4(fd, port_of(l)));
  len = sizeof peer;
  int c = OK(accept(l, (void *)&peer, &len));
  CHECK_EQ(len, sizeof peer);
  CHECK_EQ(peer.sin_family, AF_INET);
  CHECK_EQ(ntohs(peer.sin_port), port_of(fd));
  CHECK_EQ(peer.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  len = 4;
  OK(getpeername(fd, (void *)&a, &len));
  CHECK_EQ(len, sizeof a);
  len = sizeof a;
  OK(getpeername(fd, (void *)&a, &len));
  CHECK_EQ(ntohs(a.sin_port), port_of(l));
  CHECK_EQ(port_of(c), port_of(l));
}

SUBTEST_FORK(both_directions) {
  int s[2], left;
  char buf[64];
  tcp_pair(s);
  CHECK_EQ(OK(write(s[0], "hello", 5)), 5);
  CHECK_EQ(OK(send(s[0], "world", 5, 0)), 5);
  CHECK_EQ(OK(recv(s[1], buf, 3, MSG_PEEK | MSG_WAITALL)), 3);
  CHECK_EQ(OK(recv(s[1], buf, 10, MSG_WAITALL)), 10);
  CHECK(memcmp(buf, "helloworld", 10) == 0);
  CHECK_EQ(OK(write(s[1], "back", 4)), 4);
  CHECK_EQ(events_of(s[0], POLLIN, 2000), POLLIN);
  OK(ioctl(s[0], FIONREAD, &left));
  CHECK_EQ(left, 4);
  CHECK_EQ(OK(read(s[0], buf, 64)), 4);
  CHECK_ERR(recv(s[0], buf, 64, MSG_DONTWAIT), EAGAIN);
  struct sockaddr_in from;
  socklen_t len = sizeof from;
  CHECK_EQ(OK(write(s[1], "x", 1)), 1);
  CHECK_EQ(OK(recvfrom(s[0], buf, 64, 0, (void *)&from, &len)), 1);
  CHECK_EQ(len, 0);
}

SUBTEST_FORK(end_of_stream) {
  int s[2];
  char buf[16];
  tcp_pair(s);
  CHECK_EQ(OK(write(s[0], "abc", 3)), 3);
  OK(shutdown(s[0], SHUT_WR));
  CHECK_EQ(events_of(s[1], POLLIN | POLLRDHUP, 2000) & POLLIN, POLLIN);
  CHECK_EQ(OK(recv(s[1], buf, 16, MSG_WAITALL)), 3);
  CHECK_EQ(OK(read(s[1], buf, 16)), 0);
  CHECK_EQ(OK(read(s[1], buf, 16)), 0);
  CHECK_EQ(events_of(s[1], POLLIN | POLLOUT | POLLRDHUP, 0), POLLIN | POLLOUT | POLLRDHUP);
  CHECK_ERR(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
  CHECK_EQ(OK(write(s[1], "still", 5)), 5);
  CHECK_EQ(OK(recv(s[0], buf, 5, MSG_WAITALL)), 5);
  OK(close(s[1]));
  CHECK_EQ(OK(read(s[0], buf, 16)), 0);
  CHECK_EQ(events_of(s[0], POLLIN | POLLOUT | POLLRDHUP, 2000), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
}

SUBTEST_FORK(broken_pipe) {
  int s[2];
  tcp_pair(s);
  OK(shutdown(s[0], SHUT_WR));
  CHECK_EQ(child_result(SPAWN({ if (write(s[0], "x", 1)) _exit(1); })), 256 + SIGPIPE);
  int fd = OK(socket(AF_INET, SOCK_STREAM, 0));
  CHECK_EQ(child_result(SPAWN({ if (write(fd, "x", 1)) _exit(1); })), 256 + SIGPIPE);
  CHECK_ERR(send(fd, "x", 1, MSG_NOSIGNAL), EPIPE);
}

SUBTEST_FORK(reset_by_unread_data) {
  int s[2];
  char buf[16];
  tcp_pair(s);
  CHECK_EQ(OK(write(s[0], "unread", 6)), 6);
  CHECK_EQ(events_of(s[1], POLLIN, 2000), POLLIN);
  OK(close(s[1]));
  CHECK_EQ(events_of(s[0], POLLIN | POLLOUT | POLLRDHUP, 2000),
           POLLIN | POLLOUT | POLLRDHUP | POLLERR | POLLHUP);
  CHECK_ERR(read(s[0], buf, 16), ECONNRESET);
  CHECK_EQ(OK(read(s[0], buf, 16)), 0);
  CHECK_ERR(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
}

SUBTEST_FORK(reset_by_linger) {
  int s[2];
  char buf[16];
  tcp_pair(s);
  struct linger lin = {1, 0};
  OK(setsockopt(s[1], SOL_SOCKET, SO_LINGER, &lin, sizeof lin));
  OK(close(s[1]));
  CHECK_EQ(events_of(s[0], POLLIN, 2000) & (POLLERR | POLLHUP), POLLERR | POLLHUP);
  CHECK_EQ(int_option(s[0], SOL_SOCKET, SO_ERROR), ECONNRESET);
  CHECK_EQ(int_option(s[0], SOL_SOCKET, SO_ERROR), 0);
  CHECK_EQ(OK(read(s[0], buf, 16)), 0);
}

SUBTEST_FORK(linger_waits) {
  int s[2], size = 4096;
  static char buf[1 << 20];
  tcp_pair(s);
  struct linger lin = {1, 10};
  OK(setsockopt(s[0], SOL_SOCKET, SO_LINGER, &lin, sizeof lin));
  struct gate g = gate_make(), full = gate_make();
  pid_t pid = SPAWN({
    close(s[0]);
    gate_signal(g);
    gate_wait(full);
    sleep_ms(100);
    long all = 0;
    for (ssize_t n; (n = read(s[1], buf, sizeof buf)) > 0;) all += n;
    CHECK(all > 0);
  });
  OK(close(s[1]));
  OK(setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size));
  OK(fcntl(s[0], F_SETFL, O_NONBLOCK));
  // Until the peer's buffer is full, too: what is on its way is acknowledged within that time.
  do {
    while (write(s[0], buf, sizeof buf) > 0) continue;
    CHECK_EQ(errno, EAGAIN);
  } while (events_of(s[0], POLLOUT, 60) != 0);
  // The child has let its end go, so that this is the last.
  gate_wait(g);
  gate_signal(full);
  long start = now_ms();
  OK(close(s[0]));
  CHECK(now_ms() - start >= 20);
  CHILD_DONE(pid);
}

// Every byte arrives, once and in order, though both ends' buffers are full most of the time.
SUBTEST_FORK(bulk) {
  int s[2];
  enum { TOTAL = 24 << 20, PART = 70001 };
  static unsigned char buf[1 << 17];
  tcp_pair(s);
  pid_t pid = SPAWN({
    close(s[0]);
    long at = 0;
    for (ssize_t n; (n = read(s[1], buf, sizeof buf)) > 0; at += n)
      for (long i = 0; i < n; i++) if (buf[i] != (unsigned char)((at + i) % 251)) _exit(2);
    if (at != TOTAL) _exit(3);
  });
  OK(close(s[1]));
  for (long at = 0; at < TOTAL;) {
    long n = TOTAL - at < PART ? TOTAL - at : PART;
    for (long i = 0; i < n; i++) buf[i] = (at + i) % 251;
    CHECK_EQ(OK(write(s[0], buf, n)), n);
    at += n;
  }
  OK(close(s[0]));
  CHILD_DONE(pid);
}

SUBTEST_FORK(nonblocking_fills) {
  int s[2];
  static char buf[1 << 16];
  tcp_pair(s);
  OK(fcntl(s[0], F_SETFL, O_NONBLOCK));
  long sent = 0, got = 0;
  for (ssize_t n; (n = write(s[0], buf, sizeof buf)) > 0;) sent += n;
  CHECK_EQ(errno, EAGAIN);
  CHECK_EQ(events_of(s[0], POLLOUT, 0), 0);
  CHECK(sent > 100000);
  while (got < sent) got += OK(read(s[1], buf, sizeof buf));
  CHECK_EQ(got, sent);
  CHECK_EQ(events_of(s[0], POLLOUT, 2000), POLLOUT);
}

SUBTEST_FORK(vectors_and_messages) {
  int s[2];
  char a[4], b[8];
  tcp_pair(s);
  struct iovec out[] = {{"abcd", 4}, {"", 0}, {"efgh", 4}}, in[] = {{a, 3}, {b, 8}};
  CHECK_EQ(OK(writev(s[0], out, 3)), 8);
  sleep_ms(20);
  CHECK_EQ(OK(readv(s[1], in, 2)), 8);
  CHECK(memcmp(a, "abc", 3) == 0 && memcmp(b, "defgh", 5) == 0);
  struct msghdr m = {.msg_iov = out, .msg_iovlen = 3};
  CHECK_EQ(OK(sendmsg(s[0], &m, 0)), 8);
  struct sockaddr_in from;
  char control[64];
  in[1].iov_len = 5;
  struct msghdr r = {&from, sizeof from, in, 2, control, sizeof control, -1};
  CHECK_EQ(OK(recvmsg(s[1], &r, MSG_WAITALL)), 8);
  CHECK_EQ(r.msg_namelen, 0);
  CHECK_EQ(r.msg_controllen, 0);
  CHECK_EQ(r.msg_flags, 0);
  // An address on a connection is not looked at.
  struct sockaddr_in other = in4("127.0.0.9", 9);
  CHECK_EQ(OK(sendto(s[0], "x", 1, 0, (void *)&other, sizeof other)), 1);
}

SUBTEST_FORK(truncate_drops) {
  int s[2];
  char buf[8];
  tcp_pair(s);
  CHECK_EQ(OK(write(s[0], "0123456789", 10)), 10);
  CHECK_EQ(events_of(s[1], POLLIN, 2000), POLLIN);
  CHECK_EQ(OK(recv(s[1], NULL, 4, MSG_TRUNC)), 4);
  CHECK_EQ(OK(recv(s[1], buf, 8, 0)), 6);
  CHECK(memcmp(buf, "456789", 6) == 0);
}

SUBTEST_FORK(out_of_band) {
  int s[2], mark;
  char buf[16];
  tcp_pair(s);
  CHECK_ERR(recv(s[1], buf, 1, MSG_OOB), EINVAL);
  CHECK_EQ(OK(send(s[0], "abc", 3, MSG_OOB)), 3);
  CHECK_EQ(events_of(s[1], POLLPRI, 2000), POLLPRI);
  CHECK_EQ(OK(recv(s[1], buf, 4, MSG_OOB)), 1);
  CHECK_EQ(buf[0], 'c');
  CHECK_ERR(recv(s[1], buf, 1, MSG_OOB), EINVAL);
  CHECK_EQ(OK(send(s[0], "de", 2, 0)), 2);
  sleep_ms(20);
  OK(ioctl(s[1], SIOCATMARK, &mark));
  CHECK_EQ(mark, 0);
  CHECK_EQ(OK(read(s[1], buf, 16)), 2);
  CHECK(memcmp(buf, "ab", 2) == 0);
  OK(ioctl(s[1], SIOCATMARK, &mark));
  CHECK_EQ(mark, 1);
  CHECK_EQ(OK(read(s[1], buf, 16)), 2);
  CHECK(memcmp(buf, "de", 2) == 0);
  set_int(s[1], SOL_SOCKET, SO_OOBINLINE, 1);
  CHECK_EQ(OK(send(s[0], "xy", 2, MSG_OOB)), 2);
  CHECK_EQ(events_of(s[1], POLLPRI, 2000), POLLPRI);
  CHECK_EQ(OK(read(s[1], buf, 16)), 1);
  CHECK_EQ(buf[0], 'x');
  CHECK_EQ(OK(read(s[1], buf, 16)), 1);
  CHECK_EQ(buf[0], 'y');
  CHECK_ERR(recv(s[1], buf, 1, MSG_OOB), EINVAL);
}

SUBTEST_FORK(low_water_mark) {
  int s[2];
  char buf[16];
  tcp_pair(s);
  set_int(s[1], SOL_SOCKET, SO_RCVLOWAT, 5);
  CHECK_EQ(OK(write(s[0], "abc", 3)), 3);
  CHECK_EQ(events_of(s[1], POLLIN, 60), 0);
  CHECK_EQ(OK(recv(s[1], buf, 16, MSG_DONTWAIT | MSG_PEEK)), 3);
  CHECK_EQ(OK(write(s[0], "de", 2)), 2);
  CHECK_EQ(events_of(s[1], POLLIN, 2000), POLLIN);
  CHECK_EQ(OK(read(s[1], buf, 16)), 5);
}

SUBTEST_FORK(sendfile_and_splice) {
  int s[2], p[2];
  char buf[64];
  tcp_pair(s);
  put_file("f", "the content of a file");
  int f = OK(open("f", O_RDONLY));
  off_t at = 4;
  CHECK_EQ(OK(sendfile(s[0], f, &at, 100)), 17);
  CHECK_EQ(at, 21);
  CHECK_EQ(OK(recv(s[1], buf, 17, MSG_WAITALL)), 17);
  CHECK(memcmp(buf, "content of a file", 17) == 0);
  OK(pipe(p));
  CHECK_EQ(OK(write(s[0], "spliced", 7)), 7);
  CHECK_EQ(events_of(s[1], POLLIN, 2000), POLLIN);
  CHECK_EQ(OK(splice(s[1], NULL, p[1], NULL, 100, 0)), 7);
  CHECK_EQ(OK(splice(p[0], NULL, s[1], NULL, 100, 0)), 7);
  CHECK_EQ(OK(recv(s[0], buf, 7, MSG_WAITALL)), 7);
  CHECK(memcmp(buf, "spliced", 7) == 0);
}

SUBTEST_FORK(accepted_inherits) {
  int l = bound4(SOCK_STREAM), fd = OK(socket(AF_INET, SOCK_STREAM, 0));
  set_int(l, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_int(l, IPPROTO_TCP, TCP_NODELAY, 1);
  struct linger lin = {1, 7}, got;
  socklen_t len = sizeof got;
  OK(setsockopt(l, SOL_SOCKET, SO_LINGER, &lin, sizeof lin));
  OK(connect4(fd, port_of(l)));
  int c = OK(accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
  CHECK_EQ(int_option(c, SOL_SOCKET, SO_KEEPALIVE), 1);
  CHECK_EQ(int_option(c, IPPROTO_TCP, TCP_NODELAY), 1);
  OK(getsockopt(c, SOL_SOCKET, SO_LINGER, &got, &len));
  CHECK_EQ(got.l_linger, 7);
  CHECK_EQ(OK(fcntl(c, F_GETFL)), O_RDWR | O_NONBLOCK);
  CHECK_EQ(OK(fcntl(c, F_GETFD)), FD_CLOEXEC);
  CHECK_EQ(int_option(l, SOL_SOCKET, SO_ACCEPTCONN), 1);
  CHECK_EQ(int_option(c, SOL_SOCKET, SO_ACCEPTCONN), 0);
}

SUBTEST_FORK(many_connections) {
  enum { N = 200 };
  int l = bound4(SOCK_STREAM), c[N], a[N];
  OK(listen(l, N));
  for (int i = 0; i < N; i++) {
    c[i] = OK(socket(AF_INET, SOCK_STREAM, 0));
    OK(connect4(c[i], port_of(l)));
    CHECK_EQ(OK(write(c[i], &i, sizeof i)), sizeof i);
  }
  for (int i = 0; i < N; i++) {
    int got;
    a[i] = OK(accept(l, NULL, NULL));
    CHECK_EQ(OK(recv(a[i], &got, sizeof got, MSG_WAITALL)), sizeof got);
    CHECK_EQ(got, i);
  }
  for (int i = 0; i < N; i++) {
    OK(close(c[i]));
    OK(close(a[i]));
  }
}
