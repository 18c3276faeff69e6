// The proxy process between real programs and real servers.
// suite: 8 s
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  connect as connectH2,
  createServer as createH2c,
  createSecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { createGzip } from 'node:zlib';
import { needs } from '../../test/harness/needs.ts';
import { cleanup, dir, pythonHas, run, TestProxy, world } from './proxy.test.helper.ts';

type Req = IncomingMessage | Http2ServerRequest;
type Res = ServerResponse | Http2ServerResponse;

/** Answers with what it was asked, as JSON, and in some other ways. */
function serve(req: Req, res: Res): void {
  const path = req.url!.replace(/\?.*/s, '');
  if (path === '/slow') {
    (res as ServerResponse).write('begin\n');
    setTimeout(() => res.end('end\n'), 300);
    return;
  }
  if (path === '/large') {
    res.setHeader('Content-Length', 20_000_000);
    const chunk = Buffer.alloc(100_000, 'x');
    let left = 200;
    const more = (): void => {
      while (left-- > 0) if (!(res as ServerResponse).write(chunk)) return void res.once('drain', more);
      res.end();
    };
    more();
    return;
  }
  if (path === '/trailers') {
    res.setHeader('Trailer', 'x-sum');
    (res as ServerResponse).write('body');
    res.addTrailers({ 'x-sum': '42' });
    res.end();
    return;
  }
  if (path === '/gzip') {
    res.setHeader('Content-Encoding', 'gzip');
    const z = createGzip();
    z.pipe(res as ServerResponse);
    z.end('zipped text');
    return;
  }
  const parts: Buffer[] = [];
  req.on('data', (b: Buffer) => parts.push(b));
  req.on('end', () => {
    const body = Buffer.concat(parts);
    const text = JSON.stringify({
      method: req.method,
      url: req.url,
      version: req.httpVersion,
      headers: req.headers,
      body: body.length > 10_000 ? body.length : body.toString('latin1'),
      trailers: req.trailers,
    });
    res.setHeader('Content-Type', 'application/json');
    res.setHeader('Content-Length', Buffer.byteLength(text));
    res.end(text);
  });
}

const portOf = (s: Server): number => (s.address() as AddressInfo).port;
let tls = 0;
let plain = 0;
let h2c = 0;
let proxy: TestProxy;
let tlsPort = 0;
let plainPort = 0;

before(async () => {
  const cert = world.certificateFor('api.test') + world.pem;
  const a = createSecureServer({ key: world.leafKeyPem, cert, allowHTTP1: true }, serve as never);
  const b = createServer(serve as never);
  const c = createH2c(serve as never);
  for (const s of [a, b, c]) {
    s.listen(0, '127.0.0.1');
    await once(s, 'listening');
    cleanup(() => s.close());
  }
  tls = portOf(a as unknown as Server);
  plain = portOf(b);
  h2c = portOf(c as unknown as Server);
  proxy = await TestProxy.start({
    rules: [
      { action: 'deny', host: '*', methods: ['DELETE'] },
      { action: 'deny', host: 'api.test', path: '/admin*' },
      { action: 'allow', host: 'api.test' },
    ],
    otherwise: 'deny',
  });
  tlsPort = await proxy.listen({ name: 'api.test', server: tls, port: 443 });
  plainPort = await proxy.listen({ name: 'api.test', server: plain, port: 80 });
});

const curl = (...words: string[]) =>
  run([
    'curl',
    '-sS',
    '--max-time',
    '20',
    '--cacert',
    proxy.caFile,
    '--connect-to',
    `api.test:443:127.0.0.1:${tlsPort}`,
    '--connect-to',
    `api.test:80:127.0.0.1:${plainPort}`,
    ...words,
  ]);
const json = (r: { stdout: string; stderr: string }) => {
  try {
    return JSON.parse(r.stdout);
  } catch {
    throw new Error(`${r.stdout} ${r.stderr}`);
  }
};

