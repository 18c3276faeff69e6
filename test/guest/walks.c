// build: -static
// What docs/walks.md follows, each by its name and all without one (test/walks.test.ts). Static, and short: nothing else of the
// kind happens on the way.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile sig_atomic_t handled;

static void on_signal(int sig) { handled = sig; }

static int write_walk(void) {
  int fds[2];
  return pipe(fds) == 0 && write(fds[1], "x", 1) == 1;
}

static int fault_walk(void) {
  int fd = memfd_create("walk", 0);
  if (fd < 0 || ftruncate(fd, 4096) != 0) return 0;
  volatile char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  return p != MAP_FAILED && *p == 0;
}

static int signal_walk(void) {
  struct sigaction sa = {.sa_handler = on_signal};
  return sigaction(SIGUSR1, &sa, NULL) == 0 && kill(getpid(), SIGUSR1) == 0 && handled == SIGUSR1;
}

/* The file was not asked for before. One name, so that one is looked up. */
static int open_walk(void) { return chdir("/etc") == 0 && open("passwd", O_RDONLY) >= 0; }

static const struct {
  const char *name;
  int (*walk)(void);
} walks[] = {{"write", write_walk}, {"fault", fault_walk}, {"signal", signal_walk}, {"open", open_walk}};

int main(int argc, char **argv) {
  int done = 0;
  for (unsigned i = 0; i < sizeof walks / sizeof *walks; i++) {
    if (argc > 1 && strcmp(argv[1], walks[i].name) != 0) continue;
    if (!walks[i].walk()) {
      fprintf(stderr, "%s failed\n", walks[i].name);
      return 1;
    }
    done++;
  }
  return done > 0 ? 0 : 2;
}
