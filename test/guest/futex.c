// futex(2), futex_waitv(2), set_robust_list(2), without a library in between.
#include "check.h"
#include <linux/futex.h>
#include <pthread.h>
#include <stddef.h>

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

static long futex(void *word, int op, uint32_t value, const void *time, void *word2, uint32_t value3) {
  return syscall(SYS_futex, word, op, value, time, word2, value3);
}

static uint32_t *shared_words(void) {
  return OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}

static struct timespec in_ms(clockid_t clock, long ms) {
  struct timespec t;
  clock_gettime(clock, &t);
  t.tv_nsec += ms * 1000000;
  t.tv_sec += t.tv_nsec / 1000000000;
  t.tv_nsec %= 1000000000;
  return t;
}

SUBTEST_FORK(values_and_arguments) {
  uint32_t word = 1;
  CHECK_ERR(futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0), EAGAIN);
  CHECK_EQ(OK(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0)), 0);
  CHECK_ERR(futex((char *)&word + 1, FUTEX_WAIT, 1, NULL, NULL, 0), EINVAL);
  CHECK_ERR(futex((char *)&word + 1, FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
  CHECK_ERR(futex((void *)8, FUTEX_WAIT, 1, NULL, NULL, 0), EFAULT);
  CHECK_ERR(futex(&word, FUTEX_WAIT, 1, (void *)8, NULL, 0), EFAULT);
  CHECK_ERR(futex(&word, 99, 1, NULL, NULL, 0), ENOSYS);
  struct timespec bad = {0, 1000000000}, negative = {-1, 0};
  CHECK_ERR(futex(&word, FUTEX_WAIT, 1, &bad, NULL, 0), EINVAL);
  CHECK_ERR(futex(&word, FUTEX_WAIT, 1, &negative, NULL, 0), EINVAL);
  CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET, 1, NULL, NULL, 0), EINVAL);
  CHECK_ERR(futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0), EINVAL);
}

SUBTEST_FORK(timeouts) {
  uint32_t word = 1;
  struct timespec t = {0, 30000000}, zero = {0, 0};
  long start = now_ms();
  CHECK_ERR(futex(&word, FUTEX_WAIT, 1, &t, NULL, 0), ETIMEDOUT);
  CHECK(now_ms() - start >= 29);
  CHECK_ERR(futex(&word, FUTEX_WAIT_PRIVATE, 1, &zero, NULL, 0), ETIMEDOUT);
  // FUTEX_WAIT_BITSET takes an absolute time.
  start = now_ms();
  struct timespec mono = in_ms(CLOCK_MONOTONIC, 30), real = in_ms(CLOCK_REALTIME, 60);
  CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET, 1, &mono, NULL, ~0u), ETIMEDOUT);
  CHECK(now_ms() - start >= 29);
  CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 1, &real, NULL, ~0u), ETIMEDOUT);
  CHECK(now_ms() - start >= 58 && now_ms() - start < 3000);
  CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET, 1, &mono, NULL, ~0u), ETIMEDOUT);
}

// Children that wait and exit with 0 when woken.
static pid_t waiter(uint32_t *word, uint32_t value, uint32_t bits) {
  pid_t pid = SPAWN({
    if (futex(word, FUTEX_WAIT_BITSET, value, NULL, NULL, bits) != 0) _exit(1);
  });
  wait_blocked(pid);
  return pid;
}

SUBTEST_FORK(wake_count) {
  uint32_t *word = shared_words();
  pid_t pids[4];
  for (int i = 0; i < 4; i++) pids[i] = waiter(word, 0, ~0u);
  CHECK_EQ(OK(futex(word, FUTEX_WAKE, 1, NULL, NULL, 0)), 1);
  CHECK_EQ(OK(futex(word, FUTEX_WAKE, 2, NULL, NULL, 0)), 2);
  CHECK_EQ(OK(futex(word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0)), 1);
  CHECK_EQ(OK(futex(word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0)), 0);
  for (int i = 0; i < 4; i++) CHILD_DONE(pids[i]);
}

