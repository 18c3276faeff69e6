// TCP Fast Open, tcp(7) and RFC 7413: MSG_FASTOPEN, TCP_FASTOPEN_CONNECT, the server's queue, keys, and the sysctl that allows them.
#include "net.h"

#define SYSCTL "/proc/sys/net/ipv4/tcp_fastopen"

static char *number_of(const char *path) {
  char *text = get_file(path);
  text[strcspn(text, "\n")] = 0;
  return text;
}

// A listener that takes data with SYNs.
static int listener(int queue) {
  int fd = bound4(SOCK_STREAM);
  set_int(fd, IPPROTO_TCP, TCP_FASTOPEN, queue);
  return fd;
}

// The server's end, and what it has to read.
static int heard(int l, const char *what) {
  CHECK_EQ(events_of(l, POLLIN, 2000), POLLIN);
  int s = OK(accept(l, NULL, NULL));
  char buf[64] = {0};
  int n = recv(s, buf, sizeof buf - 1, MSG_DONTWAIT);
  say("%s: %s\n", what, n < 0 ? strerrorname_np(errno) : buf);
  return s;
}

static int fast(int fd, int port, const char *text, int flags) {
  struct sockaddr_in a = in4("127.0.0.1", port);
  return sendto(fd, text, strlen(text), MSG_FASTOPEN | flags, (void *)&a, sizeof a);
}

static int new_socket(int flags) { return OK(socket(AF_INET, SOCK_STREAM | flags, 0)); }

static int syn_data(int fd) {
  struct tcp_info info = {0};
  socklen_t len = sizeof info;
  OK(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len));
  return (info.tcpi_options & TCPI_OPT_SYN_DATA) != 0;
}

SUBTEST(sysctl) {
  NEED_ROOT();
  say("%s\n", number_of(SYSCTL));
  int fd = new_socket(0);
  put_file(SYSCTL, "0");
  int l = bound4(SOCK_STREAM);
  errno = 0;
  int r = fast(fd, port_of(l), "x", 0);
  say("client off: %d %s\n", r, strerrorname_np(errno));
  int on = 1;
  CHECK_ERR(setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on), EOPNOTSUPP);
  put_file(SYSCTL, "3");
  say("%s\n", number_of(SYSCTL));
  OK(setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on));
  CHECK_EQ(int_option(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT), 1);
  on = 2;
  CHECK_ERR(setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on), EINVAL);
  CHECK_ERR(setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, &on, sizeof on), EINVAL);
  on = -1;
  CHECK_ERR(setsockopt(l, IPPROTO_TCP, TCP_FASTOPEN, &on, sizeof on), EINVAL);
  set_int(l, IPPROTO_TCP, TCP_FASTOPEN, 5);
  CHECK_EQ(int_option(l, IPPROTO_TCP, TCP_FASTOPEN), 5);
}

SUBTEST(keys) {
  NEED_ROOT();
  int l = listener(4);
  unsigned char key[40] = {1, 2, 3, 4, 5}, back[40];
  socklen_t len = sizeof back;
  OK(getsockopt(l, IPPROTO_TCP, TCP_FASTOPEN_KEY, back, &len));
  say("%d bytes\n", len);
  CHECK_ERR(setsockopt(l, IPPROTO_TCP, TCP_FASTOPEN_KEY, key, 15), EINVAL);
  CHECK_ERR(setsockopt(l, IPPROTO_TCP, TCP_FASTOPEN_KEY, key, 24), EINVAL);
  OK(setsockopt(l, IPPROTO_TCP, TCP_FASTOPEN_KEY, key, 16));
  len = sizeof back;
  OK(getsockopt(l, IPPROTO_TCP, TCP_FASTOPEN_KEY, back, &len));
  CHECK(len == 16 && memcmp(key, back, 16) == 0);
  OK(setsockopt(l, IPPROTO_TCP, TCP_FASTOPEN_KEY, key, 32));
  len = sizeof back;
  OK(getsockopt(l, IPPROTO_TCP, TCP_FASTOPEN_KEY, back, &len));
  CHECK(len == 32 && memcmp(key, back, 32) == 0);
}

SUBTEST(cookie_then_data) {
  NEED_ROOT();
  put_file(SYSCTL, "3");
  int l = listener(4);
  // The first time nothing is known of the server: an ordinary handshake, which the call waits for.
  int c = new_socket(0);
  CHECK_EQ(fast(c, port_of(l), "first", 0), 5);
  int s = heard(l, "without a cookie");
  say("data in the SYN: %d %d\n", syn_data(c), syn_data(s));
  close(c), close(s);
  c = new_socket(0);
  CHECK_EQ(fast(c, port_of(l), "second", 0), 6);
  s = heard(l, "with a cookie");
  say("data in the SYN: %d %d\n", syn_data(c), syn_data(s));
  OK(send(s, "answer", 6, 0));
  char buf[16] = {0};
  CHECK_EQ(recv(c, buf, 6, MSG_WAITALL), 6);
  CHECK_STR(buf, "answer");
  errno = 0;
  int r = fast(c, port_of(l), "again", 0);
  say("connected: %d %s\n", r, strerrorname_np(errno));
  CHECK_EQ(send(c, "rest", 4, 0), 4);
  CHECK_EQ(recv(s, buf, 4, MSG_WAITALL), 4);
  close(c), close(s);
  // One that does not wait.
  c = new_socket(SOCK_NONBLOCK);
  r = fast(c, port_of(l), "third", 0);
  say("not waiting: %d\n", r);
  s = heard(l, "not waiting");
  close(c), close(s);
}

