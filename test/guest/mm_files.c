// Mappings of files: what they show while the file is read, written, cut off, removed or replaced. Files under /usr come
// from the host; inside, those may be mapped from the host's own file.
#include "check.h"
#include <sys/uio.h>

#define RW (PROT_READ | PROT_WRITE)

static sigjmp_buf fault_env;
static void on_fault(int sig) { siglongjmp(fault_env, sig); }

// The signal that reading this byte raises, or 0.
static int reads(volatile const char *p) {
  struct sigaction sa = {.sa_handler = on_fault}, segv, bus;
  sigaction(SIGSEGV, &sa, &segv);
  sigaction(SIGBUS, &sa, &bus);
  int sig = sigsetjmp(fault_env, 1);
  if (sig == 0) (void)*p;
  sigaction(SIGSEGV, &segv, NULL);
  sigaction(SIGBUS, &bus, NULL);
  return sig;
}

// A large file of the host, and its size in pages.
static const char *const HOST_FILES[] = {"/usr/bin/python3", "/usr/bin/bash", "/bin/sh"};
static int host_file(size_t *pages) {
  struct stat st;
  for (size_t i = 0; i < COUNT(HOST_FILES); i++) {
    int fd = open(HOST_FILES[i], O_RDONLY);
    if (fd < 0) continue;
    OK(fstat(fd, &st));
    *pages = st.st_size / PAGE;
    if (*pages >= 20) return fd;
    close(fd);
  }
  FAIL("no file to map");
}

// A file of `pages` pages, each filled with its number plus 'a'.
static int make_file(const char *name, size_t pages) {
  int fd = OK(open(name, O_RDWR | O_CREAT | O_TRUNC, 0644));
  char page[PAGE];
  for (size_t i = 0; i < pages; i++) {
    memset(page, 'a' + i, PAGE);
    CHECK_EQ(write(fd, page, PAGE), PAGE);
  }
  return fd;
}

SUBTEST(read_only_mappings_show_the_file) {
  size_t pages;
  int fd = host_file(&pages);
  static char page[PAGE];
  for (int shared = 0; shared < 2; shared++) {
    char *p = OK(mmap(NULL, pages * PAGE, PROT_READ, shared ? MAP_SHARED : MAP_PRIVATE, fd, 0));
    for (size_t i = 0; i < pages; i += 7) {
      CHECK_EQ(pread(fd, page, PAGE, i * PAGE), PAGE);
      CHECK(memcmp(page, p + i * PAGE, PAGE) == 0);
    }
    OK(munmap(p, pages * PAGE));
    CHECK_EQ(reads(p), SIGSEGV);
  }
  char *q = OK(mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 5 * PAGE));
  CHECK_EQ(pread(fd, page, PAGE, 6 * PAGE), PAGE);
  CHECK(memcmp(page, q + PAGE, PAGE) == 0);
  OK(munmap(q, 2 * PAGE));
  close(fd);
}

SUBTEST(last_page_ends_in_zeros_and_then_sigbus) {
  int fd = OK(open("/proc/self/exe", O_RDONLY));
  struct stat st;
  OK(fstat(fd, &st));
  size_t whole = st.st_size / PAGE, tail = st.st_size % PAGE;
  char *p = OK(mmap(NULL, (whole + 3) * PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
  if (tail != 0)
    for (size_t i = tail; i < PAGE; i++) CHECK_EQ(p[whole * PAGE + i], 0);
  CHECK_EQ(reads(p + (whole + 1) * PAGE), SIGBUS);
  CHECK_EQ(reads(p + (whole + 2) * PAGE), SIGBUS);
  OK(munmap(p, (whole + 3) * PAGE));
  char *beyond = OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, (whole + 9) * PAGE));
  CHECK_EQ(reads(beyond), SIGBUS);
  OK(munmap(beyond, PAGE));
  close(fd);
}

