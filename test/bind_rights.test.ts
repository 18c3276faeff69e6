// --bind: what a program inside may not do on the host, who owns what it makes, and what the host's limits do to it.
// suite: 8 s
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { inside, LIMIT_MS, newTree, python, sh, top } from './harness/bound.ts';
import { runInside, runNative, vedette } from './harness/guest.ts';
import { needs } from './harness/needs.ts';
import { treeLines } from './harness/tree.ts';

describe('who may what', needs('inside', 'python3'), () => {
  test('nothing reaches the host from a read-only one', async () => {
    const dir = newTree();
    writeFileSync(join(dir, 'f'), 'x');
    const lines = treeLines(dir);
    const script = `
import os, errno
def fails(f):
    try: f()
    except OSError as e: return errno.errorcode[e.errno]
    return 'done'
for f in (lambda: open('f', 'a'), lambda: open('g', 'w'), lambda: os.mkdir('d'), lambda: os.unlink('f'), lambda: os.rename('f', 'g'),
    lambda: os.chmod('f', 0o600), lambda: os.truncate('f', 0), lambda: os.utime('f'), lambda: os.link('f', 'g')): print(fails(f), end=' ')
`;
    const flags = ['--bind', `${dir}:/bound:ro`, '--cwd', '/bound'];
    const r = await runInside(python(script), { flags });
    assert.equal(r.stdout, 'EROFS '.repeat(9), r.stderr);
    assert.deepEqual(treeLines(dir), lines);
  });

  test('a file alone, and the order of mounts', async () => {
    const dir = newTree();
    writeFileSync(join(dir, 'f'), 'x\n');
    writeFileSync(join(dir, 'secret'), 'canary');
    mkdirSync(join(dir, 'other'));
    symlinkSync('f', join(dir, 'link'));
    const flags = ['--tmpfs', '/t', '--bind', `${dir}/link:/t/one/file`, '--cwd', '/t/one'];
    const r = await runInside(sh('cat file; echo y >> file; ls; ls -d .. ; cat ../secret secret || true'), {
      flags,
    });
    assert.equal(r.stdout, 'x\nfile\n..\n', r.stderr);
    assert.equal(readFileSync(join(dir, 'f'), 'utf8'), 'x\ny\n');
    // Replaced by another file of the host while it is bound, it is that file.
    const flags2 = ['--bind', `${dir}:/b`, '--mount', `${dir}:/b/other`, '--bind', `${dir}/f:/b/other/f`];
    const r2 = await runInside(sh('cd /b; echo z > kept; echo z > other/lost; echo z > other/f; ls other'), {
      flags: flags2,
    });
    assert.equal(r2.status, 0, r2.stderr);
    assert.deepEqual(readdirSync(dir).sort(), ['f', 'kept', 'link', 'other', 'secret']);
    assert.equal(readFileSync(join(dir, 'f'), 'utf8'), 'z\n');
    assert.deepEqual(readdirSync(join(dir, 'other')), []);
  });

  test('what is refused at the start', async () => {
    for (const [bind, text] of [
      ['/proc:/x', /permission denied/],
      ['/sys/kernel:/x', /permission denied/],
      [`${top}/nothing:/x`, /no such file/],
      ['/etc', /--bind \/etc: no place inside; fix: SRC:DST/],
      ['/etc:x', /--bind \/etc:x: x is not an absolute path inside/],
    ] as const) {
      const r = await runInside(['true'], { flags: ['--bind', bind] });
      assert.equal(r.status, 125, bind);
      assert.match(r.stderr, text);
    }
  });

  test('no devices and no rights of others on the host', needs('root', 'gcc'), async () => {
    const dir = newTree();
    writeFileSync(join(dir, 'f'), 'x');
    writeFileSync(join(dir, 's'), 'x');
    chmodSync(join(dir, 's'), 0o4755);
    const script = `
import os, errno, stat, struct
def fails(f):
    try: f()
    except OSError as e: return errno.errorcode[e.errno]
    return 'done'
for f in (lambda: os.chmod('f', 0o4755), lambda: os.chmod('f', 0o2755), lambda: os.mknod('null', stat.S_IFCHR | 0o666, os.makedev(1, 3)),
    lambda: os.mknod('disk', stat.S_IFBLK | 0o600, os.makedev(8, 0)), lambda: os.open('p', os.O_CREAT | os.O_WRONLY, 0o4755),
    lambda: os.setxattr('f', 'security.capability', struct.pack('<IIIII', 0x2000000, 1, 0, 0, 0)), lambda: os.setxattr('f', 'trusted.a', b'x'),
    lambda: os.chmod('s', 0o4711), lambda: os.mkdir('d'), lambda: os.chmod('d', 0o2775), lambda: open('s', 'w').close()): print(fails(f), end=' ')
`;
    const r = await inside(dir, python(script), ['--user', '0']);
    assert.equal(r.stdout, 'EPERM EPERM EPERM EPERM EPERM ENOTSUP ENOTSUP done done done done ', r.stderr);
    assert.deepEqual(readdirSync(dir).sort(), ['d', 'f', 's']);
    assert.equal(statSync(join(dir, 'f')).mode & 0o7777, 0o644);
    assert.equal(statSync(join(dir, 'd')).mode & 0o7777, 0o2775);
    // A write by somebody else takes them away.
    chmodSync(join(dir, 's'), 0o4777);
    await inside(dir, sh('echo y >> s'), ['--user', '1234']);
    assert.equal(statSync(join(dir, 's')).mode & 0o7777, 0o777);
  });

  test('who makes a file has it, on the host too', needs('root'), async () => {
    const dir = newTree();
    chmodSync(dir, 0o777);
    mkdirSync(join(dir, 'set'));
    chownSync(join(dir, 'set'), 0, 50);
    chmodSync(join(dir, 'set'), 0o2777);
    writeFileSync(join(dir, 'roots'), 'x');
    chmodSync(join(dir, 'roots'), 0o600);
    const r = await inside(
      dir,
      sh(`echo x > f; mkdir d; ln -s x l; mkfifo p; echo y > set/f; mkdir set/d; cat roots 2> /dev/null || echo denied
        chown 0 f 2> /dev/null || echo denied; umask 077; echo > private; chmod 400 f; echo z >> f 2> /dev/null || echo denied`),
      ['--user', '1234:5678'],
    );
    assert.equal(r.stdout, 'denied\ndenied\ndenied\n', r.stderr);
    const owner = (name: string): string => {
      const s = lstatSync(join(dir, name));
      return `${s.uid}:${s.gid} ${(s.mode & 0o7777).toString(8)}`;
    };
    assert.deepEqual(['f', 'd', 'l', 'p', 'set/f', 'set/d', 'private', 'roots'].map(owner), [
      '1234:5678 400',
      '1234:5678 755',
      '1234:5678 777',
      '1234:5678 644',
      '1234:50 644',
      '1234:50 2755',
      '1234:5678 600',
      '0:0 600',
    ]);
  });

  test('as an ordinary user of the host', needs('root', 'setpriv'), async () => {
    const dir = newTree();
    chownSync(dir, 65534, 65534);
    writeFileSync(join(dir, 'roots'), 'x');
    chmodSync(join(dir, 'roots'), 0o600);
    writeFileSync(join(dir, 'shown'), 'x');
    const argv = [
      'setpriv',
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      ...vedette,
      '--user',
      '0',
      '--bind',
      `${dir}:/b`,
    ];
    const r = await runNative(
      [
        ...argv,
        '--',
        ...sh(`cd /b; cat roots 2> /dev/null || echo denied; cat shown; echo 2>/dev/null >> shown || echo denied; echo mine > f
          chown 5 f 2> /dev/null || echo denied; chmod 4755 f 2> /dev/null || echo refused; mv roots moved; touch -d 2001-01-01 f; rm moved; cat f`),
      ],
      { cwd: dir, env: { XDG_CACHE_HOME: dir } },
    );
    assert.equal(r.stdout, 'denied\nxdenied\ndenied\nrefused\nmine\n', r.stderr);
    const f = statSync(join(dir, 'f'));
    assert.deepEqual([f.uid, f.gid, f.mode & 0o7777], [65534, 65534, 0o644]);
    assert.equal(existsSync(join(dir, 'moved')), false);
  });

  test('sockets and FIFOs join programs inside; those of the host stay shut', async () => {
    const dir = newTree();
    const made = await runNative(sh('mkfifo host'), { cwd: dir });
    assert.equal(made.status, 0);
    const script = `
import os, socket, errno
os.mkfifo('own')
if os.fork() == 0: open('own', 'w').write('through'); os._exit(0)
assert open('own').read() == 'through'; os.wait()
try: os.open('host', os.O_RDWR | os.O_NONBLOCK)
except OSError as e: print(errno.errorcode[e.errno])
s = socket.socket(socket.AF_UNIX); s.bind('sock'); s.listen(1)
c = socket.socket(socket.AF_UNIX); c.connect('sock'); a, _ = s.accept(); c.send(b'hi'); print(a.recv(2).decode())
os.unlink('sock'); os.unlink('own')
`;
    const r = await inside(dir, python(script));
    assert.equal(r.stdout, 'ENXIO\nhi\n', r.stderr);
    assert.deepEqual(readdirSync(dir), ['host']);
  });
});

