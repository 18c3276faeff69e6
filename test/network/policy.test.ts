// A program inside that tries each way round a policy; the world and the host would let it.
// suite: 20 s
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { needs } from '../harness/needs.ts';
import { DNS, folder, METADATA, Net, OTHER, PRIVATE, WEB } from './net.ts';

const PYTHON = '/usr/bin/python3';
const USER = ['--network=user', `--dns=${DNS}`];

/** One line for each: what curl got, or how it ended. */
const fetch = (...urls: string[]): string[] => [
  'sh',
  '-c',
  urls.map((url) => `curl -sS -m 5 ${url} 2>/dev/null || echo no`).join('; '),
];

describe('policy', needs('root', 'inside', 'unshare', 'nsenter', 'ip', 'curl', PYTHON), () => {
  let net: Net;
  let dir: string;
  before(async () => {
    net = await Net.make();
    dir = mkdtempSync(join(tmpdir(), 'vedette-policy-'));
    await net.serve('host', [
      PYTHON,
      '-uc',
      `import http.server as h
class S(h.ThreadingHTTPServer):
    address_family = __import__('socket').AF_INET6
s = S(('::', 18081), h.SimpleHTTPRequestHandler, True)
print('ready', flush=True)
s.serve_forever()`,
    ]);
  });
  after(() => {
    net?.end();
    if (dir !== undefined) rmSync(dir, { recursive: true });
  });

  const got = async (argv: string[], flags: string[]): Promise<string[]> => {
    const r = await net.inside(argv, [...USER, ...flags], { timeoutMs: 120_000 });
    return r.stdout.trim().split('\n');
  };

  test('the world would let it: natively everything is reached', async () => {
    const r = await net.native(
      fetch(
        `http://${OTHER}/`,
        `http://${PRIVATE}/`,
        `http://${METADATA}/`,
        'http://127.0.0.1:18081/nothing',
      ),
    );
    assert.doesNotMatch(r.stdout, /^no$/m);
  });

  test('one name allowed: no way round it', async () => {
    const lines = await got([PYTHON, join(folder, 'attacker.py')], ['--allow', 'web.example:80,7000/tcp']);
    assert.deepEqual(lines, ['allowed']);
  });

  test('and with everything allowed the attacker does find its way', async () => {
    const lines = await got(
      [PYTHON, join(folder, 'attacker.py')],
      ['--allow', 'host.vedette.internal', '--allow', 'all', '--allow', '*'],
    );
    for (const way of [
      ...[`address ${OTHER}`, `mapped ${PRIVATE}`, `ping ${METADATA}`, 'name other.example'],
      ...['dns at 9.9.9.53', 'asked for text.example', 'host by name', 'host 10.0.2.2'],
    ])
      assert.ok(lines.includes(`got ${way}`), `${way}: ${lines.join(', ')}`);
  });

  test('without rules: public addresses alone', async () => {
    assert.deepEqual(
      await got(
        fetch(
          'http://web.example/',
          `http://${OTHER}/`,
          `http://${PRIVATE}/`,
          `http://${METADATA}/`,
          'http://inner.example/',
          'http://meta.example/',
          'http://loop.example:18081/',
          'http://any.example:18081/',
          'http://mapped.example/',
          'http://nat64.example/',
          'http://mixed.example/',
          'http://host.vedette.internal:18081/',
          'http://9.9.9.1:18081/',
        ),
        [],
      ).then((lines) => lines.map((line) => line.replace(/at 2600:9::2$/, `at ${WEB}`))),
      [
        `served / at ${WEB}`,
        `served / at ${OTHER}`,
        ...['no', 'no', 'no', 'no', 'no', 'no', 'no', 'no'],
        `served / at ${WEB}`,
        'no',
        'no',
      ],
    );
  });

  test('a name that is bound to another address: first public, then private', async () => {
    assert.deepEqual(
      await got(fetch('http://rebind.example/', 'http://rebind.example/'), ['--allow', 'rebind.example']),
      [`served / at ${OTHER}`, 'no'],
    );
  });

  test('an answer gives nothing to another name, nor in its name', async () => {
    assert.deepEqual(
      await got(fetch('http://smuggle.example/', 'http://9.9.9.9/'), [
        ...['--allow', 'smuggle.example', '--allow', 'web.example'],
      ]),
      [`served / at ${OTHER}`, 'no'],
    );
  });

  test('private networks and the host when they are named', async () => {
    assert.deepEqual(
      await got(
        fetch('http://inner.example/', `http://${PRIVATE}/`, 'http://host.vedette.internal:18081/nothing'),
        ['--allow', 'inner.example@10.0.0.0/8', '--allow', 'host.vedette.internal:18081'],
      ).then((lines) => [lines[0], lines[1], lines.join('\n').includes('404')]),
      [`served / at ${PRIVATE}`, `served / at ${PRIVATE}`, true],
    );
    assert.deepEqual(await got(fetch(`http://${PRIVATE}/`), ['--allow', '10.7.0.0/16']), [
      `served / at ${PRIVATE}`,
    ]);
    // A name alone, or any, does not lead into private networks, nor to the host.
    assert.deepEqual(
      await got(fetch('http://inner.example/', 'http://host.vedette.internal:18081/'), [
        '--allow',
        'inner.example',
        '--allow',
        '*',
      ]),
      ['no', 'no'],
    );
  });

  test('denied names: not asked for, and addresses without a name are none', async () => {
    assert.deepEqual(
      await got(fetch('http://other.example/', `http://${OTHER}/`, 'http://web.example/'), [
        '--deny',
        '*.example',
        '--allow',
        'public',
      ]),
      ['no', 'no', 'no'],
    );
    assert.deepEqual(
      await got(fetch('http://other.example/', `http://${OTHER}/`, `http://alias.example/`), [
        ...['--deny', 'other.example'],
      ]),
      ['no', 'no', `served / at ${WEB}`],
    );
  });

  test('a file of rules', async () => {
    const file = join(dir, 'policy.json');
    writeFileSync(
      file,
      JSON.stringify({ rules: [{ deny: OTHER }, { allow: '9.9.9.0/24', ports: 80 }], default: 'deny' }),
    );
    assert.deepEqual(
      await got(fetch(`http://${WEB}/`, `http://${OTHER}/`, `http://${PRIVATE}/`), ['--policy', file]),
      [`served / at ${WEB}`, 'no', 'no'],
    );
  });

  test('host network: rules about addresses', async () => {
    const r = await net.inside(fetch(`http://${WEB}/`, `http://${OTHER}/`, `http://${PRIVATE}/`), [
      ...['--network=host', '--deny', OTHER, '--allow', 'all'],
    ]);
    assert.deepEqual(r.stdout.trim().split('\n'), [`served / at ${WEB}`, 'no', `served / at ${PRIVATE}`]);
  });
});
