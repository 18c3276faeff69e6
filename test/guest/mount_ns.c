// mount_namespaces(7): CLONE_NEWNS, setns(2), and who hears of mounts: shared, private, slave and unbindable mounts.
#include "check.h"
#include <sys/mount.h>
#include <sys/stat.h>

static char top[64];

static char *in_top(const char *name) {
  static char buf[4][256];
  static int turn;
  char *s = buf[turn++ & 3];
  snprintf(s, 256, "%s%s%s", top, name[0] ? "/" : "", name);
  return s;
}

// A mount namespace of its own, all private, with a tmpfs that has folders a to d.
static void start(void) {
  // Linux 6.18 numbers namespaces by cpu, and asks the numbers who is older (mnt_ns_loop()).
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  OK(sched_setaffinity(0, sizeof one, &one));
  if (unshare(CLONE_NEWNS) < 0) SKIP("no privilege for mount namespaces");
  OK(mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL));
  strcpy(top, "/tmp/mount-ns-XXXXXX");
  CHECK(mkdtemp(top) != NULL);
  OK(mount("none", top, "tmpfs", 0, NULL));
  const char *names[] = {"a", "b", "c", "d", "a/x", "b/x", "a/y"};
  for (unsigned i = 0; i < COUNT(names); i++) OK(mkdir(in_top(names[i]), 0755));
}

static void end(void) {
  OK(umount2(top, MNT_DETACH));
  OK(rmdir(top));
}

static int is_mounted(const char *name) {
  FILE *f = fopen("/proc/self/mountinfo", "r");
  CHECK(f != NULL);
  char line[4096], at[1024];
  int n = 0;
  while (fgets(line, sizeof line, f))
    if (sscanf(line, "%*s %*s %*s %*s %1023s", at) == 1 && strcmp(at, in_top(name)) == 0) n++;
  fclose(f);
  return n;
}

// The optional fields of the last mount at a place, numbers left out.
static const char *fields(const char *name) {
  FILE *f = fopen("/proc/self/mountinfo", "r");
  CHECK(f != NULL);
  static char line[4096], texts[4][256];
  static int turn;
  char at[1024], *all = texts[turn++ & 3];
  int skip;
  all[0] = 0;
  while (fgets(line, sizeof line, f)) {
    if (sscanf(line, "%*s %*s %*s %*s %1023s %*s %n", at, &skip) != 1 || strcmp(at, in_top(name)) != 0) continue;
    all[0] = 0;
    for (char *word = strtok(line + skip, " "); word && strcmp(word, "-") != 0; word = strtok(NULL, " ")) {
      char *colon = strchr(word, ':');
      if (colon) *colon = 0;
      strcat(strcat(all, all[0] ? " " : ""), word);
    }
  }
  fclose(f);
  return all[0] ? all : "private";
}

static void show(const char *when) {
  say("%s: a %d, b %d, c %d, a/x %d, b/x %d, c/x %d, d/x %d\n", when, is_mounted("a"), is_mounted("b"), is_mounted("c"),
      is_mounted("a/x"), is_mounted("b/x"), is_mounted("c/x"), is_mounted("d/x"));
}

static void bind(const char *from, const char *to, int flags) {
  OK(mount(in_top(from), in_top(to), NULL, MS_BIND | flags, NULL));
}

static void change(const char *name, unsigned long type) { OK(mount(NULL, in_top(name), NULL, type, NULL)); }

static void tmpfs(const char *name) { OK(mount("none", in_top(name), "tmpfs", 0, NULL)); }

SUBTEST_FORK(own_namespace) {
  start();
  int p[2];
  char c;
  OK(pipe(p));
  char before[64] = "", after[64] = "";
  OK(readlink("/proc/self/ns/mnt", before, sizeof before - 1));
  CHECK(strncmp(before, "mnt:[", 5) == 0);
  CHILD {
    OK(unshare(CLONE_NEWNS));
    OK(readlink("/proc/self/ns/mnt", after, sizeof after - 1));
    CHECK(strcmp(before, after) != 0);
    tmpfs("a");
    show("inside");
    CHECK_EQ(is_mounted("a"), 1);
  }
  show("outside");
  // clone(2) gives one too; the working directory is at the same place.
  OK(chdir(in_top("b")));
  int pid = syscall(SYS_clone, CLONE_NEWNS | SIGCHLD, NULL, NULL, NULL, NULL);
  if (pid == 0) {
    char cwd[256];
    if (getcwd(cwd, sizeof cwd) == NULL || strcmp(cwd, in_top("b")) != 0) _exit(2);
    if (mount("none", in_top("c"), "tmpfs", 0, NULL) < 0) _exit(3);
    if (umount2(in_top("c"), 0) < 0) _exit(4);
    // The parent's mounts are there, but what shows through is unmounted here alone.
    OK(chdir("/"));
    _exit(umount2(top, MNT_DETACH) < 0 ? 5 : 0);
  }
  int status;
  OK(waitpid(pid, &status, 0));
  CHECK_EQ(status, 0);
  show("outside");
  (void)c;
  OK(chdir("/"));
  CHECK_ERR(syscall(SYS_clone, CLONE_NEWNS | CLONE_FS | SIGCHLD, NULL, NULL, NULL, NULL), EINVAL);
  end();
}

