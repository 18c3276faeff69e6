# Servers of the world: an HTTP server, modes of TCP behaviour, a UDP echo, a DNS server whose answers tests choose.
import hashlib, socket, struct, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WEB, OTHER, DNS, PRIVATE, METADATA, WEB6 = '9.9.9.2', '9.9.9.3', '9.9.9.53', '10.7.7.7', '169.254.169.254', '2600:9::2'


class Http(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        body = ('served %s at %s\n' % (self.path, self.server.server_address[0])).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *a):
        pass


class V6(ThreadingHTTPServer):
    address_family = socket.AF_INET6


def rst(c):
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    c.close()


def pattern(n):
    return (b'0123456789abcdef' * 4096 * 16)[:n]


def serve_one(c):
    """The first line says what to do."""
    f = c.makefile('rb')
    word = f.readline().split()
    if not word:
        c.close()
    elif word[0] == b'echo':
        while True:
            b = f.read1(65536)
            if not b:
                break
            c.sendall(b)
        c.close()
    elif word[0] == b'sum':  # all until the end, then its sum: half-close
        h, n = hashlib.sha256(), 0
        while True:
            b = f.read1(1 << 20)
            if not b:
                break
            h.update(b)
            n += len(b)
        c.sendall(('%d %s\n' % (n, h.hexdigest())).encode())
        c.close()
    elif word[0] == b'send':  # so many bytes
        left = int(word[1])
        while left > 0:
            n = min(left, 1 << 20)
            c.sendall(pattern(n))
            left -= n
        c.close()
    elif word[0] == b'reset':
        time.sleep(0.1)
        rst(c)
    elif word[0] == b'unread':  # closes with bytes that it has not read
        c.sendall(b'go\n')
        time.sleep(0.3)
        f.close()
        c.close()
    elif word[0] == b'expectreset':  # says on the next connection of `reset?` how the last one ended
        global ending
        try:
            ending = 'eof' if f.read(1) == b'' else 'data'
        except ConnectionResetError:
            ending = 'reset'
        c.close()
    elif word[0] == b'ending':
        c.sendall((ending + '\n').encode())
        c.close()
    elif word[0] == b'slow':  # reads nothing for a while, then all
        time.sleep(float(word[1]))
        n = 0
        while True:
            b = f.read1(1 << 20)
            if not b:
                break
            n += len(b)
        c.sendall(b'%d\n' % n)
        c.close()
    elif word[0] == b'oob':
        c.send(b'ab')
        c.send(b'!', socket.MSG_OOB)
        time.sleep(0.2)
        c.send(b'cd')
        f.read()
        c.close()
    elif word[0] == b'peer':
        c.sendall(('%s\n' % c.getpeername()[0]).encode())
        c.close()
    elif word[0] == b'hold':
        f.read()
        c.close()


ending = 'none'


