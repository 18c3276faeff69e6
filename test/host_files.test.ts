// A file of the host that is mapped inside and then changed there: every mapping follows, the host's file stays.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runInside, vedette } from './harness/guest.ts';
import { needs } from './harness/needs.ts';

const PAGES = 8;
const SOURCE = `
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#define PAGE 4096
#define CHECK(c) do { if (!(c)) { fprintf(stderr, "line %d: %s\\n", __LINE__, #c); _exit(1); } } while (0)
static int killed_by(volatile const char *p) {
  int status, pid = fork();
  if (pid == 0) { (void)*p; _exit(0); }
  waitpid(pid, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}
int main(int argc, char **argv) {
  size_t size = ${PAGES} * PAGE + 4;
  int fd = open(argv[1], O_RDWR), go[2], ready[2], status;
  char c;
  CHECK(fd >= 0 && pipe(go) == 0 && pipe(ready) == 0);
  volatile char *priv = mmap(0, size, PROT_READ, MAP_PRIVATE, fd, 0);
  volatile char *shared = mmap(0, size, PROT_READ, MAP_SHARED, fd, 0);
  volatile char *copy = mmap(0, size, PROT_READ, MAP_PRIVATE, fd, 0);
  CHECK(priv[0] == 'a' && priv[5 * PAGE] == 'f' && shared[3 * PAGE] == 'd' && copy[3 * PAGE] == 'd');
  CHECK(priv[size - 1] == 'l' && priv[size] == 0 && shared[size] == 0);
  CHECK(mprotect((void *)copy, size, PROT_READ | PROT_WRITE) == 0);
  copy[3 * PAGE + 1] = '!';
  CHECK(mprotect((void *)copy, size, PROT_READ) == 0);
  int pid = fork();
  if (pid == 0) {
    CHECK(priv[3 * PAGE] == 'd' && copy[3 * PAGE + 1] == '!');
    CHECK(write(ready[1], "1", 1) == 1 && read(go[0], &c, 1) == 1);
    CHECK(priv[3 * PAGE] == 'Z' && shared[3 * PAGE] == 'Z' && priv[5 * PAGE] == 'f');
    CHECK(copy[3 * PAGE] == 'd' && copy[3 * PAGE + 1] == '!');
    _exit(0);
  }
  CHECK(read(ready[0], &c, 1) == 1);
  CHECK(pwrite(fd, "Z", 1, 3 * PAGE) == 1);
  CHECK(priv[3 * PAGE] == 'Z' && shared[3 * PAGE] == 'Z' && copy[3 * PAGE] == 'd');
  CHECK(write(go[1], "1", 1) == 1 && waitpid(pid, &status, 0) == pid && status == 0);
  volatile char *through = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  through[PAGE] = 'X';
  CHECK(priv[PAGE] == 'X' && shared[PAGE] == 'X' && copy[PAGE] == 'X');
  CHECK(ftruncate(fd, PAGE + 1) == 0);
  CHECK(killed_by(priv + 2 * PAGE) == SIGBUS && killed_by(copy + 3 * PAGE) == SIGBUS && priv[PAGE + 1] == 0);
  CHECK(ftruncate(fd, size) == 0 && priv[5 * PAGE] == 0 && priv[0] == 'a');
  return 0;
}
`;

test('mappings of a host file follow what is written inside', needs('inside', 'cc'), async () => {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-hostfile-'));
  try {
    writeFileSync(join(dir, 'main.c'), SOURCE);
    const binary = join(dir, 'main');
    const cc = spawnSync('cc', ['-O1', '-o', binary, join(dir, 'main.c')], { encoding: 'utf8' });
    assert.equal(cc.status, 0, cc.stderr);
    const data = Buffer.alloc(PAGES * 4096 + 4);
    for (let i = 0; i < PAGES; i++) data.fill(97 + i, i * 4096, (i + 1) * 4096);
    data.write('tail', PAGES * 4096);
    const file = join(dir, 'data');
    writeFileSync(file, data);
    for (const platform of ['systrap', 'ptrace']) {
      const inside = await runInside([binary, file], { flags: [`--platform=${platform}`] });
      assert.equal(inside.status, 0, `${platform}: ${inside.stderr}`);
      assert.deepEqual(readFileSync(file), data);
    }
    const native = spawnSync(binary, [file], { encoding: 'utf8' });
    assert.equal(native.status, 0, `natively: ${native.stderr}`);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});

// Node.js gives its children sockets for pipes, and as a child throws away what it writes to sockets that it cannot ask.
test('a socket as standard output takes what Node.js writes', needs('inside'), async () => {
  const program = 'process.stdout.write("out\\n"); process.stderr.write("err\\n"); process.reallyExit(3)';
  const [node, ...words] = vedette;
  const child = spawn(node!, [...words, '--', process.execPath, '-e', program], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const said = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (said[0] += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said[1] += chunk.toString()));
  const status = await new Promise((done) => child.on('close', done));
  assert.deepEqual([status, ...said], [3, 'out\n', 'err\n']);
});
