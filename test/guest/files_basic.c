// open(2), read(2), write(2), lseek(2), dup(2), fcntl(2), close_range(2) and their relatives.
#include "check.h"
#include <linux/close_range.h>
#include <sys/uio.h>

SUBTEST(write_then_read) {
  char buf[64];
  int fd = OK(open("a", O_RDWR | O_CREAT, 0644));
  CHECK_EQ(OK(write(fd, "hello world", 11)), 11);
  CHECK_EQ(OK(lseek(fd, 0, SEEK_SET)), 0);
  CHECK_EQ(OK(read(fd, buf, sizeof buf)), 11);
  CHECK(memcmp(buf, "hello world", 11) == 0);
  CHECK_EQ(OK(read(fd, buf, sizeof buf)), 0);
  CHECK_EQ(OK(read(fd, buf, 0)), 0);
  OK(close(fd));
  CHECK_ERR(close(fd), EBADF);
  CHECK_ERR(read(fd, buf, 1), EBADF);
  CHECK_ERR(write(fd, buf, 1), EBADF);
}

SUBTEST(open_errors) {
  put_file("f", "x");
  OK(mkdir("d", 0755));
  CHECK_ERR(open("missing", O_RDONLY), ENOENT);
  CHECK_ERR(open("missing/x", O_RDWR | O_CREAT, 0644), ENOENT);
  CHECK_ERR(open("f/x", O_RDONLY), ENOTDIR);
  CHECK_ERR(open("f/", O_RDONLY), ENOTDIR);
  CHECK_ERR(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
  CHECK_ERR(open("d", O_WRONLY), EISDIR);
  CHECK_ERR(open("d", O_RDWR), EISDIR);
  CHECK_ERR(open("d", O_RDONLY | O_CREAT, 0644), EISDIR);
  CHECK_ERR(open("new/", O_RDWR | O_CREAT, 0644), EISDIR);
  CHECK_ERR(open("", O_RDONLY), ENOENT);
  CHECK_ERR(open("f", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
  OK(symlink("nowhere", "dangling"));
  CHECK_ERR(open("dangling", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST);
  CHECK_ERR(open("dangling", O_RDONLY), ENOENT);
  OK(close(OK(open("dangling", O_RDWR | O_CREAT, 0644))));
  OK(access("nowhere", F_OK));
}

SUBTEST(open_trunc) {
  struct stat st;
  put_file("t", "0123456789");
  OK(close(OK(open("t", O_WRONLY))));
  OK(stat("t", &st));
  CHECK_EQ(st.st_size, 10);
  OK(close(OK(open("t", O_WRONLY | O_TRUNC))));
  OK(stat("t", &st));
  CHECK_EQ(st.st_size, 0);
}

SUBTEST(open_append) {
  put_file("ap", "abc");
  int fd = OK(open("ap", O_RDWR | O_APPEND));
  OK(lseek(fd, 0, SEEK_SET));
  CHECK_EQ(OK(write(fd, "def", 3)), 3);
  CHECK_EQ(OK(lseek(fd, 0, SEEK_CUR)), 6);
  // BUGS in pwrite(2): with O_APPEND, pwrite appends whatever the offset.
  CHECK_EQ(OK(pwrite(fd, "ghi", 3, 0)), 3);
  CHECK_STR(get_file("ap"), "abcdefghi");
  OK(fcntl(fd, F_SETFL, 0));
  CHECK_EQ(OK(pwrite(fd, "XYZ", 3, 0)), 3);
  CHECK_STR(get_file("ap"), "XYZdefghi");
  OK(close(fd));
}

SUBTEST(open_mode_bits) {
  struct stat st;
  char c;
  put_file("m", "abc");
  int fd = OK(open("m", O_RDONLY));
  CHECK_ERR(write(fd, "x", 1), EBADF);
  CHECK_ERR(ftruncate(fd, 0), EINVAL);
  OK(close(fd));
  fd = OK(open("m", O_WRONLY));
  CHECK_ERR(read(fd, &c, 1), EBADF);
  OK(close(fd));
  // The access mode 3 opens for neither: only ioctl may be used.
  fd = OK(open("m", O_ACCMODE));
  CHECK_ERR(read(fd, &c, 1), EBADF);
  CHECK_ERR(write(fd, &c, 1), EBADF);
  OK(close(fd));
  // A file created read-only stays writable through the creating descriptor.
  fd = OK(open("ro", O_RDWR | O_CREAT | O_EXCL, 0400));
  CHECK_EQ(OK(write(fd, "x", 1)), 1);
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_mode, S_IFREG | 0400);
  OK(close(fd));
}

SUBTEST(open_path) {
  char c;
  struct stat st;
  put_file("p", "abc");
  int fd = OK(open("p", O_PATH));
  CHECK_ERR(read(fd, &c, 1), EBADF);
  CHECK_ERR(write(fd, &c, 1), EBADF);
  CHECK_ERR(fchmod(fd, 0600), EBADF);
  CHECK_ERR(lseek(fd, 0, SEEK_SET), EBADF);
  CHECK_ERR(ftruncate(fd, 0), EBADF);
  CHECK((long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0) == -1 && errno == EBADF);
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 3);
  CHECK_EQ(OK(fcntl(fd, F_GETFL)) & O_PATH, O_PATH);
  int other = OK(dup(fd));
  OK(close(other));
  OK(close(fd));
  OK(symlink("p", "plink"));
  fd = OK(open("plink", O_PATH | O_NOFOLLOW));
  OK(fstat(fd, &st));
  CHECK(S_ISLNK(st.st_mode));
  char target[16];
  CHECK_EQ(OK(readlinkat(fd, "", target, sizeof target)), 1);
  OK(close(fd));
  OK(mkdir("pd", 0755));
  fd = OK(open("pd", O_PATH | O_DIRECTORY));
  OK(close(OK(openat(fd, "inside", O_RDWR | O_CREAT, 0644))));
  OK(fchdir(fd));
  OK(access("inside", F_OK));
  OK(chdir(".."));
  OK(close(fd));
}

SUBTEST(open_nofollow) {
  put_file("nf", "abc");
  OK(symlink("nf", "nflink"));
  CHECK_ERR(open("nflink", O_RDONLY | O_NOFOLLOW), ELOOP);
  OK(mkdir("nfd", 0755));
  OK(symlink("nfd", "nfdlink"));
  CHECK_ERR(open("nfdlink", O_RDONLY | O_NOFOLLOW | O_DIRECTORY), ENOTDIR);
  put_file("nfd/x", "1");
  OK(close(OK(open("nfdlink/x", O_RDONLY | O_NOFOLLOW))));
}

SUBTEST(open_tmpfile) {
  struct stat st;
  OK(mkdir("tmpf", 0755));
  int fd = open("tmpf", O_RDWR | O_TMPFILE, 0600);
  if (fd < 0 && errno == EOPNOTSUPP) SKIP("no O_TMPFILE here");
  CHECK(fd >= 0);
  CHECK_EQ(OK(write(fd, "abc", 3)), 3);
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_nlink, 0);
  CHECK_EQ(st.st_mode, S_IFREG | 0600);
  CHECK_ERR(rmdir("tmpf/none"), ENOENT);
  char proc[64];
  snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
  OK(linkat(AT_FDCWD, proc, AT_FDCWD, "tmpf/linked", AT_SYMLINK_FOLLOW));
  CHECK_STR(get_file("tmpf/linked"), "abc");
  OK(close(fd));
  CHECK_ERR(open("tmpf", O_RDONLY | O_TMPFILE, 0600), EINVAL);
}

SUBTEST(lowest_fd) {
  int a = OK(open("/dev/null", O_RDONLY)), b = OK(open("/dev/null", O_RDONLY));
  CHECK(b > a);
  OK(close(a));
  CHECK_EQ(OK(open("/dev/null", O_RDONLY)), a);
  OK(close(a));
  OK(close(b));
}

SUBTEST(pread_pwrite) {
  char buf[16] = {0};
  int fd = OK(open("pp", O_RDWR | O_CREAT, 0644));
  CHECK_EQ(OK(pwrite(fd, "abcdef", 6, 10)), 6);
  CHECK_EQ(OK(lseek(fd, 0, SEEK_CUR)), 0);
  CHECK_EQ(OK(pread(fd, buf, 16, 8)), 8);
  CHECK(memcmp(buf, "\0\0abcdef", 8) == 0);
  CHECK_EQ(OK(pread(fd, buf, 16, 100)), 0);
  CHECK_ERR(pread(fd, buf, 16, -1), EINVAL);
  CHECK_ERR(pwrite(fd, buf, 16, -1), EINVAL);
  OK(close(fd));
  int p[2];
  OK(pipe(p));
  CHECK_ERR(pread(p[0], buf, 1, 0), ESPIPE);
  CHECK_ERR(pwrite(p[1], buf, 1, 0), ESPIPE);
  CHECK_ERR(lseek(p[0], 0, SEEK_SET), ESPIPE);
  OK(close(p[0]));
  OK(close(p[1]));
}

SUBTEST(vectors) {
  char a[4] = {0}, b[8] = {0};
  struct iovec out[3] = {{"abc", 3}, {"", 0}, {"defgh", 5}}, in[2] = {{a, 3}, {b, 8}};
  int fd = OK(open("v", O_RDWR | O_CREAT, 0644));
  CHECK_EQ(OK(writev(fd, out, 3)), 8);
  OK(lseek(fd, 0, SEEK_SET));
  CHECK_EQ(OK(readv(fd, in, 2)), 8);
  CHECK_STR(a, "abc");
  CHECK_STR(b, "defgh");
  CHECK_EQ(OK(pwritev(fd, out, 3, 100)), 8);
  CHECK_EQ(OK(preadv(fd, in, 2, 100)), 8);
  CHECK_EQ(OK(preadv2(fd, in, 2, 100, 0)), 8);
  CHECK_EQ(OK(lseek(fd, 0, SEEK_CUR)), 8);
  CHECK_EQ(OK(pwritev2(fd, out, 1, -1, 0)), 3);
  CHECK_EQ(OK(lseek(fd, 0, SEEK_CUR)), 11);
  CHECK_EQ(OK(pwritev2(fd, out, 1, 0, RWF_APPEND)), 3);
  CHECK_EQ(OK(lseek(fd, 0, SEEK_END)), 111);
  CHECK_ERR(preadv2(fd, in, 2, 0, 0x40000000), EOPNOTSUPP);
  CHECK_ERR(readv(fd, in, -1), EINVAL);
  CHECK_ERR(readv(fd, in, 1025), EINVAL);
  CHECK_EQ(OK(readv(fd, in, 0)), 0);
  struct iovec huge[2] = {{a, 1}, {b, SIZE_MAX}};
  CHECK_ERR(readv(fd, huge, 2), EINVAL);
  OK(close(fd));
}

SUBTEST(seeking) {
  int fd = OK(open("s", O_RDWR | O_CREAT, 0644));
  OK(ftruncate(fd, 1000));
  CHECK_EQ(OK(lseek(fd, -10, SEEK_END)), 990);
  CHECK_EQ(OK(lseek(fd, 5, SEEK_CUR)), 995);
  CHECK_EQ(OK(lseek(fd, 5000, SEEK_SET)), 5000);
  CHECK_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
  CHECK_ERR(lseek(fd, -5001, SEEK_CUR), EINVAL);
  CHECK_ERR(lseek(fd, 0, 99), EINVAL);
  CHECK_EQ(OK(lseek(fd, 0, SEEK_CUR)), 5000);
  OK(close(fd));
}

SUBTEST(seek_data_hole) {
  int fd = OK(open("/dev/shm", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
  OK(ftruncate(fd, 16 * PAGE));
  CHECK_ERR(lseek(fd, 0, SEEK_DATA), ENXIO);
  CHECK_EQ(OK(lseek(fd, 0, SEEK_HOLE)), 0);
  CHECK_EQ(OK(pwrite(fd, "x", 1, 4 * PAGE + 5)), 1);
  CHECK_EQ(OK(lseek(fd, 0, SEEK_DATA)), 4 * PAGE);
  CHECK_EQ(OK(lseek(fd, 4 * PAGE + 7, SEEK_DATA)), 4 * PAGE + 7);
  CHECK_EQ(OK(lseek(fd, 4 * PAGE, SEEK_HOLE)), 5 * PAGE);
  CHECK_ERR(lseek(fd, 5 * PAGE, SEEK_DATA), ENXIO);
  CHECK_ERR(lseek(fd, 16 * PAGE, SEEK_HOLE), ENXIO);
  OK(close(fd));
}

SUBTEST(dup_family) {
  put_file("dup", "abcdef");
  char buf[8];
  int fd = OK(open("dup", O_RDONLY | O_CLOEXEC));
  int copy = OK(dup(fd));
  CHECK_EQ(OK(read(fd, buf, 2)), 2);
  CHECK_EQ(OK(read(copy, buf, 2)), 2);
  CHECK(memcmp(buf, "cd", 2) == 0);
  CHECK_EQ(OK(fcntl(fd, F_GETFD)), FD_CLOEXEC);
  CHECK_EQ(OK(fcntl(copy, F_GETFD)), 0);
  CHECK_EQ(OK(dup2(fd, fd)), fd);
  CHECK_EQ(OK(fcntl(fd, F_GETFD)), FD_CLOEXEC);
  CHECK_ERR(dup3(fd, fd, 0), EINVAL);
  CHECK_EQ(OK(dup3(fd, copy, O_CLOEXEC)), copy);
  CHECK_EQ(OK(fcntl(copy, F_GETFD)), FD_CLOEXEC);
  CHECK_ERR(dup3(fd, copy, O_APPEND), EINVAL);
  CHECK_ERR(dup2(999, 5), EBADF);
  CHECK_ERR(dup2(999, 999), EBADF);
  CHECK_ERR(dup2(fd, -1), EBADF);
  CHECK_EQ(OK(fcntl(fd, F_DUPFD, 100)), 100);
  CHECK_EQ(OK(fcntl(fd, F_DUPFD_CLOEXEC, 100)), 101);
  CHECK_EQ(OK(fcntl(101, F_GETFD)), FD_CLOEXEC);
  CHECK_EQ(OK(fcntl(100, F_GETFD)), 0);
  CHECK_ERR(fcntl(fd, F_DUPFD, -1), EINVAL);
  int list[] = {fd, copy, 100, 101};
  for (int i = 0; i < 4; i++) OK(close(list[i]));
}

SUBTEST(fcntl_flags) {
  // The kernel adds its own O_LARGEFILE (0100000), which glibc calls 0 here.
  int fd = OK(open("fl", O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0644));
  CHECK_EQ(OK(fcntl(fd, F_GETFL)) & ~0100000, O_RDWR | O_APPEND);
  OK(fcntl(fd, F_SETFL, O_NONBLOCK | O_WRONLY | O_EXCL));
  CHECK_EQ(OK(fcntl(fd, F_GETFL)) & ~0100000, O_RDWR | O_NONBLOCK);
  OK(fcntl(fd, F_SETFD, FD_CLOEXEC));
  CHECK_EQ(OK(fcntl(fd, F_GETFD)), FD_CLOEXEC);
  OK(fcntl(fd, F_SETFD, 0));
  CHECK_EQ(OK(fcntl(fd, F_GETFD)), 0);
  CHECK_ERR(fcntl(fd, 9999), EINVAL);
  CHECK_ERR(fcntl(999, F_GETFD), EBADF);
  CHECK_EQ(OK(fcntl(fd, F_GETOWN)), 0);
  OK(fcntl(fd, F_SETOWN, getpid()));
  CHECK_EQ(OK(fcntl(fd, F_GETOWN)), getpid());
  OK(close(fd));
}

SUBTEST(close_range_call) {
  for (int i = 200; i < 210; i++) OK(dup2(1, i));
  OK(close_range(203, 205, 0));
  CHECK_ERR(fcntl(203, F_GETFD), EBADF);
  CHECK_ERR(fcntl(205, F_GETFD), EBADF);
  OK(fcntl(206, F_GETFD));
  OK(close_range(206, 208, CLOSE_RANGE_CLOEXEC));
  CHECK_EQ(OK(fcntl(207, F_GETFD)), FD_CLOEXEC);
  CHECK_ERR(close_range(10, 9, 0), EINVAL);
  CHECK_ERR(close_range(10, 11, 0x80), EINVAL);
  OK(close_range(200, ~0U, 0));
  CHECK_ERR(fcntl(209, F_GETFD), EBADF);
}

SUBTEST_FORK(fd_limit) {
  struct rlimit limit = {20, 20};
  OK(setrlimit(RLIMIT_NOFILE, &limit));
  int last = 0;
  for (int fd; (fd = dup(1)) >= 0;) last = fd;
  CHECK(errno == EMFILE);
  CHECK_EQ(last, 19);
  CHECK_ERR(dup2(1, 20), EBADF);
  CHECK_ERR(fcntl(1, F_DUPFD, 20), EINVAL);
  CHECK_ERR(open("/dev/null", O_RDONLY), EMFILE);
  OK(close(7));
  CHECK_EQ(OK(open("/dev/null", O_RDONLY)), 7);
}

SUBTEST_FORK(file_size_limit) {
  struct rlimit limit = {1000, 1000};
  signal(SIGXFSZ, SIG_IGN);
  int fd = OK(open("lim", O_RDWR | O_CREAT, 0644));
  OK(setrlimit(RLIMIT_FSIZE, &limit));
  char buf[600] = {0};
  CHECK_EQ(OK(write(fd, buf, 600)), 600);
  CHECK_EQ(OK(write(fd, buf, 600)), 400);
  CHECK_ERR(write(fd, buf, 600), EFBIG);
  CHECK_ERR(ftruncate(fd, 1001), EFBIG);
  pid_t pid = SPAWN({
    signal(SIGXFSZ, SIG_DFL);
    if (write(fd, buf, 1) == 1) _exit(1);
  });
  CHECK_EQ(child_result(pid), 256 + SIGXFSZ);
}

SUBTEST(big_offsets) {
  struct stat st;
  char c = 0;
  int fd = OK(open("/dev/shm", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600));
  off_t far = 5L << 32;
  CHECK_EQ(OK(pwrite(fd, "z", 1, far)), 1);
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, far + 1);
  CHECK_EQ(OK(lseek(fd, far, SEEK_SET)), far);
  CHECK_EQ(OK(read(fd, &c, 1)), 1);
  CHECK_EQ(c, 'z');
  CHECK_EQ(OK(pread(fd, &c, 1, far - 1)), 1);
  CHECK_EQ(c, 0);
  CHECK(st.st_blocks < 100);
  OK(close(fd));
}

SUBTEST(large_transfer) {
  size_t size = 3 << 20;
  char *a = OK(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  char *b = OK(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  for (size_t i = 0; i < size; i++) a[i] = i * 7 + (i >> 12);
  int fd = OK(open("big", O_RDWR | O_CREAT, 0644));
  CHECK_EQ(OK(write(fd, a, size)), size);
  CHECK_EQ(OK(pread(fd, b, size, 0)), size);
  CHECK(memcmp(a, b, size) == 0);
  CHECK_EQ(OK(pread(fd, b, 100000, 12345)), 100000);
  CHECK(memcmp(a + 12345, b, 100000) == 0);
  OK(close(fd));
  OK(munmap(a, size));
  OK(munmap(b, size));
}

SUBTEST_FORK(offset_shared_by_fork) {
  put_file("sh", "abcdef");
  char c;
  int fd = OK(open("sh", O_RDONLY));
  CHILD { CHECK_EQ(OK(read(fd, &c, 1)), 1); }
  CHECK_EQ(OK(lseek(fd, 0, SEEK_CUR)), 1);
  CHECK_EQ(OK(read(fd, &c, 1)), 1);
  CHECK_EQ(c, 'b');
}

SUBTEST(unlinked_file_lives) {
  char buf[4];
  struct stat st;
  int fd = OK(open("ul", O_RDWR | O_CREAT, 0644));
  CHECK_EQ(OK(write(fd, "abc", 3)), 3);
  OK(unlink("ul"));
  CHECK_ERR(access("ul", F_OK), ENOENT);
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_nlink, 0);
  CHECK_EQ(OK(pread(fd, buf, 4, 0)), 3);
  CHECK_EQ(OK(pwrite(fd, "defg", 4, 3)), 4);
  OK(close(fd));
}

SUBTEST(sync_calls) {
  int fd = OK(open("sy", O_RDWR | O_CREAT, 0644));
  CHECK_EQ(OK(write(fd, "abc", 3)), 3);
  OK(fsync(fd));
  OK(fdatasync(fd));
  OK(sync_file_range(fd, 0, 3, SYNC_FILE_RANGE_WRITE));
  OK(syncfs(fd));
  OK0(posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED));
  CHECK_EQ(posix_fadvise(fd, 0, 0, 99), EINVAL);
  OK(readahead(fd, 0, 100));
  OK(close(fd));
  CHECK_ERR(fsync(fd), EBADF);
  int p[2];
  OK(pipe(p));
  CHECK_ERR(fsync(p[0]), EINVAL);
  CHECK_EQ(posix_fadvise(p[0], 0, 0, POSIX_FADV_NORMAL), ESPIPE);
  OK(close(p[0]));
  OK(close(p[1]));
}

// A table that is full is noticed before the file is made or cut off.
SUBTEST_FORK(open_with_a_full_table) {
  put_file("kept", "text");
  int next = OK(dup(0));
  OK(close(next));
  struct rlimit full = {next, next};
  OK(setrlimit(RLIMIT_NOFILE, &full));
  CHECK_ERR(open("made", O_CREAT | O_RDWR, 0600), EMFILE);
  CHECK_ERR(open("kept", O_TRUNC | O_RDWR), EMFILE);
  CHECK_ERR(open("nothing", O_RDONLY), EMFILE);
  CHECK_ERR(open("", O_RDONLY), ENOENT);
  CHECK_ERR(access("made", F_OK), ENOENT);
  struct stat st;
  OK(stat("kept", &st));
  CHECK_EQ(st.st_size, 4);
}
