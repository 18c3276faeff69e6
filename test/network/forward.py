# A packet filter on a router: chains of what passes through, NAT of both directions, and what proxies ask for. Prints the same natively
# and inside: the router, a client and a server are network namespaces. With an argument, the server is outside: a host with a web server.
import errno, json, os, re, socket, struct, subprocess, sys, threading, time

SO_ORIGINAL_DST = 80


def name(e):
    return 'timeout' if isinstance(e, TimeoutError) else errno.errorcode.get(e.errno, str(e))


def family(host):
    return socket.AF_INET6 if ':' in host else socket.AF_INET


def original(s):
    try:
        if s.family == socket.AF_INET:
            b = s.getsockopt(socket.IPPROTO_IP, SO_ORIGINAL_DST, 16)
            return socket.inet_ntop(socket.AF_INET, b[4:8]), struct.unpack('!H', b[2:4])[0]
        b = s.getsockopt(socket.IPPROTO_IPV6, SO_ORIGINAL_DST, 28)
        return socket.inet_ntop(socket.AF_INET6, b[8:24]), struct.unpack('!H', b[2:4])[0]
    except OSError as e:
        return name(e)


def serve(fam, port, word):
    s = socket.socket(fam, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if fam == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind(('', port))
    s.listen(16)
    u = socket.socket(fam, socket.SOCK_DGRAM)
    if fam == socket.AF_INET6:
        u.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    u.bind(('', port))

    def streams():
        while True:
            c, a = s.accept()
            went = ' going to %s' % (original(c),) if word == 'router' else ''
            ports = ' port %d' % a[1] if a[1] < 5000 else ''
            try:
                c.sendall(('%s for %s%s%s' % (word, a[0], ports, went)).encode())
                c.recv(100)
            except OSError:
                pass
            c.close()

    def datagrams():
        while True:
            b, a = u.recvfrom(65536)
            u.sendto(('%s for %s, %d bytes' % (word, a[0], len(b))).encode(), a)
    for f in (streams, datagrams):
        threading.Thread(target=f, daemon=True).start()


def tcp(host, port):
    try:
        with socket.create_connection((host, port), timeout=1.0) as s:
            return s.recv(200).decode()
    except OSError as e:
        return name(e)


def kept(host, port):
    """A connection that stays: its second use tells whether it still passes."""
    if host:
        kept.s = socket.create_connection((host, port), timeout=1.0)
        return kept.s.recv(200).decode()
    try:
        kept.s.send(b'x')
        return len(kept.s.recv(200))
    except OSError as e:
        return name(e)


def udp(host, port, size=1):
    with socket.socket(family(host), socket.SOCK_DGRAM) as s:
        s.settimeout(1.0)
        try:
            s.connect((host, port))
            s.send(b'x' * size)
            return s.recv(65536).decode()
        except OSError as e:
            return name(e)


def ping(host):
    return subprocess.run(['ping', '-n', '-c1', '-W1', host], capture_output=True).returncode


def near(host):
    """Who answers a packet that may go one step."""
    text = subprocess.run(['ping', '-n', '-c1', '-W1', '-t1', host], capture_output=True, text=True).stdout
    return re.findall(r'From (\S+?):? icmp_seq=1 (.*)', text)


def web(host):
    try:
        with socket.create_connection((host, 80), timeout=2.0) as s:
            s.sendall(b'GET /x HTTP/1.0\r\n\r\n')
            text = b''
            while (b := s.recv(1000)) != b'':
                text += b
            return text.decode().split('\n')[-2]
    except OSError as e:
        return name(e)


CALLS = {f.__name__: f for f in (tcp, udp, ping, near, kept, web)}
if sys.argv[1:2] == ['agent']:
    if sys.argv[2] != '-':
        for fam in (socket.AF_INET, socket.AF_INET6):
            serve(fam, 8080, sys.argv[2])
    print('there', flush=True)
    for line in sys.stdin:
        call, args = json.loads(line)
        print(json.dumps(CALLS[call](*args)), flush=True)
    sys.exit()


class Agent:
    """A program in a network namespace of its own."""

    def __init__(self, word):
        self.p = subprocess.Popen(['unshare', '-n', sys.executable, __file__, 'agent', word],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.p.stdout.readline()

    def __getattr__(self, call):
        def ask(*args):
            self.p.stdin.write(json.dumps([call, args]) + '\n')
            self.p.stdin.flush()
            return json.loads(self.p.stdout.readline())
        return ask

    def sh(self, text):
        run('nsenter -n -t %d sh -c "%s"' % (self.p.pid, text))


def run(line):
    r = subprocess.run(line, shell=True, capture_output=True, text=True)
    if r.returncode != 0:
        print('!', line, r.stderr.strip().split('\n')[0])


def wire(agent, ours, v4, v6):
    run('ip link add %s type veth peer name e0 netns %d' % (ours, agent.p.pid))
    run('ip addr add %s.1/24 dev %s && ip addr add %s::1/64 dev %s nodad && ip link set %s up' % (v4, ours, v6, ours, ours))
    agent.sh('ip link set lo up; ip addr add %s.2/24 dev e0; ip addr add %s::2/64 dev e0 nodad; ip link set e0 up' % (v4, v6))
    agent.sh('ip route add default via %s.1; ip -6 route add default via %s::1' % (v4, v6))


def flush():
    for i in (I, J):
        for t in ('filter', 'nat', 'mangle', 'raw'):
            run('%s -t %s -F && %s -t %s -X' % (i, t, i, t))
        for c in ('INPUT', 'OUTPUT', 'FORWARD'):
            run('%s -P %s ACCEPT' % (i, c))


I, J = 'iptables-legacy', 'ip6tables-legacy'


def part(text):
    flush()
    print('#', text)


run('echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding')
client = Agent('client')
wire(client, 'c0', '10.50.0', 'fd50')
for fam in (socket.AF_INET, socket.AF_INET6):
    serve(fam, 9090, 'router')
if sys.argv[1:]:
    W, W6 = sys.argv[1:3]
    part('not without NAT')
    print(client.web(W))
    part('masquerade to the outside')
    run(I + ' -t nat -A POSTROUTING -s 10.50.0.0/24 -o v0 -j MASQUERADE')
    run(J + ' -t nat -A POSTROUTING -s fd50::/64 -o v0 -j MASQUERADE')
    print(client.web(W), client.ping(W), client.web(W6), client.ping(W6))
    print(client.udp(W, 5999), client.udp(W6, 5999))
    run(I + ' -A FORWARD -i c0 -d %s -p icmp -j DROP' % W)
    run(I + ' -A FORWARD -i c0 -p tcp --dport 80 -j REJECT --reject-with tcp-reset')
    print(client.web(W), client.ping(W), web(W), ping(W))
    part('a proxy on the way')
    run(I + ' -t nat -A PREROUTING -i c0 -p tcp --dport 80 -j REDIRECT --to-ports 9090')
    run(J + ' -t nat -A PREROUTING -i c0 -p tcp --dport 80 -j REDIRECT --to-ports 9090')
    print(client.tcp(W, 80), client.tcp(W6, 80))
    part('own packets, out and in')
    run(I + ' -P INPUT DROP; %s -A INPUT -i lo -j ACCEPT' % I)
    run(I + ' -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT')
    print(web(W), ping(W), udp(W, 5999))
    run(I + ' -A OUTPUT -d %s -p tcp --dport 80 -j REJECT' % W)
    print(web(W), web(W6))
    run(I + ' -t nat -A OUTPUT -d 10.51.0.1 -p tcp --dport 81 -j DNAT --to-destination %s:80' % W)
    run(I + ' -F OUTPUT; ip route add 10.51.0.0/24 dev v0')
    s = socket.create_connection(('10.51.0.1', 81), timeout=2)
    s.send(b'GET /y HTTP/1.0\r\n\r\n')
    print(s.recv(1000).split(b'\r\n')[0], s.getpeername())
    run('ip route del 10.51.0.0/24; ip link del c0')
    flush()
    sys.exit()

server = Agent('server')
wire(server, 's0', '10.60.0', 'fd60')
C, S, C6, S6 = '10.50.0.2', '10.60.0.2', 'fd50::2', 'fd60::2'
for host in (C, S, C6, S6):
    ping(host)
part('plain')
print(client.tcp(S, 8080), client.udp(S, 8080), client.ping(S), server.tcp(C, 8080))
print(client.tcp(S6, 8080), client.udp(S6, 8080), client.ping(S6), server.tcp(C6, 8080))
part('only what begins at the client')
for i in (I, J):
    run(i + ' -P FORWARD DROP')
    run(i + ' -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT')
    run(i + ' -A FORWARD -i c0 -o s0 -m conntrack --ctstate NEW -j ACCEPT')
print(client.tcp(S, 8080), client.udp(S, 8080), client.ping(S), server.tcp(C, 8080), server.udp(C, 8080), server.ping(C))
print(client.tcp(S6, 8080), client.udp(S6, 8080), client.ping(S6), server.tcp(C6, 8080), server.ping(C6))
print(client.udp(S, 5999), client.tcp(S, 5999), client.udp(S6, 5999), client.tcp(S6, 5999))
print(client.near(S), server.near(C), client.near(S6), server.near(C6), client.near('10.99.0.1'))
part('the router answers for itself')
for i in (I, J):
    run(i + ' -A FORWARD -j DROP')
print(client.tcp('10.50.0.1', 9090), client.tcp('10.60.0.1', 9090), tcp(S, 8080), tcp(S6, 8080), client.tcp(S, 8080))
part('reject')
run(I + ' -A FORWARD -p tcp --dport 8080 -j REJECT --reject-with tcp-reset')
run(I + ' -A FORWARD -p udp -j REJECT --reject-with icmp-host-prohibited')
run(J + ' -A FORWARD -p tcp --dport 8080 -j REJECT --reject-with tcp-reset')
run(J + ' -A FORWARD -p udp -j REJECT --reject-with icmp6-adm-prohibited')
print(client.tcp(S, 8080), client.udp(S, 8080), client.ping(S), client.tcp(S6, 8080), client.udp(S6, 8080), client.ping(S6))
part('interfaces, addresses and marks')
run(I + ' -A FORWARD -i s0 -p tcp --syn -j REJECT --reject-with tcp-reset')
run(I + ' -A FORWARD ! -s 10.50.0.0/24 -p udp --dport 8080 -j REJECT')
run(I + ' -t mangle -A PREROUTING -p icmp --icmp-type echo-request -i c0 -j MARK --set-mark 9')
run(I + ' -A FORWARD -m mark --mark 9 -j DROP')
print(client.tcp(S, 8080), server.tcp(C, 8080), client.udp(S, 8080), server.udp(C, 8080), client.ping(S), server.ping(C))
part('untracked')
run(I + ' -t raw -A PREROUTING -p udp -j DROP')
print(client.udp(S, 8080), client.tcp(S, 8080))
part('masquerade')
server.sh('ip route del default; ip -6 route del default')
print(client.tcp(S, 8080), client.tcp(S6, 8080))
run(I + ' -t nat -A POSTROUTING -o s0 -j MASQUERADE')
run(J + ' -t nat -A POSTROUTING -o s0 -j MASQUERADE')
print(client.tcp(S, 8080), client.udp(S, 8080), client.ping(S), client.udp(S, 5999), client.tcp(S, 5999))
print(client.tcp(S6, 8080), client.udp(S6, 8080), client.ping(S6), client.udp(S6, 5999), client.tcp(S6, 5999))
print([client.tcp(S, 8080) for _ in range(3)], tcp(S, 8080))
print(client.udp(S, 8080, 1400), client.udp(S6, 8080, 1400))
part('snat to a range of ports')
run(I + ' -t nat -A POSTROUTING -o s0 -p tcp -j SNAT --to-source 10.60.0.1:4000-4000')
print(client.tcp(S, 8080))
part('dnat')
for i, a, b in ((I, '10.50.0.1', S + ':8080'), (J, 'fd50::1', '[' + S6 + ']:8080')):
    run(i + ' -t nat -A PREROUTING -d %s -p tcp --dport 80 -j DNAT --to-destination %s' % (a, b))
    run(i + ' -t nat -A PREROUTING -d %s -p udp --dport 53 -j DNAT --to-destination %s' % (a, b))
    run(i + ' -t nat -A POSTROUTING -o s0 -j MASQUERADE')
print(client.tcp('10.50.0.1', 80), client.udp('10.50.0.1', 53), client.tcp('fd50::1', 80), client.udp('fd50::1', 53))
print(client.tcp('10.50.0.1', 81), client.udp('10.50.0.1', 54))
run(I + ' -t nat -A PREROUTING -d 10.50.0.1 -p udp --dport 55 -j DNAT --to-destination %s:5999' % S)
run(J + ' -t nat -A PREROUTING -d fd50::1 -p udp --dport 55 -j DNAT --to-destination [%s]:5999' % S6)
print(client.udp('10.50.0.1', 55), client.udp('fd50::1', 55))
part('a proxy on the way')
run(I + ' -t nat -A PREROUTING -i c0 -p tcp --dport 80 -j REDIRECT --to-ports 9090')
run(J + ' -t nat -A PREROUTING -i c0 -p tcp --dport 80 -j REDIRECT --to-ports 9090')
print(client.tcp(S, 80), client.tcp(S6, 80), client.tcp('10.99.0.9', 80))
print(client.tcp('10.50.0.1', 9090), client.tcp('fd50::1', 9090))
s = socket.socket()
print(original(s), end=' ')
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
print(original(u), end=' ')
for n, level in ((15, socket.IPPROTO_IP), (16, socket.IPPROTO_IPV6)):
    try:
        s.getsockopt(level, SO_ORIGINAL_DST, n)
    except OSError as e:
        print(name(e), end=' ')
print()
part('a connection lives through what comes later')
server.sh('ip route add default via 10.60.0.1')
run(I + ' -A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT')
print(client.kept(S, 8080))
run(I + ' -A FORWARD -m conntrack --ctstate NEW -j DROP')
print(client.kept('', 0), client.tcp(S, 8080))
part('counters')
run(I + ' -A FORWARD -i c0 -p udp --dport 8080 -j ACCEPT')
run(I + ' -A FORWARD -i s0 -p udp --sport 8080 -j ACCEPT')
client.udp(S, 8080, 100)
print(re.findall(r'^\s*(\d+)\s+(\d+) ACCEPT\s+(?:17|udp)', subprocess.run((I + ' -L FORWARD -n -v -x').split(), capture_output=True, text=True).stdout, re.M))
flush()
