// What the tests of Internet sockets share. They run in a network namespace of their own with a loopback interface that is up,
// natively and inside, so that nothing but them is there. Without the privilege for one, they use the one that is there.
#pragma once
#include "check.h"
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

// Runs before the list of subtests is made: constructors with a priority come first.
__attribute__((constructor(101), unused)) static void own_network(void) {
  if (unshare(CLONE_NEWNET) < 0) return;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct ifreq up = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &up) < 0) {
    say("FAIL the loopback interface does not come up: %s\n", strerrorname_np(errno));
    _exit(1);
  }
  close(fd);
  // IPv6 addresses are usable some time after that.
  for (int i = 0; i < 100; i++) {
    struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    int s = socket(AF_INET6, SOCK_STREAM, 0), ok = bind(s, (void *)&a, sizeof a) == 0;
    close(s);
    if (ok) return;
    sleep_ms(20);
  }
}

__attribute__((unused)) static struct sockaddr_in in4(const char *text, int port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  CHECK(inet_pton(AF_INET, text, &a.sin_addr) == 1);
  return a;
}

__attribute__((unused)) static struct sockaddr_in6 in6(const char *text, int port) {
  struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  CHECK(inet_pton(AF_INET6, text, &a.sin6_addr) == 1);
  return a;
}

// The port that a socket is bound to.
__attribute__((unused)) static int port_of(int fd) {
  struct sockaddr_in6 a;
  socklen_t len = sizeof a;
  OK(getsockname(fd, (void *)&a, &len));
  return ntohs(a.sin6_port);
}

// A socket of `type` bound to 127.0.0.1; listening, when it is a stream.
__attribute__((unused)) static int bound4(int type) {
  struct sockaddr_in a = in4("127.0.0.1", 0);
  int fd = OK(socket(AF_INET, type, 0));
  OK(bind(fd, (void *)&a, sizeof a));
  if ((type & 0xf) == SOCK_STREAM) OK(listen(fd, 16));
  return fd;
}

__attribute__((unused)) static int bound6(int type, const char *text) {
  struct sockaddr_in6 a = in6(text, 0);
  int fd = OK(socket(AF_INET6, type, 0));
  OK(bind(fd, (void *)&a, sizeof a));
  if ((type & 0xf) == SOCK_STREAM) OK(listen(fd, 16));
  return fd;
}

__attribute__((unused)) static int connect4(int fd, int port) {
  struct sockaddr_in a = in4("127.0.0.1", port);
  return connect(fd, (void *)&a, sizeof a);
}

// A connection over 127.0.0.1.
__attribute__((unused)) static void tcp_pair(int s[2]) {
  int l = bound4(SOCK_STREAM);
  s[0] = OK(socket(AF_INET, SOCK_STREAM, 0));
  OK(connect4(s[0], port_of(l)));
  s[1] = OK(accept(l, NULL, NULL));
  OK(close(l));
}

// Two UDP sockets that are connected to each other.
__attribute__((unused)) static void udp_pair(int s[2]) {
  s[0] = bound4(SOCK_DGRAM);
  s[1] = bound4(SOCK_DGRAM);
  OK(connect4(s[0], port_of(s[1])));
  OK(connect4(s[1], port_of(s[0])));
}

__attribute__((unused)) static int int_option(int fd, int level, int name) {
  int value = -12345;
  socklen_t len = sizeof value;
  OK(getsockopt(fd, level, name, &value, &len));
  CHECK_EQ(len, sizeof value);
  return value;
}

__attribute__((unused)) static void set_int(int fd, int level, int name, int value) {
  OK(setsockopt(fd, level, name, &value, sizeof value));
}

// poll(2) of one descriptor: the events that hold.
__attribute__((unused)) static int events_of(int fd, int wanted, int timeout_ms) {
  struct pollfd p = {fd, wanted, 0};
  OK(poll(&p, 1, timeout_ms));
  return p.revents;
}

__attribute__((unused)) static void nothing(int sig) { (void)sig; }
