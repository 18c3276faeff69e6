// docs/limits.md, row by row: a bomb as an unprivileged user beside an innocent one. The innocent one goes on, the kernel
// stays small, and who is refused gets an errno that the row names.
// suite: 25 s
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { compileFuzz, HOSTILE, survive } from '../fuzz/harness.ts';
import { compileC, repoDir } from '../harness/guest.ts';
import { needs } from '../harness/needs.ts';

const MEMORY_MIB = 256;
/** Guest memory, the kernel's least budget, and what V8 takes above it. */
const MAX_PEAK_MIB = 900;
const BOMB_UID = '65534';
/** How long a bomb may go on, and how long all of it may take: the host may be busy. */
const SECONDS = 15;
const LIMIT_MS = 180_000;

/** Run always; the others where tests may take long. */
const SHORT = [
  'touch_memory',
  'endless_links',
  'extended_attributes',
  'fd_tables',
  'full_streams',
  'big_file',
  'bound_pages',
];
/** Bombs of rows.c; all others are of test/fuzz/bombs.c. */
const OWN = [
  'inet_sockets',
  'inet_streams',
  'inet_datagrams',
  'socket_filters',
  'packet_rings',
  'mount_namespaces',
  'network_namespaces',
  'links',
  'tun_queues',
  'filter_tables',
  'filter_connections',
  'fd_tables',
  'undo_lists',
  'proc_texts',
  'poll_sets',
  'host_lookups',
  'host_changes',
  'host_removals',
  'bound_files',
  'bound_listings',
  'bound_fifos',
  'bound_pages',
];

interface Row {
  readonly what: string;
  readonly errnos: readonly string[];
  readonly bomb: string;
  readonly root: boolean;
}

function readRows(): Row[] {
  const text = readFileSync(join(repoDir, 'docs/limits.md'), 'utf8');
  const lines = text.split('\n').filter((line) => line.startsWith('| '));
  return lines.slice(2).map((line) => {
    const cells = line.split('|').map((cell) => cell.trim());
    const [bomb, who] = cells[5]!.split(' ');
    return { what: cells[1]!, errnos: cells[3]!.split(' '), bomb: bomb!, root: who === '(root)' };
  });
}

describe('each limit beside somebody who goes on', {
  ...needs('gcc', 'root', 'inside'),
  concurrency: 2,
}, () => {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-rows-'));
  chmodSync(dir, 0o755);
  let rows = '';
  let bombs = '';
  before(async () => {
    rows = await compileC(join(repoDir, 'test/limits/rows.c'), HOSTILE);
    bombs = await compileFuzz('bombs');
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  const all = readRows();
  test('the table is read', () => {
    assert.ok(all.length > 40);
    for (const name of [...SHORT, ...OWN])
      assert.ok(
        all.some((row) => row.bomb === name),
        name,
      );
    assert.equal(new Set(all.map((row) => row.bomb)).size, all.length);
  });

  for (const row of all) {
    const title = `${row.what}: ${row.bomb}`;
    test(title, SHORT.includes(row.bomb) ? {} : needs('long'), async (t) => {
      const bomb = [OWN.includes(row.bomb) ? rows : bombs, row.bomb];
      const argv = [rows, String(SECONDS), row.root ? '0' : BOMB_UID, ...bomb];
      // One of its own each: what is written there is on the host.
      const bound = mkdtempSync(join(dir, 'bound-'));
      chmodSync(bound, 0o777);
      const flags = ['--memory', `${MEMORY_MIB}m`, '--user', '0', '--bind', `${bound}:/bound`];
      const r = await survive(bombs, flags, argv, LIMIT_MS);
      rmSync(bound, { recursive: true });
      const text = r.stdout + r.stderr;
      assert.equal(r.status, 0, text);
      const good = /innocent: rounds (\d+) failed (\d+) worst (\d+) ms/.exec(r.stdout);
      assert.ok(good !== null && Number(good[1]) > 5, text);
      assert.equal(Number(good[2]), 0, text);
      assert.ok(r.peakMiB < MAX_PEAK_MIB, `the Sentry took ${Math.round(r.peakMiB)} MiB\n${text}`);
      const refused = /^refused: (\w+)/m.exec(r.stdout);
      if (refused !== null) assert.ok(row.errnos.includes(refused[1]!), text);
      if (/^bomb: killed/m.test(r.stdout)) {
        assert.ok(row.errnos.includes('OOM'), text);
        assert.match(r.stderr, /^vedette: out of memory: .*: killing process \d+ \(bombs, user 65534\)/m);
      }
      if (/^(bound|done): /m.test(r.stdout))
        assert.ok(row.errnos.includes('-') || row.errnos.includes('OOM'), text);
      const said = r.stdout.trim().split('\n').slice(-3).join('; ');
      t.diagnostic(`${said}; ${Math.round(r.peakMiB)} MiB, ${r.elapsedMs} ms`);
    });
  }
});
