// fcntl(2) record locks (POSIX and open file description), flock(2), leases of neither.
#include "check.h"
#include <sys/file.h>

static int lock(int fd, int cmd, short type, off_t start, off_t len) {
  struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
  return fcntl(fd, cmd, &l);
}

static struct flock probe(int fd, int cmd, short type, off_t start, off_t len) {
  struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len};
  OK(fcntl(fd, cmd, &l));
  return l;
}

static int new_file(const char *name) { return OK(open(name, O_RDWR | O_CREAT, 0644)); }

SUBTEST_FORK(posix_conflicts) {
  int fd = new_file("p");
  OK(lock(fd, F_SETLK, F_WRLCK, 10, 10));
  CHECK_EQ(probe(fd, F_GETLK, F_WRLCK, 0, 0).l_type, F_UNLCK);
  pid_t parent = getpid();
  CHILD {
    CHECK_ERR(lock(fd, F_SETLK, F_WRLCK, 15, 1), EAGAIN);
    CHECK_ERR(lock(fd, F_SETLK, F_RDLCK, 0, 0), EAGAIN);
    OK(lock(fd, F_SETLK, F_WRLCK, 0, 10));
    OK(lock(fd, F_SETLK, F_WRLCK, 20, 0));
    struct flock l = probe(fd, F_GETLK, F_RDLCK, 0, 100);
    CHECK_EQ(l.l_type, F_WRLCK);
    CHECK_EQ(l.l_start, 10);
    CHECK_EQ(l.l_len, 10);
    CHECK_EQ(l.l_pid, parent);
  }
  // The child's locks went with it.
  OK(lock(fd, F_SETLK, F_WRLCK, 0, 0));
}

SUBTEST_FORK(posix_split_and_join) {
  int fd = new_file("s");
  OK(lock(fd, F_SETLK, F_WRLCK, 0, 100));
  OK(lock(fd, F_SETLK, F_UNLCK, 40, 20));
  OK(lock(fd, F_SETLK, F_RDLCK, 80, 10));
  CHILD {
    CHECK_EQ(probe(fd, F_GETLK, F_WRLCK, 0, 100).l_len, 40);
    CHECK_EQ(probe(fd, F_GETLK, F_WRLCK, 40, 20).l_type, F_UNLCK);
    struct flock l = probe(fd, F_GETLK, F_WRLCK, 80, 5);
    CHECK_EQ(l.l_type, F_RDLCK);
    CHECK_EQ(l.l_start, 80);
    CHECK_EQ(l.l_len, 10);
    OK(lock(fd, F_SETLK, F_RDLCK, 80, 10));
    CHECK_ERR(lock(fd, F_SETLK, F_RDLCK, 80, 11), EAGAIN);
  }
  OK(lock(fd, F_SETLK, F_WRLCK, 40, 60));
  CHILD { CHECK_EQ(probe(fd, F_GETLK, F_WRLCK, 50, 1).l_len, 100); }
}

SUBTEST_FORK(posix_lost_on_any_close) {
  int fd = new_file("c"), other = new_file("c");
  OK(lock(fd, F_SETLK, F_WRLCK, 0, 0));
  OK(close(other));
  CHILD { OK(lock(fd, F_SETLK, F_WRLCK, 0, 0)); }
}

SUBTEST_FORK(posix_not_inherited) {
  int fd = new_file("i");
  OK(lock(fd, F_SETLK, F_WRLCK, 0, 0));
  CHILD {
    OK(lock(fd, F_SETLK, F_UNLCK, 0, 0));
    CHECK_ERR(lock(fd, F_SETLK, F_RDLCK, 0, 0), EAGAIN);
  }
}

SUBTEST_FORK(posix_waits) {
  int fd = new_file("w");
  OK(lock(fd, F_SETLK, F_WRLCK, 0, 0));
  pid_t pid = SPAWN({ OK(lock(fd, F_SETLKW, F_WRLCK, 0, 0)); });
  wait_blocked(pid);
  CHECK_EQ(OK(waitpid(pid, NULL, WNOHANG)), 0);
  OK(lock(fd, F_SETLK, F_UNLCK, 0, 0));
  CHILD_DONE(pid);
}

static void nothing(int sig) { (void)sig; }

SUBTEST_FORK(posix_wait_is_interruptible) {
  int fd = new_file("wi");
  struct gate g = gate_make();
  pid_t holder = SPAWN({
    OK(lock(fd, F_SETLK, F_WRLCK, 0, 0));
    gate_signal(g);
    for (;;) pause();
  });
  gate_wait(g);
  struct sigaction sa = {.sa_handler = nothing};
  OK(sigaction(SIGUSR1, &sa, NULL));
  pid_t parent = getpid(), poker = SPAWN({
    wait_blocked(parent);
    kill(parent, SIGUSR1);
  });
  CHECK_ERR(lock(fd, F_SETLKW, F_WRLCK, 0, 0), EINTR);
  CHILD_DONE(poker);
  OK(kill(holder, SIGKILL));
  child_result(holder);
  OK(lock(fd, F_SETLKW, F_WRLCK, 0, 0));
}

SUBTEST_FORK(posix_deadlock) {
  int fd = new_file("d");
  struct gate g = gate_make();
  OK(lock(fd, F_SETLK, F_WRLCK, 0, 1));
  pid_t pid = SPAWN({
    OK(lock(fd, F_SETLK, F_WRLCK, 1, 1));
    gate_signal(g);
    OK(lock(fd, F_SETLKW, F_WRLCK, 0, 1));
  });
  gate_wait(g);
  wait_blocked(pid);
  CHECK_ERR(lock(fd, F_SETLKW, F_WRLCK, 1, 1), EDEADLK);
  OK(lock(fd, F_SETLK, F_UNLCK, 0, 1));
  CHILD_DONE(pid);
}

