// credentials(7), capabilities(7): identities, access checks, sticky and set-ID bits. Needs root.
#include "check.h"
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>

struct ids {
  uid_t r, e, s;
};
static void check_uids(uid_t r, uid_t e, uid_t s) {
  struct ids u;
  OK(getresuid(&u.r, &u.e, &u.s));
  CHECK_EQ(u.r, r);
  CHECK_EQ(u.e, e);
  CHECK_EQ(u.s, s);
}

static void become(uid_t uid, gid_t gid) {
  OK(setgroups(0, NULL));
  OK(setresgid(gid, gid, gid));
  OK(setresuid(uid, uid, uid));
}

static uint64_t caps(int which) {
  struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  OK(syscall(SYS_capget, &head, data));
  uint32_t lo = which == 0 ? data[0].effective : which == 1 ? data[0].permitted : data[0].inheritable;
  uint32_t hi = which == 0 ? data[1].effective : which == 1 ? data[1].permitted : data[1].inheritable;
  return lo | (uint64_t)hi << 32;
}

SUBTEST_FORK(user_ids) {
  NEED_ROOT();
  OK(setresuid(1000, 2000, 3000));
  check_uids(1000, 2000, 3000);
  CHECK(getuid() == 1000 && geteuid() == 2000);
  CHECK_ERR(setuid(4000), EPERM);
  OK(seteuid(3000));
  OK(setresuid(-1, 1000, -1));
  check_uids(1000, 1000, 3000);
  CHECK_ERR(setresuid(0, -1, -1), EPERM);
  // setreuid gives the real ID only the real or the effective one.
  CHECK_ERR(setreuid(3000, -1), EPERM);
  OK(seteuid(3000));
  OK(setreuid(3000, 1000));
  check_uids(3000, 1000, 1000);
  OK(setuid(3000));
  check_uids(3000, 3000, 1000);
}

SUBTEST_FORK(root_setuid_is_final) {
  NEED_ROOT();
  OK(setuid(1000));
  check_uids(1000, 1000, 1000);
  CHECK_ERR(setuid(0), EPERM);
  CHECK_ERR(seteuid(0), EPERM);
}

SUBTEST_FORK(temporary_change) {
  NEED_ROOT();
  OK(seteuid(1000));
  check_uids(0, 1000, 0);
  CHECK_EQ(caps(0), 0);
  CHECK(caps(1) != 0);
  OK(seteuid(0));
  CHECK(caps(0) != 0);
}

SUBTEST_FORK(setreuid_saved) {
  NEED_ROOT();
  OK(setreuid(1000, 2000));
  check_uids(1000, 2000, 2000);
  OK(setreuid(2000, 1000));
  check_uids(2000, 1000, 1000);
}

SUBTEST_FORK(group_ids) {
  NEED_ROOT();
  gid_t list[5] = {10, 20, 30}, got[5];
  OK(setgroups(3, list));
  CHECK_EQ(OK(getgroups(0, NULL)), 3);
  CHECK_EQ(OK(getgroups(5, got)), 3);
  CHECK(got[0] == 10 && got[2] == 30);
  CHECK_ERR(getgroups(2, got), EINVAL);
  CHECK_ERR(getgroups(-1, got), EINVAL);
  CHECK_ERR(setgroups(65537, list), EINVAL);
  OK(setresgid(100, 200, 300));
  CHECK(getgid() == 100 && getegid() == 200);
  OK(setuid(1000));
  CHECK_ERR(setgroups(1, list), EPERM);
  CHECK_ERR(setgid(5), EPERM);
  OK(setgid(300));
  CHECK_EQ(getegid(), 300);
  CHECK_EQ(getgid(), 100);
}

SUBTEST_FORK(file_system_ids) {
  NEED_ROOT();
  struct stat st;
  OK(chmod(".", 0777));
  CHECK_EQ(setfsuid(1000), 0);
  CHECK_EQ(setfsuid(-1), 1000);
  OK(close(OK(open("fsuid", O_RDWR | O_CREAT, 0600))));
  OK(stat("fsuid", &st));
  CHECK_EQ(st.st_uid, 1000);
  put_file("fsuid", "x");
  CHECK_EQ(setfsuid(2000), 1000);
  CHECK_ERR(open("fsuid", O_RDONLY), EACCES);
  CHECK_EQ(setfsuid(0), 2000);
  OK(close(OK(open("fsuid", O_RDONLY))));
  CHECK_EQ(setfsgid(77), 0);
  OK(close(OK(open("fsgid", O_RDWR | O_CREAT, 0600))));
  OK(stat("fsgid", &st));
  CHECK_EQ(st.st_gid, 77);
  OK(chmod(".", 0755));
}

