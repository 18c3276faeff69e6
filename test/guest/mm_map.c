// mmap(2), munmap(2), mprotect(2), mremap(2), brk(2), madvise(2), msync(2), mincore(2), mlock(2).
#include "check.h"
#include <pthread.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static char *map(size_t pages) { return OK(mmap(NULL, pages * PAGE, RW, ANON, -1, 0)); }

static sigjmp_buf fault_env;
static void on_fault(int sig) { siglongjmp(fault_env, sig); }

// The signal that touching this byte raises, or 0.
static int touch(volatile char *p, bool write) {
  struct sigaction sa = {.sa_handler = on_fault}, segv, bus;
  sigaction(SIGSEGV, &sa, &segv);
  sigaction(SIGBUS, &sa, &bus);
  int sig = sigsetjmp(fault_env, 1);
  if (sig == 0) {
    if (write) *p = 1;
    else (void)*p;
  }
  sigaction(SIGSEGV, &segv, NULL);
  sigaction(SIGBUS, &bus, NULL);
  return sig;
}
static int reads(void *p) { return touch(p, false); }
static int writes(void *p) { return touch(p, true); }

SUBTEST(anonymous) {
  char *p = map(16);
  for (int i = 0; i < 16 * PAGE; i++) CHECK_EQ(p[i], 0);
  memset(p, 7, 16 * PAGE);
  OK(munmap(p, 16 * PAGE));
  CHECK_EQ(reads(p), SIGSEGV);
}

