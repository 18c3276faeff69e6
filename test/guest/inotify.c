// inotify(7).
#include "check.h"
#include <poll.h>
#include <sys/inotify.h>

static char buffer[8192] __attribute__((aligned(8)));
static char *log_of(int fd) {
  static char text[4096];
  struct pollfd p = {fd, POLLIN, 0};
  text[0] = 0;
  while (poll(&p, 1, 0) == 1) {
    ssize_t n = OK(read(fd, buffer, sizeof buffer));
    for (ssize_t at = 0; at < n;) {
      struct inotify_event *e = (void *)(buffer + at);
      sprintf(text + strlen(text), "%x%s%s ", e->mask, e->len ? ":" : "", e->len ? e->name : "");
      at += sizeof *e + e->len;
    }
  }
  return text;
}

SUBTEST_FORK(folder_events) {
  int fd = OK(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  OK(mkdir("d", 0755));
  CHECK(OK(inotify_add_watch(fd, "d", IN_CREATE | IN_DELETE | IN_MODIFY | IN_MOVE | IN_CLOSE_WRITE | IN_OPEN)) > 0);
  CHECK_ERR(read(fd, buffer, sizeof buffer), EAGAIN);
  put_file("d/a", "x");
  CHECK_STR(log_of(fd), "100:a 20:a 2:a 8:a ");
  OK(rename("d/a", "d/b"));
  CHECK_STR(log_of(fd), "40:a 80:b ");
  OK(mkdir("d/sub", 0755));
  CHECK_STR(log_of(fd), "40000100:sub ");
  OK(unlink("d/b"));
  OK(rmdir("d/sub"));
  CHECK_STR(log_of(fd), "200:b 40000200:sub ");
  OK(rename("d", "d2"));
  CHECK_STR(log_of(fd), "");
}

SUBTEST_FORK(move_cookie) {
  int fd = OK(inotify_init1(IN_NONBLOCK));
  OK(mkdir("mc", 0755));
  put_file("mc/a", "");
  OK(inotify_add_watch(fd, "mc", IN_MOVE));
  OK(rename("mc/a", "mc/b"));
  ssize_t n = OK(read(fd, buffer, sizeof buffer));
  struct inotify_event *from = (void *)buffer, *to = (void *)(buffer + sizeof *from + from->len);
  CHECK_EQ(n, 2 * sizeof *from + from->len + to->len);
  CHECK(from->cookie != 0 && from->cookie == to->cookie);
  CHECK_EQ(from->len % sizeof *from, 0);
}

SUBTEST_FORK(file_events) {
  int fd = OK(inotify_init1(IN_NONBLOCK));
  put_file("f", "abc");
  int wd = OK(inotify_add_watch(fd, "f", IN_ALL_EVENTS));
  int file = OK(open("f", O_RDWR));
  char c;
  CHECK_EQ(OK(read(file, &c, 1)), 1);
  CHECK_EQ(OK(write(file, "x", 1)), 1);
  // An event equal to the one before it is dropped.
  OK(ftruncate(file, 0));
  OK(fchmod(file, 0600));
  OK(close(file));
  CHECK_STR(log_of(fd), "20 1 2 4 8 ");
  OK(close(OK(open("f", O_RDONLY))));
  CHECK_STR(log_of(fd), "20 10 ");
  OK(unlink("f"));
  CHECK_STR(log_of(fd), "4 400 8000 ");
  CHECK_ERR(inotify_rm_watch(fd, wd), EINVAL);
}

SUBTEST_FORK(watch_flags) {
  int fd = OK(inotify_init1(IN_NONBLOCK));
  OK(mkdir("wf", 0755));
  put_file("wf/x", "");
  CHECK_ERR(inotify_add_watch(fd, "wf/x", IN_OPEN | IN_ONLYDIR), ENOTDIR);
  int wd = OK(inotify_add_watch(fd, "wf", IN_CREATE));
  CHECK_EQ(OK(inotify_add_watch(fd, "wf", IN_DELETE)), wd);
  put_file("wf/y", "");
  OK(unlink("wf/y"));
  CHECK_STR(log_of(fd), "200:y ");
  OK(inotify_add_watch(fd, "wf", IN_CREATE | IN_MASK_ADD));
  CHECK_ERR(inotify_add_watch(fd, "wf", IN_CREATE | IN_MASK_CREATE), EEXIST);
  put_file("wf/y", "");
  CHECK_STR(log_of(fd), "100:y ");
  OK(inotify_rm_watch(fd, wd));
  CHECK_STR(log_of(fd), "8000 ");
  CHECK(OK(inotify_add_watch(fd, "wf", IN_OPEN | IN_ONESHOT)) > wd);
  OK(close(OK(open("wf/x", O_RDONLY))));
  OK(close(OK(open("wf/x", O_RDONLY))));
  CHECK_STR(log_of(fd), "20:x 8000 ");
  OK(symlink("wf", "wl"));
  OK(inotify_add_watch(fd, "wl", IN_CREATE | IN_DONT_FOLLOW));
  put_file("wf/z", "");
  CHECK_STR(log_of(fd), "");
}

SUBTEST_FORK(errors) {
  int fd = OK(inotify_init1(IN_NONBLOCK));
  CHECK_ERR(inotify_init1(0x40), EINVAL);
  CHECK_ERR(inotify_add_watch(fd, "none", IN_OPEN), ENOENT);
  CHECK_ERR(inotify_add_watch(fd, ".", 0), EINVAL);
  CHECK_ERR(inotify_add_watch(99, ".", IN_OPEN), EBADF);
  CHECK_ERR(inotify_add_watch(1, ".", IN_OPEN), EINVAL);
  CHECK_ERR(inotify_rm_watch(fd, 1234), EINVAL);
  OK(inotify_add_watch(fd, ".", IN_CREATE));
  put_file("some-file", "");
  CHECK_ERR(read(fd, buffer, 16), EINVAL);
}

SUBTEST_FORK(equal_events_are_joined) {
  int fd = OK(inotify_init1(IN_NONBLOCK));
  put_file("j", "");
  OK(inotify_add_watch(fd, "j", IN_MODIFY));
  int file = OK(open("j", O_WRONLY));
  for (int i = 0; i < 10; i++) CHECK_EQ(OK(write(file, "x", 1)), 1);
  CHECK_STR(log_of(fd), "2 ");
}

SUBTEST_FORK(blocking_read) {
  int fd = OK(inotify_init1(0));
  OK(mkdir("br", 0755));
  OK(inotify_add_watch(fd, "br", IN_CREATE));
  pid_t parent = getpid(), pid = SPAWN({
    wait_blocked(parent);
    put_file("br/n", "");
  });
  CHECK(OK(read(fd, buffer, sizeof buffer)) > 0);
  CHECK_STR(((struct inotify_event *)buffer)->name, "n");
  CHILD_DONE(pid);
}
