// Stopping and continuing, SIGCHLD for it, waitid(2) of it, orphaned groups, terminal job control.
#include "check.h"
#include <pty.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <termios.h>

static pid_t looper(void) {
  struct gate ready = gate_make();
  pid_t pid = SPAWN({
    gate_signal(ready);
    for (;;) pause();
  });
  gate_wait(ready);
  return pid;
}

SUBTEST_FORK(stop_and_continue) {
  int status;
  pid_t pid = looper();
  OK(kill(pid, SIGSTOP));
  CHECK_EQ(OK(waitpid(pid, &status, WUNTRACED)), pid);
  CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
  CHECK_EQ(OK(waitpid(pid, &status, WUNTRACED | WNOHANG)), 0);
  CHECK_EQ(task_state(pid), 'T');
  // Other signals wait until it goes on; SIGKILL does not.
  OK(kill(pid, SIGCONT));
  CHECK_EQ(OK(waitpid(pid, &status, WCONTINUED)), pid);
  CHECK(WIFCONTINUED(status));
  OK(kill(pid, SIGSTOP));
  CHECK_EQ(OK(waitpid(pid, &status, WUNTRACED)), pid);
  OK(kill(pid, SIGTERM));
  sleep_ms(30);
  CHECK_EQ(OK(waitpid(pid, &status, WNOHANG)), 0);
  OK(kill(pid, SIGCONT));
  CHECK_EQ(OK(waitpid(pid, &status, 0)), pid);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
  pid = looper();
  OK(kill(pid, SIGSTOP));
  CHECK_EQ(OK(waitpid(pid, &status, WUNTRACED)), pid);
  OK(kill(pid, SIGKILL));
  CHECK_EQ(child_result(pid), 256 + SIGKILL);
}

SUBTEST_FORK(waitid_states) {
  siginfo_t info;
  pid_t pid = looper();
  OK(kill(pid, SIGSTOP));
  OK(waitid(P_PID, pid, &info, WSTOPPED | WNOWAIT));
  CHECK_EQ(info.si_code, CLD_STOPPED);
  CHECK_EQ(info.si_status, SIGSTOP);
  OK(waitid(P_PID, pid, &info, WSTOPPED));
  memset(&info, 0, sizeof info);
  OK(waitid(P_PID, pid, &info, WSTOPPED | WNOHANG));
  CHECK_EQ(info.si_pid, 0);
  OK(kill(pid, SIGCONT));
  OK(waitid(P_PID, pid, &info, WCONTINUED));
  CHECK_EQ(info.si_code, CLD_CONTINUED);
  CHECK_EQ(info.si_status, SIGCONT);
  OK(kill(pid, SIGKILL));
  child_result(pid);
}

static volatile int chld_codes[16], chld_count;
static void on_chld(int sig, siginfo_t *info, void *c) {
  (void)sig;
  (void)c;
  if (chld_count < 16) chld_codes[chld_count++] = info->si_code;
}
static void wait_codes(int n) {
  for (int i = 0; i < 2000 && chld_count < n; i++) sleep_ms(5);
  CHECK_EQ(chld_count, n);
}

SUBTEST_FORK(child_signals) {
  struct sigaction sa = {.sa_sigaction = on_chld, .sa_flags = SA_SIGINFO | SA_RESTART};
  OK(sigaction(SIGCHLD, &sa, NULL));
  pid_t pid = looper();
  OK(kill(pid, SIGSTOP));
  wait_codes(1);
  CHECK_EQ(chld_codes[0], CLD_STOPPED);
  OK(kill(pid, SIGCONT));
  wait_codes(2);
  CHECK_EQ(chld_codes[1], CLD_CONTINUED);
  sa.sa_flags |= SA_NOCLDSTOP;
  OK(sigaction(SIGCHLD, &sa, NULL));
  OK(kill(pid, SIGSTOP));
  sleep_ms(30);
  CHECK_EQ(chld_count, 2);
  OK(kill(pid, SIGKILL));
  wait_codes(3);
  CHECK_EQ(chld_codes[2], CLD_KILLED);
  child_result(pid);
}

static volatile int continued;
static void on_cont(int sig) {
  (void)sig;
  continued++;
}

