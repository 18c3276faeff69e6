// Makes random system calls in child processes and checks from outside that the kernel is still well after each child.
//
//   syscalls SEED ROUNDS CALLS [MODE]      MODE: root, user, threads; without it, rounds take turns
//   syscalls -v SEED ROUND CALLS MODE      that one round, each call shown before it is made
//
// A round is one child with its own process group, a set of descriptors of every kind, buffers with hostile words in
// them and memory of every protection. It may die of what it does; only the parent must not suffer. Only for the
// inside of a sandbox: nothing here is harmless. Deterministic for a seed as far as one thread goes.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static pid_t parent;
static int verbose;
static char *arena;       // rw: buffers
static char *edge;        // rw page followed by nothing
static char *readonly;    // r page
static char *noaccess;    // PROT_NONE page
static char *unmapped;
static char *scratch;     // memory that is mapped, unmapped and protected at random
#define ARENA_PAGES 32
#define SCRATCH_PAGES 64
static int fds[64];
static int fd_count;

// xorshift64*: one state per thread.
static __thread uint64_t rng;
static uint64_t rnd(void) {
  rng ^= rng >> 12;
  rng ^= rng << 25;
  rng ^= rng >> 27;
  return rng * 0x2545F4914F6CDD1DULL;
}
static unsigned below(unsigned n) { return (rnd() >> 33) % n; }
static int chance(unsigned percent) { return below(100) < percent; }

