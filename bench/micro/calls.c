// The bare crossing into the kernel and back, by the ways that a program can take.
#define _GNU_SOURCE
#include "micro.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/** mov $SYS_getppid,%eax; syscall: the form that compilers emit and that a kernel in user space can rewrite. */
static void null_call(long arg) {
  (void)arg;
  long r;
  __asm__ volatile("mov %1, %%eax\n\tsyscall" : "=&a"(r) : "i"(SYS_getppid) : "rcx", "r11", "memory");
}

static void (*trapping)(void);

/** The same two instructions on a page that is writable as well: no kernel rewrites those, so each call traps. */
static void trapped_setup(void) {
  static const unsigned char code[] = {0xb8, SYS_getppid, 0, 0, 0, 0x0f, 0x05, 0xc3};
  void *page = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) die("mmap of a writable page of code");
  memcpy(page, code, sizeof code);
  trapping = (void (*)(void))page;
}
static void null_call_trapped(long arg) {
  (void)arg;
  trapping();
}
static void trapped_teardown(void) { munmap((void *)trapping, 4096); }

static void getppid_libc(long arg) {
  (void)arg;
  syscall(SYS_getppid);
}

static void clock_call(long arg) {
  struct timespec t;
  clock_gettime((clockid_t)arg, &t);
}

static void on_signal(int number) { (void)number; }
static void signal_setup(void) { signal(SIGUSR1, on_signal); }
static void signal_self(long arg) {
  (void)arg;
  raise(SIGUSR1);
}

const struct bench call_cases[] = {
    {"null_call", null_call, 0, 0, 0},
    {"null_call_trapped", null_call_trapped, 0, trapped_setup, trapped_teardown},
    {"getppid", getppid_libc, 0, 0, 0},
    {"clock_gettime", clock_call, CLOCK_MONOTONIC, 0, 0},
    {"signal_self", signal_self, 0, signal_setup, 0},
    {0},
};
