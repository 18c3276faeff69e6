// The top of the address space. Vedette keeps pages of its own from 0x7ffff0000000 on in the process that runs a
// program; natively that is the gap above the stack, or the stack. A program may look for them, jump into them and
// try to map over them: only it can suffer. What it finds there differs, so the tests print little.
#include "check.h"
#include <sys/uio.h>

#define TOP 0x7ffff0000000UL
#define END 0x7ffffffff000UL

struct progress {
  volatile unsigned long next, end;
  volatile long count;
};
static struct progress *shared;
static sigjmp_buf out;
static char stack_for_signals[65536];

static void on_fault(int sig) { siglongjmp(out, sig); }
static void set_handlers(void) {
  OK(sigaltstack(&(stack_t){.ss_sp = stack_for_signals, .ss_size = sizeof stack_for_signals}, NULL));
  struct sigaction act = {.sa_handler = on_fault, .sa_flags = SA_ONSTACK | SA_NODEFER};
  static const int all[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGALRM};
  for (unsigned i = 0; i < COUNT(all); i++) OK(sigaction(all[i], &act, NULL));
}

// Natively part of the range may be the stack, which may be read and written.
static unsigned long own_start = -1UL, own_end;
static void find_own_mappings(void) {
  FILE *f = fopen("/proc/self/maps", "r");
  char line[300];
  unsigned long a, b;
  while (fgets(line, sizeof line, f))
    if (sscanf(line, "%lx-%lx", &a, &b) == 2 && b > TOP && b <= 0x800000000000) {
      if (a < own_start) own_start = a;
      own_end = b;
    }
  fclose(f);
}
static bool own(unsigned long at) { return at >= own_start && at < own_end; }

