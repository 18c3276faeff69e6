// Calls that ask for as much work as one call can: `long_calls NAME` makes one of them. What the kernel does for it must
// come in pieces (long_calls.test.ts). Exits 0 when the call did what it should.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MIB (1L << 20)
#define BIG (256 * MIB)
#define OK(cond)                                 \
  do {                                           \
    if (!(cond)) {                               \
      fprintf(stderr, "%d: %s\n", __LINE__, #cond); \
      perror("errno");                           \
      exit(1);                                   \
    }                                            \
  } while (0)

static char *memory(long size, int flags) {
  char *p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
  OK(p != MAP_FAILED);
  return p;
}

static int file(void) {
  int fd = open("/tmp/long_file", O_CREAT | O_RDWR | O_TRUNC, 0600);
  OK(fd >= 0);
  return fd;
}

static void get_random(void) { OK(getrandom(memory(32 * MIB, 0), 32 * MIB, 0) == 32 * MIB); }

static void populate(void) {
  char *p = memory(BIG, MAP_POPULATE);
  for (long i = 0; i < BIG; i += 4096) OK(p[i] == 0);
}

static void populate_shared(void) {
  int fd = memfd_create("long", 0);
  OK(ftruncate(fd, BIG) == 0);
  OK(mmap(0, BIG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0) != MAP_FAILED);
}

static void lock_memory(void) {
  char *p = memory(BIG, 0);
  OK(mlock(p, BIG) == 0);
  OK(munlock(p, BIG) == 0);
  OK(mlockall(MCL_CURRENT) == 0);
}

static void unmap(void) { OK(munmap(memory(BIG, MAP_POPULATE), BIG) == 0); }

static void not_needed(void) {
  char *p = memory(BIG, MAP_POPULATE);
  p[BIG - 1] = 1;
  OK(madvise(p, BIG, MADV_DONTNEED) == 0);
  OK(p[BIG - 1] == 0);
}

static void exit_with_memory(void) {
  if (fork() == 0) {
    memory(BIG, MAP_POPULATE);
    _exit(0);
  }
  int status;
  OK(wait(&status) > 0 && status == 0);
}

static void read_and_write(void) {
  char *p = memory(BIG, MAP_POPULATE);
  for (long i = 0; i < BIG; i += 4096) memcpy(p + i, &i, sizeof i);
  int fd = file();
  OK(write(fd, p, BIG) == BIG);
  memset(p, 0, BIG);
  struct iovec parts[2] = {{p, 100 * MIB + 7}, {p + 100 * MIB + 7, BIG - 100 * MIB - 7}};
  OK(preadv(fd, parts, 2, 0) == BIG);
  for (long i = 0; i < BIG; i += 4096) OK(memcmp(p + i, &i, sizeof i) == 0);
  OK(pwritev(fd, parts, 2, 5) == BIG);
  long value;
  OK(pread(fd, &value, sizeof value, 5 + BIG - 4096) == sizeof value && value == BIG - 4096);
  OK(ftruncate(fd, 0) == 0);
  OK(unlink("/tmp/long_file") == 0);
}

static void zeros(void) {
  int fd = open("/dev/zero", O_RDONLY);
  OK(read(fd, memory(BIG, 0), BIG) == BIG);
}

static void copies(void) {
  int from = file(), to = memfd_create("long", 0);
  char *p = memory(BIG, MAP_POPULATE);
  p[BIG - 1] = 42;
  OK(write(from, p, BIG) == BIG);
  off_t at = 0;
  OK(sendfile(to, from, &at, BIG) == BIG && at == BIG);
  char last = 0;
  OK(pread(to, &last, 1, BIG - 1) == 1 && last == 42);
  int other = open("/tmp/long_file2", O_CREAT | O_RDWR, 0600);
  loff_t a = 0, b = 0;
  OK(copy_file_range(from, &a, other, &b, BIG, 0) == BIG && a == BIG && b == BIG);
  OK(pread(other, &last, 1, BIG - 1) == 1 && last == 42);
  unlink("/tmp/long_file2");
  unlink("/tmp/long_file");
}

static void remote_memory(void) {
  char *p = memory(BIG, MAP_POPULATE), *q = memory(BIG, 0);
  p[BIG - 1] = 42;
  struct iovec here = {q, BIG}, there[2] = {{p, BIG / 2 + 3}, {p + BIG / 2 + 3, BIG / 2 - 3}};
  OK(process_vm_readv(getpid(), &here, 1, there, 2, 0) == BIG && q[BIG - 1] == 42);
}

static void resident(void) {
  unsigned char *out = malloc(1 << 18);
  char *p = memory(1024 * MIB, 0);
  p[1024 * MIB - 1] = 1;
  OK(mincore(p, 1024 * MIB, out) == 0 && out[0] == 0 && out[(1 << 18) - 1] == 1);
}

static void semaphore_sets(void) {
  int n = 0;
  while (semget(IPC_PRIVATE, 1, 0600) >= 0) n++;
  OK(n > 1000);
}

static void record_locks(void) {
  int fd = file();
  for (long i = 0; i < 20000; i++) {
    struct flock l = {F_WRLCK, SEEK_SET, i * 2, 1, 0};
    OK(fcntl(fd, F_SETLK, &l) == 0);
  }
  char text[65536];
  int locks = open("/proc/locks", O_RDONLY);
  while (read(locks, text, sizeof text) > 0) {
  }
}

static void many_mappings(void) {
  char *p = memory(BIG, 0), text[65536];
  for (int i = 0; i < 15000; i++) OK(mprotect(p + i * 8192L, 4096, PROT_READ) == 0);
  const char *names[] = {"/proc/self/maps", "/proc/self/smaps", "/proc/self/smaps_rollup"};
  for (int i = 0; i < 3; i++) {
    int fd = open(names[i], O_RDONLY);
    long total = 0, n;
    while ((n = read(fd, text, sizeof text)) > 0) total += n;
    OK(n == 0 && total > 100);
    // A place far behind what was read.
    close(fd);
    fd = open(names[i], O_RDONLY);
    OK(pread(fd, text, 10, total - 10) == 10);
  }
}

static void filters(void) {
  static struct sock_filter code[4096];
  for (int i = 0; i < 4095; i++) code[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16);
  code[4095] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog program = {4096, code};
  OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  for (int i = 0; i < 5; i++) OK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
  for (int i = 0; i < 200; i++) syscall(SYS_getppid, i);
}

static void large_folder(void) {
  OK(mkdir("/tmp/longdir", 0700) == 0 && chdir("/tmp/longdir") == 0);
  char name[32];
  for (int i = 0; i < 20000; i++) {
    snprintf(name, sizeof name, "%d", i);
    close(open(name, O_CREAT, 0600));
  }
  int fd = open(".", O_RDONLY), entries = 0;
  static char buffer[1 << 22];
  for (long n; (n = syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0;)
    for (long at = 0; at < n; at += *(unsigned short *)(buffer + at + 16)) entries++;
  OK(entries == 20002);
}

// More than two leaves of the page table and a slice; each MiB tells where it is.
static char *much(long size) {
  char *p = memory(size, MAP_POPULATE);
  for (long i = 0; i < size; i += MIB) memcpy(p + i, &i, sizeof i);
  return p;
}

static void check_much(char *p, long size) {
  for (long i = 0; i < size; i += MIB) OK(memcmp(p + i, &i, sizeof i) == 0);
}

static void forks(void) {
  char *p = much(640 * MIB);
  int status;
  if (fork() == 0) {
    check_much(p, 640 * MIB);
    _exit(0);
  }
  OK(wait(&status) > 0 && status == 0);
  for (long i = 0; i < 640 * MIB; i += MIB) p[i + 4096] = 1;
  check_much(p, 640 * MIB);
}

static void fork_mappings(void) {
  char *p = memory(BIG, 0);
  for (int i = 0; i < 30000; i++) {
    // Those with pages are mappings of the host too.
    if (i >= 27000) p[i * 8192L] = 1;
    OK(mprotect(p + i * 8192L, 4096, PROT_READ) == 0);
  }
  int status;
  if (fork() == 0) _exit(p[29999 * 8192L] - 1);
  OK(wait(&status) > 0 && status == 0);
  OK(mprotect(p, BIG, PROT_READ) == 0);
  OK(munmap(p, BIG) == 0);
}

static void protect(void) {
  char *p = much(640 * MIB);
  OK(mprotect(p, 640 * MIB, PROT_READ) == 0);
  check_much(p, 640 * MIB);
  OK(mprotect(p, 640 * MIB, PROT_READ | PROT_WRITE) == 0);
  p[640 * MIB - 1] = 1;
  OK(mprotect(p, 640 * MIB, PROT_NONE) == 0);
}

static void move(void) {
  const long size = 640 * MIB;
  char *p = much(size), *place = mmap(0, 3 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  OK(place != MAP_FAILED);
  // Where leaves stay leaves, and where they do not.
  char *to = (char *)(((unsigned long)place + size + 4 * MIB) & -(2 * MIB)) + ((unsigned long)p & (2 * MIB - 1));
  OK(mremap(p, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
  check_much(to, size);
  char *odd = to - size - 4096 * 3;
  OK(mremap(to, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, odd) == odd);
  check_much(odd, size);
}

static void replace(void) {
  char *p = much(512 * MIB);
  OK(mmap(p, 512 * MIB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p);
  OK(p[0] == 0);
  OK(mmap(p, 512 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE, -1, 0) == p);
  OK(munmap(p, 512 * MIB) == 0);
  p = sbrk(512 * MIB);
  for (long i = 0; i < 512 * MIB; i += 4096) p[i] = 1;
  OK(sbrk(-512 * MIB) != (void *)-1);
}

static void allocate(void) {
  int fd = memfd_create("long", 0);
  OK(fallocate(fd, 0, 0, 900 * MIB) == 0);
  OK(lseek(fd, 0, SEEK_END) == 900 * MIB);
  struct stat st;
  OK(fstat(fd, &st) == 0 && st.st_blocks == 900 * MIB / 512);
  OK(fallocate(fd, FALLOC_FL_ZERO_RANGE, 4096, 900 * MIB - 4096) == 0);
  OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 900 * MIB) == 0);
  OK(fstat(fd, &st) == 0 && st.st_blocks == 0);
}

// A file of a size that is mapped, and shrinks.
static void shrink(void) {
  int fd = memfd_create("long", 0);
  OK(ftruncate(fd, 448 * MIB) == 0);
  char *p = mmap(0, 448 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  OK(p != MAP_FAILED);
  p[448 * MIB - 1] = 1;
  OK(ftruncate(fd, 0) == 0);
}

static void arguments(void) {
  struct rlimit big = {64 * MIB, 64 * MIB};
  OK(setrlimit(RLIMIT_STACK, &big) == 0);
  // What is allowed in short strings, and in long ones.
  static char *many[390001], *few[60];
  int n = 0;
  many[n++] = "/proc/self/exe";
  many[n++] = "arguments_seen";
  while (n < 390000) many[n++] = "1234567";
  static char text[100000];
  memset(text, 'x', sizeof text - 1);
  few[0] = many[0];
  few[1] = many[1];
  for (int i = 2; i < 59; i++) few[i] = text;
  char **kinds[] = {many, few};
  for (int i = 0; i < 2; i++) {
    int status;
    pid_t child = vfork();
    if (child == 0) {
      execv(many[0], kinds[i]);
      _exit(1);
    }
    OK(waitpid(child, &status, 0) == child && status == 0);
  }
}

static void mounts(void) {
  if (geteuid() != 0) return;
  OK(mkdir("/tmp/long_mounts", 0700) == 0);
  OK(mount("none", "/tmp/long_mounts", "tmpfs", 0, 0) == 0);
  char name[64];
  for (int i = 0; i < 4900; i++) {
    snprintf(name, sizeof name, "/tmp/long_mounts/%d", i);
    OK(mkdir(name, 0700) == 0);
    OK(mount("/tmp/long_mounts/0", name, 0, MS_BIND, 0) == 0);
  }
  OK(mkdir("/tmp/long_mounts2", 0700) == 0);
  OK(mount("/tmp/long_mounts", "/tmp/long_mounts2", 0, MS_BIND | MS_REC, 0) == 0);
  OK(umount2("/tmp/long_mounts2", MNT_DETACH) == 0);
}

/** Natively: prints what the first touch of a page of shared memory costs on this machine at this moment, in ns. */
static void touch(void) {
  int fd = memfd_create("long", 0);
  OK(ftruncate(fd, 16 * MIB) == 0);
  char *p = mmap(0, 16 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  struct timespec from, to;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
  for (long i = 0; i < 16 * MIB; i += 4096) p[i] = 1;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
  printf("%ld\n", ((to.tv_sec - from.tv_sec) * 1000000000L + to.tv_nsec - from.tv_nsec) / (16 * MIB / 4096));
}

static const struct {
  const char *name;
  void (*run)(void);
} cases[] = {
    {"get_random", get_random},       {"populate", populate},
    {"populate_shared", populate_shared}, {"lock_memory", lock_memory},
    {"unmap", unmap},                 {"not_needed", not_needed},
    {"exit_with_memory", exit_with_memory}, {"read_and_write", read_and_write},
    {"zeros", zeros},                 {"copies", copies},
    {"remote_memory", remote_memory}, {"resident", resident},
    {"semaphore_sets", semaphore_sets}, {"record_locks", record_locks},
    {"many_mappings", many_mappings}, {"filters", filters},
    {"large_folder", large_folder},   {"forks", forks},
    {"fork_mappings", fork_mappings}, {"protect", protect},
    {"move", move},                   {"replace", replace},
    {"allocate", allocate},           {"shrink", shrink},
    {"arguments", arguments},         {"mounts", mounts},
};

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "touch") == 0) {
    touch();
    return 0;
  }
  if (argc > 1 && strcmp(argv[1], "arguments_seen") == 0) return argc < 50 || strlen(argv[argc - 1]) < 7;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    if (argc < 2) puts(cases[i].name);
    else if (strcmp(argv[1], cases[i].name) == 0) {
      cases[i].run();
      return 0;
    }
  }
  return argc < 2 ? 0 : 2;
}
