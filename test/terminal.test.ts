// The terminal as a shell's user meets it: the same keys natively and with `vedette do --` in front of the program, on a real
// terminal. docs/command.md says which line of its table each test shows.
// suite: 50 s
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { vedette } from './harness/guest.ts';
import { needs } from './harness/needs.ts';
import { bothWays, type Session, type Step, settled } from './harness/terminal.ts';

const dir = mkdtempSync(join(tmpdir(), 'vedette-terminal-'));
after(() => rmSync(dir, { recursive: true, force: true }));

const COOKED = 'ICRNL OPOST ICANON ECHO ISIG';
const C = '\x03';
const Z = '\x1a';
const D = '\x04';

/** Lines for the shell, each typed at its prompt; then the shell ends. */
function lines(...all: (string | Step)[]): Step[] {
  const steps: Step[] = [];
  for (const one of all) {
    if (typeof one !== 'string') steps.push(one);
    else steps.push({ shows: '$ ' }, { type: `${one}\r` });
  }
  return [...steps, { shows: '$ ' }, { type: 'exit\r' }];
}

interface Case {
  name: string;
  steps: Step[];
  /** What both must have shown, or must not. */
  shows?: RegExp;
  never?: RegExp;
  shell?: string[];
  /** What is shown depends on who is faster: only `shows`, `never` and the modes count. */
  loose?: boolean;
}

const raw = join(dir, 'raw.py');
// A program with a screen of its own, as editors are: ^Z is a key for it, after which it stops its group.
writeFileSync(
  raw,
  `import os, signal, sys, termios, tty
old = termios.tcgetattr(0)
tty.setraw(0)
while True:
    os.write(1, b'READY\\r\\n')
    key = os.read(0, 1)
    termios.tcsetattr(0, termios.TCSADRAIN, old)
    if key == b'q':
        break
    os.kill(0, signal.SIGTSTP)
    tty.setraw(0)
`,
);
const timed = join(dir, 'timed.py');
writeFileSync(
  timed,
  `import os, termios, time
old = termios.tcgetattr(0)
def mode(least, tenths):
    new = termios.tcgetattr(0)
    new[3] &= ~(termios.ICANON | termios.ECHO)
    new[6][termios.VMIN], new[6][termios.VTIME] = least, tenths
    termios.tcsetattr(0, termios.TCSANOW, new)
def read(name, least, tenths):
    mode(least, tenths)
    os.write(1, b'%s?\\n' % name)
    start = time.monotonic()
    got = os.read(0, 100)
    waited = time.monotonic() - start
    os.write(1, b'%s=%s %s\\n' % (name, got, b'waited' if waited > 0.15 else b'at once'))
read(b'none', 0, 3)
read(b'both', 2, 0)
read(b'some', 9, 4)
read(b'poll', 0, 0)
termios.tcsetattr(0, termios.TCSANOW, old)
`,
);
const window = join(dir, 'window.py');
writeFileSync(
  window,
  `import os, signal
def told(*_):
  os.write(1, b'rows %d\\n' % os.get_terminal_size().lines)
  os._exit(0)
signal.signal(signal.SIGWINCH, told)
os.write(1, b'READY\\n')
while True: signal.pause()
`,
);