SUBTEST_FORK(join) {
  start();
  int fd = OK(open("/proc/self/ns/mnt", O_RDONLY));
  CHILD {
    OK(unshare(CLONE_NEWNS));
    tmpfs("a");
    CHECK_EQ(is_mounted("a"), 1);
    OK(chdir(in_top("a")));
    CHECK_ERR(setns(fd, CLONE_NEWNET), EINVAL);
    OK(setns(fd, CLONE_NEWNS));
    CHECK_EQ(is_mounted("a"), 0);
    char cwd[256];
    CHECK(getcwd(cwd, sizeof cwd) != NULL);
    say("working directory %s\n", cwd);
  }
  // Its own file does not go into a namespace, but a younger one's does.
  close(OK(open(in_top("file"), O_CREAT | O_RDWR, 0644)));
  CHECK_ERR(mount("/proc/self/ns/mnt", in_top("file"), NULL, MS_BIND, NULL), EINVAL);
  int ready[2], go[2];
  OK(pipe(ready));
  OK(pipe(go));
  pid_t pid = SPAWN({
    OK(unshare(CLONE_NEWNS));
    tmpfs("b");
    OK(write(ready[1], "x", 1));
    char c;
    OK(read(go[0], &c, 1));
  });
  char c;
  OK(read(ready[0], &c, 1));
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/ns/mnt", pid);
  OK(mount(path, in_top("file"), NULL, MS_BIND, NULL));
  OK(write(go[1], "x", 1));
  CHECK_EQ(child_result(pid), 0);
  // It goes on without a process.
  CHILD {
    int ns = OK(open(in_top("file"), O_RDONLY));
    OK(setns(ns, CLONE_NEWNS));
    CHECK_EQ(is_mounted("b"), 1);
  }
  OK(umount2(in_top("file"), 0));
  end();
}

SUBTEST_FORK(peers) {
  start();
  bind("a", "a", 0);
  say("%s\n", fields("a"));
  change("a", MS_SHARED);
  say("%s\n", fields("a"));
  bind("a", "b", 0);
  say("%s, %s\n", fields("a"), fields("b"));
  tmpfs("a/x");
  show("mounted in a");
  say("%s, %s\n", fields("a/x"), fields("b/x"));
  close(OK(open(in_top("a/x/file"), O_CREAT | O_RDWR, 0644)));
  OK(access(in_top("b/x/file"), F_OK));
  OK(umount2(in_top("b/x"), 0));
  show("unmounted in b");
  change("b", MS_PRIVATE);
  say("%s, %s\n", fields("a"), fields("b"));
  tmpfs("b/x");
  show("mounted in b");
  // One that is in use is not unmounted with the other.
  change("a", MS_SHARED);
  bind("a", "c", 0);
  tmpfs("a/x");
  int fd = OK(open(in_top("c/x"), O_RDONLY | O_DIRECTORY));
  CHECK_ERR(umount2(in_top("a/x"), 0), EBUSY);
  OK(close(fd));
  OK(umount2(in_top("a/x"), 0));
  show("end");
  end();
}

SUBTEST_FORK(slaves) {
  start();
  bind("a", "a", 0);
  change("a", MS_SLAVE);
  say("a private mount made a slave is %s\n", fields("a"));
  change("a", MS_SHARED);
  bind("a", "b", 0);
  change("b", MS_SLAVE);
  say("%s, %s\n", fields("a"), fields("b"));
  tmpfs("a/x");
  show("mounted in a");
  say("%s, %s\n", fields("a/x"), fields("b/x"));
  OK(umount2(in_top("b/x"), 0));
  show("unmounted in b");
  OK(umount2(in_top("a/x"), 0));
  tmpfs("b/x");
  show("mounted in b");
  // A slave that tells others.
  change("b", MS_SHARED);
  bind("b", "c", 0);
  say("%s, %s\n", fields("b"), fields("c"));
  OK(umount2(in_top("b/x"), 0));
  tmpfs("a/x");
  show("mounted in a");
  say("%s, %s, %s\n", fields("a/x"), fields("b/x"), fields("c/x"));
  OK(umount2(in_top("a/x"), 0));
  show("unmounted in a");
  change("a", MS_PRIVATE);
  say("without a master: %s\n", fields("c"));
  end();
}

