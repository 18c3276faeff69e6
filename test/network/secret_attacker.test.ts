// A program inside that has the use of a secret and tries each way to its value, to another host with it, or past a rule about paths.
// suite: 10 s
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Authority } from '../../src/proxy/certificate.ts';
import { distDir } from '../harness/guest.ts';
import { needs } from '../harness/needs.ts';
import { DNS, folder, Net, OTHER, WEB } from './net.ts';
import { VALUE } from './secret_world.ts';

const PYTHON = '/usr/bin/python3';

interface Noted {
  readonly at: 'web' | 'other';
  readonly method?: string;
  readonly url?: string;
  readonly headers?: Record<string, string>;
  readonly rawTrailers?: string[];
}

describe(
  'secrets and an attacker inside',
  needs('root', 'inside', 'unshare', 'nsenter', 'ip', 'curl', PYTHON),
  () => {
    let net: Net;
    let dir: string;
    let file: string;
    before(async () => {
      net = await Net.make();
      dir = mkdtempSync(join(tmpdir(), 'vedette-attacker-'));
      file = join(dir, 'seen');
      writeFileSync(file, '');
      const authority = Authority.make();
      writeFileSync(join(dir, 'ca.pem'), authority.pem);
      writeFileSync(join(dir, 'key.pem'), authority.leafKeyPem);
      for (const name of ['web', 'sub.web', 'other', 'evil'])
        writeFileSync(
          join(dir, `${name}.example.pem`),
          authority.certificateFor(`${name}.example`) + authority.pem,
        );
      await net.serve('world', [
        ...[process.execPath, join(distDir, 'test/network/secret_server.js'), file, dir, WEB, OTHER],
      ]);
    });
    after(() => {
      net?.end();
      if (dir !== undefined) rmSync(dir, { recursive: true });
    });

    test('the value goes to its host alone, and no request but those allowed', async () => {
      const log = join(dir, 'log');
      const r = await net.inside(
        [PYTHON, '-u', join(folder, 'secret_attacker.py')],
        [
          ...['--network=user', `--dns=${DNS}`, '--network-log', log, '--secret', 'TOKEN@web.example'],
          ...['--allow', 'GET,POST,OPTIONS,TRACE web.example:443/ok*', '--allow', 'web.example:8080'],
          ...['--allow', 'sub.web.example/tcp', '--allow', 'other.example', '--allow', 'evil.example'],
        ],
        { timeoutMs: 400_000, env: { TOKEN: VALUE, SSL_CERT_FILE: join(dir, 'ca.pem') } },
      );
      assert.equal(r.status, 0, r.stderr);
      const said = r.stdout;
      assert.match(said, /^as meant -> b'HTTP\/1\.1 200 OK/m, 'what is meant works');
      const seen = readFileSync(file, 'utf8');
      const noted = seen
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Noted);
      const web = noted.filter((n) => n.at === 'web');
      const other = JSON.stringify(noted.filter((n) => n.at === 'other'));
      // The servers were reached, so that what follows can fail.
      assert.ok(web.some((n) => n.headers?.authorization === `Bearer ${VALUE}`));
      assert.ok(other.includes('VEDETTE_SECRET_TOKEN_'), 'the other host got what stands for it');
      assert.ok(web.some((n) => n.rawTrailers?.includes(VALUE)) || /^trailers -> .* (400|403) /m.test(said));

      assert.ok(!said.includes(VALUE), 'the program has seen it');
      assert.ok(!r.stderr.includes(VALUE));
      assert.ok(!other.includes(VALUE), 'the other host has seen it');
      assert.ok(!readFileSync(log, 'latin1').includes(VALUE));
      for (const n of web) {
        assert.ok(n.url!.startsWith('/ok') || n.url === '*', `${n.method} ${n.url}`);
        assert.ok(['GET', 'POST', 'OPTIONS', 'TRACE'].includes(n.method!), n.method);
        assert.doesNotMatch(decodeURIComponent(n.url!), /admin|\.\./);
        const host = n.headers!.host!;
        assert.ok(['web.example', 'web.example:8080', 'sub.web.example'].includes(host), host);
        if (host !== 'web.example') assert.ok(!JSON.stringify(n).includes(VALUE), `${host} got it`);
      }
      for (const what of ['sni other', 'sni none', 'not http', 'udp', 'in clear at 443'])
        assert.doesNotMatch(said, new RegExp(`^${what} -> b'HTTP/1\\.1 2`, 'm'));
      assert.match(said, /^udp -> PermissionError$/m);
      assert.match(said, /^env \[\] 0$/m);
    });
  },
);
