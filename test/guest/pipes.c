// pipe(2), pipe(7), fifo(7).
#include "check.h"
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

static int *new_pipe(int flags) {
  static int p[2];
  OK(pipe2(p, flags));
  return p;
}

SUBTEST_FORK(basics) {
  int *p = new_pipe(0);
  char buf[16];
  struct stat st;
  CHECK_EQ(OK(write(p[1], "hello", 5)), 5);
  CHECK_EQ(OK(read(p[0], buf, 3)), 3);
  CHECK_EQ(OK(read(p[0], buf, 16)), 2);
  CHECK_ERR(write(p[0], "x", 1), EBADF);
  CHECK_ERR(read(p[1], buf, 1), EBADF);
  OK(fstat(p[0], &st));
  CHECK(S_ISFIFO(st.st_mode));
  CHECK_EQ(st.st_mode & 0777, 0600);
  int left;
  CHECK_EQ(OK(write(p[1], "abc", 3)), 3);
  OK(ioctl(p[0], FIONREAD, &left));
  CHECK_EQ(left, 3);
  CHECK_EQ(OK(fcntl(p[0], F_GETFL)), O_RDONLY);
  CHECK_EQ(OK(fcntl(p[1], F_GETFL)), O_WRONLY);
  OK(close(p[1]));
  CHECK_EQ(OK(read(p[0], buf, 16)), 3);
  CHECK_EQ(OK(read(p[0], buf, 16)), 0);
}

SUBTEST_FORK(flags) {
  int *p = new_pipe(O_CLOEXEC | O_NONBLOCK);
  CHECK_EQ(OK(fcntl(p[0], F_GETFD)), FD_CLOEXEC);
  CHECK_EQ(OK(fcntl(p[1], F_GETFL)), O_WRONLY | O_NONBLOCK);
  int q[2];
  CHECK_ERR(pipe2(q, O_APPEND), EINVAL);
  char c;
  CHECK_ERR(read(p[0], &c, 1), EAGAIN);
}

SUBTEST_FORK(broken_pipe) {
  int *p = new_pipe(0);
  OK(close(p[0]));
  CHECK_EQ(child_result(SPAWN({ if (write(p[1], "x", 1) >= 0) _exit(1); })), 256 + SIGPIPE);
  signal(SIGPIPE, SIG_IGN);
  CHECK_ERR(write(p[1], "x", 1), EPIPE);
  CHECK_EQ(OK(write(p[1], "x", 0)), 0);
}

SUBTEST_FORK(capacity) {
  int *p = new_pipe(O_NONBLOCK);
  CHECK_EQ(OK(fcntl(p[0], F_GETPIPE_SZ)), 65536);
  char *buf = calloc(1, 70000);
  CHECK_EQ(OK(write(p[1], buf, 70000)), 65536);
  CHECK_ERR(write(p[1], buf, 1), EAGAIN);
  CHECK_ERR(fcntl(p[1], F_SETPIPE_SZ, 4096), EBUSY);
  CHECK_EQ(OK(fcntl(p[1], F_SETPIPE_SZ, 100000)), 131072);
  CHECK_EQ(OK(write(p[1], buf, 70000)), 65536);
  CHECK_EQ(OK(read(p[0], buf, 70000)), 70000);
  char c;
  for (int left = 131072 - 70000; left > 0;) left -= OK(read(p[0], buf, 70000));
  CHECK_ERR(read(p[0], &c, 1), EAGAIN);
  CHECK_EQ(OK(fcntl(p[1], F_SETPIPE_SZ, 1)), 4096);
  CHECK_EQ(OK(write(p[1], buf, 5000)), 4096);
}

SUBTEST_FORK(atomic_writes) {
  // With less room than PIPE_BUF needs, a non-blocking small write writes nothing; a large one writes what fits.
  int *p = new_pipe(O_NONBLOCK);
  char *buf = calloc(1, 70000);
  OK(fcntl(p[1], F_SETPIPE_SZ, 8192));
  CHECK_EQ(OK(write(p[1], buf, 4096)), 4096);
  CHECK_EQ(OK(write(p[1], buf, 100)), 100);
  CHECK_ERR(write(p[1], buf, 4096), EAGAIN);
  struct pollfd pfd = {p[1], POLLOUT, 0};
  poll(&pfd, 1, 0);
  CHECK_EQ(OK(write(p[1], buf, 3996)), 3996);
  CHECK_ERR(write(p[1], buf, 1), EAGAIN);
}

