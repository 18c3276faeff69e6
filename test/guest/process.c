// fork(2), clone(2), clone3(2), wait(2), execve(2), sessions and groups, prctl(2), limits.
#include "check.h"
#include <linux/sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/times.h>
#include <pthread.h>

static char self_path[PATH_MAX];

// Child roles of this same program, entered through execve.
__attribute__((constructor(101))) static void child_roles(int argc, char **argv, char **envp) {
  ssize_t n = readlink("/proc/self/exe", self_path, sizeof self_path - 1);
  if (n > 0) self_path[n] = 0;
  if (argc < 2 || argv[1][0] != '@') return;
  if (strcmp(argv[1], "@exit") == 0) _exit(atoi(argv[2]));
  if (strcmp(argv[1], "@args") == 0) {
    int envc = 0;
    while (envp[envc]) envc++;
    size_t total = 0;
    for (int i = 0; i < argc; i++) total += strlen(argv[i]);
    dprintf(atoi(argv[2]), "%d %d %zu", argc, envc, total);
    _exit(0);
  }
  if (strcmp(argv[1], "@fd") == 0) _exit(fcntl(atoi(argv[2]), F_GETFD) < 0 ? 1 : 0);
  if (strcmp(argv[1], "@signals") == 0) {
    // After execve: ignored stays ignored, handled is default, the mask stays.
    struct sigaction sa;
    sigset_t mask;
    int bad = 0;
    sigaction(SIGUSR1, NULL, &sa);
    if (sa.sa_handler != SIG_DFL) bad |= 1;
    sigaction(SIGUSR2, NULL, &sa);
    if (sa.sa_handler != SIG_IGN) bad |= 2;
    sigprocmask(SIG_SETMASK, NULL, &mask);
    if (!sigismember(&mask, SIGTERM)) bad |= 4;
    sigpending(&mask);
    if (!sigismember(&mask, SIGTERM)) bad |= 8;
    stack_t stack;
    sigaltstack(NULL, &stack);
    if (stack.ss_flags != SS_DISABLE) bad |= 16;
    _exit(bad);
  }
  if (strcmp(argv[1], "@same") == 0) _exit(getpid() == atoi(argv[2]) && getpid() == gettid() ? 0 : 1);
  if (strcmp(argv[1], "@argc") == 0) _exit(argc);
  if (strcmp(argv[1], "@cwd") == 0) _exit(access(argv[2], F_OK) == 0 ? 0 : 1);
}

static int exec_self(char *role, char *arg) {
  char *argv[] = {"self", role, arg, NULL}, *envp[] = {NULL};
  return child_result(SPAWN({
    execve(self_path, argv, envp);
    _exit(99);
  }));
}

SUBTEST(exit_codes) {
  int status;
  CHECK_EQ(child_result(SPAWN({ _exit(0); })), 0);
  CHECK_EQ(child_result(SPAWN({ _exit(7); })), 7);
  CHECK_EQ(child_result(SPAWN({ _exit(0x1ff); })), 255);
  CHECK_EQ(child_result(SPAWN({ kill(getpid(), SIGKILL); })), 256 + SIGKILL);
  CHECK_EQ(child_result(SPAWN({ raise(SIGTERM); })), 256 + SIGTERM);
  CHECK_EQ(child_result(SPAWN({ abort(); })), 256 + SIGABRT);
  pid_t pid = SPAWN({ _exit(3); });
  CHECK_EQ(OK(wait(&status)), pid);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
  CHECK_ERR(wait(&status), ECHILD);
}

SUBTEST(memory_is_copied) {
  static volatile int value = 1;
  volatile int *heap = malloc(sizeof *heap);
  *heap = 1;
  CHILD {
    value = *heap = 2;
    CHECK_EQ(value + *heap, 4);
  }
  CHECK_EQ(value, 1);
  CHECK_EQ(*heap, 1);
}

