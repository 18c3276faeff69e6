// seccomp(2): strict mode, filters and their verdicts, what a filter may consist of, inheritance, TSYNC.
#include "check.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <ucontext.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOAD_AT(off) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, off)
#define RET(v) BPF_STMT(BPF_RET | BPF_K, v)
#define IF_EQ(v, t, f) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, v, t, f)
#define ALU(op, v) BPF_STMT(BPF_ALU | op | BPF_K, v)
#define ALUX(op) BPF_STMT(BPF_ALU | op | BPF_X, 0)
#define ALLOW RET(SECCOMP_RET_ALLOW)
#define FAILS(e) RET(SECCOMP_RET_ERRNO | (e))

static long install(unsigned flags, struct sock_filter *f, int n) {
  struct sock_fprog p = {n, f};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p);
}
#define INSTALL(flags, ...)                                                 \
  ({                                                                        \
    struct sock_filter f_[] = {__VA_ARGS__};                                \
    install(flags, f_, COUNT(f_));                                          \
  })
static void no_new_privs(void) { OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)); }
// A filter that answers one call, and allows the rest.
static long answer(unsigned flags, int nr, unsigned verdict) {
  return INSTALL(flags, LOAD(nr), IF_EQ(nr, 0, 1), RET(verdict), ALLOW);
}

static int status_field(const char *name) {
  char *at = strstr(get_file("/proc/thread-self/status"), name);
  CHECK(at != NULL);
  return atoi(at + strlen(name));
}

SUBTEST(strict) {
  int pid = SPAWN({
    OK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
    write(1, "strict: still writes\n", 21);
    syscall(SYS_exit, 5);
  });
  CHECK_EQ(child_result(pid), 5);
  pid = SPAWN({
    OK(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL));
    syscall(SYS_getpid);
  });
  CHECK_EQ(child_result(pid), 256 + SIGKILL);
  CHECK_ERR(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, NULL), EINVAL);
  CHECK_ERR(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, ""), EINVAL);
}

SUBTEST_FORK(verdict_errno) {
  no_new_privs();
  CHECK_EQ(prctl(PR_GET_SECCOMP), 0);
  CHECK_EQ(status_field("\nSeccomp:"), 0);
  OK(answer(0, SYS_getpriority, SECCOMP_RET_ERRNO | EBADMSG));
  CHECK_ERR(syscall(SYS_getpriority, 0, 0), EBADMSG);
  CHECK_EQ(prctl(PR_GET_SECCOMP), 2);
  CHECK_EQ(status_field("\nSeccomp:"), 2);
  CHECK_EQ(status_field("\nSeccomp_filters:"), 1);
  // Errors beyond 4095 are cut; error 0 is success.
  OK(answer(0, SYS_getpgrp, SECCOMP_RET_ERRNO | 0xffff));
  CHECK_ERR(syscall(SYS_getpgrp), 4095);
  OK(answer(0, SYS_sync, SECCOMP_RET_ERRNO));
  CHECK_EQ(syscall(SYS_sync), 0);
  // What looks like a call to restart is none.
  OK(answer(0, SYS_getuid, SECCOMP_RET_ERRNO | 512));
  CHECK_ERR(syscall(SYS_getuid), 512);
  // Nobody traces, nobody listens.
  OK(answer(0, SYS_getgid, SECCOMP_RET_TRACE));
  CHECK_ERR(syscall(SYS_getgid), ENOSYS);
  OK(answer(0, SYS_geteuid, SECCOMP_RET_USER_NOTIF));
  CHECK_ERR(syscall(SYS_geteuid), ENOSYS);
  OK(answer(0, SYS_getppid, SECCOMP_RET_LOG | 1));
  CHECK(getppid() > 0);
  CHECK_EQ(status_field("\nSeccomp_filters:"), 7);
  CHECK_ERR(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), EINVAL);
  // A number that no call has.
  OK(answer(0, 4000, SECCOMP_RET_ERRNO | EXDEV));
  CHECK_ERR(syscall(4000), EXDEV);
  CHECK_ERR(syscall(4001), ENOSYS);
}

