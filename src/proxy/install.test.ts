import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { rootCertificates } from 'node:tls';
import { needs } from '../../test/harness/needs.ts';
import { Authority } from './certificate.ts';
import { installation } from './install.ts';
import { pemCertificates } from './trust.ts';

const dir = mkdtempSync(join(tmpdir(), 'vedette-install-'));
after(() => rmSync(dir, { recursive: true, force: true }));
const caPem = Authority.make().pem;
const made = installation({
  caPem,
  bundlePem: `# a comment\n${rootCertificates[0]}\n\n# another\n${rootCertificates[1]}`,
  bundlePaths: ['/etc/ssl/certs/ca-certificates.crt'],
  folder: '/opt/ca',
  env: { JAVA_TOOL_OPTIONS: '-Xmx1g' },
});
const content = (path: string): Buffer => made.files.find((f) => f.path === path)!.content;

describe('installation inside', () => {
  test("has the authority, the system's bundle with it, and a store for Java", () => {
    assert.deepEqual(
      made.files.map((f) => f.path),
      [
        '/opt/ca/ca.pem',
        '/opt/ca/ca-bundle.pem',
        '/opt/ca/truststore.jks',
        '/etc/ssl/certs/ca-certificates.crt',
      ],
    );
    assert.equal(content('/opt/ca/ca.pem').toString(), caPem);
    const all = pemCertificates(content('/opt/ca/ca-bundle.pem').toString());
    assert.equal(all.length, 3);
    assert.equal(all[2], caPem);
    assert.deepEqual(content('/etc/ssl/certs/ca-certificates.crt'), content('/opt/ca/ca-bundle.pem'));
  });

  test('no file and no variable has a private key', () => {
    for (const f of made.files) assert.ok(!f.content.includes('PRIVATE KEY'));
  });

  test('every variable names a file that is installed', () => {
    for (const [name, value] of Object.entries(made.env)) {
      const path = /\/opt\/ca\/[\w.-]+/.exec(value)?.[0];
      assert.ok(
        made.files.some((f) => f.path === path),
        `${name}=${value}`,
      );
    }
    assert.match(made.env.JAVA_TOOL_OPTIONS!, /^-Xmx1g -D/);
    assert.equal(made.env.NODE_EXTRA_CA_CERTS, '/opt/ca/ca.pem');
    assert.equal(made.env.GIT_SSL_CAINFO, '/opt/ca/ca-bundle.pem');
  });

  test("Java's own tool reads the store", needs('keytool'), () => {
    writeFileSync(join(dir, 'store.jks'), content('/opt/ca/truststore.jks'));
    const words = ['-list', '-keystore', join(dir, 'store.jks'), '-storepass', 'changeit'];
    const r = spawnSync('keytool', words, { encoding: 'utf8', timeout: 60_000 });
    assert.equal(r.status, 0, r.stdout + r.stderr);
    assert.equal(r.stdout.match(/trustedCertEntry/g)?.length, 3);
    // A store whose seal is broken is refused: the check above can fail.
    const broken = Buffer.from(content('/opt/ca/truststore.jks'));
    broken[broken.length - 1]! ^= 1;
    writeFileSync(join(dir, 'store.jks'), broken);
    assert.notEqual(spawnSync('keytool', words, { timeout: 60_000 }).status, 0);
  });
});