SUBTEST_FORK(lines_of_many_writers_stay_whole) {
  int *p = new_pipe(0);
  for (int w = 0; w < 4; w++)
    SPAWN({
      char line[1000];
      memset(line, 'a' + w, sizeof line);
      for (int i = 0; i < 100; i++) CHECK_EQ(write(p[1], line, sizeof line), sizeof line);
    });
  OK(close(p[1]));
  int counts[4] = {0};
  char line[1000];
  for (;;) {
    size_t used = 0;
    ssize_t n;
    while (used < sizeof line && (n = OK(read(p[0], line + used, sizeof line - used))) > 0) used += n;
    if (used == 0) break;
    CHECK_EQ(used, sizeof line);
    for (size_t i = 1; i < sizeof line; i++) CHECK_EQ(line[i], line[0]);
    counts[line[0] - 'a']++;
  }
  for (int w = 0; w < 4; w++) CHECK_EQ(counts[w], 100);
  while (wait(NULL) > 0) {
  }
}

SUBTEST_FORK(blocking_writer) {
  int *p = new_pipe(0);
  size_t total = 1 << 20;
  pid_t pid = SPAWN({
    char *data = malloc(total);
    for (size_t i = 0; i < total; i++) data[i] = i * 31 >> 3;
    close(p[0]);
    CHECK_EQ(OK(write(p[1], data, total)), total);
  });
  OK(close(p[1]));
  char buf[3000];
  size_t seen = 0;
  ssize_t n;
  while ((n = OK(read(p[0], buf, sizeof buf))) > 0) {
    for (ssize_t i = 0; i < n; i++) CHECK_EQ(buf[i], (char)((seen + i) * 31 >> 3));
    seen += n;
  }
  CHECK_EQ(seen, total);
  CHILD_DONE(pid);
}

SUBTEST_FORK(reader_wakes_at_last_close) {
  int *p = new_pipe(0);
  pid_t pid = SPAWN({
    char c;
    close(p[1]);
    _exit(read(p[0], &c, 1) == 0 ? 0 : 1);
  });
  wait_blocked(pid);
  OK(close(p[1]));
  CHILD_DONE(pid);
}

SUBTEST_FORK(writer_wakes_at_last_close) {
  int *p = new_pipe(0);
  pid_t pid = SPAWN({
    static char block[100000];
    signal(SIGPIPE, SIG_IGN);
    close(p[0]);
    // What went in before the reader left counts; the next call fails.
    CHECK_EQ(write(p[1], block, sizeof block), 65536);
    CHECK_ERR(write(p[1], block, 1), EPIPE);
  });
  wait_blocked(pid);
  OK(close(p[0]));
  CHILD_DONE(pid);
}

SUBTEST_FORK(poll_states) {
  int *p = new_pipe(O_NONBLOCK);
  struct pollfd pfd[2] = {{p[0], POLLIN | POLLOUT, 0}, {p[1], POLLIN | POLLOUT, 0}};
  CHECK_EQ(OK(poll(pfd, 2, 0)), 1);
  CHECK_EQ(pfd[0].revents, 0);
  CHECK_EQ(pfd[1].revents, POLLOUT);
  CHECK_EQ(OK(write(p[1], "x", 1)), 1);
  OK(poll(pfd, 2, 0));
  CHECK_EQ(pfd[0].revents, POLLIN);
  OK(close(p[1]));
  OK(poll(pfd, 1, 0));
  CHECK_EQ(pfd[0].revents, POLLIN | POLLHUP);
  char c;
  CHECK_EQ(OK(read(p[0], &c, 1)), 1);
  OK(poll(pfd, 1, 0));
  CHECK_EQ(pfd[0].revents, POLLHUP);
  p = new_pipe(O_NONBLOCK);
  OK(close(p[0]));
  pfd[0] = (struct pollfd){p[1], POLLOUT, 0};
  OK(poll(pfd, 1, 0));
  CHECK_EQ(pfd[0].revents, POLLOUT | POLLERR);
}

SUBTEST_FORK(packets) {
  int p[2];
  CHECK(pipe2(p, O_DIRECT | O_NONBLOCK) == 0);
  char buf[16];
  CHECK_EQ(OK(write(p[1], "one", 3)), 3);
  CHECK_EQ(OK(write(p[1], "three", 5)), 5);
  CHECK_EQ(OK(read(p[0], buf, 2)), 2);
  // The rest of a packet that did not fit is dropped.
  CHECK_EQ(OK(read(p[0], buf, 16)), 5);
}

SUBTEST_FORK(vectors) {
  int *p = new_pipe(0);
  char a[4], b[4];
  struct iovec out[2] = {{"abc", 3}, {"defg", 4}}, in[2] = {{a, 4}, {b, 4}};
  CHECK_EQ(OK(writev(p[1], out, 2)), 7);
  CHECK_EQ(OK(readv(p[0], in, 2)), 7);
  CHECK(memcmp(a, "abcd", 4) == 0 && memcmp(b, "efg", 3) == 0);
}

SUBTEST_FORK(reopen_through_proc) {
  int *p = new_pipe(0);
  char path[64], c;
  snprintf(path, sizeof path, "/proc/self/fd/%d", p[0]);
  int w = OK(open(path, O_WRONLY));
  CHECK_EQ(OK(write(w, "z", 1)), 1);
  CHECK_EQ(OK(read(p[0], &c, 1)), 1);
  CHECK_EQ(c, 'z');
  char link[64];
  ssize_t n = OK(readlink(path, link, sizeof link - 1));
  link[n] = 0;
  CHECK(strncmp(link, "pipe:[", 6) == 0);
}

