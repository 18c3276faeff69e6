// acl(5): access control lists as attributes, in access checks, with chmod(2), and handed on by directories.
#include "check.h"
#include <grp.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>

#define ACCESS "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"

struct entry {
  uint16_t tag, perm;
  uint32_t id;
};
struct list {
  uint32_t version;
  struct entry entry[20];
};

// "u::rwx,u:1000:r--,g::r--,m::r--,o::---" as an attribute's value: its size.
static int parse(const char *text, struct list *l) {
  int n = 0;
  l->version = 2;
  for (const char *p = text; *p; n++) {
    const char *id = strchr(p, ':') + 1, *perm = strchr(id, ':') + 1;
    bool named = *id != ':';
    struct entry e = {0, 0, named ? (uint32_t)atoi(id) : ~0u};
    e.tag = *p == 'u' ? (named ? 2 : 1) : *p == 'g' ? (named ? 8 : 4) : *p == 'm' ? 16 : 32;
    for (p = perm; *p && *p != ','; p++) e.perm |= *p == 'r' ? 4 : *p == 'w' ? 2 : *p == 'x' ? 1 : 0;
    l->entry[n] = e;
    if (*p == ',') p++;
  }
  return 4 + 8 * n;
}

static int set(const char *path, const char *name, const char *text) {
  struct list l;
  int size = parse(text, &l);
  return setxattr(path, name, &l, size, 0);
}

static const char *get(const char *path, const char *name) {
  static char text[500];
  struct list l;
  ssize_t n = getxattr(path, name, &l, sizeof l);
  if (n < 0) return strerrorname_np(errno);
  CHECK_EQ(l.version, 2);
  text[0] = 0;
  for (int i = 0; i < (n - 4) / 8; i++) {
    struct entry e = l.entry[i];
    char id[20] = "", *end = text + strlen(text);
    if (e.tag == 2 || e.tag == 8) snprintf(id, sizeof id, "%u", e.id);
    else CHECK_EQ(e.id, ~0u);
    snprintf(end, 30, "%s%s:%s:%c%c%c", i ? "," : "", e.tag < 4 ? "u" : e.tag < 16 ? "g" : e.tag == 16 ? "m" : "o", id,
             e.perm & 4 ? 'r' : '-', e.perm & 2 ? 'w' : '-', e.perm & 1 ? 'x' : '-');
  }
  return text;
}

static void show(const char *title, const char *path) {
  struct stat st;
  OK(lstat(path, &st));
  char access[500];
  strcpy(access, get(path, ACCESS));
  say("%s: %o, %s, default %s\n", title, st.st_mode, access, get(path, DEFAULT));
}

// Each subtest runs on the file system of the working directory and on a tmpfs.
static void on_both(void (*body)(void)) {
  OK(chmod(".", 0755));
  // A sandbox has one mount namespace, which is nobody else's.
  if (unshare(CLONE_NEWNS) == 0) OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
  mkdir("m", 0755);
  OK(mount("none", "m", "tmpfs", 0, "mode=755"));
  umask(022);
  body();
  OK(chdir("m"));
  body();
  OK(chdir(".."));
  OK(umount2("m", MNT_DETACH));
}

