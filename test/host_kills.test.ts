// The host kills the process that runs a guest's program (its out-of-memory killer does) while the guest waits in a call:
// others get what it held, at once, as natively when a process is killed.
// suite: 15 s
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemPath, vedette } from './harness/guest.ts';
import { needs } from './harness/needs.ts';

/** The victim maps a page at an address that nobody else uses, by which the test finds it on the host. */
const SOURCE = `
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#define CHECK(c) do { if (!(c)) { printf("line %d: %s (%s)\\n", __LINE__, #c, strerror(errno)); fflush(stdout); exit(1); } } while (0)
static void *mark;
static int p[2], up[2], fd, sem, queue;
static const char *dir;
static pthread_mutex_t *mutex;
static struct sockaddr_un name = { AF_UNIX };

static void mapMark(void) {
  *(volatile char *)mmap(mark, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) = 1;
}
static void parking(void) {
  mapMark();
  CHECK(write(up[1], "1", 1) == 1);
}
static char state(int pid) {
  char path[64], text[512] = "";
  sprintf(path, "/proc/%d/stat", pid);
  int f = open(path, O_RDONLY);
  if (f < 0 || read(f, text, 511) <= 0) return 'X';
  close(f);
  return strrchr(text, ')')[2];
}
/** Sees the victim die, and says so before the next one begins: who kills must not look for this one then. */
static void dies(int pid) {
  int status;
  CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  printf("dead\\n");
  fflush(stdout);
}
/** Waits until the victim waits, has it killed, and sees it die. */
static void killed(int pid) {
  char c;
  CHECK(pid > 0 && read(up[0], &c, 1) == 1);
  for (int i = 0; !strchr("SD", state(pid)); i++) { CHECK(i < 1000); usleep(2000); }
  usleep(20000);
  printf("parked\\n");
  fflush(stdout);
  dies(pid);
}
static int victim(void) { fflush(stdout); return fork(); }
static struct flock record(int type, int start) {
  return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = 1 };
}
static void sharedFile(void) { char path[256]; sprintf(path, "%s/file", dir); fd = open(path, O_RDWR | O_CREAT, 0644); CHECK(fd >= 0); }
/** Nobody has the pipe's reading end any more. */
static void broken(void) {
  close(p[0]);
  CHECK(write(p[1], "x", 1) == -1 && errno == EPIPE);
}

static void t_read(void) {
  char c;
  CHECK(pipe(p) == 0);
  int pid = victim();
  if (pid == 0) { close(p[1]); int q[2]; CHECK(pipe(q) == 0); parking(); read(q[0], &c, 1); }
  killed(pid);
  broken();
}
static void t_poll(void) {
  CHECK(pipe(p) == 0);
  int pid = victim();
  if (pid == 0) { close(p[1]); struct pollfd e = { p[0], POLLIN, 0 }; int q[2]; CHECK(pipe(q) == 0 && dup2(q[1], 99) == 99 && dup2(p[0], q[0]) == q[0]); parking(); poll(&e, 1, -1); }
  killed(pid);
  broken();
}
static void t_select(void) {
  CHECK(pipe(p) == 0);
  int keep = dup(p[1]);
  int pid = victim();
  if (pid == 0) { close(keep); close(p[1]); p[1] = dup(keep); fd_set s; FD_ZERO(&s); FD_SET(p[0], &s); parking(); select(p[0] + 1, &s, 0, 0, 0); }
  close(keep);
  killed(pid);
  broken();
}
static void t_epoll(void) {
  CHECK(pipe(p) == 0);
  int pid = victim();
  if (pid == 0) {
    int ep = epoll_create1(0);
    struct epoll_event e = { EPOLLIN };
    close(p[1]);
    CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e) == 0);
    parking();
    epoll_wait(ep, &e, 1, -1);
  }
  killed(pid);
  broken();
}
static void t_sleep(void) {
  int pid = victim();
  if (pid == 0) { parking(); pause(); }
  killed(pid);
}
static void t_flock(void) {
  sharedFile();
  int pid = victim();
  if (pid == 0) { sharedFile(); CHECK(flock(fd, LOCK_EX) == 0); parking(); pause(); }
  killed(pid);
  CHECK(flock(fd, LOCK_EX | LOCK_NB) == 0 && flock(fd, LOCK_UN) == 0);
}
static void t_flockWait(void) {
  sharedFile();
  CHECK(flock(fd, LOCK_SH) == 0);
  int pid = victim();
  if (pid == 0) { sharedFile(); parking(); flock(fd, LOCK_EX); }
  killed(pid);
  int other = fd;
  sharedFile();
  CHECK(flock(fd, LOCK_SH | LOCK_NB) == 0 && flock(other, LOCK_UN) == 0 && flock(fd, LOCK_EX | LOCK_NB) == 0);
  close(other);
}
static void t_record(void) {
  // Two processes share descriptors and so their locks: one waits for ours and dies, the other has what we want then.
  sharedFile();
  int files[2];
  CHECK(pipe(files) == 0);
  struct flock a = record(F_WRLCK, 0), b = record(F_WRLCK, 1), c = record(F_UNLCK, 1);
  CHECK(fcntl(fd, F_SETLK, &a) == 0);
  fflush(stdout);
  int holder = fork();
  if (holder == 0) {
    CHECK(fcntl(fd, F_SETLK, &b) == 0);
    int pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) { parking(); fcntl(fd, F_SETLKW, &a); _exit(0); }
    killed(pid);
    char go;
    CHECK(read(files[0], &go, 1) == 1);
    usleep(100000);
    CHECK(fcntl(fd, F_SETLK, &c) == 0);
    _exit(0);
  }
  CHECK(write(files[1], "1", 1) == 1);
  // Until the victim is dead; the lock is given up a little later.
  usleep(0);
  int status;
  while (waitpid(holder, &status, WNOHANG) == 0 && state(holder) != 'X') {
    char left;
    int n = 0;
    if (read(files[0], &left, 0) == 0) { struct pollfd e = { files[0], POLLIN, 0 }; n = poll(&e, 1, 0); }
    if (n == 0) break;
    usleep(1000);
  }
  CHECK(fcntl(fd, F_SETLKW, &b) == 0);
  CHECK(waitpid(holder, &status, 0) == holder && status == 0);
  close(fd);
}
static void t_fifo(void) {
  char path[256];
  sprintf(path, "%s/fifo", dir);
  CHECK(mkfifo(path, 0600) == 0);
  int pid = victim();
  if (pid == 0) { parking(); open(path, O_RDONLY); }
  killed(pid);
  CHECK(open(path, O_WRONLY | O_NONBLOCK) == -1 && errno == ENXIO);
}
static void t_accept(void) {
  sprintf(name.sun_path, "%s/socket", dir);
  int pid = victim();
  if (pid == 0) {
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(bind(s, (void *)&name, sizeof name) == 0 && listen(s, 1) == 0);
    parking();
    accept(s, 0, 0);
  }
  killed(pid);
  int s = socket(AF_UNIX, SOCK_STREAM, 0);
  CHECK(connect(s, (void *)&name, sizeof name) == -1 && errno == ECONNREFUSED);
  close(s);
}
static void t_recv(void) {
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0);
  int pid = victim();
  char c;
  if (pid == 0) { close(p[1]); parking(); recv(p[0], &c, 1, 0); }
  killed(pid);
  close(p[0]);
  CHECK(recv(p[1], &c, 1, 0) == 0);
  close(p[1]);
}
static void t_futex(void) {
  pthread_mutexattr_t a;
  mutex = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int *word = (int *)((char *)mutex + 4096);
  for (int pi = 0; pi < 2; pi++) {
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setpshared(&a, 1);
    pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    if (pi) pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
    CHECK(pthread_mutex_init(mutex, &a) == 0);
    int pid = victim();
    if (pid == 0) { CHECK(pthread_mutex_lock(mutex) == 0); parking(); syscall(SYS_futex, word, 0, 0, 0, 0, 0); }
    killed(pid);
    CHECK(pthread_mutex_lock(mutex) == EOWNERDEAD && pthread_mutex_consistent(mutex) == 0 && pthread_mutex_unlock(mutex) == 0);
    CHECK(syscall(SYS_futex, word, 1, 1, 0, 0, 0) == 0);
  }
}
static void t_sem(void) {
  sem = semget(IPC_PRIVATE, 2, 0600);
  struct sembuf give = { 0, 1, 0 }, take = { 0, -1, SEM_UNDO }, wait = { 1, -1, 0 };
  CHECK(sem >= 0 && semop(sem, &give, 1) == 0);
  int pid = victim();
  if (pid == 0) { CHECK(semop(sem, &take, 1) == 0); parking(); semop(sem, &wait, 1); }
  killed(pid);
  CHECK(semctl(sem, 0, GETVAL) == 1 && semctl(sem, 1, GETNCNT) == 0 && semctl(sem, 0, IPC_RMID) == 0);
}
static void t_msg(void) {
  struct { long type; char text[4]; } m = { 7, "abc" };
  struct msqid_ds ds;
  queue = msgget(IPC_PRIVATE, 0600);
  int pid = victim();
  if (pid == 0) { parking(); msgrcv(queue, &m, 4, 7, 0); }
  killed(pid);
  CHECK(msgsnd(queue, &m, 4, 0) == 0 && msgctl(queue, IPC_STAT, &ds) == 0 && ds.msg_qnum == 1);
  CHECK(msgctl(queue, IPC_RMID, 0) == 0);
}
static void t_vfork(void) {
  int go[2];
  char c;
  CHECK(pipe(p) == 0 && pipe(go) == 0);
  int pid = victim();
  if (pid == 0) {
    parking();
    if (syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0, 0, 0, 0) == 0) {
      munmap(mark, 4096);
      CHECK(write(p[1], "1", 1) == 1 && read(go[0], &c, 1) == 1 && write(p[1], "2", 1) == 1);
      _exit(0);
    }
    pause();
  }
  CHECK(read(p[0], &c, 1) == 1);
  killed(pid);
  CHECK(write(go[1], "1", 1) == 1 && read(p[0], &c, 1) == 1 && c == '2');
  while (waitpid(-1, 0, 0) > 0) {}
}
static void *reader(void *q) { char c; parking(); read(((int *)q)[0], &c, 1); return 0; }
static void t_threads(void) {
  CHECK(pipe(p) == 0);
  int pid = victim();
  if (pid == 0) {
    close(p[1]);
    int q[2];
    pthread_t t;
    CHECK(pipe(q) == 0 && pthread_create(&t, 0, reader, q) == 0);
    struct pollfd e = { p[0], POLLIN, 0 };
    poll(&e, 1, -1);
  }
  killed(pid);
  broken();
}
static void t_longWrite(void) {
  // The victim is in the middle of a long write nearly always: others wait for the file, and for the position that they share.
  enum { LONG = 32 << 20 };
  sharedFile();
  volatile int *rounds = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  char *text = malloc(LONG);
  memset(text, 'x', LONG);
  for (int shared = 0; shared < 2; shared++) {
    int pid = victim();
    if (pid == 0) {
      if (!shared) sharedFile();
      parking();
      for (;;) { write(fd, text, LONG); lseek(fd, 0, SEEK_SET); }
    }
    char c;
    CHECK(read(up[0], &c, 1) == 1);
    fflush(stdout);
    int waiter = fork();
    if (waiter == 0) {
      munmap(mark, 4096);
      if (!shared) sharedFile();
      for (;; ++*rounds) { CHECK(lseek(fd, 0, SEEK_SET) == 0 && write(fd, "y", 1) == 1); }
    }
    for (int before = *rounds; *rounds < before + 3;) usleep(1000);
    printf("parked\\n");
    fflush(stdout);
    dies(pid);
    int status;
    for (int before = *rounds; *rounds < before + 100;) usleep(1000);
    CHECK(kill(waiter, SIGKILL) == 0 && waitpid(waiter, &status, 0) == waiter && WIFSIGNALED(status));
  }
  CHECK(ftruncate(fd, 0) == 0);
  free(text);
}
static void *spins(void *unused) { for (;;) {} }
static void t_exec(void) {
  // An execve that waits for the other threads to die holds the program, which nobody may write to meanwhile.
  char copy[256], at[32];
  static char text[1 << 20];
  sprintf(copy, "%s/copy", dir);
  sprintf(at, "%lx", (long)mark);
  int self = open("/proc/self/exe", O_RDONLY), to = open(copy, O_WRONLY | O_CREAT, 0755);
  int size = read(self, text, sizeof text);
  CHECK(size > 0 && size < sizeof text && write(to, text, size) == size);
  close(self);
  close(to);
  for (int round = 0; round < 4; round++) {
    int pid = victim(), f;
    if (pid == 0) {
      pthread_t t;
      for (int i = 0; i < 30; i++) CHECK(pthread_create(&t, 0, spins, 0) == 0);
      parking();
      // The one who looks may have it open for writing.
      for (;;) execl(copy, copy, at, dir, "-", (char *)0);
    }
    char c;
    CHECK(read(up[0], &c, 1) == 1);
    while ((f = open(copy, O_WRONLY)) >= 0) close(f);
    CHECK(errno == ETXTBSY);
    printf("parked\\n");
    fflush(stdout);
    dies(pid);
    f = open(copy, O_WRONLY);
    CHECK(f >= 0);
    close(f);
  }
}
static void t_exits(void) {
  // One that the host killed while it stands in line to run, and one whose parent waits for it.
  int pid = victim();
  if (pid == 0) {
    int child = fork();
    if (child == 0) { munmap(mark, 4096); pause(); }
    CHECK(write(p[1], &child, sizeof child) == sizeof child);
    parking();
    waitpid(child, 0, 0);
  }
  int child;
  CHECK(read(p[0], &child, sizeof child) == sizeof child);
  killed(pid);
  CHECK(kill(child, SIGKILL) == 0);
}

int main(int argc, char **argv) {
  mark = (void *)strtoul(argv[1], 0, 16);
  dir = argv[2];
  signal(SIGPIPE, SIG_IGN);
  CHECK(pipe(up) == 0);
  if (argc > 3 && strcmp(argv[3], "-") == 0) { mapMark(); pause(); }
#define RUN(n) if (argc < 4 || strcmp(argv[3], #n) == 0) { t_##n(); printf("ok " #n "\\n"); fflush(stdout); }
  RUN(read) RUN(poll) RUN(select) RUN(epoll) RUN(sleep) RUN(flock) RUN(flockWait) RUN(record) RUN(fifo) RUN(accept) RUN(recv)
  RUN(futex) RUN(sem) RUN(msg) RUN(vfork) RUN(threads) RUN(longWrite) RUN(exec)
  CHECK(pipe(p) == 0);
  RUN(exits)
  return 0;
}
`;

