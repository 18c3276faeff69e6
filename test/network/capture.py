# Captures by tcpdump and dumpcap of what this program sends: what they say is printed without times and ports.
import re, socket, subprocess, sys

def capture(argv, begun, traffic, of):
    p = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    seen = []
    for line in p.stdout:
        seen.append(line.strip())
        if begun in line:
            traffic()
            break
    seen += [line.strip() for line in p.stdout]
    print('#', ' '.join(of), p.wait())
    return seen

def clean(lines):
    for line in lines:
        if ' IP' not in line and 'captured' not in line: continue
        line = re.sub(r'^\d+:[\d:.]+ ', '', line)
        line = re.sub(r'(127\.0\.0\.1|::1|10\.7\.0\.1|10\.7\.0\.2)\.(?!80\b|9\b)\d+', r'\1.p', line)
        line = re.sub(r', (seq|ack|win|options|length).*', '', line)
        print(line)

def connect():
    s = socket.create_connection(('127.0.0.1', 80))
    t, _ = listener.accept()
    s.close(); t.close()

def datagrams(to, n=3, size=3):
    def send():
        for _ in range(n):
            s = socket.socket(socket.AF_INET6 if ':' in to else socket.AF_INET, socket.SOCK_DGRAM)
            s.sendto(b'x' * size, (to, 9))
            s.close()
    return send

def both():
    connect()
    datagrams('127.0.0.1')()

listener = socket.create_server(('127.0.0.1', 80))
keep = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
keep.bind(('0.0.0.0', 9))
keep6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
keep6.bind(('::1', 9))

for name, words, traffic in [
    ('a filter', ['-i', 'lo', '-c', '3', 'tcp', 'port', '80'], both),
    ('udp beside tcp', ['-i', 'lo', '-c', '3', 'udp', 'dst', 'port', '9'], both),
    ('IPv6', ['-i', 'lo', '-c', '2', 'ip6', 'and', 'udp'], datagrams('::1', 2)),
    ('any', ['-i', 'any', '-c', '3', 'udp'], datagrams('127.0.0.1')),
    ('a veth', ['-i', 'eth0', '-c', '2', 'udp'], datagrams('10.7.0.2', 2)),
    ('TPACKET_V2', ['--immediate-mode', '-i', 'lo', '-c', '2', 'udp'], datagrams('127.0.0.1', 2)),
    ('large', ['-i', 'lo', '-c', '1', 'udp'], datagrams('127.0.0.1', 1, 30000)),
]:
    lines = capture(['tcpdump', '-n', *words], 'listening on', traffic, [name])
    clean(lines)
    print([line for line in lines if 'dropped' in line])

if len(sys.argv) > 1:
    for line in capture(['dumpcap', '-q', '-i', 'lo', '-c', '3', '-w', sys.argv[1], '-f', 'udp'], 'File:', datagrams('127.0.0.1'), ['dumpcap']):
        if 'received/dropped' in line: print(re.sub(r' \(pcap.*', '', line))
    out = subprocess.run(['tshark', '-r', sys.argv[1], '-T', 'fields', '-e', 'udp.dstport', '-e', 'frame.len'],
                         capture_output=True, text=True)
    print(out.stdout)