static void attributes(void) {
  put_file("f", "x");
  OK(mkdir("d", 0755));
  show("none", "f");
  OK(set("f", ACCESS, "u::rw-,u:1000:rwx,g::r--,m::rw-,o::---"));
  show("set", "f");
  char names[200];
  ssize_t n = OK(listxattr("f", names, sizeof names));
  CHECK_EQ(n, (ssize_t)sizeof ACCESS);
  CHECK_STR(names, ACCESS);
  CHECK_ERR(getxattr("f", ACCESS, names, 10), ERANGE);
  CHECK_EQ(OK(getxattr("f", ACCESS, NULL, 0)), 44);
  OK(chmod("f", 0751));
  show("chmod", "f");
  OK(chmod("f", 0700));
  show("chmod without group", "f");
  OK(set("f", ACCESS, "u::rw-,g::r--,m::-wx,o::---"));
  show("mask alone", "f");
  OK(chmod("f", 0640));
  show("mask alone, chmod", "f");
  OK(set("f", ACCESS, "u::r-x,g::-w-,o::--x"));
  show("no more than a mode", "f");
  OK(set("f", ACCESS, "u::rw-,g::r--,g:2000:rwx,m::rwx,o::---"));
  OK(removexattr("f", ACCESS));
  show("removed", "f");
  OK(removexattr("f", ACCESS));
  OK(setxattr("f", ACCESS, NULL, 0, 0));
  OK(removexattr("f", DEFAULT));
  CHECK_ERR(set("f", DEFAULT, "u::rw-,g::r--,o::---"), EACCES);
  OK(setxattr("f", DEFAULT, NULL, 0, 0));
  OK(set("d", DEFAULT, "u::rw-,g::r--,o::---"));
  show("default", "d");
  OK(set("d", ACCESS, "u::rwx,g::r--,g:5:r--,m::rwx,o::---"));
  n = OK(listxattr("d", names, sizeof names));
  CHECK_EQ(n, (ssize_t)(sizeof ACCESS + sizeof DEFAULT));
  // Each file system has an order of its own.
  bool first = strcmp(names, ACCESS) == 0;
  CHECK_STR(names, first ? ACCESS : DEFAULT);
  CHECK_STR(names + strlen(names) + 1, first ? DEFAULT : ACCESS);
  OK(removexattr("d", DEFAULT));
  show("default removed", "d");

  const char *const wrong[] = {
      "u::rw-",
      "u::rw-,g::r--",
      "g::r--,u::rw-,o::---",
      "u::rw-,u:1:r--,g::r--,o::---",
      "u::rw-,g::r--,g:1:r--,o::---",
      "u::rw-,g::r--,o::---,m::r--",
      "u::rw-,u::rw-,g::r--,o::---",
      "u::rw-,g:1:r--,g::r--,m::r--,o::---",
      "u::rw-,g::r--,m::r--,m::r--,o::---",
      "u::rw-,g::r--,o::---,o::---",
  };
  for (size_t i = 0; i < COUNT(wrong); i++) CHECK_ERR(set("f", ACCESS, wrong[i]), EINVAL);
  struct list l;
  int size = parse("u::rw-,g::r--,o::---", &l);
  CHECK_ERR(setxattr("f", ACCESS, &l, size - 1, 0), EINVAL);
  CHECK_ERR(setxattr("f", ACCESS, &l, 3, 0), EINVAL);
  l.entry[1].perm = 8;
  CHECK_ERR(setxattr("f", ACCESS, &l, size, 0), EINVAL);
  l.entry[1].perm = 4;
  l.entry[1].tag = 3;
  CHECK_ERR(setxattr("f", ACCESS, &l, size, 0), EINVAL);
  l.version = 1;
  CHECK_ERR(setxattr("f", ACCESS, &l, size, 0), EOPNOTSUPP);
  CHECK_ERR(setxattr("f", "system.other", "x", 1, 0), EOPNOTSUPP);
  OK(symlink("f", "s"));
  CHECK_ERR(lsetxattr("s", ACCESS, &l, size, 0), EOPNOTSUPP);
  CHECK_ERR(lgetxattr("s", ACCESS, &l, sizeof l), EOPNOTSUPP);

  OK(chown("f", 1000, 2000));
  OK(chmod("f", 02755));
  CHILD {
    OK(setgroups(0, NULL));
    OK(setresgid(1, 1, 1));
    OK(setresuid(1000, 1000, 1000));
    OK(set("f", ACCESS, "u::rw-,u:1000:r--,g::r--,m::rw-,o::--x"));
  }
  show("set-group-ID, by an owner out of the group", "f");
  CHILD {
    OK(setresuid(1001, 1001, 1001));
    CHECK_ERR(set("f", ACCESS, "u::rw-,g::r--,o::---"), EPERM);
    CHECK_ERR(removexattr("f", ACCESS), EPERM);
    say("by others: %s\n", get("f", ACCESS));
  }
  OK(chown("f", 1001, 2001));
  show("chown", "f");
}

SUBTEST_FORK(as_attributes) {
  NEED_ROOT();
  on_both(attributes);
}

// What each of some users may do with a file, as digits of rwx.
static void rights(const char *title, const char *path) {
  static const struct {
    int uid, gid, more;
  } who[] = {{1000, 9, 9}, {1001, 9, 9}, {1002, 9, 9}, {1003, 2000, 9}, {1004, 9, 2000}, {1005, 2001, 9}, {1006, 2002, 2001}, {1007, 9, 9}};
  char all[100] = "";
  int p[2];
  OK(pipe(p));
  for (size_t i = 0; i < COUNT(who); i++) {
    CHILD {
      gid_t more = who[i].more;
      OK(setgroups(1, &more));
      OK(setresgid(who[i].gid, who[i].gid, who[i].gid));
      OK(setresuid(who[i].uid, who[i].uid, who[i].uid));
      int mask = 0;
      for (int want = 1; want < 8; want++)
        if (access(path, want) == 0) mask |= 1 << want;
      // Two rights at once may come from one entry only.
      snprintf(all, sizeof all, " %02x", mask);
      CHECK(write(p[1], all, 3) == 3);
      int fd = open(path, O_RDONLY);
      CHECK_EQ(fd >= 0, (mask >> 4) & 1);
    }
  }
  CHECK_EQ(OK(read(p[0], all, sizeof all)), 3 * (ssize_t)COUNT(who));
  all[3 * COUNT(who)] = 0;
  say("%s:%s\n", title, all);
}