SUBTEST_FORK(wake_order) {
  // First come, first woken.
  uint32_t *word = shared_words();
  pid_t pids[3];
  for (int i = 0; i < 3; i++) pids[i] = waiter(word, 0, ~0u);
  for (int i = 0; i < 3; i++) {
    CHECK_EQ(OK(futex(word, FUTEX_WAKE, 1, NULL, NULL, 0)), 1);
    int status;
    CHECK_EQ(OK(wait(&status)), pids[i]);
    CHECK_EQ(status, 0);
  }
}

SUBTEST_FORK(bitsets) {
  uint32_t *word = shared_words();
  pid_t a = waiter(word, 0, 1), b = waiter(word, 0, 2);
  CHECK_EQ(OK(futex(word, FUTEX_WAKE_BITSET, 9, NULL, NULL, 4)), 0);
  CHECK_EQ(OK(futex(word, FUTEX_WAKE_BITSET, 9, NULL, NULL, 2)), 1);
  CHILD_DONE(b);
  CHECK_EQ(OK(futex(word, FUTEX_WAKE_BITSET, 9, NULL, NULL, 3)), 1);
  CHILD_DONE(a);
}

SUBTEST_FORK(requeue) {
  uint32_t *word = shared_words();
  pid_t pids[4];
  for (int i = 0; i < 4; i++) pids[i] = waiter(word, 0, ~0u);
  CHECK_ERR(futex(word, FUTEX_CMP_REQUEUE, 1, (void *)9, word + 1, 5), EAGAIN);
  // Wakes one, moves up to two; FUTEX_CMP_REQUEUE counts both.
  CHECK_EQ(OK(futex(word, FUTEX_CMP_REQUEUE, 1, (void *)2, word + 1, 0)), 3);
  CHECK_EQ(OK(futex(word + 1, FUTEX_WAKE, 9, NULL, NULL, 0)), 2);
  CHECK_EQ(OK(futex(word, FUTEX_REQUEUE, 0, (void *)9, word + 1, 0)), 1);
  CHECK_EQ(OK(futex(word, FUTEX_WAKE, 9, NULL, NULL, 0)), 0);
  CHECK_EQ(OK(futex(word + 1, FUTEX_WAKE, 9, NULL, NULL, 0)), 1);
  for (int i = 0; i < 4; i++) CHILD_DONE(pids[i]);
}

SUBTEST_FORK(wake_op) {
  uint32_t *word = shared_words();
  pid_t a = waiter(word, 0, ~0u), b = waiter(word + 1, 0, ~0u);
  // word2 += 5; the second wake happens when its old value was 0.
  CHECK_EQ(OK(futex(word, FUTEX_WAKE_OP, 1, (void *)1, word + 1,
                    FUTEX_OP(FUTEX_OP_ADD, 5, FUTEX_OP_CMP_EQ, 0))), 2);
  CHECK_EQ(word[1], 5);
  CHILD_DONE(a);
  CHILD_DONE(b);
  a = waiter(word, 0, ~0u);
  b = waiter(word + 1, 5, ~0u);
  CHECK_EQ(OK(futex(word, FUTEX_WAKE_OP, 1, (void *)1, word + 1,
                    FUTEX_OP(FUTEX_OP_SET, 7, FUTEX_OP_CMP_GT, 100))), 1);
  CHECK_EQ(word[1], 7);
  CHILD_DONE(a);
  futex(word, FUTEX_WAKE_OP, 0, (void *)0, word + 1, FUTEX_OP(FUTEX_OP_OR, 8, FUTEX_OP_CMP_EQ, 0));
  CHECK_EQ(word[1], 15);
  futex(word, FUTEX_WAKE_OP, 0, (void *)0, word + 1, FUTEX_OP(FUTEX_OP_ANDN, 3, FUTEX_OP_CMP_EQ, 0));
  CHECK_EQ(word[1], 12);
  futex(word, FUTEX_WAKE_OP, 0, (void *)0, word + 1, FUTEX_OP(FUTEX_OP_XOR, 6, FUTEX_OP_CMP_EQ, 0));
  CHECK_EQ(word[1], 10);
  futex(word, FUTEX_WAKE_OP, 0, (void *)0, word + 1,
        FUTEX_OP((FUTEX_OP_SET | FUTEX_OP_OPARG_SHIFT), 4, FUTEX_OP_CMP_EQ, 0));
  CHECK_EQ(word[1], 16);
  CHECK_EQ(OK(futex(word + 1, FUTEX_WAKE, 9, NULL, NULL, 0)), 1);
  CHILD_DONE(b);
}

