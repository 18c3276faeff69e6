// What a script leaves in the files, pipes, terminals and sockets of the host that it was started with: the same bytes inside
// and natively, whichever way it reaches them.
// suite: 30 s
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { vedette } from './harness/guest.ts';
import { compare, leave, type Outcome } from './harness/left.ts';
import { needs } from './harness/needs.ts';

/** Where standard output goes. */
const outputs: Record<string, string> = {
  'a new file': '"$@" > out',
  'an old file, appended to': '"$@" >> old',
  'an old file, opened for both': '"$@" 1<> old',
  'one file for both outputs': '"$@" > out 2>&1',
  'one file opened twice': '"$@" >> out 2>> out',
  'the error output': '"$@" 2> err > out',
  'a deleted file': 'exec 5<> out; rm out; "$@" >&5; r=$?; cat < /proc/self/fd/5 > left; exit $r',
  'a pipe': '{ "$@"; echo $? > status; } | cat > out',
  'one pipe for both': '{ "$@" 2>&1; echo $? > status; } | cat > out',
  'a terminal as output': '$over ptyout 4096 0 "$@" < /dev/null > out',
  'a terminal for all': '$over pty 4096 0 "$@" > out',
  'a socket': '$over socket 4096 0 "$@" > out 2> err',
  'a full device': '"$@" > /dev/full',
  'a null device': '"$@" > /dev/null',
};

const writers = [
  'echo a; echo b >> /dev/stdout; echo c',
  'echo aaa; echo b > /dev/stdout; echo c',
  'for i in 1 2 3; do echo $i >> /proc/self/fd/1; echo -$i; echo +$i >> /dev/fd/1; done',
  'echo a >&2; echo b >> /dev/stderr; echo c > /dev/fd/2; echo d >&2; echo e',
  'exec 3>> /dev/stdout 4> /dev/stdout; echo a; echo b >&3; echo c >&4; (echo d; echo e >&3); echo f >&4',
  'echo a | tee -a /dev/stdout /dev/stderr; echo b',
];

for (const [name, line] of Object.entries(outputs)) {
  test(`redirections: the same bytes in ${name}`, needs('inside', 'gcc'), () => {
    for (const script of writers) compare(line, script);
  });
}

/** Lines and scripts that belong together. */
const pairs: readonly [line: string, script: string][] = [
  ['"$@" < in > out', 'head -c 3; cat; cat /dev/stdin; cat < /proc/self/fd/0'],
  ['"$@" < in > out', 'read a; read b < /dev/stdin; read c; echo $a $b $c'],
  [
    '"$@" < in > out',
    'dd if=/dev/stdin of=/dev/stdout bs=4 skip=1 seek=2 conv=notrunc 2> /dev/null; echo end',
  ],
  ['"$@" 0<> old', 'read a; echo new > /dev/stdin; echo more >> /dev/fd/0; cat /dev/stdin; echo "$a"'],
  ['"$@" 0<> old', 'exec 3<> /dev/stdin; echo new >&3; cat <&3; echo again >&0'],
  ['"$@" < old >> old', 'read a; echo end; cat < /dev/stdin > /dev/null; echo more >> /dev/stdin'],
  // Some versions of cat copy by copy_file_range(2), some by sendfile(2), and python by what it is told.
  ['"$@" < in > out', 'cat; echo 2; cat /dev/stdin; echo 3; head -n 1 < /dev/stdin; echo 4'],
  [
    '"$@" < in > out',
    `python3 -c '${'import os; print(os.sendfile(1, 0, None, 5), os.read(0, 3), os.sendfile(1, 0, 1, 4), file=os.sys.stderr, flush=True); os.write(1, b"x"); os.copy_file_range(0, 1, 3); os.write(1, b"y")'}'; cat`,
  ],
  [
    '"$@" > out',
    `python3 -c '${'import os; os.write(1, b"abc"); os.lseek(1, 0, 0); os.pwritev(1, [b"def"], -1, os.RWF_APPEND) if hasattr(os, "RWF_APPEND") else 0; os.write(1, b"x"); f = os.open("/dev/stdout", 1); os.pwritev(f, [b"ghi"], 0, 16); os.write(f, b"Y")'}'`,
  ],
  [
    '"$@" > out',
    `python3 -c '${'import os, fcntl; os.write(1, b"abc"); f = os.open("/dev/stdout", 1); fcntl.fcntl(f, 4, 1024); os.write(f, b"de"); os.write(1, b"F"); fcntl.fcntl(1, 4, 1024); os.write(1, b"G"); fcntl.fcntl(f, 4, 0); os.write(f, b"H"); os.pwrite(f, b"I", 0)'}'; echo end`,
  ],
  ['"$@" > out', 'ulimit -f 1; head -c 3000 /dev/zero >> /dev/stdout; echo $? >&2'],
  ['"$@" > out', 'echo a; read x < /dev/stdout; echo got $x'],
  [
    '"$@" > out',
    'exec 3<> /dev/stdout; echo abc; echo de >&3; read x <&3; echo "[$x]" >&3; read x <&3; echo "[$x]"',
  ],
  ['"$@" >> old', 'echo a > /dev/stdout'],
  ['"$@" >> old', 'exec 3<> /dev/stdout; echo AB >&3; cat <&3 | tail -c 5; echo end'],
  ['"$@" 1<> old', 'truncate -s 4 /dev/stdout; echo a; echo b >> /dev/stdout'],
  ['umask 777; "$@" > out; chmod 644 out', 'echo a; echo b >> /dev/stdout'],
  ['"$@" < in | cat > out', 'cat /dev/stdin | tac'],
  ['cat in | "$@" > out', 'read a; cat /dev/stdin; cat < /dev/fd/0; echo $a'],
  ['"$@" > out 2> err < /dev/null', 'echo x > /dev/stdin; cat /dev/stdin; echo $?'],
  ['"$@" > out < in', 'exec 0>&- ; cat /dev/stdin; echo $?'],
  [
    'exec 2> /dev/null; "$@" > out',
    'echo abc; exec 3> /dev/stdout 4>&1; exec >&-; echo d >&3; echo e >&4; kill -9 $$',
  ],
];

