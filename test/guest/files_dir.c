// getdents64(2), readdir(3), telldir(3): small, large and deep folders, and folders that change while they are read.
#include "check.h"
#include <ftw.h>

static int count_entries(const char *path) {
  DIR *d = opendir(path);
  CHECK(d != NULL);
  int n = 0;
  errno = 0;
  for (struct dirent *e; (e = readdir(d)) != NULL;) n++;
  CHECK_EQ(errno, 0);
  closedir(d);
  return n;
}

SUBTEST(empty_folder) {
  OK(mkdir("e", 0755));
  DIR *d = opendir("e");
  bool dot = false, dotdot = false;
  struct stat self, up;
  OK(stat("e", &self));
  OK(stat(".", &up));
  for (struct dirent *e; (e = readdir(d)) != NULL;) {
    CHECK_EQ(e->d_type, DT_DIR);
    if (strcmp(e->d_name, ".") == 0) dot = e->d_ino == self.st_ino;
    if (strcmp(e->d_name, "..") == 0) dotdot = e->d_ino == up.st_ino;
  }
  CHECK(dot && dotdot);
  closedir(d);
}

SUBTEST(types) {
  OK(mkdir("t", 0755));
  OK(mkdir("t/dir", 0755));
  put_file("t/file", "");
  OK(symlink("file", "t/link"));
  OK(mkfifo("t/fifo", 0644));
  DIR *d = opendir("t");
  int seen = 0;
  for (struct dirent *e; (e = readdir(d)) != NULL;) {
    char path[300];
    struct stat st;
    snprintf(path, sizeof path, "t/%s", e->d_name);
    OK(lstat(path, &st));
    CHECK_EQ(e->d_type, IFTODT(st.st_mode));
    if (strcmp(e->d_name, "..") != 0) CHECK_EQ(e->d_ino, st.st_ino);
    seen++;
  }
  CHECK_EQ(seen, 6);
  closedir(d);
}

SUBTEST(raw_records) {
  char buf[1024] __attribute__((aligned(8)));
  OK(mkdir("r", 0755));
  for (int i = 0; i < 100; i++) {
    char name[64];
    snprintf(name, sizeof name, "r/file-with-a-rather-long-name-%d", i);
    put_file(name, "");
  }
  int fd = OK(open("r", O_RDONLY | O_DIRECTORY)), total = 0, calls = 0;
  for (ssize_t n; (n = OK(getdents64(fd, buf, sizeof buf))) > 0; calls++)
    for (ssize_t at = 0; at < n;) {
      struct dirent64 *e = (void *)(buf + at);
      CHECK(e->d_reclen % 8 == 0 && e->d_reclen >= 24 && at + e->d_reclen <= n);
      CHECK(strlen(e->d_name) < e->d_reclen - 19u);
      at += e->d_reclen;
      total++;
    }
  CHECK_EQ(total, 102);
  CHECK(calls >= 5);
  CHECK_EQ(OK(getdents64(fd, buf, sizeof buf)), 0);
  OK(lseek(fd, 0, SEEK_SET));
  CHECK_ERR(getdents64(fd, buf, 10), EINVAL);
  CHECK(OK(getdents64(fd, buf, sizeof buf)) > 0);
  OK(close(fd));
  fd = OK(open("r/file-with-a-rather-long-name-1", O_RDONLY));
  CHECK_ERR(getdents64(fd, buf, sizeof buf), ENOTDIR);
  OK(close(fd));
  CHECK_ERR(getdents64(fd, buf, sizeof buf), EBADF);
  fd = OK(open("r", O_RDONLY));
  CHECK_ERR(read(fd, buf, 10), EISDIR);
  OK(close(fd));
}

static void many_in(const char *dir) {
  char name[128];
  enum { N = 3000 };
  static char seen[N];
  memset(seen, 0, sizeof seen);
  OK(mkdir(dir, 0755));
  for (int i = 0; i < N; i++) {
    snprintf(name, sizeof name, "%s/%d", dir, i);
    OK(close(OK(open(name, O_WRONLY | O_CREAT | O_EXCL, 0644))));
  }
  DIR *d = opendir(dir);
  for (struct dirent *e; (e = readdir(d)) != NULL;)
    if (e->d_name[0] != '.') {
      CHECK(!seen[atoi(e->d_name)]);
      seen[atoi(e->d_name)] = 1;
    }
  for (int i = 0; i < N; i++) CHECK(seen[i]);
  rewinddir(d);
  int n = 0;
  while (readdir(d)) n++;
  CHECK_EQ(n, N + 2);
  closedir(d);
  for (int i = 0; i < N; i++) {
    snprintf(name, sizeof name, "%s/%d", dir, i);
    OK(unlink(name));
  }
  OK(rmdir(dir));
}