// What a call expects in each place: f descriptor, p path, b buffer, B buffer of pointers, s size, o flags, c command,
// n small number, a address, g signal, P process, t time buffer, l anything, d directory descriptor, k clock.
static const struct { short nr; const char *args; } shapes[] = {
  {SYS_read, "fbs"}, {SYS_write, "fbs"}, {SYS_open, "poo"}, {SYS_close, "f"}, {SYS_stat, "pb"}, {SYS_fstat, "fb"},
  {SYS_lstat, "pb"}, {SYS_poll, "bnn"}, {SYS_lseek, "fln"}, {SYS_mmap, "asoofl"}, {SYS_mprotect, "asn"},
  {SYS_munmap, "as"}, {SYS_brk, "a"}, {SYS_rt_sigaction, "gbb8"}, {SYS_rt_sigprocmask, "nbb8"},
  {SYS_ioctl, "fib"}, {SYS_pread64, "fbsl"}, {SYS_pwrite64, "fbsl"}, {SYS_readv, "fBn"}, {SYS_writev, "fBn"},
  {SYS_access, "po"}, {SYS_pipe, "b"}, {SYS_select, "nbbbt"}, {SYS_mremap, "assoa"}, {SYS_msync, "aso"},
  {SYS_mincore, "asb"}, {SYS_madvise, "asc"}, {SYS_shmget, "nso"}, {SYS_shmat, "nao"}, {SYS_shmctl, "ncb"},
  {SYS_dup, "f"}, {SYS_dup2, "ff"}, {SYS_nanosleep, "tb"}, {SYS_getitimer, "nb"}, {SYS_alarm, "n"},
  {SYS_setitimer, "ntb"}, {SYS_sendfile, "ffbs"}, {SYS_socket, "nno"}, {SYS_connect, "fbs"}, {SYS_accept, "fbb"},
  {SYS_sendto, "fbsobs"}, {SYS_recvfrom, "fbsobb"}, {SYS_sendmsg, "fBo"}, {SYS_recvmsg, "fBo"}, {SYS_shutdown, "fn"},
  {SYS_bind, "fbs"}, {SYS_listen, "fn"}, {SYS_getsockname, "fbb"}, {SYS_getpeername, "fbb"},
  {SYS_socketpair, "nnob"}, {SYS_setsockopt, "fncbs"}, {SYS_getsockopt, "fncbb"}, {SYS_clone, "olbbl"},
  {SYS_execve, "pBB"}, {SYS_exit, "n"}, {SYS_wait4, "Pbob"}, {SYS_kill, "Pg"}, {SYS_uname, "b"},
  {SYS_semget, "nno"}, {SYS_semop, "nbn"}, {SYS_semctl, "nncb"}, {SYS_shmdt, "a"}, {SYS_msgget, "no"},
  {SYS_msgsnd, "nbso"}, {SYS_msgrcv, "nbslo"}, {SYS_msgctl, "ncb"}, {SYS_fcntl, "fcb"}, {SYS_flock, "fn"},
  {SYS_fsync, "f"}, {SYS_fdatasync, "f"}, {SYS_truncate, "pl"}, {SYS_ftruncate, "fl"}, {SYS_getdents, "fbs"},
  {SYS_getcwd, "bs"}, {SYS_chdir, "p"}, {SYS_fchdir, "f"}, {SYS_rename, "pp"}, {SYS_mkdir, "po"}, {SYS_rmdir, "p"},
  {SYS_creat, "po"}, {SYS_link, "pp"}, {SYS_unlink, "p"}, {SYS_symlink, "pp"}, {SYS_readlink, "pbs"},
  {SYS_chmod, "po"}, {SYS_fchmod, "fo"}, {SYS_chown, "pnn"}, {SYS_fchown, "fnn"}, {SYS_lchown, "pnn"},
  {SYS_umask, "o"}, {SYS_gettimeofday, "bb"}, {SYS_getrlimit, "nb"}, {SYS_getrusage, "nb"}, {SYS_sysinfo, "b"},
  {SYS_times, "b"}, {SYS_ptrace, "cPab"}, {SYS_syslog, "cbs"}, {SYS_setuid, "n"}, {SYS_setgid, "n"},
  {SYS_setpgid, "PP"}, {SYS_setreuid, "nn"}, {SYS_setregid, "nn"}, {SYS_getgroups, "nb"}, {SYS_setgroups, "nb"},
  {SYS_setresuid, "nnn"}, {SYS_getresuid, "bbb"}, {SYS_setresgid, "nnn"}, {SYS_getresgid, "bbb"}, {SYS_getpgid, "P"},
  {SYS_setfsuid, "n"}, {SYS_setfsgid, "n"}, {SYS_getsid, "P"}, {SYS_capget, "bb"}, {SYS_capset, "bb"},
  {SYS_rt_sigpending, "b8"}, {SYS_rt_sigtimedwait, "bbt8"}, {SYS_rt_sigqueueinfo, "Pgb"}, {SYS_rt_sigsuspend, "b8"},
  {SYS_sigaltstack, "bb"}, {SYS_utime, "pb"}, {SYS_mknod, "pol"}, {SYS_personality, "o"}, {SYS_ustat, "nb"},
  {SYS_statfs, "pb"}, {SYS_fstatfs, "fb"}, {SYS_sysfs, "nbb"}, {SYS_getpriority, "nn"}, {SYS_setpriority, "nnn"},
  {SYS_sched_setparam, "Pb"}, {SYS_sched_getparam, "Pb"}, {SYS_sched_setscheduler, "Pnb"},
  {SYS_sched_getscheduler, "P"}, {SYS_sched_get_priority_max, "n"}, {SYS_sched_rr_get_interval, "Pb"},
  {SYS_mlock, "as"}, {SYS_munlock, "as"}, {SYS_mlockall, "n"}, {SYS_modify_ldt, "nbs"}, {SYS_pivot_root, "pp"},
  {SYS_prctl, "cbbbb"}, {SYS_arch_prctl, "xa"}, {SYS_adjtimex, "b"}, {SYS_setrlimit, "nb"}, {SYS_chroot, "p"},
  {SYS_acct, "p"}, {SYS_settimeofday, "tb"}, {SYS_mount, "pppob"}, {SYS_umount2, "po"}, {SYS_swapon, "po"},
  {SYS_sethostname, "bs"}, {SYS_setdomainname, "bs"}, {SYS_iopl, "n"}, {SYS_ioperm, "nnn"},
  {SYS_quotactl, "opnb"}, {SYS_readahead, "fls"}, {SYS_setxattr, "ppbso"}, {SYS_lsetxattr, "ppbso"},
  {SYS_fsetxattr, "fpbso"}, {SYS_getxattr, "ppbs"}, {SYS_lgetxattr, "ppbs"}, {SYS_fgetxattr, "fpbs"},
  {SYS_listxattr, "pbs"}, {SYS_llistxattr, "pbs"}, {SYS_flistxattr, "fbs"}, {SYS_removexattr, "pp"},
  {SYS_lremovexattr, "pp"}, {SYS_fremovexattr, "fp"}, {SYS_tkill, "Pg"}, {SYS_time, "b"},
  {SYS_futex, "bnntbn"}, {SYS_sched_setaffinity, "Psb"}, {SYS_sched_getaffinity, "Psb"}, {SYS_io_setup, "nb"},
  {SYS_io_destroy, "b"}, {SYS_io_getevents, "lnnbt"}, {SYS_io_submit, "lnB"}, {SYS_epoll_create, "n"},
  {SYS_remap_file_pages, "asnno"}, {SYS_getdents64, "fbs"}, {SYS_set_tid_address, "b"}, {SYS_semtimedop, "nbnt"},
  {SYS_fadvise64, "fllc"}, {SYS_timer_create, "kbb"}, {SYS_timer_settime, "nnbb"}, {SYS_timer_gettime, "nb"},
  {SYS_timer_getoverrun, "n"}, {SYS_timer_delete, "n"}, {SYS_clock_settime, "kt"}, {SYS_clock_gettime, "kb"},
  {SYS_clock_getres, "kb"}, {SYS_clock_nanosleep, "kntb"}, {SYS_epoll_wait, "fbnn"}, {SYS_epoll_ctl, "fnfb"},
  {SYS_tgkill, "PPg"}, {SYS_utimes, "pb"}, {SYS_mbind, "asnbnn"}, {SYS_set_mempolicy, "nbn"},
  {SYS_get_mempolicy, "bbnao"}, {SYS_mq_open, "poob"}, {SYS_mq_unlink, "p"}, {SYS_mq_timedsend, "fbsnt"},
  {SYS_mq_timedreceive, "fbsbt"}, {SYS_mq_notify, "fb"}, {SYS_mq_getsetattr, "fbb"}, {SYS_kexec_load, "lnbo"},
  {SYS_waitid, "nPbob"}, {SYS_add_key, "ppbsn"}, {SYS_request_key, "pppn"}, {SYS_keyctl, "cbbbb"},
  {SYS_ioprio_set, "nPn"}, {SYS_ioprio_get, "nP"}, {SYS_inotify_add_watch, "fpo"}, {SYS_inotify_rm_watch, "fn"},
  {SYS_migrate_pages, "Pnbb"}, {SYS_openat, "dpoo"}, {SYS_mkdirat, "dpo"}, {SYS_mknodat, "dpol"},
  {SYS_fchownat, "dpnno"}, {SYS_futimesat, "dpb"}, {SYS_newfstatat, "dpbo"}, {SYS_unlinkat, "dpo"},
  {SYS_renameat, "dpdp"}, {SYS_linkat, "dpdpo"}, {SYS_symlinkat, "pdp"}, {SYS_readlinkat, "dpbs"},
  {SYS_fchmodat, "dpo"}, {SYS_faccessat, "dpo"}, {SYS_pselect6, "nbbbtb"}, {SYS_ppoll, "bntb8"},
  {SYS_unshare, "o"}, {SYS_set_robust_list, "b24"}, {SYS_get_robust_list, "Pbb"}, {SYS_splice, "fbfbso"},
  {SYS_tee, "ffso"}, {SYS_sync_file_range, "fllo"}, {SYS_vmsplice, "fBno"}, {SYS_move_pages, "PnBbbo"},
  {SYS_utimensat, "dpbo"}, {SYS_epoll_pwait, "fbnnb8"}, {SYS_signalfd, "fb8"}, {SYS_timerfd_create, "ko"},
  {SYS_eventfd, "n"}, {SYS_fallocate, "foll"}, {SYS_timerfd_settime, "fnbb"}, {SYS_timerfd_gettime, "fb"},
  {SYS_accept4, "fbbo"}, {SYS_signalfd4, "fb8o"}, {SYS_eventfd2, "no"}, {SYS_epoll_create1, "o"}, {SYS_dup3, "ffo"},
  {SYS_pipe2, "bo"}, {SYS_inotify_init1, "o"}, {SYS_preadv, "fBnll"}, {SYS_pwritev, "fBnll"},
  {SYS_rt_tgsigqueueinfo, "PPgb"}, {SYS_perf_event_open, "bPnfo"}, {SYS_recvmmsg, "fBnot"},
  {SYS_fanotify_init, "oo"}, {SYS_fanotify_mark, "foodp"}, {SYS_prlimit64, "Pnbb"},
  {SYS_name_to_handle_at, "dpbbo"}, {SYS_open_by_handle_at, "dbo"}, {SYS_clock_adjtime, "kb"}, {SYS_syncfs, "f"},
  {SYS_sendmmsg, "fBno"}, {SYS_setns, "fo"}, {SYS_getcpu, "bbb"}, {SYS_process_vm_readv, "PBnBno"},
  {SYS_process_vm_writev, "PBnBno"}, {SYS_kcmp, "PPnff"}, {SYS_finit_module, "fpo"}, {SYS_sched_setattr, "Pbo"},
  {SYS_sched_getattr, "Pbso"}, {SYS_renameat2, "dpdpo"}, {SYS_seccomp, "nob"}, {SYS_getrandom, "bso"},
  {SYS_memfd_create, "po"}, {SYS_kexec_file_load, "ffspo"}, {SYS_bpf, "cbs"}, {SYS_execveat, "dpBBo"},
  {SYS_userfaultfd, "o"}, {SYS_membarrier, "con"}, {SYS_mlock2, "aso"}, {SYS_copy_file_range, "fbfbso"},
  {SYS_preadv2, "fBnllo"}, {SYS_pwritev2, "fBnllo"}, {SYS_pkey_mprotect, "asnn"}, {SYS_statx, "dpoob"},
  {SYS_io_pgetevents, "lnnbtb"}, {SYS_rseq, "bson"}, {424, "fgbo"}, {425, "nb"}, {426, "fnnobs"}, {427, "fnbn"},
  {428, "dpo"}, {429, "dpdpo"}, {430, "po"}, {431, "fcpbn"}, {432, "foo"}, {433, "dpo"}, {434, "Po"}, {435, "bs"},
  {436, "nno"}, {437, "dpbs"}, {438, "ffo"}, {439, "dpoo"}, {440, "fBnco"}, {441, "fbntb8"}, {442, "dpobs"},
  {443, "fnnb"}, {444, "bso"}, {445, "fnbo"}, {446, "fo"}, {447, "o"}, {448, "fo"}, {449, "bnotk"}, {450, "asno"},
  {451, "fbbo"}, {452, "dpoo"}, {453, "aso"}, {454, "bnoo"}, {455, "bnontk"}, {456, "bonn"}, {457, "bbso"},
  {458, "bbso"}, {459, "obso"}, {460, "obo"}, {461, "bso"}, {462, "as"}, {463, "dpopbs"}, {464, "dpopbs"},
  {465, "dpopbs"}, {466, "dpop"},
};
static const char *shape_of[512];