SUBTEST_FORK(verdict_order) {
  no_new_privs();
  OK(answer(0, SYS_getuid, SECCOMP_RET_ERRNO | 1));
  OK(answer(0, SYS_getuid, SECCOMP_RET_LOG));
  CHECK_ERR(syscall(SYS_getuid), 1);
  // Of equals, the newest counts.
  OK(answer(0, SYS_getuid, SECCOMP_RET_ERRNO | 2));
  CHECK_ERR(syscall(SYS_getuid), 2);
  OK(answer(0, SYS_getuid, SECCOMP_RET_TRACE));
  CHECK_ERR(syscall(SYS_getuid), 2);
  CHILD {
    OK(answer(0, SYS_getuid, SECCOMP_RET_KILL_PROCESS));
    OK(answer(0, SYS_getuid, SECCOMP_RET_TRAP));
    int pid = SPAWN(syscall(SYS_getuid));
    CHECK_EQ(child_result(pid), 256 + SIGSYS);
  }
}

static volatile siginfo_t trapped;
static volatile long trapped_rax, trapped_rip;
static void on_sigsys(int sig, siginfo_t *info, void *context) {
  ucontext_t *uc = context;
  memcpy((void *)&trapped, info, sizeof *info);
  trapped_rax = uc->uc_mcontext.gregs[REG_RAX];
  trapped_rip = uc->uc_mcontext.gregs[REG_RIP];
  CHECK_EQ(sig, SIGSYS);
  uc->uc_mcontext.gregs[REG_RAX] = 1234;
}

SUBTEST_FORK(verdict_trap) {
  no_new_privs();
  struct sigaction sa = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};
  OK(sigaction(SIGSYS, &sa, NULL));
  OK(answer(0, SYS_getuid, SECCOMP_RET_TRAP | 77));
  CHECK_EQ(syscall(SYS_getuid), 1234);
  CHECK_EQ(trapped.si_signo, SIGSYS);
  CHECK_EQ(trapped.si_code, 1);
  CHECK_EQ(trapped.si_errno, 77);
  CHECK_EQ(trapped.si_syscall, SYS_getuid);
  CHECK_EQ(trapped.si_arch, AUDIT_ARCH_X86_64);
  CHECK_EQ((long)trapped.si_call_addr, trapped_rip);
  CHECK_EQ(trapped_rax, SYS_getuid);
  // A blocked SIGSYS kills.
  int pid = SPAWN({
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGSYS);
    sigprocmask(SIG_BLOCK, &set, NULL);
    syscall(SYS_getuid);
  });
  CHECK_EQ(child_result(pid), 256 + SIGSYS);
}

static void *call_getuid(void *p) {
  syscall(SYS_getuid);
  return p;
}

SUBTEST_FORK(verdict_kill) {
  no_new_privs();
  signal(SIGSYS, SIG_IGN);
  // A thread dies alone; the only thread takes its process along.
  int pid = SPAWN({
    OK(answer(0, SYS_getuid, SECCOMP_RET_KILL_THREAD));
    pthread_t th;
    OK0(pthread_create(&th, NULL, call_getuid, NULL));
    char path[64];
    for (int i = 0; i < 1000; i++) {
      snprintf(path, sizeof path, "/proc/self/task");
      DIR *d = opendir(path);
      int n = 0;
      while (readdir(d) != NULL) n++;
      closedir(d);
      if (n == 3) _exit(9);
      sleep_ms(2);
    }
  });
  CHECK_EQ(child_result(pid), 9);
  pid = SPAWN({
    OK(answer(0, SYS_getuid, SECCOMP_RET_KILL_THREAD));
    syscall(SYS_getuid);
  });
  CHECK_EQ(child_result(pid), 256 + SIGSYS);
  pid = SPAWN({
    OK(answer(0, SYS_getuid, SECCOMP_RET_KILL_PROCESS));
    pthread_t th;
    OK0(pthread_create(&th, NULL, call_getuid, NULL));
    pause();
  });
  CHECK_EQ(child_result(pid), 256 + SIGSYS);
  // Actions that nobody knows kill.
  pid = SPAWN({
    OK(answer(0, SYS_getuid, 0x12340000));
    syscall(SYS_getuid);
  });
  CHECK_EQ(child_result(pid), 256 + SIGSYS);
}