static void decisions(void) {
  static const char *const lists[] = {
      "u::r--,u:1001:rwx,g::r--,m::rwx,o::---",
      "u::r--,u:1001:rwx,u:1002:---,g::r--,m::rw-,o::rwx",
      "u::---,g::rwx,g:2001:--x,m::r-x,o::rw-",
      "u::rwx,g::r--,g:2001:-w-,g:2002:--x,m::rwx,o::--x",
      "u::rwx,g::---,g:2000:rwx,m::rwx,o::rwx",
      "u::rwx,u:1003:--x,g::r-x,g:2001:rw-,m::-w-,o::---",
      "u::rwx,u:1001:rwx,g::rwx,m::---,o::r--",
      "u::rw-,g::rw-,o::r--",
  };
  put_file("p", "#!/bin/true\n");
  OK(chown("p", 1000, 2000));
  OK(mkdir("e", 0700));
  OK(chown("e", 1000, 2000));
  for (size_t i = 0; i < COUNT(lists); i++) {
    OK(set("p", ACCESS, lists[i]));
    rights(lists[i], "p");
    OK(set("e", ACCESS, lists[i]));
    rights("  a directory", "e");
    OK(chmod("p", 0654));
    rights("  chmod", "p");
    OK(chmod("p", 0604));
    rights("  chmod without group", "p");
  }
}

SUBTEST_FORK(in_access_checks) {
  NEED_ROOT();
  on_both(decisions);
}

static void inheritance(void) {
  OK(mkdir("h", 0755));
  OK(set("h", DEFAULT, "u::rwx,u:1000:rw-,g::r-x,g:2000:-wx,m::rwx,o::r-x"));
  umask(077);
  OK(close(OK(open("h/file", O_CREAT | O_RDWR, 0666))));
  show("file", "h/file");
  OK(close(OK(open("h/private", O_CREAT | O_RDWR, 0600))));
  show("private file", "h/private");
  OK(close(OK(open("h/set", O_CREAT | O_RDWR, 06711))));
  show("set-id file", "h/set");
  OK(mkdir("h/dir", 01777));
  show("directory", "h/dir");
  OK(mkdir("h/dir/narrow", 0750));
  show("directory below", "h/dir/narrow");
  OK(mknod("h/fifo", S_IFIFO | 0666, 0));
  show("fifo", "h/fifo");
  OK(mknod("h/sock", S_IFSOCK | 0666, 0));
  show("socket", "h/sock");
  OK(mknod("h/node", S_IFREG | 0664, 0));
  show("node", "h/node");
  OK(symlink("file", "h/link"));
  struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "h/bound"};
  OK(bind(OK(socket(AF_UNIX, SOCK_STREAM, 0)), (void *)&a, sizeof a));
  show("bound socket", "h/bound");
  int fd = open("h", O_TMPFILE | O_RDWR, 0666);
  if (fd >= 0) {
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    OK(linkat(AT_FDCWD, path, AT_FDCWD, "h/tmp", AT_SYMLINK_FOLLOW));
    show("unnamed file", "h/tmp");
  }
  OK(set("h", DEFAULT, "u::rw-,g::r--,o::--x"));
  OK(close(OK(open("h/minimal", O_CREAT | O_RDWR, 0666))));
  show("minimal", "h/minimal");
  OK(mkdir("h/mindir", 0777));
  show("minimal directory", "h/mindir");
  OK(rename("h/file", "moved"));
  show("moved", "moved");
  OK(mkdir("g", 0755));
  OK(chown("g", 0, 2000));
  OK(chmod("g", 02755));
  OK(set("g", DEFAULT, "u::rwx,g::r-x,g:2000:-wx,m::rwx,o::r-x"));
  OK(mkdir("g/dir", 0777));
  show("set-group-ID directory", "g/dir");
  OK(removexattr("h", DEFAULT));
  OK(close(OK(open("h/after", O_CREAT | O_RDWR, 0666))));
  show("without", "h/after");
  umask(022);
}

SUBTEST_FORK(handed_on) {
  NEED_ROOT();
  on_both(inheritance);
}
