// System calls made many times from one place, which a platform may rewrite to jumps: results, registers, readers of the
// text, changes of the text, forks, threads and signals must not show it.
#include "check.h"
#include <pthread.h>
#include <sys/uio.h>
#include <ucontext.h>

#define MANY 200

static long getppid_here(void) {
  long r;
  __asm__ volatile("movl $110, %%eax\n\tsyscall" : "=a"(r) : : "rcx", "r11", "memory");
  return r;
}

SUBTEST(same_result_every_time) {
  long first = getppid_here();
  for (int i = 0; i < MANY; i++) CHECK_EQ(getppid_here(), first);
}

SUBTEST(registers_survive) {
  for (int i = 0; i < MANY; i++) {
    long rbx = 1, rdx = 2, rsi = 3, rdi = 4, r8 = 5, r9 = 6, r10 = 7, r;
    __asm__ volatile(
        "movq %7, %%r8\n\tmovq %8, %%r9\n\tmovq %9, %%r10\n\t"
        "movl $110, %%eax\n\tsyscall\n\t"
        "movq %%r8, %5\n\tmovq %%r9, %6"
        : "=&a"(r), "+b"(rbx), "+d"(rdx), "+S"(rsi), "+D"(rdi), "=&m"(r8), "=&m"(r9)
        : "i"(5), "i"(6), "i"(7)
        : "rcx", "r8", "r9", "r10", "r11", "memory");
    (void)r10;
    CHECK(rbx == 1 && rdx == 2 && rsi == 3 && rdi == 4 && r8 == 5 && r9 == 6);
  }
}

SUBTEST(vector_registers_survive) {
  for (int i = 0; i < MANY; i++) {
    double a = 1.5 * i, b;
    __asm__ volatile("movsd %1, %%xmm7\n\tmovl $110, %%eax\n\tsyscall\n\tmovsd %%xmm7, %0"
                     : "=m"(b)
                     : "m"(a)
                     : "rax", "rcx", "r11", "xmm7", "memory");
    CHECK(a == b);
  }
}

// Code of our own: mov $nr, %eax; syscall; ret.
static const unsigned char call_getppid[] = {0xb8, 110, 0, 0, 0, 0x0f, 0x05, 0xc3};

