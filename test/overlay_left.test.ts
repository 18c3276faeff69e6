// What a guest left in the overlay for the command to stumble over in the next run: the command's own files are written without
// following it, and nothing hangs.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type RunResult, runNative, vedette } from './harness/guest.ts';
import { needs } from './harness/needs.ts';
import { LIMIT_MS, newTree } from './harness/overlaid.ts';

describe('what a guest left', needs('inside', 'root'), () => {
  const run = (dir: string, flags: string[], script: string): Promise<RunResult> =>
    runNative([...vedette, '--overlay', join(dir, 'box'), '--cwd', '/', ...flags, '--', 'sh', '-c', script], {
      cwd: '/',
      timeoutMs: LIMIT_MS,
    });
  const upper = (dir: string, path: string) => join(dir, 'box/upper', path);

  test('links at the names of our files are replaced, not followed', async () => {
    const dir = newTree();
    const shared = join(dir, 'native');
    writeFileSync(join(shared, 'kept'), 'mine\n');
    writeFileSync(join(shared, 'named'), '127.0.0.1 here\n');
    await run(
      dir,
      [],
      'echo inner > /etc/target; for n in hosts hostname resolv.conf; do ln -sf /shared/kept /etc/$n; done; ln -sf target /etc/hostname',
    );
    const flags = ['--hostname', 'box', '--network=user', '--bind', `${shared}:/shared`];
    const r = await run(
      dir,
      flags,
      'cat /etc/hostname; grep -c box /etc/hosts; grep -c localhost /etc/hosts; grep -c nameserver /etc/resolv.conf; cat /etc/target; stat -c %F /etc/hosts /etc/hostname /etc/resolv.conf',
    );
    assert.equal(r.stdout, 'box\n1\n1\n1\ninner\nregular file\nregular file\nregular file\n', r.stderr);
    assert.deepEqual(readdirSync(shared).sort(), ['kept', 'named']);
    assert.equal(readFileSync(join(shared, 'kept'), 'utf8'), 'mine\n');
    // A link that leads nowhere makes nothing where it leads.
    await run(dir, [], 'ln -sf /shared/new /etc/hosts');
    assert.equal((await run(dir, flags, 'grep -c box /etc/hosts')).stdout, '1\n');
    assert.equal(existsSync(join(shared, 'new')), false);
  });

  test('other names of a file stay what they are', async () => {
    const dir = newTree();
    await run(
      dir,
      [],
      'echo precious > /etc/other; ln -f /etc/other /etc/hosts; ln -f /etc/other /etc/hostname',
    );
    const r = await run(
      dir,
      ['--hostname', 'box'],
      'cat /etc/other /etc/hostname; grep -c precious /etc/hosts; stat -c %h /etc/other /etc/hosts',
    );
    assert.equal(r.stdout, 'precious\nbox\n1\n1\n1\n', r.stderr);
  });

  test('what is bound is not written', async () => {
    const dir = newTree();
    const shared = join(dir, 'native');
    mkdirSync(join(shared, 'etc'));
    writeFileSync(join(shared, 'etc/hosts'), 'as it is\n');
    for (const bind of [`${shared}/etc:/etc`, `${shared}/etc/hosts:/etc/hosts`]) {
      const r = await run(dir, ['--hostname', 'box', '--bind', bind], 'hostname; cat /etc/hosts');
      assert.equal(r.stdout, 'box\nas it is\n', r.stderr);
      assert.deepEqual(readdirSync(join(shared, 'etc')), ['hosts']);
    }
  });

  test('places of mounts lead into nothing that is bound for reading', async () => {
    const dir = newTree();
    const shared = join(dir, 'native');
    await run(dir, [], 'ln -s /shared /m');
    const mounts = ['--bind', `${shared}:/shared:ro`, '--mount', `${dir}/lower:/m/sub`];
    const r = await run(dir, mounts, 'ls /m');
    assert.equal(r.status, 125, r.stdout);
    assert.match(r.stderr, /EROFS: nothing can be made there; fix/);
    assert.deepEqual(readdirSync(shared), []);
  });

  test('a FIFO, a directory, a device in the way: an error, in time', async () => {
    const make = {
      'a FIFO': 'mkfifo $f',
      'a directory': 'mkdir $f',
      'a device': 'mknod $f c 5 2',
      'a socket': `python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('$f')"`,
    };
    for (const [what, how] of Object.entries(make)) {
      const dir = newTree();
      const files = ['hosts', 'passwd', 'group', 'resolv.conf'];
      const left = await run(dir, [], files.map((name) => `f=/etc/${name}; rm -f $f; ${how}`).join('; '));
      assert.equal(left.stderr, '', what);
      for (const [flags, said] of [
        [['--hostname=box'], `--hostname: inside, /etc/hosts is ${what}; fix: `],
        [['--network=user'], `--network: inside, /etc/resolv.conf is ${what}; fix: `],
        [['--user=daemon'], `--user daemon: inside, /etc/passwd is ${what}; fix: `],
      ] as const) {
        const r = await run(dir, [...flags], 'echo ran');
        assert.equal(r.timedOut, false, what);
        assert.equal(r.status, 125, `${what}: ${r.stdout}`);
        assert.ok(r.stderr.includes(said), r.stderr);
      }
      const r = await run(dir, ['--user=12'], 'id -u; echo $HOME');
      assert.equal(r.stdout, '12\n/\n', r.stderr);
      assert.equal(existsSync(upper(dir, 'etc/hosts')), true);
    }
  });
});
