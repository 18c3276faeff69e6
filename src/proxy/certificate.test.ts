import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { needs } from '../../test/harness/needs.ts';
import { Authority } from './certificate.ts';
import { integer, oid, time } from './der.ts';

const dir = mkdtempSync(join(tmpdir(), 'vedette-certificate-'));
after(() => rmSync(dir, { recursive: true, force: true }));

describe('DER', () => {
  test('numbers, identifiers, times and long lengths', () => {
    assert.equal(integer(Buffer.of(0, 0, 0x80)).toString('hex'), '02020080');
    assert.equal(integer(Buffer.of(0)).toString('hex'), '020100');
    assert.equal(oid('1.2.840.10045.4.3.2').toString('hex'), '06082a8648ce3d040302');
    assert.equal(time(new Date('2049-12-31T23:59:59Z')).toString('latin1', 2), '491231235959Z');
    assert.equal(time(new Date('2050-01-01T00:00:00Z')).toString('latin1', 2), '20500101000000Z');
  });
});

describe('certificates', () => {
  const ca = Authority.make();
  const root = new X509Certificate(ca.pem);

  test('of the authority', () => {
    assert.ok(root.ca && root.checkIssued(root) && root.verify(root.publicKey));
  });

  test('for names and addresses, which hold for nothing else', () => {
    for (const [host, name] of [
      ['api.example.com', 'DNS:api.example.com'],
      ['127.0.0.1', 'IP Address:127.0.0.1'],
      ['::1', 'IP Address:0:0:0:0:0:0:0:1'],
      ['2001:db8::a:0:0:1', 'IP Address:2001:DB8:0:0:A:0:0:1'],
      ['::ffff:10.0.0.1', 'IP Address:0:0:0:0:0:FFFF:A00:1'],
    ] as const) {
      const leaf = new X509Certificate(ca.certificateFor(host));
      assert.equal(leaf.subjectAltName, name);
      assert.ok(!leaf.ca && leaf.checkIssued(root) && leaf.verify(root.publicKey));
      assert.equal(leaf.checkHost('www.example.com'), undefined);
    }
  });

  test('stand before OpenSSL in its strict mode', needs('openssl'), () => {
    writeFileSync(join(dir, 'ca.pem'), ca.pem);
    writeFileSync(
      join(dir, 'leaf.pem'),
      ca.certificateFor(`${'a'.repeat(60)}.${'b'.repeat(60)}.example.com`),
    );
    const words = [
      'verify',
      '-x509_strict',
      '-purpose',
      'sslserver',
      '-CAfile',
      join(dir, 'ca.pem'),
      join(dir, 'leaf.pem'),
    ];
    const r = spawnSync('openssl', words, { encoding: 'utf8' });
    assert.equal(r.status, 0, r.stdout + r.stderr);
  });

  test('of an authority with a given key', () => {
    const pem = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
      type: 'pkcs8',
      format: 'pem',
    });
    const other = Authority.ofKey(pem as string);
    assert.ok(!new X509Certificate(other.certificateFor('a.example')).verify(root.publicKey));
    assert.throws(() => Authority.ofKey('no key'));
  });

  test('are kept, and only so many', () => {
    const first = ca.contextFor('first.example');
    assert.equal(ca.contextFor('first.example'), first);
    for (let i = 0; i < 300; i++) ca.contextFor(`h${i}.example`);
    assert.notEqual(ca.contextFor('first.example'), first);
  });
});
