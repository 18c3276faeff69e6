// Microbenchmarks of single system calls: prints "name ns-per-operation" lines. Each case warms up, then takes the
// median of several rounds. Usage: micro [case ...]
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 7

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

static void die(const char *what) {
  perror(what);
  exit(1);
}

static char buf[65536];
static char dir[] = "/tmp/vedette-micro-XXXXXX";
static char file[256];
static int fd_file, fd_zero, pipes[2], pair[2], efd, epfd;
static char self[4096];

static void getppid_call(void) { syscall(SYS_getppid); }
static void clock_call(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
}
static void pread_4k(void) {
  if (pread(fd_file, buf, 4096, 4096) != 4096) die("pread");
}
static void pread_1(void) {
  if (pread(fd_file, buf, 1, 0) != 1) die("pread");
}
static void pread_64k(void) {
  if (pread(fd_file, buf, 65536, 0) != 65536) die("pread");
}
static void pwrite_4k(void) {
  if (pwrite(fd_file, buf, 4096, 4096) != 4096) die("pwrite");
}
static void zero_4k(void) {
  if (read(fd_zero, buf, 4096) != 4096) die("read");
}
static void stat_call(void) {
  struct stat s;
  if (stat(file, &s) != 0) die("stat");
}
static void open_close(void) {
  int fd = open(file, O_RDONLY);
  if (fd < 0) die("open");
  close(fd);
}
static void create_unlink(void) {
  char p[300];
  snprintf(p, sizeof p, "%s/new", dir);
  int fd = open(p, O_CREAT | O_WRONLY, 0600);
  if (fd < 0) die("create");
  close(fd);
  unlink(p);
}
static void mmap_munmap(void) {
  void *p = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) die("mmap");
  munmap(p, 65536);
}
static void touch_8m(void) {
  char *p = mmap(0, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) die("mmap");
  for (int i = 0; i < 8 << 20; i += 4096) p[i] = 1;
  munmap(p, 8 << 20);
}
static void map_file(void) {
  volatile char *p = mmap(0, 65536, PROT_READ, MAP_PRIVATE, fd_file, 0);
  if (p == MAP_FAILED) die("mmap");
  for (int i = 0; i < 65536; i += 4096) (void)p[i];
  munmap((void *)p, 65536);
}
static void on_signal(int s) { (void)s; }
static void signal_self(void) { raise(SIGUSR1); }
static void pipe_self(void) {
  char c = 1;
  if (write(pipes[1], &c, 1) != 1 || read(pipes[0], &c, 1) != 1) die("pipe");
}
static void eventfd_self(void) {
  uint64_t v = 1;
  if (write(efd, &v, 8) != 8 || read(efd, &v, 8) != 8) die("eventfd");
}
static void epoll_ready(void) {
  struct epoll_event e;
  if (epoll_wait(epfd, &e, 1, 0) != 1) die("epoll_wait");
}
static void *thread_body(void *a) { return a; }
static void thread_join(void) {
  pthread_t t;
  if (pthread_create(&t, 0, thread_body, 0) != 0) die("pthread_create");
  pthread_join(t, 0);
}
static void fork_exit(void) {
  pid_t p = fork();
  if (p < 0) die("fork");
  if (p == 0) _exit(0);
  waitpid(p, 0, 0);
}
static void fork_exec(void) {
  pid_t p = vfork();
  if (p < 0) die("vfork");
  if (p == 0) {
    execl(self, self, "--exit", (char *)0);
    _exit(127);
  }
  int st;
  waitpid(p, &st, 0);
  if (st != 0) die("exec");
}

