"""threading: a queue between four producers and one consumer."""

import queue
import threading

from rounds import measure


def run():
    q = queue.Queue(64)
    makers = [threading.Thread(target=lambda: [q.put(i) for i in range(1500)]) for _ in range(4)]
    for t in makers:
        t.start()
    assert sum(q.get() for _ in range(6000)) == 4 * sum(range(1500))
    for t in makers:
        t.join()


measure("threads", run)