SUBTEST(parent_and_child_ids) {
  pid_t me = getpid();
  CHILD {
    CHECK(getpid() != me);
    CHECK_EQ(getppid(), me);
    CHECK_EQ(gettid(), getpid());
    CHECK_EQ(getpgrp(), getpgid(me));
    CHECK_EQ(getsid(0), getsid(me));
  }
}

SUBTEST(many_children) {
  pid_t pids[50];
  for (int i = 0; i < 50; i++) pids[i] = SPAWN({ _exit(i); });
  for (int i = 49; i >= 0; i--) CHECK_EQ(child_result(pids[i]), i);
}

SUBTEST(wait_options) {
  int status;
  struct gate g = gate_make();
  pid_t pid = SPAWN({ gate_wait(g); _exit(5); });
  CHECK_EQ(OK(waitpid(pid, &status, WNOHANG)), 0);
  CHECK_EQ(OK(waitpid(-1, &status, WNOHANG)), 0);
  CHECK_ERR(waitpid(pid, &status, 0x4000), EINVAL);
  CHECK_ERR(waitpid(getpid(), &status, 0), ECHILD);
  CHECK_ERR(waitpid(-99999, &status, 0), ECHILD);
  gate_signal(g);
  siginfo_t info;
  memset(&info, 0xff, sizeof info);
  OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
  CHECK_EQ(info.si_signo, SIGCHLD);
  CHECK_EQ(info.si_code, CLD_EXITED);
  CHECK_EQ(info.si_status, 5);
  CHECK_EQ(info.si_pid, pid);
  CHECK_EQ(info.si_uid, getuid());
  struct rusage usage;
  CHECK_EQ(OK(wait4(pid, &status, 0, &usage)), pid);
  CHECK_EQ(WEXITSTATUS(status), 5);
  CHECK_ERR(wait4(pid, &status, 0, &usage), ECHILD);
  CHECK_ERR(waitid(P_PID, pid, &info, WEXITED), ECHILD);
  CHECK_ERR(waitid(P_PID, pid, &info, 0), EINVAL);
  CHECK_ERR(waitid(9, pid, &info, WEXITED), EINVAL);
}

SUBTEST(waitid_nohang_clears) {
  struct gate g = gate_make();
  siginfo_t info;
  pid_t pid = SPAWN({ gate_wait(g); });
  memset(&info, 0xff, sizeof info);
  OK(waitid(P_PID, pid, &info, WEXITED | WNOHANG));
  CHECK_EQ(info.si_pid, 0);
  CHECK_EQ(info.si_signo, 0);
  gate_signal(g);
  CHILD_DONE(pid);
}

SUBTEST(waitid_killed) {
  siginfo_t info;
  pid_t pid = SPAWN({ pause(); });
  OK(kill(pid, SIGKILL));
  OK(waitid(P_PID, pid, &info, WEXITED));
  CHECK_EQ(info.si_code, CLD_KILLED);
  CHECK_EQ(info.si_status, SIGKILL);
}

SUBTEST_FORK(wait_by_group) {
  int status;
  struct gate g = gate_make();
  pid_t a = SPAWN({ gate_wait(g); _exit(1); }), b = SPAWN({ gate_wait(g); _exit(2); });
  OK(setpgid(b, b));
  gate_signal(g);
  gate_signal(g);
  CHECK_EQ(OK(waitpid(-b, &status, 0)), b);
  CHECK_EQ(WEXITSTATUS(status), 2);
  CHECK_ERR(waitpid(-b, &status, 0), ECHILD);
  CHECK_EQ(OK(waitpid(0, &status, 0)), a);
}

SUBTEST_FORK(ignored_children_leave_no_zombies) {
  int status;
  signal(SIGCHLD, SIG_IGN);
  pid_t pid = SPAWN({ _exit(4); });
  CHECK_ERR(waitpid(pid, &status, 0), ECHILD);
  signal(SIGCHLD, SIG_DFL);
  struct sigaction sa = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
  OK(sigaction(SIGCHLD, &sa, NULL));
  pid = SPAWN({ _exit(4); });
  CHECK_ERR(waitpid(pid, &status, 0), ECHILD);
}