// Ping-pong partners run until their stream ends.
static int ping[2], pong[2];
static void pipe_pingpong(void) {
  char c = 1;
  if (write(ping[1], &c, 1) != 1 || read(pong[0], &c, 1) != 1) die("ping-pong");
}
static void unix_pingpong(void) {
  char c = 1;
  if (write(pair[0], &c, 1) != 1 || read(pair[0], &c, 1) != 1) die("unix ping-pong");
}
static _Atomic int turn;
static void futex(_Atomic int *a, int op, int v) { syscall(SYS_futex, a, op, v, 0, 0, 0); }
static void *futex_partner(void *a) {
  for (;;) {
    while (atomic_load(&turn) == 0) futex(&turn, FUTEX_WAIT_PRIVATE, 0);
    if (atomic_load(&turn) == 2) return a;
    atomic_store(&turn, 0);
    futex(&turn, FUTEX_WAKE_PRIVATE, 1);
  }
}
static void futex_pingpong(void) {
  atomic_store(&turn, 1);
  futex(&turn, FUTEX_WAKE_PRIVATE, 1);
  while (atomic_load(&turn) == 1) futex(&turn, FUTEX_WAIT_PRIVATE, 1);
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static void measure(const char *name, void (*op)(void), int count) {
  double t[ROUNDS];
  for (int i = 0; i < count / 4 + 1; i++) op();
  for (int r = 0; r < ROUNDS; r++) {
    double start = now_ns();
    for (int i = 0; i < count; i++) op();
    t[r] = (now_ns() - start) / count;
  }
  qsort(t, ROUNDS, sizeof *t, by_value);
  printf("%s %.1f\n", name, t[ROUNDS / 2]);
  fflush(stdout);
}

static const struct {
  const char *name;
  void (*op)(void);
  int count;
} cases[] = {
    {"getppid", getppid_call, 3000},     {"clock_gettime", clock_call, 3000}, {"pread_1", pread_1, 2000},
    {"pread_4k", pread_4k, 2000},        {"pread_64k", pread_64k, 500},       {"pwrite_4k", pwrite_4k, 2000},
    {"read_zero_4k", zero_4k, 2000},     {"stat", stat_call, 2000},           {"open_close", open_close, 1000},
    {"create_unlink", create_unlink, 300}, {"mmap_munmap", mmap_munmap, 500}, {"touch_8m", touch_8m, 10},
    {"map_file", map_file, 200},         {"signal_self", signal_self, 500},   {"pipe_self", pipe_self, 1000},
    {"eventfd_self", eventfd_self, 1000}, {"epoll_ready", epoll_ready, 1000}, {"thread_create_join", thread_join, 100},
    {"fork_exit_wait", fork_exit, 30},   {"fork_exec_wait", fork_exec, 20},   {"pipe_pingpong", pipe_pingpong, 500},
    {"unix_pingpong", unix_pingpong, 500}, {"futex_pingpong", futex_pingpong, 500},
};

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "--exit") == 0) return 0;
  if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) die("readlink");
  if (mkdtemp(dir) == 0) die("mkdtemp");
  snprintf(file, sizeof file, "%s/data", dir);
  fd_file = open(file, O_CREAT | O_RDWR, 0600);
  if (write(fd_file, buf, sizeof buf) != sizeof buf) die("write");
  fd_zero = open("/dev/zero", O_RDONLY);
  efd = eventfd(0, 0);
  if (pipe(pipes) || pipe(ping) || pipe(pong) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) die("pipe");
  epfd = epoll_create1(0);
  struct epoll_event e = {.events = EPOLLOUT};
  epoll_ctl(epfd, EPOLL_CTL_ADD, pipes[1], &e);
  signal(SIGUSR1, on_signal);
  pid_t echo = fork();
  if (echo == 0) {
    char c;
    close(ping[1]);
    close(pair[0]);
    pid_t second = fork();
    if (second == 0) {
      while (read(pair[1], &c, 1) == 1)
        if (write(pair[1], &c, 1) != 1) break;
      _exit(0);
    }
    close(pair[1]);
    while (read(ping[0], &c, 1) == 1)
      if (write(pong[1], &c, 1) != 1) break;
    waitpid(second, 0, 0);
    _exit(0);
  }
  close(pair[1]);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int wanted = argc == 1;
    for (int j = 1; j < argc; j++) wanted |= strcmp(argv[j], cases[i].name) == 0;
    if (!wanted) continue;
    // The futex partner exists only for its own case, so that the others have one thread.
    pthread_t partner;
    int futex_case = cases[i].op == futex_pingpong;
    if (futex_case) pthread_create(&partner, 0, futex_partner, 0);
    measure(cases[i].name, cases[i].op, cases[i].count);
    if (futex_case) {
      atomic_store(&turn, 2);
      futex(&turn, FUTEX_WAKE_PRIVATE, 1);
      pthread_join(partner, 0);
    }
  }
  close(ping[1]);
  close(pair[0]);
  waitpid(echo, 0, 0);
  unlink(file);
  rmdir(dir);
  return 0;
}
