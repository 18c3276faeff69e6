// Internet sockets over the loopback interface: connections and datagrams.
#define _GNU_SOURCE
#include "micro.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int fd, listener;
static struct sockaddr_in server;
static pid_t partner;
static char block[65536];

/** A socket of `type` at a free port of 127.0.0.1, whose name goes to `name`. */
static int bound(int type, struct sockaddr_in *name) {
  socklen_t len = sizeof *name;
  *name = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  int s = socket(AF_INET, type, 0);
  if (s < 0 || bind(s, (void *)name, sizeof *name) != 0 || getsockname(s, (void *)name, &len) != 0) die("bind");
  return s;
}

/** A child has one end of a connection, `fd` is the other. */
static int connected(void) {
  int on = 1;
  listener = bound(SOCK_STREAM, &server);
  if (listen(listener, 16) != 0) die("listen");
  fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, (void *)&server, sizeof server) != 0) die("connect");
  int other = accept(listener, 0, 0);
  if (other < 0) die("accept");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(other, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  close(listener);
  partner = fork();
  if (partner < 0) die("fork");
  close(partner == 0 ? fd : other);
  return other;
}
static void end(void) {
  close(fd);
  waitpid(partner, 0, 0);
}

static void echo_setup(void) {
  int other = connected();
  if (partner != 0) return;
  char c;
  while (read(other, &c, 1) == 1 && write(other, &c, 1) == 1) continue;
  _exit(0);
}
static void byte_round(long arg) {
  (void)arg;
  char c = 1;
  if (write(fd, &c, 1) != 1 || read(fd, &c, 1) != 1) die("write and read of a byte");
}

static void stream_setup(void) {
  int other = connected();
  if (partner != 0) return;
  while (read(other, block, sizeof block) > 0) continue;
  _exit(0);
}
static void stream_block(long arg) {
  (void)arg;
  if (write(fd, block, sizeof block) != sizeof block) die("write");
}

/** A child accepts and closes; the client's close comes first, so that its port is the one that rests. */
static void connect_setup(void) {
  listener = bound(SOCK_STREAM, &server);
  if (listen(listener, 128) != 0) die("listen");
  partner = fork();
  if (partner < 0) die("fork");
  if (partner != 0) return;
  char c;
  for (int s; (s = accept(listener, 0, 0)) >= 0; close(s))
    if (read(s, &c, 1) == 1) break;
  _exit(0);
}
static void connect_close(long arg) {
  (void)arg;
  int s = socket(AF_INET, SOCK_STREAM, 0);
  if (s < 0 || connect(s, (void *)&server, sizeof server) != 0) die("connect");
  close(s);
}
static void connect_teardown(void) {
  int s = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(s, (void *)&server, sizeof server) != 0 || write(s, "x", 1) != 1) die("the last connection");
  close(s);
  close(listener);
  waitpid(partner, 0, 0);
}

static void datagram_setup(void) {
  struct sockaddr_in mine, theirs;
  fd = bound(SOCK_DGRAM, &mine);
  int other = bound(SOCK_DGRAM, &theirs);
  if (connect(fd, (void *)&theirs, sizeof theirs) != 0 || connect(other, (void *)&mine, sizeof mine) != 0)
    die("connect");
  partner = fork();
  if (partner < 0) die("fork");
  if (partner != 0) {
    close(other);
    return;
  }
  char c;
  // One without a byte is the end.
  while (read(other, &c, 1) == 1 && write(other, &c, 1) == 1) continue;
  _exit(0);
}
static void datagram_teardown(void) {
  if (write(fd, block, 0) != 0) die("the last datagram");
  end();
}

const struct bench network_cases[] = {
    {"tcp_pingpong", byte_round, 0, echo_setup, end},
    {"tcp_stream_64k", stream_block, 0, stream_setup, end},
    {"tcp_connect_close", connect_close, 0, connect_setup, connect_teardown},
    {"udp_pingpong", byte_round, 0, datagram_setup, datagram_teardown},
    {0},
};
