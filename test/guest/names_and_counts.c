// What programs name and count: names of anonymous memory, process_madvise(2), page faults, load averages, the vsyscall
// page, and whom an event on a file wakes that several epoll instances watch.
#include "check.h"
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif

static long name_range(void *p, size_t n, const char *name) {
  return prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, p, n, name);
}

// The name in /proc/self/maps of the mapping that starts at p.
static const char *maps_name(void *p) {
  static char name[200];
  char start[32];
  snprintf(start, sizeof start, "\n%lx-", (long)p);
  char *line = strstr(get_file("/proc/self/maps"), start);
  if (line == NULL) return "(no mapping starts here)";
  line[1 + strcspn(line + 1, "\n")] = 0;
  char *at = strchr(line, '[');
  snprintf(name, sizeof name, "%s", at ? at : "");
  return name;
}

SUBTEST(names) {
  char *p = OK(mmap(NULL, 9 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  // Guards, so that no neighbour merges.
  OK(mprotect(p, PAGE, PROT_NONE));
  OK(mprotect(p + 8 * PAGE, PAGE, PROT_NONE));
  p += PAGE;
  // A kernel without CONFIG_ANON_VMA_NAME.
  if (name_range(p, PAGE, "one") < 0 && errno == EINVAL) return;
  CHECK_STR(maps_name(p), "[anon:one]");
  CHECK_STR(maps_name(p + PAGE), "");
  OK(name_range(p + PAGE, 2 * PAGE - 7, "a b:c"));
  CHECK_STR(maps_name(p + PAGE), "[anon:a b:c]");
  CHECK_STR(maps_name(p + 3 * PAGE), "");
  // Equal names make one mapping again.
  OK(name_range(p, 7 * PAGE, "all"));
  CHECK_STR(maps_name(p), "[anon:all]");
  CHECK_STR(maps_name(p + PAGE), "(no mapping starts here)");
  OK(name_range(p, PAGE, ""));
  CHECK_STR(maps_name(p), "[anon:]");
  OK(name_range(p, 7 * PAGE, NULL));
  CHECK_STR(maps_name(p), "");
  OK(name_range(p, 0, "nothing"));
  CHECK_STR(maps_name(p), "");
  CHECK_ERR(name_range(p + 1, PAGE, "x"), EINVAL);
  CHECK_ERR(name_range(p, PAGE, "a]"), EINVAL);
  CHECK_ERR(name_range(p, PAGE, "a\n"), EINVAL);
  CHECK_ERR(name_range(p, PAGE, "$a"), EINVAL);
  CHECK_ERR(name_range(p, PAGE, (char *)8), EFAULT);
  CHECK_ERR(prctl(PR_SET_VMA, 1, p, PAGE, "x"), EINVAL);
  char text[100];
  memset(text, 'n', sizeof text);
  text[79] = 0;
  OK(name_range(p, PAGE, text));
  text[79] = 'n';
  text[80] = 0;
  CHECK_ERR(name_range(p, PAGE, text), EINVAL);
  OK(munmap(p + 2 * PAGE, PAGE));
  CHECK_ERR(name_range(p, 4 * PAGE, "hole"), ENOMEM);
  CHECK_STR(maps_name(p), "[anon:hole]");
  CHECK_STR(maps_name(p + 3 * PAGE), "[anon:hole]");
  put_file("f", "text");
  int fd = OK(open("f", O_RDONLY));
  char *f = OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
  CHECK_ERR(name_range(f, PAGE, "file"), EBADF);
  // Children keep the names.
  CHILD CHECK_STR(maps_name(p), "[anon:hole]");
}

SUBTEST(remote_advice) {
  char *p = OK(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  memset(p, 1, 4 * PAGE);
  struct iovec iov[2] = {{p, PAGE}, {p + 2 * PAGE, 2 * PAGE}};
  int self = OK(pidfd_open(getpid(), 0));
  CHECK_EQ(syscall(SYS_process_madvise, self, iov, 2, MADV_COLD, 0), 3 * PAGE);
  CHECK_EQ(p[0], 1);
  CHECK_ERR(syscall(SYS_process_madvise, self, iov, 2, MADV_COLD, 1), EINVAL);
  CHECK_ERR(syscall(SYS_process_madvise, 999, iov, 2, MADV_COLD, 0), EBADF);
  CHECK_ERR(syscall(SYS_process_madvise, 0, iov, 2, MADV_COLD, 0), EBADF);
  CHECK_ERR(syscall(SYS_process_madvise, self, NULL, 2, MADV_COLD, 0), EFAULT);
  CHECK_ERR(syscall(SYS_process_madvise, self, iov, 2, 999, 0), EINVAL);
  NEED_ROOT();
  pid_t pid = SPAWN(pause());
  int child = OK(pidfd_open(pid, 0));
  CHECK_EQ(syscall(SYS_process_madvise, child, iov, 2, MADV_PAGEOUT, 0), 3 * PAGE);
  CHECK_ERR(syscall(SYS_process_madvise, child, iov, 2, MADV_DONTNEED, 0), EINVAL);
  munmap(p + PAGE, PAGE);
  kill(pid, SIGKILL);
  CHECK_EQ(child_result(pid), 256 + SIGKILL);
}

SUBTEST(page_faults) {
  struct rusage before, after;
  OK(getrusage(RUSAGE_SELF, &before));
  char *p = OK(mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  for (int i = 0; i < 8 << 20; i += PAGE) p[i] = 1;
  OK(getrusage(RUSAGE_SELF, &after));
  CHECK(after.ru_minflt > before.ru_minflt);
  long children = 0;
  OK(getrusage(RUSAGE_CHILDREN, &before));
  children = before.ru_minflt;
  CHILD for (int i = 0; i < 8 << 20; i += PAGE) p[i] = 2;
  OK(getrusage(RUSAGE_CHILDREN, &after));
  CHECK(after.ru_minflt > children);
}

SUBTEST(load) {
  float a, b, c;
  int running, all, last;
  CHECK_EQ(sscanf(get_file("/proc/loadavg"), "%f %f %f %d/%d %d", &a, &b, &c, &running, &all, &last), 6);
  CHECK(a >= 0 && b >= 0 && c >= 0 && running >= 1 && all >= running && last >= 1);
  struct sysinfo info;
  OK(sysinfo(&info));
  CHECK(info.loads[0] < 10000L << 16);
}

static int events_fd;
static void *one_waiter(void *p) {
  struct epoll_event e = {.events = EPOLLIN | EPOLLEXCLUSIVE};
  int ep = OK(epoll_create1(0));
  OK(epoll_ctl(ep, EPOLL_CTL_ADD, events_fd, &e));
  gate_signal(*(struct gate *)p);
  return (void *)(long)epoll_wait(ep, &e, 1, 600);
}

SUBTEST(exclusive) {
  struct gate ready = gate_make();
  events_fd = OK(eventfd(0, 0));
  pthread_t th[4];
  for (int i = 0; i < 4; i++) {
    OK0(pthread_create(&th[i], NULL, one_waiter, &ready));
    gate_wait(ready);
  }
  sleep_ms(100);
  uint64_t one = 1;
  CHECK(write(events_fd, &one, 8) == 8);
  int woken = 0;
  for (int i = 0; i < 4; i++) {
    void *r;
    OK0(pthread_join(th[i], &r));
    woken += (long)r;
  }
  // An exclusive waiter that gives up looks once more, so that more than one may see the event in the end.
  CHECK(woken >= 1);
}

// An exclusive wake reaches one instance, a plain one all: counted while everybody still waits.
static int woken_count;
static void *counting_waiter(void *p) {
  unsigned events = (unsigned)(long)p;
  struct epoll_event e = {.events = events};
  int ep = OK(epoll_create1(0));
  OK(epoll_ctl(ep, EPOLL_CTL_ADD, events_fd, &e));
  if (epoll_wait(ep, &e, 1, 20000) == 1) __atomic_add_fetch(&woken_count, 1, __ATOMIC_SEQ_CST);
  return NULL;
}

static int count_woken(unsigned events) {
  events_fd = OK(eventfd(0, 0));
  woken_count = 0;
  pid_t pid = SPAWN({
    pthread_t th;
    for (int i = 0; i < 4; i++) OK0(pthread_create(&th, NULL, counting_waiter, (void *)(long)events));
    sleep_ms(300);
    uint64_t one = 1;
    CHECK(write(events_fd, &one, 8) == 8);
    sleep_ms(300);
    _exit(woken_count);
  });
  return child_result(pid);
}

SUBTEST(exclusive_wakes_one) {
  CHECK_EQ(count_woken(EPOLLIN), 4);
  CHECK_EQ(count_woken(EPOLLIN | EPOLLEXCLUSIVE), 1);
}

SUBTEST_FORK(vsyscall) {
  long (*vtime)(long *) = (void *)0xffffffffff600400;
  long t = vtime(NULL);
  CHECK(labs(t - time(NULL)) <= 1);
}
