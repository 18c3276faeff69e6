// Calls that change many pages at once, beside threads that use the same memory: to all others each is one piece. Rights that
// a call takes away are gone when it returns, what fork(2) has shared nobody changes, and who dies in the middle leaves nothing.
#define CHECK_SECONDS 60
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>

#define MIB (1L << 20)
// More than one slice, with room for the copies that a fork brings.
#define LONG (160 * MIB)
#define PAGES (LONG / PAGE)

static char *memory(long size) {
  char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  CHECK(p != MAP_FAILED);
  return p;
}

static _Atomic long *word(char *p, long page) { return (_Atomic long *)(p + page * PAGE); }

static char *shared_by_threads;
static atomic_bool stop;

// Counts up in page after page: each is at most one ahead of the next.
static void *counts(void *arg) {
  (void)arg;
  for (long n = 1; !stop; n++)
    for (long i = 0; i < PAGES && !stop; i++) atomic_store(word(shared_by_threads, i), n);
  return NULL;
}

// A child has pages as they were at some moment during the fork, and keeps them.
SUBTEST_FORK(fork_beside_a_writer) {
  shared_by_threads = memory(LONG);
  pthread_t thread;
  OK0(pthread_create(&thread, NULL, counts, NULL));
  for (int round = 0; round < 4; round++) {
    long before = atomic_load(word(shared_by_threads, 0));
    pid_t child = OK(fork());
    if (child == 0) {
      static long seen[PAGES];
      for (long i = 0; i < PAGES; i++) seen[i] = *word(shared_by_threads, i);
      for (int again = 0; again < 3; again++) {
        usleep(2000);
        for (long i = 0; i < PAGES; i++)
          if (*word(shared_by_threads, i) != seen[i]) _exit(1);
      }
      if (seen[0] < before) _exit(2);
      _exit(0);
    }
    long after = atomic_load(word(shared_by_threads, 0));
    CHECK(after >= before);
    CHECK_EQ(child_result(child), 0);
  }
  stop = true;
  OK0(pthread_join(thread, NULL));
  // Nothing that was written here went to a child's copy.
  long top = *word(shared_by_threads, 0);
  for (long i = 0; i < PAGES; i++) {
    long n = *word(shared_by_threads, i);
    CHECK(n == top || n == top - 1);
  }
}

// Two of them fork, and the children of both have it all.
static void *forks(void *arg) {
  (void)arg;
  for (int i = 0; i < 3; i++) {
    pid_t child = fork();
    if (child < 0) return "fork";
    if (child == 0) {
      for (long k = 0; k < PAGES; k++)
        if (*word(shared_by_threads, k) != k) _exit(1);
      _exit(0);
    }
    int status;
    if (waitpid(child, &status, 0) != child || status != 0) return "child";
  }
  return NULL;
}

SUBTEST_FORK(forks_beside_forks_and_mappings) {
  shared_by_threads = memory(LONG);
  for (long i = 0; i < PAGES; i++) *word(shared_by_threads, i) = i;
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) OK0(pthread_create(&threads[i], NULL, forks, NULL));
  for (int i = 0; i < 50; i++) {
    char *p = memory(16 * PAGE);
    p[PAGE] = 1;
    OK(mprotect(p, PAGE, PROT_READ));
    OK(madvise(p, 16 * PAGE, MADV_DONTNEED));
    CHECK_EQ(p[PAGE], 0);
    OK(munmap(p, 16 * PAGE));
  }
  for (int i = 0; i < 2; i++) {
    void *failed;
    OK0(pthread_join(threads[i], &failed));
    CHECK(failed == NULL);
  }
}

static sigjmp_buf refused;
static volatile sig_atomic_t faults;
static void on_fault(int sig) {
  (void)sig;
  faults++;
  siglongjmp(refused, 1);
}

static bool writable(char *p) {
  if (sigsetjmp(refused, 1) != 0) return false;
  *(volatile char *)p = *(volatile char *)p;
  return true;
}

static atomic_int phase;

