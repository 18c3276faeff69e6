# What a program sees of the network: each part prints lines that are the same natively and inside.
import errno, hashlib, os, select, socket, struct, sys, time

HOST, PORT, HOST6 = (os.environ.get('TO') or '9.9.9.2 7000 2600:9::2').split()
PORT = int(PORT)


def connect(line, host=HOST):
    s = socket.create_connection((host, PORT), timeout=20)
    s.sendall(line)
    return s


def rest(s):
    parts = []
    while True:
        b = s.recv(65536)
        if not b:
            return b''.join(parts)
        parts.append(b)


def pattern(n):
    return (b'0123456789abcdef' * 4096 * 16)[:n]


def error(f):
    try:
        return f()
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e))


def halfclose():
    s = connect(b'sum\n')
    s.sendall(b'x' * 100000)
    s.shutdown(socket.SHUT_WR)
    print('sum', rest(s).decode().split()[0])
    print('after the end', s.recv(1))
    print('send after shutdown', error(lambda: s.send(b'y')))
    s = connect(b'sum\n', HOST6)
    s.shutdown(socket.SHUT_WR)
    print('over IPv6', rest(s).decode().split()[0])


def reset():
    s = connect(b'reset\n')
    print('recv', error(lambda: s.recv(1)))
    print('recv again', error(lambda: s.recv(1)))
    print('send', error(lambda: s.send(b'x')))
    s = connect(b'unread\n' + b'z' * 10000)
    print(s.recv(3))
    time.sleep(0.6)
    print('peer closed with unread bytes', error(lambda: s.recv(1)))
    s = connect(b'expectreset\n')
    time.sleep(0.2)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    s.close()
    time.sleep(0.3)
    print('linger 0:', rest(connect(b'ending\n')).decode().strip())
    s = connect(b'expectreset\n')
    time.sleep(0.2)
    s.close()
    time.sleep(0.3)
    print('close:', rest(connect(b'ending\n')).decode().strip())


def refused():
    s = socket.socket()
    print('refused', error(lambda: s.connect((HOST, 9))))
    print('and then', error(lambda: s.connect((HOST, PORT))), s.getpeername()[1])
    s = socket.socket()
    s.setblocking(False)
    print('now', error(lambda: s.connect((HOST, 9))))
    p = select.poll()
    p.register(s, select.POLLOUT)
    ev = p.poll(5000)[0][1]
    print('poll', bool(ev & select.POLLOUT), bool(ev & select.POLLERR), bool(ev & select.POLLHUP))
    print('SO_ERROR', errno.errorcode[s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)])
    print('SO_ERROR again', s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    s = socket.socket()
    s.setblocking(False)
    print('now', error(lambda: s.connect((HOST, PORT))))
    p = select.poll()
    p.register(s, select.POLLOUT)
    print('poll', p.poll(5000)[0][1] == select.POLLOUT)
    print('SO_ERROR', s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    print('connect again', error(lambda: s.connect((HOST, PORT))))
    print('and again', error(lambda: s.connect((HOST, PORT))))


def slow():
    s = connect(b'slow 1\n')
    s.setblocking(False)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    sent = 0
    try:
        while sent < 64 << 20:
            sent += s.send(b'x' * 65536)
    except BlockingIOError:
        pass
    print('held up', 0 < sent < 64 << 20)
    p = select.poll()
    p.register(s, select.POLLOUT)
    print('not writable', p.poll(0) == [])
    print('writable later', p.poll(10000)[0][1] == select.POLLOUT)
    s.setblocking(True)
    s.shutdown(socket.SHUT_WR)
    print('all came', int(rest(s)) == sent)


def bulk():
    n = 64 << 20
    s = connect(b'send %d\n' % n)
    h, got = hashlib.sha256(), 0
    while True:
        b = s.recv(1 << 20)
        if not b:
            break
        got += len(b)
        h.update(b)
    print('received', got, h.hexdigest())
    s = connect(b'sum\n')
    for _ in range(64):
        s.sendall(pattern(1 << 20))
    s.shutdown(socket.SHUT_WR)
    print('sent', rest(s).decode().strip())


def flags():
    s = connect(b'echo\nabcdef')
    time.sleep(0.2)
    print('peek', s.recv(3, socket.MSG_PEEK), s.recv(6, socket.MSG_PEEK))
    print('waitall', s.recv(6, socket.MSG_WAITALL))
    s.settimeout(None)
    print('dontwait', error(lambda: s.recv(1, socket.MSG_DONTWAIT)))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print('nodelay', s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 77)
    print('keepidle', s.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE))
    print('keepidle 0', error(lambda: s.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 0)))
    print('state', s.getsockopt(socket.IPPROTO_TCP, 11, 232)[0])
    s = connect(b'oob\n')
    time.sleep(0.1)
    p = select.poll()
    p.register(s, select.POLLPRI)
    print('urgent', bool(p.poll(5000)[0][1] & select.POLLPRI))
    print(s.recv(10), s.recv(1, socket.MSG_OOB))
    time.sleep(0.3)
    print(s.recv(10))