describe('curl', needs('curl'), () => {
  for (const [version, flag, url] of [
    ['1.1', '--http1.1', 'https://api.test'],
    ['2.0', '--http2', 'https://api.test'],
    ['1.1', '--http1.1', 'http://api.test'],
    ['1.1', '--http2', 'http://api.test'],
  ] as const)
    describe(`${flag} ${url}`, () => {
      test('gets and posts', async () => {
        const got = json(await curl(flag, `${url}/a/b?c=d%20e`));
        assert.deepEqual([got.method, got.url, got.version], ['GET', '/a/b?c=d%20e', version]);
        const posted = json(await curl(flag, '-d', 'x=1&y=2', `${url}/post`));
        assert.deepEqual([posted.method, posted.body], ['POST', 'x=1&y=2']);
      });

      test('sends a file, and waits for 100-continue', async () => {
        writeFileSync(join(dir, 'file'), Buffer.alloc(3_000_000, 'f'));
        const r = json(
          await curl(flag, '-H', 'Expect: 100-continue', '--data-binary', '@file', `${url}/post`),
        );
        assert.equal(r.body, 3_000_000);
        const chunked = json(await curl(flag, '-T', '-', `${url}/put`));
        assert.deepEqual([chunked.method, chunked.body], ['PUT', '']);
      });

      test('gets much, slowly, nothing, and compressed', async () => {
        const r = await curl(flag, '-o', '/dev/null', '-w', '%{size_download} %{http_code}', `${url}/large`);
        assert.equal(r.stdout, '20000000 200', r.stderr);
        assert.equal((await curl(flag, `${url}/slow`)).stdout, 'begin\nend\n');
        assert.match((await curl(flag, '-I', `${url}/head`)).stdout, /^HTTP\S+ 200/);
        assert.equal((await curl(flag, '--compressed', `${url}/gzip`)).stdout, 'zipped text');
      });

      test('is told what is denied, and goes on with the connection', async () => {
        const r = await curl(
          flag,
          '-w',
          '%{http_code} %{num_connects}\n',
          `${url}/x/../admin/y`,
          '--path-as-is',
          `${url}/%61dmin`,
          `${url}/ok`,
        );
        assert.match(r.stdout, /vedette: rule 2 denies this request\n403 [01]\n/);
        assert.match(r.stdout, /200 0\n$/, r.stdout + r.stderr);
        assert.equal(r.stdout.match(/403/g)?.length, 2);
        const d = await curl(flag, '-X', 'DELETE', '-d', 'a body', '-w', '%{http_code}', `${url}/thing`);
        assert.equal(d.stdout, 'vedette: rule 1 denies this request\n403');
      });
    });

  test('trailers', async () => {
    assert.match((await curl('--http1.1', '-i', '--raw', 'http://api.test/trailers')).stdout, /x-sum: 42/i);
  });

  test('HTTP/2 without TLS and without asking', async () => {
    const port = await proxy.listen({ name: 'api.test', server: h2c });
    const r = await run([
      'curl',
      '-sS',
      '--http2-prior-knowledge',
      '--connect-to',
      `api.test:${port}:127.0.0.1:${port}`,
      `http://api.test:${port}/z`,
    ]);
    assert.equal(json(r).version, '2.0');
  });

  test('a name or a Host that is not the connection', async () => {
    const r = await curl('-H', 'Host: evil.test', '-w', '%{http_code}', 'https://api.test/');
    assert.match(r.stdout, /the request is for evil.test, the connection for api.test\n403/);
    const port = tlsPort;
    const other = await run([
      'curl',
      '-sS',
      '-k',
      '--connect-to',
      `evil.test:443:127.0.0.1:${port}`,
      'https://evil.test/',
    ]);
    assert.equal(other.status, 35);
    assert.match(other.stderr, /alert|unrecognized/i);
    assert.ok(proxy.denials.includes('TLS is for "evil.test", the connection for api.test'));
  });

  test('a server whose certificate is not good is told about, not spoken with', async () => {
    const wrong = await proxy.listen({ name: 'other.test', server: tls, port: 443 });
    for (const flag of ['--http1.1', '--http2']) {
      const r = await run([
        'curl',
        '-sS',
        flag,
        '--cacert',
        proxy.caFile,
        '-w',
        '%{http_code}',
        '--connect-to',
        `other.test:443:127.0.0.1:${wrong}`,
        'https://other.test/',
      ]);
      assert.match(r.stdout, /rule|TLS with the server failed: its certificate is for another name|no rule/);
    }
    const strict = await TestProxy.start({ trust: [] });
    const port = await strict.listen({ name: 'api.test', server: tls, port: 443 });
    const r = await run([
      'curl',
      '-sS',
      '--cacert',
      strict.caFile,
      '-w',
      '%{http_code}',
      '--connect-to',
      `api.test:443:127.0.0.1:${port}`,
      'https://api.test/',
    ]);
    assert.match(r.stdout, /TLS with the server failed: .*(self-signed|unable).*\n502$/);
    assert.ok(strict.denials.some((d) => d.startsWith('TLS with the server failed')));
  });
});

