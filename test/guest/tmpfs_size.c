// tmpfs(5): `size=` holds for whatever takes a page: writes, mappings, long symbolic links. Needs root.
#include "check.h"
#include <sys/mount.h>
#include <sys/statfs.h>

#define PAGES 8

static void mounted(const char *options) {
  // A sandbox has one mount namespace, which is nobody else's.
  if (unshare(CLONE_NEWNS) == 0) OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  mkdir("m", 0755);
  OK(mount("none", "m", "tmpfs", 0, options));
  OK(chdir("m"));
}

static void unmounted(void) {
  OK(chdir(".."));
  OK(umount2("m", MNT_DETACH));
}

static long room(void) {
  struct statfs s;
  OK(statfs(".", &s));
  CHECK_EQ(s.f_blocks, PAGES);
  return s.f_bfree;
}

static long blocks(const char *path) {
  struct stat st;
  OK(lstat(path, &st));
  return st.st_blocks;
}

static sigjmp_buf out;
static siginfo_t got;
static void caught(int sig, siginfo_t *info, void *u) {
  (void)sig, (void)u;
  got = *info;
  siglongjmp(out, 1);
}

// Touches pages from the first on, writing or reading: how many before SIGBUS.
static int touch(volatile char *at, int pages, bool write) {
  struct sigaction act = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};
  OK(sigaction(SIGBUS, &act, NULL));
  volatile int i = 0;
  if (sigsetjmp(out, 1) == 0) {
    for (; i < pages; i++) {
      if (write) at[i * PAGE] = 'a' + i;
      else (void)at[i * PAGE];
    }
  } else {
    CHECK_EQ(got.si_code, BUS_ADRERR);
    CHECK(got.si_addr == at + i * PAGE);
  }
  signal(SIGBUS, SIG_DFL);
  return i;
}

