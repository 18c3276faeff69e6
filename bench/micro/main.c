// Microbenchmarks of system calls. Usage: micro FOLDER WARM_MS ROUND_MS ROUNDS CASE...
// Prints one line "CASE NANOSECONDS" per round: the mean of one operation in that round.
// micro --first MS prints what a call costs in the program's first moments, micro --spin keeps a cpu busy.
#define _GNU_SOURCE
#include "micro.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

char work_dir[4096];
char self_path[4096];
static const char *current = "start";

static const struct bench *const groups[] = {call_cases, file_cases, memory_cases, wait_cases, network_cases, process_cases};

void die(const char *what) {
  fprintf(stderr, "%s: %s: %s\n", current, what, strerror(errno));
  exit(1);
}

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

// Warming up ends when a batch takes this much of the one before, or after so many times what was asked for.
#define STEADY 0.85
#define MOST_WARM 8

static double timed(const struct bench *b, long count) {
  double start = now_ns();
  for (long i = 0; i < count; i++) b->op(b->arg);
  return now_ns() - start;
}

static void measure(const struct bench *b, double warm_ns, double round_ns, int rounds) {
  // Doubling batches warm caches, and the compilers of a kernel in JavaScript, which go on in the background: as long as
  // a batch is much faster than the one before, warming up goes on. The last batch sizes the rounds.
  double spent = 0, last = 0;
  long batch = 1;
  for (double before = 0;; batch *= 2) {
    last = timed(b, batch);
    spent += last;
    double each = last / batch;
    if (spent >= MOST_WARM * warm_ns || (spent >= warm_ns && each > STEADY * before)) break;
    before = each;
  }
  long count = (long)(round_ns / (last / batch)) + 1;
  for (int r = 0; r < rounds; r++) printf("%s %.1f\n", b->name, timed(b, count) / count);
  fflush(stdout);
}

/** No warming up: what a short program pays. The clock is read seldom, since where it is a call it counts as well. */
static void first_calls(double for_ns) {
  long count = 0;
  double start = now_ns(), took;
  do {
    for (int i = 0; i < 64; i++) syscall(SYS_getppid);
    count += 64;
  } while ((took = now_ns() - start) < for_ns);
  printf("first_calls %.1f\n", took / count);
}

static const struct bench *find(const char *name) {
  for (size_t g = 0; g < sizeof groups / sizeof *groups; g++)
    for (const struct bench *b = groups[g]; b->name != 0; b++)
      if (strcmp(b->name, name) == 0) return b;
  return 0;
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "--exit") == 0) return 0;
  if (argc > 2 && strcmp(argv[1], "--first") == 0) {
    first_calls(1e6 * atof(argv[2]));
    return 0;
  }
  if (argc > 1 && strcmp(argv[1], "--spin") == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) __asm__ volatile("");
  }
  if (argc < 6) {
    fprintf(stderr, "usage: micro FOLDER WARM_MS ROUND_MS ROUNDS CASE...\n");
    return 2;
  }
  if (readlink("/proc/self/exe", self_path, sizeof self_path - 1) < 0) die("readlink /proc/self/exe");
  snprintf(work_dir, sizeof work_dir, "%s/micro-XXXXXX", argv[1]);
  if (mkdtemp(work_dir) == 0) die("mkdtemp");
  // What a kernel learns when a program begins (where its threads shall run, which code is hot) is no case's cost.
  for (double start = now_ns(); now_ns() - start < 3e6 * atof(argv[2]);) syscall(SYS_getppid);
  for (int i = 5; i < argc; i++) {
    const struct bench *b = find(argv[i]);
    if (b == 0) {
      fprintf(stderr, "no case %s\n", argv[i]);
      return 2;
    }
    current = b->name;
    if (b->setup != 0) b->setup();
    measure(b, atof(argv[2]) * 1e6, atof(argv[3]) * 1e6, atoi(argv[4]));
    if (b->teardown != 0) b->teardown();
  }
  rmdir(work_dir);
  return 0;
}
