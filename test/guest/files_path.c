// path_resolution(7), the *at(2) calls, openat2(2), links, renames, folders, chdir(2), chroot(2).
#include "check.h"
#include <linux/openat2.h>

static int openat2_(int at, const char *path, uint64_t flags, uint64_t resolve) {
  struct open_how how = {.flags = flags, .resolve = resolve};
  return syscall(SYS_openat2, at, path, &how, sizeof how);
}

SUBTEST(relative_to_fd) {
  OK(mkdir("r", 0755));
  int dir = OK(open("r", O_RDONLY | O_DIRECTORY));
  OK(close(OK(openat(dir, "f", O_RDWR | O_CREAT, 0644))));
  OK(access("r/f", F_OK));
  OK(faccessat(dir, "f", R_OK, 0));
  OK(mkdirat(dir, "sub", 0755));
  OK(symlinkat("f", dir, "link"));
  OK(linkat(dir, "f", dir, "hard", 0));
  OK(renameat(dir, "hard", dir, "hard2"));
  OK(unlinkat(dir, "hard2", 0));
  CHECK_ERR(unlinkat(dir, "sub", 0), EISDIR);
  CHECK_ERR(unlinkat(dir, "f", AT_REMOVEDIR), ENOTDIR);
  CHECK_ERR(unlinkat(dir, "f", 0x10000), EINVAL);
  OK(unlinkat(dir, "sub", AT_REMOVEDIR));
  CHECK_ERR(openat(999, "f", O_RDONLY), EBADF);
  int file = OK(openat(dir, "f", O_RDONLY));
  CHECK_ERR(openat(file, "x", O_RDONLY), ENOTDIR);
  OK(close(OK(openat(999, "/dev/null", O_RDONLY))));
  OK(close(file));
  OK(close(dir));
}

SUBTEST(dots_and_slashes) {
  OK(mkdir("ds", 0755));
  OK(mkdir("ds/e", 0755));
  put_file("ds/f", "x");
  OK(access("ds/./e/../f", F_OK));
  OK(access("ds//e//..////f", F_OK));
  OK(access("ds/e/", F_OK));
  CHECK_ERR(access("ds/f/.", F_OK), ENOTDIR);
  CHECK_ERR(access("ds/f/..", F_OK), ENOTDIR);
  OK(access("/../../../dev/null", F_OK));
  CHECK_ERR(access("ds/none/..", F_OK), ENOENT);
}

SUBTEST(symlinks) {
  char buf[64];
  OK(mkdir("sl", 0755));
  put_file("sl/f", "text");
  OK(symlink("sl/f", "to_f"));
  CHECK_EQ(OK(readlink("to_f", buf, sizeof buf)), 4);
  CHECK(memcmp(buf, "sl/f", 4) == 0);
  CHECK_EQ(OK(readlink("to_f", buf, 2)), 2);
  CHECK_ERR(readlink("to_f", buf, 0), EINVAL);
  CHECK_ERR(readlink("sl/f", buf, 10), EINVAL);
  CHECK_STR(get_file("to_f"), "text");
  OK(symlink("sl", "to_dir"));
  CHECK_STR(get_file("to_dir/f"), "text");
  CHECK_ERR(symlink("x", "to_f"), EEXIST);
  CHECK_ERR(symlink("", "empty"), ENOENT);
  // A trailing slash follows the last link.
  struct stat st;
  OK(lstat("to_dir", &st));
  CHECK(S_ISLNK(st.st_mode));
  CHECK_EQ(st.st_size, 2);
  OK(lstat("to_dir/", &st));
  CHECK(S_ISDIR(st.st_mode));
  OK(symlink("/dev", "abs"));
  OK(access("abs/null", F_OK));
  CHECK_ERR(rmdir("to_dir"), ENOTDIR);
  OK(unlink("to_dir"));
  OK(access("sl", F_OK));
  char raw[256];
  snprintf(raw, sizeof raw, "%s/sl/f", check_dir);
  OK(symlink(raw, "absf"));
  CHECK_STR(get_file("absf"), "text");
}