// Takes the right to write away and gives it back; in between nobody may write anywhere.
static void *protects(void *arg) {
  (void)arg;
  for (int i = 0; i < 4; i++) {
    if (mprotect(shared_by_threads, LONG, PROT_READ) != 0) return "mprotect";
    atomic_store(&phase, 1);
    while (atomic_load(&phase) == 1) sched_yield();
    if (mprotect(shared_by_threads, LONG, PROT_READ | PROT_WRITE) != 0) return "mprotect back";
    atomic_store(&phase, 3);
    while (atomic_load(&phase) == 3) sched_yield();
  }
  return NULL;
}

SUBTEST_FORK(rights_that_are_gone) {
  shared_by_threads = memory(LONG);
  struct sigaction catch = {.sa_handler = on_fault};
  OK(sigaction(SIGSEGV, &catch, NULL));
  pthread_t thread;
  OK0(pthread_create(&thread, NULL, protects, NULL));
  for (int i = 0; i < 4; i++) {
    // Writes all over while rights go, until one is refused.
    for (unsigned long k = i; atomic_load(&phase) == 0; k = k * 6364136223846793005 + 1442695040888963407)
      writable(shared_by_threads + (k >> 33) % PAGES * PAGE);
    CHECK_EQ(phase, 1);
    for (long k = 0; k < PAGES; k += 97) CHECK(!writable(shared_by_threads + k * PAGE));
    CHECK_ERR(read(open("/dev/zero", O_RDONLY), shared_by_threads + LONG / 2, 8), EFAULT);
    atomic_store(&phase, 2);
    while (atomic_load(&phase) == 2) writable(shared_by_threads);
    for (long k = 0; k < PAGES; k += 97) CHECK(writable(shared_by_threads + k * PAGE));
    atomic_store(&phase, 0);
  }
  OK0(pthread_join(thread, NULL));
}

// What mprotect does before it fails, and that it fails.
SUBTEST_FORK(mprotect_over_a_gap) {
  char *p = memory(LONG);
  OK(munmap(p + LONG - 4 * PAGE, PAGE));
  struct sigaction catch = {.sa_handler = on_fault};
  OK(sigaction(SIGSEGV, &catch, NULL));
  CHECK_ERR(mprotect(p, LONG, PROT_READ), ENOMEM);
  CHECK(!writable(p));
  CHECK(!writable(p + LONG - 5 * PAGE));
  CHECK(writable(p + LONG - PAGE));
}

static void *reads_and_writes(void *arg) {
  (void)arg;
  for (unsigned long k = 1; !stop; k = k * 6364136223846793005 + 1442695040888963407) {
    long page = (k >> 33) % PAGES;
    if (*word(shared_by_threads, page) < page) return "lost";
    atomic_fetch_add(word(shared_by_threads, page), PAGES);
  }
  return NULL;
}

static long place(char *from, char *to, long size) {
  return syscall(SYS_mremap, from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to);
}

