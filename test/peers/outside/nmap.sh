beyond ping -c 2 -i 0.2 -q 9.9.9.1 | grep transmitted | sed 's/, time.*//'
beyond ping -c 2 -i 0.2 -q 2600:9::1 | grep transmitted | sed 's/, time.*//'
beyond nmap -n -p- --min-rate 2000 9.9.9.1 | grep -E '^[0-9]'
beyond nmap -n -O -p 22,80,81 --osscan-guess -d1 9.9.9.1 > nmap.os 2>&1
sed -n '/^SCAN/,/^$/p; /^OS:/p; /^Aggressive/p; /^Running/p; /^OS /p; /^Network Distance/p; /^Uptime/p; /^TCP Sequence/p; /^IP ID/p' nmap.os
beyond nmap -n -6 -O -p 22,80,81 -d1 2600:9::1 > nmap.os6 2>&1
sed -n '/^OS/p; /^Running/p; /^Aggressive/p' nmap.os6
beyond nmap -n -sV -p 22,80,81,7000 9.9.9.1 2>&1 | grep -E '^[0-9]'
beyond nmap -n -sU -p 7001,7002,53 9.9.9.1 | grep -E '^[0-9]'
for s in -sS -sA -sW -sM -sF -sN -sX -sO; do echo "$s"; p='-p 22,80,81'; [ $s != -sO ] || p='-p 1,2,6,17,41,99,132'; beyond nmap -n $s $p 9.9.9.1 | grep -E '^[0-9]|scanned ports'; done
beyond nmap -n -PE -PP -PM -PS80 -PA81 -PU81 -sn 9.9.9.1 | grep -c 'Host is up'
beyond nmap -n -f -sS -p 22,81 9.9.9.1 | grep -E '^[0-9]'
beyond nmap -n -sS -p 22,81 --ip-options 'R' 9.9.9.1 | grep -E '^[0-9]'
beyond nmap -n -sS --badsum -p 22,81 9.9.9.1 | grep -E '^[0-9]'