SUBTEST_FORK(posix_arguments) {
  int fd = new_file("a");
  int ro = OK(open("a", O_RDONLY)), wo = OK(open("a", O_WRONLY));
  CHECK_ERR(lock(ro, F_SETLK, F_WRLCK, 0, 0), EBADF);
  CHECK_ERR(lock(wo, F_SETLK, F_RDLCK, 0, 0), EBADF);
  CHECK_ERR(lock(fd, F_SETLK, 77, 0, 0), EINVAL);
  CHECK_ERR(lock(fd, F_SETLK, F_RDLCK, -5, 0), EINVAL);
  OK(lock(fd, F_SETLK, F_RDLCK, 10, -5));
  struct flock l = {.l_type = F_RDLCK, .l_whence = 9};
  CHECK_ERR(fcntl(fd, F_SETLK, &l), EINVAL);
  CHECK_ERR(lock(99, F_SETLK, F_RDLCK, 0, 0), EBADF);
  CHILD {
    struct flock got = probe(fd, F_GETLK, F_WRLCK, 0, 0);
    CHECK_EQ(got.l_start, 5);
    CHECK_EQ(got.l_len, 5);
  }
}

SUBTEST_FORK(description_locks) {
  int a = new_file("o"), b = new_file("o");
  OK(lock(a, F_OFD_SETLK, F_WRLCK, 0, 10));
  CHECK_ERR(lock(b, F_OFD_SETLK, F_WRLCK, 5, 1), EAGAIN);
  OK(lock(b, F_OFD_SETLK, F_WRLCK, 10, 1));
  struct flock l = probe(b, F_OFD_GETLK, F_WRLCK, 0, 5);
  CHECK_EQ(l.l_type, F_WRLCK);
  CHECK_EQ(l.l_pid, -1);
  // They conflict with the same process's POSIX locks too.
  CHECK_ERR(lock(b, F_SETLK, F_WRLCK, 0, 1), EAGAIN);
  l.l_pid = 5;
  CHECK_ERR(fcntl(b, F_OFD_SETLK, &l), EINVAL);
  // Shared with a copy and with a child; gone with the last descriptor.
  int copy = OK(dup(a));
  OK(close(a));
  CHECK_ERR(lock(b, F_OFD_SETLK, F_WRLCK, 0, 1), EAGAIN);
  CHILD {
    OK(lock(copy, F_OFD_SETLK, F_WRLCK, 0, 10));
    OK(lock(copy, F_OFD_SETLK, F_UNLCK, 0, 5));
  }
  OK(lock(b, F_OFD_SETLK, F_WRLCK, 0, 5));
  CHECK_ERR(lock(b, F_OFD_SETLK, F_WRLCK, 5, 5), EAGAIN);
  OK(close(copy));
  OK(lock(b, F_OFD_SETLK, F_WRLCK, 5, 5));
}

SUBTEST_FORK(whole_file_locks) {
  int a = new_file("f"), b = new_file("f");
  OK(flock(a, LOCK_EX));
  CHECK_ERR(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
  CHECK_ERR(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
  OK(flock(a, LOCK_SH));
  OK(flock(b, LOCK_SH | LOCK_NB));
  CHECK_ERR(flock(a, LOCK_EX | LOCK_NB), EWOULDBLOCK);
  OK(flock(b, LOCK_UN));
  OK(flock(a, LOCK_EX | LOCK_NB));
  CHECK_ERR(flock(a, 0), EINVAL);
  CHECK_ERR(flock(99, LOCK_EX), EBADF);
  // The lock belongs to the open file: a child may release it.
  CHILD { OK(flock(a, LOCK_UN)); }
  OK(flock(b, LOCK_EX | LOCK_NB));
  pid_t pid = SPAWN({
    int c = OK(open("f", O_RDONLY));
    OK(flock(c, LOCK_EX));
  });
  wait_blocked(pid);
  OK(flock(b, LOCK_UN));
  CHILD_DONE(pid);
  // flock and fcntl locks do not see each other.
  OK(flock(a, LOCK_EX));
  OK(lock(a, F_SETLK, F_WRLCK, 0, 0));
}

SUBTEST_FORK(counter_under_lock) {
  int fd = new_file("n");
  CHECK_EQ(OK(pwrite(fd, "0", 1, 0)), 1);
  pid_t pids[4];
  for (int k = 0; k < 4; k++)
    pids[k] = SPAWN({
      for (int i = 0; i < 50; i++) {
        char text[16] = {0};
        OK(lock(fd, F_SETLKW, F_WRLCK, 0, 0));
        OK(pread(fd, text, 15, 0));
        int n = snprintf(text, sizeof text, "%d", atoi(text) + 1);
        CHECK_EQ(OK(pwrite(fd, text, n, 0)), n);
        OK(lock(fd, F_SETLK, F_UNLCK, 0, 0));
      }
    });
  for (int k = 0; k < 4; k++) CHILD_DONE(pids[k]);
  CHECK_STR(get_file("n"), "200");
}

SUBTEST_FORK(lock_to_the_largest_offset) {
  int fd = new_file("far");
  struct flock far = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = LONG_MAX - 4};
  OK(fcntl(fd, F_SETLK, &far));
  CHILD {
    struct flock all = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    OK(fcntl(fd, F_GETLK, &all));
    CHECK_EQ(all.l_type, F_WRLCK);
    CHECK_EQ(all.l_start, 5);
    CHECK_EQ(all.l_len, 0);
  }
}
