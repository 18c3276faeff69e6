import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { distDir } from '../../../test/harness/guest.ts';
import { ENOENT, ERESTARTSYS } from '../../abi/errno.ts';
import { newSiginfo } from '../../abi/signal/siginfo.ts';
import { SIGCHLD, SIGSEGV, SIGTERM } from '../../abi/signal/signal.ts';
import { escapeBytes, flagsText, hexText, namesOf, resultText } from '../syscalls/arg_text.ts';
import { errnoText } from '../syscalls/errno_text.ts';
import { siginfoText, signalSetText, waitStatusText } from './parts.ts';

test('bytes are escaped as in C', () => {
  const escaped = (text: string) => escapeBytes(Buffer.from(text, 'latin1'), 0, text.length);
  assert.equal(escaped('plain "quoted" \\'), 'plain \\"quoted\\" \\\\');
  assert.equal(escaped('\t\r\n\0'), '\\t\\r\\n\\0');
  assert.equal(escaped('\x001'), '\\0001', 'a digit after an octal escape');
  assert.equal(escaped('\xff'), '\\377');
});

test('results: numbers, addresses, errors, restarts', () => {
  assert.equal(resultText(5, false), '5');
  assert.equal(resultText(0x7f0000001000, true), '0x7f0000001000');
  assert.equal(resultText(-ENOENT, false), '-1 ENOENT (No such file or directory)');
  assert.match(resultText(-ERESTARTSYS, false), /^\? ERESTARTSYS/);
  assert.equal(hexText(-4096), '0xfffffffffffff000');
  assert.equal(errnoText(9999), 'Unknown error 9999');
});

test('flags: composite names first, the rest in hex', () => {
  const table = namesOf({ X_RW: 3, X_R: 1, X_W: 2, Y_Z: 4 }, 'X_');
  assert.equal(flagsText(3, table), 'X_RW');
  assert.equal(flagsText(9, table), 'X_R|0x8');
  assert.equal(flagsText(0, table, 'NONE'), 'NONE');
});

test('signal sets, infos and wait statuses', () => {
  assert.equal(signalSetText(0, 0), '[]');
  assert.equal(signalSetText(1 << (SIGTERM - 1), 0), '[TERM]');
  assert.equal(signalSetText(0xffffffff & ~(1 << (SIGTERM - 1)), 0xffffffff), '~[TERM]');
  const child = newSiginfo(SIGCHLD, 1);
  child.pid = 7;
  assert.match(siginfoText(child), /si_code=CLD_EXITED, si_pid=7, si_uid=0, si_status=0/);
  const fault = newSiginfo(SIGSEGV, 1);
  fault.addr = 0x1234;
  assert.equal(siginfoText(fault), '{si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x1234}');
  assert.equal(waitStatusText(3 << 8), '{WIFEXITED(s) && WEXITSTATUS(s) == 3}');
  assert.equal(waitStatusText(0x137f), '{WIFSTOPPED(s) && WSTOPSIG(s) == SIGSTOP}');
  assert.equal(waitStatusText(0x8b), '{WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV && WCOREDUMP(s)}');
});

test('a traced run: arguments, children, interrupted lines, signals, exits', () => {
  const main = join(distDir, 'vedette.cjs');
  const script = 'cat /no-such-file; sleep 0.1 & wait; exit 4';
  const r = spawnSync(process.execPath, [main, 'do', '--strace', '--', 'sh', '-c', script], {
    encoding: 'utf8',
  });
  assert.equal(r.status, 4);
  const has = (pattern: RegExp) => assert.match(r.stderr, pattern);
  has(
    /^\[\d+\] openat\(AT_FDCWD, "\/no-such-file", O_RDONLY\) = -1 ENOENT \(No such file or directory\) <\d\.\d{6}>$/m,
  );
  has(/^\[\d+\] execve\("[^"]*\/cat", \["cat", "\/no-such-file"\], 0x[0-9a-f]+ \/\* \d+ vars \*\/\) = 0 /m);
  has(/^\[1\] wait4\(-1, {1,2}<unfinished \.\.\.>$/m);
  has(/^\[1\] <\.\.\. wait4 resumed>\[\{WIFEXITED\(s\) && WEXITSTATUS\(s\) == 1\}\], 0, NULL\) = \d+ /m);
  has(/^\[1\] --- SIGCHLD \{si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=\d+, .*\} ---$/m);
  has(/^\[\d+\] mmap\(NULL, \d+, PROT_READ\|PROT_WRITE, MAP_PRIVATE\|MAP_ANONYMOUS, -1, 0\) = 0x[0-9a-f]+ /m);
  has(/^\[\d+\] read\(3, "\\177ELF/m);
  has(/^\[1\] \+\+\+ exited with 4 \+\+\+$/m);
});
