// seccomp NAME=ERRNO... PROGRAM ARGS...: starts a program for which these system calls fail with these errors, as a container's
// profile makes them.
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
  const char *name;
  int nr;
} calls[] = {
    {"ptrace", SYS_ptrace},           {"seccomp", SYS_seccomp},
    {"memfd_create", SYS_memfd_create}, {"pidfd_open", SYS_pidfd_open},
    {"execveat", SYS_execveat},       {"close_range", SYS_close_range},
    {"prctl", SYS_prctl},             {"sched_setaffinity", SYS_sched_setaffinity},
    {"userfaultfd", SYS_userfaultfd}, {"arch_prctl", SYS_arch_prctl},
    {"process_vm_readv", SYS_process_vm_readv}, {"io_uring_setup", SYS_io_uring_setup},
};

int main(int argc, char **argv) {
  struct sock_filter code[256];
  int n = 0, arg = 1;
  code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (; arg < argc; arg++) {
    char *equals = strchr(argv[arg], '=');
    if (equals == NULL || strchr(argv[arg], '/') != NULL) break;
    int nr = -1;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
      if (strlen(calls[i].name) == (size_t)(equals - argv[arg]) && strncmp(calls[i].name, argv[arg], equals - argv[arg]) == 0)
        nr = calls[i].nr;
    if (nr < 0 || n > 250) {
      fprintf(stderr, "seccomp: %s is not known\n", argv[arg]);
      return 2;
    }
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (atoi(equals + 1) & 0xffff));
  }
  code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog program = {n, code};
  if (arg >= argc) {
    fprintf(stderr, "seccomp: no program\n");
    return 2;
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    perror("seccomp");
    return 2;
  }
  execvp(argv[arg], &argv[arg]);
  perror(argv[arg]);
  return 2;
}
