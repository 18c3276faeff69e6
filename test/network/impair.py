# A bad network between two interfaces: carries frames from each to the other, and loses, repeats, delays, reorders and spoils some.
#   impair.py A B loss=0.01 duplicate=0.01 reorder=0.1 corrupt=0.001 delay=0.005 jitter=0.003
import heapq, random, select, socket, sys, time

a, b = sys.argv[1:3]
want = {name: float(value) for name, value in (w.split('=') for w in sys.argv[3:])}
loss, duplicate, reorder, corrupt, delay, jitter = (
    want.get(n, 0.0) for n in ('loss', 'duplicate', 'reorder', 'corrupt', 'delay', 'jitter'))


def end(name):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.setsockopt(263, 23, 1)  # PACKET_IGNORE_OUTGOING
    s.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
    s.bind((name, 0))
    s.setblocking(False)
    return s


random.seed(1)
first, second = end(a), end(b)
other = {first: second, second: first}
waiting, last, count = [], {first: 0.0, second: 0.0}, 0
print('there', flush=True)
while True:
    now = time.monotonic()
    while waiting and waiting[0][0] <= now:
        _, _, to, frame = heapq.heappop(waiting)
        try:
            to.send(frame)
        except OSError:
            pass
    left = max(0.0, waiting[0][0] - now) if waiting else 1.0
    for s in select.select([first, second], [], [], left)[0]:
        to = other[s]
        for _ in range(64):
            try:
                frame = s.recv(65536)
            except BlockingIOError:
                break
            if random.random() < loss:
                continue
            if corrupt and random.random() < corrupt:
                at = random.randrange(14, len(frame))
                frame = frame[:at] + bytes([frame[at] ^ (1 << random.randrange(8))]) + frame[at + 1:]
            for _ in range(2 if random.random() < duplicate else 1):
                if random.random() < reorder:
                    due = now
                else:
                    due = max(now + delay + jitter * random.random(), last[to])
                    last[to] = due
                count += 1
                heapq.heappush(waiting, (due, count, to, frame))
