import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SIGINT, SIGQUIT, SIGTSTP } from '../../../abi/signal/signal.ts';
import * as T from '../../../abi/tty/termios.ts';
import { slaveTermios, type Termios } from './termios.ts';
import { makePty, signals, typeInto, typeIntoHost } from './testing.test.helper.ts';

interface Case {
  readonly name: string;
  readonly input: string;
  readonly echo: string;
  readonly reads: readonly string[];
  readonly change?: (t: Termios) => void;
}

const noEcho = (t: Termios): void => {
  t.lflag &= ~T.ECHO;
};
const raw = (t: Termios): void => {
  t.iflag = 0;
  t.oflag = 0;
  t.lflag = 0;
};

const CASES: readonly Case[] = [
  { name: 'a line', input: 'abc\n', echo: 'abc\r\n', reads: ['abc\n'] },
  { name: 'an unfinished line', input: 'abc', echo: 'abc', reads: [] },
  { name: 'two lines', input: 'a\nb\n', echo: 'a\r\nb\r\n', reads: ['a\n', 'b\n'] },
  { name: 'CR becomes NL', input: 'a\r', echo: 'a\r\n', reads: ['a\n'] },
  { name: 'erase', input: 'ab\x7fc\n', echo: 'ab\b \bc\r\n', reads: ['ac\n'] },
  { name: 'erase at the start', input: '\x7f\x7fa\n', echo: 'a\r\n', reads: ['a\n'] },
  { name: 'erase of a control character', input: 'a\x01\x7f\n', echo: 'a^A\b \b\b \b\r\n', reads: ['a\n'] },
  { name: 'erase of a tab', input: 'ab\t\x7f\n', echo: 'ab\t\b\b\b\b\b\b\r\n', reads: ['ab\n'] },
  { name: 'kill', input: 'abc\x15d\n', echo: 'abc\b \b\b \b\b \bd\r\n', reads: ['d\n'] },
  {
    name: 'kill without ECHOKE',
    input: 'ab\x15c\n',
    echo: 'ab^U\r\nc\r\n',
    reads: ['c\n'],
    change: (t) => {
      t.lflag &= ~T.ECHOKE;
    },
  },
  {
    name: 'word erase',
    input: 'one two  \x17x\n',
    echo: `one two  ${'\b \b'.repeat(5)}x\r\n`,
    reads: ['one x\n'],
  },
  { name: 'end of file', input: '\x04', echo: '', reads: [''] },
  { name: 'end of file pushes a part', input: 'ab\x04', echo: 'ab', reads: ['ab'] },
  { name: 'literal next', input: 'a\x16\x03b\n', echo: 'a^\b^Cb\r\n', reads: ['a\x03b\n'] },
  { name: 'reprint', input: 'ab\x12c\n', echo: 'ab^R\r\nabc\r\n', reads: ['abc\n'] },
  {
    name: 'end-of-line character',
    input: 'a;b\n',
    echo: 'a;b\r\n',
    reads: ['a;', 'b\n'],
    change: (t) => {
      t.cc[T.VEOL] = 0x3b;
    },
  },
  { name: 'no echo', input: 'abc\n', echo: '', reads: ['abc\n'], change: noEcho },
  {
    name: 'ECHONL',
    input: 'abc\n',
    echo: '\r\n',
    reads: ['abc\n'],
    change: (t) => {
      t.lflag = (t.lflag & ~T.ECHO) | T.ECHONL;
    },
  },
  {
    name: 'ECHOPRT',
    input: 'abc\x7f\x7fd\n',
    echo: 'abc\\cb/d\r\n',
    reads: ['ad\n'],
    change: (t) => {
      t.lflag |= T.ECHOPRT;
    },
  },
  {
    name: 'UTF-8 erase',
    input: 'a\xc3\xa9\x7fb\n',
    echo: 'a\xc3\xa9\b \bb\r\n',
    reads: ['ab\n'],
    change: (t) => {
      t.iflag |= T.IUTF8;
    },
  },
  { name: 'raw', input: 'a\x03\r\n\x04', echo: '', reads: ['a\x03\r\n\x04'], change: raw },
  {
    name: 'IGNCR and INLCR',
    input: 'a\rb\n',
    echo: '',
    reads: ['ab\r'],
    change: (t) => {
      t.iflag = T.IGNCR | T.INLCR;
      t.lflag = 0;
    },
  },
  {
    name: 'ISTRIP',
    input: '\xe1\n',
    echo: 'a\r\n',
    reads: ['a\n'],
    change: (t) => {
      t.iflag |= T.ISTRIP;
    },
  },
  { name: 'interrupt drops the line and its echo', input: 'ab\x03c\n', echo: '^Cc\r\n', reads: ['c\n'] },
  {
    name: 'interrupt with NOFLSH',
    input: 'ab\x03c\n',
    echo: 'ab^Cc\r\n',
    reads: ['abc\n'],
    change: (t) => {
      t.lflag |= T.NOFLSH;
    },
  },
  { name: 'stop holds the echo back', input: 'a\x13b', echo: '', reads: [] },
  { name: 'start lets it go', input: 'a\x13b\x11c\n', echo: 'abc\r\n', reads: ['abc\n'] },
];