SUBTEST_FORK(access_by_class) {
  NEED_ROOT();
  put_file("dac", "x");
  struct {
    mode_t mode;
    uid_t uid;
    gid_t gid;
    bool r, w;
  } rows[] = {
      {0600, 1000, 1000, true, true},  {0400, 1000, 1000, true, false}, {0040, 1000, 1000, false, false},
      {0040, 2000, 1000, true, false}, {0060, 2000, 1000, true, true},  {0004, 2000, 1000, false, false},
      {0004, 2000, 2000, true, false}, {0002, 2000, 2000, false, true}, {0770, 2000, 2000, false, false},
      {0000, 0, 0, true, true},
  };
  OK(chown("dac", 1000, 1000));
  for (size_t i = 0; i < COUNT(rows); i++) {
    OK(chmod("dac", rows[i].mode));
    CHILD {
      become(rows[i].uid, rows[i].gid);
      int r = open("dac", O_RDONLY), w = open("dac", O_WRONLY);
      if ((r >= 0) != rows[i].r || (w >= 0) != rows[i].w) FAIL("row %zu: %d %d", i, r >= 0, w >= 0);
      CHECK_EQ(access("dac", R_OK) == 0, rows[i].r);
      CHECK_EQ(access("dac", W_OK) == 0, rows[i].w);
    }
  }
  // A supplementary group counts as the group.
  OK(chmod("dac", 0040));
  CHILD {
    gid_t group = 1000;
    OK(setgroups(1, &group));
    OK(setresgid(5, 5, 5));
    OK(setresuid(2000, 2000, 2000));
    OK(close(OK(open("dac", O_RDONLY))));
  }
}

SUBTEST_FORK(folder_permissions) {
  NEED_ROOT();
  OK(mkdir("fp", 0755));
  put_file("fp/f", "x");
  OK(chmod("fp/f", 0666));
  OK(chmod("fp", 0711));
  CHILD {
    become(1000, 1000);
    OK(close(OK(open("fp/f", O_RDONLY))));
    CHECK_ERR(open("fp", O_RDONLY), EACCES);
    CHECK_ERR(open("fp/new", O_RDWR | O_CREAT, 0644), EACCES);
    CHECK_ERR(unlink("fp/f"), EACCES);
  }
  OK(chmod("fp", 0744));
  CHILD {
    become(1000, 1000);
    OK(close(OK(open("fp", O_RDONLY))));
    CHECK_ERR(open("fp/f", O_RDONLY), EACCES);
    CHECK_ERR(chdir("fp"), EACCES);
    struct stat st;
    CHECK_ERR(stat("fp/f", &st), EACCES);
  }
}

SUBTEST_FORK(sticky_bit) {
  NEED_ROOT();
  OK(mkdir("sticky", 0755));
  OK(chmod("sticky", 01777));
  put_file("sticky/rootfile", "x");
  CHILD {
    become(1000, 1000);
    put_file("sticky/mine", "x");
    CHECK_ERR(unlink("sticky/rootfile"), EPERM);
    CHECK_ERR(rename("sticky/rootfile", "sticky/x"), EPERM);
    CHECK_ERR(rename("sticky/mine", "sticky/rootfile"), EPERM);
    OK(rename("sticky/mine", "sticky/mine2"));
    OK(unlink("sticky/mine2"));
  }
  OK(chmod("sticky", 0777));
  CHILD {
    become(1000, 1000);
    OK(unlink("sticky/rootfile"));
  }
}

SUBTEST_FORK(setgid_folders) {
  NEED_ROOT();
  struct stat st;
  OK(mkdir("sg", 0777));
  OK(chown("sg", 0, 4444));
  OK(chmod("sg", 02777));
  put_file("sg/f", "");
  OK(stat("sg/f", &st));
  CHECK_EQ(st.st_gid, 4444);
  OK(mkdir("sg/d", 0755));
  OK(stat("sg/d", &st));
  CHECK_EQ(st.st_gid, 4444);
  CHECK_EQ(st.st_mode & 07777, 02755);
}

