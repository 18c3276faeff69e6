// sendfile(2), splice(2), tee(2), vmsplice(2), copy_file_range(2).
#include "check.h"
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

static char pattern[200000];
static int source(void) {
  for (size_t i = 0; i < sizeof pattern; i++) pattern[i] = i * 13 + (i >> 9);
  int fd = OK(open("source", O_RDWR | O_CREAT | O_TRUNC, 0644));
  CHECK_EQ(OK(write(fd, pattern, sizeof pattern)), sizeof pattern);
  OK(lseek(fd, 0, SEEK_SET));
  return fd;
}

static void check_content(int fd, off_t at, size_t from, size_t size) {
  char *buf = malloc(size);
  CHECK_EQ(OK(pread(fd, buf, size, at)), size);
  CHECK(memcmp(buf, pattern + from, size) == 0);
  free(buf);
}

SUBTEST_FORK(sendfile_to_file) {
  int in = source(), out = OK(open("out", O_RDWR | O_CREAT, 0644));
  CHECK_EQ(OK(sendfile(out, in, NULL, sizeof pattern)), sizeof pattern);
  CHECK_EQ(OK(lseek(in, 0, SEEK_CUR)), sizeof pattern);
  check_content(out, 0, 0, sizeof pattern);
  off_t at = 1000;
  CHECK_EQ(OK(sendfile(out, in, &at, 500)), 500);
  CHECK_EQ(at, 1500);
  CHECK_EQ(OK(lseek(in, 0, SEEK_CUR)), sizeof pattern);
  check_content(out, sizeof pattern, 1000, 500);
  CHECK_EQ(OK(sendfile(out, in, NULL, 10)), 0);
  at = -1;
  CHECK_ERR(sendfile(out, in, &at, 5), EINVAL);
  CHECK_ERR(sendfile(99, in, NULL, 5), EBADF);
  CHECK_ERR(sendfile(in, 99, NULL, 5), EBADF);
  int ro = OK(open("out", O_RDONLY));
  CHECK_ERR(sendfile(ro, in, NULL, 5), EBADF);
}

SUBTEST_FORK(sendfile_to_socket_and_pipe) {
  int in = source(), s[2], p[2];
  char buf[1000];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  pid_t pid = SPAWN({
    close(s[1]);
    size_t left = sizeof pattern;
    while (left > 0) left -= OK(sendfile(s[0], in, NULL, left));
  });
  OK(close(s[0]));
  size_t seen = 0;
  for (ssize_t n; (n = OK(read(s[1], buf, sizeof buf))) > 0; seen += n) CHECK(memcmp(buf, pattern + seen, n) == 0);
  CHECK_EQ(seen, sizeof pattern);
  CHILD_DONE(pid);
  OK(pipe(p));
  off_t at = 3;
  CHECK_EQ(OK(sendfile(p[1], in, &at, 100)), 100);
  CHECK_EQ(OK(read(p[0], buf, 1000)), 100);
  CHECK(memcmp(buf, pattern + 3, 100) == 0);
}

SUBTEST_FORK(splice_file_to_pipe_to_file) {
  int in = source(), out = OK(open("out2", O_RDWR | O_CREAT, 0644)), p[2];
  OK(pipe(p));
  loff_t from = 5000, to = 100;
  CHECK_EQ(OK(splice(in, &from, p[1], NULL, 10000, 0)), 10000);
  CHECK_EQ(from, 15000);
  CHECK_EQ(OK(lseek(in, 0, SEEK_CUR)), 0);
  CHECK_EQ(OK(splice(p[0], NULL, out, &to, 20000, SPLICE_F_MOVE)), 10000);
  CHECK_EQ(to, 10100);
  check_content(out, 100, 5000, 10000);
  CHECK_EQ(OK(splice(in, NULL, p[1], NULL, 100, 0)), 100);
  CHECK_EQ(OK(lseek(in, 0, SEEK_CUR)), 100);
}

SUBTEST_FORK(splice_errors) {
  int in = source(), p[2], q[2];
  OK(pipe2(p, 0));
  OK(pipe2(q, 0));
  loff_t at = 0;
  int out = OK(open("out3", O_RDWR | O_CREAT, 0644));
  CHECK_ERR(splice(in, NULL, out, NULL, 10, 0), EINVAL);
  CHECK_ERR(splice(p[0], &at, out, NULL, 10, 0), ESPIPE);
  CHECK_ERR(splice(p[0], NULL, p[1], NULL, 10, 0), EINVAL);
  CHECK_ERR(splice(p[0], NULL, q[1], NULL, 10, SPLICE_F_NONBLOCK), EAGAIN);
  CHECK_ERR(splice(p[0], NULL, q[1], NULL, 10, 0x100), EINVAL);
  CHECK_EQ(OK(splice(p[0], NULL, q[1], NULL, 0, 0)), 0);
  CHECK_ERR(splice(p[1], NULL, q[1], NULL, 10, 0), EBADF);
  OK(close(p[1]));
  CHECK_EQ(OK(splice(p[0], NULL, q[1], NULL, 10, 0)), 0);
  int append = OK(open("out3", O_WRONLY | O_APPEND));
  CHECK_EQ(OK(write(q[1], "x", 1)), 1);
  CHECK_ERR(splice(q[0], NULL, append, NULL, 1, 0), EINVAL);
}