def edges():
    """epoll with EPOLLET: an edge comes for each arrival, also without a read up to EAGAIN."""
    s = connect(b'echo\n')
    s.setblocking(False)
    e = select.epoll()
    e.register(s, select.EPOLLIN | select.EPOLLET)
    for i in range(3):
        s.send(b'one')
        print('edge', len(e.poll(5)), s.recv(100))
    s.send(b'first')
    print('edge', len(e.poll(5)))
    print('no edge', len(e.poll(0.1)))
    s.send(b'more!')
    print('edge', len(e.poll(5)), s.recv(3))
    s.shutdown(socket.SHUT_WR)
    print('end', len(e.poll(5)))
    s.setblocking(True)
    print(rest(s))


def datagrams():
    for family, host in ((socket.AF_INET, HOST), (socket.AF_INET6, HOST6), (socket.AF_INET6, '::ffff:' + HOST)):
        s = socket.socket(family, socket.SOCK_DGRAM)
        s.settimeout(5)
        s.sendto(b'hello', (host, 7001))
        b, a = s.recvfrom(100)
        print(b, a[:2])
        s.connect((host, 7001))
        print(s.send(b'x' * 8000), len(s.recv(65535)))
        print('peer', s.getpeername()[:2])
        print('too long', error(lambda: s.send(b'x' * 66000)))
        s.send(b'')
        print('empty', s.recv(10))
        s.connect((host, 9))
        s.send(b'x')
        print('refused', error(lambda: s.recv(10)))
        s.close()
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(5)
    s.setsockopt(socket.IPPROTO_IP, 11, 1)
    s.sendto(b'lost', (HOST, 9))
    p = select.poll()
    p.register(s, 0)
    print('POLLERR', bool(p.poll(5000)[0][1] & select.POLLERR))
    data, control, fl, a = s.recvmsg(100, 512, socket.MSG_ERRQUEUE)
    level, kind, value = control[0]
    print(data, a, level, kind, struct.unpack('IBBB', value[:7]), socket.inet_ntoa(value[20:24]))


def ping():
    for family, proto, host, kind in ((socket.AF_INET, socket.IPPROTO_ICMP, HOST, 8), (socket.AF_INET6, socket.IPPROTO_ICMPV6, HOST6, 128)):
        s = socket.socket(family, socket.SOCK_DGRAM, proto)
        s.settimeout(5)
        s.sendto(struct.pack('>BBHHH', kind, 0, 0, 0, 7) + b'payload', (host, 0))
        b, a = s.recvfrom(100)
        print(b[0], b[6:], a[0])


def names():
    for host in ('web.example', 'alias.example', 'other.example', 'nothing.example'):
        print(host, error_name(lambda: sorted({a[4][0] for a in socket.getaddrinfo(host, 80, type=socket.SOCK_STREAM)})))


def error_name(f):
    try:
        return f()
    except socket.gaierror as e:
        return e.errno


for part in sys.argv[1:]:
    print('#', part)
    globals()[part]()
