// signal(7): sigaction(2) flags, masks, queues and their order, siginfo of each source, interrupted calls.
#include "check.h"
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <ucontext.h>

static volatile int hits, order[64];
static volatile siginfo_t last;
static void *volatile last_sp;

static void on_signal(int sig, siginfo_t *info, void *context) {
  (void)context;
  int local;
  last_sp = &local;
  if (hits < 64) order[hits] = sig;
  hits++;
  if (info != NULL) *(siginfo_t *)&last = *info;
}

static void handle(int sig, int flags) {
  struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = flags | SA_SIGINFO};
  OK(sigaction(sig, &sa, NULL));
  hits = 0;
}

static sigset_t set_of(int a, int b, int c) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, a);
  if (b) sigaddset(&set, b);
  if (c) sigaddset(&set, c);
  return set;
}

SUBTEST_FORK(handler_runs) {
  handle(SIGUSR1, 0);
  OK(raise(SIGUSR1));
  CHECK_EQ(hits, 1);
  OK(kill(getpid(), SIGUSR1));
  CHECK_EQ(hits, 2);
  CHECK_EQ(last.si_signo, SIGUSR1);
  CHECK_EQ(last.si_code, SI_USER);
  CHECK_EQ(last.si_pid, getpid());
  CHECK_EQ(last.si_uid, getuid());
  OK(tgkill(getpid(), gettid(), SIGUSR1));
  CHECK_EQ(last.si_code, SI_TKILL);
  OK(syscall(SYS_tkill, gettid(), SIGUSR1));
  CHECK_EQ(hits, 4);
  CHECK_ERR(tgkill(getpid(), 0x3ffffff, SIGUSR1), ESRCH);
  CHECK_ERR(tgkill(-1, gettid(), SIGUSR1), EINVAL);
}

SUBTEST_FORK(action_is_read_back) {
  struct sigaction in = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART | SA_NODEFER}, out;
  in.sa_mask = set_of(SIGUSR2, SIGTERM, SIGKILL);
  OK(sigaction(SIGUSR1, &in, NULL));
  OK(sigaction(SIGUSR1, NULL, &out));
  CHECK(out.sa_sigaction == on_signal);
  CHECK_EQ(out.sa_flags & ~0x04000000, SA_SIGINFO | SA_RESTART | SA_NODEFER);
  CHECK(sigismember(&out.sa_mask, SIGUSR2) && sigismember(&out.sa_mask, SIGTERM));
  CHECK(!sigismember(&out.sa_mask, SIGKILL));
  CHECK_ERR(sigaction(SIGKILL, &in, NULL), EINVAL);
  CHECK_ERR(sigaction(SIGSTOP, &in, NULL), EINVAL);
  OK(sigaction(SIGKILL, NULL, &out));
  CHECK_ERR(sigaction(65, &in, NULL), EINVAL);
  CHECK_ERR(sigaction(0, &in, NULL), EINVAL);
  CHECK_ERR(syscall(SYS_rt_sigaction, SIGUSR1, &in, NULL, 4), EINVAL);
}

SUBTEST_FORK(blocked_then_delivered) {
  handle(SIGUSR1, 0);
  sigset_t set = set_of(SIGUSR1, 0, 0), old, pending;
  OK(sigprocmask(SIG_BLOCK, &set, &old));
  raise(SIGUSR1);
  raise(SIGUSR1);
  CHECK_EQ(hits, 0);
  OK(sigpending(&pending));
  CHECK(sigismember(&pending, SIGUSR1));
  OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
  // A standard signal does not queue.
  CHECK_EQ(hits, 1);
  OK(sigpending(&pending));
  CHECK(!sigismember(&pending, SIGUSR1));
  CHECK_ERR(sigprocmask(99, &set, NULL), EINVAL);
  set = set_of(SIGKILL, SIGSTOP, SIGUSR2);
  OK(sigprocmask(SIG_SETMASK, &set, NULL));
  OK(sigprocmask(SIG_SETMASK, NULL, &old));
  CHECK(!sigismember(&old, SIGKILL) && !sigismember(&old, SIGSTOP) && sigismember(&old, SIGUSR2));
}

SUBTEST_FORK(ignored_are_dropped) {
  handle(SIGUSR1, 0);
  sigset_t set = set_of(SIGUSR1, 0, 0), pending;
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  raise(SIGUSR1);
  // Setting "ignore" throws away what is pending.
  signal(SIGUSR1, SIG_IGN);
  OK(sigpending(&pending));
  CHECK(!sigismember(&pending, SIGUSR1));
  OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
  raise(SIGUSR1);
  raise(SIGCHLD);
  raise(SIGURG);
  raise(SIGWINCH);
  raise(SIGCONT);
}

