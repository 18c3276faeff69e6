// Programs that find the authority where install.ts tells them: git, Go, Java, Node.js, pip's and Python's own way.
// suite: 12 s
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { before, describe, test } from 'node:test';
import { needs } from '../../test/harness/needs.ts';
import { installation } from './install.ts';
import { cleanup, dir, run, TestProxy, world } from './proxy.test.helper.ts';
import { systemBundle } from './trust.ts';

/** git-http-backend(1) as a CGI. */
function gitBackend(req: IncomingMessage, res: ServerResponse): void {
  const url = new URL(req.url!, 'https://git.test');
  const child = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env.PATH,
      GIT_PROJECT_ROOT: join(dir, 'served'),
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: req.method,
      CONTENT_TYPE: req.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: req.headers['content-encoding'] ?? '',
      REMOTE_USER: 'somebody',
      HOME: dir,
    },
  });
  req.pipe(child.stdin);
  child.stdin.on('error', () => {});
  const parts: Buffer[] = [];
  child.stdout.on('data', (b: Buffer) => parts.push(b));
  child.on('close', () => {
    const all = Buffer.concat(parts);
    const end = all.indexOf('\r\n\r\n');
    for (const line of all.toString('latin1', 0, end).split('\r\n')) {
      const [name = '', value = ''] = line.split(/: */);
      if (/^status$/i.test(name)) res.statusCode = Number(value.slice(0, 3));
      else res.setHeader(name, value);
    }
    res.end(all.subarray(end + 4));
  });
}

describe('programs find the authority', () => {
  let proxy: TestProxy;
  let port: number;
  let env: NodeJS.ProcessEnv;
  let authorization: string | undefined;
  const secret = {
    name: 'GIT',
    hosts: ['localhost'],
    placeholder: `VEDETTE_SECRET_GIT_${'a'.repeat(32)}`,
    value: 'a-git-token',
  };

  before(async () => {
    const server = createServer(
      { key: world.leafKeyPem, cert: world.certificateFor('localhost') + world.pem },
      (req, res) => {
        authorization = req.headers.authorization;
        if (/\.git\//.test(req.url!)) gitBackend(req, res);
        else res.end('hello from outside');
      },
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanup(() => server.close());
    proxy = await TestProxy.start({ secrets: [secret] });
    port = await proxy.listen({ name: 'localhost', server: (server.address() as AddressInfo).port });
    const made = installation({ caPem: proxy.ca, bundlePem: systemBundle(), folder: join(dir, 'inside') });
    for (const file of made.files) {
      mkdirSync(dirname(file.path), { recursive: true });
      writeFileSync(file.path, file.content);
    }
    env = { PATH: process.env.PATH, HOME: dir, GOFLAGS: '-mod=mod', GOPROXY: 'off', ...made.env };
  });

  const url = (): string => `https://localhost:${port}/`;

  test('git clones and pushes, with a token that it does not have', needs('git'), async () => {
    const git = (...words: string[]) =>
      run(['git', ...words], { env: { ...env, GIT_TERMINAL_PROMPT: '0', GIT_CONFIG_NOSYSTEM: '1' } });
    const must = async (...words: string[]): Promise<void> => {
      const r = await git(...words);
      assert.equal(r.status, 0, `${words.join(' ')}: ${r.stdout}${r.stderr}`);
    };
    await must('init', '-q', '--bare', '-b', 'main', join(dir, 'served/p.git'));
    const at = `https://me:${secret.placeholder}@localhost:${port}/p.git`;
    await must('clone', '-q', at, 'one');
    writeFileSync(join(dir, 'one/file'), Buffer.alloc(3_000_000, 'noise of some kind'));
    const who = ['-c', 'user.name=a', '-c', 'user.email=a@b'];
    await must('-C', 'one', 'add', 'file');
    await must(...who, '-C', 'one', 'commit', '-q', '-m', 'one');
    // Sent with credentials from the first request on, as a helper would.
    const basic = Buffer.from(`me:${secret.placeholder}`).toString('base64');
    await must(
      '-c',
      `http.extraHeader=Authorization: Basic ${basic}`,
      '-c',
      'http.postBuffer=100000',
      '-C',
      'one',
      'push',
      '-q',
      'origin',
      'HEAD:main',
    );
    assert.equal(Buffer.from(authorization!.slice(6), 'base64').toString(), 'me:a-git-token');
    await must('clone', '-q', at, 'two');
    await must('-C', 'two', 'diff', '--quiet', 'HEAD');
  });

  test('curl, Python and Node.js', needs('curl', '/usr/bin/python3'), async () => {
    for (const words of [
      ['curl', '-sS', url()],
      ['/usr/bin/python3', '-c', `import urllib.request as u; print(u.urlopen('${url()}').read().decode())`],
      [process.execPath, '-e', `require('https').get('${url()}', (r) => r.pipe(process.stdout))`],
      [process.execPath, '-e', `fetch('${url()}').then((r) => r.text()).then(console.log)`],
    ]) {
      const r = await run(words, { env });
      assert.equal(r.stdout.trim(), 'hello from outside', r.stderr);
      // Without the variables nobody believes it: the check above can fail.
      const without = await run(words, { env: { PATH: process.env.PATH, HOME: dir } });
      assert.notEqual(without.stdout.trim(), 'hello from outside');
    }
  });

  test('Java', needs('java', 'javac'), async () => {
    const source = `import java.net.*; import java.net.http.*;
public class Get { public static void main(String[] a) throws Exception {
  System.out.println(HttpClient.newHttpClient().send(HttpRequest.newBuilder(URI.create(a[0])).build(), HttpResponse.BodyHandlers.ofString()).body());
  System.out.println(new String(new URL(a[0]).openStream().readAllBytes()));
} }`;
    writeFileSync(join(dir, 'Get.java'), source);
    const r = await run(['java', 'Get.java', url()], { env });
    assert.equal(r.stdout, 'hello from outside\n'.repeat(2), r.stderr);
  });

  test('Go', needs('go'), async () => {
    const source = `package main
import ("fmt"; "io"; "net/http"; "os")
func main() { r, err := http.Get(os.Args[1]); if err != nil { panic(err) }; b, _ := io.ReadAll(r.Body); fmt.Println(string(b), r.ProtoMajor) }`;
    writeFileSync(join(dir, 'get.go'), source);
    const r = await run(['go', 'run', 'get.go', url()], { env });
    assert.equal(r.stdout, 'hello from outside 1\n', r.stderr);
  });
});
