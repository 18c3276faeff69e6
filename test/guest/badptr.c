// Bad pointers: for each call of a table, addresses that are NULL, not mapped, read-only or the kernel's. Every one
// must give the listed error (EFAULT unless the row says otherwise) and leave the process whole.
#include "check.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/utsname.h>

static char *unmapped, *readonly, *writable;
static int file, pipes[2], sock[2], dgram[2], ep, dir;

enum kind { IN, OUT };
#define BAD 0x7eadbad0L /* stands for the bad pointer in a row */

struct row {
  const char *name;
  long number, args[6];
  enum kind kind;
  int null_error;  // with NULL: 0 when NULL is allowed, -1 when it is EFAULT like the rest
};

static struct row rows[64];
static int row_count;

static void add(const char *name, enum kind kind, int null_error, long number, long a, long b, long c, long d, long e) {
  rows[row_count++] = (struct row){name, number, {a, b, c, d, e, 0}, kind, null_error};
}

static void prepare(void) {
  if (row_count > 0) return;
  char *three = OK(mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  writable = three;
  readonly = three + PAGE;
  unmapped = three + 2 * PAGE;
  OK(mprotect(readonly, PAGE, PROT_READ));
  OK(munmap(unmapped, PAGE));
  file = OK(open("file", O_RDWR | O_CREAT, 0644));
  CHECK_EQ(OK(write(file, "0123456789", 10)), 10);
  OK(lseek(file, 0, SEEK_SET));
  dir = OK(open(".", O_RDONLY));
  OK(pipe2(pipes, O_NONBLOCK));
  CHECK_EQ(OK(write(pipes[1], "0123456789", 10)), 10);
  OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sock));
  OK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, dgram));
  for (int i = 0; i < 8; i++) CHECK_EQ(OK(write(sock[1], "x", 1)), 1);
  for (int i = 0; i < 8; i++) CHECK_EQ(OK(write(dgram[1], "x", 1)), 1);
  ep = OK(epoll_create1(0));
  struct epoll_event e = {.events = EPOLLOUT};
  OK(epoll_ctl(ep, EPOLL_CTL_ADD, sock[1], &e));
  if (symlink("file", "link") < 0) CHECK(errno == EEXIST);

  long in_cwd = AT_FDCWD;
  add("open", IN, -1, SYS_open, BAD, O_RDONLY, 0, 0, 0);
  add("openat", IN, -1, SYS_openat, in_cwd, BAD, O_RDONLY, 0, 0);
  add("creat", IN, -1, SYS_creat, BAD, 0644, 0, 0, 0);
  add("stat path", IN, -1, SYS_stat, BAD, (long)writable, 0, 0, 0);
  add("stat buffer", OUT, -1, SYS_stat, (long)"file", BAD, 0, 0, 0);
  add("fstat", OUT, -1, SYS_fstat, file, BAD, 0, 0, 0);
  add("lstat", OUT, -1, SYS_lstat, (long)"file", BAD, 0, 0, 0);
  add("statx buffer", OUT, -1, SYS_statx, in_cwd, (long)"file", 0, 0x7ff, BAD);
  add("statfs", OUT, -1, SYS_statfs, (long)".", BAD, 0, 0, 0);
  add("read", OUT, -1, SYS_read, file, BAD, 8, 0, 0);
  add("read pipe", OUT, -1, SYS_read, pipes[0], BAD, 8, 0, 0);
  add("pread64", OUT, -1, SYS_pread64, file, BAD, 8, 0, 0);
  add("readv", IN, -1, SYS_readv, file, BAD, 1, 0, 0);
  add("write", IN, -1, SYS_write, file, BAD, 8, 0, 0);
  add("write pipe", IN, -1, SYS_write, pipes[1], BAD, 8, 0, 0);
  add("writev", IN, -1, SYS_writev, file, BAD, 1, 0, 0);
  add("getdents64", OUT, -1, SYS_getdents64, dir, BAD, 1000, 0, 0);
  add("mkdir", IN, -1, SYS_mkdir, BAD, 0755, 0, 0, 0);
  add("rmdir", IN, -1, SYS_rmdir, BAD, 0, 0, 0, 0);
  add("unlink", IN, -1, SYS_unlink, BAD, 0, 0, 0, 0);
  add("rename", IN, -1, SYS_rename, (long)"file", BAD, 0, 0, 0);
  add("link", IN, -1, SYS_link, (long)"file", BAD, 0, 0, 0);
  add("symlink", IN, -1, SYS_symlink, BAD, (long)"s", 0, 0, 0);
  add("readlink path", IN, -1, SYS_readlink, BAD, (long)writable, 10, 0, 0);
  add("readlink buffer", OUT, -1, SYS_readlink, (long)"link", BAD, 10, 0, 0);
  add("chmod", IN, -1, SYS_chmod, BAD, 0644, 0, 0, 0);
  add("chdir", IN, -1, SYS_chdir, BAD, 0, 0, 0, 0);
  add("truncate", IN, -1, SYS_truncate, BAD, 0, 0, 0, 0);
  add("access", IN, -1, SYS_access, BAD, 0, 0, 0, 0);
  add("utimensat times", IN, 0, SYS_utimensat, in_cwd, (long)"file", BAD, 0, 0);
  add("getcwd", OUT, -1, SYS_getcwd, BAD, 1000, 0, 0, 0);
  add("pipe2", OUT, -1, SYS_pipe2, BAD, 0, 0, 0, 0);
  add("poll", OUT, -1, SYS_poll, BAD, 1, 0, 0, 0);
  add("epoll_wait", OUT, -1, SYS_epoll_wait, ep, BAD, 1, 0, 0);
  add("epoll_ctl", IN, -1, SYS_epoll_ctl, ep, EPOLL_CTL_ADD, pipes[0], BAD, 0);
  add("uname", OUT, -1, SYS_uname, BAD, 0, 0, 0, 0);
  add("sysinfo", OUT, -1, SYS_sysinfo, BAD, 0, 0, 0, 0);
  add("getrlimit", OUT, -1, SYS_getrlimit, RLIMIT_NOFILE, BAD, 0, 0, 0);
  add("setrlimit", IN, -1, SYS_setrlimit, RLIMIT_CORE, BAD, 0, 0, 0);
  add("prlimit64 old", OUT, 0, SYS_prlimit64, 0, RLIMIT_NOFILE, 0, BAD, 0);
  add("getrusage", OUT, -1, SYS_getrusage, 0, BAD, 0, 0, 0);
  add("times", OUT, 0, SYS_times, BAD, 0, 0, 0, 0);
  add("clock_gettime", OUT, -1, SYS_clock_gettime, CLOCK_MONOTONIC, BAD, 0, 0, 0);
  add("clock_getres", OUT, 0, SYS_clock_getres, CLOCK_MONOTONIC, BAD, 0, 0, 0);
  add("gettimeofday", OUT, 0, SYS_gettimeofday, BAD, 0, 0, 0, 0);
  add("nanosleep", IN, -1, SYS_nanosleep, BAD, 0, 0, 0, 0);
  add("rt_sigaction new", IN, 0, SYS_rt_sigaction, SIGUSR1, BAD, 0, 8, 0);
  add("rt_sigaction old", OUT, 0, SYS_rt_sigaction, SIGUSR1, 0, BAD, 8, 0);
  add("rt_sigprocmask new", IN, 0, SYS_rt_sigprocmask, SIG_BLOCK, BAD, 0, 8, 0);
  add("rt_sigprocmask old", OUT, 0, SYS_rt_sigprocmask, SIG_BLOCK, 0, BAD, 8, 0);
  add("rt_sigpending", OUT, -1, SYS_rt_sigpending, BAD, 8, 0, 0, 0);
  add("sigaltstack old", OUT, 0, SYS_sigaltstack, 0, BAD, 0, 0, 0);
  add("socketpair", OUT, -1, SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, BAD, 0);
  add("recvfrom stream", OUT, -1, SYS_recvfrom, sock[0], BAD, 1, 0, 0);
  add("sendto", IN, -1, SYS_sendto, dgram[0], BAD, 4, 0, 0);
  add("sendmsg", IN, -1, SYS_sendmsg, sock[0], BAD, 0, 0, 0);
  add("recvmsg", IN, -1, SYS_recvmsg, sock[0], BAD, 0, 0, 0);
  add("bind", IN, -1, SYS_bind, sock[0], BAD, 16, 0, 0);
  add("getsockopt value", OUT, -1, SYS_getsockopt, sock[0], SOL_SOCKET, SO_TYPE, BAD, (long)(writable + 64));
  add("futex", IN, -1, SYS_futex, BAD, 0, 0, 0, 0);
  add("getrandom", OUT, -1, SYS_getrandom, BAD, 16, 0, 0, 0);
  add("memfd_create", IN, -1, SYS_memfd_create, BAD, 0, 0, 0, 0);
  add("execve", IN, -1, SYS_execve, BAD, 0, 0, 0, 0);
}

