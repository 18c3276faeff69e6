// The control socket of a container: what it refuses, that nothing changes then, and what the boot process has given up.
// suite: 10 s
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { needs } from '../harness/needs.ts';
import { Bundle, noBusybox } from './bundle.ts';

suite('oci control', { skip: noBusybox() }, () => {
  let b: Bundle;
  let pid = 0;
  before(() => {
    b = new Bundle();
    b.program('sleep', '1000');
    pid = b.launch('c');
  });
  after(() => b.close());

  /** Sends text; what comes back before the connection ends or a line is there. */
  const say = (text: string | Buffer): Promise<string> =>
    new Promise((done) => {
      const socket = connect(join(b.root, 'c/control.sock'));
      let got = '';
      socket.on('data', (bytes) => {
        got += bytes.toString();
        if (got.endsWith('\n')) socket.end();
      });
      socket.on('error', () => {});
      socket.on('close', () => done(got));
      socket.write(text);
    });

  test('malformed messages are refused and change nothing', async () => {
    const cases: [string, RegExp][] = [
      ['{\n', /no JSON/],
      ['[]\n', /is a list/],
      ['{}\n', /message\.method: missing/],
      ['{"method":3}\n', /message\.method: is a number/],
      ['{"method":"constructor"}\n', /unknown method/],
      ['{"method":"signal"}\n', /message\.signal: missing/],
      ['{"method":"signal","signal":65}\n', /out of range/],
      ['{"method":"signal","signal":9,"own":true}\n', /no such process/],
      ['{"method":"exec"}\n', /message\.process: missing/],
      ['{"method":"exec","process":{"args":["true"],"cwd":"/"}}\n', /descriptors 0, 1 and 2 are missing/],
      ['{"method":"start"}\n', /already running/],
      ['{"method":"resume"}\n', /not paused/],
    ];
    for (const [text, answer] of cases) {
      const error = JSON.parse(await say(text)) as { error: string };
      assert.match(error.error, answer, text);
    }
    assert.equal(b.status('c'), 'running');
  });

  test('a line without an end is given up', async () => {
    assert.match(await say(Buffer.alloc(5 << 20, 'x')), /too long a message|^$/);
    assert.equal(b.status('c'), 'running');
  });

  test('many connections that say nothing do not keep others out for long', async () => {
    const sockets = Array.from({ length: 300 }, () => connect(join(b.root, 'c/control.sock')));
    for (const s of sockets) s.on('error', () => {});
    await new Promise((done) => setTimeout(done, 200));
    assert.equal(b.status('c'), 'running');
    for (const s of sockets) s.destroy();
  });

  test('another user is refused', needs('root'), () => {
    for (const dir of [b.dir, b.root, join(b.root, 'c')]) chmodSync(dir, 0o777);
    chmodSync(join(b.root, 'c/control.sock'), 0o777);
    const script = `
      const s = require('net').connect(${JSON.stringify(join(b.root, 'c/control.sock'))});
      s.on('error', (e) => process.stdout.write('error ' + e.code));
      s.on('data', (d) => process.stdout.write('answer ' + d));
      s.on('close', () => process.stdout.write('closed'));
      s.write('{"method":"state"}\\n');`;
    const ask = (uid: number) =>
      spawnSync(process.execPath, ['-e', `setTimeout(() => process.exit(), 1500);${script}`], {
        uid,
        encoding: 'utf8',
        cwd: '/',
      }).stdout;
    assert.match(ask(0), /^answer .*"running"/);
    assert.doesNotMatch(ask(65534), /answer/);
    assert.match(ask(65534), /closed|error/);
  });

  test('the boot process is locked down: a filter, on all of its threads', () => {
    const threads = readdirSync(`/proc/${pid}/task`);
    assert.ok(threads.length > 1);
    for (const thread of threads)
      assert.match(readFileSync(`/proc/${pid}/task/${thread}/status`, 'latin1'), /^Seccomp:\s+2$/m);
  });
});
