// --bind: programs leave the same tree on the host as natively, and both sides see what the other one does.
// suite: 20 s
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, test } from 'node:test';
import { inside, natively, newTree, python, sh } from './harness/bound.ts';
import { difference, runNative, systemPath, vedette } from './harness/guest.ts';
import { needs } from './harness/needs.ts';
import { treeLines } from './harness/tree.ts';

/** Runs a script natively in one tree and inside in another: the same output, and then the same trees. */
async function same(argv: string[], vague: RegExp | null = null): Promise<void> {
  const [one, other] = [newTree(), newTree()];
  const native = await natively(one, argv);
  assert.equal(native.status, 0, native.stderr);
  const run = await inside(other, argv);
  assert.equal(difference(native, run), '', run.stderr);
  const expected = treeLines(one, vague);
  assert.ok(expected.length > 3);
  const left = treeLines(other, vague);
  const only = (a: string[], b: string[]): string[] => a.filter((line) => !b.includes(line));
  assert.deepEqual(
    { inside: only(left, expected), native: only(expected, left) },
    { inside: [], native: [] },
  );
}

describe('the same tree as natively', needs('inside'), () => {
  test('git', needs('git'), () =>
    same(
      sh(`git init -q -b main .
        for i in 1 2 3 4 5 6 7 8; do echo "file $i" > f$i; done
        mkdir -p sub/deep; echo x > sub/deep/y; ln -s ../f1 sub/link; chmod 755 f4
        git add -A; git commit -qm one; git checkout -q -b other; echo 2 >> f2; git mv f3 sub/f3
        git commit -qam two; git checkout -q main; echo m > m; git add m; git commit -qm m; git merge -q --no-edit other
        git gc -q; git status --short; git log --format=%H; git ls-files -s; git fsck
        git clone -q . clone; git -C clone remote set-url origin elsewhere; git stash list; git rm -q f5; git commit -qm three`),
      // Times, numbers of inodes and the order in which threads finish are in these.
      /\.git\/(index|objects\/pack|logs)/,
    ),
  );

  test('make', needs('make', 'gcc'), () =>
    same(
      sh(`printf 'int f(void) { return 1; }\\n' > a.c; printf 'int f(void); int main(void) { return f() - 1; }\\n' > b.c
        printf 'p: a.o b.o\\n\\tgcc -o p a.o b.o\\n%%.o: %%.c\\n\\tgcc -c $<\\n' > Makefile
        make; ./p; touch -d '+5 seconds' a.c; make; make; ar rc lib.a a.o b.o; ranlib -D lib.a; strip p; rm -f a.o; ./p`),
      /lib\.a$/,
    ),
  );

  test('tar, cp, mv, ln, rm', needs('tar'), () =>
    same(
      sh(`mkdir -p a/b/c; for i in $(seq 300); do echo $i > a/b/file-$i; done; ln a/b/file-1 a/twin; ln -s b/c a/soft
        tar --sort=name --mtime=@0 -cf t.tar a; mkdir t; tar xf t.tar -C t; diff -r a t/a; rm -rf t/a/b/c t/a/b/file-2*
        mv t tt; mv tt/a/b/file-3 tt/three; mv -T tt/a tt/renamed; ln tt/three hard; cp -a a copy; rm -r a
        touch -d 2001-02-03 old; touch -r old new; stat -c %Y old new copy/b/file-7 > /dev/null; chmod 751 tt; chmod g+s tt
        mkdir -m 1777 sticky; mkfifo fifo; cat fifo > read & echo through > fifo; wait; ls -R | sort; find . -type l
        mkdir e; rmdir e; ! rmdir tt 2> /dev/null; ! mkdir tt 2> /dev/null; ! ln hard tt/three 2> /dev/null
        mv old tt; mv tt/old .; echo 'a  b' > "odd name"; printf '' > "$(printf 'byte\\377')"; ls | wc -l`),
    ),
  );

  test('sqlite with a write-ahead log', needs('sqlite3'), () =>
    same(
      sh(`sqlite3 db 'pragma journal_mode=wal; create table t(a); insert into t values(1),(2); select * from t;'
        sqlite3 db 'begin; insert into t select a + 10 from t; select count(*) from t; commit; pragma wal_checkpoint;'
        sqlite3 db 'pragma integrity_check; pragma journal_mode=delete; delete from t where a = 1; vacuum;'
        sqlite3 plain 'pragma mmap_size=1000000; create table t(a); insert into t values(randomblob(5)); select count(*) from t'
        for n in a b c; do cp db $n; done; rm plain`),
      /^(db|a|b|c)$/,
    ),
  );

  test('sizes: dd, truncate, fallocate', needs('fallocate'), () =>
    same(
      sh(`dd if=/dev/zero of=dd bs=1000 count=10 seek=5 conv=notrunc 2> /dev/null; truncate -s 123 dd; truncate -s 9999 dd
        seq 2000 > numbers; cp numbers fa; fallocate -l 20000 fa; fallocate -p -o 4096 -l 4096 fa; stat -c %s dd fa
        head -c 3000000 /dev/zero | tr '\\0' x > big; dd if=/dev/zero of=big bs=1 seek=1500000 count=7 conv=notrunc 2> /dev/null
        cat big numbers > both; tail -c 5 both; (echo a; echo b) >> numbers; : > numbers; cksum both; ulimit -f 8
        ! sh -c 'trap "" XFSZ; head -c 9000 /dev/zero > limited' 2> /dev/null; stat -c %s limited`),
    ),
  );

  test('mappings, descriptors and attributes', needs('python3'), () =>
    same(
      python(`
import mmap, os, ctypes, tempfile, fcntl
os.umask(0o022)
f = open('mapped', 'w+b'); f.truncate(3 * 4096 + 100)
m = mmap.mmap(f.fileno(), 0)
m[0:5] = b'hello'; m[4090:4110] = b'x' * 20
assert os.pread(f.fileno(), 5, 0) == b'hello'
os.pwrite(f.fileno(), b'WORLD', 100); assert m[100:105] == b'WORLD'
ro = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); priv = mmap.mmap(f.fileno(), 0, flags=mmap.MAP_PRIVATE)
assert ro[4095:4100] == b'xxxxx' and priv[100:105] == b'WORLD'
priv[0] = 33; m[1] = 34
assert ro[0:2] == b'h"' and priv[0:2] == b'!e'
if os.fork() == 0:
    m[50] = 50; os._exit(0)
os.wait(); assert ro[50] == 50 and m[50] == 50
f.truncate(4096 + 5); f.truncate(3 * 4096); assert os.pread(f.fileno(), 9, 4096) == b'xxxxx\\0\\0\\0\\0'
m.flush(); m[4096] = 65; m.close(); f.close()
os.rename('mapped', 'moved')
g = os.open('moved', os.O_RDWR); os.unlink('moved'); assert os.fstat(g).st_nlink == 0
os.write(g, b'after'); assert os.pread(g, 9, 0) == b'after\\0\\0\\0\\0'; os.fchmod(g, 0o600)
h = os.open('/proc/self/fd/%d' % g, os.O_RDONLY); assert os.read(h, 5) == b'after'
os.close(g); os.close(h)
t = os.open('.', os.O_TMPFILE | os.O_RDWR, 0o640); os.write(t, b'named later')
libc = ctypes.CDLL(None, use_errno=True)
assert libc.linkat(-100, b'/proc/self/fd/%d' % t, -100, b'linked', 0x400) == 0; os.close(t)
d = os.open('.', os.O_RDONLY); os.mkdir('d', dir_fd=d); os.symlink('nowhere', 'd/s'); os.fsync(d)
a = os.open('d/log', os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o444)
for i in range(3): os.write(a, b'line\\n')
assert os.lseek(a, 0, 1) == 15 and os.pwrite(a, b'x', 0) == 1
os.fsync(a); os.fdatasync(a); os.close(a)
os.utime('d/s', (1, 2), follow_symlinks=False); assert os.lstat('d/s').st_mtime == 2
os.utime('d/log', ns=(1, 1234567891)); assert os.stat('d/log').st_mtime_ns == 1234567891
open('e1', 'w').write('1'); open('e2', 'w').write('2')
assert libc.renameat2(-100, b'e1', -100, b'e2', 2) == 0 and open('e1').read() == '2'
assert libc.renameat2(-100, b'e1', -100, b'e2', 1) == -1 and ctypes.get_errno() == 17
os.mkdir('x1'); os.rename('d', 'x1/d'); os.replace('e1', 'x1/e'); os.link('x1/e', 'x1/e3')
assert sorted(os.listdir('x1')) == ['d', 'e', 'e3'] and os.stat('x1/e').st_nlink == 2
s = os.stat('x1/e'); u = os.stat('x1/e3'); assert (s.st_dev, s.st_ino) == (u.st_dev, u.st_ino)
sp = os.open('sparse', os.O_RDWR | os.O_CREAT); os.pwrite(sp, b'end', 1 << 20)
assert os.lseek(sp, 0, os.SEEK_DATA) >= 4096 and os.lseek(sp, 0, os.SEEK_HOLE) == 0
try: os.setxattr('x1/e', 'user.k', b'v'); assert os.getxattr('x1/e', 'user.k') == b'v' and os.listxattr('x1/e') == ['user.k']; os.removexattr('x1/e', 'user.k')
except OSError as e: assert e.errno == 95
many = [os.open('many-%d' % i, os.O_RDWR | os.O_CREAT, 0o644) for i in range(200)]
for i, n in enumerate(many): os.write(n, b'%d' % i)
for i in range(200): assert open('many-%d' % i).read() == str(i)
for i in range(0, 200, 2): os.unlink('many-%d' % i)
print(len(os.listdir('.')), os.statvfs('.').f_namemax)
`),
    ),
  );

  test('what was there before', needs('python3'), async () => {
    const [one, other] = [newTree(), newTree()];
    for (const dir of [one, other]) {
      mkdirSync(join(dir, 'old/deep'), { recursive: true });
      writeFileSync(join(dir, 'old/file'), 'content\n');
      linkSync(join(dir, 'old/file'), join(dir, 'old/deep/twin'));
      symlinkSync('../old/file', join(dir, 'old/link'));
      writeFileSync(join(dir, 'old/readonly'), 'r');
      chmodSync(join(dir, 'old/readonly'), 0o444);
    }
    const argv =
      sh(`cat old/link; echo more >> old/deep/twin; cat old/file; mv old/deep old/deeper; chmod 600 old/file
      sed -i s/content/changed/ old/file; cat old/deeper/twin; rm -f old/readonly; ls -a old; cp old/file new; rm -r old/deeper`);
    const native = await runNative(argv, { cwd: one });
    assert.equal(difference(native, await inside(other, argv)), '');
    assert.deepEqual(treeLines(other), treeLines(one));
  });
});

