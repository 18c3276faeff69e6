// Several signals at once for a thread that computes or makes calls: each is delivered, and the thread goes on.
#include "check.h"
#include <pthread.h>

static volatile long delivered;
static volatile unsigned long work;
static volatile pid_t target;
static volatile int makes_calls, stop;

// One add in memory: another signal may come in the middle of a handler (SA_NODEFER), and a count in two steps would lose it.
static void on_signal(int sig) { __atomic_fetch_add(&delivered, sig > 0, __ATOMIC_RELAXED); }
static void *run(void *unused) {
  target = gettid();
  while (!stop) {
    for (int i = 0; i < 1000; i++) work++;
    if (makes_calls) syscall(SYS_getppid);
  }
  return unused;
}

static void burst(int calls, int signals) {
  struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_NODEFER | SA_RESTART};
  for (int sig = SIGRTMIN; sig < SIGRTMIN + 8; sig++) OK(sigaction(sig, &act, NULL));
  delivered = stop = target = 0;
  makes_calls = calls;
  pthread_t thread;
  CHECK_EQ(pthread_create(&thread, 0, run, 0), 0);
  while (!target) sched_yield();
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  for (long round = 1; round <= 300; round++) {
    for (int i = 0; i < signals; i++) OK(tgkill(getpid(), target, SIGRTMIN + i));
    while (delivered < round * signals) sched_yield();
  }
  stop = 1;
  CHECK_EQ(pthread_join(thread, 0), 0);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  CHECK_EQ(delivered, 300 * signals);
}

SUBTEST(one_at_a_time) { burst(0, 1); }
SUBTEST(four_for_a_computing_thread) { burst(0, 4); }
SUBTEST(eight_for_a_computing_thread) { burst(0, 8); }
SUBTEST(eight_for_a_calling_thread) { burst(1, 8); }
