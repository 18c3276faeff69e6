# What a packet filter does to traffic of this machine: prints the same natively and inside. Rules are iptables-legacy's, which runs here.
import errno, os, re, select, socket, subprocess, sys, threading, time


def run(line):
    r = subprocess.run(line, shell=True, capture_output=True, text=True)
    if r.returncode != 0:
        print('!', line, r.stderr.strip().split('\n')[0])


def error(f):
    try:
        return f()
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e))


def serve(family, host, port, word):
    s = socket.socket(family, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((host, port))
    s.listen(16)

    def loop():
        while True:
            c, a = s.accept()
            c.sendall(('%s for %s' % (word, a[0])).encode())
            c.recv(100)
            c.close()
    threading.Thread(target=loop, daemon=True).start()


def echo(family, host, port):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.bind((host, port))

    def loop():
        while True:
            b, a = s.recvfrom(65536)
            s.sendto(b, a)
    threading.Thread(target=loop, daemon=True).start()


def tcp(host, port, timeout=1.0):
    def go():
        s = socket.create_connection((host, port), timeout=timeout)
        try:
            return s.recv(100).decode(), s.getpeername()[:2]
        finally:
            s.close()
    try:
        return go()
    except socket.timeout:
        return 'timeout'
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e))


def udp(host, port, data=b'x'):
    s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(0.6)
    try:
        s.connect((host, port))
        s.send(data)
        return len(s.recv(65536))
    except socket.timeout:
        return 'timeout'
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e))


def ping(host):
    v6 = ':' in host
    return subprocess.run(['ping', '-n', '-c1', '-W1', host], capture_output=True).returncode


def flush():
    for i in ('iptables-legacy', 'ip6tables-legacy'):
        for t in ('filter', 'nat', 'mangle', 'raw'):
            run('%s -t %s -F && %s -t %s -X' % (i, t, i, t))
        for c in ('INPUT', 'OUTPUT', 'FORWARD'):
            run('%s -P %s ACCEPT' % (i, c))


L = '127.0.0.1'
serve(socket.AF_INET, '0.0.0.0', 8080, 'eight')
serve(socket.AF_INET, '0.0.0.0', 8081, 'nine')
serve(socket.AF_INET6, '::1', 8080, 'six')
echo(socket.AF_INET, '0.0.0.0', 5000)
echo(socket.AF_INET6, '::1', 5000)
I, J = 'iptables-legacy', 'ip6tables-legacy'


def part(name):
    flush()
    print('#', name)