// Runs `probe` for every address of [from, to) at `step` in children; a child that dies is followed by another one
// that goes on behind the address at which it died.
static void share(void) {
  if (!shared) shared = OK(mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}
static void probe_all(unsigned long from, unsigned long to, unsigned long step, void (*probe)(unsigned long)) {
  share();
  find_own_mappings();
  shared->next = from;
  shared->end = to;
  shared->count = 0;
  for (int children = 0; shared->next < to; children++) {
    if (children > 3000) FAIL("no progress at %#lx", shared->next);
    unsigned long before = shared->next;
    pid_t pid = SPAWN({
      set_handlers();
      // No children of its own: they would go on with whatever stack they find.
      OK(setrlimit(RLIMIT_NPROC, &(struct rlimit){0, 0}));
      if (getuid() == 0) OK(setresuid(54321, 54321, 54321));
      // Code that returns may have changed any register and the stack.
      while (shared->next < shared->end) {
        unsigned long at = shared->next;
        if (at < from || (at - from) % step != 0) _exit(1);
        shared->next = at + step;
        if (own(at)) continue;
        probe(at);
      }
    });
    // It may have changed its stack or what is shared: what makes no progress is ended.
    unsigned long last = shared->next;
    for (int ms = 0, status; waitpid(pid, &status, WNOHANG) == 0; ms++) {
      bool sane = shared->next > last && shared->next <= to + step;
      if (sane) last = shared->next, ms = 0;
      if (ms == 200) kill(pid, SIGKILL);
      sleep_ms(1);
    }
    shared->end = to;
    // It may have written anywhere.
    if (shared->next <= before || shared->next > to + step) shared->next = before + step;
  }
}

static void read_it(unsigned long at) {
  if (sigsetjmp(out, 1) == 0) (void)*(volatile char *)at;
}
static void write_it(unsigned long at) {
  if (sigsetjmp(out, 1) != 0) return;
  *(volatile char *)at = 0;
  shared->count++;
}
static void change_it(unsigned long at) {
  // An atomic exchange, a string store and a push: other ways to write.
  if (sigsetjmp(out, 1) == 0) {
    __atomic_exchange_n((volatile char *)at, 1, __ATOMIC_SEQ_CST);
    shared->count++;
  }
  if (sigsetjmp(out, 1) == 0) {
    __asm__ volatile("rep stosb" ::"D"(at), "a"(0), "c"(8) : "memory");
    shared->count++;
  }
}

SUBTEST(reads) {
  probe_all(TOP, TOP + 256 * PAGE, PAGE, read_it);
  probe_all(TOP, END, 16 << 20, read_it);
  probe_all(END - 64 * PAGE, END, PAGE, read_it);
}

SUBTEST(writes) {
  probe_all(TOP, TOP + 256 * PAGE, PAGE, write_it);
  CHECK_EQ(shared->count, 0);
  probe_all(TOP, TOP + 64 * PAGE, PAGE, change_it);
  CHECK_EQ(shared->count, 0);
  probe_all(TOP, END, 16 << 20, write_it);
  CHECK_EQ(shared->count, 0);
}

// A program that is executed finds nothing there of what the one before wrote, where that may write, or had in its registers. It
// looks for the secret by its halves, so as not to have it in registers of its own.
#define SLOTS (TOP + 0x8100000UL)
#define SLOTS_END (SLOTS + 16 * PAGE)
#define MASK 0x0123456789abcdefUL
#define SECRET (MASK ^ 0x5ec12e75a5c3961eUL)
__attribute__((constructor(101))) static void looker(int argc, char **argv, char **envp) {
  (void)envp;
  if (argc < 2 || strcmp(argv[1], "look") != 0) return;
  set_handlers();
  volatile unsigned long at, found = 0;
  for (at = SLOTS; at < SLOTS_END; at += PAGE)
    if (sigsetjmp(out, 1) == 0)
      for (unsigned long i = 0; i < PAGE / 8; i++)
        found += (((volatile unsigned long *)at)[i] ^ MASK) == (SECRET ^ MASK);
  _exit(found > 0 ? 1 : 0);
}

SUBTEST(exec_forgets) {
  pid_t pid = SPAWN({
    char *argv[] = {"/proc/self/exe", "look", NULL}, *envp[] = {NULL};
    set_handlers();
    find_own_mappings();
    for (volatile unsigned long at = SLOTS + PAGE; at < SLOTS + 4 * PAGE; at += at < SLOTS + 2 * PAGE ? 512 : 2 * PAGE - 8)
      if (!own(at) && sigsetjmp(out, 1) == 0) *(volatile unsigned long *)at = SECRET;
    __asm__ volatile(
      "mov %3, %%r12; mov %%r12, %%r13; mov %%r12, %%r14; mov %%r12, %%r15; mov %%r12, %%r8; mov %%r12, %%r9; mov %%r12, %%r10\n\t"
      "movq %%r12, %%xmm0; movq %%r12, %%xmm1; movq %%r12, %%xmm7; movq %%r12, %%xmm8; movq %%r12, %%xmm15\n\t"
      "mov $59, %%eax; syscall; hlt"
      ::"D"(argv[0]), "S"(argv), "d"(envp), "i"(SECRET)
      : "rax", "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory");
  });
  CHECK_EQ(child_result(pid), 0);
}

// Registers that would do harm if the code there made system calls of the host with them.
static char *fake_orders;
static unsigned long rax_value;
static void jump_there(unsigned long to) {
  static unsigned long at;
  at = to;
  struct itimerval soon = {{0, 2000}, {0, 2000}}, never = {};
  setitimer(ITIMER_REAL, &soon, NULL);
  if (sigsetjmp(out, 1) == 0)
    __asm__ volatile(
      "mov %1, %%rbx; mov %%rbx, %%rdi; mov %%rbx, %%rsi; mov $8, %%edx; mov %%rbx, %%r10; mov %%rbx, %%r8; xor %%r9d, %%r9d\n\t"
      "mov $3, %%r12; mov %%rbx, %%r13; mov %%rbx, %%r14; mov %%rbx, %%r15; mov %2, %%rcx; push %%rbp; call *%%rcx; pop %%rbp"
      ::"a"(rax_value), "m"(fake_orders), "m"(at)
      : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
  setitimer(ITIMER_REAL, &never, NULL);
}

static void make_fake_orders(long nr, long a, long b, long c) {
  if (!fake_orders) fake_orders = OK(mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  long *p = (long *)fake_orders;
  for (int i = 0; i < 512; i += 8) {
    p[i] = nr;
    p[i + 1] = a, p[i + 2] = b, p[i + 3] = c;
    p[i + 4] = MAP_FIXED | MAP_SHARED, p[i + 5] = 3, p[i + 6] = 0;
  }
}

static void all_is_well(void) {
  for (int i = 0; i < 20; i++) {
    CHECK_EQ(syscall(SYS_getpid), getpid());
    char *p = OK(mmap(0, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    memset(p, i, 8 * PAGE);
    OK(mprotect(p, 4 * PAGE, PROT_READ));
    CHECK_EQ(p[5 * PAGE], i);
    OK(munmap(p, 8 * PAGE));
    CHILD { CHECK_EQ(getppid() != getpid(), 1); }
  }
}

SUBTEST(jumps_with_orders) {
  // As an order list: map the memory file over the program, over the stub, protect the stub writable, kill.
  make_fake_orders(SYS_mprotect, TOP, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
  probe_all(TOP, TOP + PAGE / 4, 1, jump_there);
  make_fake_orders(SYS_mmap, TOP, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
  probe_all(TOP, TOP + PAGE / 4, 1, jump_there);
  make_fake_orders(SYS_kill, -1, 0, 0);
  probe_all(TOP, TOP + PAGE / 8, 1, jump_there);
  make_fake_orders(SYS_write, 1, TOP, 8);
  probe_all(TOP, TOP + PAGE / 8, 1, jump_there);
  all_is_well();
}

SUBTEST(jumps) {
  make_fake_orders(SYS_getppid, 0, 0, 0);
  rax_value = SYS_getppid;
  probe_all(TOP, TOP + PAGE, 1, jump_there);
  probe_all(TOP + PAGE, TOP + 40 * PAGE, 61, jump_there);
  rax_value = 0x1000000;
  probe_all(TOP, TOP + PAGE, 3, jump_there);
  all_is_well();
}

SUBTEST_FORK(mapping_over_it) {
  // Natively these calls may succeed in the gap; here they fail. Either way the program goes on.
  find_own_mappings();
  for (unsigned long at = TOP - 4 * PAGE; at < TOP + 64 * PAGE; at += PAGE) {
    if (own(at) || own(at + 8 * PAGE)) continue;
    syscall(SYS_mprotect, at, PAGE, PROT_READ | PROT_WRITE);
    syscall(SYS_munmap, at, PAGE);
    syscall(SYS_munmap, at, 8 * PAGE);
    syscall(SYS_madvise, at, PAGE, MADV_DONTNEED);
    syscall(SYS_mlock, at, PAGE);
    syscall(SYS_msync, at, PAGE, MS_SYNC);
    syscall(SYS_mremap, at, PAGE, 2 * PAGE, MREMAP_MAYMOVE, 0);
    syscall(SYS_mmap, at, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    syscall(SYS_mmap, at, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    syscall(SYS_mmap, at, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    syscall(SYS_munmap, at, 8 * PAGE);
  }
  char *p = OK(mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  syscall(SYS_mremap, p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, TOP);
  syscall(SYS_mremap, p + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, TOP - PAGE);
  syscall(SYS_munmap, TOP, END - TOP > 0 && !own_end ? END - TOP : PAGE);
  syscall(SYS_shmat, OK((int)syscall(SYS_shmget, 0, PAGE, 01600)), TOP, 040000);
  all_is_well();
}

SUBTEST(calls_with_buffers_there) {
  find_own_mappings();
  int zero = OK(open("/dev/zero", O_RDONLY)), null = OK(open("/dev/null", O_WRONLY));
  int pipes[2];
  OK(pipe(pipes));
  for (unsigned long at = TOP; at < TOP + 40 * PAGE; at += PAGE / 2) {
    if (own(at)) continue;
    CHECK_ERR(syscall(SYS_read, zero, at, 8), EFAULT);
    CHECK_ERR(syscall(SYS_write, pipes[1], at, 8), EFAULT);
    CHECK_ERR(syscall(SYS_uname, at), EFAULT);
    CHECK_ERR(syscall(SYS_open, at, 0), EFAULT);
    CHECK_ERR(syscall(SYS_futex, at, 0, 0, 0, 0, 0), EFAULT);
    char byte;
    struct iovec local = {&byte, 1}, remote = {(void *)at, 1};
    CHECK_ERR(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), EFAULT);
    CHECK_ERR(process_vm_writev(getpid(), &local, 1, &remote, 1, 0), EFAULT);
  }
  close(null);
}

static void signal_there(unsigned long at) {
  // Signals whose frames would lie there: the stack pointer, then the alternate stack.
  pid_t pid = SPAWN({
    signal(SIGSEGV, SIG_DFL);
    struct sigaction act = {.sa_handler = _exit};
    sigaction(SIGUSR1, &act, NULL);
    __asm__ volatile("mov %0, %%rsp; mov $39, %%eax; syscall; mov %%eax, %%edi; mov $10, %%esi; mov $62, %%eax; syscall; ud2" ::"r"(at + 2000)
                     : "rax", "rcx", "rdi", "rsi", "r11", "memory");
  });
  if (child_result(pid) == 256 + SIGSEGV) shared->count++;
  pid = SPAWN({
    signal(SIGSEGV, SIG_DFL);
    sigaltstack(&(stack_t){.ss_sp = (void *)(at - PAGE), .ss_size = 8 * PAGE}, NULL);
    struct sigaction act = {.sa_handler = _exit, .sa_flags = SA_ONSTACK};
    sigaction(SIGUSR1, &act, NULL);
    raise(SIGUSR1);
  });
  if (child_result(pid) == 256 + SIGSEGV) shared->count++;
}
SUBTEST(signals_with_stacks_there) {
  share();
  find_own_mappings();
  shared->count = 0;
  for (unsigned long at = TOP; at < TOP + 24 * PAGE; at += PAGE) signal_there(at);
  if (own_start < TOP + 40 * PAGE) shared->count = 48;
  CHECK_EQ(shared->count, 48);
}

// What a process had in its registers is not to be found there by another one.
static void keep_in_registers(unsigned long secret) {
  __asm__ volatile("movq %0, %%xmm9; mov %0, %%rbx; mov %0, %%r14; mov $39, %%eax; syscall" ::"r"(secret)
                   : "rax", "rcx", "r11", "rbx", "r14", "xmm9", "memory");
}
static volatile unsigned long looked_at;
SUBTEST(registers_of_an_ended_process) {
  int to_me[2];
  OK(pipe(to_me));
  CHILD_DONE(SPAWN({
    unsigned long secret;
    int fd = OK(open("/dev/urandom", O_RDONLY));
    CHECK_EQ(OK(read(fd, &secret, sizeof secret)), (long)sizeof secret);
    CHECK_EQ(OK(write(to_me[1], &secret, sizeof secret)), (long)sizeof secret);
    for (int i = 0; i < 100; i++) keep_in_registers(secret);
  }));
  CHILD_DONE(SPAWN({
    set_handlers();
    static unsigned long copy[4 * 2048];
    // Slots begin there, if this is a kernel that has any.
    for (volatile unsigned i = 0; i < COUNT(copy); i++)
      if (sigsetjmp(out, 1) == 0) copy[i] = ((volatile unsigned long *)(TOP + 0x8100000))[i];
      else i = COUNT(copy);
    unsigned long secret;
    unsigned found = 0;
    if (read(to_me[0], &secret, sizeof secret) != sizeof secret) _exit(2);
    for (unsigned i = 0; i < COUNT(copy); i++) found += copy[i] == secret;
    looked_at = copy[0];
    if (found != 0) _exit(1);
  }));
}
