// Programs that take all they can get, one per name. Each goes on until it is refused, or until a bound that no limit
// should let it reach; then it gives up what it has and says "refused" with the errno, "bound", or what it counted.
// Run inside a sandbox with little memory: being killed is an answer too, the end of the kernel is none.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
static long count;
static void end(const char *how) {
  printf("%s: %s\n", how, strcmp(how, "refused") == 0 ? strerrorname_np(errno) : "");
  fflush(stdout);
  exit(0);
}
static void refused(void) { end("refused"); }
static void bound(void) { end("bound"); }
static void files_max(void) { setrlimit(RLIMIT_NOFILE, &(struct rlimit){1 << 20, 1 << 20}); }

static void fork_bomb(void) {
  for (count = 0; count < 20000; count++) {
    pid_t pid = fork();
    if (pid < 0) refused();
    if (pid == 0) for (;;) pause();
  }
  bound();
}
static void fork_tree(void) {
  // Every child forks too.
  int error = 0;
  for (int i = 0; i < 20; i++)
    if (fork() < 0) error = errno;
  if (getppid() == 0 || error == 0) sleep(1);
  errno = error;
  if (getpid() == 1) {
    for (int i = 0; i < 30; i++) usleep(100000);
    end("done");
  }
  _exit(0);
}
static void *sleeper(void *arg) {
  for (;;) pause();
  return 0;
}
static void threads(void) {
  pthread_attr_t a;
  pthread_attr_init(&a);
  pthread_attr_setstacksize(&a, 16384);
  pthread_t t;
  for (count = 0; count < 40000; count++)
    if ((errno = pthread_create(&t, &a, sleeper, 0)) != 0) refused();
  bound();
}
static void touch_memory(void) {
  for (count = 0; count < 64 << 10; count++) {
    char *p = mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) refused();
    for (int i = 0; i < 1 << 20; i += PAGE) p[i] = 1;
  }
  bound();
}
static void touch_in_children(void) {
  for (int i = 0; i < 8; i++)
    if (fork() == 0) touch_memory();
  while (wait(0) > 0) {}
  end("done");
}
static void populate(void) {
  for (size_t n = 1 << 20;; n *= 2) {
    void *p = mmap(0, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (p == MAP_FAILED) refused();
    if (n > 1ULL << 45) bound();
  }
}
static void shared_memory(void) {
  int fd = memfd_create("m", 0);
  char buf[65536];
  memset(buf, 1, sizeof buf);
  for (count = 0; count < 1 << 20; count++)
    if (write(fd, buf, sizeof buf) < 0) refused();
  bound();
}
static void fallocated(void) {
  int fd = memfd_create("m", 0);
  if (fallocate(fd, 0, 0, 1ULL << 42) < 0) refused();
  bound();
}
static void big_file(void) {
  int fd = open("/tmp/big", O_RDWR | O_CREAT, 0600);
  char *buf = calloc(1, 1 << 20);
  memset(buf, 1, 1 << 20);
  for (count = 0; count < 1 << 16; count++)
    if (write(fd, buf, 1 << 20) < 0) refused();
  bound();
}
static void sparse(void) {
  // A page in each of many places of a huge file.
  int fd = open("/tmp/sparse", O_RDWR | O_CREAT, 0600);
  for (count = 0; count < 1 << 20; count++)
    if (pwrite(fd, "x", 1, (off_t)count << 33) < 0) refused();
  bound();
}
static void many_files(void) {
  char name[32];
  mkdir("/tmp/many", 0700);
  if (chdir("/tmp/many") < 0) refused();
  for (count = 0; count < 100000; count++) {
    sprintf(name, "%ld", count);
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0) refused();
    close(fd);
  }
  DIR *d = opendir(".");
  long n = 0;
  while (readdir(d)) n++;
  closedir(d);
  printf("%ld entries\n", n);
  for (count = 0; count < 100000; count++) {
    sprintf(name, "%ld", count);
    if (unlink(name) < 0) refused();
  }
  end("done");
}
static void endless_files(void) {
  char name[300];
  memset(name, 'a', sizeof name);
  for (count = 0; count < 20000000; count++) {
    sprintf(name + 230, "%ld", count);
    if (mknod(name, S_IFREG | 0600, 0) < 0) refused();
  }
  bound();
}
static void endless_links(void) {
  char name[300], target[4000];
  memset(target, 'x', sizeof target);
  target[3999] = 0;
  for (count = 0; count < 20000000; count++) {
    sprintf(name, "/tmp/l%ld", count);
    if (symlink(target, name) < 0) refused();
  }
  bound();
}
static void missing_names(void) {
  // Names that are not there: what the dentry cache keeps of them must be bounded.
  char name[300];
  memset(name, 'a', sizeof name);
  for (count = 0; count < 400000; count++) {
    sprintf(name + 200, "%ld", count);
    struct stat st;
    stat(name, &st);
  }
  end("done");
}
static void deep(void) {
  mkdir("/tmp/deep", 0700);
  if (chdir("/tmp/deep") < 0) refused();
  for (count = 0; count < 2000; count++)
    if (mkdir("directory", 0700) < 0 || chdir("directory") < 0) refused();
  char buf[65536];
  long r = syscall(SYS_getcwd, buf, sizeof buf);
  printf("getcwd %s\n", r < 0 ? strerrorname_np(errno) : "fine");
  for (count = 0; count < 2000; count++)
    if (chdir("..") < 0 || rmdir("directory") < 0) refused();
  end("done");
}
static void deeper(void) {
  for (count = 0; count < 200000; count++)
    if (mkdir("d", 0700) < 0 || chdir("d") < 0) refused();
  struct stat st;
  if (fork() == 0) _exit(0);
  wait(0);
  if (open("/proc/self/cwd", O_PATH) < 0 || stat("/proc/self/cwd", &st) < 0) refused();
  char buf[PAGE];
  if (readlink("/proc/self/cwd", buf, sizeof buf) < 0) {}
  if (chdir("/") < 0 || rename("/tmp/d", "/tmp/e") < 0) {}
  if (fork() == 0) { execl("/bin/rm", "rm", "-rf", "/tmp/d", "/tmp/e", "d", NULL); _exit(1); }
  wait(0);
  bound();
}
#define HANDLES(name, make)                          \
  static void name(void) {                           \
    files_max();                                     \
    for (count = 0; count < 3000000; count++)        \
      if ((make) < 0) refused();                     \
    bound();                                         \
  }
