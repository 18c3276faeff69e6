// rows SECONDS UID CMD...: runs CMD as UID, for SECONDS at most, beside an innocent user, who does file, fork and pipe work
// every 50 ms and has to go on. rows NAME: bombs that test/fuzz/bombs.c does not have.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define INNOCENT 1000

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}
static void become(uid_t uid) {
  if (setgid(uid) != 0 || setuid(uid) != 0) _exit(99);
}

static volatile sig_atomic_t stopping;
static void stop(int sig) { stopping = 1; }

// One round of work: what failed, or null.
static const char *work(void) {
  char name[64], text[4096], back[4096];
  sprintf(name, "/tmp/innocent-%d", getpid());
  memset(text, 'i', sizeof text);
  int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0) return "open";
  if (write(fd, text, sizeof text) != sizeof text) return "write";
  if (pread(fd, back, sizeof back, 0) != sizeof back || memcmp(text, back, sizeof back) != 0) return "read";
  if (close(fd) != 0 || unlink(name) != 0) return "unlink";
  int ends[2];
  if (pipe(ends) != 0) return "pipe";
  pid_t pid = fork();
  if (pid < 0) return "fork";
  if (pid == 0) _exit(write(ends[1], text, sizeof text) == sizeof text ? 0 : 1);
  close(ends[1]);
  size_t done = 0;
  for (ssize_t n; (n = read(ends[0], back, sizeof back)) > 0;) done += n;
  close(ends[0]);
  int status;
  if (waitpid(pid, &status, 0) != pid || status != 0 || done != sizeof text) return "child";
  return 0;
}
static void innocent(void) {
  int rounds = 0, failed = 0;
  double worst = 0;
  signal(SIGTERM, stop);
  for (; !stopping; usleep(50000)) {
    double start = now_ms();
    const char *what = work();
    double took = now_ms() - start;
    if (took > worst) worst = took;
    rounds++;
    if (what == 0) continue;
    if (failed++ < 3) printf("innocent: %s: %s\n", what, strerror(errno));
  }
  printf("innocent: rounds %d failed %d worst %.0f ms\n", rounds, failed, worst);
  fflush(stdout);
  _exit(0);
}

static int beside(double seconds, uid_t uid, char **argv) {
  pid_t good = fork();
  if (good == 0) {
    become(INNOCENT);
    innocent();
  }
  usleep(300000);
  pid_t bad = fork();
  if (bad == 0) {
    become(uid);
    execv(argv[0], argv);
    _exit(98);
  }
  int status = 0;
  pid_t ended = 0;
  for (double end = now_ms() + seconds * 1e3; ended == 0 && now_ms() < end; usleep(20000))
    ended = waitpid(bad, &status, WNOHANG);
  if (ended != bad) printf("bomb: goes on\n");
  else if (WIFSIGNALED(status)) printf("bomb: killed %d\n", WTERMSIG(status));
  else printf("bomb: status %d\n", WEXITSTATUS(status));
  fflush(stdout);
  // What it left behind stays for a while; processes of its own go.
  usleep(300000);
  pid_t killer = fork();
  if (killer == 0) {
    if (uid == 0) kill(bad, SIGKILL);
    else {
      become(uid);
      kill(-1, SIGKILL);
    }
    _exit(0);
  }
  waitpid(killer, 0, 0);
  usleep(300000);
  kill(good, SIGTERM);
  return waitpid(good, &status, 0) == good && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static void refused(void) {
  printf("refused: %s\n", strerrorname_np(errno));
  fflush(stdout);
  exit(0);
}
static void done(void) {
  printf("done: \n");
  fflush(stdout);
  exit(0);
}
static void most_files(void) {
  struct rlimit l;
  getrlimit(RLIMIT_NOFILE, &l);
  l.rlim_cur = l.rlim_max;
  setrlimit(RLIMIT_NOFILE, &l);
}

static void fd_tables(void) {
  most_files();
  struct rlimit l;
  getrlimit(RLIMIT_NOFILE, &l);
  for (int i = 0; i < 2000; i++) {
    int ends[2], error = 0;
    if (pipe(ends) != 0) refused();
    pid_t pid = fork();
    if (pid < 0) refused();
    if (pid == 0) {
      error = dup2(0, l.rlim_cur - 1) < 0 ? errno : 0;
      if (write(ends[1], &error, sizeof error) < 0) _exit(1);
      for (;;) pause();
    }
    if (read(ends[0], &error, sizeof error) != sizeof error) done();
    close(ends[0]);
    close(ends[1]);
    if ((errno = error) != 0) refused();
  }
  done();
}
static void undo_lists(void) {
  int sets[16];
  for (int i = 0; i < 16; i++)
    if ((sets[i] = semget(IPC_PRIVATE, 32000, 0600)) < 0) refused();
  for (int k = 0; k < 2000; k++) {
    int ends[2], error = 0;
    if (pipe(ends) != 0) refused();
    pid_t pid = fork();
    if (pid < 0) refused();
    if (pid == 0) {
      struct sembuf up = {.sem_num = 0, .sem_op = 1, .sem_flg = SEM_UNDO};
      for (int i = 0; i < 16 && error == 0; i++)
        if (semop(sets[i], &up, 1) != 0) error = errno;
      if (write(ends[1], &error, sizeof error) < 0) _exit(1);
      for (;;) pause();
    }
    if (read(ends[0], &error, sizeof error) != sizeof error) done();
    close(ends[0]);
    close(ends[1]);
    if ((errno = error) != 0) refused();
  }
  done();
}
static void proc_texts(void) {
  most_files();
  for (int i = 0; i < 20000; i++)
    mmap(0, 4096, i & 1 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; i < 2000; i++) {
    char c;
    int fd = open("/proc/self/maps", O_RDONLY);
    if (fd < 0 || read(fd, &c, 1) != 1) refused();
  }
  done();
}
static void poll_sets(void) {
  most_files();
  int ends[2];
  if (pipe(ends) != 0) refused();
  enum { MANY = 20000 };
  struct pollfd *set = calloc(MANY, sizeof *set);
  for (int i = 0; i < MANY; i++) set[i].fd = ends[0], set[i].events = POLLIN;
  for (int k = 0; k < 2000; k++) {
    int tell[2], error = 0;
    if (pipe(tell) != 0) refused();
    pid_t pid = fork();
    if (pid < 0) refused();
    if (pid == 0) {
      fcntl(tell[1], F_SETFD, 0);
      // The second one waits; the first, which only looks, tells whether there is memory for it.
      error = poll(set, MANY, 1) < 0 ? errno : 0;
      if (write(tell[1], &error, sizeof error) < 0) _exit(1);
      poll(set, MANY, -1);
      for (;;) pause();
    }
    if (read(tell[0], &error, sizeof error) != sizeof error) done();
    close(tell[0]);
    close(tell[1]);
    if ((errno = error) != 0) refused();
  }
  done();
}

int main(int argc, char **argv) {
  if (argc > 3) return beside(atof(argv[1]), atoi(argv[2]), argv + 3);
  if (strcmp(argv[1], "fd_tables") == 0) fd_tables();
  if (strcmp(argv[1], "undo_lists") == 0) undo_lists();
  if (strcmp(argv[1], "proc_texts") == 0) proc_texts();
  if (strcmp(argv[1], "poll_sets") == 0) poll_sets();
  return 2;
}