SUBTEST(vfork_shares_memory) {
  static volatile int value;
  value = 0;
  pid_t pid = vfork();
  if (pid == 0) {
    value = 42;
    _exit(6);
  }
  // The parent runs again only once the child has gone.
  CHECK_EQ(value, 42);
  CHECK_EQ(child_result(pid), 6);
  char *argv[] = {"self", "@exit", "9", NULL};
  pid = vfork();
  if (pid == 0) {
    execve(self_path, argv, environ);
    _exit(99);
  }
  CHECK_EQ(child_result(pid), 9);
}

static int clone_body(void *arg) {
  *(volatile int *)arg = 5;
  return 11;
}

SUBTEST(clone_flags) {
  char *stack = OK(mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  volatile int value = 0;
  pid_t parent_tid = 0, pid = OK(clone(clone_body, stack + 65536, CLONE_VM | CLONE_PARENT_SETTID | SIGCHLD,
                                       (void *)&value, &parent_tid));
  CHECK_EQ(parent_tid, pid);
  CHECK_EQ(child_result(pid), 11);
  CHECK_EQ(value, 5);
  value = 0;
  pid = OK(clone(clone_body, stack + 65536, SIGCHLD, (void *)&value));
  CHECK_EQ(child_result(pid), 11);
  CHECK_EQ(value, 0);
  // CLONE_FILES: the child's open shows in the parent.
  int fd = OK(dup(1));
  OK(close(fd));
  pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(dup(1) == fd ? 0 : 1);
  CHECK_EQ(child_result(pid), 0);
  OK(close(fd));
  // CLONE_FS: the child's chdir shows in the parent.
  OK(mkdir("cfs", 0755));
  pid = syscall(SYS_clone, CLONE_FS | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) _exit(chdir("cfs") == 0 ? 0 : 1);
  CHECK_EQ(child_result(pid), 0);
  CHECK_ERR(access("cfs", F_OK), ENOENT);
  OK(chdir(".."));
  // Combinations that clone(2) refuses.
  CHECK_ERR(syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0), EINVAL);
  CHECK_ERR(syscall(SYS_clone, CLONE_THREAD | SIGCHLD, 0, 0, 0, 0), EINVAL);
  CHECK_ERR(syscall(SYS_clone, CLONE_FS | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0), EINVAL);
  OK(munmap(stack, 65536));
}

SUBTEST(clone_child_tid) {
  volatile pid_t *slot = OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  pid_t pid = syscall(SYS_clone, CLONE_CHILD_SETTID | SIGCHLD, 0, 0, slot, 0);
  if (pid == 0) _exit(*slot == getpid() ? 0 : 1);
  CHECK_EQ(child_result(pid), 0);
  CHECK_EQ(*slot, pid);
}

SUBTEST(clone_exit_signal) {
  int status;
  // Without an exit signal the child is a "clone" child: only __WALL or __WCLONE sees it.
  pid_t pid = syscall(SYS_clone, 0, 0, 0, 0, 0);
  if (pid == 0) _exit(4);
  CHECK_ERR(waitpid(pid, &status, 0), ECHILD);
  CHECK_EQ(OK(waitpid(pid, &status, __WALL)), pid);
  CHECK_EQ(WEXITSTATUS(status), 4);
  pid = syscall(SYS_clone, 0, 0, 0, 0, 0);
  if (pid == 0) _exit(4);
  CHECK_EQ(OK(waitpid(pid, &status, __WCLONE)), pid);
}