describe('Python', needs('/usr/bin/python3'), () => {
  const patch = (): string =>
    `import socket\nreal = socket.getaddrinfo\nsocket.getaddrinfo = lambda h, p, *a, **k: real('127.0.0.1', {443: ${tlsPort}, 80: ${plainPort}}[p], *a, **k)\n`;

  test('http.client and ssl', async () => {
    const script = `${patch()}
import http.client, ssl, json
c = http.client.HTTPSConnection('api.test', context=ssl.create_default_context())
for i in range(3):
    c.request('POST', f'/p{i}', body=iter([b'ab', b'cd']), encode_chunked=True, headers={'Transfer-Encoding': 'chunked'})
    r = json.loads(c.getresponse().read())
    assert r['body'] == 'abcd' and r['url'] == f'/p{i}', r
print('good')`;
    const r = await run(['/usr/bin/python3', '-c', script], {
      env: { ...process.env, SSL_CERT_FILE: proxy.caFile },
    });
    assert.equal(r.stdout, 'good\n', r.stderr);
  });

  test('requests', { skip: pythonHas('requests') ? false : 'no python3-requests' }, async () => {
    const script = `${patch()}
import requests
s = requests.Session()
assert s.get('https://api.test/a', params={'q': 'r s'}).json()['url'] == '/a?q=r+s'
assert s.post('https://api.test/b', json={'k': 1}).json()['body'] == '{"k": 1}'
assert s.post('http://api.test/b', files={'f': ('n', b'content')}).status_code == 200
r = s.get('https://api.test/admin')
assert r.status_code == 403, r
print('good')`;
    const env = { ...process.env, REQUESTS_CA_BUNDLE: proxy.caFile };
    const r = await run(['/usr/bin/python3', '-c', script], { env });
    assert.equal(r.stdout, 'good\n', r.stderr);
  });

  test('websockets', { skip: pythonHas('websockets') ? false : 'no python3-websockets' }, async () => {
    const server = `
import asyncio, websockets
async def echo(ws, path=None):
    async for m in ws: await ws.send(m)
async def main():
    async with websockets.serve(echo, '127.0.0.1', 0) as s:
        print(s.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()
asyncio.run(main())`;
    const { spawn } = await import('node:child_process');
    const child = spawn('/usr/bin/python3', ['-c', server], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const [line] = (await once(child.stdout, 'data')) as [Buffer];
      const port = await proxy.listen({ name: 'api.test', server: Number(line.toString()), port: 80 });
      const script = `
import asyncio, websockets
async def main():
    async with websockets.connect('ws://api.test/chat', host='127.0.0.1', port=${port}) as ws:
        for m in ['one', b'two' * 100000]:
            await ws.send(m)
            assert await ws.recv() == m
    print('good')
asyncio.run(main())`;
      const r = await run(['/usr/bin/python3', '-c', script]);
      assert.equal(r.stdout, 'good\n', r.stderr);
      assert.ok(proxy.decisions.some((d) => d.path === '/chat' && d.verdict === 'allow'));
    } finally {
      child.kill();
    }
  });
});

describe('Node.js', () => {
  test('http2: many streams at once, trailers, a reset', async () => {
    const socket = connectTls({
      host: '127.0.0.1',
      port: tlsPort,
      servername: 'api.test',
      ca: proxy.ca,
      ALPNProtocols: ['h2'],
    });
    const session = connectH2('https://api.test', { createConnection: () => socket });
    try {
      const ask = async (path: string): Promise<string> => {
        const stream = session.request({ ':path': path, ':method': 'POST' });
        stream.end(path);
        let text = '';
        for await (const chunk of stream) text += chunk;
        return text;
      };
      const all = await Promise.all(Array.from({ length: 150 }, (_, i) => ask(`/s${i}`)));
      for (const [i, text] of all.entries()) assert.equal(JSON.parse(text).body, `/s${i}`);
      const cut = session.request({ ':path': '/large' });
      await once(cut, 'response');
      cut.close(8);
      await once(cut, 'close');
      assert.equal(JSON.parse(await ask('/after')).body, '/after');
    } finally {
      session.destroy();
    }
  });

  test('pipelined requests are answered in order', async () => {
    const socket = proxy.open({ name: 'api.test', server: plain });
    let text = '';
    for (let i = 0; i < 20; i++) text += `GET /n${i} HTTP/1.1\r\nHost: api.test\r\n\r\n`;
    socket.write(text);
    let got = '';
    for await (const chunk of socket) {
      got += chunk;
      if (got.includes('"/n19"')) break;
    }
    const order = [...got.matchAll(/"url":"\/n(\d+)"/g)].map((m) => Number(m[1]));
    assert.deepEqual(
      order,
      Array.from({ length: 20 }, (_, i) => i),
    );
  });

  test('a guest that has closed its direction still gets the answer', async () => {
    const socket = proxy.open({ name: 'api.test', server: plain });
    socket.end('GET /slow HTTP/1.1\r\nHost: api.test\r\n\r\n');
    let got = '';
    for await (const chunk of socket) got += chunk;
    assert.match(got, /begin[\s\S]*end/);
  });

  test('https with keep-alive, over one connection', async () => {
    const { Agent, request: secureRequest } = await import('node:https');
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let i = 0; i < 3; i++) {
      const req = secureRequest({
        host: '127.0.0.1',
        port: tlsPort,
        servername: 'api.test',
        ca: proxy.ca,
        agent,
        path: `/k${i}`,
        headers: { Host: 'api.test' },
      });
      req.end();
      const [res] = (await once(req, 'response')) as [IncomingMessage];
      let text = '';
      for await (const chunk of res) text += chunk;
      assert.equal(JSON.parse(text).url, `/k${i}`);
      if (i > 0) assert.ok(req.reusedSocket);
    }
    agent.destroy();
  });
});
