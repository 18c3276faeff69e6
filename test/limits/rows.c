// rows SECONDS UID CMD...: runs CMD as UID, for SECONDS at most, beside an innocent user, who does file, fork and pipe work
// every 50 ms and has to go on. rows NAME: bombs that test/fuzz/bombs.c does not have.
#define _GNU_SOURCE
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <dirent.h>
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
#include <sys/shm.h>
#include <sys/msg.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <linux/filter.h>
#include <mqueue.h>
#include <pthread.h>
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

// Processes of which each does `what`, which says why it could not, and then stays: until one is refused.
static void in_processes(int (*what)(void)) {
  most_files();
  for (int i = 0; i < 2000; i++) {
    int ends[2], error = 0;
    if (pipe(ends) != 0) refused();
    pid_t pid = fork();
    if (pid < 0) refused();
    if (pid == 0) {
      error = what();
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
static int large_table(void) {
  struct rlimit l;
  getrlimit(RLIMIT_NOFILE, &l);
  return dup2(0, l.rlim_cur - 1) < 0 ? errno : 0;
}
static void fd_tables(void) { in_processes(large_table); }
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

// What is kept of the host's files: `what` for each below `dir`, its folders last.
static void each_below(const char *dir, void (*what)(const char *path, int type)) {
  char path[4096];
  DIR *d = opendir(*dir == 0 ? "/" : dir);
  if (d == 0) {
    if (errno == ENOMEM) refused();
    return;
  }
  errno = 0;
  for (struct dirent *e; (e = readdir(d)) != 0; errno = 0) {
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
    if (snprintf(path, sizeof path, "%s/%s", dir, e->d_name) >= (int)sizeof path) continue;
    if (e->d_type == DT_DIR && strcmp(path, "/proc") != 0 && strcmp(path, "/sys") != 0) each_below(path, what);
    what(path, e->d_type);
  }
  if (errno == ENOMEM) refused();
  closedir(d);
}
static void look(const char *path, int type) {
  struct stat st;
  lstat(path, &st);
}
static void change(const char *path, int type) {
  if (type != DT_LNK && chmod(path, type == DT_DIR ? 0755 : 0644) != 0 && errno == ENOSPC) refused();
}
static void take_away(const char *path, int type) {
  if ((type == DT_DIR ? rmdir(path) : unlink(path)) != 0 && errno == ENOSPC) refused();
}
static void host_lookups(void) {
  each_below("", look);
  done();
}
static void host_changes(void) {
  each_below("/usr", change);
  each_below("/var", change);
  done();
}
static void host_removals(void) {
  each_below("/usr/share", take_away);
  each_below("/var", take_away);
  done();
}

// What is bound at /bound reaches the host (--bind). Each process opens what it may, and more of them are made.
static int open_bound(void) {
  char name[64];
  for (int i = 0; i < 900; i++) {
    sprintf(name, "/bound/f-%d-%d", getpid(), i);
    if (open(name, O_RDWR | O_CREAT, 0600) < 0) return errno;
  }
  return 0;
}
static void bound_files(void) { in_processes(open_bound); }
static int list_bound(void) {
  char buffer[64];
  for (int i = 0; i < 900; i++) {
    int fd = open("/bound/full", O_RDONLY | O_DIRECTORY);
    if (fd < 0 || (syscall(SYS_getdents64, fd, buffer, sizeof buffer) < 0 && errno != EINVAL)) return errno;
  }
  return 0;
}
static void bound_listings(void) {
  char name[64];
  mkdir("/bound/full", 0700);
  for (int i = 0; i < 2000; i++) {
    sprintf(name, "/bound/full/%d", i);
    close(open(name, O_WRONLY | O_CREAT, 0600));
  }
  in_processes(list_bound);
}
static void bound_fifos(void) {
  char name[64];
  for (int i = 0; i < 200000; i++) {
    sprintf(name, "/bound/fifo-%d", i);
    if (mkfifo(name, 0600) != 0) refused();
  }
  done();
}
static void no_page(int sig) {
  errno = ENOSPC;
  refused();
}
static void bound_pages(void) {
  size_t size = 1 << 30;
  int fd = open("/bound/pages", O_RDWR | O_CREAT, 0600);
  if (fd < 0 || ftruncate(fd, size) != 0) refused();
  signal(SIGBUS, no_page);
  char *p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (p == MAP_FAILED) refused();
  for (size_t i = 0; i < size; i += 4096) p[i] = 1;
  done();
}

// Makes and ends one of each, so that nothing is left.
static void *nothing(void *arg) { return arg; }
static void on_signal(int sig) {}
static void churn(void) {
  char name[64], text[65536];
  memset(text, 'c', sizeof text);
  // Names, links, attributes, locks.
  sprintf(name, "/tmp/churn-%d", getpid());
  mkdir(name, 0700);
  if (chdir(name) != 0) _exit(3);
  int fd = open("file", O_RDWR | O_CREAT, 0600);
  if (write(fd, text, sizeof text) != sizeof text) _exit(3);
  link("file", "hard");
  symlink(text + 60000, "soft");
  rename("hard", "harder");
  fsetxattr(fd, "user.a", text, 1000, 0);
  fsetxattr(fd, "user.a", text, 2000, 0);
  fsetxattr(fd, "user.b", text, 100, 0);
  removexattr("file", "user.b");
  for (int i = 0; i < 20; i++) {
    struct flock l = {.l_type = i % 3 == 0 ? F_RDLCK : i % 3 == 1 ? F_WRLCK : F_UNLCK, .l_start = i * 7 % 40, .l_len = 10 + i};
    fcntl(fd, F_SETLK, &l);
  }
  ftruncate(fd, 100);
  int watch = inotify_init1(0);
  inotify_add_watch(watch, ".", IN_ALL_EVENTS);
  mknod("node", S_IFIFO | 0600, 0);
  int fifo = open("node", O_RDWR);
  write(fifo, text, 30000);
  close(fifo);
  unlink("node");
  read(watch, text, 100);
  close(watch);
  unlink("file");
  close(fd);
  unlink("harder");
  unlink("soft");
  chdir("/");
  rmdir(name);
  // Descriptors, queues.
  dup2(0, 3000);
  close(3000);
  int ends[2], pair[2];
  pipe(ends);
  write(ends[1], text, 50000);
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  write(pair[0], text, 50000);
  int ep = epoll_create1(0);
  struct epoll_event ev = {.events = EPOLLIN};
  epoll_ctl(ep, EPOLL_CTL_ADD, pair[0], &ev);
  epoll_ctl(ep, EPOLL_CTL_ADD, pair[1], &ev);
  epoll_ctl(ep, EPOLL_CTL_DEL, pair[1], &ev);
  close(pair[0]);
  close(pair[1]);
  close(ep);
  close(ends[0]);
  close(ends[1]);
  socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
  for (int i = 0; i < 5; i++) send(pair[0], text, 3000, 0);
  recv(pair[1], text, sizeof text, 0);
  close(pair[0]);
  close(pair[1]);
  int mem = memfd_create("churn", 0);
  write(mem, text, sizeof text);
  ftruncate(mem, 5000);
  close(mem);
  int tty = posix_openpt(O_RDWR | O_NOCTTY);
  close(tty);
  int maps = open("/proc/self/maps", O_RDONLY);
  read(maps, text, 10);
  lseek(maps, 0, SEEK_SET);
  read(maps, text, 10);
  close(maps);
  // Signals and timers.
  signal(SIGRTMIN, on_signal);
  sigset_t set, old;
  sigfillset(&set);
  sigprocmask(SIG_BLOCK, &set, &old);
  union sigval v = {0};
  for (int i = 0; i < 10; i++) sigqueue(getpid(), SIGRTMIN, v);
  sigprocmask(SIG_SETMASK, &old, 0);
  timer_t timer;
  struct sigevent how = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};
  timer_create(CLOCK_MONOTONIC, &how, &timer);
  timer_delete(timer);
  timer_create(CLOCK_MONOTONIC, &how, &timer);
  // IPC.
  int q = msgget(IPC_PRIVATE, 0600);
  *(long *)text = 1;
  for (int i = 0; i < 3; i++) msgsnd(q, text, 1000, 0);
  msgrcv(q, text, 1000, 0, 0);
  msgctl(q, IPC_RMID, 0);
  int sem = semget(IPC_PRIVATE, 100, 0600);
  struct sembuf up = {.sem_num = 1, .sem_op = 1, .sem_flg = SEM_UNDO};
  semop(sem, &up, 1);
  if (fork() == 0) {
    semop(sem, &up, 1);
    _exit(0);
  }
  wait(0);
  semctl(sem, 0, IPC_RMID);
  int shm = shmget(IPC_PRIVATE, 100000, 0600);
  char *at = shmat(shm, 0, 0);
  at[0] = 1;
  shmctl(shm, IPC_RMID, 0);
  shmdt(at);
  struct mq_attr attr = {.mq_maxmsg = 5, .mq_msgsize = 100};
  mqd_t mq = mq_open("/churn", O_RDWR | O_CREAT, 0600, &attr);
  mq_send(mq, text, 50, 1);
  mq_send(mq, text, 50, 1);
  mq_receive(mq, text, 100, 0);
  mq_unlink("/churn");
  mq_close(mq);
  // Memory, threads, polls, processes with all of that still open.
  for (int i = 0; i < 20; i++) {
    char *p = mmap(0, 40960, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    p[0] = 1;
    mprotect(p + 8192, 4096, PROT_NONE);
    munmap(p + 16384, 4096);
    munmap(p, 40960);
  }
  pthread_t thread;
  pthread_create(&thread, 0, nothing, 0);
  pthread_join(thread, 0);
  pipe(ends);
  static struct pollfd many[500];
  for (int i = 0; i < 500; i++) many[i].fd = ends[0], many[i].events = POLLIN;
  poll(many, 500, 1);
  if (fork() == 0) {
    signal(SIGTERM, SIG_DFL);
    write(ends[1], text, 20000);
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    write(pair[0], text, 20000);
    ep = epoll_create1(0);
    epoll_ctl(ep, EPOLL_CTL_ADD, pair[0], &ev);
    timer_create(CLOCK_MONOTONIC, &how, &timer);
    sigprocmask(SIG_BLOCK, &set, 0);
    sigqueue(getpid(), SIGRTMIN, v);
    struct sock_filter allow = {0x06, 0, 0, 0x7fff0000};
    struct sock_fprog prog = {1, &allow};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_SET_SECCOMP, 2, &prog);
    if (fork() == 0) _exit(0);
    poll(many, 500, 1);
    _exit(0);
  }
  // The grandchild may have come to us.
  while (wait(0) > 0) {}
  close(ends[0]);
  close(ends[1]);
  timer_delete(timer);
}
static long meminfo(const char *what) {
  char line[128], format[32];
  long kib = -1;
  sprintf(format, "%s: %%ld", what);
  FILE *f = fopen("/proc/meminfo", "r");
  while (fgets(line, sizeof line, f)) sscanf(line, format, &kib);
  fclose(f);
  return kib;
}
// A process that is killed in the middle of calls which are done in slices: fork, mprotect, mremap, fallocate, execve.
static void cut_off(int round) {
  const long size = 160L << 20;
  pid_t pid = fork();
  if (pid == 0) {
    int fd = memfd_create("cut", 0);
    static char text[100000], *few[24] = {"true"};
    memset(text, 'x', sizeof text - 1);
    for (int i = 1; i < 20; i++) few[i] = text;
    char *p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    char *room = mmap(0, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || room == MAP_FAILED) _exit(3);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
      switch (round % 5) {
        case 0: {
          pid_t child = fork();
          if (child == 0) _exit(0);
          waitpid(child, 0, 0);
          break;
        }
        case 1:
          mprotect(p, size, PROT_READ);
          mprotect(p, size, PROT_READ | PROT_WRITE);
          break;
        case 2: {
          char *from = p;
          p = mremap(p, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, room);
          room = from;
          break;
        }
        case 3:
          ftruncate(fd, 0);
          fallocate(fd, 0, 0, size / 4);
          break;
        case 4: {
          pid_t child = vfork();
          if (child == 0) {
            execv("/bin/true", few);
            _exit(1);
          }
          waitpid(child, 0, 0);
          break;
        }
      }
    }
  }
  usleep(150000 + round * 1700);
  kill(pid, SIGKILL);
  while (waitpid(pid, 0, 0) > 0) {}
}

// Frames are freed in steps: what is free when that is over.
static long settled(void) {
  long last = -1, now = meminfo("MemFree");
  for (int still = 0; still < 5; last = now, now = meminfo("MemFree")) {
    still = now == last ? still + 1 : 0;
    usleep(20000);
  }
  return now;
}

static int cuts(int rounds) {
  for (int i = 0; i < 5; i++) cut_off(i);
  // Before and after: what the last of the dead kept is given back in steps too.
  long free = settled(), slab = meminfo("Slab"), shmem = meminfo("Shmem");
  for (int i = 0; i < rounds; i++) cut_off(i);
  long now = settled();
  printf("Slab %ld KiB then %+ld, Shmem %+ld, MemFree %+ld\n", slab, meminfo("Slab") - slab,
         meminfo("Shmem") - shmem, now - free);
  return 0;
}

static int churns(int rounds) {
  for (int i = 0; i < 3; i++) churn();
  long slab = meminfo("Slab"), shmem = meminfo("Shmem");
  for (int i = 0; i < rounds; i++) churn();
  printf("Slab %ld KiB then %+ld, Shmem %+ld\n", slab, meminfo("Slab") - slab, meminfo("Shmem") - shmem);
  return 0;
}

static struct sockaddr_in loopback(int port) {
  return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port, .sin_addr = {htonl(INADDR_LOOPBACK)}};
}
static int port_of(int fd) {
  struct sockaddr_in a;
  socklen_t len = sizeof a;
  return getsockname(fd, (void *)&a, &len) == 0 ? a.sin_port : 0;
}
static void inet_sockets(void) {
  most_files();
  for (int i = 0; i < 1000000; i++)
    if (socket(AF_INET, i & 1 ? SOCK_STREAM : SOCK_DGRAM, 0) < 0) refused();
  done();
}
// Connections whose buffers are full both ways.
static void inet_streams(void) {
  static char buf[65536];
  most_files();
  struct sockaddr_in a = loopback(0);
  int l = socket(AF_INET, SOCK_STREAM, 0);
  if (l < 0 || bind(l, (void *)&a, sizeof a) < 0 || listen(l, 100) < 0) refused();
  a.sin_port = port_of(l);
  for (int i = 0; i < 100000; i++) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (void *)&a, sizeof a) < 0) refused();
    int other = accept(l, 0, 0);
    if (other < 0) refused();
    while (send(fd, buf, sizeof buf, MSG_DONTWAIT) > 0) {}
    if (errno != EAGAIN) refused();
    while (send(other, buf, sizeof buf, MSG_DONTWAIT) > 0) {}
    if (errno != EAGAIN) refused();
  }
  done();
}
static void inet_datagrams(void) {
  static char buf[60000];
  most_files();
  for (int i = 0; i < 100000; i++) {
    struct sockaddr_in a = loopback(0);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || bind(fd, (void *)&a, sizeof a) < 0) refused();
    a.sin_port = port_of(fd);
    for (int k = 0; k < 8; k++)
      if (sendto(fd, buf, sizeof buf, MSG_DONTWAIT, (void *)&a, sizeof a) < 0 && errno != EAGAIN) refused();
  }
  done();
}
// The longest filter there is on each of many sockets.
static void socket_filters(void) {
  static struct sock_filter code[4096];
  for (int i = 0; i < 4096; i++) code[i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0xffffffff);
  struct sock_fprog p = {4096, code};
  most_files();
  for (int i = 0; i < 1000000; i++) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof p) < 0) refused();
  }
  done();
}
// Rings that are all there at once: nothing has to be mapped.
static void packet_rings(void) {
  most_files();
  struct tpacket_req r = {1 << 20, 64, 2048, 32768};
  for (int i = 0; i < 100000; i++) {
    int fd = socket(AF_PACKET, SOCK_RAW, 0);
    if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &r, sizeof r) < 0) refused();
  }
  done();
}
static void mount_namespaces(void) {
  most_files();
  for (int i = 0; i < 1000000; i++)
    if (unshare(CLONE_NEWNS) < 0 || open("/proc/self/ns/mnt", O_RDONLY) < 0) refused();
  done();
}
static void network_namespaces(void) {
  most_files();
  for (int i = 0; i < 1000000; i++)
    if (unshare(CLONE_NEWNET) < 0 || open("/proc/self/ns/net", O_RDONLY) < 0) refused();
  done();
}

