// Interfaces of VLANs (802.1Q) by ip(8), on veth pairs between namespaces. Few kernels that this runs on have the kind, so what is looked at
// is what a packet socket sees between the two ends, by the standard's layout.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runNative, vedette } from '../harness/guest.ts';
import { needs } from '../harness/needs.ts';

const all = needs('root', 'inside', 'ip', 'ping', 'unshare', 'python3');

const SCRIPT = `
set -e
mount -t tmpfs none /run; mount -t sysfs none /sys
mkdir /run/netns
ip netns add red
ip link add v0 type veth peer name v1 netns red
ip link add link v0 name v0.5 type vlan id 5
ip link add link v0 name v0.6 type vlan id 6
ip -n red link add link v1 name v1.5 type vlan id 5
echo "not before the one below: $(ip link set v0.5 up 2>&1)"
ip link set v0 up; ip -n red link set v1 up
ip link set v0.6 up; ip link set v0.5 up; ip -n red link set v1.5 up
ip addr add 10.5.0.1/24 dev v0.5; ip -n red addr add 10.5.0.2/24 dev v1.5
ip addr add 10.6.0.1/24 dev v0.6
ip -d link show v0.5 | sed -n 's/.*\\(vlan protocol.*\\)/\\1/p' | sed 's/ numtxqueues.*//' | cut -d' ' -f1-5
ip -o link show v0.5 | cut -d' ' -f2
python3 - > /run/frames <<'END' &
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(('v0', 0))
s.settimeout(10)
n = 0
while n < 2:
    b = s.recv(2000)
    if b[12:14] == b'\\x81\\x00' and b[16:18] == b'\\x08\\x00':
        print(b.hex())
        n += 1
END
sleep 1
ping -c 1 -W 5 10.5.0.2 | grep transmitted | sed 's/, time.*//'
wait
cut -c25-36 /run/frames
# A VLAN that the other end has no interface of.
ip -n red addr add 10.6.0.2/24 dev v1.5
ping -c 1 -W 1 10.6.0.2 | grep transmitted | sed 's/, time.*//' || true
# A stream in segments larger than a frame.
ip netns exec red python3 -c '
import socket
s = socket.create_server(("10.5.0.2", 7000))
print("ready", flush=True)
c, _ = s.accept()
n = 0
while True:
    b = c.recv(65536)
    if not b: break
    n += len(b)
print("got", n, flush=True)' > /run/got &
while ! grep -q ready /run/got; do sleep 0.1; done
python3 -c '
import socket
s = socket.create_connection(("10.5.0.2", 7000))
s.sendall(bytes(3000000))'
wait
grep got /run/got
for bad in 'link v0 name x type vlan id 5' 'link v0 name x type vlan id 4095' 'link v0 name x type vlan' 'link lo name x type vlan id 1' 'name x type vlan id 9' 'link v0 name x mtu 9000 type vlan id 9'; do
  ip link add $bad 2>&1 | tail -1
done
ip link set v0.5 mtu 2000 2>&1 || true
ip link set v0 mtu 1400; cat /sys/class/net/v0.5/mtu
ip link set v0 down; ip -o link show v0.5 | grep -c 'UP' || true
ip link set v0 up; ip -o link show v0.5 | grep -c 'UP'
ip link del v0.6; ip link add link v0 name again type vlan id 6; ls /sys/class/net | tr '\\n' ' '
ip link del v0; ls /sys/class/net
`;

test('ip link add type vlan', all, async () => {
  const r = await runNative([...vedette, '--', 'unshare', '-mn', 'sh', '-c', SCRIPT], { timeoutMs: 120_000 });
  assert.equal(r.status, 0, r.stdout + r.stderr);
  assert.equal(
    r.stdout,
    `not before the one below: RTNETLINK answers: Network is down
vlan protocol 802.1Q id 5
v0.5@v0:
1 packets transmitted, 1 received, 0% packet loss
810000050800
810000050800
1 packets transmitted, 0 received, 100% packet loss
got 3000000
RTNETLINK answers: File exists
RTNETLINK answers: Numerical result out of range
RTNETLINK answers: Invalid argument
RTNETLINK answers: Operation not supported
RTNETLINK answers: Invalid argument
RTNETLINK answers: Invalid argument
RTNETLINK answers: Numerical result out of range
1400
0
1
again lo v0 v0.5 lo
`,
  );
});
