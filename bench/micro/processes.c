// Making processes and waiting for their end.
#define _GNU_SOURCE
#include "micro.h"

#include <sys/wait.h>
#include <unistd.h>

static void reap(pid_t child) {
  int status;
  if (waitpid(child, &status, 0) != child || status != 0) die("child");
}

static void fork_exit(long arg) {
  (void)arg;
  pid_t child = fork();
  if (child < 0) die("fork");
  if (child == 0) _exit(0);
  reap(child);
}

static void fork_exec(long arg) {
  (void)arg;
  pid_t child = fork();
  if (child < 0) die("fork");
  if (child == 0) {
    execl(self_path, self_path, "--exit", (char *)0);
    _exit(127);
  }
  reap(child);
}

static void vfork_exec(long arg) {
  (void)arg;
  pid_t child = vfork();
  if (child < 0) die("vfork");
  if (child == 0) {
    execl(self_path, self_path, "--exit", (char *)0);
    _exit(127);
  }
  reap(child);
}

const struct bench process_cases[] = {
    {"fork_exit_wait", fork_exit, 0, 0, 0},
    {"fork_exec_wait", fork_exec, 0, 0, 0},
    {"vfork_exec_wait", vfork_exec, 0, 0, 0},
    {0},
};
