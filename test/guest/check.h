// The assertion kit of the guest tests. A program is a list of SUBTESTs; it prints one line for each and exits 0 when
// all passed. It runs natively and inside Vedette, and both must print the same: so no pids, addresses or times.
//
//   SUBTEST(name) { ... }        runs in this process        SUBTEST_FORK(name) { ... }   runs in a child process
//   CHECK(cond)                  fails the subtest           CHECK_EQ(a, b)               the same, showing both
//   OK(call)                     fails on -1, gives result   CHECK_ERR(call, E)           wants -1 and errno E
//   CHILD { ... }                body in a child, wants exit 0
//   SPAWN({ ... })               body in a child, gives its pid; child_result(pid) waits
//   SKIP(reason)                 ends the subtest
//
// A failed check in a child process or a second thread ends that process with status 1.
// Arguments of the program: names of the subtests to run; -l lists them.
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PAGE 4096

struct subtest {
  const char *name;
  void (*run)(void);
  bool forked;
};

static struct subtest check_list[200];
static int check_count;
static const char *check_name = "start";
static sigjmp_buf check_env;
static pid_t check_pid, check_tid;  // where a failed check may jump back to the runner
static pid_t check_forked;          // the child that runs the current subtest
static int check_failures;
static char check_dir[64];

// One write per line, so that lines of several processes never mix and nothing is left in a stdio buffer at fork.
__attribute__((format(printf, 1, 2), unused)) static void say(const char *format, ...) {
  char line[1024];
  va_list ap;
  va_start(ap, format);
  int n = vsnprintf(line, sizeof line, format, ap);
  va_end(ap);
  if (n > (int)sizeof line - 1) n = sizeof line - 1;
  if (write(1, line, n) < 0) _exit(3);
}

__attribute__((noreturn, unused)) static void check_leave(int code) {
  if (getpid() == check_pid && syscall(SYS_gettid) == check_tid) siglongjmp(check_env, code);
  _exit(code == 2 ? 77 : 1);
}

__attribute__((noreturn, format(printf, 3, 4), unused)) static void check_fail(const char *file, int line,
                                                                               const char *format, ...) {
  char text[800];
  va_list ap;
  va_start(ap, format);
  vsnprintf(text, sizeof text, format, ap);
  va_end(ap);
  const char *base = strrchr(file, '/');
  say("FAIL %s:%d: %s: %s\n", base ? base + 1 : file, line, check_name, text);
  check_leave(1);
}

