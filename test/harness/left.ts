// Runs one line of shell on the host with a script natively and inside, and compares all that it leaves: files, output, status.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { compileC, systemPath, vedette } from './guest.ts';
import { which } from './needs.ts';

/**
 * over KIND STEP DELAY_MS CMD...: runs CMD with a terminal ("pty": 0-2, "ptyout": 1 and 2, "ptylate": 0-2), a socket ("socket":
 * 1) or a pipe ("pipe": 1), reads from it STEP bytes at a time with DELAY_MS in between (after it, with "late", at full speed),
 * writes them to its own output, and ends as CMD does. "ptyroom": only tells how many bytes a terminal takes that nobody reads.
 */
const OVER = `
#define _GNU_SOURCE
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv) {
  const char *kind = argv[1];
  int step = atoi(argv[2]), delay = atoi(argv[3]), fd[2], status;
  int tty = strncmp(kind, "pty", 3) == 0;
  if (tty ? openpty(&fd[0], &fd[1], 0, 0, 0) : strcmp(kind, "socket") == 0 ? socketpair(AF_UNIX, SOCK_STREAM, 0, fd) : pipe(fd)) return 99;
  if (strcmp(kind, "ptyroom") == 0) {
    long room = 0;
    fcntl(fd[1], F_SETFL, O_NONBLOCK);
    while (write(fd[1], "x", 1) == 1) room++;
    return printf("%ld\\n", room) < 0;
  }
  int late = strcmp(kind, "ptylate") == 0, pid = fork();
  if (pid == 0) {
    if (tty) {
      if (late || strcmp(kind, "pty") == 0) { login_tty(fd[1]); }
      else { dup2(fd[1], 1); dup2(fd[1], 2); }
    } else dup2(fd[1], 1);
    close(fd[0]);
    if (fd[1] > 2) close(fd[1]);
    execvp(argv[4], argv + 4);
    _exit(98);
  }
  close(fd[1]);
  char buffer[65536];
  long n;
  if (late) { usleep(delay * 1000); delay = 0; }
  while ((n = read(fd[0], buffer, step)) > 0) {
    if (write(1, buffer, n) != n) return 97;
    if (delay) usleep(delay * 1000);
  }
  waitpid(pid, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
`;

let dir = '';
let over = '';
before(async () => {
  dir = mkdtempSync(join(tmpdir(), 'vedette-redirections-'));
  writeFileSync(join(dir, 'over.c'), OVER);
  // Tests that need it say so.
  if (which('gcc') !== undefined) over = await compileC(join(dir, 'over.c'), ['-O1', '-lutil']);
});
after(() => rmSync(dir, { recursive: true, force: true }));

export interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
  files: Record<string, string>;
}

/** Runs `line` in a shell of the host in a folder of its own, where "$@" is what runs the script: all that it left. */
export function leave(line: string, command: readonly string[]): Outcome {
  const cwd = mkdtempSync(join(dir, 'run-'));
  writeFileSync(join(cwd, 'in'), 'one\ntwo\nthree\n');
  writeFileSync(join(cwd, 'old'), 'some old text that is longer than what comes\n');
  const env = { PATH: systemPath, LC_ALL: 'C.UTF-8', over };
  const r = spawnSync('sh', ['-c', line, 'sh', ...command], {
    cwd,
    env,
    encoding: 'latin1',
    timeout: 60_000,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const files: Record<string, string> = {};
  for (const name of readdirSync(cwd).sort()) files[name] = readFileSync(join(cwd, name), 'latin1');
  return { status: r.status, stdout: r.stdout, stderr: r.stderr, files };
}

export function compare(line: string, script: string): void {
  const shell = ['sh', '-c', script];
  const native = leave(line, shell);
  assert.notEqual(native.status, null, `natively: ${line}`);
  assert.deepEqual(leave(line, [...vedette, '--', ...shell]), native, `${line}\n  with ${script}`);
}
