// epoll(7): level, edge, one-shot, exclusive, nested; what may be watched; lifetime of entries.
#include "check.h"
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

static void add(int ep, int fd, uint32_t events, uint64_t data) {
  struct epoll_event e = {.events = events, .data.u64 = data};
  OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
}
static void mod(int ep, int fd, uint32_t events, uint64_t data) {
  struct epoll_event e = {.events = events, .data.u64 = data};
  OK(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e));
}
static struct epoll_event got[16];
static int ready(int ep) { return OK(epoll_wait(ep, got, 16, 0)); }
static void put(int fd) { CHECK_EQ(OK(write(fd, "x", 1)), 1); }
static void take(int fd) {
  char c;
  CHECK_EQ(OK(read(fd, &c, 1)), 1);
}

SUBTEST_FORK(level) {
  int p[2], ep = OK(epoll_create1(EPOLL_CLOEXEC));
  CHECK_EQ(OK(fcntl(ep, F_GETFD)), FD_CLOEXEC);
  OK(pipe(p));
  add(ep, p[0], EPOLLIN, 0x1122334455667788);
  CHECK_EQ(ready(ep), 0);
  put(p[1]);
  for (int i = 0; i < 3; i++) {
    CHECK_EQ(ready(ep), 1);
    CHECK_EQ(got[0].events, EPOLLIN);
    CHECK(got[0].data.u64 == 0x1122334455667788);
  }
  take(p[0]);
  CHECK_EQ(ready(ep), 0);
  OK(close(p[1]));
  CHECK_EQ(ready(ep), 1);
  CHECK_EQ(got[0].events, EPOLLHUP);
}

SUBTEST_FORK(edge) {
  int p[2], ep = OK(epoll_create1(0));
  OK(pipe(p));
  add(ep, p[0], EPOLLIN | EPOLLET, 1);
  put(p[1]);
  CHECK_EQ(ready(ep), 1);
  CHECK_EQ(ready(ep), 0);
  // New data is a new edge, even when the old is still there.
  put(p[1]);
  CHECK_EQ(ready(ep), 1);
  CHECK_EQ(ready(ep), 0);
  take(p[0]);
  CHECK_EQ(ready(ep), 0);
  mod(ep, p[0], EPOLLIN | EPOLLET, 2);
  CHECK_EQ(ready(ep), 1);
  CHECK_EQ(got[0].data.u64, 2);
}

SUBTEST_FORK(one_shot) {
  int p[2], ep = OK(epoll_create1(0));
  OK(pipe(p));
  add(ep, p[0], EPOLLIN | EPOLLONESHOT, 1);
  put(p[1]);
  CHECK_EQ(ready(ep), 1);
  CHECK_EQ(ready(ep), 0);
  put(p[1]);
  CHECK_EQ(ready(ep), 0);
  mod(ep, p[0], EPOLLIN | EPOLLONESHOT, 1);
  CHECK_EQ(ready(ep), 1);
  CHECK_EQ(ready(ep), 0);
}

SUBTEST_FORK(control_errors) {
  int p[2], ep = OK(epoll_create1(0)), other = OK(epoll_create1(0));
  OK(pipe(p));
  struct epoll_event e = {.events = EPOLLIN};
  OK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e));
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e), EEXIST);
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_MOD, p[1], &e), ENOENT);
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_DEL, p[1], &e), ENOENT);
  CHECK_ERR(epoll_ctl(ep, 9, p[1], &e), EINVAL);
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, 99, &e), EBADF);
  CHECK_ERR(epoll_ctl(99, EPOLL_CTL_ADD, p[1], &e), EBADF);
  CHECK_ERR(epoll_ctl(p[0], EPOLL_CTL_ADD, p[1], &e), EINVAL);
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &e), EINVAL);
  int file = OK(open("f", O_RDWR | O_CREAT, 0644)), dir = OK(open(".", O_RDONLY));
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, file, &e), EPERM);
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, dir, &e), EPERM);
  OK(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL));
  CHECK_ERR(epoll_wait(ep, got, 0, 0), EINVAL);
  CHECK_ERR(epoll_wait(p[0], got, 1, 0), EINVAL);
  CHECK_ERR(epoll_create1(0x40), EINVAL);
  CHECK_ERR(epoll_create(0), EINVAL);
  OK(epoll_ctl(ep, EPOLL_CTL_ADD, other, &e));
  CHECK_ERR(epoll_ctl(other, EPOLL_CTL_ADD, ep, &e), ELOOP);
}

