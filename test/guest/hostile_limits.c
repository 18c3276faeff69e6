// Programs that take more than a limit allows, or build what a careless kernel would walk down recursively or for ever:
// each is refused with the errno of Linux, and everything works afterwards.
#include "check.h"
#include <linux/futex.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

static void limit(int what, long to) { OK(setrlimit(what, &(struct rlimit){to, to})); }
static void become_nobody(void) {
  if (getuid() == 0) {
    OK(setresgid(54323, 54323, 54323));
    OK(setresuid(54323, 54323, 54323));
  }
}

SUBTEST_FORK(fork_until_refused) {
  // Everything of one user counts: a user without other processes is needed.
  NEED_ROOT();
  become_nobody();
  limit(RLIMIT_NPROC, 40);
  int made = 0;
  pid_t pids[100];
  for (; made < 100; made++) {
    pids[made] = fork();
    if (pids[made] < 0) break;
    if (pids[made] == 0) for (;;) pause();
  }
  CHECK_EQ(errno, EAGAIN);
  CHECK_EQ(made, 39);
  CHECK_ERR(vfork(), EAGAIN);
  pthread_t t;
  CHECK_EQ(pthread_create(&t, NULL, (void *(*)(void *))pause, NULL), EAGAIN);
  for (int i = 0; i < made; i++) {
    OK(kill(pids[i], SIGKILL));
    CHECK_EQ(child_result(pids[i]), 256 + SIGKILL);
  }
  CHILD {}
}

SUBTEST_FORK(address_space_until_refused) {
  limit(RLIMIT_AS, 256 << 20);
  int n = 0;
  while (mmap(0, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) n++;
  CHECK_EQ(errno, ENOMEM);
  CHECK(n > 200 && n < 256);
  CHECK_ERR(sbrk(2 << 20), ENOMEM);
  CHECK_ERR(mmap(0, 1L << 46, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
}

SUBTEST_FORK(sizes_beyond_the_address_space) {
  char *p = OK(mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  static const unsigned long sizes[] = {1UL << 46, (1UL << 47) - PAGE, 1UL << 47, 1UL << 52, 1UL << 62, 1UL << 63, -4096UL, -1UL};
  for (unsigned i = 0; i < COUNT(sizes); i++) {
    unsigned long n = sizes[i];
    syscall(SYS_mremap, p, n, PAGE, 0, 0);
    CHECK(syscall(SYS_mremap, p, n, PAGE, MREMAP_MAYMOVE, 0) == -1 || n == 0);
    CHECK(syscall(SYS_mremap, p, PAGE, n, MREMAP_MAYMOVE, 0) == -1);
    CHECK(syscall(SYS_mremap, p, n, n, MREMAP_MAYMOVE | MREMAP_FIXED, p + 64 * PAGE) == -1);
    CHECK(syscall(SYS_munmap, p + PAGE, n) == -1);
    CHECK(syscall(SYS_mmap, p, n, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == -1);
    syscall(SYS_mprotect, p, n, PROT_READ | PROT_WRITE);
    syscall(SYS_madvise, p, n, MADV_NORMAL);
    syscall(SYS_msync, p, n, MS_ASYNC);
    syscall(SYS_mlock, p, n);
    syscall(SYS_mincore, p, n, p);
  }
  p[0] = p[3 * PAGE] = 1;
}

SUBTEST_FORK(descriptors_until_refused) {
  limit(RLIMIT_NOFILE, 200);
  int pair[2], fd;
#define UNTIL_REFUSED(call)                          \
  do {                                               \
    int n = 0;                                       \
    while ((call) >= 0) CHECK(++n < 1000);           \
    CHECK_EQ(errno, EMFILE);                         \
    for (fd = 3; fd < 200; fd++) close(fd);          \
  } while (0)
  UNTIL_REFUSED(open("/dev/null", O_RDONLY));
  UNTIL_REFUSED(dup(1));
  UNTIL_REFUSED(pipe(pair));
  UNTIL_REFUSED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  UNTIL_REFUSED(socket(AF_UNIX, SOCK_DGRAM, 0));
  UNTIL_REFUSED(epoll_create1(0));
  UNTIL_REFUSED(eventfd(0, 0));
  UNTIL_REFUSED(timerfd_create(CLOCK_MONOTONIC, 0));
  UNTIL_REFUSED(memfd_create("x", 0));
  UNTIL_REFUSED((int)syscall(SYS_pidfd_open, getpid(), 0));
  UNTIL_REFUSED(open("/proc/self/maps", O_RDONLY));
  CHECK_ERR(dup2(1, 200), EBADF);
  CHECK_ERR(fcntl(1, F_DUPFD, 200), EINVAL);
}

SUBTEST_FORK(ten_thousand_files) {
  struct rlimit r;
  OK(getrlimit(RLIMIT_NOFILE, &r));
  if (r.rlim_max < 10100) SKIP("a low limit of descriptors");
  r.rlim_cur = 10100;
  OK(setrlimit(RLIMIT_NOFILE, &r));
  for (int i = 0; i < 10000; i++) OK(open("/dev/null", O_RDONLY));
  CHILD { CHECK_EQ(fcntl(9999, F_GETFD), 0); }
  OK(syscall(SYS_close_range, 3, -1U, 0));
  CHECK_EQ(OK(open("/dev/null", O_RDONLY)), 3);
}

SUBTEST_FORK(signals_until_refused) {
  become_nobody();
  limit(RLIMIT_SIGPENDING, 64);
  sigset_t set;
  sigfillset(&set);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  int n = 0;
  while (sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = n}) == 0) CHECK(++n < 1000);
  CHECK_EQ(errno, EAGAIN);
  CHECK_EQ(n, 64);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, SIGRTMIN);
  siginfo_t info;
  for (int i = 0; i < 64; i++) {
    OK(sigwaitinfo(&one, &info));
    CHECK_EQ(info.si_value.sival_int, i);
  }
}

static void send_descriptors(int sock, const int *fds, int n) {
  char control[CMSG_SPACE(4 * 253)] = {0};
  struct iovec iov = {"x", 1};
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(4 * n)};
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(4 * n);
  memcpy(CMSG_DATA(c), fds, 4 * n);
  OK(sendmsg(sock, &m, MSG_DONTWAIT));
}

SUBTEST_FORK(sockets_in_sockets_in_sockets) {
  NEED_ROOT();  // nobody else may have so many in flight
  int last = OK(eventfd(0, 0));
  for (int i = 0; i < 4000; i++) {
    int a[2];
    OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, a));
    send_descriptors(a[0], &last, 1);
    close(last), close(a[0]);
    last = a[1];
  }
  OK(close(last));
  CHILD {}
}

