// unix(7), socket(2), sendmsg(2), cmsg(3).
#include "check.h"
#include <poll.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_un named(const char *path) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  strcpy(a.sun_path, path);
  return a;
}

static int bound(int type, const char *path) {
  struct sockaddr_un a = named(path);
  int fd = OK(socket(AF_UNIX, type, 0));
  OK(bind(fd, (void *)&a, sizeof a));
  return fd;
}

static int connect_to(int fd, const char *path) {
  struct sockaddr_un a = named(path);
  return connect(fd, (void *)&a, sizeof a);
}

SUBTEST_FORK(creation) {
  CHECK_ERR(socket(AF_UNIX, SOCK_RDM, 0), ESOCKTNOSUPPORT);
  CHECK_ERR(socket(AF_UNIX, 99, 0), EINVAL);
  CHECK_ERR(socket(AF_UNIX, SOCK_STREAM, 99), EPROTONOSUPPORT);
  CHECK_ERR(socket(999, SOCK_STREAM, 0), EAFNOSUPPORT);
  int fd = OK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)), value;
  socklen_t len = sizeof value;
  CHECK_EQ(OK(fcntl(fd, F_GETFD)), FD_CLOEXEC);
  CHECK_EQ(OK(fcntl(fd, F_GETFL)), O_RDWR | O_NONBLOCK);
  OK(getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &len));
  CHECK_EQ(value, SOCK_STREAM);
  OK(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &value, &len));
  CHECK_EQ(value, AF_UNIX);
  OK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &value, &len));
  CHECK_EQ(value, 0);
  OK(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &len));
  CHECK_EQ(value, 0);
  CHECK_ERR(getsockopt(fd, SOL_SOCKET, 9999, &value, &len), ENOPROTOOPT);
  CHECK_ERR(setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &value, 1), EINVAL);
  int null = OK(open("/dev/null", O_RDWR));
  CHECK_ERR(getsockopt(null, SOL_SOCKET, SO_TYPE, &value, &len), ENOTSOCK);
  struct stat st;
  OK(fstat(fd, &st));
  CHECK(S_ISSOCK(st.st_mode));
  CHECK_ERR(lseek(fd, 0, SEEK_SET), ESPIPE);
  CHECK_ERR(pread(fd, &value, 1, 0), ESPIPE);
}

SUBTEST_FORK(stream_pair) {
  int s[2], left;
  char buf[16];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  CHECK_EQ(OK(write(s[0], "hello", 5)), 5);
  CHECK_EQ(OK(send(s[0], "world", 5, 0)), 5);
  OK(ioctl(s[1], FIONREAD, &left));
  CHECK_EQ(left, 10);
  CHECK_EQ(OK(recv(s[1], buf, 3, MSG_PEEK)), 3);
  CHECK_EQ(OK(read(s[1], buf, 16)), 10);
  CHECK(memcmp(buf, "helloworld", 10) == 0);
  CHECK_ERR(recv(s[1], buf, 1, MSG_DONTWAIT), EAGAIN);
  CHECK_EQ(OK(write(s[0], "abc", 3)), 3);
  OK(close(s[0]));
  CHECK_EQ(OK(read(s[1], buf, 16)), 3);
  CHECK_EQ(OK(read(s[1], buf, 16)), 0);
  CHECK_ERR(send(s[1], "x", 1, MSG_NOSIGNAL), EPIPE);
  CHECK_EQ(child_result(SPAWN({ if (write(s[1], "x", 1)) _exit(1); })), 256 + SIGPIPE);
}

SUBTEST_FORK(waitall) {
  int s[2];
  char buf[16];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  pid_t pid = SPAWN({
    CHECK_EQ(write(s[0], "abc", 3), 3);
    wait_blocked(getppid());
    CHECK_EQ(write(s[0], "defgh", 5), 5);
  });
  CHECK_EQ(OK(recv(s[1], buf, 8, MSG_WAITALL)), 8);
  CHECK(memcmp(buf, "abcdefgh", 8) == 0);
  CHILD_DONE(pid);
}

SUBTEST_FORK(datagram_pair) {
  int s[2];
  char buf[16];
  OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
  CHECK_EQ(OK(write(s[0], "one", 3)), 3);
  CHECK_EQ(OK(write(s[0], "", 0)), 0);
  CHECK_EQ(OK(write(s[0], "three", 5)), 5);
  CHECK_EQ(OK(recv(s[1], buf, 2, MSG_TRUNC)), 3);
  CHECK_EQ(OK(recv(s[1], buf, 16, 0)), 0);
  CHECK_EQ(OK(recv(s[1], buf, 2, 0)), 2);
  CHECK_ERR(recv(s[1], buf, 2, MSG_DONTWAIT), EAGAIN);
  OK(close(s[1]));
  CHECK_ERR(write(s[0], "x", 1), ECONNREFUSED);
}

