// More threads than cpus, which all want to run, sleep, are woken and get signals: none is forgotten, none comes twice.
#include "check.h"
#include <pthread.h>
#include <semaphore.h>

#define THREADS 40
#define KINDS 3
#define OF_KIND(kind) ((THREADS + KINDS - 1 - (kind)) / KINDS)

static volatile bool stop;
static volatile unsigned long sink;
static pid_t parent;

static void compute(int steps) {
  for (int i = 0; i < steps; i++) sink += i;
}

// Calls of each thread that computes in between; it ends after `stop`, and no sooner than these.
#define CALLS 50
static void *compute_and_call(void *arg) {
  long *calls = arg;
  while (!stop || *calls < CALLS) {
    compute(20000);
    CHECK_EQ(syscall(SYS_getppid), parent);
    ++*calls;
  }
  return NULL;
}

// A token goes round: each thread waits for its own turn on its own condition variable.
#define LAPS 20
struct ring {
  pthread_mutex_t mutex;
  pthread_cond_t turn[OF_KIND(1)];
  int at;
  long passes;
};
static struct ring ring;
static void *pass_token(void *arg) {
  int me = (long)arg, next = (me + 1) % OF_KIND(1);
  for (int lap = 0; lap < LAPS; lap++) {
    pthread_mutex_lock(&ring.mutex);
    while (ring.at != me) pthread_cond_wait(&ring.turn[me], &ring.mutex);
    CHECK_EQ(ring.passes, (long)lap * OF_KIND(1) + me);
    ring.passes++;
    ring.at = next;
    pthread_cond_signal(&ring.turn[next]);
    pthread_mutex_unlock(&ring.mutex);
  }
  return NULL;
}

// Each reads numbers from its own pipe until the end of it, and gives their sum.
#define MESSAGES 20
static int pipes[OF_KIND(2)][2];
static void *read_pipe(void *arg) {
  long me = (long)arg, sum = 0, number;
  ssize_t n;
  while ((n = OK(read(pipes[me][0], &number, sizeof number))) > 0) {
    CHECK_EQ(n, sizeof number);
    sum += number;
  }
  return (void *)sum;
}

static void ring_begin(void) {
  memset(&ring, 0, sizeof ring);
  OK0(pthread_mutex_init(&ring.mutex, NULL));
  for (size_t i = 0; i < COUNT(ring.turn); i++) OK0(pthread_cond_init(&ring.turn[i], NULL));
}

SUBTEST_FORK(compute_sleep_and_read) {
  static pthread_t threads[THREADS];
  static long calls[THREADS];
  parent = getppid();
  ring_begin();
  for (size_t i = 0; i < COUNT(pipes); i++) OK(pipe2(pipes[i], O_CLOEXEC));
  for (long i = 0; i < THREADS; i++) {
    switch (i % KINDS) {
      case 0: OK0(pthread_create(&threads[i], NULL, compute_and_call, &calls[i])); break;
      case 1: OK0(pthread_create(&threads[i], NULL, pass_token, (void *)(i / KINDS))); break;
      case 2: OK0(pthread_create(&threads[i], NULL, read_pipe, (void *)(i / KINDS))); break;
    }
  }
  for (long m = 1; m <= MESSAGES; m++)
    for (long i = 0; i < (long)COUNT(pipes); i++) {
      long number = m * (i + 1);
      CHECK_EQ(write(pipes[i][1], &number, sizeof number), sizeof number);
    }
  for (size_t i = 0; i < COUNT(pipes); i++) OK(close(pipes[i][1]));
  long sum = 0;
  void *result;
  for (int i = 2; i < THREADS; i += KINDS) {
    OK0(pthread_join(threads[i], &result));
    CHECK_EQ((long)result, MESSAGES * (MESSAGES + 1) / 2 * (i / KINDS + 1));
    sum += (long)result;
  }
  for (int i = 1; i < THREADS; i += KINDS) OK0(pthread_join(threads[i], NULL));
  stop = true;
  for (int i = 0; i < THREADS; i += KINDS) {
    OK0(pthread_join(threads[i], NULL));
    CHECK(calls[i] >= CALLS);
  }
  say("sum %ld, passes %ld\n", sum, ring.passes);
}

// Signals, while all compete: one at a time for each thread, to whatever it does.
#define SIGNALS 3
static __thread volatile long *my_signals;
static volatile long signals[THREADS];
static volatile int ready;
static sem_t never;
static int quiet[2];

static void on_signal(int sig) { *my_signals += sig == SIGUSR1; }
static void *get_signals(void *arg) {
  long me = (long)arg;
  char c;
  my_signals = &signals[me];
  __atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
  while (!stop) {
    switch (me % 4) {
      case 0: compute(1000); break;
      case 1: CHECK_EQ(syscall(SYS_getppid), parent); break;
      case 2:
        // A semaphore's wait is not restarted, whatever the action says.
        while (sem_wait(&never) < 0) CHECK_EQ(errno, EINTR);
        break;
      case 3: CHECK_EQ(OK(read(quiet[0], &c, 1)), 0); break;
    }
  }
  return NULL;
}