SUBTEST(clone3_call) {
  int pidfd = -1;
  struct clone_args args = {.flags = CLONE_PIDFD, .pidfd = (uint64_t)&pidfd, .exit_signal = SIGCHLD};
  pid_t pid = syscall(SYS_clone3, &args, sizeof args);
  if (pid < 0 && errno == ENOSYS) SKIP("no clone3");
  CHECK(pid >= 0);
  if (pid == 0) _exit(8);
  CHECK(pidfd >= 0);
  CHECK_EQ(OK(fcntl(pidfd, F_GETFD)), FD_CLOEXEC);
  siginfo_t info;
  OK(waitid(P_PIDFD, pidfd, &info, WEXITED));
  CHECK_EQ(info.si_pid, pid);
  CHECK_EQ(info.si_status, 8);
  OK(close(pidfd));
  CHECK_ERR(syscall(SYS_clone3, &args, 8), EINVAL);
  args.exit_signal = 0x100;
  CHECK_ERR(syscall(SYS_clone3, &args, sizeof args), EINVAL);
  args = (struct clone_args){.flags = 1ULL << 50, .exit_signal = SIGCHLD};
  CHECK_ERR(syscall(SYS_clone3, &args, sizeof args), EINVAL);
}

SUBTEST(pidfds) {
  struct gate g = gate_make();
  pid_t pid = SPAWN({ gate_wait(g); pause(); });
  int fd = OK(syscall(SYS_pidfd_open, pid, 0));
  CHECK_ERR(syscall(SYS_pidfd_open, -1, 0), EINVAL);
  CHECK_ERR(syscall(SYS_pidfd_open, 0x3ffffff, 0), ESRCH);
  OK(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
  gate_signal(g);
  OK(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
  CHECK_EQ(child_result(pid), 256 + SIGTERM);
  CHECK_ERR(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0), ESRCH);
  OK(close(fd));
}

SUBTEST_FORK(orphans_go_to_the_subreaper) {
  OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
  int is = 0, status;
  OK(prctl(PR_GET_CHILD_SUBREAPER, &is));
  CHECK_EQ(is, 1);
  pid_t me = getpid();
  struct gate go = gate_make();
  pid_t middle = SPAWN({
    pid_t orphan = SPAWN({
      gate_wait(go);
      _exit(getppid() == me ? 33 : 1);
    });
    (void)orphan;
  });
  CHILD_DONE(middle);
  gate_signal(go);
  pid_t got = OK(wait(&status));
  CHECK(got != middle);
  CHECK_EQ(WEXITSTATUS(status), 33);
}

SUBTEST_FORK(parent_death_signal) {
  OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
  struct gate ready = gate_make();
  int status;
  pid_t middle = SPAWN({
    SPAWN({
      prctl(PR_SET_PDEATHSIG, SIGUSR1);
      int signal = 0;
      prctl(PR_GET_PDEATHSIG, &signal);
      if (signal != SIGUSR1) _exit(1);
      gate_signal(ready);
      pause();
    });
    gate_wait(ready);
  });
  CHILD_DONE(middle);
  OK(wait(&status));
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
}

SUBTEST_FORK(sessions_and_groups) {
  pid_t me = getpid();
  OK(setsid());
  CHECK_EQ(getsid(0), me);
  CHECK_EQ(getpgrp(), me);
  CHECK_ERR(setsid(), EPERM);
  CHECK_ERR(setpgid(0, 0), EPERM);
  struct gate g = gate_make();
  pid_t child = SPAWN({ gate_wait(g); });
  OK(setpgid(child, child));
  CHECK_EQ(OK(getpgid(child)), child);
  CHECK_EQ(OK(getsid(child)), me);
  OK(setpgid(child, me));
  CHECK_ERR(setpgid(child, 0x3ffffff), EPERM);
  CHECK_ERR(setpgid(child, -1), EINVAL);
  CHECK_ERR(setpgid(0x3ffffff, 0), ESRCH);
  CHECK_ERR(getpgid(0x3ffffff), ESRCH);
  gate_signal(g);
  CHILD_DONE(child);
  // A child that has executed a program may no longer be moved.
  struct gate done = gate_make();
  child = SPAWN({
    fcntl(done.fd[1], F_SETFD, FD_CLOEXEC);
    execl("/bin/sleep", "sleep", "10", NULL);
  });
  OK(close(done.fd[1]));
  char c;
  CHECK_EQ(OK(read(done.fd[0], &c, 1)), 0);
  CHECK_ERR(setpgid(child, child), EACCES);
  OK(kill(child, SIGKILL));
  child_result(child);
  // A child in a session of its own.
  CHILD {
    OK(setsid());
    CHECK_ERR(setpgid(getppid(), 0), ESRCH);
  }
}

SUBTEST(exec_basics) {
  CHECK_EQ(exec_self("@exit", "21"), 21);
  pid_t pid = fork();
  if (pid == 0) {
    char number[16];
    snprintf(number, sizeof number, "%d", getpid());
    execl(self_path, "self", "@same", number, NULL);
    _exit(99);
  }
  CHECK_EQ(child_result(pid), 0);
}

SUBTEST(exec_errors) {
  char *argv[] = {"x", NULL};
  CHECK_ERR(execve("missing", argv, environ), ENOENT);
  put_file("plain", "no magic here\n");
  CHECK_ERR(execve("plain", argv, environ), EACCES);
  OK(chmod("plain", 0755));
  CHECK_ERR(execve("plain", argv, environ), ENOEXEC);
  CHECK_ERR(execve("plain/x", argv, environ), ENOTDIR);
  OK(mkdir("xdir", 0755));
  CHECK_ERR(execve("xdir", argv, environ), EACCES);
  put_file("empty", "");
  OK(chmod("empty", 0755));
  CHECK_ERR(execve("empty", argv, environ), ENOEXEC);
  put_file("badelf", "\177ELF\2\1\1\n");
  OK(chmod("badelf", 0755));
  CHECK_ERR(execve("badelf", argv, environ), ENOEXEC);
  put_file("noscript", "#!/does/not/exist\n");
  OK(chmod("noscript", 0755));
  CHECK_ERR(execve("noscript", argv, environ), ENOENT);
  put_file("emptyscript", "#!\n");
  OK(chmod("emptyscript", 0755));
  CHECK_ERR(execve("emptyscript", argv, environ), ENOEXEC);
  put_file("selfscript", "#!./selfscript\n");
  OK(chmod("selfscript", 0755));
  CHECK_ERR(execve("selfscript", argv, environ), ELOOP);
  OK(symlink("xloop", "xloop"));
  CHECK_ERR(execve("xloop", argv, environ), ELOOP);
  int fd = OK(open("busy", O_RDWR | O_CREAT, 0755));
  CHECK_ERR(execve("busy", argv, environ), ETXTBSY);
  OK(close(fd));
  CHECK_ERR(execve("", argv, environ), ENOENT);
}

SUBTEST(exec_scripts) {
  char text[PATH_MAX + 64];
  snprintf(text, sizeof text, "#!%s @argc\n", self_path);
  put_file("script", text);
  OK(chmod("script", 0755));
  pid_t pid = SPAWN({ execl("./script", "zero", "a", "b", NULL); _exit(99); });
  // interpreter, its one argument, the script's path, a, b
  CHECK_EQ(child_result(pid), 5);
  snprintf(text, sizeof text, "#! %s  @argc two words \nignored\n", self_path);
  put_file("script2", text);
  OK(chmod("script2", 0755));
  pid = SPAWN({ execl("./script2", "zero", NULL); _exit(99); });
  child_result(pid);
  put_file("sh", "#!/bin/sh\nexit $#\n");
  OK(chmod("sh", 0755));
  pid = SPAWN({ execl("./sh", "zero", "a", "b", "c", NULL); _exit(99); });
  CHECK_EQ(child_result(pid), 3);
  put_file("nested", "#!./sh x\n");
  OK(chmod("nested", 0755));
  pid = SPAWN({ execl("./nested", "zero", "a", NULL); _exit(99); });
  CHECK_EQ(child_result(pid), 3);
}

SUBTEST(exec_arguments) {
  int p[2];
  char out[64] = {0}, fd_text[16];
  OK(pipe(p));
  snprintf(fd_text, sizeof fd_text, "%d", p[1]);
  int count = 2000;
  char **argv = calloc(count + 1, sizeof *argv), *envp[] = {"A=1", "B=2", NULL};
  static char word[1001];
  memset(word, 'w', 1000);
  argv[0] = "self";
  argv[1] = "@args";
  argv[2] = fd_text;
  for (int i = 3; i < count; i++) argv[i] = i % 2 ? word : "";
  pid_t pid = SPAWN({ execve(self_path, argv, envp); _exit(99); });
  CHILD_DONE(pid);
  CHECK(read(p[0], out, 63) > 0);
  char want[64];
  snprintf(want, sizeof want, "%d 2 %zu", count, strlen("self@args") + strlen(fd_text) + 999L * 1000);
  CHECK_STR(out, want);
  // One argument may have 128 KiB with its zero, and no more (MAX_ARG_STRLEN).
  char *longest = malloc(131073);
  memset(longest, 'x', 131072);
  longest[131071] = 0;
  char *argv2[] = {"self", "@exit", "0", longest, NULL};
  pid = SPAWN({ execve(self_path, argv2, envp); _exit(99); });
  CHILD_DONE(pid);
  longest[131071] = 'x';
  longest[131072] = 0;
  CHECK_ERR(execve(self_path, argv2, envp), E2BIG);
  // All of it together: a quarter of the stack limit.
  char **many = calloc(4000, sizeof *many);
  longest[1000] = 0;
  for (int i = 0; i < 3999; i++) many[i] = longest;
  CHECK_ERR(execve(self_path, many, envp), E2BIG);
  free(many);
  free(longest);
  free(argv);
  OK(close(p[0]));
  OK(close(p[1]));
}

SUBTEST(exec_closes_cloexec) {
  char text[16];
  int fd = OK(open("/dev/null", O_RDONLY | O_CLOEXEC));
  snprintf(text, sizeof text, "%d", fd);
  CHECK_EQ(exec_self("@fd", text), 1);
  OK(fcntl(fd, F_SETFD, 0));
  CHECK_EQ(exec_self("@fd", text), 0);
  OK(close(fd));
}

static void nothing(int sig) { (void)sig; }

SUBTEST_FORK(exec_resets_handlers) {
  static char stack[16384];
  stack_t alt = {.ss_sp = stack, .ss_size = sizeof stack};
  OK(sigaltstack(&alt, NULL));
  signal(SIGUSR1, nothing);
  signal(SIGUSR2, SIG_IGN);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGTERM);
  OK(sigprocmask(SIG_BLOCK, &mask, NULL));
  // Pending signals survive execve, but are not inherited over fork.
  pid_t pid = SPAWN({
    raise(SIGTERM);
    execl(self_path, "self", "@signals", NULL);
    _exit(99);
  });
  CHECK_EQ(child_result(pid), 0);
}

