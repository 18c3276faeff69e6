#!/bin/busybox sh
# First program of the emulated machine: file systems, then the battery on the second serial line, then off.
/bin/busybox mkdir -p /dev /proc /sys /tmp /root
/bin/busybox --install -s /bin
export PATH=/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm /dev/pts /dev/mqueue
chmod 1777 /tmp
mount -t tmpfs shm /dev/shm
mount -t devpts -o ptmxmode=0666 pts /dev/pts
mount -t mqueue mqueue /dev/mqueue
ln -sf /proc/self/fd /dev/fd
hostname emulated
stty -F /dev/ttyS1 raw
node /opt/vedette/battery.mjs > /dev/ttyS1 2>&1 < /dev/null
poweroff -f
