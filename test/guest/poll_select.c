// poll(2), ppoll(2), select(2), pselect(2).
#include "check.h"
#include <poll.h>
#include <sys/select.h>
#include <sys/socket.h>

static void nothing(int sig) { (void)sig; }

SUBTEST_FORK(poll_basics) {
  int p[2];
  OK(pipe(p));
  struct pollfd f[3] = {{p[0], POLLIN, 9}, {-1, POLLIN, 9}, {999, POLLIN, 9}};
  CHECK_EQ(OK(poll(f, 3, 0)), 1);
  CHECK_EQ(f[0].revents, 0);
  CHECK_EQ(f[1].revents, 0);
  CHECK_EQ(f[2].revents, POLLNVAL);
  CHECK_EQ(OK(write(p[1], "x", 1)), 1);
  CHECK_EQ(OK(poll(f, 1, -1)), 1);
  CHECK_EQ(f[0].revents, POLLIN);
  f[0].events = 0;
  CHECK_EQ(OK(poll(f, 1, 0)), 0);
  CHECK_EQ(OK(poll(NULL, 0, 5)), 0);
}

SUBTEST_FORK(poll_files_always_ready) {
  int fd = OK(open("f", O_RDWR | O_CREAT, 0644)), null = OK(open("/dev/null", O_RDWR));
  struct pollfd f[2] = {{fd, POLLIN | POLLOUT, 0}, {null, POLLIN | POLLOUT, 0}};
  CHECK_EQ(OK(poll(f, 2, 1000)), 2);
  CHECK_EQ(f[0].revents, POLLIN | POLLOUT);
  CHECK_EQ(f[1].revents, POLLIN | POLLOUT);
}

SUBTEST_FORK(poll_timeout) {
  int p[2];
  OK(pipe(p));
  struct pollfd f = {p[0], POLLIN, 0};
  long start = now_ms();
  CHECK_EQ(OK(poll(&f, 1, 40)), 0);
  CHECK(now_ms() - start >= 39);
  struct timespec t = {0, 40000000};
  start = now_ms();
  CHECK_EQ(OK(ppoll(&f, 1, &t, NULL)), 0);
  CHECK(now_ms() - start >= 39);
  t.tv_nsec = -1;
  CHECK_ERR(ppoll(&f, 1, &t, NULL), EINVAL);
}

SUBTEST_FORK(poll_wakes) {
  int p[2];
  OK(pipe(p));
  struct pollfd f = {p[0], POLLIN, 0};
  pid_t parent = getpid(), pid = SPAWN({
    wait_blocked(parent);
    CHECK_EQ(write(p[1], "x", 1), 1);
  });
  CHECK_EQ(OK(poll(&f, 1, 10000)), 1);
  CHILD_DONE(pid);
  char c;
  CHECK_EQ(OK(read(p[0], &c, 1)), 1);
  pid = SPAWN({ wait_blocked(parent); });
  OK(close(p[1]));
  CHECK_EQ(OK(poll(&f, 1, 10000)), 1);
  CHECK_EQ(f.revents, POLLHUP);
  CHILD_DONE(pid);
}

SUBTEST_FORK(ppoll_mask) {
  struct sigaction sa = {.sa_handler = nothing};
  OK(sigaction(SIGUSR1, &sa, NULL));
  sigset_t block, none;
  sigemptyset(&none);
  sigemptyset(&block);
  sigaddset(&block, SIGUSR1);
  OK(sigprocmask(SIG_BLOCK, &block, NULL));
  raise(SIGUSR1);
  struct timespec t = {5, 0};
  CHECK_EQ(OK(ppoll(NULL, 0, &(struct timespec){0, 1000000}, &block)), 0);
  CHECK_ERR(ppoll(NULL, 0, &t, &none), EINTR);
  CHECK_ERR(syscall(SYS_ppoll, NULL, 0, &t, &none, 4), EINVAL);
}

SUBTEST_FORK(poll_limit) {
  struct rlimit limit = {10, 10};
  OK(setrlimit(RLIMIT_NOFILE, &limit));
  struct pollfd f[11];
  for (int i = 0; i < 11; i++) f[i] = (struct pollfd){-1, POLLIN, 0};
  CHECK_EQ(OK(poll(f, 10, 0)), 0);
  CHECK_ERR(poll(f, 11, 0), EINVAL);
}

