// What the host asks for a stop under ptrace, in C, tracer and tracee on one cpu: the floor of the ptrace platform.
// Prints "bare N" (PTRACE_SYSEMU and wait4) and "registers N" (PTRACE_GETREGS and PTRACE_SETREGS as well), in ns.
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 9
#define CALLS 5000

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

int main(void) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  sched_setaffinity(0, sizeof one, &one);
  struct sigaction quiet = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP};
  sigaction(SIGCHLD, &quiet, 0);
  pid_t child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    for (;;) syscall(SYS_getppid);
  }
  int status;
  waitpid(child, &status, 0);
  ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  struct user_regs_struct regs;
  ptrace(PTRACE_SYSEMU, child, 0, 0);
  waitpid(-1, &status, __WALL);
  for (int with_regs = 0; with_regs < 2; with_regs++) {
    double t[ROUNDS];
    for (int r = 0; r < ROUNDS; r++) {
      double start = now_ns();
      for (int i = 0; i < CALLS; i++) {
        if (with_regs) {
          ptrace(PTRACE_GETREGS, child, 0, &regs);
          ptrace(PTRACE_SETREGS, child, 0, &regs);
        }
        ptrace(PTRACE_SYSEMU, child, 0, 0);
        waitpid(-1, &status, __WALL);
      }
      t[r] = (now_ns() - start) / CALLS;
    }
    qsort(t, ROUNDS, sizeof *t, by_value);
    printf("%s %.1f\n", with_regs ? "registers" : "bare", t[ROUNDS / 2]);
  }
  kill(child, SIGKILL);
  return 0;
}