SUBTEST_FORK(seqpacket_pair) {
  int s[2];
  char buf[16];
  OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s));
  CHECK_EQ(OK(write(s[0], "one", 3)), 3);
  CHECK_EQ(OK(write(s[0], "second", 6)), 6);
  struct iovec iov = {buf, 16};
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
  CHECK_EQ(OK(recvmsg(s[1], &msg, 0)), 3);
  CHECK_EQ(msg.msg_flags & (MSG_EOR | MSG_TRUNC), MSG_EOR & msg.msg_flags);
  iov.iov_len = 3;
  CHECK_EQ(OK(recvmsg(s[1], &msg, 0)), 3);
  CHECK(msg.msg_flags & MSG_TRUNC);
  OK(close(s[0]));
  CHECK_EQ(OK(read(s[1], buf, 16)), 0);
}

SUBTEST_FORK(listen_connect_accept) {
  int server = bound(SOCK_STREAM, "sock"), value;
  socklen_t len = sizeof value;
  CHECK_ERR(connect_to(OK(socket(AF_UNIX, SOCK_STREAM, 0)), "sock"), ECONNREFUSED);
  CHECK_ERR(accept(server, NULL, NULL), EINVAL);
  OK(listen(server, 5));
  OK(getsockopt(server, SOL_SOCKET, SO_ACCEPTCONN, &value, &len));
  CHECK_EQ(value, 1);
  int client = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  OK(connect_to(client, "sock"));
  CHECK_ERR(connect_to(client, "sock"), EISCONN);
  CHECK_EQ(OK(write(client, "early", 5)), 5);
  struct sockaddr_un peer;
  socklen_t peer_len = sizeof peer;
  int conn = OK(accept4(server, (void *)&peer, &peer_len, SOCK_CLOEXEC));
  CHECK_EQ(peer_len, 2);
  CHECK_EQ(OK(fcntl(conn, F_GETFD)), FD_CLOEXEC);
  char buf[16];
  CHECK_EQ(OK(read(conn, buf, 16)), 5);
  peer_len = sizeof peer;
  OK(getpeername(client, (void *)&peer, &peer_len));
  CHECK_STR(peer.sun_path, "sock");
  CHECK_EQ(peer_len, offsetof(struct sockaddr_un, sun_path) + 5);
  peer_len = sizeof peer;
  OK(getsockname(conn, (void *)&peer, &peer_len));
  CHECK_STR(peer.sun_path, "sock");
  OK(fcntl(server, F_SETFL, O_NONBLOCK));
  CHECK_ERR(accept(server, NULL, NULL), EAGAIN);
  OK(shutdown(conn, SHUT_WR));
  CHECK_EQ(OK(read(client, buf, 16)), 0);
  CHECK_EQ(OK(write(client, "still", 5)), 5);
  CHECK_EQ(OK(read(conn, buf, 16)), 5);
  // Closing with unread data resets the other side.
  CHECK_EQ(OK(write(client, "unread", 6)), 6);
  OK(close(conn));
  CHECK_ERR(read(client, buf, 16), ECONNRESET);
  OK(unlink("sock"));
  CHECK_ERR(connect_to(OK(socket(AF_UNIX, SOCK_STREAM, 0)), "sock"), ENOENT);
}

SUBTEST_FORK(name_errors) {
  int a = bound(SOCK_STREAM, "taken"), b = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  struct sockaddr_un addr = named("taken");
  CHECK_ERR(bind(b, (void *)&addr, sizeof addr), EADDRINUSE);
  addr = named("second");
  CHECK_ERR(bind(a, (void *)&addr, sizeof addr), EINVAL);
  addr = named("no/such/folder");
  CHECK_ERR(bind(b, (void *)&addr, sizeof addr), ENOENT);
  addr.sun_family = AF_INET;
  CHECK_ERR(bind(b, (void *)&addr, sizeof addr), EINVAL);
  put_file("plain", "");
  CHECK_ERR(connect_to(b, "plain"), ECONNREFUSED);
  CHECK_ERR(getpeername(b, (void *)&addr, &(socklen_t){sizeof addr}), ENOTCONN);
  CHECK_ERR(read(b, &addr, 1), EINVAL);
  CHECK_ERR(send(b, "x", 1, MSG_NOSIGNAL), ENOTCONN);
  // Unlike TCP, a socket without a peer may be shut down.
  OK(shutdown(b, SHUT_RD));
  OK(listen(a, 1));
  int d = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
  CHECK_ERR(connect_to(d, "taken"), EPROTOTYPE);
  CHECK_ERR(listen(d, 1), EOPNOTSUPP);
  CHECK_ERR(accept(d, NULL, NULL), EOPNOTSUPP);
}