SUBTEST_FORK(nested) {
  int p[2], inner = OK(epoll_create1(0)), outer = OK(epoll_create1(0));
  OK(pipe(p));
  add(inner, p[0], EPOLLIN, 1);
  add(outer, inner, EPOLLIN, 2);
  CHECK_EQ(ready(outer), 0);
  put(p[1]);
  CHECK_EQ(ready(outer), 1);
  CHECK_EQ(got[0].data.u64, 2);
  struct pollfd f = {inner, POLLIN, 0};
  CHECK_EQ(OK(poll(&f, 1, 0)), 1);
  take(p[0]);
  CHECK_EQ(ready(outer), 0);
  // Five levels and no more.
  int chain[8];
  chain[0] = OK(epoll_create1(0));
  int depth = 1;
  for (; depth < 8; depth++) {
    chain[depth] = OK(epoll_create1(0));
    struct epoll_event e = {.events = EPOLLIN};
    if (epoll_ctl(chain[depth], EPOLL_CTL_ADD, chain[depth - 1], &e) < 0) break;
  }
  CHECK(errno == ELOOP || errno == EINVAL);
  CHECK(depth >= 4 && depth <= 6);
}

SUBTEST_FORK(entries_live_with_the_open_file) {
  int p[2], ep = OK(epoll_create1(0));
  OK(pipe(p));
  add(ep, p[0], EPOLLIN, 1);
  put(p[1]);
  int copy = OK(dup(p[0]));
  OK(close(p[0]));
  // The description is still open through the copy, so the entry is still there.
  CHECK_EQ(ready(ep), 1);
  OK(close(copy));
  CHECK_EQ(ready(ep), 0);
}

SUBTEST_FORK(same_file_twice) {
  int p[2], ep = OK(epoll_create1(0));
  OK(pipe(p));
  int copy = OK(dup(p[0]));
  add(ep, p[0], EPOLLIN, 1);
  add(ep, copy, EPOLLIN, 2);
  put(p[1]);
  CHECK_EQ(ready(ep), 2);
}