static void *exec_thread(void *arg) {
  execl(self_path, "self", "@same", (char *)arg, NULL);
  _exit(99);
}

SUBTEST(exec_from_a_thread) {
  // The new program takes over the process id, whichever thread called.
  pid_t pid = SPAWN({
    char number[16];
    pthread_t t;
    snprintf(number, sizeof number, "%d", getpid());
    pthread_create(&t, NULL, exec_thread, number);
    for (;;) pause();
  });
  CHECK_EQ(child_result(pid), 0);
}

// A program that no path leads to: /proc knows it by the name of the memfd.
SUBTEST(exec_memfd) {
  char *argv[] = {"self", "@exit", "18", NULL}, buf[4096], exe[64] = "";
  int fd = OK(memfd_create("program", MFD_CLOEXEC)), self = OK(open(self_path, O_RDONLY));
  for (ssize_t n; (n = OK(read(self, buf, sizeof buf))) > 0;) CHECK_EQ(write(fd, buf, n), n);
  pid_t pid = SPAWN({ syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH); _exit(99); });
  CHECK_EQ(child_result(pid), 18);
  char *words[] = {"readlink", "/proc/self/exe", NULL};
  int tool = OK(open("/bin/readlink", O_RDONLY)), ends[2];
  OK(ftruncate(fd, 0));
  OK(lseek(fd, 0, SEEK_SET));
  for (ssize_t n; (n = OK(read(tool, buf, sizeof buf))) > 0;) CHECK_EQ(write(fd, buf, n), n);
  OK(pipe(ends));
  pid = SPAWN({
    dup2(ends[1], 1);
    syscall(SYS_execveat, fd, "", words, environ, AT_EMPTY_PATH);
    _exit(99);
  });
  CHECK_EQ(child_result(pid), 0);
  CHECK(read(ends[0], exe, sizeof exe - 1) > 0);
  CHECK_STR(exe, "/memfd:program (deleted)\n");
  for (int i = 0; i < 2; i++) close(ends[i]);
  close(fd);
  close(self);
  close(tool);
}