SUBTEST(private_writes_stay_private) {
  size_t pages;
  int fd = host_file(&pages);
  char before, after;
  char *p = OK(mmap(NULL, 8 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
  char *q = OK(mmap(NULL, 8 * PAGE, RW, MAP_PRIVATE, fd, 0));
  CHECK_EQ(pread(fd, &before, 1, 3 * PAGE), 1);
  CHECK_EQ(p[3 * PAGE], before);
  q[3 * PAGE] = before + 1;
  CHECK_EQ(p[3 * PAGE], before);
  OK(mprotect(p, 8 * PAGE, RW));
  p[2 * PAGE] ^= 1;
  char two = p[2 * PAGE];
  OK(mprotect(p, 8 * PAGE, PROT_READ));
  CHECK_EQ(p[2 * PAGE], two);
  CHECK_EQ(p[3 * PAGE], before);
  CHECK_EQ(reads(p + 7 * PAGE), 0);
  OK(mprotect(p + PAGE, PAGE, PROT_NONE));
  CHECK_EQ(reads(p + PAGE), SIGSEGV);
  CHECK_EQ(reads(p), 0);
  OK(mprotect(p + PAGE, PAGE, PROT_READ));
  CHECK_EQ(p[PAGE], q[PAGE]);
  CHECK_EQ(pread(fd, &after, 1, 3 * PAGE), 1);
  CHECK_EQ(before, after);
  OK(munmap(p, 8 * PAGE));
  OK(munmap(q, 8 * PAGE));
  close(fd);
}

SUBTEST(dontneed_brings_the_file_back) {
  size_t pages;
  int fd = host_file(&pages);
  char *p = OK(mmap(NULL, 16 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
  char want = p[9 * PAGE + 1];
  OK(madvise(p + 8 * PAGE, 4 * PAGE, MADV_DONTNEED));
  CHECK_EQ(p[9 * PAGE + 1], want);
  OK(mprotect(p, 16 * PAGE, RW));
  p[9 * PAGE + 1] = want + 1;
  OK(mprotect(p, 16 * PAGE, PROT_READ));
  CHECK_EQ(p[9 * PAGE + 1], (char)(want + 1));
  OK(madvise(p, 16 * PAGE, MADV_DONTNEED));
  CHECK_EQ(p[9 * PAGE + 1], want);
  OK(munmap(p, 16 * PAGE));
  close(fd);
}

SUBTEST(fork_shares_until_somebody_writes) {
  size_t pages;
  int fd = host_file(&pages);
  char *p = OK(mmap(NULL, 8 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
  char want = p[PAGE];
  CHILD {
    CHECK_EQ(p[PAGE], want);
    OK(mprotect(p, 8 * PAGE, RW));
    p[PAGE] = want + 1;
    CHILD { CHECK_EQ(p[PAGE], (char)(want + 1)); }
  }
  CHECK_EQ(p[PAGE], want);
  OK(mprotect(p, 8 * PAGE, RW));
  p[PAGE] = want + 2;
  CHILD {
    CHECK_EQ(p[PAGE], (char)(want + 2));
    CHECK_EQ(reads(p + 7 * PAGE), 0);
  }
  OK(munmap(p, 8 * PAGE));
  close(fd);
}

SUBTEST(mremap_moves_and_grows) {
  size_t pages;
  int fd = host_file(&pages);
  static char page[PAGE];
  CHECK_EQ(pread(fd, page, PAGE, 11 * PAGE), PAGE);
  char *p = OK(mmap(NULL, 32 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  OK(mmap(p, 8 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0));
  CHECK_EQ(reads(p), 0);
  CHECK_ERR((intptr_t)mremap(p, 8 * PAGE, 16 * PAGE, 0), ENOMEM);
  char *q = OK(mremap(p, 8 * PAGE, 16 * PAGE, MREMAP_MAYMOVE));
  CHECK(q != p);
  CHECK(memcmp(q + 11 * PAGE, page, PAGE) == 0);
  CHECK_EQ(reads(p), SIGSEGV);
  char *r = OK(mremap(q, 16 * PAGE, 16 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p));
  CHECK(r == p);
  CHECK(memcmp(p + 11 * PAGE, page, PAGE) == 0);
  CHECK_EQ(reads(q), SIGSEGV);
  OK(munmap(p, 32 * PAGE));
  close(fd);
}

SUBTEST(fixed_over_parts) {
  size_t pages;
  int fd = host_file(&pages);
  static char page[PAGE];
  char *p = OK(mmap(NULL, 16 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
  CHECK_EQ(reads(p), 0);
  OK(mmap(p + 4 * PAGE, 2 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
  OK(mmap(p + 8 * PAGE, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, PAGE));
  p[4 * PAGE] = 5;
  CHECK_EQ(p[5 * PAGE], 0);
  CHECK_EQ(pread(fd, page, PAGE, 2 * PAGE), PAGE);
  CHECK(memcmp(p + 9 * PAGE, page, PAGE) == 0);
  CHECK_EQ(pread(fd, page, PAGE, 10 * PAGE), PAGE);
  CHECK(memcmp(p + 10 * PAGE, page, PAGE) == 0);
  OK(munmap(p + 2 * PAGE, PAGE));
  CHECK_EQ(reads(p + 2 * PAGE), SIGSEGV);
  CHECK_EQ(reads(p + 3 * PAGE), 0);
  OK(munmap(p, 16 * PAGE));
  close(fd);
}

SUBTEST(many_mappings_of_one_file) {
  size_t pages;
  int fd = host_file(&pages);
  char *maps[200];
  char want;
  for (size_t i = 0; i < COUNT(maps); i++)
    maps[i] = OK(mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE, fd, i % 16 * PAGE));
  for (size_t i = 0; i < COUNT(maps); i++) {
    CHECK_EQ(pread(fd, &want, 1, (i % 16 + 2) * PAGE + i), 1);
    CHECK_EQ(maps[i][2 * PAGE + i], want);
  }
  for (size_t i = 0; i < COUNT(maps); i++) OK(munmap(maps[i], 3 * PAGE));
  close(fd);
}

SUBTEST(kernel_reads_what_is_mapped) {
  size_t pages;
  int fd = host_file(&pages), pipes[2];
  static char page[PAGE], got[PAGE];
  char *p = OK(mmap(NULL, 16 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
  CHECK_EQ(pread(fd, page, PAGE, 6 * PAGE), PAGE);
  OK(pipe(pipes));
  CHECK_EQ(write(pipes[1], p + 6 * PAGE, PAGE), PAGE);
  CHECK_EQ(read(pipes[0], got, PAGE), PAGE);
  CHECK(memcmp(page, got, PAGE) == 0);
  CHECK(memcmp(page, p + 6 * PAGE, PAGE) == 0);
  struct iovec to = {got, PAGE}, from = {p + 6 * PAGE, PAGE};
  memset(got, 0, PAGE);
  CHECK_EQ(process_vm_readv(getpid(), &to, 1, &from, 1, 0), PAGE);
  CHECK(memcmp(page, got, PAGE) == 0);
  CHECK_ERR(read(fd, p, 1), EFAULT);
  close(pipes[0]);
  close(pipes[1]);
  OK(munmap(p, 16 * PAGE));
  close(fd);
}

SUBTEST(mincore_and_msync) {
  size_t pages;
  int fd = host_file(&pages);
  unsigned char vec[4];
  char *p = OK(mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0));
  for (int i = 0; i < 4; i++) CHECK_EQ(reads(p + i * PAGE), 0);
  OK(mincore(p, 4 * PAGE, vec));
  for (int i = 0; i < 4; i++) CHECK_EQ(vec[i] & 1, 1);
  OK(msync(p, 4 * PAGE, MS_SYNC));
  OK(mlock(p, 4 * PAGE));
  OK(munlock(p, 4 * PAGE));
  OK(madvise(p, 4 * PAGE, MADV_WILLNEED));
  OK(munmap(p, 4 * PAGE));
  close(fd);
}

SUBTEST(writes_to_the_file_show) {
  int fd = make_file("written", 4);
  char *priv = OK(mmap(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
  char *shared = OK(mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0));
  char *copy = OK(mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0));
  CHECK_EQ(priv[PAGE], 'b');
  CHECK_EQ(shared[PAGE], 'b');
  copy[PAGE + 1] = 'x';
  CHECK_EQ(pwrite(fd, "Z", 1, PAGE), 1);
  CHECK_EQ(priv[PAGE], 'Z');
  CHECK_EQ(shared[PAGE], 'Z');
  CHECK_EQ(copy[PAGE], 'b');
  char *through = OK(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 2 * PAGE));
  *through = 'Q';
  CHECK_EQ(priv[2 * PAGE], 'Q');
  CHECK_EQ(shared[2 * PAGE], 'Q');
  CHECK_EQ(copy[2 * PAGE], 'Q');
  OK(munmap(priv, 4 * PAGE));
  OK(munmap(shared, 4 * PAGE));
  OK(munmap(copy, 4 * PAGE));
  OK(munmap(through, PAGE));
  close(fd);
}

SUBTEST(truncation_under_a_mapping) {
  int fd = make_file("cut", 4);
  char *p = OK(mmap(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
  CHECK_EQ(p[3 * PAGE], 'd');
  OK(ftruncate(fd, PAGE + 10));
  CHECK_EQ(reads(p + 3 * PAGE), SIGBUS);
  CHECK_EQ(p[PAGE + 9], 'b');
  CHECK_EQ(p[PAGE + 10], 0);
  OK(ftruncate(fd, 4 * PAGE));
  CHECK_EQ(p[3 * PAGE], 0);
  CHECK_EQ(p[PAGE + 9], 'b');
  OK(munmap(p, 4 * PAGE));
  close(fd);
}

SUBTEST(removed_and_renamed_files_stay_mapped) {
  int fd = make_file("gone", 2);
  char *p = OK(mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
  close(fd);
  OK(rename("gone", "elsewhere"));
  CHECK_EQ(p[0], 'a');
  OK(unlink("elsewhere"));
  close(make_file("elsewhere", 1));
  CHECK_EQ(p[PAGE], 'b');
  OK(munmap(p, 2 * PAGE));
}

// Copies a program, changes the copy, and runs it.
SUBTEST(exec_of_a_fresh_program) {
  int from = OK(open("/proc/self/exe", O_RDONLY));
  int to = OK(open("program", O_RDWR | O_CREAT | O_TRUNC, 0755));
  static char buffer[1 << 16];
  ssize_t n;
  while ((n = OK(read(from, buffer, sizeof buffer))) > 0) CHECK_EQ(write(to, buffer, n), n);
  close(from);
  close(to);
  for (int i = 0; i < 2; i++) {
    int pid = OK(fork());
    if (pid == 0) {
      int null = open("/dev/null", O_WRONLY);
      dup2(null, 1);
      execl("./program", "./program", "-l", NULL);
      _exit(9);
    }
    int status;
    OK(waitpid(pid, &status, 0));
    CHECK_EQ(status, 0);
  }
}
