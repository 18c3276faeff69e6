// Somebody who runs code of their own in the kernel process: what they would try first is refused, on every thread's behalf.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { AT_FDCWD } from '../../abi/fs/fcntl.ts';
import { MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE } from '../../abi/memory/mman.ts';
import { AF_INET, SOCK_STREAM } from '../../abi/net/socket.ts';
import * as nr from '../../abi/syscall.ts';
import { HostBuffer } from '../../host/buffer.ts';
import { rulesOf } from '../../host/call_parts.ts';
import { exploits } from '../../host/exploits.test.helper.ts';
import { hostCall } from '../../host/syscall.ts';
import { partsOf, takeEffect } from './lockdown.ts';

const MODE = 'VEDETTE_TEST_LOCKDOWN';
const FOR_CHILD = process.env[MODE];
const RW = PROT_READ | PROT_WRITE;
const ANONYMOUS = MAP_PRIVATE | MAP_ANONYMOUS;

/** What a sandbox has to say for its rules. */
function options(network: 'none' | 'user', shared: boolean, gofer = false) {
  const mounts = shared ? [{ source: '/tmp', target: '/m', readonly: false, shared: true }] : [];
  return { gofer, overlay: null, mounts, network: { mode: network } };
}

if (FOR_CHILD !== undefined) {
  const [platform, network, shared, gofer] = FOR_CHILD.split(' ');
  const memory = HostBuffer.alloc(4096);
  const path = memory.putString('/tmp/vedette-lockdown-test');
  const at = hostCall(nr.SYS_mmap, 0, 4096, RW, ANONYMOUS, -1, 0);
  takeEffect(rulesOf(partsOf(options(network as 'none', shared === 'shared', gofer === 'gofer'), platform!)));
  const tries = exploits(memory, path, at);
  if (network === 'none') tries['socket of the Internet'] = [nr.SYS_socket, AF_INET, SOCK_STREAM, 0];
  if (gofer === 'gofer')
    Object.assign(tries, {
      'open a file': [nr.SYS_openat, AT_FDCWD, path, 0, 0],
      'look at a name': [nr.SYS_newfstatat, AT_FDCWD, path, memory.addr, 0],
      'look at a name, statx': [nr.SYS_statx, AT_FDCWD, path, 0, 0, memory.addr],
      'list a directory': [nr.SYS_getdents64, 0, memory.addr, 4096],
      'read a link': [nr.SYS_readlink, path, memory.addr, 100],
      'make a directory': [nr.SYS_mkdirat, AT_FDCWD, path, 0o700],
      'remove a name': [nr.SYS_unlinkat, AT_FDCWD, path, 0],
      'change a mode': [nr.SYS_chmod, path, 0o777],
      'an attribute': [nr.SYS_getxattr, path, path, memory.addr, 100],
    });
  else if (shared === 'shared')
    for (const name of Object.keys(tries))
      if (/^(create|open) .* ?(file|name|write)/.test(name)) delete tries[name];
  const results = Object.fromEntries(
    Object.entries(tries).map(([name, call]) => [name, hostCall(call[0]!, ...call.slice(1))]),
  );
  // Threads of Node.js 24 and later ask for their priority when they wait for each other, and complain when they may not.
  const priority = [
    hostCall(nr.SYS_sched_getparam, 0, memory.addr),
    hostCall(nr.SYS_sched_getscheduler, hostCall(nr.SYS_gettid)),
  ];
  // V8 goes on making code.
  let code = 0;
  for (let i = 0; i < 3000; i++)
    code += (
      new Function('x', `let s = 0; for (let i = 0; i < x; i++) s += i * ${i}; return s`) as (
        x: number,
      ) => number
    )(10);
  process.stdout.write(JSON.stringify({ results, priority, code }));
} else {
  describe('an attacker in the kernel process', () => {
    for (const mode of [
      'systrap none',
      'systrap user',
      'ptrace none',
      'systrap none shared',
      'systrap none shared gofer',
      'ptrace none - gofer',
    ])
      test(`gets nothing with ${mode}`, () => {
        const child = spawnSync(process.execPath, [import.meta.filename], {
          env: { ...process.env, [MODE]: mode },
          encoding: 'utf8',
        });
        assert.equal(child.status, 0, child.stderr);
        const { results, priority, code } = JSON.parse(child.stdout) as {
          results: Record<string, number>;
          priority: number[];
          code: number;
        };
        assert.ok(Object.keys(results).length >= 44);
        for (const [name, r] of Object.entries(results)) assert.equal(r, -1, `${name}: ${r}`);
        assert.deepEqual(priority, [0, 0]);
        assert.equal(code, ((2999 * 3000) / 2) * 45);
      });
  });

  test('fewer calls than a hundred, each with a reason', () => {
    for (const mode of ['none', 'user'] as const) {
      const parts = partsOf(options(mode, false), 'systrap');
      const count = rulesOf(parts).numbers.length;
      assert.ok(count < 95, `${mode}: ${count}`);
      for (const { calls } of parts) for (const { why } of calls) assert.notEqual(why, '');
    }
  });
}