SUBTEST(arguments) {
  CHECK_ERR(mmap(NULL, 0, RW, ANON, -1, 0), EINVAL);
  CHECK_ERR(mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0), EINVAL);
  CHECK_ERR(mmap(NULL, PAGE, RW, MAP_PRIVATE, -1, 0), EBADF);
  CHECK_ERR(syscall(SYS_mmap, NULL, PAGE, RW, MAP_PRIVATE, 0, 1), EINVAL);
  CHECK_ERR(mmap((void *)(PAGE + 1), PAGE, RW, ANON | MAP_FIXED, -1, 0), EINVAL);
  CHECK_ERR(mmap(NULL, 1UL << 48, RW, ANON, -1, 0), ENOMEM);
  CHECK_ERR(mmap(NULL, -1UL, RW, ANON, -1, 0), ENOMEM);
  CHECK_ERR(mmap((void *)0x7ffffffff000, PAGE, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
  CHECK_ERR(munmap((void *)1, PAGE), EINVAL);
  CHECK_ERR(munmap((void *)PAGE, 0), EINVAL);
  OK(munmap((void *)0x10000000000, PAGE));
  // A hint is rounded down, and taken when free.
  char *p = map(4);
  OK(munmap(p, 4 * PAGE));
  char *q = OK(mmap(p + PAGE + 5, PAGE, RW, ANON, -1, 0));
  CHECK(q == p + PAGE);
  OK(munmap(q, PAGE));
}

SUBTEST(fixed_replaces) {
  char *p = map(4);
  memset(p, 1, 4 * PAGE);
  CHECK(OK(mmap(p + PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0)) == p + PAGE);
  CHECK_EQ(p[0], 1);
  CHECK_EQ(p[PAGE], 0);
  CHECK_EQ(p[2 * PAGE], 1);
  CHECK_ERR(mmap(p, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
  CHECK_EQ(p[0], 1);
  OK(munmap(p, PAGE));
  CHECK(OK(mmap(p, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0)) == p);
  OK(munmap(p, 4 * PAGE));
}

SUBTEST(holes) {
  char *p = map(8);
  for (int i = 0; i < 8; i++) p[i * PAGE] = i;
  OK(munmap(p + 2 * PAGE, 2 * PAGE));
  OK(munmap(p + 6 * PAGE, PAGE));
  for (int i = 0; i < 8; i++) {
    bool gone = i == 2 || i == 3 || i == 6;
    CHECK_EQ(reads(p + i * PAGE), gone ? SIGSEGV : 0);
    if (!gone) CHECK_EQ(p[i * PAGE], i);
  }
  OK(munmap(p, 8 * PAGE));
}

SUBTEST(protection) {
  char *p = map(4);
  memset(p, 5, 4 * PAGE);
  OK(mprotect(p + PAGE, PAGE, PROT_READ));
  OK(mprotect(p + 2 * PAGE, PAGE, PROT_NONE));
  CHECK_EQ(writes(p), 0);
  CHECK_EQ(reads(p + PAGE), 0);
  CHECK_EQ(writes(p + PAGE), SIGSEGV);
  CHECK_EQ(reads(p + 2 * PAGE), SIGSEGV);
  CHECK_EQ(writes(p + 3 * PAGE), 0);
  OK(mprotect(p, 4 * PAGE, RW));
  CHECK_EQ(p[2 * PAGE + 1], 5);
  CHECK_EQ(writes(p + 2 * PAGE), 0);
  CHECK_ERR(mprotect(p + 1, PAGE, PROT_READ), EINVAL);
  CHECK_ERR(mprotect(p, PAGE, 0x1000), EINVAL);
  OK(mprotect(p, 0, PROT_READ));
  OK(munmap(p + PAGE, PAGE));
  CHECK_ERR(mprotect(p, 4 * PAGE, PROT_READ), ENOMEM);
  // Up to the hole it has been done.
  CHECK_EQ(writes(p), SIGSEGV);
  CHECK_EQ(writes(p + 2 * PAGE), 0);
  OK(munmap(p, 4 * PAGE));
}

SUBTEST(system_calls_see_protection) {
  char *p = map(2);
  int zero = OK(open("/dev/zero", O_RDONLY)), null = OK(open("/dev/null", O_WRONLY));
  int pipes[2];
  OK(pipe(pipes));
  OK(mprotect(p + PAGE, PAGE, PROT_NONE));
  CHECK_ERR(read(zero, p + PAGE, 10), EFAULT);
  CHECK_ERR(write(pipes[1], p + PAGE, 10), EFAULT);
  CHECK_EQ(OK(read(zero, p + PAGE - 10, 100)), 10);
  OK(mprotect(p + PAGE, PAGE, PROT_READ));
  CHECK_ERR(read(zero, p + PAGE, 10), EFAULT);
  CHECK_EQ(OK(write(pipes[1], p + PAGE, 10)), 10);
  OK(close(zero));
  OK(close(null));
  OK(close(pipes[0]));
  OK(close(pipes[1]));
  OK(munmap(p, 2 * PAGE));
}

SUBTEST(code) {
  // mov eax, 42; ret
  static const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3}, other[] = {0xb8, 43, 0, 0, 0, 0xc3};
  char *p = OK(mmap(NULL, PAGE, RW | PROT_EXEC, ANON, -1, 0));
  memcpy(p, code, sizeof code);
  CHECK_EQ(((int (*)(void))p)(), 42);
  memcpy(p, other, sizeof other);
  CHECK_EQ(((int (*)(void))p)(), 43);
  OK(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
  CHECK_EQ(((int (*)(void))p)(), 43);
  CHECK_EQ(writes(p), SIGSEGV);
  OK(munmap(p, PAGE));
  pid_t pid = SPAWN({
    char *data = map(1);
    data[0] = 0xc3;
    ((void (*)(void))data)();
  });
  CHECK_EQ(child_result(pid), 256 + SIGSEGV);
}

SUBTEST(private_file) {
  put_file("pf", "hello file");
  int fd = OK(open("pf", O_RDWR));
  char *p = OK(mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0));
  CHECK(memcmp(p, "hello file", 10) == 0);
  CHECK_EQ(p[10], 0);
  CHECK_EQ(p[PAGE - 1], 0);
  memcpy(p, "HELLO", 5);
  CHECK_STR(get_file("pf"), "hello file");
  OK(munmap(p, PAGE));
  OK(close(fd));
  fd = OK(open("pf", O_RDONLY));
  p = OK(mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0));
  CHECK_EQ(writes(p), 0);
  CHECK_ERR(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0), EACCES);
  char *q = OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));
  CHECK_ERR(mprotect(q, PAGE, RW), EACCES);
  OK(close(fd));
  // The mapping outlives the descriptor.
  CHECK(memcmp(q, "hello", 5) == 0);
  OK(munmap(q, PAGE));
  OK(munmap(p, PAGE));
  fd = OK(open("pf", O_WRONLY));
  CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0), EACCES);
  CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0), EACCES);
  OK(close(fd));
  int dir = OK(open(".", O_RDONLY)), pipes[2];
  CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, dir, 0), ENODEV);
  OK(pipe(pipes));
  CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, pipes[0], 0), ENODEV);
  OK(close(dir));
  OK(close(pipes[0]));
  OK(close(pipes[1]));
}