static int pair_[2];
static int full_pipe(void) {
  static char buf[65536];
  if (pipe2(pair_, O_NONBLOCK) < 0) return -1;
  return write(pair_[1], buf, sizeof buf) < 0 ? -1 : 0;
}
static int full_socket(int type) {
  static char buf[65536];
  if (socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, pair_) < 0) return -1;
  setsockopt(pair_[0], SOL_SOCKET, SO_SNDBUF, &(int){1 << 30}, 4);
  while (write(pair_[0], buf, sizeof buf) > 0) {}
  return errno == EAGAIN ? 0 : -1;
}
HANDLES(open_files, open("/dev/null", O_RDONLY))
HANDLES(pipes, pipe(pair_))
HANDLES(full_pipes, full_pipe())
HANDLES(sockets, socketpair(AF_UNIX, SOCK_STREAM, 0, pair_))
HANDLES(full_streams, full_socket(SOCK_STREAM))
HANDLES(full_datagrams, full_socket(SOCK_DGRAM))
HANDLES(epolls, epoll_create1(0))
HANDLES(eventfds, eventfd(0, 0))
HANDLES(timerfds, timerfd_create(CLOCK_MONOTONIC, 0))
HANDLES(inotifies, inotify_init1(0))
HANDLES(memfds, memfd_create("a", 0))
HANDLES(pidfds, (int)syscall(SYS_pidfd_open, getpid(), 0))
HANDLES(ttys, open("/dev/ptmx", O_RDWR | O_NOCTTY))
static int signal_set_fd(void) { sigset_t s; sigemptyset(&s); return signalfd(-1, &s, 0); }
HANDLES(signalfds, signal_set_fd())
HANDLES(proc_files, open("/proc/self/status", O_RDONLY))