SUBTEST_FORK(splice_between_pipes) {
  int p[2], q[2];
  char buf[16];
  OK(pipe(p));
  OK(pipe(q));
  CHECK_EQ(OK(write(p[1], "abcdef", 6)), 6);
  CHECK_EQ(OK(splice(p[0], NULL, q[1], NULL, 4, 0)), 4);
  CHECK_EQ(OK(read(q[0], buf, 16)), 4);
  CHECK(memcmp(buf, "abcd", 4) == 0);
  CHECK_EQ(OK(read(p[0], buf, 16)), 2);
  // Blocks until something comes.
  pid_t pid = SPAWN({ CHECK_EQ(OK(splice(p[0], NULL, q[1], NULL, 4, 0)), 2); });
  wait_blocked(pid);
  CHECK_EQ(OK(write(p[1], "xy", 2)), 2);
  CHILD_DONE(pid);
  CHECK_EQ(OK(read(q[0], buf, 16)), 2);
}

SUBTEST_FORK(tee_copies) {
  int p[2], q[2];
  char buf[16];
  OK(pipe(p));
  OK(pipe2(q, O_NONBLOCK));
  CHECK_EQ(OK(write(p[1], "abcdef", 6)), 6);
  CHECK_EQ(OK(tee(p[0], q[1], 4, 0)), 4);
  CHECK_EQ(OK(read(q[0], buf, 16)), 4);
  CHECK_EQ(OK(read(p[0], buf, 16)), 6);
  CHECK(memcmp(buf, "abcdef", 6) == 0);
  CHECK_ERR(tee(p[0], q[1], 4, SPLICE_F_NONBLOCK), EAGAIN);
  CHECK_ERR(tee(p[0], p[1], 4, 0), EINVAL);
  int fd = source();
  CHECK_ERR(tee(fd, q[1], 4, 0), EINVAL);
}

SUBTEST_FORK(vmsplice_both_ways) {
  int p[2];
  char a[] = "hello ", b[] = "world", buf[16] = {0};
  struct iovec out[2] = {{a, 6}, {b, 5}}, in = {buf, 16};
  OK(pipe(p));
  CHECK_EQ(OK(vmsplice(p[1], out, 2, 0)), 11);
  CHECK_EQ(OK(vmsplice(p[0], &in, 1, 0)), 11);
  CHECK_STR(buf, "hello world");
  int fd = source();
  CHECK_ERR(vmsplice(fd, out, 2, 0), EBADF);
}

SUBTEST_FORK(copy_range) {
  int in = source(), out = OK(open("out4", O_RDWR | O_CREAT, 0644));
  loff_t from = 100, to = 50;
  size_t done = 0;
  while (done < 100000) {
    ssize_t n = OK(copy_file_range(in, &from, out, &to, 100000 - done, 0));
    CHECK(n > 0);
    done += n;
  }
  CHECK(from == 100100 && to == 100050);
  check_content(out, 50, 100, 100000);
  CHECK_EQ(OK(lseek(in, 0, SEEK_CUR)), 0);
  CHECK_EQ(OK(copy_file_range(in, NULL, out, NULL, 10, 0)), 10);
  CHECK_EQ(OK(lseek(in, 0, SEEK_CUR)), 10);
  CHECK_EQ(OK(lseek(out, 0, SEEK_CUR)), 10);
  CHECK_ERR(copy_file_range(in, NULL, out, NULL, 10, 1), EINVAL);
  from = 0;
  to = 5;
  CHECK_ERR(copy_file_range(in, &from, in, &to, 10, 0), EINVAL);
  from = sizeof pattern;
  CHECK_EQ(OK(copy_file_range(in, &from, out, NULL, 10, 0)), 0);
  int p[2], dir = OK(open(".", O_RDONLY)), append = OK(open("out4", O_WRONLY | O_APPEND));
  OK(pipe(p));
  CHECK_ERR(copy_file_range(in, NULL, p[1], NULL, 10, 0), EINVAL);
  CHECK_ERR(copy_file_range(dir, NULL, out, NULL, 10, 0), EISDIR);
  CHECK_ERR(copy_file_range(in, NULL, append, NULL, 10, 0), EBADF);
}

SUBTEST_FORK(sendfile_from_streams) {
  int in[2], out[2], s[2], null = OK(open("/dev/null", O_WRONLY));
  OK(pipe(in));
  OK(pipe(out));
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  CHECK_EQ(OK(write(in[1], "abc", 3)), 3);
  CHECK_EQ(OK(write(s[1], "xyz", 3)), 3);
  CHECK_ERR(sendfile(null, in[0], NULL, 3), EINVAL);
  CHECK_ERR(sendfile(out[1], in[0], NULL, 3), EINVAL);
  CHECK_ERR(sendfile(s[0], in[0], NULL, 3), EINVAL);
  CHECK_ERR(sendfile(null, s[0], NULL, 3), EINVAL);
  char got[4] = "";
  CHECK_EQ(OK(sendfile(out[1], s[0], NULL, 3)), 3);
  CHECK_EQ(OK(read(out[0], got, 3)), 3);
  CHECK_STR(got, "xyz");
  CHECK_EQ(OK(read(in[0], got, 3)), 3);
  CHECK_STR(got, "abc");
}