SUBTEST_FORK(signals_for_all) {
  static pthread_t threads[THREADS];
  parent = getppid();
  struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  OK(sigaction(SIGUSR1, &act, NULL));
  OK(sem_init(&never, 0, 0));
  OK(pipe2(quiet, O_CLOEXEC));
  for (long i = 0; i < THREADS; i++) OK0(pthread_create(&threads[i], NULL, get_signals, (void *)i));
  while (ready < THREADS) sched_yield();
  for (int round = 1; round <= SIGNALS; round++) {
    for (int i = 0; i < THREADS; i++) OK0(pthread_kill(threads[i], SIGUSR1));
    for (int i = 0; i < THREADS; i++)
      while (signals[i] < round) sched_yield();
  }
  stop = true;
  OK(close(quiet[1]));
  for (int i = 0; i < THREADS; i++) OK(sem_post(&never));
  long sum = 0;
  for (int i = 0; i < THREADS; i++) {
    OK0(pthread_join(threads[i], NULL));
    CHECK_EQ(signals[i], SIGNALS);
    sum += signals[i];
  }
  say("signals %ld\n", sum);
}

// Threads that end while others compete.
static void *add_one(void *arg) {
  __atomic_add_fetch((long *)arg, 1, __ATOMIC_SEQ_CST);
  return NULL;
}
static void *compute_until_stop(void *arg) {
  while (!stop) compute(1000);
  return arg;
}

SUBTEST_FORK(short_threads_among_long_ones) {
  static pthread_t busy[THREADS], brief[10];
  static long ended;
  for (int i = 0; i < THREADS; i++) OK0(pthread_create(&busy[i], NULL, compute_until_stop, NULL));
  for (int round = 0; round < 3; round++) {
    for (size_t i = 0; i < COUNT(brief); i++) OK0(pthread_create(&brief[i], NULL, add_one, &ended));
    for (size_t i = 0; i < COUNT(brief); i++) OK0(pthread_join(brief[i], NULL));
  }
  stop = true;
  for (int i = 0; i < THREADS; i++) OK0(pthread_join(busy[i], NULL));
  say("ended %ld\n", ended);
}

// A process ends, by its own call or by a signal, while most of its threads wait for a cpu.
static void start_busy(void) {
  pthread_t t;
  for (int i = 0; i < THREADS; i++) OK0(pthread_create(&t, NULL, compute_until_stop, NULL));
}

SUBTEST_FORK(exit_of_a_crowd) {
  CHECK_EQ(child_result(SPAWN({
             start_busy();
             _exit(7);
           })),
           7);
  struct gate g = gate_make();
  pid_t pid = SPAWN({
    start_busy();
    gate_signal(g);
    pause();
  });
  gate_wait(g);
  OK(kill(pid, SIGKILL));
  CHECK_EQ(child_result(pid), 256 + SIGKILL);
}

SUBTEST_FORK(exec_from_a_crowd) {
  CHECK_EQ(child_result(SPAWN({
             start_busy();
             execl("/bin/sh", "sh", "-c", "exit 5", NULL);
           })),
           5);
}

SUBTEST_FORK(stop_and_continue) {
  struct gate g = gate_make();
  pid_t pid = SPAWN({
    start_busy();
    gate_signal(g);
    pause();
  });
  gate_wait(g);
  int status;
  for (int i = 0; i < 3; i++) {
    OK(kill(pid, SIGSTOP));
    CHECK_EQ(OK(waitpid(pid, &status, WUNTRACED)), pid);
    CHECK(WIFSTOPPED(status));
    OK(kill(pid, SIGCONT));
    CHECK_EQ(OK(waitpid(pid, &status, WCONTINUED)), pid);
    CHECK(WIFCONTINUED(status));
  }
  OK(kill(pid, SIGTERM));
  CHECK_EQ(child_result(pid), 256 + SIGTERM);
}

// So many that a large host's own limit is reached as well; each makes calls, and reads what another wrote.
#define MANY 120
static int links[MANY][2];
static void *relay(void *arg) {
  long me = (long)arg, number;
  for (int i = 0; i < 5; i++) {
    CHECK_EQ(OK(read(links[me][0], &number, sizeof number)), sizeof number);
    number += syscall(SYS_getppid) == parent;
    CHECK_EQ(OK(write(links[(me + 1) % MANY][1], &number, sizeof number)), sizeof number);
  }
  return NULL;
}

SUBTEST_FORK(relay_of_many) {
  static pthread_t threads[MANY];
  parent = getppid();
  for (int i = 0; i < MANY; i++) OK(pipe2(links[i], O_CLOEXEC));
  for (long i = 0; i < MANY; i++) OK0(pthread_create(&threads[i], NULL, relay, (void *)i));
  // All of them at once.
  long number = 0;
  for (int i = 0; i < MANY; i++) CHECK_EQ(write(links[i][1], &number, sizeof number), sizeof number);
  for (int i = 0; i < MANY; i++) OK0(pthread_join(threads[i], NULL));
  long sum = 0;
  for (int i = 0; i < MANY; i++) {
    CHECK_EQ(OK(read(links[i][0], &number, sizeof number)), sizeof number);
    sum += number;
  }
  say("steps %ld\n", sum);
}
