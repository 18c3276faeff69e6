// Files that cannot be executed: execve(2) inside gives the errno that it gives natively, and the Sentry goes on.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ET_EXEC, PF_R, PF_X, PT_INTERP, PT_LOAD, PT_NOTE } from '../src/elf/index.ts';
import { runInside, runNative } from './harness/guest.ts';
import { nativeOnly } from './harness/needs.ts';

/** Executes each file named on its input in a child and prints what became of it. */
const TRY = `
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fcntl.h>
int main(void) {
  char line[8192];
  while (fgets(line, sizeof line, stdin)) {
    line[strcspn(line, "\\n")] = 0;
    int p[2], e = 0, status;
    if (pipe2(p, O_CLOEXEC)) return 1;
    pid_t pid = fork();
    if (pid == 0) {
      char *argv[] = {line, "arg", NULL}, *envp[] = {NULL};
      int null = open("/dev/null", O_RDWR);
      dup2(null, 0); dup2(null, 1); dup2(null, 2);
      execve(line, argv, envp);
      e = errno;
      write(p[1], &e, sizeof e);
      _exit(99);
    }
    close(p[1]);
    int got = read(p[0], &e, sizeof e);
    close(p[0]);
    waitpid(pid, &status, 0);
    char *name = strrchr(line, '/');
    if (strlen(line) > 200) name = "/long";
    if (got > 0) printf("%s: errno %d\\n", name, e);
    else if (WIFSIGNALED(status)) printf("%s: signal\\n", name);
    else printf("%s: exit %d\\n", name, WEXITSTATUS(status));
    fflush(stdout);
  }
}
`;

const dir = mkdtempSync(join(tmpdir(), 'vedette-bad-'));
const files: string[] = [];

interface Segment {
  type: number;
  flags: number;
  offset: number;
  vaddr: number;
  filesz: number;
  memsz: number;
  align: number;
}

const LOAD: Segment = {
  type: PT_LOAD,
  flags: PF_R | PF_X,
  offset: 0,
  vaddr: 0x400000,
  filesz: 0x1000,
  memsz: 0x1000,
  align: 0x1000,
};
/** exit_group(42) */
const CODE = [0xb8, 0xe7, 0, 0, 0, 0xbf, 42, 0, 0, 0, 0x0f, 0x05];
const CODE_AT = 0x800;

function elf(segments: Segment[], patch: (bytes: Buffer) => void = () => {}): Buffer {
  const bytes = Buffer.alloc(0x1000);
  bytes.write('\x7fELF\x02\x01\x01', 'latin1');
  bytes.writeUInt16LE(ET_EXEC, 16);
  bytes.writeUInt16LE(62, 18);
  bytes.writeUInt32LE(1, 20);
  bytes.writeBigUInt64LE(BigInt(0x400000 + CODE_AT), 24);
  bytes.writeBigUInt64LE(64n, 32);
  bytes.writeUInt16LE(64, 52);
  bytes.writeUInt16LE(56, 54);
  bytes.writeUInt16LE(segments.length, 56);
  segments.forEach((s, i) => {
    const at = 64 + 56 * i;
    bytes.writeUInt32LE(s.type, at);
    bytes.writeUInt32LE(s.flags, at + 4);
    for (const [off, v] of [
      [8, s.offset],
      [16, s.vaddr],
      [24, s.vaddr],
      [32, s.filesz],
      [40, s.memsz],
      [48, s.align],
    ] as const)
      bytes.writeBigUInt64LE(BigInt(v), at + off);
  });
  bytes.set(CODE, CODE_AT);
  patch(bytes);
  return bytes;
}

function file(name: string, content: Buffer | string, mode = 0o755): void {
  writeFileSync(join(dir, name), content);
  chmodSync(join(dir, name), mode);
  files.push(join(dir, name));
}

function interpreted(path: string, patch: (bytes: Buffer) => void = () => {}): Buffer {
  return elf(
    [LOAD, { ...LOAD, type: PT_INTERP, offset: 0x900, filesz: path.length + 1, memsz: path.length + 1 }],
    (bytes) => {
      bytes.write(`${path}\0`, 0x900, 'latin1');
      patch(bytes);
    },
  );
}