SUBTEST_FORK(sockets_that_hold_each_other) {
  for (int i = 0; i < 300; i++) {
    int a[2], b[2];
    OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, a));
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, b));
    send_descriptors(a[0], b, 2);
    send_descriptors(b[0], a, 2);
    close(a[0]), close(a[1]), close(b[0]), close(b[1]);
  }
}

SUBTEST_FORK(directories_two_thousand_deep) {
  for (int i = 0; i < 2000; i++) {
    OK(mkdir("a-directory", 0755));
    OK(chdir("a-directory"));
  }
  static char buf[65536];
  CHECK_ERR(syscall(SYS_getcwd, buf, sizeof buf), ENAMETOOLONG);
  close(OK(open("file", O_CREAT | O_WRONLY, 0644)));
  OK(unlink("file"));
  CHILD { OK(chdir("..")); }
  for (int i = 0; i < 2000; i++) {
    OK(chdir(".."));
    OK(rmdir("a-directory"));
  }
}

SUBTEST_FORK(links_that_lead_on_and_on) {
  char a[20], b[20];
  close(OK(open("l0", O_CREAT | O_WRONLY, 0644)));
  for (int i = 1; i <= 45; i++) {
    sprintf(a, "l%d", i - 1), sprintf(b, "l%d", i);
    OK(symlink(a, b));
  }
  close(OK(open("l40", O_RDONLY)));
  CHECK_ERR(open("l41", O_RDONLY), ELOOP);
  OK(symlink("self/x", "self"));
  CHECK_ERR(open("self/y", O_RDONLY), ELOOP);
  OK(symlink("two", "one"));
  OK(symlink("one", "two"));
  CHECK_ERR(chdir("one"), ELOOP);
  CHECK_ERR(execl("one", "one", NULL), ELOOP);
  char path[5000];
  memset(path, '/', sizeof path);
  path[4999] = 0;
  CHECK_ERR(open(path, O_RDONLY), ENAMETOOLONG);
  path[4095] = 0;
  close(OK(open(path, O_RDONLY)));
}

SUBTEST_FORK(arguments_without_end) {
  limit(RLIMIT_STACK, 8 << 20);
  char *arg = OK(malloc(131072));
  memset(arg, 'a', 131072);
  char *argv[70] = {"true", arg, NULL};
  arg[131071] = 0;
  CHILD { OK(execv("/bin/true", argv)); }
  arg[131071] = 'a';
  CHECK_ERR(execv("/bin/true", argv), E2BIG);
  arg[131071] = 0;
  for (int i = 1; i < 9; i++) argv[i] = arg;
  argv[9] = NULL;
  CHILD { OK(execv("/bin/true", argv)); }
  for (int i = 1; i < 20; i++) argv[i] = arg;
  argv[20] = NULL;
  CHECK_ERR(execv("/bin/true", argv), E2BIG);
  char **many = OK(calloc(1 << 20, sizeof *many));
  for (int i = 0; i < (1 << 20) - 1; i++) many[i] = "";
  CHECK_ERR(execv("/bin/true", many), E2BIG);
}

