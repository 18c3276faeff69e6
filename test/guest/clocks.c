// clock_gettime(2), nanosleep(2), timer_create(2), setitimer(2), alarm(2).
#include "check.h"
#include <pthread.h>
#include <sys/timex.h>
#include <utime.h>

static volatile int ticks;
static volatile siginfo_t tick_info;
static void on_tick(int sig, siginfo_t *info, void *context) {
  (void)sig;
  (void)context;
  if (info) *(siginfo_t *)&tick_info = *info;
  ticks++;
}
static void catch_tick(int sig) {
  struct sigaction sa = {.sa_sigaction = on_tick, .sa_flags = SA_SIGINFO};
  OK(sigaction(sig, &sa, NULL));
  ticks = 0;
}
static long ns_of(clockid_t clock) {
  struct timespec t;
  OK(clock_gettime(clock, &t));
  CHECK(t.tv_nsec >= 0 && t.tv_nsec < 1000000000);
  return t.tv_sec * 1000000000L + t.tv_nsec;
}

SUBTEST(clocks_advance) {
  clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW, CLOCK_BOOTTIME,
                        CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_TAI};
  for (size_t i = 0; i < COUNT(clocks); i++) {
    long a = ns_of(clocks[i]);
    sleep_ms(20);
    long b = ns_of(clocks[i]);
    CHECK(b - a >= 10000000 && b - a < 5000000000);
  }
  long last = ns_of(CLOCK_MONOTONIC);
  for (int i = 0; i < 20000; i++) {
    long now = ns_of(CLOCK_MONOTONIC);
    CHECK(now >= last);
    last = now;
  }
}

SUBTEST(system_call_and_vdso_agree) {
  for (int clock = 0; clock < 2; clock++)
    for (int i = 0; i < 200; i++) {
      struct timespec t;
      long a = ns_of(clock);
      OK(syscall(SYS_clock_gettime, clock, &t));
      long b = t.tv_sec * 1000000000L + t.tv_nsec, c = ns_of(clock);
      CHECK(a <= b && b <= c);
    }
  struct timeval tv;
  long a = ns_of(CLOCK_REALTIME) / 1000;
  OK(gettimeofday(&tv, NULL));
  long b = tv.tv_sec * 1000000L + tv.tv_usec;
  CHECK(a <= b && b <= ns_of(CLOCK_REALTIME) / 1000);
  time_t t1 = time(NULL), t2 = syscall(SYS_time, NULL);
  CHECK(t2 - t1 <= 1 && t1 >= a / 1000000 - 1);
  CHECK(ns_of(CLOCK_REALTIME) > 1700000000L * 1000000000);
}

SUBTEST(resolutions_and_errors) {
  struct timespec t;
  OK(clock_getres(CLOCK_MONOTONIC, &t));
  CHECK(t.tv_sec == 0 && t.tv_nsec == 1);
  OK(clock_getres(CLOCK_REALTIME, NULL));
  CHECK_ERR(clock_gettime(99, &t), EINVAL);
  CHECK_ERR(clock_getres(99, &t), EINVAL);
  struct timespec bad = {0, 1000000000}, negative = {-1, 0};
  CHECK_ERR(nanosleep(&bad, NULL), EINVAL);
  CHECK_ERR(nanosleep(&negative, NULL), EINVAL);
  CHECK_EQ(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &t, NULL), EINVAL);
  CHECK_EQ(clock_nanosleep(99, 0, &t, NULL), EINVAL);
  CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &bad, NULL), EINVAL);
}

SUBTEST(cpu_clocks) {
  long process = ns_of(CLOCK_PROCESS_CPUTIME_ID), thread = ns_of(CLOCK_THREAD_CPUTIME_ID);
  long start = now_ms(), used;
  // On a busy host 10 ms of a cpu take longer; they must come, and never be more than the time by the clock.
  do {
    for (long step = now_ms(); now_ms() - step < 5;) continue;
    used = ns_of(CLOCK_PROCESS_CPUTIME_ID) - process;
  } while (used <= 10000000 && now_ms() - start < 30000);
  CHECK(used > 10000000);
  CHECK(used <= (now_ms() - start + 1) * 1000000 + 10000000);
  CHECK(ns_of(CLOCK_THREAD_CPUTIME_ID) - thread > 9000000);
  process = ns_of(CLOCK_PROCESS_CPUTIME_ID);
  sleep_ms(100);
  CHECK(ns_of(CLOCK_PROCESS_CPUTIME_ID) - process < 60000000);
  clockid_t id;
  OK0(clock_getcpuclockid(0, &id));
  ns_of(id);
}

