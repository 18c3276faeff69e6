// File capabilities and what keeps a program from getting more rights: capabilities(7), execve(2), xattr(7).
#include "check.h"
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/xattr.h>

#define NAME "security.capability"
#define KILL (1u << CAP_KILL)
#define CHOWN (1u << CAP_CHOWN)

static char prog[PATH_MAX];

static void become(int uid, int gid) {
  OK(setgroups(0, NULL));
  OK(setresgid(gid, gid, gid));
  OK(setresuid(uid, uid, uid));
}

// A copy of cat(1) in the folder `dir`, whose own status tells what it got.
static void make_prog(const char *dir, int uid, int mode) {
  snprintf(prog, sizeof prog, "%s/%s/prog", check_dir, dir);
  unlink(prog);
  CHECK_EQ(child_result(SPAWN({ execl("/bin/cp", "cp", "/bin/cat", prog, NULL); _exit(99); })), 0);
  OK(chown(prog, uid, uid));
  OK(chmod(prog, mode));
}

static int set_caps(unsigned version, unsigned flags, unsigned permitted, unsigned inheritable, unsigned rootid) {
  struct vfs_ns_cap_data d = {.magic_etc = version | flags, .rootid = rootid};
  d.data[0].permitted = permitted;
  d.data[0].inheritable = inheritable;
  return setxattr(prog, NAME, &d, version == VFS_CAP_REVISION_3 ? 24 : version == VFS_CAP_REVISION_2 ? 20 : 12, 0);
}

enum { NO_NEW_PRIVS = 1, NO_BOUND = 2, INHERIT = 4, AMBIENT = 8, SHARED = 16, STAY_ROOT = 32, NO_ROOT = 64 };

static void prepare(int how) {
  struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {{0}};
  if (how & NO_BOUND) OK(prctl(PR_CAPBSET_DROP, CAP_KILL, 0, 0, 0));
  if (how & (INHERIT | AMBIENT)) OK(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0));
  if (how & NO_ROOT) OK(prctl(PR_SET_SECUREBITS, 1, 0, 0, 0));
  if (how & STAY_ROOT) return;
  become(1000, 1000);
  if (how & (INHERIT | AMBIENT)) {
    data[0].permitted = data[0].effective = data[0].inheritable = how & INHERIT ? KILL : CHOWN;
    OK(syscall(SYS_capset, &head, data));
  }
  if (how & AMBIENT) OK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, how & INHERIT ? CAP_KILL : CAP_CHOWN, 0, 0));
  if (how & NO_NEW_PRIVS) OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

// Runs the program so and says what it got: its user and its capabilities, or the error.
static void run(const char *title, int how) {
  int p[2];
  OK(pipe(p));
  struct gate ready = gate_make(), over = gate_make();
  pid_t pid = OK(syscall(SYS_clone, (how & SHARED ? CLONE_FS : 0) | SIGCHLD, 0, 0, 0, 0));
  if (pid == 0) {
    OK(dup2(p[1], 1));
    prepare(how);
    gate_signal(ready);
    gate_wait(over);
    execl(prog, "prog", "/proc/self/status", NULL);
    char text[100];
    snprintf(text, sizeof text, "error: %s\n", strerrorname_np(errno));
    CHECK(write(1, text, strlen(text)) > 0);
    _exit(0);
  }
  gate_wait(ready);
  gate_signal(over);
  OK(close(p[1]));
  static char text[1 << 16];
  size_t used = 0;
  ssize_t n;
  while ((n = OK(read(p[0], text + used, sizeof text - 1 - used))) > 0) used += n;
  text[used] = 0;
  OK(close(p[0]));
  CHECK_EQ(child_result(pid), 0);
  char all[600] = "";
  for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
    if (!strncmp(line, "Uid", 3) || !strncmp(line, "CapE", 4) || !strncmp(line, "CapP", 4) || !strncmp(line, "CapA", 4) ||
        !strncmp(line, "error", 5))
      snprintf(all + strlen(all), sizeof all - strlen(all), " %s", line);
  for (char *c = all; *c; c++)
    if (*c == '\t') *c = ' ';
  // The full set differs between kernels.
  for (char *c; (c = strstr(all, "000001ff")) != NULL;) memcpy(c, "the full set    ", 16);
  say("%s:%s\n", title, all);
}

