// eventfd(2).
#include "check.h"
#include <poll.h>
#include <sys/eventfd.h>

static uint64_t get(int fd) {
  uint64_t v;
  CHECK_EQ(OK(read(fd, &v, 8)), 8);
  return v;
}
static void put(int fd, uint64_t v) { CHECK_EQ(OK(write(fd, &v, 8)), 8); }

SUBTEST_FORK(counting) {
  uint64_t v;
  int fd = OK(eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC));
  CHECK_EQ(OK(fcntl(fd, F_GETFD)), FD_CLOEXEC);
  CHECK_EQ(get(fd), 3);
  CHECK_ERR(read(fd, &v, 8), EAGAIN);
  put(fd, 5);
  put(fd, 7);
  CHECK_EQ(get(fd), 12);
  CHECK_ERR(read(fd, &v, 7), EINVAL);
  CHECK_ERR(write(fd, &v, 7), EINVAL);
  v = ~0ULL;
  CHECK_ERR(write(fd, &v, 8), EINVAL);
  put(fd, ~0ULL - 1);
  v = 1;
  CHECK_ERR(write(fd, &v, 8), EAGAIN);
  CHECK(get(fd) == ~0ULL - 1);
  CHECK_ERR(eventfd(0, 0x40), EINVAL);
}

SUBTEST_FORK(semaphore) {
  uint64_t v;
  int fd = OK(eventfd(2, EFD_NONBLOCK | EFD_SEMAPHORE));
  CHECK_EQ(get(fd), 1);
  CHECK_EQ(get(fd), 1);
  CHECK_ERR(read(fd, &v, 8), EAGAIN);
}

SUBTEST_FORK(readiness) {
  int fd = OK(eventfd(0, EFD_NONBLOCK));
  struct pollfd p = {fd, POLLIN | POLLOUT, 0};
  OK(poll(&p, 1, 0));
  CHECK_EQ(p.revents, POLLOUT);
  put(fd, 1);
  OK(poll(&p, 1, 0));
  CHECK_EQ(p.revents, POLLIN | POLLOUT);
  get(fd);
  put(fd, ~0ULL - 1);
  OK(poll(&p, 1, 0));
  CHECK_EQ(p.revents, POLLIN);
}

SUBTEST_FORK(blocking) {
  int fd = OK(eventfd(0, 0)), back = OK(eventfd(0, 0));
  pid_t pid = SPAWN({
    for (int i = 1; i <= 500; i++) {
      CHECK_EQ(get(fd), i);
      put(back, i);
    }
  });
  for (int i = 1; i <= 500; i++) {
    put(fd, i);
    CHECK_EQ(get(back), i);
  }
  CHILD_DONE(pid);
  // A writer waits for room.
  put(fd, ~0ULL - 1);
  pid = SPAWN({ put(fd, 9); });
  wait_blocked(pid);
  CHECK(get(fd) == ~0ULL - 1);
  CHILD_DONE(pid);
  CHECK_EQ(get(fd), 9);
}
