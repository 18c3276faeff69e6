import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

test('after the lock-down the process can compute, and do nothing else', () => {
  const script = `
    import { hideMemory, lockDown } from ${JSON.stringify(join(import.meta.dirname, 'lockdown.js'))};
    import fs from 'node:fs';
    import net from 'node:net';
    import { spawnSync } from 'node:child_process';
    import { pbkdf2, randomBytes } from 'node:crypto';
    import { promisify } from 'node:util';
    const tries = {
      open: () => fs.openSync('/etc/passwd'),
      write: () => fs.openSync('/tmp/vedette-never-${process.pid}', 'w'),
      unlink: () => fs.unlinkSync('/tmp/vedette-never-${process.pid}'),
      mkdir: () => fs.mkdirSync('/tmp/vedette-never-${process.pid}'),
      spawn: () => { const r = spawnSync('/bin/true'); if (r.error) throw r.error; if (r.status !== 0) throw new Error('status'); },
      listen: () => new Promise((done, fail) => { const s = net.createServer().listen(0, done); s.on('error', fail); s.unref(); }),
      connect: () => new Promise((done, fail) => net.connect({ host: '127.0.0.1', port: 1 }).on('connect', done).on('error', fail)),
    };
    const all = async () => {
      const out = {};
      for (const [name, attempt] of Object.entries(tries))
        out[name] = await (async () => attempt())().then(() => 'done', (e) => e.code ?? String(e));
      return out;
    };
    const before = await all();
    try { fs.rmdirSync('/tmp/vedette-never-${process.pid}'); } catch {}
    hideMemory();
    lockDown();
    const after = await all();
    const hash = (await promisify(pbkdf2)('a', 'b', 10, 32, 'sha256')).length;
    console.log(JSON.stringify({ before, after, hash, random: randomBytes(4).length }));`;
  const r = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  assert.equal(r.status, 0, r.stderr);
  const { before, after, hash, random } = JSON.parse(r.stdout);
  assert.equal(before.open, 'done');
  assert.equal(before.spawn, 'done');
  assert.equal(before.connect, 'ECONNREFUSED');
  for (const [name, result] of Object.entries(after)) assert.equal(result, 'EPERM', name);
  assert.deepEqual([hash, random], [32, 4]);
});