/** A test that fails leaves its shell running. */
const shells = new Set<ChildProcess>();
afterEach(() => {
  for (const shell of shells) shell.kill('SIGKILL');
});

/** A shell inside that answers each line that it is told with what it printed. */
class Shell {
  private readonly child: ChildProcess;
  private out = '';
  private wake: () => void = () => {};

  constructor(dir: string, flags: string[] = []) {
    const argv = [...vedette.slice(1), '--bind', `${dir}:/bound`, '--cwd', '/bound', ...flags, '--', 'sh'];
    this.child = spawn(vedette[0]!, argv, { env: { PATH: systemPath }, stdio: ['pipe', 'pipe', 'inherit'] });
    this.child.stdout!.setEncoding('latin1').on('data', (text: string) => {
      this.out += text;
      this.wake();
    });
    shells.add(this.child);
    this.child.on('close', () => {
      shells.delete(this.child);
      this.out += '\0ended\n';
      this.wake();
    });
  }

  async say(line: string): Promise<string> {
    this.child.stdin!.write(`${line}\necho "<$?>"\n`);
    for (;;) {
      const end = /<\d+>\n/.exec(this.out);
      if (end !== null) {
        const said = this.out.slice(0, end.index);
        this.out = this.out.slice(end.index + end[0].length);
        return said;
      }
      assert.ok(!this.out.includes('\0ended'), `the shell ended: ${this.out}`);
      await new Promise<void>((done) => {
        this.wake = done;
      });
    }
  }