SUBTEST_FORK(output_and_both) {
  int s[2], ep = OK(epoll_create1(0));
  OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s));
  add(ep, s[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP, 1);
  CHECK_EQ(ready(ep), 1);
  CHECK_EQ(got[0].events, EPOLLOUT);
  put(s[1]);
  CHECK_EQ(ready(ep), 1);
  CHECK_EQ(got[0].events, EPOLLIN | EPOLLOUT);
  OK(shutdown(s[1], SHUT_WR));
  CHECK_EQ(ready(ep), 1);
  CHECK_EQ(got[0].events, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
  OK(close(s[1]));
  CHECK_EQ(ready(ep), 1);
  CHECK_EQ(got[0].events & (EPOLLHUP | EPOLLRDHUP), EPOLLHUP | EPOLLRDHUP);
}

SUBTEST_FORK(fairness) {
  // With room for one event, ready entries take turns.
  int ep = OK(epoll_create1(0)), fds[3], seen = 0;
  for (int i = 0; i < 3; i++) {
    fds[i] = OK(eventfd(1, 0));
    add(ep, fds[i], EPOLLIN, i);
  }
  for (int i = 0; i < 3; i++) {
    CHECK_EQ(OK(epoll_wait(ep, got, 1, 0)), 1);
    seen |= 1 << got[0].data.u64;
  }
  CHECK_EQ(seen, 7);
}

SUBTEST_FORK(timeouts_and_wakeups) {
  int p[2], ep = OK(epoll_create1(0));
  OK(pipe(p));
  add(ep, p[0], EPOLLIN, 1);
  long start = now_ms();
  CHECK_EQ(OK(epoll_wait(ep, got, 1, 40)), 0);
  CHECK(now_ms() - start >= 39);
  pid_t parent = getpid(), pid = SPAWN({
    wait_blocked(parent);
    put(p[1]);
  });
  CHECK_EQ(OK(epoll_wait(ep, got, 1, 10000)), 1);
  CHILD_DONE(pid);
  struct timespec t = {0, 20000000};
  take(p[0]);
  if (epoll_pwait2(ep, got, 1, &t, NULL) < 0 && errno == ENOSYS) SKIP("no epoll_pwait2");
  t.tv_nsec = 1000000000;
  CHECK_ERR(epoll_pwait2(ep, got, 1, &t, NULL), EINVAL);
}

static void nothing(int sig) { (void)sig; }

SUBTEST_FORK(wait_with_mask) {
  int ep = OK(epoll_create1(0));
  struct sigaction sa = {.sa_handler = nothing};
  OK(sigaction(SIGUSR1, &sa, NULL));
  sigset_t block, none;
  sigemptyset(&none);
  sigemptyset(&block);
  sigaddset(&block, SIGUSR1);
  OK(sigprocmask(SIG_BLOCK, &block, NULL));
  raise(SIGUSR1);
  CHECK_EQ(OK(epoll_pwait(ep, got, 1, 5, NULL)), 0);
  CHECK_ERR(epoll_pwait(ep, got, 1, 5000, &none), EINTR);
}

SUBTEST_FORK(exclusive) {
  int ep = OK(epoll_create1(0)), fd = OK(eventfd(0, EFD_NONBLOCK));
  add(ep, fd, EPOLLIN | EPOLLEXCLUSIVE, 1);
  struct epoll_event e = {.events = EPOLLIN};
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e), EINVAL);
  OK(epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL));
  e.events = EPOLLIN | EPOLLONESHOT | EPOLLEXCLUSIVE;
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e), EINVAL);
  e.events = EPOLLIN | EPOLLEXCLUSIVE;
  int inner = OK(epoll_create1(0));
  CHECK_ERR(epoll_ctl(ep, EPOLL_CTL_ADD, inner, &e), EINVAL);
  OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
  uint64_t one = 1;
  CHECK_EQ(OK(write(fd, &one, 8)), 8);
  CHECK_EQ(ready(ep), 1);
}

SUBTEST_FORK(many_entries) {
  int ep = OK(epoll_create1(0)), fds[300];
  static struct epoll_event all[400];
  uint64_t one = 1;
  for (int i = 0; i < 300; i++) {
    fds[i] = OK(eventfd(0, EFD_NONBLOCK));
    add(ep, fds[i], EPOLLIN, i);
  }
  for (int i = 0; i < 300; i += 2) CHECK_EQ(OK(write(fds[i], &one, 8)), 8);
  CHECK_EQ(OK(epoll_wait(ep, all, 400, 0)), 150);
  for (int i = 0; i < 150; i++) CHECK_EQ(all[i].data.u64 % 2, 0);
  for (int i = 0; i < 300; i++) OK(close(fds[i]));
  CHECK_EQ(OK(epoll_wait(ep, all, 400, 0)), 0);
}

// A call reports as many as there are and fit, each once.
enum { CROWD = 5000 };
static struct epoll_event crowd_got[2][CROWD + 100];
static int crowd_fds[CROWD], crowd_ep;

