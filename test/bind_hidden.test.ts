// --hide below --bind: what is hidden is not there by any path through the bound directory, and nothing can be put in its place.
import assert from 'node:assert/strict';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { type RunResult, runInside } from './harness/guest.ts';
import { needs } from './harness/needs.ts';

const top = realpathSync(mkdtempSync(join(tmpdir(), 'vedette-bind-hidden-')));
after(() => rmSync(top, { recursive: true, force: true }));
const CANARY = 'CANARY-hidden';

let trees = 0;
function newTree(): string {
  const dir = join(top, `t${trees++}`);
  mkdirSync(join(dir, 'conf/deep/vault'), { recursive: true });
  mkdirSync(join(dir, 'free'));
  writeFileSync(join(dir, 'conf/key'), CANARY);
  writeFileSync(join(dir, 'conf/deep/vault/inner'), CANARY);
  writeFileSync(join(dir, 'conf/open'), 'open\n');
  linkSync(join(dir, 'conf/key'), join(dir, 'free/twin'));
  linkSync(join(dir, 'conf/deep/vault/inner'), join(dir, 'free/inner2'));
  symlinkSync('../conf/key', join(dir, 'free/link'));
  symlinkSync('../conf/deep/vault', join(dir, 'free/dirlink'));
  return dir;
}

const HIDDEN = ['conf/key', 'conf/deep/vault', 'conf/later'];

function inside(dir: string, script: string, more: string[] = []): Promise<RunResult> {
  const flags = [
    '--bind',
    `${dir}:/b`,
    '--user',
    '0',
    ...HIDDEN.flatMap((p) => ['--hide', join(dir, p)]),
    ...more,
  ];
  return runInside(['python3', '-c', `${PRELUDE}${script}`], { flags, timeoutMs: 60_000 });
}

const PRELUDE = `
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def t(f, *a):
    try: return f(*a)
    except OSError as e: return errno.errorcode[e.errno]
def x(a, b, flags=2): return 'ok' if libc.renameat2(-100, a.encode(), -100, b.encode(), flags) == 0 else errno.errorcode[ctypes.get_errno()]
def read(p):
    with open(p) as f: return f.read()
os.chdir('/b')
`;