SUBTEST(loops) {
  OK(symlink("loop2", "loop1"));
  OK(symlink("loop1", "loop2"));
  CHECK_ERR(open("loop1", O_RDONLY), ELOOP);
  CHECK_ERR(access("loop1/x", F_OK), ELOOP);
  OK(symlink("self", "self"));
  CHECK_ERR(open("self", O_RDONLY), ELOOP);
  struct stat st;
  OK(lstat("self", &st));
  // 40 links in a chain are the most that one resolution may follow.
  put_file("chain0", "end");
  for (int i = 1; i <= 41; i++) {
    char from[32], to[32];
    snprintf(to, sizeof to, "chain%d", i - 1);
    snprintf(from, sizeof from, "chain%d", i);
    OK(symlink(to, from));
  }
  OK(access("chain40", F_OK));
  CHECK_ERR(access("chain41", F_OK), ELOOP);
}

SUBTEST(name_limits) {
  char name[300], *path = malloc(9000);
  memset(name, 'n', sizeof name);
  name[255] = 0;
  OK(close(OK(open(name, O_RDWR | O_CREAT, 0644))));
  OK(unlink(name));
  OK(mkdir(name, 0755));
  OK(rmdir(name));
  name[255] = 'n';
  name[256] = 0;
  CHECK_ERR(open(name, O_RDWR | O_CREAT, 0644), ENAMETOOLONG);
  CHECK_ERR(mkdir(name, 0755), ENAMETOOLONG);
  CHECK_ERR(access(name, F_OK), ENAMETOOLONG);
  // PATH_MAX counts the terminating zero.
  memset(path, '/', 9000);
  strcpy(path + 4095 - 9, "/dev/null");
  CHECK_EQ(strlen(path), 4095);
  OK(access(path, F_OK));
  memset(path, '/', 9000);
  strcpy(path + 4096 - 9, "/dev/null");
  CHECK_ERR(access(path, F_OK), ENAMETOOLONG);
  free(path);
}

SUBTEST(hard_links) {
  struct stat a, b;
  put_file("h1", "abc");
  OK(link("h1", "h2"));
  OK(stat("h1", &a));
  OK(stat("h2", &b));
  CHECK_EQ(a.st_ino, b.st_ino);
  CHECK_EQ(a.st_nlink, 2);
  put_file("h2", "changed");
  CHECK_STR(get_file("h1"), "changed");
  OK(unlink("h1"));
  OK(stat("h2", &b));
  CHECK_EQ(b.st_nlink, 1);
  CHECK_ERR(link("none", "h3"), ENOENT);
  CHECK_ERR(link("h2", "h2"), EEXIST);
  OK(mkdir("hd", 0755));
  CHECK_ERR(link("hd", "hd2"), EPERM);
  OK(symlink("h2", "hs"));
  OK(link("hs", "hs2"));
  OK(lstat("hs2", &a));
  CHECK(S_ISLNK(a.st_mode));
  OK(linkat(AT_FDCWD, "hs", AT_FDCWD, "hs3", AT_SYMLINK_FOLLOW));
  OK(lstat("hs3", &a));
  CHECK(S_ISREG(a.st_mode));
  CHECK_ERR(linkat(AT_FDCWD, "h2", AT_FDCWD, "h9", 0x1), EINVAL);
  CHECK_ERR(link("h2", "/dev/shm/vedette-xdev"), EXDEV);
}

SUBTEST(unlink_errors) {
  OK(mkdir("ue", 0755));
  CHECK_ERR(unlink("ue"), EISDIR);
  CHECK_ERR(unlink("none"), ENOENT);
  put_file("uf", "");
  CHECK_ERR(unlink("uf/"), ENOTDIR);
  CHECK_ERR(unlink("uf/x"), ENOTDIR);
  CHECK_ERR(unlink(""), ENOENT);
  OK(unlink("uf"));
}

SUBTEST(folders) {
  struct stat st;
  OK(mkdir("m1", 0755));
  CHECK_ERR(mkdir("m1", 0755), EEXIST);
  OK(mkdir("m1/a/", 0700));
  CHECK_ERR(mkdir("m1/b/c", 0755), ENOENT);
  CHECK_ERR(rmdir("m1"), ENOTEMPTY);
  CHECK_ERR(rmdir("m1/a/."), EINVAL);
  CHECK_ERR(rmdir("m1/a/.."), ENOTEMPTY);
  CHECK_ERR(rmdir("/"), EBUSY);
  OK(stat("m1/a", &st));
  CHECK_EQ(st.st_mode, S_IFDIR | 0700);
  CHECK_EQ(st.st_nlink, 2);
  OK(stat("m1", &st));
  CHECK_EQ(st.st_nlink, 3);
  OK(rmdir("m1/a/"));
  put_file("m1/f", "");
  CHECK_ERR(rmdir("m1/f"), ENOTDIR);
  CHECK_ERR(mkdir("m1/f", 0755), EEXIST);
  CHECK_ERR(mkdir("m1/f/x", 0755), ENOTDIR);
  CHECK_ERR(mkdir(".", 0755), EEXIST);
  CHECK_ERR(mkdir("/", 0755), EEXIST);
  CHECK_ERR(mkdir("", 0755), ENOENT);
}

