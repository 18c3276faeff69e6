// pty(7), termios(3), ioctl_tty(2).
#include "check.h"
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <termios.h>

static int master, slave;
static void open_pair(void) {
  char name[64];
  master = OK(posix_openpt(O_RDWR | O_NOCTTY));
  OK(grantpt(master));
  OK(unlockpt(master));
  OK0(ptsname_r(master, name, sizeof name));
  slave = OK(open(name, O_RDWR | O_NOCTTY));
}

static struct termios get(void) {
  struct termios t;
  OK(tcgetattr(slave, &t));
  return t;
}
static void set_local(tcflag_t on, tcflag_t off) {
  struct termios t = get();
  t.c_lflag = (t.c_lflag | on) & ~off;
  OK(tcsetattr(slave, TCSANOW, &t));
}
static void type(const char *text) { CHECK_EQ(OK(write(master, text, strlen(text))), strlen(text)); }
// All that can be read: at least `expected` bytes, if others are still to write them, and what follows within 20 ms.
static char *take_from_others(int fd, size_t expected) {
  static char buf[512];
  buf[0] = 0;
  struct pollfd p = {fd, POLLIN, 0};
  size_t used = 0;
  while (poll(&p, 1, used < expected ? 10000 : used ? 20 : 200) == 1 && (p.revents & POLLIN)) {
    ssize_t n = OK(read(fd, buf + used, sizeof buf - 1 - used));
    if (n == 0) break;
    used += n;
  }
  buf[used] = 0;
  return buf;
}
static char *take(int fd) { return take_from_others(fd, 0); }

SUBTEST_FORK(pair) {
  struct stat st;
  int n;
  open_pair();
  CHECK(isatty(slave) && isatty(master));
  OK(fstat(slave, &st));
  CHECK(S_ISCHR(st.st_mode));
  CHECK_EQ(major(st.st_rdev), 136);
  OK(ioctl(master, TIOCGPTN, &n));
  CHECK_EQ(minor(st.st_rdev), n);
  OK(fstat(master, &st));
  CHECK_EQ(st.st_rdev, makedev(5, 2));
  int p[2];
  OK(pipe(p));
  CHECK(!isatty(p[0]) && errno == ENOTTY);
  CHECK_ERR(ioctl(slave, 0x5499, 0), ENOTTY);
}

SUBTEST_FORK(locked_until_unlocked) {
  char name[64];
  int m = OK(open("/dev/ptmx", O_RDWR | O_NOCTTY)), n, off = 0;
  OK(ioctl(m, TIOCGPTN, &n));
  snprintf(name, sizeof name, "/dev/pts/%d", n);
  CHECK_ERR(open(name, O_RDWR | O_NOCTTY), EIO);
  OK(ioctl(m, TIOCSPTLCK, &off));
  OK(close(OK(open(name, O_RDWR | O_NOCTTY))));
  OK(close(m));
  CHECK_ERR(open(name, O_RDWR | O_NOCTTY), ENOENT);
}

SUBTEST_FORK(defaults) {
  open_pair();
  struct termios t = get();
  CHECK_EQ(t.c_iflag, ICRNL | IXON);
  CHECK_EQ(t.c_oflag, OPOST | ONLCR);
  CHECK_EQ(t.c_cflag & ~CBAUD, CS8 | CREAD);
  CHECK_EQ(t.c_lflag, ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN);
  CHECK_EQ(cfgetospeed(&t), B38400);
  CHECK(t.c_cc[VINTR] == 3 && t.c_cc[VQUIT] == 28 && t.c_cc[VERASE] == 127 && t.c_cc[VKILL] == 21 &&
        t.c_cc[VEOF] == 4 && t.c_cc[VSUSP] == 26 && t.c_cc[VMIN] == 1);
}

