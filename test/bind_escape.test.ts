// --bind and --overlay: a hostile program inside races a process of the host that swaps directories, files and links, and moves directories
// out of what is bound and back. Whatever it opens, it is nothing that lies outside; and nothing outside is changed by it.
// suite: 12 s
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runInside, runNative } from './harness/guest.ts';
import { needs } from './harness/needs.ts';

/** Names that the guest opens while they are swapped, and how long that may take: the host may be busy. */
const TRIES = 8000;
const SECONDS = 60;
const CANARY = 'CANARY-outside';

/** Of the host: swaps what is at the names that the guest uses. argv: the bound directory, the one outside. */
const SWAPPER = `
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/stat.h>
#include <unistd.h>
#define EXCHANGE 2
static int src, out;
static long swaps;
static void ex(int a, const char *x, int b, const char *y) { if (syscall(SYS_renameat2, a, x, b, y, EXCHANGE) == 0) swaps++; }
int main(int argc, char **argv) {
  src = open(argv[1], O_RDONLY | O_DIRECTORY); out = open(argv[2], O_RDONLY | O_DIRECTORY);
  if (src < 0 || out < 0) return 1;
  while (getppid() != 1) {
    ex(src, "dir", src, "to-outside");       /* a directory and a link to the one outside */
    ex(src, "file", src, "to-canary");       /* a file and a link to the canary */
    ex(src, "dir", src, "to-outside");
    ex(src, "file", src, "to-canary");
    ex(src, "deep", src, "dir");             /* two directories */
    ex(src, "deep", src, "dir");
    if (renameat(src, "deep", out, "parked") == 0) {  /* out of the bound directory, with whoever is in it */
      swaps++;
      usleep(50);
      symlinkat(argv[2], src, "deep");
      unlinkat(src, "deep", 0);
      renameat(out, "parked", src, "deep");
    }
    if (renameat(src, "chain/a/b", src, "b") == 0) {  /* a circle for whoever remembers where it was */
      renameat(src, "chain/a", src, "b/a");
      renameat(src, "b/a", src, "chain/a");
      renameat(src, "b", src, "chain/a/b");
    }
    if (swaps % 4096 == 0) { printf("%ld\\n", swaps); fflush(stdout); }
  }
}
`;

/** Inside: tries every way to get at what the names lead to. argv: how often, for how many seconds at most. Prints how often things worked, and any canary. */
const ATTACKER = `
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
static long reads, writes, opens, escapes;
static void look(int fd, const char *how) {
  char text[256] = "";
  if (fd < 0) return;
  opens++;
  ssize_t n = pread(fd, text, sizeof text - 1, 0);
  if (n > 0) reads++;
  if (strstr(text, "CANARY")) { escapes++; printf("ESCAPE by %s\\n", how); fflush(stdout); }
  struct stat st;
  if (n > 0 && opens % 16 == 0 && fstat(fd, &st) == 0 && st.st_size > 0) {
    char *m = mmap(0, st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (m != MAP_FAILED) munmap(m, st.st_size);
  }
  close(fd);
}
static void put(int fd) {
  if (fd < 0) return;
  if (write(fd, "inside", 6) == 6) writes++;
  ftruncate(fd, 6);
  fchmod(fd, 0640);
  close(fd);
}
static void names(const char *dir) {
  DIR *d = opendir(dir);
  if (d == NULL) return;
  for (struct dirent *e; (e = readdir(d)) != NULL;)
    if (strcmp(e->d_name, "canary") == 0 || strcmp(e->d_name, "parked") == 0) { escapes++; printf("ESCAPE: listed %s\\n", e->d_name); }
  closedir(d);
}
int main(int argc, char **argv) {
  long tries = atol(argv[1]);
  time_t end = time(0) + atoi(argv[2]);
  static const char *dirs[] = {"dir", "deep", "to-outside", "chain/a/b", "chain/a"};
  char path[256], other[256];
  if (chdir("/bound") < 0) return 1;
  for (unsigned i = 0; tries > 0 && time(0) < end; i++) {
    const char *dir = dirs[i % 5], *second = dirs[i / 5 % 5];
    for (int k = 0; k < 40; k++, tries -= 2) {
      look(open("file", O_RDONLY), "a file that was a link");
      look(open("dir/canary", O_RDONLY), "a name below a directory");
    }
    int d = open(dir, O_RDONLY | O_DIRECTORY);
    snprintf(path, sizeof path, "%s/canary", dir);
    look(open(path, O_RDONLY), "a name below a directory");
    look(open("file", O_RDONLY), "a file that was a link");
    look(open("to-canary", O_RDONLY), "a link that was a file");
    if (d >= 0) {
      look(openat(d, "canary", O_RDONLY), "a directory that is open");
      look(openat(d, "../canary", O_RDONLY), "the parent of an open directory");
      look(openat(d, "../../canary", O_RDONLY), "its parent");
      if (fchdir(d) == 0) {
        look(open("../canary", O_RDONLY), "the parent of the working directory");
        put(open("mine", O_RDWR | O_CREAT, 0600));
        mkdir("sub", 0700);
        look(open("sub/../../canary", O_RDONLY), "two parents");
        rmdir("sub");
        put(open("../up", O_RDWR | O_CREAT, 0600));
        if (chdir("/bound") < 0) return 1;
      }
      unlinkat(d, "canary", 0);
      names(dir);
    }
    put(open("file", O_RDWR));
    put(open("to-canary", O_RDWR | O_TRUNC));
    snprintf(path, sizeof path, "%s/canary", dir);
    put(open(path, O_WRONLY));
    truncate(path, 0); chmod(path, 0777); chown(path, 1, 1); unlink(path);
    truncate("file", 3); chmod("file", 0600); utimensat(AT_FDCWD, "file", NULL, 0);
    snprintf(path, sizeof path, "%s/new", dir);
    put(open(path, O_RDWR | O_CREAT, 0600));
    snprintf(other, sizeof other, "%s/other", second);
    rename(path, other); link("file", path); symlink("/outside/canary", other); unlink(path); unlink(other);
    syscall(SYS_renameat2, AT_FDCWD, "plain", AT_FDCWD, path, 2);
    syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, "plain", 2);
    snprintf(path, sizeof path, "%s/d", dir);
    mkdir(path, 0700); rmdir(path); names(dir);
    if (d >= 0) close(d);
  }
  printf("opens %ld reads %ld writes %ld escapes %ld\\n", opens, reads, writes, escapes);
  return escapes > 0;
}
`;

