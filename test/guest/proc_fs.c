// proc(5): what programs really read there.
#include "check.h"
#include <ctype.h>
#include <pthread.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>

static char *link_of(const char *path) {
  static char text[PATH_MAX];
  ssize_t n = OK(readlink(path, text, sizeof text - 1));
  text[n] = 0;
  return text;
}

static char *status_field(const char *name) {
  static char value[256];
  char key[64], *text = get_file("/proc/self/status");
  snprintf(key, sizeof key, "%s:", name);
  for (char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
    if (strncmp(line, key, strlen(key)) == 0) {
      line += strlen(key);
      while (*line == '\t' || *line == ' ') line++;
      snprintf(value, sizeof value, "%.*s", (int)strcspn(line, "\n"), line);
      return value;
    }
  FAIL("no field %s", name);
}

SUBTEST(self) {
  CHECK_EQ(atoi(link_of("/proc/self")), getpid());
  char want[64], path[64];
  snprintf(want, sizeof want, "%d/task/%d", getpid(), gettid());
  CHECK_STR(link_of("/proc/thread-self"), want);
  struct stat st;
  snprintf(path, sizeof path, "/proc/%d", getpid());
  OK(stat(path, &st));
  CHECK(S_ISDIR(st.st_mode) && st.st_uid == geteuid());
  CHECK_ERR(stat("/proc/99999999", &st), ENOENT);
  CHECK_ERR(stat("/proc/nothing", &st), ENOENT);
  // The look-up of the new name fails before anybody asks who may make it; process directories are immutable.
  CHECK_ERR(mkdir("/proc/x", 0755), ENOENT);
  CHECK_ERR(mkdir("/proc/self/x", 0755), ENOENT);
  CHECK_ERR(open("/proc/x", O_CREAT | O_WRONLY, 0644), ENOENT);
  CHECK_ERR(symlink("a", "/proc/self/task/x"), ENOENT);
  CHECK_ERR(access("/proc/self/", W_OK), EPERM);
  CHECK_ERR(rmdir("/proc/self/task"), EPERM);
}

SUBTEST_FORK(as_an_ordinary_user) {
  NEED_ROOT();
  OK(setresgid(54324, 54324, 54324));
  OK(setresuid(54324, 54324, 54324));
  CHECK_ERR(mkdir("/proc/x", 0755), ENOENT);
  CHECK_ERR(open("/proc/x", O_CREAT | O_WRONLY, 0644), ENOENT);
  CHECK_ERR(access("/proc", W_OK), EACCES);
  CHECK_ERR(access("/proc/self/", W_OK), EPERM);
  CHECK_ERR(unlink("/proc/self/status"), EPERM);
  CHECK_ERR(unlink("/proc/cpuinfo"), EACCES);
}

SUBTEST(exe_cwd_root) {
  char *exe = link_of("/proc/self/exe");
  CHECK(exe[0] == '/' && strstr(exe, "proc_fs") != NULL);
  CHECK_STR(link_of("/proc/self/cwd"), check_dir);
  CHECK_STR(link_of("/proc/self/root"), "/");
  int fd = OK(open("/proc/self/exe", O_RDONLY));
  char magic[4];
  CHECK_EQ(OK(read(fd, magic, 4)), 4);
  CHECK(memcmp(magic, "\177ELF", 4) == 0);
  OK(close(fd));
}

SUBTEST(fds) {
  char path[64], want[PATH_MAX];
  put_file("file", "text");
  int fd = OK(open("file", O_RDWR | O_APPEND));
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  snprintf(want, sizeof want, "%s/file", check_dir);
  CHECK_STR(link_of(path), want);
  int again = OK(open(path, O_RDONLY));
  char buf[8];
  CHECK_EQ(OK(read(again, buf, 8)), 4);
  OK(close(again));
  OK(unlink("file"));
  strcat(want, " (deleted)");
  CHECK_STR(link_of(path), want);
  again = OK(open(path, O_RDONLY));
  CHECK_EQ(OK(read(again, buf, 8)), 4);
  OK(close(again));
  OK(lseek(fd, 2, SEEK_SET));
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  char *info = get_file(path);
  CHECK(strstr(info, "pos:\t2\n") != NULL);
  CHECK(strstr(info, "flags:\t0102002\n") != NULL);
  struct stat st;
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  OK(lstat(path, &st));
  CHECK(S_ISLNK(st.st_mode));
  CHECK_EQ(st.st_mode & 0700, 0700);
  OK(close(fd));
  CHECK_ERR(lstat(path, &st), ENOENT);
}

SUBTEST(maps) {
  char *p = OK(mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  OK(mprotect(p + PAGE, PAGE, PROT_READ));
  OK(mprotect(p + 2 * PAGE, PAGE, PROT_NONE));
  put_file("mapped", "x");
  int fd = OK(open("mapped", O_RDWR));
  char *q = OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  OK(close(fd));
  FILE *maps = fopen("/proc/self/maps", "r");
  CHECK(maps != NULL);
  char line[600], want[128];
  unsigned long from, to, offset, inode, last = 0;
  char perms[8], dev[16], found = 0;
  int names = 0;
  while (fgets(line, sizeof line, maps)) {
    int at = 0;
    CHECK(sscanf(line, "%lx-%lx %7s %lx %15s %lu%n", &from, &to, perms, &offset, dev, &inode, &at) == 6);
    CHECK(from >= last && to > from);
    last = to;
    // With a name, it starts at column 73.
    if (strlen(line) > (size_t)at + 2) CHECK(line[73] == '/' || line[73] == '[');
    if (strstr(line, "[stack]") || strstr(line, "[heap]") || strstr(line, "[vdso]")) names++;
    if (from == (unsigned long)p + PAGE && to == from + PAGE && strcmp(perms, "r--p") == 0) found |= 1;
    if (from == (unsigned long)p + 2 * PAGE && strcmp(perms, "---p") == 0) found |= 2;
    snprintf(want, sizeof want, "%s/mapped\n", check_dir);
    if (from == (unsigned long)q && strcmp(perms, "rw-s") == 0 && strcmp(line + 73, want) == 0 && inode > 0) found |= 4;
    if ((unsigned long)link_of >= from && (unsigned long)link_of < to && perms[2] == 'x') found |= 8;
  }
  fclose(maps);
  CHECK_EQ(found, 15);
  CHECK(names >= 2);
  OK(munmap(p, 3 * PAGE));
  OK(munmap(q, PAGE));
}

static void *wait_thread(void *arg) {
  read(*(int *)arg, arg, 0);
  pause();
  return NULL;
}

SUBTEST_FORK(status) {
  char want[64];
  prctl(PR_SET_NAME, "status-test");
  CHECK_STR(status_field("Name"), "status-test");
  CHECK_EQ(atoi(status_field("Pid")), getpid());
  CHECK_EQ(atoi(status_field("Tgid")), getpid());
  CHECK_EQ(atoi(status_field("PPid")), getppid());
  CHECK_EQ(atoi(status_field("Threads")), 1);
  CHECK_EQ(status_field("State")[0], 'R');
  CHECK_EQ(atoi(status_field("TracerPid")), 0);
  snprintf(want, sizeof want, "%d\t%d\t%d\t%d", getuid(), geteuid(), geteuid(), geteuid());
  CHECK_STR(status_field("Uid"), want);
  umask(027);
  CHECK_STR(status_field("Umask"), "0027");
  CHECK(atol(status_field("VmSize")) > 1000);
  CHECK(atol(status_field("VmRSS")) > 0);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  signal(SIGUSR2, SIG_IGN);
  raise(SIGUSR1);
  CHECK_STR(status_field("SigBlk"), "0000000000000200");
  CHECK_STR(status_field("SigPnd"), "0000000000000200");
  CHECK(strtoul(status_field("SigIgn"), NULL, 16) & (1 << (SIGUSR2 - 1)));
  CHECK_EQ(strlen(status_field("CapEff")), 16);
  CHECK_STR(status_field("NoNewPrivs"), "0");
  status_field("Cpus_allowed_list");
  status_field("voluntary_ctxt_switches");
  pthread_t t;
  int p[2];
  OK(pipe(p));
  OK0(pthread_create(&t, NULL, wait_thread, &p[0]));
  CHECK_EQ(atoi(status_field("Threads")), 2);
}

SUBTEST_FORK(stat_line) {
  prctl(PR_SET_NAME, "a) b (c");
  char *text = get_file("/proc/self/stat"), *end = strrchr(text, ')');
  CHECK_EQ(atoi(text), getpid());
  CHECK(strncmp(strchr(text, '('), "(a) b (c)", 9) == 0);
  char state;
  int ppid, pgrp, session, fields = 2;
  CHECK(sscanf(end + 2, "%c %d %d %d", &state, &ppid, &pgrp, &session) == 4);
  CHECK(state == 'R' && ppid == getppid() && pgrp == getpgrp() && session == getsid(0));
  for (char *s = end + 1; *s && *s != '\n'; s++) fields += *s == ' ';
  CHECK_EQ(fields, 52);
  long vsize = 0, rss = 0;
  unsigned long long start = 0;
  sscanf(end + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu %ld %ld", &start,
         &vsize, &rss);
  CHECK(vsize > 1000000 && vsize % PAGE == 0 && rss > 0);
  long size;
  CHECK(sscanf(get_file("/proc/self/statm"), "%ld", &size) == 1);
  CHECK(size > 100);
}

SUBTEST(command_line_and_environment) {
  pid_t pid;
  int p[2];
  OK(pipe(p));
  pid = SPAWN({
    char *argv[] = {"cat", "/proc/self/cmdline", "/proc/self/environ", "", "x y", NULL}, *envp[] = {"ONE=1", "TWO=2", NULL};
    dup2(p[1], 1);
    close(2);
    execve("/bin/cat", argv, envp);
    _exit(99);
  });
  CHECK_EQ(child_result(pid), 1);
  char buf[256];
  ssize_t n = OK(read(p[0], buf, sizeof buf));
  static const char want[] = "cat\0/proc/self/cmdline\0/proc/self/environ\0\0x y\0ONE=1\0TWO=2";
  CHECK_EQ(n, sizeof want);
  CHECK(memcmp(buf, want, n) == 0);
  OK(close(p[0]));
  OK(close(p[1]));
}

SUBTEST_FORK(zombies_and_others) {
  siginfo_t info;
  char path[64];
  pid_t pid = SPAWN({ _exit(0); });
  OK(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
  CHECK_EQ(task_state(pid), 'Z');
  snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
  CHECK_STR(get_file(path), "");
  snprintf(path, sizeof path, "/proc/%d/exe", pid);
  char buf[16];
  CHECK_ERR(readlink(path, buf, 16), ENOENT);
  CHILD_DONE(pid);
  snprintf(path, sizeof path, "/proc/%d", pid);
  CHECK_ERR(access(path, F_OK), ENOENT);
  // An open file of a process that has gone.
  struct gate g = gate_make();
  pid = SPAWN({ gate_wait(g); });
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  int fd = OK(open(path, O_RDONLY));
  gate_signal(g);
  CHILD_DONE(pid);
  CHECK_ERR(read(fd, buf, 16), ESRCH);
}

SUBTEST(threads_have_folders) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/comm", gettid());
  CHECK(strlen(get_file(path)) > 1);
  put_file("/proc/self/comm", "renamed");
  CHECK_STR(get_file(path), "renamed\n");
}

SUBTEST(mounts) {
  char *text = get_file("/proc/self/mounts");
  CHECK(strstr(text, " / ") != NULL);
  CHECK(strstr(text, " /proc proc ") != NULL);
  text = get_file("/proc/self/mountinfo");
  int id, parent, major, minor;
  char root[256], where[256];
  CHECK(sscanf(text, "%d %d %d:%d %255s %255s", &id, &parent, &major, &minor, root, where) == 6);
  CHECK(strstr(text, " - ") != NULL);
  CHECK_STR(link_of("/proc/mounts"), "self/mounts");
  CHECK(strstr(get_file("/proc/filesystems"), "nodev\tproc\n") != NULL);
}

SUBTEST(system_files) {
  long total, available;
  CHECK(sscanf(get_file("/proc/meminfo"), "MemTotal: %ld kB", &total) == 1);
  CHECK(total > 10000);
  char *line = strstr(get_file("/proc/meminfo"), "MemAvailable:");
  CHECK(line && sscanf(line, "MemAvailable: %ld kB", &available) == 1 && available <= total);
  char *text = get_file("/proc/cpuinfo");
  int cpus = 0;
  for (char *s = text; (s = strstr(s, "processor\t:")); s++) cpus++;
  CHECK_EQ(cpus, sysconf(_SC_NPROCESSORS_ONLN));
  CHECK(strstr(text, "\nflags\t\t:") && strstr(text, " sse2 "));
  text = get_file("/proc/stat");
  CHECK(strncmp(text, "cpu  ", 5) == 0 && strstr(text, "\nbtime ") && strstr(text, "\ncpu0 "));
  double up, idle;
  CHECK(sscanf(get_file("/proc/uptime"), "%lf %lf", &up, &idle) == 2 && up > 0);
  CHECK(sscanf(get_file("/proc/loadavg"), "%lf", &up) == 1);
  CHECK(strncmp(get_file("/proc/version"), "Linux version ", 14) == 0);
  get_file("/proc/cmdline");
}

static long number(const char *path) {
  char *text = get_file(path), *end;
  long n = strtol(text, &end, 10);
  if (end == text || (*end != '\n' && !isspace(*end))) FAIL("%s: %s", path, text);
  return n;
}

SUBTEST(kernel_settings) {
  CHECK(number("/proc/sys/kernel/pid_max") >= 32768);
  CHECK(number("/proc/sys/kernel/threads-max") > 0);
  CHECK(number("/proc/sys/kernel/cap_last_cap") >= 37);
  CHECK_EQ(number("/proc/sys/kernel/ngroups_max"), 65536);
  CHECK(number("/proc/sys/vm/overcommit_memory") <= 2);
  CHECK(number("/proc/sys/vm/max_map_count") >= 65530);
  CHECK(number("/proc/sys/fs/file-max") > 0);
  CHECK(number("/proc/sys/fs/nr_open") >= 1024);
  CHECK(number("/proc/sys/fs/pipe-max-size") >= 65536);
  CHECK_STR(get_file("/proc/sys/kernel/ostype"), "Linux\n");
  CHECK(number("/proc/sys/kernel/randomize_va_space") <= 2);
  CHECK(isdigit(get_file("/proc/sys/kernel/osrelease")[0]));
  char *id = get_file("/proc/sys/kernel/random/uuid");
  CHECK_EQ(strlen(id), 37);
  char first[40];
  strcpy(first, id);
  CHECK(strcmp(get_file("/proc/sys/kernel/random/uuid"), first) != 0);
}

SUBTEST(limits_and_small_files) {
  char *text = get_file("/proc/self/limits");
  CHECK(strncmp(text, "Limit                     Soft Limit           Hard Limit           Units     \n", 79) == 0);
  CHECK(strstr(text, "Max open files ") && strstr(text, "Max stack size "));
  CHECK(atoi(get_file("/proc/self/oom_score_adj")) >= -1000);
  get_file("/proc/self/oom_score");
  get_file("/proc/self/cgroup");
  get_file("/proc/self/wchan");
  get_file("/proc/self/io");
  get_file("/proc/self/auxv");
  CHECK_EQ(strtol(get_file("/proc/self/personality"), NULL, 16), 0);
  CHECK(strlen(get_file("/proc/self/smaps")) > 500);
}

SUBTEST(memory_file) {
  static char secret[16] = "before";
  int fd = OK(open("/proc/self/mem", O_RDWR));
  char buf[8] = {0};
  CHECK_EQ(OK(pread(fd, buf, 7, (off_t)secret)), 7);
  CHECK_STR(buf, "before");
  CHECK_EQ(OK(pwrite(fd, "after!", 7, (off_t)secret)), 7);
  CHECK_STR(secret, "after!");
  CHECK_ERR(pread(fd, buf, 8, 8), EIO);
  OK(close(fd));
}

SUBTEST(namespaces) {
  const char *names[] = {"mnt", "pid", "net", "uts", "ipc", "user"};
  for (size_t i = 0; i < COUNT(names); i++) {
    char path[64], want[32];
    snprintf(path, sizeof path, "/proc/self/ns/%s", names[i]);
    snprintf(want, sizeof want, "%s:[", names[i]);
    CHECK(strncmp(link_of(path), want, strlen(want)) == 0);
  }
}

SUBTEST(read_only_and_seeking) {
  char buf[64], again[64];
  CHECK(open("/proc/self/status", O_WRONLY) < 0 || geteuid() == 0);
  int fd = OK(open("/proc/self/status", O_RDONLY));
  CHECK(OK(read(fd, buf, 10)) == 10);
  OK(lseek(fd, 0, SEEK_SET));
  CHECK(OK(read(fd, again, 10)) == 10);
  CHECK(memcmp(buf, again, 10) == 0);
  struct stat st;
  OK(fstat(fd, &st));
  CHECK_EQ(st.st_size, 0);
  CHECK(S_ISREG(st.st_mode));
  OK(close(fd));
  CHECK_ERR(unlink("/proc/self/status"), EPERM);
}

// The offsets are what system calls of a kernel return to say other things.
SUBTEST_FORK(mem_seeks_far) {
  int fd = OK(open("/proc/self/mem", O_RDONLY));
  const long far[] = {-1, -4, -512, -516, -4096, -0x10000001L, -0x10000002L, -0x10000003L, -0x10000004L, LONG_MIN};
  char c;
  for (size_t i = 0; i < COUNT(far); i++) {
    syscall(SYS_lseek, fd, far[i], SEEK_SET);
    CHECK(pread(fd, &c, 1, 0) < 0);
  }
  CHECK_EQ(syscall(SYS_lseek, fd, (long)&c, SEEK_SET), (long)&c);
  CHECK(OK(read(fd, &c, 1)) == 1);
  OK(close(fd));
}

static int fdinfo_pid(int fd) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  char *line = strstr(get_file(path), "\nPid:\t");
  CHECK(line != NULL);
  return atoi(line + 6);
}

SUBTEST_FORK(fdinfo_of_a_pidfd) {
  pid_t pid = SPAWN(_exit(0));
  int fd = OK(syscall(SYS_pidfd_open, pid, 0));
  CHECK_EQ(fdinfo_pid(fd), pid);
  CHECK_EQ(child_result(pid), 0);
  CHECK_EQ(fdinfo_pid(fd), -1);
}

SUBTEST_FORK(environ_ends_with_exec) {
  int p[2];
  OK(pipe(p));
  pid_t pid = SPAWN({
    char c;
    OK(dup2(p[0], 0));
    OK(close(p[1]));
    read(0, &c, 1);
    execl("/bin/cat", "cat", NULL);
  });
  char path[64], buf[4096];
  snprintf(path, sizeof path, "/proc/%d/environ", pid);
  int fd = OK(open(path, O_RDONLY));
  CHECK(OK(read(fd, buf, 1)) == 1);
  CHECK_EQ(OK(write(p[1], "x", 1)), 1);
  char comm[64], name[16] = "";
  snprintf(comm, sizeof comm, "/proc/%d/comm", pid);
  for (int i = 0; i < 400 && strcmp(name, "cat\n") != 0; i++) {
    sleep_ms(5);
    snprintf(name, sizeof name, "%s", get_file(comm));
  }
  CHECK_EQ(OK(pread(fd, buf, sizeof buf, 0)), 0);
  OK(close(p[1]));
  OK(close(p[0]));
  CHECK_EQ(child_result(pid), 0);
}

static bool has_line(const char *path, const char *part) {
  return strstr(get_file(path), part) != NULL;
}

SUBTEST_FORK(locks_are_listed) {
  put_file("locked", "x");
  int fd = OK(open("locked", O_RDWR));
  struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 5};
  OK(fcntl(fd, F_SETLK, &l));
  struct stat st;
  OK(fstat(fd, &st));
  char want[96];
  snprintf(want, sizeof want, ":%lu 10 14\n", st.st_ino);
  CHECK(has_line("/proc/locks", want));
  OK(close(fd));
  CHECK(!has_line("/proc/locks", want));
}

