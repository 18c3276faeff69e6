# A program that may reach web.example and nothing else, and tries. Prints each way that led somewhere it must not.
import socket, struct, sys

WEB, OTHER, PRIVATE, METADATA = '9.9.9.2', '9.9.9.3', '10.7.7.7', '169.254.169.254'
got = []


def reaches(what, host, port=80, family=None):
    """True when an HTTP server answers there."""
    try:
        infos = socket.getaddrinfo(host, port, family or 0, socket.SOCK_STREAM)
    except OSError:
        infos = []
    for family, kind, proto, _, address in infos:
        try:
            with socket.socket(family, kind, proto) as s:
                s.settimeout(3)
                s.connect(address)
                s.sendall(b'GET / HTTP/1.0\r\n\r\n')
                if s.recv(100):
                    got.append(what)
                    return
        except OSError:
            pass


def raw(what, address, port=80):
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    try:
        with socket.socket(family) as s:
            s.settimeout(3)
            s.connect((address, port))
            s.sendall(b'GET / HTTP/1.0\r\n\r\n')
            if s.recv(100):
                got.append(what)
    except OSError:
        pass


def query(name, kind=1):
    return b'\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00' + b''.join(
        bytes([len(l)]) + l.encode() for l in name.split('.')) + b'\0' + struct.pack('>HH', kind, 1)


def ask(server, name, kind=1):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(2)
        s.sendto(query(name, kind), (server, 53))
        return s.recv(2000)


def tried(what, f):
    try:
        if f():
            got.append(what)
    except OSError:
        pass


def udp(address, port=7001):
    with socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(1)
        s.sendto(b'x', (address, port))
        return s.recv(10)


def ping(address):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as s:
        s.settimeout(1)
        s.sendto(struct.pack('>BBHHH', 8, 0, 0, 0, 1), (address, 0))
        return s.recv(100)


# What is allowed works, or the rest shows nothing. Only by its name: the address is known from then on.
raw('web by address before its name', WEB)
raw('web by IPv6 address before its name', '2600:9::2')
before = len(got)
reaches('web.example', 'web.example')
allowed = got[before:] == ['web.example']
got = got[:before]

# Other names, and names below and above.
for name in ('other.example', 'sub.web.example', 'example', 'web.example.evil', 'evil.example', 'wEb.example.other.example'):
    reaches('name ' + name, name)
# Addresses of others, hard-coded.
for address in (OTHER, '9.9.9.9', PRIVATE, METADATA):
    raw('address ' + address, address)
    raw('mapped ' + address, '::ffff:' + address)
    raw('compatible ' + address, '::' + address)
    raw('NAT64 ' + address, '64:ff9b::' + address)
    a = socket.inet_aton(address)
    raw('6to4 ' + address, '2002:%02x%02x:%02x%02x::1' % tuple(a))
    raw('ISATAP ' + address, '2600:9::5efe:' + address)
    tried('ping ' + address, lambda: ping(address))
    tried('udp ' + address, lambda: udp(address))
# The host itself, by all of its names.
for address in ('127.0.0.1', '::1', '0.0.0.0', '::', '::ffff:127.0.0.1', '::ffff:0.0.0.0', '10.0.2.2', 'fd00::2', '9.9.9.1', '10.7.7.1',
                '2600:9::1', '127.1.2.3', '64:ff9b::127.0.0.1', '10.0.2.100', 'fd00::100', '255.255.255.255', '224.0.0.1'):
    raw('host ' + address, address, 18081)
reaches('host by name', 'host.vedette.internal', 18081)
reaches('localhost by name', 'localhost', 18081)
# DNS servers of its own choice.
for server in ('9.9.9.53', '10.0.2.2', '9.9.9.2', '127.0.0.1', '127.0.0.53'):
    tried('dns at ' + server, lambda: ask(server, 'other.example'))
# Ours: it may not be a tunnel, and answers for one name give nothing to another.
for name, kind in (('other.example', 1), ('secret-bytes.evil.example', 1), ('secret.evil.example', 16), ('text.example', 16)):
    tried('asked for ' + name, lambda: ask('10.0.2.3', name, kind)[3] & 15 != 5)
# Two questions in one message; a question with another's answer in it.
two = bytearray(query('web.example'))
two[5] = 2
two += query('other.example')[12:]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    s.settimeout(2)
    s.sendto(bytes(two), ('10.0.2.3', 53))
    if s.recv(2000)[3] & 15 == 0:
        got.append('two questions')
# Ports: only 80 and 7000 were allowed.
raw('another port', WEB, 53)
tried('udp to an allowed host', lambda: udp(WEB))
# A socket that was allowed is turned to somebody else.
s = socket.create_connection((WEB, 7000))
s.settimeout(2)
tried('sendto elsewhere on a connection', lambda: s.sendto(b'echo\n', (OTHER, 7000)) and s.getpeername()[0] == OTHER)
s.close()
print('allowed' if allowed else 'NOT allowed')
for what in got:
    print('got', what)
