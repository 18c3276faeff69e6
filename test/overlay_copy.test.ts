// Copying big files up, over --overlay: in slices, so that nobody else waits; once for all who need it; and never half.
// suite: 30 s
import assert from 'node:assert/strict';
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runNative, vedette } from './harness/guest.ts';
import { needs } from './harness/needs.ts';
import { insideWords, LIMIT_MS, newTree, runOver } from './harness/overlaid.ts';

const MIB = 1 << 20;
const DENSE = 128 * MIB;

/** Random bytes for all trees. */
let template = '';
before(() => {
  template = join(newTree(), 'template');
  const make = `head -c ${2 * DENSE} /dev/urandom > "$1"`;
  assert.equal(spawnSync('sh', ['-c', make, 'sh', template]).status, 0);
});

/** A tree whose `lower/dense` is all data. */
function bigTree(bytes = DENSE): string {
  const dir = newTree();
  const make = `head -c ${bytes} "$1" > "$2"`;
  assert.equal(spawnSync('sh', ['-c', make, 'sh', template, join(dir, 'lower/dense')]).status, 0);
  return dir;
}

/** Whether two files begin with the same bytes. */
function same(one: string, other: string, bytes: number): boolean {
  const { status } = spawnSync('cmp', ['-n', String(bytes), one, other]);
  return status === 0 && statSync(one).size >= bytes && statSync(other).size >= bytes;
}

/** Partly made files of the box, with something in them. */
function parts(dir: string): string[] {
  const work = join(dir, 'box/work');
  if (!existsSync(work)) return [];
  return readdirSync(work).filter((name) => {
    try {
      return statSync(join(work, name)).size > 0;
    } catch {
      return false;
    }
  });
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const end = Date.now() + LIMIT_MS;
  while (!holds()) {
    assert.ok(Date.now() < end, `never: ${what}`);
    await sleep(2);
  }
}

/** A Python program inside, spoken to by lines. */
class Talk {
  readonly child: ChildProcessByStdio<Writable, Readable, null>;
  text = '';

  constructor(dir: string, script: string, more: string[] = []) {
    const words = insideWords(dir, more);
    this.child = spawn(words[0]!, [...words.slice(1), 'python3', '-uc', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
      cwd: '/',
    });
    this.child.stdout.on('data', (chunk: Buffer) => {
      this.text += chunk.toString();
    });
  }

  say(line: string): void {
    this.child.stdin.write(`${line}\n`);
  }

  async hear(line: string): Promise<void> {
    await until(line, () => this.text.includes(`${line}\n`) || this.child.exitCode !== null);
    assert.ok(this.text.includes(`${line}\n`), `no ${line}: ${this.text}`);
  }

  async end(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill('SIGKILL');
      await new Promise((done) => this.child.once('close', done));
    }
  }
}

