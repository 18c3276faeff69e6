// An execve(2) that takes long, of a set-user-ID program, while another thread of the caller changes what it decides on: the
// rights and the restrictions are those of one moment (cred_guard_mutex, fs->in_exec). Root, for the program's owner.
#define CHECK_SECONDS 60
#include "check.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/prctl.h>

// Arguments of megabytes, so that execve(2) is at work for a while.
#define ARGS 40
#define ARG_BYTES 100000
// Delays of the other thread, from before the call to after it.
#define DELAYS 16

struct seen {
  int euid, filtered, no_new_privs;
};

static struct seen look(void) {
  struct seen s = {geteuid(), -1, -1};
  char *text = get_file("/proc/self/status");
  char *line = strstr(text, "\nSeccomp:\t");
  if (line) s.filtered = atoi(line + 10);
  line = strstr(text, "\nNoNewPrivs:\t");
  if (line) s.no_new_privs = atoi(line + 13);
  return s;
}

// The program that is executed: "seen FD" tells what it is, "moved FD" goes elsewhere first and stays a moment.
__attribute__((constructor(101))) static void roles(int argc, char **argv, char **envp) {
  (void)envp;
  if (argc < 4) return;
  if (strcmp(argv[1], "seen") != 0 && strcmp(argv[1], "moved") != 0) return;
  struct seen s = look();
  if (strcmp(argv[1], "moved") == 0 && chdir("/proc") < 0) _exit(3);
  if (write(atoi(argv[2]), &s, sizeof s) != sizeof s) _exit(4);
  if (strcmp(argv[1], "moved") == 0) sleep_ms(200);
  _exit(0);
}

static char *program;
static char *arguments[ARGS + 4];

static void prepare(const char *role, int fd) {
  char self[256], to[64];
  static char number[16];
  ssize_t n = OK(readlink("/proc/self/exe", self, sizeof self - 1));
  self[n] = 0;
  snprintf(to, sizeof to, "suid-%s", role);
  CHILD { execlp("cp", "cp", self, to, NULL); }
  OK(chmod(to, 04755));
  program = realpath(to, NULL);
  snprintf(number, sizeof number, "%d", fd);
  char *big = malloc(ARG_BYTES + 1);
  memset(big, 'x', ARG_BYTES);
  big[ARG_BYTES] = 0;
  arguments[0] = program;
  arguments[1] = (char *)role;
  arguments[2] = number;
  for (int i = 0; i < ARGS; i++) arguments[3 + i] = big;
}

static volatile int *shared;
static int delay_us;

static void wait_for_exec(void) {
  while (!__atomic_load_n(&shared[0], __ATOMIC_SEQ_CST)) {
  }
  usleep(delay_us);
}

static void *filter_all(void *arg) {
  (void)arg;
  OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  wait_for_exec();
  struct sock_filter allow[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  struct sock_fprog prog = {1, allow};
  syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &prog);
  for (;;) pause();
}

static void *share_fs(void *arg) {
  (void)arg;
  wait_for_exec();
  long pid = syscall(SYS_clone, CLONE_FS | SIGCHLD, 0, 0, 0, 0);
  if (pid == 0) {
    // Whoever shares the directory with a program of root's would go where that goes.
    shared[1] = 1;
    sleep_ms(120);
    char dir[256];
    if (getcwd(dir, sizeof dir) != NULL && strcmp(dir, "/proc") == 0) shared[2] = 1;
    _exit(0);
  }
  for (;;) pause();
}

// Runs the program as uid 1000 while `other` acts after a delay; what it saw.
static struct seen race(int out, void *(*other)(void *)) {
  struct rlimit stack = {64 << 20, RLIM_INFINITY};
  pid_t pid = OK(fork());
  if (pid == 0) {
    OK(setrlimit(RLIMIT_STACK, &stack));
    OK(setgid(1000));
    OK(setuid(1000));
    pthread_t thread;
    OK0(pthread_create(&thread, NULL, other, NULL));
    sleep_ms(5);
    __atomic_store_n(&shared[0], 1, __ATOMIC_SEQ_CST);
    execve(program, arguments, (char *[]){NULL});
    _exit(9);
  }
  struct seen s = {-1, -1, -1};
  CHECK_EQ(child_result(pid), 0);
  CHECK_EQ(read(out, &s, sizeof s), sizeof s);
  return s;
}

static void set_up(const char *role, int *pipe_fd) {
  NEED_ROOT();
  OK(pipe(pipe_fd));
  OK(chmod(".", 0755));
  prepare(role, pipe_fd[1]);
  shared = OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}

SUBTEST_FORK(no_root_under_a_filter_that_comes_meanwhile) {
  int fd[2];
  set_up("seen", fd);
  delay_us = 0;
  for (int i = 0; i < DELAYS; i++, delay_us = delay_us * 5 / 4 + 100) {
    shared[0] = 0;
    struct seen s = race(fd[0], filter_all);
    if (s.filtered != 0 || s.no_new_privs != 0) CHECK_EQ(s.euid, 1000);
    else CHECK_EQ(s.euid, 0);
  }
}

SUBTEST_FORK(no_root_whose_directory_another_shares) {
  int fd[2];
  set_up("moved", fd);
  delay_us = 0;
  for (int i = 0; i < DELAYS; i++, delay_us = delay_us * 5 / 4 + 100) {
    memset((void *)shared, 0, PAGE);
    struct seen s = race(fd[0], share_fs);
    sleep_ms(30);
    if (shared[2]) CHECK_EQ(s.euid, 1000);
  }
}
