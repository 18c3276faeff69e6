// connect(2): non-blocking, refused, again, after a failure, with a time limit.
#include "net.h"

SUBTEST_FORK(refused) {
  int l = bound4(SOCK_STREAM), port = port_of(l);
  OK(close(l));
  int fd = OK(socket(AF_INET, SOCK_STREAM, 0));
  CHECK_ERR(connect4(fd, port), ECONNREFUSED);
  CHECK_EQ(int_option(fd, SOL_SOCKET, SO_ERROR), 0);
  // The socket can be used again.
  l = bound4(SOCK_STREAM);
  OK(connect4(fd, port_of(l)));
}

SUBTEST_FORK(refused_nonblocking) {
  int l = bound4(SOCK_STREAM), port = port_of(l);
  OK(close(l));
  int fd = OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  CHECK_ERR(connect4(fd, port), EINPROGRESS);
  CHECK_EQ(events_of(fd, POLLIN | POLLOUT, 2000), POLLIN | POLLOUT | POLLERR | POLLHUP);
  CHECK_EQ(int_option(fd, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
  CHECK_EQ(int_option(fd, SOL_SOCKET, SO_ERROR), 0);
  CHECK_ERR(connect4(fd, port), ECONNABORTED);
  CHECK_ERR(connect4(fd, port), EINPROGRESS);
  CHECK_EQ(events_of(fd, POLLOUT, 2000) & POLLERR, POLLERR);
  CHECK_ERR(connect4(fd, port), ECONNREFUSED);
}

SUBTEST_FORK(nonblocking) {
  int l = bound4(SOCK_STREAM), fd = OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  CHECK_ERR(connect4(fd, port_of(l)), EINPROGRESS);
  CHECK_EQ(events_of(fd, POLLOUT, 2000), POLLOUT);
  CHECK_EQ(int_option(fd, SOL_SOCKET, SO_ERROR), 0);
  // The first call after the end of a connect that was under way tells that it is done.
  OK(connect4(fd, port_of(l)));
  CHECK_ERR(connect4(fd, port_of(l)), EISCONN);
}

SUBTEST_FORK(not_twice) {
  int l = bound4(SOCK_STREAM), fd = OK(socket(AF_INET, SOCK_STREAM, 0));
  OK(connect4(fd, port_of(l)));
  CHECK_ERR(connect4(fd, port_of(l)), EISCONN);
  CHECK_ERR(connect4(l, port_of(l)), EISCONN);
  CHECK_ERR(listen(fd, 1), EINVAL);
}

SUBTEST_FORK(fresh_socket_polls) {
  int fd = OK(socket(AF_INET, SOCK_STREAM, 0));
  CHECK_EQ(events_of(fd, POLLIN | POLLOUT, 0), POLLOUT | POLLHUP);
  char c;
  CHECK_ERR(read(fd, &c, 1), ENOTCONN);
  CHECK_ERR(shutdown(fd, SHUT_RDWR), ENOTCONN);
  CHECK_ERR(accept(fd, NULL, NULL), EINVAL);
}

SUBTEST_FORK(dissolved) {
  int s[2];
  char c;
  tcp_pair(s);
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  OK(connect(s[0], &none, sizeof none));
  struct sockaddr_in a;
  socklen_t len = sizeof a;
  CHECK_ERR(getpeername(s[0], (void *)&a, &len), ENOTCONN);
  CHECK_ERR(read(s[1], &c, 1), ECONNRESET);
  int l = bound4(SOCK_STREAM);
  OK(connect4(s[0], port_of(l)));
}

SUBTEST_FORK(any_is_this_machine) {
  struct sockaddr_in a = in4("0.0.0.0", 0);
  struct sockaddr_in6 b = in6("::", 0);
  int l = OK(socket(AF_INET6, SOCK_STREAM, 0)), fd = OK(socket(AF_INET, SOCK_STREAM, 0));
  OK(bind(l, (void *)&b, sizeof b));
  OK(listen(l, 4));
  a.sin_port = htons(port_of(l));
  OK(connect(fd, (void *)&a, sizeof a));
  socklen_t len = sizeof a;
  OK(getpeername(fd, (void *)&a, &len));
  CHECK_EQ(a.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
  fd = OK(socket(AF_INET6, SOCK_STREAM, 0));
  b.sin6_port = htons(port_of(l));
  OK(connect(fd, (void *)&b, sizeof b));
  len = sizeof b;
  OK(getpeername(fd, (void *)&b, &len));
  CHECK(memcmp(&b.sin6_addr, &in6addr_loopback, 16) == 0);
}

SUBTEST_FORK(all_of_127) {
  struct sockaddr_in a = in4("127.1.2.3", 0);
  int l = OK(socket(AF_INET, SOCK_STREAM, 0)), fd = OK(socket(AF_INET, SOCK_STREAM, 0));
  OK(bind(l, (void *)&a, sizeof a));
  OK(listen(l, 4));
  a.sin_port = htons(port_of(l));
  OK(connect(fd, (void *)&a, sizeof a));
  CHECK_ERR(connect4(OK(socket(AF_INET, SOCK_STREAM, 0)), port_of(l)), ECONNREFUSED);
}

SUBTEST_FORK(unreachable) {
  // With the loopback interface alone there is no way to anywhere else.
  struct sockaddr_in a = in4("192.0.2.1", 80);
  struct sockaddr_in6 b = in6("2001:db8::1", 80);
  int fd = OK(socket(AF_INET, SOCK_STREAM, 0)), six = OK(socket(AF_INET6, SOCK_STREAM, 0));
  CHECK_ERR(connect(fd, (void *)&a, sizeof a), ENETUNREACH);
  CHECK_ERR(connect(six, (void *)&b, sizeof b), ENETUNREACH);
  int udp = OK(socket(AF_INET, SOCK_DGRAM, 0)), udp6 = OK(socket(AF_INET6, SOCK_DGRAM, 0));
  CHECK_ERR(connect(udp, (void *)&a, sizeof a), ENETUNREACH);
  CHECK_ERR(sendto(udp, "x", 1, 0, (void *)&a, sizeof a), ENETUNREACH);
  CHECK_ERR(connect(udp6, (void *)&b, sizeof b), ENETUNREACH);
  CHECK_ERR(sendto(udp6, "x", 1, 0, (void *)&b, sizeof b), ENETUNREACH);
}

SUBTEST_FORK(not_to_groups) {
  struct sockaddr_in a = in4("224.0.0.1", 80), all = in4("255.255.255.255", 80);
  int fd = OK(socket(AF_INET, SOCK_STREAM, 0));
  CHECK_ERR(connect(fd, (void *)&a, sizeof a), ENETUNREACH);
  CHECK_ERR(connect(fd, (void *)&all, sizeof all), ENETUNREACH);
}

// A full backlog: further connections are neither refused nor made.
SUBTEST_FORK(time_limit) {
  struct sockaddr_in a = in4("127.0.0.1", 0);
  int l = OK(socket(AF_INET, SOCK_STREAM, 0)), fd[16];
  OK(bind(l, (void *)&a, sizeof a));
  OK(listen(l, 0));
  int port = port_of(l), waiting = 0;
  for (int i = 0; i < 4; i++) {
    fd[i] = OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    CHECK_ERR(connect4(fd[i], port), EINPROGRESS);
    waiting += (events_of(fd[i], POLLOUT, 100) & POLLOUT) == 0;
  }
  CHECK(waiting > 0);
  int late = OK(socket(AF_INET, SOCK_STREAM, 0));
  struct timeval t = {0, 60000};
  OK(setsockopt(late, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t));
  long start = now_ms();
  CHECK_ERR(connect4(late, port), EINPROGRESS);
  CHECK(now_ms() - start >= 50);
  CHECK_ERR(connect4(late, port), EALREADY);
}

SUBTEST_FORK(interrupted) {
  struct sockaddr_in a = in4("127.0.0.1", 0);
  int l = OK(socket(AF_INET, SOCK_STREAM, 0));
  OK(bind(l, (void *)&a, sizeof a));
  OK(listen(l, 0));
  for (int i = 0; i < 4; i++) {
    int fd = OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    CHECK_ERR(connect4(fd, port_of(l)), EINPROGRESS);
    events_of(fd, POLLOUT, 50);
  }
  struct sigaction act = {.sa_handler = nothing};
  OK(sigaction(SIGUSR1, &act, NULL));
  pid_t parent = getpid(), pid = SPAWN({
    wait_blocked(parent);
    kill(parent, SIGUSR1);
  });
  int fd = OK(socket(AF_INET, SOCK_STREAM, 0));
  CHECK_ERR(connect4(fd, port_of(l)), EINTR);
  CHILD_DONE(pid);
  OK(fcntl(fd, F_SETFL, O_NONBLOCK));
  CHECK_ERR(connect4(fd, port_of(l)), EALREADY);
}

SUBTEST_FORK(self_connect) {
  struct sockaddr_in a = in4("127.0.0.1", 0);
  int fd = OK(socket(AF_INET, SOCK_STREAM, 0));
  OK(bind(fd, (void *)&a, sizeof a));
  OK(connect4(fd, port_of(fd)));
  char buf[4];
  CHECK_EQ(OK(write(fd, "echo", 4)), 4);
  CHECK_EQ(OK(recv(fd, buf, 4, MSG_WAITALL)), 4);
  CHECK(memcmp(buf, "echo", 4) == 0);
}