describe('few descriptors', needs('inside', 'python3'), () => {
  let dir = '';
  before(() => {
    dir = newTree();
  });

  test('many directories, deep ones, and more files than the host lets us open', async () => {
    const script = `
import os, errno
os.makedirs('/'.join('d%d' % i for i in range(300)))
for i in range(300): os.mkdir('e%d' % i); open('e%d/f' % i, 'w').write('x')
for i in range(300): os.rename('e%d/f' % i, 'e%d/g' % ((i * 7) % 300))
assert all(os.listdir('e%d' % i) == ['g'] for i in range(300))
for i in range(300): os.chdir('d%d' % i)
open('bottom', 'w').write('y'); os.chdir('/bound')
files = []
try:
    for i in range(5000): files.append(os.open('e%d/g' % (i % 300), os.O_RDONLY if i < 300 else os.O_WRONLY))
except OSError as e: print(errno.errorcode[e.errno], len(files) > 20)
for f in files: os.close(f)
assert open('e5/g').read() == 'x'
`;
    const run = [
      'sh',
      '-c',
      'ulimit -n 200; exec "$@"',
      'sh',
      ...vedette,
      '--bind',
      `${dir}:/bound`,
      '--cwd',
      '/bound',
      '--',
    ];
    const r = await runNative([...run, ...python(script)], { cwd: dir, timeoutMs: LIMIT_MS });
    assert.equal(r.stdout, 'ENFILE True\n', r.stderr);
    assert.equal(r.status, 0, r.stderr);
    assert.equal(treeLines(dir).filter((l) => l.includes('/g file')).length, 300);
  });
});
