// Instructions that a program should not use, and processor state that it should not be in: faults with the signal and
// code that Linux gives, and nothing worse. What depends on 32-bit emulation in the kernel (int 0x80, code in a 32-bit
// segment) is only required to hurt nobody else: Vedette behaves as a kernel without CONFIG_IA32_EMULATION.
#include "check.h"
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

static volatile struct {
  int sig, code;
  uint64_t addr, rip;
} *seen;

static void on_signal(int sig, siginfo_t *info, void *context) {
  ucontext_t *uc = context;
  seen->sig = sig;
  seen->code = info->si_code;
  seen->addr = (uint64_t)info->si_addr;
  seen->rip = uc->uc_mcontext.gregs[REG_RIP];
  _exit(0);
}

static char alt[65536];
static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};

static void catch_faults(void (*handler)(int, siginfo_t *, void *)) {
  stack_t st = {.ss_sp = alt, .ss_size = sizeof alt};
  OK(sigaltstack(&st, NULL));
  struct sigaction act = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  for (unsigned i = 0; i < COUNT(faults); i++) OK(sigaction(faults[i], &act, NULL));
}

// Runs `body` in a child that reports the first fault; the outcome as text.
static const char *outcome(void (*body)(long), long arg) {
  static char text[100];
  if (!seen) seen = OK(mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  seen->sig = 0;
  pid_t pid = SPAWN({
    catch_faults(on_signal);
    // A limit that survives the body's own timers.
    OK(setrlimit(RLIMIT_CPU, &(struct rlimit){5, 5}));
    body(arg);
    _exit(33);
  });
  int result = child_result(pid);
  if (result >= 256) snprintf(text, sizeof text, "killed by SIG%s", sigabbrev_np(result - 256));
  else if (seen->sig) snprintf(text, sizeof text, "SIG%s, code %d", sigabbrev_np(seen->sig), seen->code);
  else if (result == 33) snprintf(text, sizeof text, "nothing");
  else snprintf(text, sizeof text, "exit %d", result);
  return text;
}

static void show(const char *name, void (*body)(long), long arg) { say("%s: %s\n", name, outcome(body, arg)); }

// Executable memory that holds `bytes`, then ud2.
static char *code_at(void *where, const unsigned char *bytes, size_t n) {
  int flags = MAP_PRIVATE | MAP_ANONYMOUS | (where ? MAP_FIXED : MAP_32BIT);
  char *p = OK(mmap(where, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0));
  memset(p, 0x0f, PAGE);
  for (int i = 1; i < PAGE; i += 2) p[i] = 0x0b;
  memcpy(p, bytes, n);
  if (n % 2 == 1) p[n] = 0x90;
  return p;
}
#define CODE(...) code_at(NULL, (const unsigned char[]){__VA_ARGS__}, sizeof((unsigned char[]){__VA_ARGS__}))

static void run(long code) { ((void (*)(void))code)(); }
#define TRY(name, ...) show(name, run, (long)CODE(__VA_ARGS__, 0xc3))

SUBTEST(privileged_instructions) {
  TRY("hlt", 0xf4);
  TRY("cli", 0xfa);
  TRY("sti", 0xfb);
  TRY("in", 0xec);
  TRY("out", 0xee);
  TRY("ins", 0x6c);
  TRY("mov cr0", 0x0f, 0x20, 0xc0);
  TRY("mov to cr3", 0x0f, 0x22, 0xd8);
  TRY("mov dr7", 0x0f, 0x21, 0xf8);
  TRY("rdmsr", 0x0f, 0x32);
  TRY("wrmsr", 0x0f, 0x30);
  TRY("clts", 0x0f, 0x06);
  TRY("invd", 0x0f, 0x08);
  TRY("wbinvd", 0x0f, 0x09);
  TRY("swapgs", 0x0f, 0x01, 0xf8);
  TRY("sysret", 0x48, 0x0f, 0x07);
  TRY("lgdt", 0x0f, 0x01, 0x15, 0, 0, 0, 0);
  TRY("ltr", 0x0f, 0x00, 0xd8);
  TRY("xsetbv", 0x31, 0xc9, 0x0f, 0x01, 0xd1);
}

SUBTEST(undefined_instructions) {
  TRY("ud2", 0x0f, 0x0b);
  TRY("ud1", 0x0f, 0xb9, 0xc0);
  TRY("push es", 0x06);
  TRY("into", 0xce);
  TRY("aam", 0xd4, 0x0a);
  TRY("lock nop", 0xf0, 0x90);
  TRY("lock mov", 0xf0, 0x89, 0x07);
  TRY("sixteen prefixes", 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90);
  TRY("ljmp direct", 0xea, 0, 0, 0, 0, 0x33, 0);
}

SUBTEST(software_interrupts) {
  TRY("int3", 0xcc);
  TRY("int 3", 0xcd, 0x03);
  TRY("int 4", 0xcd, 0x04);
  TRY("int 1", 0xcd, 0x01);
  TRY("int 0", 0xcd, 0x00);
  TRY("int 14", 0xcd, 0x0e);
  TRY("int 0x20", 0xcd, 0x20);
  TRY("int 0x81", 0xcd, 0x81);
  TRY("int 0xff", 0xcd, 0xff);
  TRY("icebp", 0xf1);
}

static void divide(long by) {
  volatile int x = 5, y = by;
  x = y == -1 ? INT_MIN : x;
  x = x / y;
}
static void unmask_sse(long unused) {
  unsigned csr = 0;
  __asm__ volatile("ldmxcsr %0" ::"m"(csr));
  volatile double zero = 0;
  volatile double r = 1.0 / zero;
  (void)r;
}
static void unmask_x87(long unused) {
  unsigned short cw = 0x300;
  __asm__ volatile("fninit; fldcw %0; fldz; fld1; fdivp; fwait" ::"m"(cw));
}
static void bad_mxcsr(long unused) {
  unsigned csr = 0xffff0000;
  __asm__ volatile("ldmxcsr %0" ::"m"(csr));
}
static void align_check(long unused) {
  __asm__ volatile(
    "sub $256, %%rsp; pushfq; orl $0x40000, (%%rsp); popfq; mov 1(%%rsp), %%eax; add $256, %%rsp" ::: "rax", "memory");
}
SUBTEST(arithmetic_and_alignment) {
  show("divide by zero", divide, 0);
  show("INT_MIN / -1", divide, -1);
  show("SSE divide", unmask_sse, 0);
  show("x87 divide", unmask_x87, 0);
  show("reserved mxcsr bits", bad_mxcsr, 0);
  show("unaligned with AC", align_check, 0);
}

static void read_at(long addr) { (void)*(volatile char *)addr; }
static void write_at(long addr) { *(volatile char *)addr = 1; }
static void jump_to(long addr) { ((void (*)(void))addr)(); }
static void stack_at(long addr) { __asm__ volatile("mov %0, %%rsp; push %%rax" ::"r"(addr) : "memory"); }
static void syscall_with_stack_at(long addr) {
  __asm__ volatile(
    "mov %%rsp, %%rbx; mov %0, %%rsp; mov $39, %%eax; syscall; mov %%rbx, %%rsp" ::"r"(addr) : "rax", "rbx", "rcx", "r11", "memory");
}

SUBTEST(wild_addresses) {
  static const long places[] = {0, 8, 0x7ffffffff000, 0x800000000000, 0x7ffffffffffff000, (long)0x8000000000000000, (long)0xffff800000000000, -1, -4096};
  for (unsigned i = 0; i < COUNT(places); i++) {
    char name[60];
    snprintf(name, sizeof name, "read %#lx", places[i]), show(name, read_at, places[i]);
    snprintf(name, sizeof name, "write %#lx", places[i]), show(name, write_at, places[i]);
    snprintf(name, sizeof name, "jump %#lx", places[i]), show(name, jump_to, places[i]);
    snprintf(name, sizeof name, "push %#lx", places[i]), show(name, stack_at, places[i]);
    snprintf(name, sizeof name, "syscall with rsp %#lx", places[i]), show(name, syscall_with_stack_at, places[i]);
  }
}

SUBTEST(memory_that_is_no_code) {
  char *p = OK(mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  *p = 0xc3;
  show("rw page", run, (long)p);
  OK(mprotect(p, PAGE, PROT_READ));
  show("r page", run, (long)p);
  OK(mprotect(p, PAGE, PROT_NONE));
  show("page without access", run, (long)p);
  OK(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
  show("rx page", run, (long)p);
  show("write to rx page", write_at, (long)p);
  static char data[16] = {(char)0xc3};
  show("data segment", run, (long)data);
  char local[16] = {(char)0xc3};
  show("stack", run, (long)local);
}

SUBTEST(code_that_changes_itself) {
  // mov eax, N; ret, with N changed by the code that runs.
  char *p = CODE(0xb8, 0, 0, 0, 0, 0xc3);
  int sum = 0;
  for (int i = 0; i < 2000; i++) {
    p[1] = i % 100;
    sum += ((int (*)(void))p)();
  }
  CHECK_EQ(sum, 20 * 4950);
  // The next instruction: movb $0x90, 0(%rip); ud2 byte pair becomes two nops.
  TRY("patching ahead", 0x66, 0xc7, 0x05, 0, 0, 0, 0, 0x90, 0x90, 0x0f, 0x0b);
  // A syscall instruction that is written, used and replaced: the change must show at once.
  char *q = CODE(0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3);
  for (int i = 0; i < 50; i++) {
    q[5] = 0x0f, q[6] = 0x05;
    CHECK_EQ(((int (*)(void))q)(), getpid());
    q[5] = 0x90, q[6] = 0x90;
    CHECK_EQ(((int (*)(void))q)(), 39);
  }
  // The same code through two mappings of one file.
  int fd = OK(memfd_create("code", 0));
  OK(ftruncate(fd, PAGE));
  char *w = OK(mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  char *x = OK(mmap(0, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0));
  for (int i = 0; i < 50; i++) {
    memcpy(w, (unsigned char[]){0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3}, 8);
    CHECK_EQ(((int (*)(void))x)(), getpid());
    memcpy(w, (unsigned char[]){0xb8, i, 0, 0, 0, 0x90, 0x90, 0xc3}, 8);
    CHECK_EQ(((int (*)(void))x)(), i);
  }
}

SUBTEST(syscall_instructions_at_odd_places) {
  // Across two pages, at the very start and the very end of one, behind prefixes, and jumped into from the middle.
  char *p = OK(mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  static const unsigned char call[] = {0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3};
  for (int at = PAGE - 10; at <= PAGE; at++) {
    memcpy(p + at, call, 8);
    for (int i = 0; i < 20; i++) CHECK_EQ(((int (*)(void))(p + at))(), getpid());
  }
  char *q = CODE(0xb8, 39, 0, 0, 0, 0x48, 0x0f, 0x05, 0xc3);
  CHECK_EQ(((int (*)(void))q)(), getpid());
  q = CODE(0xb8, 39, 0, 0, 0, 0xf3, 0x66, 0x0f, 0x05, 0xc3);
  CHECK_EQ(((int (*)(void))q)(), getpid());
  // The mov before it may be jumped over: rax comes from elsewhere.
  q = CODE(0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3);
  for (int i = 0; i < 100; i++) CHECK_EQ(((int (*)(void))q)(), getpid());
  long r;
  __asm__ volatile("call *%1" : "=a"(r) : "r"(q + 5), "a"(SYS_getppid) : "rcx", "r11", "memory");
  CHECK_EQ(r, getppid());
  __asm__ volatile("call *%1" : "=a"(r) : "r"(q + 5), "a"(100000L) : "rcx", "r11", "memory");
  CHECK_EQ(r, -ENOSYS);
  // From a page that is not readable (where the processor has no such thing, it is).
  OK(mprotect(p, 2 * PAGE, PROT_EXEC));
  CHECK_EQ(((int (*)(void))(p + PAGE))(), getpid());
}

SUBTEST(registers_over_a_call) {
  // Linux changes rax, rcx (the address behind) and r11 (the flags); all else stays.
  uint64_t in[12], out[12];
  for (int i = 0; i < 12; i++) in[i] = 0x1111111111111111ULL * (i + 1);
  for (int round = 0; round < 40; round++) {
    long rax = SYS_getppid, rcx, r11, flags;
    __asm__ volatile(
      "push %%rbp; push %%rbx\n\t"
      "mov %4, %%rax; push %5; push %%rax\n\t"
      "mov %5, %%rbx; mov 0(%%rbx), %%rdi; mov 8(%%rbx), %%rsi; mov 16(%%rbx), %%rdx; mov 24(%%rbx), %%r10; mov 32(%%rbx), %%r8\n\t"
      "mov 40(%%rbx), %%r9; mov 48(%%rbx), %%r12; mov 56(%%rbx), %%r13; mov 64(%%rbx), %%r14; mov 72(%%rbx), %%r15; mov 80(%%rbx), %%rbp\n\t"
      "mov $110, %%eax; stc; syscall\n\t"
      "pushfq; pop %%rax; mov 0(%%rsp), %%rbx; mov %%rdi, 0(%%rbx); mov %%rsi, 8(%%rbx); mov %%rdx, 16(%%rbx); mov %%r10, 24(%%rbx); mov %%r8, 32(%%rbx)\n\t"
      "mov %%r9, 40(%%rbx); mov %%r12, 48(%%rbx); mov %%r13, 56(%%rbx); mov %%r14, 64(%%rbx); mov %%r15, 72(%%rbx); mov %%rbp, 80(%%rbx)\n\t"
      "mov %%rax, %%r15; add $16, %%rsp; pop %%rbx; pop %%rbp; mov %%rcx, %%r14; mov %%r11, %%r13\n\t"
      "mov %%r15, %3; mov %%r14, %1; mov %%r13, %2"
      : "+m"(rax), "=m"(rcx), "=m"(r11), "=m"(flags)
      : "r"((long)out), "r"((long)in)
      : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
    for (int i = 0; i < 11; i++) CHECK_EQ(out[i], in[i]);
    CHECK(r11 & 1);
    CHECK(flags & 1);
    CHECK(rcx != 0);
  }
}

static void with_flags(long flags) {
  long r, after;
  __asm__ volatile(
    "pushfq; or %2, (%%rsp); popfq; mov $39, %%eax; syscall; pushfq; pop %1; pushfq; and %3, (%%rsp); popfq; cld"
    : "=&a"(r), "=&r"(after) : "r"(flags), "r"(~flags) : "rcx", "r11", "memory", "cc");
  if (r != getpid()) _exit(1);
  if ((after & flags) != flags) _exit(2);
}
SUBTEST(flags_over_a_call) {
  show("DF", with_flags, 0x400);
  show("AC", with_flags, 0x40000);
  show("NT", with_flags, 0x4000);
  show("ID", with_flags, 0x200000);
  show("CF OF SF ZF PF AF", with_flags, 0x8d5);
}

static volatile long steps, last_rip;
static void on_step(int sig, siginfo_t *info, void *context) {
  ucontext_t *uc = context;
  if (info->si_code != TRAP_TRACE) _exit(4);
  steps++;
  last_rip = uc->uc_mcontext.gregs[REG_RIP];
  if (steps > 1000) _exit(5);
}
static void stepped(long with_call) {
  struct sigaction act = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
  sigaction(SIGTRAP, &act, NULL);
  if (with_call)
    __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; nop; mov $39, %%eax; syscall; nop; nop; pushfq; andl $~0x100, (%%rsp); popfq; nop"
                     ::: "rax", "rcx", "r11", "memory", "cc");
  else
    __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; nop; nop; nop; pushfq; andl $~0x100, (%%rsp); popfq; nop" ::: "memory", "cc");
  _exit(100 + steps);
}
SUBTEST(single_steps) {
  show("steps", stepped, 0);
  show("steps over a call", stepped, 1);
}

static void load_ds(long sel) { __asm__ volatile("mov %0, %%ds; mov %0, %%es" ::"r"((int)sel)); }
static void load_ds_and_call(long sel) {
  load_ds(sel);
  for (int i = 0; i < 5; i++) getppid();
  volatile int x = 1;
  if (x != 1) _exit(1);
}
static void load_gs(long sel) {
  __asm__ volatile("mov %0, %%gs" ::"r"((int)sel));
  if (getppid() < 0) _exit(1);
}
static void load_ss(long sel) {
  __asm__ volatile("mov %0, %%ss" ::"r"((int)sel));
  if (getppid() < 0) _exit(1);
}
static void load_fs(long sel) {
  __asm__ volatile("mov %0, %%fs" ::"r"((int)sel));
  __asm__ volatile("mov $39, %%eax; syscall; mov $60, %%eax; mov $44, %%edi; syscall" ::: "rax", "rcx", "rdi", "r11", "memory");
}
SUBTEST(segment_selectors) {
  static const long selectors[] = {0, 3, 0x23, 0x2b, 0x33, 0x10, 0x18, 0x43, 0x4b, 0x7, 0xf, 0xfffb, 0xffff};
  for (unsigned i = 0; i < COUNT(selectors); i++) {
    char name[40];
    snprintf(name, sizeof name, "ds %#lx", selectors[i]), show(name, load_ds_and_call, selectors[i]);
    snprintf(name, sizeof name, "gs %#lx", selectors[i]), show(name, load_gs, selectors[i]);
    snprintf(name, sizeof name, "fs %#lx", selectors[i]), show(name, load_fs, selectors[i]);
    snprintf(name, sizeof name, "ss %#lx", selectors[i]), show(name, load_ss, selectors[i]);
  }
}

static void fs_base_by_instruction(long base) {
  __asm__ volatile("wrgsbase %0" ::"r"(base));
  getppid();
  long r;
  __asm__ volatile("rdgsbase %0" : "=r"(r));
  if (r != base) _exit(1);
}
static void bad_fs_base(long base) {
  __asm__ volatile("wrfsbase %0; mov $39, %%eax; syscall; mov $39, %%eax; syscall; mov $60, %%eax; mov $45, %%edi; syscall" ::"r"(base)
                   : "rax", "rcx", "rdi", "r11", "memory");
}
SUBTEST(segment_bases) {
  if ((getauxval(AT_HWCAP2) & 2) == 0 || getenv("WITHOUT_FSGSBASE")) SKIP("no FSGSBASE");
  show("gs base", fs_base_by_instruction, 0x123456789000);
  show("gs base at the end", fs_base_by_instruction, 0x7fffffffffff);
  show("gs base of a kernel", fs_base_by_instruction, (long)0xffff888000000000);
  show("gs base not canonical", fs_base_by_instruction, (long)0x8000000000000000);
  show("fs base of a kernel", bad_fs_base, (long)0xffffffff81000000);
  show("fs base not canonical", bad_fs_base, (long)0x1234567890abcdef);
  CHECK_ERR(syscall(SYS_arch_prctl, 0x1001, 0xffff888000000000), EPERM);
  CHECK_ERR(syscall(SYS_arch_prctl, 0x1001, 0x8000000000000000), EPERM);
}

static void far_to(long selector) {
  // lretq to the next instruction in another code segment, and on with a 64-bit exit when it was a 64-bit one.
  __asm__ volatile("push %0; lea 1f(%%rip), %%rax; push %%rax; lretq; 1: mov $60, %%eax; mov $46, %%edi; syscall" ::"r"(selector) : "memory");
}
SUBTEST(far_transfers) {
  show("lret to 0x33", far_to, 0x33);
  show("lret to 0x10", far_to, 0x10);
  show("lret to 0", far_to, 0);
  show("lret to 0x2b", far_to, 0x2b);
  show("lret to ldt", far_to, 0x7);
  show("lret to 0xffff", far_to, 0xffff);
}

// 32-bit code at a low address, entered by lretq; it comes back by ljmp to 0x33.
static void in_compat(long code) {
  char *low = OK(mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0));
  __asm__ volatile("mov $0x2b, %%eax; mov %%eax, %%ds; mov %%eax, %%es; mov %1, %%rsp; pushq $0x23; push %0; lretq" ::"r"(code), "r"(low + 4 * PAGE - 64) : "rax", "memory");
}
static char *compat_code(const unsigned char *body, size_t n) {
  // body; ljmp 0x33:back; back (64-bit): mov edi, eax & 0xff -> exit
  unsigned char b[128];
  memcpy(b, body, n);
  char *p = OK(mmap(0, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0));
  uint32_t back = (uint32_t)(long)p + n + 7;
  b[n] = 0xea;
  memcpy(b + n + 1, &back, 4);
  b[n + 5] = 0x33, b[n + 6] = 0;
  static const unsigned char leave[] = {0x0f, 0xb6, 0xf8, 0xb8, 60, 0, 0, 0, 0x0f, 0x05};  // movzx edi, al; mov eax, 60; syscall
  memcpy(b + n + 7, leave, sizeof leave);
  memcpy(p, b, n + 7 + sizeof leave);
  return p;
}
SUBTEST(code_in_a_32_bit_segment) {
  // 32-bit arithmetic: "dec eax" and not a REX prefix.
  static const unsigned char plain[] = {0xb8, 50, 0, 0, 0, 0x48, 0x90};
  show("plain", in_compat, (long)compat_code(plain, sizeof plain));
  // A long loop: the timer of the machine and other threads interrupt it, and it must stay 32-bit.
  static const unsigned char loop[] = {0xb9, 0, 0, 0, 0x08, 0xb8, 1, 0, 0, 0, 0x40, 0x48, 0x49, 0x75, 0xfb, 0x04, 0x20};
  show("loop", in_compat, (long)compat_code(loop, sizeof loop));
  // Page faults on the way: mov eax, [fresh page].
  char *fresh = OK(mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0));
  uint32_t at = (long)fresh;
  unsigned char touch[] = {0xc6, 0x05, 0, 0, 0, 0, 51, 0xb8, 0, 0, 0, 0, 0xa0, 0, 0, 0, 0, 0x48, 0x90};
  memcpy(touch + 2, &at, 4);
  memcpy(touch + 13, &at, 4);
  show("fault", in_compat, (long)compat_code(touch, sizeof touch));
  static const unsigned char bad[] = {0xa1, 0x10, 0, 0, 0};
  show("bad read", in_compat, (long)compat_code(bad, sizeof bad));
  static const unsigned char illegal[] = {0x0f, 0x0b};
  show("ud2", in_compat, (long)compat_code(illegal, sizeof illegal));
}
static volatile int ticks;
static void on_tick(int sig) { ticks++; }
static void ticking_compat(long code) {
  struct sigaction act = {.sa_handler = on_tick, .sa_flags = SA_ONSTACK};
  sigaction(SIGVTALRM, &act, NULL);
  sigaction(SIGALRM, &act, NULL);
  struct itimerval it = {{0, 2000}, {0, 2000}};
  setitimer(ITIMER_REAL, &it, NULL);
  in_compat(code);
}
SUBTEST(signals_in_a_32_bit_segment) {
  static const unsigned char loop[] = {0xb9, 0, 0, 0, 0x08, 0xb8, 1, 0, 0, 0, 0x40, 0x48, 0x49, 0x75, 0xfb, 0x04, 0x20};
  show("loop under a timer", ticking_compat, (long)compat_code(loop, sizeof loop));
}

// Calls of the 32-bit ABI: answered when the kernel has CONFIG_IA32_EMULATION, else a fault or ENOSYS. Either is right.
static void check_survives(void (*body)(long), long arg) { outcome(body, arg); }
SUBTEST(calls_of_the_32_bit_abi) {
  check_survives(run, (long)CODE(0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0xc3));  // int 0x80: getpid
  check_survives(run, (long)CODE(0xb8, 1, 0, 0, 0, 0xbb, 7, 0, 0, 0, 0xcd, 0x80, 0xc3));
  check_survives(run, (long)CODE(0xb8, 0xff, 0xff, 0xff, 0xff, 0xcd, 0x80, 0xc3));
  check_survives(run, (long)CODE(0xb8, 20, 0, 0, 0, 0x89, 0xe5, 0x0f, 0x34, 0xc3));  // sysenter
  check_survives(run, (long)CODE(0xbd, 0, 0, 0, 0, 0x0f, 0x34, 0xc3));
  for (int nr = 0; nr < 450; nr += 7) {
    unsigned char int80[] = {0xb8, nr, nr >> 8, 0, 0, 0x31, 0xdb, 0x31, 0xc9, 0x31, 0xd2, 0xcd, 0x80};
    if (nr == 2 || nr == 190 || nr == 120) continue;  // forks
    check_survives(in_compat, (long)compat_code(int80, sizeof int80));
  }
  static const unsigned char syscall32[] = {0xb8, 20, 0, 0, 0, 0x0f, 0x05};
  check_survives(in_compat, (long)compat_code(syscall32, sizeof syscall32));
  static const unsigned char sysenter32[] = {0xb8, 20, 0, 0, 0, 0x89, 0xe5, 0x0f, 0x34};
  check_survives(in_compat, (long)compat_code(sysenter32, sizeof sysenter32));
  say("all done\n");
}

SUBTEST(x32_numbers) {
  // Without CONFIG_X86_X32 the bit makes a number unknown.
  for (int nr = 0; nr < 548; nr += 13) CHECK_ERR(syscall(0x40000000 + nr, 0, 0, 0, 0, 0, 0), ENOSYS);
  CHECK_ERR(syscall(-1L), ENOSYS);
  CHECK_ERR(syscall(1000), ENOSYS);
  CHECK_ERR(syscall(0x7fffffff), ENOSYS);
  CHECK_ERR(syscall(0x80000000), ENOSYS);
  // Only the low half of rax counts.
  CHECK_EQ(syscall(0x100000000 + SYS_getpid), getpid());
  CHECK_EQ(syscall((long)0x8000000000000000 + SYS_getpid), getpid());
}

static void read_vsyscall(long at) { (void)*(volatile char *)at; }
SUBTEST(vsyscall_page) {
  show("offset 1", jump_to, (long)0xffffffffff600001);
  show("offset 0x200", jump_to, (long)0xffffffffff600200);
  show("offset 0xc00", jump_to, (long)0xffffffffff600c00);
  show("write", write_at, (long)0xffffffffff600000);
  show("next page", read_vsyscall, (long)0xffffffffff601000);
}

SUBTEST(hypercalls_and_odd_features) {
  TRY("vmcall", 0x31, 0xc0, 0x0f, 0x01, 0xc1);
  TRY("vmmcall", 0x31, 0xc0, 0x0f, 0x01, 0xd9);
  TRY("vmlaunch", 0x0f, 0x01, 0xc2);
  TRY("vmrun", 0x0f, 0x01, 0xd8);
  TRY("monitor", 0x0f, 0x01, 0xc8);
  TRY("rdtsc", 0x0f, 0x31);
  TRY("cpuid", 0x53, 0x31, 0xc0, 0x0f, 0xa2, 0x5b);
  TRY("rdpmc", 0x31, 0xc9, 0x0f, 0x33);
  TRY("enclu", 0x31, 0xc0, 0x0f, 0x01, 0xd7);
}

static void no_tsc(long unused) {
  prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0);
  __asm__ volatile("rdtsc" ::: "rax", "rdx");
}
SUBTEST(tsc_turned_off) {
  int mode = 0;
  OK(prctl(PR_GET_TSC, &mode, 0, 0, 0));
  CHECK_EQ(mode, PR_TSC_ENABLE);
  const char *text = outcome(no_tsc, 0);
  // Refusing the request is an answer too.
  CHECK(strcmp(text, "SIGSEGV, code 128") == 0 || strcmp(text, "nothing") == 0);
}
