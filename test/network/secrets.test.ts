// Secrets that programs inside use and never have: real clients, a server on this machine that sees the value, and a look for its bytes
// everywhere that a program, or what runs it, has.
// suite: 40 s
import assert from 'node:assert/strict';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { needs } from '../harness/needs.ts';
import { HOST, proxyOf, SecretWorld, says, tree, VALUE } from './secret_world.ts';

const PYTHON = '/usr/bin/python3';
const AUTH = '-H "Authorization: Bearer $TOKEN"';

const PAGE = 4096;
const MOST_PAGES = 256;

/** How many pieces of a process's memory have these bytes in them; only pages that are there are looked at. */
function inMemory(pid: number, what: string): number {
  const needle = Buffer.from(what);
  const mem = openSync(`/proc/${pid}/mem`, 'r');
  const pagemap = openSync(`/proc/${pid}/pagemap`, 'r');
  const entries = Buffer.alloc(8 * 65536);
  const piece = Buffer.alloc(MOST_PAGES * PAGE);
  let found = 0;
  const look = (first: number, pages: number): void => {
    for (let at = 0; at < pages; at += MOST_PAGES - 1) {
      const n = Math.min(MOST_PAGES, pages - at) * PAGE;
      try {
        if (piece.subarray(0, readSync(mem, piece, 0, n, (first + at) * PAGE)).includes(needle)) found++;
      } catch {
        // Some pages of devices cannot be read.
      }
    }
  };
  for (const line of readFileSync(`/proc/${pid}/maps`, 'latin1').split('\n')) {
    const m = /^([0-9a-f]+)-([0-9a-f]+) r/.exec(line);
    if (m === null || line.includes('[v')) continue;
    const end = Number.parseInt(m[2]!, 16) / PAGE;
    let run = -1;
    for (let page = Number.parseInt(m[1]!, 16) / PAGE; page < end; page += 65536) {
      const n = readSync(pagemap, entries, 0, 8 * Math.min(65536, end - page), 8 * page) / 8;
      for (let i = 0; i < n; i++) {
        // Bits 63 and 62: present, swapped.
        const there = entries[8 * i + 7]! >= 0x40;
        if (there && run < 0) run = page + i;
        if (there || run < 0) continue;
        look(run, page + i - run);
        run = -1;
      }
    }
    if (run >= 0) look(run, end - run);
  }
  closeSync(mem);
  closeSync(pagemap);
  return found;
}

