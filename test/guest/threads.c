// pthreads(7) over clone(2) and futex(2): glibc's own use of the kernel.
#include "check.h"
#include <pthread.h>
#include <semaphore.h>

static void *twice(void *arg) { return (void *)((long)arg * 2); }

SUBTEST_FORK(create_and_join) {
  pthread_t t;
  void *result;
  for (long i = 0; i < 100; i++) {
    OK0(pthread_create(&t, NULL, twice, (void *)i));
    OK0(pthread_join(t, &result));
    CHECK_EQ((long)result, i * 2);
  }
}

SUBTEST_FORK(sixty_four_threads) {
  pthread_t t[64];
  void *result;
  for (long i = 0; i < 64; i++) OK0(pthread_create(&t[i], NULL, twice, (void *)i));
  for (long i = 0; i < 64; i++) {
    OK0(pthread_join(t[i], &result));
    CHECK_EQ((long)result, i * 2);
  }
}

static pid_t main_pid;
static void *check_ids(void *arg) {
  (void)arg;
  bool good = getpid() == main_pid && gettid() != main_pid && getppid() != main_pid;
  return (void *)(long)good;
}

SUBTEST_FORK(ids) {
  main_pid = getpid();
  pthread_t t;
  void *good;
  OK0(pthread_create(&t, NULL, check_ids, NULL));
  OK0(pthread_join(t, &good));
  CHECK((long)good);
}

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static long counter;
static void *count_up(void *arg) {
  (void)arg;
  for (int i = 0; i < 20000; i++) {
    pthread_mutex_lock(&mutex);
    counter++;
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

SUBTEST_FORK(mutex_excludes) {
  pthread_t t[8];
  for (int i = 0; i < 8; i++) OK0(pthread_create(&t[i], NULL, count_up, NULL));
  for (int i = 0; i < 8; i++) OK0(pthread_join(t[i], NULL));
  CHECK_EQ(counter, 160000);
}

static long atomic_counter;
static void *count_atomically(void *arg) {
  (void)arg;
  for (int i = 0; i < 100000; i++) __atomic_add_fetch(&atomic_counter, 1, __ATOMIC_SEQ_CST);
  return NULL;
}

SUBTEST_FORK(atomics) {
  pthread_t t[4];
  for (int i = 0; i < 4; i++) OK0(pthread_create(&t[i], NULL, count_atomically, NULL));
  for (int i = 0; i < 4; i++) OK0(pthread_join(t[i], NULL));
  CHECK_EQ(atomic_counter, 400000);
}

static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int turn;
static void *odd_turns(void *arg) {
  (void)arg;
  for (int i = 0; i < 1000; i++) {
    pthread_mutex_lock(&mutex);
    while (turn % 2 == 0) pthread_cond_wait(&cond, &mutex);
    turn++;
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

SUBTEST_FORK(condition_ping_pong) {
  pthread_t t;
  OK0(pthread_create(&t, NULL, odd_turns, NULL));
  for (int i = 0; i < 1000; i++) {
    pthread_mutex_lock(&mutex);
    while (turn % 2 == 1) pthread_cond_wait(&cond, &mutex);
    turn++;
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&mutex);
  }
  OK0(pthread_join(t, NULL));
  CHECK_EQ(turn, 2000);
}

static int released, waiting;
static void *wait_for_broadcast(void *arg) {
  (void)arg;
  pthread_mutex_lock(&mutex);
  waiting++;
  while (!released) pthread_cond_wait(&cond, &mutex);
  pthread_mutex_unlock(&mutex);
  return NULL;
}

SUBTEST_FORK(condition_broadcast) {
  pthread_t t[16];
  for (int i = 0; i < 16; i++) OK0(pthread_create(&t[i], NULL, wait_for_broadcast, NULL));
  for (int all = 0; !all;) {
    pthread_mutex_lock(&mutex);
    all = waiting == 16;
    pthread_mutex_unlock(&mutex);
    sleep_ms(1);
  }
  pthread_mutex_lock(&mutex);
  released = 1;
  pthread_cond_broadcast(&cond);
  pthread_mutex_unlock(&mutex);
  for (int i = 0; i < 16; i++) OK0(pthread_join(t[i], NULL));
}

SUBTEST_FORK(timed_waits) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_nsec += 30000000;
  if (t.tv_nsec >= 1000000000) t.tv_sec++, t.tv_nsec -= 1000000000;
  pthread_mutex_lock(&mutex);
  CHECK_EQ(pthread_cond_timedwait(&cond, &mutex, &t), ETIMEDOUT);
  CHECK_EQ(pthread_mutex_timedlock(&mutex, &t), ETIMEDOUT);
  pthread_mutex_unlock(&mutex);
  sem_t sem;
  OK(sem_init(&sem, 0, 0));
  CHECK_ERR(sem_timedwait(&sem, &t), ETIMEDOUT);
  OK(sem_post(&sem));
  OK(sem_timedwait(&sem, &t));
}

static pthread_barrier_t barrier;
static int phase[8];
static void *in_phases(void *arg) {
  long me = (long)arg;
  for (int p = 1; p <= 50; p++) {
    phase[me] = p;
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 8; i++)
      if (phase[i] != p) return (void *)1;
    pthread_barrier_wait(&barrier);
  }
  return NULL;
}

SUBTEST_FORK(barriers) {
  pthread_t t[8];
  void *bad;
  OK0(pthread_barrier_init(&barrier, NULL, 8));
  for (long i = 0; i < 8; i++) OK0(pthread_create(&t[i], NULL, in_phases, (void *)i));
  for (int i = 0; i < 8; i++) {
    OK0(pthread_join(t[i], &bad));
    CHECK(bad == NULL);
  }
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static volatile long first_half, second_half;
static void *reader(void *arg) {
  (void)arg;
  for (int i = 0; i < 2000; i++) {
    pthread_rwlock_rdlock(&rwlock);
    if (first_half != second_half) return (void *)1;
    pthread_rwlock_unlock(&rwlock);
  }
  return NULL;
}
static void *writer(void *arg) {
  (void)arg;
  for (int i = 0; i < 2000; i++) {
    pthread_rwlock_wrlock(&rwlock);
    first_half++;
    second_half++;
    pthread_rwlock_unlock(&rwlock);
  }
  return NULL;
}

SUBTEST_FORK(rwlocks) {
  pthread_t t[6];
  void *bad;
  for (int i = 0; i < 6; i++) OK0(pthread_create(&t[i], NULL, i < 2 ? writer : reader, NULL));
  for (int i = 0; i < 6; i++) {
    OK0(pthread_join(t[i], &bad));
    CHECK(bad == NULL);
  }
  CHECK_EQ(first_half, 4000);
}

static __thread int own = 5;
static __thread char big_own[10000];
static void *use_tls(void *arg) {
  if (own != 5 || errno != 0) return (void *)1;
  own = (long)arg;
  memset(big_own, own, sizeof big_own);
  sched_yield();
  errno = own;
  for (int i = 0; i < 100; i++) {
    sched_yield();
    if (own != (long)arg || big_own[5000] != (char)own || errno != own) return (void *)1;
  }
  return NULL;
}

SUBTEST_FORK(thread_local_storage) {
  pthread_t t[10];
  void *bad;
  for (long i = 0; i < 10; i++) OK0(pthread_create(&t[i], NULL, use_tls, (void *)(i + 10)));
  for (int i = 0; i < 10; i++) {
    OK0(pthread_join(t[i], &bad));
    CHECK(bad == NULL);
  }
  CHECK_EQ(own, 5);
}

static void *sleep_forever(void *arg) {
  (void)arg;
  for (;;) pause();
  return NULL;
}

SUBTEST_FORK(exit_ends_every_thread) {
  CHECK_EQ(child_result(SPAWN({
             pthread_t t;
             for (int i = 0; i < 5; i++) pthread_create(&t, NULL, sleep_forever, NULL);
             _exit(12);
           })),
           12);
  // A signal that kills one thread kills all.
  CHECK_EQ(child_result(SPAWN({
             pthread_t t;
             for (int i = 0; i < 5; i++) pthread_create(&t, NULL, sleep_forever, NULL);
             pthread_kill(t, SIGTERM);
             for (;;) pause();
           })),
           256 + SIGTERM);
}

static void *exit_from_thread(void *arg) {
  (void)arg;
  sleep_ms(20);
  _exit(13);
}

SUBTEST_FORK(exit_from_another_thread) {
  CHECK_EQ(child_result(SPAWN({
             pthread_t t;
             pthread_create(&t, NULL, exit_from_thread, NULL);
             for (;;) pause();
           })),
           13);
  // The first thread may leave before the others: the process lives on.
  CHECK_EQ(child_result(SPAWN({
             pthread_t t;
             pthread_create(&t, NULL, exit_from_thread, NULL);
             pthread_exit(NULL);
           })),
           13);
}

static void *exec_sh(void *arg) {
  (void)arg;
  execl("/bin/sh", "sh", "-c", "exit 14", NULL);
  _exit(99);
}

SUBTEST_FORK(exec_with_threads) {
  CHECK_EQ(child_result(SPAWN({
             pthread_t t;
             for (int i = 0; i < 4; i++) pthread_create(&t, NULL, sleep_forever, NULL);
             pthread_create(&t, NULL, exec_sh, NULL);
             for (;;) pause();
           })),
           14);
}

SUBTEST_FORK(fork_takes_one_thread) {
  pthread_t t;
  OK0(pthread_create(&t, NULL, sleep_forever, NULL));
  CHILD {
    char *status = get_file("/proc/self/status"), *line = strstr(status, "\nThreads:");
    CHECK(line != NULL && atoi(line + 9) == 1);
    void *result;
    OK0(pthread_create(&t, NULL, twice, (void *)4));
    OK0(pthread_join(t, &result));
    CHECK_EQ((long)result, 8);
  }
}

static pthread_mutex_t robust;
static void *die_holding(void *arg) {
  (void)arg;
  pthread_mutex_lock(&robust);
  return NULL;
}

SUBTEST_FORK(robust_mutex) {
  pthread_mutexattr_t attr;
  pthread_t t;
  OK0(pthread_mutexattr_init(&attr));
  OK0(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST));
  OK0(pthread_mutex_init(&robust, &attr));
  OK0(pthread_create(&t, NULL, die_holding, NULL));
  OK0(pthread_join(t, NULL));
  CHECK_EQ(pthread_mutex_lock(&robust), EOWNERDEAD);
  OK0(pthread_mutex_consistent(&robust));
  OK0(pthread_mutex_unlock(&robust));
  OK0(pthread_mutex_lock(&robust));
  OK0(pthread_mutex_unlock(&robust));
}

SUBTEST_FORK(robust_mutex_of_a_killed_process) {
  pthread_mutex_t *m = OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  pthread_mutexattr_t attr;
  OK0(pthread_mutexattr_init(&attr));
  OK0(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST));
  OK0(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED));
  OK0(pthread_mutex_init(m, &attr));
  struct gate held = gate_make();
  pid_t pid = SPAWN({
    pthread_mutex_lock(m);
    gate_signal(held);
    for (;;) pause();
  });
  gate_wait(held);
  pid_t killer = SPAWN({
    wait_blocked(getppid());
    kill(pid, SIGKILL);
  });
  CHECK_EQ(pthread_mutex_lock(m), EOWNERDEAD);
  CHECK_EQ(child_result(pid), 256 + SIGKILL);
  CHILD_DONE(killer);
}