  async end(): Promise<number> {
    this.child.stdin!.end();
    return new Promise((done) => this.child.on('close', (code) => done(code ?? -1)));
  }
}

describe('both sides at once', needs('inside', 'python3'), () => {
  test('names, contents and attributes change outside', async () => {
    const dir = newTree();
    const at = (name: string): string => join(dir, name);
    const shell = new Shell(dir);
    assert.equal(await shell.say('cat new 2>/dev/null; ls'), '');
    writeFileSync(at('new'), 'one');
    assert.equal(await shell.say('cat new; ls'), 'onenew\n');
    writeFileSync(at('new'), 'two!');
    assert.equal(await shell.say('cat new; stat -c %s:%a new'), 'two!4:644\n');
    chmodSync(at('new'), 0o640);
    appendFileSync(at('new'), '+');
    assert.equal(await shell.say('stat -c %s:%a new; exec 7<new; cat <&7'), '5:640\ntwo!+');
    appendFileSync(at('new'), 'tail');
    assert.equal(await shell.say('cat <&7; stat -L -c %s /proc/self/fd/7'), 'tail9\n');
    renameSync(at('new'), at('moved'));
    assert.equal(await shell.say('cat new 2>/dev/null; cat moved; ls'), 'two!+tailmoved\n');
    // A new file, maybe with the number of the old one.
    unlinkSync(at('moved'));
    mkdirSync(at('moved'));
    writeFileSync(at('moved/x'), 'x');
    assert.equal(await shell.say('cat moved/x; cd moved; stat -c %F .'), 'xdirectory\n');
    renameSync(at('moved'), at('there'));
    assert.equal(await shell.say('cat x; echo y > y; cat ../there/y; cd ..; ls'), 'xy\nthere\n');
    rmSync(at('there'), { recursive: true });
    symlinkSync('nowhere', at('there'));
    assert.equal(await shell.say('readlink there; ls there/ 2>/dev/null'), 'nowhere\n');
    unlinkSync(at('there'));
    // A file that is replaced, as editors do.
    writeFileSync(at('edited'), 'before');
    assert.equal(await shell.say('cat edited; exec 8<>edited'), 'before');
    writeFileSync(at('edited~'), 'after!');
    renameSync(at('edited~'), at('edited'));
    assert.equal(await shell.say('cat edited; cat <&8; echo more >> edited'), 'after!before');
    assert.equal(readFileSync(at('edited'), 'utf8'), 'after!more\n');
    truncateSync(at('edited'), 3);
    assert.equal(await shell.say('cat edited; test -e edited/x; echo $?'), 'aft1\n');
    assert.equal(await shell.end(), 0);
  });

  test('the working directory is shut outside', needs('root'), async () => {
    const dir = newTree();
    writeFileSync(join(dir, 'f'), 'x\n');
    const shell = new Shell(dir, ['--user', '1234']);
    assert.equal(await shell.say('cat f'), 'x\n');
    chmodSync(dir, 0o700);
    assert.equal(
      await shell.say('cat f 2> /dev/null || echo denied; ls 2> /dev/null || echo denied'),
      'denied\ndenied\n',
    );
    chmodSync(dir, 0o755);
    assert.equal(await shell.say('cat f'), 'x\n');
    assert.equal(await shell.end(), 0);
  });

  test('what is written inside is on the host when the call returns', async () => {
    const dir = newTree();
    const at = (name: string): string => join(dir, name);
    const shell = new Shell(dir);
    await shell.say('mkdir d; echo text > d/f; ln d/f g; ln -s d s; exec 5>>log; echo 1 >&5');
    assert.equal(readFileSync(at('d/f'), 'utf8'), 'text\n');
    assert.equal(statSync(at('g')).nlink, 2);
    assert.ok(lstatSync(at('s')).isSymbolicLink());
    assert.equal(readFileSync(at('log'), 'utf8'), '1\n');
    appendFileSync(at('log'), 'outside\n');
    await shell.say('echo 2 >&5');
    assert.equal(readFileSync(at('log'), 'utf8'), '1\noutside\n2\n');
    await shell.say('mv d/f d/h; rm g; chmod 600 d/h');
    assert.deepEqual(readdirSync(dir).sort(), ['d', 'log', 's']);
    assert.equal(statSync(at('d/h')).mode & 0o7777, 0o600);
    assert.equal(await shell.end(), 0);
  });

  test('mappings: to the host by msync, in from there, and nobody undoes what the other wrote', async () => {
    const dir = newTree();
    const file = join(dir, 'mapped');
    writeFileSync(file, Buffer.alloc(3 * 4096, 'a'));
    const script = `
import mmap, sys, os
f = open('mapped', 'r+b'); m = mmap.mmap(f.fileno(), 0); ro = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
m[10:15] = b'inner'; m[5000:5005] = b'inner'
print('written', flush=True); sys.stdin.readline()
m.flush(); print('flushed', ro[0:16].decode(), m[20:25].decode(), flush=True); sys.stdin.readline()
assert os.pread(f.fileno(), 3, 30) == b'own'; m.flush(); assert m[30:33] == b'own' and ro[30:33] == b'own'
m[9000] = 90
print('left', flush=True); sys.stdin.readline()
os.kill(os.getpid(), 9)
`;
    const argv = [...vedette.slice(1), '--bind', `${dir}:/b`, '--cwd', '/b', '--', ...python(script)];
    const child = spawn(vedette[0]!, argv, { env: { PATH: systemPath }, stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = child.stdout.setEncoding('utf8')[Symbol.asyncIterator]();
    const next = async (): Promise<string> => (await lines.next()).value ?? '';
    const put = (text: string, off: number): void => {
      const b = readFileSync(file);
      b.write(text, off);
      writeFileSync(file, b.subarray(0, 3 * 4096), { flag: 'r+' });
    };
    assert.equal(await next(), 'written\n');
    put('outer', 20);
    child.stdin.write('\n');
    assert.equal(await next(), 'flushed aaaaaaaaaainnera outer\n');
    let now = readFileSync(file, 'latin1');
    assert.equal(now.slice(8, 27), 'aainneraaaaaouteraa');
    assert.equal(now.slice(5000, 5006), 'innera');
    put('own', 30);
    child.stdin.write('\n');
    assert.equal(await next(), 'left\n');
    child.stdin.write('\n');
    await new Promise((done) => child.on('close', done));
    now = readFileSync(file, 'latin1');
    assert.equal(now[9000], 'Z');
    assert.equal(now.slice(8, 33), 'aainneraaaaaouteraaaaaown');
  });

  test('a mapping that is read shows what is written outside', async () => {
    const dir = newTree();
    const file = join(dir, 'f');
    writeFileSync(file, 'a'.repeat(5000));
    const script = `
import mmap, sys
f = open('f', 'rb'); ms = [mmap.mmap(f.fileno(), 0, flags, mmap.PROT_READ) for flags in (mmap.MAP_SHARED, mmap.MAP_PRIVATE)]
print(*(m[10:13].decode() for m in ms), flush=True); sys.stdin.readline(); print(*(m[10:13].decode() for m in ms), flush=True)
`;
    const argv = [...vedette.slice(1), '--bind', `${dir}:/b`, '--cwd', '/b', '--', ...python(script)];
    const child = spawn(vedette[0]!, argv, { env: { PATH: systemPath }, stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = child.stdout.setEncoding('utf8')[Symbol.asyncIterator]();
    assert.equal((await lines.next()).value, 'aaa aaa\n');
    const fd = openSync(file, 'r+');
    writeSync(fd, 'new', 10);
    closeSync(fd);
    child.stdin.end('\n');
    assert.equal((await lines.next()).value, 'new new\n');
    await new Promise((done) => child.on('close', done));
  });

  test('a file that is mapped and only read is not touched', async () => {
    const dir = newTree();
    writeFileSync(join(dir, 'f'), 'x'.repeat(9000));
    const before = lstatSync(join(dir, 'f'), { bigint: true });
    const script = `import mmap; f = open('f', 'r+b'); m = mmap.mmap(f.fileno(), 0); assert m[8999] == 120; m.flush()`;
    const r = await inside(dir, python(script));
    assert.equal(r.status, 0, r.stderr);
    assert.equal(lstatSync(join(dir, 'f'), { bigint: true }).mtimeNs, before.mtimeNs);
  });

  test('appends from both sides at once: every line is there, whole', async () => {
    const dir = newTree();
    const script = `
import os, sys
f = os.open('log', os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
for i in range(2000): os.write(f, (sys.argv[1] + ' %d ' % i + 'x' * (i % 300)).encode() + b'\\n')
`;
    const argv = (who: string): string[] => [...python(script), who];
    const runs = await Promise.all([
      inside(dir, argv('a')),
      inside(dir, argv('b')),
      runNative(argv('c'), { cwd: dir }),
    ]);
    for (const r of runs) assert.equal(r.status, 0, r.stderr);
    const lines = readFileSync(join(dir, 'log'), 'utf8').split('\n');
    assert.equal(lines.pop(), '');
    const expected = ['a', 'b', 'c'].flatMap((who) =>
      Array.from({ length: 2000 }, (_, i) => `${who} ${i} ${'x'.repeat(i % 300)}`),
    );
    assert.deepEqual(lines.sort(), expected.sort());
  });
});
