// mq_overview(7): POSIX message queues.
#include "check.h"
#include <mqueue.h>
#include <grp.h>
#include <poll.h>
#include <sys/epoll.h>

// Queues are shared by the whole machine: their names carry the process.
static char qname[64];
static const char *name(const char *suffix) {
  snprintf(qname, sizeof qname, "/vedette-%d-%s", getpid(), suffix);
  return qname;
}

// A queue that no name leads to, so that nothing is left behind.
static mqd_t make(long maxmsg, long msgsize, int flags) {
  struct mq_attr a = {.mq_maxmsg = maxmsg, .mq_msgsize = msgsize};
  const char *n = name("q");
  mqd_t q = OK(mq_open(n, O_CREAT | O_EXCL | O_RDWR | flags, 0600, &a));
  OK(mq_unlink(n));
  return q;
}

static struct timespec in_ms(long ms) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_sec += ms / 1000;
  t.tv_nsec += ms % 1000 * 1000000;
  if (t.tv_nsec >= 1000000000) t.tv_sec++, t.tv_nsec -= 1000000000;
  return t;
}

SUBTEST_FORK(order) {
  mqd_t q = make(5, 16, 0);
  OK(mq_send(q, "low", 4, 1));
  OK(mq_send(q, "high", 5, 32767));
  OK(mq_send(q, "low2", 5, 1));
  OK(mq_send(q, "mid", 4, 7));
  OK(mq_send(q, "", 0, 0));
  struct {
    const char *text;
    int len;
    unsigned prio;
  } want[] = {{"high", 5, 32767}, {"mid", 4, 7}, {"low", 4, 1}, {"low2", 5, 1}, {"", 0, 0}};
  for (unsigned i = 0; i < COUNT(want); i++) {
    char b[16] = "";
    unsigned prio = 99;
    CHECK_EQ(mq_receive(q, b, sizeof b, &prio), want[i].len);
    CHECK_STR(b, want[i].text);
    CHECK_EQ(prio, want[i].prio);
  }
  OK(mq_send(q, "x", 1, 0));
  char b[16];
  CHECK_EQ(mq_receive(q, b, sizeof b, NULL), 1);
}

SUBTEST_FORK(names) {
  mqd_t q = OK(mq_open(name("a"), O_CREAT | O_RDWR, 0640, NULL));
  CHECK_EQ(fcntl(q, F_GETFD), FD_CLOEXEC);
  struct mq_attr a;
  OK(mq_getattr(q, &a));
  CHECK_EQ(a.mq_maxmsg, 10);
  CHECK_EQ(a.mq_msgsize, 8192);
  CHECK_EQ(a.mq_curmsgs, 0);
  struct stat st;
  OK(fstat(q, &st));
  CHECK_EQ(st.st_mode, S_IFREG | 0640);
  CHECK_EQ(st.st_size, 80);
  CHECK_ERR(mq_open(name("a"), O_CREAT | O_EXCL | O_RDWR, 0600, NULL), EEXIST);
  mqd_t again = OK(mq_open(name("a"), O_RDONLY | O_NONBLOCK));
  OK(mq_send(q, "shared", 7, 3));
  char b[8192];
  CHECK_ERR(mq_send(again, "x", 1, 0), EBADF);
  CHECK_EQ(mq_receive(again, b, sizeof b, NULL), 7);
  CHECK_ERR(mq_receive(again, b, sizeof b, NULL), EAGAIN);
  OK(mq_unlink(name("a")));
  CHECK_ERR(mq_unlink(name("a")), ENOENT);
  CHECK_ERR(mq_open(name("a"), O_RDWR), ENOENT);
  // The queue lives on for those who have it.
  OK(mq_send(q, "still", 6, 3));
  CHECK_EQ(mq_receive(again, b, sizeof b, NULL), 6);
  OK(mq_close(q));
  CHECK_ERR(mq_send(q, "x", 1, 0), EBADF);
  CHECK_ERR(syscall(SYS_mq_open, "", O_CREAT | O_RDWR, 0600, NULL), ENOENT);
  CHECK_ERR(syscall(SYS_mq_open, "a/b", O_CREAT | O_RDWR, 0600, NULL), EACCES);
  CHECK_ERR(syscall(SYS_mq_open, "..", O_CREAT | O_RDWR, 0600, NULL), EACCES);
  CHECK_ERR(syscall(SYS_mq_open, NULL, O_CREAT | O_RDWR, 0600, NULL), EFAULT);
  char longest[300];
  memset(longest, 'n', 256);
  longest[256] = 0;
  CHECK_ERR(syscall(SYS_mq_open, longest, O_CREAT | O_RDWR, 0600, NULL), ENAMETOOLONG);
}