// Pages that move, where leaves of page tables do and where they do not, beside threads that change mappings elsewhere.
SUBTEST_FORK(mremap_keeps_all) {
  char *room = mmap(NULL, 4 * LONG, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  CHECK(room != MAP_FAILED);
  char *even = (char *)(((uintptr_t)room + 2 * MIB) & -(uintptr_t)(2 * MIB));
  char *p = memory(LONG);
  for (long i = 0; i < PAGES; i++) *word(p, i) = i;
  shared_by_threads = memory(LONG);
  for (long i = 0; i < PAGES; i++) *word(shared_by_threads, i) = i;
  pthread_t thread;
  OK0(pthread_create(&thread, NULL, reads_and_writes, NULL));
  char *places[] = {even, even + LONG + 3 * PAGE, even + 2 * LONG + 2 * MIB, even + 1 * PAGE};
  for (int round = 0; round < 4; round++) {
    CHECK_EQ(OK(place(p, places[round], LONG)), (long)places[round]);
    p = places[round];
    for (long i = 0; i < PAGES; i++) CHECK_EQ(*word(p, i), i);
  }
  // Grown, where it cannot grow in place.
  char *after = mmap(p + LONG, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  CHECK(after == p + LONG);
  CHECK_ERR(mremap(p, LONG, LONG + MIB, 0), ENOMEM);
  char *q = mremap(p, LONG, LONG + MIB, MREMAP_MAYMOVE);
  CHECK(q != MAP_FAILED && q != p);
  for (long i = 0; i < PAGES; i++) CHECK_EQ(*word(q, i), i);
  CHECK_EQ(*word(q, PAGES), 0);
  unsigned char seen;
  CHECK_ERR(mincore(p, PAGE, &seen), ENOMEM);
  stop = true;
  void *failed;
  OK0(pthread_join(thread, &failed));
  CHECK(failed == NULL);
}

// Pages of a file that shrinks during a fork are gone from the child as well.
static int fd;
static void *shrinks(void *arg) {
  (void)arg;
  usleep(1000);
  return ftruncate(fd, PAGE) == 0 ? NULL : "ftruncate";
}

static void on_bus(int sig) {
  (void)sig;
  _exit(42);
}

SUBTEST_FORK(fork_beside_truncation) {
  for (int round = 0; round < 3; round++) {
    fd = OK(memfd_create("long", 0));
    OK(ftruncate(fd, LONG));
    char *p = mmap(NULL, LONG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    CHECK(p != MAP_FAILED);
    p[LONG - PAGE] = 1;
    pthread_t thread;
    OK0(pthread_create(&thread, NULL, shrinks, NULL));
    pid_t child = OK(fork());
    if (child == 0) {
      signal(SIGBUS, on_bus);
      struct stat st;
      do OK(fstat(fd, &st));
      while (st.st_size != PAGE);
      _exit(p[LONG - PAGE]);
    }
    OK0(pthread_join(thread, NULL));
    CHECK_EQ(child_result(child), 42);
    OK(munmap(p, LONG));
    OK(close(fd));
  }
}

static volatile sig_atomic_t ticks;
static void on_tick(int sig) {
  (void)sig;
  ticks++;
}

// Signals that keep coming neither end a fork nor get lost, and one for all processes reaches the child too.
SUBTEST_FORK(fork_beside_signals) {
  char *p = memory(LONG);
  struct sigaction catch = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
  OK(sigaction(SIGALRM, &catch, NULL));
  struct itimerval often = {{0, 3000}, {0, 3000}};
  OK(setitimer(ITIMER_REAL, &often, NULL));
  for (int i = 0; i < 4; i++) {
    pid_t child = OK(fork());
    if (child == 0) _exit(p[LONG - 1]);
    CHECK_EQ(child_result(child), 0);
  }
  while (ticks == 0) usleep(1000);
  struct itimerval never = {{0, 0}, {0, 0}};
  OK(setitimer(ITIMER_REAL, &never, NULL));

  OK(setpgid(0, 0));
  signal(SIGUSR1, SIG_IGN);
  for (int i = 0; i < 6; i++) {
    signal(SIGUSR1, on_tick);
    ticks = 0;
    pid_t sender = SPAWN({
      signal(SIGUSR1, SIG_IGN);
      usleep(500 + 700 * i);
      OK(kill(0, SIGUSR1));
    });
    pid_t child = OK(fork());
    int seen = ticks;
    if (child == 0) {
      for (int k = 0; k < 2000 && ticks == 0; k++) usleep(1000);
      _exit(ticks == 1 ? 0 : 1);
    }
    CHECK_EQ(child_result(sender), 0);
    while (ticks == 0) usleep(1000);
    // Before the fork it was its parent's alone, whose count the child has.
    CHECK_EQ(child_result(child), 0);
    CHECK(seen <= 1 && ticks == 1);
  }
}

// Killed in the middle of each of them: others in the same memory go on, and get what they wait for.
SUBTEST_FORK(who_dies_in_the_middle) {
  for (int i = 0; i < 8; i++) {
    pid_t child = OK(fork());
    if (child == 0) {
      char *p = memory(LONG);
      for (;;) {
        if (i % 2 == 0) {
          pid_t grandchild = fork();
          if (grandchild == 0) _exit(0);
          waitpid(grandchild, NULL, 0);
        } else {
          mprotect(p, LONG, PROT_READ);
          mprotect(p, LONG, PROT_READ | PROT_WRITE);
        }
      }
    }
    usleep(60000 + 3100 * i);
    OK(kill(child, SIGKILL));
    CHECK_EQ(child_result(child), 256 + SIGKILL);
  }
}

static void *protects_for_ever(void *arg) {
  char *p = arg;
  for (;;) {
    mprotect(p, LONG, PROT_READ);
    mprotect(p, LONG, PROT_READ | PROT_WRITE);
  }
  return NULL;
}

// The program is replaced while another thread is in the middle.
SUBTEST_FORK(exec_beside_them) {
  for (int i = 0; i < 6; i++) {
    CHILD {
      char *p = memory(LONG);
      pthread_t thread;
      OK0(pthread_create(&thread, NULL, i % 2 == 0 ? protects_for_ever : forks, p));
      shared_by_threads = p;
      usleep(5000 + 900 * i);
      execl("/bin/true", "true", (char *)NULL);
      _exit(1);
    }
  }
}

// Space for a file is one piece too, and comes whole or not at all.
static void *allocates(void *arg) {
  (void)arg;
  return fallocate(fd, 0, 0, LONG) == 0 ? NULL : "fallocate";
}

SUBTEST_FORK(fallocate_beside_writers) {
  fd = OK(memfd_create("long", 0));
  pthread_t thread;
  for (int i = 0; i < 4; i++) {
    OK0(pthread_create(&thread, NULL, allocates, NULL));
    usleep(500 * i);
    // Behind it or before it: never in the middle, which would leave a size in between.
    OK(ftruncate(fd, PAGE));
    void *failed;
    OK0(pthread_join(thread, &failed));
    CHECK(failed == NULL);
    struct stat st;
    OK(fstat(fd, &st));
    CHECK(st.st_size == PAGE || st.st_size == LONG);
    CHECK(st.st_blocks == PAGE / 512 || st.st_blocks == LONG / 512);
  }
  OK(ftruncate(fd, 0));
  OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, LONG));
  CHECK_EQ(lseek(fd, 0, SEEK_END), 0);
  OK(close(fd));
}

// Megabytes of arguments arrive as they were, in any number of strings.
SUBTEST_FORK(arguments_arrive) {
  struct rlimit limit = {32 * MIB, 32 * MIB};
  OK(setrlimit(RLIMIT_STACK, &limit));
  static char *many[200003];
  many[0] = "sh";
  many[1] = "-c";
  many[2] = "test $# = 199996 && test \"$1\" = 4 && shift 199995 && test \"$1\" = 199999";
  many[3] = "name";
  static char text[200000][8];
  for (int i = 4; i < 200000; i++) {
    snprintf(text[i], sizeof text[i], "%d", i);
    many[i] = text[i];
  }
  CHILD {
    execv("/bin/sh", many);
    _exit(1);
  }
  static char large[130000];
  memset(large, 'v', sizeof large - 1);
  static char *few[32] = {"sh", "-c", "test ${#1} = 129999 && test \"$1\" = \"$8\" && test $# = 20", "name"};
  for (int i = 4; i < 24; i++) few[i] = large;
  CHILD {
    execv("/bin/sh", few);
    _exit(1);
  }
  static char huge[140000];
  memset(huge, 'h', sizeof huge - 1);
  few[5] = huge;
  CHECK_ERR(execv("/bin/sh", few), E2BIG);
  for (int i = 4; i < 200000; i++) many[i] = "a string that makes all of them too much for a program to carry";
  CHECK_ERR(execv("/bin/sh", many), E2BIG);
  few[5] = (char *)8;
  CHECK_ERR(execv("/bin/sh", few), EFAULT);
}