SUBTEST_FORK(canonical_lines) {
  open_pair();
  set_local(0, ECHO);
  type("hello");
  CHECK_STR(take(slave), "");
  type(" world\rsecond\r");
  char buf[64];
  CHECK_EQ(OK(read(slave, buf, sizeof buf)), 12);
  CHECK(memcmp(buf, "hello world\n", 12) == 0);
  CHECK_EQ(OK(read(slave, buf, 3)), 3);
  CHECK_EQ(OK(read(slave, buf + 3, 60)), 4);
  CHECK(memcmp(buf, "second\n", 7) == 0);
}

SUBTEST_FORK(line_editing) {
  open_pair();
  set_local(0, ECHO);
  type("abx\177cd\r");
  CHECK_STR(take(slave), "abcd\n");
  type("forget this\025kept\r");
  CHECK_STR(take(slave), "kept\n");
  type("two words\027done\r");
  CHECK_STR(take(slave), "two done\n");
  type("\026\003x\r");
  CHECK_STR(take(slave), "\003x\n");
  type("\177\177ok\r");
  CHECK_STR(take(slave), "ok\n");
}

SUBTEST_FORK(end_of_file) {
  open_pair();
  set_local(0, ECHO);
  char buf[16];
  type("\004");
  CHECK_EQ(OK(read(slave, buf, 16)), 0);
  type("part\004");
  CHECK_EQ(OK(read(slave, buf, 16)), 4);
}

SUBTEST_FORK(echo) {
  open_pair();
  // Without NOFLSH the interrupt would throw away the echo before it.
  set_local(NOFLSH, 0);
  type("ab\177c\003x\r");
  CHECK_STR(take(master), "ab\b \bc^Cx\r\n");
  set_local(ECHONL, ECHO);
  type("hidden\r");
  CHECK_STR(take(master), "\r\n");
}

SUBTEST_FORK(output_processing) {
  open_pair();
  CHECK_EQ(OK(write(slave, "a\nb\tc", 5)), 5);
  CHECK_STR(take(master), "a\r\nb\tc");
  struct termios t = get();
  t.c_oflag &= ~OPOST;
  OK(tcsetattr(slave, TCSADRAIN, &t));
  CHECK_EQ(OK(write(slave, "a\nb", 3)), 3);
  CHECK_STR(take(master), "a\nb");
}

SUBTEST_FORK(raw_mode) {
  open_pair();
  struct termios t = get();
  cfmakeraw(&t);
  OK(tcsetattr(slave, TCSANOW, &t));
  char buf[16];
  type("a\r\003");
  CHECK_EQ(OK(read(slave, buf, 16)), 3);
  CHECK(memcmp(buf, "a\r\003", 3) == 0);
  // VMIN 0, VTIME 1: give up after a tenth of a second.
  t.c_cc[VMIN] = 0;
  t.c_cc[VTIME] = 1;
  OK(tcsetattr(slave, TCSANOW, &t));
  long start = now_ms();
  CHECK_EQ(OK(read(slave, buf, 16)), 0);
  CHECK(now_ms() - start >= 90);
  t.c_cc[VMIN] = 3;
  t.c_cc[VTIME] = 0;
  OK(tcsetattr(slave, TCSANOW, &t));
  pid_t pid = SPAWN({
    sleep_ms(20);
    type("x");
    sleep_ms(20);
    type("yz");
  });
  CHECK_EQ(OK(read(slave, buf, 16)), 3);
  CHILD_DONE(pid);
}

SUBTEST_FORK(queues) {
  open_pair();
  set_local(0, ECHO);
  int n;
  type("one\rtwo\r");
  // The line discipline may work on the input after the write has returned.
  struct pollfd p = {slave, POLLIN, 0};
  for (int i = 0; i < 800 && ioctl(slave, FIONREAD, &n) == 0 && n < 8; i++) poll(&p, 1, 10), sleep_ms(1);
  CHECK_EQ(n, 8);
  OK(tcflush(slave, TCIFLUSH));
  CHECK_STR(take(slave), "");
  OK(fcntl(slave, F_SETFL, O_NONBLOCK));
  char c;
  CHECK_ERR(read(slave, &c, 1), EAGAIN);
  CHECK_ERR(tcflush(slave, 99), EINVAL);
  OK(tcdrain(slave));
}