static void crowd(uint32_t events, int ready_of) {
  struct rlimit most;
  OK(getrlimit(RLIMIT_NOFILE, &most));
  if (most.rlim_max < CROWD + 100) SKIP("too few descriptors");
  most.rlim_cur = most.rlim_max;
  OK(setrlimit(RLIMIT_NOFILE, &most));
  crowd_ep = OK(epoll_create1(0));
  for (int i = 0; i < CROWD; i++) add(crowd_ep, crowd_fds[i] = OK(eventfd(i < ready_of, EFD_NONBLOCK)), events, i);
}
static int distinct(const struct epoll_event *list, int count) {
  static char seen[CROWD];
  memset(seen, 0, sizeof seen);
  int n = 0;
  for (int i = 0; i < count; i++) n += !seen[list[i].data.u64], seen[list[i].data.u64] = 1;
  return n;
}

SUBTEST_FORK(as_many_events_as_fit) {
  crowd(EPOLLIN, CROWD);
  struct epoll_event *list = crowd_got[0];
  for (int i = 0; i < 2; i++) {
    CHECK_EQ(OK(epoll_wait(crowd_ep, list, CROWD + 100, 0)), CROWD);
    CHECK_EQ(distinct(list, CROWD), CROWD);
  }
  CHECK_EQ(OK(epoll_wait(crowd_ep, list, 3000, -1)), 3000);
  CHECK_EQ(list[2999].data.u64, 2999);
  // Who has its turn next had none.
  CHECK_EQ(OK(epoll_wait(crowd_ep, list, 2000, -1)), 2000);
  CHECK_EQ(list[0].data.u64, 3000);
  CHECK_EQ(list[1999].data.u64, 4999);
  // What is ready no more is not reported, however much there is to look at.
  uint64_t n;
  for (int i = 0; i < CROWD - 1; i++) CHECK_EQ(OK(read(crowd_fds[i], &n, 8)), 8);
  CHECK_EQ(OK(epoll_wait(crowd_ep, list, CROWD, -1)), 1);
  CHECK_EQ(list[0].data.u64, CROWD - 1);
  CHECK_EQ(OK(read(crowd_fds[CROWD - 1], &n, 8)), 8);
  long start = now_ms();
  CHECK_EQ(OK(epoll_wait(crowd_ep, list, CROWD, 20)), 0);
  CHECK(now_ms() - start >= 19);
}

SUBTEST_FORK(as_many_events_as_can_be_written) {
  crowd(EPOLLIN | EPOLLONESHOT, CROWD);
  // The array ends amid the third thousand; what could not be written is reported next.
  size_t size = 32768;
  char *at = mmap(NULL, size + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(at != MAP_FAILED);
  OK(mprotect(at + size, PAGE, PROT_NONE));
  int fit = size / sizeof(struct epoll_event);
  CHECK_EQ(OK(epoll_wait(crowd_ep, (void *)at, CROWD, 0)), fit);
  CHECK_EQ(OK(epoll_wait(crowd_ep, crowd_got[0], CROWD, 0)), CROWD - fit);
}

static void *collect(void *arg) {
  struct epoll_event *list = arg;
  return (void *)(long)epoll_wait(crowd_ep, list, CROWD, 0);
}

SUBTEST_FORK(two_who_wait_share_the_events) {
  crowd(EPOLLIN | EPOLLET, CROWD);
  pthread_t other;
  CHECK_EQ(pthread_create(&other, NULL, collect, crowd_got[1]), 0);
  int mine = (long)collect(crowd_got[0]);
  void *theirs;
  CHECK_EQ(pthread_join(other, &theirs), 0);
  CHECK_EQ(mine + (int)(long)theirs, CROWD);
  memcpy(crowd_got[0] + mine, crowd_got[1], (long)theirs * sizeof(struct epoll_event));
  CHECK_EQ(distinct(crowd_got[0], CROWD), CROWD);
}

SUBTEST_FORK(after_fork) {
  int p[2], ep = OK(epoll_create1(0));
  OK(pipe(p));
  add(ep, p[0], EPOLLIN, 1);
  CHILD { put(p[1]); }
  CHECK_EQ(ready(ep), 1);
  CHILD { CHECK_EQ(ready(ep), 1); }
}
