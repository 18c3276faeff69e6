// What a program has of its caller's process: the same inside as natively, each line run both ways in a shell of the host.
// suite: 25 s
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { distDir, starter, systemPath } from './harness/guest.ts';
import { needs } from './harness/needs.ts';

const dir = mkdtempSync(join(tmpdir(), 'vedette-inheritance-'));
after(() => rmSync(dir, { recursive: true, force: true }));
const env = { PATH: `${dirname(process.execPath)}:${systemPath}`, LC_ALL: 'C.UTF-8', HOME: dir };

interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Runs `line` in a folder of its own with a file `in`; "$@" before a program of the line is `words`. */
function run(line: string, words: readonly string[]): Outcome {
  const cwd = join(dir, 'cwd');
  rmSync(cwd, { recursive: true, force: true });
  mkdirSync(cwd);
  writeFileSync(join(cwd, 'in'), 'one\ntwo\n');
  const { status, stdout, stderr } = spawnSync('bash', ['-c', line, 'bash', ...words], {
    cwd,
    env,
    encoding: 'latin1',
    timeout: 60_000,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return { status, stdout, stderr };
}

/** The same for `vedette do` with flags: what it prints, and how it ends. */
function inside(line: string, ...flags: string[]): Outcome {
  return run(line, [...starter.slice(0, -1), ...flags, '--']);
}

const UP = (script: string) =>
  `exec 8< <(LINE exec "$@" sh -c 'echo up; ${script}'); child=$!; read up <&8; echo $up`;
const block = (signals: string) =>
  `python3 -c 'import os, signal as s, sys; s.pthread_sigmask(s.SIG_BLOCK, [${signals}]); os.execvp(sys.argv[1], sys.argv[1:])'`;

const lines: readonly [name: string, line: string, ...needs: string[]][] = [
  ['ignored signals', 'trap "" HUP INT PIPE TSTP TTOU USR1 RTMIN+3; "$@" grep SigIgn /proc/self/status'],
  ['nohup', `nohup "$@" sh -c 'kill -HUP $$; echo alive' | cat; echo \${PIPESTATUS[0]}`],
  ['a broken pipe that is ignored', `trap "" PIPE; "$@" sh -c 'yes 2> /dev/null; echo $? >&2' | head -n 1`],
  ['a broken pipe', `"$@" sh -c 'yes; echo $? >&2' | head -n 1`],
  [
    'a signal from outside that is ignored',
    `${UP('sleep 1; echo alive').replace('LINE', 'trap "" HUP;')}; kill -HUP $child; cat <&8; wait $child; echo $?`,
  ],
  [
    'interrupts that are ignored',
    `${UP('sleep 1; echo alive').replace('LINE', 'trap "" INT TERM;')}; for i in 1 2 3 4; do kill -INT $child; kill -TERM $child; sleep 0.1; done; cat <&8; wait $child; echo $?`,
  ],
  ['a command in the background', `"$@" sh -c 'grep SigIgn /proc/self/status' & wait $!`],
  [
    'blocked signals',
    `${block('s.SIGTERM, s.SIGUSR1, s.SIGCHLD, s.SIGSEGV, 40')} "$@" grep SigBlk /proc/self/status`,
    'python3',
  ],
  [
    'a signal from outside that is blocked',
    `exec 8< <(exec ${block('s.SIGTERM')} "$@" python3 -uc '${'import signal, time; print("up"); time.sleep(1); print(signal.sigpending())'}'); child=$!; read up <&8; kill -TERM $child; cat <&8; wait $child; echo $?`,
    'python3',
  ],

  ['limits', `"$@" bash -c 'ulimit -Sa; ulimit -Ha'`],
  [
    'soft limits',
    `ulimit -Sn 777; ulimit -Sc 0; ulimit -Ss 4096; ulimit -Sf 5000; ulimit -Sd 3000000; ulimit -Sv 4000000; ulimit -St 1000; ulimit -Su 1000; ulimit -Sl 100; "$@" bash -c 'ulimit -Sa; ulimit -Ha'`,
  ],
  [
    'hard limits',
    `ulimit -n 1500; ulimit -c 100; ulimit -s 6000; ulimit -t 1000; ulimit -l 64; ulimit -i 100; ulimit -q 4096; "$@" bash -c 'ulimit -Sa; ulimit -Ha'`,
  ],
  [
    'a limit that binds',
    `ulimit -Sn 20; "$@" bash -c 'exec 10< in 15< in 19< in; exec 20< in; echo $?' 2>&1`,
  ],
  ['a limit of processor time', `{ ulimit -St 1; "$@" sh -c 'while :; do :; done'; } 2> /dev/null; echo $?`],
  ['umask', `umask 0027; "$@" sh -c 'umask; touch f; stat -c %a f'`],
  ['no umask', `umask 0; "$@" sh -c 'umask; mkdir f; stat -c %a f'`],
  [
    'groups',
    `for how in --clear-groups '--groups 5,6' '--groups 7'; do setpriv --regid 65534 $how "$@" python3 -c 'import os; print(os.getgid(), os.getgroups())'; done; setpriv --reuid 65534 --regid 65534 --groups 7,65534,5 "$@" grep Groups /proc/self/status`,
    'root',
    'setpriv',
    'python3',
  ],
  ['nice value', `nice -n 7 "$@" sh -c 'nice; nice -n 2 nice'`],
  [
    'one processor',
    `taskset -c 1 "$@" sh -c 'nproc; nproc --all; grep Cpus_allowed: /proc/self/status'`,
    'two cpus',
    'taskset',
  ],
  [
    'another processor',
    `taskset -c 0 "$@" sh -c 'nproc; nproc --all; taskset -p $$ | sed "s/.* //"; taskset -cp 1 $$ > /dev/null; nproc'`,
    'two cpus',
    'taskset',
  ],
  ['all processors', `"$@" sh -c 'nproc; grep Cpus_allowed: /proc/self/status | tr -d 0,'`],

  [
    'a working directory that is no UTF-8',
    `mkdir $'d\\xff'; cd $'d\\xff'; touch $'f\\xfe'; "$@" sh -c 'pwd; ls | cat; cat ../in'`,
  ],
  ['a working directory with odd characters', `mkdir $'a b\\n$x'; cd $'a b\\n$x'; "$@" pwd`],

  ['no standard input', '"$@" cat <&-; echo $?'],
  ['no standard output', '"$@" /bin/echo hi >&-; echo $?'],
  ['no standard error', `"$@" sh -c 'echo hi >&2; echo $?' 2>&-`],
  [
    'nothing at all',
    `"$@" sh -c 'echo a; exec 5> /dev/null; test -e /proc/self/fd/2 || exit 7' <&- >&- 2>&-; echo $?`,
  ],
  [
    'which descriptors',
    `exec 3< in 5>&1 9<> in; "$@" sh -c 'for i in 0 1 2 3 4 5 6 7 8 9; do test -e /proc/self/fd/$i && echo $i; done' <&-`,
  ],
  [
    'other descriptors',
    `exec 3< in 7>> log; "$@" sh -c 'read a <&3; echo $a >&7; cat <&3'; cat log; cat <&3`,
  ],
  [
    'a pipe at another descriptor',
    `"$@" sh -c 'echo text >&4; exec 4>&-; sleep 0.2; echo end' 4> >(cat; echo seen) | cat`,
  ],
  [
    'a socket at another descriptor',
    `python3 -c '${'import os, socket, sys; a, b = socket.socketpair(); os.dup2(b.fileno(), 5); b.close(); os.set_inheritable(5, True); p = os.spawnvp(os.P_NOWAIT, sys.argv[1], sys.argv[1:]); os.close(5); print(a.recv(99))'}' "$@" sh -c 'echo hi >&5'`,
    'python3',
  ],
  ['process substitution', '"$@" diff <(echo a; echo b) <(echo a; echo c)'],
  ['process substitution for output', `echo text | "$@" tee >(sed 's/^/copy /') | cat | sort`],
  ['a descriptor named in an option', 'exec 20< in; "$@" grep --file=/dev/fd/20 in'],
  ['a descriptor named in a script', `exec 30< in; "$@" sh -c 'cat < /proc/self/fd/30'`],

  [
    'arguments that are no UTF-8',
    `"$@" printf '%s|' $'\\xff\\xfe' $'\\xc3' $'\\xed\\xa0\\x80' ä $'a\\nb' '' ' '`,
  ],
  ['a program whose name is no UTF-8', `cp /bin/echo $'./e\\xff'; "$@" $'./e\\xff' hi there`],
  [
    'variables that are no UTF-8',
    `export A=$'\\xff\\xfe' B=$'\\xc3\\xa4\\xc3'; "$@" sh -c 'printf %s "$A|$B"'`,
  ],
  [
    'variables with odd names',
    `env -i PATH="$PATH" 'a b=c' x.y=z $'\\xff=1' 'e=' "$@" env -0 | tr '\\0' '\\n'`,
  ],
  [
    'variables as they come',
    `python3 -c '${'import os, sys; os.execvpe(sys.argv[1], sys.argv[1:], {"PATH": os.environ["PATH"], "Z": "1", "A": "2"})'}' "$@" env`,
    'python3',
  ],
  ['exported functions', `f() { echo "in f: $1"; }; export -f f; "$@" bash -c 'f x'`],
  ['no variable', 'env -i PATH="$PATH" "$@" env'],
  [
    'variables that are special here',
    'NODE_EXTRA_CA_CERTS=/no/such VEDETTE_X=1 NODE_OPTIONS=--no-warnings "$@" env | grep -e NODE -e VEDETTE',
  ],

  [
    'the names of descriptors',
    `echo x > gone; exec 4< gone 5> new 6< /dev/null 7<> /dev/zero; rm gone; "$@" readlink /proc/self/fd/0 /proc/self/fd/{3..7} 3< in`,
  ],
  [
    'the name of a pipe',
    `{ test "$(readlink /proc/self/fd/3)" = "$("$@" readlink /proc/self/fd/3)"; echo $?; } 3>&1 | cat`,
  ],
  [
    'the number of a file',
    `{ stat -Lc %i /proc/self/fd/3; "$@" stat -Lc '%i %s %F' /proc/self/fd/3; } 3< in | uniq -c -w 12 | sed 's/[0-9]\\{4,\\}//'`,
  ],
];

for (const [name, line, ...need] of lines) {
  test(`inheritance: ${name}`, needs('inside', 'bash', ...need), () => {
    const native = run(line, []);
    assert.notEqual(native.status, null, `natively: ${native.stderr}`);
    assert.deepEqual(run(line, starter), native, line);
  });
}

test('inheritance: --pass-fd, and what is not handed on', needs('inside', 'bash'), () => {
  const list = `sh -c 'for i in 3 5 20 21; do test -e /proc/self/fd/$i && echo $i; done'`;
  const opened = (rest: string) => `exec 3< in 5< / 20< in 21> log; "$@" ${rest}`;
  // Folders would give what is in them.
  assert.equal(inside(opened(list)).stdout, '3\n');
  assert.equal(inside(opened(list), '--pass-fd', '20', '--pass-fd=21').stdout, '3\n20\n21\n');
  assert.equal(inside(opened(list), '--pass-fd=none').stdout, '');
  assert.equal(inside(opened(list), '--pass-fd=none', '--pass-fd=21').stdout, '21\n');
  for (const [flag, message] of [
    ['--pass-fd=33', /^vedette: --pass-fd 33: not open; fix: /],
    [
      '--pass-fd=5',
      /^vedette: --pass-fd 5: not of a kind that can be passed; fix: a file, pipe, socket or device/,
    ],
    ['--pass-fd=x', /^vedette: --pass-fd x: no descriptor; fix: /],
  ] as const) {
    const r = inside(opened('true'), flag);
    assert.equal(r.status, 125);
    assert.match(r.stderr, message);
  }
});

test(
  'inheritance: a socket that is handed on is a stream of bytes and nothing more',
  needs('inside', 'python3'),
  () => {
    const tries = `import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
for f in (libc.getsockname, libc.connect, libc.sendmsg, libc.recvmsg):
  print(f(5, ctypes.create_string_buffer(99), 16), ctypes.get_errno())
print(os.write(5, b"x"))`;
    const outer = `import os, socket, sys
a, b = socket.socketpair()
os.dup2(b.fileno(), 5)
os.set_inheritable(5, True)
sys.exit(os.spawnvp(os.P_WAIT, sys.argv[1], sys.argv[1:]))`;
    const words = ['-c', outer, ...starter, 'python3', '-c', tries];
    const r = spawnSync('python3', words, { env, encoding: 'utf8', timeout: 60_000 });
    assert.deepEqual([r.stdout, r.stderr], ['-1 88\n-1 88\n-1 88\n-1 88\n1\n', '']);
  },
);

test('inheritance: a working directory that was removed is an error', needs('inside', 'bash'), () => {
  const r = inside('mkdir d; cd d; rmdir ../d; "$@" touch x');
  assert.equal(r.status, 125);
  assert.match(r.stderr, /^vedette: the working directory was removed; fix: /);
  assert.equal(inside('mkdir d; cd d; rmdir ../d; "$@" pwd', '--cwd=/usr').stdout, '/usr\n');
  const hidden = inside('"$@" pwd', `--tmpfs=${dir}`);
  assert.equal(hidden.status, 125);
  assert.match(hidden.stderr, /^vedette: the working directory .* is not there inside; fix: --cwd DIR/);
  assert.equal(
    inside('"$@" /bin/pwd', '--rootfs=/', `--mount=${dir}:/mnt`, '--cwd=/mnt/cwd').stdout,
    '/mnt/cwd\n',
  );
});

test('inheritance: a caller where it could not go stays there', needs('inside', 'root', 'setpriv'), () => {
  const line = `mkdir -m 700 d d/e; cd d/e; setpriv --reuid 65534 --regid 65534 --clear-groups "$@" sh -c 'pwd; ls 2> /dev/null; echo $?; echo x > f || echo refused' 2> /dev/null`;
  assert.deepEqual(run(line, starter), run(line, []));
});

test(
  'inheritance: without the starter, bytes and what is named are handed on all the same',
  needs('inside', 'bash'),
  () => {
    const launcher = [process.execPath, join(distDir, 'vedette.cjs'), 'do', '--'];
    for (const line of [
      `f() { echo "in f"; }; export -f f; "$@" bash -c f`,
      `"$@" printf %s $'\\xff\\xfe'`,
      '"$@" diff <(echo a) <(echo b)',
      `umask 0; nice -n 3 "$@" sh -c 'umask; nice'`,
      'env -i PATH="$PATH" "$@" env',
      'for i in {3..30}; do test -e /proc/self/fd/$i || break; done; "$@" sh -c "cat /dev/fd/3 || cat /dev/fd/4" 2> /dev/null',
    ])
      assert.deepEqual(run(line, launcher), run(line, []), line);
    const none = inside('"$@" true').status;
    assert.equal(none, 0);
    const r = run('"$@" true', [...launcher.slice(0, -1), '--pass-fd=4', '--']);
    assert.equal(r.status, 125, 'a descriptor of Node.js is nobody’s to hand on');
  },
);

test('inheritance: -e takes any bytes', needs('inside'), () => {
  assert.equal(inside(`"$@" sh -c 'printf %s "$A"'`, '-e', 'A=\udcff').stdout.length > 0, true);
  const r = run(`"$1" do -e A=$'\\xff' -- sh -c 'printf %s "$A"'`, starter);
  assert.deepEqual([r.status, r.stdout], [0, '\xff']);
});

test('names: --hostname resolves inside, and the files agree', needs('inside', 'getent'), () => {
  const script = `hostname; uname -n; cat /etc/hostname; getent hosts box | tr -s ' '; getent hosts localhost > /dev/null && echo local`;
  const before = readFileSync('/etc/hosts', 'latin1');
  assert.equal(
    inside(`"$@" sh -c "${script}"`, '--hostname=box').stdout,
    'box\nbox\nbox\n127.0.1.1 box\nlocal\n',
  );
  assert.equal(readFileSync('/etc/hosts', 'latin1'), before);
});

test('names: HOME, USER, LOGNAME and SHELL follow --user', needs('inside', 'getent'), () => {
  const show = (...flags: string[]) =>
    inside('HOME=/h USER=u LOGNAME=l SHELL=/s "$@" env', ...flags)
      .stdout.split('\n')
      .filter((line) => /^(HOME|USER|LOGNAME|SHELL)=/.test(line))
      .sort();
  const entry = spawnSync('getent', ['passwd', 'nobody'], { encoding: 'utf8' }).stdout.trim().split(':');
  const nobody = [`HOME=${entry[5]}`, 'LOGNAME=nobody', `SHELL=${entry[6]}`, 'USER=nobody'];
  assert.deepEqual(show('--user=nobody'), nobody);
  assert.deepEqual(show(`--user=${entry[2]}`), nobody);
  assert.deepEqual(show('--user=nobody', '-e', 'HOME=/mine'), ['HOME=/mine', ...nobody.slice(1)]);
  // Somebody whom passwd does not know has no name.
  assert.deepEqual(show('--user=54321'), ['HOME=/', 'SHELL=/bin/sh']);
  assert.deepEqual(show('--user=nobody', '--clear-env'), []);
  assert.deepEqual(show(), ['HOME=/h', 'LOGNAME=l', 'SHELL=/s', 'USER=u']);
  assert.ok(userInfo().uid >= 0);
});
