// A kernel in the hands of somebody else talks to a real gofer: random requests, of which some make sense. Nothing outside of what is
// served is changed or comes back, nothing that is served for reading is changed, and the process lives until a message has a
// shape that no message has, and then ends by itself.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, type TestContext, test } from 'node:test';
import { distDir } from '../../test/harness/guest.ts';
import { EBADF, EPERM, EROFS } from '../abi/errno.ts';
import { O_DIRECTORY, O_PATH, O_RDONLY, O_RDWR, O_TRUNC } from '../abi/fs/fcntl.ts';
import { S_IFBLK, S_IFCHR, S_IFIFO } from '../abi/fs/stat.ts';
import { HostBuffer } from '../host/buffer.ts';
import { type PacketSocket, packetSocketPair } from '../host/packet_socket.ts';
import { GoferClient } from './client.ts';
import * as P from './protocol.ts';

const PROGRAM = join(distDir, 'gofer.cjs');
const ROUNDS = 4000;

const NAMES = [
  '',
  '.',
  '..',
  '/',
  'file',
  'dir',
  'link',
  'hard',
  'sub',
  'new',
  '../out/canary',
  '/etc/passwd',
  'dir/../../out/canary',
  'link/canary',
  'a\0b',
  'x'.repeat(256),
  'y'.repeat(4000),
  '..\0',
  'file/',
  './file',
  '\xff\xfe',
  'fifo',
  '\0',
  'user.x',
  'trusted.x',
  'security.capability',
  'system.posix_acl_access',
];
const PLAIN = ['file', 'dir', 'hard', 'sub', 'new', 'link', 'user.x'];
const NUMBERS = [
  0,
  1,
  2,
  3,
  4,
  7,
  0x200,
  0o644,
  0o6755,
  0o1777,
  0o7777,
  0o10000,
  S_IFIFO | 0o600,
  S_IFCHR | 0o600,
  S_IFBLK,
  0x40_0000,
  2 ** 31,
  2 ** 32 - 1,
  O_PATH,
  O_DIRECTORY,
  O_PATH | O_DIRECTORY,
  O_TRUNC,
  O_RDWR,
  65536,
];

/** Numbers that are the same in every run of one seed (xorshift). */
class Dice {
  private x: number;
  constructor(seed: number) {
    this.x = seed;
  }
  below(n: number): number {
    this.x ^= this.x << 13;
    this.x ^= this.x >>> 17;
    this.x ^= this.x << 5;
    return (this.x >>> 0) % n;
  }
  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

class RealGofer {
  readonly child: ChildProcess;
  readonly fd: number;
  readonly socket: PacketSocket;
  readonly client: GoferClient;

  constructor(t: TestContext) {
    const pair = packetSocketPair();
    assert.ok(typeof pair !== 'number');
    this.fd = pair[0];
    this.child = spawn(process.execPath, [PROGRAM], {
      stdio: ['ignore', 'ignore', 'inherit', pair[1]],
      env: {},
    });
    closeSync(pair[1]);
    t.after(() => this.child.kill('SIGKILL'));
    this.client = new GoferClient(this.fd, () => {
      throw new Error('the gofer is gone');
    });
    this.socket = this.client.socket;
  }

