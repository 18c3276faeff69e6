// Times whole programs. Usage: repeat NAME COUNT COMMAND [ARG...]
// Runs the command once to warm up, then COUNT times, and prints "NAME NANOSECONDS" for each. The command's output is
// dropped. A shell loop around date(1) would add the making of two processes to every figure.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: repeat NAME COUNT COMMAND [ARG...]\n");
    return 2;
  }
  posix_spawn_file_actions_t to_null;
  posix_spawn_file_actions_init(&to_null);
  posix_spawn_file_actions_addopen(&to_null, 1, "/dev/null", O_WRONLY, 0);
  int count = atoi(argv[2]);
  for (int i = 0; i <= count; i++) {
    double start = now_ns();
    pid_t child;
    int error = posix_spawnp(&child, argv[3], &to_null, 0, argv + 3, environ);
    if (error != 0) {
      fprintf(stderr, "%s: %s: %s\n", argv[1], argv[3], strerror(error));
      return 1;
    }
    int status;
    if (waitpid(child, &status, 0) != child) return 1;
    double ns = now_ns() - start;
    if (status != 0) {
      if (WIFSIGNALED(status)) fprintf(stderr, "%s: ended by signal %d\n", argv[1], WTERMSIG(status));
      else fprintf(stderr, "%s: exit status %d\n", argv[1], WEXITSTATUS(status));
      return 1;
    }
    if (i > 0) printf("%s %.0f\n", argv[1], ns);
    fflush(stdout);
  }
  return 0;
}
