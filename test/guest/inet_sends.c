// Sends that are told of later or put together: UDP_CORK, MSG_MORE, MSG_ZEROCOPY, SO_TIMESTAMPING; names of raw sockets.
#include "net.h"
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/udp.h>

static void show(const char *what, int fd) {
  static char buf[70000];
  int n = recv(fd, buf, sizeof buf, MSG_DONTWAIT);
  if (n < 0) say("%s: %s\n", what, strerrorname_np(errno));
  else say("%s: %d bytes, %.*s\n", what, n, n > 20 ? 20 : n, buf);
}

// Of a stream: some time after it was sent.
static void show_soon(const char *what, int fd) {
  CHECK_EQ(events_of(fd, POLLIN, 2000), POLLIN);
  show(what, fd);
}

SUBTEST_FORK(cork) {
  int s[2];
  udp_pair(s);
  OK(send(s[0], "ab", 2, MSG_MORE));
  show("not yet", s[1]);
  OK(send(s[0], "cd", 2, MSG_MORE));
  OK(send(s[0], "e", 1, 0));
  show("together", s[1]);
  set_int(s[0], IPPROTO_UDP, UDP_CORK, 1);
  CHECK_EQ(int_option(s[0], IPPROTO_UDP, UDP_CORK), 1);
  OK(send(s[0], "one", 3, 0));
  OK(send(s[0], "two", 3, 0));
  show("corked", s[1]);
  set_int(s[0], IPPROTO_UDP, UDP_CORK, 0);
  show("uncorked", s[1]);
  show("no more", s[1]);
  // Nothing is not a datagram; an empty end is.
  OK(send(s[0], "", 0, MSG_MORE));
  show("empty", s[1]);
  OK(send(s[0], "x", 1, MSG_MORE));
  OK(send(s[0], "", 0, 0));
  show("ended by nothing", s[1]);
  // Where the first part goes, all goes.
  int other = bound4(SOCK_DGRAM), from = bound4(SOCK_DGRAM);
  struct sockaddr_in a = in4("127.0.0.1", port_of(other)), b = in4("127.0.0.1", port_of(s[1]));
  OK(sendto(from, "first", 5, MSG_MORE, (void *)&a, sizeof a));
  OK(sendto(from, "second", 6, 0, (void *)&b, sizeof b));
  show("other", other);
  // Too long in the end: all of it is lost.
  static char most[65000];
  memset(most, 'm', sizeof most);
  OK(send(s[0], most, sizeof most, MSG_MORE));
  CHECK_ERR(send(s[0], most, 1000, MSG_MORE), EMSGSIZE);
  OK(send(s[0], "new", 3, 0));
  show("after a long one", s[1]);
  OK(send(s[0], most, 40000, MSG_MORE));
  OK(send(s[0], most, 20000, 0));
  show("fragments", s[1]);
}

SUBTEST_FORK(cork6) {
  int s = bound6(SOCK_DGRAM, "::1"), c = bound6(SOCK_DGRAM, "::1");
  struct sockaddr_in6 a = in6("::1", port_of(s));
  OK(connect(c, (void *)&a, sizeof a));
  OK(send(c, "ab", 2, MSG_MORE));
  OK(send(c, "cd", 2, 0));
  show("together", s);
}

// One message of the error queue.
static void error_of(int fd) {
  char control[512] = {0}, buf[256];
  struct sockaddr_in6 name;
  struct iovec v = {buf, sizeof buf};
  struct msghdr m = {&name, sizeof name, &v, 1, control, sizeof control, 0};
  int n = recvmsg(fd, &m, MSG_ERRQUEUE);
  if (n < 0) {
    say("error queue: %s\n", strerrorname_np(errno));
    return;
  }
  say("%d bytes, flags %#x, name of %d\n", n, m.msg_flags, m.msg_namelen);
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
    say("level %d type %d, %d bytes\n", c->cmsg_level, c->cmsg_type, (int)c->cmsg_len);
    if (c->cmsg_level == SOL_SOCKET) {
      struct scm_timestamping *t = (void *)CMSG_DATA(c);
      struct timespec now;
      clock_gettime(CLOCK_REALTIME, &now);
      CHECK(labs(now.tv_sec - t->ts[0].tv_sec) < 10);
      say("hardware %d %d\n", (int)t->ts[2].tv_sec, (int)t->ts[1].tv_sec);
    } else {
      struct sock_extended_err *e = (void *)CMSG_DATA(c);
      say("errno %d origin %d type %d code %d info %d data %d\n", e->ee_errno, e->ee_origin, e->ee_type, e->ee_code, e->ee_info,
          e->ee_data);
    }
  }
}