/** In memory the host swaps a hundred times as often, where files there may have attributes. */
function fastPlace(): string {
  if (!existsSync('/dev/shm')) return tmpdir();
  const probe = mkdtempSync('/dev/shm/vedette-escape-');
  const { status } = spawnSync('setfattr', ['-n', 'user.x', '-v', '1', probe]);
  rmSync(probe, { recursive: true });
  return status === 0 ? '/dev/shm' : tmpdir();
}

for (const kind of ['bound', 'kept'] as const)
  describe(`out of a ${kind} directory`, needs('inside', 'gcc', 'setfattr'), () => escapes(kind));

function escapes(kind: 'bound' | 'kept'): void {
  const top = mkdtempSync(join(fastPlace(), 'vedette-escape-'));
  const names = [kind === 'bound' ? 'src' : 'box/upper/bound', 'out', 'root'];
  const [src, out, root] = names.map((name) => join(top, name)) as [string, string, string];
  after(() => rmSync(top, { recursive: true, force: true }));

  before(async () => {
    for (const [name, text] of [
      ['swapper', SWAPPER],
      ['attacker', ATTACKER],
    ] as const) {
      writeFileSync(join(top, `${name}.c`), text);
      const argv = ['gcc', '-O1', '-w', '-static', join(top, `${name}.c`), '-o', join(top, name)];
      const made = await runNative(argv, { timeoutMs: 120_000 });
      assert.equal(made.status, 0, made.stderr);
    }
    // The guest's own root has nothing that a link could lead to.
    for (const dir of [src, out, root, join(root, 'bin')]) mkdirSync(dir, { recursive: true });
    await runNative(['cp', join(top, 'attacker'), join(root, 'bin')]);
    for (const dir of ['dir', 'deep', 'chain', 'chain/a', 'chain/a/b']) mkdirSync(join(src, dir));
    writeFileSync(join(src, 'dir/canary'), 'not the one');
    for (const name of ['file', 'plain']) writeFileSync(join(src, name), 'text');
    writeFileSync(join(out, 'canary'), CANARY);
    symlinkSync(out, join(src, 'to-outside'));
    symlinkSync(join(out, 'canary'), join(src, 'to-canary'));
  });

  test('no way, while the host swaps what is there', async (t) => {
    const before = lstatSync(join(out, 'canary'), { bigint: true });
    const swapper = spawn(join(top, 'swapper'), [src, out], { stdio: ['ignore', 'pipe', 'inherit'] });
    let last = '';
    swapper.stdout.setEncoding('latin1').on('data', (text: string) => {
      last = text.trim().split('\n').at(-1) ?? last;
    });
    // On a busy host the attacker may be done before the first swap.
    await once(swapper.stdout, 'data');
    const shows = kind === 'bound' ? ['--bind', `${src}:/bound`] : ['--overlay', join(top, 'box')];
    const flags = ['--rootfs', root, ...shows, '--cwd', '/'];
    const r = await runInside(['/bin/attacker', String(TRIES), String(SECONDS)], {
      flags,
      timeoutMs: 120_000,
    });
    swapper.kill('SIGKILL');
    await new Promise((done) => swapper.on('close', done));
    assert.equal(r.status, 0, r.stdout + r.stderr);
    const said = /opens (\d+) reads (\d+) writes (\d+) escapes 0/.exec(r.stdout);
    assert.ok(said !== null, r.stdout);
    assert.ok(Number(last) > 1000, `the host swapped ${last} times`);
    for (const n of said.slice(1)) assert.ok(Number(n) > 20, r.stdout);
    t.diagnostic(`${said[0]}; ${last} swaps`);
    const now = lstatSync(join(out, 'canary'), { bigint: true });
    assert.equal(readFileSync(join(out, 'canary'), 'utf8'), CANARY);
    for (const field of ['ino', 'mode', 'uid', 'gid', 'nlink', 'size', 'mtimeNs', 'ctimeNs'] as const)
      assert.equal(now[field], before[field], field);
    // A directory that was moved out takes along what is made in it; beside it nothing appears.
    assert.deepEqual(
      readdirSync(out).filter((name) => name !== 'parked'),
      ['canary'],
    );
  });
}