describe('big files go up in slices', needs('python3', 'inside'), () => {
  test('others go on meanwhile', async () => {
    const dir = bigTree(2 * DENSE);
    const sparse = join(dir, 'lower/sparse');
    const make = `truncate -s 1G "$1"; head -c 100000 /dev/urandom | dd of="$1" bs=1M seek=700 conv=notrunc status=none`;
    assert.equal(spawnSync('sh', ['-c', make, 'sh', sparse]).status, 0);
    // What the neighbour does is a call of the kernel's; how long each took, with nothing else going on and during the copy.
    const script = `
import json, os, time
def calls(until):
    took = []
    while until():
        t = time.perf_counter(); os.stat('/'); took.append(time.perf_counter() - t); time.sleep(0.0005)
    took.sort(); return [len(took), took[len(took) * 9 // 10] * 1e3, took[-1] * 1e3]
end = time.time() + 1; alone = calls(lambda: time.time() < end); out = {'alone': alone}
for name in ('dense', 'sparse'):
    start = time.time(); r, w = os.pipe(); pid = os.fork()
    if pid == 0:
        os.close(r); open(name, 'ab').write(b'x'); os._exit(0)
    os.close(w); os.set_blocking(r, False)
    def going():
        try: return os.read(r, 1) != b''
        except BlockingIOError: return True
    out[name] = calls(going); out[name + 'Ms'] = (time.time() - start) * 1e3; os.waitpid(pid, 0)
print(json.dumps(out))`;
    const { runs } = await runOver(
      dir,
      [`python3 -c "$(cat <<'END'\n${script}\nEND\n)"; stat -c '%n %s %b' dense sparse`],
      [],
      [],
    );
    assert.equal(runs[0]!.status, 0, runs[0]!.stderr);
    const [line, dense, holes] = runs[0]!.stdout.split('\n') as [string, string, string];
    const out = JSON.parse(line) as Record<'alone' | 'dense' | 'sparse', [number, number, number]> &
      Record<'denseMs', number>;
    // In one piece the neighbour would make a single call, as long as the copy. How long it waits for a processor is the machine's to
    // say; `copy.test.ts` measures what a slice takes.
    const [calls, , worst] = out.dense;
    assert.ok(calls > 20, line);
    assert.ok(worst < out.denseMs / 4, line);
    assert.match(dense, new RegExp(`^dense ${2 * DENSE + 1} `));
    assert.ok(Number(/^sparse 1073741825 (\d+)$/.exec(holes)?.[1]) < 1000, holes);
    for (const [name, bytes] of [
      ['dense', 2 * DENSE],
      ['sparse', 1 << 30],
    ] as const) {
      const upper = join(dir, 'box/upper', dir, 'lower', name);
      assert.ok(same(upper, join(dir, 'lower', name), bytes), name);
    }
    assert.deepEqual(readdirSync(join(dir, 'box/work')), []);
  });

  test('whoever is killed in the middle leaves nothing', async () => {
    const dir = bigTree();
    const script = `
import os, signal
pid = os.fork()
if pid == 0:
    open('dense', 'ab').write(b'first'); os._exit(0)
input(); os.kill(pid, signal.SIGKILL); print('ended by', os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])); input()
print('size', os.stat('dense').st_size); open('dense', 'ab').write(b'second'); print('size', os.stat('dense').st_size); print('done')`;
    const talk = new Talk(dir, script);
    try {
      await until('a part', () => parts(dir).length > 0);
      talk.say('kill');
      await talk.hear('ended by -9');
      assert.deepEqual(readdirSync(join(dir, 'box/work')), []);
      assert.equal(existsSync(join(dir, 'box/upper', dir, 'lower/dense')), false);
      talk.say('on');
      await talk.hear('done');
      assert.match(talk.text, new RegExp(`size ${DENSE}\nsize ${DENSE + 6}\n`));
    } finally {
      await talk.end();
    }
  });

  test('a sandbox that is killed in the middle leaves the lower file', async () => {
    const dir = bigTree();
    const talk = new Talk(dir, "open('dense', 'ab').write(b'x')");
    try {
      await until('a part', () => parts(dir).length > 0);
    } finally {
      await talk.end();
    }
    assert.equal(parts(dir).length, 1, 'it was done already');
    const { runs } = await runOver(dir, ['stat -c %s dense; cat file'], [], []);
    assert.equal(runs[0]!.stdout, `${DENSE}\nlower\n`);
    assert.deepEqual(readdirSync(join(dir, 'box/work')), []);
  });

  test('several at once wait for one copy', async () => {
    const dir = bigTree();
    const script = `
import os
pids = []
for i in range(5):
    pid = os.fork(); pids.append(pid)
    if pid == 0:
        if i == 3: os.chmod('dense', 0o640)
        elif i == 4: os.rename('dense', 'moved')
        else: os.write(os.open('dense', os.O_WRONLY | os.O_APPEND), b'%d' % i)
        os._exit(0)
ends = [os.waitpid(pid, 0)[1] for pid in pids]
# Who comes after the file has its new name finds none, or makes one.
print(ends[4], os.stat('moved').st_mode & 0o777 == (0o640 if ends[3] == 0 else 0o644))
f = open('moved', 'rb'); f.seek(${DENSE}); print(sorted(f.read().decode())); print('done')`;
    const talk = new Talk(dir, script);
    try {
      let most = 0;
      await until('the end', () => {
        most = Math.max(most, parts(dir).length);
        return talk.text.includes('done\n') || talk.child.exitCode !== null;
      });
      assert.equal(most, 1, 'copies at once');
      assert.match(talk.text, /^0 True\n\[.*\]\ndone\n$/);
    } finally {
      await talk.end();
    }
    assert.ok(same(join(dir, 'box/upper', dir, 'lower/moved'), join(dir, 'lower/dense'), DENSE));
  });

  test('each of several writes', async () => {
    const dir = bigTree(64 * MIB);
    const script = `
import os
fds = [os.open('dense', os.O_WRONLY | os.O_APPEND) for _ in range(3)]; pids = []
for i, fd in enumerate(fds):
    pid = os.fork(); pids.append(pid)
    if pid == 0: os.write(fd, b'%d' % i); os._exit(0)
print([os.waitpid(pid, 0)[1] for pid in pids])
f = open('dense', 'rb'); f.seek(${64 * MIB}); print(sorted(f.read().decode()))`;
    const { runs } = await runOver(dir, [`python3 -c "$(cat <<'END'\n${script}\nEND\n)"`], [], []);
    assert.equal(runs[0]!.stdout, "[0, 0, 0]\n['0', '1', '2']\n");
  });

  test('the descriptor means the file that it meant at the start', async () => {
    const dir = bigTree();
    const script = `
import os, threading
fd = os.open('dense', os.O_WRONLY | os.O_APPEND); other = os.open('other', os.O_WRONLY | os.O_APPEND)
t = threading.Thread(target=lambda: os.write(fd, b'mine')); t.start()
input(); os.dup2(other, fd); t.join(); print('sizes', os.stat('dense').st_size - ${DENSE}, os.stat('other').st_size)`;
    const talk = new Talk(dir, script);
    try {
      await until('a part', () => parts(dir).length > 0);
      talk.say('now');
      await talk.hear('sizes 4 6');
    } finally {
      await talk.end();
    }
  });

  test('a name that goes in the middle', async () => {
    const dir = bigTree();
    const script = `
import os
fd = os.open('dense', os.O_RDWR | os.O_APPEND); pid = os.fork()
if pid == 0: os.write(fd, b'more'); os._exit(0)
input(); os.unlink('dense'); print(os.waitpid(pid, 0)[1], os.path.exists('dense'), os.fstat(fd).st_size - ${DENSE}, os.fstat(fd).st_nlink)
print('done'); input()`;
    const talk = new Talk(dir, script);
    try {
      await until('a part', () => parts(dir).length > 0);
      talk.say('now');
      await talk.hear('done');
      assert.equal(talk.text, '0 False 4 0\ndone\n');
      assert.deepEqual(readdirSync(join(dir, 'box/work')), []);
    } finally {
      await talk.end();
    }
  });

  test('no room in the middle', needs('root', 'unshare'), async () => {
    const dir = bigTree(64 * MIB);
    const box = join(dir, 'box');
    mkdirSync(box, { recursive: true });
    const inside =
      '/bin/echo x >> dense; stat -c %s dense; echo fits > small; cat small; truncate -s 10 dense; stat -c %s dense';
    const script = 'mount -t tmpfs -o size=32m tmpfs "$1" && shift && "$@"; ls -A "$0/work" | wc -l';
    const words = [...vedette, '--overlay', box, '--cwd', join(dir, 'lower'), '--', 'sh', '-c', inside];
    const r = await runNative(['unshare', '--mount', 'sh', '-c', script, box, box, ...words], {
      cwd: '/',
      timeoutMs: LIMIT_MS,
    });
    assert.match(r.stderr, /No space left on device/);
    assert.equal(r.stdout, `${64 * MIB}\nfits\n10\n0\n`, r.stderr);
  });

  test('a path of many directories', async () => {
    const dir = newTree();
    const deep = Array.from({ length: 400 }, () => 'd').join('/');
    mkdirSync(join(dir, 'lower', deep), { recursive: true });
    const { runs } = await runOver(dir, [`echo x > ${deep}/f; cat ${deep}/f`, `cat ${deep}/f`], [], []);
    assert.deepEqual(
      runs.map((r) => r.stdout),
      ['x\n', 'x\n'],
    );
  });
});