const cases: Case[] = [
  {
    name: 'a job in the background is not stopped',
    steps: lines('$V sleep 0.3 &', 'wait; jobs'),
    shows: /Done +\$V sleep/,
    never: /Stopped/,
    loose: true,
  },
  {
    name: 'other programs of a pipeline keep their output processing',
    steps: lines('$V sleep 1.2 | sh -c \'sleep 0.8; printf "one\\ntwo\\n" > /dev/tty; cat\'', {
      mode: 'meanwhile',
    }),
    shows: /\none\r\ntwo\r\n/,
  },
  {
    name: 'a program that does not read leaves what was typed to the shell, echoed once',
    steps: lines(
      '$V sleep 1',
      { sleep: 0.7 },
      { mode: 'running' },
      { type: 'echo type""ahead\r' },
      { shows: 'typeahead\r\n' },
    ),
    shows: /^\$ \$V sleep 1\r\necho type""ahead\r\n\$ typeahead\r\n\$ /,
  },
  {
    name: 'stop, modes, and on again: a program that reads ^Z as a key',
    steps: lines(
      `$V python3 ${raw}`,
      { shows: '\nREADY' },
      { mode: 'raw' },
      { type: Z },
      { shows: 'Stopped' },
      { mode: 'stopped' },
      'fg',
      { shows: '\nREADY' },
      { mode: 'again' },
      { type: 'q' },
      { shows: '$ ' },
      { mode: 'end' },
      { type: '\r' },
    ),
    shows: /Stopped/,
  },
  {
    name: '^Z stops, fg continues, bg continues',
    steps: lines(
      "$V sh -c 'echo READY; sleep 1; echo over'",
      { shows: '\nREADY' },
      // A shell that waits in vfork(2) does not stop: natively too.
      { sleep: 0.4 },
      { type: Z },
      { shows: 'Stopped' },
      'fg',
      {
        shows: '\nover',
      },
    ),
    shows: /Stopped[\s\S]*\nover/,
  },
  {
    name: 'a job reads from the background: stopped, and goes on in the foreground',
    steps: lines(
      '$V cat &',
      { poke: 'jobs -l\r', shows: 'Stopped (tty input)' },
      { type: '\rfg\r' },
      { sleep: 0.3 },
      { type: 'line\r' },
      { shows: 'line\r\nline' },
      { type: D },
    ),
    loose: true,
  },
  {
    name: 'a job changes the mode from the background: stopped, and does it in the foreground',
    steps: lines(
      '$V stty -echo &',
      { poke: 'jobs -l\r', shows: 'Stopped (tty output)' },
      { mode: 'stopped' },
      { type: '\rfg; echo do""ne\r' },
      { shows: 'done\r\n$ ' },
      { mode: 'end' },
      { type: 'stty echo\r' },
    ),
    loose: true,
  },
  {
    name: 'output from the background under tostop stops',
    steps: lines(
      'stty tostop',
      '$V echo out &',
      { poke: 'jobs -l\r', shows: 'Stopped (tty output)' },
      { type: '\rfg\r' },
      { shows: '\nout\r' },
    ),
    loose: true,
  },
  {
    name: 'a program may write from the background',
    steps: lines(
      '$V sh -c \'trap "" TTOU; stty -echo; stty echo; echo changed\' &',
      { shows: 'changed\r\n' },
      { type: '\r' },
    ),
    loose: true,
    never: /Stopped/,
  },
  {
    name: 'the mode that a program sets stays',
    steps: lines(
      '$V stty -echo',
      { shows: '$ ' },
      { mode: 'off' },
      { type: '$V stty echo\r' },
      { shows: '$ ' },
      { mode: 'on' },
      { type: '\r' },
    ),
  },
  {
    name: 'a program killed in raw mode leaves the shell a cooked terminal',
    steps: lines(
      "$V sh -c 'stty raw -echo; echo READY; exec sleep 60'",
      { shows: '\nREADY' },
      { mode: 'raw' },
      { signal: 'SIGTERM' },
      { shows: 'Terminated' },
      { mode: 'end' },
    ),
  },
  {
    name: 'keys come from the terminal when standard input is a pipe',
    steps: lines(
      "seq 2 | $V sh -c 'echo READY; read key < /dev/tty; echo got:$key; cat'",
      { shows: 'READY\r\n' },
      { type: 'key\r' },
    ),
    shows: /\ngot:key\r\n1\r\n2\r\n/,
  },
  {
    name: '/dev/tty opens when standard input is /dev/null',
    steps: lines("$V sh -c 'echo hi > /dev/tty' < /dev/null > /dev/null 2>&1"),
    shows: /\nhi\r\n/,
  },
  {
    name: 'a password is not taken from a pipe',
    steps: lines(
      'echo piped | $V python3 -c "import getpass; print(\'pw=\' + getpass.getpass())"',
      { shows: 'Password: ' },
      { type: 'secret\r' },
      { shows: 'pw=' },
    ),
    shows: /pw=secret/,
    never: /piped\r\n[\s\S]*pw=piped|Password: secret/,
  },
  {
    name: 'less reads keys while its text comes from a pipe',
    steps: lines(
      'seq 500 | $V less',
      { shows: '\n23' },
      { sleep: 0.2 },
      { mode: 'less' },
      { type: ' ' },
      { shows: '46' },
      { type: 'q' },
      { shows: '$ ' },
      { mode: 'end' },
      { type: '\r' },
    ),
    loose: true,
  },
  {
    name: 'one ^C ends a loop',
    steps: lines(
      'for i in 1 2 3; do $V sleep 1.5; echo after""$i; done',
      { sleep: 0.8 },
      { type: C },
      'echo rc=$?',
    ),
    shows: /rc=130/,
    never: /\nafter/,
  },
  {
    name: 'one ^C ends a loop of a script',
    steps: lines(
      'bash -c \'for i in 1 2 3; do $V sleep 1.5; echo after""$i; done\'',
      { sleep: 0.8 },
      { type: C },
      'echo rc=$?',
    ),
    shows: /rc=130/,
    never: /\nafter/,
  },
  {
    name: 'what ^C does not end inside goes on, however often',
    steps: lines(
      '$V sh -c \'trap "echo caught" INT; echo READY; sleep 9; sleep 9; sleep 9; sleep 9; echo over\'',
      { shows: '\nREADY' },
      { sleep: 0.4 },
      { type: C },
      { shows: 'caught' },
      { sleep: 0.4 },
      { type: C },
      { shows: 'caught' },
      { sleep: 0.4 },
      { type: C },
      { shows: 'caught' },
      { sleep: 0.4 },
      { type: C },
      { shows: '\nover' },
    ),
  },
  {
    name: 'the shell tells which signal ended a program',
    steps: lines(
      "ulimit -c 0; $V sh -c 'kill -TERM $$'; echo rc=$?",
      "$V sh -c 'kill -SEGV $$'; echo rc=$?",
      "$V sh -c 'kill -9 $$'; echo rc=$?",
    ),
    shows: /Terminated[\s\S]*rc=143[\s\S]*Segmentation fault[\s\S]*rc=139[\s\S]*Killed[\s\S]*rc=137/,
  },
  {
    name: 'a shell inside controls jobs of its own',
    steps: lines(
      '$V bash --norc --noprofile --noediting -i',
      'sleep 9',
      { sleep: 0.4 },
      { type: Z },
      { shows: 'Stopped' },
      'bg > /dev/null; kill %1; wait; fg',
      'sleep 9',
      { sleep: 0.4 },
      { type: C },
      'echo rc=$?; kill -STOP $$',
      { shows: 'Stopped' },
      'fg',
      { shows: 'bash --norc' },
      'exit 3',
      'echo rc=$?',
    ),
    shows: /rc=130[\s\S]*rc=3/,
    loose: true,
  },
  {
    name: 'a shell inside, started in the background, waits for the terminal',
    steps: lines(
      '$V bash --norc --noprofile --noediting -i &',
      { poke: 'jobs -l\r', shows: 'Stopped (tty input)' },
      { type: '\rfg\r' },
      { shows: 'fg\r\n' },
      { shows: '$ ' },
      { type: 'echo in""side\r' },
      { shows: 'inside\r\n' },
      'exit',
    ),
    loose: true,
  },
  {
    name: 'reads wait as VMIN and VTIME say',
    steps: lines(
      `$V python3 ${timed}`,
      { shows: 'both?' },
      { type: 'a' },
      { sleep: 0.3 },
      { type: 'b' },
      { shows: 'some?' },
      { type: 'cd' },
      { shows: 'poll=' },
    ),
    shows: /none= waited[\s\S]*both=ab waited[\s\S]*some=cd waited[\s\S]*poll= at once/,
  },
  {
    name: 'a change of the window is told',
    steps: lines(`$V python3 ${window}`, { shows: '\nREADY' }, { rows: 33 }, { shows: 'rows' }),
    shows: /\nrows 33\r\n/,
  },
  {
    name: 'a terminal that hangs up ends the program',
    steps: [
      { shows: '$ ' },
      { type: "$V sh -c 'echo READY; sleep 100; :'\r" },
      { shows: '\nREADY' },
      { hangup: true },
    ],
  },
];

