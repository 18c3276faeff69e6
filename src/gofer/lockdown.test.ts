// Somebody who runs code of their own in the gofer: what they would try first is refused, and files outside of what it serves are.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { EACCES, EPERM } from '../abi/errno.ts';
import { AT_FDCWD, O_CREAT, O_DIRECTORY, O_RDONLY, O_RDWR } from '../abi/fs/fcntl.ts';
import { MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE } from '../abi/memory/mman.ts';
import { AF_INET, SOCK_STREAM } from '../abi/net/socket.ts';
import * as nr from '../abi/syscall.ts';
import { HostBuffer } from '../host/buffer.ts';
import { rulesOf } from '../host/call_parts.ts';
import { exploits } from '../host/exploits.test.helper.ts';
import { landlockAbi } from '../host/landlock.ts';
import { hostCall } from '../host/syscall.ts';
import { partsOf, sealUp } from './lockdown.ts';
import { REFUSED } from './protocol.ts';

const MODE = 'VEDETTE_TEST_GOFER_LOCKDOWN';
const FOR_CHILD = process.env[MODE];
/** Of those calls, what a gofer does all day: only Landlock stands between it and files outside. */
const BY_LANDLOCK = ['create a file', 'open a file to write', 'open without a name', 'openat2'];

if (FOR_CHILD !== undefined) {
  const [top, outside] = FOR_CHILD.split(':') as [string, string];
  const memory = HostBuffer.alloc(4096);
  const text = HostBuffer.alloc(4096);
  const open = (path: string, flags: number) =>
    hostCall(nr.SYS_openat, AT_FDCWD, text.putString(path), flags, 0o600);
  const fd = open(top, O_RDONLY | O_DIRECTORY);
  const page = hostCall(nr.SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const said = sealUp([{ fd, writes: true, only: '' }], [], false).split('\n');
  const tries = exploits(memory, text.putString(join(outside, 'file')), page);
  tries['socket of the Internet'] = [nr.SYS_socket, AF_INET, SOCK_STREAM, 0];
  tries.kill = [nr.SYS_kill, process.ppid, 9];
  tries['memory to run, from a file'] = [nr.SYS_memfd_create, text.addr, 0];
  const results = Object.fromEntries(
    Object.entries(tries).map(([name, call]) => [name, hostCall(call[0]!, ...call.slice(1))]),
  );
  const files = {
    own: open(join(top, 'file'), O_RDWR),
    made: open(join(top, 'made'), O_RDWR | O_CREAT),
    outside: open(join(outside, 'file'), O_RDONLY),
    'outside, by way of inside': open(join(top, '../out/file'), O_RDONLY),
    'made outside': open(join(outside, 'made'), O_RDWR | O_CREAT),
    system: open('/etc/passwd', O_RDONLY),
    list: open('/', O_RDONLY | O_DIRECTORY),
  };
  writeSync(1, JSON.stringify({ said, results, files }));
  // Node.js's own end makes calls that are not for a gofer.
  hostCall(nr.SYS_exit_group, 0);
} else {
  const dir = mkdtempSync(join(tmpdir(), 'vedette-gofer-'));
  after(() => rmSync(dir, { recursive: true, force: true }));
  for (const name of ['top', 'out']) {
    mkdirSync(join(dir, name));
    writeFileSync(join(dir, name, 'file'), name);
  }

  describe('an attacker in the gofer', {
    skip: landlockAbi() < 0 ? 'the host has no Landlock' : false,
  }, () => {
    test('gets nothing but what is served', () => {
      const child = spawnSync(process.execPath, [import.meta.filename], {
        env: { ...process.env, [MODE]: `${join(dir, 'top')}:${join(dir, 'out')}` },
        encoding: 'utf8',
      });
      assert.equal(child.status, 0, child.stderr);
      const { said, results, files } = JSON.parse(child.stdout) as {
        said: string[];
        results: Record<string, number>;
        files: Record<string, number>;
      };
      assert.deepEqual(
        said.filter((line) => line.startsWith(REFUSED)),
        [],
      );
      assert.ok(Object.keys(results).length >= 46);
      for (const [name, r] of Object.entries(results))
        if (BY_LANDLOCK.includes(name)) assert.ok(r < 0, `${name}: ${r}`);
        else assert.equal(r, -EPERM, `${name}: ${r}`);
      const { own, made, ...others } = files;
      assert.ok(own! >= 0 && made! >= 0, child.stdout);
      for (const [name, r] of Object.entries(others)) assert.equal(r, -EACCES, `${name}: ${r}`);
      assert.deepEqual(readdirSync(join(dir, 'out')), ['file']);
      assert.equal(readFileSync(join(dir, 'out/file'), 'utf8'), 'out');
    });
  });

  test('fewer calls than a hundred, each with a reason', () => {
    const parts = partsOf([{ fd: -1, writes: true, only: '' }]);
    assert.ok(rulesOf(parts).numbers.length < 95);
    for (const { calls } of parts) for (const { why } of calls) assert.notEqual(why, '');
  });
}