static void watches(void) {
  files_max();
  int in = inotify_init1(0);
  char name[32];
  for (count = 0; count < 3000000; count++) {
    sprintf(name, "/tmp/w%ld", count);
    int fd = open(name, O_CREAT | O_WRONLY, 0600);
    if (fd < 0 || inotify_add_watch(in, name, IN_ALL_EVENTS) < 0) refused();
    close(fd);
  }
  bound();
}
static void inotify_events(void) {
  int in = inotify_init1(IN_NONBLOCK);
  inotify_add_watch(in, "/tmp", IN_ALL_EVENTS);
  char a[300], b[300];
  memset(a, 'a', 250), memset(b, 'b', 250), a[250] = b[250] = 0;
  if (chdir("/tmp") < 0) refused();
  close(open(a, O_CREAT | O_WRONLY, 0600));
  for (count = 0; count < 100000; count++) {
    rename(a, b);
    rename(b, a);
  }
  static char buf[1 << 20];
  long total = 0, n;
  while ((n = read(in, buf, sizeof buf)) > 0) total += n;
  printf("%s\n", total < 20 << 20 ? "bounded" : "unbounded");
  end("done");
}
static void epoll_items(void) {
  files_max();
  int fd = eventfd(0, 0);
  for (count = 0; count < 3000000; count++) {
    int ep = epoll_create1(0);
    if (ep < 0) refused();
    struct epoll_event ev = {.events = EPOLLIN | EPOLLET};
    if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0) refused();
  }
  bound();
}
static void epoll_fan(void) {
  // Many watchers of one event, woken many times; and nested as deep as it goes.
  files_max();
  int fd = eventfd(0, EFD_NONBLOCK);
  int layer[5][200];
  for (int l = 0; l < 5; l++)
    for (int i = 0; i < 200; i++) {
      layer[l][i] = epoll_create1(0);
      for (int k = 0; k < (l == 0 ? 1 : 200); k++) {
        struct epoll_event ev = {.events = EPOLLIN};
        if (epoll_ctl(layer[l][i], EPOLL_CTL_ADD, l == 0 ? fd : layer[l - 1][k], &ev) < 0) {
          if (l < 2) refused();
          goto built;
        }
      }
    }
built:
  for (int i = 0; i < 20; i++) {
    uint64_t v = 1;
    if (write(fd, &v, 8) < 0 || read(fd, &v, 8) < 0) refused();
  }
  end("done");
}
static void send_fd(int sock, int *fds, int n) {
  char control[CMSG_SPACE(4 * 253)] = {0};
  struct iovec iov = {"x", 1};
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(4 * n)};
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(4 * n);
  memcpy(CMSG_DATA(c), fds, 4 * n);
  if (sendmsg(sock, &m, MSG_DONTWAIT) < 0) refused();
}
static void rights_cycles(void) {
  for (count = 0; count < 50000; count++) {
    int a[2], b[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, a) < 0 || socketpair(AF_UNIX, SOCK_DGRAM, 0, b) < 0) refused();
    send_fd(a[0], b, 2);
    send_fd(b[0], a, 2);
    close(a[0]), close(a[1]), close(b[0]), close(b[1]);
  }
  end("done");
}
static void rights_chain(void) {
  // Each socket holds the one before it: freeing the last frees all, which must not take a deep stack.
  int last = eventfd(0, 0);
  for (count = 0; count < 100000; count++) {
    int a[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, a) < 0) refused();
    int fds[1] = {last};
    send_fd(a[0], fds, 1);
    close(last), close(a[0]);
    last = a[1];
  }
  close(last);
  end("done");
}
static void rights_many(void) {
  int fds[253];
  for (int i = 0; i < 253; i++) fds[i] = dup(0);
  for (count = 0; count < 20000; count++) {
    int a[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, a) < 0) refused();
    send_fd(a[0], fds, 253);
    if (count % 8 == 7) send_fd(a[0], fds, 253);
  }
  bound();
}
static void signal_queue(void) {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, 0);
  for (count = 0; count < 3000000; count++)
    if (sigqueue(getpid(), 40, (union sigval){.sival_int = 1}) < 0) refused();
  bound();
}
static void posix_timers(void) {
  timer_t id;
  for (count = 0; count < 3000000; count++) {
    if (syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &id) < 0) refused();
    struct itimerspec it = {{1000, 0}, {1000, 0}};
    timer_settime(id, 0, &it, 0);
  }
  bound();
}
static void fast_timers(void) {
  // Timers that expire all the time must leave time for others.
  signal(SIGALRM, SIG_IGN);
  struct sigevent none = {.sigev_notify = SIGEV_NONE}, sig = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 40};
  signal(40, SIG_IGN);
  for (int i = 0; i < 1000; i++) {
    timer_t id;
    if (timer_create(CLOCK_MONOTONIC, i % 2 ? &sig : &none, &id) < 0) refused();
    struct itimerspec it = {{0, 1}, {0, 1}};
    timer_settime(id, 0, &it, 0);
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    if (fd >= 0) timerfd_settime(fd, 0, &it, 0);
  }
  for (int i = 0; i < 2000; i++) getppid();
  if (fork() == 0) _exit(0);
  wait(0);
  end("done");
}
static void vmas(void) {
  char *p = mmap(0, 1ULL << 32, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) refused();
  for (count = 0; count < 1 << 19; count++)
    if (mprotect(p + count * 2 * PAGE, PAGE, PROT_READ | PROT_WRITE) < 0) refused();
  bound();
}
static void sparse_touch(void) {
  // One page in every 2 MiB, and in every GiB: page tables grow with what is touched.
  char *p = mmap(0, 1ULL << 46, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) refused();
  for (size_t i = 0; i < 1ULL << 46; i += 2 << 20) p[i] = 1, count++;
  bound();
}
static void sparse_read(void) {
  // The same with reads, which cost no memory of the program.
  char *p = mmap(0, 1ULL << 44, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) refused();
  volatile char x;
  for (size_t i = 0; i < 1ULL << 44; i += 2 << 20) x = p[i], count++;
  (void)x;
  bound();
}
static void locks(void) {
  int fd = open("/tmp/locks", O_RDWR | O_CREAT, 0600);
  for (count = 0; count < 100000; count++) {
    struct flock l = {.l_type = F_WRLCK, .l_start = count * 2, .l_len = 1};
    if (fcntl(fd, F_SETLK, &l) < 0) refused();
  }
  end("done");
}
static void messages(void) {
  char m[8200] = {1};
  *(long *)m = 1;
  for (count = 0; count < 100000; count++) {
    int id = msgget(IPC_PRIVATE, 0600);
    if (id < 0) refused();
    while (msgsnd(id, m, 8000, IPC_NOWAIT) == 0) {}
    while (msgsnd(id, m, 0, IPC_NOWAIT) == 0) {}
  }
  bound();
}
static void semaphores(void) {
  for (count = 0; count < 1000000; count++)
    if (semget(IPC_PRIVATE, 250, 0600) < 0) refused();
  bound();
}
static void segments(void) {
  for (count = 0; count < 1000000; count++)
    if (shmget(IPC_PRIVATE, 1 << 20, 0600) < 0) refused();
  bound();
}
static void touched_segments(void) {
  for (count = 0; count < 100000; count++) {
    int id = shmget(IPC_PRIVATE, 1 << 20, 0600);
    char *p = id < 0 ? (void *)-1 : shmat(id, 0, 0);
    if (p == (void *)-1) refused();
    memset(p, 1, 1 << 20);
  }
  bound();
}
static void message_queues(void) {
  files_max();
  char name[32];
  for (count = 0; count < 100000; count++) {
    sprintf(name, "/q%ld", count);
    if (mq_open(name, O_CREAT | O_RDWR, 0600, NULL) < 0) refused();
  }
  bound();
}
static void extended_attributes(void) {
  char name[64], file[] = "/tmp/attributes-XXXXXX";
  static char value[65536];
  // The host's /tmp shows through: a fixed name may be somebody else's.
  close(mkstemp(file));
  for (count = 0; count < 100000; count++) {
    sprintf(name, "user.%ld", count);
    if (setxattr(file, name, value, sizeof value, 0) < 0) refused();
  }
  bound();
}
static void mounts(void) {
  for (count = 0; count < 200000; count++)
    if (mount("none", "/mnt", "tmpfs", 0, NULL) < 0) refused();
  bound();
}
static void binds(void) {
  mkdir("/tmp/m", 0700);
  for (count = 0; count < 40; count++)
    if (mount("/tmp", "/tmp/m", NULL, MS_BIND | MS_REC, NULL) < 0) refused();
  bound();
}
static void shared_binds(void) {
  mkdir("/tmp/m", 0700);
  mount("/tmp", "/tmp", NULL, MS_BIND, NULL);
  mount(NULL, "/tmp", NULL, MS_SHARED | MS_REC, NULL);
  for (count = 0; count < 40; count++)
    if (mount("/tmp", "/tmp/m", NULL, MS_BIND | MS_REC, NULL) < 0) refused();
  bound();
}
static void proc_storm(void) {
  for (int i = 0; i < 200; i++)
    if (fork() == 0) for (;;) pause();
  char path[400], buf[65536];
  for (int round = 0; round < 3; round++) {
    DIR *d = opendir("/proc");
    struct dirent *e;
    while ((e = readdir(d))) {
      if (e->d_name[0] < '1' || e->d_name[0] > '9') continue;
      static const char *const names[] = {"stat", "status", "maps", "smaps", "cmdline", "environ", "mountinfo", "limits", "io", "auxv"};
      for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        sprintf(path, "/proc/%s/%s", e->d_name, names[i]);
        int fd = open(path, O_RDONLY);
        if (fd < 0) continue;
        while (read(fd, buf, sizeof buf) > 0) {}
        close(fd);
      }
    }
    closedir(d);
  }
  end("done");
}
static void long_arguments(void) {
  size_t n = 1 << 17;
  char *arg = malloc(n);
  memset(arg, 'a', n - 1);
  arg[n - 1] = 0;
  char *argv[4096];
  for (int many = 1; many < 4000; many *= 2) {
    for (int i = 0; i < many; i++) argv[i] = arg;
    argv[many] = NULL;
    pid_t pid = fork();
    if (pid == 0) {
      execv("/bin/true", argv);
      _exit(errno == E2BIG ? 7 : 8);
    }
    int status;
    waitpid(pid, &status, 0);
    if (status != 0) {
      printf("%d arguments: %d\n", many, WEXITSTATUS(status));
      end("done");
    }
  }
  bound();
}
static void robust_circle(void) {
  for (int i = 0; i < 20; i++) {
    if (fork() == 0) {
      static struct { void *next; long offset; void *pending; } head;
      static struct { void *next; } a, b;
      head.next = &a, a.next = &b, b.next = &a;
      syscall(SYS_set_robust_list, &head, sizeof head);
      _exit(0);
    }
    wait(0);
  }
  end("done");
}
static uint32_t word;
static void *futex_waiter(void *arg) {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0);
  return 0;
}
static void futex_waiters(void) {
  pthread_attr_t a;
  pthread_attr_init(&a);
  pthread_attr_setstacksize(&a, 16384);
  pthread_t t[2000];
  int n = 0;
  for (; n < 2000; n++)
    if ((errno = pthread_create(&t[n], &a, futex_waiter, 0)) != 0) break;
  for (int i = 0; i < 3000; i++) syscall(SYS_futex, &word, FUTEX_CMP_REQUEUE_PRIVATE, 0, 1 << 30, &word + 16 * (i % 2), 0);
  word = 1;
  for (int i = 0; i < 100; i++) {
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1 << 30, 0, 0, 0);
    syscall(SYS_futex, &word + 16, FUTEX_WAKE_PRIVATE, 1 << 30, 0, 0, 0);
    usleep(1000);
  }
  for (int i = 0; i < n; i++) pthread_join(t[i], 0);
  end("done");
}
static void huge_polls(void) {
  files_max();
  static struct { int fd; short events, revents; } many[1 << 20];
  for (int i = 0; i < 1 << 20; i++) many[i].fd = 0, many[i].events = 1;
  for (int i = 0; i < 3; i++) syscall(SYS_poll, many, 1 << 20, 10);
  for (int i = 0; i < 1 << 20; i++) many[i].fd = pair_[0];
  if (pipe(pair_) < 0) refused();
  for (int i = 0; i < 1 << 20; i++) many[i].fd = pair_[0];
  for (int i = 0; i < 3; i++) syscall(SYS_poll, many, 1 << 20, 10);
  end("done");
}
static void groups(void) {
  gid_t *g = calloc(70000, sizeof *g);
  for (int i = 0; i < 70000; i++) g[i] = i;
  if (syscall(SYS_setgroups, 70000, g) == 0) bound();
  if (syscall(SYS_setgroups, 65536, g) < 0) refused();
  for (int i = 0; i < 200; i++)
    if (fork() == 0) { for (;;) pause(); }
  for (int i = 0; i < 300; i++) { g[0] = i; if (syscall(SYS_setgroups, 65536, g) < 0) refused(); struct stat st; stat("/etc/passwd", &st); }
  end("done");
}
static void unlinked_but_open(void) {
  files_max();
  static char buf[65536];
  for (count = 0; count < 100000; count++) {
    int fd = open("/tmp/u", O_CREAT | O_EXCL | O_RDWR, 0600);
    if (fd < 0) refused();
    unlink("/tmp/u");
    if (write(fd, buf, sizeof buf) < 0) refused();
  }
  bound();
}
static void listeners(void) {
  files_max();
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  int l = socket(AF_UNIX, SOCK_STREAM, 0);
  sprintf(a.sun_path + 1, "bomb");
  if (bind(l, (void *)&a, sizeof a) < 0 || listen(l, 1 << 30) < 0) refused();
  for (count = 0; count < 1000000; count++) {
    int c = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c < 0 || connect(c, (void *)&a, sizeof a) < 0) refused();
    close(c);
  }
  bound();
}
static void names(void) {
  files_max();
  for (count = 0; count < 1000000; count++) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    sprintf(a.sun_path + 1, "name%ld", count);
    int s = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (s < 0 || bind(s, (void *)&a, sizeof a) < 0) refused();
  }
  bound();
}
static void zombies(void) {
  for (count = 0; count < 40000; count++) {
    pid_t pid = fork();
    if (pid < 0) refused();
    if (pid == 0) _exit(0);
  }
  bound();
}
static void uids(void) {
  for (count = 0; count < 100000; count++)
    if (syscall(SYS_setresuid, count + 1, -1, -1) < 0) refused();
  end("done");
}
static void filters(void) {
  // seccomp filters pile up.
  struct { unsigned short code; unsigned char jt, jf; unsigned k; } insns[4096];
  for (int i = 0; i < 4096; i++) insns[i] = (typeof(insns[0])){0x06, 0, 0, 0x7fff0000};
  struct { unsigned short len; void *p; } prog = {4096, insns};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  for (count = 0; count < 100000; count++)
    if (syscall(SYS_seccomp, 1, 0, &prog) < 0) refused();
  bound();
}
static void process_names(void) {
  char *p = mmap(0, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  char name[80];
  for (count = 0; count < 16000; count++) {
    sprintf(name, "%079ld", count);
    if (prctl(PR_SET_VMA, 0, p + count * PAGE, PAGE, name) < 0) refused();
  }
  end("done");
}

#define BOMB(name) {#name, name}
static const struct { const char *name; void (*run)(void); } bombs[] = {
  BOMB(fork_bomb), BOMB(fork_tree), BOMB(threads), BOMB(touch_memory), BOMB(touch_in_children), BOMB(populate), BOMB(shared_memory),
  BOMB(fallocated), BOMB(big_file), BOMB(sparse), BOMB(many_files), BOMB(endless_files), BOMB(endless_links), BOMB(missing_names),
  BOMB(deep), BOMB(deeper), BOMB(open_files), BOMB(pipes), BOMB(full_pipes), BOMB(sockets), BOMB(full_streams), BOMB(full_datagrams),
  BOMB(epolls), BOMB(eventfds), BOMB(timerfds), BOMB(inotifies), BOMB(memfds), BOMB(pidfds), BOMB(ttys), BOMB(signalfds),
  BOMB(proc_files), BOMB(watches), BOMB(inotify_events), BOMB(epoll_items), BOMB(epoll_fan), BOMB(rights_cycles), BOMB(rights_chain),
  BOMB(rights_many), BOMB(signal_queue), BOMB(posix_timers), BOMB(fast_timers), BOMB(vmas), BOMB(sparse_touch), BOMB(sparse_read),
  BOMB(locks), BOMB(messages), BOMB(semaphores), BOMB(segments), BOMB(touched_segments), BOMB(message_queues),
  BOMB(extended_attributes), BOMB(mounts), BOMB(binds), BOMB(shared_binds), BOMB(proc_storm), BOMB(long_arguments),
  BOMB(robust_circle), BOMB(futex_waiters), BOMB(huge_polls), BOMB(groups), BOMB(unlinked_but_open), BOMB(listeners), BOMB(names),
  BOMB(zombies), BOMB(uids), BOMB(filters), BOMB(process_names),
};

// bombs --measure CMD...: runs it on the host and tells the most memory that it took, in KiB.
static int measure(char **argv) {
  pid_t pid = fork();
  if (pid == 0) {
    execv(argv[0], argv);
    _exit(127);
  }
  int status;
  struct rusage ru;
  if (wait4(pid, &status, 0, &ru) != pid) return 3;
  fprintf(stderr, "maxrss %ld\n", ru.ru_maxrss);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv) {
  if (argc > 2 && strcmp(argv[1], "--measure") == 0) return measure(argv + 2);
  if (chdir("/tmp") < 0) return 3;
  for (unsigned i = 0; i < sizeof bombs / sizeof *bombs; i++) {
    if (argc < 2) printf("%s\n", bombs[i].name);
    else if (strcmp(argv[1], bombs[i].name) == 0) bombs[i].run();
  }
  return argc < 2 ? 0 : 2;
}