static int mode_of(const char *path) {
  struct stat st;
  OK(stat(path, &st));
  return st.st_mode & 07777;
}

// What the socket's own mode is when it gets its name: fchmod(2) before bind(2) is how programs avoid a race.
SUBTEST_FORK(mode_of_the_name) {
  const int modes[] = {0754, 0600, 0, 01777, 0777};
  umask(022);
  for (size_t i = 0; i < COUNT(modes); i++) {
    char path[20];
    snprintf(path, sizeof path, "mode%zu", i);
    int fd = OK(socket(AF_UNIX, SOCK_STREAM, 0));
    OK(fchmod(fd, modes[i]));
    struct sockaddr_un a = named(path);
    OK(bind(fd, (void *)&a, sizeof a));
    CHECK_EQ(mode_of(path), modes[i] & ~022);
    OK(fchmod(fd, 0640));
    CHECK_EQ(mode_of(path), modes[i] & ~022);
  }
  bound(SOCK_DGRAM, "usual");
  CHECK_EQ(mode_of("usual"), 0755);
}

SUBTEST_FORK(abstract_names) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  int n = snprintf(a.sun_path + 1, 100, "vedette-test-%d", getpid());
  socklen_t len = offsetof(struct sockaddr_un, sun_path) + 1 + n;
  int server = OK(socket(AF_UNIX, SOCK_STREAM, 0)), client = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  OK(bind(server, (void *)&a, len));
  OK(listen(server, 1));
  OK(connect(client, (void *)&a, len));
  CHECK_ERR(bind(OK(socket(AF_UNIX, SOCK_STREAM, 0)), (void *)&a, len), EADDRINUSE);
  struct sockaddr_un got;
  socklen_t got_len = sizeof got;
  OK(getsockname(server, (void *)&got, &got_len));
  CHECK(got_len == len && memcmp(&got, &a, len) == 0);
  OK(close(server));
  CHECK_ERR(connect(OK(socket(AF_UNIX, SOCK_STREAM, 0)), (void *)&a, len), ECONNREFUSED);
  // Autobind: a name of a zero and five digits.
  int fd = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
  a.sun_family = AF_UNIX;
  OK(bind(fd, (void *)&a, sizeof(sa_family_t)));
  got_len = sizeof got;
  OK(getsockname(fd, (void *)&got, &got_len));
  CHECK_EQ(got_len, offsetof(struct sockaddr_un, sun_path) + 6);
}

SUBTEST_FORK(datagrams_by_name) {
  int a = bound(SOCK_DGRAM, "a"), b = bound(SOCK_DGRAM, "b");
  struct sockaddr_un to = named("b"), from;
  socklen_t len = sizeof from;
  char buf[16];
  CHECK_EQ(OK(sendto(a, "hi", 2, 0, (void *)&to, sizeof to)), 2);
  CHECK_EQ(OK(recvfrom(b, buf, 16, 0, (void *)&from, &len)), 2);
  CHECK_STR(from.sun_path, "a");
  CHECK_ERR(send(a, "x", 1, 0), ENOTCONN);
  OK(connect_to(a, "b"));
  CHECK_EQ(OK(send(a, "x", 1, 0)), 1);
  // b hears only its peer once connected.
  OK(connect_to(b, "b"));
  CHECK_ERR(send(a, "x", 1, 0), EPERM);
  to = named("none");
  CHECK_ERR(sendto(a, "x", 1, 0, (void *)&to, sizeof to), ENOENT);
}

static void send_fds(int s, const int *fds, int n, const char *text) {
  char control[CMSG_SPACE(sizeof(int) * 16)] = {0};
  struct iovec iov = {(void *)text, strlen(text)};
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
                       .msg_controllen = CMSG_SPACE(sizeof(int) * n)};
  struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof(int) * n);
  memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
  CHECK_EQ(OK(sendmsg(s, &msg, 0)), strlen(text));
}