SUBTEST_FORK(continue_cancels_stop) {
  sigset_t set, pending;
  sigemptyset(&set);
  sigaddset(&set, SIGTSTP);
  sigaddset(&set, SIGCONT);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  OK(kill(getpid(), SIGTSTP));
  OK(sigpending(&pending));
  CHECK(sigismember(&pending, SIGTSTP));
  OK(kill(getpid(), SIGCONT));
  OK(sigpending(&pending));
  CHECK(!sigismember(&pending, SIGTSTP) && sigismember(&pending, SIGCONT));
  OK(kill(getpid(), SIGTSTP));
  OK(sigpending(&pending));
  CHECK(sigismember(&pending, SIGTSTP) && !sigismember(&pending, SIGCONT));
  signal(SIGTSTP, SIG_IGN);
  signal(SIGCONT, on_cont);
  OK(kill(getpid(), SIGCONT));
  OK(sigprocmask(SIG_UNBLOCK, &set, NULL));
  CHECK_EQ(continued, 1);
}

static void *spin(void *arg) {
  volatile long *count = arg;
  for (;;) ++*count;
  return NULL;
}

SUBTEST_FORK(stop_holds_every_thread) {
  volatile long *count = OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  pid_t pid = SPAWN({
    pthread_t t;
    pthread_create(&t, NULL, spin, (void *)count);
    pthread_create(&t, NULL, spin, (void *)(count + 16));
    for (;;) pause();
  });
  while (count[0] == 0 || count[16] == 0) sleep_ms(1);
  int status;
  OK(kill(pid, SIGSTOP));
  CHECK_EQ(OK(waitpid(pid, &status, WUNTRACED)), pid);
  long a = count[0], b = count[16];
  sleep_ms(40);
  CHECK(count[0] == a && count[16] == b);
  OK(kill(pid, SIGCONT));
  for (int i = 0; i < 2000 && (count[0] == a || count[16] == b); i++) sleep_ms(5);
  CHECK(count[0] > a && count[16] > b);
  OK(kill(pid, SIGKILL));
  child_result(pid);
}

SUBTEST_FORK(orphaned_group_does_not_stop) {
  // Terminal stop signals are ignored in an orphaned group; SIGSTOP is not.
  OK(setsid());
  CHECK_EQ(child_result(SPAWN({
             OK(setpgid(0, 0));
             // The parent is in the same session, another group: not orphaned, so this would stop. Make a session.
             pid_t inner = fork();
             if (inner == 0) {
               setsid();
               raise(SIGTSTP);
               raise(SIGTTIN);
               raise(SIGTTOU);
               _exit(5);
             }
             _exit(child_result(inner));
           })),
           5);
}

SUBTEST_FORK(orphaned_stopped_group_gets_hangup) {
  // When the last tie of a group with a stopped member goes, it gets SIGHUP and SIGCONT.
  int p[2];
  char c = 0;
  OK(pipe(p));
  OK(setsid());
  CHILD {
    struct gate ready = gate_make();
    pid_t member = SPAWN({
      OK(setpgid(0, 0));
      gate_signal(ready);
      for (;;) pause();
    });
    gate_wait(ready);
    int status;
    OK(kill(member, SIGSTOP));
    CHECK_EQ(OK(waitpid(member, &status, WUNTRACED)), member);
  }
  OK(close(p[1]));
  // The member held the write end; it died of SIGHUP.
  CHECK_EQ(OK(read(p[0], &c, 1)), 0);
}

// A session leader with a controlling terminal runs `body`; gives its exit code.
static int with_terminal(void (*body)(int tty), int *master) {
  int tty;
  OK(openpty(master, &tty, NULL, NULL, NULL));
  pid_t pid = SPAWN({
    OK(setsid());
    OK(ioctl(tty, TIOCSCTTY, 0));
    body(tty);
  });
  OK(close(tty));
  return child_result(pid);
}

static void background_reader(int tty) {
  int status;
  CHECK_EQ(OK(tcgetpgrp(tty)), getpid());
  CHECK_EQ(OK(tcgetsid(tty)), getpid());
  pid_t pid = SPAWN({
    char c;
    OK(setpgid(0, 0));
    (void)!read(tty, &c, 1);
  });
  CHECK_EQ(OK(waitpid(pid, &status, WUNTRACED)), pid);
  CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTIN);
  OK(kill(pid, SIGKILL));
  child_result(pid);
  // With the signal ignored the read fails instead.
  CHILD {
    char c;
    OK(setpgid(0, 0));
    signal(SIGTTIN, SIG_IGN);
    CHECK_ERR(read(tty, &c, 1), EIO);
  }
}

