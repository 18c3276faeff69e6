"""Times one function: `measure(name, function)` prints a line "py_NAME NANOSECONDS" per round.

The number of rounds is the first argument of the program; one round more warms up.
"""

import sys
import time


def measure(name, function):
    for i in range(int(sys.argv[1]) + 1):
        start = time.perf_counter_ns()
        function()
        ns = time.perf_counter_ns() - start
        if i > 0:
            print(f"py_{name} {ns}", flush=True)
