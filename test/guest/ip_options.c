// ip(7): IP_OPTIONS, IP_RECVOPTS and IP_RETOPTS, on the loopback interface: routes are recorded by who sends and who receives.
#include "net.h"
#include <netinet/ip.h>

static void show(const char *what, const unsigned char *bytes, int n) {
  char text[200] = "";
  for (int i = 0; i < n; i++) sprintf(text + 3 * i, " %02x", bytes[i]);
  say("%s:%s\n", what, text);
}

static void set(int fd, const char *what, const void *options, int n) {
  int r = setsockopt(fd, IPPROTO_IP, IP_OPTIONS, options, n);
  if (r < 0) {
    say("%s: %s\n", what, strerrorname_np(errno));
    return;
  }
  unsigned char back[60];
  socklen_t len = sizeof back;
  OK(getsockopt(fd, IPPROTO_IP, IP_OPTIONS, back, &len));
  show(what, back, len);
}

// What a datagram brings; time stamps are shown as ff, when they are of today.
static void hear(int fd, int stamp_at) {
  char buf[64], control[512];
  struct iovec v = {buf, sizeof buf};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  int n = OK(recvmsg(fd, &m, 0));
  say("%d bytes\n", n);
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) {
    unsigned char *data = CMSG_DATA(c);
    int len = c->cmsg_len - CMSG_LEN(0);
    if (stamp_at > 0 && c->cmsg_type == IP_RECVOPTS) {
      for (int at = stamp_at; at + 4 <= len && at < stamp_at + 8; at += 4) {
        unsigned stamp;
        memcpy(&stamp, data + at, 4);
        CHECK(ntohl(stamp) < 86400000);
        memset(data + at, 0xff, 4);
      }
    } else if (stamp_at > 0) memset(data + stamp_at, 0xff, 8);
    show(c->cmsg_type == IP_RECVOPTS ? "IP_RECVOPTS" : c->cmsg_type == IP_RETOPTS ? "IP_RETOPTS" : "other", data, len);
  }
}

SUBTEST_FORK(values) {
  int u = OK(socket(AF_INET, SOCK_DGRAM, 0));
  set(u, "nothing", "", 0);
  set(u, "no operation", "\1", 1);
  set(u, "end and more", "\1\0\7\7", 4);
  set(u, "record route", "\7\7\4\0\0\0\0", 7);
  set(u, "full record", "\7\7\10\1\2\3\4", 7);
  set(u, "pointer too small", "\7\7\3\0\0\0\0", 7);
  set(u, "pointer in between", "\7\7\5\0\0\0\0", 7);
  set(u, "longer than all", "\7\10\4\0\0\0\0", 7);
  set(u, "two records", "\7\3\4\7\3\4", 6);
  set(u, "short", "\7", 1);
  set(u, "stamps", "\104\14\5\0\0\0\0\0\0\0\0\0", 12);
  set(u, "stamps with addresses", "\104\14\5\1\0\0\0\0\0\0\0\0", 12);
  set(u, "no room for a stamp", "\104\10\6\1\0\0\0\0", 8);
  set(u, "overflow", "\104\4\5\360", 4);
  set(u, "router alert", "\224\4\0\0", 4);
  set(u, "short alert", "\224\3\0", 3);
  char many[44] = {0};
  memset(many, 1, sizeof many);
  set(u, "forty", many, 40);
  set(u, "too many", many, 41);
  set(u, "nothing", "", 0);
  // What is not known is for those with privileges alone.
  CHILD {
    if (geteuid() == 0) OK(setresuid(65534, 65534, 65534));
    set(u, "unknown", "\222\4\0\0", 4);
    set(u, "unknown kind of stamps", "\104\10\5\2\0\0\0\0", 8);
  }
}

SUBTEST_FORK(recorded) {
  int s = bound4(SOCK_DGRAM), r = bound4(SOCK_DGRAM);
  struct sockaddr_in to = in4("127.0.0.1", port_of(r));
  set_int(r, IPPROTO_IP, IP_RECVOPTS, 1);
  set_int(r, IPPROTO_IP, IP_RETOPTS, 1);
  OK(sendto(s, "plain", 5, 0, (void *)&to, sizeof to));
  hear(r, 0);
  set(s, "record route", "\1\7\17\4\0\0\0\0\0\0\0\0\0\0\0\0", 16);
  OK(sendto(s, "route", 5, 0, (void *)&to, sizeof to));
  hear(r, 0);
  set(s, "one place", "\7\7\4\0\0\0\0", 7);
  OK(sendto(s, "small", 5, 0, (void *)&to, sizeof to));
  hear(r, 0);
  // Large ones are cut into fragments, which bring them too.
  static char large[40000];
  set(s, "alert", "\224\4\0\0", 4);
  OK(sendto(s, large, sizeof large, 0, (void *)&to, sizeof to));
  hear(r, 0);
  set(s, "nothing", "", 0);
  OK(sendto(s, "plain", 5, 0, (void *)&to, sizeof to));
  hear(r, 0);
}