static pthread_mutex_t pi;
static volatile int inside;
static void *use_pi(void *arg) {
  for (int i = 0; i < 500; i++) {
    if (pthread_mutex_lock(&pi) != 0) return (void *)1;
    if (inside++ != 0) return (void *)2;
    if (i % 50 == 0) sched_yield();
    inside--;
    if (pthread_mutex_unlock(&pi) != 0) return (void *)3;
  }
  return NULL;
}

SUBTEST_FORK(pi_mutex) {
  pthread_mutexattr_t attr;
  pthread_t t[4];
  void *bad;
  OK0(pthread_mutexattr_init(&attr));
  OK0(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT));
  OK0(pthread_mutex_init(&pi, &attr));
  for (int i = 0; i < 4; i++) OK0(pthread_create(&t[i], NULL, use_pi, NULL));
  for (int i = 0; i < 4; i++) {
    OK0(pthread_join(t[i], &bad));
    CHECK_EQ((long)bad, 0);
  }
}

SUBTEST_FORK(mutex_across_processes) {
  struct shared {
    pthread_mutex_t m;
    pthread_cond_t c;
    int value, ready;
  } *s = OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  pthread_mutexattr_t ma;
  pthread_condattr_t ca;
  pthread_mutexattr_init(&ma);
  pthread_condattr_init(&ca);
  OK0(pthread_mutexattr_setpshared(&ma, PTHREAD_PROCESS_SHARED));
  OK0(pthread_condattr_setpshared(&ca, PTHREAD_PROCESS_SHARED));
  OK0(pthread_mutex_init(&s->m, &ma));
  OK0(pthread_cond_init(&s->c, &ca));
  pid_t pids[4];
  for (int k = 0; k < 4; k++)
    pids[k] = SPAWN({
      pthread_mutex_lock(&s->m);
      while (!s->ready) pthread_cond_wait(&s->c, &s->m);
      pthread_mutex_unlock(&s->m);
      for (int i = 0; i < 5000; i++) {
        pthread_mutex_lock(&s->m);
        s->value++;
        pthread_mutex_unlock(&s->m);
      }
    });
  pthread_mutex_lock(&s->m);
  s->ready = 1;
  pthread_cond_broadcast(&s->c);
  pthread_mutex_unlock(&s->m);
  for (int k = 0; k < 4; k++) CHILD_DONE(pids[k]);
  CHECK_EQ(s->value, 20000);
}