part('plain')
print(tcp(L, 8080), udp(L, 5000), ping(L), tcp('::1', 8080))
part('drop and reject')
run(I + ' -A INPUT -p tcp --dport 8080 -j DROP')
run(I + ' -A INPUT -p tcp --dport 8081 -j REJECT --reject-with tcp-reset')
run(I + ' -A INPUT -p udp --dport 5000 -j REJECT')
run(I + ' -A INPUT -p icmp --icmp-type echo-request -j DROP')
print(tcp(L, 8080), tcp(L, 8081), udp(L, 5000), ping(L))
run(J + ' -A INPUT -p tcp --dport 8080 -j REJECT --reject-with tcp-reset')
run(J + ' -A INPUT -p udp --dport 5000 -j REJECT --reject-with icmp6-adm-prohibited')
print(tcp('::1', 8080), udp('::1', 5000))
part('output')
run(I + ' -A OUTPUT -p udp --dport 5000 -j DROP')
run(I + ' -A OUTPUT -p tcp --dport 8081 -j REJECT --reject-with icmp-host-prohibited')
print(udp(L, 5000), tcp(L, 8081))
part('states')
run(I + ' -P INPUT DROP')
run(I + ' -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT')
run(I + ' -A INPUT -p tcp --dport 8080 -m state --state NEW -j ACCEPT')
print(tcp(L, 8080), tcp(L, 8081), udp(L, 5000))
run(I + ' -A INPUT -p udp -m multiport --dports 4990:5010 -j ACCEPT')
print(udp(L, 5000), udp(L, 5000, b'x' * 60000), udp(L, 5009))
part('chains')
run(I + ' -N one'); run(I + ' -N two')
run(I + ' -A INPUT -p tcp -j one')
run(I + ' -A one -p tcp --dport 8080 -j two')
run(I + ' -A one -p tcp --dport 8081 -j RETURN')
run(I + ' -A two -s 127.0.0.2 -j ACCEPT')
run(I + ' -A two -d 127.0.0.1 -j REJECT --reject-with tcp-reset')
run(I + ' -A two -p tcp -d 127.0.0.1 -j REJECT --reject-with tcp-reset')
run(I + ' -A INPUT -p tcp --dport 8081 -i lo -j ACCEPT')
run(I + ' -A INPUT -p tcp --dport 8081 -j DROP')
print(tcp(L, 8080), tcp('127.0.0.3', 8080), tcp(L, 8081))
part('loops are refused')
run(I + ' -N one'); run(I + ' -N two')
run(I + ' -A INPUT -j one'); run(I + ' -A one -j two')
print(subprocess.run((I + ' -A two -j one').split(), capture_output=True).returncode)
part('redirect and dnat')
run(I + ' -t nat -A OUTPUT -p tcp --dport 82 -j REDIRECT --to-ports 8080')
run(I + ' -t nat -A OUTPUT -d 10.1.2.3 -p tcp --dport 80 -j DNAT --to-destination 127.0.0.1:8081')
run(I + ' -t nat -A OUTPUT -d 127.0.0.9 -p udp --dport 53 -j DNAT --to-destination 127.0.0.1:5000')
run(J + ' -t nat -A OUTPUT -p tcp --dport 82 -j REDIRECT --to-ports 8080')
print(tcp(L, 82), tcp('10.1.2.3', 80), udp('127.0.0.9', 53), tcp('::1', 82))
print([tcp(L, 82)[0] for _ in range(5)])
part('snat')
run(I + ' -t nat -A POSTROUTING -p tcp --dport 8080 -j SNAT --to-source 127.0.0.77')
run(I + ' -t nat -A INPUT -p tcp --dport 8081 -j SNAT --to-source 127.0.0.78')
print(tcp(L, 8080), tcp(L, 8081))
part('an error for a translated connection')
run(I + ' -t nat -A OUTPUT -d 127.0.0.9 -p udp --dport 53 -j DNAT --to-destination 127.0.0.1:5999')
print(udp('127.0.0.9', 53))
part('owner and mark')
run(I + ' -A OUTPUT -p tcp --dport 8080 -m owner --uid-owner 12345 -j REJECT --reject-with tcp-reset')
run(I + ' -t mangle -A OUTPUT -p tcp --dport 8081 -j MARK --set-mark 5')
run(I + ' -A OUTPUT -m mark --mark 5 -p tcp --syn -j REJECT --reject-with tcp-reset')
print(tcp(L, 8080), tcp(L, 8081))
if os.fork() == 0:
    os.setuid(12345)
    print(tcp(L, 8080), flush=True)
    os._exit(0)
os.wait()
part('counters')
run(I + ' -A INPUT -p udp --dport 5000 -j ACCEPT')
udp(L, 5000); udp(L, 5000, b'x' * 100)
print(re.findall(r'^\s*(\d+)\s+(\d+) ACCEPT\s+(?:17|udp)', subprocess.run((I + ' -L INPUT -n -v -x').split(), capture_output=True, text=True).stdout, re.M))
run(I + ' -Z')
print(re.findall(r'^\s*(\d+)\s+(\d+) ACCEPT\s+(?:17|udp)', subprocess.run((I + ' -L INPUT -n -v -x').split(), capture_output=True, text=True).stdout, re.M))
part('types of addresses')
run(I + ' -A INPUT -p udp --dport 5000 -m addrtype --dst-type LOCAL --src-type LOCAL -j REJECT')
print(udp(L, 5000))
part('a connection lives through a change of rules')
s = socket.create_connection((L, 8080)); s.recv(100)
run(I + ' -A INPUT -p tcp --dport 8080 -m conntrack --ctstate NEW -j DROP')
s.settimeout(2)
s.send(b'x'); print(error(lambda: s.recv(100)), tcp(L, 8080))
flush()