SUBTEST(sleeping) {
  struct timespec t = {0, 30000000};
  long start = ns_of(CLOCK_MONOTONIC);
  OK(nanosleep(&t, NULL));
  CHECK(ns_of(CLOCK_MONOTONIC) - start >= 30000000);
  start = ns_of(CLOCK_MONOTONIC);
  OK0(clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL));
  CHECK(ns_of(CLOCK_MONOTONIC) - start >= 30000000);
  for (int clock = 0; clock < 2; clock++) {
    struct timespec until;
    OK(clock_gettime(clock, &until));
    until.tv_nsec += 30000000;
    if (until.tv_nsec >= 1000000000) until.tv_sec++, until.tv_nsec -= 1000000000;
    OK0(clock_nanosleep(clock, TIMER_ABSTIME, &until, NULL));
    struct timespec now;
    OK(clock_gettime(clock, &now));
    CHECK(now.tv_sec > until.tv_sec || (now.tv_sec == until.tv_sec && now.tv_nsec >= until.tv_nsec));
    OK0(clock_nanosleep(clock, TIMER_ABSTIME, &until, NULL));
  }
  t = (struct timespec){0, 0};
  OK(nanosleep(&t, NULL));
}

SUBTEST_FORK(alarms) {
  catch_tick(SIGALRM);
  CHECK_EQ(alarm(100), 0);
  unsigned left = alarm(1);
  CHECK(left == 100 || left == 99);
  long start = now_ms();
  CHECK_ERR(pause(), EINTR);
  CHECK(now_ms() - start >= 900);
  CHECK_EQ(ticks, 1);
  CHECK_EQ(tick_info.si_code, SI_KERNEL);
  CHECK_EQ(alarm(0), 0);
  // Not inherited over fork, kept over execve.
  alarm(100);
  CHILD { CHECK_EQ(alarm(0), 0); }
  alarm(0);
}

SUBTEST_FORK(interval_timers) {
  catch_tick(SIGALRM);
  struct itimerval every = {{0, 10000}, {0, 10000}}, now, off = {{0, 0}, {0, 0}};
  OK(setitimer(ITIMER_REAL, &every, NULL));
  while (ticks < 5) pause();
  OK(getitimer(ITIMER_REAL, &now));
  CHECK_EQ(now.it_interval.tv_usec, 10000);
  CHECK(now.it_value.tv_usec <= 10000);
  OK(setitimer(ITIMER_REAL, &off, &now));
  int seen = ticks;
  sleep_ms(40);
  CHECK_EQ(ticks, seen);
  catch_tick(SIGVTALRM);
  struct itimerval once = {{0, 0}, {0, 20000}};
  OK(setitimer(ITIMER_VIRTUAL, &once, NULL));
  while (ticks < 1) {
  }
  catch_tick(SIGPROF);
  OK(setitimer(ITIMER_PROF, &once, NULL));
  while (ticks < 1) {
  }
  CHECK_ERR(setitimer(9, &once, NULL), EINVAL);
  struct itimerval bad = {{0, 0}, {0, 1000000}};
  CHECK_ERR(setitimer(ITIMER_REAL, &bad, NULL), EINVAL);
}

SUBTEST_FORK(posix_timers) {
  timer_t id;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 77};
  catch_tick(SIGRTMIN);
  OK(timer_create(CLOCK_MONOTONIC, &event, &id));
  struct itimerspec once = {.it_value = {0, 20000000}}, now, off = {0};
  OK(timer_settime(id, 0, &once, NULL));
  OK(timer_gettime(id, &now));
  CHECK(now.it_value.tv_nsec > 0 && now.it_value.tv_nsec <= 20000000);
  while (ticks < 1) pause();
  CHECK_EQ(tick_info.si_code, SI_TIMER);
  CHECK_EQ(tick_info.si_value.sival_int, 77);
  CHECK_EQ(tick_info.si_overrun, 0);
  OK(timer_gettime(id, &now));
  CHECK(now.it_value.tv_sec == 0 && now.it_value.tv_nsec == 0);
  // Missed expirations show as the overrun count.
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  struct itimerspec every = {{0, 5000000}, {0, 5000000}};
  OK(timer_settime(id, 0, &every, NULL));
  sleep_ms(100);
  siginfo_t info;
  OK(sigwaitinfo(&set, &info));
  CHECK(info.si_overrun >= 10);
  CHECK(timer_getoverrun(id) >= 10);
  OK(timer_settime(id, 0, &off, &now));
  CHECK_EQ(now.it_interval.tv_nsec, 5000000);
  OK(timer_delete(id));
  CHECK_ERR(timer_delete(id), EINVAL);
  CHECK_ERR(timer_settime(id, 0, &off, NULL), EINVAL);
}

