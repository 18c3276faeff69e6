# needs: dig named dnsmasq
# Questions over UDP and TCP to BIND and to dnsmasq before it.
. "$(dirname "$0")/begin.sh"
{
  echo '$TTL 60'
  echo '@ IN SOA ns.example. me.example. 1 2 3 4 5'
  echo '@ IN NS ns.example.'
  echo 'ns IN A 127.0.0.1'
  echo 'www IN A 192.0.2.1'
  echo 'www IN AAAA 2001:db8::1'
  echo 'alias IN CNAME www'
  echo '@ IN MX 10 mail.example.'
  echo '_s._tcp IN SRV 1 2 80 www.example.'
  i=0
  while [ $i -lt 100 ]; do echo "big IN TXT \"number $i of many that do not fit\""; echo "h$i IN A 10.0.0.$i"; i=$((i + 1)); done
} > example.zone
cat > named.conf << END
options { directory "$folder"; listen-on port 5300 { 127.0.0.1; }; listen-on-v6 port 5300 { ::1; }; recursion no; allow-transfer { any; };
  pid-file none; session-keyfile "$folder/session"; dnssec-validation no; };
controls {};
zone "example" { type primary; file "$folder/example.zone"; };
END
named -g -c "$folder/named.conf" -n 2 > named.log 2>&1 &
until_open 5300
i=0
until dig +tries=1 +time=1 +short -p 5300 @127.0.0.1 www.example | grep -q .; do i=$((i + 1)); [ $i -lt 100 ] || exit 96; sleep 0.1; done
ask() { dig +tries=2 +time=5 -p 5300 "$@" | sed 's/, id: [0-9]*/, id: N/; /Query time/d; /WHEN/d; /COOKIE/d; /^; <<>> DiG/d'; }
ask @127.0.0.1 www.example A
ask @::1 www.example AAAA
ask @127.0.0.1 +tcp alias.example
ask @127.0.0.1 example MX +noedns
ask @127.0.0.1 _s._tcp.example SRV
ask @127.0.0.1 nothing.example
ask @127.0.0.1 other.invalid
ask @127.0.0.1 +noedns +ignore big.example TXT | grep -E 'flags'
ask @127.0.0.1 +noedns big.example TXT | grep -E 'flags|MSG SIZE|SERVER'
ask @127.0.0.1 +bufsize=4096 +notcp big.example TXT | grep -E 'flags|MSG SIZE|SERVER'
ask @127.0.0.1 example AXFR | grep -c IN
i=0
while [ $i -lt 100 ]; do echo "h$i.example A"; i=$((i + 1)); done > questions
dig +short +tries=2 +time=5 -p 5300 @127.0.0.1 -f questions | sum
dig +short +tries=2 +time=5 +tcp +keepopen -p 5300 @127.0.0.1 -f questions | sum
dnsmasq -d -p 5301 --listen-address=127.0.0.1 --bind-interfaces --no-resolv --no-hosts --server=127.0.0.1#5300 --address=/own.test/192.0.2.9 -u root > dnsmasq.log 2>&1 &
until_open 5301
for n in www.example big.example own.test; do dig +short +tries=2 +time=5 -p 5301 @127.0.0.1 $n any +notcp | wc -l; done
dig +short +tries=2 +time=5 -p 5301 @127.0.0.1 own.test www.example alias.example
host -p 5301 www.example 127.0.0.1 | tail -3
nslookup -port=5301 alias.example 127.0.0.1 | grep -v '^$'