SUBTEST_FORK(unix_sockets_are_listed) {
  int s = OK(socket(AF_UNIX, SOCK_STREAM, 0));
  struct sockaddr_un a = {AF_UNIX, "sock-in-proc"};
  OK(bind(s, (struct sockaddr *)&a, sizeof a));
  OK(listen(s, 1));
  CHECK(has_line("/proc/net/unix", " 00010000 0001 01 "));
  CHECK(has_line("/proc/net/unix", " sock-in-proc\n"));
  OK(unlink("sock-in-proc"));
}

SUBTEST_FORK(sysvipc_is_listed) {
  int shm = OK(shmget(IPC_PRIVATE, 12345, 0600)), sem = OK(semget(IPC_PRIVATE, 7, 0640));
  int msg = OK(msgget(IPC_PRIVATE, 0600));
  char want[96];
  snprintf(want, sizeof want, "\n         0 %10d   600                 12345 %5d     0      0 ", shm, getpid());
  CHECK(has_line("/proc/sysvipc/shm", want));
  snprintf(want, sizeof want, "\n         0 %10d   640          7 ", sem);
  CHECK(has_line("/proc/sysvipc/sem", want));
  snprintf(want, sizeof want, "\n         0 %10d   600           0          0     0     0 ", msg);
  CHECK(has_line("/proc/sysvipc/msg", want));
  OK(shmctl(shm, IPC_RMID, NULL));
  OK(semctl(sem, 0, IPC_RMID));
  OK(msgctl(msg, IPC_RMID, NULL));
}

SUBTEST(where_nothing_can_be_made) {
  NEED_ROOT();
  struct {
    const char *path;
    int file, other;
  } places[] = {{"/proc/new", ENOENT, ENOENT}, {"/proc/self/new", ENOENT, ENOENT}, {"/dev/pts/new", EACCES, EPERM}};
  for (size_t i = 0; i < COUNT(places); i++) {
    CHECK_ERR(open(places[i].path, O_CREAT | O_WRONLY, 0600), places[i].file);
    CHECK_ERR(mknod(places[i].path, S_IFREG | 0600, 0), places[i].file);
    CHECK_ERR(mknod(places[i].path, S_IFIFO | 0600, 0), places[i].other);
    CHECK_ERR(mkdir(places[i].path, 0700), places[i].other);
    CHECK_ERR(symlink("target", places[i].path), places[i].other);
  }
}
