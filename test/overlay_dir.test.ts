// The directory of --overlay: when it is made, refused, and whose it is.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, lstatSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { runNative, vedette } from './harness/guest.ts';
import { needs } from './harness/needs.ts';
import { LIMIT_MS, newTree, runOver } from './harness/overlaid.ts';

describe('the directory itself', needs('inside'), () => {
  const start = (dir: string, flags: string[] = [], script = 'echo ran', user: string[] = []) =>
    runNative([...user, ...vedette, '--overlay', dir, ...flags, '--', 'sh', '-c', script], {
      cwd: '/',
      timeoutMs: LIMIT_MS,
    });

  test('is made; its parent is not', async () => {
    const dir = newTree();
    assert.equal((await start(join(dir, 'made'))).stdout, 'ran\n');
    assert.equal(lstatSync(join(dir, 'made')).mode & 0o777, 0o700);
    const r = await start(join(dir, 'no/made'));
    assert.equal(r.status, 125);
    assert.match(r.stderr, /--overlay .*does not exist; fix: /);
    assert.equal(existsSync(join(dir, 'no')), false);
  });

  test('is refused when it is a file, holds other files, is hidden, or holds the root', async () => {
    const dir = newTree();
    for (const [path, flags, said] of [
      [join(dir, 'lower/file'), [], /not a directory; fix/],
      [join(dir, 'lower'), [], /other files in it; fix/],
      [join(dir, 'box'), ['--hide', dir], /is hidden; fix/],
      [join(dir, 'box/new'), ['--hide', join(dir, 'box')], /is hidden; fix/],
      [join(dir, 'box'), ['--rootfs', join(dir, 'box')], /root, .*lies in it; fix/],
      ['/proc/self', [], /--overlay .*; fix/],
      ['', [], /value is empty; fix/],
    ] as const) {
      const r = await start(path, [...flags]);
      assert.equal(r.status, 125, `${path}: ${r.stdout}${r.stderr}`);
      assert.match(r.stderr, said);
    }
  });

  test('is for one sandbox at a time', async () => {
    const box = join(newTree(), 'box');
    const child = spawn(
      vedette[0]!,
      [...vedette.slice(1), '--overlay', box, '--', 'sh', '-c', 'echo up; read x'],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    await new Promise((up) => child.stdout.once('data', up));
    const r = await start(box);
    assert.equal(r.status, 125);
    assert.match(r.stderr, new RegExp(`process ${child.pid} runs a sandbox with it; fix: `));
    child.kill('SIGKILL');
    await new Promise((done) => child.on('close', done));
    assert.equal((await start(box)).stdout, 'ran\n');
  });

  test('a file system without attributes of users is refused', needs('root', 'unshare'), async () => {
    const mnt = join(newTree(), 'native');
    // ramfs keeps none.
    const r = await runNative(
      [
        'unshare',
        '--mount',
        'sh',
        '-c',
        'mount -t ramfs ramfs "$1" && shift && exec "$@"',
        'sh',
        mnt,
        ...vedette,
        '--overlay',
        `${mnt}/d`,
        '--',
        'true',
      ],
      { cwd: '/', timeoutMs: LIMIT_MS },
    );
    assert.equal(r.status, 125, r.stderr);
    assert.match(r.stderr, /extended attributes of users; fix: /);
  });

  test('marks cannot be forged from inside', needs('setfattr', 'getfattr'), async () => {
    const dir = newTree();
    const { runs } = await runOver(
      dir,
      [
        'echo x > f; setfattr -n user.vedette.inode -v whiteout f; setfattr -n user.vedette.x.security.capability -v 1 f; getfattr -d f',
        'cat f; getfattr -d f; getfattr -m - f',
      ],
      [],
      [],
    );
    assert.match(runs[0]!.stdout, /user.vedette.inode="whiteout"/);
    assert.match(runs[1]!.stdout, /^x\n[\s\S]*user.vedette.inode="whiteout"/);
    assert.doesNotMatch(runs[1]!.stdout, /^security/m);
    assert.equal(runs[1]!.status, 0, runs[1]!.stderr);
  });
});
