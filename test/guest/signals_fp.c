// The register state across signal handlers, and changes that a handler makes to its ucontext.
#include "check.h"
#include <immintrin.h>
#include <pthread.h>
#include <ucontext.h>

static volatile int hits;

static void clobber(int sig) {
  (void)sig;
  unsigned mxcsr = 0x1f80 | 0x6000;
  unsigned short control = 0x077f;
  __asm__ volatile(
      "pxor %%xmm0, %%xmm0; pxor %%xmm1, %%xmm1; pxor %%xmm7, %%xmm7; pxor %%xmm8, %%xmm8; pxor %%xmm15, %%xmm15\n"
      "fninit; fldz; fldz; fldz; fldcw %0; ldmxcsr %1\n"
      "xor %%r8, %%r8; xor %%r9, %%r9; xor %%r10, %%r10; xor %%r11, %%r11; std; cld" ::"m"(control), "m"(mxcsr)
      : "xmm0", "xmm1", "xmm7", "xmm8", "xmm15", "r8", "r9", "r10", "r11", "st", "st(1)", "st(2)", "memory");
  if (__builtin_cpu_supports("avx")) __asm__ volatile(".byte 0xc5, 0xfc, 0x77" ::: "memory");  // vzeroall
  hits++;
}

static void catch_it(void *handler, int flags) {
  struct sigaction sa = {.sa_handler = handler, .sa_flags = flags};
  OK(sigaction(SIGUSR1, &sa, NULL));
  hits = 0;
}

// kill(getpid(), SIGUSR1) as one instruction, so that no library code runs between load and store.
#define SELF_SIGNAL "syscall\n"
#define SELF_ARGS "a"(SYS_kill), "D"(pid), "S"(SIGUSR1)

SUBTEST_FORK(sse_registers) {
  catch_it(clobber, 0);
  unsigned char in[16][16], out[16][16];
  for (int i = 0; i < 256; i++) ((unsigned char *)in)[i] = i * 7 + 1;
  long pid = getpid(), ret;
  __asm__ volatile(
      "movups 0(%[in]), %%xmm0; movups 16(%[in]), %%xmm1; movups 112(%[in]), %%xmm7\n"
      "movups 128(%[in]), %%xmm8; movups 240(%[in]), %%xmm15\n" SELF_SIGNAL
      "movups %%xmm0, 0(%[out]); movups %%xmm1, 16(%[out]); movups %%xmm7, 112(%[out])\n"
      "movups %%xmm8, 128(%[out]); movups %%xmm15, 240(%[out])"
      : "=a"(ret)
      : SELF_ARGS, [in] "r"(in), [out] "r"(out)
      : "rcx", "r11", "xmm0", "xmm1", "xmm7", "xmm8", "xmm15", "memory");
  CHECK_EQ(ret, 0);
  CHECK_EQ(hits, 1);
  int used[] = {0, 1, 7, 8, 15};
  for (int i = 0; i < 5; i++) CHECK(memcmp(in[used[i]], out[used[i]], 16) == 0);
}

__attribute__((target("avx"))) static void avx_body(void) {
  unsigned char in[64], out[64];
  for (int i = 0; i < 64; i++) in[i] = i * 5 + 3;
  long pid = getpid(), ret;
  __asm__ volatile("vmovups (%[in]), %%ymm2; vmovups 32(%[in]), %%ymm14\n" SELF_SIGNAL
                   "vmovups %%ymm2, (%[out]); vmovups %%ymm14, 32(%[out])"
                   : "=a"(ret)
                   : SELF_ARGS, [in] "r"(in), [out] "r"(out)
                   : "rcx", "r11", "xmm2", "xmm14", "memory");
  CHECK_EQ(hits, 1);
  CHECK(memcmp(in, out, 64) == 0);
}

SUBTEST_FORK(avx_registers) {
  if (!__builtin_cpu_supports("avx")) SKIP("no AVX");
  catch_it(clobber, 0);
  avx_body();
}

SUBTEST_FORK(x87_stack_and_control_words) {
  catch_it(clobber, 0);
  long pid = getpid(), ret;
  unsigned mxcsr = 0x1fa0, mxcsr_after;
  unsigned short control = 0x027f, control_after;
  long double a = 1.25L, b = -3.5L, x, y;
  __asm__ volatile("ldmxcsr %[m]; fldcw %[c]; fldt %[a]; fldt %[b]\n" SELF_SIGNAL
                   "fstpt %[y]; fstpt %[x]; fnstcw %[ca]; stmxcsr %[ma]"
                   : "=a"(ret), [x] "=m"(x), [y] "=m"(y), [ca] "=m"(control_after), [ma] "=m"(mxcsr_after)
                   : SELF_ARGS, [a] "m"(a), [b] "m"(b), [m] "m"(mxcsr), [c] "m"(control)
                   : "rcx", "r11", "memory");
  CHECK(x == a && y == b);
  CHECK_EQ(control_after, 0x027f);
  CHECK_EQ(mxcsr_after, 0x1fa0);
  CHECK_EQ(hits, 1);
}

SUBTEST_FORK(flags_and_general_registers) {
  catch_it(clobber, 0);
  long pid = getpid(), ret, r8, r9, r10, r15, flags;
  __asm__ volatile("mov $0x1111, %%r8; mov $0x2222, %%r9; mov $0x3333, %%r10; mov $0x4444, %%r15\n"
                   "stc; std\n" SELF_SIGNAL "pushfq; cld; pop %[f]\n"
                   "mov %%r8, %[a]; mov %%r9, %[b]; mov %%r10, %[c]; mov %%r15, %[d]"
                   : "=a"(ret), [f] "=m"(flags), [a] "=m"(r8), [b] "=m"(r9), [c] "=m"(r10), [d] "=m"(r15)
                   : SELF_ARGS
                   : "rcx", "r11", "r8", "r9", "r10", "r15", "memory");
  CHECK_EQ(r8, 0x1111);
  CHECK_EQ(r9, 0x2222);
  CHECK_EQ(r10, 0x3333);
  CHECK_EQ(r15, 0x4444);
  CHECK_EQ(flags & 0x401, 0x401);
}