SUBTEST(other_readers_see_the_program) {
  unsigned char *text = OK(mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  memcpy(text, call_getppid, sizeof call_getppid);
  OK(mprotect(text, PAGE, PROT_READ | PROT_EXEC));
  long (*f)(void) = (long (*)(void))text;
  long first = f();
  for (int i = 0; i < MANY; i++) CHECK_EQ(f(), first);
  unsigned char seen[sizeof call_getppid];
  struct iovec to = {seen, sizeof seen}, from = {text, sizeof seen};
  CHECK_EQ(OK(process_vm_readv(getpid(), &to, 1, &from, 1, 0)), (long)sizeof seen);
  CHECK(memcmp(seen, call_getppid, sizeof seen) == 0);
  int pair[2];
  OK(pipe(pair));
  CHECK_EQ(OK(write(pair[1], text, sizeof seen)), (long)sizeof seen);
  CHECK_EQ(OK(read(pair[0], seen, sizeof seen)), (long)sizeof seen);
  CHECK(memcmp(seen, call_getppid, sizeof seen) == 0);
  // The program changes its text: what it wrote is what runs.
  OK(mprotect(text, PAGE, PROT_READ | PROT_WRITE));
  CHECK(memcmp(text, call_getppid, sizeof call_getppid) == 0);
  text[1] = 39;  // getpid
  OK(mprotect(text, PAGE, PROT_READ | PROT_EXEC));
  for (int i = 0; i < MANY; i++) CHECK_EQ(f(), (long)getpid());
  // A fork has its own.
  CHILD {
    for (int i = 0; i < MANY; i++) CHECK_EQ(f(), (long)getpid());
    OK(mprotect(text, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
    text[1] = 110;
    for (int i = 0; i < MANY; i++) CHECK_EQ(f(), (long)getppid());
  }
  for (int i = 0; i < MANY; i++) CHECK_EQ(f(), (long)getpid());
  OK(munmap(text, PAGE));
  // New code in the old place.
  CHECK(mmap(text, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == text);
  memcpy(text, call_getppid, sizeof call_getppid);
  for (int i = 0; i < MANY; i++) CHECK_EQ(f(), first);
  OK(munmap(text, PAGE));
}

static void *caller(void *count) {
  for (int i = 0; i < *(int *)count; i++) getppid_here();
  return 0;
}

SUBTEST(threads_share_the_place) {
  pthread_t t[4];
  int count = 5000;
  for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, caller, &count);
  for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
}

static volatile int ticks;
static void on_alarm(int sig) {
  (void)sig;
  ticks++;
}

SUBTEST(signals_interrupt_the_place) {
  struct sigaction a = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  OK(sigaction(SIGALRM, &a, 0));
  struct itimerval every = {{0, 2000}, {0, 2000}}, off = {{0, 0}, {0, 0}};
  OK(setitimer(ITIMER_REAL, &every, 0));
  long parent = getppid_here();
  while (ticks < 20) CHECK_EQ(getppid_here(), parent);
  OK(setitimer(ITIMER_REAL, &off, 0));
}

// read(2) restarted by SA_RESTART goes back to its instruction.
static long read_here(int fd, void *buf, long n) {
  long r;
  __asm__ volatile("movl $0, %%eax\n\tsyscall" : "=a"(r) : "D"(fd), "S"(buf), "d"(n) : "rcx", "r11", "memory");
  return r;
}

SUBTEST(a_restarted_call_goes_on) {
  int p[2];
  char c;
  OK(pipe(p));
  for (int i = 0; i < 20; i++) {
    OK(write(p[1], "x", 1));
    CHECK_EQ(read_here(p[0], &c, 1), 1);
  }
  struct sigaction a = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
  OK(sigaction(SIGUSR1, &a, 0));
  pid_t self = getpid();
  pid_t child = SPAWN({
    usleep(50000);
    kill(self, SIGUSR1);
    usleep(50000);
    if (write(p[1], "y", 1) != 1) _exit(1);
  });
  CHECK_EQ(read_here(p[0], &c, 1), 1);
  CHECK_EQ(c, 'y');
  CHILD_DONE(child);
}

// Functions in which only the padding behind the return can hold a jump: the number is in a register, and read()'s
// xor %eax,%eax is too short. Aligned as compilers align functions.
__asm__(".text\n.p2align 4\ncall_by_register:\n\tmovq %rdi, %rax\n\tsyscall\n\tret\n.p2align 4\n"
        "call_read:\n\tmovl %edi, %edi\n\txorl %eax, %eax\n\tsyscall\n\tcmpq $-4096, %rax\n\tja 1f\n\tret\n"
        "1:\tmovq $-1, %rax\n\tret\n.p2align 4\n"
        "call_end:\n\tret\n");
long call_by_register(long nr);
long call_read(int fd, void *to, size_t n);

SUBTEST(numbers_in_registers) {
  long ppid = getppid(), pid = getpid();
  for (int i = 0; i < MANY; i++) {
    CHECK_EQ(call_by_register(SYS_getppid), ppid);
    CHECK_EQ(call_by_register(SYS_getpid), pid);
    CHECK_EQ(call_by_register(0x12345), -ENOSYS);
  }
  int fd = OK(open("/dev/zero", O_RDONLY));
  char c = 1;
  for (int i = 0; i < MANY; i++) CHECK_EQ(call_read(fd, &c, 1), 1);
  for (int i = 0; i < MANY; i++) CHECK_EQ(call_read(-1, &c, 1), -1);
  CHECK_EQ(c, 0);
}

// Carry, parity, adjust, zero, sign and overflow.
#define FLAGS 0x8d5UL

static unsigned long flags_after_call(unsigned long flags, long how) {
  unsigned long before, after;
  __asm__ volatile("pushfq\n\tpopq %0" : "=r"(before));
  before = (before & ~FLAGS) | flags;
  if (how == 0)
    __asm__ volatile("pushq %1\n\tpopfq\n\tmovl $110, %%eax\n\tsyscall\n\tpushfq\n\tpopq %0"
                     : "=r"(after)
                     : "r"(before)
                     : "rax", "rcx", "r11", "cc", "memory");
  else
    __asm__ volatile("movl $110, %%edi\n\tpushq %1\n\tpopfq\n\tcall call_by_register\n\tpushfq\n\tpopq %0"
                     : "=&r"(after)
                     : "r"(before)
                     : "rax", "rcx", "rdi", "r11", "cc", "memory");
  return after & FLAGS;
}

SUBTEST(flags_survive) {
  static const unsigned long some[] = {0, 0x1, 0x4, 0x10, 0x40, 0x80, 0x800, 0x801, 0x8c5, FLAGS};
  for (int round = 0; round < 20; round++)
    for (unsigned i = 0; i < COUNT(some); i++)
      for (int how = 0; how < 2; how++) CHECK_EQ(flags_after_call(some[i], how), some[i]);
}

static volatile int alarms;
static void count_alarm(int sig) { alarms += sig > 0; }

// Timers interrupt the jumps at any instruction, and the handler runs calls of its own.
SUBTEST(timers_interrupt_every_shape) {
  OK(sigaction(SIGALRM, &(struct sigaction){.sa_handler = count_alarm, .sa_flags = SA_RESTART}, 0));
  struct itimerval every = {{0, 300}, {0, 300}}, none = {{0, 0}, {0, 0}};
  OK(setitimer(ITIMER_REAL, &every, 0));
  long ppid = getppid(), calls = 0;
  while (alarms < 200) {
    CHECK_EQ(call_by_register(SYS_getppid), ppid);
    CHECK_EQ(getppid_here(), ppid);
    CHECK_EQ(flags_after_call(0x8c5, calls % 2), 0x8c5);
    calls++;
  }
  OK(setitimer(ITIMER_REAL, &none, 0));
}

// A program may want any address below 2 GiB for itself, as address sanitizers do.
SUBTEST_FORK(all_low_addresses_are_the_programs) {
  long ppid = getppid();
  for (int i = 0; i < MANY; i++) CHECK_EQ(getppid_here(), ppid);
  size_t size = 0x4000000;
  char *at = (char *)0x7e000000;
  char *p = OK(mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0));
  CHECK(p == at);
  for (size_t i = 0; i < size; i += PAGE) p[i] = (char)(i / PAGE);
  for (int i = 0; i < MANY; i++) CHECK_EQ(getppid_here(), ppid);
  pid_t child = SPAWN({
    for (size_t i = 0; i < size; i += PAGE)
      if (p[i] != (char)(i / PAGE)) _exit(1);
    for (int i = 0; i < MANY; i++) getppid_here();
  });
  CHILD_DONE(child);
  for (size_t i = 0; i < size; i += PAGE) CHECK_EQ(p[i], (char)(i / PAGE));
  OK(munmap(p, size));
  for (int i = 0; i < MANY; i++) CHECK_EQ(getppid_here(), ppid);
}

// Direction, alignment check and identification: what a handler sees of them, and what is left after it.
#define OTHER_FLAGS 0x240400UL
static volatile unsigned long seen_flags, times_seen;
static void note_flags(int sig, siginfo_t *info, void *context) {
  (void)sig, (void)info;
  seen_flags = ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL];
  times_seen++;
}

SUBTEST(other_flags_survive_signals_too) {
  OK(sigaction(SIGUSR2, &(struct sigaction){.sa_sigaction = note_flags, .sa_flags = SA_SIGINFO}, 0));
  long pid = getpid(), tid = syscall(SYS_gettid);
  static const unsigned long some[] = {0, 0x400, 0x40000, 0x200000, OTHER_FLAGS | 0x8d5};
  for (int i = 0; i < MANY; i++) {
    unsigned long before, after, want = some[i % COUNT(some)], used = FLAGS | OTHER_FLAGS;
    __asm__ volatile("pushfq\n\tpopq %0" : "=r"(before));
    before = (before & ~used) | want;
    // The stack is aligned and nothing else is touched while alignment is checked.
    __asm__ volatile("pushq %1\n\tpopfq\n\tmovl $234, %%eax\n\tsyscall\n\tpushfq\n\tpopq %0\n\t"
                     "pushq $0x202\n\tpopfq"
                     : "=&r"(after)
                     : "r"(before), "D"(pid), "S"(tid), "d"(SIGUSR2)
                     : "rax", "rcx", "r11", "cc", "memory");
    CHECK_EQ(after & used, want);
    CHECK_EQ(seen_flags & used, want);
  }
  CHECK_EQ(times_seen, MANY);
}

// A program that steps itself sees every instruction of its own, and no other.
static volatile int steps;
static unsigned long step_rip[64], step_rax[64];
static void on_step(int sig, siginfo_t *info, void *context) {
  (void)sig;
  greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
  if (steps < (int)COUNT(step_rip)) {
    CHECK((unsigned long)info->si_addr == (unsigned long)g[REG_RIP]);
    step_rip[steps] = (unsigned long)g[REG_RIP];
    step_rax[steps++] = (unsigned long)g[REG_RAX] ^ (unsigned long)info->si_code << 32;
  }
}

__asm__(".text\n.p2align 4\nstepped:\n\tpushfq\n\torl $0x100, (%rsp)\n\tpopfq\n\tnop\n\tmovl $39, %eax\n"
        "stepped_call:\n\tsyscall\n\tnop\n\tnop\n\tmovq $39, %rax\n\tsyscall\n\tnop\n\tnop\n\t"
        "movq $39, %rdi\n\tcall call_by_register\n\t"
        "nop\n\tpushfq\n\tandl $~0x100, (%rsp)\n\tpopfq\n\tnop\n\tret\n");
long stepped(void);
extern char stepped_call[];

SUBTEST(single_steps_over_the_place) {
  OK(sigaction(SIGTRAP, &(struct sigaction){.sa_sigaction = on_step, .sa_flags = SA_SIGINFO}, 0));
  // Of a process that traps so much only some traps are looked at: it takes a while until these places are rewritten.
  int rounds = 500;
  for (int i = 0; i < rounds; i++) {
    steps = 0;
    CHECK_EQ(stepped(), getpid());
    if (i == 0 || i == rounds - 1)
      for (int k = 0; k < steps; k++)
        printf("step %d at %ld rax %s code %lu\n", k, (long)(step_rip[k] - (unsigned long)stepped_call),
               (step_rax[k] & 0xffffffff) == (unsigned long)getpid() ? "pid" : "other", step_rax[k] >> 32);
  }
}
