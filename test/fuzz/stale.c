// Stale frames: what a process has given up, or never had, it can neither read nor write, whatever races with the change.
//
//   stale SEED MS      ends with status 0, or says on one line what it saw and ends with status 1
//
// Every process writes words of its own into its pages, and knows by any word who wrote it:
//
//   bits 52-63 magic   32-51 family   12-31 process   0-11 epoch of the process, which each of its forks ends
//
// The first process keeps some WORKERS going, each under a uid of its own, and stops, kills and replaces them. A worker is
// a family: two threads that change mappings, each in its own places, one that runs into breakpoints and steps, one that
// reads and writes all over those places, and children that live for some milliseconds. A page that is new must be zero,
// one that is gone must fault, and none may ever show a word that its process could not have got there.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

enum {
  PAGE = 4096,
  PAGES = 64,          // of a place, at most
  WORKERS = 3,
  FIRST_UID = 2000,
  EXE_FD = 9,          // this program, for exec
  STATS_FD = 10,
  FOUND = 77,          // exit status of who has seen something
  LAST_EPOCH = 4000,
  STEPS = 5,           // instructions that are stepped in a row
  HOG_PAGES = 1500,
  FILE_PAGES = 16,     // of this program, that are compared
  SLEEPERS = 6,
  HANG_MS = 60000,
  END_MS = 20000,
};

#define MAGIC 0xa5cul
#define ID 0xffffful

// What the workers of an era do, since everything that runs leaves less of the cpus to the rest.
enum {
  SECOND_MAPPER = 1,
  ROAMER = 2,
  SLEEP = 4,           // threads that do nothing: a stub that somebody had before has threads, none is left without use
  TIMER = 8,
  STORMS = 16,         // many kicks, or one
  ALL_KINDS = 32,      // of changes, or only short lives
  THIRD_WORKER = 64,
  MODES = 128,
  ERA_MS = 3000,
};

struct stats {
  _Atomic long rounds[WORKERS], faults, forks, execs, traps, workers;
  _Atomic unsigned mode;
  unsigned long seed;
};

static struct stats *stats;
static unsigned long seed;
static int number;                // of the worker
static uint64_t family, self;
static _Atomic uint64_t epoch;
static uint64_t parent, parent_epoch;  // of a child: what it has inherited
static pid_t trap_tid;
static long end_ms;
static int exe_pages;
static unsigned mode;

struct place {
  char *at, *other, *file;
};
/** Places lie where nothing else is ever put. */
static const struct place places[2] = {
    {(char *)0x200000000, (char *)0x201000000, (char *)0x202000000},
    {(char *)0x210000000, (char *)0x211000000, (char *)0x212000000},
};

static __thread uint64_t state;
static __thread const char *doing = "start";
static __thread sigjmp_buf away;
static __thread volatile sig_atomic_t probing;
static __thread volatile int steps;

static uint64_t rnd(void) {
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}
static unsigned below(unsigned n) { return (unsigned)((rnd() >> 20) % n); }
static void sow(uint64_t a) {
  state = (seed * 0x9e3779b97f4a7c15ul) ^ (a * 0xbf58476d1ce4e5b9ul) ^ 0x1234567;
  if (state == 0) state = 1;
  for (int i = 0; i < 8; i++) rnd();
}

static long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

__attribute__((noreturn, format(printf, 1, 2))) static void found(const char *format, ...) {
  char text[400], line[600];
  va_list ap;
  va_start(ap, format);
  vsnprintf(text, sizeof text, format, ap);
  va_end(ap);
  int n = snprintf(line, sizeof line, "STALE seed %lu mode %u worker %d pid %d family %ld, %s: %s\n", stats->seed,
                   (unsigned)stats->mode, number, getpid(), (long)family, doing, text);
  if (write(1, line, n) < 0) _exit(FOUND + 1);
  _exit(FOUND);
}

static uint64_t word_of(uint64_t id, uint64_t low) { return MAGIC << 52 | family << 32 | id << 12 | (low & 0xfff); }
static uint64_t word(void) { return word_of(self, epoch); }
static bool of_family(uint64_t w) { return w >> 32 == (MAGIC << 20 | family); }
/** May a private page of this process show the word? `counts`: its low bits are no epoch. */
static bool is_mine(uint64_t w, bool counts) {
  if (!of_family(w)) return false;
  uint64_t id = w >> 12 & ID;
  return id == self || (id == parent && (counts || (w & 0xfff) <= parent_epoch));
}

