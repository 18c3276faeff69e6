// Threads and processes until the sandbox refuses, one way per name.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}
static void become(uid_t uid) {
  if (setgid(uid) != 0 || setuid(uid) != 0) _exit(99);
}
// Forks children that do `what` until it is refused: how many there are.
static int forks(void (*what)(void), int max) {
  int n = 0;
  while (n < max) {
    pid_t pid = fork();
    if (pid < 0) {
      if (errno != EAGAIN) printf("refused: %s\n", strerror(errno));
      break;
    }
    if (pid == 0) {
      what();
      _exit(0);
    }
    n++;
  }
  return n;
}
static void sleeps(void) { for (;;) pause(); }
static void nothing(void) {}
static void *waits(void *gate) {
  pthread_mutex_lock(gate);
  pthread_mutex_unlock(gate);
  return 0;
}
static int make_threads(int max) {
  static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
  static pthread_t all[100000];
  pthread_attr_t a;
  pthread_attr_init(&a);
  pthread_attr_setstacksize(&a, 16384);
  pthread_mutex_lock(&gate);
  int n = 0, error = 0;
  while (n < max && (error = pthread_create(&all[n], &a, waits, &gate)) == 0) n++;
  if (n < max && error != EAGAIN) printf("refused: %s\n", strerror(error));
  pthread_mutex_unlock(&gate);
  for (int i = 0; i < n; i++) pthread_join(all[i], 0);
  return n;
}
static void report(const char *what, int n) {
  printf("%s %d\n", what, n);
  fflush(stdout);
}

// Whoever comes after a user that has taken all it may.
static void users(void) {
  int ready[2];
  if (pipe(ready) != 0) exit(3);
  static const uid_t uids[] = {65534, 1000, 1001, 0};
  for (int i = 0; i < 4; i++) {
    if (fork() == 0) {
      become(uids[i]);
      printf("uid %d: ", uids[i]);
      report("forks", forks(sleeps, 100000));
      if (write(ready[1], "", 1) != 1) exit(3);
      sleeps();
    }
    char c;
    if (read(ready[0], &c, 1) != 1) exit(3);
  }
}
// Whoever comes after a process group that has taken all it may, of the same user.
static void groups(void) {
  int ready[2];
  if (pipe(ready) != 0) exit(3);
  for (int i = 0; i < 2; i++) {
    if (fork() == 0) {
      if (i % 2 ? setsid() < 0 : setpgid(0, 0) != 0) exit(3);
      report("forks", forks(sleeps, 100000));
      if (write(ready[1], "", 1) != 1) exit(3);
      sleeps();
    }
    char c;
    if (read(ready[0], &c, 1) != 1) exit(3);
  }
  report("forks", forks(sleeps, 100000));
}
// One that makes a group for each process, which forks in turn; when all of them have been refused, the first goes on.
static int told[2];
static void leaves_and_forks(void) {
  if (setpgid(0, 0) != 0) _exit(3);
  forks(sleeps, 100000);
  if (write(told[1], "", 1) != 1) _exit(3);
  sleeps();
}
static void many_groups(void) {
  int all[2];
  char c;
  if (pipe(told) != 0 || pipe(all) != 0) exit(3);
  if (fork() == 0) {
    if (setsid() < 0) exit(3);
    int n = forks(leaves_and_forks, 100000);
    while (n-- > 0)
      if (read(told[0], &c, 1) != 1) exit(3);
    if (write(all[1], "", 1) != 1) exit(3);
    sleeps();
  }
  if (read(all[0], &c, 1) != 1) exit(3);
  report("forks", forks(sleeps, 100000));
}
// For ever, each in a group of its own.
static void split_bomb(void) {
  for (;;) {
    setpgid(0, 0);
    if (fork() < 0) usleep(1000);
  }
}
// One process after the other has many threads once, and keeps one.
static void spares(void) {
  int ready[2];
  if (pipe(ready) != 0) exit(3);
  int sum = 0;
  for (int i = 0; i < 64; i++) {
    pid_t pid = fork();
    if (pid < 0) break;
    if (pid == 0) {
      int n = make_threads(20);
      if (write(ready[1], &n, sizeof n) != sizeof n) _exit(3);
      sleeps();
    }
    int n;
    if (read(ready[0], &n, sizeof n) != sizeof n) exit(3);
    sum += n;
  }
  report("threads", sum);
  // And the places come back with the processes.
  signal(SIGTERM, SIG_IGN);
  kill(0, SIGTERM);
  while (wait(0) > 0) {}
  report("threads", make_threads(100));
}
// Threads that come and go need no more places than there are at a time.
static void come_and_go(void) {
  for (int i = 0; i < 100; i++)
    if (make_threads(16) != 16) {
      report("refused in round", i);
      return;
    }
  for (int i = 0; i < 200; i++) {
    pid_t pid = vfork();
    if (pid < 0) {
      report("vfork refused in round", i);
      return;
    }
    if (pid == 0) {
      execl("/bin/true", "true", (char *)0);
      _exit(1);
    }
    waitpid(pid, 0, 0);
  }
  report("all", 0);
}