// Bridges by rtnetlink: in one network namespace after the other, each kept by a descriptor.
static int new_bridge(int fd, int number) {
  struct {
    struct nlmsghdr h;
    struct ifinfomsg m;
    struct rtattr name;
    char text[12];
    struct rtattr info, kind;
    char bridge[8];
  } rq = {.h = {sizeof rq, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, 1, 0},
          .name = {16, IFLA_IFNAME},
          .info = {16, IFLA_LINKINFO},
          .kind = {11, IFLA_INFO_KIND},
          .bridge = "bridge"};
  snprintf(rq.text, sizeof rq.text, "b%d", number);
  char answer[512];
  if (send(fd, &rq, sizeof rq, 0) < 0 || recv(fd, answer, sizeof answer, 0) < 20) refused();
  errno = -*(int *)(answer + 16);
  return errno ? -1 : 0;
}
static void links(void) {
  most_files();
  for (int n = 0; n < 1000; n++) {
    if (unshare(CLONE_NEWNET) < 0 || open("/proc/self/ns/net", O_RDONLY) < 0) refused();
    int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
    if (fd < 0) refused();
    for (int i = 0; i < 5000; i++)
      if (new_bridge(fd, i) < 0) refused();
  }
  done();
}
// Packets that nobody reads, in interfaces of /dev/net/tun.
static void tun_queues(void) {
  static char buf[1400];
  most_files();
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  for (int i = 0; i < 100000; i++) {
    int fd = open("/dev/net/tun", O_RDWR);
    struct ifreq r = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    if (fd < 0 || ioctl(fd, TUNSETIFF, &r) < 0) refused();
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(0x0b000001 + i * 256)}};
    memcpy(&r.ifr_addr, &a, sizeof a);
    if (ioctl(s, SIOCSIFADDR, &r) < 0) refused();
    a.sin_addr.s_addr = htonl(0xffffff00);
    memcpy(&r.ifr_netmask, &a, sizeof a);
    if (ioctl(s, SIOCSIFNETMASK, &r) < 0) refused();
    r.ifr_flags = IFF_UP;
    if (ioctl(s, SIOCSIFFLAGS, &r) < 0) refused();
    a.sin_addr.s_addr = htonl(0x0b000002 + i * 256);
    a.sin_port = htons(7);
    for (int k = 0; k < 600; k++)
      if (sendto(s, buf, sizeof buf, MSG_DONTWAIT, (void *)&a, sizeof a) < 0 && errno != EAGAIN) refused();
  }
  done();
}