/** Words that the owner of a page writes, and those that anybody in its process may write: a counter, and a word. */
static const int owned[] = {0, 1, 100, 255, 511};
enum { OWNED = 5, COUNTER = 6, FREE = 7 };

// Probes: what faults gives false.
#define PROBE(body)                      \
  ({                                     \
    volatile int ok_ = 0;                \
    probing = 1;                         \
    if (sigsetjmp(away, 0) == 0) {       \
      body;                              \
      ok_ = 1;                           \
    }                                    \
    probing = 0;                         \
    ok_;                                 \
  })

static void on_fault(int sig, siginfo_t *info, void *context) {
  if (!probing) {
    ucontext_t *uc = context;
    found("signal %d, code %d, at %p, rip %llx", sig, info->si_code, info->si_addr,
          (unsigned long long)uc->uc_mcontext.gregs[REG_RIP]);
  }
  siglongjmp(away, 1);
}

static void on_trap(int sig, siginfo_t *info, void *context) {
  ucontext_t *uc = context;
  if (info->si_code != TRAP_TRACE) return;
  if (--steps <= 0) uc->uc_mcontext.gregs[REG_EFL] &= ~0x100ul;
}

static void on_other(int sig) { (void)sig; }

static void handlers(void) {
  struct sigaction sa;
  memset(&sa, 0, sizeof sa);
  sa.sa_flags = SA_SIGINFO | SA_NODEFER;
  sa.sa_sigaction = on_fault;
  sigaction(SIGSEGV, &sa, 0);
  sigaction(SIGBUS, &sa, 0);
  sa.sa_flags = SA_SIGINFO;
  sa.sa_sigaction = on_trap;
  sigaction(SIGTRAP, &sa, 0);
  sa.sa_flags = SA_RESTART;
  sa.sa_handler = on_other;
  sigaction(SIGUSR2, &sa, 0);
  sigaction(SIGALRM, &sa, 0);
}

static uint64_t *page(char *at, int i) { return (uint64_t *)(at + (long)i * PAGE); }

/** May a word that anybody in the process writes be so? The kernel copies by bytes: it may be half written for a moment. */
static bool is_free(volatile uint64_t *p, bool counts) {
  for (int i = 0; i < 2000; i++) {
    uint64_t w = *p;
    if (w == 0 || is_mine(w, counts)) return true;
    if (w >> 52 == MAGIC && !of_family(w)) return false;
    if (i % 16 == 15) sched_yield();
  }
  return false;
}

static void is_free_word(uint64_t *p, int i) {
  if (!is_free(p + COUNTER, true)) found("counter of page %d at %p is %016lx", i, (void *)p, p[COUNTER]);
  if (!is_free(p + FREE, false)) found("free word of page %d at %p is %016lx", i, (void *)p, p[FREE]);
}

/** New pages: zero, but for what other threads have put there since. */
static void is_fresh(char *at, int from, int to) {
  for (int i = from; i < to; i++) {
    uint64_t *p = page(at, i);
    for (int k = 0; k < OWNED; k++)
      if (p[owned[k]] != 0) found("new page %d of %p has %016lx at word %d", i, at, p[owned[k]], owned[k]);
    is_free_word(p, i);
  }
}

static void fill(char *at, int from, int to) {
  uint64_t w = word();
  for (int i = from; i < to; i++)
    for (int k = 0; k < OWNED; k++) page(at, i)[owned[k]] = w;
}

/** Pages that were filled, by this process or the one that it was forked from. */
static void is_filled(char *at, int from, int to) {
  for (int i = from; i < to; i++) {
    uint64_t *p = page(at, i);
    for (int k = 0; k < OWNED; k++)
      if (!is_mine(p[owned[k]], false)) found("page %d of %p has %016lx at word %d", i, at, p[owned[k]], owned[k]);
    is_free_word(p, i);
  }
}

/** Pages that may not be accessed. */
static void is_gone(char *at, int from, int to) {
  for (int n = 0; n < 4 && n < to - from; n++) {
    int i = n == 0 ? to - 1 : n == 1 ? from : from + below(to - from);
    volatile uint64_t w = 0;
    if (PROBE(w = ((volatile uint64_t *)page(at, i))[0])) found("page %d of %p can be read: %016lx", i, at, w);
  }
}