SUBTEST(exec_by_fd) {
  char *argv[] = {"self", "@exit", "17", NULL};
  int fd = OK(open(self_path, O_RDONLY | O_CLOEXEC));
  pid_t pid = SPAWN({ syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH); _exit(99); });
  CHECK_EQ(child_result(pid), 17);
  CHECK_ERR(syscall(SYS_execveat, fd, "", argv, environ, 0), ENOENT);
  CHECK_ERR(syscall(SYS_execveat, 999, "x", argv, environ, 0), EBADF);
  OK(symlink(self_path, "exlink"));
  CHECK_ERR(syscall(SYS_execveat, AT_FDCWD, "exlink", argv, environ, AT_SYMLINK_NOFOLLOW), ELOOP);
  pid = SPAWN({ fexecve(fd, argv, environ); _exit(99); });
  CHECK_EQ(child_result(pid), 17);
  OK(close(fd));
}

SUBTEST(thread_names) {
  char name[17] = {0};
  OK(prctl(PR_SET_NAME, "a-name-that-is-too-long"));
  OK(prctl(PR_GET_NAME, name));
  CHECK_STR(name, "a-name-that-is-");
  CHECK_STR(get_file("/proc/self/comm"), "a-name-that-is-\n");
}

SUBTEST_FORK(prctl_values) {
  CHECK_EQ(OK(prctl(PR_GET_DUMPABLE)), 1);
  OK(prctl(PR_SET_DUMPABLE, 0));
  CHECK_EQ(OK(prctl(PR_GET_DUMPABLE)), 0);
  CHECK_ERR(prctl(PR_SET_DUMPABLE, 7), EINVAL);
  CHECK_EQ(OK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)), 0);
  OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  CHECK_EQ(OK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)), 1);
  CHECK_ERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
  CHILD { CHECK_EQ(OK(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)), 1); }
  CHECK_ERR(prctl(PR_SET_PDEATHSIG, 65), EINVAL);
  CHECK_ERR(prctl(123456), EINVAL);
  CHECK_EQ(OK(prctl(PR_GET_TIMERSLACK)) > 0, 1);
  CHECK_EQ(OK(prctl(PR_GET_KEEPCAPS)), 0);
}