before(() => {
  writeFileSync(join(dir, 'try.c'), TRY);
  execFileSync('cc', ['-O1', '-w', '-D_GNU_SOURCE', '-o', join(dir, 'try'), join(dir, 'try.c')]);

  file('good', elf([LOAD]));
  file('empty', '');
  file('one_byte', 'x');
  file('text', 'echo hello\n');
  file('not_executable', elf([LOAD]), 0o644);
  mkdirSync(join(dir, 'directory'));
  symlinkSync('loop', join(dir, 'loop'));
  spawnSync('mkfifo', ['-m', '755', join(dir, 'fifo')]);
  files.push(join(dir, 'directory'), join(dir, 'loop'), join(dir, 'fifo'), join(dir, 'missing'));
  files.push('/dev/null', join(dir, 'good/below'), `${dir}/${'n'.repeat(300)}`, `/${'p/'.repeat(2100)}`);

  file('header_cut', elf([LOAD]).subarray(0, 40));
  file('table_cut', elf([LOAD]).subarray(0, 80));
  file(
    'class32',
    elf([LOAD], (b) => b.writeUInt8(1, 4)),
  );
  file(
    'machine',
    elf([LOAD], (b) => b.writeUInt16LE(183, 18)),
  );
  file(
    'relocatable',
    elf([LOAD], (b) => b.writeUInt16LE(1, 16)),
  );
  file(
    'core',
    elf([LOAD], (b) => b.writeUInt16LE(4, 16)),
  );
  file('no_headers', elf([]));
  file(
    'entry_size',
    elf([LOAD], (b) => b.writeUInt16LE(32, 54)),
  );
  file(
    'many_headers',
    elf([LOAD], (b) => b.writeUInt16LE(0xffff, 56)),
  );
  file(
    'table_far',
    elf([LOAD], (b) => b.writeBigUInt64LE(1n << 40n, 32)),
  );
  file('interp_missing', interpreted('/no/such/interpreter'));
  file('interp_directory', interpreted('/etc'));
  file('interp_text', interpreted('/etc/passwd'));
  file('interp_not_elf', interpreted(join(dir, 'text')));
  file('interp_empty', interpreted(join(dir, 'empty')));
  file('interp_class32', interpreted(join(dir, 'class32')));
  file(
    'interp_unterminated',
    interpreted('/lib64/ld', (b) => b.write('xxxxxxxxxxxxxxxx', 0x909)),
  );
  file('interp_one_byte', elf([LOAD, { ...LOAD, type: PT_INTERP, offset: 0x900, filesz: 1, memsz: 1 }]));
  file('interp_long', elf([LOAD, { ...LOAD, type: PT_INTERP, offset: 0, filesz: 5000, memsz: 5000 }]));
  file('interp_far', elf([LOAD, { ...LOAD, type: PT_INTERP, offset: 1 << 30, filesz: 20, memsz: 20 }]));

  // Linux has given up the old program when it notices, and kills it.
  const killed: [string, Buffer][] = [
    ['no_load', elf([{ ...LOAD, type: PT_NOTE }])],
    ['filesz', elf([{ ...LOAD, filesz: 0x2000 }])],
    ['vaddr_kernel', elf([{ ...LOAD, vaddr: 0x7fff_ffff_f000 }])],
    ['vaddr_zero', elf([{ ...LOAD, vaddr: 0 }])],
    ['vaddr_unaligned', elf([{ ...LOAD, vaddr: 0x400123 }])],
    ['memsz_huge', elf([{ ...LOAD, memsz: 0x7fff_0000_0000 }])],
    ['overlapping', elf([LOAD, { ...LOAD, memsz: 0x3000 }])],
    ['entry_outside', elf([LOAD], (b) => b.writeBigUInt64LE(0x1234_0000n, 24))],
    ['entry_kernel', elf([LOAD], (b) => b.writeBigUInt64LE(0xffff_8000_0000_0000n, 24))],
    ['beyond_end', elf([{ ...LOAD, offset: 0x100000 }])],
  ];
  for (const [name, content] of killed) file(name, content);

  file('script_nothing', '#!\n');
  file('script_blank', '#!   \n');
  file('script_missing', '#!/no/such/interpreter\n');
  file('script_directory', '#!/etc\n');
  file('script_long_name', `#!/${'a'.repeat(300)}\n`);
  file('script_good', `#!${join(dir, 'good')}\n`);
  file('script_itself', `#!${join(dir, 'script_itself')}\n`);
  for (let depth = 1; depth <= 7; depth++)
    file(`script_${depth}`, `#!${join(dir, depth === 1 ? 'good' : `script_${depth - 1}`)}\n`);
});

after(() => rmSync(dir, { recursive: true, force: true }));

test('execve refuses what Linux refuses, with its errno', async () => {
  const input = `${files.join('\n')}\n`;
  const native = await runNative([join(dir, 'try')], { input });
  assert.equal(native.stdout.trim().split('\n').length, files.length, native.stderr);
  assert.match(native.stdout, /^\/good: exit 42$/m);
  if (nativeOnly) return;
  const inside = await runInside([join(dir, 'try')], { input });
  assert.deepEqual(inside.stdout.split('\n'), native.stdout.split('\n'), inside.stderr);
});

test('arguments beyond the limits are E2BIG, those within arrive', async () => {
  const script = [
    'a=$(head -c 131071 /dev/zero | tr "\\\\0" x); /bin/true "$a" && echo fits',
    'a=x$a; /bin/true "$a" 2>/dev/null; echo $?',
    'ulimit -s 1024; seq 1 60000 | xargs -s 200000 echo | wc -w',
    'set -- $(seq 1 120000); /bin/true "$@" 2>/dev/null; echo $?',
  ].join('; ');
  const native = await runNative(['bash', '-c', script]);
  if (nativeOnly) return;
  const inside = await runInside(['bash', '-c', script]);
  assert.deepEqual([inside.stdout, inside.status], [native.stdout, native.status], inside.stderr);
});
