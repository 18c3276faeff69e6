// Numbers without a system call give ENOSYS, whatever the arguments, and harm nothing.
#include "check.h"

SUBTEST(nonexistent_numbers) {
  // 337-423 is a gap in the table (335 and 336 are uretprobe and uprobe since Linux 6.11, and raise SIGILL); the
  // others are far beyond its end.
  long numbers[] = {337, 350, 399, 423, 999, 1024, 4096, 65535, 0x7fffffff, -1L, -4096L, 0x80000000};
  for (size_t i = 0; i < COUNT(numbers); i++) {
    CHECK_ERR(syscall(numbers[i], 0, 0, 0, 0, 0, 0), ENOSYS);
    CHECK_ERR(syscall(numbers[i], -1, -1, -1, -1, -1, -1), ENOSYS);
  }
}

SUBTEST(calls_that_linux_removed) {
  int numbers[] = {174 /* create_module */, 177 /* get_kernel_syms */, 178 /* query_module */, 180 /* nfsservctl */,
                   181 /* getpmsg */, 182 /* putpmsg */, 183 /* afs_syscall */, 184 /* tuxcall */,
                   185 /* security */, 205 /* set_thread_area */, 211 /* get_thread_area */, 214 /* epoll_ctl_old */,
                   215 /* epoll_wait_old */, 236 /* vserver */, 156 /* _sysctl */, 134 /* uselib */};
  for (size_t i = 0; i < COUNT(numbers); i++) CHECK_ERR(syscall(numbers[i], 0, 0, 0, 0, 0, 0), ENOSYS);
}

SUBTEST(upper_half_of_the_number) {
  // Linux takes the number as a 32-bit value: 0x100000027 is getpid.
  CHECK_EQ(syscall(0x100000000L + SYS_getpid), getpid());
}
