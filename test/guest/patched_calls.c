// System calls made many times from one place, which a platform may rewrite to jumps: results, registers, readers of the
// text, changes of the text, forks, threads and signals must not show it.
#include "check.h"
#include <pthread.h>
#include <sys/uio.h>

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