static void cancelled(void *arg) { *(int *)arg = 1; }
static int cleaned;
static void *cancel_me(void *arg) {
  int fd = *(int *)arg;
  char c;
  pthread_cleanup_push(cancelled, &cleaned);
  if (read(fd, &c, 1) == 0) return NULL;
  pthread_cleanup_pop(0);
  return NULL;
}

SUBTEST_FORK(cancellation) {
  int p[2];
  void *result;
  pthread_t t;
  OK(pipe(p));
  OK0(pthread_create(&t, NULL, cancel_me, &p[0]));
  sleep_ms(20);
  OK0(pthread_cancel(t));
  OK0(pthread_join(t, &result));
  CHECK(result == PTHREAD_CANCELED);
  CHECK_EQ(cleaned, 1);
}

static void *churn(void *arg) {
  (void)arg;
  for (int i = 0; i < 200; i++) {
    char *p = malloc(1000 + i * 997);
    memset(p, i, 1000 + i * 997);
    if (p[i * 997] != (char)i) return (void *)1;
    free(p);
    void *m = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (m == MAP_FAILED) return (void *)2;
    memset(m, i, 8 * PAGE);
    munmap(m, 8 * PAGE);
  }
  return NULL;
}

SUBTEST_FORK(memory_churn_in_threads) {
  pthread_t t[8];
  void *bad;
  for (int i = 0; i < 8; i++) OK0(pthread_create(&t[i], NULL, churn, NULL));
  for (int i = 0; i < 8; i++) {
    OK0(pthread_join(t[i], &bad));
    CHECK(bad == NULL);
  }
}

static volatile int go_on = 1;
static void *spin(void *arg) {
  (void)arg;
  while (go_on) {
  }
  return NULL;
}

SUBTEST_FORK(spinning_threads_do_not_starve_others) {
  // More busy threads than processors: another still gets its turns.
  pthread_t t[6];
  for (int i = 0; i < 6; i++) OK0(pthread_create(&t[i], NULL, spin, NULL));
  for (int i = 0; i < 5; i++) sleep_ms(5);
  go_on = 0;
  for (int i = 0; i < 6; i++) OK0(pthread_join(t[i], NULL));
}

SUBTEST_FORK(fork_from_many_threads) {
  for (int i = 0; i < 10; i++) {
    pthread_t t;
    OK0(pthread_create(&t, NULL, spin, NULL));
    CHILD { getpid(); }
    go_on = 0;
    OK0(pthread_join(t, NULL));
    go_on = 1;
  }
}
