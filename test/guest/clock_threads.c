// Clocks read in user space never go back, whichever thread reads them and while the kernel adjusts their rate.
// VEDETTE_SECONDS says for how long; a minute in the long tests.
#define CHECK_SECONDS 120
#include "check.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>

#define THREADS 4

static _Atomic long long newest[2];
static _Atomic long steps_back, reads, stop;
static const clockid_t clocks[] = {CLOCK_MONOTONIC, CLOCK_BOOTTIME};

static long long now_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

// What another thread has published was read before: a later reading must not be smaller.
static void *read_clocks(void *unused) {
  long n = 0;
  while (!stop) {
    for (unsigned i = 0; i < COUNT(clocks); i++) {
      long long seen = newest[i];
      long long now = now_ns(clocks[i]);
      if (now < seen) steps_back++;
      while (now > seen && !atomic_compare_exchange_weak(&newest[i], &seen, now));
      n++;
    }
  }
  reads += n;
  return unused;
}

SUBTEST(never_back_across_threads) {
  const char *text = getenv("VEDETTE_SECONDS");
  int seconds = text ? atoi(text) : 2;
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) CHECK_EQ(pthread_create(&threads[i], 0, read_clocks, 0), 0);
  long long end = now_ns(CLOCK_MONOTONIC) + seconds * 1000000000LL;
  // System calls see the same line as the readings in user space.
  while (now_ns(CLOCK_MONOTONIC) < end) {
    long long seen = newest[0];
    struct timespec t;
    OK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t));
    if (t.tv_sec * 1000000000LL + t.tv_nsec < seen) steps_back++;
    usleep(1000);
  }
  stop = 1;
  for (int i = 0; i < THREADS; i++) CHECK_EQ(pthread_join(threads[i], 0), 0);
  CHECK(reads > 1000);
  CHECK_EQ(steps_back, 0);
}

static volatile long long last_in_handler;
static volatile int interrupted;
static void read_in_handler(int sig) {
  (void)sig;
  interrupted++;
  long long now = now_ns(CLOCK_MONOTONIC);
  if (now < last_in_handler) steps_back++;
  last_in_handler = now;
}

// A signal finds the thread at any instruction of a reading, reads the clock itself, and the reading goes on.
SUBTEST_FORK(readings_are_interrupted) {
  struct sigaction sa = {.sa_handler = read_in_handler};
  OK(sigaction(SIGALRM, &sa, NULL));
  struct itimerval often = {{0, 1000}, {0, 1000}}, off = {{0, 0}, {0, 0}};
  OK(setitimer(ITIMER_REAL, &often, NULL));
  long long before = 0, now = 0;
  for (; interrupted < 200; before = now) {
    long long seen = last_in_handler;
    now = now_ns(CLOCK_MONOTONIC);
    if (now < before || now < seen) steps_back++;
    struct timeval tv;
    OK(gettimeofday(&tv, NULL));
    CHECK(tv.tv_usec >= 0 && tv.tv_usec < 1000000);
  }
  OK(setitimer(ITIMER_REAL, &off, NULL));
  CHECK_EQ(steps_back, 0);
}

static sigjmp_buf bad_place;
static void *volatile bad_address;
static void on_bad_place(int sig, siginfo_t *info, void *context) {
  bad_address = info->si_addr;
  siglongjmp(bad_place, 1);
}

// Whoever writes the result, be it code of the kernel's: pages that are not there yet, shared with a parent, or no place.
SUBTEST_FORK(results_go_anywhere) {
  static const clockid_t all[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};
  for (int i = 0; i < 2; i++) {
    struct timespec *fresh = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    OK(clock_gettime(all[i], fresh));
    CHECK(fresh->tv_sec > 0);
    CHILD {
      OK(clock_gettime(all[i], fresh));
      CHECK(fresh->tv_sec > 0);
    }
    OK(mprotect(fresh, 4096, PROT_READ));
    struct sigaction sa = {.sa_sigaction = on_bad_place, .sa_flags = SA_SIGINFO | SA_NODEFER};
    OK(sigaction(SIGSEGV, &sa, NULL));
    struct timespec *places[] = {fresh, (struct timespec *)0x18};
    for (int k = 0; k < 2; k++) {
      bad_address = NULL;
      // A system call would say EFAULT.
      if (sigsetjmp(bad_place, 1) == 0) CHECK_ERR(clock_gettime(all[i], places[k]), EFAULT);
      else CHECK((char *)bad_address >= (char *)places[k] && (char *)bad_address < (char *)places[k] + 16);
    }
    OK(munmap(fresh, 4096));
  }
}

SUBTEST(coarse_clocks_follow) {
  for (int i = 0; i < 1000; i++) {
    long long coarse = now_ns(CLOCK_MONOTONIC_COARSE), fine = now_ns(CLOCK_MONOTONIC);
    CHECK(coarse <= fine && fine - coarse < 1000000000LL);
    coarse = now_ns(CLOCK_REALTIME_COARSE), fine = now_ns(CLOCK_REALTIME);
    CHECK(coarse <= fine && fine - coarse < 1000000000LL);
  }
}
