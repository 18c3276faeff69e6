// null(4), zero(4), full(4), random(4), the standard links and folders of /dev.
#include "check.h"
#include <sys/random.h>
#include <sys/sysmacros.h>
#include <sys/ioctl.h>
#include <linux/random.h>

static int dev(const char *path, int major_, int minor_) {
  struct stat st;
  OK(stat(path, &st));
  CHECK(S_ISCHR(st.st_mode));
  CHECK_EQ(major(st.st_rdev), major_);
  CHECK_EQ(minor(st.st_rdev), minor_);
  CHECK_EQ(st.st_mode & 0666, 0666);
  return OK(open(path, O_RDWR));
}

SUBTEST_FORK(null) {
  char buf[8];
  int fd = dev("/dev/null", 1, 3);
  CHECK_EQ(OK(read(fd, buf, 8)), 0);
  CHECK_EQ(OK(write(fd, buf, 8)), 8);
  CHECK_EQ(OK(lseek(fd, 100, SEEK_SET)), 0);
  CHECK_ERR(ftruncate(fd, 0), EINVAL);
  OK(close(OK(open("/dev/null", O_WRONLY | O_TRUNC | O_CREAT, 0644))));
  CHECK_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0), ENODEV);
}

SUBTEST_FORK(zero) {
  char buf[5000];
  int fd = dev("/dev/zero", 1, 5);
  memset(buf, 1, sizeof buf);
  CHECK_EQ(OK(read(fd, buf, sizeof buf)), sizeof buf);
  for (size_t i = 0; i < sizeof buf; i++) CHECK_EQ(buf[i], 0);
  CHECK_EQ(OK(write(fd, buf, 8)), 8);
  char *p = OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
  CHECK_EQ(p[5], 0);
  p[5] = 1;
}

SUBTEST_FORK(full) {
  char buf[8];
  int fd = dev("/dev/full", 1, 7);
  CHECK_ERR(write(fd, buf, 8), ENOSPC);
  CHECK_EQ(OK(read(fd, buf, 8)), 8);
}

static bool looks_random(const unsigned char *p, int n) {
  int counts[256] = {0}, different = 0;
  for (int i = 0; i < n; i++)
    if (counts[p[i]]++ == 0) different++;
  return different > 100;
}

SUBTEST_FORK(randomness) {
  unsigned char a[256], b[256];
  int fd = dev("/dev/urandom", 1, 9), bits;
  CHECK_EQ(OK(read(fd, a, 256)), 256);
  CHECK_EQ(OK(read(fd, b, 256)), 256);
  CHECK(looks_random(a, 256) && memcmp(a, b, 256) != 0);
  OK(ioctl(fd, RNDGETENTCNT, &bits));
  CHECK_EQ(OK(write(fd, "seed", 4)), 4);
  fd = dev("/dev/random", 1, 8);
  CHECK_EQ(OK(read(fd, a, 32)), 32);
  CHECK_EQ(OK(getrandom(a, 256, 0)), 256);
  CHECK(looks_random(a, 256));
  CHECK_EQ(OK(getrandom(a, 16, GRND_RANDOM | GRND_NONBLOCK)), 16);
  CHECK_ERR(getrandom(a, 16, 0x80), EINVAL);
  CHECK_ERR(getrandom((void *)8, 16, 0), EFAULT);
  CHILD { CHECK_EQ(OK(getrandom(b, 256, 0)), 256); }
}

SUBTEST_FORK(links_and_folders) {
  const char *links[][2] = {{"/dev/fd", "/proc/self/fd"},
                            {"/dev/stdin", "/proc/self/fd/0"},
                            {"/dev/stdout", "/proc/self/fd/1"},
                            {"/dev/stderr", "/proc/self/fd/2"}};
  for (size_t i = 0; i < COUNT(links); i++) {
    char text[64];
    ssize_t n = OK(readlink(links[i][0], text, sizeof text - 1));
    text[n] = 0;
    CHECK_STR(text, links[i][1]);
  }
  struct stat st;
  OK(stat("/dev/shm", &st));
  CHECK(S_ISDIR(st.st_mode) && (st.st_mode & 01777) == 01777);
  OK(stat("/dev/pts", &st));
  CHECK(S_ISDIR(st.st_mode));
  OK(access("/dev/ptmx", R_OK | W_OK));
  OK(access("/dev/tty", F_OK));
  CHECK_ERR(open("/dev/no-such-device", O_RDWR), ENOENT);
}

SUBTEST_FORK(shared_memory_folder) {
  char name[64];
  snprintf(name, sizeof name, "/vedette-%d", getpid());
  int fd = OK(shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600));
  OK(ftruncate(fd, PAGE));
  char *p = OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  CHILD {
    int other = OK(shm_open(name, O_RDWR, 0));
    char *q = OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, other, 0));
    strcpy(q, "shared");
  }
  CHECK_STR(p, "shared");
  OK(shm_unlink(name));
  CHECK_ERR(shm_open(name, O_RDWR, 0), ENOENT);
}