SUBTEST_FORK(default_actions) {
  int fatal[] = {SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGSEGV, SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, SIGSTKFLT,
                 SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSYS, SIGTRAP, SIGBUS, SIGFPE, SIGILL};
  for (size_t i = 0; i < COUNT(fatal); i++) {
    pid_t pid = SPAWN({
      raise(fatal[i]);
      _exit(0);
    });
    CHECK_EQ(child_result(pid), 256 + fatal[i]);
  }
  CHECK_EQ(child_result(SPAWN({ raise(SIGRTMIN + 3); })), 256 + SIGRTMIN + 3);
}

SUBTEST_FORK(realtime_queue) {
  int sig = SIGRTMIN + 2;
  handle(sig, 0);
  sigset_t set = set_of(sig, 0, 0);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  for (int i = 0; i < 5; i++) OK(sigqueue(getpid(), sig, (union sigval){.sival_int = 100 + i}));
  siginfo_t info;
  for (int i = 0; i < 5; i++) {
    CHECK_EQ(OK(sigwaitinfo(&set, &info)), sig);
    CHECK_EQ(info.si_value.sival_int, 100 + i);
    CHECK_EQ(info.si_code, SI_QUEUE);
    CHECK_EQ(info.si_pid, getpid());
  }
  for (int i = 0; i < 3; i++) OK(sigqueue(getpid(), sig, (union sigval){.sival_int = i}));
  OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
  CHECK_EQ(hits, 3);
}

SUBTEST_FORK(delivery_order) {
  int signals[] = {SIGRTMIN + 5, SIGUSR2, SIGRTMIN + 1, SIGUSR1, SIGRTMIN + 1, SIGHUP};
  sigset_t all;
  sigfillset(&all);
  for (size_t i = 0; i < COUNT(signals); i++) {
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO, .sa_mask = all};
    OK(sigaction(signals[i], &sa, NULL));
  }
  hits = 0;
  OK(sigprocmask(SIG_BLOCK, &all, NULL));
  for (size_t i = 0; i < COUNT(signals); i++) OK(kill(getpid(), signals[i]));
  OK(sigprocmask(SIG_UNBLOCK, &all, NULL));
  // Each handler masks everything, so they run one after another: lowest number first, equal ones as queued.
  int want[] = {SIGHUP, SIGUSR1, SIGUSR2, SIGRTMIN + 1, SIGRTMIN + 1, SIGRTMIN + 5};
  CHECK_EQ(hits, COUNT(want));
  for (size_t i = 0; i < COUNT(want); i++) CHECK_EQ(order[i], want[i]);
}

static volatile int depth, deepest;
static void nesting(int sig) {
  depth++;
  if (depth > deepest) deepest = depth;
  if (hits++ < 3) raise(sig);
  depth--;
}

SUBTEST_FORK(nodefer) {
  struct sigaction sa = {.sa_handler = nesting};
  OK(sigaction(SIGUSR1, &sa, NULL));
  hits = depth = deepest = 0;
  raise(SIGUSR1);
  CHECK_EQ(deepest, 1);
  CHECK_EQ(hits, 4);
  sa.sa_flags = SA_NODEFER;
  OK(sigaction(SIGUSR1, &sa, NULL));
  hits = depth = deepest = 0;
  raise(SIGUSR1);
  CHECK_EQ(deepest, 4);
}

SUBTEST_FORK(resethand) {
  handle(SIGUSR1, SA_RESETHAND);
  raise(SIGUSR1);
  CHECK_EQ(hits, 1);
  struct sigaction now;
  OK(sigaction(SIGUSR1, NULL, &now));
  CHECK(now.sa_handler == SIG_DFL);
  CHECK_EQ(child_result(SPAWN({ raise(SIGUSR1); })), 256 + SIGUSR1);
}

static sigset_t mask_in_handler;
static void record_mask(int sig) {
  (void)sig;
  sigprocmask(SIG_BLOCK, NULL, &mask_in_handler);
}

