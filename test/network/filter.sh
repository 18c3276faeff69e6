exec 2>&1; T=$(mktemp); trap "rm -f $T" EXIT
I=iptables-legacy
$I -L -n && $I -t nat -L -n && $I -t mangle -L -n | head -3 && $I -t raw -S
$I -A INPUT -p tcp --dport 81 -j REJECT --reject-with tcp-reset
$I -A INPUT -p udp -m multiport --dports 5000,6000:6010 -m comment --comment 'hi there' -j DROP
$I -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
$I -A OUTPUT -m owner --uid-owner 12345 -j REJECT
$I -N chain; $I -A chain -j RETURN; $I -A INPUT -i lo -g chain
$I -t nat -A OUTPUT -d 10.1.2.3 -p tcp --dport 80 -j DNAT --to-destination 127.0.0.1:8080
$I -t nat -A OUTPUT -p tcp --dport 82 -j REDIRECT --to-ports 8080
$I -t nat -A POSTROUTING -o eth9 -j MASQUERADE
$I -A FORWARD -m addrtype --dst-type LOCAL -j LOG --log-prefix x
$I -t mangle -A OUTPUT -m mark --mark 1 -j MARK --set-mark 7
$I -S; $I -t nat -S; $I -t mangle -S
iptables-legacy-save | grep -v '^#'
iptables-legacy-save > $T; $I -F; $I -t nat -F; $I -S; iptables-legacy-restore < $T; $I -S | wc -l
ip6tables-legacy -A INPUT -p icmpv6 --icmpv6-type echo-request -j DROP; ip6tables-legacy -S
$I -A INPUT -m owner --uid-owner 3; $I -X chain; $I -A INPUT -j nosuch; $I -t nat -A INPUT -j MASQUERADE; $I -D INPUT 99
true
