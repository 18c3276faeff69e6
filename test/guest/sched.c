// sched(7): affinity, policies, priorities, yield, getcpu.
#include "check.h"
#include <pthread.h>

SUBTEST_FORK(affinity) {
  cpu_set_t set, one;
  OK(sched_getaffinity(0, sizeof set, &set));
  int n = CPU_COUNT(&set), first = 0;
  CHECK(n >= 1);
  CHECK_EQ(sysconf(_SC_NPROCESSORS_ONLN) >= n, 1);
  while (!CPU_ISSET(first, &set)) first++;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  OK(sched_setaffinity(0, sizeof one, &one));
  CPU_ZERO(&set);
  OK(sched_getaffinity(0, sizeof set, &set));
  CHECK_EQ(CPU_COUNT(&set), 1);
  CHECK(CPU_ISSET(first, &set));
  CHECK_EQ(sched_getcpu(), first);
  CHILD {
    OK(sched_getaffinity(0, sizeof set, &set));
    CHECK_EQ(CPU_COUNT(&set), 1);
  }
  CPU_ZERO(&one);
  CHECK_ERR(sched_setaffinity(0, sizeof one, &one), EINVAL);
  CPU_SET(1000, &one);
  CHECK_ERR(sched_setaffinity(0, sizeof one, &one), EINVAL);
  CHECK_ERR(sched_getaffinity(0x3ffffff, sizeof set, &set), ESRCH);
  CHECK_ERR(sched_getaffinity(0, 1, &set), EINVAL);
  long bytes = syscall(SYS_sched_getaffinity, 0, sizeof set, &set);
  CHECK(bytes >= 8 && bytes % 8 == 0);
}

SUBTEST_FORK(policies) {
  struct sched_param p = {0};
  CHECK_EQ(OK(sched_getscheduler(0)), SCHED_OTHER);
  OK(sched_getparam(0, &p));
  CHECK_EQ(p.sched_priority, 0);
  OK(sched_setscheduler(0, SCHED_BATCH, &p));
  CHECK_EQ(OK(sched_getscheduler(0)), SCHED_BATCH);
  OK(sched_setscheduler(0, SCHED_OTHER, &p));
  p.sched_priority = 5;
  CHECK_ERR(sched_setscheduler(0, SCHED_OTHER, &p), EINVAL);
  CHECK_ERR(sched_setscheduler(0, 77, &p), EINVAL);
  CHECK_ERR(sched_getscheduler(0x3ffffff), ESRCH);
  CHECK_ERR(sched_getscheduler(-1), EINVAL);
  CHECK_EQ(sched_get_priority_max(SCHED_FIFO), 99);
  CHECK_EQ(sched_get_priority_min(SCHED_FIFO), 1);
  CHECK_EQ(sched_get_priority_max(SCHED_OTHER), 0);
  CHECK_ERR(sched_get_priority_max(77), EINVAL);
  struct timespec t;
  OK(sched_rr_get_interval(0, &t));
}

SUBTEST_FORK(nice_values) {
  CHECK_EQ(getpriority(PRIO_PROCESS, 0), 0);
  OK(setpriority(PRIO_PROCESS, 0, 5));
  CHECK_EQ(getpriority(PRIO_PROCESS, 0), 5);
  CHECK_EQ(syscall(SYS_getpriority, PRIO_PROCESS, 0), 15);
  errno = 0;
  CHECK_EQ(nice(3), 8);
  CHILD { CHECK_EQ(getpriority(PRIO_PROCESS, 0), 8); }
  OK(setpriority(PRIO_PROCESS, 0, 100));
  CHECK_EQ(getpriority(PRIO_PROCESS, 0), 19);
  CHECK_ERR(getpriority(9, 0), EINVAL);
  CHECK_ERR(getpriority(PRIO_PROCESS, 0x3ffffff), ESRCH);
}

SUBTEST_FORK(yielding) {
  for (int i = 0; i < 1000; i++) OK(sched_yield());
}

SUBTEST_FORK(current_cpu) {
  unsigned cpu = 999, node = 999;
  OK(syscall(SYS_getcpu, &cpu, &node, NULL));
  CHECK((int)cpu < sysconf(_SC_NPROCESSORS_CONF));
  CHECK_EQ(node, 0);
  OK(getcpu(&cpu, &node));
  CHECK((int)cpu < sysconf(_SC_NPROCESSORS_CONF));
}

struct attr {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
  uint32_t util_min, util_max;
};

SUBTEST_FORK(attributes) {
  struct attr a = {0};
  OK(syscall(SYS_sched_getattr, 0, &a, sizeof a, 0));
  CHECK_EQ(a.policy, SCHED_OTHER);
  CHECK_EQ(a.nice, 0);
  CHECK(a.size >= 48);
  CHECK_ERR(syscall(SYS_sched_getattr, 0, &a, 8, 0), EINVAL);
  CHECK_ERR(syscall(SYS_sched_getattr, 0, &a, sizeof a, 1), EINVAL);
}
