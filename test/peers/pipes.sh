# needs: socat nc.openbsd nc.traditional ncat openssl
# socat, three netcats and openssl with each other.
. "$(dirname "$0")/begin.sh"
certificate
noise 3000000 > big
socat TCP-LISTEN:3001,reuseaddr,fork,bind=127.0.0.1 EXEC:cat &
socat TCP6-LISTEN:3002,reuseaddr,fork,ipv6only=1 SYSTEM:'sha256sum | cut -c1-16' &
socat OPENSSL-LISTEN:3003,reuseaddr,fork,cert=cert.pem,key=key.pem,verify=0 EXEC:cat &
printf '#!/bin/sh\ntty | sed s/[0-9]*$/N/\ntest -t 0 && echo a terminal\n' > terminal && chmod +x terminal
socat -t 20 TCP-LISTEN:3004,reuseaddr,fork EXEC:./terminal,pty,setsid,ctty,stderr &
socat UNIX-LISTEN:sock,fork TCP:127.0.0.1:3001 &
socat SOCKS4A-LISTEN:1 - 2> /dev/null
for p in 3001 3002 3003 3004; do until_open $p; done
socat -t 5 - TCP:127.0.0.1:3001 < big | sum
socat -t 5 - TCP6:[::1]:3002 < big
socat -t 5 - OPENSSL:127.0.0.1:3003,cafile=cert.pem,commonname=localhost < big | sum
socat -t 5 - UNIX-CONNECT:sock < big | sum
socat -t 20 - TCP:127.0.0.1:3004 < /dev/null | tr -d '\r'
socat -t 2 - TCP:127.0.0.1:3001,nodelay,keepalive,keepidle=5,linger=1,mss=500,tos=16,sndbuf=20000,rcvbuf=20000 < big | sum
socat -u UDP-RECV:3005 CREATE:udp.out & u=$!
sleep 0.5
seq 1 100 | while read l; do echo "line $l"; done | socat -u - UDP-SENDTO:127.0.0.1:3005
sleep 0.5; kill $u; sum < udp.out
socat UDP4-LISTEN:3006,fork EXEC:cat & sleep 0.4
echo ping | socat -t 1 - UDP4:127.0.0.1:3006
socat -u UDP4-RECVFROM:3007,ip-add-membership=239.1.1.1:127.0.0.1,reuseaddr CREATE:mc.out & m=$!
sleep 0.4; echo to many | socat -u - UDP4-DATAGRAM:239.1.1.1:3007,ip-multicast-if=127.0.0.1; wait $m; cat mc.out
echo x | socat -T 1 - TCP:127.0.0.1:9 2>&1 | sed 's/.*E //'
for nc in 'nc.openbsd -N' 'nc.traditional -q 1' 'ncat --no-shutdown' ncat; do
  case $nc in nc.trad*) l='nc.traditional -l -p';; nc.open*) l='nc.openbsd -l';; *) l='ncat -l';; esac
  $l 3010 > got < /dev/null & w=$!
  until_open 3010
  case $nc in *no-shut*) timeout 5 $nc --send-only 127.0.0.1 3010 < big;; *) timeout 10 $nc 127.0.0.1 3010 < big;; esac
  wait $w; cmp big got && echo "$nc"
done
nc.openbsd -zv 127.0.0.1 3001 2>&1; nc.openbsd -zv 127.0.0.1 9 2>&1
nc.openbsd -z -v -n 127.0.0.1 3000-3006 2>&1 | grep -c succeeded
nc.openbsd -u -l 3011 > u.out & u=$!
sleep 0.3; echo datagram | nc.openbsd -u -w 1 127.0.0.1 3011; kill $u; cat u.out
echo unix | nc.openbsd -N -U sock
ncat -l 3012 --ssl --ssl-cert cert.pem --ssl-key key.pem -k -c 'sha256sum | cut -c1-16' & until_open 3012
ncat --ssl 127.0.0.1 3012 < big
ncat --broker -l 3013 & until_open 3013
(sleep 1.5; echo from one; sleep 1) | ncat 127.0.0.1 3013 > one & (sleep 3) | ncat 127.0.0.1 3013 > two; cat two
ncat -l 3014 --proxy-type http & until_open 3014
curl -s -x http://127.0.0.1:3014 http://127.0.0.1:3001/ -m 2 | head -1
(cat cert.pem; sleep 5) | ncat --proxy 127.0.0.1:3014 --proxy-type http 127.0.0.1 3001 | cmp - cert.pem && echo proxied
openssl s_server -accept 127.0.0.1:3015 -cert cert.pem -key key.pem -www -quiet & until_open 3015
for v in -tls1_2 -tls1_3; do echo 'GET / HTTP/1.0' | openssl s_client -connect 127.0.0.1:3015 $v -CAfile cert.pem 2> /dev/null | grep -oE 'Verify return.*|^New, TLS.*' | sort -u; done
openssl s_time -connect 127.0.0.1:3015 -new -time 1 2> /dev/null | grep -c 'connections in'
