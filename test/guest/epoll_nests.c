// epoll instances that watch epoll instances: how deep, how many ways up from one file (fs/eventpoll.c: EP_MAX_NESTS,
// path_limits), and that wakes go all these ways.
#include "check.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>

static int instance(void) { return OK(epoll_create1(0)); }
static int leaf(void) { return OK(eventfd(0, EFD_NONBLOCK)); }
// 0, or the errno.
static int watch(int ep, int fd) {
  struct epoll_event e = {.events = EPOLLIN, .data = {.fd = fd}};
  return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == 0 ? 0 : errno;
}
static void drop(int ep, int fd) { OK(epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL)); }
static int ready(int ep) {
  struct epoll_event got[8];
  return OK(epoll_wait(ep, got, 8, 0));
}
static void many_descriptors(void) {
  struct rlimit r;
  OK(getrlimit(RLIMIT_NOFILE, &r));
  if (r.rlim_max < 3000) SKIP("few descriptors");
  r.rlim_cur = 3000;
  OK(setrlimit(RLIMIT_NOFILE, &r));
}
// New instances that watch `fd` until one may not: how many.
static int tops(int fd, int most, int *err) {
  for (int n = 0; n < most; n++)
    if ((*err = watch(instance(), fd)) != 0) return n;
  return most;
}

SUBTEST_FORK(any_number_may_watch_a_file) {
  int err = 0;
  many_descriptors();
  CHECK_EQ(tops(leaf(), 1200, &err), 1200);
}

SUBTEST_FORK(paths_of_each_length) {
  static const int limits[] = {500, 100, 50, 10};
  many_descriptors();
  for (int length = 2; length <= 5; length++) {
    int file = leaf(), low = file, err = 0;
    for (int i = 1; i < length; i++) {
      int ep = instance();
      CHECK_EQ(watch(ep, low), 0);
      low = ep;
    }
    CHECK_EQ(tops(low, 1000, &err), limits[length - 2]);
    CHECK_EQ(err, EINVAL);
    closefrom(file);
  }
}

SUBTEST_FORK(ways_multiply) {
  enum { MIDDLES = 100 };
  int file = leaf(), middles[MIDDLES];
  many_descriptors();
  for (int i = 0; i < MIDDLES; i++) {
    middles[i] = instance();
    CHECK_EQ(watch(middles[i], file), 0);
  }
  int high[6];
  for (int t = 0; t < 5; t++) {
    high[t] = instance();
    for (int i = 0; i < MIDDLES; i++) CHECK_EQ(watch(high[t], middles[i]), 0);
  }
  high[5] = instance();
  CHECK_EQ(watch(high[5], middles[7]), EINVAL);
  // One fewer elsewhere, and there is room for one.
  drop(high[0], middles[0]);
  CHECK_EQ(watch(high[5], middles[7]), 0);
  CHECK_EQ(watch(high[5], middles[8]), EINVAL);
  // A middle one that nothing watches is a path of one step.
  drop(high[5], middles[7]);
  for (int t = 0; t < 5; t++)
    if (t > 0) drop(high[t], middles[0]);
  CHECK_EQ(watch(high[5], middles[7]), 0);
  // All of them hear of the file.
  uint64_t one = 1;
  CHECK_EQ(write(file, &one, 8), 8);
  for (int t = 0; t < 6; t++) CHECK_EQ(ready(high[t]), t == 5 ? 1 : 8);
}

SUBTEST_FORK(the_file_comes_last) {
  int err = 0, middle = instance(), one = leaf(), other = leaf(), alone = instance();
  many_descriptors();
  // Without a file below there is nothing to be woken.
  CHECK_EQ(tops(middle, 600, &err), 600);
  CHECK_EQ(watch(middle, one), EINVAL);
  CHECK_EQ(watch(alone, one), 0);
  CHECK_EQ(watch(middle, one), EINVAL);
  CHECK_EQ(watch(alone, other), 0);
  CHECK_EQ(ready(middle), 0);
}

SUBTEST_FORK(one_of_several_files_has_too_many) {
  int err = 0, middle = instance(), second = instance(), busy = leaf();
  many_descriptors();
  for (int i = 0; i < 20; i++) CHECK_EQ(watch(middle, leaf()), 0);
  CHECK_EQ(watch(middle, busy), 0);
  CHECK_EQ(watch(second, busy), 0);
  CHECK_EQ(tops(middle, 300, &err), 300);
  CHECK_EQ(tops(second, 300, &err), 200);
  CHECK_EQ(err, EINVAL);
  drop(middle, busy);
  CHECK_EQ(tops(second, 100, &err), 100);
}

SUBTEST_FORK(depth) {
  int low = instance();
  for (int i = 0; i < 4; i++) {
    int ep = instance();
    CHECK_EQ(watch(ep, low), 0);
    low = ep;
  }
  CHECK_EQ(watch(instance(), low), ELOOP);
}

SUBTEST_FORK(many_ways_without_a_file) {
  enum { LEVELS = 4, WIDE = 10 };
  int at[LEVELS][WIDE];
  for (int l = 0; l < LEVELS; l++)
    for (int i = 0; i < WIDE; i++) {
      at[l][i] = instance();
      if (l > 0)
        for (int k = 0; k < WIDE; k++) CHECK_EQ(watch(at[l][i], at[l - 1][k]), 0);
    }
  CHECK_EQ(watch(at[0][0], at[LEVELS - 1][0]), ELOOP);
  CHECK_EQ(watch(at[0][0], leaf()), EINVAL);
  CHECK_EQ(watch(at[1][0], leaf()), 0);
  CHECK_EQ(watch(at[2][0], leaf()), 0);
}