/** Has the thread at the breakpoints kicked, a few times. */
static void storm(void) {
  for (int n = mode & STORMS ? below(4) : 0; n >= 0; n--) syscall(SYS_tgkill, getpid(), trap_tid, SIGUSR2);
}

static bool map(char *at, int pages, int prot, int flags, int fd) {
  char *p = mmap(at, (long)pages * PAGE, prot, flags | MAP_FIXED, fd, 0);
  if (p == MAP_FAILED && errno != ENOMEM && errno != EAGAIN) found("mmap: %s", strerror(errno));
  return p == at;
}

static void unmap(char *at, int pages) {
  if (munmap(at, (long)pages * PAGE) != 0) found("munmap: %s", strerror(errno));
}

/** The child of a fork, or what it executes, ended well. */
static void child_ended(pid_t pid) {
  int status;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return;
  if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == FOUND)) {
    if (WEXITSTATUS(status) == FOUND) _exit(FOUND);
    return;
  }
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return;
  found("child %d ended with status %#x", pid, status);
}

/** Fresh pages of a process that has just begun. */
static void touch(char *at, int pages) {
  for (int i = 0; i < 3; i++) {
    if (!map(at, pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | (i == 1 ? MAP_POPULATE : 0), -1)) return;
    is_fresh(at, 0, pages);
    fill(at, 0, pages);
    is_filled(at, 0, pages);
    if (i < 2) {
      unmap(at, pages);
      is_gone(at, 0, pages);
    }
  }
}

static void execute(const char *mode) {
  char s[32], n[16], e[16], f[16];
  snprintf(s, sizeof s, "%lu", (unsigned long)(rnd() & 0xffffffff));
  snprintf(n, sizeof n, "%d", number);
  snprintf(e, sizeof e, "%ld", end_ms);
  snprintf(f, sizeof f, "%ld", (long)family);
  char *argv[] = {"stale", (char *)mode, s, n, e, f, 0}, *env[] = {0};
  syscall(SYS_execveat, EXE_FD, "", argv, env, AT_EMPTY_PATH);
}

/** A child: sees what it has inherited and nothing that came later, and none of its writes is seen by its parent. */
static void child(const struct place *place, int pages, bool file) {
  parent = self;
  parent_epoch = epoch;
  self = (uint64_t)getpid() & ID;
  epoch = 1;
  sow(self);
  stats->forks++;
  doing = "in a child";
  is_filled(place->at, 0, pages);
  if (below(2)) {
    fill(place->at, 0, pages);
    for (int i = 0; i < pages; i++) {
      page(place->at, i)[FREE] = word();
      page(place->at, i)[COUNTER] = word();
    }
  }
  long rounds = below(400);
  for (long r = 0; r < rounds; r++) {
    is_filled(place->at, 0, pages);
    if (!file) continue;
    // The file that the parent truncates meanwhile.
    uint64_t *p = page(place->file, below(PAGES));
    volatile uint64_t w = 0, v = 0;
    PROBE(w = p[0]; v = p[FREE]; if (r & 1) p[FREE] = word());
    if ((w != 0 && !of_family(w)) || (v != 0 && !of_family(v))) found("shared page %p has %016lx, %016lx", (void *)p, w, v);
  }
  switch (below(4)) {
    case 0: kill(getpid(), SIGKILL);
    case 1: execute("touch");
    case 2: touch(place->other, PAGES);
  }
  _exit(0);
}

static void fork_child(const struct place *place, int pages, pid_t *last, bool file) {
  if (*last > 0) child_ended(*last);
  *last = 0;
  pid_t pid = below(4) ? fork() : (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) child(place, pages, file);
  epoch++;
  if (pid < 0) {
    if (errno != EAGAIN && errno != ENOMEM) found("fork: %s", strerror(errno));
    return;
  }
  *last = pid;
  // What is written from here on the child may not see.
  fill(place->at, 0, pages);
  if (below(2)) return;
  // The kernel's ways into its memory.
  uint64_t w[2] = {word_of((uint64_t)pid & ID, 1), word_of((uint64_t)pid & ID, 1)};
  struct iovec from = {w, sizeof w}, to = {page(place->at, below(pages)) + COUNTER, sizeof w};
  if (syscall(SYS_process_vm_writev, pid, &from, 1, &to, 1, 0) == sizeof w) return;
  if (errno != EFAULT && errno != ESRCH && errno != EPERM) found("process_vm_writev: %s", strerror(errno));
}

