// The ends of what the sandbox was started with: who reads outside sees the end when programs inside have closed theirs, and
// gets everything that was written before, whatever ended the writer.
// suite: 15 s
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { vedette } from './harness/guest.ts';
import { compare, leave } from './harness/left.ts';
import { needs } from './harness/needs.ts';

const STAMP = 'date +%s%N';

/** Milliseconds from file `a` to file `b`, which hold times in ns. */
function between(files: Record<string, string>, a: string, b: string): number {
  return (Number(files[b]) - Number(files[a])) / 1e6;
}

const closings: readonly [name: string, line: string, script: string, kept: number][] = [
  ['standard output', '"$@"', 'echo text; exec >&-; sleep 2', 0],
  ['both outputs of one pipe', '"$@" 2>&1', 'echo text; exec >&- 2>&-; sleep 2', 0],
  ['the error output', '"$@" 2>&1 > /dev/null', 'echo text >&2; exec 2>&-; sleep 2', 0],
  [
    'an output that was opened anew',
    '"$@"',
    'exec 5>> /dev/stdout; echo text; exec >&-; exec 5>&-; sleep 2',
    0,
  ],
  ['what a child keeps', '"$@"', 'echo text; sleep 1 2>&- & exec >&-; sleep 3', 1000],
];

for (const [name, line, script, kept] of closings) {
  test(`stdio: ${name}, closed inside, ends outside`, needs('inside'), () => {
    const outer = `${STAMP} > start; ${line} | { read x; ${STAMP} > begin; cat; ${STAMP} > eof; echo $x; }; ${STAMP} > end`;
    const { files, stdout } = leave(outer, [...vedette, '--', 'sh', '-c', script]);
    assert.equal(stdout, 'text\n');
    assert.ok(
      between(files, 'eof', 'end') > 1000,
      `seen only ${between(files, 'eof', 'end')} ms before the end`,
    );
    assert.ok(between(files, 'begin', 'eof') > kept - 100, 'seen while a program had it open');
  });
}

test('stdio: a writer outside hears that nobody inside reads any more', needs('inside'), () => {
  const outer = `{ yes; echo $? > broken; ${STAMP} > eof; } 2> /dev/null | "$@"; ${STAMP} > end`;
  const { files } = leave(outer, [...vedette, '--', 'sh', '-c', 'head -n 1; exec <&-; sleep 2']);
  assert.equal(files.broken, '141\n');
  assert.ok(between(files, 'eof', 'end') > 1000);
});

/** A script that is killed right after it has written, and where its output goes. */
const deaths: readonly [line: string, script: string][] = [
  ['$over pipe 1024 1 "$@" > out', 'seq 1 9000; kill -9 $$'],
  ['$over pipe 1024 1 "$@" > out', 'seq 1 9000; sh -c "seq 9001 9500; kill -9 \\$PPID"; echo never'],
  ['$over pipe 1024 1 "$@" > out', 'seq 1 40000'],
  ['$over socket 1024 1 "$@" > out', 'seq 1 40000; kill -9 $$'],
  ['$over pty 1024 1 "$@" > out', 'seq 1 9000; kill -9 $$'],
  ['$over ptyout 1024 1 "$@" < /dev/null > out', 'seq 1 9000; kill -9 $$'],
  ['"$@" > out', 'seq 1 9000; kill -9 $$'],
  ['"$@" > out', 'timeout -s KILL 0.3 sh -c "seq 1 9000; sleep 9"; seq 5'],
];

for (const [line, script] of deaths)
  test(`stdio: ${line} with ${script}`, needs('inside', 'gcc'), () =>
    compare(`exec 2> /dev/null; ${line}`, script),
  );

test('stdio: a terminal that is read late loses nothing', needs('inside', 'gcc'), () => {
  // More than the host's terminal takes, and no more than the one inside takes on top: the program ends before it is read.
  const room = Number(leave('$over ptyroom 1 0 true', []).stdout);
  assert.ok(room >= 4096, `${room}`);
  compare('$over ptylate 4096 3500 "$@" > out', `head -c ${room + 3000} /dev/zero | tr '\\0' x; echo end`);
});

test('stdio: a full disk is reported to the writer', needs('inside', 'user namespaces', 'dd'), () => {
  const line =
    'mkdir m; unshare --user --map-root-user --mount sh -c \'mount -t tmpfs -o size=64k none m; "$@" > m/out 2> err; echo $?; cksum < m/out\' sh "$@"; rmdir m';
  compare(line, 'dd if=/dev/zero bs=1000 count=100 status=none; echo $? >&2; echo more || echo failed >&2');
  compare(line, 'head -c 60000 /dev/zero; echo x >> /dev/stdout; head -c 60000 /dev/zero >> /dev/fd/1');
});