SUBTEST_FORK(arguments) {
  no_new_privs();
  // All 64 bits of each argument: lseek(0x11223344_55667788 as the second).
  OK(INSTALL(0, LOAD(nr), IF_EQ(SYS_lseek, 0, 5), LOAD(args[1]), IF_EQ(0x55667788, 0, 3), LOAD_AT(28),
             IF_EQ(0x11223344, 0, 1), FAILS(100), ALLOW));
  CHECK_ERR(syscall(SYS_lseek, -1, 0x1122334455667788, 0), 100);
  CHECK_ERR(syscall(SYS_lseek, -1, 0x1122334455667789, 0), EBADF);
  CHECK_ERR(syscall(SYS_lseek, -1, 0x55667788, 0), EBADF);
  // The upper half of an int argument is seen too.
  OK(INSTALL(0, LOAD(nr), IF_EQ(SYS_close, 0, 3), LOAD_AT(20), IF_EQ(7, 0, 1), FAILS(101), ALLOW));
  CHECK_ERR(syscall(SYS_close, 0x7ffffffffL), 101);
  CHECK_ERR(syscall(SYS_close, 0x6ffffffffL), EBADF);
  // All six, and the architecture.
  OK(INSTALL(0, LOAD(nr), IF_EQ(4000, 0, 14), LOAD(args[0]), IF_EQ(1, 0, 12), LOAD(args[1]), IF_EQ(2, 0, 10),
             LOAD(args[2]), IF_EQ(3, 0, 8), LOAD(args[3]), IF_EQ(4, 0, 6), LOAD(args[4]), IF_EQ(5, 0, 4),
             LOAD(args[5]), IF_EQ(6, 0, 2), LOAD(arch), IF_EQ(AUDIT_ARCH_X86_64, 1, 0), ALLOW, FAILS(102)));
  CHECK_ERR(syscall(4000, 1, 2, 3, 4, 5, 6), 102);
  CHECK_ERR(syscall(4000, 1, 2, 3, 4, 5, 7), ENOSYS);
}

// Runs a program on call 4000, its argument being in the first argument, and gives the errno that it computed.
static int compute_list(unsigned argument, struct sock_filter *body, int n) {
  struct sock_filter f[100] = {LOAD(nr), IF_EQ(4000, 1, 0), ALLOW, LOAD(args[0])};
  memcpy(f + 4, body, n * sizeof *body);
  int at = 4 + n;
  f[at++] = (struct sock_filter)ALU(BPF_AND, 0xfff);
  f[at++] = (struct sock_filter)ALU(BPF_OR, SECCOMP_RET_ERRNO);
  f[at++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
  int pid = SPAWN({
    OK(install(0, f, at));
    long r = syscall(4000, (unsigned long)argument);
    int e = r == 0 ? 0 : errno;
    _exit(e);
  });
  return child_result(pid);
}
#define COMPUTE(argument, ...)                                                       \
  ({                                                                                 \
    struct sock_filter b_[] = {__VA_ARGS__};                                         \
    compute_list(argument, b_, COUNT(b_));                                           \
  })

SUBTEST_FORK(machine) {
  no_new_privs();
  CHECK_EQ(COMPUTE(40, ALU(BPF_ADD, 3)), 43);
  CHECK_EQ(COMPUTE(0xffffffff, ALU(BPF_ADD, 44)), 43);
  CHECK_EQ(COMPUTE(2, ALU(BPF_SUB, 5), ALU(BPF_AND, 0xff)), 253);
  CHECK_EQ(COMPUTE(0x10001, ALU(BPF_MUL, 0x10001), ALU(BPF_RSH, 16)), 2);
  CHECK_EQ(COMPUTE(0xfffffff0, ALU(BPF_DIV, 0x10000000)), 15);
  CHECK_EQ(COMPUTE(0xf0, ALU(BPF_XOR, 0xff)), 15);
  CHECK_EQ(COMPUTE(0x80000000, ALU(BPF_RSH, 31)), 1);
  CHECK_EQ(COMPUTE(1, ALU(BPF_LSH, 31), ALU(BPF_RSH, 28)), 8);
  CHECK_EQ(COMPUTE(5, BPF_STMT(BPF_ALU | BPF_NEG, 0), ALU(BPF_AND, 0xff)), 251);
  CHECK_EQ(COMPUTE(9, BPF_STMT(BPF_MISC | BPF_TAX, 0), ALUX(BPF_ADD), ALUX(BPF_ADD)), 27);
  CHECK_EQ(COMPUTE(9, BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 4), ALUX(BPF_DIV)), 2);
  CHECK_EQ(COMPUTE(3, BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 33), ALUX(BPF_LSH)), 6);
  CHECK_EQ(COMPUTE(0, BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0)), 64);
  CHECK_EQ(COMPUTE(0, BPF_STMT(BPF_LDX | BPF_W | BPF_LEN, 0), BPF_STMT(BPF_MISC | BPF_TXA, 0)), 64);
  CHECK_EQ(COMPUTE(7, BPF_STMT(BPF_ST, 15), BPF_STMT(BPF_LD | BPF_IMM, 1), BPF_STMT(BPF_LDX | BPF_MEM, 15),
                   ALUX(BPF_OR)),
           7);
  CHECK_EQ(COMPUTE(0x80000000, BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 1, 0, 1), BPF_STMT(BPF_LD | BPF_IMM, 6)), 6);
  CHECK_EQ(COMPUTE(1, BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x80000000, 0, 1), BPF_STMT(BPF_LD | BPF_IMM, 6)), 1);
  CHECK_EQ(COMPUTE(6, BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 4, 0, 1), BPF_STMT(BPF_LD | BPF_IMM, 8)), 8);
  CHECK_EQ(COMPUTE(6, BPF_STMT(BPF_MISC | BPF_TAX, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 1),
                   BPF_STMT(BPF_LD | BPF_IMM, 8)),
           8);
  CHECK_EQ(COMPUTE(1, BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0), BPF_STMT(BPF_LD | BPF_IMM, 9)), 1);
  // Division by zero ends with 0: the thread is killed.
  CHECK_EQ(COMPUTE(9, BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 0), ALUX(BPF_DIV)), 256 + SIGSYS);
}

