// futex(2): which words are one, in memory of one's own, of files and shared, with FUTEX_PRIVATE_FLAG and without.
#include "check.h"
#include <linux/futex.h>
#include <pthread.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

static long futex(void *word, int op, uint32_t value, const void *time, void *word2, uint32_t value3) {
  return syscall(SYS_futex, word, op, value, time, word2, value3);
}

// A thread that waits, with FUTEX_PRIVATE_FLAG or without, not for ever.
struct sleeper {
  pthread_t thread;
  void *word;
  int op;
  volatile pid_t tid;
  volatile long result;
};

static void *sleeping(void *arg) {
  struct sleeper *s = arg;
  struct timespec t = {5, 0};
  s->tid = syscall(SYS_gettid);
  if (s->op & 0x1000) {
    struct futex_waitv w = {0, (uintptr_t)s->word, FUTEX_32 | (s->op & FUTEX_PRIVATE_FLAG), 0};
    s->result = syscall(SYS_futex_waitv, &w, 1, 0, NULL, CLOCK_MONOTONIC);
  } else s->result = futex(s->word, s->op, 0, &t, NULL, 0);
  if (s->result < 0) s->result = -errno;
  return NULL;
}

static struct sleeper *asleep(void *word, int op) {
  struct sleeper *s = calloc(1, sizeof *s);
  s->word = word;
  s->op = op;
  CHECK(pthread_create(&s->thread, NULL, sleeping, s) == 0);
  while (s->tid == 0) sleep_ms(1);
  wait_blocked(s->tid);
  return s;
}

static void woken(struct sleeper *s) {
  CHECK(pthread_join(s->thread, NULL) == 0);
  CHECK_EQ(s->result, 0);
  free(s);
}

static int wake(void *word, int flag) { return futex(word, FUTEX_WAKE | flag, 9, NULL, NULL, 0); }

// Who waits at `a` with one flag: is it met by a wake at `b` with the other, or the same?
static void meet(const char *title, void *a, void *b) {
  char line[100] = "";
  for (int waits = 0; waits < 2; waits++)
    for (int wakes = 0; wakes < 2; wakes++) {
      struct sleeper *s = asleep(a, FUTEX_WAIT | (waits ? FUTEX_PRIVATE_FLAG : 0));
      int n = wake(b, wakes ? FUTEX_PRIVATE_FLAG : 0);
      snprintf(line + strlen(line), 30, " %s-%s %d", waits ? "private" : "shared", wakes ? "private" : "shared", n);
      if (n != 1) CHECK_EQ(OK(wake(a, waits ? FUTEX_PRIVATE_FLAG : 0)), 1);
      woken(s);
    }
  say("%s:%s\n", title, line);
}

static char *map(int prot, int flags, int fd, off_t at) { return OK(mmap(NULL, PAGE, prot, flags, fd, at)); }

static int file_of_pages(const char *name, int pages) {
  int fd = OK(open(name, O_RDWR | O_CREAT, 0644));
  OK(ftruncate(fd, pages * PAGE));
  return fd;
}

#define RW (PROT_READ | PROT_WRITE)

SUBTEST_FORK(own_memory) {
  static uint32_t word[2];
  meet("static", word, word);
  char *at = map(RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  meet("anonymous", at, at);
  meet("its neighbour", at, at + 4);
  uint32_t local = 0;
  meet("stack", &local, &local);
}

SUBTEST_FORK(waiting_for_many) {
  static uint32_t word;
  for (int waits = 0; waits < 2; waits++)
    for (int wakes = 0; wakes < 2; wakes++) {
      struct sleeper *s = asleep(&word, 0x1000 | (waits ? FUTEX_PRIVATE_FLAG : 0));
      CHECK_EQ(OK(wake(&word, wakes ? FUTEX_PRIVATE_FLAG : 0)), waits == wakes);
      if (waits != wakes) CHECK_EQ(OK(wake(&word, waits ? FUTEX_PRIVATE_FLAG : 0)), 1);
      woken(s);
    }
}

SUBTEST_FORK(requeued) {
  static uint32_t word[2];
  struct sleeper *s = asleep(word, FUTEX_WAIT_PRIVATE);
  CHECK_EQ(OK(futex(word, FUTEX_REQUEUE, 0, (void *)9, word + 1, 0)), 0);
  CHECK_EQ(OK(futex(word, FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)9, word + 1, 0)), 1);
  CHECK_EQ(OK(wake(word + 1, 0)), 0);
  CHECK_EQ(OK(futex(word, FUTEX_WAKE_OP, 9, (void *)9, word + 1, FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_EQ, 0))), 0);
  CHECK_EQ(OK(wake(word + 1, FUTEX_PRIVATE_FLAG)), 1);
  woken(s);
}

