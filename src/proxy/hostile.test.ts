// Peers that mean harm, on both sides of the proxy process.
// suite: 15 s
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { createServer, type Server as HttpServer } from 'node:http';
import { type AddressInfo, createServer as createTcp, type Server, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { cleanup, readAll, TestProxy } from './proxy.test.helper.ts';
import { PLACEHOLDER_PREFIX } from './secrets.ts';

const portOf = (s: Server | HttpServer): number => (s.address() as AddressInfo).port;

describe('hostile peers', () => {
  let proxy: TestProxy;
  let good: number;
  /** Heads of requests as a server gets them, that it reads to their blank line alone. */
  let raw: number;
  let received = '';
  let answerWith: (socket: Socket) => void = (s) => s.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');

  before(async () => {
    const g = createServer((req, res) => {
      req.resume();
      req.on('end', () => res.end(`good ${req.url}`));
    });
    const r = createTcp((socket) => {
      socket.on('error', () => {});
      socket.on('data', (b) => {
        received += b.toString('latin1');
        if (received.includes('\r\n\r\n')) answerWith(socket);
      });
    });
    for (const s of [g, r]) {
      // Connections are made by calls that wait, in this very process.
      s.listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
      await once(s, 'listening');
      cleanup(() => s.close());
    }
    good = portOf(g);
    raw = portOf(r);
    proxy = await TestProxy.start({
      rules: [{ action: 'deny', host: '*', path: '/admin*' }],
      limits: { headMs: 1500, connections: 300 },
      secrets: [
        {
          name: 'T',
          hosts: ['s.test'],
          placeholder: `${PLACEHOLDER_PREFIX}T_${'0'.repeat(32)}`,
          value: 'the-value-of-t',
        },
      ],
    });
  });
  after(async () => {
    // Whatever happened: it still serves, and nothing went wrong inside.
    const socket = proxy.open({ name: 'a.test', server: good });
    socket.end('GET /last HTTP/1.1\r\nHost: a.test\r\n\r\n');
    assert.match(await readAll(socket), /good \/last/);
    assert.deepEqual(
      proxy.log.filter((m) => m.type === 'fault'),
      [],
    );
  });

  const say = async (text: string | Buffer, target = { name: 'a.test', server: good }): Promise<string> => {
    const socket = proxy.open(target);
    socket.end(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
    return readAll(socket);
  };

  const H = 'Host: a.test\r\n';
  const inner = `GET /admin HTTP/1.1\r\n${H}\r\n`;
  for (const [name, text] of [
    [
      'length and chunked',
      `POST / HTTP/1.1\r\n${H}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`,
    ],
    [
      'two lengths',
      `POST / HTTP/1.1\r\n${H}Content-Length: 0\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
    ],
    ['lengths in a list', `POST / HTTP/1.1\r\n${H}Content-Length: 0, ${inner.length}\r\n\r\n${inner}`],
    ['a length with a sign', `POST / HTTP/1.1\r\n${H}Content-Length: +0\r\n\r\n${inner}`],
    ['a coding that is not chunked', `POST / HTTP/1.1\r\n${H}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
    [
      'chunked twice',
      `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n`,
    ],
    [
      'a coding after chunked',
      `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
    ],
    ['a space before the colon', `POST / HTTP/1.1\r\n${H}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`],
    ['chunked in HTTP/1.0', `POST / HTTP/1.0\r\n${H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    [
      'a chunk size that is none',
      `POST / HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n0x5\r\nabcde\r\n0\r\n\r\n`,
    ],
    ['two hosts', `GET / HTTP/1.1\r\n${H}Host: b.test\r\n\r\n`],
    ['no host', 'GET / HTTP/1.1\r\n\r\n'],
    ['another host in the request line', `GET http://b.test/ HTTP/1.1\r\n${H}\r\n`],
    ['another port', 'GET / HTTP/1.1\r\nHost: a.test:8080\r\n\r\n'],
    ['a user before the host', 'GET / HTTP/1.1\r\nHost: a.test@b.test\r\n\r\n'],
    ['a tunnel', 'CONNECT b.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n'],
    ['a NUL in a header', `GET / HTTP/1.1\r\n${H}X: a\0b\r\n\r\n`],
    ['a lone CR in a header', `GET / HTTP/1.1\r\n${H}X: a\rY: b\r\n\r\n`],
    ['an escaped denied path', `GET /%61dmin HTTP/1.1\r\n${H}\r\n`],
    ['a twice escaped denied path', `GET /%2561dmin HTTP/1.1\r\n${H}\r\n`],
    ['a denied path behind dots', `GET /x/..%2fadmin HTTP/1.1\r\n${H}\r\n`],
    ['a denied path behind a backslash', `GET /x\\..\\admin HTTP/1.1\r\n${H}\r\n`],
    ['a denied path behind slashes', `GET //admin HTTP/1.1\r\n${H}\r\n`],
    ['a denied path behind parameters', `GET /x;a/../admin HTTP/1.1\r\n${H}\r\n`],
    ['headers of 200 KB', `GET / HTTP/1.1\r\n${H}X: ${'x'.repeat(200_000)}\r\n\r\n`],
    ['10,000 headers', `GET / HTTP/1.1\r\n${H}${'X-Y: z\r\n'.repeat(10_000)}\r\n`],
  ] as const)
    test(`refused: ${name}`, async () => {
      received = '';
      const got = await say(text, { name: 'a.test', server: raw });
      // One refusal, or several; the end alone when the request was under way. No answer of the server.
      assert.match(
        got,
        name === 'a chunk size that is none' ? /^$/ : /^HTTP\/1\.1 4\d\d /,
        JSON.stringify(got.slice(0, 300)),
      );
      assert.ok(!got.includes('1.1 200 '), got.slice(0, 500));
      assert.equal(received.includes('/admin'), false, received);
    });

  test('what the parser takes is written anew: an option cannot take a header away, nor a chunk extension pass', async () => {
    received = '';
    await say(
      `POST /x HTTP/1.1\r\n${H}Connection: Host, X-Secret, Content-Length\r\nX-Secret: 1\r\nTransfer-Encoding: chunked\r\n\r\n3;ext="a"\r\nabc\r\n0\r\n\r\n`,
      { name: 'a.test', server: raw },
    );
    assert.match(received, /^POST \/x HTTP\/1\.1\r\nHost: a\.test\r\n/);
    assert.ok(!/X-Secret|ext=/.test(received), received);
  });

  test('what is not HTTP is closed and logged', async () => {
    for (const text of [
      'SSH-2.0-OpenSSH\r\n',
      '\0\x01\x02',
      'get / HTTP/1.1\r\n',
      Buffer.alloc(100_000, 0xff),
    ])
      assert.equal(await say(text), '');
    assert.ok(proxy.denials.filter((d) => d === 'what the guest speaks is not HTTP').length >= 4);
    for (const hello of [
      '\x16\x03\x01\x00\x00',
      '\x16\x03\x01\x40\x01',
      `\x16\x03\x01\x00\x05\x02\0\0\x01\0`,
      `\x16\x03\x01\x00\x04\x01\xff\xff\xff`,
    ])
      assert.ok((await say(Buffer.from(hello, 'latin1'))).length <= 7);
    // RFC 8446: a hello in one-byte records is allowed, and has an end.
    assert.ok((await say(Buffer.from(`\x16\x03\x01\x00\x01\x01`.repeat(20_000), 'latin1'))).length <= 7);
  });

  test('random bytes break nothing', async () => {
    const heads = [
      '',
      'GET / ',
      `GET / HTTP/1.1\r\n${H}`,
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    ];
    let state = 12_345;
    const rounds: Promise<unknown>[] = [];
    for (let i = 0; i < 250; i++) {
      const noise = Buffer.alloc(300);
      for (let j = 0; j < noise.length; j++)
        noise[j] = (state = (state * 1_103_515_245 + 12_345) & 0x7fffffff) >>> 16;
      const socket = proxy.open({ name: 'a.test', server: good });
      socket.end(Buffer.concat([Buffer.from(heads[i % heads.length]!, 'latin1'), noise]));
      rounds.push(Promise.race([readAll(socket), sleep(3000)]).then(() => socket.destroy()));
    }
    await Promise.all(rounds);
  });

  test('slow heads are given up: of a request, of a second one, of a hello, of nothing', async () => {
    const begins: [string, string][] = [
      ['', 'GET / HTTP/1.1\r\nHo'],
      [`GET /one HTTP/1.1\r\n${H}\r\n`, 'GET / HTTP/1.1\r\nHo'],
      ['', '\x16\x03\x01'],
      ['', ''],
    ];
    const begin = Date.now();
    await Promise.all(
      begins.map(async ([whole, part]) => {
        const socket = proxy.open({ name: 'a.test', server: good });
        socket.write(whole + part, 'latin1');
        const drip = setInterval(() => part !== '' && part[0] !== '\x16' && socket.write('x'), 200);
        await readAll(socket);
        clearInterval(drip);
      }),
    );
    assert.ok(Date.now() - begin < 10_000);
  });

  test('a thousand connections: so many at a time are served, the others are closed', async () => {
    const answers = await Promise.all(
      Array.from({ length: 1000 }, () => {
        const s = proxy.open({ name: 'a.test', server: good });
        s.write(`GET /c HTTP/1.1\r\n${H}Connection: close\r\n\r\n`);
        return readAll(s);
      }),
    );
    const served = answers.filter((a) => a.includes('good /c')).length;
    assert.ok(served >= 300, String(served));
    assert.ok(answers.every((a) => a === '' || a.includes('good /c')));
    const idle = Array.from({ length: 400 }, () => proxy.open({ name: 'a.test', server: good }));
    await sleep(300);
    assert.ok((await proxy.counters()).open <= 300);
    assert.ok(proxy.log.some((m) => m.type === 'ended' && m.reason === 'too many connections'));
    for (const s of idle) s.destroy();
    const end = Date.now() + 5000;
    while ((await proxy.counters()).open > 0 && Date.now() < end) await sleep(50);
    assert.equal((await proxy.counters()).open, 0);
  });

  test('resets at any time', async () => {
    for (let i = 0; i < 100; i++) {
      const socket = proxy.open({ name: 'a.test', server: i % 2 ? good : raw });
      socket.write(`POST /r HTTP/1.1\r\n${H}Content-Length: 100000\r\n\r\n${'x'.repeat(i * 500)}`);
      if (i % 3) await sleep(i % 7);
      socket.destroy();
    }
  });

  test('a reader that does not read, of an answer without end, costs no memory', async () => {
    received = '';
    const before = answerWith;
    let sent = 0;
    answerWith = (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      const chunk = `10000\r\n${'y'.repeat(65_536)}\r\n`;
      const more = (): void => {
        while (sent < 1e9 && socket.writable) {
          sent += 65_536;
          if (!socket.write(chunk)) return void socket.once('drain', more);
        }
      };
      more();
    };
    try {
      const memory = proxy.rssBytes;
      const sockets = Array.from({ length: 10 }, () => proxy.open({ name: 's.test', server: raw }));
      for (const s of sockets) {
        s.pause();
        s.write('GET /endless HTTP/1.1\r\nHost: s.test\r\n\r\n');
      }
      await sleep(1500);
      assert.ok(sent > 1_000_000, String(sent));
      assert.ok(proxy.rssBytes - memory < 100e6, `${(proxy.rssBytes - memory) / 1e6} MB`);
      for (const s of sockets) s.destroy();
    } finally {
      answerWith = before;
    }
  });

  for (const [name, bytes, expected] of [
    ['garbage', 'no http\r\n\r\n', /^HTTP\/1\.1 502/],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab', /^HTTP\/1\.1 502/],
    [
      'length and chunked',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      /^HTTP\/1\.1 502/,
    ],
    ['huge headers', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(200_000)}\r\n\r\n`, /^HTTP\/1\.1 502/],
    [
      'an upgrade that nobody asked for',
      'HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
      /^HTTP\/1\.1 502/,
    ],
    ['a header with a line end', 'HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n', /^HTTP\/1\.1 502/],
    ['nothing', '', /^HTTP\/1\.1 502/],
    [
      'a secret that a gzip header hides',
      'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 14\r\n\r\nthe-value-of-t',
      /^(?!.*the-value)/s,
    ],
  ] as const)
    test(`a server that answers with ${name}`, async () => {
      received = '';
      const before = answerWith;
      answerWith = (socket) => void socket.end(bytes, 'latin1');
      try {
        assert.match(
          await say('GET / HTTP/1.1\r\nHost: s.test\r\n\r\n', { name: 's.test', server: raw }),
          expected,
        );
      } finally {
        answerWith = before;
      }
    });

  test('a WebSocket lives longer than heads may take, and lets no secret in', async () => {
    received = '';
    const before = answerWith;
    answerWith = (socket) => {
      if (!received.endsWith('\r\n\r\n')) return;
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      socket.write('[the-value-');
      setTimeout(() => socket.write('of-t]'), 100);
      setTimeout(() => socket.end('last'), 3500);
    };
    try {
      const socket = proxy.open({ name: 's.test', server: raw });
      socket.write(
        'GET /ws HTTP/1.1\r\nHost: s.test\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n\r\n',
      );
      const drip = setInterval(() => socket.write('frame'), 200);
      const got = await readAll(socket);
      clearInterval(drip);
      assert.match(got, /^HTTP\/1\.1 101 [\s\S]*\r\n\r\n\[\*{14}\]last$/);
      assert.ok(received.includes('frameframe'));
    } finally {
      answerWith = before;
    }
  });

  test('a decompression bomb streams', async () => {
    const { gzipSync } = await import('node:zlib');
    const bomb = gzipSync(Buffer.alloc(200_000_000));
    received = '';
    const before = answerWith;
    answerWith = (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n\r\n`);
      socket.end(bomb);
    };
    try {
      const memory = proxy.rssBytes;
      const socket = proxy.open({ name: 's.test', server: raw });
      socket.write('GET / HTTP/1.1\r\nHost: s.test\r\n\r\n');
      socket.pause();
      await sleep(1000);
      assert.ok(proxy.rssBytes - memory < 60e6, `${(proxy.rssBytes - memory) / 1e6} MB`);
      socket.destroy();
    } finally {
      answerWith = before;
    }
  });
});

describe('the process', () => {
  test('is locked down, and ends with its owner', async () => {
    // As somebody else than root, if we can: files in /proc of a process that is not dumpable are root's (proc(5)).
    const root = process.getuid!() === 0;
    const proxy = await TestProxy.start({}, root ? { uid: 65_534, gid: 65_534 } : {});
    const pid = proxy.process.pid!;
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    assert.match(status, /NoNewPrivs:\t1/);
    // All threads are under the filter.
    assert.match(status, /Seccomp:\t2/);
    assert.match(readFileSync(`/proc/${pid}/limits`, 'utf8'), /Max core file size +0 +0/);
    if (root) assert.match(status, /Uid:\t65534/);
    assert.equal(statSync(`/proc/${pid}/environ`).uid, 0);
    await proxy.stop();
    assert.equal(proxy.process.exitCode, 0);
    assert.equal(proxy.stderr, '');
  });
});
