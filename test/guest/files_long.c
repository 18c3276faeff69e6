// Long reads and writes beside others of the same file: a write is one piece, a file position is one thread's at a time,
// and who dies in the middle is in nobody's way.
#include "check.h"

#include <pthread.h>
#include <sys/uio.h>

enum { LONG = 3 << 20, ROUNDS = 12 };

static int fd;

static char *block(int byte) {
  char *p = mmap(NULL, LONG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(p != MAP_FAILED);
  memset(p, byte, LONG);
  return p;
}

static void *writer(void *arg) {
  char *mine = arg;
  for (int i = 0; i < ROUNDS; i++)
    if (pwrite(fd, mine, LONG, 0) != LONG) return "short";
  return NULL;
}

SUBTEST(writes_are_one_piece) {
  char name[] = "/tmp/long-XXXXXX";
  fd = OK(mkstemp(name));
  OK(unlink(name));
  pthread_t a, b;
  void *failed;
  pthread_create(&a, NULL, writer, block('a'));
  pthread_create(&b, NULL, writer, block('b'));
  pthread_join(a, &failed);
  CHECK(failed == NULL);
  pthread_join(b, &failed);
  CHECK(failed == NULL);
  char *seen = block(0);
  CHECK_EQ(OK(pread(fd, seen, LONG, 0)), LONG);
  CHECK(seen[0] == 'a' || seen[0] == 'b');
  CHECK(memcmp(seen, seen + 1, LONG - 1) == 0);
  CHECK_EQ(pread(fd, seen, 1, LONG), 0);
}

static struct iovec *vector;
static volatile long written;

static void *vector_writer(void *arg) {
  (void)arg;
  written = writev(fd, vector, 1);
  return NULL;
}

/** What a call holds of a file ends with it, also when it ends otherwise than it began. */
SUBTEST(a_vector_that_goes_away_leaves_the_file_free) {
  enum { HUGE_WRITE = 48 << 20 };
  for (int unmapped = 0; unmapped < 2; unmapped++) {
    char name[] = "/tmp/long-XXXXXX";
    fd = OK(mkstemp(name));
    OK(unlink(name));
    vector = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(vector != MAP_FAILED);
    vector->iov_base = mmap(NULL, HUGE_WRITE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    vector->iov_len = HUGE_WRITE;
    CHECK(vector->iov_base != MAP_FAILED);
    void *base = vector->iov_base;
    pthread_t t;
    pthread_create(&t, NULL, vector_writer, NULL);
    struct stat st = {0};
    while (st.st_size == 0) OK(fstat(fd, &st));
    if (unmapped) OK(munmap(vector, 4096));
    else vector->iov_len = 0;
    pthread_join(t, NULL);
    CHECK(written > 0);
    int pid = OK(fork());
    if (pid == 0) {
      alarm(20);
      _exit(pwrite(fd, "x", 1, 0) == 1 ? 0 : 1);
    }
    int status;
    OK(waitpid(pid, &status, 0));
    CHECK_EQ(status, 0);
    munmap(base, HUGE_WRITE);
    close(fd);
  }
}

static void *long_writer(void *arg) {
  written = pwrite(fd, arg, LONG, 0);
  return NULL;
}

/** A file that is opened with O_TRUNC in the middle of a write is empty in the end: one comes after the other. */
SUBTEST(truncation_at_open_waits_for_a_write) {
  char name[] = "/tmp/long-XXXXXX";
  fd = OK(mkstemp(name));
  char *text = block('t');
  for (int i = 0; i < ROUNDS; i++) {
    OK(ftruncate(fd, 0));
    pthread_t t;
    pthread_create(&t, NULL, long_writer, text);
    struct stat st = {0};
    while (st.st_size == 0) OK(fstat(fd, &st));
    close(OK(open(name, O_WRONLY | O_TRUNC)));
    pthread_join(t, NULL);
    CHECK_EQ(written, LONG);
    OK(fstat(fd, &st));
    CHECK_EQ(st.st_size, 0);
  }
  OK(unlink(name));
  close(fd);
}

static void *reader(void *arg) {
  unsigned *words = arg;
  if (read(fd, words, LONG) != LONG) return "short";
  for (unsigned i = 1; i < LONG / sizeof *words; i++)
    if (words[i] != words[0] + i) return "from two places";
  return NULL;
}

SUBTEST(a_position_is_one_readers_at_a_time) {
  char name[] = "/tmp/long-XXXXXX";
  fd = OK(mkstemp(name));
  OK(unlink(name));
  unsigned *words = (unsigned *)block(0);
  unsigned next = 0;
  for (int k = 0; k < 4; k++) {
    for (unsigned i = 0; i < LONG / sizeof *words; i++) words[i] = next++;
    CHECK_EQ(OK(write(fd, words, LONG)), LONG);
  }
  OK(lseek(fd, 0, SEEK_SET));
  pthread_t threads[4];
  for (int k = 0; k < 4; k++) pthread_create(&threads[k], NULL, reader, block(0));
  for (int k = 0; k < 4; k++) {
    void *failed;
    pthread_join(threads[k], &failed);
    CHECK(failed == NULL);
  }
  CHECK_EQ(OK(lseek(fd, 0, SEEK_CUR)), 4 * LONG);
}

SUBTEST(the_dead_hold_nothing) {
  char name[] = "/tmp/long-XXXXXX";
  fd = OK(mkstemp(name));
  OK(unlink(name));
  char *mine = block('m');
  for (int i = 0; i < ROUNDS; i++) {
    pid_t child = SPAWN({
      for (;;)
        if (pwrite(fd, mine, LONG, 0) != LONG) _exit(1);
    });
    usleep(3000 + 500 * i);
    OK(kill(child, SIGKILL));
    CHECK_EQ(OK(pwrite(fd, mine, LONG, 0)), LONG);
    CHECK_EQ(child_result(child), 256 + SIGKILL);
  }
}