SUBTEST_FORK(private_and_shared_are_apart) {
  uint32_t *word = shared_words();
  pid_t pid = waiter(word, 0, ~0u);
  CHECK_EQ(OK(futex(word, FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0)), 0);
  CHECK_EQ(OK(futex(word, FUTEX_WAKE, 9, NULL, NULL, 0)), 1);
  CHILD_DONE(pid);
}

SUBTEST_FORK(shared_through_two_mappings) {
  int fd = OK(open("file", O_RDWR | O_CREAT, 0644));
  OK(ftruncate(fd, PAGE));
  uint32_t *a = OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  uint32_t *b = OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  pid_t pid = waiter(a + 5, 0, ~0u);
  CHECK_EQ(OK(futex(b + 5, FUTEX_WAKE, 9, NULL, NULL, 0)), 1);
  CHILD_DONE(pid);
}

SUBTEST_FORK(private_memory_of_two_processes_is_apart) {
  static uint32_t word;
  pid_t pid = waiter(&word, 0, ~0u);
  CHECK_EQ(OK(futex(&word, FUTEX_WAKE, 9, NULL, NULL, 0)), 0);
  OK(kill(pid, SIGKILL));
  child_result(pid);
}

SUBTEST_FORK(killed_waiter_leaves_the_queue) {
  uint32_t *word = shared_words();
  pid_t a = waiter(word, 0, ~0u), b = waiter(word, 0, ~0u);
  OK(kill(a, SIGKILL));
  child_result(a);
  CHECK_EQ(OK(futex(word, FUTEX_WAKE, 9, NULL, NULL, 0)), 1);
  CHILD_DONE(b);
}