static void vfork_child(void) {
  pid_t pid = vfork();
  if (pid == 0) {
    execute("touch");
    _exit(0);
  }
  if (pid > 0) child_ended(pid);
}

/** A file that is cut and punched under shared and private mappings. */
static void cut_file(const struct place *place, pid_t *last) {
  char *at = place->file;
  int fd = (int)syscall(SYS_memfd_create, "stale", 0);
  if (fd < 0) return;
  bool shared = below(3) != 0;
  if (ftruncate(fd, PAGES * PAGE) == 0 &&
      map(at, PAGES, PROT_READ | PROT_WRITE, shared ? MAP_SHARED : MAP_PRIVATE, fd)) {
    for (int r = 0; r < 4; r++) {
      uint64_t w = word();
      for (int i = 0; i < PAGES; i++) page(at, i)[0] = w;
      if (r == 1 && shared && below(2)) {
        map(place->at, PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
        fill(place->at, 0, PAGES);
        fork_child(place, PAGES, last, true);
        unmap(place->at, PAGES);
      }
      storm();
      int keep = below(PAGES);
      if (below(2)) {
        if (ftruncate(fd, (long)keep * PAGE) != 0) found("ftruncate: %s", strerror(errno));
        doing = "behind the end of a file";
        is_gone(at, keep, PAGES);
        if (ftruncate(fd, PAGES * PAGE) != 0) found("ftruncate: %s", strerror(errno));
      } else if (!shared || fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (long)keep * PAGE,
                                      (long)(PAGES - keep) * PAGE) != 0)
        continue;
      doing = "in a file that was cut";
      for (int i = keep; i < PAGES; i++) {
        uint64_t v = page(at, i)[0];
        if (v != 0) found("page %d of %p has %016lx", i, at, v);
        v = page(at, i)[FREE];
        if (v != 0 && !of_family(v)) found("page %d of %p has %016lx", i, at, v);
      }
    }
    storm();
    unmap(at, PAGES);
    is_gone(at, 0, PAGES);
  }
  close(fd);
}

/** Pages of this program by way of a mapping and of read(2): the cache may drop them, and they come back the same. */
static void read_program(const struct place *place) {
  static __thread char buf[PAGE];
  char *at = place->other;
  if (!map(at, exe_pages, PROT_READ, MAP_PRIVATE, EXE_FD)) return;
  for (int n = 0; n < 4; n++) {
    int i = below(exe_pages);
    if (pread(EXE_FD, buf, PAGE, (long)i * PAGE) == PAGE && memcmp(buf, page(at, i), PAGE) != 0)
      found("page %d of the program differs", i);
  }
  unmap(at, exe_pages);
  is_gone(at, 0, exe_pages);
}

/** Takes memory until caches have to shrink. */
static void hog(const struct place *place) {
  int n = 200 + below(HOG_PAGES);
  if (!map(place->other, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1)) return;
  is_fresh(place->other, 0, n);
  fill(place->other, 0, n);
  is_filled(place->other, 0, n);
  storm();
  unmap(place->other, n);
  is_gone(place->other, 0, n);
}

/** Memory of the other mapping thread by way of the kernel. */
static void vm_calls(const struct place *other) {
  uint64_t w[8];
  struct iovec mine = {w, sizeof w}, theirs = {page(other->at, below(PAGES)), sizeof w};
  if (syscall(SYS_process_vm_readv, getpid(), &mine, 1, &theirs, 1, 0) == sizeof w) {
    if (w[0] != 0 && !is_mine(w[0], false)) found("process_vm_readv at %p: %016lx", theirs.iov_base, w[0]);
    if (w[FREE] >> 52 == MAGIC && !of_family(w[FREE])) found("process_vm_readv at %p: %016lx", theirs.iov_base, w[FREE]);
  }
  w[0] = w[1] = word();
  mine.iov_len = theirs.iov_len = 16;
  theirs.iov_base = page(other->at, below(PAGES)) + COUNTER;
  syscall(SYS_process_vm_writev, getpid(), &mine, 1, &theirs, 1, 0);
}