static volatile long aligned_frames;
static void check_frame(int sig, siginfo_t *info, void *c) {
  (void)sig;
  (void)info;
  unsigned long flags;
  __asm__ volatile("pushfq; pop %0" : "=r"(flags));
  ucontext_t *u = c;
  // At entry the stack is 8 off a multiple of 16, the direction flag clear, and the FP state 64-byte aligned.
  aligned_frames = ((long)__builtin_frame_address(0) % 16 == 0) && !(flags & 0x400) &&
                   (long)u->uc_mcontext.fpregs % 64 == 0;
  hits++;
}

SUBTEST_FORK(handler_entry_state) {
  struct sigaction sa = {.sa_sigaction = check_frame, .sa_flags = SA_SIGINFO};
  OK(sigaction(SIGUSR1, &sa, NULL));
  for (int i = 0; i < 40; i += 8) {
    volatile char *shift = __builtin_alloca(i + 1);
    shift[0] = 1;
    aligned_frames = 0;
    raise(SIGUSR1);
    CHECK_EQ(aligned_frames, 1);
  }
  long pid = getpid(), ret;
  __asm__ volatile("std\n" SELF_SIGNAL "cld" : "=a"(ret) : SELF_ARGS : "rcx", "r11", "memory");
  CHECK_EQ(aligned_frames, 1);
}

static void change_registers(int sig, siginfo_t *info, void *c) {
  (void)sig;
  (void)info;
  ucontext_t *u = c;
  u->uc_mcontext.gregs[REG_RBX] = 0x123456789abcdef0;
  u->uc_mcontext.gregs[REG_RAX] = 777;
  memset(&u->uc_mcontext.fpregs->_xmm[3], 0x5a, 16);
  sigaddset(&u->uc_sigmask, SIGUSR2);
}

SUBTEST_FORK(handler_changes_the_context) {
  struct sigaction sa = {.sa_sigaction = change_registers, .sa_flags = SA_SIGINFO};
  OK(sigaction(SIGUSR1, &sa, NULL));
  long pid = getpid(), ret, rbx;
  unsigned char xmm[16];
  __asm__ volatile("xor %%rbx, %%rbx; pxor %%xmm3, %%xmm3\n" SELF_SIGNAL "mov %%rbx, %[b]; movups %%xmm3, (%[x])"
                   : "=a"(ret), [b] "=&r"(rbx)
                   : SELF_ARGS, [x] "r"(xmm)
                   : "rcx", "r11", "rbx", "xmm3", "memory");
  CHECK_EQ(rbx, 0x123456789abcdef0);
  CHECK_EQ(ret, 777);
  for (int i = 0; i < 16; i++) CHECK_EQ(xmm[i], 0x5a);
  sigset_t mask;
  OK(sigprocmask(SIG_BLOCK, NULL, &mask));
  CHECK(sigismember(&mask, SIGUSR2));
}

__attribute__((noipa)) static double sum_series(int rounds) {
  double sum = 0;
  for (int i = 1; i < rounds; i++) sum += 1.0 / i / (i + 1);
  return sum;
}

SUBTEST_FORK(computation_under_a_timer) {
  struct sigaction sa = {.sa_handler = clobber, .sa_flags = SA_RESTART};
  OK(sigaction(SIGALRM, &sa, NULL));
  double calm = sum_series(3000000);
  struct itimerval every = {{0, 500}, {0, 500}}, off = {{0, 0}, {0, 0}};
  hits = 0;
  OK(setitimer(ITIMER_REAL, &every, NULL));
  for (int i = 0; i < 5; i++) CHECK(sum_series(3000000) == calm);
  OK(setitimer(ITIMER_REAL, &off, NULL));
  CHECK(hits > 5);
}

static void *sum_in_thread(void *arg) {
  (void)arg;
  double *d = malloc(sizeof *d);
  *d = 0;
  for (int i = 0; i < 10; i++) *d += sum_series(300000);
  return d;
}

SUBTEST_FORK(threads_and_children_keep_their_own) {
  double *results[4], *want = sum_in_thread(NULL);
  pthread_t t[4];
  for (int i = 0; i < 4; i++) OK0(pthread_create(&t[i], NULL, sum_in_thread, NULL));
  CHILD {
    double *mine = sum_in_thread(NULL);
    CHECK(*mine == *want);
  }
  for (int i = 0; i < 4; i++) {
    OK0(pthread_join(t[i], (void **)&results[i]));
    CHECK(*results[i] == *want);
  }
}

SUBTEST_FORK(fork_copies_fp_state) {
  unsigned short control = 0x027f, after = 0;
  __asm__ volatile("fldcw %0" ::"m"(control));
  CHILD {
    __asm__ volatile("fnstcw %0" : "=m"(after));
    CHECK_EQ(after, 0x027f);
  }
}

static ucontext_t main_context, other_context;
static int switched;
static void other(void) { switched++; }

SUBTEST_FORK(user_contexts) {
  static char stack[65536];
  OK(getcontext(&other_context));
  other_context.uc_stack.ss_sp = stack;
  other_context.uc_stack.ss_size = sizeof stack;
  other_context.uc_link = &main_context;
  makecontext(&other_context, other, 0);
  OK(swapcontext(&main_context, &other_context));
  CHECK_EQ(switched, 1);
}