SUBTEST(removed_folder) {
  char buf[PATH_MAX];
  OK(mkdir("gone", 0755));
  int fd = OK(open("gone", O_RDONLY));
  OK(chdir("gone"));
  OK(rmdir("../gone"));
  CHECK_ERR(open("x", O_RDWR | O_CREAT, 0644), ENOENT);
  CHECK_ERR(mkdir("x", 0755), ENOENT);
  CHECK_ERR(syscall(SYS_getcwd, buf, sizeof buf), ENOENT);
  struct stat st;
  OK(stat(".", &st));
  CHECK_EQ(st.st_nlink, 0);
  OK(fstat(fd, &st));
  OK(chdir(check_dir));
  OK(close(fd));
}

SUBTEST(rename_files) {
  put_file("ra", "A");
  put_file("rb", "B");
  OK(rename("ra", "rc"));
  CHECK_ERR(access("ra", F_OK), ENOENT);
  OK(rename("rc", "rb"));
  CHECK_STR(get_file("rb"), "A");
  CHECK_ERR(rename("none", "x"), ENOENT);
  CHECK_ERR(rename("rb", ""), ENOENT);
  CHECK_ERR(rename("rb", "rb/"), ENOTDIR);
  OK(rename("rb", "rb"));
  // Two names of one file: rename does nothing.
  OK(link("rb", "rl"));
  OK(rename("rb", "rl"));
  OK(access("rb", F_OK));
  OK(access("rl", F_OK));
  int fd = OK(open("rl", O_RDONLY));
  put_file("rnew", "N");
  OK(rename("rnew", "rl"));
  char c;
  CHECK_EQ(OK(read(fd, &c, 1)), 1);
  CHECK_EQ(c, 'A');
  OK(close(fd));
  CHECK_ERR(rename("rl", "/dev/shm/vedette-x"), EXDEV);
}

SUBTEST(rename_folders) {
  OK(mkdir("rd1", 0755));
  OK(mkdir("rd2", 0755));
  OK(mkdir("rd1/in", 0755));
  put_file("rd1/in/f", "deep");
  put_file("rfile", "");
  CHECK_ERR(rename("rd1", "rd1/in/x"), EINVAL);
  CHECK_ERR(rename("rd1/in", "rd1"), ENOTEMPTY);
  CHECK_ERR(rename("rd2", "rd1"), ENOTEMPTY);
  CHECK_ERR(rename("rd2", "rfile"), ENOTDIR);
  CHECK_ERR(rename("rfile", "rd2"), EISDIR);
  CHECK_ERR(rename("rd1/.", "x"), EBUSY);
  OK(rename("rd1", "rd2"));
  CHECK_STR(get_file("rd2/in/f"), "deep");
  // An open folder and a working folder move along.
  OK(chdir("rd2/in"));
  OK(rename("../../rd2", "../../rd3"));
  char cwd[PATH_MAX];
  CHECK(getcwd(cwd, sizeof cwd) != NULL);
  CHECK_STR(cwd + strlen(check_dir), "/rd3/in");
  CHECK_STR(get_file("f"), "deep");
  OK(chdir(check_dir));
  // ".." of a moved folder is its new parent.
  OK(mkdir("np", 0755));
  OK(rename("rd3/in", "np/in"));
  struct stat a, b;
  OK(stat("np/in/..", &a));
  OK(stat("np", &b));
  CHECK_EQ(a.st_ino, b.st_ino);
  CHECK_EQ(b.st_nlink, 3);
}

