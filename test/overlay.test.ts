// --overlay DIR: what a run writes is there in the next one. The same scripts run twice, inside over DIR and natively over a real
// overlayfs that is mounted anew for each run (root only), and print the same.
// suite: 60 s
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { difference, type RunResult, runNative } from './harness/guest.ts';
import { needs } from './harness/needs.ts';
import { asNobody, insideWords, LIMIT_MS, NOBODY, newTree, runOver, type Side } from './harness/overlaid.ts';
import { treeLines } from './harness/tree.ts';

/** The same over Linux's overlayfs. */
async function runOverlayfs(dir: string, scripts: readonly string[]): Promise<Side> {
  const side = join(dir, 'native');
  for (const name of ['upper', 'work']) mkdirSync(join(side, name), { recursive: true });
  const lower = join(dir, 'lower');
  const options = `index=off,metacopy=off,redirect_dir=off,xino=off,lowerdir=${lower},upperdir=${side}/upper,workdir=${side}/work`;
  const runs: RunResult[] = [];
  for (const script of scripts) {
    const mount = `mount -t overlay overlay -o ${options} ${lower} && cd ${lower} && exec sh -c "$1"`;
    runs.push(
      await runNative(['unshare', '--mount', 'sh', '-c', mount, 'sh', script], {
        timeoutMs: LIMIT_MS,
        cwd: '/',
      }),
    );
  }
  return { runs };
}

/** Prints all that there is to see of a tree. Sizes and times of directories are each file system's own. */
const SHOW = `find . ! -type d -printf '%P %y %M %U %G %n %s %l\\n' | sort; find . -type d -printf '%P %M %U %G\\n' | sort
find . -type f | sort | xargs md5sum; ls -A . dir; `;

/** Runs the scripts on both sides, one run each, and compares; the lower tree must be as it was. */
async function same(scripts: readonly string[], flags: string[] = [], user: string[] = []): Promise<string> {
  const dir = newTree();
  const before = treeLines(join(dir, 'lower'));
  const inside = await runOver(dir, scripts, flags, user);
  assert.deepEqual(treeLines(join(dir, 'lower')), before, 'the lower tree was changed');
  const native = await runOverlayfs(dir, scripts);
  for (const [i, r] of native.runs.entries()) {
    assert.equal(difference(r, inside.runs[i]!), '', `run ${i + 1}`);
    assert.equal(r.status, 0, r.stderr);
    assert.ok(r.stdout !== '', 'says nothing');
  }
  return dir;
}