SUBTEST_FORK(given_by_exec) {
  NEED_ROOT();
  mkdir("d", 0755);
  OK(chmod(".", 0755));
  make_prog("d", 0, 0755);
  run("none", 0);
  OK(set_caps(VFS_CAP_REVISION_2, VFS_CAP_FLAGS_EFFECTIVE, KILL, 0, 0));
  run("permitted and effective", 0);
  run("no_new_privs", NO_NEW_PRIVS);
  run("not in the bounding set", NO_BOUND);
  run("as root", STAY_ROOT);
  run("as root without its rule", STAY_ROOT | NO_ROOT);
  run("with an ambient set", AMBIENT);
  OK(set_caps(VFS_CAP_REVISION_2, 0, KILL, 0, 0));
  run("permitted", 0);
  run("permitted, not in the bounding set", NO_BOUND);
  OK(set_caps(VFS_CAP_REVISION_2, VFS_CAP_FLAGS_EFFECTIVE, 0, KILL, 0));
  run("inheritable", 0);
  run("inheritable, and the caller's", INHERIT);
  OK(removexattr(prog, NAME));
  run("removed, with an ambient set", AMBIENT);
  OK(set_caps(VFS_CAP_REVISION_3, VFS_CAP_FLAGS_EFFECTIVE, KILL, 0, 0));
  run("version 3", 0);
  OK(set_caps(VFS_CAP_REVISION_3, VFS_CAP_FLAGS_EFFECTIVE, KILL, 0, 1000));
  run("version 3 of another root", 0);
  OK(chmod(prog, 04755));
  OK(set_caps(VFS_CAP_REVISION_2, VFS_CAP_FLAGS_EFFECTIVE, KILL, 0, 0));
  run("of a set-user-ID program", 0);
}

SUBTEST_FORK(not_where_the_mount_has_nosuid) {
  NEED_ROOT();
  // A sandbox has one mount namespace, which is nobody else's.
  if (unshare(CLONE_NEWNS) == 0) OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  OK(mkdir("m", 0755));
  OK(chmod(".", 0755));
  OK(mount("none", "m", "tmpfs", 0, "mode=755"));
  make_prog("m", 0, 0755);
  OK(set_caps(VFS_CAP_REVISION_2, VFS_CAP_FLAGS_EFFECTIVE, KILL, 0, 0));
  run("suid", 0);
  OK(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | MS_NOSUID, NULL));
  run("nosuid", 0);
  OK(umount2("m", MNT_DETACH));
}

SUBTEST_FORK(not_while_the_root_directory_is_shared) {
  NEED_ROOT();
  mkdir("d", 0755);
  OK(chmod(".", 0755));
  make_prog("d", 0, 04755);
  run("own", 0);
  run("shared", SHARED);
  run("shared, by root", SHARED | STAY_ROOT);
  make_prog("d", 3000, 04755);
  run("another user's, shared", SHARED);
  run("another user's, shared, by root", SHARED | STAY_ROOT);
  make_prog("d", 0, 0755);
  OK(set_caps(VFS_CAP_REVISION_2, VFS_CAP_FLAGS_EFFECTIVE, KILL, 0, 0));
  run("capabilities, shared", SHARED);
}

static void *then_exec(void *arg) {
  (void)arg;
  while (task_state(getpid()) != 'Z') sleep_ms(1);
  prepare(0);
  execl(prog, "prog", "/proc/self/status", NULL);
  _exit(1);
}