SUBTEST_FORK(shared_memory) {
  char *at = map(RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  meet("anonymous", at, at);
  int fd = file_of_pages("f", 4);
  char *a = map(RW, MAP_SHARED, fd, PAGE), *b = map(RW, MAP_SHARED, fd, PAGE);
  char *other = map(RW, MAP_SHARED, fd, 2 * PAGE);
  meet("file", a, a);
  meet("file, twice", a + 8, b + 8);
  meet("another page", a + 8, other + 8);
  meet("another word", a + 8, b + 12);
  meet("through a read-only mapping", a, map(PROT_READ, MAP_SHARED, fd, PAGE));
  meet("another file", a, map(RW, MAP_SHARED, file_of_pages("g", 4), PAGE));
  OK(link("f", "f2"));
  meet("another name", a, map(RW, MAP_SHARED, OK(open("f2", O_RDWR)), PAGE));
  char *whole = OK(mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0));
  meet("another start", whole + PAGE + 4, a + 4);
}

SUBTEST_FORK(files_mapped_privately) {
  int fd = file_of_pages("f", 4);
  char *shared = map(RW, MAP_SHARED, fd, PAGE);
  char *rw = map(RW, MAP_PRIVATE, fd, PAGE);
  char *ro = map(PROT_READ, MAP_PRIVATE, fd, PAGE);
  meet("writable", rw, rw);
  meet("writable, and shared", rw, shared);
  meet("read-only", ro, ro);
  meet("read-only, and shared", ro, shared);
  meet("shared, and read-only", shared, ro);
  meet("read-only, and another", ro, map(PROT_READ, MAP_PRIVATE, fd, PAGE));
  meet("read-only, and writable", ro, rw);
}

SUBTEST_FORK(words_that_cannot_change) {
  char *never = map(PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK_ERR(wake(never, 0), EFAULT);
  CHECK_ERR(futex(never, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
  CHECK_ERR(futex(never, FUTEX_WAIT, 1, NULL, NULL, 0), EFAULT);
  CHECK_ERR(futex(never, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0), EAGAIN);
  CHECK_EQ(OK(wake(never, FUTEX_PRIVATE_FLAG)), 0);
  char *once = map(RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  once[0] = 1;
  OK(mprotect(once, PAGE, PROT_READ));
  CHECK_ERR(wake(once, 0), EFAULT);
  CHECK_EQ(OK(wake(once, FUTEX_PRIVATE_FLAG)), 0);
  char *copied = map(RW, MAP_PRIVATE, file_of_pages("f", 1), 0);
  copied[0] = 1;
  OK(mprotect(copied, PAGE, PROT_READ));
  CHECK_ERR(wake(copied, 0), EFAULT);
  CHECK_EQ(OK(wake(copied, FUTEX_PRIVATE_FLAG)), 0);
  char *none = map(PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK_ERR(wake(none, 0), EFAULT);
  CHECK_EQ(OK(wake(none, FUTEX_PRIVATE_FLAG)), 0);
  CHECK_EQ(OK(wake(map(PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0), 0)), 0);
}

static uint32_t tid_word;
static char thread_stack[65536];
static int leave(void *arg) {
  sleep_ms(300);
  syscall(SYS_exit, (long)arg);
  return 0;
}

// What the kernel wakes when a thread ends is named without FUTEX_PRIVATE_FLAG.
SUBTEST_FORK(cleared_thread_id) {
  for (int own = 0; own < 2; own++) {
    tid_word = 1;
    OK(clone(leave, thread_stack + sizeof thread_stack,
             CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID, NULL,
             NULL, NULL, &tid_word));
    struct timespec t = {own ? 1 : 10, 0};
    long r = futex(&tid_word, own ? FUTEX_WAIT_PRIVATE : FUTEX_WAIT, 1, &t, NULL, 0);
    say("%s: %s\n", own ? "private" : "shared", r == 0 ? "woken" : strerrorname_np(errno));
    CHECK_EQ(__atomic_load_n(&tid_word, __ATOMIC_SEQ_CST), 0);
  }
}