static const uint64_t odd_values[] = {
  0, 1, 2, 3, 4, 5, 7, 8, 16, 24, 63, 64, 100, 127, 128, 255, 256, 511, 512, 1000, 1023, 1024, 1025, 4095, 4096, 4097, 8191, 65535,
  65536, 1000000, 1 << 20, (1 << 20) + 1, 1 << 24, 0x7fffffff, 0x80000000u, 0x80000001u, 0xfffffffeu, 0xffffffffu, 1ULL << 32,
  (1ULL << 32) + 1, 1ULL << 40, 1ULL << 46, (1ULL << 47) - 1, 1ULL << 47, (1ULL << 47) + 1, 1ULL << 52, (1ULL << 53) - 1, 1ULL << 53,
  (1ULL << 53) + 1, 1ULL << 62, (1ULL << 63) - 1, 1ULL << 63, (1ULL << 63) + 1, -1ULL, -2ULL, -3ULL, -4096ULL, -4095ULL, -100ULL,
  0x7ffffffff000, 0x7ffffffffff8, 0x7ffff0000000, 0x7fffeffff000, 0xffff800000000000, 0xffffffffff600000, 0xdead000000000000,
};
static uint64_t odd(void) {
  uint64_t v = odd_values[below(COUNT(odd_values))];
  return chance(10) ? v ^ (1ULL << below(64)) : v;
}

static const char *const paths[] = {
  ".", "..", "/", "file", "file2", "dir", "dir/sub", "dir/none", "link", "loop", "fifo", "sock", "none", "", "dir/../file", "dir/.",
  "file/", "./////dir", "/proc/self/fd", "/proc/self/maps", "/proc/self/mem", "/proc/self/exe", "/proc/self/cwd/file", "/proc/1/status",
  "/proc/self/fd/3", "/proc/self/task", "/proc/self/ns/mnt", "/proc/self/ns/uts", "/proc/self/root", "/proc/self/status", "/proc/self/environ",
  "/proc/self/oom_score_adj", "/proc/sys/kernel/hostname", "/proc/mounts", "/proc/meminfo", "/proc/stat",
  "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/tty", "/dev/ptmx", "/dev/pts/0", "/dev/shm", "/dev/shm/x", "/dev/stdin",
  "/tmp", "/etc/passwd", "/sys", "/sys/devices/system/cpu", "tmpfs", "proc", "sysfs", "devpts", "bind", "user.a", "user.b", "trusted.x",
  "security.capability", "system.posix_acl_access", "cpu", "\xff\xfe", "a/b/c/d",
};
static const uint32_t ioctls[] = {
  0x5401, 0x5402, 0x5403, 0x5404, 0x5405, 0x5406, 0x5407, 0x5408, 0x5409, 0x540a, 0x540b, 0x540c, 0x540d, 0x540e, 0x540f, 0x5410,
  0x5411, 0x5412, 0x5413, 0x5414, 0x5415, 0x541b, 0x541d, 0x541e, 0x5420, 0x5421, 0x5422, 0x5423, 0x5424, 0x5425, 0x5427, 0x5428,
  0x5429, 0x5450, 0x5451, 0x5452, 0x5460, 0x80045430, 0x40045431, 0x80045432, 0x80045438, 0x80045439, 0x80045440, 0x5441,
  0x8901, 0x8902, 0x8903, 0x8904, 0x8905, 0x8906, 0x8910, 0x8912, 0x8913, 0x8915, 0x8927, 0x8933,
  0x40049409, 0x4020940d, 0xc0c0660b, 0x80086601, 0x40086602, 0x801c581f, 0x401c5820, 0x5200, 0x80085203, 0x80045200, 0x40045201,
  0xb701, 0xb702, 0xb703, 0xb704, 0x1260, 0x80081272, 0x127b, 0x4004667f, 0xc020660b, 0xff0b, 0x40085400,
};

static uint64_t address(void) {
  char *base;
  switch (below(12)) {
    case 0: base = arena; break;
    case 1: base = edge; break;
    case 2: base = readonly; break;
    case 3: base = noaccess; break;
    case 4: base = unmapped; break;
    case 5: case 6: case 7: case 8: base = scratch + below(SCRATCH_PAGES) * PAGE; break;
    case 9: return odd();
    default: return 0;
  }
  return (uint64_t)base + (chance(20) ? below(PAGE) : 0);
}

static char *any_buffer(void) {
  switch (below(20)) {
    case 0: return 0;
    case 1: return readonly + below(PAGE);
    case 2: return unmapped + below(PAGE);
    case 3: return edge + PAGE - below(64);
    case 4: return edge + PAGE - 4096 + below(8);
    case 5: return noaccess;
    case 6: return (char *)odd();
    case 7: return scratch + below(SCRATCH_PAGES * PAGE);
    default: return arena + below(ARENA_PAGES - 4) * PAGE + (chance(15) ? below(PAGE) : below(64) * 8);
  }
}

static uint32_t flag_word(void) {
  uint32_t v = 0;
  for (unsigned i = below(6); i > 0; i--) v |= 1u << below(32);
  return chance(20) ? (uint32_t)odd() : v;
}