SUBTEST(rename_flags) {
  put_file("fa", "A");
  put_file("fb", "B");
  CHECK_ERR(renameat2(AT_FDCWD, "fa", AT_FDCWD, "fb", RENAME_NOREPLACE), EEXIST);
  OK(renameat2(AT_FDCWD, "fa", AT_FDCWD, "fc", RENAME_NOREPLACE));
  OK(renameat2(AT_FDCWD, "fc", AT_FDCWD, "fb", RENAME_EXCHANGE));
  CHECK_STR(get_file("fb"), "A");
  CHECK_STR(get_file("fc"), "B");
  OK(mkdir("fd", 0755));
  put_file("fd/x", "X");
  OK(renameat2(AT_FDCWD, "fd", AT_FDCWD, "fb", RENAME_EXCHANGE));
  CHECK_STR(get_file("fb/x"), "X");
  CHECK_STR(get_file("fd"), "A");
  CHECK_ERR(renameat2(AT_FDCWD, "fb", AT_FDCWD, "none", RENAME_EXCHANGE), ENOENT);
  CHECK_ERR(renameat2(AT_FDCWD, "fb", AT_FDCWD, "fd", RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL);
  CHECK_ERR(renameat2(AT_FDCWD, "fb", AT_FDCWD, "fd", 0x80), EINVAL);
}

SUBTEST(working_folder) {
  char buf[PATH_MAX];
  OK(mkdir("w", 0755));
  OK(chdir("w"));
  CHECK(getcwd(buf, sizeof buf) != NULL);
  CHECK_STR(buf + strlen(check_dir), "/w");
  CHECK_EQ(OK(syscall(SYS_getcwd, buf, sizeof buf)), strlen(buf) + 1);
  CHECK_ERR(syscall(SYS_getcwd, buf, 3), ERANGE);
  int fd = OK(open("/", O_RDONLY));
  OK(fchdir(fd));
  CHECK(getcwd(buf, sizeof buf) != NULL);
  CHECK_STR(buf, "/");
  OK(close(fd));
  OK(chdir(check_dir));
  CHECK_ERR(chdir("none"), ENOENT);
  put_file("wf", "");
  CHECK_ERR(chdir("wf"), ENOTDIR);
  fd = OK(open("wf", O_RDONLY));
  CHECK_ERR(fchdir(fd), ENOTDIR);
  OK(close(fd));
  CHECK_ERR(fchdir(fd), EBADF);
}

SUBTEST_FORK(working_folder_is_per_process) {
  OK(mkdir("pp", 0755));
  CHILD { OK(chdir("pp")); }
  CHECK_ERR(access("../pp", F_OK), ENOENT);
  OK(access("pp", F_OK));
}

SUBTEST_FORK(change_root) {
  NEED_ROOT();
  struct stat in, up;
  char buf[PATH_MAX];
  OK(mkdir("root", 0755));
  OK(mkdir("root/sub", 0755));
  put_file("root/f", "inside");
  OK(symlink("/f", "root/link"));
  int outside = OK(open(".", O_RDONLY));
  CHECK_ERR(chroot("root/f"), ENOTDIR);
  CHECK_ERR(chroot("none"), ENOENT);
  OK(chroot("root"));
  // The working folder stays outside until chdir.
  CHECK(syscall(SYS_getcwd, buf, sizeof buf) > 0);
  CHECK(strncmp(buf, "(unreachable)", 13) == 0);
  OK(chdir("/"));
  CHECK(getcwd(buf, sizeof buf) != NULL);
  CHECK_STR(buf, "/");
  CHECK_STR(get_file("/link"), "inside");
  OK(stat("/", &in));
  OK(stat("/../..", &up));
  CHECK_EQ(in.st_ino, up.st_ino);
  CHECK_ERR(access("/dev/null", F_OK), ENOENT);
  // The classic way out: a descriptor from before.
  OK(fchdir(outside));
  OK(access("root/f", F_OK));
}

SUBTEST(openat2_resolve) {
  OK(mkdir("o", 0755));
  OK(mkdir("o/d", 0755));
  put_file("o/f", "x");
  put_file("out", "y");
  OK(symlink("../out", "o/up"));
  OK(symlink("f", "o/same"));
  OK(symlink("/f", "o/absolute"));
  int dir = OK(open("o", O_PATH | O_DIRECTORY));
  OK(close(OK(openat2_(dir, "f", O_RDONLY, 0))));
  OK(close(OK(openat2_(dir, "same", O_RDONLY, RESOLVE_BENEATH))));
  OK(close(OK(openat2_(dir, "d/../f", O_RDONLY, RESOLVE_BENEATH))));
  CHECK_ERR(openat2_(dir, "up", O_RDONLY, RESOLVE_BENEATH), EXDEV);
  CHECK_ERR(openat2_(dir, "../out", O_RDONLY, RESOLVE_BENEATH), EXDEV);
  CHECK_ERR(openat2_(dir, "absolute", O_RDONLY, RESOLVE_BENEATH), EXDEV);
  CHECK_ERR(openat2_(dir, "/dev/null", O_RDONLY, RESOLVE_BENEATH), EXDEV);
  OK(close(OK(openat2_(dir, "absolute", O_RDONLY, RESOLVE_IN_ROOT))));
  OK(close(OK(openat2_(dir, "../../f", O_RDONLY, RESOLVE_IN_ROOT))));
  CHECK_ERR(openat2_(dir, "up", O_RDONLY, RESOLVE_IN_ROOT), ENOENT);
  CHECK_ERR(openat2_(dir, "same", O_RDONLY, RESOLVE_NO_SYMLINKS), ELOOP);
  CHECK_ERR(openat2_(AT_FDCWD, "/proc/self/exe", O_RDONLY, RESOLVE_NO_MAGICLINKS), ELOOP);
  CHECK_ERR(openat2_(AT_FDCWD, "/dev/shm", O_RDONLY, RESOLVE_NO_XDEV), EXDEV);
  CHECK_ERR(openat2_(dir, "f", O_RDONLY, RESOLVE_BENEATH | RESOLVE_IN_ROOT), EINVAL);
  CHECK_ERR(openat2_(dir, "f", O_RDONLY, 0x1000), EINVAL);
  CHECK_ERR(openat2_(dir, "f", 1UL << 40, 0), EINVAL);
  struct {
    struct open_how how;
    uint64_t more;
  } longer = {.how = {.flags = O_RDONLY}, .more = 0};
  OK(close(OK(syscall(SYS_openat2, dir, "f", &longer, sizeof longer))));
  longer.more = 1;
  CHECK_ERR(syscall(SYS_openat2, dir, "f", &longer, sizeof longer), E2BIG);
  CHECK_ERR(syscall(SYS_openat2, dir, "f", &longer, 8), EINVAL);
  // Mode bits without O_CREAT are an error here, unlike in openat.
  struct open_how mode = {.flags = O_RDONLY, .mode = 0644};
  CHECK_ERR(syscall(SYS_openat2, dir, "f", &mode, sizeof mode), EINVAL);
  OK(close(dir));
}

SUBTEST(empty_path_flag) {
  struct stat st;
  put_file("ep", "abc");
  int fd = OK(open("ep", O_RDONLY));
  OK(fstatat(fd, "", &st, AT_EMPTY_PATH));
  CHECK_EQ(st.st_size, 3);
  CHECK_ERR(fstatat(fd, "", &st, 0), ENOENT);
  OK(fstatat(AT_FDCWD, "", &st, AT_EMPTY_PATH));
  CHECK(S_ISDIR(st.st_mode));
  CHECK_ERR(fstatat(fd, "", &st, 0x40000000), EINVAL);
  OK(close(fd));
}

SUBTEST(deep_path) {
  // Deeper than PATH_MAX, reached step by step.
  char name[201];
  memset(name, 'd', 200);
  name[200] = 0;
  OK(mkdir("deep", 0755));
  OK(chdir("deep"));
  for (int i = 0; i < 30; i++) {
    OK(mkdir(name, 0755));
    OK(chdir(name));
  }
  put_file("bottom", "here");
  char buf[PATH_MAX];
  CHECK_ERR(syscall(SYS_getcwd, buf, sizeof buf), ENAMETOOLONG);
  CHECK_STR(get_file("bottom"), "here");
  for (int i = 0; i < 30; i++) OK(chdir(".."));
  OK(access(name, F_OK));
  OK(chdir(check_dir));
}

SUBTEST(make_nodes) {
  struct stat st;
  OK(mknod("fifo", S_IFIFO | 0644, 0));
  OK(stat("fifo", &st));
  CHECK(S_ISFIFO(st.st_mode));
  OK(mknod("plain", S_IFREG | 0600, 0));
  OK(stat("plain", &st));
  CHECK_EQ(st.st_mode, S_IFREG | 0600);
  OK(mknod("sock", S_IFSOCK | 0600, 0));
  OK(stat("sock", &st));
  CHECK(S_ISSOCK(st.st_mode));
  CHECK_ERR(open("sock", O_RDONLY), ENXIO);
  CHECK_ERR(mknod("fifo", S_IFIFO | 0644, 0), EEXIST);
  CHECK_ERR(mknod("dir", S_IFDIR | 0644, 0), EPERM);
}
