// Processes of the host that stand behind a container are killed: what is left can be deleted, and nothing stays.
// suite: 15 s
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { alive, Bundle, noBusybox, until } from './bundle.ts';

/** Processes of the host whose parent or command belongs to the container: children of `pid`. */
function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((n) => {
      try {
        const stat = readFileSync(`/proc/${n}/stat`, 'latin1');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid;
      } catch {
        return false;
      }
    });
}

suite('oci faults', { skip: noBusybox() }, () => {
  const bundles: Bundle[] = [];
  const bundle = (): Bundle => {
    const b = new Bundle();
    b.program('sleep', '1000');
    bundles.push(b);
    return b;
  };
  after(() => {
    for (const b of bundles) b.close();
  });

  test('the boot process is killed: stopped, and stubs and waiting execs go with it', () => {
    const b = bundle();
    const pid = b.launch('k');
    const file = join(b.dir, 'exec.pid');
    assert.equal(b.run(['exec', '--detach', '--pid-file', file, 'k', 'sleep', '1000']).status, 0);
    const waiter = Number(readFileSync(file, 'utf8'));
    const stubs = childrenOf(pid);
    assert.ok(stubs.length > 0);
    process.kill(pid, 'SIGKILL');
    assert.ok(until(() => b.status('k') === 'stopped'));
    assert.ok(
      until(() => ![waiter, ...stubs].some(alive)),
      'something is left',
    );
    assert.equal(b.run(['delete', 'k']).status, 0);
    assert.deepEqual(readdirSync(b.root), ['@locks']);
  });

  test('the process of an exec is killed: its program ends, the container goes on', () => {
    const b = bundle();
    b.launch('k');
    const file = join(b.dir, 'exec.pid');
    assert.equal(b.run(['exec', '--detach', '--pid-file', file, 'k', 'sh', '-c', 'exec sleep 77']).status, 0);
    const inside = () => b.run(['exec', 'k', 'ps']).stdout;
    assert.ok(until(() => inside().includes('sleep 77')));
    process.kill(Number(readFileSync(file, 'utf8')), 'SIGKILL');
    assert.ok(until(() => !inside().includes('sleep 77')));
    assert.equal(b.status('k'), 'running');
  });

  test('create is killed at any moment: delete --force leaves nothing', () => {
    const b = bundle();
    mkdirSync(b.root);
    const pause = (ms: number) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
    for (let ms = 0; ms < 300; ms += 25) {
      const child = b.spawn(['create', '--bundle', b.dir, 'k']);
      // From the moment at which there is something to delete, however busy the host is.
      for (let i = 0; i < 20_000 && !readdirSync(b.root).includes('k'); i++) pause(1);
      assert.ok(readdirSync(b.root).includes('k'));
      pause(ms);
      process.kill(child.pid!, 'SIGKILL');
      const boots = () =>
        readdirSync('/proc').filter((name) => {
          try {
            return (
              /^\d+$/.test(name) &&
              readFileSync(`/proc/${name}/cmdline`, 'latin1').includes('\0boot\0') &&
              readlinkSync(`/proc/${name}/cwd`) === b.dir
            );
          } catch {
            return false;
          }
        });
      assert.equal(b.run(['delete', '--force', 'k']).status, 0, `after ${ms} ms`);
      assert.ok(
        until(() => boots().length === 0),
        `after ${ms} ms: processes ${boots().join(' ')}`,
      );
      assert.deepEqual(
        readdirSync(b.root).filter((name) => name !== '@locks'),
        [],
      );
    }
  });

  test('a folder without a record is no container, and goes with --force', () => {
    const b = bundle();
    mkdirSync(join(b.root, 'k'), { recursive: true });
    assert.equal(b.run(['state', 'k']).status, 1);
    assert.equal(b.lastError(), 'container does not exist');
    assert.equal(b.run(['delete', '--force', 'k']).status, 0);
    assert.ok(!readdirSync(b.root).includes('k'));
  });

  test('two that make the same container at once: one does', async () => {
    const b = bundle();
    const status = (i: number) =>
      new Promise<number | null>((done) => {
        const child = b.spawn(['create', '--bundle', b.dir, '--pid-file', join(b.dir, `pid${i}`), 'same']);
        child.on('exit', (code) => {
          child.stdout.destroy();
          child.stderr.destroy();
          done(code);
        });
      });
    const all = await Promise.all([0, 1, 2].map(status));
    assert.deepEqual(all.sort(), [0, 1, 1]);
    assert.equal(b.status('same'), 'created');
  });
});
