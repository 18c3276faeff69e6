// Namespaces of networks and mounts by ip(8) and util-linux, natively in namespaces that the test makes and inside.
// suite: 15 s
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { difference, runNative, vedette } from '../harness/guest.ts';
import { needs } from '../harness/needs.ts';
import { folder } from './net.ts';

const all = needs('root', 'inside', 'unshare', 'nsenter', 'findmnt', 'ip', 'ping');

test('ip netns, unshare and nsenter', all, async () => {
  // A /run of its own on both sides.
  const script = ['sh', '-c', 'mount -t tmpfs none /run && ip link set lo up && exec "$@"', 'sh'];
  const argv = [...script, 'sh', join(folder, 'netns.sh')];
  const native = await runNative(['unshare', '-nm', ...argv], { timeoutMs: 60_000 });
  assert.equal(native.status, 0, native.stderr);
  assert.match(native.stdout, /1 packets transmitted, 1 received/);
  const ours = await runNative([...vedette, '--', ...argv], { timeoutMs: 120_000 });
  assert.equal(difference(native, ours), '');
});