static int receive_fds(int s, int *fds, int room, int flags, int *msg_flags) {
  char control[CMSG_SPACE(sizeof(int) * 16)], buf[64];
  struct iovec iov = {buf, sizeof buf};
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
                       .msg_controllen = room < 0 ? 0 : CMSG_LEN(sizeof(int) * room)};
  OK(recvmsg(s, &msg, flags));
  if (msg_flags) *msg_flags = msg.msg_flags;
  struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
  if (c == NULL || c->cmsg_type != SCM_RIGHTS) return 0;
  int n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  memcpy(fds, CMSG_DATA(c), n * sizeof(int));
  return n;
}

SUBTEST_FORK(passing_descriptors) {
  int s[2], p[2], got[16], flags;
  char c;
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  OK(pipe(p));
  pid_t pid = SPAWN({
    CHECK_EQ(receive_fds(s[1], got, 2, MSG_CMSG_CLOEXEC, NULL), 2);
    CHECK_EQ(OK(fcntl(got[0], F_GETFD)), FD_CLOEXEC);
    CHECK_EQ(OK(write(got[1], "z", 1)), 1);
  });
  send_fds(s[0], p, 2, "m");
  CHILD_DONE(pid);
  CHECK_EQ(OK(read(p[0], &c, 1)), 1);
  CHECK_EQ(c, 'z');
  // No room for all: the rest is closed, and the message says so.
  send_fds(s[0], (int[]){p[0], p[1], p[0]}, 3, "m");
  CHECK_EQ(receive_fds(s[1], got, 1, 0, &flags), 1);
  CHECK(flags & MSG_CTRUNC);
  OK(close(got[0]));
  // A descriptor under way keeps its file open.
  int q[2];
  OK(pipe(q));
  send_fds(s[0], &q[1], 1, "m");
  OK(close(q[1]));
  struct pollfd f = {q[0], POLLIN, 0};
  CHECK_EQ(OK(poll(&f, 1, 0)), 0);
  CHECK_EQ(receive_fds(s[1], got, -1, 0, &flags), 0);
  CHECK(flags & MSG_CTRUNC);
  CHECK_EQ(OK(poll(&f, 1, 1000)), 1);
  CHECK_EQ(f.revents, POLLHUP);
  // Stream messages with descriptors do not merge.
  send_fds(s[0], &p[0], 1, "abc");
  send_fds(s[0], &p[1], 1, "def");
  CHECK_EQ(receive_fds(s[1], got, 4, 0, NULL), 1);
  CHECK_EQ(receive_fds(s[1], got, 4, 0, NULL), 1);
  int bad = 999;
  char control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec iov = {"x", 1};
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
  h->cmsg_level = SOL_SOCKET;
  h->cmsg_type = SCM_RIGHTS;
  h->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(h), &bad, sizeof bad);
  CHECK_ERR(sendmsg(s[0], &msg, 0), EBADF);
}

SUBTEST_FORK(sockets_that_hold_each_other) {
  // A pair sent over itself and closed is a cycle that nobody can reach: it must not break anything.
  for (int i = 0; i < 50; i++) {
    int s[2];
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    send_fds(s[0], s, 2, "m");
    OK(close(s[0]));
    OK(close(s[1]));
  }
}

SUBTEST_FORK(passing_credentials) {
  int s[2], on = 1;
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  struct ucred cred;
  socklen_t len = sizeof cred;
  OK(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &cred, &len));
  CHECK(cred.pid == getpid() && cred.uid == geteuid() && cred.gid == getegid());
  OK(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
  pid_t pid = SPAWN({ CHECK_EQ(write(s[0], "x", 1), 1); });
  CHILD_DONE(pid);
  char control[CMSG_SPACE(sizeof cred)], buf[4];
  struct iovec iov = {buf, 4};
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  CHECK_EQ(OK(recvmsg(s[1], &msg, 0)), 1);
  struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
  CHECK(c != NULL && c->cmsg_type == SCM_CREDENTIALS);
  memcpy(&cred, CMSG_DATA(c), sizeof cred);
  CHECK(cred.pid == pid && cred.uid == getuid() && cred.gid == getgid());
}

SUBTEST_FORK(forged_credentials) {
  NEED_ROOT();
  int s[2];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  struct ucred cred = {getpid(), 0, 0};
  char control[CMSG_SPACE(sizeof cred)] = {0};
  struct iovec iov = {"x", 1};
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_CREDENTIALS;
  c->cmsg_len = CMSG_LEN(sizeof cred);
  memcpy(CMSG_DATA(c), &cred, sizeof cred);
  CHECK_EQ(OK(sendmsg(s[0], &msg, 0)), 1);
  OK(setresuid(1000, 1000, 1000));
  CHECK_ERR(sendmsg(s[0], &msg, 0), EPERM);
}

