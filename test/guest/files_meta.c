// stat(2), statx(2), chmod(2), chown(2), utimensat(2), truncate(2), fallocate(2), access(2), umask(2), statfs(2), xattr(7).
#include "check.h"
#include <linux/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

SUBTEST(stat_fields) {
  struct stat st, by_fd;
  put_file("f", "hello");
  OK(stat("f", &st));
  CHECK_EQ(st.st_mode, S_IFREG | 0644);
  CHECK_EQ(st.st_size, 5);
  CHECK_EQ(st.st_nlink, 1);
  CHECK_EQ(st.st_uid, geteuid());
  CHECK(st.st_ino != 0 && st.st_blksize >= 512);
  CHECK(st.st_mtime > 1600000000);
  int fd = OK(open("f", O_RDONLY));
  OK(fstat(fd, &by_fd));
  CHECK(by_fd.st_ino == st.st_ino && by_fd.st_dev == st.st_dev);
  OK(close(fd));
  OK(stat("/dev/null", &st));
  CHECK(S_ISCHR(st.st_mode));
  CHECK_EQ(st.st_rdev, makedev(1, 3));
  CHECK_ERR(stat("none", &st), ENOENT);
  CHECK_ERR(fstat(-1, &st), EBADF);
}

SUBTEST(statx_fields) {
  struct statx x;
  put_file("sx", "hello");
  OK(statx(AT_FDCWD, "sx", 0, STATX_BASIC_STATS, &x));
  CHECK_EQ(x.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
  CHECK_EQ(x.stx_mode, S_IFREG | 0644);
  CHECK_EQ(x.stx_size, 5);
  struct stat st;
  OK(stat("sx", &st));
  CHECK_EQ(x.stx_ino, st.st_ino);
  CHECK_EQ(makedev(x.stx_dev_major, x.stx_dev_minor), st.st_dev);
  CHECK_EQ(x.stx_mtime.tv_sec, st.st_mtime);
  int fd = OK(open("sx", O_RDONLY));
  OK(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &x));
  CHECK_EQ(x.stx_size, 5);
  CHECK_ERR(statx(fd, "", 0, STATX_SIZE, &x), ENOENT);
  OK(statx(AT_FDCWD, "sx", AT_STATX_DONT_SYNC, STATX_ALL, &x));
  CHECK_ERR(statx(AT_FDCWD, "sx", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, STATX_ALL, &x), EINVAL);
  CHECK_ERR(statx(AT_FDCWD, "sx", 0, STATX__RESERVED, &x), EINVAL);
  OK(close(fd));
  OK(symlink("sx", "sxl"));
  OK(statx(AT_FDCWD, "sxl", AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &x));
  CHECK(S_ISLNK(x.stx_mode));
}

SUBTEST(mode_changes) {
  struct stat st;
  put_file("m", "");
  OK(chmod("m", 07777));
  OK(stat("m", &st));
  CHECK_EQ(st.st_mode & 07777, 07777);
  OK(chmod("m", 0));
  OK(stat("m", &st));
  CHECK_EQ(st.st_mode, S_IFREG);
  OK(chmod("m", 0640));
  int fd = OK(open("m", O_RDONLY));
  OK(fchmod(fd, 0604));
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_mode & 07777, 0604);
  OK(close(fd));
  OK(fchmodat(AT_FDCWD, "m", 0600, 0));
  CHECK_ERR(chmod("none", 0600), ENOENT);
  OK(symlink("m", "ml"));
  OK(chmod("ml", 0444));
  OK(stat("m", &st));
  CHECK_EQ(st.st_mode & 07777, 0444);
  OK(mkdir("md", 0755));
  OK(chmod("md", 01777));
  OK(stat("md", &st));
  CHECK_EQ(st.st_mode, S_IFDIR | 01777);
}