// Fills some of a buffer in the arena with words that mean something to somebody.
static char *fill(char *p) {
  if (p < arena || p >= arena + ARENA_PAGES * PAGE - 1024) return p;
  uint64_t *w = (uint64_t *)p;
  uint32_t *h = (uint32_t *)p;
  unsigned n = 1 + below(24);
  switch (below(8)) {
    case 0:
      for (unsigned i = 0; i < n; i++) w[i] = rnd();
      break;
    case 1:
      for (unsigned i = 0; i < n; i++) w[i] = odd();
      break;
    case 2:  // iovec, sigevent
      for (unsigned i = 0; i < n; i++) w[i] = i & 1 ? (chance(70) ? below(5000) : odd()) : (uint64_t)any_buffer();
      break;
    case 3:  // pollfd and what else starts with a descriptor
      for (unsigned i = 0; i < 2 * n; i++) h[i] = i & 1 ? rnd() : fds[below(fd_count)];
      break;
    case 4:  // a time soon
      w[0] = 0;
      w[1] = below(2000);
      w[2] = 0;
      w[3] = below(2000);
      break;
    case 5:  // sockaddr_un
      h[0] = 1;
      strcpy(p + 2, chance(50) ? "sock" : "");
      break;
    case 6:  // msghdr with control data
      w[0] = 0, w[1] = 0, w[2] = (uint64_t)(p + 256), w[3] = below(4), w[4] = (uint64_t)(p + 128), w[5] = chance(80) ? 24 : below(128), w[6] = 0;
      w[16] = chance(80) ? 20 : odd(), h[34] = 1, h[35] = 1 + below(3), h[36] = fds[below(fd_count)];
      w[32] = (uint64_t)(p + 512), w[33] = below(300);
      break;
    default:
      for (unsigned i = 0; i < n; i++) h[i] = chance(60) ? below(64) : flag_word();
  }
  return p;
}

static uint64_t generic(void) {
  switch (below(8)) {
    case 0: return fds[below(fd_count)];
    case 1: case 2: return odd();
    case 3: { char *p = any_buffer(); fill(p); return (uint64_t)p; }
    case 4: return address();
    case 5: return flag_word();
    case 6: return below(70);
    default: return rnd();
  }
}

static uint64_t typed(char kind, const char *rest) {
  char *p;
  switch (kind) {
    case 'f': return chance(90) ? (uint64_t)fds[below(fd_count)] : odd();
    case 'd': return chance(70) ? (uint64_t)AT_FDCWD : (uint64_t)fds[below(fd_count)];
    case 'p': return chance(93) ? (uint64_t)paths[below(COUNT(paths))] : (uint64_t)any_buffer();
    case 'b': case 'B': p = any_buffer(); fill(p); return (uint64_t)p;
    case 't':
      p = any_buffer();
      if (p >= arena && p < arena + (ARENA_PAGES - 1) * PAGE) {
        uint64_t *w = (uint64_t *)p;
        if (chance(90)) w[0] = 0, w[1] = below(3000);
        else w[0] = odd(), w[1] = odd();
      }
      return (uint64_t)p;
    case 's': return chance(60) ? below(9000) : chance(50) ? PAGE * (uint64_t)below(40) : odd();
    case 'l': return chance(50) ? below(20000) : odd();
    case 'o': return chance(30) ? 0 : chance(30) ? 0100 | below(4) : flag_word();
    case 'c': return chance(85) ? below(70) : chance(50) ? 1024 + below(20) : odd();
    case 'i': return chance(90) ? ioctls[below(COUNT(ioctls))] : rnd();
    case 'x': return 0x1000 + below(6);
    case 'n': return chance(80) ? below(20) : odd();
    case 'k': return chance(90) ? below(14) : odd();
    case 'a': return address();
    case 'g': return chance(90) ? below(66) : odd();
    case 'P': return chance(50) ? 0 : chance(60) ? (uint64_t)getpid() : chance(50) ? below(40) + 2 : odd();
    case '8': return chance(97) ? 8 : odd();
    case '2': return 24;
    default: return generic();
  }
  (void)rest;
}

// What makes a new thread or process returns here twice; the new one must leave without touching the stack.
static long raw(long nr, uint64_t *a) {
  long r;
  register uint64_t r10 __asm__("r10") = a[3], r8 __asm__("r8") = a[4], r9 __asm__("r9") = a[5];
  __asm__ volatile(
    "mov %[nr], %%rbx\n\t"
    "syscall\n\t"
    "test %%rax, %%rax\n\t"
    "jnz 1f\n\t"
    "cmp $56, %%ebx\n\t je 2f\n\t"
    "cmp $57, %%ebx\n\t je 2f\n\t"
    "cmp $58, %%ebx\n\t je 2f\n\t"
    "cmp $435, %%ebx\n\t jne 1f\n\t"
    "2: mov $60, %%eax\n\t xor %%edi, %%edi\n\t syscall\n\t ud2\n\t"
    "1:"
    : "=a"(r) : "a"(nr), [nr] "r"(nr), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9) : "rbx", "rcx", "r11", "memory");
  return r;
}

static int is_parent(uint64_t pid) { return (pid_t)pid == parent || (pid_t)pid == -parent || (pid_t)pid == -1; }

static int hard_signal(uint64_t sig) { return sig == SIGKILL || sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU; }

#ifndef SYS_mseal
#define SYS_mseal 462
#endif

// Calls that would strike the parent, or end the round too early when they came as often as the others.
static int spared(long nr, uint64_t *a) {
  switch (nr) {
    case SYS_kill: case SYS_tkill: case SYS_rt_sigqueueinfo:
      return is_parent(a[0]) || (hard_signal(a[1]) && !chance(5));
    case SYS_prlimit64: case SYS_process_vm_writev: case SYS_ptrace:
    case SYS_sched_setaffinity: case SYS_sched_setscheduler: case SYS_sched_setparam: case SYS_sched_setattr: case SYS_setpgid:
    case SYS_migrate_pages: case SYS_move_pages:
      return is_parent(a[0]) || (nr == SYS_ptrace && is_parent(a[1]));
    case SYS_tgkill: case SYS_rt_tgsigqueueinfo:
      return is_parent(a[0]) || is_parent(a[1]) || (hard_signal(a[2]) && !chance(5));
    case SYS_setpriority: case SYS_ioprio_set:
      return is_parent(a[1]);
    case SYS_fcntl:
      return (a[1] == F_SETOWN || a[1] == F_SETOWN_EX) && 1;
    case SYS_ioctl:
      return a[1] == 0x8901 || a[1] == 0x8902 || a[1] == 0x5452;
    case SYS_pidfd_send_signal:  // every pidfd in the set is of this process
      return hard_signal(a[1]) && !chance(5);
    case SYS_pidfd_open:
      return is_parent(a[0]);
    case SYS_reboot:
      return 1;
    case SYS_exit: case SYS_exit_group: case SYS_rt_sigreturn: case SYS_pause: case SYS_rt_sigsuspend:
      return !chance(2);
    case SYS_execve: case SYS_execveat: case SYS_vfork: case SYS_fork: case SYS_clone: case SYS_clone3: case SYS_close_range:
      return !chance(15);
    case SYS_munmap: case SYS_mprotect: case SYS_mremap: case SYS_pkey_mprotect: case SYS_mmap: case SYS_mseal:
      // A range of its own memory that is not meant for this ends the round.
      if (a[0] < (uint64_t)scratch || a[0] + a[1] > (uint64_t)scratch + SCRATCH_PAGES * PAGE || a[0] + a[1] < a[0])
        return a[0] != 0 && !chance(10);
      return 0;
    case SYS_arch_prctl: case SYS_prctl: case SYS_seccomp: case SYS_close: case SYS_rt_sigprocmask: case SYS_rt_sigaction: case SYS_setrlimit:
    case SYS_vhangup:
      return !chance(25);
  }
  return 0;
}

