// The bases of fs and gs and what changes them: arch_prctl(2), selectors, threads with a TLS of their own, signals, forks and
// exec; all of it among many system calls from one place, which a platform may find its own way to serve.
// No base lies in the last GiB of user space, of which an application kernel may need something: a program that says its gs
// is there hurts itself. A null selector is loaded, but the base that it leaves is not looked at: that is the processor's own.
#include "check.h"
#include <pthread.h>
#include <spawn.h>

#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004
#define USER_DS 0x2b
/** More calls than a platform watches before it rewrites their place. */
#define MANY 70

extern char **environ;

static uint64_t block[512] __attribute__((aligned(4096)));

static void set_gs(const void *base) { OK(syscall(SYS_arch_prctl, ARCH_SET_GS, base)); }
static uint64_t get_gs(void) {
  uint64_t base = 1;
  OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &base));
  return base;
}
static uint64_t get_fs(void) {
  uint64_t base = 1;
  OK(syscall(SYS_arch_prctl, ARCH_GET_FS, &base));
  return base;
}
static uint64_t gs_word(void) {
  uint64_t value;
  __asm__ volatile("mov %%gs:0, %0" : "=r"(value));
  return value;
}
static void load_gs(unsigned selector) { __asm__ volatile("mov %0, %%gs" ::"r"(selector) : "memory"); }

// One place for all callers: `mov $nr, %eax; syscall`, and one whose number is in a register.
__attribute__((noinline)) static long getppid_here(void) {
  long r;
  __asm__ volatile("movl $110, %%eax\n\tsyscall" : "=a"(r) : : "rcx", "r11", "memory");
  return r;
}
__attribute__((noinline)) static long call_there(long nr) {
  long r;
  __asm__ volatile("syscall" : "=a"(r) : "a"(nr) : "rcx", "r11", "memory");
  return r;
}

static void many_calls(void) {
  long parent = getppid_here(), self = call_there(SYS_getpid);
  for (int i = 0; i < MANY; i++) {
    CHECK_EQ(getppid_here(), parent);
    CHECK_EQ(call_there(SYS_getpid), self);
  }
}

// Before any other subtest has changed it.
SUBTEST(new_programs_have_no_gs) {
  CHECK_EQ(get_gs(), 0);
  many_calls();
  CHECK_EQ(get_gs(), 0);
}

SUBTEST(gs_by_call) {
  static const uint64_t values[] = {0x1122334455667788, 0, ~0ul, 0x7fff00000000};
  for (unsigned i = 0; i < COUNT(values); i++) {
    block[i] = values[i];
    set_gs(&block[i]);
    CHECK_EQ(get_gs(), &block[i]);
    for (int k = 0; k < MANY; k++) {
      getppid_here();
      CHECK_EQ(gs_word(), values[i]);
    }
    many_calls();
    CHECK_EQ(get_gs(), &block[i]);
  }
  __asm__ volatile("movq $77, %%gs:8" ::: "memory");
  CHECK_EQ(block[COUNT(values)], 77);
  set_gs(NULL);
  CHECK_EQ(get_gs(), 0);
  many_calls();
}

SUBTEST(gs_on_and_off) {
  many_calls();
  for (int i = 0; i < MANY; i++) {
    block[i] = 1000 + i;
    set_gs(&block[i]);
    getppid_here();
    CHECK_EQ(gs_word(), 1000 + i);
    set_gs(NULL);
    getppid_here();
    CHECK_EQ(get_gs(), 0);
  }
}