#define FAIL(...) check_fail(__FILE__, __LINE__, __VA_ARGS__)
#define CHECK(cond)                                                                        \
  do {                                                                                     \
    if (!(cond)) FAIL("%s (%s)", #cond, strerrorname_np(errno) ? strerrorname_np(errno) : "?"); \
  } while (0)
#define CHECK_EQ(a, b)                                                                     \
  do {                                                                                     \
    long a_ = (long)(a), b_ = (long)(b);                                                   \
    if (a_ != b_) FAIL("%s == %s: %ld (%#lx), %ld (%#lx)", #a, #b, a_, a_, b_, b_);        \
  } while (0)
#define CHECK_STR(a, b)                                                                    \
  do {                                                                                     \
    const char *a_ = (a), *b_ = (b);                                                       \
    if (strcmp(a_, b_) != 0) FAIL("%s is \"%s\", not \"%s\"", #a, a_, b_);                 \
  } while (0)
#define OK(call)                                                                           \
  ({                                                                                       \
    errno = 0;                                                                             \
    __auto_type r_ = (call);                                                               \
    if ((long)r_ == -1) FAIL("%s: %s", #call, strerrorname_np(errno));                     \
    r_;                                                                                    \
  })
#define CHECK_ERR(call, want)                                                              \
  do {                                                                                     \
    errno = 0;                                                                             \
    long r_ = (long)(call);                                                                \
    int e_ = errno;                                                                        \
    if (r_ != -1) FAIL("%s: %ld, not %s", #call, r_, #want);                               \
    if (e_ != (want)) FAIL("%s: %s, not %s", #call, strerrorname_np(e_) ? strerrorname_np(e_) : "?", #want); \
  } while (0)
// For calls that return the error itself, as the pthread functions do.
#define OK0(call)                                                                          \
  do {                                                                                     \
    int r_ = (call);                                                                       \
    if (r_ != 0) FAIL("%s: %s", #call, strerrorname_np(r_) ? strerrorname_np(r_) : "?");   \
  } while (0)
#define SKIP(reason)                                                                       \
  do {                                                                                     \
    say("%s: skipped (%s)\n", check_name, reason);                                         \
    check_leave(2);                                                                        \
  } while (0)
#define NEED_ROOT()                                                                        \
  do {                                                                                     \
    if (geteuid() != 0) SKIP("needs root");                                                \
  } while (0)

#define SUBTEST_(id, fork_)                                                                \
  static void test_##id(void);                                                             \
  __attribute__((constructor)) static void add_##id(void) {                                \
    check_list[check_count++] = (struct subtest){#id, test_##id, fork_};                   \
  }                                                                                        \
  static void test_##id(void)
#define SUBTEST(id) SUBTEST_(id, false)
#define SUBTEST_FORK(id) SUBTEST_(id, true)

// Waits for the child; its exit code, or 256 + the signal that killed it.
__attribute__((unused)) static int child_result(pid_t pid) {
  int status;
  pid_t got;
  while ((got = waitpid(pid, &status, 0)) < 0 && errno == EINTR) {
  }
  if (got != pid) FAIL("waitpid: %s", strerrorname_np(errno));
  return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

#define SPAWN(...)                                                                         \
  ({                                                                                       \
    pid_t pid_ = OK(fork());                                                               \
    if (pid_ == 0) {                                                                       \
      __VA_ARGS__;                                                                         \
      _exit(0);                                                                            \
    }                                                                                      \
    pid_;                                                                                  \
  })
#define CHILD_DONE(pid)                                                                    \
  do {                                                                                     \
    int result_ = child_result(pid);                                                       \
    if (result_ != 0) FAIL("a child ended with %d", result_);                              \
  } while (0)
#define CHILD                                                                              \
  for (pid_t child_ = OK(fork()), once_ = 1; once_;                                        \
       once_ = 0, child_ == 0 ? _exit(0) : ({ CHILD_DONE(child_); }))                      \
    if (child_ == 0)

__attribute__((unused)) static void sleep_ms(long ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000};
  while (nanosleep(&t, &t) < 0 && errno == EINTR) {
  }
}

__attribute__((unused)) static long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// The state letter of a task in /proc, or 0 when it has none.
__attribute__((unused)) static char task_state(pid_t tid) {
  char path[64], text[512];
  snprintf(path, sizeof path, "/proc/%d/stat", tid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0) return 0;
  text[n] = 0;
  char *end = strrchr(text, ')');
  return end ? end[2] : 0;
}

// Returns once the task sleeps in a system call (or 2 s have gone).
__attribute__((unused)) static void wait_blocked(pid_t tid) {
  sleep_ms(5);
  for (int i = 0; i < 400 && task_state(tid) != 'S'; i++) sleep_ms(5);
  sleep_ms(5);
}

// Two processes or threads meet through a pipe: one signals, the other waits.
struct gate {
  int fd[2];
};
__attribute__((unused)) static struct gate gate_make(void) {
  struct gate g;
  OK(pipe2(g.fd, O_CLOEXEC));
  return g;
}
__attribute__((unused)) static void gate_signal(struct gate g) { CHECK(write(g.fd[1], "x", 1) == 1); }
__attribute__((unused)) static void gate_wait(struct gate g) {
  char c;
  ssize_t n;
  while ((n = read(g.fd[0], &c, 1)) < 0 && errno == EINTR) {
  }
  CHECK(n == 1);
}

__attribute__((unused)) static void put_file(const char *path, const char *text) {
  int fd = OK(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  size_t n = strlen(text);
  CHECK(write(fd, text, n) == (ssize_t)n);
  OK(close(fd));
}

// The whole of a small file, as a string that the next call overwrites.
__attribute__((unused)) static char *get_file(const char *path) {
  static char text[1 << 16];
  int fd = OK(open(path, O_RDONLY | O_CLOEXEC));
  size_t used = 0;
  ssize_t n;
  while (used < sizeof text - 1 && (n = OK(read(fd, text + used, sizeof text - 1 - used))) > 0) used += n;
  OK(close(fd));
  text[used] = 0;
  return text;
}

__attribute__((unused)) static void remove_tree(int at, const char *name) {
  if (unlinkat(at, name, 0) == 0 || (errno != EISDIR && errno != EPERM)) return;
  int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return;
  fchmod(fd, 0700);
  for (int round = 0; round < 100; round++) {
    DIR *d = fdopendir(dup(fd));
    if (d == NULL) break;
    rewinddir(d);
    int found = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
      if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
      found++;
      remove_tree(fd, e->d_name);
    }
    closedir(d);
    if (found == 0) break;
  }
  close(fd);
  unlinkat(at, name, AT_REMOVEDIR);
}

static void check_watchdog(int sig) {
  (void)sig;
  say("FAIL %s: still running after its time limit\n", check_name);
  if (check_forked <= 0) _exit(1);
  kill(check_forked, SIGKILL);
}

static void check_cleanup(void) {
  if (check_dir[0] == 0) return;
  if (chdir("/") == 0) remove_tree(AT_FDCWD, check_dir);
}

#ifndef CHECK_SECONDS
#define CHECK_SECONDS 20
#endif

static void check_run(struct subtest *t) {
  check_name = t->name;
  check_forked = 0;
  struct sigaction watch = {.sa_handler = check_watchdog};
  sigaction(SIGALRM, &watch, NULL);
  alarm(CHECK_SECONDS);
  int code;
  if (t->forked) {
    check_forked = fork();
    if (check_forked < 0) {
      say("FAIL %s: fork: %s\n", t->name, strerrorname_np(errno));
      check_failures++;
      return;
    }
    if (check_forked == 0) {
      signal(SIGALRM, SIG_DFL);
      check_pid = getpid();
      check_tid = syscall(SYS_gettid);
      code = sigsetjmp(check_env, 1);
      if (code == 0) t->run();
      _exit(code == 2 ? 77 : code);
    }
    int status;
    while (waitpid(check_forked, &status, 0) < 0 && errno == EINTR) {
    }
    code = WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    if (code == 77) code = 2;
    if (WIFSIGNALED(status)) say("FAIL %s: killed by SIG%s\n", t->name, sigabbrev_np(WTERMSIG(status)));
  } else {
    code = sigsetjmp(check_env, 1);
    if (code == 0) t->run();
  }
  alarm(0);
  if (code == 0) say("%s: ok\n", t->name);
  if (code != 0 && code != 2) check_failures++;
}

#ifndef CHECK_OWN_MAIN
int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "-l") == 0) {
    for (int i = 0; i < check_count; i++) say("%s\n", check_list[i].name);
    return 0;
  }
  check_pid = getpid();
  check_tid = syscall(SYS_gettid);
  umask(022);
  char dir[] = "/tmp/vedette-guest-XXXXXX";
  if (mkdtemp(dir) == NULL || chdir(dir) < 0 || chmod(dir, 0755) < 0) {
    say("FAIL no test folder: %s\n", strerrorname_np(errno));
    return 1;
  }
  strcpy(check_dir, dir);
  for (int i = 0; i < check_count; i++) {
    bool wanted = argc == 1;
    for (int a = 1; a < argc; a++) wanted |= strcmp(argv[a], check_list[i].name) == 0;
    if (wanted) check_run(&check_list[i]);
  }
  check_cleanup();
  return check_failures > 0;
}
#endif