static int any_fd(void) { return fds[below(fd_count)]; }
static void keep(long fd) {
  if (fd > 9 && fd < 2000) fds[below(fd_count)] = fd;
}
static atomic_long *made;  // shared with the parent; a child may write nonsense to it
#define calls_made (*made)
static void likely_call(void);
static void one_call(long forced) {
  if (forced < 0 && chance(45)) {
    likely_call();
    return;
  }
  long nr = forced >= 0 ? forced : chance(95) ? (long)below(470) : chance(50) ? (long)(0x40000000u | below(560)) : (long)odd();
  uint64_t a[6];
  const char *shape = nr >= 0 && nr < 512 ? shape_of[nr] : 0;
  for (int i = 0; i < 6; i++) {
    char kind = shape && shape[0] ? *shape++ : 0;
    a[i] = kind && !chance(6) ? typed(kind, shape) : generic();
  }
  if (spared(nr, a)) return;
  calls_made++;
  if (verbose) {
    char line[200];
    int n = snprintf(line, sizeof line, "%d: %ld(%#lx, %#lx, %#lx, %#lx, %#lx, %#lx)\n", getpid(), nr, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (write(9, line, n) < 0) {}
  }
  long r = raw(nr, a);
  if (nr == SYS_socket || nr == SYS_openat || nr == SYS_dup || nr == SYS_eventfd2 || nr == SYS_open) keep(r);
}

static char *words(int n, ...) {
  uint64_t *w = (uint64_t *)(arena + below(ARENA_PAGES - 4) * PAGE + below(60) * 64);
  va_list ap;
  va_start(ap, n);
  for (int i = 0; i < n; i++) w[i] = va_arg(ap, uint64_t);
  va_end(ap);
  return (char *)w;
}
static char *ints(int a, int b, int c, int d) { return words(2, (uint64_t)(uint32_t)a | (uint64_t)b << 32, (uint64_t)(uint32_t)c | (uint64_t)d << 32); }
static char *unix_name(void) {
  char *p = words(4, 0UL, 0UL, 0UL, 0UL);
  *(short *)p = AF_UNIX;
  static const char *const names[] = {"sock", "sock2", "\0abstract", "\0b", "dir/s", ""};
  memcpy(p + 2, names[below(COUNT(names))], 8);
  return p;
}
static char *message(void) {
  char *base = words(1, 0UL);
  if (base > arena + (ARENA_PAGES - 5) * PAGE) base = arena;
  uint64_t *m = (uint64_t *)base, *iov = (uint64_t *)(base + 256), *control = (uint64_t *)(base + 512);
  int n = below(4);
  m[0] = chance(30) ? (uint64_t)unix_name() : 0, m[1] = m[0] ? 12 : 0, m[2] = (uint64_t)iov, m[3] = below(5);
  m[4] = chance(60) ? (uint64_t)control : 0, m[5] = m[4] ? 16 + 4 * n + (chance(10) ? below(40) : 0) : 0, m[6] = 0;
  for (int i = 0; i < 5; i++) iov[2 * i] = (uint64_t)(chance(90) ? base + 1024 : any_buffer()), iov[2 * i + 1] = below(3000);
  control[0] = 16 + 4 * n, control[1] = 1 | (uint64_t)(1 + below(2)) << 32;
  for (int i = 0; i < n; i++) ((int *)(control + 2))[i] = any_fd();
  return base;
}
static long one(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f) {
  uint64_t args[6] = {a, b, c, d, e, f};
  if (verbose) {
    char line[200];
    int n = snprintf(line, sizeof line, "%d: %ld[%#lx, %#lx, %#lx, %#lx, %#lx, %#lx]\n", getpid(), nr, a, b, c, d, e, f);
    if (write(9, line, n) < 0) {}
  }
  calls_made++;
  return raw(nr, args);
}
#define CALL(...) CALL_(__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define CALL_(nr, a, b, c, d, e, f, ...) \
  one(nr, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), (uint64_t)(e), (uint64_t)(f))

static void one_call(long forced);
static char *soon(void) { return words(4, 0UL, (uint64_t)below(2000000) * chance(50), 0UL, (uint64_t)below(3000000)); }

