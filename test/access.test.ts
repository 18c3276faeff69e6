// What a program gets of this machine, and what a run is said to have changed: --access, --profile-file, --hide, --pass-env,
// --env-file, --diff.
// suite: 8 s
import assert from 'node:assert/strict';
import { linkSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { type RunResult, runNative, systemPath, vedette } from './harness/guest.ts';
import { needs } from './harness/needs.ts';

const root = mkdtempSync(join(tmpdir(), 'vedette-access-'));
after(() => rmSync(root, { recursive: true, force: true }));

const home = join(root, 'home');
mkdirSync(join(home, '.ssh'), { recursive: true });
writeFileSync(join(home, '.ssh/id'), 'the key\n');
writeFileSync(join(home, '.netrc'), 'the password\n');
writeFileSync(join(home, 'notes'), 'open to all\n');
linkSync(join(home, '.netrc'), join(home, 'another-name'));
linkSync(join(home, '.ssh/id'), join(home, 'name-of-a-key'));
symlinkSync('.ssh', join(home, 'link'));
const work = join(home, 'work');
mkdirSync(work);

const caller = {
  HOME: home,
  PATH: systemPath,
  SECRET_TOKEN: 'tttt',
  TERM: 'xterm',
  LC_TIME: 'C',
  LC_MESSAGES: 'C',
};
const inside = (flags: readonly string[], script: string): Promise<RunResult> =>
  runNative([...vedette, ...flags, '--', 'sh', '-c', script], {
    env: caller,
    cwd: work,
  });
const file = (name: string, text: string): string => {
  writeFileSync(join(root, name), text);
  return join(root, name);
};
/** Sorted names of the variables that a program has, without what shells add. */
const names = (r: RunResult): string[] =>
  r.stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('=')[0]!)
    .filter((name) => !['PWD', 'SHLVL', '_', 'OLDPWD'].includes(name))
    .sort();

describe('what a program gets', needs('inside'), () => {
  test('hidden files are not there, under any name or mount', async () => {
    const script = `cd ${home}; ls -A; for f in .ssh .ssh/id link/id .netrc another-name name-of-a-key notes /m/.ssh/id /m/notes; do cat $f 2>&1; done; ls -A /m`;
    const r = await inside(
      ['--hide', '~/.ssh', '--hide', join(home, '.netrc'), '--mount', `${home}:/m`],
      script,
    );
    assert.doesNotMatch(r.stdout + r.stderr, /the key|the password/);
    const listed = ['link', 'notes', 'work'];
    const none = (name: string) => `cat: ${name}: No such file or directory`;
    const lines = [
      ...listed,
      ...['.ssh', '.ssh/id', 'link/id', '.netrc', 'another-name', 'name-of-a-key'].map(none),
      'open to all',
      none('/m/.ssh/id'),
      'open to all',
      ...listed,
    ];
    assert.equal(r.stdout, `${lines.join('\n')}\n`);
  });

  test('who may unmount sees no more; what it makes in their place is its own', async () => {
    const script = `cd ${home}; umount ${home} .ssh 2>/dev/null; mkdir .ssh && echo mine > .ssh/id && cat .ssh/id; mv .ssh x; ls -A .ssh`;
    const r = await inside(['--user', '0', '--hide', '~/.ssh'], script);
    assert.equal(r.stdout, 'mine\n');
    assert.match(r.stderr, /No such file/);
    assert.equal(readFileSync(join(home, '.ssh/id'), 'utf8'), 'the key\n');
  });

  test('--access code: a fixed environment, an empty home, no secrets, the working directory as it is', async () => {
    const r = await inside(['--access=code'], 'env');
    assert.deepEqual(names(r), ['HOME', 'LANG', 'PATH', 'TERM']);
    const script = `pwd; ls -A ~; echo x > ~/f && cat ~/f; cat ${home}/.ssh/id ${home}/.netrc /etc/shadow; cat ${home}/notes`;
    const files = await inside(['--access=code'], script);
    assert.equal(files.stdout, `${work}\nx\nopen to all\n`);
    assert.equal(files.stderr.match(/No such file/g)?.length, 3);
  });

  test('a profile of one’s own', async () => {
    const profile = file(
      'profile.json',
      JSON.stringify({
        extends: 'code',
        passEnv: ['LC_*'],
        env: { A: 'b' },
        hide: ['~/notes'],
        tmpfs: ['/scratch'],
      }),
    );
    const r = await inside(['--profile-file', profile], 'env');
    assert.deepEqual(names(r), ['A', 'HOME', 'LANG', 'LC_ALL', 'LC_MESSAGES', 'LC_TIME', 'PATH']);
    const files = await inside(
      ['--profile-file', profile],
      `ls -A /scratch; cat ${home}/notes; cat ${home}/.ssh/id`,
    );
    assert.equal(files.stdout, '');
    for (const [text, complaint] of [
      ['{', /JSON/],
      ['[]', /not an object/],
      ['{"hid":[]}', /"hid": unknown; fix: one of extends/],
      ['{"extends":"shut"}', /fix: "open" or "code"/],
      ['{"hide":"/x"}', /not a list/],
      ['{"hide":["x"]}', /not absolute; fix/],
      ['{"env":{"A":1}}', /not an object of texts/],
    ] as const) {
      const bad = await inside(['--profile-file', file('bad.json', text)], 'true');
      assert.equal(bad.status, 125, text);
      assert.match(bad.stderr, complaint);
    }
  });

  test('variables: by pattern, from a file, one by one', async () => {
    const some = await inside(['--pass-env', 'LC_*', '--pass-env', 'HOME', '-e', 'X=y'], 'env');
    assert.deepEqual(names(some), ['HOME', 'LC_ALL', 'LC_MESSAGES', 'LC_TIME', 'X']);
    const env = file('env', '# a comment\n\nA=1\nB="two words"\r\n  C=\nSECRET_TOKEN\nNOT_THERE\n');
    const r = await inside(['--clear-env', '--env-file', env, '-e', 'A=2'], 'env | sort; echo "$B"');
    assert.deepEqual(names(r).slice(-4), ['A', 'B', 'C', 'SECRET_TOKEN']);
    assert.match(r.stdout, /^A=2$/m);
    assert.match(r.stdout, /^B="two words"$/m);
    const bad = await inside(['--env-file', file('bad', '=x\n')], 'true');
    assert.deepEqual([bad.status, /fix: NAME=VALUE/.test(bad.stderr)], [125, true]);
    assert.equal((await inside(['--env-file', '/nonexistent/x'], 'true')).status, 125);
  });
});

