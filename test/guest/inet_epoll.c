// epoll(7) and SIGIO on Internet sockets: when an edge is one.
#include "net.h"
#include <sys/epoll.h>

static int ep_of(int fd, unsigned events) {
  int ep = OK(epoll_create1(EPOLL_CLOEXEC));
  struct epoll_event e = {events, {.fd = fd}};
  OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
  return ep;
}

// The events of one descriptor; 0 when none came in time.
static unsigned next(int ep, int timeout_ms) {
  struct epoll_event e;
  return OK(epoll_wait(ep, &e, 1, timeout_ms)) == 1 ? e.events : 0;
}

SUBTEST_FORK(edges_of_input) {
  int s[2];
  char c[8];
  tcp_pair(s);
  int ep = ep_of(s[1], EPOLLIN | EPOLLET | EPOLLRDHUP);
  CHECK_EQ(next(ep, 0), 0);
  CHECK_EQ(OK(write(s[0], "ab", 2)), 2);
  CHECK_EQ(next(ep, 2000), EPOLLIN);
  CHECK_EQ(next(ep, 30), 0);
  // What is left is no edge; what comes is.
  CHECK_EQ(OK(read(s[1], c, 1)), 1);
  CHECK_EQ(next(ep, 30), 0);
  CHECK_EQ(OK(write(s[0], "c", 1)), 1);
  CHECK_EQ(next(ep, 2000), EPOLLIN);
  OK(shutdown(s[0], SHUT_WR));
  CHECK_EQ(next(ep, 2000), EPOLLIN | EPOLLRDHUP);
}

SUBTEST_FORK(levels_of_input) {
  int s[2];
  char c[8];
  tcp_pair(s);
  int ep = ep_of(s[1], EPOLLIN);
  CHECK_EQ(OK(write(s[0], "ab", 2)), 2);
  CHECK_EQ(next(ep, 2000), EPOLLIN);
  CHECK_EQ(next(ep, 0), EPOLLIN);
  CHECK_EQ(OK(read(s[1], c, 8)), 2);
  CHECK_EQ(next(ep, 30), 0);
  OK(close(s[0]));
  CHECK_EQ(next(ep, 2000), EPOLLIN);
}

SUBTEST_FORK(edges_of_output) {
  int s[2];
  static char buf[1 << 16];
  tcp_pair(s);
  OK(fcntl(s[0], F_SETFL, O_NONBLOCK));
  int ep = ep_of(s[0], EPOLLOUT | EPOLLET);
  CHECK_EQ(next(ep, 2000), EPOLLOUT);
  CHECK_EQ(next(ep, 30), 0);
  long sent = 0, got = 0;
  for (ssize_t n; (n = write(s[0], buf, sizeof buf)) > 0;) sent += n;
  next(ep, 30);
  CHECK_EQ(next(ep, 30), 0);
  while (got < sent) got += OK(read(s[1], buf, sizeof buf));
  CHECK_EQ(next(ep, 2000), EPOLLOUT);
}

SUBTEST_FORK(connecting) {
  int l = bound4(SOCK_STREAM), fd = OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  int ep = ep_of(fd, EPOLLIN | EPOLLOUT | EPOLLET), lep = ep_of(l, EPOLLIN | EPOLLET);
  CHECK_EQ(next(ep, 0), EPOLLOUT | EPOLLHUP);
  CHECK_EQ(next(lep, 0), 0);
  CHECK_ERR(connect4(fd, port_of(l)), EINPROGRESS);
  CHECK_EQ(next(ep, 2000), EPOLLOUT);
  CHECK_EQ(next(lep, 2000), EPOLLIN);
  CHECK_EQ(next(lep, 30), 0);
  int c = OK(accept(l, NULL, NULL));
  OK(close(c));
  CHECK_EQ(next(ep, 2000) & EPOLLIN, EPOLLIN);
}

SUBTEST_FORK(refused) {
  int l = bound4(SOCK_STREAM), port = port_of(l), fd = OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  OK(close(l));
  CHECK_ERR(connect4(fd, port), EINPROGRESS);
  int ep = ep_of(fd, EPOLLOUT);
  CHECK_EQ(next(ep, 2000), EPOLLOUT | EPOLLERR | EPOLLHUP);
}

SUBTEST_FORK(once) {
  int s[2];
  tcp_pair(s);
  int ep = ep_of(s[1], EPOLLIN | EPOLLONESHOT);
  CHECK_EQ(OK(write(s[0], "a", 1)), 1);
  CHECK_EQ(next(ep, 2000), EPOLLIN);
  CHECK_EQ(OK(write(s[0], "b", 1)), 1);
  CHECK_EQ(next(ep, 30), 0);
  struct epoll_event e = {EPOLLIN | EPOLLONESHOT, {.fd = s[1]}};
  OK(epoll_ctl(ep, EPOLL_CTL_MOD, s[1], &e));
  CHECK_EQ(next(ep, 2000), EPOLLIN);
}

SUBTEST_FORK(datagrams) {
  int s[2];
  char c[8];
  udp_pair(s);
  int ep = ep_of(s[1], EPOLLIN | EPOLLOUT | EPOLLET);
  CHECK_EQ(next(ep, 0), EPOLLOUT);
  CHECK_EQ(OK(write(s[0], "a", 1)), 1);
  CHECK_EQ(next(ep, 2000), EPOLLIN | EPOLLOUT);
  CHECK_EQ(OK(write(s[0], "b", 1)), 1);
  CHECK_EQ(next(ep, 2000), EPOLLIN | EPOLLOUT);
  CHECK_EQ(OK(read(s[1], c, 8)), 1);
  CHECK_EQ(OK(read(s[1], c, 8)), 1);
  CHECK_EQ(next(ep, 30), 0);
}

static volatile int signals_seen;
static void seen(int sig) {
  (void)sig;
  signals_seen++;
}

SUBTEST_FORK(signal_driven) {
  int s[2];
  tcp_pair(s);
  signal(SIGIO, seen);
  OK(fcntl(s[1], F_SETOWN, getpid()));
  OK(fcntl(s[1], F_SETFL, O_ASYNC | O_NONBLOCK));
  CHECK_EQ(OK(write(s[0], "a", 1)), 1);
  for (int i = 0; i < 2000 && signals_seen == 0; i++) sleep_ms(5);
  CHECK(signals_seen > 0);
}