SUBTEST_FORK(limits) {
  struct mq_attr bad[] = {{.mq_maxmsg = 0, .mq_msgsize = 10},
                          {.mq_maxmsg = 10, .mq_msgsize = 0},
                          {.mq_maxmsg = -1, .mq_msgsize = 10},
                          {.mq_maxmsg = 65537, .mq_msgsize = 10},
                          {.mq_maxmsg = 10, .mq_msgsize = 16777217}};
  for (unsigned i = 0; i < COUNT(bad); i++)
    CHECK_ERR(mq_open(name("l"), O_CREAT | O_RDWR, 0600, &bad[i]), EINVAL);
  CHECK_ERR(mq_open(name("l"), O_CREAT | O_RDWR, 0600, (struct mq_attr *)8), EFAULT);
  // RLIMIT_MSGQUEUE counts what a user's queues may come to hold.
  if (geteuid() == 0) OK(setresuid(54321, 54321, 54321));
  struct rlimit r = {20000, 20000};
  OK(setrlimit(RLIMIT_MSGQUEUE, &r));
  struct mq_attr big = {.mq_maxmsg = 10, .mq_msgsize = 8192}, small = {.mq_maxmsg = 1, .mq_msgsize = 100};
  CHECK_ERR(mq_open(name("l"), O_CREAT | O_RDWR, 0600, &big), EMFILE);
  for (int i = 0; i < 200; i++) {
    mqd_t q = OK(mq_open(name("l"), O_CREAT | O_RDWR, 0600, &small));
    OK(mq_unlink(name("l")));
    OK(mq_close(q));
  }
  small.mq_maxmsg = 11;
  CHECK_ERR(mq_open(name("l"), O_CREAT | O_RDWR, 0600, &small), EINVAL);
}

SUBTEST_FORK(sizes) {
  mqd_t q = make(2, 8, O_NONBLOCK);
  char b[8];
  CHECK_ERR(mq_send(q, "123456789", 9, 0), EMSGSIZE);
  CHECK_ERR(mq_receive(q, b, 7, NULL), EMSGSIZE);
  CHECK_ERR(mq_send(q, "x", 1, 32768), EINVAL);
  CHECK_ERR(mq_send(q, (char *)8, 1, 0), EFAULT);
  OK(mq_send(q, "a", 1, 0));
  OK(mq_send(q, "b", 1, 0));
  CHECK_ERR(mq_send(q, "c", 1, 0), EAGAIN);
  CHECK_ERR(mq_send(999, "c", 1, 0), EBADF);
  CHECK_ERR(mq_send(1, "c", 1, 0), EBADF);
  struct mq_attr a, none = {0}, other = {.mq_flags = O_APPEND};
  OK(mq_getattr(q, &a));
  CHECK_EQ(a.mq_flags, O_NONBLOCK);
  CHECK_EQ(a.mq_curmsgs, 2);
  OK(mq_setattr(q, &none, &a));
  CHECK_EQ(a.mq_flags, O_NONBLOCK);
  OK(mq_getattr(q, &a));
  CHECK_EQ(a.mq_flags, 0);
  CHECK_ERR(mq_setattr(q, &other, NULL), EINVAL);
  CHECK_ERR(mq_getattr(1, &a), EBADF);
  // A message that cannot be stored is lost.
  CHECK_ERR(syscall(SYS_mq_timedreceive, q, 8, 8, NULL, NULL), EFAULT);
  CHECK_EQ(mq_receive(q, b, 8, NULL), 1);
  CHECK_EQ(b[0], 'b');
}

SUBTEST_FORK(waits) {
  mqd_t q = make(1, 8, 0);
  char b[8];
  struct timespec t = in_ms(60), bad = {1, 1000000000}, past = {1, 0};
  long start = now_ms();
  CHECK_ERR(mq_timedreceive(q, b, 8, NULL, &t), ETIMEDOUT);
  CHECK(now_ms() - start >= 50);
  CHECK_ERR(mq_timedreceive(q, b, 8, NULL, &past), ETIMEDOUT);
  CHECK_ERR(mq_timedreceive(q, b, 8, NULL, &bad), EINVAL);
  CHECK_ERR(mq_timedreceive(q, b, 8, NULL, (struct timespec *)8), EFAULT);
  pid_t pid = SPAWN({
    sleep_ms(50);
    OK(mq_send(q, "one", 4, 1));
    OK(mq_send(q, "two", 4, 2));
  });
  CHECK_EQ(mq_receive(q, b, 8, NULL), 4);
  CHECK_STR(b, "one");
  CHILD_DONE(pid);
  CHECK_ERR(mq_timedsend(q, "x", 1, 0, &past), ETIMEDOUT);
  pid = SPAWN({
    sleep_ms(50);
    CHECK_EQ(mq_receive(q, b, 8, NULL), 4);
    CHECK_STR(b, "two");
  });
  OK(mq_send(q, "three", 6, 0));
  CHILD_DONE(pid);
  CHECK_EQ(mq_receive(q, b, 8, NULL), 6);
}

static volatile sig_atomic_t caught;
static volatile siginfo_t caught_info;
static void on_signal(int sig, siginfo_t *info, void *context) {
  (void)context;
  caught = sig;
  memcpy((void *)&caught_info, info, sizeof *info);
}