SUBTEST_FORK(bad_programs) {
  no_new_privs();
  CHECK_ERR(install(0, NULL, 0), EINVAL);
  CHECK_ERR(install(0, NULL, 1), EINVAL);
  CHECK_ERR(install(0, (void *)8, 1), EFAULT);
  CHECK_ERR(install(0, NULL, 4097), EINVAL);
  CHECK_ERR(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL), EFAULT);
  CHECK_ERR(INSTALL(0x8000, ALLOW), EINVAL);
  CHECK_ERR(syscall(SYS_seccomp, 99, 0, NULL), EINVAL);
  CHECK_ERR(INSTALL(0, LOAD(nr)), EINVAL);
  CHECK_ERR(INSTALL(0, LOAD_AT(64), ALLOW), EINVAL);
  CHECK_ERR(INSTALL(0, LOAD_AT(2), ALLOW), EINVAL);
  CHECK_ERR(INSTALL(0, LOAD_AT(-4), ALLOW), EINVAL);
  CHECK_ERR(INSTALL(0, BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), ALLOW), EINVAL);
  CHECK_ERR(INSTALL(0, BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), ALLOW), EINVAL);
  CHECK_ERR(INSTALL(0, IF_EQ(1, 1, 0), ALLOW), EINVAL);
  CHECK_ERR(INSTALL(0, IF_EQ(1, 0, 200), ALLOW), EINVAL);
  CHECK_ERR(INSTALL(0, BPF_JUMP(BPF_JMP | BPF_JA, -1, 0, 0), ALLOW), EINVAL);
  CHECK_ERR(INSTALL(0, ALU(BPF_DIV, 0), ALLOW), EINVAL);
  CHECK_ERR(INSTALL(0, ALU(BPF_MOD, 3), ALLOW), EINVAL);
  CHECK_ERR(INSTALL(0, ALU(BPF_LSH, 32), ALLOW), EINVAL);
  CHECK_ERR(INSTALL(0, BPF_STMT(BPF_ST, 16), ALLOW), EINVAL);
  CHECK_ERR(INSTALL(0, BPF_STMT(BPF_LD | BPF_MEM, 0), ALLOW), EINVAL);
  // Written on one way only.
  CHECK_ERR(INSTALL(0, LOAD(nr), IF_EQ(1, 0, 1), BPF_STMT(BPF_ST, 3), BPF_STMT(BPF_LD | BPF_MEM, 3), ALLOW), EINVAL);
  CHECK_ERR(INSTALL(0, BPF_STMT(0xffff, 0), ALLOW), EINVAL);
  CHECK_ERR(INSTALL(0, ALLOW, BPF_STMT(BPF_MISC | BPF_TAX, 0)), EINVAL);
  CHECK_EQ(status_field("\nSeccomp_filters:"), 0);
}

