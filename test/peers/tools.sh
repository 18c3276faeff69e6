# needs: ping traceroute tracepath mtr fping hping3 nmap ss
# What looks at networks, at the sandbox's own loopback.
. "$(dirname "$0")/begin.sh"
stats() { grep -E 'transmitted' | sed 's/, time.*//'; }
ping -c 3 -i 0.2 127.0.0.1 | stats
ping -6 -c 3 -i 0.2 ::1 | stats
ping -f -c 300 -q 127.0.0.1 | stats
ping -c 2 -i 0.2 -s 60000 127.0.0.1 | stats
ping -c 1 -R 127.0.0.1 | grep -A 4 RR
ping -c 1 -T tsonly 127.0.0.1 | grep -c TS:
ping -c 1 -M do -s 65507 127.0.0.1 2>&1 | stats
ping -c 1 -M do -s 65508 127.0.0.1 2>&1 | head -2
ping -c 1 -W 1 240.0.0.1 2>&1 | head -1
ping -c 2 -i 0.2 -p ff00 -Q 0x10 -t 1 127.0.0.2 | grep ttl | sed 's/time=.*//'
ping -c 1 -W 1 192.0.2.1 2>&1 | tail -1
ping -c 1 -I lo -b 127.255.255.255 2>&1 | stats
for how in -I -T -U '' '-p 80 -T'; do traceroute -n -q 1 -w 2 $how 127.0.0.1 | sed 's/  [0-9.]* ms//'; done
traceroute -6 -n -q 1 -w 2 ::1 | sed 's/  [0-9.]* ms//'
tracepath -n 127.0.0.1 | sed 's/[0-9.]*ms//'
tracepath -n ::1 | sed 's/[0-9.]*ms//'
for how in '' --udp --tcp -6; do mtr -n -r -c 2 -i 0.3 $how localhost | tail -1 | awk '{print $2, $3, $4}'; done
fping -c 2 -p 50 127.0.0.1 127.0.0.2 ::1 2>&1 | grep xmt | sed 's/, min.*//'
nc.openbsd -lk 127.0.0.1 4000 > /dev/null & until_open 4000
for how in '-S -p 4000' '-S -p 9' '-A -p 4000' '-F -p 4000' '-2 -p 9' -1; do hping3 -q -c 2 -i u50000 $how 127.0.0.1 2>&1 | grep transmitted; done
hping3 -c 1 -S -p 4000 127.0.0.1 2> /dev/null | grep -oE 'flags=[A-Z]*'
nmap -n -sT -p 4000,9 127.0.0.1 | grep -E '^[0-9]'
nmap -n -sS -p 4000,9 127.0.0.1 | grep -E '^[0-9]'
nmap -n -sU -p 9,10 127.0.0.1 | grep -E '^[0-9]'
nmap -n -sA -p 4000,9 127.0.0.1 | grep -E '^[0-9]|scanned ports'
nmap -n -sN -p 4000,9 127.0.0.1 | grep -E '^[0-9]'
nmap -n -6 -sS -p 9 ::1 | grep -E '^[0-9]'
nmap -n -sO -p 1,6,17,99 127.0.0.1 | grep -E '^[0-9]'