static char *map(const char *path, int flags) {
  int fd = OK(open(path, O_RDWR | O_CREAT, 0644));
  OK(ftruncate(fd, 2 * PAGES * PAGE));
  char *at = mmap(NULL, 2 * PAGES * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
  CHECK(at != MAP_FAILED);
  OK(close(fd));
  return at;
}

SUBTEST_FORK(shared_mappings) {
  NEED_ROOT();
  mounted("size=32k");
  CHECK_EQ(room(), PAGES);
  char *at = map("f", MAP_SHARED);
  CHECK_EQ(room(), PAGES);
  CHECK_EQ(touch(at, 2 * PAGES, true), PAGES);
  CHECK_EQ(room(), 0);
  CHECK_EQ(blocks("f"), PAGES * 8);
  CHECK_EQ(touch(at, PAGES, true), PAGES);
  CHECK_EQ(touch(at, PAGES, false), PAGES);
  CHECK_EQ(touch(at + PAGES * PAGE, 1, false), 0);
  char *other = map("g", MAP_SHARED);
  CHECK_EQ(touch(other, 1, true), 0);
  CHECK_EQ(touch(other, 1, false), 0);
  // A child has the same pages, and no more.
  CHILD {
    CHECK_EQ(touch(at, PAGES + 1, true), PAGES);
  }
  // The kernel's own accesses fail where the program's would.
  int p[2];
  OK(pipe(p));
  CHECK(write(p[1], "xyz", 3) == 3);
  CHECK_ERR(read(p[0], other, 3), EFAULT);
  CHECK_ERR(madvise(other, PAGE, MADV_POPULATE_WRITE), EFAULT);
  int fd = OK(open("g", O_RDWR));
  CHECK_ERR(pwrite(fd, "x", 1, 0), ENOSPC);
  char zero = 1;
  CHECK_EQ(OK(pread(fd, &zero, 1, 0)), 1);
  CHECK_EQ(zero, 0);
  // What is given back is there for others.
  OK(truncate("f", 5 * PAGE));
  CHECK_EQ(room(), 3);
  CHECK_EQ(touch(other, PAGES, true), 3);
  CHECK_EQ(touch(at, PAGES, true), 5);
  OK(unlink("f"));
  CHECK_EQ(room(), 0);
  OK(munmap(at, 2 * PAGES * PAGE));
  CHECK_EQ(room(), 5);
  OK(munmap(other, 2 * PAGES * PAGE));
  CHECK_EQ(room(), 5);
  unmounted();
}

SUBTEST_FORK(private_mappings) {
  NEED_ROOT();
  mounted("size=32k");
  char *at = map("f", MAP_PRIVATE);
  // Even reading brings the file's page in.
  CHECK_EQ(touch(at, 2, false), 2);
  CHECK_EQ(room(), PAGES - 2);
  CHECK_EQ(touch(at, 2 * PAGES, true), PAGES);
  CHECK_EQ(room(), 0);
  CHECK_EQ(at[3 * PAGE], 'a' + 3);
  char *text = get_file("f");
  CHECK_EQ(text[3 * PAGE], 0);
  unmounted();
}

SUBTEST_FORK(writes) {
  NEED_ROOT();
  mounted("size=32k");
  static char data[(PAGES + 2) * PAGE];
  int fd = OK(open("f", O_RDWR | O_CREAT, 0644));
  CHECK_EQ(OK(pwrite(fd, data, 100, 3 * PAGE - 50)), 100);
  CHECK_EQ(room(), PAGES - 2);
  CHECK_EQ(OK(pwrite(fd, data, sizeof data, 0)), PAGES * PAGE);
  CHECK_ERR(pwrite(fd, data, 1, PAGES * PAGE), ENOSPC);
  CHECK_EQ(OK(pwrite(fd, data, sizeof data, 0)), PAGES * PAGE);
  CHECK_ERR(fallocate(fd, 0, PAGES * PAGE, 1), ENOSPC);
  OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * PAGE, 2 * PAGE));
  CHECK_EQ(room(), 2);
  CHECK_ERR(fallocate(fd, 0, PAGES * PAGE, 3 * PAGE), ENOSPC);
  CHECK_EQ(room(), 2);
  OK(fallocate(fd, 0, PAGES * PAGE, 2 * PAGE));
  CHECK_EQ(room(), 0);
  CHECK_ERR(mount(NULL, ".", NULL, MS_REMOUNT, "size=16k"), EINVAL);
  OK(mount(NULL, ".", NULL, MS_REMOUNT, "size=36k"));
  CHECK_EQ(OK(pwrite(fd, data, 1, 2 * PAGE)), 1);
  CHECK_ERR(pwrite(fd, data, 1, 3 * PAGE), ENOSPC);
  unmounted();
}

SUBTEST_FORK(symbolic_links) {
  NEED_ROOT();
  mounted("size=32k");
  char text[1000];
  memset(text, 'x', sizeof text);
  text[127] = 0;
  OK(symlink(text, "short"));
  CHECK_EQ(blocks("short"), 0);
  CHECK_EQ(room(), PAGES);
  text[127] = 'x', text[128] = 0;
  OK(symlink(text, "long"));
  CHECK_EQ(blocks("long"), 8);
  CHECK_EQ(room(), PAGES - 1);
  text[128] = 'x', text[999] = 0;
  for (int i = 1; i < PAGES; i++) {
    char name[20];
    snprintf(name, sizeof name, "l%d", i);
    OK(symlink(text, name));
  }
  CHECK_EQ(room(), 0);
  CHECK_ERR(symlink(text, "more"), ENOSPC);
  OK(symlink("short", "fits"));
  CHECK_EQ(touch(map("f", MAP_SHARED), 1, true), 0);
  OK(unlink("l1"));
  CHECK_EQ(room(), 1);
  OK(symlink(text, "more"));
  CHECK_ERR(symlink(text, "again"), ENOSPC);
  unmounted();
}