SUBTEST_FORK(set_id_bits_are_cleared) {
  NEED_ROOT();
  struct stat st;
  put_file("sid", "x");
  OK(chown("sid", 1000, 1000));
  OK(chmod("sid", 06777));
  CHILD {
    become(2000, 2000);
    int fd = OK(open("sid", O_WRONLY));
    CHECK_EQ(OK(write(fd, "y", 1)), 1);
  }
  OK(stat("sid", &st));
  CHECK_EQ(st.st_mode & 07777, 0777);
  OK(chmod("sid", 06777));
  CHILD {
    become(2000, 2000);
    OK(truncate("sid", 0));
  }
  OK(stat("sid", &st));
  CHECK_EQ(st.st_mode & 07777, 0777);
  // Someone outside the group cannot set set-group-ID.
  OK(chown("sid", 1000, 9999));
  CHILD {
    become(1000, 1000);
    OK(chmod("sid", 02755));
  }
  OK(stat("sid", &st));
  CHECK_EQ(st.st_mode & 07777, 0755);
}

SUBTEST_FORK(owner_only) {
  NEED_ROOT();
  put_file("oo", "");
  OK(chmod("oo", 0666));
  CHILD {
    become(1000, 1000);
    CHECK_ERR(chmod("oo", 0600), EPERM);
    CHECK_ERR(chown("oo", 1000, -1), EPERM);
    struct timespec t[2] = {{1, 0}, {1, 0}};
    CHECK_ERR(utimensat(AT_FDCWD, "oo", t, 0), EPERM);
    OK(utimensat(AT_FDCWD, "oo", NULL, 0));
  }
  OK(chown("oo", 1000, 1000));
  CHILD {
    gid_t group = 7;
    OK(setgroups(1, &group));
    OK(setresgid(1000, 1000, 1000));
    OK(setresuid(1000, 1000, 1000));
    OK(chown("oo", -1, 7));
    CHECK_ERR(chown("oo", -1, 8), EPERM);
    CHECK_ERR(chown("oo", 0, -1), EPERM);
    OK(chmod("oo", 0600));
  }
  OK(chmod("oo", 0444));
  CHILD {
    become(2000, 2000);
    CHECK_ERR(utimensat(AT_FDCWD, "oo", NULL, 0), EACCES);
  }
}

SUBTEST_FORK(capability_sets) {
  NEED_ROOT();
  struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  OK(syscall(SYS_capget, &head, data));
  CHECK_EQ(data[0].effective, data[0].permitted);
  uint32_t before = data[0].permitted;
  data[0].effective &= ~(1 << CAP_CHOWN);
  OK(syscall(SYS_capset, &head, data));
  put_file("cs", "");
  CHECK_ERR(chown("cs", 1000, 1000), EPERM);
  data[0].effective = before;
  OK(syscall(SYS_capset, &head, data));
  OK(chown("cs", 1000, 1000));
  data[0].effective = data[0].permitted = before & ~(1 << CAP_CHOWN);
  OK(syscall(SYS_capset, &head, data));
  data[0].effective = before;
  CHECK_ERR(syscall(SYS_capset, &head, data), EPERM);
  head.version = 5;
  CHECK_ERR(syscall(SYS_capget, &head, data), EINVAL);
  CHECK_EQ(head.version, _LINUX_CAPABILITY_VERSION_3);
  head.pid = -1;
  CHECK_ERR(syscall(SYS_capget, &head, data), EINVAL);
}

SUBTEST_FORK(capability_override) {
  NEED_ROOT();
  put_file("ov", "x");
  OK(chown("ov", 1000, 1000));
  OK(chmod("ov", 0));
  struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {{0}};
  OK(close(OK(open("ov", O_RDWR))));
  data[0].permitted = data[0].effective = 1 << CAP_DAC_READ_SEARCH;
  OK(syscall(SYS_capset, &head, data));
  OK(close(OK(open("ov", O_RDONLY))));
  CHECK_ERR(open("ov", O_RDWR), EACCES);
  data[0].effective = 0;
  OK(syscall(SYS_capset, &head, data));
  CHECK_ERR(open("ov", O_RDONLY), EACCES);
}

