// Programs that map the file that is their standard input: they see what natively they would, also when it changes.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { vedette } from './harness/guest.ts';
import { needs } from './harness/needs.ts';

const SIZE = 5 * 4096 + 100;
/** Standard input and output are one file, opened for reading and for writing; the parent waits in argv[1] for a change. */
const SOURCE = `
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#define PAGE 4096
#define SIZE ${SIZE}
#define CHECK(c) do { if (!(c)) { fprintf(stderr, "line %d: %s (%d)\\n", __LINE__, #c, errno); _exit(1); } } while (0)
static int killed_by(volatile const char *p) {
  int status, pid = fork();
  if (pid == 0) { (void)*p; _exit(0); }
  waitpid(pid, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}
int main(int argc, char **argv) {
  char copy[8], *page;
  volatile char *priv = mmap(0, SIZE, PROT_READ, MAP_PRIVATE, 0, 0);
  volatile char *shared = mmap(0, SIZE, PROT_READ, MAP_SHARED, 0, 0);
  volatile char *own = mmap(0, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0, 0);
  volatile char *tail = mmap(0, SIZE, PROT_READ, MAP_SHARED, 0, PAGE);
  CHECK(priv != MAP_FAILED && shared != MAP_FAILED && own != MAP_FAILED && tail != MAP_FAILED);
  for (int i = 0; i < 5; i++)
    CHECK(priv[i * PAGE] == 'a' + i && shared[i * PAGE + 9] == 'a' + i && own[i * PAGE + 4095] == 'a' + i);
  CHECK(tail[0] == 'b' && priv[SIZE - 1] == 'f' && priv[SIZE] == 0 && shared[SIZE] == 0 && own[SIZE] == 0);
  CHECK(killed_by(tail + 5 * PAGE) == SIGBUS);
  // A mapping of what is open for reading alone cannot be made writable, nor be shared for writing.
  CHECK(mprotect((void *)shared, SIZE, PROT_READ | PROT_WRITE) == -1 && errno == EACCES);
  CHECK(mmap(0, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, 0, 0) == MAP_FAILED && errno == EACCES);
  // Copies are this process's own.
  own[2 * PAGE] = '!';
  CHECK(own[2 * PAGE] == '!' && priv[2 * PAGE] == 'c' && pread(0, copy, 1, 2 * PAGE) == 1 && copy[0] == 'c');
  CHECK(mprotect((void *)priv, PAGE, PROT_READ | PROT_EXEC) == 0 && priv[1] == 'a');
  // The kernel reads from such a mapping too: here into a pipe.
  int p[2];
  CHECK(pipe(p) == 0 && write(p[1], (char *)shared + 3 * PAGE, 4) == 4 && read(p[0], copy, 4) == 4 && !memcmp(copy, "dddd", 4));
  // What is written by the descriptor shows.
  CHECK(pwrite(1, "Z", 1, 3 * PAGE) == 1 && shared[3 * PAGE] == 'Z' && priv[3 * PAGE] == 'Z');
  CHECK(write(p[1], (char *)shared + 3 * PAGE, 4) == 4 && read(p[0], copy, 4) == 4 && !memcmp(copy, "Zddd", 4));
  int fd = open("/dev/stdout", O_WRONLY | O_APPEND);
  CHECK(fd >= 0 && write(fd, "more", 4) == 4 && shared[SIZE] == 'm' && own[SIZE + 3] == 'e');
  // So does what others write.
  fprintf(stderr, "ready\\n");
  for (int i = 0; shared[PAGE + 7] == 'b'; i++) { CHECK(i < 2000); usleep(5000); }
  CHECK(shared[PAGE + 7] == 'O' && priv[PAGE + 7] == 'O');
  page = mmap(0, PAGE, PROT_READ, MAP_PRIVATE, 0, PAGE);
  CHECK(write(p[1], page + 6, 3) == 3 && read(p[0], copy, 3) == 3 && !memcmp(copy, "bOb", 3));
  // A fork shares, an exit leaves all as it was.
  int status, pid = fork();
  if (pid == 0) { own[0] = 'x'; _exit(shared[2 * PAGE] == 'c' && own[2 * PAGE] == '!' ? 0 : 1); }
  CHECK(waitpid(pid, &status, 0) == pid && status == 0 && own[0] == 'a');
  // What is cut off is gone, in copies too.
  CHECK(ftruncate(1, PAGE + 10) == 0 && shared[PAGE + 7] == 'O' && shared[PAGE + 10] == 0);
  CHECK(killed_by(shared + 2 * PAGE) == SIGBUS && killed_by(own + 2 * PAGE) == SIGBUS && killed_by(priv + 3 * PAGE) == SIGBUS);
  CHECK(ftruncate(1, SIZE) == 0 && shared[2 * PAGE] == 0 && priv[3 * PAGE] == 0 && own[PAGE] == 'b');
  CHECK(munmap((void *)own, SIZE) == 0 && munmap((void *)priv, SIZE) == 0 && shared[0] == 'a');
  return 0;
}
`;

test('standard input can be mapped', needs('inside', 'cc'), () => {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-stdio-maps-'));
  try {
    const program = join(dir, 'main');
    writeFileSync(`${program}.c`, SOURCE);
    const cc = spawnSync('cc', ['-O1', '-o', program, `${program}.c`], { encoding: 'utf8' });
    assert.equal(cc.status, 0, cc.stderr);
    const data = Buffer.alloc(SIZE);
    for (let i = 0; i < 6; i++) data.fill(97 + i, i * 4096, Math.min(SIZE, (i + 1) * 4096));
    const file = join(dir, 'data');
    // The shell writes a byte when the program says that it is ready.
    const line = `mkfifo said; "$@" < data 1<> data 2> said & cat said | { read word; echo "$word"; printf O | dd of=data bs=1 seek=${4096 + 7} conv=notrunc 2> /dev/null; cat; } >&2; wait $!`;
    const left: Buffer[] = [];
    for (const command of [
      [program],
      [...vedette, '--platform=systrap', '--', program],
      [...vedette, '--platform=ptrace', '--', program],
    ]) {
      rmSync(join(dir, 'said'), { force: true });
      writeFileSync(file, data);
      const r = spawnSync('sh', ['-c', line, 'sh', ...command], {
        cwd: dir,
        encoding: 'utf8',
        timeout: 60_000,
      });
      assert.equal(`${r.stderr}${r.status}`, 'ready\n0', command.join(' '));
      left.push(readFileSync(file));
    }
    assert.deepEqual(left[1], left[0]);
    assert.deepEqual(left[2], left[0]);
  } finally {
    rmSync(dir, { recursive: true });
  }
});