SUBTEST_FORK(limits) {
  struct rlimit a, b = {100, 200};
  OK(getrlimit(RLIMIT_CORE, &a));
  OK(getrlimit(RLIMIT_NOFILE, &a));
  OK(setrlimit(RLIMIT_NOFILE, &b));
  OK(getrlimit(RLIMIT_NOFILE, &a));
  CHECK(a.rlim_cur == 100 && a.rlim_max == 200);
  b.rlim_cur = 300;
  CHECK_ERR(setrlimit(RLIMIT_NOFILE, &b), EINVAL);
  CHECK_ERR(getrlimit(99, &a), EINVAL);
  b.rlim_cur = 150;
  OK(prlimit(0, RLIMIT_NOFILE, &b, &a));
  CHECK_EQ(a.rlim_cur, 100);
  CHILD {
    OK(getrlimit(RLIMIT_NOFILE, &a));
    CHECK_EQ(a.rlim_cur, 150);
  }
  CHECK_ERR(prlimit(0x3ffffff, RLIMIT_NOFILE, NULL, &a), ESRCH);
}

SUBTEST_FORK(cpu_limit) {
  pid_t pid = SPAWN({
    struct rlimit limit = {1, 2};
    setrlimit(RLIMIT_CPU, &limit);
    for (;;) {
    }
  });
  CHECK_EQ(child_result(pid), 256 + SIGXCPU);
}