static volatile int resized;
static void on_resize(int sig) {
  (void)sig;
  resized++;
}

SUBTEST_FORK(window_size) {
  open_pair();
  struct winsize w = {24, 80, 0, 0}, got;
  OK(ioctl(slave, TIOCGWINSZ, &got));
  CHECK(got.ws_row == 0 && got.ws_col == 0);
  OK(setsid());
  OK(ioctl(slave, TIOCSCTTY, 0));
  signal(SIGWINCH, on_resize);
  OK(ioctl(master, TIOCSWINSZ, &w));
  for (int i = 0; i < 2000 && resized < 1; i++) sleep_ms(5);
  CHECK_EQ(resized, 1);
  OK(ioctl(slave, TIOCGWINSZ, &got));
  CHECK(got.ws_row == 24 && got.ws_col == 80);
  OK(ioctl(master, TIOCSWINSZ, &w));
  sleep_ms(20);
  CHECK_EQ(resized, 1);
}

SUBTEST_FORK(controlling_terminal) {
  open_pair();
  OK(setsid());
  CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
  CHECK_ERR(tcgetpgrp(slave), ENOTTY);
  OK(ioctl(slave, TIOCSCTTY, 0));
  int tty = OK(open("/dev/tty", O_RDWR));
  CHECK_EQ(OK(write(tty, "hi", 2)), 2);
  CHECK_STR(take(master), "hi");
  CHECK_EQ(OK(tcgetpgrp(tty)), getpid());
  signal(SIGHUP, SIG_IGN);
  signal(SIGCONT, SIG_IGN);
  OK(ioctl(slave, TIOCNOTTY));
  CHECK_ERR(open("/dev/tty", O_RDWR), ENXIO);
}

SUBTEST_FORK(first_open_becomes_the_terminal) {
  char name[64];
  open_pair();
  OK0(ttyname_r(slave, name, sizeof name));
  OK(setsid());
  OK(close(slave));
  slave = OK(open(name, O_RDWR));
  CHECK_EQ(OK(tcgetpgrp(slave)), getpid());
  CHECK(strncmp(name, "/dev/pts/", 9) == 0);
}

SUBTEST_FORK(slave_closed) {
  open_pair();
  OK(close(slave));
  char c;
  CHECK_ERR(read(master, &c, 1), EIO);
  struct pollfd p = {master, POLLIN, 0};
  CHECK_EQ(OK(poll(&p, 1, 0)), 1);
  CHECK(p.revents & POLLHUP);
}

SUBTEST_FORK(readiness) {
  open_pair();
  set_local(0, ECHO);
  struct pollfd p = {slave, POLLIN | POLLOUT, 0};
  CHECK_EQ(OK(poll(&p, 1, 0)), 1);
  CHECK_EQ(p.revents, POLLOUT);
  type("half");
  OK(poll(&p, 1, 20));
  CHECK_EQ(p.revents, POLLOUT);
  type("\r");
  p.events = POLLIN;
  CHECK_EQ(OK(poll(&p, 1, 1000)), 1);
}

SUBTEST_FORK(forkpty_runs_a_shell) {
  int m;
  pid_t pid = OK(forkpty(&m, NULL, NULL, NULL));
  if (pid == 0) {
    execl("/bin/sh", "sh", "-c", "test -t 0 && test -t 1 && echo yes; read line; echo got $line", NULL);
    _exit(99);
  }
  CHECK_STR(take_from_others(m, 5), "yes\r\n");
  CHECK_EQ(OK(write(m, "word\r", 5)), 5);
  CHECK_STR(take_from_others(m, 16), "word\r\ngot word\r\n");
  CHECK_EQ(child_result(pid), 0);
}