test(
  '--diff: what was added, changed and deleted, to stderr or a file',
  needs('inside', 'perl'),
  async () => {
    const dir = join(root, 'tree');
    mkdirSync(join(dir, 'sub'), { recursive: true });
    for (const name of ['kept', 'changed', 'gone', 'sub/gone', 'mode']) writeFileSync(join(dir, name), 'x');
    const script = `cd ${dir}; cat kept >/dev/null; echo y >> changed; rm gone sub/gone; chmod 600 mode; mkdir -p new/er; echo > new/er/file; ln -s a link; printf '' > "$(printf 'odd\\033[31m\\303\\251\\377')"`;
    const want = [
      ['C', ''],
      ['C', '/changed'],
      ['D', '/gone'],
      ['A', '/link'],
      ['C', '/mode'],
      ['A', '/new'],
      ['A', '/new/er'],
      ['A', '/new/er/file'],
      ['A', '/odd\\033[31m\\303\\251\\377'],
      ['C', '/sub'],
      ['D', '/sub/gone'],
    ];
    const lines = (at: string) => want.map(([kind, path]) => `${kind} ${at}${path}\n`).join('');
    const r = await runNative([...vedette, '--diff', '--', 'sh', '-c', script]);
    assert.deepEqual([r.status, r.stderr], [0, lines(dir)]);
    const report = join(root, 'report');
    const moved = script.replaceAll(dir, '/m');
    const mounted = await runNative([
      ...vedette,
      `--diff=${report}`,
      '--mount',
      `${dir}:/m`,
      '--',
      'sh',
      '-c',
      moved,
    ]);
    assert.deepEqual([mounted.status, mounted.stderr, readFileSync(report, 'utf8')], [0, '', lines('/m')]);
    const nothing = await runNative([...vedette, '--diff', '--', 'true']);
    assert.equal(nothing.stderr, '');
    // Nested as deeply as somebody likes: it ends, and says the part that has a name.
    const deep = "for (1 .. 3000) { mkdir 'd' and chdir 'd' or exit 1 }";
    const nested = await runNative([...vedette, '--diff', '--cwd', dir, '--', 'perl', '-e', deep]);
    assert.equal(nested.status, 0, nested.stderr.slice(0, 500));
    assert.ok(nested.stderr.split('\n').length > 1000);
    assert.equal((await runNative([...vedette, '--diff=/nonexistent/x', '--', 'true'])).status, 125);
  },
);
