// --network=host: programs see the interfaces, addresses and routes of the namespace that the command runs in, and cannot change them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { difference, runNative, vedette } from '../harness/guest.ts';
import { needs } from '../harness/needs.ts';

const all = needs('root', 'inside', 'unshare', 'ip', 'python3');

/** A namespace with a pair of interfaces, whose numbers do not change while it is looked at. */
const WORLD = `
mount -t sysfs none /sys
ip link set lo up
ip link add v0 type veth peer name v1
ip link set v0 mtu 1400
ip addr add 10.9.0.1/24 brd + dev v0
ip -6 addr add fd09::1/64 dev v0 nodad
ip link set v0 up && ip link set v1 up
ip route add 10.10.0.0/16 via 10.9.0.2
ip -6 route add fd10::/64 via fd09::2
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  ip -6 addr show tentative | grep -q inet6 || break
  sleep 0.2
done
exec "$@"`;

const LOOKS = `
ip -o link
ip -o addr
ip route show table all | sort
ip -6 route show table all | sort
ip route get 10.10.3.4 | head -1
ip rule
ip link show v0
cut -d: -f1 /proc/net/dev | tail -n +3 | tr -d ' ' | sort
ls /sys/class/net
cat /sys/class/net/v0/mtu
python3 -c 'import socket; print(socket.if_nameindex(), socket.if_nametoindex("v1"))'
`;

/** Of the host's alone: natively root may. */
const CHANGES = `
for change in 'link set v1 down' 'link set v1 mtu 1300' 'addr add 10.9.0.9/24 dev v1' 'route del 10.10.0.0/16' 'link add d0 type bridge' 'link del v0'; do
  ip $change 2>&1
done
python3 -c '
import fcntl, socket, struct
s = socket.socket()
try: fcntl.ioctl(s, 0x8922, struct.pack("16si12x", b"v0", 1300))
except OSError as e: print(e.strerror)'
ip -o link
`;

test('interfaces, addresses and routes are those of the host', all, async () => {
  const world = ['unshare', '-mn', 'sh', '-c', WORLD, 'sh'];
  // Twice in the same namespace.
  const both = [
    'sh',
    '-c',
    'sh -c "$1"; echo =====; shift; exec "$@"',
    'sh',
    LOOKS,
    ...vedette,
    '--network=host',
    '--',
    'sh',
    '-c',
    LOOKS,
  ];
  const r = await runNative([...world, ...both], { timeoutMs: 120_000 });
  const [native, inside] = r.stdout.split('=====\n');
  assert.match(native!, /10\.10\.0\.0\/16 via 10\.9\.0\.2/);
  const as = (stdout: string): typeof r => ({ ...r, stdout });
  assert.equal(difference(as(native!), as(inside ?? '')), '');
});

test('nothing of them can be changed', all, async () => {
  const argv = ['unshare', '-mn', 'sh', '-c', WORLD, 'sh', ...vedette, '--network=host', '--'];
  const r = await runNative([...argv, 'sh', '-c', CHANGES], { timeoutMs: 120_000 });
  const refused = r.stdout.match(/RTNETLINK answers: Operation not permitted/g) ?? [];
  assert.equal(refused.length, 6, r.stdout + r.stderr);
  assert.match(r.stdout, /^Operation not permitted$/m);
  assert.match(r.stdout, /v0@v1: .*UP.* mtu 1400/);
});