SUBTEST_FORK(stamped) {
  int s = bound4(SOCK_DGRAM), r = bound4(SOCK_DGRAM);
  struct sockaddr_in to = in4("127.0.0.1", port_of(r));
  set_int(r, IPPROTO_IP, IP_RECVOPTS, 1);
  set(s, "stamps", "\104\14\5\0\0\0\0\0\0\0\0\0", 12);
  OK(sendto(s, "stamp", 5, 0, (void *)&to, sizeof to));
  hear(r, 4);
}

SUBTEST_FORK(with_one_send) {
  int s = bound4(SOCK_DGRAM), r = bound4(SOCK_DGRAM);
  struct sockaddr_in to = in4("127.0.0.1", port_of(r));
  set_int(r, IPPROTO_IP, IP_RECVOPTS, 1);
  union {
    char bytes[CMSG_SPACE(4)];
    struct cmsghdr h;
  } c = {.h = {CMSG_LEN(4), IPPROTO_IP, IP_RETOPTS}};
  memcpy(CMSG_DATA(&c.h), "\1\1\1\1", 4);
  struct iovec v = {"hello", 5};
  struct msghdr m = {.msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof c};
  OK(sendmsg(s, &m, 0));
  hear(r, 0);
  OK(sendto(s, "plain", 5, 0, (void *)&to, sizeof to));
  hear(r, 0);
  memcpy(CMSG_DATA(&c.h), "\7\4\1\1", 4);
  CHECK_ERR(sendmsg(s, &m, 0), EINVAL);
}

// A raw socket sees the header, with what was written by the way.
SUBTEST_FORK(header) {
  int raw = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
  if (raw < 0) SKIP("no privilege for raw sockets");
  int s = bound4(SOCK_DGRAM), r = bound4(SOCK_DGRAM);
  struct sockaddr_in to = in4("127.0.0.1", port_of(r));
  set(s, "record route", "\7\13\4\0\0\0\0\0\0\0\0", 11);
  OK(sendto(s, "route", 5, 0, (void *)&to, sizeof to));
  unsigned char buf[100];
  int n = OK(recv(raw, buf, sizeof buf, 0));
  unsigned sum = 0;
  for (int i = 0; i < (buf[0] & 15) * 4; i += 2) sum += buf[i] << 8 | buf[i + 1];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  say("%d bytes, header of %d words, sum %x\n", n, buf[0] & 15, sum);
  show("options", buf + 20, (buf[0] & 15) * 4 - 20);
}

// An answer to an echo request goes on with its options: on loopback each of the two packets is written by its sender and its receiver.
static void echo_with(const char *what, const char *options, int size) {
  int raw = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
  if (raw < 0) SKIP("no privilege for raw sockets");
  set(raw, what, options, size);
  static const unsigned char echo[8] = {8, 0, 0xf7, 0xfd, 0, 1, 0, 1};
  struct sockaddr_in to = in4("127.0.0.1", 0);
  OK(sendto(raw, echo, 8, 0, (void *)&to, sizeof to));
  for (int i = 0; i < 2; i++) {
    unsigned char buf[100];
    OK(recv(raw, buf, sizeof buf, 0));
    int header = (buf[0] & 15) * 4;
    if (buf[20] == 68)  // of time stamps, the time is another each time
      for (int at = 24; at + 4 < 20 + buf[21]; at += 8) memset(buf + at + 4, 0, 4);
    say("type %d: ", buf[header]);
    show("options", buf + 20, header - 20);
  }
}
SUBTEST_FORK(echo_records_the_route) { echo_with("record route", "\7\27\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 23); }
SUBTEST_FORK(echo_has_stamps_with_addresses) { echo_with("stamps", "\104\44\5\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 36); }
SUBTEST_FORK(echo_has_no_room_for_a_route) { echo_with("record route", "\7\7\4\0\0\0\0", 7); }