static void background_writer(int tty) {
  int status;
  struct termios t;
  CHILD {
    OK(setpgid(0, 0));
    CHECK_EQ(OK(write(tty, "x", 1)), 1);
  }
  OK(tcgetattr(tty, &t));
  t.c_lflag |= TOSTOP;
  OK(tcsetattr(tty, TCSANOW, &t));
  pid_t pid = SPAWN({
    OK(setpgid(0, 0));
    (void)!write(tty, "x", 1);
  });
  CHECK_EQ(OK(waitpid(pid, &status, WUNTRACED)), pid);
  CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTOU);
  OK(kill(pid, SIGKILL));
  child_result(pid);
  // Changing the terminal from the background stops too, whatever TOSTOP says.
  pid = SPAWN({
    OK(setpgid(0, 0));
    tcsetattr(tty, TCSANOW, &t);
  });
  CHECK_EQ(OK(waitpid(pid, &status, WUNTRACED)), pid);
  CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTTOU);
  OK(kill(pid, SIGKILL));
  child_result(pid);
}

static void foreground_change(int tty) {
  struct gate g = gate_make();
  pid_t pid = SPAWN({
    OK(setpgid(0, 0));
    signal(SIGTTOU, SIG_IGN);
    OK(tcsetpgrp(tty, getpid()));
    gate_signal(g);
    for (;;) pause();
  });
  gate_wait(g);
  CHECK_EQ(OK(tcgetpgrp(tty)), pid);
  signal(SIGTTOU, SIG_IGN);
  CHECK_ERR(tcsetpgrp(tty, 0x3ffffff), ESRCH);
  OK(tcsetpgrp(tty, getpid()));
  OK(kill(pid, SIGKILL));
  child_result(pid);
}

SUBTEST_FORK(terminal_background_read) {
  int master;
  CHECK_EQ(with_terminal(background_reader, &master), 0);
}
SUBTEST_FORK(terminal_background_write) {
  int master;
  CHECK_EQ(with_terminal(background_writer, &master), 0);
}
SUBTEST_FORK(terminal_foreground_group) {
  int master;
  CHECK_EQ(with_terminal(foreground_change, &master), 0);
}

SUBTEST_FORK(terminal_signals_reach_the_foreground) {
  int master, tty, status;
  OK(openpty(&master, &tty, NULL, NULL, NULL));
  struct {
    const char *key;
    int sig;
  } keys[] = {{"\003", SIGINT}, {"\034", SIGQUIT}, {"\032", SIGTSTP}};
  for (size_t i = 0; i < COUNT(keys); i++) {
    struct gate ready = gate_make();
    pid_t leader = SPAWN({
      OK(setsid());
      OK(ioctl(tty, TIOCSCTTY, 0));
      signal(SIGTTOU, SIG_IGN);
      pid_t job = fork();
      if (job == 0) {
        setpgid(0, 0);
        OK(tcsetpgrp(tty, getpid()));
        gate_signal(ready);
        for (;;) pause();
      }
      CHECK_EQ(OK(waitpid(job, &status, WUNTRACED)), job);
      int sig = WIFSTOPPED(status) ? WSTOPSIG(status) : WTERMSIG(status);
      kill(job, SIGKILL);
      ioctl(tty, TIOCNOTTY);
      _exit(sig);
    });
    gate_wait(ready);
    CHECK_EQ(OK(write(master, keys[i].key, 1)), 1);
    CHECK_EQ(child_result(leader), keys[i].sig);
  }
}

SUBTEST_FORK(hangup) {
  // Closing the master hangs up: the session leader gets SIGHUP, reads give end of file, writes fail.
  int master, tty;
  OK(openpty(&master, &tty, NULL, NULL, NULL));
  struct gate ready = gate_make();
  pid_t leader = SPAWN({
    OK(close(master));
    OK(setsid());
    OK(ioctl(tty, TIOCSCTTY, 0));
    gate_signal(ready);
    for (;;) pause();
  });
  gate_wait(ready);
  OK(close(master));
  CHECK_EQ(child_result(leader), 256 + SIGHUP);
  char c;
  CHECK_EQ(OK(read(tty, &c, 1)), 0);
  CHECK_ERR(write(tty, "x", 1), EIO);
}

SUBTEST_FORK(leader_exit_hangs_up_the_foreground) {
  int master, tty;
  OK(openpty(&master, &tty, NULL, NULL, NULL));
  int p[2];
  OK(pipe(p));
  pid_t leader = SPAWN({
    OK(setsid());
    OK(ioctl(tty, TIOCSCTTY, 0));
    struct gate ready = gate_make();
    SPAWN({
      gate_signal(ready);
      for (;;) pause();
    });
    gate_wait(ready);
  });
  CHILD_DONE(leader);
  OK(close(p[1]));
  char c;
  CHECK_EQ(OK(read(p[0], &c, 1)), 0);
}