static void shared_file_in(const char *path) {
  char buf[16] = {0};
  int fd = OK(open(path, O_RDWR | O_CREAT | O_TRUNC, 0644));
  OK(ftruncate(fd, 3 * PAGE));
  char *p = OK(mmap(NULL, 3 * PAGE, RW, MAP_SHARED, fd, 0));
  char *q = OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE));
  strcpy(p + PAGE, "by memory");
  CHECK_EQ(OK(pread(fd, buf, 9, PAGE)), 9);
  CHECK_STR(buf, "by memory");
  CHECK_STR(q, "by memory");
  CHECK_EQ(OK(pwrite(fd, "by write!", 9, PAGE)), 9);
  CHECK_STR(p + PAGE, "by write!");
  CHECK_STR(q, "by write!");
  CHILD {
    CHECK_STR(p + PAGE, "by write!");
    strcpy(p + 2 * PAGE, "by child");
    CHECK_EQ(OK(pwrite(fd, "cw", 2, 0)), 2);
  }
  CHECK_STR(p + 2 * PAGE, "by child");
  CHECK_STR(p, "cw");
  OK(msync(p, 3 * PAGE, MS_SYNC));
  OK(munmap(p, 3 * PAGE));
  CHECK_EQ(OK(pread(fd, buf, 9, 2 * PAGE)), 9);
  CHECK_STR(buf, "by child");
  OK(munmap(q, PAGE));
  OK(close(fd));
  OK(unlink(path));
}

SUBTEST(shared_file) {
  shared_file_in("sf");
  char name[64];
  snprintf(name, sizeof name, "/dev/shm/vedette-guest-%d", getpid());
  shared_file_in(name);
}

SUBTEST(private_sees_untouched_pages) {
  // A page of a private mapping that was not written may follow the file; one that was keeps its own content.
  int fd = OK(open("pu", O_RDWR | O_CREAT, 0644));
  OK(ftruncate(fd, 2 * PAGE));
  char *p = OK(mmap(NULL, 2 * PAGE, RW, MAP_PRIVATE, fd, 0));
  p[0] = 'm';
  CHECK_EQ(OK(pwrite(fd, "ww", 2, 0)), 2);
  CHECK_EQ(p[0], 'm');
  CHECK_EQ(p[1], 0);
  OK(munmap(p, 2 * PAGE));
  OK(close(fd));
}

SUBTEST(past_the_end) {
  int fd = OK(open("pe", O_RDWR | O_CREAT, 0644));
  CHECK_EQ(OK(write(fd, "abc", 3)), 3);
  char *p = OK(mmap(NULL, 3 * PAGE, RW, MAP_SHARED, fd, 0));
  CHECK_EQ(reads(p + PAGE - 1), 0);
  CHECK_EQ(reads(p + PAGE), SIGBUS);
  CHECK_EQ(writes(p + 2 * PAGE), SIGBUS);
  OK(ftruncate(fd, 2 * PAGE));
  CHECK_EQ(writes(p + PAGE), 0);
  CHECK_EQ(reads(p + 2 * PAGE), SIGBUS);
  // What is written beyond the end within the last page does not reach the file.
  OK(ftruncate(fd, 3));
  p[10] = 'x';
  struct stat st;
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 3);
  CHECK_EQ(reads(p + PAGE), SIGBUS);
  int zero = OK(open("/dev/zero", O_RDONLY));
  CHECK_ERR(read(zero, p + PAGE, 8), EFAULT);
  OK(close(zero));
  OK(munmap(p, 3 * PAGE));
  OK(close(fd));
}

SUBTEST(truncate_zeroes) {
  int fd = OK(open("tz", O_RDWR | O_CREAT, 0644));
  OK(ftruncate(fd, 2 * PAGE));
  char *p = OK(mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0));
  memset(p, 'a', 2 * PAGE);
  OK(ftruncate(fd, 100));
  OK(ftruncate(fd, 2 * PAGE));
  CHECK_EQ(p[99], 'a');
  CHECK_EQ(p[100], 0);
  CHECK_EQ(p[PAGE], 0);
  OK(munmap(p, 2 * PAGE));
  OK(close(fd));
}

