// Many sandboxes at once: all end as they should, and nothing of them is left. 30 of them, 200 with --long.
// suite: 12 s
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { distDir, runNative } from './harness/guest.ts';
import { needs } from './harness/needs.ts';

interface Report {
  readonly wrong: string[];
  /** Most processes that were there at once. */
  readonly seen: number;
  readonly mixedMs: number;
  readonly allUpMs: number;
  readonly processes: number;
  /** KiB of all sandboxes that wait at once. */
  readonly atOnce: number;
  readonly left: string[];
}

/** In namespaces of its own, whose first process takes in those that lose their parent. The tree of the tests may lie in /tmp. */
const SCRIPT = `
mkdir -p /dev/shm && mount -t tmpfs tmpfs /dev/shm && export PLACES=/dev/shm/cache:/dev/shm/run:/dev/shm/tmp:/dev/shm/home HOME=/dev/shm/home
case "$0" in /tmp/*) ;; *) mount -t tmpfs tmpfs /tmp; PLACES=$PLACES:/tmp ;; esac
mkdir /dev/shm/cache /dev/shm/run /dev/shm/tmp /dev/shm/home; export KEPT=$(mktemp -d /tmp/vedette-kept-XXXXXX)
export XDG_CACHE_HOME=/dev/shm/cache XDG_RUNTIME_DIR=/dev/shm/run TMPDIR=/dev/shm/tmp
"$1" "$0" "$2"
status=$?; rm -rf "$KEPT"; rmdir /dev/shm/* && [ "$(ls -A /dev/shm)" = "" ] || status=99
exit $status
`;

async function many(count: number, diagnostic: (text: string) => void): Promise<void> {
  const unshare = ['unshare', '--mount', '--pid', '--ipc', '--fork', '--mount-proc', '--kill-child'];
  const driver = join(distDir, 'test/harness/many.js');
  const r = await runNative([...unshare, 'sh', '-c', SCRIPT, driver, process.execPath, String(count)], {
    timeoutMs: 900_000,
    cwd: '/',
  });
  assert.equal(r.status, 0, r.stdout + r.stderr);
  const report = JSON.parse(r.stdout) as Report;
  assert.deepEqual(report.wrong, []);
  assert.deepEqual(report.left, []);
  // Whoever looks for what is left must have been able to see it.
  assert.ok(report.seen > count / 4, `only ${report.seen} processes were seen`);
  assert.ok(report.processes >= 2 * count, `only ${report.processes} processes waited`);
  const mib = (report.atOnce / count / 1024).toFixed(1);
  diagnostic(
    `${count} mixed: ${report.mixedMs} ms; ${count} up at once: ${report.allUpMs} ms, ${report.processes} processes, ${mib} MiB each`,
  );
}

describe('many sandboxes at once', needs('inside', 'root', 'unshare', 'python3'), () => {
  test('30 of them', (t) => many(30, (text) => t.diagnostic(text)));
  test('200 of them', needs('long'), (t) => many(200, (text) => t.diagnostic(text)));
});