SUBTEST_FORK(mask_during_handler) {
  struct sigaction sa = {.sa_handler = record_mask, .sa_mask = set_of(SIGTERM, 0, 0)};
  OK(sigaction(SIGUSR1, &sa, NULL));
  sigset_t set = set_of(SIGUSR2, 0, 0), after;
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  raise(SIGUSR1);
  CHECK(sigismember(&mask_in_handler, SIGUSR1) && sigismember(&mask_in_handler, SIGTERM) &&
        sigismember(&mask_in_handler, SIGUSR2));
  OK(sigprocmask(SIG_BLOCK, NULL, &after));
  CHECK(!sigismember(&after, SIGUSR1) && !sigismember(&after, SIGTERM) && sigismember(&after, SIGUSR2));
}

SUBTEST_FORK(alternate_stack) {
  static char stack[32768] __attribute__((aligned(16)));
  stack_t alt = {.ss_sp = stack, .ss_size = sizeof stack}, old;
  OK(sigaltstack(&alt, &old));
  CHECK_EQ(old.ss_flags, SS_DISABLE);
  handle(SIGUSR1, SA_ONSTACK);
  raise(SIGUSR1);
  CHECK((char *)last_sp > stack && (char *)last_sp < stack + sizeof stack);
  handle(SIGUSR2, 0);
  raise(SIGUSR2);
  CHECK(!((char *)last_sp > stack && (char *)last_sp < stack + sizeof stack));
  OK(sigaltstack(NULL, &old));
  CHECK(old.ss_sp == stack && old.ss_size == sizeof stack && old.ss_flags == 0);
  alt.ss_size = 1024;
  CHECK_ERR(sigaltstack(&alt, NULL), ENOMEM);
  alt.ss_size = sizeof stack;
  alt.ss_flags = 0x1234;
  CHECK_ERR(sigaltstack(&alt, NULL), EINVAL);
  alt.ss_flags = SS_DISABLE;
  OK(sigaltstack(&alt, NULL));
  raise(SIGUSR1);
  CHECK(!((char *)last_sp > stack && (char *)last_sp < stack + sizeof stack));
}

static volatile int alt_flags, alt_error;
static void change_alt_stack(int sig) {
  (void)sig;
  stack_t now, off = {.ss_flags = SS_DISABLE};
  sigaltstack(NULL, &now);
  alt_flags = now.ss_flags;
  alt_error = sigaltstack(&off, NULL) == 0 ? 0 : errno;
}

SUBTEST_FORK(alternate_stack_in_use) {
  static char stack[32768];
  stack_t alt = {.ss_sp = stack, .ss_size = sizeof stack};
  OK(sigaltstack(&alt, NULL));
  struct sigaction sa = {.sa_handler = change_alt_stack, .sa_flags = SA_ONSTACK};
  OK(sigaction(SIGUSR1, &sa, NULL));
  raise(SIGUSR1);
  CHECK_EQ(alt_flags, SS_ONSTACK);
  CHECK_EQ(alt_error, EPERM);
}

static void recurse_forever(volatile char *p) {
  volatile char block[4096];
  block[0] = *p;
  recurse_forever(block);
  block[1] = 0;
}
static sigjmp_buf overflow_env;
static void on_overflow(int sig) { siglongjmp(overflow_env, sig); }

SUBTEST_FORK(stack_overflow_is_caught) {
  static char stack[32768];
  struct rlimit limit = {1 << 20, RLIM_INFINITY};
  OK(getrlimit(RLIMIT_STACK, &limit));
  limit.rlim_cur = 1 << 20;
  OK(setrlimit(RLIMIT_STACK, &limit));
  stack_t alt = {.ss_sp = stack, .ss_size = sizeof stack};
  OK(sigaltstack(&alt, NULL));
  struct sigaction sa = {.sa_handler = on_overflow, .sa_flags = SA_ONSTACK};
  OK(sigaction(SIGSEGV, &sa, NULL));
  if (sigsetjmp(overflow_env, 1) == 0) {
    char c = 0;
    recurse_forever(&c);
  }
  // And without an alternate stack the signal kills.
  pid_t pid = SPAWN({
    alt.ss_flags = SS_DISABLE;
    sigaltstack(&alt, NULL);
    char c = 0;
    recurse_forever(&c);
  });
  CHECK_EQ(child_result(pid), 256 + SIGSEGV);
}

// A child sends the signal once the parent sleeps in its call.
static pid_t poke_later(int sig) {
  pid_t parent = getpid();
  return SPAWN({
    wait_blocked(parent);
    kill(parent, sig);
  });
}