// Forks, and says the median, the 99th of a hundred and the worst time that fork, exit and wait took. BOMB is a shell command of user 65534, in
// a session of its own; without `other` the one who forks is that user too.
static int compare(const void *a, const void *b) {
  double d = *(const double *)a - *(const double *)b;
  return d < 0 ? -1 : d > 0;
}
static void innocent(int other, double seconds, const char *shell, const char *bomb) {
  static double took[200000];
  int n = 0, refused = 0;
  if (!other) become(65534);
  // The first forks of a sandbox run code that is cold.
  for (int i = 0; i < 200; i++) {
    if (fork() == 0) _exit(0);
    wait(0);
  }
  if (fork() == 0) {
    if (other) become(65534);
    setsid();
    int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(null, 1);
    dup2(null, 2);
    execlp(shell, shell, "-c", bomb, (char *)0);
    _exit(99);
  }
  for (double end = now_ms() + seconds * 1e3; now_ms() < end && n < 200000; usleep(2000)) {
    double start = now_ms();
    pid_t pid = fork();
    if (pid < 0) {
      refused++;
      continue;
    }
    if (pid == 0) _exit(0);
    if (waitpid(pid, 0, 0) != pid) exit(3);
    took[n++] = now_ms() - start;
  }
  qsort(took, n, sizeof *took, compare);
  printf("forks %d refused %d median %.2f most %.2f worst %.2f\n", n, refused, took[n / 2], took[n * 99 / 100], took[n - 1]);
}

// Four processes of a user that compute in one group; a fifth, in a group of its own, is put into theirs at some moment: also
// when it waits for its turn in user mode. Each of them goes on.
static pid_t computes(volatile long *count, volatile int *ready, pid_t group) {
  pid_t pid = fork();
  if (pid == 0) {
    setpgid(0, group);
    become(1000);
    *ready = 1;
    for (;;) ++*count;
  }
  while (!*ready) usleep(1000);
  return pid;
}
static void regroup(int rounds) {
  struct { volatile long count; volatile int ready; } *each =
      mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int starved = 0;
  for (int round = 0; round < rounds; round++) {
    memset(each, 0, 4096);
    pid_t pids[5];
    for (int i = 0; i < 5; i++) pids[i] = computes(&each[i].count, &each[i].ready, i == 0 || i == 4 ? 0 : pids[0]);
    usleep(round * 1500);
    if (setpgid(pids[4], pids[0]) != 0) exit(4);
    long before[5];
    for (int i = 0; i < 5; i++) before[i] = each[i].count;
    // A turn is milliseconds.
    int moved = 0;
    for (double end = now_ms() + 5000; moved < 5 && now_ms() < end; usleep(10000)) {
      moved = 0;
      for (int i = 0; i < 5; i++) moved += each[i].count > before[i] + 1000;
    }
    starved += moved < 5;
    for (int i = 0; i < 5; i++) kill(pids[i], SIGKILL);
    for (int i = 0; i < 5; i++) waitpid(pids[i], 0, 0);
  }
  printf("starved %d of %d\n", starved, rounds);
}

int main(int argc, char **argv) {
  const char *name = argv[1];
  if (strcmp(name, "processes") == 0) {
    report("forks", forks(sleeps, 100000));
    sleep(atoi(argv[2]));
  } else if (strcmp(name, "zombies") == 0) report("forks", forks(nothing, 100000));
  else if (strcmp(name, "threads") == 0) report("threads", make_threads(100000));
  else if (strcmp(name, "users") == 0) users();
  else if (strcmp(name, "spares") == 0) spares();
  else if (strcmp(name, "come_and_go") == 0) come_and_go();
  else if (strcmp(name, "groups") == 0) groups();
  else if (strcmp(name, "many_groups") == 0) many_groups();
  else if (strcmp(name, "regroup") == 0) regroup(atoi(argv[2]));
  else if (strcmp(name, "innocent") == 0) innocent(1, atof(argv[2]), argv[3], argv[4]);
  else if (strcmp(name, "innocent_of_the_same") == 0) innocent(0, atof(argv[2]), argv[3], argv[4]);
  else if (strcmp(name, "-c") == 0 && strcmp(argv[2], "split_bomb") == 0) split_bomb();
  else return 2;
  return 0;
}