describe('what overlayfs does', needs('root', 'unshare', 'inside'), () => {
  test('creation, change, removal, making anew', async () => {
    await same([
      `echo new > n; echo more >> file; rm dir/a; rm -r gone; mkdir gone; echo y > gone/y; rmdir empty
       echo truncated > dir/b; ${SHOW}`,
      `${SHOW} cat file gone/y; rm gone/y n; echo again > dir/a; rm -r dir/sub; mkdir dir/sub; rmdir gone; touch gone empty; ${SHOW}`,
      `${SHOW} cat dir/a; ls dir/sub | wc -l; rm -r dir; ls dir 2>&1; mkdir dir; ls -A dir; rm -rf ./*; ls -A; ${'echo done'}`,
      'ls -A; touch file; ls -A; cat file; stat -c "%s %F" file',
    ]);
  });

  test('renames of files and directories', async () => {
    const script = `
import os, errno
def r(*a, f=os.rename):
    try: f(*a); print(a, 'ok')
    except OSError as e: print(a, errno.errorcode[e.errno])
r('file', 'file2'); r('file2', 'dir/a'); r('dir/b', 'b'); r('b', 'dir/b'); r('dir', 'dir2'); r('gone', 'empty')
os.mkdir('new'); os.mkdir('new/in'); r('new', 'new2'); r('new2', 'empty'); r('empty', 'new3'); os.mkdir('new4'); r('new4', 'gone')
os.mkdir('full'); open('full/x', 'w').close(); r('new4', 'full'); r('other', 'other2'); r('link', 'link2'); r('prog', 'dir/sub/prog')
os.remove('gone/x'); r('new4', 'gone'); r('full', 'dir/sub'); r('dir/sub/deep', 'deep'); r('other', 'gone'); r('full', 'other')
for root, dirs, files in os.walk('.'):
    dirs.sort(); print(root, dirs, sorted(files))
`;
    const exchange = `
import ctypes, os, errno
libc = ctypes.CDLL(None, use_errno=True)
def x(a, b, flags):
    r = libc.renameat2(-100, a, -100, b, flags)
    print(a, b, flags, 'ok' if r == 0 else errno.errorcode[ctypes.get_errno()])
x(b'link2', b'prog2', 1); x(b'link2', b'other2', 2); x(b'link2', b'dir', 2); open('p', 'w').close(); x(b'p', b'link2', 1); x(b'p', b'link2', 2)
os.mkdir('d1'); os.mkdir('d2'); open('d1/1', 'w').close(); x(b'd1', b'd2', 2); x(b'd1', b'p', 2); print(os.listdir('d2'), sorted(os.listdir('.')))
`;
    await same([
      `python3 -c "$(cat <<'END'\n${script}\nEND\n)"; ${SHOW}`,
      `${SHOW} python3 -c "$(cat <<'END'\n${exchange}\nEND\n)"; ${SHOW}`,
      SHOW,
    ]);
  });

  test('hard and symbolic links', async () => {
    await same([
      `ln file hard; echo x >> hard; cat file; stat -c %h file hard; echo broken >> other; cat other other2; ln -s nowhere sym; ln dir/a dir/c
       ln -s "$(printf %0200d 7)" long; readlink long; rm link; ln -s dir link; ls link/; ${SHOW}`,
      `${SHOW} rm file; stat -c %h hard; echo y >> hard; ln hard file; rm hard; cat file; ln sym sym2; mv dir/c dir/a; ${SHOW}`,
      `${SHOW} rm dir/a; cat dir/c; ln dir/c dir/a; echo z >> dir/a; cat dir/c; ${SHOW}`,
    ]);
  });

  test('each kind of inode with two names stays one, whatever is changed', needs('setfattr'), async () => {
    const script = `
import os, socket
make = {'link': lambda p: os.symlink('to', p), 'fifo': os.mkfifo, 'sock': lambda p: socket.socket(socket.AF_UNIX).bind(p),
        'chr': lambda p: os.mknod(p, 0o20644, os.makedev(1, 3)), 'file': lambda p: open(p, 'w').write(p)}
ops = {'lchown': lambda p: os.lchown(p, 5, 6), 'chmod': lambda p: os.chmod(p, 0o604), 'utime': lambda p: os.utime(p, (1, 2), follow_symlinks=False),
       'attr': lambda p: os.setxattr(p, 'trusted.t', b'1', follow_symlinks=False), 'third': lambda p: os.link(p, p + '.c', follow_symlinks=False),
       'rename': lambda p: os.rename(p, p + '.d'), 'unlink': os.unlink, 'none': lambda p: None}
for kind, new in make.items():
    for op, change in ops.items():
        # chmod(2) follows links, and attributes of links need another file of the host's: as before.
        if kind == 'link' and op in ('chmod', 'attr'): continue
        p = kind + '.' + op; new(p); os.link(p, p + '.b', follow_symlinks=False); change(p + '.b')
        if op == 'lchown': os.lchown(p, 7, -1)
`;
    const names = `ls -A | grep -v '^dir$' | xargs stat -c '%n %F %u %g %h %a'; for k in link fifo sock chr file; do ls -i | awk '{print $1}' | sort | uniq -c | awk '{print $1}' | sort | uniq -c; done`;
    await same([
      `python3 -c "$(cat <<'END'\n${script}\nEND\n)"; ${names}`,
      names,
      `for k in link fifo file; do chown -h 9:9 $k.utime.b; done; ${names}`,
      names,
    ]);
  });

  test('times and inode numbers', async () => {
    await same([
      `stat -c '%n %Y' file other dir gone; chmod 600 dir/a; stat -c '%n %Y' file other dir dir/a gone; before=$(stat -c %i file)
       exec 3<file; echo x >> file; [ $before = $(stat -c %i file) ] && echo same; cat <&3; touch -d @123456789.5 file dir gone; stat -c '%n %.Y' file dir gone`,
      `stat -c '%n %.Y' file dir gone dir/a; touch -h -d @1000 link; stat -c '%n %Y' link; stat -c %d . file dir/a prog | sort -u | wc -l
       ls -i . | sort | while read i n; do [ $i = $(stat -c %i $n) ] || echo $n $i; done; stat -f -c %T .`,
      `stat -c '%n %Y' link`,
    ]);
  });

  test('extended attributes and access control lists', needs('setfattr', 'getfattr', 'setfacl'), async () => {
    await same([
      `setfattr -n user.x -v 1 file; setfattr -n user.long -v $(printf %01000d 1) dir; setfattr -n trusted.t -v 2 dir/a; setfacl -m u:33:rw dir/b
       setfacl -d -m g:33:rx dir; mkdir dir/under; touch dir/under/f; setfattr -n security.s -v 3 prog; getfattr -m - -d file dir dir/a dir/b prog; getfacl -n dir dir/b dir/under dir/under/f`,
      `getfattr -m - -d file dir dir/a dir/b prog; getfacl -n dir dir/b dir/under dir/under/f; setfattr -x user.x file; setfacl -b dir/b dir; chmod 640 dir/under/f
       getfattr -m - -d file; getfacl -n dir dir/b dir/under/f`,
      `getfattr -m - -d file dir; getfacl -n dir dir/b dir/under/f`,
    ]);
  });

  test('open files, holes, mappings', async () => {
    const script = `
import os, mmap, ctypes
ro = os.open('file', os.O_RDONLY); first = os.open('dir/a', os.O_RDWR)
with open('file', 'r+') as f: f.write('UPPER\\n')
print(os.read(ro, 100)); os.unlink('dir/a'); os.write(first, b'after'); print(os.pread(first, 100, 0), os.fstat(first).st_nlink)
f = open('dir/b', 'r+b'); m = mmap.mmap(f.fileno(), 2); m[0:1] = b'M'; print(open('dir/b').read()); os.pwrite(f.fileno(), b'W', 0); print(m[:])
t = os.open('dir', os.O_TMPFILE | os.O_RDWR, 0o640); os.write(t, b'unnamed'); print(ctypes.CDLL(None).linkat(-100, b'/proc/self/fd/%d' % t, -100, b'dir/named', 0x400))
big = os.open('big', os.O_RDWR | os.O_CREAT); os.pwrite(big, b'end', 3 << 30); os.pwrite(big, b'x' * 5000, 1 << 20)
print(os.lseek(big, 0, os.SEEK_DATA), os.lseek(big, 2 << 20, os.SEEK_HOLE), os.fstat(big).st_blocks)
l = os.open('prog', os.O_WRONLY | os.O_APPEND); os.write(l, b'echo appended\\n'); os.ftruncate(big, (3 << 30) + 1)
`;
    await same([
      `python3 -c "$(cat <<'END'\n${script}\nEND\n)"; ./prog; stat -c '%n %s %b %a' big dir/named; cat dir/named`,
      './prog; cat file dir/b dir/named; ls dir; stat -c "%n %s %b" big; tail -c 1 big; truncate -s 100 big; stat -c "%s %b" big',
    ]);
  });

  test('a file that was opened below, went up, and lost its last name', async () => {
    const script = `
import os
def lost(name, flags, *steps):
    fd = os.open(name, flags)
    for f, *args in steps: f(*args)
    os.fchmod(fd, 0o640)
    if flags != os.O_RDONLY: os.write(fd, b'written'); os.ftruncate(fd, 8)
    again = os.open('/proc/self/fd/%d' % fd, os.O_RDONLY); s = os.fstat(fd)
    print(name, os.pread(again, 99, 0), os.pread(fd, 99, 0) if flags != os.O_WRONLY else '', oct(s.st_mode), s.st_nlink, s.st_size)
new = lambda: open('new', 'w').write('new')
lost('file', os.O_RDWR, (os.chmod, 'file', 0o600), (os.unlink, 'file'))
lost('other', os.O_WRONLY, (os.chmod, 'other', 0o600), (new,), (os.rename, 'new', 'other'))
lost('dir/a', os.O_RDONLY, (os.rename, 'dir/a', 'b'), (os.unlink, 'b'))
lost('dir/b', os.O_RDWR, (os.link, 'dir/b', 'c'), (os.unlink, 'dir/b'), (os.unlink, 'c'))
lost('prog', os.O_RDWR, (os.truncate, 'prog', 3), (os.rename, 'prog', 'q'), (new,), (os.replace, 'new', 'q'))
`;
    await same([`python3 -c "$(cat <<'END'\n${script}\nEND\n)"; ${SHOW}`, SHOW]);
  });

  test('FIFOs and sockets', async () => {
    const script = `
import os, socket, threading
s = socket.socket(socket.AF_UNIX); s.bind('sock'); s.listen()
c = socket.socket(socket.AF_UNIX); c.connect('sock'); c.send(b'hi'); print(s.accept()[0].recv(9), oct(os.stat('sock').st_mode))
os.mkfifo('fifo'); t = threading.Thread(target=lambda: open('fifo', 'w').write('through')); t.start(); print(open('fifo').read()); t.join()
`;
    const again = `
import os, socket
c = socket.socket(socket.AF_UNIX)
try: c.connect('sock')
except OSError as e: print(e.strerror)
r = os.open('fifo', os.O_RDWR); os.write(r, b'x'); print(os.read(r, 5))
`;
    await same([
      `python3 -c "$(cat <<'END'\n${script}\nEND\n)"; ${SHOW}`,
      `${SHOW} python3 -c "$(cat <<'END'\n${again}\nEND\n)"; chmod 600 fifo; ln fifo fifo2; ${SHOW}`,
    ]);
  });

  test('a thousand things at random', needs('python3'), async () => {
    const script = `
import errno, os, random, sys
rnd = random.Random(int(sys.argv[1])); names = [a + b for a in ('', 'dir/', 'dir/sub/', 'gone/', 'empty/', 'n/') for b in ('file', 'other', 'a', 'x', 'sub')] + ['dir', 'gone', 'empty', 'n', 'link', 'prog']
def put(p):
    with open(p, rnd.choice('wa')) as f: f.write('%d\\n' % rnd.randrange(1000))
def get(p):
    with open(p) as f: print(f.read().split())
ops = [(put, 1), (get, 1), (os.unlink, 1), (os.rmdir, 1), (os.mkdir, 1), (os.mkdir, 1), (os.rename, 2), (os.rename, 2), (os.link, 2), (lambda p: os.symlink('dir/a', p), 1), (lambda p: print(sorted(os.listdir(p))), 1),
    (lambda p: os.truncate(p, 3), 1), (lambda p: os.chmod(p, rnd.choice((0o600, 0o4755, 0o1777, 0o700))), 1), (lambda p: os.lchown(p, rnd.randrange(5), 5), 1), (os.readlink, 1)]
for i in range(500):
    f, n = rnd.choice(ops); args = [rnd.choice(names) for _ in range(n)]
    try: f(*args); print(i, *args, 'ok')
    except OSError as e: print(i, *args, errno.errorcode[e.errno])
`;
    const run = (seed: number) => `python3 -c "$(cat <<'END'\n${script}\nEND\n)" ${seed}; ${SHOW} true`;
    for (const seed of [1, 2, 3]) await same([run(seed), `${SHOW} true`, run(seed + 100), SHOW]);
  });

  test('root inside, an ordinary user outside', needs('setpriv'), async () => {
    const dir = await same(
      [
        `chown 1:2 file; chmod 4755 prog; chown 3 dir; chmod 1777 gone; mknod null c 1 3; mknod disk b 8 0; echo x > null; chown -h 5:6 link; ln -s to own; chown -h 7 own
         chmod 0 other; chmod 0 empty; touch dir/new; mkdir -m 2770 dir/sg; chgrp 9 dir/sg; touch dir/sg/f; mkdir dir/sg/d; mkfifo -m 600 p; ${SHOW}`,
        `${SHOW} cat other; touch empty/x; readlink own link; cat null; chown 0:0 file; echo y >> prog; chown 8:8 own p null; rm disk; ${SHOW}`,
        SHOW,
      ],
      ['--user', '0'],
      asNobody,
    );
    // On the host all of it is the user's, and nothing runs with anybody's rights.
    for (const line of spawnSync('find', [join(dir, 'box'), '-printf', '%y %U %m %p\n'])
      .stdout.toString()
      .trim()
      .split('\n')) {
      assert.match(line, new RegExp(`^[fdl] ${NOBODY} [0-7]{3} `), line);
    }
  });
});