describe('--hide below --bind', needs('inside', 'python3'), () => {
  test('it is not there, by any path', async () => {
    const dir = newTree();
    const r = await inside(
      dir,
      `
d = os.open('conf', os.O_RDONLY | os.O_DIRECTORY); os.chdir('conf/deep')
for p in ('/b/conf/key', '/b/conf/deep/vault', '/b/conf/deep/vault/inner', '../key', 'vault', './vault/inner', '/b/free/twin', '/b/free/inner2', '/b/free/link', '/b/free/dirlink/inner',
          '/b/free/../conf/key', '/proc/self/cwd/vault', '/proc/self/fd/%d/key' % d, '/proc/self/root/b/conf/key'):
    print(p.replace(str(d), 'N'), t(read, p), t(os.stat, p), t(os.open, p, os.O_PATH), t(os.rename, p, '/b/free/got'), t(os.link, p, '/b/free/got'), t(os.unlink, p) if 'link' not in p else '')
print(t(os.open, 'key', os.O_RDONLY, 0o600), sorted(os.listdir('..')), os.listdir('.'), sorted(os.listdir('/b/free')))
for root, dirs, files in os.walk('/b'):
    for f in files:
        if 'CANARY' in str(t(read, os.path.join(root, f))): print('seen', root, f)
`,
    );
    assert.equal(r.status, 0, r.stderr);
    assert.ok(!r.stdout.includes('CANARY') && !r.stdout.includes('seen'), r.stdout);
    const lines = r.stdout.trim().split('\n');
    assert.equal(lines.length, 15);
    for (const line of lines.slice(0, 14))
      if (!/free\/link/.test(line)) assert.match(line, /^\S+( ENOENT){5}( ENOENT)? ?$/);
    assert.equal(lines[14], "ENOENT ['deep', 'open'] [] ['dirlink', 'got']");
  });

  test('nothing takes its place, and what it lies in stays', async () => {
    const dir = newTree();
    const r = await inside(
      dir,
      `
for p in ('conf/key', 'conf/deep/vault', 'conf/later', 'free/twin', 'free/inner2'):
    print(p, t(os.open, p, os.O_CREAT | os.O_WRONLY), t(os.open, p, os.O_CREAT | os.O_EXCL | os.O_WRONLY), t(os.mkdir, p), t(os.symlink, 'x', p), t(os.mkfifo, p),
          t(os.link, 'conf/open', p), t(os.rename, 'conf/open', p), x('conf/open', p), x('conf/open', p, 1), x(p, 'conf/open'))
os.mkdir('mine')
print(t(os.rename, 'conf', 'moved'), t(os.rename, 'conf/deep', 'free/deep'), x('conf', 'mine'), x('mine', 'conf'), t(os.rename, 'mine', 'conf/deep'), t(os.rmdir, 'conf/deep'), t(os.rmdir, 'conf'))
print(t(os.rename, 'free', 'freed'), t(read, 'freed/twin'), t(os.rmdir, 'freed'), t(os.rename, 'mine', 'theirs'), open('conf/new', 'w').write('new'), t(os.rename, 'conf/new', 'conf/newer'))
`,
    );
    assert.equal(r.status, 0, r.stderr);
    const lines = r.stdout.trim().split('\n');
    for (const line of lines.slice(0, 5)) assert.match(line, /^\S+( EACCES){7} ENOENT EACCES ENOENT$/);
    assert.equal(lines[5], 'EBUSY EBUSY EBUSY EBUSY EBUSY EBUSY EBUSY');
    assert.equal(lines[6], 'None ENOENT ENOTEMPTY None 3 None');
    assert.equal(readFileSync(join(dir, 'conf/key'), 'utf8'), CANARY);
    assert.equal(readFileSync(join(dir, 'conf/deep/vault/inner'), 'utf8'), CANARY);
    assert.deepEqual(readdirSync(join(dir, 'conf')).sort(), ['deep', 'key', 'newer', 'open']);
  });

  test('it stays hidden while the host moves it and what has its name', async () => {
    const dir = newTree();
    // While the guest looks all the time, the host replaces the file, makes the one that was not there, and moves the first elsewhere.
    const looking = inside(
      dir,
      `
import time
end = time.time() + 60; seen = 0; found = False
while time.time() < end and not os.path.exists('stop'):
    for p in ('conf/key', 'conf/later', 'free/other', 'conf/open'):
        if 'CANARY' in str(t(read, p)): print('seen', p)
    if set(os.listdir('conf')) & {'key', 'later'} or 'other' in os.listdir('free'): print('listed')
    seen += 1; open('turn', 'w').write(str(seen))
print('looked', seen > 20)
`,
    );
    const turns = async (n: number): Promise<void> => {
      const end = Date.now() + 50_000;
      const from = turn();
      while (turn() < from + n && Date.now() < end) await new Promise((next) => setTimeout(next, 5));
    };
    const turn = (): number => {
      try {
        return Number(readFileSync(join(dir, 'turn'), 'utf8'));
      } catch {
        return 0;
      }
    };
    await turns(10);
    renameSync(join(dir, 'conf/key'), join(dir, 'free/other'));
    writeFileSync(join(dir, 'conf/key.new'), `${CANARY} 2`, { mode: 0o600 });
    rmSync(join(dir, 'conf/key.new'));
    await turns(10);
    writeFileSync(join(dir, 'conf/key'), CANARY);
    writeFileSync(join(dir, 'conf/later'), CANARY);
    await turns(10);
    writeFileSync(join(dir, 'stop'), '');
    const r = await looking;
    assert.equal(r.stdout, 'looked True\n', r.stderr);
  });

  test('what is hidden is not bound itself, and a file beside it is', async () => {
    const dir = newTree();
    const hide = ['--hide', join(dir, 'conf/key'), '--hide', join(dir, 'conf/deep')];
    for (const source of [
      'conf/key',
      'conf/deep',
      'conf/deep/vault',
      'free/twin',
      'free/inner2',
      'free/link',
      'free/dirlink',
    ]) {
      const r = await runInside(['ls', '/b'], { flags: [...hide, '--bind', `${join(dir, source)}:/b`] });
      assert.equal(r.status, 125, source);
      assert.match(r.stderr, /fix: /, source);
    }
    const r = await runInside(['cat', '/b'], { flags: [...hide, '--bind', `${join(dir, 'conf/open')}:/b`] });
    assert.equal(r.stdout, 'open\n', r.stderr);
  });
});