SUBTEST(copy_on_write) {
  char *p = map(64);
  memset(p, 'p', 64 * PAGE);
  struct gate to_child = gate_make(), to_parent = gate_make();
  pid_t pid = SPAWN({
    gate_wait(to_child);
    for (int i = 0; i < 64; i++) CHECK_EQ(p[i * PAGE + 9], 'p');
    memset(p + 32 * PAGE, 'c', 32 * PAGE);
    gate_signal(to_parent);
    gate_wait(to_child);
    CHECK_EQ(p[0], 'p');
    CHECK_EQ(p[40 * PAGE], 'c');
  });
  memset(p, 'q', 16 * PAGE);
  gate_signal(to_child);
  gate_wait(to_parent);
  CHECK_EQ(p[0], 'q');
  CHECK_EQ(p[20 * PAGE], 'p');
  CHECK_EQ(p[40 * PAGE], 'p');
  memset(p, 'r', 64 * PAGE);
  gate_signal(to_child);
  CHILD_DONE(pid);
  OK(munmap(p, 64 * PAGE));
}

SUBTEST(copy_on_write_by_system_call) {
  char *p = map(2);
  memset(p, 'a', 2 * PAGE);
  put_file("cow", "from the file");
  int fd = OK(open("cow", O_RDONLY));
  CHILD {
    CHECK_EQ(OK(pread(fd, p + PAGE, 13, 0)), 13);
    CHECK_EQ(p[PAGE], 'f');
  }
  CHECK_EQ(p[PAGE], 'a');
  OK(close(fd));
  OK(munmap(p, 2 * PAGE));
}

SUBTEST(generations_of_forks) {
  char *p = map(4);
  p[0] = 0;
  for (int i = 0; i < 5; i++) {
    CHILD {
      p[0]++;
      CHILD {
        p[0]++;
        CHILD {
          p[0]++;
          CHECK_EQ(p[0], i + 3);
        }
        CHECK_EQ(p[0], i + 2);
      }
      CHECK_EQ(p[0], i + 1);
    }
    CHECK_EQ(p[0], i);
    p[0]++;
  }
  OK(munmap(p, 4 * PAGE));
}