SUBTEST(masks) {
  struct stat st;
  mode_t old = umask(077);
  CHECK_EQ(old, 022);
  OK(close(OK(open("um", O_RDWR | O_CREAT, 0777))));
  OK(stat("um", &st));
  CHECK_EQ(st.st_mode & 07777, 0700);
  OK(mkdir("umd", 0777));
  OK(stat("umd", &st));
  CHECK_EQ(st.st_mode & 07777, 0700);
  CHECK_EQ(umask(022), 077);
  OK(close(OK(open("um2", O_RDWR | O_CREAT, 0666))));
  OK(stat("um2", &st));
  CHECK_EQ(st.st_mode & 07777, 0644);
}

SUBTEST(owners) {
  NEED_ROOT();
  struct stat st;
  put_file("o", "");
  OK(chmod("o", 06755));
  OK(chown("o", 1234, 5678));
  OK(stat("o", &st));
  CHECK_EQ(st.st_uid, 1234);
  CHECK_EQ(st.st_gid, 5678);
  // A change of owner drops set-user-ID and set-group-ID.
  CHECK_EQ(st.st_mode & 07777, 0755);
  OK(chown("o", -1, 99));
  OK(stat("o", &st));
  CHECK(st.st_uid == 1234 && st.st_gid == 99);
  OK(chown("o", 7, -1));
  OK(symlink("o", "ol"));
  OK(lchown("ol", 55, 66));
  OK(stat("o", &st));
  CHECK_EQ(st.st_uid, 7);
  OK(lstat("ol", &st));
  CHECK(st.st_uid == 55 && st.st_gid == 66);
  int fd = OK(open("o", O_RDONLY));
  OK(fchown(fd, 3, 4));
  OK(fchownat(fd, "", 5, 6, AT_EMPTY_PATH));
  OK(fstat(fd, &st));
  CHECK(st.st_uid == 5 && st.st_gid == 6);
  OK(close(fd));
  CHECK_ERR(chown("none", 1, 1), ENOENT);
}

SUBTEST(times) {
  struct stat st;
  put_file("t", "");
  struct timespec t[2] = {{1000000000, 123456789}, {1100000000, 987654321}};
  OK(utimensat(AT_FDCWD, "t", t, 0));
  OK(stat("t", &st));
  CHECK(st.st_atim.tv_sec == 1000000000 && st.st_atim.tv_nsec == 123456789);
  CHECK(st.st_mtim.tv_sec == 1100000000 && st.st_mtim.tv_nsec == 987654321);
  CHECK(st.st_ctim.tv_sec > 1600000000);
  struct timespec keep[2] = {{0, UTIME_OMIT}, {5, 0}};
  OK(utimensat(AT_FDCWD, "t", keep, 0));
  OK(stat("t", &st));
  CHECK(st.st_atim.tv_sec == 1000000000 && st.st_mtim.tv_sec == 5);
  struct timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
  OK(utimensat(AT_FDCWD, "t", now, 0));
  OK(stat("t", &st));
  CHECK(st.st_atim.tv_sec > 1600000000 && st.st_mtim.tv_sec == 5);
  OK(utimensat(AT_FDCWD, "t", NULL, 0));
  OK(stat("t", &st));
  CHECK(st.st_mtim.tv_sec > 1600000000);
  struct timespec bad[2] = {{0, 1000000000}, {0, 0}};
  CHECK_ERR(utimensat(AT_FDCWD, "t", bad, 0), EINVAL);
  CHECK_ERR(utimensat(AT_FDCWD, "none", t, 0), ENOENT);
  OK(symlink("t", "tl"));
  OK(utimensat(AT_FDCWD, "tl", t, AT_SYMLINK_NOFOLLOW));
  OK(lstat("tl", &st));
  CHECK_EQ(st.st_mtim.tv_sec, 1100000000);
  int fd = OK(open("t", O_RDWR));
  OK(futimens(fd, t));
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_mtim.tv_sec, 1100000000);
  CHECK_EQ(OK(write(fd, "x", 1)), 1);
  OK(fstat(fd, &st));
  CHECK(st.st_mtim.tv_sec > 1600000000);
  OK(close(fd));
}