for (const c of CASES) {
  test(`line discipline: ${c.name}`, () => {
    const got = typeInto(makePty(c.change), c.input);
    assert.deepEqual(got, { echo: c.echo, reads: c.reads });
    const t = slaveTermios();
    c.change?.(t);
    const native = typeIntoHost(t, c.input);
    if (native !== null) assert.deepEqual(got, native, 'the host does the same');
  });
}

test('line discipline: signal characters', () => {
  for (const [c, sig] of [
    ['\x03', SIGINT],
    ['\x1c', SIGQUIT],
    ['\x1a', SIGTSTP],
  ] as const) {
    signals.length = 0;
    typeInto(makePty(), c);
    assert.deepEqual(signals, [`7:${sig}`]);
    signals.length = 0;
    const without = makePty((t) => {
      t.lflag &= ~T.ISIG;
    });
    typeInto(without, c);
    assert.deepEqual(signals, []);
  }
});

test('line discipline: a line holds 4095 bytes and its end', () => {
  const got = typeInto(makePty(noEcho), `${'x'.repeat(5000)}\n`);
  const t = slaveTermios();
  noEcho(t);
  const native = typeIntoHost(t, `${'x'.repeat(5000)}\n`);
  assert.equal(got.reads.join('').length, 4096);
  if (native !== null) assert.deepEqual(got, native);
});

test('line discipline: raw input waits for room', () => {
  const pty = makePty(raw);
  const bytes = new Uint8Array(40000);
  let taken = 0;
  for (let n = 1; n > 0; taken += n) n = pty.feed(bytes, 0, bytes.length);
  assert.equal(taken, 4095 + 8192);
  const out = new Uint8Array(4096);
  assert.equal(pty.ldisc.read(out, 0, 4096), 4095);
  assert.ok(pty.ldisc.room > 4000);
});

test('line discipline: canonical input becomes readable when the mode changes', () => {
  const pty = makePty();
  typeInto(pty, 'part');
  const { iflag, lflag } = pty.termios;
  pty.termios.lflag &= ~T.ICANON;
  pty.termiosChanged(iflag, lflag, true);
  assert.deepEqual(typeInto(pty, '').reads, ['part']);
});

/** A deterministic generator: the same cases every time. */
function random(seed: number): (below: number) => number {
  let x = seed;
  return (below) => {
    x = (Math.imul(x, 1103515245) + 12345) >>> 0;
    return (x >>> 8) % below;
  };
}

test('line discipline: random input does what the host does', (t) => {
  if (typeIntoHost(slaveTermios(), 'x') === null) {
    t.skip('the host gives no pseudo-terminals');
    return;
  }
  const next = random(42);
  const interesting = 'ab c\t\n\r\x04\x7f\x15\x17\x16\x12\x03\x13\x11\x01\x1b_1\xc3\xa9\xff\0';
  const iflags = [T.ICRNL, T.IGNCR, T.INLCR, T.ISTRIP, T.IXON, T.IXANY, T.IUTF8, T.IUCLC, T.PARMRK];
  const oflags = [T.OPOST, T.ONLCR, T.OCRNL, T.ONOCR, T.ONLRET, T.TAB3, T.OLCUC];
  const lflags = [
    T.ISIG,
    T.ICANON,
    T.ECHO,
    T.ECHOE,
    T.ECHOK,
    T.ECHONL,
    T.ECHOCTL,
    T.ECHOPRT,
    T.ECHOKE,
    T.IEXTEN,
    T.NOFLSH,
  ];
  const pick = (flags: readonly number[], always: number, rarely: readonly number[]): number => {
    let v = always;
    for (const f of flags) if (next(rarely.includes(f) ? 8 : 2) === 0) v |= f;
    return v;
  };
  for (let i = 0; i < 600; i++) {
    const change = (m: Termios): void => {
      m.iflag = pick(iflags, 0, [T.IGNCR, T.INLCR, T.ISTRIP, T.IUCLC, T.PARMRK]);
      m.oflag = pick(oflags, T.OPOST, [T.OLCUC, T.ONOCR, T.ONLRET, T.OCRNL]);
      m.lflag = pick(lflags, next(4) === 0 ? 0 : T.ICANON | T.ECHO, [T.ECHOPRT]);
    };
    let input = '';
    for (let n = next(24) + 1; n > 0; n--) input += interesting[next(interesting.length)]!;
    // What a signal flushes of output that START let go depends on when the host's worker ran.
    if (input.includes('\x03')) input = input.replaceAll('\x11', '').replaceAll('\x13', '');
    const t2 = slaveTermios();
    change(t2);
    const pty = makePty((m) => {
      m.iflag = t2.iflag;
      m.oflag = t2.oflag;
      m.lflag = t2.lflag;
    });
    const got = typeInto(pty, input);
    const want = typeIntoHost(t2, input)!;
    const about = `case ${i}: ${JSON.stringify(input)} i=${t2.iflag.toString(16)} o=${t2.oflag.toString(16)} l=${t2.lflag.toString(16)}`;
    assert.deepEqual(got, want, about);
  }
});
