// The tests of Python's and Go's own network libraries: what passes natively, on a loopback interface of its own, passes inside.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { type RunResult, runNative, vedette } from '../harness/guest.ts';
import { needs } from '../harness/needs.ts';

const all = ['long', 'root', 'inside', 'unshare', 'ip'];
const NATIVE = ['unshare', '-n', 'sh', '-c', 'ip link set lo up; exec "$@"', 'sh'];
const TIMEOUT_MS = 1_800_000;

const PYTHON = [
  'test_socket test_asyncio test_selectors test_select test_epoll test_poll test_socketserver test_timeout test_telnetlib',
  'test_nntplib test_wsgiref test_urllib test_urllib2 test_urllib2_localnet test_robotparser test_asyncore test_asynchat test_smtpd',
  'test_smtplib test_poplib test_imaplib test_ftplib test_ssl test_httplib test_httpservers test_xmlrpc test_docxmlrpc',
]
  .join(' ')
  .split(' ');

const GO = [
  'net net/netip net/url net/textproto net/mail net/smtp net/rpc net/rpc/jsonrpc net/http net/http/httptest net/http/httputil',
  'net/http/cgi net/http/fcgi net/http/cookiejar crypto/tls internal/poll',
]
  .join(' ')
  .split(' ');

/** Names of the tests that `pattern` finds in what a run said. */
function passed(run: RunResult, pattern: RegExp): Set<string> {
  return new Set([...(run.stdout + run.stderr).matchAll(pattern)].map((match) => match[1]!));
}

/** What passes natively and not inside. Some tests look at the clock: those that fail have a second try, by themselves. */
async function worse(command: string[], pattern: RegExp, only: (names: string[]) => string[], cwd?: string) {
  const options = { timeoutMs: TIMEOUT_MS, ...(cwd === undefined ? {} : { cwd }) };
  const inside = (argv: string[]) => runNative([...vedette, '--hostname=localhost', '--', ...argv], options);
  const good = passed(await runNative([...NATIVE, ...command], options), pattern);
  assert.ok(good.size > 0, 'nothing passes natively');
  const found = passed(await inside(command), pattern);
  const failed = [...good].filter((name) => !found.has(name));
  if (failed.length === 0) return [];
  const again = passed(await inside([...command, ...only(failed)]), pattern);
  return failed.filter((name) => !again.has(name));
}

describe("Python's tests", needs(...all, 'python3', '/usr/lib/python3.11/test/test_socket.py'), () => {
  for (const name of PYTHON)
    test(name, async () => {
      // Of AF_VSOCK there is nothing inside.
      const command = ['/usr/bin/python3', '-m', 'test', '-v', '-u', 'network', '-i', '*VSOCK*', name];
      const only = (names: string[]) => names.flatMap((text) => ['-m', text.replace(/^\w+ \((.*)\)$/, '$1')]);
      assert.deepEqual(await worse(command, /^(\w+ \([\w.]+\))(?:\n.*)? \.\.\. ok$/gm, only), []);
    });
});

describe("Go's tests", needs(...all, 'go', '/usr/share/go-1.19/src/net/net_test.go'), () => {
  const folder = mkdtempSync(join(tmpdir(), 'vedette-peers-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const source = '/usr/lib/go-1.19/src';
  for (const name of GO)
    test(name, async () => {
      const program = join(folder, name.replaceAll('/', '_'));
      const built = await runNative(['go', 'test', '-c', '-o', program, name], {
        cwd: source,
        env: { GOCACHE: join(folder, 'cache'), GOFLAGS: '-buildvcs=false', HOME: folder },
        timeoutMs: TIMEOUT_MS,
      });
      assert.equal(built.status, 0, built.stderr);
      const command = [program, '-test.v', '-test.timeout=25m'];
      const only = (names: string[]) => [
        `-test.run=^(${names.map((text) => text.split('/')[0]).join('|')})$`,
      ];
      // One runs strace(1), which finds no ptrace(2) for its program inside.
      const found = await worse(command, /^\s*--- PASS: (\S+) /gm, only, join(source, name));
      assert.deepEqual(
        found.filter((text) => text !== 'TestLinuxSendfile'),
        [],
      );
    });
});