// A filter table (<linux/netfilter_ipv4/ip_tables.h>) of so many rules about TCP, the first of which wants states: connections are tracked.
static unsigned char *rule(unsigned char *at, int states, int verdict, const char *error) {
  int match = states ? 40 : 0, target = error ? 64 : 40;
  unsigned short *size = (void *)(at + 88);
  size[0] = 112 + match;
  size[1] = 112 + match + target;
  if (verdict == -1 && !states) at[80] = IPPROTO_TCP;
  if (states) {
    *(unsigned short *)(at + 112) = 40;
    strcpy((char *)at + 114, "state");
    at[144] = at[145] = 0xff;
  }
  unsigned char *t = at + 112 + match;
  *(unsigned short *)t = target;
  *(int *)(t + 32) = verdict;
  if (error) {
    strcpy((char *)t + 2, error);
    strcpy((char *)t + 32, error);
  }
  return t + target;
}
static int set_table(int fd, int rules) {
  static unsigned char block[4 << 20], counters[16 * 4];
  memset(block, 0, sizeof block);
  unsigned char *entries = block + 96, *at = rule(entries, 1, -2, 0);
  for (int i = 0; i < rules; i++) at = rule(at, 0, -1, 0);
  unsigned *head = (void *)(block + 32);
  strcpy((char *)block, "filter");
  head[0] = 1 << 1 | 1 << 2 | 1 << 3;
  head[1] = rules + 5;
  int input = at - entries;
  unsigned underflow[5] = {0, input, input + 152, input + 304, 0}, entry[5] = {0, 0, input + 152, input + 304, 0};
  for (int i = 0; i < 3; i++) at = rule(at, 0, -2, 0);
  at = rule(at, 0, 0, "ERROR");
  head[2] = at - entries;
  memcpy(head + 3, entry, 20);
  memcpy(head + 8, underflow, 20);
  head[13] = 4;
  *(void **)(block + 88) = counters;
  return setsockopt(fd, IPPROTO_IP, 64, block, at - block);
}
static void raise_loopback(int fd) {
  struct ifreq r = {.ifr_flags = IFF_UP | IFF_RUNNING};
  strcpy(r.ifr_name, "lo");
  if (ioctl(fd, SIOCSIFFLAGS, &r) < 0) refused();
}
static void filter_tables(void) {
  most_files();
  for (int n = 0; n < 1000; n++) {
    if (unshare(CLONE_NEWNET) < 0 || open("/proc/self/ns/net", O_RDONLY) < 0) refused();
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
    if (fd < 0 || set_table(fd, 27000) < 0) refused();
  }
  done();
}
static void filter_connections(void) {
  most_files();
  for (int n = 0; n < 100; n++) {
    if (unshare(CLONE_NEWNET) < 0 || open("/proc/self/ns/net", O_RDONLY) < 0) refused();
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW), s = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || s < 0) refused();
    raise_loopback(s);
    if (set_table(fd, 0) < 0) refused();
    struct sockaddr_in a = loopback(0);
    for (int i = 0; i < 70000; i++) {
      a.sin_port = htons(i & 0x7fff | 0x8000);
      a.sin_addr.s_addr = htonl(0x7f000001 + (i >> 15));
      if (sendto(s, "", 1, MSG_DONTWAIT, (void *)&a, sizeof a) < 0 && errno != EAGAIN && errno != ECONNREFUSED) refused();
    }
  }
  done();
}