SUBTEST_FORK(calls_are_interrupted) {
  handle(SIGUSR1, 0);
  int p[2], s[2];
  char c;
  OK(pipe(p));
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  pid_t child = poke_later(SIGUSR1);
  CHECK_ERR(read(p[0], &c, 1), EINTR);
  CHILD_DONE(child);
  child = poke_later(SIGUSR1);
  CHECK_ERR(recv(s[0], &c, 1, 0), EINTR);
  CHILD_DONE(child);
  child = poke_later(SIGUSR1);
  CHECK_ERR(pause(), EINTR);
  CHILD_DONE(child);
  child = poke_later(SIGUSR1);
  int word = 0;
  CHECK_ERR(syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0), EINTR);
  CHILD_DONE(child);
  CHECK_EQ(hits, 4);
  struct gate g = gate_make();
  pid_t sleeper = SPAWN({ gate_wait(g); });
  child = poke_later(SIGUSR1);
  CHECK_ERR(waitpid(sleeper, NULL, 0), EINTR);
  CHILD_DONE(child);
  gate_signal(g);
  CHILD_DONE(sleeper);
}

SUBTEST_FORK(never_restarted) {
  // signal(7): these give EINTR even with SA_RESTART.
  handle(SIGUSR1, SA_RESTART);
  int p[2];
  OK(pipe(p));
  struct pollfd pfd = {p[0], POLLIN, 0};
  pid_t child = poke_later(SIGUSR1);
  CHECK_ERR(poll(&pfd, 1, 10000), EINTR);
  CHILD_DONE(child);
  child = poke_later(SIGUSR1);
  fd_set set;
  FD_ZERO(&set);
  FD_SET(p[0], &set);
  CHECK_ERR(select(p[0] + 1, &set, NULL, NULL, NULL), EINTR);
  CHILD_DONE(child);
  int ep = OK(epoll_create1(0));
  struct epoll_event event;
  child = poke_later(SIGUSR1);
  CHECK_ERR(epoll_wait(ep, &event, 1, 10000), EINTR);
  CHILD_DONE(child);
  struct timespec t = {10, 0}, left = {0, 0};
  child = poke_later(SIGUSR1);
  CHECK_ERR(nanosleep(&t, &left), EINTR);
  CHECK(left.tv_sec >= 5 && left.tv_sec < 10);
  CHILD_DONE(child);
  child = poke_later(SIGUSR1);
  CHECK_ERR(pause(), EINTR);
  CHILD_DONE(child);
  sigset_t wait_for = set_of(SIGUSR2, 0, 0);
  OK(sigprocmask(SIG_BLOCK, &wait_for, NULL));
  child = poke_later(SIGUSR1);
  CHECK_ERR(sigtimedwait(&wait_for, NULL, &t), EINTR);
  CHILD_DONE(child);
}

SUBTEST_FORK(restarted) {
  handle(SIGUSR1, SA_RESTART);
  int p[2];
  char c = 0;
  OK(pipe(p));
  pid_t parent = getpid(), child = SPAWN({
    wait_blocked(parent);
    kill(parent, SIGUSR1);
    wait_blocked(parent);
    sleep_ms(30);
    CHECK(write(p[1], "k", 1) == 1);
  });
  CHECK_EQ(OK(read(p[0], &c, 1)), 1);
  CHECK_EQ(c, 'k');
  CHECK_EQ(hits, 1);
  CHILD_DONE(child);
  // waitpid
  child = SPAWN({
    wait_blocked(parent);
    kill(parent, SIGUSR1);
    sleep_ms(50);
    _exit(3);
  });
  int status;
  CHECK_EQ(OK(waitpid(child, &status, 0)), child);
  CHECK_EQ(hits, 2);
  // futex wait without a time limit restarts as well
  int *word = OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  child = SPAWN({
    wait_blocked(parent);
    kill(parent, SIGUSR1);
    wait_blocked(parent);
    sleep_ms(30);
    *word = 1;
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
  });
  OK(syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL, NULL, 0));
  CHECK_EQ(hits, 3);
  CHECK_EQ(*word, 1);
  CHILD_DONE(child);
}

SUBTEST_FORK(ignored_signal_does_not_interrupt) {
  signal(SIGUSR1, SIG_IGN);
  pid_t child = poke_later(SIGUSR1);
  long start = now_ms();
  struct timespec t = {0, 150000000};
  OK(nanosleep(&t, NULL));
  CHECK(now_ms() - start >= 149);
  CHILD_DONE(child);
  // Stop and continue do not interrupt nanosleep either: the time goes on.
  pid_t sleeper = SPAWN({
    struct timespec two = {0, 300000000};
    _exit(nanosleep(&two, NULL) == 0 ? 0 : 1);
  });
  wait_blocked(sleeper);
  OK(kill(sleeper, SIGSTOP));
  sleep_ms(30);
  OK(kill(sleeper, SIGCONT));
  CHILD_DONE(sleeper);
}