let dir = '';
let program = '';
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'vedette-host-kills-'));
  program = join(dir, 'main');
  writeFileSync(`${program}.c`, SOURCE);
  const cc = spawnSync('cc', ['-O1', '-pthread', '-o', program, `${program}.c`], { encoding: 'utf8' });
  assert.ok(cc.error !== undefined || cc.status === 0, cc.stderr);
});
after(() => rmSync(dir, { recursive: true, force: true }));

/**
 * Kills the process of the host that has the page mapped. One and no more: while the rest is looked at, the next victim may have
 * begun in a process that was there before.
 */
function killMarked(mark: string): boolean {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (!readFileSync(`/proc/${pid}/maps`, 'latin1').includes(`${mark}-`)) continue;
      process.kill(Number(pid), 'SIGKILL');
      return true;
    } catch {
      // It ended meanwhile.
    }
  }
  return false;
}

/** How often the page is looked for, 20 ms apart: programs start slowly on a busy host. */
const LOOKS = 1000;

let runs = 0;

/** All that the program says; its victims are killed when it says that they are parked. */
function run(command: readonly string[]): Promise<string> {
  const mark = (0x1200_0000_0000 + process.pid * 0x10_0000 + ++runs * 0x1_0000).toString(16);
  const folder = mkdtempSync(join(dir, 'run-'));
  const [file = '', ...args] = [...command, program, mark, folder];
  const child = spawn(file, args, {
    env: { PATH: systemPath },
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  let said = '';
  let seen = 0;
  let again: NodeJS.Timeout | undefined;
  // A victim that has just taken a new program maps the page at once; the process that it leaves may have it still, and be
  // the one that is killed.
  const kill = (tries: number): void => {
    const { length } = said;
    if (killMarked(mark)) again = setTimeout(() => said.length === length && kill(LOOKS), 2000);
    else if (tries === 0) said += 'nobody to kill\n';
    else again = setTimeout(kill, 20, tries - 1);
  };
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    said += text;
    for (let at = said.indexOf('parked\n', seen); at >= 0; at = said.indexOf('parked\n', seen)) {
      seen = at + 1;
      clearTimeout(again);
      kill(LOOKS);
    }
  });
  return new Promise((done) => {
    const timer = setTimeout(() => {
      said += 'too slow\n';
      process.kill(-child.pid!, 'SIGKILL');
    }, 180_000);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      clearTimeout(again);
      done(`${said}${code ?? signal}`);
    });
  });
}

test('host kills: a process that waits gives up what it holds', needs('inside', 'cc'), async () => {
  const native = await run([]);
  assert.match(native, /ok exits\n0$/);
  for (const platform of ['systrap', 'ptrace'])
    assert.equal(await run([...vedette, `--platform=${platform}`, '--']), native, platform);
});
