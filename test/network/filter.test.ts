// The packet filter and NAT by iptables-legacy: what it lists and refuses, and what becomes of traffic, natively in a network namespace and
// inside.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { difference, runNative, vedette } from '../harness/guest.ts';
import { needs } from '../harness/needs.ts';
import { folder } from './net.ts';

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

  test('who may not administer the network', async () => {
    const r = await runNative([...vedette, '-u', '1000', '--', 'iptables-legacy', '-S']);
    assert.notEqual(r.status, 0);
  });
});
