// signalfd(2).
#include "check.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

static sigset_t blocked(int a, int b) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, a);
  if (b) sigaddset(&set, b);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  return set;
}

SUBTEST_FORK(reads_signals) {
  sigset_t set = blocked(SIGUSR1, SIGRTMIN);
  struct signalfd_siginfo info[4];
  int fd = OK(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  CHECK_EQ(sizeof info[0], 128);
  CHECK_ERR(read(fd, info, sizeof info), EAGAIN);
  OK(kill(getpid(), SIGUSR1));
  OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 42}));
  OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 43}));
  CHECK_EQ(OK(read(fd, info, sizeof info)), 3 * 128);
  CHECK_EQ(info[0].ssi_signo, SIGUSR1);
  CHECK_EQ(info[0].ssi_code, SI_USER);
  CHECK_EQ(info[0].ssi_pid, getpid());
  CHECK_EQ(info[1].ssi_signo, SIGRTMIN);
  CHECK_EQ(info[1].ssi_int, 42);
  CHECK_EQ(info[2].ssi_int, 43);
  CHECK_ERR(read(fd, info, 127), EINVAL);
  sigset_t pending;
  OK(sigpending(&pending));
  CHECK(!sigismember(&pending, SIGUSR1));
}

SUBTEST_FORK(mask_can_change) {
  sigset_t set = blocked(SIGUSR1, 0), other = blocked(SIGUSR2, 0);
  struct signalfd_siginfo info;
  int fd = OK(signalfd(-1, &set, SFD_NONBLOCK));
  OK(kill(getpid(), SIGUSR2));
  CHECK_ERR(read(fd, &info, sizeof info), EAGAIN);
  CHECK_EQ(OK(signalfd(fd, &other, 0)), fd);
  CHECK_EQ(OK(read(fd, &info, sizeof info)), 128);
  CHECK_EQ(info.ssi_signo, SIGUSR2);
  CHECK_ERR(signalfd(99, &set, 0), EBADF);
  CHECK_ERR(signalfd(1, &set, 0), EINVAL);
  CHECK_ERR(signalfd(-1, &set, 0x40), EINVAL);
}

SUBTEST_FORK(child_signals_and_readiness) {
  sigset_t set = blocked(SIGCHLD, 0);
  struct signalfd_siginfo info;
  int fd = OK(signalfd(-1, &set, 0));
  struct pollfd p = {fd, POLLIN, 0};
  CHECK_EQ(OK(poll(&p, 1, 0)), 0);
  pid_t pid = SPAWN({ _exit(7); });
  CHECK_EQ(OK(poll(&p, 1, 5000)), 1);
  CHECK_EQ(OK(read(fd, &info, sizeof info)), 128);
  CHECK_EQ(info.ssi_signo, SIGCHLD);
  CHECK_EQ(info.ssi_code, CLD_EXITED);
  CHECK_EQ(info.ssi_pid, pid);
  CHECK_EQ(info.ssi_status, 7);
  CHECK_EQ(child_result(pid), 7);
}

SUBTEST_FORK(blocking_read) {
  sigset_t set = blocked(SIGUSR1, 0);
  struct signalfd_siginfo info;
  int fd = OK(signalfd(-1, &set, 0));
  pid_t parent = getpid(), pid = SPAWN({
    wait_blocked(parent);
    kill(parent, SIGUSR1);
  });
  CHECK_EQ(OK(read(fd, &info, sizeof info)), 128);
  CHECK_EQ(info.ssi_pid, pid);
  CHILD_DONE(pid);
  int ep = OK(epoll_create1(0));
  struct epoll_event e = {.events = EPOLLIN};
  OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
  CHECK_EQ(OK(epoll_wait(ep, &e, 1, 0)), 0);
  OK(kill(getpid(), SIGUSR1));
  CHECK_EQ(OK(epoll_wait(ep, &e, 1, 1000)), 1);
}