SUBTEST_FORK(select_basics) {
  int p[2];
  fd_set r, w, e;
  OK(pipe(p));
  FD_ZERO(&r);
  FD_ZERO(&w);
  FD_ZERO(&e);
  FD_SET(p[0], &r);
  FD_SET(p[1], &w);
  FD_SET(p[0], &e);
  struct timeval t = {1, 0};
  CHECK_EQ(OK(select(p[1] + 1, &r, &w, &e, &t)), 1);
  CHECK(!FD_ISSET(p[0], &r) && FD_ISSET(p[1], &w) && !FD_ISSET(p[0], &e));
  CHECK_EQ(OK(write(p[1], "x", 1)), 1);
  FD_SET(p[0], &r);
  CHECK_EQ(OK(select(p[1] + 1, &r, &w, NULL, NULL)), 2);
  CHECK(FD_ISSET(p[0], &r) && FD_ISSET(p[1], &w));
  // Below nfds only.
  CHECK_EQ(OK(select(0, &r, &w, NULL, &(struct timeval){0, 0})), 0);
  FD_ZERO(&r);
  // A closed descriptor; one beyond the size of the table would be ignored.
  FD_SET(40, &r);
  CHECK_ERR(select(41, &r, NULL, NULL, &t), EBADF);
  CHECK_ERR(select(-1, NULL, NULL, NULL, &t), EINVAL);
  CHECK_ERR(select(0, NULL, NULL, NULL, &(struct timeval){-1, 0}), EINVAL);
}

SUBTEST_FORK(select_timeout) {
  int p[2];
  fd_set r;
  OK(pipe(p));
  FD_ZERO(&r);
  FD_SET(p[0], &r);
  struct timeval t = {0, 40000};
  long start = now_ms();
  CHECK_EQ(OK(select(p[0] + 1, &r, NULL, NULL, &t)), 0);
  CHECK(now_ms() - start >= 39);
  CHECK(!FD_ISSET(p[0], &r));
  // Linux writes back the time that was left.
  CHECK(t.tv_sec == 0 && t.tv_usec == 0);
  FD_SET(p[0], &r);
  CHECK_EQ(OK(write(p[1], "x", 1)), 1);
  t = (struct timeval){10, 0};
  CHECK_EQ(OK(select(p[0] + 1, &r, NULL, NULL, &t)), 1);
  CHECK(t.tv_sec >= 9 && t.tv_sec <= 10);
  // pselect leaves its time alone (the library's copy).
  struct timespec ts = {0, 20000000};
  FD_ZERO(&r);
  CHECK_EQ(OK(pselect(0, &r, NULL, NULL, &ts, NULL)), 0);
  CHECK_EQ(ts.tv_nsec, 20000000);
}

SUBTEST_FORK(select_hangup_and_errors) {
  int p[2];
  fd_set r, w;
  OK(pipe(p));
  OK(close(p[1]));
  FD_ZERO(&r);
  FD_SET(p[0], &r);
  CHECK_EQ(OK(select(p[0] + 1, &r, NULL, NULL, NULL)), 1);
  int q[2];
  OK(pipe(q));
  OK(close(q[0]));
  FD_ZERO(&w);
  FD_SET(q[1], &w);
  CHECK_EQ(OK(select(q[1] + 1, NULL, &w, NULL, NULL)), 1);
}

SUBTEST_FORK(many_descriptors) {
  struct pollfd f[200];
  int p[200][2];
  for (int i = 0; i < 200; i++) {
    OK(pipe(p[i]));
    f[i] = (struct pollfd){p[i][0], POLLIN, 0};
  }
  for (int i = 0; i < 200; i += 3) CHECK_EQ(OK(write(p[i][1], "x", 1)), 1);
  CHECK_EQ(OK(poll(f, 200, 0)), 67);
  for (int i = 0; i < 200; i++) CHECK_EQ(f[i].revents, i % 3 ? 0 : POLLIN);
}
