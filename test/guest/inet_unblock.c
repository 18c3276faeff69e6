// What ends a wait on an Internet socket: shutdown(2), close(2) of the peer, signals, time.
#include "net.h"

static void usr1_to(pid_t to) {
  wait_blocked(to);
  kill(to, SIGUSR1);
}

SUBTEST_FORK(shutdown_ends_accept) {
  int l = bound4(SOCK_STREAM);
  pid_t parent = getpid(), pid = SPAWN({
    wait_blocked(parent);
    OK(shutdown(l, SHUT_RDWR));
  });
  CHECK_ERR(accept(l, NULL, NULL), EINVAL);
  CHILD_DONE(pid);
}

SUBTEST_FORK(shutdown_ends_read) {
  int s[2];
  char c;
  tcp_pair(s);
  pid_t parent = getpid(), pid = SPAWN({
    wait_blocked(parent);
    OK(shutdown(s[1], SHUT_RD));
  });
  CHECK_EQ(OK(read(s[1], &c, 1)), 0);
  CHILD_DONE(pid);
}

static void *shuts_down(void *fd) {
  sleep_ms(50);
  CHECK_ERR(shutdown(*(int *)fd, SHUT_RDWR), ENOTCONN);
  return NULL;
}

// A datagram socket that is connected to nobody is told so, but who waits in it goes on.
SUBTEST_FORK(shutdown_ends_unconnected) {
  int fd = bound4(SOCK_DGRAM);
  pthread_t t;
  char x;
  OK0(pthread_create(&t, NULL, shuts_down, &fd));
  CHECK_EQ(OK(recv(fd, &x, 1, 0)), 0);
  OK0(pthread_join(t, NULL));
}

SUBTEST_FORK(peer_ends_read) {
  int s[2];
  char c;
  tcp_pair(s);
  pid_t parent = getpid(), pid = SPAWN({
    close(s[1]);
    wait_blocked(parent);
  });
  OK(close(s[0]));
  CHECK_EQ(OK(read(s[1], &c, 1)), 0);
  CHILD_DONE(pid);
}

SUBTEST_FORK(peer_ends_write) {
  int s[2];
  static char buf[1 << 16];
  tcp_pair(s);
  signal(SIGPIPE, SIG_IGN);
  pid_t parent = getpid(), pid = SPAWN({
    close(s[0]);
    wait_blocked(parent);
  });
  OK(close(s[1]));
  ssize_t n;
  while ((n = write(s[0], buf, sizeof buf)) > 0) continue;
  CHECK(n == -1 && (errno == ECONNRESET || errno == EPIPE));
  CHILD_DONE(pid);
}

SUBTEST_FORK(signal_ends_read) {
  int s[2];
  char c;
  tcp_pair(s);
  struct sigaction act = {.sa_handler = nothing};
  OK(sigaction(SIGUSR1, &act, NULL));
  pid_t parent = getpid(), pid = SPAWN({ usr1_to(parent); });
  CHECK_ERR(read(s[1], &c, 1), EINTR);
  CHILD_DONE(pid);
  pid = SPAWN({ usr1_to(parent); });
  CHECK_ERR(accept(bound4(SOCK_STREAM), NULL, NULL), EINTR);
  CHILD_DONE(pid);
  pid = SPAWN({ usr1_to(parent); });
  CHECK_ERR(recv(bound4(SOCK_DGRAM), &c, 1, 0), EINTR);
  CHILD_DONE(pid);
}

SUBTEST_FORK(restarted_read) {
  int s[2];
  char c;
  tcp_pair(s);
  struct sigaction act = {.sa_handler = nothing, .sa_flags = SA_RESTART};
  OK(sigaction(SIGUSR1, &act, NULL));
  pid_t parent = getpid(), pid = SPAWN({
    usr1_to(parent);
    wait_blocked(parent);
    CHECK_EQ(write(s[0], "x", 1), 1);
  });
  CHECK_EQ(OK(read(s[1], &c, 1)), 1);
  CHILD_DONE(pid);
}

SUBTEST_FORK(time_ends_read) {
  int s[2];
  char c;
  tcp_pair(s);
  struct timeval t = {0, 50000};
  OK(setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
  long start = now_ms();
  CHECK_ERR(read(s[1], &c, 1), EAGAIN);
  CHECK(now_ms() - start >= 40);
  int l = bound4(SOCK_STREAM), u = bound4(SOCK_DGRAM);
  OK(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
  OK(setsockopt(u, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
  CHECK_ERR(accept(l, NULL, NULL), EAGAIN);
  CHECK_ERR(recv(u, &c, 1, 0), EAGAIN);
}

SUBTEST_FORK(waitall_ends_short) {
  int s[2];
  char buf[8];
  tcp_pair(s);
  pid_t parent = getpid(), pid = SPAWN({
    close(s[1]);
    CHECK_EQ(write(s[0], "abc", 3), 3);
    wait_blocked(parent);
  });
  OK(close(s[0]));
  CHECK_EQ(OK(recv(s[1], buf, 8, MSG_WAITALL)), 3);
  CHILD_DONE(pid);
}

SUBTEST_FORK(waitall_in_parts) {
  int s[2];
  char buf[8];
  tcp_pair(s);
  pid_t parent = getpid(), pid = SPAWN({
    for (int i = 0; i < 4; i++) {
      wait_blocked(parent);
      CHECK_EQ(write(s[0], "ab", 2), 2);
    }
  });
  CHECK_EQ(OK(recv(s[1], buf, 8, MSG_WAITALL)), 8);
  CHECK(memcmp(buf, "abababab", 8) == 0);
  CHILD_DONE(pid);
}

SUBTEST_FORK(accept_wakes) {
  int l = bound4(SOCK_STREAM);
  pid_t parent = getpid(), pid = SPAWN({
    wait_blocked(parent);
    OK(connect4(OK(socket(AF_INET, SOCK_STREAM, 0)), port_of(l)));
  });
  OK(accept(l, NULL, NULL));
  CHILD_DONE(pid);
}