describe('secrets', needs('inside', 'curl', PYTHON), () => {
  let world: SecretWorld;
  before(async () => {
    world = await SecretWorld.make();
  });
  beforeEach(() => void world.take());
  after(() => world?.end());

  /** Runs a line inside; what came out, in which the value is not. */
  const out = async (line: string, flags?: readonly string[]): Promise<string> => {
    const r = await world.sh(line, flags);
    assert.equal(r.timedOut, false, 'timed out');
    assert.ok(!`${r.stdout}${r.stderr}`.includes(VALUE), 'the value came back');
    return r.stdout + r.stderr;
  };
  const authorizations = (): unknown[] => world.take().map((s) => s.headers.authorization);

  test('curl: header, query and body, HTTP/1.1 and HTTP/2; the answer has the placeholder', async () => {
    const text = await out(
      `curl -sS --http2 ${AUTH} ${world.url}/a; curl -sS --http1.1 ${AUTH} -d "t=$TOKEN" "${world.url}/b?k=$TOKEN"; curl -sS -u "me:$TOKEN" ${world.url}/c; echo "$TOKEN"`,
    );
    const [a, b, c] = world.take();
    assert.deepEqual([a!.version, b!.version], ['2.0', '1.1']);
    assert.equal(a!.headers.authorization, `Bearer ${VALUE}`);
    assert.deepEqual([b!.url, b!.body], [`/b?k=${VALUE}`, `t=${VALUE}`]);
    assert.equal(Buffer.from(String(c!.headers.authorization).slice(6), 'base64').toString(), `me:${VALUE}`);
    const placeholder = text.trim().split('\n').at(-1)!;
    assert.match(placeholder, /^VEDETTE_SECRET_TOKEN_[0-9a-f]{32}$/);
    assert.ok(text.startsWith(`saw Bearer ${placeholder} 0`), text);
  });

  const clients: [string, string[], string][] = [
    [
      'Python urllib',
      [PYTHON],
      `${PYTHON} -c 'import os, sys, urllib.request as u
print(u.urlopen(u.Request(sys.argv[1], headers={"Authorization": "Bearer " + os.environ["TOKEN"]})).status)' URL`,
    ],
    [
      'Python ssl',
      [PYTHON],
      `${PYTHON} -c 'import http.client, os, ssl, sys
from urllib.parse import urlsplit
u = urlsplit(sys.argv[1])
c = http.client.HTTPSConnection(u.hostname, u.port, context=ssl.create_default_context())
c.request("GET", "/", headers={"Authorization": "Bearer " + os.environ["TOKEN"]})
print(c.getresponse().status)' URL`,
    ],
    [
      'Node.js https',
      [],
      `${process.execPath} -e 'require("https").get(process.argv[1], { headers: { authorization: "Bearer " + process.env.TOKEN } }, (r) => { console.log(r.statusCode); r.resume(); })' URL`,
    ],
    [
      'Node.js fetch',
      [],
      `${process.execPath} -e 'fetch(process.argv[1], { headers: { authorization: "Bearer " + process.env.TOKEN } }).then((r) => console.log(r.status))' URL`,
    ],
    [
      'openssl s_client',
      ['openssl'],
      `printf 'GET / HTTP/1.1\\r\\nHost: AUTHORITY\\r\\nAuthorization: Bearer %s\\r\\nConnection: close\\r\\n\\r\\n' "$TOKEN" | openssl s_client -quiet -ign_eof -verify_return_error -servername ${HOST} -connect AUTHORITY 2>/dev/null | head -c 12 | cut -c10-12`,
    ],
    [
      'wget',
      ['wget'],
      'wget -S -O /dev/null --header="Authorization: Bearer $TOKEN" URL 2>&1 | grep -o " 200"',
    ],
  ];
  for (const [name, programs, line] of clients)
    test(`${name} believes the certificate and sends what it does not have`, needs(...programs), async () => {
      const text = await out(
        line.replaceAll('URL', world.url).replaceAll('AUTHORITY', `${HOST}:${world.port}`),
      );
      assert.equal(text.trim(), '200');
      assert.deepEqual(authorizations(), [`Bearer ${VALUE}`]);
    });

  test('Java', needs('java', 'javac'), async () => {
    writeFileSync(
      join(world.dir, 'Get.java'),
      `import java.net.*; import java.net.http.*;
public class Get { public static void main(String[] a) throws Exception {
  var q = HttpRequest.newBuilder(URI.create(a[0])).header("Authorization", "Bearer " + System.getenv("TOKEN")).build();
  System.out.println(HttpClient.newHttpClient().send(q, HttpResponse.BodyHandlers.ofString()).statusCode());
} }`,
    );
    const text = await out(`java ${world.dir}/Get.java ${world.url}/`);
    assert.match(text, /^200$/m);
    assert.deepEqual(authorizations(), [`Bearer ${VALUE}`]);
  });

  test('Go', needs('go'), async () => {
    writeFileSync(
      join(world.dir, 'get.go'),
      `package main
import ("fmt"; "net/http"; "os")
func main() { q, _ := http.NewRequest("GET", os.Args[1], nil); q.Header.Set("Authorization", "Bearer " + os.Getenv("TOKEN"))
r, err := http.DefaultClient.Do(q); if err != nil { panic(err) }; fmt.Println(r.StatusCode) }`,
    );
    const text = await out(
      `cd ${world.dir} && GOPROXY=off GOFLAGS=-mod=mod GOCACHE=/tmp/gocache go run get.go ${world.url}/`,
    );
    assert.match(text, /^200$/m);
    assert.deepEqual(authorizations(), [`Bearer ${VALUE}`]);
  });

  test('git asks with a token that it does not have', needs('git'), async () => {
    await out(`git -c http.extraHeader="Authorization: Bearer $TOKEN" ls-remote ${world.url}/p.git`);
    const [first] = world.take();
    assert.equal(first!.url, '/p.git/info/refs?service=git-upload-pack');
    assert.equal(first!.headers.authorization, `Bearer ${VALUE}`);
  });

  test('others get the placeholder: another port, plain HTTP', async () => {
    await out(
      `curl -sS ${AUTH} -k https://${HOST}:${world.otherPort}/; curl -sS ${AUTH} http://${HOST}:${world.plainPort}/`,
    );
    const all = authorizations();
    assert.equal(all.length, 2);
    for (const a of all) assert.match(String(a), /^Bearer VEDETTE_SECRET_TOKEN_[0-9a-f]{32}$/);
  });

  test('a body of 100 MB each way, with bounded memory', needs('root'), async () => {
    const child = world.start([
      'sh',
      '-c',
      `head -c 100000000 /dev/zero | curl -sS ${AUTH} -H "Expect:" -T - ${world.url}/up; curl -sS ${AUTH} "${world.url}/?send=100000000" | wc -c; echo done; read x`,
    ]);
    try {
      const text = await says(child, /done/);
      assert.match(text, /saw Bearer VEDETTE\S+ 100000000 [\s\S]*^100000000$/m);
      const peakMib = (pid: number): number =>
        Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1]) / 1024;
      assert.ok(peakMib(proxyOf(child.pid!)) < 250, `${peakMib(proxyOf(child.pid!))} MiB`);
      assert.deepEqual(
        world.take().map((s) => s.bytes),
        [100_000_000, 0],
      );
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('WebSockets', async () => {
    const text = await out(
      `${PYTHON} -c 'import os, socket, ssl, sys
s = ssl.create_default_context().wrap_socket(socket.create_connection(("${HOST}", ${world.port})), server_hostname="${HOST}")
s.sendall(("GET /ws HTTP/1.1\\r\\nHost: ${HOST}:${world.port}\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\nSec-WebSocket-Key: eA==\\r\\nSec-WebSocket-Version: 13\\r\\nAuthorization: Bearer " + os.environ["TOKEN"] + "\\r\\n\\r\\n").encode())
head = b""
while b"\\r\\n\\r\\n" not in head: head += s.recv(1)
s.sendall(b"ping!")
print(head.split()[1].decode(), s.recv(5).decode())'`,
    );
    assert.equal(text.trim(), '101 ping!');
    assert.deepEqual(authorizations(), [`Bearer ${VALUE}`]);
  });

  test('its bytes are nowhere but in the one process', needs('root'), async () => {
    const debug = join(world.dir, 'debug');
    const child = world.start(
      [
        PYTHON,
        '-uc',
        `import os, sys, urllib.request as u
r = u.urlopen(u.Request(sys.argv[1], data=("x=" + os.environ["TOKEN"]).encode(), headers={"Authorization": "Bearer " + os.environ["TOKEN"]}))
print("answer", r.read().decode())
print("done")
sys.stdin.read()`,
        world.url,
      ],
      [
        ...world.flags,
        `--strace=${join(world.dir, 'strace')}`,
        `--network-log=${join(world.dir, 'netlog')}`,
        `--debug-log=${debug}`,
      ],
    );
    try {
      const text = await says(child, /done/);
      assert.ok(text.includes('answer saw Bearer VEDETTE_SECRET_TOKEN_'));
      assert.ok(!text.includes(VALUE), text);
      assert.deepEqual(authorizations(), [`Bearer ${VALUE}`]);
      const proxy = proxyOf(child.pid!);
      // The look can find something.
      assert.ok(inMemory(proxy, VALUE) > 0, 'the process for HTTP and TLS has it');
      const others = [...tree(child.pid!).keys()].filter((pid) => pid !== proxy);
      assert.ok(others.length >= 2, 'the kernel and a stub');
      assert.ok(inMemory(child.pid!, 'VEDETTE_SECRET_TOKEN_') > 0, 'what stands for it is found');
      for (const pid of others) {
        assert.equal(inMemory(pid, VALUE), 0, tree(child.pid!).get(pid));
        for (const name of ['environ', 'cmdline'])
          assert.ok(!readFileSync(`/proc/${pid}/${name}`, 'latin1').includes(VALUE), name);
      }
      assert.ok(!readFileSync(`/proc/${proxy}/environ`, 'latin1').includes(VALUE));
    } finally {
      child.kill('SIGKILL');
    }
    const logs = ['strace', 'netlog', ...readdirSync(debug).map((name) => `debug/${name}`)];
    assert.ok(logs.length >= 3);
    for (const name of logs) assert.ok(!readFileSync(join(world.dir, name), 'latin1').includes(VALUE), name);
    const requests = readFileSync(join(world.dir, 'netlog'), 'utf8')
      .split('\n')
      .filter((line) => line.includes('"request"'))
      .map((line) => JSON.parse(line) as { secrets: string[]; method: string });
    assert.deepEqual(
      requests.map((r) => [r.method, r.secrets]),
      [['POST', ['TOKEN']]],
    );
  });

  test('a variable and a file: neither the value nor the file are inside', async () => {
    const file = join(world.dir, 'key');
    writeFileSync(file, `${VALUE}\n`);
    const flags = ['--network=user', '--allow', HOST, '--secret', `KEY=@${file}@${HOST}:${world.port}`];
    // Under another name the caller has it, too.
    const text = await out(
      `cat ${file}; echo "$TOKEN" | cut -c1-19; curl -sS -H "Authorization: $KEY" ${world.url}/`,
      flags,
    );
    assert.match(text, /No such file/);
    assert.match(text, /^VEDETTE_SECRET_KEY_$/m);
    assert.deepEqual(authorizations(), [VALUE]);
  });

  test('the process dies: connections are reset, and none goes out unread', async () => {
    // Without TLS: OpenSSL's users are not told of resets in one way.
    const at = `${HOST}:${world.plainPort}`;
    const child = world.start(
      [
        PYTHON,
        '-uc',
        `import socket, sys
def begin():
    s = socket.create_connection(("${HOST}", ${world.plainPort}))
    s.sendall(b"GET /hang HTTP/1.1\\r\\nHost: ${at}\\r\\n\\r\\n")
    return s
s = begin()
while b"begun" not in s.recv(1000): pass
print("begun")
sys.stdin.readline()
def drain():
    while s.recv(1000): pass
for f in (drain, begin):
    try: print("no error", f())
    except Exception as e: print(type(e).__name__)
print("end")`,
      ],
      ['--network=user', '--allow', HOST, '--secret', `TOKEN@${at}`],
    );
    await says(child, /begun/);
    const { connections } = world;
    process.kill(proxyOf(child.pid!), 'SIGKILL');
    child.stdin!.write('\n');
    assert.equal((await says(child, /end/)).trim(), 'ConnectionResetError\nConnectionResetError\nend');
    assert.equal(world.connections, connections);
    world.take();
  });

  test('it ends with the sandbox, also when that is killed', async () => {
    const gone = async (pid: number): Promise<void> => {
      for (let i = 0; i < 500; i++) {
        try {
          if (/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'))) return;
        } catch {
          return;
        }
        await new Promise((r) => setTimeout(r, 10));
      }
      assert.fail('it is still there');
    };
    for (const how of ['end', 'kill']) {
      const child = world.start(['sh', '-c', 'echo there; read x']);
      await says(child, /there/);
      const proxy = proxyOf(child.pid!);
      if (how === 'kill') child.kill('SIGKILL');
      else child.stdin!.end('\n');
      await gone(proxy);
    }
  });

  test('a bound /etc keeps its files, and programs inside see ours', async () => {
    const etc = join(world.dir, 'etc');
    mkdirSync(join(etc, 'ssl/certs'), { recursive: true });
    const files = {
      'resolv.conf': 'nameserver 192.0.2.1\n',
      passwd: 'root:x:0:0::/:/bin/sh\n',
      'ssl/certs/ca-certificates.crt': world.authority.pem,
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(etc, name), text);
    const text = await out(
      `cat /etc/resolv.conf; grep -c BEGIN /etc/ssl/certs/ca-certificates.crt; curl -sS --cacert /etc/ssl/certs/ca-certificates.crt ${AUTH} ${world.url}/ | cut -c1-10`,
      [...world.flags, '--bind', `${etc}:/etc`],
    );
    assert.match(text, /^nameserver 10\.0\.2\.3$[\s\S]*^2\nsaw Bearer$/m);
    assert.deepEqual(authorizations(), [`Bearer ${VALUE}`]);
    for (const [name, was] of Object.entries(files))
      assert.equal(readFileSync(join(etc, name), 'utf8'), was, name);
    assert.deepEqual(readdirSync(etc).sort(), ['passwd', 'resolv.conf', 'ssl']);
  });

  test('with --platform=ptrace as well', async () => {
    await out(`curl -sS ${AUTH} ${world.url}/`, [...world.flags, '--platform=ptrace']);
    assert.deepEqual(authorizations(), [`Bearer ${VALUE}`]);
  });

  test('complaints name the fix and not the value', async () => {
    const U = '--network=user';
    const A = ['--allow', HOST];
    const S = `TOKEN@${HOST}:${world.port}`;
    for (const [flags, words, expected] of [
      [['--secret', S], ['true'], /--secret: there is no network; fix: --network=user/],
      [['--network=host', '--secret', S], ['true'], /--secret: .*fix: --network=user/],
      [[U, '--secret', S], ['true'], /not allowed.*; fix: --allow host\.vedette\.internal:\d+/],
      [[U, '--allow', 'a.example', '--secret', 'TOKEN@b.example'], ['true'], /fix: --allow b\.example:443/],
      [[U, ...A, '--secret', `NONE@${HOST}`], ['true'], /variable NONE is not set; fix: export NONE/],
      [[U, ...A, '--secret', 'TOKEN'], ['true'], /no host; fix: /],
      [[U, ...A, '--secret', S], ['echo', `x ${VALUE}`], /in a word of the command line; fix: /],
      [[U, ...A, '--secret', S, '-e', `X=a${VALUE}`], ['true'], /in a word of the command line; fix: /],
      [
        [U, ...A, '--secret', `TOKEN=@/nowhere@${HOST}`],
        ['true'],
        /\/nowhere cannot be read \(ENOENT\); fix: /,
      ],
    ] as [string[], string[], RegExp][]) {
      const r = await world.run(words, flags);
      assert.equal(r.status, 125, r.stderr);
      assert.match(r.stderr, expected);
      assert.ok(!r.stderr.includes(VALUE));
    }
  });

  test('rules about requests: from flags and a file', async () => {
    const file = join(world.dir, 'policy.json');
    writeFileSync(
      file,
      JSON.stringify({
        rules: [
          { deny: `${HOST}:${world.port}`, methods: ['DELETE'] },
          { allow: `${HOST}:${world.port}`, methods: ['GET', 'DELETE'], paths: ['/v1/*', '/health'] },
          `allow POST ${HOST}:${world.plainPort}/in/*`,
        ],
      }),
    );
    const at = `-o /dev/null -w '%{http_code} ' -sS`;
    const line = [
      `curl ${at} ${world.url}/v1/x`,
      `curl ${at} --http1.1 ${world.url}/health`,
      `curl ${at} ${world.url}/v2/x`,
      `curl ${at} --path-as-is ${world.url}/v1/../v2`,
      `curl ${at} -X POST ${world.url}/v1/x`,
      `curl ${at} -X DELETE ${world.url}/v1/x`,
      `curl ${at} -X POST http://${HOST}:${world.plainPort}/in/x`,
      `curl ${at} http://${HOST}:${world.plainPort}/in/x`,
      // Not HTTP at all, and another port.
      `printf 'SSH-2.0-x\\r\\n' | curl -m 5 -sS telnet://${HOST}:${world.port} || echo no`,
      `curl -sS -k https://${HOST}:${world.otherPort}/ || echo no`,
    ].join('; ');
    const flags = ['--network=user', '--policy', file];
    const r = await world.sh(line, flags);
    assert.equal(r.stdout.replace(/\s+/g, ' ').trim(), '200 200 403 403 403 403 200 403 no', r.stderr);
    assert.deepEqual(
      world.take().map((s) => `${s.method} ${s.url}`),
      ['GET /v1/x', 'GET /health', 'POST /in/x'],
    );
    const same = await world.sh(`curl ${at} ${world.url}/v1/x; curl ${at} ${world.url}/v2/x`, [
      ...['--network=user', '--allow', `GET,HEAD ${HOST}:${world.port}/v1/*`],
    ]);
    assert.equal(same.stdout.trim(), '200 403', same.stderr);
    world.take();
  });
});