SUBTEST_FORK(buffers_and_blocking) {
  int s[2], size;
  socklen_t len = sizeof size;
  OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s));
  OK(getsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &size, &len));
  CHECK(size >= 4096);
  char *block = calloc(1, 65536);
  long total = 0;
  for (ssize_t n; (n = write(s[0], block, 65536)) > 0;) total += n;
  CHECK(errno == EAGAIN);
  CHECK(total >= 32768);
  struct pollfd f = {s[0], POLLOUT, 0};
  CHECK_EQ(OK(poll(&f, 1, 0)), 0);
  long seen = 0;
  for (ssize_t n; (n = read(s[1], block, 65536)) > 0;) seen += n;
  CHECK_EQ(seen, total);
  CHECK_EQ(OK(poll(&f, 1, 0)), 1);
  struct timeval t = {0, 30000};
  OK(fcntl(s[1], F_SETFL, 0));
  OK(setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
  long start = now_ms();
  CHECK_ERR(read(s[1], block, 1), EAGAIN);
  CHECK(now_ms() - start >= 29);
}

SUBTEST_FORK(backlog_is_bounded) {
  int server = bound(SOCK_STREAM, "bl"), made = 0;
  OK(listen(server, 2));
  for (; made < 20; made++) {
    int c = OK(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    if (connect_to(c, "bl") < 0) break;
  }
  CHECK(errno == EAGAIN);
  CHECK_EQ(made, 3);
}

SUBTEST_FORK(readiness) {
  int s[2];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  struct pollfd f = {s[0], POLLIN | POLLOUT | POLLRDHUP, 0};
  OK(poll(&f, 1, 0));
  CHECK_EQ(f.revents, POLLOUT);
  OK(shutdown(s[1], SHUT_WR));
  OK(poll(&f, 1, 0));
  CHECK_EQ(f.revents, POLLIN | POLLOUT | POLLRDHUP);
  OK(close(s[1]));
  OK(poll(&f, 1, 0));
  CHECK_EQ(f.revents, POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
  int server = bound(SOCK_STREAM, "rd");
  OK(listen(server, 2));
  f = (struct pollfd){server, POLLIN, 0};
  CHECK_EQ(OK(poll(&f, 1, 0)), 0);
  OK(connect_to(OK(socket(AF_UNIX, SOCK_STREAM, 0)), "rd"));
  CHECK_EQ(OK(poll(&f, 1, 0)), 1);
}

SUBTEST_FORK(many_messages) {
  int s[2];
  OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s));
  struct mmsghdr m[8];
  struct iovec iov[8];
  char bufs[8][16];
  for (int i = 0; i < 8; i++) {
    sprintf(bufs[i], "message %d", i);
    iov[i] = (struct iovec){bufs[i], 9};
    m[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &iov[i], .msg_iovlen = 1}};
  }
  CHECK_EQ(OK(sendmmsg(s[0], m, 8, 0)), 8);
  CHECK_EQ(m[7].msg_len, 9);
  memset(bufs, 0, sizeof bufs);
  CHECK_EQ(OK(recvmmsg(s[1], m, 8, MSG_WAITFORONE, NULL)), 8);
  CHECK_STR(bufs[5], "message 5");
}

SUBTEST_FORK(echo_server) {
  int server = bound(SOCK_STREAM, "echo");
  OK(listen(server, 8));
  pid_t pid = SPAWN({
    for (int i = 0; i < 20; i++) {
      int c = OK(accept(server, NULL, NULL));
      char buf[256];
      ssize_t n;
      while ((n = OK(read(c, buf, sizeof buf))) > 0) CHECK_EQ(write(c, buf, n), n);
      close(c);
    }
  });
  for (int i = 0; i < 20; i++) {
    char buf[256];
    int c = OK(socket(AF_UNIX, SOCK_STREAM, 0));
    OK(connect_to(c, "echo"));
    for (int k = 0; k < 10; k++) {
      CHECK_EQ(OK(write(c, "0123456789", 10)), 10);
      CHECK_EQ(OK(recv(c, buf, 10, MSG_WAITALL)), 10);
    }
    OK(close(c));
  }
  CHILD_DONE(pid);
}
