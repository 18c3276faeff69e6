// Pipes, eventfd, epoll, and hand-overs between threads and processes.
#define _GNU_SOURCE
#include "micro.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int in, out;
static pid_t partner;

static void close_both(void) {
  close(in);
  if (out != in) close(out);
}

static void pipe_setup(void) {
  int p[2];
  if (pipe(p) != 0) die("pipe");
  in = p[0];
  out = p[1];
}
static void byte_round(long arg) {
  (void)arg;
  char c = 1;
  if (write(out, &c, 1) != 1 || read(in, &c, 1) != 1) die("write and read of a byte");
}

static void eventfd_setup(void) {
  in = out = eventfd(0, 0);
  if (in < 0) die("eventfd");
}
static void eventfd_round(long arg) {
  (void)arg;
  uint64_t v = 1;
  if (write(out, &v, 8) != 8 || read(in, &v, 8) != 8) die("write and read of an eventfd");
}

static int epoll_fd;
static void epoll_setup(void) {
  eventfd_setup();
  epoll_fd = epoll_create1(0);
  struct epoll_event e = {.events = EPOLLOUT};
  if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, out, &e) != 0) die("epoll");
}
static void epoll_ready(long arg) {
  (void)arg;
  struct epoll_event e;
  if (epoll_wait(epoll_fd, &e, 1, 0) != 1) die("epoll_wait");
}
static void epoll_teardown(void) {
  close(epoll_fd);
  close_both();
}

/** A child that sends each byte back until its stream ends. */
static void start_echo(int from, int to, int other_in, int other_out) {
  partner = fork();
  if (partner < 0) die("fork");
  if (partner != 0) return;
  char c;
  close(other_in);
  if (other_out != other_in) close(other_out);
  while (read(from, &c, 1) == 1 && write(to, &c, 1) == 1) continue;
  _exit(0);
}
static void echo_teardown(void) {
  close_both();
  waitpid(partner, 0, 0);
}
static void pipes_setup(void) {
  int ping[2], pong[2];
  if (pipe(ping) != 0 || pipe(pong) != 0) die("pipe");
  in = pong[0];
  out = ping[1];
  start_echo(ping[0], pong[1], in, out);
  close(ping[0]);
  close(pong[1]);
}
static void unix_setup(void) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) die("socketpair");
  in = out = pair[0];
  start_echo(pair[1], pair[1], in, out);
  close(pair[1]);
}

static void *nothing(void *a) { return a; }
static void thread_join(long arg) {
  (void)arg;
  pthread_t t;
  if (pthread_create(&t, 0, nothing, 0) != 0) die("pthread_create");
  pthread_join(t, 0);
}

enum { MINE, THEIRS, END };
static _Atomic int turn;
static pthread_t futex_thread;
static void futex_wake(void) { syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0); }
static void futex_wait(int while_equal) {
  while (atomic_load(&turn) == while_equal)
    syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, while_equal, 0, 0, 0);
}
static void *futex_partner(void *a) {
  for (;;) {
    futex_wait(MINE);
    if (atomic_load(&turn) == END) return a;
    atomic_store(&turn, MINE);
    futex_wake();
  }
}
static void futex_setup(void) {
  atomic_store(&turn, MINE);
  if (pthread_create(&futex_thread, 0, futex_partner, 0) != 0) die("pthread_create");
}
static void futex_round(long arg) {
  (void)arg;
  atomic_store(&turn, THEIRS);
  futex_wake();
  futex_wait(THEIRS);
}
static void futex_teardown(void) {
  atomic_store(&turn, END);
  futex_wake();
  pthread_join(futex_thread, 0);
}

const struct bench wait_cases[] = {
    {"pipe_self", byte_round, 0, pipe_setup, close_both},
    {"eventfd_self", eventfd_round, 0, eventfd_setup, close_both},
    {"epoll_ready", epoll_ready, 0, epoll_setup, epoll_teardown},
    {"pipe_pingpong", byte_round, 0, pipes_setup, echo_teardown},
    {"unix_pingpong", byte_round, 0, unix_setup, echo_teardown},
    {"thread_create_join", thread_join, 0, 0, 0},
    {"futex_pingpong", futex_round, 0, futex_setup, futex_teardown},
    {0},
};