SUBTEST(folder_times) {
  struct stat st;
  struct timespec old[2] = {{1000, 0}, {1000, 0}};
  OK(mkdir("td", 0755));
  OK(utimensat(AT_FDCWD, "td", old, 0));
  put_file("td/x", "");
  OK(stat("td", &st));
  CHECK(st.st_mtim.tv_sec > 1000);
  OK(utimensat(AT_FDCWD, "td", old, 0));
  put_file("td/x", "content does not count");
  OK(stat("td", &st));
  CHECK_EQ(st.st_mtim.tv_sec, 1000);
  OK(unlink("td/x"));
  OK(stat("td", &st));
  CHECK(st.st_mtim.tv_sec > 1000);
}

SUBTEST(truncation) {
  struct stat st;
  char buf[16];
  put_file("tr", "0123456789");
  OK(truncate("tr", 4));
  CHECK_STR(get_file("tr"), "0123");
  OK(truncate("tr", 8));
  OK(stat("tr", &st));
  CHECK_EQ(st.st_size, 8);
  int fd = OK(open("tr", O_RDWR));
  CHECK_EQ(OK(pread(fd, buf, 16, 0)), 8);
  CHECK(memcmp(buf, "0123\0\0\0\0", 8) == 0);
  OK(ftruncate(fd, 2));
  CHECK_EQ(OK(lseek(fd, 0, SEEK_END)), 2);
  CHECK_ERR(ftruncate(fd, -1), EINVAL);
  OK(close(fd));
  CHECK_ERR(truncate("none", 0), ENOENT);
  CHECK_ERR(truncate(".", 0), EISDIR);
  CHECK_ERR(truncate("tr", -1), EINVAL);
  int p[2];
  OK(pipe(p));
  CHECK_ERR(ftruncate(p[1], 0), EINVAL);
  OK(close(p[0]));
  OK(close(p[1]));
}

SUBTEST(allocation) {
  struct stat st;
  char buf[PAGE];
  int fd = OK(open("/dev/shm", O_RDWR | O_TMPFILE, 0600));
  OK(fallocate(fd, 0, 0, 8 * PAGE));
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 8 * PAGE);
  OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 16 * PAGE));
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 8 * PAGE);
  memset(buf, 'x', PAGE);
  for (int i = 0; i < 8; i++) CHECK_EQ(OK(pwrite(fd, buf, PAGE, i * PAGE)), PAGE);
  OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * PAGE + 100, PAGE));
  CHECK_EQ(OK(pread(fd, buf, PAGE, 2 * PAGE)), PAGE);
  CHECK(buf[99] == 'x' && buf[100] == 0 && buf[PAGE - 1] == 0);
  CHECK_EQ(OK(pread(fd, buf, PAGE, 3 * PAGE)), PAGE);
  CHECK(buf[99] == 0 && buf[100] == 'x');
  CHECK_ERR(fallocate(fd, 0, -1, 5), EINVAL);
  CHECK_ERR(fallocate(fd, 0, 0, 0), EINVAL);
  CHECK_ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, PAGE), EOPNOTSUPP);
  OK0(posix_fallocate(fd, 0, 32 * PAGE));
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 32 * PAGE);
  OK(close(fd));
  fd = OK(open("/dev/null", O_RDWR));
  CHECK_ERR(fallocate(fd, 0, 0, PAGE), ENODEV);
  OK(close(fd));
}

SUBTEST(access_checks) {
  put_file("ac", "");
  OK(chmod("ac", 0644));
  OK(access("ac", F_OK));
  OK(access("ac", R_OK | W_OK));
  // Not even root may execute a file without any x bit.
  CHECK_ERR(access("ac", X_OK), EACCES);
  OK(chmod("ac", 0645));
  if (geteuid() == 0) OK(access("ac", X_OK));
  OK(access(".", X_OK));
  CHECK_ERR(access("ac", 8), EINVAL);
  CHECK_ERR(access("none", F_OK), ENOENT);
  CHECK_ERR(access("ac/x", F_OK), ENOTDIR);
  OK(faccessat(AT_FDCWD, "ac", R_OK, AT_EACCESS));
  OK(symlink("none", "acl"));
  CHECK_ERR(faccessat(AT_FDCWD, "acl", F_OK, 0), ENOENT);
  OK(syscall(439 /* faccessat2 */, AT_FDCWD, "acl", F_OK, AT_SYMLINK_NOFOLLOW));
  CHECK_ERR(syscall(439, AT_FDCWD, "ac", F_OK, 0x8000), EINVAL);
}