SUBTEST(many_entries) { many_in("many"); }
SUBTEST(many_entries_tmpfs) {
  char dir[64];
  snprintf(dir, sizeof dir, "/dev/shm/vedette-dir-%d", getpid());
  many_in(dir);
}

SUBTEST(tell_and_seek) {
  char name[64], names[52][16];
  long places[52];
  OK(mkdir("ts", 0755));
  for (int i = 0; i < 50; i++) {
    snprintf(name, sizeof name, "ts/%d", i);
    put_file(name, "");
  }
  DIR *d = opendir("ts");
  int n = 0;
  for (;; n++) {
    places[n] = telldir(d);
    struct dirent *e = readdir(d);
    if (e == NULL) break;
    strcpy(names[n], e->d_name);
  }
  CHECK_EQ(n, 52);
  for (int i = 51; i >= 0; i -= 7) {
    seekdir(d, places[i]);
    struct dirent *e = readdir(d);
    CHECK(e != NULL);
    CHECK_STR(e->d_name, names[i]);
  }
  closedir(d);
}

SUBTEST(remove_while_reading) {
  char name[300];
  OK(mkdir("rm", 0755));
  for (int i = 0; i < 500; i++) {
    snprintf(name, sizeof name, "rm/%d", i);
    put_file(name, "");
  }
  DIR *d = opendir("rm");
  int removed = 0;
  for (struct dirent *e; (e = readdir(d)) != NULL;)
    if (e->d_name[0] != '.') {
      OK(unlinkat(dirfd(d), e->d_name, 0));
      removed++;
    }
  CHECK_EQ(removed, 500);
  closedir(d);
  CHECK_EQ(count_entries("rm"), 2);
  OK(rmdir("rm"));
}

SUBTEST(fork_shares_position) {
  OK(mkdir("fs", 0755));
  for (int i = 0; i < 40; i++) {
    char name[64];
    snprintf(name, sizeof name, "fs/a-name-that-needs-some-room-%d", i);
    put_file(name, "");
  }
  char buf[400];
  int fd = OK(open("fs", O_RDONLY));
  ssize_t total = 0;
  CHILD { CHECK(OK(getdents64(fd, buf, sizeof buf)) > 0); }
  int names = 0;
  for (ssize_t n; (n = OK(getdents64(fd, buf, sizeof buf))) > 0; total += n)
    for (ssize_t at = 0; at < n; at += ((struct dirent64 *)(buf + at))->d_reclen) names++;
  CHECK(names > 20 && names < 42);
  OK(close(fd));
}

static int walked;
static int on_node(const char *path, const struct stat *st, int type, struct FTW *ftw) {
  (void)path;
  (void)st;
  (void)type;
  (void)ftw;
  walked++;
  return 0;
}

SUBTEST(deep_tree) {
  char path[2000] = "dt";
  OK(mkdir(path, 0755));
  for (int i = 0; i < 200; i++) {
    strcat(path, "/d");
    OK(mkdir(path, 0755));
  }
  strcat(path, "/leaf");
  put_file(path, "leaf");
  CHECK_STR(get_file(path), "leaf");
  walked = 0;
  OK(nftw("dt", on_node, 16, FTW_PHYS | FTW_DEPTH));
  CHECK_EQ(walked, 202);
}

SUBTEST(wide_and_deep_tree) {
  OK(mkdir("wd", 0755));
  char path[200];
  for (int a = 0; a < 8; a++) {
    snprintf(path, sizeof path, "wd/%d", a);
    OK(mkdir(path, 0755));
    for (int b = 0; b < 8; b++) {
      snprintf(path, sizeof path, "wd/%d/%d", a, b);
      OK(mkdir(path, 0755));
      for (int c = 0; c < 8; c++) {
        snprintf(path, sizeof path, "wd/%d/%d/%d", a, b, c);
        put_file(path, "x");
      }
    }
  }
  walked = 0;
  OK(nftw("wd", on_node, 16, FTW_PHYS));
  CHECK_EQ(walked, 1 + 8 + 64 + 512);
}

SUBTEST(virtual_folders) {
  CHECK(count_entries("/proc/self/fd") >= 5);
  CHECK(count_entries("/dev") >= 8);
  CHECK(count_entries("/proc/self/task") == 3);
  bool self = false;
  DIR *d = opendir("/proc");
  for (struct dirent *e; (e = readdir(d)) != NULL;) self |= atoi(e->d_name) == getpid();
  closedir(d);
  CHECK(self);
}