/** One life of a mapping in a place, with one change to it. */
static void change(const struct place *place, const struct place *other, pid_t *last) {
  char *at = place->at;
  int n = 1 + below(PAGES);
  int populate = below(4) == 0 ? MAP_POPULATE : 0;
  doing = "after mmap";
  if (!map(at, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | populate, -1)) return;
  is_fresh(at, 0, n);
  fill(at, 0, n);
  int from = below(n), to = from + 1 + below(n - from);
  long len = (long)(to - from) * PAGE;
  char *part = at + (long)from * PAGE;
  switch (below(9)) {
    case 0:
    case 1: doing = "after munmap"; break;
    case 2:
      doing = "after munmap of a part";
      storm();
      unmap(part, to - from);
      is_gone(at, from, to);
      is_filled(at, 0, from);
      is_filled(at, to, n);
      break;
    case 3:
      doing = "after MADV_DONTNEED";
      storm();
      madvise(part, len, MADV_DONTNEED);
      is_fresh(at, from, to);
      fill(at, from, to);
      is_filled(at, 0, n);
      break;
    case 4:
      doing = "after mremap";
      storm();
      if (mremap(part, len, len, MREMAP_MAYMOVE | MREMAP_FIXED, place->other) == MAP_FAILED) break;
      is_gone(at, from, to);
      is_filled(place->other, 0, to - from);
      storm();
      unmap(place->other, to - from);
      is_gone(place->other, 0, to - from);
      break;
    case 5:
      doing = "after mprotect(PROT_NONE)";
      storm();
      if (mprotect(part, len, PROT_NONE) != 0) break;
      is_gone(at, from, to);
      mprotect(part, len, PROT_READ | PROT_WRITE);
      is_filled(at, 0, n);
      break;
    case 6:
      doing = "after mprotect(PROT_READ)";
      storm();
      if (mprotect(part, len, PROT_READ) != 0) break;
      for (int i = 0; i < 4; i++) {
        volatile uint64_t *p = page(at, from + below(to - from));
        uint64_t before = p[COUNTER];
        if (PROBE(p[FREE] = word())) found("%p can be written", (void *)p);
        if (p[COUNTER] != before) found("%p was written: %016lx, then %016lx", (void *)p, before, p[COUNTER]);
      }
      mprotect(part, len, PROT_READ | PROT_WRITE);
      is_filled(at, 0, n);
      break;
    case 7:
      doing = "after mmap over a mapping";
      storm();
      if (!map(part, to - from, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1)) break;
      is_fresh(at, from, to);
      fill(at, from, to);
      is_filled(at, 0, n);
      break;
    case 8:
      doing = "after fork";
      fork_child(place, n, last, false);
      is_filled(at, 0, n);
      break;
  }
  storm();
  unmap(at, n);
  is_gone(at, 0, n);
}

/** Lives so short that hardly anything but the change itself happens. */
static void quick(const struct place *place) {
  char *at = place->at;
  doing = "after a short life";
  for (int r = 0; r < 24; r++) {
    if (!map(at, PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1)) return;
    uint64_t w = word();
    for (int i = 0; i < PAGES; i++) page(at, i)[0] = w;
    syscall(SYS_tgkill, getpid(), trap_tid, SIGUSR2);
    unmap(at, PAGES);
    if (PROBE(w = *(volatile uint64_t *)page(at, PAGES - 1))) found("%p can be read: %016lx", at, w);
  }
}

static void *sleeper(void *arg) {
  for (;;) pause();
  return arg;
}

static void ends(int how) {
  if (how == 0) kill(getpid(), SIGKILL);
  if (how == 1) {
    // A timer goes on over exec.
    signal(SIGALRM, SIG_IGN);
    execute("worker");
  }
  _exit(0);
}

