// What this host asks for the steps that a sandbox is made of: no design can be cheaper than those that it takes.
// Prints "NAME NANOSECONDS", medians over rounds, and "fsgsbase 1" or "fsgsbase 0"; what cannot be had here is left out.
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <cpuid.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include <x86intrin.h>

#define HWCAP2_FSGSBASE 2
/** Many and short: a round in which another program had a cpu is then one that the median leaves out. */
#define ROUNDS 151
#define ROUND_NS 4e5
/** On a host that is too busy for a round, fewer rounds count. */
#define LIMIT_NS 4e8

static double now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/** The median over rounds of the mean of one operation in a round. */
static double measured(void (*op)(void)) {
  double t[ROUNDS], begin = now_ns();
  int n = 0;
  while (n < ROUNDS && (n == 0 || now_ns() - begin < LIMIT_NS)) {
    double start = now_ns(), took;
    long count = 0;
    do {
      for (int i = 0; i < 16; i++) op();
      count += 16;
    } while ((took = now_ns() - start) < ROUND_NS);
    t[n++] = took / count;
  }
  qsort(t, n, sizeof *t, by_value);
  return n % 2 == 1 ? t[n / 2] : (t[n / 2 - 1] + t[n / 2]) / 2;
}

static void print(const char *name, double ns) {
  printf("%s %.1f\n", name, ns);
  fflush(stdout);
}

/** The n-th cpu that this process may use, or -1. */
static int nth_cpu(const cpu_set_t *may, int n) {
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
    if (CPU_ISSET(cpu, may) && n-- == 0) return cpu;
  return -1;
}

static void pin(int cpu) {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(cpu, &one);
  sched_setaffinity(0, sizeof one, &one);
}

static void bare_call(void) {
  long r;
  __asm__ volatile("syscall" : "=a"(r) : "0"(SYS_getppid) : "rcx", "r11", "memory");
}

static unsigned long fs_base, gs_base;
static void set_fs(void) {
  long r;
  __asm__ volatile("syscall" : "=a"(r) : "0"(SYS_arch_prctl), "D"(ARCH_SET_FS), "S"(fs_base) : "rcx", "r11", "memory");
}

static void cpuid_leaf(void) {
  unsigned a, b, c, d;
  __cpuid(0, a, b, c, d);
  __asm__ volatile("" ::"r"(a), "r"(b), "r"(c), "r"(d));
}

static void clock_reading(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
}

static void tsc_reading(void) {
  unsigned long long t = __rdtsc();
  __asm__ volatile("" ::"r"(t));
}

static void on_sigsys(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)info;
  ((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] = 1;
}

/** In a child: the filter stays for good. */
static void trapped_calls(void) {
  if (fork() != 0) return (void)wait(0);
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof code / sizeof *code, code};
  struct sigaction act = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO | SA_NODEFER};
  if (sigaction(SIGSYS, &act, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) _exit(1);
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) _exit(1);
  print("sigsys", measured(bare_call));
  _exit(0);
}

static int there[2], back[2];
static void echo_byte(void) {
  char c = 1;
  if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1) _exit(1);
}

/** A byte to another process and back, each on its cpu; half of that is one way. */
static void exchange(const char *name, int here, int other) {
  pid_t pid = fork();
  if (pid != 0) return (void)waitpid(pid, 0, 0);
  if (pipe(there) != 0 || pipe(back) != 0) _exit(1);
  pid_t partner = fork();
  if (partner == 0) {
    pin(other);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(there[1]);
    for (char c; read(there[0], &c, 1) == 1;)
      if (write(back[1], &c, 1) != 1) break;
    _exit(0);
  }
  pin(here);
  print(name, measured(echo_byte) / 2);
  kill(partner, SIGKILL);
  waitpid(partner, 0, 0);
  _exit(0);
}

// The hand-over: a word in one cache line that each side waits for in turn, as a call and its answer do. How a thread
// finds the line is part of a call: by a pointer that it has, by a word behind gs, by the base of gs itself.
enum { MINE, THEIRS, END };
static struct {
  void *self;
  _Atomic uint32_t turn;
} line __attribute__((aligned(128)));
static _Atomic int relaxed;
static int partner_cpu;

static void wait_while(_Atomic uint32_t *turn, uint32_t value) {
  if (atomic_load_explicit(&relaxed, memory_order_relaxed))
    while (atomic_load_explicit(turn, memory_order_acquire) == value) _mm_pause();
  else
    while (atomic_load_explicit(turn, memory_order_acquire) == value) continue;
}
static void *answer(void *unused) {
  pin(partner_cpu);
  for (;;) {
    wait_while(&line.turn, MINE);
    if (atomic_load(&line.turn) == END) return unused;
    atomic_store_explicit(&line.turn, MINE, memory_order_release);
  }
}
static void hand_over(void *at) {
  _Atomic uint32_t *turn = (_Atomic uint32_t *)((char *)at + offsetof(__typeof__(line), turn));
  atomic_store_explicit(turn, THEIRS, memory_order_release);
  wait_while(turn, THEIRS);
}
static void by_pointer(void) { hand_over(&line); }
static void by_word_behind_gs(void) {
  void *at;
  __asm__ volatile("mov %%gs:0, %0" : "=r"(at));
  hand_over(at);
}
static void by_base_of_gs(void) {
  void *at;
  __asm__ volatile("rdgsbase %0" : "=r"(at));
  hand_over(at);
}
/** The better one of spinning with and without `pause`. */
static double handed_over(void (*op)(void)) {
  atomic_store(&relaxed, 0);
  double tight = measured(op);
  atomic_store(&relaxed, 1);
  double pausing = measured(op);
  return tight < pausing ? tight : pausing;
}
static void hand_overs(int here, int other, int fsgsbase) {
  pthread_t partner;
  partner_cpu = other;
  pin(here);
  if (pthread_create(&partner, 0, answer, 0) != 0) return;
  line.self = &line;
  print("handover", handed_over(by_pointer));
  syscall(SYS_arch_prctl, ARCH_GET_GS, &gs_base);
  syscall(SYS_arch_prctl, ARCH_SET_GS, &line);
  print("handover_gs_word", handed_over(by_word_behind_gs));
  if (fsgsbase) print("handover_rdgsbase", handed_over(by_base_of_gs));
  syscall(SYS_arch_prctl, ARCH_SET_GS, gs_base);
  atomic_store(&line.turn, END);
  pthread_join(partner, 0);
}

int main(void) {
  cpu_set_t may;
  if (sched_getaffinity(0, sizeof may, &may) != 0) return 1;
  int first = nth_cpu(&may, 0), second = nth_cpu(&may, 1);
  int fsgsbase = (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE) != 0;
  print("fsgsbase", fsgsbase);
  print("syscall", measured(bare_call));
  trapped_calls();
  exchange("switch", first, first);
  if (second >= 0) exchange("wakeup", first, second);
  if (second >= 0) hand_overs(first, second, fsgsbase);
  sched_setaffinity(0, sizeof may, &may);
  syscall(SYS_arch_prctl, ARCH_GET_FS, &fs_base);
  print("set_fs", measured(set_fs));
  print("cpuid", measured(cpuid_leaf));
  print("clock_gettime", measured(clock_reading));
  print("rdtsc", measured(tsc_reading));
  return 0;
}