SUBTEST(shared_anonymous) {
  volatile int *p = OK(mmap(NULL, 4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  CHILD {
    p[0] = 11;
    p[3 * PAGE / 4] = 12;
  }
  CHECK_EQ(p[0], 11);
  CHECK_EQ(p[3 * PAGE / 4], 12);
  // /dev/zero mapped shared is the same thing.
  int fd = OK(open("/dev/zero", O_RDWR));
  volatile int *z = OK(mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0));
  OK(close(fd));
  CHECK_EQ(z[0], 0);
  CHILD { z[0] = 5; }
  CHECK_EQ(z[0], 5);
  OK(munmap((void *)z, PAGE));
  OK(munmap((void *)p, 4 * PAGE));
}

SUBTEST(remap_grow_and_shrink) {
  char *p = map(8);
  memset(p, 3, 8 * PAGE);
  OK(munmap(p + 4 * PAGE, 4 * PAGE));
  CHECK(OK(mremap(p, 4 * PAGE, 6 * PAGE, 0)) == p);
  CHECK_EQ(p[3 * PAGE], 3);
  CHECK_EQ(p[5 * PAGE], 0);
  CHECK(OK(mremap(p, 6 * PAGE, 2 * PAGE, 0)) == p);
  CHECK_EQ(reads(p + 2 * PAGE), SIGSEGV);
  char *block = OK(mmap(p + 2 * PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0));
  OK(mprotect(block, PAGE, PROT_READ));
  CHECK_ERR(mremap(p, 2 * PAGE, 4 * PAGE, 0), ENOMEM);
  char *q = OK(mremap(p, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE));
  CHECK(q != p);
  CHECK_EQ(q[PAGE], 3);
  CHECK_EQ(q[3 * PAGE], 0);
  CHECK_EQ(reads(p), SIGSEGV);
  OK(munmap(q, 4 * PAGE));
  OK(munmap(block, PAGE));
}

SUBTEST(remap_fixed) {
  char *p = map(4), *target = map(4);
  memset(p, 4, 4 * PAGE);
  memset(target, 9, 4 * PAGE);
  CHECK(OK(mremap(p, 2 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target)) == target);
  CHECK_EQ(target[PAGE], 4);
  CHECK_EQ(target[2 * PAGE], 0);
  CHECK_EQ(target[3 * PAGE], 9);
  CHECK_EQ(reads(p), SIGSEGV);
  CHECK_EQ(p[2 * PAGE], 4);
  CHECK_ERR(mremap(target, PAGE, PAGE, MREMAP_FIXED, p), EINVAL);
  CHECK_ERR(mremap(target, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + 1), EINVAL);
  CHECK_ERR(mremap(target, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target + PAGE), EINVAL);
  CHECK_ERR(mremap(target + 1, PAGE, PAGE, 0), EINVAL);
  CHECK_ERR(mremap(target, PAGE, 0, 0), EINVAL);
  CHECK_ERR(mremap(target, PAGE, PAGE, 0x100), EINVAL);
  CHECK_ERR(mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
  OK(munmap(p, 4 * PAGE));
  OK(munmap(target, 4 * PAGE));
}

SUBTEST(remap_shared) {
  // Old size 0 makes a second mapping of shared pages.
  char *p = OK(mmap(NULL, 2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  char *q = OK(mremap(p, 0, 2 * PAGE, MREMAP_MAYMOVE));
  CHECK(q != p);
  p[PAGE] = 77;
  CHECK_EQ(q[PAGE], 77);
  OK(munmap(p, 2 * PAGE));
  CHECK_EQ(q[PAGE], 77);
  OK(munmap(q, 2 * PAGE));
  // MREMAP_DONTUNMAP leaves an empty mapping behind.
  p = map(2);
  memset(p, 6, 2 * PAGE);
  q = OK(mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | 4 /* MREMAP_DONTUNMAP */, 0));
  CHECK(q != p);
  CHECK_EQ(q[PAGE], 6);
  CHECK_EQ(p[PAGE], 0);
  OK(munmap(p, 2 * PAGE));
  OK(munmap(q, 2 * PAGE));
}

SUBTEST(program_break) {
  char *start = (char *)syscall(SYS_brk, 0), *up = (char *)syscall(SYS_brk, start + 10 * PAGE);
  CHECK(up == start + 10 * PAGE);
  CHECK_EQ(start[10 * PAGE - 1], 0);
  memset(start + PAGE, 8, 8 * PAGE);
  CHECK((char *)syscall(SYS_brk, start + 2 * PAGE) == start + 2 * PAGE);
  CHECK((char *)syscall(SYS_brk, start + 10 * PAGE) == start + 10 * PAGE);
  CHECK_EQ(start[PAGE + 1], 8);
  CHECK_EQ(start[3 * PAGE], 0);
  // A refused request gives the present break.
  CHECK((char *)syscall(SYS_brk, 1) == start + 10 * PAGE);
  CHECK((char *)syscall(SYS_brk, 0x7ffffffff000) == start + 10 * PAGE);
  CHECK((char *)syscall(SYS_brk, start) == start);
}

SUBTEST(advice) {
  char *p = map(8);
  memset(p, 1, 8 * PAGE);
  OK(madvise(p + PAGE, 2 * PAGE, MADV_DONTNEED));
  CHECK_EQ(p[0], 1);
  CHECK_EQ(p[PAGE], 0);
  CHECK_EQ(p[2 * PAGE], 0);
  CHECK_EQ(p[3 * PAGE], 1);
  OK(madvise(p, 8 * PAGE, MADV_WILLNEED));
  OK(madvise(p, 8 * PAGE, MADV_RANDOM));
  OK(madvise(p, 8 * PAGE, MADV_NORMAL));
  OK(madvise(p, 8 * PAGE, MADV_FREE));
  OK(madvise(p, 8 * PAGE, MADV_DONTFORK));
  CHECK_EQ(child_result(SPAWN({ *(volatile char *)p = 1; })), 256 + SIGSEGV);
  OK(madvise(p, 8 * PAGE, MADV_DOFORK));
  CHECK_EQ(child_result(SPAWN({ *(volatile char *)p = 1; })), 0);
  p[0] = 1;
  OK(madvise(p, PAGE, MADV_WIPEONFORK));
  CHILD { CHECK_EQ(p[0], 0); }
  CHECK_EQ(p[0], 1);
  CHECK_ERR(madvise(p + 1, PAGE, MADV_NORMAL), EINVAL);
  CHECK_ERR(madvise(p, PAGE, 12345), EINVAL);
  OK(munmap(p + PAGE, PAGE));
  CHECK_ERR(madvise(p, 3 * PAGE, MADV_DONTNEED), ENOMEM);
  OK(munmap(p, 8 * PAGE));
  // On a file it brings the file's content back.
  put_file("adv", "file text");
  int fd = OK(open("adv", O_RDONLY));
  p = OK(mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0));
  p[0] = 'F';
  OK(madvise(p, PAGE, MADV_DONTNEED));
  CHECK_EQ(p[0], 'f');
  OK(munmap(p, PAGE));
  OK(close(fd));
}

SUBTEST(remove_from_shared) {
  int fd = OK(memfd_create("hole", 0));
  OK(ftruncate(fd, 4 * PAGE));
  char *p = OK(mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0));
  memset(p, 2, 4 * PAGE);
  OK(madvise(p + PAGE, PAGE, MADV_REMOVE));
  CHECK_EQ(p[PAGE], 0);
  CHECK_EQ(p[2 * PAGE], 2);
  OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * PAGE, PAGE));
  CHECK_EQ(p[2 * PAGE], 0);
  CHECK_EQ(p[3 * PAGE], 2);
  // A shared mapping keeps its content over MADV_DONTNEED.
  OK(madvise(p, 4 * PAGE, MADV_DONTNEED));
  CHECK_EQ(p[0], 2);
  OK(munmap(p, 4 * PAGE));
  OK(close(fd));
}

