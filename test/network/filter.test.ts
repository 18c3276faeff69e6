// The packet filter and NAT by iptables-legacy: what it lists and refuses, and what becomes of traffic, natively in a network namespace and
// inside.
// suite: 40 s
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { difference, runNative, vedette } from '../harness/guest.ts';
import { needs } from '../harness/needs.ts';
import { folder, Net, WEB, WEB6 } from './net.ts';

const PYTHON = '/usr/bin/python3';
/** A namespace of its own, and a lock file that is nobody else's. */
const NATIVE = [
  'unshare',
  '-nm',
  'sh',
  '-c',
  'mount -t tmpfs none /run && ip link set lo up && exec "$@"',
  'sh',
];
const all = needs('root', 'inside', 'unshare', 'ip', 'ping', PYTHON, 'iptables-legacy', 'ip6tables-legacy');

describe('packet filter', all, () => {
  const same = async (argv: string[]): Promise<string> => {
    const native = await runNative([...NATIVE, ...argv], { timeoutMs: 120_000 });
    assert.equal(native.status, 0, native.stderr);
    const ours = await runNative([...vedette, '--', ...argv], { timeoutMs: 120_000 });
    assert.equal(difference(native, ours), '');
    return native.stdout;
  };

  test('tables are listed, saved and restored, and wrong rules refused', async () => {
    const text = await same(['sh', join(folder, 'filter.sh')]);
    assert.match(text, /--ctstate RELATED,ESTABLISHED -j ACCEPT/);
  });

  test('traffic', async () => {
    const text = await same([PYTHON, join(folder, 'filter.py')]);
    assert.match(text, /# snat\n\('eight for 127\.0\.0\.77'/);
  });

  test('a router between two networks', needs('nsenter'), async () => {
    const text = await same([PYTHON, join(folder, 'forward.py')]);
    assert.match(text, /# masquerade\ntimeout timeout\nserver for 10\.60\.0\.1 /);
    assert.match(text, /router for fd50::2 going to \('fd60::2', 80\)/);
  });

  test('with --network=sandbox, before a host of Linux', needs('nsenter'), async () => {
    const net = await Net.make();
    try {
      const argv = [
        'sh',
        '-c',
        'mount -t tmpfs none /run; exec "$@"',
        'sh',
        PYTHON,
        join(folder, 'forward.py'),
      ];
      const native = await net.native(['unshare', '-m', ...argv, WEB, WEB6], { timeoutMs: 120_000 });
      assert.equal(native.status, 0, native.stderr);
      const ours = await net.inside([...argv, WEB, WEB6], ['--network=sandbox'], { timeoutMs: 120_000 });
      assert.equal(difference(native, ours), '');
      assert.match(native.stdout, /# masquerade to the outside\nserved \/x at 9\.9\.9\.2 0 /);
    } finally {
      net.end();
    }
  });

  test('who may not administer the network', async () => {
    const r = await runNative([...vedette, '-u', '1000', '--', 'iptables-legacy', '-S']);
    assert.notEqual(r.status, 0);
  });
});
