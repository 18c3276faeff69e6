// timerfd_create(2).
#include "check.h"
#include <poll.h>
#include <sys/timerfd.h>

static struct itimerspec after(long ms, long every) {
  return (struct itimerspec){{every / 1000, every % 1000 * 1000000}, {ms / 1000, ms % 1000 * 1000000}};
}

SUBTEST_FORK(one_shot) {
  uint64_t n;
  int fd = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  CHECK_ERR(read(fd, &n, 8), EAGAIN);
  struct itimerspec t = after(30, 0), now;
  long start = now_ms();
  OK(timerfd_settime(fd, 0, &t, NULL));
  OK(timerfd_gettime(fd, &now));
  CHECK(now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 30000000);
  struct pollfd p = {fd, POLLIN, 0};
  CHECK_EQ(OK(poll(&p, 1, 5000)), 1);
  CHECK(now_ms() - start >= 29);
  CHECK_EQ(OK(read(fd, &n, 8)), 8);
  CHECK_EQ(n, 1);
  CHECK_ERR(read(fd, &n, 8), EAGAIN);
  OK(timerfd_gettime(fd, &now));
  CHECK(now.it_value.tv_sec == 0 && now.it_value.tv_nsec == 0);
}

SUBTEST_FORK(interval) {
  uint64_t n, total = 0;
  int fd = OK(timerfd_create(CLOCK_REALTIME, 0));
  struct itimerspec t = after(10, 10), old;
  OK(timerfd_settime(fd, 0, &t, NULL));
  long start = now_ms();
  while (total < 5) {
    CHECK_EQ(OK(read(fd, &n, 8)), 8);
    total += n;
  }
  CHECK(now_ms() - start >= 45);
  // Expirations that nobody read are counted.
  sleep_ms(60);
  CHECK_EQ(OK(read(fd, &n, 8)), 8);
  CHECK(n >= 5);
  struct itimerspec off = after(0, 0);
  OK(timerfd_settime(fd, 0, &off, &old));
  CHECK_EQ(old.it_interval.tv_nsec, 10000000);
  struct pollfd p = {fd, POLLIN, 0};
  CHECK_EQ(OK(poll(&p, 1, 30)), 0);
}

SUBTEST_FORK(absolute) {
  uint64_t n;
  int fd = OK(timerfd_create(CLOCK_MONOTONIC, 0));
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  struct itimerspec t = {.it_value = {now.tv_sec - 5, 0}};
  OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &t, NULL));
  CHECK_EQ(OK(read(fd, &n, 8)), 8);
  CHECK_EQ(n, 1);
  t.it_value = now;
  t.it_value.tv_nsec += 20000000;
  if (t.it_value.tv_nsec >= 1000000000) t.it_value.tv_sec++, t.it_value.tv_nsec -= 1000000000;
  long start = now_ms();
  OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &t, NULL));
  CHECK_EQ(OK(read(fd, &n, 8)), 8);
  CHECK(now_ms() - start >= 15);
}

SUBTEST_FORK(errors) {
  uint64_t n = 1;
  int fd = OK(timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK));
  CHECK_ERR(timerfd_create(99, 0), EINVAL);
  CHECK_ERR(timerfd_create(CLOCK_MONOTONIC, 0x40), EINVAL);
  CHECK_ERR(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL);
  struct itimerspec bad = {.it_value = {0, 1000000000}}, good = after(1000, 0);
  CHECK_ERR(timerfd_settime(fd, 0, &bad, NULL), EINVAL);
  CHECK_ERR(timerfd_settime(fd, 0x40, &good, NULL), EINVAL);
  CHECK_ERR(timerfd_settime(1, 0, &good, NULL), EINVAL);
  CHECK_ERR(timerfd_settime(99, 0, &good, NULL), EBADF);
  CHECK_ERR(read(fd, &n, 4), EINVAL);
  CHECK_ERR(write(fd, &n, 8), EINVAL);
}
