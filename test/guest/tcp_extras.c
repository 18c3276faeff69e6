// What tcp(7), socket(7) and ip(7) give streams beside their bytes: stamps of what came, bytes that are left, IP options, pacing.
#include "net.h"
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/ip.h>

#ifndef TCP_CM_INQ
#define TCP_CM_INQ TCP_INQ
#endif
#ifndef SO_MAX_PACING_RATE
#define SO_MAX_PACING_RATE 47
#endif
#ifndef SO_BUSY_POLL
#define SO_BUSY_POLL 46
#endif

// Receives up to `size` bytes and says which control messages came.
static void show(int fd, int size, int flags) {
  char buf[4096], control[512];
  struct iovec v = {buf, size};
  struct msghdr m = {NULL, 0, &v, 1, control, sizeof control, 0};
  int n = OK(recvmsg(fd, &m, flags));
  say("%d bytes", n);
  char line[200];
  int at = 0;
  line[0] = 0;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
    if (c->cmsg_level == IPPROTO_TCP && c->cmsg_type == TCP_CM_INQ)
      at += sprintf(line + at, ", %d left", *(int *)CMSG_DATA(c));
    else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMP) {
      struct timeval t = *(struct timeval *)CMSG_DATA(c), now;
      gettimeofday(&now, NULL);
      long ms = (now.tv_sec - t.tv_sec) * 1000 + (now.tv_usec - t.tv_usec) / 1000;
      at += sprintf(line + at, ", stamped %s ago", ms < 0 ? "before" : ms < 90 ? "a moment" : ms < 5000 ? "a while" : "long");
    } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPNS)
      at += sprintf(line + at, ", stamped to the ns");
    else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPING) {
      struct scm_timestamping *t = (void *)CMSG_DATA(c);
      at += sprintf(line + at, ", three stamps: %d %d %d", t->ts[0].tv_sec != 0, t->ts[1].tv_sec != 0, t->ts[2].tv_sec != 0);
    } else
      at += sprintf(line + at, ", message %d of %d", c->cmsg_type, c->cmsg_level);
  }
  say("%s\n", line);
}

SUBTEST_FORK(left) {
  int s[2];
  tcp_pair(s);
  set_int(s[1], IPPROTO_TCP, TCP_INQ, 1);
  CHECK_EQ(int_option(s[1], IPPROTO_TCP, TCP_INQ), 1);
  int bad = 2;
  CHECK_ERR(setsockopt(s[1], IPPROTO_TCP, TCP_INQ, &bad, sizeof bad), EINVAL);
  OK(send(s[0], "0123456789", 10, 0));
  CHECK_EQ(events_of(s[1], POLLIN, 2000), POLLIN);
  show(s[1], 3, 0);
  show(s[1], 3, 0);
  OK(shutdown(s[0], SHUT_WR));
  events_of(s[1], POLLRDHUP, 2000);
  // The end is left.
  show(s[1], 100, 0);
  set_int(s[1], IPPROTO_TCP, TCP_INQ, 0);
}

SUBTEST_FORK(stamps) {
  int s[2];
  tcp_pair(s);
  OK(send(s[0], "unstamped", 9, 0));
  CHECK_EQ(events_of(s[1], POLLIN, 2000), POLLIN);
  show(s[1], 100, 0);
  set_int(s[1], SOL_SOCKET, SO_TIMESTAMP, 1);
  OK(send(s[0], "abcdef", 6, 0));
  CHECK_EQ(events_of(s[1], POLLIN, 2000), POLLIN);
  sleep_ms(150);
  show(s[1], 3, 0);
  show(s[1], 100, 0);
  set_int(s[1], SOL_SOCKET, SO_TIMESTAMPNS, 1);
  OK(send(s[0], "x", 1, 0));
  CHECK_EQ(events_of(s[1], POLLIN, 2000), POLLIN);
  show(s[1], 100, 0);
  set_int(s[1], SOL_SOCKET, SO_TIMESTAMPNS, 0);
  set_int(s[1], SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE);
  OK(send(s[0], "y", 1, 0));
  CHECK_EQ(events_of(s[1], POLLIN, 2000), POLLIN);
  show(s[1], 100, 0);
}

SUBTEST_FORK(ip_options_of_streams) {
  unsigned char noops[4] = {1, 1, 1, 1}, back[40];
  int l = bound4(SOCK_STREAM), c = OK(socket(AF_INET, SOCK_STREAM, 0));
  OK(setsockopt(c, IPPROTO_IP, IP_OPTIONS, noops, sizeof noops));
  socklen_t len = sizeof back;
  OK(getsockopt(c, IPPROTO_IP, IP_OPTIONS, back, &len));
  say("%d bytes of options\n", len);
  OK(connect4(c, port_of(l)));
  int s = OK(accept(l, NULL, NULL));
  OK(send(c, "with options", 12, 0));
  char buf[16] = {0};
  CHECK_EQ(recv(s, buf, 12, MSG_WAITALL), 12);
  CHECK_STR(buf, "with options");
  OK(send(s, "answer", 6, 0));
  CHECK_EQ(recv(c, buf, 6, MSG_WAITALL), 6);
  len = sizeof back;
  OK(getsockopt(s, IPPROTO_IP, IP_OPTIONS, back, &len));
  say("%d bytes of options at the other end\n", len);
  // A stream of full segments has room for them.
  static char all[300000];
  pid_t pid = SPAWN({
    static char got[300000];
    CHECK_EQ(recv(s, got, sizeof got, MSG_WAITALL), sizeof got);
  });
  CHECK_EQ(send(c, all, sizeof all, 0), sizeof all);
  CHILD_DONE(pid);
  OK(setsockopt(c, IPPROTO_IP, IP_OPTIONS, noops, 0));
  len = sizeof back;
  OK(getsockopt(c, IPPROTO_IP, IP_OPTIONS, back, &len));
  say("%d bytes of options in the end\n", len);
}

SUBTEST_FORK(pacing) {
  int s[2];
  tcp_pair(s);
  say("%d\n", int_option(s[0], SOL_SOCKET, SO_MAX_PACING_RATE));
  unsigned long rate = 2000000;
  OK(setsockopt(s[0], SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof rate));
  CHECK_EQ(int_option(s[0], SOL_SOCKET, SO_MAX_PACING_RATE), 2000000);
  unsigned long back = 0;
  socklen_t len = sizeof back;
  OK(getsockopt(s[0], SOL_SOCKET, SO_MAX_PACING_RATE, &back, &len));
  say("%lu, %d bytes\n", back, len);
  // Linux does not pace the first ten segments, which are large here.
  static char all[2000000];
  pid_t pid = SPAWN({
    static char got[2000000];
    CHECK_EQ(recv(s[1], got, sizeof got, MSG_WAITALL), sizeof got);
  });
  long began = now_ms();
  CHECK_EQ(send(s[0], all, sizeof all, 0), sizeof all);
  CHILD_DONE(pid);
  long took = now_ms() - began;
  say("%s\n", took < 250 ? "faster than that" : "paced");
}

SUBTEST(busy_poll) {
  int fd = OK(socket(AF_INET, SOCK_STREAM, 0)), bad = -1;
  CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_BUSY_POLL, &bad, sizeof bad), EINVAL);
  set_int(fd, SOL_SOCKET, SO_BUSY_POLL, 0);
  CHECK_EQ(int_option(fd, SOL_SOCKET, SO_BUSY_POLL), 0);
}
