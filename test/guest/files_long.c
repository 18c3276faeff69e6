// Long reads and writes beside others of the same file: a write is one piece, a file position is one thread's at a time,
// and who dies in the middle is in nobody's way.
#include "check.h"

#include <pthread.h>

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