def tcp(family, address, port):
    s = socket.socket(family, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind((address, port))
    s.listen(4096)
    while True:
        c, _ = s.accept()
        threading.Thread(target=serve_one, args=(c,), daemon=True).start()


def udp(family, address, port):
    s = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind((address, port))
    while True:
        b, a = s.recvfrom(65535)
        if b.startswith(b'twice'):
            # A stranger answers too: it must not be heard.
            t = socket.socket(family, socket.SOCK_DGRAM)
            t.bind((address, 0))
            t.sendto(b'stranger', a)
            t.close()
        s.sendto(b, a)


A, AAAA, CNAME, TXT, MX, PTR, SRV = 1, 28, 5, 16, 15, 12, 33
turn = {}


def name(text):
    return b''.join(bytes([len(l)]) + l.encode() for l in text.split('.') if l) + b'\0'


def rr(owner, t, data, ttl=60):
    return owner + struct.pack('>HHIH', t, 1, ttl, len(data)) + data


def ip(text):
    return socket.inet_pton(socket.AF_INET6 if ':' in text else socket.AF_INET, text)


Q = b'\xc0\x0c'
ADDRESSES = {
    'web.example': [WEB, WEB6], 'other.example': [OTHER], 'sub.web.example': [WEB],
    'inner.example': [PRIVATE], 'mixed.example': [PRIVATE, WEB, '127.0.0.1'], 'meta.example': [METADATA],
    'loop.example': ['127.0.0.1', '::1'], 'any.example': ['0.0.0.0', '::'], 'mapped.example': ['::ffff:10.7.7.7'],
    'nat64.example': ['64:ff9b::a07:707'], 'short.example': [WEB], 'evil.example': [OTHER],
}


def answer(q, over_tcp):
    at, labels = 12, []
    while q[at]:
        labels.append(q[at + 1:at + 1 + q[at]].decode('latin1'))
        at += 1 + q[at]
    at += 1
    t = struct.unpack('>H', q[at:at + 2])[0]
    question = q[12:at + 4]
    n = '.'.join(labels).lower()
    rcode, rrs, tc = 0, [], 0
    if n in ADDRESSES:
        for a in ADDRESSES[n]:
            if t == (AAAA if ':' in a else A):
                rrs.append(rr(Q, t, ip(a), 1 if n == 'short.example' else 60))
    elif n == 'alias.example':
        rrs.append(rr(Q, CNAME, name('web.example')))
        if t == A:
            rrs.append(rr(name('web.example'), A, ip(WEB)))
    elif n == 'rebind.example' and t == A:
        turn[n] = turn.get(n, 0) + 1
        rrs.append(rr(Q, A, ip(OTHER if turn[n] == 1 else PRIVATE), 0))
    elif n == 'smuggle.example' and t == A:  # an address of another name beside its own
        rrs.append(rr(Q, A, ip(OTHER)))
        rrs.append(rr(name('web.example'), A, ip('9.9.9.9')))
    elif n == 'text.example' and t == TXT:
        rrs.append(rr(Q, TXT, b'\x05hello\x05world'))
    elif n == 'text.example' and t == MX:
        rrs.append(rr(Q, MX, struct.pack('>H', 10) + b'\x04mail' + Q))
    elif n == '_svc._tcp.text.example' and t == SRV:
        rrs.append(rr(Q, SRV, struct.pack('>HHH', 1, 2, 80) + name('web.example')))
    elif n == '2.9.9.9.in-addr.arpa' and t == PTR:
        rrs.append(rr(Q, PTR, name('web.example')))
    elif n == 'big.example':
        if over_tcp:
            rrs = [rr(Q, TXT, b'\xff' + bytes([65 + i % 26]) * 255) for i in range(20)]
        else:
            tc = 0x0200
    elif n == 'circle.example':  # a compressed name that points at itself
        rrs.append(rr(bytes([0xc0, len(question) + 12]), A, ip(WEB)))
    elif n == 'lies.example':  # more records than there are
        return q[:2] + struct.pack('>HHHHH', 0x8180, 1, 900, 0, 0) + question + rr(Q, A, ip(WEB))
    elif n == 'silent.example':
        return None
    else:
        rcode = 3
    return q[:2] + struct.pack('>HHHHH', 0x8180 | tc | rcode, 1, len(rrs), 0, 0) + question + b''.join(rrs)


asked = []


def dns_udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((DNS, 53))
    while True:
        b, a = s.recvfrom(65535)
        r = answer(b, False)
        if r is not None:
            s.sendto(r, a)


def dns_one(c):
    f = c.makefile('rb')
    while True:
        head = f.read(2)
        if len(head) < 2:
            return c.close()
        r = answer(f.read(struct.unpack('>H', head)[0]), True)
        c.sendall(struct.pack('>H', len(r)) + r)


def dns_tcp():
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((DNS, 53))
    s.listen(16)
    while True:
        c, _ = s.accept()
        threading.Thread(target=dns_one, args=(c,), daemon=True).start()


def start(f, *a):
    threading.Thread(target=f, args=a, daemon=True).start()


if sys.argv[1:] == ['anywhere']:  # a server of this machine, or of a sandbox
    start(tcp, socket.AF_INET, '', 7000)
    start(udp, socket.AF_INET, '', 7001)
    start(tcp, socket.AF_INET6, '::', 7000)
    start(udp, socket.AF_INET6, '::', 7001)
    time.sleep(0.2)
    print('ready', flush=True)
    threading.Event().wait()
for address in (WEB, OTHER, '9.9.9.9', PRIVATE, METADATA):
    start(ThreadingHTTPServer((address, 80), Http).serve_forever)
start(V6((WEB6, 80), Http).serve_forever)
start(tcp, socket.AF_INET, WEB, 7000)
start(tcp, socket.AF_INET6, WEB6, 7000)
start(udp, socket.AF_INET, WEB, 7001)
start(udp, socket.AF_INET6, WEB6, 7001)
start(dns_udp)
start(dns_tcp)
time.sleep(0.2)
print('ready', flush=True)
threading.Event().wait()