SUBTEST_FORK(posix_timer_variants) {
  timer_t id, thread_id;
  struct sigevent none = {.sigev_notify = SIGEV_NONE};
  OK(timer_create(CLOCK_REALTIME, &none, &id));
  struct itimerspec t = {.it_value = {0, 10000000}}, now;
  OK(timer_settime(id, 0, &t, NULL));
  sleep_ms(30);
  OK(timer_gettime(id, &now));
  CHECK(now.it_value.tv_sec == 0 && now.it_value.tv_nsec == 0);
  catch_tick(SIGUSR1);
  struct sigevent to_thread = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
  to_thread._sigev_un._tid = gettid();
  OK(timer_create(CLOCK_MONOTONIC, &to_thread, &thread_id));
  OK(timer_settime(thread_id, 0, &t, NULL));
  while (ticks < 1) pause();
  // The default: SIGALRM with the timer's id as value.
  catch_tick(SIGALRM);
  OK(timer_create(CLOCK_PROCESS_CPUTIME_ID, NULL, &id));
  OK(timer_settime(id, 0, &t, NULL));
  while (ticks < 1) {
  }
  CHECK_EQ(tick_info.si_code, SI_TIMER);
  struct sigevent bad = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 99};
  CHECK_ERR(timer_create(CLOCK_MONOTONIC, &bad, &id), EINVAL);
  CHECK_ERR(timer_create(99, NULL, &id), EINVAL);
  // Timers are not inherited.
  CHILD { CHECK_ERR(timer_settime(thread_id, 0, &t, NULL), EINVAL); }
}

SUBTEST_FORK(absolute_timer) {
  timer_t id;
  catch_tick(SIGALRM);
  OK(timer_create(CLOCK_MONOTONIC, NULL, &id));
  struct itimerspec past = {.it_value = {1, 0}};
  OK(timer_settime(id, TIMER_ABSTIME, &past, NULL));
  for (int i = 0; i < 2000 && ticks < 1; i++) sleep_ms(5);
  CHECK_EQ(ticks, 1);
}

SUBTEST(adjustments_are_readable) {
  struct timex t = {.modes = 0};
  CHECK(OK(adjtimex(&t)) >= 0);
  CHECK(t.tick >= 9000 && t.tick <= 11000);
}

// A timer can always queue its signal, whatever else the user has queued since timer_create(2).
SUBTEST_FORK(timer_at_the_signal_limit) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGRTMIN);
  sigaddset(&set, SIGRTMIN + 1);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1};
  timer_t id;
  OK(timer_create(CLOCK_MONOTONIC, &event, &id));
  struct rlimit few = {0, 0};
  OK(setrlimit(RLIMIT_SIGPENDING, &few));
  CHECK_ERR(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 1}), EAGAIN);
  struct itimerspec often = {{0, 5000000}, {0, 5000000}};
  OK(timer_settime(id, 0, &often, NULL));
  for (int i = 0; i < 3; i++) {
    siginfo_t info;
    struct timespec limit = {5, 0};
    CHECK_EQ(OK(sigtimedwait(&set, &info, &limit)), SIGRTMIN + 1);
    CHECK_EQ(info.si_code, SI_TIMER);
  }
  OK(timer_delete(id));
}

static void burn(long ms) {
  struct timespec start, t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
  do clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  while ((t.tv_sec - start.tv_sec) * 1000 + (t.tv_nsec - start.tv_nsec) / 1000000 < ms);
}

static volatile bool burning = true;
static void *burner(void *p) {
  while (burning) burn(5);
  return p;
}

static long cpu_ms(clockid_t clock) {
  struct timespec t;
  OK(clock_gettime(clock, &t));
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

SUBTEST_FORK(sleep_on_cpu_time) {
  struct timespec t = {0, 60000000}, rem;
  clockid_t own;
  CHECK_EQ(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &t, NULL), EINVAL);
  OK0(pthread_getcpuclockid(pthread_self(), &own));
  CHECK_EQ(clock_nanosleep(own, 0, &t, NULL), EINVAL);
  // A time that is over.
  t = (struct timespec){0, 1};
  OK0(clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, TIMER_ABSTIME, &t, NULL));
  // Another thread makes the process's time go on.
  pthread_t th;
  OK0(pthread_create(&th, NULL, burner, NULL));
  long start = cpu_ms(CLOCK_PROCESS_CPUTIME_ID);
  t = (struct timespec){0, 60000000};
  OK0(clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &t, NULL));
  CHECK(cpu_ms(CLOCK_PROCESS_CPUTIME_ID) - start >= 59);
  clockid_t other;
  OK0(pthread_getcpuclockid(th, &other));
  start = cpu_ms(other);
  OK0(clock_nanosleep(other, 0, &t, NULL));
  CHECK(cpu_ms(other) - start >= 59);
  burning = false;
  OK0(pthread_join(th, NULL));
  // Nothing runs: only a signal ends it.
  struct sigaction sa = {.sa_sigaction = on_tick, .sa_flags = SA_SIGINFO};
  OK(sigaction(SIGALRM, &sa, NULL));
  struct itimerval it = {.it_value.tv_usec = 50000};
  OK(setitimer(ITIMER_REAL, &it, NULL));
  t.tv_sec = 100;
  CHECK_EQ(clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &t, &rem), EINTR);
  CHECK(rem.tv_sec >= 98 && rem.tv_sec <= 100);
}