for (const [line, script] of pairs)
  test(`redirections: ${line} with ${script}`, needs('inside'), () => compare(line, script));

/** Runs vedette in a shell of the host with `flags`, where "$@" is what runs the script. */
function inside(line: string, script: string, flags: readonly string[] = []): Outcome {
  return leave(line, [...vedette, ...flags, '--', 'sh', '-c', script]);
}

test('redirections: what was given for reading is never written', needs('inside'), () => {
  const opens = 'for f in /dev/stdin /proc/self/fd/0; do echo x > $f; echo x >> $f; echo x <> $f >&0; done';
  const r = inside(
    '"$@" < in',
    `(${opens}; truncate -s 1 /dev/stdin; dd of=/dev/stdin conv=notrunc <&1) 2> /tmp/e; echo end`,
  );
  assert.equal(r.files.in, 'one\ntwo\nthree\n');
  assert.equal(r.stdout, 'end\n');
  const piped = inside(
    'cat in | "$@"',
    'echo x > /dev/stdin || echo refused; read a < /dev/stdout || echo refused',
  );
  assert.equal(piped.stdout, 'refused\nrefused\n');
  assert.match(piped.stderr, /Permission denied/);
});

test(
  'redirections: output is read back only where the guest could read it by its name',
  needs('inside'),
  () => {
    const script = 'tail -n 1 < /dev/stdout >&2';
    const line = 'echo secret > log; "$@" >> log 2> seen';
    assert.equal(inside(line, script).files.seen, 'secret\n');
    for (const flags of [['--tmpfs=/mnt'], ['--rootfs=/usr']]) {
      const r =
        flags[0] === '--rootfs=/usr'
          ? leave(line, [...vedette, ...flags, '--', '/bin/sh', '-c', script])
          : inside(line, script, flags);
      assert.doesNotMatch(r.files.seen!, /secret/);
      assert.equal(r.files.log, 'secret\n');
    }
  },
);

test('redirections: the host decides about files of other users', needs('inside', 'root', 'setpriv'), () => {
  const map = 'import mmap; print(mmap.mmap(0, 0, prot=1).read())';
  const script = `cat; python3 -c '${map}'; cat < /dev/stdin; echo $?; echo x >> /dev/stdout; echo $?`;
  const shell = ['sh', '-c', script];
  const asNobody = 'chmod 600 in; setpriv --reuid 65534 --regid 65534 --clear-groups "$@" < in > out 2> err';
  const native = leave(asNobody, shell);
  assert.match(native.files.err!, /Permission denied/);
  assert.deepEqual(leave(asNobody, [...vedette, '--', ...shell]), native);
});