SUBTEST(sync_and_residency) {
  char *p = map(4);
  unsigned char vec[4];
  p[0] = 1;
  p[2 * PAGE] = 1;
  OK(mincore(p, 4 * PAGE, vec));
  CHECK_EQ(vec[0] & 1, 1);
  CHECK_EQ(vec[2] & 1, 1);
  CHECK_ERR(mincore(p + 1, PAGE, vec), EINVAL);
  OK(msync(p, 4 * PAGE, MS_ASYNC));
  CHECK_ERR(msync(p, PAGE, MS_ASYNC | MS_SYNC), EINVAL);
  CHECK_ERR(msync(p, PAGE, 0x80), EINVAL);
  CHECK_ERR(msync(p + 1, PAGE, MS_SYNC), EINVAL);
  OK(munmap(p + PAGE, PAGE));
  CHECK_ERR(msync(p, 4 * PAGE, MS_SYNC), ENOMEM);
  CHECK_ERR(mincore(p, 4 * PAGE, vec), ENOMEM);
  OK(munmap(p, 4 * PAGE));
}

SUBTEST_FORK(locking) {
  char *p = map(4);
  OK(mlock(p, 2 * PAGE));
  OK(munlock(p, 2 * PAGE));
  OK(mlock2(p, PAGE, 1 /* MLOCK_ONFAULT */));
  CHECK_ERR(mlock2(p, PAGE, 0x80), EINVAL);
  OK(munmap(p + PAGE, PAGE));
  CHECK_ERR(mlock(p, 4 * PAGE), ENOMEM);
  CHECK_ERR(mlockall(0), EINVAL);
  OK(munlockall());
  char *q = OK(mmap(NULL, PAGE, RW, ANON | MAP_LOCKED | MAP_POPULATE, -1, 0));
  CHECK_EQ(q[0], 0);
}

static void *grow_probe(void *arg) { return arg; }

SUBTEST_FORK(grows_down) {
  // A free area of 64 pages, with a growing mapping in its top page.
  char *area = map(320);
  OK(munmap(area, 320 * PAGE));
  char *top = OK(mmap(area + 319 * PAGE, PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0));
  top[0] = 1;
  for (int i = 1; i <= 20; i++) {
    *(volatile char *)(top - i * PAGE + 100) = i;
    CHECK_EQ(*(volatile char *)(top - i * PAGE), 0);
  }
  CHECK_EQ(top[0], 1);
  pthread_t t;
  OK0(pthread_create(&t, NULL, grow_probe, NULL));
  OK0(pthread_join(t, NULL));
}

SUBTEST_FORK(stack_grows) {
  volatile char *big = __builtin_alloca(3 << 20);
  for (size_t i = 3 << 20; i > 0; i -= PAGE) big[i - 1] = 1;
  CHECK_EQ(big[(3 << 20) - 1], 1);
}