SUBTEST_FORK(partial_write_survives_a_signal) {
  handle(SIGUSR1, 0);
  int p[2];
  OK(pipe(p));
  int room = OK(fcntl(p[1], F_GETPIPE_SZ));
  char *data = calloc(1, room + 10000);
  pid_t child = poke_later(SIGUSR1);
  CHECK_EQ(OK(write(p[1], data, room + 10000)), room);
  CHECK_EQ(hits, 1);
  CHILD_DONE(child);
}

SUBTEST_FORK(suspend) {
  handle(SIGUSR1, 0);
  handle(SIGUSR2, 0);
  sigset_t both = set_of(SIGUSR1, SIGUSR2, 0), only2 = set_of(SIGUSR2, 0, 0), now;
  OK(sigprocmask(SIG_BLOCK, &both, NULL));
  raise(SIGUSR1);
  raise(SIGUSR2);
  CHECK_ERR(sigsuspend(&only2), EINTR);
  CHECK_EQ(hits, 1);
  CHECK_EQ(order[0], SIGUSR1);
  OK(sigprocmask(SIG_BLOCK, NULL, &now));
  CHECK(sigismember(&now, SIGUSR1) && sigismember(&now, SIGUSR2));
  // ppoll with a mask
  struct timespec t = {5, 0};
  sigset_t none;
  sigemptyset(&none);
  CHECK_ERR(ppoll(NULL, 0, &t, &none), EINTR);
  CHECK_EQ(hits, 2);
}

SUBTEST_FORK(timed_wait) {
  sigset_t set = set_of(SIGUSR1, SIGCHLD, 0);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  struct timespec t = {0, 20000000}, zero = {0, 0}, bad = {0, 1000000000};
  siginfo_t info;
  CHECK_ERR(sigtimedwait(&set, &info, &t), EAGAIN);
  CHECK_ERR(sigtimedwait(&set, &info, &zero), EAGAIN);
  CHECK_ERR(sigtimedwait(&set, &info, &bad), EINVAL);
  raise(SIGUSR1);
  CHECK_EQ(OK(sigtimedwait(&set, &info, &zero)), SIGUSR1);
  CHECK_ERR(sigtimedwait(&set, &info, &zero), EAGAIN);
  pid_t pid = SPAWN({ _exit(6); });
  t.tv_sec = 5;
  CHECK_EQ(OK(sigtimedwait(&set, &info, &t)), SIGCHLD);
  CHECK_EQ(info.si_code, CLD_EXITED);
  CHECK_EQ(info.si_status, 6);
  CHECK_EQ(info.si_pid, pid);
  CHECK_EQ(child_result(pid), 6);
}

SUBTEST_FORK(queue_permissions) {
  // Nobody may forge a kernel siginfo for another process.
  siginfo_t info = {.si_signo = SIGUSR1, .si_code = SI_USER};
  pid_t pid = SPAWN({ pause(); });
  CHECK_ERR(syscall(SYS_rt_sigqueueinfo, pid, SIGUSR1, &info), EPERM);
  info.si_code = SI_TKILL;
  CHECK_ERR(syscall(SYS_rt_sigqueueinfo, pid, SIGUSR1, &info), EPERM);
  info.si_code = SI_QUEUE;
  OK(syscall(SYS_rt_sigqueueinfo, pid, SIGUSR1, &info));
  CHECK_EQ(child_result(pid), 256 + SIGUSR1);
  handle(SIGUSR1, 0);
  info.si_code = SI_USER;
  OK(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &info));
  CHECK_EQ(hits, 1);
  info.si_code = -77;
  info.si_value.sival_int = 5;
  OK(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGUSR1, &info));
  CHECK_EQ(last.si_code, -77);
  CHECK_EQ(last.si_value.sival_int, 5);
}

SUBTEST_FORK(queue_limit) {
  struct rlimit limit = {10, 10};
  NEED_ROOT();
  OK(setresuid(54322, 54322, 54322));
  OK(setrlimit(RLIMIT_SIGPENDING, &limit));
  sigset_t set = set_of(SIGRTMIN, SIGUSR1, 0);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  int queued = 0;
  while (queued < 50 && sigqueue(getpid(), SIGRTMIN, (union sigval){0}) == 0) queued++;
  CHECK_EQ(queued, 10);
  CHECK(errno == EAGAIN);
  // kill of a standard signal never fails for want of room.
  OK(kill(getpid(), SIGUSR1));
}