// Calls that are meant to succeed, with objects that the calls before them made: what lies behind the first checks.
static void likely_call(void) {
  const char *path = paths[below(COUNT(paths))], *path2 = paths[3 + below(15)];
  char *buf = arena + below(ARENA_PAGES - 8) * PAGE;
  int ms = below(3);
  switch (below(44)) {
    case 0: CALL(SYS_setsockopt, any_fd(), 1, below(80), ints(below(5), below(3), 0, 0), 4 << below(3)); break;
    case 1: CALL(SYS_getsockopt, any_fd(), 1, below(80), buf, ints(below(40), 0, 0, 0)); break;
    case 2: CALL(SYS_sendmsg, any_fd(), message(), chance(50) ? 0x40 : flag_word() | 0x40); break;
    case 3: CALL(SYS_recvmsg, any_fd(), message(), chance(50) ? 0x40 : flag_word() | 0x40); break;
    case 4: CALL(SYS_splice, any_fd(), chance(80) ? 0 : words(1, (uint64_t)below(5000)), any_fd(), 0, below(100000), 2 | below(16)); break;
    case 5: CALL(chance(50) ? SYS_tee : SYS_sendfile, any_fd(), any_fd(), chance(50) ? 0 : 1000, below(9000)); break;
    case 6: CALL(SYS_vmsplice, any_fd(), words(4, buf, (uint64_t)below(9000), buf, 10UL), 2, below(16)); break;
    case 7: CALL(SYS_timer_create, below(12), words(3, 5UL, (uint64_t)(below(3)) << 32 | SIGUSR1, 0UL), buf); break;
    case 8: CALL(chance(80) ? SYS_timer_settime : SYS_timer_gettime, below(6), below(2), chance(20) ? (char *)(long)below(2) : soon(), buf); break;
    case 9: CALL(SYS_timerfd_settime, any_fd(), below(4), soon(), buf); break;
    case 10: CALL(SYS_futex, arena + 8 * below(4), below(14) | (chance(50) ? 128 : 0), *(uint32_t *)arena, chance(60) ? soon() : (char *)2, arena + 8 * below(4), flag_word()); break;
    case 11: keep(CALL(SYS_socket, 1, 1 + below(5), 0)); break;
    case 12: CALL(chance(40) ? SYS_bind : SYS_connect, any_fd(), unix_name(), 2 + below(12)); break;
    case 13: CALL(SYS_listen, any_fd(), below(5)); break;
    case 14: keep(CALL(SYS_accept4, any_fd(), buf, ints(100, 0, 0, 0), 04000)); break;
    case 15: CALL(SYS_semop, CALL(SYS_semget, below(3), 5, 01666), words(2, (uint64_t)(below(5)) | (uint64_t)(uint16_t)(below(5) - 2) << 16 | (uint64_t)(04000 | below(2) << 12) << 32, rnd()), 1 + below(2)); break;
    case 16: CALL(SYS_semctl, CALL(SYS_semget, below(3), 5, 01666), below(6), below(20), chance(50) ? (uint64_t)buf : below(100)); break;
    case 17: *(long *)buf = below(4); CALL(SYS_msgsnd, CALL(SYS_msgget, below(3), 01666), buf, below(3000), 04000); break;
    case 18: CALL(SYS_msgrcv, CALL(SYS_msgget, below(3), 01666), buf, below(3000), below(8) - 3, 04000 | (below(8) << 12)); break;
    case 19: CALL(SYS_shmat, CALL(SYS_shmget, below(3), below(5) * PAGE, 01666), chance(50) ? 0 : scratch + below(50) * PAGE, chance(50) ? 040000 : flag_word()); break;
    case 20: CALL(chance(50) ? SYS_shmctl : SYS_msgctl, CALL(chance(50) ? SYS_shmget : SYS_msgget, below(3), chance(50) ? PAGE : 01666, 01666), below(15), buf); break;
    case 21: CALL(SYS_mremap, scratch + below(50) * PAGE, below(8) * PAGE, below(12) * PAGE, below(4), scratch + below(50) * PAGE); break;
    case 22: CALL(SYS_mmap, scratch + below(40) * PAGE, (1 + below(12)) * PAGE, below(8), 0x10 | (1 + below(2)) | (chance(50) ? 0x20 : 0), any_fd(), below(4) * PAGE); break;
    case 23: CALL(chance(50) ? SYS_madvise : SYS_msync, scratch + below(50) * PAGE, below(12) * PAGE, below(26)); break;
    case 24: CALL(SYS_mprotect, scratch + below(50) * PAGE, (1 + below(12)) * PAGE, below(8)); break;
    case 25: CALL(SYS_ioctl, any_fd(), ioctls[below(COUNT(ioctls))], buf); break;
    case 26: for (int i = 0; i < 100; i++) buf[i] = chance(70) ? ' ' + below(95) : below(32); CALL(SYS_write, any_fd(), buf, below(300)); break;
    case 27: CALL(chance(70) ? SYS_read : SYS_getdents64, any_fd(), buf, below(9000)); break;
    case 28: CALL(SYS_setsid); break;
    case 29: {
      // A child that makes calls of its own, is stopped and continued, and is waited for.
      pid_t pid = fork();
      if (pid == 0) {
        for (int i = below(25); i > 0; i--) one_call(-1);
        raw(SYS_exit_group, (uint64_t[6]){0});
      }
      if (pid > 1) {
        if (chance(30)) CALL(SYS_setpgid, pid, chance(50) ? pid : 0);
        if (chance(30)) CALL(SYS_kill, pid, SIGSTOP), CALL(SYS_kill, pid, chance(50) ? SIGCONT : SIGTSTP);
        if (chance(20)) keep(CALL(SYS_pidfd_open, pid, 0));
        if (chance(50)) CALL(SYS_kill, pid, chance(50) ? SIGKILL : 1 + below(64));
        CALL(SYS_wait4, pid, buf, chance(50) ? 1 : 2 | flag_word(), buf + 64);
        if (chance(80)) CALL(SYS_kill, pid, SIGKILL), CALL(SYS_wait4, pid, buf, 0x40000000, buf + 64);
      }
      break;
    }
    case 30: {
      static const uint64_t sets[] = {0x4000, 0x100, 0x4100, 0x1000, 0x04000000, 0x08000000, 0x02000000, 0x8000, 0x10d00, 0x50f00, 0x1200000, 0x40000000, 0x10000000, 0x20000000, 0x00020000};
      uint64_t flags = sets[below(COUNT(sets))] | (chance(30) ? sets[below(COUNT(sets))] : 0);
      CALL(SYS_clone, flags | (flags & 0x10000 ? 0 : SIGCHLD), flags & 0x100 ? (uint64_t)(arena + PAGE) : 0, buf, buf + 8, 0);
      break;
    }
    case 31: {
      int command = below(20);
      // Owners of files are processes of this round.
      CALL(SYS_fcntl, any_fd(), command, command == F_SETOWN ? (uint64_t)getpid() : (uint64_t)ints(below(3), command == F_SETOWN_EX ? getpid() : below(3), below(100), 0));
      break;
    }
    case 32: CALL(SYS_fcntl, any_fd(), 1024 + below(18), chance(50) ? below(32) : 4096 << below(6)); break;
    case 33: CALL(SYS_fcntl, any_fd(), 36 + below(3), words(4, (uint64_t)below(3), (uint64_t)below(100), (uint64_t)below(100), 0UL)); break;
    case 34: CALL(SYS_fallocate, any_fd(), chance(70) ? below(4) : flag_word(), below(5 * PAGE), below(9 * PAGE)); break;
    case 35: CALL(SYS_epoll_ctl, any_fd(), 1 + below(3), any_fd(), words(2, (uint64_t)flag_word() | below(64), rnd())); break;
    case 36: CALL(SYS_epoll_wait, any_fd(), buf, 1 + below(30), ms); break;
    case 37: CALL(SYS_poll, fill(buf), 1 + below(10), ms); break;
    case 38: CALL(SYS_prctl, below(80), chance(50) ? below(5) : (uint64_t)buf, chance(50) ? 0 : below(64), 0, 0); break;
    case 39: CALL(SYS_mount, chance(50) ? "tmpfs" : path, path2, chance(70) ? "tmpfs" : "proc", chance(40) ? 0 : 1u << (below(22)) | 4096, chance(50) ? "size=64k,nr_inodes=20" : 0); break;
    case 40: CALL(SYS_umount2, path2, below(16)); break;
    case 41: keep(CALL(SYS_openat, AT_FDCWD, path, below(4) | (chance(40) ? 0100 : 0) | (chance(20) ? flag_word() : 0), 0666)); break;
    case 42: keep(CALL(chance(50) ? SYS_mq_open : SYS_memfd_create, chance(50) ? "q" : "r", chance(50) ? 0102 : 2, 0600, 0)); break;
    case 43: CALL(chance(50) ? SYS_renameat2 : SYS_linkat, AT_FDCWD, path2, AT_FDCWD, paths[3 + below(15)], chance(60) ? 0 : below(8)); break;
  }
}