SUBTEST_FORK(fifo_open) {
  char c;
  OK(mkfifo("fifo", 0644));
  CHECK_ERR(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
  int r = OK(open("fifo", O_RDONLY | O_NONBLOCK));
  CHECK_EQ(OK(read(r, &c, 1)), 0);
  int w = OK(open("fifo", O_WRONLY | O_NONBLOCK));
  CHECK_ERR(read(r, &c, 1), EAGAIN);
  CHECK_EQ(OK(write(w, "x", 1)), 1);
  CHECK_EQ(OK(read(r, &c, 1)), 1);
  OK(close(w));
  CHECK_EQ(OK(read(r, &c, 1)), 0);
  OK(close(r));
  // Both ends open each other.
  pid_t pid = SPAWN({
    int f = OK(open("fifo", O_WRONLY));
    CHECK_EQ(OK(write(f, "from child", 10)), 10);
  });
  wait_blocked(pid);
  r = OK(open("fifo", O_RDONLY));
  char buf[16] = {0};
  CHECK_EQ(OK(read(r, buf, 16)), 10);
  CHILD_DONE(pid);
  CHECK_EQ(OK(read(r, buf, 16)), 0);
  OK(close(r));
  // O_RDWR never waits.
  int rw = OK(open("fifo", O_RDWR));
  CHECK_EQ(OK(write(rw, "q", 1)), 1);
  CHECK_EQ(OK(read(rw, &c, 1)), 1);
}

static void nothing(int sig) { (void)sig; }

SUBTEST_FORK(fifo_open_is_interruptible) {
  struct sigaction sa = {.sa_handler = nothing};
  OK(sigaction(SIGUSR1, &sa, NULL));
  OK(mkfifo("fifo2", 0644));
  pid_t parent = getpid(), pid = SPAWN({
    wait_blocked(parent);
    kill(parent, SIGUSR1);
  });
  CHECK_ERR(open("fifo2", O_RDONLY), EINTR);
  CHILD_DONE(pid);
}

SUBTEST_FORK(fifo_permissions_and_stat) {
  struct stat st;
  OK(mkfifo("fifo3", 0640));
  OK(stat("fifo3", &st));
  CHECK_EQ(st.st_mode, S_IFIFO | 0640);
  CHECK_ERR(mkfifo("fifo3", 0640), EEXIST);
  int rw = OK(open("fifo3", O_RDWR));
  CHECK_ERR(lseek(rw, 0, SEEK_CUR), ESPIPE);
  OK(rename("fifo3", "fifo4"));
  int w = OK(open("fifo4", O_WRONLY | O_NONBLOCK));
  CHECK_EQ(OK(write(w, "m", 1)), 1);
  char c;
  CHECK_EQ(OK(read(rw, &c, 1)), 1);
}

// The vector is copied once: what the caller makes of it while the call waits counts for the next one.
static struct iovec vector[3];
static char *decoy;
static void *change_vector(void *reader) {
  sleep_ms(50);
  for (size_t i = 0; i < COUNT(vector); i++) vector[i] = (struct iovec){decoy, 7};
  for (size_t i = 0, n; i < 3 * 100000; i += n) {
    static char got[4096];
    n = OK(read((long)reader, got, sizeof got));
    for (size_t k = 0; k < n; k++) CHECK_EQ(got[k], 'a' + (i + k) / 100000);
  }
  return NULL;
}

SUBTEST(vectors_are_copied_once) {
  int fd[2];
  OK(pipe(fd));
  decoy = "decoy..";
  for (int i = 0; i < 3; i++) {
    vector[i] = (struct iovec){malloc(100000), 100000};
    memset(vector[i].iov_base, 'a' + i, 100000);
  }
  pthread_t thread;
  OK0(pthread_create(&thread, NULL, change_vector, (void *)(long)fd[0]));
  CHECK_EQ(writev(fd[1], vector, 3), 300000);
  OK0(pthread_join(thread, NULL));
  close(fd[0]);
  close(fd[1]);
}

SUBTEST_FORK(ping_pong) {
  int a[2], b[2];
  OK(pipe(a));
  OK(pipe(b));
  pid_t pid = SPAWN({
    char c;
    for (int i = 0; i < 2000; i++) {
      if (read(a[0], &c, 1) != 1) _exit(1);
      c++;
      if (write(b[1], &c, 1) != 1) _exit(1);
    }
  });
  for (int i = 0; i < 2000; i++) {
    char c = i;
    CHECK_EQ(OK(write(a[1], &c, 1)), 1);
    CHECK_EQ(OK(read(b[0], &c, 1)), 1);
    CHECK_EQ(c, (char)(i + 1));
  }
  CHILD_DONE(pid);
}