SUBTEST(file_systems) {
  struct statfs fs;
  OK(statfs("/proc", &fs));
  CHECK_EQ(fs.f_type, 0x9fa0);
  OK(statfs("/dev/shm", &fs));
  CHECK_EQ(fs.f_type, 0x01021994);
  CHECK_EQ(fs.f_namelen, 255);
  CHECK_EQ(fs.f_bsize, 4096);
  OK(statfs(".", &fs));
  CHECK(fs.f_bsize > 0 && fs.f_blocks >= fs.f_bfree && fs.f_namelen == 255);
  int fd = OK(open("/proc/self/status", O_RDONLY));
  OK(fstatfs(fd, &fs));
  CHECK_EQ(fs.f_type, 0x9fa0);
  OK(close(fd));
  int p[2];
  OK(pipe(p));
  OK(fstatfs(p[0], &fs));
  CHECK_EQ(fs.f_type, 0x50495045);
  OK(close(p[0]));
  OK(close(p[1]));
  CHECK_ERR(statfs("none", &fs), ENOENT);
}

SUBTEST(extended_attributes) {
  char buf[64];
  put_file("x", "");
  if (setxattr("x", "user.one", "value", 5, 0) < 0 && errno == EOPNOTSUPP) SKIP("no user xattrs here");
  CHECK_EQ(OK(getxattr("x", "user.one", buf, sizeof buf)), 5);
  CHECK(memcmp(buf, "value", 5) == 0);
  CHECK_EQ(OK(getxattr("x", "user.one", NULL, 0)), 5);
  CHECK_ERR(getxattr("x", "user.one", buf, 2), ERANGE);
  CHECK_ERR(getxattr("x", "user.two", buf, 10), ENODATA);
  CHECK_ERR(setxattr("x", "user.one", "v", 1, XATTR_CREATE), EEXIST);
  CHECK_ERR(setxattr("x", "user.two", "v", 1, XATTR_REPLACE), ENODATA);
  OK(setxattr("x", "user.one", "second", 6, XATTR_REPLACE));
  OK(setxattr("x", "user.empty", "", 0, XATTR_CREATE));
  int fd = OK(open("x", O_RDONLY));
  CHECK_EQ(OK(fgetxattr(fd, "user.one", buf, sizeof buf)), 6);
  ssize_t n = OK(flistxattr(fd, buf, sizeof buf));
  CHECK_EQ(n, sizeof "user.one" + sizeof "user.empty");
  CHECK_ERR(flistxattr(fd, buf, 3), ERANGE);
  OK(fremovexattr(fd, "user.empty"));
  CHECK_ERR(removexattr("x", "user.empty"), ENODATA);
  OK(close(fd));
  CHECK_ERR(setxattr("x", "noprefix", "v", 1, 0), EOPNOTSUPP);
  CHECK_ERR(setxattr("x", "", "v", 1, 0), ERANGE);
  CHECK_ERR(setxattr("x", "user.one", "v", 1, 0x80), EINVAL);
  CHECK_ERR(setxattr("none", "user.one", "v", 1, 0), ENOENT);
  OK(symlink("x", "xl"));
  CHECK_EQ(OK(getxattr("xl", "user.one", buf, sizeof buf)), 6);
  CHECK_ERR(lsetxattr("xl", "user.one", "v", 1, 0), EPERM);
}

SUBTEST(blocks_of_sparse_files) {
  struct stat st;
  int fd = OK(open("/dev/shm", O_RDWR | O_TMPFILE, 0600));
  OK(ftruncate(fd, 100 * PAGE));
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_blocks, 0);
  CHECK_EQ(OK(pwrite(fd, "x", 1, 50 * PAGE)), 1);
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_blocks, 8);
  OK(close(fd));
}
