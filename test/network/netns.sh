# `ip netns` and mount namespaces by util-linux: run natively in namespaces of its own, and inside; both print the same.
rm -rf /run/netns
mkdir /run/netns /run/at
ip netns add red
ip netns list
ip netns exec red ip link set lo up
ip netns exec red ip -br addr
ip netns exec red ls /sys/class/net
ip link add v0 type veth peer name v1 netns red
ip addr add 10.9.0.1/24 dev v0
ip link set v0 up
ip netns exec red sh -c 'ip addr add 10.9.0.2/24 dev v1; ip link set v1 up'
ip netns exec red ping -c 1 -W 5 10.9.0.1 | grep transmitted | sed 's/, time.*//'
ip netns add blue
ip netns list | sed 's/ (id.*//' | sort
# The name goes while somebody is in it: the unmount is heard of in his mounts too.
ip netns exec blue sh -c 'grep -c netns/blue /proc/self/mountinfo; sleep 1; grep -c netns/blue /proc/self/mountinfo' < /dev/null 2> /dev/null &
sleep 0.5
ip netns del blue
wait
ip netns del red
ip netns list
ls /run/netns
unshare -m sh -c 'mount -t tmpfs none /run/at && grep -c " /run/at " /proc/self/mountinfo'
grep -c ' /run/at ' /proc/self/mountinfo
mount --bind /run/at /run/at
findmnt -n -o PROPAGATION /run/at
mount --make-shared /run/at
findmnt -n -o PROPAGATION /run/at
mkdir /run/at/deep
unshare -m --propagation slave sh -c 'findmnt -n -o PROPAGATION /run/at; touch /run/go; sleep 1; grep -c /run/at/deep /proc/self/mountinfo' &
while [ ! -e /run/go ]; do sleep 0.1; done
mount -t tmpfs none /run/at/deep
wait
umount /run/at/deep
mount --make-rprivate /run/at
findmnt -n -o PROPAGATION /run/at
umount /run/at
sleep 60 & s=$!
nsenter -t $s -m sh -c 'ls -d /run/at'
kill $s