static void *mapper(void *arg) {
  long mine = (long)arg;
  const struct place *place = &places[mine], *other = &places[1 - mine];
  sow(self * 4 + mine);
  pid_t last = 0;
  long rounds = 100 + below(3000);
  for (long r = 0;; r++) {
    stats->rounds[number]++;
    // The end comes from one of them, at any moment of the other.
    if (now_ms() >= end_ms) _exit(0);
    if ((mine == 0 && r >= rounds) || epoch >= LAST_EPOCH) {
      if (last > 0) child_ended(last);
      ends(below(3));
    }
    unsigned what = mode & ALL_KINDS ? below(48) : 8;
    if (what == 0) cut_file(place, &last);
    else if (what == 1) hog(place);
    else if (what == 2) read_program(place);
    else if (what == 3) vfork_child();
    else if (what < 8) vm_calls(other);
    else if (what < 16) quick(place);
    else change(place, other, &last);
  }
}

/** Reads and writes all over the places, whoever has mapped what there. */
static void *roamer(void *arg) {
  sow(self * 4 + 2);
  doing = "reading all over";
  unsigned count = 0;
  for (;;) {
    const struct place *place = &places[below(2)];
    unsigned which = below(8);
    char *at = which == 0 ? place->other : which == 1 ? place->file : place->at;
    for (int i = below(PAGES), n = 0; n < 8; n++, i = (i + 1) % PAGES) {
      volatile uint64_t *p = page(at, i);
      volatile uint64_t a = 0, b = 0;
      bool there = PROBE(a = p[0]; b = p[FREE]);
      if (!there) {
        stats->faults++;
        sched_yield();
        break;
      }
      // In the other place there may be a page of the program.
      if (at == place->other) continue;
      bool ok = at == place->file ? (a == 0 || of_family(a)) && (b == 0 || of_family(b)) : a == 0 || is_mine(a, false);
      volatile bool free_ok = true;
      if (at != place->file && PROBE(free_ok = is_free(p + FREE, false))) ok = ok && free_ok;
      if (!ok) found("page %d of %p has %016lx, %016lx", i, at, a, b);
      PROBE(p[FREE] = word(); p[COUNTER] = word_of(self, ++count));
    }
  }
}

/** A new program has nothing of what its process, or another one on the same stub, had before. */
static void is_empty(void) {
  doing = "before the first mmap";
  for (int i = 0; i < 2; i++) {
    is_gone(places[i].at, 0, PAGES);
    is_gone(places[i].other, 0, PAGES);
    is_gone(places[i].file, 0, PAGES);
  }
}

static void step(void) {
  steps = STEPS;
  __asm__ volatile(
      "sub $128, %%rsp\n pushf\n orl $0x100, (%%rsp)\n popf\n nop\n nop\n nop\n nop\n nop\n nop\n nop\n nop\n add $128, %%rsp\n" ::
          : "memory", "cc");
}

static void worker(void) {
  pthread_t thread;
  pthread_attr_t attr;
  family = self = (uint64_t)getpid() & ID;
  epoch = 1;
  sow(self);
  handlers();
  prctl(PR_SET_DUMPABLE, 1);
  is_empty();
  trap_tid = (pid_t)syscall(SYS_gettid);
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, 128 * 1024);
  mode = stats->mode;
  if (pthread_create(&thread, &attr, mapper, (void *)0)) _exit(0);
  for (int n = mode & SLEEP ? SLEEPERS : 0; n > 0; n--)
    if (pthread_create(&thread, &attr, sleeper, 0)) _exit(0);
  if (mode & SECOND_MAPPER && pthread_create(&thread, &attr, mapper, (void *)1)) _exit(0);
  if (mode & ROAMER && pthread_create(&thread, &attr, roamer, 0)) _exit(0);
  struct itimerval often = {{0, 900}, {0, 900}};
  if (mode & TIMER) setitimer(ITIMER_REAL, &often, 0);
  doing = "breakpoints";
  for (long i = 0;; i++) {
    __asm__ volatile("int3" ::: "memory");
    if (i % 64 == 63) {
      step();
      stats->traps += 64;
    }
  }
}

static pid_t start(int n) {
  number = n;
  pid_t pid = fork();
  if (pid != 0) return pid;
  setpgid(0, 0);
  if (setresgid(FIRST_UID + n, FIRST_UID + n, FIRST_UID + n) || setresuid(FIRST_UID + n, FIRST_UID + n, FIRST_UID + n))
    _exit(FOUND + 2);
  stats->workers++;
  execute("worker");
  _exit(0);
}