SUBTEST(large) {
  NEED_ROOT();
  put_file(SYSCTL, "3");
  int l = listener(4);
  static char all[600000], got[600000];
  for (size_t i = 0; i < sizeof all; i++) all[i] = i * 7 + i / 256;
  for (int round = 0; round < 2; round++) {
    pid_t pid = SPAWN({
      int s = OK(accept(l, NULL, NULL));
      CHECK_EQ(recv(s, got, sizeof got, MSG_WAITALL), sizeof got);
      CHECK(memcmp(all, got, sizeof all) == 0);
    });
    int c = new_socket(0);
    struct sockaddr_in a = in4("127.0.0.1", port_of(l));
    CHECK_EQ(sendto(c, all, sizeof all, MSG_FASTOPEN, (void *)&a, sizeof a), sizeof all);
    CHILD_DONE(pid);
    close(c);
  }
}

SUBTEST(errors) {
  NEED_ROOT();
  put_file(SYSCTL, "3");
  int c = new_socket(0), nobody = bound4(SOCK_STREAM), port = port_of(nobody);
  close(nobody);
  CHECK_ERR(fast(c, port, "x", 0), ECONNREFUSED);
  CHECK_ERR(send(c, "x", 1, MSG_FASTOPEN), EINVAL);
  struct sockaddr none = {.sa_family = AF_UNSPEC};
  CHECK_ERR(sendto(c, "x", 1, MSG_FASTOPEN, &none, sizeof none), EOPNOTSUPP);
  int l = listener(1);
  CHECK_ERR(fast(l, port_of(l), "x", 0), EISCONN);
  int on = 1;
  CHECK_ERR(setsockopt(l, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on), EINVAL);
}

SUBTEST(put_off) {
  NEED_ROOT();
  put_file(SYSCTL, "3");
  int l = listener(4);
  struct sockaddr_in a = in4("127.0.0.1", port_of(l));
  // The cookie is known from now on.
  int c = new_socket(0);
  CHECK_EQ(fast(c, port_of(l), "x", 0), 1);
  close(c), close(OK(accept(l, NULL, NULL)));
  c = new_socket(0);
  set_int(c, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
  OK(connect(c, (void *)&a, sizeof a));
  say("nobody there yet: %d, events %#x\n", events_of(l, POLLIN, 50), events_of(c, POLLOUT | POLLIN, 0));
  OK(fcntl(c, F_SETFL, O_NONBLOCK));
  CHECK_ERR(connect(c, (void *)&a, sizeof a), EISCONN);
  char buf[8];
  CHECK_ERR(recv(c, buf, sizeof buf, MSG_DONTWAIT), EAGAIN);
  CHECK_EQ(write(c, "late", 4), 4);
  int s = heard(l, "put off");
  say("data in the SYN: %d %d\n", syn_data(c), syn_data(s));
  close(c), close(s);
  // Never used.
  c = new_socket(0);
  set_int(c, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
  OK(connect(c, (void *)&a, sizeof a));
  OK(shutdown(c, SHUT_RDWR));
  close(c);
  CHECK_EQ(events_of(l, POLLIN, 50), 0);
}

// The server has no room at first: the call waits, and its bytes arrive once.
SUBTEST(slow_server) {
  NEED_ROOT();
  put_file(SYSCTL, "3");
  int l = listener(4);
  struct sockaddr_in a = in4("127.0.0.1", port_of(l));
  int c = new_socket(0);
  CHECK_EQ(fast(c, port_of(l), "x", 0), 1);
  close(c), close(OK(accept(l, NULL, NULL)));
  OK(listen(l, 0));
  for (int way = 0; way < 2; way++) {
    int fill = new_socket(0);
    OK(connect4(fill, port_of(l)));
    pid_t pid = SPAWN({
      char buf[64];
      int n = 0, r;
      sleep_ms(300);
      close(OK(accept(l, NULL, NULL)));
      int s = OK(accept(l, NULL, NULL));
      while ((r = OK(recv(s, buf + n, sizeof buf - n, 0))) > 0) n += r;
      CHECK_EQ(n, 6);
      CHECK(memcmp(buf, "twelve", 6) == 0);
    });
    c = new_socket(0);
    if (way == 0) CHECK_EQ(fast(c, port_of(l), "twelve", 0), 6);
    else {
      set_int(c, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
      OK(connect(c, (void *)&a, sizeof a));
      CHECK_EQ(write(c, "twelve", 6), 6);
    }
    close(c);
    CHILD_DONE(pid);
    close(fill);
  }
}

SUBTEST(no_cookie) {
  NEED_ROOT();
  put_file(SYSCTL, "3");
  int l = listener(4);
  struct sockaddr_in6 six = in6("::1", 0);
  int l6 = OK(socket(AF_INET6, SOCK_STREAM, 0));
  OK(bind(l6, (void *)&six, sizeof six));
  OK(listen(l6, 4));
  set_int(l6, IPPROTO_TCP, TCP_FASTOPEN, 4);
  set_int(l6, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1);
  six.sin6_port = htons(port_of(l6));
  int c = OK(socket(AF_INET6, SOCK_STREAM, 0));
  set_int(c, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1);
  CHECK_EQ(sendto(c, "bold", 4, MSG_FASTOPEN, (void *)&six, sizeof six), 4);
  int s = heard(l6, "no cookie");
  say("data in the SYN: %d %d\n", syn_data(c), syn_data(s));
  // A server that takes none: the data comes after the handshake.
  set_int(l, IPPROTO_TCP, TCP_FASTOPEN, 0);
  int c4 = new_socket(0);
  set_int(c4, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1);
  CHECK_EQ(fast(c4, port_of(l), "bold", 0), 4);
  int s4 = heard(l, "refused");
  say("data in the SYN: %d %d\n", syn_data(c4), syn_data(s4));
}
