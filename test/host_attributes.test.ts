// What files of the host say beside their mode counts inside: access control lists and file capabilities.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { difference, runInside, runNative } from './harness/guest.ts';
import { needs } from './harness/needs.ts';

// With "make" it makes files in the working directory; with "look" it tells what some users may do with them, changes
// nothing but what it makes itself, and removes that. "caps" tells its own capabilities.
const SOURCE = `
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#define CHECK(c) do { if (!(c)) { printf("line %d: %s: %s\\n", __LINE__, #c, strerror(errno)); _exit(1); } } while (0)
#define ACCESS "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"
struct list { uint32_t version; struct { uint16_t tag, perm; uint32_t id; } e[6]; };
// Owner all; user 1001 all; user 1002 nothing; the group and others as told.
static struct list list(int user, int group, int mask, int other) {
  return (struct list){2, {{1, 7, -1}, {2, user, 1001}, {2, 0, 1002}, {4, group, -1}, {16, mask, -1}, {32, other, -1}}};
}
static void make(const char *self) {
  struct list wide = list(7, 4, 7, 0), narrow = list(7, 7, 1, 5);
  CHECK(mkdir("dir", 0755) == 0 && mkdir("inherits", 0777) == 0);
  CHECK(close(open("wide", O_CREAT | O_RDWR, 0600)) == 0 && close(open("narrow", O_CREAT | O_RDWR, 0600)) == 0);
  CHECK(close(open("plain", O_CREAT | O_RDWR, 0640)) == 0 && close(open("dir/below", O_CREAT | O_RDWR, 0666)) == 0);
  CHECK(mkfifo("fifo", 0600) == 0);
  if (setxattr("wide", ACCESS, &wide, sizeof wide, 0) != 0) _exit(77);
  CHECK(setxattr("narrow", ACCESS, &narrow, sizeof narrow, 0) == 0);
  CHECK(setxattr("fifo", ACCESS, &wide, sizeof wide, 0) == 0);
  CHECK(setxattr("dir", ACCESS, &wide, sizeof wide, 0) == 0);
  CHECK(setxattr("inherits", DEFAULT, &wide, sizeof wide, 0) == 0);
  struct vfs_cap_data caps = {VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE, {{1 << CAP_KILL, 0}}};
  CHECK(link(self, "kill") == 0 && setxattr("kill", "security.capability", &caps, sizeof caps, 0) == 0);
}
static void as(int uid, int argc, char **argv) {
  fflush(stdout);
  if (fork() != 0) { int s; CHECK(wait(&s) > 0 && s == 0); return; }
  CHECK(setgroups(0, NULL) == 0 && setresgid(uid, uid, uid) == 0 && setresuid(uid, uid, uid) == 0);
  static const char *const paths[] = {"wide", "narrow", "plain", "dir", "dir/below", "fifo"};
  printf("%d:", uid);
  for (int i = 0; i < 6; i++) {
    printf(" ");
    for (int want = 1; want < 8; want++) printf("%d", access(paths[i], want) == 0);
    int fd = open(paths[i], O_RDONLY | O_NONBLOCK);
    if (i != 5) printf(" %s", fd >= 0 ? "opened" : strerrorname_np(errno));
  }
  printf("\\n");
  fflush(stdout);
  execl("./kill", "kill", "caps", NULL);
  CHECK(!"exec");
}
static void show(const char *path) {
  struct list l;
  struct stat st;
  ssize_t n = getxattr(path, ACCESS, &l, sizeof l);
  CHECK(stat(path, &st) == 0);
  printf("%s: %o %d", path, st.st_mode, (int)n);
  for (int i = 0; i < (n - 4) / 8; i++) printf(" %d:%d:%o", l.e[i].tag, (int)l.e[i].id, l.e[i].perm);
  printf(" %d\\n", (int)getxattr(path, DEFAULT, NULL, 0));
}
int main(int argc, char **argv) {
  if (!strcmp(argv[1], "make")) { make(argv[0]); return 0; }
  if (!strcmp(argv[1], "caps")) {
    char text[1 << 14];
    int n = read(open("/proc/self/status", O_RDONLY), text, sizeof text - 1);
    CHECK(n > 0);
    text[n] = 0;
    char *caps = strstr(text, "CapEff");
    printf("%.*s\\n", (int)strcspn(caps, "\\n"), caps);
    return 0;
  }
  for (int uid = 1001; uid < 1004; uid++) as(uid, argc, argv);
  show("wide"); show("narrow"); show("plain"); show("dir"); show("inherits"); show("fifo");
  umask(077);
  CHECK(close(open("inherits/new", O_CREAT | O_RDWR, 0666)) == 0 && mkdir("inherits/sub", 0777) == 0);
  show("inherits/new"); show("inherits/sub");
  CHECK(unlink("inherits/new") == 0 && rmdir("inherits/sub") == 0);
  char names[200] = "";
  printf("%d", (int)listxattr("kill", names, sizeof names));
  printf(" %s %d\\n", names, (int)getxattr("kill", "security.capability", names, sizeof names));
  return 0;
}
`;

test('access control lists and capabilities of host files', needs('inside', 'root', 'cc'), async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-hostattr-'));
  try {
    chmodSync(dir, 0o755);
    const binary = join(dir, 'main');
    writeFileSync(`${binary}.c`, SOURCE);
    const cc = spawnSync('cc', ['-O1', '-o', binary, `${binary}.c`], { encoding: 'utf8' });
    assert.equal(cc.status, 0, cc.stderr);
    const made = spawnSync(binary, ['make'], { cwd: dir, encoding: 'utf8' });
    if (made.status === 77) return t.skip('no access control lists on the file system');
    assert.equal(made.status, 0, made.stdout);
    const native = await runNative([binary, 'look'], { cwd: dir });
    assert.equal(native.status, 0, native.stdout);
    assert.match(native.stdout, /CapEff:\t0+20\n/);
    for (const platform of ['systrap', 'ptrace']) {
      const inside = await runInside([binary, 'look'], { cwd: dir, flags: [`--platform=${platform}`] });
      assert.equal(difference(native, inside), '', platform);
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