static uint32_t ping, pong;
static void *echo(void *arg) {
  (void)arg;
  for (uint32_t i = 0; i < 2000; i++) {
    while (__atomic_load_n(&ping, __ATOMIC_SEQ_CST) <= i) futex(&ping, FUTEX_WAIT_PRIVATE, i, NULL, NULL, 0);
    __atomic_store_n(&pong, i + 1, __ATOMIC_SEQ_CST);
    futex(&pong, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
  }
  return NULL;
}

SUBTEST_FORK(ping_pong) {
  pthread_t t;
  OK0(pthread_create(&t, NULL, echo, NULL));
  for (uint32_t i = 0; i < 2000; i++) {
    __atomic_store_n(&ping, i + 1, __ATOMIC_SEQ_CST);
    futex(&ping, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    while (__atomic_load_n(&pong, __ATOMIC_SEQ_CST) <= i) futex(&pong, FUTEX_WAIT_PRIVATE, i, NULL, NULL, 0);
  }
  OK0(pthread_join(t, NULL));
  CHECK_EQ(pong, 2000);
}

SUBTEST_FORK(priority_inheritance) {
  uint32_t *word = shared_words();
  OK(futex(word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
  CHECK_EQ(*word, gettid());
  CHECK_ERR(futex(word, FUTEX_LOCK_PI, 0, NULL, NULL, 0), EDEADLK);
  CHILD {
    CHECK_ERR(futex(word, FUTEX_TRYLOCK_PI, 0, NULL, NULL, 0), EAGAIN);
    CHECK_ERR(futex(word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0), EPERM);
    struct timespec t = in_ms(CLOCK_REALTIME, 30);
    CHECK_ERR(futex(word, FUTEX_LOCK_PI, 0, &t, NULL, 0), ETIMEDOUT);
  }
  pid_t pid = SPAWN({
    OK(futex(word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
    CHECK_EQ(*word & FUTEX_TID_MASK, gettid());
    OK(futex(word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
  });
  wait_blocked(pid);
  CHECK_EQ(*word, gettid() | FUTEX_WAITERS);
  OK(futex(word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
  CHILD_DONE(pid);
  CHECK_EQ(*word & FUTEX_TID_MASK, 0);
  *word = 0x3ffffff;
  CHECK_ERR(futex(word, FUTEX_LOCK_PI, 0, NULL, NULL, 0), ESRCH);
}

struct robust {
  struct robust_list list;
  uint32_t word;
};

SUBTEST_FORK(robust_list) {
  struct robust_list_head *head;
  size_t size;
  OK(syscall(SYS_get_robust_list, 0, &head, &size));
  CHECK_EQ(size, sizeof *head);
  CHECK_ERR(syscall(SYS_set_robust_list, head, size - 1), EINVAL);
  CHECK_ERR(syscall(SYS_get_robust_list, 0x3ffffff, &head, &size), ESRCH);
  struct shared {
    struct robust_list_head head;
    struct robust held[3];
  } *s = (void *)shared_words();
  pid_t pid = SPAWN({
    s->head.futex_offset = offsetof(struct robust, word) - offsetof(struct robust, list);
    s->head.list.next = &s->held[0].list;
    s->held[0].list.next = &s->held[1].list;
    s->held[1].list.next = &s->head.list;
    s->head.list_op_pending = &s->held[2].list;
    s->held[0].word = gettid();
    s->held[1].word = 12345678;
    s->held[2].word = gettid() | FUTEX_WAITERS;
    syscall(SYS_set_robust_list, &s->head, sizeof s->head);
  });
  CHILD_DONE(pid);
  CHECK_EQ(s->held[0].word & (FUTEX_OWNER_DIED | FUTEX_TID_MASK), FUTEX_OWNER_DIED);
  CHECK_EQ(s->held[1].word, 12345678);
  CHECK_EQ(s->held[2].word & (FUTEX_OWNER_DIED | FUTEX_TID_MASK), FUTEX_OWNER_DIED);
}

SUBTEST_FORK(child_clear_tid) {
  uint32_t *word = shared_words();
  *word = 77;
  pid_t pid = SPAWN({
    CHECK_EQ(OK(syscall(SYS_set_tid_address, word)), gettid());
  });
  // The kernel clears the word, and wakes who waits there, only when the memory has other users.
  CHILD_DONE(pid);
  CHECK_EQ(*word, 77);
}

struct waitv {
  uint64_t value, address;
  uint32_t flags, reserved;
};

SUBTEST_FORK(wait_for_many) {
  uint32_t *word = shared_words();
  struct waitv list[3] = {{0, (uint64_t)word, 2, 0}, {0, (uint64_t)(word + 1), 2, 0}, {0, (uint64_t)(word + 2), 2, 0}};
  struct timespec t = in_ms(CLOCK_MONOTONIC, 20);
  long r = syscall(SYS_futex_waitv, list, 3, 0, &t, CLOCK_MONOTONIC);
  if (r < 0 && errno == ENOSYS) SKIP("no futex_waitv");
  CHECK(r == -1 && errno == ETIMEDOUT);
  word[1] = 5;
  CHECK_ERR(syscall(SYS_futex_waitv, list, 3, 0, NULL, CLOCK_MONOTONIC), EAGAIN);
  word[1] = 0;
  CHECK_ERR(syscall(SYS_futex_waitv, list, 0, 0, NULL, CLOCK_MONOTONIC), EINVAL);
  CHECK_ERR(syscall(SYS_futex_waitv, list, 129, 0, NULL, CLOCK_MONOTONIC), EINVAL);
  CHECK_ERR(syscall(SYS_futex_waitv, list, 3, 1, NULL, CLOCK_MONOTONIC), EINVAL);
  list[2].reserved = 1;
  CHECK_ERR(syscall(SYS_futex_waitv, list, 3, 0, NULL, CLOCK_MONOTONIC), EINVAL);
  list[2].reserved = 0;
  pid_t pid = SPAWN({ CHECK_EQ(OK(syscall(SYS_futex_waitv, list, 3, 0, NULL, CLOCK_MONOTONIC)), 1); });
  wait_blocked(pid);
  CHECK_EQ(OK(futex(word + 1, FUTEX_WAKE, 1, NULL, NULL, 0)), 1);
  CHILD_DONE(pid);
}

// What an old pthread_cond_t with a priority-inheritance mutex does: waiters of a word are handed over to a lock.
struct pi_condition {
  unsigned word, lock, order;
  pid_t tid[3];
  unsigned got[3];
};
static struct pi_condition *pi;

static void pi_waiter(int i) {
  pi->tid[i] = syscall(SYS_gettid);
  OK(futex(&pi->word, FUTEX_WAIT_REQUEUE_PI, 0, NULL, &pi->lock, 0));
  CHECK_EQ(pi->lock & FUTEX_TID_MASK, syscall(SYS_gettid));
  pi->got[i] = ++pi->order;
  OK(futex(&pi->lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
}

SUBTEST_FORK(requeue_to_lock) {
  pi = OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  unsigned *word = &pi->word, *lock = &pi->lock;
  // Bad ones.
  CHECK_ERR(futex(word, FUTEX_WAIT_REQUEUE_PI, 7, NULL, lock, 0), EAGAIN);
  CHECK_ERR(futex(word, FUTEX_WAIT_REQUEUE_PI, 0, NULL, word, 0), EINVAL);
  CHECK_ERR(futex(word, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, word, 0), EINVAL);
  CHECK_ERR(futex(word, FUTEX_CMP_REQUEUE_PI, 2, (void *)1, lock, 0), EINVAL);
  CHECK_ERR(futex(word, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, lock, 7), EAGAIN);
  CHECK_EQ(futex(word, FUTEX_CMP_REQUEUE_PI, 1, (void *)1, lock, 0), 0);
  struct timespec past = {1, 0};
  CHECK_ERR(futex(word, FUTEX_WAIT_REQUEUE_PI, 0, &past, lock, 0), ETIMEDOUT);

  // Three waiters, the lock is held here: all are moved, and get it in turn.
  pid_t pid[3];
  for (int i = 0; i < 3; i++) {
    pid[i] = SPAWN(pi_waiter(i));
    wait_blocked(pid[i]);
  }
  CHECK_ERR(futex(word, FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
  OK(futex(lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
  CHECK_EQ(futex(word, FUTEX_CMP_REQUEUE_PI, 1, (void *)100, lock, 0), 3);
  CHECK(*lock & FUTEX_WAITERS);
  CHECK_EQ(pi->order, 0);
  OK(futex(lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
  for (int i = 0; i < 3; i++) CHILD_DONE(pid[i]);
  for (int i = 0; i < 3; i++) CHECK_EQ(pi->got[i], i + 1);
  CHECK_EQ(*lock, 0);

  // A free lock goes to the first at once; the others wait for it.
  pi->order = 0;
  for (int i = 0; i < 2; i++) {
    pid[i] = SPAWN(pi_waiter(i));
    wait_blocked(pid[i]);
  }
  CHECK_EQ(futex(word, FUTEX_CMP_REQUEUE_PI, 1, (void *)0, lock, 0), 1);
  CHILD_DONE(pid[0]);
  CHECK_EQ(futex(word, FUTEX_CMP_REQUEUE_PI, 1, (void *)0, lock, 0), 1);
  CHILD_DONE(pid[1]);
  CHECK_EQ(*lock, 0);

  // A waiter that was moved and whose time is over.
  OK(futex(lock, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
  pid[0] = SPAWN({
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec++;
    CHECK_ERR(futex(word, FUTEX_WAIT_REQUEUE_PI, 0, &at, lock, 0), ETIMEDOUT);
  });
  wait_blocked(pid[0]);
  CHECK_EQ(futex(word, FUTEX_CMP_REQUEUE_PI, 1, (void *)0, lock, 0), 1);
  CHILD_DONE(pid[0]);
  OK(futex(lock, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
}