int main(int argc, char **argv) {
  if (argc == 3) return strcmp(argv[1], "cuts") == 0 ? cuts(atoi(argv[2])) : churns(atoi(argv[2]));
  if (argc > 3) return beside(atof(argv[1]), atoi(argv[2]), argv + 3);
  if (strcmp(argv[1], "fd_tables") == 0) fd_tables();
  if (strcmp(argv[1], "inet_sockets") == 0) inet_sockets();
  if (strcmp(argv[1], "inet_streams") == 0) inet_streams();
  if (strcmp(argv[1], "inet_datagrams") == 0) inet_datagrams();
  if (strcmp(argv[1], "socket_filters") == 0) socket_filters();
  if (strcmp(argv[1], "packet_rings") == 0) packet_rings();
  if (strcmp(argv[1], "mount_namespaces") == 0) mount_namespaces();
  if (strcmp(argv[1], "network_namespaces") == 0) network_namespaces();
  if (strcmp(argv[1], "links") == 0) links();
  if (strcmp(argv[1], "tun_queues") == 0) tun_queues();
  if (strcmp(argv[1], "filter_tables") == 0) filter_tables();
  if (strcmp(argv[1], "filter_connections") == 0) filter_connections();
  if (strcmp(argv[1], "undo_lists") == 0) undo_lists();
  if (strcmp(argv[1], "proc_texts") == 0) proc_texts();
  if (strcmp(argv[1], "poll_sets") == 0) poll_sets();
  if (strcmp(argv[1], "host_lookups") == 0) host_lookups();
  if (strcmp(argv[1], "host_changes") == 0) host_changes();
  if (strcmp(argv[1], "host_removals") == 0) host_removals();
  if (strcmp(argv[1], "bound_files") == 0) bound_files();
  if (strcmp(argv[1], "bound_listings") == 0) bound_listings();
  if (strcmp(argv[1], "bound_fifos") == 0) bound_fifos();
  if (strcmp(argv[1], "bound_pages") == 0) bound_pages();
  return 2;
}
