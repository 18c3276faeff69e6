// What every cell of the matrix runs inside: threads, fork, exec, signals, memory, files and clocks, each with a result that
// can be told from a wrong one. Prints one line and exits 0 when all is right. argv[1] is the time outside, in seconds.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(what)                                                                          \
  do {                                                                                       \
    if (!(what)) {                                                                           \
      printf("battery: line %d: %s is false (errno %d)\n", __LINE__, #what, errno);          \
      exit(1);                                                                               \
    }                                                                                        \
  } while (0)

enum { THREADS = 4, ROUNDS = 2000 };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int counted;

static void *count(void *unused) {
  (void)unused;
  for (int i = 0; i < ROUNDS; i++) {
    pthread_mutex_lock(&lock);
    counted++;
    pthread_mutex_unlock(&lock);
  }
  return NULL;
}

static void threads(void) {
  pthread_t ids[THREADS];
  for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&ids[i], NULL, count, NULL) == 0);
  for (int i = 0; i < THREADS; i++) CHECK(pthread_join(ids[i], NULL) == 0);
  CHECK(counted == THREADS * ROUNDS);
}

// A child writes through a pipe, and is another program by then.
static void fork_exec(char *self) {
  int ends[2], status;
  char text[16] = "";
  CHECK(pipe(ends) == 0);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    dup2(ends[1], 1);
    execl(self, self, "child", NULL);
    _exit(99);
  }
  close(ends[1]);
  CHECK(read(ends[0], text, sizeof text) == 6 && memcmp(text, "child\n", 6) == 0);
  CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7);
  close(ends[0]);
}

static volatile sig_atomic_t got;
static volatile int *volatile nowhere = (int *)8;
static sigjmp_buf back;
static void note(int sig) { got = sig; }
static void jump(int sig) { siglongjmp(back, sig); }

static void signals(void) {
  signal(SIGUSR1, note);
  CHECK(kill(getpid(), SIGUSR1) == 0 && got == SIGUSR1);
  signal(SIGALRM, note);
  struct timespec tick = {0, 1000000};
  struct itimerval soon = {{0, 0}, {0, 10000}};
  CHECK(setitimer(ITIMER_REAL, &soon, NULL) == 0);
  for (int i = 0; i < 10000 && got != SIGALRM; i++) nanosleep(&tick, NULL);
  CHECK(got == SIGALRM);
  signal(SIGSEGV, jump);
  if (sigsetjmp(back, 1) == 0) {
    *nowhere = 1;
    CHECK(!"the access faults");
  }
  signal(SIGSEGV, SIG_DFL);
}

static void memory(void) {
  const size_t size = 8 << 20;
  int status;
  char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(p != MAP_FAILED && shared != MAP_FAILED);
  for (size_t i = 0; i < size; i += 4096) p[i] = (char)(i >> 12);
  pid_t pid = fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    for (size_t i = 0; i < size; i += 4096)
      if (p[i] != (char)(i >> 12)) _exit(1);
    p[0] = 55;
    *shared = 42;
    _exit(0);
  }
  CHECK(waitpid(pid, &status, 0) == pid && status == 0 && *shared == 42 && p[0] == 0);
  CHECK(mprotect(p, 4096, PROT_READ) == 0);
  signal(SIGSEGV, jump);
  if (sigsetjmp(back, 1) == 0) {
    *(volatile char *)p = 1;
    CHECK(!"a page that is read-only faults");
  }
  CHECK(munmap(p, size) == 0);
}

static void files(void) {
  char text[8] = "";
  CHECK(mkdir("/tmp/battery.d", 0700) == 0);
  int fd = open("/tmp/battery.d/f", O_RDWR | O_CREAT | O_EXCL, 0600);
  CHECK(fd >= 0 && write(fd, "written", 7) == 7);
  char *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  CHECK(map != MAP_FAILED && memcmp(map, "written", 7) == 0);
  CHECK(pread(fd, text, 7, 0) == 7 && strcmp(text, "written") == 0);
  CHECK(unlink("/tmp/battery.d/f") == 0 && rmdir("/tmp/battery.d") == 0);
}

static long long now(clockid_t clock) {
  struct timespec t;
  CHECK(clock_gettime(clock, &t) == 0);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void clocks(long long outside) {
  long long before = now(CLOCK_MONOTONIC), last = before;
  for (int i = 0; i < 20000; i++) {
    long long t = now(CLOCK_MONOTONIC);
    CHECK(t >= last);
    last = t;
  }
  struct timespec pause = {0, 20000000};
  before = now(CLOCK_MONOTONIC);
  CHECK(nanosleep(&pause, NULL) == 0);
  long long slept = now(CLOCK_MONOTONIC) - before;
  CHECK(slept >= 20000000 && slept < 5000000000LL);
  long long off = now(CLOCK_REALTIME) / 1000000000 - outside;
  CHECK(off >= -2 && off < 60);
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "child") == 0) {
    puts("child");
    return 7;
  }
  CHECK(argc == 2);
  threads();
  fork_exec(argv[0]);
  signals();
  memory();
  files();
  clocks(atoll(argv[1]));
  puts("battery right");
  return 0;
}
