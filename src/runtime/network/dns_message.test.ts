// DNS messages: what is read, what is refused, and that nothing at all makes the reader throw or go on for ever.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  addressOf,
  nameText,
  type Question,
  RCODE_NOT_IMPLEMENTED,
  readAnswer,
  readQuestion,
  TYPE_A,
  TYPE_MX,
  writeAnswer,
  writeQuestion,
} from './dns_message.ts';

const wire = (text: string): string =>
  `${text
    .split('.')
    .map((label) => String.fromCharCode(label.length) + label)
    .join('')}\0`;
const question = (text: string, type = TYPE_A): Question => ({
  id: 7,
  name: wire(text),
  type,
  class: 1,
  recursion: true,
  size: 512,
});
const bytes = (...parts: (string | number[] | Uint8Array)[]): Uint8Array =>
  Buffer.concat(parts.map((p) => (typeof p === 'string' ? Buffer.from(p, 'latin1') : Buffer.from(p))));
const head = (flags: number, an: number): number[] => [
  0,
  9,
  flags >> 8,
  flags & 255,
  0,
  1,
  0,
  an,
  0,
  0,
  0,
  0,
];
const record = (owner: number[] | string, type: number, data: string | number[]): Uint8Array =>
  bytes(owner, [0, type, 0, 1, 0, 0, 0, 60, 0, data.length], data);
const Q = question('Web.example');
const answer = (an: number, ...records: Uint8Array[]): Uint8Array =>
  bytes(head(0x8180, an), Q.name, [0, 1, 0, 1], ...records);

test('a question goes out and comes back', () => {
  const read = readQuestion(writeQuestion(Q, 99)) as Question;
  assert.equal(read.id, 99);
  assert.equal(nameText(read.name), 'web.example');
  assert.equal(read.size, 1232);
});

test('an answer with compressed names', () => {
  const a = readAnswer(answer(1, record([0xc0, 12], 1, [9, 9, 9, 2])), Q, 9)!;
  assert.equal(addressOf(a.answers[0]!)!.toString(), '9.9.9.2');
  const mx = question('web.example', TYPE_MX);
  const m = readAnswer(
    bytes(head(0x8180, 1), mx.name, [0, 15, 0, 1], record([0xc0, 12], 15, [0, 10, 1, 97, 0xc0, 12])),
    mx,
    9,
  )!;
  assert.equal(Buffer.from(m.answers[0]!.data).toString('latin1'), `\0\n\x01a${wire('web.example')}`);
});

test('what is no answer to the question', () => {
  const good = record([0xc0, 12], 1, [9, 9, 9, 2]);
  assert.equal(readAnswer(answer(1, good), Q, 8), null, 'another id');
  assert.equal(readAnswer(answer(1, good), question('other.example'), 9), null, 'another name');
  assert.equal(readAnswer(answer(1, good), question('web.example', TYPE_MX), 9), null, 'another type');
  assert.equal(readAnswer(answer(2, good), Q, 9), null, 'more records than there are');
  assert.equal(readAnswer(answer(1, record([0xc0, 29], 1, [9, 9, 9, 2])), Q, 9), null, 'a pointer to itself');
  assert.equal(readAnswer(answer(1, record([0xc0, 200], 1, [9, 9, 9, 2])), Q, 9), null, 'a pointer ahead');
  assert.equal(readAnswer(answer(1, record([0xc0, 2], 1, [9, 9, 9, 2])), Q, 9), null, 'into the header');
  assert.equal(readAnswer(answer(1, record([0xc0, 12], 1, [9, 9, 9])), Q, 9), null, 'a short address');
  assert.equal(readAnswer(bytes(head(0x0100, 0), Q.name, [0, 1, 0, 1]), Q, 9), null, 'a question');
});

test('what is not asked on behalf of programs', () => {
  for (const type of [251, 252, 255, 41])
    assert.equal(
      (readQuestion(writeQuestion(question('a.example', type), 1)) as { rcode: number }).rcode,
      RCODE_NOT_IMPLEMENTED,
    );
  assert.equal(readQuestion(new Uint8Array(5)), null);
  assert.equal(readQuestion(answer(0)), null);
});

test('an answer that is too long is cut to none, and says so', () => {
  const records = Array.from({ length: 100 }, (_, i) => record([0xc0, 12], 1, [9, 9, 9, i]));
  const a = readAnswer(answer(100, ...records), Q, 9)!;
  const cut = writeAnswer(Q, a, 512);
  assert.ok(cut.length <= 512);
  assert.equal(cut[2]! & 2, 2);
  assert.equal(readAnswer(writeAnswer({ ...Q, id: 9 }, a, 65535), Q, 9)!.answers.length, 100);
});

test('odd bytes in a name are not taken for others', () => {
  assert.equal(nameText('\x07web.exa\x03mpl\0'), 'web\\046exa.mpl');
  assert.equal(nameText('\x03\0*\\\0'), '\\000\\042\\092');
});

test('200,000 damaged messages: no exception, in bounded time', () => {
  const good = [
    answer(2, record([0xc0, 12], 5, [1, 97, 0xc0, 12]), record([0xc0, 12], 1, [9, 9, 9, 2])),
    answer(1, record([0xc0, 12], 33, [0, 1, 0, 2, 0, 80, 1, 97, 0xc0, 12])),
    writeQuestion(Q, 9),
  ];
  let seed = 1;
  const random = (n: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return Math.floor((seed / 2 ** 32) * n);
  };
  let read = 0;
  for (let i = 0; i < 200_000; i++) {
    const message = Uint8Array.from(good[random(good.length)]!);
    for (let k = random(6); k >= 0; k--)
      message[random(message.length)] = random(3) === 0 ? 0xc0 : random(256);
    const cut = random(4) === 0 ? message.subarray(0, random(message.length)) : message;
    if (readAnswer(cut, Q, 9) !== null) read++;
    readQuestion(cut);
  }
  assert.ok(read > 1000, `only ${read} were read at all`);
});