static void map_stats(void) {
  stats = mmap(0, sizeof *stats, PROT_READ | PROT_WRITE, MAP_SHARED, STATS_FD, 0);
  if (stats == MAP_FAILED) _exit(FOUND + 3);
  off_t size = lseek(EXE_FD, 0, SEEK_END);
  exe_pages = size / PAGE < FILE_PAGES ? size / PAGE : FILE_PAGES;
}

int main(int argc, char **argv) {
  if (argc == 6) {
    seed = strtoul(argv[2], 0, 0);
    number = atoi(argv[3]);
    end_ms = atol(argv[4]);
    map_stats();
    if (strcmp(argv[1], "worker") == 0) worker();
    // Its parent may take it for the one that it was before, and write to it.
    family = strtoul(argv[5], 0, 10);
    self = (uint64_t)getpid() & ID;
    sow(self);
    handlers();
    stats->execs++;
    is_empty();
    doing = "in a new program";
    touch(places[0].at, PAGES);
    return 0;
  }
  if (argc != 3) return 2;
  unsigned long first = seed = strtoul(argv[1], 0, 0);
  end_ms = now_ms() + atol(argv[2]);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  dup2(open("/proc/self/exe", O_RDONLY), EXE_FD);
  dup2((int)syscall(SYS_memfd_create, "stats", 0), STATS_FD);
  if (ftruncate(STATS_FD, sizeof *stats) != 0) return 2;
  map_stats();
  stats->seed = first;
  sow(1);
  pid_t pids[WORKERS] = {0}, stopped = 0;
  long rounds = -1, moved = now_ms(), era_ends = 0;
  int result = 0, eras = 0;
  for (int turn = 1; result == 0 && now_ms() < end_ms + 2000; turn++) {
    int status;
    pid_t pid;
    bool over = now_ms() >= end_ms, any = false;
    if (now_ms() >= era_ends) {
      era_ends = now_ms() + ERA_MS;
      // The least that can go wrong, all of it, and anything in between.
      stats->mode = eras == 0 ? 0 : eras % 3 == 0 ? SLEEP : below(MODES) | (eras % 3 == 1 ? ALL_KINDS : 0);
      eras++;
      for (int i = 0; i < WORKERS; i++)
        if (pids[i] > 0) kill(-pids[i], SIGKILL);
    }
    while (result == 0 && (pid = waitpid(-1, &status, WNOHANG)) > 0) {
      bool well = WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0;
      if (!well) {
        if (!WIFEXITED(status) || WEXITSTATUS(status) != FOUND)
          printf("STALE seed %lu: process %d ended with status %#x\n", first, pid, status);
        result = 1;
      }
      for (int i = 0; i < WORKERS; i++)
        if (pids[i] == pid) pids[i] = 0;
    }
    for (int i = 0; i < WORKERS; i++) {
      if (pids[i] == 0 && !over && (i < 2 || stats->mode & THIRD_WORKER)) pids[i] = start(i);
      any |= pids[i] > 0;
    }
    if (over && !any) break;
    usleep(5000);
    if (stopped > 0) kill(stopped, SIGCONT);
    stopped = 0;
    pid = pids[below(WORKERS)];
    if (pid > 0 && turn % 8 == 0) {
      if (below(3) == 0) kill(pid, SIGKILL);
      else if (below(3) == 0) kill(stopped = pid, SIGSTOP);
    }
    long sum = 0;
    for (int i = 0; i < WORKERS; i++) sum += stats->rounds[i];
    if (sum != rounds) moved = now_ms();
    else if (now_ms() - moved > HANG_MS) {
      printf("STALE seed %lu: nothing moves\n", first);
      result = 1;
    }
    rounds = sum;
  }
  for (int i = 0; i < WORKERS; i++)
    if (pids[i] > 0) kill(-pids[i], SIGKILL);
  // Children of workers end by themselves.
  long killed = now_ms();
  for (pid_t pid; (pid = waitpid(-1, 0, WNOHANG)) >= 0 || errno == EINTR;) {
    if (now_ms() - killed > END_MS) {
      printf("STALE seed %lu: processes that were killed do not end\n", first);
      result = 1;
      break;
    }
    if (pid == 0) usleep(2000);
  }
  printf("%ld rounds, %ld faults, %ld traps, %ld forks, %ld programs, %ld workers\n", rounds, (long)stats->faults,
         (long)stats->traps, (long)stats->forks, (long)stats->execs, (long)stats->workers);
  return result;
}