SUBTEST_FORK(group_signals) {
  struct gate ready = gate_make();
  pid_t pids[3];
  for (int i = 0; i < 3; i++) {
    pids[i] = SPAWN({ gate_signal(ready); for (;;) pause(); });
    OK(setpgid(pids[i], pids[0]));
  }
  for (int i = 0; i < 3; i++) gate_wait(ready);
  OK(kill(-pids[0], SIGTERM));
  for (int i = 0; i < 3; i++) CHECK_EQ(child_result(pids[i]), 256 + SIGTERM);
  CHECK_ERR(kill(-pids[0], SIGTERM), ESRCH);
}

SUBTEST_FORK(child_signal_info) {
  handle(SIGCHLD, SA_RESTART);
  pid_t pid = SPAWN({ _exit(9); });
  int status;
  waitpid(pid, &status, 0);
  for (int i = 0; i < 2000 && hits == 0; i++) sleep_ms(5);
  CHECK_EQ(last.si_code, CLD_EXITED);
  CHECK_EQ(last.si_pid, pid);
  CHECK_EQ(last.si_status, 9);
  hits = 0;
  pid = SPAWN({ raise(SIGKILL); });
  waitpid(pid, &status, 0);
  for (int i = 0; i < 2000 && hits == 0; i++) sleep_ms(5);
  CHECK_EQ(last.si_code, CLD_KILLED);
  CHECK_EQ(last.si_status, SIGKILL);
}

SUBTEST_FORK(fork_clears_pending) {
  sigset_t set = set_of(SIGUSR1, 0, 0), pending;
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  raise(SIGUSR1);
  CHILD {
    OK(sigpending(&pending));
    CHECK(!sigismember(&pending, SIGUSR1));
    sigset_t mask;
    OK(sigprocmask(SIG_BLOCK, NULL, &mask));
    CHECK(sigismember(&mask, SIGUSR1));
  }
}

static volatile pid_t handler_tid;
static void record_tid(int sig) {
  (void)sig;
  handler_tid = gettid();
}
static volatile pid_t second_tid;
static struct gate second_ready;
static void *second_thread(void *arg) {
  (void)arg;
  second_tid = gettid();
  gate_signal(second_ready);
  while (handler_tid == 0) usleep(1000);
  return NULL;
}

SUBTEST_FORK(process_signal_goes_to_an_unblocking_thread) {
  second_ready = gate_make();
  struct sigaction sa = {.sa_handler = record_tid};
  OK(sigaction(SIGUSR1, &sa, NULL));
  pthread_t t;
  OK0(pthread_create(&t, NULL, second_thread, NULL));
  gate_wait(second_ready);
  sigset_t set = set_of(SIGUSR1, 0, 0);
  OK0(pthread_sigmask(SIG_BLOCK, &set, NULL));
  OK(kill(getpid(), SIGUSR1));
  OK0(pthread_join(t, NULL));
  CHECK_EQ(handler_tid, second_tid);
  // Directed at a thread that blocks it, it stays there.
  OK0(pthread_kill(pthread_self(), SIGUSR1));
  sigset_t pending;
  OK(sigpending(&pending));
  CHECK(sigismember(&pending, SIGUSR1));
}

SUBTEST_FORK(siglongjmp_from_handler) {
  struct sigaction sa = {.sa_handler = on_overflow};
  OK(sigaction(SIGUSR1, &sa, NULL));
  volatile int rounds = 0;
  for (int i = 0; i < 3; i++) {
    if (sigsetjmp(overflow_env, 1) == 0) {
      raise(SIGUSR1);
      FAIL("raise returned");
    }
    rounds++;
  }
  CHECK_EQ(rounds, 3);
}

SUBTEST_FORK(signal_storm) {
  handle(SIGUSR1, SA_RESTART);
  pid_t parent = getpid();
  pid_t senders[3];
  for (int i = 0; i < 3; i++)
    senders[i] = SPAWN({
      for (int k = 0; k < 300; k++) kill(parent, SIGUSR1);
    });
  volatile double x = 1;
  for (int i = 0; i < 300000; i++) x = x * 1.0000001;
  for (int i = 0; i < 3; i++) CHILD_DONE(senders[i]);
  CHECK(hits > 0);
  CHECK(x > 1.02 && x < 1.04);
}
