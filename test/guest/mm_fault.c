// Synchronous faults: the signal, si_code and si_addr of each, and going on after them.
#include "check.h"
#include <stddef.h>
#include <ucontext.h>

static sigjmp_buf env;
static siginfo_t info;
static ucontext_t context;
static volatile long skip_bytes;

static void on_fault(int sig, siginfo_t *i, void *c) {
  info = *i;
  memcpy(&context, c, offsetof(ucontext_t, __fpregs_mem));
  siglongjmp(env, sig);
}

static void catch_all(void) {
  int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
  struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
  for (size_t i = 0; i < COUNT(signals); i++) OK(sigaction(signals[i], &sa, NULL));
}

#define FAULT(sig, code, action)                  \
  do {                                            \
    int got_ = sigsetjmp(env, 1);                 \
    if (got_ == 0) {                              \
      action;                                     \
      FAIL("no fault: %s", #action);              \
    }                                             \
    CHECK_EQ(got_, sig);                          \
    CHECK_EQ(info.si_signo, sig);                 \
    CHECK_EQ(info.si_code, code);                 \
  } while (0)

SUBTEST_FORK(segv_maperr) {
  catch_all();
  char *p = OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  OK(munmap(p, PAGE));
  FAULT(SIGSEGV, SEGV_MAPERR, *(volatile char *)(p + 123));
  CHECK(info.si_addr == p + 123);
  FAULT(SIGSEGV, SEGV_MAPERR, *(volatile char *)(p + 77) = 1);
  CHECK(info.si_addr == p + 77);
  CHECK_EQ(context.uc_mcontext.gregs[REG_TRAPNO], 14);
  CHECK_EQ(context.uc_mcontext.gregs[REG_ERR] & 7, 6);
  CHECK(context.uc_mcontext.gregs[REG_CR2] == (long)(p + 77));
  FAULT(SIGSEGV, SEGV_MAPERR, *(volatile char *)8 = 1);
  CHECK(info.si_addr == (void *)8);
}

SUBTEST_FORK(segv_accerr) {
  catch_all();
  char *p = OK(mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  FAULT(SIGSEGV, SEGV_ACCERR, *(volatile char *)(p + 5) = 1);
  CHECK(info.si_addr == p + 5);
  (void)*(volatile char *)p;
  FAULT(SIGSEGV, SEGV_ACCERR, *(volatile char *)(p + 5) = 1);
  OK(mprotect(p, PAGE, PROT_NONE));
  FAULT(SIGSEGV, SEGV_ACCERR, (void)*(volatile char *)(p + 9));
  CHECK(info.si_addr == p + 9);
  // No execution from a page without PROT_EXEC.
  OK(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
  p[16] = 0xc3;
  FAULT(SIGSEGV, SEGV_ACCERR, ((void (*)(void))(p + 16))());
  CHECK(info.si_addr == p + 16);
  CHECK(context.uc_mcontext.gregs[REG_RIP] == (long)(p + 16));
  // The program's own text is read-only.
  FAULT(SIGSEGV, SEGV_ACCERR, *(volatile char *)(void *)on_fault = 1);
}

SUBTEST_FORK(segv_noncanonical) {
  catch_all();
  // A general protection fault has no address.
  FAULT(SIGSEGV, SI_KERNEL, *(volatile char *)0x8000000000000000UL);
  CHECK(info.si_addr == NULL);
  // A kernel address is simply not mapped for a program.
  FAULT(SIGSEGV, SEGV_MAPERR, *(volatile char *)0xffffffff80000000UL);
}

SUBTEST_FORK(privileged_instructions) {
  catch_all();
  FAULT(SIGSEGV, SI_KERNEL, __asm__ volatile("hlt"));
  FAULT(SIGSEGV, SI_KERNEL, __asm__ volatile("cli"));
  FAULT(SIGSEGV, SI_KERNEL, __asm__ volatile("inb $0x80, %%al" ::: "rax"));
}

SUBTEST_FORK(bus_adrerr) {
  catch_all();
  int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
  char *p = OK(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  FAULT(SIGBUS, BUS_ADRERR, *(volatile char *)(p + 3));
  CHECK(info.si_addr == p + 3);
  OK(ftruncate(fd, 100));
  (void)*(volatile char *)(p + 3);
  FAULT(SIGBUS, BUS_ADRERR, *(volatile char *)(p + PAGE + 3) = 1);
  CHECK(info.si_addr == p + PAGE + 3);
}

static volatile int zero;

SUBTEST_FORK(fpe) {
  catch_all();
  volatile int one = 1;
  FAULT(SIGFPE, FPE_INTDIV, one = one / zero);
  CHECK(info.si_addr == (void *)context.uc_mcontext.gregs[REG_RIP]);
  volatile int least = INT_MIN, minus = -1;
  FAULT(SIGFPE, FPE_INTDIV, one = least / minus);
  // SSE and x87 exceptions, once unmasked.
  FAULT(SIGFPE, FPE_FLTDIV, ({
          unsigned mxcsr = 0x1f80 & ~0x200;
          float a = 1, b = 0;
          __asm__ volatile("ldmxcsr %0; divss %2, %1" ::"m"(mxcsr), "x"(a), "x"(b));
        }));
  unsigned normal = 0x1f80;
  __asm__ volatile("ldmxcsr %0" ::"m"(normal));
}

SUBTEST_FORK(ill) {
  catch_all();
  FAULT(SIGILL, ILL_ILLOPN, __asm__ volatile("ud2"));
  CHECK(info.si_addr == (void *)context.uc_mcontext.gregs[REG_RIP]);
}

SUBTEST_FORK(trap) {
  catch_all();
  FAULT(SIGTRAP, SI_KERNEL, __asm__ volatile("int3"));
}

static void skip_instruction(int sig, siginfo_t *i, void *c) {
  (void)sig;
  (void)i;
  ((ucontext_t *)c)->uc_mcontext.gregs[REG_RIP] += skip_bytes;
}

SUBTEST_FORK(handler_skips_the_instruction) {
  struct sigaction sa = {.sa_sigaction = skip_instruction, .sa_flags = SA_SIGINFO};
  OK(sigaction(SIGSEGV, &sa, NULL));
  OK(sigaction(SIGILL, &sa, NULL));
  skip_bytes = 2;
  for (int i = 0; i < 1000; i++) __asm__ volatile("ud2");
  int value = 5;
  // movl (%rax), %ecx takes two bytes.
  __asm__ volatile("movl (%%rax), %%ecx" : "+c"(value) : "a"(0L));
  CHECK_EQ(value, 5);
}

static char *lazy;
static volatile int faults;
static void map_lazily(int sig, siginfo_t *i, void *c) {
  (void)sig;
  (void)c;
  faults++;
  char *page = (char *)((long)i->si_addr & ~(PAGE - 1L));
  mprotect(page, PAGE, PROT_READ | PROT_WRITE);
}

SUBTEST_FORK(handler_repairs_the_mapping) {
  struct sigaction sa = {.sa_sigaction = map_lazily, .sa_flags = SA_SIGINFO};
  OK(sigaction(SIGSEGV, &sa, NULL));
  lazy = OK(mmap(NULL, 100 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  for (int i = 0; i < 100; i++) lazy[i * PAGE] = i;
  CHECK_EQ(faults, 100);
  for (int i = 0; i < 100; i++) CHECK_EQ(lazy[i * PAGE], i);
  CHECK_EQ(faults, 100);
}

SUBTEST(default_action_kills) {
  CHECK_EQ(child_result(SPAWN({ *(volatile char *)8 = 1; })), 256 + SIGSEGV);
  CHECK_EQ(child_result(SPAWN({ __asm__ volatile("ud2"); })), 256 + SIGILL);
  CHECK_EQ(child_result(SPAWN({ volatile int x = 1; x = x / zero; })), 256 + SIGFPE);
  CHECK_EQ(child_result(SPAWN({ __asm__ volatile("int3"); })), 256 + SIGTRAP);
}

SUBTEST(blocked_or_ignored_fault_kills) {
  // A fault whose signal is blocked or ignored cannot wait: the kernel forces the default action.
  CHECK_EQ(child_result(SPAWN({
             sigset_t all;
             sigfillset(&all);
             sigprocmask(SIG_BLOCK, &all, NULL);
             *(volatile char *)8 = 1;
           })),
           256 + SIGSEGV);
  CHECK_EQ(child_result(SPAWN({
             signal(SIGSEGV, SIG_IGN);
             *(volatile char *)8 = 1;
           })),
           256 + SIGSEGV);
}

static void fault_again(int sig) {
  (void)sig;
  *(volatile char *)8 = 1;
}

SUBTEST(fault_in_handler_kills) {
  CHECK_EQ(child_result(SPAWN({
             signal(SIGSEGV, fault_again);
             *(volatile char *)8 = 1;
           })),
           256 + SIGSEGV);
}

SUBTEST(no_stack_for_the_frame_kills) {
  CHECK_EQ(child_result(SPAWN({
             signal(SIGUSR1, fault_again);
             pid_t pid = getpid();
             // kill(pid, SIGUSR1) with the stack pointer in nowhere
             __asm__ volatile("mov $4096, %%rsp; syscall" ::"a"(SYS_kill), "D"(pid), "S"(SIGUSR1) : "rcx", "r11", "memory");
           })),
           256 + SIGSEGV);
}

SUBTEST(bad_sigreturn_kills) {
  CHECK_EQ(child_result(SPAWN({
             __asm__ volatile("mov $4096, %%rsp; syscall" ::"a"(SYS_rt_sigreturn) : "rcx", "r11", "memory");
           })),
           256 + SIGSEGV);
}

SUBTEST(old_int80_calls) {
  // The 32-bit gate may be off, but it may not harm the caller: 20 is getpid there.
  pid_t pid = SPAWN({
    long r = 20;
    __asm__ volatile("int $0x80" : "+a"(r)::"memory", "r8", "r9", "r10", "r11");
    _exit(r == getpid() || r == -ENOSYS ? 0 : 1);
  });
  int result = child_result(pid);
  CHECK(result == 0 || result == 256 + SIGSEGV);
}
