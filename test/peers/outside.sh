# Looks at a machine from a network namespace beside it: outside.sh TARGET..., run in namespaces of its own (unshare
# -npf --mount-proc --kill-child), which TARGET then is in: a command before a program, or nothing for Linux itself. Its network is 9.9.9.1
# and 2600:9::1. SCRIPTS are names in outside/, CAPTURE is a file for tcpdump.
. "$(dirname "$0")/begin.sh"
unshare -n sh -c 'echo there; exec sleep 1000' > far.started & far=$!
until [ -s far.started ]; do sleep 0.1; done
beyond() { nsenter -t $far -n "$@"; }
ip link set lo up
ip link add v0 address 02:00:00:00:00:01 type veth peer name v1 address 02:00:00:00:00:02 netns $far
ip addr add 9.9.9.1/24 dev v0; ip addr add 2600:9::1/64 dev v0 nodad; ip link set v0 up
beyond ip link set lo up; beyond ip addr add 9.9.9.2/24 dev v1; beyond ip addr add 2600:9::2/64 dev v1 nodad; beyond ip link set v1 up
# Checksums as they are on a wire.
ethtool -K v0 tx off tso off gso off > /dev/null 2>&1; beyond ethtool -K v1 tx off tso off gso off > /dev/null 2>&1
cat > nginx.conf << END
pid $folder/nginx.run;
error_log $folder/error.log;
user root;
events { worker_connections 100; }
http { access_log off; server { listen 80; listen [::]:80; root $folder; } 
 client_body_temp_path $folder/t1; proxy_temp_path $folder/t2; fastcgi_temp_path $folder/t3; uwsgi_temp_path $folder/t4; scgi_temp_path $folder/t5; }
END
ssh-keygen -q -t ed25519 -N '' -f host; mkdir -p /run/sshd
printf 'Port 22\nHostKey %s/host\nStrictModes no\nUsePAM no\nPidFile none\nMaxStartups 100\n' "$folder" > sshd_config
cat > serve.sh << END
ip link set lo up
nginx -p "$folder" -c "$folder/nginx.conf" -g 'daemon off;' &
/usr/sbin/sshd -D -f "$folder/sshd_config" &
python3 "$here/../network/peers.py" anywhere
END
"$@" sh serve.sh > serving 2> serving.err & target=$!
i=0; until grep -q ready serving; do i=$((i + 1)); [ $i -lt 300 ] || { cat serving.err; exit 97; }; sleep 0.1; done
sleep 1
if [ -n "$CAPTURE" ]; then beyond tcpdump -i v1 -w "$CAPTURE" -U --immediate-mode 2> /dev/null & c=$!; sleep 1; fi
for script in $SCRIPTS; do . "$here/outside/$script.sh"; done
if [ -n "$CAPTURE" ]; then sleep 1; kill $c; wait $c; fi
kill $target; wait $target 2> /dev/null