static long used_us(int who) {
  struct rusage u;
  OK(getrusage(who, &u));
  return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000L + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}
/** Computes until that has cost 30 ms of CPU time: on a busy host it takes longer by the clock, and must not by the CPU. */
static void use_30_ms(void) {
  volatile long x = 0;
  long start = now_ms(), before = used_us(RUSAGE_SELF), used;
  do {
    for (long step = now_ms(); now_ms() - step < 5;) x++;
    used = used_us(RUSAGE_SELF) - before;
  } while (used < 30000 && now_ms() - start < 30000);
  CHECK(used >= 30000);
  CHECK(used <= (now_ms() - start + 1) * 1000 + 10000);
}

SUBTEST(usage) {
  use_30_ms();
  struct rusage self;
  OK(getrusage(RUSAGE_SELF, &self));
  CHECK(self.ru_maxrss > 0);
  long before = used_us(RUSAGE_CHILDREN);
  CHILD { use_30_ms(); }
  CHECK(used_us(RUSAGE_CHILDREN) - before >= 30000);
  struct tms tms;
  CHECK(times(&tms) > 0);
  CHECK(tms.tms_utime + tms.tms_stime > 0);
  CHECK_EQ(sysconf(_SC_CLK_TCK), 100);
  CHECK_ERR(getrusage(99, &self), EINVAL);
}

SUBTEST_FORK(personalities) {
  CHECK_EQ(OK(personality(0xffffffff)), 0);
  CHECK_EQ(OK(personality(ADDR_NO_RANDOMIZE)), 0);
  CHECK_EQ(OK(personality(0xffffffff)), ADDR_NO_RANDOMIZE);
  CHILD { CHECK_EQ(OK(personality(0xffffffff)), ADDR_NO_RANDOMIZE); }
}

SUBTEST_FORK(fork_limit) {
  NEED_ROOT();
  OK(setresuid(54321, 54321, 54321));
  struct rlimit limit = {3, 3};
  OK(setrlimit(RLIMIT_NPROC, &limit));
  struct gate g = gate_make();
  int made = 0;
  while (made < 10) {
    pid_t pid = fork();
    if (pid == 0) {
      char c;
      close(g.fd[1]);
      _exit(read(g.fd[0], &c, 1) == 0 ? 0 : 1);
    }
    if (pid < 0) break;
    made++;
  }
  CHECK(errno == EAGAIN);
  CHECK_EQ(made, 2);
  close(g.fd[1]);
  while (wait(NULL) > 0) {
  }
}

SUBTEST(kill_errors) {
  CHECK_ERR(kill(0x3ffffff, 0), ESRCH);
  CHECK_ERR(kill(getpid(), 65), EINVAL);
  CHECK_ERR(kill(getpid(), -1), EINVAL);
  OK(kill(getpid(), 0));
  // A zombie can still be named.
  siginfo_t info;
  pid_t pid = SPAWN({ _exit(0); });
  OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
  OK(kill(pid, 0));
  OK(kill(pid, SIGKILL));
  CHILD_DONE(pid);
  CHECK_ERR(kill(pid, 0), ESRCH);
}