SUBTEST_FORK(keep_capabilities) {
  NEED_ROOT();
  OK(prctl(PR_SET_KEEPCAPS, 1));
  OK(setuid(1000));
  CHECK_EQ(caps(0), 0);
  CHECK(caps(1) & (1 << CAP_CHOWN));
  // And without it, all are gone.
}

SUBTEST_FORK(capabilities_lost_with_root) {
  NEED_ROOT();
  OK(setuid(1000));
  CHECK_EQ(caps(0), 0);
  CHECK_EQ(caps(1), 0);
}

SUBTEST_FORK(bounding_set) {
  NEED_ROOT();
  CHECK_EQ(OK(prctl(PR_CAPBSET_READ, CAP_CHOWN)), 1);
  OK(prctl(PR_CAPBSET_DROP, CAP_CHOWN));
  CHECK_EQ(OK(prctl(PR_CAPBSET_READ, CAP_CHOWN)), 0);
  CHECK_ERR(prctl(PR_CAPBSET_READ, 200), EINVAL);
  CHECK(caps(1) & (1 << CAP_CHOWN));
  CHECK_EQ(OK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0)), 0);
  CHECK_ERR(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0), EPERM);
  CHECK_EQ(OK(prctl(PR_GET_SECUREBITS)), 0);
  CHECK_ERR(prctl(PR_SET_SECUREBITS, 1L << 32), EPERM);
}

SUBTEST_FORK(kill_permissions) {
  NEED_ROOT();
  struct gate g = gate_make();
  pid_t root = SPAWN({ gate_wait(g); });
  pid_t user = SPAWN({
    become(1000, 1000);
    for (;;) pause();
  });
  sleep_ms(30);
  CHILD {
    become(2000, 2000);
    CHECK_ERR(kill(root, 0), EPERM);
    CHECK_ERR(kill(user, SIGTERM), EPERM);
  }
  CHILD {
    become(1000, 1000);
    OK(kill(user, SIGTERM));
  }
  CHECK_EQ(child_result(user), 256 + SIGTERM);
  gate_signal(g);
  CHILD_DONE(root);
}

SUBTEST_FORK(unprivileged_errors) {
  NEED_ROOT();
  OK(mkdir("un", 0755));
  become(1000, 1000);
  CHECK_ERR(chroot("un"), EPERM);
  CHECK_ERR(sethostname("x", 1), EPERM);
  CHECK_ERR(setpriority(PRIO_PROCESS, 0, -5), EACCES);
  CHECK_ERR(mknod("/tmp/vedette-nod", S_IFCHR | 0600, 0x103), EPERM);
  struct rlimit limit;
  OK(getrlimit(RLIMIT_NOFILE, &limit));
  limit.rlim_max -= 1;
  if (limit.rlim_cur > limit.rlim_max) limit.rlim_cur = limit.rlim_max;
  OK(setrlimit(RLIMIT_NOFILE, &limit));
  limit.rlim_max += 1;
  CHECK_ERR(setrlimit(RLIMIT_NOFILE, &limit), EPERM);
  struct timespec t = {0, 0};
  CHECK_ERR(clock_settime(CLOCK_REALTIME, &t), EPERM);
}

SUBTEST_FORK(set_user_id_programs) {
  NEED_ROOT();
  // A copy of id(1) owned by another user: the effective user changes, the real one stays.
  CHECK_EQ(child_result(SPAWN({ execl("/bin/cp", "cp", "/usr/bin/id", "sid2", NULL); _exit(99); })), 0);
  OK(chown("sid2", 3000, 4000));
  OK(chmod("sid2", 06755));
  char path[PATH_MAX], out[64] = {0};
  snprintf(path, sizeof path, "%s/sid2", check_dir);
  int p[2];
  OK(pipe(p));
  CHILD {
    OK(dup2(p[1], 1));
    become(1000, 1000);
    execl(path, "id", "-u", NULL);
    _exit(99);
  }
  CHECK(OK(read(p[0], out, 63)) > 0);
  CHECK_STR(out, "3000\n");
  memset(out, 0, sizeof out);
  CHILD {
    OK(dup2(p[1], 1));
    become(1000, 1000);
    OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    execl(path, "id", "-u", NULL);
    _exit(99);
  }
  CHECK(OK(read(p[0], out, 63)) > 0);
  CHECK_STR(out, "1000\n");
}