function check(c: Case, native: Session, inside: Session): void {
  for (const [way, s] of Object.entries({ native, inside })) {
    const shown = `${way}: ${JSON.stringify(s.shown)}`;
    assert.deepEqual(s.missed, [], shown);
    assert.deepEqual(s.left, [], shown);
    if (c.shows !== undefined) assert.match(s.shown, c.shows, way);
    if (c.never !== undefined) assert.doesNotMatch(s.shown, c.never, way);
  }
  assert.deepEqual(inside.modes, native.modes);
  if (c.loose !== true) assert.equal(settled(inside.shown), settled(native.shown));
}

describe('a terminal, natively and inside', { concurrency: 3, ...needs('python3') }, () => {
  for (const c of cases) {
    const tools = c.name.startsWith('less') ? needs('less') : {};
    test(c.name, tools, async () => {
      const { native, inside } = await bothWays(c.steps, c.shell);
      check(c, native, inside);
    });
  }

  test('what a killed program left of its mode is put back for a script', async () => {
    const program = "$V sh -c 'stty raw -echo; kill -9 $$'";
    const { inside } = await bothWays([{ sleep: 2 }, { mode: 'end' }], ['sh', '-c', `${program}; sleep 2`]);
    assert.deepEqual([inside.modes.end, inside.left], [COOKED, []]);
  });
});

describe('the end of the command', () => {
  const [node, ...args] = [...vedette, '--'];
  const end = (script: string): Promise<[number | null, NodeJS.Signals | null]> =>
    new Promise((done, fail) => {
      const child = spawn(node!, [...args, 'sh', '-c', script], { cwd: dir, stdio: 'ignore' });
      child.on('error', fail);
      child.on('exit', (code, signal) => done([code, signal]));
    });

  test('is by the signal that ended the program, without a core file', async () => {
    assert.deepEqual(await end('ulimit -c unlimited; kill -TERM $$'), [null, 'SIGTERM']);
    assert.deepEqual(await end('kill -9 $$'), [null, 'SIGKILL']);
    assert.deepEqual(await end('kill -SEGV $$'), [null, 'SIGSEGV']);
    assert.deepEqual(await end('kill -PIPE $$'), [null, 'SIGPIPE']);
    assert.deepEqual(await end('exit 143'), [143, null]);
    assert.deepEqual(
      readdirSync(dir).filter((name) => name.startsWith('core')),
      [],
    );
  });

  test('is by status 128 + N where it cannot die of its own signal', needs('unshare'), () => {
    const r = spawnSync('unshare', ['-Upf', '--mount-proc', node!, ...args, 'sh', '-c', 'kill -TERM $$']);
    assert.equal(r.status, 143, r.stderr.toString());
  });
});