// Memory that looks like somebody's: addresses of code, stack and data, of nothing, and of the end of user space.
SUBTEST(gs_at_what_looks_like_addresses) {
  many_calls();
  void *far = OK(mmap(0, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  uint64_t *words = far;
  const uint64_t looks[] = {(uint64_t)&looks, (uint64_t)getppid_here, (uint64_t)block, (uint64_t)far,
                            8, 0x7fff00000000, ~0ul};
  for (unsigned i = 0; i < COUNT(looks); i++) {
    for (unsigned k = 0; k < 64 * PAGE / 8; k++) words[k] = looks[i];
    set_gs(words + 16);
    many_calls();
    CHECK_EQ(gs_word(), looks[i]);
    // A base so that what is at a fixed address, when that is added to it, comes to be looked for in that memory.
    static const uint64_t fixed[] = {0x20000000, 0x80000000, 0xf0000000};
    for (unsigned k = 0; k < COUNT(fixed); k++) {
      uint64_t low = fixed[k];
      set_gs((char *)far - low + 32 * PAGE);
      many_calls();
      uint64_t seen;
      __asm__ volatile("mov %%gs:(%1), %0" : "=r"(seen) : "r"(low));
      CHECK_EQ(seen, looks[i]);
    }
  }
  set_gs(NULL);
  for (unsigned k = 0; k < 64 * PAGE / 8; k++) CHECK_EQ(words[k], looks[COUNT(looks) - 1]);
  OK(munmap(far, 64 * PAGE));
}

SUBTEST(gs_at_nothing) {
  static const uint64_t bases[] = {PAGE, 0x123456789000, 0x7fff00000000, 0x555500000001, 3};
  for (unsigned i = 0; i < COUNT(bases); i++) {
    set_gs((void *)bases[i]);
    many_calls();
    CHECK_EQ(get_gs(), bases[i]);
  }
  set_gs(NULL);
}

SUBTEST(loaded_gs) {
  block[3] = 33;
  many_calls();
  for (int i = 0; i < 10; i++) {
    set_gs(&block[1]);
    load_gs(USER_DS);
    // The descriptor's base.
    uint64_t value;
    __asm__ volatile("mov %%gs:(%1), %0" : "=r"(value) : "r"(&block[3]));
    CHECK_EQ(value, 33);
    CHECK_EQ(get_gs(), 0);
    many_calls();
    unsigned selector;
    __asm__ volatile("mov %%gs, %0" : "=r"(selector));
    CHECK_EQ(selector, USER_DS);
    __asm__ volatile("mov %%gs:(%1), %0" : "=r"(value) : "r"(&block[3]));
    CHECK_EQ(value, 33);
    CHECK_EQ(get_gs(), 0);
    set_gs(&block[3]);
    CHECK_EQ(gs_word(), 33);
    many_calls();
    CHECK_EQ(gs_word(), 33);
  }
  set_gs(NULL);
  CHECK_EQ(get_gs(), 0);
}

SUBTEST(null_selectors_in_gs) {
  many_calls();
  for (unsigned selector = 0; selector < 4; selector++) {
    for (int with_base = 0; with_base < 2; with_base++) {
      set_gs(with_base ? &block[5] : NULL);
      load_gs(selector);
      many_calls();
      sleep_ms(1);
      many_calls();
      block[6] = 66;
      set_gs(&block[6]);
      CHECK_EQ(gs_word(), 66);
      many_calls();
      CHECK_EQ(gs_word(), 66);
      load_gs(USER_DS);
      load_gs(selector);
      many_calls();
      set_gs(NULL);
      CHECK_EQ(get_gs(), 0);
    }
  }
}

// fs is libc's: while it is another, only the instructions here run. The first word behind the new base, after some calls.
static uint64_t with_fs(void *base, int selector, long calls) {
  uint64_t own = get_fs(), value = 0;
  __asm__ volatile(
      "movq %[own], %%r12\n\t"
      "movl %[nr], %%eax\n\tmovl %[set], %%edi\n\tmovq %[base], %%rsi\n\tsyscall\n\t"
      "movl %[selector], %%r13d\n\ttestl %%r13d, %%r13d\n\tjs 1f\n\tmovl %%r13d, %%fs\n\t"
      "1: movl $110, %%eax\n\tsyscall\n\tdecq %%rbx\n\tjnz 1b\n\t"
      "testl %%r13d, %%r13d\n\tjz 3f\n\tjs 2f\n\t"
      "movq %%fs:(%[base]), %%r14\n\tjmp 3f\n\t"
      "2: movq %%fs:0, %%r14\n\t"
      "3: movl %[nr], %%eax\n\tmovl %[set], %%edi\n\tmovq %%r12, %%rsi\n\tsyscall\n\t"
      "movq %%r14, %[value]"
      : [value] "=m"(value), "+b"(calls)
      : [own] "m"(own), [nr] "i"(SYS_arch_prctl), [set] "i"(ARCH_SET_FS), [base] "r"(base), [selector] "m"(selector)
      : "rax", "rcx", "rdi", "rsi", "r11", "r12", "r13", "r14", "memory");
  return value;
}

SUBTEST(fs_by_call_and_selector) {
  uint64_t own = get_fs();
  for (int i = 0; i < 10; i++) {
    block[7] = 700 + i;
    CHECK_EQ(with_fs(&block[7], -1, MANY), 700 + i);
    CHECK_EQ(get_fs(), own);
    CHECK_EQ(with_fs(&block[7], USER_DS, MANY), 700 + i);
    CHECK_EQ(get_fs(), own);
    with_fs(&block[7], 0, MANY);
    CHECK_EQ(get_fs(), own);
    many_calls();
  }
}

static _Atomic int stop, ready;

static void *thread_with_gs(void *arg) {
  uint64_t mine[2] = {(uint64_t)arg, 0};
  if (arg) set_gs(mine);
  ready++;
  long parent = getppid_here();
  for (int i = 0; i < 20 || !stop; i++) {
    CHECK_EQ(getppid_here(), parent);
    call_there(SYS_gettid);
    if (arg) CHECK_EQ(gs_word(), arg);
    else CHECK_EQ(get_gs(), 0);
  }
  return mine[0] == (uint64_t)arg ? arg : NULL;
}

SUBTEST(some_threads_have_gs) {
  for (int round = 0; round < 3; round++) {
    pthread_t t[4];
    stop = ready = 0;
    for (long i = 0; i < 4; i++) OK0(pthread_create(&t[i], NULL, thread_with_gs, (void *)(i % 2 ? 4000 + i : 0)));
    for (int i = 0; i < 10 || ready < 4; i++) many_calls();
    stop = 1;
    for (long i = 0; i < 4; i++) {
      void *result;
      OK0(pthread_join(t[i], &result));
      CHECK_EQ(result, i % 2 ? 4000 + i : 0);
    }
  }
}

static void *look_at_gs(void *arg) {
  *(uint64_t *)arg = get_gs();
  many_calls();
  CHECK_EQ(get_gs(), *(uint64_t *)arg);
  set_gs(&block[20]);
  many_calls();
  return NULL;
}

// clone(2) copies the base; what becomes of the copy is the copy's.
SUBTEST(threads_begin_with_gs) {
  for (int i = 0; i < 8; i++) {
    uint64_t *mine = i % 2 ? &block[10 + i] : NULL, seen = 1;
    set_gs(mine);
    pthread_t t;
    OK0(pthread_create(&t, NULL, look_at_gs, &seen));
    OK0(pthread_join(t, NULL));
    CHECK_EQ(seen, mine);
    CHECK_EQ(get_gs(), mine);
  }
  set_gs(NULL);
}

SUBTEST(children_begin_with_gs) {
  for (int i = 0; i < 12; i++) {
    uint64_t *mine = i % 2 ? &block[30 + i] : NULL;
    if (mine) *mine = i;
    set_gs(mine);
    if (i % 4 >= 2) many_calls();
    CHILD {
      CHECK_EQ(get_gs(), mine);
      many_calls();
      if (mine) CHECK_EQ(gs_word(), i);
      set_gs(&block[60]);
      many_calls();
      CHILD CHECK_EQ(get_gs(), &block[60]);
      load_gs(USER_DS);
      CHILD CHECK_EQ(get_gs(), 0);
    }
    CHECK_EQ(get_gs(), mine);
  }
  set_gs(NULL);
}

// A process that comes after one with bases of its own, as another program, starts without.
SUBTEST(exec_clears_gs) {
  for (int i = 0; i < 3; i++) {
    set_gs(&block[40]);
    if (i == 1) load_gs(USER_DS);
    many_calls();
    char *argv[] = {"segments", "new_programs_have_no_gs", NULL};
    pid_t pid;
    OK0(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ));
    CHECK_EQ(child_result(pid), 0);
    CHECK_EQ(get_gs(), i == 1 ? 0 : (uint64_t)&block[40]);
  }
  set_gs(NULL);
}

static volatile int handled;
static void *handler_base;
static uint64_t handler_saw;
static void on_alarm(int sig) {
  (void)sig;
  handled++;
  handler_saw = get_gs();
  if (handler_base) set_gs(handler_base);
  for (int i = 0; i < 3; i++) getppid_here();
}

// Neither a handler's start nor its return touches a base: what it sets stays.
SUBTEST(handlers_and_gs) {
  struct sigaction act = {.sa_handler = on_alarm};
  OK(sigaction(SIGUSR1, &act, NULL));
  for (int i = 0; i < MANY; i++) {
    block[50] = 50, block[51] = 51;
    set_gs(i % 3 ? &block[50] : NULL);
    handler_base = i % 2 ? &block[51] : NULL;
    OK(raise(SIGUSR1));
    CHECK_EQ(handler_saw, i % 3 ? &block[50] : NULL);
    CHECK_EQ(get_gs(), i % 2 ? (void *)&block[51] : i % 3 ? &block[50] : NULL);
    if (i % 2) CHECK_EQ(gs_word(), 51);
  }
  set_gs(NULL);
}

SUBTEST(timers_interrupt_calls_with_gs) {
  handler_base = NULL;
  struct sigaction act = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  for (int mode = 0; mode < 3; mode++) {
    block[70] = 70;
    set_gs(mode ? &block[70] : NULL);
    if (mode == 2) load_gs(USER_DS);
    OK(sigaction(SIGVTALRM, &act, NULL));
    struct itimerval often = {{0, 2000}, {0, 2000}}, never = {{0, 0}, {0, 0}};
    handled = 0;
    OK(setitimer(ITIMER_VIRTUAL, &often, NULL));
    while (handled < 20) {
      many_calls();
      if (mode == 1) CHECK_EQ(gs_word(), 70);
      // User time, without calls.
      for (volatile int k = 0; k < 100000; k++) {
      }
      if (mode == 1) CHECK_EQ(gs_word(), 70);
    }
    OK(setitimer(ITIMER_VIRTUAL, &never, NULL));
    CHECK_EQ(handler_saw, mode == 1 ? &block[70] : NULL);
  }
  set_gs(NULL);
}

static void on_fault(int sig) {
  (void)sig;
  set_gs(&block[80]);
}

// A fault through gs is the program's, and the access is made again through what the handler sets.
SUBTEST(faults_through_gs) {
  many_calls();
  struct sigaction act = {.sa_handler = on_fault}, old;
  OK(sigaction(SIGSEGV, &act, &old));
  block[80] = 80;
  for (int i = 0; i < 20; i++) {
    set_gs((void *)(i % 2 ? 0x7fff00000000 : PAGE));
    CHECK_EQ(gs_word(), 80);
    many_calls();
  }
  OK(sigaction(SIGSEGV, &old, NULL));
  set_gs(NULL);
}

// All of it again in the time of others: the host saves and loads the bases at each switch.
SUBTEST(bases_over_switches) {
  pid_t busy[2];
  for (int i = 0; i < 2; i++) busy[i] = SPAWN({
                                set_gs(&block[90 + i]);
                                block[90 + i] = 90 + i;
                                for (;;)
                                  if (gs_word() != 90u + i) _exit(1);
                              });
  block[100] = 100;
  set_gs(&block[100]);
  for (int i = 0; i < 6; i++) {
    for (volatile int k = 0; k < 100000; k++) {
    }
    CHECK_EQ(gs_word(), 100);
    many_calls();
    sched_yield();
  }
  load_gs(USER_DS);
  for (int i = 0; i < 3; i++) {
    for (volatile int k = 0; k < 100000; k++) {
    }
    many_calls();
    CHECK_EQ(get_gs(), 0);
  }
  for (int i = 0; i < 2; i++) {
    OK(kill(busy[i], SIGKILL));
    CHECK_EQ(child_result(busy[i]), 256 + SIGKILL);
  }
  set_gs(NULL);
}
