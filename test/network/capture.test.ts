// tcpdump, and dumpcap with tshark where they are installed, capture what a program sends: natively in namespaces that the test makes
// and inside.
// suite: 10 s
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { difference, runNative, vedette } from '../harness/guest.ts';
import { needs, which } from '../harness/needs.ts';
import { folder } from './net.ts';

const PYTHON = '/usr/bin/python3';
/** A pair of interfaces, of which one end is in another namespace, and neighbours that are known. */
const SETUP = `ip link set lo up; unshare -n sleep 60 & s=$!; sleep 0.5
ip link add eth0 type veth peer name eth0 netns $s && ip addr add 10.7.0.1/24 dev eth0 && ip link set eth0 up || exit 3
nsenter -t $s -n ip link set eth0 up; ip neigh add 10.7.0.2 lladdr 02:00:00:00:00:02 dev eth0
"$@"; r=$?; kill $s; exit $r`;

test(
  'tcpdump and dumpcap capture',
  needs('root', 'inside', 'unshare', 'nsenter', 'ip', 'tcpdump', PYTHON),
  async () => {
    const dir = mkdtempSync(join(tmpdir(), 'vedette-capture-'));
    try {
      const shark = which('dumpcap') !== undefined && which('tshark') !== undefined;
      const argv = [PYTHON, join(folder, 'capture.py'), ...(shark ? [join(dir, 'lo.pcapng')] : [])];
      const set = ['sh', '-c', SETUP, 'sh', ...argv];
      const native = await runNative(['unshare', '-n', ...set], { timeoutMs: 60_000 });
      assert.equal(native.status, 0, native.stdout + native.stderr);
      assert.match(native.stdout, /# a veth 0\nIP 10\.7\.0\.1\.p > 10\.7\.0\.2\.9: UDP/);
      const ours = await runNative([...vedette, '--', ...set], { timeoutMs: 120_000 });
      assert.equal(difference(native, ours), '');
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
);