static long call(struct row *r, long pointer) {
  long a[6];
  for (int i = 0; i < 6; i++) a[i] = r->args[i] == BAD ? pointer : r->args[i];
  *(int *)(writable + 64) = 4;
  errno = 0;
  return syscall(r->number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void try_all(const char *what, long pointer, bool only_out) {
  prepare();
  int bad = 0;
  for (int i = 0; i < row_count; i++) {
    struct row *r = &rows[i];
    if (only_out && r->kind != OUT) continue;
    int want = pointer == 0 && r->null_error >= 0 ? r->null_error : EFAULT;
    long result = call(r, pointer);
    bool right = want == 0 ? result >= 0 : result == -1 && errno == want;
    if (right) continue;
    say("%s with %s: %s\n", r->name, what, result >= 0 ? "no error" : strerrorname_np(errno));
    bad++;
  }
  CHECK_EQ(bad, 0);
}

SUBTEST_FORK(null) { try_all("NULL", 0, false); }
SUBTEST_FORK(not_mapped) {
  prepare();
  try_all("unmapped", (long)unmapped, false);
}
SUBTEST_FORK(low_address) { try_all("8", 8, false); }
SUBTEST_FORK(read_only_result) {
  prepare();
  try_all("read-only", (long)readonly, true);
}
SUBTEST_FORK(kernel_address) { try_all("kernel", 0xffff888000000000, false); }
SUBTEST_FORK(top_of_user_space) { try_all("top", 0x7ffffffff000, false); }
SUBTEST_FORK(not_canonical) { try_all("non-canonical", 0x8000000000000000, false); }
SUBTEST_FORK(last_word) { try_all("-4", -4L, false); }

SUBTEST_FORK(strings_that_run_out) {
  // A path without its zero before the end of the mapping.
  prepare();
  char *end = unmapped - 5;
  OK(mprotect(readonly, PAGE, PROT_READ | PROT_WRITE));
  memset(end, 'a', 5);
  CHECK_ERR(open(end, O_RDONLY), EFAULT);
  CHECK_ERR(mkdir(end, 0755), EFAULT);
  end[4] = 0;
  CHECK_ERR(open(end, O_RDONLY), ENOENT);
}

SUBTEST_FORK(results_that_straddle) {
  // A structure that begins in good memory and ends in bad.
  prepare();
  OK(mprotect(readonly, PAGE, PROT_READ | PROT_WRITE));
  struct stat *st = (void *)(unmapped - 8);
  CHECK_ERR(stat("file", st), EFAULT);
  CHECK_ERR(uname((struct utsname *)(unmapped - 100)), EFAULT);
  // A read moves what fits.
  CHECK_EQ(OK(pread(file, unmapped - 4, 10, 0)), 4);
  CHECK(memcmp(unmapped - 4, "0123", 4) == 0);
  struct iovec iov[2] = {{writable, 4}, {unmapped, 4}};
  CHECK_EQ(OK(preadv(file, iov, 2, 0)), 4);
  CHECK_EQ(OK(pwritev(file, iov, 2, 0)), 4);
  iov[0].iov_base = unmapped;
  CHECK_ERR(preadv(file, iov, 2, 0), EFAULT);
  // Zero bytes touch nothing.
  CHECK_EQ(OK(read(file, unmapped, 0)), 0);
  CHECK_EQ(OK(write(file, unmapped, 0)), 0);
}

SUBTEST_FORK(bad_vectors_inside) {
  prepare();
  struct iovec iov = {unmapped, 5};
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
  CHECK_ERR(sendmsg(dgram[0], &msg, 0), EFAULT);
  CHECK_ERR(recvmsg(dgram[0], &msg, 0), EFAULT);
  msg.msg_iov = (void *)unmapped;
  CHECK_ERR(sendmsg(dgram[0], &msg, 0), EFAULT);
  char *argv[] = {"x", unmapped, NULL};
  CHECK_ERR(execve("/bin/true", argv, environ), EFAULT);
  CHECK_ERR(execve("/bin/true", (char **)unmapped, environ), EFAULT);
}

SUBTEST_FORK(clone_with_bad_pointers) {
  prepare();
  // CLONE_CHILD_SETTID to a bad address is ignored; the child runs.
  pid_t pid = syscall(SYS_clone, 0x01000000 | SIGCHLD, 0, 0, unmapped, 0);
  if (pid == 0) _exit(3);
  CHECK_EQ(child_result(pid), 3);
  CHECK_ERR(syscall(SYS_clone3, unmapped, 88), EFAULT);
}
