// uname(2), sysinfo(2), memfd_create(2) and seals, membarrier(2), rseq(2), hostname, kcmp(2), arch_prctl(2).
#include "check.h"
#include <asm/prctl.h>
#include <linux/membarrier.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

SUBTEST(names) {
  struct utsname u;
  OK(uname(&u));
  CHECK_STR(u.sysname, "Linux");
  CHECK_STR(u.machine, "x86_64");
  int major, minor;
  CHECK(sscanf(u.release, "%d.%d", &major, &minor) == 2);
  // Programs built against a recent C library need at least this.
  CHECK(major > 4 || (major == 4 && minor >= 4));
  char host[65];
  OK(gethostname(host, sizeof host));
  CHECK_STR(host, u.nodename);
}

SUBTEST(system_information) {
  struct sysinfo s;
  OK(sysinfo(&s));
  CHECK(s.uptime > 0 && s.mem_unit > 0 && s.totalram > 0 && s.freeram <= s.totalram && s.procs > 0);
  CHECK(sysconf(_SC_PHYS_PAGES) > 1000);
  CHECK_EQ(sysconf(_SC_PAGESIZE), 4096);
}

SUBTEST(memory_files) {
  int fd = OK(memfd_create("name", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  char path[64], target[64];
  CHECK_EQ(OK(fcntl(fd, F_GETFD)), FD_CLOEXEC);
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  ssize_t n = OK(readlink(path, target, 63));
  target[n] = 0;
  CHECK_STR(target, "/memfd:name (deleted)");
  struct stat st;
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_mode, S_IFREG | 0777);
  CHECK_EQ(st.st_nlink, 0);
  CHECK_EQ(OK(write(fd, "hello", 5)), 5);
  OK(ftruncate(fd, 2 * PAGE));
  CHECK_EQ(OK(fcntl(fd, F_GET_SEALS)), 0);
  OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
  CHECK_ERR(ftruncate(fd, PAGE), EPERM);
  OK(ftruncate(fd, 3 * PAGE));
  OK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
  CHECK_ERR(ftruncate(fd, 4 * PAGE), EPERM);
  CHECK_ERR(pwrite(fd, "x", 1, 3 * PAGE), EPERM);
  char *p = OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
  OK(munmap(p, PAGE));
  OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
  CHECK_ERR(write(fd, "x", 1), EPERM);
  CHECK_ERR(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
  OK(munmap(OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0)), PAGE));
  OK(munmap(OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0)), PAGE));
  OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
  CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), EPERM);
  CHECK_EQ(OK(fcntl(fd, F_GET_SEALS)), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  OK(close(fd));
  fd = OK(memfd_create("unsealable", 0));
  CHECK_EQ(OK(fcntl(fd, F_GET_SEALS)), F_SEAL_SEAL);
  CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
  OK(close(fd));
  CHECK_ERR(memfd_create("x", 0x8000), EINVAL);
  char name[300];
  memset(name, 'n', 299);
  name[299] = 0;
  CHECK_ERR(memfd_create(name, 0), EINVAL);
  fd = OK(open("/dev/null", O_RDWR));
  CHECK_ERR(fcntl(fd, F_GET_SEALS), EINVAL);
  OK(close(fd));
}

SUBTEST_FORK(barriers) {
  long mask = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
  if (mask < 0 && errno == ENOSYS) SKIP("no membarrier");
  if (mask & MEMBARRIER_CMD_PRIVATE_EXPEDITED) {
    CHECK_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), EPERM);
    OK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
    OK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
  }
  CHECK_ERR(syscall(SYS_membarrier, 1 << 30, 0, 0), EINVAL);
}

SUBTEST_FORK(restartable_sequences) {
  // The C library has registered the thread already, or the kernel has no such call.
  static char area[64] __attribute__((aligned(32)));
  CHECK(syscall(SYS_rseq, area, 32, 0x80, 0x53053053) == -1);
  CHECK(errno == EINVAL || errno == ENOSYS || errno == EBUSY);
}

SUBTEST_FORK(host_name) {
  NEED_ROOT();
  if (unshare(CLONE_NEWUTS) < 0) SKIP("no UTS namespaces");
  char name[65];
  OK(sethostname("inner", 5));
  OK(gethostname(name, sizeof name));
  CHECK_STR(name, "inner");
  OK(setdomainname("example", 7));
  struct utsname u;
  OK(uname(&u));
  CHECK_STR(u.nodename, "inner");
  CHECK_ERR(sethostname(name, 65), EINVAL);
  CHECK_ERR(sethostname(name, -1), EINVAL);
}

SUBTEST_FORK(thread_area) {
  unsigned long fs = 0, self = 0;
  OK(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs));
  __asm__("mov %%fs:0, %0" : "=r"(self));
  CHECK(fs != 0 && fs == self);
  static long block[4] = {11, 22};
  OK(syscall(SYS_arch_prctl, ARCH_SET_GS, block));
  long value;
  __asm__ volatile("mov %%gs:8, %0" : "=r"(value));
  CHECK_EQ(value, 22);
  OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &fs));
  CHECK_EQ(fs, block);
  // It survives system calls and goes along to a child.
  sched_yield();
  __asm__ volatile("mov %%gs:0, %0" : "=r"(value));
  CHECK_EQ(value, 11);
  CHILD {
    __asm__ volatile("mov %%gs:8, %0" : "=r"(value));
    CHECK_EQ(value, 22);
  }
  CHECK_ERR(syscall(SYS_arch_prctl, ARCH_SET_FS, 0xffff800000000000), EPERM);
  CHECK_ERR(syscall(SYS_arch_prctl, 0x9999, 0), EINVAL);
}

SUBTEST(comparing) {
  int a = OK(open("/dev/null", O_RDONLY)), b = OK(dup(a)), c = OK(open("/dev/null", O_RDONLY));
  long same = syscall(SYS_kcmp, getpid(), getpid(), 0, a, b);
  if (same < 0 && errno == ENOSYS) SKIP("no kcmp");
  CHECK_EQ(same, 0);
  CHECK(syscall(SYS_kcmp, getpid(), getpid(), 0, a, c) > 0);
  OK(close(a));
  OK(close(b));
  OK(close(c));
}

SUBTEST(registers_after_a_call) {
  // rcx and r11 are lost; everything else stays, and the result is in rax.
  long rbx = 1, rdx = 2, rsi = 3, r8 = 5, r9 = 6, r10 = 7, r12 = 8, rax = SYS_getppid;
  register long r8_ __asm__("r8") = r8, r9_ __asm__("r9") = r9, r10_ __asm__("r10") = r10, r12_ __asm__("r12") = r12;
  __asm__ volatile("syscall"
                   : "+a"(rax), "+b"(rbx), "+d"(rdx), "+S"(rsi), "+r"(r8_), "+r"(r9_), "+r"(r10_), "+r"(r12_)
                   :
                   : "rcx", "r11", "memory");
  // Copied before any other call may use the registers.
  r8 = r8_, r9 = r9_, r10 = r10_, r12 = r12_;
  CHECK(rbx == 1 && rdx == 2 && rsi == 3 && r8 == 5 && r9 == 6 && r10 == 7 && r12 == 8);
  CHECK_EQ(rax, getppid());
}

SUBTEST(many_calls) {
  pid_t pid = getpid();
  for (int i = 0; i < 20000; i++) CHECK_EQ(syscall(SYS_getpid), pid);
}

SUBTEST(many_calls_in_a_child) {
  // The same call sites, in pages that two processes share.
  CHILD {
    for (int i = 0; i < 5000; i++) CHECK(syscall(SYS_getuid) >= 0);
  }
}