// A leader that has exited is no longer one of those who share.
SUBTEST_FORK(not_when_another_process_shares_it_with_a_thread) {
  NEED_ROOT();
  mkdir("d", 0755);
  OK(chmod(".", 0755));
  make_prog("d", 0, 04755);
  int p[2];
  OK(pipe(p));
  pid_t pid = OK(syscall(SYS_clone, CLONE_FS | SIGCHLD, 0, 0, 0, 0));
  if (pid == 0) {
    OK(dup2(p[1], 1));
    pthread_t t;
    CHECK(pthread_create(&t, NULL, then_exec, NULL) == 0);
    syscall(SYS_exit, 0);
  }
  OK(close(p[1]));
  static char text[1 << 16];
  size_t used = 0;
  ssize_t n;
  while ((n = OK(read(p[0], text + used, sizeof text - 1 - used))) > 0) used += n;
  CHECK_EQ(child_result(pid), 0);
  char *uid = strstr(text, "Uid:");
  CHECK(uid != NULL);
  say("%.*s\n", (int)strcspn(uid, "\n"), uid);
}

static ssize_t left(int fd) {
  char value[64];
  return fgetxattr(fd, NAME, value, sizeof value);
}

SUBTEST_FORK(changes_take_them_away) {
  NEED_ROOT();
  mkdir("d", 0755);
  make_prog("d", 0, 0755);
  int fd = OK(open(prog, O_RDWR));
#define AFTER(call, want)                                                            \
  do {                                                                               \
    OK(set_caps(VFS_CAP_REVISION_2, VFS_CAP_FLAGS_EFFECTIVE, KILL, 0, 0));           \
    CHECK_EQ(left(fd), 20);                                                          \
    OK(call);                                                                        \
    CHECK_EQ(left(fd), want);                                                        \
  } while (0)
  AFTER(read(fd, &(char){0}, 1), 20);
  AFTER(write(fd, "", 0), 20);
  AFTER(fchmod(fd, 0755), 20);
  AFTER(futimens(fd, NULL), 20);
  AFTER(write(fd, "x", 1), -1);
  AFTER(pwrite(fd, "x", 1, 100), -1);
  AFTER(ftruncate(fd, 1000), -1);
  AFTER(truncate(prog, 1000), -1);
  AFTER(fallocate(fd, 0, 0, 4096), -1);
  AFTER(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
  AFTER(fchown(fd, -1, -1), -1);
  AFTER(chown(prog, 1000, -1), -1);
  AFTER(close(OK(open(prog, O_WRONLY | O_TRUNC))), -1);
  CHECK_ERR(fgetxattr(fd, NAME, NULL, 0), ENODATA);
}

SUBTEST_FORK(as_an_attribute) {
  NEED_ROOT();
  mkdir("d", 0755);
  OK(chmod(".", 0755));
  make_prog("d", 1000, 0755);
  struct vfs_ns_cap_data d;
  OK(set_caps(VFS_CAP_REVISION_3, VFS_CAP_FLAGS_EFFECTIVE, KILL, CHOWN, 0));
  CHECK_EQ(OK(getxattr(prog, NAME, &d, sizeof d)), 20);
  CHECK_EQ(d.magic_etc, VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE);
  CHECK_EQ(d.data[0].permitted, KILL);
  CHECK_EQ(d.data[0].inheritable, CHOWN);
  OK(set_caps(VFS_CAP_REVISION_3, 0, KILL, 0, 1000));
  CHECK_EQ(OK(getxattr(prog, NAME, &d, sizeof d)), 24);
  CHECK_EQ(d.rootid, 1000);
  CHECK_ERR(set_caps(VFS_CAP_REVISION_1, 0, KILL, 0, 0), EINVAL);
  CHECK_ERR(setxattr(prog, NAME, &d, 20, 0), EINVAL);
  CHECK_ERR(setxattr(prog, NAME, &d, 3, 0), EINVAL);
  CHECK_ERR(setxattr(prog, NAME, &d, 24, XATTR_CREATE), EEXIST);
  become(1000, 1000);
  CHECK_ERR(set_caps(VFS_CAP_REVISION_2, 0, KILL, 0, 0), EPERM);
  CHECK_ERR(removexattr(prog, NAME), EPERM);
  CHECK_ERR(setxattr(prog, NAME, &d, 3, 0), EINVAL);
}

