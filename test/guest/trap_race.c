// Breakpoints of one thread beside mapping changes of another and signals between them, in two processes at once: what
// was unmapped must fault, and no breakpoint is lost.
#include "check.h"

#include <pthread.h>

enum { PAGES = 64, ROUNDS = 1200 };

static pid_t main_tid;
static int signal_sent;
static volatile int stop, readable, refused;
static volatile long breakpoints, sent;
static __thread sigjmp_buf away;
static __thread volatile sig_atomic_t probing;

static void on_trap(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)context;
  if (info->si_code > 0) breakpoints++;
  else sent++;
}

static void on_fault(int sig) {
  (void)sig;
  if (!probing) _exit(99);
  siglongjmp(away, 1);
}

static int can_read(const volatile char *at) {
  volatile int yes = 0;
  probing = 1;
  if (sigsetjmp(away, 1) == 0) {
    (void)*at;
    yes = 1;
  }
  probing = 0;
  return yes;
}

static void *mapper(void *arg) {
  (void)arg;
  char *at = mmap(0, PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < ROUNDS; i++) {
    char *p = mmap(at, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (p != at) refused++;
    else for (int k = 0; k < PAGES; k++) at[k * PAGE] = (char)i;
    syscall(SYS_tgkill, getpid(), main_tid, signal_sent);
    munmap(at, PAGES * PAGE);
    if (can_read(at + (PAGES - 1) * PAGE)) readable++;
  }
  stop = 1;
  return 0;
}

/** The number of breakpoints whose handler had not run, or had run twice, when the next instruction did. */
static long race(int sig) {
  signal_sent = sig;
  main_tid = (pid_t)syscall(SYS_gettid);
  struct sigaction sa;
  memset(&sa, 0, sizeof sa);
  sa.sa_sigaction = on_trap;
  sa.sa_flags = SA_SIGINFO;
  OK(sigaction(SIGTRAP, &sa, 0));
  OK(sigaction(SIGUSR2, &sa, 0));
  sa.sa_flags = SA_NODEFER;
  sa.sa_handler = on_fault;
  OK(sigaction(SIGSEGV, &sa, 0));
  pthread_t thread;
  CHECK(pthread_create(&thread, 0, mapper, 0) == 0);
  long wrong = 0;
  while (!stop) {
    long before = breakpoints;
    __asm__ volatile("int3" ::: "memory");
    if (breakpoints != before + 1) wrong++;
  }
  pthread_join(thread, 0);
  CHECK_EQ(readable, 0);
  CHECK_EQ(refused, 0);
  CHECK(sent > 0);
  return wrong;
}

static void two(int sig) {
  pid_t a = SPAWN({
    // A signal that is sent may take the place of the same one of a breakpoint: only other ones are counted.
    long wrong = race(sig);
    if (sig != SIGTRAP) CHECK_EQ(wrong, 0);
  });
  pid_t b = SPAWN({
    long wrong = race(sig);
    if (sig != SIGTRAP) CHECK_EQ(wrong, 0);
  });
  CHECK_EQ(child_result(a), 0);
  CHECK_EQ(child_result(b), 0);
}

SUBTEST(breakpoints_and_signals) { two(SIGUSR2); }
SUBTEST(breakpoints_and_sent_traps) { two(SIGTRAP); }