static void ignore(int sig) { (void)sig; }

// After a fault of our own the round goes on with the next call.
static __thread sigjmp_buf after_fault;
static void on_fault(int sig) {
  (void)sig;
  siglongjmp(after_fault, 1);
}
static char fault_stack[4][65536];

static void alternate_stack(int i) {
  stack_t st = {.ss_sp = fault_stack[i], .ss_size = sizeof fault_stack[i]};
  sigaltstack(&st, 0);
}

static void set_up(void) {
  arena = mmap(0, ARENA_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  edge = mmap(0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(edge + PAGE, PAGE);
  readonly = mmap(0, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  noaccess = mmap(0, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  unmapped = mmap(0, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(unmapped, PAGE);
  scratch = mmap(0, SCRATCH_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  fd_count = 0;
  int pair[2];
  char dir[64];
  snprintf(dir, sizeof dir, "/tmp/fuzz-%d", getpid());
  mkdir(dir, 0777);
  if (chdir(dir) < 0) _exit(3);
  mkdir("dir", 0777);
  mkdir("dir/sub", 0777);
  if (symlink("file", "link") < 0 || symlink("loop", "loop") < 0) {}
  mkfifo("fifo", 0666);
#define KEEP(fd) do { int fd_ = (fd); if (fd_ >= 0 && fd_count < 60) fds[fd_count++] = fd_; } while (0)
  KEEP(open("file", O_RDWR | O_CREAT, 0666));
  KEEP(open("file2", O_RDWR | O_CREAT | O_APPEND, 0666));
  if (write(fds[0], paths, 300) < 0) {}
  KEEP(open(".", O_RDONLY | O_DIRECTORY));
  KEEP(open("file", O_PATH));
  KEEP(open("fifo", O_RDWR | O_NONBLOCK));
  if (pipe2(pair, O_NONBLOCK) == 0) { KEEP(pair[0]); KEEP(pair[1]); }
  if (pipe2(pair, 0) == 0) { KEEP(pair[0]); KEEP(pair[1]); }
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0) { KEEP(pair[0]); KEEP(pair[1]); }
  if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair) == 0) { KEEP(pair[0]); KEEP(pair[1]); }
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) == 0) { KEEP(pair[0]); KEEP(pair[1]); }
  KEEP(socket(AF_UNIX, SOCK_STREAM, 0));
  KEEP(eventfd(3, EFD_NONBLOCK));
  KEEP(epoll_create1(0));
  struct epoll_event ev = {.events = EPOLLIN};
  epoll_ctl(fds[fd_count - 1], EPOLL_CTL_ADD, fds[5], &ev);
  KEEP(epoll_create1(0));
  KEEP(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  KEEP(signalfd(-1, &set, SFD_NONBLOCK));
  int ino = inotify_init1(IN_NONBLOCK);
  inotify_add_watch(ino, ".", IN_ALL_EVENTS);
  KEEP(ino);
  KEEP(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK));
  int master = fds[fd_count - 1], zero = 0;
  syscall(SYS_ioctl, master, 0x40045431, &zero);
  KEEP((int)syscall(SYS_ioctl, master, 0x5441, O_RDWR | O_NOCTTY | O_NONBLOCK));
  KEEP(open("/proc/self/maps", O_RDONLY));
  KEEP(open("/proc/self/mem", O_RDWR));
  KEEP(open("/proc/self", O_RDONLY));
  KEEP(open("/proc/self/ns/uts", O_RDONLY));
  int m = memfd_create("m", MFD_ALLOW_SEALING);
  if (m >= 0 && ftruncate(m, 3 * PAGE + 100) < 0) {}
  KEEP(m);
  KEEP((int)syscall(SYS_pidfd_open, getpid(), 0));
  KEEP(open("/dev/null", O_RDWR));
  KEEP(open("/dev/zero", O_RDWR));
  KEEP(open("/dev/full", O_RDWR));
  KEEP(open("/dev/urandom", O_RDONLY));
  KEEP(open("/etc/passwd", O_RDONLY));
  KEEP((int)syscall(428, AT_FDCWD, ".", 1));
  KEEP((int)syscall(430, "tmpfs", 0));
  fds[fd_count++] = -1;
  fds[fd_count++] = 900;
  if (m >= 0) mmap(scratch, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, m, 0);
  mmap(scratch + 8 * PAGE, 4 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fds[0], 0);
  // Nothing waits for long.
  struct sigaction act = {.sa_handler = ignore};
  for (int sig = 1; sig < 65; sig++) sigaction(sig, &act, 0);
  act = (struct sigaction){.sa_handler = on_fault, .sa_flags = SA_ONSTACK | SA_NODEFER};
  sigaction(SIGSEGV, &act, 0);
  sigaction(SIGBUS, &act, 0);
  sigaction(SIGFPE, &act, 0);
  sigaction(SIGTRAP, &act, 0);
  alternate_stack(0);
  struct itimerval it = {{0, 10000}, {0, 10000}};
  setitimer(ITIMER_REAL, &it, 0);
  struct rlimit r = {32 << 20, 32 << 20};
  setrlimit(RLIMIT_FSIZE, &r);
  for (char *p = arena; p < arena + (ARENA_PAGES - 1) * PAGE; p += 512) fill(p);
}

static volatile int stop_threads;
static void *scribbler(void *arg) {
  rng = (uint64_t)arg | 1;
  struct timespec end, now;
  clock_gettime(CLOCK_MONOTONIC, &end);
  while (!stop_threads) {
    for (int i = 0; i < 200; i++) {
      uint64_t *w = (uint64_t *)(arena + below((ARENA_PAGES - 1) * PAGE / 8) * 8);
      *(volatile uint64_t *)w = chance(50) ? odd() : (uint64_t)any_buffer();
    }
    char *p = scratch + below(SCRATCH_PAGES - 8) * PAGE;
    size_t n = (1 + below(8)) * PAGE;
    switch (below(5)) {
      case 0: munmap(p, n); break;
      case 1: case 2: mmap(p, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0); break;
      case 3: mprotect(p, n, below(4)); break;
      case 4: madvise(p, n, MADV_DONTNEED); break;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec > end.tv_sec + 2) break;
  }
  return 0;
}
static int thread_calls;
static atomic_int callers;
static void *caller(void *arg) {
  rng = (uint64_t)arg | 1;
  alternate_stack(1 + callers++);
  static __thread volatile int i;
  sigsetjmp(after_fault, 1);
  for (; i < thread_calls && !stop_threads;) {
    i = i + 1;
    if (chance(25)) {
      // Reads into memory that comes and goes.
      uint64_t a[6] = {fds[below(fd_count)], (uint64_t)scratch + below(SCRATCH_PAGES * PAGE), below(9 * PAGE), 0, 0, 0};
      raw(chance(50) ? SYS_read : SYS_write, a);
    } else {
      one_call(-1);
    }
  }
  callers--;
  return 0;
}

enum { ROOT, USER, THREADS, MODES };
static const char *const modes[] = {"root", "user", "threads"};

static void child(uint64_t seed, int calls, int mode) {
  rng = seed * 0x9E3779B97F4A7C15ULL + 1;
  for (int i = 0; i < 8; i++) rnd();
  setsid();
  if (verbose) dup2(2, 9);
  int null = open("/dev/null", O_RDWR);
  if (null < 0) null = memfd_create("null", 0);  // an earlier round as root did away with it
  dup2(null, 0);
  dup2(null, 1);
  dup2(null, 2);
  set_up();
  if (mode == USER) {
    if (setresgid(1000, 1000, 1000) < 0 || setresuid(1000, 1000, 1000) < 0) _exit(3);
    prctl(PR_SET_DUMPABLE, 1);
  }
  if (mode == THREADS) {
    thread_calls = calls / 2;
    pthread_t t[3];
    pthread_create(&t[0], 0, scribbler, (void *)rnd());
    pthread_create(&t[1], 0, caller, (void *)rnd());
    pthread_create(&t[2], 0, caller, (void *)rnd());
    // Pokes them out of their waits.
    for (int i = 0; i < 1000 && (i < 3 || callers > 0); i++) {
      usleep(3000);
      pthread_kill(t[1], SIGUSR2);
      pthread_kill(t[2], SIGUSR2);
    }
    stop_threads = 1;
  } else {
    // One call often, all others between: states that need several calls of a kind come up.
    long favourite = below(470);
    volatile int i = 0;
    sigsetjmp(after_fault, 1);
    while (i < calls) {
      i = i + 1;
      one_call(chance(10) ? favourite : -1);
    }
  }
  _exit(0);
}

static void fail(const char *what, uint64_t seed, int mode) {
  char line[200];
  int n = snprintf(line, sizeof line, "FAIL: %s (seed %lu, mode %s): %s\n", what, seed, modes[mode], strerrorname_np(errno));
  if (write(1, line, n) < 0) {}
  _exit(1);
}

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static int wait_for(pid_t pid, double ms, int *status) {
  double end = now_ms() + ms;
  for (long pause = 200000;; pause = pause < 5000000 ? pause * 2 : pause) {
    pid_t got = waitpid(pid, status, WNOHANG | __WALL);
    if (got == pid) return 1;
    if (got < 0 && errno != EINTR) return -1;
    if (now_ms() > end) return 0;
    struct timespec t = {0, pause};
    nanosleep(&t, 0);
  }
}

static void check_health(uint64_t seed, int mode) {
  int status, pair[2];
  if (getpid() != parent) fail("getpid changed", seed, mode);
  if (pipe(pair) < 0) fail("pipe", seed, mode);
  pid_t pid = fork();
  if (pid < 0) fail("fork", seed, mode);
  if (pid == 0) {
    char *p = mmap(0, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) _exit(4);
    memset(p, 7, 16 * PAGE);
    if (write(pair[1], p, 100) != 100) _exit(5);
    _exit(42);
  }
  char buf[100];
  if (read(pair[0], buf, 100) != 100 || buf[99] != 7) fail("read from a pipe", seed, mode);
  if (wait_for(pid, 5000, &status) != 1 || !WIFEXITED(status) || WEXITSTATUS(status) != 42) fail("a sane child", seed, mode);
  close(pair[0]);
  close(pair[1]);
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "-v") == 0) {
    verbose = 1;
    argv++, argc--;
  }
  if (argc < 4) return 0;  // what execve of ourselves comes to
  parent = getpid();
  uint64_t seed = strtoull(argv[1], 0, 0);
  int rounds = atoi(argv[2]), calls = atoi(argv[3]), only = -1;
  if (argc > 4)
    for (int i = 0; i < MODES; i++)
      if (strcmp(argv[4], modes[i]) == 0) only = i;
  for (unsigned i = 0; i < COUNT(shapes); i++) shape_of[shapes[i].nr] = shapes[i].args;
  chmod("/tmp", 01777);
  umask(0);
  made = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int spoiled = 0, exited = 0, killed = 0, late = 0;
  double start = now_ms();
  double limit = getenv("FUZZ_MS") ? atof(getenv("FUZZ_MS")) : 1e12;
  int done = 0;
  printf("seed %lu\n", seed);
  fflush(stdout);
  for (int r = verbose ? rounds : 0; verbose ? r == rounds : r < rounds && now_ms() - start < limit; r++, done++) {
    uint64_t s = seed + r;
    int mode = only >= 0 ? only : (int)(s % MODES);
    pid_t pid = fork();
    if (pid < 0) fail("fork of a round", s, mode);
    if (pid == 0) child(s, calls, mode);
    int status = 0;
    int got = wait_for(pid, 1500, &status);
    if (got == 0) {
      late++;
      kill(pid, SIGKILL);
      if (wait_for(pid, 10000, &status) != 1) fail("SIGKILL did not end a child", s, mode);
    } else if (got < 0) {
      fail("a child is lost", s, mode);
    }
    // The file system is no longer what a round needs: enough for this sandbox.
    if (WIFEXITED(status) && WEXITSTATUS(status) == 3 && ++spoiled > 2) break;
    if (WIFEXITED(status)) exited++;
    else killed++;
    // Whatever it left behind.
    kill(-1, SIGKILL);
    double end = now_ms() + 10000;
    while (waitpid(-1, 0, WNOHANG | __WALL) >= 0) {
      struct timespec t = {0, 500000};
      nanosleep(&t, 0);
      kill(-1, SIGKILL);
      if (now_ms() > end) fail("processes do not end", s, mode);
    }
    check_health(s, mode);
  }
  printf("%d rounds with %ld calls: %d exited, %d killed, %d of them late\n", done, calls_made, exited, killed, late);
  return 0;
}
