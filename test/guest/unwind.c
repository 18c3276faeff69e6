// Unwinders find their way through signal handlers: by tables where the C library's restorer has some, else by its bytes.
#include "check.h"
#include <execinfo.h>

static volatile int frames;

static void count_frames(int sig) {
  (void)sig;
  void *list[64];
  frames = backtrace(list, COUNT(list));
}

static __attribute__((noinline)) int descend(int levels) {
  if (levels == 0) {
    raise(SIGUSR1);
    return frames;
  }
  int found = descend(levels - 1);
  __asm__ volatile("" ::: "memory");
  return found;
}

SUBTEST(through_the_restorer_of_the_c_library) {
  signal(SIGUSR1, count_frames);
  int first = descend(10);
  CHECK(first > 12);
  for (int i = 0; i < 300; i++) CHECK_EQ(descend(10), first);
}

// What musl has: no tables, and unwinders look at the bytes.
extern const unsigned char bare_restorer[];
__asm__(
    ".text\n"
    ".p2align 4\n"
    "nop\n"
    "bare_restorer:\n"
    "  mov $15, %rax\n"
    "  syscall\n");

static volatile int handled;
static void handle(int sig) {
  (void)sig;
  handled++;
}

SUBTEST(a_restorer_without_tables_keeps_its_bytes) {
  struct {
    void (*handler)(int);
    unsigned long flags;
    const unsigned char *restorer;
    unsigned long mask;
  } action = {handle, 0x04000000 /* SA_RESTORER */, bare_restorer, 0};
  OK(syscall(SYS_rt_sigaction, SIGUSR2, &action, NULL, 8));
  for (int i = 0; i < 300; i++) raise(SIGUSR2);
  CHECK_EQ(handled, 300);
  CHECK(memcmp(bare_restorer, "\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05", 9) == 0);
}

SUBTEST(masks_flags_and_nested_handlers_after_many) {
  signal(SIGUSR1, handle);
  signal(SIGUSR2, handle);
  for (int i = 0; i < 200; i++) raise(SIGUSR1);
  sigset_t both, before, now;
  sigemptyset(&both);
  sigaddset(&both, SIGUSR1);
  sigaddset(&both, SIGUSR2);
  OK(sigprocmask(SIG_BLOCK, &both, &before));
  for (int i = 0; i < 200; i++) {
    raise(SIGUSR1);
    raise(SIGUSR2);
    int was = handled;
    OK(sigsuspend(&before) < 0 && errno == EINTR ? 0 : -1);
    CHECK_EQ(handled, was + 2);
    OK(sigprocmask(SIG_SETMASK, NULL, &now));
    CHECK(sigismember(&now, SIGUSR1) && sigismember(&now, SIGUSR2));
  }
  OK(sigprocmask(SIG_SETMASK, &before, NULL));
}