SUBTEST_FORK(rights) {
  NEED_ROOT();
  // With privilege, no_new_privs is not needed; without, it is.
  CHILD {
    OK(answer(0, SYS_getuid, SECCOMP_RET_ERRNO | 3));
    CHECK_ERR(syscall(SYS_getuid), 3);
  }
  OK(setresuid(1000, 1000, 1000));
  CHECK_ERR(answer(0, SYS_getuid, SECCOMP_RET_ERRNO | 3), EACCES);
  CHECK_ERR(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL), EFAULT);
  CHECK_ERR(prctl(PR_SET_SECCOMP, 7, NULL), EINVAL);
  no_new_privs();
  struct sock_filter f[] = {LOAD(nr), IF_EQ(SYS_getuid, 0, 1), FAILS(4), ALLOW};
  struct sock_fprog p = {COUNT(f), f};
  OK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p));
  CHECK_ERR(syscall(SYS_getuid), 4);
}

SUBTEST_FORK(too_long) {
  no_new_privs();
  static struct sock_filter f[4096];
  for (int i = 0; i < 4095; i++) f[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, i);
  f[4095] = (struct sock_filter)ALLOW;
  for (int i = 0; i < 7; i++) OK(install(0, f, 4096));
  CHECK_ERR(install(0, f, 4096), ENOMEM);
  OK(answer(0, SYS_getuid, SECCOMP_RET_ERRNO | 6));
  CHECK_ERR(syscall(SYS_getuid), 6);
}

SUBTEST_FORK(over_fork_and_exec) {
  no_new_privs();
  OK(answer(0, SYS_getpriority, SECCOMP_RET_ERRNO | ENOTBLK));
  CHILD {
    CHECK_ERR(syscall(SYS_getpriority, 0, 0), ENOTBLK);
    CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
    // More for the child is none for the parent.
    OK(answer(0, SYS_getuid, SECCOMP_RET_ERRNO | 5));
  }
  CHECK((long)syscall(SYS_getuid) >= 0);
  CHILD {
    execlp("grep", "grep", "-c", "Seccomp:.2", "/proc/self/status", NULL);
    _exit(1);
  }
}

static struct gate go, done;
static void *tsync_thread(void *own) {
  if (own != NULL) OK(answer(0, SYS_getsid, SECCOMP_RET_ERRNO | 8));
  gate_signal(done);
  gate_wait(go);
  errno = 0;
  long r = syscall(SYS_getpgid, 0);
  return (void *)(long)(r == -1 ? errno : 0);
}

SUBTEST_FORK(tsync) {
  no_new_privs();
  go = gate_make();
  done = gate_make();
  pthread_t th;
  void *result;
  OK0(pthread_create(&th, NULL, tsync_thread, NULL));
  gate_wait(done);
  CHECK_EQ(answer(SECCOMP_FILTER_FLAG_TSYNC, SYS_getpgid, SECCOMP_RET_ERRNO | 9), 0);
  gate_signal(go);
  OK0(pthread_join(th, &result));
  CHECK_EQ((long)result, 9);
  // A thread that went its own way cannot be taken along.
  OK0(pthread_create(&th, NULL, tsync_thread, &go));
  gate_wait(done);
  CHECK(answer(SECCOMP_FILTER_FLAG_TSYNC, SYS_getuid, SECCOMP_RET_ERRNO | 9) > 0);
  CHECK_ERR(answer(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH, SYS_getuid, SECCOMP_RET_ERRNO | 9),
            ESRCH);
  CHECK((long)syscall(SYS_getuid) >= 0);
  gate_signal(go);
  OK0(pthread_join(th, &result));
  CHECK_EQ((long)result, 9);
}

SUBTEST(questions) {
  unsigned known[] = {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO,
                      SECCOMP_RET_TRACE,        SECCOMP_RET_LOG,         SECCOMP_RET_ALLOW};
  for (unsigned i = 0; i < COUNT(known); i++)
    OK(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &known[i]));
  unsigned unknown = 0x12340000;
  CHECK_ERR(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &unknown), EOPNOTSUPP);
  CHECK_ERR(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 1, &unknown), EINVAL);
  CHECK_ERR(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, NULL), EFAULT);
  struct seccomp_notif_sizes sizes;
  OK(syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes));
  CHECK_EQ(sizes.seccomp_notif, 80);
  CHECK_EQ(sizes.seccomp_notif_resp, 24);
  CHECK_EQ(sizes.seccomp_data, 64);
}