SUBTEST_FORK(address_space_limit) {
  struct rlimit limit = {256 << 20, 256 << 20};
  OK(setrlimit(RLIMIT_AS, &limit));
  CHECK_ERR(mmap(NULL, 512 << 20, RW, ANON, -1, 0), ENOMEM);
  char *p = OK(mmap(NULL, 16 << 20, RW, ANON, -1, 0));
  CHECK_ERR(mremap(p, 16 << 20, 512 << 20, MREMAP_MAYMOVE), ENOMEM);
  OK(munmap(p, 16 << 20));
  CHECK(malloc(400 << 20) == NULL);
}

SUBTEST_FORK(data_limit) {
  struct rlimit limit = {16 << 20, 16 << 20};
  OK(setrlimit(RLIMIT_DATA, &limit));
  char *start = (char *)syscall(SYS_brk, 0);
  CHECK((char *)syscall(SYS_brk, start + (64 << 20)) == start);
  CHECK_ERR(mmap(NULL, 64 << 20, RW, ANON, -1, 0), ENOMEM);
  OK(mmap(NULL, 64 << 20, PROT_READ, ANON, -1, 0));
}

SUBTEST(reserve_much) {
  // A large reservation costs nothing until it is touched.
  size_t size = 64UL << 30;
  char *p = OK(mmap(NULL, size, PROT_NONE, ANON | MAP_NORESERVE, -1, 0));
  OK(mprotect(p + (32UL << 30), PAGE, RW));
  p[32UL << 30] = 1;
  CHECK_EQ(reads(p), SIGSEGV);
  OK(munmap(p, size));
}

SUBTEST(many_mappings) {
  // Alternating protections keep 1000 areas apart; making them equal joins them again.
  char *p = map(2000);
  // Written before they part: areas that took their first page fault apart need not join on Linux.
  for (int i = 1; i < 2000; i += 2) p[i * PAGE] = i;
  for (int i = 0; i < 2000; i += 2) OK(mprotect(p + i * PAGE, PAGE, PROT_READ));
  OK(mprotect(p, 2000 * PAGE, RW));
  for (int i = 0; i < 2000; i++) CHECK_EQ(p[i * PAGE], i % 2 ? (char)i : 0);
  char line[512], *start = NULL;
  unsigned long from, to;
  FILE *maps = fopen("/proc/self/maps", "r");
  CHECK(maps != NULL);
  while (fgets(line, sizeof line, maps))
    if (sscanf(line, "%lx-%lx", &from, &to) == 2 && from <= (unsigned long)p && to >= (unsigned long)p + 2000 * PAGE)
      start = p;
  fclose(maps);
  CHECK(start == p);
  OK(munmap(p, 2000 * PAGE));
}

SUBTEST(unmapped_while_a_thread_lives) {
  for (int i = 0; i < 200; i++) {
    char *p = map(16);
    p[0] = p[15 * PAGE] = 1;
    OK(munmap(p, 16 * PAGE));
  }
}

SUBTEST(process_vm) {
  char *shared = OK(mmap(NULL, PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  char *own = map(1), buf[8] = {0};
  strcpy(own, "parent");
  struct gate go = gate_make(), done = gate_make();
  pid_t pid = SPAWN({
    strcpy(own, "child!");
    gate_signal(done);
    gate_wait(go);
    CHECK_STR(own, "poked!");
  });
  gate_wait(done);
  struct iovec {
    void *base;
    size_t len;
  } local = {buf, 7}, remote = {own, 7};
  CHECK_EQ(OK(syscall(SYS_process_vm_readv, pid, &local, 1, &remote, 1, 0)), 7);
  CHECK_STR(buf, "child!");
  strcpy(buf, "poked!");
  CHECK_EQ(OK(syscall(SYS_process_vm_writev, pid, &local, 1, &remote, 1, 0)), 7);
  CHECK_STR(own, "parent");
  remote.base = (void *)8;
  CHECK_ERR(syscall(SYS_process_vm_readv, pid, &local, 1, &remote, 1, 0), EFAULT);
  CHECK_ERR(syscall(SYS_process_vm_readv, 0x3ffffff, &local, 1, &remote, 1, 0), ESRCH);
  gate_signal(go);
  CHILD_DONE(pid);
  OK(munmap(shared, PAGE));
}