  /** How it ended. */
  async end(): Promise<readonly [number | null, string | null]> {
    const { exitCode, signalCode } = this.child;
    if (exitCode !== null || signalCode !== null) return [exitCode, signalCode];
    return (await once(this.child, 'exit')) as [number | null, string | null];
  }
}

/** Everything about the names in a tree. */
function picture(dir: string): string[] {
  return readdirSync(dir, { recursive: true })
    .map(String)
    .sort()
    .map((name) => {
      const s = lstatSync(join(dir, name), { bigint: true });
      const text = s.isFile() ? readFileSync(join(dir, name), 'latin1') : '';
      return [name, s.mode, s.ino, s.nlink, s.uid, s.size, s.mtimeNs, s.ctimeNs, text].join(' ');
    });
}

function makeTree(dir: string, out: string): void {
  mkdirSync(join(dir, 'dir/sub'), { recursive: true });
  writeFileSync(join(dir, 'file'), 'text');
  writeFileSync(join(dir, 'dir/file'), 'text');
  linkSync(join(dir, 'file'), join(dir, 'hard'));
  symlinkSync(out, join(dir, 'link'));
  symlinkSync(join(out, 'canary'), join(dir, 'dir/link'));
}

describe('a hostile kernel', { skip: existsSync(PROGRAM) ? false : 'the gofer is not built' }, () => {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-hostile-'));
  const [rw, ro, out, one] = ['rw', 'ro', 'out', 'one'].map((name) => join(dir, name)) as [
    string,
    string,
    string,
    string,
  ];
  after(() => rmSync(dir, { recursive: true, force: true }));
  mkdirSync(out);
  writeFileSync(join(out, 'canary'), 'canary');
  chmodSync(join(out, 'canary'), 0o600);
  for (const tree of [rw, ro, one]) makeTree(tree, out);

  for (const seed of [1, 20261128, 0x5eed])
    test(`random requests, seed ${seed}`, async (t) => {
      const before = [picture(out), picture(ro), picture(one)];
      const gofer = new RealGofer(t);
      const { client, socket } = gofer;
      const tops = [
        client.attach(rw, true, ''),
        client.attach(ro, false, ''),
        client.attach(one, false, 'file'),
      ];
      for (const top of tops) assert.ok(top > 0);
      client.seal(false);
      const dice = new Dice(seed);
      const answered = new Map<number, number>();
      let donated = 0;
      for (let i = 0; i < ROUNDS; i++) {
        let op = 1 + dice.below(P.OP_ALLOW_GIVEN + 3);
        // Which would be the end of all changes.
        if (op === P.OP_PROTECT && i < ROUNDS / 2) op = P.OP_OPEN;
        // Every fourth opens something that may well be there.
        const opens = dice.below(4) === 0;
        if (opens) op = P.OP_OPEN;
        const plain = opens || dice.below(2) === 0;
        const { view, u8 } = socket.buffer;
        u8.fill(0, 0, P.Q_TEXT);
        view.setUint32(P.Q_OP, op, true);
        for (const at of [P.Q_HANDLE, P.Q_SECOND])
          view.setUint32(at, dice.below(8) === 0 ? dice.of(NUMBERS) : 1 + dice.below(opens ? 3 : 12), true);
        for (const at of [P.Q_A, P.Q_B, P.Q_C])
          view.setUint32(at, plain ? dice.below(3) : dice.of(NUMBERS), true);
        if (dice.below(4) === 0) view.setUint32(P.Q_LET_GO, dice.below(40), true);
        const [text, data] = plain ? [dice.of(PLAIN), dice.of(PLAIN)] : [dice.of(NAMES), dice.of(NAMES)];
        view.setUint32(P.Q_TEXT_SIZE, text.length, true);
        view.setUint32(P.Q_DATA_SIZE, data.length, true);
        socket.buffer.putString(text + data, P.Q_TEXT);
        const given = dice.below(10) === 0 ? 0 : -1;
        assert.equal(socket.send(P.Q_TEXT + text.length + data.length, given), 0);
        if (op === P.OP_CLOSE) continue;
        assert.ok(socket.receive() >= P.A_DATA, `gone after request ${op}`);
        const r = view.getInt32(P.A_RESULT, true);
        if (r >= 0) answered.set(op, (answered.get(op) ?? 0) + 1);
        if (socket.received < 0) continue;
        donated++;
        const path = readlinkSync(`/proc/self/fd/${socket.received}`);
        closeSync(socket.received);
        if (op === P.OP_REOPEN_GIVEN || op === P.OP_THREAD_FILE) continue;
        assert.ok(
          path.startsWith(`${rw}/`) || path.startsWith(`${ro}/`) || path === join(one, 'file'),
          `${op}: ${path}`,
        );
      }
      // What a kernel that is well asks is answered as ever.
      const stat = HostBuffer.alloc(144);
      assert.equal(client.statAt(tops[1]!, 'file', stat), 0);
      assert.ok(client.open(tops[1]!, 'file', O_RDONLY, stat) >= 0);
      assert.ok(answered.size >= 12, `${answered.size} kinds of request were ever answered`);
      assert.ok(donated > 10, `${donated} descriptors`);
      closeSync(gofer.fd);
      assert.deepEqual(await gofer.end(), [0, null]);
      assert.deepEqual([picture(out), picture(ro), picture(one)], before);
    });

  test('what is served for reading, and once more than that, is not to be changed', async (t) => {
    const before = picture(ro);
    const gofer = new RealGofer(t);
    const { client } = gofer;
    const top = client.attach(ro, false, '');
    const other = client.attach(rw, true, '');
    client.protect(other);
    client.seal(false);
    const stat = HostBuffer.alloc(144);
    for (const tree of [top, other]) {
      assert.equal(client.create(tree, 'new', 0o600), -EROFS);
      assert.equal(client.mkdir(tree, 'new', 0o700), -EROFS);
      assert.equal(client.unlink(tree, 'file', 0), -EROFS);
      assert.equal(client.rename(tree, 'file', tree, 'new', 0), -EROFS);
      assert.equal(client.open(tree, 'file', O_RDWR, stat), -EROFS);
      const fd = client.open(tree, 'file', O_RDONLY, stat);
      assert.ok(fd >= 0);
      assert.equal(client.reopen(fd, O_RDWR), -EROFS);
      assert.equal(client.chmod(fd, 0o777), -EROFS);
      assert.equal(client.linkOpen(fd, tree, 'new'), -EROFS);
    }
    assert.equal(client.attach(out, true, ''), -EPERM);
    assert.equal(client.stat(2 ** 30 + 4000, stat), -EBADF);
    closeSync(gofer.fd);
    assert.deepEqual(await gofer.end(), [0, null]);
    assert.deepEqual(picture(ro), before);
  });

  for (const [what, size, text, data] of [
    ['too short', 20, 0, 0],
    ['its text is longer than it', P.Q_TEXT, 100, 0],
    ['its data is longer than it', P.Q_TEXT + 10, 4, 60],
    ['sizes that wrap around', P.Q_TEXT, 2 ** 32 - 8, 8],
    ['something behind it', P.Q_TEXT + 64, 4, 4],
  ] as const)
    test(`a message that cannot be: ${what}`, async (t) => {
      const gofer = new RealGofer(t);
      const top = gofer.client.attach(ro, false, '');
      assert.ok(top > 0);
      const { view, u8 } = gofer.socket.buffer;
      u8.fill(0, 0, P.Q_TEXT);
      view.setUint32(P.Q_OP, P.OP_STAT_AT, true);
      view.setUint32(P.Q_HANDLE, 1, true);
      view.setUint32(P.Q_TEXT_SIZE, text, true);
      view.setUint32(P.Q_DATA_SIZE, data, true);
      gofer.socket.send(size);
      assert.deepEqual(await gofer.end(), [1, null]);
      closeSync(gofer.fd);
    });
});