describe('across runs', needs('inside'), () => {
  /** One run inside after another, over the same box. */
  async function runs(dir: string, scripts: string[], flags: string[] = []): Promise<string[]> {
    const { runs } = await runOver(dir, scripts, flags, []);
    for (const [i, r] of runs.entries()) assert.equal(r.status, 0, `run ${i + 1}: ${r.stdout}${r.stderr}`);
    return runs.map((r) => r.stdout);
  }

  test('mappings go on with what is written', needs('python3'), async () => {
    const dir = newTree();
    const script = `
import mmap, os
f = open('file', 'rb'); shown = mmap.mmap(f.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_READ); own = mmap.mmap(f.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)
own[5:6] = b'+'; print(shown[:], own[:])
w = open('file', 'r+b'); w.write(b'UPPER'); w.flush(); print(shown[:], own[5:6])
m = mmap.mmap(w.fileno(), 0); m[0:1] = b'M'; print(shown[:], f.read())
`;
    const out = await runs(dir, [`python3 -c "$(cat <<'END'\n${script}\nEND\n)"`, 'cat file']);
    assert.equal(out[0], "b'lower\\n' b'lower+'\nb'UPPER\\n' b'+'\nb'MPPER\\n' b'MPPER\\n'\n");
    assert.equal(out[1], 'MPPER\n');
  });

  test('a big file with holes is copied up with them', async () => {
    const dir = newTree();
    const big = join(dir, 'lower/big');
    const make = `truncate -s 1T ${big}; for at in 0 4097 3000000 900000000000; do printf data$at | dd of=${big} bs=1 seek=$at conv=notrunc status=none; done
      head -c 3000001 /dev/urandom > ${dir}/lower/noise`;
    assert.equal(spawnSync('sh', ['-c', make]).status, 0);
    const look =
      'for at in 0 4097 3000000 900000000000; do dd if=big bs=1 skip=$at count=5 status=none; done; stat -c %s big; [ $(stat -c %b big) -lt 100 ] && echo sparse';
    const out = await runs(dir, [
      `echo x >> big; echo x >> noise; ${look}`,
      `${look}; head -c 3000001 noise | md5sum; stat -c %s noise`,
    ]);
    assert.equal(out[0], 'data0data4data3data91099511627778\nsparse\n');
    const sum = spawnSync('md5sum', [join(dir, 'lower/noise')])
      .stdout.toString()
      .slice(0, 32);
    assert.equal(out[1], `${out[0]}${sum}  -\n3000003\n`);
  });

  test('a git repository, made in one run and used in the next', needs('git'), async () => {
    const git =
      'export GIT_CONFIG_GLOBAL=/dev/null; git() { command git -c user.name=n -c user.email=e "$@"; };';
    const out = await runs(newTree(), [
      `${git} git init -q -b main . && git add . && git commit -qm one && git log --format=%s`,
      `${git} git status --short; echo x >> file; git status --short; git commit -qam two; git mv dir/a a; git commit -qm three; git gc -q; git fsck --strict && git log --format=%s`,
      `${git} git checkout -q HEAD~1 && ls dir && git status --short && git fsck --full`,
    ]);
    assert.deepEqual(out, ['one\n', ' M file\nthree\ntwo\none\n', 'a\nb\nsub\n']);
  });

  test('a database', needs('python3'), async () => {
    const dir = newTree();
    const sql = (text: string) => `python3 -c "import sqlite3; c = sqlite3.connect('db'); ${text}"`;
    const out = await runs(dir, [
      sql(
        "c.execute('pragma journal_mode=wal'); c.execute('create table t(n)'); c.executemany('insert into t values (?)', ((i,) for i in range(5000))); c.commit()",
      ),
      sql(
        "c.execute('delete from t where n % 2'); c.commit(); print(c.execute('select count(*), sum(n) from t').fetchone(), c.execute('pragma integrity_check').fetchone())",
      ),
      sql("print(c.execute('select count(*), sum(n) from t').fetchone())"),
    ]);
    assert.deepEqual(out, ['', "(2500, 6247500) ('ok',)\n", '(2500, 6247500)\n']);
  });

  test('a package is installed', needs('root', 'dpkg-deb'), async () => {
    const dir = newTree();
    const pkg = join(dir, 'pkg');
    mkdirSync(join(pkg, 'DEBIAN'), { recursive: true });
    mkdirSync(join(pkg, 'opt/vedette-test'), { recursive: true });
    writeFileSync(
      join(pkg, 'DEBIAN/control'),
      'Package: vedette-test\nVersion: 1\nArchitecture: all\nMaintainer: n <n@e>\nDescription: test\n',
    );
    writeFileSync(join(pkg, 'DEBIAN/postinst'), '#!/bin/sh\necho configured > /opt/vedette-test/state\n', {
      mode: 0o755,
    });
    writeFileSync(join(pkg, 'opt/vedette-test/file'), 'content\n');
    assert.equal(spawnSync('dpkg-deb', ['-b', pkg, join(dir, 'lower/p.deb')]).status, 0);
    const out = await runs(dir, [
      'dpkg -i p.deb >/dev/null && cat /opt/vedette-test/*',
      'dpkg -s vedette-test | head -2; cat /opt/vedette-test/*; dpkg -P vedette-test >/dev/null 2>&1; ls /opt/vedette-test 2>&1',
      'dpkg -s vedette-test 2>&1 | head -1; ls -d /opt/vedette-test/file 2>&1; true',
    ]);
    assert.equal(out[0], 'content\nconfigured\n');
    assert.match(out[1]!, /^Package: vedette-test\nStatus: install ok installed\ncontent\nconfigured\n/);
    assert.match(out[2]!, /not installed[\s\S]*No such file/);
    assert.equal(existsSync('/opt/vedette-test'), false);
  });

  test('killed in the midst of writes', needs('python3'), async () => {
    const dir = newTree();
    // Each line is acknowledged when its file is complete; copies up, renames and removals go on all the time.
    const script = `i=0; while :; do i=$((i+1)); echo $i > tmp.$i; mv tmp.$i n.$i; echo $i >> file; rm -f dir/a; echo $i > dir/a; mkdir -p d.$i/s; echo $i; done`;
    let seen = 0;
    for (let round = 0; round < 3; round++) {
      const words = insideWords(dir, [], []);
      const child = spawn(words[0]!, [...words.slice(1), 'sh', '-c', script.replace('i=0', `i=${seen}`)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      const end = Date.now() + LIMIT_MS;
      while (text.split('\n').length < 20 + 17 * round && Date.now() < end) await sleep(5);
      child.kill('SIGKILL');
      await new Promise((done) => child.on('close', done));
      const lines = text.split('\n').slice(0, -1);
      assert.ok(lines.length >= 19, 'it wrote nothing');
      seen = Number(lines.at(-1));
      const check = `python3 -c "
import os
told = set(open('file').read().split())
for i in range(1, ${seen} + 1):
    if open('n.%d' % i).read() != '%d\\n' % i or not os.path.isdir('d.%d/s' % i) or str(i) not in told: print('lost', i)
print(sum(name.startswith('#') for name in os.listdir('.')))"`;
      const [out] = await runs(dir, [check]);
      assert.equal(out, '0\n');
    }
    assert.deepEqual(readdirSync(join(dir, 'box/work')), []);
  });

  test('with --rootfs, --bind, --mount, --hide and --diff', needs('setpriv'), async () => {
    const dir = newTree();
    const shared = join(dir, 'native');
    const flags = [
      '--bind',
      `${shared}:/shared`,
      '--mount',
      `${dir}/lower/dir:/shown`,
      '--hide',
      join(dir, 'lower/other'),
    ];
    const [first, second] = await runs(
      dir,
      [
        'ls other 2>&1; echo s > /shared/s; echo lost > /shown/lost; echo mine > other; ls /shown; rm -r gone; ls -A ../box 2>&1; true',
        'cat other; ls /shown /shared; ls gone 2>&1; true',
      ],
      flags,
    );
    assert.match(first!, /cannot access 'other'[\s\S]*a\nb\nlost\nsub\n[\s\S]*cannot access '..\/box'/);
    assert.match(second!, /^mine\n\/shared:\ns\n\n\/shown:\na\nb\nsub\nls: cannot access 'gone'/);
    const r = await runOver(dir, ['echo x > dir/new; echo y >> file'], ['--diff'], []);
    const at = join(dir, 'lower');
    const lines = r.runs[0]!.stderr.split('\n').filter((line) => line.includes(at));
    assert.deepEqual(lines, [
      `C ${at}`,
      `C ${at}/dir`,
      `A ${at}/dir/new`,
      `C ${at}/file`,
      `D ${at}/gone`,
      `C ${at}/other`,
    ]);
  });
});