SUBTEST_FORK(zerocopy) {
  int t[2], s[2], u = OK(socket(AF_UNIX, SOCK_DGRAM, 0)), one = 1, two = 2, six = bound6(SOCK_STREAM, "::1");
  tcp_pair(t);
  udp_pair(s);
  CHECK_ERR(setsockopt(u, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof one), EOPNOTSUPP);
  CHECK_ERR(setsockopt(t[0], SOL_SOCKET, SO_ZEROCOPY, &two, sizeof two), EINVAL);
  CHECK_EQ(int_option(t[0], SOL_SOCKET, SO_ZEROCOPY), 0);
  // Without the option, the flag means nothing.
  OK(send(t[0], "ab", 2, MSG_ZEROCOPY));
  show_soon("read", t[1]);
  error_of(t[0]);
  set_int(t[0], SOL_SOCKET, SO_ZEROCOPY, 1);
  CHECK_EQ(int_option(t[0], SOL_SOCKET, SO_ZEROCOPY), 1);
  OK(send(t[0], "cd", 2, MSG_ZEROCOPY));
  CHECK_EQ(events_of(t[1], POLLIN, 1000), POLLIN);
  show_soon("read", t[1]);
  CHECK_EQ(events_of(t[0], 0, 1000), POLLERR);
  error_of(t[0]);
  error_of(t[0]);
  OK(send(t[0], "ef", 2, MSG_ZEROCOPY));
  show_soon("read", t[1]);
  OK(send(t[0], "gh", 2, MSG_ZEROCOPY));
  show_soon("read", t[1]);
  CHECK_EQ(events_of(t[0], 0, 1000), POLLERR);
  error_of(t[0]);
  CHECK_EQ(int_option(t[0], SOL_SOCKET, SO_ERROR), 0);
  set_int(s[0], SOL_SOCKET, SO_ZEROCOPY, 1);
  OK(send(s[0], "ij", 2, MSG_ZEROCOPY));
  show_soon("read", s[1]);
  CHECK_EQ(events_of(s[0], 0, 1000), POLLERR);
  error_of(s[0]);
  struct sockaddr_in6 a = in6("::1", port_of(six));
  int c = OK(socket(AF_INET6, SOCK_STREAM, 0));
  OK(connect(c, (void *)&a, sizeof a));
  set_int(c, SOL_SOCKET, SO_ZEROCOPY, 1);
  OK(send(c, "kl", 2, MSG_ZEROCOPY));
  int accepted = OK(accept(six, NULL, NULL));
  show_soon("read", accepted);
  CHECK_EQ(events_of(c, 0, 1000), POLLERR);
  error_of(c);
}

SUBTEST_FORK(timestamps) {
  int s[2];
  udp_pair(s);
  int bad = 1 << 30;
  CHECK_ERR(setsockopt(s[0], SOL_SOCKET, SO_TIMESTAMPING, &bad, sizeof bad), EINVAL);
  set_int(s[0], SOL_SOCKET, SO_TIMESTAMPING,
          SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY | SOF_TIMESTAMPING_OPT_ID);
  OK(send(s[0], "ab", 2, 0));
  OK(send(s[0], "cd", 2, 0));
  CHECK_EQ(events_of(s[0], 0, 1000), POLLERR);
  error_of(s[0]);
  error_of(s[0]);
  error_of(s[0]);
  set_int(s[0], SOL_SOCKET, SO_TIMESTAMPING,
          SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_TSONLY);
  OK(send(s[0], "ef", 2, 0));
  CHECK_EQ(events_of(s[0], 0, 1000), POLLERR);
  error_of(s[0]);
  // Whoever receives is told when they came.
  set_int(s[1], SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE);
  set_int(s[0], SOL_SOCKET, SO_TIMESTAMPING, 0);
  // The kernel begins to stamp some time after the first who asks.
  sleep_ms(100);
  OK(send(s[0], "gh", 2, 0));
  for (int i = 0; i < 4; i++) {
    char control[256], buf[8];
    struct iovec v = {buf, sizeof buf};
    struct msghdr m = {NULL, 0, &v, 1, control, sizeof control, 0};
    OK(recvmsg(s[1], &m, 0));
    if (i < 3) continue;
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    CHECK(c != NULL);
    say("level %d type %d, %d bytes\n", c->cmsg_level, c->cmsg_type, (int)c->cmsg_len);
    struct scm_timestamping *t = (void *)CMSG_DATA(c);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    CHECK(labs(now.tv_sec - t->ts[0].tv_sec) < 10);
    CHECK(CMSG_NXTHDR(&m, c) == NULL);
  }
}

SUBTEST_FORK(raw_names) {
  int raw = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
  if (raw < 0) SKIP("no raw sockets");
  say("port %d\n", port_of(raw));
  struct sockaddr_in a = in4("127.0.0.1", 0), p;
  socklen_t len = sizeof p;
  OK(bind(raw, (void *)&a, sizeof a));
  say("bound %d\n", port_of(raw));
  CHECK_ERR(getpeername(raw, (void *)&p, &len), ENOTCONN);
  OK(connect(raw, (void *)&a, sizeof a));
  CHECK_ERR(getpeername(raw, (void *)&p, &len), ENOTCONN);
  a.sin_port = htons(7);
  OK(connect(raw, (void *)&a, sizeof a));
  OK(getpeername(raw, (void *)&p, &len));
  say("peer %d\n", ntohs(p.sin_port));
  say("connected %d\n", port_of(raw));
}