SUBTEST_FORK(unbindable) {
  start();
  bind("a", "a", 0);
  change("a", MS_UNBINDABLE);
  say("%s\n", fields("a"));
  CHECK_ERR(mount(in_top("a"), in_top("b"), NULL, MS_BIND, NULL), EINVAL);
  bind("", "d", MS_REC);
  CHECK_EQ(is_mounted("d"), 1);
  CHECK_EQ(is_mounted("d/a"), 0);
  OK(umount2(in_top("d"), 0));
  CHILD {
    OK(unshare(CLONE_NEWNS));
    CHECK_EQ(is_mounted("a"), 1);
  }
  change("a", MS_PRIVATE);
  say("%s\n", fields("a"));
  CHECK_ERR(mount(NULL, in_top("a"), NULL, MS_PRIVATE | MS_SHARED, NULL), EINVAL);
  CHECK_ERR(mount(NULL, in_top("a"), NULL, MS_PRIVATE | MS_NOSUID, NULL), EINVAL);
  CHECK_ERR(mount(NULL, in_top("b"), NULL, MS_PRIVATE, NULL), EINVAL);
  end();
}

SUBTEST_FORK(between_namespaces) {
  start();
  change("", MS_SHARED);
  int ready[2], go[2];
  OK(pipe(ready));
  OK(pipe(go));
  char c;
  pid_t pid = SPAWN({
    char d;
    OK(unshare(CLONE_NEWNS));
    OK(mount("", "/", NULL, MS_REC | MS_SLAVE, NULL));
    tmpfs("b");
    OK(write(ready[1], "x", 1));
    OK(read(go[0], &d, 1));
    show("slave");
    say("%s, %s\n", fields(""), fields("a"));
    OK(write(ready[1], "x", 1));
    OK(read(go[0], &d, 1));
    show("slave");
  });
  OK(read(ready[0], &c, 1));
  show("master");
  tmpfs("a");
  OK(write(go[1], "x", 1));
  OK(read(ready[0], &c, 1));
  OK(umount2(in_top("a"), MNT_DETACH));
  OK(write(go[1], "x", 1));
  CHECK_EQ(child_result(pid), 0);
  // Peers in two namespaces tell each other; the end of one unmounts nothing in the other.
  pid = SPAWN({
    OK(unshare(CLONE_NEWNS));
    tmpfs("c");
    OK(write(ready[1], "x", 1));
    char d;
    OK(read(go[0], &d, 1));
  });
  OK(read(ready[0], &c, 1));
  show("peer");
  OK(write(go[1], "x", 1));
  CHECK_EQ(child_result(pid), 0);
  show("peer is gone");
  OK(umount2(in_top("c"), 0));
  end();
}

// What is mounted at a slave's place already stays on top of what comes from the master.
SUBTEST_FORK(tucked_under) {
  start();
  bind("a", "a", 0);
  change("a", MS_SHARED);
  bind("a", "b", 0);
  change("b", MS_SLAVE);
  tmpfs("b/x");
  close(OK(open(in_top("b/x/own"), O_CREAT | O_RDWR, 0644)));
  tmpfs("a/x");
  show("both");
  OK(access(in_top("b/x/own"), F_OK));
  OK(umount2(in_top("a/x"), 0));
  show("one");
  OK(access(in_top("b/x/own"), F_OK));
  tmpfs("a/x");
  OK(umount2(in_top("b/x"), 0));
  CHECK_ERR(access(in_top("b/x/own"), F_OK), ENOENT);
  show("the master's");
  OK(umount2(in_top("a/x"), 0));
  show("none");
  end();
}

SUBTEST_FORK(trees) {
  start();
  bind("a", "a", 0);
  change("a", MS_SHARED);
  bind("a", "b", 0);
  // A tree that is bound in comes in one piece, and goes so.
  tmpfs("d");
  OK(mkdir(in_top("d/s"), 0755));
  tmpfs("d/s");
  bind("d", "a/x", MS_REC);
  show("bound");
  say("%d %d, %s\n", is_mounted("a/x/s"), is_mounted("b/x/s"), fields("b/x/s"));
  OK(umount2(in_top("b/x"), MNT_DETACH));
  show("gone");
  say("%d %d\n", is_mounted("a/x/s"), is_mounted("b/x/s"));
  // Off a shared mount nothing is moved, onto one it is.
  tmpfs("a/y");
  CHECK_ERR(mount(in_top("a/y"), in_top("c"), NULL, MS_MOVE, NULL), EINVAL);
  OK(mount(in_top("d"), in_top("b/x"), NULL, MS_MOVE, NULL));
  show("moved");
  say("%d %d\n", is_mounted("a/x/s"), is_mounted("b/x/s"));
  end();
}
