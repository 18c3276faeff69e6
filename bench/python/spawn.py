"""subprocess: programs that are started and whose output is read."""

import subprocess

from rounds import measure


def run():
    for i in range(20):
        assert subprocess.run(["/bin/echo", str(i)], capture_output=True, text=True).stdout == f"{i}\n"


measure("spawn", run)
