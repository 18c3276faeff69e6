import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { describe, test } from 'node:test';
import { connect } from 'node:tls';
import fc from 'fast-check';
import { readClientHello } from './client_hello.ts';

/** The first bytes that Node.js's TLS sends. */
async function hello(options: object): Promise<Buffer> {
  return await new Promise((done) => {
    const socket = new Duplex({ read: () => {}, write: (chunk: Buffer) => done(chunk) });
    connect({ socket, ...options }).on('error', () => {});
  });
}

describe('the hello of a TLS client', () => {
  test('of OpenSSL: name and protocols, in one record or cut into many', async () => {
    const bytes = await hello({ servername: 'api.test', ALPNProtocols: ['h2', 'http/1.1'] });
    const expected = { serverName: 'api.test', protocols: ['h2', 'http/1.1'] };
    assert.deepEqual(readClientHello(bytes), expected);
    const body = bytes.subarray(5);
    const records: Buffer[] = [];
    for (let at = 0; at < body.length; at += 100) {
      const part = body.subarray(at, at + 100);
      records.push(Buffer.of(22, 3, 1, 0, part.length), part);
    }
    assert.deepEqual(readClientHello(Buffer.concat(records)), expected);
    for (let n = 0; n < bytes.length; n++)
      assert.equal(readClientHello(bytes.subarray(0, n)), 'more', String(n));
    assert.deepEqual(readClientHello(await hello({})), { serverName: null, protocols: [] });
  });

  test('damaged: no throw, and never another name without a sign', async () => {
    const bytes = await hello({ servername: 'api.test', ALPNProtocols: ['h2'] });
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.nat(bytes.length), (at, value, cut) => {
        const copy = Buffer.from(bytes);
        copy[at] = value;
        const r = readClientHello(copy.subarray(0, cut));
        assert.ok(r === 'bad' || r === 'more' || typeof r === 'object');
      }),
      { numRuns: 20_000 },
    );
  });

  test('any bytes: no throw', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        (bytes) => void readClientHello(Buffer.concat([Buffer.of(22, 3, 1, 0, 150, 1, 0, 0, 140), bytes])),
      ),
      { numRuns: 5000 },
    );
  });
});