SUBTEST_FORK(interrupted) {
  mqd_t q = make(1, 8, 0);
  char b[8];
  struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
  OK(sigaction(SIGUSR1, &sa, NULL));
  pid_t self = getpid();
  pid_t pid = SPAWN({
    wait_blocked(self);
    kill(self, SIGUSR1);
  });
  CHECK_ERR(mq_receive(q, b, 8, NULL), EINTR);
  CHILD_DONE(pid);
  sa.sa_flags |= SA_RESTART;
  OK(sigaction(SIGUSR1, &sa, NULL));
  pid = SPAWN({
    wait_blocked(self);
    kill(self, SIGUSR1);
    sleep_ms(20);
    OK(mq_send(q, "go", 3, 0));
  });
  CHECK_EQ(mq_receive(q, b, 8, NULL), 3);
  CHILD_DONE(pid);
}

SUBTEST_FORK(notification) {
  mqd_t q = make(4, 8, O_NONBLOCK);
  char b[8];
  struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
  OK(sigaction(SIGRTMIN, &sa, NULL));
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 4711};
  OK(mq_notify(q, &e));
  CHECK_ERR(mq_notify(q, &e), EBUSY);
  CHILD CHECK_ERR(mq_notify(q, &e), EBUSY);
  pid_t pid = SPAWN(OK(mq_send(q, "a", 1, 0)));
  CHILD_DONE(pid);
  CHECK_EQ(caught, SIGRTMIN);
  CHECK_EQ(caught_info.si_code, SI_MESGQ);
  CHECK_EQ(caught_info.si_pid, pid);
  CHECK_EQ(caught_info.si_uid, getuid());
  CHECK_EQ(caught_info.si_value.sival_int, 4711);
  // Once only, and only when the queue was empty.
  caught = 0;
  OK(mq_notify(q, &e));
  OK(mq_send(q, "b", 1, 0));
  CHECK_EQ(caught, 0);
  CHECK_EQ(mq_receive(q, b, 8, NULL), 1);
  CHECK_EQ(mq_receive(q, b, 8, NULL), 1);
  OK(mq_send(q, "c", 1, 0));
  CHECK_EQ(caught, SIGRTMIN);
  CHECK_EQ(mq_receive(q, b, 8, NULL), 1);
  caught = 0;
  OK(mq_notify(q, &e));
  OK(mq_notify(q, NULL));
  OK(mq_send(q, "d", 1, 0));
  CHECK_EQ(caught, 0);
  CHECK_EQ(mq_receive(q, b, 8, NULL), 1);
  // Closing any descriptor of the queue ends the registration.
  OK(mq_notify(q, &e));
  OK(close(dup(q)));
  e.sigev_notify = SIGEV_NONE;
  OK(mq_notify(q, &e));
  char text[200] = "";
  CHECK(pread(q, text, sizeof text - 1, 0) > 0);
  CHECK(strncmp(text, "QSIZE:0          NOTIFY:1     SIGNO:0     NOTIFY_PID:", 53) == 0);
  e.sigev_notify = 77;
  CHECK_ERR(mq_notify(q, &e), EINVAL);
  e.sigev_notify = SIGEV_SIGNAL;
  e.sigev_signo = 65;
  CHECK_ERR(mq_notify(q, &e), EINVAL);
  CHECK_ERR(mq_notify(1, NULL), EBADF);
  CHECK_ERR(syscall(SYS_mq_notify, q, 8), EFAULT);
}

SUBTEST_FORK(readiness) {
  mqd_t q = make(1, 8, O_NONBLOCK);
  struct pollfd p = {.fd = q, .events = POLLIN | POLLOUT};
  CHECK_EQ(poll(&p, 1, 0), 1);
  CHECK_EQ(p.revents, POLLOUT);
  OK(mq_send(q, "x", 1, 0));
  CHECK_EQ(poll(&p, 1, 0), 1);
  CHECK_EQ(p.revents, POLLIN);
  char b[8];
  CHECK_EQ(mq_receive(q, b, 8, NULL), 1);
  int ep = OK(epoll_create1(0));
  struct epoll_event e = {.events = EPOLLIN};
  OK(epoll_ctl(ep, EPOLL_CTL_ADD, q, &e));
  CHECK_EQ(epoll_wait(ep, &e, 1, 0), 0);
  pid_t pid = SPAWN({
    sleep_ms(40);
    OK(mq_send(q, "y", 1, 0));
  });
  CHECK_EQ(epoll_wait(ep, &e, 1, 5000), 1);
  CHILD_DONE(pid);
}

SUBTEST_FORK(permissions) {
  NEED_ROOT();
  mqd_t q = OK(mq_open(name("p"), O_CREAT | O_RDWR, 0604, NULL));
  const char *n = qname;
  CHILD {
    OK(setgroups(0, NULL));
    OK(setresgid(1234, 1234, 1234));
    OK(setresuid(1234, 1234, 1234));
    CHECK_ERR(mq_open(n, O_RDWR), EACCES);
    OK(mq_open(n, O_RDONLY));
    CHECK_ERR(mq_unlink(n), EACCES);
  }
  OK(mq_unlink(n));
  OK(mq_close(q));
}