SUBTEST_FORK(mappings_until_refused) {
  char *p = OK(mmap(0, 1L << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  long n = 0;
  while (mprotect(p + n * 2 * PAGE, PAGE, PROT_READ | PROT_WRITE) == 0) CHECK(++n < 100000);
  CHECK_EQ(errno, ENOMEM);
  CHECK(n > 30000);
  CHECK_ERR(munmap(p + (n + 100) * 2 * PAGE, PAGE), ENOMEM);
  OK(munmap(p, 1L << 30));
  OK(mmap(0, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

SUBTEST_FORK(a_robust_list_in_a_circle) {
  CHILD {
    static struct {
      void *next;
      long offset;
      void *pending;
    } head;
    static void *a, *b;
    head.next = &a, a = &b, b = &a;
    OK(syscall(SYS_set_robust_list, &head, sizeof head));
  }
}

SUBTEST_FORK(watchers_of_watchers) {
  int first = OK(epoll_create1(0)), last = first;
  struct epoll_event ev = {.events = EPOLLIN};
  int depth = 0;
  for (; depth < 20; depth++) {
    int next = OK(epoll_create1(0));
    if (epoll_ctl(next, EPOLL_CTL_ADD, last, &ev) < 0) break;
    last = next;
  }
  CHECK(errno == EINVAL || errno == ELOOP);
  CHECK(depth < 6);
  CHECK(epoll_ctl(first, EPOLL_CTL_ADD, last, &ev) < 0);
  CHECK_ERR(epoll_ctl(first, EPOLL_CTL_ADD, first, &ev), EINVAL);
}

SUBTEST_FORK(huge_files_without_content) {
  int fd = OK(open("sparse", O_CREAT | O_RDWR, 0644));
  OK(ftruncate(fd, 1L << 40));
  CHECK_EQ(OK(pwrite(fd, "x", 1, 1L << 39)), 1);
  struct stat st;
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 1L << 40);
  CHECK(st.st_blocks < 1000);
  char c = 1;
  CHECK_EQ(OK(pread(fd, &c, 1, (1L << 40) - 1)), 1);
  CHECK_EQ(c, 0);
  CHECK_ERR(ftruncate(fd, -1), EINVAL);
  CHECK_ERR(pwrite(fd, "x", 1, -1), EINVAL);
  char *p = OK(mmap(0, PAGE, PROT_READ, MAP_SHARED, fd, 1L << 39));
  CHECK_EQ(p[0], 'x');
  OK(ftruncate(fd, 0));
  limit(RLIMIT_FSIZE, 1000);
  signal(SIGXFSZ, SIG_IGN);
  CHECK_ERR(ftruncate(fd, 1001), EFBIG);
  CHECK_ERR(pwrite(fd, "x", 1, 1000), EFBIG);
  CHECK_EQ(OK(pwrite(fd, "xy", 2, 999)), 1);
}

SUBTEST_FORK(counts_without_sense) {
  int zero = OK(open("/dev/zero", O_RDWR));
  char c;
  struct iovec iov[2] = {{&c, 1}, {&c, -1}};
  CHECK_ERR(readv(zero, iov, 2), EINVAL);
  CHECK_ERR(readv(zero, iov, 1025), EINVAL);
  CHECK_ERR(syscall(SYS_readv, zero, iov, -1), EINVAL);
  CHECK_ERR(syscall(SYS_poll, iov, -1, 0), EINVAL);
  CHECK_ERR(syscall(SYS_poll, iov, 1 << 30, 0), EINVAL);
  CHECK_ERR(syscall(SYS_select, -1, NULL, NULL, NULL, NULL), EINVAL);
  CHECK_ERR(syscall(SYS_epoll_wait, OK(epoll_create1(0)), iov, 0, 0), EINVAL);
  CHECK_ERR(syscall(SYS_epoll_create, 0), EINVAL);
  CHECK_ERR(syscall(SYS_setgroups, 65537, iov) == -1 && errno == EPERM ? (errno = EINVAL, -1) : syscall(SYS_setgroups, 65537, iov), EINVAL);
  CHECK_ERR(syscall(SYS_getgroups, -1, iov), EINVAL);
  CHECK_ERR(syscall(SYS_listen, zero, 1 << 30), ENOTSOCK);
  CHECK_ERR(syscall(SYS_futex, &c, FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
  CHECK_ERR(syscall(SYS_sched_setaffinity, 0, 0, iov), EINVAL);
  CHECK_ERR(syscall(SYS_getrandom, iov, 1, -1), EINVAL);
}
